import numpy as np
import pandas as pd
import pytest

from rppg_lib import registry
from rppg_lib.evaluation import METRICS, ReadOut, bland_altman, evaluate, summarise
from rppg_lib.types import Clip, Pulse


def clip(bpm, subject="a", seconds=20, condition=""):
    t = np.arange(round(seconds * 30)) / 30
    beat = np.sin(2 * np.pi * bpm / 60 * t)
    rgb = [130.0, 95.0, 75.0] * (1 - 0.01 * np.outer(beat, [0.33, 0.77, 0.53]))
    return Clip(id=f"{subject}-{bpm}", subject=subject, fs=30, rgb=rgb, label=beat, condition=condition)


class Off:
    """An estimator that returns the label's rate plus a known error."""

    name, cites = "off", "none"

    def __init__(self, by):
        self.by = by

    def predict(self, clip):
        bpm = float(clip.id.split("-")[1]) + self.by[clip.id]
        return Pulse(wave=np.sin(2 * np.pi * bpm / 60 * np.arange(len(clip)) / clip.fs), fs=clip.fs)


def rows_with_errors(errors, subjects=None):
    """Return rows whose true rates are 60, 61 ... and whose errors are given."""
    n = len(errors)
    true = 60.0 + np.arange(n)
    return pd.DataFrame({"method": "m", "hr_true": true, "hr_pred": true + errors, "snr_db": 1.0, "macc": 0.5,
                         "subject": subjects if subjects is not None else [str(i) for i in range(n)]})


def test_one_row_per_method_clip_and_window():
    rows = evaluate(["pos", "chrom"], [clip(60), clip(90, "b")], window_s=5, step_s=5)
    assert len(rows) == 2 * 2 * 4
    assert set(rows.start_s) == {0, 5, 10, 15} and set(rows.seconds) == {5}
    assert abs(rows.hr_pred - rows.hr_true).max() < 1.5


def test_known_errors_come_out_as_known_metrics():
    errors = {"a-60": 3.0, "b-90": -4.0}
    line = summarise(evaluate([Off(errors)], [clip(60), clip(90, "b")])).loc["off"]
    assert line.mae == pytest.approx(3.5, abs=0.05)
    assert line.rmse == pytest.approx(np.sqrt(12.5), abs=0.05)
    assert line.mape == pytest.approx(100 * (3 / 60 + 4 / 90) / 2, abs=0.1)
    assert line.n == 2 and line.failed == 0 and line.subjects == 2


def test_every_metric_and_its_standard_error_equal_plain_formulas():
    e = np.random.default_rng(0).normal(1, 4, 50)
    rows = rows_with_errors(e)
    rows["snr_db"], rows["macc"] = np.random.default_rng(1).normal(size=(2, 50))
    line = summarise(rows).loc["m"]
    x, y, n = rows.hr_true, rows.hr_pred, 50
    r = np.corrcoef(x, y)[0, 1]
    expected = {"mae": abs(e).mean(), "rmse": np.sqrt((e**2).mean()), "mape": (abs(e) / x).mean() * 100, "r": r,
                "sd": e.std(ddof=1), "snr_db": rows.snr_db.mean(), "macc": rows.macc.mean(),
                "mae_se": np.std(abs(e)) / np.sqrt(n), "rmse_se": np.sqrt(np.std(e**2) / np.sqrt(n)),
                "mape_se": np.std(abs(e) / x * 100) / np.sqrt(n), "r_se": np.sqrt((1 - r**2) / (n - 2)),
                "snr_db_se": np.std(rows.snr_db) / np.sqrt(n), "macc_se": np.std(rows.macc) / np.sqrt(n)}
    for name, value in expected.items():
        assert line[name] == pytest.approx(value, rel=1e-9), name


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        offsets = rng.normal(0, 3, 25)                               # each person has an error of her own ...
        e = np.repeat(offsets, 8) + rng.normal(0, 0.5, 200)          # ... and her windows are alike
        line = summarise(rows_with_errors(10 + e, np.repeat(np.arange(25), 8)), resamples=400, seed=trial).loc["m"]
        hits += line.mae_low <= 10 <= line.mae_high
    assert 0.86 <= hits / 200 <= 0.99


