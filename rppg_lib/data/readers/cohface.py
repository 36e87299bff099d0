"""COHFACE: 40 people, four videos each in two lights; pulse and breath in an HDF5 file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...types import Reference, Terms
from .arrays_file import Worker, one_line, read_arrays
from .base import DataSet, Finds, Listing, film, in_order
from .texts import text_of

TERMS = Terms(licence="research only, after an agreement with Idiap", cites="heusch2017cohface")
FS, PULSE_HZ = 20.0, 256.0
APART = 0.05                             # of rates and of lengths, before they are told
LATE_S = 0.05
STUDIO, NATURAL = "studio light", "natural light"
PEOPLE, SESSIONS = range(1, 41), range(4)


def listed(folder: Path) -> Listing:
    """List the recordings of a copy: ``PERSON/SESSION/data.avi`` with ``data.hdf5`` beside it."""
    finds = Finds("cohface", folder, TERMS)
    studio = _studio(finds)
    for person in finds.folders():
        with finds.reading(person):
            if person.name == "protocols":
                finds.leave_out(person, "published lists of training and test; only who had studio light is read of it")
                continue
            if not person.name.isdecimal():
                finds.leave_out(person, "is not the number of a person")
                continue
            for each in finds.folders(person):
                with finds.reading(each):
                    video, truth = each / "data.avi", each / "data.hdf5"
                    key = f"{person.name}/{each.name}"
                    if each.name not in {str(session) for session in SESSIONS}:
                        finds.leave_out(each, "is not a session, 0 to 3")
                    elif absent := [path.name for path in (video, truth) if not path.is_file()]:
                        finds.leave_out(each, f"has no {' and no '.join(absent)}")
                    else:
                        light = STUDIO if key in studio or (not studio and int(each.name) < 2) else NATURAL
                        finds.add(key, person=person.name, fs=FS, condition=light, pictures=film(video),
                                  reference=partial(reference, truth, video), facts={"light": light},
                                  files=(video, truth))
    have = {recording.id.split()[-1] for recording in finds.recordings}
    finds.missing += [key for person in PEOPLE for key in (f"{person}/{session}" for session in SESSIONS)
                      if key not in have]
    if not studio:
        finds.notes.append("protocols/clean is not there: sessions 0 and 1 are taken to have studio light, 2 and 3 "
                           "natural light")
    return finds.listing(example="1/0/data.avi")


def _studio(finds: Finds) -> set[str]:
    """Return the recordings that the published lists call clean, that is, with the lamp on; none without lists."""
    found: set[str] = set()
    for name in ("all.txt", "train.txt", "dev.txt", "test.txt"):
        path = finds.folder / "protocols" / "clean" / name
        if path.is_file():
            try:
                found |= {"/".join(line.split("/")[:2]).strip() for line in text_of(path).splitlines() if "/" in line}
            except ValueError as error:
                finds.leave_out(path, str(error))
    return found


def reference(path: Path, video: Path | None = None, *, worker: Worker | None = None) -> Reference:
    """Read the pulse by the file's own times; without such it has 256 values a second.

    Args:
        path: ``data.hdf5``.
        video: the video beside it; when their lengths differ, a note says so.
        worker: as in :func:`.arrays_file.read_arrays`.
    """
    held = read_arrays(path, ("pulse",), optional=("time",), worker=worker).values
    wave, notes = one_line(path.name, held["pulse"]), ()
    times = np.arange(len(wave)) / PULSE_HZ
    if "time" not in held:
        notes = (f"no times are told: {PULSE_HZ:g} values a second are assumed",)
    elif (rate := _rate(told := one_line(path.name, held["time"]))) is None or abs(rate / PULSE_HZ - 1) > APART:
        said = "times that do not increase are told" if rate is None else f"the times tell {rate:.4g} values a second"
        notes = (f"{said}: {PULSE_HZ:g} are assumed, as published",)
    else:
        start = float(told[np.isfinite(told)][0])
        times = np.where(np.isfinite(told), told, np.nan) - start
        if abs(start) > LATE_S:
            notes = (f"the times begin at {start:g} s: pulse and pictures are taken to begin together",)
    label = in_order(path.name, times, wave, notes=notes)
    if video is None or not (note := _lengths(video, float(label.times_s[-1]))):
        return label
    return Reference(wave=label.wave, times_s=label.times_s, notes=(*label.notes, note))


def _rate(times_s: np.ndarray) -> float | None:
    with np.errstate(all="ignore"):
        steps = np.diff(times_s[np.isfinite(times_s)])
    step = float(np.median(steps)) if len(steps) else 0.0
    return 1 / step if step > 1e-9 else None


def _lengths(video: Path, label_s: float) -> str:
    """Return a note where label and video are not as long as each other."""
    from ...video import open_video

    try:
        with open_video(video) as film:
            video_s = film.info.duration_s
    except (OSError, ValueError):        # whoever plays it hears why
        return "the video cannot be opened, so its length is not compared with the label's"
    if video_s is None or abs(label_s - video_s) <= APART * video_s:
        return ""
    return f"the label is {label_s:.1f} s long and the video {video_s:.1f} s: both are taken to begin together"


DATASET = DataSet(
    name="cohface", title="COHFACE", terms=TERMS, people=40, recordings=160, weighs="not told",
    ask="https://www.idiap.ch/en/dataset/cohface (an agreement is signed)",
    place="COHFACE", layout="1/0/data.avi\n1/0/data.hdf5   pulse, 256 values a second; time; respiration\n"
                            "protocols/clean/*.txt   who had studio light",
    list=listed,
    pitfalls=("20 pictures a second, not 30: the video's own times are used",
              "strongly compressed (MPEG-4): little of the pulse is left, and methods err far more than on raw video",
              "decoders warn about some of the videos; a picture that cannot be decoded is left out, with its time",
              "whether the times in data.hdf5 begin with the video is not told: both are taken to begin together, and "
              "a note says where the lengths differ"))
