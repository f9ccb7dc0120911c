"""What the backward pass costs: bytes kept and time, our function against plain autograd."""

import statistics
import time

import torch

from tsbp_core import torch_lif

FORMULATIONS = {
    "ours": lambda x, lif: torch_lif.lif(x, lif, "eager"),
    "plain autograd": torch_lif.autograd_lif,
}


def saved_bytes(function, steps, lif, neurons=1000):
    """Bytes of the distinct tensors that autograd keeps for the backward pass, beyond the input."""
    x = torch.rand(steps, neurons, requires_grad=True)
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = function(x, lif)  # keeps the storages alive, so that no address is used twice
    kept.pop(x.untyped_storage().data_ptr(), None)
    del spikes
    return sum(kept.values())


def times(functions, x, repeats=5):
    """Median seconds of forward + backward of each function, in interleaved runs after a first.

    Parameters
    ----------
    functions : dict of callables
        Each maps the tensor ``x`` to spikes.
    x : Tensor [T, ...]
    repeats : int, default 5

    Returns
    -------
    dict
        Median seconds by name.
    """
    taken = {name: [] for name in functions}
    g = torch.ones_like(x)
    for _ in range(repeats + 1):
        for name, function in functions.items():
            current = x.clone().requires_grad_()
            start = time.perf_counter()
            function(current).backward(g)
            if x.is_cuda:
                torch.cuda.synchronize()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
