"""The tool that judges films says what holds and what does not."""


import judge_films
import pytest

from rppg_lib import results


def rows(scene, errors, *, r=0.9):
    same = {"scene": scene, "who": 0, "tone": "I", "snr_db": 5.0, "r": r, "kbps": None}
    return [{**same, "method": method, "error": error} for method, error in errors.items() for _ in range(3)]


@pytest.mark.parametrize("scene, errors, r, failing", [
    ("turning", {"green": 9, "chrom": 1, "pos": 0.5}, 0.9, []),
    ("turning", {"green": 9, "chrom": 1, "pos": 2}, 0.9, ["POS"]),
    ("turning", {"green": 2, "chrom": 1, "pos": 1}, 0.9, ["GREEN"]),
    ("fast turning", {"green": 30, "chrom": 5, "pos": 1}, 0.9, []),
    ("fast turning", {"green": 30, "chrom": 7, "pos": 1}, 0.9, ["CHROM"]),
    ("no pulse", {"green": 30, "chrom": 30, "pos": 30}, 0.2, []),
    ("no pulse", {"green": 30, "chrom": 30, "pos": 30}, 0.3, ["green", "chrom", "pos"]),
    ("screen light", {"green": 30, "chrom": 30, "pos": 20}, 0.9, []),
    ("low bitrate", {"green": 30, "chrom": 30, "pos": 1}, 0.9, ["POS"]),
    ("compressed", {"green": 30, "chrom": 30, "pos": 4}, 0.9, ["POS"]),
])
def test_it_fails_what_must_not_be(scene, errors, r, failing):
    said = judge_films.verdicts(judge_films.table(rows(scene, errors, r=r)))
    assert said
    broken = [text for text, holds in said if not holds]
    assert len(broken) == len(failing) and all(word in text for word, text in zip(failing, broken))


@pytest.mark.slow
def test_it_films_reads_and_writes_what_it_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPPG_OUT", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["judge_films.py", "--scenes", "still", "--people", "1", "--seconds", "10",
                                     "--save"])
    judge_films.main()
    told = results.load(tmp_path / "results" / "judge_films.full.json")
    assert told.config["pulse_linear"] == 0.012 and "simulated, 1 person" in told.stamp
    assert {row["scene"] for row in told.tables["scenes"]} == {"still"} and len(told.tables["must_hold"]) == 2
    assert all(row["mae_bpm"] < 3 for row in told.tables["scenes"] if row["method"] == "pos")
    assert "linear" in capsys.readouterr().out
