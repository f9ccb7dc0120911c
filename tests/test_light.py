"""What a page loads: little, nothing that it does not use, and every icon it shows."""

import gzip
import runpy
from types import SimpleNamespace

import pytest
from conftest import built
from fontTools.ttLib import TTFont
from test_book import BOOK, BUILT, PAGES, server  # noqa: F401

LIGHT = runpy.run_path(str(BOOK / "light.py"))
LANDING = 300_000
"""Most bytes that the landing page loads, all files compressed."""


def loaded(page, url):
    """Compressed sizes of all that a page loads, by address."""
    sizes = {}

    def note(request):
        sizes[request.url] = len(gzip.compress(request.response().body()))

    page.on("requestfinished", note)
    page.goto(url)
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    page.wait_for_load_state("networkidle")
    return sizes


def test_the_landing_page_is_light(page, server, measured):  # noqa: F811
    built("index")
    sizes = loaded(page, f"{server}/index.html")
    measured("bytes that the landing page loads", sum(sizes.values()))
    assert len(sizes) > 10
    assert sum(sizes.values()) < LANDING


ICONS = """() => [...document.querySelectorAll("*")].flatMap(e => [e, "::before", "::after"].map(
    (part, i) => i ? getComputedStyle(e, part) : null)).filter(
    style => style?.fontFamily.includes("Awesome")).map(style => style.content).filter(
    text => text !== "none" && text !== "normal")"""


@pytest.mark.parametrize("name", ["index", "01-neuron", "api-core", "search"])
def test_every_icon_is_in_the_font(name, page):
    built(name)
    page.goto((BUILT / f"{name}.html").as_uri())
    shown = set(page.evaluate(ICONS))
    font = TTFont(BUILT / "_static" / "icons.woff").getBestCmap()
    assert len(shown) >= 4
    assert {text for text in shown if ord(text.strip('"')) not in font} == set()


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_a_page_asks_for_equations_and_search_where_it_has_them(name):
    text = built(name).read_text()
    assert ("mathjax/" in text) >= ("math notranslate" in text)
    assert ("searchindex.js" in text) == (name == "search")
    assert "fontawesome.js" not in text


def test_a_build_that_had_nothing_to_do_leaves_the_pages(tmp_path):
    """Then Sphinx does not copy the icons' font that the build before took away."""
    page = tmp_path / "index.html"
    page.write_text(before := '<script src="_static/scripts/fontawesome.js"></script>')
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    LIGHT["lighten"](app, None)
    assert page.read_text() == before


def test_icons_are_found_by_name_and_in_styles():
    styles = '.fa-sun:before,.fa-day:before{content:"\\f185"}.fa-moon:before{content:"\\f186"}'
    own = '.x{content:"\\f107"}.y{content:"\uf0c9"}'
    assert LIGHT["icons"]('<i class="fa-day">', styles + own) == {"\uf185", "\uf107", "\uf0c9"}


def test_a_page_keeps_what_it_uses():
    mathjax = '<script src="_static/mathjax/tex.js"></script>'
    search = '<script src="_static/searchtools.js"></script>'
    equation = '<span class="math notranslate">'
    assert LIGHT["light"](mathjax + search, "page") == ""
    assert LIGHT["light"](mathjax + search + equation, "page") == mathjax + equation
    assert LIGHT["light"](mathjax + search, "search") == search
