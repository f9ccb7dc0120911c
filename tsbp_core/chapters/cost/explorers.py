"""The explorers of chapters 6 and 8."""

import functools
from dataclasses import replace

import numpy as np
import torch

from tsbp_core import LIF, torch_lif
from tsbp_core.chapters.cost import measures, outcomes
from tsbp_core.chapters.cost.plan import SWEEP
from tsbp_core.lab import results
from tsbp_core.page.explorer import Control, Explorer, Panel, Series, choice, reset_choice

LENGTHS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)


@functools.cache
def _kept(name, steps, reset):
    """Bytes that a formulation keeps of 1,000 neurons for the backward pass, measured."""
    return measures.saved_bytes(measures.FORMULATIONS[name], steps, LIF(reset=reset))


def kept_bytes_frame(steps, reset):
    """Chapter 6: what the backward pass keeps, measured for 1,000 neurons."""
    names = ("ours", "plain autograd")
    kept = {name: _kept(name, steps, reset) for name in names}
    curves = [[_kept(name, T, reset) / (1000 * T) for T in LENGTHS] for name in names]
    per_step = [kept[name] / (1000 * steps) for name in names]
    text = (
        f"For {steps} steps of 1,000 neurons in float32, ours keeps {kept['ours'] / 1e3:.0f} kB, "
        f"plain autograd {kept['plain autograd'] / 1e3:.0f} kB: {per_step[0]:.1f} against "
        f"{per_step[1]:.1f} bytes a neuron and step."
    )
    return [[*curves, *(([steps], [value]) for value in per_step)]], text


def kept_bytes():
    """Chapter 6: what is kept for the backward pass."""
    return Explorer(
        "What is kept for the backward pass",
        "How many bytes does each formulation keep for one neuron and step?",
        {
            "steps": Control("time steps T", LENGTHS, 5),
            "reset": reset_choice(),
        },
        [
            Panel(
                "Kept for backward",
                "time steps T",
                "bytes a neuron and step",
                (
                    Series("ours", "complete"),
                    Series("plain autograd", "truth"),
                    Series("", "complete", "dots"),
                    Series("", "truth", "dots"),
                ),
                (1, 200),
                (0, 16),
                xlog=True,
                x=LENGTHS,
            )
        ],
        kept_bytes_frame,
    )


def layer_time():
    """Chapter 8: time an element against the number of steps, ours against any other layer."""
    records = results.load("overhead")["results"]["sweep"]
    others = [n for n in outcomes.medians(records[0]) if n != "fused"]

    def frame(steps, layer, threads):
        rows = [outcomes.pick(records, steps=T, threads=threads) for T in SWEEP]
        ours = [outcomes.medians(row)["fused"] for row in rows]
        other = [outcomes.medians(row)[layer] for row in rows]
        floor = [outcomes.floor(row) for row in rows]
        at = SWEEP.index(steps)
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
            "steps": Control("time steps T", SWEEP, 3),
            "layer": choice("compared with", others, others.index("SpikingJelly")),
            "threads": choice("threads", (1, 2)),
        },
        [
            Panel(
                "Forward and backward",
                "time steps T",
                "ns a neuron and step",
                (
                    Series("fused, ρ = 1", "complete"),
                    Series("the other layer", "truth"),
                    Series("memory floor", "faint"),
                    Series("this T", "faint", "vline"),
                ),
                (SWEEP[0], SWEEP[-1]),
                (0.1, 1000),
                xlog=True,
                ylog=True,
                x=SWEEP,
            )
        ],
        frame,
    )


def layer_time_here_frame(steps, neurons, reset):
    """Chapter 8, live: a layer of this size, timed on this machine."""
    lifs = [replace(measures.NEURON, reset=reset, reset_gradient=rho) for rho in (1.0, 0.0)]
    functions = {
        (backend, i): lambda x, lif=lif, backend=backend: torch_lif.lif(x, lif, backend)
        for backend in ("compiled", "eager")
        for i, lif in enumerate(lifs)
    }
    taken = measures.times(functions, torch.rand(steps, neurons), rounds=5)
    scale = 1e9 / (steps * neurons)
    ns = {name: scale * np.median(pairs.sum(axis=1)) for name, pairs in taken.items()}
    text = (
        f"On this machine, {steps} steps of {neurons:,} neurons: fused "
        f"{ns['compiled', 0]:.2f} ns with the term and {ns['compiled', 1]:.2f} without, eager "
        f"{ns['eager', 0]:.2f} and {ns['eager', 1]:.2f}."
    )
    return [[([1, 2], [ns[b, i] for b in ("compiled", "eager")]) for i in (0, 1)]], text


def layer_time_here():
    """Chapter 8, live: what the term costs on this machine."""
    return Explorer(
        "What the term costs on this machine",
        "Where does the term cost more: in fused or in eager code? (A reset's first pictures take "
        "seconds, as kernels are compiled.)",
        {
            "steps": Control("time steps T", (4, 8, 32), 1),
            "neurons": Control("neurons", (100, 1000, 10_000), 2, label="{:,}".format),
            "reset": reset_choice(),
        },
        [
            Panel(
                "Forward and backward: fused (1), eager (2)",
                "",
                "ns a neuron and step",
                (
                    Series("complete, ρ = 1", "complete", "dots"),
                    Series("term dropped, ρ = 0", "dropped", "dots"),
                ),
                (0, 3),
                (0.1, 1000),
                ylog=True,
            )
        ],
        layer_time_here_frame,
    )
