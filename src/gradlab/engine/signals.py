"""Being asked to stop: once, to store what is under way; twice, at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

__all__ = ["Stop"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """While it is entered, the first signal is noted and the second raises `KeyboardInterrupt`.

    Only the main thread can listen to signals; in any other, nothing changes.

    Args:
        say: Called with a line of text when the first signal comes.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = ""
        self._say = say
        self._when = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def seconds(self) -> float:
        """Seconds since the first signal."""
        return time.monotonic() - self._when

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
        self._when = time.monotonic()
        self._say("stopping: what is being computed is stored first; again to stop at once")
