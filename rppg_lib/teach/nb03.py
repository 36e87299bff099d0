"""Exercises of notebook 03, learning the pulse."""

from __future__ import annotations

import numpy as np

from .checks import exercise

FS = 30.0


@exercise("3.1", stars=2, minutes=10)
def normalised_difference(case):
    """Pictures as normalised differences: ``normalised_difference(frames)``, ``(T, H, W, 3)`` in and out."""
    for name, frames in (("four grey pictures", np.array([100.0, 120.0, 110.0, 130.0])[:, None, None, None] + np.zeros(
            (4, 1, 1, 3))), ("a noisy clip", _clip(1)), ("the same clip in half the light", _clip(1) / 2)):
        steps = np.diff(frames, axis=0)
        ratio = steps / (frames[1:] + frames[:-1])
        whole = np.concatenate([ratio / ratio.std(), np.zeros_like(frames[:1])])
        case(name, frames).gives(whole, rtol=5e-3, traps=[
            (whole[:-1], "The length must stay: append one picture of zeros."),
            (np.concatenate([ratio, np.zeros_like(frames[:1])]), "Divide by the standard deviation of all."),
            (np.concatenate([steps / steps.std(), np.zeros_like(frames[:1])]),
             "Divide each difference by the sum of its two pictures: half the light, half the difference."),
            (np.concatenate([np.zeros_like(frames[:1]), ratio / ratio.std()]), "The zeros come last, not first.")])


@exercise("3.2", stars=1, minutes=5)
def pearson_loss(case):
    """One minus the correlation, for each clip: ``pearson_loss(pred, label)``, both ``(B, T)``."""
    t = np.arange(120) / FS
    beat, noise = np.sin(2 * np.pi * 1.2 * t), np.random.default_rng(0).normal(size=120)
    pairs = {"the label itself": (beat, beat), "three times as large, and shifted up": (3 * beat + 5, beat),
             "upside down": (-beat, beat), "with noise": (beat + noise, beat)}
    for name, (pred, label) in pairs.items():
        r = np.corrcoef(pred, label)[0, 1]
        case(name, pred[None], label[None]).gives(np.array([1 - r]), atol=1e-4, traps=[
            (np.array([r]), "That is the correlation; a loss must fall as it rises."),
            (np.array([-r]), "Close: minus the correlation. Here a perfect wave shall cost 0, so add 1."),
            (np.array([1 - abs(r)]), "A wave upside down must cost most: keep the sign of r.")])
    both = np.stack([beat, noise]), np.stack([beat, beat])
    each = np.array([1 - np.corrcoef(p, q)[0, 1] for p, q in zip(*both)])
    case("two clips at once", *both).gives(each, atol=1e-4, traps=[
        (each.mean(), "One value per clip, please: the mean comes later."),
        (np.array([1 - np.corrcoef(both[0].ravel(), both[1].ravel())[0, 1]] * 2),
         "Each clip has a mean of its own: take means along the last axis.")])


@exercise("3.3", stars=3, minutes=20)
def spectral_loss(case):
    """Minus the logarithm of the share of power at the true rate: ``spectral_loss(pred, bpm)``, ``(T,)`` at 30 fps."""
    t = np.arange(256) / FS
    for name, wave, bpm in (("a beat of 72", np.sin(2 * np.pi * 1.2 * t), 72),
                            ("the same, earlier", np.cos(2 * np.pi * 1.2 * t), 72),
                            ("a beat of 72 where 90 is true", np.sin(2 * np.pi * 1.2 * t), 90),
                            ("one thousand times as large", 1000 * np.sin(2 * np.pi * 2 * t), 120)):
        share = _shares(wave, np.hanning(len(t) + 1)[:-1])
        bare = _shares(wave, np.ones(len(t)))
        case(name, wave, bpm).gives(-np.log(share[bpm - 40]), rtol=0.02, atol=0.02, traps=[
            (-np.log(bare[bpm - 40]), "Without a window power leaks far: multiply the wave by a Hann window first."),
            (share[bpm - 40], "That is the share itself: take minus its logarithm."),
            (-np.log(_shares(wave, np.hanning(len(t) + 1)[:-1], power=1)[bpm - 40]),
             "Those are amplitudes: power is their square.")])


@exercise("3.4", stars=2, minutes=10)
def lag_s(case):
    """By how many seconds a wave comes later than its label: ``lag_s(wave, label)``, ``(T,)`` at 30 fps."""
    label = _beats(np.arange(300) / FS)
    for name, frames, gain in (("in time", 0, 1.0), ("three frames late", 3, 1.0), ("six frames late, smaller", 6, 0.2),
                               ("two frames early", -2, 1.0)):
        wave = gain * _beats((np.arange(300) - frames) / FS)
        case(name, wave, label).gives(frames / FS, atol=0.5 / FS, unit="s", traps=[
            (-frames / FS, "The sign: a wave that is late has a positive lag."),
            (float(frames), "That is in frames: divide by 30.")])


def _clip(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 120 + 10 * rng.normal(size=(12, 3, 2, 3))


def _shares(wave: np.ndarray, window: np.ndarray, *, power: int = 2) -> np.ndarray:
    rates = np.arange(40, 181)
    turns = np.exp(-2j * np.pi * np.outer(rates / 60, np.arange(len(wave)) / FS))
    strength = np.abs(turns @ (window * (wave - wave.mean()))) ** power
    return strength / strength.sum()


def _beats(t: np.ndarray) -> np.ndarray:
    """A pulse whose rate wanders, so that only one lag fits."""
    phase = 2 * np.pi * (1.1 * t + 0.15 * np.sin(2 * np.pi * 0.1 * t))
    return np.cos(phase) + 0.3 * np.cos(2 * phase + 0.8)
