"""A training that is broken off anywhere goes on to the same bits; a checkpoint that is not whole, or not its own, is
refused with words."""

import json
import os
import shutil
import struct

import pytest
import torch
from torch import nn

from rppg_lib.data import Augment, Windows
from rppg_lib.losses import UncertaintyWeights
from rppg_lib.models import load_network
from rppg_lib.training import FitConfig, TrainingData, WaveObjective, fit

from .small import Square, Tiny, bits, clip, same, small_data, train, windows

STEPS = 9                                                            # 3 epochs of 3


class Crash(BaseException):
    """The end of the process, as far as Python code can have it."""


class Crashing(Square):
    """Ends the process in the forward pass of step ``at``, counted over everything; learns two weights."""

    def __init__(self, at=None):
        super().__init__()
        self.weigh = UncertaintyWeights({"early": "regression", "late": "regression"})
        self._at, self._calls = at, 0

    def forward(self, output, truth, batch):
        if self.training:
            if self._calls == self._at:
                raise Crash
            self._calls += 1
        return self.weigh(super().forward(output, truth, batch))


HARD = {"epochs": 3, "augment": Augment(), "clip_norm": 1.0, "weight_decay": 0.01}


def run(folder, objective=None, **changes):
    objective = Crashing() if objective is None else objective
    fitted = train(Tiny(dropout=0.3), objective, folder=folder, **HARD | changes)
    return bits(fitted.network), bits(objective), fitted.history


@pytest.fixture(scope="module")
def unbroken():
    return run(None)


def assert_same(one, other):
    assert same(one[0], other[0]) and same(one[1], other[1])
    assert one[2] == other[2]


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 2, None])
def test_a_training_broken_off_in_any_step_goes_on_to_the_same_bits(tmp_path, unbroken, every):
    for at in range(STEPS):
        folder = tmp_path / str(at)
        with pytest.raises(Crash):
            run(folder, Crashing(at), checkpoint_every_steps=every)
        rest = Crashing()
        assert_same(run(folder, rest, checkpoint_every_steps=every), unbroken)
        assert STEPS - at <= rest._calls <= STEPS - at + (every or 3) - 1


def test_a_training_broken_off_again_and_again_goes_on_to_the_same_bits(tmp_path, unbroken):
    for _ in range(STEPS - 1):
        with pytest.raises(Crash):
            run(tmp_path, Crashing(1), checkpoint_every_steps=1)     # each gets one step further
    assert_same(run(tmp_path, checkpoint_every_steps=1), unbroken)


@pytest.mark.slow
def test_a_training_that_ends_at_any_moment_of_writing_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """Every call that changes the disk is, in turn, the last."""
    whole = run(None, epochs=2)
    for at in range(1000):
        folder, left = tmp_path / str(at), [at]
        with monkeypatch.context() as patch:
            for owner, name in ((os, "replace"), (os, "fsync"), (os, "rename"), (shutil, "rmtree"), (os, "mkdir")):
                patch.setattr(owner, name, ending(getattr(owner, name), left))
            try:
                run(folder, epochs=2)
                break
            except Crash:
                pass
        assert_same(run(folder, epochs=2), whole)
        assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["curves", "step-000006"]
    assert at > 20


def ending(call, left):
    """Return ``call`` as one that ends the process when ``left`` has counted down."""
    def wrapped(*args, **options):
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        return call(*args, **options)

    return wrapped


def test_the_position_between_epochs_is_kept_with_accumulated_batches(tmp_path):
    settings = {"batch": 2, "accumulate": 2, "checkpoint_every_steps": 1}
    whole = run(None, **settings)
    for at in (1, 5, 8):
        folder = tmp_path / str(at)
        with pytest.raises(Crash):
            run(folder, Crashing(at), **settings)
        assert_same(run(folder, **settings), whole)


def test_a_finished_training_is_read_and_not_trained_again(tmp_path):
    first = run(tmp_path)
    again = Crashing(0)
    assert_same(run(tmp_path, again), first)
    assert again._calls == 0


