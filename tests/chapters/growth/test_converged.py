import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tsbp_core import surrogates, torch_lif
from tsbp_core.chapters.growth import (
    converged,
    figures,
    manifolds,
    plan,
    probe,
    report,
    side_by_side,
    verdicts,
)
from tsbp_core.chapters.growth import study as growth
from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text, t_interval
from tsbp_core.neuron import LIF

SMALL = manifolds.Task(
    steps=20, depth=2, classes=3, inputs=8, train=20, test=10, validation=7, hidden=8, updates=6
)
POINTS = len(plan.POINTS)
pytestmark = pytest.mark.usefixtures("one_thread")


def neurons(*slopes, reset="zero"):
    return [probe.make_neuron(reset, "area", k, rho) for rho in (1.0, 0.0) for k in slopes]


def test_side_by_side_is_as_one_at_a_time():
    """Each network is the one of ``manifolds.train``, whatever neuron, rate and seed beside it."""
    lifs, rates, seeds = neurons(4, 10), [0.01, 0.05], [6, 7]
    many = side_by_side.train(SMALL, lifs, rates, seeds, [2, 6])
    assert many["test"].shape == many["validation"].shape == (4, 2, 2, 2)
    losses = many["loss"].mean(axis=0)
    assert len(np.unique(losses)) == losses.size
    for n, lif in enumerate(lifs):
        for r, rate in enumerate(rates):
            task = manifolds.Task(**{**vars(SMALL), "rate": rate})
            alone = manifolds.train(task, lif, seeds)
            np.testing.assert_allclose(losses[n, r], alone["loss"], rtol=1e-5)
            np.testing.assert_allclose(many["test"][n, r, :, -1], alone["accuracy"], atol=1e-9)
    one = side_by_side.train(SMALL, lifs[3:], rates[1:], seeds[1:], [6])
    np.testing.assert_allclose(one["loss"][:, 0, 0, 0], many["loss"][:, 3, 1, 1], rtol=1e-5)
    assert one["validation"].item() == many["validation"][3, 1, 1, 1]


def test_pairs_share_data_first_weights_and_batches():
    parts = [manifolds.make_data(SMALL, seed) for seed in (6, 7)]
    train_set, test_set, validation_set = zip(*parts, strict=True)
    assert [len(train_set[0][1]), len(test_set[0][1]), len(validation_set[0][1])] == [60, 30, 21]
    fine = manifolds.Task(dimensions=2, train=20, test=10, validation=7)
    rows = [{tuple(row) for row in times} for times, _ in manifolds.make_data(fine, 6)]
    assert [len(part) for part in rows] == [200, 100, 70]
    assert not rows[2] & (rows[0] | rows[1])
    order = side_by_side.batches(SMALL, [6, 7], 60)
    assert order.shape == (7, 2, SMALL.batch)
    assert torch.equal(order[:, 1:], side_by_side.batches(SMALL, [7], 60))
    lifs = neurons(4, 10)
    data = side_by_side.to_device(train_set, "cpu")
    weights = side_by_side.first_weights(SMALL, lifs, 3, [6, 7], data, order[0], "cpu")
    by_seed = weights[0].view(len(lifs) * 3, 2, *weights[0].shape[1:])
    assert (by_seed == by_seed[:1]).all()
    assert not torch.equal(by_seed[0, 0], by_seed[0, 1])
    times, labels = side_by_side.pick(data, order[1])
    assert torch.equal(times[1], data[0][1][order[1, 1]])
    assert torch.equal(labels[1], data[1][1][order[1, 1]])
    spikes = side_by_side.spike_trains_by_network(times, SMALL.steps)
    expected = manifolds.spike_trains(times, SMALL.steps).transpose(0, 1)
    assert torch.equal(spikes, expected)


