import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tsbp_core.chapters.cifar10 import explorers as cifar10
from tsbp_core.chapters.cost import explorers as cost
from tsbp_core.chapters.gradient import explorers as gradient
from tsbp_core.chapters.growth import explorers as growth
from tsbp_core.chapters.sequences import explorers as sequences
from tsbp_core.chapters.verdict import explorers as verdict
from tsbp_core.page import explorer as module
from tsbp_core.page.explorer import Control, Explorer, Panel, Series, Slider

TABLES = (cost.kept_bytes(), cifar10.image_spikes(), sequences.learning_curves())
COMPUTED = (
    *(gradient.constant_current(), gradient.bump_width()),
    *(gradient.credit_by_rho(), gradient.twin_differences(), gradient.pencil()),
    *(growth.credit_back(), verdict.tall_surrogate()),
)


def title(explorer):
    return explorer.title


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
    page = explorer.page().data
    data = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
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
    assert data["controls"]["n"]["labels"] == ["1", "2", "3"]


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


def sent(widget):
    """What a live explorer's page has been sent last."""
    return json.loads(html.unescape(re.search(r">(.*)<", widget.children[-1].value)[1]))


def test_live_has_a_slider_for_each_argument_and_computes_afresh():
    widget = gradient.constant_current().live(decay=(0.0, 2.0))
    sliders = {child.description: child for child in widget.children[0].children}
    assert list(sliders) == ["input current x", "decay λ", "threshold θ", "reset"]
    ends = {name: (sliders[name].min, sliders[name].max) for name in ("decay λ", "threshold θ")}
    assert ends == {"decay λ": (0.0, 2.0), "threshold θ": (0.2, 2.0)}
    assert [slider.value for slider in sliders.values()] == [0.3, 0.8, 1.0, "zero"]
    assert all(getattr(slider, "continuous_update", True) for slider in sliders.values())
    sliders["decay λ"].value = 0.54
    assert "settle at 0.65, against a threshold of 1" in sent(widget)["text"]
    sliders["decay λ"].value = 1.5
    assert sent(widget)["error"] == "decay must be in [0, 1], got 1.5"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("n is too large"), "n is too large"),
        (RuntimeError("no compiler"), "no compiler"),
        (ZeroDivisionError("division by <zero>"), "ZeroDivisionError: division by <zero>"),
    ],
)
def test_whatever_fails_live_is_a_message(error, message):
    def frame(n, kind):
        raise error

    assert sent(make(frame).live())["error"] == message


def test_a_live_sliders_start_is_among_its_round_steps():
    """About a hundred; a widget in a page moves what lies between them."""
    n, kind = make().live(n=(1.0, 3.0), kind=(2, 8, 5)).children[0].children
    assert (n.value, n.step) == (2, 0.01)
    assert (kind.value, kind.step) == (5, 1)
    for explorer in COMPUTED:
        for slider in explorer.live(width=(0.02, 1.0, 0.2)).children[0].children:
            if type(slider).__name__ == "FloatSlider":
                steps = (slider.value - slider.min) / slider.step
                assert steps == pytest.approx(round(steps), abs=1e-6)
                assert 50 <= (slider.max - slider.min) / slider.step <= 500


@pytest.mark.parametrize("explorer", TABLES, ids=title)
def test_frames_are_finite_at_every_setting_and_every_control_changes_them(explorer):
    data = table(explorer)
    shape = [control["count"] for control in data["controls"].values()]
    assert len(data["frames"]) == np.prod(shape)
    assert all(text and "nan" not in text for _, text in data["frames"])
    assert "null" not in json.dumps(data["frames"])
    drawn = np.array([json.dumps(panels) for panels, _ in data["frames"]]).reshape(shape)
    for axis, name in enumerate(data["controls"]):
        assert (drawn.take([0], axis) != drawn.take([-1], axis)).any(), name


