"""Where a training runs: what is asked of the process itself."""

import subprocess
import sys

import pytest

# Three maps of 8 MB live at once, as in a network, are freed, and asked for again.
PAGES = """
import resource, sys, torch
from rppg_lib.training import FitConfig
from rppg_lib.training.device import accelerator_for, keep_freed_memory

if "kept" in sys.argv:
    accelerator_for(FitConfig(device="cpu"))
pages = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    maps = [torch.ones(2 << 20) for _ in range(3)]

for _ in range(3):
    step()
before = pages()
for _ in range(100):
    step()
print((pages() - before) * resource.getpagesize() / (100 * 3 * (8 << 20)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the pages that Linux clears")
def test_memory_of_one_step_serves_the_next():
    cleared = {how: float(subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True, check=True,
                                         timeout=120).stdout) for how in ("plain", "kept")}
    assert cleared["kept"] < 0.05                                    # of what was asked for
    assert cleared["kept"] < cleared["plain"] / 5 or cleared["plain"] < 0.05        # not every C library gives it back
