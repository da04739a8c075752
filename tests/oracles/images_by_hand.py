"""Small images, and a loop over them written by hand: plain PyTorch, one statement after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from fleets import fleet_of, spec_of
from torch import nn
from torch.nn import functional

from gradlab.model import CNN
from gradlab.study.spec import Spec
from gradlab.task import Arrays, CropFlip
from gradlab.task.augment import apply, moves
from gradlab.train.dropout import keep_mask, mask_base, mask_key
from gradlab.train.fleet import Fleet
from gradlab.train.random import order

AUGMENT = CropFlip(padding=2)
RICH = CNN("conv 4x3 pad 1, norm, pool 2, drop 0.25, conv 3x3, 6, drop 0.5, 5")
"""Everything that a declared network may have, but for softmax."""


def pictures(count: int = 30, test: int = 12, side: int = 8) -> Arrays:
    """Noise of 2 channels in three classes, which a small network can learn by heart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count + test, 2, side, side))
    y = rng.integers(0, 3, count + test)
    return Arrays(x[:count], y[:count], test_x=x[count:], test_y=y[count:], classes=3)


def image_spec(**fields: Any) -> Spec:
    """The rich network in float64 on these pictures, in batches of 7."""
    return spec_of(**({"task": pictures(), "model": RICH, "batch_size": 7, "dtype": "float64"} | fields))


def image_fleet(spec: Spec, epochs: int, *args: Any, augment: CropFlip | None = None, **record: Any) -> Fleet:
    """The fleet of a spec, its training images augmented."""
    fleet = fleet_of(spec, epochs, *args, **record)
    return replace(fleet, data=tuple(replace(data, augment=augment) for data in fleet.data))


class ByHand(nn.Module):
    """`RICH`, its dropout masks given from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 3, 3)
        self.fc1 = nn.Linear(12, 6)
        self.fc2 = nn.Linear(6, 5)
        self.fc3 = nn.Linear(5, 3)
        self.masks: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = functional.max_pool2d(functional.relu(self.norm1(self.conv1(x))), 2)
        h = h if self.masks is None else h * self.masks[0]
        h = functional.relu(self.conv2(h)).flatten(1)
        h = functional.relu(self.fc1(h))
        h = h if self.masks is None else h * self.masks[1]
        return self.fc3(functional.relu(self.fc2(h)))

    def drop(self, seed: int, epoch: int, step: int, rows: int) -> None:
        """Draw the masks of a training step."""
        self.masks = []
        for layer, (p, shape) in enumerate([(0.25, (4, 4, 4)), (0.5, (6,))]):
            base = mask_base(mask_key(seed), epoch, step, layer)
            kept = keep_mask(base, p, int(np.prod(shape)), rows).T.reshape(rows, *shape)
            self.masks.append(torch.from_numpy(kept / (1 - p)))


def trained(weights: Any, data: Any, epochs: int, batch: int, rate: float) -> tuple[Any, list[Any]]:
    """Adam, all seeds 0: the final weights, and for each epoch its batches' sizes, losses and correct answers."""
    network = ByHand().double()
    nn.utils.vector_to_parameters(torch.from_numpy(weights.copy()), network.parameters())
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    met: list[Any] = []
    for epoch in range(epochs):
        network.train()
        met.append([])
        moved = None if data.augment is None else moves(data.augment, 0, epoch, len(data.x))
        places = order(0, epoch, len(data.x))
        for step, first in enumerate(range(0, len(places), batch)):
            chosen = places[first : first + batch]
            x = data.x[chosen] if moved is None else apply(data.augment, data.x[chosen], moved[chosen])
            y = torch.from_numpy(data.y[chosen])
            network.drop(0, epoch, step, len(chosen))
            outputs = network(torch.from_numpy(np.ascontiguousarray(x)))
            loss = functional.cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            met[-1].append((len(chosen), loss.item(), int((outputs.argmax(1) == y).sum())))
    return network, met
