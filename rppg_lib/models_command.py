"""What ``rppg models`` says: everything that estimates a pulse, what it costs, and what was reported of it."""

from __future__ import annotations

import dataclasses
import json
import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any, TextIO

LATENCY_REPEATS = 3

Row = dict[str, Any]

EPILOG = """\
Parameters and multiplications (MACs) are counted here, at the input a network was published with; what paper or public
code report stands beside. --latency runs each network on this machine, which takes a few minutes.

--against puts all at the input of one network and says what changes where another takes its place: in all that is
counted, and in what a counter sees that hooks into layers, with which published figures were made. With --latency,
networks take turns, clip by clip; on a CPU in one thread.

examples:
  rppg models
  rppg models --latency
  rppg models lqrppg --against rhythmmamba --latency
  rppg models --against physnet --json
"""


def add_options(command: ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("names", nargs="*", metavar="NAME", help="these alone (default: everything)")
    command.add_argument("--against", metavar="NETWORK", help="compare networks with this one")
    command.add_argument("--latency", action="store_true", help="measure how long networks take here")
    command.add_argument("--json", action="store_true", help="as JSON")


def run(args: Namespace, say: Callable[[str], Any], stream: TextIO) -> bool:
    """Say the table as text or JSON; progress of slow measurements goes to ``stream``."""
    def progress(text: str) -> None:
        stream.write(f"rppg models: {text}\n")
        stream.flush()

    if args.against:
        table, to_words = compared(args.names, against=args.against, latency=args.latency, progress=progress), versus
    else:
        table, to_words = rows(args.names, latency=args.latency, progress=progress), to_text
    say(json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) if args.json else to_words(table))
    return True


def rows(names: Sequence[str] = (), *, latency: bool = False,
         progress: Callable[[str], Any] = lambda text: None) -> list[Row]:
    """Return one row per method and network, by name.

    A network's figures hold for the input it was published with (``frames``, ``size_px``); ``reported_`` ones are from
    paper or public code, the others are counted here (:mod:`rppg_lib.models.cost`). A method has no parameters and no
    such input.

    Args:
        names: these alone; none: everything.
        latency: measure how long a network takes for one clip of that input, on a GPU if there is one.
        progress: told what is being measured.

    >>> [row["name"] for row in rows() if row["kind"] == "method"]
    ['chrom', 'green', 'ica', 'lgi', 'omit', 'pbv', 'pos']
    """
    found = []
    for entry in _entries(names):
        row = {"name": entry.name, "kind": entry.kind, "cites": entry.cites, "summary": entry.summary}
        if entry.kind == "network":
            known = entry.made_of.published
            row |= _counted(entry.made_of, known.frames, known.size_px)
            row |= {"reported_params": known.params, "reported_gmacs": known.gmacs, "reported_by": known.source,
                    "reported_note": known.note}
            if latency:
                progress(f"timing {entry.name} at {row['frames']} x {row['size_px']} x {row['size_px']} ...")
                row |= _measured(entry.made_of)
        found.append(row)
    return found


def compared(names: Sequence[str] = (), *, against: str, latency: bool = False,
             progress: Callable[[str], Any] = lambda text: None) -> list[Row]:
    """Return one row per network, all at the published input of the network ``against``, which is among them.

    What changes where a network takes its place is in ``change``: shares, -0.5 for half, of all parameters and MACs, of
    those a counter with hooks sees (``_visible``), and of clips per second (``throughput``, if measured).
    ``reported_change`` is what was published of the same.

    >>> small, large = compared(["factorizephys"], against="physnet")
    >>> small["name"], f"{small['change']['params']:+.0%}", large["change"]["params"]
    ('factorizephys', '-93%', 0.0)
    """
    from . import registry

    base = registry.find(against)
    asked = _entries([*names, base.name])
    if methods := [entry.name for entry in asked if entry.kind != "network"]:
        raise ValueError(f"models: --against compares networks, and {', '.join(methods)} is a method. "
                         f"Networks: {', '.join(registry.available('network'))}.")
    kinds = {entry.name: entry.made_of for entry in (asked if names else registry.available("network").values())}
    known = base.made_of.published
    counts = {name: _counted(kind, known.frames, known.size_px) for name, kind in kinds.items()}
    times = dict.fromkeys(kinds, {})
    if latency:
        progress(f"timing {', '.join(kinds)} in turns at {known.frames} x {known.size_px} x {known.size_px} ...")
        times = _measured_in_turns(kinds, known.frames, known.size_px)
    found = []
    for name, kind in kinds.items():
        change = {key: counts[name][told] / counts[base.name][told] - 1
                  for key, told in (("params", "params"), ("params_visible", "params_visible"),
                                    ("macs", "gmacs"), ("macs_visible", "gmacs_visible"))}
        if latency:
            change["throughput"] = times[base.name]["ms"] / times[name]["ms"] - 1
        found.append({"name": name, "cites": kind.cites, "against": base.name, **counts[name], **times[name],
                      "change": change, "reported_change": dict(kind.published.against.get(base.name, {}))})
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
    return "\n\n".join(parts + _times(networks))


