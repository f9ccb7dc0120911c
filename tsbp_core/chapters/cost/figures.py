"""What chapters 6 and 8 draw."""

from matplotlib.patches import FancyArrowPatch

from tsbp_core.page.style import FAINT, INK, RESET, STYLES, axes


def step_traffic():
    """What one fused step moves between memory and the processor, forward and backward."""
    figure, panels = axes(1, 2, height=2.5, sharey=True)
    moves = (
        ("forward", ("x[t]",), ("s[t]",), "v"),
        ("backward", ("g[t]", "x[t]"), ("δ[t]",), "v and ε"),
    )
    for ax, (title, read, written, carry) in zip(panels, moves, strict=True):
        ax.set_title(title)
        for x, name in ((0.0, "memory"), (3.0, "registers")):
            ax.plot([x, x], [-0.4, 2.4], color=FAINT, linewidth=8, solid_capstyle="round")
            ax.text(x, -0.75, name, ha="center", va="center")
        for i, name in enumerate((*read, *written)):
            y = 2.1 - 0.85 * i
            ends = ((0.15, y), (2.85, y)) if i < len(read) else ((2.85, y), (0.15, y))
            ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=14, color=INK))
            verb = "read" if i < len(read) else "write"
            ax.text(1.5, y + 0.08, f"{verb} {name}: 4 bytes", ha="center", va="bottom", fontsize=10)
        ax.add_patch(
            FancyArrowPatch(
                (3.15, 1.7),
                (3.15, 0.5),
                arrowstyle="-|>",
                mutation_scale=14,
                connectionstyle="arc3,rad=-0.9",
                color=RESET,
                linewidth=2,
            )
        )
        stays = "stays" if len(carry) == 1 else "stay"
        ax.text(3.85, 1.1, f"{carry} {stays}", color=RESET, va="center")
        ax.set(xlim=(-0.7, 5.3), ylim=(-1.0, 2.7))
        ax.axis("off")
    return figure


def bars(values, *, xlabel, styles=None, line=None):
    """Horizontal bars with their values beside them; ``values`` by label, ``styles`` rho by label.

    ``line`` = (position, label) marks a bound.
    """
    figure, ax = axes(height=0.6 + 0.32 * len(values))
    for y, (label, value) in enumerate(reversed(values.items())):
        rho = (styles or {}).get(label)
        color = STYLES[rho]["color"] if rho is not None else FAINT
        ax.barh(
            y,
            value,
            height=0.62,
            color="none" if rho == 0.0 else color,
            edgecolor=color,
            linestyle="--" if rho == 0.0 else "-",
            linewidth=1.5,
        )
        ax.text(value, y, f" {value:.3g}", va="center")
    ax.set_yticks(range(len(values)), list(reversed(values)))
    ax.set_xlabel(xlabel)
    ax.margins(x=0.12)
    if line:
        position, name = line
        ax.axvline(position, color=INK, linestyle=":", linewidth=1.5)
        ax.text(position, len(values) - 0.35, f" {name}", va="bottom", fontsize=10)
    return figure
