"""The explorers of chapter 5."""

import functools
from dataclasses import replace

import numpy as np

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.toy import experiment, outcomes
from tsbp_core.chapters.toy.plan import Condition
from tsbp_core.chapters.toy.study import LEVELS, SHOWN_RATES
from tsbp_core.lab import conditions, results
from tsbp_core.page.explorer import METHODS, RESETS, Control, Explorer, Panel, Series, choice


def learning():
    """Chapter 5: both methods at one learning rate, along training, and the share that learn."""
    shown = results.load("toy-explorer")["results"]
    runs = conditions.by_condition(Condition, shown["runs"])
    shares = {key: outcomes.success(result)[0] for key, result in outcomes.load("main").items()}
    # Start where both this seed's loss and the share of all seeds differ most.
    usual = Condition("zero", "random", "adam", 1.0)
    gain = np.subtract(*conditions.pair(shares, usual))[::SHOWN_RATES]
    one, other = (np.array(run["final"]) for run in conditions.pair(runs, usual))
    start = int((gain * np.log(other / one)).argmax())
    updates = shown["updates"]
    return Explorer(
        "One neuron learns a spike train",
        "At which learning rate does the dashed curve give up first? Watch its spikes miss the "
        "target's marks while the solid one's still find them.",
        {
            "lr": Control("learning rate η", shown["rates"], start, label="{:.2g}".format),
            "update": Control("training, update", updates, len(updates) - 1, play=True),
            "optimizer": choice("optimiser", experiment.OPTIMIZERS),
            "target": choice("target", experiment.TARGETS),
            "reset": choice("reset", RESETS),
        },
        _learning_panels(updates, shown["loss_updates"]),
        functools.partial(_learning_frame, shown, runs, shares),
    )


def _learning_panels(updates, loss_updates):
    rates, steps = experiment.LEARNING_RATES, experiment.Settings().steps
    this, chosen = Series("shown below", "faint", "vline"), Series("this η", "faint", "vline")
    marks = (
        Series("target", "truth", "raster"),
        Series("spikes", "reset", "raster"),
        Series("threshold θ", "faint", "hline"),
    )
    loss = Panel(
        "Loss during training",
        "update",
        "L",
        (*METHODS, this),
        (0, updates[-1]),
        (0.001, 100),
        ylog=True,
        x=loss_updates,
    )
    share = Panel(
        "Share of all seeds that learn",
        "learning rate η",
        "share",
        (*METHODS, chosen),
        (rates[0], rates[-1]),
        (0, 1),
        xlog=True,
        x=rates,
    )
    membranes = [
        Panel(
            f"Membrane and spikes, {name}",
            "time step t",
            "u",
            (Series("membrane", role), *marks),
            (0, steps + 1),
            (-1, 2.5),
            x=np.arange(1, steps + 1),
        )
        for name, role in (("with the term", "complete"), ("term dropped", "dropped"))
    ]
    return [loss, share, *membranes]


def _learning_frame(shown, runs, shares, lr, update, optimizer, target, reset):
    i, k = shown["rates"].index(lr), shown["updates"].index(update)
    condition = Condition(reset, target, optimizer, 1.0)
    one, other = conditions.pair(runs, condition)
    learn = conditions.pair(shares, condition)
    at = int(np.argmin(np.abs(experiment.LEARNING_RATES - lr)))
    wanted = np.array(shown["targets"][target])
    panels = [[one["losses"][i], other["losses"][i], [update]], [*learn, [lr]]]
    for run in (one, other):
        fired = np.array(run["spikes"][i][k])
        marks = [(wanted, np.full(len(wanted), 2.3)), (fired, np.full(len(fired), 2.0))]
        membrane = np.array(run["membrane"][i][k]) / LEVELS
        panels.append([membrane, *marks, [experiment.NEURON.threshold]])
    text = (
        f"At η = {lr:.2g} the loss ends at {one['final'][i]:.2f} with the term and at "
        f"{other['final'][i]:.2f} without (seed {shown['seed']}). Of all seeds "
        f"{learn[0][at]:.0%} learn with it and {learn[1][at]:.0%} without."
    )
    return panels, text


def learning_live_frame(
    lr, rho, optimizer, reset, surrogate, width, decay, threshold, tau, N, T, seed
):
    """Chapter 5, live: 25 learning rates, 100 updates, at rho and with the term dropped."""
    settings = experiment.Settings(steps=T, inputs=N, tau=tau, updates=100)
    shape = getattr(surrogates, surrogate).with_width(width, unit="area")
    lif = LIF(decay, threshold, reset, shape, float(rho))
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


def learning_live():
    """Chapter 5, live: one neuron, computed now."""
    return Explorer(
        "One neuron learns a spike train, computed now",
        "Which setting makes the two curves part, and which makes them meet?",
        {
            "lr": Control("learning rate η", np.logspace(-3, 1, 25), 10, label="{:.2g}".format),
            "optimizer": choice("optimiser", ("adam", "sgd")),
            "reset": choice("reset", (*RESETS, "none")),
            "surrogate": choice("surrogate", [family.__name__ for family in surrogates.FAMILIES]),
        },
        [
            Panel(
                "Loss during training",
                "update",
                "L",
                (*METHODS, Series("", "faint", "vline")),
                (0, 100),
                (0.001, 100),
                ylog=True,
            ),
            Panel(
                "Final over initial loss",
                "learning rate η",
                "",
                (*METHODS, Series("this η", "faint", "vline")),
                (1e-3, 10),
                (0.001, 10),
                xlog=True,
                ylog=True,
                x=np.logspace(-3, 1, 25),
            ),
            *(
                Panel(
                    f"Membrane and spikes, {name}",
                    "time step t",
                    "u / θ",
                    (
                        Series("membrane", role),
                        Series("target", "truth", "raster"),
                        Series("spikes", "reset", "raster"),
                        Series("threshold", "faint", "hline"),
                    ),
                    (0, 101),
                    (-1, 2.5),
                )
                for name, role in (("ρ as set", "complete"), ("term dropped", "dropped"))
            ),
        ],
        learning_live_frame,
    )
