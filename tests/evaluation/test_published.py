"""The registry of published results: read again from the sources, and compared with ours only where that is fair."""

import csv
import math
import re
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from rppg_lib import registry, simulate
from rppg_lib.evaluation import FIELD, FIELD_2023, ReadOut, evaluate, summarise
from rppg_lib.evaluation.published import (
    COLUMNS,
    COSTS,
    DATASETS,
    SOURCES,
    Conditions,
    beside_published,
    published,
    read_published,
)

from ..checkout import ROOT

CSV = ROOT / "rppg_lib" / "evaluation" / "published.csv"
LIKE_THE_TOOLBOX = {"test": "UBFC-rPPG", "train": "PURE", "protocol": "cross", "split": "all", "readout": FIELD_2023}
# Read from the sources by eye, not from the table: source, table, system, metric, trained on, tested on, variant.
READ_AGAIN = [
    ("chu2025codephys", "Table I", "codephys", "sd", "VIPL-HR", "VIPL-HR", "", 7.07),
    ("chu2025codephys", "Table I", "rppg-hiba", "mae", "VIPL-HR", "VIPL-HR", "", 4.47),
    ("chu2025codephys", "Table I", "samc", "rmse", "none", "VIPL-HR", "", 21.0),
    ("chu2025codephys", "Table II", "codephys", "rmse", "COHFACE", "COHFACE", "", 2.75),
    ("chu2025codephys", "Table II", "sinc", "mae", "PURE", "PURE", "", 0.61),
    ("chu2025codephys", "Table II", "ica", "r", "none", "COHFACE", "", 0.36),
    ("chu2025codephys", "Table III", "pos", "mae", "none", "PURE", "", 22.3),
    ("chu2025codephys", "Table III", "codephys", "rmse", "PURE+UBFC-rPPG", "COHFACE", "", 8.71),
    ("chu2025codephys", "Table III", "dg-rppgnet", "mae", "COHFACE+UBFC-rPPG", "PURE", "", 3.02),
    ("chu2025codephys", "Table IV", "tranphys", "mae", "VIPL-HR", "PURE", "", 5.31),
    ("chu2025codephys", "Table IV", "rhythmnet", "sd", "VIPL-HR", "PURE", "", 11.7),
    ("chu2025codephys", "Table V", "codephys", "mae", "VIPL-HR", "VIPL-HR", "without feature distillation", 4.59),
    ("chu2025codephys", "Table VI", "codephys", "sd", "COHFACE", "COHFACE", "without code query", 3.81),
    ("chu2025codephys", "Table VII", "codephys", "mae", "PURE", "PURE", "stage I: contact pulse in and out", 0.13),
    ("chu2025codephys", "Table VIII", "physformer", "gmacs", "", "", "", 47.01),
    ("chu2025codephys", "Table VIII", "tscan", "rmse", "", "VIPL-HR", "", 14.2),
    ("chu2025codephys", "Table IX", "deepphys", "mae", "", "", "in the CodePhys framework", 6.71),
    ("chu2025codephys", "Table X", "physformer", "mae", "VIPL-HR", "VIPL-HR", "occlusion", 8.56),
    ("zhu2024rfacenet", "Table 1", "rfacenet", "r", "VIPL-HR", "VIPL-HR", "", 0.87),
    ("zhu2024rfacenet", "Table 1", "i3d", "mae", "VIPL-HR", "VIPL-HR", "", 12.0),
    ("zhu2024rfacenet", "Table 2", "rfacenet", "rmse", "UBFC-rPPG", "PURE", "", 11.95),
    ("zhu2024rfacenet", "Table 2", "green", "mae", "none", "UBFC-rPPG", "", 19.73),
    ("zhu2024rfacenet", "Table 3", "rfacenet", "mae", "", "", "TCU only", 2.53),
    ("sahoo2025kdphys", "abstract", "kdphys", "mae", "", "", "", 1.78),
    ("sung2026lqrppg", "abstract", "lqrppg", "throughput_change_pct", "", "", "", 191),
    ("liu2023rppgtoolbox", "results.png", "green", "mae", "none", "MMPD", "", 21.68),
    ("liu2023rppgtoolbox", "results.png", "ica", "mape", "none", "PURE", "", 4.47),
    ("liu2023rppgtoolbox", "results.png", "physnet", "mape", "SCAMPS", "PURE", "", 31.27),
    ("liu2023rppgtoolbox", "results.png", "tscan", "mae", "PURE", "UBFC-rPPG", "", 1.29),
    ("liu2023rppgtoolbox", "results.png", "deepphys", "mae", "SCAMPS", "UBFC-rPPG", "", 3.10),
    ("liu2023rppgtoolbox", "results.png", "deepphys", "mape", "UBFC-rPPG", "UBFC-Phys", "", 8.21),
    ("liu2023rppgtoolbox", "results.png", "efficientphys", "mae", "PURE", "MMPD", "", 14.03),
    ("liu2023rppgtoolbox", "PR #288", "tscan", "snr_db", "PURE", "UBFC-rPPG", "", 6.64),
    ("liu2023rppgtoolbox", "issue #133", "chrom", "rmse", "none", "UBFC-rPPG", "", 8.72),
    ("liu2023rppgtoolbox", "issue #141", "pos", "mae", "none", "PURE", "task 4", 8.833),
    ("joshi2024factorizephys", "README", "factorizephys", "snr_db", "UBFC-rPPG", "PURE", "", 14.16),
    ("joshi2024factorizephys", "README", "physnet", "snr_db", "SCAMPS", "UBFC-rPPG", "", -0.09),
    ("joshi2024factorizephys", "README", "efficientphys+fsam", "rmse", "PURE", "iBVP", "", 4.00),
    ("joshi2024factorizephys", "README", "physformer", "macc", "PURE", "UBFC-rPPG", "", 0.85),
    ("tang2023mmpd", "README, simplest", "tscan", "mae", "UBFC-rPPG", "MMPD",
     "stationary, skin type 3, artificial light", 1.46),
    ("tang2023mmpd", "README, full set", "chrom", "r", "none", "MMPD", "", 0.08),
]