def versus(table: list[Row]) -> str:
    """Return rows that were :func:`compared` as text: sizes, then what changes."""
    first = table[0]
    timed = "ms" in first
    sizes = [["network", "parameters", "visible", "GMACs", "visible", "scans", *["ms"] * timed]]
    sizes += [[row["name"], f"{row['params']:,}", f"{row['params_visible']:,}", f"{row['gmacs']:.2f}",
               f"{row['gmacs_visible']:.2f}", _number(row["scan_gops"] or None, ".2f"),
               *([f"{row['ms']:.0f}"] if timed else [])] for row in table]
    changes = [["", "parameters", "visible", "reported", "MACs", "visible", "reported",
                *["throughput", "reported"] * timed]]
    for row in table:
        change, told = row["change"], row["reported_change"]
        cells = [_share(change["params"]), _share(change["params_visible"]), _share(told.get("params"), 0),
                 _share(change["macs"]), _share(change["macs_visible"]), _share(told.get("macs"), 0)]
        if timed:
            cells += [_share(change["throughput"]), _share(told.get("throughput"), 0)]
        if row["name"] != first["against"]:
            changes.append([row["name"], *cells])
    parts = [f"At {first['frames']} frames of {first['size_px']} x {first['size_px']} pixels\n\n"
             + _aligned(sizes, left=1)]
    if len(changes) > 1:
        parts.append(f"Against {first['against']}\n\n" + _aligned(changes, left=1))
    on_a_gpu = any("throughput" in row["reported_change"] for row in table) and timed
    parts.append("Visible: to a counter that hooks into layers, as many published figures were made with. Weights\n"
                 "used without calling their layer escape it, as those inside Mamba blocks do.\n"
                 "Scans: 10^9 operations of selective scans, number by number; in neither count of MACs."
                 + "\nReported throughput is that of a GPU." * on_a_gpu)
    return "\n\n".join(parts + _times(table))


def _entries(names: Sequence[str]) -> list[Any]:
    """Return what is registered under these names, in the order of all; none: everything."""
    from . import registry

    wanted = {registry.find(name).name for name in names}
    return [entry for entry in registry.available().values() if not names or entry.name in wanted]


def _network(kind: type, frames: int, size_px: int, device: str) -> Any:
    import torch

    with torch.device(device):
        return kind(dataclasses.replace(kind.Config(), frames=frames, size_px=size_px))


def _counted(kind: type, frames: int, size_px: int) -> Row:
    from .models.cost import SCAN_OPERATIONS, count

    try:
        network = _network(kind, frames, size_px, "meta")            # shapes only: no memory, no time
    except (NotImplementedError, RuntimeError):
        network = _network(kind, frames, size_px, "cpu")
    cost = count(network, frames=frames, size_px=size_px)
    return {"frames": frames, "size_px": size_px, "params": cost.params, "gmacs": cost.macs / 1e9,
            "params_visible": cost.params_visible, "gmacs_visible": cost.macs_visible / 1e9,
            "scan_gops": SCAN_OPERATIONS * cost.scanned / 1e9}


def _measured(kind: type) -> Row:
    from .models.cost import Setting, latency

    known = kind.published
    took = latency(_network(kind, known.frames, known.size_px, "cpu"), frames=known.frames, size_px=known.size_px,
                   repeats=LATENCY_REPEATS, setting=Setting(device=_device()))
    return {"ms": took.min_ms, "ms_median": took.median_ms, "ms_per_frame": took.ms_per_frame, "machine": machine()}


def _measured_in_turns(kinds: dict[str, type], frames: int, size_px: int) -> dict[str, Row]:
    """Return times of networks that take turns; on a CPU in one thread, whose time others do not lengthen."""
    from .models.cost import Setting, latencies

    threads = 1 if _device() == "cpu" else None
    took = latencies([_network(kind, frames, size_px, "cpu") for kind in kinds.values()], frames=frames,
                     size_px=size_px, repeats=LATENCY_REPEATS, setting=Setting(device=_device(), threads=threads))
    return {name: {"ms": each.min_ms, "ms_median": each.median_ms, "ms_per_frame": each.ms_per_frame,
                   "machine": machine(threads)} for name, each in zip(kinds, took)}


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def machine(threads: int | None = None) -> str:
    """Name what networks run on: the GPU, or the kind of processor and how many of its threads."""
    import torch

    if torch.cuda.is_available():
        where = torch.cuda.get_device_name()
    else:
        threads = threads or torch.get_num_threads()
        where = f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    return f"{where}, torch {torch.__version__}"


def _times(networks: list[Row]) -> list[str]:
    """Return the line on how times were measured, if any were."""
    machines = [row["machine"] for row in networks if "machine" in row]
    return [f"Times: one clip, no gradients, fastest of {LATENCY_REPEATS}; {machines[0]}."] if machines else []


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _share(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{100 * value:+.{digits}f} %"


def _aligned(lines: list[list[str]], *, left: int) -> str:
    """Return lines whose columns stand below each other, the first ``left`` of them flush left."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(f"{cell:{'<' if number < left else '>'}{width}}"
                               for number, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
