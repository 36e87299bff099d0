"""A sweep: its spec is checked before anything runs, its points run once, and its table is what a loop would give."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import joblib
import pandas as pd
import pytest
import yaml

from rppg_lib.files import locked
from rppg_lib.workbook import sweep_point
from rppg_lib.workbook.fingerprint import library_digest
from rppg_lib.workbook.runner import Outcome
from rppg_lib.workbook.sweep import _Progress, asked_for, is_done, sweep
from rppg_lib.workbook.sweep_point import LOOK_EVERY_S, Order, Stopped, Wanted, run_point, share_clips
from rppg_lib.workbook.sweep_spec import Spec

from ..checkout import ROOT
from .made_up import WAIT_S, is_alive, wait_for, write_notebook, write_profile

GRID = {"people": [2, 3], "speed": [0.5, 2.5]}
of_unix = pytest.mark.skipif(os.name != "posix", reason="signals of Unix")


@pytest.fixture
def notebooks(tmp_path):
    """A folder with one notebook and a profile that changes one of its parameters."""
    write_notebook(tmp_path / "notebooks", "01_made_up", "print(people)")
    write_profile(tmp_path / "notebooks", "all: {profile: quick, speed: 2.0}")
    return tmp_path / "notebooks"


def spec_of(text, file="made.yaml"):
    return Spec.of(yaml.safe_load(text), file=file)


def points_of(text, notebooks, **more):
    return asked_for(spec_of(text), notebooks=notebooks, **more)


# The spec

def test_every_combination_is_a_point_and_starts_from_the_profile(notebooks):
    found = points_of("{notebook: 1, grid: {people: [1, 2], band_hz: [[1, 2], [0.5, 4]]}}", notebooks)
    assert [point.values for point in found] == [
        {"people": 1, "band_hz": (1.0, 2.0)}, {"people": 1, "band_hz": (0.5, 4.0)},
        {"people": 2, "band_hz": (1.0, 2.0)}, {"people": 2, "band_hz": (0.5, 4.0)}]
    assert all(point.job.parameters["speed"] == 2.0 for point in found)
    assert found[0].job.parameters["profile"] == "quick+people=1+band_hz=1.0_2.0"


def test_what_is_set_holds_everywhere_what_is_skipped_is_left_out_and_more_may_be_added(notebooks):
    found = points_of("{notebook: '01', grid: {people: [1, 2, 3]}, set: {speed: 7}, skip: [{people: 2}], "
                      "also: [{people: 9, speed: 1e-1}]}", notebooks)
    assert [(point.job.parameters["people"], point.job.parameters["speed"]) for point in found] == [
        (1, 7.0), (3, 7.0), (9, 0.1)]
    assert [point.values for point in found][0] == {"people": 1, "speed": 7.0}   # it varies: it is a column


def test_a_points_folder_is_readable_short_and_of_its_parameters_alone(notebooks):
    text = "{notebook: '01', grid: {people: [1, 2]}}"
    first, second = points_of(text, notebooks)
    assert re.fullmatch(r"people=1-[0-9a-f]{8}", first.folder) and first.folder != second.folder
    assert [point.folder for point in points_of(text, notebooks)] == [first.folder, second.folder]
    assert points_of("{notebook: '01', grid: {people: [1]}, set: {speed: 3}}", notebooks)[0].folder != first.folder
    many = points_of("{notebook: '01', grid: {band_hz: [[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]]}}", notebooks)
    assert len(many[0].folder) < 60 and not set(many[0].folder) & set('<>:"/\\|?*, ')


@pytest.mark.parametrize("text, words", [
    ("[1, 2]", ["made.yaml: needs keys such as 'notebook' and 'grid'"]),
    ("", ["needs keys"]),
    ("{grid: {people: [1]}}", ["needs the notebook"]),
    ("{notebook: true, grid: {people: [1]}}", ["needs the notebook", "True"]),
    ("{notebook: '1', gird: {people: [1]}}", ["'gird' is no key of a sweep", "Did you mean 'grid'?"]),
    ("{notebook: '1'}", ["needs a grid"]),
    ("{notebook: '1', grid: {}}", ["needs a grid"]),
    ("{notebook: '1', grid: {people: []}}", ["grid, people: needs a list of values", "got []"]),
    ("{notebook: '1', grid: {people: 3}}", ["grid, people: needs a list of values", "got 3"]),
    ("{notebook: '1', grid: [people]}", ["grid: needs names of parameters with values"]),
    ("{notebook: '1', grid: {1: [people]}}", ["grid: needs names of parameters with values"]),
    ("{notebook: '1', grid: {poeple: [1]}}", ["grid, poeple[0]: notebook 01 has no parameter 'poeple'",
                                              "Did you mean 'people'?"]),
    ("{notebook: '1', grid: {people: [1, two]}}", ["grid, people[1] must be of type int", "'two'"]),
    ("{notebook: '1', grid: {speed: [.nan]}}", ["grid, speed[0] must be finite"]),
    ("{notebook: '1', grid: {anything: [2024-01-01]}}", ["anything[0] must be made of numbers, words", "Quote it"]),
    ("{notebook: '1', grid: {people: [1, 2, 1]}}", ["grid, people: 1 is there twice"]),
    ("{notebook: '1', grid: {speed: [1e-1, 0.1]}}", ["speed=0.1 is there twice"]),
    ("{notebook: '1', grid: {people: [1]}, also: [{people: 1}]}", ["people=1 is there twice"]),
    ("{notebook: '1', grid: {people: [1]}, also: {people: 2}}", ["also: needs a list"]),
    ("{notebook: '1', grid: {people: [1]}, also: [{}]}", ["also: needs a list"]),
    ("{notebook: '1', grid: {people: [1]}, also: [{sped: 2}]}", ["also[0], sped", "Did you mean 'speed'?"]),
    ("{notebook: '1', grid: {people: [1]}, set: {people: 2}}", ["'people' stands under 'grid' and under 'set'"]),
    ("{notebook: '1', grid: {people: [1]}, skip: [{people: 2}]}", ["skip[0]: no point has people=2"]),
    ("{notebook: '1', grid: {people: [1]}, skip: [{people: 1}]}", ["'skip' leaves no point"]),
    ("{notebook: '1', grid: {profile: [full]}}", ["Name the profile to start from"]),
    ("{notebook: '1', grid: {status: [1]}}", ["cannot be called 'status'"]),
    ("{notebook: '1', grid: {people: [1]}, jobs: 0}", ["jobs must be a whole number from 1, got 0"]),
    ("{notebook: '1', grid: {people: [1]}, jobs: true}", ["jobs must be a whole number"]),
    ("{notebook: '1', grid: {people: [1]}, name: ../up}", ["name must be letters, digits", "'../up'"]),
    ("{notebook: '1', grid: {people: [1]}, table: {a: 1}}", ["table must be the title"]),
    ("{notebook: '1', grid: {people: [1]}, profile: 3}", ["profile must be the name of one"]),
    ("{notebook: '1', grid: {people: [1]}, profile: quik}", ["no profile 'quik'", "Did you mean 'quick'?"]),
    ("{notebook: '7', grid: {people: [1]}}", ["there is no notebook '7'"]),
])
def test_a_wrong_spec_is_one_clear_error(text, words, tmp_path):
    parameters = 'profile = "a"\npeople = 2\nspeed = 1.5\nanything = None\nstatus = 0'
    write_notebook(tmp_path, "01_made_up", parameters=parameters)
    write_profile(tmp_path, "all: {profile: quick}")
    with pytest.raises((ValueError, FileNotFoundError)) as raised:
        points_of(text, tmp_path)
    message = str(raised.value)
    assert message.startswith("sweep: ") and "run:" not in message and "\n" not in message
    assert "made.yaml" in message and all(word in message for word in words), message


def test_a_file_that_is_no_yaml_is_an_error_with_its_line(tmp_path):
    (tmp_path / "broken.yaml").write_text("notebook: '1'\ngrid: {people: [1\n")
    with pytest.raises(ValueError, match=r"sweep: broken.yaml, line \d: is not valid YAML"):
        Spec.read(tmp_path / "broken.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ValueError, match="is not valid YAML"):
        Spec.read(tmp_path / "bytes.yaml")
    with pytest.raises(FileNotFoundError, match="there is no file .*none.yaml"):
        Spec.read(tmp_path / "none.yaml")


def test_many_points_are_asked_about_and_a_grid_without_end_is_never_made(notebooks):
    many = f"{{notebook: '1', grid: {{people: {list(range(20))}, speed: {list(range(11))}}}}}"
    with pytest.raises(ValueError, match="asks for 220 points, more than 200. Say --yes"):
        points_of(many, notebooks)
    assert len(points_of(many, notebooks, limit=1000)) == 220
    lists = f"people: {list(range(1000))}, speed: {list(range(1000))}, band_hz: {[[k, k + 1] for k in range(1000)]}"
    endless = f"{{notebook: '1', grid: {{{lists}}}}}"
    began = time.monotonic()
    with pytest.raises(ValueError, match="asks for 1000000000 points"):
        points_of(endless, notebooks, limit=10**12)
    assert time.monotonic() - began < 10


def test_nothing_is_written_when_the_spec_is_wrong(notebooks, tmp_path):
    with pytest.raises(ValueError, match="no parameter 'poeple'"):
        sweep(spec_of("{notebook: '1', grid: {poeple: [1]}}"), out=tmp_path / "out", notebooks=notebooks)
    assert not (tmp_path / "out").exists()


PAGE = (ROOT / "book" / "sweeps.md").read_text("utf-8")
SHOWN = {spec.notebook: spec for spec in map(spec_of, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))}


def test_the_specs_that_the_workbook_and_its_book_show_fit_the_notebooks():
    folder = ROOT / "notebooks" / "sweeps"
    kept = {path.name: Spec.read(path) for path in folder.glob("*.yaml")}
    assert set(kept) == {"05-seeds.yaml", "paper.yaml"}
    for spec, where, points in ((SHOWN["05"], folder.parent, 6), (kept["05-seeds.yaml"], folder.parent, 6),
                                (kept["paper.yaml"], folder, 15)):
        assert len(asked_for(spec, notebooks=where)) == points


# One point, without a kernel

@pytest.fixture
def order(notebooks, tmp_path):
    (point,) = points_of("{notebook: 1, grid: {people: [1]}}", notebooks)
    (tmp_path / "asked").write_text("me")
    return Order(number=3, job=point.job, folder=tmp_path / "out" / "point", clips=tmp_path / "clips", fresh=False,
                 asked_by=tmp_path / "asked", token="me", library=library_digest())


@pytest.fixture
def pretended(monkeypatch):
    """A runner that only notes that it was called."""
    calls = []

    def run(jobs, **options):
        calls.append(options)
        (job,) = jobs
        return [Outcome(name=job.notebook.name, title="", state="done")]

    monkeypatch.setattr(sweep_point, "run", run)
    return calls


def test_a_worker_with_other_code_refuses(order, pretended):
    number, outcome = run_point(sweep_point.Order(**{**vars(order), "library": "another"}))
    assert (number, outcome.state, pretended) == (3, "failed", [])
    assert "rppg_lib here is not what it was when the sweep began" in outcome.error


def test_an_error_outside_of_the_notebook_fails_this_point_alone(order, pretended):
    order.folder.parent.mkdir()
    order.folder.write_text("a file where the folder should be")
    number, outcome = run_point(order)
    assert (number, outcome.state, pretended) == (3, "failed", []) and "FileExistsError" in outcome.error


def test_a_point_waits_while_a_worker_that_outlived_its_sweep_is_in_its_folder(order, pretended):
    order.folder.mkdir(parents=True)
    ended = []
    with open(order.folder / sweep_point.LOCK, "a+b") as file:
        assert locked(file)
        thread = threading.Thread(target=lambda: ended.append(run_point(order)))
        thread.start()
        time.sleep(3 * sweep_point.WAIT_S)
        assert not pretended and not ended
    thread.join(WAIT_S)
    assert len(pretended) == 1 and ended[0][1].state == "done"


def test_a_point_ends_when_another_sweep_asks_but_not_before_it_has_seen_its_own(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(sweep_point.time, "monotonic", lambda: now[0])
    asked = tmp_path / "asked"

    def look():
        now[0] += LOOK_EVERY_S
        wanted()

    wanted = Wanted(asked, "me")
    look()                                                           # a network folder that shows it later
    asked.write_text("the one before")
    look()
    asked.write_text("me")
    look()
    asked.write_text("")
    wanted()                                                         # looks seldom
    with pytest.raises(Stopped):
        look()


def test_points_share_one_folder_of_clips(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "sweeps" / name).mkdir(parents=True)
        for _ in range(2):
            share_clips(tmp_path / "sweeps" / name, tmp_path / "clips")
    (tmp_path / "sweeps" / "a" / "clips" / "store").mkdir()
    assert (tmp_path / "sweeps" / "b" / "clips" / "store").is_dir() or os.name != "posix"


def test_where_links_are_forbidden_a_point_makes_its_own_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "symlink_to", lambda *a, **k: (_ for _ in ()).throw(OSError("no right to")))
    share_clips(tmp_path, tmp_path / "all")
    assert not (tmp_path / "clips").exists()


def test_the_time_that_is_left_follows_from_the_points_that_ran(notebooks, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("rppg_lib.workbook.sweep.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = _Progress(points_of("{notebook: 1, grid: {people: [1, 2, 3, 4]}}", notebooks), stream)

    def ended(number, state):
        progress.ended(number, Outcome(name="", title="", state=state, seconds=90.0))

    ended(2, "skipped")
    now[0] = 100.0
    ended(0, "done")
    now[0] = 300.0
    ended(1, "failed")
    ended(3, "done")
    assert stream.getvalue().splitlines() == [
        "1/4 people=3: done already (90 s, unchanged)", "2/4 people=1: done after 90 s; 2 to go, about 3 min",
        "3/4 people=2: failed after 90 s; 1 to go, about 2 min", "4/4 people=4: done after 90 s"]


# With kernels: four points and one that fails, two at a time, all on one store of clips

NOTES = """
from rppg_lib.data import build_store, simulated_sources
from rppg_lib.files import output_dir
store = build_store(simulated_sources(1, scenes="still", seconds=2, size_px=16), output_dir("clips"), name="tiny",
                    jobs=1, progress=False)
