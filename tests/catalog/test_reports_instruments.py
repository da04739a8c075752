"""The studies of the five reports that need an instrument: that they load, plan, and say what the reports say."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

import pytest

from gradlab import catalog
from gradlab.study import Study
from gradlab.study.kinds import Untestable
from gradlab.study.plan import Plan
from gradlab.study.quantity import parse_quantity

NAMES = {
    "000": ["pca", "minratio", "interp", "sensitivity"],
    "001": ["pca", "minratio", "interp", "sensitivity"],
    "002": ["pca", "minratio", "interp-lr1e-2", "interp-lr1e-3", "sensitivity"],
    "003": ["pca", "minratio", "interp", "sensitivity"],
    "004": [
        *("pca", "pca-model9", "minratio"),
        *("batch-interp", "lr-interp", "batch-sensitivity", "lr-sensitivity"),
    ],
}
ROWS = [f"reports/{report}/{name}" for report, names in NAMES.items() for name in names]
PCA = [name for name in ROWS if "/pca" in name]
SENSITIVITY = [name for name in ROWS if name.endswith("sensitivity")]
INTERPOLATION = [name for name in ROWS if "interp" in name]

# what each report states or its network counts
PARAMETERS = {
    "reports/000/pca": 199,
    "reports/000/minratio": 85,
    "reports/000/interp": 16_330,
    "reports/000/sensitivity": 16_330,
    "reports/001/pca": 136_874,
    "reports/001/minratio": 136_874,
    "reports/001/interp": 136_874,
    "reports/001/sensitivity": 136_874,
    "reports/002/pca": 235_146,
    "reports/002/minratio": 571,
    "reports/002/interp-lr1e-2": 14_718,
    "reports/002/interp-lr1e-3": 14_718,
    "reports/002/sensitivity": 14_718,
    "reports/003/pca": 12_565,
    "reports/003/minratio": 141,
    "reports/003/interp": 4_415,
    "reports/003/sensitivity": 4_415,
    "reports/004/pca": 11_085,
    "reports/004/pca-model9": 550_570,
    "reports/004/minratio": 385,
    "reports/004/batch-interp": 36_458,
    "reports/004/lr-interp": 36_458,
    "reports/004/batch-sensitivity": 36_458,
    "reports/004/lr-sensitivity": 36_458,
}

# every claim of the reports that needs an instrument, and where it is judged
CLAIMS = {
    "S000-9": {"reports/000/pca"},
    "S000-11": {"reports/000/minratio"},
    "S000-12": {"reports/000/minratio"},
    "S000-17": {"reports/000/interp"},
    "S000-18": {"reports/000/interp"},
    "S000-19": {"reports/000/sensitivity"},
    "S000-20": {"reports/000/sensitivity"},
    "S001-3": {"reports/001/pca"},
    "S001-6": {"reports/001/minratio"},
    "S001-8": {"reports/001/interp"},
    "S001-9": {"reports/001/sensitivity"},
    "S002-8": {"reports/002/minratio"},
    "S002-9": {"reports/002/minratio"},
    "S002-13": {"reports/002/interp-lr1e-2"},
    "S002-14": {"reports/002/interp-lr1e-2", "reports/002/interp-lr1e-3"},
    "S002-15": {"reports/002/interp-lr1e-2", "reports/002/interp-lr1e-3"},
    "S002-16": {"reports/002/interp-lr1e-2"},
    "S002-17": {"reports/002/sensitivity"},
    "S002-18": {"reports/002/sensitivity"},
    "S003-5": {"reports/003/pca"},
    "S003-6": {"reports/003/minratio"},
    "S003-8": {"reports/003/minratio"},
    "S003-13": {"reports/003/sensitivity"},
    "S004-6": {"reports/004/pca"},
    "S004-9": {"reports/004/minratio"},
    "S004-13": {"reports/004/batch-sensitivity"},
    "S004-14": {"reports/004/batch-sensitivity"},
    "S004-15": {"reports/004/batch-interp", "reports/004/lr-interp"},
    "S004-16": {"reports/004/batch-sensitivity"},
    "S004-17": {"reports/004/lr-sensitivity"},
    "S004-18": {"reports/004/lr-sensitivity"},
}

# how many numbered sentences each report has
SENTENCES = {"000": 20, "001": 9, "002": 18, "003": 13, "004": 19}


@cache
def study(name: str) -> Study:
    return catalog.load(name)


@cache
def plan(name: str, budget: Literal["quick", "full"] = "full") -> Plan:
    return study(name).plan(budget)


def test_every_row_with_an_instrument_is_in_the_catalogue() -> None:
    assert set(ROWS) <= set(catalog.names())
    assert len(ROWS) == 24


def test_all_sentences_of_all_reports_are_judged_somewhere() -> None:
    ids = {claim for entry in catalog.entries() for claim in entry.claims}
    assert {f"S{report}-{k}" for report, count in SENTENCES.items() for k in range(1, count + 1)} == ids


def test_the_catalogue_holds_every_experiment_of_the_reports() -> None:
    rows = [name for name in catalog.names() if name.startswith("reports/")]
    assert len(rows) == 58 + 2  # and two of a notebook that are not in its report


def test_titles_are_unique_questions() -> None:
    titles = [study(name).title for name in ROWS]
    assert len(set(titles)) == len(titles)
    assert all(title.endswith("?") for title in titles)
    assert all(len(title) <= 110 for title in titles)


@pytest.mark.parametrize("name", ROWS)
def test_a_page_is_short_and_says_whose_experiment_it_is(name: str) -> None:
    assert study(name).report == name.split("/")[1]
    assert study(name).notes
    lines = catalog.page(name).splitlines()
    assert len(lines) <= 140
    assert max(map(len, lines)) <= 420


@pytest.mark.parametrize("name", ROWS)
def test_networks_have_the_counts_of_the_reports(name: str) -> None:
    assert {c.parameters for c in plan(name).at("as declared")} == {PARAMETERS[name]}


@pytest.mark.parametrize("budget", ["full", "quick"])
@pytest.mark.parametrize("name", ROWS)
def test_each_study_plans_its_subjects_at_both_budgets(name: str, budget: Literal["quick", "full"]) -> None:
    planned = plan(name, budget)
    assert planned.study.measure
    for kind in planned.study.measure:
        assert planned.subjects[kind]
        assert len({subject.group for subject in planned.subjects[kind]}) == len(planned.groups(kind))


@pytest.mark.parametrize("name", [name for name in ROWS if any(c.id for c in study(name).claims)])
@pytest.mark.parametrize("budget", ["full", "quick"])
def test_there_are_enough_units_for_a_verdict(name: str, budget: Literal["quick", "full"]) -> None:
    planned = plan(name, budget)
    for kind in planned.study.measure:
        units = {(subject.group, subject.unit) for subject in planned.subjects[kind]}
        assert len(units) >= 6 * len(planned.groups(kind))


def test_every_claim_that_needs_an_instrument_is_judged() -> None:
    found: dict[str, set[str]] = {}
    for name in ROWS:
        for claim in study(name).claims:
            if claim.id:
                found.setdefault(claim.id, set()).add(name)
    assert found == CLAIMS


@pytest.mark.parametrize("name", ROWS)
def test_claims_keep_the_reports_words_and_explain_the_translation(name: str) -> None:
    for claim in study(name).claims:
        assert claim.says
        assert claim.note
        assert not claim.id or re.fullmatch(rf"S{study(name).report}-\d+", claim.id)
        assert isinstance(claim.test, Untestable) == (claim.id == "S001-8")


@pytest.mark.parametrize("name", ROWS)
def test_published_numbers_are_of_what_is_recorded_or_measured(name: str) -> None:
    for published in study(name).published:
        quantity = parse_quantity(published.quantity)
        if quantity.instrument:
            assert quantity.instrument in study(name).measure
        else:
            assert quantity.trace in plan(name).record.quantities
        assert published.read_error > 0


@pytest.mark.parametrize("name", PCA)
def test_the_replicate_of_a_trajectory_is_the_set_of_runs(name: str) -> None:
    planned = plan(name)
    assert planned.unit_size("trajectory") == 8
    assert len({s.unit for s in planned.subjects["trajectory"]}) == planned.study.replicates // 8


@pytest.mark.parametrize("name", INTERPOLATION)
def test_the_ends_of_a_line_have_initial_weights_of_their_own(name: str) -> None:
    assert all(subject.same_start is False for subject in plan(name).subjects["interpolation"])
    assert all(len(subject.members) == 2 for subject in plan(name).subjects["interpolation"])


@pytest.mark.parametrize("name", SENSITIVITY)
def test_the_reports_sensitivity_stands_beside_those_on_one_set_of_images(name: str) -> None:
    assert "sensitivity_batch" in plan(name).record.quantities
    reported = [claim for claim in study(name).claims if "sensitivity_batch" in str(claim.as_reported)]
    assert len(reported) == 1
    assert "sensitivity.jacobian" in str(reported[0].test)


def test_settings_of_the_reports() -> None:
    quirk = plan("reports/004/minratio")["as_run"].spec
    assert quirk.objective == "sum_of_outputs"
    assert plan("reports/004/minratio")["meant"].spec.objective == "loss"
    assert plan("reports/000/minratio").study.replicates == 100
    assert plan("reports/002/minratio").study.replicates == 100
    first = plan("reports/002/interp-lr1e-2")["slow, b64"].spec.canonical()
    assert first == plan("reports/002/interp-lr1e-3").conditions[0].spec.canonical()
