"""A project of one small notebook, made by hand, to build the book from without running anything."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.figure
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rppg_lib.teach.checks import NOT_TRIED, Verdict
from rppg_lib.teach.slider import slider
from rppg_lib.workbook.fingerprint import file_digest

from .checkout import ROOT

BOOK = ROOT / "book"
STEM = "02_small"
FRAME = ("<table border='1' class='dataframe'><thead><tr style='text-align: right;'><th></th><th>mae</th><th>macc</th>"
         "</tr></thead><tbody><tr><th>pos</th><td>18.6</td><td>6.4</td></tr></tbody></table>")
BROAD = "a word that is far too long for a telephone " * 6


def module(name: str) -> ModuleType:
    """Load a module of book/, which is no package: its scripts find one another beside themselves."""
    if str(BOOK) not in sys.path:
        sys.path.append(str(BOOK))
    key = f"book_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, BOOK / f"{name}.py")
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


def code(source: str, *outputs, **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def shown(**data):
    return new_output("display_data", data={name.replace("_", "/"): value for name, value in data.items()})


def printed(text: str):
    return new_output("stream", name="stdout", text=text)


def notebook():
    """Return an executed notebook that has one of everything the book treats specially."""
    table = "<table class='dataframe'><tr>" + f"<td>{BROAD}</td>" * 8 + "</tr></table>"
    formula = "$$h = x + \\frac{\\sigma(x)}{\\sigma(y)} y" + " + \\alpha\\beta\\gamma" * 30 + "$$"
    cells = [
        new_markdown_cell("# A small notebook\n\nSee the [notation](../book/notation.md), {term}`POS` and "
                          f"([Wang et al. 2017](../book/bibliography.md#wang2017pos)).\n\n{formula}"),
        code("people = 8                  # how many", tags=["parameters"]),
        code("# Parameters\npeople = 8", tags=["injected-parameters"], papermill={"duration": 0.1}),
        code("slider(draw, [0, 1, 2], label='level')", shown(text_html=_slider()._repr_html_()), tags=["slider"]),
        code("table  # " + BROAD, shown(text_html=table), shown(text_plain="")),
        code("frame", shown(text_html=FRAME)),
        code("check.untried", shown(text_html=Verdict("2.9", NOT_TRIED)._repr_html_())),
        new_markdown_cell("## Exercise 2.1"),
        code("def my_alpha(x, y):         # Exercise 2.1  ★★☆  10 min\n    raise NotImplementedError\n"
             "check.alpha(my_alpha)", printed("2.1: not tried yet\n"), tags=["exercise", "check"]),
        new_markdown_cell("<details><summary>Hint 1: spread</summary>\n\nThink of $\\sigma$.\n\n</details>",
                          metadata={"tags": ["hint"]}),
        new_markdown_cell("Divide one by the other.", metadata={"tags": ["hint"]}),
        code("def alpha(x, y):\n    return x.std() / y.std()", printed("2.1: right\n"), tags=["solution"],
             jupyter={"source_hidden": True, "outputs_hidden": True}),
    ]
    return new_notebook(cells=cells, metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"}, "papermill": {"input_path": "somebody/02_small.ipynb"}})


def project(folder: Path, executed=None) -> tuple[Path, Path]:
    """Make a project in ``folder``; return it and its output folder, as if ``rppg run`` had been there."""
    executed = executed or notebook()
    out = folder / "build"
    for place in (folder / "notebooks" / "profiles", out / "notebooks", out / "results"):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "notebooks" / "profiles" / "quick.yaml").write_text('"02": {people: 8}\n', encoding="utf-8")
    stripped = nbformat.from_dict(executed)
    stripped.cells = [cell for cell in stripped.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for cell in stripped.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    stripped.metadata.pop("rppg", None)
    nbformat.write(stripped, folder / "notebooks" / f"{STEM}.ipynb")
    result = {"name": STEM, "profile": "quick", "data": "simulated", "seed": 0, "config": {"people": 8},
              "tables": {"error": [{"method": "pos", "mae": 1.5, "mae_low": 1.0, "mae_high": 2.0}]},
              "versions": {"numpy": "2"}, "device": "none", "seconds": 1.0, "revision": "none", "made": "never"}
    files = {f"{STEM}.quick.json": json.dumps(result), f"{STEM}.quick.error.csv": "method,mae\npos,1.5\n"}
    for name, text in files.items():
        (out / "results" / name).write_text(text, encoding="utf-8")
    record(executed, out, files)
    nbformat.write(executed, out / "notebooks" / f"{STEM}.ipynb")
    return folder, out


def record(executed, out, files, *, people=8) -> None:
    """Write into an executed notebook what ``rppg run`` does: parameters and results."""
    executed.metadata["rppg"] = {"profile": "quick", "parameters": {"people": repr(people)}, "machine": "somebody's",
                                 "results": {f"results/{name}": file_digest(out / "results" / name) for name in files}}


def _slider():
    def draw(level):
        figure = matplotlib.figure.Figure(figsize=(8, 3))
        figure.add_axes([0, 0, 1, 1]).imshow([[level]], vmin=0, vmax=2)
        return figure

    return slider(draw, [0, 1, 2], label="level", start=1)
