"""Surrogate derivatives h and their antiderivatives sigma, one small frozen class a family.

The spike ``s = H(z)``, ``z = u - theta``, has no useful derivative. Training puts a bump ``h(z)``
in the place of ``H'(z)``. Each class here gives

- ``derivative(z)``: the surrogate derivative h;
- ``primitive(z)``: sigma, with sigma' = h exactly and sigma(-inf) = 0.

Both take NumPy arrays and torch tensors and keep their shape and dtype. ``unit="peak"`` scales h
to h(0) = 1 and ``unit="area"`` to an integral of 1.

The formulas call ``exp`` and ``clip``, which find the library that fits the array; compiled for a
GPU, the same formulas get that compiler's functions of these names. NaN gives NaN.
"""

import math
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np

from tsbp_core.checks import number


def namespace(z):
    """Return the library whose functions fit ``z``: ``numpy``, or ``torch`` for a tensor."""
    if isinstance(z, (np.ndarray, np.generic, float, int)):
        return np
    import torch

    return torch


def exp(z):
    """The exponential of NumPy or torch, whichever ``z`` is of."""
    return namespace(z).exp(z)


def clip(z, low, high):
    """``z`` held between ``low`` and ``high``, in NumPy or torch."""
    return namespace(z).clip(z, low, high)


def heaviside(z):
    """Spike of a neuron whose membrane is ``z`` above threshold: 1 where z >= 0, else 0.

    ``z - z`` is 0, of the dtype of ``z``; NaN where ``z`` is NaN or infinite, so that it shows.
    """
    return (z >= 0) + (z - z)


_DECLARE = (
    "{0} must be a frozen dataclass whose parameters are fields, with no __init__ of its own, so "
    "that equal surrogates are alike:\n"
    "    @dataclass(frozen=True)\n    class {0}(Surrogate):\n        width: float = 1.0"
)


@dataclass(frozen=True)
class Surrogate:
    """What all families share: the unit, its scale and the check of the parameters.

    A family of one's own is a subclass under ``@dataclass(frozen=True)``. Its parameters are
    positive numbers, declared as fields. It defines ``_h(z)``, of peak 1, in operators, ``abs``,
    and this module's ``exp`` and ``clip`` by these names; for ``primitive`` also ``_sigma(z)``, and
    for ``unit="area"`` also ``peak_area``. Neurons with equal surrogates share compiled kernels,
    and surrogates are equal if class and fields are: hence no ``__init__`` of its own.

    Parameters
    ----------
    unit : {"peak", "area"}, default "peak"
        "peak": h(0) = 1. "area": the integral of h is 1.

    Raises
    ------
    ValueError
        If the unit is unknown, or the width (or slope) is not a positive, finite number.
    TypeError
        If a subclass has its own ``__init__``, or is not a frozen dataclass that compares fields.
    """

    unit: str = field(default="peak", kw_only=True)
    analytic: ClassVar[bool] = False
    """True where sigma is a complex-analytic function, so that the complex step applies."""

    @classmethod
    def with_width(cls, width, unit="peak"):
        """The family's surrogate of a width, whatever its own parameter is."""
        return cls(width, unit=unit)

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        made = "__dataclass_fields__" in vars(cls)  # once more, by dataclass(slots=True)
        if "__init__" in vars(cls) and not made:
            raise TypeError(_DECLARE.format(cls.__name__))

    def __post_init__(self):
        made = vars(type(self)).get("__dataclass_params__")
        if not (made and made.eq):
            raise TypeError(_DECLARE.format(type(self).__name__))
        if self.unit not in ("peak", "area"):
            raise ValueError(f"unit must be 'peak' or 'area', got {self.unit!r}")
        for parameter in fields(self):
            if parameter.name != "unit":
                value = number(parameter.name, getattr(self, parameter.name))
                if not 0.0 < value < math.inf:
                    raise ValueError(f"{parameter.name} must be positive and finite, got {value}")
                object.__setattr__(self, parameter.name, value)

    @property
    def scale(self):
        """Height of h at its peak."""
        return 1.0 if self.unit == "peak" else 1.0 / self.peak_area

    def derivative(self, z):
        """Surrogate derivative h at ``z = u - theta`` (any shape, in units of the membrane)."""
        return self.scale * self._h(z)

    def primitive(self, z):
        """Antiderivative sigma of h at ``z``, with sigma(-inf) = 0."""
        return self.scale * self._sigma(z)


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """h(z) = 4 q (1 - q), q = 1 / (1 + exp(-z/width)): the slope of a logistic curve.

    It is the spike probability's slope under logistic escape noise. TSSL-BP (Zhang & Li, 2020)
    uses width 0.2 with unit "area". Area at peak 1: 4 width.
    """

    width: float = 0.2
    analytic: ClassVar[bool] = True

    @property
    def peak_area(self):
        return 4.0 * self.width

    def _h(self, z):
        tail = exp(-abs(z) / self.width)
        base = 1.0 + tail
        return clip(4.0 * tail / (base * base), 0.0, 1.0)  # near 0, rounding may lift it above 1

    def _sigma(self, z):
        return 2.0 * self.width * (1.0 + namespace(z).tanh(z / (2.0 * self.width)))


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """h(z) = 1 / (1 + slope abs(z))^2, from SuperSpike (Zenke & Ganguli, 2018). Area: 2 / slope."""

    slope: float = 10.0

    @classmethod
    def with_width(cls, width, unit="peak"):
        """The fast sigmoid of slope 1 / width."""
        return cls(1.0 / width, unit=unit)

    @property
    def peak_area(self):
        return 2.0 / self.slope

    def _h(self, z):
        base = 1.0 + self.slope * abs(z)
        return 1.0 / (base * base)

    def _sigma(self, z):
        return 1.0 / self.slope + z / (1.0 + self.slope * abs(z))


