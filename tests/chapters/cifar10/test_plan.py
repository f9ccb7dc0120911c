from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import network, outcomes, plan


def name_of(run, factor):
    s = run.settings
    return f"{factor}-{s.optimizer}-lr{s.lr:g}-rho{s.reset_gradient:g}"


@pytest.mark.parametrize("study", sorted({*plan.STUDIES} - {"ablation", "swap", "best"}))
def test_studies_are_paired(study):
    runs = plan.STUDIES[study]()
    assert len({run.record(study) for run in runs}) == len(runs)
    pairs = {}
    for run in runs:
        rest = replace(run.settings, reset_gradient=0.0), run.seed
        pairs.setdefault(rest, set()).add(run.settings.reset_gradient)
    assert all(rhos == {1.0, 0.0} for rhos in pairs.values())


def test_swapped_lengths_complete_the_grid():
    """Both directions x both lengths at each rate and seed."""
    runs = plan.swap()
    plain = {(run.settings, run.seed) for run in plan.grid(at=plan.MIDDLE)}
    assert len({run.record("swap") for run in runs}) == len(runs) == 2 * 2 * 3 * 5
    own = {(run.settings, run.seed) for run in runs if run.settings.length_of is None}
    assert own < plain
    swapped = {
        (replace(r.settings, length_of=None), r.seed)
        for r in runs
        if r.settings.length_of is not None
    }
    assert own == swapped
    for run in runs:
        assert run.settings.optimizer == "adamw"
        assert run.settings.length_of in (None, 1 - run.settings.reset_gradient)


def test_tuning_sees_neither_test_images_nor_the_seeds_of_others():
    runs = plan.tuning()
    assert len(runs) == 2 * 2 * (5 + 4)
    assert {run.seed for run in runs} == {100, 101}
    for run in runs:
        assert run.settings.held_out == 5000
        assert run.settings.epochs == 10
        assert run.settings.lr in plan.RATES[run.settings.optimizer]


def test_own_rates_are_those_that_tuning_chose():
    """None of them at an edge of the sweep."""
    found = outcomes.collect("tuning")
    assert len(found) == len(plan.tuning())
    assert outcomes.tuned_rates(found) == plan.OWN_RATES
    for (optimizer, _), own in plan.OWN_RATES.items():
        assert plan.TUNING_RATES[optimizer][0] < own < plan.TUNING_RATES[optimizer][-1]


def test_each_method_runs_at_its_own_rate():
    runs = plan.best()
    assert len({run.record("best") for run in runs}) == len(runs) == 2 * 2 * 10
    for run in runs:
        s = run.settings
        assert s.lr == plan.OWN_RATES[s.optimizer, s.reset_gradient]
        assert (s.epochs, s.held_out) == (10, 0)
    assert not {run.seed for run in runs} & {run.seed for run in plan.tuning()}


def test_grid_is_long_enough():
    assert len(plan.grid()) == 2 * 2 * 7 * 5
    for rates in plan.RATES.values():
        assert len(rates) >= 7
        assert rates[-1] / rates[0] >= 10**2.5
        assert np.ptp(np.diff(np.log10(rates))) < 0.1


def test_factors_change_one_thing_at_the_middle_rate():
    runs = plan.one_change(1)
    plain = {run.settings for run in plan.grid(1) if run.settings.lr == 1e-2}
    for run in runs:
        changes = [c for name, c in plan.CHANGES.items() if run.name == name_of(run, name)]
        undone = {key: getattr(plan.COMPACT, key) for key in changes[0]}
        assert len(changes) == 1
        assert undone != changes[0]
        assert replace(run.settings, **undone) in plain
    for name, change in plan.CHANGES.items():
        peak = replace(plan.COMPACT, **change).neuron().surrogate.derivative(np.zeros(1))
        if name.startswith("peak"):
            assert peak == pytest.approx(float(name.split("-")[1]))


def test_ablation_undoes_one_thing_at_a_time():
    whole, *others = plan.ablation(1)
    assert whole.settings == plan.SHORT
    assert len({run.settings for run in others} - {whole.settings}) == len(others)
    for run in others:
        changes = plan.ABLATION[run.name]
        undone = {key: getattr(plan.SHORT, key) for key in changes}
        assert replace(run.settings, **undone) == whole.settings
        assert all(getattr(run.settings, key) != value for key, value in undone.items())
        network.SpikingNet(run.settings.network, 1, run.settings.neuron())
