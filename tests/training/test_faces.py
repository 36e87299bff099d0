"""The objective of three tasks: what each term is, whom it knows, and that their scales find their place."""

import pytest
import torch

from rppg_lib import losses
from rppg_lib.data import Batch
from rppg_lib.data.normalise import target
from rppg_lib.models.physnet import PhysNet
from rppg_lib.models.rfacenet import Faced, RFaceNet
from rppg_lib.training.faces import FaceObjective
from rppg_lib.training.objective import loss_of

FS = 30.0


def batch_of(who=("ann", "bob"), frames=128, px=16):
    t = torch.arange(frames) / FS
    waves = torch.stack([torch.sin(2 * torch.pi * bpm / 60 * t) for bpm in (66.0, 90.0, 120.0)[:len(who)]])
    films = torch.randint(0, 255, (len(who), frames, px, px, 3), dtype=torch.uint8,
                          generator=torch.Generator().manual_seed(0))
    return Batch(films, waves, FS, tuple(who), torch.arange(len(who)))


def net(people=4):
    torch.manual_seed(0)
    return RFaceNet(RFaceNet.Config(size_px=16, frames=128, width=8, people=people))


def said(objective, output, batch):
    return objective(output, target(batch.label, "wave"), batch)


def test_at_the_start_each_term_is_its_loss_or_half_of_it():
    batch, objective = batch_of(), FaceObjective({"ann", "bob", "cid"})
    pulse = batch.label + 0.5 * torch.randn(2, 128, generator=torch.Generator().manual_seed(1))
    person = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]])
    terms = said(objective, Faced(pulse, person), batch)
    r = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(pulse, batch.label)])
    assert terms["pulse"].item() == pytest.approx((2 * (1 - r)).mean().item() / 2, abs=1e-4)
    rates = losses.soft_rate(pulse, fs=FS)
    apart = (rates - torch.tensor([66.0, 90.0])).square().mean().item()
    assert terms["rate"].item() == pytest.approx(apart / 2, abs=0.5)
    shares = person.softmax(-1)
    assert terms["person"].item() == pytest.approx(-(shares[0, 0].log() + shares[1, 1].log()).item() / 2, abs=1e-5)
    assert terms["watched_recognised"] == 0.5                        # ann; bob was taken for cid
    assert terms["watched_scale_pulse"] == terms["watched_scale_person"] == 1.0


def test_a_right_wave_a_right_rate_and_a_right_person_cost_nothing():
    batch, objective = batch_of(), FaceObjective({"ann", "bob"})
    terms = said(objective, Faced(3 * batch.label + 1, 50 * torch.eye(2)), batch)
    assert terms["pulse"] < 1e-5 and terms["rate"] < 0.1 and terms["person"] < 1e-5
    assert terms["watched_recognised"] == 1.0


def test_of_a_flat_label_neither_wave_nor_rate_is_asked():
    batch, objective = batch_of(), FaceObjective({"ann", "bob"})
    lost = Batch(batch.frames, batch.label * torch.tensor([[1.0], [0.0]]), FS, batch.subject, batch.index)
    pulse = (batch.label + torch.randn(2, 128, generator=torch.Generator().manual_seed(1))).requires_grad_()
    terms, alone = said(objective, Faced(pulse, torch.eye(2)), lost), said(
        objective, Faced(pulse[:1], torch.eye(2)[:1]), batch_of(("ann",)))
    assert terms["pulse"] == alone["pulse"] and terms["rate"] == alone["rate"]
    (terms["pulse"] + terms["rate"]).backward()
    assert pulse.grad[0].any() and not pulse.grad[1].any()
    nobody = Batch(batch.frames, 0 * batch.label, FS, batch.subject, batch.index)
    terms = said(objective, Faced(pulse, torch.eye(2)), nobody)
    assert terms["pulse"] == terms["rate"] == 0 and terms["person"] > 0
    assert terms["watched_flat_labels"] == 1 and alone["watched_flat_labels"] == 0


def test_a_label_that_is_no_number_is_not_passed_over_like_a_flat_one():
    batch = batch_of()
    label = batch.label.clone()
    label[1, 5] = torch.nan
    broken = Batch(batch.frames, label, FS, batch.subject, batch.index)
    objective = FaceObjective({"ann", "bob"})
    try:
        terms = said(objective, Faced(batch.label, torch.eye(2)), broken)
    except ValueError as error:
        assert "NaN" in str(error) or "finite" in str(error)
    else:
        assert terms["pulse"].isnan() or terms["rate"].isnan()


