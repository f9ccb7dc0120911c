import json
import os
import subprocess
from pathlib import Path

import pytest

from tsbp_core.lab import results


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    return tmp_path


def save(name="a", **values):
    return results.save(name, command="make a", settings={"n": 1}, results=values, wall_time_s=1.26)


def test_round_trip_with_provenance():
    save(loss=[1.0, float("nan"), float("inf")])
    document = results.load("a")
    assert document["results"] == {"loss": [1.0, None, None]}
    assert document["command"] == "make a"
    assert document["wall_time_s"] == 1.3
    assert document["provenance"]["versions"]["torch"].startswith("2.")
    assert document["provenance"]["date"].startswith("20")


def test_a_file_is_read_once_for_each_time_it_is_written(folder):
    path = save(loss=1)
    first = results.load("a")
    assert results.load("a") is first
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    os.utime(save(loss=2), ns=times)  # as if at the same instant
    assert results.load("a")["results"] == {"loss": 2}


def test_missing_file_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"no results file .*b\.json"):
        results.load("b")


def test_failed_write_leaves_the_old_file_alone(folder, monkeypatch):
    path = save(loss=1)

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save(loss=2)
    assert json.loads(path.read_text())["results"] == {"loss": 1}
    assert [p.name for p in folder.iterdir()] == ["a.json"]


def test_two_processes_that_write_one_file_keep_apart(folder, monkeypatch):
    target = folder / "a"
    with results.atomic_file(target) as file:
        file.write(b"one")
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: -1)
            with results.atomic_file(target) as late:
                late.write(b"another")
        assert target.read_bytes() == b"another"
    assert target.read_bytes() == b"one"
    assert [p.name for p in folder.iterdir()] == ["a"]


def test_text_is_kept_and_numbers_in_a_row_share_a_line():
    text = {"see [a b, c] and [ 14%]": "[1, 2] [", "empty": [], "rows": [[1, 2], [3.5, None]]}
    written = save(**text).read_text()
    assert json.loads(written)["results"] == text
    assert "[1,2],\n" in written and "[3.5,null]\n" in written


def test_a_digest_changes_with_each_source_and_with_what_it_is_of(folder):
    one, other = folder / "one.py", folder / "other.py"
    one.write_text("x = 1")
    other.write_text("y = 1")
    digests = [results.code_digest([one, other]), results.code_digest([one, other], "a unit")]
    other.write_text("y = 2")
    digests += [results.code_digest([one, other]), results.code_digest([one])]
    assert len(set(digests)) == 4 and {len(digest) for digest in digests} == {16}
    assert results.code_digest([results]) == results.code_digest([Path(results.__file__)])


def test_the_commit_is_that_of_the_code_and_says_if_it_was_changed(folder, monkeypatch):
    def git(*words):
        name = ("-c", "user.name=a", "-c", "user.email=a@a")
        done = subprocess.run(
            ["git", "-C", str(folder), *name, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    monkeypatch.delenv("TSBP_COMMIT", raising=False)
    monkeypatch.setattr(results, "PROJECT", folder)
    git("init")
    assert results.provenance()["commit"] is None
    (folder / "code.py").write_text("1")
    git("add", "code.py")
    git("commit", "-m", "a")
    head = git("rev-parse", "HEAD")[:12]
    assert results.provenance()["commit"] == head
    (folder / "code.py").write_text("2")
    assert results.provenance()["commit"] == f"{head} with changes"
    monkeypatch.setenv("TSBP_COMMIT", "told")
    assert results.provenance()["commit"] == "told"
