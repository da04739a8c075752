"""What `train` promises beyond agreeing with PyTorch: no dependence on slicing or measuring, and honest failure."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch_mlp as oracle

from gradlab.train import kernel
from gradlab.train.kernel import Program

EPOCHS = 12


def run(
    program, weights, slots, *, batch_size, n=50, epochs=range(EPOCHS), measure=7, updates=0, dtype=np.float32
):
    """Train over some of the EPOCHS epochs of one fixed problem."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(program.widths[0], n)).astype(dtype)
    y = np.sin(x[:1]).repeat(program.widths[-1], axis=0)
    order = np.array([generator.permutation(n) for _ in range(EPOCHS)], np.int32)
    lr = 0.01 * 0.9 ** np.arange(EPOCHS)
    chosen = slice(epochs.start, epochs.stop)
    return kernel.train(
        program, x, y, batch_size=batch_size, order=order[chosen], lr=lr[chosen], weights=weights, slots=slots,
        updates=updates, measure=np.full(len(epochs), measure, np.uint8),
    )  # fmt: skip


RECIPES = [
    {"optimizer": "adam"},
    {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "sgd", "momentum": 0.9},
    {"optimizer": "rmsprop", "momentum": 0.5},
    {"optimizer": "adam", "reset_every_epoch": True},
    {"optimizer": "adam", "objective": "sum_of_outputs"},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: "-".join(map(str, r.values())))
