"""The GPU's kernels on a page: their lines, and what the interpreter makes of them on a CPU."""

import re

import numpy as np
import torch

from tsbp_core import page

try:
    from tsbp_core import triton_lif
except ImportError:  # Triton is made for Linux alone
    triton_lif = None

MISSING = "Triton is not installed here, which is made for Linux: see this page on the web."


def lines(first, before=None):
    """Lines of the backward kernel, from the one that starts with ``first``."""
    if triton_lif is None:
        return MISSING
    return page.excerpt(triton_lif.backward_kernel, first, before)


def run(x, g, lif):
    """Spikes and dL/dx of currents and credits [T, n], by the kernels; None without Triton."""
    if triton_lif is None:
        return None
    with triton_lif.interpreter():
        x, g = torch.from_numpy(x), torch.from_numpy(g)
        s, kept = triton_lif.forward(x, len(g), lif, keep=True)
        return s.numpy(), triton_lif.backward(g, x, kept, lif).numpy()


def difference(pair, other):
    """Whether spikes are equal, and the largest difference of gradients relative to the largest."""
    same = np.array_equal(pair[0], other[0])
    return same, float(np.abs(pair[1] - other[1]).max() / np.abs(other[1]).max())


def on_the_card(document):
    """Of the device tests in ``gpu``'s results: worst difference of gradients by dtype."""
    matches = re.findall(
        r"Triton \(cuda\) against NumPy, (?:torch\.)?(\w+), worst: (\S+)",
        document["results"]["tests"]["output"],
    )
    return {dtype: max(float(w) for d, w in matches if d == dtype) for dtype, _ in matches}
