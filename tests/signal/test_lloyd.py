"""Lloyd's algorithm: the conditions of Lloyd and Max, an oracle, and all partitions of a few numbers."""

import itertools

import numpy as np
import pytest
from scipy.cluster.vq import kmeans2

from rppg_lib.signal import lloyd

HEAPS = {
    "normal": lambda rng: rng.normal(size=4000),
    "skewed": lambda rng: rng.gamma(2.0, size=4000),
    "sine": lambda rng: np.sin(rng.uniform(0, 7, 4000)),
    "mostly one value": lambda rng: np.concatenate([np.zeros(3600), rng.normal(size=400)]),
    "far from 0": lambda rng: 1e7 + rng.normal(size=4000),
    "in steps": lambda rng: rng.integers(0, 40, 4000) / 10,
}


def cells(values, codes):
    """Return the number of the nearest code of each value, of two equally near ones the lower."""
    return np.abs(values[:, None] - codes).argmin(-1)


def error(values, codes):
    return ((values - codes[cells(values, codes)]) ** 2).sum()


def lloyd_step(values, codes):
    """Return the means of the values that are nearest to each code."""
    return np.array([values[cells(values, codes) == code].mean() for code in range(len(codes))])


def pieces(values, count):
    """Yield (codes, error) of every way to cut ascending values into pieces."""
    for cuts in itertools.combinations(range(1, len(values)), count - 1):
        cut = np.split(values, cuts)
        yield np.array([piece.mean() for piece in cut]), sum(((piece - piece.mean()) ** 2).sum() for piece in cut)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 32])
@pytest.mark.parametrize("heap", HEAPS)
def test_each_code_is_the_mean_of_the_values_nearest_to_it(heap, count):
    values = HEAPS[heap](np.random.default_rng(1))
    codes = lloyd(values, count)
    assert codes.shape == (count,) and (np.diff(codes) > 0).all()
    assert np.abs(lloyd_step(values, codes) - codes).max() < 1e-6               # of a cell without values: a NaN


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [2, 3])
def test_of_all_partitions_of_a_few_numbers_it_finds_one_that_keeps_the_conditions(count, seed):
    values = np.sort(np.random.default_rng(seed).normal(size=8))
    codes = lloyd(values, count)
    ways = list(pieces(values, count))
    stable = [way for way, _ in ways if lloyd_step(values, way) == pytest.approx(way)]
    assert any(codes == pytest.approx(way) for way in stable)
    assert error(values, codes) >= min(cost for _, cost in ways) - 1e-12


def test_well_separated_heaps_are_found_exactly():
    middles = np.array([-9.0, -2.0, 3.0, 10.0])
    values = (middles[:, None] + np.random.default_rng(0).uniform(-1, 1, (4, 50))).ravel()
    found, lowest = min(pieces(np.sort(values)[::10], 4), key=lambda way: way[1])
    assert lloyd(np.sort(values)[::10], 4) == pytest.approx(found)
    assert np.abs(lloyd(values, 4) - values.reshape(4, 50).mean(-1)).max() < 1e-12


@pytest.mark.parametrize("count", [2, 5, 16])
@pytest.mark.parametrize("heap", ["normal", "skewed", "sine"])
def test_it_ends_where_another_implementation_ends_from_the_same_start(heap, count):
    values = HEAPS[heap](np.random.default_rng(2))
    start = np.quantile(values, (np.arange(count) + 0.5) / count)
    expected, _ = kmeans2(values[:, None], start[:, None], iter=2000, minit="matrix")
    assert lloyd(values, count) == pytest.approx(expected[:, 0], abs=1e-9)


def test_two_codes_of_a_normal_heap_lie_where_max_has_them():
    values = np.random.default_rng(3).normal(size=400_000)
    assert lloyd(values, 2) == pytest.approx([-0.7979, 0.7979], abs=0.005)
    assert lloyd(values, 4) == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=0.01)


def test_order_scale_and_offset_of_the_values_are_no_matter():
    values = HEAPS["skewed"](np.random.default_rng(4))
    codes = lloyd(values, 8)
    assert lloyd(values[::-1].reshape(40, 100), 8) == pytest.approx(codes, abs=1e-12)
    assert lloyd(50 - 3 * values, 8) == pytest.approx(50 - 3 * codes[::-1], abs=1e-6)


def test_a_code_that_loses_all_its_values_is_put_to_use_again():
    # It begins at the quantiles 24, 33.5 and 39, and nothing is nearest to the second.
    values = np.repeat([17.0, 24.0, 28.0, 39.0], [3, 2, 6, 11])
    assert lloyd(values, 3) == pytest.approx([17, 27, 39])
    for heap, count in (([-10.0, -1, 1, 10, 10.5], 5), ([0.0, 0.1, 50, 51], 4)):
        assert lloyd(np.repeat(heap, 7), count) == pytest.approx(heap)


def test_as_many_codes_as_different_values_are_these_values():
    assert lloyd([3, 1, 1, 1, 2, 1, 1, 1, 1], 3).tolist() == [1, 2, 3]
    assert lloyd([4.0, 8.0], 1).tolist() == [6]


@pytest.mark.parametrize("values, codes, error, told", [
    ([1, 1, 2, 2], 3, ValueError, "lloyd: needs at least 3 different values for 3 codes, got 2. Take fewer codes"),
    ([1.0, 2.0], 0, ValueError, "lloyd: codes must be a whole number of at least 1, got 0."),
    ([1.0, 2.0], 2.0, ValueError, "lloyd: codes must be a whole number of at least 1, got 2.0."),
    ([1.0, 2.0], True, ValueError, "lloyd: codes must be a whole number of at least 1, got True."),
    ([1.0, np.nan, 2.0], 2, ValueError, "lloyd: 1 of 3 values are NaN or infinite, first at frame 1."),
    ([], 1, ValueError, "lloyd: needs at least 1 frames"),
    ("abc", 2, TypeError, "lloyd: needs real numbers, got str"),
])
def test_what_cannot_be_done_is_said(values, codes, error, told):
    with pytest.raises(error) as caught:
        lloyd(values, codes)
    assert str(caught.value).startswith(told)
