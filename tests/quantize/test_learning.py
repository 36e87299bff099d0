"""A codebook as it learns: the moving average, the start, the warm-up, idle codes, going on after a stop."""

import numpy as np
import pytest
import torch

from rppg_lib.quantize import Codebook, code_statistics, kmeans

from .vectors import book, brute_force, heaps, moving_average, noise, same_bits, state


def ways(codebook, seeds, *, each=40):
    """Train a codebook on noise, each call with chance of its own, as training does; return losses and indices."""
    told = []
    for seed in seeds:
        torch.manual_seed(seed)
        said = codebook(noise(each, codebook.config.dim, seed=seed, scale=3))
        told.append((said.loss.detach(), said.indices))
    return told


def test_the_moving_average_follows_the_published_rule():
    codebook = book(decay=0.9).double()
    start, batches = codebook.codes.clone(), [noise(30, 3, seed=seed, dtype=torch.float64) for seed in range(12)]
    for batch in batches:
        codebook(batch)
    assert codebook.codes.numpy() == pytest.approx(moving_average(start, batches, decay=0.9), rel=1e-9)


@pytest.mark.parametrize("decay", [0.8, 0.99])
def test_the_moving_average_equals_an_independent_implementation(oracle, decay):
    codebook = book(codes=16, dim=6, decay=decay, commitment=0.25)
    other = oracle.VectorQuantize(dim=6, codebook_size=16, decay=decay, eps=1e-5, commitment_weight=0.25,
                                  rotation_trick=False, threshold_ema_dead_code=0)
    other._codebook.embed.copy_(codebook.codes)
    other._codebook.embed_avg.copy_(codebook.codes)
    for seed in range(20):
        z = noise(4, 10, 6, seed=seed)
        mine, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
        said, (values, indices, loss) = codebook(mine), other(theirs)
        assert said.indices.equal(indices)
        torch.testing.assert_close(said.values, values, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(said.loss, loss.squeeze(), rtol=1e-4, atol=1e-6)
        (said.values.sum() + said.loss).backward()
        (values.sum() + loss.sum()).backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(codebook.codes, other._codebook.embed[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(codebook.counts, other._codebook.cluster_size[0], rtol=1e-4, atol=1e-5)


def test_codes_trained_by_gradient_equal_those_of_an_independent_implementation(oracle):
    """There the two terms are one, of weight 1 for either side; so ours has commitment 1, and twice the value."""
    codebook = book(codes=16, dim=6, update="gradient", commitment=1.0)
    other = oracle.VectorQuantize(dim=6, codebook_size=16, commitment_weight=1.0, learnable_codebook=True,
                                  ema_update=False, rotation_trick=False, threshold_ema_dead_code=0)
    with torch.no_grad():
        other._codebook.embed.copy_(codebook.codes)
    optimisers = [torch.optim.Adam(module.parameters(), lr=0.01) for module in (codebook, other)]
    for seed in range(20):
        mine, theirs = (noise(4, 10, 6, seed=seed).requires_grad_() for _ in range(2))
        said, (_, indices, loss) = codebook(mine), other(theirs)
        assert said.indices.equal(indices)
        torch.testing.assert_close(said.loss, 2 * loss.squeeze(), rtol=1e-4, atol=1e-6)
        for optimiser, one in zip(optimisers, (said.loss, loss.sum())):
            optimiser.zero_grad()
            one.backward()
            optimiser.step()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(codebook.codes, other._codebook.embed[0], rtol=1e-4, atol=1e-5)


def test_with_a_gradient_codes_stay_until_the_optimiser_moves_them():
    codebook = book(update="gradient")
    before = codebook.codes.detach().clone()
    ways(codebook, range(5))
    assert codebook.codes.equal(before)


def test_kmeans_finds_the_means_of_heaps_that_lie_apart():
    vectors = heaps(20, 3, 15)
    for seed in range(5):
        torch.manual_seed(seed)
        shuffled = vectors.reshape(-1, 3)[torch.randperm(300)]
        means = kmeans(shuffled, 20).numpy()
        expected = vectors.mean(1).numpy()
        order = ((means[:, None] - expected) ** 2).sum(-1).argmin(0)
        assert sorted(order) == list(range(20))
        assert means[order] == pytest.approx(expected, abs=1e-4)


def test_kmeans_takes_vectors_themselves_where_there_are_fewer_than_means():
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0], [float("nan"), 1.0], [float("inf"), 1.0]])
    means = kmeans(vectors, 6)
    assert {tuple(mean) for mean in means.tolist()} == {(0, 0), (3, 4)}


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_the_codes_start_as_the_means_of_the_first_batch_after_the_warm_up(update):
    codebook, vectors = book(codes=16, start="kmeans", warmup_steps=3, update=update), heaps(16, 3, 5)
    for _ in range(3):
        codebook(noise(20, 3))
        assert not codebook.started
    torch.manual_seed(0)
    said = codebook(vectors)
    assert codebook.started
    expected = vectors.mean(1, keepdim=True).expand_as(vectors)
    torch.testing.assert_close(said.values, expected, rtol=0, atol=1e-4)
    gap = (vectors - expected).square().mean().item()
    assert said.loss.item() == pytest.approx(gap * (0.25 if update == "ema" else 1.25), rel=1e-3)
    assert said.perplexity.item() == pytest.approx(16, rel=1e-5)


