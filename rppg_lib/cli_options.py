"""What ``rppg run``, ``measure`` and ``score`` take, and the end of their help; other commands say it themselves."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

RUN = """\
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
MEASURE = """\
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
SCORE = """\
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


def run_options(run: ArgumentParser) -> None:
    """Say what ``rppg run`` takes."""
    run.add_argument("wanted", nargs="*", metavar="NN", help="number or beginning of the name; none: all notebooks")
    run.add_argument("--profile", default="quick", metavar="NAME", help="quick, full or paper: a file of parameters in "
                     "profiles/ beside the notebooks (default: quick)")
    run.add_argument("-p", action="append", default=[], dest="given", metavar="NAME=VALUE",
                     help="set a parameter in the notebooks that have it; may be repeated")
    run.add_argument("--out", type=Path, metavar="DIR", help="where products go (default: $RPPG_OUT if set, or else "
                     "build in the checkout)")
    run.add_argument("--fresh", action="store_true", help="run also what is done already")
    run.add_argument("--jobs", type=int, default=2, metavar="N", help="notebooks at a time (default: 2)")
    run.add_argument("--notebooks", type=Path, metavar="DIR", help="folder of the notebooks (default: notebooks)")


def measure_options(measure: ArgumentParser) -> None:
    """Say what ``rppg measure`` takes."""
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


def score_options(score: ArgumentParser) -> None:
    """Say what ``rppg score`` takes."""
    score.add_argument("file", type=Path, metavar="FILE", help=".npz, .csv or a folder of .csv")
    score.add_argument("--band", nargs=2, type=float, metavar=("LO", "HI"), help="where rates are looked for, in Hz")
    score.add_argument("--window", type=float, metavar="S", help="window length in seconds (default: whole records)")
    score.add_argument("--hr", choices=["fft", "peaks", "fine"], help="how rates are read (default: of the read-out)")
    score.add_argument("--compatible", action="store_true", help="read as published tables do, not as we do")
    score.add_argument("--json", action="store_true", help="as JSON, with one row per window")
    score.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the screen")
