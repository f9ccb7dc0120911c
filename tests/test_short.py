"""The files that the short version prints do what it says."""

import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tsbp_core import numpy_lif
from tsbp_core.chapters.toy import experiment as toy

BOOK = Path(__file__).parent.parent / "book"


def test_one_neuron_is_the_toy():
    """Its two gradients, losses and seed are those of chapter 5, by plain gradient descent."""
    one = runpy.run_path(str(BOOK / "one_neuron.py"))
    task = toy.make_task([0])
    np.testing.assert_array_equal(one["trace"](one["spikes_in"]), task.traces[0].T)
    np.testing.assert_array_equal(one["first_weights"], task.weights[0])
    np.testing.assert_array_equal(one["target"], task.target[:, 0])
    g = np.random.default_rng(1).normal(size=100)
    u, s = one["forward"](task.weights[0] @ task.traces[0])
    run = numpy_lif.Run(s, u)
    deltas = []
    for rho in (1.0, 0.0):
        lif = replace(toy.NEURON, reset_gradient=rho)
        deltas.append(one["backward"](g, u, s, rho))
        np.testing.assert_allclose(deltas[-1], numpy_lif.backward(g, run, lif), rtol=1e-12)
        settings = toy.Settings(updates=40)
        outcome = toy.train(task, lif, [0.01], optimizer="sgd", settings=settings)
        losses = one["train"](rho, 0.01, updates=40)
        np.testing.assert_allclose(losses, outcome.losses[:, 0, 0], rtol=1e-9)
    assert not np.allclose(*deltas)


def test_one_neuron_runs_by_itself_in_forty_lines():
    command = [sys.executable, str(BOOK / "one_neuron.py")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"eta ([\d.]+) +with the term ([\d.]+), without ([\d.]+)", text)
    losses = {eta: (float(one), float(other)) for eta, one, other in found}
    assert len(losses) == 5
    silent = runpy.run_path(str(BOOK / "one_neuron.py"))
    silent = 0.5 * np.sum(silent["trace"](silent["target"]) ** 2)
    assert losses["0.1"][1] == pytest.approx(silent, abs=0.005) == 1.85
    assert losses["0.03"][0] < 0.5 * losses["0.03"][1]
    source = (BOOK / "one_neuron.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) <= 40
    assert set(re.findall(r"import (\w+)", source)) == {"numpy"}


@pytest.mark.parametrize(("name", "rho"), [("complete", 1.0), ("detached", 0.0)])
def test_one_word_drops_the_term(name, rho, rng):
    module = runpy.run_path(str(BOOK / "detach.py"))
    x = torch.tensor(rng.normal(0.3, 0.6, (40, 5)), requires_grad=True)
    g = rng.normal(size=(40, 5))
    v, spikes = torch.zeros(5, dtype=torch.float64), []
    for t in range(40):
        s, v = module[name](x[t], v)
        spikes.append(s)
    (torch.stack(spikes) * torch.tensor(g)).sum().backward()
    lif = replace(toy.NEURON, reset_gradient=rho)
    run = numpy_lif.forward(x.detach().numpy(), lif)
    np.testing.assert_array_equal(torch.stack(spikes).detach().numpy(), run.spikes)
    np.testing.assert_allclose(x.grad.numpy(), numpy_lif.backward(g, run, lif), rtol=1e-9)
