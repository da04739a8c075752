"""How much faster two worker processes are than one, on work that is submitted as the engine submits it.

A pool of one worker and a pool of two, each started and warmed up before, take turns; the idle one waits. The images
are synthetic, of MNIST's shape, and lie on a shelf that the workers map. Two workers need two cores that nobody else
uses: what the machine gave meanwhile is measured by a loop that does nothing but count, which takes turns as well.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gradlab.engine.pool import Pool
    from gradlab.train.fleet import Fleet

__all__ = ["TARGET", "line", "measure"]

TARGET = 1.8
"""How many times as fast two workers should be."""

_SLICES = 8
"""Fleets that a turn trains."""
_NUMBERS = 2_000_000
"""What a slice of the plain loop adds up."""


def measure(repeats: int = 5, epochs: int = 1500, images: int = 3200) -> list[dict[str, Any]]:
    """Time the training of small networks, and of networks on MNIST, by one worker and by two.

    Args:
        repeats: Turns that each pool takes.
        epochs: Of the small networks, 571 parameters at full batch on 500 points.
        images: Of the networks on MNIST, which train for an epoch.

    Returns:
        A row for each kind of network: `name`, `one_seconds` and `two_seconds` (the shortest turns), the medians
        `one_seconds_median` and `two_seconds_median`, `speedup` (one over two), `machine` (the same of counting),
        `target` and `n`, the turns.
    """
    from gradlab.engine.pool import Pool
    from gradlab.engine.shelf import Shelf

    with tempfile.TemporaryDirectory() as folder:
        fleets = {
            "571 parameters, full batch": [_small(epochs, k) for k in range(_SLICES)],
            "MNIST MLP 784-256-128-10, batch size 64": _mnist(images, Shelf(Path(folder))),
        }
        from gradlab.engine.worker import kernel_of, load

        kernels = tuple(sorted({kernel_of(fleet.spec) for group in fleets.values() for fleet in group}))
        load(kernels)  # compiles, so that the workers find it in the cache
        pools = {1: Pool(1, kernels=kernels, apart=True), 2: Pool(2, kernels=kernels)}
        try:
            return [_row(name, group, pools, repeats) for name, group in fleets.items()]
        finally:
            for pool in pools.values():
                pool.stop()


def line(row: Mapping[str, Any]) -> str:
    """A row of `measure` as text.

    >>> row = {"name": "MLP", "one_seconds": 2.0, "two_seconds": 1.0, "speedup": 2.0, "machine": 2.0, "target": 1.8}
    >>> line(row | {"n": 5})
    'MLP: 2.00 s with one worker, 1.00 s with two: 2.00x (the machine gave 2.00x), target 1.8x, n = 5'
    """
    times = f"{row['one_seconds']:.2f} s with one worker, {row['two_seconds']:.2f} s with two"
    ratio = f"{row['speedup']:.2f}x (the machine gave {row['machine']:.2f}x)"
    return f"{row['name']}: {times}: {ratio}, target {row['target']}x, n = {row['n']}"


def _row(name: str, fleets: list[Fleet], pools: dict[int, Pool], repeats: int) -> dict[str, Any]:
    times: dict[int, list[float]] = {workers: [] for workers in pools}
    counting: dict[int, list[float]] = {workers: [] for workers in pools}
    for turn in range(repeats + 1):
        for workers, pool in pools.items():
            taken = _seconds(lambda pool=pool: _train(pool, fleets))
            plain = _seconds(lambda pool=pool: _count(pool))
            if turn:  # the first turn starts the processes
                times[workers].append(taken)
                counting[workers].append(plain)
    one, two = times[1], times[2]
    return {
        "name": name,
        "one_seconds": min(one),
        "one_seconds_median": median(one),
        "two_seconds": min(two),
        "two_seconds_median": median(two),
        "speedup": min(one) / min(two),
        "machine": min(counting[1]) / min(counting[2]),
        "target": TARGET,
        "n": repeats,
    }


def _train(pool: Pool, fleets: list[Fleet]) -> None:
    from gradlab.engine.worker import work

    futures = [pool.submit(work, None, fleet, None, fleet.epochs) for fleet in fleets]
    wait(futures)
    for future in futures:
        future.result()


def _count(pool: Pool) -> None:
    wait([pool.submit(sum, range(_NUMBERS)) for _ in range(_SLICES)])


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _small(epochs: int, replicate: int) -> Fleet:
    from gradlab.model import MLP
    from gradlab.study.recipe import Adam
    from gradlab.study.spec import Spec
    from gradlab.task import Function
    from gradlab.task.data import build_data

    task = Function("sin", low=-5, high=5, points=500)
    spec = Spec(task=task, model=MLP(5, 10, 10, 10, 10, 10, 5), optimizer=Adam(lr=1e-3), loss="mse")
    return _fleet(spec, epochs, build_data(task, _seeds(0), 0.0), replicate)


def _mnist(images: int, shelf: Any) -> list[Fleet]:
    from gradlab.model import MLP
    from gradlab.study.recipe import Adam
    from gradlab.study.spec import Spec
    from gradlab.task import Arrays
    from gradlab.task.data import build_data

    generator = np.random.default_rng(0)
    x = generator.random((images, 784), dtype=np.float32)
    task = Arrays(x, generator.integers(0, 10, images))
    spec = Spec(task=task, model=MLP(256, 128), optimizer=Adam(lr=1e-3), loss="cross_entropy", batch_size=64)
    data = shelf.put(build_data(task, _seeds(0), 0.0))
    return [_fleet(spec, 1, data, k) for k in range(_SLICES)]


def _fleet(spec: Any, epochs: int, data: Any, replicate: int) -> Fleet:
    from gradlab.study.record import Record
    from gradlab.train.fleet import Fleet, Member

    record = Record(("loss.running" if spec.loss == "cross_entropy" else "loss",))
    return Fleet(spec, epochs, record, "kernel", (data,), (Member(f"run-{replicate}", _seeds(replicate)),))


def _seeds(replicate: int) -> dict[str, int]:
    purposes = ("data", "labels", "probe", "init", "order", "dropout")
    return {purpose: replicate if place > 2 else 0 for place, purpose in enumerate(purposes)}
