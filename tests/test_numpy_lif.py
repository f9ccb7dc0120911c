import numpy as np
import pytest
import torch
from conftest import RESETS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tsbp_core import LIF, numpy_lif, surrogates

currents = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=12),
    elements=st.floats(-2, 3, allow_subnormal=False),
)
lifs = st.builds(
    LIF,
    decay=st.floats(0, 1),
    threshold=st.floats(0.1, 2),
    reset=st.sampled_from(RESETS),
    surrogate=st.builds(surrogates.Sigmoid, width=st.floats(0.1, 1)),
    reset_gradient=st.floats(0, 1),
)


def test_three_steps_by_hand():
    """The numbers of the worked example: decay 0.5, threshold 1, x = (0.8, 0.8, 0.4)."""
    lif = LIF(decay=0.5, surrogate=surrogates.Triangle(1.0))
    run = numpy_lif.forward(np.array([0.8, 0.8, 0.4]), lif)
    np.testing.assert_allclose(run.membrane, [0.8, 1.2, 0.4])
    np.testing.assert_allclose(run.spikes, [0.0, 1.0, 0.0])
    delta = numpy_lif.backward(np.array([0.0, 0.0, 1.0]), run, lif)
    # h = (0.8, 0.8, 0.4); delta3 = 0.4; eps2 = 0.2; delta2 = 0.2 * -1.2 * 0.8 = -0.192;
    # eps1 = -0.096; delta1 = -0.096 * (-0.8) * 0.8 - 0.096 = -0.03456
    np.testing.assert_allclose(delta, [-0.03456, -0.192, 0.4])


@given(x=currents, lif=lifs)
def test_forward_follows_the_equations(x, lif):
    s, u = numpy_lif.forward(x, lif)
    assert s.shape == u.shape == x.shape
    np.testing.assert_array_equal(s, u >= lif.threshold)
    after = {"zero": u * (1 - s), "subtract": u - lif.threshold * s, "none": u}[lif.reset]
    before = np.concatenate([np.zeros_like(x[:1]), after[:-1]])
    np.testing.assert_allclose(u, lif.decay * before + x, rtol=1e-12, atol=1e-12)


@given(x=currents, lif=lifs)
def test_backward_is_linear_in_g_and_affine_in_rho(x, lif):
    run = numpy_lif.forward(x, lif)
    g = np.cos(np.arange(x.size)).reshape(x.shape)
    delta = numpy_lif.backward(g, run, lif)
    np.testing.assert_allclose(numpy_lif.backward(3 * g, run, lif), 3 * delta, rtol=1e-9, atol=1e-9)
    if len(x) == 1 or lif.reset == "none":
        detached = LIF(lif.decay, lif.threshold, lif.reset, lif.surrogate, 0.0)
        np.testing.assert_array_equal(delta, numpy_lif.backward(g, run, detached))


@given(x=currents, lif=lifs)
def test_neurons_do_not_mix(x, lif):
    run = numpy_lif.forward(x, lif)
    columns = x.reshape(len(x), -1)
    alone = [numpy_lif.forward(column, lif).spikes for column in columns.T]
    np.testing.assert_array_equal(run.spikes.reshape(columns.shape), np.stack(alone, axis=1))


@pytest.mark.parametrize("reset", RESETS)
def test_no_spike_at_all_leaves_a_leaky_filter(reset):
    lif = LIF(decay=0.9, reset=reset, surrogate=surrogates.Rectangle(0.1))
    x = np.full(20, 0.05)
    run = numpy_lif.forward(x, lif)
    assert run.spikes.sum() == 0
    np.testing.assert_array_equal(numpy_lif.backward(np.ones(20), run, lif), 0.0)


def test_a_spike_at_every_step_forgets_everything():
    lif = LIF(decay=0.9)
    run = numpy_lif.forward(np.full((8, 2), 1.5), lif)
    assert (run.spikes == 1).all()
    np.testing.assert_allclose(run.membrane, 1.5)


def test_exactly_at_threshold_fires():
    run = numpy_lif.forward(np.array([1.0, 1.0]), LIF(decay=0.0, threshold=1.0))
    np.testing.assert_array_equal(run.spikes, [1.0, 1.0])


