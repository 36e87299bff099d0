"""The pulse in films of faces: as strong as the person's, found and lost where theory and experience say."""

import dataclasses

import numpy as np
import pytest

from rppg_lib import signal, simulate

from .filming import CALM, METHODS, SMALL, TONES, errors, lively

pytestmark = pytest.mark.slow
FINE = dataclasses.replace(SMALL, camera=simulate.FilmCamera(vignetting=0))
TWO_TONES = (TONES["II"], TONES["VI"])


def wrong(scene, *, tones=TWO_TONES, seconds=20, **settings):
    """Absolute error of each method, bpm, over all windows of one person per tone."""
    found = [errors(simulate.crops(lively(who, melanin=tone), scene=scene, seconds=seconds, **settings).trace())
             for who, tone in enumerate(tones)]
    return {name: np.concatenate([each[name] for each in found]) for name in METHODS}


@pytest.mark.parametrize("tone", ["I", "VI"])
def test_the_pulse_over_the_mean_is_the_persons_and_coding_halves_it(tone):
    someone = lively(1, melanin=TONES[tone], hr_bpm=60, **CALM)
    stage = dataclasses.replace(FINE, camera=dataclasses.replace(FINE.camera, full_well=1e7))
    rgb = simulate.film(someone, scene=(), seconds=4, stage=stage).trace(region="skin").rgb
    coded = np.ptp(rgb, axis=0) / rgb.mean(0)
    # Later copies of the wave in other places flatten it a little, shine thins it: never above the person's own.
    assert (2 * coded < 1.1 * someone.ac_dc).all() and (2 * coded > 0.6 * someone.ac_dc).all()
    assert coded / coded[1] == pytest.approx(someone.ac_dc / someone.ac_dc[1], abs=0.12)


def test_more_blood_is_darker_skin_and_systole_is_up_in_the_label():
    film = simulate.film(lively(1, hr_bpm=60), scene=(), seconds=6, stage=FINE)
    waves = np.stack([film.trace().rgb[:, 1], film.label])
    green, label = signal.bandpass(waves, fs=30, band_hz=(0.7, 3))
    assert np.corrcoef(green, label)[0, 1] < -0.9


@pytest.mark.parametrize("scene", ["still", "turning", "talking", "walking light", "light drift"])
def test_pos_reads_what_disturbs_green(scene):
    off = wrong(scene)
    assert off["pos"].mean() <= 1.5
    if scene != "still":
        assert off["green"].mean() > 3 * off["pos"].mean() and off["green"].mean() > 0.5


@pytest.mark.parametrize("bpm", [40, 90, 140, 180])
def test_slow_and_fast_hearts_are_read(bpm):
    clip = simulate.film(lively(3, hr_bpm=bpm), seconds=12, stage=SMALL).trace()
    found = signal.hr_from_spectrum(signal.pos(clip.rgb, fs=30), fs=30, band_hz=(0.6, 4))
    true = signal.hr_from_spectrum(clip.label, fs=30, band_hz=(0.6, 4))
    assert abs(found - true) < 1.5 and abs(true - bpm) < 4


@pytest.mark.parametrize("scene", ["no pulse", (*simulate.SCENES["turning"], simulate.NoPulse())])
def test_without_a_pulse_no_method_finds_the_hidden_one(scene):
    for who in range(2):
        clip = simulate.crops(lively(who, melanin=TWO_TONES[who]), scene=scene, seconds=20).trace()
        for name, method in METHODS.items():
            waves = np.stack([method(clip.rgb, fs=30), clip.label])
            found, hidden = signal.bandpass(waves, fs=30, band_hz=(0.65, 4))
            assert abs(np.corrcoef(found, hidden)[0, 1]) <= 0.25, name


def test_coloured_light_within_the_band_defeats_pos():
    assert (wrong("screen light")["pos"] <= 3).mean() < 0.5


def test_a_low_bit_rate_defeats_pos_and_a_mild_one_does_not():
    stage = simulate.Stage(size_px=(320, 240))
    mild = simulate.film(lively(2), scene="compressed", seconds=10, stage=stage)
    poor = simulate.film(lively(2), scene="low bitrate", seconds=10, stage=stage)
    assert errors(mild.trace())["pos"].mean() <= 1.5
    assert errors(poor.trace())["pos"].mean() > 3
    assert mild.kbps > 5 * poor.kbps


def test_errors_grow_with_difficulty():
    hard = [wrong("light drift", tones=TWO_TONES[:1], difficulty=d)["green"].mean() for d in (0.02, 1)]
    assert hard[0] < 2 < hard[1]
    dark = [wrong("dark", tones=TWO_TONES, difficulty=d, seconds=12)["pos"].mean() for d in (0.1, 3)]
    assert dark[0] < 2 < dark[1]


def test_dropped_frames_cost_little_when_their_stamps_are_kept():
    film = simulate.film(lively(1, hr_bpm=75), scene="dropped frames", seconds=20, stage=SMALL)
    assert errors(film.trace())["pos"].mean() < 2


def test_crops_hold_the_same_pulse():
    for size in (36, 72):
        clip = simulate.crops(lively(1), size_px=size, seconds=12).trace()
        assert errors(clip)["pos"].mean() < 1.5
