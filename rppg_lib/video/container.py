"""Video files, opened with PyAV inside the child process: pictures and their true times."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator

import av
import numpy as np

from .decoder import Counts, Refusal
from .pixels import LARGEST_PIXELS, ToRgb, check_size, turn_deg

NO_VIDEO = {"tty", "hls", "dash", "concat", "ffmetadata"}      # text, or lists of other files: they play, but not here
PICTURES = ("image2", "_pipe")
PLAUSIBLE_FS = (0.5, 1000.0)
LONGEST_JUMP_S = 86_400.0
GIVE_UP_AFTER = 3000                                           # packets in a row without a picture


class Stamps:
    """True times, first 0, strictly increasing; what had to be repaired is counted."""

    def __init__(self, counts: Counts, *, step_s: float) -> None:
        self.counts, self.step_s = counts, step_s
        self.shift_s: float | None = None
        self.last_s = -math.inf

    def __call__(self, stamp_s: float | None) -> float:
        """Return the time of the next picture, whose own stamp may be missing or wrong."""
        if self.shift_s is None:
            self.shift_s = -stamp_s if stamp_s is not None else 0.0
            self.counts.repaired += stamp_s is None
            self.last_s = 0.0
            return 0.0
        time_s = None if stamp_s is None else stamp_s + self.shift_s
        if time_s is None:
            time_s = self.last_s + self.step_s
            self.counts.repaired += 1
            self.counts.note("pictures without a time stamp were given the usual distance from the one before")
        elif not -3 * self.step_s < time_s - self.last_s < LONGEST_JUMP_S:
            self.counts.repaired += 1
            self.counts.note(f"the time stamps jump by {time_s - self.last_s:+.3g} s at {self.last_s:.2f} s; "
                             f"what follows was moved to join")
            self.shift_s += self.last_s + self.step_s - time_s
            time_s = self.last_s + self.step_s
        elif time_s <= self.last_s:
            self.counts.repaired += 1
            time_s = self.last_s + self.step_s / 1000
        self.last_s = time_s
        return time_s


class FileSource:
    """One video file: its first picture is decoded on opening, so that what is said of it is true."""

    def __init__(self, task: dict, counts: Counts) -> None:
        self.path, self.name, self.counts = task["source"], os.path.basename(task["source"]), counts
        self.fs_given = task["fs"]
        self.container = self._open()
        self.stream = self._stream()
        context = self.stream.codec_context
        if context.width and context.height:
            check_size(self.name, context.width, context.height)
        context.thread_type = "AUTO"
        context.thread_count = 2
        context.options = {"max_pixels": str(LARGEST_PIXELS)}
        self.fs = self._rate()
        self.early_end = ""
        self.sent = 0
        self.waiting = self._decoded()
        self.first = next(self.waiting, None)
        if self.first is None:
            raise Refusal(f"{self.name} holds no picture that can be decoded ({self.counts.damaged} damaged packets). "
                          f"It is empty or damaged: copy it again, or convert it.")
        check_size(self.name, self.first.width, self.first.height)
        self.to_rgb = ToRgb(self.first, largest_px=task["largest_px"])

    def _open(self):
        try:
            return av.open("file:" + self.path, options={"protocol_whitelist": "file"}, metadata_errors="replace")
        except MemoryError:
            raise
        except (OSError, ValueError, LookupError) as error:
            raise Refusal(f"{self.name} is no video that can be opened ({_short(error)}). Pass a video file such as "
                          f"mp4, mov, mkv, avi or webm; one cut off while it was written cannot be opened.") from None

    def _stream(self):
        format_name = self.container.format.name
        if format_name in NO_VIDEO:
            raise Refusal(f"{self.name} is text or a play list, not a video. Pass the video file itself.", "ValueError")
        if format_name.endswith(PICTURES):
            raise Refusal(f"{self.name} is one picture; a pulse needs a video. Pass a video file, or the folder that "
                          f"holds the pictures.", "ValueError")
        cover = av.stream.Disposition.attached_pic
        for stream in self.container.streams.video:
            if not stream.disposition & cover and stream.codec_context is not None:
                return stream
        kinds = sorted({str(stream.type) for stream in self.container.streams}) or ["nothing"]
        raise Refusal(f"{self.name} holds no video, only {' and '.join(kinds)}. Pass a file with pictures.")

    def _rate(self) -> float:
        if self.fs_given:
            self.counts.note(f"time stamps of the file were set aside: fs={self.fs_given:g} was given")
            return self.fs_given
        claimed = [float(rate) for rate in (self.stream.average_rate, self.stream.guessed_rate) if rate]
        for rate in claimed:
            if PLAUSIBLE_FS[0] <= rate <= PLAUSIBLE_FS[1]:
                return rate
        fs = self._rate_of_stamps()
        text = f"{claimed[0]:g}" if claimed else "no rate"
        self.counts.note(f"the file claims {text} frames per second; {fs:.4g} was found from its time stamps"
                         if fs else f"the file claims {text} frames per second and has no time stamps to correct it; "
                                    f"30 was assumed. Pass fs= if you know it")
        return fs or 30.0

    def _rate_of_stamps(self) -> float | None:
        stamps = []
        try:
            with self._open() as again:
                for packet in again.demux(again.streams[self.stream.index]):
                    if packet.pts is not None:
                        stamps.append(float(packet.pts * packet.time_base))
                    if len(stamps) >= 120:
                        break
        except (OSError, ValueError, LookupError, Refusal):
            pass
        stamps.sort()
        steps = [b - a for a, b in zip(stamps, stamps[1:]) if b > a]
        rate = 1 / statistics.median(steps) if len(steps) > 1 else 0.0
        return rate if PLAUSIBLE_FS[0] <= rate <= PLAUSIBLE_FS[1] else None

    def info(self) -> dict:
        """Return what the header and the first picture say."""
        width, height = self.to_rgb.shape
        size = os.path.getsize(self.path)
        frames = self.stream.frames if 0 < self.stream.frames <= size else None
        duration_s = self._duration_s()
        if self.fs_given:
            duration_s = frames / self.fs if frames else None
        return {"kind": "file", "codec": self.stream.codec_context.name, "width": width, "height": height,
                "fs": self.fs, "frames": frames, "duration_s": duration_s,
                "rotation_deg": turn_deg(self.to_rgb.signs),
                "kbps": size * 8 / 1000 / duration_s if duration_s else None}

    def _duration_s(self) -> float | None:
        base = self.stream.time_base
        known = [self.stream.duration * base] if self.stream.duration and base else []
        known += [self.container.duration / 1e6] if self.container.duration else []
        return next((float(value) for value in known if 0 < value < 1e7), None)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield pictures; a damaged packet is counted and passed over."""
        packets = self.container.demux(self.stream)
        silent = 0
        while silent < GIVE_UP_AFTER:
            try:
                packet = next(packets, None)
            except MemoryError:
                raise
            except (OSError, ValueError, LookupError) as error:
                self.early_end = f"the file could not be read to its end ({_short(error)})"
                return
            if packet is None:
                return
            silent += 1
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except MemoryError:
                raise
            except (OSError, ValueError, LookupError):
                self.counts.damaged += 1
                continue
            for frame in frames:
                silent = 0
                self.counts.damaged += bool(frame.is_corrupt)
                yield frame
        self.early_end = f"reading stopped after {GIVE_UP_AFTER} packets in a row without a picture"

    def pictures(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield ``(H, W, 3)`` uint8 and seconds since the first picture."""
        stamps = Stamps(self.counts, step_s=1 / self.fs)
        # AVI keeps no times, and numbers its pictures in the order of decoding, which later ones may overtake.
        unordered = self.container.format.name == "avi" and self.stream.codec_context.has_b_frames
        frame, self.first = self.first, None
        if frame.interlaced_frame:
            self.counts.note("the video is interlaced: each picture mixes two moments")
        while frame is not None:
            check_size(self.name, frame.width, frame.height)
            if self.fs_given or unordered:
                time_s = self.sent / self.fs
            else:
                known = frame.pts is not None and frame.time_base is not None
                time_s = stamps(float(frame.pts * frame.time_base) if known else None)
            yield self.to_rgb(frame), time_s
            self.last_s = time_s
            self.sent += 1
            frame = next(self.waiting, None)

    def finish(self) -> None:
        """Say what the end of the file tells."""
        counts = self.counts
        if self.early_end:
            counts.note(self.early_end)
        promised, duration_s = self.info()["frames"], self._duration_s()
        if promised and self.sent < promised - 2:
            counts.note(f"the file ends early: its header promises {promised} pictures, {self.sent} came")
        elif not promised and not self.fs_given and duration_s and self.last_s < 0.9 * duration_s - 1:
            counts.note(f"the file ends early: its header promises {duration_s:.1f} s, {self.last_s:.1f} s came")
        if self.to_rgb.resized:
            counts.note(f"{self.to_rgb.resized} pictures have another size than the first and were scaled to it")
        if counts.damaged:
            counts.note(f"{counts.damaged} damaged packets or pictures")


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120] or type(error).__name__
