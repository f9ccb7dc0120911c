import os
import pickle
import signal
import subprocess
import sys

import pytest
import torch

from tsbp_core.lab import checkpoints


def state(value):
    return {"weights": torch.full((1000,), float(value)), "epoch": value}


def test_load_returns_the_last_state_saved(tmp_path):
    path = tmp_path / "run.pt"
    assert checkpoints.load(path) is None
    for value in (1, 2):
        checkpoints.save(path, state(value))
        found = checkpoints.load(path)
        assert found["epoch"] == value
        assert torch.equal(found["weights"], state(value)["weights"])


@pytest.mark.parametrize("damage", ["flipped bit", "cut off", "empty"])
def test_a_corrupt_checkpoint_is_set_aside_and_the_previous_one_used(tmp_path, capfd, damage):
    path = tmp_path / "run.pt"
    for value in (1, 2):
        checkpoints.save(path, state(value))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {"flipped bit": content, "cut off": content[:-5], "empty": b""}[damage]
    path.write_bytes(damaged)
    assert checkpoints.load(path)["epoch"] == 1
    assert (tmp_path / "run.pt.corrupt").read_bytes() == damaged
    captured = capfd.readouterr()
    assert "run.pt is corrupt; set aside as run.pt.corrupt" in captured.out + captured.err
    assert checkpoints.load(path)["epoch"] == 1


def test_both_corrupt_start_anew(tmp_path):
    path = tmp_path / "run.pt"
    for value in (1, 2):
        checkpoints.save(path, state(value))
    for file in tmp_path.iterdir():
        file.write_bytes(b"x" * 100)
    assert checkpoints.load(path) is None


def test_nothing_is_unpickled_from_a_file_that_was_not_written_here(tmp_path):
    path = tmp_path / "run.pt"
    torch.save(state(1), path)
    assert checkpoints.load(path) is None


class Sly:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_right_digest_does_not_make_code_run(tmp_path):
    """Anyone can compute a digest: what is unpickled must be tensors and plain data alone."""
    path = tmp_path / "run.pt"
    checkpoints.save(path, {"weights": torch.zeros(3), "sly": Sly(tmp_path / "made")})
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        checkpoints.load(path)
    assert not (tmp_path / "made").exists()


def test_a_full_disk_leaves_the_last_state(tmp_path):
    """A limit on file sizes stands in for the full disk: the write fails half-way."""
    path = tmp_path / "run.pt"
    checkpoints.save(path, state(1))
    program = (
        "import resource, signal, sys, pathlib, torch\n"
        "from tsbp_core.lab import checkpoints\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "checkpoints.save(pathlib.Path(sys.argv[1]), {'weights': torch.zeros(10_000)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True
    )
    assert "OSError" in done.stderr
    assert checkpoints.load(path)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]


def test_a_run_is_claimed_once_and_freed_when_its_process_is_killed(tmp_path):
    path = tmp_path / "run.pt"
    program = (
        "import sys, pathlib, time\n"
        "from tsbp_core.lab import checkpoints\n"
        "with checkpoints.claimed(pathlib.Path(sys.argv[1])) as ours:\n"
        "    print(ours, flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"True\n"
    with checkpoints.claimed(path) as ours:
        assert not ours
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with checkpoints.claimed(path) as ours:
        assert ours
