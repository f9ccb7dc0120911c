"""Why the weights of a deep spiking network may hardly change: its first layer's gradient."""

import numpy as np

from tsbp_core import numpy_lif


def dense(layers=10, neurons=100, seed=0):
    """Weights and biases of dense layers, drawn as PyTorch draws them.

    Both are uniform up to 1 over the root of the number of inputs.

    Parameters
    ----------
    layers, neurons : int, default 10, 100
        Number of layers, and of neurons in each.
    seed : int, default 0
        Of the weights.
    """
    rng, most = np.random.default_rng(seed), neurons**-0.5
    return [
        (rng.uniform(-most, most, (neurons, neurons)), rng.uniform(-most, most, neurons))
        for _ in range(layers)
    ]


def normed(x):
    """Batch norm of currents [T, B, N]: mean 0 and variance 1 over steps and samples; the scale."""
    scale = 1.0 / np.sqrt(x.var(axis=(0, 1)) + 1e-5)
    return (x - x.mean(axis=(0, 1))) * scale, scale


def normed_backward(dx, x, scale):
    """dL/d(current) of what ``normed`` returned, ``x`` and ``scale``; ``dx`` = dL/dx."""
    along = (dx * x).mean(axis=(0, 1)) * x
    return scale * (dx - dx.mean(axis=(0, 1)) - along)


def first_layer(net, lif, *, norm=False, steps=20, samples=16, rate=0.2, seed=1):
    """How much reaches the first layer, and how much each layer fires.

    The input is random, ``rate`` spikes a step. The loss is the mean of the last layer's spikes.

    Parameters
    ----------
    net : list of (ndarray [N, N], ndarray [N])
        Weights and biases of the layers.
    lif : LIF
        The neuron of all layers.
    norm : bool, default False
        Put batch norm before each layer of neurons.
    steps, samples, rate, seed
        Of the input.

    Returns
    -------
    length : float
        Length of the loss's gradient in the first layer's weights.
    spikes : list of float
        Share of neurons that fire at a step, of each layer.
    """
    inputs = np.random.default_rng(seed).random((steps, samples, len(net[0][0]))) < rate
    s, runs, norms = inputs.astype(float), [], []
    for w, b in net:
        x = s @ w + b
        norms.append(normed(x) if norm else (x, 1.0))
        runs.append(numpy_lif.forward(norms[-1][0], lif))
        s = runs[-1].spikes
    g = np.full_like(s, 1.0 / s.size)
    for (w, _), run, (x, scale) in zip(reversed(net), reversed(runs), reversed(norms), strict=True):
        dx = numpy_lif.backward(g, run, lif)
        dx = normed_backward(dx, x, scale) if norm else dx
        g = dx @ w.T
    dw = np.tensordot(inputs, dx, axes=((0, 1), (0, 1)))
    return np.linalg.norm(dw), [run.spikes.mean() for run in runs]
