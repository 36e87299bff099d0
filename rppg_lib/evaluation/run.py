"""Run methods on clips and read one row per window. A clip that fails is a row that says why, never a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .. import registry, signal
from ..signal.spectrum import check_changing
from ..types import Clip, Pulse, Score
from .readout import FINE, ReadOut

FOLLOWED_HZ = (0.75, 2.5)
"""Band of the label in ``Score.r_band``; filtered once, by order 1, before windows are cut."""


def evaluate(methods: Sequence[str | registry.Estimator], clips: Iterable[Clip], *, readout: ReadOut = FINE,
             window_s: float | None = None, step_s: float | None = None,
             progress: Callable[[Iterable], Iterable] | None = None) -> pd.DataFrame:
    """Return one row per method, clip and window (see :class:`rppg_lib.types.Score` for the columns).

    Args:
        methods: names, or estimators made with ``registry.build``.
        clips: each with a label; the pulse is estimated on the whole clip and then cut into windows.
        readout: how rates are read.
        window_s: window length; default: one window per clip.
        step_s: from window to window; default: no overlap.
        progress: wraps the clips, for example ``tqdm.auto.tqdm``.
    """
    methods = [methods] if isinstance(methods, str) else methods
    estimators = [registry.build(m) if isinstance(m, str) else m for m in methods]
    _check_estimators(estimators)
    clips = [clips] if isinstance(clips, Clip) else clips
    rows: list[Score] = []
    for clip in progress(clips) if progress else clips:
        if clip.label is None:
            raise ValueError(f"evaluate: clip {clip.id!r} has no label, so nothing can be compared. "
                             f"Use estimator.predict(clip) to measure without a reference.")
        for estimator in estimators:
            rows += _score_clip(estimator, clip, readout, window_s, step_s)
    if not rows:
        raise ValueError("evaluate: needs at least one clip, got none.")
    return _table(rows)


def _check_estimators(estimators: list[registry.Estimator]) -> None:
    if not estimators:
        raise ValueError("evaluate: needs at least one method, got none. See rppg_lib.registry.available().")
    for estimator in estimators:
        if not isinstance(estimator, registry.Estimator):
            raise TypeError(f"evaluate: {estimator!r} is no estimator: it needs name, cites and "
                            f"predict(clip) -> Pulse. Register a function first, or give its name.")
    names = [estimator.name for estimator in estimators]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"evaluate: two methods are called {', '.join(twice)}, and their rows would mix. Rename one: "
                         f"dataclasses.replace(build('pos', window_s=3.0), name='pos 3 s').")


def score_waves(method: str, wave: np.ndarray, label: np.ndarray, *, fs: float, where: dict, readout: ReadOut = FINE,
                window_s: float | None = None, step_s: float | None = None) -> list[Score]:
    """Return one row per window of an estimated waveform ``(T,)`` beside its label ``(T,)``.

    ``where`` says what the rows are about: clip_id, subject, and if known dataset, condition, start_s. A window that
    cannot be read (constant, NaN, too short) is a row without numbers that says why.
    """
    if len(wave) != len(label):
        raise ValueError(f"score_waves: wave and label must have one value per frame each, got {len(wave)} and "
                         f"{len(label)}. Resample the label onto the frames.")
    cuts = _cuts(len(wave), fs, readout, window_s, step_s)
    by_length: dict[int, list[slice]] = {}
    for cut in cuts:
        by_length.setdefault(cut.stop - cut.start, []).append(cut)
    where = {"dataset": "unknown", "condition": "", "start_s": 0.0} | where
    context = _Context(method, np.stack([wave, label]), fs, where, readout)
    rows: list[Score] = []
    for same in by_length.values():                                  # windows of one length are read as a batch
        try:
            rows += context.read(same)
        except ValueError:
            for cut in same:                                         # find out which window is at fault
                rows += context.read_or_say_why(cut)
    return sorted(rows, key=lambda row: row.start_s)


def _score_clip(estimator: registry.Estimator, clip: Clip, readout: ReadOut, window_s: float | None,
                step_s: float | None) -> list[Score]:
    where = {"clip_id": clip.id, "subject": clip.subject, "dataset": clip.dataset, "condition": clip.condition,
             "start_s": clip.start_s}
    try:
        pulse = estimator.predict(clip)
        if not isinstance(pulse, Pulse):
            raise TypeError(f"{estimator.name}: must return a Pulse, returned {type(pulse).__name__}.")
        if (len(pulse.wave), pulse.fs) != (len(clip), clip.fs):
            raise ValueError(f"{estimator.name}: must return one value per frame, returned {len(pulse.wave)} at "
                             f"{pulse.fs:g} fps for {len(clip)} frames at {clip.fs:g} fps.")
    except Exception as error:                                       # one method must not take the others with it
        why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return [_unread(estimator.name, _place(where, cut, clip.fs), why)      # one row for each window that is lost
                for cut in _cuts(len(clip), clip.fs, readout, window_s, step_s)]
    return score_waves(estimator.name, pulse.wave, clip.label, fs=clip.fs, where=where, readout=readout,
                       window_s=window_s, step_s=step_s)


@dataclass(frozen=True, eq=False)
class _Context:
    method: str
    pair: np.ndarray                     # (2, T) estimate and label
    fs: float
    where: dict
    readout: ReadOut

    @cached_property
    def prepared(self) -> np.ndarray:
        """Both waves, each stretch without a gap prepared by itself: a filter would spread a NaN over all of it."""
        prepared = np.full(self.pair.shape, np.nan)
        for row, wave in zip(prepared, self.pair):
            for start, stop in _stretches(wave):
                row[start:stop] = self.readout.prepare(wave[start:stop], fs=self.fs)
        return prepared

    @cached_property
    def followed(self) -> np.ndarray:
        """Labels ``(2, T)`` to be followed beat by beat: the band-passed one, NaN where it is too short, and itself."""
        label = self.pair[1]
        band = np.full(len(label), np.nan)
        for start, stop in _stretches(label):
            try:
                band[start:stop] = signal.bandpass(label[start:stop], fs=self.fs, band_hz=FOLLOWED_HZ, order=1)
            except ValueError:                                       # shorter than a beat, or too few frames a second
                continue
        return np.stack([band, label])

    def correlations(self, cut: slice) -> dict[str, float]:
        """Unlike MACC no shift is allowed, and what an estimate adds outside of the band counts against it."""
        return {name: _r(self.pair[0, cut], label[cut]) for name, label in zip(("r_band", "r_wave"), self.followed)}

    def read(self, cuts: list[slice]) -> list[Score]:
        """Read windows of one length."""
        for name, wave in zip(("estimate", "label"), self.pair):     # before a filter turns a flat line into ripples
            check_changing(name, np.stack([wave[cut] for cut in cuts]), fs=self.fs, min_s=0)
        waves, labels = (np.stack([wave[cut] for cut in cuts]) for wave in self.prepared)
        reading = self.readout(waves, labels, fs=self.fs)
        quality = np.full(len(cuts), np.nan)                         # a trailing window may hold too few beats for it
        if waves.shape[-1] >= int(signal.MIN_QUALITY_S * self.fs):
            quality = signal.quality(waves, fs=self.fs, band_hz=self.readout.band_hz)
        return [Score(method=self.method, hr_true=float(reading.hr_true[i]), hr_pred=float(reading.hr_pred[i]),
                      snr_db=float(reading.snr_db[i]), macc=float(reading.macc[i]), quality=float(quality[i]),
                      **self.correlations(cut), **_place(self.where, cut, self.fs)) for i, cut in enumerate(cuts)]

    def read_or_say_why(self, cut: slice) -> list[Score]:
        try:
            return self.read([cut])
        except ValueError as error:
            return [_unread(self.method, _place(self.where, cut, self.fs) | self.correlations(cut), str(error))]


def _stretches(wave: np.ndarray) -> np.ndarray:
    """Return where a wave has no gap, rows of start and stop."""
    return np.flatnonzero(np.diff(np.isfinite(wave), prepend=False, append=False)).reshape(-1, 2)


def _r(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation; 0 of a wave that never changes, which follows nothing."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 0 else 0.0


def _cuts(frames: int, fs: float, readout: ReadOut, window_s: float | None, step_s: float | None) -> list[slice]:
    return signal.windows(frames, fs=fs, window_s=np.inf if window_s is None else window_s, step_s=step_s,
                          keep_trailing=readout.keep_trailing)


def _place(where: dict, cut: slice, fs: float) -> dict:
    return where | {"start_s": where["start_s"] + cut.start / fs, "seconds": (cut.stop - cut.start) / fs}


def _unread(method: str, place: dict, why: str) -> Score:
    nothing = dict.fromkeys(("hr_true", "hr_pred", "snr_db", "macc", "r_band", "r_wave", "quality"), np.nan)
    return Score(method=method, note=why, **(nothing | place))


def _table(rows: list[Score]) -> pd.DataFrame:
    return pd.DataFrame([asdict(row) for row in rows])
