"""The small task that chapter 3's two-layer network learns."""

import numpy as np

from tsbp_core import numpy_lif


def task():
    """Traces of random spikes [T, B, N], random target spikes [T, B, K], and first weights."""
    rng = np.random.default_rng(0)
    spikes = (rng.random((40, 4, 20)) < 0.15).astype(float)
    targets = (rng.random((40, 4, 2)) < 0.1).astype(float)
    w1 = rng.normal(0.1, 0.4, (20, 16))
    w2 = rng.normal(0.1, 0.4, (16, 2))
    return numpy_lif.trace(spikes, tau=3.0), targets, w1, w2
