"""One optimizer step of a multilayer perceptron on MNIST: the fused kernel, what people write, and the limit.

Images are synthetic, of MNIST's shape and as many as keep a turn short: no time depends on what they show. Everything
is on one thread, in float32, with Adam, and takes turns; ratios are of the shortest times.

The limit is the arithmetic of the step alone, at the speed at which this machine's library multiplies matrices in the
same run: 6 operations a parameter and sample, less the gradient by the images, which nobody needs. Neither the
activations nor the optimizer are in it, though that reads and writes three numbers a parameter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from gradlab.train import kernel
from gradlab.train.kernel import Program

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["measure", "peak", "step_operations"]

WIDTHS, BATCH, IMAGES = (784, 256, 128, 10), 64, 6400
LOADER = "DataLoader and eager loop"
MEMORY = "eager, data in memory, fused Adam"
LIMIT = "arithmetic limit"

_STEPS = {LOADER: 6, MEMORY: 12}
"""Steps of a peer in one turn."""
_SQUARE = 768


def step_operations(widths: tuple[int, ...], batch: int) -> int:
    """Multiplications and additions of one step: forwards, backwards, and no gradient by the inputs.

    >>> step_operations((784, 256, 128, 10), 64) / 1e6
    64.605952
    """
    parameters = sum((a + 1) * b for a, b in pairwise(widths))
    return batch * (6 * parameters - 2 * widths[0] * widths[1])


def measure(
    repeats: int = 25, widths: tuple[int, ...] = WIDTHS, images: int = IMAGES
) -> list[dict[str, Any]]:
    """Time a step, and the peers and a matrix product in turn.

    Args:
        repeats: Turns that each takes.
        widths: The network's.
        images: How many there are.

    Returns:
        A row for each peer as `gradlab.bench.kernel.measure` gives them, and one for the limit, which has `limit`
        (our time over it) in place of `ratio`, and `peak`, operations a second of the matrix product.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours = _kernel(widths, images)
        peers = {LOADER: _loader(widths, images), MEMORY: _memory(widths, images)}
        product = _product()
        times: dict[str, list[float]] = {name: [] for name in ("ours", LIMIT, *peers)}
        for turn in range(repeats + 1):
            mine = {
                "ours": _seconds(ours) / -(-images // BATCH),
                LIMIT: min(_seconds(product) for _ in range(3)),
            }
            mine |= {name: _seconds(peer) / _STEPS[name] for name, peer in peers.items()}
            if turn:  # the first turn compiles and warms up
                for name, value in mine.items():
                    times[name].append(value * 1e6)
    finally:
        torch.set_num_threads(threads)
    own = times["ours"]
    row = {
        "name": f"MNIST MLP {'-'.join(map(str, widths))}, batch size {BATCH}",
        "microseconds": min(own),
        "microseconds_median": median(own),
        "n": repeats,
    }
    rows = [row | _peer(name, times[name]) | {"ratio": min(times[name]) / min(own)} for name in peers]
    speed = 2 * _SQUARE**3 / min(times[LIMIT])
    limit = {"peer": LIMIT, "peer_microseconds": step_operations(widths, BATCH) / speed, "peak": speed * 1e6}
    return [*rows, row | limit | {"ratio": None, "limit": min(own) * speed / step_operations(widths, BATCH)}]


def _peer(name: str, times: list[float]) -> dict[str, Any]:
    return {"peer": name, "peer_microseconds": min(times), "peer_microseconds_median": median(times)}


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def peak(repeats: int = 20) -> float:
    """Operations a second of the library's float32 matrix product, on as many threads as it uses now."""
    product = _product()
    return 2 * _SQUARE**3 / min(_seconds(product) for _ in range(repeats))


def _product() -> Callable[[], object]:
    import torch

    a, out = torch.rand(_SQUARE, _SQUARE), torch.empty(_SQUARE, _SQUARE)
    return lambda: torch.mm(a, a, out=out)


def _images(images: int, inputs: int, classes: int) -> tuple[Array, Array]:
    """Bytes `[n, inputs]` and labels."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (images, inputs), np.uint8)
    return pixels, generator.integers(0, classes, images)


def _kernel(widths: tuple[int, ...], images: int) -> Callable[[], object]:
    """An epoch of the fused kernel."""
    pixels, y = _images(images, widths[0], widths[-1])
    x = (pixels / np.float32(255)).astype(np.float32)
    program, generator = Program(widths, loss="cross_entropy"), np.random.default_rng(1)
    parts = [generator.uniform(-1, 1, (a + 1) * b) / np.sqrt(a) for a, b in pairwise(widths)]
    weights = np.concatenate(parts).astype(np.float32)
    slots, order = program.new_slots(np.float32), generator.permutation(images).astype(np.int32)[None]
    return lambda: kernel.train(
        program, x.T, y, batch_size=BATCH, order=order, lr=np.full(1, 1e-3), weights=weights, slots=slots
    )


def _torch(widths: tuple[int, ...], *, fused: bool) -> tuple[Any, Any, Any]:
    from torch import nn, optim

    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, width in pairwise(widths):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    return model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-3, fused=fused)


def _loader(widths: tuple[int, ...], images: int) -> Callable[[], object]:
    """The loop of every tutorial; an example is made as torchvision's `ToTensor` makes it, but without an image."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    pixels, labels = (torch.from_numpy(array) for array in _images(images, widths[0], widths[-1]))

    class Examples(Dataset[tuple[Any, int]]):
        """Bytes that become numbers when an example is asked for."""

        def __getitem__(self, index: int) -> tuple[Any, int]:
            picture = torch.from_numpy(pixels[index].numpy().copy())
            return picture.contiguous().to(torch.float32).div(255), int(labels[index])

        def __len__(self) -> int:
            return len(pixels)

    examples = Examples()
    model, loss_of, optimizer = _torch(widths, fused=False)

    def run() -> None:
        batches = iter(DataLoader(examples, batch_size=BATCH, shuffle=True))
        for _ in range(_STEPS[LOADER]):
            x, y = next(batches)
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()

    return run


def _memory(widths: tuple[int, ...], images: int) -> Callable[[], object]:
    """The same loop over tensors in memory."""
    import torch

    pixels, labels = _images(images, widths[0], widths[-1])
    x, y = torch.from_numpy(pixels).float().div(255), torch.from_numpy(labels)
    model, loss_of, optimizer = _torch(widths, fused=True)

    def run() -> None:
        for chosen in torch.randperm(images).split(BATCH)[: _STEPS[MEMORY]]:
            optimizer.zero_grad()
            loss_of(model(x[chosen]), y[chosen]).backward()
            optimizer.step()

    return run
