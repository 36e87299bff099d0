"""Small films for tests: quick to render, and read with the true regions."""

import numpy as np

from rppg_lib import signal, simulate

SMALL = simulate.Stage(size_px=(160, 120), face_px=72)
METHODS = {"green": signal.green, "chrom": signal.chrom, "pos": signal.pos}
CALM = {"hrv_breath": 0, "hrv_slow": 0, "hrv_noise": 0, "breath_baseline": 0, "breath_amplitude": 0}
TONES = dict(zip(simulate.TONES, (0.02, 0.18, 0.42, 0.80, 1.40, 2.15)))


def lively(seed, **changes):
    """A person whose green pulse is 1.2 % peak to peak in linear light."""
    return simulate.person(seed, **{"perfusion": 0.012, **changes})


def errors(clip, *, window_s=10.0, step_s=5.0):
    """Absolute error of the heart rate of each method in each window, in bpm."""
    cuts = signal.windows(len(clip), fs=clip.fs, window_s=window_s, step_s=step_s)
    true = np.array([signal.hr_from_spectrum(clip.label[cut], fs=clip.fs) for cut in cuts])
    found = {name: method(clip.rgb, fs=clip.fs) for name, method in METHODS.items()}
    return {name: np.abs([signal.hr_from_spectrum(wave[cut], fs=clip.fs) for cut in cuts] - true)
            for name, wave in found.items()}
