"""Webcams, read with OpenCV inside the child process; times from the clock."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import numpy as np

from .decoder import Counts, Refusal

MISSES = 30                              # reads in a row without a picture before the camera counts as gone
WARM_UP = 5                              # pictures that tell the rate; the exposure settles meanwhile


class CameraSource:
    """One webcam."""

    def __init__(self, task: dict, counts: Counts) -> None:
        self.index, self.counts = int(task["source"]), counts
        if sys.platform == "linux" and not os.path.exists(f"/dev/video{self.index}"):
            raise Refusal(f"there is no webcam {self.index} (/dev/video{self.index} does not exist). Plug it in, "
                          f"or pass the path of a video file.")
        import cv2
        self.capture = cv2.VideoCapture(self.index)
        image = self._next() if self.capture.isOpened() else None
        if image is None:
            raise Refusal(f"webcam {self.index} gives no picture. Close other programs that use it, allow access to "
                          f"it, or pass another number.")
        start = time.perf_counter()
        for _ in range(WARM_UP):
            image = self._next()
        passed_s = time.perf_counter() - start
        claimed = self.capture.get(cv2.CAP_PROP_FPS)
        self.fs = task["fs"] or (claimed if 1 <= claimed <= 1000 else min(WARM_UP / max(passed_s, 1e-3), 1000.0))
        self.native = image.shape[:2]
        self.scale = min(1.0, (task["largest_px"] or 1 << 30) / max(self.native))
        self.shape = tuple(max(1, round(side * self.scale)) for side in self.native)

    def _next(self) -> np.ndarray | None:
        for _ in range(MISSES):
            came, image = self.capture.read()
            if came and image is not None and image.ndim == 3:
                return image
            self.counts.damaged += 1
        return None

    def info(self) -> dict:
        """Return what the driver and the first pictures say."""
        return {"kind": "camera", "codec": "camera", "width": self.shape[1], "height": self.shape[0],
                "fs": float(self.fs), "frames": None, "duration_s": None, "rotation_deg": 0, "kbps": None}

    def pictures(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield ``(H, W, 3)`` uint8 and seconds since the first picture."""
        import cv2
        start, last_s = None, -1.0
        while (image := self._next()) is not None:
            now = time.perf_counter()
            start = now if start is None else start
            if image.shape[:2] != self.shape:
                image = cv2.resize(image, self.shape[::-1], interpolation=cv2.INTER_AREA)
            last_s = max(now - start, np.nextafter(last_s, np.inf))
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB), last_s

    def finish(self) -> None:
        """Say that it stopped by itself."""
        self.counts.note(f"webcam {self.index} stopped giving pictures")
