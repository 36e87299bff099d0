"""PhysNet: the sizes public code fixes, and what its layers do to time."""

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.cost import count
from rppg_lib.models.physnet import PhysNet

from .probes import frames_seen, on_paper, untouched_weights


def slim(width=8):
    torch.manual_seed(1)
    return PhysNet(PhysNet.Config(width=width))


def lively():
    """Return a network that has seen noise: without statistics, a fresh one gives almost the same for everything."""
    network = slim().double()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = None                                   # the mean over all that was seen
    network(clips(64, 48, 48).double())
    return network.eval()


def clips(frames, height=16, width=16, batch=2):
    torch.manual_seed(2)
    return torch.randn(batch, 3, frames, height, width)


@pytest.mark.parametrize("frames, size_px, expected", [(160, 128, 69.52), (128, 72, 17.56), (160, 72, 21.95)])
def test_physnet_has_the_weights_of_public_code_and_multiplies_as_often(frames, size_px, expected):
    cost = count(on_paper(PhysNet), frames=frames, size_px=size_px)
    assert cost.params == 768_577 == PhysNet.published.params
    assert cost.macs / 1e9 == pytest.approx(expected, abs=0.005)


def test_what_is_said_to_be_published_is_for_the_default_network():
    said, config = PhysNet.published, PhysNet.Config()
    assert (said.frames, said.size_px, said.gmacs) == (config.frames, config.size_px, 69.52)


def test_half_the_width_is_about_a_quarter_of_the_weights():
    full, half = (count(on_paper(PhysNet, width=width), frames=8, size_px=16).params for width in (64, 32))
    assert full / half == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("frames", [8, 64, 128, 160, 300])
def test_any_multiple_of_four_frames_gives_as_many_values(frames):
    wave = slim()(clips(frames))
    assert wave.shape == (2, frames) and wave.isfinite().all()


@pytest.mark.parametrize("height, width", [(16, 16), (17, 31), (36, 36), (24, 40)])
def test_pictures_may_have_any_size(height, width):
    assert slim()(clips(8, height, width)).shape == (2, 8)


@pytest.mark.parametrize("width", [2, 6])
def test_a_width_that_cannot_be_quartered_is_refused(width):
    with pytest.raises(ValueError, match=rf"physnet: width must be at least 4 and a multiple of 4, got {width}\."):
        slim(width)


def test_a_clip_that_time_cannot_be_halved_in_twice_is_refused():
    with pytest.raises(ValueError, match="physnet: needs at least 8 frames, in multiples of 4, got 62"):
        slim()(clips(62))


def test_every_weight_learns():
    assert untouched_weights(slim(), clips(32)) == []


def test_the_readout_of_the_features_is_the_estimate():
    network, clip = lively(), clips(32).double()
    features = network.features(clip)
    assert features.shape == (2, network.feature_channels, 32) and network.feature_channels == 8
    torch.testing.assert_close(network.readout(features)[:, 0], network(clip))


def test_an_estimate_sees_more_than_a_second_and_about_as_much_to_either_side():
    seen = frames_seen(lively(), clips(128, batch=1).double(), 64)
    assert max(seen) - min(seen) > 30
    assert abs((max(seen) + min(seen)) / 2 - 64) <= 2


def by_hand(network, maps):
    """Return the estimate for clips (B,3,T,H,W) by the layers of the paper, one after the other."""
    weights = iter(network.parameters())
    statistics = (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm3d))

    def normalised(maps):
        seen = next(statistics)
        return functional.batch_norm(maps, seen.running_mean, seen.running_var, next(weights), next(weights))

    def convolved(maps, times):
        for _ in range(times):
            kernel, bias = next(weights), next(weights)
            keep = [k // 2 for k in kernel.shape[2:]]
            maps = functional.relu(normalised(functional.conv3d(maps, kernel, bias, padding=keep)))
        return maps

    for times, pooling in ((1, (1, 2, 2)), (2, 2), (2, 2), (2, (1, 2, 2))):
        maps = functional.max_pool3d(convolved(maps, times), pooling)
    maps = convolved(maps, 2)
    for _ in range(2):
        kernel, bias = next(weights), next(weights)
        maps = functional.conv_transpose3d(maps, kernel, bias, stride=(2, 1, 1), padding=(1, 0, 0))
        maps = functional.elu(normalised(maps))
    maps = functional.adaptive_avg_pool3d(maps, (None, 1, 1))
    return functional.conv3d(maps, next(weights)[..., None, None], next(weights)).flatten(1)


@torch.no_grad()
def test_physnet_computes_what_the_paper_draws():
    network, clip = lively(), clips(32, 36, 20).double()
    torch.testing.assert_close(by_hand(network, clip), network(clip))


@torch.no_grad()
def test_a_clip_that_starts_four_frames_later_gives_the_same_wave_four_frames_later():
    network, long = lively(), clips(164, batch=1).double()
    early, late = network(long[:, :, :160]), network(long[:, :, 4:])
    torch.testing.assert_close(early[:, 64:100], late[:, 60:96])
    assert (early[:, 64:100] - late[:, 64:100]).abs().max() > 0.1 * early.std()
