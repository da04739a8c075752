r"""Products of curvature with vectors: the Hessian of a network's mean loss, and its Gauss-Newton part.

The gradient is computed once with its graph, and every product is one more pass backwards through that graph
(Pearlmutter 1994; Dagréou and others 2024): about the price of a gradient. What does not fit into memory is built anew
for every product, which then costs about two gradients. Nothing is sampled: a product is with the matrix of the whole
data, chunks counted by their examples.

The Gauss-Newton matrix is \(\frac{1}{n} \sum_i J_i^\top H_i J_i\), with the Jacobian of the outputs by the weights and
the Hessian of the loss by the outputs: the Hessian of the network made linear in its weights, and positive
semi-definite for a convex loss (Schraudolph 2002). A product with it is one pass through the graph of
\(u \mapsto J^\top u\), which is linear in u, for \(Jv\), and one backwards.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gradlab.errors import MeasureError
from gradlab.measure.objective import NETWORK, Objective
from gradlab.measure.rowwise import rowwise

__all__ = ["KEPT", "Curvature", "Product", "product"]

Curvature = Literal["loss", "gauss_newton"]
"""Whose matrix: the Hessian of the loss, or its Gauss-Newton part."""

KEPT: Final = 2**30
"""Bytes of graphs that are kept, unless it is said otherwise."""
NOMINAL: Final = {
    ("loss", True): 2.0,
    ("loss", False): 4.0,
    ("gauss_newton", True): 2.0,
    ("gauss_newton", False): 4.0,
}
"""Full-batch gradients that a product counts as, by the matrix and whether the graphs are kept: an upper bound of
what is measured by `gradlab bench instruments`."""

_TOGETHER = 2**24
"""Bytes, vectors times the size of a graph, that go through it together: more would leave the caches."""

Multiply = Callable[[torch.Tensor, bool], torch.Tensor]
"""Times a vector, or, if said so, times each row of a block `[k, ..., D]`."""


class Product:
    """A curvature matrix as the function that multiplies by it; its graphs are freed with it.

    Attributes:
        size: D, or the size of the part.
        dtype: Of the vectors.
        kept: The share of the data whose graphs are kept.
        gradients: What one product counts as, in full-batch gradients; nominal.
        setup: What building the graphs counted as, once.
    """

    def __init__(
        self, objective: Objective, weights: torch.Tensor, of: Curvature, part: str, memory: int
    ) -> None:
        if of not in {"loss", "gauss_newton"}:
            raise MeasureError(f"there is no curvature of {of!r}; allowed: loss, gauss_newton")
        self._objective, self._weights = objective, weights.detach()
        self._of, self._span = of, objective.span(part)
        self.size, self.dtype = self._span.stop - self._span.start, objective.dtype
        room = memory
        self._graphs: dict[int, tuple[float, Multiply]] = {}
        self._rest: list[tuple[slice, float]] = []
        needs = _bytes_per_example(objective, self._weights)
        self._together = max(1, int(_TOGETHER / max(1.0, needs * min(objective.examples, objective.at_once))))
        for chunk, share in objective.chunks():
            room -= int(needs * (chunk.stop - chunk.start))
            if room >= 0:
                self._graphs[chunk.start] = share, self._built(chunk)
            else:
                self._rest.append((chunk, share))
        self.kept = sum(share for share, _ in self._graphs.values())
        full, again = NOMINAL[of, True], NOMINAL[of, False]
        self.gradients = self.kept * full + (1.0 - self.kept) * again
        self.setup = self.kept * (again - full)

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """The matrix times `[D]`, or times each column of a block `[D, k]`; for `[M, D]` weights with an axis M before.

        Raises:
            MeasureError: The shape is another.
        """
        lead = self._weights.shape[:-1]
        if vectors.shape[: len(lead) + 1] != (*lead, self.size) or vectors.dim() > len(lead) + 2:
            wanted = [*lead, self.size]
            raise MeasureError(
                f"the matrix takes vectors {wanted} or blocks {[*wanted, 'k']}, not {list(vectors.shape)}"
            )
        decay = self._objective.weight_decay
        total = vectors * decay if decay else torch.zeros_like(vectors)
        for share, multiply in self._all():
            total += share * self._multiplied(multiply, vectors)
        return total

    def _all(self) -> Iterator[tuple[float, Multiply]]:
        yield from self._graphs.values()
        for chunk, share in self._rest:
            yield share, self._built(chunk)

    def _multiplied(self, multiply: Multiply, vectors: torch.Tensor) -> torch.Tensor:
        if vectors.dim() == self._weights.dim():
            return multiply(vectors, False)
        rows = vectors.movedim(-1, 0).contiguous()
        if self._together > 1:
            try:
                found = [multiply(block, True) for block in rows.split(self._together)]
                return torch.cat(found).movedim(0, -1)
            except RuntimeError:  # an operation that does not know how to take several at once
                self._together = 1
        return torch.stack([multiply(row, False) for row in rows], dim=-1)

    def _built(self, chunk: slice) -> Multiply:
        """The graph of a chunk, as the function that multiplies by the matrix of its mean loss."""
        return (_of_loss if self._of == "loss" else _gauss_newton)(
            self._objective, self._weights, self._span, chunk
        )


def product(
    objective: Objective,
    weights: torch.Tensor,
    *,
    of: Curvature = "loss",
    part: str = NETWORK,
    memory: int = KEPT,
) -> Product:
    """The curvature of the mean loss at some weights, as a function that multiplies by it.

    Args:
        objective: Network, loss and data.
        weights: `[D]`; or `[M, D]` for several networks, each of which is then multiplied with its own vector.
        of: The Hessian of the "loss", or its "gauss_newton" part.
        part: "network", the name of a parameter tensor or of a layer: the diagonal block that belongs to it.
        memory: Bytes of graphs that are kept; what does not fit is built anew for each product.

    Returns:
        A function of vectors `[D]` or blocks `[D, k]`.

    Raises:
        MeasureError: There is no such part or curvature.

    Example:
        >>> import numpy as np
        >>> line = torch.nn.Linear(2, 1, bias=False)
        >>> objective = Objective(line, "mse", np.array([[2.0, 0.0], [0.0, 1.0]]), np.zeros((2, 1)))
        >>> hessian = product(objective, objective.weights)  # X'X, as the mean is over two examples
        >>> hessian(torch.tensor([1.0, 1.0], dtype=torch.float64)).tolist()
        [4.0, 1.0]
    """
    return Product(objective, weights, of, part, memory)


def _leaf(weights: torch.Tensor, span: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of a part, by which can be differentiated, and all weights with these in place."""
    leaf = weights[..., span].clone().requires_grad_()
    if leaf.shape == weights.shape:
        return leaf, leaf
    return leaf, torch.cat([weights[..., : span.start], leaf, weights[..., span.stop :]], dim=-1)


