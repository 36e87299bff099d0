import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, filtfilt

from rppg_lib import registry
from rppg_lib.evaluation import FIELD, FINE, METRICS, ReadOut, evaluate, score_waves, summarise
from rppg_lib.types import Clip, Pulse

READOUTS = [FINE, FIELD, ReadOut(read="peaks"), ReadOut(read="peaks", compatible=True)]


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


def test_rows_say_where_a_window_lies_in_its_recording():
    t = np.arange(600) / 30
    rgb = [130.0, 95.0, 75.0] * (1 - 0.01 * np.outer(np.sin(7 * t), [0.33, 0.77, 0.53]))
    rows = evaluate(["pos"], [Clip(id="late", fs=30, rgb=rgb, label=np.sin(7 * t), start_s=100.0)], window_s=5)
    assert list(rows.start_s) == [100, 105, 110, 115]


def test_quality_is_judged_in_the_band_of_the_readout():
    beat = np.sin(2 * np.pi * 0.4 * np.arange(1800) / 30)            # 24 bpm: no human heart
    wave = beat + 0.3 * np.random.default_rng(0).normal(size=1800)
    row, = scored(wave, beat, readout=ReadOut(band_hz=(0.25, 0.8)))
    assert row.hr_pred == pytest.approx(24, abs=0.5) and row.quality > 0.9


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
                "sd_se": e.std(ddof=1) / np.sqrt(2 * (n - 1)),
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
    assert 0.88 <= hits / 200 <= 0.98


def test_the_interval_is_as_wide_as_the_normal_distribution_has_it_for_many_subjects():
    offsets = np.random.default_rng(0).normal(10, 2, 80)
    line = summarise(rows_with_errors(np.repeat(offsets, 3), np.repeat(np.arange(80), 3)), resamples=4000).loc["m"]
    assert (line.mae_high - line.mae_low) / 2 == pytest.approx(1.96 * offsets.std() / np.sqrt(80), rel=0.06)


def test_the_fields_standard_error_ignores_that_windows_of_a_person_are_alike():
    rng = np.random.default_rng(0)
    e = 10 + np.repeat(rng.normal(0, 3, 25), 8)
    line = summarise(rows_with_errors(e, np.repeat(np.arange(25), 8))).loc["m"]
    assert (line.mae_high - line.mae_low) / (2 * 1.96) > 2 * line.mae_se


def test_one_subject_has_no_interval():
    line = summarise(rows_with_errors(np.arange(5.0), ["a"] * 5)).loc["m"]
    assert np.isnan(line.mae_low) and line.mae == 2


def test_one_window_has_no_standard_error():
    line = summarise(rows_with_errors([3.0])).loc["m"]
    assert line.mae == line.rmse == 3 and np.isnan([line[f"{name}_se"] for name in METRICS]).all()


def test_one_name_in_two_data_sets_is_two_subjects():
    rows = rows_with_errors(np.r_[np.zeros(10), np.full(10, 4.0)], ["1"] * 20).assign(dataset=["x"] * 10 + ["y"] * 10)
    line = summarise(rows).loc["m"]
    assert line.subjects == 2 and (line.mae_low, line.mae_high) == (0, 4)


def test_rows_without_a_subject_are_one_more_subject_and_not_a_crash():
    line = summarise(rows_with_errors([1.0, 2, 3, 4], ["a", "b", None, np.nan])).loc["m"]
    assert line.subjects == 3 and line.mae == 2.5


def test_a_missing_condition_is_a_group_and_loses_no_rows(tmp_path):
    evaluate(["pos"], [clip(60), clip(90, "b", condition="dark")]).to_csv(tmp_path / "rows.csv", index=False)
    table = summarise(pd.read_csv(tmp_path / "rows.csv"), by=["method", "condition"])
    assert table.n.sum() == 2 and len(table) == 2


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


def test_a_clip_that_fails_loses_all_its_windows_and_each_is_counted():
    dead = clip(70, "c", seconds=20)
    dead.rgb[:, 2] = 255.0
    rows = evaluate(["pos"], [clip(60), dead], window_s=5)
    line = summarise(rows).loc["pos"]
    assert (line.n, line.failed) == (4, 4)
    assert set(rows.start_s[rows.note != ""]) == {0, 5, 10, 15}


