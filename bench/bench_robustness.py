"""Each kind of interference on 300 pictures of 128 x 128: wanted below 1 s on one core, and little memory."""

from timing import peak_megabytes, seconds  # first: it sets one thread

# isort: split
from functools import partial

import cv2
import numpy as np

from rppg_lib.evaluation.robustness import degradations, degrade
from rppg_lib.types import Clip

FRAMES, SIZE_PX, WANTED_S = 300, 128, 1.0
cv2.setNumThreads(1)
pictures = np.random.default_rng(0).integers(0, 256, (FRAMES, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
clip = Clip(id="noise", fs=30, frames=pictures)

before = peak_megabytes()
print(f"{FRAMES} pictures of {SIZE_PX} x {SIZE_PX}, colours read anew, one thread (wanted: below {WANTED_S:g} s each)")
for row in degradations(modes=("iid", "walk")):
    print(f"{row!s:18}{seconds(partial(degrade, clip, row.kind, mode=row.mode or None), repeats=5):7.3f} s")
print(f"memory: {peak_megabytes() - before:.0f} MB more at most; the result takes {pictures.nbytes / 1e6:.0f} MB")
