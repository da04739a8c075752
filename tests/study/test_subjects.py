"""What instruments are taken of: runs, pairs and sets, by the specification alone."""

from __future__ import annotations

import pytest
from planted import study

from gradlab import After, Every, Hessian, Interpolation, Seeds, Trajectory, vary
from gradlab.study.plan import Plan
from gradlab.study.subjects import Subject

BETWEEN = Interpolation(between=("b8", "b32"))


def runs(plan: Plan, subject: Subject) -> list[tuple[str, int]]:
    return [(member.condition, plan.cells[member.condition].index(member.run)) for member in subject.members]


def test_a_run_is_measured_by_itself_at_each_epoch() -> None:
    plan = study(measure=[Hessian(at=(4, 12))]).plan()
    subjects = plan.subjects["hessian"]
    assert len(subjects) == 4 * 8 * 2
    assert [(s.group, s.unit, s.epoch) for s in subjects[:3]] == [
        ("fast, b8", 0, 4),
        ("fast, b8", 0, 12),
        ("fast, b8", 1, 4),
    ]
    assert len({subject.key for subject in subjects}) == len(subjects)
    assert subjects[0].same_start is None


def test_two_levels_pair_equal_replicates_and_the_other_factors_make_groups() -> None:
    plan = study(measure=[BETWEEN]).plan()
    groups = plan.groups("interpolation")
    assert {name: group.conditions for name, group in groups.items()} == {
        "fast": ("fast, b8", "fast, b32"),
        "slow": ("slow, b8", "slow, b32"),
    }
    assert groups["slow"].levels == {"optimizer.lr": "slow"}
    subjects = plan.subjects["interpolation"]
    assert len(subjects) == 16
    assert runs(plan, subjects[3]) == [("fast, b8", 3), ("fast, b32", 3)]


def test_pairs_share_no_run() -> None:
    for instrument in (BETWEEN, Interpolation()):
        plan = study(measure=[instrument]).plan()
        members = [m.run for s in plan.subjects["interpolation"] for m in s.members]
        assert len(set(members)) == len(members)


def test_a_group_of_nothing_else_is_named_for_its_ends() -> None:
    plan = study(optimizer={"adam": {"lr": 1e-3}}, measure=[BETWEEN]).plan()
    assert list(plan.groups("interpolation")) == ["b8 to b32"]


def test_named_conditions_can_be_the_ends() -> None:
    plan = study(
        optimizer={"adam": {"lr": 1e-3}},
        batch_size=8,
        conditions={"small": {"batch_size": 4}, "large": {"batch_size": 64}},
        measure=[Interpolation(between=("small", "large"))],
    ).plan()
    (group,) = plan.groups("interpolation").values()
    assert group.conditions == ("small", "large")


def test_factors_that_go_together_differ_together() -> None:
    plan = study(
        epochs=vary(short=6, long=12),
        zipped=[["batch_size", "epochs"]],
        measure=[BETWEEN],
    ).plan()
    assert [group.conditions for group in plan.groups("interpolation").values()] == [
        ("fast, b8", "fast, b32"),
        ("slow, b8", "slow, b32"),
    ]
    first = plan.subjects["interpolation"][0]
    assert [member.epochs for member in first.members] == [(6,), (12,)]


def test_replicates_pair_with_their_neighbours() -> None:
    plan = study(measure=[Interpolation()]).plan()
    subjects = [s for s in plan.subjects["interpolation"] if s.group == "slow, b8"]
    assert [runs(plan, s) for s in subjects[:2]] == [
        [("slow, b8", 0), ("slow, b8", 1)],
        [("slow, b8", 2), ("slow, b8", 3)],
    ]


def test_sets_are_consecutive_replicates_with_their_paths() -> None:
    plan = study(measure=[Trajectory(every=5, runs=4)]).plan()
    subjects = [s for s in plan.subjects["trajectory"] if s.group == "fast, b32"]
    assert [runs(plan, s)[0] for s in subjects] == [("fast, b32", 0), ("fast, b32", 4)]
    assert all(member.epochs == (0, 5, 10) for s in subjects for member in s.members)
    assert plan.unit_size("trajectory") == 4


