"""How long a picture takes live: the network alone, and everything from the film to the rate. On one core.

    python tools/bench_live.py               # a minute or two; untrained networks take as long
    python tools/bench_live.py --save        # keep the tables, stamped, in build/results

Where the system can, this process and its decoder are held on one core. Run it while nothing else runs: end to end,
times are those of the clock on the wall, with what waits for the core.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"                                  # before anything that starts threads is loaded

import numpy as np
import torch

from rppg_lib import results, simulate
from rppg_lib.measurement.live import live
from rppg_lib.models import save_network
from rppg_lib.models.exported import PACKAGES, load_stream
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.stream import Stream
from rppg_lib.video import open_video, write_video

FPS, SIZE_PX, FILM_PX = 30, 36, (640, 480)
WARM_UP, PUSHES = 60, 1500
REAL_TIME, MOST_MS = 30, 20.0            # what is asked for: times as fast as the film, milliseconds end to end
NETWORKS = {"kdphys": KDPhys.Config(), "kdphys, any size": KDPhys.for_any_size()}


def streams(folder: Path) -> dict[tuple[str, str], Stream]:
    """Return every way to run every network, those of onnxruntime where it is installed."""
    made = {}
    for name, config in NETWORKS.items():
        torch.manual_seed(0)
        network = KDPhys(config).eval()
        made[name, "PyTorch"] = Stream(network)
        if all(importlib.util.find_spec(package) for package in PACKAGES):
            from rppg_lib.models.export import export

            export(network, folder / name.replace(", ", "-"), stream=True, int8=True)
            made[name, "onnxruntime"] = load_stream(folder / name.replace(", ", "-"))
            made[name, "onnxruntime, 8 bit"] = load_stream(folder / name.replace(", ", "-"), int8=True)
    return made


def pushed(ways: dict[tuple[str, str], Stream]) -> list[dict]:
    """Return how long one picture takes each; they take turns, so that what slows the machine slows them all."""
    pictures = np.random.default_rng(0).integers(0, 256, (50, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for turn in range(PUSHES // len(pictures) + 1):
        for way, stream in ways.items():
            for picture in pictures:
                began = time.process_time()
                stream.push(picture)
                if turn:
                    times[way].append(1e3 * (time.process_time() - began))
    return [{"network": name, "run by": by} | summed(taken) | {"times real time": 1e3 / FPS / float(np.median(taken))}
            for (name, by), taken in times.items()]


def end_to_end(source, network: str | Path | KDPhys) -> dict:
    """Return how long one picture of a film takes from the reader's hands to the rate, the decoder's share with it."""
    walls = [time.perf_counter()]
    for _ in live(source, network):
        walls.append(time.perf_counter())
    return summed(list(1e3 * np.diff(walls[WARM_UP:]))) | {"pictures": len(walls) - 1}


def summed(times_ms: list[float]) -> dict:
    middle, most = np.percentile(times_ms, [50, 95])
    return {"least ms": float(min(times_ms)), "median ms": float(middle), "95th percentile ms": float(most),
            "mean ms": float(np.mean(times_ms))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="of film (default: 20)")
    parser.add_argument("--checkpoint", type=Path, help="a trained kdphys for the film (default: without training)")
    parser.add_argument("--save", action="store_true", help="keep the tables, stamped, as bench_live.full.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})      # the decoder, a process of its own, inherits it
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ways = streams(folder)
        alone = pushed(ways)
        film = simulate.film(simulate.person(810, hr_bpm=72.0), seconds=options.seconds, fs=FPS, seed=1,
                             stage=simulate.Stage(size_px=FILM_PX, face_px=200))
        path = write_video(folder / "film.mp4", film.frames(), fs=FPS, crf=18, preset="veryfast").path
        with open_video(path) as video:
            decoded = [(frame.image.copy(), frame.time_s) for frame in video]
        checkpoint = options.checkpoint or save_network(KDPhys().eval(), folder / "untrained", facts={"fs": float(FPS)})
        runs = {"PyTorch": checkpoint} | ({"onnxruntime": folder / "kdphys"} if len(ways) > len(NETWORKS) else {})
        whole = [{"source": what, "network run by": by} | end_to_end(source, network)
                 for by, network in runs.items() for what, source in (("in memory", decoded), ("mp4", path))]
    for title, rows in (("one picture of 36x36", alone), ("everything, 640x480", whole)):
        print(title, *({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
                       for row in rows), sep="\n  ")
    for row in alone:
        print(f"{row['network']}, {row['run by']}: {row['times real time']:.0f} times real time (asked: {REAL_TIME})")
    for row in whole:
        print(f"{row['source']}, {row['network run by']}: {row['mean ms']:.1f} ms a picture on average, "
              f"{row['95th percentile ms']:.1f} for the slowest of twenty (asked: {MOST_MS:g})")
    if options.save:
        config = {"seconds": options.seconds, "fps": FPS, "size_px": SIZE_PX, "film_px": list(FILM_PX),
                  "pushes": PUSHES, "threads": torch.get_num_threads(),
                  "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}
        print(results.save("bench_live", {"alone": alone, "end_to_end": whole}, profile="full", seed=0, config=config,
                           data="simulated, one film"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
