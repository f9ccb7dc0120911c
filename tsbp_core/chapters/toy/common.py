"""What the two gradients share before training: "turn everything down".

A neuron that fires too often wants less of every input. That direction is known beforehand: it is
how the sum of all currents follows the weights, the sum of the traces over time.
"""

from dataclasses import replace

import numpy as np

from tsbp_core import numpy_lif
from tsbp_core.chapters.gradient.steps import jacobian
from tsbp_core.chapters.toy import experiment as toy


def cosine(a, b):
    """Cosine along the last axis; NaN where one of them is zero."""
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def compare(complete, detached, direction):
    """Two gradients [S, N] and a common ``direction`` [S, N].

    Returns
    -------
    dict of ndarray [S]
        ``share``: part of the complete gradient's square along the direction; ``cosine`` of the
        gradients; ``rest``: their cosine with the direction taken out.
    """
    unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)

    def rest(gradient):
        return gradient - (gradient * unit).sum(axis=-1, keepdims=True) * unit

    return {
        "share": cosine(complete, unit) ** 2,
        "cosine": cosine(complete, detached),
        "rest": cosine(rest(complete), rest(detached)),
    }


def at_weights(task, weights, lifs):
    """``compare`` at ``weights`` [S, N], and what belongs to it.

    ``lifs``: the neuron with rho = 1 and with rho = 0. Adds ``fired``: spikes of each seed,
    ``sign``: share of credits dL/ds above zero, and ``factor`` [2]: mean one-step factor by rho.
    """
    run = toy.run_neurons(task, weights[:, None], lifs[0])
    _, g = numpy_lif.TraceLoss(task.target[:, :, None])(run.spikes)
    pair = [toy.weight_gradient(task, g, run, lif)[:, 0] for lif in lifs]
    comparison = compare(*pair, task.traces.sum(axis=-1))
    fired = run.spikes.sum(axis=0)[:, 0]
    factor = [jacobian(run, lif)[:-1].mean() for lif in lifs]
    return {**comparison, "fired": fired, "sign": (g > 0).mean(), "factor": factor}


def before_and_after(reset, rate):
    """``at_weights`` before and after training with the term, with Adam at one learning rate."""
    task = toy.make_task(range(100))
    lifs = [replace(toy.NEURON, reset=reset, reset_gradient=rho) for rho in (1.0, 0.0)]
    trained = toy.train(task, lifs[0], [rate]).weights[:, 0]
    return tuple(at_weights(task, weights, lifs) for weights in (task.weights, trained))
