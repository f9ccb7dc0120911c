"""The page's engine, in Chromium, against NumPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SURROGATES, name, neurons

import tsbp_core
from tsbp_core import LIF, numpy_lif, surrogates
from tsbp_core.chapters.toy import experiment as toy

PAGE = Path(tsbp_core.__file__).parent / "page"
SOURCES = "\n".join((PAGE / f"{name}.js").read_text() for name in ("random", "engine"))
BUILD = """lif => LIF({...lif, surrogate: FAMILIES[lif.family](lif.size, lif.unit)})"""


@pytest.fixture(scope="module")
def js(browser):
    """Evaluate a function of one argument in a page that holds the engine."""
    page = browser.new_page()
    page.add_script_tag(content=SOURCES + f"\nconst build = {BUILD};")
    yield page.evaluate
    page.close()


def described(lif):
    """A LIF as JavaScript's ``build`` takes it."""
    surrogate = lif.surrogate
    size = next(value for key, value in vars(surrogate).items() if key != "unit")
    fields = {key: getattr(lif, key) for key in ("decay", "threshold", "reset", "reset_gradient")}
    return {**fields, "family": type(surrogate).__name__, "size": size, "unit": surrogate.unit}


def columns(lists):
    """[K][T], as JavaScript gives it, as an array [T, K]."""
    return np.array(lists, float).T


def worst(a, b):
    """Largest difference in units of the largest entry of its column."""
    scale = np.maximum(np.abs(b).max(axis=0), 1e-300)
    return float((np.abs(a - b) / scale).max())


@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_surrogates(surrogate, js, measured):
    w = next(value for key, value in vars(surrogate).items() if key != "unit")
    z = np.concatenate(
        [np.linspace(-4, 4, 4001), [w / 2, -w / 2, 1e4, -1e4], np.logspace(-9, 1, 50)]
    )
    h, sigma = js(
        """([lif, z]) => { const {derivative, primitive} = build(lif).surrogate;
        return [z.map(derivative), z.map(primitive)]; }""",
        [described(LIF(surrogate=surrogate)), z.tolist()],
    )
    for ours, theirs in ((h, surrogate.derivative(z)), (sigma, surrogate.primitive(z))):
        np.testing.assert_allclose(ours, theirs, rtol=2e-14, atol=4e-15)
        measured("engine: surrogates", worst(np.array(ours), theirs))


@pytest.mark.parametrize("surrogate", SURROGATES, ids=name)
def test_spikes_to_the_bit_and_gradients(surrogate, js, rng, measured):
    """Every reset and rho, with changed decay and threshold; the smooth twin, too."""
    x, g = rng.normal(0.3, 0.6, (80, 12)), rng.normal(size=(80, 12))
    x[0, 0] = 0.9  # at the threshold: a spike
    lifs = [replace(lif, decay=0.83, threshold=0.9) for lif in neurons(surrogate)]
    found = js(
        """([lifs, x, g]) => lifs.map(lif => [false, true].map(smooth => x.map((x, k) => {
        const run = forward(x, build(lif), smooth), delta = backward(g[k], run, build(lif));
        return [run.spikes, run.membrane, delta].map(a => [...a]); })))""",
        [[described(lif) for lif in lifs], x.T.tolist(), g.T.tolist()],
    )
    for lif, by_kind in zip(lifs, found, strict=True):
        for smooth, runs in zip((False, True), by_kind, strict=True):
            s, u, delta = (columns(kind) for kind in zip(*runs, strict=True))
            run = numpy_lif.forward(x, lif, smooth=smooth)
            if not smooth:
                assert 0.05 < s.mean() < 0.9
                np.testing.assert_array_equal(s, run.spikes)
                np.testing.assert_array_equal(u, run.membrane)
            error = worst(delta, numpy_lif.backward(g, run, lif))
            assert max(error, worst(s, run.spikes), worst(u, run.membrane)) < 1e-12
            measured("engine: gradients", error)


