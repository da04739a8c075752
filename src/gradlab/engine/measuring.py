"""The measuring phase: subjects of declared instruments, handed to workers in batches and stored by this process.

Each batch is a few seconds of work and one transaction, so that whatever ends the process costs at most the batches
that were under way, and nothing is measured twice.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.engine import rates as times
from gradlab.engine.coordinator import GRACE_SECONDS, SHELF, TELL_SECONDS
from gradlab.engine.environment import cores, environment
from gradlab.engine.library import Library, built, picked
from gradlab.engine.memory import total
from gradlab.engine.pool import Pool
from gradlab.engine.progress import Progress
from gradlab.engine.readers.sit import sit
from gradlab.engine.recovery import DEATHS, LOSSES
from gradlab.engine.shelf import Lost, Shelf
from gradlab.engine.signals import Stop
from gradlab.engine.subjects import Bench, Sitters, unmeasured
from gradlab.engine.worker import single_threaded
from gradlab.engine.workforce import BRIEF_SECONDS
from gradlab.errors import Interrupted, RunsFailed, StoreError
from gradlab.store.measurements import NewMeasurement, Stored

if TYPE_CHECKING:
    from gradlab.engine.readers.sit import Read
    from gradlab.store.lab import Lab
    from gradlab.study.plan import Plan
    from gradlab.study.subjects import Subject

    Batch = tuple[Sitters, ...]
    Found = list[list[Stored]]

__all__ = ["MeasureOutcome", "measure_plan"]

WORKER_BYTES = 1_500_000_000
"""What a process may need that measures."""

MOST_TOLD = 5
"""Failed subjects beyond this are only counted."""


@dataclass(frozen=True)
class MeasureOutcome:
    """What measuring a plan did.

    Attributes:
        subjects: Subjects in the plan, each instrument's own.
        measured: Those measured now.
        refused: Those that their instrument refused now.
        reused: Those that were in the lab already.
        seconds: Time taken.
        workers: Worker processes; 1 is this process.
    """

    subjects: int
    measured: int
    refused: int
    reused: int
    seconds: float
    workers: int


def measure_plan(
    plan: Plan,
    lab: Lab,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    reading: Read | None = None,
) -> MeasureOutcome:
    """Measure what a lab lacks of the instruments that a plan declares; its runs have been trained.

    Args:
        plan: The plan.
        lab: A lab, open for writing.
        workers: Worker processes; 1 measures in this process. By default this process where the work is brief, and
            one for each core otherwise.
        progress: Where progress is told; nowhere if not given.
        executor: An executor to use in place of our own processes.
        reading: What measures a sitting; `gradlab.engine.readers.read` if not given.

    Returns:
        What was done.

    Raises:
        RunsFailed: An instrument failed on some subjects (a refusal is no failure); all others are stored.
        Interrupted: A signal came; everything measured by then is stored.
        StoreError: Something could not be stored or read; what was stored before stays.
    """
    subjects = sum(len({subject.key for subject in each}) for each in plan.subjects.values())
    lacking = unmeasured(plan, lab) if subjects else {}
    if not lacking:
        return MeasureOutcome(subjects, 0, 0, subjects, 0.0, 1)
    return _Measuring(plan, lab, progress or Progress(), lacking, reading).run(workers, executor, subjects)


class _Measuring:
    """One execution of the measuring phase; see `measure_plan`."""

    def __init__(
        self,
        plan: Plan,
        lab: Lab,
        progress: Progress,
        lacking: Mapping[str, list[Subject]],
        reading: Read | None,
    ) -> None:
        self.plan = plan
        self.lab = lab
        self.progress = progress
        self.reading = reading
        self.library = Library(built, picked)
        self.bench = Bench(plan, lab, self.library)
        self.ready = deque(
            sitters for kind, subjects in lacking.items() for sitters in self.bench.together(kind, subjects)
        )
        self.careful: deque[Batch] = deque()
        self.flying: dict[Future[Found], Batch] = {}
        self.seconds: dict[str, float] = {}
        self.asked = {kind: len(subjects) for kind, subjects in lacking.items()}
        self.done: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.refusals: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}
        self.deaths: Counter[str] = Counter()
        self.losses = 0
        self.kind = next(iter(lacking))

    def run(self, workers: int | None, executor: Executor | None, subjects: int) -> MeasureOutcome:
        """Do it all."""
        begun = time.monotonic()
        self.may_grow = workers is None and executor is None and not self._stays()
        self.pool = Pool(1 if workers is None or self._stays() else workers, executor)
        try:
            with ExitStack() as stack:
                stop = stack.enter_context(Stop(self.progress.say))
                stack.callback(self.progress.finish)
                stack.callback(lambda: self.pool.stop())
                source = self.plan.study.source
                folder = Path(source).absolute().parent if source and Path(source).is_file() else None
                self.place = self.lab.add_environment(environment(folder))
                if self.pool.own_processes:
                    self._put_on_shelf(stack)
                self._loop(stop, stack)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped at once; what was stored before stays, and the same command goes on"
            ) from None
        asked, done = sum(self.asked.values()), self.done.total()
        if stop.asked:
            raise Interrupted(
                f"stopped by {stop.asked}: {subjects - asked + done} of {subjects} measurements are stored; the other "
                f"{asked - done} are taken when the same command is run again"
            )
        self._tell_refusals()
        if self.failures:
            raise RunsFailed(self._told_failures(subjects))
        return MeasureOutcome(
            subjects,
            self.outcomes["measured"],
            self.outcomes["refused"],
            subjects - asked,
            time.monotonic() - begun,
            self.pool.workers,
        )

    def _stays(self) -> bool:
        """Whether a network's class cannot travel, so that it is measured in this process."""
        return any(getattr(c.spec.model, "in_process", False) for c in self.plan.conditions)

    def _put_on_shelf(self, stack: ExitStack) -> None:
        self.library.shelf = Shelf(self.lab.folder / SHELF)
        stack.callback(self.library.shelf.sweep)

    def _loop(self, stop: Stop, stack: ExitStack) -> None:
        told = 0.0
        if self.pool.inline:
            threads = stack.enter_context(ExitStack())
            threads.enter_context(single_threaded())
        while self.ready or self.careful or self.flying:
            if not stop.asked:
                self._grow(stack)
                self._hand_out()
            elif not self.flying or stop.seconds() > GRACE_SECONDS:
                break
            done, _ = wait(self.flying, timeout=0.2, return_when=FIRST_COMPLETED)
            self._take_back(done)
            if time.monotonic() - told >= TELL_SECONDS or not (self.ready or self.flying):
                told = time.monotonic()
                self._tell()
            if stop.asked:
                for future in list(self.flying):
                    if future.cancel():
                        del self.flying[future]

    def _grow(self, stack: ExitStack) -> None:
        """Start workers where what is left, as far as it is known, is not brief any more."""
        if not (self.may_grow and self.ready) or self._left() < BRIEF_SECONDS:
            return
        self.may_grow = False
        workers = max(1, min(cores(), len(self.ready), total() // WORKER_BYTES))
        if workers > 1:
            self.pool = Pool(workers)
            self.library.mend()
            self._put_on_shelf(stack)

    def _left(self, kind: str | None = None) -> float:
        """Seconds of one core that are left of one instrument, or of all that are known."""
        waiting = [*self.ready, *(s for batch in (*self.careful, *self.flying.values()) for s in batch)]
        return sum(self.seconds.get(s.group, 0.0) for s in waiting if kind in {None, s.kind})

    def _hand_out(self) -> None:
        """Keep the workers busy; a subject that a worker may have died of is measured with nothing beside it."""
        while (self.ready or self.careful) and len(self.flying) < self.pool.width:
            if self.careful:
                if self.flying:
                    return
                self._submit(self.careful.popleft())
                return
            self._submit(self._next())

    def _next(self) -> Batch:
        """As much of one group as takes a few seconds; one sitting while it is not known how long that takes."""
        batch = [self.ready.popleft()]
        each = self.seconds.get(batch[0].group)
        if each is not None:
            room = int(times.SLICE_SECONDS / max(each, 1e-9))
            ahead = sum(sitters.group == batch[0].group for sitters in self.ready) + 1
            room = min(room, -(-ahead // self.pool.workers))
            while len(batch) < room and self.ready and self.ready[0].group == batch[0].group:
                batch.append(self.ready.popleft())
        return tuple(batch)

    def _submit(self, batch: Batch) -> None:
        try:
            sittings = [self.bench.sitting(sitters) for sitters in batch]
        except StoreError as error:
            if len(batch) == len(batch[0].subjects) == 1:
                self._store(batch, [[Stored("failed", failure=str(error))]])
                return
            singles = [sitters.one(place) for sitters in batch for place in range(len(sitters.subjects))]
            self.ready.extendleft(reversed(singles))
            for sitters in singles:
                self.seconds.pop(sitters.group, None)
            return
        self.kind = batch[0].kind
        self.flying[self.pool.submit(sit, sittings, self.reading)] = batch

    def _take_back(self, done: set[Future[Found]]) -> None:
        dead: list[Batch] = []
        for future in done:
            batch = self.flying.pop(future)
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                dead.append(batch)
            elif isinstance(error, Lost) and self.losses < LOSSES:
                self.losses += 1
                self.progress.say("data on the shelf are missing or damaged; they are written anew")
                self.library.mend()
                self.ready.extendleft(reversed(batch))
            elif error is not None:
                self._store(batch, [[Stored("failed", failure=repr(error))] * len(s.subjects) for s in batch])
            else:
                self._store(batch, future.result())
        if dead:  # whatever else was being measured went with the pool
            suspects = dead + list(self.flying.values())
            self.flying.clear()
            self._died(suspects, killed=self.pool.rebuild())

    def _died(self, suspects: list[Batch], *, killed: bool) -> None:
        """Workers died: what they measured is tried again, each subject alone with nothing beside it."""
        if len(suspects) == len(suspects[0]) == len(suspects[0][0].subjects) == 1:
            key = suspects[0][0].kind + suspects[0][0].subjects[0].key
            self.deaths[key] += 1
            if self.deaths[key] > DEATHS:
                told = f"its worker process died {DEATHS} times while it was measured alone"
                told += ", killed as if out of memory: give the instrument fewer examples" if killed else ""
                self._store(suspects[0], [[Stored("failed", failure=told)]])
                return
        self.progress.say("a worker process died; what it measured is tried again, one subject at a time")
        for batch in suspects:
            self.careful.extend(
                (sitters.one(place),) for sitters in batch for place in range(len(sitters.subjects))
            )

    def _store(self, batch: Batch, found: Found) -> None:
        """Store a batch in one transaction."""
        kind = batch[0].kind
        instrument = self.plan.study.measure[kind]
        entries: list[NewMeasurement] = []
        for sitters, stored in zip(batch, found, strict=True):
            self._learn(sitters.group, sum(one.seconds for one in stored))
            for subject, one in zip(sitters.subjects, stored, strict=True):
                note = self.bench.notes.get(subject.key)
                whole = one if note is None else replace(one, warnings=(*one.warnings, note))
                members = tuple((member.run, epoch) for member in subject.members for epoch in member.epochs)
                entries.append(NewMeasurement(subject.key, members, whole))
                self._count(kind, subject, one)
        self.lab.store_measurements(instrument.digest, instrument.canonical(), entries, self.place)

    def _learn(self, group: str, seconds: float) -> None:
        before = self.seconds.get(group, seconds)
        self.seconds[group] = seconds if seconds < before else (seconds + before) / 2

    def _count(self, kind: str, subject: Subject, found: Stored) -> None:
        self.done[kind] += 1
        self.outcomes[found.outcome] += 1
        if found.outcome == "refused":
            self.refusals.setdefault(kind, []).append(found.failure)
        elif found.outcome == "failed":
            self.failures[f"{kind} of {subject.group}, {subject.unit}"] = found.failure

    def _tell(self) -> None:
        left = self._left(self.kind) / self.pool.workers
        known = left if left or self.done[self.kind] == self.asked[self.kind] else None
        self.progress.measuring(self.kind, self.done[self.kind], self.asked[self.kind], known)

    def _tell_refusals(self) -> None:
        for kind, texts in self.refusals.items():
            text, count = Counter(texts).most_common(1)[0]
            others = f" (and {len(texts) - count} for other reasons)" if count < len(texts) else ""
            self.progress.say(f"{kind} refused {len(texts)} of {self.asked[kind]}: {text}{others}")

    def _told_failures(self, subjects: int) -> str:
        count = len(self.failures)
        lines = [f"{count} of {subjects} measurements failed; the others are stored:"]
        for what, message in list(self.failures.items())[:MOST_TOLD]:
            lines.append(f"  {what}: {(message.strip().splitlines() or ['no message'])[-1]}")
        if count > MOST_TOLD:
            lines.append(f"  and {count - MOST_TOLD} more")
        lines.append("the same command tries them again")
        return "\n".join(lines)
