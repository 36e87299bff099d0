"""Rows of methods on people, with errors that a test knows."""

import numpy as np
import pandas as pd


def made_rows(errors, *, windows=3, seed=0, **columns):
    """Return rows whose errors have the given mean for each method and person: ``{"pos": [1, 2, 3], ...}``."""
    rng = np.random.default_rng(seed)
    people = len(next(iter(errors.values())))
    true, within = rng.uniform(50, 110, (people, windows)), rng.uniform(0.5, 1.5, (people, windows))
    within /= within.mean(1, keepdims=True)
    rows = [{"method": method, "clip_id": f"clip {who}", "subject": f"s{who}", "dataset": "d", "condition": "",
             "start_s": 10.0 * k, "seconds": 10.0, "hr_true": true[who, k],
             "hr_pred": true[who, k] + mean * within[who, k] * (-1) ** k, "snr_db": 0.0, "macc": 0.5, "quality": 0.5,
             "note": ""} for method, means in errors.items() for who, mean in enumerate(means) for k in range(windows)]
    return pd.DataFrame(rows).assign(**columns)


def chance_rows(people, methods, *, seed, windows=3):
    """Return rows of methods that are all alike, on people who differ: some are hard for all."""
    rng = np.random.default_rng(seed)
    hard = rng.gamma(2, 2, people)
    return made_rows({name: hard * rng.gamma(2, 0.5, people) for name in methods}, windows=windows, seed=seed)


def shuffled(rows, seed=0):
    return rows.sample(frac=1, random_state=seed).reset_index(drop=True)
