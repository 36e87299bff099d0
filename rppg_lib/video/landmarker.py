"""Face landmarks by MediaPipe: 478 points on each face, picture by picture."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

import numpy as np

from .faces import LANDMARKS, FaceSeen
from .model import GET_IT, face_model_path

MOST_FACES = 4
"""More than one, or the face found would be the most certain and not the largest, and MediaPipe would smooth the points
with a lag of its own."""
_quiet_lock = threading.Lock()


class Landmarker:
    """MediaPipe's FaceLandmarker for the pictures of one film, in order. Nothing leaves the machine.

    Raises:
        OSError: if the face model is missing or damaged.
        ImportError: if MediaPipe is missing.
    """

    name = "landmarks"

    def __init__(self) -> None:
        self._task = None
        path = face_model_path()
        if path is None:
            raise OSError(f"Landmarker: needs the face model, found none. {GET_IT}")
        with _quiet():                                               # its libraries greet the user on stderr
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            self._mediapipe, self._last_ms = mediapipe, 0
            self._task = vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(path)), running_mode=vision.RunningMode.VIDEO,
                num_faces=MOST_FACES))
            self._task.detect_for_video(self._picture(np.zeros((64, 64, 3), np.uint8)), 0)

    def find(self, image: np.ndarray, time_s: float) -> list[FaceSeen]:
        """Return the faces of an ``(H, W, 3)`` picture; its time must not lie before that of the one before."""
        self._last_ms = max(self._last_ms + 1, round(1000 * time_s) + 1)
        height, width = image.shape[:2]
        found = self._task.detect_for_video(self._picture(np.ascontiguousarray(image)), self._last_ms)
        seen = []
        for face in found.face_landmarks:
            points = np.array([(p.x * width, p.y * height) for p in face[:LANDMARKS]])
            (x0, y0), (x1, y1) = points.min(0), points.max(0)
            seen.append(FaceSeen((x0, y0, x1 - x0, y1 - y0), points))
        return seen

    def close(self) -> None:
        """Give back the network's memory; otherwise it complains when Python ends."""
        if self._task is not None:
            self._task.close()
            self._task = None

    def _picture(self, image: np.ndarray):
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=image)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ libraries write to file descriptor 2 nowhere, for the moment in which they start."""
    with _quiet_lock:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError, ValueError):                # no stderr at all
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
