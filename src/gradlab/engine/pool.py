"""Executors: worker processes of our own, this very process, or whatever the caller brings."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from gradlab.engine import worker
from gradlab.errors import EnvironmentProblem

__all__ = ["Inline", "Pool"]

T = TypeVar("T")

KILLED = 9
"""The signal that ends a process at once, and by which Linux ends one that takes too much memory."""


class Inline(Executor):
    """An executor that computes at once, in this process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call `fn` now; the future that is returned is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # as any executor: the caller finds it in the future
            future.set_exception(error)
        return future


class Pool:
    """Where slices are computed, rebuilt when a worker process dies.

    Args:
        workers: Slices computed at a time; 1 computes in this process.
        executor: An executor to use instead, which the caller shuts down.
        kernels: The fused kernels that new processes load.
        apart: Whether even one worker has a process of its own.
    """

    def __init__(
        self,
        workers: int,
        executor: Executor | None = None,
        kernels: tuple[str, ...] = (),
        *,
        apart: bool = False,
    ) -> None:
        self._kernels = kernels
        self._apart = apart
        self.workers = workers
        self._given = executor
        self._executor: Executor | None = executor

    @property
    def inline(self) -> bool:
        """Whether slices are computed in this process."""
        return self._given is None and self.workers == 1 and not self._apart

    @property
    def own_processes(self) -> bool:
        """Whether slices are computed in processes of our own, on this machine."""
        return self._given is None and not self.inline

    @property
    def width(self) -> int:
        """How many slices should be under way, so that no worker waits while one is stored."""
        return 1 if self.inline else 2 * self.workers

    def submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        """Have a call computed; a pool that is broken says so in the future."""
        if self._executor is None:
            self._executor = Inline() if self.inline else self._processes()
        try:
            return self._executor.submit(fn, *args)
        except BrokenProcessPool as error:
            future: Future[T] = Future()
            future.set_exception(error)
            return future

    def rebuild(self) -> bool:
        """Start again with new workers after one has died.

        Returns:
            Whether the system killed one, as it does where memory runs out.

        Raises:
            EnvironmentProblem: The executor is the caller's, who alone can start it again.
        """
        if self._given is not None:
            raise EnvironmentProblem(
                "the given executor is broken: a worker died; make a new one and run again"
            )
        processes = self._workers()
        self.stop()  # which ends the others by another signal, and waits for them all
        return any(process.exitcode == -KILLED for process in processes)

    def stop(self) -> None:
        """End the workers without waiting for what they compute."""
        if self._given is None and self._executor is not None:
            processes, results = self._workers(), getattr(self._executor, "_result_queue", None)
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            for process in processes:
                process.join(timeout=5)
            if results is not None:
                # Where a worker was ended halfway through handing over a result, a thread of the executor waits for the
                # rest of it, and this process for the thread when it exits. With the workers gone, nobody but this
                # process could still write it: once it cannot either, the thread finds the end and cleans up.
                results._writer.close()
            self._executor = None

    def _workers(self) -> list[Any]:
        return list((getattr(self._executor, "_processes", None) or {}).values())

    def _processes(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker.begin,
            initargs=(os.getpid(), self._kernels),
        )
