"""Finite scalar quantisation: a grid that never moves, and the projections before and behind it."""

import itertools

import numpy as np
import pytest
import torch

from rppg_lib.quantize import FiniteScalar

from .vectors import noise, same_bits, state

GRIDS = [(4, 4, 4), (3, 5), (8, 5, 5, 5), (7,)]


def grid(levels, dim=None):
    torch.manual_seed(3)
    return FiniteScalar(dim=dim or len(levels), levels=levels)


def bare(levels):
    """Return a quantiser whose projections leave vectors as they are, so that its codes are the grid's points."""
    quantiser = grid(levels)
    with torch.no_grad():
        for layer in (quantiser.inwards, quantiser.outwards):
            layer.weight.copy_(torch.eye(len(levels)))
            layer.bias.zero_()
    return quantiser


@pytest.mark.parametrize("levels", GRIDS)
def test_there_are_as_many_codes_as_combinations_of_levels_and_all_differ(levels):
    quantiser = bare(levels)
    assert quantiser.size == np.prod(levels) == len(quantiser.codes)
    steps = [[(step - level // 2) / (level // 2) for step in range(level)] for level in levels]
    expected = [combination[::-1] for combination in itertools.product(*steps[::-1])]        # the first is the fastest
    assert quantiser.codes.detach().numpy() == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("levels", GRIDS)
def test_every_code_is_reached_and_none_lies_outside(levels):
    quantiser = bare(levels)
    z = torch.cartesian_prod(*[torch.linspace(-4, 4, 33)] * len(levels)).reshape(-1, len(levels))
    said = quantiser(z)
    assert said.indices.unique().equal(torch.arange(quantiser.size)) and said.usage.item() == 1
    assert said.values.abs().max() <= 1
    assert quantiser(1e6 * z).values.abs().max() <= 1
    assert said.values.equal(quantiser.lookup(said.indices)) and quantiser.query(z).equal(said.indices)


def test_a_larger_number_never_takes_a_lower_level():
    said = bare((6,))(torch.linspace(-8, 8, 500)[:, None])
    assert (said.indices.diff() >= 0).all() and {*said.indices.tolist()} == set(range(6))


@pytest.mark.parametrize("levels, dim", [((4, 4, 4), 64), ((8, 5, 5, 5), 16)])
def test_values_indices_and_gradients_equal_an_independent_implementation(oracle, levels, dim):
    quantiser, other = grid(levels, dim), oracle.FSQ(list(levels), dim=dim)
    other.project_in.load_state_dict(quantiser.inwards.state_dict())
    other.project_out.load_state_dict(quantiser.outwards.state_dict())
    mine, theirs = (noise(4, 20, dim, scale=3).requires_grad_() for _ in range(2))
    said, (values, indices) = quantiser(mine), other(theirs)
    assert said.indices.equal(indices.long())
    torch.testing.assert_close(said.values, values)
    slope = noise(4, 20, dim, seed=1)
    (said.values * slope).sum().backward()
    (values * slope).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
    torch.testing.assert_close(quantiser.inwards.weight.grad, other.project_in.weight.grad)
    torch.testing.assert_close(quantiser.outwards.weight.grad, other.project_out.weight.grad)
    torch.testing.assert_close(quantiser.lookup(said.indices), other.indices_to_codes(indices))


def test_the_gradient_is_that_of_the_bound_as_if_nothing_had_been_rounded():
    quantiser, z = bare((5,)), torch.linspace(-3, 3, 25, dtype=torch.float64)[:, None].requires_grad_()
    quantiser.double()(z).values.sum().backward()
    with torch.no_grad():
        expected = 2 * 1.001 / 2 / torch.cosh(z) ** 2
    torch.testing.assert_close(z.grad, expected)


@pytest.mark.parametrize("shape", [(16,), (6, 16), (2, 3, 16), (2, 3, 4, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_answers_as_a_codebook_does(shape, dtype):
    quantiser, z = grid((4, 4, 4), 16), noise(*shape).to(dtype)
    said = quantiser(z)
    assert said.values.shape == shape and said.values.dtype == dtype
    assert said.indices.shape == shape[:-1] and said.indices.dtype == torch.long
    assert said.loss.item() == 0 and said.loss.shape == said.perplexity.shape == said.usage.shape == ()
    assert said.values.equal(quantiser.lookup(quantiser.query(z)).to(dtype))


def test_autocast_changes_no_bit():
    quantiser, z = grid((4, 4, 4), 16), noise(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said, looked_up = quantiser(z), quantiser.lookup(torch.arange(64))
    assert said.values.equal(quantiser(z).values) and looked_up.equal(quantiser.codes)


def test_training_and_eval_are_the_same_and_change_nothing():
    quantiser, z = grid((4, 4, 4), 16), noise(5, 16)
    before = state(quantiser)
    assert quantiser.train()(z).values.equal(quantiser.eval()(z).values)
    assert same_bits(state(quantiser), before)


def test_a_broken_vector_breaks_its_own_values():
    z = noise(5, 16)
    z[2, 3] = float("nan")
    said = grid((4, 4, 4), 16)(z)
    assert said.values.isnan().any(-1).tolist() == [False, False, True, False, False]
    assert said.indices.min() >= 0 and said.indices.max() < 64


@pytest.mark.parametrize("settings, told", [
    ({"levels": (4, 2)}, "levels must be one or several whole numbers of at least 3, got (4, 2). (4, 4, 4) makes 64"),
    ({"levels": ()}, "levels must be one or several whole numbers of at least 3, got ()."),
    ({"levels": 64}, "levels must be one or several whole numbers of at least 3, got 64."),
    ({"dim": 0}, "dim must be a whole number of at least 1, got 0."),
])
def test_settings_of_which_no_grid_can_be_made_are_named(settings, told):
    with pytest.raises(ValueError) as caught:
        FiniteScalar(**settings)
    assert str(caught.value).startswith(f"FiniteScalar: {told}")


def test_vectors_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"FiniteScalar: needs vectors \(\.\.\., 16\), at least one, got \(5, 8\)"):
        grid((4, 4, 4), 16)(noise(5, 8))
    with pytest.raises(TypeError, match="FiniteScalar: needs the numbers of codes as whole numbers"):
        grid((4, 4, 4), 16).lookup(torch.zeros(3))
