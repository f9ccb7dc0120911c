"""What make does without Python: what it looks at, and folders of any name."""

import os
import shlex
import shutil
import subprocess

import pytest

from tsbp_core.lab import results


@pytest.fixture(params=["reader", "a new reader"])
def folder(request, tmp_path):
    """A project of a few files, in a folder with and without a space in its path."""
    folder = tmp_path / request.param
    for name in ("tsbp_core/module.py", "data/results/study.json", "requirements.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    shutil.copy(results.PROJECT / "Makefile", folder)
    return folder


def make(folder, *arguments, **variables):
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["make", "-s", *arguments]
    run = subprocess.run(
        command, cwd=folder, env=environment | variables, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def inputs(folder, **variables):
    make(folder, "inputs", **variables)
    return (folder / "_build" / "inputs").read_text()


def test_any_change_of_what_chapters_read_is_seen(folder):
    seen = [inputs(folder)]
    assert inputs(folder) == seen[0]

    def change(action):
        action()
        seen.append(inputs(folder))

    study = folder / "data" / "results" / "study.json"
    change(lambda: study.rename(study.with_name("renamed.json")))
    change(lambda: (folder / "tsbp_core" / "empty.py").touch())
    change(lambda: (folder / "tsbp_core" / "module.py").write_text("other"))
    change(lambda: (folder / "requirements.txt").write_text("numpy"))
    change(lambda: (folder / "data" / "cifar-10-batches-bin").mkdir())
    assert len(set(seen)) == len(seen)
    (folder / "tsbp_core" / "module.pyc").touch()
    assert inputs(folder) == seen[-1]


@pytest.mark.parametrize("inside", [False, True])
def test_data_elsewhere_are_seen(folder, tmp_path, inside):
    unpacked = tmp_path / "my data" / "cifar-10-batches-bin"
    named = str(unpacked if inside else unpacked.parent)
    without = inputs(folder, TSBP_DATA=named)
    unpacked.mkdir(parents=True)
    assert inputs(folder, TSBP_DATA=named) != without


def test_vowels_are_downloaded_unless_they_are_there(folder, tmp_path):
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)

    def runs(**variables):
        return make(folder, "-o", ".venv/.ready", "sequences", **variables)

    mine = tmp_path / "my data"
    mine.mkdir()
    assert "pip download" in runs(TSBP_DATA=str(mine)) and "pip download" in runs()
    (mine / "sktime-9-any.whl").touch()
    assert "pip download" not in runs(TSBP_DATA=str(mine))
    (folder / "data" / "sktime-1.2.0-py3-none-any.whl").touch()
    assert runs().splitlines()[-1] == "-m tsbp_core.chapters.sequences.study --device cpu"
    assert "pip download" not in runs()


def test_a_compiler_that_came_is_seen(folder, tmp_path):
    compiler = tmp_path / "my-c++"
    without = inputs(folder, CXX=str(compiler))
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    assert inputs(folder, CXX=str(compiler)) != without


@pytest.mark.parametrize("target", ["bench", "frameworks"])
def test_the_project_is_one_word_on_the_path(folder, target):
    line = make(folder, "--dry-run", "-o", ".venv-peers/.ready", target).splitlines()[-1]
    assert shlex.split(line)[0] == f"PYTHONPATH={folder}"


def test_kernels_are_kept_where_torch_can_compile(folder):
    (folder / "show.mk").write_text('show:\n\t@echo "$$TORCHINDUCTOR_CACHE_DIR"\n')
    shown = make(folder, "-f", "Makefile", "-f", "show.mk", "show").strip()
    assert shown == ("" if " " in str(folder) else f"{folder}/_build/kernels")
    mine = make(folder, "-f", "Makefile", "-f", "show.mk", "show", TORCHINDUCTOR_CACHE_DIR="/mine")
    assert mine.strip() == "/mine"


def test_setup_asks_for_hashes_and_takes_torch_from_where_it_is_told():
    def steps(**variables):
        shown = make(results.PROJECT, "--dry-run", "--always-make", "setup", **variables)
        return [shlex.split(line) for line in shown.splitlines() if " pip " in line]

    packages, torch, project = steps()
    assert packages[-3:] == ["--require-hashes", "-r", "requirements.txt"]
    assert torch[-3:] == ["install", "-r", "requirements-torch.txt"]
    assert {"--no-deps", "--no-build-isolation"} < set(project)
    _, torch, _ = steps(TORCH_INDEX="an address")
    assert torch[-4:-2] == ["--index-url", "an address"]
