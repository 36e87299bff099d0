"""Appearances: drawn by seed and family, and refused with one clear error."""

import dataclasses

import numpy as np
import pytest

from rppg_lib.simulate.faces.looks import Look, look


def test_a_seed_is_always_the_same_face_and_another_seed_another_one():
    assert look(5) == look(5)
    assert look(5) != look(6)


def test_a_changed_field_changes_nothing_else():
    changed = look(5, glasses=0.9)
    assert dataclasses.replace(changed, glasses=look(5).glasses) == look(5)


def test_family_b_has_longer_heads_other_rooms_and_cameras_farther_away():
    first, second = ([look(seed, family=family) for seed in range(40)] for family in "AB")
    for name, sign in (("length", 1), ("distance", 1), ("nose_width", -1), ("eye_at", -1), ("key", -1)):
        means = [np.mean([getattr(each, name) for each in faces]) for faces in (first, second)]
        assert sign * (means[1] - means[0]) > 0, name
    assert {each.room for each in first}.isdisjoint(each.room for each in second)


def test_about_a_quarter_wears_glasses():
    assert 0.17 < np.mean([look(seed).glasses > 0 for seed in range(300)]) < 0.33


def test_a_wrong_name_is_answered_with_the_right_one():
    with pytest.raises(TypeError, match="look: has no field 'hair_stile'. Did you mean 'hair_style'?"):
        look(0, hair_stile="bald")


@pytest.mark.parametrize("change", [{"hair_style": "punk"}, {"width": float("nan")}, {"room": "garden"}])
def test_a_wrong_value_names_the_field(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        look(0, **change)
    with pytest.raises(ValueError, match="family must be one of A, B"):
        look(0, family="C")


def test_the_default_look_is_valid():
    assert Look(seed=0).family == "A"


def test_the_package_gives_the_function_that_draws_looks_whatever_was_imported_before():
    from rppg_lib.simulate import faces
    from rppg_lib.simulate.faces import film_stage, looks

    assert faces.look is looks.look
    assert film_stage.Stage().face(5) == looks.look(5)
