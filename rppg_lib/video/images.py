"""Folders of pictures, decoded with PyAV inside the child process; times from names or from fs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import av
import numpy as np

from .decoder import Counts, Refusal
from .pixels import ToRgb, check_size, turn_deg

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
STARTS = {b"\x89PNG": "png", b"\xff\xd8\xff": "mjpeg", b"BM": "bmp"}
NANOSECONDS = re.compile(r"\D*(\d{16,20})\.\w+")
LARGEST_FILE = 500_000_000


def natural(name: str) -> list:
    """Return a key that sorts 2 before 10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts]


def times_of(names: list[str], fs: float | None) -> tuple[list[str], list[float], float] | None:
    """Return names in order, their times in seconds from 0, and the mean rate; None where nothing tells the times."""
    found = [NANOSECONDS.fullmatch(name) for name in names]
    if fs is None and len(names) > 1 and all(found):
        order = sorted((int(match[1]), name) for match, name in zip(found, names))
        times_s = [(stamp - order[0][0]) * 1e-9 for stamp, _ in order]
        if times_s[-1] > 0:
            return [name for _, name in order], times_s, (len(names) - 1) / times_s[-1]
    if fs is None:
        return None
    return sorted(names, key=natural), [number / fs for number in range(len(names))], fs


class ImageSource:
    """A folder of pictures of one size."""

    def __init__(self, task: dict, counts: Counts) -> None:
        self.folder, self.counts = task["source"], counts
        every = sorted(entry.name for entry in os.scandir(self.folder)
                       if entry.is_file() and not entry.name.startswith("."))
        names = [name for name in every if name.lower().endswith(ENDINGS)]
        base = os.path.basename(self.folder)
        if not names:
            raise Refusal(f"the folder {base} holds no pictures ({', '.join(ENDINGS)}), only {len(every)} other files. "
                          f"Pass the folder that holds them, or a video file.")
        if len(every) > len(names):
            counts.note(f"{len(every) - len(names)} files that are no pictures were passed over")
        timed = times_of(names, task["fs"])
        if timed is None:
            raise Refusal(f"the folder {base} does not say when its {len(names)} pictures were taken: names like "
                          f"Image<nanoseconds>.png would. Pass fs=, pictures per second.", "ValueError")
        self.names, self.times_s, self.fs = timed
        self.waiting = self._decoded()
        self.first = next(self.waiting, None)
        if self.first is None:
            raise Refusal(f"none of the {len(names)} pictures in the folder {base} can be decoded. "
                          f"They are damaged, or no pictures: copy them again.")
        self.native = self.first[0].width, self.first[0].height
        self.to_rgb = ToRgb(self.first[0], largest_px=task["largest_px"])

    def info(self) -> dict:
        """Return what the names and the first picture say."""
        width, height = self.to_rgb.shape
        return {"kind": "images", "codec": self.kind, "width": width, "height": height, "fs": self.fs,
                "frames": len(self.names), "duration_s": self.times_s[-1] + 1 / self.fs,
                "rotation_deg": turn_deg(self.to_rgb.signs), "kbps": None}

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, int]]:
        for number, name in enumerate(self.names):
            frame = self._decode(name)
            if frame is None:
                self.counts.damaged += 1
                self.counts.note(f"{name} could not be decoded")
                continue
            yield frame, number

    def _decode(self, name: str) -> av.VideoFrame | None:
        path = os.path.join(self.folder, name)
        if os.path.getsize(path) > LARGEST_FILE:
            return None
        with open(path, "rb") as file:
            content = file.read()
        codec = next((codec for start, codec in STARTS.items() if content.startswith(start)), None)
        if codec is None:
            return None
        self.kind = codec
        # A fresh one each time: a used PNG decoder adds the next picture to the last.
        decoder = av.CodecContext.create(codec, "r")
        decoder.thread_count = 1
        try:
            frames = decoder.decode(av.Packet(content))
        except MemoryError:
            raise
        except (OSError, ValueError, LookupError):
            return None
        return frames[0] if frames else None

    def pictures(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield ``(H, W, 3)`` uint8 and seconds since the first name's time, be that picture damaged or not."""
        item, self.first = self.first, None
        last_s = -1.0
        while item is not None:
            frame, number = item
            check_size(self.names[number], frame.width, frame.height)
            if (frame.width, frame.height) != self.native:
                raise Refusal(f"{self.names[number]} has {frame.width} x {frame.height} pixels, the pictures before it "
                              f"{self.native[0]} x {self.native[1]}. Put pictures of one size into a folder of "
                              f"their own.", "ValueError")
            time_s = self.times_s[number]
            if time_s <= last_s:
                time_s = last_s + 1e-3 / self.fs
                self.counts.repaired += 1
            last_s = time_s
            yield self.to_rgb(frame), time_s
            item = next(self.waiting, None)

    def finish(self) -> None:
        """Say what the end tells: nothing more."""
