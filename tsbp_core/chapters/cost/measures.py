"""What is measured of a layer: time, memory, first call.

Within a process the formulations take turns, every other round in reverse order, so that whatever
else the machine does hits all alike.
"""

import json
import math
import sys
import time
from dataclasses import replace

import numpy as np
import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from tsbp_core import LIF, block_lif, surrogates, torch_lif
from tsbp_core.chapters.cifar10.network import SpikingNet
from tsbp_core.chapters.cost import peers
from tsbp_core.chapters.cost.plan import PAIR

NEURON = LIF(decay=0.8, threshold=1.0, reset="zero", surrogate=surrogates.Arctan(1 / math.pi))
"""The surrogate is the ATan of SpikingJelly and snnTorch: width 1/pi, peak 1."""
DETACHED = replace(NEURON, reset_gradient=0.0)
OURS = {
    "fused": lambda x: torch_lif.lif(x, NEURON, "compiled"),
    "fused, rho = 0": lambda x: torch_lif.lif(x, DETACHED, "compiled"),
    "eager": lambda x: torch_lif.lif(x, NEURON, "eager"),
    "eager, rho = 0": lambda x: torch_lif.lif(x, DETACHED, "eager"),
    "plain autograd": lambda x: torch_lif.autograd_lif(x, NEURON),
    "plain autograd, rho = 0": lambda x: torch_lif.autograd_lif(x, DETACHED),
}
NETWORK = "24C3-P2-48C3-P2-96C3-P2"
"""Of which a whole training step is timed."""
FORMULATIONS = {
    "ours": lambda x, lif: torch_lif.lif(x, lif, "eager"),
    "plain autograd": torch_lif.autograd_lif,
}


def saved_bytes(function, steps, lif):
    """Bytes of the distinct tensors that autograd keeps of 1,000 neurons for the backward pass."""
    x = torch.rand(steps, 1000, requires_grad=True)
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = function(x, lif)  # keeps the storages alive, so that no address is used twice
    del spikes
    return sum(kept.values())


