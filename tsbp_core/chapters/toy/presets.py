"""The playground's presets: each shows a finding, and says what 100 seeds of it gave.

The page draws the same seeds as ``experiment.make_task``, so what a reader sees are the first of
those 100.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np

from tsbp_core import LIF, surrogates
from tsbp_core.chapters.toy import experiment as toy
from tsbp_core.chapters.toy import study
from tsbp_core.chapters.toy.plan import CHUNK
from tsbp_core.chapters.toy.unit import Unit
from tsbp_core.lab import results
from tsbp_core.lab.statistics import bootstrap_interval, interval_text

SEEDS, SHOWN = 100, 8
"""Seeds of the study, and how many of them the playground starts with."""


@dataclass(frozen=True)
class Preset:
    """A button of the playground: what it sets, the words before its numbers, where to read on.

    With ``fast`` it shows the first preset at ten times the best learning rate.
    """

    name: str
    words: str
    chapter: str
    lif: LIF = toy.NEURON
    task: toy.Settings = toy.Settings()  # noqa: RUF009, frozen
    fast: bool = False


TALL = "A surrogate too tall"
PRESETS = (
    Preset("Where the term helps", "A leaky neuron learns random spike times.", "05-toy"),
    Preset(
        "Where it does not",
        "Without memory, λ = 0, no credit comes back to the reset. Slide λ up: the curves part.",
        "03-missing-term",
        replace(toy.NEURON, decay=0.0),
    ),
    Preset(
        TALL,
        "With the term and a surrogate 5 high, credit can grow on its way back.",
        "10-growth",
        replace(toy.NEURON, surrogate=surrogates.Sigmoid(0.05, unit="area")),
        toy.Settings(target="teacher"),
    ),
    Preset("Ten times too fast", "The term widens the range, and no more.", "05-toy", fast=True),
)


def units(seeds=SEEDS):
    """Both methods of each preset, at the playground's learning rates, with Adam."""
    return [
        Unit(f"{preset.name}/rho={rho:g}", replace(preset.lif, reset_gradient=rho), preset.task,
             start=i, stop=min(i + CHUNK, seeds))
        for preset in PRESETS if not preset.fast
        for rho in (1.0, 0.0)
        for i in range(0, seeds, CHUNK)
    ]  # fmt: skip


def summarise(outcome):
    """Of a unit's result: ``decades`` at which each seed learns, ``share`` of seeds at each rate.

    Silence does not count: the final loss must be below 20 % of a silent neuron's, too.
    """
    least = np.minimum(outcome["initial"], outcome["silent"])
    final = np.nan_to_num(np.array(outcome["final"], float), nan=np.inf)
    learnt = final < toy.SOLVED * least[:, None]
    return {
        "decades": (learnt.sum(axis=1) / toy.DECADE).tolist(),
        "share": learnt.mean(axis=0).tolist(),
    }


def presets(outcomes=None):
    """What the playground's buttons set and say.

    Parameters
    ----------
    outcomes : dict, optional
        ``summarise`` by unit; default the results file.

    Returns
    -------
    list of dict
        ``name``, ``settings`` as in a link, ``caption``, ``chapter``.
    """
    outcomes = outcomes or results.load("toy-presets")["results"]
    return [_button(preset, outcomes) for preset in PRESETS]


def gain(outcomes, name):
    """Decades that the term adds in a preset: mean over seeds and 95 % bootstrap interval."""
    one, other = (np.array(outcomes[f"{name}/rho={rho}"]["decades"]) for rho in (1, 0))
    return float((one - other).mean()), *map(float, bootstrap_interval(one - other))


def verdict(mean, low, high):
    """A ``gain`` in words."""
    if low == high == 0.0:
        return "No seed gains or loses."
    words = {True: ("gain", low > 0), False: ("loss", high < 0)}
    word, clear = words[mean > 0]
    return f"The {word}, {interval_text(mean, low, high)}, is {'clear' if clear else 'not clear'}."


def _button(preset, outcomes):
    name = PRESETS[0].name if preset.fast else preset.name
    one, other = (outcomes[f"{name}/rho={rho}"] for rho in (1, 0))
    shares = np.array([one["share"], other["share"]])
    seeds, apart = len(one["decades"]), np.abs(shares[0] - shares[1])
    if preset.fast:
        at = int(shares[0].argmax()) + toy.DECADE
        with_term, without = (f"{100 * share:.0f} %" for share in shares[:, at])
        said = (
            f"At η = {toy.LEARNING_RATES[at]:.2g}, ten times the best rate, {with_term} of {seeds} "
            f"seeds learn with the term, {without} without."
        )
    else:
        at = int((apart if apart.any() else shares[0]).argmax())
        said = (
            f"{seeds} seeds learn on {np.mean(one['decades']):.2f} decades of learning rate with "
            f"the term, {np.mean(other['decades']):.2f} without. "
            f"{verdict(*gain(outcomes, name))}"
        )
    return {
        "name": preset.name,
        "settings": _link(preset, toy.LEARNING_RATES[at]),
        "caption": f"{preset.words} {said}",
        "chapter": preset.chapter,
    }


def _link(preset, eta):
    lif, task = preset.lif, preset.task
    settings = {
        "eta": f"{eta:.4g}",
        "decay": lif.decay,
        "threshold": lif.threshold,
        "width": lif.surrogate.width,
        "surrogate": type(lif.surrogate).__name__,
        "unit": lif.surrogate.unit,
        "reset": lif.reset,
        "target": task.target,
        "tau": task.tau,
        "T": task.steps,
        "N": task.inputs,
        "seeds": SHOWN,
    }
    return "&".join(f"{key}={value}" for key, value in settings.items())


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsbp_core.chapters.toy.presets", description=__doc__
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes, -1 for one a core (1)")
    args = parser.parse_args(argv)
    folder = results.checkpoint("toy-presets")
    results.make(
        "toy-presets",
        lambda: {
            name: summarise(outcome)
            for name, outcome in study.run_study(units(), folder, args.jobs).items()
        },
        command="make toy-presets",
        settings={"seeds": SEEDS, "presets": {preset.name: repr(preset) for preset in PRESETS}},
    )


if __name__ == "__main__":
    main()
