"""What other libraries do with the gradient through the reset, measured against ours.

Each function of a library takes a current [T, n] and returns spikes, in the few lines that a user
writes. ``fit`` asks which rho makes our neuron, set as ``Match`` says, give the same gradient. Run
it with ``make frameworks``; the libraries come from ``requirements-peers.txt``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np
import torch

from tsbp_core import LIF, plain_lif, torch_lif
from tsbp_core.lab import results
from tsbp_core.neuron import charge, reset
from tsbp_core.surrogates import Arctan, FastSigmoid, Sigmoid, Surrogate, namespace

PACKAGES = {
    "snnTorch": "snntorch",
    "SpikingJelly": "spikingjelly",
    "Norse": "norse",
    "sinabs": "sinabs",
}
STEPS, NEURONS = 20, 50
LOW, HIGH = -0.4, 1.2
"""Ends of the current's range. With decay 0.8 and threshold 1, u stays below two thresholds."""
TOLERANCE = 1e-6
"""Where spikes agree and the largest relative error is below it, a layer counts as reproduced."""


@dataclass(frozen=True)
class Exponential(Surrogate):
    """h(z) = exp(-abs(z)/width) / width, the default of sinabs. Its unit is neither of ours.

    The peak is 1/width and the area 2, whatever the width; ``unit`` must stay "peak".
    """

    width: float = 0.5

    def _h(self, z):
        return namespace(z).exp(-abs(z) / self.width) / self.width


SURROGATES = {
    "spytorch style": FastSigmoid(slope=100.0),
    "snnTorch": Arctan(width=1 / math.pi),
    "SpikingJelly": Sigmoid(width=0.25),
    "Norse": FastSigmoid(slope=1.0),
    "sinabs": Exponential(width=0.5),
}
"""Ours for each library's default."""


def over_time(step, x, state):
    """Spikes [T, n] of a ``step`` from (x[t], state) to (spikes, state)."""
    spikes = []
    for x_t in x.unbind(0):
        s, state = step(x_t, state)
        spikes.append(s)
    return torch.stack(spikes)


class _FastSigmoid(torch.autograd.Function):
    """A step whose derivative is that of a fast sigmoid of slope 100, as in spytorch."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return (z > 0).to(z.dtype)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g / (100.0 * z.abs() + 1.0) ** 2


def spytorch(x, detach=True):
    """A loop in the order of spytorch: fire, then charge and reset at once."""

    def step(x_t, mem):
        s = _FastSigmoid.apply(mem - 1.0)
        rst = s.detach() if detach else s
        return s, (0.8 * mem + x_t) * (1.0 - rst)

    return over_time(step, x, torch.zeros_like(x[0]))


def leaky(x, **options):
    """Return the spikes of snnTorch's Leaky."""
    import snntorch

    node = snntorch.Leaky(beta=0.8, **options)
    return over_time(node, x, node.reset_mem())


def leaky_attached(x, **options):
    """Return the spikes of a Leaky whose delayed reset keeps its gradient."""
    import snntorch

    class Attached(snntorch.Leaky):
        def mem_reset(self, mem):
            return self.spike_grad(mem - self.threshold)

    node = Attached(beta=0.8, **options)
    return over_time(node, x, node.reset_mem())


def lif_node(x, **options):
    """Return the spikes of SpikingJelly's LIFNode."""
    from spikingjelly.activation_based import neuron

    node = neuron.LIFNode(tau=5.0, step_mode="m", **options)
    return node(x)


def lif_cell(x, **options):
    """Return the spikes of Norse's LIFCell, of which its LIF layer is made."""
    from norse.torch import LIFCell, LIFParameters

    cell = LIFCell(p=LIFParameters(**options))
    return over_time(cell, x, None)


def lif_recurrent(x):
    """Return the spikes of Norse's lif_step, of which LIFRecurrentCell is made."""
    from norse.torch import LIFParameters, LIFState
    from norse.torch.functional.lif import lif_step

    zero, eye = torch.zeros_like(x[0]), torch.eye(x.shape[1], dtype=x.dtype)

    def step(x_t, state):
        return lif_step(x_t, state, eye, 0 * eye, LIFParameters())

    return over_time(step, x, LIFState(zero, zero, zero))


def lif_sparse(x):
    """Return the spikes of Norse's lif_step_sparse."""
    from norse.torch import LIFParameters, LIFState
    from norse.torch.functional.lif import lif_step_sparse

    zero, eye = torch.zeros_like(x[:1]), torch.eye(x.shape[1], dtype=x.dtype)

    def step(x_t, state):
        x_t = x_t[None].to_sparse()
        s, state = lif_step_sparse(x_t, state, eye, 0 * eye, LIFParameters())
        return s.to_dense(masked_grad=False)[0], state

    return over_time(step, x, LIFState(zero.to_sparse(), zero, zero))


