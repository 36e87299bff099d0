"""The pulse: its rate, its beats, its variability and its shape."""

import time

import numpy as np
import pytest
from scipy.signal import find_peaks, lombscargle

from rppg_lib import signal, simulate

STEADY = {"hrv_breath": 0, "hrv_slow": 0, "hrv_noise": 0}
BREATHLESS = {"breath_baseline": 0, "breath_amplitude": 0}


def size_at(wave, fs, hz):
    """Amplitude of the sine of this frequency in a wave."""
    t = np.arange(len(wave)) / fs
    return 2 * abs(np.mean((wave - wave.mean()) * np.hanning(len(wave)) * 2 * np.exp(-2j * np.pi * hz * t)))


@pytest.mark.parametrize("bpm", [40, 55, 72, 96, 120, 150, 180, 220])
def test_a_steady_heart_shows_the_rate_asked_for_in_the_spectrum(bpm):
    truth = simulate.pulse(simulate.person(3, hr_bpm=bpm, **STEADY), seconds=30, fs=30, seed=0)
    assert signal.hr_from_spectrum(truth.wave, fs=30, band_hz=(0.5, 4)) == pytest.approx(bpm, abs=0.1)


@pytest.mark.parametrize("bpm", [40, 72, 130, 220])
@pytest.mark.parametrize("seconds", [10, 60])
def test_the_mean_rate_of_a_variable_heart_is_the_one_asked_for(bpm, seconds):
    for seed in range(5):
        truth = simulate.pulse(simulate.person(seed, hr_bpm=bpm), seconds=seconds, fs=30, seed=seed)
        assert truth.mean_hr_bpm == pytest.approx(bpm, rel=0.005)
        assert abs(len(truth.beats_s) - bpm / 60 * seconds) <= 1


@pytest.mark.parametrize("bpm", [40, 72, 110, 180])
def test_every_beat_time_is_a_top_of_the_wave_and_every_top_a_beat(bpm):
    for seed in range(8):
        truth = simulate.pulse(simulate.person(seed, hr_bpm=bpm), seconds=20, fs=30, seed=seed)
        fine = np.arange(0, 20, 0.001)
        tops, _ = find_peaks(truth.at(fine), distance=int(0.6 * 60000 / bpm))
        inner = truth.beats_s[1:-1]
        away = np.abs(inner[:, None] - fine[tops]).min(1)
        assert away.max() < 1 / 30 / 2
        between = (fine[tops] > inner[0] - 0.05) & (fine[tops] < inner[-1] + 0.05)
        assert between.sum() == len(inner)


def test_intervals_fill_the_time_between_the_first_and_the_last_beat():
    truth = simulate.pulse(simulate.person(0), seconds=60, fs=30, seed=0)
    assert truth.intervals_s.sum() == pytest.approx(truth.beats_s[-1] - truth.beats_s[0], abs=1e-9)
    assert (truth.intervals_s > 0.3).all()
    assert 0 <= truth.beats_s[0] and truth.beats_s[-1] < 60


def test_the_instantaneous_rate_integrates_to_the_number_of_beats():
    truth = simulate.pulse(simulate.person(4), seconds=60, fs=100, seed=2)
    for first, last in ((0, 10), (5, 40), (20, 60)):
        a, b = truth.beats_s[first], truth.beats_s[last]
        inside = (truth.times_s >= a) & (truth.times_s < b)
        assert truth.hr_bpm[inside].sum() / 60 / 100 == pytest.approx(last - first, abs=0.05)


def test_beats_do_not_depend_on_the_frame_rate():
    slow, fast = (simulate.pulse(simulate.person(1), seconds=20, fs=fs, seed=5) for fs in (25, 250))
    assert np.array_equal(slow.beats_s, fast.beats_s)
    assert np.allclose(slow.at(fast.times_s) - fast.wave, (slow.at(fast.times_s) - fast.wave)[0], atol=1e-9)


def test_a_delayed_copy_is_the_wave_of_earlier():
    truth = simulate.pulse(simulate.person(1), seconds=10, fs=30, seed=0)
    assert np.allclose(truth.at(truth.times_s[6:] - 0.2), truth.wave[:-6], atol=1e-12)


def test_breathing_shows_in_the_intervals_at_its_own_rate_and_size():
    sim = simulate.person(2, hr_bpm=70, hrv_breath=0.04, hrv_slow=0, hrv_noise=0, breath_hz=0.25)
    truth = simulate.pulse(sim, seconds=300, fs=30, seed=0)
    intervals, at = truth.intervals_s, truth.beats_s[1:]
    hz = np.arange(0.05, 0.5, 0.002)
    power = lombscargle(at, intervals - intervals.mean(), 2 * np.pi * hz)
    assert hz[power.argmax()] == pytest.approx(0.25, abs=0.02)
    # An interval averages the rate over itself, which takes away sinc(0.25 Hz * 0.86 s): 7 %.
    assert intervals.std() / intervals.mean() == pytest.approx(0.04 * np.sinc(0.25 * 60 / 70), rel=0.1)


