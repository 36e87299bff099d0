"""``rppg simulate``: a training set on disk, and words that say where it is and what it lacks."""

import argparse
import warnings
from types import SimpleNamespace

import pytest

from rppg_lib import simulate_command
from rppg_lib.data import ClipStore
from rppg_lib.simulate import SCENES
from rppg_lib.simulate_command import PROFILES, profile_of

TINY = ("--people", 2, "--seconds", 2, "--scenes", "still,dark", "--size-px", 16, "--jobs", 1)


def arguments(*words):
    parser = argparse.ArgumentParser()
    simulate_command.add_options(parser)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture
def simulate(tmp_path):
    def call(*words):
        said = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")                           # it says things itself, once
            fine = simulate_command.run(arguments(*words, "--out", tmp_path), said.append)
        return SimpleNamespace(fine=fine, text="\n".join(said), lines="\n".join(said).splitlines())
    return call


def test_it_makes_a_store_and_says_where_and_how_large(simulate, tmp_path):
    result = simulate(*TINY)
    store = ClipStore.open(result.lines[0])
    assert result.fine and store.path.parent == tmp_path and store.path.name.startswith("simulated-quick-")
    assert result.lines[1].split(", ")[:2] == ["  4 recordings of 2 people", "240 frames of 16x16 px at 30 fps"]
    assert [(r.subject, r.condition, r.frames, r.size_px) for r in store.records] == [
        (who, scene, 60, (16, 16)) for who in ("sim0000", "sim0001") for scene in ("still", "dark")]
    assert all(45 <= r.facts["hr_bpm"] <= 150 for r in store.records)


def test_the_same_command_gives_the_same_store_and_another_option_another(simulate):
    one = (*TINY, "--people", 1, "--scenes", "still")
    first = simulate(*one).lines[0]
    assert simulate(*one).lines[0] == first
    others = [("--seed", 1), ("--difficulty", 0.5), ("--label-faults", "late")]
    assert len({first, *(simulate(*one, *other).lines[0] for other in others)}) == 4


def test_faulty_labels_are_known_to_be_faulty(simulate):
    store = ClipStore.open(simulate(*TINY, "--label-faults", "late").lines[0])
    assert {record.facts["label_lag_s"] for record in store.records} == {0.25}
    assert (store.clip(0, clean=True).label != store.clip(0).label).any()


def test_what_fails_is_counted_and_named(simulate):
    result = simulate(*TINY, "--size-px", 17, "--scenes", "still, compressed")       # H.264 needs even sizes
    assert not result.fine
    assert "2 recordings of 2 people" in result.text and "2 of 4 recordings failed" in result.text
    assert "sim0000 compressed 0: ValueError: film: H.264 needs pictures of even width" in result.text


@pytest.mark.parametrize(("words", "says"), [
    (("--people", 0), "--people must lie between 1 and 1e\\+06, got 0"), (("--seconds", 0), "--seconds must lie"),
    (("--fs", "nan"), "--fs must lie between 5 and 1000, got nan"), (("--size-px", 3), "--size-px must lie between 8"),
    (("--difficulty", -1), "--difficulty must lie"), (("--scenes", "still,still"), "different scenes, got still"),
    (("--scenes", "sunny"), "no scene 'sunny'"),
    (("--label-faults", "bad"), "no faults 'bad'"), (("--jobs", 0), "--jobs must be at least 1"),
])
def test_wrong_options_are_said_before_anything_is_made(simulate, tmp_path, words, says):
    with pytest.raises(ValueError, match=says):
        simulate(*TINY, *words)
    assert list(tmp_path.iterdir()) == []


def test_options_take_the_place_of_a_profile_s_values_and_of_nothing_else():
    assert profile_of(arguments()) == PROFILES["quick"]
    assert profile_of(arguments("--profile", "full")) == PROFILES["full"]
    changed = profile_of(arguments("--people", 3, "--scenes", "dark", "--seed", 0, "--difficulty", 0))
    assert (changed.people, changed.scenes, changed.seed, changed.difficulty) == (3, ("dark",), 0, 0)
    assert (changed.seconds, changed.size_px) == (PROFILES["quick"].seconds, PROFILES["quick"].size_px)


def test_profiles_have_scenes_that_exist_and_the_sizes_that_are_promised():
    quick, full = PROFILES["quick"], PROFILES["full"]
    for profile in (quick, full):
        assert set(profile.scenes) <= set(SCENES)
        assert profile.seconds * profile.fs >= 2 * 128               # two windows of most networks
        assert profile.people >= 10                                  # enough to split by person
    assert quick.recordings * quick.seconds * quick.fs * quick.size_px**2 * 3 == pytest.approx(37.3e6, rel=0.01)
    assert full.recordings * full.seconds * full.fs * full.size_px**2 * 3 == pytest.approx(26.5e9, rel=0.01)
    assert full.people >= 200 and full.size_px == 128
