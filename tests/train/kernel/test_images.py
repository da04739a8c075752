"""The kernel for images against autograd in float64: outputs, loss and gradient of odd shapes, within 1e-10."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from gradlab.model import CNN
from gradlab.model.layers import Conv, Dense, Pool, Softmax
from gradlab.task import CropFlip
from gradlab.task.augment import apply, moves
from gradlab.train.kernel.image_program import ImageProgram
from gradlab.train.kernel.images import Augmented, Dropped, ImageKernel, compile_images

TOLERANCE = 1e-10
ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "identity": lambda z: z,
    "leaky_relu": lambda z: functional.leaky_relu(z, 0.1),
}


def forward(layers, activation, x, parameters):
    given = iter(parameters)
    for layer in layers:
        if isinstance(layer, Conv):
            x = functional.conv2d(x, next(given), next(given), padding=layer.pad)
        elif isinstance(layer, Pool):
            x = functional.max_pool2d(x, layer.size)
        elif isinstance(layer, Dense):
            x = functional.linear(x.flatten(1), next(given), next(given))
        elif isinstance(layer, Softmax):
            x = torch.softmax(x, 1)
        if isinstance(layer, Conv | Dense) and layer.active:
            x = activation(x)
    return x


def problem(text, shape, n, outputs=5, dtype=np.float64):
    network, generator = CNN(text), np.random.default_rng(n)
    tensors = network.tensors(shape, outputs)
    flat = np.concatenate([generator.uniform(-1, 1, t.size) / np.sqrt(t.fan_in) for t in tensors])
    x, y = generator.normal(size=(n, *shape)), generator.integers(0, outputs, n)
    return network.resolved(shape, outputs), tensors, flat.astype(dtype), x.astype(dtype), y


def compare(text, shape, n, activation="relu"):
    layers, tensors, flat, x, y = problem(text, shape, n)
    kernel = ImageKernel(ImageProgram(layers, activation=activation, slope=0.1), np.float64, n)
    loss, gradient, outputs = kernel.evaluate(flat, x, y, gradient=True, outputs=True)
    cuts = np.cumsum([tensor.size for tensor in tensors])[:-1]
    parameters = [
        torch.tensor(part.reshape(tensor.shape), requires_grad=True)
        for part, tensor in zip(np.split(flat, cuts), tensors, strict=True)
    ]
    expected = forward(layers, ACTIVATIONS[activation], torch.tensor(x), parameters)
    value = functional.cross_entropy(expected, torch.tensor(y))
    slopes = torch.autograd.grad(value, parameters)
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=0, atol=TOLERANCE)
    assert loss == pytest.approx(value.item(), abs=TOLERANCE)
    np.testing.assert_allclose(
        gradient, torch.cat([s.ravel() for s in slopes]).numpy(), rtol=0, atol=TOLERANCE
    )
    squares = [float((slope**2).sum()) for slope in slopes]
    np.testing.assert_allclose(kernel.squares(gradient).ravel(), squares, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 5, 8, 37, 100])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_any_number_of_examples(activation, n):
    compare("conv 3x3, pool 2, conv 11x3 pad 1, pool 2, 12, 9", (3, 13, 11), n, activation)


@pytest.mark.parametrize(
    "text",
    [
        "conv 10x3, pool 2, conv 16x3, pool 2, 32",
        "conv 4x5, conv 7x5 pad 2, pool 3, 6",
        "conv 8x3, pool 2, softmax",
        "pool 2, conv 4x1, conv 5x2 pad 1, pool 2, softmax",
        "7, 8",
        "softmax",
        "conv 3x3 linear, pool 2, 5 linear, 6",
        "conv 2x3 pad 1, conv 13x3, conv 26x1, pool 2, pool 2",
        "conv 11x16, 1",
        "conv 2x9 pad 8, pool 5",
    ],
)
@pytest.mark.parametrize("shape", [(1, 16, 17), (2, 17, 16)])
def test_any_shape(text, shape):
    compare(text, shape, 19)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tie_belongs_to_the_first_pixel(dtype):
    layers, _, _, x, y = problem("conv 1x1 linear, pool 2", (1, 4, 4), 3, outputs=2, dtype=dtype)
    x[:] = np.arange(4).repeat(4).reshape(4, 4) // 2  # equal pixels in every window
    weights = np.array([1, 0, *np.arange(8), 0, 0], dtype)
    kernel = ImageKernel(ImageProgram(layers), dtype, 3)
    _, gradient, _ = kernel.evaluate(weights, x, y, gradient=True)
    tensors = [torch.tensor(part, requires_grad=True) for part in np.split(weights, [1, 2, 10])]
    parts = [t.reshape(s) for t, s in zip(tensors, [(1, 1, 1, 1), (1,), (2, 4), (2,)], strict=True)]
    loss = functional.cross_entropy(
        forward(layers, None, torch.tensor(x), parts[:2] + parts[2:]), torch.tensor(y)
    )
    expected = torch.cat(torch.autograd.grad(loss, tensors)).numpy()
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_a_number_that_is_not_one_stays_visible():
    layers, _, flat, x, y = problem("conv 2x3, pool 2, pool 2", (1, 11, 11), 20)
    x[7, 0, 5, 5] = np.nan
    loss, _, outputs = ImageKernel(ImageProgram(layers), np.float64, 20).evaluate(flat, x, y, outputs=True)
    assert np.isnan(loss)
    np.testing.assert_array_equal(np.isnan(outputs).all(axis=1), np.arange(20) == 7)
    epoch = ImageKernel(ImageProgram(layers), np.float64, 20).train(
        x,
        y,
        batch=8,
        order=None,
        lr=0.1,
        weights=flat,
        slots={"exp_avg": flat * 0, "exp_avg_sq": flat * 0},
        updates=0,
    )
    assert not epoch.finite


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
def test_augmentation_is_that_of_the_task(mode):
    layers, _, flat, x, y = problem("conv 3x3, pool 2", (3, 9, 8), 21)
    augment = CropFlip(padding=4, mode=mode)
    moved = moves(augment, seed=2, epoch=1, n=len(x))
    ends = []
    for images, given in (
        (x, Augmented(moved, augment.padding, mode == "reflect")),
        (apply(augment, x, moved), None),
    ):
        weights = flat.copy()
        ImageKernel(ImageProgram(layers, optimizer="sgd"), np.float64, 6).train(
            images, y, batch=6, order=None, lr=0.1, weights=weights, slots={}, updates=0, augmented=given
        )
        ends.append(weights)
    np.testing.assert_array_equal(*ends)


def test_dropout_has_an_address():
    layers, _, flat, x, y = problem("drop 0.5, conv 3x3, pool 2, drop 0.5", (1, 8, 8), 30)
    kernel = ImageKernel(ImageProgram(layers), np.float64, 30)
    plain, first, again, other = (
        kernel.evaluate(flat, x, y, outputs=True, batch=7, dropped=dropped)[2]
        for dropped in (None, Dropped(2**63 + 5, 1), Dropped(2**63 + 5, 1), Dropped(2**63 + 5, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, plain)


def test_units_that_live():
    layers, _, flat, x, _ = problem("conv 2x3, pool 2, 4", (1, 6, 6), 9, outputs=2)
    flat[18] = -100  # the first channel never fires
    conv, dense = ImageKernel(ImageProgram(layers), np.float64, 9).alive(flat, x)
    np.testing.assert_array_equal(conv, np.arange(32) >= 16)
    assert dense.shape == (4,)
    assert ImageKernel(ImageProgram(layers, activation="tanh"), np.float64, 9).alive(flat, x) == []
    layers, _, flat, x, _ = problem("conv 2x3 linear, pool 2", (1, 6, 6), 9, outputs=2)
    assert ImageKernel(ImageProgram(layers), np.float64, 9).alive(flat, x) == []  # nothing that could die


def test_layers_that_the_kernel_does_not_have():
    with pytest.raises(ValueError, match="norm1 is a batch normalisation"):
        ImageProgram(CNN("conv 2x3, norm").resolved((1, 8, 8), 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiling_is_enough_for_any_network(dtype):
    from gradlab.train.kernel.image_epochs import run_images

    compile_images(dtype)
    before = len(run_images.signatures)
    layers, _, flat, x, y = problem("drop 0.1, conv 2x3, pool 3, 4, softmax", (1, 9, 9), 9, dtype=dtype)
    x.flags.writeable = False
    kernel = ImageKernel(ImageProgram(layers, optimizer="rmsprop"), dtype, 4)
    kernel.evaluate(flat, x, y, gradient=True, outputs=True, dropped=Dropped(1, 0))
    kernel.alive(flat, x)
    assert len(run_images.signatures) == before
