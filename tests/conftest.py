import itertools

import numpy as np
import pytest

from tsbp_core import LIF, surrogates

RESETS = ("zero", "subtract", "none")
SURROGATES = tuple(
    family(unit=unit) for family, unit in itertools.product(surrogates.FAMILIES, ("peak", "area"))
)
ANALYTIC = tuple(s for s in SURROGATES if s.analytic)


def name(surrogate):
    return f"{type(surrogate).__name__}-{surrogate.unit}"


def neurons(surrogate, rhos=(0.0, 0.5, 1.0)):
    """Every reset and rho for one surrogate."""
    return [
        LIF(reset=reset, surrogate=surrogate, reset_gradient=rho)
        for reset, rho in itertools.product(RESETS, rhos)
    ]


@pytest.fixture
def rng():
    return np.random.default_rng(20201119)
