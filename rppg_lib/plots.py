"""One function per figure. Each draws on the Axes it is given, returns it, and computes nothing.

Truth is black; a method has the same colour and marker in every figure. Colours are Okabe and Ito's, told apart by
colour-blind readers; markers differ for those who print in grey.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .evaluation import METRICS, BlandAltman
from .signal import Spectrum, bandpass, power_spectrum, standardise

if TYPE_CHECKING:
    from .evaluation import RecordingAudit
    from .evaluation.lag import Lag
    from .measurement import Measurement

METHOD_LOOKS = {
    "green": ("#009E73", "s"), "chrom": ("#E69F00", "^"), "pos": ("#0072B2", "o"), "pbv": ("#CC79A7", "D"),
    "lgi": ("#56B4E9", "v"), "omit": ("#D55E00", "P"), "ica": ("#7F7F7F", "X"),
}
"""Colour and marker of each method, everywhere."""

NETWORK_LOOKS = {
    "physnet": ("#882255", "v"), "factorizephys": ("#117733", "s"), "efficientphys": ("#CC6677", "D"),
    "tscan": ("#999933", "P"), "deepphys": ("#661100", "X"), "physformer": ("#332288", "^"),
    "rhythmmamba": ("#44AA99", "<"), "codephys": ("#DDAA33", "h"), "codequery": ("#88CCEE", "H"),
    "lqrppg": ("#AA00FF", "p"), "kdphys": ("#CC3311", "*"),
    "rfacenet": ("#55CC22", "d"),
}
"""The same for networks; colours are Paul Tol's. A control such as ``physnet, untrained`` has a grey of its own."""

TRUTH = "black"
SHOWN_HZ = (0.65, 4.0)
"""Where a beat has what eyes look for: its rate, and the next one or two harmonics."""
VERDICT_LOOKS = {"good": ("#009E73", 0.10, ""), "doubtful": ("#E69F00", 0.25, ""), "broken": ("#D55E00", 0.35, "///")}
"""Colour, opacity and hatching of a piece of a label, by its verdict."""
MOST_NAMED = 12
"""Segments in one figure whose faults can still be written above them."""
CHANNEL_COLOURS = ("#C8442F", "#009E73", "#0072B2")
UNITS = {"mae": "mean absolute error (bpm)", "rmse": "root mean square error (bpm)", "mape": "mean absolute error (%)",
         "r": "correlation of rates", "sd": "spread of the error (bpm)", "snr_db": "signal-to-noise ratio (dB)",
         "macc": "waveform correlation"}


def use_style() -> None:
    """Set the workbook's look for all figures of this session."""
    with as_file(files("rppg_lib") / "workbook.mplstyle") as path:
        plt.style.use(path)


def method_look(name: str) -> tuple[str, str]:
    """Return colour and marker of a method or network; a new one gets a dark grey star, a control a light one."""
    if ", " in name:
        return "#999999", NETWORK_LOOKS.get(name.split(", ")[0], ("", "*"))[1]
    return (METHOD_LOOKS | NETWORK_LOOKS).get(name, ("#444444", "*"))


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


def plot_bland_altman(ax: Axes, agreement: BlandAltman, *, colour: str = METHOD_LOOKS["pos"][0]) -> Axes:
    """Draw difference against mean, with bias and limits of agreement and their 95 % intervals as bands."""
    ax.plot(agreement.mean_bpm, agreement.difference_bpm, "o", color=colour, alpha=0.6, markersize=4)
    lines = (("mean", agreement.bias, agreement.bias_interval), ("-1.96 sd", agreement.low, agreement.low_interval),
             ("+1.96 sd", agreement.high, agreement.high_interval))
    for name, value, interval in lines:
        ax.axhline(value, color=TRUTH, linestyle="-" if name == "mean" else "--", linewidth=1)
        if np.isfinite(interval).all():
            ax.axhspan(*interval, color="0.85", zorder=0)
        ax.annotate(f"{name} {value:.1f}", (1, value), xycoords=("axes fraction", "data"), xytext=(4, 0),
                    textcoords="offset points", va="center", fontsize=9)
    ax.set(xlabel="mean of true and measured rate (bpm)", ylabel="measured - true (bpm)")
    return ax