@pytest.mark.parametrize("source, table, system, metric, train, test, variant, value", READ_AGAIN)
def test_a_value_is_what_its_source_prints(source, table, system, metric, train, test, variant, value):
    rows = published(system, metric=metric, source=source, variant=variant)
    (row,) = rows[(rows.table == table) & (rows.trained_on == train) & (rows.tested_on == test)].itertuples()
    assert row.value == value


@pytest.mark.parametrize("source, table, count", [
    ("chu2025codephys", "Table I", 19 * 4 - 3), ("chu2025codephys", "Table III", 8 * 6 - 6),
    ("zhu2024rfacenet", "Table 1", 15 * 4), ("zhu2024rfacenet", "Table 2", 2 * 11 * 3),
    ("liu2023rppgtoolbox", "results.png", 2 * (6 * 4 + 4 * 10)), ("joshi2024factorizephys", "README", 9 * 5 * 6),
])
def test_tables_are_whole(source, table, count):
    assert (published(source=source).table == table).sum() == count


def rows_by_hand():
    """Return the file as Python's own reader gives it: source, table, system ... -> metric -> row."""
    same = defaultdict(dict)
    with CSV.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = tuple(row[name] for name in ("source", "table", "system", "variant", "trained_on", "tested_on"))
            assert row["metric"] not in same[key], f"{key} twice"
            same[key][row["metric"]] = row
    return same


@pytest.mark.parametrize("smaller", ["mae", "sd"])
def test_no_root_mean_square_is_less_than_size_or_spread_of_the_same_errors_without_a_note(smaller):
    pairs = [(key, row[smaller], row["rmse"]) for key, row in rows_by_hand().items() if {smaller, "rmse"} <= set(row)]
    assert len(pairs) > 40
    odd = [key for key, a, b in pairs if float(a["value"]) > float(b["value"]) and not a["note"] + b["note"]]
    assert odd == []


