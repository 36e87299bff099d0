"""Residual quantisation: codebooks for what codebooks leave over."""

import pytest
import torch

from rppg_lib.quantize import Codebook, ResidualCodebook

from .vectors import book, brute_force, noise, same_bits, state


def books(depth=3, codes=8, dim=3, **settings):
    settings = {"start": "normal", "warmup_steps": 0, "revive_after": None} | settings
    torch.manual_seed(5)
    return ResidualCodebook(depth=depth, config=Codebook.Config(codes=codes, dim=dim, **settings))


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_depth_of_one_is_a_codebook(update):
    settings = {"start": "kmeans", "warmup_steps": 2, "revive_after": 2, "update": update}
    residual, codebook = books(depth=1, **settings), book(**settings)
    for seed in range(8):
        told = []
        for one in (residual, codebook):
            torch.manual_seed(seed)
            told.append(one(noise(2, 5, 3, seed=seed)))
        mine, theirs = told
        assert mine.values.equal(theirs.values) and mine.indices.squeeze(-1).equal(theirs.indices)
        assert all(getattr(mine, name).equal(getattr(theirs, name)) for name in ("loss", "perplexity", "usage"))
    assert same_bits({name.removeprefix("books.0."): tensor for name, tensor in state(residual).items()},
                     state(codebook))


@pytest.mark.parametrize("shape", [(3,), (6, 3), (2, 5, 3)])
def test_each_book_gets_what_those_before_it_leave_over(shape):
    residual, z = books().eval(), noise(*shape)
    said, rest = residual(z), z.clone()
    for depth, one in enumerate(residual.books):
        expected = torch.as_tensor(brute_force(rest, one.codes))
        assert said.indices[..., depth].equal(expected)
        rest = rest - one.codes[expected]
    assert said.values.shape == z.shape
    torch.testing.assert_close(said.values, z - rest)
    assert said.values.equal(residual.lookup(said.indices)) and residual.query(z).equal(said.indices)


def test_the_error_falls_with_depth():
    residual, z = books(depth=5, codes=16, start="kmeans"), noise(400, 3)
    residual(z)
    indices = residual.eval().query(z)
    errors = [(residual.lookup(indices[:, :depth]) - z).square().mean().item() for depth in range(1, 6)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01 * errors[0]


def test_values_losses_and_moving_averages_equal_an_independent_implementation(oracle):
    residual = books(depth=3, codes=16, dim=6, decay=0.9, commitment=0.25)
    other = oracle.ResidualVQ(dim=6, num_quantizers=3, codebook_size=16, decay=0.9, eps=1e-5, commitment_weight=0.25,
                              rotation_trick=False, threshold_ema_dead_code=0)
    for mine, theirs in zip(residual.books, other.layers):
        theirs._codebook.embed.copy_(mine.codes)
        theirs._codebook.embed_avg.copy_(mine.codes)
    for seed in range(10):
        mine, theirs = (noise(4, 10, 6, seed=seed).requires_grad_() for _ in range(2))
        said, (values, indices, losses) = residual(mine), other(theirs)
        assert said.indices.equal(indices)
        torch.testing.assert_close(said.values, values, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(said.loss, losses.sum(), rtol=1e-4, atol=1e-6)
        said.loss.backward()                               # of the values alone: there each book passes it once more
        losses.sum().backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    for mine, theirs in zip(residual.books, other.layers):
        torch.testing.assert_close(mine.codes, theirs._codebook.embed[0], rtol=1e-4, atol=1e-5)


def test_the_gradient_passes_straight_through_however_deep():
    residual, z, slope = books(depth=4, update="gradient"), noise(6, 3).requires_grad_(), noise(6, 3, seed=1)
    (residual(z).values * slope).sum().backward()
    assert z.grad.equal(slope) and all(one.codes.grad is None for one in residual.books)


def test_all_books_start_with_what_is_left_over_after_one_warm_up():
    residual, z = books(depth=2, codes=16, start="kmeans", warmup_steps=3), noise(200, 3)
    for _ in range(3):
        said = residual(z)
        assert said.values.equal(z) and said.loss.item() == 0
    said = residual(z)
    assert all(one.started for one in residual.books)
    assert said.usage.item() == 1
    assert (said.values - z).square().mean() < 0.1 * z.square().mean()


def test_in_eval_mode_nothing_changes():
    residual = books(start="kmeans", revive_after=1)
    residual(noise(40, 3))
    before = state(residual.eval())
    assert residual(noise(9, 3, seed=1)).loss.item() == 0
    assert same_bits(state(residual), before)


def test_half_precision_loses_nothing_between_books():
    residual, z = books(depth=4, codes=32).eval(), noise(50, 3).bfloat16()
    said, full = residual(z), residual(z.float())
    assert said.values.dtype == torch.bfloat16 and said.indices.equal(full.indices)
    assert said.values.equal(full.values.bfloat16())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert residual(z.float()).values.equal(full.values)


def test_a_broken_vector_breaks_the_loss_but_not_the_codes():
    residual, z = books(start="kmeans"), noise(30, 3)
    z[3] = float("nan")
    for _ in range(3):
        said = residual(z)
        assert said.loss.isnan() and said.values.isnan().any(-1).sum() == 1
    assert all(one.codes.isfinite().all() for one in residual.books)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="ResidualCodebook: depth must be a whole number of at least 1, got 0"):
        ResidualCodebook(depth=0)
    with pytest.raises(ValueError, match="Codebook: codes must be"):
        ResidualCodebook(config=Codebook.Config(codes=0))
    with pytest.raises(ValueError, match=r"ResidualCodebook: needs vectors \(\.\.\., 3\), at least one, got \(6, 4\)"):
        books()(noise(6, 4))
    with pytest.raises(ValueError, match=r"ResidualCodebook: needs numbers of codes \(\.\.\., 3\), or fewer"):
        books().lookup(torch.zeros(5, 4, dtype=torch.long))
    with pytest.raises(TypeError, match="ResidualCodebook: needs the numbers of codes as whole numbers"):
        books().lookup(torch.zeros(5, 3))
