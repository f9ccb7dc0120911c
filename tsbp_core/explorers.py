"""The explorers of the chapters: what each computes for a setting, and how it is drawn."""

import functools
import re
from dataclasses import replace

import numpy as np

from tsbp_core import LIF, datasets, gradcheck, numpy_lif, results, surrogates
from tsbp_core.widgets import Control, Explorer, Panel, Series

METHODS = (Series("complete, ρ = 1", "complete"), Series("term dropped, ρ = 0", "dropped"))
RESETS = ("zero", "subtract")


def _choice(name, values, start=0):
    return Control(name, values, start, "choice", str)


def neuron_frame(decay, current, threshold, reset):
    """Chapter 1: a neuron at a constant current with a few random pulses."""
    lif = LIF(decay, threshold, reset)
    s, u = numpy_lif.forward(np.full(40, float(current)), lif)
    after = {"zero": u * (1 - s), "subtract": u - threshold * s}[reset]
    t = np.arange(1, 41)
    saw = np.stack([u, after], axis=1).ravel()
    fired = t[s > 0]
    trace = numpy_lif.trace(s, 3.0)
    text = (
        f"{fired.size} spikes in 40 steps. Without a spike the membrane would settle at "
        f"{current / (1 - decay):.2f}, against a threshold of {threshold:g}."
        if decay < 1
        else f"{fired.size} spikes in 40 steps. With decay 1 nothing leaks."
    )
    return [[saw, (fired, u[s > 0]), [threshold]], [trace, (fired, 0 * fired)]], text


neuron = Explorer(
    "A leaky neuron at a constant current",
    "At a constant input, which decay makes the neuron stop firing?",
    {
        "decay": Control("decay λ", (0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1), 5),
        "current": Control("input current x", (0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1), 3),
        "threshold": Control("threshold θ", (0.5, 1.0, 1.5), 1),
        "reset": _choice("reset", RESETS),
    },
    [
        Panel(
            "Membrane before and after the spike", "time step t", "u, v",
            (Series("membrane", "truth"), Series("spike", "reset", "dots"),
             Series("threshold θ", "faint", "hline")),
            (0, 41), (0, 2.5), x=(np.arange(1, 41)[:, None] + [0, 0.25]).ravel(),
        ),
        Panel(
            "Spikes and their trace a", "time step t", "a",
            (Series("trace, τs = 3", "truth", "steps"), Series("spike", "reset", "raster")),
            (0, 41), (0, 1), x=np.arange(1, 41),
        ),
    ],
    neuron_frame,
)  # fmt: skip


def _one_weight():
    rng = np.random.default_rng(4)
    inputs = numpy_lif.trace((rng.random((60, 1)) < 0.2).astype(float), 3.0)
    loss = numpy_lif.TraceLoss((rng.random((60, 1)) < 0.1).astype(float))
    return inputs, loss, np.linspace(0.2, 4.0, 96)


def surrogate_frame(family, width):
    """Chapter 2: a surrogate's bump and what it does to the loss of one weight."""
    family = getattr(surrogates, family)
    surrogate = family(1 / width if family is surrogates.FastSigmoid else width, unit="area")
    z = np.linspace(-2, 2, 81)
    inputs, loss, weights = _one_weight()
    lif = LIF(surrogate=surrogate)
    hard, smooth = (
        loss(numpy_lif.forward(inputs * weights, lif, smooth=smooth).spikes)[0]
        for smooth in (False, True)
    )
    downhill = np.abs(np.gradient(smooth, weights)) > 0.05
    text = (
        f"The peak of h is {surrogate.derivative(np.array(0.0)):.2f}. The smooth loss has a slope "
        f"above 0.05 at {downhill.mean():.0%} of the weights; it is off the true loss by "
        f"{np.abs(smooth - hard).mean():.2f} on average."
    )
    return [[surrogate.derivative(z), surrogate.primitive(z)], [hard, smooth]], text


