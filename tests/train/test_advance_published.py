"""Published numbers come out again, from the published seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fleets import fleet_of, spec_of, whole

from gradlab.model import MLP, After, TorchStream
from gradlab.study.recipe import Adam, LossSettled, RMSprop
from gradlab.study.record import Every
from gradlab.task import Function

HIDDEN = ((5, 10, 10, 10, 10, 10, 5), (10, 18, 15, 4), (190,))
SINC_002 = Function("sinc", low=-5, high=5, points=500)
SGN_002 = Function("sgn", low=-1, high=1, points=200)
SINC_004 = Function("sinc", low=-1, high=1, points=300)
SINC_000 = Function("sinc", low=-1.5, high=1.5, spacing="arange", step=0.01)


def first_loss(
    backend: str, task: Function, hidden: tuple[int, ...], seed: int, position: int, **more: Any
) -> float:
    spec = spec_of(
        task=task, model=MLP(*hidden, activation=more.pop("activation", "relu")),
        optimizer=Adam(lr=1e-3), initial=TorchStream(seed, position), **more,
    )  # fmt: skip
    _, traces = whole(fleet_of(spec, 1, backend=backend, times=Every(epochs=1)))
    return float(traces[0].series["loss"][1][0])


@pytest.mark.parametrize("backend", ["kernel", "loop"])
@pytest.mark.parametrize(
    ("task", "model", "position", "published"),
    [
        (SINC_002, 0, 0, 0.1362752467393875),
        (SINC_002, 1, 571, 0.03042779),
        (SINC_002, 2, 571 + 572, 0.2061345875263214),
        (SGN_002, 0, 1714, 1.0532151),
        (SGN_002, 1, 1714 + 571, 1.0559642314910889),
        (SGN_002, 2, 1714 + 571 + 572, 1.0552878379821777),
    ],
)
def test_first_losses_of_report_002(
    backend: str, task: Function, model: int, position: int, published: float
) -> None:
    assert first_loss(backend, task, HIDDEN[model], 2, position) == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize("backend", ["kernel", "loop"])
@pytest.mark.parametrize(
    ("model", "position", "published"),
    [(0, 0, 0.2277182192), (1, 573, 0.2084691674), (2, 573 + 574, 0.0998407379)],
)
def test_first_losses_of_report_004(backend: str, model: int, position: int, published: float) -> None:
    found = first_loss(
        backend, SINC_004, (1, *HIDDEN[model]), 42, position, activation="leaky_relu", batch_size=300
    )  # the loss before the first step does not depend on the size of the batch
    assert found == pytest.approx(published, abs=1e-6)


def test_the_collapse_of_report_002_gradnorm_wd() -> None:
    spec = spec_of(
        task=SINC_002,
        model=MLP(*HIDDEN[0]),
        optimizer=Adam(lr=1e-3, weight_decay=1e-4),
        initial=TorchStream(1),
    )
    _, traces = whole(fleet_of(spec, 500, quantities=("loss", "gradient_norm"), times=Every(epochs=500)))
    series = traces[0].series
    assert series["loss"][1][0] == pytest.approx(0.10713589936494827, abs=1e-6)
    assert series["loss"][1][1] == pytest.approx(0.01947423, abs=1e-7)
    assert series["gradient_norm"][1][0] == pytest.approx(0.593, abs=5e-4)
    assert series["flag_constant"][1].tolist() == [1]
    np.testing.assert_allclose(series["predictions"][1], 0.0201679, atol=2e-4)


def test_report_002_without_decay_learns() -> None:
    spec = spec_of(task=SINC_002, model=MLP(*HIDDEN[0]), optimizer=Adam(lr=1e-3), initial=TorchStream(2))
    _, traces = whole(fleet_of(spec, 500, quantities=("loss", "gradient_norm"), times=Every(epochs=500)))
    series = traces[0].series
    assert series["loss"][1][1] == pytest.approx(0.00185969, rel=1e-3)
    assert series["gradient_norm"][1][0] == pytest.approx(0.73770, abs=1e-5)
    assert series["flag_constant"][1].tolist() == [0]


FIELDS_000: dict[str, Any] = {"optimizer": RMSprop(lr=1e-3, weight_decay=1e-4), "stop": LossSettled()}


def test_report_000_to_print_precision_early_on() -> None:
    spec = spec_of(
        task=SINC_000, model=MLP(*HIDDEN[0], activation="leaky_relu"), initial=TorchStream(1), **FIELDS_000
    )
    fleet = fleet_of(spec, 1000, quantities=("loss", "tolerance_accuracy"), times=Every(epochs=500))
    _, traces = whole(fleet)
    assert traces[0].series["loss"][1][1] == pytest.approx(0.0050, abs=5e-5)
    assert traces[0].series["loss"][1][2] == pytest.approx(0.0028, abs=1.5e-4)
    assert traces[0].series["tolerance_accuracy"][1][1:] == pytest.approx([0.85, 0.95], abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "position", "stop", "onward"), [(0, 0, 16_950, 0.6389), (1, 571, 10_850, 0.6359)]
)
def test_report_000_stops_where_it_did_and_goes_on_from_there(
    model: int, position: int, stop: int, onward: float
) -> None:
    net = MLP(*HIDDEN[model], activation="leaky_relu")
    states, traces = whole(
        fleet_of(spec_of(task=SINC_000, model=net, initial=TorchStream(1, position), **FIELDS_000), 20_000)
    )
    assert states[0].status == "stopped"
    assert states[0].status_epoch == pytest.approx(stop, abs=1500)
    assert traces[0].series["loss"][1][-1] == pytest.approx(0.000999, abs=2e-6)
    sgn = SINC_000.model_copy(update={"target": "sgn"})
    fleet = fleet_of(spec_of(task=sgn, model=net, initial=After({"task": "sinc"}), **FIELDS_000), 500)
    fleet = replace(fleet, members=(replace(fleet.members[0], start=states[0]),))
    _, traces = whole(fleet)
    assert traces[0].series["loss"][1][-1] == pytest.approx(onward, abs=0.03)