def test_the_spread_that_rfacenet_prints_is_that_of_absolute_errors_and_says_so():
    own = rows_by_hand()["zhu2024rfacenet", "Table 1", "rfacenet", "", "VIPL-HR", "VIPL-HR"]
    sd, mae, rmse = (float(own[name]["value"]) for name in ("sd", "mae", "rmse"))
    assert math.hypot(mae, sd) == pytest.approx(rmse, abs=0.01)      # of signed errors it would be the mean error
    assert "absolute errors" in own["sd"]["note"] and "absolute" in own["sd"]["definition"]


def test_every_source_has_values_and_stands_in_the_bibliography():
    assert set(published().source) == set(SOURCES)
    keys = re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "refs.bib").read_text("utf-8"), re.MULTILINE)
    assert set(SOURCES) <= set(keys)


def test_our_estimators_go_by_their_own_names_and_have_the_costs_that_are_reported():
    there, known = set(published().system), registry.available()
    assert set(known) - there == {"codequery", "omit", "rhythmmamba"}    # nobody reports these in our sources
    for name in ("codephys", "kdphys"):
        reported = known[name].made_of.published
        rows = published(name, source=reported.source)
        values = rows[rows.variant == ""].set_index("metric").value
        assert values.params_m * 1e6 == pytest.approx(reported.params)
        assert reported.gmacs is None or values.gmacs == reported.gmacs


def test_what_is_asked_for_is_found_whatever_its_case():
    found = published("POS", metric="MAE", test="pure")
    assert set(found.system) == {"pos"} and set(found.metric) == {"mae"} and set(found.tested_on) == {"PURE"}
    assert len(published(train="ubfc-rppg + COHFACE")) == len(published(train="COHFACE+UBFC-rPPG")) > 0
    assert len(published()) > len(published(variant="")) > 900
    changed = published()
    changed["value"] = 0                                             # ours to change: the registry stays
    assert (published().value != 0).any()


@pytest.mark.parametrize("asked, message", [
    ({"system": "chrm"}, "no system is called 'chrm'. Did you mean 'chrom'"),
    ({"metric": "maes"}, "Did you mean 'mae'"),
    ({"test": "UBFC"}, "no data set is called 'UBFC'. Did you mean 'ubfc-rppg'"),
    ({"train": "PURE+COHFAC"}, "Did you mean 'cohface'"),
    ({"source": "chu2025"}, "Did you mean 'chu2025codephys'"),
    ({"system": "kdphys", "test": "PURE"}, r"nothing was reported for system 'kdphys', tested_on 'PURE'. .*"
                                           r"system 'chrom', 'codephys'"),
    ({"system": "codephys", "metric": "mape", "test": "PURE"}, "metric 'mae', 'r', 'rmse', 'sd'"),
])
def test_what_nobody_reported_is_said_with_what_is_near(asked, message):
    with pytest.raises(ValueError, match=message):
        published(**asked)


# Ours beside theirs

def summary(**methods):
    return pd.DataFrame([{"mae": mae, "rmse": 2 * mae, "sd": mae, "snr_db": 5.0} for mae in methods.values()],
                        index=pd.Index(list(methods), name="method"))


def of_the_toolbox(beside, metric="mae", train="PURE"):
    (line,) = beside[(beside.table == "results.png") & (beside.metric == metric) &
                     beside.trained_on.isin([train, "none"])].itertuples()
    return line


def test_numbers_may_be_compared_where_every_condition_is_told_and_alike():
    beside = beside_published(summary(tscan=1.5, pos=4.5), Conditions(**LIKE_THE_TOOLBOX))
    for method, reported in (("tscan", 1.29), ("pos", 4.00)):
        line = of_the_toolbox(beside[beside.method == method])
        assert (line.comparable, line.why_not, line.reported) == ("yes", "", reported)
        assert line.difference == pytest.approx(line.ours - reported)
    assert (beside.comparable == "yes").sum() == 2


