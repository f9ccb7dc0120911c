import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats

from tsbp_core.chapters.cifar10 import study as cifar10_study
from tsbp_core.chapters.cifar10 import training as cifar10
from tsbp_core.lab import datasets, results, statistics


def write_cifar(root):
    folder = root / datasets.FOLDER
    folder.mkdir(parents=True)
    records = np.random.default_rng(0).integers(
        0, 10, (datasets.RECORDS, datasets.RECORD), dtype=np.uint8
    )
    for name in (*datasets.TRAIN, datasets.TEST):
        records.tofile(folder / name)


PROGRAM = (
    "import sys, pathlib\n"
    "from tsbp_core.lab import results\n"
    "from tsbp_core.chapters.cifar10 import study as cifar10_study\n"
    "results.PROJECT = pathlib.Path(sys.argv[1])\n"
    "results.RESULTS = results.PROJECT / 'data' / 'results'\n"
    "cifar10_study.main(['smoke', '--root', sys.argv[2], '--jobs', '1'])\n"
)


def records(folder):
    """Results of all runs below ``folder``, without what depends on the clock."""
    found = {}
    for file in sorted((folder / "data" / "results" / "cifar10-smoke").glob("*.json")):
        outcome = json.loads(file.read_text())["results"]
        for epoch in outcome["epochs"]:
            del epoch["seconds"]
        found[file.name] = outcome
    return found


