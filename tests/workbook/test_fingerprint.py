"""A finished notebook is run again when, and only when, something it depends on has changed."""

import json

import pytest

from rppg_lib.data import build_store
from rppg_lib.workbook.fingerprint import KEY, changed, file_digest, fingerprint, library_digest, record_of
from rppg_lib.workbook.notebook import read

from ..data.pieces import clip_sources
from .made_up import edit, write_notebook


@pytest.fixture
def path(tmp_path):
    return write_notebook(tmp_path, "02_pos", "x = people")


def now(path, **parameters):
    notebook = read(path)
    return fingerprint(notebook.cells, notebook.parameters | parameters)


def record(path, out, *results):
    return {"fingerprint": now(path), "results": {name: file_digest(out / name) for name in results}}


def test_nothing_has_changed_when_nothing_was_done(path, tmp_path):
    assert changed(record(path, tmp_path), now(path), tmp_path) == []


def test_outputs_and_metadata_are_no_change(path, tmp_path):
    before = record(path, tmp_path)
    content = json.loads(path.read_text())
    content["metadata"]["kernelspec"] = {"name": "python3", "display_name": "mine"}
    output = {"output_type": "stream", "name": "stdout", "text": "4"}
    content["cells"][-1] |= {"execution_count": 4, "outputs": [output]}
    path.write_text(json.dumps(content, indent=4))
    assert changed(before, now(path), tmp_path) == []


def test_another_text_in_a_cell_is_a_change_of_the_notebook(path, tmp_path):
    before = record(path, tmp_path)
    edit(path, "x = people", "x = people + 1")
    assert changed(before, now(path), tmp_path) == ["notebook"]


def test_another_parameter_is_a_change(path, tmp_path):
    before = record(path, tmp_path)
    assert changed(before, now(path, people=3), tmp_path) == ["parameters"]
    assert changed(before, now(path, people=2.0), tmp_path) == ["parameters"]


def test_recordings_that_come_go_or_change_are_a_change_where_a_notebook_takes_a_store(path, tmp_path, monkeypatch):
    for part in ("notebooks", "rppg_lib", "data/cache"):
        (tmp_path / part).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "recordings" not in now(path)

    def told(data="auto"):
        return now(path, data=data)

    nothing = told()
    assert told("data/nowhere")["recordings"] == nothing["recordings"] == told("")["recordings"]
    cache, wanted = tmp_path / "data" / "cache", clip_sources("ann", "bob")
    store = build_store(wanted, cache, name="a", jobs=1, progress=False)
    found = told()
    assert changed({"fingerprint": nothing, "results": {}}, found, tmp_path) == ["recordings"]
    assert changed({"fingerprint": found, "results": {}}, told(), tmp_path) == []
    assert told(f"data/cache/{store.path.name}")["recordings"] == found["recordings"]
    store.path.rename(cache / "b")
    build_store(clip_sources("ann", "bob", seed=1), cache, name="a", jobs=1, progress=False)
    assert changed({"fingerprint": found, "results": {}}, told(), tmp_path) == ["recordings"]


def test_our_own_environment_variables_are_a_change_but_not_where_products_go(path, tmp_path, monkeypatch):
    before = record(path, tmp_path)
    monkeypatch.setenv("RPPG_OUT", "elsewhere")
    assert changed(before, now(path), tmp_path) == []
    monkeypatch.setenv("RPPG_REALDATA", "elsewhere")
    assert changed(before, now(path), tmp_path) == ["environment"]


def test_another_version_of_a_package_is_a_change(path, tmp_path, monkeypatch):
    before = record(path, tmp_path)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.1")
    assert changed(before, now(path), tmp_path) == ["packages"]


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "signal" / "a.py").write_text("x = 2"),
    lambda folder: (folder / "workbook.mplstyle").write_text("axes.grid: False"),
    lambda folder: (folder / "new.py").write_text(""),
    lambda folder: (folder / "signal" / "a.py").unlink(),
    lambda folder: (folder / "signal" / "a.py").rename(folder / "a.py"),
])
def test_any_file_of_the_library_counts(tmp_path, change):
    folder = tmp_path / "lib"
    (folder / "signal" / "__pycache__").mkdir(parents=True)
    (folder / "signal" / "a.py").write_text("x = 1")
    (folder / "workbook.mplstyle").write_text("axes.grid: True")
    before = library_digest(folder)
    (folder / "signal" / "__pycache__" / "a.pyc").write_text("compiled")
    assert library_digest(folder) == before
    change(folder)
    assert library_digest(folder) != before


def test_a_results_file_that_is_gone_or_other_is_named(path, tmp_path):
    result = tmp_path / "results" / "02_pos.quick.json"
    result.parent.mkdir()
    result.write_text("1")
    before = record(path, tmp_path, "results/02_pos.quick.json")
    assert changed(before, now(path), tmp_path) == []
    result.write_text("2")
    assert changed(before, now(path), tmp_path) == ["results/02_pos.quick.json"]
    result.unlink()
    assert changed(before, now(path), tmp_path) == ["results/02_pos.quick.json"]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"metadata": {}}',
                                  json.dumps({"metadata": {KEY: {"seconds": 1}}})])
def test_a_copy_that_says_nothing_of_its_run_counts_as_none(tmp_path, text):
    copy = tmp_path / "02_pos.ipynb"
    if text is not None:
        copy.write_text(text)
    assert record_of(copy) is None
