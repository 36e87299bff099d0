"""Recorded films take the place of a notebook's simulated ones: divided by person, and what is left out is named."""

from dataclasses import replace

import pytest

from rppg_lib.data import ClipSource, Windows, build_store, find_store, recorded_films
from rppg_lib.types import Lent

from .pieces import clip

RATE = "not about 30 pictures per second, as most have (rppg data build --fps makes one rate of all)"
PEOPLE = [f"pure {number:02d}" for number in range(1, 11)]


def recordings(people=PEOPLE, *, scenes=("steady", "talking"), **kinds):
    """A recording of each person in each scene."""
    return [replace(clip(f"{who} {scene}", subject=who, **{"size": (8, 8), "frames": 60, **kinds}), condition=scene,
                    dataset="pure") for who in people for scene in scenes]


def stored(clips, folder, name="films"):
    return build_store([ClipSource(clip=each) for each in clips], folder, name=name, jobs=1, progress=False)


def test_people_are_divided_and_each_is_in_one_group(tmp_path):
    store = stored(recordings(), tmp_path)
    films = recorded_films(str(store.path), frames=60, seed=3)
    assert [len(films.split[group]) for group in ("train", "validation", "test")] == [6, 2, 2]
    assert sorted(sum(films.split.values(), [])) == PEOPLE
    assert (films.fs, films.size_px, films.scenes, films.left_out) == (30.0, 8, ("steady", "talking"), {})
    assert [record.id for record in films.store.records] == [record.id for record in store.records]
    assert films.split == recorded_films(str(store.path), frames=60, seed=3).split
    assert films.split != recorded_films(str(store.path), frames=60, seed=4).split
    assert "10 people" not in films.told and "6 to learn from, 2 to validate by, 2 to judge by" in films.told


def test_a_published_division_is_kept_and_who_validates_comes_from_those_who_train(tmp_path):
    films = recorded_films(str(stored(recordings(), tmp_path).path), division="pure 60/40")
    assert films.split["test"] == PEOPLE[6:]
    assert sorted(films.split["train"] + films.split["validation"]) == PEOPLE[:6] and films.split["validation"]
    assert "pure 60/40" in films.told


def test_every_recording_that_cannot_be_used_is_counted_and_named_with_its_reason(tmp_path):
    strange = [replace(each, id=each.id.replace("pure", "guest"), subject="guest") for each in recordings(["pure 01"])]
    clips = [*recordings(PEOPLE[:7]), *recordings(PEOPLE[7:8], label=False), *recordings(PEOPLE[8:9], fs=25.0),
             *recordings(PEOPLE[9:], frames=50), *strange]
    films = recorded_films(str(stored(clips, tmp_path).path), division="pure 60/40", frames=60)
    assert films.left_out == {
        "pure 08 steady": "it has no label", "pure 08 talking": "it has no label",
        "pure 09 steady": RATE, "pure 09 talking": RATE,
        "pure 10 steady": "fewer than 60 pictures", "pure 10 talking": "fewer than 60 pictures",
        "guest 01 steady": "its person is in no group", "guest 01 talking": "its person is in no group"}
    assert {record.subject for record in films.store.records} == set(PEOPLE[:7])
    assert sorted(sum(films.split.values(), [])) == PEOPLE[:7] and films.split["test"] == PEOPLE[6:7]
    assert "1 to judge by" in films.told
    for each in films.left_out:
        assert each in str(films)
    assert "left out, it has no label: 2, pure 08 steady, pure 08 talking" in str(films)


def test_rates_that_differ_by_a_thousandth_are_one(tmp_path):
    clips = [*recordings(PEOPLE[:5]), *recordings(PEOPLE[5:], fs=30000 / 1001)]
    assert not recorded_films(str(stored(clips, tmp_path).path)).left_out


def test_with_one_condition_it_stands_for_both_scenes_and_those_of_the_test_decide(tmp_path):
    store = stored(recordings(scenes=("steady",)), tmp_path)
    assert recorded_films(str(store.path)).scenes == ("steady", "steady")
    clips = [*recordings(PEOPLE[:6], scenes=("moved",)), *recordings(PEOPLE[6:], scenes=("talking", "steady", "moved"))]
    films = recorded_films(str(stored(clips, tmp_path, "other").path), division="pure 60/40")
    assert films.scenes == ("moved", "talking")                      # in the order of the store, not of its test people


