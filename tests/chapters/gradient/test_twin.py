import numpy as np
import pytest
from scipy.stats import norm

from tsbp_core import LIF, numpy_lif
from tsbp_core.chapters.escape.study import compare
from tsbp_core.chapters.gradient import twin

RESETS = ("zero", "subtract")


@pytest.mark.parametrize("reset", RESETS)
def test_the_twins_gradient_is_that_of_its_loss(reset):
    x, loss = twin.draw(steps=8, instances=3)
    lif = twin.neuron(reset)
    found, _ = twin.gradients(x, loss, lif)
    for t in range(8):
        shift = np.zeros_like(x)
        shift[t] = 1e-5
        up, down = (
            loss(numpy_lif.forward(x + sign * shift, lif, smooth=True).spikes)[0]
            for sign in (1, -1)
        )
        np.testing.assert_allclose((up - down) / 2e-5, found[t], rtol=1e-5, atol=1e-8)


def test_the_spiking_runs_gradients_by_hand():
    """Two steps, a spike at the first: only the complete gradient sees what it takes."""
    lif = twin.neuron("zero")
    x = np.array([[1.1], [0.9]])
    h = lif.surrogate.derivative(np.array([0.1, -0.1]))
    _, by_rho = twin.gradients(x, lambda s: (s[1], np.array([[0.0], [1.0]])), lif)
    np.testing.assert_allclose(by_rho[0.0][:, 0], [0.0, h[1]])
    np.testing.assert_allclose(by_rho[1.0][:, 0], [-0.8 * 1.1 * h[0] * h[1], h[1]])


def test_a_smoothed_step_has_the_slope_of_the_normal_distribution():
    lif = LIF(0.8, 1.0, "zero")
    x = np.array([[0.7, 1.0, 1.3]])
    found = twin.smoothed_gradient(
        x, lambda s: (2 * s.sum(axis=0), None), lif, deviation=0.3, samples=40_000
    )
    np.testing.assert_allclose(found, 2 * norm.pdf(x, 1.0, 0.3), rtol=0.05)


def test_what_the_book_says_of_them():
    """Far from the twin's, and with the hard reset the term is no better a direction."""
    x, loss = twin.draw()
    for reset in RESETS:
        exact, by_rho = twin.gradients(x, loss, twin.neuron(reset))
        median = {
            rho: {key: np.median(v) for key, v in compare(exact, found).items()}
            for rho, found in by_rho.items()
        }
        assert 0.2 < median[1.0]["error"] < 0.6 < median[0.0]["error"]
        better = median[1.0]["cosine"] - median[0.0]["cosine"]
        assert better > 0.03 if reset == "subtract" else abs(better) < 0.02
