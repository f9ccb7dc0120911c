import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.cifar10.settings import Settings
from tsbp_core.lab import datasets, results


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


@pytest.mark.parametrize("study", [s for s in plan.STUDIES if s != "smoke"])
def test_committed_runs_are_those_of_the_study(study):
    runs = plan.STUDIES[study]()
    there = [run for run in runs if outcomes.path(study, run).exists()]
    files = list((results.RESULTS / f"cifar10-{study}").glob("*.json"))
    assert len(there) == len(files)
    assert study != "grid" or len(there) == len(runs)
    for run in there:
        found = results.load(run.record(study))
        # A setting that came after a record was written had its default.
        defaults = {**asdict(Settings()), "seed": run.seed}
        recorded = {k: v for k, v in found["settings"].items() if k != "threads"}
        expected = {**asdict(run.settings), "seed": run.seed}
        assert json.loads(json.dumps({**defaults, **recorded})) == json.loads(json.dumps(expected))
        assert "with changes" not in found["provenance"]["commit"]
