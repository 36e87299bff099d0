"""Audited labels: what was found in them, and their lag behind the face."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .looks import METHOD_LOOKS, TRUTH, VERDICT_LOOKS

if TYPE_CHECKING:
    from ..evaluation import RecordingAudit
    from ..evaluation.lag import Lag

MOST_NAMED = 12
"""Segments in one figure whose faults can still be written above them."""


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
