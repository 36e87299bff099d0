"""FactorizePhys: the sizes public code fixes, the factorisation, and what attention by factorisation means."""

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.cost import count
from rppg_lib.models.factorizephys import FactorisedAttention, FactorizePhys, rank_one

from .probes import on_paper, untouched_weights


def slim(size_px=36, width=8, **settings):
    torch.manual_seed(1)
    return FactorizePhys(FactorizePhys.Config(size_px=size_px, width=width, **settings))


def clips(frames, size_px=36, batch=2):
    torch.manual_seed(2)
    return torch.rand(batch, 3, frames, size_px, size_px)


def positive(*shape):
    torch.manual_seed(3)
    return torch.rand(*shape, dtype=torch.float64)


# Sizes

def test_factorizephys_has_the_weights_of_public_code_and_multiplies_as_often():
    cost, said = count(on_paper(FactorizePhys), frames=160, size_px=72), FactorizePhys.published
    assert (cost.params, round(cost.macs / 1e9, 2)) == (52_169, 3.00) == (said.params, said.gmacs)
    assert (said.frames, said.size_px) == (160, 72)


@pytest.mark.parametrize("frames", [8, 64, 128, 160, 300])
def test_any_number_of_frames_gives_as_many_values(frames):
    wave = slim(23)(clips(frames, 23))
    assert wave.shape == (2, frames) and wave.isfinite().all()


@pytest.mark.parametrize("built_for_px, given_px", [(23, 23), (36, 36), (36, 50), (70, 23), (71, 71), (72, 72),
                                                    (72, 80), (96, 96)])
def test_pictures_may_have_any_size_that_the_layers_leave_something_of(built_for_px, given_px):
    assert slim(built_for_px)(clips(8, given_px)).shape == (2, 8)


@pytest.mark.parametrize("built_for_px, given_px, least", [(36, 22, 23), (72, 70, 71)])
def test_pictures_that_the_layers_leave_nothing_of_are_refused(built_for_px, given_px, least):
    with pytest.raises(ValueError, match=f"factorizephys: needs pictures of at least {least}x{least}, got {given_px}"):
        slim(built_for_px)(clips(8, given_px))


def test_a_width_that_cannot_be_divided_by_four_is_refused():
    with pytest.raises(ValueError, match=r"factorizephys: width must be at least 4 and a multiple of 4, got 10\."):
        slim(width=10)


@pytest.mark.parametrize("size_px", [36, 72])
def test_every_weight_learns(size_px):
    assert untouched_weights(slim(size_px, width=16), clips(16, size_px)) == []


def test_the_readout_is_the_last_convolution_of_public_code():
    network, clip = slim(72).eval(), clips(16, 72)
    features = network.features(clip)
    channels = network.feature_channels // 9
    kernel = network.readout.weight.unflatten(1, (channels, 3, 3)).movedim(-1, 2)        # (1,C*9,3) -> (1,C,3,3,3)
    maps = features.unflatten(1, (channels, 3, 3)).movedim(-1, 2)                        # (B,C*9,T) -> (B,C,T,3,3)
    torch.testing.assert_close(functional.conv3d(maps, kernel, padding=(1, 0, 0)).flatten(1), network(clip))


# The factorisation

def product(factors):
    rhythm, strength = factors
    return rhythm[:, :, None] * strength[:, None]


def test_a_matrix_of_rank_one_is_found_in_one_round():
    matrix = product((positive(2, 7), positive(2, 11)))
    torch.testing.assert_close(product(rank_one(matrix, steps=1)), matrix, rtol=1e-4, atol=1e-6)


def test_the_best_product_for_positive_values_is_the_first_singular_pair():
    matrix = positive(2, 12, 30)
    u, s, v = torch.linalg.svd(matrix)
    best = s[:, :1, None] * u[:, :, :1] * v[:, :1]
    torch.testing.assert_close(product(rank_one(matrix, steps=30)), best, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_factors_are_those_of_multiplicative_updates(steps):
    matrix = positive(1, 9, 20)[0]
    bases, coefficients = torch.full((9, 1), 1 / 3).double(), torch.ones(20, 1).double()

    def updated(now, wanted, other):
        return now * wanted / (now @ (other.T @ other) + 1e-6)

    for _ in range(steps):
        coefficients = updated(coefficients, matrix.T @ bases, bases)
        bases = updated(bases, matrix @ coefficients, coefficients)
    coefficients = updated(coefficients, matrix.T @ bases, bases)
    torch.testing.assert_close(product(rank_one(matrix[None], steps=steps))[0], bases @ coefficients.T, rtol=1e-4,
                               atol=1e-6)


def test_nothing_has_factors_of_nothing():
    rhythm, strength = rank_one(torch.zeros(1, 5, 6), steps=4)
    assert not rhythm.any() and not strength.any()


def test_gradients_pass_through_the_last_fit_only():
    matrix = positive(1, 6, 8).requires_grad_()
    rhythm, strength = rank_one(matrix, steps=4)
    assert not rhythm.requires_grad
    strength[0, 3].backward()
    expected = torch.zeros(1, 6, 8).double()
    expected[0, :, 3] = rhythm[0] / (rhythm.square().sum() + 1e-6)
    torch.testing.assert_close(matrix.grad, expected)


# What attention by factorisation means

@pytest.fixture
def attention():
    torch.manual_seed(4)
    return FactorisedAttention(8, steps=4).double()


def test_attention_does_not_care_about_the_order_of_frames(attention):
    features, order = torch.randn(2, 8, 12, 4, 5).double(), torch.randperm(12)
    torch.testing.assert_close(attention(features[:, :, order]), attention(features)[:, :, order])


def test_attention_is_one_rhythm_at_every_place(attention):
    seen = []
    attention.after.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    attention(torch.randn(2, 8, 12, 4, 5).double())
    assert torch.linalg.matrix_rank(seen[0].movedim(2, 1).flatten(2)).tolist() == [1, 1]


def test_a_clip_does_not_depend_on_its_neighbours_even_in_training(attention):
    alone, loud = torch.randn(1, 8, 12, 4, 5).double(), 10 * torch.randn(1, 8, 12, 4, 5).double()
    torch.testing.assert_close(attention(torch.cat([alone, loud]))[:1], attention(alone))
    torch.testing.assert_close(attention(torch.cat([loud, alone]))[1:], attention(alone))


# Light

def test_changes_of_half_a_grey_level_fill_the_range_of_what_follows():
    network, clip = slim(), clips(32).round(decimals=2)
    clip[:] = 0.5 + 0.5 / 255 * clip
    seen = []
    network.extract.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.eval()(clip)
    assert seen[0].std().item() == pytest.approx(1, abs=0.02)


def test_a_darker_film_gives_the_same_wave():
    network, clip = slim().eval(), clips(32)
    torch.testing.assert_close(network(0.3 * clip), network(clip), rtol=1e-3, atol=1e-4)


def test_a_film_in_which_nothing_moves_gives_finite_values():
    assert slim()(torch.full((1, 3, 16, 36, 36), 0.4)).isfinite().all()
