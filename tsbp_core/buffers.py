"""Memory for large arrays on a CPU that waits, when freed, for the next array of its size.

The C library returns it to the system instead, and a fresh array is then paged in piece by piece,
which can cost more than the arithmetic.
"""

import collections
import contextlib
import math
import mmap
import weakref

import torch

LARGE = 1 << 22
"""Bytes from which an array's memory is kept; torch does well with smaller ones."""
LIMIT = 1 << 30
"""Bytes that wait at most."""

_waiting = collections.deque()  # the last freed is the first taken


def empty(shape, dtype):
    """As ``torch.empty``, on the CPU."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(shape, dtype=dtype)
    loan = memoryview(_memory(size))  # torch holds it as long as any tensor needs it
    weakref.finalize(loan, _wait, loan.obj).atexit = False
    return torch.frombuffer(loan, dtype=dtype).view(shape)


def _memory(size):
    with contextlib.suppress(IndexError):  # another thread took the last
        for _ in range(len(_waiting)):
            memory = _waiting.pop()
            if len(memory) == size:
                return memory
            _waiting.appendleft(memory)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _wait(memory):
    _waiting.append(memory)
    with contextlib.suppress(IndexError):
        while sum(map(len, tuple(_waiting))) > LIMIT:
            _waiting.popleft()
