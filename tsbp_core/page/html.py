"""What a cell puts on a page: figures, tables and lines of source."""

import html
import inspect
import io
import re
import textwrap

import matplotlib.pyplot as plt
from IPython.display import HTML, display

from tsbp_core.page.style import COMPLETE, DROPPED, INK, RESET


def show(figure, alt, caption=None):
    """Turn a figure into inline SVG with alternative text and, if given, a caption; close it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for role, color in (("complete", COMPLETE), ("dropped", DROPPED), ("reset", RESET)):
        svg = svg.replace(color.lower(), f"var(--tsbp-{role}, {color})")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
    caption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return HTML(f'<figure class="tsbp-figure">{svg}{caption}</figure>')


GLUED = "application/papermill.record/"


def glue(texts):
    """Keep texts, by name, for the page's roles ``glue:text``.

    What ``myst_nb.glue`` does, which takes two seconds to import.
    """
    for name, text in texts.items():
        kept = {"scrapbook": {"name": name, "mime_prefix": GLUED}}
        display({f"{GLUED}text/plain": repr(text)}, raw=True, metadata=kept)


class Markup(str):
    """HTML that a cell shows as such, where it would show a string as text."""

    def _repr_html_(self):
        return str(self)


def table(heads, rows):
    """Return a table as ``Markup``.

    ``rows`` hold cells of HTML, and a row that is a string is a subheading.
    """
    lines = ["".join(f"<th>{head}</th>" for head in heads)]
    for row in rows:
        if isinstance(row, str):
            lines.append(f'<th colspan="{len(heads)}">{row}</th>')
        else:
            lines.append("".join(f"<td>{cell}</td>" for cell in row))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    style = 'class="table" style="font-size: 0.85em"'
    return Markup(f'<figure class="tsbp-figure"><table {style}>{body}</table></figure>')


def excerpt(function, first, before=None):
    """Lines of a function's source, from the one that starts with ``first``, to show in a chapter.

    They end before the line that starts with ``before``, or with the function. Indentation of the
    lines aside, what you read is what runs.

    Raises
    ------
    ValueError
        If there is no such line.
    """
    lines = inspect.getsource(function).splitlines()
    starts = [line.strip() for line in lines]

    def find(text, after):
        for i in range(after, len(starts)):
            if starts[i].startswith(text):
                return i
        raise ValueError(f"no line of {function.__qualname__} starts with {text!r}")

    start = find(first, 0)
    stop = find(before, start + 1) if before else len(lines)
    return textwrap.dedent("\n".join(lines[start:stop]))
