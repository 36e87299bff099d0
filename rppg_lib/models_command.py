"""What ``rppg models`` says: everything that estimates a pulse, what it costs, and what was reported of it."""

from __future__ import annotations

import dataclasses
import json
import platform
from argparse import Namespace
from collections.abc import Callable
from typing import Any, TextIO

from . import registry

LATENCY_REPEATS = 3

Row = dict[str, Any]


def run(args: Namespace, say: Callable[[str], Any], stream: TextIO) -> bool:
    """Say the table as text or JSON; progress of slow measurements goes to ``stream``."""
    table = rows(latency=args.latency, progress=lambda text: (stream.write(f"rppg models: {text}\n"), stream.flush()))
    say(json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) if args.json else to_text(table))
    return True


def rows(*, latency: bool = False, progress: Callable[[str], Any] = lambda text: None) -> list[Row]:
    """Return one row per method and network, by name.

    A network's figures hold for the input it was published with (``frames``, ``size_px``); ``reported_`` ones are from
    paper or public code, the others are counted here (:mod:`rppg_lib.models.cost`). A method has no parameters and no
    such input.

    Args:
        latency: measure how long a network takes for one clip of that input, on a GPU if there is one.
        progress: told what is being measured.

    >>> [row["name"] for row in rows() if row["kind"] == "method"]
    ['chrom', 'green', 'ica', 'lgi', 'omit', 'pbv', 'pos']
    """
    found = []
    for entry in registry.available().values():
        row = {"name": entry.name, "kind": entry.kind, "cites": entry.cites, "summary": entry.summary}
        if entry.kind == "network":
            row |= _figures(entry.made_of)
            if latency:
                progress(f"timing {entry.name} at {row['frames']} x {row['size_px']} x {row['size_px']} ...")
                row |= _measured(entry.made_of)
        found.append(row)
    return found


def to_text(table: list[Row]) -> str:
    """Return the rows as text: names first, then the networks' figures and where reported ones come from."""
    parts = [_aligned([[row["name"], row["cites"], row["summary"]] for row in table], left=3)]
    networks = [row for row in table if row["kind"] == "network"]
    if networks:
        timed = any("ms" in row for row in networks)
        head = ["network", "frames x px", "parameters", "reported", "GMACs", "reported"]
        lines = [head + ["ms", "ms/frame"] * timed]
        lines += [[row["name"], f"{row['frames']} x {row['size_px']}", _number(row["params"], ","),
                   _number(row["reported_params"], ","), _number(row["gmacs"], ".2f"),
                   _number(row["reported_gmacs"], ".2f")]
                  + ([_number(row["ms"], ".0f"), _number(row["ms_per_frame"], ".2f")] if timed else [])
                  for row in networks]
        parts.append(_aligned(lines, left=1))
        parts.append(_aligned([[row["name"], row["reported_by"], row["reported_note"]] for row in networks], left=3))
    if any("machine" in row for row in networks):
        parts.append("Times: one clip, no gradients, fastest of "
                     f"{LATENCY_REPEATS}; {next(row['machine'] for row in networks if 'machine' in row)}.")
    return "\n\n".join(parts)


def _network(kind: type, device: str) -> Any:
    import torch

    config = dataclasses.replace(kind.Config(), frames=kind.published.frames, size_px=kind.published.size_px)
    with torch.device(device):
        return kind(config)


def _figures(kind: type) -> Row:
    from .models.cost import count

    known = kind.published
    try:
        network = _network(kind, "meta")                             # shapes only: no memory, no time
    except (NotImplementedError, RuntimeError):
        network = _network(kind, "cpu")
    cost = count(network, frames=known.frames, size_px=known.size_px)
    return {"frames": known.frames, "size_px": known.size_px,
            "params": cost.params, "reported_params": known.params,
            "gmacs": cost.macs / 1e9, "reported_gmacs": known.gmacs,
            "params_visible": cost.params_visible, "gmacs_visible": cost.macs_visible / 1e9,
            "reported_by": known.source, "reported_note": known.note}


def _measured(kind: type) -> Row:
    import torch

    from .models.cost import Setting, latency

    known, device = kind.published, "cuda" if torch.cuda.is_available() else "cpu"
    took = latency(_network(kind, "cpu"), frames=known.frames, size_px=known.size_px, repeats=LATENCY_REPEATS,
                   setting=Setting(device=device))
    return {"ms": took.min_ms, "ms_median": took.median_ms, "ms_per_frame": took.ms_per_frame, "machine": machine()}


def machine() -> str:
    """Name what networks run on: the GPU, or the kind of processor and how many of its threads."""
    import torch

    if torch.cuda.is_available():
        where = torch.cuda.get_device_name()
    else:
        threads = torch.get_num_threads()
        where = f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    return f"{where}, torch {torch.__version__}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _aligned(lines: list[list[str]], *, left: int) -> str:
    """Return lines whose columns stand below each other, the first ``left`` of them flush left."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(f"{cell:{'<' if number < left else '>'}{width}}"
                               for number, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