@pytest.fixture(scope="module", params=COMPUTED, ids=title)
def computed(request, browser):
    """An explorer with its frame function in JavaScript."""
    explorer = request.param
    files = [*(module._HERE / f"{name}.js" for name in module.SCRIPTS), explorer.script]
    page = browser.new_page()
    page.add_script_tag(content="\n".join(file.read_text() for file in files))
    frame = """([name, settings]) => { const [panels, text] = FRAMES[name](settings);
        const plain = v => typeof v[0] === "object" ? v.map(column => [...column]) : [...v];
        return [panels.map(all => all.map(plain)), text]; }"""
    yield explorer, lambda settings: page.evaluate(frame, [explorer.frame_name, settings])
    page.close()


def drawn_settings(explorer, rng):
    """Settings at random, among those that the sliders of the page can have."""
    for name, control in explorer.controls.items():
        if isinstance(control, Slider):
            value = rng.integers(round((control.high - control.low) / control.step) + 1)
            value = round(control.low + control.step * int(value), 6)
            yield name, 10**value if control.log else value
        else:
            yield name, control.values[rng.integers(len(control.values))]


def same(a, b):
    assert np.shape(a) == np.shape(b)
    a, b = (np.asarray(values, float) for values in (a, b))
    np.testing.assert_allclose(
        a, b, rtol=1e-9, atol=1e-9 * np.abs(b[np.isfinite(b)]).max(initial=1)
    )


