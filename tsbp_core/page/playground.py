"""The playground: neurons learn in the page, by the engine in JavaScript."""

import hashlib
import json
from pathlib import Path

from IPython.display import HTML

_HERE = Path(__file__).parent
SCRIPTS = (
    *("random", "engine", "population", "chart"),
    *("controls", "settings", "picture", "guess", "playground"),
)
"""Each uses those before it; in the page they are one module."""


def show(presets, compact=False, controls=None, guess=None):
    """Return the playground as HTML that makes no request.

    Parameters
    ----------
    presets : list of dict
        Its buttons: ``name``, ``settings`` as the text of a link, ``caption``, ``chapter`` (the
        name of the page that says more). The first is shown at the start.
    compact : bool, default False
        A few controls alone, and a link to the playground's page, which has them all.
    controls : sequence of str, optional
        Which; default four sliders.
    guess : Guess, optional
        What the reader guesses before training begins: a share of the seeds that learn, in percent.
    """
    data = {"compact": compact, "presets": presets, "controls": controls}
    data["guess"] = guess and guess.fields()
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    name = "tsbp-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    script = "\n".join((_HERE / f"{part}.js").read_text() for part in SCRIPTS)
    style = "".join((_HERE / f"{part}.css").read_text() for part in ("playground", "guess"))
    kind = "tsbp-playground compact" if compact else "tsbp-playground"
    return HTML(
        f"<style>{style}</style>"
        f'<div class="{kind}" id="{name}">'
        f'<script type="application/json">{text}</script></div>'
        f'<script type="module">{script}</script>'
    )
