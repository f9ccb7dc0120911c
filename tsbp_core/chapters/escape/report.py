"""What chapter 9 says of its study: values for its text, by name, and tables.

``exact`` and ``sampled`` are as ``study.load`` returns them.
"""

import itertools

import numpy as np

from tsbp_core import page
from tsbp_core.chapters.escape import gradients, study
from tsbp_core.chapters.escape.gradients import LOSSES
from tsbp_core.chapters.escape.study import Condition, Long
from tsbp_core.chapters.gradient import twin
from tsbp_core.lab.conditions import KINDS

CASES = tuple(itertools.product(KINDS, LOSSES))
NARROW = 0.05
HEADS = "reset, loss", "error, without and with", "cosine", "length", "nearer with the term [95 %]"


def pencil():
    """The chapter's two steps: gradients of the first input, and what stands for the jump.

    Returns
    -------
    dict
        "truth", "0" and "1" (rho): gradients; "bracket": the jump; "slope": what replaces it.
    """
    lif = study.neuron("zero", 0.2)
    x, c = np.array([[0.9], [0.6]]), np.ones((2, 1, 1))
    truth, means = gradients.exact(
        x, lambda s: ((c * s).sum(axis=0), np.broadcast_to(c, s.shape)), lif
    )
    p, h = lif.surrogate.primitive, lif.surrogate.derivative  # of u - 1
    empty, full = np.array(0.6 - 1), np.array(0.8 * 0.9 + 0.6 - 1)
    fires = p(np.array(0.9 - 1))
    return {
        "truth": float(truth[0, 0]),
        **{f"{rho:g}": float(means[rho][0, 0]) for rho in (0.0, 1.0)},
        "bracket": float(p(empty) - p(full)),
        "slope": float(-0.8 * 0.9 * (fires * h(empty) + (1 - fires) * h(full))),
    }


def of_pencil():
    """The pencil's case in words."""
    values = pencil()
    said = {f"pencil-{name}": f"{value:.2f}" for name, value in values.items()}
    for name, rho in (("with", "1"), ("without", "0")):
        said[f"pencil-{name}"] = f"{values[rho] / values['truth'] - 1:.0%}"
    return said


def table(exact, noise=study.WIDTH, width=study.WIDTH):
    """Medians of each reset and loss at T = 8, and how often rho = 1 is the nearer one."""
    rows = []
    for reset, loss in CASES:
        cell = exact[Condition(reset, loss, noise=noise, surrogate=width)]
        rows.append((f"{KINDS[reset]}, {loss}", *study.describe(cell).split("  ")))
    return page.table(HEADS, rows)


def rescaled_table():
    """Share nearer in direction; errors as they are, and after one common factor for each rho."""
    rows = []
    for reset, loss in CASES:
        case = study.lengths_apart(reset, loss)
        errors = ("{:.2f} {:.2f}".format(*case[key]) for key in ("error", "rescaled"))
        rows.append((f"{KINDS[reset]}, {loss}", f"{case['nearer']:.0%}", *errors))
    heads = "reset, loss", "nearer by cosine", "error, without and with", "rescaled"
    return page.table(heads, rows)


def sampled_table(sampled):
    """Errors of the long runs, with their bootstrap intervals."""
    rows = [
        (
            f"{KINDS[key.reset]}, {key.loss}, T = {key.T}",
            *("{:.2f} [{:.2f}, {:.2f}]".format(*by_rho[rho]["error"]) for rho in (0.0, 1.0)),
        )
        for key, by_rho in sampled.items()
    ]
    return page.table(("reset, loss", "error without the term", "with it"), rows)


def from_twin():
    """The gradient over the spiking run against the smooth twin's, medians over neurons.

    Returns
    -------
    dict
        By reset and rho: error, cosine, length, and the error after one common factor.
    """
    x, loss = twin.draw()
    medians = {}
    for reset in KINDS:
        exact_twin, by_rho = twin.gradients(x, loss, twin.neuron(reset))
        for rho, gradient in by_rho.items():
            apart = study.compare(exact_twin, gradient)
            values = [float(np.median(apart[key])) for key in ("error", "cosine", "length")]
            medians[reset, rho] = [*values, study.rescaled(exact_twin, gradient)[0]]
    return medians


def twin_table():
    """``from_twin`` as a table."""
    rows = [
        (f"{KINDS[reset]}, ρ = {rho:g}", *(f"{value:.2f}" for value in values))
        for (reset, rho), values in from_twin().items()
    ]
    return page.table(("reset", "error", "cosine", "length", "error, rescaled"), rows)


def smoothed_correlations():
    """Correlation of the smoothed loss's gradient with those over the spiking run: (reset, rho)."""
    x, loss = twin.drawn_credits()
    correlations = {}
    for reset in KINDS:
        lif = twin.neuron(reset, unit="peak")
        smoothed = twin.smoothed_gradient(x, loss, lif)
        for rho, own in twin.gradients(x, loss, lif)[1].items():
            correlations[reset, rho] = float(np.corrcoef(smoothed.ravel(), own.ravel())[0, 1])
    return correlations


