"""The cells of the calibration: a kind of claim, a family of data at its null, a number of replicates.

Each cell draws studies and sends them through the functions that judge real runs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from gradlab.judge import correlation, proportion, sign
from gradlab.judge.calibration.families import PAIRED, UNPAIRED, Draw, Generator, shifted
from gradlab.judge.combine import all_of, holm, not_, two_sided_equivalence
from gradlab.judge.compare import evidence_below
from gradlab.judge.evidence import Array, Evidence, outcomes
from gradlab.judge.sequential import alpha_of_look

__all__ = ["LIMIT", "Cell", "Rates", "all_cells", "run"]

LIMIT: Final = 0.056
"""Largest observed rate of false verdicts that counts as 5 %, at 10,000 studies."""

_BATCH: Final = 2_000
_DRAWS: Final = 4_000
"""Permutations of a simulated study, where a real one gets more: every pattern of ties needs its own."""

_SIZES: Final = (5, 6, 10, 20, 40)
_LOOKS: Final = ((5, 10, 20, 40, 80), (6, 12, 24, 48, 96))
_LATE_LOOKS: Final = (12, 24, 48, 96)

Judge = Callable[[Generator, int, tuple[int, ...]], list[Evidence]]
"""Draws studies and returns the evidence at each look of growing replicates."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        table: `null` (one look), `looks` (extend until supported) or `power`.
        kind: The kind of claim, as it is written.
        data: The family of data.
        looks: Replicates at each look.
        judge: Draws and judges.
        both: Whether both directions are false in this cell; else only `supported` is.
    """

    table: str
    kind: str
    data: str
    looks: tuple[int, ...]
    judge: Judge
    both: bool = True


@dataclass(frozen=True)
class Rates:
    """What a cell came to.

    Attributes:
        cell: The cell.
        studies: Simulated studies.
        supported: Share that ended 'supported'.
        contradicted: Share that ended 'contradicted'.
    """

    cell: Cell
    studies: int
    supported: float
    contradicted: float

    @property
    def worst(self) -> float:
        """The larger rate of false verdicts; 0 in a power cell."""
        if self.cell.table == "power":
            return 0.0
        return max(self.supported, self.contradicted) if self.cell.both else self.supported


def run(cell: Cell, studies: int) -> Rates:
    """Simulate a cell.

    Every study is looked at again and again, each look spending its share, until the verdict that one was
    after; the rates count studies that reach it at any look.

    Args:
        cell: The cell.
        studies: How many studies.

    Returns:
        The rates; the same at every call.
    """
    key = zlib.crc32(f"{cell.table}|{cell.kind}|{cell.data}|{cell.looks}".encode())
    rng = np.random.Generator(np.random.Philox(key=[key, 20_000]))
    supported = contradicted = done = 0
    while done < studies:
        batch = min(_BATCH, studies - done)
        ever_for, ever_against = np.zeros(batch, dtype=bool), np.zeros(batch, dtype=bool)
        for look, evidence in enumerate(cell.judge(rng, batch, cell.looks)):
            decided = outcomes(evidence, alpha_of_look(look))
            ever_for |= decided == "supported"
            ever_against |= decided == "contradicted"
        supported += int(ever_for.sum())
        contradicted += int(ever_against.sum())
        done += batch
    return Rates(cell, studies, supported / studies, contradicted / studies)


def all_cells() -> Iterator[Cell]:
    """Every cell of the published table."""
    yield from _single_looks()
    yield from _growing()
    yield from _power()


def _below(draw: Draw, paired: bool) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        a, b = draw(rng, studies, looks[-1])
        ratio = b.shape[1] // a.shape[1]
        return [evidence_below(a[:, :n], b[:, : ratio * n], paired=paired, draws=_DRAWS) for n in looks]

    return judge


def _equal(draw: Draw, paired: bool, margin: float, at: float) -> Judge:
    moved = shifted(draw, at)

    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        a, b = moved(rng, studies, looks[-1])
        ratio = b.shape[1] // a.shape[1]
        found: list[Evidence] = []
        for n in looks:
            one, two = a[:, :n], b[:, : ratio * n]
            above = evidence_below(one, two - margin, paired=paired, draws=_DRAWS).negated()
            found.append(
                two_sided_equivalence(above, evidence_below(one, two + margin, paired=paired, draws=_DRAWS))
            )
        return found

    return judge


def _share(null: float, truth: float, at_most: bool) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        event = rng.random((studies, looks[-1])) < truth
        found = [proportion.share_at_least(event[:, :n].sum(1), n, null) for n in looks]
        return [not_(each) for each in found] if at_most else found

    return judge


def _shares(a: float, b: float) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        one = rng.random((studies, looks[-1])) < a
        two = rng.random((studies, looks[-1])) < b
        return [proportion.larger_share(one[:, :n].sum(1), n, two[:, :n].sum(1), n) for n in looks]

    return judge


def _correlates(draw: Draw) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        x, y = draw(rng, studies, looks[-1])
        return [correlation.positive(x[:, :n], y[:, :n]) for n in looks]

    return judge


def _conditions(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
    x, y = rng.normal(size=(studies, looks[-1])), rng.normal(size=(studies, looks[-1]))
    return [correlation.exchangeable(x[:, :n], y[:, :n], 2_000) for n in looks]


def _over_epochs(drift: float) -> Judge:
    """Each run is a random walk of 40 recorded epochs; its correlation with time is far from 0 by itself."""

    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        walks = (rng.normal(size=(studies * looks[-1], 40)) + drift).cumsum(axis=1)
        epochs = np.broadcast_to(np.arange(40.0), walks.shape)
        taus = correlation.tau(epochs, walks).reshape(studies, looks[-1])
        return [sign.below(-taus[:, :n], np.zeros((studies, n))) for n in looks]

    return judge


def _trend(scales: tuple[float, ...], steps: tuple[float, ...], dead: float = 0.0) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        groups = [
            rng.normal(size=(studies, looks[-1])) * scale + step
            for scale, step in zip(scales, steps, strict=True)
        ]
        groups = [np.where(rng.random(g.shape) < dead, np.inf, g) for g in groups]
        found: list[Evidence] = []
        for n in looks:
            level = np.broadcast_to(np.repeat(np.arange(float(len(groups))), n), (studies, n * len(groups)))
            found.append(
                correlation.trend(level, np.concatenate([g[:, :n] for g in groups], axis=1), n, 4_000)
            )
        return found

    return judge


def _all_of(parts: tuple[Judge, ...]) -> Judge:
    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        each = [part(rng, studies, looks) for part in parts]
        return [all_of([part[k] for part in each]) for k in range(len(looks))]

    return judge


def _family(parts: tuple[Judge, ...]) -> Judge:
    """Any false verdict among the claims of a report, after Holm."""

    def judge(rng: Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        each = [part(rng, studies, looks) for part in parts]
        found: list[Evidence] = []
        for k in range(len(looks)):
            p_for = np.stack([part[k].p_for for part in each], axis=1)
            p_against = np.stack([part[k].p_against for part in each], axis=1)
            found.append(
                Evidence(
                    _smallest(p_for), _smallest(p_against), each[0][k].floor_for, each[0][k].floor_against
                )
            )
        return found

    return judge


def _smallest(p: Array) -> Array:
    return np.array([holm(row.tolist()).min() for row in p])


def _stepped(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(studies, n)), np.clip(np.round(rng.normal(size=(studies, n))), -1, 1)


def _dependent(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    x = rng.normal(size=(studies, n))
    return x, x * rng.normal(size=(studies, n))


def _valley(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    x = rng.normal(size=(studies, n))
    return x, np.abs(x)


def _half_chain(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    """Rises in a part that holds half of all pairs, falls in the rest: tau = 0."""
    x = rng.random((studies, n))
    return x, np.where(x < np.sqrt(0.5), x, -x)


_CORRELATED: Final[dict[str, Draw]] = {
    "independent": UNPAIRED["normal"],
    "12 % dead in both": UNPAIRED["12 % dead, both"],
    "one has 3 values": _stepped,
    "spread of one grows with the other": _dependent,
    "valley": _valley,
    "half a chain": _half_chain,
}


def _single_looks() -> Iterator[Cell]:
    for n in _SIZES:
        at = (n,)
        for name, draw in UNPAIRED.items():
            yield Cell("null", "less, unpaired", name, at, _below(draw, paired=False))
        for name, draw in PAIRED.items():
            yield Cell("null", "less, paired", name, at, _below(draw, paired=True))
        for name in ("normal", "skewed, mirrored", "spread 1 : 5", "12 % dead, both", "censored, both"):
            yield Cell("null", "equal, unpaired", name, at, _equal(UNPAIRED[name], False, 2.5, 2.5))
        yield Cell(
            "null",
            "equal, unpaired",
            "normal, tiny margin",
            at,
            _equal(UNPAIRED["normal"], False, 0.05, 0.05),
        )
        for name in ("normal", "skewed", "spread 1 : 5", "12 % dead, both"):
            yield Cell("null", "equal, paired", name, at, _equal(PAIRED[name], True, 2.5, 2.5))
        for null in (0.1, 0.5, 0.9):
            yield Cell("null", "share, at least", f"p = {null}", at, _share(null, null, at_most=False))
            yield Cell("null", "share, at most", f"p = {null}", at, _share(null, null, at_most=True))
        for common in (0.03, 0.12, 0.3, 0.5):
            yield Cell("null", "share, than", f"p = {common}", at, _shares(common, common))
        for name, draw in _CORRELATED.items():
            yield Cell("null", "correlates, over runs", name, at, _correlates(draw))
        yield Cell("null", "correlates, over epochs; rises", "random walks", at, _over_epochs(0.0))
        yield Cell("null", "rises along a factor", "normal, 3 levels", at, _trend((1, 1, 1), (0, 0, 0)))
        yield Cell("null", "rises along a factor", "spread 1 : 2 : 5", at, _trend((1, 2, 5), (0, 0, 0)))
        yield Cell("null", "rises along a factor", "spread 5 : 1 : 1", at, _trend((5, 1, 1), (0, 0, 0)))
        yield Cell("null", "rises along a factor", "12 % dead", at, _trend((1, 1, 1), (0, 0, 0), 0.12))
        yield Cell("null", "peaks", "1 of 4 levels", at, _share(0.25, 0.25, at_most=False))
        null, true = (
            _below(UNPAIRED["12 % dead, one side"], False),
            _below(shifted(UNPAIRED["normal"], -3), False),
        )
        yield Cell(
            "null", "all_of, ranked, strict", "one null, one true", at, _all_of((null, true)), both=False
        )
        yield Cell("null", "all_of, ranked, strict", "both null", at, _all_of((null, null)))
        yield Cell("null", "report of 5 claims (Holm)", "all null", at, _family((null,) * 5))
        if n <= 10:
            yield Cell("null", "correlates, over conditions", "exchangeable", at, _conditions)


def _growing() -> Iterator[Cell]:
    for looks in _LOOKS:
        for name, draw in UNPAIRED.items():
            # Nearly every study of the adversary has a pattern of ties of its own, which is slow.
            short = looks[:3] if name == "adversarial" else looks
            yield Cell("looks", "less, unpaired", name, short, _below(draw, paired=False))
        for name, draw in PAIRED.items():
            yield Cell("looks", "less, paired", name, looks, _below(draw, paired=True))
        for name in ("normal", "spread 1 : 5", "12 % dead, both"):
            yield Cell("looks", "equal, unpaired", name, looks, _equal(UNPAIRED[name], False, 2.5, 2.5))
        yield Cell("looks", "equal, paired", "skewed", looks, _equal(PAIRED["skewed"], True, 2.5, 2.5))
        for null in (0.1, 0.5):
            yield Cell("looks", "share, at least", f"p = {null}", looks, _share(null, null, at_most=False))
        for common in (0.12, 0.5):
            yield Cell("looks", "share, than", f"p = {common}", looks, _shares(common, common))
        yield Cell("looks", "correlates, over epochs; rises", "random walks", looks, _over_epochs(0.0))
    for name in ("independent", "spread of one grows with the other", "valley", "half a chain"):
        yield Cell("looks", "correlates, over runs", name, _LATE_LOOKS, _correlates(_CORRELATED[name]))
    yield Cell(
        "looks", "rises along a factor", "spread 1 : 2 : 5", (6, 12, 24, 48), _trend((1, 2, 5), (0, 0, 0))
    )
    null = _below(UNPAIRED["12 % dead, one side"], False)
    yield Cell("looks", "all_of, ranked, strict", "both null", _LOOKS[1], _all_of((null, null)))


def _power() -> Iterator[Cell]:
    for n in (*_SIZES, 80):
        at = (n,)
        one_sd = shifted(UNPAIRED["normal"], -1)
        yield Cell("power", "less, unpaired", "A one sd below B (76 % below)", at, _below(one_sd, False))
        dead = shifted(UNPAIRED["12 % dead, both"], -1)
        yield Cell("power", "less, unpaired", "the same, 12 % dead on both sides", at, _below(dead, False))
        yield Cell(
            "power", "less, paired", "one sd of a difference", at, _below(shifted(_differences, -1), True)
        )
        yield Cell(
            "power",
            "equal, unpaired",
            "no difference, margin 1.5 sd",
            at,
            _equal(UNPAIRED["normal"], False, 1.5, 0),
        )
        yield Cell(
            "power", "equal, paired", "no difference, margin 1 sd", at, _equal(_differences, True, 1.0, 0)
        )
        yield Cell("power", "share, at least", "90 %, claimed 50 %", at, _share(0.5, 0.9, at_most=False))
        yield Cell("power", "share, at most", "1 %, claimed 20 %", at, _share(0.2, 0.01, at_most=True))
        yield Cell("power", "share, than", "50 % against 10 %", at, _shares(0.5, 0.1))
        yield Cell("power", "correlates, over runs", "tau = 0.5", at, _correlates(_correlated))
        yield Cell("power", "correlates, over epochs; rises", "drift 0.1 sd a step", at, _over_epochs(0.1))
        yield Cell(
            "power", "rises along a factor", "half a sd a level, 3 levels", at, _trend((1, 1, 1), (0, 0.5, 1))
        )
        yield Cell("power", "peaks", "70 %, by chance 25 %", at, _share(0.25, 0.7, at_most=False))
        both = (_below(one_sd, False), _below(one_sd, False))
        yield Cell("power", "all_of, ranked, strict", "both one sd", at, _all_of(both))


def _differences(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    return rng.normal(size=(studies, n)), np.zeros((studies, n))


def _correlated(rng: Generator, studies: int, n: int) -> tuple[Array, Array]:
    # Normal correlation sin(pi tau / 2) gives Kendall's tau.
    rho = np.sin(np.pi / 4)
    x = rng.normal(size=(studies, n))
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(studies, n))
