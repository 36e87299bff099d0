"""Tables from rows: seven metrics, their standard errors as the field gives them, and intervals over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

METRICS = {
    "mae": "mean absolute error, bpm",
    "rmse": "root mean square error, bpm",
    "mape": "mean absolute error, % of the true rate",
    "r": "Pearson correlation of rates",
    "sd": "standard deviation of the error, bpm",
    "snr_db": "signal-to-noise ratio at the true rate, dB",
    "macc": "largest absolute correlation of the waveforms over shifts",
}


def summarise(rows: pd.DataFrame, *, by: str | Sequence[str] = "method", resamples: int = 2000,
              seed: int = 0) -> pd.DataFrame:
    """Return one line per group: each metric, ``_se``, and a 95 % interval ``_low`` to ``_high`` over subjects.

    Windows of one person are alike, so the interval comes from drawing whole subjects with replacement (percentile
    bootstrap); one name in two data sets is two subjects. With fewer than two subjects there is no interval (NaN),
    with fewer than five it is not to be relied on.

    The standard errors are the formulas of the field, for comparison with its tables. They count every window as
    independent: expect them to be smaller than the interval says. That of the RMSE, ``sqrt(std(e^2) / sqrt(n))``, is
    the field's too; it is the root of the error of the mean square, so it is not on the scale of the interval. One
    window has no standard error (NaN).

    Args:
        rows: from :func:`rppg_lib.evaluation.evaluate`.
        by: column or columns to group by; order of first appearance is kept.
        resamples: number of bootstrap draws.
        seed: of the draws.

    Returns:
        Columns ``n`` (windows read), ``failed`` (windows that could not be read; they count in nothing else),
        ``subjects``, then the metrics.
    """
    keys = [by] if isinstance(by, str) else list(by)
    missing = [key for key in keys if key not in rows]
    if missing:
        raise ValueError(f"summarise: rows have no column {', '.join(map(repr, missing))}; "
                         f"they have {', '.join(rows)}.")
    # A missing value is a group of its own: an empty condition comes back as NaN from a CSV file.
    grouped = rows.groupby(keys, sort=False, dropna=False)
    groups = {name: _summary(group, resamples, seed) for name, group in grouped}
    if len(keys) > 1:
        index = pd.MultiIndex.from_tuples(groups, names=keys)
    else:
        index = pd.Index([name for name, in groups], name=keys[0])
    return pd.DataFrame(list(groups.values()), index=index)


def _summary(rows: pd.DataFrame, resamples: int, seed: int) -> dict[str, float]:
    read = rows[rows.hr_pred.notna() & rows.hr_true.notna()]
    who = [key for key in ("dataset", "subject") if key in read]
    subjects = read.groupby(who, sort=False, dropna=False).ngroup().to_numpy()
    line = {"n": len(read), "failed": len(rows) - len(read), "subjects": len(set(subjects))}
    if read.empty:
        return line | {name + end: np.nan for name in METRICS for end in ("", "_se", "_low", "_high")}
    sums = _sums(read, subjects)                                     # (S, columns): everything is a function of sums
    values = _metrics(sums.sum(0, keepdims=True))
    errors = _standard_errors(read, {name: value[0] for name, value in values.items()})
    drawn = None
    if line["subjects"] > 1:
        count = line["subjects"]
        weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
        drawn = _metrics(weights @ sums)
    for name in METRICS:
        low, high = _interval(drawn[name]) if drawn else (np.nan, np.nan)
        line |= {name: values[name][0], f"{name}_se": errors[name], f"{name}_low": low, f"{name}_high": high}
    return line


def _sums(read: pd.DataFrame, subjects: np.ndarray) -> np.ndarray:
    x, y = read.hr_true.to_numpy(), read.hr_pred.to_numpy()
    error = y - x
    columns = [np.ones_like(x), abs(error), error**2, 100 * abs(error) / x, x, y, x * x, y * y, x * y, error,
               read.snr_db.to_numpy(), read.macc.to_numpy()]
    return np.stack([np.bincount(subjects, weights=column) for column in columns], axis=1)


def _metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
    n, absolute, square, percent, x, y, xx, yy, xy, error, snr, macc = sums.T
    spread = (xx - x * x / n) * (yy - y * y / n)
    # Rounding can leave a tiny spread where all rates are equal: no correlation is defined there.
    defined = spread > 1e-12 * xx * yy
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(defined, (xy - x * y / n) / np.sqrt(np.where(defined, spread, 1)), np.nan)
        sd = np.sqrt(np.clip(square - error**2 / n, 0, None) / np.where(n > 1, n - 1, np.nan))
    return {"mae": absolute / n, "rmse": np.sqrt(square / n), "mape": percent / n, "r": np.clip(r, -1, 1), "sd": sd,
            "snr_db": snr / n, "macc": macc / n}


def _standard_errors(read: pd.DataFrame, values: dict[str, float]) -> dict[str, float]:
    """Return standard errors by the formulas of the public toolbox (population spread, independent windows)."""
    error = (read.hr_pred - read.hr_true).to_numpy()
    n = len(error)
    if n < 2:
        return dict.fromkeys(METRICS, np.nan)
    percent = 100 * abs(error) / read.hr_true.to_numpy()
    correlated = n > 2 and np.isfinite(values["r"])
    return {"mae": abs(error).std() / np.sqrt(n), "rmse": np.sqrt((error**2).std() / np.sqrt(n)),
            "mape": percent.std() / np.sqrt(n),
            "r": np.sqrt((1 - values["r"] ** 2) / (n - 2)) if correlated else np.nan,
            "sd": values["sd"] / np.sqrt(2 * (n - 1)),
            "snr_db": read.snr_db.to_numpy().std() / np.sqrt(n), "macc": read.macc.to_numpy().std() / np.sqrt(n)}


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    finite = drawn[np.isfinite(drawn)]
    return tuple(np.percentile(finite, [2.5, 97.5])) if len(finite) else (np.nan, np.nan)
