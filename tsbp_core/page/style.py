"""The book's one colour language, see the constants, and the style of its figures.

Importing this module sets matplotlib's style.
"""

import matplotlib.pyplot as plt

COMPLETE, DROPPED, RESET = "#0072B2", "#D55E00", "#009E73"
INK, FAINT = "#010203", "#8a8a8a"
"""INK stands for the page's text colour, which ``show`` puts in its place."""
STYLES = {
    1.0: {"color": COMPLETE, "linestyle": "-", "label": "complete, ρ = 1"},
    0.0: {"color": DROPPED, "linestyle": "--", "label": "term dropped, ρ = 0"},
}
MARKS = {
    **dict.fromkeys(("keep", "help"), (COMPLETE, "o", COMPLETE)),
    **dict.fromkeys(("drop", "harm"), (DROPPED, "s", DROPPED)),
    "equal": (FAINT, "D", FAINT),
    "open": (FAINT, "D", "none"),
    "not learnt": (FAINT, "x", FAINT),
}
"""Colour, marker and fill by verdict."""
RESET_NAMES = {"zero": "hard reset", "subtract": "soft reset"}
plt.rcParams.update(
    {
        "svg.fonttype": "path",
        "svg.hashsalt": "tsbp",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 11,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "lines.linewidth": 2,
        **{
            f"{key}color": INK
            for key in ("text.", "axes.edge", "axes.label", "axes.title", "xtick.", "ytick.")
        },
    }
)


def axes(rows=1, columns=1, width=7.0, height=2.6, **options):
    """Return a figure in the book's style and its axes."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def interval(ax, y, mean, low, high, verdict):
    """Draw a mean and its interval along x, at the height ``y``, in the mark of its verdict."""
    color, marker, fill = MARKS[verdict]
    ax.plot([low, high], [y, y], color=color, linewidth=1.5)
    ax.plot(mean, y, marker, color=color, markersize=5, markerfacecolor=fill)
