"""Small notebooks for the tests of the runner."""

import json
import os
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

WAIT_S = 120
"""No process of a test takes as long."""

PARAMETERS = 'profile = "quick"\npeople = 2           # how many\nspeed = 1.5\nband_hz = (0.7, 3.0)'


def write_notebook(folder: Path, name: str, *codes, title="01 Made up", parameters=PARAMETERS) -> Path:
    """Write a notebook of a title, parameters and cells of code (a pair: source, tag)."""
    cells = [new_markdown_cell(f"# {title}")]
    if parameters is not None:
        cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for code in codes:
        source, *tags = (code,) if isinstance(code, str) else code
        cells.append(new_code_cell(source, metadata={"tags": tags} if tags else {}))
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def write_profile(folder: Path, text: str, name="quick") -> Path:
    path = folder / "profiles" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in the sources of a notebook, as a person with an editor would."""
    text = path.read_text("utf-8")
    assert json.dumps(old)[1:-1] in text
    path.write_text(text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]), "utf-8")


def printed(copy: Path) -> str:
    """Return all that the cells of an executed notebook have printed."""
    notebook = nbformat.read(copy, as_version=4)
    return "".join(output.text for cell in notebook.cells for output in cell.get("outputs", ())
                   if output.output_type == "stream" and output.name == "stdout")


def wait_for(condition, what):
    until = time.time() + WAIT_S
    while not condition():
        assert time.time() < until, what
        time.sleep(0.05)


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False
