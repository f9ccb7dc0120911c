"""Links, descriptions, sheets and lesson plans of the built book; the workflows that publish it."""

import html
import io
import re
import runpy
import struct
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from conftest import built
from matplotlib import colors, image

from tsbp_core.lab import results

ROOT = results.PROJECT
BUILT = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "book").glob("[01][0-9]-*.ipynb"))
PAGES = re.findall(r"(?:file|root): (\S+)", (ROOT / "book" / "_toc.yml").read_text())
PUBLISH = runpy.run_path(str(ROOT / "book" / "publish.py"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def linked(url, **options):
    config = SimpleNamespace(html_baseurl="", html_theme_options={"repository_url": url, **options})
    PUBLISH["link"](None, config)
    return config


def test_one_address_makes_all_links():
    buttons = {"colab_url": "https://colab"}
    config = linked("https://github.com/someone/book/", launch_buttons=buttons)
    assert config.html_baseurl == "https://someone.github.io/book/"
    assert config.html_theme_options == {
        "repository_url": "https://github.com/someone/book",
        "use_issues_button": True,
        "use_repository_button": True,
        "launch_buttons": buttons,
    }


@pytest.mark.parametrize("url", ["", None])
def test_no_address_makes_no_links(url):
    config = linked(url, launch_buttons={"colab_url": "https://colab"})
    assert config.html_baseurl == ""
    assert not any(config.html_theme_options.values())


def test_colab_opens_the_copy_that_installs():
    config = linked("https://github.com/a/b", repository_branch="main", path_to_docs="book")
    urls = {
        "Colab": "https://colab/github/a/b/blob/main/book/01-neuron.ipynb",
        "Binder": "https://binder/gh/a/b/main?urlpath=lab/tree/book/01-neuron.ipynb",
    }
    buttons = [{"text": text, "url": url} for text, url in urls.items()]
    context = {"header_buttons": [{"type": "group", "buttons": buttons}, {"type": "link"}]}
    PUBLISH["offer_copies"](SimpleNamespace(config=config), "01-neuron", "", context, None)
    assert buttons[0]["url"] == "https://colab/github/a/b/blob/notebooks/01-neuron.ipynb"
    assert buttons[1]["url"] == urls["Binder"]


@pytest.mark.parametrize("name", PAGES)
def test_page_says_what_it_is_about(name):
    text = built(name).read_text()
    (said,) = re.findall(r'<meta name="description" content="([^"]+)"', text)
    visible = " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())
    assert len(said) > 20 and html.unescape(said)[:40] in visible
    assert re.findall(r'<meta property="og:title" content="([^"<&]+)', text)


def test_a_page_with_something_to_see_gets_a_picture_of_its_own(tmp_path, browser, monkeypatch):
    """Its explorer as it stands after a guess, small, and in the page's address of a picture."""
    monkeypatch.syspath_prepend(ROOT / "book")
    pictures = runpy.run_path(str(ROOT / "book" / "pictures.py"))
    (tmp_path / "_static").mkdir()
    tag = '<meta property="og:image" content="https://a.b/_static/{}" />'
    for name in ("05-toy", "10-growth", "glossary"):
        text = built(name).read_text().replace("<title>", tag.format("book.png") + "<title>")
        (tmp_path / f"{name}.html").write_text(text)
    page = browser.new_page(device_scale_factor=2)
    assert pictures["add"](page, tmp_path, "A book") == 2
    made = {path.stem: path.read_bytes() for path in (tmp_path / "_static").rglob("*.png")}
    assert sorted(made) == ["05-toy", "10-growth"]
    for name, file in made.items():
        assert struct.unpack(">II", file[16:24]) == (1200, 630)
        assert len(file) < 200_000
        pixels = image.imread(io.BytesIO(file))[..., :3]
        for colour in ("#0072b2", "#d55e00"):  # both methods have been drawn
            assert (abs(pixels - colors.to_rgb(colour)).max(axis=-1) < 0.1).sum() > 50
        assert tag.format(f"pictures/{name}.png") in (tmp_path / f"{name}.html").read_text()
    assert tag.format("book.png") in (tmp_path / "glossary.html").read_text()


def blocks():
    """Label, text and solution of each exercise in the notebooks, in order."""
    for path in CHAPTERS:
        cells = nbformat.read(path, 4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for label, asked in re.findall(r"\{exercise\}.*\n:label: (\S+)\n((?:.*\n)*?):::", text):
            yield label, asked, f"{{solution-start}} {label}\n" in text


def on_sheet(name, kind):
    return re.findall(rf'<div class="{kind} admonition" id="([^"]+)"', built(name).read_text())


def test_sheets_have_the_exercises_of_all_chapters():
    found = list(blocks())
    pencil = [label for label, asked, code in found if not code or "by hand" in asked]
    assert 0 < len(pencil) < len(found)
    assert on_sheet("worksheets", "exercise") == pencil
    assert on_sheet("solutions", "exercise") == [label for label, *_ in found]
    assert on_sheet("worksheets", "solution") == []
    assert len(on_sheet("solutions", "solution")) == len(found)
    assert built("worksheets").read_text().count('class="room-to-write') == len(pencil)


def anchors(text):
    return set(re.findall(r'\sid="([^"]+)"', text)) | set(re.findall(r'<a name="([^"]+)"', text))


@pytest.mark.parametrize("name", [*PAGES, "genindex", "py-modindex", "prf-prf", "search"])
def test_links_inside_the_book_lead_somewhere(name):
    text = re.sub(r"<script.*?</script>", "", built(name).read_text(), flags=re.S)
    wrong = []
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        parts = urlsplit(html.unescape(link))
        hidden = f'hidden>On paper: <a href="{link}"' in text
        if parts.scheme or parts.netloc or hidden:
            continue
        target = BUILT / unquote(parts.path) if parts.path else BUILT / f"{name}.html"
        there = target.exists()
        if there and parts.fragment and target.suffix == ".html":
            there = unquote(parts.fragment) in anchors(target.read_text())
        if not there:
            wrong.append(link)
    assert wrong == []


def table_of(heading):
    text = (ROOT / "book" / "teach.md").read_text()
    part = text.partition(heading)[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def test_a_lecture_takes_the_minutes_it_says():
    assert sum(int(minutes) for minutes, *_ in table_of("## One lecture, 90 minutes")) == 90
    sessions = (ROOT / "book" / "teach.md").read_text()
    (parts,) = re.findall(
        r"In the session, (\d+) minutes.*?(\d+) for the ex.*?(\d+) for", sessions, re.S
    )
    assert sum(map(int, parts)) == 90
    assert len(table_of("## A week, five sessions")) == 5
    assert len(table_of("## A seminar, eight meetings")) == 8


def test_the_citation_is_the_same_everywhere():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    page = (ROOT / "book" / "teach.md").read_text()
    assert f"title   = {{{said['title']}}}" in page
    assert f"version = {{{said['version']}}}" in page
    assert f"year    = {{{said['date-released'].year}}}" in page
    assert f'version = "{said["version"]}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {said['version']} (" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_pinned_and_ask_for_little(path):
    text = path.read_text()
    assert len(re.findall(r"uses: ", text)) == len(
        re.findall(r"uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", text, re.M)
    )
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    made = (ROOT / "Makefile").read_text()
    for job in workflow["jobs"].values():
        assert "permissions" in job and "timeout-minutes" in job
    for target in re.findall(r"^.*run: make (?:-o \S+ )?([a-z]+)", text, re.M):
        assert re.search(rf"^{target}:", made, re.M), target


def test_an_action_has_one_version():
    used = {}
    for path in WORKFLOWS:
        for action, commit in re.findall(r"uses: (\S+)@(\S+ # \S+)", path.read_text()):
            assert used.setdefault(action, commit) == commit
