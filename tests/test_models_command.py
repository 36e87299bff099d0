"""What ``rppg models`` says of methods and networks."""

import io
import json
from types import SimpleNamespace

import pytest

from rppg_lib import models_command, registry

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


def said(monkeypatch, **asked):
    """Run the command on two entries, one of them a network whose time is made up."""
    few = {name: registry.available()[name] for name in ("pos", "physnet")}
    monkeypatch.setattr(registry, "available", lambda: few)
    monkeypatch.setattr(models_command, "_measured", lambda kind: {
        "ms": 1234.0, "ms_median": 1300.0, "ms_per_frame": 7.71, "machine": "an abacus"})
    out, stream = [], io.StringIO()
    assert models_command.run(SimpleNamespace(**asked), out.append, stream)
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
