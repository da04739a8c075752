"""The plan: conditions, identity and what runs share."""

from typing import Any

import planted
import pytest

from gradlab import (
    MLP,
    SGD,
    Adam,
    After,
    Cosine,
    Default,
    Digits,
    Function,
    Seeds,
    Step,
    Study,
    TorchStream,
    less,
    vary,
)

SINC = Function("sinc", low=-1, high=1, points=40)


def study(**changes):
    fields = {"title": "A study", "task": SINC, "model": MLP(4), "optimizer": Adam(lr=1e-3)}
    fields |= {"epochs": 10, "replicates": 2}
    return Study(**(fields | changes))


def ids(**changes):
    return [run.id for run in study(**changes).plan().runs]


def test_what_does_not_determine_weights_is_outside_the_identity():
    base = ids()
    assert ids(title="Another") == base
    assert ids(record=["loss", "gradient_norm"]) == base
    assert ids(epochs=20) == base
    assert ids(model={"named": MLP(4)}) == base


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": Adam(lr=2e-3)},
        {"optimizer": SGD(lr=1e-3)},
        {"batch_size": 8},
        {"model": MLP(5)},
        {"task": Function("sinc", low=-1, high=1, points=41)},
        {"dtype": "float64"},
        {"schedule": Step(every=5)},
        {"seeds": Seeds(base=7)},
        {"initial": TorchStream(seed=1)},
        {"reset_optimizer": "epoch"},
        {"objective": "sum_of_outputs"},
    ],
)
def test_what_determines_weights_is_inside_the_identity(change):
    assert not set(ids()) & set(ids(**change))


def test_the_horizon_is_inside_only_where_the_recipe_depends_on_it():
    assert ids(schedule=Cosine()) != ids(schedule=Cosine(), epochs=20)
    assert ids(schedule=Step(every=3)) == ids(schedule=Step(every=3), epochs=20)


def test_more_replicates_extend_a_study():
    assert ids(replicates=5)[:2] == ids(replicates=2)


def test_factors_cross_and_zip():
    model = {"a": MLP(3), "b": MLP(4)}
    crossed = study(model=model, batch_size=vary(4, 8)).plan()
    assert [c.name for c in crossed.conditions] == [
        "a, batch_size=4",
        "a, batch_size=8",
        "b, batch_size=4",
        "b, batch_size=8",
    ]
    zipped = study(model=model, batch_size=vary(4, 8), zipped=[["model", "batch_size"]]).plan()
    assert [(c.name, c.spec.batch_size) for c in zipped.conditions] == [("a", 4), ("b", 8)]


def test_level_names_that_two_factors_share_are_written_with_the_factor():
    plan = study(model={"x": MLP(3), "y": MLP(4)}, optimizer={"x": SGD(lr=0.1), "z": Adam(lr=0.1)}).plan()
    assert [c.name for c in plan.conditions] == [
        "model=x, optimizer=x",
        "model=x, z",
        "y, optimizer=x",
        "y, z",
    ]


def test_named_conditions_set_any_keys():
    plan = study(conditions={"small steps": {"optimizer.lr": 1e-4}, "big batch": {"batch_size": 20}}).plan()
    assert [c.name for c in plan.conditions] == ["small steps", "big batch"]
    assert plan["small steps"].spec.optimizer == Adam(lr=1e-4)
    assert plan["big batch"].spec.batch_size == 20


def test_assumed_levels_are_tried_one_at_a_time():
    plan = study(
        assumed={
            "optimizer.lr": {"levels": {"low": 1e-4, "high": 1e-2}, "why": "not given"},
            "epochs": {"levels": {"long": 30}},
        },
    ).plan()
    assert plan.settings == ("as declared", "optimizer.lr=low", "optimizer.lr=high", "epochs=long")
    assert len(plan.runs) == 6, "a longer horizon is the same run, trained further"
    assert {run.epochs for run in plan.runs if run.condition == "mlp-4"} == {30}
    assert plan.record.extra == (10, 30)