def test_the_best_weights_come_back_after_a_break(tmp_path):
    class Worse(Square):
        """Validation is best after the first epoch."""

        def begin(self, epoch):
            self.epoch = epoch

        def forward(self, output, truth, batch):
            if self.training:
                return super().forward(output, truth, batch)
            return {"judged": torch.tensor(1.0 + self.epoch)}

    memory, disk = (train(objective=Worse(), epochs=3, folder=folder) for folder in (None, tmp_path))
    again = train(Tiny(seed=8), Worse(), epochs=3, folder=tmp_path)
    assert same(bits(memory.network), bits(disk.network)) and same(bits(again.network), bits(disk.network))
    assert (tmp_path / "best").read_text() == "step-000003\n" and (tmp_path / "last").read_text() == "step-000009\n"
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-000003", "step-000009"]


def test_without_resume_a_training_begins_anew_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "step-one").mkdir()
    first = train(folder=tmp_path, epochs=1)
    again = train(folder=tmp_path, epochs=2, resume=False)
    assert len(again.history) == 2 and len(first.history) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine" and (tmp_path / "step-one").is_dir()
    assert not (tmp_path / "step-000003").exists()


def test_what_training_wrote_can_be_loaded_as_a_network_that_knows_its_data(tmp_path):
    from rppg_lib.registry import find

    physnet = find("physnet").made_of
    data = TrainingData(Windows([clip(0, seconds=1.1, size_px=16)], frames=32))
    network = physnet(physnet.Config())
    fit(network, WaveObjective({"pearson": 1.0}), data, FitConfig(epochs=1, batch=1, device="cpu"), folder=tmp_path,
        progress=False)
    loaded = load_network(tmp_path)
    assert same(bits(loaded), bits(network))
    assert loaded.facts["fs"] == 30 and loaded.facts["seed"] == 0
    assert loaded.facts["data"] == {"train": data.train.content_hash}


class Weighed(Square):
    """A number that it does not print decides what it wants."""

    def __init__(self, early):
        super().__init__()
        self.early = early

    def forward(self, output, truth, batch):
        terms = super().forward(output, truth, batch)
        return terms | {"early": self.early * terms["early"]}


def test_an_objective_with_another_number_in_it_is_another_objective(tmp_path):
    train(folder=tmp_path, epochs=1, objective=Weighed(0.1))
    train(folder=tmp_path, epochs=1, objective=Weighed(0.1))
    with pytest.raises(ValueError, match=r"objective.has.early is '?0.1'? there, '?0.9'? here"):
        train(folder=tmp_path, epochs=1, objective=Weighed(0.9))


@pytest.mark.parametrize("change, text", [
    ({"lr": 0.5}, "config.lr is 0.02 there, 0.5 here"),
    ({"seed": 9}, "config.seed is 3 there, 9 here"),
    ({"epochs": 5}, "config.epochs is 1 there, 5 here"),
    ({"augment": Augment(flip=0.1)}, "config.augment"),
    ({"frozen": ("decoder",)}, "config.frozen"),
    ({"objective": WaveObjective({"mse": 1.0})}, "objective.is is 'Square()' there, 'WaveObjective(mse: 1.0)' here"),
    ({"data": TrainingData(windows([5]))}, "data.train is another"),
    ({"network": nn.Sequential()}, "network.kind is 'Tiny' there, 'Sequential' here"),
])
def test_a_checkpoint_of_another_training_is_refused_and_the_difference_named(tmp_path, change, text):
    train(folder=tmp_path, epochs=1)
    if isinstance(change.get("network"), nn.Sequential):
        change["network"] = nn.Sequential(nn.Linear(1, 1))
    with pytest.raises(ValueError) as caught:
        train(folder=tmp_path, **{"epochs": 1} | change)
    assert text in str(caught.value) and "holds another training" in str(caught.value)
    assert "resume=False" in str(caught.value)


def test_another_teacher_is_another_training(tmp_path):
    class Taught(Square):
        def __init__(self, teacher):
            super().__init__()
            self.teacher = teacher.requires_grad_(False)

    train(objective=Taught(Tiny(seed=1)), folder=tmp_path, epochs=1)
    train(objective=Taught(Tiny(seed=1)), folder=tmp_path, epochs=1)
    stored = json.loads((tmp_path / "step-000003" / "training.json").read_text())
    assert not any("teacher" in name for name in stored["identity"]["trained"])
    assert b"teacher" not in (tmp_path / "step-000003" / "training.safetensors").read_bytes()
    with pytest.raises(ValueError, match="objective.frozen is '.*' there"):
        train(objective=Taught(Tiny(seed=2)), folder=tmp_path, epochs=1)


