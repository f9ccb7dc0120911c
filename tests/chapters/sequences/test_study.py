"""The recurrent networks' gradient, their training side by side, and the sequences they read."""

import contextlib
import hashlib
import json
import zipfile
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tsbp_core import LIF, numpy_lif, surrogates
from tsbp_core.chapters.gradient.steps import jacobian, jacobian_at
from tsbp_core.chapters.sequences import (
    added,
    edges,
    longer,
    lower_rates,
    outcomes,
    recurrent,
    report,
    study,
    training,
)
from tsbp_core.chapters.sequences import data as sequences
from tsbp_core.chapters.sequences.plan import Group
from tsbp_core.chapters.sequences.recurrent import Net, Weights
from tsbp_core.chapters.sequences.training import Method, Settings, Trainer
from tsbp_core.lab import datasets, results

RESETS = ("zero", "subtract")


def small_net(reset="zero", smooth=False, peak=1.5):
    surrogate = surrogates.Sigmoid(1 / (4 * peak), unit="area")
    return Net(LIF(0.8, 1.0, reset, surrogate), tau_s=3.0, smooth=smooth)


def small_case(rng, N=2, T=9, B=3, D=2, H=4, C=3):
    """Currents, windows, one-hot labels, weights and rhos in float64."""

    def normal(*shape):
        return torch.from_numpy(rng.normal(size=shape))

    weights = Weights(0.8 * normal(N, D, H), 0.6 * normal(N, H, H), normal(N, H, C))
    window = torch.from_numpy(rng.random((T, N, B, 1)))
    hot = torch.eye(C, dtype=torch.float64)[torch.from_numpy(rng.integers(C, size=(N, B)))]
    return normal(N, T, B, D), window, hot, weights, torch.tensor([[[1.0]], [[0.0]]])


def loss_of(x, window, hot, weights, net):
    run = recurrent.forward(x, window, weights, net)
    return recurrent.cross_entropy(run.logits, hot)


def gradient_of(x, window, hot, weights, rho, net):
    run = recurrent.forward(x, window, weights, net)
    _, dlogits = recurrent.cross_entropy(run.logits, hot)
    return recurrent.gradient(x, window, run, dlogits, weights, rho, net)


class Spike(torch.autograd.Function):
    """Heaviside, with the surrogate's derivative."""

    @staticmethod
    def forward(ctx, z, surrogate):
        ctx.save_for_backward(z)
        ctx.surrogate = surrogate
        return (z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.surrogate.derivative(ctx.saved_tensors[0]), None


def autograd_loss(x, window, hot, weights, rho, net):
    """The same networks as a loop under autograd, rho put in by detaching the reset's spike."""
    i = v = s = torch.zeros(*x.shape[::2][:1], x.shape[2], weights.V.shape[1], dtype=x.dtype)
    logits = 0.0
    for t in range(x.shape[1]):
        i = (1 - 1 / net.tau_s) * i + (x[:, t] @ weights.W + s @ weights.V) / net.tau_s
        u = net.lif.decay * v + i
        s = Spike.apply(u - net.lif.threshold, net.lif.surrogate)
        s_reset = rho * s + (1 - rho) * s.detach()
        v = u * (1 - s_reset) if net.lif.reset == "zero" else u - net.lif.threshold * s_reset
        logits = logits + (window[t] * s) @ weights.R
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), hot.flatten(0, 1))
    return losses * len(x)  # each network's loss is a mean over its own batch


