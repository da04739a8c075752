"""Statistics of measure against gap the slow way: loops over pairs, from the published formulas."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations, permutations
from math import exp, log2

Row = Sequence[object]


def sign(a: float, b: float) -> int:
    return int(a > b) - int(a < b)


def psi(rows: Sequence[Row], measure: Sequence[float], gap: Sequence[float], column: int) -> float:
    """Mean over cells of the mean of sign products over ordered pairs."""
    cells: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        cells[tuple(value for place, value in enumerate(row) if place != column)].append(index)
    taus = [
        sum(sign(measure[i], measure[j]) * sign(gap[i], gap[j]) for i, j in permutations(cell, 2))
        / (len(cell) * (len(cell) - 1))
        for cell in cells.values()
        if len(cell) > 1
    ]
    return sum(taus) / len(taus)


def information(
    rows: Sequence[Row], measure: Sequence[float], gap: Sequence[float], known: Sequence[int]
) -> tuple[float, float]:
    """Conditional mutual information of the signs over ordered pairs, and the conditional entropy of the gap's."""
    cells: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for i, j in permutations(range(len(rows)), 2):
        if gap[i] != gap[j]:
            key = tuple((rows[i][column], rows[j][column]) for column in known)
            cells[key].append((sign(measure[i], measure[j]), sign(gap[i], gap[j])))
    total = sum(map(len, cells.values()))
    mutual = entropy = 0.0
    for pairs in cells.values():
        joint, one, two = Counter(pairs), Counter(v for v, _ in pairs), Counter(w for _, w in pairs)
        n = len(pairs)
        mutual += n / total * sum(c / n * log2(c * n / one[v] / two[w]) for (v, w), c in joint.items())
        entropy -= n / total * sum(c / n * log2(c / n) for c in two.values())
    return mutual, entropy


def environments(
    rows: Sequence[Row], measure: Sequence[float], gap: Sequence[float], examples: int | None, held: bool
) -> dict[object, tuple[float, float]]:
    """Sign error and effective size of each change of one hyperparameter (with all others told apart if `held`)."""
    found: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for i, j in combinations(range(len(rows)), 2):
        changed = [column for column in range(len(rows[i])) if rows[i][column] != rows[j][column]]
        if len(changed) != 1:
            continue
        (column,) = changed
        levels = frozenset((rows[i][column], rows[j][column]))
        others = tuple(value for place, value in enumerate(rows[i]) if place != column) if held else ()
        weight = 1.0
        if examples is not None:
            weight = max(0.0, 1 - 2 * exp(-2 * examples * (abs(gap[i] - gap[j]) / 2) ** 2)) ** 2
            weight = max(0.0, weight - 0.5)
        error = (1 - sign(measure[i], measure[j]) * sign(gap[i], gap[j])) / 2
        found[column, levels, others].append((weight, error))
    return {
        key: (sum(w * e for w, e in pairs) / sum(w for w, _ in pairs), sum(w for w, _ in pairs) ** 2 / square)
        for key, pairs in found.items()
        if (square := sum(w * w for w, _ in pairs)) > 0
    }
