import json
from dataclasses import replace

import numpy as np
import pytest

from tsbp_core import LIF
from tsbp_core.chapters.toy import conditions as toy_unit
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import study as toy_study
from tsbp_core.lab import results

SMALL = toy.Settings(steps=20, inputs=10, updates=25)


def small_units(seeds=4, size=2):
    units = [
        toy_unit.Unit(f"small/adam/rho={rho:g}", replace(toy.NEURON, reset_gradient=rho), SMALL)
        for rho in (1.0, 0.0)
    ]
    return toy_study._chunks(seeds, units, size)


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
    units = toy_study._chunks(3, [toy_unit.Unit("u", toy.NEURON)], 2)
    assert [(u.start, u.stop) for u in units] == [(0, 2), (2, 3)]
    monkeypatch.setattr(toy_unit, "run_unit", lambda unit: {"diverged": [[0, 7]]})
    found = toy_study.run_study(units, tmp_path, quiet=True)
    assert found == {"u": {"diverged": [[0, 7], [2, 7]]}}


def test_the_units_are_those_that_were_announced():
    main = toy_study.units_main()
    assert len({u.name for u in main}) == 3 * 2 * 3 + 2 * 3 * 2
    assert sum(u.stop - u.start for u in main) == 100 * len({u.name for u in main})
    mapped = toy_study.units_map()
    assert len({replace(u, name="") for u in mapped}) == len(mapped), "a condition is there twice"
    assert toy_study.units_map()[0].lif == toy.NEURON
    labels = {u.name.split("/")[0] for u in mapped}
    assert {"default=", "T=25", "T=400", "N=20", "N=400", "unit=peak", "reset=subtract"} <= labels
    areas = {
        label: change["surrogate"].peak_area
        for label, (change, _) in toy_study.factors()["surrogate"].items()
    }
    assert all(area == pytest.approx(0.8) for area in areas.values())
    why = toy_study.units_why(6)
    assert all((u.start, u.stop) == (0, 6) for u in why)
    assert sum(u.length_of is None for u in why) == sum(u.probe for u in why) == len(why) / 2


def test_step_factors_are_what_backward_multiplies_by():
    from tsbp_core import numpy_lif

    x = np.random.default_rng(0).normal(0.4, 0.8, (30, 3))
    for reset in ("zero", "subtract", "none"):
        lif = LIF(reset=reset, reset_gradient=0.7)
        run = numpy_lif.forward(x, lif)
        g = np.zeros_like(x)
        g[-1] = 1.0
        delta = numpy_lif.backward(g, run, lif)
        factors = toy_unit.step_factors(run, lif)
        expected = delta[-1] * np.cumprod(factors[::-1], axis=0)[::-1]
        np.testing.assert_allclose(delta[:-1], expected)
        found = toy_unit.products(run, lif)[3]["size"]
        triples = np.abs(factors[:-2] * factors[1:-1] * factors[2:])
        np.testing.assert_allclose(found, np.quantile(triples, toy_unit.QUANTILES), rtol=1e-3)


def unit_result(final):
    final = np.array(final, float)
    return {
        "initial": np.ones(len(final)).tolist(),
        "silent": np.full(len(final), 0.4).tolist(),
        "final": final.tolist(),
        "van_rossum": (2 * final).tolist(),
        "count_error": np.arange(final.size).reshape(final.shape).tolist(),
    }


def test_outcomes_of_each_seed():
    final = np.ones((2, len(toy_study.RATES)))
    final[0, 10:18] = 0.1
    final[1, 12] = 0.05
    found = toy_study.per_seed(unit_result(final))
    np.testing.assert_allclose(found["width"], [1.0, 0.125])
    np.testing.assert_allclose(found["strict"], [0.0, 0.125])
    np.testing.assert_allclose(found["best"], [0.1, 0.05])
    np.testing.assert_allclose(found["van_rossum"], [0.2, 0.1])
    np.testing.assert_allclose(found["count_error"], [10, 41 + 12])
    np.testing.assert_allclose(found["area"], [(41 - 8 * 0.9) / 8, (41 - 0.95) / 8])
    np.testing.assert_allclose(found["too_large"], 1.0)
    share, low, high = toy_study.success(unit_result(final))
    assert share[12] == 1.0
    assert share[11] == 0.5
    assert low[11] == 0.0
    assert high[11] == 1.0


