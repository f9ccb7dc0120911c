"""Predict first, in Chromium: nothing to see before the guess; then guess and answer."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from tsbp_core.chapters.gradient import explorers as gradient
from tsbp_core.chapters.growth import explorers as growth
from tsbp_core.chapters.toy import explorers as toy

MADE = {
    "choice": lambda: gradient.twin_differences().page(),
    "slider": lambda: growth.credit_back().page(),
    "playground": toy.learning,
}


@pytest.fixture
def box(page, tmp_path):
    """Open a page with one of ``MADE``; return its root."""

    def opened(name, width=1300, scheme="light"):
        file = tmp_path / "page.html"
        file.write_text(
            "<!doctype html><html lang=en><meta charset=utf-8><title>t</title><style>"
            "[data-theme=dark] body { background: #121212; color: #ddd }"
            "a { color: inherit }</style>"
            f"<body style='font-family: sans-serif'><main>{MADE[name]().data}</main>"
        )
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(file.as_uri())
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", scheme)
        return page.locator(".tsbp-explorer, .tsbp-playground")

    yield opened
    assert page.faults == []


def picture(root):
    return root.locator("figure svg").first


def marked(root):
    """Mark a guess by keyboard alone, from the top of the page; the button then has the focus."""
    keyboard, show = root.page.keyboard, root.get_by_role("button", name="show the picture")
    assert show.is_disabled()
    keyboard.press("Tab")
    keyboard.press("Space" if root.locator(".guess input[type=radio]").count() else "ArrowRight")
    assert show.is_enabled()
    keyboard.press("Tab")
    return show


@pytest.mark.parametrize("name", MADE)
def test_the_picture_stays_hidden_until_a_guess_is_marked(name, box, page):
    root = box(name)
    assert picture(root).is_hidden()
    assert root.locator(".summary").is_hidden()
    height = root.bounding_box()["height"]
    assert root.evaluate("e => e.dataset.update ?? '0'") == "0", "training waits"
    marked(root)
    assert picture(root).is_hidden()
    page.keyboard.press("Enter")
    assert picture(root).is_visible() and root.locator(".summary").is_visible()
    assert root.bounding_box()["height"] == pytest.approx(height, abs=120)
    assert root.locator("[role=status]").evaluate("e => e === document.activeElement")
    said = r"Your guess: (\S+)( %)?\. The answer: (\S+)( %)?\. \w"
    guess, _, answer, _ = re.match(said, root.locator("[role=status]").text_content()).groups()
    assert float(guess) != float(answer)
    if name == "playground":
        page.wait_for_function("document.querySelector('.tsbp-playground').dataset.update > 0")
        lines = root.locator("figure").nth(1).locator("text", has_text=re.compile("answer|guess"))
        low, high = sorted(lines.all(), key=lambda text: -float(text.get_attribute("y")))
        assert low.text_content() == "answer"
        assert high.text_content() == "your guess"


def test_guess_and_answer_can_be_seen(box, page):
    root = box("slider")
    marked(root)
    page.keyboard.press("Enter")
    slope = root.locator("output").first
    for name in ("guess", "answer"):
        root.get_by_role("button", name=name).click()
        said = root.locator(".guess b").nth(["guess", "answer"].index(name)).text_content()
        assert slope.text_content() == said
    low, high = (
        growth.credit_back_frame(float(said) * part, "area", "subtract")[0][1][0][0]
        for part in (0.97, 1)
    )
    assert low < 1 < high, "from the answer on, more arrives than was sent"


@pytest.mark.parametrize("name", MADE)
def test_it_fits_a_narrow_screen_and_is_accessible(name, box, page):
    for width, scheme in ((400, "light"), (400, "dark")):
        root = box(name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for _ in range(2):
            found = Axe().run(page).response["violations"]
            grave = [v["nodes"] for v in found if v["impact"] in ("serious", "critical")]
            assert grave == []
            if root.locator(".guess input").count():
                marked(root)
                page.keyboard.press("Enter")


@pytest.mark.parametrize("name", MADE)
def test_paper_shows_the_picture_and_asks_nothing(name, box, page):
    root = box(name)
    page.emulate_media(media="print")
    assert picture(root).is_visible()
    assert root.locator(".guess").is_hidden()


def test_answers_are_what_the_pictures_say():
    ((differences, _, detached),), _ = gradient.twin_differences_frame(0.2, 0.8, "zero")
    error = np.linalg.norm(detached - differences) / np.linalg.norm(differences)
    guess = gradient.twin_differences().guess
    assert 0.5 < error / guess.answer < 2
    assert guess.words == f"To be exact: {100 * error:.0f} %."
