"""What theory says of GREEN, CHROM and POS comes true on simulated people."""

import numpy as np
import pytest

from rppg_lib import signal, simulate

METHODS = {"green": signal.green, "chrom": signal.chrom, "pos": signal.pos}
PEOPLE = 20


def errors(scene, *, difficulty=1.0, people=PEOPLE):
    """Absolute error of the heart rate of each method and person, in bpm."""
    found = {name: [] for name in METHODS}
    for clip in simulate.clips(people, scenes=[scene], seconds=20, difficulty=difficulty):
        true = signal.hr_from_spectrum(clip.label, fs=30)
        for name, method in METHODS.items():
            found[name].append(abs(signal.hr_from_spectrum(method(clip.rgb, fs=30), fs=30) - true))
    return {name: np.array(values) for name, values in found.items()}


def test_all_methods_read_a_still_face():
    for name, wrong in errors("still").items():
        assert np.median(wrong) < 1, name


@pytest.mark.parametrize("scene", ["turning", "talking", "exercise", "light drift", "flicker"])
def test_motion_and_neutral_light_harm_green_far_more_than_chrom_and_pos(scene):
    wrong = {name: values.mean() for name, values in errors(scene).items()}
    assert wrong["green"] > 5
    assert wrong["green"] > 3 * wrong["chrom"] and wrong["green"] > 3 * wrong["pos"]


def test_light_that_changes_colour_within_the_band_defeats_every_method():
    for name, wrong in errors("screen light").items():
        assert wrong.mean() > 5, name


@pytest.mark.parametrize("scene, method", [("light drift", "green"), ("turning", "green"), ("screen light", "pos"),
                                           ("screen light", "chrom"), ("dark", "pos"), ("fast turning", "pos")])
def test_errors_grow_with_difficulty(scene, method):
    wrong = [np.mean(errors(scene, difficulty=d, people=40)[method] > 5) for d in (0.1, 1, 4)]
    assert wrong[0] <= 0.1                                           # of the people, by more than 5 bpm
    assert wrong[0] <= wrong[1] <= wrong[2] + 0.1 and wrong[2] > 0.3


def test_without_a_pulse_no_method_finds_the_hidden_one():
    for name, method in METHODS.items():
        found = []
        for clip in simulate.clips(PEOPLE, scenes=["no pulse"], seconds=30):
            waves = np.stack([method(clip.rgb, fs=30), clip.label])
            found.append(np.corrcoef(signal.bandpass(waves, fs=30, band_hz=(0.7, 3)))[0, 1])
        # Chance: 30 s of a 2.3 Hz wide band hold about 2 * 30 * 2.3 = 138 free values; the slow ones weigh more.
        assert abs(np.mean(found)) < 4 / np.sqrt(138 * PEOPLE / 3), name
        assert np.max(np.abs(found)) < 0.45, name


def test_a_stronger_pulse_is_read_better_in_the_dark():
    def quality(perfusion):
        people = [simulate.person(seed, perfusion=perfusion) for seed in range(12)]
        clips = simulate.clips(people, scenes=["dark"], seconds=20)
        return np.mean([signal.snr_db(signal.green(clip.rgb, fs=30), fs=30, hr_bpm=clip.truth.pulse.mean_hr_bpm)
                        for clip in clips])

    assert quality(0.012) > quality(0.004) + 3
