"""The student's objective: each term is what it says, the teacher learns nothing, and what it says can be weighed."""

import dataclasses

import pytest
import torch

from rppg_lib.data import Batch, Windows
from rppg_lib.data.normalise import normalise, resized, target
from rppg_lib.losses import dilate, mse, negative_pearson, standardise
from rppg_lib.losses.distill import attention_transfer, similarity_transfer, steadiness
from rppg_lib.models.efficientphys import EfficientPhys
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.maps import with_maps
from rppg_lib.models.physnet import PhysNet
from rppg_lib.training import FitConfig, TrainingData, fit
from rppg_lib.training.distill import DistillObjective
from rppg_lib.training.learner import Learner, own_state, train_mode
from rppg_lib.training.recipes import recipe

from ..models.tiny import Tiny
from .small import FRAMES, clip

FS = 30.0
ALONE = {"weights": {"attention": 0, "similarity": 0, "imitate": 0}}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def batch_of(count=2, frames=32, size_px=16):
    rng = torch.Generator().manual_seed(3)
    beat = torch.sin(2 * torch.pi * torch.tensor([1.1, 1.7])[:count, None] * torch.arange(frames) / FS)
    pixels = 120 - 6 * beat[:, :, None, None, None] + 3 * torch.randn(count, frames, size_px, size_px, 3, generator=rng)
    return Batch(pixels.clamp(0, 255).byte(), beat, FS, ("x", "y")[:count], torch.arange(count))


def teacher(size_px=16):
    torch.manual_seed(1)
    return PhysNet(PhysNet.Config(size_px=size_px, frames=32, width=4)).eval()


def student(size_px=16, **settings):
    torch.manual_seed(2)
    config = KDPhys.Config(size_px=size_px, frames=32, width=8, dense=4, dropout=0.0, dropout_dense=0.0, **settings)
    return KDPhys(config)


def said(objective, network, batch):
    objective.begin(9)
    terms, pulse, truth = Learner(network, objective)(batch)
    return terms, pulse, truth


# Terms

@pytest.mark.parametrize("size_px", [16, 32])
def test_each_term_is_what_it_says(size_px):
    network, told, batch = student(), teacher(size_px), batch_of(size_px=32)
    terms, pulse, truth = said(DistillObjective(told, alpha=0.7, gamma=0.2,
                                                  weights={"attention": 2.0, "similarity": 3.0, "imitate": 4.0}),
                               network, batch)
    assert list(terms) == ["dilate", "attention", "similarity", "imitate"]
    torch.testing.assert_close(truth, target(batch.label, "change"))
    wave, its = with_maps(told, normalise(resized(batch.frames, size_px), told.normalise))
    again, mine = with_maps(network, normalise(resized(batch.frames, 16), network.normalise))
    torch.testing.assert_close(pulse, again)
    expected = {"dilate": dilate(standardise(pulse), standardise(truth), alpha=0.7, gamma=0.2).mean() / 32,
                "attention": 2 * sum(attention_transfer(a, b).mean() for a, b in zip(mine, its)) / 2,
                "similarity": 3 * sum(similarity_transfer(a, b).mean() for a, b in zip(mine, its)) / 2,
                "imitate": 4 * negative_pearson(pulse, target(wave, "change")).mean()}
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name], msg=name)


def test_dilate_begins_when_correlation_has_brought_the_wave_near():
    objective, network, batch = DistillObjective(None, **ALONE, warmup=2), student(), batch_of()
    names = []
    for epoch in range(4):
        objective.begin(epoch)
        names += Learner(network, objective)(batch)[0]
    assert names == ["pearson", "pearson", "dilate", "dilate"]


@pytest.mark.parametrize("wave, expected", [("pearson", negative_pearson), ("mse", mse)])
def test_another_loss_of_the_wave_can_be_asked_for(wave, expected):
    terms, pulse, truth = said(DistillObjective(None, **ALONE, wave=wave), student(), batch_of())
    if wave == "mse":
        pulse, truth = standardise(pulse), standardise(truth)
    torch.testing.assert_close(terms[wave], expected(pulse, truth).mean())


@pytest.mark.parametrize("left_out", ["attention", "similarity", "imitate"])
def test_a_weight_of_0_leaves_a_term_out(left_out):
    terms, *_ = said(DistillObjective(teacher(), weights={left_out: 0}), student(), batch_of())
    assert set(terms) == {"dilate", "attention", "similarity", "imitate"} - {left_out}


