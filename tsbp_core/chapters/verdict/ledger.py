"""A ledger of claims: what was said, what was measured, and whether it holds.

Everything is read from the results files, and whether a claim holds is computed from them.
"""

import html
from dataclasses import dataclass

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.cifar10 import outcomes as cifar10
from tsbp_core.chapters.cifar10 import plan
from tsbp_core.chapters.cost import outcomes as cost
from tsbp_core.chapters.escape import study as escape
from tsbp_core.chapters.escape.gradients import LOSSES
from tsbp_core.chapters.frameworks.defaults import reproduced
from tsbp_core.chapters.growth import outcomes as growth
from tsbp_core.chapters.growth import plan as growth_plan
from tsbp_core.chapters.growth import probe, report, verdicts
from tsbp_core.chapters.growth.outcomes import RATES, STEPS, Shape
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy.plan import Arm, Condition
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import equivalence, interval_text, t_interval


@dataclass(frozen=True)
class Claim:
    """A claim, what was measured, and in which results files; ``holds`` is None if it is open.

    A judgement stays open, too, and so does a claim of no harm, or of no gain, that an interval is
    too wide to bear out.
    """

    source: str
    text: str
    measured: str
    files: tuple
    holds: bool | None

    def __post_init__(self):
        if self.holds is not None:
            object.__setattr__(self, "holds", bool(self.holds))


def toy_gains(optimizer, outcome="width"):
    """Decades of robust width that the toy neuron gains by the term, mean and interval.

    Of all targets and resets, on the wide grid.
    """
    found = toy.load("wide")
    return [
        toy.gain(*conditions.pair(found, Condition(reset, target, optimizer, 1.0)), outcome)
        for reset in ("zero", "subtract")
        for target in ("random", "teacher", "regular")
    ]


def signs(gains):
    """How many intervals lie above zero, below it, and neither, as words and as numbers."""
    helps = sum(low > 0 for _, low, _ in gains)
    hurts = sum(high < 0 for *_, high in gains)
    words = f"helps in {helps} of {len(gains)} cases, hurts in {hurts}"
    return words, helps, hurts, len(gains) - helps - hurts


def no_more_than(most, gains):
    """Whether all gains are at most so large: None where an interval holds both answers."""
    if any(low > most for _, low, _ in gains):
        return False
    return True if all(high < most for *_, high in gains) else None


def no_harm(counts):
    """Whether cells with these verdicts show that there is none: None where some are open."""
    if counts.get("harm"):
        return False
    return None if counts.get("open") else True


def long_runs():
    """Summaries of chapter 10's long study by family."""
    found = verdicts.load()
    return {family: verdicts.summaries(found, family) for family in growth_plan.FAMILIES}


def toy_part(direction, length):
    """Decades that the detached gradient gains from the complete one's direction, or length."""
    runs = toy.load("why")
    one, other = Arm("zero", "adam", direction, length), Arm("zero", "adam", 0.0, 0.0)
    return toy.gain(runs[one], runs[other], "strict")


def cifar10_runs():
    """The results of chapter 7's grid by run."""
    return cifar10.collect("grid")


def cifar10_factors():
    """Points that the term gains after each change of chapter 7's network, mean and interval.

    The intervals are widened for the number of changes, by Bonferroni.
    """
    runs = cifar10.collect("factors")
    return {
        name: cifar10.gain(pair, plan.CHANGES_LEVEL)
        for name, pair in cifar10.by_change(runs).items()
    }