def lif_adjoint(x):
    """Return the spikes of Norse's adjoint step, whose backward pass has no surrogate."""
    from norse.torch.functional.adjoint.lif_adjoint import lif_feed_forward_adjoint_step
    from norse.torch.functional.lif import LIFFeedForwardState

    zero = torch.zeros_like(x[0])
    return over_time(lif_feed_forward_adjoint_step, x, LIFFeedForwardState(zero, zero))


def lif_box(x, **options):
    """Return the spikes of Norse's lif_box_feed_forward_step."""
    from norse.torch.functional import lif_box as box

    def step(x_t, state):
        p = box.LIFBoxParameters(**options)
        return box.lif_box_feed_forward_step(x_t, state, p)

    return over_time(step, x, box.LIFBoxFeedForwardState(v=torch.zeros_like(x[0])))


def iaf(x):
    """Return the spikes of Norse's iaf_feed_forward_step: nothing leaks."""
    from norse.torch.functional import iaf as functional

    start = functional.IAFFeedForwardState(v=torch.zeros_like(x[0]))
    return over_time(functional.iaf_feed_forward_step, x, start)


def subtract(s, v, v_reset, threshold):
    """Norse's soft reset, the gradient kept."""
    return v - threshold * s


def value_detached(s, v, v_reset, threshold):
    """Norse's hard reset, the gradient dropped."""
    return (1 - s.detach()) * v + s.detach() * v_reset


def sinabs_lif(x, spike_fn="MultiSpike", reset_fn="MembraneSubtract"):
    """Return the spikes of sinabs's LIF; ``reset_fn`` is a function, or the name of one."""
    from sinabs import activation, layers

    if isinstance(reset_fn, str):
        reset_fn = getattr(activation, reset_fn)()
    spike_fn = getattr(activation, spike_fn)
    tau = -1 / math.log(0.8)
    layer = layers.LIF(tau_mem=tau, spike_fn=spike_fn, reset_fn=reset_fn)
    return layer(x[None])[0]


def subtract_detached(spikes, state, threshold):
    """A soft reset for sinabs, the gradient dropped."""
    v = state["v_mem"] - threshold * spikes.detach()
    return {**state, "v_mem": v}


def zero_attached(spikes, state, threshold):
    """A hard reset for sinabs, the gradient kept."""
    return {**state, "v_mem": state["v_mem"] * (1 - spikes)}


def delayed(x):
    """The current one step later."""
    return torch.cat([torch.zeros_like(x[:1]), x[:-1]])


def synapse(x):
    """Norse's synapse: a tenth of the trace i[t] = 0.8 i[t-1] + x[t]."""
    return 0.1 * over_time(lambda x_t, i: (0.8 * i + x_t,) * 2, x, torch.zeros_like(x[0]))


@dataclass(frozen=True)
class Match:
    """Our neuron for a library's.

    Parameters
    ----------
    lif : LIF
        With any rho, which is to be fitted.
    current : callable, optional
        What the library makes of its input before it is added to the membrane; nothing if None.
    late : bool, default False
        The reset comes after the next charge, u[t+1] = reset(lambda u[t] + x[t+1], s[t]): the two
        step equations in the other order, which no setting of LIF does.
    """

    lif: LIF
    current: Callable | None = None
    late: bool = False

    def spikes(self, x, rho):
        """Spikes [T, n] of the input ``x`` [T, n], with the gradient of ``rho``."""
        lif = replace(self.lif, reset_gradient=float(rho))
        current = self.current(x) if self.current else x
        if not self.late:
            return torch_lif.lif(current, lif, "eager")

        def step(x_t, state):
            u, s = state
            s = rho * s + (1 - rho) * s.detach()
            u = reset(charge(x_t, u, lif), s, lif)
            s = plain_lif.Spike.apply(u - lif.threshold, lif.surrogate)
            return s, (u, s)

        return over_time(step, current, (torch.zeros_like(x[0]),) * 2)


CALLS = {
    spytorch: "loop",
    leaky: "Leaky",
    leaky_attached: "Attached",
    lif_node: "LIFNode",
    lif_cell: "LIFCell",
    lif_recurrent: "lif_step",
    lif_sparse: "lif_step_sparse",
    lif_adjoint: "lif_feed_forward_adjoint_step",
    lif_box: "lif_box_feed_forward_step",
    iaf: "iaf_feed_forward_step",
    sinabs_lif: "LIF",
}
"""What each function calls in its library."""


