"""The playground, in Chromium."""

import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import presets
from tsbp_core.page import playground

PAGE = Path(playground.__file__).parent
FOUND = {
    f"{preset.name}/rho={rho}": {
        "decades": [1.0, 0.5 + rho],
        "share": ((0.4 + 0.5 * rho) * np.sin(np.linspace(0, np.pi, 41))).tolist(),
    }
    for preset in presets.PRESETS
    for rho in (1, 0)
}
BUTTONS = presets.presets(FOUND)
SMALL = "eta=0.02&T=30&N=15&seeds=3"


@pytest.fixture
def open_page(page, tmp_path):
    """Open a page with the playground, with a link's settings; return its root."""

    def opened(settings="", compact=False, above="", scheme="light", **change):
        file = tmp_path / "page.html"
        file.write_text(
            "<!doctype html><html lang=en><meta charset=utf-8><title>t</title>"
            f"<body style='font-family: sans-serif'>{above}<main>"
            f"{playground.show(BUTTONS, compact).data}</main>"
        )
        page.goto(f"{file.as_uri()}#{settings}")
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", scheme)
        return page.locator(".tsbp-playground")

    yield opened
    assert page.faults == []


def until(root, update):
    root.page.wait_for_function(
        "n => document.querySelector('.tsbp-playground').dataset.update >= n", arg=update
    )


def update_of(root):
    return int(root.get_attribute("data-update"))


def settled(root):
    """The update, once it no longer changes for three frames."""
    return root.evaluate(
        """async root => { let same = 0, before = root.dataset.update;
        while (same < 5) { await new Promise(requestAnimationFrame);
            same = root.dataset.update === before ? same + 1 : 0; before = root.dataset.update; }
        return +before; }"""
    )


def outputs(root):
    return dict(zip(
        root.locator(".control label").all_text_contents(),
        root.evaluate("""root => [...root.querySelectorAll('.control')].map(row =>
            row.querySelector('output')?.textContent ?? row.querySelector('select').value)"""),
        strict=True,
    ))  # fmt: skip


def test_the_page_is_one_piece_and_markup_is_escaped():
    sly = [{"name": "</script><b>", "settings": "", "caption": "<!--", "chapter": "05-toy"}]
    text = playground.show(sly).data
    assert text == playground.show(sly).data
    assert text.count("</script>") == 2
    assert "<!--" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_it_trains_by_itself_pauses_steps_and_restarts(open_page):
    root = open_page(SMALL)
    until(root, 3)
    summary = root.locator(".summary")
    assert summary.get_attribute("aria-live") == "off", "a sentence a frame is no news"
    root.get_by_role("button", name="pause").click()
    at = settled(root)
    assert 3 <= at < 300
    assert summary.get_attribute("aria-live") == "polite"
    for more in (1, 2):
        root.get_by_role("button", name="step").press("Enter")
        assert settled(root) == at + more
    assert f"After {at + 2} updates" in summary.text_content()
    assert root.locator(".counter").text_content() == f"update {at + 2} of 300"
    assert int(root.locator("progress").get_attribute("value")) == at + 2
    restarted = root.evaluate(
        """async root => { root.querySelectorAll('.bar button')[2].click();
        await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
        return +root.dataset.update; }"""
    )
    assert restarted < 3
    root.get_by_role("button", name="pause")
    until(root, 300)
    again = root.get_by_role("button", name="again")
    again.press("Enter")
    root.page.wait_for_function(
        "() => document.querySelector('.tsbp-playground').dataset.update < 300"
    )


def python(updates):
    """What five seeds of a small task learn by both methods, in Python."""
    settings, learnt = toy.Settings(steps=50, inputs=30, updates=updates), []
    task = toy.make_task(range(5), settings)
    silent, _ = toy.numpy_lif.TraceLoss(task.target)(np.zeros_like(task.target))
    for rho in (1.0, 0.0):
        lif = toy.replace(toy.NEURON, reset_gradient=rho)
        losses = toy.train(task, lif, toy.LEARNING_RATES, settings=settings).losses
        found = {"initial": losses[0, :, 0], "silent": silent}
        found["final"] = losses[-toy.LAST :].mean(axis=0)
        learnt.append(presets.summarise(found))
    return learnt


