"""What other libraries do with the gradient through the reset, measured against ours.

``fit`` asks which rho makes our neuron, set as ``Match`` says, give the same gradient. Run
it with ``make frameworks``; the libraries come from ``requirements-peers.txt``.
"""

import math
from importlib import metadata

import numpy as np
import torch

from tsbp_core import LIF, torch_lif
from tsbp_core.chapters.frameworks.defaults import TOLERANCE
from tsbp_core.chapters.frameworks.libraries import _FastSigmoid, leaky
from tsbp_core.chapters.frameworks.ways import ways
from tsbp_core.lab import results

PACKAGES = {
    "snnTorch": "snntorch",
    "SpikingJelly": "spikingjelly",
    "Norse": "norse",
    "sinabs": "sinabs",
}
STEPS, NEURONS = 20, 50
LOW, HIGH = -0.4, 1.2
"""Ends of the current's range. With decay 0.8 and threshold 1, u stays below two thresholds."""


def gradient(layer, x, g):
    """Spikes of a layer and the gradient of the sum of ``g`` times them; all arrays [T, n]."""
    x = x.detach().requires_grad_()
    s = layer(x)
    s.backward(g.to(s.dtype))
    return s.detach().double().numpy(), x.grad.numpy()


def fit(layer, match, x, g):
    """Find the rho in [0, 1] whose gradient is nearest to a layer's.

    Parameters
    ----------
    layer : callable
        From current [T, n] to spikes [T, n].
    match : Match
    x, g : Tensor [T, n]
        Input, and credit of the spikes.

    Returns
    -------
    dict
        "rho"; "error", the largest difference of gradients at this rho, relative to the largest
        entry; "spikes", how many differ; "distance", by rho = "0" and "1" the length of the
        difference relative to the layer's gradient.
    """
    from scipy.optimize import minimize_scalar

    spikes, theirs = gradient(layer, x, g)

    def ours(rho):
        return gradient(lambda x: match.spikes(x, rho), x, g)

    def distance(rho):
        return float(np.linalg.norm(ours(rho)[1] - theirs) / np.linalg.norm(theirs))

    grid = np.linspace(0.0, 1.0, 11)
    best = min(grid, key=distance)
    ends = max(best - 0.1, 0.0), min(best + 0.1, 1.0)
    refined = minimize_scalar(distance, bounds=ends, method="bounded", options={"xatol": 1e-9}).x
    rho = float(min((best, refined), key=distance))
    own_spikes, own = ours(rho)
    return {
        "rho": rho,
        "error": float(np.abs(own - theirs).max() / np.abs(theirs).max()),
        "spikes": int((own_spikes != spikes).sum()),
        "distance": {f"{end:g}": distance(end) for end in (0.0, 1.0)},
    }