def plot_metric(ax: Axes, table: pd.DataFrame, *, metric: str = "mae") -> Axes:
    """Draw one metric of a summary indexed by method and condition: a point with its 95 % interval for each."""
    _check_metric("plot_metric", metric)
    if not {"method", "condition"} <= set(table.index.names):
        raise ValueError(f"plot_metric: needs a table by method and condition, got one by "
                         f"{', '.join(map(str, table.index.names))}. Use summarise(rows, by=['method', 'condition']).")
    methods, conditions = (list(table.index.unique(level)) for level in ("method", "condition"))
    for k, method in enumerate(methods):
        rows = table.xs(method, level="method").reindex(conditions)
        value, low, high = (rows[metric + end].to_numpy() for end in ("", "_low", "_high"))
        colour, marker = method_look(method)
        at = np.arange(len(conditions)) + (k - (len(methods) - 1) / 2) * 0.8 / len(methods)
        known = np.isfinite(low + high)                              # one subject alone has no interval
        ax.hlines(at[known], low[known], high[known], color=colour, linewidth=1.2)
        ax.plot(value, at, marker, color=colour, label=method, markersize=5)
    ax.set(yticks=range(len(conditions)), yticklabels=conditions, xlabel=UNITS[metric])
    ax.invert_yaxis()
    ax.figure.legend(*ax.get_legend_handles_labels(), ncols=min(len(methods), 7), loc="outside lower center")
    return ax


def plot_growth(ax: Axes, table: pd.DataFrame, *, metric: str = "mae") -> Axes:
    """Draw one metric of a summary indexed by strength and method: a line per method, its 95 % interval as a band."""
    _check_metric("plot_growth", metric)
    ends = {}
    for method in dict.fromkeys(table.index.get_level_values("method")):
        rows = table.xs(method, level="method")
        colour, marker = method_look(method)
        ax.plot(rows.index, rows[metric], color=colour, marker=marker, markersize=4)
        low, high = (rows[metric + end] for end in ("_low", "_high"))
        ax.fill_between(rows.index, low, high, color=colour, alpha=0.15, linewidth=0)
        ends[method] = (rows.index[-1], rows[metric].iloc[-1])
    ax.set(xlabel="strength", ylabel=UNITS[metric])
    _name_ends(ax, ends)
    return ax


def plot_learning(ax: Axes, history: list[dict], *, colour: str = METHOD_LOOKS["pos"][0]) -> Axes:
    """Draw the loss of each epoch on what is learned from (line) and on people it has not seen (dots, dashed)."""
    table = pd.DataFrame(history)
    last = table.epoch.iloc[-1]
    for column, look, name in (("loss", "-", "learned from"), ("validation_loss", "o--", "held out")):
        if column in table:
            ax.plot(table.epoch, table[column], look, color=colour, markersize=4)
            ax.annotate(name, (last, table[column].iloc[-1]), xytext=(5, 0), textcoords="offset points", color=colour,
                        va="center", annotation_clip=False)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.get_major_locator().set_params(integer=True)
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


def plot_label(ax: Axes, recording: RecordingAudit) -> Axes:
    """Draw a label over time, each segment in the colour of its verdict, with the reasons above it."""
    ax.plot(np.arange(len(recording.label)) / recording.fs, recording.label, color=TRUTH, linewidth=0.8)
    drawn = {}
    for segment in recording.segments:
        colour, opacity, hatch = VERDICT_LOOKS[segment.verdict]
        end_s = segment.start_s + segment.seconds
        patch = ax.axvspan(segment.start_s, end_s, facecolor=(colour, opacity), edgecolor=(colour, 0.35), hatch=hatch,
                           linewidth=0, zorder=0)
        drawn.setdefault(segment.verdict, patch)
        if len(recording.segments) <= MOST_NAMED:
            ax.annotate("\n".join(segment.reasons), (segment.start_s + segment.seconds / 2, 1), xytext=(0, 3),
                        xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", fontsize=7,
                        annotation_clip=False)
    counts = {verdict: f"{verdict} ({recording.count(verdict)})" for verdict in VERDICT_LOOKS if verdict in drawn}
    ax.legend([drawn[verdict] for verdict in counts], counts.values(), ncols=3, loc="upper center",
              bbox_to_anchor=(0.5, -0.22))
    ax.set(xlabel="time (s)", ylabel="label", xlim=(0, recording.seconds))
    return ax


