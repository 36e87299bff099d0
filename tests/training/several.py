"""A training in as many processes as it is started with; the first writes what came."""

import json
import sys
from pathlib import Path

from accelerate import PartialState
from safetensors.torch import save_file

from .small import Tiny, bits, train

SETTINGS = {"epochs": 3, "batch": 5, "accumulate": 2, "clip_norm": 1.0, "weight_decay": 0.01}


def main(folder, checkpoints):
    """Train on 12 samples in batches of 5, 5 and 2: shares of the processes differ in size."""
    fitted = train(Tiny(norm=False, dropout=0), folder=folder / "run" if checkpoints else None, **SETTINGS)
    if PartialState().is_main_process:
        save_file(bits(fitted.network), folder / "weights.safetensors")
        told = {"processes": PartialState().num_processes, "history": fitted.history}
        (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "checkpoints" in sys.argv)
