"""What ``gpu`` measured, read from its results file: bytes by count, shares, the term's price."""

import numpy as np

from tsbp_core.chapters.cost import outcomes
from tsbp_core.chapters.cost.plan import KERNELS

BYTES = {"float32": 4, "bfloat16": 2}
"""Of a number, by dtype; v is float32 in both."""


def bytes_an_element(dtype, T, steps):
    """Bytes that the kernels read and write a neuron and step, forward and backward.

    x twice, g, s and dx; and v, written once and read once, before every ``steps``-th step.
    """
    return 5 * BYTES[dtype] + 8 * np.ceil(T / steps) / T


def medians(record):
    """Median nanoseconds a neuron and step, forward and backward together, by layer."""
    return {name: float(np.median(np.sum(t, axis=1))) for name, t in record["layers"].items()}


def share(record, document):
    """The kernels' bytes a second as a share of a copy's, both in ``document``'s run."""
    copied = np.median(document["results"]["copy"])
    count = bytes_an_element(record["dtype"], record["T"], document["settings"]["steps"])
    return 1e9 * count / medians(record)["kernel"] / copied


def price(document, **settings):
    """What the term adds to the kernels, in percent of the time without: median, 95 % interval."""
    record = outcomes.pick(document["results"]["term"], **settings)
    with_term, without = (np.sum(record["layers"][name], axis=1) for name in KERNELS)
    return outcomes.price(with_term, without)


def rows(document, size):
    """For ``page.table``: dtype, T, milliseconds, share of the bandwidth, others over ours."""
    lines = []
    for record in document["results"]["layers"]:
        if record["size"] != size:
            continue
        ns = medians(record)
        others = [f"{ns[n] / ns['kernel']:.1f}" if n in ns else "" for n in OTHERS]
        lines.append([
            record["dtype"], record["T"], f"{1e-6 * ns['kernel'] * record['elements']:.2f}",
            f"{share(record, document):.0%}", *others,
        ])  # fmt: skip
    return lines


OTHERS = ("SpikingJelly", "plain autograd", "eager")
HEADS = ("dtype", "T", "ms", "share of a copy's bandwidth", *(f"{n}, times ours" for n in OTHERS))
"""Heads of ``rows``."""


def small(document):
    """Median microseconds of forward and backward over 16 steps, by neurons and layer."""
    return {
        record["neurons"]: {n: float(np.median(us)) for n, us in record["microseconds"].items()}
        for record in document["results"]["small"]
    }
