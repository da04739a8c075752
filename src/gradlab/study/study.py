"""The page a user writes: what varies, what is trained, what is measured, what is claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, PrivateAttr, ValidationError

from gradlab.component import Component, Vary, to_tree
from gradlab.errors import StudyError
from gradlab.model import Initial, Model
from gradlab.model.initial import Default
from gradlab.study.claims import Claim
from gradlab.study.instruments import Measure
from gradlab.study.problems import problems_of
from gradlab.study.quantity import Quantity
from gradlab.study.recipe import Constant, Optimizer, Schedule, Stop
from gradlab.study.record import Auto, Times
from gradlab.study.seeds import Seeds
from gradlab.task import Task

if TYPE_CHECKING:
    from pathlib import Path

    from gradlab.engine.result import Result
    from gradlab.study.plan import Plan

__all__ = ["Assumed", "Published", "Study"]

PART = "__whole__"
"""The private keyword by which `with_settings` says whether to check a study as a whole."""

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


class Assumed(Component):
    """A setting that a report leaves open: the levels to try, one at a time, and why it is open.

    Attributes:
        levels: Values by name, the study's own value left out.
        why: What the report says, or does not say.
    """

    levels: Mapping[str, Any]
    why: str = ""


class Published(Component):
    """A number that a report gives, to be shown beside ours.

    Attributes:
        condition: The condition it belongs to.
        quantity: Which number, in the grammar of quantities.
        value: The number.
        read_error: How far it may be off because it was read from a figure or rounded.
        note: Where it stands.
    """

    condition: str
    quantity: str
    value: float
    read_error: Annotated[float, Field(ge=0)] = 0.0
    note: str = ""


class Study(Component):
    """A declared question: conditions, replicates, what is recorded and what is claimed.

    Any field given several values (`vary(32, 64)`, or a table of named components) becomes a factor; factors
    cross, or zip when listed in `zipped`.

    Attributes:
        title: The question in one sentence.
        question: A longer wording, if the title is not enough.
        notes: Anything a reader should know.
        task: What is learned.
        model: The network, or several by name.
        optimizer: The update rule.
        schedule: The learning rate over epochs.
        epochs: The horizon of each run, in passes over the training set.
        batch_size: Examples an update, or "full".
        shuffle: Whether each epoch visits the examples in a new order.
        loss: "mse" or "cross_entropy"; the task's own where it is not given.
        objective: What the optimizer descends on.
        stop: When a run ends before its last epoch.
        reset_optimizer: "epoch" re-creates the optimizer before each epoch.
        keep: Which weights are the result; "test-best" is a quirk.
        initial: Where the first weights come from.
        dtype: "float32" or "float64".
        precision: "full", or "bfloat16" for products in that type, which pays only on processors made for it.
        validation: The share of training examples held out for validation.
        conditions: Named conditions, each a table of key paths and values, instead of crossing.
        zipped: Groups of factors that go through their levels together.
        replicates: Runs of each condition.
        seeds: What each random draw depends on.
        record: Quantities to write down, as in `loss.test`.
        record_at: The epochs at which to write them down.
        measure: Instruments by kind, at most one of each; a list of them in Python.
        claims: What is claimed, to be judged.
        smallest_effect: The smallest ratio or difference of interest, for the power of a claim.
        tune: Key paths with the values to choose from, per architecture, on validation loss.
        tune_replicates: Runs of each candidate when tuning.
        assumed: Settings that are open, with the levels to try.
        quick: Overrides of the quick budget, as key paths and values.
        published: Numbers to show beside ours.
        stated: What a report states where the study's settings differ, by key path.
        quirks: What the study does on purpose that nobody should copy.
        report: The number of the report that the study re-runs.

    Raises:
        StudyError: Anything is wrong; every problem at once.

    Example:
        >>> from gradlab import MLP, Adam, Function, less
        >>> study = Study(
        ...     title="Does depth help?",
        ...     task=Function("sinc", low=-5, high=5, points=100),
        ...     model={"deep": MLP(10, 10), "shallow": MLP(40)},
        ...     optimizer=Adam(lr=1e-3),
        ...     epochs=100,
        ...     replicates=5,
        ...     claims=[less("loss", "deep", than="shallow")],
        ... )
        >>> [condition.name for condition in study.plan().conditions]
        ['deep', 'shallow']
    """

    title: Text
    question: str | None = None
    notes: str = ""
    task: Task
    model: Model
    optimizer: Optimizer
    schedule: Schedule = Constant()
    epochs: Count
    batch_size: Count | Literal["full"] = "full"
    shuffle: bool = True
    loss: Literal["mse", "cross_entropy"] | None = None
    objective: Literal["loss", "sum_of_outputs"] = "loss"
    stop: Stop | None = None
    reset_optimizer: Literal["never", "epoch"] = "never"
    keep: Literal["last", "best", "test-best"] = "last"
    initial: Initial = Default()
    dtype: Literal["float32", "float64"] = "float32"
    precision: Literal["full", "bfloat16"] = "full"
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    conditions: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    zipped: tuple[tuple[str, ...], ...] = ()
    replicates: Count = 5
    seeds: Seeds = Seeds()
    record: tuple[Quantity, ...] = (Quantity(name="loss"),)
    record_at: Times = Auto()
    measure: Measure = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    smallest_effect: Annotated[float, Field(gt=0)] | None = None
    tune: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict)
    tune_replicates: Count = 3
    assumed: Mapping[str, Assumed] = Field(default_factory=dict)
    quick: Mapping[str, Any] = Field(default_factory=dict)
    published: tuple[Published, ...] = ()
    stated: Mapping[str, str] = Field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    report: str | None = None

    _source: str | None = PrivateAttr(default=None)
    _before: Study | None = PrivateAttr(default=None)

    def __init__(self, **fields: Any) -> None:
        from gradlab.study.checks import check, check_raw

        for name in ("task", "model", "optimizer", "schedule", "stop", "initial"):
            if name in fields:
                fields[name] = _named_levels(fields[name])
        whole: bool = fields.pop(PART, True)
        try:
            super().__init__(**fields)
        except ValidationError as error:
            problems = problems_of(error, type(self))
            raise StudyError([*problems, *check_raw(fields)]) from None
        found = check(self) if whole else []
        if found:
            raise StudyError(found)

    @property
    def source(self) -> str | None:
        """Where the declaration was read: a catalogue name, a file, or nothing."""
        return self._source

    def from_source(self, source: str) -> Study:
        """The same study, which says that it was read from `source`."""
        self._source = source
        return self

    @property
    def before(self) -> Study | None:
        """The study as its page declares it, where somebody changed it for one run."""
        return self._before

    def changed_from(self, before: Study) -> Study:
        """The same study, which knows how it was declared: what cuts its epochs or data is preliminary."""
        self._before = before
        return self

    def with_settings(self, overrides: Mapping[str, Any], *, whole: bool = True) -> Study:
        """A copy with some keys replaced: `{"optimizer.lr": 1e-4, "replicates": 5}`.

        Args:
            overrides: Values by key path, as `--set` takes them.
            whole: Whether to check the result as a whole; a part of a study, such as one of its conditions,
                may speak of what only the whole study has.

        Returns:
            The changed study.

        Raises:
            StudyError: A key path leads nowhere, or the result is not a valid study.
        """
        from gradlab.study.overrides import apply

        if not overrides:
            return self
        changed = Study(**apply(self, overrides), **{PART: whole})
        changed._source, changed._before = self._source, self._before
        return changed

    def budgeted(self, budget: Literal["quick", "full"]) -> Study:
        """The study under a budget: itself, or with its `quick` overrides."""
        return self.with_settings({"quick": {}, **self.quick}) if budget == "quick" else self

    def plan(
        self, budget: Literal["quick", "full"] = "full", tuned: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Plan:
        """The conditions and runs that the study stands for; trains nothing."""
        from gradlab.study.plan import plan

        return plan(self, budget, tuned or {})

    def run(
        self,
        lab: str | Path = "lab",
        *,
        budget: Literal["quick", "full"] = "full",
        workers: int | None = None,
        device: str | None = None,
        quiet: bool = False,
    ) -> Result:
        """Train what is missing in the lab, judge the claims and return the result.

        Args:
            lab: The folder with the store; made if it is not there.
            budget: "full", or "quick" with the study's overrides.
            workers: Worker processes; one for each core if not given.
            device: "cuda" or "cuda:1" to train on a GPU.
            quiet: Say nothing while training.

        Returns:
            The result, with `verdicts`, `table()` and `save("page.html")`.

        Raises:
            StudyError: The study cannot be run as declared.
            StoreError: The lab is owned by another process or damaged.
            RunsFailed: Some runs failed.
            EnvironmentProblem: Memory, disk or the GPU that was asked for are not there.
        """
        from gradlab.engine.study import run_study

        return run_study(self, lab, budget=budget, workers=workers, device=device, quiet=quiet)

    def levels(self, name: str) -> Sequence[str]:
        """The level names of a field, in order; none if it is not a factor."""
        value: object = getattr(self, name)
        return [level for level, _ in value.levels] if isinstance(value, Vary) else []

    def tree(self) -> dict[str, Any]:
        """The declaration as plain dicts, lists and scalars, as TOML and the store hold it."""
        tree = {name: to_tree(getattr(self, name), canonical=False) for name in self.model_fields_set}
        return {name: tree[name] for name in type(self).model_fields if name in tree}


def _named_levels(value: Any) -> Any:
    """A table of components by name (`{"deep": MLP(5), "wide": MLP(50)}`) as levels of a factor."""
    if not isinstance(value, Mapping):
        return value
    table = cast("Mapping[str, Any]", value)
    if set(table) == {"vary"}:
        return value
    components = all(isinstance(item, Component) for item in table.values())
    tables = all(isinstance(item, Mapping) and "vary" not in item for item in table.values())
    if table and (components or (tables and not _is_short_form(table))):
        return Vary(tuple(table.items()))
    return value


def _is_short_form(table: Mapping[str, Any]) -> bool:
    """Whether `{"adam": {"lr": 1e-3}}` is one component, not a level that is called "adam"."""
    from gradlab.study.checks import KINDS

    return len(table) == 1 and next(iter(table)) in KINDS
