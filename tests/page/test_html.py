import pytest
from myst_nb.ext import glue as theirs

from tsbp_core import neuron, page, surrogates
from tsbp_core.chapters.gradient import figures
from tsbp_core.page import style


def test_shown_figure_follows_the_page_and_has_alternative_text():
    html = page.show(figures.unrolled("kept"), alt='a "graph"', caption="c").data
    assert 'role="img" aria-label="a &quot;graph&quot;"' in html
    assert "<figcaption>c</figcaption>" in html
    assert style.INK not in html
    assert "currentColor" in html
    assert f"var(--tsbp-reset, {style.RESET})" in html


def test_same_figure_same_bytes():
    a, b = (page.show(figures.surrogate_families(), alt="").data for _ in range(2))
    assert a == b


def test_texts_are_kept_as_myst_nb_keeps_them(monkeypatch):
    kept = []
    for module, name in ((theirs, "ipy_display"), (page.html, "display")):
        monkeypatch.setattr(module, name, lambda *data, **how: kept.append((data, how)))
    text = "it's +0.31 [−0.2, 1]"
    theirs.glue("a", text, display=False)
    page.glue({"a": text})
    assert kept[0] == kept[1]


def test_excerpt_is_dedented_source():
    assert page.excerpt(neuron.charge, "return") == "return lif.decay * v + x"
    lines = page.excerpt(surrogates.Gaussian._h, "ratio", before="return")
    assert lines == "ratio = z / self.width"
    with pytest.raises(ValueError, match="no line of charge starts with 'v ='"):
        page.excerpt(neuron.charge, "v =")


def test_a_table_shows_as_html_and_reads_as_text():
    made = page.table(("a", "b"), [("1", "2"), "rest"])
    assert made._repr_html_() == made
    assert "<td>1</td><td>2</td>" in made
    assert '<th colspan="2">rest</th>' in made
