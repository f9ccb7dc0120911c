"""What chapter 12 draws."""

import html

from tsbp_core import page
from tsbp_core.chapters.frameworks.defaults import reproduced
from tsbp_core.page.style import FAINT, STYLES, axes


def equivalent_rhos(ways):
    """The measured rho of each way of using a library: the term dropped at the left, kept at right.

    ``ways``: records of ``frameworks.study`` that our neuron reproduces. Filled marks are defaults.
    """
    libraries = list(dict.fromkeys(way["library"] for way in ways))
    figure, ax = axes(height=0.6 + 0.72 * len(libraries))
    for row, library in enumerate(libraries):
        ax.text(-0.05, -row, library, ha="right", va="center", fontweight="bold")
        ax.axhline(-row - 0.5, color=FAINT, linewidth=0.5)
        for rho, marker in ((0.0, "s"), (1.0, "o")):
            here = [w for w in ways if w["library"] == library and round(w["rho"]) == rho]
            here.sort(key=lambda way: not way["default"])
            color = STYLES[rho]["color"]
            for i, way in enumerate(here):
                ax.plot(
                    rho + 0.05 + 0.08 * i,
                    0.25 - row,
                    marker,
                    color=color,
                    markersize=8,
                    markerfacecolor=color if way["default"] else "none",
                )
            names = [w["name"].replace("_feed_forward_step", "") for w in here if w["default"]]
            text = ", ".join(name.replace("()", "") for name in names)
            ax.text(rho + 0.02, -0.15 - row, text, color=color, va="center", fontsize=9)
    ax.set(xlim=(-0.02, 2), ylim=(0.5 - len(libraries), 0.5))
    ax.set_xticks([0.02, 1.02], ["ρ = 0, term dropped", "ρ = 1, term kept"], ha="left")
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return figure


def ways_table(document):
    """All measured ways as an HTML table, one row each, grouped by library."""
    versions = document["settings"]["libraries"]
    rows = []
    library = None
    for way in document["results"]["ways"]:
        if way["library"] != library:
            library = way["library"]
            rows.append(f"{library} {versions.get(library, '')}")
        rows.append(
            (
                f"{way['rho']:.3f}" if reproduced(way) else "none",
                way["reset"] + (", late" if way["late"] else ""),
                f"{way['error']:.0e}",
                "yes" if way["default"] else "",
                f"<code>{html.escape(way['name']).replace('(', '(<wbr>')}</code>",
            )
        )
    return page.table(("ρ", "reset", "error", "default", "layer and options"), rows)
