"""Explorers: sliders over a table of frames, in the built page and in the live notebook.

An explorer has controls, panels and a *frame* function, which computes what the panels show for
given settings. ``page()`` calls it for every combination of the controls' values and returns HTML
that needs no kernel and makes no request. ``live()`` calls it afresh each time a slider moves.
"""

import hashlib
import html
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from IPython.display import HTML, display

ROLES = ("complete", "dropped", "reset", "truth", "faint")
KINDS = ("line", "steps", "stems", "dots", "raster", "vline", "hline")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Control:
    """A slider (``kind="range"``) or a set of radio buttons (``"choice"``) over given values."""

    name: str
    values: Sequence
    start: int = 0
    kind: str = "range"
    label: Callable = "{:g}".format
    """Turns a value into what is shown."""
    play: bool = False
    """Whether a button plays the values one after the other."""


@dataclass(frozen=True)
class Series:
    """One thing drawn: ``role`` gives colour and dashes, ``kind`` the shape."""

    label: str
    role: str = "truth"
    kind: str = "line"


@dataclass(frozen=True)
class Panel:
    """Axes and the series drawn in them; ``x`` is shared by series that give only their y."""

    title: str
    xlabel: str
    ylabel: str
    series: Sequence[Series]
    xlim: tuple
    ylim: tuple
    xlog: bool = False
    ylog: bool = False
    x: Sequence = ()


@dataclass(frozen=True)
class Explorer:
    """An explorer of a ``frame`` function.

    Parameters
    ----------
    title, question : str
        The question is answered by sliding.
    controls : dict of Control
        By the name of the frame's argument.
    panels : sequence of Panel
    frame : callable
        Takes the controls' values by name and returns what to draw and a sentence that says it:
        ``([[series, ...], ...], text)``, one list a panel. A series is an array of y, a pair of
        arrays (x, y), or for "vline" and "hline" an array of positions. NaN breaks a line.
    """

    title: str
    question: str
    controls: dict
    panels: Sequence[Panel]
    frame: Callable

    def page(self):
        """Return the explorer as HTML with all frames inline.

        Raises
        ------
        ValueError
            If a role, a kind, a start or a frame doesn't fit; the message names it.
        """
        names, values = list(self.controls), [c.values for c in self.controls.values()]
        settings = [dict(zip(names, v, strict=True)) for v in itertools.product(*values)]
        return self._html(self.controls.values(), [self.frame(**s) for s in settings])

    def live(self, **ranges):
        """Show the explorer with ipywidgets, each frame computed when it is asked for.

        Parameters
        ----------
        **ranges : tuple (low, high) or (low, high, start)
            A continuous slider in place of the control of that name, or for an argument that no
            control has. It starts where the control does, or at ``start``, or at ``low``. The
            other controls keep their values.
        """
        import ipywidgets

        sliders = {}
        for name, control in self.controls.items():
            if name not in ranges:
                options = [(control.label(v), v) for v in control.values]
                kind = (
                    ipywidgets.SelectionSlider if control.kind == "range" else ipywidgets.Dropdown
                )
                sliders[name] = kind(options=options, index=control.start, description=name)
        for name, (low, high, *start) in ranges.items():
            whole = isinstance(low, int) and isinstance(high, int)
            kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
            steps = {} if whole else {"step": (high - low) / 100}
            if name in self.controls and not start:
                start = [self.controls[name].values[self.controls[name].start]]
            value = start[0] if start else low
            sliders[name] = kind(
                value=value, min=low, max=high, description=name, continuous_update=False, **steps
            )

        def redraw(**settings):
            display(self._frame_or_message(settings))

        output = ipywidgets.interactive_output(redraw, sliders)
        return ipywidgets.VBox([*sliders.values(), output])

    def _frame_or_message(self, settings):
        try:
            return self._html((), [self.frame(**settings)])
        except Exception as error:  # a reader who slides should get a sentence, whatever it is
            text = str(error)
            if not isinstance(error, (ValueError, RuntimeError)):
                text = f"{type(error).__name__}: {error}"
            return HTML(f"<p role='alert'>{html.escape(text)}</p>")

    def _html(self, controls, frames):
        pool, known = [], {}
        data = {
            "title": self.title,
            "question": self.question,
            "controls": [_control(control) for control in controls],
            "panels": [_panel(panel) for panel in self.panels],
            "frames": [[self._series(series, pool, known), text] for series, text in frames],
            "pool": pool,
        }
        # In a script element only "</" and "<!--" matter; escaping every "<" settles both.
        text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        text = text.replace("<", "\\u003c")
        name = "tsbp-" + hashlib.sha256(text.encode()).hexdigest()[:12]
        return HTML(
            f"<style>{(_HERE / 'explorer.css').read_text()}</style>"
            f'<div class="tsbp-explorer" id="{name}">'
            f'<script type="application/json">{text}</script></div>'
            f'<script type="module">{(_HERE / "explorer.js").read_text()}</script>'
        )

    def _series(self, frame, pool, known):
        """Places in ``pool`` of the frame's series; equal ones share a place."""
        if len(frame) != len(self.panels):
            raise ValueError(f"the frame has {len(frame)} panels, not {len(self.panels)}")
        for panel, drawn in zip(self.panels, frame, strict=True):
            if len(drawn) != len(panel.series):
                raise ValueError(
                    f"panel {panel.title!r} got {len(drawn)} series, not {len(panel.series)}"
                )
            for series, values in zip(panel.series, drawn, strict=True):
                free = isinstance(values, tuple) or series.kind in ("vline", "hline")
                if not free and len(values) != len(panel.x):
                    raise ValueError(
                        f"series {series.label!r} of panel {panel.title!r} has {len(values)} "
                        f"values for {len(panel.x)} x"
                    )

        def place(values):
            pair = isinstance(values, tuple)
            numbers = [_numbers(v) for v in values] if pair else _numbers(values)
            key = str(numbers)
            if key not in known:
                known[key] = len(pool)
                pool.append(numbers)
            return known[key]

        return [[place(values) for values in drawn] for drawn in frame]


def _control(control):
    if control.kind not in ("range", "choice"):
        raise ValueError(f"control {control.name!r}: kind must be 'range' or 'choice'")
    if not 0 <= control.start < len(control.values):
        raise ValueError(
            f"control {control.name!r}: start {control.start} is not among its "
            f"{len(control.values)} values"
        )
    labels = [v if isinstance(v, str) else control.label(v) for v in control.values]
    return {
        "name": control.name,
        "labels": labels,
        "start": control.start,
        "kind": control.kind,
        "play": control.play,
    }


def _panel(panel):
    for series in panel.series:
        if series.role not in ROLES or series.kind not in KINDS:
            raise ValueError(
                f"series {series.label!r}: role {series.role!r} must be one of {ROLES} and kind "
                f"{series.kind!r} one of {KINDS}"
            )
    return {
        **vars(panel),
        "series": [vars(series) for series in panel.series],
        "x": _numbers(panel.x),
    }


def _numbers(values):
    """Plain numbers with four digits; null where not finite."""
    return [_number(v) for v in np.asarray(values, float).ravel()]


def _number(value):
    if not np.isfinite(value):
        return None
    value = float(f"{value:.4g}")
    return int(value) if value.is_integer() else value


METHODS = (Series("complete, ρ = 1", "complete"), Series("term dropped, ρ = 0", "dropped"))
RESETS = ("zero", "subtract")


def choice(name, values, start=0):
    return Control(name, values, start, "choice", str)
