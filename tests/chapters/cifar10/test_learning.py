"""Training and evaluation against the same thing written by hand, on toy images."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import random_cifar10

from tsbp_core.chapters.cifar10 import evaluation, network, training
from tsbp_core.chapters.cifar10.settings import OPTIMIZERS, Settings
from tsbp_core.lab import checkpoints, datasets

pytestmark = pytest.mark.usefixtures("one_thread")
TINY = Settings(network="4C3-P4-4C3-P4", epochs=2, batch=10, limit=40)


@pytest.fixture
def noise():
    return random_cifar10()


def colours(n, seed):
    """Red, green and blue images with noise; the colour is the label."""
    labels = np.arange(n) % 3
    noise = np.random.default_rng(seed).normal(0, 30, (n, 3, 32, 32))
    images = (60 + 120 * np.eye(3))[labels][:, :, None, None] + noise
    return images.clip(0, 255).astype(np.uint8), labels


def test_a_network_learns_to_tell_colours():
    data = datasets.Cifar10(*colours(30, seed=0), *colours(30, seed=1))
    settings = replace(TINY, network="8C3-P4-8C3-P4", epochs=6, limit=30, lr=0.03)
    run = training.train(settings, 0, data)
    assert run["test"]["accuracy"] >= 0.9
    assert run["epochs"][-1]["train_accuracy"] >= 0.9


def sgd(w, g, rate, decay, memory, update):
    """With Nesterov's momentum of 0.9."""
    g = g + decay * w
    memory["v"] = 0.9 * memory.get("v", 0.0) + g
    return w - rate * (g + 0.9 * memory["v"])


def adamw(w, g, rate, decay, memory, update):
    """With means of g and g^2, each corrected for its start from 0."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g**2
    m, v = memory["m"] / (1 - 0.9**update), memory["v"] / (1 - 0.999**update)
    return w - rate * (m / (v.sqrt() + 1e-8) + decay * w)


RULES = {"sgd": sgd, "adamw": adamw}


def train_by_hand(settings, seed, data):
    """What ``training.train`` should do; returns the network, mean losses and accuracies."""
    torch.manual_seed(seed)
    net = network.SpikingNet(settings.network, settings.steps, settings.neuron())
    net.to(memory_format=torch.channels_last)
    kept = settings.limit - settings.held_out
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    updates = settings.epochs * kept // settings.batch
    corners = [0, settings.warmup * updates - 1, updates - 1]
    rule = RULES[settings.optimizer]
    update, losses, accuracies = 0, [], []
    memories = {name: {} for name, _ in net.named_parameters()}
    for epoch in range(settings.epochs):
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        total, right = 0.0, 0
        for picked in torch.randperm(kept, generator=generator).split(settings.batch):
            x = network.normalised(network.augment(images[picked], generator, settings.shift))
            logits = net(x)[0]
            wanted = 0.9 * torch.eye(10)[labels[picked]] + 0.1 / 10  # smoothed by 0.1
            loss = -(wanted * logits.log_softmax(1)).sum(1).mean()
            net.zero_grad()
            loss.backward()
            rate = np.interp(update, corners, [settings.lr / 25, settings.lr, settings.lr / 25e4])
            update += 1
            for name, w in net.named_parameters():
                decay = settings.weight_decay if w.ndim > 1 else 0.0  # not of norms and biases
                w.data = rule(w.data, w.grad, rate, decay, memories[name], update)
            total += loss.item() * len(picked)
            right += (logits.argmax(1) == labels[picked]).sum().item()
        losses.append(total / kept)
        accuracies.append(right / kept)
    return net, losses, accuracies


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_epochs_are_those_of_a_loop_written_by_hand(noise, tmp_path, optimizer):
    """With held-out images, so that evaluation comes between the epochs."""
    settings = replace(TINY, held_out=8, batch=8, optimizer=optimizer, lr=0.1, weight_decay=0.5)
    run = training.train(settings, 3, noise, tmp_path / "run.pt")
    net, losses, accuracies = train_by_hand(settings, 3, noise)
    assert [epoch["train_loss"] for epoch in run["epochs"]] == pytest.approx(losses, rel=1e-4)
    assert [epoch["train_accuracy"] for epoch in run["epochs"]] == accuracies
    found = checkpoints.load(tmp_path / "run.pt")["net"]
    for name, expected in net.state_dict().items():
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-4, msg=name)


def test_evaluation_of_images_and_of_their_mirror_images(noise):
    """Labels are chosen so that both views together are always right, and one alone is not."""
    torch.manual_seed(0)
    net = network.SpikingNet(TINY.network, 4, TINY.neuron()).eval()
    images = torch.from_numpy(noise.train_images)
    with torch.no_grad():
        logits, mirrored = (net(network.normalised(x))[0] for x in (images, images.flip(3)))
    labels = (logits + mirrored).argmax(1)
    found = evaluation.evaluate(net, images, labels, TINY, batch=16)
    assert found["flips"] == 1.0
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert found["accuracy"] < 1.0
    loss = (logits.logsumexp(1) - logits[range(40), labels]).mean()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_bfloat16_is_used_throughout(noise):
    """Training, evaluation and comparison give other numbers than in float32, and near ones."""
    torch.manual_seed(0)
    net = network.SpikingNet(TINY.network, 4, TINY.neuron())
    images, labels = torch.from_numpy(noise.train_images), torch.from_numpy(noise.train_labels)
    numbers = []
    for settings in (TINY, replace(TINY, precision="bfloat16")):
        run = training.train(replace(settings, epochs=1, batch=5), 0, noise)
        assert not run["diverged"]
        said = evaluation.evaluate(net, images, labels, settings)
        x = network.normalised(images)
        compared = evaluation.compare_gradients(net, x, labels, settings)
        numbers.append([run["epochs"][0]["train_loss"], said["loss"], compared["ratio"][0]])
    exact, short = numbers
    assert all(a != b for a, b in zip(exact, short, strict=True))
    assert short == pytest.approx(exact, rel=0.05)