def _grad(
    outputs: torch.Tensor,
    inputs: torch.Tensor,
    along: torch.Tensor | None = None,
    *,
    graph: bool = False,
    rows: bool = False,
) -> torch.Tensor:
    """A derivative whose graph can be used again: zero where there is no dependence."""
    found = None
    if outputs.requires_grad:
        found = torch.autograd.grad(
            outputs,
            inputs,
            along,
            create_graph=graph,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=rows,
        )[0]
    if found is not None:
        return found
    return inputs.new_zeros((len(along), *inputs.shape) if rows and along is not None else inputs.shape)


def _of_loss(objective: Objective, weights: torch.Tensor, span: slice, chunk: slice) -> Multiply:
    leaf, whole = _leaf(weights, span)
    gradient = _grad(_bare(objective, whole, chunk).sum(), leaf, graph=True)
    return lambda vector, rows: _grad(gradient, leaf, vector, rows=rows)


def _gauss_newton(objective: Objective, weights: torch.Tensor, span: slice, chunk: slice) -> Multiply:
    leaf, whole = _leaf(weights, span)
    outputs = objective.outputs(whole, objective.x[chunk])
    y = objective.y[chunk]
    at = outputs.detach().requires_grad_()
    losses = (
        objective.criterion(at, y) if weights.dim() == 1 else rowwise(objective.criterion, (0, None), at, y)
    )
    slope = _grad(losses.sum(), at, graph=True)
    probe = torch.zeros_like(outputs, requires_grad=True)
    back = _grad(outputs, leaf, probe, graph=True)  # J'u, linear in u

    def multiply(vector: torch.Tensor, rows: bool) -> torch.Tensor:
        along = _grad(back, probe, vector, rows=rows)
        return _grad(outputs, leaf, _grad(slope, at, along, rows=rows), rows=rows)

    return multiply


def _bare(objective: Objective, weights: torch.Tensor, chunk: slice | torch.Tensor) -> torch.Tensor:
    """The mean loss without weight decay, whose curvature is known."""
    outputs, y = objective.outputs(weights, objective.x[chunk]), objective.y[chunk]
    return (
        objective.criterion(outputs, y)
        if weights.dim() == 1
        else rowwise(objective.criterion, (0, None), outputs, y)
    )


class _Counter(TorchDispatchMode):
    """Counts the bytes of all that is computed; what is only looked at anew does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        known = {each.untyped_storage().data_ptr() for each in args if isinstance(each, torch.Tensor)}
        for each in found if isinstance(found, tuple | list) else (found,):
            if isinstance(each, torch.Tensor) and each.untyped_storage().data_ptr() not in known:
                self.bytes += each.untyped_storage().nbytes()
        return found


def _bytes_per_example(objective: Objective, weights: torch.Tensor) -> float:
    """What the graph of a gradient holds for one example: an upper bound, from two short passes that are made once."""

    def count(examples: int) -> int:
        leaf, whole = _leaf(weights, slice(0, objective.size))
        with _Counter() as counter:
            _grad(_bare(objective, whole, slice(0, examples)).sum(), leaf, graph=True)
        return counter.bytes

    key = f"bytes per example {tuple(weights.shape)}"
    if key not in objective.known:
        few = min(objective.examples, 8)
        objective.known[key] = (count(few) - count(1)) / (few - 1) if few > 1 else float(count(1))
    return objective.known[key]
