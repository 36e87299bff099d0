"""Losses on the spectrum: they ask for the right rate, and do not mind when the beats come.

The spectrum is taken at the rates that matter, one sine and one cosine for each (a *projection*), because the bins of
a Fourier transform of 5 s lie 11 bpm apart. Between them the resolution stays that of the clip: about ``120 / seconds``
bpm. Where a loss needs the true rate, give it the label waves ``(B, T)``, whose spectral peak is taken, or the rates
in bpm, ``(B,)``. A rate beyond the grid counts as the grid's end.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..types import check_fs
from .inputs import check_positive, check_wave
from .waveform import standardise

LOW_BPM, HIGH_BPM = 40.0, 180.0
SNR_LOW_BPM, SNR_HIGH_BPM = 36.0, 240.0
"""The band of :func:`snr_loss`, that of :func:`rppg_lib.signal.snr_db`: it holds twice the rate of most hearts."""

SMALL = 1e-8                             # of the summed power, below which a rate's share is not told from none


def power_spectrum(wave: Tensor, *, fs: float, bpm: Tensor | None = None) -> Tensor:
    """Return the Hann-windowed power of each wave at the given rates, differentiable.

    The same numbers as :func:`rppg_lib.signal.power_spectrum` where that has the frequency.

    Args:
        wave: ``(B, T)``.
        fs: frames per second.
        bpm: ``(K,)`` rates in beats per minute; default 40, 41, ... 180.

    Returns:
        ``(B, K)``, scale arbitrary.

    >>> t = torch.arange(160) / 30
    >>> power = power_spectrum(torch.sin(2 * torch.pi * 72 / 60 * t)[None], fs=30)
    >>> tuple(power.shape), 40 + int(power.argmax())
    ((1, 141), 72)
    """
    fs = check_fs("power_spectrum", fs)
    wave = check_wave("power_spectrum", wave)
    frames, kind = wave.shape[1], {"dtype": wave.dtype, "device": wave.device}
    # Phases reach hundreds of turns: in float32 they would be wrong by 1e-5 of one.
    hz = (_grid(1.0, wave) if bpm is None else torch.as_tensor(bpm, device=wave.device)).double() / 60
    turns = 2 * torch.pi / fs * torch.outer(torch.arange(frames, device=wave.device, dtype=torch.float64), hz)
    taper = torch.hann_window(frames + 2, periodic=False, **kind)[1:-1]
    centred = (wave - (wave * taper).sum(-1, keepdim=True) / taper.sum()) * taper
    with torch.autocast(wave.device.type, enabled=False):                    # (B,T) @ (T,K) -> (B,K)
        return (centred @ turns.cos().to(**kind)).square() + (centred @ turns.sin().to(**kind)).square()


def spectral_cross_entropy(pred: Tensor, target: Tensor, *, fs: float, form: Literal["log", "field"] = "log") -> Tensor:
    """Return the cross-entropy of the rate, read as a choice between 40, 41, ... 180 bpm.

    Args:
        pred: ``(B, T)``. A constant scores about ``log 141``: it knows nothing.
        target: ``(B, T)`` label waves, or ``(B,)`` rates in bpm.
        fs: frames per second.
        form: ``"log"`` takes the logarithm of power as logits, so the loss is minus the log of the share of power at
            the true rate. ``"field"`` is what published code does: the shares themselves, between 0 and 1, as logits.
            No spectrum can then score below ``log(1 + 140 / e)``, 3.96 nats, and the slope is weak everywhere.

    Returns:
        ``(B,)`` in nats.

    Reference: Niu et al. 2020 (``niu2020cvd``), Yu et al. 2022 (``yu2022physformer``).

    >>> t = torch.arange(300) / 30
    >>> waves = torch.stack([torch.sin(2 * torch.pi * bpm / 60 * t + 1.0) for bpm in (72.0, 75.0, 90.0)])
    >>> rate = torch.full((3,), 72.0)                        # 72 with any lag is right; 75 is better than 90
    >>> [round(float(loss), 1) for loss in spectral_cross_entropy(waves, rate, fs=30)]
    [2.2, 2.5, 17.4]
    >>> [round(float(loss), 1) for loss in spectral_cross_entropy(waves, rate, fs=30, form="field")]
    [4.8, 4.9, 5.0]
    """
    logits = _log_shares("spectral_cross_entropy", pred, fs=fs, form=form)
    rate = rates_of("spectral_cross_entropy", target, pred, fs=fs)
    nearest = (rate.nan_to_num(LOW_BPM) - LOW_BPM).round().clamp(0, HIGH_BPM - LOW_BPM).long()
    return -logits.gather(-1, nearest[:, None])[:, 0] + 0 * rate     # a label of NaN has no rate


def label_distribution(pred: Tensor, target: Tensor, *, fs: float, sigma_bpm: float = 1.0,
                       form: Literal["log", "field"] = "log") -> Tensor:
    """Return the Kullback-Leibler divergence of the spectrum from a bell curve about the true rate.

    Softer than the cross-entropy: a rate next to the true one is nearly right.

    Args:
        pred: ``(B, T)``.
        target: ``(B, T)`` label waves, or ``(B,)`` rates in bpm.
        fs: frames per second.
        sigma_bpm: width of the bell; 1 in PhysFormer, 3 in RhythmFormer.
        form: as in :func:`spectral_cross_entropy`.

    Returns:
        ``(B,)`` in nats, 0 or more.

    Reference: Yu et al. 2022 (``yu2022physformer``), Zou et al. 2025 (``zou2025rhythmformer``).

    >>> t = torch.arange(300) / 30
    >>> waves = torch.stack([torch.sin(2 * torch.pi * bpm / 60 * t) for bpm in (72.0, 75.0, 90.0)])
    >>> [round(float(loss), 1) for loss in label_distribution(waves, torch.full((3,), 72.0), fs=30, sigma_bpm=3)]
    [0.0, 0.4, 9.9]
    """
    check_positive("label_distribution", sigma_bpm=sigma_bpm)
    found = _log_shares("label_distribution", pred, fs=fs, form=form)
    rate = rates_of("label_distribution", target, pred, fs=fs).clamp(LOW_BPM, HIGH_BPM)
    away = (_grid(1.0, found) - rate[:, None]) / sigma_bpm
    wanted = torch.log_softmax(-away.square() / 2, -1)
    return (wanted.exp() * (wanted - found)).sum(-1)


def snr_loss(pred: Tensor, target: Tensor, *, fs: float, width_bpm: float = 6.0) -> Tensor:
    """Return minus the signal-to-noise ratio in dB: power about the true rate and its double, over the rest.

    Args:
        pred: ``(B, T)``.
        target: ``(B, T)`` label waves, or ``(B,)`` rates in bpm.
        fs: frames per second.
        width_bpm: how far from the rate, and from its double, power still counts as signal. Short clips blur: below
            20 s the peak of even a clean sine is wider than 6 bpm on either side.

    Returns:
        ``(B,)`` in dB; the band is 36 to 240 bpm. A constant prediction scores 0.

    Reference: de Haan & Jeanne 2013 (``dehaan2013chrom``) for the measure.

    >>> t = torch.arange(900) / 30
    >>> beat = torch.sin(2 * torch.pi * 72 / 60 * t)[None]
    >>> noise = torch.randn(1, 900, generator=torch.Generator().manual_seed(0))
    >>> [round(float(snr_loss(wave, torch.tensor([72.0]), fs=30))) for wave in (beat, beat + noise, noise)]
    [-42, -3, 11]
    """
    check_positive("snr_loss", width_bpm=width_bpm)
    pred = check_wave("snr_loss", pred, name="pred")
    rate = rates_of("snr_loss", target, pred, fs=fs)[:, None]
    grid = torch.arange(SNR_LOW_BPM, SNR_HIGH_BPM + 1, device=pred.device, dtype=pred.dtype)
    share = _shares(power_spectrum(standardise(pred), fs=fs, bpm=grid))
    near = ((grid - rate).abs() <= width_bpm) | ((grid - 2 * rate).abs() <= width_bpm)
    signal, rest = (share * near).sum(-1), (share * ~near).sum(-1)
    return 10 * torch.log10((rest + SMALL) / (signal + SMALL)) + 0 * rate[:, 0]


def soft_rate(wave: Tensor, *, fs: float, temperature: float = 0.03, step_bpm: float = 0.5) -> Tensor:
    """Return each wave's heart rate in bpm, 40 to 180, such that a gradient passes through.

    A mean of all rates, weighted by ``exp(power / highest power / temperature)``. At 0.03 that is a clear peak within
    0.3 bpm, and between two peaks of nearly one height it lies between; at 1 it is the middle of the band. Far from the
    true rate its slope vanishes: it refines a spectrum whose peak is nearly right, and cannot move one that is not.

    Args:
        wave: ``(B, T)``.
        fs: frames per second.
        temperature: softness of the choice, in units of the highest power.
        step_bpm: distance between two rates of the grid.

    Returns:
        ``(B,)``.

    >>> t = torch.arange(160) / 30
    >>> waves = torch.stack([torch.sin(2 * torch.pi * bpm / 60 * t) for bpm in (60.0, 72.3, 120.0)])
    >>> [round(float(rate), 1) for rate in soft_rate(waves, fs=30)]
    [60.0, 72.3, 120.0]
    """
    check_positive("soft_rate", temperature=temperature, step_bpm=step_bpm)
    wave = check_wave("soft_rate", wave)
    grid = _grid(step_bpm, wave)
    power = power_spectrum(standardise(wave), fs=fs, bpm=grid)
    highest = power.amax(-1, keepdim=True)
    return torch.softmax(power / (highest + SMALL) / temperature, -1) @ grid


def _grid(step_bpm: float, like: Tensor) -> Tensor:
    """Return the rates from 40 to 180 bpm."""
    count = int((HIGH_BPM - LOW_BPM) / step_bpm + 1e-9) + 1
    return LOW_BPM + step_bpm * torch.arange(count, device=like.device, dtype=like.dtype)


def _shares(power: Tensor) -> Tensor:
    return power / (power.sum(-1, keepdim=True) + SMALL)


def _log_shares(who: str, pred: Tensor, *, fs: float, form: str) -> Tensor:
    """Return the log-probability of each rate on the 1-bpm grid ``(B, 141)``."""
    if form not in ("log", "field"):
        raise ValueError(f"{who}: form must be 'log' or 'field', got {form!r}.")
    share = _shares(power_spectrum(standardise(check_wave(who, pred, name="pred")), fs=fs))
    return torch.log_softmax((share + SMALL).log() if form == "log" else share, -1)


@torch.no_grad()
def rates_of(who: str, target: Tensor, pred: Tensor, *, fs: float) -> Tensor:
    """Return the true rates in bpm ``(B,)``: as given, or at the spectral peaks of label waves."""
    if not isinstance(target, Tensor) or target.ndim not in (1, 2) or len(target) != len(pred):
        came = tuple(target.shape) if isinstance(target, Tensor) else type(target).__name__
        raise ValueError(f"{who}: target must be label waves (B, T) or rates in bpm (B,) for B = {len(pred)} clips, "
                         f"got {came}.")
    if target.ndim == 1:
        return target.to(pred.device).float()
    grid = _grid(0.5, target.float())
    rates = grid[power_spectrum(check_wave(who, target, name="target"), fs=fs, bpm=grid).argmax(-1)]
    return rates.where(target.isfinite().all(-1), torch.nan).to(pred.device)
