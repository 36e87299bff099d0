"""Colours of skin over time, from a film: one pass, whatever its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .colours import Colour, region_colours, sharpness
from .crops import CROP_SCALE, check_size_px, cut, square_about
from .faces import Choice, check_finder, choice
from .facetrace import FaceTrace, FrameQuality, loss_note
from .following import Followed, Pictures, Progress, followed, opened, stamped
from .regions import WHOLE_FRAME, each_region
from .track import FOUND, GONE_S, HELD, LOST, Place, Track, box_of

LEAST_S = 1.0
"""A face seen for less than this is no person of its own where all faces are wanted."""


def face_trace(source: Any, *, regions: Sequence[str] | str = ("skin",), finder: Any = "auto", every: int = 1,
               smooth_s: float = 0.5, leave_clipped: bool = False, crops_px: int | None = None,
               progress: Progress | None = None) -> FaceTrace:
    """Read the skin colours of the largest face in a film.

    It stays with the face that was the largest in the first half second with one. When that is gone for more than two
    seconds, the largest of the others is taken up, and this is noted.

    Args:
        source: path of a video or of a folder of pictures, a camera's number, a Video, or an iterable of frames or of
            pairs (picture ``(H, W, 3)`` uint8 R-G-B, time in seconds).
        regions: names from ``REGIONS``, or a grid such as ``patches 6x6``.
        finder: ``auto``, ``landmarks``, ``haar``, or an object with ``find(image, time_s)``, which is not closed here.
        every: look for the face in every n-th frame only; in between it moves smoothly.
        smooth_s: how long a piece of the face's way decides where it is; 0 takes each look as it is.
        leave_clipped: leave pixels at 0 or 255 out of the means; how many there are is in ``quality`` in any case.
        crops_px: keep pictures of the face of this size too, for networks: one square for as long as it is one face,
            as :func:`~rppg_lib.video.crops.face_crops` cuts them. 72 px take 28 MB a minute.
        progress: called with the frames done and, where known, their number in all.

    Returns:
        A :class:`FaceTrace`; colours are NaN in frames without a face.
    """
    names = _checked(regions, finder, every, smooth_s, crops_px)
    rows, times = _Rows(names, leave_clipped=leave_clipped, crops_px=crops_px), []
    current: int | None = None
    seen_s, notes = 0.0, []
    with opened(source) as pictures:
        chosen = choice(finder)
        every = max(int(every), chosen.least_every)
        for frame in followed(stamped(pictures, progress=progress), chosen, every=every, smooth_s=smooth_s):
            times.append(frame.time_s)
            mine = next(((t, p) for t, p in frame.places if t.number == current), None)
            if mine is None and frame.places and (current is None or frame.time_s - seen_s > GONE_S):
                mine = max(frame.places, key=lambda pair: _area(pair[0]))
                if current is not None:
                    notes.append(f"from {frame.time_s:.1f} s on another face, or the same one at another place")
                current = mine[0].number
            if mine is not None:
                seen_s = frame.time_s
                rows.add(frame, *mine)
        return rows.trace(times, pictures, chosen, every, notes)


def face_traces(source: Any, *, regions: Sequence[str] | str = ("skin",), finder: Any = "auto", every: int = 1,
                smooth_s: float = 0.5, leave_clipped: bool = False, crops_px: int | None = None,
                progress: Progress | None = None) -> list[FaceTrace]:
    """Read the skin colours of every face in a film, as :func:`face_trace` does for one; the largest comes first.

    A face that leaves for more than two seconds and comes back counts as another one. Faces seen for less than a
    second are left out, and counted in the notes. Without any face there is one trace, which says so.
    """
    names = _checked(regions, finder, every, smooth_s, crops_px)
    people: dict[int, _Rows] = {}
    times: list[float] = []
    with opened(source) as pictures:
        chosen = choice(finder)
        every = max(int(every), chosen.least_every)
        for frame in followed(stamped(pictures, progress=progress), chosen, every=every, smooth_s=smooth_s):
            times.append(frame.time_s)
            for track, place in frame.places:
                if track.number not in people:
                    people[track.number] = _Rows(names, leave_clipped=leave_clipped, crops_px=crops_px)
                people[track.number].add(frame, track, place)
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        kept = [rows for rows in people.values() if len(rows.index) * step >= min(LEAST_S, len(times) * step)]
        brief = len(people) - len(kept)
        notes = [f"{brief} face{'s' * (brief > 1)} seen for less than {LEAST_S:g} s left out"] if brief else []
        kept.sort(key=lambda rows: -float(np.median([box[2] * box[3] for box in rows.box])))
        return [rows.trace(times, pictures, chosen, every, notes) for rows in kept or [_Rows(names)]]


def frame_trace(source: Any, *, seconds: float | None = None, progress: Progress | None = None) -> FaceTrace:
    """Read the mean colour of whole pictures, for films that show nothing but skin. No face is looked for."""
    rows, times = _Rows((WHOLE_FRAME,)), []
    with opened(source) as pictures:
        for index, (image, time_s) in enumerate(stamped(pictures, seconds=seconds, progress=progress)):
            times.append(time_s)
            rows.add_whole(index, image)
        return rows.trace(times, pictures, Choice(name="none", make=lambda: None), 1, [])


class _Rows:
    """A few numbers per frame with a face, until the film has ended."""

    def __init__(self, names: tuple[str, ...], *, leave_clipped: bool = False, crops_px: int | None = None) -> None:
        self.names, self.leave_clipped, self.crops_px = names, leave_clipped, crops_px
        self.crops: list[np.ndarray] = []
        self._square: tuple[int, tuple[float, float, float]] | None = None       # whose it is, and where
        self.index: list[int] = []
        self.colours: list[list[Colour]] = []
        self.box: list[np.ndarray] = []
        self.state: list[int] = []
        self.quality: list[tuple[float, ...]] = []
        self.jumps: set[float] = set()
        self._before: tuple[int, int, int, np.ndarray] | None = None

    def add(self, frame: Followed, track: Track, place: Place) -> None:
        """Read a face in a frame."""
        box, middle = box_of(place.points), place.points.mean(0)
        colours = list(region_colours(frame.image, place.points, self.names,
                                      leave_clipped=self.leave_clipped).values())
        motion, before = np.nan, self._before
        if before is not None and before[:3] == (frame.index - 1, track.number, place.stretch):
            motion = float(np.linalg.norm(middle - before[3]))
        self._before = (frame.index, track.number, place.stretch, middle)
        self.jumps.update(track.jumps)
        self._put(frame.index, colours, box, place.state, sharpness(frame.image, box), motion)
        if self.crops_px is not None:
            if self._square is None or self._square[0] != track.number:
                self._square = track.number, square_about(box, scale=CROP_SCALE)
            self.crops.append(cut(frame.image, self._square[1], size_px=self.crops_px))

    def add_whole(self, index: int, image: np.ndarray) -> None:
        """Read a whole picture."""
        import cv2

        pixels = image.shape[0] * image.shape[1]
        good = cv2.countNonZero(cv2.inRange(image, (1, 1, 1), (254, 254, 254)))
        colour = Colour(cv2.mean(image)[:3], pixels, 1 - good / pixels)
        box = np.array([0.0, 0.0, image.shape[1], image.shape[0]])
        self._put(index, [colour], box, FOUND, sharpness(image, box), np.nan)

    def _put(self, index: int, colours: list[Colour], box: np.ndarray, state: int, sharp: float,
             motion: float) -> None:
        self.index.append(index)
        self.colours.append(colours)
        self.box.append(box)
        self.state.append(state)
        first = colours[0]
        self.quality.append((float(np.mean(first.rgb)), first.clipped, sharp, motion, float(box[2])))

    def trace(self, times: list[float], pictures: Pictures, chosen: Choice, every: int, notes: list[str]) -> FaceTrace:
        """Return what was read, on all frames of the film."""
        frames, stamps = len(times), np.array(times, dtype=float)
        state = np.full(frames, LOST, np.int8)
        state[self.index] = self.state
        rgb, pixels = {}, {}
        for k, name in enumerate(self.names):
            rgb[name] = self._spread([c[k].rgb for c in self.colours], frames, 3)
            pixels[name] = np.zeros(frames, int)
            pixels[name][self.index] = [c[k].pixels for c in self.colours]
        quality = self._spread(self.quality, frames, 5)
        report = getattr(pictures.video, "report", None)
        said = [*chosen.notes, *getattr(report, "notes", ())]
        if chosen.name != "none":
            said += loss_note(stamps, state) if frames else ["no pictures"]
        if held := int((state == HELD).sum()):
            said.append(f"the face was not found in {held} of {frames} frames but on both sides of them: bridged")
        if self.jumps:
            where = ", ".join(f"{s:.1f}" for s in sorted(self.jumps)[:4])
            said.append(f"the face changed its place at once at {where} s"
                        + (f" and {len(self.jumps) - 4} times more" if len(self.jumps) > 4 else ""))
        return FaceTrace(times_s=stamps, rgb=rgb, pixels=pixels, box=self._spread(self.box, frames, 4), state=state,
                         quality=self._quality(quality), finder=chosen.name, every=every, info=pictures.info,
                         report=report, notes=(*said, *notes), crops=np.stack(self.crops) if self.crops else None,
                         crops_at=np.array(self.index) if self.crops else None)

    @staticmethod
    def _quality(table: np.ndarray) -> FrameQuality:
        brightness, clipped, sharp, motion_px, width_px = table.T
        return FrameQuality(brightness=brightness, clipped=clipped, sharpness=sharp, motion_px=motion_px,
                            width_px=width_px)

    def _spread(self, values: list, frames: int, width: int) -> np.ndarray:
        out = np.full((frames, width), np.nan)
        if self.index:
            out[self.index] = values
        return out


def _area(track: Track) -> float:
    return float(np.median([np.prod(box_of(sight.points)[2:]) for sight in track.sights]))


def _checked(regions: Sequence[str] | str, finder: Any, every: int, smooth_s: float,
             crops_px: int | None) -> tuple[str, ...]:
    names = each_region(regions)
    if WHOLE_FRAME in names:
        raise ValueError(f"face_trace: {WHOLE_FRAME!r} is no region of a face. Use frame_trace.")
    if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
        raise ValueError(f"face_trace: every must be a whole number from 1 on, got {every!r}.")
    if not 0 <= smooth_s <= 2:
        raise ValueError(f"face_trace: smooth_s must lie between 0 and 2 seconds, got {smooth_s!r}.")
    if crops_px is not None:
        check_size_px("face_trace: crops_px", crops_px)
    check_finder(finder)
    return names
