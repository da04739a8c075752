"""The judgement of one claim, ready to be shown and stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any, cast

from gradlab.study.claims import Claim

__all__ = ["PENDING", "Verdict", "combine_settings"]

PENDING = "not judged yet"
_PRELIMINARY = "preliminary-"


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim.

    Attributes:
        claim: The claim.
        outcome: `supported`, `contradicted`, `inconclusive`, `too few replicates`, `preliminary-` before one of
            these, `depends on SETTING`, `consistent`, `inconsistent`, `untestable` or `not judged yet`.
        sentence: The finding in one sentence, with three significant digits.
        test: Name of the test.
        null: The null hypothesis in words.
        effect: Name of the effect size; empty where there is none.
        value: The effect size.
        interval: Its interval, at the level that the decision uses.
        confidence: The level of the interval.
        superiority: P(A < B) + P(A = B)/2 for comparisons.
        n: Replicates on each side.
        replicates: Replicates at hand, which is what a look is counted by.
        declared_n: Replicates that the study declares.
        counted: What `n`, `replicates` and `declared_n` count: "runs", or "pairs" or "sets" of runs.
        p: P-value in the claimed direction.
        p_against: P-value in the other direction.
        alpha: Error rate spent on each direction.
        extension: How often the study has been extended after a verdict.
        adjusted: Whether Holm's correction over a report is in the decision.
        needed_n: The smallest number of replicates that could decide it at the next look, where there are too few.
        interest: The declared smallest effect of interest; the margin of an equality.
        power_n: Replicates for 80 % power at it (for equalities, where there is no difference).
        deciding_n: Replicates for 80 % power if the effect is as observed, where the outcome is open.
        paired: Whether replicates share a random draw; `None` where nothing is compared.
        pair_correlation: Rank correlation within pairs.
        shares: For each condition, how many runs are `constant`, `dead`, `diverged`, `never` (or `failed`).
        warnings: What a reader must know besides.
        per_setting: The verdicts at each setting, where there are several.
        parts: The verdicts on the claims inside this one.
        as_reported: The verdict on the other reading.
    """

    claim: Claim
    outcome: str
    sentence: str = ""
    test: str = ""
    null: str = ""
    effect: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    superiority: float | None = None
    n: tuple[int, ...] = ()
    replicates: int | None = None
    declared_n: int | None = None
    p: float | None = None
    p_against: float | None = None
    alpha: float | None = None
    extension: int = 0
    adjusted: bool = False
    needed_n: int | None = None
    interest: float | None = None
    power_n: int | None = None
    deciding_n: int | None = None
    paired: bool | None = None
    pair_correlation: float | None = None
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    warnings: tuple[str, ...] = ()
    setting: str = ""
    per_setting: tuple[Verdict, ...] = ()
    parts: tuple[Verdict, ...] = ()
    as_reported: Verdict | None = None
    counted: str = "runs"

    @property
    def id(self) -> str:
        """The claim's identity in a report; may be empty."""
        return self.claim.id

    @property
    def words(self) -> str:
        """What is claimed."""
        return self.claim.words

    @property
    def decision(self) -> str:
        """The outcome without `preliminary-`."""
        return self.outcome.removeprefix(_PRELIMINARY)

    @property
    def preliminary(self) -> bool:
        """Whether epochs or data were cut, not only replicates."""
        return self.outcome.startswith(_PRELIMINARY)

    @property
    def power(self) -> str:
        """Replicates for 80 % power at the smallest effect of interest, in words."""
        if self.interest is None and self.power_n is None:
            return "none declared"
        return "out of reach" if self.power_n is None else f"{self.power_n:,}"

    @property
    def shown(self) -> str:
        """The outcome with what belongs to it, as in `too few replicates (needs 6)`."""
        if self.decision == "too few replicates" and self.needed_n is not None:
            return f"{self.outcome} (needs {self.needed_n:,})"
        return self.outcome

    def made_preliminary(self) -> Verdict:
        """The same verdict from a budget that cut epochs or data."""
        if self.preliminary or self.outcome in {PENDING, "untestable"} or self.test == "fact":
            return self
        return replace(self, outcome=_PRELIMINARY + self.outcome)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain JSON; infinities and NaN become the words `inf`, `-inf` and `nan`."""
        return cast("dict[str, Any]", _plain(self))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_dict` described.

        Args:
            tree: What `to_dict` returned.

        Returns:
            An equal verdict.
        """
        given = dict(tree)
        given["claim"] = Claim.model_validate(given["claim"])
        for name in ("value", "superiority", "p", "p_against", "pair_correlation", "interest"):
            given[name] = _number(given.get(name))
        if given.get("interval") is not None:
            given["interval"] = tuple(_number(end) for end in given["interval"])
        for name in ("n", "warnings"):
            given[name] = tuple(given.get(name, ()))
        for name in ("per_setting", "parts"):
            given[name] = tuple(cls.from_dict(each) for each in given.get(name, ()))
        if given.get("as_reported") is not None:
            given["as_reported"] = cls.from_dict(given["as_reported"])
        return cls(**given)


