"""What each command of the command line does, as functions that a notebook can call too."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gradlab import catalog
from gradlab.component import to_tree
from gradlab.errors import GradlabError, Problem, RunsFailed, StudyError

if TYPE_CHECKING:
    from gradlab.engine.result import Result
    from gradlab.study import Condition, Plan, Study
    from gradlab.study.claims import Claim

Budget = Literal["quick", "full"]
FORMATS = ("svg", "png", "pdf")

_SPEED = ("kernel", "mnist", "cnn", "workers", "bookkeeping")
_OF_INSTRUMENTS = {
    "exact": "exact",
    "instruments": "instruments",
    "peers": "peers",
    "eigenvalues": "top_eigenvalues",
    "landscapes": "landscapes",
}
"""Benchmarks of instruments, and their modules: each has `measure` and `table`."""

__all__ = [
    "bench",
    "calibrate",
    "digest",
    "doctor",
    "export",
    "page_of",
    "plan_as_data",
    "present",
    "print_bench",
    "print_plan",
    "print_runs",
    "read",
    "run",
    "studies",
    "weights",
]


def studies(names: Sequence[str], settings: Sequence[str] = (), replicates: int | None = None) -> list[Study]:
    """The studies that names stand for: catalogue names, folders and globs, or files; with overrides.

    Raises:
        StudyError: A name stands for nothing, or a study is not valid; all problems at once.
    """
    from gradlab.study.toml import load, parse_settings

    overrides = parse_settings(settings)
    if replicates is not None:
        overrides["replicates"] = replicates
    found: list[Study] = []
    problems: list[Problem] = []
    for name in names:
        try:
            if _is_file(name):
                found.append(_changed(load(name), overrides))
            else:
                found += [_changed(catalog.load(each), overrides) for each in catalog.expand(name)]
        except StudyError as error:
            problems += error.problems
    if problems:
        raise StudyError(problems)
    return found


def page_of(name: str) -> str:
    """The text of a study as it was written.

    Raises:
        StudyError: There is no such study.
    """
    if _is_file(name):
        path = Path(name)
        if not path.is_file():
            raise StudyError([Problem("", name, "there is no such file")])
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError([Problem("", name, f"cannot be read: {error}")]) from None
    return catalog.page(name)


def plan_as_data(plan: Plan) -> dict[str, Any]:
    """A plan as JSON-ready data."""
    from gradlab.study.cost import cost
    from gradlab.train.learner import pick_backend

    estimate = cost(plan, backend=pick_backend)
    return {
        "title": plan.study.title,
        "source": plan.study.source,
        "budget": plan.budget,
        "conditions": [
            {
                "name": condition.name,
                "setting": condition.setting,
                "levels": dict(condition.levels),
                "parameters": condition.parameters,
                "epochs": condition.epochs,
                "spec": to_tree(condition.spec),
                "runs": list(plan.cells[condition.name]),
            }
            for condition in plan.conditions
        ],
        "runs": len(plan.runs),
        "replicates": plan.study.replicates,
        "record": list(plan.record.quantities),
        "assumed": {
            path: {"levels": to_tree(a.levels), "why": a.why} for path, a in plan.study.assumed.items()
        },
        "claims": [{"id": claim.id, "says": claim.words, "test": str(claim)} for claim in plan.study.claims],
        "estimate": {
            "updates": estimate.updates,
            "operations": estimate.operations,
            "seconds": estimate.seconds,
        },
    }


def print_plan(plan: Plan) -> None:
    """A plan for a person."""
    from rich.console import Console
    from rich.table import Table

    from gradlab.report.numbers import count, duration
    from gradlab.study.cost import cost
    from gradlab.train.learner import pick_backend

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    study = plan.study
    console.print(f"[bold]{study.title}[/bold]")
    if study.notes:
        console.print(" ".join(study.notes.split()), style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head, side in (
        ("condition", "left"),
        ("model", "left"),
        ("parameters", "right"),
        ("epochs", "right"),
    ):
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    table.add_column("recipe", justify="left")
    for condition in plan.at(plan.settings[0]):
        table.add_row(
            condition.label,
            condition.spec.model.label(),
            count(condition.parameters),
            count(condition.epochs),
            _recipe(condition),
        )
    console.print(table)
    estimate = cost(plan, backend=pick_backend)
    console.print(
        f"{count(len(plan.runs))} runs: {len(plan.conditions)} conditions x {study.replicates} replicates, "
        f"{plan.budget} budget; about {duration(estimate.seconds)} on {estimate.workers} processes "
        f"({count(estimate.updates)} updates)"
    )
    for path, assumed in study.assumed.items():
        levels = ", ".join(f"{name}: {to_tree(value)}" for name, value in assumed.levels.items())
        console.print(f"assumed  {path}: also {levels}  [dim]{assumed.why}[/dim]")
    for claim in study.claims:
        console.print(f"claim    {claim.id or '-'}  {claim.words}\n         [dim]{claim}[/dim]")
    for quirk in study.quirks:
        console.print(f"quirk    {quirk}")


def run(
    found: Sequence[Study],
    lab: Path,
    budget: Budget,
    workers: int | None,
    quiet: bool,
    arguments: Sequence[str],
    device: str | None = None,
) -> Iterator[Result]:
    """Train what the lab lacks for each study, and judge.

    Yields:
        The result of each study as soon as it is there.

    Raises:
        RunsFailed: Some runs failed; the other studies were still run.
    """
    from gradlab.engine.study import run_study

    command = shlex.join(["gradlab", *arguments])
    failures: list[str] = []
    for number, study in enumerate(found, 1):
        if not quiet:
            place = f"[{number}/{len(found)}] " if len(found) > 1 else ""
            print(f"{place}{study.source or study.title}", file=sys.stderr, flush=True)
        try:
            yield run_study(
                study, lab, budget=budget, workers=workers, device=device, quiet=quiet, command=command
            )
        except RunsFailed as error:
            failures.append(f"{study.source or study.title}: {error}")
    if failures:
        raise RunsFailed("\n".join(failures))


def read(found: Sequence[Study], lab: Path, budget: Budget, arguments: Sequence[str]) -> Iterator[Result]:
    """The results that a lab already holds; trains nothing and writes nothing to the store."""
    from gradlab.engine.study import read_study

    command = shlex.join(["gradlab", "run", *arguments[1:]])
    return (read_study(study, lab, budget=budget, command=command) for study in found)


def present(
    results: Iterator[Result], lab: Path, out: Path | None, as_json: bool, figures: Sequence[str] = ()
) -> None:
    """Write each page and show its verdicts as soon as a result is there; several get an overview at the end."""
    from gradlab.report.files import save_figures
    from gradlab.report.index import page_name, save_index
    from gradlab.report.numbers import duration
    from gradlab.report.page import save
    from gradlab.report.terminal import print_result

    wrong = [form for form in figures if form not in FORMATS]
    if wrong:
        raise StudyError([Problem("--figures", wrong[0], "is not a format", ", ".join(FORMATS))])
    begun = time.monotonic()
    one_file = out is not None and out.suffix == ".html"
    folder = out if out is not None and not one_file else lab / "pages"
    seen: list[Result] = []
    pages: list[Path] = []
    try:
        for result in results:
            target = out if one_file and out is not None and not seen else folder / page_name(result)
            page = save(result, target)
            seen.append(result)
            pages.append(page)
            if figures:
                save_figures(result, page.parent / f"{page.stem}-figures", figures)  # type: ignore[arg-type]
            if not as_json:
                print_result(result, page=page)
    except GradlabError as error:
        error.results = tuple(_data(seen, pages))
        raise
    finally:
        index: Path | None = None
        if len(seen) > 1:
            index = save_index(adjusted(seen), folder, elapsed=time.monotonic() - begun)
        if as_json:
            if sys.exc_info()[0] is None:  # otherwise the error tells them
                print(json.dumps(_data(seen, pages), indent=2, allow_nan=False))
        elif seen:
            if index is not None:
                print(f"all verdicts on one page: {index}")
            print(f"finished in {duration(time.monotonic() - begun)}", file=sys.stderr)


def _data(results: Sequence[Result], pages: Sequence[Path]) -> list[dict[str, Any]]:
    return [result.to_dict() | {"page": str(page)} for result, page in zip(results, pages, strict=True)]


def adjusted(results: Sequence[Result]) -> list[Result]:
    """The results with Holm's correction over all claims of each report that they belong to.

    The family is every claim of the report in the catalogue, counted once where several studies show it; those
    that were not run count as p = 1.
    """
    from gradlab.judge import adjust
    from gradlab.judge.verdict import PENDING, Verdict

    found = list(results)
    for report in sorted({result.study.report for result in results} - {None}, key=str):
        family: dict[str, Verdict] = {}
        places = [place for place, result in enumerate(results) if result.study.report == report]
        for place in places:
            for verdict in results[place].verdicts:
                family.setdefault(_identity(results[place].study, verdict.claim), verdict)
        for name in catalog.names():
            if name.startswith(f"reports/{report}/"):
                study = catalog.load(name)
                for claim in study.claims:
                    family.setdefault(_identity(study, claim), Verdict(claim, PENDING))
        corrected = dict(zip(family, adjust(list(family.values())), strict=True))
        for place in places:
            study = results[place].study
            found[place] = results[place].judged([corrected[_identity(study, c)] for c in study.claims])
    return found


def _identity(study: Study, claim: Claim) -> str:
    """What makes a claim one of its report: its number and test; without a number it is its study's own."""
    return f"{claim.id or study.source}: {claim}"


