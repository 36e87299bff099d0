"""Each check of notebook 08 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from rppg_lib.data.normalise import normalise
from rppg_lib.losses import UncertaintyWeights
from rppg_lib.models.rfacenet import FeatureCombiner, TemporalCompressor
from rppg_lib.teach import nb08

from .answers import judged_by

ALL = [nb08.compress, nb08.combine, nb08.best_scale, nb08.bias]


def compress(film):
    return ((film - film.mean()) / film.std()).mean(0)


def library_compress(film):
    frames = normalise(torch.as_tensor(film)[None], ("standard",))
    return TemporalCompressor()(frames)[0].permute(1, 2, 0).numpy()


def combine(face, pulse, alpha, beta):
    times = pulse.shape[-1] // face.shape[-1]
    return alpha * np.kron(face, np.ones((times, times)))[:, None] + beta * pulse


def library_combine(face, pulse, alpha, beta):
    """The library's, with convolutions that change nothing, for faces whose size need not change."""
    times = pulse.shape[-1] // face.shape[-1]
    combiner = FeatureCombiner(face=len(face), pulse=len(pulse)).double()
    with torch.no_grad():
        for layer in (combiner.face, combiner.pulse):
            nn.init.dirac_(layer.weight)
        combiner.alpha.fill_(alpha)
        combiner.beta.fill_(beta)
        face = torch.as_tensor(np.kron(face, np.ones((times, times))))
        return combiner(face[None], torch.as_tensor(pulse)[None])[0].numpy()


def searched_scale(loss, kind):
    """The lowest point of what the library asks for, found by trying."""
    weigh = UncertaintyWeights({"task": kind}).double()

    def asked(logarithm):
        with torch.no_grad():
            weigh.log_variance["task"].fill_(2 * logarithm)
            return float(weigh({"task": torch.tensor(loss, dtype=torch.float64)})["task"])

    return float(np.exp(minimize_scalar(asked, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9}).x))


def root_or_itself(loss, kind):
    return loss ** (0.5 if kind == "regression" else 1)


def never_grown(face, pulse, alpha, beta):
    return alpha * np.resize(face, (len(face), *pulse.shape[-2:]))[:, None] + beta * pulse


def tiled(face, pulse, alpha, beta):
    times = pulse.shape[-1] // face.shape[-1]
    return alpha * np.tile(face, (1, times, times))[:, None] + beta * pulse


(test_right, test_wrong, test_stub) = judged_by(
    [(nb08.compress, compress), (nb08.compress, library_compress), (nb08.combine, combine),
     (nb08.combine, library_combine), (nb08.best_scale, root_or_itself),
     (nb08.best_scale, searched_scale), (nb08.bias, lambda sd, rmse: np.sqrt(rmse**2 - sd**2)),
     (nb08.bias, lambda sd, rmse: ((rmse - sd) * (rmse + sd)) ** 0.5)],
    [(nb08.compress, lambda film: film.mean(0), "Standardise first"),
     (nb08.compress, lambda film: np.diff(film, axis=0).mean(0), "the last frame minus the first"),
     (nb08.compress, lambda film: ((film - film.mean(0)) / film.std()).mean(0), "Take away one mean"),
     (nb08.compress, lambda film: compress(film).mean(), "shape|picture"),
     (nb08.compress, lambda film: film.mean((1, 2)), "keep the picture"),
     (nb08.combine, tiled, "not the whole map"),
     (nb08.combine, never_grown, "half the size"),
     (nb08.combine, lambda face, pulse, alpha, beta: combine(face, pulse, beta, alpha), "maps of one size"),
     (nb08.best_scale, lambda loss, kind: loss, "by 2 s squared"),
     (nb08.best_scale, lambda loss, kind: loss ** 0.5, "by s, not by its square"),
     (nb08.best_scale, lambda loss, kind: (loss / 2) ** 0.5, "the two is gone"),
     (nb08.bias, lambda sd, rmse: rmse - sd, "Squares add up"),
     (nb08.bias, lambda sd, rmse: rmse**2 - sd**2, "That is its square"),
     (nb08.bias, lambda sd, rmse: np.sqrt(rmse**2 + sd**2), "200 errors")],
    ALL)
