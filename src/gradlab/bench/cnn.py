"""One optimizer step of small convolutional networks: the fused kernel against PyTorch's eager loop.

Images are synthetic, of the published sets' shapes: no time depends on what they show. Everything is on one thread, in
float32, with Adam (in PyTorch its fused form), gathers random rows from memory, and takes turns; ratios are of the
shortest times. PyTorch runs with channels first, as people write it, and with channels last, which suits it better.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from gradlab.model.cnn import CNN

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["CASES", "Case", "measure"]

FIRST = "eager, data in memory, fused Adam"
LAST = "the same, channels last"


@dataclass(frozen=True)
class Case:
    """One timing.

    Attributes:
        name: what is timed.
        layers: the network.
        shape: of an image.
        batch: images a step.
        steps: the kernel's steps in one turn.
        peer_steps: a peer's steps in one turn.
    """

    name: str
    layers: str
    shape: tuple[int, int, int]
    batch: int
    steps: int
    peer_steps: int


CASES = (
    Case(
        "MNIST CNN (371,581 parameters), batch size 64", "conv 10x3, pool 2, conv 16x3, pool 2, 512, 256, 125",
        (1, 28, 28), 64, 40, 10,
    ),
    Case(
        "CIFAR Model 21 (11,085 parameters), batch size 512",
        ", ".join(f"conv {channels}x3 pad 1, pool 2" for channels in (8, 10, 20, 25, 16)), (3, 32, 32), 512, 6, 2,
    ),
)  # fmt: skip


def measure(repeats: int = 15, cases: tuple[Case, ...] = CASES) -> list[dict[str, Any]]:
    """Time a step of each network, and the peers in turn.

    Args:
        repeats: Turns that each takes.
        cases: What to time.

    Returns:
        A row for each case and peer, as `gradlab.bench.kernel.measure` gives them.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for case in cases for row in _rows(case, repeats)]
    finally:
        torch.set_num_threads(threads)


def _rows(case: Case, repeats: int) -> list[dict[str, Any]]:
    turns = {"ours": (_kernel(case), case.steps)}
    turns |= {name: (_torch(case, last=name == LAST), case.peer_steps) for name in (FIRST, LAST)}
    times: dict[str, list[float]] = {name: [] for name in turns}
    for turn in range(repeats + 1):
        for name, (run, steps) in turns.items():
            begun = time.perf_counter()
            run()
            if turn:  # the first turn compiles and warms up
                times[name].append((time.perf_counter() - begun) / steps * 1e6)
    own = times.pop("ours")
    row = {"name": case.name, "microseconds": min(own), "microseconds_median": median(own), "n": repeats}
    return [
        row
        | {"peer": name, "peer_microseconds": min(theirs), "peer_microseconds_median": median(theirs)}
        | {"ratio": min(theirs) / min(own)}
        for name, theirs in times.items()
    ]


def _images(case: Case) -> tuple[Array, Array, Array]:
    """Images, labels, and an order to take them in."""
    generator, count = np.random.default_rng(0), case.steps * case.batch
    x = generator.random((count, *case.shape), np.float32)
    return x, generator.integers(0, 10, count), generator.permutation(count).astype(np.int32)


def _kernel(case: Case) -> Callable[[], object]:
    """An epoch of the fused kernel."""
    from gradlab.train.kernel.image_program import ImageProgram
    from gradlab.train.kernel.images import ImageKernel

    x, y, order = _images(case)
    network = CNN(case.layers)
    program, generator = ImageProgram(network.resolved(case.shape, 10)), np.random.default_rng(1)
    parts = [
        generator.uniform(-1, 1, tensor.size) / np.sqrt(tensor.fan_in)
        for tensor in network.tensors(case.shape, 10)
    ]
    weights = np.concatenate(parts).astype(np.float32)
    slots = {name: np.zeros_like(weights) for name in program.slots}
    kernel = ImageKernel(program, np.float32, case.batch)
    return lambda: kernel.train(
        x, y, batch=case.batch, order=order, lr=1e-3, weights=weights, slots=slots, updates=0
    )


def _torch(case: Case, *, last: bool) -> Callable[[], object]:
    """Some steps of the loop that a user would write."""
    import torch
    from torch.nn import functional

    from gradlab.train.network import build_network

    x, y, order = (torch.from_numpy(array) for array in _images(case))
    layout = torch.channels_last if last else torch.contiguous_format
    x = x.contiguous(memory_format=layout)
    network: Any = build_network(CNN(case.layers), case.shape, 10, torch.float32)
    network = network.to(memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    places = order.long().split(case.batch)

    def run() -> None:
        for chosen in places[: case.peer_steps]:
            optimizer.zero_grad()
            functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
            optimizer.step()

    return run
