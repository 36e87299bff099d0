import json
import os

import numpy as np
import pandas as pd
import pytest

from rppg_lib import results
from rppg_lib.files import output_dir, project_root, written_whole


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_rest(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as file:
        file.write("new, but only ha")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_folders_are_made_on_the_way(tmp_path):
    with written_whole(tmp_path / "x/y/z.bin", "wb") as file:
        file.write(b"\0")
    assert (tmp_path / "x/y/z.bin").read_bytes() == b"\0"


def test_products_go_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RPPG_OUT", str(tmp_path))
    assert output_dir("results") == tmp_path / "results"


def test_the_checkout_is_found_from_below(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "rppg_lib").mkdir()
    assert project_root(tmp_path / "notebooks") == tmp_path.resolve()
    assert project_root(tmp_path.parent) is None


def save(folder, **changes):
    methods = pd.Index(["pos", 'a, "b"'], name="method")
    table = pd.DataFrame({"mae": [1.5, np.nan], "n": np.array([3, 4])}, index=methods)
    arguments = {"profile": "quick", "data": "simulated, 8 people", "seed": 3, "config": {"seconds": np.float64(30)}}
    return results.save("02_test", {"errors": table}, folder=folder, **arguments | changes)


def test_a_result_comes_back_as_it_was_saved(tmp_path):
    result = results.load(save(tmp_path))
    assert result.tables["errors"] == [{"method": "pos", "mae": 1.5, "n": 3}, {"method": 'a, "b"', "mae": None, "n": 4}]
    assert (result.seed, result.profile, result.config) == (3, "quick", {"seconds": 30.0})
    assert result.versions["numpy"] == np.__version__ and result.device and result.revision
    assert "simulated, 8 people; profile quick, seed 3" in result.stamp


def test_the_csv_beside_it_holds_the_same_rows(tmp_path):
    save(tmp_path)
    table = pd.read_csv(tmp_path / "02_test.quick.errors.csv")
    assert list(table.method) == ["pos", 'a, "b"'] and table.mae[0] == 1.5 and np.isnan(table.mae[1])


def test_a_title_with_marks_that_a_path_must_not_hold_is_still_one_file(tmp_path):
    tables = {"error / person: all": [{"mae": 1.0}]}
    results.save("02_test", tables, profile="quick", data="simulated", seed=0, config={}, folder=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["02_test.quick.error_person_all.csv", "02_test.quick.json"]


def test_the_json_is_strict(tmp_path):
    text = save(tmp_path).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_result_must_say_whether_its_data_are_simulated(tmp_path):
    with pytest.raises(ValueError, match="must begin with one of simulated, recorded, mixed"):
        save(tmp_path, data="8 people")
    assert not list(tmp_path.iterdir())


def test_an_empty_table_is_not_a_result(tmp_path):
    with pytest.raises(ValueError, match="has no rows"):
        results.save("x", {"t": []}, profile="quick", data="simulated", seed=0, config={}, folder=tmp_path)


def test_a_broken_results_file_is_one_clear_error(tmp_path):
    path = tmp_path / "02_test.quick.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="is no results file"):
        results.load(path)
    with pytest.raises(FileNotFoundError, match="rppg run 03"):
        results.load(tmp_path / "03_none.quick.json")


def test_what_the_checkout_keeps_is_found_from_below_and_what_is_not_there_is_no_error(tmp_path, monkeypatch):
    for folder in ("notebooks", "rppg_lib", "results"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert results.kept("05_querying") == []
    for name in ("05_querying.quick.json", "05_querying.full.json", "02_pos_chrom.quick.json"):
        stem, profile, _ = name.split(".")
        results.save(stem, {"errors": [{"mae": 1.0}]}, profile=profile, seed=0, data="simulated", config={},
                     folder=tmp_path / "results")
    assert [one.profile for one in results.kept("05_querying")] == ["full", "quick"]


def test_a_link_keeps_pointing_and_its_file_gets_the_text(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with written_whole(tmp_path / "link.txt") as file:
        file.write("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_what_is_no_regular_file_is_never_replaced():
    with written_whole(os.devnull) as file:
        file.write("gone")
    assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize("arguments, message", [
    ({"profile": "a/b"}, "profile must be letters"), ({"profile": ""}, "profile must be letters"),
    ({"data": None}, "must begin with one of"),
])
def test_a_name_cannot_leave_the_folder_of_results(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "results", **arguments)
    assert not (tmp_path / "results").exists()


def test_two_titles_that_would_share_a_file_are_refused_before_anything_is_written(tmp_path):
    row = [{"n": 1}]
    with pytest.raises(ValueError, match="would give one file"):
        results.save("x", {"a b": row, "A/b": row}, profile="q", data="simulated", seed=0, config={}, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table, message", [({"a": [1, 2]}, "list of rows"), (["a"], "list of rows"),
                                            (pd.Series([1, 2]), "data frame")])
def test_what_is_no_table_is_refused(tmp_path, table, message):
    with pytest.raises(ValueError, match=message):
        results.save("x", {"t": table}, profile="q", data="simulated", seed=0, config={}, folder=tmp_path)


def test_seeds_and_index_words_of_numpy_and_pandas_survive(tmp_path):
    table = pd.DataFrame({"mae": [1.0, 2.0]}, index=["pos", "green"])
    path = results.save("x", {"t": table}, profile="q", data="simulated", seed=np.int64(3), config={}, folder=tmp_path)
    result = results.load(path)
    assert result.seed == 3 and [row["index"] for row in result.tables["t"]] == ["pos", "green"]