def draw(seed=0):
    """Currents and credits [T, n] of the study."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(LOW, HIGH, (STEPS, NEURONS))
    return torch.as_tensor(x), torch.as_tensor(rng.normal(size=x.shape))


def measure(way, seed=0):
    """What ``fit`` finds for a way of using a library, and what it is."""
    x, g = draw(seed)
    fitted = fit(lambda x: way.layer(x, **way.options), way.match, way.gain * x, g)
    return {
        "library": way.library,
        "name": way.name,
        "default": way.default,
        "reset": way.match.lif.reset,
        "late": way.match.late,
        "decay": way.match.lif.decay,
        "threshold": way.match.lif.threshold,
        "surrogate": repr(way.match.lif.surrogate),
        **fitted,
    }


def bump(spike, z, dtype=torch.float64):
    """Spike and its derivative as ``spike`` has them at ``z`` = u - theta."""
    z = torch.tensor([float(z)], dtype=dtype, requires_grad=True)
    s = spike(z)
    s.sum().backward()
    return s.item(), z.grad.item()


def spike_functions():
    """Spike functions of z by library and name, the default first."""
    import snntorch.surrogate
    from norse.torch.functional.threshold import threshold
    from sinabs import activation
    from spikingjelly.activation_based import surrogate

    def norse(method):
        return lambda z: threshold(z, method, torch.as_tensor(100.0))

    def sinabs(bump):
        return lambda z: activation.SingleSpike.apply(z + 1.0, 1.0, bump())

    torch_names = ("atan", "fast_sigmoid", "sigmoid", "triangular")
    jelly_names = ("Sigmoid", "ATan", "PiecewiseQuadratic", "SoftSign", "Erf")
    return {
        "spytorch style": {"fast sigmoid": _FastSigmoid.apply},
        "snnTorch": {name: getattr(snntorch.surrogate, name)() for name in torch_names},
        "SpikingJelly": {name: getattr(surrogate, name)() for name in jelly_names},
        "Norse": {name: norse(name) for name in ("super", "triangle", "tanh", "circ")},
        "sinabs": {
            name: sinabs(getattr(activation, name)) for name in ("SingleExponential", "Gaussian")
        },
    }


def shape(spike):
    """Whether it fires at the threshold; peak, lowest value and area of h; NaN in float32."""
    from scipy.integrate import quad

    def h(z, dtype=torch.float64):
        return bump(spike, z, dtype)[1]

    def number(z):
        return np.nan_to_num(h(z))

    halves = [quad(number, *ends, limit=200)[0] for ends in ((-np.inf, 0.0), (0.0, np.inf))]
    z = np.linspace(-2.0, 2.0, 401)
    wide = [-1e4, -100.0, -5.0, 5.0, 100.0, 1e4]
    return {
        "fires at threshold": bool(bump(spike, 0.0)[0]),
        "peak": max(map(h, z)),
        "lowest": min(map(h, z)),
        "area": sum(halves),
        "nan in float32": [at for at in wide if not math.isfinite(h(at, torch.float32))],
    }


def spikes_of_one(layer, x):
    """Spikes of one neuron on a list of currents."""
    return layer(torch.tensor(x, dtype=torch.float64)[:, None]).detach()[:, 0].tolist()


LARGE = [2.5, 0.1, 0.1, 0.3, 0.3, 0.3]
"""Currents that lift a membrane above two thresholds, then less."""


def surprises():
    """What we did not expect, by numbers."""
    import sinabs.activation as activation
    import snntorch
    from norse.torch import LIFCell, LIFParameters, LIFState
    from norse.torch.functional.lif import lif_step_integral
    from norse.torch.functional.threshold import threshold
    from sinabs import layers

    x, _ = draw()
    delayed, at_once = (leaky(x, reset_delay=late) for late in (True, False))
    node = snntorch.Leaky(beta=0.8, reset_delay=False)
    mem, membrane = node.reset_mem(), []
    for x_t in LARGE:
        _, mem = node(torch.tensor([x_t]), mem)
        membrane.append(mem.item())
    layer = layers.LIF(tau_mem=5.0, reset_fn=activation.MembraneReset(reset_value=0.3))
    silence = layer(torch.zeros(1, 12, 1))[0, :, 0].tolist()
    alphas = (1.0, 10.0, 100.0)
    exponential = activation.SingleExponential()
    state = LIFState(*(torch.zeros(1, 3),) * 3)
    eye = torch.eye(3)
    last, _ = lif_step_integral(torch.rand(7, 1, 3), state, eye, 0 * eye)
    try:
        LIFCell(p=LIFParameters(method="adjoint"))(torch.ones(1))
        refused = None
    except ValueError as error:
        refused = str(error)
    below = -np.arange(0.01, 8.0, 0.01)
    sigmoid = spike_functions()["snnTorch"]["sigmoid"]
    broken = [z for z in below if math.isnan(bump(sigmoid, z, torch.float32)[1])]
    return {
        "reset_delay": {
            "differ": float((delayed != at_once).double().mean()),
            "spikes": [int(delayed.sum()), int(at_once.sum())],
        },
        "two thresholds": {
            "current": LARGE,
            "reset_delay=False": spikes_of_one(lambda x: leaky(x, reset_delay=False), LARGE),
            "membrane after": membrane,
            "ours": spikes_of_one(lambda x: torch_lif.lif(x, LIF(0.8, reset="subtract")), LARGE),
        },
        "reset_value": silence,
        "alpha": {f"{a:g}": bump(lambda z, a=a: threshold(z, "super", a), 0.1)[1] for a in alphas},
        "lif_step_integral": {"steps": 7, "shape": list(last.shape)},
        "adjoint": refused,
        "MultiSpike": bump(lambda z: activation.MultiSpike.apply(z + 1.0, 1.0, exponential), 1.5),
        "sigmoid is NaN below": max(broken) if broken else None,
        "dtype": str(leaky(x).dtype),
    }


def study():
    """All measurements: ``ways``, ``surrogates``, ``surprises``."""
    return {
        "ways": [measure(way) for way in ways()],
        "surrogates": {
            library: {name: shape(spike) for name, spike in functions.items()}
            for library, functions in spike_functions().items()
        },
        "surprises": surprises(),
    }


def main():
    torch.set_num_threads(1)
    results.make(
        "frameworks",
        study,
        command="make frameworks",
        settings={
            "libraries": {name: metadata.version(package) for name, package in PACKAGES.items()},
            "steps": STEPS,
            "neurons": NEURONS,
            "current": [LOW, HIGH],
            "tolerance": TOLERANCE,
            "seed": 0,
        },
    )


if __name__ == "__main__":
    main()