recording = store.path / "recordings" / store.records[0].folder
"""
HALVES = "if speed > 5:\n    raise ValueError('too fast\\n  for anybody')"
SAVE = """
from rppg_lib import results
rows = [{"half": k, "product": people * speed / (k + 1), "people": -people, "none": None} for k in range(2)]
results.save("01_made_up", {"t": rows, "clips": [{"inode": recording.stat().st_ino}]}, profile=profile,
             data="simulated, 1 person", seed=0, config={})
"""


def asked(home, **more):
    content = {"notebook": "01", "grid": GRID, "also": [{"people": 7, "speed": 9.0}], **more}
    return Spec.of(content, file="four.yaml")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_notebook(folder / "notebooks", "01_made_up", NOTES, HALVES, SAVE)
    write_profile(folder / "notebooks", "all: {profile: quick}")
    return folder


def swept_in(home, stream=None, **more):
    options = {key: more.pop(key) for key in ("jobs", "fresh") if key in more}
    return sweep(asked(home, **more), out=home / "out", notebooks=home / "notebooks", stream=stream, **options)


@pytest.fixture(scope="module")
def swept(home):
    pytest.importorskip("papermill")
    stream = io.StringIO()
    return swept_in(home, stream, jobs=2), stream.getvalue()


def done_copies(home):
    return {path: path.read_bytes() for path in (home / "out" / "sweeps").rglob("notebooks/01_made_up.ipynb")}


@pytest.mark.slow
@pytest.mark.notebook
def test_the_table_holds_what_a_loop_would_compute(swept, home):
    assert [one.error for one in swept[0].ended] == ["", "", "", "", "cell 4: for anybody"]
    table = pd.read_csv(home / "out" / "sweeps" / "four" / "table.csv")
    assert list(table.columns) == ["people", "speed", "table", "half", "product", "people_of_result", "none", "inode",
                                   "data_kind", "run_seconds", "status", "error", "point"]
    found = table[table["table"] == "t"]
    direct = [(people, speed, k, people * speed / (k + 1), -people)
              for people in GRID["people"] for speed in GRID["speed"] for k in range(2)]
    columns = ["people", "speed", "half", "product", "people_of_result"]
    assert [tuple(row) for row in found[columns].to_numpy()] == direct
    assert set(found["data_kind"]) == {"simulated, 1 person"} and set(found["status"]) == {"done"}
    assert found["run_seconds"].between(1, WAIT_S).all() and found["none"].isna().all()


@pytest.mark.slow
@pytest.mark.notebook
def test_a_point_that_fails_is_named_with_the_last_line_of_its_error_and_the_others_finish(swept, home):
    result, progress = swept
    (failed,) = result.failed
    assert failed.point.values == {"people": 7, "speed": 9.0} and failed.error == "cell 4: for anybody"
    assert "four: 5 points, 4 done, 1 failed\n  people=7 speed=9.0 failed: cell 4: for anybody\n" in result.to_text()
    (row,) = result.table[result.table["status"] == "failed"].to_dict("records")
    assert (row["people"], row["speed"], row["error"]) == (7, 9.0, "cell 4: for anybody")
    assert failed.partial.is_file() and str(failed.partial) in result.to_text()
    lines = progress.splitlines()
    assert len(lines) == 5 and re.search(r"^\d/5 people=7 speed=9.0: failed after \d+ s", progress, re.MULTILINE)
    assert re.fullmatch(r"4/5 people=\d speed=[\d.]+: \w+ after \d+ s; 1 to go, about \d+ s", lines[3])


@pytest.mark.slow
@pytest.mark.notebook
@of_unix
def test_all_points_see_one_recording_that_was_made_once(swept, home):
    inodes = swept[0].table["inode"].dropna()
    assert len(inodes) == 4 and len(set(inodes)) == 1
    (store,) = (home / "out" / "clips").iterdir()
    assert [path.name for path in (store / "recordings").iterdir() if path.stat().st_ino == inodes.iloc[0]]


@pytest.mark.slow
@pytest.mark.notebook
def test_again_only_what_failed_runs_and_what_was_mended_is_done(swept, home, tmp_path):
    before, stream = done_copies(home), io.StringIO()
    result = swept_in(home, stream)
    assert [one.state for one in result.ended] == ["skipped"] * 4 + ["failed"]
    assert done_copies(home) == before
    assert stream.getvalue().count("done already") == 4 and "5 points, 4 done (4 of them before)" in result.to_text()
    pd.testing.assert_frame_equal(result.table.iloc[:-1], swept[0].table.iloc[:-1])


@pytest.mark.slow
@pytest.mark.notebook
def test_points_that_left_the_spec_leave_the_table_and_are_named(swept, home):
    result = swept_in(home, grid={"people": [3], "speed": [0.5]}, also=None, table="t")
    table = pd.read_csv(result.folder / "table.csv")
    assert set(table["people"]) == {3} and len(table) == 2 and set(table["table"]) == {"t"} and not result.failed
    assert len(result.strays) == 4 and "4 folders" in result.to_text()


@pytest.mark.slow
@pytest.mark.notebook
def test_a_table_that_no_result_has_is_said_and_the_points_stay_done(swept, home):
    result = swept_in(home, also=None, table=["clip"])
    assert len(result.failed) == 4
    assert result.failed[0].error == "the results have no table 'clip'. Did you mean 'clips'? Tables: t, clips"
    assert set(result.table["status"]) == {"failed"} and len(result.table) == 4
    spec = asked(home)
    done = [is_done(point, spec, out=home / "out") for point in asked_for(spec, notebooks=home / "notebooks")]
    assert done == [True] * 4 + [False]


@pytest.mark.slow
@pytest.mark.notebook
def test_the_points_go_where_joblib_is_told_to_send_them(swept, home):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        there = swept_in(home, also=None)
    assert [one.state for one in there.ended] == ["skipped"] * 4
    pd.testing.assert_frame_equal(there.table, swept[0].table.iloc[:-1].infer_objects(), check_dtype=False)


def test_a_backend_of_joblibs_gets_every_point_and_one_that_breaks_is_an_error(notebooks, tmp_path, pretended):
    from joblib._parallel_backends import ThreadingBackend

    asked = []

    class Noting(ThreadingBackend):
        def submit(self, func, callback=None):
            asked.append(func)
            return super().submit(func, callback)

    class Broken(ThreadingBackend):
        def submit(self, func, callback=None):
            raise OSError("the cluster\nis gone")

    spec = spec_of("{notebook: 1, grid: {people: [1, 2, 3]}}")
    for name, backend in (("noting", Noting), ("broken", Broken)):
        joblib.register_parallel_backend(name, backend)
    with joblib.parallel_config(backend="noting", n_jobs=2):
        result = sweep(spec, out=tmp_path / "out", notebooks=notebooks)
    assert len(asked) == 3 and len(pretended) == 3
    assert [one.error.split(". ")[0] for one in result.ended] == ["the notebook wrote no results"] * 3
    with joblib.parallel_config(backend="broken", n_jobs=2), \
            pytest.raises(RuntimeError, match=r"the workers failed \(OSError: is gone\). What is finished is kept"):
        sweep(spec, out=tmp_path / "out", notebooks=notebooks)
    assert not (tmp_path / "out" / "sweeps" / "made" / "table.csv").exists()


# Ends by force

WAITS = """
import os, pathlib, time
here = pathlib.Path("..").resolve()
if people == 2:
    (here / "started").write_text(str(os.getpid()))
    until = time.time() + 60
    while not (here / "go").exists() and time.time() < until:
        time.sleep(0.05)
