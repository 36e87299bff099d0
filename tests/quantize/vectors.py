"""Vectors to quantise, and the rules of a codebook once more, in NumPy."""

import numpy as np
import torch

from rppg_lib.quantize import Codebook


def noise(*shape, seed=0, scale=1.0, **options):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def heaps(count, dim, each, *, seed=0, apart=10.0, width=0.1):
    """Return well separated heaps ``(count, each, D)``: corners of a grid, ``apart`` from each other, and noise."""
    corners = np.array(np.unravel_index(np.arange(count), (4,) * dim)).T
    middles = torch.tensor(corners * apart, dtype=torch.float32)
    return middles[:, None] + noise(count, each, dim, seed=seed, scale=width)


def book(codes=8, dim=3, **settings):
    """Return a codebook that quantises from the first call, with no chance in it."""
    settings = {"start": "normal", "warmup_steps": 0, "revive_after": None} | settings
    torch.manual_seed(5)
    return Codebook(Codebook.Config(codes=codes, dim=dim, **settings))


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same_bits(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def brute_force(z, codes):
    """Return the nearest code of each vector from all differences, in float64."""
    z, codes = z.double().numpy(), codes.detach().double().numpy()
    return ((z[..., None, :] - codes) ** 2).sum(-1).argmin(-1)


def moving_average(codes, batches, *, decay, eps=1e-5):
    """Return what van den Oord et al. give for the codes after these batches: averages of counts and of sums."""
    codes = codes.double().numpy()
    counts, sums = np.ones(len(codes)), codes.copy()
    for batch in batches:
        member = np.eye(len(codes))[brute_force(batch, torch.tensor(codes))]
        counts = decay * counts + (1 - decay) * member.sum(0)
        sums = decay * sums + (1 - decay) * member.T @ batch.double().numpy()
        total = counts.sum()
        codes = sums / ((counts + eps) / (total + len(codes) * eps) * total)[:, None]
    return codes
