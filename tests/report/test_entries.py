from __future__ import annotations

import fake_results
import pytest
from fake_results import FakeResult

from gradlab.judge.verdict import Verdict
from gradlab.report.entries import answer, entries, outcome, tally
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim


def with_verdicts(*verdicts: Verdict, budget: str = "full") -> FakeResult:
    return fake_results.make(n=1, epochs=12, verdicts=list(verdicts), budget=budget)


def verdict(outcome: str, sentence: str = "deep ends 2 times lower than shallow", **more: object) -> Verdict:
    return Verdict(Claim(test=parse_claim("less(loss, deep, than=shallow)")), outcome, sentence, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("supported", "supported"),
        ("contradicted", "contradicted"),
        ("inconclusive", "inconclusive"),
        ("too few replicates (needs 6)", "too-few"),
        ("depends on optimizer.lr", "depends"),
        ("consistent", "consistent"),
        ("inconsistent", "inconsistent"),
        ("untestable", "untestable"),
        ("not judged yet", "pending"),
    ],
)
def test_every_outcome_has_a_shape_and_a_word(said: str, key: str) -> None:
    shown = outcome(said)
    assert (shown.key, shown.word) == (key, said)
    early = outcome(f"preliminary-{said}")
    assert early.key == key
    assert early.preliminary
    assert early.word == f"preliminary: {said}"
    assert early.css == f"{key} preliminary"


def test_shapes_differ_where_meanings_do() -> None:
    signs = {
        key: outcome(key).sign
        for key in ("supported", "contradicted", "inconclusive", "depends", "untestable")
    }
    assert len(set(signs.values())) == len(signs)


def test_claims_without_words_get_a_sentence_and_anchors_of_their_own() -> None:
    first, second = entries(with_verdicts(verdict("supported"), verdict("inconclusive")))
    assert first.words == "Final training loss is lower with deep than with shallow"
    assert first.anchor != second.anchor


def test_numbers_behind_a_verdict_are_all_there(full: FakeResult) -> None:
    facts = dict(entries(full)[0].facts)
    assert facts["p"] == "for 2.1e-7, against 1; α = 0.025 each way"
    assert facts["n"] == "20 each"
    assert facts["Null"]
    assert facts["n for 80 % power"] == "no smallest effect of interest is declared"
    assert entries(full)[2].interval == "[0.1 %, 25 %]"


def test_pairs_are_counted_as_pairs() -> None:
    (entry,) = entries(
        with_verdicts(verdict("supported", n=(12, 12), paired=True, pair_correlation=0.4, p=0.01))
    )
    assert entry.n == "12 pairs"
    assert dict(entry.facts)["Pairs"] == "rank correlation 0.4 within pairs"


def test_the_answer_is_one_sentence() -> None:
    def said(*verdicts: Verdict, budget: str = "full") -> str:
        result = with_verdicts(*verdicts, budget=budget)
        return answer(result, entries(result))

    one = verdict("supported")
    assert said(one) == "Supported: deep ends 2 times lower than shallow."
    assert said(one, one) == "Both claims are supported: deep ends 2 times lower than shallow."
    assert said(one, verdict("contradicted"), verdict("contradicted")).startswith(
        "Of 3 claims, 1 is supported and 2 are contradicted: "
    )
    assert said(verdict("inconclusive"), verdict("inconclusive")) == "Both claims are inconclusive."
    assert said(verdict("untestable")) == "1 claim, and no run can decide it."
    assert said(verdict("preliminary-supported"), budget="quick").startswith(
        "Preliminary, from the quick budget: supported"
    )
    assert said() == "Nothing is claimed; the figures show what was measured."
    both = said(one, verdict("depends on the condition"))
    assert "1 is supported and 1 depends on the condition" in both


def test_the_tally_counts_every_claim_once(full: FakeResult) -> None:
    counted = tally(entries(full))
    assert sum(many for _, many in counted) == len(full.verdicts)
    assert [found.key for found, _ in counted] == [
        "supported",
        "contradicted",
        "depends",
        "too-few",
        "untestable",
    ]


def test_differences_of_accuracies_are_told_in_percentage_points() -> None:
    claim = Claim(test=parse_claim("less(accuracy.test, deep, than=shallow)"))
    found = Verdict(
        claim, "supported", "", effect="median difference", value=-0.0123, interval=(-0.02, -0.01)
    )
    (entry,) = entries(with_verdicts(found))
    assert (entry.effect, entry.interval) == (
        "median difference −1.23 points",
        "[−2.00 points, −1.00 points]",
    )