from rppg_lib import results
results.save("01_waits", {"t": [{"n": people}]}, profile=profile, data="simulated", seed=0, config={})
"""


@of_unix
@pytest.mark.slow
@pytest.mark.notebook
def test_a_sweep_that_was_killed_leaves_nothing_running_and_goes_on_with_what_is_missing(tmp_path):
    write_notebook(tmp_path / "notebooks", "01_waits", WAITS)
    (tmp_path / "made.yaml").write_text("{notebook: '1', grid: {people: [1, 2]}}")
    call = {"out": tmp_path / "out", "notebooks": tmp_path / "notebooks"}
    code = (f"from pathlib import Path; from rppg_lib.workbook.sweep import sweep; "
            f"sweep('made.yaml', out=Path({str(call['out'])!r}), notebooks=Path({str(call['notebooks'])!r}))")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    try:
        wait_for(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text(), "2 has not started")
        kernel = int((tmp_path / "started").read_text())
        with pytest.raises(FileExistsError, match="another 'rppg sweep' is at work in .*made. Wait for it"):
            sweep(tmp_path / "made.yaml", **call)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not is_alive(kernel), "the kernel outlives its sweep")
    assert not (tmp_path / "out" / "sweeps" / "made" / "table.csv").exists()
    (first,) = (tmp_path / "out" / "sweeps").rglob("notebooks/01_waits.ipynb")
    before = first.read_bytes()
    (tmp_path / "go").touch()
    result = sweep(tmp_path / "made.yaml", **call)
    assert [one.state for one in result.ended] == ["skipped", "done"] and first.read_bytes() == before
    assert result.table["n"].tolist() == [1, 2]


@pytest.mark.slow
@pytest.mark.notebook
def test_the_page_on_sweeps_is_true(tmp_path, monkeypatch):
    parameters, work, reading = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    write_notebook(tmp_path / "mine", "11_folds", work, parameters=parameters, title="11 Folds")
    spec = SHOWN["11"]
    assert len(asked_for(spec, notebooks=tmp_path / "mine")) == 15
    few = replace(spec, name="folds", grid={"fold": [0], "seed": [1, 2]}, set={"people": 5, "epochs": 1})
    result = sweep(few, out=tmp_path / "build", notebooks=tmp_path / "mine")
    assert not result.failed, result.to_text()
    for name in re.findall(r"^\| `(.*?)` \|", PAGE.split("| column of the table")[1], re.MULTILINE):
        assert set(re.split("`, `", name)) <= {"shape", *result.table.columns}
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(reading, "book/sweeps.md", "exec"), names)
    assert names["by_seed"].index.tolist() == [("physnet", 1), ("pos", 1), ("physnet", 2), ("pos", 2)]
    assert names["together"]["n"].tolist() == [2, 2] and names["together"]["subjects"].tolist() == [1, 1]
