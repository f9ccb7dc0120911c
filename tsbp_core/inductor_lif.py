"""Blocks of steps by kernels that torch's compiler makes: on a CPU it writes C++.

The numbers of a neuron and of its surrogate are inputs of a kernel, which serves all their values.
Fixed in it is what shapes the code: the reset, the family of surrogates, whether rho is 0.
"""

import copy
import dataclasses
import functools

import torch

from tsbp_core.compiler import CannotCompile, Kernels, compiled, warn_once


def runner(steps, lif, smooth, x, fall_back):
    """``steps(*arguments, lif, smooth)`` by kernels, each compiled when it is first needed.

    Arguments are tensors and tuples of tensors, the first of them with a block's steps as its
    first axis; ``x`` gives dtype and device. Where compiling fails, the steps run eagerly, with a
    warning, if ``fall_back``; else CannotCompile is raised.
    """
    inputs, fixed = _parts(lif, smooth)
    values = _tensors(tuple(inputs.values()), torch.promote_types(x.dtype, torch.float32), x.device)
    kernels = _kernels(steps, fixed, smooth, x.dtype, x.device, torch.get_num_threads())

    def function(values, *arguments):
        twin = _with(lif, dict(zip(inputs, values, strict=True)))
        return steps(*arguments, lif=twin, smooth=smooth)

    def run(*arguments):
        tensors, size = [*values], (len(arguments[0]),)
        for argument in arguments:
            several = isinstance(argument, tuple)
            tensors += argument if several else (argument,)
            size += (len(argument),) if several else ()
        try:
            kernel = kernels.get(size) or kernels.make(
                size, lambda: compiled(function, (values, *arguments)), believe=fall_back
            )
        except CannotCompile as failure:
            if not fall_back:
                raise
            warn_once(str(failure))
            return steps(*arguments, lif=lif, smooth=smooth)
        return kernel(tensors)

    return run


@functools.cache
def _kernels(*key):
    """Kernels for one kind of neuron and of input, by the lengths of their arguments."""
    return Kernels()


@functools.lru_cache
def _tensors(values, dtype, device):
    return tuple(torch.tensor(value, dtype=dtype, device=device) for value in values)


def _parts(lif, smooth):
    """What a kernel takes as inputs, {(whose, name): number}, and what is fixed in it."""
    family, attributes = type(lif.surrogate), _fields(lif.surrogate)
    parts = {("neuron", name): value for name, value in _fields(lif) if name != "surrogate"}
    parts |= {("surrogate", name): value for name, value in attributes}
    fixed = {("neuron", "reset_gradient")} if lif.reset_gradient == 0.0 else set()
    if not _takes_tensors(family, attributes, smooth):
        fixed |= {("surrogate", name) for name, _ in attributes}
    fixed |= {key for key, value in parts.items() if not _is_number(value)}
    inputs = {key: value for key, value in parts.items() if key not in fixed}
    return inputs, (family, *(item for item in parts.items() if item[0] in fixed))


def _fields(record):
    return tuple((field.name, getattr(record, field.name)) for field in dataclasses.fields(record))


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@functools.lru_cache
def _takes_tensors(family, attributes, smooth):
    """Whether a surrogate's formulas do with tensors in place of its numbers, values unseen."""
    z = torch.empty((), device="meta")
    surrogate = object.__new__(family)
    for name, value in attributes:
        object.__setattr__(surrogate, name, z if _is_number(value) else value)
    try:
        surrogate.derivative(z)
        if smooth:
            surrogate.primitive(z)
    except Exception:  # whatever a formula raises
        return False
    return True


def _with(lif, numbers):
    """A copy of ``lif`` with ``numbers``, {(whose, name): tensor}, in place of its own."""
    twin = {"neuron": copy.copy(lif), "surrogate": copy.copy(lif.surrogate)}
    for (whose, name), value in numbers.items():
        value = _Rho(value) if name == "reset_gradient" else value
        object.__setattr__(twin[whose], name, value)
    object.__setattr__(twin["neuron"], "surrogate", twin["surrogate"])
    return twin["neuron"]


class _Rho:
    """rho as an input: a factor that counts as ``!= 0.0``, its value unseen."""

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        return self.value * other
