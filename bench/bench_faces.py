"""Faces: how fast they are found, followed and read, alone and from a file of a minute to its colours."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timing

FS = 30
RENDERED = 300
LONG_S = 60
ONE = """
import sys, time
from pathlib import Path
from rppg_lib.video import face_trace
trace = face_trace(sys.argv[1], every=int(sys.argv[2]), finder=sys.argv[3], regions=sys.argv[4])
try:                                     # not getrusage: it goes on counting from the process that started this one
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = max((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), default=float("nan"))
except OSError:
    peak = float("nan")
print(f"{time.process_time():5.1f} s of CPU, face in {100 * trace.share_found:.0f} % of {len(trace)}, {peak:.0f} MB")
"""


def to_and_fro(pictures, count):
    """Yield ``count`` pictures forwards and backwards in turn, so that nothing jumps where the film starts again."""
    last = len(pictures) - 1
    for number in range(count):
        yield pictures[last - abs(number % (2 * last) - last)]


def rows(pictures, times_s):
    """Yield what is timed, and what is called for one picture."""
    import numpy as np

    from rppg_lib.video import face_crops, face_trace, finder, region_colours
    from rppg_lib.video.regions import each_region

    for name in ("landmarks", "haar"):
        looker, clock = finder(name), iter(range(10**9))
        yield f"find, {name}", lambda looker=looker, clock=clock: looker.find(pictures[5], next(clock) / FS)
        looker.close()
    looker = finder("landmarks")
    seen = [looker.find(picture, time_s)[0] for picture, time_s in zip(pictures, times_s, strict=True)]
    looker.close()
    for names in ("skin", "cheeks", "patches 6x6"):
        yield f"colours, {names}", lambda names=names: region_colours(pictures[5], seen[5].points, each_region(names))

    class Known:
        name = "known"

        def find(self, image, time_s):
            return [seen[round(time_s * FS)]]

        def close(self):
            pass

    film, count = list(zip(pictures, times_s, strict=True)), len(pictures)
    yield "follow, smooth and read, faces known", lambda: face_trace(film, finder=Known()), count
    yield "crops of 72 px, faces known", lambda: [np.sum(p) for p, _ in face_crops(film, finder=Known())], count


def main():
    """Print the figures."""
    import cv2

    from rppg_lib import simulate
    from rppg_lib.video import write_video

    cv2.setNumThreads(1)
    film = simulate.film(500, scene="turning", seconds=RENDERED / FS)
    pictures = list(film.frames())
    print("640 x 480, simulated face of 176 px; CPU time for one picture on one core")
    for name, call, *count in rows(pictures, film.times_s):
        print(f"{name:40s} {1e3 * timing.seconds(call, repeats=3) / (count or [1])[0]:7.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.mp4"
        written = write_video(path, to_and_fro(pictures, LONG_S * FS), fs=FS, preset="veryfast")
        print(f"{LONG_S} s of H.264, {written.kbps:.0f} kbit/s: wall time with start; CPU time and most memory without "
              f"the decoder, which is a process of its own")
        for every, finder, regions in ((1, "landmarks", "skin"), (3, "landmarks", "skin"), (1, "haar", "skin"),
                                       (1, "landmarks", "patches 6x6")):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", ONE, str(path), str(every), finder, regions],
                                  capture_output=True, text=True, check=True)
            print(f"{finder:9s} every {every}  {regions:12s} {time.perf_counter() - start:6.1f} s   "
                  f"{done.stdout.strip()}")


if __name__ == "__main__":
    main()
