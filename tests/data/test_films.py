"""Recorded films take the place of a notebook's simulated ones: divided by person, and what is left out is named."""

from dataclasses import replace

import pytest

from rppg_lib.data import ClipSource, build_store, find_store, recorded_films
from rppg_lib.types import Lent

from .pieces import clip

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
        "pure 09 steady": "not 30 pictures per second, as most have",
        "pure 09 talking": "not 30 pictures per second, as most have",
        "pure 10 steady": "fewer than 60 pictures", "pure 10 talking": "fewer than 60 pictures",
        "guest 01 steady": "its person is in no group", "guest 01 talking": "its person is in no group"}
    assert {record.subject for record in films.store.records} == set(PEOPLE[:7])
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
    assert films.scenes == ("talking", "steady")


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
    with pytest.raises(ValueError, match="nobody could be used for train and validation and test.*fewer than 900"):
        recorded_films(str(store.path), frames=900)
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
