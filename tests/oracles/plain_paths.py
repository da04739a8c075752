"""Slow, plain forms of what is measured along paths: loops over batches, and what other tools do instead."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn


def mlp(*widths: int, seed: int = 0, norm: bool = False, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """A network with rectifiers, drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts: list[nn.Module] = []
        for k, (a, b) in enumerate(pairwise(widths)):
            parts.append(nn.Linear(a, b))
            if k < len(widths) - 2:
                parts += [nn.BatchNorm1d(b)] * norm + [nn.ReLU()]
        return nn.Sequential(*parts).to(dtype)


def cnn(seed: int = 0, *, norm: bool = False, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Two convolutions and two fully connected layers for images [1, 8, 8], 3 classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), *[nn.BatchNorm2d(4)] * norm, nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 5, 2), *[nn.BatchNorm2d(5)] * norm, nn.ReLU(), nn.Flatten(),
            nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3),
        ).to(dtype)  # fmt: skip


def blobs(
    n: int = 200, inputs: int = 5, classes: int = 3, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes around centres."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, inputs))[y] * 2 + rng.normal(size=(n, inputs))
    return torch.from_numpy(x), torch.from_numpy(y)


def train(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int = 100, lr: float = 0.02
) -> nn.Module:
    """Full batches by Adam; ends in evaluation mode."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network.eval()


def mixed(one: nn.Module, two: nn.Module, alpha: float) -> nn.Module:
    """A copy between two networks, buffers and all, by a loop over state dicts."""
    network = copy.deepcopy(one)
    other = two.state_dict()
    state = {
        n: (1 - alpha) * t + alpha * other[n] if t.is_floating_point() else t
        for n, t in one.state_dict().items()
    }
    network.load_state_dict(state)
    return network.eval()


def renormalised(network: nn.Module, x: torch.Tensor) -> nn.Module:
    """A copy with batch-norm statistics of all of x: layer after layer, each from its whole input."""
    network = copy.deepcopy(network).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            seen: list[np.ndarray] = []
            handle = layer.register_forward_pre_hook(
                lambda module, inputs, seen=seen: seen.append(inputs[0].numpy())
            )
            with torch.no_grad():
                network(x)
            handle.remove()
            values = np.moveaxis(seen[0], 1, 0).reshape(seen[0].shape[1], -1)
            layer.running_mean = torch.tensor(values.mean(axis=1))
            layer.running_var = torch.tensor(values.var(axis=1, ddof=1))
    return network


def score(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Cross-entropy and accuracy."""
    with torch.no_grad():
        outputs = network(x)
        return float(nn.functional.cross_entropy(outputs, y)), float((outputs.argmax(1) == y).double().mean())


def shuffled(network: nn.Sequential, seed: int = 0) -> nn.Sequential:
    """A copy of `mlp` or `cnn` with hidden units in another order, written out by hand."""
    rng = np.random.default_rng(seed)
    network = copy.deepcopy(network)
    layers = [
        layer
        for layer in network
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    products = [k for k, layer in enumerate(layers) if isinstance(layer, nn.Linear | nn.Conv2d)]
    with torch.no_grad():
        for k, after in pairwise(products):
            units = len(layers[k].weight)
            order = torch.from_numpy(rng.permutation(units))
            for layer in layers[k:after]:  # the product and its normalisation
                for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
                    if tensor.dim():
                        getattr(layer, name).copy_(tensor[order].clone())
            weight: Any = layers[after].weight
            blocks = weight.reshape(len(weight), units, -1)[:, order]
            weight.copy_(blocks.reshape(weight.shape).clone())
    return network
