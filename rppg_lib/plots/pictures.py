"""Pictures, and maps that lie over them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ..types import Lent


def plot_picture(ax: Axes, image: np.ndarray, *, title: str = "", outlines: dict[str, np.ndarray] | None = None,
                 extent: tuple[float, float, float, float] | None = None) -> Axes:
    """Draw a picture ``(H, W, 3)``, with named closed outlines ``(N, 2)`` in pixels over it.

    Of a picture that must not be shown (:class:`~rppg_lib.types.Lent`) only the outline of the face is drawn.

    Args:
        extent: left, right, bottom and top in the units of the axes; default: pixels.
    """
    ax.imshow(shown(image), extent=extent)
    colours = ("#F0E442", "#56B4E9", "#D55E00", "#CC79A7", "white", "#009E73")
    for (name, outline), colour in zip((outlines or {}).items(), colours):
        closed = np.vstack([outline, outline[:1]])
        ax.plot(*closed.T, color=colour, linewidth=1.5, label=name)
    if outlines:
        ax.legend(loc="upper right", fontsize=8, framealpha=0.7, facecolor="0.3", labelcolor="white")
    ax.set_title(title)
    ax.set_axis_off()
    return ax


def shown(image: np.ndarray) -> np.ndarray:
    """Return a picture as it may be shown: itself, or, if it is lent, the outline of the face on white.

    Where no face is found the outline is that of a face in the middle, as crops have it.
    """
    if not isinstance(image, Lent):
        return image
    import cv2

    from ..video import region_outlines

    picture = np.asarray(image)
    height, width = picture.shape[:2]
    bright = picture.astype(float) * (1 if picture.dtype == np.uint8 else 255 / max(float(picture.max()), 1e-9))
    try:
        found = region_outlines(np.ascontiguousarray(bright.clip(0, 255), dtype=np.uint8))
    except (OSError, ImportError, ValueError, RuntimeError):
        found = {}
    canvas, thick = np.full((height, width, 3), 255, np.uint8), max(1, height // 120)
    for outline in found.values():
        cv2.polylines(canvas, [np.rint(outline).astype(np.int32)], True, (90, 90, 90), thick, cv2.LINE_AA)
    if not found:
        cv2.ellipse(canvas, (width // 2, height // 2), (width // 4, height // 3), 0, 0, 360, (90, 90, 90), thick,
                    cv2.LINE_AA)
    return canvas


def lent_like(picture: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return a picture that was computed from frames: lent where they are, since computing may have forgotten it."""
    return picture.view(Lent) if isinstance(frames, Lent) else picture


def plot_look(ax: Axes, image: np.ndarray, look: np.ndarray, *, title: str = "") -> Axes:
    """Draw where a network looks, or which places count, ``(h, w)``, over the picture ``(H, W, 3)`` it looks at."""
    height, width = image.shape[:2]
    whole = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(shown(image).mean(-1), cmap="gray", extent=whole)
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
