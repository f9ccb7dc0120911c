"""What chapter 10 says of one neuron, and of the study of 150 updates; ``report`` has the rest.

``probed`` is the probe's committed results, as ``probe.load`` returns them.
"""

import itertools

import numpy as np

from tsbp_core import numpy_lif, page
from tsbp_core.chapters.growth import outcomes, probe, report, verdicts
from tsbp_core.chapters.growth.outcomes import Shape, Trained
from tsbp_core.chapters.growth.probe import Probed, Stepped
from tsbp_core.lab import conditions, results
from tsbp_core.lab.conditions import KINDS
from tsbp_core.lab.statistics import interval_text

RULES = {
    "keep, in the end": "Low: keep the term for what is learnt in the end",
    "keep, for speed": "Low: keep the term for speed",
    "drop": "Tall: drop it",
    "bound": "No harm up to the bound for one step",
}
SHAPES = Shape("peak", 10), Shape("area", 25), Shape("area", 100)
"""Surrogates of which the text gives the lengths of the first layer's gradient."""


def bounds():
    """Height of h from which on a step at the threshold makes credit larger, by reset."""
    return {
        reset: probe.growth_bound(probe.make_neuron(reset, "area", 4)) for reset in probe.RESETS
    }


def of_bounds(probed):
    """Bounds for one step, the slopes that reach them, and those of the mean square."""
    said = {}
    for reset, bound in bounds().items():
        said |= {
            f"bound-{reset}": f"{bound:.2f}",
            f"slope-{reset}": f"{4 * bound:.1f}",
            f"square-{reset}": f"{probed.square_bound[reset]:.2f}",
        }
    return said


def faces_peak():
    """Density of the soft neurons' membranes at the threshold, and where the two faces part.

    The peak of h at which the mean square of J, by the chapter's equation for area 1, is 1.
    """
    lif = probe.make_neuron("subtract", "area", 25)
    x, _ = probe.draw(200, probe.INSTANCES)
    near = np.abs(numpy_lif.forward(x, lif).membrane - lif.threshold) < 0.05
    density = near.mean() / 0.1
    slope = 6 * (2 + (1 / lif.decay**2 - 1) / density)
    return density, slope / 4


def of_lengths(probed):
    """How long the complete gradient is over the detached one."""
    soft = {slope: probed.lengths[Probed("subtract", "area", slope, 50)] for slope in probe.SLOPES}
    kept = [probed.lengths[Probed("subtract", "peak", s, 50)]["pooled"] for s in probe.SLOPES]
    above = probed.steps[Stepped("subtract", "area", 10)][1.0]["above"]
    before = results.load("growth")["results"]["lengths"]["subtract/area/slope=25/T=50"]
    mean, low, high = before["pooled"]
    density, peak = faces_peak()
    return {
        "instances": f"{probe.INSTANCES:,}",
        "draws": str(len(probe.DRAWS)),
        "above-10": f"{above:.0%}",
        "density": f"{density:.2f}",
        "faces-peak": f"{peak:.2f}",
        **{f"pooled-{slope}": probe.spread(soft[slope]["pooled"]) for slope in (10, 25, 100)},
        "kept": f"{np.min(kept):.2f} to {np.max(kept):.2f}",
        "bootstrap-25": f"{mean:.0f} [{low:.0f}, {high:.0f}]",
        "outside-25": str(sum(not low <= value <= high for value in soft[25]["pooled"])),
    }


def shares(unit):
    """Shares of the squared length of the gradient: of the longest, and of the next 999 neurons."""
    x, g = probe.draw(100, probe.INSTANCES)
    lif = probe.make_neuron("subtract", unit, 50)
    delta = numpy_lif.backward(g, numpy_lif.forward(x, lif), lif)
    size = np.sort((delta**2).sum(axis=0))[::-1] / (delta**2).sum()
    return size[0], size[1:1000].sum()


def of_shares():
    """Whose the batch gradient is, by unit."""
    said = {}
    for unit in probe.UNITS:
        for name, share in zip(("longest", "next"), shares(unit), strict=True):
            said[f"{name}-{unit}"] = f"{share:.1%}"
    return said


def of_first_study():
    """The study of 150 updates: its gain, and lengths of the first layer's gradient."""
    trained, _ = outcomes.load()
    before = outcomes.gains(trained, depth=3)[Shape("peak", 10)]
    said = {"before": interval_text(*before, 1)}
    for shape in SHAPES:
        pair = conditions.pair(trained, Trained(*shape, "subtract", 3, 50, 1.0))
        for key in ("first", "median", "longest"):
            ratio = np.median(np.divide(*(run[key] for run in pair)))
            said[f"{key}-{shape.unit}-{shape.slope}"] = f"{ratio:.2g}"
    return said


def phrases(probed, families):
    """All values of chapter 10's text; ``families``: ``verdicts.by_family()``."""
    cells = verdicts.load()
    said = report.phrases(*families.values())
    said |= report.phrases_of_width(cells) | report.phrases_of_decay(cells)
    return said | of_bounds(probed) | of_lengths(probed) | of_shares() | of_first_study()


def steps_table(probed, slopes=(4, 10, 14, 20, 100)):
    """Factors of length a step, by three averages, and the measured ratio at T = 400; area 1."""
    rows = []
    for reset, slope in itertools.product(probe.RESETS, slopes):
        step = probed.steps[Stepped(reset, "area", slope)][1.0]
        rate = probe.exact_rate(probe.make_neuron(reset, "area", slope))
        factors = (f"{f:.2f}" for f in np.exp([step["typical"], step["square"], rate]))
        ratio = np.median(probed.lengths[Probed(reset, "area", slope, 400)]["pooled"])
        rows.append((f"{KINDS[reset]}, {slope}", f"{step['above']:.0%}", *factors, f"{ratio:.2g}"))
    return page.table(("reset, slope", "|J| > 1", "typical", "square", "exact", "T = 400"), rows)


def lengths_table(probed):
    """Ratios of lengths at T = 50 and area 1: of root mean squares, of a neuron, predicted."""
    rows = []
    for reset, slope in itertools.product(probe.RESETS, (10, 100)):
        cell = probed.lengths[Probed(reset, "area", slope, 50)]
        ends = f"{np.median(cell['median']):.2f}", f"{cell['predicted']:.2g}"
        rows.append((f"{KINDS[reset]}, {slope}", probe.spread(cell["pooled"]), *ends))
    heads = "reset, slope", "ratio [least, most]", "median neuron", "predicted"
    return page.table(heads, rows)


def rules_table(ends):
    """What the plan wanted to know, and what came out; ``ends``: summaries of "verdict"."""
    verdict = verdicts.rules(ends)
    return page.table(("rule", "verdict"), [(text, verdict[key]) for key, text in RULES.items()])
