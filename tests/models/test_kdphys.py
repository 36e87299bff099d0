"""KDPhys: half of EfficientPhys, and the same numbers whether a clip comes whole or picture by picture."""

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.cost import count
from rppg_lib.models.efficientphys import EfficientPhys
from rppg_lib.models.kdphys import DARK, KDPhys

from .probes import frames_seen, on_paper, untouched_weights


def small(**settings):
    torch.manual_seed(1)
    network = KDPhys(KDPhys.Config(**{"size_px": 12, "width": 8, "dense": 4} | settings)).eval()
    for layer in network.modules():                  # batch statistics other than those of the beginning
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-1e-3, 1e-3)
            layer.running_var.uniform_(1e-5, 2e-5)
    return network


def pictures(frames, size_px=12, batch=2):
    torch.manual_seed(2)
    still = 0.4 + 0.1 * torch.rand(batch, 3, 1, size_px, size_px)
    return still + 0.01 * torch.randn(batch, 3, frames, size_px, size_px)


def in_pieces(network, clip, lengths):
    state, values = network.start(clip[:, :, 0]), []
    for piece in clip[:, :, 1:].split(lengths, dim=2):
        value, state = network.resume(piece, state)
        values.append(value)
    return torch.cat(values, dim=1)


# Sizes

def test_it_has_the_published_weights_and_half_of_those_of_efficientphys():
    cost = count(on_paper(KDPhys), frames=160, size_px=36)
    assert cost.params == 228_849 and abs(cost.params / 230_000 - 1) < 0.02
    assert cost.params <= 1.02 * count(on_paper(EfficientPhys, size_px=36), frames=8, size_px=36).params / 2
    assert cost.macs / 160 / 1e6 == pytest.approx(25.6, abs=0.05)


def test_the_variant_for_any_size_has_as_many_weights():
    kind = KDPhys.for_any_size()
    with torch.device("meta"):
        cost = count(KDPhys(kind), frames=160, size_px=36)
    assert cost.params == 229_833 and cost.macs / 160 / 1e6 == pytest.approx(31.2, abs=0.05)


# One picture at a time

