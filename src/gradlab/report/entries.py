"""Verdicts as a reader sees them: an outcome with its sign and word, numbers as text, both readings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradlab.report.claim_figures import slug
from gradlab.report.claim_words import claim_words
from gradlab.report.measured import unit_words
from gradlab.report.numbers import count, interval, number, p_value, percent, plural, points
from gradlab.report.scales import PLAIN, scale_of
from gradlab.report.view import ResultView, VerdictView
from gradlab.report.words import capital

__all__ = ["Entry", "Outcome", "answer", "entries", "outcome", "tally"]

_PRELIMINARY = "preliminary-"
_SIGNS = {
    "supported": "✓",
    "consistent": "✓",
    "contradicted": "✗",
    "inconsistent": "✗",
    "depends": "⑂",
    "inconclusive": "○",
    "too-few": "…",
    "pending": "…",
    "untestable": "–",
}
_SAID = {
    "supported": ("is supported", "are supported"),
    "consistent": ("is consistent with these runs", "are consistent with these runs"),
    "contradicted": ("is contradicted", "are contradicted"),
    "inconsistent": ("is inconsistent with these runs", "are inconsistent with these runs"),
    "depends": ("depends on a setting", "depend on settings"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "too-few": ("has too few replicates", "have too few replicates"),
    "pending": ("is not judged yet", "are not judged yet"),
}
_DECIDED = ("supported", "consistent", "contradicted", "inconsistent")


@dataclass(frozen=True)
class Outcome:
    """An outcome, told apart by shape and word as well as by colour.

    Attributes:
        key: Its class in style sheets and its place in tallies.
        word: As it is printed.
        preliminary: Whether epochs or data were cut.
    """

    key: str
    word: str
    preliminary: bool = False

    @property
    def sign(self) -> str:
        """One character, for text and terminal."""
        return _SIGNS[self.key]

    @property
    def css(self) -> str:
        """The classes of its chip."""
        return f"{self.key} preliminary" if self.preliminary else self.key


def outcome(word: str) -> Outcome:
    """How an outcome is shown.

    Example:
        >>> outcome("too few replicates (needs 6)").key, outcome("depends on optimizer.lr").sign
        ('too-few', '⑂')
        >>> outcome("preliminary-supported")
        Outcome(key='supported', word='preliminary: supported', preliminary=True)
    """
    decision = word.removeprefix(_PRELIMINARY)
    starts = {"too few": "too-few", "not judged": "pending"}
    key = next((key for start, key in starts.items() if decision.startswith(start)), None)
    key = key or next((key for key in _SIGNS if decision.startswith(key)), "inconclusive")
    if word != decision:
        return Outcome(key, f"preliminary: {decision}", True)
    return Outcome(key, decision)


@dataclass(frozen=True)
class Entry:
    """One verdict in words.

    Attributes:
        anchor: Its place on the page.
        id: The claim's identity, such as S002-1; may be empty.
        words: What is claimed.
        kind: The test in the grammar of claims.
        outcome: The outcome.
        sentence: The finding in one sentence.
        effect: Effect with its name, as text; empty where there is none.
        interval: Its interval in brackets.
        n: Replicates, as text.
        facts: (name, text) of test, null, n, p, alpha and needed n.
        warnings: What to keep in mind.
        settings: (setting, outcome, sentence), where something is assumed.
        parts: (outcome, sentence) of the claims inside this one.
        reported: The reading as reported, beside the one of record.
        note: What to know about the translation into a test.
    """

    anchor: str
    id: str
    words: str
    kind: str
    outcome: Outcome
    sentence: str
    effect: str = ""
    interval: str = ""
    n: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    settings: tuple[tuple[str, Outcome, str], ...] = ()
    parts: tuple[tuple[Outcome, str], ...] = ()
    reported: Entry | None = None
    note: str = ""


def entries(result: ResultView) -> list[Entry]:
    """Every verdict of a result, in the order of the claims; anchors are unique."""
    found: list[Entry] = []
    taken: set[str] = set()
    for verdict in result.verdicts:
        entry = _entry(verdict, str(verdict.claim.test))
        anchor, copy = entry.anchor, 2
        while anchor in taken:
            anchor, copy = f"{entry.anchor}-{copy}", copy + 1
        taken.add(anchor)
        found.append(replace(entry, anchor=anchor))
    return found


def _entry(verdict: VerdictView, kind: str) -> Entry:
    claim, other = verdict.claim, verdict.as_reported
    return Entry(
        anchor=slug(claim.id or kind),
        id=claim.id,
        words=claim_words(claim),
        kind=kind,
        outcome=outcome(verdict.shown),
        sentence=verdict.sentence,
        effect=_effect(verdict),
        interval=_interval(verdict),
        n=_n(verdict),
        facts=tuple(_facts(verdict, kind)),
        warnings=tuple(verdict.warnings),
        settings=tuple((each.setting, outcome(each.shown), each.sentence) for each in verdict.per_setting),
        parts=tuple((outcome(each.shown), each.sentence) for each in verdict.parts),
        reported=_entry(other, str(claim.as_reported)) if other is not None else None,
        note=claim.note,
    )


def _effect(verdict: VerdictView) -> str:
    if verdict.value is None or math.isnan(verdict.value):
        return f"{len(verdict.parts)} parts" if len(verdict.parts) > 1 else ""
    return f"{verdict.effect} {_writer(verdict)(verdict.value)}".strip()


def _interval(verdict: VerdictView) -> str:
    return interval(verdict.interval, write=_writer(verdict))


def _writer(verdict: VerdictView) -> Callable[[float], str]:
    """How an effect is written: shares in per cent, differences of accuracies in points."""
    if _is_share(verdict):
        return percent
    looked_at = getattr(verdict.claim.test, "quantity", None)
    scale = scale_of(looked_at) if looked_at is not None else PLAIN
    if verdict.effect == "median" and scale.log is False:
        return scale.table
    return points if verdict.effect == "median difference" and scale.log is False else number


def _is_share(verdict: VerdictView) -> bool:
    return verdict.effect == "share"


def _n(verdict: VerdictView) -> str:
    sides = [count(side) for side in verdict.n]
    if not sides:
        return ""
    one, several = unit_words(verdict.claim.quantities())
    if verdict.paired:
        return f"{sides[0]} pairs" if one == "run" else f"{sides[0]} {several}, paired"
    if len(sides) == 1:
        return sides[0] if one == "run" else f"{sides[0]} {several}"
    return f"{sides[0]} each" if len(set(sides)) == 1 else " and ".join(sides)


def _facts(verdict: VerdictView, kind: str) -> list[tuple[str, str]]:
    """What stands behind a verdict; lines that say nothing are left out."""
    found = [("Tested as", kind)]
    if verdict.test:
        found.append(("Test", verdict.test))
    if verdict.null:
        found.append(("Null", verdict.null))
    if verdict.n:
        found.append(("n", _n(verdict)))
    if verdict.p is not None:
        against = f", against {p_value(verdict.p_against)}" if verdict.p_against is not None else ""
        alpha = f"; α = {number(verdict.alpha)} each way" if verdict.alpha is not None else ""
        found.append(("p", f"for {p_value(verdict.p)}{against}{alpha}"))
    if verdict.extension:
        found.append((
            "Looks",
            f"extended {plural(verdict.extension, 'time')} after a verdict; α is spent accordingly",
        ))
    if verdict.superiority is not None:
        found.append(("P(A < B)", f"{percent(verdict.superiority)} (ties count half)"))
    if verdict.pair_correlation is not None:
        found.append(("Pairs", f"rank correlation {number(verdict.pair_correlation, 2)} within pairs"))
    if verdict.p is not None:
        found.append(("n for 80 % power", _power(verdict)))
    if verdict.deciding_n is not None:
        found.append(("n to decide", f"{count(verdict.deciding_n)} if the effect is as observed"))
    return found


def _power(verdict: VerdictView) -> str:
    if verdict.power == "none declared":
        return "no smallest effect of interest is declared"
    return f"{verdict.power} for the smallest effect of interest"


def tally(shown: Sequence[Entry]) -> list[tuple[Outcome, int]]:
    """How often each outcome occurs, the decided ones first."""
    keys = [entry.outcome.key for entry in shown]
    words = {"too-few": "too few replicates", "depends": "depends on a setting", "pending": "not judged yet"}
    return [
        (Outcome(key, words.get(key, key)), keys.count(key)) for key in (*_SAID, "untestable") if key in keys
    ]


def answer(result: ResultView, shown: Sequence[Entry], *, most: int | None = None) -> str:
    """The answer in one sentence: how many claims stand, and what the first decided one found.

    Args:
        result: The result.
        shown: Its verdicts.
        most: Leave out what was found if that is longer than so many letters.

    Returns:
        The sentence.
    """
    if not shown:
        return "Nothing is claimed; the figures show what was measured."
    testable = [entry for entry in shown if entry.outcome.key != "untestable"]
    if not testable:
        return f"{capital(plural(len(shown), 'claim'))}, and no run can decide {'it' if len(shown) == 1 else 'them'}."
    cut = "Preliminary, from" if any(entry.outcome.preliminary for entry in shown) else "From"
    head = f"{cut} the quick budget: " if result.budget == "quick" else ""
    decided = next((entry for entry in testable if entry.outcome.key in _DECIDED and entry.sentence), None)
    if len(testable) == 1:
        (entry,) = testable
        text = entry.outcome.word.removeprefix("preliminary: ")
        decided = entry if entry.sentence else None
    else:
        text = _counted(testable)
    text = f"{head}{text}" if head else capital(text)
    if decided and most is not None and len(decided.sentence) > most:
        decided = None
    return f"{text}: {decided.sentence.strip().rstrip('.')}." if decided else f"{text}."


def _said(key: str, many: int, testable: Sequence[Entry]) -> str:
    """The outcome as a verb; what verdicts depend on is named where it is one thing."""
    words = {
        entry.outcome.word.removeprefix("preliminary: ") for entry in testable if entry.outcome.key == key
    }
    if key == "depends" and len(words) == 1:
        rest = words.pop().removeprefix("depends")
        return f"{'depends' if many == 1 else 'depend'}{rest}"
    return _SAID[key][many > 1]


def _counted(testable: Sequence[Entry]) -> str:
    parts = [(many, _said(found.key, many, testable)) for found, many in tally(testable)]
    if len(parts) == 1:
        many, said = parts[0]
        return f"{'both' if many == 2 else f'all {many}'} claims {said}"
    *most, last = [f"{many} {said}" for many, said in parts]
    return f"of {len(testable)} claims, {', '.join(most)} and {last}"
