"""The function studies of the five reports: that they load, plan, and say what the reports say."""

import re
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest

from gradlab import catalog
from gradlab.model.draw import torch_stream_weights
from gradlab.model.initial import After, TorchStream
from gradlab.model.mlp import MLP
from gradlab.study import Study
from gradlab.study.factors import SETTINGS
from gradlab.study.kinds import Untestable
from gradlab.study.plan import Condition, Plan
from gradlab.study.quantity import parse_quantity
from gradlab.study.select import select
from gradlab.task.function import Function

NAMES = {
    "000": ["sim-sinc", "sim-sgn", "train-actual", "gradnorm"],
    "001": ["sim-sin", "sim-x3"],
    "002": ["sim-sinc", "sim-sgn", "gradnorm", "gradnorm-wd"],
    "003": ["sim-sinc", "sim-sgn", "gradnorm-func"],
    "004": ["sim-sinc", "sim-sinc-converge", "sim-sgn", "gradnorm"],
}
ROWS = [f"reports/{report}/{name}" for report, names in NAMES.items() for name in names]

# what each report states or its networks count, as declared, in the order of the conditions' networks
PARAMETERS = {
    "reports/000/sim-sinc": {"deep": 571, "medium": 572},
    "reports/000/sim-sgn": {"deep": 571, "medium": 572},
    "reports/000/train-actual": {"deep": 571, "medium": 572},
    "reports/000/gradnorm": {"deep": 572},
    "reports/001/sim-sin": {"two": 2241, "three": 2209},
    "reports/001/sim-x3": {"two": 2241, "three": 2209},
    "reports/002/sim-sinc": {"deep": 571, "medium": 572, "shallow": 571},
    "reports/002/sim-sgn": {"deep": 571, "medium": 572, "shallow": 571},
    "reports/002/gradnorm": {"deep": 571},
    "reports/002/gradnorm-wd": {"": 571},
    "reports/003/sim-sinc": {"deep": 571, "medium": 572, "shallow": 573},
    "reports/003/sim-sgn": {"deep": 571, "medium": 572, "shallow": 573},
    "reports/003/gradnorm-func": {"deep": 571},
    "reports/004/sim-sinc": {"deep": 573, "medium": 574, "shallow": 573},
    "reports/004/sim-sinc-converge": {"deep": 573, "medium": 574, "shallow": 573},
    "reports/004/sim-sgn": {"deep": 573, "medium": 574, "shallow": 573},
    "reports/004/gradnorm": {"medium": 574},
}

# every claim of the reports that is about a function, and where it is judged
CLAIMS = {
    "S000-1": {"reports/000/sim-sinc", "reports/000/train-actual"},
    "S000-2": {"reports/000/sim-sinc"},
    "S000-3": {"reports/000/sim-sinc"},
    "S000-4": {"reports/000/sim-sgn"},
    "S000-5": {"reports/000/sim-sgn", "reports/000/train-actual"},
    "S000-6": {"reports/000/sim-sgn"},
    "S000-7": {"reports/000/sim-sgn"},
    "S000-8": {"reports/000/sim-sgn", "reports/000/train-actual"},
    "S000-10": {"reports/000/gradnorm"},
    "S001-1": {"reports/001/sim-sin", "reports/001/sim-x3"},
    "S002-1": {"reports/002/sim-sinc", "reports/002/sim-sgn"},
    "S002-2": {"reports/002/sim-sinc"},
    "S002-3": {"reports/002/sim-sgn"},
    "S002-7": {"reports/002/gradnorm-wd"},
    "S003-1": {"reports/003/sim-sinc", "reports/003/sim-sgn"},
    "S003-2": {"reports/003/sim-sinc", "reports/003/sim-sgn"},
    "S003-6": {"reports/003/gradnorm-func"},
    "S003-7": {"reports/003/gradnorm-func"},
    "S004-1": {"reports/004/sim-sinc"},
    "S004-2": {"reports/004/sim-sinc-converge"},
    "S004-3": {"reports/004/sim-sgn"},
    "S004-7": {"reports/004/gradnorm"},
    "S004-8": {"reports/004/gradnorm"},
    "S004-9": {"reports/004/gradnorm"},
    "S004-19": {"reports/004/sim-sinc"},
}

