"""A two-layer network of LIF neurons in NumPy: spatial and temporal credit without a framework."""

import numpy as np

from tsbp_core import checks, numpy_lif


def forward(inputs, w1, w2, lif, smooth=False, reset_spikes=None):
    """Run inputs -> w1 -> LIF -> w2 -> LIF.

    Parameters
    ----------
    inputs : ndarray [T, B, N]
        Input spikes or traces of B samples; booleans and whole numbers are cast to float64.
    w1, w2 : ndarray [N, M], [M, K], float32 or float64 (complex only with ``smooth``)
        Weights into the hidden and into the output layer.
    lif : LIF
        The neurons of both layers.
    smooth, reset_spikes
        As in ``numpy_lif.forward``; a pair of ``reset_spikes``, one a layer.

    Returns
    -------
    hidden, output : Run, Run
        Spikes and membranes, [T, B, M] and [T, B, K].

    Raises
    ------
    ValueError
        If an array has other axes or dtypes or is not finite, or shapes do not fit.
    """
    inputs = checks.spikes("inputs", inputs, "[T, B, N]")
    w1 = checks.floating("w1", w1, "[N, M]", complex_ok=smooth)
    w2 = checks.floating("w2", w2, "[M, K]", complex_ok=smooth)
    frozen1, frozen2 = (None, None) if reset_spikes is None else reset_spikes
    hidden = numpy_lif.forward(inputs @ w1, lif, smooth=smooth, reset_spikes=frozen1)
    output = numpy_lif.forward(hidden.spikes @ w2, lif, smooth=smooth, reset_spikes=frozen2)
    return hidden, output


def backward(g, inputs, hidden, output, w2, lif):
    """Return dL/dw1 and dL/dw2, given ``g`` = dL/ds of the output spikes [T, B, K].

    The rest are the arguments and the runs of ``forward``. Arrays that do not fit are refused with
    a ValueError.
    """
    inputs = checks.spikes("inputs", inputs, "[T, B, N]")
    w2 = checks.floating("w2", w2, "[M, K]")
    dx2 = numpy_lif.backward(g, output, lif)
    dx1 = numpy_lif.backward(dx2 @ w2.T, hidden, lif)
    dw1 = np.tensordot(inputs, dx1, axes=((0, 1), (0, 1)))
    dw2 = np.tensordot(hidden.spikes, dx2, axes=((0, 1), (0, 1)))
    return dw1, dw2


def train(inputs, targets, w1, w2, lif, *, lr=0.5, updates=200, tau=3.0):
    """Train both layers by gradient descent on the trace loss, averaged over samples.

    Parameters
    ----------
    inputs : ndarray [T, B, N]
    targets : ndarray [T, B, K]
        Target spikes of the output layer; axes of length 1 as in ``numpy_lif.TraceLoss``.
    w1, w2 : ndarray [N, M], [M, K]
        Initial weights; left as they are.
    lr, updates, tau : float, int, float
        Learning rate (default 0.5), number of updates (200), time constant of the trace in steps
        (3).

    Returns
    -------
    w1, w2 : ndarray
        Trained weights.
    losses : ndarray [updates]
        Mean loss a sample before each update.

    Raises
    ------
    ValueError
        If an array has other axes or dtypes or is not finite, shapes do not fit, ``lr`` is no
        number, or ``tau`` is below 1.
    """
    inputs = checks.spikes("inputs", inputs, "[T, B, N]")
    loss = numpy_lif.TraceLoss(targets, tau)
    lr = checks.number("lr", lr)
    samples = inputs.shape[1]
    losses = np.empty(updates)
    for i in range(updates):
        hidden, output = forward(inputs, w1, w2, lif)
        value, g = loss(output.spikes)
        losses[i] = value.sum() / samples
        dw1, dw2 = backward(g / samples, inputs, hidden, output, w2, lif)
        w1, w2 = w1 - lr * dw1, w2 - lr * dw2
    return w1, w2, losses
