"""rFaceNet: its sizes, a mean picture without a pulse, and where the two branches meet and where they do not."""

import pytest
import torch

from rppg_lib.data.normalise import normalise
from rppg_lib.models.cost import count
from rppg_lib.models.physnet import PhysNet
from rppg_lib.models.rfacenet import FeatureCombiner, RFaceNet, TemporalCompressor

from .probes import on_paper

ABLATIONS = {"neither": {"fuse_at": 0, "contour": "none"}, "face alone": {"fuse_at": 0},
             "noise": {"contour": "noise"}, **{f"stage {stage}": {"fuse_at": stage} for stage in (1, 2, 3)}}
"""Table 3 of the paper."""


def net(**settings):
    torch.manual_seed(1)
    return RFaceNet(RFaceNet.Config(**{"size_px": 32, "frames": 64, "width": 8, "people": 4} | settings))


def pictures(frames=64, px=32, clips=2):
    return torch.randn(clips, 6, frames, px, px, generator=torch.Generator().manual_seed(2))


# sizes

def test_it_has_0_957_million_weights_with_107_people():
    assert count(on_paper(RFaceNet), frames=64, size_px=128).params == pytest.approx(957_000, rel=0.01)
    assert RFaceNet.Config().people == 107


@pytest.mark.parametrize("config, gmacs", [(RFaceNet.vipl(), 28.05), (RFaceNet.toolbox(enlarge=1), 17.65)])
def test_it_multiplies_as_often_as_was_counted_with_the_map_convolved_after_it_was_repeated(config, gmacs):
    with torch.device("meta"):
        network = RFaceNet(config)
    cost = count(network, frames=config.frames, size_px=config.size_px)
    times, places = config.frames // 4, (config.size_px // 8) ** 2               # of the maps of stage 3
    saved = (times - 1) * 64 * 64 * places
    assert (cost.macs + saved) / 1e9 == pytest.approx(gmacs, abs=0.005) and cost.macs / 1e9 < gmacs - 0.005


def test_the_weights_are_those_of_its_parts():
    whole, physnet = (count(on_paper(kind), frames=8, size_px=16).params for kind in (RFaceNet, PhysNet))
    convolutions = [(3, 16, 25), (16, 32, 9), (32, 64, 9), *[(64, 64, 9)] * 4]
    branch = sum(before * after * taps + after + 2 * after for before, after, taps in convolutions)
    combiner = 2 * 64 * 64 + 2                                       # two 1x1 convolutions, alpha and beta
    assert whole - physnet == branch + (64 + 1) * 107 + combiner


@pytest.mark.parametrize("name, settings", ABLATIONS.items())
def test_every_ablation_gives_a_pulse_and_says_who_it_may_be_if_it_looks(name, settings):
    output = net(**settings).eval()(pictures())
    assert output.pulse.shape == (2, 64) and output.pulse.isfinite().all()
    assert (output.person is None) == (settings.get("contour", "face") != "face")
    assert output.person is None or output.person.shape == (2, 4)


def test_with_neither_it_is_physnet():
    mine, physnet = net(**ABLATIONS["neither"]).eval(), PhysNet(PhysNet.Config(size_px=32, frames=64, width=8)).eval()
    physnet.load_state_dict(mine.state_dict())
    fed = pictures()
    torch.testing.assert_close(mine(fed).pulse, physnet(fed[:, :3]))


@pytest.mark.parametrize("stage, side", [(1, 16), (2, 8), (3, 4)])
def test_maps_meet_at_a_half_a_quarter_an_eighth_of_the_picture(stage, side):
    network, met = net(fuse_at=stage).eval(), []
    network.fusion.register_forward_hook(lambda layer, given, out: met.append((given[1].shape, out.shape)))
    network(pictures())
    (pulse, fused), = met
    assert pulse == fused and pulse[-2:] == (side, side)


@pytest.mark.parametrize("settings", [{}, {"fuse_at": 1}, {"enlarge": 2}, {"pictures": 4}, {"contour": "noise"}])
def test_every_weight_is_of_use(settings):
    network = net(**settings)
    output = network(pictures())
    sum((part * torch.randn_like(part)).sum() for part in output if part is not None).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


# the mean picture

def test_the_mean_picture_is_the_mean_and_blind_to_the_order_of_time():
    clip = torch.rand(2, 3, 60, 9, 7, dtype=torch.float64)
    shown = TemporalCompressor()(clip)
    torch.testing.assert_close(shown, clip.mean(2))
    torch.testing.assert_close(TemporalCompressor()(clip[:, :, torch.randperm(60)]), shown)


def test_several_mean_pictures_are_those_of_the_parts_of_the_clip():
    clip = torch.rand(2, 3, 60, 9, 7)
    shown = TemporalCompressor(3)(clip)
    assert shown.shape == (2, 9, 9, 7)
    torch.testing.assert_close(shown.unflatten(1, (3, 3)), torch.stack([part.mean(2) for part in clip.chunk(3, 2)], 2))


def test_a_pulse_of_mean_zero_leaves_the_mean_picture_as_it_is():
    clip = torch.rand(1, 3, 150, 8, 8)
    pulse = 0.01 * torch.sin(2 * torch.pi * torch.arange(150) / 25)  # six whole beats
    apart = TemporalCompressor()(clip + pulse[:, None, None]) - TemporalCompressor()(clip)
    assert apart.abs().max() < 1e-6