def test_decay_zero_has_no_memory_and_decay_one_none_sums():
    x = np.linspace(-0.4, 0.6, 11)
    np.testing.assert_allclose(numpy_lif.forward(x, LIF(decay=0.0)).membrane, x)
    summed = numpy_lif.forward(x, LIF(decay=1.0, reset="none")).membrane
    np.testing.assert_allclose(summed, np.cumsum(x))


def test_float32_stays_float32():
    run = numpy_lif.forward(np.ones((5, 2), np.float32), LIF())
    delta = numpy_lif.backward(np.ones((5, 2), np.float32), run, LIF())
    assert run.spikes.dtype == run.membrane.dtype == delta.dtype == np.float32


def test_trace_backward_is_the_adjoint(rng):
    s, e = rng.normal(size=(2, 30, 4))
    forward = (numpy_lif.trace(s, 3.0) * e).sum()
    assert forward == pytest.approx((s * numpy_lif.trace_backward(e, 3.0)).sum())


def test_trace_of_one_spike_decays_from_one_over_tau():
    a = numpy_lif.trace(np.eye(6)[0], 4.0)
    np.testing.assert_allclose(a, 0.25 * 0.75 ** np.arange(6))


def test_trace_loss_gradient_by_differences(rng):
    loss = numpy_lif.TraceLoss((rng.random((12, 3)) < 0.3).astype(float), tau=3.0)
    s, d = rng.random((2, 12, 3))
    value, g = loss(s)
    assert value.shape == (3,)
    difference = (loss(s + 1e-6 * d)[0].sum() - loss(s - 1e-6 * d)[0].sum()) / 2e-6
    assert (g * d).sum() == pytest.approx(difference, rel=1e-7)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("decay", 1.5, r"decay must be in \[0, 1\], got 1.5"),
        ("decay", float("nan"), r"decay must be in \[0, 1\], got nan"),
        ("decay", "0.5", "decay must be a number, got '0.5'"),
        ("threshold", 0.0, "threshold must be positive and finite, got 0.0"),
        ("threshold", float("inf"), "threshold must be positive and finite, got inf"),
        ("reset", "hard", "reset must be one of .*, got 'hard'"),
        ("reset_gradient", -0.1, r"reset_gradient must be in \[0, 1\], got -0.1"),
        ("reset_gradient", True, "reset_gradient must be a number, got True"),
        ("surrogate", "sigmoid", "surrogate must be an object such as"),
        ("surrogate", surrogates.Sigmoid, "surrogate must be an object such as"),
        ("decay", np.True_, "decay must be a number, got np.True_$"),
        ("threshold", 1j, "threshold must be a number, got 1j"),
        ("decay", np.array([0.5]), r"got array\(\[0.5\]\); it is a constant, which nothing trains"),
        ("decay", torch.tensor(0.5), r"got tensor\(0.5000\); it is a constant, .* pass float\("),
    ],
)
def test_bad_parameters_are_named(field, value, message):
    with pytest.raises(ValueError, match=message):
        LIF(**{field: value})


@pytest.mark.parametrize("field", ["decay", "threshold", "reset_gradient"])
@pytest.mark.parametrize("value", [np.float32(0.8), np.float64(0.8), np.int64(1), 1])
def test_numpy_scalars_become_python_floats(field, value):
    lif = LIF(**{field: value})
    assert type(getattr(lif, field)) is float
    assert lif == LIF(**{field: float(value)})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array(1.0), "x must be .* got shape"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)"),
        (np.array([1, 2]), "got dtype int64"),
        (np.array([1j]), "got dtype complex128"),
        (np.array([1.0, np.nan, np.inf]), "x has 2 NaN or infinite values of 3"),
    ],
)
def test_bad_currents_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        numpy_lif.forward(x, LIF())


def test_bad_shapes_and_tau_are_named():
    run = numpy_lif.forward(np.zeros((4, 2)), LIF())
    with pytest.raises(ValueError, match=r"g has shape \(4,\), the run has \(4, 2\)"):
        numpy_lif.backward(np.zeros(4), run, LIF())
    with pytest.raises(ValueError, match=r"reset_spikes has shape \(3,\), x has \(4,\)"):
        numpy_lif.forward(np.zeros(4), LIF(), reset_spikes=np.zeros(3))
    with pytest.raises(ValueError, match="tau must be at least 1 step and finite, got 0.5"):
        numpy_lif.trace(np.zeros(4), 0.5)
