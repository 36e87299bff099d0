"""What notebook 08 says of the study of faces is what the kept study found."""

import pandas as pd
import pytest

from .kept import holds_zero, study, told_in


@pytest.fixture(scope="module")
def kept():
    return study("study_faces")


@pytest.fixture(scope="module")
def text():
    return told_in("08_faces.ipynb", "8.6", "8.8")


def table(kept, name, *index, seen=False):
    rows = pd.DataFrame(kept.tables[name])
    return rows[rows.seen == seen].set_index(list(index)).sort_index()


@pytest.fixture(scope="module")
def arms(kept):
    return table(kept, "arms", "trained", "judged", "arm")


@pytest.fixture(scope="module")
def pairs(kept):
    return table(kept, "pairs", "trained", "judged", "arm", "beside")


def networks(rows):
    """Leave out POS, and networks that were judged with another's face."""
    return rows[(rows.index != "pos") & ~rows.index.str.contains("another's face")]


def test_where_people_move_all_are_alike_at_home(arms, text):
    home = networks(arms.loc["moving", "moving"]).drop("rate from 20 bpm")
    assert f"{home.error.min():.2f} to {home.error.max():.2f} bpm" in text
    assert f"which has {arms.error['moving', 'moving', 'rate from 20 bpm']:.1f}" in text
    assert home.r_band.max() - home.r_band.min() < 0.01
    assert f"POS has {arms.error['moving', 'moving', 'pos']:.2f} there" in text


def test_pos_fails_where_a_screens_colour_beats_and_nowhere_else(kept):
    scenes = table(kept, "scenes", "arm", "judged", "scene").error["pos"].groupby(level=("judged", "scene")).mean()
    assert scenes["light", "screen light"] > 20 and scenes.drop(("light", "screen light")).max() < 1


def test_where_lamps_change_one_training_of_three_fails_in_five_arms(arms, text):
    home = networks(arms.loc["light", "light"]).drop("rate from 20 bpm")
    failed = home[home.error_most > 20]
    assert set(failed.index) == {"physnet", "noise", "not asked who", "stage 1", "stage 2"}
    assert f"by {failed.error_most.min():.0f} to {failed.error_most.max():.0f} bpm" in text
    others = 3 * failed.error - failed.error_most - failed.error_least          # the middle one of three
    assert max(others.max(), home.drop(failed.index).error_most.max()) < 9 and home.error_least.min() > 0.25


def test_a_second_task_costs_something_and_the_face_does_not_win_it_back(pairs, text):
    away = [pairs.loc[where + ("face apart", "neither")] for where in (("moving", "light"), ("light", "moving"))]
    assert "by {:.2f} and {:.2f} in $r$".format(*(-row.r_band for row in away)) in text
    assert all(row.r_band_high < 0 for row in away)
    back = pairs.xs("stage 3", level="arm").xs("face apart", level="beside")
    assert f"{abs(back.r_band.max()):.2f} to {-back.r_band.min():.2f} less $r$" in text
    assert all(holds_zero(row, "r_band") for _, row in back.iterrows())
    unasked = pairs.xs("stage 3", level="arm").xs("not asked who", level="beside")
    apart = unasked[[not holds_zero(row, "r_band") for _, row in unasked.iterrows()]]
    assert len(apart) == 1 and f"without the question $r$ is higher by {-apart.r_band.iloc[0]:.2f} in one pair" in text
    none = pairs.xs("stage 3", level="arm").xs("neither", level="beside")
    elsewhere = none.drop(("moving", "moving"))
    assert f"{-elsewhere.r_band.max():.2f} to {-elsewhere.r_band.min():.2f} less everywhere but at home" in text
    assert (elsewhere.r_band_high < 0).all() and holds_zero(none.loc["moving", "moving"], "r_band")


def test_whose_face_it_is_does_not_matter(pairs, text):
    other = pairs.xs("stage 3, another's face", level="arm")
    assert f"own $r$ changes by {other.r_band.abs().max():.3f} at most" in text
    assert all(holds_zero(row, "r_band") for _, row in other.iterrows())


def test_noise_an_early_face_and_an_early_rate(pairs, text):
    noise = pairs.xs("noise", level="arm").xs("neither", level="beside")
    assert (noise.r_band < 0).all() and (noise.r_band_high < 0).sum() == 1
    first, second, early = (pairs.xs(arm, level="arm").xs("stage 3", level="beside")
                            for arm in ("stage 1", "stage 2", "rate from 20 bpm"))
    under = first.loc["light"]
    assert "{:.2f} and {:.2f} less $r$ than stage 3".format(*sorted(-under.r_band)) in text
    assert (under.r_band_high < 0).all()
    apart = second[[not holds_zero(row, "r_band") for _, row in second.iterrows()]]
    assert len(apart) == 1 and (apart.r_band > 0).all()
    assert f"{-early.r_band.max():.2f} to {-early.r_band.min():.2f} less $r$ with a start at 20" in text


def test_features_of_a_pulse_hardly_tell_whose_it_is(kept, text):
    probes = pd.DataFrame(kept.tables["probes"])
    means = probes.groupby(["arm", "seen"]).accuracy.mean()
    trained, untrained = means.drop("untrained").unstack(), means["untrained"]
    strangers, known = trained[False], trained[True]
    assert f"strangers are guessed in {strangers.min():.2f} to {strangers.max():.2f} of clips" in text
    assert f"people learned from in {known.min():.2f} to {known.max():.2f}" in text
    assert f"do it in {untrained[True]:.2f} and {untrained[False]:.2f}" in text
    named = probes[(probes.arm == "stage 3") & probes.seen].named.mean()
    assert 0.55 < named < 0.65 and "names six in ten" in text


def test_people_it_has_learned_from_are_read_no_better(kept, arms):
    seen = table(kept, "arms", "trained", "judged", "arm", seen=True)
    where = ("moving", "moving")
    assert (networks(seen.loc[where]).error > networks(arms.loc[where]).error).all()
    scenes = table(kept, "scenes", "trained", "judged", "arm", "scene", seen=True).error.unstack("scene")
    under = networks(seen.loc["light", "light"]).join(networks(arms.loc["light", "light"]), rsuffix="_strangers")
    assert (under.error < under.error_strangers).sum() > len(under) / 2
    assert (under.r_band - under.r_band_strangers).max() < 0.02
    learned = networks(scenes.loc[where]).drop("rate from 20 bpm")
    assert (learned.talking > 5).all() and (learned.still < 0.4).all() and (learned.turning < 0.4).all()
