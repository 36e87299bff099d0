"""Fit the two weights and the offset of `rppg_lib.signal.quality` on simulated traces, and test them on other people.

    python tools/fit_quality.py

A window is "pulse" if the method's rate is within 5 bpm of the truth, "noise" if the skin had no pulse at all. Windows
with a pulse that was lost belong to neither; how many of them are trusted is printed. Scenes with a steady rhythm of
their own (flicker, nodding, screen light) are left out: no figure taken from one wave can tell those from a pulse.
"""

from __future__ import annotations

import numpy as np

from rppg_lib import signal, simulate
from rppg_lib.signal.quality import figures

SCENES = ("still", "talking", "turning", "light drift", "dark")
METHODS = (signal.pos, signal.chrom, signal.green, signal.lgi)
LENGTHS_S = (6, 10, 15, 20)
FS = 30
BAND_HZ = signal.HR_BAND_HZ


def windows(people: range) -> np.ndarray:
    """Return one row per window: length, repeats, agrees, holds a pulse, error in bpm."""
    rows = []
    for who in people:
        for number, scene in enumerate(SCENES):
            difficulty = 0.5 + 1.5 * ((7 * who + 3 * number) % 10) / 10
            for alive in (True, False):
                parts = simulate.SCENES[scene] + (() if alive else (simulate.NoPulse(),))
                clip = simulate.trace(who, scene=parts, seconds=60, fs=FS, seed=who, difficulty=difficulty)
                for method in METHODS:
                    rows += _rows(method(clip.rgb, fs=FS), clip.label, alive)
    return np.array(rows)


def _rows(wave: np.ndarray, label: np.ndarray, alive: bool) -> list[tuple]:
    rows = []
    for length in LENGTHS_S:
        cuts = signal.windows(len(wave), fs=FS, window_s=length)
        pieces, labels = (np.stack([x[cut] for cut in cuts]) for x in (wave, label))
        repeats, agrees = figures(pieces, fs=FS, band_hz=BAND_HZ)
        error = abs(signal.hr_from_spectrum(pieces, fs=FS) - signal.hr_from_spectrum(labels, fs=FS))
        rows += [(length, r, a, alive, e) for r, a, e in zip(repeats, agrees, error, strict=True)]
    return rows


def logistic(x: np.ndarray, y: np.ndarray, *, steps: int = 50) -> np.ndarray:
    """Return weights and offset of a logistic regression, both classes counting alike."""
    x = np.column_stack([x, np.ones(len(x))])
    share = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (share * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(x.shape[1])
        weights += np.linalg.solve(curvature, x.T @ (share * (y - p)))
    return weights


def main() -> None:
    fit, test = windows(range(100, 140)), windows(range(200, 230))
    length, alive, error = fit[:, 0], fit[:, 3] == 1, fit[:, 4]
    use = ~alive | (error < 5)
    weights = logistic(fit[use, 1:3], alive[use])
    print("weights of 'repeats' and 'agrees', offset:", weights.round(2))
    length, alive, error = test[:, 0], test[:, 3] == 1, test[:, 4]
    trusted = test[:, 1:3] @ weights[:2] + weights[2] > 0
    print("on other people, share trusted:")
    for seconds in LENGTHS_S:
        group = length == seconds
        shares = [trusted[group & kind].mean() for kind in (alive & (error < 5), ~alive, alive & (error >= 5))]
        print(f"  {seconds:2d} s: pulse read {shares[0]:.3f}, no pulse {shares[1]:.3f}, pulse lost {shares[2]:.3f}")


if __name__ == "__main__":
    main()
