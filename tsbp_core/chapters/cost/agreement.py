"""Chapter 6's comparison: the same neuron by several programs, their numbers and their times."""

import numpy as np
import torch

from tsbp_core import numpy_lif, torch_lif
from tsbp_core.chapters.cost import interpreted, measures

HEADS = ("program", "same spikes", "largest difference of a gradient, as a share of the largest")


def formulations(lif, device="cpu"):
    """Programs that run here, from currents to spikes, by name; compiled code where it can be."""
    functions = {
        "compiled": lambda x: torch_lif.lif(x, lif, "compiled"),
        "eager": lambda x: torch_lif.lif(x, lif, "eager"),
        "plain autograd": lambda x: torch_lif.autograd_lif(x, lif),
    }
    if torch_lif.why_not_compiled(device):
        del functions["compiled"]
    return functions


def rows(lif, device="cpu", steps=8, neurons=200):
    """Each program against NumPy on the same currents and credits, float64; for ``page.table``.

    The last row is the GPU's kernels in Triton's interpreter, where Triton is installed.
    """
    rng = np.random.default_rng(0)
    x, g = rng.normal(0.4, 0.8, (steps, neurons)), rng.normal(size=(steps, neurons))
    run = numpy_lif.forward(x, lif)
    reference = run.spikes, numpy_lif.backward(g, run, lif)
    pairs = {
        name: spikes_and_gradient(function, x, g, device)
        for name, function in formulations(lif, device).items()
    }
    if kernels := interpreted.run(x, g, lif):
        pairs["GPU's kernels, interpreted"] = kernels
    for name, pair in pairs.items():
        same, error = interpreted.difference(pair, reference)
        yield name, "yes" if same else "no", f"{error:.0e}" if error else "0"


def spikes_and_gradient(function, x, g, device="cpu"):
    """Spikes and dL/dx of a torch program, as arrays; ``x`` and ``g`` [T, n] are arrays."""
    current = torch.tensor(x, device=device, requires_grad=True)
    spikes = function(current)
    spikes.backward(torch.tensor(g, device=device))
    return spikes.detach().cpu().numpy(), current.grad.cpu().numpy()


def relative_times(lif, device="cpu"):
    """Median time of forward and backward of each program over the compiled one's; timed now.

    NaN where nothing can be compiled.
    """
    taken = measures.times(formulations(lif, device), torch.rand(8, 32, 4096, device=device))
    seconds = {name: float(np.median(pair.sum(axis=1))) for name, pair in taken.items()}
    compiled = seconds.get("compiled", np.nan)
    return {name: median / compiled for name, median in seconds.items()}


def cited(lif, card):
    """What chapter 6 cites: texts by name, from ``gpu``'s results and from what autograd keeps."""
    texts = {"card": card["settings"]["card"], "small": f"{torch_lif.SMALL:,}"}
    for dtype, worst in interpreted.on_the_card(card).items():
        texts[f"worst-{dtype}"] = f"{worst:.0e}"
    for name, function in measures.FORMULATIONS.items():
        kept = measures.saved_bytes(function, 100, lif) / (1000 * 100)
        texts[f"bytes-{name}"] = f"{kept:.0f}"
    return texts


def cited_times(lif, device="cpu"):
    """What it cites of ``relative_times``."""
    return {f"ratio-{name}": f"{x:.1f}" for name, x in relative_times(lif, device).items()}
