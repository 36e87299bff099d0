"""How late a label is, from the video itself: where the wave that POS finds and the label are most alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from ..signal import MIN_QUALITY_S, TRUST, bandpass, hr_from_spectrum, pos, quality
from ..signal.filters import widened
from ..signal.spectrum import peak_offset

REACH_S = 2.0
"""Lags are looked for within plus and minus this."""
LEAST_OVERLAP = 0.6
"""Of a segment that must still have a partner after a shift."""
LEAST_HEIGHT = 0.35
PIECE_S, LEAST_SOUND = 5.0, 0.9
CLEARLY = 0.1
"""A summit that is higher by so much says which way up a label is, or what several recordings share."""
CHANCE = 0.005
"""How likely a summit may be the higher one by luck, and still be called the lag (Student's t over pieces)."""
LEAST_PIECES = 3
LEAST_ERROR = 0.003
LEAST_RECORDINGS = 5
FITS, FITTED_SHARE = 0.85, 0.8
"""A lag fits a recording that is there nearly as much alike as it ever is; a common one fits nearly all."""
APART_BPM = 8.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Lag:
    """When the label's pulse comes, seen from the face. ``seconds`` is NaN where nothing can be said."""

    seconds: float = math.nan            # > 0: the label comes after the face; nearest to 0 where several fit
    height: float = math.nan             # correlation there, mean over pieces
    certain: bool = False                # no other lag fits as well, but for luck
    rivals_s: tuple[float, ...] = ()     # those that do: about a beat away
    upside_down: bool | None = None      # the label fits when it is turned over; None: not known
    why: str = ""                        # why nothing can be said
    pieces: int = 0                      # that were compared; of a common lag: recordings that it fits
    shifts_s: np.ndarray                 # (n,) lags that were tried
    curve: np.ndarray                    # (n,) correlation at each of them; NaN where not known

    @property
    def known(self) -> bool:
        """Whether there is a lag, be it only up to a beat."""
        return math.isfinite(self.seconds)

    def to_text(self) -> str:
        """Return the finding in words."""
        if not self.known:
            return f"lag not known: {self.why}"
        text = f"the label comes {abs(self.seconds):.2f} s {'after' if self.seconds > 0 else 'before'} the face"
        if abs(self.seconds) < (self.shifts_s[1] - self.shifts_s[0]) / 2:
            text = "the label comes with the face"
        if not self.certain:
            text += ", give or take a beat"
        return text + {True: ", and is upside down", False: "", None: "; which way up it is cannot be said"}[
            self.upside_down]


def find_lag(rgb: np.ndarray, wave: np.ndarray, *, fs: float, cuts: list[slice], sound: np.ndarray,
             band_hz: tuple[float, float]) -> Lag:
    """Return the lag of a label ``(T,)`` without gaps behind the colours ``(T, 3)`` of the same frames.

    The pieces ``cuts`` in which POS finds a pulse are each compared with the label at every shift; the mean of their
    correlations has its summit at the lag, read between frames by a parabola. A mean of correlations, and not one
    long one: no piece counts more than another, however high its waves are.

    Args:
        rgb: mean skin colour of each frame.
        wave: the label, one value per frame.
        fs: frames per second.
        cuts: segments of the label that hold a pulse.
        sound: ``(T,)`` False where the label is lost all the same.
        band_hz: where heart rates are looked for.
    """
    reach = int(REACH_S * fs)
    shifts = np.arange(-reach, reach + 1)
    nothing = {"shifts_s": shifts / fs, "curve": np.full(len(shifts), np.nan)}
    try:
        face = bandpass(pos(rgb, fs=fs), fs=fs, band_hz=widened(band_hz, fs=fs))
    except ValueError as error:
        return Lag(why=str(error), **nothing)
    label = bandpass(wave, fs=fs, band_hz=widened(band_hz, fs=fs))
    seen = [cut for cut in cuts if cut.stop - cut.start >= int(MIN_QUALITY_S * fs)
            and quality(face[cut], fs=fs, band_hz=band_hz) >= TRUST]
    if not seen:
        return Lag(why="no segment of the label has a pulse" if not cuts else
                   "POS finds no pulse to be trusted in the video", **nothing)
    used = [piece for cut in seen for piece in _pieces(cut, fs) if sound[piece].mean() >= LEAST_SOUND]
    if not used:
        return Lag(why=f"no {PIECE_S:g} s of the label are whole where the video has a pulse", **nothing)
    apart = _rates_apart(face, label, used, fs=fs, band_hz=band_hz)
    if apart > APART_BPM:
        return Lag(why=f"video and label have different rates, {apart:.0f} bpm apart: are they of one recording?",
                   **nothing)
    return _summit(np.stack([_correlations(face, label, piece, shifts) for piece in used]), shifts / fs)


def common_lag(lags: Sequence[Lag]) -> Lag | None:
    """Return the one lag that fits all recordings, from where each of them fits; None for fewer than five.

    Beats of different length agree only at the true lag: what is known up to a beat in each recording becomes
    certain. Where sensor and camera were not started in the same way, no lag fits nearly all, and it is not known.
    """
    known = [lag for lag in lags if lag.known and lag.upside_down is not None]
    if len(known) < LEAST_RECORDINGS:
        return None
    shifts_s = max((lag.shifts_s for lag in known), key=len)
    curves = np.stack([np.interp(shifts_s, lag.shifts_s, -lag.curve if lag.upside_down else lag.curve)
                       for lag in known])
    found = _summit(curves, shifts_s, of_one=False)
    if found.known:
        there = curves[:, np.abs(shifts_s - found.seconds).argmin()]
        fitted = int(np.sum(there >= FITS * np.nanmax(curves, axis=1)))
        if fitted < FITTED_SHARE * len(known):
            return Lag(why="no one lag fits all recordings", shifts_s=shifts_s, curve=found.curve, pieces=fitted)
        found = replace(found, pieces=fitted)
    return found


def _pieces(cut: slice, fs: float) -> list[slice]:
    count = max(int((cut.stop - cut.start) / (PIECE_S * fs)), 1)
    edges = np.linspace(cut.start, cut.stop, count + 1).round().astype(int)
    return [slice(a, b) for a, b in zip(edges, edges[1:])]


def _summit(curves: np.ndarray, shifts_s: np.ndarray, *, of_one: bool = True) -> Lag:
    """Return the lag at the highest summit of the mean of curves ``(pieces, n)``, or in a pit that goes deeper.

    Another summit is a rival unless it is lower by more than luck. Pieces ``of_one`` recording have all nearly the
    same beat, and can err together by as much; there only the way up shows in the height.
    """
    known = np.isfinite(curves).sum(0)
    curve = np.where(known > 0, np.nansum(curves, 0) / np.maximum(known, 1), np.nan)
    about = {"shifts_s": shifts_s, "curve": curve, "pieces": len(curves)}
    # Each is (height, sign, number of the shift): pits are the summits of a label that is upside down.
    tops = sorted(((sign * curve[k], sign, k) for sign in (1, -1) for k in _summits(sign * curve)), reverse=True)
    if not tops or tops[0][0] < LEAST_HEIGHT:
        return Lag(why=f"label and video are alike at no shift within {REACH_S:g} s", **about)
    height, sign, best = tops[0]
    enough = len(curves) >= LEAST_PIECES
    rivals = [(other, k) for lower, other, k in tops[1:]
              if not (enough and (other != sign or not of_one) and height - lower > CLEARLY)
              and _by_luck(sign * curves[:, best] - other * curves[:, k])]
    turned: bool | None = sign < 0
    if any(other != sign for other, _ in rivals):                    # half a beat later it fits the other way up
        turned = None
        if sign < 0:
            sign, best = next((other, k) for other, k in rivals if other > 0)
    # Of those that fit as well, the one nearest to 0: sensor and camera are seldom a whole beat apart.
    same = {best, *(k for other, k in rivals if other == sign)}
    best, *others = sorted(same, key=lambda k: abs(shifts_s[k]))
    return Lag(seconds=_between(sign * curve, best, shifts_s), height=float(sign * curve[best]), certain=not rivals,
               rivals_s=tuple(_between(sign * curve, k, shifts_s) for k in others), upside_down=turned, **about)


def _by_luck(higher_by: np.ndarray) -> bool:
    """Say whether a mean above 0 could well be luck."""
    d = higher_by[np.isfinite(higher_by)]
    if len(d) < LEAST_PIECES:
        return True
    error = max(d.std(ddof=1) / np.sqrt(len(d)), LEAST_ERROR)
    return bool(d.mean() / error < stdtrit(len(d) - 1, 1 - CHANCE))


def _summits(curve: np.ndarray) -> np.ndarray:
    """Return where a curve has summits; none beside a NaN."""
    middle = curve[1:-1]
    return np.flatnonzero((middle > 0) & (middle > curve[:-2]) & (middle >= curve[2:])) + 1


def _between(curve: np.ndarray, k: int, shifts_s: np.ndarray) -> float:
    return float(shifts_s[k] + (shifts_s[1] - shifts_s[0]) * peak_offset(curve[k - 1:k + 2]))


def _correlations(face: np.ndarray, label: np.ndarray, cut: slice, shifts: np.ndarray) -> np.ndarray:
    """Return the correlation of a piece of one wave with the other at each shift; NaN where too little overlaps."""
    found = np.full(len(shifts), np.nan)
    for k, shift in enumerate(shifts):
        first, last = max(cut.start, -shift), min(cut.stop, len(label) - shift)
        if last - first >= LEAST_OVERLAP * (cut.stop - cut.start):
            a, b = face[first:last], label[first + shift:last + shift]
            size = a.std() * b.std()
            found[k] = np.mean((a - a.mean()) * (b - b.mean())) / size if size > 0 else np.nan
    return found


def _rates_apart(face: np.ndarray, label: np.ndarray, cuts: list[slice], *, fs: float,
                 band_hz: tuple[float, float]) -> float:
    """Return by how many bpm the rates of both waves differ in the middle one of the pieces."""
    rates = [[hr_from_spectrum(wave[cut], fs=fs, band_hz=band_hz) for cut in cuts] for wave in (face, label)]
    return float(np.median(np.abs(np.subtract(*rates))))
