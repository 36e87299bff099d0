"""Small films to measure: made once, with the truth beside them."""

from types import SimpleNamespace

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.video import write_video

STAGE = {"size_px": (320, 240), "face_px": 110}
FS = 30.0


def pictures(seconds=12.0, *, seed=810, bpm=72.0, **settings):
    film = simulate.film(simulate.person(seed, hr_bpm=bpm, perfusion=0.012), seconds=seconds, fs=FS, seed=1,
                         stage=simulate.Stage(**STAGE), **settings)
    return film, list(film.frames())


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """A folder with one face, two blank stretches around it, and no face at all."""
    folder = tmp_path_factory.mktemp("films")
    film, frames = pictures()
    room = np.full_like(frames[0], 90)
    room[60:180, 80:240] = (40, 90, 160)
    rng = np.random.default_rng(0)
    empty = [np.clip(room + rng.normal(0, 2, room.shape), 0, 255).astype(np.uint8) for _ in range(30)]

    def write(name, some):
        return write_video(folder / name, some, fs=FS, crf=10, preset="veryfast").path

    return SimpleNamespace(
        folder=folder, truth_bpm=film.truth.pulse.mean_hr_bpm, face=write("face.mp4", frames),
        empty=write("empty.mp4", empty * 8), short=write("short.mp4", frames[:100]),
        between=write("between.mp4", [*empty * 3, *frames[:210], *empty * 2, *frames[150:360]]))
