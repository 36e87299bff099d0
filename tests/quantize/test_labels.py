"""Labels in steps: where codes lie, what is lost, nesting, soft and hard, the filter before them."""

import functools
import warnings

import numpy as np
import pytest
import torch

from rppg_lib import signal
from rppg_lib.data import SimulatedPulses
from rppg_lib.quantize import LabelCodes, LabelFilter, LabelLevels
from rppg_lib.quantize.labels import KINDS

from .vectors import noise, same_bits, state

BITS = (1, 2, 3, 4, 5)
LEAST_DB = {1: 5.5, 2: 10.5, 3: 15.5, 4: 21.0, 5: 26.0}
INFINITY = float("inf")


@functools.cache
def raw(count=300, seed=5):
    return SimulatedPulses(count, seed=seed).batch(range(count)).label


@functools.cache
def waves(count=300, seed=5):
    """Return clean labels of simulated people, prepared, in float64 that float32 holds."""
    return LabelFilter()(raw(count, seed), 30.0).double()


@functools.cache
def fitted(kind="lloyd", nested=False):
    return LabelLevels.fit(waves(), kind=kind, nested=nested)


def sqnr_db(values, quantised):
    return float(10 * torch.log10(values.square().mean() / (quantised - values).square().mean()))


def hostile_values(levels, count=20_000):
    """Return random numbers, far ones, and for each edge of each level itself and its neighbours in float32."""
    edges = torch.cat([levels[bits].edges for bits in levels.bits])
    up, down = (edges.nextafter(torch.full_like(edges, end)) for end in (INFINITY, -INFINITY))
    far = torch.tensor([-1e30, -100.0, 0.0, 100.0, 1e30])
    return torch.cat([noise(count, scale=1.5), edges, up, down, far])


# Lloyd's conditions, and what is lost

@pytest.mark.parametrize("bits", BITS)
def test_codes_of_lloyd_are_the_means_of_their_cells_and_edges_lie_half_way(bits):
    level, values = fitted()[bits], waves()
    indices = level.query(values)
    means = torch.stack([values[indices == code].mean() for code in range(2 ** bits)])
    torch.testing.assert_close(level.codes.double(), means, rtol=0, atol=1e-6)
    torch.testing.assert_close(level.edges, (level.codes[1:] + level.codes[:-1]) / 2, rtol=0, atol=1e-6)
    nearest = (values[..., None] - level.codes).abs().argmin(-1)
    assert (indices == nearest).float().mean() > 0.99999             # but for values that lie on an edge


def test_enough_of_the_label_is_left_at_each_number_of_bits():
    strangers = waves(100, 77)                                       # people whose waves were not fitted
    for levels, values in ((fitted(), waves()), (fitted(), strangers), (fitted(nested=True), values_of_all())):
        left = [sqnr_db(values, levels[bits](values).values) for bits in BITS]
        assert all(db >= LEAST_DB[bits] for db, bits in zip(left, BITS)), left
        assert (np.diff(left) >= 4.5).all(), left


def values_of_all():
    return torch.cat([waves(), waves(100, 77)])


@pytest.mark.parametrize("kind", ["quantile", "uniform", "mulaw"])
@pytest.mark.parametrize("bits", BITS)
def test_no_kind_loses_less_than_lloyd(kind, bits):
    values = waves()
    assert sqnr_db(values, fitted(kind)[bits](values).values) <= sqnr_db(values, fitted()[bits](values).values) + 1e-6


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("limit", [2.5, 1.0])
def test_within_its_limits_an_even_quantiser_errs_by_half_a_step_at_most_and_reaches_it(bits, limit):
    values = torch.linspace(-limit, limit, 100_001)
    bound = 2 * limit / 2 ** (bits + 1)
    for levels in (LabelLevels.even(BITS, limit=limit), LabelLevels.fit(waves(), kind="uniform", limit=limit)):
        errors = (levels[bits](values).values - values).abs()
        assert errors.max() <= bound * (1 + 1e-6) and errors.max() > 0.999 * bound
    assert LabelLevels.even((1, 3))[3].codes.tolist() == pytest.approx(np.arange(-2.1875, 2.5, 0.625))


