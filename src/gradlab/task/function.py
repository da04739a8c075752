"""Fitting a function of one variable, sampled on a grid or at random points."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self, cast

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gradlab.component import Component, Vary
from gradlab.errors import nearest
from gradlab.task.expression import ExpressionError, normal_form, parse_expression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Formula = Callable[[Values], Values]

__all__ = ["NAMED", "Function", "Grid"]

NAMED: Final = {
    "sinc": "sin(5 pi x) / (5 pi x), and 1 at 0",
    "sgn": "the sign of sin(5 pi x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "cube": "x ** 3",
}
"""The targets that have a name, and what they are."""


class Grid(Component):
    """Evenly spaced points from `low` to `high`, both ends included.

    Attributes:
        low: First point.
        high: Last point.
        points: How many.
    """

    kind: Literal["grid"] = "grid"
    low: float
    high: float
    points: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _check_rising(self.low, self.high)
        return self


class Function(Component):
    """Learn a function of one variable from its values, by least squares.

    Values are computed in float64 and cast to the study's dtype.

    Attributes:
        target: A name of `NAMED`, a NumPy expression in `x` (`"exp(-x**2) * sin(3*x)"`), or a callable that
            maps a float64 array to one of the same shape.
        low: Lower end of the domain.
        high: Upper end of the domain.
        points: Number of training points; with `spacing="arange"` it follows from `step`.
        spacing: "linspace" (both ends included), "arange" (from `low` in steps of `step`, `high` excluded) or
            "uniform" (drawn from the `data` seed, then kept in the order drawn).
        step: Distance of the points, with `spacing="arange"` only.
        heldout: Test points, which carry the noiseless target: a number for that many points midway between
            neighbours of an even grid over the domain, or a `Grid` of one's own; None for no test set.
        noise: Standard deviation of Gaussian noise on the training targets, drawn from the `labels` seed.

    Example:
        >>> Function("sinc", low=-5, high=5, points=500).canonical()
        {'kind': 'function', 'target': 'sinc', 'low': -5.0, 'high': 5.0, 'points': 500}
        >>> Function("sinc", low=-1.5, high=1.5, step=0.01, spacing="arange").size
        300
    """

    kind: Literal["function"] = "function"
    target: str | Callable[..., Any]
    low: float
    high: float
    points: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    spacing: Literal["linspace", "arange", "uniform"] = "linspace"
    step: Annotated[float, Field(gt=0)] | None = None
    heldout: Annotated[int, Field(ge=1)] | Grid | None = None
    noise: Annotated[float, Field(ge=0)] = 0.0

    primary: ClassVar[str | None] = "target"

    def __init__(self, target: Any = None, /, **rest: Any) -> None:
        super().__init__(**(rest if target is None else {"target": target} | rest))

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str | Callable[..., Any]) -> str | Callable[..., Any]:
        if isinstance(target, str) and target not in NAMED:
            try:
                parse_expression(target)
            except ExpressionError as error:
                raise _target_error(target, error) from None
        return target

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(isinstance(getattr(self, name), Vary) for name in type(self).model_fields):
            return self  # each level comes through here again once it is chosen
        _check_rising(self.low, self.high)
        if self.spacing == "arange":
            if self.step is None or self.points is not None:
                raise ValueError("spacing 'arange' takes step and no points")
            if self.size > 10_000_000:
                raise ValueError(f"step {self.step:g} gives {self.size} points; at most 10,000,000")
        elif self.points is None or self.step is not None:
            raise ValueError(f"spacing {self.spacing!r} takes points and no step")
        if self.target not in NAMED:
            self._check_values()
        return self

    def _check_values(self) -> None:
        import numpy as np

        x = self.grid()
        try:
            y = np.asarray(self.formula()(x))
        except Exception as error:
            raise ValueError(f"the target cannot be evaluated on the domain: {error}") from None
        if y.shape != x.shape:
            raise ValueError(f"the target must return one number a point: shape {x.shape}, not {y.shape}")
        if not np.isfinite(y.astype(np.float64)).all():
            raise ValueError(f"the target is not finite at x = {x[~np.isfinite(y.astype(np.float64))][0]:g}")

    @property
    def size(self) -> int:
        """Number of training points."""
        if self.spacing == "arange":
            import math

            return math.ceil((self.high - self.low) / cast(float, self.step))  # as numpy.arange counts
        return cast(int, self.points)

    @property
    def targets(self) -> str:
        """What is predicted, in words."""
        return "real numbers"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, as a module sees it; an MLP sees it flat."""
        return (1,)

    @property
    def inputs(self) -> int:
        """Width of the network's input."""
        return 1

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        return 1

    @property
    def default_loss(self) -> Literal["mse", "cross_entropy"]:
        """The loss where a study names none."""
        return "mse"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that this task's targets allow."""
        return ("mse",)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be measured on this task besides its loss."""
        return ("tolerance_accuracy",)

    @property
    def has_test(self) -> bool:
        """Whether there is a test set."""
        return self.heldout is not None

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which the data draw random numbers."""
        random = {"data": self.spacing == "uniform", "labels": self.noise > 0}
        return frozenset(purpose for purpose, used in random.items() if used)

    def __getstate__(self) -> dict[Any, Any]:
        """A callable is left behind: workers get data, not code."""
        state = dict(super().__getstate__())
        if not isinstance(self.target, str | Vary):
            state["__dict__"] = state["__dict__"] | {"target": self.label()}
        return state

    def formula(self) -> Formula:
        """The target as a function of float64 arrays."""
        if callable(self.target):
            return self.target
        return _named(self.target) if self.target in NAMED else parse_expression(self.target)

    def label(self) -> str:
        """The target's name or text."""
        return self.target if isinstance(self.target, str) else getattr(self.target, "__name__", "function")

    def tree(self) -> dict[str, Any]:
        """The declaration as plain data; a callable is its name."""
        tree = super().tree()
        return tree if isinstance(self.target, str | Vary) else tree | {"target": self.label()}

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes; a callable is its source and its values on the domain."""
        tree = super().canonical()
        if isinstance(self.target, str):
            tree["target"] = self.target if self.target in NAMED else normal_form(self.target)
        else:
            values = self.formula()(self.grid())
            tree["target"] = {"source": _source_hash(self.target), "values": _hash_of(values)}
        return tree

    def grid(self) -> Values:
        """Evenly spaced points over the domain: the training points, unless those are drawn."""
        import numpy as np

        if self.spacing == "arange":
            return np.arange(self.low, self.high, cast(float, self.step))
        return np.linspace(self.low, self.high, self.size)


def _check_rising(low: float, high: float) -> None:
    if not isinstance(low, Vary) and not isinstance(high, Vary) and not low < high:
        raise ValueError(f"low must be under high; found {low:g} and {high:g}")


def _target_error(target: str, error: ExpressionError) -> PydanticCustomError:
    """A bare word was meant as a name; anything else as an expression."""
    if target.isidentifier():
        near = nearest(target, NAMED)
        hint = f"; did you mean {near!r}?" if near else ""
        return PydanticCustomError(
            "component",
            "unknown function '{found}'{hint}",
            {
                "found": target,
                "hint": hint,
                "allowed": f"{', '.join(NAMED)}, or an expression in x",
                "choices": list(NAMED),
            },
        )
    return PydanticCustomError(
        "component",
        "{message}",
        {
            "message": str(error),
            "found": target,
            "allowed": "an expression in x",
            "choices": list(error.choices),
        },
    )


def _named(name: str) -> Formula:
    import numpy as np

    def sinc(x: Values) -> Values:
        t = 5 * np.pi * x
        safe = np.where(t == 0, 1.0, t)
        return np.where(t == 0, 1.0, np.sin(safe) / safe)

    def sgn(x: Values) -> Values:
        return np.sign(np.sin(5 * np.pi * x))

    def cube(x: Values) -> Values:
        return x**3

    return {"sinc": sinc, "sgn": sgn, "sin": np.sin, "cos": np.cos, "cube": cube}[name]


def _source_hash(function: Callable[..., Any]) -> str | None:
    """Hash of the source of a `def`; None where there is none, or where it would take in its surroundings."""
    if getattr(function, "__name__", "<lambda>") == "<lambda>":
        return None  # the source of a lambda is the whole statement around it; its values say enough
    try:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:20]
    except (OSError, TypeError):
        return None


def _hash_of(values: Any) -> str:
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(values, "<f8").tobytes()).hexdigest()[:20]
