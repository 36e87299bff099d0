"""The deformable convolution: equal to its definition, in values and gradients, in pieces or as a whole."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from rppg_lib.models import deformable
from rppg_lib.models.deformable import DeformableConv3d, deformed_conv3d


def inputs(*, b=2, c=3, d=2, t=4, h=3, w=5, channels=54, kind=torch.float64, far=2.0, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return (torch.randn(b, c, t, h, w, generator=draw, dtype=kind),
            far * (2 * torch.rand(b, channels, t, h, w, generator=draw, dtype=kind) - 1),
            torch.randn(d, c, 3, 3, 3, generator=draw, dtype=kind), torch.randn(d, generator=draw, dtype=kind))


def by_hand(maps, offsets, weight, bias):
    """The definition in NumPy, number by number."""
    maps, offsets, weight, bias = (tensor.detach().double().numpy() for tensor in (maps, offsets, weight, bias))
    b, _, t, h, w = maps.shape
    out = np.zeros((b, len(weight), t, h, w)) + bias[:, None, None, None]

    def pixel(clip, frame, y, x):
        inside = 0 <= frame < t and 0 <= y < h and 0 <= x < w
        return maps[clip, :, frame, y, x] if inside else np.zeros(maps.shape[1])

    for clip, frame, y, x in np.ndindex(b, t, h, w):
        for tap, (dt, dy, dx) in enumerate(np.ndindex(3, 3, 3)):
            pair = 2 * (tap % (offsets.shape[1] // 2))
            down, right = offsets[clip, pair:pair + 2, frame, y, x]
            at_y, at_x = y + dy - 1 + down, x + dx - 1 + right
            above, left = math.floor(at_y), math.floor(at_x)
            corners = itertools.product((above, above + 1), (left, left + 1))
            seen = sum((1 - abs(at_y - row)) * (1 - abs(at_x - column)) * pixel(clip, frame + dt - 1, row, column)
                       for row, column in corners)
            out[clip, :, frame, y, x] += weight[:, :, dt, dy, dx] @ seen
    return torch.from_numpy(out)


@pytest.fixture(params=["frame by frame", "in pieces", "as a whole"])
def way(request, monkeypatch):
    """How much is computed at a time: pieces of 3 frames of 3x5 pixels and 3 channels reach over the end of a clip."""
    numbers = {"frame by frame": 1, "in pieces": 3 * 27 * 15 * 3, "as a whole": 2 ** 30}[request.param]
    monkeypatch.setitem(deformable.NUMBERS_AT_A_TIME, "cpu", numbers)


# values

@pytest.mark.parametrize("channels", [54, 18])
def test_it_equals_its_definition(way, channels):
    given = inputs(channels=channels)
    torch.testing.assert_close(deformed_conv3d(*given), by_hand(*given))


@pytest.mark.parametrize("side", [1, 2, 4, 8])
@pytest.mark.parametrize("frames", [64, 300])
def test_taps_that_are_not_moved_make_a_plain_convolution(side, frames):
    maps, _, weight, bias = inputs(b=1, c=4, d=4, t=frames, h=side, w=side, kind=torch.float32)
    weight = weight / 10                                             # values about 1
    still = maps.new_zeros(1, 54, frames, side, side)
    torch.testing.assert_close(deformed_conv3d(maps, still, weight, bias),
                               functional.conv3d(maps, weight, bias, padding=1), atol=2e-6, rtol=1e-6)


def test_taps_moved_by_whole_pixels_see_the_pixels_there(way):
    maps, _, weight, bias = inputs()
    offsets = torch.randint(-3, 4, (2, 54, 4, 3, 5), generator=torch.Generator().manual_seed(1)).double()
    expected = bias[:, None, None, None].repeat(2, 1, 4, 3, 5)
    for clip, frame, y, x in np.ndindex(2, 4, 3, 5):
        for tap, (dt, dy, dx) in enumerate(np.ndindex(3, 3, 3)):
            place = [frame + dt - 1, y + dy - 1 + int(offsets[clip, 2 * tap, frame, y, x]),
                     x + dx - 1 + int(offsets[clip, 2 * tap + 1, frame, y, x])]
            if all(0 <= at < size for at, size in zip(place, (4, 3, 5))):
                expected[clip, :, frame, y, x] += weight[:, :, dt, dy, dx] @ maps[(clip, slice(None), *place)]
    torch.testing.assert_close(deformed_conv3d(maps, offsets, weight, bias), expected)


def test_when_all_taps_move_alike_the_result_is_a_convolution_of_the_shifted_picture():
    maps, _, weight, bias = inputs(h=6, w=6)
    down_and_left = maps.new_tensor([1.0, -2.0]).repeat(27)[:, None, None, None].expand(2, 54, 4, 6, 6)
    shifted = functional.pad(maps, (2, 0, 0, 1))[..., 1:, :6]
    inside = (..., slice(1, -1), slice(3, -1))                       # where no tap looks over the shifted border
    torch.testing.assert_close(deformed_conv3d(maps, down_and_left, weight, bias)[inside],
                               functional.conv3d(shifted, weight, bias, padding=1)[inside])


def test_far_outside_there_is_nothing_but_the_bias_and_nothing_to_learn(way):
    maps, _, weight, bias = inputs()
    offsets = torch.full((2, 54, 4, 3, 5), 1e30, dtype=torch.float64)
    offsets[:, :, :2] = -1e30
    offsets.requires_grad_()
    out = deformed_conv3d(maps, offsets, weight, bias)
    torch.testing.assert_close(out, bias[:, None, None, None].expand_as(out))
    assert not torch.autograd.grad(out.sum(), offsets)[0].any()


def test_shared_offsets_are_those_of_all_three_frames(way):
    maps, offsets, weight, bias = inputs(channels=18)
    torch.testing.assert_close(deformed_conv3d(maps, offsets, weight, bias),
                               deformed_conv3d(maps, torch.cat([offsets] * 3, 1), weight, bias))


def test_clips_of_a_batch_do_not_see_each_other(way):
    maps, offsets, weight, bias = inputs(b=3)
    together = deformed_conv3d(maps, offsets, weight, bias)
    for clip in range(3):
        alone = deformed_conv3d(maps[clip:clip + 1], offsets[clip:clip + 1], weight, bias)
        torch.testing.assert_close(together[clip:clip + 1], alone)
    maps[1] = float("inf")
    assert torch.equal(deformed_conv3d(maps, offsets, weight, bias)[[0, 2]], together[[0, 2]])


def test_a_place_that_is_not_a_number_gives_none_and_does_not_crash():
    maps, offsets, weight, bias = inputs()
    offsets[0, 0, 1, 2, 3] = float("nan")
    out = deformed_conv3d(maps, offsets, weight, bias)
    assert out[0, :, 1, 2, 3].isnan().all() and out.isnan().sum() == out.shape[1]


# gradients

def test_gradients_agree_with_differences(way):
    maps, offsets, weight, bias = inputs(b=2, c=3, d=2, t=2, h=3, w=2)
    offsets = offsets.floor() + 0.1 + 0.8 * (offsets - offsets.floor())   # away from whole pixels, where slopes change
    given = [tensor.requires_grad_() for tensor in (maps, offsets, weight, bias)]
    assert torch.autograd.gradcheck(deformed_conv3d, given, fast_mode=True)


def test_gradients_are_the_same_however_much_is_computed_at_a_time(monkeypatch):
    given = [tensor.requires_grad_() for tensor in inputs(b=3, t=5)]
    found = []
    for numbers in (1, 3 * 27 * 15 * 3, 2 ** 30):
        monkeypatch.setitem(deformable.NUMBERS_AT_A_TIME, "cpu", numbers)
        out = deformed_conv3d(*given)
        found.append(torch.autograd.grad((out * out.detach().sin()).sum(), given))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_gradients_equal_those_of_the_plain_convolution_where_nothing_is_moved():
    maps, _, weight, bias = inputs()
    given = [tensor.requires_grad_() for tensor in (maps, weight, bias)]
    ours = deformed_conv3d(maps, maps.new_zeros(2, 54, 4, 3, 5), weight, bias)
    theirs = functional.conv3d(maps, weight, bias, padding=1)
    cotangent = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1), dtype=theirs.dtype)
    torch.testing.assert_close(torch.autograd.grad(ours, given, cotangent),
                               torch.autograd.grad(theirs, given, cotangent))


@pytest.mark.parametrize("side", [1, 2, 4])
def test_the_first_step_already_teaches_an_untrained_layer_to_move(side):
    torch.manual_seed(0)
    layer = DeformableConv3d(4)
    assert not layer.offset.weight.any() and not layer.offset.bias.any()
    layer(torch.randn(2, 4, 6, side, side)).square().sum().backward()
    assert layer.offset.weight.grad.abs().max() > 0 and layer.offset.bias.grad.abs().max() > 0


def test_offsets_find_a_bright_spot():
    """A kernel of one tap, moved along the slope of what it sees, ends at the brightest place from everywhere."""
    across = torch.arange(8.0)
    maps = (6 - (across - 5).abs()).expand(1, 1, 1, 8, 8)            # brightest in column 5
    weight = torch.zeros(1, 1, 3, 3, 3)
    weight[..., 1, 1, 1] = 1
    offsets = torch.full((1, 54, 1, 8, 8), 0.1, requires_grad=True)
    centre = 2 * 13 + 1
    for _ in range(30):
        slope, = torch.autograd.grad(deformed_conv3d(maps, offsets, weight).sum(), offsets)
        offsets.data += 0.2 * slope
    found = across + offsets.detach()[0, centre, 0, 4]
    torch.testing.assert_close(found, torch.full((8,), 5.0), atol=0.25, rtol=0)


def test_what_the_taps_see_is_not_kept_for_the_backward_pass():
    given = [tensor.requires_grad_() for tensor in inputs(c=32, d=32, t=8, h=4, w=4, kind=torch.float32)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()), lambda none: none):
        deformed_conv3d(*given)
    assert sum(kept) < 3 * sum(tensor.numel() for tensor in given) < 27 * given[0].numel()


# the layer

@pytest.mark.parametrize("offsets, moving", [("spatial", 93_312 + 54), ("shared", 31_104 + 18)])
def test_it_has_a_kernel_and_a_convolution_that_moves_it(offsets, moving):
    layer = DeformableConv3d(64, offsets=offsets)
    assert sum(p.numel() for p in layer.convolution.parameters()) == 110_592 + 64
    assert sum(p.numel() for p in layer.offset.parameters()) == moving
    assert sum(p.numel() for p in layer.parameters()) == 110_592 + 64 + moving


@pytest.mark.parametrize("offsets", ["spatial", "shared"])
@pytest.mark.parametrize("shape", [(1, 8, 64, 1, 1), (2, 8, 65, 2, 2), (1, 8, 160, 4, 4), (1, 8, 64, 8, 8),
                                   (1, 8, 3, 16, 16), (2, 8, 1, 2, 3)])
def test_maps_of_any_size_keep_it(shape, offsets):
    torch.manual_seed(0)
    layer = DeformableConv3d(8, offsets=offsets)
    torch.nn.init.normal_(layer.offset.weight, std=0.1)
    out = layer(torch.randn(shape, requires_grad=True))
    out.sum().backward()
    assert out.shape == shape and all(p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("offsets", ["spatial", "shared"])
def test_the_layout_in_memory_makes_no_difference(offsets):
    torch.manual_seed(0)
    layer, maps = DeformableConv3d(8, offsets=offsets), torch.randn(2, 8, 6, 4, 4)
    torch.nn.init.normal_(layer.offset.weight, std=0.1)
    torch.testing.assert_close(layer(maps.contiguous(memory_format=torch.channels_last_3d)), layer(maps))


def test_under_autocast_products_are_half_precision_and_places_are_not():
    torch.manual_seed(0)
    layer, maps = DeformableConv3d(8), torch.randn(2, 8, 12, 4, 4)
    with torch.no_grad():
        layer.offset.bias.copy_(torch.randn(54))
    exact = layer(maps)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(maps)
    out.float().square().sum().backward()
    assert out.dtype == torch.bfloat16
    assert (out - exact).abs().max() < 0.02 * exact.abs().max()
    for parameter in layer.parameters():
        assert parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all()


@pytest.mark.slow
def test_it_compiles_as_one_graph():
    torch.manual_seed(0)
    layer, maps = DeformableConv3d(4), torch.randn(1, 4, 6, 3, 3, requires_grad=True)
    torch.nn.init.normal_(layer.offset.weight, std=0.1)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(maps), layer(maps))
    ours, = torch.autograd.grad(compiled(maps).square().sum(), maps)
    torch.testing.assert_close(ours, torch.autograd.grad(layer(maps).square().sum(), maps)[0])


def test_the_operator_keeps_pytorchs_rules():
    maps, offsets, weight, _ = inputs(t=2, h=2, w=2)
    places = deformable._places(offsets).contiguous()
    table = weight.flatten(2).permute(2, 1, 0).flatten(0, 1)
    torch.library.opcheck(torch.ops.rppg_lib.deformed_conv3d.default,
                          [tensor.contiguous().requires_grad_() for tensor in (maps.movedim(1, -1), places, table)])


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_its_products_are_counted_like_those_of_two_convolutions(device):
    layer = DeformableConv3d(8).to(device)
    places = 10 * 4 * 4
    with FlopCounterMode(display=False) as counter:
        out = layer(torch.zeros(1, 8, 10, 4, 4, device=device))
    assert counter.get_total_flops() // 2 == places * 27 * 8 * (8 + 54)
    if device == "cpu":
        with FlopCounterMode(display=False) as counter:
            out.sum().backward()                                     # the input is no parameter: one of two for offsets
        assert counter.get_total_flops() // 2 == places * 27 * 8 * (2 * 8 + 54)


def test_wrong_offsets_are_named():
    with pytest.raises(ValueError, match='offsets must be "spatial" or "shared", got 81'):
        DeformableConv3d(4, offsets=81)
    maps, offsets, weight, bias = inputs()
    with pytest.raises(ValueError, match=r"54 or 18 channels, .*\(2, 3, 4, 3, 5\), got \(2, 54, 3, 3, 5\)"):
        deformed_conv3d(maps, offsets[:, :, :3], weight, bias)
