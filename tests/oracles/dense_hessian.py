"""Hessian and Gauss-Newton matrix of a network's mean loss in float64, number by number from torch's own functions."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _loss_of(
    network: nn.Module, criterion: Criterion, x: torch.Tensor, y: torch.Tensor
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    network = copy.deepcopy(network).double().eval()
    names = [(name, p.shape) for name, p in network.named_parameters() if p.requires_grad]
    flat = torch.cat([p.detach().reshape(-1) for p in network.parameters() if p.requires_grad])

    def outputs(weights: torch.Tensor) -> torch.Tensor:
        pieces = weights.split([shape.numel() for _, shape in names])
        tensors = {name: piece.view(shape) for (name, shape), piece in zip(names, pieces, strict=True)}
        return functional_call(network, tensors, (x,))

    return outputs, lambda weights: criterion(outputs(weights), y), flat


def hessian(network: nn.Module, criterion: Criterion, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    _, loss, flat = _loss_of(network, criterion, x, y)
    return torch.autograd.functional.hessian(loss, flat)


def gauss_newton(network: nn.Module, criterion: Criterion, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    outputs, _, flat = _loss_of(network, criterion, x, y)
    jacobian = torch.autograd.functional.jacobian(outputs, flat).reshape(-1, len(flat))
    at = outputs(flat).detach()
    inner = torch.autograd.functional.hessian(lambda o: criterion(o, y), at).reshape(at.numel(), at.numel())
    return jacobian.T @ inner @ jacobian