def test_whether_a_pair_shares_its_start_is_decided_by_the_specification() -> None:
    def same(instrument: Interpolation = BETWEEN, **fields: object) -> set[bool | None]:
        plan = study(measure=[instrument], **fields).plan()
        return {subject.same_start for subject in plan.subjects["interpolation"]}

    assert same() == {True}
    assert same(Interpolation()) == {False}
    assert same(Interpolation(), seeds=Seeds(init=0)) == {True}
    shared = {"small": {"batch_size": 4}, "other": {"batch_size": 64, "initial": {"torch_stream": 3}}}
    assert same(Interpolation(between=("small", "other")), batch_size=8, conditions=shared) == {False}


def test_runs_that_go_on_from_the_same_weights_share_their_start() -> None:
    conditions = {
        "first": {"batch_size": 4},
        "one": {"batch_size": 8, "initial": After({"condition": "first"})},
        "two": {"batch_size": 64, "initial": After({"condition": "first"})},
    }
    plan = study(
        optimizer={"adam": {"lr": 1e-3}},
        batch_size=16,
        conditions=conditions,
        measure=[Interpolation(between=("one", "two"))],
    ).plan()
    assert {subject.same_start for subject in plan.subjects["interpolation"]} == {True}


def test_what_is_measured_is_no_part_of_a_run() -> None:
    bare, full = study().plan(), study(measure=[Hessian(), BETWEEN, Trajectory(runs=4)]).plan()
    assert [run.id for run in bare.runs] == [run.id for run in full.runs]
    assert (bare.subjects, bare.snapshots) == ({}, {})


def test_keys_know_runs_epochs_and_the_seed_of_probes_and_nothing_else() -> None:
    def keys(**fields: object) -> set[str]:
        plan = study(**({"measure": [Hessian(at=(4, 12))]} | fields)).plan()
        return {subject.key for subject in plan.subjects["hessian"]}

    assert keys() == keys(title="Another title", measure=[Hessian(of="gauss_newton", at=(4, 12))])
    assert keys(replicates=4) < keys()
    assert keys(measure=[Hessian(at=12)]) < keys()
    assert not keys(seeds=Seeds(probe=7)) & keys()


def test_where_not_the_last_weights_are_kept_the_result_depends_on_the_horizon() -> None:
    def key(epochs: int, keep: str) -> str:
        own = study(measure=[Hessian(at=4)], epochs=epochs, keep=keep, validation=0.25)
        return own.plan().subjects["hessian"][0].key

    assert key(8, "last") == key(12, "last")
    assert key(8, "best") != key(12, "best")


def test_the_weights_that_must_be_kept_are_those_of_all_subjects() -> None:
    plan = study(measure=[Hessian(at=Every(5)), Trajectory(every=4, runs=4)]).plan()
    assert set(plan.snapshots) == {run.id for run in plan.runs}
    assert set(plan.snapshots.values()) == {(0, 4, 5, 8, 10, 12)}


def test_groups_share_a_draw_where_their_conditions_do() -> None:
    plan = study(measure=[BETWEEN]).plan()
    assert plan.pairs("fast", "slow", "interpolation")
    different = study(
        model={"a": {"mlp": [4]}, "b": {"mlp": [5]}},
        optimizer={"adam": {"lr": 1e-3}},
        measure=[BETWEEN],
        seeds=Seeds(order=0),
    ).plan()
    assert not different.pairs("a", "b", "interpolation")


def test_each_assumed_setting_has_its_own_groups() -> None:
    own = study(
        optimizer={"adam": {"lr": 1e-3}},
        measure=[BETWEEN],
        assumed={"dtype": {"levels": {"double": "float64"}}},
    )
    groups = own.plan().groups("interpolation")
    assert [(g.name, g.label, g.setting) for g in groups.values()] == [
        ("b8 to b32", "b8 to b32", "as declared"),
        ("b8 to b32 [dtype=double]", "b8 to b32", "dtype=double"),
    ]


@pytest.mark.parametrize("kind", ["hessian", "trajectory"])
def test_an_instrument_that_is_not_declared_has_no_groups(kind: str) -> None:
    with pytest.raises(KeyError):
        study(measure=[BETWEEN]).plan().groups(kind)
