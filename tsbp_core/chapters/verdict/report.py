"""What chapter 14 says in numbers, by the name that its text cites."""

import numpy as np

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.cifar10 import compared, outcomes, plan, quarter
from tsbp_core.chapters.cifar10 import report as images
from tsbp_core.chapters.cost import outcomes as cost
from tsbp_core.chapters.frameworks.defaults import SURROGATES
from tsbp_core.chapters.gradient import steps
from tsbp_core.chapters.growth import report, verdicts
from tsbp_core.chapters.growth.plan import MAIN, Cell, family
from tsbp_core.chapters.sequences import report as sequences
from tsbp_core.chapters.toy import outcomes as toy
from tsbp_core.chapters.toy import presets
from tsbp_core.chapters.verdict import effects as settings
from tsbp_core.lab import results
from tsbp_core.lab.conditions import KINDS
from tsbp_core.lab.statistics import interval_text

MEMBRANES = np.linspace(-5, 5, 1001)


def key(effect):
    """Name of a row of the first figure: task and setting; "manifolds" alone for their task."""
    task = effect.task if effect.task.startswith("CIFAR") else effect.task.split(", ")[0]
    return f"{task}, {effect.setting}".replace(",", "").replace(" ", "-")


def of_effects(effects):
    """Rows of the first figure; ``effects``: ``effects.effects()``."""
    said = {key(effect): effect.text.removesuffix(" points") for effect in effects}
    low = [effect for effect in effects if effect.height <= verdicts.LOW]
    said |= {f"low-rows-{verdict}": str(n) for verdict, n in settings.counts(low).items()}
    larger = next(effect for effect in effects if effect.task == settings.LARGE)
    return said | {
        "low-rows": str(len(low)),
        "larger-adamw": larger.verdict,
    }


def of_rates():
    """CIFAR-10 at single learning rates."""
    larger = outcomes.by_rate(outcomes.collect("larger"), "adamw")
    apart = (larger[1.0] - larger[0.0])[:, plan.MIDDLE]
    sgd = outcomes.by_rate(outcomes.collect("grid"), "sgd")
    moved = outcomes.shift(sgd, plan.RATES["sgd"])
    said = {
        f"sgd-{rate:g}": interval_text(*outcomes.gain(outcomes.at_rate(sgd, "sgd", rate)))
        for rate in (0.03, 1.0)
    }
    return said | {
        "larger-least": f"{apart.min():+.2f}",
        "larger-most": f"{apart.max():+.2f}",
        "sgd-shift": interval_text(*outcomes.gain({1.0: moved, 0.0: 0 * moved})),
    }


def of_quarter():
    """CIFAR-10 with a narrow copy of the paper's network: gains by rate, and their means."""
    gains = {rate: outcomes.gain(pair) for rate, pair in quarter.pairs(quarter.load()).items()}
    means = [mean for mean, *_ in gains.values()]
    return {
        **{f"quarter-{rate:g}": interval_text(*gain) for rate, gain in gains.items()},
        "quarter-gains": report.between(means, "{:.1f}"),
    }


def of_swap():
    """CIFAR-10 with AdamW: what direction and length gain; runs computed a second time."""
    return images.of_swap(images.load())


def of_cost():
    """What the term costs a dense layer in percent of its time, fused and plain."""
    prices = cost.prices(results.load("overhead")["results"])
    return {
        f"price-{name}-layer": interval_text(*prices[f"{way}, dense"], 1)
        for way, name in (("fused", "fused"), ("plain autograd", "plain"))
    }


def largest_factor(surrogate, decay):
    """Largest size of a step's factor with the hard reset, and where it is above 1, or None."""
    factor = np.abs(steps.jacobian_at(MEMBRANES, LIF(decay, 1.0, "zero", surrogate)))
    above = MEMBRANES[factor > 1]
    return factor.max(), (above[0], above[-1]) if above.size else None


def of_steps():
    """Where a step of the hard reset amplifies, of the text's neuron and of an exercise's."""
    _, ends = largest_factor(surrogates.Sigmoid(0.5), 0.9)
    return {"amplifies": "{:.2f} to {:.2f}".format(*ends)}


