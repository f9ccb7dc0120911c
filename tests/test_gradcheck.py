"""The check: differences of the smooth twin against the backward pass."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from conftest import ANALYTIC, RESETS, SURROGATES, name

from tsbp_core import LIF, gradcheck, numpy_lif, surrogates, torch_lif

LENGTHS = (1, 2, 10, 100)


def current(T, seed=7):
    return np.random.default_rng(seed).normal(0.3, 0.5, (T, 1))


@pytest.mark.parametrize("T", LENGTHS)
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("surrogate", ANALYTIC, ids=name)
def test_complete_gradient_is_exact(surrogate, reset, T, measured):
    lif = LIF(reset=reset, surrogate=surrogate)
    central = gradcheck.check(current(T), lif, method="central")
    stepped = gradcheck.check(current(T), lif, method="complex")
    measured("complete gradient against central differences, worst", central.with_term)
    measured("complete gradient against the complex step, worst", stepped.with_term)
    assert central.with_term < 1e-7
    assert stepped.with_term < 1e-12


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("surrogate", [s for s in SURROGATES if not s.analytic], ids=name)
def test_complete_gradient_is_exact_for_kinked_surrogates(surrogate, reset):
    for T in LENGTHS:
        assert gradcheck.check(current(T), LIF(reset=reset, surrogate=surrogate)).with_term < 1e-7


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("surrogate", ANALYTIC, ids=name)
def test_detached_gradient_fails_the_check(surrogate, reset, measured):
    """The negative control: a check that passes both rules proves nothing."""
    for T in (10, 100):
        report = gradcheck.check(current(T), LIF(reset=reset, surrogate=surrogate))
        measured("detached gradient, T >= 10, least error", report.without_term, min)
        assert report.without_term > 0.05


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("surrogate", ANALYTIC, ids=name)
def test_detached_gradient_is_exact_when_the_reset_is_frozen(surrogate, reset, measured):
    for T in LENGTHS:
        lif = LIF(reset=reset, surrogate=surrogate)
        assert gradcheck.check(current(T), lif, method="central").frozen < 1e-7
        error = gradcheck.check(current(T), lif, method="complex").frozen
        measured("detached gradient with the reset frozen, complex step, worst", error)
        assert error < 1e-12


def test_nothing_is_missing_at_one_step_or_without_a_reset():
    surrogate = surrogates.Sigmoid()
    assert gradcheck.check(current(1), LIF(surrogate=surrogate)).without_term < 1e-7
    report = gradcheck.check(current(50), LIF(reset="none", surrogate=surrogate))
    assert report.without_term < 1e-7


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("reset", RESETS)
def test_exact_at_the_ends_of_the_decay_range(decay, reset):
    lif = LIF(decay=decay, reset=reset, surrogate=surrogates.Sigmoid(0.3))
    assert gradcheck.check(current(12), lif, method="complex").with_term < 1e-12


@pytest.mark.parametrize("x", [np.full((20, 1), -2.0), np.full((20, 1), 2.0)])
def test_exact_for_silence_and_for_a_spike_at_every_step(x):
    lif = LIF(surrogate=surrogates.Arctan())
    assert gradcheck.check(x, lif, method="complex").with_term < 1e-12


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize(("method", "bound"), [("central", 1e-7), ("complex", 1e-12)])
def test_weights_and_network(reset, method, bound, rng):
    lif = LIF(reset=reset, surrogate=surrogates.Sigmoid(0.3))
    inputs = (rng.random((15, 4)) < 0.4).astype(float)
    report = gradcheck.check_weights(rng.normal(0.3, 0.4, (4, 2)), inputs, lif, method=method)
    assert report.with_term < bound
    inputs = (rng.random((10, 3, 4)) < 0.4).astype(float)
    w1, w2 = rng.normal(0.3, 0.5, (4, 5)), rng.normal(0.3, 0.5, (5, 2))
    report = gradcheck.check_network(w1, w2, inputs, lif, method=method)
    assert report.with_term < bound
    assert report.frozen < bound
    assert reset == "none" or report.without_term > 0.05


def test_own_loss_is_used(rng):
    g = rng.normal(size=(8, 2))
    report = gradcheck.check(
        rng.normal(0.5, 0.4, (8, 2)),
        LIF(surrogate=surrogates.Sigmoid()),
        loss=lambda s: ((g * s).sum(), g),
        method="complex",
    )
    assert report.with_term < 1e-12
    assert np.linalg.norm(report.differences) > 0


def test_complex_step_refuses_kinked_surrogates_and_unknown_methods():
    with pytest.raises(ValueError, match="analytic surrogate .* not FastSigmoid; use method='cen"):
        gradcheck.check(current(3), LIF(), method="complex")
    with pytest.raises(ValueError, match="method must be one of .*, got 'forward'"):
        gradcheck.check(current(3), LIF(), method="forward")


@pytest.mark.parametrize("reset", RESETS)
def test_torch_gradcheck_agrees(reset):
    x = torch.tensor(current(10), requires_grad=True)
    for surrogate in ANALYTIC:
        lif = LIF(reset=reset, surrogate=surrogate)
        assert torch.autograd.gradcheck(
            lambda x, lif=lif: torch_lif.lif(x, lif, "eager", smooth=True), (x,)
        )


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_torch_gradcheck_rejects_the_detached_rule(reset):
    x = torch.tensor(current(10), requires_grad=True)
    lif = LIF(reset=reset, surrogate=surrogates.Sigmoid(), reset_gradient=0.0)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: torch_lif.lif(x, lif, "eager", smooth=True), (x,))


def test_differences_by_hand():
    """Of x^3 at 2: 12 exactly by the complex step; 12 + step^2 by central differences."""
    x = np.array([2.0])

    def cube(p):
        return (p**3)[:, 0]

    assert gradcheck.complex_step(cube, x) == pytest.approx(12, abs=1e-14)
    assert gradcheck.central_difference(cube, x, step=0.1) == pytest.approx(12.01, abs=1e-12)
    assert gradcheck.central_difference(cube, x) == pytest.approx(12 + 1e-10, abs=2e-9)


def test_default_steps():
    """Half the distance of the points compared, seen by the function itself."""
    seen = []

    def note(p):
        seen.append(p)
        return p[:, 0]

    gradcheck.central_difference(note, np.array([0.0]))
    gradcheck.complex_step(note, np.array([0.0]))
    assert [p[0, 0] for p in seen] == [1e-5, -1e-5, 1e-30j]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 2)])
def test_differences_have_the_shape_of_the_point(shape, rng):
    weight, x = rng.normal(size=(2, *shape))

    def weighted(p):
        return (weight * p**2).reshape(len(p), -1).sum(axis=1)

    np.testing.assert_allclose(gradcheck.complex_step(weighted, x), 2 * weight * x, rtol=1e-12)
    np.testing.assert_allclose(gradcheck.central_difference(weighted, x), 2 * weight * x, rtol=1e-7)


def test_relative_error():
    assert gradcheck.relative_error([3.0, 0.0], [0.0, 4.0]) == 5 / 4
    assert gradcheck.relative_error([3.0, 4.0], [0.0, 0.0]) == 5.0
    assert gradcheck.relative_error([0.0], [0.0]) == 0.0
    with pytest.raises(ValueError, match=r"gradient has shape \(1, 2\), reference has \(2,\)"):
        gradcheck.relative_error([[1.0, 2.0]], [1.0, 2.0])


def test_report_holds_both_rules_and_the_differences():
    lif = LIF(surrogate=surrogates.Sigmoid(), reset_gradient=0.3)
    x = current(12)
    report = gradcheck.check(x, lif, method="complex")
    run = numpy_lif.forward(x, lif, smooth=True)
    g = numpy_lif.TraceLoss(np.zeros_like(x), tau=3.0)(run.spikes)[1]
    for rho, found in ((1.0, report.complete), (0.0, report.detached)):
        rule = LIF(surrogate=surrogates.Sigmoid(), reset_gradient=rho)
        np.testing.assert_array_equal(found, numpy_lif.backward(g, run, rule))
    assert report.without_term == gradcheck.relative_error(report.detached, report.differences)
    np.testing.assert_allclose(report.differences, report.complete, rtol=1e-12)
    assert "array" not in repr(report)
    with pytest.raises(FrozenInstanceError):
        report.frozen = 0.0


@pytest.mark.parametrize("target", [bool, int, float])
def test_a_target_of_any_dtype_gives_the_same_report(target):
    lif, train = LIF(surrogate=surrogates.Sigmoid()), np.arange(12)[:, None] % 4 == 0
    report = gradcheck.check(current(12), lif, loss=numpy_lif.TraceLoss(train.astype(target)))
    silent = gradcheck.check(current(12), lif)
    assert report.with_term < 1e-7
    assert not np.allclose(report.complete, silent.complete)
    plain = gradcheck.check(current(12), lif, loss=numpy_lif.TraceLoss(train + 0.0))
    np.testing.assert_array_equal(report.complete, plain.complete)


def test_narrow_floats_and_spikes_are_cast(rng):
    lif = LIF(surrogate=surrogates.Sigmoid())
    x = current(12).astype(np.float32)
    assert gradcheck.check(x, lif, method="complex").with_term < 1e-12
    w, inputs = rng.normal(0.3, 0.4, (4, 2)).astype(np.float32), rng.random((15, 3, 4)) < 0.4
    assert gradcheck.check_weights(w, inputs[:, 0], lif, method="complex").with_term < 1e-12
    report = gradcheck.check_network(w, w.T[:, :2], inputs, lif, method="complex")
    assert report.with_term < 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lif: gradcheck.check(np.ones(3, int), lif), "x must be of float32 or float64"),
        (lambda lif: gradcheck.check(np.ones(3, complex), lif), "x must be of float32 or float64"),
        (lambda lif: gradcheck.check(np.array([np.nan]), lif), "x has 1 NaN"),
        (
            lambda lif: gradcheck.check(np.ones((3, 2)), lif, loss=numpy_lif.TraceLoss(np.ones(3))),
            r"spikes have shape \(3, 2\), the target \(3,\)",
        ),
        (
            lambda lif: gradcheck.check(np.ones((3, 2)), lif, loss=lambda s: (s.sum(), np.ones(2))),
            r"g has shape \(2,\), the run has \(3, 2\)",
        ),
        (
            lambda lif: gradcheck.check_weights(np.ones(4), np.ones((5, 4)), lif),
            r"w must be \[N, M\]",
        ),
        (
            lambda lif: gradcheck.check_weights(np.ones((4, 1)), np.ones((5, 2, 4)), lif),
            r"inputs must be \[T, N\]",
        ),
        (
            lambda lif: gradcheck.check_network(np.eye(2), np.eye(2), np.ones((5, 2)), lif),
            r"inputs must be \[T, B, N\]",
        ),
        (
            lambda lif: gradcheck.check_network(np.eye(2), np.ones(2), np.ones((5, 1, 2)), lif),
            r"w2 must be \[M, K\]",
        ),
        (
            lambda lif: gradcheck.central_difference(np.sum, np.ones(2, int)),
            "x must be of float32 or float64",
        ),
        (
            lambda lif: gradcheck.complex_step(np.sum, np.ones(2, complex)),
            "x must be of float32 or float64",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(LIF(surrogate=surrogates.Sigmoid()))
