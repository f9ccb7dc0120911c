"""Claims on gradients and on time; a function a source."""

from tsbp_core.chapters.escape import study as escape
from tsbp_core.chapters.escape.gradients import LOSSES
from tsbp_core.chapters.frameworks.defaults import reproduced
from tsbp_core.chapters.growth import probe
from tsbp_core.chapters.verdict.claim import Claim, no_more_than
from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text


def of_chapter_8(prices):
    """On the price of the term."""
    sizes = {"fused, dense": "64 x 512 neurons", "fused, CIFARNet": "CIFARNet's first layer"}
    fused = [prices[name] for name in sizes]
    return [
        Claim(
            "chapter 8",
            "In our fused layer, five steps a kernel, the term costs a few percent at most.",
            "; ".join(
                f"{interval_text(*price, 1)} % ({size})"
                for price, size in zip(fused, sizes.values(), strict=True)
            ),
            ("overhead",),
            no_more_than(5, fused),
        ),
    ]


def of_chapter_9():
    """On the exact gradient with escape noise."""
    exact, _ = escape.load()

    def nearer(width):
        cells = [
            exact[escape.Condition(reset, loss, noise=width, surrogate=width)]["by_rho"]
            for reset in escape.RESETS
            for loss in LOSSES
        ]
        errors = [[cell[rho]["error"][2] for rho in (1.0, 0.0)] for cell in cells]
        return sum(one < other for one, other in errors), len(errors)

    wins, cases = nearer(0.2)
    narrow, _ = nearer(0.05)
    return [
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
    ]


def of_chapter_10():
    """On how credit grows."""
    lengths, steps, _ = probe.load()
    pooled = {
        unit: [
            lengths[probe.Probed("subtract", unit, slope, 50)]["pooled"]
            for slope in (4, 10, 25, 100)
        ]
        for unit in probe.UNITS
    }
    typical = [step[1.0]["typical"] for step in steps.values()]
    return [
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
    ]


def of_chapter_12():
    """On other libraries."""
    ways = results.load("frameworks")["results"]["ways"]
    equal = [way for way in ways if reproduced(way)]
    defaults = {round(way["rho"]) for way in equal if way["default"]}
    return [
        Claim(
            "chapter 12",
            "Libraries disagree on the default, and almost all are rho = 0 or 1 exactly.",
            f"{len(equal)} of {len(ways)} ways reproduced; defaults {sorted(defaults)}",
            ("frameworks",),
            defaults == {0, 1} and len(equal) > 0.9 * len(ways),
        ),
    ]