def of_spike_times(ends, momentum):
    """Networks on spike times beside their best rates, and with narrower surrogates.

    ``ends`` and ``momentum``: families' summaries, as ``verdicts.summaries`` has them.
    """
    narrower = [Cell("area", 4, "zero"), *(Cell("peak", k, "zero") for k in (10, 25, 100))]
    usual = [mean for mean, *_ in ends[Cell("peak", 10, "zero").name]["by_rate"]]
    sgd = momentum[Cell("area", 4, "subtract", optimizer="sgd").name]["by_rate"]
    cells = verdicts.load()
    lost = {cell: untuned(verdicts.record(cells[cell.name])) for cell in MAIN}
    within = [cell for cell in family("verdict") if cell.multiple <= 1.0]
    verdict = report.count(ends, within)

    def shown(method):
        return ", ".join(f"{ends[cell.name]['ends'][method]:.0f}" for cell in narrower)

    return {
        "within-equal": str(verdict["equal"]),
        "within-equal-one": str(report.count(ends, [c for c in within if c.depth == 1])["equal"]),
        "within-help": str(verdict["help"]),
        "narrower": shown(0),
        "narrower-without": shown(1),
        "rates-better": str(sum(mean > 0 for mean in usual)),
        "rates-tried": str(len(usual)),
        "rates-gains": report.between(usual, "{:+.1f}"),
        "rates-worse": str(sum(high < 0 for *_, high in sgd)),
        "rates-sgd": str(len(sgd)),
        "rates-sgd-most": f"{-sgd[0][0]:.0f}",
        "rates-sgd-largest": f"{sgd[-1][0]:.0f}",
        "untuned": report.between([lost[cell] for cell in MAIN if cell.height >= 5]),
        "untuned-low": f"{max(lost[cell] for cell in report.LOW):.1f}",
        **report.phrases_of_width(cells),
        **report.phrases_of_decay(cells),
    }


def untuned(record):
    """Points that the detached networks lose at the best rate of those with the term."""
    ends, (rate, _) = verdicts.at_own_best(record, verdicts.end)
    return (ends[1] - verdicts.end(record["test"])[1, rate]).mean()


def of_map(optimizer, outcome):
    """In how many conditions with a surrogate that is not tall one neuron's range is wider."""
    words = [
        word
        for (factor, level, own), word in toy.verdicts_of_map(toy.load("map"), outcome).items()
        if own == optimizer and (factor, level) != ("width", "0.05")
    ]
    return f"{words.count('helps')} of {len(words)}"


def of_toy():
    """One neuron: in how many settings it gains; with a tall surrogate, the third button."""
    made = results.load("toy-presets")["results"]
    return {
        "toy-map-adam": of_map("adam", "width"),
        "toy-map-sgd": of_map("sgd", "width"),
        "toy-map-sgd-strict": of_map("sgd", "strict"),
        "toy-tall": interval_text(*presets.gain(made, presets.TALL)),
    }


def of_peaks():
    """How high h is at the threshold, by libraries' defaults and with slope 25 and area 1."""
    peaks = [float(surrogate.derivative(np.zeros(()))) for surrogate in SURROGATES.values()]
    return {
        "default-peaks": report.between(peaks, "{:g}"),
        "sigmoid-peak": f"{surrogates.Sigmoid(1 / 25, unit='area').scale:g}",
    }


def of_sequences():
    """Verdicts of the recurrent networks' cells, corrected as their plan says."""
    by_cell = sequences.cells(sequences.load())
    return {
        "sequences-low": sequences.tally(by_cell, "low"),
        "sequences-speed": sequences.tally(by_cell, "low", "speed"),
        "sequences-tall": sequences.tally(by_cell, "tall"),
        **of_sequence_counts(by_cell),
    }


def of_sequence_counts(by_cell):
    """How many cells are harmed, tall, and helped, low; accuracies on the rows with the term."""
    tall = sequences.verdicts(by_cell, "tall")
    said = {
        "sequences-tall-harm": str(tall.count("harm")),
        "sequences-tall-learnt": str(len(tall) - tall.count("not learnt")),
    }
    for peak in ("low", "tall"):
        rows = by_cell[sequences.Cell(peak, "rows", "subtract", "adam")]
        said[f"rows-{peak}"] = f"{rows['ends'][0]:.0f}"
    for reset, kind in KINDS.items():
        own = {cell: summary for cell, summary in by_cell.items() if cell.reset == reset}
        said[f"sequences-{kind}-help"] = str(sequences.verdicts(own, "low").count("help"))
    return said


def phrases(effects):
    """All values of chapter 14's text; ``effects``: as ``of_effects`` takes them."""
    families = verdicts.by_family()
    trained = report.phrases(*families.values())
    trained |= of_spike_times(families["verdict"], families["momentum"]) | of_sequences()
    trained |= of_effects(effects) | of_toy() | of_rates() | of_swap()
    trained |= compared.phrases(compared.load()) | of_quarter()
    return trained | of_cost() | of_steps() | of_peaks()


def wrong(claims):
    """How claims fare that are no findings of ours; those that do not hold, a line each."""
    tests = [claim for claim in claims if not claim.source.startswith("chapter")]
    agree, fail, undecided = (
        [claim.text for claim in tests if claim.holds is word] for word in (True, False, None)
    )
    heading = (
        f"Of {len(tests)} claims of the paper, announcements and guesses {len(agree)} agree, "
        f"{len(undecided)} are open and {len(fail)} do not hold:"
    )
    return "\n- ".join([heading, *fail])
