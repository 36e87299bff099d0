"""Each check of notebook 04 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import torch

from rppg_lib.quantize import Codebook, code_statistics
from rppg_lib.teach import nb04

from .answers import judged_by

ALL = [nb04.nearest, nb04.gradient, nb04.perplexity]


def squares(vectors, codes):
    return ((vectors[:, None] - codes) ** 2).sum(-1)


def library_nearest(vectors, codes):
    book = Codebook(Codebook.Config(codes=len(codes), dim=codes.shape[1])).eval()
    book.codes.copy_(torch.as_tensor(codes))
    return book.query(torch.as_tensor(vectors)).numpy()


def library_gradient(vector, code, target):
    """One training call, with no moving average yet to be seen by it."""
    book = Codebook(Codebook.Config(codes=1, dim=len(code), start="normal", warmup_steps=0, revive_after=None))
    book.codes.copy_(torch.as_tensor(code)[None])
    z = torch.as_tensor(vector, dtype=torch.float64)[None].requires_grad_()
    said = book(z)
    loss = (said.values - torch.as_tensor(target)).square().sum() + len(code) * said.loss   # its mean as a sum
    loss.backward()
    return z.grad[0].numpy()


def gradient(vector, code, target):
    return 2 * (code - target) + 0.5 * (vector - code)


def entropy(indices, codes, log=np.log):
    share = np.bincount(indices, minlength=codes) / len(indices)
    return -sum(p * log(p) for p in share if p > 0)


def library_perplexity(indices, codes):
    return code_statistics(torch.as_tensor(indices), codes)[1]


def unguarded_perplexity(indices, codes):
    share = np.bincount(indices, minlength=codes) / len(indices)
    with np.errstate(all="ignore"):
        return np.exp(-(share * np.log(share)).sum())


RIGHT = [(nb04.nearest, lambda v, c: squares(v, c).argmin(1)), (nb04.nearest, library_nearest),
         (nb04.gradient, gradient), (nb04.gradient, library_gradient),
         (nb04.perplexity, lambda i, n: np.exp(entropy(i, n))),
         (nb04.perplexity, lambda i, n: 2 ** entropy(i, n, np.log2)), (nb04.perplexity, library_perplexity)]

WRONG = [
    (nb04.nearest, lambda v, c: squares(v, c).argmax(1), "the farthest"),
    (nb04.nearest, lambda v, c: (v @ c.T).argmax(1), "should|long codes"),
    (nb04.nearest, lambda v, c: abs(v[:, None] - c).sum(-1).argmin(1), "as the crow flies"),
    (nb04.nearest, lambda v, c: squares(v, c).argmin(0), "should"),
    (nb04.nearest, lambda v, c: squares(v, c).min(1), "should"),
    (nb04.gradient, lambda v, c, t: 0 * v, "should"),
    (nb04.gradient, lambda v, c, t: 0.5 * (v - c), "true gradient"),
    (nb04.gradient, lambda v, c, t: 2 * (v - t) + 0.5 * (v - c), "saw the code"),
    (nb04.gradient, lambda v, c, t: 2 * (c - t), "second term"),
    (nb04.gradient, lambda v, c, t: 2 * (c - t) - 0.5 * (v - c), "sign of the pull"),
    (nb04.gradient, lambda v, c, t: (c - t) + 0.25 * (v - c), "twice what is squared"),
    (nb04.gradient, lambda v, c, t: 2 * (c - t) + 2 * (v - c), "weighs 0.25"),
    (nb04.gradient, lambda v, c, t: 2 * (c - t) + 0.5 * (v - c) / len(v), r"[\d.]+\. The second term is a sum"),
    (nb04.perplexity, entropy, "one step more"),
    (nb04.perplexity, lambda i, n: 2 ** entropy(i, n), "one base"),
    (nb04.perplexity, lambda i, n: np.exp(-entropy(i, n)), "sign"),
    (nb04.perplexity, lambda i, n: len(set(i)), "however seldom"),
    (nb04.perplexity, lambda i, n: np.exp(entropy(i, n)) / n, "share"),
    (nb04.perplexity, unguarded_perplexity, "finite|NaN"),
]


test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)
