from dataclasses import replace

import numpy as np
import pytest

from tsbp_core import results
from tsbp_core.experiments import statistics, toy

SMALL = toy.Settings(steps=30, inputs=12, updates=25)


def train(rates, seeds=(0, 1), rho=1.0, **options):
    lif = replace(toy.NEURON, reset_gradient=rho)
    return toy.train(toy.make_task(seeds, SMALL), lif, rates, settings=SMALL, **options)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_vectorised_runs_equal_runs_alone(optimizer):
    together = train([0.01, 0.3], seeds=(3, 4), optimizer=optimizer)
    for s, seed in enumerate((3, 4)):
        for i, lr in enumerate((0.01, 0.3)):
            alone = train([lr], seeds=(seed,), optimizer=optimizer)
            np.testing.assert_allclose(
                together.losses[:, s, i], alone.losses[:, 0, 0], rtol=1e-9, atol=1e-12
            )


def test_the_methods_are_paired():
    complete, detached = train([0.1]), train([0.1], rho=0.0)
    np.testing.assert_array_equal(complete.losses[0], detached.losses[0])
    assert not np.array_equal(complete.losses[-1], detached.losses[-1])


def test_adam_is_torchs_adam():
    import torch

    task = toy.make_task([0], SMALL)
    outcome = toy.train(task, toy.NEURON, [0.05], settings=SMALL)
    from tsbp_core import numpy_lif

    w = torch.tensor(task.weights[0], requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.05)
    loss = numpy_lif.TraceLoss(task.target[:, 0], SMALL.tau)
    for _ in range(SMALL.updates):
        run = numpy_lif.forward(w.detach().numpy() @ task.traces[0], toy.NEURON)
        dx = numpy_lif.backward(loss(run.spikes)[1], run, toy.NEURON)
        w.grad = torch.tensor(task.traces[0] @ dx)
        optimizer.step()
    np.testing.assert_allclose(outcome.weights[0, 0], w.detach().numpy(), rtol=1e-9)


def test_training_lowers_the_loss():
    losses = train([0.05], seeds=range(6)).losses
    assert (losses[-5:].mean(axis=0) < 0.8 * losses[0]).mean() > 0.5


def test_a_diverging_run_is_recorded_and_the_others_go_on():
    outcome = train([0.05, 1e308], optimizer="sgd")
    assert outcome.diverged[:, 1].any()
    assert not outcome.diverged[:, 0].any()
    assert np.isfinite(outcome.losses).all()
    assert np.isfinite(outcome.weights).all()


def test_robust_width_counts_decades():
    rates = np.logspace(-2, 0, 5)
    initial = np.ones((2, 5))
    final = np.array([[1, 0.1, 0.1, 0.19, 1], [1, 1, 1, 0.2, 1]])
    np.testing.assert_allclose(toy.robust_width(initial, final, rates), [1.5, 0.0])


def test_intervals():
    values = np.random.default_rng(0).normal(1.0, 2.0, 400)
    low, high = statistics.bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2.0 / 20, rel=0.15)
    low, high = statistics.t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, "optimizer must be 'adam' or 'sgd', got 'lion'"),
        ({"rates": [0.0]}, "learning rates must be positive and finite"),
    ],
)
def test_bad_options_are_named(options, message):
    rates = options.pop("rates", [0.1])
    with pytest.raises(ValueError, match=message):
        train(rates, **options)


def test_command_line_writes_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    toy.main(["--seeds", "2", "--updates", "20"])
    document = results.load("toy")
    assert np.shape(document["results"]["adam"]["rho=1"]["final"]) == (2, 41)
    assert "paired difference" in capsys.readouterr().out


def test_committed_results_match_the_code():
    """A quarter of the committed study, computed afresh.

    Single runs are chaotic, so that another machine's rounding changes them; means are not.
    """
    study = results.load("toy")
    settings = toy.Settings(**study["settings"]["task"])
    assert study["settings"]["neuron"] == repr(toy.NEURON)
    rates = study["settings"]["learning_rates"]
    task = toy.make_task(study["settings"]["seeds"], settings)
    losses = toy.train(task, toy.NEURON, rates, settings=settings).losses
    committed = study["results"]["adam"]["rho=1"]
    np.testing.assert_allclose(losses[0], committed["initial"], atol=1e-5)
    width = toy.robust_width(losses[0], losses[-toy.LAST :].mean(axis=0), rates)
    expected = toy.compare(study)["adam"]["width"][1.0]
    assert width.mean() == pytest.approx(expected.mean(), abs=0.1)