def of_runs(exact, sampled, settings):
    """The set-up, and what is found with both widths at 0.2."""
    said = {
        "instances": str(settings["instances"]),
        "long-instances": str(settings["long_instances"]),
        "samples": f"{settings['samples']:,}",
    }
    for reset in KINDS:
        for rho in (0.0, 1.0):
            error = sampled[Long(reset, "trace", 100)][rho]["error"][0]
            said[f"long-{reset}-{rho:g}"] = f"{error:.2f}"
        share = exact[Condition(reset, "trace")]["nearer"]
        said[f"nearer-{reset}"] = "{:.0%} [{:.0%}, {:.0%}]".format(*share)
        said[f"direction-{reset}"] = f"{study.lengths_apart(reset, 'trace')['nearer']:.0%}"
    lengths = [exact[Condition(*case)]["by_rho"][1.0]["length"][2] for case in CASES]
    return said | {"lengths": f"{min(lengths):.2f} to {max(lengths):.2f}"}


def median_errors(exact, noise, width):
    """Median error of each case by rho, {case: {rho: error}}."""
    cells = {case: exact[Condition(*case, noise=noise, surrogate=width)] for case in CASES}
    return {
        case: {rho: outcome["error"][2] for rho, outcome in cell["by_rho"].items()}
        for case, cell in cells.items()
    }


def of_narrow_noise(exact, widths):
    """Little noise: a surrogate as narrow, and wider ones."""
    narrow = [study.lengths_apart(*case, NARROW, NARROW) for case in CASES]
    wide = median_errors(exact, NARROW, study.WIDTH).values()
    every = [median_errors(exact, NARROW, width).values() for width in widths]
    least = min(min(errors.values()) for cases in every for errors in cases)
    with_term = [errors[1.0] for errors in wide]
    curved = [study.lengths_apart(*case, NARROW) for case in CASES if case[1] != "linear"]
    left = [case["rescaled"][0] - case["rescaled"][1] for case in curved]
    return {
        "narrow-worse": str(sum(c["rescaled"][1] > c["rescaled"][0] for c in narrow)),
        "wide-lower": str(sum(errors[1.0] < errors[0.0] for errors in wide)),
        "wide-errors": f"{min(with_term):.2f} to {max(with_term):.2f}",
        "narrow-least": f"{least:.2f}",
        "wide-left": f"{min(left):.2f} and {max(left):.2f}",
    }


def pairs(exact, widths):
    """All cells at T = 8: condition, and its record."""
    for case, noise, width in itertools.product(CASES, widths, widths):
        condition = Condition(*case, noise=noise, surrogate=width)
        yield condition, exact[condition]


def dropped_table(exact, widths):
    """Cells at T = 8 in which the term brings fewer than half of the neurons nearer."""
    rows = [
        (
            f"{KINDS[c.reset]}, {c.loss}, noise {c.noise}, surrogate {c.surrogate}",
            *study.describe(cell).split("  "),
        )
        for c, cell in pairs(exact, widths)
        if cell["nearer"][2] < 0.5
    ]
    return page.table(HEADS, rows)


def of_pairs(exact, widths):
    """All pairs of widths: how often the term helps or hurts, and where the error is small."""
    cells = dict(pairs(exact, widths))
    intervals = [cell["nearer"][1:] for cell in cells.values()]
    fair, other = [], []
    for condition, cell in cells.items():
        matched = condition.noise == condition.surrogate >= study.WIDTH
        (fair if matched else other).append(cell["by_rho"][1.0]["error"][2])
    return {
        "pairs-cases": str(len(cells)),
        "pairs-keep": str(sum(low > 0.5 for low, _ in intervals)),
        "pairs-drop": str(sum(high < 0.5 for _, high in intervals)),
        "fair-most": f"{max(fair):.2f}",
        "other-cases": str(len(other)),
        "other-fair": str(sum(error <= max(fair) for error in other)),
    }


def of_training():
    """Two judges of the gradient that people train with: the twin, and a smoothed loss."""
    smoothed = smoothed_correlations()
    said = {f"smoothed-{reset}-{rho:g}": f"{c:.2f}" for (reset, rho), c in smoothed.items()}
    apart = from_twin()
    return said | {f"twin-{reset}": f"{apart[reset, 1.0][0]:.2f}" for reset in KINDS}


def phrases(exact, sampled, settings):
    """All values of chapter 9's text; ``settings``: those of the results file."""
    widths = settings["widths"]
    return (
        of_pencil()
        | of_runs(exact, sampled, settings)
        | of_narrow_noise(exact, widths)
        | of_pairs(exact, widths)
        | of_training()
    )
