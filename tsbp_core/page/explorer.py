"""Explorers: controls and a picture that follows them, in the built page and in the live notebook.

An explorer has controls, panels and a *frame* function, which computes what the panels show for
given settings. ``page()`` returns HTML that needs no kernel and makes no request: either it holds
the frames of every combination of the controls' values, or, where the engine in JavaScript can
compute them, the same frame function in JavaScript. ``live()`` asks the kernel for each frame.
"""

import hashlib
import html
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from IPython.display import HTML

from tsbp_core.page.controls import Control, Slider, field, widget
from tsbp_core.page.guess import Guess
from tsbp_core.page.style import RESET_NAMES

ROLES = ("complete", "dropped", "reset", "truth", "faint", "wrong")
KINDS = (
    *("line", "steps", "stems", "dots", "raster", "arrows", "vline", "hline"),
    *("pixels", "image"),
)
SCRIPTS = ("random", "engine", "chart", "controls", "guess", "explorer")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Series:
    """One thing drawn: ``role`` gives colour and dashes, ``kind`` the shape."""

    label: str
    role: str = "truth"
    kind: str = "line"


@dataclass(frozen=True)
class Panel:
    """Axes and the series drawn in them; ``x`` is shared by series that give only their y.

    Without ``ylim`` the axis of y fits what is drawn. With ``bare`` there are no axes: the panel is
    as high as its limits say, for its width. Panels with a ``span`` share out as many columns as
    the widest spans.
    """

    title: str
    xlabel: str
    ylabel: str
    series: Sequence[Series]
    xlim: tuple
    ylim: tuple | None = None
    xlog: bool = False
    ylog: bool = False
    x: Sequence = ()
    xticks: Sequence | None = None
    bare: bool = False
    span: int = 0
    images: Sequence[dict] = ()
    """For series of the kind "image". Each has ``source``, an address, and ``alt``, a text."""