def test_accuracy_counts_the_right_seed_and_takes_what_is_not_finite_for_a_guess(monkeypatch):
    labels = torch.tensor([[0, 1, 2, 2], [2, 2, 1, 0]])
    logits = torch.nn.functional.one_hot(labels, 3).float().repeat(2, 1, 1)  # [S = 4, B, C]
    logits[1, 0] = logits[1, 0].roll(1)  # seed 1 of the first neuron: one wrong
    logits[2, :2] = float("nan")
    monkeypatch.setattr(side_by_side, "network", lambda spikes, weights, layer: logits)
    part = torch.zeros(2, 4, 5, dtype=torch.long), labels
    found = side_by_side.accuracy(part, 20, None, None)
    np.testing.assert_allclose(found, [1.0, 0.75, (2 + 2 / 3) / 4, 1.0])


@pytest.mark.parametrize("name", side_by_side.OPTIMIZERS)
def test_optimizers_are_those_of_torch_with_a_rate_a_network(name):
    torch.manual_seed(0)
    rates = torch.tensor([0.01, 0.3])
    weights = [torch.randn(2, 3, 4), torch.randn(2, 4, 2)]
    step = side_by_side.Optimizer(name, [w.clone() for w in weights], rates[:, None, None])
    lone = [[w[k].clone().requires_grad_() for w in weights] for k in range(2)]
    theirs = [
        torch.optim.Adam(own, lr=rate.item())
        if name == "adam"
        else torch.optim.SGD(own, lr=rate.item(), momentum=side_by_side.MOMENTUM)
        for own, rate in zip(lone, rates, strict=True)
    ]
    for _ in range(5):
        gradients = [torch.randn_like(w) for w in weights]
        step(gradients)
        for k, optimizer in enumerate(theirs):
            for w, g in zip(lone[k], gradients, strict=True):
                w.grad = g[k]
            optimizer.step()
    for i, w in enumerate(step.weights):
        np.testing.assert_allclose(w, np.stack([own[i].detach() for own in lone]), rtol=1e-5)


def test_what_cannot_stand_side_by_side_is_refused():
    lifs = [probe.make_neuron(reset, "area", 4) for reset in probe.RESETS]
    with pytest.raises(ValueError, match="differ in surrogate"):
        side_by_side.train(SMALL, lifs, [0.1], [0], [6])
    with pytest.raises(ValueError, match="optimizer"):
        side_by_side.train(SMALL, lifs[:1], [0.1], [0], [6], "rprop")
    for points in ([0, 6], [3, 3], [7]):
        with pytest.raises(ValueError, match="points"):
            side_by_side.train(SMALL, lifs[:1], [0.1], [0], points)


@pytest.fixture
def kernels(monkeypatch):
    """On a GPU, or in Triton's interpreter where there is none."""
    pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 and arm64")
    from tsbp_core.chapters.growth import kernels

    monkeypatch.setenv("TRITON_INTERPRET", "0" if torch.cuda.is_available() else "1")
    kernels.kernels.cache_clear()
    yield kernels
    kernels.kernels.cache_clear()


