"""What a page is made from: the least that a result must offer.

`engine.result.Result` is one implementation; anything with these members can be shown. Protocols and not
imports, so that a page never loads the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gradlab.report.instrument_view import CurvesView, FailureView, GroupView, MeasuredView

__all__ = ["ConditionView", "PlanView", "ResultView", "RunView", "SampleView", "SeriesView", "VerdictView"]

Floats = NDArray[np.float64]


class SeriesView(Protocol):
    """A recorded quantity of one condition over epochs.

    Attributes:
        epochs: Epochs at which it was recorded, [k].
        values: One row a run, [n, k]; NaN where a run has no value (any more).
        replicates: Replicate numbers of the rows, [n].
    """

    @property
    def epochs(self) -> NDArray[np.int64]: ...
    @property
    def values(self) -> Floats: ...
    @property
    def replicates(self) -> NDArray[np.int64]: ...


class SampleView(Protocol):
    """One number per run of a condition.

    Attributes:
        values: The values, [n]; infinite for "never reached", NaN where it is not defined.
        replicates: Replicate numbers, [n].
        flagged: Whether the run predicts a constant, is dead or diverged, [n].
        states: How each run ended: `done`, `stopped`, `diverged`, `failed`, [n].
    """

    @property
    def values(self) -> Floats: ...
    @property
    def replicates(self) -> NDArray[np.int64]: ...
    @property
    def flagged(self) -> NDArray[np.bool_]: ...
    @property
    def states(self) -> Sequence[str]: ...


class ConditionView(Protocol):
    """One combination of levels; `spec` is a component with `tree()`."""

    @property
    def name(self) -> str: ...
    @property
    def levels(self) -> Mapping[str, str]: ...
    @property
    def spec(self) -> Any: ...
    @property
    def epochs(self) -> int: ...


class RunView(Protocol):
    """One condition at one replicate."""

    @property
    def id(self) -> str: ...
    @property
    def condition(self) -> str: ...
    @property
    def replicate(self) -> int: ...


class PlanView(Protocol):
    """What was run: `declared` is the study as written, `study` the same under the budget."""

    @property
    def study(self) -> Any: ...
    @property
    def declared(self) -> Any: ...
    @property
    def conditions(self) -> Sequence[ConditionView]: ...
    @property
    def runs(self) -> Sequence[RunView]: ...

    def groups(self, kind: str) -> Mapping[str, GroupView]:
        """The groups of a declared instrument, by name."""
        ...


class VerdictView(Protocol):
    """The judgement of one claim, as `judge.verdict.Verdict` has it.

    Attributes:
        claim: A `study.claims.Claim`.
        outcome: `supported`, `contradicted`, `inconclusive`, `too few replicates`, `preliminary-` before one of
            these, `depends on SETTING`, `consistent`, `inconsistent`, `untestable` or `not judged yet`.
        shown: The outcome with what belongs to it, as in `too few replicates (needs 6)`.
        sentence: The finding in one sentence.
        test: Name of the test.
        null: The null hypothesis in words.
        effect: Name of the effect size.
        value: The effect size.
        interval: Its interval at level `confidence`.
        superiority: P(A < B) + P(A = B)/2 for comparisons.
        n: Replicates on each side.
        p: P-value in the claimed direction; `p_against` in the other.
        alpha: Error rate spent on each direction.
        extension: How often the study has been extended after a verdict.
        adjusted: Whether Holm's correction is in the decision.
        power: Replicates for 80 % power at the declared smallest effect of interest, in words.
        deciding_n: Replicates for 80 % power if the effect is as observed, where the outcome is open.
        paired: Whether replicates share a random draw.
        pair_correlation: Rank correlation within pairs.
        warnings: What to keep in mind.
        setting: The setting that it was judged at, inside `per_setting`.
        per_setting: The verdicts at each setting, where there are several.
        parts: The verdicts on the claims inside this one.
        as_reported: The verdict on the other reading.
    """

    @property
    def claim(self) -> Any: ...
    @property
    def outcome(self) -> str: ...
    @property
    def shown(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def test(self) -> str: ...
    @property
    def null(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def interval(self) -> tuple[float, float] | None: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def superiority(self) -> float | None: ...
    @property
    def n(self) -> tuple[int, ...]: ...
    @property
    def p(self) -> float | None: ...
    @property
    def p_against(self) -> float | None: ...
    @property
    def alpha(self) -> float | None: ...
    @property
    def extension(self) -> int: ...
    @property
    def adjusted(self) -> bool: ...
    @property
    def power(self) -> str: ...
    @property
    def deciding_n(self) -> int | None: ...
    @property
    def paired(self) -> bool | None: ...
    @property
    def pair_correlation(self) -> float | None: ...
    @property
    def warnings(self) -> Sequence[str]: ...
    @property
    def setting(self) -> str: ...
    @property
    def per_setting(self) -> Sequence[VerdictView]: ...
    @property
    def parts(self) -> Sequence[VerdictView]: ...
    @property
    def as_reported(self) -> VerdictView | None: ...


class ResultView(Protocol):
    """Everything that a page shows of one study.

    Attributes:
        study: The declaration (`study.Study`).
        plan: What was run under this budget.
        budget: "quick" or "full".
        verdicts: One per claim, in the order of the study.
        elapsed: Seconds that the command took, or `None`.
        environment: Facts of the machine and the libraries, by name.
        command: How to run this again.
        digest: One hash of all results.
        notes: What happened on the way that a reader should know.
        settings: The study as declared, then each alternative of what was assumed.
        failures: What instruments could not measure, each with the cause.
    """

    @property
    def study(self) -> Any: ...
    @property
    def plan(self) -> PlanView: ...
    @property
    def budget(self) -> str: ...
    @property
    def verdicts(self) -> Sequence[VerdictView]: ...
    @property
    def elapsed(self) -> float | None: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def command(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def settings(self) -> Sequence[str]: ...
    @property
    def failures(self) -> Sequence[FailureView]: ...

    def series(self, quantity: str, condition: str) -> SeriesView:
        """A recorded series; raises `KeyError` where it was not recorded."""
        ...

    def values(self, quantity: Any, condition: str) -> SampleView:
        """A quantity of each run; raises `KeyError` where it cannot be had."""
        ...

    def curves(self, quantity: str, group: str) -> CurvesView:
        """A value along its instrument's own axis; raises `KeyError` where it was not measured."""
        ...

    def measured(self, kind: str, group: str | None = None) -> Sequence[MeasuredView]:
        """The measurements of an instrument, refused ones included; raises `KeyError` where there are none."""
        ...

    def predictions(self, condition: str) -> tuple[Floats, Floats, Floats]:
        """Grid [G, in], truth [G, out] and outputs of each run [n, G, out]; raises `KeyError` if not recorded."""
        ...

    def flags(self, condition: str) -> Mapping[str, int]:
        """Runs that are constant, dead, diverged, by flag."""
        ...

    def states(self, condition: str) -> Mapping[str, int]:
        """Runs by how they ended."""
        ...

    def parameters(self, condition: str) -> int:
        """The exact parameter count."""
        ...
