"""Pictures, and maps that lie over them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes


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
    share = np.clip(look / max(float(look.max()), 1e-12), 0, 1)       # nothing is drawn where nothing hangs
    ax.imshow(share, cmap="plasma", alpha=0.8 * share, vmin=0, vmax=1, extent=whole, interpolation="bilinear")
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