@pytest.mark.parametrize("reset", probe.RESETS)
def test_kernels_are_the_eager_neurons(kernels, reset):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = torch.Generator().manual_seed(0)
    lifs = [
        LIF(0.9, 0.7, reset, surrogates.Sigmoid(1 / k, unit=unit), rho)
        for rho in (1.0, 0.0)
        for unit, k in (("area", 10), ("peak", 25))
    ]
    x = 0.6 * torch.randn(8, 30, 5, 7, generator=generator) + 0.2
    g = torch.randn(8, 30, 5, 7, generator=generator)
    same = torch.randn(8, 1, 5, 7, generator=generator).expand_as(x)
    for credits in (g, same):
        leaf = x.to(device).requires_grad_()
        s = kernels.layer(lifs, 2, device)(leaf)
        (dx,) = torch.autograd.grad(s, leaf, credits.to(device))
        for k in range(8):
            own = x[k].clone().requires_grad_()
            expected = torch_lif.lif(own, lifs[k // 2], "eager")
            (slope,) = torch.autograd.grad(expected, own, credits[k])
            assert torch.equal(s[k].cpu(), expected)
            assert (dx[k].cpu() - slope).norm() < 1e-5 * slope.norm()


def test_training_with_the_kernels_is_the_same(kernels, monkeypatch):
    """On a GPU on it, else the kernels in Triton's interpreter in the place of the CPU's layer."""
    lifs = neurons(4, 10)
    task = manifolds.Task(**{**vars(SMALL), "updates": 3, "batch": 5, "test": 1, "validation": 1})
    here = side_by_side.train(task, lifs, [0.01, 0.05], [6, 7], [3])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        monkeypatch.setattr(side_by_side, "lif_layer", kernels.layer)
    there = side_by_side.train(task, lifs, [0.01, 0.05], [6, 7], [3], device=device)
    np.testing.assert_allclose(there["loss"], here["loss"], rtol=1e-4)
    assert (here["loss"][-1, :2] != here["loss"][-1, 2:]).mean() > 0.5  # a wrong rho would show


def test_the_plan_is_what_is_run():
    names = [cell.name for group, _ in plan.BLOCKS.values() for cell in group]
    assert len(set(names)) == len(names) - len(plan.MAIN) - len(plan.SHALLOW)
    looks = {name: len(plan.family(name)) for name in plan.FAMILIES}
    assert looks == {"verdict": 44, "near": 24, "momentum": 6}
    assert sum(cell.height <= 2.5 for cell in plan.MAIN) == 10
    assert sum(cell.height >= 6.25 for cell in plan.MAIN) == 4
    assert not set(plan.SEEDS) & set(plan.MORE_SEEDS)
    heights = {round(c.height, 6) for c in plan.MAIN if c.unit == "area"}
    assert heights == {1.0, 2.5, 3.5, 5.0, 6.25, 25.0}
    assert plan.UPDATES % plan.STRETCH == 0
    assert {150, 300, 600} <= set(plan.POINTS)
    cell = plan.Cell("area", 10, "zero", 1)
    assert cell.name in {name.rsplit("/", 1)[0] for name in growth.trained_conditions()}
    assert cell.lif(0.0) == probe.make_neuron("zero", "area", 10, 0.0)


def test_heights_near_the_bound_are_the_same_multiples_of_it():
    usual = [c for c in plan.MAIN if c.unit == "area" and 2 < c.height < 7]
    for reset in probe.RESETS:
        expected = sorted(c.multiple for c in usual if c.reset == reset)
        for decay, threshold in plan.NEAR:
            own = [
                c.multiple
                for c in plan.near_cells()
                if (c.reset, c.decay, c.threshold) == (reset, decay, threshold)
            ]
            np.testing.assert_allclose(sorted(own), expected)


@pytest.fixture
def tiny(monkeypatch):
    """A study of two blocks that trains in a moment."""
    monkeypatch.setattr(plan, "UPDATES", 4)
    monkeypatch.setattr(plan, "POINTS", (2, 4))
    monkeypatch.setattr(plan, "STRETCH", 2)
    monkeypatch.setattr(plan, "RATES", {(1, "adam"): (0.01, 0.1), (2, "adam"): (0.02, 0.1)})
    monkeypatch.setattr(
        plan, "TRAIN", {"train": 12, "validation": 4, "test": 5, "updates": 4, "hidden": 6}
    )
    pairs = (("area", 4), ("peak", 10))
    blocks = {
        "main": (plan.cells(pairs, depth=1, steps=10), (20, 21)),
        "long": (plan.cells(pairs[:1], depth=2, steps=10), (20,)),
    }
    monkeypatch.setattr(plan, "BLOCKS", blocks)


@pytest.mark.parametrize("every", [0.0, 1e6])
def test_a_run_that_was_cut_off_goes_on_to_the_same_result(tiny, tmp_path, monkeypatch, every):
    monkeypatch.setattr(converged, "EVERY", every)
    lines = []

    def cut(line):
        lines.append(line)
        held = len(converged.open_results(tmp_path / "cut")["cells"])
        assert held == (0 if every else (len(lines) + 1) // 2)
        if len(lines) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converged.run(tmp_path / "cut", blocks=("main", "long"), report=cut)
    assert [len(run["units"]) for run in converged.open_results(tmp_path / "cut")["runs"]] == [3]
    converged.run(tmp_path / "cut", blocks=("main", "long"), report=lines.append)
    again = converged.open_results(tmp_path / "cut")
    assert [len(run["units"]) for run in again["runs"]] == [3, 7] and len(lines) == 10
    whole = converged.run(tmp_path / "whole", blocks=("main", "long"), report=lambda line: None)
    assert again["cells"] == whole["cells"]
    assert {name: sorted(by_seed) for name, by_seed in whole["cells"].items()} == {
        cell.name: [str(seed) for seed in seeds]
        for group, seeds in plan.BLOCKS.values()
        for cell in group
    }
    kept = again["cells"]["area/slope=4/zero/depth=1/T=10"]["21"]
    assert np.shape(kept["test"]) == np.shape(kept["validation"]) == (2, 2, 2)
    assert np.shape(kept["loss"]) == (2, 2, 2)


def test_together_or_alone_a_cell_gets_its_own_numbers(tiny):
    """A unit of all cells gives each cell and seed what it would have had alone."""
    (_, group, seeds), *_ = converged.units(["main"], {}, together=True)
    assert len(group) == 2 and seeds == [20, 21]
    together = converged.train(group, seeds, "cpu")
    numbers = []
    for cell in group:
        for seed in seeds:
            alone = converged.train([cell], [seed], "cpu")[cell.name][str(seed)]
            ours = together[cell.name][str(seed)]
            assert ours["test"] == alone["test"] and ours["validation"] == alone["validation"]
            np.testing.assert_allclose(ours["loss"], alone["loss"], atol=2e-3)
            numbers.append(alone["loss"])
    assert len(np.unique(np.reshape(numbers, (-1, 2)), axis=0)) == 2 * 2 * 2 * 2


def test_time_that_is_not_there_is_not_spent(tiny, tmp_path):
    lines = []
    found = converged.run(tmp_path, blocks=("main", "long"), seconds=0.0, report=lines.append)
    assert found == {"cells": {}, "runs": []}
    assert len(lines) == 1 and "passed over 10 units" in lines[0]
    assert not list(tmp_path.iterdir())


def test_results_of_other_settings_are_not_mixed_in(tiny, tmp_path, monkeypatch):
    converged.run(tmp_path, blocks=("long",), report=lambda line: None)
    monkeypatch.setattr(plan, "STRETCH", 4)
    with pytest.raises(SystemExit, match="other settings"):
        converged.main(["--out", str(tmp_path)])


def test_the_digest_covers_the_kernels_of_every_device():
    """Of a GPU too, which are not imported here."""
    made_by = converged.machine(torch.device("cpu"))
    assert made_by["device"] == "CPU"
    for name in ("kernels", "triton_lif", "function_lif", "inductor_lif", "block_lif"):
        without = [source for source in converged._CODE if f"{name}.py" not in str(source)]
        assert len(without) == len(converged._CODE) - 1
        assert results.code_digest(without) != made_by["code"]


def test_a_device_is_known_before_anything_is_made(tmp_path, capsys):
    with pytest.raises(SystemExit):
        converged.main(["--device", "gpu", "--out", str(tmp_path / "none")])
    assert "invalid choice: 'gpu'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def make_record(validation, test, loss=None):
    """From ends [rho, rate, seed]: curves that are there from the first update."""
    curves = {
        "validation": np.repeat(np.asarray(validation, float)[..., None], POINTS, axis=-1),
        "test": np.repeat(np.asarray(test, float)[..., None], POINTS, axis=-1),
    }
    shape = curves["test"].shape[:-1]
    return {**curves, "loss": np.full((*shape, 8), 0.5) if loss is None else loss}


def test_the_test_part_chooses_no_rate():
    validation = [[[80, 80], [70, 70]], [[60, 60], [75, 75]]]
    test = [[[50, 52], [99, 99]], [[99, 99], [40, 44]]]
    ends, rates = verdicts.at_own_best(make_record(validation, test), verdicts.end)
    assert rates.tolist() == [0, 1]
    assert ends.tolist() == [[50, 52], [40, 44]]
    early = verdicts.stopped_early(make_record(validation, test))
    assert early.tolist() == [[50, 52], [40, 44]]
    gain = verdicts.paired_interval(ends)
    assert gain[0] == 9 and gain[1] < 9 < gain[2]


def test_early_stopping_takes_the_test_of_its_best_validation():
    record = make_record([[[50, 50]], [[50, 50]]], [[[60, 62]], [[50, 50]]])
    record["validation"][0, 0, :, 3] = 90
    record["test"][0, 0, :, 3] = [70, 71]
    record["test"][0, 0, :, 5] = 100
    assert verdicts.stopped_early(record)[0].tolist() == [70, 71]


def test_curves_are_those_of_each_methods_best_rate():
    validation = [[[80, 80], [70, 70]], [[60, 60], [75, 75]]]
    test = [[[50, 52], [99, 99]], [[99, 99], [40, 44]]]
    by_rho = verdicts.curves(make_record(validation, test))
    assert by_rho[1.0].shape == (3, POINTS)
    assert by_rho[1.0][0, 0] == 51 and by_rho[0.0][0, -1] == 42
    np.testing.assert_allclose(by_rho[0.0][2] - 42, 12.7062 * 2, rtol=1e-4)
    np.testing.assert_allclose(42 - by_rho[0.0][1], 12.7062 * 2, rtol=1e-4)
    figure = figures.learning_curves({"a": by_rho, "b": by_rho, "c": by_rho}, plan.POINTS)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == ["a", "b", "c"]
    for ax in figure.axes[:3]:
        complete, dropped = ax.lines
        assert (complete.get_linestyle(), dropped.get_linestyle()) == ("-", "--")
        np.testing.assert_allclose(complete.get_xdata(), plan.POINTS)
        np.testing.assert_allclose(complete.get_ydata(), 51)
    assert not figure.axes[3].axison
    plt.close(figure)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-1.9, 1.9, "equal"),
        (0.5, 1.9, "equal"),
        (0.5, 2.0, "help"),
        (3.0, 9.0, "help"),
        (-9.0, -0.1, "harm"),
        (-2.0, 1.0, "open"),
        (0.0, 3.0, "open"),
        (float("nan"), float("nan"), "open"),
    ],
)
def test_verdicts_at_their_edges(low, high, expected):
    assert verdicts.judge(low, high, 2.0) == expected


