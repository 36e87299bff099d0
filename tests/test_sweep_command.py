"""``rppg sweep``: what a person reads and a program sees; what the sweep does is in tests/workbook/test_sweep.py."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from argparse import ArgumentParser
from types import SimpleNamespace

import pytest

from rppg_lib import sweep_command
from rppg_lib.workbook import sweep_point
from rppg_lib.workbook.runner import Outcome

from .workbook.made_up import write_notebook, write_profile

WAIT_S = 120
SAVE = ("from rppg_lib import results\nresults.save('01_made_up', {'t': [{'n': people}]}, profile=profile, "
        "data='simulated', seed=0, config={})")


@pytest.fixture
def spec(tmp_path, monkeypatch):
    write_notebook(tmp_path / "notebooks", "01_made_up", SAVE)
    write_profile(tmp_path / "notebooks", "all: {profile: quick}")
    (tmp_path / "seeds.yaml").write_text("{notebook: '1', grid: {people: [1, 2]}}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "seeds.yaml"


@pytest.fixture
def sweep(spec, capsys):
    """Call the command as the command line does."""
    def call(*words):
        parser = ArgumentParser()
        sweep_command.add_options(parser)
        said = []
        args = parser.parse_args([*map(str, words), "--notebooks", "notebooks", "--out", "out"])
        good = sweep_command.run(args, said.append)
        return SimpleNamespace(good=good, out="\n".join(said), err=capsys.readouterr().err)

    return call


@pytest.fixture
def pretended(monkeypatch):
    """A runner that fails at its first point only, and notes which parameters it was given."""
    given = []

    def run(jobs, **options):
        given.append(jobs[0].parameters["people"])
        return [Outcome(name="01_made_up", title="", state="failed", error="ValueError: nothing\nreally", cell=3)]

    monkeypatch.setattr(sweep_point, "run", run)
    return given


def test_a_dry_run_lists_the_points_and_writes_nothing(sweep, spec, pretended):
    result = sweep(spec, "--dry-run")
    assert result.good and result.out == "people=1\npeople=2\nseeds: 2 points of 01_made_up, 2 to run"
    assert pretended == [] and not (spec.parent / "out").exists()


def test_progress_goes_to_stderr_and_the_summary_names_what_failed(sweep, spec, pretended):
    result = sweep(spec)
    assert not result.good and pretended == [1, 2]
    assert re.fullmatch(r"1/2 people=1: failed after 0 s; 1 to go, about 0 s\n2/2 people=2: failed after 0 s\n",
                        result.err)
    assert result.out.startswith("seeds: 2 points, 0 done, 2 failed\n  people=1 failed: cell 3: really\n")
    assert result.out.endswith(f"2 rows in {spec.parent / 'out' / 'sweeps' / 'seeds' / 'table.csv'}")


def test_many_points_need_a_yes(sweep, spec, pretended):
    spec.write_text(f"{{notebook: '1', grid: {{people: {list(range(201))}}}}}")
    with pytest.raises(ValueError, match="asks for 201 points, more than 200. Say --yes"):
        sweep(spec)
    assert sweep(spec, "--dry-run", "--yes").out.endswith("201 points of 01_made_up, 201 to run")


def test_jobs_must_be_some(sweep, spec):
    with pytest.raises(ValueError, match="jobs must be a whole number from 1, got 0"):
        sweep(spec, "--jobs", 0)


def test_the_spec_that_the_help_shows_is_one(tmp_path, monkeypatch):
    import yaml

    from rppg_lib.workbook.sweep_spec import Spec

    shown = sweep_command.EPILOG.split("needs:\n")[1].split("\n\n")[0]
    text = "\n".join(re.split(r"\s{4,}", line.strip())[0] for line in shown.splitlines())
    spec = Spec.of(yaml.safe_load(text), file="shown.yaml")
    assert (spec.notebook, spec.table, spec.jobs, spec.set) == ("03", ("errors",), 2, {"epochs": 4})


def test_without_dask_or_without_a_scheduler_the_error_says_so(sweep, spec, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweep_command, "CONNECT_WITHIN_S", 0.2)
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at tcp://127.0.0.1:9"):
        sweep(spec, "--dask", "tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match="--dask needs the package distributed, not installed"):
        sweep(spec, "--dask", "tcp://127.0.0.1:9")


@pytest.mark.slow
def test_a_dask_cluster_runs_the_points(sweep, spec, pretended):
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                              # of the cluster, about ports and closing
        with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
                                      local_directory=str(spec.parent)) as cluster:
            result = sweep(spec, "--dask", cluster.scheduler_address)
    assert sorted(pretended) == [1, 2] and result.out.startswith("seeds: 2 points, 0 done, 2 failed")


WAITS = """
import os, pathlib, time
pathlib.Path("../started").write_text(str(os.getpid()))
time.sleep(60)
"""
CALL = """
import sys
from argparse import ArgumentParser
from rppg_lib import sweep_command
parser = ArgumentParser()
sweep_command.add_options(parser)
try:
    sweep_command.run(parser.parse_args(sys.argv[1:]), print)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM"])
def test_an_interrupted_sweep_ends_its_notebooks(spec, tmp_path, ending):
    write_notebook(tmp_path / "notebooks", "01_made_up", WAITS)
    # Tests that a shell has started in the background inherit a deaf ear for Ctrl-C, and would pass it on.
    process = subprocess.Popen([sys.executable, "-c", CALL, "seeds.yaml", "--notebooks", "notebooks", "--out", "out"],
                               cwd=tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        until = time.time() + WAIT_S
        while not (tmp_path / "started").exists() or not (tmp_path / "started").read_text():
            assert time.time() < until
            time.sleep(0.05)
        began = time.time()
        process.send_signal(getattr(signal, ending))
        assert process.wait(WAIT_S) == 130 and time.time() - began < 20
    finally:
        process.kill()
        process.wait()
    kernel = int((tmp_path / "started").read_text())
    until = time.time() + WAIT_S
    with pytest.raises(OSError):
        while time.time() < until:
            os.kill(kernel, 0)
            time.sleep(0.05)
