import errno
import functools
import hashlib
import http.server
import io
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pooch
import pytest
import requests

from tsbp_core.lab import datasets

FILES = (*(f"data_batch_{i}.bin" for i in (1, 2, 3, 4, 5)), "test_batch.bin")
SIZE = 5 * datasets.RECORD


def available(root=None):
    """Whether all six files are where ``cifar10(root)`` looks for them."""
    return all((datasets._folder(root) / name).is_file() for name in FILES)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Files of five records, and no setting of the user's."""
    monkeypatch.setattr(datasets, "RECORDS", 5)
    monkeypatch.delenv("TSBP_DATA", raising=False)


@pytest.fixture
def serve(monkeypatch):
    """Serve a folder's archive on the loopback address in place of the official one."""
    servers = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    def serve(folder):
        handler = functools.partial(Handler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}/{datasets.ARCHIVE}"
        monkeypatch.setattr(datasets, "URL", url)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def no_download(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(requests, "get", refuse)


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


def official_members():
    return {f"{datasets.FOLDER}/{name}": record_bytes(i) for i, name in enumerate(FILES)}


def write_archive(root, monkeypatch, members=None):
    """Put an archive in ``root`` by hand and make its sum the published one.

    A member whose content is a string is a symbolic link to that path.
    """
    root.mkdir(exist_ok=True)
    archive = root / datasets.ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in (members or official_members()).items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname, content = tarfile.SYMTYPE, content, b""
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    publish(archive, monkeypatch)
    return archive


def publish(archive, monkeypatch):
    monkeypatch.setattr(datasets, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())


def assert_only(root, *names):
    assert sorted(path.name for path in root.iterdir()) == sorted(names)


def fails(root, *parts):
    """Load from ``root`` and ask for a DatasetError with these parts in its message."""
    with pytest.raises(datasets.DatasetError) as error:
        datasets.cifar10(root)
    for part in parts:
        assert str(part) in str(error.value)


def test_reads_an_unpacked_folder_by_either_name(tmp_path, no_download):
    folder = write_folder(tmp_path)
    for root in (tmp_path, folder, str(folder)):
        data = datasets.cifar10(root)
        assert data.train_images.shape == (25, 3, 32, 32)
        assert data.test_images.shape == (5, 3, 32, 32)
        assert data.train_images.dtype == data.test_images.dtype == np.uint8
        assert data.train_labels.dtype == data.test_labels.dtype == np.int64


def test_labels_and_planes_are_in_their_places(tmp_path):
    write_folder(tmp_path)
    data = datasets.cifar10(tmp_path)
    for i in range(5):
        records = np.frombuffer(record_bytes(i), np.uint8).reshape(5, datasets.RECORD)
        part = slice(5 * i, 5 * i + 5)
        np.testing.assert_array_equal(data.train_labels[part], records[:, 0])
        np.testing.assert_array_equal(data.train_images[part].reshape(5, -1), records[:, 1:])
    green = record_bytes(5)[1 + 1024 : 1 + 2048]
    assert data.test_images[0, 1].tobytes() == green


def test_class_names():
    assert len(datasets.CLASSES) == 10
    assert datasets.CLASSES[0] == "airplane"
    assert datasets.CLASSES[9] == "truck"


@pytest.mark.parametrize("inside", [False, True])
def test_root_from_the_environment(tmp_path, monkeypatch, inside):
    folder = tmp_path / datasets.FOLDER
    monkeypatch.setenv("TSBP_DATA", str(folder if inside else tmp_path))
    assert not available()
    write_folder(tmp_path)
    assert available()
    assert len(datasets.cifar10().test_labels) == 5


def test_root_may_be_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(write_folder(tmp_path))
    assert available(".")
    assert available("..")


@pytest.mark.parametrize(
    "root", ["~/my data", "~/my data/", "my data", "./my data/", "a/../my data"]
)
@pytest.mark.parametrize("inside", [False, True])
def test_paths_as_users_write_them(tmp_path, monkeypatch, no_download, root, inside):
    """As an argument and in the environment, whatever a shell would have made of them."""
    write_folder(tmp_path / "my data")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    root = f"{root}/{datasets.FOLDER}/" if inside else root
    assert len(datasets.cifar10(root).test_labels) == 5
    monkeypatch.setenv("TSBP_DATA", root)
    assert available()


def test_the_folder_of_the_data_is_the_one_that_holds_them(tmp_path, monkeypatch):
    assert datasets.data_folder(tmp_path) == datasets.data_folder(tmp_path / datasets.FOLDER)
    monkeypatch.setenv("TSBP_DATA", f"{tmp_path}/a/..")
    assert datasets.data_folder() == tmp_path


def test_a_root_below_the_folder_is_not_taken_for_it(tmp_path, monkeypatch):
    folder = write_folder(tmp_path)
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    assert available("..")
    assert not available(".")


def test_default_root_is_data_of_the_project_or_else_of_the_current_folder(tmp_path, monkeypatch):
    project, current = tmp_path / "project", tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    monkeypatch.setattr(datasets, "__file__", str(project / "tsbp_core" / "lab" / "datasets.py"))
    write_folder(current / "data")
    assert available()
    (project / "data").mkdir(parents=True)
    assert not available()
    write_folder(project / "data")
    assert available()


def test_unpacks_an_archive_and_keeps_one_put_there_by_hand(tmp_path, monkeypatch, no_download):
    write_archive(tmp_path, monkeypatch)
    data = datasets.cifar10(tmp_path)
    assert data.test_images[0].tobytes() == record_bytes(5)[1 : datasets.RECORD]
    assert_only(tmp_path, datasets.ARCHIVE, datasets.FOLDER)
    assert_only(tmp_path / datasets.FOLDER, *FILES)


def test_downloads_when_nothing_is_there_and_deletes_the_archive(
    tmp_path, monkeypatch, serve, capfd
):
    write_archive(tmp_path / "server", monkeypatch)
    serve(tmp_path / "server")
    root = tmp_path / "data"
    assert len(datasets.cifar10(root).train_labels) == 25
    assert_only(root, datasets.FOLDER)
    assert "100%" in capfd.readouterr().err


def test_no_network(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)
    root = tmp_path / "data"
    parts = (datasets.URL, "ConnectionError", datasets.ARCHIVE, datasets.FOLDER, root, "TSBP_DATA")
    fails(root, "could not be downloaded", *parts)
    assert_only(root)


def test_server_without_the_archive(tmp_path, serve):
    serve(tmp_path)
    fails(tmp_path, "could not be downloaded", "HTTP status 404")
    assert_only(tmp_path)


def test_download_with_the_wrong_checksum(tmp_path, monkeypatch, serve):
    archive = write_archive(tmp_path / "server", monkeypatch)
    archive.write_bytes(archive.read_bytes()[:-100])
    serve(tmp_path / "server")
    found = hashlib.md5(archive.read_bytes()).hexdigest()
    root = tmp_path / "data"
    fails(root, "not the published archive", found, datasets.MD5, "Nothing of it was kept")
    assert_only(root)


def test_archive_by_hand_with_the_wrong_checksum(tmp_path, no_download):
    archive = tmp_path / datasets.ARCHIVE
    archive.write_bytes(b"something else")
    found = "6c7ba9c5a141421e1c03cb9807c97c74"
    fails(tmp_path, "not the published archive", found, datasets.MD5, f"Delete {archive}")
    assert_only(tmp_path, datasets.ARCHIVE)


@pytest.mark.parametrize("name", FILES)
def test_archive_that_lacks_a_file(tmp_path, monkeypatch, name):
    members = official_members()
    del members[f"{datasets.FOLDER}/{name}"]
    write_archive(tmp_path, monkeypatch, members)
    fails(tmp_path, f"{datasets.ARCHIVE} lacks {name}.", "Delete")
    assert_only(tmp_path, datasets.ARCHIVE)


@pytest.mark.parametrize("change", [-1, 1])
def test_archive_with_a_file_of_the_wrong_size(tmp_path, monkeypatch, change):
    members = official_members()
    members[f"{datasets.FOLDER}/{datasets.TEST}"] = bytes(SIZE + change)
    write_archive(tmp_path, monkeypatch, members)
    fails(tmp_path, f"has {datasets.TEST} with {SIZE + change:,} bytes, not {SIZE:,}", "Delete")
    assert_only(tmp_path, datasets.ARCHIVE)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"no gzip" + content, "not a gzip file"),
        (lambda content: content[: len(content) // 2], "ended before the end-of-stream marker"),
        (lambda content: content[:20] + b"\xff" * 20 + content[40:], "while decompressing data"),
    ],
    ids=["not gzip", "truncated", "corrupt"],
)
def test_archive_that_is_damaged(tmp_path, monkeypatch, damage, message):
    archive = write_archive(tmp_path, monkeypatch)
    archive.write_bytes(damage(archive.read_bytes()))
    publish(archive, monkeypatch)
    fails(tmp_path, f"{datasets.ARCHIVE} can't be unpacked", message, f"Delete {archive}")
    assert_only(tmp_path, datasets.ARCHIVE)