surrogate = Explorer(
    "The width of a surrogate",
    "How wide must the bump be before the smooth loss has a slope you can follow?",
    {
        "family": _choice("family", [family.__name__ for family in surrogates.FAMILIES]),
        "width": Control("width", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), 3),
    },
    [
        Panel(
            "h (area 1) and its antiderivative σ", "z = u − θ", "h, σ",
            (Series("h", "complete"), Series("σ", "truth")),
            (-2, 2), (0, 3), x=np.linspace(-2, 2, 81),
        ),
        Panel(
            "Loss against the weight", "weight w", "L",
            (Series("with H: a staircase", "truth", "steps"), Series("with σ", "complete")),
            (0.2, 4), (0, 4), x=np.linspace(0.2, 4.0, 96),
        ),
    ],
    surrogate_frame,
)  # fmt: skip


def credit_frame(rho, decay, reset):
    """Chapter 3: the credit of each time step, for any rho."""
    lif = LIF(decay, 1.0, reset, surrogates.Sigmoid(0.2), rho)
    s, u = numpy_lif.forward(0.8 * np.random.default_rng(1).random(24), lif)
    g = np.random.default_rng(3).normal(size=24)
    delta, detached = (
        numpy_lif.backward(g, (s, u), replace(lif, reset_gradient=r)) for r in (rho, 0.0)
    )
    t = np.arange(1, 25)
    fired = t[s > 0]
    turned = int((np.sign(delta) * np.sign(detached) < 0).sum())
    size = np.linalg.norm(detached)
    text = (
        f"At ρ = {rho:.2g} the gradient has {np.linalg.norm(delta) / size:.2f} times the length of "
        f"the detached one and a cosine of {delta @ detached / np.linalg.norm(delta) / size:.2f} "
        f"with it; {turned} of 24 credits have turned their sign."
    )
    return [[detached, delta, fired]], text


credit = Explorer(
    "From dropped to complete",
    "At which ρ does the credit of step 6 change its sign?",
    {
        "rho": Control("ρ (reset_gradient)", np.linspace(0, 1, 11).round(1), 0),
        "decay": Control("decay λ", (0.5, 0.7, 0.8, 0.9, 0.95), 2),
        "reset": _choice("reset", RESETS),
    },
    [
        Panel(
            "Credit of each time step", "time step t", "δ[t]",
            (Series("term dropped, ρ = 0", "dropped", "dots"),
             Series("chosen ρ", "complete", "stems"), Series("spike", "reset", "vline")),
            (0, 25), (-4, 3), x=np.arange(1, 25),
        )
    ],
    credit_frame,
)  # fmt: skip


def proof_frame(width, decay, reset):
    """Chapter 4: both gradients against exact differences of the smooth twin."""
    lif = LIF(decay, 1.0, reset, surrogates.Sigmoid(width))
    x = np.random.default_rng(11).normal(0.3, 0.5, (20, 1))
    report = gradcheck.check(x, lif, method="complex")
    text = (
        f"Relative error with the term {report.with_term:.0e}, without it "
        f"{report.without_term:.2f}."
    )
    series = (report.differences, report.complete, report.detached)
    return [[values[:, 0] for values in series]], text


proof = Explorer(
    "Differences against the two rules",
    "At which width are the detached credits (squares) furthest from the differences (grey rings), "
    "as a share of their length? Does the other reset agree?",
    {
        "width": Control("width of the sigmoid", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), 3),
        "decay": Control("decay λ", (0.5, 0.8, 0.95), 1),
        "reset": _choice("reset", RESETS),
    },
    [
        Panel(
            "Gradient in each time step's input", "time step t", "dL/dx[t]",
            (Series("differences of the twin", "truth", "dots"),
             Series("complete, ρ = 1", "complete", "dots"),
             Series("term dropped, ρ = 0", "dropped", "dots")),
            (0, 21), (-0.1, 3.1), x=np.arange(1, 21),
        )
    ],
    proof_frame,
)  # fmt: skip


