"""Print the built book into one PDF, beside its pages, through Chromium."""

import argparse
import io
from pathlib import Path

import yaml
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, NullObject

from browser import open_page

BOOK = Path(__file__).resolve().parent
BUILT = BOOK.parent / "_build" / "html"
NOT_PRINTED = {"worksheets", "solutions", "api"}
"""Sheets of what the chapters have, which print well alone, and a reference of 100 pages."""
UNFOLD = """() => {
    document.querySelectorAll("details").forEach(e => { e.open = true });
    document.querySelectorAll(".toggle-hidden").forEach(e => e.classList.remove("toggle-hidden"));
}"""
DROP = """() => {
    document.querySelectorAll("details.hide, #jb-print-toc").forEach(e => e.remove());
}"""
PAPER = {
    "format": "A4",
    "print_background": True,
    "margin": dict.fromkeys(("top", "bottom", "left", "right"), "15mm"),
}
SHEET_STYLE = """<style>
    body { font: 11pt/1.6 sans-serif } h1 { font-size: 24pt; line-height: 1.2 }
    h2 { font-size: 12pt; margin: 1em 0 0.2em } a { color: inherit; text-decoration: none }
    p { display: flex; justify-content: space-between; margin: 0 }
</style>"""
FOOT = """<style>
    @page { size: A4; margin: 0 } body { margin: 0; font: 9pt sans-serif; color: #555 }
    div { height: 297mm; break-after: page; position: relative; overflow: hidden }
    span { position: absolute; bottom: 7mm; width: 100%; text-align: center }
</style>"""


def parts(toc):
    """The parts of the book with the pages to print, in order: ``[(caption, names), ...]``."""
    printed_parts = [("", [toc["root"]])]
    for part in toc["parts"]:
        names = [chapter["file"] for chapter in part["chapters"]]
        printed_parts.append(
            (part["caption"], [n for n in names if n not in NOT_PRINTED])
        )
    return [(caption, names) for caption, names in printed_parts if names]


def print_page(page, name):
    """A built page's title, and the page on paper: its solutions unfolded, its folded code dropped.

    Raises
    ------
    SystemExit
        If the page is not built; the message says what to do.
    """
    built = BUILT / f"{name}.html"
    if not built.exists():
        raise SystemExit(f"{built} is not there: make book")
    page.goto(built.as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    page.evaluate(DROP)
    page.evaluate(UNFOLD)
    title = page.title().split(" — ")[0]
    return title, PdfReader(io.BytesIO(page.pdf(**PAPER)))


def print_text(page, text):
    """A page of its own on paper."""
    page.set_content(text)
    return PdfReader(
        io.BytesIO(page.pdf(**PAPER, prefer_css_page_size=True))
    )


def contents(title, book, first):
    """The contents page in HTML; its links are those of the built pages."""
    lines = [SHEET_STYLE, f"<h1>{title}</h1>"]
    for caption, names in book:
        lines.append(f"<h2>{caption}</h2>" if caption else "")
        for name in names:
            heading, number = first[name]
            uri = (BUILT / f"{name}.html").as_uri()
            lines.append(
                f'<p><a href="{uri}">{heading}</a><span>{number + 1}</span></p>'
            )
    return "\n".join(lines)


def join_links(whole, first):
    """Point links between printed pages to paper; drop those to other files of this machine."""
    home = BUILT.as_uri() + "/"
    for sheet in whole.pages:
        kept = ArrayObject()
        for annotation in sheet.get("/Annots", ()):
            link = annotation.get_object()
            uri = link.get("/A", {}).get("/URI", "")
            name = uri.removeprefix(home).partition(".html")[0]
            if uri.startswith(home) and name in first:
                target = whole.pages[first[name][1]].indirect_reference
                del link["/A"]
                link[NameObject("/Dest")] = ArrayObject(
                    [target, NameObject("/XYZ")] + [NullObject()] * 3
                )
            if not uri.startswith("file:") or "/Dest" in link:
                kept.append(annotation)
        if "/Annots" in sheet:
            sheet[NameObject("/Annots")] = kept


def bind(page, title, book):
    """Print all parts of the book, with contents, page numbers and bookmarks."""
    printed = {
        name: print_page(page, name) for _, names in book for name in names
    }
    length = 1
    first = {}
    for name, (heading, paper) in printed.items():
        first[name] = heading, length
        length += len(paper.pages)
    front = print_text(page, contents(title, book, first))
    numbers = "".join(
        f"<div><span>{n + 1}</span></div>" for n in range(length)
    )
    feet = print_text(page, FOOT + numbers)
    whole = PdfWriter()
    whole.add_metadata({"/Title": title})
    whole.append(front, import_outline=False)
    whole.add_outline_item(title="Contents", page_number=0)
    for caption, names in book:
        part = None
        for name in names:
            heading, paper = printed[name]
            number = first[name][1]
            whole.append(paper, import_outline=False)
            if caption and part is None:
                part = whole.add_outline_item(
                    title=caption, page_number=number
                )
            whole.add_outline_item(
                title=heading, page_number=number, parent=part
            )
    for sheet, foot in zip(whole.pages, feet.pages, strict=False):
        sheet.merge_page(foot)
    join_links(whole, first)
    whole.compress_identical_objects()
    return whole


def link_from_the_landing_page():
    """Show the landing page's line about the PDF, which is hidden where there is none."""
    landing = BUILT / "index.html"
    text = landing.read_text()
    landing.write_text(text.replace('class="pdf" hidden', 'class="pdf"'))


def main():
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    config = yaml.safe_load((BOOK.parent / "_config.yml").read_text())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pages", nargs="*", help="these pages only (all, as in _toc.yml)"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=BUILT / "book.pdf",
        help="the file to write",
    )
    args = parser.parse_args()
    with open_page() as page:
        book = [("", args.pages)] if args.pages else parts(toc)
        bind(page, config["title"], book).write(args.to)
    if args.to == BUILT / "book.pdf":
        link_from_the_landing_page()
    print(f"wrote {args.to}")


if __name__ == "__main__":
    main()
