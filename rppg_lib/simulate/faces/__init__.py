"""Faces of people who do not exist, on film, with all that was put in as truth.

==================  ==========================================================================================
film                :func:`rppg_lib.simulate.film` (whole scenes), :func:`rppg_lib.simulate.crops` (faces for
                    networks), :class:`Film`, :class:`FilmTruth`; loaded when asked for, since they need OpenCV
how it is shot      :class:`Stage`, :class:`FilmCamera`
faces               :class:`Look`, :func:`look`, :func:`look_from_photo`, :class:`Renderer`
what moves          :class:`Course`, :func:`resting`
==================  ==========================================================================================
"""

import importlib

from .course import Course, resting
from .looks import Look, look

_CLASSES = {"Film": "film", "FilmTruth": "film_truth", "Stage": "film_stage", "FilmCamera": "film_camera",
            "Renderer": "render", "look_from_photo": "photo"}

__all__ = ["Course", "Look", "look", "resting", *_CLASSES]


def __getattr__(name: str) -> object:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_CLASSES[name]}", __name__), name)