# losses before the first update that the scripts printed, or that their seeds give
FIRST_LOSSES = {
    ("reports/002/sim-sinc", "deep"): 0.1362752467,
    ("reports/002/sim-sinc", "medium"): 0.0304277900,
    ("reports/002/sim-sinc", "shallow"): 0.2061345875,
    ("reports/002/sim-sgn", "deep"): 1.0532151,
    ("reports/002/sim-sgn", "medium"): 1.0559642315,
    ("reports/002/sim-sgn", "shallow"): 1.0552878379,
    ("reports/002/gradnorm", "deep"): 0.1362752467,
    ("reports/002/gradnorm-wd", "decay"): 0.1071358994,
    ("reports/002/gradnorm-wd", "no_decay"): 0.1071358994,
    ("reports/004/sim-sinc", "sinc, deep"): 0.2277182192,
    ("reports/004/sim-sinc", "sinc, medium"): 0.2084691674,
    ("reports/004/sim-sinc", "no_decay, shallow"): 0.0998407379,
    ("reports/004/gradnorm", "stopped, medium"): 0.2084691674,
}


@cache
def study(name: str) -> Study:
    return catalog.load(name)


@cache
def plan(name: str, budget: Literal["quick", "full"] = "full") -> Plan:
    return study(name).plan(budget)


def labels(name: str) -> dict[str, dict[str, str]]:
    return {condition.label: dict(condition.levels) for condition in plan(name).at("as declared")}


def mlp(condition: Condition) -> MLP:
    assert isinstance(condition.spec.model, MLP)
    return condition.spec.model


def function(condition: Condition) -> Function:
    assert isinstance(condition.spec.task, Function)
    return condition.spec.task


def test_the_catalogue_holds_every_function_row() -> None:
    assert set(ROWS) <= set(catalog.names())
    assert len(ROWS) == 17


def test_titles_are_unique_questions() -> None:
    titles = [study(name).title for name in ROWS]
    assert len(set(titles)) == len(titles)
    assert all(title.endswith("?") for title in titles)
    assert all(len(title) <= 110 for title in titles)


def test_a_line_of_the_catalogue_tells_title_and_claims_without_validation() -> None:
    found = {entry.name: entry for entry in catalog.entries()}
    assert found["reports/002/sim-sinc"].claims == ("S002-1", "S002-2")
    assert found["reports/004/gradnorm"].title == study("reports/004/gradnorm").title


@pytest.mark.parametrize("name", ROWS)
def test_a_page_is_short_and_says_whose_experiment_it_is(name: str) -> None:
    assert study(name).report == name.split("/")[1]
    assert study(name).source == name
    assert study(name).notes
    lines = catalog.page(name).splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 420


@pytest.mark.parametrize("budget", ["full", "quick"])
@pytest.mark.parametrize("name", ROWS)
def test_each_study_plans_at_both_budgets(name: str, budget: Literal["quick", "full"]) -> None:
    planned = plan(name, budget)
    assert planned.budget == budget
    assert len({run.id for run in planned.runs}) == len(planned.runs)
    assert all(len(cell) == planned.study.replicates for cell in planned.cells.values())


@pytest.mark.parametrize("name", ROWS)
def test_the_quick_budget_keeps_enough_replicates_for_a_verdict(name: str) -> None:
    quick, full = plan(name, "quick"), plan(name)
    assert 6 <= quick.study.replicates <= full.study.replicates
    assert all(quick[c.name].epochs <= full[c.name].epochs for c in quick.conditions)


@pytest.mark.parametrize("name", ROWS)
def test_networks_have_the_stated_number_of_parameters(name: str) -> None:
    found = {c.levels.get("model", ""): c.parameters for c in plan(name).at("as declared")}
    assert found == PARAMETERS[name]


