"""What notebook 06 says of the study of quantised labels is what the kept study found."""

import pandas as pd
import pytest

from .kept import study


@pytest.fixture(scope="module")
def arms():
    kept = study("study_labels")
    assert len({line["damage"] for line in kept.tables["arms"]}) == 11
    return pd.DataFrame(kept.tables["arms"]).set_index(["damage", "arm"])


@pytest.fixture(scope="module")
def pairs():
    kept = study("study_labels")
    return pd.DataFrame(kept.tables["pairs"]).set_index(["damage", "arm", "beside"])


def test_labels_in_steps_beat_raw_ones_at_0_db_by_0_06_to_0_13_and_by_more_where_there_is_more_of_that_noise(arms):
    gain = arms.xs("quantised", level="arm").r_band_gain
    assert gain["mixed, -5 dB"] > gain["mixed, 0 dB"] > gain["mixed, 5 dB"]
    assert round(arms.r_band_gain_low["mixed, 0 dB", "quantised"], 2) == 0.06
    assert round(arms.r_band_gain_high["mixed, 0 dB", "quantised"], 2) == 0.13


def test_against_the_whole_shape_labels_in_steps_lose_where_nothing_is_wrong_with_labels(arms):
    assert (arms.r_gain_high["none"][["filtered", "quantised", "deep"]] < 0).all()


def test_the_filter_alone_gains_about_as_much_and_two_thirds_of_it_from_labels_with_nothing_wrong(arms):
    filtered = arms.xs("filtered", level="arm").r_band_gain
    assert abs(filtered["mixed, 0 dB"] - arms.r_band_gain["mixed, 0 dB", "quantised"]) < 0.03
    assert 0.55 < filtered["none"] / filtered["mixed, 0 dB"] < 0.8
    assert abs(arms.r_gain["mixed, 0 dB", "filtered"]) < 0.03 > abs(arms.r_gain["mixed, 0 dB", "quantised"])


def test_supervising_every_guess_adds_nothing_to_the_filter(pairs):
    more = pairs.xs(("deep", "filtered"), level=("arm", "beside"))
    assert len(more) == 11 and (more.r_band < 0.01).all() and (more.r_band_low < 0).all()


@pytest.mark.parametrize("damage", ["mixed, 0 dB", "spikes, -5 dB"])
def test_a_loss_frame_by_frame_without_steps_is_as_good_as_five_bits_at_the_last_guess(arms, damage):
    assert abs(arms.r_band[damage, "filtered, by sample"] - arms.r_band[damage, "last quantised"]) < 0.02
    assert arms.r_band[damage, "last quantised"] > arms.r_band[damage, "quantised"]


def test_with_half_of_the_label_lost_something_is_left_for_steps(pairs):
    left = pairs.xs(("quantised", "deep, by sample"), level=("arm", "beside"))
    assert len(left) == 4 and left.r_band.idxmax() == "lost contact, half"
    assert left.r_band["lost contact, half"] == pytest.approx(0.05, abs=0.01)
    assert left.r_band_low["lost contact, half"] > 0.01
    assert (left.r_band.drop("lost contact, half") < 0.03).all()


def test_against_spikes_steps_gain_a_tenth_and_the_filter_next_to_nothing(arms):
    gain = arms.r_band_gain["spikes, -5 dB"]
    assert gain["quantised"] == pytest.approx(0.1, abs=0.03) and abs(gain["filtered"]) < 0.03


def test_a_lag_of_its_own_in_each_recording_ruins_every_arm(arms):
    assert (arms.r_band["lag, 0.3 s"].abs() < 0.2).all()
    cost = arms.r_band["none"] - arms.r_band["lag, 0.15 s"]
    assert (cost.dropna() > 0.1).all()


def test_pseudo_labels_do_as_well_as_filtered_contact_labels_at_0_db(arms):
    assert abs(arms.r_band["mixed, 0 dB", "pos"] - arms.r_band["mixed, 0 dB", "filtered"]) < 0.03
