"""The seven methods: physics, the field's equations, and identities."""

import numpy as np
import pytest

from rppg_lib import registry, signal

from . import field_equations

NAMES = ("green", "ica", "chrom", "pbv", "lgi", "pos", "omit")
BLOOD = np.array([0.33, 0.77, 0.53])


def skin(bpm=72, seconds=10.0, fs=30.0, light=0.0, noise=0.0, seed=0):
    """Return a colour trace in which blood darkens skin, and the pulse that was put in (systole up)."""
    t = np.arange(round(seconds * fs)) / fs
    rng = np.random.default_rng(seed)
    pulse = np.sin(2 * np.pi * bpm / 60 * t) + 0.3 * np.sin(4 * np.pi * bpm / 60 * t + 0.7)
    brightness = 1 + light * np.sin(2 * np.pi * 0.23 * t + 1)
    rgb = np.array([130.0, 95.0, 75.0]) * (1 - 0.01 * np.outer(pulse, BLOOD)) * brightness[:, None]
    return rgb + noise * rng.normal(size=rgb.shape), pulse


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bpm", [45, 72, 110, 170])
def test_every_method_reads_the_rate_that_was_put_in_and_points_up_at_systole(name, bpm):
    rgb, pulse = skin(bpm, noise=0.01)
    wave = getattr(signal, name)(rgb, fs=30)
    assert signal.hr_from_spectrum(wave, fs=30) == pytest.approx(bpm, abs=0.5)
    assert np.corrcoef(wave, pulse)[0, 1] > 0.8


def test_pos_follows_a_clean_ten_second_pulse_almost_exactly_up_to_both_ends():
    t = np.arange(300) / 30
    for bpm in (60, 72, 90, 120):
        pulse = np.sin(2 * np.pi * bpm / 60 * t)
        wave = signal.pos([130.0, 95.0, 75.0] * (1 - 0.01 * np.outer(pulse, BLOOD)), fs=30)
        assert np.corrcoef(wave, pulse)[0, 1] > 0.999
        assert np.corrcoef(wave[-24:], pulse[-24:])[0, 1] > 0.99


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds, fs", [(10.0, 30.0), (20.5, 25.0), (9.9, 29.97), (12.0, 28.0)])
def test_compatible_output_equals_the_published_equations(name, seconds, fs):
    rgb, _ = skin(80, seconds, fs, light=0.02, noise=0.3, seed=3)
    expected = getattr(field_equations, name)(rgb, fs)
    wave = registry.build(name, compatible=True).function(rgb, fs=fs, compatible=True)
    n = min(len(expected), len(wave))
    r = np.corrcoef(wave[:n], expected[:n])[0, 1]
    assert (abs(r) if name == "ica" else r) > 0.9999      # the sign of an independent component is arbitrary
    assert np.all(wave[n:] == 0)
    if name != "ica":
        np.testing.assert_allclose(wave[:n], expected[:n], rtol=1e-5, atol=1e-6 * np.ptp(expected))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compatible", [False, True])
