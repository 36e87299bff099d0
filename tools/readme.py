"""Write the tables and the figure of READMEs and pages from results/ and the readers. A test checks that they agree.

    python tools/readme.py             write them
    python tools/readme.py --check     say whether it is up to date, and change nothing
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from rppg_lib import plots, results
from rppg_lib.data.readers import DATASETS, dataset
from rppg_lib.files import written_whole

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "02_pos_chrom.quick.json"
FIGURE = "02_pos_chrom.quick.png"
METHODS = ("green", "chrom", "pos")      # the table's columns; the figure and the results file have all
LEARNED = "study_pareto.small.json"
CROPS = "bench_crops.full.json"
SYSTEMS = {"codephys": "CodePhys", "lqrppg": "LQ-rPPG", "kdphys": "KDPhys", "rfacenet": "rFaceNet",
           "physnet": "PhysNet", "pos": "POS"}


def begin(block: str) -> str:
    return f"<!-- {block}: begin -->"


def end(block: str) -> str:
    return f"<!-- {block}: end -->"


def learned(result: results.Result) -> str:
    """Return the README's table of the four systems: mean error with its interval, per scene and network."""
    rows = {(row["scene"], row["method"]): row for row in result.tables["errors"]}
    lines = ["| scene | " + " | ".join(SYSTEMS.values()) + " |", "|---" * (len(SYSTEMS) + 1) + "|"]
    for scene in dict.fromkeys(scene for scene, _ in rows if scene != "all"):
        told = [rows[scene, system] for system in SYSTEMS]
        lines.append(f"| {scene} | " + " | ".join(
            f"{row['error']:.1f} ({row['error_low']:.1f} to {row['error_high']:.1f})" for row in told) + " |")
    told = f"{result.config['judged']} people and {result.config['seeds']} trainings"
    return "\n".join([*lines, "", f"Mean absolute error in bpm with its 95 % interval over {told}. *{result.stamp}.*"])


def table(result: results.Result) -> str:
    """Return the README's table: mean error with its interval, per disturbance and method."""
    rows = result.tables["errors"]
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    cells = {(row["method"], row["condition"]): f"{row['mae']:.1f} ({row['mae_low']:.1f} to {row['mae_high']:.1f})"
             for row in rows}
    head = "| scene | " + " | ".join(method.upper() for method in METHODS) + " |"
    lines = [head, "|---" * (len(METHODS) + 1) + "|"]
    for condition in conditions:
        lines.append(f"| {condition} | " + " | ".join(cells[method, condition] for method in METHODS) + " |")
    return "\n".join([*lines, "", f"Mean absolute error in bpm with its 95 % interval over people. *{result.stamp}.*"])


def datasets() -> str:
    """Return the table of public data sets that can be read, for data/README.md."""
    head = "| name | data set | people | recordings | weighs | goes below `data/raw` | ask for it |"
    lines = [head, "|---" * 7 + "|"]
    for name in DATASETS:
        each = dataset(name)
        if each.people:
            lines.append(f"| `{name}` | {each.title} | {each.people} | {each.recordings} | {each.weighs} | "
                         f"`{each.place}` | {each.ask} |")
    return "\n".join(lines)


def crops(result: results.Result) -> str:
    """Return the tables of preparing recordings: how fast, against the common way, and how well aimed."""
    config, speed = result.config, {(row["way"], row["every"], row["cores"]): row for row in result.tables["speed"]}
    ways = {"rppg_lib": "ours", "toolbox": "the common way"}
    head = "| look in every | of | one core, pictures/s | all cores | off | unsteady | pulse (MACC) |"
    lines = [head, "|--:|:--|" + "--:|" * 5]
    for row in result.tables["aim"]:
        fps = [speed[row["way"], row["every"], cores]["fps"] for cores in (1, config["cores"])]
        lines.append(f"| {_ordinal(row['every'])} picture | {ways[row['way']]} | {fps[0]:.0f} | {fps[1]:.0f} | "
                     f"{row['off_percent']:.1f} % | {row['tremble_percent']:.1f} % | {row['pos_macc']:.2f} |")
    times = [f"ours in every {_ordinal(row['ours_every'])}, theirs in every {_ordinal(row['toolbox_every'])}: "
             f"{row['times_fps']:.1f}" for row in result.tables["times_as_fast"] if row["cores"] == 1]
    return "\n".join([*lines, "", f"Times as many pictures a second, one core: {'; '.join(times)}. Haar's detector, "
                      f"OpenCV {config['opencv']}. *{result.stamp}.*"])


def _ordinal(number: int) -> str:
    return {1: "single", 3: "third", 30: "thirtieth"}[number]


def updated(readme: str, blocks: dict[str, str]) -> str:
    """Return the README with the text of these blocks replaced."""
    for block, text in blocks.items():
        if begin(block) not in readme or end(block) not in readme:
            raise SystemExit(f"there is no place for the table: put {begin(block)} and {end(block)} around it.")
        before, rest = readme.split(begin(block))
        readme = f"{before}{begin(block)}\n{text}\n{end(block)}{rest.split(end(block))[1]}"
    return readme


def draw(result: results.Result, path: Path) -> None:
    """Draw the README's figure: the error of every method in every scene."""
    plots.use_style()
    table = pd.DataFrame(result.tables["errors"]).set_index(["method", "condition"])
    figure, ax = plt.subplots(figsize=(7.2, 6.0))
    plots.plot_metric(ax, table, metric="mae")
    with written_whole(path, "wb") as file:
        figure.savefig(file, format="png", metadata={"Software": None})


def main(arguments: list[str]) -> int:
    result = results.load(ROOT / "results" / SOURCE)
    learnt = results.load(ROOT / "results" / LEARNED)
    pages = {"README.md": {"results": table(result), "systems": learned(learnt)},
             "data/README.md": {"datasets": datasets()},
             "book/decisions/looks.md": {"crops": crops(results.load(ROOT / "results" / CROPS))}}
    stale = []
    for name, blocks in pages.items():
        old = (ROOT / name).read_text(encoding="utf-8")
        new = updated(old, blocks)
        if old != new:
            stale.append(name)
        if "--check" not in arguments:
            with written_whole(ROOT / name) as file:
                file.write(new)
    if "--check" in arguments:
        print("all tables are up to date." if not stale else f"{', '.join(stale)}: run python tools/readme.py")
        return int(bool(stale))
    draw(result, ROOT / "results" / FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
