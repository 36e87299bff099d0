import numpy as np
import pytest

from rppg_lib.evaluation import bland_altman


def test_limits_of_agreement_are_bias_and_two_standard_deviations():
    rng = np.random.default_rng(0)
    x = rng.uniform(50, 120, 4000)
    agreement = bland_altman(x, x + rng.normal(2, 3, 4000))
    assert agreement.bias == pytest.approx(2, abs=0.15)
    assert agreement.low == pytest.approx(2 - 1.96 * 3, abs=0.25)
    assert agreement.high == pytest.approx(2 + 1.96 * 3, abs=0.25)
    assert agreement.bias_interval[0] < 2 < agreement.bias_interval[1]


def test_limits_of_agreement_of_two_people_by_hand():
    agreement = bland_altman([60, 70], [60, 72])                     # differences 0 and 2: mean 1, spread the root of 2
    assert (agreement.bias, agreement.low, agreement.high) == pytest.approx((1, 1 - 1.96 * 2**0.5, 1 + 1.96 * 2**0.5))
    assert list(agreement.mean_bpm) == [60, 71] and list(agreement.difference_bpm) == [0, 2]


def test_limits_of_agreement_draw_whole_subjects():
    rng = np.random.default_rng(0)
    offset = np.repeat(rng.normal(0, 3, 20), 30)
    x = rng.uniform(50, 120, 600)
    people, windows = (bland_altman(x, x + offset, subjects=who) for who in (np.repeat(np.arange(20), 30), None))
    assert np.diff(people.bias_interval) > 3 * np.diff(windows.bias_interval)
    with pytest.raises(ValueError, match=r"one subject per rate \(600\)"):
        bland_altman(x, x, subjects=["a", "b"])


def test_limits_of_agreement_need_finite_rates():
    with pytest.raises(ValueError, match="must be finite"):
        bland_altman([60, 70, np.nan], [60, 71, 72])
