"""CIFAR-10 from its official binary archive: downloaded, checked, unpacked in one rename."""

import errno
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
RECORDS = 10_000
"""Images in each file; a record is 1 label byte and 3,072 pixel bytes."""
RECORD = 1 + 3 * 32 * 32
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
"""Name of each label, 0 to 9."""


class DatasetError(RuntimeError):
    """The data can't be had; the message says why and what to do."""


class Cifar10(NamedTuple):
    """Images uint8 [n, 3, 32, 32] and labels int64 [n], named in ``CLASSES``."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def cifar10(root=None):
    """Load CIFAR-10 (Krizhevsky, 2009), downloading it (170 MB) if it is not there.

    The source is ``cifar-10-binary.tar.gz`` from https://www.cs.toronto.edu/~kriz/cifar.html.

    Parameters
    ----------
    root : path, optional
        Folder that holds ``cifar-10-batches-bin/``, or is it, or shall hold it. Default: the
        environment variable ``TSBP_DATA``, or else ``data/`` of this project, or else ``./data``.
        An archive put there by hand is used in place of a download, and kept.

    Returns
    -------
    Cifar10
        Images uint8 [50000, 3, 32, 32] and [10000, 3, 32, 32] with labels int64, 0 to 9.

    Raises
    ------
    DatasetError
        If the network, the archive, the disk or a file is at fault: missing, not the published
        one, of the wrong size, with a label above 9 or an image of one value. Nothing
        half-written stays.
    """
    folder = _folder(root)
    if not folder.exists():
        _fetch(folder)
    train = [_read(folder / name) for name in TRAIN]
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return Cifar10(images, labels, *_read(folder / TEST))


def data_folder(root=None):
    """Where data that are not committed lie, as an absolute path; it need not be there.

    Parameters
    ----------
    root : path, optional
        As in ``cifar10``, whose ``cifar-10-batches-bin/`` stands for the folder that holds it.
    """
    project = Path(__file__).resolve().parents[2] / "data"
    root = root or os.environ.get("TSBP_DATA") or (project if project.is_dir() else "data")
    root = Path(os.path.abspath(Path(root).expanduser()))
    return root.parent if root.name == FOLDER else root


def _folder(root):
    return data_folder(root) / FOLDER


def _read(path):
    expected = RECORDS * RECORD
    redo = f"Delete the folder {path.parent} and run again to unpack it anew."
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing. {redo}") from None
    if size != expected:
        fault = "truncated" if size < expected else "oversized"
        raise DatasetError(f"{path} is {fault}: {size:,} bytes, not {expected:,}. {redo}")
    records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise DatasetError(f"{path} has a label {labels.max()}; labels are 0 to 9. {redo}")
    pixels = records[:, 1:]
    flat = (pixels == pixels[:, :1]).all(axis=1).sum()  # as in a file of zeros; no true image is
    if flat:
        raise DatasetError(f"{path} is damaged: {flat:,} images of one value throughout. {redo}")
    return pixels.reshape(RECORDS, 3, 32, 32), labels


def _fetch(folder):
    """Make ``folder`` from the archive; all or nothing."""
    root = folder.parent
    archive = root / ARCHIVE
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".cifar10-") as work:
            if archive.is_file():
                remedy = f"Delete {archive}, or put a fresh copy of {URL} there, and run again."
            else:
                archive = _download(Path(work))
                remedy = "Nothing of it was kept; run again to download it anew."
            _check(archive, remedy)
            unpacked = Path(work) / FOLDER
            unpacked.mkdir()
            _unpack(archive, unpacked, remedy)
            try:
                unpacked.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    except OSError as error:
        fault = error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fault = "the disk is full; it takes about 180 MB, and 170 MB more for the archive"
        raise DatasetError(
            f"CIFAR-10 can't be unpacked in {root}: {fault}. Make room or mend this and run again, "
            "or name another folder in the environment variable TSBP_DATA."
        ) from error


def _download(work):
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(progressbar=True)(URL, str(work / ARCHIVE), None)
    except requests.exceptions.RequestException as error:
        response = error.response
        fault = type(error).__name__ if response is None else f"HTTP status {response.status_code}"
        raise DatasetError(
            f"CIFAR-10 could not be downloaded from {URL} ({fault}). With a network, run again. "
            f"Without one, put {ARCHIVE}, or the folder {FOLDER}/ from it, into {work.parent}, or "
            "name the folder that holds it in the environment variable TSBP_DATA."
        ) from error
    return work / ARCHIVE


def _check(archive, remedy):
    import pooch

    md5 = pooch.file_hash(str(archive), alg="md5")
    if md5 != MD5:
        raise DatasetError(
            f"{archive.name} is not the published archive: its MD5 is {md5}, not {MD5}. {remedy}"
        )


def _unpack(archive, target, remedy):
    """Copy the six wanted files; no path from the archive is written to."""
    wanted = {PurePosixPath(FOLDER, name): name for name in (*TRAIN, TEST)}
    expected = RECORDS * RECORD
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in filter(tarfile.TarInfo.isreg, tar):
                name = wanted.pop(PurePosixPath(member.name), None)
                if name is None:
                    continue
                if member.size != expected:
                    raise DatasetError(
                        f"{archive.name} has {name} with {member.size:,} bytes, not {expected:,}. "
                        f"{remedy}"
                    )
                with tar.extractfile(member) as source, open(target / name, "xb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError) as error:
        raise DatasetError(f"{archive.name} can't be unpacked: {error}. {remedy}") from error
    if wanted:
        raise DatasetError(f"{archive.name} lacks {', '.join(sorted(wanted.values()))}. {remedy}")
