"""The kernel as a backend."""

from __future__ import annotations

import numpy as np
import pytest
from fleets import fleet_of, same_series, same_state, spec_of, whole

from gradlab.model import MLP
from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.train.fused import program_of
from gradlab.train.start import slot_names


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        SGD(lr=0.1),
        Adam(lr=0.1, beta1=0.8, beta2=0.9, eps=1e-6),
        AdamW(lr=0.1),
        RMSprop(lr=0.1, alpha=0.9, momentum=0.5),
        RMSprop(lr=0.1),
    ],
    ids=str,
)
def test_a_program_says_what_the_spec_says(optimizer: object) -> None:
    spec = spec_of(
        model=MLP(3, activation="leaky_relu", slope=0.2), optimizer=optimizer, reset_optimizer="epoch"
    )
    program = program_of(spec)
    assert program.widths == (1, 3, 1)
    assert (program.activation, program.slope, program.reset_every_epoch) == ("leaky_relu", 0.2, True)
    for name in set(type(optimizer).model_fields) - {"kind", "lr"}:  # type: ignore[attr-defined]
        assert getattr(program, name) == getattr(optimizer, name)
    assert sorted(program.slots) == sorted(slot_names(spec.optimizer))


def test_how_many_orders_are_held_at_once_never_changes_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(spec_of(batch_size=6), 12, quantities=("loss", "gradient_norm", "gradient_norm_batch"))
    states, traces = whole(fleet)
    monkeypatch.setattr("gradlab.train.fused._ORDER_ENTRIES", 70)
    again, parts = whole(fleet)
    same_state(states[0], again[0])
    same_series(traces[0].series, parts[0].series)


def test_a_divergence_between_chunks_ends_training_there(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of(spec_of(batch_size=6, optimizer=SGD(lr=20.0)), 300, quantities=("loss",))
    states, traces = whole(fleet)
    assert states[0].status == "diverged"
    monkeypatch.setattr("gradlab.train.fused._ORDER_ENTRIES", 20)
    again, parts = whole(fleet)
    assert again[0].status_epoch == states[0].status_epoch
    np.testing.assert_array_equal(traces[0].series["loss"][1], parts[0].series["loss"][1])
