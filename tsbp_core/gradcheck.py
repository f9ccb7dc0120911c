"""Finite differences against the backward pass, with and without the missing term.

Differences of the true loss say nothing, since H is flat. So everything here runs the smooth twin
of the network, in which sigma (the antiderivative of h) takes the place of H in the output and in
the reset. Its loss has a gradient, and rho = 1 must give it exactly.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from tsbp_core import checks, network, numpy_lif


@dataclass(frozen=True)
class Report:
    """What a check found. Errors are relative: ||gradient - differences|| / ||differences||."""

    with_term: float
    """Error of the complete gradient (rho = 1)."""
    without_term: float
    """Error of the detached gradient (rho = 0)."""
    frozen: float
    """Error of the detached gradient against differences with the reset's spikes held fixed."""
    differences: np.ndarray = field(repr=False)
    """Gradient by differences of the smooth twin."""
    complete: np.ndarray = field(repr=False)
    """Gradient by the backward pass, rho = 1."""
    detached: np.ndarray = field(repr=False)
    """Gradient by the backward pass, rho = 0."""


def central_difference(f, x, step=1e-5):
    """Gradient of ``f`` at ``x`` by central differences.

    Parameters
    ----------
    f : callable
        Takes a stack of inputs ``[K, *x.shape]`` and returns their K losses.
    x : ndarray of float32 or float64
        The point, cast to float64.
    step : float, default 1e-5
        Half the distance between the two points compared.

    Returns
    -------
    ndarray
        Of float64 and the shape of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is of another dtype, is empty or is not finite.
    """
    x = checks.floating("x", x, "[...]").astype(float)
    nudge = step * np.eye(x.size).reshape(x.size, *x.shape)
    return ((f(x + nudge) - f(x - nudge)) / (2.0 * step)).reshape(x.shape)


def complex_step(f, x, step=1e-30):
    """Gradient of ``f`` at ``x`` by the complex step: Im f(x + i step) / step, no cancellation.

    Parameters
    ----------
    f : callable
        As in ``central_difference``, and complex-analytic.
    x : ndarray of float32 or float64
        The point, cast to float64.
    step : float, default 1e-30
        Distance of the point that is looked at, along the imaginary axis.

    Returns
    -------
    ndarray
        Of float64 and the shape of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is of another dtype, is empty or is not finite.
    """
    x = checks.floating("x", x, "[...]").astype(float)
    nudge = step * np.eye(x.size).reshape(x.size, *x.shape)
    return (f(x + 1j * nudge).imag / step).reshape(x.shape)


METHODS = {"central": central_difference, "complex": complex_step}


def check(x, lif, *, loss=None, method="central"):
    """Check dL/dx of LIF neurons in the current ``x``.

    Parameters
    ----------
    x : ndarray [T, ...], float32 or float64
        Input current, cast to float64.
    lif : LIF
        The neuron. Both rho = 1 and rho = 0 are checked, whatever its ``reset_gradient`` is.
    loss : callable, optional
        Maps spikes [T, ...] to (loss, dL/dspikes [T, ...]); a loss with axes is summed over them.
        The spikes are complex under "complex". Default: ``TraceLoss`` with a silent target.
    method : {"central", "complex"}, default "central"
        "complex" needs an analytic surrogate: Sigmoid, Gaussian or Arctan.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the method is unknown, or is "complex" with a surrogate that is not analytic; if an array
        has other axes or dtypes or is not finite, or shapes do not fit.
    """
    x = checks.floating("x", x).astype(float)
    return _check_layer(x, lif, lambda x: x, lambda dx: dx, loss, method)


def check_weights(w, inputs, lif, *, loss=None, method="central"):
    """Check dL/dw of LIF neurons with current ``x = inputs @ w``; the rest as in ``check``.

    Parameters
    ----------
    w : ndarray [N, M], float32 or float64
        Input weights of M neurons, cast to float64.
    inputs : ndarray [T, N]
        Input spikes or traces, cast to float64.
    """
    w = checks.floating("w", w, "[N, M]").astype(float)
    inputs = checks.spikes("inputs", inputs, "[T, N]").astype(float)
    return _check_layer(w, lif, lambda w: inputs @ w, lambda dx: inputs.T @ dx, loss, method)