@dataclass(frozen=True)
class Explorer:
    """An explorer of a ``frame`` function.

    Parameters
    ----------
    title, question : str
        The question is answered by sliding.
    controls : dict of Control or Slider
        By the name of the frame's argument.
    panels : sequence of Panel
    frame : callable
        Takes the controls' values by name and returns what to draw and a sentence that says it:
        ``([[series, ...], ...], text)``, one list a panel. A series is an array of y, a pair of
        arrays (x, y), for "vline" and "hline" an array of positions, for "arrows" four arrays (x,
        y, x2, y2), for "pixels" three, the upper left corners of squares and [their size, columns
        of the grid], and for "image" its place in [place]. NaN breaks a line.
    script : Path, optional
        A file of JavaScript with a function ``FRAMES[name]``, ``name`` that of the frame without
        its ``_frame``: the page calls it in place of holding frames. Sliders need it.
    picture : str, default "panels"
        The function of PICTURES, in JavaScript, that draws.
    height : int, default 220
        Of a panel, in pixels.
    sweep : str, optional
        The slider that *play* moves, "" for none; default the first.
    guess : Guess, optional
        What the reader guesses before the page shows the picture.
    """

    title: str
    question: str
    controls: dict
    panels: Sequence[Panel]
    frame: Callable
    script: Path | None = None
    picture: str = "panels"
    height: int = 220
    sweep: str | None = None
    guess: Guess | None = None

    def page(self):
        """Return the explorer as HTML: its frames inline, or what computes them.

        Raises
        ------
        ValueError
            If a role, a kind, a start or a frame doesn't fit; the message names it.
        """
        controls = {name: field(c, self.script) for name, c in self.controls.items()}
        panels = [_panel(panel) for panel in self.panels]
        if self.script:
            return self._html(controls, panels=panels, compute=self.frame_name)
        names, values = list(self.controls), [c.values for c in self.controls.values()]
        settings = [dict(zip(names, v, strict=True)) for v in itertools.product(*values)]
        pool, known = [], {}
        frames = [self.frame(**s) for s in settings]
        frames = [[self._series(series, pool, known), text] for series, text in frames]
        return self._html(controls, panels=panels, frames=frames, pool=pool)

    def live(self, **ranges):
        """Show the explorer with ipywidgets, each frame computed by the kernel, as a slider moves.

        Parameters
        ----------
        **ranges : tuple (low, high) or (low, high, start)
            A continuous slider in place of the control of that name, or for an argument that no
            control has. It starts where the control does, or at ``start``, or at ``low``. The
            other controls keep their values.
        """
        import ipywidgets

        ranges = {name: (c.low, c.high, c.first) for name, c in self.controls.items()
                  if isinstance(c, Slider) and not c.log} | ranges  # fmt: skip
        sliders = {
            name: widget(ipywidgets, name, control, ranges.pop(name, None))
            for name, control in self.controls.items()
        }
        sliders |= {name: widget(ipywidgets, name, None, span) for name, span in ranges.items()}
        name = f"tsbp-frame-{id(sliders)}"
        frame, output = ipywidgets.HTML(), ipywidgets.Output()
        shown = itertools.count()

        def put(**data):  # each has a number: equal texts would not be sent
            text = html.escape(json.dumps({"n": next(shown), **data}, allow_nan=False))
            frame.value = f'<div hidden id="{name}">{text}</div>'

        def redraw(_=None):
            put(busy=True)
            put(**self._frame_or_message({name: slider.value for name, slider in sliders.items()}))

        for slider in sliders.values():
            slider.observe(redraw, "value")
        panels = [_panel(panel) for panel in self.panels]
        output.append_display_data(self._html({}, panels=panels, follow=name))
        redraw()
        box = ipywidgets.Layout(grid_template_columns="repeat(auto-fill, minmax(22em, 1fr))")
        controls = ipywidgets.GridBox(list(sliders.values()), layout=box)
        return ipywidgets.VBox([controls, output, frame])

    def _frame_or_message(self, settings):
        """What the page is sent of a frame: its panels and text, or the error's message."""
        try:
            panels, text = self.frame(**settings)
            pool = []
            places = self._series(panels, pool, {})
            return {"panels": [[pool[i] for i in drawn] for drawn in places], "text": text}
        except Exception as error:  # a reader who slides should get a sentence, whatever it is
            text = str(error)
            if not isinstance(error, (ValueError, RuntimeError)):
                text = f"{type(error).__name__}: {error}"
            return {"error": text}

    def _html(self, controls, **data):
        sliders = [name for name, fields in controls.items() if "choices" not in fields]
        data |= {
            "key": "try-" + self.frame_name,
            "title": self.title,
            "question": self.question,
            "controls": controls,
            "picture": self.picture,
            "height": self.height,
            "sweep": next(iter(sliders), "") if self.sweep is None else self.sweep,
            "guess": self.guess and controls and self.guess.fields(),
        }
        # In a script element only "</" and "<!--" matter; escaping every "<" settles both.
        text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        text = text.replace("<", "\\u003c")
        name = "tsbp-" + hashlib.sha256(text.encode()).hexdigest()[:12]
        files = [_HERE / f"{part}.js" for part in (SCRIPTS if self.script else SCRIPTS[2:])]
        style = "".join((_HERE / f"{part}.css").read_text() for part in ("explorer", "guess"))
        script = "\n".join(file.read_text() for file in [*files, *filter(None, [self.script])])
        return HTML(
            f"<style>{style}</style>"
            f'<div class="tsbp-explorer" id="{name}">'
            f'<script type="application/json">{text}</script></div>'
            f'<script type="module">{script}\n'
            f"document.querySelectorAll('#{name}').forEach(explore);</script>"
        )

    @property
    def frame_name(self):
        return getattr(self.frame, "__name__", "frame").removesuffix("_frame")

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
                free = isinstance(values, tuple) or series.kind in ("vline", "hline", "image")
                if not free and len(values) != len(panel.x):
                    raise ValueError(
                        f"series {series.label!r} of panel {panel.title!r} has {len(values)} "
                        f"values for {len(panel.x)} x"
                    )

        def place(values):
            several = isinstance(values, tuple)
            numbers = [_numbers(v) for v in values] if several else _numbers(values)
            key = str(numbers)
            if key not in known:
                known[key] = len(pool)
                pool.append(numbers)
            return known[key]

        return [[place(values) for values in drawn] for drawn in frame]


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


def choice(name, values, start=0, label=str):
    """One of a few values, each with its name."""
    return Control(name, values, start, "choice", label)


def reset_choice(start="zero"):
    """The reset: hard or soft."""
    resets = tuple(RESET_NAMES)
    return choice("reset", resets, resets.index(start), lambda reset: RESET_NAMES[reset].split()[0])
