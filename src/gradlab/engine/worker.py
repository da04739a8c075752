"""What happens in a worker process: one call that trains a fleet for a while, on one thread.

Workers open no store and hold nothing between calls but the data that they have mapped, and a worker ends when
its coordinator is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from gradlab.engine.recovery import short_of_memory
from gradlab.engine.shelf import fetched
from gradlab.model.cnn import CNN
from gradlab.model.mlp import MLP

if TYPE_CHECKING:
    from gradlab.store.rows import Points
    from gradlab.study.spec import Spec
    from gradlab.train.fleet import Fleet, Trace
    from gradlab.train.state import State

    States = tuple[State, ...]
    Traces = tuple[Trace, ...]
    Advance = Callable[[Fleet, States | None, int], tuple[States, Traces]]

__all__ = ["begin", "kernel_of", "load", "single_threaded", "work"]

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

WATCH_SECONDS = 0.5


def begin(coordinator: int, kernels: tuple[str, ...] = ()) -> None:
    """Prepare a worker process: one thread, signals left to the coordinator, an end when that ends.

    Args:
        coordinator: Process id of the coordinator.
        kernels: The fused kernels that are loaded, so that no slice pays for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LIBRARIES:
        os.environ[name] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    threading.Thread(target=_watch, args=(coordinator,), daemon=True, name="coordinator-watch").start()
    with suppress(Exception):  # a slice that needs the kernel will say what is wrong with it
        load(kernels)


def kernel_of(spec: Spec) -> str:
    """What `load` takes to have the fused kernel of a specification at hand."""
    if isinstance(spec.model, CNN):
        return f"{spec.dtype} images"
    from gradlab.train.kernel import is_wide

    assert isinstance(spec.model, MLP)
    wide = is_wide(spec.model.widths(spec.task.inputs, spec.task.outputs))
    return f"{spec.dtype} wide" if wide else spec.dtype


def load(kernels: Sequence[str]) -> None:
    """Compile fused kernels, or load what was compiled before.

    Args:
        kernels: "float32", "float64", or these with " wide" for wide multilayer perceptrons, or with " images" for
            convolutional networks.
    """
    for name in kernels:
        dtype, _, kind = name.partition(" ")
        if kind == "images":
            from gradlab.train.kernel.images import compile_images

            compile_images(dtype)
        else:
            from gradlab.train import kernel

            kernel.compile(dtype, wide=kind == "wide")


def _watch(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def work(
    advance: Advance | None, fleet: Fleet, states: States | None, until: int, stops: Sequence[int] = ()
) -> tuple[States, Traces, float, tuple[States, ...]]:
    """Train a fleet for a while.

    Args:
        advance: What trains; `gradlab.train.advance.advance` if not given.
        fleet: The fleet.
        states: Where it stands; `None` at the beginning.
        until: The epoch to reach.
        stops: Epochs on the way, rising, of which the states are handed back too.

    Returns:
        The states there, what was recorded on the way, the seconds it took, and the states at the stops.

    Raises:
        Lost: Data that the fleet names are not on the shelf any more.
        MemoryError: There is not enough memory, whatever library noticed it.
    """
    if advance is None:
        from gradlab.train.advance import advance
    begun = time.perf_counter()
    passed: list[States] = []
    pieces: list[Traces] = []
    try:
        whole = fetched(fleet)
        for stop in stops:
            states, recorded = advance(whole, states, stop)
            passed.append(states)
            pieces.append(recorded)
        if states is None or not stops or stops[-1] < until:
            states, recorded = advance(whole, states, until)
            pieces.append(recorded)
    except Exception as error:
        if isinstance(error, MemoryError) or not short_of_memory(error):
            raise
        raise MemoryError(str(error)) from error
    traces = pieces[0] if len(pieces) == 1 else tuple(map(_joined, zip(*pieces, strict=True)))
    return states, traces, time.perf_counter() - begun, tuple(passed)


def _joined(pieces: tuple[Trace, ...]) -> Trace:
    """What was recorded of one run between stops, as one trace."""
    from gradlab.train.fleet import Trace

    series: dict[str, list[Points]] = {}
    for piece in pieces:
        for quantity, points in piece.series.items():
            if len(points[0]):
                series.setdefault(quantity, []).append(points)
    return Trace({
        quantity: (np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
        for quantity, parts in series.items()
    })


@contextmanager
def single_threaded() -> Generator[None]:
    """Compute on one thread in this process, as workers do, so that the bits are theirs.

    Yields:
        Nothing.
    """
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in LIBRARIES}
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    os.environ |= dict.fromkeys(LIBRARIES, "1")
    if torch:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch:
            torch.set_num_threads(threads)