def test_intervals_are_students_and_widen_with_the_looks():
    pair = np.array([[3.0, 5.0, 4.0, 8.0], [1.0, 2.0, 3.0, 4.0]])
    mean, low, high = verdicts.paired_interval(pair)
    assert mean == 2.5
    half = 3.1824463 * np.std([2, 3, 1, 4], ddof=1) / 2  # t quantile 0.975, 3 degrees of freedom
    np.testing.assert_allclose([low, high], [2.5 - half, 2.5 + half])
    wider = verdicts.paired_interval(pair, looks=5)
    np.testing.assert_allclose(wider[2] - 2.5, half * 5.8409093 / 3.1824463)  # 0.995


def test_updates_to_a_target():
    points = plan.POINTS
    row = np.full(POINTS, 50.0)
    row[0], row[1], row[4:] = 20.0, 40.0, 80.0
    never, at_once = np.full(POINTS, 30.0), np.full(POINTS, 90.0)
    found = verdicts.updates_to(np.stack([row, never, at_once]), 45.0)
    np.testing.assert_allclose(found[0], (points[1] + points[2]) / 2)
    assert np.isinf(found[1])
    np.testing.assert_allclose(found[2], points[0] * 35 / 80)
    np.testing.assert_allclose(verdicts.updates_to(row, 80.0), points[4])
    assert verdicts.updates_to(row, 5.0) == 0.0


