"""Training a multilayer perceptron step by step with torch.optim and torch.nn.functional: slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from gradlab.train.kernel import Program


def initial_weights(widths, seed=0, dtype=np.float64):
    """Uniform in +-1/sqrt(fan_in), each layer's weight row-major and then its bias."""
    generator = np.random.default_rng(seed)
    parts = [
        generator.uniform(-1, 1, (inputs + 1) * width) / np.sqrt(inputs) for inputs, width in pairwise(widths)
    ]
    return np.concatenate(parts).astype(dtype)


def split(widths, flat):
    """The flat vector as torch parameters: weight, bias, weight, bias, ..."""
    tensors, start = [], 0
    for inputs, width in pairwise(widths):
        for shape in ((width, inputs), (width,)):
            size = int(np.prod(shape))
            tensors.append(torch.tensor(flat[start : start + size].reshape(shape), requires_grad=True))
            start += size
    return tensors


def join(tensors):
    return np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])


def forward(program: Program, parameters, inputs):
    """Outputs `[n, out]` for inputs `[n, in]`."""
    activation = {
        "relu": torch.relu,
        "leaky_relu": lambda z: functional.leaky_relu(z, program.slope),
        "tanh": torch.tanh,
        "identity": lambda z: z,
    }[program.activation]
    values = inputs
    for layer in range(0, len(parameters), 2):
        values = functional.linear(values, parameters[layer], parameters[layer + 1])
        if layer < len(parameters) - 2:
            values = activation(values)
    return values


def loss_of(program: Program, outputs, targets):
    return {"mse": functional.mse_loss, "cross_entropy": functional.cross_entropy}[program.loss](
        outputs, targets
    )


def new_optimizer(program: Program, parameters):
    decay = program.weight_decay
    betas = (program.beta1, program.beta2)
    match program.optimizer:
        case "sgd":
            return torch.optim.SGD(
                parameters, lr=1.0, momentum=program.momentum, nesterov=program.nesterov, weight_decay=decay
            )
        case "adam":
            return torch.optim.Adam(parameters, betas=betas, eps=program.eps, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, betas=betas, eps=program.eps, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters,
                alpha=program.alpha,
                eps=program.eps,
                momentum=program.momentum,
                weight_decay=decay,
            )


@dataclass
class Trained:
    weights: np.ndarray
    loss: list[float]  # full pass, before each epoch
    gradient: list[np.ndarray]  # of the loss, full pass, before each epoch
    batch_gradient: list[np.ndarray]  # of the objective, last minibatch of each epoch
    running: list[tuple[float, float, float, float]]  # see kernel.Measured


def _targets(program: Program, y):
    return torch.tensor(y) if program.loss == "cross_entropy" else torch.tensor(y.T.copy())


def gradient_of(program: Program, parameters, value):
    return join(torch.autograd.grad(value, parameters))


def train(program: Program, x, y, *, batch_size, order, lr, weights) -> Trained:
    parameters = split(program.widths, weights)
    inputs, targets = torch.tensor(x.T.copy()), _targets(program, y)
    n = inputs.shape[0]
    optimizer = new_optimizer(program, parameters)
    result = Trained(weights, [], [], [], [])
    for epoch, rate in enumerate(lr):
        if program.reset_every_epoch:
            optimizer = new_optimizer(program, parameters)
        optimizer.param_groups[0]["lr"] = rate
        loss = loss_of(program, forward(program, parameters, inputs), targets)
        result.loss.append(loss.item())
        result.gradient.append(gradient_of(program, parameters, loss))
        places = torch.arange(n) if order is None else torch.tensor(order[epoch], dtype=torch.long)
        means, sizes, correct = [], [], 0
        for batch in places.split(batch_size or n):
            outputs = forward(program, parameters, inputs[batch])
            loss = loss_of(program, outputs, targets[batch])
            objective = outputs.sum() if program.objective == "sum_of_outputs" else loss
            means.append(loss.item())
            sizes.append(len(batch))
            if program.loss == "cross_entropy":
                correct += int((outputs.argmax(1) == targets[batch]).sum())
            optimizer.zero_grad()
            objective.backward()
            last = np.concatenate([parameter.grad.numpy().ravel() for parameter in parameters])
            optimizer.step()
        result.batch_gradient.append(last.copy())
        share = correct / n if program.loss == "cross_entropy" else np.nan
        result.running.append((np.dot(means, sizes) / n, share, sum(means), means[-1]))
    result.weights = join(parameters)
    return result
