from dataclasses import asdict

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.lab import results


def test_final_accuracy_is_of_held_out_images_where_there_are_some():
    held_out = {"epochs": [{}, {"held_out": {"accuracy": 0.5}}], "test": None, "diverged": False}
    tested = {"epochs": [{}], "test": {"accuracy": 0.25}, "diverged": False}
    lost = {"epochs": [], "test": None, "diverged": True}
    found = [outcomes.accuracy({"results": run}) for run in (held_out, tested, lost)]
    assert found == [50, 25, 10]


def test_table_places_runs_and_counts_divergence_as_chance():
    runs = [run for run in plan.grid(2) if run.settings.optimizer == "sgd"]
    diverged = runs[4]
    found = {
        run: {"results": {"test": {"accuracy": run.settings.lr / 10 + run.seed / 1000}}}
        for run in runs
    }
    found[diverged] = {"results": {"test": None, "diverged": True}}
    tables = outcomes.by_rate(found, "sgd")
    rates = plan.RATES["sgd"]
    for run in runs:
        value = tables[run.settings.reset_gradient][run.seed, rates.index(run.settings.lr)]
        if run is diverged:
            assert value == outcomes.CHANCE
        else:
            assert value == pytest.approx(10 * run.settings.lr + run.seed / 10)


def test_rates_are_tuned_on_held_out_images_and_the_loss_breaks_a_tie():
    """The second and third rate reach the same, with 0.1 added and taken away by seed."""

    def found(run):
        s = run.settings
        at = plan.TUNING_RATES[s.optimizer].index(s.lr)
        reached = 0.8 - 0.05 * (at not in (1, 2)) + 0.1 * (at - 1.5) * (run.seed - 100.5)
        loss = at if s.reset_gradient else -at
        epoch = {"train_loss": loss, "held_out": {"accuracy": reached}}
        return {"results": {"test": None, "diverged": False, "epochs": [epoch]}}

    rates = outcomes.tuned_rates({run: found(run) for run in plan.tuning()})
    assert rates == {
        ("adamw", 1.0): 3e-3,
        ("adamw", 0.0): 1e-2,
        ("sgd", 1.0): 1e-1,
        ("sgd", 0.0): 3e-1,
    }


def test_only_seeds_of_which_all_runs_are_there_are_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    runs = plan.smoke(3)
    for run in runs:
        if (run.seed, run.settings.reset_gradient) != (1, 0.0):
            results.save(run.record("smoke"), command="", settings={}, results={}, wall_time_s=0)
    assert {run.seed for run in outcomes.collect("smoke", runs)} == {0, 2}
    with pytest.raises(FileNotFoundError, match="make cifar10 STUDY=larger"):
        outcomes.collect("larger")


def test_robust_width_of_cases_done_by_hand():
    rates = (1e-3, 1e-2, 1e-1)
    tables = {1.0: np.array([[60.0, 60.0, 50.0]]), 0.0: np.array([[50.0, 56.0, 10.0]])}
    width = outcomes.robust_width(tables, rates, near=5.0)
    assert width[1.0] == pytest.approx([1.5], abs=0.01)  # to half-way between 60 and 50
    assert width[0.0] == pytest.approx([1 / 6 + 1 / 46], abs=0.01)  # either side of 56


def test_shift_finds_how_far_a_curve_was_moved(rng):
    rates = np.logspace(-3, 0, 7)
    x = np.log10(rates)
    tables = {
        rho: np.array([70 - 10 * (x + 1.5 - moved) ** 2 for moved in (m * rho for m in (0, 0.5))])
        for rho in (1.0, 0.0)
    }
    assert outcomes.shift(tables, rates) == pytest.approx([0, 0.5], abs=0.01)


def test_pairs_keep_seeds_in_order():
    runs = plan.one_change(2)
    found = {run: {"results": {"test": {"accuracy": run.seed / 100}}} for run in runs}
    tables = outcomes.pairs(found)
    assert len(tables) == len(plan.CHANGES)
    assert tables["8-steps-adamw-lr0.01"] == {1.0: [0, 1], 0.0: [0, 1]}


def test_outcomes_of_factors_go_by_what_was_changed():
    found = {run: asdict(run.settings) for run in plan.one_change(2)}
    changed = outcomes.by_change(found, lambda settings: settings)
    for name, change in plan.CHANGES.items():
        for rho in plan.RHOS:
            for settings in changed[name][rho]:
                assert settings["reset_gradient"] == rho
                assert change.items() <= settings.items()


def test_first_layer_has_the_start_and_the_end():
    probes = [{"ratio": [r, 9.0], "cosine": [r / 10, 0.9]} for r in (1.0, 2.0, 4.0)]
    found = outcomes.first_layer({"results": {"probes": probes}})
    assert found == {"ratio": [1.0, 4.0], "cosine": [0.1, 0.4]}


def test_probes_are_means_over_seeds_that_did_not_diverge():
    runs = [run for run in plan.grid(3) if run.settings.optimizer == "sgd"]
    found = {
        run: {
            "results": {
                "diverged": False,
                "probes": [
                    {"update": u, "ratio": [run.seed, 0.5], "cosine": [u, run.settings.lr]}
                    for u in (0, 3)
                ],
            }
        }
        if run.seed < 2
        else {"results": {"diverged": True, "probes": [], "test": None}}
        for run in runs
    }
    means = outcomes.probes(found, "sgd", 0.1, 1.0)
    assert means["update"] == [0, 3]
    assert means["ratio"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert means["cosine"].tolist() == [[0, 0.1], [3, 0.1]]


def test_own_best_is_chosen_by_the_training_loss():
    accuracy = {1.0: np.array([[1.0, 2.0, 3.0]]), 0.0: np.array([[4.0, 5.0, 6.0]])}
    loss = {1.0: np.array([[0.1, 0.2, np.inf]]), 0.0: np.array([[0.3, 0.2, 0.4]])}
    best = outcomes.own_best(accuracy, loss)
    assert best == {1.0: [1.0], 0.0: [5.0]}


def test_effects_of_direction_and_of_length_are_told_apart():
    """Direction costs 4, length gains 1; seeds and rates differ."""
    runs = plan.swap(2)
    found = {}
    for run in runs:
        direction = run.settings.reset_gradient
        length = 1 - direction if run.settings.length_of is not None else direction
        value = 50 - 4 * direction + length + run.seed + 100 * run.settings.lr
        found[run] = {"results": {"test": {"accuracy": value / 100}}}
    cells = outcomes.by_direction_and_length(found)
    rates = 100 * np.mean(plan.RATES["adamw"][plan.MIDDLE])
    assert cells[1.0, 0.0] == pytest.approx([46 + rates, 47 + rates])
    assert cells[0.0, 1.0] == pytest.approx([51 + rates, 52 + rates])
    effects = outcomes.swap_effects(cells)
    assert [outcomes.gain(effects[part])[0] for part in ("direction", "length")] == pytest.approx(
        [-4, 1]
    )
    assert effects["direction"][0.0] == pytest.approx([50.5 + rates, 51.5 + rates])
