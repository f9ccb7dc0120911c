"""Checkpoints that survive what happens to long runs: cut off, corrupted, started twice."""

import contextlib
import hashlib
import io

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from tsbp_core.lab import results

DIGEST = hashlib.sha256().digest_size


def save(path, state):
    """Write ``state`` to ``path`` in one rename; what was there becomes ``path``.previous.

    The file is the SHA-256 digest of what ``torch.save`` writes, and then that.

    Raises
    ------
    OSError
        If the disk is full, say. The checkpoints that were there are still there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with results.atomic_file(path) as file:
        file.write(hashlib.sha256(buffer.getbuffer()).digest())
        file.write(buffer.getbuffer())
        if path.exists():
            path.replace(_previous(path))


def load(path):
    """Return the state last saved to ``path``, or None if there is none.

    A file that does not match its digest is set aside as ``path``.corrupt, with a message, and
    the state saved before it is returned.
    """
    for candidate in (path, _previous(path)):
        if not candidate.exists():
            continue
        content = candidate.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
            return torch.load(io.BytesIO(content[DIGEST:]), "cpu", weights_only=True)
        aside = candidate.with_name(candidate.name + ".corrupt")
        candidate.replace(aside)
        tqdm.write(f"{candidate.name} is corrupt; set aside as {aside.name}. Going on from before")
    return None


def keep(path, run, parts, state):
    """``save`` the parts and the state of a run, so that ``restore`` goes on with it.

    Parameters
    ----------
    path : Path
    run : dict
        What makes it this run: settings and seed.
    parts : dict
        By name, what has a ``state_dict``: network, optimiser, schedule.
    state : dict
        What else is known of the run so far.
    """
    whole = {name: part.state_dict() for name, part in parts.items()}
    save(path, {**whole, "run": run, "state": state})


def restore(path, run, parts, load=load):
    """Put what ``keep`` saved into the parts; return its state, or None if there is none.

    ``load`` is what reads ``path``.

    Raises
    ------
    ValueError
        If the checkpoint is of another run; it is left as it is.
    """
    saved = load(path)
    if saved is None:
        return None
    made_by = saved.get("run", {})
    if other := [key for key, value in run.items() if made_by.get(key) != value]:
        raise ValueError(
            f"checkpoint {path} is of a run with other {', '.join(other)}; "
            "move it away to start anew"
        )
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return saved["state"]


@contextlib.contextmanager
def claimed(path):
    """Hold the run of ``path`` for this process: yields False if another process holds it.

    The claim ends with the process, however that ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(path.name + ".lock"), timeout=0):
            yield True
    except Timeout:
        yield False


def _previous(path):
    return path.with_name(path.name + ".previous")
