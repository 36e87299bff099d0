"""What a film's face leaves behind: colours over time, and how they were come by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..signal.filters import resample, uniform_times
from ..signal.frames import resample_frames
from ..types import Clip
from .track import LOST, STATES

GAP_S = 0.5
"""A stretch without colours up to this long is bridged when a clip is made."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameQuality:
    """How good the picture of the face is, frame by frame; NaN without a face."""

    brightness: np.ndarray               # (T,) mean of R, G and B in the first region, 0 to 255
    clipped: np.ndarray                  # (T,) share of the first region's pixels at 0 or 255
    sharpness: np.ndarray                # (T,) spread of second differences over brightness, at 96 px width
    motion_px: np.ndarray                # (T,) way of the face's centre since the frame before
    width_px: np.ndarray                 # (T,) of the face


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceTrace:
    """Mean skin colours of one face in a film. Where there was no face, colours are NaN and the state says so."""

    times_s: np.ndarray                  # (T,) strictly increasing stamps
    rgb: dict[str, np.ndarray]           # region -> (T, 3)
    pixels: dict[str, np.ndarray]        # region -> (T,) pixels in the mean
    box: np.ndarray                      # (T, 4) x, y, width, height of the smoothed face
    state: np.ndarray                    # (T,) FOUND, HELD (bridged) or LOST
    quality: FrameQuality
    finder: str                          # who found the face: landmarks, haar, ...
    every: int = 1                       # frames from one look to the next
    info: Any = None                     # VideoInfo, where the source is one
    report: Any = None                   # ReadReport, where the source is a Video
    notes: tuple[str, ...] = ()
    crops: np.ndarray | None = None      # (M, size, size, 3) uint8, pictures of the face, where they were asked for
    crops_at: np.ndarray | None = None   # (M,) frame that each of them is of

    def __len__(self) -> int:
        return len(self.times_s)

    def __repr__(self) -> str:
        return (f"FaceTrace({len(self)} frames, face in {100 * self.share_found:.0f} %, by {self.finder}, "
                f"{', '.join(self.rgb)})")

    @property
    def fs(self) -> float:
        """Frames per second, from the median step of the time stamps."""
        return float(1 / np.median(np.diff(self.times_s))) if len(self) > 1 else float("nan")

    @property
    def share_found(self) -> float:
        """Share of frames with a face, bridged ones included."""
        return float((self.state != LOST).mean()) if len(self) else 0.0

    def stretches(self, *, min_s: float = 0.0, region: str | None = None) -> list[tuple[float, float]]:
        """Return start and end, in seconds, of each piece with colours without a gap of more than :data:`GAP_S`."""
        good = np.flatnonzero(self._has_colour(region))
        if not len(good):
            return []
        cuts = np.flatnonzero(np.diff(self.times_s[good]) > max(GAP_S, 1.5 / self.fs if len(self) > 1 else 0)) + 1
        parts = np.split(self.times_s[good], cuts)
        return [(float(p[0]), float(p[-1])) for p in parts if p[-1] - p[0] >= min_s and len(p) > 1]

    def clip(self, region: str | None = None, *, fs: float | None = None) -> Clip:
        """Return the colours of a region, evenly in time, from the first to the last frame with a face.

        Raises:
            ValueError: if the face is gone for longer than :data:`GAP_S` in between; :meth:`clips` gives the pieces.
        """
        region = self._region(region)
        pieces = self.stretches(region=region)
        if not pieces:
            raise ValueError(f"FaceTrace.clip: needs frames with a face, found none with region {region!r} in "
                             f"{len(self)} frames. Look at .notes.")
        if len(pieces) > 1:
            gaps = ", ".join(f"{a[1]:.1f} to {b[0]:.1f} s" for a, b in zip(pieces, pieces[1:], strict=False))
            raise ValueError(f"FaceTrace.clip: needs a trace without gaps, but there is no face from {gaps}. "
                             f"Use FaceTrace.clips(), which returns the pieces in between.")
        return self._piece(region, *pieces[0], fs=fs)

    def clips(self, region: str | None = None, *, min_s: float = 0.0, fs: float | None = None) -> list[Clip]:
        """Return each piece with a face as an evenly sampled clip that knows where it starts."""
        region = self._region(region)
        return [self._piece(region, *piece, fs=fs) for piece in self.stretches(min_s=min_s, region=region)]

    def _piece(self, region: str, start_s: float, end_s: float, *, fs: float | None) -> Clip:
        inside = (self.times_s >= start_s) & (self.times_s <= end_s)
        times, rate = self.times_s[inside], fs or self.fs
        at = uniform_times(times, fs=rate)
        even = resample(self.rgb[region][inside], times, at_s=at, max_gap_s=max(GAP_S, 1.5 / self.fs) + 1e-9)
        source = getattr(self.info, "source", "face")
        return Clip(id=str(source), rgb=even, frames=self._crops_between(start_s, end_s, at), fs=rate,
                    start_s=float(start_s), condition=region)

    def _crops_between(self, start_s: float, end_s: float, at: np.ndarray) -> np.ndarray | None:
        """Return the face's pictures at even times, or None if none were kept."""
        if self.crops is None:
            return None
        times = self.times_s[self.crops_at]
        inside = (times >= start_s) & (times <= end_s)
        return resample_frames(self.crops[inside], times[inside], at_s=at)

    def _region(self, region: str | None) -> str:
        region = region or next(iter(self.rgb))
        if region not in self.rgb:
            raise ValueError(f"FaceTrace: has regions {', '.join(self.rgb)}, asked for {region!r}. "
                             f"Name it in face_trace(..., regions=...).")
        return region

    def _has_colour(self, region: str | None) -> np.ndarray:
        return np.isfinite(self.rgb[self._region(region)]).all(1)


def spans(times_s: np.ndarray, where: np.ndarray) -> list[tuple[float, float]]:
    """Return the first and last time of each run of True.

    >>> spans(np.arange(5.0), np.array([True, True, False, True, False]))
    [(0.0, 1.0), (3.0, 3.0)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
    return [(float(times_s[a]), float(times_s[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def loss_note(times_s: np.ndarray, state: np.ndarray, *, most: int = 4) -> tuple[str, ...]:
    """Return, in words, when there was no face; nothing where there always was one.

    >>> loss_note(np.arange(4.0), np.array([0, 2, 2, 0]))
    ('no face in 2 of 4 frames: 1.0 to 2.0 s',)
    """
    lost = state == STATES.index("lost")
    if not lost.any():
        return ()
    if lost.all():
        return (f"no face in any of {len(state)} frames",)
    found = spans(times_s, lost)
    shown = ", ".join(f"{a:.1f} to {b:.1f} s" for a, b in found[:most])
    return (f"no face in {lost.sum()} of {len(state)} frames: {shown}"
            + (f" and {len(found) - most} times more" if len(found) > most else ""),)
