import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from conftest import ANALYTIC, SURROGATES, name
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate

from tsbp_core import LIF, gradcheck, surrogates, torch_lif
from tsbp_core.surrogates import Surrogate, exp, heaviside

each = pytest.mark.parametrize("surrogate", SURROGATES, ids=name)


def away_from_kinks(z):
    """Points where every family with its default width has a smooth h."""
    kinks = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    return z[np.abs(z[:, None] - kinks).min(axis=1) > 1e-3]


@each
def test_primitive_has_the_derivative_as_its_slope(surrogate):
    z = away_from_kinks(np.linspace(-3.0, 3.0, 997))
    step = 1e-5
    slope = (surrogate.primitive(z + step) - surrogate.primitive(z - step)) / (2 * step)
    np.testing.assert_allclose(slope, surrogate.derivative(z), rtol=1e-6, atol=1e-8)


@each
def test_peak_and_area(surrogate):
    peak = surrogate.derivative(np.array(0.0))
    area, _ = integrate.quad(
        lambda z: float(surrogate.derivative(z)), -np.inf, np.inf, limit=500, points=None
    )
    if type(surrogate) is surrogates.Rectangle:
        half = surrogate.width / 2
        area, _ = integrate.quad(lambda z: float(surrogate.derivative(z)), -half, half)
    if surrogate.unit == "peak":
        assert peak == 1.0
        assert area == pytest.approx(surrogate.peak_area, rel=1e-6)
    else:
        assert peak == pytest.approx(1.0 / surrogate.peak_area)
        assert area == pytest.approx(1.0, rel=1e-6)


@each
def test_primitive_runs_from_zero_to_the_area(surrogate):
    area = surrogate.peak_area * surrogate.scale
    z = np.array([-1e9, 1e9])
    np.testing.assert_allclose(surrogate.primitive(z), [0.0, area], atol=1e-6)


@each
@pytest.mark.parametrize("width", [0.01, 1.0, 100.0])
def test_far_from_threshold_in_float32(surrogate, width):
    """At +-1e4 as in float64, for narrow and wide bumps, in NumPy and in torch."""
    surrogate = type(surrogate)(width, unit=surrogate.unit)
    exact = np.array([-1e4, -5.0, 5.0, 1e4])
    z = exact.astype(np.float32)
    area = surrogate.peak_area * surrogate.scale
    for function in (surrogate.derivative, surrogate.primitive):
        for values in (function(z), function(torch.tensor(z))):
            assert values.dtype in (np.float32, torch.float32)
            values = np.asarray(values)
            assert np.isfinite(values).all()
            np.testing.assert_allclose(values, function(exact), rtol=1e-3, atol=2e-6 * max(1, area))


@each
def test_a_tensors_primitive_is_differentiable(surrogate):
    z = torch.tensor(away_from_kinks(np.linspace(-3.0, 3.0, 97)), requires_grad=True)
    (slope,) = torch.autograd.grad(surrogate.primitive(z).sum(), z)
    np.testing.assert_allclose(slope, surrogate.derivative(z.detach()), rtol=1e-9, atol=1e-12)


@each
def test_nan_gives_nan(surrogate):
    z = np.array([np.nan, 0.1])
    for function in (surrogate.derivative, surrogate.primitive, surrogates.heaviside):
        for values in (function(z), function(torch.tensor(z)).numpy()):
            assert np.isnan(values[0])
            assert np.isfinite(values[1])


@each
@given(z=st.floats(-50, 50))
@example(z=1.0943981908506542e-10)
def test_numpy_and_torch_agree_and_h_is_even_and_bounded(surrogate, z):
    a, t = np.array([z]), torch.tensor([z], dtype=torch.float64)
    np.testing.assert_allclose(surrogate.derivative(t).numpy(), surrogate.derivative(a), rtol=1e-13)
    np.testing.assert_allclose(
        surrogate.primitive(t).numpy(), surrogate.primitive(a), rtol=1e-12, atol=1e-15
    )
    h = surrogate.derivative(a)
    assert h == surrogate.derivative(-a)
    assert 0.0 <= h <= surrogate.scale


