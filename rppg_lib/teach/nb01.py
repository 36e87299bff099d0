"""Exercises of notebook 01, Light, skin, pulse."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("1.1", stars=1, minutes=5)
def mean_colour(case):
    """Mean R, G, B over the pixels where a mask is true: ``mean_colour(image, mask)``."""
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (6, 8, 3)).astype(np.uint8)
    for name, mask in (("all pixels", np.ones((6, 8), bool)), ("the left half", np.arange(8) < 4 + np.zeros((6, 1))),
                       ("two pixels", np.eye(6, 8, dtype=bool) & (np.arange(8) < 2))):
        right = np.array([image[..., k][mask].astype(float).mean() for k in range(3)])
        case(name, image, mask).has_shape(3).gives(right, atol=1e-3, traps=[
            ((image * mask[..., None]).astype(float).mean((0, 1)),
             "Pixels outside of the mask count as black here: leave them out instead."),
            (np.floor(right), "The fractions are lost. They are the pulse: it moves the mean by less than one level.")])


@exercise("1.2", stars=2, minutes=10)
def coded_change(case):
    """Fraction by which a coded level ``L ** (1 / gamma)`` grows when light does: ``coded_change(change, gamma)``."""
    for name, change, gamma in (("1.2 % in light, gamma 2", 0.012, 2.0), ("1.2 % in light, gamma 2.2", 0.012, 2.2),
                                ("without gamma", 0.012, 1.0), ("twice the light, gamma 2", 1.0, 2.0)):
        exact = (1 + change) ** (1 / gamma) - 1
        case(name, change, gamma).gives(exact, rtol=0.02 if change < 0.1 else 0.002, traps=[
            ((1 + change) ** gamma - 1, "That is the way back, from code to light."),
            (1 + exact, "That is the factor: take away 1."),
            (100 * exact, "That is in per cent; a fraction is asked for."),
            (change / gamma, "Right for small changes only.")])


@exercise("1.3", stars=1, minutes=5)
def noise_of_mean(case):
    """Noise left in the mean of n pixels: ``noise_of_mean(sigma, n)``."""
    for name, sigma, n in (("one pixel", 1.5, 1), ("four pixels", 1.5, 4), ("20,000 pixels", 1.5, 20_000)):
        case(name, sigma, n).gives(sigma / np.sqrt(n), unit="levels", traps=[
            (sigma / n, "Noise of single pixels partly cancels: the mean gets quieter by the root of n."),
            (sigma * np.sqrt(n), "The sum gets noisier, the mean quieter.")])


@exercise("1.4", stars=2, minutes=10)
def alias_hz(case):
    """Where light that flickers shows in a film: ``alias_hz(flicker_hz, fs)``."""
    for name, flicker, fs in (("100 Hz at 30 fps", 100.0, 30.0), ("120 Hz at 30 fps", 120.0, 30.0),
                              ("120 Hz at 29 fps", 120.0, 29.0), ("120 Hz at 25 fps", 120.0, 25.0),
                              ("1 Hz at 30 fps", 1.0, 30.0)):
        right = abs(flicker - fs * round(flicker / fs))
        case(name, flicker, fs).gives(right, unit="Hz", traps=[
            (flicker % fs, "That may lie above half the frame rate: it folds back."),
            (flicker, "A film cannot show what is faster than half its frame rate.")])


@exercise("1.5", stars=2, minutes=10)
def apart_bpm(case):
    """Rates closer than this melt into one peak under a Hann window: ``apart_bpm(window_s)``."""
    for name, window_s in (("10 s", 10.0), ("30 s", 30.0), ("one minute", 60.0)):
        case(name, window_s).gives(120 / window_s, unit="bpm", traps=[
            (2 / window_s, "That is in Hz."),
            (60 / window_s, "The peak of a Hann window is twice as wide as that: its first zero lies at 2 / T.")])