def test_gating_weighs_each_clip_by_how_steady_the_teachers_wave_is():
    network, told, batch = student(), teacher(), batch_of()
    wave = told(normalise(batch.frames, told.normalise))
    trust = steadiness(wave, fs=FS)
    free, pulse, _ = said(DistillObjective(told), network, batch)
    gated, *_ = said(DistillObjective(told, gate=True), network, batch)
    torch.testing.assert_close(gated["dilate"], free["dilate"])
    expected = 0.5 * (trust * negative_pearson(pulse, target(wave, "change"))).mean()
    torch.testing.assert_close(gated["imitate"], expected)
    assert gated["attention"] < free["attention"]


def test_a_teacher_of_changes_teaches_changes():
    told = EfficientPhys(EfficientPhys.Config(size_px=16, frames=32, width=8, dense=4)).eval()
    network, batch = student(), batch_of()
    terms, pulse, _ = said(DistillObjective(told, weights={"attention": 0, "similarity": 0}), network, batch)
    asked = told(normalise(batch.frames, told.normalise))
    torch.testing.assert_close(terms["imitate"], 0.5 * negative_pearson(pulse, asked).mean())


# The teacher

def test_the_teacher_gets_no_slope_stays_in_eval_mode_and_is_not_saved():
    told, network, batch = teacher(), student(), batch_of()
    objective = DistillObjective(told)
    learner = Learner(network, objective)
    train_mode(learner, [])
    before = {name: tensor.clone() for name, tensor in objective.teacher.state_dict().items()}
    sum(learner(batch)[0].values()).backward()
    assert not objective.teacher.training and network.training
    assert all(weight.grad is None for weight in objective.teacher.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.teacher.state_dict().items())
    assert not own_state(objective)
    assert all(weight.requires_grad for weight in told.parameters())             # the caller's own stays as it was


@pytest.mark.parametrize("term", ["attention", "similarity", "imitate"])
def test_each_term_of_the_teacher_reaches_the_students_first_layer(term):
    network = student()
    terms, *_ = said(DistillObjective(teacher()), network, batch_of())
    terms[term].backward()
    assert network.motion[0].weight.grad.abs().max() > 0


def test_without_a_teacher_none_is_asked():
    assert DistillObjective(None, **ALONE).teacher is None
    assert DistillObjective(teacher(), **ALONE).teacher is None


def test_a_student_is_trained_in_the_loop_that_all_are_trained_in():
    data = TrainingData(Windows([clip(number, size_px=12) for number in range(3)], frames=FRAMES))
    network = KDPhys(KDPhys.Config(size_px=12, frames=64, width=8, dense=4))
    told = PhysNet(PhysNet.Config(size_px=16, frames=64, width=4)).eval()
    plan = FitConfig(epochs=2, device="cpu", keep="last")
    done = fit(network, DistillObjective(told, warmup=1), data, plan, progress=False)
    assert {"attention", "similarity", "imitate", "dilate"} <= set(done.history[-1])
    assert "pearson" in done.history[0]


# What makes no sense

@pytest.mark.parametrize("settings, message", [
    ({"wave": "dilat"}, "wave must be one of dilate, pearson, mse, got 'dilat'. Did you mean 'dilate'"),
    ({"gate": "no"}, "gate must be true or false, got 'no'"),
    ({"alpha": 1.5}, "alpha must be a number from 0 to 1, got 1.5"),
    ({"gamma": 0}, "gamma must be a number above 0, got 0"),
    ({"weights": {"imitate": -1}}, "imitate must be a number of 0 or more, got -1"),
    ({"weights": {"imitat": 1}}, "there is no weight 'imitat'. Did you mean 'imitate'"),
    ({"warmup": None}, "warmup must be a number of 0 or more, got None")])
def test_a_setting_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=f"DistillObjective: {message}"):
        DistillObjective(teacher(), **settings)


@pytest.mark.parametrize("losses, message", [({"wave": "dilat"}, "wave must be one of dilate, pearson, mse"),
                                             ({"imitate": -1}, "imitate must be a number of 0 or more"),
                                             ({"gamma": 0}, "gamma must be a number above 0")])
def test_a_recipe_with_a_setting_that_makes_no_sense_cannot_be_made(losses, message):
    how = recipe("kdphys", "full")
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(how, losses={**how.losses, **losses})


def test_a_teacher_that_cannot_teach_is_refused():
    with pytest.raises(ValueError, match="needs a teacher for attention, similarity and imitate"):
        DistillObjective(None)
    with pytest.raises(ValueError, match="tiny names no maps to look at.* take one that does: .*physnet"):
        DistillObjective(Tiny())
    told = EfficientPhys(EfficientPhys.Config(size_px=16, frames=32, width=8, dense=4))
    with pytest.raises(ValueError, match="physnet estimates the wave, its teacher efficientphys only changes"):
        said(DistillObjective(told, weights={"attention": 0, "similarity": 0}), teacher(), batch_of())
