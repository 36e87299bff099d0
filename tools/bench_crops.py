"""How fast a data set is prepared, against a way that is common: the whole film in memory, and Haar faces.

    python tools/bench_crops.py --quick       # two minutes, for a try
    python tools/bench_crops.py               # a quarter of an hour; run it while nothing else runs

Both take the same simulated films of 640 x 480 (laid out as UBFC-rPPG 2 is) to crops of 72 x 72 that follow the face,
on disk. Ours: landmarks, smoothed, picture by picture, with skin colours and label, into a clip store. The other way is
what rPPG-Toolbox does as a user meets it, written anew: OpenCV's Haar detector with its default arguments on the colour
picture, read from its file for each look, the widest box enlarged by 1.5; crops as float64. Its normalisation is left
out. Both look at every picture, every third, and every thirtieth, which is the other's default where it follows faces;
both have one process per core. What fewer looks cost is measured too: how well the crop keeps to the simulator's exact
place, and how much of the pulse is left in it. Each way is timed in a process of its own, after a short film per core
has been prepared in the same way: a data set takes hours, so seconds of starting do not count.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"                                  # before anything that starts threads is loaded

import cv2
import joblib
import numpy as np
import psutil

from rppg_lib import results, simulate
from rppg_lib.data import ClipStore, build_store
from rppg_lib.data.readers import read_dataset
from rppg_lib.data.recorded import RecordingSource
from rppg_lib.evaluation import evaluate
from rppg_lib.types import Clip
from rppg_lib.video import open_video, write_video
from rppg_lib.video.colours import region_colours
from rppg_lib.video.crops import cut, square_about
from rppg_lib.video.faces import choice
from rppg_lib.video.following import followed
from rppg_lib.video.track import box_of

FPS, SIZE_PX, ENLARGE = 30, 72, 1.5
STAGE = simulate.Stage(size_px=(640, 480), face_px=200)
FILMS = (("still", "mjpeg"), ("turning", "h264"), ("talking", "mjpeg"), ("turning", "h264"))
EVERY = (1, 3, 30)
LENGTHS_S = (10, 60)                     # of one film, for memory
ASKED = 5                                # times as many pictures a second
CASCADE = "haarcascade_frontalface_default.xml"


# --- films ---

def make_films(folder: Path, *, films: int, seconds: float, kinds: int = len(FILMS)) -> None:
    """Write films and labels as UBFC-rPPG 2 has them; beyond so many kinds they are copies."""
    for number in range(1, films + 1):
        if number > kinds:
            shutil.copytree(folder / f"subject{(number - 1) % kinds + 1}", folder / f"subject{number}")
            continue
        film = film_of(number, seconds)
        _write(folder / f"subject{number}", film.frames(), film.reference, FILMS[number - 1][1])


def film_of(number: int, seconds: float) -> simulate.Film:
    """Return the film of the n-th subject; made anew it is the same."""
    return simulate.film(simulate.person(810 + number), scene=FILMS[number - 1][0], seconds=seconds, fs=FPS, seed=1,
                         stage=STAGE)


def make_long_film(folder: Path, *, seconds: int, loop: list[np.ndarray]) -> None:
    """Write one film that runs there and back through pictures."""
    there_and_back = loop + loop[::-1]
    frames = seconds * FPS
    _write(folder / "subject1", (there_and_back[k % len(there_and_back)] for k in range(frames)),
           np.sin(np.arange(frames) / 4), "mjpeg")


def _write(folder: Path, pictures: Iterator[np.ndarray], label: np.ndarray, codec: str) -> None:
    folder.mkdir(parents=True)
    write_video(folder / "vid.avi", pictures, fs=FPS, codec=codec)
    lines = (label, np.full(len(label), 72.0), np.arange(len(label)) / FPS)
    (folder / "ground_truth.txt").write_text("\n".join(" ".join(f"{v:.6e}" for v in line) for line in lines) + "\n")


# --- the two ways ---

def ours(folder: Path, out: Path, *, every: int, jobs: int) -> dict[str, Any]:
    """Make a clip store; return how many pictures it holds, and in which share of them a face was found."""
    sources = [RecordingSource(recording=each, size_px=SIZE_PX, box="follow", scale=ENLARGE, every=every)
               for each in read_dataset("ubfc2", folder).recordings]
    store = build_store(sources, out, name="bench", jobs=jobs, progress=False)
    if store.failed:
        raise RuntimeError(f"bench_crops: {store.failed[0]['id']}: {store.failed[0]['error']}")
    missing = [record.facts["face_missing"] for record in store.records]
    return {"frames": sum(record.frames for record in store.records), "faces": 1 - float(np.mean(missing))}


def others(folder: Path, out: Path, *, every: int, jobs: int) -> dict[str, Any]:
    """Prepare film by film, each whole; return the same."""
    films = sorted(folder.glob("*/vid.avi"))
    made = joblib.Parallel(n_jobs=jobs)(joblib.delayed(whole_film)(film, out / f"{film.parent.name}.npy", every)
                                        for film in films)
    return {"frames": sum(frames for frames, _ in made), "faces": float(np.mean([faces for _, faces in made]))}


def whole_film(film: Path, out: Path, every: int) -> tuple[int, float]:
    """Decode a film, then look, cut, scale and write; return its pictures, and the share of looks that saw a face."""
    capture, pictures = cv2.VideoCapture(str(film)), []
    while (read := capture.read())[0]:
        pictures.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    pictures = np.asarray(pictures)
    looks = [widest_face(picture) for picture in pictures[::every]]
    crops = np.zeros((len(pictures), SIZE_PX, SIZE_PX, 3))
    for number, picture in enumerate(pictures):
        crops[number] = enlarged_crop(picture, looks[number // every])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, crops)
    return len(pictures), float(np.mean([box is not None for box in looks]))


def widest_face(picture: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return the widest box that Haar finds; the detector is read anew for each look, as it is there."""
    boxes = cv2.CascadeClassifier(cv2.data.haarcascades + CASCADE).detectMultiScale(picture)
    return max((tuple(map(int, box)) for box in boxes), key=lambda box: box[2], default=None)


