"""A codebook as it is asked: nearest codes, gradients, statistics, and what it refuses."""

import numpy as np
import pytest
import torch

from rppg_lib.quantize import Codebook, code_statistics

from .vectors import book, brute_force, noise, same_bits, state

SHAPES = [(3,), (7, 3), (2, 5, 3), (2, 3, 4, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_vector_gets_the_code_that_brute_force_finds(shape):
    codebook, z = book().eval(), noise(*shape)
    said = codebook(z)
    expected = brute_force(z, codebook.codes)
    assert said.indices.dtype == torch.long
    assert np.array_equal(said.indices, expected) and np.array_equal(codebook.query(z), expected)
    assert said.values.shape == z.shape and said.values.equal(codebook.lookup(said.indices))


def test_codes_picked_by_zeros_and_ones_are_the_codes_looked_up():
    codebook, z = book().eval(), noise(20, 3)
    one_hot = torch.nn.functional.one_hot(codebook.query(z), 8).float()
    assert (one_hot @ codebook.codes).equal(codebook(z).values)


def test_a_code_finds_itself():
    codebook = book(codes=64, dim=64)
    assert codebook.query(codebook.lookup(torch.arange(64))).equal(torch.arange(64))


def test_long_vectors_keep_their_small_distances():
    codebook = book(codes=16, dim=8).eval()
    codebook.codes.copy_(1000 + 0.05 * noise(16, 8))
    z = 1000 + 0.05 * noise(500, 8, seed=1)
    assert np.array_equal(codebook.query(z), brute_force(z, codebook.codes))


def test_the_gradient_passes_through_as_if_nothing_had_been_replaced():
    codebook, z, slope = book(update="gradient"), noise(2, 5, 3).requires_grad_(), noise(2, 5, 3, seed=1)
    (codebook(z).values * slope).sum().backward()
    assert z.grad.equal(slope)
    assert codebook.codes.grad is None


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_the_loss_and_its_slopes_are_those_of_the_formula(update):
    codebook, z = book(update=update, commitment=0.3).double(), noise(11, 3, dtype=torch.float64).requires_grad_()
    codes = codebook.codes.detach().clone()
    said = codebook(z)
    said.loss.backward()
    gap = (z.detach() - codes[said.indices]).numpy()
    expected = 0.3 * (gap**2).mean() + (update == "gradient") * (gap**2).mean()
    assert said.loss.item() == pytest.approx(expected, rel=1e-12)
    assert z.grad.numpy() == pytest.approx(0.3 * 2 * gap / gap.size, rel=1e-12)
    if update == "gradient":
        pull = np.zeros((8, 3))
        np.add.at(pull, said.indices.numpy(), -2 * gap / gap.size)
        assert codebook.codes.grad.numpy() == pytest.approx(pull, rel=1e-12)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_in_eval_mode_nothing_changes_and_nothing_pulls(update):
    codebook = book(update=update, start="kmeans", warmup_steps=2, revive_after=1).eval()
    before = state(codebook)
    for seed in range(5):
        said = codebook(noise(6, 3, seed=seed))
        assert said.loss.item() == 0
    assert same_bits(state(codebook), before)


def test_a_frozen_codebook_still_lets_the_gradient_through():
    codebook, z = book(update="gradient").eval().requires_grad_(False), noise(4, 3).requires_grad_()
    codebook(z).values.sum().backward()
    assert z.grad.equal(torch.ones(4, 3)) and codebook.codes.grad is None


def test_perplexity_counts_codes_in_even_use():
    codebook = book(codes=16, dim=4).eval()
    even, one = codebook(codebook.codes.repeat(3, 1)), codebook(codebook.codes[:1].repeat(48, 1))
    assert even.perplexity.item() == pytest.approx(16, rel=1e-5) and even.usage.item() == 1
    assert one.perplexity.item() == 1 and one.usage.item() == 1 / 16
    half = codebook(codebook.codes[:8])
    assert half.perplexity.item() == pytest.approx(8, rel=1e-5) and half.usage.item() == 0.5


def test_statistics_of_a_set_are_those_numpy_counts():
    indices = torch.randint(0, 10, (40, 7), generator=torch.Generator().manual_seed(0))
    share = np.bincount(indices.flatten(), minlength=64) / indices.numel()
    used = share[share > 0]
    assert code_statistics(indices, 64) == (10, pytest.approx(np.exp(-(used * np.log(used)).sum()), rel=1e-12))


def test_logits_are_negative_squared_distances_and_their_largest_is_the_nearest_code():
    codebook, z = book().double(), noise(2, 6, 3, dtype=torch.float64)
    logits = codebook.logits(z, temperature=2.0)
    gaps = z.numpy()[..., None, :] - codebook.codes.numpy()
    assert logits.numpy() == pytest.approx(-(gaps**2).sum(-1) / 2, rel=1e-12)
    assert logits.argmax(-1).equal(codebook.query(z))


@pytest.mark.parametrize("where", ["between codes", "on a code"])
def test_logits_have_the_slope_of_finite_differences(where):
    codebook, z = book(codes=4).double(), noise(2, 3, dtype=torch.float64)
    if where == "on a code":
        z[0] = codebook.codes[1]
    warmth = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)              # may be learnt
    assert torch.autograd.gradcheck(lambda z, t: codebook.logits(z, temperature=t), (z.requires_grad_(), warmth),
                                    atol=1e-5)


def test_half_precision_comes_in_as_it_is_and_is_compared_in_full():
    codebook, z = book(codes=64, dim=16), noise(8, 40, 16).bfloat16()
    full = book(codes=64, dim=16)(z.float())
    half = codebook(z)
    assert half.values.dtype == torch.bfloat16 and codebook.codes.dtype == torch.float32
    assert half.indices.equal(full.indices) and half.loss.equal(full.loss)
    assert half.values.equal(full.values.bfloat16())


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("codes", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_vectors_may_be_of_another_precision_than_the_codes(kind, codes, update):
    codebook = book(update=update, start="kmeans", revive_after=1).to(codes)
    z = noise(20, 3).to(kind).requires_grad_()
    for _ in range(3):
        said = codebook(z)
        (said.values.sum() + said.loss + codebook.logits(z).mean()).backward()
    assert said.values.dtype == z.grad.dtype == kind and codebook.codes.dtype == codes
    assert said.loss.isfinite() and z.grad.isfinite().all() and codebook.eval()(z).loss.item() == 0


def test_autocast_changes_no_bit():
    plain, cast, z = book(codes=64, dim=16), book(codes=64, dim=16), noise(8, 40, 16)
    expected, logits = plain(z), plain.logits(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said, cast_logits = cast(z), cast.logits(z)
    assert said.indices.equal(expected.indices) and said.loss.equal(expected.loss) and cast_logits.equal(logits)
    assert same_bits(state(cast), state(plain))


def test_both_updates_write_the_same_entries():
    ema, gradient = (book(update=update).state_dict() for update in ("ema", "gradient"))
    assert [*ema] == ["codes", "counts", "idle", "calls"] and {*gradient} == {*ema}
    assert all(ema[name].shape == gradient[name].shape and ema[name].dtype == gradient[name].dtype for name in ema)
    assert [name for name, _ in book(update="gradient").named_parameters()] == ["codes"]
    assert [*book(update="ema").parameters()] == []


@pytest.mark.parametrize("start, low, high", [("uniform", -1 / 64, 1 / 64), ("normal", -6, 6)])
def test_codes_start_where_the_config_says(start, low, high):
    codes = book(codes=64, dim=64, start=start).codes
    assert codes.min() >= low and codes.max() <= high
    expected = {"uniform": 1 / 64 / 3**0.5, "normal": 1}[start]
    assert codes.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("settings, told", [
    ({"codes": 0}, "codes must be a whole number of at least 1, got 0"),
    ({"codes": True}, "codes must be a whole number of at least 1, got True"),
    ({"dim": 2.0}, "dim must be a whole number of at least 1, got 2.0"),
    ({"warmup_steps": -1}, "warmup_steps must be a whole number of at least 0, got -1"),
    ({"revive_after": 0}, "revive_after must be a whole number of at least 1, or None for never, got 0"),
    ({"update": "emma"}, "update must be one of ema, gradient, got 'emma'. Did you mean 'ema'?"),
    ({"update": None}, "update must be one of ema, gradient, got None."),
    ({"start": "k-means"}, "start must be one of kmeans, normal, uniform, got 'k-means'. Did you mean 'kmeans'?"),
    ({"decay": 1.0}, "decay must be a number between 0 and 1, got 1.0. Usual is 0.99."),
    ({"decay": float("nan")}, "decay must be a number between 0 and 1, got nan"),
    ({"decay": "slow"}, "decay must be a number between 0 and 1, got 'slow'"),
    ({"commitment": -0.1}, "commitment must be 0 or a positive number, got -0.1"),
    ({"commitment": float("inf")}, "commitment must be 0 or a positive number, got inf"),
])
def test_settings_of_which_no_codebook_can_be_made_are_named(settings, told):
    with pytest.raises(ValueError) as caught:
        Codebook(Codebook.Config(**settings))
    assert str(caught.value).startswith(f"Codebook: {told}")


def test_a_config_of_something_else_is_refused():
    with pytest.raises(TypeError, match="Codebook: needs a Codebook.Config, got dict"):
        Codebook({"codes": 4})


@pytest.mark.parametrize("call", ["forward", "query", "logits"])
def test_what_are_no_vectors_is_refused(call):
    codebook = book()
    with pytest.raises(ValueError, match=r"Codebook: needs vectors \(\.\.\., 3\), at least one, got \(2, 3, 5\)\."):
        getattr(codebook, call)(noise(2, 3, 5))
    with pytest.raises(ValueError, match=r"at least one, got \(0, 3\)"):
        getattr(codebook, call)(noise(0, 3))
    with pytest.raises(TypeError, match="Codebook: needs vectors as a floating-point tensor, got torch.int64"):
        getattr(codebook, call)(torch.zeros(2, 3, dtype=torch.long))
    with pytest.raises(TypeError, match="got ndarray"):
        getattr(codebook, call)(np.zeros((2, 3)))
    assert codebook.calls == 0


def test_what_are_no_numbers_of_codes_is_refused():
    with pytest.raises(TypeError, match="Codebook: needs the numbers of codes as whole numbers, torch.long, got"):
        book().lookup(torch.zeros(3))
    with pytest.raises(ValueError, match="Codebook: temperature must be a positive number, got 0"):
        book().logits(noise(2, 3), temperature=0)
    with pytest.raises(ValueError, match="code_statistics: indices must be from 0 to 7, got 2 to 9. Give the number"):
        code_statistics(torch.tensor([2, 9]), 8)
    with pytest.raises(ValueError, match=r"code_statistics: needs a tensor of at least one whole number, got torch.fl"):
        code_statistics(torch.zeros(3), 8)
