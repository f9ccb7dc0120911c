"""Claims on what one neuron and networks on manifolds learn; a function a source."""

from tsbp_core.chapters.cifar10 import outcomes as cifar10
from tsbp_core.chapters.cifar10.plan import RATES
from tsbp_core.chapters.growth import outcomes as growth
from tsbp_core.chapters.growth import plan, report, verdicts
from tsbp_core.chapters.growth.outcomes import RATES as DEPTHS
from tsbp_core.chapters.growth.outcomes import STEPS, Shape
from tsbp_core.chapters.sequences import data
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy.plan import Arm
from tsbp_core.chapters.verdict.claim import Claim, both, no_harm, no_more_than, signs, tally
from tsbp_core.chapters.verdict.effects import counts, toy_gains
from tsbp_core.lab.statistics import interval_text

FIGURE = (
    "toy-wide",
    *(f"cifar10-{study}" for study in ("grid", "best", "larger", "headline", "quarter", "factors")),
    "growth-converged",
    *(f"sequences/{task}" for task in data.TASKS),
)
"""Results that chapter 14's first figure is made of."""
TOYS = {"adam": "Adam", "sgd": "gradient descent"}


def of_the_paper(grid, prices, effects):
    """The paper's; runs of chapter 7, prices of 8, and ``effects.effects()``."""
    primary = [cifar10.gain(cifar10.primary(grid, key)) for key in RATES]
    tables = {key: cifar10.by_rate(grid, key) for key in RATES}
    losses = {key: cifar10.by_rate(grid, key, cifar10.train_loss) for key in RATES}
    best = [cifar10.gain(cifar10.own_best(tables[key], losses[key])) for key in RATES]
    fused, plain = prices["fused, dense"], prices["plain autograd, dense"]
    low = [effect for effect in effects if effect.height <= verdicts.LOW]
    tall = [effect for effect in effects if effect.height > verdicts.LOW]
    by_task = {
        task.removesuffix(", in the end"): tally(counts([e for e in low if e.task == task]))
        for task in dict.fromkeys(effect.task for effect in low)
    }
    return [
        *(_of_the_toy(optimizer, name) for optimizer, name in TOYS.items()),
        Claim(
            "the paper",
            "On CIFAR-10 there is not much improvement (small network, two epochs).",
            f"at the middle rates {both(primary, 'points')} (AdamW, SGD); each at its best rate "
            f"{both(best, 'points')}; much: 0.5",
            ("cifar10-grid",),
            no_more_than(0.5, [*primary, *best]),
        ),
        Claim(
            "the paper",
            "The benefits are not worth the additional computation.",
            f"time of a layer: fused {interval_text(*fused, 1)} %, plain autograd "
            f"{interval_text(*plain, 1)} %",
            ("overhead",),
            None,
        ),
        Claim(
            "the paper",
            "In many cases the missing term can be ignored.",
            f"of the first figure's {len(low)} rows with h at most 2.5 high {tally(counts(low))}: "
            + "; ".join(f"{task}: {words}" for task, words in by_task.items())
            + f". Of {len(tall)} with a higher one {tally(counts(tall))}. How many are many is a "
            "judgement",
            FIGURE,
            None,
        ),
    ]


def _of_the_toy(optimizer, name):
    helps, hurts, all_of_them = signs(toy_gains(optimizer))
    strict = signs(toy_gains(optimizer, "strict"))
    return Claim(
        "the paper",
        f"A toy neuron trains more robustly to the learning rate with the term ({name}).",
        f"ours, h 1.25 high: robust width helps in {helps} of {all_of_them} cases, hurts in "
        f"{hurts} (three targets, both resets, wide grid); where silence does not count as "
        f"learning, {strict[0]} and {strict[1]}",
        ("toy-wide",),
        True if helps == all_of_them else False if hurts > helps else None,
    )


def of_chapter_5():
    """On the toy: what carries the benefit, and where it is."""
    why, detached = toy.load("why"), Arm("zero", "adam", 0.0, 0.0)
    parts = [
        toy.gain(why[detached._replace(**{part: 1.0})], why[detached], "strict")
        for part in ("direction", "length")
    ]
    mapped = toy.gains_of_map(toy.load("map"), "width")
    sides = [
        [gain for (*_, own), gain in mapped.items() if own == optimizer]
        for optimizer in ("adam", "sgd")
    ]
    helps = [sum(low > 0 for _, low, _ in gains) for gains in sides]
    hurts = [sum(high < 0 for _, _, high in gains) for gains in sides]
    return [
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
            "hurts in {} and {} (corrected for {} looks)".format(
                *map(len, sides), *helps, *hurts, len(mapped)
            ),
            ("toy-map",),
            sum(helps) == len(mapped),
        ),
    ]


