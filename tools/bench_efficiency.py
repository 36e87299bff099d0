"""What everything registered costs, in one table: kept as results/bench_efficiency.full.json, shown in notebook 09.

    python tools/bench_efficiency.py            # 160 pictures of 128 px, one thread: about five minutes
    python tools/bench_efficiency.py --quick    # 64 pictures of 36 px, to try it out

Networks are untrained, which costs as much. Run it while nothing else runs: time is of the processor, but caches are
shared.
"""

from __future__ import annotations

import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"                                  # before anything that starts threads is loaded

from rppg_lib import results
from rppg_lib.evaluation import efficiency

SIZES = {"full": {"frames": 160, "size_px": 128, "repeats": 3}, "quick": {"frames": 64, "size_px": 36, "repeats": 1}}


def main(arguments: list[str]) -> int:
    profile = "quick" if "--quick" in arguments else "full"
    table = efficiency(threads=1, progress=lambda text: print(text, file=sys.stderr), **SIZES[profile])
    print(table.drop(columns="note").round(3).to_string())
    path = results.save("bench_efficiency", {"costs": table}, profile=profile, seed=0, config=SIZES[profile],
                        data="simulated: noise, untrained networks")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
