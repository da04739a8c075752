"""Comparisons: `less`, `more`, `fewer` and `equal`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gradlab.judge import power, sign, unpaired
from gradlab.judge.combine import two_sided_equivalence
from gradlab.judge.data import Data, Values, paired
from gradlab.judge.evidence import Array, Evidence
from gradlab.judge.finding import Finding
from gradlab.judge.words import apart, bracket, compared, digits, event_words, said, spoken
from gradlab.study.kinds import Compare, Equal
from gradlab.study.quantity import Event, Quantity
from gradlab.study.select import Pair, pairs

__all__ = ["Sides", "compare", "equal", "evidence_below"]


@dataclass(frozen=True)
class Sides:
    """Two samples to compare, or one and a number.

    Attributes:
        a: Values of A `[n]`.
        b: Values of B `[m]`; one number repeated where there is no B.
        paired: Whether a[i] and b[i] belong together.
        ratio: Whether they are compared by quotient.
        unknown: Which values of A and of B could not be measured; they speak against every verdict.
    """

    a: Array
    b: Array
    paired: bool
    ratio: bool
    unknown: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None

    def moved(self, *, factor: float | None = None, by: float | None = None) -> Sides:
        """B multiplied by a factor or moved by a difference."""
        b = self.b * (1.0 if factor is None else factor) + (0.0 if by is None else by)
        return replace(self, b=b)

    def below(self) -> Evidence:
        """Evidence that A lies below B."""
        if self.unknown is None or not (self.unknown[0].any() or self.unknown[1].any()):
            return evidence_below(self.a[None], self.b[None], paired=self.paired)
        against, in_favour = self._filled(np.inf), self._filled(-np.inf)
        return Evidence(against.p_for, in_favour.p_against, against.floor_for, in_favour.floor_against)

    def _filled(self, end: float) -> Evidence:
        """The evidence if what is not known of A lay at one end and what is not known of B at the other."""
        unknown = self.unknown or (np.zeros(len(self.a), bool), np.zeros(len(self.b), bool))
        a, b = np.where(unknown[0], end, self.a), np.where(unknown[1], -end, self.b)
        return evidence_below(a[None], b[None], paired=self.paired)

    def typical(self) -> float:
        """Median ratio or difference: of the pairs, or of all combinations."""
        if not self.paired:
            return unpaired.typical_shift(self.a, self.b, ratio=self.ratio)
        return float(np.median(np.where(np.isnan(shifts := self._shifts()), float(self.ratio), shifts)))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Interval of the typical ratio or difference, from the test that decides."""
        if not self.paired:
            return unpaired.shift_interval(self.a, self.b, alpha, ratio=self.ratio)
        low, high = sign.median_interval(self._shifts(), alpha)
        return (max(low, 0.0), high) if self.ratio else (low, high)

    def superiority(self) -> float:
        """P(A < B) + P(A = B)/2: over the pairs, or over all combinations."""
        if not self.paired:
            return float(unpaired.superiority(self.a[None], self.b[None])[0])
        return float((1 - sign.directions(self.a, self.b).mean()) / 2)

    def _shifts(self) -> Array:
        with np.errstate(all="ignore"):
            return self.a / self.b if self.ratio else self.a - self.b


def evidence_below(a: Array, b: Array, *, paired: bool, draws: int = unpaired.DRAWS) -> Evidence:
    """Evidence that A lies below B, for any number of studies at once.

    Args:
        a: Values `[S, n]`.
        b: Values `[S, m]`.
        paired: Whether equal columns belong together.
        draws: Permutations where there are too many to enumerate.

    Returns:
        Sign test within pairs, studentised permutation test otherwise.
    """
    return sign.below(a, b) if paired else unpaired.below(a, b, draws)


@dataclass(frozen=True)
class _Compared:
    """Two sides with their names and runs."""

    sides: Sides
    a: Values
    b: Values | None
    first: str
    second: str
    shares: dict[str, dict[str, int]]
    warnings: tuple[str, ...]


