"""What chapters 10 and 14 say of the long study: gains for figures, rows of tables, words.

``by_name``: summaries of cells by their names, as ``verdicts.summaries`` has them.
"""

from collections import Counter

import numpy as np

from tsbp_core.chapters.growth import plan, verdicts
from tsbp_core.chapters.growth.outcomes import Shape
from tsbp_core.lab import results
from tsbp_core.lab.conditions import KINDS
from tsbp_core.lab.statistics import interval_text

LOW = [cell for cell in plan.MAIN if cell.height <= verdicts.LOW]
MILD = [cell for cell in LOW if cell.height == 1.0 and cell.slope <= 10]
TALL = [cell for cell in plan.MAIN if cell.height >= verdicts.TALL]

EDGE = plan.Cell("area", 50, "subtract", decay=0.9, threshold=0.5)
"""Of "near": its best rate with the term is the lowest."""


def count(by_name, cells, of="ends"):
    """How many of ``cells`` have each verdict: for "ends" or "speed", the most frequent first."""
    summaries = (by_name[cell.name] for cell in cells)
    return dict(
        Counter(
            s["verdict"] if of == "ends" else s["speed"]["verdict"] for s in summaries
        ).most_common()
    )


def by_multiple(by_name):
    """Gains of "main" and "near" with area 1, by reset, neuron and multiple of the bound.

    Intervals are corrected within each family, 44 and 24 looks.
    """
    gains = {}
    for cell in (*plan.MAIN, *plan.family("near")):
        if cell.unit == "area":
            label = f"λ {cell.decay:g}, θ {cell.threshold:g}"
            by_label = gains.setdefault(cell.reset, {})
            by_label.setdefault(label, {})[cell.multiple] = by_name[cell.name]["gain"]
    return gains


def by_shape(by_name, cells):
    """Gains of ``cells`` by reset's name and ``outcomes.Shape``."""
    gains = {}
    for cell in cells:
        label = f"{KINDS[cell.reset]} reset"
        shape = Shape(cell.unit, cell.slope)
        gains.setdefault(label, {})[shape] = by_name[cell.name]["gain"]
    return gains


def between(values, form="{:.1f}"):
    """The least and the most of some numbers, as in "4.4 to 10.0"."""
    return f"{form} to {form}".format(min(values), max(values))


def first_harm(by_name, reset, decays, every=False):
    """Least multiple of the bound at which a neuron is harmed, or from which on all are.

    Of "main" and "near" with area 1 and heights up to 6.25 times 1/theta.
    """
    harmed = {}
    for cell in (*plan.MAIN, *plan.family("near")):
        if cell.unit == "area" and cell.reset == reset and cell.decay in decays:
            harm = by_name[cell.name]["verdict"] == "harm"
            harmed.setdefault(round(cell.multiple, 2), []).append(harm)
    multiples = sorted(harmed)
    if not every:
        return next(m for m in multiples if any(harmed[m]))
    return next(m for m in multiples if all(all(harmed[n]) for n in multiples if n >= m))


def phrases(ends, near, momentum):
    """Numbers of chapter 10's text, by name; the three families' summaries."""
    task = results.load("growth")["settings"]["task"]
    low, tall = ([ends[cell.name] for cell in cells] for cells in (LOW, TALL))
    shallow = [cell for cell in plan.SHALLOW if cell.height <= verdicts.TALL]
    early = [s["at"][150] for s in low]
    ahead = [mean for mean, least, _ in early if least > 0]
    faster = [f["speed"]["ratio"][0] for f in low if f["speed"]["verdict"] == "faster"]
    slow = [ends[cell.name] for cell in plan.SHALLOW if cell.height == verdicts.TALL]
    speeds = count(ends, LOW, "speed")
    by_name = {**ends, **near}
    within = [cell for cell in plan.family("verdict") if cell.multiple <= 1.0]
    hard = first_harm(by_name, "zero", (0.9,))
    below = [c.multiple for c in (*plan.MAIN, *plan.family("near")) if c.reset == "zero"]
    said = {
        **{key: task[key] for key in ("inputs", "classes", "hidden")},
        "updates": f"{plan.UPDATES:,}",
        "rates": len(plan.RATES[3, "adam"]),
        "margin": f"{plan.MARGIN:g}",
        "looks": len(plan.family("verdict")),
        "early": len(ahead),
        "early-gains": between(ahead, "{:+.1f}"),
        "early-harm": sum(most < 0 for *_, most in early),
        "low-faster": len(faster),
        "low-ratios": between(faster, "{:.2f}"),
        "low-slower": speeds.get("slower", 0),
        **{f"low-{key}": n for key, n in count(ends, LOW).items()},
        "end-help": end_text(ends, "peak", 10, "zero"),
        "end-harm": end_text(ends, "area", 10, "subtract"),
        "tall-gains": between([-s["gain"][0] for s in tall], "{:.0f}"),
        "tall-ratios": between([s["speed"]["ratio"][0] for s in tall]),
        "hard-clear": f"{max(m for m in below if m < hard - 0.01):.2f}",
        "hard-harm": f"{first_harm(by_name, 'zero', (0.9,), every=True):.2f}",
        "soft-first": f"{first_harm(by_name, 'subtract', (0.9,)):.2f}",
        "soft-all": f"{first_harm(by_name, 'subtract', (0.9, 0.5), every=True):.2f}",
        "soft-half": f"{first_harm(by_name, 'subtract', (0.5,)):.2f}",
        "within": len(within),
        "within-open": count(ends, within)["open"],
        "shallow": len(shallow),
        "shallow-equal": count(ends, shallow)["equal"],
        "shallow-slower": between([s["speed"]["ratio"][0] for s in slow], "{:.2f}"),
        "shallow-faster": count(ends, plan.SHALLOW, "speed")["faster"],
        "unfinished": sum(not s["flat"] for s in ends.values()),
        "long-help": end_text(ends, "area", 10, "zero", steps=200),
        "long-soft": end_text(ends, "area", 10, "subtract", steps=200),
    }
    said |= phrases_of_uncertainty(low, tall) | phrases_of_momentum(momentum)
    said |= phrases_of_rates(ends, near, momentum) | phrases_of_stopping(ends)
    said |= phrases_of_reset(ends, "subtract") | phrases_of_reset(ends, "zero")
    return {key: str(value) for key, value in said.items()}


