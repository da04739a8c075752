"""What a figure found, in one line: composed from the data, descriptive, never a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gradlab.judge.correlation import tau_within
from gradlab.report.figures.fits import Fit
from gradlab.report.figures.lines import Line
from gradlab.report.figures.shares import Proportion
from gradlab.report.figures.strips import Row
from gradlab.report.numbers import count, epoch, number, rate
from gradlab.report.summary import median
from gradlab.report.view import SeriesView
from gradlab.report.words import capital, listed

__all__ = ["correlation", "counted", "ended", "fitted", "memorised", "passed", "shared", "sized", "valued"]

_LEVEL = 1.1


def _value(value: float) -> str:
    return number(value, 3, typographic=True)


def _plain(name: str) -> str:
    """A condition's name inside a sentence: without the commas between its levels."""
    return name.replace(", ", " ")


def _times(ratio: float) -> str:
    return f"{number(ratio, 2)} times"


def ended(
    shown: Sequence[Line],
    what: str,
    *,
    low_is_good: bool = True,
    write: Callable[[float], str] = _value,
) -> str:
    """Who ends lowest (or highest), and by how much.

    Args:
        shown: Curves of one split.
        what: The quantity in words.
        low_is_good: Whether the lowest is named first.
        write: How a value is written.

    Returns:
        As in "deep ends lowest: median training loss 4.92×10⁻⁴, shallow 2.3 times higher".
    """
    last = {_plain(line.condition): _last(line, low_is_good) for line in shown}
    if not last:
        return f"No {what} was recorded"
    if len(last) == 1:
        (line,) = shown
        what = what if line.curves.n == 1 else f"median {what}"
        first, end = float(line.curves.median[0]), _last(line, low_is_good)
        if not np.isfinite(end):
            return "Half of the runs or more diverge"
        if first > 0 and end > 0 and max(first, end) > _LEVEL * min(first, end):
            verb = "falls" if end < first else "rises"
            return f"The {what} {verb} from {write(first)} to {write(end)}"
        return f"The {what} ends at {write(end)}, about where it began"
    order = sorted(last, key=lambda name: last[name] if low_is_good else -last[name])
    best, worst = order[0], order[-1]
    if not np.isfinite(last[best]):
        return "In every condition half of the runs or more diverge"
    said = f"{best} ends {'lowest' if low_is_good else 'highest'}, at a median {what} of {write(last[best])}"
    if not np.isfinite(last[worst]):
        return f"{said}; half of the {worst} runs or more diverge"
    if last[best] > 0:
        ratio = max(last[worst] / last[best], last[best] / last[worst]) if last[worst] > 0 else np.inf
        if ratio < _LEVEL and low_is_good:
            low, high = write(last[best]), write(last[worst])
            said = f"of {low} to {high}" if low != high else f"of {low}"
            return f"{listed(order)} end close together, at a median {what} {said}"
        if low_is_good and np.isfinite(ratio):
            return f"{said}; {worst} ends {_times(ratio)} higher"
    return f"{said}; {worst} ends at {write(last[worst])}"


def _last(line: Line, low_is_good: bool) -> float:
    """The last median; infinitely bad where more than half of the runs had diverged by then."""
    value = float(line.curves.median[-1])
    worst = float("inf") if low_is_good else -float("inf")
    return worst if np.isnan(value) else value


def passed(rows: Sequence[Row], at: str, what: str) -> str:
    """Who gets to a threshold first, and who does not.

    Args:
        rows: Epochs at which the runs passed it.
        at: The threshold as it is written.
        what: The quantity in words.

    Returns:
        As in "medium is first under 10⁻³ (median epoch 798); shallow never in 12 of 20 runs".
    """
    middle = {_plain(row.condition): median(row.values) for row in rows}
    never = {_plain(row.condition): (int(np.isinf(row.values).sum()), len(row.values)) for row in rows}
    reached = sorted(
        (name for name, value in middle.items() if np.isfinite(value)), key=lambda name: middle[name]
    )
    missing = [
        f"{count(hits)} of {count(total)} {name} runs" for name, (hits, total) in never.items() if hits
    ]
    if not any(hits < total for hits, total in never.values()):
        return f"No run gets to a {what} of {at}"
    if not reached:
        return f"Most runs do not get to a {what} of {at}: never in {listed(missing)}"
    first = reached[0]
    said = (
        f"{first} is {'first ' if len(rows) > 1 else ''}at {what} {at}: median epoch {epoch(middle[first])}"
    )
    others = [f"{name} {epoch(middle[name])}" for name in reached[1:]]
    said += f", {', '.join(others)}" if others else ""
    return said + (f"; never in {listed(missing)}" if missing else "")


def valued(rows: Sequence[Row], what: str, write: Callable[[float], str] = _value) -> str:
    """The medians of what a claim compares.

    Returns:
        As in "Median final training loss: deep 4.92×10⁻⁴, shallow 1.12×10⁻³".
    """
    said = [f"{_plain(row.condition)} {write(median(row.values))}" for row in rows[:5]]
    if len(rows) > 5:
        said = [*said[:2], "…", said[-1]]
    if len(rows) == 1:
        return f"Median {what}: {write(median(rows[0].values))}"
    return f"Median {what}: {', '.join(said)}"