def compare(test: Compare, data: Data, alpha: float) -> list[Finding]:
    """Findings of a comparison, one per setting.

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    other = test.other(data.conditions)
    alone = isinstance(test.than, float) or other is not None
    return [
        _compare_at(test, pair, _sides(test.quantity, other, test.than, pair, data), data, alpha)
        for pair in pairs(test.a, None if alone else str(test.than), data.conditions)
    ]


def _compare_at(test: Compare, pair: Pair, found: _Compared, data: Data, alpha: float) -> Finding:
    sides, interest = found.sides, test.interest if test.interest is not None else data.smallest_effect
    less = test.word != "more"
    # 'A below B by a factor 2' asks whether A lies below B / 2; 'above' whether it lies above 2 B.
    factor = None if test.factor is None else (1 / test.factor if less else test.factor)
    by = None if test.by is None else (-test.by if less else test.by)
    evidence = sides.moved(factor=factor, by=by).below()
    evidence = evidence if less else evidence.negated()
    value, interval, superiority = sides.typical(), sides.interval(alpha), sides.superiority()
    number = isinstance(test.than, float)
    claimed = superiority if less else 1 - superiority
    sentence = compared(test.quantity, found.first, found.second, value, interval, ratio=sides.ratio)
    effect = "median ratio" if sides.ratio else "median difference"
    if found.b is None:
        effect, value, interval = "median", float(np.median(sides.a)), sign.median_interval(sides.a, alpha)
        bounds = f"[{said(test.quantity, interval[0])}, {said(test.quantity, interval[1])}]"
        sentence = f"median {spoken(test.quantity)} of {found.first} is {said(test.quantity, value)} {bounds}"
        sentence += f", against {found.second}"
    sentence = (_nobody(test.quantity, found) or sentence) + _never(test.quantity, found)
    return Finding(
        setting=pair.setting,
        evidence=evidence,
        test=_test_name(sides.paired, number),
        null=_null_words(found, test, less, data.one),
        sentence=sentence,
        n=(len(found.a),) if found.b is None or sides.paired else (len(found.a), len(found.b)),
        needed_for=sign.smallest_n,
        needed_against=sign.smallest_n,
        effect=effect,
        value=value,
        interval=interval,
        superiority=superiority,
        paired=None if number else sides.paired,
        pair_correlation=_pair_correlation(sides) if sides.paired and not number else None,
        interest=interest,
        power_n=_power_at(interest, sides, factor, by, less),
        deciding_n=_replicates(claimed, sides.paired) if factor is None and by is None else None,
        shares=found.shares,
        warnings=found.warnings,
    )


def equal(test: Equal, data: Data, alpha: float) -> list[Finding]:
    """Findings of an equivalence, one per setting.

    Args:
        test: The claim.
        data: The runs.
        alpha: Error rate of each side of the interval.

    Returns:
        Findings.
    """
    other = test.other(data.conditions)
    findings: list[Finding] = []
    for pair in pairs(test.a, None if other is not None else test.b, data.conditions):
        found = _sides(test.quantity, other, test.b, pair, data, ratio=test.factor is not None)
        sides = found.sides
        lower, upper = _margins(test)
        evidence = two_sided_equivalence(sides.moved(**lower).below().negated(), sides.moved(**upper).below())
        value, interval = sides.typical(), sides.interval(alpha)
        needed = _power_of_equality(test, sides)
        within = test.within or 0.0
        margin = (
            f"a factor {digits(test.factor)}"
            if test.factor is not None
            else apart(test.quantity, within, 0, 0)[0]
        )
        much, bounds = f"{digits(value)} times", bracket(*interval)
        if not sides.ratio:
            much, bounds = apart(test.quantity, value, *interval)
            much = f"{much} away from"
        findings.append(
            Finding(
                setting=pair.setting,
                evidence=evidence,
                test="two one-sided " + ("sign tests" if sides.paired else "studentised permutation tests"),
                null=f"{found.first} and {found.second} typically differ by exactly {margin}",
                sentence=f"{spoken(test.quantity)} of {found.first} is {much} {_that(found.second)} {bounds}; "
                f"equal means within {margin}",
                n=(len(found.a),) if sides.paired or found.b is None else (len(found.a), len(found.b)),
                needed_for=sign.smallest_n,
                needed_against=lambda rate: sign.smallest_n(rate / 2),
                effect="median ratio" if sides.ratio else "median difference",
                value=value,
                interval=interval,
                superiority=sides.superiority(),
                paired=sides.paired,
                pair_correlation=_pair_correlation(sides) if sides.paired else None,
                interest=test.factor if test.factor is not None else test.within,
                power_n=needed,
                deciding_n=needed,
                shares=found.shares,
                warnings=found.warnings,
            )
        )
    return findings


def _margins(test: Equal) -> tuple[dict[str, float], dict[str, float]]:
    if test.factor is not None:
        return {"factor": 1 / test.factor}, {"factor": test.factor}
    return {"by": -(test.within or 0.0)}, {"by": test.within or 0.0}


def _sides(
    quantity: Quantity,
    other: Quantity | None,
    than: str | float,
    pair: Pair,
    data: Data,
    ratio: bool | None = None,
) -> _Compared:
    a = data.values(quantity, pair.a)
    if isinstance(than, float):
        b, second, together = None, said(quantity, than), True
        left, right = a.values, np.full(len(a), than)
    elif other is not None or pair.b is None:
        second, together = f"its {spoken(other or quantity)}", True
        a, b = paired(a, data.values(other or quantity, pair.a))
        left, right = a.values, b.values
    else:
        b, second, together = data.values(quantity, pair.b), pair.b, data.share_draws(pair.a, pair.b)
        if together:
            a, b = paired(a, b)
        left, right = a.values, b.values
    first = pair.a
    positive = bool((left[np.isfinite(left)] > 0).all() and (right[np.isfinite(right)] > 0).all())
    by_ratio = quantity.scale == "ratio" and positive if ratio is None else ratio
    unknown = (a.missing, np.zeros(len(right), bool) if b is None else b.missing)
    shares = {pair.a: dict(a.counts)}
    if pair.b is not None and b is not None:
        shares[pair.b] = dict(b.counts)
    warnings = [*_stop_warnings(quantity, pair, data), *_left_out(shares, data)]
    sides = Sides(left, right, together, by_ratio, unknown)
    return _Compared(sides, a, b, first, second, shares, tuple(warnings))


def _stop_warnings(quantity: Quantity, pair: Pair, data: Data) -> list[str]:
    """A final loss is set by a rule that stops at a loss, and so on."""
    controlled = {
        "loss_settled": ("loss",),
        "loss_below": ("loss",),
        "gradient_below": ("gradient_norm",),
        "stalled": ("loss",),
    }
    found: list[str] = []
    for label in dict.fromkeys(name for name in (pair.a, pair.b) if name is not None):
        stop = getattr(getattr(data.condition(label), "spec", None), "stop", None)
        rule = str(getattr(stop, "kind", ""))
        if (
            quantity.name in controlled.get(rule, ())
            and not quantity.reducer
            and not isinstance(quantity.at, int)
        ):
            found.append(f"the stopping rule of {label} controls its final {quantity.name}")
    return found


def _left_out(shares: dict[str, dict[str, int]], data: Data) -> list[str]:
    return [
        f"{counts['left out']} {data.counted} of {label} were left out by where"
        for label, counts in shares.items()
        if counts.get("left out")
    ]


def _that(second: str) -> str:
    """What is compared with: `its loss@600`, or `that of shallow`."""
    return second if second.startswith("its ") else f"that of {second}"


def _nobody(quantity: Quantity, found: _Compared) -> str:
    """That no run reaches a threshold, if none does: then there is nothing to compare."""
    if (
        quantity.reducer != "epochs_to"
        or np.isfinite(found.sides.a).any()
        or np.isfinite(found.sides.b).any()
    ):
        return ""
    names = (
        [found.first] if found.b is None or found.second.startswith("its ") else [found.first, found.second]
    )
    return f"no run of {' or '.join(names)} is seen to {event_words(Event(quantity=quantity))}"


def _never(quantity: Quantity, found: _Compared) -> str:
    """How many runs never reach a threshold, where some do not."""
    counts = [counts.get("never", 0) for counts in found.shares.values()]
    if quantity.reducer != "epochs_to" or not any(counts):
        return ""
    sizes = [len(found.a), *([] if found.b is None else [len(found.b)])]
    told = " and ".join(f"{count} of {size}" for count, size in zip(counts, sizes, strict=False))
    return f"; {told} runs never do"


def _test_name(together: bool, number: bool) -> str:
    if number:
        return "sign test of the median"
    return (
        "exact sign-flip test of directions" if together else "studentised permutation test (Brunner-Munzel)"
    )


def _null_words(found: _Compared, test: Compare, less: bool, one: str) -> str:
    margin = ""
    if test.factor is not None:
        margin = f" {'divided' if less else 'multiplied'} by {digits(test.factor)}"
    if test.by is not None:
        margin = f" {'minus' if less else 'plus'} {digits(test.by)}"
    second = f"{found.second}{margin}"
    if found.b is None:
        return f"{second} is the median of {found.first}"
    if found.sides.paired:
        within = "within a pair"
        if one != "run":
            own = found.second.startswith("its ")
            within = f"within a {one}" if own else f"of two {one}s that share a draw"
        return (
            f"{within}, {spoken(test.quantity)} of {found.first} is as often below as above {_that(second)}"
        )
    return f"a {one} of {found.first} is as often below as above a {one} of {second} (stochastic equality)"


def _pair_correlation(sides: Sides) -> float | None:
    if len(sides.a) < 3 or np.ptp(stats.rankdata(sides.a)) == 0 or np.ptp(stats.rankdata(sides.b)) == 0:
        return None
    return float(np.corrcoef(stats.rankdata(sides.a), stats.rankdata(sides.b))[0, 1])


def _replicates(share: float, together: bool) -> int | None:
    """Replicates for 80 % power at a superiority, in whichever direction it points."""
    share = max(share, 1 - share)
    return power.sign_n(share) if together else power.unpaired_n(share)


def _power_at(
    interest: float | None, sides: Sides, factor: float | None, by: float | None, less: bool
) -> int | None:
    """Replicates at the declared effect: our spread, moved so that its typical shift is that effect."""
    typical = sides.typical()
    if interest is None or not np.isfinite(typical) or (sides.ratio and typical <= 0):
        return None
    if sides.ratio:
        wanted = min(interest, 1 / interest) if less else max(interest, 1 / interest)
        moved = sides.moved(factor=typical / wanted).moved(factor=factor)
    else:
        wanted = -abs(interest) if less else abs(interest)
        moved = sides.moved(by=typical - wanted).moved(by=by)
    share = moved.superiority() if less else 1 - moved.superiority()
    return power.sign_n(share) if sides.paired else power.unpaired_n(share)


def _power_of_equality(test: Equal, sides: Sides) -> int | None:
    """Replicates that show equality with 80 % power where the true difference is `interest`, or else none."""
    typical = sides.typical()
    if not np.isfinite(typical) or (sides.ratio and typical <= 0):
        return None
    true = test.interest if test.interest is not None else float(sides.ratio)
    moved = sides.moved(factor=typical / true) if sides.ratio else sides.moved(by=typical - true)
    lower, upper = _margins(test)
    # Two tests must both succeed: each gets half of the 20 % that may fail.
    above = _one_sided(1 - moved.moved(**lower).superiority(), sides.paired)
    below = _one_sided(moved.moved(**upper).superiority(), sides.paired)
    return None if above is None or below is None else max(above, below)


def _one_sided(share: float, together: bool) -> int | None:
    return power.sign_n(share, power=0.9) if together else power.unpaired_n(share, power=0.9)
