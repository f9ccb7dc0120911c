import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import image

from tsbp_core.chapters.cifar10 import outcomes, plan, study
from tsbp_core.chapters.cifar10.settings import Settings
from tsbp_core.lab import checkpoints, datasets, results

TINY = Settings(network="2C3-P8", steps=2, batch=10, limit=40, epochs=10, held_out=10)


def command(folder):
    """``make cifar10 STUDY=smoke`` of a tiny network, few images, one thread, into ``folder``."""
    threads = torch.get_num_threads()
    runs = [plan.TrainingRun(f"rho{r:g}", replace(TINY, reset_gradient=r), 0) for r in plan.RHOS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "PROJECT", folder)
        patch.setattr(results, "RESULTS", folder / "data" / "results")
        patch.setattr(datasets, "RECORDS", 10)
        patch.setattr(os, "cpu_count", lambda: 1)
        patch.setitem(plan.STUDIES, "smoke", lambda: runs)
        study.main(["smoke", "--root", str(folder.parent), "--jobs", "1"])
    torch.set_num_threads(threads)


PROGRAM = "import pathlib, sys, test_study; test_study.command(pathlib.Path(sys.argv[1]))"


def process(folder, before=""):
    """``command`` in a process of its own, after the lines ``before``."""
    words = [sys.executable, "-c", before + PROGRAM, str(folder)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=Path(__file__).parent, **pipes)


@pytest.fixture
def folder(tmp_path):
    """Beside CIFAR-10, or rather 10 records of noise in each of its files."""
    (tmp_path / datasets.FOLDER).mkdir()
    records = np.random.default_rng(0).integers(0, 10, (10, datasets.RECORD), dtype=np.uint8)
    for name in (*datasets.TRAIN, datasets.TEST):
        records.tofile(tmp_path / datasets.FOLDER / name)
    return tmp_path / "out"


def records(folder):
    """Results of all runs below ``folder``, without what depends on the clock."""
    found = {}
    for file in sorted((folder / "data" / "results" / "cifar10-smoke").glob("*.json")):
        outcome = json.loads(file.read_text())["results"]
        for epoch in outcome["epochs"]:
            del epoch["seconds"]
        found[file.name] = outcome
    return found


def test_command_line_survives_kill_9_and_does_nothing_twice(folder, capsys):
    """Killed in the middle and started again, the command ends with the bits of an uncut study."""
    cut = process(folder)
    while not list(folder.rglob("*.pt")) and cut.poll() is None:
        time.sleep(0.002)
    cut.kill()
    cut.communicate()
    assert cut.returncode == -signal.SIGKILL
    assert not records(folder)
    (checkpoint,) = folder.rglob("*.pt")
    assert 0 < len(checkpoints.load(checkpoint)["state"]["epochs"]) < TINY.epochs
    command(folder)
    whole = folder.with_name("whole")
    command(whole)
    assert records(folder) == records(whole)
    assert list(records(folder)) == ["rho0-seed0.json", "rho1-seed0.json"]
    files = list(folder.rglob("*.json"))
    times = [file.stat().st_mtime_ns for file in files]
    capsys.readouterr()
    command(folder)
    assert "all 2 runs are in" in capsys.readouterr().out
    assert times == [file.stat().st_mtime_ns for file in files]


def test_two_processes_share_a_study(folder):
    both = [process(folder) for _ in range(2)]
    errors = [one.communicate()[1] for one in both]
    for one, error in zip(both, errors, strict=True):
        assert one.returncode == 0 or "being computed by other processes" in error
    assert {one.returncode for one in both} <= {0, 1}
    assert len(records(folder)) == 2
    assert not list(folder.rglob("*.corrupt"))


def test_a_full_disk_stops_with_a_message(folder):
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    )
    full = process(folder, before=limit)
    _, error = full.communicate()
    assert full.returncode == 1
    assert "has no room left" in error
    assert "Traceback" not in error
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert all(file.suffix == ".lock" for file in files)


def test_a_device_is_known_before_anything_is_downloaded(monkeypatch, capsys):
    monkeypatch.setattr(datasets, "cifar10", None)
    with pytest.raises(SystemExit):
        study.main(["smoke", "--device", "gpu"])
    assert "invalid choice: 'gpu'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [s for s in plan.STUDIES if s != "smoke"])
def test_committed_runs_are_those_of_the_study(name):
    runs = plan.STUDIES[name]()
    there = [run for run in runs if outcomes.path(name, run).exists()]
    files = list((results.RESULTS / f"cifar10-{name}").glob("*.json"))
    assert len(there) == len(files)
    assert name != "grid" or len(there) == len(runs)
    for run in there:
        found = results.load(run.record(name))
        # A setting that came after a record was written had its default.
        defaults = {**asdict(Settings()), "seed": run.seed}
        recorded = dict(found["settings"])
        for where in ("threads", "device"):
            recorded.pop(where, None)
        expected = {**asdict(run.settings), "seed": run.seed}
        assert json.loads(json.dumps({**defaults, **recorded})) == json.loads(json.dumps(expected))
        assert "with changes" not in found["provenance"]["commit"]


def pixels(png):
    """Of a PNG file in base64, [3, H, W] as in the data set."""
    shown = image.imread(io.BytesIO(base64.b64decode(png)))
    return (255 * shown[..., :3]).round().astype(np.uint8).transpose(2, 0, 1)


def test_the_images_that_chapter_7_shows_are_the_first_of_their_classes(monkeypatch, rng):
    drawn = rng.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    data = datasets.Cifar10(drawn, None, drawn, np.repeat(np.arange(10)[::-1], 2))
    monkeypatch.setattr(datasets, "cifar10", lambda root: data)
    found = study.thumbnails()
    assert found["images"] == [18, 12, 2]  # airplane 0, cat 3, ship 8
    for place, png in zip(found["images"], found["png"], strict=True):
        assert (pixels(png) == drawn[place]).all()


def test_the_images_in_results_are_those_whose_spikes_are():
    images, spikes = (results.load(f"cifar10-{name}") for name in ("images", "spikes"))
    assert images["results"]["images"] == spikes["results"]["images"]
    assert images["settings"]["classes"] == spikes["settings"]["classes"]
    assert "Krizhevsky" in images["settings"]["source"]
    assert [pixels(png).shape for png in images["results"]["png"]] == [(3, 32, 32)] * 3
