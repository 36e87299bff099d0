"""Each loss on 16 clips of 160 frames, forward and backward: wanted for DILATE below 100 ms on one core."""

from timing import peak_megabytes, seconds  # first: it sets one thread

# isort: split
from functools import partial

import torch

from rppg_lib import losses

FS, FRAMES = 30, 160
torch.set_num_threads(1)
LOSSES = {
    "negative Pearson": losses.negative_pearson,
    "mean square": losses.mse,
    "spectral cross-entropy": partial(losses.spectral_cross_entropy, fs=FS),
    "label distribution": partial(losses.label_distribution, fs=FS),
    "SNR": partial(losses.snr_loss, fs=FS),
    "rate, squared error": lambda pred, target: (losses.soft_rate(pred, fs=FS) - 72).square(),
    "soft-DTW": losses.soft_dtw,
    "soft-DTW divergence": losses.soft_dtw_divergence,
    "DILATE": losses.dilate,
}


def waves(clips, dtype=torch.float32):
    """Return noisy and clean pulses, standardised."""
    draw = torch.Generator().manual_seed(0)
    t = torch.arange(FRAMES) / FS + torch.rand(clips, 1, generator=draw)
    target = losses.standardise(torch.sin(2 * torch.pi * 1.2 * t))
    pred = losses.standardise(target + 0.3 * torch.randn(clips, FRAMES, generator=draw))
    return pred.to(dtype).requires_grad_(), target.to(dtype)


def milliseconds(loss, clips, dtype=torch.float32):
    """Return the time of one loss, forward and backward."""
    pred, target = waves(clips, dtype)
    return 1000 * seconds(lambda: torch.autograd.grad(loss(pred, target).mean(), pred), repeats=15)


print(f"torch {torch.__version__}, one thread, float32, {FRAMES} frames, forward and backward")
print(f"{'':24}{'16 clips':>10}{'128 clips':>11}")
for name, loss in LOSSES.items():
    print(f"{name:24}{milliseconds(loss, 16):7.2f} ms{milliseconds(loss, 128):8.2f} ms")
before = peak_megabytes()
milliseconds(losses.dilate, 512)
print(f"DILATE in float64: {milliseconds(losses.dilate, 16, torch.float64):.1f} ms for 16 clips; "
      f"memory for 512 clips in float32: {peak_megabytes() - before:.0f} MB more")
print(f"DILATE on 16 clips (wanted: below 100 ms): {milliseconds(losses.dilate, 16):.1f} ms")
