"""Labels in steps as objectives: each guess is asked for its own level, early ones also for what later ones need."""

import math

import pytest
import torch
from torch.nn import functional

from rppg_lib.data import Batch
from rppg_lib.losses import negative_pearson, spectral_cross_entropy
from rppg_lib.models.learned_labels import LearnedLevels
from rppg_lib.models.lqrppg import LQrPPG, Refined
from rppg_lib.quantize.labels import LabelFilter, LabelLevels
from rppg_lib.training.levels import LearnedLabelsObjective, LevelsObjective

BITS, FS = (1, 2, 3, 4, 5), 30.0


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def waves(count=3, frames=96):
    t = torch.arange(frames) / FS
    rates = torch.linspace(1.0, 2.0, count)[:, None]
    return torch.sin(2 * math.pi * rates * t) + 0.3 * torch.sin(4 * math.pi * rates * t + 1) + 7


def batch_of(labels):
    return Batch(torch.empty((*labels.shape, 0, 0, 3), dtype=torch.uint8), labels, FS, ("x",) * len(labels),
                 torch.arange(len(labels)))


def said_by_chance(count=3, frames=96, levels=None):
    scalars = tuple(torch.randn(count, frames, requires_grad=True) for _ in BITS)
    levels = levels or LabelLevels.even()
    guesses = tuple(levels[bits].soft(scalar) for bits, scalar in zip(BITS, scalars))
    return Refined(guesses[-1], scalars, guesses)


def terms_of(objective, output, labels):
    return objective(output, labels, batch_of(labels))


def small():
    return LQrPPG(LQrPPG.Config(size_px=16, frames=96, width=8, states=4))


def gradients(network, objective, labels, frames):
    network.zero_grad()
    sum(terms_of(objective, network(frames), labels).values()).backward()
    return [stage.head.weight.grad for stage in network.stages] + [network.last[-1].weight.grad]


def test_each_term_is_what_it_says():
    labels, filter = waves(), LabelFilter()
    levels = LabelLevels.fit(filter(labels, FS))
    said = said_by_chance(levels=levels)
    objective = LevelsObjective(levels, filter=filter, weights={"cross_entropy": 2.0, "pearson": 0.5, "spectral": 3.0},
                                shares=(1, 1, 4, 1, 1), temperature=0.7)
    terms = terms_of(objective, said, labels)
    assert len(terms) == 15
    codes = levels[3].codes
    wave = filter(labels, FS)
    right = (wave[..., None] - codes).abs().argmin(-1)
    logits = -(said.scalars[2][..., None] - codes).abs() / 0.7
    picked = -logits.log_softmax(-1).gather(-1, right[..., None]).mean()
    torch.testing.assert_close(terms["codes_3"], 4 * 2.0 * picked)
    torch.testing.assert_close(terms["pearson_3"], 4 * 0.5 * negative_pearson(said.guesses[2], codes[right]).mean())
    torch.testing.assert_close(terms["spectral_3"], 4 * 3.0 * spectral_cross_entropy(
        said.guesses[2], codes[right], fs=FS, form="field").mean())


def test_the_right_codes_cost_least():
    labels, filter = waves(), LabelFilter()
    levels = LabelLevels.fit(filter(labels, FS))
    wave = filter(labels, FS)
    exact = tuple(levels[bits](wave).values for bits in BITS)
    objective = LevelsObjective(levels, filter=filter, weights={"pearson": 1.0, "spectral": 0.0}, temperature=1e-3)
    right = terms_of(objective, Refined(exact[-1], exact, exact), labels)
    for bits in BITS:
        assert right[f"codes_{bits}"] < 0.02 and right[f"pearson_{bits}"] < 1e-5
    wrong = terms_of(objective, said_by_chance(levels=levels), labels)
    assert all(wrong[name] > right[name] + 0.1 for name in right)


def test_without_steps_every_guess_is_asked_for_the_filtered_label_and_for_no_code():
    labels, filter = waves(), LabelFilter()
    said = said_by_chance()
    terms = terms_of(LevelsObjective(None, filter=filter), said, labels)
    assert sorted(terms) == sorted(f"{name}_{bits}" for name in ("pearson", "spectral") for bits in BITS)
    torch.testing.assert_close(terms["pearson_1"], 0.2 * negative_pearson(said.guesses[0], filter(labels, FS)).mean())


def test_the_last_alone_means_that_no_other_guess_has_a_term():
    levels = LabelLevels.fit(LabelFilter()(waves(), FS))
    terms = terms_of(LevelsObjective(levels, filter=LabelFilter(), supervise="last"), said_by_chance(), waves())
    assert set(terms) == {"codes_5", "pearson_5", "spectral_5"}


