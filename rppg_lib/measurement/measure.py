"""Pulse from a video, from beginning to end: faces, colours of skin, method, rates, verdict."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..registry import Estimator, build
from ..signal import MIN_QUALITY_S
from ..video import (
    FINDERS,
    WHOLE_FRAME,
    FaceTrace,
    Video,
    check_region,
    face_trace,
    face_traces,
    frame_trace,
    open_video,
)
from .judge import Reading, believed, breath, read, variability, verdict
from .result import Measurement

VIDEO_SUFFIXES = frozenset(".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv .mts .3gp .ogv .flv .ts".split())
LARGEST_PX = 1280
"""Larger pictures are scaled down to this longer side while they are read: a face needs no more."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure. The default is what we would use ourselves.

    Attributes:
        method: name in the registry.
        region: ``skin``, ``forehead``, ``cheeks`` ..., or ``frame`` for pictures that show nothing but skin.
        window_s: length of a window; the rate of each is judged for itself.
        hop_s: from window to window.
        finder: ``auto``, ``landmarks`` or ``haar``.
        every: look for the face in every n-th frame only, and move it evenly in between.
        fs: frames per second of a folder of pictures that carry no times.
        seconds: stop after this much of the video; needed for a camera.
    """

    method: str = "pos"
    region: str = "skin"
    window_s: float = 10.0
    hop_s: float = 1.0
    finder: str = "auto"
    every: int = 1
    fs: float | None = None
    seconds: float | None = None
    options: dict[str, Any] = field(default_factory=dict)              # of the method

    def __post_init__(self) -> None:
        for name, low in (("window_s", MIN_QUALITY_S), ("hop_s", 0.1), ("seconds", 0.0)):
            value = getattr(self, name)
            if name == "seconds" and value is None:
                continue
            if not (isinstance(value, Real) and math.isfinite(value) and value >= low):
                raise ValueError(f"measure: {name} must be a number of seconds, {low:g} or more, got {value!r}.")
        if not isinstance(self.every, Integral) or isinstance(self.every, bool) or self.every < 1:
            raise ValueError(f"measure: every must be a whole number from 1 on, got {self.every!r}.")
        if not isinstance(self.options, dict):
            raise TypeError(f"measure: options must be a dict of the method's options, got {self.options!r}.")
        if self.finder not in FINDERS:
            raise ValueError(f"measure: finder must be one of {', '.join(FINDERS)}, got {self.finder!r}.")
        if check_region(self.region).startswith("patch"):
            raise ValueError(f"measure: needs one region, got {self.region!r}. Use video.face_trace for a grid.")
        if self.crops_px is not None and self.region == WHOLE_FRAME:     # an unknown name is an error now, too
            raise ValueError(f"measure: {self.method} needs pictures of a face, but region={WHOLE_FRAME!r} looks for "
                             f"none. Use a method that needs colours only, such as pos.")

    @cached_property
    def estimator(self) -> Estimator:
        """The method, with its options."""
        return build(self.method, **self.options)

    @property
    def crops_px(self) -> int | None:
        """The size of pictures the method needs, None if colours are enough."""
        return self.estimator.size_px if getattr(self.estimator, "needs", "") == "frames" else None


def measure(source: str | Path | int | Video, *, progress: Progress | None = None, **settings: Any) -> Measurement:
    """Measure the pulse of the largest face in a video. No label is needed, and nothing leaves the machine.

    Args:
        source: a video file, a folder of pictures, or the number of a camera.
        progress: called with the frames done and, where known, their number in all.
        **settings: fields of :class:`Settings`, such as ``method="chrom"`` or ``window_s=15``.

    Returns:
        A :class:`Measurement`. Without a face, or where nothing can be trusted, it says so and has no rate.
    """
    plan = _settings(settings)
    began = time.perf_counter()
    with _opened(source, plan) as video:
        if plan.region == WHOLE_FRAME:
            trace = frame_trace(video, progress=progress)
        else:
            trace = face_trace(video, regions=(plan.region,), finder=plan.finder, every=plan.every,
                               crops_px=plan.crops_px, progress=progress)
    return judged(trace, plan, name=_name(source), took_s=time.perf_counter() - began)


def measure_faces(source: str | Path | int | Video, *, progress: Progress | None = None,
                  **settings: Any) -> list[Measurement]:
    """Measure the pulse of every face in a video, the largest first; where there is none, one measurement says so."""
    plan = _settings(settings)
    if plan.region == WHOLE_FRAME:
        return [measure(source, progress=progress, **settings)]
    began = time.perf_counter()
    with _opened(source, plan) as video:
        traces = face_traces(video, regions=(plan.region,), finder=plan.finder, every=plan.every,
                             crops_px=plan.crops_px, progress=progress)
    took_s = time.perf_counter() - began
    return [judged(trace, plan, name=_name(source), face=number, took_s=took_s) for number, trace in enumerate(traces)]


def videos_in(folder: str | Path) -> list[Path]:
    """Return the videos of a folder, by name; none if it is a folder of pictures, which is one video itself."""
    return sorted(path for path in Path(folder).iterdir()
                  if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."))


def measure_folder(folder: str | Path, *, progress: Progress | None = None,
                   **settings: Any) -> Iterator[tuple[Path, Measurement | Exception]]:
    """Measure each video of a folder; one that cannot be read comes with its error, and the others go on."""
    paths = videos_in(folder)
    if not paths:
        raise ValueError(f"measure: needs videos in the folder, found none in {folder}. "
                         f"Known endings: {', '.join(sorted(VIDEO_SUFFIXES))}.")
    _settings(settings)
    for path in paths:
        try:
            yield path, measure(path, progress=progress, **settings)
        except (OSError, ValueError) as error:
            yield path, error


def judged(trace: FaceTrace, plan: Settings, *, name: str, face: int = 0, took_s: float = 0.0) -> Measurement:
    """Return what the colours of one face say."""
    base = _facts(trace, plan) | {"source": name, "face": face, "took_s": took_s}
    if not trace.share_found:
        hint = f" If the pictures show nothing but skin, use region={WHOLE_FRAME!r}."
        return _without_rate(base, "no face", f"no face was found in any of {len(trace.times_s)} frames.{hint}")
    clips = trace.clips(plan.region, min_s=MIN_QUALITY_S)
    if not clips:
        longest = max((end - start for start, end in trace.stretches()), default=0.0)
        return _without_rate(base, "too short", f"the longest stretch with a face is {longest:.1f} s; it needs "
                                                f"{MIN_QUALITY_S:g} s")
    readings, failed = [], []
    for clip in clips:
        try:
            readings.append(read(clip, plan.estimator, window_s=plan.window_s, hop_s=plan.hop_s))
        except ValueError as error:
            failed.append(f"from {clip.start_s:.1f} s on: {error}")
    base["notes"] += tuple(failed)
    if not readings:
        return _without_rate(base, "do not trust", failed[0])
    return _with_readings(base, readings)


def _with_readings(base: dict[str, Any], readings: list[Reading]) -> Measurement:
    windows = tuple(window for reading in readings for window in reading.windows)
    word, why = verdict(readings)
    trusted = [w.reading_bpm for w in believed(readings, word)]
    read_at_all = [w.reading_bpm for w in windows if math.isfinite(w.reading_bpm)]
    is_good = word in ("reliable", "partly reliable")
    hrv, hrv_note = variability(readings) if is_good else (None, "")
    breathing, breathing_note = breath(readings) if is_good else (None, "")
    return Measurement(
        **base, verdict=word, why=why, windows=windows, stretches=tuple(reading.stretch for reading in readings),
        hr_bpm=float(np.median(trusted)) if is_good else math.nan,
        reading_bpm=float(np.median(read_at_all)) if read_at_all else math.nan,
        quality=float(np.median([w.quality for w in windows])), hrv=hrv, hrv_note=hrv_note, breathing=breathing,
        breathing_note=breathing_note)


def _without_rate(base: dict[str, Any], word: str, why: str) -> Measurement:
    return Measurement(**base, verdict=word, why=why, hr_bpm=math.nan, reading_bpm=math.nan, quality=0.0)


def _facts(trace: FaceTrace, plan: Settings) -> dict[str, Any]:
    info = trace.info
    video = {} if info is None else {
        "kind": info.kind, "codec": info.codec, "width": info.width, "height": info.height, "fs": info.fs,
        "kbps": info.kbps, "rotation_deg": info.rotation_deg}
    notes = [*trace.notes]
    if info is not None and max(info.width, info.height) > LARGEST_PX:
        notes.append(f"pictures of {info.width} x {info.height} were scaled down to {LARGEST_PX} on the longer side")
    if "checkpoint" in plan.options:
        notes.append(f"weights from {plan.options['checkpoint']}")
    times = trace.times_s
    return {"method": plan.method, "region": plan.region, "frames": len(times), "finder": trace.finder,
            "seconds": float(times[-1] - times[0] + np.median(np.diff(times))) if len(times) > 1 else 0.0,
            "face_share": float(trace.share_found), "video": video, "notes": tuple(notes)}


def _settings(given: dict[str, Any]) -> Settings:
    known = [each.name for each in fields(Settings)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"measure: has no setting {name!r}.{hint} Settings: {', '.join(known)}.")
    return Settings(**given)


def _opened(source: str | Path | int | Video, plan: Settings) -> Video:
    return source if isinstance(source, Video) else open_video(source, fs=plan.fs, largest_px=LARGEST_PX,
                                                                        seconds=plan.seconds)


def _name(source: str | Path | int | Video) -> str:
    if isinstance(source, Video):
        source = source.info.source
    return f"camera {source}" if str(source).isdigit() else Path(source).name
