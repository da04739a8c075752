"""Does a measure say which network generalises better? One table, every statistic the literature asks for.

A pooled correlation is not enough: it can come from one hyperparameter that moves both (granulated and conditional
statistics), from a baseline such as the number of parameters (partial correlation), or hide that the measure fails
wherever something else changes (worst environment). Configurations are drawn in the bootstrap, never runs: runs of
one configuration are repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gradlab.errors import MeasureError
from gradlab.measure import rank_agreement as ranks
from gradlab.measure.gap_statistics import ENOUGH, Estimate, GapStatistics
from gradlab.measure.sign_error import Environments, sign_errors
from gradlab.randomness import generator

__all__ = ["AgainstGap", "Estimate", "against_gap"]

Floats = NDArray[np.float64]

_SLIGHT = 0.1
"""Correlations below this have no sign worth a warning."""
_DOUBT = 0.2
"""Nor have those whose p-value is above this: of noise, pairs of signs differ often."""


@dataclass(frozen=True)
class AgainstGap:
    """How a measure and the generalisation gap go together. Printed, it is a table.

    Attributes:
        configurations: Different settings of the hyperparameters.
        runs: Rows of the table.
        tau: Kendall's tau-b over all configurations. Null of p: measure and gap of configurations are independent.
        psi: For each hyperparameter the mean tau in cells where only it changes; NaN where there is no cell. Null of
            p: within each cell all orders of the measure are equally likely.
        granulated: The mean of psi over hyperparameters. Null of p as for tau.
        within: For each hyperparameter tau-b over pairs on one level of it.
        information: K, the least share of the entropy of the gap's order that the measure's order takes away, over
            sets of at most two known hyperparameters; in [0, 1], without sign.
        information_known: The hyperparameters of the set where it is least.
        information_chance: Mean of K where the measure is permuted over configurations: K of few configurations is
            never 0. NaN where there are too many configurations to permute.
        information_p: Share of permutations with a K as large; NaN likewise.
        sign_error_worst: Sign error in the worst environment; 0.5 by chance in an endless one. NaN without any.
        sign_error_where: That environment: hyperparameter and its two levels.
        sign_error_mean: Mean over environments.
        environments: How many there are.
        partial: Correlation of ranks given the baselines; `None` without baselines.
        level: Of the intervals.
        warnings: What a reader should know before quoting a number.
    """

    configurations: int
    runs: int
    tau: Estimate
    psi: Mapping[str, Estimate]
    granulated: Estimate
    within: Mapping[str, float]
    information: float
    information_known: tuple[str, ...]
    information_chance: float
    information_p: float
    sign_error_worst: float
    sign_error_where: str
    sign_error_mean: float
    environments: int
    partial: Estimate | None
    level: float = 0.95
    warnings: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        rows = [("tau-b", self.tau), ("granulated Psi", self.granulated)]
        rows += [(f"  psi of {name}", estimate) for name, estimate in self.psi.items()]
        rows += [("partial, given the baselines", self.partial)] if self.partial else []
        width = max(28, *(len(name) for name, _ in rows))
        lines = [f"measure against gap: {self.configurations:,} configurations, {self.runs:,} runs"]
        lines += [f"{'':{width}}   value  {f'{100 * self.level:g} % interval':16}  p"]
        for name, each in rows:
            interval = "" if np.isnan(each.low) else f"[{each.low:.2f}, {each.high:.2f}]"
            lines.append(f"{name:{width}}  {_number(each.value)}  {interval:16}  {_p(each.p)}")
        known = f"  with {', '.join(self.information_known)} known" if self.information_known else ""
        chance = "" if np.isnan(self.information_chance) else f"by chance {self.information_chance:.3f}"
        lines.append(
            f"{'information K':{width}}  {_number(self.information)}  {chance:16}  {_p(self.information_p)}{known}"
        )
        lines.append(
            f"{'sign error, worst':{width}}  {_number(self.sign_error_worst)}  {self.sign_error_where}"
        )
        among = f"over {self.environments} environments"
        lines.append(f"{'sign error, mean':{width}}  {_number(self.sign_error_mean)}  {among}")
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])


def against_gap(
    hyperparameters: Mapping[str, Sequence[object]],
    measure: ArrayLike,
    gap: ArrayLike,
    *,
    baselines: Mapping[str, ArrayLike] | None = None,
    examples: int | None = None,
    environments: Environments = "levels",
    least: float = 12,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> AgainstGap:
    """Hold a measure, such as sharpness, against the generalisation gap over many configurations.

    Rows with equal hyperparameters are repeats of one configuration: their means count, but for the sign error, which
    goes over pairs of runs. Train all to one loss (cross-entropy 0.01 in the literature), or the measure may follow
    how far each got.

    Args:
        hyperparameters: Columns by name, a value for each run; a data frame by its `to_dict(as_series=False)`.
        measure: Of each run; infinities rank.
        gap: Test error minus training error of each run, or test error; any number that only its order counts of.
        baselines: What the measure should say more than, by name: number of parameters, training loss.
        examples: Test examples behind each gap, where that is a share of them: pairs of runs that so few cannot tell
            apart are left out of the sign error.
        environments: What an environment of the sign error is, see `sign_errors`.
        least: Pairs that an environment must have.
        draws: Permutations, and samples of the bootstrap.
        level: Of the intervals.
        seed: Of the draws.

    Returns:
        The statistics.

    Raises:
        MeasureError: Columns of different length, values that are not numbers, fewer than four configurations, or a gap
            that never varies.

    Example:
        >>> lr, width = [0.1, 0.2, 0.4] * 4, [8] * 3 + [16] * 3 + [32] * 3 + [64] * 3
        >>> found = against_gap({"lr": lr, "width": width}, np.array(width) - np.array(lr), -np.array(lr))
        >>> found.psi["lr"].value, round(found.tau.value, 2)
        (1.0, 0.21)
    """
    columns = {name: list(values) for name, values in hyperparameters.items()}
    one, two = np.asarray(measure, np.float64), np.asarray(gap, np.float64)
    extra = {name: np.asarray(values, np.float64) for name, values in (baselines or {}).items()}
    _examine(columns, one, two, extra, examples, draws)
    codes = np.column_stack([_codes(values) for values in columns.values()] or [np.arange(len(one))])
    levels = {name: list(dict.fromkeys(map(_key, values))) for name, values in columns.items()}
    settings, which = np.unique(codes, axis=0, return_inverse=True)
    mean = np.zeros((len(settings), len(one)))
    mean[which.ravel(), np.arange(len(one))] = 1
    x, y, *others = (_means(mean, values) for values in (one, two, *extra.values()))
    if len(x) < 4 or not np.ptp(y):
        raise MeasureError(
            f"{len(x)} configurations with {len(np.unique(y))} different gaps: there is no order to find, four "
            "configurations with different gaps are the least"
        )
    if not columns:
        settings = np.zeros((len(x), 0), np.int64)
    random = generator(seed, "probe", "against_gap")
    table = GapStatistics(x, y, settings, np.column_stack(others) if others else None, draws, level, random)
    psi = {name: table.psi(column) for column, name in enumerate(columns)}
    information, known, chance, p = table.information()
    codes = codes if columns else np.zeros((len(one), 0), np.int64)
    worst = sign_errors(one, two, codes, environments=environments, examples=examples, least=least)
    names = list(columns)
    where = ""
    if worst:
        name = names[worst[0].hyperparameter]
        a, b = (levels[name][code] for code in worst[0].levels)
        where = f"{name} from {a} to {b}"
    tau = table.tau()
    within = {
        name: ranks.tau_within(ranks.order(x), ranks.order(y), settings[:, column])
        for column, name in enumerate(columns)
    }
    granulated = table.granulated()
    return AgainstGap(
        configurations=len(x),
        runs=len(one),
        tau=tau,
        psi=psi,
        granulated=granulated,
        within={name: value for name, (value, _) in within.items()},
        information=information,
        information_known=tuple(names[column] for column in known),
        information_chance=chance,
        information_p=p,
        sign_error_worst=worst[0].error if worst else float("nan"),
        sign_error_where=where,
        sign_error_mean=float(np.mean([each.error for each in worst])) if worst else float("nan"),
        environments=len(worst),
        partial=table.partial() if others else None,
        level=level,
        warnings=tuple(_warnings(len(x), x, tau, granulated, within, bool(worst), least)),
    )


def _examine(
    columns: Mapping[str, Sequence[object]],
    measure: Floats,
    gap: Floats,
    baselines: Mapping[str, Floats],
    examples: int | None,
    draws: int,
) -> None:
    if measure.ndim != 1:
        raise MeasureError(f"the measure is one number a run: got {measure.shape}")
    named = {"gap": gap, **columns, **baselines}
    for name, values in named.items():
        if len(values) != len(measure):
            raise MeasureError(f"{name} has {len(values)} values for {len(measure)} runs")
    for name, values in {"the measure": measure, "the gap": gap, **baselines}.items():
        if np.isnan(values).any():
            raise MeasureError(
                f"{name} is NaN in {int(np.isnan(values).sum())} of {len(values)} runs: a run that diverged ranks "
                "worst (inf) or is left out by name, never silently"
            )
    if examples is not None and np.abs(gap).max() > 1:
        raise MeasureError(
            "gaps are shares of the test examples where their number is given: one is larger than 1"
        )
    if draws < 39:
        raise MeasureError(f"{draws} draws are too few for an interval: 39 are the least")


def _codes(values: Sequence[object]) -> NDArray[np.int64]:
    keys = list(map(_key, values))
    place = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([place[key] for key in keys], np.int64)


def _key(value: object) -> object:
    return value if value == value else "nan"  # (NaN is one level, not one for each run)


def _means(member: Floats, values: Floats) -> Floats:
    """Means over the runs of each configuration; infinities stay."""
    return np.array([values[each > 0].mean() for each in member])


def _warnings(
    n: int,
    x: Floats,
    tau: Estimate,
    granulated: Estimate,
    within: Mapping[str, tuple[float, float]],
    judged: bool,
    least: float,
) -> list[str]:
    said: list[str] = []
    if n < ENOUGH:
        said.append(f"{n} configurations: no intervals below {ENOUGH}, permutation p-values only")
    if not np.ptp(ranks.order(x)):
        said.append("the measure is the same in all configurations: it ranks nothing")
    held = [
        (f"with {name} held", value, 2 * stats.norm.sf(abs(value) / error))
        for name, (value, error) in within.items()
    ]
    for at, value, p in [*held, ("where only one hyperparameter changes", granulated.value, granulated.p)]:
        surely = min(abs(tau.value), abs(value)) >= _SLIGHT and max(tau.p, p) <= _DOUBT
        if surely and tau.value * value < 0:
            said.append(
                f"Simpson's paradox: the sign turns round {at}, from {tau.value:.2f} over all pairs to {value:.2f}"
            )
    if not judged:
        said.append(f"no environment has {least:g} pairs: the sign error is not judged")
    return said


def _number(value: float) -> str:
    return "     -" if np.isnan(value) else f"{value:6.3f}"


def _p(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
