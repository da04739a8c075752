"""Any `torch.nn.Module` of the user's as a model."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, cast

from pydantic import PrivateAttr, field_validator

from gradlab.component import Component, Vary, canonical_json
from gradlab.model.source import Source, source_of

__all__ = ["Module"]


class Module(Component):
    """A `torch.nn.Module`, built from a class or function and the arguments to call it with.

    The network maps a batch `[n, inputs...]` to `[n, outputs]`. Its identity is the hash of its source file,
    the arguments, and the hash of the state that it has when built after `torch.manual_seed(0)`. Worker
    processes get the source and import that; a lambda, a local class, or a class from a notebook or a running
    script cannot travel, and its runs stay in this process (`in_process`).

    Example:
        >>> from torch import nn
        >>> model = Module(nn.Linear, 3, 2)
        >>> model.parameters(inputs=3, outputs=2), model.in_process
        (8, False)
    """

    kind: Literal["module"] = "module"
    source: Source
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()

    _factory: Callable[..., Any] | None = PrivateAttr(default=None)

    def __init__(self, factory: Callable[..., Any] | None = None, /, *args: Any, **kwargs: Any) -> None:
        if factory is None:  # a tree of this class's own fields
            super().__init__(**kwargs)
            return
        if not callable(factory):
            raise TypeError(f"Module takes a class or a function that builds a network, not {factory!r}")
        fields: dict[str, Any] = {
            "source": source_of(factory),
            "arguments": args,
            "keywords": tuple(sorted(kwargs.items())),
        }
        super().__init__(**fields)
        self._factory = factory

    @field_validator("arguments", "keywords")
    @classmethod
    def _plain(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        _describe(given)
        return given

    def __eq__(self, other: object) -> bool:
        mine = (self.source, self.arguments, self.keywords)
        return isinstance(other, Module) and mine == (other.source, other.arguments, other.keywords)

    def __hash__(self) -> int:
        return hash(self.source)

    def __getstate__(self) -> dict[Any, Any]:
        """Without the class itself, which the other side imports from the source."""
        state = dict(super().__getstate__())
        state["__pydantic_private__"] = {"_factory": None}
        return state

    @property
    def in_process(self) -> bool:
        """Whether runs must stay in the process that defined the class."""
        return self.source.in_process

    @property
    def drops(self) -> bool:
        """Whether training may draw from the `dropout` seed."""
        return True

    def build(self) -> Any:
        """A new network, drawn from torch's global generator.

        Returns:
            The `torch.nn.Module`.

        Raises:
            TypeError: What was built is no `torch.nn.Module`.
        """
        from torch import nn

        factory = self._factory if self._factory is not None else self.source.load()
        built = factory(*self.arguments, **dict(self.keywords))
        if not isinstance(built, nn.Module):
            raise TypeError(f"{self.source.qualname} built a {type(built).__name__}, not a torch.nn.Module")
        return built

    def built_at(self, seed: int) -> Any:
        """A new network as it is after `torch.manual_seed(seed)`; torch's own generator is left as it was."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build()

    def parameters(self, inputs: int | tuple[int, ...], outputs: int) -> int:
        """Number of trainable numbers; the sizes are the module's own affair."""
        return sum(p.numel() for p in self.built_at(0).parameters() if p.requires_grad)

    def multiplications(self, shape: tuple[int, ...], outputs: int) -> int:
        """Multiplications in the matrix products and convolutions of a forward pass of one example."""
        return _multiplications(self, shape)

    def label(self) -> str:
        """The name of the class."""
        return self.source.qualname.rpartition(".")[2]

    def tree(self) -> dict[str, Any]:
        """The declaration as plain data: the class by name and source, and its arguments."""
        tree: dict[str, Any] = {"kind": self.kind, "name": self.source.qualname, "source": self.source.code}
        if self.arguments:
            tree["arguments"] = _describe(self.arguments)
        if self.keywords:
            tree["keywords"] = _describe(dict(self.keywords))
        return tree

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes: the declaration and the network's first state."""
        return self.tree() | {"state": _state_hash(self.built_at(0))}


@lru_cache(maxsize=64)
def _multiplications(model: Module, shape: tuple[int, ...]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = model.built_at(0).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, *shape, device="meta"))
    return counter.get_total_flops() // 2  # a multiplication and an addition each


def _describe(value: object) -> Any:
    """A constructor argument as plain data, with classes and functions by name."""
    if isinstance(value, Vary):
        raise ValueError("vary whole modules: vary(Module(Net, 8), Module(Net, 16))")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_describe(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {str(key): _describe(item) for key, item in cast("dict[object, object]", value).items()}
    name = getattr(value, "__qualname__", None)
    if callable(value) and name is not None:
        return f"{value.__module__}:{name}"
    raise ValueError(
        f"arguments of a module are numbers, strings, lists, tables, classes or functions, not {value!r}"
    )


def _state_hash(module: Any) -> str:
    content = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        array = tensor.detach().cpu().numpy()
        content.update(canonical_json([name, str(array.dtype), list(array.shape)]).encode())
        content.update(array.tobytes())
    return content.hexdigest()[:20]
