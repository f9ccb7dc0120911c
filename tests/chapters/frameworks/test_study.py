import inspect
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tsbp_core import LIF, numpy_lif, plain_lif, surrogates, torch_lif
from tsbp_core.chapters.frameworks import defaults, figures, libraries, report, ways
from tsbp_core.chapters.frameworks import study as frameworks
from tsbp_core.lab import results


def by_name(library):
    return {way.name: way for way in ways.ways() if way.library == library}


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_fit_finds_the_rho_of_our_own_layer(reset, rho):
    lif = LIF(0.8, 1.0, reset, surrogates.Sigmoid(0.25), rho)
    x, g = frameworks.draw()
    match = ways.Match(replace(lif, reset_gradient=0.5))
    found = frameworks.fit(lambda x: torch_lif.autograd_lif(x, lif), match, x, g)
    assert found["rho"] == pytest.approx(rho, abs=1e-6)
    assert found["error"] < defaults.TOLERANCE
    assert found["spikes"] == 0
    for end, distance in found["distance"].items():
        assert (distance < 1e-12) == (float(end) == rho)


def test_fit_says_so_where_no_rho_fits():
    lif = LIF(0.8, 1.0, "zero", surrogates.Sigmoid(0.25))
    x, g = frameworks.draw()
    wide = replace(lif, surrogate=surrogates.Sigmoid(0.5))
    assert frameworks.fit(lambda x: torch_lif.lif(x, wide), ways.Match(lif), x, g)["error"] > 0.1
    soft = replace(lif, reset="subtract")
    assert frameworks.fit(lambda x: torch_lif.lif(x, soft), ways.Match(lif), x, g)["spikes"]


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_late_reset_is_the_two_step_equations_in_the_other_order(reset):
    """By hand: u = (0.8 u + x)(1 - s) or 0.8 u + x - s, and the gradient by differences."""
    match = ways.Match(LIF(0.8, 1.0, reset), late=True)
    x, _ = frameworks.draw()
    u, s, expected = torch.zeros(50, dtype=x.dtype), torch.zeros(50, dtype=x.dtype), []
    for x_t in x:
        u = 0.8 * u + x_t
        u = u * (1 - s) if reset == "zero" else u - s
        s = (u >= 1.0).to(x.dtype)
        expected.append(s)
    assert torch.equal(match.spikes(x, 1.0), torch.stack(expected))
    assert not torch.equal(match.spikes(x, 1.0), ways.Match(match.lif).spikes(x, 1.0))


def test_late_reset_with_a_gradient_done_by_hand():
    """Two steps, a spike at the first: du2/dx1 = 0.8 - rho h(u1 - 1) for the soft reset."""
    lif = LIF(0.8, 1.0, "subtract", surrogates.Sigmoid(0.25))
    x, g = torch.tensor([[1.1], [0.5]], dtype=torch.float64), torch.tensor([[0.0], [1.0]])
    h1, h2 = (lif.surrogate.derivative(np.array(z)) for z in (0.1, 0.8 * 1.1 + 0.5 - 1.0 - 1.0))
    for rho in (0.0, 0.4, 1.0):
        match = ways.Match(lif, late=True)
        _, found = frameworks.gradient(lambda x, m=match, r=rho: m.spikes(x, r), x, g)
        assert found[0, 0] == pytest.approx(h2 * (0.8 - rho * h1), rel=1e-12)


def test_spytorch_style_drops_the_term_unless_told_not_to():
    found = {name: frameworks.measure(way) for name, way in by_name("spytorch style").items()}
    assert [w["rho"] for w in found.values()] == pytest.approx([0.0, 1.0], abs=1e-6)
    assert all(w["error"] < 1e-12 and w["spikes"] == 0 for w in found.values())
    assert frameworks.bump(libraries._FastSigmoid.apply, 0.0) == (0.0, 1.0)


def test_currents_stay_below_two_thresholds():
    x, _ = frameworks.draw()
    assert frameworks.LOW <= x.min() < 0 < 1 < x.max() <= frameworks.HIGH
    for reset in ("zero", "subtract"):
        assert numpy_lif.forward(x.numpy(), LIF(0.8, reset=reset)).membrane.max() < 2.0


def test_exponential_is_the_slope_that_it_says():
    z = torch.linspace(-60, 60, 240001, dtype=torch.float64)
    h = defaults.Exponential(0.5).derivative(z)
    assert h.max().item() == pytest.approx(2.0, rel=1e-12)
    assert torch.trapezoid(h, z).item() == pytest.approx(2.0, rel=1e-6)


