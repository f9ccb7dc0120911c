"""Read a built page as Markdown: numbers, titles and links are all in place there."""

import html
import itertools
import re
import textwrap
from typing import NamedTuple

from bs4 import Comment, Tag

LINE = {
    "a",
    "b",
    "br",
    "code",
    "em",
    "i",
    "kbd",
    "span",
    "strong",
    "sub",
    "sup",
}
"""Tags that stand in a line."""
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


class Code(NamedTuple):
    """A place where a code cell stands; in a solution it is folded."""

    folded: bool


class Page:
    """A built page, to be read as Markdown.

    ``targets`` are the places that links lead to, as (page, id). Cells of a page
    that is no notebook (``live`` is false) are read as text.
    """

    def __init__(self, name, names, targets, live=True):
        self.name, self.names, self.targets = name, names, targets
        self.live = live
        self.waiting, self.placed = "", set()

    def anchor(self, tag):
        """A place for links to lead to, with those that wait for a text."""
        anchors, self.waiting = self.waiting, ""
        place = tag.get("id")
        if (self.name, place) in self.targets - self.placed:
            self.placed.add((self.name, place))
            anchors += f'<a id="{place}"></a>'
        return anchors

    def link(self, tag, text):
        page, _, place = tag["href"].partition("#")
        if re.match(r"\w+:", page):
            return f"[{text}](<{tag['href']}>)"
        if page and not page.endswith(
            ".html"
        ):  # a file that lies with the pages
            return text
        page = page.removesuffix(".html")
        if page and page not in self.names:
            raise ValueError(f"{self.name} links to {tag['href']}")
        file = f"{page}.ipynb" if page not in ("", self.name) else ""
        return f"[{text}]({file}{'#' if place else ''}{place})"

    def inline(self, node):
        """Markdown of what stands in a line."""
        if not isinstance(node, Tag):
            return "" if isinstance(node, Comment) else escaped(node)
        if "headerlink" in node.get("class", ()):
            return ""
        if "math" in node.get("class", ()):
            return formula(node)
        text = "".join(map(self.inline, node.children))
        start, text, end = re.fullmatch(
            r"(\s*)(.*?)(\s*)", text, re.S
        ).groups()
        match node.name:
            case "a" if (
                node.get("href") and node.get("role") != "doc-backlink"
            ):
                text = self.link(node, text)
            case "em" | "i":
                text = f"*{text}*" if text else ""
            case "strong" | "b":
                text = f"**{text}**" if text else ""
            case "code":
                text = literal(node.get_text())
            case "sub" | "sup" | "kbd":
                text = f"<{node.name}>{text}</{node.name}>"
            case "br":
                text = "<br>"
        return start + self.anchor(node) + text + end

    def blocks(self, tag):
        """Markdown, block by block, and ``Code`` where a cell stands."""
        lines = itertools.groupby(
            tag.children,
            lambda node: not isinstance(node, Tag) or node.name in LINE,
        )
        for in_line, nodes in lines:
            if not in_line:
                for node in nodes:
                    yield from self.block(node)
            elif text := "".join(map(self.inline, nodes)).strip():
                if text.endswith("></a>") and text.startswith("<a id="):
                    self.waiting += text
                else:
                    yield text

    def block(self, tag):
        classes = tag.get("class", ())
        if tag.has_attr("hidden") or tag.name in ("script", "style", "svg"):
            return
        if "cell" in classes and self.live:
            yield Code(folded=False)
        elif "math" in classes:
            yield self.equation(tag)
        elif "admonition" in classes:
            yield from self.box(tag)
        elif tag.name == "details":
            title = tag.find(class_="sd-summary-text").extract()
            plain = " ".join(shown(title).split())
            head = f"{self.anchor(tag)}**{self.inline(title).strip()}**"
            tag.find("summary").extract()
            yield from fold(head, plain, list(self.blocks(tag)))
        elif "sd-card" in classes:
            yield self.card(tag)
        elif "citation" in classes:
            yield "- " + self.anchor(tag) + self.inline(tag).strip()
        elif any(name.startswith("highlight") for name in classes):
            yield fence(tag)
        elif tag.name in HEADINGS:
            text = self.anchor(tag) + self.inline(tag).strip()
            yield f"{HEADINGS[tag.name]} {text}"
        elif tag.name == "p":
            yield self.anchor(tag) + self.inline(tag).strip()
        elif tag.name in ("ul", "ol"):
            yield self.items(tag)
        elif tag.name == "dl":
            yield from self.terms(tag)
        elif tag.name == "table":
            yield self.table(tag)
        elif tag.name == "blockquote":
            yield quote(self.blocks(tag))
        else:
            self.waiting = self.anchor(tag)
            yield from self.blocks(tag)

    def equation(self, tag):
        number = tag.find(class_="eqno")
        if number:
            number.extract()
        text = formula(tag).strip("$")
        if number:
            text += rf" \tag{{{number.find(string=True).strip('()')}}}"
        return f"{self.anchor(tag)}\n\n$$\n{text}\n$$".strip()

    def box(self, tag):
        """A block quote, or what unfolds."""
        title = tag.find(class_="admonition-title", recursive=False)
        if title is None:
            yield quote([self.anchor(tag), *self.blocks(tag)])
            return
        heads = " ".join(self.inline(title).split())
        heads = f"{self.anchor(tag)}**{heads}**"
        plain = " ".join(shown(title).split())
        title.extract()
        pieces = list(self.blocks(tag))
        if "dropdown" in tag["class"]:
            yield from fold(heads, plain, pieces)
            return
        for code, group in grouped([heads, *pieces]):
            yield from group if code else [quote(group)]

    def card(self, tag):
        title = tag.find(class_="sd-card-title").extract()
        text = " ".join(self.blocks(tag.find(class_="sd-card-body")))
        title = self.inline(title).strip()
        if link := tag.find("a", class_="sd-stretched-link"):
            title = self.link(link, title)
        return f"- **{title}**: {text}"

    def items(self, tag):
        lines = []
        start = int(tag.get("start", 1))
        for number, item in enumerate(tag("li", recursive=False), start):
            mark = f"{number}. " if tag.name == "ol" else "- "
            text = one_line("\n\n".join(self.blocks(item)))
            text = textwrap.indent(
                self.anchor(item) + text, " " * len(mark)
            )
            lines.append(mark + text.lstrip())
        return "\n".join(lines)

    def terms(self, tag):
        """Terms in bold, what they mean below them."""
        for part in tag(["dt", "dd"], recursive=False):
            if part.name == "dd":
                inside = self.blocks(part)
                fields = "field-list" in tag.get("class", ())
                yield from inside if fields else [quote(inside)]
            elif "sig" in part.get("class", ()):
                for link in part(class_="headerlink"):
                    link.extract()
                text = literal(" ".join(part.get_text().split()))
                yield f"{self.anchor(part)}**{text}**"
            else:
                yield f"{self.anchor(part)}**{self.inline(part).strip()}**"

    def table(self, tag):
        rows = [
            [self.entry(entry) for entry in row(["th", "td"])]
            for row in tag("tr")
        ]
        if not tag.find("thead"):
            rows.insert(0, [""] * len(rows[0]))
        rows.insert(1, ["---"] * len(rows[0]))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def entry(self, tag):
        text = one_line("<br>".join(self.blocks(tag)))
        text = re.sub(
            r"\$[^$]+\$",
            lambda match: (
                match[0].replace(r"\|", r"\Vert ").replace("|", r"\vert ")
            ),
            text,
        )
        return re.sub(r"(?<!\\)\|", r"\|", text).replace("\n", " ")


