import errno
import hashlib
import io
import tarfile

import numpy as np
import pytest
import requests

from tsbp_core import datasets

FILES = (*datasets.TRAIN, datasets.TEST)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Files of five records."""
    monkeypatch.setattr(datasets, "RECORDS", 5)


def record_bytes(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, (5, 1), dtype=np.uint8)
    pixels = rng.integers(0, 256, (5, datasets.RECORD - 1), dtype=np.uint8)
    return np.hstack([labels, pixels]).tobytes()


def write_folder(root, **changed):
    folder = root / datasets.FOLDER
    folder.mkdir(parents=True)
    for i, name in enumerate(FILES):
        (folder / name).write_bytes(changed.get(name.removesuffix(".bin"), record_bytes(i)))
    return folder


def write_archive(root, monkeypatch, members=None):
    """Put an archive in ``root`` by hand and make its sum the published one."""
    members = members or {f"{datasets.FOLDER}/{n}": record_bytes(i) for i, n in enumerate(FILES)}
    root.mkdir(exist_ok=True)
    with tarfile.open(root / datasets.ARCHIVE, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    digest = hashlib.md5((root / datasets.ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets, "MD5", digest)


def assert_only(root, *names):
    assert sorted(path.name for path in root.iterdir()) == sorted(names)


def test_reads_an_unpacked_folder_by_either_name(tmp_path):
    folder = write_folder(tmp_path)
    for root in (tmp_path, folder):
        data = datasets.cifar10(root)
        assert data.train_images.shape == (25, 3, 32, 32)
        assert data.test_images.shape == (5, 3, 32, 32)
        assert data.train_images.dtype == np.uint8
        assert data.train_labels.dtype == np.int64
    first = np.frombuffer(record_bytes(0), np.uint8)
    assert data.train_labels[0] == first[0]
    np.testing.assert_array_equal(data.train_images[0].ravel(), first[1 : datasets.RECORD])


def test_root_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TSBP_DATA", str(tmp_path))
    assert not datasets.available()
    write_folder(tmp_path)
    assert datasets.available()
    assert len(datasets.cifar10().test_labels) == 5


def test_unpacks_an_archive_and_keeps_one_put_there_by_hand(tmp_path, monkeypatch):
    write_archive(tmp_path, monkeypatch)
    data = datasets.cifar10(tmp_path)
    np.testing.assert_array_equal(data.test_images.ravel()[:9], list(record_bytes(5)[1:10]))
    assert_only(tmp_path, datasets.ARCHIVE, datasets.FOLDER)
    assert_only(tmp_path / datasets.FOLDER, *FILES)


def test_downloads_when_nothing_is_there(tmp_path, monkeypatch, httpserver_like):
    write_archive(tmp_path / "server", monkeypatch)
    monkeypatch.setattr(datasets, "URL", httpserver_like(tmp_path / "server") + datasets.ARCHIVE)
    root = tmp_path / "data"
    assert len(datasets.cifar10(root).train_labels) == 25
    assert_only(root, datasets.FOLDER)


@pytest.fixture
def httpserver_like():
    """Serve a folder on the loopback address."""
    import functools
    import http.server
    import threading

    servers = []

    def serve(folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        handler.log_message = lambda *args: None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_no_network(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(datasets.DatasetError, match="could not be downloaded.*TSBP_DATA"):
        datasets.cifar10(tmp_path / "data")
    assert_only(tmp_path / "data")


def test_download_that_breaks_off(tmp_path, monkeypatch, httpserver_like):
    write_archive(tmp_path / "server", monkeypatch)
    archive = tmp_path / "server" / datasets.ARCHIVE
    archive.write_bytes(archive.read_bytes()[:-100])
    monkeypatch.setattr(datasets, "URL", httpserver_like(tmp_path / "server") + datasets.ARCHIVE)
    with pytest.raises(datasets.DatasetError, match="not the published archive: its MD5 is"):
        datasets.cifar10(tmp_path / "data")
    assert_only(tmp_path / "data")


def test_wrong_checksum(tmp_path):
    (tmp_path / datasets.ARCHIVE).write_bytes(b"something else")
    with pytest.raises(datasets.DatasetError, match="MD5 is 6c7ba9c5a141421e1c03cb9807c97c74, not"):
        datasets.cifar10(tmp_path)
    assert_only(tmp_path, datasets.ARCHIVE)


def test_archive_without_a_file_or_with_one_of_the_wrong_size(tmp_path, monkeypatch):
    members = {f"{datasets.FOLDER}/{n}": record_bytes(i) for i, n in enumerate(FILES[:-1])}
    members[f"{datasets.FOLDER}/{datasets.TEST}"] = b"too short"
    write_archive(tmp_path, monkeypatch, members)
    with pytest.raises(datasets.DatasetError, match=r"lacks test_batch\.bin"):
        datasets.cifar10(tmp_path)
    assert_only(tmp_path, datasets.ARCHIVE)


def test_paths_in_the_archive_are_not_trusted(tmp_path, monkeypatch):
    members = {f"{datasets.FOLDER}/{n}": record_bytes(i) for i, n in enumerate(FILES)}
    members["../escaped.bin"] = b"evil"
    members["/tmp/../../data_batch_9.bin"] = record_bytes(9)
    root = tmp_path / "data"
    write_archive(root, monkeypatch, members)
    datasets.cifar10(root)
    assert_only(tmp_path, "data")
    assert_only(root / datasets.FOLDER, *FILES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (record_bytes(0)[:-1], r"data_batch_2\.bin is truncated: 15,364 bytes, not 15,365"),
        (record_bytes(0) + b"x", r"data_batch_2\.bin is oversized: 15,366 bytes, not 15,365"),
        (b"\x0a" + record_bytes(0)[1:], r"data_batch_2\.bin has a label 10; labels are 0 to 9"),
    ],
)
def test_bad_files(tmp_path, content, message):
    write_folder(tmp_path, data_batch_2=content)
    with pytest.raises(datasets.DatasetError, match=message + ".*Delete the folder"):
        datasets.cifar10(tmp_path)


def test_missing_file(tmp_path):
    (write_folder(tmp_path) / "data_batch_3.bin").unlink()
    with pytest.raises(datasets.DatasetError, match=r"data_batch_3\.bin is missing"):
        datasets.cifar10(tmp_path)


def test_full_disk(tmp_path, monkeypatch):
    write_archive(tmp_path, monkeypatch)

    def full(source, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(datasets.shutil, "copyfileobj", full)
    with pytest.raises(datasets.DatasetError, match="disk is full.*360 MB"):
        datasets.cifar10(tmp_path)
    assert_only(tmp_path, datasets.ARCHIVE)


def test_another_process_was_faster(tmp_path, monkeypatch):
    write_archive(tmp_path, monkeypatch)
    unpack = datasets._unpack

    def unpack_late(archive, target):
        unpack(archive, target)
        write_folder(tmp_path)

    monkeypatch.setattr(datasets, "_unpack", unpack_late)
    assert len(datasets.cifar10(tmp_path).test_labels) == 5
    assert_only(tmp_path, datasets.ARCHIVE, datasets.FOLDER)


@pytest.mark.skipif(not datasets.available(), reason="CIFAR-10 is not in data/ or TSBP_DATA")
def test_the_real_images(monkeypatch):
    monkeypatch.setattr(datasets, "RECORDS", 10_000)
    data = datasets.cifar10()
    assert (np.bincount(data.train_labels) == 5000).all()
    assert (np.bincount(data.test_labels) == 1000).all()
    means = data.train_images.mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