@pytest.mark.parametrize("name", ["reports/001/sim-sin", "reports/001/sim-x3"])
def test_assumed_widths_of_report_001_have_the_stated_counts_too(name: str) -> None:
    found = {c.label: c.parameters for c in plan(name).at("model=other_widths")}
    assert found == {"two": 2241, "three": 2209}


def test_every_function_claim_is_judged_where_it_can_be_tested() -> None:
    found: dict[str, set[str]] = {}
    for name in ROWS:
        for claim in study(name).claims:
            if claim.id:
                found.setdefault(claim.id, set()).add(name)
    assert found == CLAIMS


@pytest.mark.parametrize("name", ROWS)
def test_claims_keep_the_reports_words_and_explain_the_translation(name: str) -> None:
    claims = study(name).claims
    assert claims
    ids = [claim.id for claim in claims if claim.id]
    assert len(set(ids)) == len(ids)
    for claim in claims:
        assert claim.says
        assert claim.note
        assert not claim.id or re.fullmatch(rf"S{study(name).report}-\d+", claim.id)


def test_only_statements_about_the_update_rule_are_untestable() -> None:
    found = {c.id for name in ROWS for c in study(name).claims if isinstance(c.test, Untestable)}
    assert found == {"S003-7", "S004-8"}


@pytest.mark.parametrize("name", ROWS)
def test_published_numbers_belong_to_one_condition_and_a_recorded_epoch(name: str) -> None:
    planned = plan(name)
    for published in study(name).published:
        picked = select(published.condition, labels(name)).names
        assert len(picked) == 1
        quantity = parse_quantity(published.quantity)
        horizon = planned[picked[0]].epochs
        if isinstance(quantity.at, int):
            assert quantity.at in planned.record.points(horizon)
        assert quantity.recorded() <= {*planned.record.quantities, "epochs"}
        assert published.read_error > 0


@pytest.mark.parametrize("name", [name for name in ROWS if name[8:11] in {"000", "002", "004"}])
def test_reports_with_code_leave_nothing_open_and_have_published_numbers(name: str) -> None:
    assert not study(name).assumed
    assert study(name).published


@pytest.mark.parametrize("name", [name for name in ROWS if name[8:11] in {"001", "003"}])
def test_reports_without_code_try_other_levels_of_what_they_leave_open(name: str) -> None:
    assumed = study(name).assumed
    assert {"task", "model", "optimizer"} <= set(assumed)
    assert all(1 <= len(setting.levels) <= 3 and setting.why for setting in assumed.values())
    base, settings = plan(name).at("as declared"), plan(name).settings[1:]
    for setting in settings:
        changed = plan(name).at(setting)
        assert [c.label for c in changed] == [c.label for c in base]
        assert all((a.spec, a.epochs) != (b.spec, b.epochs) for a, b in zip(changed, base, strict=True))


@pytest.mark.parametrize("name", ROWS)
def test_what_is_stated_is_a_setting(name: str) -> None:
    assert {path.partition(".")[0] for path in study(name).stated} <= set(SETTINGS)


@pytest.mark.parametrize(("name", "label"), list(FIRST_LOSSES))
def test_published_seeds_give_the_published_first_losses(name: str, label: str) -> None:
    condition = plan(name)[label]
    task, model, initial = function(condition), mlp(condition), condition.spec.initial
    assert isinstance(initial, TorchStream)
    x = np.linspace(task.low, task.high, task.size)
    widths = model.widths(1, 1)
    weights = torch_stream_weights(model.tensors((1,), 1), initial.seed, initial.position).astype(np.float64)
    a = x[None, :]
    for fan_in, fan_out in pairwise(widths):
        matrix, bias, weights = np.split(weights, [fan_in * fan_out, (fan_in + 1) * fan_out])
        a = matrix.reshape(fan_out, fan_in) @ a + bias[:, None]
        if len(weights):
            a = np.where(a > 0, a, (model.slope if model.activation == "leaky_relu" else 0.0) * a)
    loss = float(np.mean((a[0] - task.formula()(x)) ** 2))
    assert loss == pytest.approx(FIRST_LOSSES[name, label], abs=1e-6)