def test_the_page_computes_what_python_does(computed, rng):
    """At the start, and at settings at random; the difference's noise is not compared."""
    explorer, frame = computed
    start = {name: control.first for name, control in explorer.controls.items()}
    for settings in [start, *(dict(drawn_settings(explorer, rng)) for _ in range(12))]:
        panels, text = frame(settings)
        expected, words = explorer.frame(**settings)
        noise = r"with the term \d+e[+-]?\d+"
        assert re.sub(noise, "", text) == re.sub(noise, "", words), settings
        for ours, theirs in zip(panels, expected, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                if isinstance(other, tuple):
                    assert len(one) == len(other)
                    for a, b in zip(one, other, strict=True):
                        same(a, b)
                else:
                    same(one, other)


def test_every_control_changes_what_is_computed(computed):
    explorer, frame = computed
    start = {name: control.first for name, control in explorer.controls.items()}
    for name, control in explorer.controls.items():
        values = (
            [0.3 * control.low + 0.7 * control.high]
            if isinstance(control, Slider)
            else control.values
        )
        values = [10**v for v in values] if getattr(control, "log", False) else values
        frames = [json.dumps(frame(start | {name: value})) for value in [control.first, *values]]
        assert len(set(frames)) > 1, name


@pytest.fixture
def show(page, tmp_path):
    """Open a page with explorers; return their roots."""

    def shown(*explorers, width=1300):
        file = tmp_path / "page.html"
        made = "".join(replace(explorer, guess=None).page().data for explorer in explorers)
        file.write_text(f"<!doctype html><meta charset=utf-8><title>t</title><body>{made}")
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(file.as_uri())
        return page.locator(".tsbp-explorer").all()

    yield shown
    assert page.faults == []


def test_slides_in_a_browser(page, show):
    first, second = show(make(), gradient.credit_by_rho())
    slider = first.locator("input[type=range]")

    def state():
        return (
            first.locator("g > path.line").first.get_attribute("d"),
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
    broken = first.locator("g > path.line").nth(1).get_attribute("d")
    assert broken.count("M") == 1 and "L" not in broken, "NaN must break the line"
    assert first.get_attribute("data-frame") == "2,0"
    first.get_by_label("hi").check()
    assert first.get_attribute("data-frame") == "2,1"
    assert second.locator("output").first.text_content() == "1"
    second.get_by_label("soft").check()
    assert "subtract" in second.get_attribute("data-frame")
    redraws = []
    for key in ["ArrowLeft"] * 9:
        second.locator("input[type=range]").first.press(key)
        redraws.append(float(second.get_attribute("data-redraw-ms")))
    assert second.locator("output").first.text_content() == "0.91"
    assert np.median(redraws) < 200  # 5 on a quiet machine


@pytest.mark.parametrize("width", [400, 1300])
@pytest.mark.parametrize("explorer", COMPUTED + TABLES, ids=title)
def test_nothing_but_the_picture_moves_while_a_slider_is_dragged(explorer, width, page, show):
    """By mouse: values come in order, and each control keeps its place and size."""
    (root,) = show(explorer, width=width)
    boxes = "root => [...root.querySelectorAll('.control *')].map(e => { const b = "
    boxes += "e.getBoundingClientRect(); return [b.x, b.y, b.width * !e.matches('output')]; })"
    for slider in root.locator("input[type=range]").all():
        slider.press("Home")
        box, start, frames = slider.bounding_box(), root.evaluate(boxes), []
        page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
        page.mouse.down()
        for i in range(1, 21):
            page.mouse.move(box["x"] + 8 + i * (box["width"] - 16) / 20, box["y"] + 5)
            frames.append(float(slider.input_value()))
            assert root.evaluate(boxes) == start
        page.mouse.up()
        assert frames == sorted(frames)
        assert frames[-1] == float(slider.get_attribute("max"))
        assert len(set(frames)) > min(4, frames[-1])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_link_keeps_the_settings(page, show):
    (root,) = show(gradient.constant_current())
    root.locator("input[type=range]").nth(1).press("Home")
    root.get_by_label("soft").check()
    kept, sentence = root.get_attribute("data-frame"), root.locator(".summary").text_content()
    href = root.locator("a").get_attribute("href")
    root.get_by_label("hard").check()
    page.evaluate("href => { location.hash = href }", href)
    page.wait_for_function(
        "s => document.querySelector('.summary').textContent === s", arg=sentence
    )
    assert root.get_attribute("data-frame") == kept


def test_a_link_that_cannot_be_decoded_is_none_of_ours(page, show):
    (root,) = show(gradient.constant_current())
    first, href = root.get_attribute("data-frame"), root.locator("a").get_attribute("href")
    go = """hash => new Promise(done => {
      addEventListener("hashchange", () => setTimeout(done), {once: true});
      location.hash = hash;
    })"""
    page.evaluate(go, "#50%")
    assert root.get_attribute("data-frame") == first
    page.reload()
    assert root.get_attribute("data-frame") == first
    root.get_by_label("soft").check()
    page.evaluate(go, href)
    assert root.get_attribute("data-frame") == first


def test_play_moves_the_slider_to_its_end_and_the_sentence_with_it(page, show):
    """From its low end, every value in order, until the reader takes over; reset goes back."""
    table, current = show(make(), gradient.constant_current())
    watch = """root => { root.seen = []; new MutationObserver(() => root.seen.push(
        [root.dataset.frame, root.querySelector('.summary').textContent])).observe(
        root, {attributes: true, attributeFilter: ['data-frame']}); }"""
    for root in (table, current):
        root.evaluate(watch)
    table.get_by_role("button", name="play: move n").click()
    page.wait_for_function("document.querySelector('.play').textContent === '▶ play'")
    assert table.evaluate("root => root.seen") == [["1,0", "n=2"], ["2,0", "n=3"]]
    table.get_by_role("button", name="play").click()
    table.get_by_role("button", name="stop").click()
    table.get_by_role("button", name="reset").click()
    assert table.get_attribute("data-frame") == "1,0"

    current.get_by_role("button", name="play").click()
    assert current.locator(".summary").get_attribute("aria-live") == "off"
    page.wait_for_function("document.querySelectorAll('.tsbp-explorer')[1].seen.length > 4")
    current.locator("input").first.press("ArrowRight")
    assert current.get_by_role("button", name="play").text_content() == "▶ play"
    seen = current.evaluate("root => root.seen")
    decays = [float(frame.split(",")[1]) for frame, _ in seen]
    assert decays == sorted(decays) and 0.8 <= decays[0] < decays[-1]
    assert len({text for _, text in seen}) > 2
    stopped = current.get_attribute("data-frame")
    page.wait_for_timeout(300)
    assert current.get_attribute("data-frame") == stopped
    current.get_by_role("button", name="reset").click()
    assert current.get_attribute("data-frame") == "0.3,0.8,1,zero"


def test_an_image_stands_beside_its_spikes(page, show):
    """The chosen one, square and not blurred, with its words; a square a spike."""
    (root,) = show(cifar10.image_spikes())
    image, *maps = root.locator(".panel.bare svg").all()
    box, file = image.bounding_box(), image.locator("image").get_attribute("href")
    assert file.startswith("data:image/png;base64,")
    assert box["width"] == pytest.approx(box["height"], abs=1)
    style = "e => getComputedStyle(e).imageRendering"
    assert image.locator("image").evaluate(style) == "pixelated"
    assert image.get_attribute("aria-label") == "Image of CIFAR-10's test set: ship."
    for layer in ("1", "3"):
        root.get_by_label("layer", exact=True).select_option(label=layer)
        counts = [map.locator("path.pixels").nth(1).get_attribute("d").count("M") for map in maps]
        said = re.findall(r"(\d+) of", root.locator(".summary").text_content())
        assert counts == list(map(int, said))
    root.get_by_label("image", exact=True).select_option(label="cat")
    assert image.get_attribute("aria-label").endswith("cat.")
    assert image.locator("image").get_attribute("href") != file
    shown = "e => new Promise(done => { const i = new Image(); i.src = e.getAttribute('href');"
    shown += "i.onload = () => done([i.naturalWidth, i.naturalHeight]) })"
    assert image.locator("image").evaluate(shown) == [32, 32]


def test_what_lies_outside_is_marked_at_the_edge(page, show):
    panel = Panel("P", "x", "y", (Series("a"), Series("b", "complete", "dots")), (0, 3), (0, 4))
    ends = ([1, 2, 2.5], [1, 9, -3])
    (root,) = show(make(lambda n, kind: ([[ends, ends]], ""), panels=[panel]))
    arrows = root.locator("path.beyond").evaluate_all("all => all.map(p => p.getAttribute('d'))")
    assert [d.count("M") for d in arrows] == [2, 2]
    assert root.locator("g > path.dot").get_attribute("d").count("M") == 1
    assert root.locator("g[clip-path] path.line").count() == 1


def test_the_kernels_frames_follow_without_a_jump(page, tmp_path):
    """The widget's text is replaced; picture and height stay, and a failure is said."""
    explorer = make(sweep="n")
    widget = explorer.live()
    (output,) = widget.children[1].outputs
    file = tmp_path / "page.html"
    head = "<!doctype html><meta charset=utf-8><title>t</title><body>"
    file.write_text(f"{head}<div>{output['data']['text/html']}</div><div id=w></div>")
    page.goto(file.as_uri())
    put = "text => { document.getElementById('w').innerHTML = text }"
    page.evaluate(put, widget.children[-1].value)
    root = page.locator(".tsbp-explorer")
    assert root.locator(".summary").text_content() == "n=2"
    assert root.locator("button").count() == 0, "the widgets are the controls"
    line = root.locator("g > path.line").first
    height, before = root.bounding_box()["height"], line.get_attribute("d")
    widget.children[0].children[0].value = 3
    page.evaluate(put, widget.children[-1].value)
    assert root.locator(".summary").text_content() == "n=3"
    assert root.bounding_box()["height"] == height
    assert line.get_attribute("d") != before
    page.evaluate(put, widget.children[-1].value.replace("panels", "error"))
    assert "failed" in root.get_attribute("class")
    assert page.faults == []
