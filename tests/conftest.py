"""What tests need and this machine lacks: such tests are left out, and the summary says so."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _chromium() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _missing() -> dict[str, str]:
    """Marks of the tests that cannot run here, each with the reason."""
    missing: dict[str, str] = {}
    if _chromium() is None:
        missing["browser"] = f"found none of {', '.join(BROWSERS)}"
    data = os.environ.get("GRADLAB_DATA")
    if not data:
        missing["data"] = "GRADLAB_DATA is not set"
    elif not Path(data).is_dir():
        missing["data"] = f"GRADLAB_DATA names no folder: {data}"
    return missing


def pytest_configure(config: pytest.Config) -> None:
    # a lab or a debugging switch of whoever runs the tests must not leak into them
    for name in ("GRADLAB_LAB", "GRADLAB_DEBUG"):
        os.environ.pop(name, None)
    # a shell ignores Ctrl-C for what it starts in the background; tests that interrupt a study need it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = set(_missing())
    if "slow" not in config.getoption("markexpr"):
        left_out.add("slow")
    dropped = [item for item in items if left_out & {mark.name for mark in item.iter_markers()}]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for mark, reason in _missing().items():
        terminalreporter.write_line(f"left out: tests marked '{mark}' ({reason})")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for tests marked `browser`."""
    found = _chromium()
    assert found is not None, "mark tests that use a browser with pytest.mark.browser"
    return found


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by the name of their argument: a packed file holds its time, and every worker must name tests alike."""
    return argname if isinstance(val, bytes) else None
