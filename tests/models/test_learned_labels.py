"""Labels in steps, the published way: the encoder that does nothing, the averages, and a training of seconds."""

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rppg_lib import signal
from rppg_lib.data import SimulatedPulses
from rppg_lib.models.learned_labels import LabelEncoder, LearnedLabels, LearnedLevels
from rppg_lib.quantize import LabelCodes, LabelFilter, LabelLevels


def noise(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def learned(bits=3, seed=0):
    torch.manual_seed(seed)
    return LearnedLabels(bits)


def shaken(module, *, seed=1, scale=0.5):
    """Return a module each of whose weights has moved at random: nothing holds only because it begins so."""
    for number, weight in enumerate(module.parameters()):
        if weight.requires_grad:
            weight.data += noise(*weight.shape, seed=seed + number, scale=scale)
    return module


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same_bits(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@functools.cache
def waves():
    """Return clean labels of 300 simulated people, band-passed as published."""
    return LabelFilter()(SimulatedPulses(300, seed=5).batch(range(300)).label, 30)


def lowest_r(one, other):
    return min(np.corrcoef(a, b)[0, 1] for a, b in zip(one.numpy(), other.numpy()))


def sqnr_db(values, quantised):
    return float(10 * torch.log10(values.square().mean() / (quantised - values).square().mean()))


def moving_average(codes, sums, batches):
    """Return codes, sums and counts after these batches by the published rules, in NumPy: nothing is ever sorted."""
    codes, sums, counts = (np.array(start, float) for start in (codes, sums, np.zeros(len(codes))))
    for values in batches:
        chosen = np.abs(values[:, None] - codes).argmin(-1)
        for code in range(len(codes)):
            mine = values[chosen == code]
            counts[code] = 0.99 * counts[code] + 0.01 * len(mine)
            sums[code] = 0.99 * sums[code] + 0.01 * mine.sum()
        total = counts.sum()
        counts = (counts + 1e-5) / (total + len(codes) * 1e-5) * total
        codes = sums / counts
    return codes, sums, counts


# Sizes and layers

@pytest.mark.parametrize("bits, expected", [(1, 814), (2, 818), (3, 826), (4, 842), (5, 874)])
def test_it_has_as_many_parameters_as_the_public_checkpoints(bits, expected):
    labels = learned(bits)
    assert sum(weight.numel() for weight in labels.parameters()) == expected
    assert sum(weight.numel() for weight in labels.encoder.parameters()) == 810
    assert {name for name, weight in labels.named_parameters() if not weight.requires_grad} == {"codes", "sums"}


def test_the_convolutions_see_125_samples_and_all_but_the_last_pass_a_gelu():
    convolutions = shaken(LabelEncoder()).convolutions
    x = noise(1, 1, 400).requires_grad_()
    convolutions(x)[0, 0, 200].backward()
    assert x.grad[0, 0].nonzero().flatten()[[0, -1]].tolist() == [200 - 62, 200 + 62]
    kinds = [type(layer).__name__ for layer in convolutions]
    assert kinds == ["Conv1d", "GELU"] * 4 + ["Conv1d"]


def test_the_encoder_is_the_wave_and_the_convolutions_the_place_and_the_block():
    encoder, x = shaken(LabelEncoder()), noise(3, 160)
    with torch.no_grad():
        placed = x[..., None] + encoder.convolutions(x[:, None]).transpose(1, 2) + encoder.place
        expected = placed + encoder.mamba(functional.layer_norm(placed, (1,), encoder.norm.weight, encoder.norm.bias))
        assert encoder(x) == pytest.approx(expected[..., 0], abs=1e-6)


def test_places_are_cut_for_a_shorter_wave_and_stretched_for_a_longer_one():
    encoder = LabelEncoder()
    for weight in encoder.convolutions[-1].parameters():
        nn.init.zeros_(weight)
    nn.init.zeros_(encoder.mamba.leave.weight)                       # only wave and place are left
    encoder.place.data[0, :, 0] = torch.linspace(0, 159, 160)
    with torch.no_grad():
        assert encoder(torch.zeros(2, 160))[1].tolist() == list(range(160))
        assert encoder(torch.zeros(2, 64))[1].tolist() == list(range(64))
        assert encoder(torch.zeros(2, 319))[1].numpy() == pytest.approx(np.arange(319) / 2, abs=1e-4)


# The encoder hands on its input

@pytest.mark.parametrize("length", [64, 160, 300])
def test_what_the_block_adds_is_the_same_for_every_wave_for_its_norm_is_over_one_channel(length):
    encoder = shaken(LabelEncoder())
    given = torch.cat([torch.zeros(1, length), 100 * noise(3, length), waves()[:2].repeat(1, 2)[:, :length]])
    given.requires_grad_()
    assert encoder.mamba(given[..., None]).std(0).max() > 1e-3       # the block itself would tell them apart
    normed = encoder.norm(given[..., None])
    assert normed.detach().numpy() == pytest.approx(encoder.norm.bias.item(), abs=1e-6)
    added = encoder.mamba(normed)
    assert (added - added[:1]).abs().max() < 1e-5
    added.square().sum().backward()
    assert given.grad.abs().max() < 1e-6
    with torch.no_grad():                                            # so of two waves the same is added to either
        bare = given[..., None] + encoder.convolutions(given[:, None]).transpose(1, 2)
        rest = encoder(given) - bare[..., 0]
    assert (rest - rest[:1]).abs().max() < 1e-3                      # of numbers up to some hundred


@pytest.mark.parametrize("seed", range(4))
def test_the_encoder_gives_back_its_input_before_any_training(seed):
    with torch.no_grad():
        assert lowest_r(learned(seed=seed).encode(waves()), waves()) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("begin, bits", [("as it is", 3), ("as it is", 5), ("far from it", 3)])
def test_training_leaves_or_makes_the_encoder_an_identity_and_its_codes_lose_more_than_those_of_lloyd(begin, bits):
    labels, train, strangers = learned(bits), waves()[:200], waves()[200:]
    if begin == "far from it":
        for weight in labels.encoder.convolutions[::2]:
            weight.weight.data *= 2.2
        with torch.no_grad():
            assert lowest_r(labels.encode(strangers), strangers) < 0.95
    optimiser = torch.optim.AdamW(labels.parameters(), lr=3e-3, weight_decay=0)
    chance = torch.Generator().manual_seed(0)
    for _ in range(100):
        batch = train[torch.randint(len(train), (16,), generator=chance)]
        said = labels.train()(batch)
        optimiser.zero_grad()
        ((said.values - batch).square().mean() + said.loss).backward()
        optimiser.step()
    labels.eval()
    with torch.no_grad():
        assert lowest_r(labels.encode(strangers), strangers) > 0.99
        kept = sqnr_db(strangers, labels(strangers).values)
    most = sqnr_db(strangers, LabelLevels.fit(train, bits=(bits,))[bits](strangers).values)
    assert most - {3: 2, 5: 6}[bits] < kept < most
    if bits == 3:
        rates = [[signal.hr_from_spectrum(wave, fs=30) for wave in x.numpy()]
                 for x in (strangers, labels(strangers).values.detach())]
        assert (np.abs(np.subtract(*rates)) < 0.3).mean() >= 0.95


# The averages

@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_codes_are_the_published_moving_averages_whatever_their_order(bits):
    labels = learned(bits).double()
    codes, sums = labels.codes.numpy().copy(), labels.sums.numpy().copy()
    assert np.abs(codes).max() <= 2.0 ** -bits and np.abs(sums).max() <= 2.0 ** -bits and (labels.counts == 0).all()
    batches = [noise(4, 50, seed=seed).double() * (1 + seed) for seed in range(12)]
    encoded = []
    for batch in batches:
        with torch.no_grad():
            encoded.append(labels.encode(batch).flatten().numpy())
            said = labels.train()(batch)
        before = moving_average(codes, sums, encoded[:-1])[0]
        chosen = np.sort(before)[said.indices.flatten().numpy()]
        assert np.abs(encoded[-1] - chosen) == pytest.approx(np.abs(encoded[-1][:, None] - before).min(-1), abs=1e-6)
    expected = np.stack(moving_average(codes, sums, encoded))
    expected = expected[:, expected[0].argsort()]
    for mine, theirs in zip((labels.codes, labels.sums, labels.counts), expected):
        assert mine.numpy() == pytest.approx(theirs, rel=1e-5, abs=1e-7)


def test_a_code_that_nobody_chooses_is_thrown_out_and_comes_back_slowly():
    labels = learned(5).train()
    farthest = []
    for seed in range(300):
        with torch.no_grad():
            labels(noise(4, 50, seed=seed).clamp(-2, 2))
        farthest.append(labels.codes.abs().max().item())
    back = next(step for step, far in enumerate(farthest) if far < 5)
    assert farthest[0] > 100 and back > 50
    assert all(later < earlier for earlier, later in itertools.pairwise(farthest[:back]))


def test_several_processes_learn_what_one_learns_from_all_their_waves(monkeypatch):
    alone, together, batch = learned().train(), learned().train(), noise(4, 50)
    alone(torch.cat([batch, batch]))
    monkeypatch.setattr("rppg_lib.models.learned_labels.several_processes", lambda: True)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda tensor: tensor.mul_(2))       # two with the same waves
    together(batch)
    for name, tensor in state(alone).items():
        torch.testing.assert_close(state(together)[name], tensor)


def test_a_broken_wave_never_enters_the_averages():
    one, other = learned(), learned()
    batch = noise(4, 50)
    broken = torch.cat([batch, torch.full((1, 50), float("nan"))])
    one.train()(batch)
    said = other.train()(broken)
    assert same_bits(state(one), state(other)) and said.loss.isnan()
    assert said.values.isnan().any(-1).tolist() == [False] * 4 + [True]


# What goes in and out

def test_the_gradient_goes_straight_through_to_what_the_encoder_gave():
    labels, batch, slope = learned().train(), noise(4, 50).requires_grad_(), noise(4, 50, seed=1)
    said = labels(batch)
    (said.values * slope).sum().backward()
    through, batch.grad = batch.grad.clone(), None
    (labels.encode(batch) * slope).sum().backward()
    torch.testing.assert_close(through, batch.grad)


def test_the_commitment_is_half_the_squared_distance_to_the_codes_and_pulls_the_encoder_alone():
    labels, batch = learned().train(), noise(4, 50)
    encoded = labels.encode(batch)
    said = labels(batch)
    distance = encoded - said.values.detach()
    assert said.loss.item() == pytest.approx(0.5 * distance.square().mean().item())
    expected = torch.autograd.grad(encoded, list(labels.encoder.convolutions.parameters()), distance / distance.numel())
    said.loss.backward()
    for weight, slope in zip(labels.encoder.convolutions.parameters(), expected):
        torch.testing.assert_close(weight.grad, slope)
    assert labels.codes.grad is None and labels.sums.grad is None


def test_in_eval_mode_and_when_only_asked_nothing_changes():
    labels, batch = learned().train(), noise(4, 50)
    labels(batch)
    before = state(labels)
    labels.query(batch), labels.encode(batch), labels.as_codes()(batch), labels.soft(batch)
    said = labels.eval()(batch)
    assert same_bits(state(labels), before) and said.loss.item() == 0
    labels.train()(batch)
    assert not labels.codes.equal(before["codes"])


def test_a_frozen_one_is_not_taken_for_one_that_learns_and_a_fresh_one_not_for_a_frozen_one():
    # Training puts modules into eval mode of which no parameter is trained: the codes must not lie in one of their own.
    labels = learned()
    holders = [module for module in labels.modules() if list(module.parameters())]
    assert all(any(weight.requires_grad for weight in module.parameters()) for module in holders)


def test_it_answers_as_fixed_codes_do_with_codes_that_ascend():
    labels, batch = learned(4).train(), waves()[:20]
    for _ in range(5):
        labels(batch)
    labels.eval()
    with torch.no_grad():
        said, encoded = labels(batch), labels.encode(batch)
    codes = labels.as_codes()
    assert isinstance(codes, LabelCodes) and codes.bits == labels.bits == 4 and (labels.codes.diff() >= 0).all()
    assert said.indices.equal(labels.query(batch)) and said.indices.equal(codes.query(encoded))
    assert said.values.equal(labels.lookup(said.indices)) and said.values.equal(codes(encoded).values)
    assert labels.soft(encoded, temperature=0.2).equal(codes.soft(encoded, temperature=0.2))
    assert labels.logits(encoded).equal(codes.logits(encoded))
    assert not labels.codes.requires_grad and not codes.codes.requires_grad
    labels.codes.data += 1                                           # what was taken stays as it was taken
    assert not codes.codes.equal(labels.codes)


def test_codes_that_coincide_can_still_be_taken():
    labels = learned(2)
    labels.codes.data = torch.tensor([-1.0, 0.5, 0.5, 0.5])
    codes, values = labels.as_codes(), torch.tensor([-2.0, -0.3, 0.5, 0.6, 9.0])
    assert codes.codes.tolist() == [-1, 0.5, 0.5, 0.5] and codes(values).values.tolist() == [-1, -1, 0.5, 0.5, 0.5]


def test_weights_in_another_order_are_sorted_together_when_loaded():
    labels, fresh = learned(3).train(), learned(3, seed=9)
    labels(noise(4, 50))
    given, order = state(labels), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    for name in ("codes", "sums", "counts"):
        given[name] = given[name][order]
    fresh.load_state_dict(given)
    assert same_bits(state(fresh), state(labels))


def test_autocast_changes_no_bit_and_half_precision_is_encoded_in_float32():
    labels, batch = learned().eval(), noise(3, 160)
    with torch.no_grad():
        expected = labels(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = labels(batch)
        short = labels(batch.bfloat16())
        again = labels(batch.bfloat16().float())
    assert said.values.equal(expected.values) and said.values.dtype == torch.float32
    assert short.values.equal(again.values)


def test_levels_hold_one_for_each_number_of_bits_and_answer_for_all():
    torch.manual_seed(0)
    levels = LearnedLevels()
    batch = noise(2, 160)
    said = levels.eval()(batch)
    assert levels.bits == (1, 2, 3, 4, 5) == tuple(said.levels) and len(levels[3].codes) == 8
    assert all(said.levels[bits].values.equal(levels[bits](batch).values) for bits in levels.bits)
    assert said.pulse.equal(said.levels[5].values)
    fixed = LabelLevels.even()
    fixed.load_state_dict(levels.as_codes().state_dict())            # what a network's codes are set by
    assert all(fixed[bits].codes.equal(levels[bits].codes) for bits in levels.bits)
    assert LearnedLevels(**levels.settings).bits == levels.bits
    assert not [weight for weight in levels.requires_grad_(False).parameters() if weight.requires_grad]


@pytest.mark.parametrize("make, error, told", [
    (lambda: LearnedLabels(0), ValueError, "LearnedLabels: bits must be whole numbers from 1 to 8"),
    (lambda: LearnedLabels((1, 2)), ValueError, "LearnedLabels: bits must be whole numbers from 1 to 8"),
    (lambda: LearnedLevels(()), ValueError, "LearnedLevels: bits must be whole numbers from 1 to 8"),
    (lambda: learned()(torch.zeros(160)), ValueError, "LearnedLabels: needs waves (B, T), got (160,). One wave alone"),
    (lambda: learned().query(torch.zeros(2, 0)), ValueError, "LearnedLabels: needs at least one value, got an empty"),
    (lambda: learned().encode([1.0]), TypeError, "LearnedLabels: needs values as a floating-point tensor, got list."),
])
def test_what_cannot_be_learned_from_is_described(make, error, told):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(told)