def test_rho_and_reset_change_the_gradient(js, rng):
    """So the test above can fail."""
    x, g = rng.normal(0.3, 0.6, 80), rng.normal(size=80)
    kinds = [described(lif) for lif in neurons(surrogates.Sigmoid())]
    deltas = js(
        """([lifs, x, g]) => lifs.map(build).map(lif => [...backward(g, forward(x, lif), lif)])""",
        [kinds, x.tolist(), g.tolist()],
    )
    assert len({tuple(delta) for delta in deltas}) == 3 + 3 + 1  # without reset, rho is idle


def test_traces_and_loss(js, rng):
    s, target = (rng.random((2, 90)) < 0.2).astype(float)
    e = rng.normal(size=90)
    a, back, value, g = js(
        """([s, target, e]) => { const [value, g] = TraceLoss(target, 2.5)(s);
        return [[...trace(s, 2.5)], [...trace_backward(e, 2.5)], value, [...g]]; }""",
        [s.tolist(), target.tolist(), e.tolist()],
    )
    np.testing.assert_array_equal(a, numpy_lif.trace(s, 2.5))
    np.testing.assert_array_equal(back, numpy_lif.trace_backward(e, 2.5))
    expected, slope = numpy_lif.TraceLoss(target, 2.5)(s)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(g, slope, rtol=1e-14, atol=1e-16)


def test_random_numbers_are_numpys(js):
    """Uniform ones to the bit; normal ones to rounding, the tail (above 3.65) included."""
    for seed in (0, 1, 99, 12345, 2**31):
        uniform, normal = js(
            """seed => { const rng = default_rng(seed), many = (n, f) => Array.from({length: n}, f);
            return [many(500, rng.random), many(20000, () => rng.normal(0.05, 0.2))]; }""",
            seed,
        )
        rng = np.random.default_rng(seed)
        np.testing.assert_array_equal(uniform, rng.random(500))
        np.testing.assert_allclose(normal, rng.normal(0.05, 0.2, 20000), rtol=0, atol=3e-15)


@pytest.mark.parametrize("target", toy.TARGETS)
def test_tasks_are_pythons(target, js):
    settings = toy.Settings(steps=70, inputs=30, rate=0.15, tau=2.0, target=target)
    tasks = js(
        """([seeds, changed, lif]) => seeds.map(seed => {
        const {fired, weights, target} = make_task(seed, Settings(changed), build(lif));
        return {fired, weights: [...weights], target: [...target]}; })""",
        [[0, 7], {**vars(settings)}, described(toy.NEURON)],
    )
    expected = toy.make_task([0, 7], settings)
    for s, task in enumerate(tasks):
        spikes = np.zeros((70, 30))
        for t, places in enumerate(task["fired"]):
            spikes[t, places] = 1.0
        np.testing.assert_array_equal(numpy_lif.trace(spikes, 2.0).T, expected.traces[s])
        np.testing.assert_allclose(task["weights"], expected.weights[s], rtol=0, atol=3e-15)
        np.testing.assert_array_equal(task["target"], expected.target[:, s])


TRAIN = """([seeds, lif, rates, options, changed]) => seeds.map(seed => {
    const p = Settings(changed), neuron = build(lif), task = make_task(seed, p, neuron);
    const steps = [...train(task, neuron, rates, {...options, updates: p.updates})];
    return {losses: steps.map(step => [...step.losses]), diverged: steps.at(-1).diverged,
            weights: steps.at(-1).weights.map(w => [...w])}; })"""


