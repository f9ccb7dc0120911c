"""What chapter 7 says of its runs: values for its text, by the name that the text cites; tables.

Gains are means with their intervals by Student's t, with the term minus without.
"""

from typing import NamedTuple

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.cifar10 import outcomes, plan
from tsbp_core.chapters.gradient import steps
from tsbp_core.lab import statistics
from tsbp_core.lab.statistics import interval_text, t_interval

NAMES = {"adamw": "AdamW", "sgd": "SGD with momentum"}
PROBED = "sgd", 0.1
"""Optimiser and rate of the runs whose gradients are shown layer by layer."""
BEST_ADAMW = 0.01
"""Both methods' best rate in the grid with AdamW, one of those of ``swap``."""


class Studies(NamedTuple):
    """Chapter 7's runs, as ``outcomes.collect`` has them."""

    grid: dict
    larger: dict
    changed: dict
    swapped: dict

    def by_rate(self, key, outcome=outcomes.accuracy):
        """An outcome of the grid with an optimiser, [S, L] by rho."""
        return outcomes.by_rate(self.grid, key, outcome)

    def curves(self):
        """What the figures over the learning rate draw: (rates, accuracy by rho) by name."""
        return {name: (plan.RATES[key], self.by_rate(key)) for key, name in NAMES.items()}

    def larger_curves(self):
        """The same for the larger network, at the middle rates."""
        curves = {}
        for key, name in NAMES.items():
            table = outcomes.by_rate(self.larger, key)
            middle = {rho: t[:, plan.MIDDLE] for rho, t in table.items()}
            curves[name] = plan.RATES[key][plan.MIDDLE], middle
        return curves


def load():
    """The committed runs."""
    return Studies(*map(outcomes.collect, ("grid", "larger", "factors", "swap")))


def gain_text(pair, level=0.95, digits=2):
    """What the term gains, in words; ``pair``: [S] by rho."""
    return interval_text(*outcomes.gain(pair, level), digits)


def hours(runs):
    """Hours that some runs take on two cores."""
    return f"{sum(record['wall_time_s'] for record in runs.values()) / 7200:.1f}"


def seeds(runs):
    """How many seeds some runs have."""
    return str(len({run.seed for run in runs}))


def of_plan(studies):
    """What was run."""
    records = studies.grid.values()
    middle = {
        f"middle-{key}": ", ".join(f"{rate:g}" for rate in rates[plan.MIDDLE])
        for key, rates in plan.RATES.items()
    }
    return middle | {
        "network": plan.COMPACT.network,
        "grid-runs": str(len(records)),
        "grid-lost": str(sum(record["results"]["diverged"] for record in records)),
        "grid-flop": f"{next(iter(records))['results']['gflop_per_image']:.2f}",
        "grid-time": hours(studies.grid),
        "larger-time": hours(studies.larger),
        "factors-time": hours(studies.changed),
        "cifar-seeds": seeds(studies.grid),
        "large-seeds": seeds(studies.larger),
        "factor-seeds": seeds(studies.changed),
        "swap-seeds": seeds(studies.swapped),
        "swap-runs": str(len(studies.swapped)),
    }


def of_rates(studies):
    """At equal learning rates, and at those that were announced."""
    said = {}
    for key, rates in plan.RATES.items():
        table, middle = studies.by_rate(key), outcomes.primary(studies.grid, key)
        right = slice(plan.MIDDLE.start + 1, plan.MIDDLE.stop + 1)
        said |= {
            f"gain-{key}-{rate:g}": gain_text(outcomes.at_rate(table, key, rate)) for rate in rates
        }
        further = {rho: t[:, right].mean(axis=1) for rho, t in table.items()}
        said[f"right-{key}"] = gain_text(further)
        said[f"primary-{key}"] = gain_text(middle)
        said[f"p-{key}"] = f"{statistics.equivalence(middle[1.0] - middle[0.0], plan.MARGIN):.3f}"
    reached = [outcomes.primary(studies.grid, key)[1.0] for key in NAMES]
    return said | {"middle-accuracy": f"{np.mean(reached):.0f}"}


def of_best_rates(studies):
    """Each method at its best rate; the range of rates that work."""
    said = {}
    for key, rates in plan.RATES.items():
        table, losses = studies.by_rate(key), studies.by_rate(key, outcomes.train_loss)
        width = outcomes.robust_width(table, rates)
        said |= {
            f"best-{key}": gain_text(outcomes.own_best(table, losses)),
            f"width-{key}": gain_text(width),
            f"loss-{key}": gain_text({r: t.min(axis=1) for r, t in losses.items()}, digits=4),
            "width-about": f"{width[0.0].mean():.1f}",
        }
        for rho in plan.RHOS:
            own = rates[losses[rho].mean(axis=0).argmin()]
            said[f"own-{key}-{rho:g}"] = f"{own:g}"
    return said


