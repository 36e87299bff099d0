"""Video in and out, faces in it, and the colour of their skin.

==================  ==========================================================================================
in and out          :func:`open_video` gives a :class:`Video` of :class:`Frame`; :func:`write_video`
faces               :func:`finder`, :class:`FaceSeen`; the model: :func:`face_model_path`, :func:`fetch_face_model`
regions             ``REGIONS``, ``WHOLE_FRAME``, :func:`region_shape`, :func:`region_mask`, :func:`region_outlines`
colours             :func:`face_trace`, :func:`face_traces`, :func:`frame_trace` give a :class:`FaceTrace`;
                    :func:`region_colours` those of one picture
pictures            :func:`face_crops` for networks
==================  ==========================================================================================

Parts are loaded when first used: OpenCV, PyAV and MediaPipe only where they are needed.

>>> import sys
>>> from rppg_lib.video import REGIONS
>>> REGIONS[0]
'skin'
"""

import importlib

_HOMES = {
    "read": ("Frame", "ReadReport", "Video", "VideoInfo", "open_video"),
    "write": ("Written", "write_video"),
    "faces": ("FINDERS", "FaceSeen", "finder"),
    "model": ("face_model_path", "fetch_face_model"),
    "regions": ("REGIONS", "WHOLE_FRAME", "check_region", "region_mask", "region_shape"),
    "colours": ("region_colours",),
    "outlines": ("region_outlines",),
    "facetrace": ("FaceTrace", "FrameQuality"),
    "track": ("FOUND", "HELD", "LOST", "STATES"),
    "trace": ("face_trace", "face_traces", "frame_trace"),
    "crops": ("face_crops",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