def test_paths_in_the_archive_are_not_trusted(tmp_path, monkeypatch):
    foreign = (
        "../data_batch_1.bin",
        f"../{datasets.FOLDER}/data_batch_1.bin",
        f"{datasets.FOLDER}/../data_batch_1.bin",
        str(tmp_path / "data_batch_1.bin"),
        f"{datasets.FOLDER}/readme.html",
    )
    members = {name: record_bytes(99) for name in foreign} | official_members()
    root = tmp_path / "data"
    write_archive(root, monkeypatch, members)
    data = datasets.cifar10(root)
    assert data.train_images[0].tobytes() == record_bytes(0)[1 : datasets.RECORD]
    assert_only(tmp_path, "data")
    assert_only(root, datasets.ARCHIVE, datasets.FOLDER)
    assert_only(root / datasets.FOLDER, *FILES)


def test_links_in_the_archive_are_not_followed(tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(record_bytes(99))
    root = tmp_path / "data"
    link = {f"{datasets.FOLDER}/{datasets.TEST}": str(tmp_path / "secret")}
    write_archive(root, monkeypatch, official_members() | link)
    fails(root, f"lacks {datasets.TEST}")
    assert_only(root, datasets.ARCHIVE)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (record_bytes(0)[:-1], "is truncated: 15,364 bytes, not 15,365."),
        (record_bytes(0) + b"x", "is oversized: 15,366 bytes, not 15,365."),
        (b"\x0a" + record_bytes(0)[1:], "has a label 10; labels are 0 to 9."),
        (bytes(SIZE), "is damaged: 5 images of one value throughout."),
        (
            record_bytes(0)[: 4 * datasets.RECORD] + b"\x01" + b"\xff" * (datasets.RECORD - 1),
            "is damaged: 1 images of one value throughout.",
        ),
    ],
    ids=["truncated", "oversized", "label", "zeros", "one"],
)
def test_bad_files(tmp_path, name, content, message):
    folder = write_folder(tmp_path, **{name.removesuffix(".bin"): content})
    fails(tmp_path, f"{folder / name} {message}", f"Delete the folder {folder}")
    assert_only(tmp_path, datasets.FOLDER)
    assert_only(folder, *FILES)