@dataclass(frozen=True)
class Way:
    """A way of using a library: a layer with options, and the neuron of ours that it should be.

    ``gain`` multiplies the study's currents where the library makes them smaller. ``default`` says
    that nothing but the time constant is set.
    """

    library: str
    layer: Callable
    options: dict
    match: Match
    gain: float = 1.0
    default: bool = False

    @property
    def name(self):
        """Layer and options, as one writes them."""
        words = [
            f"{key}={getattr(value, '__name__', value if key.endswith('_fn') else repr(value))}"
            for key, value in self.options.items()
        ]
        return f"{CALLS[self.layer]}({', '.join(words)})"


def ways():
    """All ways of using the libraries that the study looks at."""
    found = []

    def add(library, layer, reset="zero", /, options=None, default=False, decay=0.8, gain=1.0,
            current=None, late=False):  # fmt: skip
        options = options or {}
        threshold = 1.0 - (options.get("v_reset") or 0.0)
        lif = LIF(decay, threshold, reset, SURROGATES[library])
        match = Match(lif, current, late)
        found.append(Way(library, layer, options, match, gain, default))

    loop = {"current": delayed, "late": True}
    add("spytorch style", spytorch, default=True, **loop)
    add("spytorch style", spytorch, options={"detach": False}, **loop)

    zero, at_once = {"reset_mechanism": "zero"}, {"reset_delay": False}
    add("snnTorch", leaky, "subtract", default=True, late=True)
    add("snnTorch", leaky_attached, "subtract", late=True)
    add("snnTorch", leaky, "subtract", options=at_once)
    add("snnTorch", leaky, options=zero)
    add("snnTorch", leaky_attached, options=zero)
    add("snnTorch", leaky, options=zero | at_once)

    leak = {"current": lambda x: x / 5, "gain": 5.0}
    dropped, soft = {"detach_reset": True}, {"v_reset": None}
    add("SpikingJelly", lif_node, default=True, **leak)
    add("SpikingJelly", lif_node, options=dropped, **leak)
    add("SpikingJelly", lif_node, "subtract", options=soft, **leak)
    add("SpikingJelly", lif_node, "subtract", options=soft | dropped, **leak)
    add("SpikingJelly", lif_node, options={"v_reset": 0.2, "decay_input": False})

    cell = {"decay": 0.9, "current": synapse, "gain": 2.0}
    box = {"decay": 0.9, "current": lambda x: x / 10, "gain": 10.0}
    add("Norse", lif_cell, default=True, **cell)
    add("Norse", lif_recurrent, default=True, **cell)
    add("Norse", lif_sparse, default=True, **cell)
    add("Norse", lif_adjoint, **cell)
    add("Norse", iaf, default=True, decay=1.0)
    add("Norse", lif_box, default=True, **box)
    add("Norse", lif_box, options={"reset_method": value_detached}, **box)
    add("Norse", lif_box, "subtract", options={"reset_method": subtract}, **box)

    add("sinabs", sinabs_lif, "subtract", default=True, **leak)
    add("sinabs", sinabs_lif, "subtract", options={"reset_fn": subtract_detached}, **leak)
    add("sinabs", sinabs_lif, options={"reset_fn": "MembraneReset"}, **leak)
    add("sinabs", sinabs_lif, options={"reset_fn": zero_attached}, **leak)
    add("sinabs", sinabs_lif, "subtract", options={"spike_fn": "SingleSpike"}, **leak)
    return found


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

    spikes, found = gradient(layer, x, g)

    def ours(rho):
        return gradient(lambda x: match.spikes(x, rho), x, g)

    def distance(rho):
        return float(np.linalg.norm(ours(rho)[1] - found) / np.linalg.norm(found))

    grid = np.linspace(0.0, 1.0, 11)
    best = min(grid, key=distance)
    ends = max(best - 0.1, 0.0), min(best + 0.1, 1.0)
    refined = minimize_scalar(distance, bounds=ends, method="bounded", options={"xatol": 1e-9}).x
    rho = float(min((best, refined), key=distance))
    own_spikes, own = ours(rho)
    return {
        "rho": rho,
        "error": float(np.abs(own - found).max() / np.abs(found).max()),
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
    found = fit(lambda x: way.layer(x, **way.options), way.match, way.gain * x, g)
    return {
        "library": way.library,
        "name": way.name,
        "default": way.default,
        "reset": way.match.lif.reset,
        "late": way.match.late,
        "decay": way.match.lif.decay,
        "threshold": way.match.lif.threshold,
        "surrogate": repr(way.match.lif.surrogate),
        **found,
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


def train(layer, x):
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
            "reset_delay=False": train(lambda x: leaky(x, reset_delay=False), LARGE),
            "membrane after": membrane,
            "ours": train(lambda x: torch_lif.lif(x, LIF(0.8, reset="subtract")), LARGE),
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


def reproduced(way):
    """Whether a measured way has our neuron's spikes, and its gradient at the rho found."""
    return way["spikes"] == 0 and way["error"] < TOLERANCE


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
