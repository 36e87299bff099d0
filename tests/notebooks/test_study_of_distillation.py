"""What notebook 07 says of the study of distillation is what the kept study found."""

import pandas as pd
import pytest

from rppg_lib import results

from ..checkout import ROOT


@pytest.fixture(scope="module")
def kept():
    found = results.load(ROOT / "results" / "study_distill.small.json")
    assert found.config["seeds"] >= 3 and found.data.startswith("simulated")
    return found


@pytest.fixture(scope="module")
def arms(kept):
    return pd.DataFrame(kept.tables["arms"]).set_index(["labels", "scene", "arm"]).xs("all", level="scene")


@pytest.fixture(scope="module")
def pairs(kept):
    table = pd.DataFrame(kept.tables["pairs"]).set_index(["labels", "scene", "arm", "beside"])
    return table.xs("all", level="scene")


TAUGHT = [("clean", "taught", "alone"), ("clean", "taught, pearson", "alone, pearson"),
          ("lagging", "taught", "alone"), ("lagging", "taught, pearson", "alone, pearson")]


def test_teaching_raises_r_by_the_amounts_that_are_told(pairs):
    assert [round(pairs.r_band[pair], 2) for pair in TAUGHT] == [0.06, 0.03, 0.10, 0.07]
    assert all(pairs.r_band_low[pair] > 0 for pair in TAUGHT)


def test_where_nobody_had_learned_a_student_taught_with_dilate_follows_the_wave_less_well(kept):
    table = pd.DataFrame(kept.tables["pairs"]).set_index(["labels", "arm", "beside", "scene"]).sort_index()
    more = table.r_band_high["clean", "taught", "alone"]
    assert {scene for scene in more.index if more[scene] < 0} == {"dark", "compressed"}


def test_of_the_four_errors_one_interval_leaves_out_zero(pairs):
    assert sum(pairs.error_high[pair] < 0 or pairs.error_low[pair] > 0 for pair in TAUGHT) == 1


def test_without_imitation_a_taught_student_is_no_better_than_one_alone(pairs):
    assert pairs.r_band_high["clean", "without imitation", "taught"] < 0
    assert pairs.r_band["clean", "without imitation", "alone"] < 0
    for part in ("attention", "similarity"):
        row = pairs.loc["clean", f"without {part}", "taught"]
        assert row.r_band_low < 0 < row.r_band_high and row.error_low < 0 < row.error_high


def test_dilate_costs_a_student_r_and_beats_and_is_no_better_where_labels_lag(pairs):
    clean, lagging = (pairs.loc[labels, "alone", "alone, pearson"] for labels in ("clean", "lagging"))
    assert round(clean.r_band, 2) == -0.11 and clean.r_band_high < 0
    assert round(clean.error) == 8 and clean.error_low > 0
    assert lagging.r_band < 0 < lagging.error
    assert abs(pairs.r_band["clean", "alone, mse", "alone, pearson"]) < 0.02


def test_the_teacher_but_no_student_follows_the_wave_better_than_pos(arms):
    clean = arms.loc["clean"].r_band
    assert clean["teacher"] > clean["pos"] > clean.drop(["teacher", "pos"]).max()
