"""What ``rppg measure`` does: one video, a folder of videos or a camera; text or JSON; files if asked for."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from .measurement import Measurement, measure, measure_faces, measure_folder, save, videos_in

EVERY_S = 0.2
FAST_EVERY = 3
CAMERA_S = 30.0

Said = tuple[str, Measurement | Exception]


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Measure what was asked for and say it; return whether everything could be read."""
    bar = ProgressLine(sys.stderr)
    settings = {"method": args.method, "region": args.region, "window_s": args.window, "hop_s": args.hop,
                "finder": args.finder, "every": FAST_EVERY if args.fast else 1, "fs": args.fps, "seconds": args.seconds,
                "options": {"checkpoint": args.checkpoint} if args.checkpoint else {}}
    if args.save:
        check_folder(args.save)
    rows, fine = [], True
    for name, result in _each(args, settings, bar):
        bar.clear()
        if isinstance(result, Exception):
            fine = False
            rows.append({"source": name, "error": " ".join(str(result).split())})
            if not args.json:
                say(f"{name}: not read - {rows[-1]['error']}")
            continue
        rows.append(result.to_json())
        files, problem = _kept(result, args.save) if args.save else ({}, "")
        fine &= not problem
        if problem:
            rows[-1]["not_saved"] = problem
        if not args.json:
            say(result.to_text() + ("\n  saved: " + ", ".join(path.name for path in files.values()) if files else "")
                + (f"\n  not saved: {problem}" if problem else ""))
    if args.json:
        say(json.dumps(rows if _many(args) else rows[0], indent=1, ensure_ascii=False, allow_nan=False))
    return fine


def _many(args: Namespace) -> bool:
    return args.faces == "all" or _is_folder_of_videos(args.source)


def _is_folder_of_videos(source: str) -> bool:
    return Path(source).is_dir() and bool(videos_in(source))


def _each(args: Namespace, settings: dict[str, Any], bar: ProgressLine) -> Iterator[Said]:
    if _is_folder_of_videos(args.source):
        for path, result in measure_folder(args.source, progress=bar, **settings):
            yield path.name, result
        return
    source = int(args.source) if args.source.isdigit() and not Path(args.source).exists() else args.source
    if isinstance(source, int) and settings["seconds"] is None:
        settings["seconds"] = CAMERA_S
    results = (measure_faces(source, progress=bar, **settings) if args.faces == "all"
               else [measure(source, progress=bar, **settings)])
    for result in results:
        yield result.source, result


def check_folder(folder: Path) -> None:
    """Make the folder for results, or say before anything is measured that it cannot be written to."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise OSError(f"--save: {folder} cannot be written to. Name another folder.")


def _kept(measurement: Measurement, folder: Path) -> tuple[dict[str, Path], str]:
    try:
        return keep(measurement, folder), ""
    except OSError as error:                                           # the next video may fit
        return {}, " ".join(str(error).split())


def keep(measurement: Measurement, folder: Path) -> dict[str, Path]:
    """Write numbers, tables and the figure of a measurement into a folder."""
    import io

    import matplotlib.pyplot as plt

    from . import plots
    from .files import written_whole
    from .measurement.save import file_stem

    paths = save(measurement, folder)
    if measurement.windows:
        plots.use_style()
        figure = plots.measurement_figure(measurement)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=150)
        plt.close(figure)
        paths["figure"] = Path(folder) / f"{file_stem(measurement)}.png"
        with written_whole(paths["figure"], "wb") as file:
            file.write(picture.getvalue())
    return paths


class ProgressLine:
    """Shows frames done and frames per second on a terminal, on one line that is redrawn; silent elsewhere."""

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        self.stream = stream
        self.live = stream.isatty() if live is None else live
        self.began = self.drawn = time.monotonic()
        self.last = 0

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done < self.last:                                           # the next video
            self.began = now
        self.last = done
        if not self.live or now - self.drawn < EVERY_S:
            return
        self.drawn = now
        rate = done / max(now - self.began, 1e-3)
        left = f", {math.ceil((total - done) / rate)} s left" if total and done <= total and rate else ""
        share = f" of {total}" if total else ""
        self.stream.write(f"\r\x1b[Kframe {done}{share}, {rate:.0f} frames/s{left}")
        self.stream.flush()

    def clear(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
