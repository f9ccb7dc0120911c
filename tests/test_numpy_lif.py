from dataclasses import replace

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
def test_backward_is_linear_in_g(x, lif):
    run = numpy_lif.forward(x, lif)
    a, b = (f(np.arange(x.size)).reshape(x.shape) for f in (np.cos, np.sin))
    both = numpy_lif.backward(3 * a - b, run, lif)
    apart = 3 * numpy_lif.backward(a, run, lif) - numpy_lif.backward(b, run, lif)
    np.testing.assert_allclose(both, apart, rtol=1e-9, atol=1e-9)


@given(x=currents, lif=lifs)
def test_rho_enters_once_a_step(x, lif):
    """Not at all in the last step or without a reset; affinely in the step before it."""
    run = numpy_lif.forward(x, lif)
    g = np.cos(np.arange(x.size)).reshape(x.shape)
    low, middle, high = (
        numpy_lif.backward(g, run, replace(lif, reset_gradient=rho)) for rho in (0.0, 0.25, 1.0)
    )
    np.testing.assert_array_equal(low[-1], high[-1])
    expected = 0.75 * low[-2:] + 0.25 * high[-2:]
    np.testing.assert_allclose(middle[-2:], expected, rtol=1e-9, atol=1e-9)
    if lif.reset == "none":
        np.testing.assert_array_equal(low, high)


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
    assert numpy_lif.backward(np.ones((5, 2)), run, LIF()).dtype == np.float32
    frozen = numpy_lif.forward(np.ones((5, 2), np.float32), LIF(), reset_spikes=np.ones((5, 2)))
    assert frozen.membrane.dtype == np.float32


TRAIN = np.array([0, 1, 0, 0, 1, 0])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64, complex])
def test_trace_of_any_kind_of_spikes(dtype):
    """(1 - 1/3) a + s/3 by hand: 1/3, 2/9, 4/27, 8/81 + 27/81, 70/243."""
    a = numpy_lif.trace(TRAIN.astype(dtype), 3.0)
    np.testing.assert_allclose(a, [0, 1 / 3, 2 / 9, 4 / 27, 35 / 81, 70 / 243], rtol=1e-6)
    back = numpy_lif.trace_backward(TRAIN[::-1].astype(dtype), 3)
    np.testing.assert_array_equal(back, a[::-1])
    kept = {np.float32: np.float32, complex: np.complex128}
    assert a.dtype == back.dtype == kept.get(dtype, np.float64)


def test_the_shortest_time_constant_leaves_the_spikes():
    for tau in (1, np.float32(1.0)):
        np.testing.assert_array_equal(numpy_lif.trace(TRAIN, tau), TRAIN)
        np.testing.assert_array_equal(numpy_lif.trace_backward(TRAIN, tau), TRAIN)
    value, g = numpy_lif.TraceLoss(TRAIN, tau=1.0)(np.zeros(6))
    assert value == 1.0
    np.testing.assert_array_equal(g, -TRAIN)


@pytest.mark.parametrize(
    ("s", "message"),
    [
        (np.array(1.0), r"must be \[T, ...\], no axis of length 0, got shape \(\)"),
        (np.zeros((3, 0)), r"got shape \(3, 0\)"),
        (np.array(["0", "1"]), "must be of float32 or float64, got dtype <U1"),
        (np.zeros(3, np.float16), "got dtype float16"),
        (np.zeros(3, object), "got dtype object"),
        (np.array([0.0, np.nan]), "1 NaN or infinite values of 2"),
    ],
)
def test_bad_spikes_are_named(s, message):
    for name, function in (
        ("s", lambda s: numpy_lif.trace(s, 3.0)),
        ("error", lambda s: numpy_lif.trace_backward(s, 3.0)),
        ("target", numpy_lif.TraceLoss),
        ("spikes", numpy_lif.TraceLoss(TRAIN)),
    ):
        with pytest.raises(ValueError, match=f"^{name} .*{message}"):
            function(s)


@pytest.mark.parametrize("target", [bool, int, np.float32, float])
@pytest.mark.parametrize("spikes", [bool, int, np.float32, float])
def test_loss_of_the_target_is_zero(target, spikes, rng):
    train = rng.random((50, 3)) < 0.3
    value, g = numpy_lif.TraceLoss(train.astype(target))(train.astype(spikes))
    np.testing.assert_array_equal(value, np.zeros(3))
    np.testing.assert_array_equal(g, np.zeros((50, 3)))
    assert g.dtype == np.float64


def test_trace_loss_by_hand():
    """Traces with the default tau, 3: (2/3)^t / 3 of one spike at the start, against none."""
    value, g = numpy_lif.TraceLoss(np.zeros(4))(np.eye(4)[0])
    a = (2 / 3) ** np.arange(4) / 3
    assert value == pytest.approx(0.5 * (a**2).sum())
    assert g[3] == pytest.approx(a[3] / 3)
    assert g[2] == pytest.approx(a[2] / 3 + a[3] / 3 * 2 / 3)


