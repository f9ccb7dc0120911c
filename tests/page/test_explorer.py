import json
import re

import numpy as np
import pytest

from tsbp_core.chapters.cost import explorers as cost
from tsbp_core.chapters.gradient import explorers as gradient
from tsbp_core.chapters.growth import explorers as growth
from tsbp_core.page.explorer import Control, Explorer, Panel, Series

EXPLORERS = (
    *(gradient.constant_current(), gradient.bump_width()),
    *(gradient.credit_by_rho(), gradient.twin_differences()),
    *(cost.kept_bytes(), growth.credit_back()),
)


def rising(n, kind):
    return [[[n, n + 1, n + 2], ([1, 2], [n, np.nan])]], f"n={n}"


def make(frame=None, **changed):
    panel = Panel("P", "x", "y", (Series("a"), Series("b", "dropped")), (0, 3), (0, 9), x=[1, 2, 3])
    settings = {
        "title": "T",
        "question": "Q?",
        "controls": {
            "n": Control("n", (1, 2, 3), 1),
            "kind": Control("kind", ("lo", "hi"), 0, "choice"),
        },
        "panels": [panel],
        "frame": frame
        or (lambda n, kind: ([[[n, n + 1, n + 2], ([1, 2], [n, np.nan])]], f"n={n}")),
        **changed,
    }
    return Explorer(**settings)


def table(explorer):
    html = explorer.page().data
    data = json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1])
    data["frames"] = [
        [[[data["pool"][place] for place in drawn] for drawn in panels], text]
        for panels, text in data["frames"]
    ]
    return data


def test_equal_series_are_kept_once():
    data = table(make(lambda n, kind: ([[[n, n, n], [5, 6, 7]]], "")))
    assert sorted(data["pool"]) == [[1, 1, 1], [2, 2, 2], [3, 3, 3], [5, 6, 7]]


def test_one_frame_for_each_combination_in_order():
    data = table(make())
    assert [frame[1] for frame in data["frames"]] == ["n=1", "n=1", "n=2", "n=2", "n=3", "n=3"]
    assert data["frames"][2][0] == [[[2, 3, 4], [[1, 2], [2, None]]]]
    assert data["controls"][0]["labels"] == ["1", "2", "3"]


def test_numbers_are_short_and_finite():
    x = [1 / 3, np.inf, -np.nan]
    data = table(make(lambda n, kind: ([[x, x]], "")))
    assert data["frames"][0][0][0][0] == [0.3333, None, None]


def test_same_input_same_page_and_markup_is_escaped():
    sly = make(title="</script><b>", question="<!--")
    assert sly.page().data == sly.page().data
    assert table(sly)["title"] == "</script><b>"
    assert "<!--" not in sly.page().data


@pytest.mark.parametrize(
    ("explorer", "message"),
    [
        (make(lambda n, kind: ([], "")), "the frame has 0 panels, not 1"),
        (make(lambda n, kind: ([[[1, 2, 3]]], "")), "panel 'P' got 1 series, not 2"),
        (make(lambda n, kind: ([[[1], [1]]], "")), "series 'a' of panel 'P' has 1 values for 3 x"),
        (make(controls={"n": Control("n", (1,), 1)}), "start 1 is not among its 1 values"),
        (make(controls={"n": Control("n", (1,), 0, "knob")}), "kind must be 'range' or 'choice'"),
        (
            make(panels=[Panel("P", "", "", (Series("a", "blue"),), (0, 1), (0, 1))]),
            "role 'blue' must be one of",
        ),
    ],
)
def test_misfits_are_named(explorer, message):
    if "n" in explorer.controls and len(explorer.controls) == 1:
        explorer = make(lambda n: ([[[1, 2, 3], [1, 2, 3]]], ""), controls=explorer.controls)
    with pytest.raises(ValueError, match=message):
        explorer.page()


