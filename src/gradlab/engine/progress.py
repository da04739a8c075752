"""What the coordinator tells while it works: a line for each condition on a terminal, a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from gradlab.units import duration

if TYPE_CHECKING:
    from rich.progress import TaskID

__all__ = ["Plain", "Progress", "Snapshot", "Terminal", "progress_for"]

MOST_LINES = 12
"""Conditions beyond this share one line."""

FIRST_LINE_SECONDS = 5.0
LINE_SECONDS = 30.0


@dataclass(frozen=True)
class Snapshot:
    """How far a plan is.

    Attributes:
        ended: Runs that have ended or failed in this execution, by condition.
        epochs: Epochs trained in this execution, by condition, summed over its runs.
        seconds_left: The time until the end, estimated.
        diverged: Runs that diverged.
        failed: Runs that failed.
    """

    ended: Mapping[str, int] = field(default_factory=dict)
    epochs: Mapping[str, int] = field(default_factory=dict)
    seconds_left: float = 0.0
    diverged: int = 0
    failed: int = 0


class Progress:
    """Tells nothing; the base of those that do."""

    def start(self, runs: int, stored: int, conditions: Mapping[str, int], epochs: Mapping[str, int]) -> None:
        """Work begins.

        Args:
            runs: Runs in the plan.
            stored: Runs that are in the lab already.
            conditions: Runs to train, by condition.
            epochs: Epochs to train, summed over those runs.
        """

    def update(self, snapshot: Snapshot) -> None:
        """Work has gone on; called a few times a second."""

    def measuring(self, kind: str, done: int, subjects: int, seconds_left: float | None) -> None:
        """Measuring has gone on; called a few times a second.

        Args:
            kind: The kind of instrument.
            done: Subjects that it has been through.
            subjects: Subjects that it has to go through.
            seconds_left: The time until it is, estimated; `None` where nothing is known yet.
        """

    def say(self, line: str) -> None:
        """Something worth a line of text."""

    def finish(self) -> None:
        """Work has ended; called once, whatever the end."""


class Plain(Progress):
    """A line now and then, for logs and pipes.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._next = self._begun + FIRST_LINE_SECONDS
        self._runs = self._stored = self._wanted = self._epochs = 0
        self._kind, self._told = "", False

    def start(self, runs: int, stored: int, conditions: Mapping[str, int], epochs: Mapping[str, int]) -> None:
        """Say what there is to do, if anything is stored already."""
        self._runs, self._stored, self._wanted = runs, stored, sum(conditions.values())
        self._epochs = sum(epochs.values())
        self._begun = time.monotonic()
        self._next = self._begun + FIRST_LINE_SECONDS
        if stored and self._wanted:
            self.say(f"{stored} of {runs} runs are stored already; {self._wanted} to train or to go on with")

    def update(self, snapshot: Snapshot) -> None:
        """A line every half a minute."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            epochs = sum(snapshot.epochs.values())
            if not epochs and now - self._begun < LINE_SECONDS:
                self.say("workers are starting")
                return
            self.say(
                f"{self._stored + sum(snapshot.ended.values())} of {self._runs} runs, "
                f"{epochs:,} of {self._epochs:,} epochs, {_pace(epochs, now - self._begun)}"
                f"{duration(snapshot.seconds_left)} left{_troubles(snapshot)}"
            )

    def measuring(self, kind: str, done: int, subjects: int, seconds_left: float | None) -> None:
        """A line every half a minute, and one where an instrument that was told of is through."""
        now = time.monotonic()
        if kind != self._kind:
            self._kind, self._next = kind, now + FIRST_LINE_SECONDS
            self._told = False
        if now >= self._next or (self._told and done == subjects):
            self._next, self._told = now + LINE_SECONDS, done < subjects
            self.say(_measuring(kind, done, subjects, seconds_left))

    def say(self, line: str) -> None:
        """Write a line; a closed stream is not an error."""
        try:
            print(line, file=self._stream, flush=True)
        except (OSError, ValueError):
            self._next = float("inf")


class Terminal(Progress):
    """A bar for each condition that moves with its epochs, with runs done, the common rate and the time left.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[ended]}/{task.fields[runs]}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(file=stream),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._rest: set[str] = set()
        self._begun = time.monotonic()

    def start(self, runs: int, stored: int, conditions: Mapping[str, int], epochs: Mapping[str, int]) -> None:
        """Show the bars; those of an earlier plan are gone."""
        for task in self._tasks.values():
            self._bars.remove_task(task)
        self._tasks.clear()
        self._totals.clear()
        self._rest.clear()
        if not conditions:
            return
        names = list(conditions)
        shown = names if len(names) <= MOST_LINES else names[: MOST_LINES - 1]
        self._rest = set(names) - set(shown)
        for name in shown:
            self._add(name, _short(name), conditions[name], epochs[name])
        if self._rest:
            count, total = (sum(of[name] for name in self._rest) for of in (conditions, epochs))
            self._add("", f"{len(self._rest)} more conditions", count, total)
        if stored:
            self._bars.console.print(f"{stored} of {runs} runs are stored already", highlight=False)
        self._begun = time.monotonic()
        self._bars.start()

    def update(self, snapshot: Snapshot) -> None:
        """Move the bars."""
        pace = _pace(sum(snapshot.epochs.values()), time.monotonic() - self._begun)
        note = f"{pace}{duration(snapshot.seconds_left)} left{_troubles(snapshot)}"
        ended, epochs = self._by_line(snapshot.ended), self._by_line(snapshot.epochs)
        for index, (name, task) in enumerate(self._tasks.items()):
            changed: dict[str, Any] = {"note": note} if index == 0 else {}
            runs, total = self._totals[name]
            # runs that stop early leave epochs untrained: the bar is full when all of them have ended
            done = total if ended[name] == runs else min(epochs[name], total)
            self._bars.update(task, completed=done, ended=ended[name], **changed)

    def measuring(self, kind: str, done: int, subjects: int, seconds_left: float | None) -> None:
        """One bar for each kind of instrument."""
        name = f"measuring {kind}"
        if name not in self._tasks:
            self.start(0, 0, {}, {})
            self._add(name, name, subjects, subjects)
            self._bars.start()
        left = "" if seconds_left is None or done == subjects else f"{duration(seconds_left)} left"
        self._bars.update(self._tasks[name], completed=done, ended=done, note=left)

    def _add(self, name: str, told: str, runs: int, epochs: int) -> None:
        self._totals[name] = (runs, epochs)
        self._tasks[name] = self._bars.add_task(told, total=max(epochs, 1), note="", ended=0, runs=runs)

    def _by_line(self, counts: Mapping[str, int]) -> Counter[str]:
        lines: Counter[str] = Counter()
        for name, count in counts.items():
            lines["" if name in self._rest else name] += count
        return lines

    def say(self, line: str) -> None:
        """A line above the bars."""
        self._bars.console.print(line, markup=False, highlight=False)

    def finish(self) -> None:
        """Take the bars away."""
        self._bars.stop()


def progress_for(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """The kind of progress that suits a stream.

    Args:
        quiet: Tell nothing.
        stream: Where to tell it; standard error if not given.

    Returns:
        Bars on a terminal, plain lines elsewhere.
    """
    if quiet:
        return Progress()
    chosen = sys.stderr if stream is None else stream
    return Terminal(chosen) if chosen.isatty() else Plain(chosen)


def _measuring(kind: str, done: int, subjects: int, seconds_left: float | None) -> str:
    left = "" if seconds_left is None or done == subjects else f", {duration(seconds_left)} left"
    return f"measuring {kind}: {done} of {subjects}{left}"


def _pace(epochs: int, seconds: float) -> str:
    """How fast it goes, by all workers together; nothing before the first epoch is through."""
    if not epochs:
        return "about "
    rate = epochs / max(seconds, 1e-9)
    return f"{rate:,.0f} epochs/s, " if rate >= 2 else f"an epoch every {duration(1 / rate)}, "


def _troubles(snapshot: Snapshot) -> str:
    diverged = f", {snapshot.diverged} diverged" if snapshot.diverged else ""
    return diverged + (f", {snapshot.failed} failed" if snapshot.failed else "")


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"
