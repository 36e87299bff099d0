"""Quality against noise of known colour and pulses of known rate."""

import numpy as np
import pytest

from rppg_lib import signal, simulate

COLOURS = {"white": 0, "pink": 1, "brown": 2}                        # power falls with this power of the frequency


def noise(colour, seconds, *, count=300, fs=30, seed=0):
    """Return ``(count, T)`` noise; twice as much is made and half is cut off, so that no wave closes on itself."""
    frames = round(seconds * fs)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=(count, 2 * frames)))
    bins = np.maximum(np.arange(spectrum.shape[1]), 1)
    return np.fft.irfft(spectrum * bins ** (-COLOURS[colour] / 2), 2 * frames)[:, :frames]


def pulses(bpm, seconds, *, fs=30, seed=0, noise=0.5):
    """Return a pulse for each rate; it varies by 3 % with the breath, by 2 % at 0.1 Hz, and wanders by another 1 %."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fs)) / fs
    start = rng.uniform(0, 2 * np.pi, (3, len(bpm), 1))
    wander = 0.01 * np.cumsum(rng.normal(size=(len(bpm), len(t))), axis=1) / np.sqrt(10 * fs)
    varies = 1 + 0.03 * np.sin(2 * np.pi * 0.25 * t + start[0]) + 0.02 * np.sin(2 * np.pi * 0.1 * t + start[1]) + wander
    phase = np.cumsum(2 * np.pi * np.asarray(bpm)[:, None] / 60 * varies, axis=1) / fs + start[2]
    return np.sin(phase) + 0.35 * np.sin(2 * phase + 1) + noise * rng.normal(size=phase.shape)


@pytest.mark.parametrize("filtered", [False, True], ids=["as it is", "band-passed"])
@pytest.mark.parametrize("seconds, share", [(10, 0.90), (20, 0.95), (60, 0.95)])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_is_rarely_taken_for_a_pulse(colour, seconds, share, filtered):
    waves = noise(colour, seconds)
    if filtered:
        waves = signal.bandpass(waves, fs=30, band_hz=(0.65, 4.0))
    assert np.mean(signal.quality(waves, fs=30) < signal.TRUST) >= share


@pytest.mark.parametrize("filtered", [False, True], ids=["as it is", "band-passed"])
@pytest.mark.parametrize("seconds, share", [(10, 0.80), (20, 0.90), (60, 0.95)])
def test_brown_noise_is_the_hardest_and_deceives_more_often_when_short(seconds, share, filtered):
    """Inside the band it is nearly a tone at the lower edge, and a short piece of that does repeat itself."""
    waves = noise("brown", seconds)
    if filtered:
        waves = signal.bandpass(waves, fs=30, band_hz=(0.65, 4.0))
    assert np.mean(signal.quality(waves, fs=30) < signal.TRUST) >= share


@pytest.mark.parametrize("seconds", [10, 20, 60])
@pytest.mark.parametrize("fs", [20, 29.97, 30])
def test_a_pulse_with_a_natural_rhythm_is_trusted(seconds, fs):
    waves = pulses(np.linspace(45, 160, 100), seconds, fs=fs)
    assert np.mean(signal.quality(waves, fs=fs) >= signal.TRUST) >= 0.9


def test_a_fast_heart_is_trusted_in_a_band_that_holds_it():
    waves = pulses(np.linspace(100, 280, 100), 20)
    assert np.mean(signal.quality(waves, fs=30, band_hz=(1.5, 5.0)) >= signal.TRUST) >= 0.9
    white = signal.quality(noise("white", 20), fs=30, band_hz=(1.5, 5.0))
    assert np.mean(white < signal.TRUST) >= 0.9


def test_a_pulse_counts_for_less_the_more_noise_lies_over_it():
    rates = np.linspace(50, 120, 50)
    figures = [np.median(signal.quality(pulses(rates, 20, noise=level), fs=30)) for level in (0, 1.5, 3, 6)]
    assert figures == sorted(figures, reverse=True) and figures[0] > 0.99 and figures[-1] < signal.TRUST


@pytest.mark.parametrize("value", [0.0, 0.1, 255.0, -3e9])
@pytest.mark.parametrize("seconds", [10, 45])
def test_a_constant_wave_has_quality_zero_and_leaves_its_neighbours_alone(value, seconds):
    beat = pulses([70], seconds)
    flat = np.full_like(beat, value)
    assert signal.quality(flat[0], fs=30) == 0
    np.testing.assert_array_equal(signal.quality(np.vstack([flat, beat]), fs=30), [0, signal.quality(beat[0], fs=30)])


@pytest.mark.parametrize("seconds", [5, 12, 47])
def test_a_batch_is_judged_as_each_wave_alone(seconds):
    waves = np.stack([pulses([60, 90, 130], seconds), noise("pink", seconds, count=3)])
    together = signal.quality(waves, fs=30)
    assert together.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            assert together[i, j] == pytest.approx(signal.quality(waves[i, j], fs=30), abs=1e-12)


@pytest.mark.parametrize("fs", [7.5, 12, 24.975, 25.04, 29.97, 29.99, 30.03, 30.098, 59.94, 120])
def test_any_frame_rate_will_do_for_long_and_for_short_waves(fs):
    """Twenty seconds are no whole number of frames at most of these rates."""
    for seconds in (5, 19.99, 20.02, 33):
        assert signal.quality(pulses([75], seconds, fs=fs, noise=0.2)[0], fs=fs) >= signal.TRUST


def test_scale_and_offset_of_a_wave_do_not_count():
    wave = pulses([80], 15, noise=1.0)[0]
    for same in (1e-9 * wave, 1e9 * wave, wave + 100):
        assert signal.quality(same, fs=30) == pytest.approx(signal.quality(wave, fs=30), abs=1e-4)


@pytest.mark.parametrize("band_hz", [(2 / 3, 3.0), (1.5, 5.0), (0.3, 14.9), (1.01, 1.02), (6.0, 14.99)])
def test_the_figure_lies_between_0_and_1_whatever_the_wave(band_hz):
    t = np.arange(300) / 30
    step, spike = (t > 5) * 1.0, (t == 5) * 1.0
    sine = np.sin(7 * t)
    waves = np.stack([t, t**3, -t, np.exp(t), step, spike, step + 1e-9 * sine, np.sign(sine), (-1.0) ** np.arange(300),
                      1e100 * sine, 1e-100 * sine, np.sin(0.2 * t), np.sin(t**2)])
    figure = signal.quality(waves, fs=30, band_hz=band_hz)
    assert np.isfinite(figure).all() and figure.min() >= 0 and figure.max() <= 1


@pytest.mark.parametrize("fs, frames", [(30, 149), (20, 99), (29.97, 148)])
def test_less_than_five_seconds_are_too_short_to_judge(fs, frames):
    wave = pulses([70], 10, fs=fs)[0]
    with pytest.raises(ValueError, match=f"quality: needs at least {frames + 1} frames .* got {frames}"):
        signal.quality(wave[:frames], fs=fs)
    assert 0 <= signal.quality(wave[:frames + 1], fs=fs) <= 1


@pytest.mark.parametrize("method, share", [("pos", 0.95), ("chrom", 0.95), ("lgi", 0.95), ("green", 0.75)])
def test_skin_without_a_pulse_gets_a_rate_that_is_not_to_be_trusted(method, share):
    clips = simulate.clips(range(400, 440), scenes=["no pulse"], seconds=30)
    waves = getattr(signal, method)(np.stack([clip.rgb for clip in clips]), fs=30)
    assert np.isfinite(signal.hr_from_spectrum(waves, fs=30)).all()
    assert (signal.quality(waves, fs=30) < signal.TRUST).mean() >= share


def test_the_same_skin_with_a_pulse_is_trusted():
    clips = simulate.clips(range(400, 440), scenes=["still"], seconds=30)
    waves = signal.pos(np.stack([clip.rgb for clip in clips]), fs=30)
    assert (signal.quality(waves, fs=30) > signal.TRUST).mean() >= 0.95
