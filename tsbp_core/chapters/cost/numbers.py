"""The numbers that chapters 6 and 8 cite: texts by name, and rows of their tables."""

import numpy as np

from tsbp_core.chapters.cost import gpu_results, measures, outcomes, plan
from tsbp_core.chapters.cost.outcomes import percent

FUSED_BYTES = 21.6
"""Bytes that a fused step moves, a neuron: 8 + 12 + 8/k for k = 5."""


def record_at(measured, size, allocator="kept"):
    """The record of one thread at one of ``plan.SIZES``."""
    steps, _ = plan.SIZES[size]
    return outcomes.pick(measured["times"], steps=steps, threads=1, allocator=allocator)


def cited(study, card):
    """All that chapter 8 cites, from the results of "overhead" and "gpu"."""
    measured = study["results"]
    return {
        **of_sizes(measured, study["settings"]["libraries"]),
        **of_bytes(),
        **of_prices(measured),
        **of_page_faults(measured),
        **of_the_first_call(measured),
        **of_the_card(card),
    }


def of_sizes(measured, libraries):
    """Fused time over the memory floor, and the fastest other library over the fused time."""
    texts = {}
    for size in plan.SIZES:
        record = record_at(measured, size)
        medians = outcomes.medians(record)
        fastest = min(libraries, key=medians.get)
        texts[f"floor-{size}"] = f"{medians['fused'] / outcomes.floor(record):.1f}"
        texts[f"best-{size}"] = fastest
        texts[f"peer-{size}"] = f"{medians[fastest] / medians['fused']:.1f}"
    return texts


def of_bytes():
    """What the term adds to the bytes that unfused code moves; counted now."""
    texts = {}
    for name in plan.UNFUSED:
        with_term, without = (
            measures.traffic(measures.OURS[key]) for key in (name, f"{name}, rho = 0")
        )
        texts[f"more-{name}"] = f"{(with_term - without) / without:.0%}"
        texts[f"times-{name}"] = f"{with_term / FUSED_BYTES:.1f}"
        texts[f"term-{name}"] = f"{with_term - without:.0f}"
    return texts


def of_prices(measured):
    """The term's price in percent with its interval, and in nanoseconds at each size.

    "price-least", "price-most" and "price-widest" are of layers in unfused code.
    """
    prices = outcomes.prices(measured)
    layers = [f"{name}, {size}" for name in plan.UNFUSED for size in plan.SIZES]
    unfused = {what: prices[what] for what in layers}
    widest = max(unfused, key=lambda what: unfused[what][2] - unfused[what][1])
    texts = {
        "price-least": percent(min(unfused.values())),
        "price-most": percent(max(unfused.values())),
        "price-widest": f"{widest}, {percent(unfused[widest])}",
    }
    for what, price in prices.items():
        texts[f"price-{what}"] = percent(price)
        name, size = what.split(", ")
        if size in plan.SIZES:
            without = outcomes.medians(record_at(measured, size))[f"{name}, rho = 0"]
            texts[f"added-{what}"] = f"{price[0] / 100 * without:.2f}"
    return texts


def of_page_faults(measured):
    """Default allocator: the fused layer over that with all memory kept, and a peer over it."""
    texts = {}
    for size in plan.SIZES:
        kept, default = (
            outcomes.medians(record_at(measured, size, a)) for a in ("kept", "default")
        )
        texts[f"faults-{size}"] = f"{default['fused'] / kept['fused']:.1f}"
        texts[f"plain-{size}"] = f"{default['SpikingJelly'] / default['fused']:.1f}"
    return texts


def of_the_first_call(measured):
    """Seconds of a process's first forward and backward, without and with kernels on disk."""
    cold, warm = (record["value"] for record in measured["first"])
    return {"first-cold": f"{cold:.1f}", "first-warm": f"{warm:.1f}"}


def of_the_card(card):
    """The GPU's prices, small launches and shares of a copy's bandwidth."""
    texts = {}
    for dtype in gpu_results.BYTES:
        for T in (16, 64):
            price = gpu_results.price(card, size="CIFARNet", dtype=dtype, T=T)
            texts[f"gpu-{dtype}-{T}"] = percent(price)
    for name in ("kernel", "plain autograd"):
        texts[f"launch-{name}"] = f"{1e-3 * gpu_results.small(card)[1024][name]:.1f}"
    for record in card["results"]["layers"]:
        if record["size"] == "CIFARNet":
            share = gpu_results.share(record, card)
            texts[f"share-{record['dtype']}-{record['T']}"] = f"{share:.0%}"
    return texts


def bars(record, names):
    """For ``figures.bars``: nanoseconds of the named layers with and without the term; rho."""
    medians = outcomes.medians(record)
    rows, styles = {}, {}
    for name in names:
        for rho, key in ((0.0, f"{name}, rho = 0"), (1.0, name)):
            label = f"{name}, ρ = {rho:g}"
            rows[label], styles[label] = medians[key], rho
    return rows, styles


BLOCK_HEADS = ("steps in a kernel", "ns a neuron and step", "the term adds")


def block_rows(measured):
    """For ``page.table``: the fused layer by the number of steps that one kernel takes."""
    with_term, without = measured["blocks"][0]["value"].values()
    for block, samples in with_term.items():
        price = outcomes.price(samples, without[block])
        yield block, f"{np.median(samples):.2f}", percent(price)


LAYER_HEADS = (
    "layer",
    *(f"{size}: {what}" for size in plan.SIZES for what in ("ns", "times the floor")),
)


def layer_rows(measured):
    """For ``page.table``: all layers at both sizes, in ns a neuron and step and in floors."""
    records = [record_at(measured, size) for size in plan.SIZES]
    for name in outcomes.medians(records[0]):
        row = []
        for record in records:
            ns = outcomes.medians(record)[name]
            row += [f"{ns:.2f}", f"{ns / outcomes.floor(record):.1f}"]
        yield name, *row


TRAINING_HEADS = ("layer", "ms a step", "times the fused layer's")


def training_rows(measured):
    """For ``page.table``: a training step by the layer in it, two threads."""
    training = outcomes.pick(measured["training"], threads=2)["value"]
    ms = {name: 1e3 * np.median(s) for name, s in training.items() if "rho" not in name}
    for name, value in ms.items():
        yield name, f"{value:.1f}", f"{value / ms['fused']:.2f}"


PEAK_HEADS = ("layer", *plan.SIZES)


def peak_rows(measured):
    """For ``page.table``: bytes a neuron and step at the peak, by layer, in the order of sizes."""
    for name in dict.fromkeys(record["name"] for record in measured["peak"]):
        yield name, *(f"{r['value']:.1f}" for r in measured["peak"] if r["name"] == name)


FAULT_HEADS = ("size", "layer", "ns, default allocator", "times that with memory kept")


def fault_rows(measured):
    """For ``page.table``: two layers with the default allocator."""
    for size in plan.SIZES:
        kept, default = (
            outcomes.medians(record_at(measured, size, a)) for a in ("kept", "default")
        )
        for name in ("fused", "SpikingJelly"):
            yield size, name, f"{default[name]:.2f}", f"{default[name] / kept[name]:.1f}"