@pytest.mark.parametrize("name", FILES)
def test_missing_file(tmp_path, no_download, name):
    folder = write_folder(tmp_path)
    (folder / name).unlink()
    fails(tmp_path, f"{folder / name} is missing.", f"Delete the folder {folder}")
    assert_only(tmp_path, datasets.FOLDER)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_while_unpacking(tmp_path, monkeypatch, code):
    write_archive(tmp_path, monkeypatch)

    def full(source, file):
        file.write(b"half")
        raise OSError(code, "No space left on device")

    monkeypatch.setattr(datasets.shutil, "copyfileobj", full)
    fails(tmp_path, "the disk is full", "180 MB", "170 MB more", tmp_path, "TSBP_DATA")
    assert_only(tmp_path, datasets.ARCHIVE)


def test_full_disk_while_downloading(tmp_path, monkeypatch):
    def full(self, url, output_file, pooch):
        with open(output_file, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    fails(tmp_path, "the disk is full", "180 MB", "170 MB more", tmp_path, "TSBP_DATA")
    assert_only(tmp_path)


def test_root_that_is_no_folder(tmp_path):
    root = tmp_path / "file"
    root.write_bytes(b"")
    fails(root, f"can't be unpacked in {root}", "File exists", "TSBP_DATA")
    assert_only(tmp_path, "file")


def test_stopped_by_the_user(tmp_path, monkeypatch):
    write_archive(tmp_path, monkeypatch)

    def stop(source, file):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.shutil, "copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        datasets.cifar10(tmp_path)
    assert_only(tmp_path, datasets.ARCHIVE)


def test_two_processes_at_once(tmp_path, monkeypatch):
    """Both unpack before either renames; one takes over the folder of the other."""
    program = (
        "import hashlib, os, pathlib, sys, time\n"
        "from tsbp_core.lab import datasets\n"
        "root, meeting = map(pathlib.Path, sys.argv[1:3])\n"
        "datasets.RECORDS, datasets.MD5, unpack = 5, sys.argv[3], datasets._unpack\n"
        "def meet(*args):\n"
        "    unpack(*args)\n"
        "    (meeting / str(os.getpid())).touch()\n"
        "    until = time.monotonic() + 30\n"
        "    while len(list(meeting.iterdir())) < 2 and time.monotonic() < until:\n"
        "        time.sleep(0.01)\n"
        "datasets._unpack = meet\n"
        "print(hashlib.md5(datasets.cifar10(root).train_images).hexdigest())\n"
    )
    root, meeting = tmp_path / "data", tmp_path / "meeting"
    meeting.mkdir()
    write_archive(root, monkeypatch)
    command = [sys.executable, "-c", program, str(root), str(meeting), datasets.MD5]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert len(list(meeting.iterdir())) == 2
    assert outputs == 2 * [hashlib.md5(datasets.cifar10(root).train_images).hexdigest()]
    assert_only(root, datasets.ARCHIVE, datasets.FOLDER)


@pytest.mark.skipif(not available(), reason="CIFAR-10 is not in data/ or TSBP_DATA")
def test_the_real_images(monkeypatch):
    monkeypatch.undo()
    data = datasets.cifar10()
    assert data.train_images.shape == (50_000, 3, 32, 32)
    assert data.test_images.shape == (10_000, 3, 32, 32)
    assert (np.bincount(data.train_labels) == 5000).all()
    assert (np.bincount(data.test_labels) == 1000).all()
    means = data.train_images.mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
