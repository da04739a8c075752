"""A claim in plain words, for claims that nobody put into words."""

from __future__ import annotations

from typing import Any

from gradlab.report.numbers import number, percent
from gradlab.report.words import capital, event_words, listed, quantity_words, trace_name

__all__ = ["claim_words"]


def claim_words(claim: Any) -> str:
    """The claim in its own words, or else its test in a sentence.

    Args:
        claim: A `study.claims.Claim`.

    Returns:
        A sentence without a full stop.

    Example:
        >>> from gradlab.study.claim_text import parse_claim
        >>> from gradlab.study.claims import Claim
        >>> claim_words(Claim(test=parse_claim("less(loss, deep, than=shallow)")))
        'Final training loss is lower with deep than with shallow'
        >>> claim_words(Claim(test=parse_claim("falls(loss)")))
        'Training loss falls over the epochs'
    """
    return claim.says or capital(_words(claim.test))


def _words(test: Any) -> str:
    match str(test.kind):
        case "compare":
            return _compared(test)
        case "equal":
            return _equal(test)
        case "share":
            return _share(test)
        case "correlates":
            return _correlated(test)
        case "trend":
            return _trend(test)
        case "peaks":
            return _peak(test)
        case "matches":
            return f"{quantity_words(test.quantity)}{_in(test.a)} is {number(test.value)}, as published"
        case "fact":
            return str(test.expression)
        case "untestable":
            return str(test.reason)
        case "all_of":
            return listed([_words(each) for each in test.claims])
        case "not":
            return f"it is not so that {_words(test.claim)}"
        case _:
            return str(test)


def _in(selector: str) -> str:
    return f" of {selector}" if selector else ""


def _margin(test: Any) -> str:
    if test.factor is not None:
        return f" by more than a factor of {number(test.factor)}"
    return f" by more than {number(test.by)}" if test.by is not None else ""


def _compared(test: Any) -> str:
    what = quantity_words(test.quantity)
    higher = test.word == "more"
    if isinstance(test.than, int | float):
        return f"{what}{_in(test.a)} is {'above' if higher else 'below'} {number(test.than)}"
    degree = "higher" if higher else "lower"
    if test.quantity.is_epoch and what.startswith("epochs to "):
        more = "takes more" if higher else "takes fewer"
        return f"{test.a or 'each condition'} {more} {what}{_margin(test)} than {test.than}"
    return f"{what} is {degree}{_margin(test)} with {test.a or 'each condition'} than with {test.than}"


def _equal(test: Any) -> str:
    within = f"a factor of {number(test.factor)}" if test.factor is not None else number(test.within)
    return f"{quantity_words(test.quantity)} is the same with {test.a or 'each condition'} and {test.b} within {within}"


def _share(test: Any) -> str:
    happens = event_words(test.event)
    if test.than is not None:
        return f"{happens} in more runs of {test.a or 'each condition'} than of {test.than}"
    bound = (
        f"at least {percent(test.at_least)}"
        if test.at_least is not None
        else f"at most {percent(test.at_most)}"
    )
    return f"{happens} in {bound} of the {f'{test.a} ' if test.a else ''}runs"


def _correlated(test: Any) -> str:
    way = "rise and fall together" if test.sign == "positive" else "move in opposite directions"
    if test.over == "epochs":
        return f"{trace_name(test.first.trace)} and {trace_name(test.second.trace)} {way} over the epochs{_in(test.of)}"
    return (
        f"{quantity_words(test.first)} and {quantity_words(test.second)} {way} over {test.over}{_in(test.of)}"
    )


def _trend(test: Any) -> str:
    if test.along == "epoch":
        return f"{trace_name(test.quantity.trace)}{_in(test.a)} {test.word} over the epochs"
    steps = ", at every step" if test.strict else ""
    return f"{quantity_words(test.quantity)}{_in(test.a)} {test.word} along {test.along}{steps}"


def _peak(test: Any) -> str:
    end = "highest" if test.end == "high" else "lowest"
    return (
        f"{quantity_words(test.quantity)}{_in(test.a)} is {end} at {test.along} {listed(test.within, 'or')}"
    )