@pytest.mark.parametrize("steps", [False, True])
def test_the_value_in_every_frame_can_be_asked_for_too(steps):
    labels, filter = waves(), LabelFilter()
    levels = LabelLevels.fit(filter(labels, FS))
    said = said_by_chance(levels=levels)
    terms = terms_of(LevelsObjective(levels if steps else None, filter=filter, weights={"sample": 3.0}), said, labels)
    wave = filter(labels, FS)
    wave = levels[4](wave).values if steps else wave
    torch.testing.assert_close(terms["sample_4"], 3 * (said.scalars[3] - wave).abs().mean())


@pytest.mark.parametrize("level", range(5))
def test_each_head_learns_from_its_own_terms(level):
    labels, frames = waves(), torch.randn(3, 3, 96, 16, 16)
    levels = LabelLevels.fit(LabelFilter()(labels, FS))
    shares = [float(number == level) for number in range(5)]
    network = small()
    grads = gradients(network, LevelsObjective(levels, filter=LabelFilter(), shares=shares), labels, frames)
    assert grads[level].abs().max() > 0
    assert all(grad is None or not grad.any() for grad in grads[level + 1:])     # nothing of what comes later


@pytest.mark.parametrize("silent", range(4))
def test_a_guess_without_terms_leaves_the_way_of_the_later_ones_open(silent):
    labels, frames = waves(), torch.randn(3, 3, 96, 16, 16)
    levels = LabelLevels.fit(LabelFilter()(labels, FS))
    network = small()
    shares = [float(number > silent) for number in range(5)]
    grads = gradients(network, LevelsObjective(levels, filter=LabelFilter(), shares=shares), labels, frames)
    assert all(grad.abs().max() > 0 for grad in grads)               # its head still serves those that come later
    assert network.stem.pictures[0].weight.grad.abs().max() > 0


def test_codes_of_learned_quantisers_are_asked_for_as_they_are_and_stay():
    labels, filter = waves(frames=160), LabelFilter()
    learned = LearnedLevels(BITS).train()
    learned(filter(labels, FS))                                      # one step of the averages
    learned.eval()
    objective = LevelsObjective(learned, filter=filter)
    said = said_by_chance(frames=160, levels=learned.as_codes())
    terms = terms_of(objective, said, labels)
    right = learned[2](filter(labels, FS)).indices
    logits = -(said.scalars[1][..., None] - learned[2].codes).abs()
    torch.testing.assert_close(terms["codes_2"], functional.cross_entropy(logits.flatten(0, 1), right.flatten()))
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in learned.parameters())


def test_quantisers_that_learn_are_fed_what_labels_go_through_and_have_three_terms_a_level():
    labels, objective = waves(frames=160), LearnedLabelsObjective(filter=LabelFilter())
    network, batch = LearnedLevels((1, 3)).train(), batch_of(waves(frames=160))
    fed = objective.feed(network, batch)
    torch.testing.assert_close(fed, LabelFilter()(labels, FS))
    said = network(fed)
    terms = objective(said, labels, batch)
    assert set(terms) == {f"{name}_{bits}" for name in ("mse", "spectral", "codes") for bits in (1, 3)}
    torch.testing.assert_close(terms["mse_3"], (said.levels[3].values - fed).square().mean())
    sum(terms.values()).backward()
    assert network[3].encoder.convolutions[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("given, text", [
    ({"supervise": "first"}, "supervise must be one of all, last, got 'first'"),
    ({"weights": {"persson": 1.0}}, "there is no term 'persson'. Did you mean 'pearson'"),
    ({"weights": {"pearson": -1.0}}, "pearson must be a number of 0 or more, got -1.0"),
    ({"weights": {"pearson": 0, "spectral": 0, "cross_entropy": 0}}, "all weights are 0"),
    ({"shares": (1, 1)}, "needs 5 shares, one per level"),
    ({"shares": (1, 1, 1, 1, float("nan"))}, "share 4 must be a number"),
    ({"shares": (0,) * 5}, "all weights are 0"),
    ({"temperature": 0}, "temperature must be a number above 0, got 0"),
    ({"bits": (1, 2)}, "needs labels at .1, 2. bits"),
])
def test_settings_that_cannot_be_are_said(given, text):
    with pytest.raises(ValueError, match=f"LevelsObjective: .*{text}"):
        LevelsObjective(LabelLevels.even(), **{"filter": LabelFilter(), **given})


def test_without_steps_codes_cannot_be_all_that_is_asked_for():
    with pytest.raises(ValueError, match="nothing is asked for"):
        LevelsObjective(None, filter=LabelFilter(), weights={"pearson": 0.0, "spectral": 0.0})
