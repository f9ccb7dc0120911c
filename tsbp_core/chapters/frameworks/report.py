"""What chapter 12 says of its study: values for its text, by name, and tables.

``document`` is the results file, as ``results.load`` returns it.
"""

from tsbp_core import LIF, page, surrogates
from tsbp_core.chapters.frameworks import libraries, study
from tsbp_core.chapters.frameworks.defaults import SURROGATES, reproduced
from tsbp_core.chapters.frameworks.ways import Match

STBP = Match(LIF(0.8, 1.0, "zero", surrogates.Rectangle(width=1.0)))
"""Our neuron for the common loop of STBP."""
DIFFERENT = "current", "reset_delay=False", "membrane after", "ours"
"""What is shown of one neuron above two thresholds."""


def of_stbp():
    """The common loop of STBP, measured here: it needs no other library."""
    fitted = study.fit(libraries.stbp, STBP, *study.draw())
    return {
        "stbp-rho": f"{fitted['rho']:.3f}",
        "stbp-error": f"{fitted['error']:.0e}" if fitted["error"] else "zero",
        "stbp-spikes": str(fitted["spikes"]),
        "stbp-dropped": f"{fitted['distance']['0']:.0%}",
    }


def of_ways(document):
    """How many ways of using the libraries our neuron reproduces."""
    settings, all_ways = document["settings"], document["results"]["ways"]
    ways = {(way["library"], way["name"]): way for way in all_ways}
    adjoint = ways["Norse", "lif_feed_forward_adjoint_step()"]
    return {
        "tolerance": f"{settings['tolerance']:.0e}",
        "size": f"{settings['steps']} × {settings['neurons']}",
        "ways": str(len(ways)),
        "reproduced": str(sum(map(reproduced, all_ways))),
        "spike-errors": str(sum(way["spikes"] for way in all_ways)),
        "adjoint": f"{min(adjoint['distance'].values()):.1f}",
        "other-loop": f"{ways['spytorch style', 'loop()']['distance']['1']:.0%}",
    }


def of_surrogates(document):
    """How far default areas lie apart, and what is odd about some surrogates."""
    shapes, odd = (document["results"][key] for key in ("surrogates", "surprises"))
    loop, *areas = (next(iter(functions.values()))["area"] for functions in shapes.values())
    return {
        "area-ratio": f"{max(areas) / min(areas):.0f}",
        "area-ratio-loop": f"{max(areas) / loop:.0f}",
        "norse-h": " and ".join(sorted({f"{height:.2f}" for height in odd["alpha"].values()})),
        "norse-alphas": ", ".join(odd["alpha"]),
        "norse-meant": f"{1 / (1 + 100 * 0.1) ** 2:.4f}",
        "nan-below": f"{-odd['sigmoid is NaN below']:.1f}",
        "triangular": f"{shapes['snnTorch']['triangular']['lowest']:.0f}",
    }


def of_surprises(document):
    """What we did not expect of the libraries."""
    odd = document["results"]["surprises"]
    spikes, _ = odd["MultiSpike"]
    delayed, at_once = odd["reset_delay"]["spikes"]
    integral = odd["lif_step_integral"]
    return {
        "delay-differ": f"{odd['reset_delay']['differ']:.1%}",
        "delay-spikes": f"{delayed} and {at_once}",
        "integral-steps": str(integral["steps"]),
        "integral-shape": " × ".join(map(str, integral["shape"])),
        "silent-spikes": f"{sum(odd['reset_value']):.0f}",
        "silent-steps": str(len(odd["reset_value"])),
        "multi-spikes": f"{spikes:.0f}",
    }


def phrases(document):
    """All values of chapter 12's text."""
    said = of_stbp()
    for part in (of_ways, of_surrogates, of_surprises):
        said |= part(document)
    return said


def surrogates_table(document):
    """Each library's surrogates; the first is its default, and has our name for it."""
    rows = []
    for library, functions in document["results"]["surrogates"].items():
        rows.append(f"{library}; by default ours is <code>{SURROGATES[library]}</code>")
        for name, shape in functions.items():
            rows.append(
                (
                    name,
                    f"{shape['peak']:.3g}",
                    f"{shape['area']:.3g}",
                    "fires" if shape["fires at threshold"] else "silent",
                    ", ".join(f"{z:g}" for z in shape["nan in float32"]),
                )
            )
    return page.table(("surrogate", "peak", "area", "at u = θ", "NaN at z ="), rows)


def two_thresholds_table(document):
    """One neuron, step by step, after a current of more than two thresholds."""
    large = document["results"]["surprises"]["two thresholds"]
    names = {"reset_delay=False": "snnTorch's spikes, reset_delay=False", "ours": "our spikes"}
    rows = [(names.get(key, key), *(f"{value:.3g}" for value in large[key])) for key in DIFFERENT]
    return page.table(("step", *map(str, range(1, len(large["current"]) + 1))), rows)