def ramp(start):
    """Accuracy from 10 to 90 %, linear over ``start`` updates."""
    return np.minimum(90.0, 10 + 80 * np.array(plan.POINTS) / start)


def test_speed_compares_times_to_one_target():
    curves = np.stack([[ramp(500), ramp(600)], [ramp(1000), ramp(1200)]])[:, None]
    record = {"validation": curves, "test": curves}
    found = verdicts.speed(record, looks=1)
    np.testing.assert_allclose(found["target"], 82.0)
    np.testing.assert_allclose(found["updates"], 0.9 * np.sqrt([500 * 600, 1000 * 1200]), rtol=1e-6)
    np.testing.assert_allclose(found["ratio"], 0.5, rtol=1e-6)
    assert found["verdict"] == "faster" and found["never"].tolist() == [0, 0]
    turned = {key: values[::-1] for key, values in record.items()}
    assert verdicts.speed(turned, looks=1)["verdict"] == "slower"
    stuck = curves.copy()
    stuck[1, 0, 1] = 50.0
    found = verdicts.speed({"validation": curves, "test": stuck}, looks=1)
    np.testing.assert_allclose(found["target"], 10 + 0.9 * 60)
    assert found["never"].tolist() == [0, 1]
    np.testing.assert_allclose(found["updates"][1], np.sqrt(0.675 * 1000 * plan.UPDATES), rtol=1e-6)
    hopeless = {"validation": stuck[:, :, 1:].repeat(2, axis=2), "test": curves}
    assert verdicts.speed(hopeless, looks=1)["rates"] == [0, 0]


