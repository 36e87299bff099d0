"""Who looks for faces, what is said when the better finder cannot, and how pictures reach the finders."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rppg_lib.video import face_crops, finder, landmarker, looking
from rppg_lib.video.faces import Choice, FaceSeen
from rppg_lib.video.trace import face_trace

from .pretend import Pretend, even_film


def test_a_box_without_landmarks_is_followed_by_its_corners():
    np.testing.assert_array_equal(FaceSeen((10, 20, 40, 50)).points, [[10, 20], [50, 70]])


def test_an_unknown_finder_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="finder: needs one of auto, landmarks, haar"):
        finder("dlib")


def test_without_the_face_model_haar_looks_and_says_so_in_the_result(monkeypatch):
    monkeypatch.setattr(landmarker, "face_model_path", lambda: None)
    trace = face_trace(even_film(10))
    assert trace.finder == "haar" and trace.every == 5
    assert trace.notes[0].startswith("faces were found by the older Haar detector")
    assert "rppg face-model" in trace.notes[0]
    with pytest.raises(OSError, match="landmarks cannot be found here: .*rppg face-model"):
        finder("landmarks")


def test_haar_on_request_needs_no_excuse():
    trace = face_trace(even_film(10), finder="haar")
    assert trace.finder == "haar" and trace.notes == ("no face in any of 10 frames",)


def test_frames_keep_their_order_when_two_look_at_once():
    class Slow:
        name = "slow"

        def __init__(self, wait_s):
            self.wait_s, self.threads = wait_s, set()

        def find(self, image, time_s):
            self.threads.add(threading.get_ident())
            time.sleep(self.wait_s)
            return [FaceSeen((image[0, 0, 0], 0, 10, 10))]

        def close(self):
            pass

    made, waits = [], [0.004, 0.0]

    def make():
        made.append(Slow(waits[len(made)]))
        return made[-1]

    pictures = [(np.full((4, 4, 3), k, np.uint8), k / 30) for k in range(60)]
    out = list(looking.looks(pictures, Choice(name="slow", make=make, workers=2)))
    assert [look.index for look in out] == list(range(60))
    assert [look.seen[0].box[0] for look in out] == list(range(60))
    assert [len(one.threads) for one in made] == [1, 1] and made[0].threads != made[1].threads


def test_an_error_in_a_finder_reaches_the_caller_and_ends_the_threads():
    def boxes(time_s):
        if time_s > 0.5:
            raise RuntimeError("broken")
        return [(10, 10, 40, 40)]
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        face_trace(even_film(60), finder=Pretend(boxes))
    assert threading.active_count() == before


def test_whoever_made_a_finder_closes_it():
    mine = Pretend(lambda t: [(40, 20, 60, 60)])
    for _ in range(2):
        assert face_trace(even_film(10), finder=mine).share_found == 1
    assert mine.closed == 0


def test_finders_made_for_a_trace_are_closed_once_each_also_when_the_film_cannot_be_read(monkeypatch, tmp_path):
    made = []

    class Counted(Pretend):
        def __init__(self):
            super().__init__(lambda t: [])
            made.append(self)

    monkeypatch.setattr(landmarker, "Landmarker", Counted)
    face_trace(even_film(10))
    assert len(made) == 2 and all(one.closed == 1 for one in made)
    made.clear()
    (tmp_path / "no.mp4").write_bytes(b"no film")
    for source, error in ((tmp_path / "absent.mp4", OSError), (tmp_path / "no.mp4", OSError), (3.5, TypeError),
                          ([(np.zeros((4, 4), np.uint8), 0.0)], ValueError)):
        with pytest.raises(error):
            face_trace(source)
        assert all(one.closed == 1 for one in made)
    face_crops(even_film(3))                                          # never iterated: no finder was made
    made.clear()
    next(iter(face_crops(even_film(30))), None)
    assert made and all(one.closed == 1 for one in made)


def test_what_is_no_finder_is_refused_before_anything_is_opened(tmp_path):
    for make in (lambda: face_trace(tmp_path / "absent.mp4", finder=7), lambda: face_crops([], finder="dlib")):
        with pytest.raises(ValueError, match="finder: needs one of"):
            make()


@pytest.mark.slow
def test_a_whole_trace_leaves_the_error_stream_empty(face_model):
    code = ("import numpy as np\nfrom rppg_lib.video import face_trace\n"
            "frames = ((np.full((120, 160, 3), 90, np.uint8), k / 30) for k in range(40))\n"
            "trace = face_trace(frames)\nassert trace.finder == 'landmarks', trace\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