@pytest.mark.parametrize("surrogate", ANALYTIC, ids=name)
def test_complex_step_of_the_primitive_is_the_derivative(surrogate):
    z = np.linspace(-3.0, 3.0, 101)
    slope = surrogate.primitive(z + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(slope, surrogate.derivative(z), rtol=1e-12, atol=1e-15)


def test_which_families_are_analytic():
    analytic = [family for family in surrogates.FAMILIES if family.analytic]
    assert analytic == [surrogates.Sigmoid, surrogates.Gaussian, surrogates.Arctan]


def test_defaults():
    """The book and its results rely on them."""
    assert [repr(family()) for family in surrogates.FAMILIES] == [
        "Sigmoid(unit='peak', width=0.2)",
        "FastSigmoid(unit='peak', slope=10.0)",
        "Triangle(unit='peak', width=1.0)",
        "Rectangle(unit='peak', width=1.0)",
        "Gaussian(unit='peak', width=0.4)",
        "Arctan(unit='peak', width=0.5)",
    ]
    neuron = LIF()
    assert (neuron.decay, neuron.threshold, neuron.reset) == (0.8, 1.0, "zero")
    assert (neuron.surrogate, neuron.reset_gradient) == (surrogates.FastSigmoid(10.0), 1.0)


def test_a_rectangle_ends_before_its_edges():
    z = np.array([-0.5, np.nextafter(-0.5, 0), np.nextafter(0.5, 0), 0.5])
    for values in (z, torch.tensor(z)):
        assert surrogates.Rectangle(1.0).derivative(values).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_spike_at_threshold():
    z = np.array([-1e-12, 0.0, 1e-12])
    np.testing.assert_array_equal(surrogates.heaviside(z), [0.0, 1.0, 1.0])
    for dtype in (np.float32, np.float64):
        assert surrogates.heaviside(z.astype(dtype)).dtype == dtype
        tensor = torch.tensor(z.astype(dtype))
        assert surrogates.heaviside(tensor).dtype == tensor.dtype
        assert surrogates.heaviside(tensor).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("family", surrogates.FAMILIES)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "must be positive and finite, got 0.0"),
        (-1.0, "must be positive and finite, got -1.0"),
        (np.inf, "must be positive and finite, got inf"),
        (np.nan, "must be positive and finite, got nan"),
        ("wide", "must be a number, got 'wide'"),
        (True, "must be a number, got True"),
        (np.True_, r"must be a number, got np.True_$"),
        (1j, "must be a number, got 1j"),
        (torch.tensor(1.0), r"must be a number, got tensor\(1.\); .* nothing trains: pass float"),
        (np.array(1.0), r"must be a number, got array\(1.\); .* nothing trains: pass float"),
    ],
)
def test_bad_width_is_named(family, value, message):
    field = "slope" if family is surrogates.FastSigmoid else "width"
    with pytest.raises(ValueError, match=f"{field} {message}"):
        family(value)


@pytest.mark.parametrize("value", [np.float32(0.25), np.float64(0.25), np.int64(2), 2])
def test_numpy_scalars_become_python_floats(value):
    for family in surrogates.FAMILIES:
        surrogate = family(value)
        assert surrogate == family(float(value))
        assert repr(surrogate) == repr(family(float(value)))


def test_bad_unit_is_named():
    with pytest.raises(ValueError, match="unit must be 'peak' or 'area', got 'volume'"):
        surrogates.Sigmoid(unit="volume")


@dataclass(frozen=True)
class Laplace(Surrogate):
    """One's own, as chapter 2 shows it."""

    width: float = 0.2

    @property
    def peak_area(self):
        return 2.0 * self.width

    def _h(self, z):
        return exp(-abs(z) / self.width)

    def _sigma(self, z):
        below, up = self.width * self._h(z), heaviside(z)
        return up * (self.peak_area - below) + (1.0 - up) * below


def test_ones_own_surrogate():
    assert Laplace(2) == Laplace(2.0) != Laplace(3.0)
    assert len({Laplace(2), Laplace(2.0), Laplace(3.0)}) == 2
    assert Laplace(2.0, unit="area") != Laplace(2.0)
    with pytest.raises(ValueError, match="width must be positive and finite, got -1.0"):
        Laplace(-1.0)
    report = gradcheck.check(np.full(9, 0.6), LIF(surrogate=Laplace(0.3, unit="area")))
    assert report.with_term < 1e-7


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("c++")), reason="no C++ compiler")
def test_ones_own_surrogate_has_its_own_kernels():
    x, g = torch.tensor(np.random.default_rng(2).normal(0.4, 0.8, (2, 4, 3)))
    gradients = []
    for width in (1.0, 0.2):
        lif = LIF(surrogate=Laplace(width))
        for backend in ("eager", "compiled"):
            current = x.clone().requires_grad_()
            torch_lif.lif(current, lif, backend).backward(g)
            gradients.append(current.grad)
    wide, wide_compiled, narrow, narrow_compiled = gradients
    torch.testing.assert_close(wide_compiled, wide, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(narrow_compiled, narrow, rtol=1e-12, atol=1e-15)
    assert not torch.allclose(wide, narrow)


def test_a_surrogate_that_hides_its_parameters_is_refused():
    """Equal for all alphas, it would be given the kernels of another."""
    with pytest.raises(TypeError, match="Own must be a frozen dataclass .* no __init__ of its own"):

        class Own(surrogates.Surrogate):
            def __init__(self, alpha):
                self.alpha = alpha

    with pytest.raises(TypeError, match="Own must be a frozen dataclass"):

        @dataclass(frozen=True)
        class Own(surrogates.Surrogate):
            def __init__(self, alpha):
                object.__setattr__(self, "alpha", alpha)

    class Plain(surrogates.Sigmoid):
        alpha = 1.0

    with pytest.raises(TypeError, match="Plain must be a frozen dataclass"):
        Plain()

    @dataclass(frozen=True, eq=False)
    class Unequal(surrogates.Surrogate):
        alpha: float = 1.0

    with pytest.raises(TypeError, match="Unequal must be a frozen dataclass"):
        Unequal()

    @dataclass(frozen=True, slots=True)
    class Slots(surrogates.Surrogate):
        alpha: float = 1.0

    assert Slots(1.0) != Slots(2.0)


@pytest.mark.parametrize("family", surrogates.FAMILIES)
def test_twice_the_width_stretches_the_bump(family):
    z = np.linspace(-1.0, 1.0, 21)
    one, two = family.with_width(0.3), family.with_width(0.6)
    np.testing.assert_allclose(two.derivative(2 * z), one.derivative(z), rtol=1e-12)
    assert family.with_width(0.3, unit="area").unit == "area"
    assert surrogates.FastSigmoid.with_width(0.25) == surrogates.FastSigmoid(slope=4.0)
