"""What the README says is so: its table, its example, its commands, its files."""

import re
import subprocess
import sys

from rppg_lib import results

from .checkout import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_the_committed_result():
    done = subprocess.run([sys.executable, "tools/readme.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_names_every_method_and_says_the_data_are_simulated():
    import readme
    result = results.load(ROOT / "results" / readme.SOURCE)
    assert result.data.startswith("simulated")
    assert {row["method"] for row in result.tables["errors"]} >= set(readme.METHODS)
    for row in result.tables["errors"]:
        if row["method"] in readme.METHODS:
            assert f"{row['mae']:.1f} ({row['mae_low']:.1f} to {row['mae_high']:.1f})" in README
    assert result.stamp in README


def test_the_four_systems_are_compared_on_the_same_simulated_people():
    import readme
    result = results.load(ROOT / "results" / readme.LEARNED)
    assert result.data.startswith("simulated") and result.stamp in README
    assert {"codephys", "lqrppg", "kdphys", "rfacenet", "pos"} <= set(readme.SYSTEMS)
    told = [row for row in result.tables["errors"] if row["method"] in readme.SYSTEMS and row["scene"] != "all"]
    assert len({row["n"] for row in told if row["method"] != "pos"}) == 1
    for row in told:
        assert f"{row['error']:.1f} ({row['error_low']:.1f} to {row['error_high']:.1f})" in README


def test_a_changed_number_is_noticed():
    import readme
    result, learned = (results.load(ROOT / "results" / name) for name in (readme.SOURCE, readme.LEARNED))
    assert readme.updated(README, {"results": readme.table(result), "systems": readme.learned(learned)}) == README
    result.tables["errors"][0]["mae"] += 1
    assert readme.updated(README, {"results": readme.table(result)}) != README
    next(row for row in learned.tables["errors"] if row["method"] == "rfacenet")["error"] += 1
    assert readme.updated(README, {"systems": readme.learned(learned)}) != README


def test_the_example_runs_and_finds_the_pulse():
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(block, names)
    assert abs(names["signal"].hr_from_spectrum(names["pulse"], fs=30) - 72) < 3


def test_every_link_and_picture_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_the_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}\b.*:", makefile, re.MULTILINE), target
    for command in set(re.findall(r"`rppg ([a-z-]+)", README)):
        done = subprocess.run([sys.executable, "-m", "rppg_lib.cli", command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, command
