"""Losses on the spectrum: against SciPy and the library's own spectrum, and what they do not mind."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import periodogram

from rppg_lib import signal
from rppg_lib.losses import label_distribution, power_spectrum, snr_loss, soft_rate, spectral_cross_entropy
from rppg_lib.simulate import person, pulse

from .waves import FS, LOSSES, RATES, noise, sines

SPECTRAL = {name: LOSSES[name] for name in ("cross_entropy", "cross_entropy_field", "label_distribution", "snr_loss")}


@pytest.fixture(params=SPECTRAL, ids=str)
def loss(request):
    return SPECTRAL[request.param]


@pytest.fixture(scope="module")
def pulses():
    """200 simulated pulses of 160 frames at 30 fps."""
    rates = np.linspace(45, 150, 200)
    return torch.tensor(np.array([pulse(person(k, hr_bpm=bpm), seconds=160 / FS, fs=FS, seed=k).wave
                                  for k, bpm in enumerate(rates)]))


def test_the_spectrum_is_the_librarys_at_the_same_frequencies():
    wave = noise(4, 160) + 3
    freq, power = signal.power_spectrum(wave.numpy(), fs=FS)
    band = (freq > 0.6) & (freq < 4)
    ours = power_spectrum(wave, fs=FS, bpm=torch.tensor(60 * freq[band]))
    np.testing.assert_allclose(ours.numpy(), power[:, band], rtol=1e-9, atol=1e-9)


def test_the_spectrum_is_scipys_periodogram_but_for_a_factor():
    wave = noise(4, 160)
    taper = np.hanning(162)[1:-1]
    centred = wave.numpy() - np.average(wave.numpy(), axis=-1, weights=taper)[:, None]
    freq, power = periodogram(centred, fs=FS, window=taper, nfft=1600, detrend=False)
    band = (freq > 0.6) & (freq < 4)
    ratio = power_spectrum(wave, fs=FS, bpm=torch.tensor(60 * freq[band])).numpy() / power[:, band]
    assert ratio.min() == pytest.approx(ratio.max(), rel=1e-9)


@pytest.mark.parametrize("bpm", [45, 72, 110, 170])
def test_the_highest_power_is_at_the_rate(bpm):
    assert 40 + power_spectrum(sines([bpm], frames=300), fs=FS).argmax().item() == bpm


def test_a_long_clip_keeps_its_rate_in_single_precision():
    wave = sines([172.0], frames=20_000, dtype=torch.float32)
    assert 40 + power_spectrum(wave, fs=FS).argmax().item() == 172


def test_scale_offset_and_lag_do_not_matter(loss):
    value = loss(sines(frames=600), RATES)
    torch.testing.assert_close(loss(20 * sines(frames=600) + 5, RATES), value, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(loss(-sines(frames=600), RATES), value, rtol=1e-6, atol=1e-6)
    late = loss(sines(frames=600, lag_s=0.2), RATES)               # the taper leaves a trace of where the clip was cut
    assert (late - value).abs().max() < 0.05 * value.abs().max()


def test_the_right_rate_scores_better_than_a_wrong_one_and_than_noise(loss):
    right, wrong, none = loss(sines(), RATES), loss(sines(RATES + 25), RATES), loss(noise(3, 160), RATES)
    assert (right < wrong).all() and (right < none).all()


def test_label_waves_stand_for_their_rates(loss):
    waves, pred = sines(frames=300), noise(3, 300)
    torch.testing.assert_close(loss(pred, waves), loss(pred, RATES.double()), rtol=1e-6, atol=1e-6)


def test_no_slope_reaches_the_label(loss):
    target = sines().requires_grad_()
    loss(noise(3, 160).requires_grad_(), target).sum().backward()
    assert target.grad is None


def test_rates_of_another_number_of_clips_are_refused(loss):
    with pytest.raises(ValueError, match=r"or rates in bpm \(B,\) for B = 3 clips, got \(2,\)"):
        loss(noise(3, 160), RATES[:2])


@pytest.mark.parametrize("name", ["spectral_cross_entropy", "label_distribution"])
def test_an_unknown_form_is_refused(name):
    function = {"spectral_cross_entropy": spectral_cross_entropy, "label_distribution": label_distribution}[name]
    with pytest.raises(ValueError, match=f"{name}: form must be 'log' or 'field', got 'soft'"):
        function(sines(), RATES, fs=FS, form="soft")


def test_the_log_form_is_minus_the_log_of_the_share_of_power_at_the_rate():
    waves = sines() + 0.5 * noise(3, 160)
    power = power_spectrum(waves, fs=FS).numpy()
    expected = [-math.log(row[int(bpm) - 40] / row.sum()) for row, bpm in zip(power, RATES)]
    assert spectral_cross_entropy(waves, RATES, fs=FS).numpy() == pytest.approx(expected, rel=1e-4)


def test_the_fields_form_cannot_come_below_its_floor_and_a_sharp_peak_comes_near_it():
    # All power in the right one of K bins: -log(e / (e + K - 1)); for the field's 140 bins that is 3.95 nats.
    assert math.log(1 + 139 / math.e) == pytest.approx(3.954, abs=1e-3)
    floor = math.log(1 + 140 / math.e)
    short, long = (spectral_cross_entropy(sines(frames=n), RATES, fs=FS, form="field") for n in (160, 6000))
    assert (short > long).all() and (long > floor).all() and (long < floor + 0.5).all()
    assert (spectral_cross_entropy(sines(frames=6000), RATES, fs=FS) < 0.8).all()          # the log form goes on down


def test_a_constant_knows_nothing():
    constant = torch.zeros(3, 160)
    for form in ("log", "field"):
        assert spectral_cross_entropy(constant, RATES, fs=FS, form=form).numpy() == pytest.approx(math.log(141))
    assert snr_loss(constant, RATES, fs=FS).numpy() == pytest.approx(0)


def test_label_distribution_is_the_divergence_from_a_bell_curve():
    waves, grid = sines() + 0.5 * noise(3, 160), np.arange(40, 181)
    power = power_spectrum(waves, fs=FS).numpy()
    for sigma in (1.0, 3.0):
        expected = []
        for row, bpm in zip(power, RATES.numpy()):
            bell = np.exp(-((grid - bpm) / sigma) ** 2 / 2)
            bell /= bell.sum()
            held = bell > 0
            expected.append((bell[held] * np.log(bell[held] / (row / row.sum())[held])).sum())
        ours = label_distribution(waves, RATES, fs=FS, sigma_bpm=sigma)
        assert ours.numpy() == pytest.approx(expected, rel=1e-4) and (ours > 0).all()


def test_a_rate_beyond_the_grid_counts_as_its_end():
    waves = sines([180.0])
    for loss in (spectral_cross_entropy, label_distribution):
        assert loss(waves, torch.tensor([200.0]), fs=FS) == loss(waves, torch.tensor([180.0]), fs=FS)


def test_snr_loss_is_minus_the_librarys_ratio():
    waves = sines(frames=900) + noise(3, 900)
    expected = signal.snr_db(waves.numpy(), fs=FS, hr_bpm=RATES.numpy(), width_hz=0.1)
    assert -snr_loss(waves, RATES, fs=FS).numpy() == pytest.approx(expected, abs=0.4)      # another grid in the band


def test_snr_loss_counts_the_first_harmonic_as_signal_and_the_second_as_noise():
    t = torch.arange(900, dtype=torch.float64) / FS
    beat, first, second = (torch.sin(2 * torch.pi * k * 1.2 * t)[None] for k in (1, 2, 3))
    rate = torch.tensor([72.0])
    alone, with_first, with_second = (snr_loss(beat + other, rate, fs=FS) for other in (0 * beat, first, second))
    assert with_first < -30 and alone < -30 and with_second == pytest.approx(0, abs=0.1)


def test_the_soft_rate_is_the_peak_within_0_3_bpm_on_200_simulated_pulses(pulses):
    grid = torch.arange(40, 180.5, 0.5, dtype=torch.float64)
    peak = grid[power_spectrum(pulses, fs=FS, bpm=grid).argmax(-1)]
    for waves in (pulses, pulses.float()):
        assert (soft_rate(waves, fs=FS) - peak).abs().max() < 0.3


def test_the_soft_rate_has_a_slope_that_is_finite_and_not_zero_on_every_pulse(pulses):
    waves = pulses.clone().requires_grad_()
    soft_rate(waves, fs=FS).sum().backward()
    assert waves.grad.isfinite().all() and (waves.grad.norm(dim=-1) > 1e-3).all()


def test_the_slope_of_the_soft_rate_is_that_of_finite_differences():
    wave = (sines(frames=60) + 0.2 * noise(3, 60)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_rate(x, fs=FS, step_bpm=2.0), wave)


def test_the_soft_rate_minds_neither_scale_nor_offset(pulses):
    torch.testing.assert_close(soft_rate(30 * pulses - 4, fs=FS), soft_rate(pulses, fs=FS), rtol=0, atol=0.01)


def test_a_high_temperature_reads_the_middle_of_the_band():
    assert soft_rate(sines([50.0]), fs=FS, temperature=100.0).item() == pytest.approx(110, abs=1)


def test_following_the_soft_rate_moves_a_near_rate_to_the_true_one():
    turn = torch.tensor([78.0], dtype=torch.float64, requires_grad=True)          # one number learns: the rate
    t = torch.arange(160, dtype=torch.float64) / FS
    steps = torch.optim.Adam([turn], lr=0.3)
    for _ in range(60):
        steps.zero_grad()
        (soft_rate(torch.sin(2 * torch.pi * turn[:, None] / 60 * t), fs=FS) - 72).square().sum().backward()
        steps.step()
    assert turn.item() == pytest.approx(72, abs=0.5)


@pytest.mark.parametrize("call, message", [
    (lambda: power_spectrum(sines(), fs=0), "power_spectrum: fs must be a positive number"),
    (lambda: soft_rate(sines(), fs=FS, temperature=0), "soft_rate: temperature must be a positive number, got 0"),
    (lambda: soft_rate(sines(), fs=FS, step_bpm=-1), "soft_rate: step_bpm must be a positive number, got -1"),
    (lambda: label_distribution(sines(), RATES, fs=FS, sigma_bpm=0), "label_distribution: sigma_bpm must be"),
    (lambda: snr_loss(sines(), RATES, fs=FS, width_bpm=math.nan), "snr_loss: width_bpm must be a positive number"),
    (lambda: soft_rate(sines()[0], fs=FS), r"soft_rate: wave must have shape \(B, T\)"),
])
def test_a_setting_that_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
