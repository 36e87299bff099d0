"""Errors by group, and what refusing buys: against loops over windows, and with answers that were put in."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rppg_lib.evaluation import bland_altman, errors_by_group, risk_coverage, summarise

from .people import chance_rows, made_rows, shuffled


def judged(*, seed=0, people=8, windows=5, noise=0.3):
    """Return rows of one method whose quality falls as the error grows, more or less."""
    rows = chance_rows(people, ["pos"], seed=seed, windows=windows)
    error = abs(rows.hr_pred - rows.hr_true)
    return rows.assign(quality=1 / (1 + error) + np.random.default_rng(seed).normal(0, noise, len(rows)))


def by_loop(error, quality, kept):
    """Return the mean error of the ``kept`` windows of highest quality."""
    best = sorted(range(len(error)), key=lambda i: -quality[i])[:kept]
    return sum(error[i] for i in best) / kept


def test_what_remains_is_the_mean_of_the_best_windows_at_every_coverage():
    rows = judged()
    error, n = list(abs(rows.hr_pred - rows.hr_true)), len(rows)
    curve = risk_coverage(rows, coverages=np.arange(1, n + 1) / n)
    np.testing.assert_allclose(curve.error, [by_loop(error, rows.quality, k) for k in range(1, n + 1)])
    np.testing.assert_allclose(curve.oracle, [by_loop(error, -np.array(error), k) for k in range(1, n + 1)])
    assert curve.random == pytest.approx(np.mean(error)) == curve.error[-1]
    assert (curve.oracle <= curve.error + 1e-12).all()
    assert (curve.windows, curve.unread, curve.unjudged, curve.people, curve.readable) == (40, 0, 0, 8, 1)


def test_the_worst_tenth_is_refused_by_keeping_nine_tenths():
    rows = judged(people=10, windows=2)
    kept = rows.nlargest(18, "quality")
    expected = abs(kept.hr_pred - kept.hr_true).mean()
    assert risk_coverage(rows, coverages=[0.9]).error == pytest.approx([expected])
    whole = risk_coverage(rows)
    assert whole.error[whole.coverage == 0.9] == pytest.approx([expected])


def test_random_refusal_has_the_error_that_refusing_by_chance_has_on_average():
    rows = judged()
    error = abs(rows.hr_pred - rows.hr_true).to_numpy()
    rng = np.random.default_rng(0)
    means = [rng.permutation(error)[:12].mean() for _ in range(4000)]
    assert risk_coverage(rows).random == pytest.approx(np.mean(means), abs=4 * np.std(means) / np.sqrt(4000))


def test_windows_of_equal_quality_are_kept_as_their_average_over_all_orders():
    rows = judged(people=3, windows=2).assign(quality=[0.9, 0.5, 0.5, 0.5, 0.1, 0.1])
    error, rng = abs(rows.hr_pred - rows.hr_true).to_numpy(), np.random.default_rng(0)
    found = risk_coverage(rows, coverages=np.arange(1, 7) / 6).error
    orders = [rng.permutation(6) for _ in range(6000)]
    for k in range(1, 7):
        means = [by_loop(error[i], rows.quality.to_numpy()[i], k) for i in orders]
        assert found[k - 1] == pytest.approx(np.mean(means), abs=5 * np.std(means) / np.sqrt(6000) + 1e-9)


def test_a_quality_that_says_nothing_gains_nothing_and_a_perfect_one_everything():
    rows = judged()
    error = abs(rows.hr_pred - rows.hr_true)
    same, perfect, wrong = (risk_coverage(rows.assign(quality=q)) for q in (0.7, -error, error))
    assert same.gain == pytest.approx(0, abs=1e-12) and np.ptp(same.error) < 1e-9
    assert perfect.gain == 1 and perfect.gain_interval == pytest.approx((1, 1))
    assert wrong.gain < -0.5 and wrong.gain_interval[1] < 0


def test_the_area_is_the_mean_of_the_curve_and_the_gain_its_place_between_chance_and_oracle():
    rows = judged(people=20, windows=20)
    fine = risk_coverage(rows, coverages=(np.arange(4000) + 0.5) / 4000, resamples=2)
    assert fine.area == pytest.approx(fine.error.mean(), rel=0.01)
    assert fine.gain == pytest.approx((fine.random - fine.error.mean()) / (fine.random - fine.oracle.mean()), abs=0.01)


def test_what_could_not_be_read_is_coverage_lost_and_never_an_error_of_nought():
    rows = judged(windows=5)
    gone = rows.quality.rank() <= 10                                 # a method that refuses what it is unsure of
    refused = rows.assign(hr_pred=rows.hr_pred.mask(gone), quality=rows.quality.mask(gone))
    whole, curve = risk_coverage(rows), risk_coverage(refused)
    assert (curve.readable, curve.unread, curve.windows) == (0.75, 10, 40)
    within = curve.coverage <= 0.75
    np.testing.assert_allclose(curve.error[within], whole.error[within])     # refusing first or later is the same
    assert np.isnan(curve.error[~within]).all() and np.isnan(curve.high[~within]).all()
    read = refused[refused.hr_pred.notna()]
    assert curve.random == pytest.approx(summarise(read).mae.iloc[0]) == curve.error[within][-1]


def test_a_reading_without_a_quality_is_refused_first():
    rows = judged()
    rows.loc[3, "quality"] = np.nan
    curve = risk_coverage(rows, coverages=[39 / 40, 1])
    error = abs(rows.hr_pred - rows.hr_true)
    assert curve.unjudged == 1 and curve.error == pytest.approx([error.drop(3).mean(), error.mean()])


def test_intervals_of_what_remains_come_from_drawing_people():
    rows = judged(people=12)
    curve = risk_coverage(rows, coverages=[0.5, 1.0])
    rng, drawn = np.random.default_rng(5), []
    groups = [some for _, some in rows.groupby("subject")]
    for _ in range(400):
        some = pd.concat([groups[i] for i in rng.integers(0, 12, 12)])
        error, n = abs(some.hr_pred - some.hr_true).to_numpy(), len(some)
        drawn.append([by_loop(error, some.quality.to_numpy(), n // 2), error.mean()])
    np.testing.assert_allclose([curve.low, curve.high], np.percentile(drawn, [2.5, 97.5], axis=0), rtol=0.15)
    assert curve.area_interval[0] < curve.area < curve.area_interval[1]
    alone = risk_coverage(rows[rows.subject == "s0"])
    assert np.isfinite(alone.error).all() and np.isnan(alone.low).all() and np.isnan(alone.gain_interval).all()


def test_curves_do_not_depend_on_the_order_of_rows():
    rows = judged()
    one, other = risk_coverage(rows), risk_coverage(shuffled(rows))
    for name in ("error", "low", "high", "area_interval", "gain_interval"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("change, options, said", [
    (lambda rows: pd.concat([rows, rows.assign(method="chrom")]), {}, "rows of one method, got 'chrom', 'pos'"),
    (lambda rows: rows.assign(hr_pred=np.nan), {}, "'pos' could read none of 40 windows"),
    (lambda rows: rows.drop(columns="quality"), {}, "rows have no column 'quality'"),
    (lambda rows: rows, {"coverages": [0, 0.5]}, "shares above 0, up to 1"),
    (lambda rows: rows, {"coverages": []}, "shares above 0, up to 1"),
])
def test_a_curve_that_cannot_be_drawn_is_one_clear_error(change, options, said):
    with pytest.raises(ValueError, match=f"risk_coverage: .*{said}"):
        risk_coverage(change(judged()), **options)


TONES = ["I", "III", "VI"]


def toned(people=15, *, planted=0.0, seed=0):
    """Return rows and facts: every third person has tone VI, whose error is larger by ``planted``."""
    rows = chance_rows(people, ["pos"], seed=seed)
    tone = [TONES[k % 3] for k in range(people)]
    facts = pd.DataFrame({"clip_id": [f"clip {k}" for k in range(people)], "tone": tone})
    dark = rows.clip_id.isin(facts.clip_id[facts.tone == "VI"])
    return rows.assign(hr_pred=rows.hr_pred + planted * dark * np.sign(rows.hr_pred - rows.hr_true)), facts


def test_each_group_has_the_summary_of_its_own_windows():
    rows, facts = toned()
    found = errors_by_group(rows, facts, by="tone")
    assert list(found.table.index) == [("pos", tone) for tone in TONES] and found.by == "tone"
    for tone in TONES:
        own = rows[rows.clip_id.isin(facts.clip_id[facts.tone == tone])]
        line = found.table.loc[("pos", tone)]
        assert line.mae == pytest.approx(abs(own.hr_pred - own.hr_true).mean())
        assert (line.n, line.subjects) == (15, 5) and line.mae_low < line.mae < line.mae_high


def test_the_worst_group_is_named_and_its_distance_from_the_best():
    rows, facts = toned(planted=20)
    found = errors_by_group(rows, facts, by="tone")
    line, mae = found.gaps.loc["pos"], found.table.loc["pos"].mae
    assert line.worst == "VI" and line.best == mae.idxmin() and line.difference == pytest.approx(np.ptp(mae))
    assert 0 < line.low < line.difference < line.high and (line.groups, line.people) == (3, 15)


def test_groups_that_are_alike_are_hardly_ever_called_different_even_with_two_people_each():
    trials = pd.concat([chance_rows(6, [f"trial {seed}"], seed=seed) for seed in range(80)])
    facts = pd.DataFrame({"clip_id": [f"clip {k}" for k in range(6)], "tone": TONES * 2})
    of_people = errors_by_group(trials, facts, by="tone", resamples=300).gaps
    scenes = trials.assign(condition=[f"scene {k}" for k in trials.start_s])
    of_scenes = errors_by_group(scenes, by="condition", resamples=300).gaps
    for gaps in (of_people, of_scenes):
        assert len(gaps) == 80 and (gaps.low > 0).mean() <= 0.075    # 5 %, and luck
        assert (gaps.difference > 0).all()


def test_a_condition_that_each_person_goes_through_is_compared_within_people():
    rows = chance_rows(12, ["pos"], seed=1)                           # people differ much more than the condition does
    worse = rows.start_s == 10
    rows = rows.assign(condition=np.where(worse, "moving", "still"),
                       hr_pred=rows.hr_pred + 3 * worse * np.sign(rows.hr_pred - rows.hr_true))
    within = errors_by_group(rows, by="condition").gaps.loc["pos"]
    apart = errors_by_group(rows.assign(subject=rows.subject + rows.condition), by="condition").gaps.loc["pos"]
    assert within.worst == "moving" and within.difference == pytest.approx(apart.difference)
    assert 0 < within.low and within.high - within.low < 0.7 * (apart.high - apart.low)


def test_the_gap_of_few_people_is_as_wide_as_students_interval_of_their_differences():
    d = np.array([1.0, 4.0, 2.0, 6.0, 2.5])
    rows = pd.concat([made_rows({"pos": error}, windows=1).assign(condition=name)
                      for name, error in (("still", [1.0] * 5), ("moving", 1 + d))])
    gap = errors_by_group(rows, by="condition", resamples=20_000).gaps.loc["pos"]
    half = stats.sem(d) * stats.t.ppf(0.975, len(d) - 2)
    assert (gap.difference, gap.low, gap.high) == pytest.approx((d.mean(), d.mean() - half, d.mean() + half), rel=0.06)


def test_clips_without_the_fact_are_a_group_of_their_own_that_is_last_and_never_the_worst():
    rows, facts = toned()
    facts.loc[facts.index[:6], "tone"] = [None, "", "  ", np.nan, "unknown", None]
    rows.loc[rows.clip_id == "clip 0", "hr_pred"] += 100
    found = errors_by_group(rows, facts.iloc[:-1], by="tone")
    assert list(found.table.loc["pos"].index) == [*TONES, "unknown"]
    assert found.table.loc["pos"].n.to_dict() == {"I": 9, "III": 9, "VI": 6, "unknown": 21}
    assert found.table.n.sum() + found.table.failed.sum() == len(rows) and found.gaps.worst.iloc[0] in TONES


def test_a_rate_is_cut_at_its_edges_and_windows_without_one_are_unknown():
    rows = made_rows({"pos": [2, 3, 4, 5]})
    rows["hr_true"] = np.linspace(50, 105, 12)
    rows.loc[0, "hr_true"] = 80.0
    rows["hr_pred"] = rows.hr_true + 1
    rows.loc[5, ["hr_true", "hr_pred"]] = np.nan
    table = errors_by_group(rows, by="hr_true", edges=(60, 80, 100)).table.loc["pos"]
    expected = {"below 60": ((50 < rows.hr_true) & (rows.hr_true < 60)).sum(),
                "60 to 80": ((rows.hr_true >= 60) & (rows.hr_true < 80)).sum(),
                "80 to 100": ((rows.hr_true >= 80) & (rows.hr_true < 100)).sum(),
                "from 100": (rows.hr_true >= 100).sum(), "unknown": 0}
    assert table.n.to_dict() == expected and table.failed["unknown"] == 1


def test_groups_stand_in_their_own_order():
    rows, facts = toned()
    for values, order in (([10, 2, 1], ["1", "2", "10"]), ([2.5, np.nan, 10], ["2.5", "10", "unknown"]),
                          (["b", "a", "c"], ["a", "b", "c"]),
                          (pd.Categorical(["low", "high", "mid"], ["low", "mid", "high"]), ["low", "mid", "high"])):
        facts["light"] = values.take([0, 1, 2] * 5) if hasattr(values, "take") else values * 5
        assert list(errors_by_group(shuffled(rows), facts, by="light", resamples=10).table.loc["pos"].index) == order


def test_the_order_of_rows_and_of_facts_does_not_matter():
    rows, facts = toned(planted=2)
    one, other = errors_by_group(rows, facts, by="tone"), errors_by_group(shuffled(rows), shuffled(facts), by="tone")
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.gaps, other.gaps)


def test_facts_of_data_sets_whose_clips_share_names_are_told_apart():
    rows, facts = toned()
    both = pd.concat([rows, rows.assign(dataset="e", hr_pred=rows.hr_true)])
    facts = pd.concat([facts.assign(dataset="d"), facts.assign(dataset="e", tone="none")])
    assert errors_by_group(both, facts, by="tone").table.loc["pos"].mae["none"] == 0
    with pytest.raises(ValueError, match="facts have more than one row for clip 'clip 0'.*add a dataset column"):
        errors_by_group(both, facts.drop(columns="dataset"), by="tone")


def test_a_single_known_group_has_no_gap():
    rows, facts = toned()
    gaps = errors_by_group(rows, facts.assign(tone="I"), by="tone").gaps.loc["pos"]
    assert gaps.worst == gaps.best == "" and np.isnan(gaps.difference) and gaps.groups == 1


@pytest.mark.parametrize("change, options, said", [
    (lambda facts: facts.drop(columns="tone"), {}, "facts have no column 'tone'; they have clip_id"),
    (lambda facts: facts.assign(clip_id="x" + facts.clip_id), {}, "about none of the clips.*'xclip 0'.*'clip 0'"),
    (lambda facts: facts[:0], {}, "facts are empty"),
    (lambda facts: None, {}, "rows have no column 'tone' to group by"),
    (lambda facts: facts, {"edges": [3, 2]}, "edges must be rising numbers"),
    (lambda facts: facts.assign(tone=np.linspace(0, 1, len(facts))), {}, "has 30 different values.*Give edges"),
])
def test_facts_that_do_not_fit_are_one_clear_error(change, options, said):
    rows, facts = toned(30)
    with pytest.raises(ValueError, match=f"errors_by_group: .*{said}"):
        errors_by_group(rows, change(facts), by="tone", **options)


def test_edges_need_numbers_and_facts_a_table():
    rows, facts = toned()
    with pytest.raises(TypeError, match="edges need numbers, and 'tone' has others"):
        errors_by_group(rows, facts, by="tone", edges=[1, 2])
    with pytest.raises(TypeError, match="facts must be a DataFrame with clip_id and 'tone', got dict"):
        errors_by_group(rows, {"clip 0": "I"}, by="tone")


def test_bias_and_limits_of_the_same_rows_hold_nineteen_of_twenty_differences():
    rows = chance_rows(40, ["pos"], seed=2, windows=10)
    agreement = bland_altman(rows.hr_true, rows.hr_pred, subjects=rows.dataset + rows.subject)
    difference = rows.hr_pred - rows.hr_true
    assert difference.between(agreement.low, agreement.high).mean() == pytest.approx(0.95, abs=0.025)
