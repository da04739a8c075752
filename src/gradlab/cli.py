"""The command line: `gradlab run reports/002/sim-sinc`. Data go to stdout, talk goes to stderr.

Exit codes: 0 done (diverged runs are results), 1 internal error, 2 bad study or usage (nothing ran), 3 runs
failed, 4 interrupted and resumable, 5 store problem, 6 environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gradlab import data_commands
from gradlab.errors import EnvironmentProblem, GradlabError, StudyError

__all__ = ["main"]

app = typer.Typer(
    name="gradlab",
    help="A laboratory for how deep networks train: many networks, and a verdict instead of an anecdote.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_commands.app, name="data")


class Budget(StrEnum):
    """How much to train."""

    quick = "quick"
    full = "full"


class Format(StrEnum):
    """What to export to."""

    parquet = "parquet"
    csv = "csv"
    json = "json"


class Split(StrEnum):
    """What to evaluate on."""

    both = "both"
    train = "train"
    test = "test"


class Dtype(StrEnum):
    """In what to compute."""

    float32 = "float32"
    float64 = "float64"


LabOption = Annotated[
    Path, typer.Option("--lab", envvar="GRADLAB_LAB", help="Folder with the store.", show_default=True)
]
BudgetOption = Annotated[Budget, typer.Option("--budget", help="quick uses the study's own overrides.")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override any key of the study.")
]
ReplicatesOption = Annotated[int | None, typer.Option("--replicates", min=1, help="Runs of each condition.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one for each core.")]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="DEVICE", help="cuda, cuda:1: train on a GPU; cpu by default."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON on stdout.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Where to write; a file or a folder.")]
StudiesArgument = Annotated[
    list[str],
    typer.Argument(metavar="STUDY...", help="A catalogue name, folder or glob, or a .toml or .py file."),
]
LAB = Path("lab")


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="A name, folder or glob.")] = "",
    as_json: JsonOption = False,
) -> None:
    """The studies of the catalogue."""
    from gradlab import catalog

    wanted = set(catalog.expand(pattern)) if pattern else None
    found = [entry for entry in catalog.entries() if wanted is None or entry.name in wanted]
    if as_json:
        _print_json([{"name": e.name, "title": e.title, "claims": list(e.claims)} for e in found])
        return
    width = max((len(entry.name) for entry in found), default=0)
    for entry in found:
        print(f"{entry.name:<{width}}  {entry.title}")


@app.command()
def show(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A catalogue name, or a .toml or .py file.")],
    budget: BudgetOption = Budget.full,
    replicates: ReplicatesOption = None,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing changes it
    page: Annotated[
        bool, typer.Option("--page", help="Print the page of the study as it was written.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The resolved plan: conditions, runs, parameter counts, cost, what is assumed. Trains nothing."""
    from gradlab import commands

    if page:
        print(commands.page_of(study), end="")
        return
    plan = commands.studies([study], settings, replicates)[0].plan(budget.value)
    if as_json:
        _print_json(commands.plan_as_data(plan))
    else:
        commands.print_plan(plan)


