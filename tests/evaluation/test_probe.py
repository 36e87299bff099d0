"""The linear guess at a person: it finds what is there, nothing where nothing is, and is what scikit-learn makes."""

import numpy as np
import pytest

from rppg_lib.evaluation import identity_probe


def samples(people=8, parts=3, each=4, dims=12, face=0.0, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat([f"p{k}" for k in range(people)], parts * each)
    where = np.tile(np.repeat([f"scene {k}" for k in range(parts)], each), people)
    faces = rng.normal(size=(people, dims))
    features = rng.normal(size=(len(who), dims)) + face * np.repeat(faces, parts * each, 0)
    return features, who, where


def test_people_whose_features_differ_are_known_again_in_every_part():
    found = identity_probe(*samples(face=5.0))
    assert found.accuracy == 1.0 == min(found.parts.values()) and found.chance == 1 / 8
    assert set(found.parts) == {"scene 0", "scene 1", "scene 2"} and found.right.all()


def test_where_nothing_tells_people_apart_it_guesses_by_chance():
    shares = [identity_probe(*samples(seed=seed)).accuracy for seed in range(20)]
    assert np.mean(shares) == pytest.approx(1 / 8, abs=0.03)


def test_what_only_marks_the_part_does_not_help():
    features, who, where = samples(face=0.0)
    marked = features + 50 * (where == "scene 1")[:, None]
    assert identity_probe(marked, who, where).accuracy < 0.3


def test_it_is_scikit_learns_ridge_classifier():
    linear = pytest.importorskip("sklearn.linear_model")
    features, who, where = samples(face=0.4, seed=3)
    found = identity_probe(features, who, where, ridge=0.5)
    for part in np.unique(where):
        known, asked = where != part, where == part
        mean, spread = features[known].mean(0), features[known].std(0)
        theirs = linear.RidgeClassifier(alpha=0.5 * known.sum()).fit((features[known] - mean) / spread, who[known])
        right = theirs.predict((features[asked] - mean) / spread) == who[asked]
        np.testing.assert_array_equal(found.right[asked], right)


def test_neither_scale_nor_offset_of_a_feature_matters_and_a_constant_one_does_no_harm():
    features, who, where = samples(face=0.5)
    want = identity_probe(features, who, where).right
    other = np.column_stack([1000 * features + 7, np.full(len(features), 3.0)])
    np.testing.assert_array_equal(identity_probe(other, who, where).right, want)


@pytest.mark.parametrize("change, text", [
    (lambda f, w, p: (f[:, 0], w, p), r"needs features \(N, D\) with N people and N parts"),
    (lambda f, w, p: (f[:-1], w, p), r"needs features \(N, D\) with N people and N parts"),
    (lambda f, w, p: (np.where(np.arange(len(f))[:, None] < 2, np.nan, f), w, p), "2 of 96 samples have NaN"),
    (lambda f, w, p: (f, np.full(len(f), "one"), p), "needs two people and two parts at least, got 1 and 3"),
    (lambda f, w, p: (f, w, np.where(w == "p3", "alone", p)), "p3 occurs in part alone only")])
def test_what_cannot_be_probed_is_refused(change, text):
    with pytest.raises(ValueError, match=f"identity_probe: .*{text}"):
        identity_probe(*change(*samples()))
