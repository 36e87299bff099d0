"""How long networks take for one clip: at their published input, and all at 3x160x128x128 where they can.

    python bench/bench_models.py                     # this machine's CPU, one thread; on a GPU too if there is one
    python bench/bench_models.py --threads 8 --save  # keep the table, stamped, in build/results

One clip, no gradients, fastest of several runs. One CPU thread is timed by processor time, everything else by the clock
on the wall. On a GPU: float32 (TF32 in convolutions, as PyTorch is set), bfloat16 under autocast, each with channels
last, and compiled.
"""

import timing  # noqa: F401  first: it sets one thread

# isort: split
import argparse
import dataclasses
import sys

import torch

from rppg_lib import registry, results
from rppg_lib.models.cost import Setting, count, latency
from rppg_lib.models_command import machine

COMMON = (160, 128)
ON_A_GPU = tuple(Setting(device="cuda", precision=precision, channels_last=last, compile=compiled)
                 for compiled in (False, True) for precision in ("float32", "bfloat16") for last in (False, True))


def built(kind, frames, size_px):
    """Return a network for an input, or None where its design does not allow it."""
    if frames % kind.multiple_of:
        return None
    torch.manual_seed(0)
    try:
        return kind(dataclasses.replace(kind.Config(), frames=frames, size_px=size_px)).eval()
    except ValueError:
        return None


def row(name, network, frames, size_px, setting, repeats):
    """Return one line of the table; what fails is named in it."""
    cost = count(network, frames=frames, size_px=size_px)
    line = {"network": name, "frames": frames, "size_px": size_px, "params": cost.params, "gmacs": cost.macs / 1e9,
            **dataclasses.asdict(setting), "ms": None, "ms_median": None, "ms_per_frame": None, "clock": "", "note": ""}
    if setting.compile and network.no_compile:
        return line | {"note": network.no_compile}
    torch._dynamo.reset()
    try:
        took = latency(network, frames=frames, size_px=size_px, repeats=repeats, setting=setting)
    except Exception as error:                                       # one that fails costs the others nothing
        return line | {"note": f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"}
    return line | {"ms": took.min_ms, "ms_median": took.median_ms, "ms_per_frame": took.ms_per_frame,
                   "clock": took.clock}


def words(setting):
    parts = [setting.device, setting.precision, *(["channels last"] if setting.channels_last else []),
             *(["compiled"] if setting.compile else [])]
    return ", ".join(parts)


def shown(line, setting):
    took = "           -" if line["ms"] is None else f"{line['ms']:9.1f} ms {line['ms_per_frame']:8.3f} ms/frame"
    print(f"{line['network']:14} {line['frames']:4} x {line['size_px']:3}  {line['params']:>10,} {line['gmacs']:7.2f} "
          f"GMACs  {took}  {words(setting)}{', ' + line['note'] if line['note'] else ''}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: 1)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-cpu", action="store_true", help="the GPU only")
    parser.add_argument("--no-compile", action="store_true", help="leave out what takes minutes to compile")
    parser.add_argument("--save", action="store_true", help="keep the table, stamped, as bench_models.full.json")
    options = parser.parse_args()
    cpu = [] if options.no_cpu else [Setting(threads=options.threads)]
    gpu = [s for s in ON_A_GPU if not (s.compile and options.no_compile)] if torch.cuda.is_available() else []
    print(f"{machine()}; CPU with {options.threads} thread{'s' if options.threads > 1 else ''}")
    lines = []
    for name, entry in registry.available("network").items():
        if options.names and name not in options.names:
            continue
        published = (entry.made_of.published.frames, entry.made_of.published.size_px)
        for frames, size_px in dict.fromkeys([published, COMMON]):
            network = built(entry.made_of, frames, size_px)
            if network is None:
                print(f"{name:14} {frames:4} x {size_px:3}  its design does not allow this input")
                continue
            for setting in cpu + (gpu if (frames, size_px) == COMMON else []):
                lines.append(row(name, network, frames, size_px, setting, options.repeats))
                shown(lines[-1], setting)
    if options.save:
        print(results.save("bench_models", {"latency": lines}, profile="full", seed=0,
                           config={"machine": machine(), "threads": options.threads, "repeats": options.repeats},
                           data="simulated, random numbers for pictures"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
