"""Methods beside each other, over people: differences, tests, corrections, ranks."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rppg_lib.evaluation import compare, critical_difference, evaluate, holm, rank_methods, sign_flip_p, summarise
from rppg_lib.simulate import trace

from .people import chance_rows, made_rows, shuffled

EIGHT = {"pos": [1, 2, 3, 4, 5, 6, 7, 8], "chrom": [1.5, 2.25, 4, 4.1, 5.7, 7, 9, 8.3],
         "green": [9, 8, 7, 9.5, 8.5, 7.5, 10, 9.2]}


def unread(rows, where):
    return rows.assign(hr_pred=rows.hr_pred.mask(where))


@pytest.mark.parametrize("people", [2, 3, 7, 12])
def test_the_p_of_few_people_is_the_share_of_all_signs_that_give_as_large_a_mean(people):
    d = np.random.default_rng(people).normal(0.5, 1, people)
    means = [abs(np.mean(d * signs)) for signs in product([1, -1], repeat=people)]
    assert sign_flip_p(d) == np.mean([mean >= abs(d.mean()) - 1e-12 for mean in means])


def test_the_p_is_that_of_scipys_permutation_test_and_near_wilcoxons():
    d = np.random.default_rng(0).normal(0.6, 1, 13)
    oracle = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    assert sign_flip_p(d) == pytest.approx(oracle.pvalue)
    assert sign_flip_p(d) == pytest.approx(stats.wilcoxon(d).pvalue, rel=0.5)


def test_whole_differences_count_ties_as_the_sums_they_are():
    d = [0.1, 0.2, 0.3, 0.3]                                          # 0.1 + 0.2 - 0.3 is not 0 for a computer
    whole = [abs(np.dot([1, 2, 3, 3], signs)) for signs in product([1, -1], repeat=4)]
    assert sign_flip_p(d) == np.mean([total >= 9 for total in whole])
    assert sign_flip_p([0.3, 0.3, -0.1, -0.2]) == np.mean([total >= 3 for total in whole])


def test_of_many_people_signs_are_drawn_and_p_is_near_that_of_all_of_them():
    d = np.random.default_rng(3).normal(0.45, 1, 18)
    signs = np.array(list(product([1, -1], repeat=17)))
    exact = np.mean(abs(d[0] + signs @ d[1:]) >= abs(d.sum()) - 1e-12)
    found = sign_flip_p(d)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert found == sign_flip_p(d) != sign_flip_p(d, seed=1)
    assert sign_flip_p(np.full(40, 2.0), flips=999) == 0.001          # never 0: what was observed counts


@pytest.mark.parametrize("differences", [[], [1, np.nan], [[1, 2]]])
def test_differences_that_are_none_are_one_clear_error(differences):
    with pytest.raises(ValueError, match="sign_flip_p: needs one finite difference per person"):
        sign_flip_p(differences)


@pytest.mark.parametrize("seed", range(5))
def test_holm_rejects_as_its_definition_says_at_every_level(seed):
    p = np.random.default_rng(seed).uniform(0, 0.2, 7).round(3)
    corrected = holm(p)
    for level in np.random.default_rng(1).uniform(0, 0.5, 50):
        rejected, left = set(), list(np.argsort(p))
        while left and p[left[0]] <= level / len(left):               # one step at a time, until the first that fails
            rejected.add(left.pop(0))
        assert set(np.flatnonzero(corrected <= level)) == rejected
    order = np.argsort(p)
    assert (np.diff(corrected[order]) >= 0).all() and (corrected >= p).all() and (corrected <= 1).all()


def test_holm_wants_p_values():
    for wrong in ([1.2], [np.nan], [[0.1]]):
        with pytest.raises(ValueError, match="holm: needs a list of p values"):
            holm(wrong)


def test_each_pair_has_the_difference_of_means_over_people_its_test_and_its_correction():
    table = compare(made_rows(EIGHT))
    assert list(table.index) == list(combinations(sorted(EIGHT), 2))
    for (one, other), line in table.iterrows():
        d = np.subtract(EIGHT[one], EIGHT[other])
        assert line.difference == pytest.approx(d.mean()) and line.p == pytest.approx(sign_flip_p(d))
        assert (line.mae, line.mae_against) == pytest.approx((np.mean(EIGHT[one]), np.mean(EIGHT[other])))
        assert (line.people, line.windows, line.lost, line.lost_against, line.lost_both) == (8, 24, 0, 0, 0)
        oracle = stats.bootstrap((d,), np.mean, method="percentile", rng=1, n_resamples=9999).confidence_interval
        assert (line.low, line.high) == pytest.approx(tuple(oracle), abs=0.1)
    np.testing.assert_allclose(table.p_holm, holm(table.p))
    assert set(table.p_smallest) == {2 / 2**8} and table.p.min() == 2 / 2**8      # pos is better for each of the eight


def test_each_person_counts_once_however_many_windows_there_are():
    rows = made_rows({"pos": [1, 1], "chrom": [3, 9]})
    more = rows[rows.subject == "s0"]
    rows = pd.concat([rows, *(more.assign(start_s=more.start_s + 100 * k) for k in range(1, 9))])
    line = compare(rows).iloc[0]
    assert line.difference == pytest.approx((2 + 8) / 2) and line.windows == 27 + 3


def test_one_name_in_two_data_sets_is_two_people():
    rows = made_rows(EIGHT)
    assert set(compare(pd.concat([rows, rows.assign(dataset="e")])).people) == {16}


def test_a_method_compared_with_itself_differs_by_nothing():
    rows = made_rows({"pos": EIGHT["pos"]})
    line = compare(pd.concat([rows, rows.assign(method="again")])).iloc[0]
    assert (line.difference, line.low, line.high, line.p, line.p_holm) == (0, 0, 0, 1, 1)


def test_the_order_of_rows_does_not_matter():
    rows = unread(made_rows(EIGHT), made_rows(EIGHT).index % 11 == 3)
    pd.testing.assert_frame_equal(compare(rows), compare(shuffled(rows)))
    one, other = rank_methods(rows), rank_methods(shuffled(rows))
    assert one.methods == other.methods and one.p == other.p and list(one.mean_rank) == list(other.mean_rank)


def test_swapping_a_pair_turns_the_sign_and_nothing_else():
    rows = made_rows({name: EIGHT[name] for name in ("pos", "chrom")})
    one, other = (compare(rows, against=name).iloc[0] for name in ("pos", "chrom"))
    assert (one.difference, one.low, one.high, one.p) == pytest.approx(
        (-other.difference, -other.high, -other.low, other.p))


def test_refusing_hard_windows_is_not_rewarded_and_is_counted():
    rows = made_rows(EIGHT)
    hard = (rows.method == "chrom") & (rows.start_s == 10)
    gone = (rows.method == "pos") & (rows.subject == "s7")
    refused = unread(rows, hard | gone)
    line = compare(refused, against="pos").loc["chrom", "pos"]
    assert (line.lost, line.lost_against, line.lost_both, line.people_lost) == (7, 2, 1, 1)
    assert (line.people, line.windows) == (7, 24 - 10)
    both = rows[(rows.start_s != 10) & (rows.subject != "s7")]
    assert line.difference == pytest.approx(compare(both, against="pos").loc["chrom", "pos"].difference)
    missing = refused[refused.hr_pred.notna()]                       # a row that is not there is lost like one without
    pd.testing.assert_series_equal(compare(missing, against="pos").loc["chrom", "pos"].drop(["lost_both", "p_holm"]),
                                   line.drop(["lost_both", "p_holm"]), check_exact=False)


def test_against_one_method_there_are_fewer_comparisons_to_correct_for():
    rows = made_rows(EIGHT)
    table = compare(rows, against="green")
    assert list(table.index) == [("chrom", "green"), ("pos", "green")]
    np.testing.assert_allclose(table.p_holm, holm([table.p.iloc[0], table.p.iloc[1]]))
    assert table.p_holm.min() == 2 * table.p.min() and compare(rows).p_holm.min() == 3 * table.p.min()


def test_of_three_methods_that_are_alike_one_is_called_different_in_one_of_twenty_trials():
    rng, wrong = np.random.default_rng(0), []
    for _ in range(1500):
        hard = rng.gamma(2, 2, (10, 1))                               # some people are hard for every method
        a, b, c = (hard * rng.gamma(2, 0.5, (10, 3))).T
        wrong.append(holm([sign_flip_p(a - b), sign_flip_p(a - c), sign_flip_p(b - c)]).min() <= 0.05)
    assert 0.025 < np.mean(wrong) < 0.065                            # below 0.05, and not by much


def test_a_method_that_is_worse_is_told_from_two_that_are_alike():
    rows = chance_rows(12, ["a", "b", "c"], seed=0)
    rows.loc[rows.method == "c", "hr_pred"] += 15 * np.sign(rows.hr_pred - rows.hr_true)
    table = compare(rows)
    assert list(table.p_holm < 0.05) == [False, True, True] and list(table.high < 0) == [False, True, True]
    ranks = rank_methods(rows)
    assert ranks.methods[-1] == "c" and ranks.groups == (ranks.methods[:2],)


def test_rows_of_real_methods_are_compared_as_they_come():
    clips = [trace(seed, seconds=20) for seed in range(4)]
    rows = evaluate(["pos", "green"], clips, window_s=10)
    line = compare(rows).iloc[0]
    mae = summarise(rows).mae                                        # each person has as many windows: means are equal
    assert line.difference == pytest.approx(mae["green"] - mae["pos"])
    assert line.people == len({(clip.dataset, clip.subject) for clip in clips})


@pytest.mark.parametrize("change, said", [
    (lambda rows: rows[rows.method == "pos"], "at least two methods, got 'pos'"),
    (lambda rows: rows[(rows.method == "pos") == (rows.start_s < 10)], "have no window in common that both could read"),
    (lambda rows: unread(rows, rows.method == "pos"), r"no window in common that both could read \(24 and 0 windows"),
    (lambda rows: rows[rows.subject == "s0"], "windows in common of one person only"),
    (lambda rows: pd.concat([rows, rows[:1]]), "1 rows are there twice, the first of 'pos' on clip 'clip 0'"),
    (lambda rows: rows.drop(columns=["subject", "hr_true"]), "rows have no column 'subject', 'hr_true'"),
    (lambda rows: rows[:0], "at least one row, got none"),
    (lambda rows: rows.assign(hr_true=rows.hr_true + (rows.method == "pos")), "disagree about the true rate of 24"),
])
def test_rows_that_cannot_be_compared_are_one_clear_error(change, said):
    with pytest.raises(ValueError, match=f"compare: .*{said}"):
        compare(change(made_rows({name: EIGHT[name] for name in ("pos", "chrom")})))


def test_what_is_no_table_of_numbers_is_a_type_error():
    with pytest.raises(TypeError, match="compare: needs the rows of evaluation.evaluate, a DataFrame; got list"):
        compare([1, 2])
    with pytest.raises(TypeError, match="compare: hr_true, hr_pred, start_s, seconds must be numbers"):
        compare(made_rows(EIGHT).assign(hr_pred="fast"))
    with pytest.raises(ValueError, match="no rows of 'poss' to compare with; there are 'chrom', 'green', 'pos'"):
        compare(made_rows(EIGHT), against="poss")


def test_rows_from_a_csv_file_are_compared_like_those_in_memory(tmp_path):
    rows = made_rows(EIGHT)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    both = pd.concat([pd.read_csv(tmp_path / "rows.csv")[rows.method == "pos"], rows[rows.method == "chrom"]])
    assert compare(both).iloc[0].windows == 24


def test_ranks_are_friedmans_with_the_formula_of_the_textbook():
    ranks = rank_methods(made_rows(EIGHT))
    each = stats.rankdata(np.stack([EIGHT[name] for name in ranks.methods]).T, axis=1)
    np.testing.assert_allclose(ranks.mean_rank, each.mean(0))
    n, k = each.shape
    statistic = 12 * n / (k * (k + 1)) * (np.sum(each.mean(0) ** 2) - k * (k + 1) ** 2 / 4)
    assert ranks.statistic == pytest.approx(statistic)
    assert ranks.p == pytest.approx(stats.friedmanchisquare(*EIGHT.values()).pvalue)
    assert ranks.methods == ("pos", "chrom", "green") and (ranks.people, ranks.windows) == (8, 24)


def test_methods_that_are_all_the_same_share_a_rank_and_are_one_group():
    rows = made_rows(dict.fromkeys("abc", EIGHT["pos"]))
    ranks = rank_methods(rows)
    assert list(ranks.mean_rank) == [2, 2, 2] and (ranks.statistic, ranks.p) == (0, 1)
    assert ranks.groups == (("a", "b", "c"),)


@pytest.mark.parametrize("methods, q", [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_has_the_published_quantile(methods, q):
    assert critical_difference(methods, 20) == pytest.approx(q * np.sqrt(methods * (methods + 1) / 120), abs=6e-4)


def test_groups_are_the_longest_runs_of_methods_that_every_two_of_are_not_told_apart():
    rng = np.random.default_rng(0)
    rows = made_rows({f"m{k}": 10 + 1.1 * k + rng.normal(0, 2, 15) for k in range(7)})
    ranks = rank_methods(rows)
    at = dict(zip(ranks.methods, ranks.mean_rank))
    runs = [set(run) for size in range(2, 8) for run in combinations(ranks.methods, size)
            if max(at[n] for n in run) - min(at[n] for n in run) < ranks.critical_difference]
    longest = [run for run in runs if not any(run < other for other in runs)]
    assert ranks.p < 0.05 and len(longest) > 1
    assert sorted(map(sorted, ranks.groups)) == sorted(map(sorted, longest))


def test_nothing_is_told_apart_where_all_may_be_alike_even_beyond_the_critical_difference():
    ranks = rank_methods(made_rows({"a": [1, 2, 1, 1, 1, 2], "b": [2, 1, 4, 2, 4, 3], "c": [3, 4, 3, 3, 2, 1],
                                    "d": [4, 3, 2, 4, 3, 4]}))
    assert np.ptp(ranks.mean_rank) > ranks.critical_difference and ranks.p > 0.05
    assert ranks.groups == (("a", "b", "c", "d"),)


def test_windows_that_one_method_could_not_read_count_for_none_and_are_named():
    rows = made_rows(EIGHT)
    ranks = rank_methods(unread(rows, (rows.method == "green") & (rows.subject.isin(["s0", "s1"]))))
    assert ranks.lost == {"chrom": 0, "green": 6, "pos": 0}
    assert (ranks.people, ranks.windows, ranks.people_lost) == (6, 18, 2)


def test_ranks_need_three_methods_two_people_and_a_level():
    rows = made_rows(EIGHT)
    with pytest.raises(ValueError, match="at least three methods, got 'chrom', 'pos'. Use compare"):
        rank_methods(rows[rows.method != "green"])
    with pytest.raises(ValueError, match="got 0 of 0. 'green' lost most .24.: leave it out"):
        rank_methods(unread(rows, rows.method == "green"))
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        rank_methods(rows, alpha=5)
