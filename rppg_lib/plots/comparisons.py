"""Methods beside each other: ranks, differences, errors by group, and what refusing buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .looks import TRUTH, method_look
from .scores import _name_ends, plot_metric

if TYPE_CHECKING:
    from ..evaluation import GroupErrors, Ranks, RiskCoverage

CLEAR = 0.05
"""A difference whose corrected p is smaller has a filled marker."""


def plot_ranks(ax: Axes, ranks: Ranks) -> Axes:
    """Draw the critical-difference plot: mean ranks, best left; thick bars join methods that cannot be told apart."""
    count, bars = len(ranks.methods), len(ranks.groups)
    half = (count + 1) // 2
    first = 0.6 + 0.45 * bars                                        # names begin below the bars
    for i, (name, rank) in enumerate(zip(ranks.methods, ranks.mean_rank)):
        left = i < half
        height = first + (i if left else count - 1 - i)
        edge, (colour, marker) = (1 if left else count), method_look(name)
        ax.plot([rank, rank, edge], [0, height, height], color=colour, linewidth=1)
        ax.plot(rank, 0, marker, color=colour, markersize=6, clip_on=False, zorder=3)
        text, away, side = (f"{name} {rank:.2f}", -4, "right") if left else (f"{rank:.2f} {name}", 4, "left")
        ax.annotate(text, (edge, height), xytext=(away, 0), textcoords="offset points", color=colour, ha=side,
                    va="center", annotation_clip=False)
    at = dict(zip(ranks.methods, ranks.mean_rank))
    for i, group in enumerate(ranks.groups):
        reach = [at[group[0]] - 0.04, at[group[-1]] + 0.04]
        ax.plot(reach, [0.35 + 0.45 * i] * 2, color=TRUTH, linewidth=4, solid_capstyle="butt")
    bottom, middle = first + half + 0.1, (1 + count) / 2
    shown = min(ranks.critical_difference, count - 1.0)
    ax.plot([middle - shown / 2, middle + shown / 2], [bottom] * 2, color=TRUTH, linewidth=1, marker="|")
    ax.annotate(f"critical difference {ranks.critical_difference:.2f}; all alike: p {_p(ranks.p)}", (middle, bottom),
                xytext=(0, -5), textcoords="offset points", ha="center", va="top", fontsize=9)
    ax.set(xlim=(1, count), ylim=(bottom + 1, 0), xticks=range(1, count + 1), yticks=[],
           xlabel=f"mean rank over {ranks.people} people (1 is best)")
    ax.xaxis.set_ticks_position("top")
    ax.xaxis.set_label_position("top")
    ax.spines[["left", "right", "bottom"]].set_visible(False)
    ax.spines["top"].set_visible(True)
    return ax


def plot_differences(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw each line of a comparison: the difference, its 95 % interval, its corrected p, and windows left out.

    Left of 0 the method has the smaller error. A marker is filled where the corrected p is below 0.05. Windows left out
    stand as ``method | other``: lost by the one, lost by the other.
    """
    if list(table.index.names) != ["method", "against"]:
        raise ValueError(f"plot_differences: needs a table by method and against, got one by "
                         f"{', '.join(map(str, table.index.names))}. Use evaluation.compare(rows).")
    others = table.index.unique("against")
    names = [method if len(others) == 1 else f"{method} - {other}" for method, other in table.index]
    for row, ((method, _), line) in enumerate(table.iterrows()):
        colour, marker = method_look(method)
        ax.hlines(row, line.low, line.high, color=colour, linewidth=1.2)
        ax.plot(line.difference, row, marker, color=colour, markersize=6,
                markerfacecolor=colour if line.p_holm < CLEAR else "white")
    ax.axvline(0, color="0.6", linewidth=1, zorder=0)
    columns = [("p (Holm)", [_p(p).removeprefix("= ") for p in table.p_holm])]
    if (table.lost + table.lost_against).any():
        columns.append(("lost", [f"{one} | {other}" for one, other in zip(table.lost, table.lost_against)]))
    for k, (head, texts) in enumerate(columns):
        for row, text in [(-0.8, head), *enumerate(texts)]:
            ax.annotate(text, (1, row), xycoords=("axes fraction", "data"), xytext=(28 + 58 * k, 0), ha="center",
                        textcoords="offset points", va="center", fontsize=9, annotation_clip=False)
    what = f"that of {others[0]}" if len(others) == 1 else "that of the second"
    ax.set(yticks=range(len(table)), yticklabels=names, ylim=(len(table) - 0.5, -0.5),
           xlabel=f"mean absolute error minus {what} (bpm)")
    return ax


def plot_risk_coverage(ax: Axes, curves: RiskCoverage | Sequence[RiskCoverage]) -> Axes:
    """Draw the error that remains over the share of windows kept: by quality, by chance (dashed), by error (dotted).

    Bands are 95 % over people. A curve ends with a marker where no more windows could be read.
    """
    ends = {}
    for curve in [curves] if hasattr(curves, "coverage") else curves:
        colour, marker = method_look(curve.method)
        there = np.isfinite(curve.error)
        x = 100 * np.append(curve.coverage[there], curve.readable)
        order = np.argsort(x, kind="stable")
        for values, style in ((curve.error, "-"), (curve.oracle, ":")):
            ax.plot(x[order], np.append(values[there], curve.random)[order], style, color=colour)
        ax.fill_between(100 * curve.coverage, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        ax.plot([0, 100 * curve.readable], [curve.random] * 2, "--", color=colour, linewidth=1)
        ax.plot(100 * curve.readable, curve.random, marker, color=colour, markersize=5, clip_on=False)
        ends[curve.method] = (100 * curve.readable, curve.random)
    ax.set(xlabel="windows kept (% of all)", ylabel="mean absolute error (bpm)", xlim=(0, 102))
    ax.set_ylim(bottom=0)
    _name_ends(ax, ends)
    looks = [Line2D([], [], color=TRUTH, linestyle=style) for style in ("-", "--", ":")]
    ax.figure.legend(looks, ["refused by quality", "by chance", "by the true error"], ncols=3,
                     loc="outside lower center")
    return ax


def plot_groups(ax: Axes, errors: GroupErrors) -> Axes:
    """Draw the error of each method in each group with its 95 % interval over people, and how many people there are."""
    plot_metric(ax, errors.table.rename_axis(["method", "condition"]))
    people = errors.table.subjects.groupby(level=1).max()
    names = [text.get_text() for text in ax.get_yticklabels()]
    ax.set_yticklabels([f"{name} (n = {people[name]})" for name in names])
    ax.set_ylabel(errors.by)
    return ax


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else "< 0.001"
