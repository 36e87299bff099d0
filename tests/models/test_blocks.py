"""The temporal difference convolution that several networks share."""

import pytest
import torch
from torch.nn import functional

from rppg_lib.models.blocks import TemporalDifferenceConv


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


@pytest.mark.parametrize("theta", [0.2, 1.0])
def test_on_what_stands_still_it_is_a_picture_convolution_less_the_outer_frames_weights_at_the_centre(theta):
    """Their kernel summed over time, less theta times a 1x1 convolution with the sum of the outer frames' weights."""
    torch.manual_seed(0)
    layer = TemporalDifferenceConv(3, theta).double()
    weight, picture = layer.convolution.weight, torch.randn(2, 3, 5, 4, dtype=torch.float64)
    outer = weight[:, :, 0].sum((-2, -1), keepdim=True) + weight[:, :, 2].sum((-2, -1), keepdim=True)
    expected = functional.conv2d(picture, weight.sum(2), padding=1) - theta * functional.conv2d(picture, outer)
    still = picture[:, :, None].expand(-1, -1, 6, -1, -1)
    inner = layer(still)[:, :, 1:-1]                                 # the first and last frame look at zeros, too
    torch.testing.assert_close(inner, expected[:, :, None].expand_as(inner))


def test_it_has_no_bias_and_one_weight():
    layer = TemporalDifferenceConv(4, 0.7)
    assert {name: tuple(value.shape) for name, value in layer.state_dict().items()} == {
        "convolution.weight": (4, 4, 3, 3, 3)}
    assert not layer(torch.zeros(1, 4, 5, 3, 3)).any()