def test_a_batch_gives_the_same_as_one_trace_at_a_time(name, compatible):
    method = getattr(signal, name)
    batch = np.stack([[skin(60 + 10 * i + 3 * j, noise=0.2, seed=i + 5 * j)[0] for i in range(3)] for j in range(2)])
    together = method(batch, fs=30, compatible=compatible)
    assert together.shape == (2, 3, 300)
    for j in range(2):
        for i in range(3):
            np.testing.assert_allclose(together[j, i], method(batch[j, i], fs=30, compatible=compatible), atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_a_brighter_exposure_changes_nothing_but_scale(name):
    rgb, _ = skin(90, noise=0.2)
    method = getattr(signal, name)
    assert np.corrcoef(method(rgb, fs=30), method(3.7 * rgb, fs=30))[0, 1] > 0.999999


@pytest.mark.parametrize("name", ["chrom", "pos", "lgi", "omit", "pbv"])
def test_a_change_of_brightness_ten_times_the_pulse_cancels(name):
    rgb, pulse = skin(72, light=0.1, noise=0.01)
    wave = signal.bandpass(getattr(signal, name)(rgb, fs=30), fs=30, band_hz=(0.7, 4))
    assert signal.snr_db(wave, fs=30, hr_bpm=72) > 10
    brightness = 1 + 0.1 * np.sin(2 * np.pi * 0.23 * np.arange(300) / 30 + 1)
    assert abs(np.corrcoef(getattr(signal, name)(rgb, fs=30), brightness)[0, 1]) < 0.2
    control = signal.green(rgb, fs=30)
    assert abs(np.corrcoef(control, brightness)[0, 1]) > 0.9         # green does not cancel it


def test_pos_is_the_sum_over_all_windows_divided_by_how_many_hold_a_frame():
    rgb, _ = skin(80, 4, noise=0.5)
    total, count = np.zeros(120), np.zeros(120)
    for start in range(120 - 48 + 1):
        window = rgb[start:start + 48] / rgb[start:start + 48].mean(0)
        x, y = window[:, 1] - window[:, 2], window[:, 1] + window[:, 2] - 2 * window[:, 0]
        h = x + x.std() / y.std() * y
        total[start:start + 48] += h - h.mean()
        count[start:start + 48] += 1
    np.testing.assert_allclose(signal.pos(rgb, fs=30), -total / count, atol=1e-12)


def test_chrom_divides_by_a_running_mean_and_mixes_by_the_mean_ratio_of_all_windows_that_hold_a_frame():
    rgb, _ = skin(80, 6, light=0.2, noise=0.5)
    starts = range(180 - 48 + 1)

    def shared(values):
        """Give each frame the mean of what the windows that hold it say."""
        return np.array([np.mean([value for start, value in zip(starts, values) if start <= frame < start + 48], axis=0)
                         for frame in range(180)])

    normal = rgb / shared([rgb[s:s + 48].mean(0) for s in starts])
    xy = np.stack([3 * normal[:, 0] - 2 * normal[:, 1], 1.5 * normal[:, 0] + normal[:, 1] - 1.5 * normal[:, 2]])
    x, y = signal.bandpass(xy, fs=30, band_hz=(0.65, 4.0))
    alpha = shared([x[s:s + 48].std() / y[s:s + 48].std() for s in starts])
    np.testing.assert_allclose(signal.chrom(rgb, fs=30), x - alpha * y, atol=1e-12)


def test_pbv_gives_the_weights_whose_output_correlates_with_the_channels_as_blood_does():
    rgb, _ = skin(80, noise=0.5)
    wave = signal.pbv(rgb, fs=30)
    found, blood = -wave @ (rgb / rgb.mean(0) - 1), np.array([0.33, 0.78, 0.53])
    np.testing.assert_allclose(found / np.linalg.norm(found), blood / np.linalg.norm(blood), atol=1e-6)


def test_one_strange_first_frame_tilts_the_fields_omit_and_not_ours():
    rgb, pulse = skin(72, light=0.05, noise=0.02)
    rgb[0] *= [1.3, 0.8, 1.0]
    ours, field = (signal.omit(rgb, fs=30, compatible=compatible)[1:] for compatible in (False, True))
    assert abs(np.corrcoef(ours, pulse[1:])[0, 1]) > 0.9 > 0.5 > abs(np.corrcoef(field, pulse[1:])[0, 1])


@pytest.mark.parametrize("light, noise", [(0.0, 0.1), (0.02, 0.1), (0.1, 0.01)])       # JADE turns the last one over
def test_the_independent_component_is_turned_systole_up_whatever_sign_it_came_with(light, noise):
    for seed in range(3):
        rgb, pulse = skin(65 + 20 * seed, 20, light=light, noise=noise, seed=seed)
        assert np.corrcoef(signal.ica(rgb, fs=30), pulse)[0, 1] > 0.5


def test_jade_turns_noise_as_all_nine_cumulant_matrices_want_it():
    """On few frames of noise nothing is truly independent, so the answer hangs on the weight of every matrix."""
    from rppg_lib.signal.methods.ica import jade
    x = np.random.default_rng(5).laplace(size=(3, 90))
    x -= x.mean(1, keepdims=True)
    ours, oracle = jade(x) @ x, field_equations.jade(x)
    similarity = abs(np.corrcoef(np.vstack([ours, oracle]))[:3, 3:])
    assert (similarity.max(1) > 1 - 1e-6).all() and len(set(similarity.argmax(1))) == 3


def test_jade_separates_three_independent_sources():
    rng = np.random.default_rng(0)
    t = np.arange(6000)
    sources = np.stack([np.sign(np.sin(0.05 * t)), rng.uniform(-1, 1, 6000), rng.laplace(size=6000)])
    mixed = rng.normal(size=(3, 3)) @ sources
    mixed -= mixed.mean(1, keepdims=True)
    from rppg_lib.signal.methods.ica import jade
    found = jade(mixed) @ mixed
    similarity = abs(np.corrcoef(np.vstack([sources, found]))[:3, 3:])
    assert (similarity.max(1) > 0.99).all() and len(set(similarity.argmax(1))) == 3


def test_pos_survives_frozen_frames_because_a_window_without_change_adds_nothing():
    rgb, _ = skin(72, 20, noise=0.1)
    rgb[200:300] = rgb[200]
    assert np.isfinite(signal.pos(rgb, fs=30)).all()
    assert np.isfinite(signal.chrom(rgb, fs=30)).all()


@pytest.mark.parametrize("noise, drift", [(0.3, 0.3), (1e-4, 0.0)])
def test_ten_minutes_stay_as_exact_as_ten_seconds(noise, drift):
    """Running sums lose digits on long traces; the middle of a long one must equal the same frames alone."""
    rng = np.random.default_rng(0)
    rgb = [130.0, 95.0, 75.0] + noise * rng.normal(size=(18000, 3))
    rgb *= 1 + drift * np.sin(np.linspace(0, 20, len(rgb)))[:, None]
    whole, alone = signal.pos(rgb, fs=30), signal.pos(rgb[15000:15300], fs=30)
    np.testing.assert_allclose(whole[15048:15252], alone[48:252], atol=1e-6 * np.ptp(alone))
