"""Video in: pictures one at a time with their true times, decoded in a process of its own."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..types import check_fs
from .child import START_S, Child, Stopped

WHO = "open_video"
CAMERA_START_S = 40.0                    # some drivers take half a minute to open


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video and when it was taken."""

    image: np.ndarray                    # (H, W, 3) uint8, R-G-B, contiguous
    time_s: float                        # since the first picture; strictly increasing
    index: int                           # 0, 1, 2 ... in the order they come


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video before it is read; None is unknown. Sizes are of the upright pictures that come."""

    source: str
    kind: str                            # "file", "images" or "camera"
    codec: str
    width: int
    height: int
    fs: float                            # mean rate; the time stamps are the truth
    frames: int | None                   # as the header claims
    duration_s: float | None
    rotation_deg: int                    # clockwise turn that was asked for, and is applied
    kbps: float | None                   # of the whole file, sound included


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """What one pass over a video met."""

    frames: int
    damaged: int                         # packets or pictures that could not be decoded, or only in part
    repaired_stamps: int                 # missing, repeated or jumping time stamps
    duplicates: int                      # pictures equal in every value to the one before
    complete: bool                       # False: the reader stopped early, or the decoder failed
    notes: tuple[str, ...]


class Video:
    """A video that can be iterated, each time afresh from its start; made by ``open_video``.

    ``info`` says what it is; ``report`` is None until a pass has ended, then what that pass met. Closing it, leaving
    its ``with`` block, or dropping it ends its decoder.
    """

    def __init__(self, task: dict) -> None:
        self._task = task
        self.damaged = 0                                             # so far, in the pass under way
        self.report: ReadReport | None = None
        self._waiting, self.info = _start(task)
        self._drop = weakref.finalize(self, self._waiting.close)

    def __iter__(self) -> Iterator[Frame]:
        child, self._waiting = self._waiting, None
        if child is None or child.process.poll() is not None:        # used up, or it waited in vain and went
            if child is not None:
                child.close()
            child, _ = _start(self._task)
        return self._frames(child)

    def _frames(self, child: Child) -> Iterator[Frame]:
        finalizer = weakref.finalize(self, child.close)
        frames, counts, notes, complete = 0, (0, 0, 0), (), False
        shape = (self.info.height, self.info.width, 3)
        try:
            child.go()
            while True:
                try:
                    tag, counts, time_s, payload = child.hear()
                except Stopped as stopped:
                    raise OSError(f"{WHO}: {self.info.source}: {stopped} after {frames} pictures. The file is damaged "
                                  f"or asks too much of the decoder; convert it, or read an earlier part.") from None
                self.damaged = counts[0]
                if tag == b"PICT":
                    yield Frame(payload.reshape(shape), time_s, frames)
                    frames += 1
                elif tag == b"DONE":
                    notes, complete = tuple(_content(payload)["notes"]), True
                    return
                else:
                    notes = (_content(payload)["text"],)
                    raise _failure(_content(payload), f" (after {frames} pictures)")
        finally:
            finalizer()                                              # ends the child, and forgets it
            self.report = ReadReport(frames=frames, damaged=counts[0], repaired_stamps=counts[1],
                                     duplicates=counts[2], complete=complete, notes=notes)

    def close(self) -> None:
        """End the decoder that waits for the first pass; a pass under way ends with its iterator."""
        self._drop()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.info
        length = f"{info.duration_s:.1f} s" if info.duration_s else "of unknown length"
        return (f"Video({Path(info.source).name!r}, {info.codec}, {info.width} x {info.height} at {info.fs:.4g} fps, "
                f"{length})")


def open_video(source: Any, *, fs: float | None = None, largest_px: int | None = None,
               seconds: float | None = None) -> Video:
    """Open a video file, a folder of pictures or a webcam for reading, a picture at a time.

    The pictures come upright, R-G-B, with times that start at 0 and strictly increase, in memory that does not grow
    with the length. Decoding happens in a process of its own, so a broken file costs an error and not the session.

    Args:
        source: path of a video file, a folder of pictures (``Image<nanoseconds>.png`` as in PURE, or names in order
            and ``fs``), or the number of a webcam (0 or "0").
        fs: pictures per second of a folder whose names hold no time; for a file, replaces its time stamps.
        largest_px: longest side of the pictures that come; larger ones are scaled down before they are passed on.
        seconds: stop after so much of it; a webcam has no end of its own.

    Returns:
        A :class:`Video`: ``for frame in video: frame.image, frame.time_s``.
    """
    fs = None if fs is None else check_fs(WHO, fs)
    seconds = _positive("seconds", seconds, "how much of the video to read")
    largest_px = _positive("largest_px", largest_px, "the longest side in pixels", whole=True)
    kind, name = _kind(source)
    return Video({"kind": kind, "source": name, "fs": fs, "largest_px": largest_px, "seconds": seconds})


def _kind(source: Any) -> tuple[str, str]:
    if isinstance(source, (bool, np.bool_)) or not isinstance(source, (int, np.integer, str, os.PathLike)):
        raise TypeError(f"{WHO}: needs a path, or the number of a webcam, got {type(source).__name__}. "
                        f"Pass for example 'me.mp4', a folder of pictures, or 0.")
    text = str(source) if isinstance(source, (int, np.integer)) else os.fsdecode(source)
    if not isinstance(source, os.PathLike) and text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        if isinstance(source, str) and os.path.exists(text):
            return ("images" if os.path.isdir(text) else "file"), os.path.abspath(text)
        if int(text) < 0 or int(text) > 99:
            raise ValueError(f"{WHO}: webcams are counted from 0, got {text}. The first one is 0.")
        return "camera", str(int(text))
    if "\0" in text or not text:
        raise ValueError(f"{WHO}: needs a path, got {text!r}. Pass the name of a video file or folder.")
    if text.split("://")[0] in ("http", "https", "rtsp", "rtmp", "ftp"):
        raise ValueError(f"{WHO}: reads files and webcams, not addresses, got {text!r}. Download the video first.")
    path = Path(text).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{WHO}: needs a video file or a folder of pictures, but {str(path)!r} does not exist. "
                                f"Check the name; the working folder is {os.getcwd()}.")
    if path.is_dir():
        return "images", os.path.abspath(path)
    if not path.is_file():
        raise OSError(f"{WHO}: needs a video file, but {str(path)!r} is neither file nor folder. Save the video first.")
    if path.stat().st_size == 0:
        raise OSError(f"{WHO}: needs a video, but {str(path)!r} is empty (0 bytes). Copy or record it again.")
    return "file", os.path.abspath(path)


def _positive(name: str, value: Any, what: str, *, whole: bool = False) -> Any:
    if value is None:
        return None
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = int(value) if whole else float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{WHO}: {name} must be a number, {what}; got {value!r}.") from None
    if not np.isfinite(number) or number <= 0:
        raise ValueError(f"{WHO}: {name} must be above 0, {what}; got {value!r}.")
    return number


def _start(task: dict) -> tuple[Child, VideoInfo]:
    """Start a decoder and return it with what it says of its source."""
    child = Child(task)
    try:
        tag, _, _, payload = child.hear(limit_s=START_S)
        if tag == b"HELO":
            tag, _, _, payload = child.hear(limit_s=CAMERA_START_S if task["kind"] == "camera" else None)
        if tag != b"INFO":
            raise _failure(_content(payload))
        return child, VideoInfo(source=task["source"], **_content(payload))
    except Stopped as stopped:
        child.close()
        raise OSError(f"{WHO}: {task['source']}: {stopped} before the first picture. The file is damaged or asks too "
                      f"much of the decoder; convert it.") from None
    except BaseException:
        child.close()
        raise


def _content(payload: np.ndarray) -> dict:
    return json.loads(payload.tobytes())


def _failure(content: dict, after: str = "") -> Exception:
    kind = ValueError if content["kind"] == "ValueError" else OSError
    return kind(f"{WHO}: {content['text']}{after}")