def enlarged_crop(picture: np.ndarray, box: tuple[int, int, int, int] | None) -> np.ndarray:
    """Return the part in the enlarged box, scaled; without a box the whole picture."""
    if box is not None:
        x, y, width, height = box
        left, top = (max(0, int(low - (ENLARGE - 1) / 2 * size)) for low, size in ((x, width), (y, height)))
        picture = picture[top:top + int(ENLARGE * height), left:left + int(ENLARGE * width)]
    return cv2.resize(picture, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)


WAYS: dict[str, Callable[..., dict[str, Any]]] = {"rppg_lib": ours, "toolbox": others}


# --- measuring ---

def work(way: str, folder: Path, *, every: int, cores: int) -> dict[str, Any]:
    """Prepare the films in this process and its children; return pictures, seconds and CPU seconds."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    with tempfile.TemporaryDirectory() as out:
        WAYS[way](folder.parent / "warm", Path(out, "warm"), every=every, jobs=cores)
        start, used = time.perf_counter(), cpu_s()
        found = WAYS[way](folder, Path(out, "films"), every=every, jobs=cores)
        seconds = time.perf_counter() - start
        used = cpu_s() - used
    return found | {"seconds": seconds, "cpu_s": used}


def cpu_s() -> float:
    """Return the CPU seconds of this process, of those that it started, and of those that these started."""
    own = psutil.Process()
    told = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system + each.children_user + each.children_system for each in told)


def measured(way: str, folder: Path, *, every: int, cores: int) -> dict[str, Any]:
    """Return one row: :func:`work` in a new process, watched for the memory that it and its children hold together."""
    command = [sys.executable, __file__, "--work", way, "--folder", str(folder), "--every", str(every),
               "--cores", str(cores)]
    process, most = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True), 0
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            most = max(most, sum(held(each) for each in (root, *root.children(recursive=True))))
        except psutil.Error:
            pass                                                     # one has just ended
        time.sleep(0.1)
    out, complaint = process.communicate()
    if process.returncode:
        raise RuntimeError(f"bench_crops: {way} failed: {complaint.strip().splitlines()[-1]}")
    told = json.loads(out.splitlines()[-1])
    return {"way": way, "every": every, "cores": cores, "frames": told["frames"], "faces": told["faces"],
            "fps": told["frames"] / told["seconds"], "cpu_ms_per_frame": 1e3 * told["cpu_s"] / told["frames"],
            "peak_mb": most / 1e6}


def held(process: psutil.Process) -> int:
    """Return a process's memory; what several share counts once, where the system says it."""
    info = process.memory_full_info()
    return getattr(info, "pss", info.rss)


