"""What quantities, thresholds and lists are called in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradlab.report.numbers import count, number
from gradlab.study.instruments.spoken import AXES, number_kind, value_words
from gradlab.study.quantity import Event, Quantity, parse_quantity

__all__ = [
    "axis_name",
    "capital",
    "event_words",
    "listed",
    "loss_of",
    "quantity",
    "quantity_words",
    "split_words",
    "trace_name",
]

_TRACES = {
    "loss": "training loss",
    "loss.test": "test loss",
    "loss.validation": "validation loss",
    "loss.running": "running training loss",
    "loss.batch_sum": "sum of batch losses",
    "loss.last_batch": "loss of the last batch",
    "loss.augmented": "loss on augmented training data",
    "loss.test_training_mode": "test loss with dropout active",
    "loss_gap": "gap between test and training loss",
    "accuracy": "training accuracy",
    "accuracy.running": "running training accuracy",
    "accuracy.augmented": "accuracy on augmented training data",
    "accuracy.test_training_mode": "test accuracy with dropout active",
    "accuracy_gap": "gap between training and test accuracy",
    "tolerance_accuracy": "share of outputs within 0.1",
    "gradient_norm": "gradient norm",
    "gradient_norm_batch": "gradient norm of the last minibatch",
    "gradient_norm_mean": "mean layer-wise gradient norm",
    "sensitivity_batch": "sensitivity as reported (last minibatch)",
    "weight_norm": "weight norm",
    "dead_units": "share of dead units",
    "epochs": "epochs trained",
    "updates": "optimizer steps taken",
    "edge_error": "error at the edges",
    "centre_error": "error in the middle",
    "flag_constant": "predicts a constant",
    "flag_dead": "is dead",
    "flag_diverged": "diverged",
}
_REDUCED = {
    "final": "final {}",
    "best": "best {}",
    "min": "smallest {}",
    "max": "largest {}",
    "mean": "mean {}",
    "slope": "slope of the {}",
    "roughness": "roughness of the {}",
    "argmin": "epoch of the smallest {}",
    "argmax": "epoch of the largest {}",
}
_PLACES = {"argmin": "smallest", "argmax": "largest"}


def quantity(text: object) -> Quantity:
    """A quantity given as such or in the grammar."""
    return text if isinstance(text, Quantity) else parse_quantity(str(text))


def trace_name(trace: str) -> str:
    """A recorded quantity in words.

    Example:
        >>> trace_name("loss.test"), trace_name("accuracy.test")
        ('test loss', 'test accuracy')
    """
    known = _TRACES.get(trace) or value_words(trace)
    if known:
        return known
    name, _, split = trace.partition(".")
    return f"{split} {name.replace('_', ' ')}".strip()


def quantity_words(given: object) -> str:
    """A quantity in words.

    Example:
        >>> quantity_words("epochs_to(loss, 1e-3)"), quantity_words("loss@500"), quantity_words("loss")
        ('epochs to training loss 10⁻³', 'training loss at epoch 500', 'final training loss')
    """
    found = quantity(given)
    name = trace_name(found.trace)
    if found.reducer == "epochs_to":
        return f"epochs to {name} {_threshold(found, found.threshold)}"
    if found.reducer == "at_loss":
        return f"{name} at training loss {number(found.threshold, typographic=True)}"
    if found.reducer == "at_updates":
        return f"{name} after {count(round(found.threshold or 0))} updates"
    if found.axis not in {"", "epoch"}:
        return _along_axis(found, name)
    window = ""
    if found.window:
        low, high = found.window
        window = f" from {_bound(low, 'the start')} to {_bound(high, 'the end')}"
    if found.reducer:
        return _REDUCED[found.reducer].format(name) + window
    if found.at == "best":
        return f"best {name}"
    if isinstance(found.at, int):
        return f"{name} at epoch {found.at:,d}"
    if found.known.shape == "scalar" or found.instrument:
        return name
    return f"final {name}"


def _along_axis(found: Quantity, name: str) -> str:
    """A value along an instrument's own axis, or one number that is taken from it, in words."""
    axis = AXES.get(found.axis, found.axis)
    window = ""
    if found.window:
        low, high = (None if bound is None else number(bound, typographic=True) for bound in found.window)
        window = f" for {axis} " + (
            f"from {low} to {high}" if low and high else f"from {low}" if low else f"to {high}"
        )
    if found.reducer in _PLACES:
        return f"{axis} of the {_PLACES[found.reducer]} {name}{window}"
    if found.reducer:
        return _REDUCED[found.reducer].format(name) + window
    if found.at is not None:
        return f"{name} at {axis} {number(float(found.at), typographic=True)}"
    return name + window


def _threshold(of: Quantity, value: float | None) -> str:
    """A value that a quantity is compared with; accuracies in per cent."""
    rate = of.name == "accuracy" or number_kind(of.instrument, of.split) != "plain"
    if rate and value is not None and of.reducer in {"", "epochs_to", "final", "best", "min", "max"}:
        return f"{number(100 * value)} %"
    return number(value, typographic=True)


def _bound(value: float | None, otherwise: str) -> str:
    if value is None:
        return otherwise
    return f"{100 * value:g} %" if isinstance(value, float) else f"epoch {value:,d}"


def event_words(event: Event) -> str:
    """An event in words.

    Example:
        >>> from gradlab.study.quantity import parse_event
        >>> event_words(parse_event("loss@last < 0.01"))
        'final training loss below 0.01'
        >>> event_words(parse_event("epochs_to(loss, 1e-3)"))
        'training loss 10⁻³ reached'
    """
    words = quantity_words(event.quantity)
    if event.operator is None:
        if event.quantity.reducer == "epochs_to":
            return f"{words.removeprefix('epochs to ')} reached"
        return words
    compared = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "not"}
    return f"{words} {compared[event.operator]} {_threshold(event.quantity, event.value)}"


def split_words(trace: str) -> str:
    """Where and how a series was measured, short enough for the end of a line.

    Example:
        >>> split_words("loss"), split_words("loss.test"), split_words("accuracy.running")
        ('training', 'test', 'running')
    """
    return trace.partition(".")[2].replace("_", " ") or "training"


def loss_of(result: Any) -> str:
    """The loss of a result's conditions."""
    found = list(result.plan.conditions)
    return str(getattr(found[0].spec, "loss", "mse")) if found else "mse"


def axis_name(trace: str, loss: str = "mse", *, whose: str | None = None) -> str:
    """A recorded quantity with its unit, as an axis carries it.

    Args:
        trace: The quantity.
        loss: Which loss it is.
        whose: What stands in front of "loss" or "accuracy" in place of the data set.

    Returns:
        The name.

    Example:
        >>> axis_name("loss.test", "cross_entropy"), axis_name("accuracy", whose="")
        ('test loss (cross-entropy, nats)', 'accuracy')
    """
    unit = {"mse": "mean squared error", "cross_entropy": "cross-entropy, nats"}.get(loss, loss)
    name, _, _ = trace.partition(".")
    words = trace_name(trace) if whose is None else f"{whose} {name}".strip()
    if name in {"loss", "loss_gap"}:
        return f"{words} ({unit})"
    if name == "accuracy_gap":
        return f"{words} (percentage points)"
    if name.startswith("gradient_norm"):
        return f"{words} (L2)"
    return words


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words in a row.

    Example:
        >>> listed(["deep", "medium", "shallow"])
        'deep, medium and shallow'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def capital(text: str) -> str:
    """The same with a capital first letter; names that are not words stay, and Greek letters, which are symbols."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