def test_networks_of_one_shape_share_their_initial_weights_and_others_nothing():
    same = study(optimizer=Adam(lr=vary(1e-3, 1e-2))).plan()
    assert same.pairs("lr=0.001", "lr=0.01")
    other = study(model={"a": MLP(3), "b": MLP(4)}).plan()
    assert not other.pairs("a", "b")
    ordered = study(model={"a": MLP(3), "b": MLP(4)}, batch_size=8).plan()
    assert ordered.pairs("a", "b"), "they see the examples in the same order"


def test_fixed_seeds_are_not_shared_draws():
    plan = study(optimizer=Adam(lr=vary(1e-3, 1e-2)), seeds=Seeds(init=3), batch_size=8).plan()
    assert plan.pairs("lr=0.001", "lr=0.01"), "the order varies and is shared"


def test_digits_share_their_split_when_it_varies():
    plan = study(task=Digits(), model={"a": MLP(3), "b": MLP(4)}, seeds=Seeds(data="varied")).plan()
    assert plan.pairs("a", "b")


def test_a_warm_start_runs_after_its_parent_and_has_its_identity():
    warm = {
        "task": {"sinc": SINC, "sgn": Function("sgn", low=-1, high=1, points=40)},
        "initial": {"fresh": Default(), "warm": After({"task": "sinc"})},
        "zipped": [["task", "initial"]],
    }
    plan = study(**warm).plan()
    assert [c.name for c in plan.conditions] == ["sinc", "sgn"]
    parents = {run.id: run for run in plan.runs}
    children = [run for run in plan.runs if run.start_from]
    assert len(children) == 2
    assert all(parents[child.start_from].condition == "sinc" for child in children)
    assert [run.id for run in plan.runs].index(children[0].start_from) < [r.id for r in plan.runs].index(
        children[0].id
    )
    without = dict(warm, initial={"fresh": Default(), "warm": After({"task": "sinc"}, optimizer_state=False)})
    assert {r.id for r in study(**without).plan().runs if r.start_from} != {child.id for child in children}
    assert plan.pairs("sinc", "sgn"), "the child goes on from the parent's own draw"


def test_claims_say_what_is_recorded():
    plan = study(model={"a": MLP(3), "b": MLP(4)}, claims=[less("gradient_norm@last", "a", than="b")]).plan()
    assert "gradient_norm" in plan.record.quantities


def test_modules_that_compute_something_else_are_other_runs():
    from torch import nn

    from gradlab import Module

    def net(activation, dropout=0.0):
        return Module(
            lambda: nn.Sequential(nn.Linear(1, 8), activation(), nn.Dropout(dropout), nn.Linear(8, 1))
        )

    plan = study(model={"relu": net(nn.ReLU), "tanh": net(nn.Tanh), "dropped": net(nn.ReLU, 0.5)}).plan()
    assert len(plan.runs) == 6, "weights and source are the same, behaviour is not"


def test_a_budget_that_changes_training_in_any_way_is_preliminary():
    named = {"conditions": {"long": {"epochs": 50}}, "quick": {"conditions": {"long": {"epochs": 2}}}}
    assert study(**named).plan("quick").preliminary
    assert study(quick={"stop": {"loss_below": 100.0}}).plan("quick").preliminary
    assert not study(quick={"replicates": 1, "record": ["loss"]}).plan("quick").preliminary


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 5}, True),
        ({"task.points": 32}, True),
        ({"epochs": 24}, False),
        ({"replicates": 2}, False),
        ({"optimizer.lr": 1e-2}, False),
        ({"record": ["gradient_norm"]}, False),
    ],
)
def test_less_training_than_the_page_declares_is_preliminary(changes: dict[str, Any], expected: bool) -> None:
    page = planted.study(optimizer={"adam": {"lr": 1e-3}})
    assert page.with_settings(changes).changed_from(page).plan().preliminary == expected
    assert not page.with_settings(changes).plan().preliminary


def test_what_was_changed_before_a_quick_budget_counts_too() -> None:
    page = planted.study(quick={"replicates": 2})
    assert not page.plan("quick").preliminary
    assert page.with_settings({"epochs": 5}).changed_from(page).plan("quick").preliminary
