"""The gradient that people train with, beside two that are gradients of something.

Training runs the backward code over a *spiking* run. The same code is the exact gradient of the
smooth twin (``smooth=True``), whose run is another. And the spiking loss itself, averaged over
noise in its input, is smooth and has a gradient that differences can estimate.
"""

from dataclasses import replace

import numpy as np

from tsbp_core import LIF, numpy_lif, surrogates


def neuron(reset, unit="area"):
    """The neuron of chapters 3 and 9: a sigmoid of width 0.2, decay 0.8, threshold 1."""
    return LIF(0.8, 1.0, reset, surrogates.Sigmoid(0.2, unit=unit))


def draw(steps=100, instances=200):
    """Random currents x [T, I], normal, mean 0.3 and deviation 0.5, and a trace loss."""
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 0.5, (steps, instances))
    target = (rng.random((steps, instances)) < 0.1).astype(float)
    return x, numpy_lif.TraceLoss(target)


def gradients(x, loss, lif):
    """The twin's gradient [T, I], and those over the spiking run, with rho = 1 and 0, by rho.

    ``loss``: from spikes [T, I] to losses [I] and dL/ds.
    """

    def slope(rho, smooth):
        own = replace(lif, reset_gradient=rho)
        run = numpy_lif.forward(x, own, smooth=smooth)
        return numpy_lif.backward(loss(run.spikes)[1], run, own)

    return slope(1.0, smooth=True), {rho: slope(rho, smooth=False) for rho in (1.0, 0.0)}


def smoothed_gradient(x, loss, lif, deviation=0.2, samples=1500):
    """Gradient [T, I] of the mean loss under normal noise on the input of the spiking neuron.

    d/dx E L(x + n) = E L(x + n) n / deviation^2, estimated from pairs of opposite noise. ``loss``
    takes spikes [T, K, I], K samples of noise.
    """
    rng, chunk = np.random.default_rng(0), 250
    total, samples = np.zeros_like(x), -(-samples // chunk) * chunk
    for _ in range(samples // chunk):
        n = deviation * rng.normal(size=(len(x), chunk, *x.shape[1:]))
        up, down = (
            loss(numpy_lif.forward(x[:, None] + sign * n, lif).spikes)[0] for sign in (1, -1)
        )
        total += 0.5 * ((up - down) * n).sum(axis=1)
    return total / (samples * deviation**2)


def drawn_credits():
    """Chapter 3's longer run, many times: currents x [T, I], and a loss, the sum of g[t] s[t]."""
    shape = 24, 30
    x = 0.8 * np.random.default_rng(1).random(shape)
    g = np.random.default_rng(3).normal(size=shape)

    def loss(spikes):
        own = g if spikes.ndim == 2 else g[:, None]
        return (own * spikes).sum(axis=0), np.broadcast_to(own, spikes.shape)

    return x, loss
