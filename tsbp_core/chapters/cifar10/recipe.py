"""What chapter 13 says of its recipe: values for its text, by name; curves and tables."""

import functools
from typing import NamedTuple

import numpy as np
import torch

from tsbp_core import page
from tsbp_core.chapters.cifar10 import network, outcomes, paper_network, plan
from tsbp_core.chapters.cifar10 import paper as cifar10_paper
from tsbp_core.chapters.cifar10.explorers import run_budget_frame
from tsbp_core.chapters.cifar10.report import gain_text, hours, seeds
from tsbp_core.lab import results
from tsbp_core.lab.statistics import interval_text, t_interval

RECIPE, PAPER = plan.HEADLINE, cifar10_paper.PRESETS["paper"]
LAPTOP, GPU = 100, 50_000
"""GFLOP a second: two cores of a laptop, a guess, and a data-centre GPU, assumed."""
LABELS = {"sgd": "SGD", "decay-0.8": "λ = 0.8", "surrogate-0.2": "surrogate width 0.2"}
"""Of steps undone, where their names won't do."""
UNCHANGED = "no-smoothing", "decay-0.8", "surrogate-0.2"
"""Steps that, undone, leave the operations as they are."""


class Studies(NamedTuple):
    """Chapter 13's runs, as ``outcomes.collect`` has them."""

    runs: dict
    curve: dict
    ablation: dict

    def accuracy(self):
        """Test accuracy by rho, [S]."""
        return outcomes.pairs(self.runs)[""]

    def tests(self):
        """Accuracy, minutes and PFLOP at the end of each run, by rho: [3, S]."""
        spent = outcomes.pairs(self.runs, outcomes.spent)[""]
        return {
            rho: np.array([values, *np.array(spent[rho])[:, :, -1].T])
            for rho, values in self.accuracy().items()
        }

    def curves(self):
        """Held-out accuracy, minutes and PFLOP after each epoch, by rho."""
        return {
            run.settings.reset_gradient: (outcomes.held_out(record), *outcomes.spent(record))
            for run, record in self.curve.items()
        }


class Theirs(NamedTuple):
    """The paper's network: training GFLOP of an image and step, PFLOP in all, weights."""

    gflop: float
    pflop: float
    weights: int


def load():
    """The committed runs."""
    return Studies(*map(outcomes.collect, ("headline", "curve", "ablation")))


def net():
    """The recipe's network, untrained."""
    return network.SpikingNet(RECIPE.network, RECIPE.steps, RECIPE.neuron())


@functools.cache
def theirs():
    """The paper's network and its training, by our arithmetic."""
    other = paper_network.CIFARNet(PAPER)
    gflop = network.training_flop(other, torch.zeros(2, 3, 32, 32)) / 1e9
    weights = sum(w.numel() for w in other.parameters())
    return Theirs(gflop / PAPER.steps, gflop * 50_000 * PAPER.epochs / 1e6, weights)


def training_gflop(steps):
    """The recipe's for one image, by hand: the first layer once, two passes; the others, three."""
    first, *others = network.forward_flop(net())
    return (2 * first + 3 * steps * sum(others)) / 1e9


def epochs():
    """Number of steps in each epoch of the recipe."""
    return [RECIPE.steps_at(epoch) for epoch in range(RECIPE.epochs)]


def whole():
    """PFLOP of the recipe's training."""
    return 50_000 * sum(map(training_gflop, epochs())) / 1e6


def of_counting(studies):
    """What training takes, in operations and in time."""
    spent = np.concatenate([test[1:] for test in studies.tests().values()], axis=1)
    minutes, pflop = spent
    speed = 1e6 * pflop.sum() / (60 * minutes.sum())
    step, total, _ = theirs()
    lower, upper = epochs()[0], epochs()[-1]
    return {
        "recipe-network": RECIPE.network,
        "recipe-epochs": f"{epochs().count(lower)} with {lower} steps, then "
        f"{epochs().count(upper)} with {upper}",
        "recipe-weights": f"{sum(w.numel() for w in net().parameters()) / 1e6:.1f}",
        "recipe-whole": f"{whole():.2f}",
        "recipe-minutes": f"{whole() * 1e6 / speed / 60:.0f}",
        "laptop-speed": str(LAPTOP),
        "laptop": f"{whole() * 1e6 / LAPTOP / 3600:.0f}",
        "speed": f"{speed:.0f}",
        "speed-best": f"{1e6 / 60 * (pflop / minutes).max():.0f}",
        "twenty": f"{20 * 256 * training_gflop(lower):,.0f}",
        "minutes": f"{minutes.min():.0f} to {minutes.max():.0f}",
        "pflop": f"{pflop.mean():.2f}",
        "theirs-pflop": f"{total:.0f}",
        "theirs-step": f"{step:.1f}",
        "times-fewer": f"{total / pflop.mean():.0f}",
        "gpu-speed": f"{GPU / 1000:.0f}",
        "gpu-minutes": f"{total * 1e6 / GPU / 60:.0f}",
        "cpu-days": f"{total * 1e6 / speed / 86400:.1f}",
    }


