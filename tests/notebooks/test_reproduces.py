"""The committed numbers are what the notebooks compute now, from the same seed and parameters."""

import os
import subprocess
import sys

import pytest

from rppg_lib import results

from ..checkout import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.notebook]


@pytest.mark.parametrize("file", sorted((ROOT / "results").glob("*.quick.json")), ids=lambda file: file.stem)
def test_a_fresh_run_gives_the_committed_numbers(file, tmp_path):
    command = [sys.executable, "-m", "rppg_lib.cli", "run", file.name[:2], "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = results.load(file), results.load(tmp_path / "results" / file.name)
    assert (new.config, new.seed, new.data) == (old.config, old.seed, old.data)
    for title, rows in old.tables.items():
        assert len(new.tables[title]) == len(rows)
        for before, now in zip(rows, new.tables[title], strict=True):
            assert now.keys() == before.keys()
            for key, value in before.items():
                # Another processor rounds the last digit otherwise, which may move one window of a hundred.
                wanted = pytest.approx(value, rel=0.05, abs=0.2) if isinstance(value, float) else value
                assert now[key] == wanted, (title, before, key, now[key])
