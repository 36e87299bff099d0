"""The breath is read from the pulse where it shows, and left open where it does not."""

import numpy as np
import pytest

from rppg_lib import signal, simulate

PEOPLE = range(200, 230)


def seen(seed, seconds=60, **changes):
    """Return the breathing rate that POS and the colours of a simulated trace tell of, and the true one."""
    who = simulate.person(seed, **changes)
    clip = simulate.trace(who, seconds=seconds, seed=1)
    level = np.log(clip.rgb[:, 0]) - np.log(clip.rgb[:, 1])
    return signal.breathing(signal.pos(clip.rgb, fs=clip.fs), fs=clip.fs, level=level), 60 * who.breath_hz


@pytest.mark.parametrize("per_min", [9, 15, 22])
@pytest.mark.parametrize("kind", ["intervals", "heights", "level"])
def test_each_of_the_three_ways_alone_gives_the_rate(per_min, kind):
    t = np.arange(60 * 30) / 30
    breath = np.sin(2 * np.pi * per_min / 60 * t)
    slow, tall, high = ({"intervals": (1.5, 0, 0), "heights": (0, 0.3, 0), "level": (0, 0, 0.3)})[kind]
    wave = (1 + tall * breath) * np.sin(2 * np.pi * 1.2 * t + slow * breath) + high * breath
    assert signal.breathing(wave, fs=30).reading_per_min == pytest.approx(per_min, abs=1)


def test_the_breath_of_clean_simulated_pulses_is_read_in_most_and_never_wrongly():
    clear = 0
    for seed in PEOPLE[:12]:
        truth = simulate.pulse(simulate.person(seed), seconds=60, fs=30, seed=0)
        found = signal.breathing(truth.wave, fs=30)
        clear += found.clear
        assert not found.clear or found.per_min == pytest.approx(60 * truth.person.breath_hz, abs=2)
    assert clear >= 9


@pytest.mark.slow
def test_a_clear_rate_from_a_simulated_face_is_right_in_nine_of_ten():
    pairs = [seen(seed) for seed in PEOPLE]
    clear = [abs(found.per_min - true) < 2 for found, true in pairs if found.clear]
    assert len(clear) >= 0.25 * len(pairs)
    assert np.mean(clear) >= 0.9


@pytest.mark.slow
def test_a_face_that_does_not_breathe_seldom_gets_a_rate():
    found = [seen(seed, hrv_breath=0, breath_baseline=0, breath_amplitude=0)[0].clear for seed in PEOPLE]
    assert np.mean(found) <= 0.1


def test_a_breath_faster_than_half_the_heart_is_not_looked_for():
    t = np.arange(60 * 30) / 30
    wave = np.sin(2 * np.pi * 0.8 * t) * (1 + 0.3 * np.sin(2 * np.pi * 0.48 * t))        # 48 bpm, 29 breaths a minute
    assert signal.breathing(wave, fs=30).reading_per_min < 0.45 * 48 + 0.5


@pytest.mark.parametrize("wave, level, complaint", [
    (np.sin(np.arange(600)), None, "at least 900 frames"),
    (np.ones(1200), None, "constant"),
    (np.ones((2, 1200)) * np.sin(np.arange(1200)), None, "one wave"),
    (np.sin(np.arange(1200)), np.ones(1000), "same length"),
    (np.full(1200, np.nan), None, "NaN"),
])
def test_bad_input_is_one_clear_error(wave, level, complaint):
    with pytest.raises(ValueError, match=complaint):
        signal.breathing(wave, fs=30, level=level)


@pytest.mark.realdata("bidmc01")
def test_the_breath_in_a_finger_pulse_is_that_of_the_chest(realdata):
    table = np.genfromtxt(realdata / "bidmc01/data/bidmc_01_Signals.csv", delimiter=",", skip_header=1)
    fs, length = 125, 60 * 125
    errors, clear = [], 0
    for start in range(0, len(table) - length + 1, length):
        part = table[start:start + length]
        chest = signal.hr_from_spectrum(part[:, 1] - part[:, 1].mean(), fs=fs, band_hz=(0.1, 0.5))
        found = signal.breathing(part[:, 2], fs=fs)
        if found.clear:
            clear += 1
            errors.append(abs(found.per_min - chest))
    assert clear >= 4 and max(errors) < 2
