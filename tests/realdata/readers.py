"""The few lines that read each real recording; readers for users' data sets belong to the library, these do not."""

import numpy as np
import pandas as pd

from rppg_lib import signal

MONKEY_FPS = {1: 30, 2: 30, 3: 50, 4: 100}
MONKEY_BAND_HZ = (1.5, 5.0)              # 90 to 300 bpm


def monkey(root, session):
    """Return colour trace, fps, window starts, window length and the reference rate of each window."""
    folder = root / f"unakafov-monkey-ippg/dataset/Session{session}"
    rgb = np.fromfile(folder / f"Session{session}.bin", dtype="<f4").reshape(-1, 3)
    halves = np.loadtxt(folder / f"Session{session}_REF.csv", delimiter=",").ravel()
    fps = MONKEY_FPS[session]
    length, step = (2048, 1000) if fps == 100 else (1024, {30: 510, 50: 500}[fps])
    starts = range(0, len(rgb) - length + 1, step)
    rates = [len(part) / np.sum(1 / part) for k in range(len(starts)) if len(part := halves[2 * k:2 * k + 4])]
    return rgb, fps, list(starts)[:len(rates)], length, np.array(rates)


def fingertip(root, hand, person):
    """Return colours at 30 Hz and the median rate of four oximeters, once a second (NaN where none reads)."""
    folder = root / "oximetry-phone-cam-data/data"
    rgb = pd.read_csv(folder / f"ppg-csv/{hand}/10000{person}.csv").to_numpy(float)
    table = pd.read_csv(folder / f"gt/10000{person}.csv", encoding="utf-8-sig", index_col=False)
    meters = table[[f"Pulse {k}" for k in (1, 2, 4, 5)]].apply(pd.to_numeric, errors="coerce")
    return rgb, meters.where(meters > 0).median(axis=1).to_numpy()


def phone(root, record):
    """Return the red channel, systole up, evenly at 30 Hz, and the chest strap's beat intervals in seconds."""
    folder = root / f"welltory-ppg/data/subject_{record:02d}"
    table = pd.read_csv(folder / "PPG.csv").drop_duplicates("time")
    times_s = table.time.to_numpy() / 1000
    wave = -signal.resample(table.R.to_numpy(), times_s, at_s=signal.uniform_times(times_s, fs=30), max_gap_s=1.0)
    return wave, np.array((folder / "RR.txt").read_text().split(), dtype=float) / 1000
