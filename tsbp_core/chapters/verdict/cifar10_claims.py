"""Claims on images, of chapters 7 and 13; a function a source."""

import numpy as np

from tsbp_core.chapters.cifar10 import compared, outcomes, quarter, report
from tsbp_core.chapters.cifar10.plan import MARGIN, PAPER, RATES
from tsbp_core.chapters.verdict.claim import Claim, both, no_more_than
from tsbp_core.chapters.verdict.effects import gain_by_change, toy_gains
from tsbp_core.lab.statistics import equivalence, interval_text, t_interval


def of_chapter_7(grid):
    """On the small network on CIFAR-10, over learning rates."""
    pairs = [outcomes.primary(grid, key) for key in RATES]
    spread = [equivalence(pair[1.0] - pair[0.0], MARGIN) for pair in pairs]
    tables = {key: outcomes.by_rate(grid, key) for key in RATES}
    widths = [
        outcomes.gain(outcomes.robust_width(tables[key], rates)) for key, rates in RATES.items()
    ]
    toys = [toy_gains(key) for key in ("adam", "sgd")]
    above = [
        [end - max(0.0, min(low for _, low, _ in gains)) for end in width]
        for gains, width in zip(toys, widths, strict=True)
    ]
    means = ["{:+.2f} to {:+.2f}".format(*np.sort([m for m, *_ in g])[[0, -1]]) for g in toys]
    moved = outcomes.shift(tables["sgd"], RATES["sgd"])
    moved = moved.mean(), *t_interval(moved)
    return [
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
            f"robust width {both(widths, 'decades')} (AdamW, SGD); the toy's means, of both resets "
            f"and three targets, {means[0]} (Adam) and {means[1]} (gradient descent)",
            ("cifar10-grid", "toy-wide"),
            no_more_than(0, above),
        ),
        Claim(
            "chapter 7",
            "On a small network on CIFAR-10, with SGD, the term moves the curve to larger learning "
            "rates.",
            f"{interval_text(*moved)} decades",
            ("cifar10-grid",),
            moved[1] > 0,
        ),
    ]


def of_chapter_7_tuned(best):
    """On the small network, tuned and trained longer; ``best``: ``compared.load()``."""
    pairs = [*compared.pairs(best).values()]
    gains = [outcomes.gain(pair) for pair in pairs]
    words = [compared.verdict(pair) for pair in pairs]
    beyond = any(low > MARGIN or high < -MARGIN for _, low, high in gains)
    same = all("equivalent" in word for word in words)
    return [
        Claim(
            "the paper",
            "On CIFAR-10 there is not much improvement (each method tuned, ten epochs).",
            f"{both(gains, 'points')} (AdamW, SGD); much: {MARGIN:g}",
            ("cifar10-best",),
            no_more_than(MARGIN, gains),
        ),
        Claim(
            "announced, chapter 7",
            "Tuned and trained for ten epochs, both methods are equivalent within half a point.",
            f"{both(gains, 'points')} (AdamW, SGD); by the plan {words[0]}, and {words[1]}",
            ("cifar10-best",),
            False if beyond else True if same else None,
        ),
    ]


def of_chapter_7_quarter(runs):
    """On the paper's network at a quarter of its width; ``runs``: ``quarter.load()``."""
    by_rate = quarter.pairs(runs)
    gains = {rate: outcomes.gain(pair) for rate, pair in by_rate.items()}
    shown = "; ".join(f"{interval_text(*gain)} at {rate:g}" for rate, gain in gains.items())
    return [
        Claim(
            "the paper",
            "On CIFAR-10 there is not much improvement (a narrow copy of its network, "
            "ten epochs, not tuned).",
            f"points at three rates: {shown}; by the plan, which judges {quarter.PRESET:g}, "
            f"{quarter.verdict(by_rate[quarter.PRESET])}; much: {MARGIN:g}",
            ("cifar10-quarter",),
            no_more_than(MARGIN, gains.values()),
        )
    ]


def of_chapter_7_changes():
    """On one change at a time to that network."""
    changed = gain_by_change()
    heights = [changed[name] for name in ("peak-12.5", "peak-1-as-narrow")]
    more_steps = [changed[name] for name in ("8-steps", "16-steps")]
    _, low, high = more_steps[-1]
    return [
        Claim(
            "chapter 7",
            "A tall surrogate makes the term harmful on CIFAR-10, too, and more so than a low one "
            "as narrow (AdamW at one rate).",
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
    ]


def of_chapter_7_swap(studies):
    """On why the term costs with AdamW; ``studies``: chapter 7's ``report.load()``."""
    gains = report.gains_of_swap(studies)
    direction, length = gains.values()
    return [
        Claim(
            "announced, chapter 7",
            "With AdamW at the middle rates the gradient's direction costs accuracy; no cost of "
            "its length is seen.",
            f"direction, length: {both(gains.values(), 'points')} (corrected for the two); their "
            f"difference {report.of_swap(studies)['swap-apart']}",
            ("cifar10-swap",),
            False if length[1] > 0 or length[2] < 0 else True if direction[2] < 0 else None,
        )
    ]


def of_chapter_13():
    """On the recipe."""
    headline = outcomes.collect("headline")
    reached = outcomes.pairs(headline)[""].values()
    recipe = [f"{min(accuracies):.2f} to {max(accuracies):.2f}" for accuracies in reached]
    least = min(map(min, reached))
    longest = max(outcomes.spent(record)[0][-1] for record in headline.values())
    return [
        Claim(
            "chapter 13",
            f"Two cores of a server reach the paper's accuracy, {PAPER} % at second hand, in less "
            "than an hour.",
            f"{' and '.join(recipe)} % of the test images (with, without; least and most of the "
            f"seeds), at most {longest:.0f} minutes",
            ("cifar10-headline",),
            least >= PAPER and longest < 60,
        ),
    ]