def of_gradients(studies):
    """Length and direction of both gradients, and what length alone would do."""
    probed = outcomes.probes(studies.grid, *PROBED, 1.0)
    ratio = probed["ratio"][-1]
    start, end = (np.degrees(np.arccos(probed["cosine"][at])) for at in (0, -1))
    said = {
        "angle-start": f"{start.max():.0f}",
        "angles-end": f"{end.min():.0f} to {end.max():.0f}",
    }
    for name, value in (("first", ratio[0]), ("last", ratio[-1])):
        said |= {f"ratio-{name}": f"{value:.2f}", f"shift-{name}": f"{-np.log10(value):.2f}"}
    for key, rates in plan.RATES.items():
        moved = outcomes.shift(studies.by_rate(key), rates)
        said[f"shift-{key}"] = interval_text(moved.mean(), *t_interval(moved))
    return said


def gains_of_swap(studies):
    """What the complete gradient's direction gains, and its length; corrected for the two looks."""
    effects = outcomes.swap_effects(outcomes.by_direction_and_length(studies.swapped))
    return {part: outcomes.gain(pair, plan.SWAP_LEVEL) for part, pair in effects.items()}


def of_swap(studies):
    """Direction or length: what each gains, what both together, and what carries the cost."""
    gains = gains_of_swap(studies)
    cells = outcomes.by_direction_and_length(studies.swapped)
    carriers = [f"the {part}" for part, (*_, high) in gains.items() if high < 0]
    own = {rho: cells[rho, rho] for rho in plan.RHOS}
    direction, length = outcomes.swap_effects(cells).values()
    apart = {rho: direction[rho] - length[rho] for rho in plan.RHOS}
    at_best = outcomes.by_direction_and_length(
        {run: seen for run, seen in studies.swapped.items() if run.settings.lr == BEST_ADAMW}
    )
    return {f"swap-{part}": interval_text(*gain) for part, gain in gains.items()} | {
        "swap-own": gain_text(own),
        "swap-apart": gain_text(apart),
        "swap-p": f"{statistics.equivalence(own[1.0] - own[0.0], plan.MARGIN):.3f}",
        "swap-carrier": " and ".join(carriers) or "open",
        "swap-best": gain_text({rho: at_best[rho, rho] for rho in plan.RHOS}),
    }


def of_larger_network(studies):
    """The larger network; how sure its equivalence is, by three standard errors."""
    reached = [outcomes.accuracy(record) for record in studies.larger.values()]
    edge = outcomes.at_rate(outcomes.by_rate(studies.larger, "sgd"), "sgd", 0.3)
    said = {
        "large-accuracy": f"{min(reached):.0f} to {max(reached):.0f}",
        "large-mean": f"{np.mean(reached):.0f}",
        "large-sgd-0.3": gain_text(edge),
    }
    for key in NAMES:
        said[f"large-{key}"] = gain_text(outcomes.primary(studies.larger, key))
    rates = outcomes.by_rate(studies.larger, "adamw")
    apart = (rates[1.0] - rates[0.0])[:, plan.MIDDLE]
    pooled = statistics.equivalence_pooled(apart, plan.MARGIN)
    return said | {
        "large-p": f"{statistics.equivalence(apart.mean(axis=1), plan.MARGIN):.2f}",
        "large-p-pooled": f"{pooled[0]:.3f}",
        "large-p-few": f"{pooled[1]:.3f}",
        "large-least": f"{apart.min():+.2f}",
        "large-most": f"{apart.max():+.2f}",
    }


def changes(studies):
    """Accuracy by rho, [S], after each change to the small network, "no-change" first."""
    unchanged = outcomes.at_rate(studies.by_rate("adamw"), "adamw", plan.COMPACT.lr)
    return {"no-change": unchanged, **outcomes.by_change(studies.changed)}


def gains_of_changes(studies):
    """What the term gains after each change; intervals are corrected for eight looks."""
    pairs = changes(studies)
    return {name: outcomes.gain(pair, plan.CHANGES_LEVEL) for name, pair in pairs.items()}


def map_of_changes(studies):
    """The same, as ``toy.figures.effects_map`` draws it."""
    title = f"AdamW at {plan.COMPACT.lr:g}"
    return {
        ("", name.replace("-", " ").replace("5 soft", "5, soft"), title): gain
        for name, gain in gains_of_changes(studies).items()
    }