@pytest.mark.parametrize("batch_size", [None, 1, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cuts", [(0, 1, EPOCHS), (0, 5, 6, EPOCHS), tuple(range(EPOCHS + 1))])
def test_splitting_changes_no_bit(recipe, batch_size, dtype, cuts):
    program = Program((2, 1, 7, 10, 2), activation="tanh", **recipe)
    start = oracle.initial_weights(program.widths, dtype=dtype)
    whole, whole_slots = start.copy(), program.new_slots(dtype)
    expected = run(program, whole, whole_slots, batch_size=batch_size, dtype=dtype)
    parts, slots, updates, losses, squares = start.copy(), program.new_slots(dtype), 0, [], []
    for low, high in pairwise(cuts):
        measured = run(
            program,
            parts,
            slots,
            batch_size=batch_size,
            epochs=range(low, high),
            updates=updates,
            dtype=dtype,
        )
        updates = measured.updates
        losses.append(measured.loss)
        squares.append(measured.gradient_sq)
    assert parts.tobytes() == whole.tobytes()
    assert updates == expected.updates
    assert np.concatenate(losses).tobytes() == expected.loss.tobytes()
    assert np.concatenate(squares).tobytes() == expected.gradient_sq.tobytes()
    for name in program.slots:
        assert slots[name].tobytes() == whole_slots[name].tobytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: "-".join(map(str, r.values())))
@pytest.mark.parametrize("batch_size", [None, 1, 7])
@pytest.mark.parametrize("n", [3, 50, 1000])
def test_measuring_changes_no_bit(recipe, batch_size, n):
    program = Program((2, 5, 3), **recipe)
    start = oracle.initial_weights(program.widths, dtype=np.float32)
    results = []
    for measure in range(16):
        weights = start.copy()
        measured = run(
            program, weights, program.new_slots(np.float32), batch_size=batch_size, n=n, measure=measure
        )
        results.append((measure, weights.tobytes(), measured))
    _, expected, full = results[-1]
    for measure, weights, measured in results:
        assert weights == expected
        for bit, name in ((1, "loss"), (2, "gradient_sq"), (4, "batch_gradient_sq"), (8, "running")):
            got = getattr(measured, name)
            if measure & bit:
                np.testing.assert_array_equal(got, getattr(full, name))
            else:
                assert np.isnan(got).all()


@pytest.mark.parametrize("batch_size", [None, 1, 7])
@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_stops_training(batch_size, activation, poison):
    program = Program((1, 3, 4, 1), activation=activation)
    weights = oracle.initial_weights(program.widths, dtype=np.float32)
    weights[0] = poison
    measured = run(program, weights, program.new_slots(np.float32), batch_size=batch_size)
    assert not measured.finite
    assert measured.epochs_done == 1
    assert measured.updates == -(-50 // (batch_size or 50))
    assert not np.isfinite(weights).all()


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_divergence_stops_at_the_epoch_in_which_it_appears(batch_size):
    program = Program((1, 8, 8, 1), optimizer="sgd", activation="identity")
    weights = oracle.initial_weights(program.widths, dtype=np.float32)
    x = np.linspace(-1, 1, 40, dtype=np.float32)[None]
    lr = np.full(40, 50.0)
    measured = kernel.train(
        program,
        x,
        x,
        batch_size=batch_size,
        order=None,
        lr=lr,
        weights=weights,
        slots={},
        measure=np.ones(40, np.uint8),
    )
    assert not measured.finite
    assert measured.epochs_done < 40
    assert np.isfinite(measured.loss[: measured.epochs_done - 1]).all()
    assert np.isnan(measured.loss[measured.epochs_done :]).all()
    assert not np.isfinite(weights).all()


def test_nan_in_the_data_is_seen():
    program = Program((1, 4, 1))
    weights = oracle.initial_weights(program.widths, dtype=np.float32)
    x = np.linspace(-1, 1, 600, dtype=np.float32)[None]
    y = x.copy()
    y[0, 599] = np.nan
    assert np.isnan(kernel.evaluate(program, weights, x, y)[0])
    measured = kernel.train(
        program, x, y, batch_size=None, order=None, lr=np.full(3, 0.01), weights=weights,
        slots=program.new_slots(np.float32), measure=np.ones(3, np.uint8),
    )  # fmt: skip
    assert (measured.finite, measured.epochs_done) == (False, 1)
    assert np.isnan(measured.loss).all()


def test_a_long_float32_run_learns():
    program = Program((1, 20, 20, 1), activation="tanh")
    weights = oracle.initial_weights(program.widths, dtype=np.float32)
    x = np.linspace(-3, 3, 100, dtype=np.float32)[None]
    y = np.sin(x)
    epochs = 3000
    measured = kernel.train(
        program, x, y, batch_size=None, order=None, lr=np.full(epochs, 3e-3), weights=weights,
        slots=program.new_slots(np.float32), measure=np.ones(epochs, np.uint8),
    )  # fmt: skip
    assert measured.loss[0] > 0.1
    assert measured.loss[-1] < 1e-3
    assert measured.updates == epochs


@pytest.mark.parametrize("batch_size", [None, 1, 32])
def test_float32_stays_near_float64(batch_size):
    program = Program((2, 10, 10, 2), activation="leaky_relu")
    start = oracle.initial_weights(program.widths)
    single, double = start.astype(np.float32), start.copy()
    run(program, single, program.new_slots(np.float32), batch_size=batch_size)
    run(program, double, program.new_slots(np.float64), batch_size=batch_size, dtype=np.float64)
    np.testing.assert_allclose(single, double, atol=2e-3)


def test_full_batch_ignores_the_order():
    program = Program((1, 5, 1))
    start = oracle.initial_weights(program.widths)
    x = np.linspace(-1, 1, 30)[None]
    results = []
    for batch_size, order in (
        (None, None),
        (30, np.arange(30, dtype=np.int32)[None, ::-1].repeat(5, 0)),
        (99, None),
    ):
        weights = start.copy()
        kernel.train(
            program, x, x, batch_size=batch_size, order=order, lr=np.full(5, 0.01), weights=weights,
            slots=program.new_slots(np.float64),
        )  # fmt: skip
        results.append(weights.tobytes())
    assert len(set(results)) == 1


def test_arrays_that_are_read_only_or_strided_are_taken():
    program = Program((2, 3, 1))
    weights = oracle.initial_weights(program.widths)
    x = np.random.default_rng(0).normal(size=(40, 2))
    x.flags.writeable = False
    expected = kernel.evaluate(program, weights, np.ascontiguousarray(x.T), x.T[:1].copy())
    got = kernel.evaluate(program, weights, x.T, x.T[:1])
    assert got[0] == expected[0]
    np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("objective", ["loss", "sum_of_outputs"])
def test_the_gradient_is_the_slope_of_the_objective(activation, loss, objective):
    program = Program((3, 4, 1, 6, 2), activation=activation, slope=0.3, loss=loss, objective=objective)
    generator = np.random.default_rng(5)
    x = generator.normal(size=(3, 9))
    y = generator.integers(0, 2, 9) if loss == "cross_entropy" else generator.normal(size=(2, 9))
    weights = oracle.initial_weights(program.widths, 8)

    def objective_at(w):
        value, _, outputs = kernel.evaluate(program, w, x, y, gradient=False)
        return value if objective == "loss" else outputs.sum()

    _, gradient, _ = kernel.evaluate(program, weights, x, y)
    step = 1e-6 * np.eye(len(weights))
    slopes = [(objective_at(weights + h) - objective_at(weights - h)) / 2e-6 for h in step]
    np.testing.assert_allclose(gradient, slopes, atol=2e-8)


def test_linear_regression_in_closed_form():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(4, 700)), generator.normal(size=(1, 700))
    weights = generator.normal(size=5)
    loss, gradient, outputs = kernel.evaluate(Program((4, 1)), weights, x, y)
    residual = weights[:4] @ x + weights[4] - y[0]
    np.testing.assert_allclose(loss, np.mean(residual**2), rtol=1e-13)
    np.testing.assert_allclose(gradient[:4], 2 * x @ residual / 700, rtol=1e-12)
    np.testing.assert_allclose(gradient[4], 2 * residual.mean(), rtol=1e-12)
    np.testing.assert_allclose(outputs[0], residual + y[0], rtol=1e-12)


def test_cross_entropy_of_huge_outputs_does_not_overflow():
    weights = np.array([1000.0, -1000.0, 0.0, 0.0], np.float32)
    x = np.array([[1.0, -1.0]], np.float32)
    loss, gradient, _ = kernel.evaluate(Program((1, 2), loss="cross_entropy"), weights, x, np.array([0, 0]))
    assert loss == 1000.0
    np.testing.assert_array_equal(gradient, [0.5, -0.5, -0.5, 0.5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hyperbolic_tangent_to_the_last_places(dtype):
    x = np.concatenate([np.linspace(-25, 25, 4001), 10.0 ** -np.arange(0.0, 30.0), [np.inf, -np.inf]])[None]
    weights = np.array([1.0, 0.0, 1.0, 0.0], dtype)
    x = x.astype(dtype)
    _, _, outputs = kernel.evaluate(Program((1, 1, 1), activation="tanh"), weights, x, x, gradient=False)
    exact = np.tanh(x.astype(np.float64))
    np.testing.assert_allclose(outputs, exact, rtol=4 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("activation", ["identity", "relu", "leaky_relu", "tanh"])
def test_hidden_units_are_torch_s(activation):
    program = Program((2, 6, 3, 1), activation=activation, slope=0.2)
    weights = oracle.initial_weights(program.widths)
    x = np.random.default_rng(0).normal(size=(2, 20))
    layers = kernel.hidden(program, weights, x)
    assert [layer.shape for layer in layers] == [(6, 20), (3, 20)]
    last = oracle.split(program.widths, weights)[-2:]
    outputs = torch.nn.functional.linear(torch.tensor(layers[-1].T.copy()), *last).detach().numpy().T
    np.testing.assert_allclose(outputs, kernel.evaluate(program, weights, x, x[:1])[2], atol=1e-12)


@pytest.mark.parametrize("n", [1, 2048, 5000])
def test_units_are_alive_if_any_sample_lifts_them_above_zero(n):
    program = Program((3, 8, 6, 2))
    weights = oracle.initial_weights(program.widths)
    weights[24:26] = -100  # two biases of the first layer
    x = np.random.default_rng(0).normal(size=(3, n))
    found = kernel.alive(program, weights, x)
    assert not found[0][:2].any()
    for seen, layer in zip(found, kernel.hidden(program, weights, x), strict=True):
        np.testing.assert_array_equal(seen, layer.max(axis=1) > 0)


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_outputs_that_are_not_numbers_are_counted_as_numpy_does(batch_size):
    program = Program((1, 3), loss="cross_entropy", optimizer="sgd")
    weights = np.array([0.0, np.nan, 0.0, 0.0, 0.0, 0.0])
    y = np.array([0, 1, 1, 2] * 5)
    measured = kernel.train(
        program, np.ones((1, 20)), y, batch_size=batch_size, order=None, lr=np.zeros(1), weights=weights, slots={},
        measure=np.full(1, 8, np.uint8),
    )  # fmt: skip
    assert not measured.finite
    assert batch_size is not None or measured.running[0, 1] == 0.5


def test_bad_arguments_are_named():
    program = Program((2, 3, 1))
    good = {
        "x": np.zeros((2, 5)), "y": np.zeros((1, 5)), "batch_size": 2, "order": None, "lr": np.full(2, 0.1),
        "weights": np.zeros(13), "slots": program.new_slots(np.float64),
    }  # fmt: skip
    kernel.train(program, **good)
    for change, message in [
        ({"x": np.zeros((3, 5))}, r"x must have shape \(2, n\)"),
        ({"x": np.zeros((2, 0)), "y": np.zeros((1, 0))}, "n at least 1"),
        ({"y": np.zeros((1, 4))}, r"y must be float64 \(1, 5\)"),
        ({"weights": np.zeros(12)}, r"weights must be float64 \(13,\)"),
        ({"weights": np.zeros(13, np.int64)}, "float32 or float64"),
        ({"slots": {}}, "slots must be"),
        ({"batch_size": 0}, "batch_size"),
        ({"order": np.zeros((2, 4), np.int32)}, "order must be"),
        ({"order": np.full((2, 5), 5, np.int32)}, "indices from 0 to 4"),
        ({"measure": np.zeros(3, np.uint8)}, "measure must have shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            kernel.train(program, **(good | change))


def test_labels_out_of_range_are_refused():
    program = Program((1, 3), loss="cross_entropy")
    for y in (np.array([0, 3]), np.array([-1, 0]), np.array([0.0, 1.0])):
        with pytest.raises(ValueError, match="labels"):
            kernel.evaluate(program, np.zeros(6), np.zeros((1, 2)), y)
