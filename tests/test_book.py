"""The book: what goes in, what is folded, what stops the build, and that its pages are true to the code."""

import copy
import json
import re

import nbformat
import pytest

from rppg_lib import registry

from .checkout import ROOT
from .small_book import BOOK, STEM, code, module, new_markdown_cell, notebook, printed, project, record, shown

build, prepare, generated, check_pages = (module(name) for name in ("build", "prepare", "generated", "check_pages"))
BookError = build.BookError
PAGES = sorted(BOOK.rglob("*.md"))


def cell_with(book, text):
    found, = (cell for cell in book.cells if text in cell.source)
    return found


@pytest.fixture
def prepared():
    return prepare.prepare(notebook())


# Executed notebooks

def test_a_notebook_that_was_not_run_stops_the_build(tmp_path):
    root, out = project(tmp_path)
    (out / "notebooks" / f"{STEM}.ipynb").unlink()
    with pytest.raises(BookError, match=rf"{STEM} has not been run.*Run: rppg run 02"):
        build.assemble(root, out, tmp_path / "source")


def test_a_notebook_that_changed_since_it_was_run_stops_the_build(tmp_path):
    root, out = project(tmp_path)
    path = root / "notebooks" / f"{STEM}.ipynb"
    edited = nbformat.read(path, as_version=4)
    edited.cells[0].source += " More."
    nbformat.write(edited, path)
    with pytest.raises(BookError, match=f"{STEM} has changed since it was run"):
        build.assemble(root, out, tmp_path / "source")


def test_a_notebook_that_stopped_with_an_error_stops_the_build_and_names_the_cell(tmp_path):
    failed = notebook()
    failed.cells[3].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="fs of 0", traceback=[])]
    root, out = project(tmp_path, failed)
    with pytest.raises(BookError, match=f"{STEM} stopped in cell 4: ValueError: fs of 0"):
        build.assemble(root, out, tmp_path / "source")


def test_an_error_that_a_cell_announces_is_shown(tmp_path):
    wanted = notebook()
    wanted.cells[3].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="fs of 0", traceback=[])]
    wanted.cells[3].metadata.tags = ["raises-exception"]
    root, out = project(tmp_path, wanted)
    build.assemble(root, out, tmp_path / "source")
    assert (tmp_path / "source" / "notebooks" / f"{STEM}.ipynb").is_file()


def executed_as(out, **changes):
    """Change the record of the run in the executed notebook."""
    path = out / "notebooks" / f"{STEM}.ipynb"
    changed = nbformat.read(path, as_version=4)
    record(changed, out, [path.name for path in (out / "results").iterdir()], **changes)
    nbformat.write(changed, path)


def test_a_notebook_that_was_run_with_other_parameters_stops_the_build(tmp_path):
    root, out = project(tmp_path)
    executed_as(out)
    build.assemble(root, out, tmp_path / "source")
    executed_as(out, people=40)
    with pytest.raises(BookError, match=rf"{STEM} was run with other parameters.*Run: rppg run 02 --profile quick"):
        build.assemble(root, out, tmp_path / "source")


def test_a_notebook_of_unknown_parameters_stops_the_build(tmp_path):
    root, out = project(tmp_path)
    path = out / "notebooks" / f"{STEM}.ipynb"
    unknown = nbformat.read(path, as_version=4)
    del unknown.metadata["rppg"]
    nbformat.write(unknown, path)
    with pytest.raises(BookError, match="was not run by rppg.*Run: rppg run 02"):
        build.assemble(root, out, tmp_path / "source")


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("{}")])
def test_results_that_are_not_those_of_the_run_stop_the_build(tmp_path, change):
    root, out = project(tmp_path)
    change(out / "results" / f"{STEM}.quick.json")
    with pytest.raises(BookError, match=rf"{STEM}.quick.json is no longer what the run.*Run: rppg run 02"):
        build.assemble(root, out, tmp_path / "source")


