"""What changes from frame to frame in a film of one face."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """The way of pose, face, light and blood through a film; one row per frame.

    Lengths are in half face widths (68 mm on a grown person), x to the right of the picture, y down, z to the camera.
    """

    times_s: np.ndarray                  # (T,)
    x: np.ndarray                        # (T,) of the head, from where the film puts it
    y: np.ndarray
    scale: np.ndarray                    # (T,) 1: the size the film asks for
    yaw_deg: np.ndarray                  # (T,) positive: the nose moves to the right of the picture
    pitch_deg: np.ndarray                # (T,) positive: the nose moves down
    roll_deg: np.ndarray                 # (T,) positive: the head tilts clockwise in the picture
    jaw: np.ndarray                      # (T,) 0 shut to 1 wide open
    blink: np.ndarray                    # (T,) 0 open to 1 shut
    gaze: np.ndarray                     # (T, 2) of the eyes, right and down, -1 to 1
    lamp: np.ndarray                     # (T, 3) direction from the face to the main light, any length
    light: np.ndarray                    # (T, 3) gain of all light, R-G-B, about 1
    pulse: np.ndarray                    # (T, D) blood wave, systole up, about 1 high, one column per delay
    delays_s: np.ndarray                 # (D,) increasing from 0: how much later each column is

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, frames: slice) -> Course:
        """Return a stretch of it."""
        return Course(delays_s=self.delays_s, **{f.name: getattr(self, f.name)[frames] for f in fields(self)
                                                 if f.name != "delays_s"})


def resting(times_s: np.ndarray, *, pulse: np.ndarray | None = None, **changes: np.ndarray | float) -> Course:
    """Return the course of a head that does nothing, lit from the upper left; ``changes`` replace fields.

    >>> resting(np.arange(3) / 30, yaw_deg=20.0).yaw_deg
    array([20., 20., 20.])
    """
    count = len(times_s)
    flat = {name: np.zeros(count) for name in ("x", "y", "yaw_deg", "pitch_deg", "roll_deg", "jaw", "blink")}
    base = {**flat, "scale": np.ones(count), "gaze": np.zeros((count, 2)),
            "lamp": np.tile([-0.6, -0.6, 1.0], (count, 1)), "light": np.ones((count, 3)),
            "pulse": np.zeros((count, 1)) if pulse is None else np.asarray(pulse), "delays_s": np.zeros(1)}
    for name, value in changes.items():
        base[name] = np.asarray(value) if name == "delays_s" else np.broadcast_to(
            np.asarray(value, dtype=float), base[name].shape).copy()
    return Course(times_s=np.asarray(times_s), **base)
