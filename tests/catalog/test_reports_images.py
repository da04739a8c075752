"""The image studies of the five reports: that they load, plan, and say what the reports say."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

import pytest

from gradlab import catalog
from gradlab.model.cnn import CNN
from gradlab.study import Study
from gradlab.study.factors import SETTINGS
from gradlab.study.kinds import Untestable
from gradlab.study.plan import Plan
from gradlab.study.quantity import parse_quantity
from gradlab.study.select import select
from gradlab.task.images import CIFAR10, MNIST

NAMES = {
    "000": ["randlabels", "params"],
    "001": ["actual-cifar", "gradnorm", "randlabels", "params"],
    "002": ["cifar10", "mnist", "randlabels", "params"],
    "003": ["mnist", "gradnorm", "randlabels", "params", "batch-curves"],
    "004": ["cifar3", "gradnorm-cifar", "randlabels", "params"],
}
ROWS = [f"reports/{report}/{name}" for report, names in NAMES.items() for name in names]
SWEEPS = [name for name in ROWS if name.endswith("params")]
RANDOM = [name for name in ROWS if name.endswith("randlabels")]

# what each report states or its networks count, the smallest first
PARAMETERS = {
    "reports/000/randlabels": [61_706],
    "reports/000/params": [793 * hidden + 98 for hidden in range(20, 401, 20)],
    "reports/001/actual-cifar": [38_070, 135_610],
    "reports/001/gradnorm": [136_874],
    "reports/001/randlabels": [136_874],
    "reports/001/params": [
        *(5_002, 17_962, 35_898, 136_874, 141_930),
        *(545_098, 564_426, 845_034, 1_163_402, 2_251_146),
    ],
    "reports/002/cifar10": [2_299_258, 4_210_090],
    "reports/002/mnist": [228_010, 371_581],
    "reports/002/randlabels": [371_581],
    "reports/002/params": [
        *(3_270, 6_594, 13_434, 27_882, 59_850),
        *(100_710, 136_074, 220_310, 307_770, 337_674),
    ],
    "reports/003/mnist": [8_490, 28_938],
    "reports/003/gradnorm": [12_565],
    "reports/003/randlabels": [53_808],
    "reports/003/params": [815 * first + 340 for first in range(5, 51, 5)],
    "reports/003/batch-curves": [4_415],
    "reports/004/cifar3": [36_458, 46_842, 430_102],
    "reports/004/gradnorm-cifar": [36_458, 46_842, 430_102],
    "reports/004/randlabels": [149_002],
    "reports/004/params": [
        *(11_085, 12_029, 13_656, 16_904, 29_254, 52_004),
        *(63_054, 74_754, 83_854, 130_122, 425_194),
    ],
}

# every claim of the reports that is about images and needs no special instrument, and where it is judged
CLAIMS = {
    "S000-13": "reports/000/randlabels",
    "S000-14": "reports/000/randlabels",
    "S000-15": "reports/000/params",
    "S000-16": "reports/000/params",
    "S001-2": "reports/001/actual-cifar",
    "S001-4": "reports/001/gradnorm",
    "S001-5": "reports/001/gradnorm",
    "S001-7": "reports/001/params",
    "S002-4": "reports/002/cifar10",
    "S002-5": "reports/002/cifar10",
    "S002-6": "reports/002/mnist",
    "S002-10": "reports/002/randlabels",
    "S002-11": "reports/002/params",
    "S002-12": "reports/002/params",
    "S003-3": "reports/003/mnist",
    "S003-4": "reports/003/mnist",
    "S003-6": "reports/003/gradnorm",
    "S003-9": "reports/003/randlabels",
    "S003-10": "reports/003/randlabels",
    "S003-11": "reports/003/params",
    "S003-12": "reports/003/batch-curves",
    "S004-4": "reports/004/cifar3",
    "S004-5": "reports/004/cifar3",
    "S004-7": "reports/004/gradnorm-cifar",
    "S004-10": "reports/004/randlabels",
    "S004-11": "reports/004/randlabels",
    "S004-12": "reports/004/params",
}


@cache
def study(name: str) -> Study:
    return catalog.load(name)


@cache
def plan(name: str, budget: Literal["quick", "full"] = "full") -> Plan:
    return study(name).plan(budget)


def multiplications(name: str, budget: Literal["quick", "full"]) -> float:
    """Of all training of a study: three times a forward pass of every example that is met."""
    planned, total = plan(name, budget), 0.0
    for run in planned.runs:
        condition = planned[run.condition]
        task, model = condition.spec.task, condition.spec.model
        once = (
            model.multiplications(task.shape, task.outputs)
            if isinstance(model, CNN)
            else condition.parameters
        )
        total += 3.0 * once * task.size * run.epochs
    return total


def test_every_image_row_is_in_the_catalogue() -> None:
    assert set(ROWS) <= set(catalog.names())
    assert len(ROWS) == 19


def test_titles_are_unique_questions() -> None:
    titles = [study(name).title for name in catalog.names()]
    assert len(set(titles)) == len(titles)
    assert all(study(name).title.endswith("?") and len(study(name).title) <= 110 for name in ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_page_is_short_and_says_whose_experiment_it_is(name: str) -> None:
    assert study(name).report == name.split("/")[1]
    assert study(name).notes
    lines = catalog.page(name).splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 420


@pytest.mark.parametrize("name", ROWS)
def test_networks_have_the_counts_of_the_reports(name: str) -> None:
    assert sorted({c.parameters for c in plan(name).at("as declared")}) == PARAMETERS[name]


@pytest.mark.parametrize("name", SWEEPS)
def test_sizes_are_in_order_so_that_claims_can_go_along_them(name: str) -> None:
    counts = [condition.parameters for condition in plan(name).at("as declared")]
    assert counts == sorted(counts)


@pytest.mark.parametrize("budget", ["full", "quick"])
@pytest.mark.parametrize("name", ROWS)
def test_each_study_plans_at_both_budgets_with_replicates_for_a_verdict(
    name: str, budget: Literal["quick", "full"]
) -> None:
    planned = plan(name, budget)
    assert all(len(cell) == planned.study.replicates for cell in planned.cells.values())
    assert planned.study.replicates >= 6
    assert planned.preliminary == (budget == "quick")


@pytest.mark.parametrize("name", ROWS)
def test_the_quick_budget_takes_minutes(name: str) -> None:
    # 20 Gmultiplications a second and core, two cores
    assert multiplications(name, "quick") / 4e10 < 150


def test_all_quick_budgets_together_take_half_an_hour_at_most() -> None:
    assert sum(multiplications(name, "quick") for name in ROWS) / 4e10 < 1500


def test_every_claim_about_images_is_judged_once() -> None:
    found: dict[str, str] = {}
    for name in ROWS:
        for claim in study(name).claims:
            if claim.id:
                assert claim.id not in found
                found[claim.id] = name
    assert found == CLAIMS


@pytest.mark.parametrize("name", ROWS)
def test_claims_keep_the_reports_words_and_explain_the_translation(name: str) -> None:
    assert study(name).claims
    for claim in study(name).claims:
        assert claim.says
        assert claim.note
        assert not claim.id or re.fullmatch(rf"S{study(name).report}-\d+", claim.id)
        assert not isinstance(claim.test, Untestable)
        assert claim.id or "sentence of the report" in claim.note


@pytest.mark.parametrize("name", ROWS)
def test_published_numbers_belong_to_one_condition_and_a_recorded_epoch(name: str) -> None:
    planned = plan(name)
    grid = {condition.label: dict(condition.levels) for condition in planned.at("as declared")}
    for published in study(name).published:
        (picked,) = select(published.condition, grid).names
        quantity = parse_quantity(published.quantity)
        if isinstance(quantity.at, int):
            assert quantity.at in planned.record.points(planned[picked].epochs)
        assert quantity.recorded() <= set(planned.record.quantities)
        assert published.read_error > 0


@pytest.mark.parametrize("name", [name for name in ROWS if name[8:11] in {"000", "002", "004"}])
def test_reports_with_code_leave_nothing_open(name: str) -> None:
    assert not study(name).assumed
    assert study(name).published or name == "reports/004/gradnorm-cifar"


@pytest.mark.parametrize("name", [name for name in ROWS if name[8:11] in {"001", "003"}])
def test_reports_without_code_try_other_levels_of_what_they_leave_open(name: str) -> None:
    assert study(name).assumed
    assert all(1 <= len(setting.levels) <= 2 and setting.why for setting in study(name).assumed.values())
    base = plan(name).at("as declared")
    for setting in plan(name).settings[1:]:
        changed = plan(name).at(setting)
        assert [c.label for c in changed] == [c.label for c in base]
        assert any((a.spec, a.epochs) != (b.spec, b.epochs) for a, b in zip(changed, base, strict=True))


@pytest.mark.parametrize("name", ROWS)
def test_what_is_stated_is_a_setting(name: str) -> None:
    assert {path.partition(".")[0] for path in study(name).stated} <= set(SETTINGS)


@pytest.mark.parametrize("name", ROWS)
def test_a_full_pass_over_the_training_set_is_recorded_where_a_claim_needs_it_or_rarely(name: str) -> None:
    planned = plan(name)
    full = {"loss", "accuracy", "loss_gap", "accuracy_gap", "gradient_norm", "accuracy.augmented"}
    points = max(len(planned.record.points(c.epochs)) / c.epochs for c in planned.at("as declared"))
    assert not full & set(planned.record.quantities) or points < 0.5 or name == "reports/003/gradnorm"


@pytest.mark.parametrize("name", RANDOM)
def test_random_labels_are_drawn_for_each_replicate_and_only_for_training(name: str) -> None:
    (condition,) = plan(name).at("as declared")
    task = condition.spec.task
    assert isinstance(task, MNIST | CIFAR10)
    assert task.corruption is not None
    assert task.corruption.canonical() == {"kind": "random_labels"}
    assert study(name).seeds.varied() >= {"labels", "init", "order"}


def test_the_report_of_random_labels_is_the_beginning_of_a_longer_run() -> None:
    condition = plan("reports/002/randlabels").conditions[0]
    assert condition.epochs == 600
    assert condition.spec.reset_optimizer == "epoch"
    assert plan("reports/004/randlabels").conditions[0].epochs == 1000


@pytest.mark.parametrize("budget", ["full", "quick"])
def test_the_gradients_of_report_004_come_from_the_runs_of_its_losses(
    budget: Literal["quick", "full"],
) -> None:
    one, two = plan("reports/004/cifar3", budget), plan("reports/004/gradnorm-cifar", budget)
    assert one.cells == two.cells
    assert set(two.record.quantities) <= set(one.record.quantities)


def test_settings_of_the_reports() -> None:
    for name in ("reports/002/mnist", "reports/002/cifar10"):
        for condition in plan(name).conditions:
            assert condition.spec.optimizer.canonical() == {"kind": "adam", "lr": 1e-4}
            assert condition.spec.batch_size == 64
            assert condition.spec.task.canonical() == {"kind": condition.spec.task.kind}
    for condition in plan("reports/004/cifar3").conditions:
        assert condition.spec.schedule.canonical() == {"kind": "step", "every": 10}
        assert condition.spec.optimizer.canonical() == {"kind": "adam", "lr": 4e-4, "weight_decay": 1e-4}
        assert isinstance(condition.spec.task, CIFAR10)
        assert condition.spec.task.augment is not None
        assert condition.spec.task.augment.canonical() == {"kind": "crop_flip"}
    for condition in plan("reports/004/params").conditions:
        assert condition.spec.optimizer.canonical() == {"kind": "adam", "lr": 4e-4}
        assert (condition.spec.batch_size, condition.epochs) == (512, 5)
    for condition in plan("reports/000/params").conditions:
        assert (condition.spec.batch_size, condition.epochs) == (50, 8)
    updates = [
        c.epochs * -(-c.spec.task.size // c.spec.batch_size)
        for c in plan("reports/003/batch-curves").at("as declared")
        if isinstance(c.spec.batch_size, int)
    ]
    assert max(updates) < 1.05 * min(updates)