def test_results_of_other_runs_stay_out_of_the_book(tmp_path):
    root, out = project(tmp_path)
    own = json.loads((out / "results" / f"{STEM}.quick.json").read_text("utf-8")) | {"profile": "quick-own", "seed": 99}
    (out / "results" / f"{STEM}.quick-own.json").write_text(json.dumps(own), encoding="utf-8")
    build.assemble(root, out, tmp_path / "source")
    page = (tmp_path / "source" / "results.md").read_text("utf-8")
    assert "quick-own" not in page and "seed: 99" not in page and "seed: 0" in page
    assert not list((tmp_path / "source").rglob("*quick-own*"))


def test_solutions_fold_with_their_output(prepared):
    solution = cell_with(prepared, "def alpha")
    assert "hide-cell" in solution.metadata.tags
    assert "jupyter" not in solution.metadata
    assert solution.metadata["mystnb"]["code_prompt_show"] == "Show the solution"


def test_hints_fold_under_their_own_title(prepared):
    source = cell_with(prepared, "Think of").source
    assert source.startswith(":::::{dropdown} Hint 1: spread\n")
    assert "<details>" not in source


def test_a_link_to_the_bibliography_becomes_a_citation(prepared):
    assert "{cite:p}`wang2017pos`." in cell_with(prepared, "# A small notebook").source
    linked = new_markdown_cell("As [Wang et al.](../book/bibliography.md#wang2017pos) say "
                               "(see [words](../book/glossary.md)).")
    source = prepare.prepare(nbformat.v4.new_notebook(cells=[linked])).cells[0].source
    assert source == "As {cite:t}`wang2017pos` say (see [words](../glossary.md))."


def test_a_hint_without_a_title_folds_too(prepared):
    assert cell_with(prepared, "Divide one").source.startswith(":::::{dropdown} Hint\n")


def test_an_exercise_stays_open(prepared):
    assert not {"hide-cell", "hide-input"} & set(cell_with(prepared, "my_alpha").metadata.tags)


def test_parameters_are_shown_once_when_the_run_repeated_them(prepared):
    assert sum("people = 8" in cell.source for cell in prepared.cells) == 1


def test_parameters_that_the_run_changed_are_shown():
    changed = notebook()
    cell_with(changed, "# Parameters").source = "# Parameters\npeople = 40"
    assert sum("people =" in cell.source for cell in prepare.prepare(changed).cells) == 2


def test_nothing_of_the_machine_that_ran_a_notebook_is_published(prepared):
    assert "somebody" not in nbformat.writes(prepared)
    assert "papermill" not in nbformat.writes(prepared)


def test_a_wiped_progress_line_leaves_nothing(prepared):
    assert len(cell_with(prepared, "table  #").outputs) == 1


def test_outputs_that_say_something_stay():
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    said = code("1", printed("x"), shown(text_plain="1"), error)
    assert len(prepare.prepare(nbformat.v4.new_notebook(cells=[said])).cells[0].outputs) == 3


def test_alternative_text_of_a_cell_reaches_its_pictures():
    pictured = nbformat.v4.new_notebook(cells=[code("plot()", alt="A rising line.")])
    assert prepare.prepare(pictured).cells[0].metadata["mystnb"]["image"]["alt"] == "A rising line."


# Generated pages

def test_the_map_links_what_exists_and_marks_the_rest_as_planned():
    plan = [{"number": "01", "title": "Light", "skill": "see"}, {"number": "02", "title": "POS", "skill": "write"}]
    lines = generated.notebook_map(plan, {"02_pos": "02 POS, at last", "12_more": "More"}).splitlines()
    assert "Light *(planned)*" in lines[2]
    assert "[POS, at last](notebooks/02_pos.ipynb)" in lines[3]
    assert "[More](notebooks/12_more.ipynb)" in lines[4]


def test_exercises_are_listed_in_their_order_with_stars_and_minutes():
    cells = {"02_pos": ["x  # Exercise 2.10  ★☆☆  5 min", "def f():  # Exercise 2.2  ★★☆  10 min", "see Exercise 2.2"]}
    text = generated.exercise_table(cells)
    assert text.index("| 2.2 | ★★☆ | 10 |") < text.index("| 2.10 | ★☆☆ | 5 |")
    assert "Minutes in all: 15" in text


def test_a_word_in_a_table_cannot_break_the_table():
    line = generated.table([{"a": "x | y\n*z*"}])[2]
    assert line == r"| x \| y \*z\* |"


