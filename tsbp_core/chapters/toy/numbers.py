"""The numbers that chapter 5 cites: texts by name, from its studies' results."""

import numpy as np

from tsbp_core.chapters.toy import common, outcomes, presets
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy.plan import STUDIES, WIDE, Arm, Changed, Condition
from tsbp_core.chapters.toy.unit import Unit
from tsbp_core.lab import conditions, results
from tsbp_core.lab.statistics import interval_text

RESETS = ("zero", "subtract")


def usual(optimizer="adam"):
    """The condition that the chapter speaks of first."""
    return Condition("zero", "random", optimizer, 1.0)


def cited():
    """All of them. What is said of the start of training is computed now, the rest is read."""
    runs, wide, mapped, why = map(outcomes.load, STUDIES)
    return {
        **of_runs(runs),
        **of_gains(runs, wide),
        **of_widths(wide),
        **of_other_outcomes(runs),
        **of_map(mapped),
        **of_many_inputs(mapped),
        **of_training(why),
        **of_products(why),
        **of_common_direction(why),
        **of_swaps(why),
        **of_one_rate(runs),
        **of_silence(runs, wide),
        **of_tall_surrogate(),
    }


def made():
    """How each results file was made, a line each."""
    for study in STUDIES.values():
        document = results.load(study.file)
        seeds, count = document["settings"]["seeds"], len(document["results"])
        took = f"{document['wall_time_s']:.0f} s"
        yield f"{document['command']:13} {count:3} sets of runs, {seeds} seeds, {took}"
    yield f"versions: {results.load('toy')['provenance']['versions']}"


def of_runs(runs):
    """Runs of the main study whose gradient was not finite."""
    diverged = sum(len(own["diverged"]) for own in runs.values())
    trained = sum(np.size(own["final"]) for own in runs.values())
    return {"diverged": f"{diverged} of {trained:,}"}


def of_gains(runs, wide):
    """Gain in robust width: as announced, on the wide grid, and by the strict criterion there."""
    texts = {}
    for condition in wide:
        if condition.rho == 1.0:
            name = "/".join(condition[:-1])
            pair, wider = (conditions.pair(of, condition) for of in (runs, wide))
            texts[f"gain-{name}"] = interval_text(*outcomes.gain(*pair))
            texts[f"wide-{name}"] = interval_text(*outcomes.gain(*wider))
            texts[f"strict-{name}"] = interval_text(*outcomes.gain(*wider, "strict"))
    return texts


def of_widths(wide):
    """Strict widths themselves, seeds that learn at any rate, and what those seeds add."""
    texts = {}
    for optimizer in toy.OPTIMIZERS:
        pair = conditions.pair(wide, usual(optimizer))
        one, other = (outcomes.per_seed(result)["strict"] for result in pair)
        for rho, width in ((1, one), (0, other)):
            texts[f"decades-{optimizer}-{rho}"] = f"{width.mean():.2f}"
            texts[f"ever-{optimizer}-{rho}"] = f"{(width > 0).mean():.0%}"
        gain, new = one - other, (one > 0) & (other == 0)
        texts[f"new-{optimizer}"] = f"{gain[new].sum() / gain.sum():.0%}"
    return texts


def of_other_outcomes(runs):
    """Means of the other announced outcomes, with the term and without, and their difference."""
    texts = {}
    for optimizer in toy.OPTIMIZERS:
        pair = conditions.pair(runs, usual(optimizer))
        one, other = (outcomes.per_seed(result) for result in pair)
        for name in set(one) - {"width", "strict"}:
            gain = outcomes.gain(*pair, name)
            means = f"{one[name].mean():.3f} and {other[name].mean():.3f}"
            texts[f"means-{name}-{optimizer}"] = means
            texts[f"gain-{name}-{optimizer}"] = interval_text(*gain, digits=3)
    return texts


def of_map(mapped):
    """Conditions in which the term helps, hurts, or these runs cannot tell, by optimiser too."""
    texts = {}
    for outcome in ("width", "strict"):
        verdicts = outcomes.verdicts_of_map(mapped, outcome)
        for optimizer in (*toy.OPTIMIZERS, "all"):
            own = [word for key, word in verdicts.items() if optimizer in (key[2], "all")]
            name = outcome if optimizer == "all" else f"{outcome}-{optimizer}"
            texts[f"{name}-all"] = str(len(own))
            for word in ("helps", "hurts", "open"):
                texts[f"{name}-{word}"] = str(own.count(word))
    return texts


def of_many_inputs(mapped):
    """Seeds that would pass the announced criterion by falling silent, by the number of inputs."""
    changes = {100: "default=", 200: "N=200", 400: "N=400"}
    return {
        f"silent-{n}": f"{outcomes.silence_passes(mapped[Changed(change, 'sgd', 1.0)]).mean():.0%}"
        for n, change in changes.items()
    }


