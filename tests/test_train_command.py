"""What `rppg train` and `rppg evaluate` do, on a store of six people that takes a second to learn."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rppg_lib import registry, results, train_command
from rppg_lib.data import ClipSource, build_store, split_subjects
from rppg_lib.data.pulses import LabelWindows, SimulatedPulses
from rppg_lib.models import load_network, save_network
from rppg_lib.models.codephys import CodePhys
from rppg_lib.models.kdphys import KDPhys
from rppg_lib.quantize.labels import LabelFilter, LabelLevels
from rppg_lib.training.recipes import recipe
from rppg_lib.types import Clip

from .checkout import ROOT

FS = 30.0


def clip(number, dataset="simulated"):
    rng = np.random.default_rng(number)
    t = np.arange(150) / FS
    beat = np.sin(2 * np.pi * (1.0 + 0.15 * number) * t)
    frames = 120 - 6 * beat[:, None, None, None] * [0.4, 1.0, 0.6] + rng.normal(size=(150, 16, 16, 3))
    frames = frames.round().astype(np.uint8)
    return Clip(id=f"clip {number}", subject=f"person {number}", dataset=dataset, fs=FS, label=beat, frames=frames,
                rgb=frames.mean((1, 2)))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    sets = {"six": range(6), "others": range(4, 9)}
    found = {name: build_store([ClipSource(clip=clip(n)) for n in people], folder, name=name, jobs=1, progress=False)
             for name, people in sets.items()}
    found["mine"] = build_store([ClipSource(clip=clip(n, "mine")) for n in range(6)], folder, name="mine", jobs=1,
                                progress=False)
    found["elsewhere"] = build_store([ClipSource(clip=clip(n, "another")) for n in range(2)], folder, name="elsewhere",
                                     jobs=1, progress=False)
    return found


def call(function, *words):
    """Return what the command says for these words."""
    parser, said = argparse.ArgumentParser(), []
    (train_command.add_train_options if function is train_command.train else train_command.add_evaluate_options)(parser)
    assert function(parser.parse_args([str(word) for word in words]), said.append)
    return "\n".join(said)


@pytest.fixture(scope="module")
def trained(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    text = call(train_command.train, "physnet", "--data", stores["six"].path, "--out", folder, "-p", "epochs=2",
                "-p", "width=4", "-p", "size_px=16", "-p", "lr=0.01")
    return folder, text


def test_train_says_a_table_of_network_and_pos_on_people_kept_apart(trained):
    _, text = trained
    lines = text.splitlines()
    assert lines[0].split()[:3] == ["clips", "failed", "people"]
    assert [line.split()[:3] for line in lines[1:3]] == [["physnet", "2", "0"], ["pos", "2", "0"]]
    assert "trained on 3 people, stopped by 1, judged on 2 others" in text


def test_train_writes_a_result_that_says_how_it_was_made(trained, stores):
    folder, _ = trained
    path = folder / "train_physnet.quick+epochs=2+width=4+size_px=16+lr=0.01.json"
    found = results.load(path)
    assert set(found.tables) == {"test", "rows", "history"} and len(found.tables["history"]) == 2
    assert found.data.startswith("simulated: six-") and stores["six"].content_hash[:12] in found.data
    assert found.config["fit"]["lr"] == 0.01 and found.config["network"]["width"] == 4
    assert found.config["losses"] == {"pearson": 1.0} and "revision" in found.config["made"]


def test_the_same_command_goes_on_and_fresh_begins_anew(trained, stores):
    folder, text = trained
    words = ("physnet", "--data", stores["six"].path, "--out", folder, "-p", "epochs=2", "-p", "width=4",
             "-p", "size_px=16", "-p", "lr=0.01")
    before = (folder / "last").stat().st_mtime_ns
    checkpoint = folder / (folder / "last").read_text().strip()
    wrote = (checkpoint / "training.json").stat().st_mtime_ns
    assert call(train_command.train, *words).splitlines()[:3] == text.splitlines()[:3]
    assert (checkpoint / "training.json").stat().st_mtime_ns == wrote
    with pytest.raises(ValueError, match="config.lr is 0.01 there, 0.005 here"):
        call(train_command.train, *words[:-2])
    assert call(train_command.train, *words, "--fresh").splitlines()[:3] == text.splitlines()[:3]
    assert (folder / "last").stat().st_mtime_ns > before


def test_evaluate_leaves_out_whom_the_network_was_trained_on(trained, stores):
    folder, text = trained
    same = call(train_command.evaluate, folder, stores["six"].path)
    assert same.splitlines()[:3] == text.splitlines()[:3]
    assert "2 people; 4 it was trained on are left out" in same
    told = json.loads(call(train_command.evaluate, folder, stores["others"].path, "--json"))
    known = json.loads((folder / "people.json").read_text())
    seen = {*known["train"], *known["validation"]} & {f"person {n}" for n in range(4, 9)}
    assert told["left_out"] == len(seen) and told["table"][0]["subjects"] == 5 - len(seen)
    assert told["table"][0]["method"] == "physnet" and told["trained"]["seed"] == 0


def test_a_name_in_another_data_set_is_another_person(trained, stores):
    told = json.loads(call(train_command.evaluate, trained[0], stores["elsewhere"].path, "--json"))
    assert told["left_out"] == 0 and told["table"][0]["subjects"] == 2


def test_a_checkpoint_in_the_folder_can_be_named_itself(trained, stores):
    folder, _ = trained
    checkpoint = folder / (folder / "best").read_text().strip()
    assert "4 it was trained on" in call(train_command.evaluate, checkpoint, stores["six"].path)


@pytest.mark.parametrize("words, text", [
    (("pos",), "pos is a method without weights"),
    (("physnet", "-p", "epoch=2"), r"known name, got 'epoch=2'. Did you mean 'epochs'\?"),
    (("physnet", "-p", "epochs"), "needs NAME=VALUE"),
    (("physnet", "-p", "epochs=two"), "epochs must be a whole number of at least 1, got 'two'"),
    (("physnet", "--profile", "paper"), "Name their store with --data"),
    (("physnt",), "Did you mean 'physnet'"),
])
def test_what_cannot_be_trained_is_said(words, text):
    with pytest.raises(ValueError, match=text):
        call(train_command.train, *words)


def test_a_network_that_has_seen_everybody_is_not_judged(trained, stores, tmp_path):
    folder, _ = trained
    known = json.loads((folder / "people.json").read_text())
    everybody = tmp_path / "copy"
    everybody.mkdir()
    (everybody / "people.json").write_text(json.dumps(known | {"train": [f"person {n}" for n in range(6)]}))
    for name in ("weights.safetensors", "network.json"):
        checkpoint = folder / (folder / "best").read_text().strip()
        (everybody / name).write_bytes((checkpoint / name).read_bytes())
    with pytest.raises(ValueError, match="was trained on everybody"):
        call(train_command.evaluate, everybody, stores["six"].path)
    (everybody / "people.json").write_text("[]")
    with pytest.raises(ValueError, match="does not say who was trained on"):
        call(train_command.evaluate, everybody, stores["six"].path)


def weights_alone(trained, folder):
    checkpoint = trained[0] / (trained[0] / "best").read_text().strip()
    folder.mkdir()
    for name in ("weights.safetensors", "network.json"):
        (folder / name).write_bytes((checkpoint / name).read_bytes())
    return folder


def test_where_nobody_knows_who_was_trained_on_it_is_said(trained, stores, tmp_path):
    alone = weights_alone(trained, tmp_path / "alone")
    assert "whom it was trained on is not known" in call(train_command.evaluate, alone, stores["six"].path)
    told = json.loads(call(train_command.evaluate, alone, stores["six"].path, "--json"))
    assert told["trained_on_is_known"] is False and told["left_out"] == 0


def test_a_checkpoint_named_by_a_dot_still_knows_its_people(trained, stores, monkeypatch):
    monkeypatch.chdir(trained[0] / (trained[0] / "best").read_text().strip())
    assert "4 it was trained on are left out" in call(train_command.evaluate, ".", stores["six"].path)


def test_a_refused_training_leaves_the_list_of_people_as_it_was(trained, stores):
    before = (trained[0] / "people.json").read_bytes()
    with pytest.raises(ValueError, match="holds a training on other people"):
        call(train_command.train, "physnet", "--data", stores["six"].path, "--out", trained[0], "-p", "epochs=2",
             "-p", "width=4", "-p", "seed=3")
    assert (trained[0] / "people.json").read_bytes() == before


def test_a_network_that_reads_nothing_is_a_failure_that_says_why(trained, stores, tmp_path):
    broken = weights_alone(trained, tmp_path / "broken")
    told = json.loads((broken / "network.json").read_text())
    for wrong in ({"size_px": "x"}, {"frames": 0}, {"size_px": 10**9}):
        (broken / "network.json").write_text(json.dumps(told | {"config": told["config"] | wrong}))
        with pytest.raises(ValueError, match="describes no network that can be built"):
            call(train_command.evaluate, broken, stores["six"].path)
    (broken / "network.json").write_text(json.dumps(told | {"facts": {"fs": -30}}))
    with pytest.raises(ValueError, match="fs must be a positive number"):
        call(train_command.evaluate, broken, stores["six"].path)


@pytest.mark.parametrize("words, text", [(("-p", "size_px=72"), "pictures of the store have 16 px and cannot"),
                                         (("-p", "lr=true"), "lr must be a number above 0, got True")])
def test_settings_that_fit_no_store_are_said_before_the_training(stores, tmp_path, words, text):
    with pytest.raises(ValueError, match=text):
        call(train_command.train, "physnet", "--data", stores["six"].path, "--out", tmp_path / "run", *words)
    assert not (tmp_path / "run").exists()


def test_several_processes_are_refused(stores, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="made for one process"):
        call(train_command.train, "physnet", "--data", stores["six"].path)


def named(**parts):
    return train_command._label(argparse.Namespace(**{"profile": "quick", "given": [], "protocol": None, "fold": None}
                                                   | parts))


def test_the_notebook_of_sweeps_trains_by_a_protocol_and_keeps_a_row_per_recording(tmp_path, monkeypatch):
    papermill = pytest.importorskip("papermill")
    store = build_store([pure(n) for n in range(1, 11)], tmp_path, name="pure", jobs=1, progress=False)
    monkeypatch.setenv("RPPG_OUT", str(tmp_path / "out"))
    papermill.execute_notebook(ROOT / "notebooks" / "sweeps" / "01_train.ipynb", tmp_path / "ran.ipynb", parameters={
        "data": str(store.path), "protocol": "pure 60/40", "recipe": "quick", "seed": 3,
        "more": "epochs=1, width=4, size_px=16"}, kernel_name="python3", progress_bar=False)
    kept = results.load(next((tmp_path / "out" / "results").glob("01_train*.json")))
    assert {row["subject"] for row in kept.tables["rows"]} == {"pure 07", "pure 08", "pure 09", "pure 10"}
    assert len(kept.tables["rows"]) == 8 and kept.seed == 3 and kept.data.startswith("recorded: pure")


def test_what_was_changed_names_the_results_as_a_file_name_can():
    assert named(given=["lr= 0.01", 'schedule="cosine"']) == "quick+lr=0.01+schedule=cosine"
    assert len(named(given=["x" * 200])) < 40
    assert named(protocol="pure 60/40") == "quick+pure60-401" and named(protocol="vipl 5 folds", fold=3)[-1] == "3"


def pure(number):
    return ClipSource(clip=dataclasses.replace(clip(number, "pure"), subject=f"pure {number:02d}"))


def test_a_published_protocol_says_who_trains_and_who_is_judged(tmp_path):
    store = build_store([pure(n) for n in range(1, 11)], tmp_path, name="pure", jobs=1, progress=False)
    words = ("physnet", "--data", store.path, "--out", tmp_path / "run", "-p", "epochs=1", "-p", "width=4", "-p",
             "size_px=16")
    text = call(train_command.train, *words, "--protocol", "pure 60/40")
    people = json.loads((tmp_path / "run" / "people.json").read_text())
    assert people["test"] == ["pure 07", "pure 08", "pure 09", "pure 10"] and len(people["train"]) == 5
    assert "pure 60/40" in text and [line.split()[:2] for line in text.splitlines()[1:3]] == [["physnet", "4"],
                                                                                              ["pos", "4"]]
    held = build_store([ClipSource(clip=dataclasses.replace(clip(n, "mmpd"), subject=f"mmpd p{n}"))
                        for n in range(1, 34)], tmp_path, name="mmpd", jobs=1, progress=False)
    told = call(train_command.train, "physnet", "--data", held.path, "--out", tmp_path / "of_its_own", *words[5:],
                "--protocol", "mmpd 70/10/20")                       # it has people of its own to validate with
    assert len(json.loads((tmp_path / "of_its_own" / "people.json").read_text())["validation"]) == 3
    assert "of which the source tells an order and shares" in told
    for more, message in ((("--protocol", "pure 60/40", "--fold", 2), "fold must lie between 1 and 1"),
                          (("--fold", 1), "Name it with --protocol"), (("--protocol", "pure 6040"), "pure 60/40")):
        with pytest.raises(ValueError, match=message):
            call(train_command.train, *words, *more)


def test_people_of_ones_own_are_divided_by_the_shares_that_are_asked_for(stores, tmp_path):
    words = ("physnet", "--data", stores["mine"].path, "-p", "epochs=1", "-p", "width=4", "-p", "size_px=16")
    sizes = {}
    for shares in ("60/40", "50/17/33"):
        out = tmp_path / shares.replace("/", "-")
        told = call(train_command.train, *words, "--out", out, "--protocol", shares)
        assert f"{shares}, of which nobody published it: the shares are those asked for" in told
        people = json.loads((out / "people.json").read_text())
        sizes[shares] = [len(people[part]) for part in ("train", "validation", "test")]
        assert {*people["train"], *people["validation"], *people["test"]} == set(stores["mine"].subjects)
    assert sizes == {"60/40": [3, 1, 2], "50/17/33": [3, 1, 2]}
    with pytest.raises(ValueError, match="needs percent of the people that make 100, .* got '30/12'"):
        call(train_command.train, *words, "--out", tmp_path / "none", "--protocol", "30/12")


def test_without_a_terminal_each_epoch_writes_a_line_to_standard_error_alone(stores, tmp_path):
    done = subprocess.run([sys.executable, "-m", "rppg_lib.cli", "train", "physnet", "--data", stores["six"].path,
                           "--out", tmp_path / "run", "-p", "epochs=3", "-p", "width=4", "-p", "size_px=16"],
                          capture_output=True, timeout=300, cwd=ROOT,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    said, log = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, log[-4000:]
    lines = [line for line in log.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    assert b"\r" not in done.stderr.replace(os.linesep.encode(), b"\n")
    assert "epoch 1" not in said and said.split()[:3] == ["clips", "failed", "people"]


def test_a_wave_that_no_student_learns_by_is_refused_before_films_are_made(tmp_path, monkeypatch):
    def no_films(args):
        raise AssertionError("films were made first")

    monkeypatch.setattr(train_command, "_simulated", no_films)
    with pytest.raises(ValueError, match="wave must be one of dilate, pearson, mse, got 'dilat'"):
        call(train_command.train, "kdphys", "--out", tmp_path, "-p", "wave=dilat")


SMALL = [word for setting in ("frames=64", "dim=8", "codes=8", "layers=1", "first=4", "width=4", "epochs=2", "lr=0.001",
                              "heartbeats.epochs=2", "heartbeats.batch=32", "heartbeats.warmup_steps=5")
         for word in ("-p", setting)]


@pytest.fixture(scope="module")
def staged(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("staged")
    return folder, call(train_command.train, "codephys", "--data", stores["mine"].path, "--out", folder, *SMALL)


def test_both_stages_of_codephys_are_trained_and_told(staged, stores):
    folder, text = staged
    assert [line.split()[:2] for line in text.splitlines()[1:3]] == [["codephys", "2"], ["pos", "2"]]
    assert "trained on 3 people, stopped by 1, judged on 2 others" in text
    found = results.load(next(folder.glob("train_codephys.*.json")))
    assert set(found.tables) == {"test", "rows", "history", "history_heartbeats"}
    assert "mse" in found.tables["history_heartbeats"][-1] and "ask" in found.tables["history"][-1]
    assert found.config["fit"]["lr"] == 0.001 and found.config["losses"] == recipe("codephys", "quick").losses
    before = found.config["before"]["heartbeats"]
    assert before["fit"]["epochs"] == 2 and before["fit"]["batch"] == 32 and before["settings"]["warmup_steps"] == 5


def test_the_folder_of_a_training_in_stages_is_a_checkpoint(staged, stores):
    folder, text = staged
    network = load_network(folder)
    assert isinstance(network, CodePhys) and network.config.frames == 64
    assert registry.build("codephys", checkpoint=folder).predict(clip(0)).wave.shape == (150,)
    step = folder / "2-query" / (folder / "2-query" / "best").read_text().strip()
    for place in (folder, folder / "2-query", step):                 # whom it was trained on is known from each
        judged = call(train_command.evaluate, place, stores["mine"].path)
        assert judged.splitlines()[:3] == text.splitlines()[:3] and "4 it was trained on are left out" in judged


def test_codes_and_decoder_are_those_of_the_first_stage(staged):
    folder, _ = staged

    first, second = (load_file(folder / stage / (folder / stage / "best").read_text().strip() / "weights.safetensors")
                     for stage in ("1-heartbeats", "2-query"))
    shared = [name for name in second if name.startswith(("codebook.", "decoder."))]
    assert len(shared) > 4 and all((first[name] == second[name]).all() for name in shared)
    assert int(first["codebook.calls"]) > 5                          # the codebook has begun


def test_the_same_command_finds_both_stages_finished(staged, stores):
    folder, text = staged
    places = sorted(folder.glob("*/step-*/training.json"))
    before = [place.stat().st_mtime_ns for place in places]
    again = call(train_command.train, "codephys", "--data", stores["mine"].path, "--out", folder, *SMALL)
    assert again.splitlines()[:3] == text.splitlines()[:3]
    assert [place.stat().st_mtime_ns for place in places] == before and len(places) >= 2
    with pytest.raises(ValueError, match="config.epochs is 2 there, 3 here"):
        call(train_command.train, "codephys", "--data", stores["mine"].path, "--out", folder, *SMALL, "-p",
             "heartbeats.epochs=3")


def test_a_plain_network_is_refused_in_the_folder_of_stages(staged, stores):
    with pytest.raises(ValueError, match="holds a training in other stages"):
        call(train_command.train, "physnet", "--data", stores["mine"].path, "--out", staged[0], "-p", "width=4")


def first_samples(store, profile="quick", without=()):
    """Return the stages of CodePhys on a store, and its split."""
    network = CodePhys(CodePhys.Config(size_px=16, frames=64, first=4, width=4, dim=8, codes=8, embedding="plain",
                                       layers=1, without=without))
    split = split_subjects(store.subjects, shares=train_command.SHARES, seed=0)
    how, _ = train_command._settings(["heartbeats.warmup_steps=0"], CodePhys, recipe("codephys", profile))
    return how.stages(network, store, split), split


def test_of_recordings_the_first_stage_sees_labels_of_the_people_trained_on_alone(stores):
    for profile in ("quick", "full", "paper"):
        stages, split = first_samples(stores["mine"], profile)
        train, validation = stages[0].data.train, stages[0].data.validation
        assert isinstance(train, LabelWindows) and set(train.subjects) == split.train
        assert isinstance(validation, LabelWindows) and set(validation.subjects) == split.validation
    assert len(train) == 3 * 2                                       # as published: end to end
    assert isinstance(first_samples(stores["six"], "paper")[0][0].data.train, LabelWindows)


def test_of_simulated_people_it_sees_waves_of_many_others(stores):
    stages, _ = first_samples(stores["six"])
    data = stages[0].data
    assert isinstance(data.train, SimulatedPulses) and len(data.train) == 2000 and data.train.frames == 64
    assert set(data.train.subjects).isdisjoint({*data.validation.subjects, *stores["six"].subjects})


@pytest.mark.parametrize("without, names, loaded", [
    ((), ["heartbeats", "query"], {"codebook", "decoder", "prior"}),
    (("prior",), ["heartbeats", "query"], {"codebook", "decoder"}),
    (("stage_one",), ["query"], set()),
])
def test_what_the_network_is_without_needs_no_stage_and_no_weights(stores, without, names, loaded):
    stages, _ = first_samples(stores["six"], without=without)
    assert [stage.name for stage in stages] == names and set(stages[-1].load) == loaded


def test_the_seed_is_that_of_the_whole_training_unless_a_stage_has_its_own():
    def seeds(*given):
        how, _ = train_command._settings(list(given), CodePhys, recipe("codephys", "quick"))
        return [config.seed for config in how.fits.values()]

    assert seeds("seed=3") == [3, 3] and seeds("heartbeats.seed=4") == [4, 0] and seeds("lr=0.1") == [0, 0]
    assert seeds("seed=3", "heartbeats.seed=4") == [4, 3]


def test_weights_of_terms_can_be_set_and_wrong_ones_are_found_before_any_training(stores):
    how, _ = train_command._settings(["alpha=0.25", "form=log"], CodePhys, recipe("codephys", "quick"))
    assert how.losses == {**recipe("codephys", "quick").losses, "alpha": 0.25, "form": "log"}
    for wrong, message in (("alpha=much", "alpha must be a number of 0 or more, got 'much'"),
                           ("temperature=0", "temperature must be a number above 0, got 0"),
                           ("form=cubic", "form must be 'field' or 'log', got 'cubic'")):
        how, _ = train_command._settings([wrong], CodePhys, recipe("codephys", "quick"))
        with pytest.raises(ValueError, match=message):
            how.stages(CodePhys(CodePhys.tiny()), stores["six"], split_subjects(stores["six"].subjects))


@pytest.mark.parametrize("given, text", [
    ("heartbeats.epoch=3", r"got 'heartbeats.epoch=3'. Did you mean 'heartbeats.epochs'\?"),
    ("heartbeat.epochs=3", r"Did you mean 'heartbeats.epochs'\?"), ("query.epochs=3", "with a known name"),
    ("heartbeats.dim=3", "with a known name"), ("heartbeats.epochs=two", "epochs must be a whole number"),
    ("heartbeats.epochs=1", "codebook begins after 200 steps, and stage heartbeats has only 33"),
    ("heartbeats.start=kmean", "kmeans"),
])
def test_settings_of_a_stage_that_cannot_be_are_said(stores, tmp_path, given, text):
    with pytest.raises(ValueError, match=text):
        call(train_command.train, "codephys", "--data", stores["mine"].path, "--out", tmp_path / "run",
             "-p", "frames=64", "-p", "heartbeats.warmup_steps=200", "-p", given)
    assert not (tmp_path / "run").exists()


def test_a_prefix_is_for_networks_with_stages(stores):
    with pytest.raises(ValueError, match="with a known name, got 'heartbeats.epochs=3'"):
        call(train_command.train, "physnet", "--data", stores["six"].path, "-p", "heartbeats.epochs=3")


TINY_LEVELS = ["-p", "frames=64", "-p", "width=8", "-p", "states=2", "-p", "epochs=2", "-p", "batch=2"]


def test_lqrppg_learns_from_labels_in_steps_whose_place_the_people_trained_on_decide(stores, tmp_path):
    text = call(train_command.train, "lqrppg", "--data", stores["mine"].path, "--out", tmp_path, *TINY_LEVELS)
    assert [line.split()[:2] for line in text.splitlines()[1:3]] == [["lqrppg", "2"], ["pos", "2"]]
    network, people = load_network(tmp_path), json.loads((tmp_path / "people.json").read_text())
    labels = LabelWindows(stores["mine"], frames=64, subjects=people["train"])
    waves = LabelFilter()(labels.batch(range(len(labels))).label, FS)
    assert torch.equal(network.levels[4].codes, LabelLevels.fit(waves)[4].codes)
    found = results.load(next(tmp_path.glob("train_lqrppg.*.json")))
    assert {"codes_1", "pearson_5", "spectral_3"} <= set(found.tables["history"][-1])
    again = call(train_command.train, "lqrppg", "--data", stores["mine"].path, "--out", tmp_path, *TINY_LEVELS)
    assert again.splitlines()[:3] == text.splitlines()[:3]           # finished: the same, without training


@pytest.mark.parametrize("kind", ["quantile", "learned"])
def test_labels_can_be_put_in_steps_another_way(stores, tmp_path, kind):
    call(train_command.train, "lqrppg", "--data", stores["mine"].path, "--out", tmp_path, *TINY_LEVELS,
         "-p", f"labels.kind={kind}", "-p", "labels.high_hz=3")
    codes = load_network(tmp_path).levels[3].codes
    if kind == "learned":
        learned = load_file(tmp_path / "1-labels" / (tmp_path / "1-labels" / "best").read_text().strip()
                            / "weights.safetensors")
        assert torch.equal(codes, learned["3.codes"])
    else:
        assert (codes.diff() > 0).all() and not torch.equal(codes, LabelLevels.even((3,))[3].codes)


def test_a_kind_of_steps_that_does_not_exist_is_said_before_the_training(stores, tmp_path):
    with pytest.raises(ValueError, match="there is no kind 'loyd'. Did you mean 'lloyd'"):
        call(train_command.train, "lqrppg", "--data", stores["mine"].path, "--out", tmp_path, *TINY_LEVELS,
             "-p", "labels.kind=loyd")


TINY_STUDENT = ["-p", "frames=64", "-p", "width=8", "-p", "dense=4", "-p", "epochs=2", "-p", "batch=2", "-p",
                "teacher.epochs=1", "-p", "warmup=1", "-p", "wave=dilate"]


def test_a_student_is_taught_by_a_network_that_was_trained_for_it(stores, tmp_path):
    text = call(train_command.train, "kdphys", "--data", stores["mine"].path, "--out", tmp_path, *TINY_STUDENT)
    assert [line.split()[:2] for line in text.splitlines()[1:3]] == [["kdphys", "2"], ["pos", "2"]]
    student, teacher = load_network(tmp_path), load_network(tmp_path / "1-teacher")
    assert (student.name, teacher.name, teacher.config.frames) == ("kdphys", "physnet", 64)
    found = results.load(next(tmp_path.glob("train_kdphys.*.json")))
    assert {"pearson"} <= set(found.tables["history"][0]) and {"dilate"} <= set(found.tables["history"][-1])
    assert {"attention", "similarity", "imitate"} <= set(found.tables["history"][-1])
    assert len(found.tables["history_teacher"]) == 1
    again = call(train_command.train, "kdphys", "--data", stores["mine"].path, "--out", tmp_path, *TINY_STUDENT)
    assert again.splitlines()[:3] == text.splitlines()[:3]           # finished: the same, without training


def test_a_teacher_that_is_there_is_not_trained_again_and_a_student_may_learn_alone(stores, trained, tmp_path):
    words = ["kdphys", "--data", stores["mine"].path, *TINY_STUDENT]
    call(train_command.train, *words, "--out", tmp_path / "taught", "-p", f"teacher.checkpoint={trained[0]}")
    alone = [word for name in ("attention", "similarity", "imitate") for word in ("-p", f"{name}=0")]
    call(train_command.train, *words, "--out", tmp_path / "alone", *alone)
    taught, by_itself = (results.load(next((tmp_path / name).glob("train_kdphys.*.json"))).tables
                         for name in ("taught", "alone"))
    assert "history_teacher" not in taught and "history_teacher" not in by_itself
    assert "imitate" in taught["history"][-1] and "imitate" not in by_itself["history"][-1]


@pytest.mark.slow
def test_codephys_may_teach_with_both_of_its_stages(stores, tmp_path):
    call(train_command.train, "kdphys", "--data", stores["mine"].path, "--out", tmp_path, *TINY_STUDENT,
         "-p", "teacher.name=codephys")
    assert [path.name for path in sorted(tmp_path.glob("[0-9]-*"))] == ["1-heartbeats", "2-teacher", "3-student"]


@pytest.mark.parametrize("words, text", [
    (("-p", "teacher.name=pos"), "the teacher must be a network, pos is a method"),
    (("-p", "teacher.name=kdphys"), "kdphys has a teacher of its own. Take another network"),
    (("-p", "gamma=0"), "DistillObjective: gamma must be a number above 0, got 0")])
def test_a_teacher_that_cannot_teach_is_said_before_the_training(stores, tmp_path, words, text):
    with pytest.raises(ValueError, match=text):
        call(train_command.train, "kdphys", "--data", stores["mine"].path, "--out", tmp_path / "run", *TINY_STUDENT,
             *words)
    assert not (tmp_path / "run").exists()


def test_a_trained_teacher_must_be_the_one_that_was_named_and_know_the_films_rate(stores, trained, tmp_path):
    words = ["kdphys", "--data", stores["mine"].path, "--out", tmp_path / "run", *TINY_STUDENT]
    with pytest.raises(ValueError, match=r"the teacher was to be codephys, and .* holds physnet"):
        call(train_command.train, *words, "-p", f"teacher.checkpoint={trained[0]}", "-p", "teacher.name=codephys")
    slow = load_network(trained[0])
    save_network(slow, tmp_path / "slow", facts={**slow.facts, "fs": FS / 2})
    with pytest.raises(ValueError, match=r"learned from .* frames per second, and the films have"):
        call(train_command.train, *words, "-p", f"teacher.checkpoint={tmp_path / 'slow'}")


@pytest.mark.parametrize("name", ["physnet", "physformer", "factorizephys"])
def test_with_profile_paper_a_teacher_is_trained_as_published_but_for_what_was_asked(stores, name):
    how = recipe("kdphys", "paper")
    how = dataclasses.replace(how, settings={"teacher": {"name": name}},
                              fits={**how.fits, "teacher": dataclasses.replace(how.fits["teacher"], epochs=3)})
    network = KDPhys(KDPhys.tiny())
    split = split_subjects(stores["mine"].subjects, shares=train_command.SHARES, seed=0)
    *_, teaching, _ = how.stages(network, stores["mine"], split)
    assert teaching.name == "teacher" and teaching.config == dataclasses.replace(recipe(name, "paper").config, epochs=3)


TINY_FACES = ["-p", "frames=64", "-p", "width=8", "-p", "epochs=2", "-p", "batch=2"]


@pytest.mark.parametrize("profile", ["quick", "full", "paper"])
def test_whose_loss_is_weighed_anew_at_every_step_keeps_the_last_weights(profile):
    assert recipe("rfacenet", profile).config.keep == "last"


def test_rfacenet_learns_who_is_trained_on_and_judges_others(stores, tmp_path):
    text = call(train_command.train, "rfacenet", "--data", stores["mine"].path, "--out", tmp_path, *TINY_FACES)
    assert [line.split()[:2] for line in text.splitlines()[1:3]] == [["rfacenet", "2"], ["pos", "2"]]
    people = json.loads((tmp_path / "people.json").read_text())
    assert load_network(tmp_path).config.people == len(people["train"])
    last = results.load(next(tmp_path.glob("train_rfacenet.*.json"))).tables["history"][-1]
    assert {"pulse", "rate", "person", "watched_recognised", "watched_scale_rate"} <= set(last)
    assert 0 <= last["watched_recognised"] <= 1 and "validation_person" not in last


def test_too_few_places_for_the_people_are_said_before_the_training(stores, tmp_path):
    with pytest.raises(ValueError, match="people are trained on, and the network tells 2 apart. Build it with"):
        call(train_command.train, "rfacenet", "--data", stores["mine"].path, "--out", tmp_path / "run", *TINY_FACES,
             "-p", "people=2")
    assert not (tmp_path / "run").exists()
