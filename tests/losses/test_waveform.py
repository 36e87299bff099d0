"""Losses that compare waves frame by frame: against NumPy, and what they do not mind."""

import numpy as np
import pytest
import torch

from rppg_lib.losses import mse, negative_pearson, standardise

from .waves import noise, sines


def test_negative_pearson_is_one_minus_numpys_correlation_of_each_clip():
    pred, target = noise(5, 90), noise(5, 90, seed=1)
    expected = [1 - np.corrcoef(a, b)[0, 1] for a, b in zip(pred.numpy(), target.numpy())]
    assert negative_pearson(pred, target).numpy() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
def test_negative_pearson_minds_neither_scale_nor_offset(scale):
    pred, target = sines(lag_s=0.1), sines()
    torch.testing.assert_close(negative_pearson(scale * pred - 7, 3 * target + 2), negative_pearson(pred, target),
                               rtol=0, atol=2e-6)


@pytest.mark.parametrize("lag_beats, expected", [(0, 0), (1 / 8, 1 - 0.5**0.5), (1 / 4, 1), (1 / 2, 2), (1, 0)])
def test_negative_pearson_of_a_late_sine_is_one_minus_the_cosine_of_the_lag(lag_beats, expected):
    pred, target = sines([60], frames=300, lag_s=lag_beats), sines([60], frames=300)       # ten whole beats
    assert negative_pearson(pred, target).item() == pytest.approx(expected, abs=1e-6)


def test_a_constant_prediction_correlates_with_nothing():
    assert negative_pearson(torch.full((3, 160), 2.0), sines()).numpy() == pytest.approx(1)


def test_the_slope_of_negative_pearson_pushes_towards_the_label():
    pred = torch.zeros(3, 160, dtype=torch.float64, requires_grad=True)
    negative_pearson(pred, sines()).sum().backward()
    assert negative_pearson(-pred.grad, sines()).max() < 1e-3


def test_mse_is_the_mean_square_and_minds_scale_and_offset():
    target = sines([60], frames=300)
    assert mse(target + 2, target).item() == pytest.approx(4)
    assert mse(3 * target, target).item() == pytest.approx(4)              # (3 - 1)^2, of variance 1


def test_a_standardised_wave_has_mean_0_and_deviation_1():
    wave = standardise(5 * noise(4, 200) + 3)
    assert wave.mean(-1).numpy() == pytest.approx(0, abs=1e-12)
    assert wave.std(-1, correction=0).numpy() == pytest.approx(1, abs=1e-8)
