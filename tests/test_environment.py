"""What pyproject.toml asks for is what requirements.txt pins, and what is pinned can be trusted."""

import re
import tomllib
from collections import defaultdict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tsbp_core.lab import results

ASKED = tomllib.loads((results.PROJECT / "pyproject.toml").read_text())
LOCK = (results.PROJECT / "requirements.txt").read_text()
TORCH = (results.PROJECT / "requirements-torch.txt").read_text()
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ; (.+?))? \\\n((?:    .*\n)+)", re.M)


def direct():
    """Requirements that ``pyproject.toml`` names, in all groups."""
    project, groups = ASKED["project"], ASKED["dependency-groups"]
    full = project["optional-dependencies"]["full"]
    for line in [*project["dependencies"], *full, *groups["book"], *groups["test"]]:
        yield Requirement(line)


def pins(text):
    """What a lock file holds: ``{name: [(version, marker, what follows), ...]}``."""
    found = defaultdict(list)
    for name, version, marker, rest in PIN.findall(text):
        found[name].append((version, marker, rest))
    return found


def disagreements(requirements, locked):
    """Requirements that no pin meets, and pins that nothing asks for."""
    wrong, asked = [], set()
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        versions = [version for version, *_ in locked.get(name, [])]
        asked.add(name)
        if not versions or not all(v in requirement.specifier for v in versions):
            wrong.append(f"{requirement} is asked for, {versions} pinned")
    for name, entries in locked.items():
        via = "tsbp-core (pyproject.toml" in entries[0][2]
        if via != (name in asked):
            wrong.append(f"{name} is {'not ' * via}asked for in pyproject.toml")
    return wrong


def test_the_lock_is_what_pyproject_asks_for():
    wanted = [r for r in direct() if r.name != "torch"]
    assert disagreements(wanted, pins(LOCK)) == []


@pytest.mark.parametrize(
    ("line", "word"),
    [("numpy>=99", "numpy>=99"), ("left-pad>=1", "left-pad"), ("zipp>=3", "zipp")],
)
def test_a_disagreement_is_noticed(line, word):
    wanted = [r for r in direct() if r.name not in ("torch", "numpy")] + [Requirement(line)]
    if not line.startswith("numpy"):
        wanted.append(Requirement("numpy"))
    assert word in " ".join(disagreements(wanted, pins(LOCK)))


def test_every_line_of_the_lock_is_a_pin_with_hashes():
    starts = [line for line in LOCK.splitlines() if line.strip() and line[:1] not in "# "]
    assert len(starts) == sum(map(len, pins(LOCK).values())) > 100
    for name, entries in pins(LOCK).items():
        for _, _, rest in entries:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", rest), name


def test_torch_is_pinned_and_brings_nothing_that_is_not():
    """Its own file has one pin; what it asks for, CUDA apart, is in the lock."""
    (line,) = [line for line in TORCH.splitlines() if not line.startswith("#")]
    pinned = Requirement(line)
    (said,) = ASKED["tool"]["uv"]["dependency-metadata"]
    assert str(pinned.specifier) == f"=={said['version']}"
    (asked,) = [r for r in direct() if r.name == "torch"]
    assert said["version"] in asked.specifier
    for needed in map(Requirement, said["requires-dist"]):
        versions = [version for version, *_ in pins(LOCK)[canonicalize_name(needed.name)]]
        assert versions and all(v in needed.specifier for v in versions), needed


def test_what_torch_says_it_needs_is_what_we_wrote_down():
    from importlib import metadata

    torch = metadata.distribution("torch")
    (said,) = ASKED["tool"]["uv"]["dependency-metadata"]
    if torch.version.partition("+")[0] != said["version"]:
        pytest.skip(f"torch {torch.version} is installed")
    written = {canonicalize_name(Requirement(line).name) for line in said["requires-dist"]}
    asked = [Requirement(line) for line in torch.requires]
    here = {r for r in asked if not r.marker or r.marker.evaluate({"extra": ""})}
    names = {canonicalize_name(r.name) for r in here}
    cuda = {name for name in names if name.startswith(("nvidia-", "cuda-"))}
    assert names - cuda <= written


def test_the_build_backend_is_the_one_that_is_pinned():
    (backend,) = map(Requirement, ASKED["build-system"]["requires"])
    ((version, *_),) = pins(LOCK)[backend.name]
    assert str(backend.specifier) == f"=={version}"


def test_no_registry_is_named():
    for text in (LOCK, TORCH, (results.PROJECT / "pyproject.toml").read_text()):
        assert "://" not in text
