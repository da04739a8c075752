"""What a lab still lacks for a plan: which runs to train, from which epoch, to which ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from gradlab.component import canonical_json
from gradlab.engine.keeping import Keeping
from gradlab.model.initial import After
from gradlab.study.plan import parent_of
from gradlab.study.record import Record, Times

if TYPE_CHECKING:
    from gradlab.store.lab import Lab
    from gradlab.store.rows import RunRow
    from gradlab.study.plan import Plan, Run
    from gradlab.study.spec import Spec

__all__ = ["Job", "covers", "horizons", "missing", "record_text", "together"]


@dataclass(frozen=True)
class Job:
    """One run that has to be trained.

    Attributes:
        run: The run.
        condition: Name of a condition that uses it.
        spec: What determines its weights.
        parameters: Trainable values.
        start: Epoch of the stored state from which it goes on; 0 begins anew.
        targets: The horizons to reach, rising.
        record: What to record on the way.
        parent: The run and epoch whose final state it begins with; `None` if it has none or is under way.
        snapshots: Epochs on the way whose weights are to be kept, rising; no ends among them.
        retraces: Whether the run has reached its targets before and is trained again for the snapshots only.
    """

    run: Run
    condition: str
    spec: Spec
    parameters: int
    start: int
    targets: tuple[int, ...]
    record: Record
    parent: tuple[str, int] | None
    snapshots: tuple[int, ...] = ()
    retraces: bool = False

    @property
    def last(self) -> int:
        """The epoch up to which it is trained."""
        return self.snapshots[-1] if self.retraces else self.targets[-1]


def horizons(plan: Plan) -> dict[str, set[int]]:
    """The horizons that the conditions of a plan ask of each run."""
    asked: dict[str, set[int]] = {}
    for condition in plan.conditions:
        for run in plan.cells[condition.name]:
            asked.setdefault(run, set()).add(condition.epochs)
    return asked


def missing(plan: Plan, lab: Lab, wanted: Collection[tuple[str, int]] = ()) -> list[Job]:
    """What has to be trained; runs that others start from come first.

    A run goes on from its last stored state up to which everything asked for was recorded. Where there is
    none it begins anew, and then records what was recorded before too, so that nothing is lost for others.
    A run that has ended without weights that the plan keeps is trained again up to the last of them.

    Args:
        plan: The plan.
        lab: The lab.
        wanted: Runs and epochs whose weights will be looked at: where a file of them is damaged, they are
            computed again.

    Returns:
        The runs that lack something.
    """
    known = lab.known([run.id for run in plan.runs])
    asked = horizons(plan)
    lacking = [
        run
        for run in plan.runs
        if not all(_reached(known.get(run.id), h, plan.record) for h in asked[run.id])
    ]
    keeping = Keeping(plan, lab, known, wanted)
    unkept = {run.id for run in plan.runs if keeping.lacks(run.id) or keeping.damaged(run.id)}
    read = {run.id for run in lacking} | unkept
    read |= {run.start_from for run in plan.runs if run.id in read and run.start_from}
    sound = lab.sound(
        (row.id, epoch) for row in known.values() if row.id in read for epoch in row.checkpoints
    )
    jobs: dict[str, Job] = {}
    for run in plan.runs:
        if run.id in read:
            job = _job(plan, run, known.get(run.id), sound, sorted(asked[run.id]), keeping=keeping)
            if job is not None:
                jobs[run.id] = job
    return _with_parents(plan, jobs, known, sound, asked, keeping)


def _job(
    plan: Plan,
    run: Run,
    row: RunRow | None,
    sound: set[tuple[str, int]],
    asked: list[int],
    *,
    keeping: Keeping,
    anew: bool = False,
) -> Job | None:
    condition = plan[run.condition]
    anew = anew or keeping.damaged(run.id)
    targets = tuple(horizon for horizon in asked if anew or not _reached(row, horizon, plan.record))
    snapshots = keeping.lacks(run.id)
    retraces = not targets
    if retraces:
        if not snapshots:
            return None
        targets = tuple(horizon for horizon in asked if horizon >= snapshots[-1])[:1]
    before = {} if row is None else row.checkpoints
    starts = [
        epoch
        for epoch, text in before.items()
        if epoch < targets[0]
        and all(epoch <= snapshot for snapshot in snapshots)
        and (run.id, epoch) in sound
        and covers(text, plan.record, epoch)
        and _goes_on(row, epoch)
    ]
    start = 0 if anew else max(starts, default=0)
    record = together(plan.record, frozenset(before.values()), max(asked))
    parent = None
    if run.start_from is not None and start == 0 and isinstance(condition.spec.initial, After):
        parent = (run.start_from, parent_of(condition, plan.conditions).epochs)
    return Job(
        run,
        condition.name,
        condition.spec,
        condition.parameters,
        start,
        targets,
        record,
        parent,
        snapshots,
        retraces,
    )


def _with_parents(
    plan: Plan,
    jobs: dict[str, Job],
    known: Mapping[str, RunRow],
    sound: set[tuple[str, int]],
    asked: Mapping[str, set[int]],
    keeping: Keeping,
) -> list[Job]:
    """Add those finished parents whose final state is not there any more; parents stand before children."""
    for run in reversed(plan.runs):
        job = jobs.get(run.id)
        if job is None or job.parent is None:
            continue
        parent, horizon = job.parent
        if parent in jobs and not jobs[parent].retraces and horizon in jobs[parent].targets:
            continue
        row = known.get(parent)
        end = None if row is None else row.at(horizon)
        if end is None or (parent, end.epoch) not in sound:
            own = next(other for other in plan.runs if other.id == parent)
            again = _job(plan, own, row, sound, sorted(asked[parent]), keeping=keeping, anew=True)
            if again is not None:
                jobs[parent] = again
    return [jobs[run.id] for run in plan.runs if run.id in jobs]


def _reached(row: RunRow | None, horizon: int, record: Record) -> bool:
    end = None if row is None else row.at(horizon)
    return end is not None and covers(end.record, record, end.epoch)


def _goes_on(row: RunRow | None, epoch: int) -> bool:
    """Whether training can go on from a stored state: not from where a rule or divergence ended it."""
    end = None if row is None else row.endings.get(epoch)
    return end is None or end.reason == "epochs"


def record_text(record: Record) -> str:
    """A record as the canonical text that the store keeps."""
    tree = {
        "quantities": sorted(record.quantities),
        "times": record.times.canonical(),
        "thresholds": sorted(record.thresholds),
        "extra": sorted(record.extra),
    }
    return canonical_json(tree)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Record:
    import json

    tree: dict[str, Any] = json.loads(text)
    times = TypeAdapter(Times).validate_python(tree["times"])
    return Record(tuple(tree["quantities"]), times, tuple(tree["thresholds"]), tuple(tree["extra"]))


@lru_cache(maxsize=4096)
def covers(text: str, record: Record, epoch: int) -> bool:
    """Whether what was recorded up to an epoch holds all that a record asks for up to there.

    Args:
        text: What was recorded, as `record_text` wrote it.
        record: What is asked for.
        epoch: How far.

    Returns:
        Whether nothing is lacking.
    """
    had = _parsed(text)
    if not (set(record.quantities) <= set(had.quantities) and set(record.thresholds) <= set(had.thresholds)):
        return False
    if had.times == record.times and set(record.extra) <= set(had.extra):
        return True
    return bool(np.isin(record.points(epoch), had.points(epoch)).all())


@lru_cache(maxsize=4096)
def together(record: Record, texts: frozenset[str], until: int) -> Record:
    """A record that holds what is asked for now and what was recorded before.

    Args:
        record: What is asked for now; its schedule stays.
        texts: What was recorded before, as `record_text` wrote it.
        until: The last epoch of interest.

    Returns:
        The union; epochs of other schedules are named one by one.
    """
    before = [_parsed(text) for text in sorted(texts)]
    if not before:
        return record
    extra = set(record.extra)
    for other in before:
        extra |= set(other.extra)
        if other.times != record.times:
            extra |= set(map(int, other.times.points(until))) - set(map(int, record.times.points(until)))
    quantities = dict.fromkeys(record.quantities)
    for other in before:
        quantities |= dict.fromkeys(other.quantities)
    thresholds = set(record.thresholds).union(*(other.thresholds for other in before))
    return Record(tuple(quantities), record.times, tuple(sorted(thresholds)), tuple(sorted(extra)))