@app.command()
def run(
    study: StudiesArgument,
    lab: LabOption = LAB,
    budget: BudgetOption = Budget.full,
    replicates: ReplicatesOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = None,
    settings: SetOption = [],  # noqa: B006
    out: OutOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train what is missing, judge the claims and write the page. The same command continues."""
    from gradlab import commands

    found = commands.studies(study, settings, replicates)
    results = commands.run(found, lab, budget.value, workers, quiet or as_json, sys.argv[1:], device)
    commands.present(results, lab, out, as_json)


@app.command()
def report(
    study: StudiesArgument,
    lab: LabOption = LAB,
    budget: BudgetOption = Budget.full,
    replicates: ReplicatesOption = None,
    settings: SetOption = [],  # noqa: B006
    out: OutOption = None,
    figures: Annotated[str, typer.Option("--figures", help="Also write figures: svg,png,pdf.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Judge and show again what the lab already holds; trains nothing."""
    from gradlab import commands

    found = commands.studies(study, settings, replicates)
    results = commands.read(found, lab, budget.value, sys.argv[1:])
    commands.present(results, lab, out, as_json, figures=tuple(filter(None, figures.split(","))))


@app.command()
def runs(
    study: Annotated[
        list[str], typer.Argument(metavar="[STUDY...]", help="Only runs of these studies.")
    ] = [],  # noqa: B006
    lab: LabOption = LAB,
    budget: BudgetOption = Budget.full,
    as_json: JsonOption = False,
) -> None:
    """The runs of a lab: state, epoch, what went wrong."""
    from gradlab import commands

    commands.print_runs(study, lab, budget.value, as_json)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    lab: LabOption = LAB,
    format_: Annotated[Format, typer.Option("--format", help="File format.")] = Format.parquet,
    as_json: JsonOption = False,
) -> None:
    """Write all runs, traces and measurements at full resolution."""
    from gradlab import commands

    written = commands.export(lab, out, format_.value)
    _print_json([str(path) for path in written]) if as_json else print(*written, sep="\n")


