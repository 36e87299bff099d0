"""``rppg run`` itself, with kernels: what runs, what is left and told, and how it goes on after an end by force."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import nbformat
import pytest

from .made_up import WAIT_S, edit, is_alive, printed, wait_for, write_notebook, write_profile

pytest.importorskip("papermill")
pytestmark = [pytest.mark.slow, pytest.mark.notebook]

RPPG = [sys.executable, "-m", "rppg_lib.cli"]

MEET = """
import os, pathlib, time
here = pathlib.Path(os.environ["RPPG_OUT"])
(here / "{mine}.started").write_text(str(os.getpid()))
until = time.time() + 60
while not (here / "{others}").exists() and time.time() < until:
    time.sleep(0.05)
print("met", (here / "{others}").exists())
"""
SAVE = ("from rppg_lib import results\n"
        "results.save('01_meets', {'t': [{'n': people}]}, profile=profile, data='simulated', seed=0, config={})")
LOOK = ("import matplotlib\n"
        "print(people, speed, band_hz, os.getcwd())\n"
        "print('backend', matplotlib.get_backend(), 'threads', os.environ['OMP_NUM_THREADS'])")


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RPPG_")}
    return {**kept, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", **more}


def rppg(*words, cwd):
    done = subprocess.run([*RPPG, "run", *map(str, words)], cwd=cwd, env=environment(), capture_output=True, text=True,
                          timeout=WAIT_S)
    assert "Traceback (most recent call last)" not in done.stderr
    return done


# Once: two that run together, of which one fails, and one whose kernel dies.

@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workbook")
    notebooks = folder / "notebooks"
    write_notebook(notebooks, "01_meets", MEET.format(mine="01", others="02.started"), SAVE, LOOK,
                   ("raise KeyError('shown on purpose')", "raises-exception"), title="01 Meets")
    write_notebook(notebooks, "02_fails", MEET.format(mine="02", others="01.started"),
                   "def half(x):\n    return x / 0\n\nhalf(speed)", "print('never')", title="02 Fails")
    write_notebook(notebooks, "03_dies", "import os\nos._exit(3)", title="03 Dies")
    write_profile(notebooks, 'all: {profile: small, people: 4}\n"01": {speed: 2.5}', "small")
    return folder


@pytest.fixture(scope="module")
def done(home):
    return rppg("--profile", "small", "-p", "people=6", "--out", "made", "--notebooks", "notebooks", cwd=home)


def test_a_failure_does_not_stop_the_others_and_is_the_exit_status(done, home):
    assert done.returncode == 1
    assert done.stderr == "rppg run: 2 of 3 notebooks failed: 02_fails, 03_dies.\n"
    assert "01 Meets: done after" in done.stdout
    assert sorted(path.name for path in (home / "made" / "notebooks").glob("*.ipynb")) == ["01_meets.ipynb"]


def test_a_failure_is_reported_with_cell_source_and_traceback_and_the_copy_is_kept(done, home):
    report = done.stdout[done.stdout.index("02_fails failed"):]
    assert report.startswith("02_fails failed in cell 4 (In [4]): ZeroDivisionError: float division by zero\n\n"
                             "    def half(x):\n")        # the cell that sets parameters has run too: it is not counted
    assert "----> 2     return x / 0" in report and "\x1b" not in done.stdout
    (path,) = re.findall(r"The notebook up to there: (.*02_fails.ipynb)", report)
    assert "met True" in printed(path) and "never" not in printed(path)


def test_a_kernel_that_dies_is_reported_with_the_cell_it_was_in(done):
    assert re.search(r"03_dies failed in cell 3.*: DeadKernelError", done.stdout)
    assert "    os._exit(3)" in done.stdout


def test_two_notebooks_run_at_a_time(done, home):
    """Each waits until the other has started: one after the other, neither would see it."""
    assert "met True" in printed(home / "made" / "notebooks" / "01_meets.ipynb")
    assert "met True" in printed(home / "made" / "notebooks" / "partial" / "02_fails.ipynb")


def test_parameters_reach_the_notebook_from_profile_and_command_line(done, home):
    text = printed(home / "made" / "notebooks" / "01_meets.ipynb")
    assert f"6 2.5 (0.7, 3.0) {home / 'notebooks'}" in text
    result = json.loads((home / "made" / "results" / "01_meets.small+people=6.json").read_text())
    assert result["tables"]["t"] == [{"n": 6}]


def test_a_notebook_draws_into_itself_and_computes_with_one_thread(done, home):
    assert re.search(r"backend \S*inline threads 1", printed(home / "made" / "notebooks" / "01_meets.ipynb"))


def test_an_executed_copy_is_a_valid_notebook_without_paths_of_the_machine(done, home):
    copy = home / "made" / "notebooks" / "01_meets.ipynb"
    nbformat.validate(nbformat.read(copy, as_version=4))
    assert str(home) not in json.dumps(json.loads(copy.read_text())["metadata"])


def test_run_times_are_written_for_what_was_finished(done, home):
    (row,) = json.loads((home / "made" / "run_times.json").read_text())
    assert (row["notebook"], row["title"], row["profile"]) == ("01_meets", "Meets", "small")
    assert 1 < row["seconds"] < WAIT_S
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["when"]) and "CPU cores" in row["machine"]


def test_what_is_finished_and_unchanged_is_skipped_edited_or_fresh_it_runs_again(done, home, tmp_path):
    made = shutil.copytree(home, tmp_path / "home") / "made"
    command = ["1", "--profile", "small", "-p", "people=6", "--out", "made", "--notebooks", "notebooks"]

    def again(*more):
        (made / "02.started").touch()
        before = (made / "notebooks" / "01_meets.ipynb").stat().st_mtime_ns
        ended = rppg(*command, *more, cwd=made.parent)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout, (made / "notebooks" / "01_meets.ipynb").stat().st_mtime_ns != before

    text, written = again()
    assert re.fullmatch(r"What a notebook's text says of numbers was written for profile quick [^\n]*\n"
                        r"01 Meets: done already \(\d+ s, unchanged\)\n"
                        r"Executed notebooks are in made.notebooks, results in made.results\.\n", text) and not written
    text, written = again("--fresh")
    assert "done after" in text and written
    edit(made.parent / "notebooks" / "01_meets.ipynb", "print(people", "print('edited', people")
    text, written = again()
    assert "01 Meets: runs again, because this has changed: notebook\n" in text and written
    assert "edited 6" in printed(made / "notebooks" / "01_meets.ipynb")


def test_a_folder_of_collected_notebooks_runs_without_profiles_and_its_exercises_are_counted(tmp_path):
    define = "from rppg_lib.teach.checks import exercise\n" + "\n".join(
        f"@exercise('2.{k}', stars=1, minutes=5)\ndef check_{k}(case):\n"
        f"    'Doubles.'\n    case('one', 1).gives(2)\n" for k in (1, 2, 3))
    cells = [("check_1(lambda x: 2 * x)", "check"), ("check_2(lambda x: x)", "check"), ("def mine(x):\n    raise "
             "NotImplementedError\ncheck_3(mine)", "check"), ("check_3(lambda x: 2 * x).must_be_right()", "solution")]
    write_notebook(tmp_path / "collected", "02_alice", define, *cells, title="02 Doubling")
    write_notebook(tmp_path / "collected", "02_van-dam", define, title="02 Doubling")
    done = rppg("--notebooks", "collected", "--out", "graded", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "written for profile quick" not in done.stdout
    assert re.search(r"^Passed over, .*: 02_van-dam.ipynb$", done.stdout, re.M)
    assert "collected has no folder profiles/: the notebooks run with the parameters written in them.\n" in done.stdout
    assert "02 Doubling: exercises 1 right, 1 wrong, 1 not tried\n" in done.stdout
    assert done.stdout.splitlines()[-1] == f"Executed notebooks are in {os.path.join('graded', 'notebooks')}."


# Ends by force

of_unix = pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
WAITS = MEET.format(mine="02", others="go")


@pytest.fixture
def waiting(tmp_path):
    """A run in which 01 is finished and 02 waits for a file 'go'; the process, the pid of 02's kernel, how to run."""
    notebooks, out = tmp_path / "notebooks", tmp_path / "build"
    write_notebook(notebooks, "01_short", "print('short')", title="01 Short")
    write_notebook(notebooks, "02_waits", WAITS, title="02 Waits")
    write_profile(notebooks, "all: {profile: quick}")
    command = [*RPPG, "run", "--notebooks", str(notebooks), "--out", str(out)]
    # Tests that a shell has started in the background inherit a deaf ear for Ctrl-C, and would pass it on.
    listening = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, preexec_fn=listening)
    try:
        wait_for(lambda: (out / "notebooks" / "01_short.ipynb").exists(), "01 has not ended")
        wait_for(lambda: (out / "02.started").exists() and (out / "02.started").read_text(), "02 has not started")
        yield process, int((out / "02.started").read_text()), command
    finally:
        process.kill()
        process.communicate()


@of_unix
def test_a_run_that_was_killed_leaves_nothing_running_and_goes_on_with_the_same_command(waiting, tmp_path):
    process, kernel, command = waiting
    out = tmp_path / "build"
    process.kill()
    process.wait()
    wait_for(lambda: not is_alive(kernel), "the kernel outlives its runner")
    assert not (out / "notebooks" / "02_waits.ipynb").exists()
    first = (out / "notebooks" / "01_short.ipynb").read_bytes()
    (out / "go").touch()
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^01 Short: done already \(\d+ s, unchanged\)$", done.stdout, re.MULTILINE)
    assert "02 Waits: done after" in done.stdout
    assert (out / "notebooks" / "01_short.ipynb").read_bytes() == first
    assert not (out / "notebooks" / "partial").exists()


@of_unix
@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_ends_its_notebooks_and_says_how_to_go_on(waiting, tmp_path, ending):
    process, kernel, _ = waiting
    process.send_signal(getattr(signal, ending))
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert err == "rppg run: stopped. What is finished is kept: the same command continues.\n"
    wait_for(lambda: not is_alive(kernel), "the kernel outlives the run")
    assert [row["notebook"] for row in json.loads((tmp_path / "build" / "run_times.json").read_text())] == ["01_short"]
