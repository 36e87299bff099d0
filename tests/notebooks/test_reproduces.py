"""The committed numbers are what the notebooks compute now, and notebook 03 learns; the book is made from these runs.

In one file, since two runs cannot write into build/ at once.
"""

import os
import subprocess
import sys

import pandas as pd
import pytest

from rppg_lib import results
from rppg_lib.files import output_dir

from ..checkout import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.notebook]

BETTER_THAN_A_GUESS_BPM, BETTER_THAN_UNTRAINED_BPM = 3.0, 20.0


@pytest.mark.parametrize("file", sorted((ROOT / "results").glob("*.quick.json")), ids=lambda file: file.stem)
def test_a_run_gives_the_committed_numbers(file):
    # Into build/, where one that is up to date is not repeated: the book is made from this run.
    command = [sys.executable, "-m", "rppg_lib.cli", "run", file.name[:2]]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = results.load(file), results.load(output_dir("results", file.name))
    assert (new.config, new.seed, new.data) == (old.config, old.seed, old.data)
    for title, rows in old.tables.items():
        assert len(new.tables[title]) == len(rows)
        for before, now in zip(rows, new.tables[title], strict=True):
            assert now.keys() == before.keys()
            for key in before:
                assert agree(key, before, now[key]), (title, before, key, now[key])


def test_notebook_03_as_it_stands_learns():
    """Run it, quick, and compare its networks with a guess and with themselves before, on people they have not seen."""
    command = [sys.executable, "-m", "rppg_lib.cli", "run", "03"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                          timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    made = results.load(output_dir("results") / "03_learning.quick.json")
    errors = pd.DataFrame(made.tables["errors"])
    assert not errors.failed.any()
    of = errors.groupby("method").mae.mean()                         # over both scenes
    for network in ("physnet", "factorizephys"):
        assert of[network] < of["constant guess"] - BETTER_THAN_A_GUESS_BPM
        assert of[network] < of["physnet, untrained"] - BETTER_THAN_UNTRAINED_BPM
    curve = [row["validation_loss"] for row in made.tables["curves"]]
    assert curve[-1] < curve[0] - 0.2
    lags = pd.DataFrame(made.tables["lags"]).set_index(["network", "labels"])
    assert abs(lags.lag_ms["physnet", "in time"]) <= 34              # a frame
    assert lags.lag_ms["physnet", "late"] == pytest.approx(made.config["lag_ms"], abs=67)


def agree(key, before, now):
    """Say whether a fresh value is the committed one, as far as another processor lets it be.

    Pictures are drawn in single precision and rounded to 8 bits, so another processor moves single pixels. That is
    nothing where the pulse is found; where it is lost the rate is a guess, and then the committed interval decides.
    """
    value = before[key]
    if not isinstance(value, float):
        return now == value
    name, _, end = key.rpartition("_")
    name = name if end in ("low", "high") else key
    low, high = before.get(f"{name}_low"), before.get(f"{name}_high")
    if low is not None and high is not None and low <= high:
        slack = 0.2 + (high - low if name != key else 0)
        if (low - slack <= now <= high + slack) if name == key else abs(now - value) <= slack:
            return True
    return now == pytest.approx(value, rel=0.05, abs=0.2)


@pytest.mark.parametrize("now, same", [(3.1, True), (3.9, True), (4.3, False), (1.7, False)])
def test_a_fresh_value_may_move_within_its_interval_and_no_further(now, same):
    assert agree("mae", {"mae": 3.0, "mae_low": 2.0, "mae_high": 4.0}, now) is same
    assert agree("n", {"n": 3}, 3) and not agree("n", {"n": 3}, 4)
    assert agree("seconds", {"seconds": 3.0}, 3.1) and not agree("seconds", {"seconds": 3.0}, 3.5)
