"""Notebooks are executed before the build, and found by it."""

import importlib.util

import nbformat
from jupyter_cache import get_cache

from tsbp_core.lab import results

SPEC = importlib.util.spec_from_file_location("execute", results.PROJECT / "book" / "execute.py")
execute = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(execute)


def notebook(path, code):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)


def test_what_runs_is_kept_and_what_fails_is_left_to_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "BOOK", tmp_path)
    notebook(tmp_path / "right.ipynb", "import os\nprint(os.getcwd(), 6 * 7)")
    notebook(tmp_path / "wrong.ipynb", "print(1 / 0)")
    execute.execute(tmp_path / "cache")
    cache = get_cache(tmp_path / "cache")
    _, kept = cache.merge_match_into_notebook(nbformat.read(tmp_path / "right.ipynb", 4))
    assert kept.cells[0].outputs[0].text == f"{tmp_path} 42\n"
    assert [record.uri for record in cache.list_cache_records()] == [str(tmp_path / "right.ipynb")]
    assert execute.execute(tmp_path / "cache").succeeded == []
    notebook(tmp_path / "right.ipynb", "print('new')")
    assert execute.execute(tmp_path / "cache").succeeded == [str(tmp_path / "right.ipynb")]
