"""Every chapter runs; every built page works in a browser, from the disk and over http."""

import ast
import builtins
import functools
import html
import http.server
import inspect
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from conftest import built
from nbclient import NotebookClient
from pypdf import PdfReader
from traitlets.config import Config

from tsbp_core import surrogates
from tsbp_core.page.explorer import Explorer

BOOK = Path(__file__).parent.parent / "book"
sys.path.insert(0, str(BOOK))
from pdf import UNFOLD  # noqa: E402

BUILT = BOOK.parent / "_build" / "html"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.name[0].isdigit()]
PAGES = sorted(re.findall(r"(?:file|root): (\S+)", (BOOK / "_toc.yml").read_text()))


def stem(path):
    return path.stem


def prose(path):
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_notebook_is_clean(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_what_follows_the_head_of_a_solution_is_on_the_page(path):
    """The directive is closed at once: what stands in it is dropped."""
    text = prose(path)
    heads = re.findall(r":::\{solution-start\} \S+\n(?::\w.*\n)*(.*)", text)
    assert text.count("{solution-start}") == len(heads)
    assert set(heads) <= {":::"}


@pytest.mark.xdist_group("kernels")  # one at a time: they are timed
@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_notebook_runs_live_cells_included(path):
    notebook = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory() as folder:  # no TCP: its ports get taken
        client = NotebookClient(
            notebook,
            timeout=120,  # a reply that its poll missed is found when the wait ends
            resources={"metadata": {"path": str(BOOK)}},
            skip_cells_with_tag="",
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}}),
        )
        start = time.perf_counter()
        client.execute()
        taken = time.perf_counter() - start
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    errors = [
        o.text for c in notebook.cells for o in c.get("outputs", ()) if o.get("name") == "stderr"
    ]
    assert errors == []
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    glued = {o.get("metadata", {}).get("scrapbook", {}).get("name") for o in outputs}
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", prose(path))) <= glued
    # Under 20 s on a quiet machine; a loaded one, or kernels to compile, may take much longer.
    assert taken < 300, f"{path.name} took {taken:.0f} s; a chapter should take under 20 s"


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_chapter_has_its_parts(path):
    text = prose(path)
    parts = ["You will learn", "You need", "## The idea in words"]
    for part in [*parts, "## What goes wrong", "## Exercises", "## Summary"]:
        assert part in text, f"{path.name} lacks {part!r}"
    exercises = re.findall(r"\{exercise\}[^\n]*\n:label: (\S+)", text)
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)\n:class: dropdown", text)
    assert 3 <= len(exercises) <= 6
    assert exercises == solutions
    assert re.search(r"^\*\*.*\?\*\*$", text, re.M), "the opening question is missing"


HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
"""Tags of cells whose source is folded or not there."""
LINES, CELL, MINUTES = 60, 12, 25
"""Most visible lines of code in a chapter and in a cell; most minutes that a chapter takes."""


def source_lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def visible_cells(path):
    """Code cells whose source stands on the page, each with its folded solution or ""."""
    inside = ""
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            for start, label in re.findall(r"\{solution-(start|end)\} ?(\S*)", cell.source):
                inside = label if start == "start" else ""
        elif cell.cell_type == "code" and not HIDDEN & set(cell.metadata.get("tags", ())):
            yield cell, inside


def reading_text(text):
    """Prose without exercises, solutions and what else is folded."""
    text = re.sub(
        r"^:::\{solution-start\}.*?^:::\{solution-end\}\n:::", "", text, flags=re.M | re.S
    )
    block = re.compile(r"^(:{3,})\{([\w-]+)\}[^\n]*\n((?::\w+:[^\n]*\n)*).*?^\1$\n?", re.M | re.S)

    def folds(found):
        _, name, options = found.groups()
        folded = name in ("exercise", "solution", "dropdown") or "dropdown" in options
        return "" if folded else found[0]

    return block.sub(folds, text)


def reading_minutes(path):
    """200 words a minute, 20 s an equation, 10 s a visible line of code; exercises apart."""
    text = reading_text(prose(path))
    words, equations = re.subn(r"^\$\$.*?^\$\$.*?$", "", text, flags=re.M | re.S)
    code = sum(source_lines(cell) for cell, inside in visible_cells(path) if not inside)
    return len(words.split()) / 200 + equations / 3 + code / 6


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_code_on_a_page_is_short(path):
    """What loads, formats, counts or glues belongs into the package, and its cell is hidden."""
    cells = list(visible_cells(path))
    assert [cell.source for cell, _ in cells if source_lines(cell) > CELL] == []
    assert sum(source_lines(cell) for cell, inside in cells if not inside) <= LINES


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_code_on_a_page_shows_what_it_prints(path):
    tags = [set(cell.metadata.get("tags", ())) for cell, _ in visible_cells(path)]
    assert not any("hide-output" in own or "remove-output" in own for own in tags)


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_a_chapter_is_read_in_25_minutes(path):
    assert reading_minutes(path) <= MINUTES


