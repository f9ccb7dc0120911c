"""torch_lif on a GPU, as people use it. Skipped where there is none."""

import numpy as np
import pytest
import torch

from tsbp_core import LIF, numpy_lif, surrogates, torch_lif

if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)

LIFS = [LIF(reset=r, surrogate=surrogates.Sigmoid()) for r in ("zero", "subtract", "none")]
SIGMOID = LIFS[0]


def currents(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    x = torch.randn(shape, generator=generator, device="cuda") * 0.8 + 0.4
    return x.to(dtype).requires_grad_()


def gradient(function, x, g):
    s = function(x)
    (dx,) = torch.autograd.grad(s, x, g)
    return s.detach(), dx


def assert_same(result, expected, rounding=3e-6):
    assert torch.equal(result[0], expected[0])
    scale = expected[1].abs().max()
    assert (result[1] - expected[1]).abs().max() < rounding * scale


def kernel(x, lif=SIGMOID, **more):
    return torch_lif.lif(x, lif, "compiled", **more)


def eager(x, lif=SIGMOID):
    return torch_lif.lif(x, lif, "eager")


@pytest.mark.parametrize("lif", LIFS, ids=lambda lif: lif.reset)
@pytest.mark.parametrize("T", [1, 4, 100])
def test_kernels_against_numpy(T, lif):
    x, g = currents(T, 33, 129), torch.randn(T, 33, 129, device="cuda")
    run = numpy_lif.forward(x.detach().cpu().numpy(), lif)
    expected = run.spikes, numpy_lif.backward(g.cpu().numpy(), run, lif)
    s, dx = gradient(lambda x: torch_lif.lif(x, lif), x, g)
    np.testing.assert_array_equal(s.cpu().numpy(), expected[0])
    scale = np.abs(expected[1]).max()
    assert np.abs(dx.cpu().numpy() - expected[1]).max() < 3e-6 * scale


def test_any_memory_format_and_the_same_current():
    x, g = currents(6, 4, 3, 5, 7), torch.randn(6, 4, 3, 5, 7, device="cuda")
    last = x.detach().permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3).requires_grad_()
    assert_same(gradient(kernel, last, g), gradient(eager, x, g))
    assert kernel(last).stride() == last.stride()
    one = currents(4, 5)
    g = torch.randn(9, 4, 5, device="cuda")
    whole = one.detach().expand(9, 4, 5).clone().requires_grad_()
    s, dx = gradient(eager, whole, g)
    assert_same(gradient(lambda x: kernel(x, steps=9), one, g), (s, dx.sum(0)))


def test_bits_repeat_and_small_inputs_take_the_kernel_too():
    x, g = currents(50, 1000), torch.randn(50, 1000, device="cuda")
    first, second = gradient(kernel, x, g), gradient(kernel, x, g)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch_lif.path_name("auto", torch.device("cuda"), 1, LIF(), False) == "triton"


def test_more_elements_than_32_bits_count():
    T, n = 33, (1 << 31) // 32  # 2.2e9 elements of 2 bytes
    x = torch.zeros(T, n, dtype=torch.bfloat16, device="cuda")
    x[:, -5:] = torch.linspace(0.2, 1.2, 5, device="cuda").bfloat16()
    s = kernel(x)
    assert torch.equal(s[:, -5:], eager(x[:, -5:]))
    assert not s[:, :-5].any()
    x.requires_grad_()
    dx = torch.autograd.grad(kernel(x), x, torch.ones_like(x))[0][:, -7:]
    end = x.detach()[:, -7:].clone().requires_grad_()
    expected = torch.autograd.grad(eager(end), end, torch.ones_like(end))[0]
    torch.testing.assert_close(dx, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype):
    weight = torch.randn(64, 32, device="cuda", requires_grad=True)
    inputs = torch.randn(5, 8, 64, device="cuda")
    with torch.autocast("cuda", dtype):
        s = torch_lif.LIFLayer(SIGMOID)(inputs @ weight)
    assert s.dtype == dtype
    s.float().sum().backward()
    assert weight.grad.dtype == torch.float32
    assert weight.grad.isfinite().all()
    assert weight.grad.any()


def test_inference_mode_and_no_grad():
    x = currents(12, 300)
    with torch.inference_mode():
        inferred = kernel(x)
    with torch.no_grad():
        assert torch.equal(kernel(x), inferred)
    assert torch.equal(kernel(x).detach(), inferred)


def test_inside_torch_compile():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(20, 30), torch.nn.LayerNorm(30), torch_lif.LIFLayer(SIGMOID)
    )
    net.cuda()
    x = torch.randn(6, 8, 20, device="cuda")
    plain = net(x)
    plain.sum().backward()
    expected = net[0].weight.grad.clone()
    net.zero_grad()
    compiled = torch.compile(net)(x)
    compiled.sum().backward()
    assert (compiled == plain).float().mean() > 0.99  # the compiler rounds the layers before
    torch.testing.assert_close(net[0].weight.grad, expected, rtol=0.05, atol=0.05)


def test_streams():
    x, g = currents(64, 1 << 16), torch.randn(64, 1 << 16, device="cuda")
    expected = gradient(kernel, x, g)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        y = x.detach() * 1.0  # on this stream, just before
        y.requires_grad_()
        result = gradient(kernel, y, g)
    torch.cuda.current_stream().wait_stream(stream)
    assert_same(result, expected)


def test_cuda_graph():
    x, g = currents(10, 500), torch.randn(10, 500, device="cuda")
    expected = gradient(kernel, x, g)
    leaf = torch.zeros_like(x).requires_grad_()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        gradient(kernel, leaf, g)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = gradient(kernel, leaf, g)
    with torch.no_grad():
        leaf.copy_(x)
    graph.replay()
    assert_same(result, expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_another_device():
    x = currents(7, 90).detach().to("cuda:1").requires_grad_()
    g = torch.randn_like(x)
    assert_same(gradient(kernel, x, g), gradient(eager, x, g))


def test_training_keeps_the_input_and_an_eighth():
    x = currents(64, 1 << 16)
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        s = kernel(x)
    assert s.requires_grad
    assert sum(kept.values()) == 4.5 * x.numel()