def print_runs(names: Sequence[str], lab: Path, budget: Budget, as_json: bool) -> None:
    """The runs of a lab, or of some studies in it."""
    from gradlab.store.lab import Lab

    with Lab.open(lab) as store:
        rows = store.describe(_ids(names, lab, budget))
    if as_json:
        print(json.dumps(rows, indent=2, allow_nan=False, default=str))
        return
    for row in rows:
        print("  ".join(str(row.get(key, "")) for key in ("id", "state", "epoch", "reason", "backend")))


def export(lab: Path, out: Path, form: str) -> list[Path]:
    """Write all runs, traces and measurements of a lab at full resolution."""
    from gradlab.store.export import export as write
    from gradlab.store.lab import Lab

    with Lab.open(lab) as store:
        return write(store, out, form)


def weights(lab: Path, run: str, out: Path, epoch: int | None = None) -> dict[str, Any]:
    """Write the weights of one run by name."""
    from gradlab.engine.weights import save_weights
    from gradlab.store.lab import Lab

    with Lab.open(lab) as store:
        return save_weights(store, run, out, epoch)


def digest(names: Sequence[str], lab: Path, budget: Budget) -> str:
    """One hash of all results of a lab, or of some studies in it."""
    from gradlab.store.lab import Lab

    with Lab.open(lab) as store:
        return store.digest(_ids(names, lab, budget))


