"""Published weights of LQ-rPPG: what they compute here is what they compute there, and nothing is taken on trust."""

import pickle
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch

from rppg_lib.models import load_network, save_network
from rppg_lib.models.convert import NETWORK, QUANTISER, SCANS, convert, convert_labels, published_names, read_published
from rppg_lib.models.learned_labels import LearnedLabels
from rppg_lib.models.lqrppg import LQrPPG

from ..checkout import ROOT
from .published_lqrppg import codes_of, random_training, saved


@pytest.fixture(scope="module")
def published():
    return random_training()


@pytest.fixture(scope="module")
def checkpoint(published, tmp_path_factory):
    return saved(tmp_path_factory.mktemp("PreTrainedModels"), *published)


@pytest.fixture(scope="module")
def converted(checkpoint):
    return convert(checkpoint)


def pictures(frames=160, clips=2):
    clip = torch.randn(clips, 3, frames, 16, 16, generator=torch.Generator().manual_seed(1))
    return clip + torch.sin(torch.arange(frames) / 4)[:, None, None]


def waves(network, frames):
    with torch.no_grad():
        return network(frames)


# the same numbers

def test_the_oracle_has_as_many_numbers_as_the_published_files(published):
    network, quantisers = published
    assert sum(p.numel() for p in network.parameters()) == 405_453
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == 405_682
    assert sum(p.numel() for p in quantisers[4].parameters()) == 874


@pytest.mark.parametrize("frames", [160, 64])
def test_converted_weights_compute_what_the_published_network_computes(published, converted, frames):
    network, quantisers = published
    with torch.no_grad():
        heads, wave = network(pictures(frames), codes_of(quantisers))
    said = waves(converted, pictures(frames))
    assert len(said.scalars) == len(heads) == 5
    for ours, theirs in zip(said.scalars, heads):
        assert theirs.std() > 0.1                                    # there is something to compare
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(said.pulse, wave, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("bits", [1, 3, 5])
def test_a_converted_quantiser_gives_the_labels_of_the_published_one(published, checkpoint, bits):
    wave = torch.sin(torch.arange(160) / 4) + 0.3 * torch.randn(3, 160, generator=torch.Generator().manual_seed(2))
    ours = convert_labels(labels(checkpoint)[bits - 1])
    with torch.no_grad():
        encoded, values = published[1][bits - 1](wave)
        said = ours(wave)
        torch.testing.assert_close(ours.encode(wave), encoded, atol=1e-5, rtol=1e-5)
    assert encoded.std() > 0.3 and len(values.unique()) > 1
    torch.testing.assert_close(said.values, values, atol=1e-6, rtol=1e-6)
    held, order = published[1][bits - 1].quantizer, codes_of(published[1])[bits - 1].argsort()
    assert torch.equal(ours.sums, held.ema_w[order, 0]) and torch.equal(ours.counts, held.ema_cluster_size[order])


def test_every_tensor_has_a_place_of_its_own(published):
    for theirs, ours, table in ((published[0], LQrPPG(), NETWORK), (published[1][2], LearnedLabels(3), QUANTISER)):
        names = published_names(ours, table)
        assert set(names) == set(theirs.state_dict())
        assert sorted(names.values()) == sorted(name for name in ours.state_dict() if not name.startswith("levels."))
        for name, here in names.items():
            assert theirs.state_dict()[name].numel() == ours.state_dict()[here].numel(), name


def test_codes_ascend_whatever_their_order_was(published, converted):
    for bits, codes in enumerate(codes_of(published[1]), start=1):
        assert torch.equal(converted.levels[bits].codes, codes.sort().values)
        assert not torch.equal(codes, codes.sort().values) or bits == 1
        x = torch.linspace(-4, 4, 57)
        nearest = (x[:, None] - codes).abs().argmin(1)
        torch.testing.assert_close(converted.levels[bits](x).values, codes[nearest])


def test_a_converted_network_is_kept_and_loaded_like_any_other(converted, tmp_path):
    save_network(converted, tmp_path / "kept", facts=converted.facts)
    again = load_network(tmp_path / "kept")
    assert type(again) is LQrPPG and again.facts == converted.facts
    torch.testing.assert_close(waves(again, pictures(64)).pulse, waves(converted, pictures(64)).pulse)


def test_its_facts_say_where_it_is_from(converted, checkpoint):
    import hashlib

    facts = converted.facts
    assert facts["fs"] == 30.0 and facts["normalise"] == ["standard"]
    assert facts["note"] == "converted from published weights (MIT), not trained here"
    assert list(facts["sha256"]) == [checkpoint.name] + [f"PURE_PURE_LQC2F_{n}th_LQ_Epoch{7 + n}.pth"
                                                         for n in range(1, 6)]
    for name, digest in facts["sha256"].items():
        assert hashlib.sha256((checkpoint.parent / name).read_bytes()).hexdigest() == digest


# other ways to keep the same

def test_weights_without_wrappers_and_as_safetensors_are_the_same(published, checkpoint, converted, tmp_path):
    network, quantisers = published
    plain = saved(tmp_path, network, quantisers, training="MINE", prefix="")
    for there, here in zip(convert(plain).state_dict().values(), converted.state_dict().values()):
        assert torch.equal(there, here)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "network.safetensors")
    labels = sorted(checkpoint.parent.glob("*th_LQ*"), reverse=True)                 # their order says nothing
    again = convert(tmp_path / "network.safetensors", labels)
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in converted.state_dict().items())


# what is refused

def complaint(*given):
    with pytest.raises((ValueError, FileNotFoundError)) as refused:
        convert(*given)
    return str(refused.value)


