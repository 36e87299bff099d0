"""A kept study, and what a notebook says of it: so that tests can hold the one against the other."""

import nbformat

from rppg_lib import results

from ..checkout import ROOT


def study(name):
    """Return a kept study of simulated films, of three seeds at least."""
    found = results.load(ROOT / "results" / f"{name}.small.json")
    assert found.config["seeds"] >= 3 and found.data.startswith("simulated")
    return found


def told_in(notebook, start, stop):
    """Return a notebook's text from one heading to another, in one line."""
    cells = nbformat.read(ROOT / "notebooks" / notebook, 4).cells
    told = " ".join(" ".join(cell.source for cell in cells if cell.cell_type == "markdown").split())
    return told[told.index(f"## {start}"):told.index(f"## {stop}")]


def holds_zero(row, name):
    return row[f"{name}_low"] < 0 < row[f"{name}_high"]
