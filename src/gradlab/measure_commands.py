"""What `gradlab measure` and `gradlab instruments` do, as functions that a notebook can call too."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from gradlab.errors import Problem, UsageError, nearest

if TYPE_CHECKING:
    from gradlab.measure.measurement import Measurement

__all__ = ["COSTS", "described", "measure", "noted", "told"]

FIRST_SECONDS: Final = 3.0
EVERY_SECONDS: Final = 30.0

COSTS: Final[Mapping[str, str]] = {
    "hessian": "D products (2 gradients each) and the eigenvalues of a D x D matrix: to about 5,000 parameters",
    "eigenvalues": "a product (2 gradients) a Lanczos step, some 20 to 100 of them",
    "density": "probes x steps products of 2 gradients",
    "trace": "probes products of 2 gradients",
    "critical_point": "some 100 to 100,000 products of 2 gradients, and one exact Hessian at the end",
    "minimal_ratio": "one exact Hessian; with critical = true a search for a critical point before",
    "trajectory": "no gradient; one pass for each weights on the path, and as many for the plane",
    "interpolation": "one pass of training and test data for each alpha, and one more for batch normalisation",
    "landscape": "points^2 passes for each pair of directions",
    "sensitivity": "2 gradients, those of 2,000 single examples, and a backward pass for each output",
    "sharpness": "some 1,000 gradients",
}
"""What each instrument costs, in full-batch gradients of the network's own loss; every measurement counts its own."""

_OF: Final = {"run": "one network", "pair": "two networks", "set": "networks along one run or several"}
_SCALES: Final = {"ratio": "by their quotient", "difference": "by their difference"}


def measure(
    kind: str,
    weights: Sequence[str | Path],
    model: Any,
    task: Any,
    *,
    out: Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> list[tuple[str, Measurement]]:
    """Measure networks that anybody trained, with notes on stderr where it takes long.

    Args:
        kind: As for `gradlab.engine.applied.applied`, like the next three.
        weights: The files.
        model: What they are the weights of.
        task: The data.
        out: A JSON file to write too.
        quiet: Whether to say nothing meanwhile.
        options: Of `applied`: settings, loss, dtype, same_start, seed.

    Returns:
        Each measurement with what it is of.

    Raises:
        UsageError: `out` cannot be written, which is looked at before anything is measured; or as `applied` says.
    """
    _examine(out)
    from gradlab.engine.applied import applied

    with noted(None if quiet else sys.stderr) as tell:
        found = applied(kind, weights, model, task, tell=tell, **options)
    if out is not None:
        data = [{"weights": name} | measurement.to_dict() for name, measurement in found]
        beside = out.with_name(f".{out.name}.{os.getpid()}")
        beside.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        beside.replace(out)
    return found


@contextmanager
def noted(
    stream: TextIO | None, first: float = FIRST_SECONDS, every: float = EVERY_SECONDS
) -> Generator[Callable[[str], None]]:
    """Say on a stream what is being done, where that takes longer than a moment.

    Args:
        stream: Where to; `None` for nowhere.
        first: Seconds after which it is said.
        every: Seconds after which it is said again.

    Yields:
        A function that takes what is being done now.
    """
    if stream is None:
        yield _unheard
        return
    begun, now, done = time.monotonic(), ["measuring"], threading.Event()

    def talk() -> None:
        wait = first
        while not done.wait(wait):
            print(f"gradlab: {now[0]}; {time.monotonic() - begun:.0f} s", file=stream, flush=True)
            wait = every

    def tell(text: str) -> None:
        now[0] = text

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        done.set()
        thread.join()


def _unheard(text: str) -> None:
    """Take a note for nobody."""


def described(name: str = "") -> list[dict[str, Any]] | dict[str, Any]:
    """The instruments that a study can declare and `gradlab measure` knows.

    Args:
        name: One of them; all if not given.

    Returns:
        Name and meaning of each; of one also its settings, values and cost. JSON-ready.

    Raises:
        UsageError: There is no such instrument.

    Example:
        >>> described("trace")["settings"]["probes"]["default"]
        100
    """
    from gradlab.component import to_tree
    from gradlab.study.instruments import INSTRUMENTS

    if not name:
        return [
            {"name": kind, "of": _OF[cls.scope], "means": _first_line(cls)}
            for kind, cls in INSTRUMENTS.items()
        ]
    if name not in INSTRUMENTS:
        allowed = ", ".join(INSTRUMENTS)
        problem = Problem("instrument", name, "is not known", allowed, nearest(name, INSTRUMENTS))
        raise UsageError([problem])
    cls = INSTRUMENTS[name]
    meanings = {key: text for base in reversed(cls.__mro__) for key, text in _attributes(base).items()}
    return {
        "name": name,
        "of": _OF[cls.scope],
        "means": _first_line(cls),
        "cost": COSTS[name],
        "settings": {
            key: {
                "default": to_tree(field.get_default()),
                "means": meanings.get(key, ""),
                "in": "a study" if key in cls.choosing else "a study and gradlab measure",
            }
            for key, field in cls.model_fields.items()
            if key != "kind"
        },
        "values": {
            key: {
                "means": known.means,
                "axis": known.axis,
                "shape": known.shape,
                "compared": _SCALES[known.scale],
                "bad_end": known.worst,
            }
            for key, known in cls.gives.items()
        },
    }


def told(found: list[dict[str, Any]] | dict[str, Any]) -> str:
    """What `described` found, for a person."""
    if isinstance(found, list):
        width = max(len(entry["name"]) for entry in found)
        return "\n".join(f"{entry['name']:<{width}}  {entry['means']}" for entry in found)
    lines = [f"{found['name']}: {found['means']}", "", f"of     {found['of']}", f"costs  {found['cost']}"]
    lines += ["", "settings"]
    rows = [
        (
            f"{key} = {json.dumps(entry['default']) if entry['default'] is not None else 'not set'}",
            entry["means"] + ("" if entry["in"] != "a study" else " (in a study)"),
        )
        for key, entry in found["settings"].items()
    ]
    lines += _columns(rows)
    lines += ["", f"values, as {found['name']}.VALUE in claims"]
    lines += _columns([
        (key + (f" [{entry['axis']}]" if entry["axis"] else ""), entry["means"])
        for key, entry in found["values"].items()
    ])
    return "\n".join(lines)


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    lines: list[str] = []
    for left, right in rows:
        wrapped = textwrap.wrap(right, max(30, 108 - width)) or [""]
        lines.append(f"  {left:<{width}}  {wrapped[0]}".rstrip())
        lines += [" " * (width + 4) + more for more in wrapped[1:]]
    return lines


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _attributes(cls: type) -> dict[str, str]:
    """The attributes that a docstring explains."""
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in (cls.__doc__ or "").splitlines():
        indent, text = len(line) - len(line.lstrip()), line.strip()
        if indent <= 4 and text:
            inside = text == "Attributes:"
        elif inside and indent == 8 and ": " in text:
            name, _, meaning = text.partition(": ")
            found[name] = meaning
        elif inside and text and name in found:
            found[name] += f" {text}"
    return found


def _examine(out: Path | None) -> None:
    if out is None:
        return
    if out.is_dir():
        raise UsageError([Problem("out", str(out), "is a folder", "a file, as in measured.json")])
    if not out.parent.is_dir():
        raise UsageError([Problem("out", str(out), f"there is no folder {out.parent}")])
