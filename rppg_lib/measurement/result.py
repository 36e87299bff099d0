"""What a measurement says: a verdict in words first, then numbers, then everything they came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..signal import HRV, Breathing
from ..types import Pulse

Verdict = Literal["reliable", "partly reliable", "do not trust", "too short", "no face"]


@dataclass(frozen=True, kw_only=True)
class Window:
    """The rate in one window."""

    start_s: float
    seconds: float
    reading_bpm: float                   # the strongest rhythm, whatever it is; NaN where none could be read
    quality: float                       # 0 to 1: how likely it is a pulse
    trusted: bool
    note: str = ""                       # why there is no reading, where there is none

    @property
    def hr_bpm(self) -> float:
        """The rate, or NaN where the reading is not to be trusted."""
        return self.reading_bpm if self.trusted else math.nan

    @property
    def middle_s(self) -> float:
        return self.start_s + self.seconds / 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Stretch:
    """A part of the video with a face, long enough to be read."""

    start_s: float
    pulse: Pulse
    beats_s: np.ndarray                  # times of beats in the video, from trusted windows alone

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.pulse.wave) / self.pulse.fs


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """A pulse measured from a video, and how far it can be believed.

    ``hr_bpm`` is NaN unless the verdict is (partly) reliable; what was read all the same is in ``reading_bpm`` and
    in the windows. Nothing here tells who was seen.
    """

    source: str
    method: str
    region: str
    verdict: Verdict
    why: str                             # the verdict in a sentence
    hr_bpm: float                        # median over trusted windows
    reading_bpm: float                   # median over all windows
    quality: float                       # median over all windows, 0 to 1
    windows: tuple[Window, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    hrv: HRV | None = None
    hrv_note: str = ""                   # why there is no HRV
    breathing: Breathing | None = None
    breathing_note: str = ""
    seconds: float = 0.0                 # length of the video
    frames: int = 0
    face_share: float = 0.0              # of the frames
    finder: str = ""                     # what looked for the face
    face: int = 0                        # 0 is the largest
    video: dict[str, Any] = field(default_factory=dict)     # codec, size, rate, kb/s
    notes: tuple[str, ...] = ()          # everything that was mended, skipped or bridged
    took_s: float = 0.0

    @property
    def trusted(self) -> bool:
        """Whether ``hr_bpm`` is a rate to be believed."""
        return self.verdict in ("reliable", "partly reliable")

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.took_s if self.took_s else math.nan

    def __repr__(self) -> str:
        rate = f"{self.hr_bpm:.1f} bpm" if self.trusted else "no rate"
        return f"Measurement({self.source!r}, {rate}, {self.verdict}, quality {self.quality:.2f})"

    def to_json(self) -> dict[str, Any]:
        """Return everything but the waves as plain values; what is not a number becomes None.

        ``hr_bpm`` is None unless it is to be trusted.
        """
        breath, hrv = self.breathing, self.hrv
        return plain({
            "source": self.source, "method": self.method, "region": self.region, "face": self.face,
            "verdict": self.verdict, "why": self.why, "trusted": self.trusted, "hr_bpm": self.hr_bpm,
            "reading_bpm": self.reading_bpm, "quality": self.quality, "seconds": self.seconds, "frames": self.frames,
            "face_share": self.face_share, "finder": self.finder, "video": self.video,
            "breaths_per_min": breath.per_min if breath else math.nan, "breathing_note": self.breathing_note,
            "hrv": vars(hrv) if hrv else None, "hrv_note": self.hrv_note,
            "beats_s": [time for stretch in self.stretches for time in stretch.beats_s],
            "windows": [{"start_s": w.start_s, "seconds": w.seconds, "hr_bpm": w.hr_bpm, "reading_bpm": w.reading_bpm,
                         "quality": w.quality, "trusted": w.trusted, **({"note": w.note} if w.note else {})}
                        for w in self.windows],
            "notes": self.notes, "took_s": self.took_s, "frames_per_s": self.frames_per_s})

    def to_text(self) -> str:
        """Return the measurement as a few lines for people."""
        return "\n".join([*_headline(self), *_details(self), *(f"  note: {note}" for note in self.notes)])


def _headline(m: Measurement) -> list[str]:
    name = m.source if not m.face else f"{m.source}, face {m.face + 1}"
    rate = f"{m.hr_bpm:.1f} bpm" if m.trusted else "no rate"
    return [f"{name}: {rate} - {m.verdict}", f"  {m.why}"]


def _details(m: Measurement) -> list[str]:
    lines = []
    if m.windows:
        trusted = [w.reading_bpm for w in m.windows if w.trusted]
        spread = f", {min(trusted):.0f} to {max(trusted):.0f} bpm" if len(trusted) > 1 else ""
        lines.append(f"  quality {m.quality:.2f} (trusted from 0.50), {len(trusted)} of {len(m.windows)} windows of "
                     f"{m.windows[0].seconds:g} s trusted{spread}")
    if m.hrv:
        lines.append(f"  beats: {m.hrv.beats}, SDNN {m.hrv.sdnn_ms:.0f} ms, RMSSD {m.hrv.rmssd_ms:.0f} ms"
                     f"{f', {m.hrv.dropped} intervals left out' if m.hrv.dropped else ''}")
    elif m.hrv_note:
        lines.append(f"  no variability: {m.hrv_note}")
    if m.breathing and m.breathing.clear:
        lines.append(f"  breathing: {m.breathing.per_min:.0f} a minute")
    elif m.breathing_note:
        lines.append(f"  no breathing rate: {m.breathing_note}")
    lines.append(f"  {m.method} on {m.region}, face in {100 * m.face_share:.0f} % of {m.frames} frames"
                 f"{f' ({m.finder})' if m.finder else ''}, {m.seconds:.1f} s of video"
                 f"{f' in {m.took_s:.1f} s, {m.frames_per_s:.0f} frames/s' if m.took_s else ''}")
    return lines


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: NumPy scalars and arrays as Python's own, NaN as None, floats shortened.

    >>> plain({"a": np.float64("nan"), "b": (np.int64(2), 1 / 3)})
    {'a': None, 'b': [2, 0.333333]}
    """
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(each) for each in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
