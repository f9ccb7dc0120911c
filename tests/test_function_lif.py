"""What torch does with a function: batches, transforms, derivatives; on every path."""

import subprocess
import sys

import pytest
import torch
from torch import func
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from tsbp_core import LIF, compiler, inductor_lif, surrogates, torch_lif

SIGMOID = LIF(surrogate=surrogates.Sigmoid())
BACKENDS = ["eager", pytest.param("compiled", marks=pytest.mark.needs_compiler)]
ALL = [*BACKENDS, "plain"]


@pytest.fixture
def spikes(backend):
    """The function x -> s by each path."""
    if backend == "plain":
        return lambda x: torch_lif.autograd_lif(x, SIGMOID)
    return lambda x: torch_lif.lif(x, SIGMOID, backend)


def batches(count=2, shape=(5, 3, 2), seed=1):
    """Inputs and credits [count, T, ...]."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, *shape, dtype=torch.float64, generator=generator) for _ in range(2))


def credit(x, g):
    """The gradient by plain autograd, one input after the other."""
    x = x.detach().requires_grad_()
    (dx,) = torch.autograd.grad(torch_lif.autograd_lif(x, SIGMOID), x, g)
    return dx


def assert_equal(a, b):
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", ALL)
def test_vmap(spikes, backend):
    x, _ = batches()
    expected = torch.stack([torch_lif.autograd_lif(one, SIGMOID) for one in x])
    assert_equal(func.vmap(spikes)(x), expected)
    last = func.vmap(spikes, in_dims=2, out_dims=1)(x.movedim(0, 2))
    assert_equal(last, expected.movedim(0, 1))
    assert_equal(func.vmap(func.vmap(spikes, 1, 1))(x), expected)


@pytest.mark.parametrize("backend", ALL)
def test_gradients_under_transforms(spikes, backend):
    x, g = batches()
    expected = torch.stack([credit(*pair) for pair in zip(x, g, strict=True)])

    def loss(x, g):
        return (spikes(x) * g).sum()

    def batched_loss(x):
        return (func.vmap(spikes)(x) * g).sum()

    def inner_loss(x, g):
        return (func.vmap(spikes, 1, 1)(x) * g).sum()

    leaf = x.clone().requires_grad_()
    batched_loss(leaf).backward()
    assert_equal(leaf.grad, expected)
    assert_equal(func.grad(loss)(x[0], g[0]), expected[0])
    assert_equal(func.vmap(func.grad(loss))(x, g), expected)
    assert_equal(func.grad(batched_loss)(x), expected)
    assert_equal(func.vmap(func.grad(inner_loss))(x, g), expected)
    assert_equal(func.vjp(spikes, x[0])[1](g[0])[0], expected[0])
    one_input = func.vmap(func.grad(loss), in_dims=(None, 0))(x[0], g)
    assert_equal(one_input, torch.stack([credit(x[0], one) for one in g]))


@pytest.mark.parametrize("backend", ALL)
def test_many_credits_at_once(spikes, backend):
    x, g = batches(3)
    expected = torch.stack([credit(x[0], one) for one in g])
    leaf = x[0].clone().requires_grad_()
    (dx,) = torch.autograd.grad(spikes(leaf), leaf, g, is_grads_batched=True)
    assert_equal(dx, expected)
    jacobian = torch.autograd.functional.jacobian(spikes, x[0])
    assert_equal(torch.einsum("tij...,tij->...", jacobian, g[0]), expected[0])
    fast = torch.autograd.functional.jacobian(spikes, x[0], vectorize=True)
    assert_equal(fast, jacobian)
    assert_equal(func.jacrev(spikes)(x[0]), jacobian)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_current_at_every_step_under_transforms(backend):
    x, _ = batches(2, (3, 2))
    g = torch.randn(2, 3, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))

    def loss(x, g):
        return (torch_lif.lif(x, SIGMOID, backend, steps=3) * g).sum()

    expected = [credit(one.expand(3, 3, 2), g).sum(0) for one, g in zip(x, g, strict=True)]
    assert_equal(func.vmap(func.grad(loss))(x, g), torch.stack(expected))


FORWARD = "lif has no forward-mode derivative"
ONCE = "lif can be differentiated once"


@pytest.mark.parametrize("size", [2, torch_lif.SMALL])
@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
def test_what_is_refused(backend, size):
    """In the same words by every path, at every size."""
    x = torch.rand(2, size // 2, requires_grad=True)

    def spikes(x):
        return torch_lif.lif(x, SIGMOID, backend)

    def loss(x):
        return spikes(x).sum()

    with pytest.raises(RuntimeError, match=FORWARD):
        func.jvp(spikes, (x.detach(),), (x.detach(),))
    with pytest.raises(RuntimeError, match=FORWARD), torch.autograd.forward_ad.dual_level():
        spikes(torch.autograd.forward_ad.make_dual(x.detach(), x.detach()))
    (dx,) = torch.autograd.grad(loss(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match=ONCE):
        dx.sum().backward()
    with pytest.raises(RuntimeError, match=ONCE):
        func.grad(lambda x: func.grad(loss)(x).sum())(x.detach())
    assert torch.isfinite(dx).all()


def test_plain_autograd_has_forward_mode():
    x, g = batches()
    _, ds = func.jvp(lambda x: torch_lif.autograd_lif(x, SIGMOID), (x[0],), (x[1],))
    assert_equal((ds * g[0]).sum(), (credit(x[0], g[0]) * x[1]).sum())


@pytest.mark.needs_compiler
@pytest.mark.parametrize("numbers", [60, torch_lif.SMALL])
def test_inside_a_compiled_model(numbers):
    """torch.compile runs lif as it is, between what it compiles itself."""
    width = numbers // 15
    model = torch.nn.Sequential(
        torch.nn.Linear(4, width), torch_lif.LIFLayer(SIGMOID), torch.nn.Linear(width, 2)
    )
    x = torch.rand(5, 3, 4)
    expected = model(x)
    expected.sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    out = torch.compile(model)(x)
    torch.testing.assert_close(out, expected)
    out.sum().backward()
    for p, grad in zip(model.parameters(), grads, strict=True):
        torch.testing.assert_close(p.grad, grad)


UNCOMPILED = """
import sys
import torch
from tsbp_core import torch_lif