def plot_lag(ax: Axes, lag: Lag) -> Axes:
    """Draw how alike label and face are at each shift; the lag is a dotted line, others that fit as well are grey."""
    ax.plot(lag.shifts_s, lag.curve, color=METHOD_LOOKS["pos"][0])
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    for rival in lag.rivals_s:
        ax.axvline(rival, color="0.6", linestyle=":", linewidth=1)
    if lag.known:
        ax.axvline(lag.seconds, color=TRUTH, linestyle=":", linewidth=1)
        ax.annotate(f"{lag.seconds:+.2f} s", (lag.seconds, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
                    textcoords="offset points", ha="center", fontsize=9)
    ax.set(xlabel="label later than face by (s)", ylabel="correlation", ylim=(-1, 1))
    return ax


def audit_figure(recording: RecordingAudit) -> Figure:
    """Return the one figure of an audited label: the wave and its segments, its beats, and its lag behind the face."""
    figure, axes = plt.subplot_mosaic([["label", "label"], ["beats", "lag"]], figsize=(8, 5.6), layout="constrained")
    plot_label(axes["label"], recording)
    phase = np.arange(recording.beats.shape[1]) / recording.beats.shape[1]
    axes["beats"].plot(phase, recording.beats.T, color="0.5", alpha=0.15, linewidth=0.8)
    axes["beats"].plot(phase, recording.template, color=TRUTH)
    if not len(recording.beats):
        axes["beats"].annotate("no beat was found", (0.5, 0.6), xycoords="axes fraction", ha="center")
    reach = 1.6 * max(np.abs(recording.template).max(), 1)
    axes["beats"].set(xlabel="steepest rise to steepest rise", ylabel="spread = 1", ylim=(-reach, reach),
                      title=f"its beats ({len(recording.beats)}), and the usual one")
    if recording.lag is not None and np.isfinite(recording.lag.curve).any():
        plot_lag(axes["lag"], recording.lag)
    else:
        why = "no colours of a video to compare with" if recording.lag is None else recording.lag.why
        axes["lag"].annotate(fill(why, 44), (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
        axes["lag"].set_axis_off()
    lag = f"; {recording.lag.to_text()}" if recording.lag is not None and recording.lag.known else ""
    upside_down = "; upside down?" if recording.upside_down and not lag else ""
    figure.suptitle(fill(f"{recording.name}: {recording.count('good')} of {len(recording.segments)} segments good{lag}"
                         f"{upside_down}", 100), fontsize=11)
    return figure


def plot_picture(ax: Axes, image: np.ndarray, *, title: str = "",
                 outlines: dict[str, np.ndarray] | None = None) -> Axes:
    """Draw a picture ``(H, W, 3)``, with named closed outlines ``(N, 2)`` in pixels over it."""
    ax.imshow(image)
    colours = ("#F0E442", "#56B4E9", "#D55E00", "#CC79A7", "white", "#009E73")
    for (name, outline), colour in zip((outlines or {}).items(), colours):
        closed = np.vstack([outline, outline[:1]])
        ax.plot(*closed.T, color=colour, linewidth=1.5, label=name)
    if outlines:
        ax.legend(loc="upper right", fontsize=8, framealpha=0.7, facecolor="0.3", labelcolor="white")
    ax.set_title(title)
    ax.set_axis_off()
    return ax


def plot_look(ax: Axes, image: np.ndarray, look: np.ndarray, *, title: str = "") -> Axes:
    """Draw where a network looks, or which places count, ``(h, w)``, over the picture ``(H, W, 3)`` it looks at."""
    height, width = image.shape[:2]
    whole = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(image.mean(-1), cmap="gray", extent=whole)
    ax.imshow(look, cmap="magma", alpha=0.6, vmin=0, extent=whole, interpolation="bilinear")
    ax.set_title(title)
    ax.set_axis_off()
    return ax


def plot_map(ax: Axes, values: np.ndarray, *, label: str, limits: tuple[float, float] | None = None) -> Axes:
    """Draw a map ``(H, W)`` of one quantity, with its scale; NaN stays empty."""
    low, high = limits or (np.nanmin(values), np.nanmax(values))
    drawn = ax.imshow(values, cmap="viridis", vmin=low, vmax=high)
    ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.8)
    ax.set_axis_off()
    return ax


def _name_ends(ax: Axes, ends: dict[str, tuple[float, float]]) -> None:
    """Write each method's name beside the end of its line, far enough apart to be read."""
    low, high = ax.get_ylim()
    lowest = -np.inf
    for method, (x, y) in sorted(ends.items(), key=lambda end: end[1][1]):
        lowest = max(y, lowest + 0.07 * (high - low))
        ax.annotate(method, (x, y), xytext=(ax.get_xlim()[1], lowest), textcoords="data", color=method_look(method)[0],
                    va="center", annotation_clip=False)


def _check_metric(who: str, metric: str) -> None:
    if metric not in METRICS:
        raise ValueError(f"{who}: no metric is called {metric!r}. There are {', '.join(METRICS)}.")
