"""Score 42 one-minute records: wanted under 2 s, here as a whole process and in this one."""

from timing import seconds  # first: it sets one thread

# isort: split
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from rppg_lib.evaluation import score_file

t = np.arange(1800) / 30
rng = np.random.default_rng(0)
label = np.sin(2 * np.pi * rng.uniform(0.8, 2.5, (42, 1)) * t)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "records.npz"
    np.savez(path, pred=label + rng.normal(size=label.shape), label=label, fs=30)
    for options in ({}, {"compatible": True}, {"window_s": 10.0}):
        took = seconds(partial(score_file, path, **options), repeats=3)
        print(f"score_file({options or ''}) {took:.2f} s of CPU")
    start = time.perf_counter()
    command = [sys.executable, "-m", "rppg_lib.cli", "score", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(f"rppg score as a whole process {time.perf_counter() - start:.2f} s (wanted: under 2 s)")
    print(done.stdout)
