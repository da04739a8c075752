"""The whole way for one study: plan, tune, train and measure what is missing, judge, remember what was looked at."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gradlab.component import digest_of
from gradlab.engine import devices
from gradlab.engine.coordinator import SHELF, run_plan
from gradlab.engine.environment import environment
from gradlab.engine.measuring import measure_plan
from gradlab.engine.progress import progress_for
from gradlab.engine.result import Result
from gradlab.engine.shelf import Shelf
from gradlab.engine.subjects import wanted
from gradlab.engine.tune import tune
from gradlab.judge import judge
from gradlab.store.lab import Lab

if TYPE_CHECKING:
    from gradlab.judge import Verdict
    from gradlab.study import Plan, Study
    from gradlab.study.claims import Claim

__all__ = ["read_study", "run_study"]

Budget = Literal["quick", "full"]


def run_study(
    study: Study,
    lab: str | Path,
    *,
    budget: Budget = "full",
    workers: int | None = None,
    device: str | None = None,
    quiet: bool = False,
    command: str | None = None,
) -> Result:
    """Train and measure what a lab lacks for a study, judge its claims and remember that they were looked at.

    Args:
        study: The declaration.
        lab: The lab folder; made if it is not there.
        budget: "full", or "quick" with the study's overrides.
        workers: Worker processes; one for each core if not given.
        device: "cuda" or "cuda:1" to train on a GPU.
        quiet: Say nothing while training.
        command: How to run this again, for the page.

    Returns:
        The result with its verdicts.

    Raises:
        StoreError: The lab is owned by another process or damaged.
        RunsFailed: Some runs or measurements failed; the others are stored.
        Interrupted: A signal came; the same call continues.
        EnvironmentProblem: Memory, disk or the GPU that was asked for are not there.
    """
    begun = time.monotonic()
    folder, device = Path(lab), devices.found(device)  # before the lab is made
    facts = environment(Path(study.source).parent if study.source and Path(study.source).is_file() else None)
    command = command or _command(study, budget)
    own = study.budgeted(budget)
    with Lab.open(folder, write=True) as store:
        progress = progress_for(quiet=quiet)

        def train(plan: Plan) -> Result:
            looked_at = wanted(plan, store)
            run_plan(plan, store, workers=workers, device=device, progress=progress, wanted=looked_at)
            measure_plan(plan, store, workers=workers, progress=progress)
            return Result(plan, folder, environment=facts, command=command)

        tuned = tune(own, train)
        plan = study.plan(budget, tuned.chosen)
        result = train(plan)
        result.notes = tuned.notes
        result = result.judged(_verdicts(result, store))
        for claim, verdict in zip(plan.study.claims, result.verdicts, strict=True):
            if verdict.alpha is not None and verdict.replicates:
                store.add_look(_key(plan, claim), verdict.replicates, verdict.alpha, verdict.to_dict())
        Shelf(folder / SHELF).sweep(all_of_them=True)  # nothing is left to train on them
    result.elapsed = time.monotonic() - begun
    return result


def read_study(
    study: Study, lab: str | Path, *, budget: Budget = "full", command: str | None = None
) -> Result:
    """The result of a study as far as a lab holds it; trains nothing and stores nothing.

    Args:
        study: The declaration.
        lab: The lab folder.
        budget: "full" or "quick".
        command: How to run this again, for the page.

    Returns:
        The result with its verdicts.

    Raises:
        StoreError: There is no lab there, or it is damaged.
    """
    folder = Path(lab)
    command = command or _command(study, budget)
    with Lab.open(folder) as store:

        def read(plan: Plan) -> Result:
            return Result(plan, folder, environment=environment(), command=command)

        tuned = tune(study.budgeted(budget), read)
        result = read(study.plan(budget, tuned.chosen))
        result.notes = tuned.notes
        return result.judged(_verdicts(result, store))


def _verdicts(result: Result, store: Lab) -> list[Verdict]:
    plan = result.plan
    looks = {claim.key: [look.n for look in store.looks(_key(plan, claim))] for claim in plan.study.claims}
    return judge(plan.study.claims, result, looks=looks, budget=plan.budget)


def _key(plan: Plan, claim: Claim) -> str:
    """What a claim is known by when it is looked at again: its test and everything but the number of replicates."""
    cells = [[c.name, c.spec.canonical(), c.epochs] for c in plan.conditions]
    kinds = sorted({kind for quantity in claim.quantities() for kind in quantity.instruments()})
    measured = [[kind, plan.study.measure[kind].canonical()] for kind in kinds]
    return digest_of([str(claim), cells, measured] if measured else [str(claim), cells])


def _command(study: Study, budget: Budget) -> str:
    words = ["gradlab", "run", study.source or "STUDY"]
    return shlex.join(words + (["--budget", "quick"] if budget == "quick" else []))