@pytest.mark.parametrize("any_size", [False, True])
@pytest.mark.parametrize("past", [(1, 2, 4, 8), (0, 0, 0, 0), (1, 1, 1, 1), (3, 0, 20, 1)])
@pytest.mark.parametrize("lengths", [1, 7, [1, 2, 3, 10, 1, 22]])
@torch.no_grad()
def test_a_clip_in_pieces_gives_what_it_gives_whole(any_size, past, lengths):
    network, clip = small(any_size=any_size, past=past), pictures(40)
    whole = network(clip)
    assert whole.std() > 1e-3
    torch.testing.assert_close(in_pieces(network, clip, lengths), whole[:, :-1], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_state_can_be_gone_on_from_twice():
    network, clip = small(), pictures(12)
    _, state = network.resume(clip[:, :, 1:6], network.start(clip[:, :, 0]))
    before = [part.clone() for part in state]
    first, _ = network.resume(clip[:, :, 6:], state)
    again, _ = network.resume(clip[:, :, 6:], state)
    assert torch.equal(first, again) and all(map(torch.equal, before, state))


@pytest.mark.parametrize("past, earliest", [((0, 0, 0, 0), 30), ((1, 1, 1, 1), 26), ((1, 2, 4, 8), 15)])
def test_a_value_depends_on_its_step_and_as_many_frames_before_it_as_all_layers_look_back(past, earliest):
    network = small(past=past)
    assert frames_seen(network, pictures(60, batch=1), 30) <= set(range(earliest, 32))
    assert {earliest, 30, 31} <= frames_seen(network, pictures(60, batch=1), 30)


@torch.no_grad()
def test_a_clip_of_one_steady_change_gives_one_value_from_the_beginning():
    network = small()
    network._changes = lambda picture, frames: torch.full_like(frames, 0.003)
    values = network(pictures(40))
    torch.testing.assert_close(values, values[:, :1].expand_as(values), atol=1e-6, rtol=0)


@torch.no_grad()
def test_another_brightness_changes_nothing_but_what_keeps_the_dark_quiet():
    network, clip = small(), pictures(40)
    assert (network(0.5 * clip) - network(clip)).abs().max() < 0.05 * network(clip).std()
    night = 1e-4 * torch.rand(2, 3, 40, 12, 12)
    assert (network._changes(night[:, :, 0], night[:, :, 1:])).abs().max() < 1e-4 / DARK


@torch.no_grad()
def test_without_a_past_it_is_the_textbooks_two_pairs_of_convolutions():
    network, clip = small(past=(0, 0, 0, 0)), pictures(3, batch=1)
    after, before = clip[:, :, 1], clip[:, :, 0]
    maps = (after - before) / (after + before + DARK)
    norm = network.norm
    maps = functional.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    for pair in (0, 1):
        for layer in (2 * pair, 2 * pair + 1):
            weight, bias = network.motion[layer].weight, network.motion[layer].bias
            maps = functional.conv2d(maps, weight, bias, padding=1 - layer % 2).tanh()
        gate = functional.conv2d(maps, network.attention[pair].weight, network.attention[pair].bias).sigmoid()
        maps = maps * gate / gate.sum((-2, -1), keepdim=True) * gate[0, 0].numel() / 2
        maps = functional.avg_pool2d(maps, 2)
    first, _, _, last = network.readout.layers
    value = last(first(maps.flatten(1)).tanh())
    torch.testing.assert_close(network(clip)[:, :1], value, atol=1e-6, rtol=1e-5)


def test_every_weight_is_of_use():
    assert not untouched_weights(small().train(), pictures(20))


@torch.no_grad()
def test_the_variant_for_any_size_takes_pictures_of_any_size():
    network = small(any_size=True)
    for height, width in ((36, 36), (20, 50), (64, 64)):
        assert network(torch.rand(1, 3, 10, height, width)).shape == (1, 10)
    with pytest.raises(ValueError, match="kdphys: needs pictures of 12x12"):
        small()(torch.rand(1, 3, 10, 20, 20))


@pytest.mark.parametrize("past", [(1, 2, 4), (1, 2, 4, -1), (1, 2, 4, 1.5), (1, 2, 4, True)])
def test_a_past_that_makes_no_sense_is_refused(past):
    with pytest.raises(ValueError, match="kdphys: past must be four whole numbers of frames, 0 or more"):
        small(past=past)


def test_a_buffer_that_a_camera_uses_again_changes_nothing():
    network, clip = KDPhys(KDPhys.tiny()).eval(), torch.rand(1, 3, 64, 32, 32)
    want, buffer = network(clip), clip[:, :, 0].clone()
    state, values = network.start(buffer), []
    for number in range(1, 64):
        buffer.copy_(clip[:, :, number])
        value, state = network.resume(buffer[:, :, None], state)
        values.append(value)
    torch.testing.assert_close(torch.cat(values, 1), want[:, :-1], atol=1e-5, rtol=0)


def test_a_state_holds_no_more_memory_than_it_shows():
    network, clip = KDPhys(KDPhys.tiny()).eval(), torch.rand(1, 3, 200, 32, 32)
    _, state = network.resume(clip[:, :, 1:], network.start(clip[:, :, 0]))
    assert all(part.untyped_storage().nbytes() == part.nbytes for part in state)


@pytest.mark.parametrize("shape", [(1, 3, 0, 32, 32), (2, 3, 4, 32, 32), (1, 3, 4, 36, 36), (1, 3, 32, 32)])
def test_pictures_that_do_not_follow_are_refused(shape):
    network = KDPhys(KDPhys.tiny()).eval()
    with pytest.raises(ValueError, match=r"kdphys: needs at least one picture \(B, 3, n, H, W\) of the clips and size"):
        network.resume(torch.zeros(shape), network.start(torch.zeros(1, 3, 32, 32)))
