"""Labels from the colours themselves: only the rhythm is left of them, and the truth is a trace that is known."""

import numpy as np
import pytest
from scipy.signal import butter, hilbert, sosfiltfilt

from rppg_lib import signal, simulate

BLOOD = np.array([0.33, 0.77, 0.53])
INSIDE = slice(90, -90)                  # a filter's and a transform's ends left out


def coloured(wave):
    """Return skin colours (..., T, 3) that a pulse (..., T) in volume darkens."""
    return np.array([120.0, 90.0, 70.0]) * (1 - np.asarray(wave)[..., None] * BLOOD)


def seconds(count, fs):
    return np.arange(round(count * fs)) / fs


@pytest.mark.parametrize("depth", [0.3, 0.8])
def test_a_pulse_that_grows_and_fades_comes_out_equally_high(depth):
    t = seconds(40, 30)
    height = 1 + depth * np.sin(2 * np.pi * 0.05 * t)
    rgb = coloured(0.005 * height * np.sin(2 * np.pi * 1.2 * t))
    label = signal.pseudo_label(rgb, fs=30)
    before = np.abs(hilbert(signal.bandpass(signal.pos(rgb, fs=30), fs=30, band_hz=signal.HR_BAND_HZ)))[INSIDE]
    after = np.abs(hilbert(label))[INSIDE]
    assert np.ptp(before) / before.mean() > depth                    # the trace itself does grow and fade
    assert np.ptp(after) / after.mean() < 0.02
    assert label.mean() == pytest.approx(0, abs=1e-12) and label.std() == pytest.approx(1)


@pytest.mark.parametrize("bpm", [45, 72, 110, 170])
@pytest.mark.parametrize("fs", [20, 29.97, 60])
def test_the_rate_is_kept_and_systole_points_up(bpm, fs):
    wave = np.sin(2 * np.pi * bpm / 60 * seconds(20, fs))
    label = signal.pseudo_label(coloured(0.006 * wave), fs=fs)
    assert signal.hr_from_spectrum(label, fs=fs) == pytest.approx(bpm, abs=0.5)
    assert np.corrcoef(label, wave)[0, 1] > 0.98


@pytest.mark.parametrize("person", range(4))
def test_beats_of_a_simulated_person_are_where_they_were(person):
    clip = simulate.trace(person, seconds=30)
    label = signal.pseudo_label(clip.rgb, fs=clip.fs)
    truth = signal.bandpass(clip.label, fs=clip.fs, band_hz=signal.HR_BAND_HZ)
    assert signal.hr_from_spectrum(label, fs=clip.fs) == pytest.approx(clip.truth.pulse.mean_hr_bpm, abs=2)
    assert np.corrcoef(label, truth)[0, 1] > 0.8


def test_a_batch_is_its_traces_one_by_one():
    traces = np.stack([[simulate.trace(person, seconds=8, scene=scene).rgb for scene in ("still", "talking")]
                       for person in (0, 1, 2)])
    together = signal.pseudo_label(traces, fs=30)
    assert together.shape == (3, 2, 240)
    for at in np.ndindex(3, 2):
        np.testing.assert_allclose(together[at], signal.pseudo_label(traces[at], fs=30), atol=1e-10)


def test_it_is_the_composition_that_it_says():
    rgb, band = simulate.trace(5, seconds=12).rgb, (0.8, 2.4)
    sos = butter(3, band, btype="bandpass", fs=30, output="sos")
    wave = sosfiltfilt(sos, signal.pos(rgb, fs=30), padlen=int(2 * 30 / band[0]))
    wave = wave / np.abs(hilbert(wave))
    by_hand = (wave - wave.mean()) / wave.std()
    np.testing.assert_allclose(signal.pseudo_label(rgb, fs=30, band_hz=band), by_hand, atol=1e-9)


def test_where_there_is_no_pulse_noise_is_not_blown_up_to_one():
    t = seconds(40, 30)
    pulse = 0.01 * np.sin(2 * np.pi * 1.2 * t) * (t < 28)
    noise = np.random.default_rng(0).normal(0, 2e-5, (len(t), 3))
    label = signal.pseudo_label(coloured(pulse) * (1 + noise), fs=30)
    assert label[t > 31].std() < 0.2 * label[t < 25].std()


@pytest.mark.parametrize("rgb, complaint", [
    (np.ones((300, 2)), r"pseudo_label: needs colours \(..., T, 3\)"),
    (np.ones((20, 3)), "pseudo_label: needs at least 48 frames"),
    (np.zeros((300, 3)), "pseudo_label: needs colours above 0"),
    (np.full((300, 3), np.nan), "pseudo_label: 900 of 900 values are NaN"),
    (np.ones((300, 3)), "pseudo_label: channel R never changes"),
])
def test_what_it_cannot_use_is_said_in_its_own_name(rgb, complaint):
    with pytest.raises(ValueError, match=complaint):
        signal.pseudo_label(rgb, fs=30)


def test_a_band_that_the_frame_rate_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="low < high"):
        signal.pseudo_label(simulate.trace(0, seconds=10).rgb, fs=30, band_hz=(0.7, 16))
