"""What ``rppg export`` does: a trained network written as ONNX, checked, and what it costs to run."""

from __future__ import annotations

import importlib.util
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

EPILOG = """\
CHECKPOINT is a folder that 'rppg train' wrote. In DIR you find afterwards
  model.onnx         the whole clip: pictures in, pulse out
  stream.onnx        with --stream: one picture and the state in, one value and the next state out
  model.int8.onnx    with --int8: the same with 8-bit numbers, and stream.int8.onnx
  export.json        names and shapes of what goes in and comes out, frame rate, size, how pictures are normalised
Each graph is run by onnxruntime and must agree with PyTorch to 1e-4 of the largest value before anything is written;
one with 8-bit numbers differs, and by how much is said. Nothing is sent anywhere.

examples:
  rppg export build/training/kdphys-quick
  rppg export build/training/kdphys-quick --stream --int8 --out kdphys-onnx
"""
PEOPLE, SCENES, SECONDS = range(900, 903), ("still", "talking"), 10
"""Whom 8-bit numbers are tried on: simulated faces, the same for everybody."""
ALIKE, NEAR_BPM = 0.99, 1.0
"""What they may change: correlation of waves, and rates."""


def add_options(command: ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder with trained weights")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: onnx in CHECKPOINT)")
    command.add_argument("--stream", action="store_true", help="frame by frame too, where the network can: kdphys")
    command.add_argument("--int8", action="store_true", help="with 8-bit numbers too")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Write the folder and say what is in it."""
    from .models import load_network
    from .models.export import export

    network = load_network(args.checkpoint)
    folder = args.out or args.checkpoint / "onnx"
    told = export(network, folder, stream=args.stream, int8=args.int8, progress=sys.stderr.isatty())
    whole = next(iter(told["files"].values()))["bytes"]
    lines = [f"{folder}", f"  {told['name']}, {told['size_px']} px, {told['frames']} frames, {told['fs']:g} fps, "
                          f"gives the {told['target']}",
             f"  {'file':<18}{'kB':>8}{'ms a frame':>12}  furthest from PyTorch"]
    for name, facts in told["files"].items():
        share = f" ({facts['bytes'] / whole:.0%})" if "int8" in name else ""
        lines.append(f"  {name:<18}{facts['bytes'] / 1000:>8.0f}{facts['ms_per_frame']:>12.2f}  "
                     f"{facts['largest_error'] / (facts['largest_value'] or 1):.1g} of the largest value{share}")
    say("\n".join(lines))
    if args.int8:
        say(_effect(folder, told))
    return True


def _effect(folder: Path, told: dict[str, Any]) -> str:
    """Return in words what 8-bit numbers change on simulated faces."""
    if importlib.util.find_spec("cv2") is None:
        return "8-bit numbers were not tried on simulated faces: that needs OpenCV, of the extra 'video'."
    import numpy as np

    from . import simulate
    from .models.exported import compared
    from .types import Clip

    clips = []
    for scene in SCENES:
        for who in PEOPLE:
            seconds = max(SECONDS, (told["frames"] + 1) / told["fs"])
            film = simulate.crops(who, scene=scene, seconds=seconds, fs=told["fs"], size_px=told["size_px"], seed=0)
            frames = np.stack(list(film.frames()))
            clips.append(Clip(frames=frames, fs=told["fs"], id=f"{who} {scene}", condition=scene))
    rows = compared(folder, clips)
    lines = [f"8-bit numbers on {len(clips)} simulated faces ({', '.join(SCENES)}), against the same graph without:"]
    for graph in dict.fromkeys(row["graph"] for row in rows):
        mine = [row for row in rows if row["graph"] == graph]
        lines.append(f"  {graph:<18}waves r {min(row['r'] for row in mine):.4f} or more, rate changes by "
                     f"{max(row['change_bpm'] for row in mine):.2f} bpm at most")
    if any(not (row["r"] > ALIKE and row["change_bpm"] < NEAR_BPM) for row in rows):
        lines.append(f"8-bit numbers change too much here: r below {ALIKE}, or a rate by {NEAR_BPM:g} bpm and more. Of "
                     f"a trained network they do not, so it may hardly have learned; if it has, do without them.")
    return "\n".join(lines)

