"""What every loss checks of its inputs: shapes and types, which cost nothing. Values are not looked at.

A NaN in one clip gives NaN for that clip alone. To look for one at every step would make an accelerator wait for the
processor; whoever takes the mean sees it there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def check_wave(who: str, wave: Tensor, *, name: str = "wave") -> Tensor:
    """Return a batch of waves ``(B, T)`` in float32, or in float64 if it came so."""
    if not isinstance(wave, Tensor) or not wave.is_floating_point():
        came = f"{wave.dtype}" if isinstance(wave, Tensor) else type(wave).__name__
        raise TypeError(f"{who}: {name} must be a floating-point tensor, got {came}. Use torch.as_tensor(...).float().")
    if wave.ndim != 2 or wave.shape[0] < 1 or wave.shape[1] < 2:
        raise ValueError(f"{who}: {name} must have shape (B, T) with at least 2 frames, got {tuple(wave.shape)}. "
                         f"One clip alone is wave[None].")
    # Sums over frames in half precision lose the pulse; all losses work in float32 at least.
    return wave if wave.dtype == torch.float64 else wave.float()


def check_pair(who: str, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return predicted and true waves ``(B, T)``, of one shape and type."""
    pred, target = check_wave(who, pred, name="pred"), check_wave(who, target, name="target")
    if pred.shape != target.shape:
        raise ValueError(f"{who}: pred and target must have one shape, got {tuple(pred.shape)} and "
                         f"{tuple(target.shape)}. Cut or resample one to the frames of the other.")
    kind = torch.promote_types(pred.dtype, target.dtype)
    return pred.to(kind), target.to(kind)


def check_positive(who: str, **numbers: float) -> None:
    """Refuse a setting that is not a positive finite number."""
    for name, number in numbers.items():
        if not 0 < number < float("inf"):
            raise ValueError(f"{who}: {name} must be a positive number, got {number!r}.")