def test_settings_that_change_no_weight_may_change(tmp_path):
    with pytest.raises(Crash):
        run(tmp_path, Crashing(4), checkpoint_every_steps=1)
    assert_same(run(tmp_path, checkpoint_every_steps=3, checkpoint_every_s=None), run(None))


@pytest.fixture
def written(tmp_path):
    train(folder=tmp_path, epochs=1)
    return tmp_path


def damage_json(change):
    def damage(folder):
        path = folder / "step-000003" / "training.json"
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))
    return damage


def cut(name, share):
    def damage(folder):
        path = folder / "step-000003" / name
        path.write_bytes(path.read_bytes()[:int(share * path.stat().st_size)])
    return damage


def huge_header(folder):
    (folder / "step-000003" / "training.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")


def pickled(folder):
    torch.save({"a": torch.zeros(2)}, folder / "step-000003" / "training.safetensors")


def other_pointer(text):
    return lambda folder: (folder / "last").write_bytes(text)


@pytest.mark.parametrize("damage", [
    cut("training.json", 0.5), cut("training.json", 0), cut("training.safetensors", 0.7),
    cut("training.safetensors", 0), cut("weights.safetensors", 0.9), huge_header, pickled,
    damage_json(lambda told: told.pop("progress")),
    damage_json(lambda told: told["progress"].update(epoch=-1)),
    damage_json(lambda told: told["progress"].update(epoch="1")),
    damage_json(lambda told: told["progress"].update(history=[])),
    damage_json(lambda told: told["progress"].update(best_name="../../elsewhere")),
    damage_json(lambda told: told["progress"].update(step=10**30)),
    damage_json(lambda told: told["state"].update(groups=[])),
    damage_json(lambda told: told["state"].update(schedule={"lr_lambdas": []})),
    damage_json(lambda told: told.update(state=3)),
    other_pointer(b"../step-000003"), other_pointer(b"/etc"), other_pointer(b""), other_pointer(b"\xff\xfe"),
    other_pointer(b"step-000099"),
    lambda folder: (folder / "step-000003" / "training.json").write_text("[" * 100_000),
    lambda folder: (folder / "step-000003" / "training.safetensors").unlink(),
    lambda folder: (folder / "step-000003" / "weights.safetensors").unlink(),
])
def test_a_damaged_or_hostile_checkpoint_is_refused_in_words(written, damage):
    damage(written)
    network = Tiny(seed=4)
    with pytest.raises(ValueError, match=r"^fit: .*(damaged|must name a checkpoint).*resume=False"):
        train(network, folder=written, epochs=1)
    train(network, folder=written, epochs=1, resume=False)           # and the advice helps


def test_weights_of_another_shape_are_refused(written):
    import safetensors.torch

    path = written / "step-000003" / "training.safetensors"
    tensors = safetensors.torch.load_file(path)
    tensors["optimiser.0.exp_avg"] = torch.zeros(1, 2)
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(ValueError, match=r"damaged: optimiser.0.exp_avg has shape \(1, 2\)"):
        train(folder=written, epochs=1)


def test_checkpoints_are_written_by_the_clock_too(tmp_path):
    with pytest.raises(Crash):
        run(tmp_path, Crashing(2), checkpoint_every_s=0.0)
    assert (tmp_path / "last").read_text() == "step-000002\n"


def test_nothing_in_the_training_can_unpickle():
    from ..checkout import ROOT

    for path in (ROOT / "rppg_lib" / "training").glob("*.py"):
        source = path.read_text("utf-8")
        assert "torch.load(" not in source and "pickle" not in source.replace("unpickled", ""), path.name


def test_the_loop_is_short_enough_to_be_read():
    from ..checkout import ROOT

    assert len((ROOT / "rppg_lib" / "training" / "fit.py").read_text("utf-8").splitlines()) <= 200


def test_small_data_is_small():
    assert len(small_data().train) == 12
