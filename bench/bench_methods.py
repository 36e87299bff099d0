"""Seven methods with filtering on a ten-minute trace: wanted under 1 s together, below 200 MB."""

from timing import peak_megabytes, seconds  # first: it sets one thread

# isort: split
from functools import partial

import numpy as np

from rppg_lib import registry, signal

FS = 30
t = np.arange(600 * FS) / FS
rng = np.random.default_rng(0)
rgb = [130.0, 95.0, 75.0] * (1 - 0.01 * np.outer(np.sin(2 * np.pi * 1.2 * t), [0.33, 0.77, 0.53]))
rgb += 0.1 * rng.normal(size=rgb.shape)
before = peak_megabytes()


def filtered(method):
    """Return the pulse of one method, detrended and band-passed."""
    return signal.bandpass(signal.detrend(method(rgb, fs=FS)), fs=FS, band_hz=(0.65, 4.0))


total = 0.0
for name in registry.available("method"):
    took = seconds(partial(filtered, registry.build(name).function), repeats=3)
    print(f"{name:6} {1000 * took:8.1f} ms")
    total += took
print(f"together {total:.3f} s of CPU for 10 minutes at {FS} fps (wanted: under 1 s), "
      f"ratio to real time 1 : {600 / total:.0f}")
print(f"memory {peak_megabytes():.0f} MB in all, {peak_megabytes() - before:.0f} MB above the imports and the trace "
      f"(wanted: under 200 MB)")