def test_the_sgn_networks_of_report_000_go_on_from_their_sinc_networks() -> None:
    planned = plan("reports/000/sim-sgn")
    runs = {run.id: run for run in planned.runs}
    for network in ("deep", "medium"):
        initial = planned[f"sgn, {network}"].spec.initial
        assert isinstance(initial, After)
        assert initial.optimizer_state
        for child, parent in zip(
            planned.cells[f"sgn, {network}"], planned.cells[f"sinc, {network}"], strict=True
        ):
            assert runs[child].start_from == parent
    assert planned["sinc, deep"].spec.stop is not None
    assert planned["sinc_fresh, deep"].spec.stop is None


@pytest.mark.parametrize(
    ("name", "label", "other", "same"),
    [
        ("reports/000/train-actual", "sgn, deep", "reports/000/sim-sgn", "sgn, deep"),
        ("reports/000/sim-sgn", "sinc, medium", "reports/000/sim-sinc", "stopped, medium"),
        ("reports/000/sim-sgn", "sinc_fresh, deep", "reports/000/sim-sinc", "unstopped, deep"),
        ("reports/002/gradnorm", "deep", "reports/002/sim-sinc", "deep"),
        ("reports/004/sim-sgn", "shallow", "reports/004/sim-sinc", "sgn, shallow"),
        ("reports/004/sim-sinc-converge", "free, deep", "reports/004/sim-sinc", "no_decay, deep"),
        ("reports/004/gradnorm", "stopped, medium", "reports/004/sim-sinc-converge", "stopped, medium"),
        ("reports/004/gradnorm", "free, medium", "reports/004/sim-sinc-converge", "free, medium"),
    ],
)
@pytest.mark.parametrize("budget", ["full", "quick"])
def test_studies_share_the_runs_that_are_the_same(
    name: str, label: str, other: str, same: str, budget: Literal["quick", "full"]
) -> None:
    one, two = plan(name, budget).cells[label], plan(other, budget).cells[same]
    assert one == two


def test_weight_decay_has_its_control_in_reports_002_and_004() -> None:
    for name, a, b in (
        ("reports/002/gradnorm-wd", "decay", "no_decay"),
        ("reports/004/sim-sinc", "sinc, deep", "no_decay, deep"),
    ):
        one, two = plan(name)[a].spec, plan(name)[b].spec
        assert one.optimizer.weight_decay == 1e-4
        assert two.optimizer.weight_decay == 0
        assert one.canonical() | {"optimizer": 0} == two.canonical() | {"optimizer": 0}
        assert plan(name).pairs(a, b)


def test_settings_of_the_reports() -> None:
    sinc, gradnorm = plan("reports/000/sim-sinc")["stopped, deep"], plan("reports/000/gradnorm")["deep"]
    assert sinc.spec.optimizer.canonical() == {"kind": "rmsprop", "lr": 1e-3, "weight_decay": 1e-4}
    assert gradnorm.spec.optimizer.canonical() == {"kind": "adam", "lr": 1e-3, "weight_decay": 1e-5}
    assert function(sinc).size == 300
    assert sinc.spec.stop == gradnorm.spec.stop
    assert (sinc.epochs, gradnorm.epochs) == (20_000, 2_500)
    converge = plan("reports/004/sim-sinc-converge")["stopped, shallow"]
    assert converge.spec.stop is not None
    assert converge.spec.stop.canonical() == {"kind": "stalled"}
    for name in ROWS[-4:]:
        for condition in plan(name).conditions:
            assert condition.spec.batch_size == 1
            assert condition.spec.optimizer.lr == 4e-4
            assert (mlp(condition).hidden[0], mlp(condition).activation) == (1, "leaky_relu")
    for condition in plan("reports/002/sim-sgn").conditions:
        assert condition.spec.optimizer.canonical() == {"kind": "adam", "lr": 1e-3}
        assert (function(condition).size, condition.spec.batch_size, condition.epochs) == (
            200,
            "full",
            20_000,
        )
