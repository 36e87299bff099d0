"""Stand-ins that make the face code predictable: a finder that finds what it is told, and films of one colour."""

import numpy as np

from rppg_lib.video.faces import FaceSeen

FS = 30.0


class Pretend:
    """Finds what it is told: a function from time to boxes."""

    name = "pretend"

    def __init__(self, boxes):
        self.boxes, self.closed = boxes, 0

    def find(self, image, time_s):
        return [FaceSeen(tuple(box)) for box in self.boxes(time_s)]

    def close(self):
        self.closed += 1


def even_film(frames=150, colour=(120, 90, 70), size=(120, 200)):
    """Yield pictures of one colour with their times."""
    for k in range(frames):
        yield np.full((*size, 3), colour, np.uint8), k / FS
