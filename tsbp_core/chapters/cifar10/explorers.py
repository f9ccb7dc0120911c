"""The explorers of chapters 7 and 13."""

import functools
import re

import numpy as np
import torch

from tsbp_core.chapters.cifar10.network import SpikingNet, forward_flop
from tsbp_core.chapters.cifar10.plan import HEADLINE
from tsbp_core.lab import datasets, results
from tsbp_core.page.explorer import Control, Explorer, Panel, Series, choice


def image_spikes():
    """Chapter 7: spikes of two trained networks shown a test image, from their results files."""
    made = results.load("cifar10-spikes")
    shown, names = made["results"], made["settings"]["classes"]
    counts, classes = made["settings"]["channels"], datasets.CLASSES
    steps = len(shown["1"]["evidence"][0])
    evidence = [v for rho in ("1", "0") for e in shown[rho]["evidence"] for r in e for v in r]
    so_far = Panel(
        "Evidence so far",
        f"class, 0 {classes[0]} to 9 {classes[9]}",
        "logit",
        (
            Series("with the term", "complete", "dots"),
            Series("without", "dropped", "dots"),
            Series("right class", "faint", "vline"),
        ),
        (-0.5, 9.5),
        (min(evidence) - 0.3, max(evidence) + 0.3),
        xticks=tuple(range(10)),
        span=5,
    )
    return Explorer(
        "An image becomes spikes",
        "After how many steps does the right class (vertical line) lead? Do the two networks, "
        "which began with the same weights, still fire in the same places?",
        {
            "step": Control("time step t", tuple(range(1, steps + 1)), steps - 1),
            "layer": choice("layer", [f"{i + 1}" for i in range(len(counts))]),
            "image": choice("image", names, names.index("ship")),
        },
        [*_maps(names), so_far],
        functools.partial(_image_frame, shown, counts, names),
        height=180,
    )


def _maps(names):
    """Panels without axes: the images of these classes, and the spikes of both networks."""
    pictures = results.load("cifar10-images")["results"]["png"]
    images = [
        {"source": f"data:image/png;base64,{png}", "alt": f"Image of CIFAR-10's test set: {name}."}
        for name, png in zip(names, pictures, strict=True)
    ]
    bare = {"xlabel": "", "ylabel": "", "xlim": (0, 1), "bare": True}
    image = Panel(
        "Test image", series=[Series("", kind="image")], ylim=(0, 1), span=1, images=images, **bare
    )
    spikes = [
        Panel(
            f"Spikes {name}",
            series=(Series("", "faint", "pixels"), Series("", role, "pixels")),
            ylim=(0, 0.52),
            span=2,
            **bare,
        )
        for name, role in (("with the term", "complete"), ("without", "dropped"))
    ]
    return [image, *spikes]


def _image_frame(shown, counts, names, step, layer, image):
    i, k, classes = names.index(image), int(layer) - 1, datasets.CLASSES
    side, count = shown["sides"][k], counts[k]
    panels, words, evidence = [[[i]]], [], []
    for rho, name in (("1", "with the term"), ("0", "without")):
        fired = shown[rho]["spikes"][i][k][step - 1]
        evidence.append(shown[rho]["evidence"][i][step - 1])
        answer = classes[int(np.argmax(evidence[-1]))]
        panels.append(_map(fired, side, count))
        words.append(f"{name}, {len(fired)} of {count * side**2} fire, answer {answer}")
    x = np.arange(10.0)
    panels.append([(x - 0.1, evidence[0]), (x + 0.1, evidence[1]), [classes.index(image)]])
    return panels, f"Step {step}, layer {layer}, {image}: {'; '.join(words)}."


def _map(fired, side, count):
    """Squares of the channels, and of their spikes; all together are twice as wide as high."""
    across = round((2 * count) ** 0.5)
    columns = across * (side + 1) + 1
    channel, row, column = np.unravel_index(np.array(fired, int), (count, side, side))
    x, y = ((place * (side + 1) + 1) for place in (channel % across, channel // across))
    left, top = (
        (place * (side + 1) + 1)
        for place in np.unravel_index(range(count), (count // across, across))[::-1]
    )
    return [(left, top, [side, columns]), (x + column, y + row, [1, columns])]


@functools.cache
def _recipe(width):
    """The recipe's network with ``width`` channels in layer 1: its weights, ``forward_flop``."""
    network = re.sub(r"(\d+)C", lambda match: f"{int(match[1]) * width // 64}C", HEADLINE.network)
    with torch.device("meta"):  # shapes alone
        net = SpikingNet(network, 1, HEADLINE.neuron())
    return sum(conv.weight.numel() for conv in net.convs), forward_flop(net)


def run_budget_frame(width, steps, epochs, speed):
    """Chapter 13: operations and time of a run of the recipe's network, by arithmetic."""
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


def run_budget():
    """Chapter 13: will it fit?"""
    return Explorer(
        "Will it fit?",
        "You have two hours. Which widths, steps and epochs fit, at the speed of your machine? And "
        "where in the network are the operations?",
        {
            "width": Control("channels, layer 1", (16, 32, 64, 128), 2),
            "steps": Control("time steps T", (1, 2, 4, 8), 1),
            "epochs": Control("epochs", (4, 12, 50, 150), 1),
            "speed": Control("GFLOP a second", (50, 150, 700, 50_000), 2, label="{:,}".format),
        },
        [
            Panel(
                "Time of a run",
                "epochs",
                "minutes",
                (
                    Series("this network", "truth"),
                    Series("two hours", "faint", "hline"),
                    Series("your epochs", "reset", "dots"),
                ),
                (1, 150),
                (0.01, 1e5),
                xlog=True,
                ylog=True,
                x=np.geomspace(1, 150, 20),
            ),
            Panel(
                "Where the operations are",
                "layer",
                "GFLOP an image",
                (Series("training, all steps", "truth", "dots"),),
                (0.5, 6.5),
                (1e-4, 20),
                ylog=True,
            ),
        ],
        run_budget_frame,
    )
