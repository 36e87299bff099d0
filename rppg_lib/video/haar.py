"""The older face detector of OpenCV: slow, boxes only, but always there."""

from __future__ import annotations

import numpy as np

from .faces import FaceSeen

WORK_PX = 320
"""Pictures are searched at about this width: half of 640 x 480."""
SMALLEST = 0.1
"""Smallest face looked for, as a share of the picture's shorter side."""


class HaarFinder:
    """Find upright frontal faces with a cascade of Haar features.

    Reference: Viola and Jones 2001; the cascade is the one that comes with OpenCV.
    """

    name = "haar"

    def __init__(self) -> None:
        import cv2

        path = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(path)
        if self._cascade.empty():
            raise OSError(f"HaarFinder: OpenCV's cascade could not be read from {path}. "
                          f"Install opencv-contrib-python below version 5.")

    def find(self, image: np.ndarray, time_s: float) -> list[FaceSeen]:
        """Return the boxes of faces in an R-G-B picture; the time is not used."""
        import cv2

        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        shrink = min(1.0, max(WORK_PX / grey.shape[1], 0.25))
        if shrink < 1:
            grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        least = max(20, round(SMALLEST * min(grey.shape)))
        boxes, _, weights = self._cascade.detectMultiScale3(
            cv2.equalizeHist(grey), scaleFactor=1.1, minNeighbors=5, minSize=(least, least), outputRejectLevels=True)
        return [FaceSeen(tuple(float(v) / shrink for v in box), None, float(weight))
                for box, weight in zip(boxes, np.ravel(weights), strict=True)]

    def close(self) -> None:
        """Nothing is held."""