def unmet(path):
    """Names that a visible cell uses, and that no visible cell before it made; explorers apart."""
    met, own, where, found = set(dir(builtins)), set(), "", []
    for cell, inside in visible_cells(path):
        if "explorers." in cell.source:
            continue
        if inside != where:
            where, own = inside, set()
        nodes = list(ast.walk(ast.parse(re.sub(r"^%.*$", "", cell.source, flags=re.M))))
        made = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        made |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        made |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        made |= {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
        used = {n.id for n in nodes if isinstance(n, ast.Name)}
        found += [(cell.id, name) for name in sorted(used - made - met - own)]
        (own if inside else met).update(made)
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_a_reader_has_met_what_a_cell_uses(path):
    assert unmet(path) == []


NUMBER = re.compile(r"(?<!\w)(?<!\w-)\d|\{glue")
"""Not the digits of a name, such as CIFAR-10."""


def bold(text):
    """What stands in bold, code and formulas apart."""
    text = re.sub(r"^```.*?^```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.M | re.S)
    return text.split("**")[1::2]


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_no_number_is_bold(path):
    """Bold is for a term at its definition and for the one sentence to remember."""
    assert [words for words in bold(prose(path)) if NUMBER.search(words)] == []


@pytest.fixture(scope="module")
def server():
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(BUILT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def guess(page):
    """Mark a guess wherever a picture waits for one."""
    forms = page.locator(".guessing > .guess")
    while forms.count():
        mark = forms.first.locator("input").first
        mark.press("Space" if mark.get_attribute("type") == "radio" else "ArrowRight")
        forms.first.locator("button").click()


@pytest.mark.parametrize("over", ["file", "http"])
@pytest.mark.parametrize("name", PAGES)
def test_page_works_without_a_network(name, over, page, server):
    url = built(name).as_uri() if over == "file" else f"{server}/{name}.html"
    source = built(name).read_text()
    assert str(BOOK.parent) not in source, "a machine's path is on the page"
    page.goto(url)
    if "math notranslate" in source:
        page.wait_for_selector("mjx-container", timeout=15_000)
        page.evaluate("MathJax.startup.promise.then(() => null)")
        assert page.locator("mjx-merror").count() == 0
    guess(page)
    for explorer in page.locator(".tsbp-explorer").all():
        slider = explorer.locator("input[type=range], select").first
        frame, summary = explorer.get_attribute("data-frame"), explorer.locator(".summary")
        before = summary.text_content()
        slider.focus()
        page.keyboard.press("Home")
        page.keyboard.press("End")
        start_at_end = frame == explorer.get_attribute("data-frame")
        page.keyboard.press("Home" if start_at_end else "End")
        assert explorer.get_attribute("data-frame") != frame
        assert summary.text_content() != before
    for svg in page.locator(".tsbp-figure svg").all():
        assert svg.get_attribute("aria-label")
    assert page.faults == []


@pytest.mark.parametrize("name", [path.stem for path in CHAPTERS])
def test_chapter_fits_a_narrow_screen(name, page):
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(built(name).as_uri())
    page.wait_for_selector("mjx-container")
    page.evaluate("MathJax.startup.promise.then(() => null)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator(".tsbp-explorer, .tsbp-playground").count() >= 1


CUT = """() => {
    const end = document.querySelector('.bd-article').getBoundingClientRect().right + 1, cut = [];
    for (const drawn of document.querySelectorAll('.bd-article :is(mjx-math, table)')) {
        const {right, width} = drawn.getBoundingClientRect();
        let box = drawn, clear = true;
        const wider = [];  // boxes, up to the page, that show a part of it
        while (!(box = box.parentElement).matches('.bd-article')) {
            const {overflowX} = getComputedStyle(box);
            // What is inline has no width; a letter's overhang is no overflow.
            if (!box.clientWidth || box.scrollWidth <= box.clientWidth + 8) continue;
            if (overflowX === 'visible') continue;
            if (/auto|scroll/.test(overflowX)) wider.push(box);
            else clear = wider.length > 0;  // hidden: cut, unless what stands in it scrolls
        }
        const hinted = wider.every(box => box.matches('.more-right, .tsbp-figure'));
        const what = drawn.parentElement.textContent.trim().slice(0, 60);
        if (width && (!clear || !hinted || right > end && !wider.length)) cut.push(what);
        else if (width && wider.length) cut.push('scrolls: ' + what);
    }
    return cut;
}"""


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", PAGES)
def test_equations_and_tables_fit_or_scroll_visibly(name, width, page):
    """At 1280 pixels all fit; at 400 what is wider scrolls in its box, with a hint."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(built(name).as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    page.evaluate(UNFOLD)
    page.wait_for_timeout(100)  # for the hints
    cut = page.evaluate(CUT)
    if width < 1280:
        cut = [what for what in cut if not what.startswith("scrolls: ")]
    assert cut == []


def test_a_number_from_a_result_is_not_bold(page):
    page.goto(built("05-toy").as_uri())
    weights = page.locator(".pasted-text").evaluate_all(
        "all => all.map(e => [e, e.parentElement].map(n => getComputedStyle(n).fontWeight))"
    )
    assert weights and all(own == around for own, around in weights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(name, scheme, page):
    """axe-core finds nothing serious, in what is folded neither."""
    page.emulate_media(color_scheme=scheme)
    page.goto(built(name).as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    page.add_style_tag(content="* { transition: none !important; animation: none !important }")
    page.evaluate(UNFOLD)
    page.click("body", position={"x": 1, "y": 1})
    guess(page)
    page.wait_for_function(
        "[...document.querySelectorAll('pre')]"
        ".every(e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)"
    )
    found = Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    nodes = [(v["id"], node["html"]) for v in grave for node in v["nodes"]]
    assert [node for node in nodes if "citation-list" not in node[1]] == []  # docutils' own roles


FIRST_SCREEN = {"width": 1280, "height": 800}


@pytest.mark.parametrize("name", [path.stem for path in CHAPTERS])
def test_the_explorer_comes_first(name, page, measured):
    """Its top, and a good part of its first picture, stand in the first screen."""
    page.set_viewport_size(FIRST_SCREEN)
    page.goto(built(name).as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    explorer = page.locator(".tsbp-explorer, .tsbp-playground").first
    top = explorer.bounding_box()["y"]
    picture = explorer.locator("figure svg, svg.graph").first.bounding_box()
    measured(f"explorer's top at 1280 x 800, {name}", top)
    seen = min(1.0, (FIRST_SCREEN["height"] - picture["y"]) / picture["height"])
    measured(f"share of its picture seen, {name}", seen, min)
    question = page.locator(".bd-article p strong").first.bounding_box()
    assert question["y"] < top < 400
    assert seen > 0.6


def test_pages_show_the_present_source():
    """A change of the package alone must reach the pages that print it."""
    page = html.unescape(re.sub(r"<[^>]+>", "", built("02-surrogates").read_text()))
    assert inspect.getsource(surrogates.Sigmoid) in page


def test_the_book_prints(tmp_path, browser):
    """Two pages and their contents, with numbers, bookmarks, links, solutions, no folded code."""
    target = tmp_path / "book.pdf"
    names = ["how-to-read", "03-missing-term"]
    command = [sys.executable, str(BOOK / "pdf.py"), *names, "--to", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    printed = PdfReader(target)
    contents = printed.outline[0]
    assert [contents.title, len(printed.outline)] == ["Contents", 3]
    starts = [printed.get_destination_page_number(item) + 1 for item in printed.outline]
    assert starts[:2] == [1, 2]
    listed = re.findall(r"^.+ (\d+)$", printed.pages[0].extract_text(), re.M)
    assert list(map(int, listed)) == starts[1:]
    for number, page in enumerate(printed.pages, 1):
        assert page.extract_text().rstrip().endswith(str(number))
    text = " ".join(page.extract_text() for page in printed.pages)
    assert "Solution" in text and "code cell source" not in text
    links = [note.get_object() for page in printed.pages for note in page.get("/Annots", ())]
    assert not any(str(link.get("/A", {}).get("/URI")).startswith("file:") for link in links)
    to_pages = [link["/Dest"][0] for link in links if isinstance(link.get("/Dest"), list)]
    assert {printed.get_page_number(page.get_object()) + 1 for page in to_pages} == set(starts[1:])


def test_search_index_is_there():
    assert "Search.setIndex" in (built("index").parent / "searchindex.js").read_text()


def live_explorers(path, monkeypatch):
    """Explorers that a chapter shows live, with their ranges; from its imports and live cells."""
    shown = []
    monkeypatch.setattr(Explorer, "live", lambda self, **ranges: shown.append((self, ranges)))
    names = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            nodes = ast.parse(re.sub(r"^%.*$", "", cell.source, flags=re.M)).body
            wanted = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
            code = cell.source if ".live(" in cell.source else "\n".join(map(ast.unparse, wanted))
            exec(code, names)
    return shown


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_live_sliders_can_go_to_their_ends(path, monkeypatch):
    """What is drawn there, or the ValueError that says why nothing is."""
    for explorer, ranges in live_explorers(path, monkeypatch):
        start = {name: c.first for name, c in explorer.controls.items()}
        start |= {name: r[2] if r[2:] else start.get(name, r[0]) for name, r in ranges.items()}
        for name, (low, high, *_) in ranges.items():
            for end in (low, high):
                try:
                    _, text = explorer.frame(**start | {name: end})
                except ValueError as error:
                    text = str(error)
                assert text and "nan" not in text, (explorer.title, name, end)


@pytest.mark.parametrize("path", CHAPTERS, ids=stem)
def test_live_explorers_answer_at_once(path, monkeypatch, measured, request):
    """150 ms of a thread's time a picture, once what it needs is compiled."""
    request.addfinalizer(functools.partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(1)  # others wait busily for work
    for explorer, ranges in live_explorers(path, monkeypatch):
        start = {name: c.first for name, c in explorer.controls.items()}
        start |= {name: r[2] if r[2:] else start.get(name, r[0]) for name, r in ranges.items()}
        taken = []
        for _ in range(3):
            before = time.process_time()
            explorer.frame(**start)
            taken.append(time.process_time() - before)
        measured(f"ms of a live picture, {path.stem}", 1e3 * min(taken))
        assert min(taken) < 0.15, explorer.title