def test_a_results_page_says_where_the_numbers_come_from(tmp_path):
    _, out = project(tmp_path)
    page = generated.results_page(out / "results")
    assert "- data: simulated" in page and "- seed: 0" in page
    assert "1.5 (1 to 2)" in page.replace(generated.NO_BREAK, " ")


def test_scores_stand_in_one_column_for_each_method(tmp_path):
    rows = [{"method": method, "condition": scene, "n": 3, "mae": k + 0.25, "mae_low": k, "mae_high": k + 1,
             "macc": 0.77} for k, (scene, method) in enumerate([("still", "pos"), ("still", "green"), ("dark", "pos")])]
    result = {"name": "02_x", "tables": {"all_errors": rows}}
    (tmp_path / "02_x.quick.json").write_text(json.dumps(result), encoding="utf-8")
    lines = generated.results_page(tmp_path).replace(generated.NO_BREAK, " ").splitlines()
    at = lines.index("| scene | pos | green |")
    assert lines[at + 1:at + 4] == ["| :--- | ---: | ---: |", "| still | 0.25 (0 to 1) | 1.25 (1 to 2) |",
                                    "| dark | 2.25 (2 to 3) |  |"]
    assert "### All errors" in lines
    assert any("mean absolute error" in line and "in bpm" in line and "n = 3" in line for line in lines)
    assert "0.77" not in "".join(lines)


def test_two_keys_beside_the_method_make_one_line_each(tmp_path):
    rows = [{"scene": "dark", "strength": strength, "method": "pos", "n": 3, "mae": 1.0} for strength in (0.5, 1.0)]
    lines = generated._scores(rows)
    assert lines[-2:] == ["| dark | 0.5 | 1 |", "| dark | 1 | 1 |"]


def test_the_files_of_the_tables_are_linked(tmp_path):
    _, out = project(tmp_path)
    assert f"](results/{STEM}.quick.error.csv)" in generated.results_page(out / "results")


def test_run_times_are_listed_and_added_up(tmp_path):
    rows = [{"notebook": "02_pos", "seconds": 17.1}, {"notebook": "03_more", "seconds": 20.4}]
    (tmp_path / "run_times.json").write_text(json.dumps(rows), encoding="utf-8")
    page = generated.run_times_page(tmp_path / "run_times.json")
    assert r"| 02\_pos | 17.1 |" in page and "Together: 38 s" in page


def test_missing_records_leave_honest_pages(tmp_path):
    assert "No notebook of this run has written results." in generated.results_page(tmp_path / "none")
    assert "No run has been recorded." in generated.run_times_page(tmp_path / "none.json")


# Pages that stand alone

def page(tmp_path, body, head=""):
    (tmp_path / "index.html").write_text(f"<html><head>{head}</head><body>{body}</body></html>", encoding="utf-8")
    (tmp_path / "here.png").write_bytes(b"")
    (tmp_path / "other.html").write_text('<p id="place">', encoding="utf-8")
    return check_pages.problems(tmp_path)


@pytest.mark.parametrize("body, head", [
    ('<img src="here.png"> <img src="data:image/png;base64,AAAA">', '<script src="data:,1"></script>'),
    ('<a href="https://doi.org/10.1109/TBME.2016.2609282">a paper, when the reader asks for it</a>', ""),
    ('<a href="other.html#place">there</a> <a href="#top" id="top">here</a>', '<link rel="canonical" href="https://x.org">'),
])
def test_a_page_that_stands_alone_passes(tmp_path, body, head):
    assert page(tmp_path, body, head) == []


@pytest.mark.parametrize("body, head", [
    ('<img src="https://x.org/a.png">', ""),
    ('<img srcset="here.png 1x, //x.org/a.png 2x">', ""),
    ('<img src="gone.png">', ""),
    ('<p style="background: url(https://x.org/a.png)">', ""),
    ('<a href="gone.html">', ""),
    ('<a href="other.html#nowhere">', ""),
    ('<iframe src="https://x.org"></iframe>', ""),
    ("", '<script src="https://x.org/a.js"></script>'),
    ("", '<link rel="stylesheet" href="https://x.org/a.css">'),
    ("", '<link rel="preconnect" href="https://fonts.x.org">'),
    ("", '<style>@import "https://x.org/a.css";</style>'),
])
def test_a_page_that_needs_something_from_elsewhere_is_found(tmp_path, body, head):
    assert len(page(tmp_path, body, head)) == 1