@pytest.mark.parametrize("shape", [(6, 1, 1), (6, 1, 4), (6, 5, 1), (6, 5, 4)])
def test_one_target_for_many_neurons(shape, rng):
    spikes, target = rng.random((6, 5, 4)), rng.random(shape)
    value, g = numpy_lif.TraceLoss(target)(spikes)
    full_value, full_g = numpy_lif.TraceLoss(np.broadcast_to(target, spikes.shape))(spikes)
    np.testing.assert_array_equal(value, full_value)
    np.testing.assert_array_equal(g, full_g)


@pytest.mark.parametrize(
    ("target", "spikes"),
    [
        ((6,), (6, 6)),  # NumPy would compare its steps with the neurons
        ((6, 6), (6,)),
        ((1, 5), (6, 5)),  # time is not stretched
        ((6, 5), (1, 5)),
        ((5, 6), (6, 5)),
        ((6, 5), (6, 1)),  # nor are the spikes
        ((6, 5), (6, 4)),
        ((6, 5), (6, 5, 2)),
        ((7,), (6,)),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, spikes):
    with pytest.raises(ValueError, match=r"spikes have shape \(.*\), the target \(.*\); they must"):
        numpy_lif.TraceLoss(np.zeros(target))(np.zeros(spikes))


def test_a_frozen_reset_by_hand():
    """Decay 0.5, x = 0.6: the neuron fires nowhere; the reset takes the spike given at step 1."""
    x, lif = np.full(3, 0.6), LIF(decay=0.5)
    for dtype in (bool, int, float):
        run = numpy_lif.forward(x, lif, reset_spikes=np.array([1, 0, 0], dtype))
        np.testing.assert_allclose(run.membrane, [0.6, 0.6, 0.9])
        np.testing.assert_array_equal(run.spikes, 0.0)


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
        (np.array(1.0), r"must be \[T, ...\], no axis of length 0, got shape \(\)"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)"),
        (np.array([1, 2]), r"got dtype int64; use .astype\(float\)"),
        (np.array([True]), "got dtype bool"),
        (np.array([1j]), "got dtype complex128"),
        (np.zeros(2, np.float16), "got dtype float16"),
        (np.zeros(2, np.longdouble), "got dtype"),
        (np.array([1.0, np.nan, np.inf]), "2 NaN or infinite values of 3"),
    ],
)
def test_bad_currents_and_credits_are_named(x, message):
    """Complex ones too, but for the current of the smooth twin."""
    with pytest.raises(ValueError, match=f"^x .*{message}"):
        numpy_lif.forward(x, LIF())
    with pytest.raises(ValueError, match=f"^g .*{message}"):
        numpy_lif.backward(x, numpy_lif.Run(np.zeros(np.shape(x)), np.zeros(np.shape(x))), LIF())


def test_bad_runs_are_named():
    g, lif, Run = np.zeros(4), LIF(), numpy_lif.Run
    for dtype in (int, complex, np.float16):
        with pytest.raises(ValueError, match="the run must be of float32 or float64, got dtype"):
            numpy_lif.backward(g, Run(g, np.zeros(4, dtype)), lif)
    with pytest.raises(
        ValueError, match=r"the run's spikes has shape \(1,\), its membrane has \(4,"
    ):
        numpy_lif.backward(g, Run(np.zeros(1), np.zeros(4)), lif)


def test_spikes_of_a_run_may_be_booleans(rng):
    x, g = rng.normal(0.5, 0.5, (2, 20))
    s, u = numpy_lif.forward(x, LIF())
    delta = numpy_lif.backward(g, (s, u), LIF())
    np.testing.assert_array_equal(numpy_lif.backward(g, (s.astype(bool), u), LIF()), delta)
    np.testing.assert_array_equal(numpy_lif.backward(g, (s.astype(int), u), LIF()), delta)


def test_bad_shapes_and_tau_are_named():
    run = numpy_lif.forward(np.zeros((4, 2)), LIF())
    with pytest.raises(ValueError, match=r"g has shape \(4,\), the run has \(4, 2\)"):
        numpy_lif.backward(np.zeros(4), run, LIF())
    with pytest.raises(ValueError, match=r"reset_spikes has shape \(3,\), x has \(4,\)"):
        numpy_lif.forward(np.zeros(4), LIF(), reset_spikes=np.zeros(3))
    for reset_spikes, message in (
        (np.array([0, 1j, 0, 0]), "got dtype complex128"),
        (np.array([0.0, np.nan, 0.0, 0.0]), "has 1 NaN"),
    ):
        with pytest.raises(ValueError, match=f"reset_spikes .*{message}"):
            numpy_lif.forward(np.zeros(4), LIF(), reset_spikes=reset_spikes)


@pytest.mark.parametrize(
    ("tau", "message"),
    [
        (0.5, "tau must be at least 1 step and finite, got 0.5"),
        (np.inf, "tau must be at least 1 step and finite, got inf"),
        (np.nan, "tau must be at least 1 step and finite, got nan"),
        (True, "tau must be a number, got True"),
        ("3", "tau must be a number, got '3'"),
        (np.array([3.0]), "tau must be a number, got array"),
    ],
)
def test_bad_time_constants_are_named(tau, message):
    with pytest.raises(ValueError, match=message):
        numpy_lif.trace(np.zeros(4), tau)
    with pytest.raises(ValueError, match=message):
        numpy_lif.trace_backward(np.zeros(4), tau)
    with pytest.raises(ValueError, match=message):
        numpy_lif.TraceLoss(np.zeros(4), tau)
