"""What notebook 06 says of the study of quantised labels is what the kept study found."""

import pandas as pd
import pytest

from rppg_lib import results

from ..checkout import ROOT


@pytest.fixture(scope="module")
def arms():
    kept = results.load(ROOT / "results" / "study_labels.small.json")
    assert kept.config["seeds"] >= 3 and kept.data.startswith("simulated")
    return pd.DataFrame(kept.tables["arms"]).set_index(["damage", "arm"])


def test_labels_in_steps_beat_raw_ones_by_a_tenth_at_0_db_and_by_more_where_labels_are_worse(arms):
    gain = arms.xs("quantised", level="arm").r_band_gain
    assert gain["mixed, 0 dB"] == pytest.approx(0.1, abs=0.02) and gain["mixed, -5 dB"] > gain["mixed, 0 dB"]
    assert arms.r_band_gain_low["mixed, 0 dB", "quantised"] > 0.05


def test_the_filter_alone_gains_about_as_much_and_two_thirds_of_it_from_labels_with_nothing_wrong(arms):
    filtered = arms.xs("filtered", level="arm").r_band_gain
    assert abs(filtered["mixed, 0 dB"] - arms.r_band_gain["mixed, 0 dB", "quantised"]) < 0.03
    assert 0.55 < filtered["none"] / filtered["mixed, 0 dB"] < 0.8
    assert abs(arms.r_gain["mixed, 0 dB", "filtered"]) < 0.03 > abs(arms.r_gain["mixed, 0 dB", "quantised"])


def test_supervising_every_guess_adds_nothing_to_the_filter(arms):
    for damage in ("none", "mixed, 0 dB", "mixed, -5 dB", "spikes, -5 dB", "lost contact, half"):
        assert arms.r_band[damage, "deep"] < arms.r_band[damage, "filtered"] + 0.01


@pytest.mark.parametrize("damage", ["mixed, 0 dB", "spikes, -5 dB"])
def test_a_loss_frame_by_frame_without_steps_is_as_good_as_five_bits_at_the_last_guess(arms, damage):
    assert abs(arms.r_band[damage, "filtered, by sample"] - arms.r_band[damage, "last quantised"]) < 0.02
    assert arms.r_band[damage, "last quantised"] > arms.r_band[damage, "quantised"]


def test_against_spikes_steps_gain_a_tenth_and_the_filter_next_to_nothing(arms):
    gain = arms.r_band_gain["spikes, -5 dB"]
    assert gain["quantised"] == pytest.approx(0.1, abs=0.03) and abs(gain["filtered"]) < 0.03


def test_a_lag_of_its_own_in_each_recording_ruins_every_arm(arms):
    assert (arms.r_band["lag, 0.3 s"].abs() < 0.2).all()


def test_pseudo_labels_do_as_well_as_filtered_contact_labels_at_0_db(arms):
    assert abs(arms.r_band["mixed, 0 dB", "pos"] - arms.r_band["mixed, 0 dB", "filtered"]) < 0.03
