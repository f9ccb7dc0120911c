import functools
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tsbp_core import LIF, surrogates

settings.register_profile("book", deadline=None)
settings.load_profile("book")

RESETS = ("zero", "subtract", "none")
SURROGATES = tuple(
    family(unit=unit) for family, unit in itertools.product(surrogates.FAMILIES, ("peak", "area"))
)
ANALYTIC = tuple(s for s in SURROGATES if s.analytic)


def name(surrogate):
    return f"{type(surrogate).__name__}-{surrogate.unit}"


def neurons(surrogate, rhos=(0.0, 0.5, 1.0)):
    """Every reset and rho for one surrogate."""
    return [
        LIF(reset=reset, surrogate=surrogate, reset_gradient=rho)
        for reset, rho in itertools.product(RESETS, rhos)
    ]


@functools.cache
def missing_compiler():
    """What torch says of the C++ compiler that it does not find; "" where it finds one."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        return str(error)
    return ""


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_compiler: skipped where torch finds no C++ compiler")
    config.addinivalue_line("markers", "slow: minutes; python -m pytest -m slow runs these")


def pytest_runtest_setup(item):
    if item.get_closest_marker("needs_compiler") and (reason := missing_compiler()):
        pytest.skip(reason)


MEASURED = {}


@pytest.fixture(scope="session")
def measured():
    """Note a figure under a name; the worst (or by ``pick``, the least) is printed at the end."""

    def note(name, value, pick=max):
        old, _ = MEASURED.get(name, (value, pick))
        MEASURED[name] = pick(old, value), pick

    return note


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist
        noted = {name: (float(value), pick.__name__) for name, (value, pick) in MEASURED.items()}
        session.config.workeroutput["measured"] = noted


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for name, (value, pick) in getattr(node, "workeroutput", {}).get("measured", {}).items():
        pick = {"max": max, "min": min}[pick]
        MEASURED[name] = pick(MEASURED.get(name, (value, pick))[0], value), pick


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("measured")
        for name, (value, _) in MEASURED.items():
            terminalreporter.write_line(f"{name}: {value:.1e}")


@pytest.fixture
def rng():
    return np.random.default_rng(20201119)


@pytest.fixture
def one_thread():
    """For small arrays."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_cifar10():
    """40 images of noise, of which the first 20 are the test set."""
    from tsbp_core.lab import datasets

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    labels = rng.integers(0, 10, 40)
    return datasets.Cifar10(images, labels, images[:20], labels[:20])


def built(name):
    """The file of a page of the built book."""
    path = Path(__file__).parents[1] / "_build" / "html" / f"{name}.html"
    if not path.exists():
        pytest.fail("the book is not built: make book")
    return path


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium that refuses every request off the machine."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium: on Debian, apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page whose ``faults`` list collects foreign requests, script errors and failed loads."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.faults = []

    def route(route):
        if route.request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
            route.continue_()
        else:
            page.faults.append(f"request to {route.request.url}")
            route.abort()

    def failed(request):
        if "ERR_ABORTED" not in (request.failure or ""):
            page.faults.append(f"failed: {request.url}")

    context.route("**/*", route)
    page.on("pageerror", lambda error: page.faults.append(f"script error: {error}"))
    page.on("requestfailed", failed)
    page.on(
        "console",
        lambda m: page.faults.append(f"console: {m.text}") if m.type == "error" else None,
    )
    page.on(
        "response",
        lambda r: page.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None,
    )
    yield page
    context.close()
