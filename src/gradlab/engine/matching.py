"""Which array of a file is which weight of a model: by name, or else by order and shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from gradlab.errors import WeightsError

__all__ = ["Match", "match"]

Shapes = Mapping[str, tuple[int, ...]]

_WRAPPERS = {"module.": "DataParallel", "_orig_mod.": "torch.compile"}
"""Prefixes that wrappers put before every name."""
_COUNTER = "num_batches_tracked"
"""A batch norm's count of batches: evaluation does not need it, and old files lack it."""
_ROWS = 30
"""Lines of a table of mismatches; the rest is counted."""


@dataclass(frozen=True)
class Match:
    """Where each weight of a model is found.

    Attributes:
        names: The file's name for each of the model's.
        how: How they were matched, in words.
    """

    names: Mapping[str, str]
    how: str


def match(found: Shapes, wanted: Shapes, *, ordered: bool) -> Match:
    """Match a file's arrays to a model's weights.

    Names decide where they agree, without a prefix that all share if need be. Otherwise the arrays are taken in
    order if every shape fits; or layer by layer in any order, where shapes leave no choice.

    Args:
        found: Shapes by the file's names, in its order.
        wanted: Shapes by the model's names, in its order.
        ordered: Whether the file's order means anything.

    Returns:
        The match; every array of the file is used, and every weight of the model found.

    Raises:
        WeightsError: There is none; the message shows what differs.

    Example:
        >>> match({"module.fc.weight": (1, 2)}, {"fc.weight": (1, 2)}, ordered=True).how
        "by name, without the 'module.' that DataParallel adds"
    """
    tried = [("", "by name"), *_prefixes(found)]
    for prefix, how in tried:
        names = {name.removeprefix(prefix): name for name in found}
        if _fits({short: found[name] for short, name in names.items()}, wanted):
            return Match({name: names[name] for name in wanted if name in names}, how)
    own = {name: shape for name, shape in wanted.items() if not name.endswith(_COUNTER)}
    theirs = {name: shape for name, shape in found.items() if not name.endswith(_COUNTER)}
    if ordered and list(own.values()) == list(theirs.values()):
        return Match(dict(zip(own, theirs, strict=True)), "by order and shape")
    by_layer = _by_layer(theirs, own)
    if by_layer is not None:
        return Match(by_layer, "by the shapes of layers")
    raise WeightsError(_explained(found, wanted))


def _prefixes(found: Shapes) -> list[tuple[str, str]]:
    """Prefixes that all names share, the wrappers' own first, with how a match without them is told."""
    tried: list[tuple[str, str]] = []
    prefix = ""
    while True:
        heads = {name.removeprefix(prefix).partition(".")[0] for name in found}
        if len(heads) != 1 or not all("." in name.removeprefix(prefix) for name in found):
            return tried
        head = heads.pop() + "."
        prefix += head
        by = f" that {_WRAPPERS[head]} adds" if prefix in _WRAPPERS else ""
        tried.append((prefix, f"by name, without the {prefix!r}{by}"))


def _fits(found: Shapes, wanted: Shapes) -> bool:
    missing = [name for name in wanted if name not in found and not name.endswith(_COUNTER)]
    return not missing and all(wanted.get(name) == shape for name, shape in found.items())


Layers = dict[str, dict[str, tuple[int, ...]]]


def _by_layer(found: Shapes, wanted: Shapes) -> dict[str, str] | None:
    """A match of layers by the names and shapes of their arrays, if it is the only one.

    Layers with equal arrays are told apart by the numbers in their names, if those are all that differs.
    """
    theirs, own = _layers(found), _layers(wanted)
    if len(theirs) != len(own):
        return None
    names: dict[str, str] = {}
    left = dict(theirs)
    for signature in dict.fromkeys(_signature(arrays) for arrays in own.values()):
        mine = [layer for layer, arrays in own.items() if _signature(arrays) == signature]
        same = sorted((layer for layer in left if _signature(left[layer]) == signature), key=_natural)
        if len(same) != len(mine) or len({re.sub(r"\d+", "", layer) for layer in same}) > 1:
            return None
        for layer, other in zip(mine, same, strict=True):
            names |= {f"{layer}{leaf}": f"{other}{leaf}" for leaf in own[layer]}
            del left[other]
    return names


def _layers(shapes: Shapes) -> Layers:
    """Arrays by the layer that they belong to, which is all of a name before its last word."""
    layers: Layers = {}
    for name, shape in shapes.items():
        layer, dot, leaf = name.rpartition(".")
        layers.setdefault(layer + dot, {})[leaf] = shape
    return layers


def _signature(arrays: Mapping[str, tuple[int, ...]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted(arrays.items()))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `fc2` comes before `fc10`."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _explained(found: Shapes, wanted: Shapes) -> str:
    """What differs, as a table: by name where names agree at all, else side by side in order."""
    shared = set(found) & set(wanted)
    if shared:
        pairs = [(name if name in found else "", name) for name in wanted]
        pairs += [(name, "") for name in found if name not in wanted]
    else:
        pairs = list(zip_longest(found, wanted, fillvalue=""))
    rows = [
        (theirs, _shape(found.get(theirs)), own, _shape(wanted.get(own)), _what(theirs, own, found, wanted))
        for theirs, own in pairs
        if found.get(theirs) != wanted.get(own) or not shared
    ]
    heads = ("in the file", "shape", "in the model", "shape", "")
    head = f"the weights do not fit the model: {len(found)} arrays in the file, {len(wanted)} in the model"
    more = f"\n  ... and {len(rows) - _ROWS} more" if len(rows) > _ROWS else ""
    return head + "\n" + _table([heads, *rows[:_ROWS]]) + more


def _what(theirs: str, own: str, found: Shapes, wanted: Shapes) -> str:
    if not theirs:
        return "missing"
    if not own:
        return "unexpected"
    return "" if found[theirs] == wanted[own] else "another shape"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else str(list(shape))


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines)