@pytest.mark.parametrize("optimizer", toy.OPTIMIZERS)
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("rho", [1.0, 0.4, 0.0])
def test_training_follows_numpy(reset, rho, optimizer, js, rng, measured):
    """Losses of 50 updates at 41 learning rates, whose tasks the page draws for itself.

    A loss is a matter of spikes, so it agrees to the bit until one spike falls otherwise. Plain
    gradient descent can be chaotic: then NumPy, too, ends elsewhere if a weight's 15th digit is
    changed. Such runs (counted) say nothing about the engine.
    """
    settings, seeds = toy.Settings(updates=50), range(4)
    lif = replace(toy.NEURON, reset=reset, reset_gradient=rho)
    task = toy.make_task(seeds, settings)

    def numpy(weights):
        return toy.train(task._replace(weights=weights), lif, toy.LEARNING_RATES,
                         optimizer=optimizer, settings=settings)  # fmt: skip

    runs = js(
        TRAIN,
        [list(seeds), described(lif), toy.LEARNING_RATES.tolist(), {"optimizer": optimizer},
         {"updates": 50}],
    )  # fmt: skip
    outcome = numpy(task.weights)
    assert (outcome.losses[-1] < 0.5 * outcome.losses[0]).any()
    chaotic = np.zeros(outcome.losses.shape[1:], bool)
    for _ in range(4):
        near = numpy(task.weights * (1 + 1e-14 * rng.normal(size=task.weights.shape)))
        chaotic |= (near.losses != outcome.losses).any(axis=0)
    assert chaotic.mean() <= (0.1 if optimizer == "sgd" else 0.01)
    losses = np.stack([run["losses"] for run in runs], axis=1)
    error = np.abs(losses - outcome.losses).max(axis=0) / outcome.losses[0]
    assert error[~chaotic].max() < 1e-9
    weights = np.abs([run["weights"] for run in runs] - outcome.weights).max(axis=-1)
    assert np.quantile(weights[~chaotic], 0.95) < 1e-9
    measured("engine: losses of 50 updates", error[~chaotic].max())
    measured(f"engine: share of chaotic runs, {optimizer}", chaotic.mean())


def test_a_diverging_run_stops_and_the_others_go_on(js):
    changed = {"steps": 30, "inputs": 12, "updates": 25}
    settings, rates = toy.Settings(**changed), [0.05, 1e308]
    (run,) = js(TRAIN, [[1], described(toy.NEURON), rates, {"optimizer": "sgd"}, changed])
    with np.errstate(over="ignore", invalid="ignore"):
        outcome = toy.train(
            toy.make_task([1], settings), toy.NEURON, rates, optimizer="sgd", settings=settings
        )
    assert run["diverged"] == outcome.diverged[0].tolist() == [False, True]
    np.testing.assert_allclose(run["losses"], outcome.losses[:, 0], rtol=1e-9)


def test_the_grid_and_the_defaults_are_pythons(js):
    np.testing.assert_allclose(js("() => LEARNING_RATES"), toy.LEARNING_RATES, rtol=1e-14)
    assert js("() => Settings()") == vars(toy.Settings())
    assert js("() => [SOLVED, LAST]") == [toy.SOLVED, toy.LAST]
    lif = LIF()
    ours = js("() => { const {surrogate, ...rest} = LIF(); return rest; }")
    assert ours == {key: getattr(lif, key) for key in ours}
    for family in surrogates.FAMILIES:
        ours = js("name => FAMILIES[name]().peak_area", family.__name__)
        assert ours == pytest.approx(family().peak_area, rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("LIF({decay: 1.5})", "decay must be in [0, 1], got 1.5"),
        ("LIF({reset_gradient: NaN})", "reset_gradient must be in [0, 1], got NaN"),
        ("LIF({threshold: 0})", "threshold must be positive and finite, got 0"),
        ("LIF({reset: 'hard'})", "reset must be one of zero, subtract, none, got hard"),
        ("Sigmoid(0)", "width must be positive and finite, got 0"),
        ("Triangle(1, 'height')", "unit must be peak or area, got height"),
        ("trace([1], 0.5)", "tau must be at least 1 step and finite, got 0.5"),
    ],
)
def test_misfits_are_named(call, message, js):
    assert js(f"() => {{ try {{ {call} }} catch (error) {{ return error.message }} }}") == message