@pytest.mark.parametrize("reset", RESETS)
def test_the_gradient_is_that_of_a_loop_under_autograd(reset, rng):
    x, window, hot, weights, rho = small_case(rng)
    net = small_net(reset)
    leaves = Weights(*(w.clone().requires_grad_() for w in weights))
    loss = autograd_loss(x, window, hot, leaves, rho, net)
    assert loss.item() == pytest.approx(loss_of(x, window, hot, weights, net)[0].sum().item())
    expected = torch.autograd.grad(loss, leaves)
    for mine, theirs in zip(gradient_of(x, window, hot, weights, rho, net), expected, strict=True):
        assert theirs.abs().max() > 1e-3
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reset", RESETS)
def test_only_the_complete_gradient_is_that_of_the_smooth_twin(reset, rng):
    """Central differences along random directions of all weights; rho = 0 must fail."""
    x, window, hot, weights, _ = small_case(rng)
    net = small_net(reset, smooth=True)
    for rho, exact in ((1.0, True), (0.0, False)):
        found = gradient_of(x, window, hot, weights, torch.full((2, 1, 1), rho), net)
        pairs = []
        for _ in range(5):
            way = Weights(*(torch.from_numpy(rng.normal(size=w.shape)) for w in weights))
            ends = [
                loss_of(x, window, hot, Weights(*(w + e * d for w, d in zip(weights, way,
                        strict=True))), net)[0] for e in (1e-5, -1e-5)
            ]  # fmt: skip
            slope = (ends[0] - ends[1]) / 2e-5
            mine = sum((g * d).flatten(1).sum(1) for g, d in zip(found, way, strict=True))
            pairs.append(torch.stack([mine, slope]))
        mine, slope = torch.cat(pairs, dim=1)
        error = ((mine - slope).norm() / slope.norm()).item()
        assert (error < 1e-5) if exact else (error > 1e-2), (rho, error)


def test_a_credit_grows_as_a_product_of_jacobians(rng):
    """Of one neuron: lambda dv/du, times nothing else while its current forgets at once."""
    net = Net(small_net("subtract").lif, tau_s=1.0)
    x, window, _, weights, _ = small_case(rng, N=1, T=12, B=1, H=1)
    run = recurrent.forward(x, window, weights, net)
    J = jacobian(
        numpy_lif.Run(torch.stack(run.s).numpy(), torch.stack(run.u).numpy()), net.lif
    ).ravel()
    ones = torch.ones(1, 1, 1, dtype=torch.float64)
    found = recurrent.credit_rate(run, 0 * weights.V, ones, net, 2, 6, torch.Generator())
    steps = np.log(np.abs(J[-9:-3])).sum() / 6  # from the ninth step before the end to the third
    assert found.item() == pytest.approx(steps, rel=1e-9)


def largest_factor(lif):
    """Largest size of a neuron's own step J = lambda dv/du over all membranes, by rho."""
    u = np.linspace(-3.0, 5.0, 80_001)
    return {
        rho: np.abs(jacobian_at(u, replace(lif, reset_gradient=rho))).max() for rho in study.RHOS
    }


def rate_bound(factor, peak, norm, tau_s):
    """What no credit can outgrow in the long run, as a logarithm a step.

    With J at most ``factor``, h at most ``peak`` and V of spectral norm ``norm``, the lengths of du
    and di obey a[t] <= factor a[t+1] + c b[t+1] and b[t] <= a[t] + (1 - 1/tau_s) b[t+1], where c =
    peak norm / tau_s. It is below 0, so that credit dies, where peak norm < 1 - factor.
    """
    c, keep = peak * norm / tau_s, 1.0 - 1.0 / tau_s
    half = 0.5 * (factor + c + keep)
    return np.log(half + np.sqrt(half**2 - factor * keep))


@pytest.mark.parametrize("reset", RESETS)
def test_no_credit_outgrows_the_bound(reset, rng):
    x, window, _, weights, _ = small_case(rng, N=8, T=80, B=4, H=6)
    net = small_net(reset)
    run = recurrent.forward(x, window, weights, net)
    factors = largest_factor(net.lif)
    for rho in study.RHOS:
        own = torch.full((8, 1, 1), rho, dtype=torch.float64)
        found = recurrent.credit_rate(run, weights.V, own, net, 20, 50, torch.Generator())
        for n in range(8):
            norm = torch.linalg.matrix_norm(weights.V[n], 2).item()
            bound = rate_bound(factors[rho], net.lif.surrogate.scale, norm, net.tau_s)
            assert found[n] < bound + 0.02
    assert rate_bound(0.8, 2.0, 0.099, 3.0) < 0 < rate_bound(0.8, 2.0, 0.101, 3.0)
    assert np.exp(rate_bound(0.8, 1.0, 0.5, 2.0)) == pytest.approx(1.2229, abs=1e-3)


