"""What makes the pages a site: links to the repository, descriptions, and sheets of exercises."""

import html
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from sphinx_exercise.nodes import exercise_enumerable_node, solution_node

SHEETS = {"worksheets", "solutions"}
PDF = '<p class="pdf" hidden>On paper: <a href="book.pdf">the whole book as a PDF</a>.</p>'
"""The landing page's last line. ``make pdf``, which makes the file, unhides it."""


def link(app, config):
    """Make links of the repository's address in ``_config.yml``; without one there are none."""
    options = config.html_theme_options
    url = (options.get("repository_url") or "").rstrip("/")
    options["repository_url"] = url
    options["use_issues_button"] = options["use_repository_button"] = bool(
        url
    )
    if not url:
        options["launch_buttons"] = {}
    elif not config.html_baseurl:
        owner, name = url.split("/")[-2:]
        config.html_baseurl = f"https://{owner}.github.io/{name}/"


def offer_copies(app, name, template, context, doctree):
    """Let Colab open the copy whose first cell installs the package, where ``pages.yml`` puts it."""
    options = app.config.html_theme_options
    chapters = f"/blob/{options.get('repository_branch')}/{options.get('path_to_docs')}/"
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()):
            if button.get("text") == "Colab":
                button["url"] = button["url"].replace(
                    chapters, "/blob/notebooks/"
                )


def describe(app, name, template, context, doctree):
    """Say what a page is about, where search engines and messengers look for it."""
    if doctree is None:
        return
    if name == app.config.root_doc:
        context["body"] += PDF
    first = next(doctree.findall(nodes.paragraph), None)
    tags = {"og:type": "article", "og:title": app.env.titles[name].astext()}
    if first is not None:
        tags["description"] = tags["og:description"] = " ".join(
            first.astext().split()
        )
    if base := app.config.html_baseurl:
        tags["og:url"] = f"{base.rstrip('/')}/{name}.html"
        tags["og:image"] = f"{base.rstrip('/')}/_static/book.png"
        tags["twitter:card"] = "summary_large_image"
    for key, text in tags.items():
        kind = "property" if key.startswith("og:") else "name"
        text = html.escape(nodes.unescape(text))
        context["metatags"] += f'\n<meta {kind}="{key}" content="{text}" />'


class sheet(nodes.General, nodes.Element):
    """The place where exercises of all chapters will stand."""


class Sheet(SphinxDirective):
    """Exercises of all chapters: those for a pencil, or (``:solutions:``) all, with solutions."""

    option_spec: ClassVar = {"solutions": directives.flag}

    def run(self):
        return [sheet(solutions="solutions" in self.options)]


def for_a_pencil(exercise, solution):
    """Whether an exercise asks for no computer: its solution has no code, or it says so."""
    cells = [
        part
        for part in solution.findall(nodes.container)
        if "cell" in part["classes"]
    ]
    return not cells or "by hand" in exercise.astext()


def exercises(app, name):
    """Pairs of exercise and solution of a chapter, with links that work from another page."""
    page = app.env.get_and_resolve_doctree(name, app.builder)
    uri = app.builder.get_target_uri(name)
    for reference in page.findall(nodes.reference):
        if reference.get("refid"):
            reference["refuri"] = (
                f"{uri}#{reference.attributes.pop('refid')}"
            )
        elif reference.get("refuri", "").startswith("#"):
            reference["refuri"] = uri + reference["refuri"]
    solutions = {
        solution["target_label"]: solution
        for solution in page.findall(solution_node)
    }
    numbers = app.env.toc_fignumbers[name]["exercise"]
    for exercise in page.findall(exercise_enumerable_node):
        number = ".".join(map(str, numbers[exercise["ids"][0]]))
        exercise[0].insert(0, nodes.Text(f"Exercise {number} "))
        yield exercise, solutions[exercise["label"]]


def section(app, name, number, with_solutions):
    """A chapter's part of a sheet; None if there is nothing for it."""
    title = f"{number} {app.env.titles[name].astext()}"
    part = nodes.section(ids=[f"sheet-{name}"])
    part += nodes.title(
        "",
        "",
        nodes.reference("", title, refuri=app.builder.get_target_uri(name)),
    )
    for exercise, solution in exercises(app, name):
        if with_solutions:
            solution["classes"] = [
                kind for kind in solution["classes"] if kind != "dropdown"
            ]
            part += [exercise, solution]
        elif for_a_pencil(exercise, solution):
            part += [exercise, nodes.container(classes=["room-to-write"])]
    return part if len(part) > 1 else None


def fill(app, doctree, name):
    """Put the exercises into a sheet, from the chapters as they are."""
    for place in list(doctree.findall(sheet)):
        numbers = {
            n: sections[""][0]
            for n, sections in app.env.toc_secnumbers.items()
            if sections.get("")
        }
        parts = [
            section(app, chapter, number, place["solutions"])
            for chapter, number in sorted(
                numbers.items(), key=lambda item: item[1]
            )
        ]
        place.replace_self([part for part in parts if part is not None])


def outdated(app, env, added, changed, removed):
    """Sheets are read again whenever anything is."""
    return SHEETS & env.found_docs if added | changed | removed else set()


def setup(app):
    app.add_directive("sheet", Sheet)
    app.add_node(sheet)
    app.connect("config-inited", link, priority=100)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", describe)
    app.connect(
        "html-page-context", offer_copies, priority=600
    )  # the theme has made its buttons
    return {"parallel_read_safe": True, "parallel_write_safe": True}
