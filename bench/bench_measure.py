"""Whole processes of `rppg measure`, H.264 640x480 at 30 fps. Wanted: 60 s in under 20 s, under 600 MB at any length.

    python bench/bench_measure.py               60 s of film, landmarks on every frame and --fast
    python bench/bench_measure.py 60 600        also ten minutes (takes several)
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from rppg_lib import simulate
from rppg_lib.video import write_video

LOOP_S = 20


def peak_of(command):
    """Run a command; return its output, its seconds, and the most memory that it and its children held together."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    own, together = 0, 0
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            sizes = [each.memory_info().rss for each in (root, *root.children(recursive=True))]
        except psutil.Error:
            sizes = [0]
        own, together = max(own, sizes[0]), max(together, sum(sizes))
        time.sleep(0.05)
    return process.stdout.read(), time.perf_counter() - start, own / 1e6, together / 1e6


lengths = [int(word) for word in sys.argv[1:]] or [60]
film = simulate.film(simulate.person(700, hr_bpm=66), scene="talking", seconds=LOOP_S, seed=1)
pictures = list(film.frames())
with tempfile.TemporaryDirectory() as folder:
    for length in lengths:
        path = Path(folder) / f"{length}.mp4"
        there_and_back = (pictures[k if k < len(pictures) else 2 * len(pictures) - 1 - k]
                          for n in range(length * 30) for k in [n % (2 * len(pictures))])
        written = write_video(path, there_and_back, fs=30, crf=18, preset="veryfast")
        for options in ([], ["--fast"]):
            out, took, own, together = peak_of([sys.executable, "-m", "rppg_lib.cli", "measure", str(path), "--json",
                                                *options])
            found = json.loads(out)
            print(f"{length} s at {written.kbps:.0f} kb/s {' '.join(options) or 'every frame'}: {took:.1f} s, "
                  f"{found['frames'] / took:.0f} frames/s, {own:.0f} MB, with the decoder {together:.0f} MB; "
                  f"{found['verdict']}, {found['reading_bpm']} bpm", flush=True)