def combine_settings(verdicts: Mapping[str, Verdict], claim: Claim) -> Verdict:
    """One verdict over several levels of a setting: what all say, or that it depends.

    Args:
        verdicts: The verdict at each setting (`batch_size=32`), the one as declared first.
        claim: The claim.

    Returns:
        The first verdict with the others beside it; `depends on SETTING` where the outcomes differ.

    Raises:
        ValueError: There is no verdict.
    """
    if not verdicts:
        raise ValueError("there is nothing to combine")
    labelled = tuple(replace(verdict, setting=name) for name, verdict in verdicts.items())
    first = labelled[0]
    if len(labelled) == 1:
        return replace(first, claim=claim, setting="")
    outcomes = [verdict.outcome for verdict in labelled]
    agreed = len(set(outcomes)) == 1
    warnings = tuple(dict.fromkeys(warning for verdict in labelled for warning in verdict.warnings))
    common = replace(first, claim=claim, per_setting=labelled, warnings=warnings, setting="")
    if agreed:
        n = min((verdict.n for verdict in labelled), key=lambda sides: min(sides, default=0))
        count = f"at each of {len(labelled)} settings; {labelled[0].setting}: {first.sentence}"
        worst = max((v.p for v in labelled if v.p is not None), default=None)
        against = max((v.p_against for v in labelled if v.p_against is not None), default=None)
        needed = max((v.needed_n for v in labelled if v.needed_n is not None), default=None)
        return replace(common, sentence=count, n=n, p=worst, p_against=against, needed_n=needed)
    if PENDING in outcomes:
        waiting = next(verdict for verdict in labelled if verdict.outcome == PENDING)
        return replace(common, outcome=PENDING, sentence=waiting.sentence)
    parts: dict[str, list[str]] = {}
    for verdict in labelled:
        parts.setdefault(verdict.decision, []).append(verdict.setting)
    sentence = "; ".join(f"{outcome} {_places(names)}" for outcome, names in parts.items())
    return replace(common, outcome=f"depends on {_subject(labelled)}", sentence=sentence)


def _places(settings: Sequence[str]) -> str:
    """`as declared and at lr=1, lr=2`."""
    declared = [setting for setting in settings if setting == "as declared"]
    others = [setting for setting in settings if setting != "as declared"]
    return " and ".join([*declared, *([f"at {', '.join(others)}"] if others else [])])


def _subject(verdicts: Sequence[Verdict]) -> str:
    """The factors that decide: those in which alone two settings of different outcome differ."""
    settings = [(_levels(verdict.setting), verdict.decision) for verdict in verdicts]
    alone: dict[str, None] = {}
    differing: dict[str, None] = {}
    for (one, first), (two, second) in combinations(settings, 2):
        keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
        if first != second:
            differing |= dict.fromkeys(keys)
            alone |= dict.fromkeys(keys if len(keys) == 1 else ())
    return ", ".join(alone or differing) or "the condition"


def _levels(setting: str) -> dict[str, str]:
    """`batch_size=32, lr=0.1` as a table; what has no level (`as declared`) is left out."""
    parts = (part.strip().partition("=") for part in setting.split(","))
    return {name: level for name, equals, level in parts if equals}


def _plain(value: object) -> Any:
    if isinstance(value, Verdict):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Claim):
        return value.tree()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _number(value: object) -> float | None:
    return None if value is None else float(cast(float, value))
