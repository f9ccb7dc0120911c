"""Make the built pages light: they load no script that they don't use, and only the icons they show."""

import re
from pathlib import Path

from fontTools import subset

RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"([^"]+)"\}')
"""An icon of the theme's style sheet: its names and its character."""
FACE = re.compile(
    r'url\([^)]*fa-solid-900\.woff2\) format\("woff2"\),url\([^)]*fa-solid-900\.ttf\) format\("truetype"\)'
)
SCRIPT = r'\s*<script[^>]* src="[^"]*{}[^"]*"></script>'
SEARCH = "(?:searchtools|language_data|searchindex)\\.js"
"""What search.html alone needs: no other page searches while one types."""
UNNAMED = '<summary><span class="toctree-toggle"'


def character(text):
    """A character of a style sheet, which may be written as its number."""
    return chr(int(text[1:], 16)) if text.startswith("\\") else text


def icons(pages, styles):
    """The icons that pages name, and those of the style sheets' own rules, as characters."""
    named = set(re.findall(r"\bfa-[\w-]+", pages))
    characters = {
        character(text)
        for names, text in RULE.findall(styles)
        if named & set(re.findall(r"fa-[\w-]+", names))
    }
    rest = RULE.sub("", styles)
    characters |= set(
        map(character, re.findall(r"\\[ef][0-9a-f]{3}\b", rest))
    )
    return characters | set(re.findall("[\ue000-\uf8ff]", rest))


def light(text, name):
    """A page without what it has no use for, and with a name for what the theme left unnamed."""
    unused = ["fontawesome.js"]
    if name != "search":
        unused.append(SEARCH)
    if not re.search(
        r'class="(?:math|[^"]* math|[^"]*output_area)[ "]', text
    ):
        unused.append("mathjax/")
    for script in unused:
        text = re.sub(SCRIPT.format(script), "", text)
    return text.replace(
        UNNAMED,
        UNNAMED.replace("<summary", '<summary aria-label="Its pages"'),
    )


def write_font(source, target, characters):
    """A font with these characters alone."""
    options = subset.Options(flavor="woff", layout_features=[])
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters))
    subsetter.subset(font)
    subset.save_font(font, target, options)


def lighten(app, exception):
    """After the build, unless it failed, made something else than pages, or had nothing to do."""
    built, static = Path(app.outdir), Path(app.outdir) / "_static"
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    source = (
        fonts / "fa-solid-900.ttf"
    )  # each build that writes copies it anew
    if exception or app.builder.format != "html" or not source.exists():
        return
    pages = {path: path.read_text() for path in built.glob("*.html")}
    for path, text in pages.items():
        path.write_text(light(text, path.stem))
    scripts = [
        path.read_text() for path in (static / "scripts").glob("*theme.js")
    ]
    styles = "".join(path.read_text() for path in static.rglob("*.css"))
    theme = static / "styles" / "pydata-sphinx-theme.css"
    shown = icons("".join([*pages.values(), *scripts]), styles)
    write_font(source, static / "icons.woff", sorted(shown))
    theme.write_text(
        FACE.sub('url(../icons.woff) format("woff")', theme.read_text())
    )
    for path in [
        *fonts.glob("fa-solid-900.*"),
        *(static / "scripts").glob("fontawesome.js*"),
    ]:
        path.unlink()


def setup(app):
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
