"""Exercises of notebook 02, POS and CHROM."""

from __future__ import annotations

import numpy as np

from .. import signal
from .checks import exercise


@exercise("2.1", stars=1, minutes=5)
def alpha(case):
    """How many times stronger x is than y: ``alpha(x, y)``."""
    t = np.arange(90) / 30
    x = np.sin(2 * np.pi * 1.2 * t)
    case("x and y alike", x, x).gives(1.0)
    case("x three times as strong", 3 * x, x).gives(3.0, traps=[(1 / 3, "That is y over x.")])
    with_levels = np.sqrt(np.mean((3 * x + 5) ** 2) / np.mean((x - 2) ** 2))
    case("x three times as strong, on different levels", 3 * x + 5, x - 2).gives(
        3.0, traps=[(with_levels, "Levels must not count: only the spread about the mean.")])
    case("y of another shape", x, np.sign(x + 1e-9)).gives(np.std(x) / np.std(np.sign(x + 1e-9)), traps=[
        (np.ptp(x) / 2, "Strength is the standard deviation: the distance of two extremes hangs on two values.")])
    case("y upside down", x, -2 * x).gives(0.5, traps=[(-0.5, "A spread has no sign.")])


@exercise("2.2", stars=1, minutes=5)
def coverage(case):
    """How many windows hold each frame: ``coverage(frames, length)``."""
    case("4 frames, windows of 2", 4, 2).gives(np.array([1, 2, 2, 1]), traps=[
        (np.array([1, 2, 1, 0]), "The window that ends with the last frame is missing."),
        (np.array([2, 2, 2, 2]), "The first frame is in one window only.")])
    case("5 frames, windows of 5", 5, 5).gives(np.ones(5))
    case("90 frames, windows of 48", 90, 48).gives(np.convolve(np.ones(43), np.ones(48)))


@exercise("2.3", stars=1, minutes=5)
def starts(case):
    """The first frame of each window, so that every frame is in one: ``starts(frames, length)``."""
    late = "The last window would end one frame early, and the last frame would be in none."
    case("4 frames, windows of 2", 4, 2).gives(np.array([0, 1, 2]), traps=[(np.array([0, 1]), late)])
    case("300 frames, windows of 48", 300, 48).gives(np.arange(253), traps=[
        (np.arange(252), late), (np.arange(300), "Windows that start late reach past the last frame.")])
    case("one window only", 48, 48).gives(np.array([0]), traps=[(np.zeros(0), late)])


@exercise("2.4", stars=2, minutes=10)
def grid_step_bpm(case):
    """Distance of two neighbouring rates on the field's grid: ``grid_step_bpm(frames, fs)``."""
    for name, frames, fs in (("10 s at 30 fps", 300, 30.0), ("160 frames at 30 fps", 160, 30.0),
                             ("a power of two already", 512, 30.0), ("one minute at 25 fps", 1500, 25.0)):
        size = 2 ** int(np.ceil(np.log2(frames)))
        case(name, frames, fs).gives(60 * fs / size, unit="bpm", traps=[
            (60 * fs / frames, "That is without padding to the next power of two."), (fs / size, "That is in Hz."),
            (60 * fs / (2 * size), "One doubling too many: a length that is a power of two stays as it is.")])


@exercise("2.5", stars=3, minutes=20)
def chrom(case):
    """CHROM on one stretch of skin colour: ``chrom(rgb, fs)``."""
    for name, bpm, light, glare, drift in (
            ("a pulse alone", 72, 0.0, 0.0, 0.0), ("with changing brightness", 84, 0.05, 0.0, 0.0),
            ("with changing glare", 66, 0.0, 0.03, 0.0), ("with slow drift of red", 78, 0.05, 0.0, 0.2)):
        rgb = _skin(bpm, light, glare, drift)
        case(name, rgb, 30.0).has_shape(300).follows(_plain_chrom(rgb, 30.0), above=0.99)


def _skin(bpm: float, light: float, glare: float, drift: float) -> np.ndarray:
    t = np.arange(300) / 30
    beat = 0.01 * np.sin(2 * np.pi * bpm / 60 * t)
    brightness = 1 + light * np.sin(2 * np.pi * 0.9 * t + 1)
    white = glare * (1 + np.sin(2 * np.pi * 0.8 * t))
    skin = np.array([0.77, 0.51, 0.38]) * (1 - np.outer(beat, [0.33, 0.77, 0.53])) + white[:, None]
    skin[:, 0] *= 1 + drift * np.sin(2 * np.pi * 0.12 * t)           # below the band: must not set the weight
    return 150 * skin * brightness[:, None]


def _plain_chrom(rgb: np.ndarray, fs: float) -> np.ndarray:
    normal = rgb / rgb.mean(0)
    x, y = normal @ [3, -2, 0], normal @ [1.5, 1, -1.5]
    x, y = (signal.bandpass(wave, fs=fs, band_hz=(0.65, 4.0)) for wave in (x, y))
    return x - x.std() / y.std() * y