def test_the_slow_waves_lie_about_a_tenth_of_a_hertz():
    sim = simulate.person(2, hrv_breath=0, hrv_slow=0.03, hrv_noise=0)
    intervals, at = (truth := simulate.pulse(sim, seconds=600, fs=30, seed=0)).intervals_s, truth.beats_s[1:]
    hz = np.arange(0.01, 0.5, 0.001)
    power = lombscargle(at, intervals - intervals.mean(), 2 * np.pi * hz)
    assert power[(hz > 0.06) & (hz < 0.14)].sum() > 0.9 * power.sum()


def test_people_at_rest_vary_as_people_at_rest_do():
    spread_ms = []
    for seed in range(40):
        sim = simulate.person(seed)
        assert 0.15 <= sim.breath_hz <= 0.35
        spread_ms.append(1000 * simulate.pulse(sim, seconds=300, fs=10, seed=0).intervals_s.std())
    assert np.quantile(spread_ms, 0.1) > 20 and np.quantile(spread_ms, 0.9) < 80
    assert np.ptp(spread_ms) > 20


def test_breathing_moves_the_baseline_by_the_size_asked_for():
    still = simulate.person(5, hr_bpm=75, breath_baseline=0.2, breath_amplitude=0, **STEADY)
    truth = simulate.pulse(still, seconds=120, fs=30, seed=0)
    without = simulate.pulse(simulate.person(5, hr_bpm=75, **STEADY, **BREATHLESS), seconds=120, fs=30, seed=0)

    def slow(wave):
        return signal.bandpass(wave, fs=30, band_hz=(0.1, 0.5))[600:-600]    # without the ends, which a filter bends

    baseline, reference = slow(truth.wave), slow(truth.respiration)
    assert np.corrcoef(baseline, reference)[0, 1] > 0.98
    assert baseline.std() / reference.std() == pytest.approx(0.2, rel=0.05)
    assert slow(without.wave).std() < 0.02 * baseline.std()


def test_breathing_in_raises_the_height_of_a_beat_by_the_size_asked_for():
    sim = simulate.person(5, hr_bpm=75, breath_baseline=0, breath_amplitude=0.15)
    truth = simulate.pulse(sim, seconds=120, fs=100, seed=0)
    beats = truth.beats_s[2:-2]
    window = np.linspace(-0.3, 0.3, 61)
    heights = np.ptp(truth.at(beats[:, None] + window), axis=1)
    breath = np.interp(beats, truth.times_s, truth.respiration)
    slope, at_rest = np.polyfit(breath, heights, 1)
    assert slope / at_rest == pytest.approx(0.15, rel=0.15)


def test_a_pulse_has_harmonics_that_shrink():
    for seed in range(30):
        sim = simulate.person(seed, hr_bpm=72, **STEADY, **BREATHLESS)
        wave = simulate.pulse(sim, seconds=50, fs=30, seed=0).wave
        first, second, third, sixth = (size_at(wave, 30, 1.2 * k) for k in (1, 2, 3, 6))
        assert 0.15 * first < second < 0.8 * first       # a sine has none; the rate must stay the highest peak
        assert third < 0.7 * first and sixth < 0.1 * first
        assert size_at(wave, 30, 1.8) < 0.01 * first


def test_a_beat_rises_faster_than_it_falls():
    for seed in range(30):
        beat = simulate.person(seed).beat(np.linspace(0, 1, 1000))
        assert beat.argmin() > 500                        # the foot comes shortly before the next top


def test_people_differ_in_their_waveforms():
    phase = np.linspace(0, 1, 200, endpoint=False)
    shapes = np.array([simulate.person(seed).beat(phase) for seed in range(20)])
    assert np.ptp(shapes, axis=1) == pytest.approx(1, abs=0.01)
    assert shapes.mean(1) == pytest.approx(0, abs=1e-3)
    different = np.abs(shapes[:, None] - shapes[None]).max(-1)[np.triu_indices(20, 1)]
    assert different.min() > 0.01 and np.median(different) > 0.05


def test_the_same_seeds_give_the_same_bits_and_others_do_not():
    def wave(who, seed):
        return simulate.pulse(simulate.person(who, hr_bpm=70), seconds=10, fs=30, seed=seed).wave

    assert np.array_equal(wave(0, 0), wave(0, 0))
    assert abs(np.corrcoef(wave(0, 0), wave(0, 1))[0, 1]) < 0.95
    assert abs(np.corrcoef(wave(0, 0), wave(1, 0))[0, 1]) < 0.95


def test_a_named_field_replaces_the_drawn_one_and_no_other():
    drawn, changed = simulate.person(9), simulate.person(9, melanin=2.15)
    assert changed.melanin == 2.15 and changed.tone == "VI"
    assert changed.hr_bpm == drawn.hr_bpm and changed.dicrotic_at == drawn.dicrotic_at
    assert changed.name == drawn.name == "sim0009"


def test_ten_minutes_cost_a_small_fraction_of_a_second():
    sim = simulate.person(0)
    simulate.pulse(sim, seconds=10, fs=30, seed=0)
    took = []
    for seed in range(3):
        start = time.perf_counter()
        simulate.pulse(sim, seconds=600, fs=30, seed=seed)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1