def toy():
    """Chapter 5: both methods at one learning rate, along training, and the share that learn."""
    from tsbp_core.experiments import toy as experiment
    from tsbp_core.experiments import toy_study

    shown = results.load("toy-explorer")["results"]
    study = results.load("toy")["results"]
    rates = experiment.LEARNING_RATES
    steps = experiment.Settings().steps
    shares = {name: toy_study.success(found)[0] for name, found in study.items()}

    def frame(lr, update, optimizer, target, reset):
        i = shown["rates"].index(lr)
        names = [f"{reset}/{target}/{optimizer}/rho={rho}" for rho in (1, 0)]
        one, other = (shown["runs"][name] for name in names)
        learn = [shares[name] for name in names]
        at = int(np.argmin(np.abs(rates - lr)))
        k = shown["updates"].index(update)
        wanted = np.array(shown["targets"][target])
        panels = [[one["losses"][i], other["losses"][i], [update]], [*learn, [lr]]]
        for run in (one, other):
            fired = np.array(run["spikes"][i][k])
            panels.append([
                np.array(run["membrane"][i][k]) / toy_study.LEVELS,
                (wanted, np.full(len(wanted), 2.3)),
                (fired, np.full(len(fired), 2.0)),
                [experiment.NEURON.threshold],
            ])  # fmt: skip
        text = (
            f"At η = {lr:.2g} the loss ends at {one['final'][i]:.2f} with the term and at "
            f"{other['final'][i]:.2f} without (seed {shown['seed']}). Of all seeds "
            f"{learn[0][at]:.0%} learn with it and {learn[1][at]:.0%} without."
        )
        return panels, text

    # Start where both this seed's loss and the share of all seeds differ most.
    names = [f"zero/random/adam/rho={rho}" for rho in (1, 0)]
    gain = np.subtract(*(shares[name] for name in names))[:: toy_study.SHOWN_RATES]
    one, other = (np.array(shown["runs"][name]["final"]) for name in names)
    start = int((gain * np.log(other / one)).argmax())
    series = (
        Series("target", "truth", "raster"), Series("spikes", "reset", "raster"),
        Series("threshold θ", "faint", "hline"),
    )  # fmt: skip
    return Explorer(
        "One neuron learns a spike train",
        "At which learning rate does the dashed curve give up first? Watch its spikes miss the "
        "target's marks while the solid one's still find them.",
        {
            "lr": Control("learning rate η", shown["rates"], start, label="{:.2g}".format),
            "update": Control(
                "training, update", shown["updates"], len(shown["updates"]) - 1, play=True
            ),
            "optimizer": _choice("optimiser", experiment.OPTIMIZERS),
            "target": _choice("target", experiment.TARGETS),
            "reset": _choice("reset", RESETS),
        },
        [
            Panel(
                "Loss during training", "update", "L",
                (*METHODS, Series("shown below", "faint", "vline")),
                (0, shown["updates"][-1]), (0.001, 100), ylog=True, x=shown["loss_updates"],
            ),
            Panel(
                "Share of all seeds that learn", "learning rate η", "share",
                (*METHODS, Series("this η", "faint", "vline")),
                (rates[0], rates[-1]), (0, 1), xlog=True, x=rates,
            ),
            *(Panel(
                f"Membrane and spikes, {name}", "time step t", "u",
                (Series("membrane", role), *series),
                (0, steps + 1), (-1, 2.5), x=np.arange(1, steps + 1),
            ) for name, role in (("with the term", "complete"), ("term dropped", "dropped"))),
        ],
        frame,
    )  # fmt: skip


FAMILIES = {family.__name__: family for family in surrogates.FAMILIES}


def toy_live_frame(lr, rho, optimizer, reset, surrogate, width, decay, threshold, tau, N, T, seed):
    """Chapter 5, live: 25 learning rates, 100 updates, at rho and with the term dropped."""
    from tsbp_core.experiments import toy as experiment

    settings = experiment.Settings(steps=T, inputs=N, tau=tau, updates=100)
    shape = 1 / width if surrogate == "FastSigmoid" else width
    lif = LIF(decay, threshold, reset, FAMILIES[surrogate](shape, unit="area"), float(rho))
    rates = np.logspace(-3, 1, 25)
    i = int(np.argmin(np.abs(np.log(rates / lr))))
    task = experiment.make_task([seed], settings, lif)
    curves, ends, neurons, words = [], [], [], []
    for own in (lif, replace(lif, reset_gradient=0.0)):
        outcome = experiment.train(task, own, rates, optimizer=optimizer, settings=settings)
        final = outcome.losses[-experiment.LAST :, 0].mean(axis=0) / outcome.losses[0, 0]
        s, u = experiment.run_neurons(task, outcome.weights[:, i : i + 1], own)
        fired, wanted = (np.flatnonzero(a) + 1 for a in (s[:, 0, 0], task.target[:, 0]))
        marks = [(wanted, 0 * wanted + 2.3), (fired, 0 * fired + 2.0)]
        curves.append((np.arange(settings.updates), outcome.losses[:, 0, i]))
        ends.append(final)
        neurons.append([(np.arange(1, T + 1), u[:, 0, 0] / threshold), *marks, [1.0]])
        words.append(
            f"{np.sum(final < experiment.SOLVED)} of 25 rates at ρ = {own.reset_gradient:g}"
        )
    text = (
        f"The neuron learns at {words[0]} and at {words[1]}. At η = {rates[i]:.2g} it ends at "
        f"{ends[0][i]:.0%} and {ends[1][i]:.0%} of its first loss."
    )
    return [[*curves, []], [*ends, [rates[i]]], *neurons], text