def test_a_style_sheet_that_needs_something_from_elsewhere_is_found(tmp_path):
    (tmp_path / "style.css").write_text("@font-face { src: url('https://x.org/font.woff2') }", encoding="utf-8")
    assert page(tmp_path, "") == ["style.css: loads https://x.org/font.woff2 from outside"]


# The whole build

@pytest.mark.slow
def test_the_book_is_built_once_and_not_again_until_something_changes(tmp_path):
    root, out = project(tmp_path)
    assert "index.html" in build.build(root, out)
    text = (out / "book" / "notebooks" / f"{STEM}.html").read_text("utf-8")
    assert "<details" in text and "Show the solution" in text and "rppg-slider" in text
    assert "THEBE" not in text
    assert "nothing has changed" in build.build(root, out)
    assert check_pages.problems(out / "book") == []
    (copied,) = (out / "book").rglob("*.csv")
    assert copied.name == f"{STEM}.quick.error.csv"
    changed = json.loads((out / "results" / f"{STEM}.quick.json").read_text("utf-8")) | {"seed": 7}
    (out / "results" / f"{STEM}.quick.json").write_text(json.dumps(changed), encoding="utf-8")
    executed_as(out)
    assert "pages in" in build.build(root, out)


@pytest.mark.slow
def test_a_warning_stops_the_build_and_leaves_the_former_book(tmp_path):
    root, out = project(tmp_path)
    (out / "book").mkdir()
    (out / "book" / "index.html").write_text("the former book", encoding="utf-8")
    broken = copy.deepcopy(notebook())
    broken.cells.append(new_markdown_cell("As {cite:t}`nobody1900` says, see [this](nowhere.md)."))
    root, out = project(tmp_path, broken)
    with pytest.raises(BookError) as raised:
        build.build(root, out)
    assert all(word in str(raised.value) for word in (f"{STEM}.ipynb", "nobody1900", "nowhere.md"))
    assert (out / "book" / "index.html").read_text("utf-8") == "the former book"


# True to the code

def entries():
    text = (BOOK / "refs.bib").read_text("utf-8")
    return {match[1]: match[0] for match in re.finditer(r"@\w+\{([^,]+),.*?\n\}", text, re.DOTALL)}


def test_every_registered_method_cites_an_entry_of_the_bibliography():
    assert {entry.cites for entry in registry.available().values()} <= set(entries())


def test_every_key_that_a_docstring_names_is_in_the_bibliography():
    named = {key for path in (ROOT / "rppg_lib").rglob("*.py")
             for key in re.findall(r"``([a-z]+(?:19|20)\d\d[a-z]*)``", path.read_text("utf-8"))}
    assert named and named <= set(entries())


def test_every_entry_of_the_bibliography_can_be_looked_up():
    for key, text in entries().items():
        assert re.search(r"doi\s*=\s*\{10\.|arXiv:\d{4}\.\d{4,5}|url\s*=\s*\{https://", text), key
        assert re.search(r"year\s*=\s*\{(19|20)\d\d\}", text), key