def claims():
    """The claims of the paper and of the book, a list of ``Claim``."""
    runs = cifar10_runs()
    primary = {key: cifar10.gain(cifar10.primary(runs, key)) for key in plan.RATES}
    tables = {key: cifar10.by_rate(runs, key) for key in plan.RATES}
    widths = {
        key: cifar10.gain(cifar10.robust_width(tables[key], rates))
        for key, rates in plan.RATES.items()
    }
    moved = cifar10.shift(tables["sgd"], plan.RATES["sgd"])
    moved = moved.mean(), *t_interval(moved)
    prices = cost.prices(results.load("overhead")["results"])
    fused, plain = prices["fused, dense"], prices["plain autograd, dense"]
    truth = escape.load()[0]
    lengths, steps, _ = probe.load()
    pooled = {
        unit: [
            lengths[probe.Probed("subtract", unit, slope, 50)]["pooled"]
            for slope in (4, 10, 25, 100)
        ]
        for unit in probe.UNITS
    }
    typical = [step[1.0]["typical"] for step in steps.values()]
    trained, _ = growth.load()
    long = long_runs()
    ends = long["verdict"]
    rules = verdicts.rules(ends)
    ruled = {"stands": True, "refuted": False, "undecided": None}
    ways = results.load("frameworks")["results"]["ways"]
    equal = [way for way in ways if reproduced(way)]
    defaults = {round(way["rho"]) for way in equal if way["default"]}

    def nearer(width):
        names = [
            escape.Condition(kind, loss, noise=width, surrogate=width)
            for kind in ("zero", "subtract")
            for loss in LOSSES
        ]
        errors = [[truth[name]["by_rho"][rho]["error"][2] for rho in (1.0, 0.0)] for name in names]
        return sum(one < other for one, other in errors), len(errors)

    def tally(counts):
        return ", ".join(f"{word} {n}" for word, n in counts.items())

    def both(gains, unit):
        one, other = (interval_text(*gain) for gain in gains)
        return f"{one} and {other} {unit}"

    mapped = toy.gains_of_map(toy.load("map"), "width")
    sides = [
        [gain for (*_, own), gain in mapped.items() if own == optimizer]
        for optimizer in ("adam", "sgd")
    ]
    helps = [sum(low > 0 for _, low, _ in gains) for gains in sides]
    hurts = [sum(high < 0 for _, _, high in gains) for gains in sides]
    spread = [
        equivalence(np.subtract(*cifar10.primary(runs, key).values()), plan.MARGIN)
        for key in plan.RATES
    ]
    longer = [growth.gains(trained, T=T)["area", 100] for T in STEPS]
    wins, cases = nearer(0.2)
    narrow, _ = nearer(0.05)
    gained = {optimizer: signs(toy_gains(optimizer)) for optimizer in ("adam", "sgd")}
    own_best = [
        cifar10.gain(cifar10.own_best(tables[key], cifar10.by_rate(runs, key, cifar10.train_loss)))
        for key in plan.RATES
    ]
    parts = [toy_part(1, 0), toy_part(0, 1)]
    by_depth = [growth.gains(trained, depth=depth) for depth in RATES]
    kept = [gain for gains in by_depth for shape, gain in gains.items() if shape.unit == "peak"]
    tall = {
        shape: [gains[shape] for gains in by_depth]
        for shape in (Shape("area", 25), Shape("area", 100))
    }
    shown = "; ".join(
        f"peak {shape.height:g}: {both(gains, 'points')}" for shape, gains in tall.items()
    )
    headline = cifar10.collect("headline")
    reached = cifar10.pairs(headline)[""].values()
    recipe = [f"{min(accuracies):.2f} to {max(accuracies):.2f}" for accuracies in reached]
    least = min(map(min, reached))
    longest = max(cifar10.spent(found)[0][-1] for found in headline.values())
    changed = cifar10_factors()
    heights = [changed[name] for name in ("peak-12.5", "peak-1-as-narrow")]
    more_steps = [changed[name] for name in ("8-steps", "16-steps")]
    _, low, high = more_steps[-1]
    flat = [cell for cell in growth_plan.family("verdict") if cell.height <= verdicts.LOW]
    below = [cell for cell in growth_plan.family("verdict") if cell.multiple <= 1.0]
    slow = [cell for cell in growth_plan.family("momentum") if cell.multiple <= 1.0]
    harmed = any(long["momentum"][cell.name]["verdict"] == "harm" for cell in slow)
    paper = "the paper"
    return [
        *(
            Claim(
                paper,
                f"A toy neuron trains more robustly to the learning rate with the term ({name}).",
                f"robust width: {gained[optimizer][0]} (three targets, both resets, wide grid)",
                ("toy-wide",),
                gained[optimizer][1] == 6 or (False if gained[optimizer][2] > 3 else None),
            )
            for optimizer, name in (("adam", "Adam"), ("sgd", "gradient descent"))
        ),
        Claim(
            paper,
            "On CIFAR-10 there is not much improvement.",
            f"at the middle rates {both(primary.values(), 'points')} (AdamW, SGD); each at its "
            f"best rate {both(own_best, 'points')}; much: 0.5",
            ("cifar10-grid",),
            no_more_than(0.5, [*primary.values(), *own_best]),
        ),
        Claim(
            paper,
            "The benefits are not worth the additional computation.",
            f"time of a layer: fused {interval_text(*fused, 1)} %, plain autograd "
            f"{interval_text(*plain, 1)} %",
            ("overhead",),
            None,
        ),
        Claim(
            paper,
            "In many cases the missing term can be ignored.",
            f"manifolds in the end, h at most 2.5 high: {tally(report.count(ends, flat))}; three "
            f"layers, 6.25 or more: {tally(report.count(ends, report.TALL))}; how many are many is "
            "a judgement",
            ("growth-converged",),
            None,
        ),
        Claim(
            "chapter 5",
            "In the toy, direction carries most of the benefit, length little.",
            f"{both(parts, 'decades')} (direction, length alone; hard reset, Adam, strict "
            "criterion)",
            ("toy-why",),
            parts[0][1] > parts[1][2],
        ),
        Claim(
            "a natural guess, chapter 5",
            "The term widens the toy's range of learning rates whatever the neuron.",
            "of {} conditions with Adam and {} with gradient descent it helps in {} and {}, and "
            "hurts in {} and {}".format(*map(len, sides), *helps, *hurts),
            ("toy-map",),
            sum(helps) == len(mapped),
        ),
        Claim(
            "announced, chapter 7",
            "At the middle rates, tests show both methods equivalent within half a point.",
            "two one-sided tests, p = {:.2f} and {:.2f} (AdamW, SGD)".format(*spread),
            ("cifar10-grid",),
            max(spread) < 0.05,
        ),
        Claim(
            "chapter 7",
            "The robustness of the toy does not carry over to a small network on CIFAR-10.",
            f"robust width {both(widths.values(), 'decades')} (AdamW, SGD); the toy's, with Adam, "
            f"{interval_text(*toy_gains('adam')[0])}",
            ("cifar10-grid",),
            no_more_than(toy_gains("adam")[0][1], widths.values()),
        ),
        Claim(
            "chapter 7",
            "With SGD the term moves the curve to larger learning rates.",
            f"{interval_text(*moved)} decades",
            ("cifar10-grid",),
            moved[1] > 0,
        ),
        Claim(
            "chapter 7",
            "A tall surrogate makes the term harmful on CIFAR-10, too, not by being narrow alone.",
            f"peak 12.5, and peak 1 of the same width: {both(heights, 'points')} (corrected for "
            f"{len(changed)} looks)",
            ("cifar10-factors",),
            heights[0][2] < min(0, heights[1][1]),
        ),
        Claim(
            "a natural guess, chapter 7",
            "With more steps the term begins to pay on CIFAR-10.",
            f"8 and 16 steps: {both(more_steps, 'points')} (corrected for {len(changed)} looks)",
            ("cifar10-factors",),
            None if low <= 0 <= high else low > 0,
        ),
        Claim(
            "chapter 8",
            "In fused code the term costs a few percent at most.",
            f"{interval_text(*fused, 1)} % (64 x 512 neurons, 100 steps)",
            ("overhead",),
            fused[2] < 5,
        ),
        Claim(
            "chapter 9",
            "At T = 8, with noise and surrogate of width 0.2, the term brings the gradient nearer "
            "to the true one.",
            f"lower median error in {wins} of {cases} cases",
            ("escape",),
            wins == cases,
        ),
        Claim(
            "chapter 9",
            "At T = 8, with both of width 0.05, it does not lower the median error in most cases.",
            f"lower median error in {narrow} of {cases} cases",
            ("escape",),
            narrow < cases / 2,
        ),
        Claim(
            "chapter 10",
            "With area 1 the gradient explodes as the surrogate gets steeper; with peak 1 it does "
            "not (soft reset).",
            "complete length over detached, T = 50, slopes 4, 10, 25, 100, least and most of "
            f"{len(probe.DRAWS)} draws: "
            + "; ".join(
                f"{unit} 1: " + ", ".join(f"{min(r):.2g} to {max(r):.2g}" for r in ratios)
                for unit, ratios in pooled.items()
            ),
            ("growth-probe",),
            min(pooled["area"][-1]) > 10 and max(map(max, pooled["peak"])) < 1.1,
        ),
        Claim(
            "chapter 10",
            "The mean logarithm of a step's factor does not foresee the explosion.",
            f"largest mean logarithm {max(t for t in typical if t is not None):.3f}",
            ("growth-probe",),
            all(t < 0 for t in typical if t is not None),
        ),
        Claim(
            "announced, chapter 10",
            "A tall surrogate makes the term harmful (150 updates).",
            f"{shown} (1 and 3 hidden layers; from which peak on was not said, and at 2.5 it "
            "helped)",
            ("growth",),
            all(high < 0 for gains in tall.values() for _, _, high in gains),
        ),
        Claim(
            "announced, chapter 10",
            "Every tall surrogate hurts more with three hidden layers than with one (150 updates).",
            f"{shown} (1 and 3 hidden layers)",
            ("growth",),
            all(deep[2] < shallow[1] for shallow, deep in tall.values()),
        ),
        Claim(
            "announced, chapter 10",
            "Tall surrogates hurt more over 100 steps than over 50 (150 updates).",
            f"peak 25: {both(longer, 'points')} (50 and 100 steps)",
            ("growth",),
            longer[1][2] < longer[0][1],
        ),
        Claim(
            "announced, chapter 10",
            "With the peak kept at 1 the term changes accuracy by less than 5 points, in 150 "
            "updates.",
            f"largest of {len(kept)} mean gains {max(mean for mean, *_ in kept):+.1f} points",
            ("growth",),
            max(mean for mean, *_ in kept) < 5,
        ),
        Claim(
            "announced, chapter 10",
            "With spike times and h at most 2.5 high, keep the term, for what is learnt in the end "
            "(three layers).",
            f"of ten: {tally(report.count(ends, report.LOW))}",
            ("growth-converged",),
            ruled[rules["keep, in the end"]],
        ),
        Claim(
            "announced, chapter 10",
            "The same, for speed.",
            f"of ten: {tally(report.count(ends, report.LOW, 'speed'))}",
            ("growth-converged",),
            ruled[rules["keep, for speed"]],
        ),
        Claim(
            "announced, chapter 10",
            "With three layers and h 6.25 or 25 high, the term does harm in the end.",
            "; ".join(interval_text(*ends[c.name]["gain"], 1) for c in report.TALL) + " points",
            ("growth-converged",),
            ruled[rules["drop"]],
        ),
        Claim(
            "announced, chapter 10",
            "With Adam and h no higher than the bound for one step, the term does no harm.",
            f"of {len(below)} cells: {tally(report.count(ends, below))}; by the plan's rule, which "
            f"asks for harm that is seen: {rules['bound']}",
            ("growth-converged",),
            False if rules["bound"] == "refuted" else no_harm(report.count(ends, below)),
        ),
        Claim(
            "a natural guess, chapter 10",
            "With SGD and momentum it does none there, either.",
            "; ".join(interval_text(*long["momentum"][c.name]["gain"]) for c in slow)
            + " points (soft, hard reset)",
            ("growth-converged",),
            False if harmed else None,
        ),
        Claim(
            "chapter 11",
            "Libraries disagree on the default, and almost all are rho = 0 or 1 exactly.",
            f"{len(equal)} of {len(ways)} ways reproduced; defaults {sorted(defaults)}",
            ("frameworks",),
            defaults == {0, 1} and len(equal) > 0.9 * len(ways),
        ),
        Claim(
            "chapter 12",
            f"Two processor cores reach the paper's accuracy, {plan.PAPER} %, in less "
            "than an hour.",
            f"{' and '.join(recipe)} % of the test images (with, without; least and most of the "
            f"seeds), at most {longest:.0f} minutes",
            ("cifar10-headline",),
            least >= plan.PAPER and longest < 60,
        ),
    ]


def commands(claim):
    """What remakes the results files of a claim."""
    folders = ((results.RESULTS / name, name) for name in claim.files)
    first = (
        f"{name}/{min(folder.iterdir()).stem}" if folder.is_dir() else name
        for folder, name in folders
    )
    return [results.load(name)["command"] for name in first]


def table(found):
    """A list of ``Claim`` as an HTML table."""
    words = {True: "agrees", False: "does not agree", None: "open"}
    rows = []
    for claim in found:
        made = "<br>".join(
            f"<code>{name}</code><br><code>{command}</code>"
            for name, command in zip(claim.files, commands(claim), strict=True)
        )
        cells = claim.source, html.escape(claim.text), html.escape(claim.measured)
        rows.append((*cells, made, words[claim.holds]))
    heads = ("whose", "claim", "measured", "results, command", "verdict")
    return page.table(heads, rows)
