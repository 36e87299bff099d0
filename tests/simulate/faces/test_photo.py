"""A photograph becomes a face that can be filmed: its features where they belong, a pulse in its skin alone."""

import cv2
import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.simulate.faces import Renderer, look, look_from_photo, resting
from rppg_lib.video import finder

pytestmark = pytest.mark.slow
CORNERS = (33, 133, 362, 263, 61, 291, 1)


def portrait(who, face, size=360, face_px=210.0):
    linear = Renderer(who, face, size_px=(size, size), face_px=face_px).linear(resting(np.zeros(1)), 0)
    return np.clip(255 * np.sqrt(np.clip(linear, 0, 1)), 0, 255).astype(np.uint8)


def corners(picture):
    looker = finder("landmarks")
    (face,) = looker.find(picture, 0.0)
    looker.close()
    return face.landmarks[list(CORNERS)]


@pytest.fixture(scope="module")
def photographed(face_model):
    """A picture of one simulated face, as a photograph of somebody, and the look made from it."""
    picture = portrait(simulate.person(41, melanin=0.2), look(41, glasses=0.0, beard=0.0, hair_style="short"))
    return picture, look_from_photo(picture, seed=3)


def test_eyes_mouth_and_nose_lie_where_the_photograph_has_them(photographed):
    picture, face = photographed
    again = portrait(simulate.person(5, melanin=0.2), face)
    assert np.abs(corners(again) - corners(picture)).max() < 0.05 * 210


def test_the_picture_is_more_like_the_photograph_than_another_drawn_face_is(photographed):
    picture, face = photographed
    who = simulate.person(5, melanin=0.2)
    detail = [cv2.GaussianBlur(p[90:300, 100:260].astype(np.float32), (0, 0), 1.5)
              for p in (picture, portrait(who, face), portrait(who, look(3)))]
    same, other = (np.corrcoef(detail[0].ravel(), one.ravel())[0, 1] for one in detail[1:])
    assert same > other + 0.05 and same > 0.8


def test_the_pulse_is_in_the_skin_and_not_in_eyes_brows_and_lips(photographed):
    _, face = photographed
    renderer = Renderer(simulate.person(5, melanin=0.2, perfusion=0.012), face, size_px=(360, 360), face_px=210)
    course = resting(np.zeros(2), pulse=np.array([[0.0], [1.0]]))
    fall = renderer.linear(course, 0)[..., 1] - renderer.linear(course, 1)[..., 1]
    points = corners(portrait(simulate.person(5, melanin=0.2), face))
    right_eye = points[:2].mean(0).round().astype(int)
    skin = renderer.skin(course, 0)
    assert skin[right_eye[1], right_eye[0]] < 0.1 and fall[right_eye[1], right_eye[0]] < 0.2 * fall[skin > 0.9].mean()
    assert (fall[skin > 0.9] > 0).mean() > 0.99


def test_it_can_be_filmed_like_any_other(photographed):
    _, face = photographed
    film = simulate.crops(simulate.person(5, hr_bpm=75), size_px=36, seconds=10, stage=simulate.Stage(look=face))
    clip = film.trace()
    from rppg_lib import signal
    assert signal.hr_from_spectrum(signal.pos(clip.rgb, fs=30), fs=30) == pytest.approx(75, abs=2.5)


@pytest.mark.parametrize("image, complaint", [
    (np.full((200, 200, 3), 128, np.uint8), "found none"), (np.zeros((200, 200)), "uint8"),
    ("absent.png", "does not exist")])
def test_what_is_no_photograph_of_a_face_is_one_clear_error(image, complaint, face_model):
    with pytest.raises((ValueError, OSError), match=complaint):
        look_from_photo(image)


def test_a_face_too_small_to_see_is_refused(photographed):
    small = np.full((360, 360, 3), 90, np.uint8)
    small[100:172, 100:172] = cv2.resize(photographed[0], (72, 72), interpolation=cv2.INTER_AREA)
    with pytest.raises(ValueError, match="at least 60 px wide|found none"):
        look_from_photo(small)


@pytest.mark.realdata("face-photos")
def test_a_real_photograph_becomes_a_face_that_is_found(realdata, face_model):
    (path,) = (realdata / "face-photos").rglob("astronaut.png")
    face = look_from_photo(path, seed=3)
    assert len(corners(portrait(simulate.person(3, melanin=0.3), face))) == len(CORNERS)
