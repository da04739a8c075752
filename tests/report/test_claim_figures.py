from __future__ import annotations

import fake_results
import pytest
from fake_results import FakeResult

from gradlab.report.axes import NARROW
from gradlab.report.claim_figures import claim_figures, slug
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("less(loss, deep, than=shallow)", "Median final training loss: deep"),
        ("less(loss, deep, than=0.01)", "Median final training loss: "),
        ("equal(loss, deep, medium, factor=1.5)", "Median final training loss: deep"),
        ("fewer(epochs_to(loss, 1e-3), deep, than=shallow)", "Median epochs to training loss 10⁻³: deep"),
        ("share(flag_constant, deep, at_most=0.5)", "Predicts a constant in 1 of 6 runs"),
        ("share(epochs_to(loss, 1e-3), deep, than=shallow)", "Training loss 10⁻³ reached: deep"),
        (
            "correlates(loss, gradient_norm, over=epochs)",
            "Median Kendall's τ of training loss and gradient norm",
        ),
        (
            "correlates(loss, gradient_norm, over=runs)",
            "Final gradient norm and final training loss: Kendall's τ",
        ),
        ("falls(loss)", "Median Kendall's τ of training loss and epoch"),
        ("matches(loss, 4.9e-4, deep)", "Median final training loss: "),
        ("not_(less(loss, deep, than=shallow))", "Median final training loss: deep"),
    ],
)
def test_each_kind_of_claim_has_its_figure(full: FakeResult, text: str, title: str) -> None:
    (figure,) = claim_figures(full, Claim(test=parse_claim(text)), "claim")
    assert figure.title.startswith(title)
    assert "<path" in figure.svg(NARROW)


@pytest.mark.parametrize("text", ["fact(parameters(deep) == 571)", "untestable('an opinion')"])
def test_what_is_not_tested_on_runs_has_no_figure(full: FakeResult, text: str) -> None:
    assert claim_figures(full, Claim(test=parse_claim(text)), "claim") == []


def test_conjunctions_show_each_part_once(full: FakeResult) -> None:
    text = "all_of(less(loss, deep, than=shallow), less(gradient_norm, deep, than=shallow))"
    assert len(claim_figures(full, Claim(test=parse_claim(text)), "claim")) == 2
    twice = "all_of(less(loss, deep, than=shallow), less(loss, deep, than=shallow))"
    assert len(claim_figures(full, Claim(test=parse_claim(twice)), "claim")) == 1
    chain = "all_of(less(loss, deep, than=medium), less(loss, medium, than=shallow))"
    (figure,) = claim_figures(full, Claim(test=parse_claim(chain)), "claim")
    assert all(name in figure.title for name in ("deep", "medium", "shallow"))


def test_every_run_has_a_dot_even_one_that_never_got_there(full: FakeResult) -> None:
    (figure,) = claim_figures(full, fake_results.verdicts()[0].claim, "claim")
    svg = str(figure.svg(NARROW))
    assert svg.count(", replicate ") == 12
    assert "deep, replicate 0: never" in svg
    assert ">never<" in svg


def test_no_data_says_why(failed: FakeResult) -> None:
    (figure,) = claim_figures(failed, fake_results.verdicts()[0].claim, "claim")
    assert figure.draw is None
    assert "nothing was stored" in figure.missing


def test_anchors_are_plain() -> None:
    assert slug("S002-1") == "s002-1"
    assert slug("###") == "claim"
