"""First states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fleets import PURPOSES, spec_of

from gradlab.model import CNN, MLP, TorchStream
from gradlab.model.draw import default_weights, torch_stream_weights
from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.task import Arrays
from gradlab.train.fleet import Member
from gradlab.train.network import build_network
from gradlab.train.start import first_state

SEEDS = dict.fromkeys(PURPOSES, 0)


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (SGD(lr=1.0), []),
        (SGD(lr=1.0, momentum=0.9), ["momentum_buffer"]),
        (Adam(lr=1.0), ["exp_avg", "exp_avg_sq"]),
        (AdamW(lr=1.0), ["exp_avg", "exp_avg_sq"]),
        (RMSprop(lr=1.0), ["square_avg"]),
        (RMSprop(lr=1.0, momentum=0.9), ["square_avg", "momentum_buffer"]),
    ],
)
def test_slots_are_torchs(optimizer: object, names: list[str]) -> None:
    state = first_state(spec_of(optimizer=optimizer), Member("r", SEEDS))
    assert list(state.slots) == names
    assert all((slot == 0).all() and slot.dtype == np.float32 for slot in state.slots.values())


def test_the_init_seed_moves_a_torch_stream_as_another_seed_of_the_script_would() -> None:
    spec = spec_of(model=MLP(4), initial=TorchStream(5, 100))
    state = first_state(spec, Member("r", SEEDS | {"init": 2}))
    np.testing.assert_array_equal(state.weights, torch_stream_weights(MLP(4).tensors((1,), 1), 7, 100))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_norm_begins_as_torchs_does(dtype: str) -> None:
    model = CNN("conv 3x2, norm, 4, norm")
    spec = spec_of(model=model, task=Arrays(np.zeros((4, 1, 5, 5)), np.arange(4)), dtype=dtype)
    state = first_state(spec, Member("r", SEEDS))
    network = build_network(model, (1, 5, 5), 4, torch.float32 if dtype == "float32" else torch.float64)
    assert list(state.buffers) == [name for name, _ in network.named_buffers()]
    for name, buffer in network.named_buffers():
        np.testing.assert_array_equal(state.buffers[name], buffer.numpy(), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_drawn_in_float64_and_rounded(dtype: str) -> None:
    state = first_state(spec_of(model=MLP(4), dtype=dtype), Member("r", SEEDS | {"init": 3}))
    assert state.weights.dtype == dtype
    np.testing.assert_array_equal(state.weights, default_weights(MLP(4).tensors((1,), 1), 3).astype(dtype))
