"""The small task that chapter 3's two-layer network learns."""

import numpy as np

from tsbp_core import numpy_lif


def task(steps=40, samples=4, inputs=20, hidden=16, outputs=2, seed=0):
    """Traces of random spikes [T, B, N], random target spikes [T, B, K], and first weights."""
    rng = np.random.default_rng(seed)
    spikes = (rng.random((steps, samples, inputs)) < 0.15).astype(float)
    targets = (rng.random((steps, samples, outputs)) < 0.1).astype(float)
    w1 = rng.normal(0.1, 0.4, (inputs, hidden))
    w2 = rng.normal(0.1, 0.4, (hidden, outputs))
    return numpy_lif.trace(spikes, tau=3.0), targets, w1, w2
