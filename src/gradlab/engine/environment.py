"""What a run was computed with: versions, processor, threads and the study file's commit; nothing secret."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

__all__ = ["cores", "environment"]

PACKAGES = ("gradlab", "torch", "numpy", "numba", "scipy", "scikit-learn", "safetensors")

VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "GRADLAB_DATA",
    "MKL_NUM_THREADS",
    "NUMBA_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_DISABLE_JIT",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
)
"""The only environment variables that are ever stored: none of them holds a secret."""

FEATURES = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
    "sve",
)
"""Processor features on which the bits of a result may depend."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(folder: Path | None = None) -> dict[str, Any]:
    """Facts about the machine and the libraries.

    Args:
        folder: Where the study's file lies, to name the commit it stands at.

    Returns:
        A tree of texts and numbers.
    """
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "threads a worker": 1,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    source = _commit(folder) if folder is not None else None
    return facts | {"source": source} if source else facts


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {"model": platform.processor() or "unknown"}
    facts = dict(re.findall(r"^([^\t:]+?)\s*:\s*(.*)$", text.split("\n\n", 1)[0], re.MULTILINE))
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    model = facts.get("model name") or facts.get("CPU part") or "unknown"
    return {"model": model, "features": [feature for feature in FEATURES if feature in flags]}


def _commit(folder: Path) -> dict[str, Any] | None:
    """The commit that a folder stands at, if it is in a git repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    remote = _git(folder, "remote", "get-url", "origin")
    changed = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    return {"commit": commit, "changed": changed} | (
        {"remote": without_credentials(remote)} if remote else {}
    )


def without_credentials(address: str) -> str:
    """An address without user, password, query and fragment.

    Example:
        >>> without_credentials("https://me:secret@example.org/lab.git?token=1")
        'https://example.org/lab.git'
    """
    parts = urlsplit(address)
    if not parts.scheme:
        return address.rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
