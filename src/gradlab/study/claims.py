"""What a study claims, before it is run.

The same claim is written `less("loss", "deep", than="shallow")` in Python and `"less(loss, deep, than=shallow)"`
in TOML; or as a table with an `id`, the words it `says`, its `test`, and the same `as_reported`. What each
kind means, and the null that its verdict is judged against, stands in `gradlab.study.kinds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, overload

from gradlab.study.claim import Claim
from gradlab.study.kinds import (
    AllOf,
    Compare,
    Correlates,
    Equal,
    Fact,
    Matches,
    Not,
    Peaks,
    Scope,
    Share,
    Test,
    Trend,
    Untestable,
)
from gradlab.study.quantity import Event, Quantity, parse_event, parse_quantity

__all__ = [
    "Claim",
    "Scope",
    "all_of",
    "claim",
    "correlates",
    "equal",
    "fact",
    "falls",
    "fewer",
    "less",
    "matches",
    "more",
    "not_",
    "peaks",
    "plateaus",
    "ranked",
    "reaches",
    "rises",
    "share",
    "untestable",
]


def claim(
    test: str | Test, *, id: str = "", says: str = "", as_reported: str | Test | None = None, note: str = ""
) -> Claim:
    """A claim with its words and its identity in a report.

    Args:
        test: How it is judged ('done right'), the verdict of record.
        id: As in `S002-1`.
        says: The words of whoever claimed it.
        as_reported: The same asked as the report asked it.
        note: What a reader should know about the translation.

    Returns:
        The claim.
    """
    return Claim(id=id, says=says, test=_test(test), as_reported=_test(as_reported), note=note)


def less(
    quantity: str | Quantity,
    a: str = "",
    *,
    than: str | float,
    by: float | None = None,
    factor: float | None = None,
    interest: float | None = None,
) -> Compare:
    """A's values are below B's.

    Args:
        quantity: What is compared, such as `loss`.
        a: Level or condition; empty for every condition in turn.
        than: Level or condition of B, a quantity of the same condition, or a number.
        by: A lies below B by more than this.
        factor: A lies below B by more than this factor.
        interest: Smallest effect of interest, for which the replicates at 80 % power are given.

    Returns:
        The claim; its null is P(A < B) + P(A = B)/2 = 1/2.

    Example:
        >>> str(less("loss", "deep", than="shallow"))
        'less(loss, deep, than=shallow)'
    """
    return _compare("less", quantity, a, than, by, factor, interest)


def more(
    quantity: str | Quantity,
    a: str = "",
    *,
    than: str | float,
    by: float | None = None,
    factor: float | None = None,
    interest: float | None = None,
) -> Compare:
    """A's values are above B's; see `less`.

    Args:
        quantity: What is compared.
        a: Level or condition; empty for every condition in turn.
        than: Level or condition of B, a quantity of the same condition, or a number.
        by: A lies above B by more than this.
        factor: A lies above B by more than this factor.
        interest: Smallest effect of interest.

    Returns:
        The claim.
    """
    return _compare("more", quantity, a, than, by, factor, interest)


def fewer(
    quantity: str | Quantity,
    a: str = "",
    *,
    than: str | float,
    by: float | None = None,
    factor: float | None = None,
    interest: float | None = None,
) -> Compare:
    """`less`, for what is counted: `fewer("epochs_to(loss, 1e-3)", "deep", than="shallow")`.

    Args:
        quantity: What is compared.
        a: Level or condition; empty for every condition in turn.
        than: Level or condition of B, a quantity of the same condition, or a number.
        by: A lies below B by more than this.
        factor: A lies below B by more than this factor.
        interest: Smallest effect of interest.

    Returns:
        The claim.
    """
    return _compare("fewer", quantity, a, than, by, factor, interest)


def equal(
    quantity: str | Quantity,
    a: str,
    b: str,
    *,
    within: float | None = None,
    factor: float | None = None,
    interest: float | None = None,
) -> Equal:
    """A and B differ by less than a margin; one of `within` (a difference) and `factor` is obligatory.

    Args:
        quantity: What is compared.
        a: Level or condition.
        b: Level or condition, or another quantity of A's condition.
        within: Largest difference that counts as equal.
        factor: Largest ratio that counts as equal.
        interest: The true effect at which power is asked.

    Returns:
        The claim; its null is that the difference lies on the margin.
    """
    return Equal(
        quantity=_quantity(quantity),
        a=a,
        b=b,
        within=_real(within),
        factor=_real(factor),
        interest=_real(interest),
    )


def share(
    event: str | Event,
    a: str = "",
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    than: str | None = None,
    interest: float | None = None,
) -> Share:
    """A proportion of runs is at least or at most a number, or larger than in another condition.

    Args:
        event: What happens in a run, such as `flag_dead` or `loss@last < 0.01`.
        a: Level or condition; empty for every condition in turn.
        at_least: The share is at least this.
        at_most: The share is at most this.
        than: The event is more frequent in A than here.
        interest: The true share for which power is asked.

    Returns:
        The claim; its null is that the share is the one named.
    """
    return Share(
        event=_event(event),
        a=a,
        at_least=_real(at_least),
        at_most=_real(at_most),
        than=than,
        interest=_real(interest),
    )


def reaches(
    quantity: str | Quantity, value: float, a: str = "", *, within: int | None = None, at_least: float = 0.5
) -> Share:
    """A share of the runs, more than half by default, passes a value.

    Args:
        quantity: A recorded series; a loss must fall below the value, an accuracy reach it.
        value: The threshold.
        a: Level or condition; empty for every condition in turn.
        within: By this epoch; `None` for the whole run.
        at_least: The share of runs.

    Returns:
        A `share` claim.

    Example:
        >>> str(reaches("loss", 1e-3, "deep", within=2000))
        'share(epochs_to(loss, 1e-3) <= 2000, deep, at_least=0.5)'
    """
    passage = parse_quantity(f"epochs_to({_quantity(quantity)}, {value!r})")
    event = (
        Event(quantity=passage)
        if within is None
        else Event(quantity=passage, operator="<=", value=float(within))
    )
    return Share(event=event, a=a, at_least=_real(at_least))


def correlates(
    first: str | Quantity,
    second: str | Quantity,
    of: str = "",
    *,
    over: Literal["runs", "epochs", "conditions"] = "runs",
    sign: Literal["positive", "negative"] = "positive",
) -> Correlates:
    """The rank correlation of two quantities has a sign.

    Args:
        first: One quantity.
        second: The other.
        of: Level or condition; empty for every condition in turn (for all together over conditions).
        over: What is correlated: `runs`, `epochs` (within each run, then across runs) or `conditions`.
        sign: The claimed sign.

    Returns:
        The claim; its null is a correlation of 0.
    """
    return Correlates(first=_quantity(first), second=_quantity(second), of=of, over=over, sign=sign)


def rises(quantity: str | Quantity, a: str = "", *, along: str = "epoch", strict: bool = False) -> Trend:
    """A quantity rises along the epochs of a run, or along a factor.

    Args:
        quantity: What is looked at.
        a: Level or condition; empty for every condition in turn.
        along: `epoch`, an instrument's own axis such as `alpha`, or a factor whose levels are in order.
        strict: Every single step goes up.

    Returns:
        The claim; its null is no association.
    """
    return Trend(word="rises", quantity=_quantity(quantity), a=a, along=along, strict=strict)


def falls(quantity: str | Quantity, a: str = "", *, along: str = "epoch", strict: bool = False) -> Trend:
    """A quantity falls along the epochs of a run, or along a factor; see `rises`.

    Args:
        quantity: What is looked at.
        a: Level or condition; empty for every condition in turn.
        along: `epoch`, an instrument's own axis such as `alpha`, or a factor whose levels are in order.
        strict: Every single step goes down.

    Returns:
        The claim.
    """
    return Trend(word="falls", quantity=_quantity(quantity), a=a, along=along, strict=strict)


def peaks(
    quantity: str | Quantity,
    a: str = "",
    *,
    along: str,
    within: Sequence[str | float],
    end: Literal["high", "low"] = "high",
) -> Peaks:
    """The optimum along a factor lies among some of its levels, or along an axis between two positions.

    Args:
        quantity: What is looked at.
        a: Level or condition; empty for all.
        along: A factor whose levels are in order, or an instrument's own axis such as `alpha`.
        within: The levels among which the optimum lies; on an axis the first and the last position.
        end: Whether the optimum is the largest (`high`) or the smallest value.

    Returns:
        The claim; its null is that the optimum lies there as often as by chance.
    """
    window = tuple(str(level) for level in within)
    return Peaks(quantity=_quantity(quantity), a=a, along=along, within=window, end=end)


def plateaus(
    quantity: str | Quantity,
    a: str = "",
    *,
    after: int,
    within: float | None = None,
    factor: float | None = None,
) -> Equal:
    """A quantity changes by less than a margin from an epoch to the end of the run.

    Args:
        quantity: A recorded series.
        a: Level or condition; empty for every condition in turn.
        after: The epoch from which on it is level.
        within: Largest change that counts as none.
        factor: Largest ratio that counts as none.

    Returns:
        An `equal` claim between that epoch and the last one, within each run.

    Example:
        >>> str(plateaus("loss", "deep", after=5000, factor=1.1))
        'equal(loss@last, deep, loss@5000, factor=1.1)'
    """
    series = _quantity(quantity)
    start, end = parse_quantity(f"{series}@{after}"), parse_quantity(f"{series}@last")
    return Equal(quantity=end, a=a, b=str(start), within=_real(within), factor=_real(factor))


def ranked(quantity: str | Quantity, *order: str) -> AllOf:
    """Conditions rank in this order, the best first: the smallest loss, the largest accuracy.

    Args:
        quantity: What is compared.
        order: Two or more levels or conditions.

    Returns:
        `all_of` the neighbouring comparisons.

    Raises:
        ValueError: There are fewer than two.
    """
    if len(order) < 2:
        raise ValueError("ranked takes at least two levels, the best first")
    q = _quantity(quantity)
    word: Literal["less", "more"] = "less" if q.worst == "high" else "more"
    return AllOf(claims=tuple(Compare(word=word, quantity=q, a=a, than=b) for a, b in pairwise(order)))


def matches(quantity: str | Quantity, value: float, a: str = "", *, read_error: float = 0.0) -> Matches:
    """A published value is one that our seeds could give.

    Args:
        quantity: What was published.
        value: The published value.
        a: Level or condition; empty for every condition in turn.
        read_error: Largest error of reading it off a figure.

    Returns:
        The claim; it ends `consistent` or `inconsistent`, outside the 5 % promise.
    """
    return Matches(quantity=_quantity(quantity), value=float(value), a=a, read_error=float(read_error))


def fact(expression: str) -> Fact:
    """Something static, computed from the plan.

    Args:
        expression: As in `parameters(deep) == 571` or `layers(deep) > layers(shallow)`.

    Returns:
        The claim.
    """
    return Fact(expression=expression)


def all_of(*claims: str | Test) -> AllOf:
    """Every one of several claims holds.

    Args:
        claims: Claims, or their text.

    Returns:
        The claim; supported only if each is, contradicted if one is (at a share of the error rate).
    """
    return AllOf(claims=tuple(_test(each) for each in claims))


def not_(claim: str | Test) -> Not:
    """The opposite of a claim.

    Args:
        claim: A claim, or its text.

    Returns:
        The claim that is supported where that is contradicted.
    """
    return Not(claim=_test(claim))


def untestable(reason: str) -> Untestable:
    """A sentence that no run can decide.

    Args:
        reason: Why not: an opinion, a definition, a 'because' without a control arm.

    Returns:
        The claim.
    """
    return Untestable(reason=reason)


def _compare(
    word: Literal["less", "more", "fewer"],
    quantity: str | Quantity,
    a: str,
    than: str | float,
    by: float | None,
    factor: float | None,
    interest: float | None,
) -> Compare:
    return Compare(
        word=word,
        quantity=_quantity(quantity),
        a=a,
        than=than if isinstance(than, str) else float(than),
        by=_real(by),
        factor=_real(factor),
        interest=_real(interest),
    )


def _quantity(given: str | Quantity) -> Quantity:
    return parse_quantity(given) if isinstance(given, str) else given


def _event(given: str | Event) -> Event:
    return parse_event(given) if isinstance(given, str) else given


def _real(value: float | None) -> float | None:
    """Strict fields take no integers, people write them."""
    return None if value is None else float(value)


@overload
def _test(given: str | Test) -> Test: ...
@overload
def _test(given: None) -> None: ...
def _test(given: str | Test | None) -> Test | None:
    from gradlab.study.claim_text import parse_claim

    return parse_claim(given) if isinstance(given, str) else given
