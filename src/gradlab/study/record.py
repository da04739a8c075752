"""What a run writes down, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from gradlab.component import Component, one_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Auto", "Every", "LogSpaced", "Record", "Times"]


class Auto(Component):
    """Every epoch to 1,000, then steps of 1, 2 or 5 times a power of ten, at most 1/500 of the epoch.

    The points do not depend on how long the run is, so a longer run records what a shorter one did.

    Example:
        >>> Auto().points(2000)[-3:].tolist()
        [1996, 1998, 2000]
    """

    kind: Literal["auto"] = "auto"

    def points(self, until: int) -> NDArray[np.int64]:
        """The epochs at which to record, from 0 to `until`."""
        import numpy as np

        epochs = np.arange(until + 1, dtype=np.int64)
        ratio = np.maximum(epochs / 500.0, 1.0)
        decade = 10 ** np.floor(np.log10(ratio) + 1e-9)
        lead = ratio / decade
        step = decade * np.where(lead >= 5 - 1e-9, 5, np.where(lead >= 2 - 1e-9, 2, 1))
        return epochs[epochs % step.astype(np.int64) == 0]


class Every(Component):
    """Epoch 0 and then every `epochs` epochs."""

    kind: Literal["every"] = "every"
    epochs: Annotated[int, Field(ge=1)]
    primary: ClassVar[str | None] = "epochs"

    def __init__(self, epochs: int | None = None, **rest: Any) -> None:
        super().__init__(**(rest if epochs is None else {"epochs": epochs} | rest))

    def points(self, until: int) -> NDArray[np.int64]:
        """The epochs at which to record, from 0 to `until`."""
        import numpy as np

        return np.arange(0, until + 1, self.epochs, dtype=np.int64)


class LogSpaced(Component):
    """Epoch 0 and then `per_decade` epochs in every factor of ten, evenly on a logarithmic axis.

    Example:
        >>> LogSpaced(3).points(100).tolist()
        [0, 1, 2, 5, 10, 22, 46, 100]
    """

    kind: Literal["log_spaced"] = "log_spaced"
    per_decade: Annotated[int, Field(ge=1, le=10_000)] = 50
    primary: ClassVar[str | None] = "per_decade"

    def __init__(self, per_decade: int | None = None, **rest: Any) -> None:
        super().__init__(**(rest if per_decade is None else {"per_decade": per_decade} | rest))

    def points(self, until: int) -> NDArray[np.int64]:
        """The epochs at which to record, from 0 to `until`."""
        import numpy as np

        if until < 1:
            return np.zeros(1, np.int64)
        exponents = np.arange(0, np.log10(until) * self.per_decade + 1e-9) / self.per_decade
        points = np.unique(np.rint(10**exponents).astype(np.int64))
        return np.concatenate([[0], points[points <= until]]).astype(np.int64)


Times = Annotated[Auto | Every | LogSpaced, one_of(Auto, Every, LogSpaced)]


@dataclass(frozen=True)
class Record:
    """What each run of a plan writes down.

    Attributes:
        quantities: Names as in `loss.test`; but for studies of images, `loss` is always among them.
        times: The schedule of epochs.
        thresholds: Losses whose first passage is tracked at every epoch, whatever the schedule.
        extra: Further epochs that are always recorded (the horizons of the conditions).
    """

    quantities: tuple[str, ...] = ("loss",)
    times: Auto | Every | LogSpaced = field(default_factory=Auto)
    thresholds: tuple[float, ...] = ()
    extra: tuple[int, ...] = ()

    def points(self, until: int) -> NDArray[np.int64]:
        """The epochs at which to record, sorted, with 0 and `until` always among them."""
        import numpy as np

        extra = [epoch for epoch in (0, until, *self.extra) if epoch <= until]
        return np.union1d(self.times.points(until), np.asarray(extra, np.int64))