def test_after_the_start_a_code_weighs_as_much_as_the_vectors_it_is_the_mean_of():
    codebook, vectors = book(codes=2, dim=1, start="kmeans", decay=0.9), torch.tensor([0.0] * 5 + [9.0] * 50)[:, None]
    codebook(vectors)
    assert sorted(codebook.counts.tolist()) == pytest.approx([5, 50], rel=1e-6)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_the_warm_up_passes_vectors_through(update):
    codebook = book(start="kmeans", warmup_steps=4, update=update, revive_after=1)
    before = codebook.codes.detach().clone()
    for call in range(1, 6):
        z = noise(10, 3, seed=call).requires_grad_()
        said = codebook(z)
        passes = said.values.equal(z)
        assert passes == (call <= 4) and (said.loss.item() == 0) == passes
        assert codebook.codes.equal(before) == passes
    assert codebook.calls == 5


def test_in_the_warm_up_every_code_has_a_gradient_of_zero_for_processes_to_agree_on():
    codebook = book(update="gradient", warmup_steps=1)
    codebook(noise(10, 3)).loss.backward()
    assert codebook.codes.grad.equal(torch.zeros(8, 3))


def test_in_eval_mode_a_codebook_that_warms_up_is_asked_all_the_same():
    codebook, z = book(warmup_steps=10), noise(10, 3)
    codebook(z)
    assert np.array_equal(codebook.eval()(z).indices, brute_force(z, codebook.codes))
    assert not codebook(z).values.equal(z)


def used_after(calls, **settings):
    """Return how many of 32 codes a codebook uses that learns 32 heaps from a start in one tiny place."""
    codebook, vectors = book(codes=32, start="uniform", **settings), heaps(32, 3, 4)
    for seed in range(calls):
        torch.manual_seed(seed)
        codebook(vectors + noise(32, 4, 3, seed=seed, scale=0.1))
    return code_statistics(codebook.eval().query(vectors), 32)[0]


def test_codes_that_start_in_one_place_die_and_revived_ones_do_not():
    assert used_after(300) < 16
    assert used_after(300, revive_after=10) > 28


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_an_idle_code_becomes_a_vector_of_the_batch(update):
    codebook = book(codes=4, dim=2, update=update, revive_after=3)
    with torch.no_grad():
        codebook.codes.copy_(torch.tensor([[0.0, 0], [5, 5], [900, 900], [-900, 900]]))
    for call in range(1, 4):
        z = noise(6, 2, seed=call)
        z[0] = 5
        said = codebook(z)
        assert {0, 1} == set(said.indices.tolist())
        there = [any(code.equal(vector) for vector in z) for code in codebook.codes[2:]]
        assert there == ([False, False] if call < 3 else [True, True])
        assert codebook.idle.tolist() == ([0, 0, call, call] if call < 3 else [0, 0, 0, 0])


def test_codes_that_come_back_together_become_different_vectors():
    codebook, z = book(codes=13, dim=2, revive_after=1), noise(12, 2)
    codebook.codes[1:] = 900
    codebook(z)
    assert {tuple(code) for code in codebook.codes[1:].tolist()} == {tuple(vector) for vector in z.tolist()}


def test_a_revived_code_is_quick_to_follow_its_vectors():
    codebook = book(codes=2, dim=1, revive_after=1, decay=0.9)
    codebook.codes.copy_(torch.tensor([[0.0], [900.0]]))
    codebook.counts.copy_(torch.tensor([50.0, 50.0]))
    codebook(torch.full((5, 1), 0.1))                                                # the second is idle and comes back
    codebook.codes[0] = -900
    codebook(torch.full((5, 1), 1.1))
    assert codebook.codes[1].item() == pytest.approx((0.9 * 0.1 + 0.1 * 5 * 1.1) / (0.9 + 0.1 * 5), rel=1e-4)


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("stop", [2, 4, 5, 9], ids=["warming up", "before the start", "after it", "later"])
def test_a_codebook_goes_on_from_its_state_to_the_same_bits(update, stop):
    settings = {"codes": 12, "start": "kmeans", "warmup_steps": 4, "revive_after": 2, "update": update}
    whole, first, second = (book(**settings) for _ in range(3))
    expected = ways(whole, range(14))
    ways(first, range(stop))
    with torch.no_grad():
        second.codes.fill_(7)
    second.load_state_dict(state(first))
    told = ways(second, range(stop, 14))
    assert same_bits(state(second), state(whole))
    assert all(a.equal(b) and i.equal(j) for (a, i), (b, j) in zip(told, expected[stop:]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_broken_vector_breaks_the_loss_but_not_the_codes(update, bad):
    codebook = book(start="kmeans", revive_after=1, update=update)
    for seed in range(4):                                                            # the first starts the codes
        z = noise(10, 3, seed=seed)
        z[4, 1] = bad
        said = codebook(z)
        assert not said.loss.isfinite()
        assert said.values.isnan().any(-1).tolist() == [i == 4 for i in range(10)]
        assert codebook.codes.isfinite().all() and codebook.counts.isfinite().all()


def test_a_batch_without_one_sound_vector_leaves_the_codes_sound():
    codebook = book(start="kmeans", revive_after=1)
    for _ in range(3):
        assert codebook(torch.full((5, 3), float("nan"))).loss.isnan()
    assert codebook.codes.isfinite().all() and codebook.counts.isfinite().all()


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_may_hold_fewer_vectors_than_there_are_codes(count):
    codebook = book(start="kmeans", revive_after=2)
    for seed in range(8):
        assert codebook(noise(count, 3, seed=seed)).loss.isfinite()


def test_a_codebook_of_one_code_learns_the_mean():
    codebook = book(codes=1, dim=3, decay=0.5, start="kmeans")
    z = noise(50, 3)
    for _ in range(5):
        codebook(z)
    torch.testing.assert_close(codebook.codes[0], z.mean(0), rtol=0, atol=1e-5)
    assert Codebook(Codebook.Config(codes=1)).codes.shape == (1, 64)