def of_chapter_10_in_150_updates():
    """On what networks learn soon."""
    trained, _ = growth.load()
    by_depth = [growth.gains(trained, depth=depth) for depth in DEPTHS]
    kept = [gain for gains in by_depth for shape, gain in gains.items() if shape.unit == "peak"]
    shapes = Shape("area", 25), Shape("area", 100)
    level = 1 - 0.05 / (len(shapes) * len(DEPTHS))
    shallow, deep = ({"depth": depth} for depth in DEPTHS)
    deeper = growth.more(trained, shapes, deep, shallow)
    short, long = ({"T": T} for T in STEPS)
    longer = growth.more(trained, shapes, long, short)
    corrected = [growth.gains(trained, level, depth=depth) for depth in DEPTHS]
    tall = {shape: [gains[shape] for gains in corrected] for shape in shapes}
    seen = [gain for gains in tall.values() for gain in gains]
    shown = "; ".join(
        f"peak {shape.height:g}: {both(gains, 'points')}" for shape, gains in tall.items()
    )
    return [
        Claim(
            "announced, chapter 10",
            "A tall surrogate makes the term harmful (150 updates).",
            f"{shown} (1 and 3 hidden layers; corrected for {len(seen)} looks; from which peak on "
            "was not said, and at 2.5 it helped)",
            ("growth",),
            False if any(low > 0 for _, low, _ in seen) else all(h < 0 for *_, h in seen) or None,
        ),
        Claim(
            "announced, chapter 10",
            "Every tall surrogate hurts more with three hidden layers than with one (150 updates).",
            f"3 layers minus 1, peaks 6.25 and 25: {both(deeper, 'points')} (paired, corrected for "
            f"{len(deeper)} looks)",
            ("growth",),
            no_more_than(0, deeper),
        ),
        Claim(
            "announced, chapter 10",
            "Tall surrogates hurt more over 100 steps than over 50 (150 updates).",
            f"100 steps minus 50, peaks 6.25 and 25: {both(longer, 'points')} (mean of both depths "
            f"and resets; paired, corrected for {len(longer)} looks)",
            ("growth",),
            no_more_than(0, longer),
        ),
        Claim(
            "announced, chapter 10",
            "With the peak kept at 1 the term changes accuracy by less than 5 points, in 150 "
            "updates.",
            f"largest of {len(kept)} gains {interval_text(*max(kept))} points",
            ("growth",),
            no_more_than(5, [*kept, *((-m, -high, -low) for m, low, high in kept)]),
        ),
    ]


def of_chapter_10_in_the_end(long):
    """On what they learn in the end, judged by the plan; ``long``: ``verdicts.by_family``."""
    ends, momentum = long["verdict"], long["momentum"]
    rules = verdicts.rules(ends)
    ruled = {"stands": True, "refuted": False, "undecided": None}
    below = [cell for cell in plan.family("verdict") if cell.multiple <= 1.0]
    slow = [cell for cell in plan.family("momentum") if cell.multiple <= 1.0]
    tall = "; ".join(interval_text(*ends[cell.name]["gain"], 1) for cell in report.TALL)
    gains = [momentum[cell.name]["gain"] for cell in slow]
    without = "; ".join(interval_text(*gain) for gain in gains)
    beyond = -min(low for _, low, _ in gains) - plan.MARGIN
    return [
        Claim(
            "announced, chapter 10",
            "With spike times and h at most 2.5 high, keep the term, for what is learnt in the end "
            "(three layers).",
            f"of ten: {tally(report.count(ends, report.LOW))} (corrected for {len(ends)} looks)",
            ("growth-converged",),
            ruled[rules["keep, in the end"]],
        ),
        Claim(
            "announced, chapter 10",
            "With spike times and h at most 2.5 high, keep the term, for speed (three layers).",
            f"of ten: {tally(report.count(ends, report.LOW, 'speed'))} (likewise)",
            ("growth-converged",),
            ruled[rules["keep, for speed"]],
        ),
        Claim(
            "announced, chapter 10",
            "With three layers and h 6.25 or 25 high, the term does harm in the end.",
            f"{tall} points (corrected for {len(ends)} looks)",
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
            "With SGD and momentum and h no higher than the bound, the term does no harm.",
            f"{without} points (soft, hard reset; corrected for {len(momentum)} looks; the lowest "
            f"end lies {beyond:.2f} beyond the margin of {plan.MARGIN:g})",
            ("growth-converged",),
            no_harm(report.count(momentum, slow)),
        ),
    ]