@app.command()
def weights(
    run: Annotated[
        str, typer.Argument(help="The run's id, or an unambiguous beginning; see `gradlab runs`.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="A .safetensors, .pt or .pth file.")],
    lab: LabOption = LAB,
    epoch: Annotated[int | None, typer.Option("--epoch", help="A stored epoch; the last by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the weights of one run by name, for PyTorch and others."""
    from gradlab import commands

    written = commands.weights(lab, run, out, epoch)
    _print_json(written) if as_json else print(written["file"])


@app.command()
def evaluate(
    weights: Annotated[Path, typer.Option("--weights", help="A safetensors file or a PyTorch state dict.")],
    model: Annotated[
        str,
        typer.Option("--model", help="'cnn = \"conv 16x3, pool 2\"', 'mlp = [256, 128]', or nets:Net(8)."),
    ],
    data: Annotated[
        str, typer.Option("--data", help="mnist, 'cifar10 = { mean = [...], std = [...] }', ...")
    ],
    loss: Annotated[str | None, typer.Option("--loss", help="The task's own by default.")] = None,
    split: Annotated[Split, typer.Option("--split", help="Training set, test set, or both.")] = Split.both,
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Of the arithmetic.")] = Dtype.float32,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what the task draws.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Loss and accuracy of weights that anybody trained; nothing in the file is run."""
    from gradlab.engine.evaluate import evaluate as evaluated

    found = evaluated(weights, model, data, loss=loss, split=split.value, dtype=dtype.value, seed=seed)
    _print_json(found.to_dict()) if as_json else print(found)


@app.command()
def measure(
    instrument: Annotated[
        str, typer.Argument(help="hessian, eigenvalues, density, trace, sensitivity, interpolation, ...")
    ],
    weights: Annotated[
        list[Path],
        typer.Option("--weights", help="A safetensors file or a PyTorch state dict; several times."),
    ],
    model: Annotated[
        str,
        typer.Option("--model", help="'cnn = \"conv 16x3, pool 2\"', 'mlp = [256, 128]', or nets:Net(8)."),
    ],
    data: Annotated[
        str, typer.Option("--data", help="mnist, 'cifar10 = { mean = [...], std = [...] }', ...")
    ],
    settings: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="A setting, as in examples=1000.")
    ] = [],  # noqa: B006
    loss: Annotated[str | None, typer.Option("--loss", help="The task's own by default.")] = None,
    dtype: Annotated[
        Dtype | None, typer.Option("--dtype", help="Of the arithmetic; chosen by network and instrument.")
    ] = None,
    same_start: Annotated[
        bool | None,
        typer.Option("--same-start/--other-start", help="Whether a pair began at the same initial weights."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what task and instrument draw.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the measurements to a JSON file.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure networks that anybody trained: curvature, sensitivity, sharpness, the line between two of them.

    `gradlab instruments` lists the instruments, `gradlab instruments NAME` the settings of one.
    """
    from gradlab import measure_commands

    found = measure_commands.measure(
        instrument, weights, model, data, settings=settings, loss=loss, dtype=dtype and dtype.value,
        same_start=same_start, seed=seed, out=out, quiet=quiet or as_json,
    )  # fmt: skip
    if as_json:
        _print_json([{"weights": name} | measurement.to_dict() for name, measurement in found])
    else:
        print("\n\n".join(f"{name}\n{measurement}" for name, measurement in found))


@app.command()
def instruments(
    name: Annotated[str, typer.Argument(help="One of them: its settings and values.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What can be measured: the instruments, or one with its settings, values and cost."""
    from gradlab import measure_commands

    found = measure_commands.described(name)
    _print_json(found) if as_json else print(measure_commands.told(found))


@app.command()
def digest(
    study: Annotated[
        list[str], typer.Argument(metavar="[STUDY...]", help="Only runs of these studies.")
    ] = [],  # noqa: B006
    lab: LabOption = LAB,
    budget: BudgetOption = Budget.full,
    as_json: JsonOption = False,
) -> None:
    """One hash of all results, independent of order, place and time."""
    from gradlab import commands

    value = commands.digest(study, lab, budget.value)
    _print_json({"digest": value}) if as_json else print(value)


@app.command()
def bench(
    only: Annotated[
        str, typer.Argument(help="kernel, cnn, mnist, exact, instruments, ...; of speed all if not given.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Measure speed against peers, as ratios, and instruments against exact answers, on this machine."""
    from gradlab import commands

    rows = commands.bench(only)
    _print_json(rows) if as_json else commands.print_bench(rows)


@app.command()
def calibrate(
    studies: Annotated[int, typer.Option("--studies", min=100, help="Simulated studies a cell.")] = 10_000,
    out: OutOption = None,
) -> None:
    """Simulate studies with a known truth: how often verdicts are false, and how often they are found."""
    from gradlab import commands

    commands.calibrate(studies, out)


@app.command()
def doctor(lab: LabOption = LAB, as_json: JsonOption = False) -> None:
    """Check this machine and the lab: versions, cores, caches, disk, store."""
    from gradlab import commands

    checks = commands.doctor(lab)
    if as_json:
        _print_json(checks)
    else:
        for check in checks:
            print(f"{'ok' if check['ok'] else 'PROBLEM':<8} {check['name']}: {check['found']}")
    if not all(check["ok"] for check in checks):
        raise EnvironmentProblem("something is not as it should be; see above")


@app.command()
def schema() -> None:
    """The JSON Schema of a study's TOML page, for editors."""
    from gradlab.study.schema import study_schema

    _print_json(study_schema())


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A laboratory for how deep networks train: many networks, and a verdict instead of an anecdote."""
    if version:
        from gradlab import __version__

        print(__version__)
        raise typer.Exit


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, allow_nan=False, default=str))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(_guarded(lambda: app(arguments, standalone_mode=False), arguments or sys.argv[1:]))


def _guarded(call: Callable[[], object], arguments: list[str]) -> int:
    """The exit code of a call; what went wrong is told on stderr, or as JSON on stdout when asked for."""
    try:
        code = call()
        return code if isinstance(code, int) else 0
    except GradlabError as error:
        if "--json" in arguments:
            problems = [vars(problem) for problem in error.problems] if isinstance(error, StudyError) else []
            told = {"error": type(error).__name__, "message": str(error), "problems": problems}
            _print_json(told | {"results": list(error.results)})
        print(f"gradlab: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("gradlab: interrupted; the same command continues", file=sys.stderr)
        return 4
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(
            error, "format_message"
        ):  # usage errors of the command line
            message = str(error.format_message())  # type: ignore[attr-defined]
            if "--json" in arguments:
                _print_json({"error": "UsageError", "message": message, "problems": [], "results": []})
            print(f"gradlab: {message}", file=sys.stderr)
            return 2
        if os.environ.get("GRADLAB_DEBUG"):
            raise
        print(f"gradlab: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("set GRADLAB_DEBUG=1 for the whole traceback", file=sys.stderr)
        return 1


if __name__ == "__main__":
    main()