def test_a_population_learns_what_python_learns(page):
    parts = playground.SCRIPTS[:3]
    page.add_script_tag(content="\n".join((PAGE / f"{part}.js").read_text() for part in parts))
    found = page.evaluate(
        """() => { const settings = {rho: 0, decay: 0.8, threshold: 1, reset: 'zero', tau: 3, T: 50,
            N: 30, surrogate: 'Sigmoid', width: 0.2, unit: 'area', target: 'random',
            optimizer: 'adam'};
        const population = new Population(settings, [0, 1, 2, 3, 4], LEARNING_RATES, 100);
        const rounds = [];
        for (let pieces = 1; !population.finished; pieces++)
            if (population.piece()) rounds.push([pieces, population.update]);
        return {rounds, reached: [0, 1].map(method => population.reached(method))}; }"""
    )
    assert found["rounds"] == [[5 + 10 * k, k] for k in range(1, 101)]
    expected = python(100)
    assert expected[0]["share"] != expected[1]["share"]
    for ours, theirs in zip(found["reached"], expected, strict=True):
        assert ours["share"] == pytest.approx(theirs["share"])
        assert ours["decades"] == pytest.approx(np.mean(theirs["decades"]))


def test_its_sentence_and_its_curve_say_what_python_learns(open_page):
    """In long training a neuron or two may go another way after a rounding."""
    learnt = python(300)
    counts = np.round(5 * np.array([found["share"] for found in learnt]))
    at = int((counts[0] - counts[1]).argmax())
    assert counts[0, at] - counts[1, at] >= 3
    root = open_page(f"eta={toy.LEARNING_RATES[at]}&T=50&N=30&seeds=5")
    until(root, 300)
    said = re.fullmatch(
        r"After 300 updates at η = (\S+), (\d) of 5 seeds have learnt with the term, (\d) without "
        r"it\. Over all rates: (\S+) decades with the term, (\S+) without it\.",
        root.locator(".summary").text_content(),
    )
    eta, one, other, wide, narrow = map(float, said.groups())
    assert eta == pytest.approx(toy.LEARNING_RATES[at], rel=0.05)
    assert (one, other) == pytest.approx(counts[:, at], abs=1)
    decades = [np.mean(found["decades"]) for found in learnt]
    assert (wide, narrow) == pytest.approx(decades, abs=0.1)
    assert decades[0] - decades[1] > 0.3
    heights = root.evaluate(
        """root => ['complete', 'dropped'].map(role => root
        .querySelector(`.panels figure:nth-child(2) .middle.${role}`).getAttribute('d')
        .match(/[-.0-9]+/g).map(Number).filter((_, i) => i % 2))"""
    )
    for drawn, count in zip(heights, counts, strict=True):
        assert np.corrcoef(drawn, -count)[0, 1] > 0.95, "higher up is more"


def test_methods_differ_by_more_than_colour(open_page):
    root = open_page(SMALL)
    until(root, 2)
    style = """node => { const {stroke, strokeDasharray} = getComputedStyle(node);
        return [stroke, strokeDasharray] }"""
    for kind in ("thin", "middle", "membrane"):
        complete = root.locator(f"g path.{kind}.complete").last.evaluate(style)
        dropped = root.locator(f"g path.{kind}.dropped").last.evaluate(style)
        assert complete == ["rgb(0, 114, 178)", "none"]
        assert dropped == ["rgb(213, 94, 0)", "6px, 4px"]
    rows = root.locator("svg").last.locator("text").all_text_contents()
    assert [text for text in rows if text[0] in "tρ"][-3:] == ["target", "ρ = 1", "ρ = 0"]


def test_rho_of_the_dashed_curves(open_page):
    root = open_page(SMALL + "&rho=1")
    until(root, 40)
    root.get_by_role("button", name="pause").click()
    settled(root)
    for kind in ("thin", "middle", "membrane"):
        paths = root.locator(f"g path.{kind}")
        assert paths.nth(0).get_attribute("d") == paths.nth(1).get_attribute("d"), "ρ = 1 is ρ = 1"
    assert "part of the term, ρ = 1" in root.locator(".legend").text_content()
    assert "with ρ = 1" in root.locator(".summary").text_content()


