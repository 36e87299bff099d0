"""DeepPhys, TS-CAN and EfficientPhys: networks that look at one picture at a time."""

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.blocks import attention_mask, frames_apart, steps_between, temporal_shift
from rppg_lib.models.cost import count
from rppg_lib.models.deepphys import DeepPhys
from rppg_lib.models.efficientphys import EfficientPhys
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.models.tscan import TSCAN

from .probes import frames_seen, on_paper, untouched_weights

KINDS = (DeepPhys, TSCAN, EfficientPhys)


def small(kind, size_px=12, width=8, **settings):
    torch.manual_seed(1)
    return kind(kind.Config(size_px=size_px, width=width, **settings))


def clips(kind, frames, size_px=12, batch=2):
    torch.manual_seed(2)
    return torch.randn(batch, 3 * len(kind.normalise), frames, size_px, size_px)


# Sizes that public code fixes

@pytest.mark.parametrize("kind, size_px, weights", [
    (DeepPhys, 36, 532_899), (DeepPhys, 72, 2_228_643), (TSCAN, 36, 532_899), (TSCAN, 72, 2_228_643),
    (TSCAN, 128, 7_504_291), (EfficientPhys, 36, 467_337), (EfficientPhys, 72, 2_163_081),
    (EfficientPhys, 96, 4_030_857)])
def test_a_network_has_as_many_weights_as_in_public_code(kind, size_px, weights):
    assert count(on_paper(kind, size_px=size_px), frames=8, size_px=size_px).params == weights


@pytest.mark.parametrize("kind, frames, size_px, expected", [
    (DeepPhys, 180, 72, 40.87), (TSCAN, 180, 72, 40.87), (TSCAN, 160, 128, 119.95),
    (EfficientPhys, 180, 72, 20.64), (EfficientPhys, 180, 96, 37.64)])
def test_a_network_multiplies_as_often_as_public_code(kind, frames, size_px, expected):
    cost = count(on_paper(kind, size_px=size_px), frames=frames, size_px=size_px)
    assert cost.macs / 1e9 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_to_be_published_holds_for_the_default_network(kind):
    said, network = kind.published, on_paper(kind)
    assert (said.frames, said.size_px) == (network.config.frames, network.config.size_px)
    cost = count(network, frames=said.frames, size_px=said.size_px)
    assert (cost.params, round(cost.macs / 1e9, 2)) == (said.params, said.gmacs)


# Fast

@pytest.mark.parametrize("kind", [*KINDS, KDPhys])
def test_every_convolution_is_given_its_channels_side_by_side_in_training(kind):
    """In another order the narrow ones take up to four times as long."""
    network, seen = small(kind), {}
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, given, name=name: seen.update(
                {name: given[0].is_contiguous(memory_format=torch.channels_last)}))
    network.train()(clips(kind, 20))
    assert seen and all(seen.values()), seen


# Any length, any size

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [2, 64, 128, 160, 300])
def test_any_number_of_frames_gives_as_many_values(kind, frames):
    wave = small(kind)(clips(kind, frames))
    assert wave.shape == (2, frames) and wave.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size_px", [10, 11, 13, 36, 50])
