"""Where a run's first weights come from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gradlab.component import Component

__all__ = ["After", "Default", "TorchStream"]


class Default(Component):
    """PyTorch's default distribution, drawn from the run's `init` seed.

    Weights and biases of a linear layer are uniform in +-1/sqrt(fan-in). Networks of different shapes share
    nothing at an equal seed.
    """

    kind: Literal["default"] = "default"


class TorchStream(Component):
    """The very weights that a published script drew: `torch.manual_seed(seed)`, then building its networks.

    A replicate whose `init` seed is r starts as the same script would after `torch.manual_seed(seed + r)`, so
    that the first replicate is the published run.

    Attributes:
        seed: The script's seed.
        position: How many parameters the script had drawn before it built this network.
    """

    kind: Literal["torch_stream"] = "torch_stream"
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    position: Annotated[int, Field(ge=0)] = 0

    primary: ClassVar[str | None] = "seed"

    def __init__(self, seed: int | None = None, position: int = 0, **rest: Any) -> None:
        fields: dict[str, Any] = {"position": position, **rest}
        super().__init__(**(fields if seed is None else {"seed": seed} | fields))


class After(Component):
    """The final weights of the run at other levels of some factors, at the same replicate.

    Attributes:
        levels: Factor names and the level of each from which training goes on; other factors stay equal.
        optimizer_state: Whether the optimizer's state is taken over too; otherwise it starts afresh.

    Example:
        >>> After({"task": "sinc"}).canonical()
        {'kind': 'after', 'levels': {'task': 'sinc'}}
    """

    kind: Literal["after"] = "after"
    levels: Annotated[dict[str, str], Field(min_length=1)]
    optimizer_state: bool = True

    primary: ClassVar[str | None] = "levels"

    def __init__(self, levels: dict[str, str] | None = None, /, **rest: Any) -> None:
        super().__init__(**(rest if levels is None else {"levels": levels} | rest))
