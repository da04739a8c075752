"""What quantities, thresholds and lists are called in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from gradlab.report.numbers import number
from gradlab.study.quantity import Event, Quantity, parse_quantity

__all__ = ["axis_name", "capital", "event_words", "listed", "quantity", "quantity_words", "trace_name"]

_TRACES = {
    "loss": "training loss",
    "loss.test": "test loss",
    "loss.validation": "validation loss",
    "accuracy": "training accuracy",
    "tolerance_accuracy": "share of outputs within 0.1",
    "gradient_norm": "gradient norm",
    "gradient_norm_batch": "gradient norm of the last minibatch",
    "gradient_norm_mean": "mean layer-wise gradient norm",
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


def quantity(text: object) -> Quantity:
    """A quantity given as such or in the grammar."""
    return text if isinstance(text, Quantity) else parse_quantity(str(text))


def trace_name(trace: str) -> str:
    """A recorded quantity in words.

    Example:
        >>> trace_name("loss.test"), trace_name("accuracy.test")
        ('test loss', 'test accuracy')
    """
    if trace in _TRACES:
        return _TRACES[trace]
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
        return f"epochs to {name} {number(found.threshold, typographic=True)}"
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
    if found.known.shape == "scalar":
        return name
    return f"final {name}"


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
    return f"{words} {compared[event.operator]} {number(event.value, typographic=True)}"


def axis_name(trace: str, loss: str = "mse") -> str:
    """A recorded quantity with its unit, as an axis carries it."""
    unit = {"mse": "mean squared error", "cross_entropy": "cross-entropy, nats"}.get(loss, loss)
    if trace.partition(".")[0] == "loss":
        return f"{trace_name(trace)} ({unit})"
    if trace.startswith("gradient_norm"):
        return f"{trace_name(trace)} (L2)"
    return trace_name(trace)


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
    """The same with a capital first letter; names that are not words stay."""
    return text[:1].upper() + text[1:]
