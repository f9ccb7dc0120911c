"""Tables of trained networks, one row a cell."""

import re

from tsbp_core.chapters.growth import plan, report, tables, verdicts


def summary(number):
    """A cell's outcomes, told from others by its ``number``."""
    return {
        "ends": [70.04, 60.0 + number],
        "gain": (number, number - 1, number + 1),
        "verdict": "help",
        "flat": number != 1,
        "edge": [False, number == 2],
        "speed": {"ratio": [0.5, 0.4, 0.625], "verdict": "faster", "never": [3, number]},
        "at": {150: (1, 0, 2), 300: (3, 2, 4), 600: (5, 4, 6)},
        "average": (7, 6, 8),
        "by_rate": [(k, k - 0.5, k + 0.5) for k in range(8 if number > 900 else 7)],
    }


def made():
    """Summaries of all cells; numbers of the momentum's begin at 1,000."""
    found = {}
    for k, family in enumerate(plan.FAMILIES):
        cells = plan.family(family)
        found[family] = {c.name: summary(500 * k + i) for i, c in enumerate(cells)}
    return found


def cells_of(table):
    """The cells of each row but the head."""
    rows = [re.sub("<[^>]*>", "|", row) for row in table.split("<tr>")[2:]]
    return [[cell for cell in row.split("|") if cell] for row in rows]


def test_a_cell_is_named_by_what_tells_it_from_its_block():
    main, near = plan.MAIN[0], plan.family("near")[0]
    assert tables.neuron(main) == "soft, 1, 4"
    assert tables.neuron(near) == "soft, 5, 20, λ 0.9, θ 0.5"


def test_marks_say_unfinished_and_edge():
    assert tables.end(summary(0)) == "+0.0 [-1.0, +1.0] help"
    assert tables.end(summary(1)) == "+1.0 [+0.0, +2.0] help†"
    assert tables.end(summary(2)) == "+2.0 [+1.0, +3.0] help*"
    assert tables.end(summary(0) | {"edge": [True, False]}).endswith("help*")
    both = summary(1) | {"edge": [True, True]}
    assert tables.end(both).endswith("help†*")


def test_blocks_have_the_titles_of_their_cells():
    found = dict(tables.blocks(made()))
    fits = {
        "three layers": lambda c: (c.depth, c.steps, c.optimizer) == (3, 50, "adam"),
        "one layer": lambda c: c.depth == 1,
        "three layers, 200 steps": lambda c: c.steps == 200,
        "three layers, other λ and θ": lambda c: (c.decay, c.threshold) != (0.9, 1.0),
        "three layers, SGD with momentum": lambda c: c.optimizer == "sgd",
    }
    assert [*found] == [*fits]
    assert all(fits[title](cell) for title, cells in found.items() for cell, _ in cells)


def heads(table):
    """The texts of a table's head."""
    return re.findall("<th>(.*?)</th>", table.split("</tr>")[0])


def test_heads_stand_above_their_columns():
    families, first = made(), "reset, height, slope"
    main = tables.main_table(families["verdict"])
    assert heads(main) == [first, "after 150", "in the end", "ratio of updates"]
    ends = tables.ends_table(families)
    assert heads(ends) == [first, "right, %", "in the end", "ratio of updates", "never"]
    early = heads(tables.early_table(families))
    assert early == [first, "after 150", "after 300", "after 600", "mean of all"]
    rates = tables.rates_table(families)
    assert heads(rates)[:2] == [first, "gain at each rate"]
    assert {row.count("<td>") for row in rates.split("<tr>")[1:]} == {0, 9}


def test_the_main_table_has_its_cells_in_order():
    rows = cells_of(tables.main_table(made()["verdict"]))
    assert len(rows) == len(plan.MAIN)
    assert rows[3] == [
        tables.neuron(plan.MAIN[3]),
        "+1.0 [+0.0, +2.0]",
        "+3.0 [+2.0, +4.0] help",
        "0.50 [0.40, 0.62] faster",
    ]


def test_all_tables_have_every_cell_once():
    families = made()
    cells = {cell.name for family in plan.FAMILIES for cell in plan.family(family)}
    for table in (tables.ends_table, tables.early_table, tables.rates_table):
        rows = cells_of(table(families))
        assert sum(row[0].startswith(("soft", "hard")) for row in rows) == len(cells)
        assert [row[0] for row in rows if len(row) == 1] == list(tables.TITLES.values())


def test_columns_of_all_cells():
    families = made()
    ends, early = (cells_of(table(families)) for table in (tables.ends_table, tables.early_table))
    assert ends[3][1:3] == ["70.0 and 62.0", "+2.0 [+1.0, +3.0] help*"]
    assert ends[3][3:] == ["0.50 [0.40, 0.62] faster", "3 and 2"]
    gains = ["+1.0 [+0.0, +2.0]", "+3.0 [+2.0, +4.0]", "+5.0 [+4.0, +6.0]", "+7.0 [+6.0, +8.0]"]
    assert early[3][1:] == gains


def test_each_block_has_its_own_rates():
    rows = cells_of(tables.rates_table(made()))
    heads = [row for row in rows if row[0] == "at"]
    grids = [(3, "adam"), (1, "adam"), (3, "adam"), (3, "adam"), (3, "sgd")]
    assert heads == [["at", *(f"{rate:g}" for rate in plan.RATES[key])] for key in grids]
    assert "-0.0" not in tables.rates_table(verdicts.by_family())
    assert rows[2][1:3] == ["+0.0 ± 0.5", "+1.0 ± 0.5"] and len(rows[-1]) == 9


def test_committed_cells_at_an_edge_are_those_that_the_text_names():
    families = verdicts.by_family()
    at_edge = [name for family in families.values() for name, s in family.items() if any(s["edge"])]
    soft = [
        plan.Cell("area", 50, "subtract", decay=0.9, threshold=0.5),
        plan.Cell("area", 25, "subtract", optimizer="sgd"),
    ]
    assert at_edge == [cell.name for cell in soft] and soft[0] == report.EDGE


def test_rates_that_the_text_names():
    families = verdicts.by_family()
    said = report.phrases_of_rates(*families.values())
    assert said["near-edge"] == "0.000625" and said["near-edge-loss"] == "-42.4 [-47.4, -37.4]"
    assert said["slow-momentum"] == "48"
    first = [families["verdict"][cell.name]["by_rate"][0][0] for cell in report.MILD]
    assert len(first) == 4 and said["slow-rates"] == f"{min(first):+.1f} to {max(first):+.1f}"