def memorised(shown: Sequence[Line], guessing: float, passage: float) -> str:
    """How far random labels are fitted.

    Args:
        shown: Training accuracies of one condition or several.
        guessing: The accuracy of guessing.
        passage: The median epoch at which the first condition passes 99 %; infinite for never.

    Returns:
        As in "Random labels are fitted: training accuracy passes 99 % at epoch 143 in the median run".
    """
    last = [_last(line, low_is_good=False) for line in shown]
    best = int(np.argmax(last))
    run = "the run" if shown[best].curves.n == 1 else "the median run"
    which = f" of {_plain(shown[best].condition)}" if len(shown) > 1 else ""
    if np.isfinite(passage):
        return f"Random labels are fitted: training accuracy passes 99 % at epoch {epoch(passage)} in {run}{which}"
    if not np.isfinite(last[best]):
        return "Half of the runs or more diverge"
    at = int(shown[best].curves.epochs[-1])
    said = f"After {count(at)} epochs {run}{which} gives {rate(last[best])} of the images their random label"
    return f"{said} (guessing: {rate(guessing)})"


def sized(
    sizes: Sequence[int], series: Mapping[str, Sequence[float]], what: str, write: Callable[[float], str]
) -> str:
    """How a quantity goes with the size of the network.

    Args:
        sizes: Parameter counts, the smallest first.
        series: Medians at these sizes, by how they were measured.
        what: The quantity in words.
        write: How a value is written.

    Returns:
        As in "From 15,958 to 317,298 parameters the loss goes from 0.281 to 0.083 (training) and from 0.284 to
        0.102 (test)".
    """
    said = [
        f"from {write(values[0])} to {write(values[-1])}" + (f" ({name})" if name else "")
        for name, values in series.items()
    ]
    return f"From {count(sizes[0])} to {count(sizes[-1])} parameters the {what} goes {listed(said)}"


def fitted(shown: Sequence[Fit]) -> str:
    """Who follows the function closest.

    Returns:
        As in "deep follows the function closest: error 0.022 (root mean square, median run), shallow 0.034".
    """
    errors = {_plain(fit.condition): median(fit.errors) for fit in shown}
    order = sorted(errors, key=lambda name: errors[name])
    best, worst = order[0], order[-1]
    if not np.isfinite(errors[best]):
        return "Half of the runs or more diverge in every condition"
    if len(order) == 1:
        run = "run" if len(shown[0].outputs) == 1 else "median run"
        return f"The {run} is off by {_value(errors[best])} (root mean square)"
    if np.isfinite(errors[worst]) and errors[worst] < _LEVEL * errors[best]:
        return f"All fit alike: the median run is off by {_value(errors[best])} (root mean square)"
    ending = _value(errors[worst]) if np.isfinite(errors[worst]) else "diverged"
    said = f"{best} fits closest: its median run is off by {_value(errors[best])} (root mean square)"
    return f"{said}, that of {worst} by {ending}"


def correlation(pairs: Sequence[tuple[SeriesView, SeriesView]]) -> str:
    """Whether the gradient norm falls with the loss, by Kendall's tau over epochs within runs.

    Args:
        pairs: Loss and gradient norm of each condition, at the same epochs.

    Returns:
        One sentence; it names the median correlation and how many runs agree in sign.
    """
    found: list[float] = []
    for loss, norm in pairs:
        shared = np.intersect1d(loss.epochs, norm.epochs)
        left = loss.values[:, np.searchsorted(loss.epochs, shared)]
        right = norm.values[:, np.searchsorted(norm.epochs, shared)]
        both = np.intersect1d(loss.replicates, norm.replicates)
        rows = [np.flatnonzero(np.isin(series.replicates, both)) for series in (loss, norm)]
        found += tau_within(left[rows[0]], right[rows[1]]).tolist()
    known = np.array([value for value in found if np.isfinite(value)])
    if not len(known):
        return "Gradient norm and loss have no common epochs"
    middle = float(np.median(known))
    agree = int((np.sign(known) == np.sign(middle)).sum())
    said = f"Kendall's τ {number(middle, 2, typographic=True)} over the epochs of "
    said += (
        "the run"
        if len(known) == 1
        else f"the median run, same sign in {count(agree)} of {count(len(known))}"
    )
    if middle > 0.3:
        return f"Gradient norm and loss fall together: {said}"
    if middle < -0.3:
        return f"The gradient norm rises as the loss falls: {said}"
    return f"Gradient norm and loss hardly move together: {said}"


def shared(rows: Sequence[Proportion], what: str) -> str:
    """How many runs something is true of.

    Returns:
        As in "1 of 20 deep runs is dead; no other".
    """
    hit = [row for row in rows if row.hits]
    total = sum(row.total for row in rows)
    if not hit:
        return f"No run of {count(total)} {what}"
    said = [f"{count(row.hits)} of {count(row.total)} {_plain(row.condition)} runs" for row in hit[:4]]
    said += [f"runs of {len(hit) - 4} more conditions"] if len(hit) > 4 else []
    rest = "" if len(hit) == len(rows) else "; none elsewhere"
    return f"{capital(what)}: {listed(said)}{rest}"


def counted(rows: Sequence[Proportion], what: str, several: str = "runs") -> str:
    """How often something happens in each condition.

    Returns:
        As in "Training loss 10⁻³ reached: deep 19 of 20, shallow 8 of 20".
    """
    said = [f"{_plain(row.condition)} {count(row.hits)} of {count(row.total)}" for row in rows[:5]]
    if len(rows) > 5:
        said = [*said[:2], "…", said[-1]]
    if len(rows) == 1:
        return f"{capital(what)} in {count(rows[0].hits)} of {count(rows[0].total)} {several}"
    return f"{capital(what)}: {', '.join(said)}"