@pytest.mark.parametrize("compact", [False, True])
def test_every_control_by_keyboard(open_page, compact):
    root = open_page("" if compact else SMALL, compact)
    until(root, 3)
    apart = {"learning rate η", "seed shown below"}
    names = root.locator(".control label").all_text_contents()
    assert names[:2] == ["learning rate η", "ρ, dashed curves"]
    assert len(names) == (4 if compact else 15)
    for name in names:
        control = root.get_by_label(name, exact=True)
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
        before, link = outputs(root), root.locator(".bar a").get_attribute("href")
        until(root, 200)
        root.evaluate(
            """root => { root.again = false; root.seen?.disconnect();
            root.seen = new MutationObserver(changes => {
                root.again ||= changes.some(one => +root.dataset.update < +one.oldValue); });
            const what = {attributeFilter: ["data-update"], attributeOldValue: true};
            root.seen.observe(root, what); }"""
        )
        control.focus()
        root.page.keyboard.press("ArrowDown" if name == "seeds" else "ArrowRight")
        after = outputs(root)
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(index=1)
            after = outputs(root)
        changed = {key for key in after if after[key] != before[key]}
        assert changed == {name}
        assert root.locator(".bar a").get_attribute("href") != link
        if name not in apart:
            root.page.wait_for_function("root => root.again", arg=root.element_handle())
    for node in root.locator("button, a").all():
        assert node.get_attribute("data-lm-suppress-shortcuts") == "true"


def boxes(root):
    return root.evaluate(
        """root => [...root.querySelectorAll('label, output, input, select, button, svg, p')]
        .filter(node => !node.closest('svg svg')).map(node => {
            const {x, y, width, height} = node.getBoundingClientRect();
            return [x, y, height, node.tagName === 'INPUT' ? width : 0]; })"""
    )


@pytest.mark.parametrize("width", [1300, 400])
def test_nothing_moves_while_a_slider_is_dragged(open_page, width):
    """And each value on the way is shown, in order; the picture follows."""
    root = open_page()
    root.page.set_viewport_size({"width": width, "height": 1900})
    assert root.page.evaluate("document.documentElement.scrollWidth") <= width
    until(root, 2)
    before = boxes(root)
    for name in ("learning rate η", "decay λ"):
        slider, shown = root.get_by_label(name), []
        box = slider.bounding_box()
        y = box["y"] + box["height"] / 2
        root.page.mouse.move(box["x"] + 3, y)
        root.page.mouse.down()
        for x in np.linspace(3, box["width"] - 3, 15):
            root.page.mouse.move(box["x"] + x, y)
            shown.append(float(outputs(root)[name]))
            assert boxes(root) == before
        root.page.mouse.up()
        assert shown == sorted(shown)
        assert len(set(shown)) == 15
    assert shown[-1] > 0.9


@pytest.mark.parametrize("touch", [False, True])
def test_the_charts_choose_the_learning_rate(open_page, touch):
    root = open_page(SMALL)
    until(root, 30)
    root.get_by_role("button", name="pause").click()
    at = settled(root)
    chart = root.locator(".panels svg").first
    box, before = chart.bounding_box(), root.locator("path.membrane").first.get_attribute("d")
    if touch:
        chart.dispatch_event(
            "pointerdown",
            {"pointerId": 1, "pointerType": "touch", "clientX": box["x"] + 200, "clientY": 0},
        )
    else:
        root.page.mouse.click(box["x"] + 200, box["y"] + 80)
    eta = float(outputs(root)["learning rate η"])
    across = (200 - 46) / (box["width"] - 10 - 46)
    assert np.log10(eta) == pytest.approx(-4 + 5 * across, abs=0.02)
    root.page.wait_for_function(
        "old => document.querySelector('path.membrane').getAttribute('d') !== old", arg=before
    )
    assert settled(root) == at, "the others need not train again"


def test_a_link_keeps_all_settings(open_page, page):
    link = (
        "eta=0.2&rho=0.3&decay=0.5&threshold=1.2&width=0.5&surrogate=Triangle&unit=peak"
        "&reset=subtract&optimizer=sgd&target=teacher&tau=2&T=30&N=12&seeds=2&seed=1"
    )
    root = open_page(link)
    assert root.locator(".bar a").get_attribute("href") == f"#{link}"
    assert list(outputs(root).values()) == [
        "0.2", "0.3", "0.5", "1.2", "0.5", "Triangle", "peak", "subtract", "sgd", "teacher",
        "2", "30", "12", "2", "1",
    ]  # fmt: skip
    page.evaluate("location.hash = 'eta=0.3&decay=0.6'")
    page.wait_for_function("document.querySelector('output').textContent === '0.3'")
    assert outputs(root)["decay λ"] == "0.6"
    assert outputs(root)["surrogate"] == "Sigmoid", "what a link does not name is the default"


