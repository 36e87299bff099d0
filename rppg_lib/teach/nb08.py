"""Exercises of notebook 08, faces and identity."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("8.1", stars=1, minutes=10)
def compress(case):
    """A film standardised as a whole, then averaged over time: ``compress(film)``, (T, H, W, 3) to (H, W, 3)."""
    rng = np.random.default_rng(0)
    face = rng.uniform(60, 180, (6, 5, 3))
    film = face + rng.normal(0, 2, (40, 6, 5, 3))
    right = (film.mean(0) - film.mean()) / film.std()
    case("a face that stays, and a camera's noise", film).gives(right, rtol=1e-6, traps=[
        (((film - film.mean((0, 1, 2))) / film.std((0, 1, 2))).mean(0),
         "One mean and one standard deviation for everything: each colour has its own in yours."),
        (((film - film.mean((1, 2, 3), keepdims=True)) / film.std((1, 2, 3), keepdims=True)).mean(0),
         "One mean and one standard deviation for the whole film: each frame has its own in yours."),
        ((film.mean(0) - film.mean()) / film.mean(0).std(),
         "Standardise before you average: of the mean picture the standard deviation is smaller."),
        (film.mean(0), "Standardise first: minus the mean, over the standard deviation, of all values together."),
        (np.diff(film, axis=0).mean(0), "The mean of differences is the last frame minus the first, and no face."),
        ((film - film.mean(0)).mean(0), "Take away one mean, of all values: that of each pixel is the face itself."),
        (film.mean((1, 2)), "Average over time, the first axis, and keep the picture.")])
    pulse = 0.5 * np.sin(2 * np.pi * np.arange(40) / 10)[:, None, None, None]
    case("the same with a pulse of four whole beats", film + pulse).gives(
        (film.mean(0) - film.mean()) / (film + pulse).std(), rtol=1e-6)


@exercise("8.2", stars=2, minutes=10)
def combine(case):
    """One map for all times added to maps that change: ``combine(face, pulse, alpha, beta)``.

    ``face`` is (C, h, w), ``pulse`` (C, T, H, W) with sides a whole number of times larger.
    """
    rng = np.random.default_rng(1)
    face, pulse = rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 5, 4, 4))
    case("maps of one size", face, pulse, 2.0, 0.5).gives(2 * face[:, None] + 0.5 * pulse, rtol=1e-6)
    small = rng.normal(size=(3, 2, 2))
    large = small.repeat(2, 1).repeat(2, 2)
    case("a face of half the size, each value of it twice in each direction", small, pulse, 1.0, 1.0).gives(
        large[:, None] + pulse, rtol=1e-6, traps=[
            (np.tile(small, (1, 2, 2))[:, None] + pulse, "Repeat each value beside itself, not the whole map.")])
    case("without the face", face, pulse, 0.0, 1.0).gives(pulse, rtol=1e-6)


@exercise("8.3", stars=2, minutes=15)
def best_scale(case):
    """The scale at which a fixed loss costs least: ``best_scale(loss, kind)``.

    ``L / (2 s^2) + log s`` for kind ``"regression"``, ``L / s + log s`` for ``"classification"``.
    """
    for kind, divided, best, other in (("regression", "by 2 s squared", np.sqrt, np.asarray),
                                       ("classification", "by s, not by its square", np.asarray, np.sqrt)):
        for loss in ((0.2, 100.0) if kind == "regression" else (3.0, 0.05)):
            case(f"a {kind} that stays at {loss:g}", loss, kind).gives(float(best(loss)), rtol=1e-4, traps=[
                (float(other(loss)), f"Set the slope by s to zero; here the loss is divided {divided}."),
                (np.sqrt(loss / 2), "The slope of L / (2 s squared) is minus L / s cubed: the two is gone.")])


@exercise("8.4", stars=2, minutes=10)
def bias(case):
    """How large the mean error must be if an SD is that of the signed errors: ``bias(sd, rmse)``, in bpm."""
    rng = np.random.default_rng(2)
    errors = rng.normal(3, 4, 200)
    sd, rmse = errors.std(), np.sqrt((errors ** 2).mean())
    case("200 errors about 3 bpm", sd, rmse).gives(abs(errors.mean()), rtol=1e-4, traps=[
        (rmse - sd, "Squares add up, not the numbers themselves."),
        (rmse ** 2 - sd ** 2, "That is its square.")])
    case("PhysFormer, as the paper's Table 1 reports it", 7.74, 7.79).gives(np.sqrt(7.79 ** 2 - 7.74 ** 2), rtol=1e-4)
    case("rFaceNet, as the paper's Table 1 reports it", 4.87, 7.13).gives(np.sqrt(7.13 ** 2 - 4.87 ** 2), rtol=1e-4)
