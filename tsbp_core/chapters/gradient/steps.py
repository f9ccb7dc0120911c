"""How a step passes credit on: J[t] = du[t+1]/du[t], and its products over steps.

reset "subtract":  J = lambda (1 - rho theta h)
reset "zero":      J = lambda (1 - s - rho u h)
"""

import numpy as np

from tsbp_core import numpy_lif
from tsbp_core.neuron import reset_slope


def jacobian(run, lif):
    """J[t] = du[t+1]/du[t] at each step of a run, of the shape [T, ...] of its membranes."""
    s, u = run
    h = lif.surrogate.derivative(u - lif.threshold)
    return lif.decay * np.broadcast_to(reset_slope(u, s, h, lif), u.shape)


def jacobian_at(u, lif):
    """J at given membranes u, a spike where they reach the threshold."""
    return jacobian(numpy_lif.Run((u >= lif.threshold).astype(float), u), lif)


def reach(jacobians):
    """How much of a credit at the last step's membrane reaches each step: products of J [T, ...].

    The last row is 1; row t is the product of rows t to T - 2 of ``jacobians``.
    """
    ones = np.ones_like(jacobians[:1])
    products = np.cumprod(jacobians[-2::-1], axis=0)[::-1]
    return np.concatenate([products, ones])