def aims(folder: Path, *, films: int, seconds: float) -> list[dict[str, Any]]:
    """Return how well each way's squares keep to the face: how far off, and how much that changes between pictures.

    In percent of the face's true width, both directions together. The mean distance of a film is taken out: what a box
    is about differs from finder to finder. Then what it is all for: MACC, the correlation of the contact pulse, shifted
    by its lag, with POS on the mean colour of the crop's middle; the mean of the films.
    """
    told = [film_of(number, seconds) for number in range(1, films + 1)]
    places = [true_places(film) for film in told]
    rows = []
    for way, squares, crops in (("rppg_lib", our_squares, our_crops), ("toolbox", their_squares, their_crops)):
        for every in EVERY:
            paths = [folder / f"subject{number}" / "vid.avi" for number in range(1, films + 1)]
            off = [(squares(path, every) - true[:, :2]) / true[:, 2:] for path, true in zip(paths, places)]
            rows.append({"way": way, "every": every, "off_percent": rms(off, lambda x: x - x.mean(0)),
                         "tremble_percent": rms(off, lambda x: np.diff(x, axis=0)),
                         "pos_macc": float(np.mean([pulse_in(each, film.reference)
                                                 for each, film in zip(crops(folder, films, every), told)]))})
    return rows


def pulse_in(crops: np.ndarray, label: np.ndarray) -> float:
    """Return how well POS finds the pulse in the middle of crops."""
    middle = slice(SIZE_PX // 4, 3 * SIZE_PX // 4)
    colours, label = crops[:, middle, middle].mean((1, 2)), label[:len(crops)]
    return float(evaluate("pos", [Clip(rgb=colours, fs=FPS, label=label)], window_s=None).macc.iloc[0])


def our_crops(folder: Path, films: int, every: int) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as out:
        ours(folder, Path(out), every=every, jobs=1)
        store = ClipStore.open(next(Path(out).iterdir()))
        return [np.array(store.clip(record).frames) for record in store.records[:films]]


def their_crops(folder: Path, films: int, every: int) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as out:
        others(folder, Path(out), every=every, jobs=1)
        return [np.load(Path(out, f"subject{number}.npy")) for number in range(1, films + 1)]


def rms(off: list[np.ndarray], seen: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the root of the mean square length of what is seen of each film's ways, in percent."""
    return 100 * float(np.sqrt(np.mean(np.concatenate([(seen(way) ** 2).sum(1) for way in off]))))


def true_places(film: simulate.Film) -> np.ndarray:
    """Return centre and width of the face in each picture, exactly: ``(N, 3)``."""
    boxes = np.array([box_of(film.truth.landmarks(frame)) for frame in range(len(film))])
    return np.column_stack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2]])


def our_squares(path: Path, every: int) -> np.ndarray:
    """Return the centre of our square in each picture."""
    with open_video(path) as video:
        pictures = ((frame.image, frame.time_s) for frame in video)
        boxes = np.array([box_of(frame.places[0][1].points)
                          for frame in followed(pictures, dataclasses.replace(choice("auto"), workers=1), every=every)])
    return boxes[:, :2] + boxes[:, 2:] / 2


def their_squares(path: Path, every: int) -> np.ndarray:
    """Return the centre of Haar's box in each picture; between looks it stays, as it does there."""
    capture, boxes = cv2.VideoCapture(str(path)), []
    for number in itertools.count():
        there, picture = capture.read()
        if not there:
            return np.array([(x + width / 2, y + height / 2) for x, y, width, height in boxes])
        look = number % every == 0
        boxes.append((widest_face(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)) if look else None) or boxes[-1])


