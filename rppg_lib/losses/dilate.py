"""DILATE and soft-DTW: losses that ask for the right shape and for the right time, each on its own.

All of them compare waves as they are, so amplitude counts. Give them waves of mean 0 and standard deviation 1
(:func:`rppg_lib.losses.standardise`), which is also the scale that the default ``gamma`` suits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import alignment
from .graphs import Replayed
from .inputs import check_pair, check_positive

PIECE = 10240                            # frames in all that a processor works on at a time, 64 clips of 160: with
                                         # fewer the calls cost most, with more the memory


def dilate(pred: Tensor, target: Tensor, *, alpha: float = 0.5, gamma: float = 0.01) -> Tensor:
    """Return ``alpha * soft_dtw + (1 - alpha) * time_distortion`` of each clip.

    The first term asks for the right shape wherever it lies, the second for the right time: a lag that warping can
    undo costs it about the squared lag in frames, over ``T``. The first grows with the length, the second shrinks: at
    160 frames and ``alpha=0.5`` the slope of the second is a hundredth of the first's or less. For both to count alike
    ``alpha`` must be about ``1 / T``.

    Args:
        pred, target: ``(B, T)``, both standardised. Time and memory grow with ``T^2``: 0.6 MB per clip of 160 frames,
            on a processor for 64 such clips at most.
        alpha: weight of the shape term, 0 to 1.
        gamma: softness of the minimum. Small is sharp and rough: along a pure lag of a pulse the slope points the
            right way in three lags of five at 0.01, since frames snap onto frames, and nearly always at 0.3. Large is
            smooth, but minds shape less, and the value carries a large negative bias, ``gamma`` times the log of the
            number of good paths.

    Returns:
        ``(B,)``. It can be negative, see :func:`soft_dtw`. First derivatives only.

    Reference: Le Guen & Thome 2019 (``leguen2019dilate``). As in their code ``(i - j)^2`` is not divided by ``T^2``,
    as in the paper it would be: the time term here is ``T^2`` times the paper's.

    >>> from rppg_lib.losses import standardise
    >>> t = torch.arange(160) / 30
    >>> beat = 2**0.5 * torch.sin(2 * torch.pi * 1.2 * t)[None]
    >>> late = 2**0.5 * torch.sin(2 * torch.pi * 1.2 * (t - 4 / 30))[None]   # the same beat 4 frames later
    >>> noisy = standardise(beat + torch.randn(1, 160, generator=torch.Generator().manual_seed(0)))
    >>> for wave in (beat, late, noisy):                                     # shape and time, told apart
    ...     print(f"{float(soft_dtw(wave, beat)):5.1f} {float(time_distortion(wave, beat)):6.3f}")
     -0.4  0.001
      2.6  0.114
     50.6  0.038
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"dilate: alpha must lie between 0 (time alone) and 1 (shape alone), got {alpha!r}.")
    return _warp("dilate", pred, target, gamma, shape=float(alpha), time=1.0 - alpha)


def soft_dtw(pred: Tensor, target: Tensor, *, gamma: float = 0.01) -> Tensor:
    """Return the soft minimum, over all ways to align two waves in order, of their summed squared differences.

    ``-gamma log sum exp(-cost / gamma)`` over all paths; as ``gamma`` goes to 0, the cost of the best path (DTW).
    For two identical waves it is *negative*, since many paths are nearly free, and it is not smallest there.
    :func:`soft_dtw_divergence` is zero for identical waves.

    Args:
        pred, target: ``(B, T)``.
        gamma: softness, in units of squared difference.

    Returns:
        ``(B,)``, a sum over about ``T`` cells: it grows with the length.

    Reference: Cuturi & Blondel 2017 (``cuturi2017softdtw``).

    >>> wave = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    >>> late = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]])                # a frame later: warping undoes it
    >>> [round(float(soft_dtw(other, wave, gamma=0.1)), 2) for other in (wave, late, 2 * wave)]
    [-0.37, -0.32, 0.63]
    """
    return _warp("soft_dtw", pred, target, gamma, shape=1.0, time=0.0)


