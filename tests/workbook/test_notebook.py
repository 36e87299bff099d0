"""Notebooks are found by number and name, and their parameters are read without running them."""

from pathlib import Path

import pytest

from rppg_lib.workbook.notebook import find, read, select

from .made_up import write_notebook

PATHS = [Path(f"{name}.ipynb") for name in ("00_start", "01_light_skin", "02_pos_chrom", "10_your_model")]


@pytest.mark.parametrize("word, name", [
    ("2", "02_pos_chrom"), ("02", "02_pos_chrom"), ("0", "00_start"), ("1", "01_light_skin"), ("10", "10_your_model"),
    ("02_pos", "02_pos_chrom"), ("pos", "02_pos_chrom"), ("02_pos_chrom.ipynb", "02_pos_chrom"),
])
def test_a_notebook_is_named_by_number_or_beginning(word, name):
    assert [path.stem for path in select(PATHS, [word])] == [name]


def test_no_word_means_all_and_the_order_is_that_of_the_numbers():
    assert select(PATHS, []) == PATHS
    assert [path.stem[:2] for path in select(PATHS, ["10", "2", "02"])] == ["02", "10"]


@pytest.mark.parametrize("word, hint", [
    ("02_pso_chrom", "02_pos_chrom"), ("pos_chorm", "pos_chrom"), ("strat", "start"),
])
def test_an_unknown_name_is_answered_with_the_nearest_and_the_list(word, hint):
    with pytest.raises(ValueError, match=f"no notebook '{word}'. Did you mean '{hint}'?") as error:
        select(PATHS, [word])
    assert "Notebooks: 00_start, 01_light_skin, 02_pos_chrom, 10_your_model." in str(error.value)


def test_an_unknown_number_is_answered_with_the_list():
    with pytest.raises(ValueError, match="no notebook '7'.*Notebooks: 00_start"):
        select(PATHS, ["7"])


def test_a_word_for_two_notebooks_is_refused():
    with pytest.raises(ValueError, match="'pos' may mean 02_pos_chrom or 03_pos_again"):
        select([*PATHS, Path("03_pos_again.ipynb")], ["pos"])


def test_only_numbered_notebooks_are_found(tmp_path):
    for name in ("03_c", "01_a", "Untitled", "01_a-Copy1"):
        write_notebook(tmp_path, name)
    assert [path.stem for path in find(tmp_path)] == ["01_a", "03_c"]


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no notebook NN_name.ipynb in"):
        find(tmp_path)


def test_title_and_parameters_are_read_without_running_anything(tmp_path):
    notebook = read(write_notebook(tmp_path, "02_pos", "1 / 0", title="02 POS and CHROM"))
    assert (notebook.name, notebook.number, notebook.title) == ("02_pos", "02", "POS and CHROM")
    assert notebook.parameters == {"profile": "quick", "people": 2, "speed": 1.5, "band_hz": (0.7, 3.0)}


def test_a_notebook_without_parameters_has_none(tmp_path):
    assert read(write_notebook(tmp_path, "02_pos", parameters=None)).parameters == {}


@pytest.mark.parametrize("source, words", [
    ("people = 2\nfs = people * 15", "needs lines like 'people = 8', got 'fs = people \\* 15'"),
    ("import numpy", "got 'import numpy'"),
    ("a = b = 1", "got 'a = b = 1'"),
    ("a, b = 1, 2", "got 'a, b = "),
    ("a = 1\nb = ", "parameters cell, line 2: invalid syntax"),
])
def test_a_parameters_cell_holds_literals_only(tmp_path, source, words):
    with pytest.raises(ValueError, match=f"02_pos.ipynb.*{words}"):
        read(write_notebook(tmp_path, "02_pos", parameters=source))


def test_two_parameters_cells_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has 2 cells tagged 'parameters'"):
        read(write_notebook(tmp_path, "02_pos", ("people = 3", "parameters")))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": [{"source": "a"}]}', '{"worksheets": []}'])
def test_a_file_that_is_no_notebook_is_refused_by_name(tmp_path, text):
    path = tmp_path / "02_pos.ipynb"
    path.write_text(text)
    with pytest.raises(ValueError, match="run: 02_pos.ipynb is no notebook of format 4"):
        read(path)
