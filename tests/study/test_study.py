"""A study is one page; what is wrong with it is told all at once, and nothing is created."""

import pytest

from gradlab import (
    MLP,
    SGD,
    Adam,
    After,
    Function,
    Module,
    Seeds,
    Study,
    StudyError,
    TorchStream,
    fewer,
    less,
    vary,
)

SINC = Function("sinc", low=-5, high=5, points=100)


def study(**changes):
    fields = {
        "title": "Does depth help?",
        "task": SINC,
        "model": {"deep": MLP(5, 5, 5), "shallow": MLP(12)},
        "optimizer": Adam(lr=1e-3),
        "epochs": 50,
        "replicates": 3,
    }
    return Study(**(fields | changes))


def problems(**changes):
    with pytest.raises(StudyError) as caught:
        study(**changes)
    return {problem.path: problem for problem in caught.value.problems}


def test_the_page_of_the_design_is_a_valid_study():
    found = Study(
        title="Does depth help at equal size?",
        task=Function("sinc", low=-5, high=5, points=500),
        model={"deep": MLP(5, 10, 10, 10, 10, 10, 5), "medium": MLP(10, 18, 15, 4), "shallow": MLP(190)},
        optimizer=Adam(lr=1e-3),
        epochs=20_000,
        replicates=20,
        record=["loss", "gradient_norm"],
        claims=[less("loss", "deep", than="shallow"), fewer("epochs_to(loss, 1e-3)", "deep", than="shallow")],
    )
    plan = found.plan()
    assert [(c.name, c.parameters) for c in plan.conditions] == [
        ("deep", 571),
        ("medium", 572),
        ("shallow", 571),
    ]
    assert len(plan.runs) == 60
    assert plan.record.thresholds == (1e-3,)
    assert set(plan.record.quantities) == {"loss", "gradient_norm"}


def test_all_problems_are_told_at_once():
    found = problems(
        task={"function": "sink", "low": -1, "high": float("nan"), "points": 0},
        model={"deep": {"mlp": [5, -3]}, "wide": {"mlp": [5], "activaton": "relu"}},
        epochs="100",
        batch_size="ful",
        optimiser={"adam": {"lr": 1}},
        claims=["less(loss, deep, than=shalow)", "les(loss, deep)"],
    )
    assert found["task.target"].value == "sink"
    assert "finite" in found["task.high"].message
    assert "at least 1" in found["task.points"].message
    assert found["model.deep.hidden.1"].value == "-3"
    assert found["model.wide.activaton"].suggestion == "activation"
    assert found["epochs"].message == "must be a whole number"
    assert found["batch_size"].suggestion == "full"
    assert found["optimiser"].suggestion == "optimizer"
    assert found["claims.1.test"].suggestion == "less"
    assert "shalow" in found["claims.0"].value


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"loss": "cross_entropy"}, "loss", "does not fit"),
        ({"keep": "best"}, "keep", "validation"),
        ({"keep": "test-best"}, "keep", "held-out"),
        ({"batch_size": 101}, "batch_size", "more than the 100 examples"),
        ({"record": ["loss.test"]}, "record.0", "no held-out data"),
        ({"record": ["accuracy"]}, "record.0", "tolerance_accuracy"),
        ({"record": ["gradient_norm_batch"]}, "record.0", "no minibatch"),
        ({"claims": [less("loss", "deep", than="wide")]}, "claims.0", "no level"),
        ({"zipped": [["model", "optimiser"]]}, "zipped.0", "is not a factor"),
        ({"zipped": [["model", "batch_size"]], "batch_size": vary(1, 2, 4)}, "zipped.0", "equally many"),
        ({"tune": {"optimizer.lr": [1e-3, 1e-2]}}, "tune", "validation"),
        ({"quick": {"epoch": 5}}, "quick: epoch", "not a known key"),
        (
            {"tune": {"optimizer.lr": [0.1, 0.2]}, "assumed": {"optimizer.lr": {"levels": {"slow": 1e-4}}}},
            "tune.optimizer.lr",
            "is assumed",
        ),
        (
            {"validation": 0.2, "claims": ["fewer(epochs_to(loss.validation, 0.1), deep, than=shallow)"]},
            "claims.0",
            "tracked",
        ),
        ({"assumed": {"optimizer.lr": {"levels": {"wild": -1}}}}, "assumed: optimizer.lr", "greater than"),
        ({"conditions": {"odd": {"epoch": 4}}}, "conditions.odd.epoch", "is not a setting"),
        ({"initial": TorchStream(seed=1), "dtype": "float64"}, "initial", "float32"),
        ({"seeds": Seeds(init=3)}, "replicates", "nothing varies"),
        (
            {"initial": vary(fresh="default", warm=After({"model": "nowhere"}))},
            "initial.after",
            "must name one",
        ),
        ({"optimizer": {"fast": SGD(lr=vary(1.0, 2.0))}}, "optimizer.fast", "cannot vary itself"),
    ],
)
def test_impossible_combinations_are_refused(changes, path, words):
    found = problems(**changes)
    assert path in found, found
    assert words in found[path].message


def test_a_module_of_the_wrong_shape_is_refused_with_both_shapes():
    from torch import nn

    found = problems(model=Module(nn.Linear, 3, 1))
    assert "[n, 1]" in found["model"].message
    found = problems(model=Module(nn.Linear, 1, 2))
    assert "[n, 2]" in found["model"].message


def test_settings_change_by_key_path_and_the_original_stays():
    before = study()
    after = before.with_settings({"optimizer.lr": 1e-4, "replicates": 5, "model.deep.activation": "tanh"})
    assert after.optimizer == Adam(lr=1e-4)
    assert dict(after.model.levels)["deep"] == MLP(5, 5, 5, activation="tanh")
    assert before.optimizer == Adam(lr=1e-3)
    assert before.with_settings({"optimizer.sgd.lr": 0.1}).optimizer == SGD(lr=0.1)
    assert before.with_settings({"optimizer": {"lr": 0.5}}).optimizer == Adam(lr=0.5)


def test_a_wrong_key_path_names_what_is_there():
    with pytest.raises(StudyError) as caught:
        study().with_settings({"model.depe.activation": "tanh", "optimizr.lr": 1})
    found = {problem.path: problem for problem in caught.value.problems}
    assert found["model.depe.activation"].suggestion == "deep"
    assert found["optimizr.lr"].suggestion == "optimizer"


def test_the_quick_budget_is_preliminary_only_if_it_cuts_more_than_replicates():
    fewer_runs = study(quick={"replicates": 2})
    assert not fewer_runs.plan("quick").preliminary
    assert len(fewer_runs.plan("quick").runs) == 4
    shorter = study(quick={"epochs": 5})
    assert shorter.plan("quick").preliminary
    assert {run.epochs for run in shorter.plan("quick").runs} == {5}


def test_the_tree_gives_the_same_study_back():
    found = study(
        batch_size=vary(10, 20), record=["loss", "dead_units"], claims=[less("loss", "deep", than="shallow")]
    )
    again = Study(**found.tree())
    assert again == found
    assert [run.id for run in again.plan().runs] == [run.id for run in found.plan().runs]