x = torch.rand(5, 3, requires_grad=True)
torch_lif.lif(x, torch_lif.LIF()).sum().backward()
print("torch._dynamo" in sys.modules)
"""


def test_who_compiles_nothing_does_not_wait_for_the_compiler():
    out = subprocess.run([sys.executable, "-c", UNCOMPILED], capture_output=True, text=True)
    assert out.stdout == "False\n", out.stderr


def test_one_graph_is_refused_with_a_reason():
    layer = torch.compile(torch_lif.LIFLayer(SIGMOID), fullgraph=True)
    with pytest.raises(RuntimeError, match="lif compiles its own kernels; leave fullgraph=True"):
        layer(torch.rand(5, 3))


@pytest.fixture
def nothing_compiles(monkeypatch):
    monkeypatch.setattr(inductor_lif, "compiled", None)
    monkeypatch.setattr(inductor_lif, "_kernels", lambda *key: compiler.Kernels())


def test_tensors_without_memory_run_eagerly(nothing_compiles):
    """Shapes can be traced, however large."""
    with FakeTensorMode():
        x = torch.rand(4, torch_lif.SMALL, requires_grad=True)
        s = torch_lif.lif(x, SIGMOID)
        s.sum().backward()
        assert s.shape == x.grad.shape == x.shape
    x = torch.rand(4, torch_lif.SMALL, device="meta")
    assert torch_lif.lif(x, SIGMOID).shape == x.shape


class Names(TorchDispatchMode):
    """Note the names of the operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def test_who_looks_at_each_operation_sees_it(nothing_compiles):
    x = torch.rand(4, torch_lif.SMALL)
    with Names() as seen:
        torch_lif.lif(x, SIGMOID)
    assert {"mul", "add", "ge"} <= seen.names


@pytest.mark.needs_compiler
def test_compiles_while_someone_looks():
    x = torch.rand(4, 3)
    lif = LIF(reset="none")
    with Names():
        s = torch_lif.lif(x, lif, "compiled")
    assert torch.equal(s, torch_lif.lif(x, lif, "eager"))
