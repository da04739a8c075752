"""How long one optimizer step takes in the fused kernel, in PyTorch's eager loop and in JAX, all in this process.

One network, one thread, float32, Adam. Ours and the peers take turns, so that whatever else the machine does falls on
all of them; the ratio is of the shortest times, which that disturbs least, and the medians stand beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from gradlab.train import kernel
from gradlab.train.kernel import Program

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Case:
    """One timing.

    Attributes:
        name: what is timed.
        program: network and optimizer.
        points: samples in the training set.
        batch_size: samples a step; None is all of them.
        steps: the kernel's steps in one turn.
        peer_steps: a peer's steps in one turn.
    """

    name: str
    program: Program
    points: int
    batch_size: int | None
    steps: int
    peer_steps: int


CASES = (
    Case("full batch, 500 points", Program((1, 5, 10, 10, 10, 10, 10, 5, 1)), 500, None, 400, 10),
    Case("batch size 32, 500 points", Program((1, 5, 10, 10, 10, 10, 10, 5, 1)), 500, 32, 1600, 10),
    Case(
        "batch size 1, 300 points, LeakyReLU",
        Program((1, 1, 5, 10, 10, 10, 10, 10, 5, 1), activation="leaky_relu"), 300, 1, 6000, 20,
    ),
)  # fmt: skip


def measure(repeats: int = 25, cases: tuple[Case, ...] = CASES) -> list[dict[str, Any]]:
    """Time the cases against the peers that are installed.

    Args:
        repeats: turns that ours and each peer take.
        cases: what to time.

    Returns:
        A row for each case and peer: `name`, `microseconds` (a step, shortest of the turns), `peer`,
        `peer_microseconds`, `ratio` (peer over ours), the medians `microseconds_median` and
        `peer_microseconds_median`, and `n`, the turns. Numbers of a peer that is not installed are None.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for case in cases for row in _rows(case, repeats)]
    finally:
        torch.set_num_threads(threads)


