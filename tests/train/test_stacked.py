"""Stacked optimizers against `torch.optim`, each member with a learning rate of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.train.stacked import factors, step
from gradlab.train.start import slot_names

RATES = np.array([0.1, 0.003])
RULES: list[tuple[Any, Any, dict[str, Any]]] = [
    (SGD(lr=1), torch.optim.SGD, {}),
    (SGD(lr=1, momentum=0.9, weight_decay=0.1), torch.optim.SGD, {"momentum": 0.9}),
    (SGD(lr=1, momentum=0.8, nesterov=True), torch.optim.SGD, {"momentum": 0.8, "nesterov": True}),
    (
        Adam(lr=1, beta1=0.8, eps=1e-5, weight_decay=0.2),
        torch.optim.Adam,
        {"betas": (0.8, 0.999), "eps": 1e-5},
    ),
    (AdamW(lr=1, weight_decay=0.3), torch.optim.AdamW, {}),
    (RMSprop(lr=1, alpha=0.9, weight_decay=0.1), torch.optim.RMSprop, {"alpha": 0.9}),
    (RMSprop(lr=1, momentum=0.5), torch.optim.RMSprop, {"momentum": 0.5}),
]


@pytest.mark.parametrize(("rule", "kind", "settings"), RULES, ids=lambda given: str(given)[:40])
def test_each_member_moves_as_if_alone(rule: Any, kind: Any, settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    gradients = torch.randn(5, 2, 6, generator=generator, dtype=torch.float64)
    own = [torch.nn.Parameter(row.clone()) for row in weights]
    made = [
        kind([w], lr=rate, weight_decay=rule.weight_decay, **settings)
        for w, rate in zip(own, RATES, strict=True)
    ]
    slots = {name: torch.zeros_like(weights) for name in slot_names(rule)}
    table = torch.from_numpy(np.concatenate([factors(rule, RATES, 0, 3), factors(rule, RATES, 3, 2)]))
    for row, gradient in zip(table, gradients, strict=True):
        before = gradient.clone()
        step(rule, weights, gradient, slots, row)
        assert torch.equal(before, gradient)
        for parameter, optimizer, part in zip(own, made, gradient, strict=True):
            parameter.grad = part.clone()
            optimizer.step()
    torch.testing.assert_close(weights, torch.stack([w.detach() for w in own]), rtol=1e-12, atol=1e-12)
