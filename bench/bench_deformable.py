"""The deformable convolution beside a plain one, and beside the same written with ``grid_sample``.

Wanted for 64 channels, 160 frames of 8x8 on one core: below 0.6 s forward.
"""

from timing import peak_megabytes, seconds  # first: it sets one thread

# isort: split
from functools import partial

import torch
from torch.nn import functional

from rppg_lib.models.deformable import DeformableConv3d, deformed_conv3d

CHANNELS, FRAMES = 64, 160
torch.set_num_threads(1)


def by_grid_sample(maps, offsets, weight, bias):
    """Return the same with one ``grid_sample`` for each of the three frames that a kernel spans."""
    b, c, t, h, w = maps.shape
    step, size = torch.arange(-1, 2), torch.tensor([h, w])
    rows = (torch.arange(h)[:, None] + step[:, None, None, None]).expand(3, 3, h, w)
    columns = (torch.arange(w) + step[:, None, None]).expand(3, 3, h, w)
    plain = torch.stack([rows, columns], -1).view(9 * h, w, 2)
    moved = offsets.view(b, 3, 9, 2, t, h, w).permute(1, 0, 4, 2, 5, 6, 3).reshape(3, b * t, 9 * h, w, 2)
    grid = ((moved + plain + 0.5) * (2 / size) - 1).flip(-1)
    frames = functional.pad(maps.transpose(1, 2), (0, 0, 0, 0, 0, 0, 1, 1))                  # (B,T+2,C,H,W)
    out = 0
    for k in range(3):
        seen = functional.grid_sample(frames[:, k:k + t].flatten(0, 1), grid[k], align_corners=False)
        kernel = weight[:, :, k].reshape(1, len(weight), -1).expand(b * t, -1, -1)
        out = out + kernel @ seen.view(b * t, 9 * c, h * w)
    return (out + bias[:, None]).view(b, t, -1, h, w).transpose(1, 2)


def plain(maps, offsets, weight, bias):
    return functional.conv3d(maps, weight, bias, padding=1)


def milliseconds(call, given, cotangent, repeats):
    """Return the time forward, and forward and backward."""
    with torch.no_grad():
        forward = seconds(lambda: call(*given), repeats=repeats)
    leaves = [tensor.clone().requires_grad_() for tensor in given]
    both = seconds(lambda: torch.autograd.grad(call(*leaves), leaves, cotangent, allow_unused=True), repeats=repeats)
    return 1e3 * forward, 1e3 * both


def drawn(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last_3d)


torch.manual_seed(0)
layer = DeformableConv3d(CHANNELS)
weight, bias = layer.convolution.weight.detach(), layer.convolution.bias.detach()
print(f"torch {torch.__version__}, one thread, float32, {CHANNELS} channels, {FRAMES} frames")
for clips, side in [(1, 8), (4, 4), (4, 2)]:
    maps, offsets = drawn(clips, CHANNELS, FRAMES, side, side), 0.7 * drawn(clips, 54, FRAMES, side, side)
    given, cotangent = (maps, offsets, weight, bias), torch.randn_like(maps)
    apart = (deformed_conv3d(*given) - by_grid_sample(*given)).abs().max()
    print(f"{clips} x {side}x{side}: at most {apart:.0e} between the two ways")
    for name, call in [("plain convolution", plain), ("grid_sample", by_grid_sample), ("deformable", deformed_conv3d)]:
        forward, both = milliseconds(call, given, cotangent, repeats=5)
        print(f"    {name:18}{forward:8.1f} ms forward{both:8.1f} ms forward and backward")
    with torch.no_grad():
        print(f"    with its offsets  {1e3 * seconds(partial(layer, maps), repeats=5):8.1f} ms forward")
before = peak_megabytes()
torch.autograd.grad(layer(drawn(4, CHANNELS, FRAMES, 16, 16)).sum(), list(layer.parameters()))
print(f"4 clips of 16x16, forward and backward: {peak_megabytes() - before:.0f} MB more than all of the above")