def soft_dtw_divergence(pred: Tensor, target: Tensor, *, gamma: float = 0.01) -> Tensor:
    """Return soft-DTW less half of what each wave has with itself: zero for identical waves.

    Args:
        pred, target: ``(B, T)``.
        gamma: softness, in units of squared difference.

    Returns:
        ``(B,)``, zero with zero slope for identical waves. That nothing lies below is seen, but not proven for squared
        differences.

    Reference: Blondel et al. 2021 (``blondel2021divergences``).

    >>> wave = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]])
    >>> [round(float(soft_dtw_divergence(other, wave, gamma=0.1)), 3) for other in (wave, 2 * wave)]
    [0.0, 1.0]
    """
    pred, target = check_pair("soft_dtw_divergence", pred, target)
    # one pass over three times the clips: (B,T) -> (3B,T)
    left, right = torch.cat([pred, pred, target]), torch.cat([target, pred, target])
    both, first, second = _warp("soft_dtw_divergence", left, right, gamma, shape=1.0, time=0.0).chunk(3)
    return both - first / 2 - second / 2


def time_distortion(pred: Tensor, target: Tensor, *, gamma: float = 0.01) -> Tensor:
    """Return DILATE's time term: the expected sum of ``(i - j)^2`` along the warping path, over ``T^2``.

    Args:
        pred, target: ``(B, T)``.
        gamma: softness, in units of squared difference.

    Returns:
        ``(B,)``, 0 or more.

    >>> t = torch.arange(160) / 30
    >>> beat = 2**0.5 * torch.sin(2 * torch.pi * 1.2 * t)[None]
    >>> lags = [2**0.5 * torch.sin(2 * torch.pi * 1.2 * (t - k / 30))[None] for k in (0, 2, 4, 8)]
    >>> [round(float(time_distortion(wave, beat)), 2) for wave in lags]          # 0, 2, 4, 8 frames late
    [0.0, 0.03, 0.11, 0.45]
    """
    return _warp("time_distortion", pred, target, gamma, shape=0.0, time=1.0)


@torch.no_grad()
def path_alignment(pred: Tensor, target: Tensor, *, gamma: float = 0.01) -> Tensor:
    """Return how likely the warping path visits each pair of frames, ``(B, T, T)``: frame of pred, frame of target.

    It is the slope of :func:`soft_dtw` by each squared difference. For figures; it carries no gradient.

    >>> wave = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    >>> late = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    >>> path_alignment(late, wave)[0].round(decimals=2)
    tensor([[1., 0., 0., 0.],
            [1., 0., 0., 0.],
            [0., 1., 0., 0.],
            [0., 0., 1., 1.]])
    """
    pred, target = check_pair("path_alignment", pred, target)
    check_positive("path_alignment", gamma=gamma)
    table = alignment.fill(pred.T.contiguous(), target.T.contiguous(), gamma=gamma, time=False, keep=True)
    return alignment.visit_table(table).permute(2, 0, 1).contiguous()        # (T,T,B) -> (B,T,T)


def _warp(who: str, pred: Tensor, target: Tensor, gamma: float, *, shape: float, time: float) -> Tensor:
    pred, target = check_pair(who, pred, target)
    check_positive(who, gamma=gamma)
    second = torch.is_grad_enabled() and target.requires_grad
    first = torch.is_grad_enabled() and pred.requires_grad
    return _Warp.apply(pred, target, float(gamma), (shape, time), 2 if second else int(first))


class _Warp(torch.autograd.Function):
    """Weighted shape and time terms. Slopes are computed on the way forward, so that only they are kept."""

    @staticmethod
    def forward(ctx, pred, target, gamma, weights, slopes):
        options = {"gamma": gamma, "shape": weights[0], "time": weights[1] / pred.shape[1] ** 2, "slopes": slopes}
        pieces = 1 if pred.is_cuda else max(1, round(pred.numel() / PIECE))
        with torch.autocast(pred.device.type, enabled=False):
            found = [_alignment_terms(*pair, **options) for pair in zip(pred.chunk(pieces), target.chunk(pieces))]
        value, *by_waves = found[0] if len(found) == 1 else (torch.cat(parts) for parts in zip(*found))
        ctx.save_for_backward(*by_waves)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        by_waves = [upstream[:, None] * slope for slope in ctx.saved_tensors]
        return *by_waves, *[None] * (5 - len(by_waves))


@Replayed
def _alignment_terms(pred: Tensor, target: Tensor, *, gamma: float, shape: float, time: float,
                     slopes: int) -> tuple[Tensor, ...]:
    """Return the weighted terms ``(B,)`` and the slopes by the first ``slopes`` of the two waves, each ``(B,T)``."""
    # (B,T) -> (T,B)
    table = alignment.fill(pred.T.contiguous(), target.T.contiguous(), gamma=gamma, time=time > 0, keep=slopes > 0)
    value = shape * table.value
    if time:
        value = value + time * table.time
    if not slopes:
        return (value,)
    return value, *(slope.T for slope in alignment.slopes(table, shape=shape, time=time, second=slopes == 2))
