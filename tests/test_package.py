import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import nbformat
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


def reached(roots):
    """All modules of this package that importing ``roots`` runs."""
    found, left = set(), set(roots)
    while left:
        name = left.pop()
        found.add(name)
        packages = {name[:i] for i, letter in enumerate(name) if letter == "."}
        left |= ((imports(name) | packages) & MODULES.keys()) - found
    return found


def needs_torch(tree):
    names = [a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == "torch" for name in names)


@pytest.mark.parametrize(
    "chapter", ["index", "playground", "01", "02", "03", "04", "05", "09", "10", "14"]
)
def test_chapters_that_need_no_torch_do_not_import_it(chapter):
    (path,) = (Path(__file__).parents[1] / "book").glob(f"{chapter}*.ipynb")
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    trees = [ast.parse(cell.source) for cell in cells]
    assert not any(map(needs_torch, trees))
    modules = reached(set().union(*(imported(node) for tree in trees for node in tree.body)))
    heavy = {name for name in modules if needs_torch(ast.parse(MODULES[name].read_text()))}
    assert heavy == set()


def test_needs_torch_sees_both_ways_of_importing_it():
    for line in ("import torch", "import numpy, torch", "from torch import nn", "import torch.nn"):
        assert needs_torch(ast.parse(line))
    assert not needs_torch(ast.parse("from tsbp_core import torch_lif"))
    assert "tsbp_core.torch_lif" in reached({"tsbp_core.chapters.cifar10.training"})


LINES, FUNCTION = 350, 50
"""Most lines of a file, and of a function without its docstring."""


@pytest.mark.parametrize("name", MODULES)
def test_files_and_functions_are_short(name):
    text = MODULES[name].read_text()
    assert len(text.splitlines()) <= LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            assert node.end_lineno - first.lineno + 1 <= FUNCTION, node.name
