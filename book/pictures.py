"""Pictures of pages, which messengers and search engines show beside a link."""

import base64
import html
import re
from pathlib import Path

import yaml

from browser import open_page

BOOK = Path(__file__).resolve().parent
BUILT = BOOK.parent / "_build" / "html"
FIRST = ".bd-article :is(.tsbp-explorer .panels, .tsbp-explorer .scroller, .tsbp-playground .panels, .tsbp-figure)"
SIZE = {"width": 1200, "height": 630}
UNCOVER = """() => {
    document.querySelectorAll(".guess").forEach(e => e.remove());
    document.querySelectorAll(".guessing").forEach(e => e.classList.remove("guessing"));
    window.dispatchEvent(new Event("beforeprint"));
}"""
"""What is hidden until a guess is shown, and the playground's neurons have learnt."""
CARD = """<style>
    body {{ margin: 0; height: 630px; display: flex; flex-direction: column; font-family: sans-serif; background: white }}
    h1 {{ margin: 36px 50px 8px; font-size: 46px; line-height: 1.15 }} p {{ margin: 0 50px 20px; font-size: 28px; color: #555 }}
    img {{ flex: 1; min-height: 0; margin: 0 50px 36px; object-fit: contain }}
</style><h1>{title}</h1><p>{book}</p><img src="data:image/png;base64,{picture}">"""
TAG = r'(<meta property="og:image" content="[^"]*/_static/)[^"]*"'


def picture(page, uri, book):
    """A card with a page's title and what it shows first, as PNG; None if it shows nothing."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(uri)
    page.evaluate(UNCOVER)
    shown = page.locator(FIRST).first
    if not shown.count():
        return None
    page.wait_for_timeout(200)
    title = html.escape(page.title().split(" — ")[0])
    drawn = base64.b64encode(shown.screenshot()).decode()
    page.set_viewport_size(SIZE)
    page.set_content(
        CARD.format(title=title, book=html.escape(book), picture=drawn)
    )
    return page.screenshot(scale="css")


def add(page, built, book):
    """Give each built page that names a picture one of its own; how many got one."""
    folder = built / "_static" / "pictures"
    folder.mkdir(exist_ok=True)
    count = 0
    for path in sorted(built.glob("*.html")):
        text = path.read_text()
        if re.search(TAG, text) and (
            made := picture(page, path.as_uri(), book)
        ):
            (folder / f"{path.stem}.png").write_bytes(made)
            name = rf'\1pictures/{path.stem}.png"'
            path.write_text(re.sub(TAG, name, text))
            count += 1
    return count


def main():
    config = yaml.safe_load((BOOK.parent / "_config.yml").read_text())
    with open_page(device_scale_factor=2) as page:
        print(f"made {add(page, BUILT, config['title'])} pictures of pages")


if __name__ == "__main__":
    main()
