"""Each check of notebook 09 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from rppg_lib.evaluation import risk_coverage
from rppg_lib.teach import nb09

from .answers import judged_by

ALL = [nb09.grid, nb09.folds, nb09.spread, nb09.risk]


def grid(frames, fs):
    return 60 * np.fft.rfftfreq(1 << int(np.ceil(np.log2(frames))), 1 / fs)[1]


def dealt(subjects, k):
    names = {name: number for number, name in enumerate(dict.fromkeys(subjects))}
    return [names[name] % k for name in subjects]


def library_folds(subjects, k):
    fold = np.empty(len(subjects), int)
    for number, (_, test) in enumerate(GroupKFold(k).split(subjects, groups=subjects)):
        fold[test] = number
    return fold


def by_clip(subjects, k):
    return np.arange(len(subjects)) % k


def spread(errors, people, drawn):
    means = [np.concatenate([errors[people == who] for who in one]).mean() for one in drawn]
    return np.percentile(means, 2.5), np.percentile(means, 97.5)


def of_people(errors, people, drawn):
    each = np.array([errors[people == who].mean() for who in np.unique(people)])
    return tuple(np.percentile(each[drawn].mean(1), [2.5, 97.5]))


def once(errors, people, drawn):
    return tuple(np.percentile([errors[np.isin(people, one)].mean() for one in drawn], [2.5, 97.5]))


def risk(errors, quality, kept):
    return errors[np.argsort(quality)[::-1]][:round(kept * len(errors))].mean()


def library_risk(errors, quality, kept):
    rows = pd.DataFrame({"method": "m", "subject": [str(k % 5) for k in range(len(errors))], "hr_true": 60.0,
                         "clip_id": [str(k) for k in range(len(errors))], "hr_pred": 60 + errors, "quality": quality})
    return float(risk_coverage(rows, coverages=[kept], resamples=2).error[0])


(test_right, test_wrong, test_stub) = judged_by(
    [(nb09.grid, grid), (nb09.grid, lambda frames, fs: 60 * fs / (1 << (frames - 1).bit_length())),
     (nb09.folds, dealt), (nb09.folds, library_folds), (nb09.spread, spread), (nb09.risk, risk),
     (nb09.risk, library_risk)],
    [(nb09.grid, lambda frames, fs: 60 * fs / frames, "Padded with zeros first"),
     (nb09.grid, lambda frames, fs: grid(frames, fs) / 60, "a minute has 60 seconds"),
     (nb09.grid, lambda frames, fs: grid(frames, fs) / 2, "up to fs / 2"),
     (nb09.folds, by_clip, "would be in two folds"),
     (nb09.folds, lambda subjects, k: np.zeros(len(subjects), int), "must have a clip"),
     (nb09.folds, lambda subjects, k: dealt(subjects, k + 1), "each of the folds"),
     (nb09.folds, lambda subjects, k: dealt(sorted(set(subjects)), k), "shape"),
     (nb09.spread, once, "comes in twice"),
     (nb09.spread, lambda errors, people, drawn: tuple(np.percentile(errors[drawn].mean(1), [2.5, 97.5])),
      "all windows of those"),
     (nb09.spread, lambda errors, people, drawn: spread(errors, people, drawn)[::-1], "value 1 of 2"),
     (nb09.risk, lambda errors, quality, kept: risk(errors, -quality, kept), "of the highest quality"),
     (nb09.risk, lambda errors, quality, kept: risk(errors, -errors, kept), "not known when one refuses")],
    ALL)


def test_means_of_people_are_caught_where_people_have_different_numbers_of_windows():
    verdict = nb09.spread(of_people)
    assert verdict.status == "wrong"
    assert "Every window counts" in verdict.message and "one, two, three" in verdict.message