def test_the_scales_go_where_fixed_losses_have_them():
    batch, objective = batch_of(), FaceObjective({"ann", "bob"})
    pulse = batch.label.roll(1, 0)                                   # each has the other's pulse
    person = torch.tensor([[0.0, 3.0], [3.0, 0.0]])
    fixed = {name: value.item() for name, value in said(objective, Faced(pulse, person), batch).items()}
    steps = torch.optim.LBFGS(objective.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss():
        steps.zero_grad()
        total = loss_of(said(objective, Faced(pulse, person), batch))
        total.backward()
        return total

    steps.step(loss)
    found = objective.weigh.scales()
    assert found["pulse"] ** 2 == pytest.approx(2 * fixed["pulse"], rel=0.01)
    assert found["rate"] ** 2 == pytest.approx(2 * fixed["rate"], rel=0.01)
    assert found["person"] == pytest.approx(fixed["person"], rel=0.01)


def test_a_scale_can_start_where_the_error_is():
    batch, pulse = batch_of(), batch_of().label.roll(1, 0)
    plain, started = (said(FaceObjective({"ann", "bob"}, rate_bpm=bpm), Faced(pulse, torch.eye(2)), batch)
                      for bpm in (1.0, 20.0))
    assert started["watched_scale_rate"].item() == pytest.approx(20)
    log = torch.tensor(20.0).log().item()
    assert started["rate"].item() - log == pytest.approx(plain["rate"].item() / 400)
    assert started["pulse"] == plain["pulse"]
    assert plain["rate"].item() == pytest.approx(24 ** 2 / 2, rel=0.03)      # 66 for 90, and 90 for 66


def test_strangers_are_asked_for_their_pulse_only_and_only_when_it_is_judged():
    batch, objective = batch_of(("zoe", "yan")), FaceObjective({"ann", "bob"})
    output = Faced(batch.label, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="yan, zoe is trained on, and not among the 2 people named"):
        said(objective, output, batch)
    terms = said(objective.eval(), output, batch)
    assert set(terms) == {"pulse", "rate", "watched_flat_labels", "watched_scale_pulse", "watched_scale_rate"}
    mixed = said(objective, output, batch_of(("ann", "yan")))
    assert mixed["person"].item() == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-5)


def test_more_people_than_places_are_refused_and_a_network_without_the_branch_has_none():
    objective = FaceObjective({"ann", "bob", "cid"})
    with pytest.raises(ValueError, match="3 people are trained on, and the network tells 2 apart. Build it with"):
        objective.feed(net(people=2), batch_of())
    plain = RFaceNet(RFaceNet.Config(size_px=16, frames=128, width=8, people=2, contour="none", fuse_at=0))
    terms = said(objective, plain(objective.feed(plain, batch_of())), batch_of())
    assert "person" not in terms
    physnet = PhysNet(PhysNet.Config(size_px=16, frames=128, width=8))
    assert "person" not in said(objective, physnet(objective.feed(physnet, batch_of())), batch_of())


def test_each_term_reaches_what_it_should():
    for term, reached, spared in (("pulse", "readout", "classifier"), ("rate", "readout", "classifier"),
                                  ("person", "classifier", "readout")):
        network, objective = net(), FaceObjective({"ann", "bob"})
        said(objective, network(objective.feed(network, batch_of())), batch_of())[term].backward()
        assert all(weight.grad.abs().sum() > 0 for weight in getattr(network, reached).parameters())
        assert all(weight.grad is None for weight in getattr(network, spared).parameters())


@pytest.mark.parametrize("settings, text", [
    ({"people": ()}, r"needs the names of the people trained on, got \(\)"),
    ({"people": "ann"}, "needs the names of the people trained on, got 'ann'"),
    ({"smoothing": 1}, "smoothing must be a number from 0 to below 1, got 1"),
    ({"rate": "no"}, "rate must be true or false, got 'no'"),
    ({"rate_bpm": 0}, "rate_bpm must be a number above 0, got 0")])
def test_settings_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(ValueError, match=f"FaceObjective: {text}"):
        FaceObjective(**{"people": {"ann"}} | settings)