def test_the_architecture_page_knows_every_part_of_the_library():
    table = [line for line in (BOOK / "architecture.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    there = {name for line in table for name in re.findall(r"`(\w+)/?`", line.split("|")[2])}
    parts = {path.stem for path in (ROOT / "rppg_lib").iterdir()
             if path.suffix == ".py" or (path / "__init__.py").is_file()} - {"__init__"}
    assert parts == there


def test_the_code_on_adding_a_method_runs_as_it_stands(monkeypatch):
    registry.available()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    blocks = re.findall(r"```python\n(.*?)```", (BOOK / "add-a-model" / "index.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) > 3
    names = {}
    for block in blocks:
        exec(compile(block, "book/add-a-model/index.md", "exec"), names)
    assert {"gr", "patchtcn"} <= set(registry.available())


def blocks_of(page):
    return re.findall(r"```python\n(.*?)```", (BOOK / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("stamps", ["even", "some frames lost"])
def test_the_code_on_a_trace_of_your_own_finds_the_rate(stamps, tmp_path, monkeypatch):
    import numpy as np
    import pandas as pd

    from rppg_lib import simulate

    clip = simulate.trace(simulate.person(7, hr_bpm=66), scene="talking", seconds=40)
    table = pd.DataFrame(clip.rgb, columns=list("RGB")).assign(time_s=np.arange(len(clip.rgb)) / clip.fs)
    if stamps != "even":
        table = table.drop(index=np.random.default_rng(0).choice(np.arange(1, 1100), 60, replace=False))
    table.to_csv(tmp_path / "trace.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks_of("own-trace.md"):
        exec(compile(block, "book/own-trace.md", "exec"), names)
    assert abs(names["rate_bpm"] - 66) < 2 and names["good"] > 0.5
    assert names["fs"] == 30 and abs(len(names["beats_s"]) - len(clip.truth.pulse.beats_s)) <= 3


def test_the_figures_on_dilate_are_those_that_its_code_gives():
    names = {}
    (block,) = blocks_of("decisions/dilate-gamma.md")
    exec(compile(block, "book/decisions/dilate-gamma.md", "exec"), names)
    page = (BOOK / "decisions/dilate-gamma.md").read_text("utf-8")
    told = re.findall(r"^\| ([\d.]+) \| (\d+) % \| (\d+) % \| (\d+) % \|", page, re.MULTILINE)
    assert {float(gamma) for gamma, *_ in told} == set(names["table"])
    for gamma, *shares in told:
        found = [100 * share for share in names["table"][float(gamma)]]
        assert [float(share) for share in shares] == pytest.approx(found, abs=2)         # a lag more or less of 60


@pytest.mark.slow
def test_the_code_on_training_runs_from_films_to_stages(tmp_path, monkeypatch):
    import numpy as np
    import pandas as pd

    from rppg_lib import simulate

    stage = simulate.Stage(size_px=(320, 240), face_px=110)
    for number, name in enumerate(("ann", "bob")):
        film = simulate.film(number, seconds=4, stage=stage)
        film.write(tmp_path / f"{name}.mp4")
        pd.DataFrame({"time_s": film.times_s, "ppg": film.label}).to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks_of("training.md"):
        exec(compile(block, "book/training.md", "exec"), names)
    assert list(names["table"].index) == ["physnet", "pos"] and names["table"]["n"].tolist() == [2, 2]
    assert [len(getattr(names["people"], part)) for part in ("train", "validation", "test")] == [3, 1, 2]
    for name in ("ann", "bob"):
        kept, lazy = (names[store].clip(name) for store in ("mine", "lazy"))
        assert kept.fs == 30 and kept.frames.shape[1:] == (36, 36, 3) and kept.rgb is not None
        assert (np.array(kept.frames) == lazy.frames).all() and (np.array(kept.label) == lazy.label).all()
    there = {path.name for path in (tmp_path / "run").rglob("*")}
    assert there >= {"best", "last", "step-000002", "weights.safetensors", "network.json", "training.safetensors",
                     "training.json", "curves"}
    assert [path.name for path in sorted((tmp_path / "staged").iterdir())] == ["1-rate", "2-shape", "stages"]


def test_the_code_on_export_runs():
    names = {}
    for block in blocks_of("export.md"):
        exec(compile(block, "book/export.md", "exec"), names)
    assert names["stream"].size_px == 32


def test_the_flags_for_several_processes_are_those_that_are_tested():
    (line,) = re.findall(r"^accelerate launch (.*?)^```", (BOOK / "training.md").read_text("utf-8"),
                         re.MULTILINE | re.DOTALL)
    tested = (ROOT / "tests" / "training" / "test_real_processes.py").read_text("utf-8")
    assert all(f'"{word}"' in tested for word in line.split() if word.startswith("--"))


def test_the_commands_on_training_exist():
    from rppg_lib import cli

    for page in ("training.md", "networks.md", "export.md"):
        for line in re.findall(r"^rppg (.*?)(?: +#.*)?$", (BOOK / page).read_text("utf-8"), re.MULTILINE):
            cli._parser().parse_args(line.split())


def test_the_page_on_networks_has_every_network_with_the_figures_that_are_counted():
    from rppg_lib.models_command import rows

    counted = {row["name"]: row for row in rows() if row["kind"] == "network"}
    lines = [[cell.strip(" `*") for cell in line.strip("|").split("|")]
             for line in (BOOK / "networks.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    assert [line[0] for line in lines] == sorted(counted)
    for name, size, params, reported_params, gmacs, visible, reported_gmacs in lines:
        row = counted[name]
        assert size.replace(generated.NO_BREAK, " ") == f"{row['frames']} × {row['size_px']}"
        assert params == f"{row['params']:,}" and gmacs == f"{row['gmacs']:.2f}"
        assert visible == f"{row['gmacs_visible']:.2f}"
        assert reported_params == ("–" if row["reported_params"] is None else f"{row['reported_params']:,}")
        assert reported_gmacs == ("–" if row["reported_gmacs"] is None else f"{row['reported_gmacs']:.2f}")


def test_the_page_on_networks_says_what_each_is_fed_and_asked_for():
    text = (BOOK / "networks.md").read_text("utf-8")
    for name, entry in registry.available("network").items():
        (part,) = re.findall(rf"^## [^\n]*\(`{name}`\)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        (fed,) = re.findall(r"\*\*Fed\*\* (.*?)\. \*\*Asked for\*\* the (wave|change)", " ".join(part.split()))
        kind = entry.made_of
        words = {"diff": "normalised differences", "standard": "standardised pictures", "raw": "pictures from 0 to 1"}
        assert fed[0] == " and ".join(words[each] for each in kind.normalise) and fed[1] == kind.target
        assert f"{{cite:p}}`{kind.cites}`" in part


def test_the_code_on_the_simulator_runs_and_its_comments_are_true():
    names = {}
    for block in blocks_of("simulator.md"):
        exec(compile(block, "book/simulator.md", "exec"), names)
    assert names["clip"].condition == "sway + nodding + light drift"
    assert names["nothing"].condition == "undisturbed"


def test_the_page_on_the_simulator_has_every_scene_and_no_other():
    from rppg_lib import simulate

    rows = re.findall(r"^\| `([^`]+)` \|", (BOOK / "simulator.md").read_text("utf-8"), re.MULTILINE)
    assert rows == list(simulate.SCENES)


def test_the_axes_on_the_board_see_what_the_page_says():
    import numpy as np

    axes = {"chrom": np.array([[3, -2, 0], [1.5, 1, -1.5]]), "pos": np.array([[0, 1, -1], [-2, 1, 1]])}
    glare, blood = 1 / np.array([0.7682, 0.5121, 0.3841]), np.array([0.33, 0.77, 0.53])
    assert np.abs(axes["chrom"] @ glare).max() < 1e-3
    assert (axes["chrom"] @ np.ones(3) == 1).all() and (axes["pos"] @ np.ones(3) == 0).all()
    assert np.sign(axes["chrom"] @ blood).tolist() == [-1, 1] and np.sign(axes["pos"] @ blood).tolist() == [1, 1]
    assert np.sign(axes["pos"] @ glare).tolist() == [-1, 1]
    text = (BOOK / "instructors.md").read_text("utf-8")
    for number in (*axes["chrom"] @ blood, *axes["pos"] @ blood):
        assert f"{number:+.2f}" in text


def test_the_notation_has_one_line_for_each_symbol():
    lines = (BOOK / "notation.md").read_text("utf-8").splitlines()
    defined = [symbol.split("=")[0].strip() for line in lines if line.startswith("| $")
               for symbol in re.findall(r"\$([^$]+)\$", line.split("|")[1])]
    assert len(set(defined)) == len(defined)
    assert {"C(t)", r"\bar C", "C_n", "I(t)", "I_0", "i(t)", "u_d", "u_s", "u_p", r"\bar s", "s(t)", "p(t)", "x, y",
            r"\alpha", r"\sigma(\cdot)", "S", "h"} <= set(defined)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(BOOK).as_posix())
def test_a_page_begins_with_its_title(path):
    assert re.match(r"# \S", path.read_text("utf-8"))
