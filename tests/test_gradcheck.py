"""The proof: differences of the smooth twin against the backward pass."""

import numpy as np
import pytest
import torch
from conftest import ANALYTIC, RESETS, SURROGATES, name

from tsbp_core import LIF, gradcheck, network, numpy_lif, surrogates, torch_lif

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


def test_two_layer_network_learns(rng):
    lif = LIF(surrogate=surrogates.Sigmoid(0.2, unit="area"))
    inputs = numpy_lif.trace((rng.random((40, 4, 20)) < 0.15).astype(float), 3.0)
    targets = (rng.random((40, 4, 2)) < 0.1).astype(float)
    w1, w2 = rng.normal(0.1, 0.4, (20, 16)), rng.normal(0.1, 0.4, (16, 2))
    before = w1.copy()
    _, _, losses = network.train(inputs, targets, w1, w2, lif, lr=0.5, updates=150)
    assert losses[-20:].mean() < 0.6 * losses[0]
    np.testing.assert_array_equal(w1, before)
