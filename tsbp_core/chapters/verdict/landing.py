"""What the landing page says in numbers, by the name that its text cites."""

import numpy as np

from tsbp_core import LIF, gradcheck, surrogates
from tsbp_core.chapters.cifar10 import compared, outcomes, plan, quarter
from tsbp_core.chapters.cifar10 import report as images
from tsbp_core.chapters.cost import outcomes as cost
from tsbp_core.chapters.escape.study import compare
from tsbp_core.chapters.gradient import twin
from tsbp_core.chapters.growth import report, verdicts
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import interval_text


def of_gradients():
    """The check by differences; how far training's gradient is from the twin's, medians."""
    x = np.random.default_rng(7).normal(0.3, 0.5, (100, 1))
    checked = gradcheck.check(x, LIF(surrogate=surrogates.Sigmoid(0.2)), method="complex")
    apart = {1.0: [], 0.0: []}
    for reset in ("zero", "subtract"):
        exact, by_rho = twin.gradients(*twin.draw(), twin.neuron(reset))
        for rho, found in apart.items():
            found.append(compare(exact, by_rho[rho]))

    def medians(key, rho):
        return " and ".join(f"{np.median(found[key]):.2f}" for found in apart[rho])

    return {
        "index-with": f"{checked.with_term:.0e}",
        "index-without": f"{checked.without_term:.1f}",
        "index-apart": medians("error", 1.0),
        "index-cosine": medians("cosine", 1.0),
        "index-cosine-0": medians("cosine", 0.0),
    }


def of_toy_and_cost():
    """What one neuron gains, and in how many settings; what the term costs a dense layer."""
    usual = Condition("zero", "random", "adam", 1.0)
    gain = toy.gain(*conditions.pair(toy.load("main"), usual))
    prices = cost.prices(results.load("overhead")["results"])
    mapped = toy.verdicts_of_map(toy.load("map"))
    adam, descent = (
        [word for key, word in mapped.items() if key[-1] == name] for name in ("adam", "sgd")
    )
    return {
        "index-toy": f"{adam.count('helps')} of {len(adam)}",
        **{f"index-toy-{word}": str(descent.count(word)) for word in ("helps", "hurts", "open")},
        "index-gain": "{:.2f} [{:.2f}, {:.2f}]".format(*gain),
        "index-price": cost.percent(prices["fused, dense"]),
        "index-price-plain": cost.percent(prices["plain autograd, dense"]),
    }


def of_images():
    """CIFAR-10: the grid at the announced rates, both methods tuned, the paper's, the recipe."""
    grid, recipe = outcomes.collect("grid"), outcomes.collect("headline")
    pair = outcomes.pairs(recipe)[""]
    minutes = [outcomes.spent(record)[0][-1] for record in recipe.values()]
    said = {
        "index-cifar-runs": str(len(grid)),
        "index-minutes": f"{min(minutes):.0f} to {max(minutes):.0f}",
        "index-recipe": interval_text(*outcomes.gain(pair)),
    }
    for key in plan.RATES:
        gain = outcomes.gain(outcomes.primary(grid, key))
        said[f"index-cifar-{key}"] = interval_text(*gain)
    said["index-cifar-again"] = images.of_swap(images.load())["swap-own"]
    for key, tuned in compared.pairs(compared.load()).items():
        said[f"index-tuned-{key}"] = interval_text(*outcomes.gain(tuned))
    papers = quarter.pairs(quarter.load())[quarter.PRESET]
    said["index-quarter"] = interval_text(*outcomes.gain(papers))
    return said | {f"index-recipe-{rho:g}": f"{np.mean(pair[rho]):.1f}" for rho in plan.RHOS}


def of_manifolds():
    """Networks on spike times with a low surrogate: verdicts in the end, and who is faster."""
    ends = verdicts.summaries(verdicts.load(), "verdict")
    said = {f"index-{verdict}": str(n) for verdict, n in report.count(ends, report.LOW).items()}
    faster = report.count(ends, report.LOW, "speed")["faster"]
    return said | {"index-faster": str(faster)}


def phrases():
    """All values of the landing page's text."""
    return of_gradients() | of_toy_and_cost() | of_images() | of_manifolds()