class _Traffic(TorchDispatchMode):
    """Adds up the bytes that torch operations read and write; views move none."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        if not operation.is_view and operation.overloadpacket not in ALLOCATIONS:
            for tensor in pytree.tree_leaves((args, kwargs, out)):
                if isinstance(tensor, torch.Tensor):
                    self.bytes += tensor.numel() * tensor.element_size()
        return out


ALLOCATIONS = (torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.detach)


def traffic(function):
    """Bytes an element that a formulation reads and writes, counted operation by operation.

    Forward and backward, for float32. Each operation is taken to read its inputs and write its
    outputs once, as it does where arrays are larger than the cache.
    """
    x = torch.rand(100, 1000, requires_grad=True)
    g = torch.ones_like(x)
    with _Traffic() as counter:
        function(x).backward(g)
    return counter.bytes / x.numel()


WARM = 2
"""Rounds before those that count: they compile, and the heap grows to what all layers need."""


def times(functions, x, rounds=5, each_round=None):
    """Seconds of forward and of backward of each function, in turns, after ``WARM`` rounds.

    Parameters
    ----------
    functions : dict of callables
        Each maps the tensor ``x`` to spikes.
    x : Tensor [T, ...]
    rounds : int, default 5
    each_round : callable, optional
        Called once a round, after all functions.

    Returns
    -------
    dict
        By name, an array [rounds, 2] of seconds: forward, backward.
    """
    taken = {name: [] for name in functions}
    g = torch.ones_like(x)
    for i in range(WARM + rounds):
        for name, function in _in_turn(functions, i):
            current = x.detach().requires_grad_()
            start = _now(x)
            spikes = function(current)
            middle = _now(x)
            spikes.backward(g)
            taken[name].append((middle - start, _now(x) - middle))
            del spikes, current
        if each_round:
            each_round()
    return {name: np.array(seconds[WARM:]) for name, seconds in taken.items()}


def _in_turn(items, i):
    """Items by name, every other round backward, so that no one always follows the same other."""
    return list(items.items())[:: 1 if i % 2 == 0 else -1]


def _now(x):
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def layers(names):
    """Our formulations, and those of other libraries, by name."""
    return {name: OURS.get(name) or peers.spiking_layer(name) for name in names}


def measure_times(steps, shape, names, rounds):
    """Nanoseconds an element: forward and backward of the named layers, and of a copy."""
    x = torch.rand(steps, *shape)
    out = torch.empty_like(x)
    copies = []

    def copy():
        start = _now(x)
        out.copy_(x)
        copies.append(_now(x) - start)

    seconds = times(layers(names), x, rounds, each_round=copy)
    scale = 1e9 / x.numel()
    ns = {name: (scale * taken).round(4).tolist() for name, taken in seconds.items()}
    return {"copy": (scale * np.array(copies[WARM:])).round(4).tolist(), "layers": ns}


def measure_term(steps, shape, rounds):
    """Nanoseconds an element of the fused layer with and without the term, nothing else running."""
    pair = layers(PAIR)
    x = torch.rand(steps, *shape)
    scale = 1e9 / x.numel()
    return {
        name: (scale * taken.sum(axis=1)).round(4).tolist()
        for name, taken in times(pair, x, rounds).items()
    }


def measure_blocks(steps, shape, blocks, rounds):
    """Nanoseconds an element, by the number of steps a kernel fuses, with and without the term."""

    def layer(block, name):
        def run(x):
            block_lif.BLOCK = block
            return OURS[name](x)

        return run

    x = torch.rand(steps, *shape)
    functions = {(name, block): layer(block, name) for block in blocks for name in PAIR}
    by_name = {name: {} for name in PAIR}
    for (name, block), taken in times(functions, x, rounds).items():
        by_name[name][block] = (1e9 / x.numel() * taken.sum(axis=1)).round(4).tolist()
    return by_name


def measure_peak(steps, shape, name):
    """Bytes an element at the peak of one forward and backward, beyond input and credit."""
    function = layers([name])[name]
    times({name: function}, torch.rand(steps, 16), 1)  # whatever is loaded or compiled once
    x, g = torch.rand(steps, *shape), torch.ones(steps, *shape)
    x.requires_grad_()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the highest use of memory so far
    before = _status("VmRSS")
    function(x).backward(g)
    return (_status("VmHWM") - before) / x.numel()


def _status(field):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(field))


def measure_first(steps, shape):
    """Seconds of the first forward and backward of the fused layer in a process."""
    x = torch.rand(steps, *shape, requires_grad=True)
    start = time.perf_counter()
    OURS["fused"](x).sum().backward()
    return time.perf_counter() - start


def measure_training(names, rounds, batch=128):
    """Seconds of a whole training step of the CIFAR-10 network, by the neuron put into it."""
    images, labels = torch.rand(batch, 3, 32, 32), torch.randint(10, (batch,))
    images = images.contiguous(memory_format=torch.channels_last)
    taken = {}
    steps = {}
    for name, layer in layers(names).items():
        torch.manual_seed(0)
        net = SpikingNet(NETWORK, 4, NEURON).to(memory_format=torch.channels_last)
        net.lif.forward = layer
        net.first.forward = lambda x, layer=layer: layer(x.expand(4, *x.shape))
        optimizer = torch.optim.AdamW(net.parameters())
        steps[name] = net, optimizer
    for i in range(WARM + rounds):
        for name, (net, optimizer) in _in_turn(steps, i):
            start = time.perf_counter()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images)[0], labels).backward()
            optimizer.step()
            taken.setdefault(name, []).append(round(time.perf_counter() - start, 5))
    return {name: seconds[WARM:] for name, seconds in taken.items()}


MEASURES = {
    "times": measure_times,
    "term": measure_term,
    "blocks": measure_blocks,
    "peak": measure_peak,
    "first": measure_first,
    "training": measure_training,
}


def main(job):
    """Measure what ``study.in_a_process`` asks for, and print it."""
    asked = json.loads(job)
    torch.set_num_threads(asked.pop("threads"))
    print(json.dumps(MEASURES[asked.pop("measure")](**asked)))


if __name__ == "__main__":
    main(sys.argv[1])
