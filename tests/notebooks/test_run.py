"""Every notebook runs from beginning to end with small parameters, and writes nothing but what it should."""

import os
import subprocess
import sys

import nbformat
import pytest

from rppg_lib import results
from rppg_lib.workbook import settings
from rppg_lib.workbook.notebook import find, read

from ..checkout import ROOT

pytest.importorskip("nbval")
pytestmark = [pytest.mark.slow, pytest.mark.notebook]

FOLDER = ROOT / "notebooks"
IN_JUPYTERLAB = ("00", "02")             # run with the same parameters in tests/browser/test_lab.py
WAIT_S = 600


def small_copy(path, folder):
    """Write a copy whose cell of parameters says what the profile 'smoke' says; return its path."""
    notebook = read(path)
    values = settings.merged(notebook, settings.read_profile(FOLDER / "profiles", "smoke"), {})
    content = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", ())]
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    nbformat.write(content, folder / path.name)
    return folder / path.name


def run_with_nbval(copy, out):
    """Run a notebook as tests, one per cell, without the settings of this project."""
    folder = copy.parent
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "RPPG_OUT": str(out), "OMP_NUM_THREADS": "1", "JUPYTER_PREFER_ENV_PATH": "1"}
    for name in ("MPLBACKEND", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval-lax",
               "--nbval-current-env", "-c", "pytest.ini", copy.name]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=WAIT_S)


def check_results(name, out):
    made = results.load(out / "results" / f"{name}.smoke.json")
    assert (made.name, made.profile) == (name, "smoke")


@pytest.mark.parametrize("path", [path for path in find(FOLDER) if not path.name.startswith(IN_JUPYTERLAB)],
                         ids=lambda path: path.stem)
def test_a_notebook_runs_and_leaves_its_results_and_nothing_else(path, tmp_path):
    copy, out = small_copy(path, tmp_path), tmp_path / "out"
    done = run_with_nbval(copy, out)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    check_results(path.stem, out)
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([path.name, "out", "pytest.ini"])


def test_a_cell_that_fails_is_seen(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = 1", "assert x == 2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
    done = run_with_nbval(tmp_path / "bad.ipynb", tmp_path / "out")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
