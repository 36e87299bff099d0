"""One page of figures about a copy of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .labels import plot_label
from .looks import METHOD_LOOKS, TRUTH, VERDICT_LOOKS

if TYPE_CHECKING:
    from ..evaluation.copy_check import CopyCheck

MOST_NAMED = 8
LEAST_ROOM_S, LEAST_REACH_MS = 3.0, 250.0
OURS, ODD = METHOD_LOOKS["pos"][0], METHOD_LOOKS["omit"][0]


def copy_figure(check: CopyCheck) -> Figure:
    """Draw lengths, rates, lags and verdicts of a copy, and the label of its worst recording. Shows no picture."""
    fig, axes = plt.subplots(3, 2, figsize=(8.3, 10.0), gridspec_kw={"height_ratios": (1, 1, 0.9)})
    plot_lengths(axes[0, 0], check)
    plot_rates(axes[0, 1], check)
    plot_lags(axes[1, 0], check)
    plot_verdicts(axes[1, 1], check)
    for ax in axes[2]:
        ax.remove()
    ax = fig.add_subplot(axes[2, 0].get_gridspec()[2, :])
    if check.labels is not None and check.labels.recordings:
        worst = check.labels.worst_first()[0]
        plot_label(ax, worst).set_title(f"the label with most to look at: {worst.name}", pad=14)
    else:
        _nothing(ax, "no label could be read")
    listing, people = check.listing, {row.subject for row in check.rows}
    fig.suptitle(f"{check.what.title}: {len(check.rows)} recordings of {len(people)} people, {len(listing.missing)} "
                 f"missing, {len(listing.left_out)} left out, {len(check.twice)} there twice")
    return fig


def plot_lengths(ax: Axes, check: CopyCheck) -> Axes:
    """Draw how long each label is against its video; those apart are named."""
    rows = [row for row in check.rows if np.isfinite(row.video_s) and np.isfinite(row.label_s)]
    if not rows:
        return _nothing(ax, "lengths of videos and labels are not known")
    video, label = (np.array([getattr(row, name) for row in rows]) for name in ("video_s", "label_s"))
    apart = np.array([any("the label ends" in each for each in row.problems) for row in rows])
    ax.axline((float(video.mean()), float(video.mean())), slope=1, color=TRUTH, linewidth=0.8)
    ax.plot(video[~apart], label[~apart], "o", markersize=4, color=OURS)
    ax.plot(video[apart], label[apart], "s", markersize=5, color=ODD)
    for k in np.flatnonzero(apart)[:MOST_NAMED]:
        ax.annotate(rows[k].id, (video[k], label[k]), fontsize=7, xytext=(4, 2), textcoords="offset points")
    low, high = min(video.min(), label.min()), max(video.max(), label.max())
    room = max(LEAST_ROOM_S, 0.08 * (high - low))
    ax.set(xlabel="video (s)", ylabel="label (s)", title="lengths", xlim=(low - room, high + room),
           ylim=(low - room, high + room))
    return ax


def plot_rates(ax: Axes, check: CopyCheck) -> Axes:
    """Draw pictures and values per second of every recording, in order."""
    for name, colour, look, what in (("video_hz", OURS, "o", "pictures"), ("label_hz", TRUTH, "x", "label")):
        rates = np.array([getattr(row, name) for row in check.rows])
        if np.isfinite(rates).any():
            ax.plot(np.arange(1, len(rates) + 1), rates, look, color=colour, markerfacecolor="none", label=what)
    if not ax.lines:
        return _nothing(ax, "rates are not known")
    ax.set(xlabel="recording", ylabel="per second (Hz)", title="rates")
    ax.set_ylim(0, 1.35 * ax.dataLim.y1)
    ax.legend(fontsize=8, ncols=2, loc="upper right")
    return ax


def plot_lags(ax: Axes, check: CopyCheck) -> Axes:
    """Draw how late the label of each recording looked at comes after the face; hollow: give or take a beat."""
    audits = [] if check.labels is None else check.labels.recordings
    found = [(each.name, each.lag) for each in audits if each.lag is not None]
    if not found:
        return _nothing(ax, "no label was compared with its pictures")
    for k, (_, lag) in enumerate(found):
        if lag.known:
            ax.plot(1000 * lag.seconds, k, "o", color=OURS, markerfacecolor=OURS if lag.certain else "white")
        else:
            ax.annotate("not known", (0, k), ha="center", va="center", fontsize=7, color=ODD,
                        bbox={"color": "white", "pad": 1})
    ax.axvline(0, color=TRUTH, linewidth=0.8, zorder=0)
    reach = max([LEAST_REACH_MS, *(1200 * abs(lag.seconds) for _, lag in found if lag.known)])
    ax.set(xlabel="label after the face (ms); hollow: give or take a beat", title="lags", xlim=(-reach, reach),
           ylim=(len(found) - 0.5, -0.5))
    ax.set_yticks(range(len(found)), [name for name, _ in found], fontsize=max(4, min(8, 140 // len(found))))
    return ax


def plot_verdicts(ax: Axes, check: CopyCheck) -> Axes:
    """Draw how many segments of the labels are good, doubtful and broken."""
    audits = [] if check.labels is None else check.labels.recordings
    if not audits:
        return _nothing(ax, "no label could be read")
    counts = {verdict: sum(each.count(verdict) for each in audits) for verdict in VERDICT_LOOKS}
    bars = ax.bar(list(counts), list(counts.values()), color=[VERDICT_LOOKS[verdict][0] for verdict in counts])
    ax.bar_label(bars)
    segment_s = check.labels.segment_s
    ax.set(ylabel="segments", title=f"labels, in segments of {segment_s:g} s", ylim=(0, 1.12 * max(counts.values())))
    return ax


def _nothing(ax: Axes, why: str) -> Axes:
    ax.text(0.5, 0.5, why, ha="center", va="center", transform=ax.transAxes)
    ax.set_axis_off()
    return ax