def check_network(w1, w2, inputs, lif, *, loss=None, method="central"):
    """Check dL/dw1 and dL/dw2 of the two-layer network at once; the rest as in ``check``.

    Parameters
    ----------
    w1, w2 : ndarray [N, M], [M, K], float32 or float64
        Weights into the hidden and into the output layer, cast to float64.
    inputs : ndarray [T, B, N]
        Input spikes or traces of B samples, cast to float64.
    """
    w1 = checks.floating("w1", w1, "[N, M]").astype(float)
    w2 = checks.floating("w2", w2, "[M, K]").astype(float)
    inputs = checks.spikes("inputs", inputs, "[T, B, N]").astype(float)
    loss = loss or _silence
    hidden, output = network.forward(inputs, w1, w2, lif, smooth=True)
    g = loss(output.spikes)[1]

    def losses_at(ps, reset_spikes):
        return [loss_at(p, reset_spikes) for p in ps]

    def loss_at(p, reset_spikes):
        w1_, w2_ = np.split(p, [w1.size])
        runs = network.forward(
            inputs, w1_.reshape(w1.shape), w2_.reshape(w2.shape), lif, True, reset_spikes
        )
        return np.sum(loss(runs[1].spikes)[0])

    def gradient(lif):
        dw1, dw2 = network.backward(g, inputs, hidden, output, w2, lif)
        return np.concatenate([dw1.ravel(), dw2.ravel()])

    weights = np.concatenate([w1.ravel(), w2.ravel()])
    spikes = hidden.spikes, output.spikes
    return _compare(weights, lif, losses_at, gradient, spikes, method)


def _check_layer(p, lif, current, pull_back, loss, method):
    run = numpy_lif.forward(current(p), lif, smooth=True)
    loss = loss or _silence
    g = loss(run.spikes)[1]

    def losses_at(ps, reset_spikes):
        x = np.stack([current(p) for p in ps], axis=1)  # all K points in one run, [T, K, ...]
        if reset_spikes is not None:
            reset_spikes = np.broadcast_to(reset_spikes[:, None], x.shape)
        spikes = numpy_lif.forward(x, lif, smooth=True, reset_spikes=reset_spikes).spikes
        if loss is _silence:  # which knows no axes
            return loss(spikes)[0].reshape(len(ps), -1).sum(axis=1)
        return [np.sum(loss(s)[0]) for s in spikes.swapaxes(0, 1)]

    def gradient(lif):
        return pull_back(numpy_lif.backward(g, run, lif))

    return _compare(p, lif, losses_at, gradient, run.spikes, method)


def _silence(spikes):
    """The distance of the spikes' traces from those of no spikes, of any axes."""
    return numpy_lif.TraceLoss(np.zeros((len(spikes), *(1,) * (spikes.ndim - 1))))(spikes)


def _compare(p, lif, losses_at, gradient, spikes, method):
    if method not in METHODS:
        raise ValueError(f"method must be one of {tuple(METHODS)}, got {method!r}")
    if method == "complex" and not lif.surrogate.analytic:
        raise ValueError(
            f"the complex step needs an analytic surrogate (Sigmoid, Gaussian, Arctan), "
            f"not {type(lif.surrogate).__name__}; use method='central'"
        )
    differentiate = METHODS[method]
    differences = differentiate(lambda ps: np.array(losses_at(ps, None)), p)
    frozen = differentiate(lambda ps: np.array(losses_at(ps, spikes)), p)
    complete = gradient(replace(lif, reset_gradient=1.0))
    detached = gradient(replace(lif, reset_gradient=0.0))
    return Report(
        with_term=relative_error(complete, differences),
        without_term=relative_error(detached, differences),
        frozen=relative_error(detached, frozen),
        differences=differences,
        complete=complete,
        detached=detached,
    )


def relative_error(gradient, reference):
    """||gradient - reference|| / ||reference||; 0 where both vanish.

    Parameters
    ----------
    gradient, reference : array_like of one shape

    Returns
    -------
    float
        Where only the reference vanishes, it is ||gradient||.

    Raises
    ------
    ValueError
        If the shapes are not equal.
    """
    checks.same_shape("gradient", gradient, "reference", reference)
    error = np.linalg.norm(np.subtract(gradient, reference))
    size = np.linalg.norm(reference)
    return float(error / size) if size else float(error)
