"""What notebook 07 says of the study of distillation is what the kept study found."""

import pandas as pd
import pytest

from ..checkout import ROOT
from .kept import holds_zero, study, told_in


@pytest.fixture(scope="module")
def kept():
    return study("study_distill")


@pytest.fixture(scope="module")
def text():
    return told_in("07_distillation.ipynb", "7.6", "7.7")


def table(kept, name, *index):
    rows = pd.DataFrame(kept.tables[name])
    return rows[rows.scene == "all"].set_index(list(index))


@pytest.fixture(scope="module")
def arms(kept):
    return table(kept, "arms", "labels", "arm")


@pytest.fixture(scope="module")
def pairs(kept):
    return table(kept, "pairs", "labels", "arm", "beside")


def test_what_teaching_adds_to_correlation(kept, pairs, text):
    clean, lagging = (pairs.loc[labels, "taught, pearson", "alone, pearson"] for labels in ("clean", "lagging"))
    assert (f"by {clean.r_band:.2f} with clean labels (the three seeds: {clean.r_band_least:.2f} to "
            f"{clean.r_band_most:.2f}) and by {lagging.r_band:.2f} where labels lag ({lagging.r_band_least:.2f} to "
            f"{lagging.r_band_most:.2f})") in text
    assert clean.r_band_low > 0 and lagging.r_band_low > 0
    more = table(kept, "more", "arm", "beside").loc["taught, pearson", "alone, pearson"]
    assert f"by {more.r_band:.2f}, with {more.r_band_low:.2f} to {more.r_band_high:.2f} as its interval" in text
    assert f"worse by {clean.error:.1f}, where labels lag better by {-lagging.error:.1f}" in text
    assert holds_zero(clean, "error") and holds_zero(lagging, "error")


def test_with_dilate_a_control_without_a_teacher_gains_as_much(pairs, text):
    taught, control = (pairs.loc["clean", arm, "alone"] for arm in ("taught", "alone, label twice"))
    assert f"It is {taught.r_band:.2f}, and the control" in text and f"gains the same {control.r_band:.2f}" in text
    assert abs(pairs.r_band["clean", "taught", "alone, label twice"]) < 0.01
    lagging = pairs.loc["lagging", "taught", "alone, label twice"]
    assert f"Where labels lag the teacher adds {lagging.r_band:.2f}" in text and lagging.r_band_low > 0
    assert (f"takes {-lagging.error:.1f} bpm off its error ({-lagging.error_high:.1f} to {-lagging.error_low:.1f})"
            in text) and lagging.error_high < 0


def test_which_part_helps_depends_on_the_loss(pairs, text):
    assert pairs.r_band_high["clean", "without imitate", "taught"] < 0
    assert pairs.r_band["clean", "without imitate", "alone"] < 0
    imitation, looks, both = (pairs.loc["clean", arm, "alone, pearson"] for arm in (
        "pearson, only imitate", "pearson, without imitate", "taught, pearson"))
    assert f"imitation alone gains {imitation.r_band:.2f}, and attention with similarity, without it, " \
           f"{looks.r_band:.2f} of the {both.r_band:.2f}" in text
    assert holds_zero(imitation, "r_band") and looks.r_band_low > 0
    assert holds_zero(pairs.loc["clean", "pearson, gated", "taught, pearson"], "r_band")


def test_dilate_is_the_poorer_loss_however_it_is_set(arms, pairs, text):
    clean, lagging = (pairs.loc[labels, "alone", "alone, pearson"] for labels in ("clean", "lagging"))
    assert f"{-clean.r_band:.2f} less $r$ and eight beats per minute" in text and round(clean.error) == 8
    assert clean.r_band_high < 0 < clean.error_low and lagging.r_band < 0 < lagging.error
    for arm in ("alpha 1.0", "alpha 0.0", "gamma 0.01", "gamma 1.0"):
        assert pairs.r_band["clean", f"alone, {arm}", "alone"] < 0.01
    assert arms.r_band["clean", "alone, alpha 0.008"] < 0.1 and "$r$ is about zero" in text
    assert abs(pairs.r_band["clean", "alone, mse", "alone, pearson"]) < 0.02


def test_how_teacher_and_students_stand_beside_pos(kept, arms, pairs, text):
    clean = arms.r_band["clean"]
    assert clean["teacher"] > clean["pos"] > clean.drop(["teacher", "pos"]).max()
    assert pairs.r_band_high["lagging", "teacher", "pos"] < 0
    rows = pd.DataFrame(kept.tables["arms"])
    errors = rows[rows.labels == "clean"].pivot(index="scene", columns="arm", values="error")
    assert f"misses the compressed films by {errors.pos['compressed']:.0f} (the teacher by " \
           f"{errors.teacher['compressed']:.0f})" in text
    others = errors.drop(["compressed", "all"])
    assert others.pos.max() < 1 and round(others.teacher.max()) == 7 and "misses by up to seven" in text
    for scene in ("talking", "turning", "light drift"):
        assert others.drop(columns=["teacher", "pos"]).loc[scene].min() > others.teacher[scene]


def test_what_the_page_on_gamma_says_of_training(pairs):
    page = " ".join((ROOT / "book" / "decisions" / "dilate-gamma.md").read_text("utf-8").split())
    low, high = (pairs.loc["clean", f"alone, gamma {gamma}", "alone"] for gamma in (0.01, 1.0))
    assert f"({low.r_band:.3f} more, {low.r_band_low:.3f} to {low.r_band_high:.3f})" in page
    assert f"({-high.r_band:.3f} less, {-high.r_band_high:.3f} to {-high.r_band_low:.3f})" in page


def test_what_is_said_of_error_against_time():
    kept = study("study_pareto")
    spent = pd.DataFrame(kept.tables["cost"]).set_index("method")
    errors = pd.DataFrame(kept.tables["errors"]).pivot(index="method", columns="scene", values="error")
    methods = spent.index[spent.kind == "method"]
    networks = spent.index[spent.kind == "network"]
    assert set(errors.still.nlargest(2).index) == {"codequery", "rhythmmamba"}
    assert errors.still.drop(["codequery", "rhythmmamba"]).max() < 0.5
    assert set(errors.index[errors.talking < 0.5]) == {"pos", "chrom", "pbv"}
    assert spent.ms_per_frame[methods].max() < 0.2 * spent.ms_per_frame[networks].min()
    text = told_in("07_distillation.ipynb", "7.1", "What we saw")
    student, teacher = spent.ms_per_frame["kdphys"], spent.ms_per_frame["physnet"]
    assert f"{teacher:.2f} ms a frame against {student:.2f}, and errs less" in text
    assert errors["all"]["physnet"] < errors["all"]["kdphys"]