def of_neuron():
    """The neuron's height, and the largest u h at any membrane."""
    neuron = RECIPE.neuron()
    u = np.linspace(-3, 5, 801)
    height = np.abs(u * neuron.surrogate.derivative(u - neuron.threshold)).max()
    return {
        "recipe-peak": f"{neuron.surrogate.scale:.3f}".rstrip("0"),
        "recipe-uh": f"{height + 0.005:.2f}",
    }


def undone(studies):
    """What undoing each step of the short recipe does, by name.

    Returns
    -------
    dict
        Name: change of accuracy in points and times as long, [S] each.
    """
    both = {}
    for run, record in studies.ablation.items():
        value = outcomes.accuracy(record), outcomes.spent(record)[0][-1]
        both.setdefault(run.name, []).append(value)
    short, minutes = np.transpose(both.pop("recipe"))
    ran = {name: np.transpose(values) for name, values in both.items()}
    return {name: (values - short, longer / minutes) for name, (values, longer) in ran.items()}


def label(name):
    """How a step undone is called."""
    return LABELS.get(name, name.replace("-", " "))


def corrected(changes):
    """Interval of each change of accuracy, corrected for their number by Bonferroni."""
    level = 1 - 0.05 / len(changes)
    return level, {name: t_interval(change, level) for name, (change, _) in changes.items()}


def of_ablation(studies):
    """What each step of the recipe buys."""
    changes = undone(studies)
    level, wide = corrected(changes)
    said = {}
    for name, (change, longer) in changes.items():
        said[f"undo-{name}"] = interval_text(change.mean(), *t_interval(change))
        said[f"time-{name}"] = f"{longer.mean():.2f}"
    same = [changes[name][1].mean() for name in UNCHANGED]
    short = [outcomes.accuracy(r) for run, r in studies.ablation.items() if run.name == "recipe"]
    pflop = {run.name: outcomes.spent(r)[1][-1] for run, r in studies.ablation.items()}
    clear = [label(name) for name, (low, high) in wide.items() if low > 0 or high < 0]
    return said | {
        "same-time": f"{min(same):.2f} to {max(same):.2f}",
        "short-level": f"{100 * level:.1f}",
        "short-clear": " and ".join(clear),
        "short-accuracy": f"{np.mean(short):.1f}",
        "short-seeds": seeds(studies.ablation),
        "whitening-flop": f"{100 * (pflop['no-whitening'] / pflop['recipe'] - 1):.0f}",
        "ablation-time": hours(studies.ablation),
    }


def of_result(studies):
    """Accuracies, the gain by the term, and how active the networks are."""
    accuracy = studies.accuracy()
    _, low, high = outcomes.gain(accuracy)
    said = {
        "recipe-gain": gain_text(accuracy),
        "recipe-low": f"{low:.2f}",
        "recipe-high": f"{high:+.2f}",
        "recipe-seeds": seeds(studies.runs),
    }
    tests = outcomes.pairs(studies.runs, lambda record: record["results"]["test"])[""]
    neurons = np.array(tests[1.0][0]["neurons"])
    said["recipe-neurons"] = f"{neurons.sum():,}"
    for rho, values in accuracy.items():
        each = RECIPE.steps * np.mean([test["rates"] for test in tests[rho]], axis=0)
        said |= {
            f"accuracy-{rho:g}": f"{np.mean(values):.2f}",
            f"range-{rho:g}": f"{min(values):.2f} to {max(values):.2f}",
            f"spikes-{rho:g}": f"{each @ neurons:,.0f}",
            f"busiest-{rho:g}": f"{each.max():.2f}",
        }
    for rho, (held_out, *_) in studies.curves().items():
        said[f"held-out-{rho:g}"] = f"{held_out[-1]:.2f}"
    return said