def test_the_fields_standard_error_ignores_that_windows_of_a_person_are_alike():
    rng = np.random.default_rng(0)
    e = 10 + np.repeat(rng.normal(0, 3, 25), 8)
    line = summarise(rows_with_errors(e, np.repeat(np.arange(25), 8))).loc["m"]
    assert (line.mae_high - line.mae_low) / (2 * 1.96) > 2 * line.mae_se


def test_one_subject_has_no_interval():
    line = summarise(rows_with_errors(np.arange(5.0), ["a"] * 5)).loc["m"]
    assert np.isnan(line.mae_low) and line.mae == 2


def test_equal_rates_have_no_correlation_instead_of_a_made_up_one():
    rows = rows_with_errors(np.zeros(4))
    rows["hr_true"] = rows["hr_pred"] = 72.3
    assert np.isnan(summarise(rows).loc["m", "r"])


def test_a_clip_that_fails_is_counted_and_named_and_moves_no_number():
    dead = clip(70, "c")
    dead.rgb[:, 2] = 255.0
    rows = evaluate(["pos"], [clip(60), dead, clip(90, "b")])
    line = summarise(rows).loc["pos"]
    assert (line.n, line.failed) == (2, 1) and line.mae < 0.5
    assert "channel B never changes" in rows.note[1] and rows.clip_id[1] == "c-70"


def test_a_bad_window_does_not_take_its_neighbours_with_it():
    class Stuck:
        name, cites = "stuck", ""

        def predict(self, clip):
            wave = clip.label.copy()
            wave[150:300] = wave[150]
            return Pulse(wave=wave, fs=clip.fs)
    rows = evaluate([Stuck()], [clip(60)], window_s=5, readout=ReadOut(compatible=True, read="peaks"))
    assert len(rows) == 4


def test_groups_keep_their_order_and_both_names():
    rows = evaluate(["pos", "green"], [clip(60, condition="z"), clip(90, "b", condition="a")])
    table = summarise(rows, by=["method", "condition"])
    assert list(table.index) == [("pos", "z"), ("green", "z"), ("pos", "a"), ("green", "a")]
    assert set(METRICS) <= set(table.columns)


@pytest.mark.parametrize("call, message", [
    (lambda: evaluate([], [clip(60)]), "at least one method"),
    (lambda: evaluate(["pos"], []), "at least one clip"),
    (lambda: evaluate(["poss"], [clip(60)]), "Did you mean 'pos'"),
    (lambda: evaluate(["pos"], [Clip(fs=30, rgb=clip(60).rgb)]), "has no label"),
    (lambda: summarise(rows_with_errors([1.0]), by="scene"), "no column 'scene'"),
])
def test_wrong_calls_are_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_everything_registered_can_be_evaluated():
    rows = evaluate(list(registry.available()), [clip(75)])
    assert (abs(rows.hr_pred - 75) < 1).all()


def test_limits_of_agreement_are_bias_and_two_standard_deviations():
    rng = np.random.default_rng(0)
    x = rng.uniform(50, 120, 4000)
    agreement = bland_altman(x, x + rng.normal(2, 3, 4000))
    assert agreement.bias == pytest.approx(2, abs=0.15)
    assert agreement.low == pytest.approx(2 - 1.96 * 3, abs=0.25) and agreement.high == pytest.approx(2 + 1.96 * 3, abs=0.25)
    assert agreement.bias_interval[0] < 2 < agreement.bias_interval[1]


def test_limits_of_agreement_need_finite_rates():
    with pytest.raises(ValueError, match="must be finite"):
        bland_altman([60, 70, np.nan], [60, 71, 72])
