"""Every notebook runs from beginning to end with small parameters, and writes nothing but what it should.

Those that take a store of recorded people get one here, of people who have not allowed that their faces are shown, at
another rate and size than the notebook's own; on simulated people all run when the book is made.
"""

import os
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest

from rppg_lib import results
from rppg_lib.data import ClipSource, build_store, simulated_sources
from rppg_lib.workbook import settings
from rppg_lib.workbook.notebook import find, read

from ..checkout import ROOT

pytest.importorskip("nbval")
pytestmark = [pytest.mark.slow, pytest.mark.notebook]

FOLDER = ROOT / "notebooks"
IN_JUPYTERLAB = ("00", "02")             # run with the same parameters in tests/browser/test_lab.py
WAIT_S = 600
LENT = "lent for this test"
WATCH = """
# No picture of the store's people may be drawn.
import matplotlib.axes, numpy
from rppg_lib.data import ClipStore

faces = [numpy.asarray(clip.frames).mean((0, -1)) for store in [ClipStore.open(data)] for clip in
         map(store.clip, store.records)]
draw, drawn = matplotlib.axes.Axes.imshow, []

def watched(ax, picture, *more, **options):
    grey = numpy.asarray(picture, float)
    grey = grey.mean(-1) if grey.ndim == 3 else grey
    drawn.append(grey.shape)
    for face in faces:
        if grey.shape == face.shape and grey.std():
            assert abs(numpy.corrcoef(grey.ravel(), face.ravel())[0, 1]) < 0.8, "a lent face is drawn"
    return draw(ax, picture, *more, **options)

matplotlib.axes.Axes.imshow = watched
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folder of a store of lent recordings: eight people in two scenes, one without a label."""
    folder = tmp_path_factory.mktemp("recorded")
    people = simulated_sources(range(5400, 5408), scenes=("still", "talking"), seconds=10.0, fs=25.0, size_px=28)
    films = build_store(people, folder, name="films", jobs=1, progress=False)
    lent = [replace(clip, dataset=LENT, condition={"still": "rest"}.get(clip.condition, "speech"),
                    label=None if number == 1 else clip.label)
            for number, clip in enumerate(map(films.clip, films.records))]
    return build_store([ClipSource(clip=clip) for clip in lent], folder, name="lent", jobs=1, progress=False).path


def small_copy(path, folder, **given):
    """Write a copy whose cell of parameters says what the profile 'smoke' says, or what is given; return its path."""
    notebook = read(path)
    values = settings.merged(notebook, settings.read_profile(FOLDER / "profiles", "smoke"), given)
    content = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", ())]
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in values.items()) + (WATCH if given else "")
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
    return made


@pytest.mark.parametrize("path", [path for path in find(FOLDER) if not path.name.startswith(IN_JUPYTERLAB)],
                         ids=lambda path: path.stem)
def test_a_notebook_runs_and_leaves_its_results_and_nothing_else(path, tmp_path, recorded):
    given = {"data": str(recorded), "profile": "smoke"} if "data" in read(path).parameters else {}
    copy, out = small_copy(path, tmp_path, **given), tmp_path / "out"
    done = run_with_nbval(copy, out)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    made = check_results(path.stem, out)
    if given:
        assert "recorded people" in made.data and recorded.name in made.data
        if path.name[:2] != "09":                                    # which has films of its own besides
            assert [made.config[name] for name in ("data", "fs", "size_px")] == [str(recorded), 25.0, 28]
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted([path.name, "out", "pytest.ini"])


def test_a_cell_that_fails_is_seen(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("x = 1", "assert x == 2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "bad.ipynb")
    done = run_with_nbval(tmp_path / "bad.ipynb", tmp_path / "out")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
