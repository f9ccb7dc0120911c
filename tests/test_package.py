import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import tsbp_core
from tsbp_core.chapters import ORDER

PACKAGE = Path(tsbp_core.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
OPTIONAL = {"tsbp_core.triton_lif", "tsbp_core.chapters.growth.kernels"}
"""What needs a package that is not everywhere; imported where it is used."""
NUMPY_ALONE = """
import sys

class NumpyAlone:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in {*sys.stdlib_module_names, "numpy", "tsbp_core"}:
            raise ImportError(f"the core imports {name}")

sys.meta_path.insert(0, NumpyAlone())
import numpy as np
import tsbp_core as tsbp
from tsbp_core import gradcheck, network, numpy_lif, surrogates
lif = tsbp.LIF(surrogate=surrogates.Sigmoid())
print(gradcheck.check(np.full(5, 0.6), lif).with_term < 1e-7)
"""


def test_the_core_needs_numpy_alone():
    out = subprocess.run([sys.executable, "-c", NUMPY_ALONE], capture_output=True, text=True)
    assert out.stdout.strip() == "True", out.stderr


def imported(node):
    """Modules of this package that an import names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in MODULES}
    if not isinstance(node, ast.ImportFrom) or node.module not in MODULES:
        return set()
    inside = {f"{node.module}.{alias.name}" for alias in node.names}
    return inside & MODULES.keys() or {node.module}


def imports(name, hidden=False):
    """What a module imports from this package: at its top, or anywhere (``hidden``)."""
    tree = ast.parse(MODULES[name].read_text())
    nodes = ast.walk(tree) if hidden else tree.body
    return set().union(*map(imported, nodes))


def place(name):
    """Layer, folder and, of a chapter, place in the order."""
    _, *folders = name.split(".")
    if folders[:1] == ["chapters"]:
        return (2, "chapters", ORDER.index(folders[1]) if folders[1:] else -1)
    return (1, folders[0], 0) if folders[:1] in (["page"], ["lab"]) else (0, "core", 0)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    """Core, then page and lab, which don't know each other, then the chapters in their order."""
    layer, folder, order = place(name)
    for other in imports(name):
        below, elsewhere, before = place(other)
        assert below < layer or (elsewhere == folder and before <= order), f"{name} imports {other}"


@pytest.mark.parametrize("name", MODULES)
def test_no_import_of_this_package_hides(name):
    assert imports(name, hidden=True) - imports(name) <= OPTIONAL


def test_imports_make_no_circle():
    graphlib.TopologicalSorter({name: imports(name) for name in MODULES}).prepare()


def test_every_folder_of_chapters_has_its_place():
    folders = {path.parent.name for path in (PACKAGE / "chapters").glob("*/__init__.py")}
    assert folders <= set(ORDER)