def test_silence_can_pass_and_diverged_runs_cannot():
    found = {"initial": [1.0, 1.0], "silent": [0.1, 0.3], "final": [[0.1, None], [0.1, 0.3]]}
    assert toy_study.silence_passes(found).tolist() == [True, False]
    assert toy_study.ratio(found).tolist() == [[0.1, np.inf], [0.1, 0.3]]
    np.testing.assert_allclose(toy_study.per_seed(found)["strict"], [0.0, 0.0])
    np.testing.assert_allclose(toy_study.per_seed(found)["width"], [1 / 8, 1 / 8])


def test_the_wide_grid_holds_the_announced_one():
    unit = toy_study.units_main()[0]
    np.testing.assert_array_equal(unit.rates, toy.LEARNING_RATES)
    np.testing.assert_allclose(toy_study.units_wide()[0].rates[16:], toy.LEARNING_RATES)
    assert all(u.decades == toy_study.WIDE for u in toy_study.units_map() + toy_study.units_why())


def test_effects_are_simultaneous():
    rng = np.random.default_rng(0)

    def widths(count):
        final = np.ones((20, len(toy_study.RATES)))
        for row, n in zip(final, rng.integers(count, count + 5, 20), strict=True):
            row[:n] = 0.0
        return unit_result(final)

    found = {
        f"a={label}/adam/rho={rho}": widths(count)
        for label, counts in (("x", (12, 4)), ("y", (4, 4)))
        for rho, count in zip((1, 0), counts, strict=True)
    }
    effects = toy_study.effects(found)
    mean, low, high = effects["a", "x", "adam"]
    assert 0 < low < mean < high
    assert effects["a", "y", "adam"][1] < 0 < effects["a", "y", "adam"][2]
    pair = found["a=x/adam/rho=1"], found["a=x/adam/rho=0"]
    single = toy_study.difference(*pair)
    assert single[0] == pytest.approx(mean)
    assert high - low > single[2] - single[1]


def test_command_line_writes_results(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "PROJECT", tmp_path)
    monkeypatch.setitem(
        toy_study.STUDIES, "main", (lambda seeds: small_units(seeds), "toy", "make toy", 100)
    )
    toy_study.main(["main", "--seeds", "2"])
    document = json.loads((tmp_path / "toy.json").read_text())
    assert np.shape(document["results"]["small/adam/rho=1"]["final"]) == (2, 41)
    assert document["settings"]["conditions"]["small/adam/rho=0"]["task"]["steps"] == 20
    with pytest.raises(SystemExit):
        toy_study.main(["main", "--seeds", "1"])


@pytest.mark.parametrize("name", ["toy", "toy-wide", "toy-map", "toy-why"])
def test_committed_results_match_the_code(name):
    """Part of a unit, afresh. Another machine rounds otherwise and single runs are chaotic."""
    study = results.load(name)
    units = {
        "toy": toy_study.units_main, "toy-wide": toy_study.units_wide,
        "toy-map": toy_study.units_map, "toy-why": toy_study.units_why,
    }[name](study["settings"]["seeds"])  # fmt: skip
    assert set(study["results"]) == {unit.name for unit in units}
    unit = replace(units[0], start=0, stop=20, probe=False)
    assert study["settings"]["conditions"][unit.name]["neuron"] == repr(unit.lif)
    fresh, committed = toy_unit.run_unit(unit), study["results"][unit.name]
    assert fresh["initial"] == committed["initial"][:20]
    kept = {key: committed[key][:20] for key in committed if key not in ("diverged", "along")}
    width, expected = (toy_study.per_seed(found)["width"].mean() for found in (fresh, kept))
    assert width == pytest.approx(expected, abs=0.15)
