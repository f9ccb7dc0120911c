"""Chromium, which prints pages and takes their pictures."""

import contextlib
import shutil

from playwright.sync_api import sync_playwright


@contextlib.contextmanager
def open_page(**options):
    """A page of headless Chromium in light colours; ``options`` as ``new_page`` takes them."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: on Debian, apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield browser.new_page(color_scheme="light", **options)
        browser.close()