def test_largest_factors_are_those_of_chapter_10():
    """Complete and soft: lambda max(1, theta peak - 1); detached: lambda."""
    low, tall = (LIF(0.9, 1.0, "subtract", s) for s in study.PEAKS.values())
    assert largest_factor(low) == pytest.approx({1.0: 0.9, 0.0: 0.9}, rel=1e-3)
    assert largest_factor(tall) == pytest.approx({1.0: 0.9 * 5.25, 0.0: 0.9}, rel=1e-3)
    hard = largest_factor(LIF(0.9, 1.0, "zero", study.PEAKS["tall"]))
    assert hard[1.0] > 0.9 * 6.25
    assert hard[0.0] == pytest.approx(0.9)


SMALL = Settings(hidden=6, batch=5, updates=4)
METHODS = [
    Method("adam", 0.01, 1.0, 3),
    Method("sgd", 0.1, 0.0, 4),
    Method("adam", 0.03, 0.0, 4),
    Method("sgd", 0.03, 1.0, 3),
]


@pytest.fixture
def xor(monkeypatch):
    monkeypatch.setattr(sequences, "GAP", 3)
    return sequences.delayed_xor(samples=60)


@pytest.mark.parametrize("reset", RESETS)
def test_networks_trained_side_by_side_are_those_trained_alone(reset, xor):
    net = small_net(reset)
    together = Trainer(xor, net, SMALL, METHODS)
    losses = together.advance(4)
    for n, method in enumerate(METHODS):
        alone = Trainer(xor, net, SMALL, [method])
        assert alone.advance(4)[0] == pytest.approx(losses[n], rel=1e-5)
        torch.testing.assert_close(alone.flat[0], together.flat[n], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(together.flat[0], together.flat[3])


def test_pairs_start_alike_and_seeds_do_not(xor):
    trainer = Trainer(xor, small_net(), SMALL, METHODS)
    torch.testing.assert_close(trainer.flat[1], trainer.flat[2], rtol=0, atol=0)
    assert not torch.allclose(trainer.flat[0], trainer.flat[1])
    assert not torch.equal(trainer.plan[:, 0], trainer.plan[:, 1])


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_optimizers_are_those_of_torch(name, rng):
    first = torch.from_numpy(rng.normal(size=(3, 7)))
    mine, theirs = first.clone(), first.clone().requires_grad_()
    rate = torch.full((3, 1), 0.05, dtype=torch.float64)
    own = training.Optimizer(mine, torch.full((3, 1), name == "adam"), rate)
    torchs = {
        "adam": lambda: torch.optim.Adam([theirs], lr=0.05),
        "sgd": lambda: torch.optim.SGD([theirs], lr=0.05, momentum=0.9),
    }[name]()
    for _ in range(6):
        gradient = torch.from_numpy(rng.normal(size=(3, 7)))
        own.step(gradient)
        theirs.grad = gradient
        torchs.step()
    torch.testing.assert_close(mine, theirs.detach(), rtol=1e-10, atol=1e-12)


def test_compiled_steps_give_the_same_gradient(xor):
    net = small_net("zero")
    found = []
    for fuse in (False, True):
        trainer = Trainer(xor, net, SMALL, METHODS, fuse=fuse)
        loss, (gradient,) = trainer.gradients(trainer.picked)
        found.append((loss, training.flatten(gradient)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("updates", [training.LONG - 1, training.LONG])
def test_long_training_compiles_its_steps(xor, updates):
    trainer = Trainer(xor, small_net(), replace(SMALL, updates=updates), METHODS)
    for step in (trainer.forward_step, trainer.backward_step):
        assert isinstance(step, training.Fused) == (updates == training.LONG)


def test_training_learns_and_does_not_look_at_the_other_parts(xor):
    """The loss falls; samples of validation and test are in no batch."""
    trainer = Trainer(xor, small_net("subtract"), replace(SMALL, updates=60), METHODS[:1])
    before = trainer.advance(5)[0]
    trainer.advance(50)
    assert trainer.advance(5)[0] < before
    used = set(trainer.plan.ravel().tolist())
    held = set(trainer.validation.ravel().tolist()) | set(trainer.test.tolist())
    assert len(used) + len(trainer.validation[0]) == 60 * 4 // 5
    assert not used & held
    assert len(held) == 60 - len(used)
    assert not set(trainer.validation.ravel().tolist()) & set(trainer.test.tolist())


def test_accuracy_is_the_share_of_right_answers(xor):
    trainer = Trainer(xor, small_net(), SMALL, METHODS)
    x, window, hot = trainer.batch(trainer.validation)
    logits = recurrent.forward(x, window, trainer.weights, trainer.net).logits
    right = (logits.argmax(-1) == hot.argmax(-1)).double().mean(1)
    np.testing.assert_allclose(trainer.right(trainer.validation), right, rtol=1e-6)
    trainer.flat[0] = np.nan
    assert trainer.right(trainer.validation)[0] == 0


def check_parts(data, pool, test):
    """Sizes of the parts; folds equally large and with all classes."""
    assert (data.fold == sequences.TEST).sum() == test
    for fold in range(sequences.FOLDS):
        assert (data.fold == fold).sum() == pool / sequences.FOLDS
        assert set(data.labels[data.fold == fold]) == set(range(data.classes))
    np.testing.assert_allclose(data.window.sum(axis=1), 1, rtol=1e-5)
    assert data.x.dtype == data.window.dtype == np.float32


def test_rows_of_digits_are_held():
    data = sequences.digits()
    assert data.x.shape == (1797, 32, 9)
    check_parts(data, pool=1400, test=397)
    image = load_digits().images[7] / 16
    for t in range(32):
        np.testing.assert_array_equal(data.x[7, t, :8], image[t // 4])


def test_digits_are_pixels_in_order_and_shuffled_alike():
    data, shuffled = (sequences.digits("pixel", shuffled) for shuffled in (False, True))
    assert data.x.shape == (1797, 64, 2)
    check_parts(data, pool=1400, test=397)
    bunch = load_digits()
    np.testing.assert_array_equal(data.x[7, :, 0].reshape(8, 8), bunch.images[7] / 16)
    np.testing.assert_array_equal(data.labels, bunch.target)
    assert (data.x[..., 1] == 1).all()
    order = [
        int(np.flatnonzero((column == data.x[..., 0].T).all(axis=1))[0])
        for column in shuffled.x[..., 0].T
        if column.any()
    ]
    assert len(set(order)) == len(order) > 50
    assert order != sorted(order)
    np.testing.assert_array_equal(data.fold, shuffled.fold)


TS = """# comment
@dimensions 2
@data
1.5,2.5,3.5:-1,-2,-3:1
4.0,5.0:-4,-5:3
"""


def test_a_ts_file_is_read_channel_by_channel():
    (a, b), labels = sequences.parse_ts(TS)
    assert a.tolist() == [[1.5, -1], [2.5, -2], [3.5, -3]]
    assert b.tolist() == [[4, -4], [5, -5]]
    assert labels.tolist() == [0, 2]
    x, present = sequences.end_together([a, b], 4)
    assert x[1].tolist() == [[0, 0], [0, 0], [4, -4], [5, -5]]
    assert present.tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]


def test_vowels_are_the_published_ones_or_say_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pip download .*sktime==1.2.0"):
        sequences.read_vowels("TRAIN", tmp_path)
    name = "sktime/datasets/data/JapaneseVowels/JapaneseVowels_TRAIN.ts"
    with zipfile.ZipFile(tmp_path / "sktime-9-any.whl", "w") as wheel:
        wheel.writestr(name, TS)
    with pytest.raises(ValueError, match="not the published"):
        sequences.read_vowels("TRAIN", tmp_path)


@pytest.mark.parametrize("inside", [False, True])
def test_the_wheel_may_lie_in_the_folder_of_the_data_or_in_the_projects(
    tmp_path, monkeypatch, inside
):
    """TSBP_DATA may name the folder of CIFAR-10 itself; make puts the wheel into the project."""
    mine = tmp_path / "mine"
    monkeypatch.setenv("TSBP_DATA", str(mine / datasets.FOLDER if inside else mine))
    monkeypatch.setattr(results, "PROJECT", tmp_path)
    with pytest.raises(FileNotFoundError, match=f"in {tmp_path / 'data'} or {mine}: pip"):
        sequences.read_vowels("TEST")
    for folder, text in ((tmp_path / "data", "the project's"), (mine, "the reader's")):
        folder.mkdir()
        with zipfile.ZipFile(folder / "sktime-9-any.whl", "w") as wheel:
            wheel.writestr("sktime/datasets/data/JapaneseVowels/JapaneseVowels_TEST.ts", text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        monkeypatch.setitem(sequences.VOWELS, "TEST", digest)
        assert sequences.read_vowels("TEST") == text


def test_vowels_shapes_and_parts(monkeypatch):
    """On made-up utterances in the published numbers, so that it runs without the wheel."""
    rng = np.random.default_rng(0)

    def text(part, folder):
        labels = np.repeat(np.arange(9), 30) if part == "TRAIN" else rng.integers(9, size=370)
        lines = []
        for label in labels:
            values = label + rng.normal(size=(12, rng.integers(7, 30)))
            channels = [",".join(map(str, channel)) for channel in values]
            lines.append(":".join([*channels, str(label + 1)]))
        return "\n".join(["@data", *lines])

    monkeypatch.setattr(sequences, "read_vowels", text)
    data = sequences.vowels()
    assert data.x.shape == (640, 29, 13)
    check_parts(data, pool=270, test=370)
    assert (data.fold[270:] == sequences.TEST).all()
    present = data.x[..., -1] == 1
    assert (present == (data.window > 0)).all()
    assert (np.diff(present.astype(int), axis=1) >= 0).all()
    assert not data.x[~present].any()
    frames = data.x[:270][present[:270]][:, :12]
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)


def test_the_delayed_xor_asks_for_both_bits():
    data = sequences.delayed_xor(samples=500, noise=0.0)
    first = data.x[:, : sequences.CUE, 1].mean(axis=1)
    start = sequences.CUE + sequences.GAP
    second = data.x[:, start : start + sequences.CUE, 1].mean(axis=1)
    np.testing.assert_array_equal(data.labels, first != second)
    silent = np.r_[
        sequences.CUE : start, start + sequences.CUE : data.x.shape[1] - sequences.ANSWER
    ]
    assert not data.x[:, silent, :3].any()
    assert (data.x[:, -sequences.ANSWER :, 2] == 1).all()
    assert data.window[0].nonzero()[0].min() == data.x.shape[1] - sequences.ANSWER
    check_parts(sequences.delayed_xor(), pool=1600, test=400)
    assert 0.4 < data.labels.mean() < 0.6


def part_of(validation, test, methods):
    return {"methods": methods, "validation": validation, "test": test, "updates": [10, 20, 40]}


def test_the_best_rate_is_chosen_on_the_validation_part_alone():
    """By the mean over seeds at the last look; what test would say is the opposite."""
    methods = [
        [optimizer, rate, rho, seed]
        for optimizer in study.OPTIMIZERS
        for rate in (0.1, 0.2)
        for rho in study.RHOS
        for seed in (0, 1)
    ]
    score = {(0.1, 1.0): (0.9, 0.5), (0.2, 1.0): (0.8, 0.7), (0.1, 0.0): (0.6, 0.6),
             (0.2, 0.0): (0.1, 0.9)}  # fmt: skip
    last = [score[rate, rho][seed] for _, rate, rho, seed in methods]
    part = part_of([[1.0] * 16, [0.0] * 16, last], [1 - v for v in last], methods)
    best = study.best_rates(part)
    assert best == {(o, r): {1.0: 0.2, 0.0: 0.1}[r] for o in study.OPTIMIZERS for r in study.RHOS}
    final = study.final_methods(part, seeds=(7,))
    assert ("sgd", 0.1, 0.0, 7) in final
    assert len(final) == 4


def test_gains_are_complete_minus_detached_seed_by_seed():
    methods = [["adam", 0.1, 0.0, 8], ["adam", 0.2, 1.0, 9], ["adam", 0.1, 0.0, 9],
               ["adam", 0.2, 1.0, 8], ["sgd", 0.1, 1.0, 8]]  # fmt: skip
    validation = [[0.1, 0.7, 0.1, 0.95, 0], [0.5, 0.9, 0.1, 0.95, 0], [0.9, 0.9, 0.9, 0.95, 0]]
    part = part_of(validation, [0.5, 0.8, 0.7, 0.9, 0.0], methods)
    np.testing.assert_allclose(outcomes.gains(part, "adam"), [40, 10])
    updates, target = outcomes.updates_by_method(part, "adam", classes=10)
    assert target == pytest.approx(0.1 + 0.9 * 0.8)  # both of the detached end at 0.9
    complete = [10 * 0.72 / 0.85, 10 + 10 * 0.12 / 0.2]
    detached = [20 + 20 * 0.32 / 0.4, 20 + 20 * 0.72 / 0.8]
    np.testing.assert_allclose(updates, [complete, detached])
    assert outcomes.updates_to(part, [4], 0.5, 0.1).tolist() == [np.inf]
    assert outcomes.updates_to(part, [0], 0.05, 0.1).tolist() == [1]  # no more than chance


def test_verdicts_are_corrected_for_comparisons():
    noise = 0.1 * np.array([-1.0, 1.0, -1.0, 1.0, 0.0, 0.0])
    said = [outcomes.judged(mean + noise, outcomes.MARGIN)["verdict"] for mean in (0.5, 5.0, -5.0)]
    assert said == ["equal", "help", "harm"]
    wide = outcomes.judged(5.0 + 40 * noise, outcomes.MARGIN)
    assert wide["verdict"] == "open"
    once = outcomes.judged(5.0 + 40 * noise, outcomes.MARGIN, comparisons=1)
    assert once["verdict"] == "help"
    assert wide["low"] < once["low"] < once["mean"] == 5.0


def test_a_study_is_resumed_where_it_stopped(tmp_path, monkeypatch, xor, capsys):
    monkeypatch.setattr(study, "SWEEP_SEEDS", (0, 1))
    monkeypatch.setattr(study, "FINAL_SEEDS", (5, 6))
    monkeypatch.setattr(study.data, "TASKS", {"xor": lambda: xor})
    monkeypatch.setattr(study, "RATES", {"adam": (0.01,), "sgd": (0.1,)})
    monkeypatch.setattr(study, "LOOKS", 3)
    trained = []
    train = study.train

    def note(group, task, methods, *rest):
        trained.append((group.name, len(methods)))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return train(group, task, methods, *rest)

    monkeypatch.setattr(study, "train", note)
    settings = Settings(hidden=5, batch=4, updates=4)
    with pytest.raises(KeyboardInterrupt):
        study.run(tmp_path, tasks=("xor",), settings=settings)
    kept = json.loads((tmp_path / "xor.json").read_text())["results"]
    assert set(kept) == {"low/zero/sweep", "low/zero/final"}
    complete = study.run(tmp_path, tasks=("xor",), settings=settings)
    assert [group.name for group in complete] == [
        "low/zero", "low/subtract", "tall/zero", "tall/subtract"
    ]  # fmt: skip
    assert len(trained) == 3 + 6
    document = json.loads((tmp_path / "xor.json").read_text())
    assert document["results"]["low/zero/sweep"] == kept["low/zero/sweep"]
    part = document["results"]["tall/subtract/final"]
    assert len(part["test"]) == len(part["methods"]) == 8
    assert np.array(part["validation"]).shape == (len(part["updates"]), 8)
    assert part["first"]["ratio"][0] != 1
    assert study.run(tmp_path, tasks=("xor",), settings=settings, seconds=-1) == []
    assert "no time left" in capsys.readouterr().out


def test_a_device_is_known_before_anything_is_loaded(monkeypatch, capsys):
    monkeypatch.setattr(study, "run", None)
    with pytest.raises(SystemExit):
        study.main(["--device", "gpu"])
    assert "invalid choice: 'gpu'" in capsys.readouterr().err


def test_networks_trained_a_few_at_a_time_are_those_trained_at_once(monkeypatch, xor):
    group, settings = study.groups()[0], Settings(hidden=5, batch=4, updates=4)
    methods = [Method("adam", 0.01, rho, seed) for rho in (1.0, 0.0) for seed in (5, 0, 10)]
    at_once = study.train(group, xor, methods, settings)
    monkeypatch.setattr(study, "ABREAST", 4)
    with joblib.parallel_config(backend="sequential"):
        some = study.train(group, xor, methods, settings)
    assert some["methods"] == [list(m) for m in methods]
    assert len(some["first"]["ratio"]) == 3
    assert {**some, "seconds": 0} == {**at_once, "seconds": 0}


def test_other_settings_are_not_taken_for_these():
    group = study.groups()[0]
    methods = study.sweep_methods()
    keys = {
        study.key(group, methods, Settings()),
        study.key(group, methods, Settings(updates=7)),
        study.key(group, methods[1:], Settings()),
        study.key(replace(group, peak="tall"), methods, Settings()),
    }
    assert len(keys) == 4


def test_the_committed_parts_are_taken_until_the_code_is_another(monkeypatch):
    store = study.Store(results.RESULTS / "sequences")
    stored = [group for group in study.groups() if f"{group.name}/final" in store.task(group.task)]
    assert len(stored) >= 12

    def found(group):
        settings = Settings(updates=study.UPDATES[group.task])
        sweep = store.find(group, "sweep", study.sweep_methods(), settings)
        methods = study.final_methods(sweep) if sweep else []
        return sweep, store.find(group, "final", methods, settings)

    assert all(all(found(group)) for group in stored)
    monkeypatch.setattr(study, "CODE", study.CODE + 1)
    assert not any(any(found(group)) for group in stored)


def test_a_rule_needs_half_of_the_cells_and_no_contradiction():
    half = outcomes.COMPARISONS // 2
    rest = outcomes.COMPARISONS - half

    def word(*verdicts):
        return outcomes.rule(list(verdicts), "help", "harm")

    assert word(*["help"] * half, *["open"] * rest) == "stands"
    assert word(*["help"] * half, "harm", *["open"] * (rest - 1)) == "undecided"
    assert word(*["help"] * (half - 1), *["equal"] * (rest + 1)) == "refuted"
    assert word(*["harm"] * half, *["help"] * rest) == "refuted"


def test_a_cell_takes_each_method_at_its_own_rate(monkeypatch):
    methods = [["adam", rate, rho, seed] for rate, rho in ((0.01, 1.0), (0.3, 0.0))
               for seed in (10, 11, 12)]  # fmt: skip
    accuracy = [0.9, 0.92, 0.91, 0.5, 0.53, 0.51]
    final = part_of([[0.1] * 6, accuracy, accuracy], accuracy, methods)
    final["loss"] = [[1.0] * 6, [0.5] * 6, [0.5] * 3 + [0.4] * 2 + [None]]
    found = outcomes.cell({"low/zero/final": final}, "low/zero", "adam", classes=10)
    assert found["ends"] == pytest.approx([91.0, 51.333], abs=1e-2)
    assert found["gain"]["mean"] == pytest.approx(39.667, abs=1e-2)
    assert found["gain"]["verdict"] == "help"
    assert found["speed"]["mean"] < 0  # the complete one is there sooner
    assert found["rates"] == [0.01, 0.3]
    assert found["edge"] == [False, True]
    assert not found["flat"]
    final["loss"][-1] = [0.5] * 3 + [0.49] * 3
    assert outcomes.flat(final, "adam")
    final["test"] = [0.9, 0.92, 0.91, 0.3, 0.32, 0.31]
    found = outcomes.cell({"low/zero/final": final}, "low/zero", "adam", classes=10)
    assert (found["gain"]["verdict"], found["speed"]["verdict"]) == ("help", "not learnt")
    few = [0.11, 0.14, 0.12, 0.3, 0.32, 0.31]
    final["test"] = final["validation"][-1] = few
    found = outcomes.cell({"low/zero/final": final}, "low/zero", "adam", classes=10)
    assert found["gain"]["mean"] < -15
    assert found["gain"]["verdict"] == found["speed"]["verdict"] == "not learnt"


def test_lower_rates_are_those_below_the_grid_with_its_seeds(xor, monkeypatch):
    tried = {(m.rate, m.rho) for m in lower_rates.methods()}
    assert len(tried) == 6
    assert max(rate for rate, _ in tried) < min(study.RATES["sgd"])
    assert {m.seed for m in lower_rates.methods()} == set(study.SWEEP_SEEDS)
    assert {m.optimizer for m in lower_rates.methods()} == {"sgd"}
    monkeypatch.setattr(study.data, "TASKS", {"xor": lambda: xor})
    parts = lower_rates.compute("xor", replace(SMALL, updates=3), seeds=(0, 1))
    assert list(parts) == ["low/zero", "low/subtract"]
    assert len(parts["low/zero"]["test"]) == 12


def test_a_results_file_is_extended_part_by_part(xor, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(study.results, "RESULTS", tmp_path)
    monkeypatch.setattr(study.data, "TASKS", {"xor": lambda: xor})
    group, brief = Group("xor", "zero", "low"), replace(SMALL, updates=3)
    one = (group, [Method("sgd", 0.01, 1.0, seed) for seed in (0, 1)], brief)
    head = {"command": "make it", "settings": {"of": "it"}}
    study.keep("made", {"a": one}, **head)
    first = results.load("made")
    assert first["results"]["a"]["methods"] == [["sgd", 0.01, 1.0, seed] for seed in (0, 1)]
    assert (first["command"], first["settings"]) == ("make it", {"of": "it"})
    study.keep("made", {"a": one, "b": one}, **head)  # what is there is not computed again
    both = results.load("made")
    assert both["results"]["a"] == first["results"]["a"]
    assert both["results"]["b"]["test"] == first["results"]["a"]["test"]
    assert both["wall_time_s"] == pytest.approx(
        sum(part["seconds"] for part in both["results"].values()), abs=0.11
    )
    assert capsys.readouterr().out.count(" s: ") == 2


def test_what_is_trained_longer_has_the_rates_and_batches_of_the_study(xor):
    parts = longer.wanted()
    assert [*parts] == [longer.name(group) for group in longer.GROUPS]
    group, methods, settings = parts["shuffled/low/subtract"]
    assert (group, settings) == (longer.GROUPS[-1], longer.SETTINGS)
    best = study.best_rates(results.load("sequences/shuffled")["results"]["low/subtract/sweep"])
    assert {tuple(m[:3]) for m in methods} == {
        ("adam", best["adam", rho], rho) for rho in (1.0, 0.0)
    }
    assert {m.seed for m in methods} == set(longer.SEEDS) < set(longer.plan.FINAL_SEEDS)
    one, more = (training.batches(xor, replace(SMALL, updates=n), 10) for n in (5, 20))
    np.testing.assert_array_equal(one, more[:5])


def test_all_edges_below_the_grid_are_looked_beyond():
    found = report.load()
    parts = edges.wanted(found)
    for cell in report.CELLS:
        name = f"{cell.group.name}/sweep"
        lowest = min(m[1] for m in found[cell.task][name]["methods"] if m[0] == cell.optimizer)
        best = study.best_rates(found[cell.task][name])
        at_edge = lowest in (best[cell.optimizer, rho] for rho in (1.0, 0.0))
        before = (cell.task, cell.reset) in added.lower()
        before = before and (cell.peak, cell.optimizer) == ("low", "sgd")
        assert (cell.name in parts) == (at_edge and not before)
        if cell.name in parts:
            group, methods, settings = parts[cell.name]
            assert group == cell.group and settings.updates == study.UPDATES[cell.task]
            assert {m.optimizer for m in methods} == {cell.optimizer}
            assert max(m.rate for m in methods) < lowest
            assert {(m.rho, m.seed) for m in methods} == {
                (rho, seed) for rho in (1.0, 0.0) for seed in study.SWEEP_SEEDS
            }
            assert len(methods) == 3 * 2 * len(study.SWEEP_SEEDS)


def test_added_growth_is_complete_minus_detached():
    part = {"last": {"growth/net/rho=1": [0.5, None], "growth/net/rho=0": [0.2, 0.1]}}
    assert outcomes.added_growth(part, "last")[0] == pytest.approx(0.3)


def test_recording_an_update_leaves_no_trace(xor, monkeypatch):
    """On a stand-in for CUDA: after the warm-up and the recording, one update has been taken."""

    class Stream:
        def wait_stream(self, other):
            pass

    class Graph:
        def replay(self):
            recorded.update()

    nothing = contextlib.nullcontext
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda side: nothing())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: nothing())
    plain, recorded = (Trainer(xor, small_net(), SMALL, METHODS) for _ in range(2))
    recorded.device = "stand-in"
    losses = plain.advance(3)
    np.testing.assert_allclose(recorded.advance(3), losses, rtol=1e-6)
    assert recorded.replay.__self__.__class__ is Graph
    torch.testing.assert_close(recorded.flat, plain.flat)
    torch.testing.assert_close(recorded.optimizer.square, plain.optimizer.square)
