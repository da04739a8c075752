"""The coordinator: hands fleets to workers slice by slice, and alone writes what comes back.

Each slice is stored in one transaction before the fleet's next one is handed out. That is the checkpoint, the
progress and the resume: whatever ends the process, the same command goes on from the last stored slice.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradlab.component import canonical_json, digest_of
from gradlab.engine.environment import cores, environment
from gradlab.engine.fleets import Crew, Library, Rates, crews, until
from gradlab.engine.missing import Job, horizons, missing, record_text
from gradlab.engine.pool import Pool
from gradlab.engine.progress import Progress, Snapshot
from gradlab.engine.signals import Stop
from gradlab.engine.slices import entries
from gradlab.engine.worker import load, single_threaded, work
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

    Result = tuple[States, Traces, float]

__all__ = ["Outcome", "run_plan"]

DEATHS = 3
"""A run whose worker dies this often while it is computed alone has failed."""

GRACE_SECONDS = 15.0
"""How long, after a signal, slices that are being computed are waited for."""

TELL_SECONDS = 0.2

BRIEF_SECONDS = 6.0
"""Work that takes less than this in one process is not worth starting workers for."""


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
    advance: Advance | None = None,
    backend: Callable[[Spec], Backend] | None = None,
    build: Callable[[Spec, Mapping[str, int]], Data] | None = None,
) -> Outcome:
    """Train what a lab lacks for a plan.

    Args:
        plan: The plan.
        lab: A lab, open for writing.
        workers: Worker processes; 1 computes in this process. By default one for each core, or this process
            where the work is brief.
        progress: Where progress is told; nowhere if not given.
        executor: An executor to use in place of our own processes.
        advance: What trains; `gradlab.train.advance.advance` if not given.
        backend: Picks what trains a specification; `gradlab.train.advance.pick_backend` if not given.
        build: Makes data; `gradlab.task.data.build_data` if not given.

    Returns:
        What was done.

    Raises:
        RunsFailed: Some runs failed; all others are stored.
        Interrupted: A signal came; everything computed by then is stored.
        StoreError: Something could not be stored; what was stored before stays.
    """
    coordinator = Coordinator(plan, lab, progress or Progress(), advance, backend or _pick, build or _build)
    return coordinator.run(workers, executor)


class Coordinator:
    """One execution of a plan; see `run_plan`."""

    def __init__(
        self,
        plan: Plan,
        lab: Lab,
        progress: Progress,
        advance: Advance | None,
        backend: Callable[[Spec], Backend],
        build: Callable[[Spec, Mapping[str, int]], Data],
    ) -> None:
        self.plan = plan
        self.lab = lab
        self.progress = progress
        self.advance = advance
        self.library = Library(build, backend)
        self.rates = Rates(self.library)
        self.reached: dict[tuple[str, int], int] = {}
        self.waiting: list[Job] = []
        self.ready: deque[Crew] = deque()
        self.flying: dict[Future[Result], tuple[Crew, int]] = {}
        self.begun: set[str] = set()
        self.finished: set[str] = set()
        self.diverged: set[str] = set()
        self.failed: dict[str, str] = {}
        self.deaths: dict[str, int] = {}
        self.epochs = 0

    def run(self, workers: int | None, executor: Executor | None) -> Outcome:
        """Do it all."""
        begun = time.monotonic()
        self._ask()
        jobs = missing(self.plan, self.lab)
        self.jobs = {job.run.id: job for job in jobs}
        workers = workers or self._suitable_workers(jobs)
        fused = self._fused(jobs)
        self.pool = Pool(workers, executor, fused)
        self.progress.start(len(self.plan.runs), len(self.plan.runs) - len(jobs), self._conditions(jobs))
        try:
            with ExitStack() as stack:
                stop = stack.enter_context(Stop(self.progress.say))
                stack.callback(self.progress.finish)
                stack.callback(self.pool.stop)
                if self.pool.inline:
                    stack.enter_context(single_threaded())
                if jobs:
                    self.place = self.lab.add_environment(environment(self._folder()))
                    load(fused)  # once, here: workers find it in the cache
                    self._prepare(jobs)
                    self._loop(stop)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped at once; what was stored before stays, and the same command goes on"
            ) from None
        if stop.asked:
            left = len(jobs) - len(self.finished) - len(self.failed)
            raise Interrupted(
                f"stopped by {stop.asked}: {len(self.plan.runs) - left} of {len(self.plan.runs)} runs are stored; "
                f"the other {left} go on where they stand when the same command is run again"
            )
        if self.failed:
            raise RunsFailed(self._failures())
        return Outcome(
            runs=len(self.plan.runs),
            computed=len(jobs),
            reused=len(self.plan.runs) - len(jobs),
            diverged=len(self.diverged),
            failed=self.failed,
            network_epochs=self.epochs,
            seconds=time.monotonic() - begun,
            workers=workers,
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

    def _conditions(self, jobs: Sequence[Job]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for job in jobs:
            counts[job.condition] = counts.get(job.condition, 0) + 1
        return counts

    def _left(self, job: Job, epoch: int) -> float:
        """Seconds of one core until a run is through."""
        return self.rates.seconds(job) * (job.targets[-1] - epoch)

    def _suitable_workers(self, jobs: Sequence[Job]) -> int:
        total = sum(self._left(job, job.start) for job in jobs)
        return 1 if total < BRIEF_SECONDS else max(1, min(cores(), len(jobs)))

    def _fused(self, jobs: Sequence[Job]) -> tuple[str, ...]:
        """Types for which the fused kernel is needed."""
        if self.advance is not None:
            return ()
        return tuple(sorted({job.spec.dtype for job in jobs if self.library.backend(job) == "kernel"}))

    def _prepare(self, jobs: Sequence[Job]) -> None:
        """Everything that waits for nothing becomes fleets; the rest waits for its parents."""
        row = self.lab.known({job.parent[0] for job in jobs if job.parent})
        asked = horizons(self.plan)
        for run in row.values():
            for horizon in asked.get(run.id, ()):
                end = run.at(horizon)
                again = self.jobs.get(run.id)
                if end is not None and not (again and horizon in again.targets):
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
            left = self.begun - self.finished - set(self.failed)
            with suppress(StoreError):  # where storing is what failed, that error is the one to tell
                self.lab.interrupt(sorted(left))

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
            self._submit(self.ready.popleft())

    def _submit(self, crew: Crew) -> None:
        new = [job for job in crew.jobs if job.run.id not in self.begun]
        if new:
            crew = self._with_states(crew)
            self.lab.begin({job.run.id: crew.epoch for job in new}, crew.backend, self.place)
            self.begun.update(job.run.id for job in new)
        goal = until(crew, self.rates)
        future = self.pool.submit(work, self.advance, crew.fleet(self.library), crew.states, goal)
        self.flying[future] = (crew, goal)

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
            crew, goal = self.flying.pop(future)
            if future.cancelled():
                continue
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                dead.append(crew)
            elif error is not None:
                self._raised(crew, error)
            else:
                self._store(crew, goal, *future.result())
        if dead:
            self._died(dead)

    def _store(self, crew: Crew, goal: int, states: States, traces: Traces, seconds: float) -> None:
        stored = entries(crew, states, traces)
        self.lab.store_slice(stored, record_text(crew.jobs[0].record), seconds)
        self.rates.learn(crew, goal - crew.epoch, seconds)
        self.epochs += sum(entry.epoch - crew.epoch for entry in stored)
        for entry, job in zip(stored, crew.jobs, strict=True):
            if entry.ending is not None:
                self._ended(job, entry, crew.targets[0])
        going = [i for i, entry in enumerate(stored) if entry.ending is None]
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
            self.finished.add(run)
        if entry.ending == "diverged":
            self.diverged.add(run)
        freed = [job for job in self.waiting if job.parent in self.reached]
        if freed:
            self.waiting = [job for job in self.waiting if job.parent not in self.reached]
            self.ready.extend(self._crews(freed))

    def _raised(self, crew: Crew, error: BaseException) -> None:
        """An error of one member fails that member alone: the members are tried one by one."""
        if len(crew.jobs) > 1:
            self.ready.extendleft(crew.only([member]) for member in range(len(crew.jobs)))
        else:
            self._fail(crew.ids[0], "".join(traceback.format_exception(error)))

    def _died(self, dead: list[Crew]) -> None:
        """Workers died: whatever was being computed is tried again, each run alone."""
        suspects = dead + [crew for crew, _ in self.flying.values()]
        self.flying.clear()
        self.pool.rebuild()
        if len(suspects) == 1 and len(suspects[0].jobs) == 1 and suspects[0].careful:
            run = suspects[0].ids[0]
            self.deaths[run] = self.deaths.get(run, 0) + 1
            if self.deaths[run] >= DEATHS:
                self._fail(run, f"its worker process died {DEATHS} times while it was computed alone")
                return
        self.progress.say("a worker process died; what it computed is tried again, one run at a time")
        for crew in suspects:
            self.ready.extendleft(crew.only([member], careful=True) for member in range(len(crew.jobs)))

    def _fail(self, run: str, message: str) -> None:
        """Mark a run as failed, and those that would start from it."""
        self.failed[run] = message
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
        left = sum(self._left(job, crew.epoch) for crew in self.ready for job in crew.jobs)
        left += sum(self._left(job, crew.epoch) for crew, _ in self.flying.values() for job in crew.jobs)
        left += sum(self._left(job, job.start) for job in self.waiting)
        ended: dict[str, int] = {}
        for run in (*self.finished, *self.failed):
            condition = self.jobs[run].condition
            ended[condition] = ended.get(condition, 0) + 1
        return Snapshot(ended, self.epochs, left / self.pool.workers, len(self.diverged), len(self.failed))

    def _failures(self) -> str:
        lines = [f"{len(self.failed)} of {len(self.plan.runs)} runs failed; the others are stored:"]
        for run, message in list(self.failed.items())[:5]:
            lines.append(f"  {run} ({self.jobs[run].condition}): {message.strip().splitlines()[-1]}")
        if len(self.failed) > 5:
            lines.append(f"  and {len(self.failed) - 5} more")
        lines.append("gradlab runs --json has the full errors; the same command tries these runs again")
        return "\n".join(lines)


def _going_on(state: State) -> State:
    """A finished state as one that goes on to a farther horizon."""
    return replace(state, status="running", status_epoch=None)


def _pick(spec: Spec) -> Backend:
    from gradlab.train.advance import pick_backend

    return pick_backend(spec)


def _build(spec: Spec, seeds: Mapping[str, int]) -> Any:
    from gradlab.task.data import build_data

    return build_data(spec.task, seeds, spec.validation)
