"""The explorers of chapter 5."""

from dataclasses import replace

import numpy as np

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.toy import experiment, outcomes
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.chapters.toy.study import LEVELS, SHOWN_RATES
from tsbp_core.lab import conditions, results
from tsbp_core.page.explorer import METHODS, RESETS, Control, Explorer, Panel, Series, choice


def toy():
    """Chapter 5: both methods at one learning rate, along training, and the share that learn."""
    shown = results.load("toy-explorer")["results"]
    runs = conditions.by_condition(Condition, shown["runs"])
    rates = experiment.LEARNING_RATES
    steps = experiment.Settings().steps
    shares = {key: outcomes.success(result)[0] for key, result in outcomes.load("main").items()}

    def frame(lr, update, optimizer, target, reset):
        i = shown["rates"].index(lr)
        condition = Condition(reset, target, optimizer, 1.0)
        one, other = conditions.pair(runs, condition)
        learn = conditions.pair(shares, condition)
        at = int(np.argmin(np.abs(rates - lr)))
        k = shown["updates"].index(update)
        wanted = np.array(shown["targets"][target])
        panels = [[one["losses"][i], other["losses"][i], [update]], [*learn, [lr]]]
        for run in (one, other):
            fired = np.array(run["spikes"][i][k])
            panels.append([
                np.array(run["membrane"][i][k]) / LEVELS,
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
    usual = Condition("zero", "random", "adam", 1.0)
    gain = np.subtract(*conditions.pair(shares, usual))[::SHOWN_RATES]
    one, other = (np.array(run["final"]) for run in conditions.pair(runs, usual))
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
            "optimizer": choice("optimiser", experiment.OPTIMIZERS),
            "target": choice("target", experiment.TARGETS),
            "reset": choice("reset", RESETS),
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
        "optimizer": choice("optimiser", ("adam", "sgd")),
        "reset": choice("reset", (*RESETS, "none")),
        "surrogate": choice("surrogate", tuple(FAMILIES)),
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
