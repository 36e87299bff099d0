"""How well a wave is followed beat by beat, in place: no shift is allowed, and nothing is filtered but the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from .. import registry, signal
from ..types import Clip


def wave_correlations(methods: Sequence[str | registry.Estimator], clips: Iterable[Clip], *,
                      band_hz: tuple[float, float] = (0.75, 2.5), order: int = 1) -> pd.DataFrame:
    """Return one row per method and clip: correlation of the estimate, as it is, with the clip's label.

    Unlike MACC (:func:`rppg_lib.signal.macc`), which is largest over shifts and of filtered waves, this minds what an
    estimate adds outside the band, and when its beats come.

    Args:
        methods: names, or estimators.
        clips: with a label, the clean truth.
        band_hz, order: of the label's band-pass, for ``r_band``.

    Returns:
        Columns ``method``, ``clip_id``, ``subject``, ``r_band`` (with the band-passed label) and ``r`` (with the label
        itself, its whole shape).

    >>> t = np.arange(600) / 30
    >>> beat = np.sin(2 * np.pi * 1.2 * t)
    >>> clip = Clip(fs=30, rgb=[120, 90, 70] * (1 - np.outer(0.01 * beat, [0.33, 0.77, 0.53])), label=beat)
    >>> bool(wave_correlations(["pos"], [clip]).r_band[0] > 0.99)
    True
    """
    estimators = [registry.build(method) if isinstance(method, str) else method for method in methods]
    rows = []
    for clip in clips:
        if clip.label is None:
            raise ValueError(f"wave_correlations: clip {clip.id!r} has no label to compare with. Leave it out.")
        band = signal.bandpass(clip.label, fs=clip.fs, band_hz=band_hz, order=order)
        for estimator in estimators:
            wave = estimator.predict(clip).wave
            rows.append({"method": estimator.name, "clip_id": clip.id, "subject": clip.subject,
                         "r_band": _r(wave, band), "r": _r(wave, clip.label)})
    return pd.DataFrame(rows)


def _r(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation; 0 of a wave that never changes, which follows nothing."""
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / size) if size > 0 else 0.0