@pytest.mark.parametrize("change, reason", [
    ({"simulated": True}, "ours are simulated people"),
    ({"readout": FIELD}, "other band: 0.6-3.3 Hz here, 0.75-2.5 Hz there"),
    ({"readout": ReadOut(band_hz=(0.75, 2.5), read="peaks", compatible=True)}, "other reading: peaks here, fft there"),
    ({"readout": ReadOut(band_hz=(0.75, 2.5), read="fft")},
     "other filter before reading: ours here, detrend 100, order 1 there"),
    ({"window_s": 10}, "other window: 10 s here, the whole recording there; other counting of errors: per window here"),
    ({"split": "30/12"}, "other split: 30/12 here, all there"),
    ({"split": ""}, "other split: none of those known here, all there"),
    ({"train": "SCAMPS"}, "other training set: SCAMPS here, PURE there"),
    ({"protocol": "intra"}, "other protocol: intra here, cross there"),
    ({"left_out": "one person"}, "left out: one person here, nobody there"),
])
def test_one_other_condition_is_enough_not_to_compare(change, reason):
    line = of_the_toolbox(beside_published(summary(tscan=1.5), Conditions(**(LIKE_THE_TOOLBOX | change))))
    assert line.comparable == "no" and line.why_not.startswith(reason)


def test_all_reasons_are_named_not_the_first_alone():
    conditions = Conditions(test="UBFC-rPPG", train="SCAMPS", protocol="cross", window_s=10, simulated=True)
    why = of_the_toolbox(beside_published(summary(tscan=1.5), conditions)).why_not
    for word in ("simulated", "band", "reading", "filter", "window", "counting", "split", "training set"):
        assert word in why


def test_a_method_without_training_is_not_asked_for_its_training_set():
    beside = beside_published(summary(pos=4.5), Conditions(**(LIKE_THE_TOOLBOX | {"train": "SCAMPS"})))
    assert of_the_toolbox(beside).comparable == "yes"


def test_what_a_source_does_not_tell_is_not_known_and_is_named():
    conditions = Conditions(test="PURE", train="UBFC-rPPG", protocol="cross", split="all", readout=FIELD_2023)
    beside = beside_published(summary(rfacenet=3.7), conditions)
    (line,) = beside[(beside.metric == "mae")].itertuples()
    assert line.comparable == "not known"
    assert line.why_not == ("not told: band, reading, filter before reading, window, counting of errors, true rates, "
                            "split")


def test_a_signal_to_noise_ratio_of_another_definition_is_not_comparable():
    beside = beside_published(summary(tscan=1.5), Conditions(**LIKE_THE_TOOLBOX))
    why = beside[beside.metric == "snr_db"].set_index("table").why_not
    assert "other definition of SNR: 10 log10 here, 20 log10 there" in why["PR #288, before"]
    assert "definition" not in why["PR #288"]
    own = beside_published(summary(tscan=1.5), Conditions(test="UBFC-rPPG"))
    assert (own[own.metric == "snr_db"].why_not.str.contains("other definition of SNR: ours here")).all()


def test_a_spread_of_absolute_errors_is_not_comparable():
    beside = beside_published(summary(rfacenet=5.2), Conditions(test="VIPL-HR", train="VIPL-HR", protocol="intra"))
    (line,) = beside[beside.metric == "sd"].itertuples()
    assert "other definition of SD: of errors here, of absolute errors, it seems there" in line.why_not
    assert "left out: nobody here, scenes v2 and v9 there" in line.why_not and "RMSE²" in line.note


def test_ablations_and_parts_of_the_data_are_not_put_beside_ours():
    tables = set(beside_published(summary(codephys=0.5), Conditions(test="PURE", train="PURE")).table)
    assert {"Table II", "Table VI"} < tables and "Table VII" not in tables      # the last: from the contact pulse
    beside = beside_published(summary(pos=4.5), Conditions(test="PURE"))
    assert "issue #141" not in set(beside.table)                                # task by task