def escaped(text):
    """A text with what Markdown would read as its own made plain."""
    return re.sub(r"([\\`*_\[\]<$])", r"\\\1", re.sub(r"\s+", " ", text))


def literal(text):
    marks = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{marks}{space}{text}{space}{marks}"


def formula(tag):
    """Its TeX between dollars."""
    text = re.sub(r"^\s*\\[(\[]|\\[)\]]\s*$", "", tag.get_text()).strip()
    if r"\begin{aligned}" in text:  # lines enough
        text = re.sub(r"^\\begin{split}\s*|\s*\\end{split}$", "", text)
    return f"${text}$"


def shown(tag):
    """Its text as HTML, formulas between dollars."""
    if not isinstance(tag, Tag):
        return html.escape(tag, quote=False)
    if "math" in tag.get("class", ()):
        return html.escape(formula(tag), quote=False)
    return "".join(map(shown, tag.children))


def one_line(text):
    """A text whose displayed formulas can be indented and quoted."""
    return re.sub(
        r"\$\$\n(.*?)\n\$\$",
        lambda match: f"$${' '.join(match[1].split())}$$",
        text,
        flags=re.S,
    )


def quote(pieces):
    text = one_line("\n\n".join(piece for piece in pieces if piece))
    return textwrap.indent(text, "> ", lambda line: True).replace(
        "> \n", ">\n"
    )


def grouped(pieces):
    return itertools.groupby(pieces, lambda piece: isinstance(piece, Code))


def fold(heads, plain, pieces):
    """What is seen after a click: text, and cells folded one by one."""
    if isinstance(pieces[0], Code):
        yield f"{heads} (in the folded cell below)"
        plain = "In words"
    for code, group in grouped(pieces):
        if code:
            yield from (Code(folded=True) for _ in group)
        else:
            text = "\n\n".join(group)
            yield f"<details>\n<summary>{plain}</summary>\n\n{text}\n\n</details>"
            plain = "In words"


def fence(tag):
    name = next(n for n in tag["class"] if n.startswith("highlight"))
    language = name.removeprefix("highlight").strip("-")
    language = {
        "default": "python",
        "ipython3": "python",
        "myst-ansi": "text",
    }.get(language, language)
    return f"```{language}\n{tag.find('pre').get_text().rstrip()}\n```"
