"""Every declared instrument is measured by its function, on the run's own data, in a study from end to end."""

from dataclasses import replace

import numpy as np
import pytest

from gradlab import MLP, Adam, Digits, Function, MeasureError, Study
from gradlab.engine.coordinator import run_plan
from gradlab.engine.measuring import measure_plan
from gradlab.engine.readers import READERS, Sitter, Sitting, Weights, read
from gradlab.store.lab import Lab
from gradlab.study.instruments import (
    INSTRUMENTS,
    CriticalPoint,
    Density,
    Eigenvalues,
    Hessian,
    Interpolation,
    Landscape,
    MinimalRatio,
    Sensitivity,
    Sharpness,
    Trace,
    Trajectory,
)
from gradlab.task.data import build_data

EVERY = (
    Hessian(),
    Eigenvalues(top=2),
    Density(probes=3, steps=8),
    Trace(probes=6),
    CriticalPoint(steps=3),
    MinimalRatio(),
    Sensitivity(sizes=(4,)),
    Sharpness(directions=4),
    Interpolation(points=4),
    Landscape(directions=1, points=3),
    Trajectory(every=2, runs=2),
)


def test_each_kind_that_can_be_declared_has_a_reader():
    assert set(READERS) == set(INSTRUMENTS) == {instrument.kind for instrument in EVERY}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Two trained networks on a function with held-out points."""
    with Lab.open(tmp_path_factory.mktemp("readers") / "lab", write=True) as lab:
        yield lab


def study(*instruments, task=None):
    return Study(
        title="Every instrument",
        task=task or Function("sin", low=0, high=3, points=16, heldout=5),
        model=MLP(3, activation="tanh"),
        optimizer=Adam(lr=0.02),
        epochs=6,
        replicates=2,
        measure=list(instruments),
    )


@pytest.mark.parametrize("instrument", EVERY, ids=lambda instrument: instrument.kind)
def test_an_instrument_gives_what_its_declaration_promises(lab, instrument):
    plan = study(instrument).plan()
    run_plan(plan, lab, workers=1)
    done = measure_plan(plan, lab, workers=1)
    assert done.measured == len(plan.subjects[instrument.kind]) == (2 if instrument.scope == "run" else 1)
    for one in lab.measured(instrument.digest, [s.key for s in plan.subjects[instrument.kind]]).values():
        spec = plan.conditions[0].spec
        promised = {name for name in instrument.gives if not instrument.missing(name, spec)}
        assert promised - {"jacobian_logits", "margin"} <= set(one.values)
        assert one.gradients > 0
        assert one.settings


def test_a_study_measures_and_judges_classes_from_end_to_end(tmp_path):
    asked = Study(
        title="Digits",
        task=Digits(),
        model=MLP(4),
        optimizer=Adam(lr=0.01),
        epochs=3,
        replicates=2,
        measure=[Sensitivity(at=(0, 3), examples=100), Interpolation(points=2, examples=100)],
        claims=["more(sensitivity.fixed@0, than=sensitivity.fixed@3)"],
    )
    from gradlab.engine.study import read_study

    result = asked.run(lab=tmp_path / "lab", workers=1, quiet=True)
    assert result.verdicts[0].replicates == 2
    with Lab.open(tmp_path / "lab") as lab:
        before = lab.digest()
        assert {len(keys) for keys in lab.subjects().values()} == {1, 4}
    again = read_study(asked, tmp_path / "lab")
    assert again.verdicts[0].effect == result.verdicts[0].effect
    more = Study(**(dict(asked) | {"measure": [Trace(), *asked.measure.values()]}))
    read_study(more, tmp_path / "lab")  # trains and measures nothing
    with Lab.open(tmp_path / "lab") as lab:
        assert lab.digest() == before


def sitting(instrument, count, *, slots=None, width=1):
    own = study(instrument).plan()
    spec, run = own.conditions[0].spec, own.runs[0]
    size = own.conditions[0].parameters
    sitters = tuple(
        Sitter(str(seed), ((Weights(6, np.random.default_rng(seed).normal(size=size).astype("f4"), {}),),))
        for seed in range(count)
    )
    data = build_data(spec.task, run.seeds)
    slots = tuple(range(count)) if slots is None else slots
    return Sitting(instrument.kind, instrument, spec, data, 0, sitters, slots, width)


def test_bits_do_not_depend_on_who_else_is_measured_with_a_subject():
    together = read(sitting(Hessian(), 5, width=8))
    for place in range(5):
        (alone,) = read(sitting(Hessian(), 5, width=8).one(place))
        for name, value in together[place].values.items():
            assert np.array_equal(alone[name].value, value.value, equal_nan=True), name


def test_a_choice_of_examples_is_fixed_by_the_seed_and_the_data_are_those_asked_for():
    whole = sitting(Trace(), 1)
    few = sitting(Trace(examples=5), 1)
    assert np.array_equal(few.examples()[0], few.examples()[0])
    assert set(few.examples()[0].ravel()) < set(whole.examples()[0].ravel())
    assert len(few.examples()[1]) == 5
    assert np.array_equal(sitting(Trace(data="test"), 1).examples()[0], whole.data.test_x)


def test_held_out_data_that_are_not_there_are_refused():
    here = sitting(Trace(data="test"), 1)
    bare = build_data(Function("sin", low=0, high=1, points=9), {"data": 0, "labels": 0})
    with pytest.raises(MeasureError, match="no test data"):
        replace(here, data=bare).examples()