def test_average_accuracy_starts_from_chance():
    np.testing.assert_allclose(
        verdicts.average(np.full(POINTS, 90.0)), 90 - 80 * 12.5 / plan.UPDATES
    )


def test_flat_is_said_of_both_methods_and_of_the_mean():
    loss = np.full((2, 1, 3, 8), 0.5)
    record = make_record(np.full((2, 1, 3), 50), np.full((2, 1, 3), 50), loss)
    assert verdicts.flat(record, [0, 0])
    loss[1, 0, :, -1] = 0.47
    assert not verdicts.flat(record, [0, 0])
    loss[1, 0, :, -1] = 0.48
    assert verdicts.flat(record, [0, 0])
    loss[..., -2:] = 0.019, 0.0
    assert verdicts.flat(record, [0, 0])


def saved(ends):
    """What a results file holds of a cell, from ends by rho, equal at all rates."""
    rates = 7
    return {
        str(seed): {
            part: np.rint([[[10 * (end + 0.1 * seed)] * POINTS] * rates for end in ends]).tolist()
            for part in ("validation", "test")
        }
        | {"loss": [[[0.1] * 8] * rates] * 2}
        for seed in range(10, 14)
    }


def test_a_cell_is_summed_up():
    cell = plan.MAIN[0]
    found = {cell.name: saved((70, 60))}
    (summary,) = verdicts.summaries(found, "verdict").values()
    assert summary["verdict"] == "help" and summary["flat"] and summary["seeds"] == 4
    np.testing.assert_allclose(summary["gain"], 10.0, atol=1e-6)
    np.testing.assert_allclose(summary["at"][150], 10.0, atol=1e-6)
    assert summary["edge"] == [True, True] and summary["rates"] == [cell.rates[0]] * 2
    assert len(summary["by_rate"]) == 7
    assert report.count({cell.name: summary}, [cell]) == {"help": 1}
    speeds = report.count({cell.name: summary}, [cell], "speed")
    assert speeds == {summary["speed"]["verdict"]: 1}


def judged(**changed):
    """Summaries with verdicts: ends equal and speed faster but for the cells that a test names."""
    found = {}
    for cell in plan.family("verdict"):
        ends = "harm" if cell.height >= 6 else "equal"
        found[cell.name] = {"verdict": ends, "speed": {"verdict": "faster"}}
    return found


