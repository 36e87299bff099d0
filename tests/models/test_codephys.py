"""CodePhys and its plug-in: sizes, what its parts do, what learns and what stays, and each part left out."""

import math

import pytest
import torch
from torch.nn import functional

from rppg_lib import registry
from rppg_lib.models.codephys import CodePhys, with_statistics_of
from rppg_lib.models.codequery import CodeQuery, QueryNetwork
from rppg_lib.models.cost import count
from rppg_lib.models.heartbeats import Heartbeats

BACKBONES = [name for name, entry in registry.available("network").items()
             if not issubclass(registry.find(name).made_of, QueryNetwork)]


def tiny(kind=CodePhys, **changes):
    torch.manual_seed(0)
    config = kind.tiny()
    return kind(type(config)(**{**vars(config), **changes}))


def video(*, clips=2, frames=64, size=32):
    return torch.randn(clips, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


# sizes

def test_the_papers_size_is_within_two_percent_of_what_it_reports():
    with torch.device("meta"):
        network = CodePhys()
    assert sum(p.numel() for p in network.parameters()) + network.codebook.codes.numel() == pytest.approx(
        5.73e6, rel=0.02)


@pytest.mark.slow
def test_the_papers_multiplications_are_within_two_percent_of_what_it_reports():
    assert count(CodePhys(), frames=160, size_px=128).macs / 1e9 == pytest.approx(75.79, rel=0.02)


@pytest.mark.parametrize("frames, size", [(64, 16), (160, 32), (300, 40)])
def test_shapes_of_what_it_answers(frames, size):
    found = tiny().eval()(video(frames=frames, size=size))
    assert found.pulse.shape == (2, frames) and found.features.shape == (2, frames // 4, 8)
    assert found.quantised.indices.shape == (2, frames // 4)
    side = math.ceil(size / 16)
    assert found.maps.shape == (2, 8, frames, side, side) and found.attention.shape == (2, 1, side, side)
    assert ((found.attention > 0) & (found.attention < 1)).all()


# what its parts do

def test_tokens_take_on_the_statistics_of_the_prior_branch():
    tokens, told = 5 * torch.randn(3, 40, 8) + 2, 0.3 * torch.randn(3, 40, 8) - 1
    made = with_statistics_of(tokens, told)
    torch.testing.assert_close(made.mean(1), told.mean(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.std(1), told.std(1), atol=1e-4, rtol=0)
    for c in range(8):                                               # and keep their own course
        assert torch.corrcoef(torch.stack([made[0, :, c], tokens[0, :, c]]))[0, 1] > 0.9999


def test_the_prior_branch_is_given_the_mean_over_the_maps_as_a_wave():
    network = tiny().eval()
    found = network(video())
    told = network.prior(found.maps.mean((1, 3, 4)))
    alone = network.encoder(found.maps)
    torch.testing.assert_close(found.features, with_statistics_of(alone, told) + told)


def test_attention_weights_places_and_not_times_or_channels():
    network = tiny().eval()
    plain, _ = tiny(without=("attention",)).eval().video(video())
    maps, attention = network.video(video())
    torch.testing.assert_close(maps, plain * attention[:, :, None], atol=1e-6, rtol=1e-5)


def test_the_pulse_is_decoded_from_codes_and_from_nothing_else():
    network = tiny().eval()
    found = network(video())
    codes = network.codebook.codes[found.quantised.indices]
    torch.testing.assert_close(found.pulse, network.decoder(codes))
    distance = torch.cdist(found.features.detach(), network.codebook.codes[None])
    assert torch.equal(found.quantised.indices, distance.argmin(-1))


# what learns and what stays

@pytest.mark.parametrize("kind", [CodePhys, CodeQuery])
def test_codebook_and_decoder_are_bit_identical_after_ten_steps(kind):
    network = tiny(kind).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(10):
        optimiser.zero_grad()
        network(video()).pulse.square().mean().backward()
        optimiser.step()
    after = network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed and not changed & {"codebook", "decoder"}
    assert len(changed) == len(dict(network.named_children())) - 2   # everything else has moved


def test_first_convolution_and_prior_branch_learn_through_the_query():
    network = tiny().train()
    network(video()).pulse.square().sum().backward()
    for parameter in (network.video.layers[0].weight, network.prior.widen.weight):
        assert parameter.grad.abs().max() > 0


def test_a_random_query_hides_the_features_a_hard_choice_lets_no_small_change_through():
    network, frames = tiny().eval(), video()
    found = network(frames)
    near = network.answer(found.features + 1e-6)
    assert torch.equal(near.pulse, found.pulse)
    open_ = tiny(without=("query",)).eval()
    assert not torch.equal(open_.answer(found.features + 1e-3).pulse, open_.answer(found.features).pulse)


# parts left out

def test_without_the_query_the_features_themselves_are_decoded():
    network = tiny(without="query").eval()
    found = network(video())
    torch.testing.assert_close(found.pulse, network.decoder(found.features))


def test_without_the_prior_branch_there_is_none_and_tokens_are_the_encoders():
    network = tiny(without="prior").eval()
    found = network(video())
    assert not any(name.startswith("prior") for name, _ in network.named_parameters())
    torch.testing.assert_close(found.features, network.encoder(found.maps))


def test_without_attention_every_place_counts_one():
    network = tiny(without="attention").eval()
    assert (network(video()).attention == 1).all()
    assert not any("look" in name for name, _ in network.named_parameters())


def test_without_stage_one_codebook_and_decoder_learn_too():
    network = tiny(without="stage_one").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(3):
        network(video()).pulse.square().mean().backward()
        optimiser.step()
    assert not torch.equal(before["decoder.narrow.weight"], network.decoder.narrow.weight)
    assert network.codebook.training and network.frozen == ()


def test_several_parts_can_be_left_out_at_once_and_are_named_as_in_a_command():
    assert tiny(without="query, prior").config.without == ("query", "prior")
    assert tiny(without=["query"]).config.without == ("query",)
    assert tiny(without="").config.without == ()


def test_distillation_changes_nothing_in_the_network():
    with_, without = tiny().state_dict(), tiny(without="distillation").state_dict()
    assert with_.keys() == without.keys()


@pytest.mark.parametrize("kind, word, message", [
    (CodePhys, "querry", "codephys: cannot be without 'querry'. Did you mean 'query'"),
    (CodeQuery, "attention", "codequery: cannot be without 'attention'. .*Words: query, stage_one"),
])
def test_a_part_that_is_not_there_cannot_be_left_out(kind, word, message):
    with pytest.raises(ValueError, match=message):
        tiny(kind, without=word)


# the plug-in

@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_network_can_ask_the_codebook_in_one_line(backbone):
    torch.manual_seed(0)
    network = CodeQuery(CodeQuery.tiny(), backbone=backbone).train()
    kind = registry.find(backbone).made_of
    assert network.normalise == kind.normalise and network.target == "wave"
    frames = torch.randn(2, 3 * len(kind.normalise), 64, 32, 32)
    found = network(frames)
    assert found.pulse.shape == (2, 64) and found.features.shape == (2, 16, 8)
    torch.testing.assert_close(network.features(frames).shape, torch.Size([2, 8, 16]))
    found.pulse.square().sum().backward()
    learning = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {name for name, p in network.named_parameters() if p.grad is not None} == learning
    assert not any(name.split(".")[1] in kind.after_features for name in learning if name.startswith("backbone."))


def test_the_backbone_is_the_network_itself_without_its_readout():
    torch.manual_seed(0)
    query = CodeQuery(CodeQuery.tiny(), backbone="physnet").eval()
    physnet = registry.find("physnet").made_of
    own = physnet(physnet.tiny()).eval()
    own.load_state_dict(query.backbone.state_dict() | {f"readout.{k}": v for k, v in own.readout.state_dict().items()})
    torch.testing.assert_close(query.backbone.features(video()), own.features(video()))


@pytest.mark.parametrize("settings, message", [
    ({"backbone": "codephys"}, "codequery: backbone must be a network without a codebook of its own, got 'codephys'"),
    ({"backbone": "pos"}, "codequery: backbone must be a network"),
    ({"backbone_is": "large"}, "codequery: backbone_is must be one of published, small, tiny, got 'large'"),
])
def test_a_backbone_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CodeQuery(CodeQuery.tiny(), **settings)


def test_an_unknown_backbone_is_named_with_its_neighbour():
    with pytest.raises((KeyError, ValueError), match="physnt.*Did you mean.*physnet"):
        CodeQuery(CodeQuery.tiny(), backbone="physnt")


# what it refuses

@pytest.mark.parametrize("frames, message", [
    (torch.zeros(1, 3, 66, 32, 32), "codephys: needs at least .* in multiples of 4, got 66"),
    (torch.zeros(1, 3, 4, 32, 32), "codephys: needs at least"),
    (torch.zeros(1, 64, 32, 32, 3), r"codephys: needs pictures \(B, 3, T, H, W\)"),
    (torch.zeros(1, 3, 64, 8, 8), "codephys: needs pictures of at least 16x16"),
])
def test_a_video_that_does_not_fit_is_one_clear_error(frames, message):
    with pytest.raises(ValueError, match=message):
        tiny()(frames)


def test_the_stage_one_that_fits_is_told_by_the_network():
    network = tiny()
    heard = Heartbeats(network.heartbeats())
    assert {k: v.shape for k, v in heard.decoder.state_dict().items()} == {
        k: v.shape for k, v in network.decoder.state_dict().items()}
    assert {k: v.shape for k, v in heard.encoder.state_dict().items()} == {
        k: v.shape for k, v in network.prior.state_dict().items()}
    assert heard.codebook.state_dict().keys() == network.codebook.state_dict().keys()
    functional.mse_loss(heard.codebook.codes, heard.codebook.codes)
