"""Waves, their spectra, and what was measured from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..signal import Spectrum, bandpass, power_spectrum, standardise
from .looks import CHANNEL_COLOURS, TRUTH, method_look

if TYPE_CHECKING:
    from ..measurement import Measurement

SHOWN_HZ = (0.65, 4.0)
"""Where a beat has what eyes look for: its rate, and the next one or two harmonics."""


def plot_wave(ax: Axes, wave: np.ndarray, *, fs: float, label: str = "", colour: str = TRUTH, start_s: float = 0.0,
              offset: float = 0.0) -> Axes:
    """Draw one waveform ``(T,)`` over time, shifted by ``offset`` and named at its end."""
    time, height = start_s + np.arange(len(wave)) / fs, np.asarray(wave) + offset
    ax.plot(time, height, color=colour)
    if label:
        ax.annotate(label, (time[-1], height[-1]), xytext=(5, 0), textcoords="offset points", color=colour,
                    va="center", annotation_clip=False)
    ax.set_xlabel("time (s)")
    return ax


def plot_trace(ax: Axes, rgb: np.ndarray, *, fs: float) -> Axes:
    """Draw the three channels of a colour trace ``(T, 3)``."""
    for channel, name, colour in zip(np.asarray(rgb).T, "RGB", CHANNEL_COLOURS, strict=True):
        plot_wave(ax, channel, fs=fs, label=name, colour=colour)
    ax.set_ylabel("mean skin colour (0-255)")
    return ax


def plot_spectrum(ax: Axes, spectrum: Spectrum, *, band_bpm: tuple[float, float] = (30, 250),
                  true_bpm: float | None = None, label: str = "", colour: str = TRUTH) -> Axes:
    """Draw a power spectrum over beats per minute, its highest point at 1; the true rate is a dotted line."""
    bpm = 60 * spectrum.freq_hz
    inside = (bpm >= band_bpm[0]) & (bpm <= band_bpm[1])
    ax.plot(bpm[inside], spectrum.power[inside] / spectrum.power[inside].max(), color=colour, label=label or None)
    if true_bpm is not None:
        ax.axvline(true_bpm, color=TRUTH, linestyle=":", linewidth=1)
    ax.set(xlabel="frequency (beats per minute)", ylabel="power (highest = 1)", xlim=band_bpm)
    return ax


def plot_rate(ax: Axes, measurement: Measurement) -> Axes:
    """Draw the rate of each window over time: trusted ones filled, readings not to be trusted as grey crosses."""
    colour, marker = method_look(measurement.method)
    looks = {True: {"color": colour, "marker": marker}, False: {"color": "0.6", "marker": "x"}}
    for trusted, look in looks.items():
        some = [w for w in measurement.windows if w.trusted == trusted]
        ax.plot([w.middle_s for w in some], [w.reading_bpm for w in some], linestyle="none", markersize=4, **look,
                label=f"{'trusted' if trusted else 'do not trust'} ({len(some)})")
    readings = [w.reading_bpm for w in measurement.windows if np.isfinite(w.reading_bpm)] or [60.0]
    middle, reach = (min(readings) + max(readings)) / 2, max(max(readings) - min(readings), 20) * 0.6
    ax.set(xlabel="time (s)", ylabel="heart rate (bpm)", xlim=(0, max(measurement.seconds, 1)),
           ylim=(middle - reach, middle + reach))                    # a steady rate looks steady
    ax.legend(loc="best")
    return ax


def measurement_figure(measurement: Measurement) -> Figure:
    """Return the one figure of a measurement: rate over time, the best window's wave, and its spectrum."""
    figure, axes = plt.subplot_mosaic([["rate", "rate"], ["wave", "spectrum"]], figsize=(8, 5.2), layout="constrained")
    plot_rate(axes["rate"], measurement)
    best = max(measurement.windows, key=lambda window: window.quality)
    stretch = next(s for s in measurement.stretches if s.start_s <= best.start_s < s.end_s)
    fs = stretch.pulse.fs
    first = round((best.start_s - stretch.start_s) * fs)
    wave = standardise(bandpass(stretch.pulse.wave, fs=fs, band_hz=SHOWN_HZ if fs > 2.5 * SHOWN_HZ[1] else
                                (SHOWN_HZ[0], 0.4 * fs))[first:first + round(best.seconds * fs)])
    colour = method_look(measurement.method)[0]
    plot_wave(axes["wave"], wave, fs=fs, start_s=best.start_s, colour=colour)
    axes["wave"].set(ylabel="pulse (spread = 1)", title=f"best window, quality {best.quality:.2f}")
    plot_spectrum(axes["spectrum"], power_spectrum(wave, fs=fs), colour=colour, band_bpm=(30, min(250, 30 * fs)))
    axes["spectrum"].set_title("its spectrum")
    rate = f"{measurement.hr_bpm:.1f} bpm" if measurement.trusted else "no rate"
    figure.suptitle(f"{rate}: {measurement.verdict} (quality {measurement.quality:.2f}; {measurement.method}, "
                    f"{measurement.region})")
    return figure
