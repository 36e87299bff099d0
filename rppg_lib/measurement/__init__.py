"""The pulse in anybody's video: :func:`measure`, without labels and without a network.

>>> from rppg_lib import measure
>>> measure("holiday.mp4")                                    # doctest: +SKIP
Measurement('holiday.mp4', 71.8 bpm, reliable, quality 0.97)
"""

from .live import LiveReading, live
from .measure import Settings, judged, measure, measure_faces, measure_folder, videos_in
from .result import Measurement, Stretch, Window
from .save import save

__all__ = ["LiveReading", "Measurement", "Settings", "Stretch", "Window", "judged", "live", "measure", "measure_faces",
           "measure_folder", "save", "videos_in"]
