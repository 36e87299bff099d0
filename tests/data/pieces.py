"""Small recordings for tests of stores, and ways to compare stores."""

import json
import os
import subprocess
import sys

import numpy as np

from rppg_lib.data import ClipSource, Ending, Playing
from rppg_lib.types import Clip

from ..checkout import ROOT


def clip(name="ann", *, frames=90, size=(12, 10), subject=None, fs=30.0, seed=0, label=True):
    """A clip of noise; ``size`` is height and width."""
    rng = np.random.default_rng([seed, *name.encode()])
    pictures = rng.integers(0, 256, (frames, *size, 3), dtype=np.uint8)
    return Clip(id=name, subject=subject or name, fs=fs, dataset="noise", condition="none", frames=pictures,
                rgb=pictures.mean((1, 2)), label=np.sin(np.arange(frames) / 4) + rng.normal(size=frames) * 0.1
                if label else None)


def clip_sources(*names, **kinds):
    return [ClipSource(clip=clip(name, **kinds)) for name in names]


class Made:
    """A source whose pictures, ending and settings are given."""

    def __init__(self, pictures, *, id="made", subject="somebody", settings=None, size_px=(8, 8), **ending):
        self.id, self.subject, self._settings, self.size_px = id, subject, settings or {"made": id}, size_px
        self.pictures, self.ending = pictures, ending

    def settings(self):
        return self._settings

    def play(self):
        return Playing(pictures=((picture, None) for picture in self.pictures()), fs=30.0, size_px=self.size_px,
                       ending=lambda: Ending(**self.ending))


def content(store_path):
    """All files of a store by name; of its manifest all but what tells of the making."""
    found = {}
    for path in sorted(store_path.rglob("*")):
        if path.is_file() and path.name != ".lock":
            name = path.relative_to(store_path).as_posix()
            found[name] = path.read_bytes()
            if name == "manifest.json":
                found[name] = {key: value for key, value in json.loads(found[name]).items() if key != "making"}
    return found


def python(code, *args, **kinds):
    """Start a Python of its own on some code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, args)], cwd=ROOT, env=environment, text=True,
                            **kinds)