toy_live = Explorer(
    "One neuron learns a spike train, computed now",
    "Which setting makes the two curves part, and which makes them meet?",
    {
        "lr": Control("learning rate η", np.logspace(-3, 1, 25), 10, label="{:.2g}".format),
        "optimizer": _choice("optimiser", ("adam", "sgd")),
        "reset": _choice("reset", (*RESETS, "none")),
        "surrogate": _choice("surrogate", tuple(FAMILIES)),
    },
    [
        Panel(
            "Loss during training", "update", "L",
            (*METHODS, Series("", "faint", "vline")), (0, 100), (0.001, 100), ylog=True,
        ),
        Panel(
            "Final over initial loss", "learning rate η", "",
            (*METHODS, Series("this η", "faint", "vline")),
            (1e-3, 10), (0.001, 10), xlog=True, ylog=True, x=np.logspace(-3, 1, 25),
        ),
        *(Panel(
            f"Membrane and spikes, {name}", "time step t", "u / θ",
            (Series("membrane", role), Series("target", "truth", "raster"),
             Series("spikes", "reset", "raster"), Series("threshold", "faint", "hline")),
            (0, 101), (-1, 2.5),
        ) for name, role in (("ρ as set", "complete"), ("term dropped", "dropped"))),
    ],
    toy_live_frame,
)  # fmt: skip


def memory_frame(steps, reset):
    """Chapter 6: what the backward pass keeps, measured for 1,000 neurons."""
    from tsbp_core.experiments import overhead

    kept = {
        name: overhead.saved_bytes(function, steps, LIF(reset=reset))
        for name, function in overhead.FORMULATIONS.items()
    }
    per_step = [kept[name] / (1000 * steps) for name in ("ours", "plain autograd")]
    text = (
        f"For {steps} steps of 1,000 neurons in float32, ours keeps {kept['ours'] / 1e3:.0f} kB, "
        f"plain autograd {kept['plain autograd'] / 1e3:.0f} kB: {per_step[0]:.1f} against "
        f"{per_step[1]:.1f} bytes a neuron and step."
    )
    return [[([steps], [value]) for value in per_step]], text


memory = Explorer(
    "What is kept for the backward pass",
    "How many bytes does each formulation keep for one neuron and step?",
    {
        "steps": Control("time steps T", (1, 2, 5, 10, 20, 50, 100), 3),
        "reset": _choice("reset", RESETS),
    },
    [
        Panel(
            "Kept for backward", "time steps T", "bytes a neuron and step",
            (Series("ours", "complete", "dots"),
             Series("plain autograd", "truth", "dots")),
            (1, 100), (0, 16), xlog=True,
        )
    ],
    memory_frame,
)  # fmt: skip


