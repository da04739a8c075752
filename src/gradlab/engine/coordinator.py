"""The coordinator: hands fleets to workers slice by slice, and alone writes what comes back.

Each slice is stored in one transaction before the fleet's next one is handed out. That is the checkpoint, the
progress and the resume: whatever ends the process, the same command goes on from the last stored slice.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlab.component import canonical_json, digest_of
from gradlab.engine import devices
from gradlab.engine.environment import environment
from gradlab.engine.fleets import Crew, crews, stops, until
from gradlab.engine.library import Library, built, picked
from gradlab.engine.missing import Job, horizons, missing, record_text
from gradlab.engine.progress import Progress, Snapshot
from gradlab.engine.rates import Rates
from gradlab.engine.recovery import Recovery, Remedy
from gradlab.engine.shelf import Shelf
from gradlab.engine.signals import Stop
from gradlab.engine.slices import entries
from gradlab.engine.tally import Tally
from gradlab.engine.worker import load, single_threaded, work
from gradlab.engine.workforce import workforce
from gradlab.errors import Interrupted, RunsFailed, StoreError
from gradlab.store.rows import NewRun

if TYPE_CHECKING:
    from gradlab.engine.worker import Advance, States, Traces
    from gradlab.store.lab import Lab
    from gradlab.store.rows import Progress as Entry
    from gradlab.study.plan import Plan
    from gradlab.study.spec import Spec
    from gradlab.task.data import Data
    from gradlab.train.fleet import Backend
    from gradlab.train.state import State

    Result = tuple[States, Traces, float, tuple[States, ...]]

__all__ = ["SHELF", "Outcome", "run_plan"]

GRACE_SECONDS = 15.0
"""How long, after a signal, slices that are being computed are waited for."""

TELL_SECONDS = 0.2

SHELF = "data"
"""Folder of a lab in which large arrays lie for workers to map; a cache, to be deleted at any time."""


@dataclass(frozen=True)
class Outcome:
    """What running a plan did.

    Attributes:
        runs: Runs in the plan.
        computed: Runs that were trained, wholly or further.
        reused: Runs that were in the lab already.
        diverged: Runs of the plan, trained now, that diverged.
        failed: The error of each run that failed, by id.
        network_epochs: Epochs trained, summed over runs.
        seconds: Time taken.
        workers: Worker processes; 1 is this process.
    """

    runs: int
    computed: int
    reused: int
    diverged: int
    failed: Mapping[str, str]
    network_epochs: int
    seconds: float
    workers: int


def run_plan(
    plan: Plan,
    lab: Lab,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    device: str | None = None,
    advance: Advance | None = None,
    backend: Callable[[Spec], Backend] | None = None,
    build: Callable[[Spec, Mapping[str, int]], Data] | None = None,
    wanted: Collection[tuple[str, int]] = (),
) -> Outcome:
    """Train what a lab lacks for a plan.

    Args:
        plan: The plan.
        lab: A lab, open for writing.
        workers: Worker processes; 1 computes in this process. By default one for each core, or this process
            where the work is brief.
        progress: Where progress is told; nowhere if not given.
        executor: An executor to use in place of our own processes.
        device: "cuda" or "cuda:1" trains on a GPU what can be trained there, in one worker process; by default
            everything is trained on the processor.
        advance: What trains; `gradlab.train.advance.advance` if not given.
        backend: Picks what trains a specification; `gradlab.train.advance.pick_backend` if not given.
        build: Makes data; `gradlab.task.data.build_data` if not given.
        wanted: Runs and epochs whose weights will be looked at; what is damaged of them is computed again.

    Returns:
        What was done.

    Raises:
        RunsFailed: Some runs failed; all others are stored.
        Interrupted: A signal came; everything computed by then is stored.
        StoreError: Something could not be stored; what was stored before stays.
        EnvironmentProblem: The plan does not fit into memory or onto the disk, or there is no such GPU.
    """
    gpu = devices.found(device)
    pick = backend or picked
    library = Library(build or built, devices.preferring(pick) if gpu else pick, gpu or "cpu")
    return Coordinator(plan, lab, progress or Progress(), advance, library, wanted).run(workers, executor)


class Coordinator:
    """One execution of a plan; see `run_plan`."""

    def __init__(
        self,
        plan: Plan,
        lab: Lab,
        progress: Progress,
        advance: Advance | None,
        library: Library,
        wanted: Collection[tuple[str, int]] = (),
    ) -> None:
        self.plan = plan
        self.wanted = wanted
        self.lab = lab
        self.progress = progress
        self.advance = advance
        self.library = library
        self.rates = Rates(library)
        self.recovery = Recovery(progress.say)
        self.reached: dict[tuple[str, int], int] = {}
        self.waiting: list[Job] = []
        self.ready: deque[Crew] = deque()
        self.flying: dict[Future[Result], tuple[Crew, int, float]] = {}

    def run(self, workers: int | None, executor: Executor | None) -> Outcome:
        """Do it all."""
        begun = time.monotonic()
        self._ask()
        jobs = missing(self.plan, self.lab, self.wanted)
        self.tally = Tally(jobs)
        self.jobs = {job.run.id: job for job in jobs}
        staff = workforce(jobs, self.library, self.rates, workers, self.lab.folder, real=self.advance is None)
        self.pool = staff.pool(executor)
        runs, tally = len(self.plan.runs), self.tally
        self.progress.start(runs, runs - len(jobs), tally.runs(), tally.epochs_to_train())
        try:
            with ExitStack() as stack:
                stop = stack.enter_context(Stop(self.progress.say))
                stack.callback(self.progress.finish)
                stack.callback(self.pool.stop)
                if self.pool.inline:
                    stack.enter_context(single_threaded())
                if jobs:
                    self._equip(stack, staff.kernels)
                    self._prepare(jobs)
                    self._loop(stop)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped at once; what was stored before stays, and the same command goes on"
            ) from None
        if stop.asked:
            left = tally.left()
            raise Interrupted(
                f"stopped by {stop.asked}: {runs - left} of {runs} runs are stored; "
                f"the other {left} go on where they stand when the same command is run again"
            )
        if tally.failed:
            raise RunsFailed(tally.failures(runs))
        return Outcome(
            runs=runs,
            computed=len(jobs),
            reused=runs - len(jobs),
            diverged=len(tally.diverged),
            failed=tally.failed,
            network_epochs=tally.epochs.total(),
            seconds=time.monotonic() - begun,
            workers=staff.workers,
        )

    def _ask(self) -> None:
        """Remember the study and its runs before any of them is trained."""
        texts = {
            condition.name: canonical_json(condition.spec.canonical()) for condition in self.plan.conditions
        }
        own = {run.id: run for run in self.plan.runs}
        asked = [
            NewRun(run, texts[own[run].condition], own[run].seeds, name, replicate, own[run].start_from)
            for name, cell in self.plan.cells.items()
            for replicate, run in enumerate(cell)
        ]
        study = self.plan.study
        tree = study.tree()
        self.lab.ask(digest_of(tree), study.title, tree, asked, study.source or "")

    def _folder(self) -> Path | None:
        source = self.plan.study.source
        return Path(source).absolute().parent if source and Path(source).is_file() else None

    def _equip(self, stack: ExitStack, kernels: tuple[str, ...]) -> None:
        """Everything that the workers find when they begin."""
        facts = environment(self._folder())
        if self.library.device != "cpu":
            facts |= devices.described(self.library.device)
        self.place = self.lab.add_environment(facts)
        load(kernels)  # once, here: workers find it in the cache
        if self.pool.own_processes:
            self.library.shelf = Shelf(self.lab.folder / SHELF)
            stack.callback(self.library.shelf.sweep)

    def _prepare(self, jobs: Sequence[Job]) -> None:
        """Everything that waits for nothing becomes fleets; the rest waits for its parents."""
        row = self.lab.known({job.parent[0] for job in jobs if job.parent})
        asked = horizons(self.plan)
        for run in row.values():
            for horizon in asked.get(run.id, ()):
                end = run.at(horizon)
                again = self.jobs.get(run.id)
                if end is not None and not (again and not again.retraces and horizon in again.targets):
                    self.reached[run.id, horizon] = end.epoch
        free = [job for job in jobs if job.parent is None or job.parent in self.reached]
        self.waiting = [job for job in jobs if not (job.parent is None or job.parent in self.reached)]
        self.ready.extend(self._crews(free))

    def _crews(self, jobs: Sequence[Job]) -> list[Crew]:
        return crews(jobs, self.rates, self.library, self.pool.workers)

    def _loop(self, stop: Stop) -> None:
        told = 0.0
        try:
            while self.ready or self.flying:
                if not stop.asked:
                    self._hand_out()
                elif not self.flying or stop.seconds() > GRACE_SECONDS:
                    break
                done, _ = wait(self.flying, timeout=0.2, return_when=FIRST_COMPLETED)
                self._take_back(done)
                if time.monotonic() - told >= TELL_SECONDS:
                    told = time.monotonic()
                    self.progress.update(self._snapshot())
                if stop.asked:
                    self._drop_queued()
        finally:
            with suppress(StoreError):  # where storing is what failed, that error is the one to tell
                self.lab.interrupt(self.tally.unfinished)

    def _hand_out(self) -> None:
        """Keep the workers busy; a fleet that a worker may have died of is computed with nothing beside it."""
        while self.ready and len(self.flying) < self.pool.width:
            careful = next((crew for crew in self.ready if crew.careful), None)
            if careful is not None:
                if self.flying:
                    return
                self.ready.remove(careful)
                self._submit(careful)
                return
            self.ready.extendleft(reversed(self.recovery.narrowed(self.ready.popleft())))
            self._submit(self.ready.popleft())

    def _submit(self, crew: Crew) -> None:
        new = [job for job in crew.jobs if job.run.id not in self.tally.begun]
        if new:
            crew = self._with_states(crew)
            self.lab.begin({job.run.id: crew.epoch for job in new}, crew.backend, self.place)
            self.tally.begun.update(job.run.id for job in new)
        goal = until(crew, self.rates)
        fleet = crew.fleet(self.library)
        for job in new:
            labels = self.library.labels(job)
            if labels is not None:
                self.lab.keep_labels(job.run.id, labels.key, labels.values)
        future = self.pool.submit(work, self.advance, fleet, crew.states, goal, stops(crew, goal))
        self.flying[future] = (crew, goal, time.monotonic())

    def _with_states(self, crew: Crew) -> Crew:
        """Load where a crew stands, or what its members begin with."""
        if crew.epoch > 0:
            loaded = self.lab.load_states([(run, crew.epoch) for run in crew.ids])
            return replace(crew, states=tuple(_going_on(state) for state in loaded))
        warm = [(job, (job.parent[0], self.reached[job.parent])) for job in crew.jobs if job.parent]
        if not warm:
            return crew
        finals = self.lab.load_states([place for _, place in warm])
        starts: dict[str, State] = {}
        for (job, _), final in zip(warm, finals, strict=True):
            keep: bool = getattr(job.spec.initial, "optimizer_state", True)
            starts[job.run.id] = final.at_start(optimizer_state=keep)
        return replace(crew, starts=starts)

    def _take_back(self, done: set[Future[Result]]) -> None:
        dead: list[Crew] = []
        for future in done:
            crew, goal, _ = self.flying.pop(future)
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                dead.append(crew)
            elif error is not None:
                self._remedy(self.recovery.raised(crew, error))
            else:
                self._store(crew, goal, *future.result())
        if dead:  # whatever else was being computed went with the pool
            suspects = dead + [crew for crew, _, _ in self.flying.values()]
            self.flying.clear()
            self._remedy(self.recovery.died(suspects, killed=self.pool.rebuild()))

    def _store(
        self,
        crew: Crew,
        goal: int,
        states: States,
        traces: Traces,
        seconds: float,
        kept: tuple[States, ...] = (),
    ) -> None:
        begun = time.perf_counter()
        stored = entries(crew, states, traces, kept, goal)
        self.lab.store_slice(stored, record_text(crew.jobs[0].record), seconds)
        self.rates.learn(crew, goal - crew.epoch, seconds, storing=time.perf_counter() - begun)
        self.tally.epochs[crew.jobs[0].condition] += sum(entry.epoch - crew.epoch for entry in stored)
        for entry, job in zip(stored, crew.jobs, strict=True):
            if entry.ending is not None:
                self._ended(job, entry, crew.targets[0])
            elif entry.retraced:
                self.tally.finished.add(job.run.id)
        going = [i for i, entry in enumerate(stored) if entry.ending is None and not entry.retraced]
        further = (
            [i for i, entry in enumerate(stored) if entry.ending == "epochs"] if crew.targets[1:] else []
        )
        after = replace(crew, states=states, epoch=goal, starts={}, careful=False)
        if going:
            self.ready.appendleft(after.only(going))
        if further:
            onward = after.only(further)
            fresh = tuple(_going_on(state) for state in onward.states or ())
            self.ready.appendleft(replace(onward, states=fresh, targets=crew.targets[1:]))

    def _ended(self, job: Job, entry: Entry, target: int) -> None:
        run = job.run.id
        early = entry.ending != "epochs"
        for horizon in job.targets:
            if horizon == target or (early and horizon > target):
                self.reached[run, horizon] = entry.epoch
        if early or target == job.targets[-1]:
            self.tally.finished.add(run)
        if entry.ending == "diverged":
            self.tally.diverged.add(run)
        freed = [job for job in self.waiting if job.parent in self.reached]
        if freed:
            self.waiting = [job for job in self.waiting if job.parent not in self.reached]
            self.ready.extend(self._crews(freed))

    def _remedy(self, remedy: Remedy) -> None:
        """Do what follows from something that went wrong."""
        if remedy.mend:
            self.library.mend()
        self.ready.extendleft(reversed(remedy.again))
        for run, message in remedy.failed.items():
            self._fail(run, message)

    def _fail(self, run: str, message: str) -> None:
        """Mark a run as failed, and those that would start from it."""
        self.tally.failed[run] = message
        self.lab.fail([run], message)
        children = [job for job in self.waiting if job.parent and job.parent[0] == run]
        self.waiting = [job for job in self.waiting if job not in children]
        for child in children:
            self._fail(child.run.id, f"the run {run}, from which it starts, failed")

    def _drop_queued(self) -> None:
        """After a signal: take back what no worker has begun."""
        for future in list(self.flying):
            if future.cancel():
                del self.flying[future]

    def _snapshot(self) -> Snapshot:
        now = time.monotonic()
        left = sum(self.rates.left(job, crew.epoch) for crew in self.ready for job in crew.jobs)
        left += sum(self.rates.left(job, job.start) for job in self.waiting)
        for place, (crew, goal, begun) in enumerate(self.flying.values()):
            left += sum(self.rates.left(job, crew.epoch) for job in crew.jobs)
            if place < self.pool.workers:  # those beyond it wait for a worker
                due = sum(self.rates.seconds(job) for job in crew.jobs) * (goal - crew.epoch)
                left -= min(now - begun, due)
        return self.tally.snapshot(left / self.pool.workers)


def _going_on(state: State) -> State:
    """A finished state as one that goes on to a farther horizon."""
    return replace(state, status="running", status_epoch=None)