def test_command_line_survives_kill_9_and_does_nothing_twice(tmp_path):
    """Killed in the middle and started again, the command ends with the bits of an uncut study."""
    write_cifar(tmp_path)

    def command(out):
        return [sys.executable, "-c", PROGRAM, str(tmp_path / out), str(tmp_path)]

    subprocess.run(command("whole"), check=True, capture_output=True)
    process = subprocess.Popen(command("cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut").rglob("*.pt")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not records(tmp_path / "cut")
    subprocess.run(command("cut"), check=True, capture_output=True)
    assert records(tmp_path / "cut") == records(tmp_path / "whole")
    assert list(records(tmp_path / "cut")) == ["rho0-seed0.json", "rho1-seed0.json"]
    files = list((tmp_path / "cut").rglob("*.json"))
    times = [file.stat().st_mtime_ns for file in files]
    again = subprocess.run(command("cut"), check=True, capture_output=True, text=True)
    assert "all 2 runs are in" in again.stdout
    assert times == [file.stat().st_mtime_ns for file in files]


def test_two_processes_share_a_study(tmp_path):
    write_cifar(tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "out"), str(tmp_path)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    for process, error in zip(both, errors, strict=True):
        assert process.returncode == 0 or "being computed by other processes" in error
    assert {process.returncode for process in both} <= {0, 1}
    assert len(records(tmp_path / "out")) == 2
    assert not list((tmp_path / "out").rglob("*.corrupt"))


def test_a_full_disk_stops_with_a_message(tmp_path, monkeypatch):
    write_cifar(tmp_path)
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    )
    command = [sys.executable, "-c", limit + PROGRAM, str(tmp_path / "out"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no room left" in done.stderr
    assert "Traceback" not in done.stderr
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert all(file.suffix == ".lock" for file in files)


@pytest.mark.parametrize("study", [s for s in cifar10_study.STUDIES if s != "ablation"])
def test_studies_are_paired(study):
    runs = cifar10_study.STUDIES[study]()
    assert len({run.record(study) for run in runs}) == len(runs)
    pairs = {}
    for run in runs:
        rest = replace(run.settings, reset_gradient=0.0), run.seed
        pairs.setdefault(rest, set()).add(run.settings.reset_gradient)
    assert all(rhos == {1.0, 0.0} for rhos in pairs.values())


def test_grid_is_long_enough():
    assert len(cifar10_study.grid()) == 2 * 2 * 7 * 5
    for rates in cifar10_study.RATES.values():
        assert len(rates) >= 7
        assert rates[-1] / rates[0] >= 10**2.5
        assert np.ptp(np.diff(np.log10(rates))) < 0.1


def test_factors_change_one_thing_at_the_middle_rate():
    runs = cifar10_study.factors(1)
    plain = {run.settings for run in cifar10_study.grid(1) if run.settings.lr == 1e-2}
    for run in runs:
        changes = [c for name, c in cifar10_study.FACTORS.items() if run.name == name_of(run, name)]
        undone = {key: getattr(cifar10_study.COMPACT, key) for key in changes[0]}
        assert len(changes) == 1
        assert undone != changes[0]
        assert replace(run.settings, **undone) in plain
    for name, change in cifar10_study.FACTORS.items():
        peak = replace(cifar10_study.COMPACT, **change).neuron().surrogate.derivative(np.zeros(1))
        if name.startswith("peak"):
            assert peak == pytest.approx(float(name.split("-")[1]))


def test_ablation_undoes_one_thing_at_a_time():
    whole, *others = cifar10_study.ablation(1)
    assert whole.settings == cifar10_study.SHORT
    assert len({run.settings for run in others} - {whole.settings}) == len(others)
    for run in others:
        changes = cifar10_study.ABLATION[run.name]
        undone = {key: getattr(cifar10_study.SHORT, key) for key in changes}
        assert replace(run.settings, **undone) == whole.settings
        assert all(getattr(run.settings, key) != value for key, value in undone.items())
        cifar10.SpikingNet(run.settings.network, 1, run.settings.neuron())


def test_final_accuracy_is_of_held_out_images_where_there_are_some():
    held_out = {"epochs": [{}, {"held_out": {"accuracy": 0.5}}], "test": None, "diverged": False}
    tested = {"epochs": [{}], "test": {"accuracy": 0.25}, "diverged": False}
    lost = {"epochs": [], "test": None, "diverged": True}
    found = [cifar10_study.accuracy({"results": run}) for run in (held_out, tested, lost)]
    assert found == [50, 25, 10]


def name_of(run, factor):
    s = run.settings
    return f"{factor}-{s.optimizer}-lr{s.lr:g}-rho{s.reset_gradient:g}"


def test_table_places_runs_and_counts_divergence_as_chance():
    runs = [run for run in cifar10_study.grid(2) if run.settings.optimizer == "sgd"]
    diverged = runs[4]
    found = {
        run: {"results": {"test": {"accuracy": run.settings.lr / 10 + run.seed / 1000}}}
        for run in runs
    }
    found[diverged] = {"results": {"test": None, "diverged": True}}
    tables = cifar10_study.table(found, "sgd")
    rates = cifar10_study.RATES["sgd"]
    for run in runs:
        value = tables[run.settings.reset_gradient][run.seed, rates.index(run.settings.lr)]
        if run is diverged:
            assert value == cifar10_study.CHANCE
        else:
            assert value == pytest.approx(10 * run.settings.lr + run.seed / 10)


def test_only_seeds_of_which_all_runs_are_there_are_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    runs = cifar10_study.smoke(3)
    for run in runs:
        if (run.seed, run.settings.reset_gradient) != (1, 0.0):
            results.save(run.record("smoke"), command="", settings={}, results={}, wall_time_s=0)
    assert {run.seed for run in cifar10_study.collect("smoke", runs)} == {0, 2}


def test_robust_width_of_cases_done_by_hand():
    rates = (1e-3, 1e-2, 1e-1)
    tables = {1.0: np.array([[60.0, 60.0, 50.0]]), 0.0: np.array([[50.0, 56.0, 10.0]])}
    width = cifar10_study.robust_width(tables, rates, near=5.0)
    assert width[1.0] == pytest.approx([1.5], abs=0.01)  # to half-way between 60 and 50
    assert width[0.0] == pytest.approx([1 / 6 + 1 / 46], abs=0.01)  # either side of 56


def test_shift_finds_how_far_a_curve_was_moved(rng):
    rates = np.logspace(-3, 0, 7)
    x = np.log10(rates)
    tables = {
        rho: np.array([70 - 10 * (x + 1.5 - moved) ** 2 for moved in (m * rho for m in (0, 0.5))])
        for rho in (1.0, 0.0)
    }
    assert cifar10_study.shift(tables, rates) == pytest.approx([0, 0.5], abs=0.01)


def test_pairs_keep_seeds_in_order():
    runs = cifar10_study.factors(2)
    found = {run: {"results": {"test": {"accuracy": run.seed / 100}}} for run in runs}
    tables = cifar10_study.pairs(found)
    assert len(tables) == len(cifar10_study.FACTORS)
    assert tables["8-steps-adamw-lr0.01"] == {1.0: [0, 1], 0.0: [0, 1]}


def test_outcomes_of_factors_go_by_what_was_changed():
    found = {run: asdict(run.settings) for run in cifar10_study.factors(2)}
    changed = cifar10_study.by_factor(found, lambda settings: settings)
    for name, change in cifar10_study.FACTORS.items():
        for rho in cifar10_study.RHOS:
            for settings in changed[name][rho]:
                assert settings["reset_gradient"] == rho
                assert change.items() <= settings.items()


def test_first_layer_has_the_start_and_the_end():
    probes = [{"ratio": [r, 9.0], "cosine": [r / 10, 0.9]} for r in (1.0, 2.0, 4.0)]
    found = cifar10_study.first_layer({"results": {"probes": probes}})
    assert found == {"ratio": [1.0, 4.0], "cosine": [0.1, 0.4]}


def test_probes_and_firing_rates_are_means_over_seeds_that_did_not_diverge():
    runs = [run for run in cifar10_study.grid(3) if run.settings.optimizer == "sgd"]
    found = {
        run: {
            "results": {
                "diverged": False,
                "probes": [
                    {"update": u, "ratio": [run.seed, 0.5], "cosine": [u, run.settings.lr]}
                    for u in (0, 3)
                ],
                "test": {"rates": [run.seed, run.settings.reset_gradient]},
            }
        }
        if run.seed < 2
        else {"results": {"diverged": True, "probes": [], "test": None}}
        for run in runs
    }
    means = cifar10_study.probes(found, "sgd", 0.1, 1.0)
    assert means["update"] == [0, 3]
    assert means["ratio"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert means["cosine"].tolist() == [[0, 0.1], [3, 0.1]]
    assert cifar10_study.firing_rates(found, "sgd", 0.1, 0.0).tolist() == [0.5, 0.0]


def test_own_best_is_chosen_by_the_training_loss():
    accuracy = {1.0: np.array([[1.0, 2.0, 3.0]]), 0.0: np.array([[4.0, 5.0, 6.0]])}
    loss = {1.0: np.array([[0.1, 0.2, np.inf]]), 0.0: np.array([[0.3, 0.2, 0.4]])}
    best = cifar10_study.own_best(accuracy, loss)
    assert best == {1.0: [1.0], 0.0: [5.0]}


def test_equivalence_agrees_with_the_90_percent_interval(rng):
    for spread in (0.3, 0.5, 0.8):
        values = rng.normal(0.1, spread, 8)
        low, high = statistics.t_interval(values, 0.9)
        inside = low > -0.5 and high < 0.5
        assert (statistics.equivalence(values, 0.5) < 0.05) == inside
    assert statistics.equivalence([0.5, 0.4, 0.6], 0.5) == pytest.approx(0.5)
    one_sided = stats.ttest_1samp([1.0, 2.0, 4.0], 0.5, alternative="less").pvalue
    assert statistics.equivalence([1.0, 2.0, 4.0], 0.5) == one_sided


@pytest.mark.parametrize("study", [s for s in cifar10_study.STUDIES if s != "smoke"])
def test_committed_runs_are_those_of_the_study(study):
    runs = cifar10_study.STUDIES[study]()
    there = [run for run in runs if cifar10_study._path(study, run).exists()]
    files = list((results.RESULTS / f"cifar10-{study}").glob("*.json"))
    assert len(there) == len(files)
    assert study != "grid" or len(there) == len(runs)
    for run in there:
        found = results.load(run.record(study))
        # A setting that came after a record was written had its default.
        defaults = {**asdict(cifar10.Settings()), "seed": run.seed}
        recorded = {k: v for k, v in found["settings"].items() if k != "threads"}
        expected = {**asdict(run.settings), "seed": run.seed}
        assert json.loads(json.dumps({**defaults, **recorded})) == json.loads(json.dumps(expected))
        assert "with changes" not in found["provenance"]["commit"]