def changed(tmp_path, checkpoint, **tensors):
    """Save the network's file with other tensors; None leaves one out."""
    state = {name: tensor for name, tensor in (read_published(checkpoint) | tensors).items() if tensor is not None}
    torch.save(state, tmp_path / "other.pth")
    return tmp_path / "other.pth"


def labels(checkpoint):
    return sorted(checkpoint.parent.glob("*th_LQ*"))


def test_a_file_with_other_tensors_is_refused_by_their_names(checkpoint, tmp_path):
    path = changed(tmp_path, checkpoint, **{"mamba_3.0.mamba.D_b": None, "head.weight": torch.zeros(1),
                                            "stem3.0.bias": torch.zeros(63)})
    assert complaint(path, labels(checkpoint)) == (
        f"convert: {path} is not as published: no mamba_3.0.mamba.D_b; head.weight is not one of its tensors; "
        f"stem3.0.bias is (63,), not (64,). The mapping is in book/convert-weights.md.")


def test_of_many_differences_the_first_are_named(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    assert re.search(r"no position_embedding; .*; and 128 more\.", complaint(tmp_path / "a.pth"))


def test_a_quantiser_in_place_of_the_network_is_told_apart(checkpoint):
    assert "is a label quantiser. Give the network's file" in complaint(labels(checkpoint)[0])


class Runs:
    """What a file may do when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_file_that_would_run_code_is_not_opened(tmp_path):
    marker = tmp_path / "it ran"
    torch.save({"a": Runs(marker)}, tmp_path / "evil.pth")
    said = complaint(tmp_path / "evil.pth")
    assert not marker.exists()
    assert "cannot be read as plain weights" in said and "has to run code is not opened" in said
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Runs(marker), protocol=2))
    assert "cannot be read" in complaint(tmp_path / "plain.pth") and not marker.exists()


@pytest.mark.parametrize("name, content, words", [
    ("none.pth", None, "there is no file"),
    ("empty.pth", b"", "cannot be read as plain weights"),
    ("text.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "cannot be read as plain weights"),
    ("text.safetensors", b"not at all", "cannot be read as plain weights"),
])
def test_what_is_no_file_of_weights_is_one_clear_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = complaint(tmp_path / name)
    assert said.startswith("convert: ") and words in said and "\n" not in said


@pytest.mark.parametrize("held", [[torch.zeros(1)], {"epoch": 3}, {}, {"a": {"b": 1}}])
def test_what_holds_no_tensors_by_name_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "a.pth")
    assert "holds no tensors by name" in complaint(tmp_path / "a.pth")


def test_codes_are_asked_for_where_they_are_not_beside_the_network(published, checkpoint, tmp_path):
    alone = tmp_path / checkpoint.name
    alone.write_bytes(checkpoint.read_bytes())
    assert complaint(alone) == (
        f"convert: needs the 5 label quantisers trained with {checkpoint.name}, for their codes. Looked beside it for "
        f"PURE_PURE_LQC2F_1th_LQ*.pth: there is none. Name all: --labels FILE FILE ...")
    for epoch in (3, 4):
        (tmp_path / f"PURE_PURE_LQC2F_1th_LQ_Epoch{epoch}.pth").touch()
    assert "there are PURE_PURE_LQC2F_1th_LQ_Epoch3.pth, PURE_PURE_LQC2F_1th_LQ_Epoch4.pth" in complaint(alone)
    (tmp_path / "renamed.pth").write_bytes(checkpoint.read_bytes())
    assert "TRAINING_1th_LQ*.pth: there is none" in complaint(tmp_path / "renamed.pth")


def test_quantisers_of_other_trainings_are_left_alone(published, checkpoint, tmp_path):
    path = saved(tmp_path, published[0], published[1])
    saved(tmp_path, published[0], random_training()[1][::-1], training="PURE_UBFC_LQC2F")
    assert torch.equal(convert(path).levels[2].codes, codes_of(published[1])[1].sort().values)


def test_each_level_must_come_once(checkpoint):
    one, *others = labels(checkpoint)
    said = complaint(checkpoint, [one, one, *others[1:]])
    assert "needs label quantisers of 2, 4, 8, 16, 32 codes, each once, got 2 in" in said
    assert "each once" in complaint(checkpoint, [one])


@pytest.mark.parametrize("change, words", [
    ({"quantizer.embeddings.weight": None}, "got none"),
    ({"quantizer.embeddings.weight": torch.zeros(2, 3)}, r"quantizer.embeddings.weight is \(2, 3\), not \(2,\)"),
    ({"quantizer.embeddings.weight": torch.zeros(2)}, r"got \(2,\)"),
    ({"quantizer.embeddings.weight": torch.zeros(3, 1)}, r"is \(3,\), not \(4,\)"),
    ({"quantizer.embeddings.weight": torch.tensor([[1.0], [torch.nan]])}, r"got \(2, 1\), not all finite"),
    ({"classifier.weight": torch.zeros(1)}, "classifier.weight is not one of its tensors"),
    ({"encoder.position_embedding": None}, "no encoder.position_embedding"),
])
def test_what_is_no_quantiser_is_refused(checkpoint, tmp_path, change, words):
    one, *others = labels(checkpoint)
    assert re.search(words, complaint(checkpoint, [changed(tmp_path, one, **change), *others]))


# the page

def test_the_page_shows_the_mapping_that_is_used():
    text = (ROOT / "book" / "convert-weights.md").read_text("utf-8")
    shown = re.findall(r"^\| `(\S+)` \| `(\S+)` \| (.*?) \|$", text, re.MULTILINE)
    assert tuple(shown) == (*NETWORK, *SCANS, *QUANTISER)