def test_a_network_can_be_built_for_any_picture_size(kind, size_px):
    assert small(kind, size_px)(clips(kind, 3, size_px)).shape == (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_width_that_cannot_be_halved_is_refused(kind):
    with pytest.raises(ValueError, match=rf"{kind.name}: width must be at least 6 and a multiple of 2, got 7\."):
        small(kind, width=7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_readout_of_the_features_is_the_estimate(kind):
    network, clip = small(kind).eval(), clips(kind, 11)
    features = network.features(clip)
    assert features.shape == (2, network.feature_channels, 11)
    torch.testing.assert_close(network.readout(features), network(clip))


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind):
    assert untouched_weights(small(kind), clips(kind, 23)) == []


# The temporal shift

def shifted_one_by_one(maps, segment):
    """Return shifted maps (B,T,C,H,W), channel by channel and frame by frame."""
    length, channels = maps.shape[1:3]
    third, shifted = channels // 3, torch.zeros_like(maps)
    for t in range(length):
        for c in range(channels):
            source = t + 1 if c < third else t - 1 if c < 2 * third else t
            if 0 <= source < length and source // segment == t // segment:
                shifted[:, t, c] = maps[:, source, c]
    return shifted


@pytest.mark.parametrize("length, segment", [(20, 10), (23, 10), (7, 10), (1, 10), (9, 1), (12, 5)])
@pytest.mark.parametrize("channels", [3, 8])
def test_the_shift_is_what_a_loop_over_frames_and_channels_gives(length, segment, channels):
    maps = torch.randn(2, length, channels, 2, 3)
    got = temporal_shift(maps.flatten(0, 1), clips=2, segment=segment)
    assert torch.equal(got, shifted_one_by_one(maps, segment).flatten(0, 1))


def test_a_shift_moves_values_and_loses_only_those_at_the_ends_of_segments():
    maps = torch.rand(20, 6, 4, 4) + 1
    got = temporal_shift(maps, clips=1, segment=10)
    assert (got == 0).sum() == 2 * 2 * 2 * 16                        # segments, ends, channels at each, pixels
    assert torch.equal(got[:, 4:], maps[:, 4:])
    assert torch.equal(got[:9, :2], maps[1:10, :2]) and torch.equal(got[11:, 2:4], maps[10:-1, 2:4])


# Attention

def test_attention_can_be_moved_but_not_made():
    mask = attention_mask(3 * torch.randn(5, 1, 7, 9))
    torch.testing.assert_close(mask.sum((1, 2, 3)), torch.full((5,), 7 * 9 / 2))
    assert (mask > 0).all()


def test_attention_to_a_uniform_map_is_a_half_everywhere():
    torch.testing.assert_close(attention_mask(torch.full((2, 1, 4, 4), -3.0)), torch.full((2, 1, 4, 4), 0.5))


def test_deepphys_looks_where_the_appearance_stream_points():
    network, clip = small(DeepPhys, 20).eval(), clips(DeepPhys, 4, 20, batch=1).requires_grad_()
    network(clip)[0, 0].backward()
    before = clip.grad[0, :3, 0].abs().sum(0)
    with torch.no_grad():
        for stage in network.attention:
            stage.weight.zero_()
            stage.bias.zero_()
    clip.grad = None
    network(clip)[0, 0].backward()
    assert not clip.grad[:, 3:].any()                                # uniform attention: looks no longer matter
    assert not torch.allclose(clip.grad[0, :3, 0].abs().sum(0), before)


# Who sees whom

@pytest.mark.parametrize("at", [0, 6, 15])
def test_deepphys_judges_a_frame_by_itself(at):
    assert frames_seen(small(DeepPhys).eval(), clips(DeepPhys, 16), at) == {at}


@pytest.mark.parametrize("at", [0, 3, 9, 10, 14, 22])
def test_tscan_sees_four_frames_to_each_side_but_not_across_segments(at):
    first, last = at // 10 * 10, min(at // 10 * 10 + 9, 22)
    expected = set(range(max(first, at - 4), min(last, at + 4) + 1))
    assert frames_seen(small(TSCAN).eval(), clips(TSCAN, 23), at) == expected


def test_the_appearance_stream_of_tscan_looks_at_every_frame():
    clip = clips(TSCAN, 10).requires_grad_()
    small(TSCAN).eval()(clip).sum().backward()
    assert clip.grad[:, 3:].abs().amax((0, 1, 3, 4)).gt(0).all()


def test_efficientphys_sees_one_frame_more_for_its_differences():
    assert frames_seen(small(EfficientPhys).eval(), clips(EfficientPhys, 23), 4) == set(range(0, 10))
    assert frames_seen(small(EfficientPhys).eval(), clips(EfficientPhys, 23), 14) == set(range(10, 20))


# The equations of public code, written out

def two_convolutions(maps, layers, segment):
    for layer in layers:
        if segment:
            maps = shifted_one_by_one(maps[None], segment)[0]
        maps = torch.tanh(functional.conv2d(maps, layer.weight, layer.bias, padding=layer.padding))
    return maps


def by_hand(network, motion, appearance, segment):
    """Return the estimate for pictures (T,3,H,W), with attention from ``appearance``, or from the motion itself."""
    for stage, attention in enumerate(network.attention):
        pair = slice(2 * stage, 2 * stage + 2)
        motion = two_convolutions(motion, network.motion[pair], segment)
        if appearance is not None:
            appearance = two_convolutions(appearance, network.appearance[pair], None)
        gate = torch.sigmoid(attention(motion if appearance is None else appearance))
        height, width = gate.shape[2:]
        motion = functional.avg_pool2d(motion * gate / gate.sum((2, 3), keepdim=True) * height * width * 0.5, 2)
        appearance = None if appearance is None else functional.avg_pool2d(appearance, 2)
    first, _, _, second = network.readout.layers
    return second(torch.tanh(first(motion.flatten(1))))[:, 0]


@pytest.mark.parametrize("kind, segment", [(DeepPhys, None), (TSCAN, 10)])
def test_two_streams_compute_what_the_papers_write(kind, segment):
    network, clip = small(kind, 18).eval(), clips(kind, 20, 18)
    got = network(clip)
    for one, wave in zip(clip.transpose(1, 2), got):                 # (3,T,H,W) -> (T,3,H,W)
        torch.testing.assert_close(by_hand(network, one[:, :3], one[:, 3:], segment), wave)


def test_efficientphys_computes_what_public_code_does_with_one_frame_more():
    network, clip = small(EfficientPhys, 18), clips(EfficientPhys, 20, 18, batch=1)
    network.norm.running_mean.uniform_(-1, 1)
    network.norm.running_var.uniform_(0.5, 2)
    network.eval()
    pictures = clip[0].transpose(0, 1)
    steps = torch.cat([pictures, pictures[-1:]]).diff(dim=0)
    torch.testing.assert_close(by_hand(network, network.norm(steps), None, 10), network(clip)[0])


# Differences

def test_a_still_background_means_nothing_to_efficientphys():
    network, clip = small(EfficientPhys).eval(), clips(EfficientPhys, 12)
    background = torch.randn(2, 3, 1, 12, 12)
    torch.testing.assert_close(network(clip + background), network(clip), atol=1e-5, rtol=1e-4)


def test_differences_are_taken_in_full_precision():
    clip = torch.full((1, 3, 2, 4, 4), 0.5)
    clip[:, :, 1] += 0.001                                           # what a pulse does to a pixel
    with torch.autocast("cpu", dtype=torch.bfloat16):
        steps = steps_between(clip)
    torch.testing.assert_close(steps[:, :, 0], torch.full((1, 3, 4, 4), 0.001), atol=1e-6, rtol=0)
    assert not steps[:, :, 1].any()


def test_pictures_come_one_after_the_other_clip_after_clip():
    clip = torch.randn(2, 3, 5, 4, 4)
    assert torch.equal(frames_apart(clip)[7], clip[1, :, 2])
