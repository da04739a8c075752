"""Small studies for the tests of the engine, trained by `fake_advance`."""

from __future__ import annotations

from typing import Any

import fake_advance
import fake_reading
import numpy as np

from gradlab.engine.coordinator import Outcome, run_plan
from gradlab.engine.measuring import MeasureOutcome, measure_plan
from gradlab.model import CNN, MLP
from gradlab.store.lab import Lab
from gradlab.study.instruments import Hessian, Trajectory
from gradlab.study.recipe import Adam
from gradlab.study.record import Every
from gradlab.study.study import Study
from gradlab.task import Arrays, Function


def small(replicates: int = 3, epochs: int = 50, **fields: Any) -> Study:
    """Two architectures, trained in no time."""
    given = {
        "title": "A small study",
        "task": Function("sinc", low=-5, high=5, points=20),
        "model": {"narrow": MLP(3), "wide": MLP(4)},
        "optimizer": Adam(lr=1e-3),
        "epochs": epochs,
        "replicates": replicates,
    }
    return Study(**(given | fields))


def measured(at: Any = (0, 5), **fields: Any) -> Study:
    """The small study with weights looked at on the way and at the end, by one network and by sets of two."""
    instruments = [Hessian(at=(*at, 12)), Trajectory(every=4, runs=2)]
    return small(**({"replicates": 2, "epochs": 12, "measure": instruments} | fields))


def images() -> Study:
    """A convolutional network with dropout on images of noise, ten epochs in minibatches."""
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(96, 1, 8, 8)).astype(np.float32), draw.integers(0, 4, 96)
    return Study(
        title="A small study of images",
        task=Arrays(x, y, test_x=x[:16], test_y=y[:16], classes=4),
        model=CNN("conv 4x3, pool 2, drop 0.25, 12, drop 0.5"),
        optimizer=Adam(lr=1e-2),
        batch_size=10,
        epochs=10,
        replicates=1,
        record=["loss", "loss.running", "accuracy.test"],
        record_at=Every(epochs=1),
    )


def train(study: Study, lab: Lab, advance: Any = fake_advance.advance, **options: Any) -> Outcome:
    """Run a study with a stand-in for training."""
    return run_plan(study.plan(), lab, **({"workers": 1, "advance": advance, "backend": pick} | options))


def measure(study: Study, lab: Lab, reading: Any = fake_reading.weights, **options: Any) -> MeasureOutcome:
    """Take a study's measurements with stand-ins for instruments."""
    return measure_plan(study.plan(), lab, **({"workers": 1, "reading": reading} | options))


def pick(spec: Any) -> str:
    return "kernel"


def digest_of(study: Study, folder: Any, **options: Any) -> str:
    """The digest of an undisturbed run in a fresh lab."""
    with Lab.open(folder, write=True) as lab:
        train(study, lab, **options)
        return lab.digest()