def test_a_silly_link_is_forced_into_range(open_page):
    root = open_page("eta=1e9&decay=7&threshold=abc&reset=foo&T=33.4&seeds=0&N=&surrogate=toString")
    found = outputs(root)
    assert [found[k] for k in ("learning rate η", "decay λ", "threshold θ", "reset")] == [
        "10", "1", "1", "zero",
    ]  # fmt: skip
    assert [found[k] for k in ("steps T", "seeds", "inputs N", "surrogate")] == [
        "33", "1", "5", "Sigmoid",
    ]  # fmt: skip
    until(root, 2)


def test_presets_set_all_and_say_so(open_page):
    root = open_page(SMALL)
    assert root.locator(".captions .shown").text_content().startswith("Settings of your own.")
    for button, preset in zip(root.locator(".presets button").all(), BUTTONS, strict=True):
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert root.locator("[aria-pressed=true]").count() == 1
        shown = root.locator(".captions .shown")
        assert shown.count() == 1
        assert preset["caption"] in shown.text_content()
        assert shown.locator("a").get_attribute("href") == f"{preset['chapter']}.html"
        assert outputs(root)["seeds"] == "8"
    root.get_by_label("decay λ").press("ArrowLeft")
    assert root.locator("[aria-pressed=true]").count() == 0


def test_what_lies_outside_is_marked_not_drawn_on_the_edge(open_page):
    """A neuron that a tenfold rate silences: its membrane leaves the axes far below."""
    root = open_page("eta=10&seeds=2&target=teacher&width=0.05")
    until(root, 30)
    root.get_by_role("button", name="pause").click()
    settled(root)
    chart = root.locator("svg").last
    assert chart.locator("text", has_text="never fires").count() == 2
    points = chart.locator("path.membrane.complete").get_attribute("d")
    ys = np.array(re.findall(r"[ML][-.\d]+ ([-.\d]+)", points), float)
    window = chart.locator("clipPath rect")
    bottom = float(window.get_attribute("y")) + float(window.get_attribute("height"))
    assert (ys > bottom + 20).mean() > 0.5, "the line goes on outside, where it is cut"
    assert chart.locator("g[clip-path] path.membrane.complete").count() == 1
    for role in ("complete", "dropped"):
        arrows = chart.locator(f"path.beyond.{role}").get_attribute("d")
        assert 3 < arrows.count("M") < 110
        assert {float(y) for y in re.findall(r"M[-.\d]+ ([-.\d]+)", arrows)} == {bottom - 6}


def test_it_waits_out_of_sight(open_page, page):
    root = open_page(above="<div style='height: 3000px'></div>")
    page.wait_for_timeout(300)
    assert update_of(root) == 0
    root.scroll_into_view_if_needed()
    until(root, 3)
    page.evaluate("scrollTo(0, 0)")
    at = settled(root)
    page.wait_for_timeout(300)
    assert update_of(root) == at < 300


def test_with_reduced_motion_only_the_end_is_shown(open_page, page):
    page.emulate_media(reduced_motion="reduce")
    root = open_page(SMALL)
    seen = root.evaluate(
        """async root => { const seen = new Set();
        while (root.dataset.update !== '300') {
            seen.add(root.dataset.update); await new Promise(requestAnimationFrame); }
        return [...seen]; }"""
    )
    assert seen == ["0"]
    assert "After 300 updates" in root.locator(".summary").text_content()


def test_large_neurons_leave_time_for_input(open_page, measured):
    """T = N = 400 and many seeds: training takes as long as it takes, frames go on."""
    root = open_page("eta=0.01&T=400&N=400&seeds=12")
    until(root, 1)
    gaps = root.evaluate(
        """async root => { const times = [];
        while (times.length < 60) times.push(await new Promise(requestAnimationFrame));
        return times.slice(1).map((t, i) => t - times[i]); }"""
    )
    measured("playground: ms a frame, T = N = 400, 12 seeds", np.median(gaps))
    assert np.median(gaps) < 60


def test_printed_it_is_finished(open_page, page):
    root = open_page(SMALL)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert update_of(root) == 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("compact", [False, True])
def test_it_is_accessible(open_page, page, scheme, compact):
    root = open_page(SMALL, compact, scheme=scheme)
    if scheme == "dark":
        page.add_style_tag(content="body { background: #14181e; color: #ced6dd } a { color: #7ab }")
    until(root, 3)
    root.get_by_role("button", name="pause").click()
    settled(root)
    found = Axe().run(page).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert [(v["id"], node["html"]) for v in grave for node in v["nodes"]] == []
    for svg in root.locator("figure svg").all():
        assert "have learnt" in svg.get_attribute("aria-label")
