"""What the benchmark measures, and at which sizes."""

PAIR = ("fused", "fused, rho = 0")
KERNELS = ("kernel", "kernel, rho = 0")
"""The same pair on a GPU."""
UNFUSED = ("eager", "plain autograd")
SHAPES = {"dense": (64, 512), "CIFARNet": (50, 98304)}
"""Batch and neurons of a dense layer, and of the first layer of the paper's CIFARNet."""
SIZES = {"dense": (100, SHAPES["dense"]), "CIFARNet": (5, SHAPES["CIFARNet"])}
"""Time steps of both, and their shapes."""
SWEEP = (4, 8, 16, 64, 256)
ELEMENTS = 1 << 25
"""Neurons times steps where the steps vary alone, 134 MB in float32, larger than any cache."""
BLOCKS = (1, 2, 3, 4, 5, 8, 16)
KEEP = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:"
ALLOCATORS = {
    "kept": {
        "GLIBC_TUNABLES": KEEP + "glibc.malloc.trim_threshold=8589934592",
        "THP_MEM_ALLOC_ENABLE": "1",
    },
    "default": {},
    "returned": {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536"},
}
"""Environment of the process. With "kept" freed memory stays and huge pages are asked for; with
"returned" each array of 64 KiB and more is given back when it is freed. What glibc's default heap
keeps differs from process to process."""


def measurements(names):
    """Kind, measure, arguments, threads and allocator of all measurements of the named layers."""
    T, shape = SIZES["dense"]
    plan = [
        ("times", "times", {"steps": T, "shape": shape, "names": names}, threads, allocator)
        for T, shape in SIZES.values()
        for threads, allocator in ((1, "kept"), (2, "kept"), (1, "default"))
    ]
    plan += [
        ("sweep", "times", {"steps": T, "shape": SHAPES["dense"], "names": names}, n, "kept")
        for T in SWEEP
        for n in (1, 2)
    ]
    plan += [
        ("long", "times", {"steps": T, "shape": (ELEMENTS // T,), "names": ["fused"]}, 1, "kept")
        for T in SWEEP
    ]
    plan += [
        ("term", "term", {"steps": T, "shape": shape}, 1, "kept") for T, shape in SIZES.values()
    ]
    plan += [("blocks", "blocks", {"steps": T, "shape": shape, "blocks": BLOCKS}, 1, "kept")]
    plan += [("training", "training", {"names": names}, n, "kept") for n in (1, 2)]
    plan += [("training_term", "training", {"names": PAIR}, 2, "kept")]
    plan += [
        ("peak", "peak", {"steps": T, "shape": shape, "name": name}, 1, "returned")
        for T, shape in SIZES.values()
        for name in names
    ]
    return plan
