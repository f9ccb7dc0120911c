"""Results files: small JSON documents that say how they were made."""

import contextlib
import datetime
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import time
from importlib import metadata
from pathlib import Path

import tsbp_core

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "data" / "results"
if not RESULTS.exists():  # an installed package has them inside
    RESULTS = Path(tsbp_core.__file__).parent / "data" / "results"


def save(name, *, command, settings, results, wall_time_s, folder=None):
    """Write ``data/results/{name}.json`` in one rename, so that no half-written file is ever read.

    Parameters
    ----------
    name : str
        File name without ending; may begin with a folder.
    command : str
        What remakes the file, run from the project's root.
    settings, results : dict
        Plain JSON data; NaN and infinity are written as null.
    wall_time_s : float
        How long the computation took, in seconds.
    folder : Path, optional
        To write to in place of ``data/results``.

    Returns
    -------
    Path
        The file written.
    """
    document = {
        "command": command,
        "provenance": provenance(),
        "wall_time_s": round(wall_time_s, 1),
        "settings": settings,
        "results": results,
    }
    target = Path(folder or RESULTS) / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target) as file:
        text = json.dumps(_finite(document), allow_nan=False, indent=1)
        # Numbers in a row share a line. A bracket in a string has no raw newline after it.
        text = re.sub(r"\[\n[^\[\]{}\"]+\]", lambda match: re.sub(r"\s", "", match[0]), text)
        file.write(text.encode())
    return target


def make(name, compute, *, command, settings):
    """Time ``compute()``, ``save`` what it returns, and say so on a line.

    Parameters
    ----------
    name : str
    compute : callable
        Takes nothing and returns the results.
    command, settings
        As in ``save``.
    """
    start = time.perf_counter()
    computed = compute()
    took = time.perf_counter() - start
    path = save(name, command=command, settings=settings, results=computed, wall_time_s=took)
    print(f"wrote {path}")


def load(name):
    """Read ``data/results/{name}.json``. Read again, it is the same object: do not change it.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says where it was sought.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"no results file {path}; `make help` in the book's folder says what makes it"
        )
    written = path.stat()
    return _read(path, written.st_ino, written.st_mtime_ns, written.st_size)


@functools.cache
def _read(path, *written):
    """The document of a file; ``written`` tells apart what was written under one name."""
    return json.loads(path.read_text())


def checkpoint(name):
    """Where what training keeps under ``name`` lies, a file or a folder; not committed."""
    return PROJECT / "data" / "checkpoints" / name


def provenance():
    """Date, versions, commit and machine kind of a computation."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "tsbp-core": tsbp_core.__version__,
            **{name: metadata.version(name) for name in ("numpy", "torch")},
        },
    }


def code_digest(sources, of=""):
    """Sixteen hexadecimal digits that change with a source file, or with the text ``of``.

    Parameters
    ----------
    sources : sequence of modules and Paths
        Modules, or files of such as cannot be imported everywhere.
    of : str, optional
        What else is digested.
    """
    paths = (Path(getattr(source, "__file__", source)) for source in sources)
    code = b"".join(path.read_bytes() for path in paths)
    return hashlib.sha256(of.encode() + code).hexdigest()[:16]


@contextlib.contextmanager
def atomic_file(target):
    """Open a binary file that takes the name ``target`` only when wholly written.

    Until then its name is that of this process too, so that several can write one target.
    """
    target = Path(target)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _commit():
    if told := os.environ.get("TSBP_COMMIT"):  # of a copy without the project's history
        return told
    git = ["git", "-C", str(PROJECT)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        dirty = subprocess.run(
            [*git, "status", "--porcelain", ":!data/results"], capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip()[:12] + (" with changes" if dirty.stdout.strip() else "")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