@dataclass(frozen=True)
class Triangle(Surrogate):
    """h(z) = max(0, 1 - abs(z)/width), from LSNN (Bellec et al., 2018). Area: width."""

    width: float = 1.0

    @property
    def peak_area(self):
        return self.width

    def _h(self, z):
        return clip(1.0 - abs(z) / self.width, 0.0, 1.0)

    def _sigma(self, z):
        c = clip(z / self.width, -1.0, 1.0)
        return self.width * (0.5 + c - c * abs(c) / 2.0)


@dataclass(frozen=True)
class Rectangle(Surrogate):
    """h(z) = 1 where abs(z) < width/2, else 0, from STBP (Wu et al., 2018). Area: width."""

    width: float = 1.0

    @property
    def peak_area(self):
        return self.width

    def _h(self, z):
        return (abs(z) < self.width / 2.0) + (z - z)  # z - z as in heaviside

    def _sigma(self, z):
        return self.width * clip(z / self.width + 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """h(z) = exp(-z^2 / (2 width^2)), from STBP (Wu et al., 2018). Area: width sqrt(2 pi)."""

    width: float = 0.4
    analytic: ClassVar[bool] = True

    @property
    def peak_area(self):
        return self.width * math.sqrt(2.0 * math.pi)

    def _h(self, z):
        ratio = z / self.width
        return exp(-0.5 * (ratio * ratio))

    def _sigma(self, z):
        xp = namespace(z)
        if xp is np:
            from scipy import special
        else:
            special = xp.special
        return 0.5 * self.peak_area * (1.0 + special.erf(z / (self.width * math.sqrt(2.0))))


@dataclass(frozen=True)
class Arctan(Surrogate):
    """h(z) = 1 / (1 + (z/width)^2), from PLIF (Fang et al., 2021). Area: pi width."""

    width: float = 0.5
    analytic: ClassVar[bool] = True

    @property
    def peak_area(self):
        return math.pi * self.width

    def _h(self, z):
        ratio = z * (1.0 / self.width)
        return 1.0 / (1.0 + ratio * ratio)

    def _sigma(self, z):
        return self.width * (namespace(z).arctan(z / self.width) + math.pi / 2.0)


FAMILIES = (Sigmoid, FastSigmoid, Triangle, Rectangle, Gaussian, Arctan)
