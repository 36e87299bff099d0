"""Face landmarks by MediaPipe: 478 points on each face, picture by picture."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

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

            self._mediapipe, self._last_ms = mediapipe, 1
            self._task = vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(path)), running_mode=vision.RunningMode.VIDEO,
                num_faces=MOST_FACES))
            nothing = self._picture(np.zeros((64, 64, 3), np.uint8))
            self._task.detect_for_video(nothing, 0)
            self._look = as_numbers
            try:
                as_numbers(self._task, nothing, 1)
            except (AttributeError, ImportError, TypeError):         # another release, another inside
                self._look = as_objects

    def find(self, image: np.ndarray, time_s: float) -> list[FaceSeen]:
        """Return the faces of an ``(H, W, 3)`` picture; its time must not lie before that of the one before."""
        self._last_ms = max(self._last_ms + 1, round(1000 * time_s) + 1)
        height, width = image.shape[:2]
        found = self._look(self._task, self._picture(np.ascontiguousarray(image)), self._last_ms)
        seen = []
        for face in found:
            points = face[:LANDMARKS] * np.array([width, height])
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


def as_objects(task: Any, picture: Any, time_ms: int) -> list[np.ndarray]:
    """Return the faces, each ``(N, 2)`` in shares of width and height, as MediaPipe hands them out."""
    return [np.array([(point.x, point.y) for point in face], np.float64)
            for face in task.detect_for_video(picture, time_ms).face_landmarks]


def as_numbers(task: Any, picture: Any, time_ms: int) -> list[np.ndarray]:
    """Return the same, read where its library has put the numbers: objects for all points take a tenth of a look."""
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

    found = FaceLandmarkerResultC()
    task._lib.MpFaceLandmarkerDetectForVideo(task._handle, picture._image_ptr, None, time_ms, ctypes.byref(found))
    try:
        return [_numbers(found.face_landmarks[k]) for k in range(found.face_landmarks_count)]
    finally:
        task._lib.MpFaceLandmarkerCloseResult(ctypes.byref(found))


def _numbers(face: Any) -> np.ndarray:
    one = face.landmarks._type_
    rows = np.ctypeslib.as_array(ctypes.cast(face.landmarks, ctypes.POINTER(ctypes.c_uint8)),
                                 (face.landmarks_count, ctypes.sizeof(one)))
    return np.stack([rows[:, at:at + 4].copy().view(np.float32)[:, 0] for at in (one.x.offset, one.y.offset)],
                    axis=1).astype(np.float64)


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
