"""Print the built book into one PDF through Chromium."""

import argparse
import io
import re
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

BOOK = Path(__file__).resolve().parent
BUILD = BOOK.parent / "_build"
UNFOLD = """() => {
    document.querySelectorAll("details").forEach(e => { e.open = true });
    document.querySelectorAll(".toggle-hidden").forEach(e => e.classList.remove("toggle-hidden"));
}"""


def print_pages(names, target):
    """Print built pages, in this order and with their solutions unfolded, into ``target``.

    Raises
    ------
    SystemExit
        If there is no Chromium, or a page is not built; the message says what to do.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: on Debian, apt install chromium")
    whole = PdfWriter()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(color_scheme="light")
        for name in names:
            built = BUILD / "html" / f"{name}.html"
            if not built.exists():
                raise SystemExit(f"{built} is not there: make book")
            page.goto(built.as_uri())
            page.evaluate(
                "window.MathJax?.startup?.promise.then(() => null)"
            )
            page.evaluate(UNFOLD)
            title = page.title().split(" — ")[0]
            margin = dict.fromkeys(
                ("top", "bottom", "left", "right"), "15mm"
            )
            printed = page.pdf(
                format="A4", margin=margin, print_background=True
            )
            whole.append(PdfReader(io.BytesIO(printed)), outline_item=title)
        browser.close()
    whole.compress_identical_objects()
    whole.write(target)


def main():
    toc = (BOOK / "_toc.yml").read_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pages", nargs="*", help="pages in this order (all, as in _toc.yml)"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=BUILD / "book.pdf",
        help="the file to write",
    )
    args = parser.parse_args()
    print_pages(
        args.pages or re.findall(r"(?:file|root): (\S+)", toc), args.to
    )
    print(f"wrote {args.to}")


if __name__ == "__main__":
    main()