def of_changes(studies):
    """One change at a time: gains, accuracies, and the first layer's gradients."""
    gains = gains_of_changes(studies)
    said = {f"{name}-gain": interval_text(*gain) for name, gain in gains.items()}
    for name, pair in changes(studies).items():
        for what, rho in (("with", 1.0), ("without", 0.0)):
            said[f"{name}-{what}"] = f"{np.mean(pair[rho]):.1f}"
    layer = outcomes.by_change(studies.changed, outcomes.first_layer)
    for name, pair in layer.items():
        for what in ("ratio", "cosine"):
            start, end = np.mean([seed[what] for seed in pair[1.0]], axis=0)
            said |= {f"{name}-{what}": f"{start:.2f}", f"{name}-{what}-end": f"{end:.2f}"}
    same = outcomes.probes(studies.grid, "adamw", plan.COMPACT.lr, 1.0)["cosine"][:, 0]
    clear = [name for name, (_, low, high) in gains.items() if low > 0 or high < 0]
    u = np.linspace(1.0, 1.5, 51)
    factor = np.abs(steps.jacobian_at(u, plan.COMPACT.neuron()))
    return said | {
        "no-change-cosine": f"{same[0]:.2f}",
        "no-change-cosine-end": f"{same[-1]:.2f}",
        "clear": " and ".join(name.replace("-", " ") for name in clear),
        "clear-level": f"{100 * plan.CHANGES_LEVEL:.1f}",
        "own-factor": f"{factor.max():.2f}",
        "own-membrane": f"{u[factor.argmax()]:.2f}",
    }


def of_pairing(studies):
    """How many times the seeds an unpaired comparison would need."""
    said = {}
    for key in NAMES:
        one, other = (t[:, plan.MIDDLE] for t in studies.by_rate(key).values())
        unpaired = one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)
        paired = (one - other).var(axis=0, ddof=1)
        said |= {
            f"worth-{key}": f"{unpaired.mean() / paired.mean():.1f}",
            f"unpaired-{key}": f"{np.sqrt(unpaired.mean()):.2f}",
            f"paired-{key}": f"{np.sqrt(paired.mean()):.2f}",
        }
    return said


def phrases(studies):
    """All values of chapter 7's text."""
    recipe = outcomes.pairs(outcomes.collect("headline"))[""]
    said = {"headline-gain": gain_text(recipe)}
    for part in (
        of_plan,
        of_rates,
        of_best_rates,
        of_gradients,
        of_swap,
        of_larger_network,
        of_changes,
        of_pairing,
    ):
        said |= part(studies)
    return said


def announced_table(studies):
    """The announced outcome with both optimisers: gains, and the test of equivalence."""
    rows = []
    for key, name in NAMES.items():
        middle = outcomes.primary(studies.grid, key)
        p = statistics.equivalence(middle[1.0] - middle[0.0], plan.MARGIN)
        rows.append((name, gain_text(middle), gain_text(middle, 0.9), f"{p:.3f}"))
    heads = "optimiser", "with minus without, points [95 %]", "[90 %]", "equivalence, p"
    return page.table(heads, rows)


def rates_table(studies):
    """Accuracy at each learning rate, with the term and without, and the gain."""
    rows = []
    for key, name in NAMES.items():
        rows.append(name)
        for rate in plan.RATES[key]:
            pair = outcomes.at_rate(studies.by_rate(key), key, rate)
            means = (f"{pair[rho].mean():.1f}" for rho in plan.RHOS)
            rows.append((f"{rate:g}", *means, gain_text(pair)))
    return page.table(("learning rate", "with, %", "without, %", "gain, points [95 %]"), rows)


def swap_table(studies):
    """Accuracy by whose direction and whose length the gradient has."""
    cells = outcomes.by_direction_and_length(studies.swapped)
    names = {1.0: "complete", 0.0: "detached"}
    rows = [
        (name, *(f"{cells[rho, length].mean():.2f}" for length in names))
        for rho, name in names.items()
    ]
    heads = "direction", *(f"{name} gradient's length, %" for name in names.values())
    return page.table(heads, rows)


def changes_table(studies):
    """After each change: accuracies, the gain, and the first layer's gradients, start and end."""
    said, rows = of_changes(studies), []
    for name in plan.CHANGES:
        cells = (said[f"{name}-{what}"] for what in ("with", "without", "gain"))
        ratio, cosine = (f"{name}-{what}" for what in ("ratio", "cosine"))
        ends = (f"{said[key]}, {said[key + '-end']}" for key in (ratio, cosine))
        rows.append((name.replace("-", " "), *cells, *ends))
    heads = "change", "with, %", "without, %", "gain, points, corrected", "length ratio", "cosine"
    return page.table(heads, rows)