def test_an_estimate_at_another_rate_than_the_clip_is_refused():
    class Slow:
        name, cites = "slow", ""

        def predict(self, clip):
            return Pulse(wave=clip.label, fs=25)
    (note,) = evaluate([Slow()], [clip(60)]).note
    assert "at 25 fps for 600 frames at 30 fps" in note


@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.label)
def test_a_bad_window_does_not_take_its_neighbours_with_it(readout):
    class Stuck:
        name, cites = "stuck", ""

        def predict(self, clip):
            wave = clip.label.copy()
            wave[150:300] = wave[150]
            return Pulse(wave=wave, fs=clip.fs)
    rows = evaluate([Stuck()], [clip(60)], window_s=5, readout=readout)
    assert list(rows.hr_pred.isna()) == [False, True, False, False]
    assert "estimate: 1 of 1 waves are constant" in rows.note[1] and list(rows.note[[0, 2, 3]]) == [""] * 3


def scored(wave, label, **options):
    return score_waves("m", wave, label, fs=30, where={"clip_id": "a", "subject": "s"}, **options)


@pytest.mark.parametrize("readout", READOUTS, ids=lambda readout: readout.label)
@pytest.mark.parametrize("value", [0.0, 0.1, 255.0])
@pytest.mark.parametrize("which", ["estimate", "label"])
def test_a_flat_line_has_no_rate_even_after_a_filter_made_ripples_of_it(which, value, readout):
    beat, flat = clip(70).label, np.full(600, value)
    row, = scored(*((flat, beat) if which == "estimate" else (beat, flat)), readout=readout)
    assert np.isnan([row.hr_true, row.hr_pred, row.snr_db, row.macc]).all()
    assert row.note.startswith(f"{which}: 1 of 1 waves are constant")


def test_an_estimate_of_another_length_is_an_error_and_not_cut_to_fit():
    class Short:
        name, cites = "short", ""

        def predict(self, clip):
            return Pulse(wave=clip.label[:-1], fs=clip.fs)
    note = evaluate([Short()], [clip(60)]).note[0]
    assert note == "short: must return one value per frame, returned 599 at 30 fps for 600 frames at 30 fps."
    with pytest.raises(ValueError, match="got 599 and 600"):
        scored(clip(60).label[1:], clip(60).label)


@pytest.mark.parametrize("fs", [17.886443221610804, 20, 29.97, 66.26813406703351])
def test_the_field_reads_a_last_window_of_nine_frames_at_any_frame_rate(fs):
    frames = round(10 * fs)
    beat = np.sin(2 * np.pi * 1.1 * np.arange(frames + 9) / fs)
    rows = score_waves("m", beat, beat, fs=fs, where={"clip_id": "a", "subject": "s"}, window_s=10, readout=FIELD)
    assert [round(row.seconds * fs) for row in rows] == [frames, 9]
    coarse = fs / 16 > 3.3                                           # no point of 16 lies in the band: nothing to read
    assert np.isnan(rows[1].hr_pred) == coarse
    assert ("has no point between 0.6 and 3.3 Hz" in rows[1].note) == coarse


@pytest.mark.parametrize("frames", [309, 345])
def test_a_last_window_with_too_few_peaks_is_named_among_the_unread(frames):
    beat = np.sin(np.arange(frames) / 4)
    rows = scored(beat + 0.01 * np.cos(np.arange(frames)), beat, window_s=10, readout=replace(FIELD, read="peaks"))
    assert rows[0].note == "" and "Use a longer window" in rows[1].note
    assert np.isnan(rows[1].hr_pred) and np.isnan(rows[1].snr_db)


def test_a_gap_changes_nothing_in_windows_that_do_not_hold_it():
    t = np.arange(1800) / 30
    rng = np.random.default_rng(0)
    label = np.sin(2 * np.pi * 1.2 * t)
    wave = label + 0.5 * rng.normal(size=1800) + 30 * np.sin(2 * np.pi * 0.05 * t)       # a drift to be filtered away
    holed = wave.copy()
    holed[[620, 640]] = np.nan, np.inf
    whole, gap = (scored(x, label, window_s=10) for x in (wave, holed))
    assert [np.isnan(row.hr_pred) for row in gap] == [False, False, True, False, False, False]
    assert min(row.macc for row in whole) > 0.8                      # the drift was filtered away
    for a, b in zip(whole, gap):
        if b.note == "":
            assert (b.hr_pred, b.macc, b.snr_db) == pytest.approx((a.hr_pred, a.macc, a.snr_db), abs=0.1)


