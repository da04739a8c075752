"""Whether a declaration makes sense as a whole: what validation of single fields cannot see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from gradlab.component import Component, Vary, kind_of, level_name, walk
from gradlab.errors import Problem, StudyError, nearest
from gradlab.model import INITIALS, MODELS
from gradlab.model.cnn import CNN
from gradlab.model.fit import shape_problem
from gradlab.model.initial import TorchStream
from gradlab.model.layers import Norm, Softmax
from gradlab.model.mlp import MLP
from gradlab.model.module import Module
from gradlab.study.claims import Claim, Scope
from gradlab.study.factors import CONDITION, SETTINGS, combinations, factors, settings
from gradlab.study.grammar import GrammarError
from gradlab.study.kinds.base import check_quantity
from gradlab.study.known import OF_MINIBATCHES
from gradlab.study.plan import spec_of
from gradlab.study.problems import problems_of
from gradlab.study.quantity import Quantity, parse_quantity
from gradlab.study.recipe import OPTIMIZERS, SCHEDULES, STOPS
from gradlab.study.record import Every
from gradlab.study.select import Conditions, select
from gradlab.study.spec import Spec
from gradlab.study.subjects import check_groups, groupings, unit_problem
from gradlab.task import TASKS

if TYPE_CHECKING:
    from gradlab.study.study import Study

__all__ = ["KINDS", "check", "check_raw"]

KINDS = frozenset(kind_of(cls) for cls in (*TASKS, *MODELS, *INITIALS, *OPTIMIZERS, *SCHEDULES, *STOPS))
"""The kinds by which a component can be written in short form."""


def check(study: Study) -> list[Problem]:
    """Everything that is wrong with a study whose fields are each valid.

    Args:
        study: The declaration.

    Returns:
        All problems at once; none if the study can be run.
    """
    problems = _nested_factors(study)
    try:
        found = combinations(study)
    except StudyError as error:
        return [*problems, *error.problems]
    specs: dict[str, Spec] = {}
    levels: dict[str, Mapping[str, str]] = {}
    repeated = {item.label for item in found if [other.label for other in found].count(item.label) > 1}
    problems += [Problem("conditions", label, "two conditions have this name") for label in sorted(repeated)]
    for combination in found:
        levels[combination.label] = combination.levels
        try:
            specs[combination.label] = spec_of(combination.fields)
        except ValidationError as error:
            problems += problems_of(error, Spec)
    for name, spec in specs.items():
        problems += _spec(name if len(specs) > 1 else "", spec)
    groups, wrong = _groups(study, levels)
    problems += wrong
    horizons = {item.label: int(item.fields["epochs"]) for item in found}
    problems += _instruments(study, specs, horizons)
    problems += _claims(study, levels, specs, groups, horizons)
    problems += _overrides(study)
    if not problems:
        try:
            plan = study.plan()
            problems += [p for each in study.measure.values() for p in check_groups(each, plan)]
        except StudyError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))


def check_raw(fields: Mapping[str, Any]) -> list[Problem]:
    """Problems of the claims in a declaration whose other fields are not all valid, so that all are told at once."""
    names: dict[str, dict[str, str]] = {}
    for path in SETTINGS:
        value = fields.get(path)
        if isinstance(value, Vary):
            names |= {level: {path: level} for level, _ in value.levels}
        elif isinstance(value, Mapping) and path in {"task", "model", "optimizer"}:
            table = cast("Mapping[str, Any]", value)
            inner = table.get("vary", table)
            if isinstance(inner, Mapping) and not set(cast("Mapping[str, Any]", inner)) & (KINDS | {"kind"}):
                names |= {str(level): {path: str(level)} for level in cast("Mapping[str, Any]", inner)}
    given = fields.get("claims", ())
    if not names or not isinstance(given, list | tuple):
        return []
    found: list[Problem] = []
    for index, item in enumerate(cast("Sequence[Any]", given)):
        try:
            claim = item if isinstance(item, Claim) else Claim.model_validate(item)
        except ValidationError:
            continue  # told already
        found += claim.check(Scope(names), f"claims.{index}")
    return found


def _nested_factors(study: Study) -> list[Problem]:
    problems: list[Problem] = []
    for name in SETTINGS:
        for path, vary in walk(getattr(study, name), name):
            problems += [
                Problem(
                    f"{path}.{level}",
                    "",
                    "a level of a factor cannot vary itself",
                    "another factor, or zipped",
                )
                for level, value in vary.levels
                if isinstance(value, Component) and any(walk(value))
            ]
    return problems


def _spec(name: str, spec: Spec) -> list[Problem]:
    """What cannot go together in one condition; `name` is empty where the study has only one."""
    where = f" (condition {name!r})" if name else ""
    task, problems = spec.task, list[Problem]()

    def wrong(path: str, value: object, message: str, allowed: str = "") -> None:
        problems.append(Problem(path, str(value), message + where, allowed))

    if spec.loss not in task.losses:
        wrong("loss", spec.loss, "does not fit the task's targets", ", ".join(task.losses))
    if spec.keep == "best" and spec.validation == 0:
        wrong("keep", "best", "needs validation data", "validation = a share such as 0.1")
    if spec.keep == "test-best" and not task.has_test:
        wrong("keep", "test-best", "needs held-out data of the task")
    if isinstance(spec.initial, TorchStream) and not isinstance(spec.model, MLP | CNN):
        wrong("initial", "torch_stream", f"is for an mlp or cnn, not a {spec.model.kind}", "default")
    if isinstance(spec.initial, TorchStream) and spec.dtype != "float32":
        wrong("initial", "torch_stream", "draws float32 values", 'dtype = "float32"')
    if spec.precision == "bfloat16" and spec.dtype != "float32":
        wrong("precision", spec.precision, "keeps weights in float32", 'dtype = "float32"')
    if spec.objective == "sum_of_outputs" and spec.loss != "mse":
        wrong("objective", spec.objective, "is for regression")
    size = task.size
    if isinstance(spec.batch_size, int) and spec.batch_size > size:
        wrong(
            "batch_size",
            spec.batch_size,
            f"is more than the {size} examples of the task",
            f'1 to {size}, or "full"',
        )
    if spec.validation > 0 and _held_out(spec) >= size:
        wrong("validation", spec.validation, f"leaves none of the {size} examples for training")
    misfit = ""
    if isinstance(spec.model, Module):
        misfit = shape_problem(spec.model, task.shape, task.outputs)
    elif isinstance(spec.model, CNN):
        misfit = _cnn_problem(spec.model, spec)
    if misfit:
        wrong("model", spec.model.label(), misfit)
    return problems


def _held_out(spec: Spec) -> int:
    """Examples that are held out for validation."""
    return max(1, round(spec.task.size * spec.validation)) if spec.validation > 0 else 0


def _cnn_problem(model: CNN, spec: Spec) -> str:
    """What is wrong with a network for the task, its loss and the size of its batches; empty if nothing is."""
    try:
        layers = model.resolved(spec.task.shape, spec.task.outputs)
    except ValueError as error:
        return str(error)
    if isinstance(layers[-1], Softmax) and spec.loss != "cross_entropy":
        return f"gives shares by softmax, which the loss {spec.loss} does not take"
    single = [
        layer.name for layer in layers if isinstance(layer, Norm) and not any(n > 1 for n in layer.inputs[1:])
    ]
    examples = spec.task.size - _held_out(spec)
    batch = examples if spec.batch_size == "full" else min(spec.batch_size, examples)
    if single and 1 in {batch, examples % batch}:
        last = "" if batch == 1 else f": the last of the batches of {batch} of {examples} examples has one"
        return f"cannot normalise a batch of one example in {single[0]}{last}"
    return ""


def _groups(study: Study, levels: Conditions) -> tuple[dict[str, Conditions], list[Problem]]:
    """The groups of every instrument that measures pairs or sets, with their levels."""
    groups: dict[str, Conditions] = {}
    problems: list[Problem] = []
    for kind, instrument in study.measure.items():
        try:
            groups[kind] = {group.label: group.levels for group in groupings(instrument, study, levels)}
        except StudyError as error:
            problems += error.problems
    return groups, problems


def _instruments(study: Study, specs: Mapping[str, Spec], horizons: Mapping[str, int]) -> list[Problem]:
    """What instruments cannot measure in this study."""
    problems: list[Problem] = []
    for kind, instrument in study.measure.items():
        path = f"measure.{kind}"
        if problem := unit_problem(instrument, study.replicates):
            problems.append(problem)
        late = [
            epoch for epochs in horizons.values() for epoch in instrument.epochs(epochs) if epoch > epochs
        ]
        if late:
            allowed = f"at most {min(horizons.values())}"
            problems.append(Problem(f"{path}.at", str(max(late)), "this epoch is never reached", allowed))
        if instrument.data == "test" and not all(spec.task.has_test for spec in specs.values()):
            problems.append(Problem(f"{path}.data", "test", "the task has no held-out data", "train"))
        size = min((spec.task.size - _held_out(spec) for spec in specs.values()), default=0)
        if instrument.examples is not None and instrument.data == "train" and instrument.examples > size:
            message = f"is more than the {size} examples for training"
            problems.append(Problem(f"{path}.examples", str(instrument.examples), message, f"1 to {size}"))
    problems += [
        Problem(
            f"record.{index}",
            str(quantity),
            "is measured, not recorded",
            f"measure.{quantity.instrument} = {{}}",
        )
        for index, quantity in enumerate(study.record)
        if quantity.instrument
    ]
    problems += [
        Problem(f"assumed.{path}", "", "is the same at every setting", "a setting of training")
        for path in study.assumed
        if path.partition(".")[0] == "measure"
    ]
    return problems


def _claims(
    study: Study,
    levels: Conditions,
    specs: Mapping[str, Spec],
    groups: Mapping[str, Conditions],
    horizons: Mapping[str, int],
) -> list[Problem]:
    problems: list[Problem] = []
    epochs = study.epochs if not isinstance(study.epochs, Vary) else None
    scope = Scope(levels, None, epochs, study.measure, groups)
    for index, claim in enumerate(study.claims):
        problems += claim.check(scope, f"claims.{index}")
    for index, published in enumerate(study.published):
        where = f"published.{index}"
        among: Conditions | None = levels
        try:
            wanted = parse_quantity(published.quantity)
            if wanted.instrument:
                problems += check_quantity(wanted, scope, f"{where}.quantity")
            seen = scope.seen_by([wanted])
            among = None if seen is None else seen.conditions
        except GrammarError as error:
            problems.append(replace(error.problem, path=f"{where}.quantity"))
        try:
            if among is not None and len(select(published.condition, among).names) != 1:
                problems.append(
                    Problem(f"{where}.condition", published.condition, "names several conditions")
                )
        except GrammarError as error:
            problems.append(replace(error.problem, path=f"{where}.condition"))
    every = isinstance(study.record_at, Every) and study.record_at.epochs == 1
    message = "only for the training loss are thresholds tracked at every epoch, whatever is recorded"
    for index, claim in enumerate(study.claims):
        problems += [
            Problem(f"claims.{index}", str(quantity), message, "record_at.every = 1")
            for quantity in claim.quantities()
            if quantity.reducer == "epochs_to" and quantity.trace != "loss" and not every
        ]
    asked = [(f"record.{i}", q) for i, q in enumerate(study.record)]
    asked += [(f"claims.{i}", q) for i, c in enumerate(study.claims) for q in c.quantities()]
    for path, quantity in asked:
        for name, spec in specs.items():
            own = study.measure.get(quantity.instrument)
            last = horizons[name] if own is None else own.epochs(horizons[name])[-1]
            missing = _never(quantity, spec, last)
            if own is not None:
                missing = missing or own.missing(quantity.split, spec)
            elif not quantity.instrument:
                missing = missing or _unmeasurable(quantity.name, quantity.split, spec)
            if missing:
                problems.append(Problem(path, str(quantity), missing))
    return problems


def _never(quantity: Quantity, spec: Spec, epochs: int) -> str:
    """That no run makes so many updates, if it does not."""
    if quantity.reducer != "at_updates" or quantity.threshold is None:
        return ""
    examples = spec.task.size - _held_out(spec)
    most = epochs * (1 if spec.batch_size == "full" else -(-examples // spec.batch_size))
    return f"runs make at most {most} updates" if quantity.threshold > most else ""


def _unmeasurable(name: str, split: str, spec: Spec) -> str:
    """Why a quantity cannot be measured under a spec; empty if it can."""
    on_test = split in {"test", "test_training_mode"} or name in {"loss_gap", "accuracy_gap"}
    if on_test and not spec.task.has_test:
        return "the task has no held-out data"
    if split == "validation" and spec.validation == 0:
        return "there is no validation data; give validation = a share such as 0.1"
    if split == "augmented" and getattr(spec.task, "augment", None) is None:
        return "the task augments nothing; give task.augment"
    metric = "accuracy" if name == "accuracy_gap" else name
    if metric in {"accuracy", "tolerance_accuracy"} and metric not in spec.task.metrics:
        return f"is not for this task, which has {', '.join(spec.task.metrics)}"
    if name == "dead_units" and not isinstance(spec.model, MLP | CNN):
        return "is for an mlp or cnn"
    if name in OF_MINIBATCHES and spec.batch_size == "full":
        instead = "record gradient_norm" if name == "gradient_norm_batch" else "measure sensitivity.fixed"
        return f"with full batches there is no minibatch; {instead}"
    return ""


def _overrides(study: Study) -> list[Problem]:
    """Problems of the quick budget, of the assumed levels and of tuning."""
    problems: list[Problem] = []
    try:
        if study.quick:
            study.budgeted("quick")
    except StudyError as error:
        problems += [_prefixed("quick", problem) for problem in error.problems]
    try:
        if study.assumed:
            settings(study)
    except StudyError as error:
        problems += [_prefixed("assumed", problem) for problem in error.problems]
    for path, values in study.tune.items():
        head = path.partition(".")[0]
        if head not in SETTINGS:
            allowed = ", ".join(SETTINGS)
            problems.append(Problem(f"tune.{path}", "", "is not a setting", allowed, nearest(head, SETTINGS)))
        if len(values) < 2:
            problems.append(Problem(f"tune.{path}", str(values), "needs at least two values to choose from"))
        elif head in SETTINGS:
            for value in values:
                try:
                    study.with_settings({path: value, "tune": {}, "quick": {}, "assumed": {}})
                except StudyError as error:
                    problems += [_prefixed(f"tune.{path}={level_name(value)}", p) for p in error.problems]
    if study.tune and study.validation == 0:
        problems.append(Problem("tune", "", "chooses on validation data", "validation = a share such as 0.1"))
    taken = {factor.path: "a factor" for factor in factors(study) if factor.path != CONDITION}
    taken |= dict.fromkeys(study.assumed, "assumed")
    taken |= {path: "set by a named condition" for changes in study.conditions.values() for path in changes}
    problems += [
        Problem(f"tune.{path}", "", f"is {taken[path]} in this study already")
        for path in study.tune
        if path in taken
    ]
    return problems


def _prefixed(prefix: str, problem: Problem) -> Problem:
    return replace(problem, path=f"{prefix}: {problem.path}")
