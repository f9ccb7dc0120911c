"""Chapter 10's tables of trained networks, cell by cell.

``families``: summaries by cell, by family, as ``verdicts.by_family`` has them.
"""

from tsbp_core import page
from tsbp_core.chapters.growth import plan, probe, verdicts
from tsbp_core.lab.conditions import KINDS
from tsbp_core.lab.statistics import interval_text, signed

TITLES = {
    "main": "three layers",
    "shallow": "one layer",
    "long": "three layers, 200 steps",
    "near": "three layers, other λ and θ",
    "momentum": "three layers, SGD with momentum",
}
"""Of the blocks of cells; T = 50, Adam, λ = 0.9 and θ = 1 where nothing else is said."""


def neuron(cell):
    """A cell's reset, height and slope of h, and decay and threshold where they aren't usual."""
    words = f"{KINDS[cell.reset]}, {cell.height:.3g}, {cell.slope:.3g}"
    if (cell.decay, cell.threshold) != (probe.DECAY, probe.THRESHOLD):
        words += f", λ {cell.decay:g}, θ {cell.threshold:g}"
    return words


def end(summary):
    """Gain in the end, its verdict; a dagger if unfinished, a star for a best rate at an edge."""
    marks = "†" * (not summary["flat"]) + "*" * any(summary["edge"])
    return f"{interval_text(*summary['gain'], 1)} {summary['verdict']}{marks}"


def speed(summary):
    """Ratio of updates, with the term over without, and its verdict."""
    ratio = "{:.2f} [{:.2f}, {:.2f}]".format(*summary["speed"]["ratio"])
    return f"{ratio} {summary['speed']['verdict']}"


def blocks(families):
    """The cells of each of ``TITLES`` with their summaries: (title, list of pairs)."""
    summaries = {name: s for family in families.values() for name, s in family.items()}
    for block, title in TITLES.items():
        yield title, [(cell, summaries[cell.name]) for cell in plan.BLOCKS[block][0]]


def main_table(ends):
    """Three layers, T = 50; ``ends``: summaries of the family "verdict"."""
    rows = [
        (neuron(cell), interval_text(*summary["at"][150], 1), end(summary), speed(summary))
        for cell, summary in ((cell, ends[cell.name]) for cell in plan.MAIN)
    ]
    return page.table(("reset, height, slope", "after 150", "in the end", "ratio of updates"), rows)


def ends_table(families):
    """All cells: accuracies, gain, ratio of updates, and networks that never got that far."""
    rows = []
    for title, cells in blocks(families):
        rows.append(title)
        rows += [
            (
                neuron(cell),
                "{:.1f} and {:.1f}".format(*summary["ends"]),
                end(summary),
                speed(summary),
                "{} and {}".format(*summary["speed"]["never"]),
            )
            for cell, summary in cells
        ]
    heads = "reset, height, slope", "right, %", "in the end", "ratio of updates", "never"
    return page.table(heads, rows)


def early_table(families):
    """All cells: gains on the way, each method at its best rate for that."""
    rows = []
    for title, cells in blocks(families):
        rows.append(title)
        for cell, summary in cells:
            gains = (*(summary["at"][n] for n in verdicts.HORIZONS), summary["average"])
            rows.append((neuron(cell), *(interval_text(*gain, 1) for gain in gains)))
    heads = "reset, height, slope", *(f"after {n}" for n in verdicts.HORIZONS), "mean of all"
    return page.table(heads, rows)


def rates_table(families):
    """All cells: gains in the end rate by rate, mean ± half the 95 % interval."""
    rows = []
    width = max(map(len, plan.RATES.values()))
    for title, cells in blocks(families):
        rates = [f"{rate:g}" for rate in cells[0][0].rates]
        rows += [title, ("at", *rates, *[""] * (width - len(rates)))]
        for cell, summary in cells:
            gains = [
                f"{signed(mean, 1)} ± {high - mean:.1f}" for mean, _, high in summary["by_rate"]
            ]
            rows.append((neuron(cell), *gains, *[""] * (width - len(gains))))
    return page.table(("reset, height, slope", "gain at each rate", *[""] * (width - 1)), rows)
