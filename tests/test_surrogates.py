import numpy as np
import pytest
import torch
from conftest import ANALYTIC, SURROGATES, name
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import integrate

from tsbp_core import surrogates

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
def test_finite_far_from_threshold_in_float32(surrogate):
    z = np.array([-1e4, -5.0, 5.0, 1e4], np.float32)
    for values in (surrogate.derivative(z), surrogate.primitive(z)):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    for values in (surrogate.derivative(torch.tensor(z)), surrogate.primitive(torch.tensor(z))):
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()


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


def test_spike_at_threshold():
    z = np.array([-1e-12, 0.0, 1e-12])
    np.testing.assert_array_equal(surrogates.heaviside(z), [0.0, 1.0, 1.0])
    assert surrogates.heaviside(z.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("family", surrogates.FAMILIES)
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan, "wide"])
def test_bad_width_is_named(family, value):
    field = "slope" if family is surrogates.FastSigmoid else "width"
    with pytest.raises(ValueError, match=f"{field} must be a positive, finite number, got"):
        family(value)


def test_bad_unit_is_named():
    with pytest.raises(ValueError, match="unit must be 'peak' or 'area', got 'volume'"):
        surrogates.Sigmoid(unit="volume")
