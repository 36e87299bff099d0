"""Estimators whose cost a test knows; without torch, so that new processes start quickly."""

import os
import time

import numpy as np

from rppg_lib.types import Pulse


class Hungry:
    """Takes so many megabytes while it estimates, and so many milliseconds of the processor."""

    cites = "none"

    def __init__(self, *, mb=0, ms=0):
        self.name, self.mb, self.ms = f"{mb} MB, {ms} ms", mb, ms

    def predict(self, clip):
        taken, begin = np.ones(self.mb * 125_000 + 1), time.process_time()
        while time.process_time() - begin < self.ms / 1e3:
            pass
        return Pulse(wave=np.arange(len(clip)) * taken[0], fs=clip.fs)


class Fails(Hungry):
    def predict(self, clip):
        raise ValueError("it never works")


class Dies(Hungry):
    def predict(self, clip):
        os._exit(1)