def bench(only: str) -> list[dict[str, Any]]:
    """Speed against peers, and instruments against exact answers and peers, measured now.

    Args:
        only: One benchmark; all that are about the speed of training if it is empty.

    Raises:
        StudyError: There is no such benchmark.
    """
    from importlib import import_module

    every = {**{name: name for name in _SPEED}, **_OF_INSTRUMENTS}
    if only and only not in every:
        raise StudyError([Problem("bench", only, "is not a benchmark", ", ".join(every))])
    names = [only] if only else _SPEED
    found: list[dict[str, Any]] = []
    for name in names:
        rows = import_module(f"gradlab.bench.{every[name]}").measure()
        found += [{"bench": name} | row for row in rows] if name in _OF_INSTRUMENTS else rows
    return found


def print_bench(rows: Sequence[Mapping[str, Any]]) -> None:
    """Benchmark rows for a person; ratios are those of the shortest times."""
    from importlib import import_module

    for name, module in _OF_INSTRUMENTS.items():
        own = [dict(row) for row in rows if row.get("bench") == name]
        if own:
            print(import_module(f"gradlab.bench.{module}").table(own))
    _print_speed([row for row in rows if "bench" not in row])


def _print_speed(rows: Sequence[Mapping[str, Any]]) -> None:
    from gradlab.bench import workers
    from gradlab.bench.kernel import table

    timed = [dict(row) for row in rows if "microseconds" in row]
    if timed:
        print(table(timed))
    for row in rows:
        if "speedup" in row:
            print(workers.line(row))
        elif "microseconds" not in row:
            best, median = row["runs_per_second"], row["runs_per_second_median"]
            aim = f", target {row['target']:,}" if row.get("target") else ""
            print(f"{row['name']}: {best:,.0f} runs a second (median {median:,.0f}){aim}, n = {row['n']}")


def calibrate(count: int, out: Path | None) -> None:
    """Simulate studies with a known truth and write the table of false verdicts and power."""
    from gradlab.judge.calibration.__main__ import main

    main(["--studies", str(count), *(["--out", str(out)] if out else [])])


def doctor(lab: Path) -> list[dict[str, Any]]:
    """What could keep gradlab from working here."""
    from gradlab.engine.doctor import examine

    return examine(lab)


def _ids(names: Sequence[str], lab: Path, budget: Budget) -> list[str] | None:
    """The runs of some studies as the lab holds them, with what tuning chose there; `None` for all runs."""
    from gradlab.engine.study import read_study

    if not names:
        return None
    plans = [
        read_study(study, lab, budget=budget).plan if study.tune else study.plan(budget)
        for study in studies(names)
    ]
    return list(dict.fromkeys(run.id for plan in plans for run in plan.runs))


def _is_file(name: str) -> bool:
    return name.endswith((".py", ".toml")) or Path(name).is_file()


def _changed(study: Study, overrides: Mapping[str, Any]) -> Study:
    """A study with overrides, which also win over its quick budget's own."""
    if not overrides:
        return study
    quick = {key: value for key, value in study.quick.items() if key not in overrides}
    return study.with_settings({"quick": quick, **overrides}).changed_from(study)


def _recipe(condition: Condition) -> str:
    spec = condition.spec
    optimizer = " ".join(
        f"{key}={value}" for key, value in spec.optimizer.canonical().items() if key != "kind"
    )
    batch = "full batch" if spec.batch_size == "full" else f"batch {spec.batch_size}"
    return f"{spec.optimizer.kind} {optimizer}, {batch}"