def test_differences_from_frame_to_frame_have_no_face_and_standardised_pictures_have():
    torch.manual_seed(0)
    face = torch.rand(1, 1, 24, 24, 3) * 120 + 60
    film = (face + torch.randn(1, 128, 24, 24, 3)).round().clamp(0, 255).byte()
    def likeness(kind):
        shown = TemporalCompressor()(normalise(film, (kind,)))[0].permute(1, 2, 0)
        return torch.corrcoef(torch.stack([shown.flatten(), face.flatten()]))[0, 1]
    assert likeness("standard") > 0.999 and abs(likeness("diff")) < 0.2


# where the branches meet

def test_the_sum_is_linear_in_both():
    torch.manual_seed(0)
    combine = FeatureCombiner(face=6, pulse=4).double()
    face, other = torch.randn(2, 2, 6, 5, 5, dtype=torch.float64)
    pulse, more = torch.randn(2, 2, 4, 7, 10, 10, dtype=torch.float64)
    want = 2 * combine(face, pulse) - 3 * combine(other, more)
    torch.testing.assert_close(combine(2 * face - 3 * other, 2 * pulse - 3 * more), want)


def test_one_map_for_all_times_is_the_map_repeated_in_time():
    torch.manual_seed(0)
    combine = FeatureCombiner(face=6, pulse=4).double()
    face, pulse = torch.randn(2, 6, 5, 5, dtype=torch.float64), torch.randn(2, 4, 7, 5, 5, dtype=torch.float64)
    repeated = torch.cat([face[:, :, None]] * 7, dim=2)              # equation 1
    of_face = torch.einsum("oc,bcthw->bothw", combine.face.weight[:, :, 0, 0], repeated)
    of_pulse = torch.einsum("oc,bcthw->bothw", combine.pulse.weight[:, :, 0, 0, 0], pulse)
    torch.testing.assert_close(combine(face, pulse), combine.alpha * of_face + combine.beta * of_pulse)


def test_without_alpha_it_is_the_pulse_branch_alone():
    network, fed = net().eval(), pictures()
    with torch.no_grad():
        network.fusion.alpha.zero_()
        network.fusion.pulse.weight.copy_(torch.eye(8).reshape(8, 8, 1, 1, 1))
    plain = PhysNet(PhysNet.Config(size_px=32, frames=64, width=8)).eval()
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if name in plain.state_dict()})
    torch.testing.assert_close(network(fed).pulse, plain(fed[:, :3]))


@pytest.mark.parametrize("name, reaches", [("stage 1", True), ("stage 3", True), ("face alone", False)])
def test_the_pulse_reaches_the_identity_branch_only_where_maps_are_added(name, reaches):
    network = net(**ABLATIONS[name])
    network(pictures()).pulse.square().sum().backward()
    slopes = [weight.grad for weight in network.identity.parameters()]
    assert all(slope is None for slope in slopes) != reaches
    assert not reaches or all(slope.abs().sum() > 0 for slope in slopes if slope.ndim > 1)
    assert all(weight.grad is None for weight in network.classifier.parameters())


def test_who_it_is_never_reaches_the_pulse_branch():
    network = net()
    network(pictures()).person.square().sum().backward()
    assert all(weight.grad is None for weight in [*network.encoder.parameters(), *network.decoder.parameters()])


def test_the_face_is_seen_in_standardised_pictures_and_the_pulse_in_differences():
    network, fed = net().eval(), pictures()
    other = fed.clone()
    other[:, :3] = fed[:, :3].flip(2)                                # other differences, the same face
    assert torch.equal(network(other).person, network(fed).person)
    assert not torch.equal(network(other).pulse, network(fed).pulse)
    other = fed.clone()
    other[:, 3:] = fed[:, 3:].flip(-1)                               # another face
    assert not torch.equal(network(other).person, network(fed).person)
    apart = net(fuse_at=0).eval()
    assert torch.equal(apart(other).pulse, apart(fed).pulse)


def test_noise_is_another_each_time_while_training_and_none_afterwards():
    network, fed = net(contour="noise"), pictures()
    assert not torch.equal(network(fed).pulse, network(fed).pulse)
    network.eval()
    assert torch.equal(network(fed).pulse, network(fed).pulse)


@pytest.mark.parametrize("settings, text", [
    ({"contour": "eyes"}, "contour must be one of face, noise, none, got 'eyes'"),
    ({"contour": "none"}, "leaves nothing to add. Set fuse_at=0"),
    ({"contour": "noise", "fuse_at": 0}, "'noise' is added nowhere with fuse_at=0"),
    ({"fuse_at": 4}, "fuse_at must be a whole number from 0 to 3, got 4"),
    ({"people": 1}, "people must be a whole number from 2, got 1"),
    ({"pictures": 3}, "64 frames cannot be averaged into 3 pictures")])
def test_settings_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(ValueError, match=f"rfacenet: .*{text}"):
        net(**settings)


def test_a_clip_that_cannot_be_parted_into_its_mean_pictures_is_refused():
    network = net(frames=60, pictures=5).eval()
    assert network(pictures(40)).pulse.shape == (2, 40)
    with pytest.raises(ValueError, match="rfacenet: needs at least 8 frames, in multiples of 20, got 48"):
        network(pictures(48))


def test_a_network_without_the_branch_has_no_face_to_show():
    with pytest.raises(ValueError, match="rfacenet: has no identity branch with contour='noise'"):
        net(contour="noise").face(pictures())
