"""Errors and how they grow, agreement with the reference, and learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..evaluation import METRICS, BlandAltman
from .looks import METHOD_LOOKS, TRUTH, UNITS, method_look


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
