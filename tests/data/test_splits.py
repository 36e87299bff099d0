"""Splits are of people: nobody twice, nobody lost, the same for the same seed in whatever order they come."""

import random

import pytest

from rppg_lib.data import Split, check_exclusive, k_folds, split_subjects
from rppg_lib.data.splits import shares_of

PEOPLE = [f"p{n:03d}" for n in range(40)]


def groups(split):
    return split.train, split.validation, split.test


@pytest.mark.parametrize("count", [3, 4, 5, 7, 10, 40])
@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.9, 0.0, 0.1), (0.8, 0.1, 0.1), (1, 0, 0)])
def test_everybody_is_in_one_group_and_each_wanted_group_has_somebody(count, shares):
    for seed in range(5):
        found = groups(split_subjects(PEOPLE[:count], shares=shares, seed=seed))
        assert sorted(name for group in found for name in group) == PEOPLE[:count]
        assert [bool(group) for group in found] == [share > 0 for share in shares]


def test_groups_have_their_shares():
    assert [len(group) for group in groups(split_subjects(PEOPLE))] == [28, 6, 6]
    assert [len(group) for group in groups(split_subjects(PEOPLE, shares=(0.5, 0.25, 0.25)))] == [20, 10, 10]


@pytest.mark.parametrize("text, shares", [("70/10/20", (0.7, 0.1, 0.2)), ("60/40", (0.6, 0, 0.4)), ("7/3", ValueError),
                                          ("100/0", ValueError), ("pure 60/40", None), ("60", None), ("60/40/", None)])
def test_a_text_of_percents_is_read_as_shares(text, shares):
    if shares is ValueError:
        with pytest.raises(ValueError, match=f"percent of the people that make 100, some to train .* got '{text}'"):
            shares_of(text)
    else:
        assert shares_of(text) == shares


def test_order_and_repetition_do_not_matter_and_the_seed_does():
    shuffled = PEOPLE * 3
    random.Random(1).shuffle(shuffled)
    assert split_subjects(shuffled, seed=4) == split_subjects(PEOPLE, seed=4)
    assert k_folds(shuffled, 5, seed=4) == k_folds(PEOPLE, 5, seed=4)
    assert len({split_subjects(PEOPLE, seed=seed).test for seed in range(20)}) == 20


def test_a_draw_prefers_nobody():
    tested = [name for seed in range(400) for name in split_subjects(PEOPLE, seed=seed).test]
    counts = [tested.count(name) for name in PEOPLE]                 # 60 expected of each, deviation 7.1
    assert 60 - 5 * 7.1 < min(counts) and max(counts) < 60 + 5 * 7.1


@pytest.mark.parametrize("k", [2, 3, 5, 7, 40])
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_each_person_tests_once(k, validation):
    splits = k_folds(PEOPLE, k, seed=1, validation=validation)
    assert len(splits) == k and sorted(name for split in splits for name in split.test) == PEOPLE
    for split in splits:
        assert split.train | split.validation | split.test == set(PEOPLE)
        assert bool(split.validation) == (validation > 0) and abs(len(split.test) - 40 / k) < 1


def test_somebody_in_two_groups_is_named():
    with pytest.raises(ValueError, match="split: train and test share 1 of 4 people: bob. A network would"):
        check_exclusive(train=["ann", "bob"], validation=["cy"], test=["dan", "bob"])
    with pytest.raises(ValueError, match="validation and test share 2 of 3 people: ann, cy"):
        Split(train={"bob"}, validation={"ann", "cy"}, test=["cy", "ann"])
    check_exclusive(train=["ann"], test=["bob"])


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda: split_subjects(["ann", "bob"]), ValueError, "needs at least 3 people for shares .* got 2. Add people"),
    (lambda: split_subjects([]), ValueError, "needs people, got none"),
    (lambda: split_subjects(PEOPLE, shares=(0.5, 0.2, 0.2)), ValueError, "three numbers that make 1"),
    (lambda: split_subjects(PEOPLE, shares=(0, 0.5, 0.5)), ValueError, "the first above 0"),
    (lambda: split_subjects(PEOPLE, shares=(1.2, -0.1, -0.1)), ValueError, "three numbers that make 1"),
    (lambda: split_subjects(PEOPLE, seed=-1), ValueError, "seed must be a whole number"),
    (lambda: split_subjects("ann"), TypeError, "needs the names of people"),
    (lambda: split_subjects([1, 2, 3]), TypeError, "Those of a store are store.subjects"),
    (lambda: k_folds(PEOPLE, 41), ValueError, "from 2 to the number of people, 40, got 41"),
    (lambda: k_folds(PEOPLE, 1), ValueError, "got 1"),
    (lambda: k_folds(PEOPLE, 5, validation=1), ValueError, "a share from 0 to below 1"),
])
def test_splits_that_cannot_be_are_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()
