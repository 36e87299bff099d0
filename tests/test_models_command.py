"""What ``rppg models`` says of methods and networks."""

import io
import json
from types import SimpleNamespace

import pytest

from rppg_lib import models_command, registry

from .checkout import ROOT

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def table():
    return models_command.rows()


def test_everything_registered_has_a_row_in_the_order_of_names(table):
    assert [(row["name"], row["kind"], row["cites"], row["summary"]) for row in table] == [
        (entry.name, entry.kind, entry.cites, entry.summary) for entry in registry.available().values()]


def test_a_method_has_no_parameters_and_a_network_has(table):
    for row in table:
        assert ("params" in row) == (row["kind"] == "network")


def test_counted_figures_agree_with_those_reported_by_public_code(table):
    networks = [row for row in table if row["kind"] == "network"]
    assert networks
    for row in networks:
        within = registry.find(row["name"]).made_of.published.within
        if row["reported_params"]:
            nearest = min(abs(row[count] / row["reported_params"] - 1) for count in ("params", "params_visible"))
            assert nearest <= within, row["name"]
        if row["reported_gmacs"]:
            nearest = min((row["gmacs"], row["gmacs_visible"]), key=lambda found: abs(found - row["reported_gmacs"]))
            assert nearest == pytest.approx(row["reported_gmacs"], rel=max(within, 0.01)), row["name"]


def test_the_text_begins_with_name_and_citation_and_shows_figures_below(table):
    first, figures, sources = models_command.to_text(table).split("\n\n")
    assert [line.split()[:2] for line in first.splitlines()] == [[row["name"], row["cites"]] for row in table]
    networks = [row for row in table if row["kind"] == "network"]
    for row, line, source in zip(networks, figures.splitlines()[1:], sources.splitlines()):
        assert line.startswith(row["name"]) and f"{row['params']:,}" in line and f"{row['gmacs']:.2f}" in line
        assert row["reported_note"] in source


def test_without_networks_the_text_is_the_list_alone(table):
    methods = [row for row in table if row["kind"] == "method"]
    assert len(models_command.to_text(methods).splitlines()) == len(methods)


def test_rows_can_be_asked_for_by_name():
    assert [row["name"] for row in models_command.rows(["physnet", "pos"])] == ["physnet", "pos"]
    with pytest.raises(ValueError, match="no estimator is called 'physnett'. Did you mean 'physnet'"):
        models_command.rows(["physnett"])


def said(monkeypatch, **asked):
    """Run the command on two entries, one of them a network whose time is made up."""
    few = {name: registry.available()[name] for name in ("pos", "physnet")}
    monkeypatch.setattr(registry, "available", lambda: few)
    monkeypatch.setattr(models_command, "_measured", lambda kind: {
        "ms": 1234.0, "ms_median": 1300.0, "ms_per_frame": 7.71, "machine": "an abacus"})
    out, stream = [], io.StringIO()
    assert models_command.run(SimpleNamespace(names=[], against=None, **asked), out.append, stream)
    return out[0], stream.getvalue()


def test_nothing_is_timed_unless_asked_for(monkeypatch):
    text, progress = said(monkeypatch, json=True, latency=False)
    assert progress == "" and "ms" not in json.loads(text)[1]


def test_times_stand_with_their_machine_and_progress_goes_elsewhere(monkeypatch):
    text, progress = said(monkeypatch, json=False, latency=True)
    assert "1234" in text and "7.71" in text and "an abacus" in text
    assert progress == "rppg models: timing physnet at 160 x 128 x 128 ...\n"
    assert json.loads(said(monkeypatch, json=True, latency=True)[0])[1]["ms"] == 1234


def test_a_network_is_really_timed(monkeypatch):
    from dataclasses import replace

    kind = registry.find("physformer").made_of
    small = type("Small", (kind,), {"published": replace(kind.published, frames=16, size_px=32)})
    row = models_command._measured(small)
    assert 0 < row["ms"] <= row["ms_median"] and row["ms_per_frame"] == pytest.approx(row["ms"] / 16)
    assert "torch" in row["machine"]


# against another network

@pytest.fixture(scope="module")
def against_rhythmmamba():
    return {row["name"]: row for row in models_command.compared(against="rhythmmamba")}


def test_the_published_comparison_holds_in_visible_counts_and_the_true_one_stands_beside(against_rhythmmamba):
    row = against_rhythmmamba["lqrppg"]
    change, reported = row["change"], row["reported_change"]
    assert reported == {"params": -0.88, "macs": -0.29, "throughput": 1.91}
    assert change["params_visible"] == pytest.approx(134_093 / 1_065_229 - 1)
    assert change["params"] == pytest.approx(405_453 / 4_922_125 - 1)
    assert round(100 * change["macs_visible"]) == -29
    linear_inside = 4 * 160 * (64 * 256 + 2 * (128 * 4 + 128 * 100 + 4 * 128) + 128 * 64)
    assert row["gmacs"] * 1e9 == pytest.approx(row["gmacs_visible"] * 1e9 + linear_inside)
    assert change["macs"] == pytest.approx(row["gmacs"] / against_rhythmmamba["rhythmmamba"]["gmacs"] - 1)
    assert "throughput" not in change


