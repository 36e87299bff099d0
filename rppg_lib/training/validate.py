"""How good a network is on people it has not learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from ..signal import hr_from_spectrum
from .config import Samples
from .learner import Learner
from .objective import loss_of
from .order import ahead

READ = ("hr_error_bpm", "wave_r")


def validate(learner: Learner, samples: Samples, accelerator: Accelerator, *, batch: int) -> dict[str, Any]:
    """Return means over all samples. Several processes share the work and give the same.

    Returns:
        ``loss`` and each of its terms; ``hr_error_bpm``: mean absolute difference between the rates of estimate and
        label, read from the spectrum of each sample; ``wave_r``: mean correlation of estimate and label; ``unread``:
        samples without a rate or a correlation, which are left out of these two. A mean of nothing, or of
        what is not finite, is None.
    """
    rank, world = accelerator.process_index, accelerator.num_processes
    places = [range(start, min(start + batch, len(samples))) for start in range(0, len(samples), batch)]
    shares = [list(place[rank::world]) for place in places if len(place) > rank]
    batches = ahead(lambda share: samples.batch(share).trimmed().to(accelerator.device), shares)
    rows: list[tuple[int, dict[str, float]]] = []
    learner.eval()
    with torch.no_grad():
        for share, data in zip(shares, batches):
            with accelerator.autocast():
                terms, pulse, truth = learner(data)
            means = {name: float(term) for name, term in terms.items()}
            rates = _rates(data.label, fs=data.fs), _rates(pulse, fs=data.fs)
            errors = np.abs(rates[0] - rates[1])
            for i, (index, r) in enumerate(zip(share, _correlations(pulse, truth))):
                rows.append((index, {"loss": loss_of(means), **means, "hr_error_bpm": errors[i], "wave_r": r}))
    rows = [row for _, row in sorted(gather_object(rows), key=lambda row: row[0])]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    unread = np.isnan([columns[name] for name in READ]).any(0)
    means = {name: _mean(column[~unread] if name in READ else column) for name, column in columns.items()}
    return means | {"unread": int(unread.sum())}


def _rates(waves: torch.Tensor, *, fs: float) -> np.ndarray:
    """Return the heart rate of each wave in bpm; NaN where there is none to be read."""
    rates = np.full(len(waves), np.nan)
    for i, wave in enumerate(waves.double().cpu().numpy()):
        try:
            rates[i] = hr_from_spectrum(wave, fs=fs)
        except ValueError:                                           # constant, not finite, or too short
            continue
    return rates


def _correlations(pulse: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    x, y = (wave.double().cpu().numpy() for wave in (pulse, truth))
    x, y = (wave - wave.mean(-1, keepdims=True) for wave in (x, y))
    size = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return np.where(size > 0, (x * y).sum(-1) / np.where(size > 0, size, 1), np.nan)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None
