"""What a reader sets: sliders and choices, as controls.js and as ipywidgets take them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NAMES = {"rho": "ρ", "decay": "decay λ", "threshold": "threshold θ"}
"""What a slider is called where no control says it."""


@dataclass(frozen=True)
class Control:
    """A slider (``kind="range"``) over given values, or a choice of one of them (``"choice"``)."""

    name: str
    values: Sequence
    start: int = 0
    kind: str = "range"
    label: Callable = lambda value: value if isinstance(value, str) else f"{value:g}"
    """Turns a value into what is shown."""

    @property
    def first(self):
        return self.values[self.start]


@dataclass(frozen=True)
class Slider:
    """A slider over all numbers from ``low`` to ``high``; with ``log``, these are powers of ten."""

    name: str
    low: float
    high: float
    first: float
    step: float = 0.01
    log: bool = False


def field(control, computed):
    """A control as controls.js takes it; computed frames take values, tables their places."""
    if isinstance(control, Slider):
        if not computed:
            raise ValueError(f"control {control.name!r}: a slider needs computed frames")
        fields = {key: getattr(control, key) for key in ("low", "high", "step", "log")}
        return {"label": control.name, "start": control.first, **fields}
    if control.kind not in ("range", "choice") or (computed and control.kind == "range"):
        raise ValueError(f"control {control.name!r}: kind must be 'range' or 'choice'")
    if not 0 <= control.start < len(control.values):
        raise ValueError(
            f"control {control.name!r}: start {control.start} is not among its "
            f"{len(control.values)} values"
        )
    labels, count = [control.label(value) for value in control.values], len(control.values)
    if control.kind == "range":
        slider = {"low": 0, "high": count - 1, "step": 1, "start": control.start}
        return {"label": control.name, "count": count, "labels": labels, **slider}
    keys = [str(value if computed else i) for i, value in enumerate(control.values)]
    choices = dict(zip(keys, labels, strict=True))
    fields = {
        "choices": choices,
        "start": keys[control.start],
        "radio": count <= 3 and len("".join(labels)) <= 14,
    }
    return {"label": control.name, "count": count, **fields}


def widget(ipywidgets, name, control, span):
    """A widget of a control, or of a slider over ``span``."""
    label = control.name if control else NAMES.get(name, name)
    style = {"description": label, "style": {"description_width": "9em"}}
    if span is None and isinstance(control, Slider):
        return ipywidgets.FloatLogSlider(
            control.first, min=control.low, max=control.high, step=control.step, **style
        )
    if span is None:
        options = [(control.label(v), v) for v in control.values]
        kind = ipywidgets.SelectionSlider if control.kind == "range" else ipywidgets.Dropdown
        return kind(options=options, index=control.start, **style)
    low, high, *start = span
    whole = isinstance(low, int) and isinstance(high, int)
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    # The page moves a value to the nearest step: round ones, so that the start is among them.
    steps = {} if whole else {"step": 10.0 ** round(math.log10((high - low) / 100))}
    value = start[0] if start else control.first if control else low
    return kind(value=value, min=low, max=high, **steps, **style)