def test_live_has_a_slider_for_each_argument_and_computes_afresh(monkeypatch):
    seen = []
    monkeypatch.setattr("tsbp_core.page.explorer.display", lambda html: seen.append(html.data))
    widget = gradient.constant_current().live(decay=(0.0, 2.0), threshold=(0.5, 2.0))
    sliders = {child.description: child for child in widget.children[:-1]}
    assert set(sliders) == {"current", "reset", "decay", "threshold"}
    ends = {name: (sliders[name].min, sliders[name].max) for name in ("decay", "threshold")}
    assert ends == {"decay": (0.0, 2.0), "threshold": (0.5, 2.0)}
    starts = {name: slider.value for name, slider in sliders.items()}
    assert starts == {"current": 0.3, "reset": "zero", "decay": 0.8, "threshold": 1.0}
    sliders["decay"].value = 0.54
    assert "settle at 0.65, against a threshold of 1" in seen[-1]
    sliders["decay"].value = 1.5
    assert seen[-1] == "<p role='alert'>decay must be in [0, 1], got 1.5</p>"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("n is too large"), "n is too large"),
        (RuntimeError("no compiler"), "no compiler"),
        (ZeroDivisionError("division by <zero>"), "ZeroDivisionError: division by &lt;zero&gt;"),
    ],
)
def test_whatever_fails_live_is_a_message(error, message):
    def frame(n, kind):
        raise error

    shown = make(frame)._frame_or_message({"n": 1, "kind": "lo"}).data
    assert shown == f"<p role='alert'>{message}</p>"


def test_a_live_slider_has_a_hundred_steps_or_whole_numbers(monkeypatch):
    monkeypatch.setattr("tsbp_core.page.explorer.display", lambda html: None)
    widget = make().live(n=(1.0, 3.0), kind=(2, 8, 5))
    n, kind, _ = widget.children
    assert (n.value, n.step) == (2, 0.02)
    assert (kind.value, kind.step) == (5, 1)


@pytest.mark.parametrize("explorer", EXPLORERS, ids=lambda explorer: explorer.title)
def test_frames_are_finite_at_every_setting_and_every_control_changes_them(explorer):
    data = table(explorer)
    shape = [len(control["labels"]) for control in data["controls"]]
    assert len(data["frames"]) == np.prod(shape)
    assert all(text and "nan" not in text for _, text in data["frames"])
    assert "null" not in json.dumps(data["frames"])
    drawn = np.array([json.dumps(panels) for panels, _ in data["frames"]]).reshape(shape)
    for axis, control in enumerate(data["controls"]):
        assert (drawn.take([0], axis) != drawn.take([-1], axis)).any(), control["name"]


def test_slides_in_a_browser(page, tmp_path):
    file = tmp_path / "page.html"
    pages = make().page().data + gradient.credit_by_rho().page().data
    file.write_text(f"<!doctype html><meta charset=utf-8><title>t</title><body>{pages}")
    page.goto(file.as_uri())
    first, second = page.locator(".tsbp-explorer").all()
    slider = first.locator("input[type=range]")

    def state():
        return (
            first.locator("path.line").last.get_attribute("d"),
            first.locator("output").text_content(),
            slider.get_attribute("aria-valuetext"),
            first.locator(".summary").text_content(),
        )

    before = state()
    assert before[1:] == ("2", "2", "n=2")
    slider.focus()
    page.keyboard.press("ArrowRight")
    after = state()
    assert after[1:] == ("3", "3", "n=3")
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert after[0].count("M") == 1, "NaN must break the line after its first point"
    assert first.get_attribute("data-frame") == "2,0"
    first.get_by_label("hi").check()
    assert first.get_attribute("data-frame") == "2,1"

    rho = second.locator("input[type=range]").first
    stems = second.locator("path.line")
    old = stems.nth(3).get_attribute("d")
    box = rho.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    assert second.locator("output").first.text_content() == "1"
    assert stems.nth(3).get_attribute("d") != old
    redraws = []
    for key in ["ArrowLeft"] * 9:
        rho.press(key)
        redraws.append(float(second.get_attribute("data-redraw-ms")))
    assert np.median(redraws) < 200  # 16 on a quiet machine
    assert page.faults == []