def test_the_rules_are_read_off_the_verdicts():
    by_name = judged()
    expected = {
        "keep, in the end": "refuted",
        "keep, for speed": "stands",
        "drop": "stands",
        "bound": "stands",
    }
    assert verdicts.rules(by_name) == expected
    low = [cell for cell in plan.MAIN if cell.height <= 2.5]
    for cell in low[:5]:
        by_name[cell.name]["verdict"] = "help"
    assert verdicts.rules(by_name)["keep, in the end"] == "stands"
    elsewhere = next(cell for cell in plan.SHALLOW if cell.multiple <= 1)
    by_name[elsewhere.name]["verdict"] = "harm"
    assert verdicts.rules(by_name)["keep, in the end"] == "refuted"
    assert verdicts.rules(by_name)["bound"] == "refuted"
    for cell in low:
        by_name[cell.name]["verdict"] = "open"
    assert verdicts.rules(by_name)["keep, in the end"] == "undecided"
    tall = next(cell for cell in plan.MAIN if cell.height > 6)
    by_name[tall.name]["verdict"] = "open"
    assert verdicts.rules(by_name)["drop"] == "undecided"
    by_name[tall.name]["verdict"] = "equal"
    assert verdicts.rules(by_name)["drop"] == "refuted"
    del by_name[tall.name]
    assert verdicts.rules(by_name) is None


def gain_of(cell):
    """A summary with a gain that tells the cell."""
    mean = 100 * cell.height + 10 * cell.decay + cell.threshold + (cell.reset == "zero")
    return {"gain": (mean, mean - 1, mean + 2)}