@pytest.mark.parametrize("fs", [29.97, 30.05])
def test_windows_of_five_seconds_have_a_quality_at_any_frame_rate(fs):
    beat = np.sin(2 * np.pi * 1.2 * np.arange(600) / fs)
    rows = score_waves("m", beat, beat, fs=fs, where={"clip_id": "a", "subject": "s"}, window_s=5)
    assert min(row.quality for row in rows) > 0.9


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


def test_every_registered_method_can_be_evaluated():
    rows = evaluate(list(registry.available("method")), [clip(75)])
    assert (abs(rows.hr_pred - 75) < 1).all()


def test_two_methods_of_one_name_are_refused_instead_of_mixed():
    with pytest.raises(ValueError, match="two methods are called pos"):
        evaluate(["pos", registry.build("pos", window_s=3.0)], [clip(60)])
    longer = dataclasses.replace(registry.build("pos", window_s=3.0), name="pos 3 s")
    assert set(evaluate(["pos", longer], [clip(60)]).method) == {"pos", "pos 3 s"}


@pytest.mark.parametrize("outcome, note", [(ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
                                           (np.zeros(600), "must return a Pulse, returned ndarray"),
                                           (None, "must return a Pulse, returned NoneType")])
def test_one_broken_method_does_not_take_the_others_with_it(outcome, note):
    class Broken:
        name, cites = "broken", ""

        def predict(self, clip):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
    rows = evaluate([Broken(), "pos"], [clip(60)])
    assert list(rows.method) == ["broken", "pos"] and note in rows.note[0] and rows.hr_pred.notna()[1]


def test_one_name_and_one_clip_need_no_list():
    assert len(evaluate("pos", clip(60))) == 1
    with pytest.raises(TypeError, match="is no estimator"):
        evaluate([len], [clip(60)])


def test_waves_are_followed_in_place_and_not_over_shifts():
    t = np.arange(900) / 30
    label = np.sin(2 * np.pi * 1.2 * t) + 0.3 * np.sin(2 * np.pi * 2.4 * t + 1) + 0.05 * t         # and a drift
    b, a = butter(1, [0.75, 2.5], "bandpass", fs=30)
    band = filtfilt(b, a, label)
    for wave in (label, band, np.roll(label, 8), -label):
        row, = scored(wave, label)
        assert row.r_wave == pytest.approx(np.corrcoef(wave, label)[0, 1], abs=1e-9)
        assert row.r_band == pytest.approx(np.corrcoef(wave, band)[0, 1], abs=1e-3)  # how ends are padded differs
    late, = scored(np.roll(label, 8), label)
    assert late.macc > 0.98 and late.r_band < 0.1                    # a third of a beat later


def test_each_window_is_followed_by_itself_and_a_gap_spoils_its_own_only():
    rng = np.random.default_rng(0)
    label = np.sin(2 * np.pi * 1.2 * np.arange(900) / 30)
    wave = label + rng.normal(size=900) * np.repeat([0.1, 1, 3], 300)
    holed = wave.copy()
    holed[450] = np.nan
    whole, gap = (scored(x, label, window_s=10) for x in (wave, holed))
    r = [np.corrcoef(wave[cut], label[cut])[0, 1] for cut in (slice(300), slice(300, 600), slice(600, 900))]
    assert [row.r_wave for row in whole] == pytest.approx(r)
    assert np.isnan(gap[1].r_wave) and [gap[0].r_wave, gap[2].r_wave] == pytest.approx(r[::2])


def test_a_flat_estimate_has_no_rate_and_follows_nothing():
    row, = scored(np.ones(600), np.sin(np.arange(600) / 4))
    assert np.isnan(row.hr_pred) and row.r_band == row.r_wave == 0
