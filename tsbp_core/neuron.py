"""The LIF neuron: its parameters, and one time step forward and backward.

The step functions are plain operators on arrays. The NumPy and the torch code both call them, so
what you read here is what runs everywhere, compiled kernels included.
"""

from dataclasses import dataclass, field

from tsbp_core.checks import number
from tsbp_core.surrogates import FastSigmoid, Surrogate

RESETS = ("zero", "subtract", "none")


@dataclass(frozen=True)
class LIF:
    """Parameters of a leaky integrate-and-fire neuron and of its gradient.

    Numbers, NumPy's among them, are kept as Python floats. They are constants: tensors are refused.

    Parameters
    ----------
    decay : float, default 0.8
        lambda, the share of the membrane that survives a time step, in [0, 1].
    threshold : float, default 1.0
        theta > 0. A spike is fired where u >= theta.
    reset : {"zero", "subtract", "none"}, default "zero"
        What a spike does to the membrane: v = u (1 - s), v = u - theta s, or v = u.
    surrogate : Surrogate, default FastSigmoid(slope=10.0)
        Gives h, which stands in for the derivative of the spike.
    reset_gradient : float, default 1.0
        rho in [0, 1]: 1 keeps the gradient through the reset (Yang, 2020), 0 drops it.

    Raises
    ------
    ValueError
        If a field is out of its range; the message names the field and the value.
    """

    decay: float = 0.8
    threshold: float = 1.0
    reset: str = "zero"
    surrogate: Surrogate = field(default_factory=FastSigmoid)
    reset_gradient: float = 1.0

    def __post_init__(self):
        for name in ("decay", "threshold", "reset_gradient"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        for name in ("decay", "reset_gradient"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0.0 < self.threshold < float("inf"):
            raise ValueError(f"threshold must be positive and finite, got {self.threshold}")
        if self.reset not in RESETS:
            raise ValueError(f"reset must be one of {RESETS}, got {self.reset!r}")
        if not isinstance(self.surrogate, Surrogate):
            raise ValueError(
                f"surrogate must be an object such as FastSigmoid(), got {self.surrogate!r}"
            )


def charge(x, v, lif):
    """Membrane before the spike: u[t] = lambda v[t-1] + x[t]."""
    return lif.decay * v + x


def reset(u, s, lif):
    """Membrane after the spike, v[t]."""
    if lif.reset == "zero":
        return u * (1.0 - s)
    if lif.reset == "subtract":
        return u - lif.threshold * s
    return u


def reset_slope(u, s, h, lif):
    """How v[t] follows u[t], directly and by way of the spike: dv/du + rho dv/ds h.

    The second part makes the missing term: ``lif.reset_gradient`` is rho, and ``lost`` = -dv/ds is
    what a spike takes from the membrane. Times lambda, the slope is du[t+1]/du[t].
    """
    if lif.reset == "zero":
        dv_du, lost = 1.0 - s, u
    else:
        dv_du, lost = 1.0, lif.threshold
    slope = dv_du
    if lif.reset_gradient != 0.0 and lif.reset != "none":
        slope = dv_du - lif.reset_gradient * lost * h
    return slope


def credit(g, eps, h, slope):
    """One step of the backward pass: delta[t] = dL/du[t].

    ``g`` is dL/ds[t] from above, ``eps`` is dL/dv[t] = lambda delta[t+1] from the next step, ``h``
    the surrogate derivative at u[t] - theta and ``slope`` the ``reset_slope``.
    """
    return g * h + eps * slope