def test_gains_are_drawn_where_their_cells_stand():
    cells = (*plan.MAIN, *plan.SHALLOW, *plan.family("near"))
    by_name = {cell.name: gain_of(cell) for cell in cells}
    by_shape = report.by_shape(by_name, plan.MAIN)
    assert [*by_shape] == ["soft reset", "hard reset"] and len(by_shape["hard reset"]) == 9
    figure = figures.gains({"a": by_shape, "b": by_shape})
    ax = figure.axes[0]
    drawn = {
        round(line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() == "s" and len(line.get_ydata())
    }
    expected = {round(gain_of(c)["gain"][0]) for c in plan.MAIN if c.reset == "zero"}
    assert expected <= drawn
    plt.close(figure)
    by_reset = report.by_multiple(by_name)
    assert [*by_reset] == ["subtract", "zero"]
    assert [len(by_multiple) for by_multiple in by_reset["zero"].values()] == [6, 4, 4, 4]
    figure = figures.gains_by_multiple(by_reset)
    for ax, reset in zip(figure.axes, by_reset, strict=True):
        marks = [line for line in ax.lines if line.get_label().startswith("λ")]
        assert [line.get_label() for line in marks] == [*by_reset[reset]]
        for line, by_multiple in zip(marks, by_reset[reset].values(), strict=True):
            for x, y in zip(*line.get_data(), strict=True):
                near = min(by_multiple, key=lambda m: abs(np.log(m / x)))
                assert near < 7 and y == by_multiple[near][0]
    plt.close(figure)


def test_the_committed_study_is_whole_and_judged_by_the_plan():
    found = verdicts.load()
    for group, seeds in plan.BLOCKS.values():
        assert all(str(seed) in found[cell.name] for cell in group for seed in seeds)
    rules = verdicts.rules(verdicts.summaries(found, "verdict"))
    assert rules == {
        "keep, in the end": "undecided",
        "keep, for speed": "undecided",
        "drop": "stands",
        "bound": "stands",
    }


def test_what_chapter_10_says_in_words_is_so():
    """Where the text names a cell, it is that one; numbers are in ``phrases``."""
    found = verdicts.load()
    ends, near, momentum = (verdicts.summaries(found, family) for family in plan.FAMILIES)
    verdict = {name: summary["verdict"] for name, summary in {**ends, **near, **momentum}.items()}
    speed = {name: summary["speed"]["verdict"] for name, summary in ends.items()}
    by_verdict = {
        word: [cell for cell in report.LOW if verdict[cell.name] == word]
        for word in ("help", "harm")
    }
    assert by_verdict["help"] == [plan.Cell("peak", 10, "zero")]
    assert by_verdict["harm"] == [plan.Cell("area", 10, "subtract")]
    long = [cell for cell in plan.BLOCKS["long"][0] if cell.height <= 2.5]
    helped = plan.Cell("area", 10, "zero", steps=200)
    assert all(verdict[c.name] == ("help" if c == helped else "open") for c in long)
    for cell in plan.SHALLOW:
        assert (verdict[cell.name] == "harm") == (cell.height == 25)
        assert (speed[cell.name] == "slower") == (cell.height > 6)
    hard_half = [c for c in plan.family("near") if c.decay == 0.5 and c.reset == "zero"]
    assert all(verdict[cell.name] == "open" for cell in hard_half)
    for cell in plan.family("momentum"):
        harmed = cell.reset == "subtract" or cell.height > 6
        assert verdict[cell.name] == ("harm" if harmed else "open")
    said = report.phrases(ends, near, momentum)
    assert said["hard-clear"] == "2.25" and said["hard-harm"] == "3.15"
    assert said["soft-first"] == "1.18" and said["soft-all"] == "2.37"
    tall = momentum[plan.Cell("area", 25, "subtract", optimizer="sgd").name]
    assert tall["edge"] == [True, False] and said["momentum-edge"] == "0.0005"
    assert not ends[helped.name]["flat"]
    assert said["tall-unfinished"] == said["low-unfinished"] == "3"
    assert sum(not ends[cell.name]["flat"] for cell in report.LOW) == 3
    assert (said["open-gain"], said["open-loss"]) == ("5", "2")
    assert said["long-soft"].startswith("-3.79 [") and said["long-help"].startswith("+3.84 [")
    assert said["shallow-slower"] == "1.15 to 1.27"
    assert said["low-slower"] == said["early-harm"] == said["momentum-faster"] == "0"


def test_unfinished_cells_are_counted_apart():
    low, tall = ({"verdict": "equal", "gain": (0, -1, 1), "flat": flat} for flat in (False, True))
    said = report.phrases_of_uncertainty([low, low], [tall])
    assert (said["low-unfinished"], said["tall-unfinished"]) == (2, 0)


def test_a_low_surrogate_with_the_term_is_compared_with_a_tall_one_without():
    """The tall cell ends at 70 with the term and 80 without, the low ones at 85 or 90 and at 60."""

    def by_seed(with_term, without, seed):
        curves = [[[10 * end + seed] * len(plan.POINTS)] * 7 for end in (with_term, without)]
        return {"validation": curves, "test": curves, "loss": [[[1.0, 1.0]] * 7] * 2}

    cells = {}
    for reset in ("zero", "subtract"):
        wide = 90 if reset == "zero" else 95
        for shape, ends in {("area", 25): (70, 80), ("area", 4): (wide, 60)}.items():
            for seed in range(3):
                made = cells.setdefault(plan.Cell(*shape, reset).name, {})
                made[str(seed)] = by_seed(*ends, seed)
        cells[plan.Cell("peak", 25, reset).name] = {s: by_seed(85, 60, int(s)) for s in "012"}
    said = report.phrases_of_width(cells)
    assert said["wider-hard"] == "+10.00 [+10.00, +10.00]"
    assert said["wider-soft"] == "+15.00 [+15.00, +15.00]"
    assert said["narrow-hard"] == said["narrow-soft"] == "+5.00 [+5.00, +5.00]"
    low = cells[plan.Cell("area", 4, "zero").name]
    for seed, by_method in low.items():
        for part in ("validation", "test"):
            ends = [[10 * (90 + int(seed))] * len(plan.POINTS)] * 7
            by_method[part] = [ends, by_method[part][1]]
    paired = np.array([10, 10.9, 11.8])  # the tall ones end at 80, 80.1 and 80.2
    expected = paired.mean(), *t_interval(paired, 1 - 0.05 / 4)
    assert report.phrases_of_width(cells)["wider-hard"] == interval_text(*expected)
    committed = report.phrases_of_width(verdicts.load())
    assert min(float(committed[f"wider-{kind}"].split()[0]) for kind in ("soft", "hard")) > 4
    assert max(float(committed[f"narrow-{kind}"].split()[0]) for kind in ("soft", "hard")) < 2