def rows_of_map(mapped):
    """For ``page.table``: what the strict criterion leaves open, and the seeds that ever learn."""
    gains = outcomes.gains_of_map(mapped, "strict")
    for (factor, level, optimizer), word in outcomes.verdicts_of_map(mapped, "strict").items():
        if word != "helps":
            pair = conditions.pair(mapped, Changed(f"{factor}={level}", optimizer, 1.0))
            ever = [(outcomes.per_seed(result)["strict"] > 0).mean() for result in pair]
            gain = interval_text(*gains[factor, level, optimizer])
            yield f"{factor} {level}", optimizer, gain, word, *(f"{share:.0%}" for share in ever)


HEADS = ("changed", "optimiser", "gain", "the term", "learn with it", "without")
"""Heads of ``rows_of_map``."""


def best(result):
    """Index of the (smallest) learning rate at which most seeds learn."""
    return int((outcomes.ratio(result) < toy.SOLVED).mean(axis=0).argmax())


def along(why):
    """Cosine and length ratio of both gradients along training with the term, by reset."""
    by_reset = {}
    for reset in RESETS:
        result = why[Arm(reset, "adam", 1.0, 1.0)]
        at = best(result)
        by_reset[reset] = {
            update: {key: step[key][at] for key in ("cosine", "length_ratio")}
            for update, step in result["along"].items()
        }
    return by_reset


def of_training(why):
    """Median cosine and length ratio of both gradients, by reset and update."""
    texts = {}
    for reset, by_update in along(why).items():
        for update in ("0", "299"):
            step = by_update[update]
            texts[f"cosine-{reset}-{update}"] = f"{step['cosine'][2]:.2f}"
            texts[f"ratio-{reset}-{update}"] = f"{step['length_ratio'][2]:.1f}"
    return texts


def products(why):
    """Products of the per-step factors before training, by reset, rho and lag."""
    return {reset: why[Arm(reset, "adam", 1.0, 1.0)]["along"]["0"]["products"] for reset in RESETS}


def of_products(why):
    """Median size of the products over five steps, and the share that is zero."""
    texts = {}
    for reset, by_rho in products(why).items():
        for rho, by_lag in by_rho.items():
            five = by_lag["5"]
            texts[f"product-{reset}-{rho}"] = f"{five['size'][2]:.2g}"
            texts[f"zero-{reset}-{rho}"] = f"{five['zero']:.0%}"
    return texts


def of_common_direction(why):
    """What both gradients share, "turn everything down", and their cosine with it taken out."""
    texts = {}
    for reset in RESETS:
        result = why[Arm(reset, "adam", 1.0, 1.0)]
        rate = Unit("", toy.NEURON, decades=WIDE).rates[best(result)]
        before, after = common.before_and_after(reset, rate)
        for when, at in (("before", before), ("after", after)):
            texts[f"share-{reset}-{when}"] = f"{np.nanmedian(at['share']):.0%}"
            for key in ("cosine", "rest"):
                texts[f"{key}-{reset}-{when}"] = f"{np.nanmedian(at[key]):.2f}"
        texts[f"fired-{reset}"] = f"{np.median(before['fired']):.0f}"
        texts[f"sign-{reset}"] = f"{before['sign']:.0%}"
        for rho, factor in zip((1, 0), before["factor"], strict=True):
            texts[f"factor-{reset}-{rho}"] = f"{factor:.2f}"
    return texts


def of_swaps(why):
    """Gain over the detached gradient of direction and length, each alone and together."""
    texts = {}
    for arm, result in why.items():
        if (arm.direction, arm.length) != (0.0, 0.0):
            base = why[arm._replace(direction=0.0, length=0.0)]
            for outcome in ("width", "strict"):
                gain = interval_text(*outcomes.gain(result, base, outcome))
                texts[f"{outcome}-{conditions.name(arm)}"] = gain
    return texts


def of_one_rate(runs):
    """Plain gradient descent at the two rates that favour each method most, in the median."""
    pair = conditions.pair(runs, usual("sgd"))
    one, other = (np.median(outcomes.ratio(result), axis=0) for result in pair)
    texts = {}
    for name, i in (("complete", (other - one).argmax()), ("detached", (one - other).argmax())):
        texts[f"favours-{name}-rate"] = f"{toy.LEARNING_RATES[i]:.2g}"
        texts[f"favours-{name}-1"] = f"{one[i]:.1%}"
        texts[f"favours-{name}-0"] = f"{other[i]:.1%}"
    return texts


def of_silence(runs, wide):
    """Seeds that pass by falling silent, and the announced gain among them and the others."""
    result = runs[usual()]
    silent = outcomes.silence_passes(result)
    texts = {
        "silent": f"{silent.mean():.0%}",
        "silent-pass": f"{(outcomes.ratio(result)[:, -1] < toy.SOLVED).mean():.0%}",
    }
    for optimizer in toy.OPTIMIZERS:
        pair = conditions.pair(wide, usual(optimizer))
        for name, among in (("silent", silent), ("others", ~silent)):
            gain = outcomes.gain(*pair, among=among)
            texts[f"gain-{name}-{optimizer}"] = interval_text(*gain)
    return texts


def of_tall_surrogate():
    """Decades that the term adds with a surrogate 5 high and a teacher's spikes, by Adam."""
    made = results.load("toy-presets")["results"]
    return {"tall-teacher": interval_text(*presets.gain(made, presets.TALL))}
