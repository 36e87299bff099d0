"""Each check of notebook 03 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import torch

from rppg_lib import losses
from rppg_lib.data.normalise import normalise
from rppg_lib.teach import nb03

from .answers import judged_by

ALL = [nb03.normalised_difference, nb03.pearson_loss, nb03.spectral_loss, nb03.lag_s]


def library_difference(frames):
    return normalise(torch.as_tensor(frames)[None], ("diff",))[0].movedim(0, -1).numpy()


def difference(frames):
    steps = (frames[1:] - frames[:-1]) / (frames[1:] + frames[:-1])
    return np.concatenate([steps / steps.std(), 0 * frames[:1]])


def plain_steps(frames):
    steps = np.diff(frames, axis=0)
    return np.concatenate([steps / steps.std(), 0 * frames[:1]])


def unscaled(frames):
    steps = (frames[1:] - frames[:-1]) / (frames[1:] + frames[:-1])
    return np.concatenate([steps, 0 * frames[:1]])


def correlation(pred, label):
    return np.array([np.corrcoef(p, q)[0, 1] for p, q in zip(pred, label)])


def library_pearson(pred, label):
    return losses.negative_pearson(torch.as_tensor(pred), torch.as_tensor(label)).numpy()


def library_spectral(pred, bpm):
    return losses.spectral_cross_entropy(torch.as_tensor(pred)[None], torch.tensor([float(bpm)]), fs=30).item()


def power(pred, window):
    rates = np.arange(40, 181) / 60
    sines, cosines = (f(2 * np.pi * np.outer(rates, np.arange(len(pred)) / 30)) for f in (np.sin, np.cos))
    return (sines @ (window * pred)) ** 2 + (cosines @ (window * pred)) ** 2


def own_spectral(pred, bpm, window=np.hanning, form=lambda share: -np.log(share), root=1):
    strength = power(pred - pred.mean(), window(len(pred))) ** (1 / root)
    return form(strength[int(bpm) - 40] / strength.sum())


def lag(wave, label, sign=1, fs=30):
    lags = np.arange(-15, 16)
    r = [np.corrcoef(wave[20 + k:280 + k], label[20:280])[0, 1] for k in lags]
    return sign * lags[np.argmax(r)] / fs


def lag_by_correlate(wave, label):
    wave, label = wave - wave.mean(), label - label.mean()
    return (np.correlate(wave, label, "full").argmax() - (len(label) - 1)) / 30


RIGHT = [(nb03.normalised_difference, difference), (nb03.normalised_difference, library_difference),
         (nb03.pearson_loss, lambda p, q: 1 - correlation(p, q)), (nb03.pearson_loss, library_pearson),
         (nb03.spectral_loss, library_spectral), (nb03.spectral_loss, own_spectral),
         (nb03.lag_s, lag), (nb03.lag_s, lag_by_correlate)]

WRONG = [
    (nb03.normalised_difference, lambda f: difference(f)[:-1], "append one picture of zeros"),
    (nb03.normalised_difference, plain_steps, "half the light"),
    (nb03.normalised_difference, unscaled, "standard deviation"),
    (nb03.normalised_difference, lambda f: np.roll(difference(f), 1, axis=0), "zeros come last"),
    (nb03.pearson_loss, correlation, "must fall"), (nb03.pearson_loss, lambda p, q: -correlation(p, q), "add 1"),
    (nb03.pearson_loss, lambda p, q: 1 - abs(correlation(p, q)), "keep the sign"),
    (nb03.pearson_loss, lambda p, q: (1 - correlation(p, q)).mean(), "the mean comes later|array"),
    (nb03.pearson_loss, lambda p, q: ((p - q) ** 2).mean(-1), "three times as large|should"),
    (nb03.spectral_loss, lambda p, b: own_spectral(p, b, np.ones), "Hann window first"),
    (nb03.spectral_loss, lambda p, b: own_spectral(p, b, form=lambda share: share), "take minus its logarithm"),
    (nb03.spectral_loss, lambda p, b: own_spectral(p, b, root=2), "their square"),
    (nb03.lag_s, lambda w, q: lag(w, q, sign=-1), "The sign"),
    (nb03.lag_s, lambda w, q: lag(w, q, fs=1), "divide by 30"),
]


test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)