def test_a_method_or_figure_that_nobody_reported_keeps_its_line():
    beside = beside_published(summary(pos=4.5, omit=4.0), Conditions(**LIKE_THE_TOOLBOX))
    alone = beside[beside.method == "omit"]
    assert set(alone.metric) == {"mae", "rmse", "sd", "snr_db"} and alone.reported.isna().all()
    assert set(alone.why_not) == {"nobody reported it"} and set(alone.comparable) == {"no"}
    with pytest.raises(ValueError, match="nothing was reported for chrm on PURE. Did you mean 'chrom'. Reported there"):
        beside_published(summary(chrm=1.0), Conditions(test="PURE"))


def test_a_figure_without_a_value_is_not_comparable():
    ours = summary(tscan=1.5)
    ours.loc["tscan", "mae"] = np.nan
    line = of_the_toolbox(beside_published(ours, Conditions(**LIKE_THE_TOOLBOX)))
    assert (line.comparable, line.why_not) == ("no", "ours has no value")


def test_rows_of_an_evaluation_are_summarised_and_simulated_people_must_be_named():
    rows = evaluate(["pos"], [simulate.trace(simulate.person(seed), seconds=10, seed=seed) for seed in (0, 1)])
    beside = beside_published(rows, Conditions(test="PURE", simulated=True))
    assert set(beside[beside.metric == "mae"].ours) == {summarise(rows).mae["pos"]}
    assert set(beside.comparable) == {"no"}
    with pytest.raises(ValueError, match=r"Say Conditions\(simulated=True\)"):
        beside_published(rows, Conditions(test="PURE"))
    with pytest.raises(ValueError, match="rows are of COHFACE, the conditions of PURE"):
        beside_published(rows.assign(dataset="cohface"), Conditions(test="PURE"))
    with pytest.raises(ValueError, match="one data set at a time, got PURE, other"):
        beside_published(rows.assign(dataset=["PURE", "other"]), Conditions(test="PURE"))
    with pytest.raises(ValueError, match="one line for each method"):
        beside_published(summarise(rows, by=["method", "condition"]), Conditions(test="PURE", simulated=True))


@pytest.mark.parametrize("wrong, message", [
    ({"test": "nothing"}, "Conditions: no data set is called 'nothing'"), ({"test": None}, "no data set"),
    ({"protocol": "crossed"}, "Did you mean 'cross'"), ({"split": "60/40"}, "Known: 30/12, 5 folds, all"),
    ({"window_s": 0}, "window_s must be positive"), ({"window_s": "10"}, "window_s must be positive"),
    ({"window_s": math.nan}, "window_s must be positive"),
    ({"readout": "FIELD"}, "readout must be a ReadOut"), ({"train": "PURE,COHFACE"}, "no data set is called"),
])
def test_conditions_in_other_words_are_refused(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Conditions(**({"test": "PURE"} | wrong))


# Files in its form

GOOD = {"system": "pos", "printed": "POS", "metric": "mae", "value": "4.0", "trained_on": "none", "tested_on": "PURE",
        "source": "zhu2024rfacenet", "table": "Table 9"}


def written(folder, *rows):
    path = folder / "some.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_table_of_ones_own_in_the_same_form_is_read(tmp_path):
    table = read_published(written(tmp_path, GOOD, GOOD | {"metric": "rmse", "value": "5"}))
    assert list(table.value) == [4, 5] and table.band_low_hz.isna().all() and set(table.note) == {""}


@pytest.mark.parametrize("change, message", [
    ({"metric": "error"}, r"line 3 \(zhu2024rfacenet, Table 9, pos, none, PURE, error, 4.0\): metric must be one of"),
    ({"source": "nobody1900"}, "source must be one of"),
    ({"tested_on": "pure"}, "tested_on must be one of"), ({"trained_on": "PURE+COHFACE"}, "in this order"),
    ({"trained_on": "PURE+PURE"}, "in this order"), ({"protocol": "both"}, "protocol must be"),
    ({"system": "P O S"}, "lower-case"), ({"table": ""}, "must be told"), ({"printed": ""}, "must be told"),
    ({"value": "four"}, "should be a number is none"), ({"value": ""}, "no such value"),
    ({"value": "-1"}, "no such value"), ({"value": "inf"}, "no such value"), ({"se": "-0.1"}, "after ± must be"),
    ({"metric": "r", "value": "1.01"}, "no such value"), ({"metric": "macc", "value": "-0.1"}, "no such value"),
    ({"metric": "macs_change_pct", "value": "-101"}, "no such value"),
    ({"band_low_hz": "3", "band_high_hz": "1"}, "no band"), ({"band_low_hz": "1"}, "no band"),
    ({"window_s": "0"}, "no window"), ({"metric": "mae"}, "stands there twice"),
    ({"metric": "mae", "value": "5"}, "stands there twice"),
    ({"metric": "rmse", "value": "3.9"}, "less than mae of the same"),
])
def test_a_line_that_cannot_be_is_refused_and_named(tmp_path, change, message):
    path = written(tmp_path, GOOD, GOOD | {"metric": "rmse"} | change)
    with pytest.raises(ValueError, match=message):
        read_published(path)


@pytest.mark.parametrize("noted", ["rmse", "mae"])
def test_a_note_lets_a_root_mean_square_stand_that_is_too_small(tmp_path, noted):
    rows = [GOOD, GOOD | {"metric": "rmse", "value": "3.9"}, GOOD | {"metric": "r", "value": "1"}]

    def with_a_note_on(metric):
        return written(tmp_path, *(row | {"note": "so printed" if row["metric"] == metric else ""} for row in rows))

    assert len(read_published(with_a_note_on(noted))) == 3
    with pytest.raises(ValueError, match="less than mae"):
        read_published(with_a_note_on("r"))                          # it explains something else


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"system\n", b'"open\n', b"\n\n",
                                     ",".join(COLUMNS).encode()])
