"""Clips for training: from a store, normalised on the fly, against the same clips as float64 arrays on disk.

Arrays of float64 are what public training code keeps: each clip an ``.npy`` that is loaded whole, turned and cast to
float32. Two kinds: pixels, normalised when they are loaded; and ``DiffNormalized`` in advance, where nothing is left to
compute. All ways end in the same tensor ``(B, 3, T, H, W)``, which is checked. "Cold": the system's cache is told to
forget the files before each reading, where it can be told; a set larger than the memory is always cold.
"""

import argparse
import functools
import os
import tempfile
import time
from pathlib import Path

import timing  # noqa: F401  one thread: before NumPy

FRAMES, SIZE_PX, CLIPS, BATCH = 128, 72, 24, 4
FASTER, SMALLER = 3, 4                   # what is asked for


def forget(paths):
    """Drop files from the system's cache; return whether it can be told to."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def best(call, *, before=lambda: None, repeats=7):
    """Return the smallest wall and CPU seconds of a call over all clips."""
    walls, cpus = [], []
    for _ in range(repeats):
        before()
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def stored(folder, size_px):
    """Keep clips of simulated people in three ways; return the store, its windows, and the paths of the arrays."""
    import numpy as np
    import torch

    from rppg_lib.data import Windows, build_store, simulated_sources

    torch.set_num_threads(1)
    sources = simulated_sources(CLIPS, seconds=(FRAMES + 2) / 30, size_px=size_px, fs=30)
    store = build_store(sources, folder, name="bench", jobs=2, progress=False)
    windows, paths = Windows(store, frames=FRAMES), {"pixels": [], "normalised": []}
    for number in range(len(windows)):
        pixels = windows.batch([number]).frames[0].double().numpy()
        for name, array in (("pixels", pixels), ("normalised", diff_normalised(pixels))):
            paths[name].append(Path(folder) / f"clip{number}_{name}.npy")
            np.save(paths[name][-1], array)
    return store, windows, paths


def diff_normalised(pixels):
    """The field's ``DiffNormalized`` of ``(T, H, W, 3)`` float64."""
    import numpy as np

    steps = (pixels[1:] - pixels[:-1]) / (pixels[1:] + pixels[:-1] + 1e-7)
    return np.concatenate([steps / steps.std(), np.zeros_like(pixels[:1])])


def main():
    """Print times and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-px", type=int, default=SIZE_PX)
    parser.add_argument("--folder", help="where files go (default: a temporary folder)")
    args = parser.parse_args()

    import numpy as np
    import torch

    from rppg_lib.data.normalise import normalise

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        store, windows, paths = stored(folder, args.size_px)
        ours_paths = sorted(store.path.rglob("*.npy"))
        groups = [range(at, at + BATCH) for at in range(0, len(windows), BATCH)]

        def from_store(which=windows):
            return [normalise(which.batch(group).frames, ("diff",)) for group in groups][-1]

        def from_floats(name, made=lambda array: array):
            last = None
            for group in groups:
                clips = [made(np.load(paths[name][number])) for number in group]
                clips = [np.float32(np.transpose(clip, (3, 0, 1, 2))) for clip in clips]     # (T,H,W,3) -> (3,T,H,W)
                last = torch.stack([torch.from_numpy(clip) for clip in clips])
            return last

        from_pixels = functools.partial(from_floats, "pixels", diff_normalised)
        from_normalised = functools.partial(from_floats, "normalised")
        for other in (from_pixels, from_normalised):
            if not torch.allclose(from_store(), other(), atol=1e-4):
                raise RuntimeError("all ways must give the same")
        here = windows.in_memory()
        smaller = store.bytes / sum(record.frames for record in store.records)
        larger = sum(path.stat().st_size for path in paths["pixels"]) / (FRAMES * len(windows))
        print(f"{len(windows)} clips of {FRAMES} frames of {args.size_px} px, batches of {BATCH}, one thread; per clip")
        rows = [("float64 pixels", from_pixels, paths["pixels"]),
                ("float64 normalised", from_normalised, paths["normalised"]),
                ("store", from_store, ours_paths), ("store, in memory", lambda: from_store(here), [])]
        found = {}
        for name, call, files in rows:
            call()
            found[name, "warm"] = best(call)
            if files and forget(files):
                found[name, "cold"] = best(call, before=functools.partial(forget, files))
        for (name, state), (wall, cpu) in found.items():
            print(f"  {name:18s} {state}: {1e3 * wall / len(windows):6.2f} ms wall, "
                  f"{1e3 * cpu / len(windows):6.2f} ms CPU")
        for (name, state), times in found.items():
            if name.startswith("float64"):
                wall, cpu = (theirs / ours for theirs, ours in zip(times, found["store", state]))
                print(f"  than {name}, {state}: {wall:.1f} times as fast by the clock, {cpu:.1f} in CPU time "
                      f"(asked for: {FASTER})")
        print(f"  {larger / 1e3:.0f} kB and {smaller / 1e3:.0f} kB a frame: {larger / smaller:.1f} times as large "
              f"(asked for: {SMALLER})")


if __name__ == "__main__":
    main()
