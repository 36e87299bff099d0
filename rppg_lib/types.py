"""What travels through the library: recordings, clips, pulses and scores, checked where users enter.

Arrays are ``(T, ...)`` in time, colours are R-G-B, rates are in Hz, times in seconds, heart rates in bpm,
and a pulse points up at systole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MIN_S = 1.6
"""Shortest usable piece of a pulse: one beat at 38 bpm."""

CHANNELS = "RGB"
LARGEST = 1e140
"""Beyond it, and below its inverse, powers of a spectrum leave the range of numbers."""


def check_fs(who: str, fs: float) -> float:
    """Return ``fs`` as a float, or say what is wrong with it."""
    try:
        if np.ndim(fs) == 0 and isinstance(fs, (bool, np.bool_, bytes)) or np.asarray(fs).dtype.kind == "c":
            raise TypeError
        rate = float(np.asarray(fs).item())
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{who}: fs must be one number, frames per second; got {fs!r}.") from None
    if not np.isfinite(rate) or rate <= 0:
        raise ValueError(f"{who}: fs must be a positive number of frames per second, got {fs!r}. "
                         f"Read it from the recording's time stamps; most webcams give about 30.")
    return rate


def frames_in(seconds: float, fs: float) -> int:
    """Return how many frames hold ``seconds``; a hair above a whole number is that number (``9 / fs * fs`` is 9).

    >>> frames_in(1.6, 30), frames_in(1.6, 29.97), frames_in(9 / 66.27, 66.27)
    (48, 48, 9)
    """
    return int(np.ceil(seconds * fs - 1e-9))


def check_wave(who: str, wave: Any, *, fs: float, min_s: float = MIN_S) -> np.ndarray:
    """Return ``wave`` as a float array ``(..., T)`` that is finite and at least ``min_s`` long."""
    fs = check_fs(who, fs)
    array = _as_floats(who, wave)
    if array.ndim == 0:
        raise ValueError(f"{who}: needs a waveform (..., T), got the single number {array}.")
    _check_length(who, array, fs, min_s, axis=-1)
    _check_finite(who, array, axis=-1)
    _check_scale(who, array)
    return array


def check_rgb(who: str, rgb: Any, *, fs: float, min_s: float = MIN_S) -> np.ndarray:
    """Return ``rgb`` as a float array ``(..., T, 3)``: finite, positive, long enough, no dead channel."""
    fs = check_fs(who, fs)
    array = _as_floats(who, rgb)
    if array.ndim < 2 or array.shape[-1] != 3:
        hint = "Stack one R-G-B colour per frame."
        if array.ndim >= 2 and array.shape[-2] == 3:
            hint = "The colour axis comes last here: pass np.swapaxes(rgb, -1, -2)."
        raise ValueError(f"{who}: needs colours (..., T, 3), got shape {array.shape}. {hint}")
    _check_length(who, array, fs, min_s, axis=-2)
    _check_finite(who, array, axis=-2)
    _check_scale(who, array)
    if array.min() <= 0:
        *_, frame, channel = np.argwhere(array <= 0)[0]
        raise ValueError(f"{who}: needs colours above 0, got {array.min():g} "
                         f"(first in channel {CHANNELS[channel]} at frame {frame}). "
                         f"Pass the mean colour of the skin, not a difference or a normalised signal; "
                         f"leave out frames without a face.")
    dead = np.argwhere(np.ptp(array, axis=-2) == 0)
    if len(dead):
        *trace, channel = dead[0]
        value = array[(*trace, 0, channel)]
        raise ValueError(f"{who}: channel {CHANNELS[channel]} never changes (first value {value:g}). "
                         f"It is saturated or missing: lower the exposure, or use another region.")
    return array


def _as_floats(who: str, values: Any) -> np.ndarray:
    try:
        if isinstance(values, np.ma.MaskedArray):                    # what is masked is missing, not a number
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array = np.asarray(values)
        if array.dtype.kind not in "fiubO":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"{who}: needs real numbers, got {type(values).__name__} that cannot be made an array of them. "
                        f"Pass a NumPy array of numbers.") from None


def _check_length(who: str, array: np.ndarray, fs: float, min_s: float, *, axis: int) -> None:
    frames, needed = array.shape[axis], max(frames_in(min_s, fs), 1)
    if frames < needed:
        raise ValueError(f"{who}: needs at least {needed} frames ({min_s:g} s at {fs:g} fps), got {frames}. "
                         f"Use a longer clip.")
    if not array.size:
        raise ValueError(f"{who}: needs at least one signal, got an empty batch of shape {array.shape}.")


def _check_finite(who: str, array: np.ndarray, *, axis: int) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        frame = np.argwhere(bad)[0][axis]
        raise ValueError(f"{who}: {bad.sum()} of {array.size} values are NaN or infinite, first at frame {frame}. "
                         f"Fill short gaps with signal.resample, or cut the clip there.")


def _check_scale(who: str, array: np.ndarray) -> None:
    largest = np.abs(array).max(initial=0)
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise ValueError(f"{who}: its largest value is {largest:.0e}, too far from 1 to be squared without loss. "
                         f"The scale of a signal is free: divide by its largest value.")


@dataclass(frozen=True, eq=False, kw_only=True)
class Pulse:
    """A pulse waveform, systole up, on an arbitrary scale. Heart rate and quality are functions of it.

    >>> Pulse(wave=np.sin(np.arange(300) / 4), fs=30)
    Pulse(10.0 s at 30 fps)
    """

    wave: np.ndarray                     # (T,)
    fs: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "fs", check_fs("Pulse", self.fs))
        object.__setattr__(self, "wave", check_wave("Pulse", self.wave, fs=self.fs, min_s=0))
        if self.wave.ndim != 1:
            raise ValueError(f"Pulse: needs one waveform (T,), got shape {self.wave.shape}. Make one Pulse per row.")

    def __repr__(self) -> str:
        return f"Pulse({len(self.wave) / self.fs:.1f} s at {self.fs:g} fps)"


class Lent(np.ndarray):
    """Pictures that must not be shown: nobody who lent them has allowed it. What is cut out of them is lent, too.

    Computing with them is free; the figures of :mod:`rppg_lib.plots` draw the outline of the face instead.

    >>> pictures = np.zeros((9, 8, 8, 3), np.uint8).view(Lent)
    >>> isinstance(pictures[0, 2:6], Lent), isinstance(pictures.astype(float) / 255, Lent)
    (True, True)
    """


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip:
    """What every method consumes: a colour trace, frames, or both, and a label where there is one.

    >>> rgb = 100 + np.random.default_rng(0).normal(size=(300, 3))
    >>> Clip(id="a", rgb=rgb, fs=30)
    Clip('a', 10.0 s at 30 fps, rgb (300, 3))
    """

    fs: float
    rgb: np.ndarray | None = None        # (T, 3) mean skin colour per frame, > 0
    frames: np.ndarray | None = None     # (T, H, W, 3) uint8
    label: np.ndarray | None = None      # (T,) reference pulse on the same frames
    id: str = "clip"
    subject: str = "unknown"             # intervals are drawn over subjects: name them
    dataset: str = "unknown"
    condition: str = ""                  # scene or disturbance, for tables
    start_s: float = 0.0                 # where it lies in its recording
    truth: Any = None                    # everything a simulator put in; None for real recordings

    def __post_init__(self) -> None:
        who = f"Clip {self.id!r}"
        object.__setattr__(self, "fs", check_fs(who, self.fs))
        if self.rgb is None and self.frames is None:
            raise ValueError(f"{who}: needs rgb (T, 3) or frames (T, H, W, 3), got neither.")
        if self.rgb is not None:
            # Its shape only: a saturated or lost stretch is for the method to refuse, so that it is counted and named.
            object.__setattr__(self, "rgb", _as_floats(who, self.rgb))
            if self.rgb.ndim != 2 or self.rgb.shape[1] != 3:
                raise ValueError(f"{who}: needs one trace (T, 3), got shape {self.rgb.shape}. Make one Clip per trace.")
        if self.frames is not None:
            object.__setattr__(self, "frames", np.asanyarray(self.frames))
        if self.frames is not None and (self.frames.ndim != 4 or self.frames.shape[-1] != 3
                                        or self.frames.dtype != np.uint8):
            raise ValueError(f"{who}: needs frames (T, H, W, 3) of uint8 in R-G-B order, "
                             f"got shape {self.frames.shape} of {self.frames.dtype}.")
        if self.label is not None:
            object.__setattr__(self, "label", check_wave(f"{who}, label", self.label, fs=self.fs, min_s=0))
            if self.label.ndim != 1:
                raise ValueError(f"{who}, label: needs one waveform (T,), got shape {self.label.shape}.")
        lengths = {name: len(value) for name, value in
                   (("rgb", self.rgb), ("frames", self.frames), ("label", self.label)) if value is not None}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{who}: its parts must have one value per frame, got lengths {lengths}. "
                             f"Resample the label onto the frames with signal.resample.")

    def __len__(self) -> int:
        return len(self.rgb if self.rgb is not None else self.frames)

    def __repr__(self) -> str:
        parts = [f"{name} {value.shape}" for name, value in (("rgb", self.rgb), ("frames", self.frames))
                 if value is not None]
        return f"Clip({self.id!r}, {len(self) / self.fs:.1f} s at {self.fs:g} fps, {', '.join(parts)})"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What those who lend recordings allow, and whom to cite. What is not told is not allowed."""

    licence: str
    may_show_faces: bool = False
    may_redistribute: bool = False
    cites: str = ""                      # key in book/refs.bib
    note: str = ""                       # what else to keep to


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """A contact pulse at its own times, on the clock of the pictures it belongs to.

    >>> Reference(wave=[0, 1, 0, -1], times_s=[0, 0.1, 0.2, 0.3])
    Reference(4 values, 0.0 to 0.3 s)
    """

    wave: np.ndarray                     # (N,), systole up; NaN where the sensor said nothing
    times_s: np.ndarray                  # (N,) strictly increasing; 0 is the first picture
    notes: tuple[str, ...] = ()          # what was repaired or is known to be doubtful

    def __post_init__(self) -> None:
        wave, times = (_as_floats("Reference", values) for values in (self.wave, self.times_s))
        if wave.ndim != 1 or wave.shape != times.shape or len(wave) < 2:
            raise ValueError(f"Reference: needs one time for each value and two at least, got {times.shape} times for "
                             f"values {wave.shape}.")
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            at = int(np.argmax(~(np.diff(times) > 0))) + 1
            raise ValueError(f"Reference: times must increase strictly, but value {at} is at {times[at]:g} s, after "
                             f"{times[at - 1]:g} s. Sort them, or leave out what came twice.")
        object.__setattr__(self, "wave", wave)
        object.__setattr__(self, "times_s", times)

    def __repr__(self) -> str:
        return f"Reference({len(self.wave)} values, {self.times_s[0]:.1f} to {self.times_s[-1]:.1f} s)"


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """A whole recording before it is cut: nothing of it is opened before it is asked for.

    ``pictures`` and ``reference`` are functions that open it afresh. They can be pickled, so that other processes can.
    """

    id: str                                                   # differs within its data set
    subject: str
    dataset: str
    fs: float                                                 # nominal; the times that come with pictures are the truth
    pictures: Callable[[], Iterable[tuple[np.ndarray, float]]]    # (H, W, 3) uint8 R-G-B, and its time in seconds
    reference: Callable[[], Reference] | None = None          # contact pulse, if there is one
    condition: str = ""                                       # scene, task or light, for tables
    terms: Terms = Terms(licence="unknown")
    facts: dict[str, Any] = field(default_factory=dict)       # what else is known of it: skin tone, camera ...
    files: tuple[Path, ...] = ()                              # what it is read from; folders stand for all in them

    def __post_init__(self) -> None:
        object.__setattr__(self, "fs", check_fs(f"Recording {self.id!r}", self.fs))
        for name in ("pictures", "reference"):
            if not callable(value := getattr(self, name)) and (name == "pictures" or value is not None):
                raise TypeError(f"Recording {self.id!r}: {name} must be a function that opens them, got "
                                f"{type(value).__name__}. A clip in memory is a Clip.")

    def __repr__(self) -> str:
        return f"Recording({self.id!r} of {self.subject!r}, {self.dataset}, {self.condition or 'no condition'})"


@dataclass(frozen=True, kw_only=True)
class Score:
    """One method on one window of one clip. Every reported number is an aggregation of such rows."""

    method: str
    clip_id: str
    subject: str
    dataset: str
    condition: str
    start_s: float
    seconds: float
    hr_true: float                       # bpm, read from the label by the same read-out
    hr_pred: float                       # bpm
    snr_db: float                        # of the estimated pulse about the true rate
    macc: float                          # largest |correlation| with the label over circular shifts
    r_band: float                        # correlation of the estimate as it is with the band-passed label, in place
    r_wave: float                        # and with the label itself, its whole shape
    quality: float                       # 0 to 1, from the estimate alone; below 0.5: do not trust it
    note: str = ""                       # why there are no numbers, where there are none
