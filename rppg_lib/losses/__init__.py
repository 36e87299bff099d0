"""What a network is told to want. Every loss takes waves ``(B, T)`` and gives one value per clip ``(B,)``.

====================  ====================================================================================
rewards               losses
====================  ====================================================================================
the same wave         :func:`negative_pearson` up to scale and offset; :func:`mse` with both
the same rate         :func:`spectral_cross_entropy` :func:`label_distribution` :func:`snr_loss`; any lag is fine
shape, and time       :func:`dilate`, made of :func:`soft_dtw` and :func:`time_distortion`;
                      :func:`soft_dtw_divergence` is zero for equal waves, :func:`path_alignment` shows the path
====================  ====================================================================================

:func:`standardise` comes before those for which amplitude counts, :func:`power_spectrum` and :func:`soft_rate` turn a
wave into a spectrum and a rate through which gradients pass, and :class:`UncertaintyWeights` weighs several losses.
Half precision comes in as it is and is computed in float32. A NaN spoils the value of its own clip only.

>>> import torch
>>> from rppg_lib import losses
>>> t = torch.arange(300) / 30
>>> beat, late = (torch.sin(2 * torch.pi * 1.2 * (t - lag))[None] for lag in (0.0, 0.2))     # 72 bpm; 0.2 s late
>>> rate = torch.tensor([72.0])
>>> [round(float(losses.negative_pearson(wave, beat)), 1) for wave in (beat, late)]          # minds the lag
[0.0, 0.9]
>>> [round(float(losses.spectral_cross_entropy(wave, rate, fs=30)), 1) for wave in (beat, late)]   # does not
[2.2, 2.2]
"""

from .dilate import dilate, path_alignment, soft_dtw, soft_dtw_divergence, time_distortion
from .spectral import label_distribution, power_spectrum, snr_loss, soft_rate, spectral_cross_entropy
from .uncertainty import UncertaintyWeights
from .waveform import mse, negative_pearson, standardise

__all__ = [
    "UncertaintyWeights", "dilate", "label_distribution", "mse", "negative_pearson", "path_alignment",
    "power_spectrum", "snr_loss", "soft_dtw", "soft_dtw_divergence", "soft_rate", "spectral_cross_entropy",
    "standardise", "time_distortion",
]
