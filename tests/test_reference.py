"""The back of the book: every word of the glossary is linked, every public name is described."""

import ast
import html
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import built

from tsbp_core.chapters import ORDER

ROOT = Path(__file__).parent.parent
BOOK, BUILT = ROOT / "book", ROOT / "_build" / "html"
CHAPTERS = sorted(BOOK.glob("[01][0-9]-*.ipynb"))
API = sorted(path.stem for path in BOOK.glob("api*.md"))
LONGEST = 15_000
"""Most pixels from top to bottom of a reference page in a window of 1280."""


def parsed(name):
    return BeautifulSoup(built(name).read_text(), "html.parser")


def explained():
    """The glossary's words, as its source has them."""
    text = (BOOK / "glossary.md").read_text()
    (words,) = re.findall(r"^```\{glossary\}\n:sorted:\n(.*?)^```$", text, re.M | re.S)
    return re.findall(r"^(\w.*)$", words, re.M)


def linked(path):
    """The words of the glossary that a chapter links, in order."""
    cells = nbformat.read(path, 4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    roles = re.findall(r"\{term\}`([^`]+)`", text)
    return [re.sub(r".*<(.+)>", r"\1", role) for role in roles]


def test_every_word_of_the_glossary_is_linked_where_it_comes_first():
    found = [word for path in CHAPTERS for word in linked(path)]
    assert sorted(found) == sorted(explained())
    assert explained() == sorted(explained(), key=str.lower)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_link_to_the_glossary_leads_to_its_word(path):
    words = {tag["id"]: tag.find(string=True).strip() for tag in parsed("glossary").find_all("dt")}
    links = parsed(path.stem).select('article a[href^="glossary.html#"]')
    assert [words[link["href"].partition("#")[2]] for link in links] == linked(path)


def public(module):
    """Functions and classes that a module defines for others; ``main`` is for its command."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    kinds = ast.FunctionDef | ast.ClassDef
    names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, kinds)]
    return [name for name in names if not name.startswith("_") and name != "main"]


def described():
    """Modules on the reference pages with the names asked for: ``(page, module, names)``."""
    for page in API:
        text = (BOOK / f"{page}.md").read_text()
        for module, options in re.findall(r"automodule:: (\S+)\n((?:   :.*\n)+)", text):
            (names,) = re.findall(r":members:(.*)", options)
            yield page, module, [n.strip() for n in names.split(",") if n.strip()]


def test_every_public_name_of_a_reference_page_has_its_words():
    """A name without a docstring is left out silently."""
    for page, module, names in described():
        ids = {tag["id"] for tag in parsed(page).find_all("dt", id=True)}
        wanted = {f"{module}.{name}" for name in names or public(module)}
        assert wanted - ids == set(), page


def test_every_folder_is_described_once():
    modules = [module for _, module, _ in described()]
    assert len(modules) == len(set(modules)) > 40
    folders = {re.sub(r"tsbp_core\.chapters\.(\w+)\..*", r"\1", module) for module in modules}
    assert set(ORDER) <= folders
    listed = re.findall(r"\]\((api-[\w-]+)\.md\)", (BOOK / "api.md").read_text())
    assert sorted(listed) == [page for page in API if page != "api"]


@pytest.mark.parametrize("name", [*API, "glossary", "notation"])
def test_a_reference_page_is_not_endless(name, page, measured):
    page.set_viewport_size({"width": 1280, "height": 800})
    built(name)
    page.goto((BUILT / f"{name}.html").as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    height = page.evaluate("document.documentElement.scrollHeight")
    measured("height of the longest reference page", height)
    assert height <= LONGEST


def test_a_word_of_the_glossary_can_be_read_in_a_notebook():
    copy = nbformat.read(BUILT.parent / "lab" / "glossary.ipynb", 4)
    text = "\n".join(cell.source for cell in copy.cells)
    page = parsed("glossary").find("dl", class_="glossary")
    assert len(page.find_all("dt")) == len(explained())
    for tag in page.find_all("dt"):
        assert f'<a id="{tag["id"]}"></a>**{html.escape(tag.find(string=True).strip())}**' in text
