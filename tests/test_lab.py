"""The pages as notebooks: they read like the built page, run, and open in JupyterLab."""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

PROJECT = Path(__file__).parent.parent
BOOK, BUILT = PROJECT / "book", PROJECT / "_build" / "html"
sys.path.insert(0, str(BOOK))
import notebooks  # noqa: E402
import reading  # noqa: E402

NAMES = re.findall(r"(?:file|root): (\S+)", (BOOK / "_toc.yml").read_text())
CODED = [name for name in NAMES if (BOOK / f"{name}.ipynb").exists()]
FORMULA = re.compile(r"\$\$.*?\$\$|(?<!\\)\$.*?(?<!\\)\$", re.S)
RAW = re.compile(r"\{[a-z][a-z:-]*\}|:::|^\([\w-]+\)=|\\\(|\$|glue:", re.M)
"""What no reader should see: roles, directives, labels, other dollars."""
MARKUP = re.compile(r"\{[a-z:-]+\}|:::|glue:|\$|\*\*|\\\w|\]\(")
"""The same, as JupyterLab shows it."""
SLOW = pytest.mark.slow
pytestmark = pytest.mark.xdist_group("lab")


@pytest.fixture(scope="module")
def copies():
    if not (BUILT / "index.html").exists():
        pytest.fail("the book is not built: make book")
    return notebooks.copies(BUILT)


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def tracked(name):
    """A chapter's own code cells."""
    cells = nbformat.read(BOOK / f"{name}.ipynb", 4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_valid_and_the_same_each_time(name, copies):
    nbformat.validate(copies[name])
    if name in CODED:
        assert nbformat.read(BUILT / "_sources" / f"{name}.ipynb", 4) == copies[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_markup_is_raw(name, copies):
    for text in texts(copies[name]):
        prose = re.sub(r"```.*?```|``.*?``|`.*?`", "", text, flags=re.S)
        assert not RAW.search(FORMULA.sub("", prose)), text


def words(soup):
    return re.sub(r"\W", "", soup.get_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_reads_like_its_page(name, copies):
    """The same words, and as many formulas."""
    page = BeautifulSoup((BUILT / f"{name}.html").read_text(), "html.parser").find("article")
    unread = ".headerlink, .sd-hide-link-text, [hidden], script, style, svg"
    for tag in page.select(unread + ", .cell" * (name in CODED)):
        tag.extract()
    formulas = [tag.extract() for tag in page.select(".math")]
    text = "\n\n".join(texts(copies[name]))
    text = re.sub(r"<summary>In words</summary>|\(in the folded cell below\)", "", text)
    text, count = FORMULA.subn("", text)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert words(BeautifulSoup(html, "html.parser")) == words(page)
    assert count == len(formulas)


@pytest.mark.parametrize("name", CODED)
def test_a_copy_has_the_chapters_code_folded_where_the_page_hides_it(name, copies):
    first, *code = [cell for cell in copies[name].cells if cell.cell_type == "code"]
    assert first.source == notebooks.FIRST
    code = [cell for cell in code if not cell.source.startswith("%%writefile")]
    assert [(c.id, c.source) for c in code] == [(c.id, c.source) for c in tracked(name)]
    for cell in code:
        assert cell.outputs == []
        tags, folded = cell.metadata.get("tags", []), cell.metadata.get("jupyter", {})
        hides = "".join(tags).replace("remove", "hide")
        if "hide-input" in hides or "hide-cell" in hides:
            assert folded.get("source_hidden")
        if "hide-output" in hides or "hide-cell" in hides:
            assert folded.get("outputs_hidden")


@pytest.mark.parametrize("name", CODED)
def test_no_solution_lies_open(name, copies):
    notebook = nbformat.read(BOOK / f"{name}.ipynb", 4)
    source = "".join(texts(notebook))
    asked = source.count("\n:class: dropdown") + source.count("{dropdown}")
    told = r"^<summary>.*</summary>$|\(in the folded cell below\)$"
    found = [f for text in texts(copies[name]) for f in re.findall(told, text, re.M)]
    assert len([f for f in found if "In words" not in f]) == asked
    for cell, after in zip(copies[name].cells, copies[name].cells[1:], strict=False):
        if cell.source.endswith("(in the folded cell below)"):
            assert after.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}


@pytest.mark.parametrize("name", CODED)
def test_equations_have_their_numbers(name, copies):
    source = "\n".join(texts(nbformat.read(BOOK / f"{name}.ipynb", 4)))
    labels = re.findall(r"^\$\$ \(([\w-]+)\)$", source, re.M)
    text = "\n".join(texts(copies[name]))
    assert len(re.findall(r"\\tag\{\d+\.\d+\}", text)) == len(labels)


def test_links_lead_somewhere(copies):
    """To a copy, and where they name a place, to one that is there."""
    placed = {
        name: set(re.findall(r'<a id="([^"]+)">', "".join(texts(notebook))))
        for name, notebook in copies.items()
    }
    links = 0
    for name, notebook in copies.items():
        for text in texts(notebook):
            prose = re.sub(r"```.*?```", "", text, flags=re.S)
            for page, place in re.findall(r"\]\(([\w-]*)(?:\.ipynb)?(?:#([^)]+))?\)", prose):
                links += 1
                assert not place or place in placed[page or name]
                assert (page or name) in copies
    assert links > 200


def page_of(text, names=("here",), targets=frozenset()):
    soup = BeautifulSoup(text, "html.parser")
    return list(reading.Page("here", names, targets).blocks(soup))


def test_cases_done_by_hand():
    link = '<p>See <a class="internal" href="#a">(1.2)</a>, not <em>H_0</em>.</p>'
    assert page_of(link) == [r"See [(1.2)](#a), not *H\_0*."]
    number = '<span class="eqno">(1.2)<a class="headerlink" href="#a">#</a></span>'
    equation = f'<div class="math" id="a">{number}\\[x &lt; 1\\]</div>'
    (found,) = page_of(equation, targets={("here", "a")})
    assert found == '<a id="a"></a>\n\n$$\nx < 1 \\tag{1.2}\n$$'
    table = "<table><tr><td><p>\\(|x|\\)</p></td></tr></table>".replace(
        "\\(|x|\\)", '<span class="math">\\(|x|\\)</span>'
    )
    assert page_of(table) == ["|  |\n| --- |\n| $\\vert x\\vert $ |"]
    box = '<div class="{} admonition"><p class="admonition-title">T</p><p>a</p>{}</div>'
    cell = '<div class="cell"></div>'
    assert page_of(box.format("tip", "")) == ["> **T**\n>\n> a"]
    text, code = page_of(box.format("dropdown", cell))
    assert text == "<details>\n<summary>T</summary>\n\na\n\n</details>"
    assert code == reading.Code(folded=True)


def test_a_link_to_no_page_is_an_error():
    with pytest.raises(ValueError, match="here links to there.html"):
        page_of('<p><a href="there.html">x</a></p>')


def test_a_page_that_is_not_the_notebooks_is_an_error():
    cell = nbformat.v4.new_code_cell("1")
    shown = reading.Code(folded=False)
    assert len(notebooks.cells("a", ["text", shown], [cell])) == 2
    for pieces, code in (([shown], []), ([], [cell])):
        with pytest.raises(ValueError, match="a is not built from its notebook"):
            notebooks.cells("a", pieces, code)


def test_cells_that_a_page_drops_stay_folded_in_their_place():
    removed = nbformat.v4.new_code_cell("1", metadata={"tags": ["remove-cell"]})
    shown = nbformat.v4.new_code_cell("2")
    made = notebooks.cells("a", [reading.Code(folded=False)], [removed, shown, removed])
    assert [cell.source for cell in made] == ["1", "2", "1"]
    assert [bool(cell.metadata.get("jupyter")) for cell in made] == [True, False, True]


def test_a_readers_work_stays_until_the_page_changes(tmp_path, monkeypatch):
    def page(text):
        cell = nbformat.v4.new_markdown_cell(text, id="a")
        return {"a": nbformat.v4.new_notebook(cells=[cell], metadata={"tsbp_copy": text})}

    def read():
        return nbformat.read(tmp_path / "lab" / "a.ipynb", 4).cells[0].source

    monkeypatch.setattr(notebooks, "copies", lambda built: page("one"))
    notebooks.write(tmp_path, tmp_path / "lab")
    mine = nbformat.read(tmp_path / "lab" / "a.ipynb", 4)
    mine.cells[0].source = "mine"
    nbformat.write(mine, tmp_path / "lab" / "a.ipynb")
    notebooks.write(tmp_path, tmp_path / "lab")
    assert read() == "mine"
    monkeypatch.setattr(notebooks, "copies", lambda built: page("two"))
    notebooks.write(tmp_path, tmp_path / "lab")
    assert read() == "two"


SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are drawn
}


EXPLORERS = (
    "from tsbp_core.chapters.gradient import explorers\nexplorers.constant_current().page()",
    "explorers.constant_current().live(decay=(0.0, 1.0))",
    "1 + 1",
)


@pytest.fixture(scope="module")
def jupyter(copies, tmp_path_factory):
    """What ``make lab`` starts, on copies of the copies and with nobody's settings."""
    folder = tmp_path_factory.mktemp("lab")
    for name, notebook in copies.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    cells = [nbformat.v4.new_code_cell(source) for source in EXPLORERS]
    metadata = notebooks.METADATA
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "explorers.ipynb"
    )
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    make = ["make", "-s", "--dry-run", "-o", "book", "lab"]
    line = subprocess.run(make, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *shlex.split(line.replace("_build/lab", str(folder))),
        *("--no-browser", "--allow-root", "--IdentityProvider.token=", f"--ServerApp.port={port}"),
    ]
    own = {
        f"JUPYTER{name}_DIR": str(folder / name.split("_")[-1].lower())
        for name in ("_CONFIG", "_DATA", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")
    }
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(120):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/api").close()
            break
        time.sleep(0.5)
    yield url
    server.terminate()
    server.wait()


def hidden(notebook, what):
    return sum(cell.metadata.get("jupyter", {}).get(what, False) for cell in notebook.cells)


def prose(page):
    """The text that JupyterLab shows, without code, which may well have two stars in it."""
    shown = "\n".join(page.locator(".jp-MarkdownOutput :is(p, li, td, h1, h2)").all_inner_texts())
    for code in page.locator(".jp-MarkdownOutput code").all_inner_texts():
        shown = shown.replace(code, "", 1)
    return shown


@pytest.mark.parametrize("name", ["index", "01-neuron", "05-toy", "07-cifar10", "14-advice"])
def test_jupyterlab_reads_like_the_page(name, jupyter, copies, page):
    page.goto(jupyter if name == "index" else f"{jupyter}/lab/tree/{name}.ipynb?reset")
    cells = page.locator(".jp-Notebook .jp-Cell")
    page.wait_for_selector(".jp-MarkdownOutput h1", timeout=60_000)
    page.wait_for_function(
        "n => document.querySelectorAll('.jp-MarkdownOutput').length === n",
        arg=len(texts(copies[name])),
    )
    page.wait_for_function("document.querySelector('.jp-MarkdownOutput').innerText.length > 0")
    assert cells.count() == len(copies[name].cells)
    assert page.locator(".jp-InputPlaceholder").count() == hidden(copies[name], "source_hidden")
    assert page.locator(".jp-OutputPlaceholder").count() == hidden(copies[name], "outputs_hidden")
    shown = prose(page)
    assert len(shown) > 2000
    assert not MARKUP.search(shown)
    assert page.locator("mjx-merror").count() == 0
    assert bool(page.locator("mjx-container").count()) == (name != "index")
    assert page.locator("details[open]").count() == 0
    assert page.faults == []


def start_all(page):
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()


def test_keys_reach_the_explorers_and_not_the_cells(jupyter, page):
    """Arrows move sliders and not the selection; d, pressed twice, deletes no cell."""
    page.goto(f"{jupyter}/lab/tree/explorers.ipynb?reset")
    cells = page.locator(".jp-Notebook .jp-Cell")
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=60_000)
    start_all(page)
    made, live = page.locator(".tsbp-explorer").nth(0), page.locator(".tsbp-explorer").nth(1)
    live.locator(".summary", has_text="spikes in 40 steps").wait_for(timeout=120_000)
    assert "threshold of 1." in live.locator(".summary").text_content()

    def press(node, *keys):
        node.focus()
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate("""[...document.querySelectorAll('.jp-Notebook .jp-Cell')].findIndex(
            cell => cell.classList.contains('jp-mod-active'))""")

    slider, button = made.locator("input[type=range]").first, made.locator("button").first
    handle = page.locator(".noUi-handle").nth(1)
    assert press(slider, "ArrowRight", "ArrowUp", "ArrowUp", "ArrowDown", "d", "d") == 0
    assert made.get_attribute("data-frame") == "0.32,0.8,1,zero"
    assert press(button, "d", "d") == 0
    height, before = live.bounding_box()["height"], live.locator(".summary").text_content()
    assert press(handle, *["ArrowLeft"] * 9, "d", "d") == 1
    live.locator(".summary", has_text="settle at 1.03").wait_for()  # 0.3 / (1 - 0.71)
    assert before != live.locator(".summary").text_content()
    assert live.bounding_box()["height"] == height
    assert cells.count() == 3
    cells.nth(2).click()
    assert press(cells.nth(2), "Escape", "d", "d") == 1, "elsewhere the keys are JupyterLab's"
    assert cells.count() == 2
    assert page.faults == []


