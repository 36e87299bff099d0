"""Each check of notebook 05 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import torch
from torch.nn import functional

from rppg_lib.evaluation.robustness import _regraded
from rppg_lib.models.codephys import with_statistics_of
from rppg_lib.quantize import Codebook
from rppg_lib.teach import nb05

from .answers import judged_by

ALL = [nb05.adain, nb05.ask, nb05.gamma]


def adain(x, y):
    return y.std(0) * (x - x.mean(0)) / x.std(0) + y.mean(0)


def library_adain(x, y):
    return with_statistics_of(torch.as_tensor(x)[None], torch.as_tensor(y)[None])[0].numpy()


def squares(tokens, codes):
    return ((tokens[:, None] - codes) ** 2).sum(-1)


def cost(logits, right):
    return functional.cross_entropy(torch.as_tensor(logits), torch.as_tensor(right)).item()


def library_ask(tokens, codes, right, tau):
    book = Codebook(Codebook.Config(codes=len(codes), dim=codes.shape[1]))
    book.codes.copy_(torch.as_tensor(codes))
    return cost(book.logits(torch.as_tensor(tokens, dtype=torch.float32), temperature=tau).double().numpy(), right)


def careless_ask(tokens, codes, right, tau):
    p = np.exp(-squares(tokens, codes) / tau)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.log(p[np.arange(len(right)), right] / p.sum(1)).mean()


def gamma(frames, gammas):
    return np.round(255 * (frames / 255) ** gammas[:, None, None, None]).astype(np.uint8)


def library_gamma(frames, gammas):
    return np.stack([_regraded(frame, value) for frame, value in zip(frames, gammas)])


RIGHT = [(nb05.adain, adain), (nb05.adain, library_adain),
         (nb05.adain, lambda x, y: y.std(0, ddof=1) * (x - x.mean(0)) / x.std(0, ddof=1) + y.mean(0)),
         (nb05.ask, library_ask), (nb05.ask, lambda z, c, right, tau: cost(-squares(z, c) / tau, right)),
         (nb05.gamma, gamma), (nb05.gamma, library_gamma),
         (nb05.gamma, lambda f, g: (255 * (f / 255) ** g[:, None, None, None]).astype(np.uint8))]

WRONG = [
    (nb05.adain, lambda x, y: adain(y, x), "should|other way round"),
    (nb05.adain, lambda x, y: y, "keeps its course"),
    (nb05.adain, lambda x, y: y.std() * (x - x.mean()) / x.std() + y.mean(), "for each column"),
    (nb05.adain, lambda x, y: (x - x.mean(0)) / x.std(0) + y.mean(0), "should|deviation of y is missing"),
    (nb05.adain, lambda x, y: y.var(0) * (x - x.mean(0)) / x.var(0) + y.mean(0), "should|take the roots"),
    (nb05.ask, careless_ask, "largest logit first"),
    (nb05.ask, lambda z, c, right, tau: -cost(-squares(z, c) / tau, right), "should|The sign"),
    (nb05.ask, lambda z, c, right, tau: cost(squares(z, c) / tau, right), "nearest code must be the likeliest"),
    (nb05.ask, lambda z, c, right, tau: cost(-np.sqrt(squares(z, c)) / tau, right), "leave out the root"),
    (nb05.ask, lambda z, c, right, tau: cost(-squares(z, c), right), "Divide the squared distances by tau"),
    (nb05.ask, lambda z, c, right, tau: cost(-squares(z, c) * tau, right), "do not multiply"),
    (nb05.ask, lambda z, c, right, tau: len(z) * cost(-squares(z, c) / tau, right), "That is the sum"),
    (nb05.gamma, lambda f, g: gamma(f, 1 / g), "not one over it"),
    (nb05.gamma, lambda f, g: (f / 255) ** g[:, None, None, None], "multiply by 255 again"),
    (nb05.gamma, lambda f, g: f * g[:, None, None, None], "not a product"),
    (nb05.gamma, lambda f, g: gamma(f, np.full(len(f), g.mean())), "a gamma of its own|should"),
    (nb05.gamma, lambda f, g: np.clip(f ** g[:, None, None, None], 0, 255), "Divide by 255 first"),
]


test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)