@pytest.mark.parametrize("bits", BITS)
def test_mulaw_codes_and_edges_are_even_after_compression(bits):
    level = fitted("mulaw")[bits]
    for places, first in ((level.codes, 1), (level.edges, 2)):
        x = places.double().numpy() / 2.5
        compressed = np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)
        assert compressed == pytest.approx((np.arange(first, 2 ** (bits + 1), 2) / 2 ** bits - 1), abs=1e-6)


@pytest.mark.parametrize("bits", BITS)
def test_quantile_cells_hold_equal_shares_and_their_means(bits):
    level, values = fitted("quantile")[bits], waves()
    indices = level.query(values)
    counts = indices.flatten().bincount(minlength=2 ** bits)
    assert counts.max() - counts.min() <= 2
    means = torch.stack([values[indices == code].mean() for code in range(2 ** bits)])
    torch.testing.assert_close(level.codes.double(), means, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", [3, 4, 5])
def test_the_heart_rate_is_left_where_it_was(bits):
    clips = waves(100, 77).numpy()
    said = fitted()[bits](waves(100, 77)).values.numpy()
    true, found = (np.array([signal.hr_from_spectrum(wave, fs=30) for wave in both]) for both in (clips, said))
    assert (np.abs(found - true) < 0.3).mean() >= 0.95


# Nesting

@pytest.mark.parametrize("kind", KINDS)
def test_a_nested_number_begins_with_the_coarser_one_for_every_number_there_is(kind):
    levels = fitted(kind, nested=True)
    for values in (waves(), noise(5000, seed=3).double(), hostile_values(levels), hostile_values(levels).bfloat16()):
        finest = levels[5].query(values)
        assert all((finest >> (5 - bits)).equal(levels[bits].query(values)) for bits in BITS)


def test_lloyd_levels_on_their_own_are_not_nested():
    finest = fitted()[5].query(waves())
    agree = [((finest >> (5 - bits)) == fitted()[bits].query(waves())).float().mean().item() for bits in (1, 2, 3, 4)]
    assert max(agree) < 1 and min(agree) > 0.5


def test_the_finest_nested_level_is_that_of_lloyd_and_the_others_have_means_of_their_cells():
    nested = fitted(nested=True)
    assert nested[5].codes.equal(fitted()[5].codes) and nested[5].edges.equal(fitted()[5].edges)
    for bits in BITS:
        indices = nested[bits].query(waves())
        means = torch.stack([waves()[indices == code].mean() for code in range(2 ** bits)])
        torch.testing.assert_close(nested[bits].codes.double(), means, rtol=0, atol=1e-6)


# Codes by themselves

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", BITS)
def test_each_value_becomes_one_of_the_codes_and_the_codes_ascend(kind, bits):
    level = fitted(kind)[bits]
    said = level(waves(100, 77))
    assert level.bits == bits and level.codes.shape == (2 ** bits,) and (level.codes.diff() > 0).all()
    assert torch.isin(said.values.float(), level.codes).all()
    assert said.values.equal(level.lookup(said.indices).double()) and said.indices.equal(level.query(waves(100, 77)))
    assert said.indices.dtype == torch.long and said.loss.item() == 0
    used = said.indices.flatten().bincount(minlength=2 ** bits).double()
    share = used / used.sum()
    assert said.usage.item() == pytest.approx((used > 0).double().mean().item())
    assert said.perplexity.item() == pytest.approx(np.exp(torch.special.entr(share).sum().item()), rel=1e-5)


def test_a_number_on_an_edge_belongs_below_it_and_one_outside_to_the_outermost():
    codes = LabelCodes(torch.tensor([-1.0, 0.0, 4.0]), torch.tensor([-0.25, 1.0]))
    values = torch.tensor([-INFINITY, -9, -0.25, -0.24, 1.0, 1.01, 9, INFINITY])
    assert codes.query(values).tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


def test_edges_that_float32_cannot_hold_part_the_same_numbers():
    for edge in (1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -26, 1 - 2 ** -26, 1 / 3, 0.1):
        codes, near = LabelCodes(np.array([-5.0, 5.0]), np.array([edge])), torch.tensor([edge])
        values = torch.cat([near, *(near.nextafter(torch.tensor([end])) for end in (INFINITY, -INFINITY))])
        assert codes.query(values).equal((values.double() > edge).long())


def test_a_number_has_the_code_that_it_has_in_float32_so_that_what_was_fitted_is_what_is_asked():
    level = fitted()[4]
    values = torch.cat([level.edges.double() + step for step in (-1e-12, 0.0, 1e-12, 1e-10)])
    assert level.query(values).equal(level.query(values.float())) and (values.float() != values).any()


def test_the_gradient_goes_straight_through():
    values = noise(4, 50).requires_grad_()
    slope = noise(4, 50, seed=1)
    (fitted()[2](values).values * slope).sum().backward()
    assert values.grad.equal(slope)


@pytest.mark.parametrize("bits", BITS)
def test_soft_is_the_hard_choice_when_cold_and_a_mean_inside_the_codes_when_warm(bits):
    level, values = fitted()[bits], torch.linspace(-3, 3, 20_001, dtype=torch.float64)
    away = (values[:, None] - level.edges).abs().amin(-1) > 0.01
    cold = level.soft(values, temperature=1e-3)
    assert (cold - level(values).values)[away].abs().max() < 1e-3
    for temperature in (0.01, 0.3, 1.0, 30.0):
        warm = level.soft(values, temperature=temperature)
        assert warm.min() >= level.codes.min() - 1e-6 and warm.max() <= level.codes.max() + 1e-6
    assert level.soft(values, temperature=1e6) == pytest.approx(level.codes.mean().item(), abs=1e-4)


def test_soft_is_the_mean_of_codes_by_the_softmax_of_their_distances():
    level, values = fitted()[3], noise(40).double()
    x, codes = values.numpy(), level.codes.double().numpy()
    weights = np.exp(-np.abs(x[:, None] - codes) / 0.7)
    expected = (weights * codes).sum(-1) / weights.sum(-1)
    assert level.soft(values, temperature=0.7).numpy() == pytest.approx(expected, abs=1e-6)
    assert level.logits(values, temperature=0.7).softmax(-1).numpy() == pytest.approx(
        weights / weights.sum(-1, keepdims=True), abs=1e-6)
    assert torch.autograd.gradcheck(lambda v: level.double().soft(v), (noise(5, seed=2).double().requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(7,), (2, 160), (2, 3, 5)])
def test_any_shape_and_type_comes_back_as_it_came(dtype, shape):
    values = noise(*shape).to(dtype)
    said = fitted()[3](values)
    assert said.values.shape == said.indices.shape == shape and said.values.dtype == dtype
    assert fitted()[3].logits(values).shape == (*shape, 8)
    assert fitted()[3].soft(values).shape == shape
    assert fitted()[3].query(values).equal(fitted()[3].query(values.double()))


def test_autocast_changes_no_bit():
    level, values = fitted()[4], noise(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = level(values).values, level.soft(values), level.logits(values), LabelFilter()(raw(10), 30)
    outside = level(values).values, level.soft(values), level.logits(values), LabelFilter()(raw(10), 30)
    assert all(one.equal(other) and one.dtype == torch.float32 for one, other in zip(inside, outside))


def test_a_view_with_holes_is_taken_without_a_word():
    values = noise(20, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted()[2].query(values.T[::2]).equal(fitted()[2].query(values.T[::2].contiguous()))


def test_a_broken_value_stays_broken_and_spoils_no_other():
    values = torch.tensor([0.1, float("nan"), -2.0])
    said = fitted()[3](values)
    assert said.values.isnan().tolist() == [False, True, False] and 0 <= said.indices.min() <= said.indices.max() < 8


# Levels

def test_levels_exchange_their_state_and_learn_nothing():
    levels, blank = fitted(), LabelLevels.even(BITS)
    before = state(levels)
    assert not list(levels.parameters())
    assert not same_bits(state(blank), before)
    blank.load_state_dict(levels.state_dict())
    assert same_bits(state(blank), before) and blank[5](waves()).values.equal(levels[5](waves()).values)
    assert levels.train()[2](waves()).values.equal(levels.eval()[2](waves()).values)
    assert same_bits(state(levels), before)
    with pytest.raises(RuntimeError, match="5.codes"):
        LabelLevels.even((1, 2)).load_state_dict(levels.state_dict())


def test_bits_are_sorted_taken_once_and_asked_for_by_number():
    levels = LabelLevels.fit(waves(), bits=[4, 1, 4])
    assert levels.bits == (1, 4) and len(levels) == 2 and len(levels[4].codes) == 16
    with pytest.raises(KeyError, match="LabelLevels: there is no level of 3 bits, only of 1, 4"):
        levels[3]


def test_fitting_looks_at_numbers_and_not_at_shape_type_or_order():
    whole, expected = waves(), state(fitted())
    for same in (whole.float(), whole.numpy(), whole.numpy().astype(np.float32), whole.flatten(), whole.flip(0),
                 whole.reshape(2, -1, 160), whole.clone().requires_grad_()):
        assert same_bits(state(LabelLevels.fit(same)), expected)


def with_wave(number, change):
    spoiled = waves().clone()
    spoiled[number] = change
    return spoiled


@pytest.mark.parametrize("given, settings, error, told", [
    (with_wave(7, 0.3), {}, ValueError, "wave 7 of 300 is flat. Leave it out, or mend the label first."),
    (with_wave([7, 9], 0.3), {}, ValueError, "wave 7 of 300 is flat, and 1 more."),
    (with_wave((3, 50), float("nan")), {}, ValueError, "wave 3 of 300 holds NaN or infinite values."),
    (with_wave(([2, 8, 9], 50), INFINITY), {"kind": "uniform"}, ValueError,
     "wave 2 of 300 holds NaN or infinite values, and 2 more."),
    (torch.zeros(160), {}, ValueError, "wave 0 of 1 is flat."),
    (torch.zeros(3, 0), {}, ValueError, "needs waves (..., T) of at least 2 samples, got (3, 0)."),
    (torch.tensor(3.0), {}, ValueError, "needs waves (..., T) of at least 2 samples, got ()."),
    (torch.arange(20.0), {}, ValueError, "needs at least 32 different values for 5 bits, got 20. Give more waves;"),
    (waves().round(decimals=0), {"bits": (1, 4)}, ValueError, "needs at least 16 different values for 4 bits, got "),
    ("pulse", {}, TypeError, "needs waves as numbers (..., T), got str."),
    (waves(), {"kind": "loyd"}, ValueError, "there is no kind 'loyd'. Did you mean 'lloyd'? Kinds: lloyd, quantile,"),
    (waves(), {"bits": ()}, ValueError, "bits must be whole numbers from 1 to 8, one for each level, got ()."),
    (waves(), {"bits": 3}, ValueError, "bits must be whole numbers from 1 to 8, one for each level, got 3."),
    (waves(), {"bits": (0, 1)}, ValueError, "bits must be whole numbers from 1 to 8"),
    (waves(), {"bits": (9,)}, ValueError, "bits must be whole numbers from 1 to 8"),
    (waves(), {"bits": (2.0,)}, ValueError, "bits must be whole numbers from 1 to 8"),
    (waves(), {"bits": (True,)}, ValueError, "bits must be whole numbers from 1 to 8"),
    (waves(), {"kind": "mulaw", "limit": 0}, ValueError, "limit must be a positive number, got 0."),
    (waves().clamp(-1, 1), {"kind": "quantile"}, ValueError, "1 of 8 cells would be empty, for one value is too frequ"),
], ids=lambda given: given[:30] if isinstance(given, str) else "")
def test_labels_of_which_no_levels_can_be_made_are_described(given, settings, error, told):
    with pytest.raises(error) as caught:
        LabelLevels.fit(given, **settings)
    assert str(caught.value).startswith("LabelLevels: ") and told in str(caught.value)


@pytest.mark.parametrize("given, told", [
    (([1.0, 0.0],), "needs at least 2 codes (K,) in ascending order, got [1.0, 0.0]."),
    (([1.0],), "needs at least 2 codes (K,) in ascending order"),
    (([0.0, float("nan")],), "needs at least 2 codes (K,) in ascending order"),
    (([0.0, 1.0, 2.0], [0.5]), "needs 2 edges in ascending order, one less than codes, got [0.5]."),
    (([0.0, 1.0, 2.0], [1.5, 0.5]), "needs 2 edges in ascending order, one less than codes, got [1.5, 0.5]."),
])
def test_codes_and_edges_that_are_none_are_refused(given, told):
    with pytest.raises(ValueError) as caught:
        LabelCodes(*map(torch.tensor, given))
    assert str(caught.value).startswith(f"LabelCodes: {told}")


def test_values_that_are_none_are_refused():
    level = fitted()[2]
    for ask in (level, level.query, level.logits, level.soft):
        with pytest.raises(TypeError, match=r"LabelCodes: needs values as a floating-point tensor, got torch.int64"):
            ask(torch.arange(3))
        with pytest.raises(TypeError, match=r"LabelCodes: needs values as a floating-point tensor, got ndarray"):
            ask(np.zeros(3))
        with pytest.raises(ValueError, match=r"LabelCodes: needs at least one value, got an empty tensor \(2, 0\)"):
            ask(torch.zeros(2, 0))
    with pytest.raises(TypeError, match="LabelCodes: needs the numbers of codes as whole numbers"):
        level.lookup(torch.zeros(3))
    for temperature in (0, -1.0, float("nan"), "1"):
        with pytest.raises(ValueError, match="LabelCodes: temperature must be a positive number, got"):
            level.soft(torch.zeros(3), temperature=temperature)


# The filter

@pytest.mark.parametrize("frames, fs", [(160, 30.0), (64, 30), (300, 25.0), (450, 29.97), (30, 60.0)])
@pytest.mark.parametrize("band_hz, order", [((0.75, 2.5), 1), ((0.7, 3.0), 2), ((0.65, 4.0), 3)])
def test_the_filter_equals_that_of_the_signal_package(frames, fs, band_hz, order):
    given = raw(20)[:, :160].repeat(1, 3)[:, :frames] * 40 + 1000 * torch.arange(20.0)[:, None]
    expected = signal.standardise(signal.bandpass(given.double().numpy(), fs=fs, band_hz=band_hz, order=order))
    assert LabelFilter(band_hz, order)(given, fs).numpy() == pytest.approx(expected, abs=1e-4)
    assert LabelFilter(band_hz, order)(given.double(), fs).numpy() == pytest.approx(expected, abs=1e-8)


def test_without_a_band_only_mean_and_scale_change():
    given = raw(5) * 7 + 3
    assert LabelFilter(None)(given, 30).numpy() == pytest.approx(signal.standardise(given.double().numpy()), abs=1e-5)


@pytest.mark.parametrize("band_hz", [None, (0.75, 2.5)])
def test_a_flat_label_becomes_zero_and_a_broken_one_spoils_no_other(band_hz):
    given = raw(4).clone()
    given[1], given[2, 30] = 0.1, float("nan")
    said = LabelFilter(band_hz)(given, 30)
    assert (said[1] == 0).all() and said[2].isnan().all()
    torch.testing.assert_close(said[[0, 3]], LabelFilter(band_hz)(given[[0, 3]], 30))


def test_half_precision_is_filtered_in_float32():
    given = raw(4).bfloat16()
    said = LabelFilter()(given, 30)
    assert said.dtype == torch.float32 and said.equal(LabelFilter()(given.float(), 30))


def test_the_filter_keeps_nothing_and_passes_gradients_even_when_first_asked_in_inference_mode():
    labels = LabelFilter((0.8, 2.4))
    with torch.inference_mode():
        expected = labels(raw(3), 30.5)
    given = raw(3).clone().requires_grad_()
    said = labels(given, 30.5)
    said.square().mean().backward()
    assert not labels.state_dict() and said.detach().equal(expected) and given.grad.isfinite().all()


@pytest.mark.parametrize("make, error, told", [
    (lambda: LabelFilter((2.5, 0.75)), ValueError, "LabelFilter: needs 0 < low < high, got 2.5 and 0.75 Hz."),
    (lambda: LabelFilter(order=0), ValueError, "LabelFilter: order must be a whole number of at least 1, got 0."),
    (lambda: LabelFilter()(torch.zeros(160), 30), ValueError, "LabelFilter: needs waves (B, T) of at least 2 samples"),
    (lambda: LabelFilter()(torch.zeros(2, 1), 30), ValueError, "LabelFilter: needs waves (B, T) of at least 2 samples"),
    (lambda: LabelFilter()(torch.zeros(2, 160), 4), ValueError, "LabelFilter: needs 0 < low < high < 2 Hz"),
    (lambda: LabelFilter()(torch.zeros(2, 160), 0), ValueError, "LabelFilter: fs must be a positive number"),
    (lambda: LabelFilter()(torch.zeros(2, 160, dtype=torch.int), 30), TypeError, "LabelFilter: needs values as a"),
])
def test_what_cannot_be_filtered_is_described(make, error, told):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(told)
