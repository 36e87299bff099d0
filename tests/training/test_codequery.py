"""Objectives of the two stages: their terms are the paper's, and gradients go where they should and nowhere else."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rppg_lib.data import Batch
from rppg_lib.losses import standardise
from rppg_lib.models.codephys import CodePhys
from rppg_lib.models.codequery import CodeQuery
from rppg_lib.models.heartbeats import Heartbeats
from rppg_lib.training.codequery import HeartbeatObjective, QueryObjective


def batch(*, clips=3, frames=64, size=32):
    rng = np.random.default_rng(0)
    t = np.arange(frames) / 30
    label = np.stack([np.sin(2 * np.pi * bpm / 60 * t) for bpm in (60, 80, 100)[:clips]])
    pixels = 120 + 5 * label[:, :, None, None, None] + rng.normal(0, 3, (clips, frames, size, size, 3))
    return Batch(frames=torch.from_numpy(pixels.astype(np.uint8)), label=torch.from_numpy(label).float(), fs=30.0,
                 subject=("a", "b", "c")[:clips], index=torch.arange(clips))


def network(kind=CodePhys, **changes):
    torch.manual_seed(0)
    config = kind.tiny()
    return kind(type(config)(**{**vars(config), **changes})).train()


def teacher(like):
    torch.manual_seed(1)
    return Heartbeats(like.heartbeats()).eval()


def terms_of(net, objective, data):
    return objective(net(objective.feed(net, data)), standardise(data.label), data)


def test_stage_one_is_fed_the_standardised_label_and_sums_the_papers_terms():
    data, objective = batch(), HeartbeatObjective()
    heard = Heartbeats(Heartbeats.Config(dim=8, codes=8, embedding="plain", layers=1, warmup_steps=0, start="normal"))
    wave = objective.feed(heard, data)
    torch.testing.assert_close(wave, standardise(data.label))
    found = objective(heard(wave), wave, data)
    again = heard.eval()(wave)
    assert set(found) == {"mse", "pearson", "codes"}
    with torch.no_grad():
        torch.testing.assert_close(objective(again, wave, data)["mse"], functional.mse_loss(again.pulse, wave))


def test_stage_two_sums_the_papers_terms():
    net, data = network(), batch()
    stage_one = teacher(net)
    objective = QueryObjective(stage_one, like=net, alpha=2.0, beta=0.1, distill=1.0, shape=0.1, temperature=2.0)
    output = net(objective.feed(net, data))
    truth = standardise(data.label)
    found = objective(output, truth, data)
    assert set(found) == {"pearson", "spectral", "ask", "near", "ppg_ask", "ppg_near", "distill"}
    r = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(output.pulse, truth)])
    assert found["pearson"].item() == pytest.approx(2.0 * 0.1 * (1 - r).mean().item(), abs=1e-4)

    codes, z = stage_one.codebook.codes, output.features
    right = torch.cdist(stage_one.encode(truth), codes[None]).argmin(-1)
    between = torch.tensor([min((one - other).square().sum() for j, other in enumerate(codes) if j != i)
                            for i, one in enumerate(codes)])
    logits = -(z[:, :, None] - codes).square().sum(-1) / (2.0 * between.median())
    assert found["ask"].item() == pytest.approx(0.1 * functional.cross_entropy(
        logits.reshape(-1, 8), right.reshape(-1)).item(), rel=1e-4)
    nearest = codes[torch.cdist(z.detach(), codes[None]).argmin(-1)]
    assert found["near"].item() == pytest.approx(0.1 * (z - nearest).square().mean().item(), rel=1e-4)

    told = objective.contact(truth)[..., None, None].expand_as(output.maps)
    assert found["distill"].item() == pytest.approx(functional.smooth_l1_loss(output.maps, told).item(), rel=1e-4)


def test_distillation_teaches_the_video_encoder_and_never_the_contact_features():
    net, data = network(), batch()
    objective = QueryObjective(teacher(net), like=net)
    terms_of(net, objective, data)["distill"].backward()
    assert all(p.grad is None for p in objective.contact.parameters())
    assert net.video.layers[0].weight.grad.abs().max() > 0
    assert all(p.grad is None for p in net.encoder.parameters())


def test_the_contact_branch_learns_from_its_own_codes_on_the_way_the_video_goes():
    net, data = network(), batch()
    objective = QueryObjective(teacher(net), like=net)
    found = terms_of(net, objective, data)
    (found["ppg_ask"] + found["ppg_near"]).backward()
    assert all(p.grad.abs().max() > 0 for p in objective.contact.parameters())
    assert net.encoder.widen.weight.grad.abs().max() > 0 and net.prior.widen.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in net.video.parameters())


def test_the_teacher_and_frozen_parts_get_no_gradient_from_anything():
    net, data = network(), batch()
    objective = QueryObjective(teacher(net), like=net)
    sum(terms_of(net, objective, data).values()).backward()
    for part in (objective.teacher, net.codebook, net.decoder):
        assert all(p.grad is None for p in part.parameters())


def test_right_codes_come_from_stage_one_and_not_from_the_branch_that_is_trained_on():
    net, data = network(), batch()
    objective = QueryObjective(teacher(net), like=net)
    before = terms_of(net, objective, data)["ask"].item()
    with torch.no_grad():
        output = net(objective.feed(net, data))
        for p in net.prior.parameters():
            p.add_(1.0)
        assert objective(output, standardise(data.label), data)["ask"].item() == pytest.approx(before)


def test_features_that_are_the_right_codes_cost_nothing_to_ask_at_low_temperature():
    net, data = network(), batch()
    stage_one = teacher(net)
    objective = QueryObjective(stage_one, like=net, temperature=1e-3)
    right = stage_one.codebook.query(stage_one.encode(standardise(data.label)))
    found = objective._code_terms(stage_one.codebook.lookup(right), right)
    assert found["ask"].item() == pytest.approx(0, abs=1e-6) and found["near"].item() == 0


@pytest.mark.parametrize("kind, without, left", [
    (CodePhys, "distillation", {"pearson", "spectral", "ask", "near"}),
    (CodePhys, "stage_one", {"pearson", "spectral", "codes"}),
    (CodePhys, "query", {"pearson", "spectral", "ask", "near", "ppg_ask", "ppg_near", "distill"}),
    (CodeQuery, "", {"pearson", "spectral", "ask", "near"}),
])
def test_terms_that_remain_when_a_part_is_left_out(kind, without, left):
    net, data = network(kind, without=without), batch()
    objective = QueryObjective(teacher(net), like=net)
    found = terms_of(net, objective, data)
    assert set(found) == left and all(torch.isfinite(term) for term in found.values())
    sum(found.values()).backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


def test_a_stage_one_with_other_codes_is_refused():
    with pytest.raises(ValueError, match="needs a stage I with 8 codes of 8 numbers, as the network has, got 8 of 16"):
        QueryObjective(Heartbeats(Heartbeats.Config(dim=16, codes=8, embedding="plain", layers=1)), like=network())


@pytest.mark.parametrize("wrong, message", [
    ({"alpha": -1.0}, "QueryObjective: alpha must be a number of 0 or more, got -1.0"),
    ({"beta": float("nan")}, "QueryObjective: beta must be"),
    ({"temperature": 0.0}, "QueryObjective: temperature must be a number above 0, got 0.0"),
])
def test_weights_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        QueryObjective(teacher(network()), like=network(), **wrong)
