"""What ``rppg convert`` does: published weights of LQ-rPPG, from the user's own files, made ready to measure with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

EPILOG = """\
CHECKPOINT is the network's file of a training that the authors of LQ-rPPG published (..._rPPG_EpochE.pth, MIT). Nothing
of theirs comes with this command, and nothing is fetched. The five files of its label quantisers (..._1th_LQ_EpochE.pth
to 5th) are looked for beside it: the network needs their codes. Files that would have to run code are not opened.

examples:
  rppg convert PreTrainedModels/PURE_PURE_LQC2F_rPPG_Epoch49.pth --out lqrppg-pure
  rppg measure me.mp4 --method lqrppg --checkpoint lqrppg-pure
"""


def add_options(command: ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="published weights of the network")
    command.add_argument("--labels", type=Path, nargs="+", default=[], metavar="FILE", help="its five label "
                         "quantisers, in any order (default: found beside CHECKPOINT by their names)")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the weights")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Write the folder and say what is in it."""
    from .models import save_network
    from .models.convert import convert

    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise ValueError(f"convert: --out must be a new or an empty folder, and {args.out} is not. Name another one.")
    network = convert(args.checkpoint, args.labels)
    save_network(network, args.out, facts=network.facts)
    first, *quantisers = network.facts["sha256"]
    say(f"{args.out}\n  {sum(p.numel() for p in network.parameters()):,} parameters of {first}\n"
        + "".join(f"  {len(network.levels[bits].codes)} codes: "
                  f"{network.levels[bits].codes[0]:.2f} to {network.levels[bits].codes[-1]:.2f}\n"
                  for bits in network.levels.bits)
        + f"  from {', '.join(quantisers)}\n"
        f"Next: rppg measure VIDEO --method lqrppg --checkpoint {args.out}")
    return True
