"""A codebook that learns in as many processes as it is started with; each writes what it has then."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed

from .vectors import book, noise, state

CALLS = 12


def batch(call):
    return noise(24, 3, seed=call, scale=3)


def main(folder, update, start, rank, world):
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    codebook = book(update=update, start=start, warmup_steps=2, revive_after=3 if start == "kmeans" else None)
    for call in range(CALLS):
        torch.manual_seed(100 * call + rank)                             # chance differs between processes
        codebook(batch(call)[rank::world])
    save_file(state(codebook), folder / f"{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
