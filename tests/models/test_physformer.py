"""PhysFormer: the published sizes, and what temporal differences do."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.physformer import Attention, PhysFormer, TemporalDifferenceConv


def test_it_has_the_parameters_of_the_public_code():
    with torch.device("meta"):
        assert sum(p.numel() for p in PhysFormer().parameters()) == 7_380_865


def test_with_theta_0_it_is_a_plain_convolution():
    torch.manual_seed(0)
    layer, x = TemporalDifferenceConv(4, 0.0), torch.randn(2, 4, 6, 5, 5)
    torch.testing.assert_close(layer(x), functional.conv3d(x, layer.convolution.weight, padding=1))


@pytest.mark.parametrize("theta", [0.3, 0.7, 1.0])
def test_a_share_of_the_outer_frames_sees_differences_to_the_frame_between(theta):
    """Equation of the paper, kernel element by kernel element: x[t+dt, p] - theta x[t, centre] for dt = -1 and 1."""
    torch.manual_seed(0)
    layer = TemporalDifferenceConv(3, theta).double()
    x, weight = torch.randn(2, 3, 5, 4, 4, dtype=torch.float64), layer.convolution.weight
    padded, expected = functional.pad(x, (1, 1, 1, 1, 1, 1)), torch.zeros(2, 3, 5, 4, 4, dtype=torch.float64)
    for dt in range(3):
        for dy in range(3):
            for dx in range(3):
                seen = padded[:, :, dt:dt + 5, dy:dy + 4, dx:dx + 4] - (theta * x if dt != 1 else 0)
                expected += torch.einsum("oc,bcthw->bothw", weight[:, :, dt, dy, dx], seen)
    torch.testing.assert_close(layer(x), expected)


def test_with_theta_1_outer_frames_do_not_see_what_stands_still():
    torch.manual_seed(0)
    layer = TemporalDifferenceConv(2, 1.0).double()
    still = torch.ones(1, 2, 6, 5, 5, dtype=torch.float64)
    between = functional.conv3d(still, layer.convolution.weight[:, :, 1:2], padding=(0, 1, 1))
    torch.testing.assert_close(layer(still)[..., 1:-1, 2, 2], between[..., 1:-1, 2, 2])


def test_attention_is_the_softmax_of_scores_over_the_sharpness():
    torch.manual_seed(0)
    config = replace(PhysFormer.tiny(), width=8, heads=2, sharpness=0.5)
    attention = Attention(config).double().eval()
    x = torch.randn(2, 8, 3, 2, 2, dtype=torch.float64)
    query, key, value = (part(x).flatten(2).transpose(1, 2)
                         for part in (attention.query, attention.key, attention.value))
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].transpose(1, 2) / 0.5
        heads.append(scores.softmax(-1) @ value[..., head])
    torch.testing.assert_close(attention(x), torch.cat(heads, -1))


def test_pictures_of_another_size_and_shape_pass():
    network = PhysFormer(PhysFormer.tiny()).eval()
    assert network(torch.zeros(1, 3, 16, 64, 96)).shape == (1, 16)


def test_features_are_tokens_averaged_over_the_picture():
    network = PhysFormer(PhysFormer.tiny()).eval()
    assert network.features(torch.zeros(2, 3, 64, 64, 64)).shape == (2, network.feature_channels, 16)


def test_slimmer_variants_are_a_matter_of_config():
    sizes = [sum(p.numel() for p in PhysFormer(PhysFormer.Config(width=width, inner=width, depth=depth)).parameters())
             for width, depth in ((32, 6), (32, 3), (16, 3))]
    assert sizes == sorted(sizes, reverse=True)
