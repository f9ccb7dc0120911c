"""An installed package has with it what the chapters read."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tsbp_core.chapters.cifar10 import outcomes
from tsbp_core.lab import results

PROJECT = Path(__file__).parent.parent
ASK = """
import json
import sys
import tsbp_core

assert tsbp_core.__file__.startswith(sys.argv[1]), tsbp_core.__file__
from tsbp_core.chapters.cifar10 import outcomes, plan

print(json.dumps({
    "files": [str(path.relative_to(tsbp_core.results.RESULTS))
              for path in sorted(tsbp_core.results.RESULTS.rglob("*.json"))],
    "toy": tsbp_core.results.load("toy"),
    "runs": {study: len(outcomes.collect(study)) for study in ("grid", "headline")},
}))
"""

RUN = """
import json
import sys
from IPython.core.interactiveshell import InteractiveShell
import tsbp_core

assert tsbp_core.__file__.startswith(sys.argv[1]), tsbp_core.__file__
shell = InteractiveShell.instance()
for name, cells in json.loads(sys.argv[2]).items():
    shell.reset()
    for source in cells:
        shell.run_cell(source).raise_error()
    print("chapter", name)
"""
"""Runs cells, by chapter, in one process."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what a wheel unpacks there."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(PROJECT / "tsbp_core", source / "tsbp_core")
    shutil.copytree(PROJECT / "data" / "results", source / "data" / "results")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, "-w", folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_a_wheel_has_all_that_is_no_python(installed):
    for path in (PROJECT / "tsbp_core").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            copy = installed / path.relative_to(PROJECT)
            assert copy.read_bytes() == path.read_bytes()


def test_results_are_found_from_anywhere(installed, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", ASK, str(installed)]
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    found = json.loads(out.stdout)
    ours = [str(path.relative_to(results.RESULTS)) for path in results.RESULTS.rglob("*.json")]
    assert sorted(found["files"]) == sorted(ours)
    assert found["toy"] == results.load("toy")
    assert found["runs"] == {study: len(outcomes.collect(study)) for study in found["runs"]}
    assert list(tmp_path.iterdir()) == []


def reading(path):
    """The cells of a chapter that read results: its first picture, and what it cites."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    cites = [cell.source for cell in cells if "page.glue(" in cell.source]
    return [cells[0].source, "from tsbp_core import page", *cites[:1]]


def test_chapters_find_their_numbers_in_an_empty_folder(installed, tmp_path):
    chapters = {path.stem: reading(path) for path in sorted((PROJECT / "book").glob("*.ipynb"))}
    environment = os.environ | {"PYTHONPATH": str(installed), "IPYTHONDIR": str(tmp_path / "own")}
    command = [sys.executable, "-c", RUN, str(installed), json.dumps(chapters)]
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert out.returncode == 0, out.stdout + out.stderr
    seen = [line.split()[1] for line in out.stdout.splitlines() if line.startswith("chapter ")]
    assert seen == list(chapters)