def _rows(case: Case, repeats: int) -> list[dict[str, Any]]:
    ours = _kernel(case)
    peers = {"PyTorch eager": (_torch(case), case.peer_steps)}
    missing: list[str] = []
    if find_spec("jax") is None:
        missing.append("JAX jit + scan")
    else:
        peers["JAX jit + scan"] = (_jax(case), case.steps // 5)
    times: list[float] = []
    peer_times: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(repeats + 1):
        mine = _per_step(ours, case.steps)
        theirs = {name: _per_step(step, steps) for name, (step, steps) in peers.items()}
        if turn:  # the first turn compiles and warms up
            times.append(mine)
            for name, value in theirs.items():
                peer_times[name].append(value)
    row = {"name": case.name, "microseconds": min(times), "microseconds_median": median(times), "n": repeats}
    return [
        row
        | {
            "peer": name,
            "peer_microseconds": min(values),
            "peer_microseconds_median": median(values),
            "ratio": min(values) / min(times),
        }
        for name, values in peer_times.items()
    ] + [
        row | {"peer": name, "peer_microseconds": None, "peer_microseconds_median": None, "ratio": None}
        for name in missing
    ]


def _per_step(run: Callable[[int], object], steps: int) -> float:
    start = time.perf_counter()
    run(steps)
    return (time.perf_counter() - start) / steps * 1e6


def _problem(case: Case) -> tuple[Array, Array, Array]:
    """Inputs, targets and PyTorch-like initial weights."""
    generator = np.random.default_rng(0)
    x = np.linspace(-5, 5, case.points, dtype=np.float32)[None]
    parts: list[Array] = []
    for inputs, width in pairwise(case.program.widths):
        parts.append(generator.uniform(-1, 1, (inputs + 1) * width) / np.sqrt(inputs))
    return x, np.sinc(5 * x).astype(np.float32), np.concatenate(parts).astype(np.float32)


def _batches(case: Case, steps: int) -> tuple[int, int, Array]:
    """Batch size, epochs that make about `steps` steps, and an order for each."""
    batch = case.batch_size or case.points
    epochs = max(1, steps * batch // case.points)
    generator = np.random.default_rng(1)
    return batch, epochs, np.array([generator.permutation(case.points) for _ in range(epochs)], np.int32)


def _kernel(case: Case) -> Callable[[int], object]:
    x, y, weights = _problem(case)
    slots, updates = case.program.new_slots(np.float32), 0
    _, epochs, order = _batches(case, case.steps)

    def run(steps: int) -> None:
        nonlocal updates
        measured = kernel.train(
            case.program, x, y, batch_size=case.batch_size, order=order if case.batch_size else None,
            lr=np.full(epochs, 1e-3), weights=weights, slots=slots, updates=updates,
        )  # fmt: skip
        updates = measured.updates

    return run


def _torch(case: Case) -> Callable[[int], object]:
    """The loop that a user would write."""
    import torch
    from torch import nn

    x, y, _ = (torch.from_numpy(array.T.copy()) for array in _problem(case))
    widths = case.program.widths
    layers: list[nn.Module] = []
    for inputs, width in pairwise(widths):
        layers += [
            nn.Linear(inputs, width),
            nn.LeakyReLU() if case.program.activation == "leaky_relu" else nn.ReLU(),
        ]
    model, loss_of = nn.Sequential(*layers[:-1]), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch, _, order = _batches(case, case.steps)
    places = list(torch.from_numpy(order[0]).long().split(batch))

    def run(steps: int) -> None:
        for step in range(steps):
            chosen = places[step % len(places)]
            inputs, targets = (x, y) if batch == case.points else (x[chosen], y[chosen])
            optimizer.zero_grad()
            loss_of(model(inputs), targets).backward()
            optimizer.step()

    return run


def _jax(case: Case) -> Callable[[int], object]:
    """The same steps as one compiled scan."""
    import jax  # pyright: ignore[reportMissingImports]
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

    x, y, flat = _problem(case)
    widths = case.program.widths
    slope = case.program.slope if case.program.activation == "leaky_relu" else 0.0

    def loss(weights: Any, inputs: Any, targets: Any) -> Any:
        start, values = 0, inputs
        for layer, (fan_in, width) in enumerate(pairwise(widths)):
            matrix = weights[start : start + fan_in * width].reshape(width, fan_in)
            start += fan_in * width
            values = matrix @ values + weights[start : start + width, None]
            start += width
            if layer < len(widths) - 2:
                values = jnp.where(values > 0, values, slope * values)
        return jnp.mean((values - targets) ** 2)

    batch, _, order = _batches(case, case.steps)
    whole = case.points // batch * batch
    places = jnp.asarray(order[:, :whole].reshape(-1, batch))

    def step(state: Any, k: Any) -> Any:
        weights, mean, square, count = state
        if batch == case.points:
            slopes = jax.grad(loss)(weights, x, y)
        else:
            chosen = places[k % len(places)]
            slopes = jax.grad(loss)(weights, jnp.asarray(x)[:, chosen], jnp.asarray(y)[:, chosen])
        count += 1
        mean = 0.9 * mean + 0.1 * slopes
        square = 0.999 * square + 0.001 * slopes**2
        scale = jnp.sqrt(square / (1 - 0.999**count)) + 1e-8
        return (weights - 1e-3 * mean / (1 - 0.9**count) / scale, mean, square, count), None

    steps = case.steps // 5

    def many(state: Any) -> Any:
        return jax.lax.scan(step, state, jnp.arange(steps))[0]

    scan = jax.jit(many)
    state = (jnp.asarray(flat), jnp.zeros_like(flat), jnp.zeros_like(flat), jnp.float32(0))

    def run(steps: int) -> None:
        nonlocal state
        state = jax.block_until_ready(scan(state))

    return run


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> row = {"name": "full batch", "microseconds": 25.0, "microseconds_median": 26.0, "n": 7, "peer": "PyTorch"}
    >>> print(table([row | {"peer_microseconds": 1000.0, "peer_microseconds_median": 1100.0, "ratio": 40.0}]))
    full batch: 25.0 us a step (median 26.0), PyTorch 1000.0 us (median 1100.0): 40.0x, n = 7
    >>> limit = {"peer": "limit", "peer_microseconds": 20.0, "peak": 84e9, "limit": 1.25, "ratio": None}
    >>> print(table([row | limit]))
    full batch: 25.0 us a step (median 26.0), limit 20.0 us at 84 GF/s: 1.25x it, n = 7
    >>> print(table([row | {"peer_microseconds": None, "peer_microseconds_median": None, "ratio": None}]))
    full batch: 25.0 us a step (median 26.0), PyTorch not installed, n = 7
    """
    lines: list[str] = []
    for row in rows:
        ours = f"{row['name']}: {row['microseconds']:.1f} us a step (median {row['microseconds_median']:.1f})"
        peer = f"{row['peer']} not installed"
        if row.get("limit") is not None:
            peer = f"{row['peer']} {row['peer_microseconds']:.1f} us at {row['peak'] / 1e9:.0f} GF/s"
            peer += f": {row['limit']:.2f}x it"
        elif row["ratio"] is not None:
            peer = f"{row['peer']} {row['peer_microseconds']:.1f} us (median {row['peer_microseconds_median']:.1f})"
            peer += f": {row['ratio']:.1f}x"
        lines.append(f"{ours}, {peer}, n = {row['n']}")
    return "\n".join(lines)