def state():
    command = ["git", "status", "--porcelain", "book", "data", "tsbp_core"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True).stdout


def code_cells(address):
    with urllib.request.urlopen(address) as answer:
        cells = json.load(answer)["content"]["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_all(page, address):
    """Run an open copy to its end; return its code cells as they are saved."""
    start_all(page)
    saved = []
    for i in range(150):  # its autosave is slower than we are
        if i % 20 == 19 and not any(cell["execution_count"] for cell in saved):
            start_all(page)  # a busy machine's JupyterLab may drop the first
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        saved = code_cells(address)
        kinds = {output["output_type"] for cell in saved for output in cell["outputs"]}
        if "error" in kinds or all(cell["execution_count"] for cell in saved):
            break
    return saved


EVERY = [name if name == "short-version" else pytest.param(name, marks=SLOW) for name in CODED]


@pytest.mark.parametrize("name", EVERY)
def test_a_copy_runs_in_jupyterlab_and_changes_no_file_of_ours(name, jupyter, copies, page):
    before = state()
    page.goto(f"{jupyter}/lab/tree/{name}.ipynb?reset")
    page.wait_for_selector(".jp-MarkdownOutput h1", timeout=60_000)
    saved = run_all(page, f"{jupyter}/api/contents/{name}.ipynb")
    if pictures := os.environ.get("TSBP_PICTURES"):
        page.screenshot(path=Path(pictures) / f"{name}.png")
    outputs = [output for cell in saved for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [cell["execution_count"] for cell in saved] == list(range(1, len(saved) + 1))
    kinds = {output.get("name", output["output_type"]) for output in outputs}
    assert kinds <= {"stdout", "display_data", "execute_result"}
    assert page.locator(".jp-OutputArea-output svg, .tsbp-playground").count() > 0
    shown = prose(page)
    assert not MARKUP.search(shown)
    assert state() == before
