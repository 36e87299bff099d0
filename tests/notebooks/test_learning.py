"""Notebook 03 really learns: in the quick profile, on people it has not seen. A second seed is in test_reproduces."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from rppg_lib import results

from ..checkout import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.notebook]

BETTER_THAN_A_GUESS_BPM, BETTER_THAN_UNTRAINED_BPM = 3.0, 20.0


@pytest.mark.parametrize("seed", [7])
def test_a_trained_network_beats_a_guess_and_its_untrained_self_on_other_people(seed, tmp_path):
    check_that_it_learned("-p", f"seed={seed}", "--out", str(tmp_path), seed=seed,
                         file=tmp_path / "results" / f"03_learning.quick+seed={seed}.json")


def check_that_it_learned(*options, seed, file):
    """Run notebook 03, quick, and compare its networks with a guess and with themselves before."""
    command = [sys.executable, "-m", "rppg_lib.cli", "run", "03", *options]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                          timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    made = results.load(file)
    assert made.seed == seed and made.config["people"] == 26
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
