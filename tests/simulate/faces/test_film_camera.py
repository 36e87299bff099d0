"""A film's camera: root coding, noise of the right size, rows read one after the other, colour at half resolution."""

import dataclasses

import numpy as np
import pytest

from rppg_lib.simulate import FilmCamera, Flicker
from rppg_lib.simulate.faces.film_camera import FULL, Developer, halved_chroma

EVEN = FilmCamera(vignetting=0)
SIZE = 160, 120


def develop(level, camera=EVEN, *, frames=1, rows=None, gain=1.0, seed=0):
    """Pictures of an even wall of this linear light."""
    linear = np.broadcast_to(np.float32(level), (SIZE[1], SIZE[0], 3)).copy()
    developer = Developer(camera, SIZE, gain=gain, frames=frames, rng=np.random.default_rng(seed))
    return np.stack([developer.develop(linear, number, rows=rows) for number in range(frames)])


@pytest.mark.parametrize("level", [0.04, 0.25, 0.6])
def test_levels_are_the_root_of_the_light_and_noise_has_the_stated_size(level):
    picture = develop(level, frames=4).astype(float)
    assert picture.mean() == pytest.approx(FULL * np.sqrt(level), abs=0.1)
    assert picture.std() == pytest.approx(np.hypot(EVEN.noise, 1 / np.sqrt(12)), rel=0.03)


def test_noise_is_that_of_counted_electrons():
    light = FilmCamera(full_well=9000, read_noise=0)
    assert light.noise == pytest.approx(FULL / 2 / np.sqrt(9000))    # root coding: the same at every level
    assert dataclasses.replace(light, full_well=900).noise == pytest.approx(np.sqrt(10) * light.noise)
    assert light.seen(pixels_in_one=4).noise == pytest.approx(light.noise / 2)
    assert EVEN.seen(pixels_in_one=4).noise == pytest.approx(EVEN.noise / 2)
    assert light.seen(log_photons=-np.log(4)).noise == pytest.approx(2 * light.noise)


def test_each_picture_has_noise_of_its_own_and_the_same_each_time():
    first, again = develop(0.3, frames=3), develop(0.3, frames=3)
    assert np.array_equal(first, again)
    noise = first - first.mean(dtype=float)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert abs(np.corrcoef(noise[a].ravel(), noise[b].ravel())[0, 1]) < 0.02
    assert not np.array_equal(first, develop(0.3, frames=3, seed=1))


def test_grain_spreads_noise_over_neighbours_and_keeps_its_size():
    fine, coarse = (develop(0.3, dataclasses.replace(EVEN, grain_px=grain), frames=4).astype(float) for grain in (0, 1))

    def alike(pictures):
        noise = pictures - pictures.mean()
        return np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1]

    assert abs(alike(fine)) < 0.02 < 0.5 < alike(coarse)
    assert coarse.std() == pytest.approx(fine.std(), rel=0.05)


def test_too_much_light_saturates_and_darkness_stays_dark():
    assert develop(4.0).min() == 255
    assert develop(0.0).max() < 10


def test_gain_white_balance_and_vignetting_act_on_the_light():
    assert develop(0.2, gain=2.0).mean() == pytest.approx(develop(0.4).mean(), abs=0.1)
    warm = develop(0.25, dataclasses.replace(EVEN, white=(1.44, 1, 0.64)))
    assert warm.mean((0, 1, 2)) == pytest.approx(FULL * 0.5 * np.array([1.2, 1, 0.8]), abs=0.2)
    dim = develop(0.25, FilmCamera(vignetting=0.19), frames=20).mean((0, 3))
    assert dim[0, 0] / dim[60, 80] == pytest.approx(np.sqrt(0.81), rel=0.02)


def test_other_gammas_code_as_they_say():
    for gamma in (1, 2.2):
        picture = develop(0.25, dataclasses.replace(EVEN, gamma=gamma))
        assert picture.mean() == pytest.approx(FULL * 0.25 ** (1 / gamma), abs=0.2)


def test_a_rolling_shutter_sees_bands_of_a_flickering_lamp_where_theory_puts_them():
    lamp = Flicker(mains_hz=50, exposure_s=0.001, depth=0.2).ripple(np.random.default_rng(0))

    def profile(rolling_s):
        camera = dataclasses.replace(EVEN, rolling_s=rolling_s)
        picture = develop(0.25, camera, rows=lambda wait_s: np.exp(lamp(wait_s) - lamp(np.array(0.0))))
        return 2 * np.log(picture.mean((0, 2, 3)) / 127.5)

    assert np.ptp(profile(0.0)) < 0.02
    rows = profile(0.02)                                             # two whole periods of 100 Hz
    power = np.abs(np.fft.rfft(rows - rows.mean()))
    assert power.argmax() == 2
    assert np.ptp(rows) == pytest.approx(2 * 0.2, rel=0.1)


def test_colour_at_half_resolution_keeps_brightness_and_blurs_colour():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[...] = [100, 120, 90]
    assert np.abs(halved_chroma(picture).astype(int) - picture).max() <= 2
    picture[:, ::2] = [180, 100, 100]
    picture[:, 1::2] = [90, 138, 100]                                # about equally bright, another colour
    seen = halved_chroma(picture).astype(float)
    assert np.ptp(seen[20, 20:40, 0]) < 0.4 * np.ptp(picture[20, 20:40, 0].astype(float))
    assert halved_chroma(np.zeros((37, 51, 3), np.uint8)).shape == (37, 51, 3)


@pytest.mark.parametrize("wrong, message", [
    ({"full_well": 0}, "full_well must be"), ({"read_noise": -1}, "read_noise must"), ({"gamma": 0}, "gamma must be"),
    ({"exposure": 0}, "exposure must be"), ({"vignetting": 1}, "vignetting must"), ({"rolling_s": -1}, "rolling_s"),
    ({"white": (1, 1)}, "white must be three gains"), ({"white": (1, 0, 1)}, "white must be three gains"),
    ({"chroma": "4:1:1"}, "chroma must be '4:4:4' or '4:2:0', got '4:1:1'"),
])
def test_an_impossible_camera_gives_one_error(wrong, message):
    with pytest.raises(ValueError, match=f"FilmCamera: {message}"):
        FilmCamera(**wrong)
