"""What single steps say, and the rate at which the mean square of credit grows."""

import numpy as np
import pytest

from tsbp_core import neuron, numpy_lif
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.growth import probe


def rate_of_particles(lif, particles=10_000, updates=80):
    """Half the log of the mean of J^2 along membranes that multiply in proportion to it."""
    rng = np.random.default_rng(0)
    u, logs = np.zeros(particles), []
    for _ in range(updates):
        squares = steps.jacobian_at(u, lif) ** 2
        logs.append(np.log(squares.mean()))
        after = neuron.reset(u, u >= lif.threshold, lif)
        after = rng.choice(after, particles, p=squares / squares.sum())
        u = lif.decay * after + rng.normal(probe.MEAN, probe.DEVIATION, particles)
    return 0.5 * np.mean(logs[20:])


def test_exact_rate_is_that_of_particles_and_not_that_of_independent_steps():
    """With the hard reset the two rates lie 0.01 apart."""
    lif = probe.make_neuron("zero", "area", 16)
    rate = probe.exact_rate(lif)
    assert rate == pytest.approx(rate_of_particles(lif), abs=0.003)
    run = numpy_lif.forward(probe.draw(200, 1000)[0], lif)
    assert probe.describe_steps(run, lif)["square"] > rate + 0.006
    soft = probe.make_neuron("subtract", "area", 16)
    assert probe.exact_rate(soft) == pytest.approx(rate_of_particles(soft), abs=0.003)


def test_steps_described_by_hand(monkeypatch):
    J = np.array([[2.0, -3.0, 1.0], [0.5, -0.25, 1.0]])
    monkeypatch.setattr(probe, "jacobian", lambda run, lif: J)
    said = probe.describe_steps(None, None)
    assert (said["above"], said["negative"]) == (2 / 6, 2 / 6)
    assert said["typical"] == pytest.approx(np.log(2 * 3 * 0.5 * 0.25) / 6)
    assert said["square"] == pytest.approx(0.5 * np.log((4 + 9 + 1 + 0.25 + 0.0625 + 1) / 6))
    J[0, 0] = 0.0
    assert probe.describe_steps(None, None)["typical"] is None


@pytest.mark.parametrize("reset", probe.RESETS)
def test_probe_measures_each_length_from_the_first_step_on(reset):
    found = probe.probe(slopes=(10,), lengths=(5, 9), instances=40, draws=(3,))
    x, g = probe.draw(9, 40, 3)
    lifs = [probe.make_neuron(reset, "area", 10, rho) for rho in (1.0, 0.0)]
    run = numpy_lif.forward(x, lifs[0])
    said = found["steps"][f"{reset}/area/slope=10"]
    assert said == {
        "1": probe.describe_steps(run, lifs[0]),
        "0": probe.describe_steps(run, lifs[1]),
    }
    for T in (5, 9):
        cell = found["lengths"][f"{reset}/area/slope=10/T={T}"]
        complete, detached = (
            np.linalg.norm(numpy_lif.backward(g[:T], numpy_lif.forward(x[:T], lif), lif), axis=0)
            for lif in lifs
        )
        assert cell["median"] == pytest.approx([np.median(complete / detached)])
        pooled = np.sqrt((complete**2).mean() / (detached**2).mean())
        assert cell["pooled"] == pytest.approx([pooled])
        predicted = [probe.predicted_length(run, lif, T) for lif in lifs]
        assert cell["predicted"] == pytest.approx(predicted[0] / predicted[1])