def cifar10():
    """Chapter 7: spikes of two trained networks shown a test image, from their results file."""
    made = results.load("cifar10-spikes")
    shown, counts = made["results"], made["settings"]["channels"]
    classes, names = datasets.CLASSES, made["settings"]["classes"]
    steps = len(shown["1"]["evidence"][0])
    layers = [f"{i + 1}" for i in range(len(counts))]

    def places(fired, side, count):
        """Where spikes are drawn: channels in rows with gaps, twice as wide as high."""
        across = round((2 * count) ** 0.5)
        channel, row, column = np.unravel_index(np.array(fired, int), (count, side, side))
        x = (channel % across) * (side + 1) + column + 1
        y = (channel // across) * (side + 1) + row + 1
        unit = 2 / (across * (side + 1) + 1)
        return x * unit, 1 - y * unit

    def frame(step, layer, image):
        i, k = names.index(image), layers.index(layer)
        side, count = shown["sides"][k], counts[k]
        panels, words = [], []
        for rho, name in (("1", "with the term"), ("0", "without")):
            fired = shown[rho]["spikes"][i][k][step - 1]
            answer = classes[int(np.argmax(shown[rho]["evidence"][i][step - 1]))]
            panels.append([places(fired, side, count)])
            words.append(f"{name}, {len(fired)} of {count * side**2} fire, answer {answer}")
        evidence = [shown[rho]["evidence"][i][step - 1] for rho in ("1", "0")]
        x = np.arange(10.0)
        panels.append([(x - 0.1, evidence[0]), (x + 0.1, evidence[1]), [classes.index(image)]])
        return panels, f"Step {step}, layer {layer}, {image}: {'; '.join(words)}."

    evidence = [v for rho in ("1", "0") for e in shown[rho]["evidence"] for r in e for v in r]
    return Explorer(
        "An image becomes spikes",
        "After how many steps does the right class (vertical line) lead? Do the two networks, "
        "which began with the same weights, still fire in the same places?",
        {
            "step": Control("time step t", tuple(range(1, steps + 1)), steps - 1, play=True),
            "layer": _choice("layer", layers),
            "image": _choice("image", names, names.index("ship")),
        },
        [
            *(Panel(
                f"Spikes, {name}", "channels side by side", "", (Series("spike", role, "dots"),),
                (0, 2), (0, 1),
            ) for name, role in (("trained with the term", "complete"), ("without", "dropped"))),
            Panel(
                "Evidence so far", f"class, 0 {classes[0]} to 9 {classes[9]}", "logit",
                (Series("with the term", "complete", "dots"), Series("without", "dropped", "dots"),
                 Series("right class", "faint", "vline")),
                (-0.5, 9.5), (min(evidence) - 0.3, max(evidence) + 0.3),
            ),
        ],
        frame,
    )  # fmt: skip


def truth():
    """Chapter 9: how near the mean surrogate gradient is to the exact one, against rho."""
    from tsbp_core.experiments import escape

    study = results.load("escape")
    exact, widths = study["results"]["exact"], study["settings"]["widths"]
    rhos = [float(rho) for rho in next(iter(exact.values()))["by_rho"]]

    def frame(noise, surrogate, loss, reset):
        found = exact[escape.condition(reset, loss, noise=noise, surrogate=surrogate)]
        drawn = []
        for key in ("error", "cosine", "length"):
            middle, *quartiles = (
                [by[key][i] for by in found["by_rho"].values()] for i in (2, 1, 3)
            )
            drawn.append([middle, *quartiles, *([[1.0]] * (key != "error"))])
        (without, *_, with_term), *_ = (rows[0] for rows in drawn)
        share, low, high = found["nearer"]
        text = (
            f"Noise {noise:g}, surrogate {surrogate:g}: the median error is {without:.2f} without "
            f"the term and {with_term:.2f} with it. The complete gradient is nearer for "
            f"{share:.0%} of neurons, 95 % interval [{low:.0%}, {high:.0%}]."
        )
        return drawn, text

    curves = (
        Series("median neuron", "complete"),
        Series("quartiles", "faint"),
        Series("", "faint"),
    )
    right = Series("the truth", "truth", "hline")
    at = widths.index(escape.WIDTH)
    return Explorer(
        "From detached to complete",
        "At which noise does the complete gradient stop being better? Does a wider surrogate help?",
        {
            "noise": Control("width of the noise", widths, at),
            "surrogate": Control("width of the surrogate", widths, at),
            "loss": _choice("loss", escape.LOSSES),
            "reset": _choice("reset", RESETS),
        },
        [
            Panel("Relative error", "ρ", "error", curves, (0, 1), (0, 2.5), x=rhos),
            Panel("Direction", "ρ", "cosine", (*curves, right), (0, 1), (0, 1.1), x=rhos),
            Panel(
                "Length over the true one", "ρ", "ratio", (*curves, right), (0, 1), (0, 3), x=rhos
            ),
        ],
        frame,
    )


def frameworks_frame(library, reset):
    """Chapter 11: the credit of one neuron with and without the term, by default surrogate."""
    from tsbp_core.experiments.frameworks import SURROGATES

    surrogate = SURROGATES[library]
    x = 0.8 * np.random.default_rng(1).random(24)
    g = np.random.default_rng(3).normal(size=24)
    lif = LIF(0.8, 1.0, reset, surrogate)
    run = numpy_lif.forward(x, lif)
    kept, dropped = (
        numpy_lif.backward(g, run, replace(lif, reset_gradient=rho)) for rho in (1.0, 0.0)
    )
    size, apart = np.linalg.norm(kept), np.linalg.norm(kept - dropped)
    text = (
        f"{library}: the default surrogate has peak {surrogate.derivative(np.array(0.0)):.3g}. "
        f"Dropping the term changes this neuron's gradient by {apart / size:.0%} of its length."
    )
    z = np.linspace(-1.5, 1.5, 121)
    return [[surrogate.derivative(z)], [dropped, kept]], text


def frameworks():
    """Chapter 11, over the libraries."""
    from tsbp_core.experiments.frameworks import SURROGATES

    return Explorer(
        "One neuron under five default surrogates",
        "Under which library's surrogate does it hardly matter whether the term is kept?",
        {
            "library": Control("library", list(SURROGATES), 1, label=str),
            "reset": _choice("reset", RESETS),
        },
        [
            Panel(
                "Surrogate derivative", "z = u − θ", "h", (Series("h", "truth"),),
                (-1.5, 1.5), (0, 2.1), x=np.linspace(-1.5, 1.5, 121),
            ),
            Panel(
                "Credit of each time step", "time step t", "δ[t]", METHODS[::-1],
                (1, 24), (-7, 7), x=np.arange(1, 25),
            ),
        ],
        frameworks_frame,
    )  # fmt: skip


def growth_frame(slope, unit, reset):
    """Chapter 10: J over the membrane, and how much credit of step 50 arrives at each step."""
    from tsbp_core.experiments import growth as experiment

    x, _ = experiment.draw(50, 1000)
    u = np.linspace(-1, 2.5, 176)
    curves, sizes, words = [], [], ""
    for rho in experiment.RHOS:
        lif = experiment.make_neuron(reset, unit, slope, rho)
        curves.append(experiment.jacobian_at(u, lif))
        run = numpy_lif.forward(x, lif)
        size = np.abs(experiment.reach(experiment.jacobian(run, lif)))
        sizes.append(np.sqrt((size**2).mean(axis=1)))
        if rho:
            typical = np.median(size, axis=1)
            steps = experiment.describe_steps(run, lif)
            words = (
                f"h is {lif.surrogate.scale:.3g} high. |J| is above 1 at {steps['above']:.0%} of "
                f"the steps and J negative at {steps['negative']:.0%}. A step multiplies the root "
                f"mean square by {np.exp(steps['square']):.2f}"
            )
    text = f"{words}; with the term dropped, by {sizes[1][-2]:.2f}."
    return [[*curves, [-1, 1]], [*sizes, typical, [1.0]]], text


growth = Explorer(
    "Credit on its way back",
    "With area 1, at which slope does the blue curve on the right turn round, and grow on its way "
    "back (from right to left)? Can you make it grow with peak 1?",
    {
        "slope": Control("slope", (1, 2, 4, 6, 8, 10, 14, 20, 25, 35, 50, 70, 100), 5),
        "unit": _choice("unit", ("area", "peak")),
        "reset": _choice("reset", ("subtract", "zero")),
    },
    [
        Panel(
            "One step: J over the membrane (θ = 1)", "membrane u", "J",
            (*METHODS, Series("±1", "faint", "hline")), (-1, 2.5), (-6, 2),
            x=np.linspace(-1, 2.5, 176),
        ),
        Panel(
            "Share of credit of step 50 that arrives", "time step t", "size of the product of J",
            (Series("root mean square, ρ = 1", "complete"), Series("ρ = 0", "dropped"),
             Series("median neuron, ρ = 1", "truth"), Series("1", "faint", "hline")),
            (1, 50), (1e-4, 1e4), ylog=True, x=np.arange(1, 51),
        ),
    ],
    growth_frame,
)  # fmt: skip


def cost(name="overhead"):
    """Chapter 8: time an element against the number of steps, ours against any other layer."""
    from tsbp_core.experiments import overhead

    records = results.load(name)["results"]["sweep"]
    others = [n for n in overhead.medians(records[0]) if n != "fused"]

    def frame(steps, layer, threads):
        rows = [overhead.pick(records, steps=T, threads=threads) for T in overhead.SWEEP]
        ours = [overhead.medians(row)["fused"] for row in rows]
        other = [overhead.medians(row)[layer] for row in rows]
        floor = [overhead.floor(row) for row in rows]
        at = overhead.SWEEP.index(steps)
        text = (
            f"{steps} steps, {threads} thread{'s' * (threads > 1)}: fused {ours[at]:.1f} ns a "
            f"neuron and step, {layer} {other[at]:.1f}, {other[at] / ours[at]:.2g} times as long; "
            f"three copies take {floor[at]:.1f}."
        )
        return [[ours, other, floor, [steps]]], text

    return Explorer(
        "Time of a layer of 64 x 512 neurons",
        "Which layers get slower, for each step, as the sequence gets longer?",
        {
            "steps": Control("time steps T", overhead.SWEEP, 3),
            "layer": Control("compared with", others, others.index("SpikingJelly"), label=str),
            "threads": _choice("threads", (1, 2)),
        },
        [
            Panel(
                "Forward and backward", "time steps T", "ns a neuron and step",
                (Series("fused, ρ = 1", "complete"), Series("the other layer", "truth"),
                 Series("memory floor", "faint"), Series("this T", "faint", "vline")),
                (overhead.SWEEP[0], overhead.SWEEP[-1]), (0.1, 1000),
                xlog=True, ylog=True, x=overhead.SWEEP,
            )
        ],
        frame,
    )  # fmt: skip


def cost_frame(steps, neurons, reset):
    """Chapter 8, live: a layer of this size, timed on this machine."""
    import torch

    from tsbp_core import torch_lif
    from tsbp_core.experiments import overhead

    lifs = [replace(overhead.NEURON, reset=reset, reset_gradient=rho) for rho in (1.0, 0.0)]
    functions = {
        (backend, i): lambda x, lif=lif, backend=backend: torch_lif.lif(x, lif, backend)
        for backend in ("compiled", "eager")
        for i, lif in enumerate(lifs)
    }
    taken = overhead.times(functions, torch.rand(steps, neurons), rounds=7)
    scale = 1e9 / (steps * neurons)
    ns = {name: scale * np.median(pairs.sum(axis=1)) for name, pairs in taken.items()}
    text = (
        f"On this machine, {steps} steps of {neurons:,} neurons: fused "
        f"{ns['compiled', 0]:.2f} ns with the term and {ns['compiled', 1]:.2f} without, eager "
        f"{ns['eager', 0]:.2f} and {ns['eager', 1]:.2f}."
    )
    return [[([1, 2], [ns[b, i] for b in ("compiled", "eager")]) for i in (0, 1)]], text


cost_here = Explorer(
    "What the term costs on this machine",
    "Where does the term cost more: in fused or in eager code?",
    {
        "steps": Control("time steps T", (4, 16, 64), 1),
        "neurons": Control("neurons", (1000, 10_000, 100_000), 1),
        "reset": _choice("reset", RESETS),
    },
    [
        Panel(
            "Forward and backward: fused (1), eager (2)", "", "ns a neuron and step",
            (Series("complete, ρ = 1", "complete", "dots"),
             Series("term dropped, ρ = 0", "dropped", "dots")),
            (0, 3), (0.1, 1000), ylog=True,
        )
    ],
    cost_frame,
)  # fmt: skip


@functools.cache
def _recipe(width):
    """The recipe's network with ``width`` channels in layer 1: its weights, ``forward_flop``."""
    import torch

    from tsbp_core.experiments import cifar10, cifar10_study

    network = re.sub(
        r"(\d+)C", lambda found: f"{int(found[1]) * width // 64}C", cifar10_study.HEADLINE.network
    )
    with torch.device("meta"):  # shapes alone
        net = cifar10.SpikingNet(network, 1, cifar10_study.HEADLINE.neuron())
    return sum(conv.weight.numel() for conv in net.convs), cifar10.forward_flop(net)


def budget_frame(width, steps, epochs, speed):
    """Chapter 12: operations and time of a run of the recipe's network, by arithmetic."""
    weights, (first, *others) = _recipe(width)
    layers = np.array([2 * first, *(3 * steps * flop for flop in others)]) / 1e9
    passes = np.geomspace(1, 150, 20)
    minutes = 50_000 * layers.sum() / speed / 60
    took = epochs * minutes
    text = (
        f"{weights / 1e6:.2g} million weights, {layers.sum():.3g} GFLOP an image. {epochs} epochs "
        f"are {epochs * 0.05 * layers.sum():.3g} PFLOP. At {speed:,} GFLOP a second they take "
        + (f"{took:.0f} minutes." if took < 120 else f"{took / 60:,.0f} hours.")
    )
    time = passes * minutes, [120], ([epochs], [took])
    return [time, [(np.arange(1, len(layers) + 1), layers)]], text


budget = Explorer(
    "Will it fit?",
    "You have two hours. Which widths, steps and epochs fit, at the speed of your machine? And "
    "where in the network are the operations?",
    {
        "width": Control("channels of layer 1", (16, 32, 64, 128), 2),
        "steps": Control("time steps T", (1, 2, 4, 8), 1),
        "epochs": Control("epochs", (4, 12, 50, 150), 1),
        "speed": Control("GFLOP a second", (50, 150, 700, 50_000), 2, label="{:,}".format),
    },
    [
        Panel(
            "Time of a run", "epochs", "minutes",
            (Series("this network", "truth"), Series("two hours", "faint", "hline"),
             Series("your epochs", "reset", "dots")),
            (1, 150), (0.01, 1e5), xlog=True, ylog=True, x=np.geomspace(1, 150, 20),
        ),
        Panel(
            "Where the operations are", "layer", "GFLOP an image",
            (Series("training, all steps", "truth", "dots"),), (0.5, 6.5), (1e-4, 20), ylog=True,
        ),
    ],
    budget_frame,
)  # fmt: skip


def advice_frame(family, width, unit, decay):
    """Chapter 13: a surrogate against the heights at which a step can amplify."""
    from tsbp_core.experiments import growth as experiment

    family = getattr(surrogates, family)
    surrogate = family(1 / width if family is surrogates.FastSigmoid else width, unit=unit)
    z = np.linspace(-1.5, 1.5, 61)
    peak = float(surrogate.derivative(np.array(0.0)))
    lifs = [LIF(decay, 1.0, reset, surrogate) for reset in ("subtract", "zero")]
    soft, hard = (experiment.growth_bound(lif) for lif in lifs)
    jacobians = [experiment.jacobian_at(z + 1, lif) for lif in lifs]
    can = ["can" if np.abs(J).max() > 1 else "cannot" for J in jacobians]
    text = (
        f"Peak {peak:.3g}; bounds {soft:.2f} (soft reset) and {hard:.2f} (hard). At the membranes "
        f"drawn, a step of the soft reset {can[0]} amplify, one of the hard reset {can[1]}."
    )
    return [[surrogate.derivative(z), [soft], [hard]], [*jacobians, [-1, 1]]], text


advice = Explorer(
    "Is your surrogate tall?",
    "Set your neuron: λ, θ = 1, and its surrogate. Can a step make credit larger, and how far is "
    "the peak from 5, from which on we saw harm?",
    {
        "family": _choice("family", [family.__name__ for family in surrogates.FAMILIES]),
        "width": Control("width", (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), 2),
        "unit": _choice("unit", ("area", "peak")),
        "decay": Control("decay λ", (0.5, 0.8, 0.9, 0.95), 2),
    },
    [
        Panel(
            "Surrogate derivative", "z = u − θ", "h",
            (Series("h", "truth"), Series("bound, soft reset", "reset", "hline"),
             Series("bound, hard reset", "faint", "hline")),
            (-1.5, 1.5), (0, 6), x=np.linspace(-1.5, 1.5, 61),
        ),
        Panel(
            "Factor of a step", "z = u − θ", "J",
            (Series("soft reset", "complete"), Series("hard reset", "truth"),
             Series("±1", "faint", "hline")),
            (-1.5, 1.5), (-4, 1.5), x=np.linspace(-1.5, 1.5, 61),
        ),
    ],
    advice_frame,
)  # fmt: skip
