"""Networks on disk: what is written comes back; what was tampered with is refused in one line."""

import json
import pickle

import numpy as np
import pytest
import torch

from rppg_lib import registry
from rppg_lib.models import load_network, save_network

from .tiny import GreenOnly, Tiny


@pytest.fixture(autouse=True)
def registered():
    registry.available("network")
    registry.register("tiny", cites="none")(Tiny)
    yield
    del registry._entries["tiny"]


def trained(seed=3, channels=5):
    torch.manual_seed(seed)
    return Tiny(Tiny.Config(channels=channels))


def test_a_network_comes_back_with_its_config_its_weights_and_its_facts(tmp_path):
    network = trained()
    save_network(network, tmp_path, facts={"fs": 25.0, "seed": 3})
    again = load_network(tmp_path)
    assert again.config == network.config and again.facts == {"fs": 25.0, "seed": 3} and not again.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_a_trained_network_is_built_by_name(tmp_path):
    save_network(trained(), tmp_path, facts={"fs": 25.0})
    estimator = registry.build("tiny", checkpoint=tmp_path)
    assert estimator.name == "tiny" and estimator.fs == 25.0 and estimator.size_px == 8


def test_a_network_without_weights_is_refused_by_name():
    with pytest.raises(ValueError, match="tiny: needs trained weights, checkpoint=FOLDER"):
        registry.build("tiny")


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    save_network(trained(), tmp_path)
    with pytest.raises(ValueError, match="physnet: needs weights of physnet, but .* holds those of tiny"):
        registry.build("physnet", checkpoint=tmp_path)


def test_the_best_of_a_training_folder_is_taken(tmp_path):
    for step, seed in ((1, 1), (2, 2)):
        save_network(trained(seed), tmp_path / f"step-{step}")
    (tmp_path / "best").write_text("step-1\n")
    (tmp_path / "last").write_text("step-2\n")
    assert torch.equal(load_network(tmp_path).net[0].weight, trained(1).net[0].weight)


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "..", "", "missing", "a/b", "\x00"])
def test_a_pointer_out_of_its_folder_is_refused(tmp_path, name):
    (tmp_path / "run").mkdir()
    save_network(trained(), tmp_path / "elsewhere")
    (tmp_path / "run" / "best").write_text(name)
    with pytest.raises(ValueError, match="must name a folder beside it"):
        load_network(tmp_path / "run")


def test_a_network_that_nobody_could_load_again_is_not_written(tmp_path):
    class Nameless(GreenOnly):
        name = ""

    with pytest.raises(ValueError, match="Nameless is not registered"):
        save_network(Nameless(), tmp_path)
    assert not list(tmp_path.iterdir())


def damage(folder, how):
    weights, facts = folder / "weights.safetensors", folder / "network.json"
    described = json.loads(facts.read_text())
    if how == "no weights":
        weights.unlink()
    elif how == "no facts":
        facts.unlink()
    elif how == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-7])
    elif how == "empty weights":
        weights.write_bytes(b"")
    elif how == "pickled weights":
        weights.write_bytes(pickle.dumps({"net.0.weight": np.zeros(3)}))
    elif how == "half JSON":
        facts.write_text(facts.read_text()[:20])
    elif how == "a list":
        facts.write_text("[1, 2]")
    elif how == "other config":
        facts.write_text(json.dumps(described | {"config": {"channels": 9}}))
    elif how == "unknown config":
        facts.write_text(json.dumps(described | {"config": {"chanels": 9}}))
    elif how == "unknown name":
        facts.write_text(json.dumps(described | {"name": "tiniest"}))
    elif how == "a method":
        facts.write_text(json.dumps(described | {"name": "pos"}))


@pytest.mark.parametrize("how, message", [
    ("no weights", "there is no .*weights.safetensors"), ("no facts", "holds no network.json"),
    ("cut weights", "no whole safetensors file"), ("empty weights", "no whole safetensors file"),
    ("pickled weights", "no whole safetensors file"), ("half JSON", "no whole JSON"),
    ("a list", "needs name, config, facts"),
    ("other config", r"does not fit Tiny: net.0.weight \(5, 3, 5\) for \(9, 3, 5\)"),
    ("unknown config", "sets chanels, which Tiny.Config does not have"), ("unknown name", "Did you mean 'tiny'"),
    ("a method", "names 'pos', which is a method"),
])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, how, message):
    save_network(trained(), tmp_path)
    damage(tmp_path, how)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_network(tmp_path)
