"""Exercises of notebook 09, fair evaluation."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("9.1", stars=1, minutes=5)
def grid(case):
    """Distance of two rates that a spectrum can tell: ``grid(frames, fs)``, in bpm, padded to the next power of two."""
    for name, frames, fs in (("ten seconds at 30 fps", 300, 30.0), ("a clip of 160 frames", 160, 30.0),
                             ("256 frames, a power of two already", 256, 20.0)):
        size = 1 << (frames - 1).bit_length()
        case(name, frames, fs).gives(60 * fs / size, rtol=1e-6, unit="bpm", traps=[
            (60 * fs / frames, "Padded with zeros first: the length of the transform is the next power of two."),
            (fs / size, "That is in Hz; a minute has 60 seconds."),
            (30 * fs / size, "256 is a power of two already: nothing is added." if size == frames else
             "The steps of the transform are fs over its length, up to fs / 2.")])


@exercise("9.2", stars=2, minutes=10)
def folds(case):
    """A fold for each clip, so that nobody is in two: ``folds(subjects, k)``, whole numbers from 0 to k - 1."""
    for name, subjects, k in (("two clips each of six people", [p for p in "abcdef" for _ in range(2)], 3),
                              ("clips of different number, in no order", list("caabbbacdcdee"), 2),
                              ("as many folds as people", list("xyzzy"), 3)):
        answer = case(name, list(subjects), k)
        answer.has_shape(len(subjects))
        given = np.asarray(answer.value)
        answer.must(set(given.tolist()) == set(range(k)), f"each of the folds 0 to {k - 1} must have a clip, yours has "
                    f"{sorted(set(given.tolist()))}.")
        torn = [who for who in sorted(set(subjects)) if len({given[i] for i, p in enumerate(subjects) if p == who}) > 1]
        answer.must(not torn, f"{', '.join(torn)} would be in two folds: learned from in one, tested in the other. "
                              f"Give the fold to the person, not to the clip.")


@exercise("9.3", stars=2, minutes=15)
def spread(case):
    """Bootstrap over people: ``spread(errors, people, drawn)``, the 2.5 and 97.5 percentiles of the mean."""
    rng = np.random.default_rng(3)
    for name, count, each in (("eight people, five windows each", 8, 5), ("people with one, two, three ... windows", 6,
                                                                         None)):
        people = np.repeat(np.arange(count), each or np.arange(1, count + 1))
        errors = rng.gamma(2.0, 2.0, count)[people] + rng.normal(0, 0.5, len(people))
        drawn = rng.integers(0, count, (400, count))
        means = np.array([np.concatenate([errors[people == who] for who in one]).mean() for one in drawn])
        of_people = np.array([errors[people == who].mean() for who in range(count)])
        alone = np.array([errors[np.isin(people, one)].mean() for one in drawn])
        case(name, errors, people, drawn).gives(tuple(np.percentile(means, [2.5, 97.5])), rtol=1e-6, traps=[
            (tuple(np.percentile(of_people[drawn].mean(1), [2.5, 97.5])),
             "Every window counts: a person with many windows brings them all."),
            (tuple(np.percentile(alone, [2.5, 97.5])), "Who is drawn twice comes in twice."),
            (tuple(np.percentile(errors[drawn].mean(1), [2.5, 97.5])),
             "The draws are of people: take all windows of those who are drawn."),
            ((means.mean() - 1.96 * means.std(), means.mean() + 1.96 * means.std()),
             "Percentiles of the drawn means, not their mean and spread.")])


@exercise("9.4", stars=2, minutes=10)
def risk(case):
    """What remains when the worst are refused: ``risk(errors, quality, kept)``, the mean error of that share."""
    rng = np.random.default_rng(4)
    errors = rng.gamma(1.0, 5.0, 40)
    quality = 1 / (1 + errors) + rng.normal(0, 0.05, 40)
    for name, kept in (("the best half", 0.5), ("nine tenths", 0.9), ("all of them", 1.0)):
        count = round(kept * 40)
        case(name, errors, quality, kept).gives(float(errors[np.argsort(-quality)][:count].mean()), rtol=1e-6, traps=[
            (float(errors[np.argsort(quality)][:count].mean()), "Keep those of the highest quality."),
            (float(np.sort(errors)[:count].mean()), "Sorted by quality: the error is not known when one refuses."),
            (float(errors[np.argsort(-quality)][count:].mean() if count < 40 else 0.0),
             "Those that are kept, not those that are refused.")])
