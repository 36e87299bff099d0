"""The tool that judges films says what holds and what does not."""

import json

import judge_films
import pytest


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
    path = tmp_path / "films.json"
    monkeypatch.setattr("sys.argv", ["judge_films.py", "--scenes", "still", "--people", "1", "--seconds",
                                     "10", "--json", str(path)])
    judge_films.main()
    told = json.loads(path.read_text("utf-8"))
    assert set(told["table"]) == {"still"} and len(told["verdicts"]) == 2
    assert told["table"]["still"]["pos"]["mae_bpm"] < 3
    assert "linear" in capsys.readouterr().out
