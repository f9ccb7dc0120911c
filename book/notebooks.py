"""Make notebooks that read like the built pages: for JupyterLab, and to download.

The built page has every number, title and link in its place; the chapter's own
notebook has the code. A copy is both: plain Markdown, hidden cells folded.
"""

import hashlib
import re
from pathlib import Path

import nbformat
import yaml
from bs4 import BeautifulSoup, SoupStrainer

from reading import Page, grouped

BOOK = Path(__file__).resolve().parent
BUILD = BOOK.parent / "_build"
CONFIG = yaml.safe_load((BOOK.parent / "_config.yml").read_text())
REPOSITORY = CONFIG.get("repository", {}).get("url")
INSTALL = (
    f'%pip install --quiet "tsbp-core[full] @ git+{REPOSITORY}"'
    if REPOSITORY
    else """raise ImportError("in the book's folder: pip install '.[full]'")"""
)
FIRST = f"""# Choose Run > Run All Cells, and the pictures appear.
# Where the package is missing, as in Colab, this cell says or does what is needed.
try:
    import tsbp_core
except ImportError:
    {INSTALL}"""
SOURCE, OUTPUTS = {"source_hidden"}, {"outputs_hidden"}
HIDDEN = {
    "hide-input": SOURCE,
    "remove-input": SOURCE,
    "hide-output": OUTPUTS,
    "remove-output": OUTPUTS,
    "hide-cell": SOURCE | OUTPUTS,
    "remove-cell": SOURCE | OUTPUTS,
}
"""What JupyterLab folds of a cell with a tag."""
METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def code_cell(cell, folded):
    tags = cell.metadata.get("tags", [])
    hidden = set().union(*(HIDDEN.get(tag, ()) for tag in tags))
    if folded:
        hidden = SOURCE | OUTPUTS
    metadata = {"tags": tags} if tags else {}
    if hidden:
        metadata["jupyter"] = dict.fromkeys(sorted(hidden), True)
    return nbformat.v4.new_code_cell(
        cell.source, id=cell.id, metadata=metadata
    )


def files(cell):
    """Folded cells that write the files of the book which a cell runs."""
    for name in re.findall(r"^%run (\S+)$", cell.source, re.M):
        text = f"%%writefile {name}\n{(BOOK / name).read_text()}".rstrip()
        file = nbformat.v4.new_code_cell(text, id=f"{cell.id}-file")
        yield code_cell(file, folded=True)


def sections(pieces):
    """Texts of Markdown cells, cut at headings."""
    groups = []
    for piece in pieces:
        if not groups or piece.startswith("#"):
            groups.append([])
        groups[-1].append(piece)
    return ["\n\n".join(section) for section in groups]


def dropped(cell):
    """Whether the page has nothing of a cell."""
    return "remove-cell" in cell.metadata.get("tags", [])


def cells(name, pieces, code):
    """A copy's cells: the page's text, and the notebook's code in its place.

    Raises
    ------
    ValueError
        If the page has other cells than the notebook.
    """
    made, left = [], list(code)
    for shows_code, group in grouped(pieces):
        if not shows_code:
            for text in sections(group):
                number = f"{name}-text-{len(made)}"
                made.append(nbformat.v4.new_markdown_cell(text, id=number))
            continue
        for place in group:
            while left and dropped(left[0]):
                made.append(code_cell(left.pop(0), folded=True))
            if not left:
                raise ValueError(f"{name} is not built from its notebook")
            cell = left.pop(0)
            made += [*files(cell), code_cell(cell, place.folded)]
    if not all(map(dropped, left)):
        raise ValueError(f"{name} is not built from its notebook")
    return made + [code_cell(cell, folded=True) for cell in left]


DRAWN = re.compile("<svg.*?</svg>", re.S)
"""Pictures on a page, most of its tags; a copy draws its own."""


def articles(built):
    """What is between the margins of each built page."""
    toc = (BOOK / "_toc.yml").read_text()
    by_name = {}
    for name in re.findall(r"(?:file|root): (\S+)", toc):
        text = (built / f"{name}.html").read_text()
        text = DRAWN.sub("", text)
        only = SoupStrainer("article")
        by_name[name] = BeautifulSoup(text, "html.parser", parse_only=only)
    return by_name


def places(pages):
    """Where the pages' links lead, as (page, id)."""
    targets = set()
    for name, article in pages.items():
        for link in article("a", class_="reference", href=True):
            page, _, place = link["href"].partition("#")
            targets.add((page.removesuffix(".html") or name, place))
    return targets


def copies(built=BUILD / "html"):
    """Notebooks by name, one for each built page."""
    pages = articles(built)
    targets, notebooks = places(pages), {}
    for name, article in pages.items():
        path = BOOK / f"{name}.ipynb"
        tracked = nbformat.read(path, 4).cells if path.exists() else []
        code = [cell for cell in tracked if cell.cell_type == "code"]
        page = Page(name, pages, targets, live=path.exists())
        made = cells(name, page.blocks(article), code)
        if code:
            made.insert(
                0, nbformat.v4.new_code_cell(FIRST, id=f"{name}-first")
            )
        notebook = nbformat.v4.new_notebook(cells=made, metadata=METADATA)
        text = nbformat.writes(notebook)
        notebook.metadata["tsbp_copy"] = hashlib.sha256(
            text.encode()
        ).hexdigest()
        notebooks[name] = notebook
    return notebooks


def same(path, notebook):
    """Whether a file is a copy of this page as it is now, perhaps worked on."""
    if not path.exists():
        return False
    there = nbformat.read(path, 4).metadata.get("tsbp_copy")
    return there == notebook.metadata["tsbp_copy"]


def write(built=BUILD / "html", folder=BUILD / "lab"):
    """Write the copies into a folder, and where the built pages offer them.

    What a reader did to a copy stays until its page changes.
    """
    folder.mkdir(exist_ok=True)
    for name, notebook in copies(built).items():
        nbformat.validate(notebook)
        offered = built / "_sources" / f"{name}.ipynb"
        if offered.exists():
            nbformat.write(notebook, offered)
        if not same(folder / f"{name}.ipynb", notebook):
            nbformat.write(notebook, folder / f"{name}.ipynb")


if __name__ == "__main__":
    write()
