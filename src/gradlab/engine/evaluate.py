"""How good given weights are on a task: loss and accuracy of a network that anybody trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from gradlab.errors import Problem, UsageError, nearest

__all__ = ["Evaluation", "Score", "evaluate"]

SPLITS: Final = ("both", "train", "test")
DTYPES: Final = ("float32", "float64")


@dataclass(frozen=True)
class Score:
    """A network on one split.

    Attributes:
        examples: How many.
        loss: The mean over them.
        accuracy: The share of right classes; None where nothing is classified.
    """

    examples: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class Evaluation:
    """What given weights do on a task.

    Attributes:
        weights: Where they come from.
        model: The model, in short.
        parameters: Trainable values of the model.
        matched: How the file's arrays were matched to the model's.
        stored: The floating-point types in the file.
        dtype: The type in which outputs were computed.
        loss: The loss's name.
        scores: By split, "train" and "test".
        notes: What a reader should know of how weights and data were read.
    """

    weights: str
    model: str
    parameters: int
    matched: str
    stored: str
    dtype: str
    loss: str
    scores: Mapping[str, Score]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready data, numbers in full."""
        from gradlab.store.codec import plain

        facts = {name: value for name, value in vars(self).items() if name != "scores"}
        scores = {name: vars(score) for name, score in self.scores.items()}
        return plain(facts | {"notes": list(self.notes)} | scores)

    def __str__(self) -> str:
        lines = [
            f"{self.weights}: {self.parameters:,} parameters of {self.model}, {self.stored}, matched {self.matched}",
            *self.notes,
            f"{self.loss} in {self.dtype}, evaluation mode:",
        ]
        for name, score in self.scores.items():
            share = "" if score.accuracy is None else f"  accuracy {score.accuracy:.6f}"
            lines.append(f"{name:<5}  {score.examples:>7,} examples  loss {_six(score.loss)}{share}")
        return "\n".join(lines)


def evaluate(
    weights: str | Path | Mapping[str, Any],
    model: Any,
    task: Any,
    *,
    loss: str | None = None,
    split: Literal["both", "train", "test"] = "both",
    dtype: Literal["float32", "float64"] = "float32",
    seed: int = 0,
) -> Evaluation:
    """Loss and accuracy of given weights, whoever trained them.

    Arrays are matched to the model by name, or else by order and shape. The network is in evaluation mode: nothing
    is dropped, and norms use their running statistics. Losses are summed in float64.

    Args:
        weights: A `.safetensors` or PyTorch file, or a state dict. Nothing in a file is run.
        model: A declared model (`CNN(...)`), a `torch.nn.Module`, a class that builds one, or a text as on the
            command line: `cnn = "conv 16x3, pool 2"`, `mlp = [256, 128]`, `nets:Net(8)`.
        task: A task (`MNIST()`) or a text: `mnist`, `cifar10 = { mean = [...], std = [...] }`.
        loss: "cross_entropy" or "mse"; the task's own if not given.
        split: "train", "test", or "both", which leaves out a test set that is not there.
        dtype: In which outputs are computed; the weights are converted.
        seed: Of what the task draws, such as random labels.

    Returns:
        The scores, and how weights and model were matched.

    Raises:
        UsageError: The model, the task or an option makes no sense, or the model does not take the task.
        WeightsError: The file cannot be read, would run code, or does not fit the model.

    Example:
        >>> from torch import nn
        >>> from gradlab import MLP, Digits
        >>> network = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
        >>> found = evaluate(network.state_dict(), MLP(8), Digits())
        >>> found.matched, found.parameters, list(found.scores)
        ('by order and shape', 610, ['train', 'test'])
    """
    from gradlab.engine.arguments import here_importable, model_of, task_of
    from gradlab.engine.scoring import built, loaded, scored
    from gradlab.store.foreign import as_weights, read_weights

    with here_importable():
        declared, meant = model_of(model), task_of(task)
        chosen = loss or meant.default_loss
        _check_options(meant, chosen, split, dtype)
        network, label = built(declared, meant)
        given = (
            as_weights(weights, "the state dict") if isinstance(weights, Mapping) else read_weights(weights)
        )
        matched = loaded(network, given)
        wanted = tuple(name for name in SPLITS[1:] if split in {name, "both"})
        scores, notes = scored(network, meant, wanted, chosen, dtype, seed)
    types = [str(t.dtype).removeprefix("torch.") for t in given.tensors.values() if t.is_floating_point()]
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    stored = ", ".join(dict.fromkeys(types)) or "whole numbers"
    found = {name: Score(*score) for name, score in scores.items()}
    return Evaluation(
        given.origin, label, parameters, matched, stored, dtype, chosen, found, (*given.notes, *notes)
    )


def _check_options(task: Any, loss: str, split: str, dtype: str) -> None:
    problems = [
        Problem(name, value, "is not one of the allowed values", ", ".join(allowed), nearest(value, allowed))
        for name, value, allowed in (
            ("loss", loss, task.losses),
            ("split", split, SPLITS),
            ("dtype", dtype, DTYPES),
        )
        if value not in allowed
    ]
    if split == "test" and not task.has_test:
        problems.append(Problem("split", split, "is not there: the task has no held-out data", "train"))
    if problems:
        raise UsageError(problems)


def _six(value: float) -> str:
    """A loss to six significant digits."""
    return f"{value:#.6g}" if math.isfinite(value) else f"{value}"
