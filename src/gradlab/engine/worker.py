"""What happens in a worker process: one call that trains a fleet for a while, on one thread.

Workers open no store and hold nothing between calls, and a worker ends when its coordinator is gone.
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

if TYPE_CHECKING:
    from gradlab.train.fleet import Fleet, Trace
    from gradlab.train.state import State

    States = tuple[State, ...]
    Traces = tuple[Trace, ...]
    Advance = Callable[[Fleet, States | None, int], tuple[States, Traces]]

__all__ = ["begin", "load", "single_threaded", "work"]

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

WATCH_SECONDS = 0.5


def begin(coordinator: int, dtypes: tuple[str, ...] = ()) -> None:
    """Prepare a worker process: one thread, signals left to the coordinator, an end when that ends.

    Args:
        coordinator: Process id of the coordinator.
        dtypes: Types for which the fused kernel is loaded, so that no slice pays for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LIBRARIES:
        os.environ[name] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    threading.Thread(target=_watch, args=(coordinator,), daemon=True, name="coordinator-watch").start()
    with suppress(Exception):  # a slice that needs the kernel will say what is wrong with it
        load(dtypes)


def load(dtypes: Sequence[str]) -> None:
    """Compile the fused kernel, or load what was compiled before.

    Args:
        dtypes: "float32", "float64".
    """
    if dtypes:
        from gradlab.train import kernel

        for dtype in dtypes:
            kernel.compile(dtype)


def _watch(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def work(
    advance: Advance | None, fleet: Fleet, states: States | None, until: int
) -> tuple[States, Traces, float]:
    """Train a fleet for a while.

    Args:
        advance: What trains; `gradlab.train.advance.advance` if not given.
        fleet: The fleet.
        states: Where it stands; `None` at the beginning.
        until: The epoch to reach.

    Returns:
        The states there, what was recorded on the way, and the seconds it took.
    """
    if advance is None:
        from gradlab.train.advance import advance
    begun = time.perf_counter()
    after, traces = advance(fleet, states, until)
    return after, traces, time.perf_counter() - begun


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
