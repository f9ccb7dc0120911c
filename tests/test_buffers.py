"""Memory that waits for the next array of its size."""

import gc
import threading

import pytest
import torch

from tsbp_core import LIF, buffers, torch_lif

N = buffers.LARGE // 4


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch):
    if not hasattr(buffers.mmap, "MADV_HUGEPAGE"):
        pytest.skip("memory is kept on Linux")
    monkeypatch.setattr(buffers, "_waiting", type(buffers._waiting)())


def place(shape=(2, N // 2), dtype=torch.float32):
    return buffers.empty(shape, dtype).data_ptr()


def test_arrays_are_as_asked_for():
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        x = buffers.empty((3, N), dtype)
        assert (x.shape, x.dtype, x.is_contiguous()) == ((3, N), dtype, True)
        assert x.fill_(1.5).eq(1.5).all()


def test_freed_memory_is_taken_again_and_held_memory_is_not():
    first = buffers.empty((N,), torch.float32).fill_(1)
    kept = first[5:7]  # a view is enough
    address = first.data_ptr()
    del first
    second = buffers.empty((N,), torch.float32).fill_(2)
    assert second.data_ptr() != address
    assert kept.tolist() == [1, 1]
    array = kept.numpy()
    del kept
    assert place() != address, "NumPy holds it"
    del array
    assert place((N // 2,), torch.float64) == address, "bytes count, not numbers"
    assert place((N + 1,)) != address


def test_small_arrays_are_left_to_torch():
    small = buffers.empty((N - 1,), torch.float32)
    del small
    assert len(buffers._waiting) == 0


def test_no_more_waits_than_the_limit(monkeypatch):
    monkeypatch.setattr(buffers, "LIMIT", 2 * buffers.LARGE)
    many = [buffers.empty((N,), torch.float32) for _ in range(5)]
    addresses = [one.data_ptr() for one in many]
    while many:
        many.pop(0)
    assert len(buffers._waiting) == 2
    assert {place(), place()} <= set(addresses[3:]), "the longest unused goes first"


def test_threads_never_share_memory():
    wrong = []

    def work(value):
        for _ in range(200):
            x = buffers.empty((N,), torch.float32)
            x[::4096] = value
            if not x[::4096].eq(value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_layer_takes_its_memory_again_and_what_it_gave_stays():
    if torch_lif.why_not_compiled():
        pytest.skip("needs a compiler")
    g = torch.rand(4, N // 2)
    spikes, gradients = [], []
    for seed in range(3):
        x = torch.rand(4, N // 2, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        s = torch_lif.lif(2 * x, LIF(), "compiled")
        s.backward(g)
        spikes.append(s.detach())
        gradients.append(x.grad)
    for seed in range(3):
        x = torch.rand(4, N // 2, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        s = torch_lif.lif(2 * x, LIF(), "eager")
        s.backward(g)
        assert s.equal(spikes[seed])
        assert torch.allclose(x.grad, gradients[seed])
    del s, x, spikes, gradients
    gc.collect()
    held = {torch_lif.lif(torch.rand(4, N // 2), LIF(), "compiled").data_ptr() for _ in range(3)}
    assert len(held) == 1, "one array at a time wants one memory"
