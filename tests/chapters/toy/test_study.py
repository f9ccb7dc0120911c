import json
from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import outcomes, plan
from tsbp_core.chapters.toy import study as toy_study
from tsbp_core.chapters.toy import unit as toy_unit
from tsbp_core.lab import results

SMALL = toy.Settings(steps=20, inputs=10, updates=25)


def small_units(seeds=4, size=2):
    units = [
        toy_unit.Unit(f"small/adam/rho={rho:g}", replace(toy.NEURON, reset_gradient=rho), SMALL)
        for rho in (1.0, 0.0)
    ]
    return plan._chunks(seeds, units, size)


def test_one_process_many_and_dask_give_the_same_numbers(tmp_path):
    from dask.distributed import LocalCluster

    units = small_units()
    alone = toy_study.run_study(units, tmp_path / "a", quiet=True)
    cores = toy_study.run_study(units, tmp_path / "b", jobs=2, quiet=True)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:
        dask = toy_study.run_study(
            units, tmp_path / "c", scheduler=cluster.scheduler_address, quiet=True
        )
    assert alone == cores == dask


def test_a_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    units = small_units()
    whole = toy_study.run_study(units, tmp_path / "whole", quiet=True)
    original, ran = toy_unit.run_unit, []

    def cut_off(unit):
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(unit)
        return original(unit)

    monkeypatch.setattr(toy_unit, "run_unit", cut_off)
    with pytest.raises(KeyboardInterrupt):
        toy_study.run_study(units, tmp_path / "cut", quiet=True)
    ran.clear()
    assert toy_study.run_study(units, tmp_path / "cut", quiet=True) == whole
    assert ran == units[2:]


def test_units_of_other_code_or_settings_are_not_used_again(monkeypatch):
    one, two = small_units()[:2]
    keys = {toy_study._key(unit) for unit in (one, two, replace(one, optimizer="sgd"))}
    monkeypatch.setattr(toy_study, "_CODE", toy_study._CODE[1:])
    assert toy_study._key(one) not in keys
    assert len(keys) == 3


def test_seeds_are_joined_in_order(tmp_path):
    parts = toy_study.run_study(small_units(size=2), tmp_path / "a", quiet=True)
    whole = toy_study.run_study(small_units(size=4), tmp_path / "b", quiet=True)
    assert parts.keys() == whole.keys()
    for name, found in whole.items():
        assert len(found["initial"]) == 4
        assert parts[name]["initial"] == found["initial"]
        np.testing.assert_allclose(parts[name]["final"], found["final"], rtol=1e-3)


def test_diverged_runs_keep_their_seeds(tmp_path, monkeypatch):
    units = plan._chunks(3, [toy_unit.Unit("u", toy.NEURON)], 2)
    assert [(u.start, u.stop) for u in units] == [(0, 2), (2, 3)]
    monkeypatch.setattr(toy_unit, "run_unit", lambda unit: {"diverged": [[0, 7]]})
    found = toy_study.run_study(units, tmp_path, quiet=True)
    assert found == {"u": {"diverged": [[0, 7], [2, 7]]}}


def test_command_line_writes_results(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "PROJECT", tmp_path)
    small = replace(plan.STUDIES["main"], units=small_units)
    monkeypatch.setitem(plan.STUDIES, "main", small)
    toy_study.main(["main", "--seeds", "2"])
    document = json.loads((tmp_path / "toy.json").read_text())
    assert np.shape(document["results"]["small/adam/rho=1"]["final"]) == (2, 41)
    assert document["settings"]["conditions"]["small/adam/rho=0"]["task"]["steps"] == 20
    with pytest.raises(SystemExit):
        toy_study.main(["main", "--seeds", "1"])


@pytest.mark.parametrize("study", plan.STUDIES)
def test_committed_results_match_the_code(study):
    """Part of a unit, afresh. Another machine rounds otherwise and single runs are chaotic."""
    made = results.load(plan.STUDIES[study].file)
    units = plan.STUDIES[study].units(made["settings"]["seeds"])
    assert set(made["results"]) == {unit.name for unit in units}
    assert len(outcomes.load(study)) == len(made["results"])
    unit = replace(units[0], start=0, stop=20, probe=False)
    assert made["settings"]["conditions"][unit.name]["neuron"] == repr(unit.lif)
    fresh, committed = toy_unit.run_unit(unit), made["results"][unit.name]
    assert fresh["initial"] == committed["initial"][:20]
    kept = {key: committed[key][:20] for key in committed if key not in ("diverged", "along")}
    width, expected = (outcomes.per_seed(found)["width"].mean() for found in (fresh, kept))
    assert width == pytest.approx(expected, abs=0.15)
