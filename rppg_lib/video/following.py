"""From pictures to places of faces: look, follow and smooth, in one pass that remembers half a second of pictures."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .faces import Choice
from .looking import Look, looks
from .track import HOLD_S, LOST, Place, Track, Tracker

AHEAD_BYTES = 150e6
"""Pictures wait for what follows until :data:`~rppg_lib.video.track.HOLD_S` has passed, or there are this many bytes of
them: very large ones wait shorter, and only shorter losses are bridged."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Pictures:
    """A source, opened: what can be iterated, and what is known of it."""

    frames: Iterable
    info: Any = None                                                 # VideoInfo
    video: Any = None                                                # Video, whose report comes at the end


class Followed(NamedTuple):
    """A frame and where each face is in it."""

    index: int
    time_s: float
    image: np.ndarray
    places: list[tuple[Track, Place]]                                # of the faces that are not lost


@contextlib.contextmanager
def opened(source: Any) -> Iterator[Pictures]:
    """Open a path, a camera's number, a Video or an iterable of frames; what was opened here is closed here."""
    if isinstance(source, (str, Path, int)) and not isinstance(source, bool):
        from .read import open_video
        with open_video(source) as video:
            yield Pictures(video, video.info, video)
    elif hasattr(source, "info") and hasattr(source, "report"):
        yield Pictures(source, source.info, source)
    elif isinstance(source, Iterable):
        yield Pictures(source)
    else:
        raise TypeError(f"video: needs a path, a camera's number, a Video or an iterable of frames, "
                        f"got {type(source).__name__}.")


def stamped(pictures: Pictures, *, seconds: float | None = None,
            progress: Progress | None = None) -> Iterator[tuple[np.ndarray, float]]:
    """Yield picture and time, checked, up to a number of seconds from the first."""
    total, first, last = getattr(pictures.info, "frames", None), None, -np.inf
    frames = iter(pictures.frames)
    try:
        for count, frame in enumerate(frames, 1):
            image, time_s = (frame.image, frame.time_s) if hasattr(frame, "image") else frame
            if getattr(image, "ndim", 0) != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"video: needs pictures (H, W, 3) of uint8 in R-G-B order, got "
                                 f"{getattr(image, 'shape', type(image).__name__)} at frame {count - 1}.")
            if not time_s > last:
                raise ValueError(f"video: times must increase from frame to frame, but frame {count - 1} at "
                                 f"{time_s:g} s follows {last:g} s. Drop repeated frames first.")
            first, last = time_s if first is None else first, time_s
            if seconds is not None and time_s - first >= seconds:
                return
            yield image, float(time_s)
            if progress is not None:
                progress(count, total)
    finally:
        if hasattr(frames, "close"):
            frames.close()


def followed(frames: Iterable[tuple[np.ndarray, float]], chosen: Choice, *, every: int = 1,
             smooth_s: float = 0.5) -> Iterator[Followed]:
    """Yield each frame with the smoothed places of all faces in it, half a second behind the reading."""
    tracker = Tracker(smooth_s=smooth_s, every=every)
    waiting: deque[Look] = deque()

    def next_one() -> Followed:
        look = waiting.popleft()
        placed = [(track, tracker.place(track, look.index, look.time_s)) for track in tracker.tracks]
        tracker.forget(look.index, look.time_s)
        return Followed(look.index, look.time_s, look.image, [(t, p) for t, p in placed if p.state != LOST])

    stream = looks(frames, chosen, every=every)
    try:
        for look in stream:
            tracker.add(look.index, look.time_s, look.seen)
            waiting.append(look._replace(seen=None))
            most = max(every + 1, int(AHEAD_BYTES / look.image.nbytes))
            while len(waiting) > every and (look.time_s - waiting[0].time_s > HOLD_S or len(waiting) > most):
                yield next_one()
        while waiting:
            yield next_one()
    finally:
        stream.close()