@pytest.mark.parametrize("seed", range(4))
def test_the_scenes_are_those_that_most_who_test_share_in_one_order_whoever_is_drawn(tmp_path, seed):
    clips = [each for each in recordings(scenes=("steady", "talking", "moved"))
             if each.condition != "steady" or each.subject not in PEOPLE[::2]]
    films = recorded_films(str(stored(clips, tmp_path).path), division="40/20/40", seed=seed)
    with_steady = sum(who in PEOPLE[1::2] for who in films.split["test"])
    assert films.scenes == (("steady", "talking") if with_steady == 4 else ("talking", "moved"))


def test_where_nobody_was_filmed_twice_one_scene_is_left(tmp_path):
    clips = [each for k, each in enumerate(recordings()) if k % 4 in (0, 3)]         # by turns steady and talking
    films = recorded_films(str(stored(clips, tmp_path).path), division="pure 60/40")
    assert films.scenes in {("steady", "steady"), ("talking", "talking")}


def test_shares_are_drawn_from_those_of_whom_something_can_be_used(tmp_path):
    clips = [*recordings(PEOPLE[:4]), *recordings(PEOPLE[4:], label=False)]
    path = str(stored(clips, tmp_path).path)
    for seed in range(5):
        films = recorded_films(path, division="50/25/25", seed=seed)
        assert [len(names) for names in films.split.values()] == [2, 1, 1] and len(films.left_out) == 12


def test_the_usual_rate_is_that_of_most_however_it_scatters(tmp_path):
    rates = [25.0, 25.0, *(30 + 0.004 * k for k in range(8))]
    clips = [each for who, fs in zip(PEOPLE, rates) for each in recordings([who], scenes=("steady",), fs=fs)]
    films = recorded_films(str(stored(clips, tmp_path).path))
    assert set(films.left_out) == {"pure 01 steady", "pure 02 steady"}
    assert len(Windows(films.store, frames=60)) == 8                 # which refuses two that are not one rate
    clips[-1] = replace(clips[-1], fs=30.034)                        # 0.11 % above the lowest
    films = recorded_films(str(stored(clips, tmp_path).path))
    assert set(films.left_out) == {"pure 01 steady", "pure 02 steady", "pure 10 steady"}


def test_pictures_that_are_lent_stay_lent(tmp_path):
    films = recorded_films(str(stored(recordings(), tmp_path).path))
    assert isinstance(films.store.clip(0).frames, Lent)


def test_what_cannot_be_done_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="needs the folder of a clip store, .*nowhere does not exist"):
        recorded_films(str(tmp_path / "nowhere"))
    store = stored(recordings(), tmp_path)
    with pytest.raises(ValueError, match="fold must lie between 1 and 1 for 'pure 60/40', got 2"):
        recorded_films(str(store.path), division="pure 60/40", fold=2)
    with pytest.raises(ValueError, match="there is none called 'pure 6040'"):
        recorded_films(str(store.path), division="pure 6040")
    with pytest.raises(ValueError, match="at least 1 to learn from, got 0; 1 to validate by.*fewer than 900 pictures"):
        recorded_films(str(store.path), division="pure 60/40", frames=900)
    with pytest.raises(ValueError, match="at least 9 to learn from, got 6. Not used: none. Choose another division"):
        recorded_films(str(store.path), learners=9)
    flat = stored(recordings(size=(8, 6)), tmp_path, "flat")
    with pytest.raises(ValueError, match="needs square pictures of one size, .*has 6 x 8"):
        recorded_films(str(flat.path))


def test_nothing_asked_for_is_nothing_and_any_is_the_first_there_is(tmp_path, monkeypatch):
    for part in ("notebooks", "rppg_lib", "data/cache"):
        (tmp_path / part).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert find_store("") is None and recorded_films("") is None
    assert find_store("auto") is None
    store = stored(recordings(), tmp_path / "data/cache")
    assert find_store("auto").path == store.path
    assert find_store(f"data/cache/{store.path.name}").path == store.path        # from the checkout on
    assert recorded_films("auto").store.path == store.path