def test_a_file_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match="read_published: a.csv"):
        read_published(tmp_path / "a.csv")


def test_a_file_cut_in_the_middle_of_a_line_is_refused(tmp_path):
    path = written(tmp_path, GOOD, GOOD | {"metric": "rmse"})
    path.write_text(path.read_text("utf-8").rstrip().rpartition(",zhu")[0], encoding="utf-8")
    with pytest.raises(ValueError, match="some.csv has 19 fields in line 3, not 22"):
        read_published(path)


def test_damaged_files_give_a_table_or_one_clear_error(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.csv"
    whole, results = b"".join(CSV.read_bytes().splitlines(keepends=True)[:12]), set()
    for _ in range(300):
        content = bytearray(whole)
        for at in rng.integers(len(content), size=rng.integers(1, 4)):
            content[at:at + rng.integers(3)] = bytes(rng.choice(list(b'",\n\r\x00\xff-9einf+ '), size=rng.integers(3)))
        path.write_bytes(content[:rng.integers(1, 2 * len(content))])
        try:
            table = read_published(path)
            results.add("table")
            assert np.isfinite(table.value).all() and table.metric.isin([*COSTS, "mae", "rmse", "sd", "r"]).all()
        except ValueError as error:
            results.add("error")
            assert str(error).startswith("read_published: ")
    assert results == {"table", "error"}


# The page

def test_the_page_prints_what_the_registry_holds():
    text = (ROOT / "book" / "published.md").read_text("utf-8")
    lines = re.findall(r"^\| \{cite:t\}`(\w+)`, ([^|]+?) \| ([\d.]+) \|$", text, re.MULTILINE)
    there = published("pos", metric="mae", test="PURE", variant="")
    assert sorted(lines) == sorted((row.source, row.table, f"{row.value:.3g}") for row in there.itertuples())
    assert all(f"`{name}`" in text for name in COLUMNS if name not in ("printed", "variant", "note"))
    assert all(name in text for name in DATASETS)
    shared = published("pos", test="VIPL-HR").groupby("source").value.agg(list)      # as the page says
    assert len(shared) == 2 and shared.iloc[0] == shared.iloc[1] and len(shared.iloc[0]) == 4
