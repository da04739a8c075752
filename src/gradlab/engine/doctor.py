"""What could keep gradlab from working on this machine, looked at before it does."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from gradlab.engine.devices import gpus
from gradlab.engine.environment import cores, environment
from gradlab.engine.memory import total
from gradlab.errors import StoreError
from gradlab.store.lab import Lab
from gradlab.units import memory

__all__ = ["examine"]

LEAST_FREE = 500_000_000
"""Bytes below which a lab is likely to run out of space."""


def examine(lab: Path) -> list[dict[str, Any]]:
    """Check versions, cores, memory, GPUs, the kernel, free space and the lab.

    Args:
        lab: The lab folder; it need not exist and is not made.

    Returns:
        For each check its `name`, whether it is `ok`, and what was `found`.
    """
    facts = environment()
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    checks = [
        _check("python", True, f"{facts['python']} on {facts['system']}"),
        _check("packages", "torch" in facts["packages"], packages),
        _check("processor", True, f"{facts['processor']['model']}, {cores()} cores, one thread a worker"),
        _check("memory", True, memory(total())),
        _gpus(),
        _check("sqlite", sqlite3.sqlite_version_info >= (3, 37), f"{sqlite3.sqlite_version} (needs 3.37)"),
        _kernel(),
        _space(lab),
    ]
    return [*checks, _lab(lab)]


def _check(name: str, ok: bool, found: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found}


def _gpus() -> dict[str, Any]:
    """GPUs are never needed, so it is no problem if there is none."""
    try:
        names = gpus()
    except ImportError as error:
        return _check("gpu", False, f"torch cannot be imported: {error}")
    return _check("gpu", True, f"{', '.join(names)} (train there with --device cuda)" if names else "none")


def _kernel() -> dict[str, Any]:
    import numpy as np

    from gradlab.train import kernel

    try:
        kernel.compile(np.float32)
    except Exception as error:  # whatever the compiler raises is the finding
        return _check("fused kernel", False, f"does not compile: {type(error).__name__}: {error}")
    return _check(
        "fused kernel", True, f"compiles; cache in {os.environ.get('NUMBA_CACHE_DIR', 'the default place')}"
    )


def _space(lab: Path) -> dict[str, Any]:
    place = next(folder for folder in [lab.absolute(), *lab.absolute().parents] if folder.is_dir())
    free = shutil.disk_usage(place).free
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return _check("lab folder", False, f"{place} cannot be written to ({error.strerror})")
    return _check("lab folder", free > LEAST_FREE, f"{free / 1e9:.1f} GB free at {place}")


def _lab(lab: Path) -> dict[str, Any]:
    if not lab.exists():
        return _check("lab", True, f"{lab} is not there yet; `gradlab run` makes it")
    try:
        with Lab.open(lab) as store:
            runs = store.ids()
            database = sqlite3.connect(f"file:{store.file}?mode=ro", uri=True)
            try:
                [found] = database.execute("PRAGMA quick_check(1)").fetchone()
            finally:
                database.close()
        return _check(
            "lab", found == "ok", f"{lab} holds {len(runs)} runs" if found == "ok" else f"{lab}: {found}"
        )
    except (StoreError, sqlite3.DatabaseError) as error:
        return _check("lab", False, str(error))
