from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.toy import experiment as toy

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
    final = np.array([[1, 0.1, 0.1, 0.19, 1], [1, 1, 1, 0.2, np.inf]])
    np.testing.assert_allclose(toy.robust_width([1, 1], final), [3 / 8, 0.0])
    np.testing.assert_allclose(toy.robust_width([1, 2], final, 0.15), [2 / 8, 1 / 8])


def test_targets():
    for target in toy.TARGETS:
        settings = replace(SMALL, steps=200, target=target)
        task = toy.make_task(range(8), settings)
        assert task.target.shape == (200, 8)
        assert set(np.unique(task.target)) == {0.0, 1.0}
        plain = toy.make_task(range(8), replace(settings, target="random"))
        np.testing.assert_array_equal(task.weights, plain.weights)
        np.testing.assert_array_equal(task.traces, plain.traces)
        if target == "regular":
            assert (task.target.sum(axis=0) == 20).all()
            assert (np.flatnonzero(task.target[:, 0]) == np.arange(9, 200, 10)).all()
    with pytest.raises(ValueError, match="target must be one of .* got 'noise'"):
        toy.make_task([0], replace(SMALL, target="noise"))


def test_a_teachers_weights_reach_its_target():
    task = toy.make_task([5], replace(SMALL, target="teacher"))
    rng = np.random.default_rng(5)
    rng.random((30, 12))
    rng.normal(size=12)
    teacher = rng.normal(SMALL.weight_mean, SMALL.weight_std, 12)
    spikes = toy.run_neurons(task, teacher[None, None], toy.NEURON).spikes
    np.testing.assert_array_equal(spikes[:, :, 0], task.target)


def test_lengths_can_be_swapped():
    detached = replace(toy.NEURON, reset_gradient=0.0)
    task = toy.make_task([0, 1], SMALL)
    one = replace(SMALL, updates=1)
    own, other, swapped = (
        toy.train(task, lif, [0.1], optimizer="sgd", settings=one, length_of=length).weights
        - task.weights[:, None]
        for lif, length in ((toy.NEURON, None), (detached, None), (toy.NEURON, detached))
    )
    norm = np.linalg.norm
    assert not np.allclose(norm(own, axis=-1), norm(other, axis=-1))
    np.testing.assert_allclose(norm(swapped, axis=-1), norm(other, axis=-1))
    cosine = (own * swapped).sum(axis=-1) / norm(own, axis=-1) / norm(swapped, axis=-1)
    np.testing.assert_allclose(cosine, 1.0)
    same = train([0.1], length_of=toy.NEURON)
    np.testing.assert_allclose(same.losses, train([0.1]).losses, rtol=1e-6, atol=1e-9)


def test_comparing_gradients():
    task = toy.make_task([0, 1, 2], SMALL)
    run = toy.run_neurons(task, task.weights[:, None], toy.NEURON)
    g = np.random.default_rng(0).normal(size=run.spikes.shape)
    cosine, ratio = toy.compare_gradients(task, g, run, toy.NEURON)
    assert cosine.shape == ratio.shape == (3, 1)
    assert (np.abs(cosine) <= 1 + 1e-12).all()
    assert not np.allclose(ratio, 1)
    free = replace(toy.NEURON, reset="none")
    cosine, ratio = toy.compare_gradients(task, g, run, free)
    np.testing.assert_allclose((cosine, ratio), 1.0)
    assert np.isnan(toy.compare_gradients(task, 0 * g, run, toy.NEURON)).all()


def test_van_rossum_of_one_spike():
    spikes = np.zeros((400, 2))
    spikes[3, 0] = 1
    distance = toy.van_rossum(spikes, np.zeros((400, 1)))
    assert distance[0] == pytest.approx(np.sqrt(0.5), rel=0.05)
    assert distance[1] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lion"}, r"optimizer must be one of \('adam', 'sgd'\), got 'lion'"),
        ({"rates": [0.0]}, "learning rates must be positive and finite"),
    ],
)
def test_bad_options_are_named(options, message):
    rates = options.pop("rates", [0.1])
    with pytest.raises(ValueError, match=message):
        train(rates, **options)