def test_every_network_is_compared_at_the_input_of_the_one_it_is_compared_with(against_rhythmmamba):
    assert list(against_rhythmmamba) == list(registry.available("network"))
    for row in against_rhythmmamba.values():
        assert (row["frames"], row["size_px"], row["against"]) == (160, 128, "rhythmmamba")
        assert all(share > -1 for share in row["change"].values())
    assert set(against_rhythmmamba["rhythmmamba"]["change"].values()) == {0.0}
    assert against_rhythmmamba["tscan"]["params"] == 7_504_291       # 2,228,643 at its own 72 pixels


def test_named_networks_alone_are_compared_and_the_other_one_is_among_them():
    assert [row["name"] for row in models_command.compared(["physnet"], against="lqrppg")] == ["lqrppg", "physnet"]


@pytest.mark.parametrize("names, against", [((), "pos"), (("pos",), "physnet")])
def test_a_method_is_not_compared(names, against):
    with pytest.raises(ValueError, match=r"models: --against compares networks, and pos is a method\. Networks: code"):
        models_command.compared(names, against=against)


def in_words(monkeypatch, **asked):
    times = {"lqrppg": 200.0, "rhythmmamba": 500.0}
    monkeypatch.setattr(models_command, "_measured_in_turns", lambda kinds, *given: {
        name: {"ms": times[name], "ms_median": 600.0, "ms_per_frame": times[name] / 160, "machine": "an abacus"}
        for name in kinds})
    out, stream = [], io.StringIO()
    asked = {"names": ["lqrppg"], "against": "rhythmmamba", "json": False, "latency": False} | asked
    assert models_command.run(SimpleNamespace(**asked), out.append, stream)
    return out[0], stream.getvalue()


def test_a_comparison_is_two_tables(monkeypatch):
    text, progress = in_words(monkeypatch)
    where, sizes, against, changes, words = text.split("\n\n")
    assert where == "At 160 frames of 128 x 128 pixels" and against == "Against rhythmmamba" and progress == ""
    assert [line.split() for line in sizes.splitlines()[1:]] == [
        ["lqrppg", "405,453", "134,093", "9.09", "9.06", "0.04"],
        ["rhythmmamba", "4,922,125", "1,065,229", "13.04", "12.83", "0.22"]]
    assert changes.splitlines()[1].replace(" %", "%").split() == ["lqrppg", "-91.8%", "-87.4%", "-88%",
                                                                  "-30.3%", "-29.4%", "-29%"]
    assert len(changes.splitlines()) == 2 and "hooks into layers" in words


def test_measured_throughput_stands_beside_the_reported_one_with_its_machine(monkeypatch):
    text, progress = in_words(monkeypatch, latency=True)
    assert text.split("\n\n")[3].split()[-4:] == ["+150.0", "%", "+191", "%"] and text.endswith("an abacus.")
    assert progress == "rppg models: timing lqrppg, rhythmmamba in turns at 160 x 128 x 128 ...\n"
    row, base = json.loads(in_words(monkeypatch, latency=True, json=True)[0])
    assert row["change"]["throughput"] == pytest.approx(1.5) and base["change"]["throughput"] == 0
    assert row["ms"] == 200 and row["machine"] == "an abacus"


def test_networks_really_take_turns_in_one_thread(monkeypatch):
    from rppg_lib.models import cost

    kinds = {name: registry.find(name).made_of for name in ("lqrppg", "rhythmmamba")}
    turns, timed = [], cost._timed
    monkeypatch.setattr(models_command, "_device", lambda: "cpu")
    monkeypatch.setattr(cost, "_timed", lambda call, clip, tick: (turns.append(call.name), timed(call, clip, tick))[1])
    took = models_command._measured_in_turns(kinds, 16, 16)
    assert turns == ["lqrppg", "rhythmmamba"] * models_command.LATENCY_REPEATS
    for each in took.values():
        assert 0 < each["ms"] <= each["ms_median"] and ", torch" in each["machine"]


def test_the_page_on_networks_tells_the_comparison_as_it_is_counted(against_rhythmmamba):
    text = (ROOT / "book" / "networks.md").read_text("utf-8")
    shown = {cells[0]: cells[1:] for line in text.splitlines()
             if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5}
    ours, theirs = against_rhythmmamba["lqrppg"], against_rhythmmamba["rhythmmamba"]
    for words, key, form in (("parameters that hooks see", "params_visible", ","), ("parameters", "params", ","),
                             ("GMACs that hooks see", "gmacs_visible", ".2f"), ("GMACs", "gmacs", ".2f"),
                             ("operations of the scans, 10⁹", "scan_gops", ".2f")):
        change = f"{100 * (ours[key] / theirs[key] - 1):.1f} %".replace("-", "−")
        assert shown[words][:3] == [f"{ours[key]:{form}}", f"{theirs[key]:{form}}", change]
