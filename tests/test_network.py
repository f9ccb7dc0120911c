import numpy as np
import pytest
from conftest import RESETS

from tsbp_core import LIF, network, numpy_lif, surrogates

T, B, N, M, K = 9, 3, 5, 4, 2
NEURON = LIF(surrogate=surrogates.Sigmoid(0.3))


@pytest.fixture
def problem(rng):
    """Inputs, targets and weights."""
    inputs = numpy_lif.trace(rng.random((T, B, N)) < 0.4, 3.0)
    targets = (rng.random((T, B, K)) < 0.3).astype(float)
    return inputs, targets, rng.normal(0.4, 0.5, (N, M)), rng.normal(0.4, 0.5, (M, K))


def test_forward_is_one_layer_after_the_other(problem):
    inputs, targets, w1, w2 = problem
    hidden, output = network.forward(inputs, w1, w2, NEURON)
    assert hidden.spikes.any()
    assert output.spikes.any()
    for b in range(B):
        one = numpy_lif.forward(inputs[:, b] @ w1, NEURON)
        two = numpy_lif.forward(one.spikes @ w2, NEURON)
        np.testing.assert_allclose(hidden.membrane[:, b], one.membrane, rtol=1e-12)
        np.testing.assert_allclose(output.membrane[:, b], two.membrane, rtol=1e-12)
    frozen = hidden.spikes * 0 + 1, targets
    hidden, output = network.forward(inputs, w1, w2, NEURON, reset_spikes=frozen)
    np.testing.assert_allclose(hidden.membrane, inputs @ w1)
    two = numpy_lif.forward(hidden.spikes @ w2, NEURON, reset_spikes=targets)
    np.testing.assert_array_equal(output.membrane, two.membrane)
    stacked = np.zeros((2, T, B, K))
    hidden, output = network.forward(inputs, w1[:, :K], w2[:K], NEURON, reset_spikes=stacked)
    np.testing.assert_allclose(hidden.membrane[1], 0.8 * hidden.membrane[0] + inputs[1] @ w1[:, :K])


@pytest.mark.parametrize("reset", RESETS)
def test_backward_sums_over_steps_and_samples(problem, reset, rng):
    inputs, _, w1, w2 = problem
    lif = LIF(reset=reset, surrogate=surrogates.Sigmoid(0.3))
    hidden, output = network.forward(inputs, w1, w2, lif)
    g = rng.normal(size=(T, B, K))
    dw1, dw2 = network.backward(g, inputs, hidden, output, w2, lif)
    dx2 = numpy_lif.backward(g, output, lif)
    dx1 = numpy_lif.backward(np.einsum("tbk,mk->tbm", dx2, w2), hidden, lif)
    np.testing.assert_allclose(dw1, np.einsum("tbn,tbm->nm", inputs, dx1), atol=1e-12)
    np.testing.assert_allclose(dw2, np.einsum("tbm,tbk->mk", hidden.spikes, dx2), atol=1e-12)


def test_train_is_gradient_descent_on_the_mean_loss(problem):
    """By a loop of our own, with the defaults: 200 updates, rate 0.5, tau 3."""
    inputs, targets, w1, w2 = problem
    first, second = w1.copy(), w2.copy()
    a, b, losses = network.train(inputs, targets, w1, w2, NEURON)
    np.testing.assert_array_equal(w1, first)
    np.testing.assert_array_equal(w2, second)
    assert losses.shape == (200,)
    for i in range(200):
        hidden, output = network.forward(inputs, first, second, NEURON)
        error = numpy_lif.trace(output.spikes, 3.0) - numpy_lif.trace(targets, 3.0)
        assert losses[i] == pytest.approx(0.5 * (error**2).sum() / B, rel=1e-9)
        g = numpy_lif.trace_backward(error, 3.0)
        dw1, dw2 = network.backward(g / B, inputs, hidden, output, second, NEURON)
        first, second = first - 0.5 * dw1, second - 0.5 * dw2
    np.testing.assert_allclose(a, first, rtol=1e-6)
    np.testing.assert_allclose(b, second, rtol=1e-6)


def test_inputs_may_be_booleans_and_weights_keep_their_dtype(problem):
    inputs, targets, w1, w2 = problem
    plain = network.train(inputs > 0.1, targets > 0, w1, w2, NEURON, updates=3, lr=np.float32(0.5))
    cast = network.train((inputs > 0.1) + 0.0, targets, w1, w2, NEURON, updates=3)
    for one, other in zip(plain, cast, strict=True):
        np.testing.assert_array_equal(one, other)
    narrow = (a.astype(np.float32) for a in (inputs, targets, w1, w2))
    a, b, _ = network.train(*narrow, NEURON, updates=3)
    assert a.dtype == b.dtype == np.float32


def test_two_layers_learn(rng):
    lif = LIF(surrogate=surrogates.Sigmoid(0.2, unit="area"))
    inputs = numpy_lif.trace(rng.random((40, 4, 20)) < 0.15, 3.0)
    targets = (rng.random((40, 4, 2)) < 0.1).astype(float)
    w1, w2 = rng.normal(0.1, 0.4, (20, 16)), rng.normal(0.1, 0.4, (16, 2))
    _, _, losses = network.train(inputs, targets, w1, w2, lif, lr=0.5, updates=150)
    assert losses[-20:].mean() < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((T, N))}, r"inputs must be \[T, B, N\], .*got shape \(9, 5\)"),
        ({"inputs": np.zeros(T)}, r"inputs must be \[T, B, N\], .*got shape \(9,\)"),
        ({"inputs": np.full((T, B, N), np.nan)}, "inputs has 135 NaN"),
        (
            {"inputs": np.zeros((T, B, N), complex)},
            "inputs must be of float32 .* got dtype complex",
        ),
        ({"w1": np.zeros(N)}, r"w1 must be \[N, M\], .*got shape \(5,\)"),
        ({"w1": np.ones((N, M), int)}, "w1 must be of float32 or float64, got dtype int64"),
        (
            {"w1": np.ones((N, M), complex)},
            "w1 must be of float32 or float64, got dtype complex128",
        ),
        ({"w2": np.zeros((M, K, 1))}, r"w2 must be \[M, K\], .*got shape \(4, 2, 1\)"),
        ({"w2": np.zeros((M + 1, K))}, "mismatch"),
        ({"targets": np.zeros((T, K))}, r"spikes have shape \(9, 3, 2\), the target \(9, 2\)"),
        (
            {"targets": np.zeros((T, K, B))},
            r"spikes have shape \(9, 3, 2\), the target \(9, 2, 3\)",
        ),
        ({"lr": "fast"}, "lr must be a number, got 'fast'"),
    ],
)
def test_what_does_not_fit_is_named(problem, change, message):
    arguments = dict(zip(("inputs", "targets", "w1", "w2"), problem, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        network.train(**arguments, lif=NEURON, updates=1)


def test_a_gradient_that_does_not_fit_is_named(problem):
    inputs, targets, w1, w2 = problem
    hidden, output = network.forward(inputs, w1, w2, NEURON)
    for g, shown, weights, message in (
        (targets[:, 0], inputs, w2, r"g has shape \(9, 2\), the run has \(9, 3, 2\)"),
        (targets, inputs[:, 0], w2, r"inputs must be \[T, B, N\]"),
        (targets, inputs[:, :2], w2, "mismatch"),
        (targets, inputs, w1, "mismatch"),
    ):
        with pytest.raises(ValueError, match=message):
            network.backward(g, shown, hidden, output, weights, NEURON)