def phrases_of_uncertainty(low, tall):
    """What open cells may hide, and how many had not ended; summaries of two kinds of cells."""
    still_open = [s["gain"] for s in low if s["verdict"] == "open"]
    return {
        "open-gain": sum(most >= plan.MARGIN for *_, most in still_open),
        "open-loss": sum(least <= -plan.MARGIN for _, least, _ in still_open),
        "low-unfinished": sum(not s["flat"] for s in low),
        "tall-unfinished": sum(not s["flat"] for s in tall),
    }


def phrases_of_stopping(ends):
    """What would be another, had training stopped where validation accuracy is best."""
    changed = [abs(s["stopped"][0] - s["gain"][0]) for s in ends.values()]
    turned = [
        s["verdict"]
        for s in ends.values()
        if verdicts.judge(*s["stopped"][1:], plan.MARGIN) != s["verdict"]
    ]
    return {
        "stopped": f"{max(changed):.1f}",
        "stopped-turned": len(turned),
        "stopped-helps": turned.count("help"),
        "helps": sum(s["verdict"] == "help" for s in ends.values()),
    }


def phrases_of_rates(ends, near, momentum):
    """Gains at the smallest rate and at the largest, and what lies at an edge of the grid."""
    cells = [cell for cell in plan.family("momentum") if cell.height == 1.0]
    low_peak = min(mean for cell in cells for mean, *_ in momentum[cell.name]["by_rate"])
    low = [cell for cell in plan.family("momentum") if cell.height <= verdicts.LOW]
    return {
        "slow-rates": between([ends[cell.name]["by_rate"][0][0] for cell in MILD], "{:+.1f}"),
        "slow-momentum": f"{-low_peak:.0f}",
        "fast-momentum": between([momentum[c.name]["by_rate"][-1][0] for c in low], "{:.0f}"),
        "near-edge": f"{near[EDGE.name]['rates'][0]:g}",
        "near-edge-loss": interval_text(*near[EDGE.name]["gain"], 1),
    }


def phrases_of_momentum(momentum):
    """Those of SGD with momentum."""
    tallest = momentum[plan.Cell("area", 25, "subtract", optimizer="sgd").name]
    soft = {
        f"momentum-{height}": end_text(momentum, "area", slope, "subtract", optimizer="sgd")
        for height, slope in (("1", 4), ("2.5", 10), ("6.25", 25))
    }
    return soft | {
        "momentum-hard": end_text(momentum, "area", 25, "zero", optimizer="sgd"),
        "momentum-edge": f"{tallest['rates'][0]:g}",
        "momentum-faster": count(momentum, plan.family("momentum"), "speed").get("faster", 0),
    }


def phrases_of_width(cells):
    """What a low surrogate with the term gains over one of height 6.25 whose term is dropped.

    Peak 1 of slope 4, of the same area and so wider, and of slope 25, as narrow; corrected for
    four looks. Not planned. ``cells``: as ``verdicts.load`` has them.
    """
    names = {"wider": ("area", 4), "narrow": ("peak", 25)}
    said = {}
    for reset, kind in KINDS.items():
        tall = _ends(cells, plan.Cell("area", 25, reset))[1]
        for name, shape in names.items():
            low = _ends(cells, plan.Cell(*shape, reset))[0]
            gain = verdicts.paired_interval(np.stack([low, tall]), looks=2 * len(names))
            said[f"{name}-{kind}"] = interval_text(*gain)
    return said


def phrases_of_decay(cells):
    """Gain with lambda 0.5 and the hard reset, averaged over the heights of "near". Not planned."""
    weak = [cell for cell in plan.family("near") if (cell.reset, cell.decay) == ("zero", 0.5)]
    pairs = np.mean([_ends(cells, cell) for cell in weak], axis=0)
    return {"hard-half": interval_text(*verdicts.paired_interval(pairs), 1)}


def _ends(cells, cell):
    """Ends of a cell's networks [rho, seed], each method at its own best rate."""
    return verdicts.at_own_best(verdicts.record(cells[cell.name]), verdicts.end)[0]


def end_text(family, *cell, **options):
    """Gain at the end of a cell of a family, with its interval."""
    return interval_text(*family[plan.Cell(*cell, **options).name]["gain"])


def phrases_of_reset(ends, reset):
    """Those of single cells with this reset."""
    usual = ends[plan.Cell("peak", 10, reset).name]
    detached = ends[plan.Cell("area", 100, reset).name]["ends"][1]
    return {
        f"again-{reset}": interval_text(*usual["at"][150], 1),
        f"final-{reset}": interval_text(*usual["gain"], 1),
        f"shallow-25-{reset}": end_text(ends, "area", 100, reset, depth=1),
        f"long-tall-{reset}": end_text(ends, "area", 25, reset, steps=200),
        f"detached-{reset}": f"{detached:.0f}",
    }
