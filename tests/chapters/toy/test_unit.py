import numpy as np

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.toy import unit


def test_factors_are_what_backward_multiplies_by():
    x = np.random.default_rng(0).normal(0.4, 0.8, (30, 3))
    for reset in ("zero", "subtract", "none"):
        lif = LIF(reset=reset, reset_gradient=0.7)
        run = numpy_lif.forward(x, lif)
        g = np.zeros_like(x)
        g[-1] = 1.0
        delta = numpy_lif.backward(g, run, lif)
        factors = steps.jacobian(run, lif)[:-1]
        expected = delta[-1] * np.cumprod(factors[::-1], axis=0)[::-1]
        np.testing.assert_allclose(delta[:-1], expected)
        found = unit.products(run, lif)[3]["size"]
        triples = np.abs(factors[:-2] * factors[1:-1] * factors[2:])
        np.testing.assert_allclose(found, np.quantile(triples, unit.QUANTILES), rtol=1e-3)
