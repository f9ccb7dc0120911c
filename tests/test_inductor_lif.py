"""One kernel serves all values of a neuron's numbers, and any number of neurons."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from conftest import SURROGATES, name

from tsbp_core import LIF, inductor_lif, numpy_lif, surrogates, torch_lif


@pytest.fixture
def compiled(monkeypatch):
    """What is compiled, as a list."""
    made = []
    original = inductor_lif.compiled
    monkeypatch.setattr(inductor_lif, "compiled", lambda *a: made.append(a) or original(*a))
    inductor_lif._kernels.cache_clear()
    yield made
    inductor_lif._kernels.cache_clear()


def assert_right(lif, shape=(4, 6), smooth=False, seed=7):
    """Compiled spikes and gradients are NumPy's."""
    rng = np.random.default_rng(seed)
    x, g = rng.normal(0.5, 0.8, shape), rng.normal(size=shape)
    current = torch.tensor(x, requires_grad=True)
    s = torch_lif.lif(current, lif, "compiled", smooth=smooth)
    s.backward(torch.tensor(g))
    run = numpy_lif.forward(x, lif, smooth=smooth)
    if smooth:
        np.testing.assert_allclose(s.detach().numpy(), run.spikes, rtol=1e-12, atol=1e-14)
    else:
        np.testing.assert_array_equal(s.detach().numpy(), run.spikes)
    expected = numpy_lif.backward(g, run, lif)
    np.testing.assert_allclose(current.grad.numpy(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.needs_compiler
def test_one_kernel_takes_any_number_of_neurons(compiled):
    lif = LIF(surrogate=surrogates.Sigmoid())
    for shape in [(4, 1), (4, 2, 3), (4, 1000), (4, 64), (4, 7)]:
        assert_right(lif, shape)
    assert len(compiled) == 2  # forward and backward


@pytest.mark.needs_compiler
@pytest.mark.parametrize("family", [surrogates.Triangle, surrogates.FastSigmoid])
def test_one_kernel_takes_all_numbers(family, compiled):
    """A width that anneals, a decay or rho that is tried out: nothing is compiled again."""
    for number, rho, decay in itertools.product((0.3, 1.0, 2), (0.3, 1), (0.0, 0.7)):
        threshold = 1.0 + 0.1 * number
        assert_right(LIF(decay, threshold, "subtract", family(number, unit="area"), rho))
    assert len(compiled) == 2
    assert_right(LIF(0.7, 1.0, "subtract", family(unit="area"), 0.0))
    assert len(compiled) == 3  # without the term, backward is other code
    assert_right(LIF(0.7, 1.0, "subtract", family(unit="peak"), 0.0))
    assert len(compiled) == 4


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_the_numbers_of_every_surrogate_are_inputs(surrogate, smooth):
    lif = LIF(surrogate=surrogate)
    inputs, _ = inductor_lif._parts(lif, smooth)
    own = {("surrogate", name): value for name, value in vars(surrogate).items() if name != "unit"}
    numbers = {("neuron", name): getattr(lif, name) for name in NUMBERS}
    assert inputs == own | numbers


NUMBERS = ("decay", "threshold", "reset_gradient")


@dataclass(frozen=True)
class Stepped(surrogates.Surrogate):
    """Its formula looks at its number: tensors do not do in its place."""

    width: float = 1.0

    @property
    def peak_area(self):
        return self.width

    def _h(self, z):
        height = 1.0 if self.width > 1.0 else math.exp(-self.width)
        return height * surrogates.heaviside(self.width - abs(z))


@dataclass(frozen=True, slots=True)
class Slotted(surrogates.Surrogate):
    """Its numbers are not in ``vars``."""

    width: float = 1.0

    def _h(self, z):
        return 1.0 / (1.0 + abs(z) / self.width)


@pytest.mark.needs_compiler
def test_a_slotted_surrogates_numbers_are_inputs(compiled):
    for width in (0.5, 2.0):
        assert_right(LIF(surrogate=Slotted(width=width)))
    assert len(compiled) == 2


@pytest.mark.needs_compiler
def test_a_number_that_a_formula_looks_at_is_fixed(compiled):
    for width in (0.5, 0.9, 1.5, 0.5):
        assert_right(LIF(surrogate=Stepped(width), reset_gradient=0.4))
    assert len(compiled) == 1 + 3
    inputs, _ = inductor_lif._parts(LIF(surrogate=Stepped(0.5)), False)
    assert set(inputs) == {("neuron", name) for name in NUMBERS}


@pytest.mark.needs_compiler
def test_smooth(compiled):
    for width in (0.3, 0.6):
        assert_right(LIF(surrogate=surrogates.Gaussian(width)), smooth=True)
    assert len(compiled) == 2