def parts(film: Path) -> list[dict[str, Any]]:
    """Return where our time goes: CPU milliseconds per picture of each step, one after the other."""
    def decoded() -> list:
        with open_video(film) as video:
            return [(frame.image, frame.time_s) for frame in video]

    def looked() -> None:
        finder = one.make()
        for picture, time_s in pictures:
            finder.find(picture, time_s)
        finder.close()

    rows, one = [], dataclasses.replace(choice("auto"), workers=1)
    begin = cpu_s()
    pictures = decoded()
    rows.append(["decode, in its own process", cpu_s() - begin])
    begin = cpu_s()
    looked()
    rows.append([f"look for the face ({one.name})", cpu_s() - begin])
    begin = cpu_s()
    placed = [(frame.image, frame.places[0][1].points) for frame in followed(pictures, one) if frame.places]
    rows.append(["follow and smooth", cpu_s() - begin - rows[-1][1]])
    for name, step in (("colour of the skin", lambda image, points: region_colours(image, points, ["skin"])),
                       ("cut and scale", lambda image, points: cut(image, square_about(box_of(points), scale=ENLARGE),
                                                                   size_px=SIZE_PX))):
        begin = cpu_s()
        for pair in placed:
            step(*pair)
        rows.append([name, cpu_s() - begin])
    return [{"step": name, "cpu_ms_per_frame": 1e3 * seconds / len(pictures)} for name, seconds in rows]


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how many times as many pictures a second ours prepares: at the same looks, and at others.

    Ours follows a face between looks, so every third of ours stands beside every one of the other way too; and each
    one's default beside the other's.
    """
    found = {(row["way"], row["every"], row["cores"]): row for row in rows}
    pairs = [(every, every) for every in EVERY] + [(EVERY[1], EVERY[0]), (EVERY[0], EVERY[-1])]
    return [{"cores": cores, "ours_every": mine, "toolbox_every": theirs,
             "times_fps": found["rppg_lib", mine, cores]["fps"] / found["toolbox", theirs, cores]["fps"],
             "times_cpu": (found["toolbox", theirs, cores]["cpu_ms_per_frame"]
                           / found["rppg_lib", mine, cores]["cpu_ms_per_frame"])}
            for cores in dict.fromkeys(row["cores"] for row in rows) for mine, theirs in pairs]


def memory(place: Path, lengths_s: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the most memory that one film takes each way, short and long."""
    film = simulate.film(simulate.person(820), seconds=lengths_s[0] / 2, fs=FPS, seed=1, stage=STAGE)
    loop, rows = [picture.copy() for picture in film.frames()], []
    for seconds in lengths_s:
        make_long_film(place / f"{seconds} s", seconds=seconds, loop=loop)       # beside the one that warms up
        rows += [{"seconds": seconds} | measured(way, place / f"{seconds} s", every=EVERY[-1], cores=1)
                 for way in WAYS]
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    print(title, *("  " + "  ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                                    for key, value in row.items()) for row in rows), sep="\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short films, profile quick: to see that it works")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each way, in turns; the fastest is kept")
    for name, kind in (("--work", str), ("--folder", Path), ("--every", int), ("--cores", int)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)  # how it calls itself
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.work, options.folder, every=options.every, cores=options.cores)))
        return 0
    everywhere = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    films, seconds = (2, 3) if options.quick else (max(len(FILMS), everywhere), 15)
    lengths_s = (4, 12) if options.quick else LENGTHS_S
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "films")
        make_films(folder, films=films, seconds=seconds)
        make_films(Path(place, "warm"), films=everywhere, seconds=3, kinds=1)
        runs = [partial(measured, way, folder, every=every, cores=cores) for cores in sorted({1, everywhere})
                for every in EVERY for way in WAYS]
        turns = [[run() for run in runs] for _ in range(options.repeats)]
        rows = [max(same, key=lambda row: row["fps"]) for same in zip(*turns)]
        tables = {"speed": rows, "times_as_fast": ratios(rows), "parts": parts(folder / "subject1" / "vid.avi")}
        tables["aim"] = aims(folder, films=min(films, len(FILMS)), seconds=seconds)
        for title, table in tables.items():
            show(title, table)
        tables["memory"] = memory(Path(place), lengths_s)
        show("memory", tables["memory"])
    print(f"asked: {ASKED} times as many pictures a second where faces are followed")
    config = {"films": films, "seconds": seconds, "fps": FPS, "film_px": list(STAGE.size_px), "size_px": SIZE_PX,
              "repeats": options.repeats, "cores": everywhere, "asked": ASKED, "opencv": cv2.__version__}
    print(results.save("bench_crops", tables, profile="quick" if options.quick else "full", seed=1, config=config,
                       data=f"simulated, {films} films of {seconds} s"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
