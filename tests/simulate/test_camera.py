"""The camera: noise that averages, 8-bit steps that do or do not, and saturation."""

import numpy as np
import pytest

from rppg_lib import simulate
from rppg_lib.simulate import Camera, camera, expose


def grey(level, frames=20_000):
    """Linear light that sqrt coding makes ``level``."""
    return np.full((frames, 3), (level / 255) ** 2)


def take(linear, seed=0, **options):
    return expose(linear, Camera(**options), np.random.default_rng(seed))


@pytest.mark.parametrize("pixels", [1, 4, 36, 400, 10_000])
def test_noise_of_the_mean_falls_with_the_root_of_the_pixels(pixels):
    one, many = (take(grey(150), region_px=n, grain_px=1, bits=None).noise.std() for n in (1, pixels))
    assert many == pytest.approx(one / np.sqrt(pixels), rel=0.03)


def test_pixels_that_share_their_noise_count_as_one():
    grainy, fine = (take(grey(150), region_px=1600, grain_px=grain, bits=None).noise.std() for grain in (16, 1))
    assert grainy == pytest.approx(4 * fine, rel=0.03)


def test_shot_noise_grows_with_the_root_of_the_light_and_square_root_coding_makes_it_even():
    linear = np.tile([0.1, 0.4, 0.9], (20_000, 1))
    straight = take(linear, gamma=1, read_noise=0, bits=None, region_px=1).noise.std(0)
    assert straight / straight[0] == pytest.approx(np.sqrt([1, 4, 9]), rel=0.03)
    assert straight[0] == pytest.approx(255 * np.sqrt(0.1 / 9000), rel=0.03)     # Poisson: root of the electrons
    coded = take(linear, gamma=2, read_noise=0, bits=None, region_px=1).noise.std(0)
    assert coded == pytest.approx(255 * 0.5 / np.sqrt(9000), rel=0.03)


def test_fewer_photons_make_more_noise_at_the_same_level():
    bright, dark = (take(grey(150), full_well=well, read_noise=0, bits=None).noise.std() for well in (9000, 9000 / 16))
    assert dark == pytest.approx(4 * bright, rel=0.03)


def test_darkness_makes_a_trace_noisier_and_little_darker():
    bright, dark = (simulate.trace(0, scene=scene, seconds=30).truth for scene in ((), (simulate.Darkness(),)))
    assert dark.exposed.noise.std() > 3 * bright.exposed.noise.std()
    assert 0.6 < dark.exposed.clean.mean() / bright.exposed.clean.mean() < 1


def test_a_single_pixel_moves_in_whole_levels_and_a_region_does_not():
    single = simulate.trace(0, seconds=10, camera=Camera(region_px=1)).rgb
    region = simulate.trace(0, seconds=10, camera=Camera(region_px=20_000)).rgb
    assert np.array_equal(single, np.round(single))
    assert np.mean(region == np.round(region)) < 0.01
    assert len(np.unique(single[:, 1])) < 30


def test_a_flat_patch_without_noise_sees_a_staircase_and_noise_dithers_it_away():
    ramp = np.linspace(100, 104, 400)[:, None] * np.ones(3)          # no level lies exactly between two steps
    linear = (ramp / 255) ** 2
    flat = take(linear, texture=0, full_well=1e12, read_noise=0, region_px=10**9)
    assert np.abs(flat.rgb - np.round(flat.clean)).max() < 0.01
    dithered = take(linear, texture=1, full_well=1e12, read_noise=0, region_px=10**9)
    assert np.abs(dithered.rgb - dithered.clean).max() < 0.01


@pytest.mark.parametrize("texture", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("level", [100.3, 253.5])
def test_the_formula_for_many_pixels_agrees_with_pixels_one_by_one(texture, level, monkeypatch):
    options = {"region_px": 60, "grain_px": 1, "texture": texture, "full_well": 1e5, "read_noise": 0}
    one_by_one = [take(grey(level, 400), seed=seed, **options).rgb for seed in range(100)]
    monkeypatch.setattr(camera, "EXACT_PX", 0)
    by_formula = [take(grey(level, 400), seed=seed, **options).rgb for seed in range(100)]
    # Near full scale the formula is rougher: 60 pixels are no smooth distribution, and those cut off take their own
    # noise with them, where the formula takes off a part of the common one.
    near = level > 250 and texture > 1
    assert np.mean(by_formula) == pytest.approx(np.mean(one_by_one), abs=0.08 if near else 0.02)
    in_time = [np.std(runs, axis=1).mean() for runs in (by_formula, one_by_one)]
    assert in_time[0] == pytest.approx(in_time[1], rel=0.3 if near else 0.1)


def test_nothing_exceeds_full_scale_and_what_is_cut_is_told():
    bright = simulate.trace(simulate.person(0, melanin=0.1), seconds=10, camera=Camera(exposure=1.45))
    exposed = bright.truth.exposed
    assert bright.rgb.max() <= 255
    assert exposed.clean[:, 0].max() > 255 and (exposed.clipping[:, 0] < 0).all()
    pulse = np.ptp(bright.rgb, axis=0) / bright.rgb.mean(0)
    free = simulate.trace(simulate.person(0, melanin=0.1), seconds=10).rgb
    assert pulse[0] < 0.5 * np.ptp(free, axis=0)[0] / free.mean(0)[0]            # saturation hides the pulse in red
    assert np.abs(simulate.trace(0, seconds=10).truth.exposed.clipping).max() < 1e-3