def test_shape_of_known_bumps():
    found = frameworks.shape(lambda z: plain_lif.Spike.apply(z, surrogates.Gaussian(0.4)))
    assert found["fires at threshold"] and found["nan in float32"] == []
    assert found["peak"] == pytest.approx(1.0)
    assert found["area"] == pytest.approx(0.4 * np.sqrt(2 * np.pi), rel=1e-6)
    assert not frameworks.shape(libraries._FastSigmoid.apply)["fires at threshold"]


def test_shape_finds_the_nan_of_a_careless_sigmoid():
    def careless(z):
        e = torch.exp(-25 * z)
        return 25 * (e / (1 + e) ** 2).detach() * z

    found = frameworks.shape(careless)
    assert found["nan in float32"] == [-1e4, -100.0, -5.0]
    assert found["area"] == pytest.approx(1.0, rel=1e-6)


@pytest.fixture(scope="module")
def committed():
    return results.load("frameworks")


def test_committed_results_are_complete(committed):
    found = committed["results"]
    names = [(way.library, way.name) for way in ways.ways()]
    assert [(w["library"], w["name"]) for w in found["ways"]] == names
    assert set(found["surrogates"]) == set(defaults.SURROGATES)
    assert set(committed["settings"]["libraries"]) == set(frameworks.PACKAGES)
    pins = (results.PROJECT / "requirements-peers.txt").read_text()
    for name, version in committed["settings"]["libraries"].items():
        assert f"{frameworks.PACKAGES[name]}=={version}\n" in pins


def test_every_way_but_the_adjoint_is_reproduced(committed):
    apart = [
        w["name"]
        for w in committed["results"]["ways"]
        if w["error"] >= defaults.TOLERANCE or w["spikes"] or min(w["rho"], 1 - w["rho"]) > 1e-6
    ]
    assert apart == ["lif_feed_forward_adjoint_step()"]


def test_our_surrogates_are_the_libraries_defaults(committed):
    for library, surrogate in defaults.SURROGATES.items():
        default = next(iter(committed["results"]["surrogates"][library].values()))
        ours = frameworks.shape(lambda z, h=surrogate: plain_lif.Spike.apply(z, h))
        for key in ("peak", "lowest", "area"):
            assert ours[key] == pytest.approx(default[key], rel=1e-6)


def test_the_default_of_each_library(committed):
    rho = {(w["library"], w["name"]): round(w["rho"]) for w in committed["results"]["ways"]}
    assert rho["snnTorch", "Leaky()"] == rho["Norse", "lif_step()"] == 0
    assert rho["SpikingJelly", "LIFNode()"] == rho["Norse", "LIFCell()"] == 1
    assert rho["sinabs", "LIF()"] == 1
    assert rho["sinabs", "LIF(reset_fn=MembraneReset)"] == 0


def test_functions_that_the_chapter_shows_have_a_source():
    for layer in ways.CALLS:
        assert len(inspect.getsource(layer).splitlines()) <= 16


def test_table_has_a_row_for_each_way_and_says_where_no_rho_fits(committed):
    table = figures.ways_table(committed)
    assert table.count("<code>") == len(committed["results"]["ways"])
    assert table.count("<td>none</td>") == 1
    for library, version in committed["settings"]["libraries"].items():
        assert f">{library} {version}<" in table


def test_the_common_loop_of_stbp_keeps_the_term():
    """It detaches nothing: ours with rho = 1 to the last bits, and far from ours with rho = 0."""
    found = frameworks.fit(libraries.stbp, report.STBP, *frameworks.draw())
    assert found["rho"] == 1.0 and found["spikes"] == 0
    assert found["error"] < 1e-15
    assert found["distance"]["0"] > 0.3
    x, g = torch.tensor([[1.2], [1.3]], dtype=torch.float64), torch.tensor([[0.0], [1.0]])
    _, by_hand = frameworks.gradient(libraries.stbp, x, g)
    assert by_hand[0, 0] == pytest.approx(-0.8 * 1.2)  # (1 - s) is 0; h is 1 at both steps


def test_all_that_the_text_cites_is_there(committed):
    path = results.PROJECT / "book" / "12-frameworks.ipynb"
    cited = set(re.findall(r"\{glue:text\}`([^`]+)`", path.read_text()))
    said = report.phrases(committed)
    assert cited == said.keys()
    assert said["stbp-rho"] == "1.000"
    assert said["reproduced"] == str(int(said["ways"]) - 1)


def test_tables_of_surrogates_and_of_one_neuron(committed):
    table = report.surrogates_table(committed)
    shapes = committed["results"]["surrogates"]
    assert table.count("<tr>") == 1 + len(shapes) + sum(map(len, shapes.values()))
    assert "<td>sigmoid</td><td>6.25</td><td>1</td><td>silent</td>" in table
    rows = report.two_thresholds_table(committed)
    assert "snnTorch's spikes, reset_delay=False</td><td>1</td><td>0</td>" in rows
    assert "our spikes</td><td>1</td><td>1</td>" in rows