def of_events(studies):
    """Products that a layer of spikes takes for each addition, were zeros skipped."""
    tests = outcomes.pairs(studies.runs, lambda record: record["results"]["test"])[""]
    below = np.mean([test["rates"] for test in tests[1.0]], axis=0)[:-1]
    _, *products = RECIPE.steps * np.array(network.forward_flop(net())) / 2
    return {"share-events": f"{sum(products) / (below @ products):.0f}"}


def of_reporting(studies):
    """What a better number costs nothing to get."""
    plain, flips = free(studies)
    scatter = plain.std(ddof=1)
    return {
        "for-free": f"{flips.max() - plain.mean():.1f}",
        "by-flips": f"{(flips - plain).mean():.1f}",
        "scatter": f"{scatter:.2f}",
        "lucky": f"{1.87 * scatter:.1f}",
    }


def of_gpu():
    """The same recipe on a GPU."""
    document = results.load("gpu-recipe")
    said = {"card": document["settings"]["card"]}
    for rho in plan.RHOS:
        run = document["results"][f"rho{rho:g}"]
        said[f"card-{rho:g}"] = f"{100 * run['accuracy']:.2f}"
        said[f"seconds-{rho:g}"] = f"{run['seconds']:.0f}"
    return said


def phrases(studies):
    """All values of chapter 13's text."""
    said = of_neuron() | of_gpu() | of_budget()
    for part in (of_counting, of_ablation, of_result, of_events, of_reporting):
        said |= part(studies)
    return said


def free(studies):
    """Test accuracy of each run in %, plain and with mirror images added."""
    tests = [record["results"]["test"] for record in studies.runs.values()]
    return tuple(100 * np.array([test[key] for test in tests]) for key in ("accuracy", "flips"))


def ablation_table(studies):
    """Each step undone: change of accuracy, its corrected interval, and times as long."""
    changes = undone(studies)
    level, wide = corrected(changes)
    rows = [
        (
            label(name),
            interval_text(change.mean(), *t_interval(change)),
            "[{:+.2f}, {:+.2f}]".format(*wide[name]),
            f"{longer.mean():.2f}",
        )
        for name, (change, longer) in changes.items()
    ]
    return page.table(("undone", "points [95 %]", f"[{level:.1%}]", "times as long"), rows)


def result_table(studies):
    """The runs, one row each."""
    rows = []
    for run, record in sorted(studies.runs.items(), key=lambda pair: pair[0].name):
        minutes, pflop = (values[-1] for values in outcomes.spent(record))
        rho = f"{run.settings.reset_gradient:g}"
        test = f"{outcomes.accuracy(record):.2f}"
        rows.append((rho, str(run.seed), test, f"{minutes:.1f}", f"{pflop:.2f}"))
    return page.table(("ρ", "seed", "test accuracy, %", "minutes", "PFLOP"), rows)


def beside_table():
    """The recipe beside the paper's network: three numbers that multiply, and more."""
    step, total, weights = theirs()
    own = sum(w.numel() for w in net().parameters())
    rows = []
    for what, ours, other in (
        ("epochs", RECIPE.epochs, PAPER.epochs),
        ("steps, mean of epochs", np.mean(epochs()), PAPER.steps),
        ("training GFLOP an image and step", 1e6 * whole() / (50_000 * sum(epochs())), step),
        ("PFLOP of training", whole(), total),
        ("million weights", own / 1e6, weights / 1e6),
    ):
        rows.append((what, f"{ours:.2f}", f"{other:.2f}", f"{other / ours:.1f}"))
    return page.table(("", "ours", "theirs", "ratio"), rows)


def free_table(studies):
    """The same networks, reported in four ways."""
    plain, flips = free(studies)
    rows = []
    for how, values in (("plain", plain), ("with flips", flips)):
        rows.append((f"mean of all runs, {how}", f"{values.mean():.2f}"))
        rows.append((f"best of the runs, {how}", f"{values.max():.2f}"))
    return page.table(("what is reported", "test accuracy, %"), rows)


def of_budget():
    """Epochs that fit in two hours at 50 GFLOP a second, by width and T."""
    said = {}
    for width, steps in ((64, 4), (32, 2)):
        [(_, _, (_, [minutes])), _], _ = run_budget_frame(width, steps, 1, 50)
        said[f"epochs-{width}-{steps}"] = str(int(120 / minutes))
    return said
