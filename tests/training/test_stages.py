"""Stages: what one learns the next begins with; killed anywhere, they go on."""

import pytest
import torch
from torch import nn

from rppg_lib.data.normalise import target
from rppg_lib.training import Objective, Stage, TrainingData, load_part, train_in_stages

from .small import Square, Tiny, bits, config, same, small_data, train, windows


class Crash(BaseException):
    pass


class Rebuild(Objective):
    """First stage: labels alone, through the part of the network that is made for them."""

    def feed(self, network, batch):
        return target(batch.label, "wave")

    def forward(self, output, truth, batch):
        return {"rebuild": (output - truth).square().mean()}


class Query(Square):
    """Second stage: pictures. Ends the process in the forward pass number ``at``."""

    def __init__(self, at=None):
        super().__init__()
        self._at, self._calls = at, 0

    def forward(self, output, truth, batch):
        if self.training:
            if self._calls == self._at:
                raise Crash
            self._calls += 1
        return super().forward(output, truth, batch)


class Prior(nn.Module):
    """Learns to rebuild labels, then to estimate them from pictures with the same decoder."""

    normalise, target = ("diff",), "wave"

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.of_label, self.of_video = nn.Conv1d(1, 4, 5, padding=2), nn.Conv1d(3, 4, 5, padding=2)
        self.decoder = nn.Sequential(nn.BatchNorm1d(4), nn.Conv1d(4, 1, 5, padding=2))

    def forward(self, fed):
        code = self.of_label(fed[:, None]) if fed.ndim == 2 else self.of_video(fed.mean((-2, -1)))
        return self.decoder(code).squeeze(1)


def two_stages(at=None, **changes):
    return [Stage(name="labels", objective=Rebuild(), config=config(frozen=("of_video",), epochs=3)),
            Stage(name="video", objective=Query(at),
                  config=config(frozen=("of_label", "decoder"), epochs=2, checkpoint_every_steps=2, **changes))]


def test_what_the_first_stage_learns_is_frozen_in_the_second(tmp_path):
    network = Prior()
    before = bits(network)
    first, second = train_in_stages(network, two_stages(), small_data(), folder=tmp_path, progress=False)
    after = bits(network)
    assert first.best["validation_rebuild"] < first.history[0]["rebuild"]
    assert not torch.equal(before["decoder.1.weight"], after["decoder.1.weight"])
    assert not torch.equal(before["of_video.weight"], after["of_video.weight"])
    stored = Prior()
    load_part(stored, "", tmp_path / "1-labels")
    assert all(torch.equal(bits(stored)[name], after[name]) for name in after if not name.startswith("of_video"))
    assert torch.equal(bits(stored)["of_video.weight"], before["of_video.weight"])
    assert "late" in second.history[0] and all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("at, left", [(0, 6), (3, 3), (5, 2)])      # a checkpoint after steps 2, 3, 4, 6
def test_stages_broken_off_go_on_where_they_were(tmp_path, at, left):
    whole = Prior()
    train_in_stages(whole, two_stages(), small_data(), progress=False)
    with pytest.raises(Crash):
        train_in_stages(Prior(), two_stages(at), small_data(), folder=tmp_path, progress=False)
    network, stages = Prior(seed=5), two_stages()                    # other weights: all come from the folder
    train_in_stages(network, stages, small_data(), folder=tmp_path, progress=False)
    assert same(bits(network), bits(whole))
    assert stages[1].objective._calls == left


def test_a_stage_begins_with_the_best_weights_of_the_one_before():
    class Worse(Rebuild):
        def begin(self, epoch):
            self.epoch = epoch

        def forward(self, output, truth, batch):
            terms = super().forward(output, truth, batch)
            return terms if self.training else {"judged": torch.tensor(self.epoch + 1.0)}

    seen = []

    class Looking(Query):
        def begin(self, epoch):
            seen.append(bits(network.decoder))

    def first(**changes):
        return Stage(name="one", objective=Worse(), config=config(frozen=("of_video",), **changes))

    network = Prior()
    one = Prior()
    train_in_stages(network, [first(epochs=3, schedule="constant"),
                              Stage(name="two", objective=Looking(), config=config(epochs=1))],
                    small_data(), progress=False)
    train_in_stages(one, [first(epochs=1, schedule="constant")], small_data(), progress=False)
    assert same(seen[0], bits(one.decoder))


def test_a_stage_may_bring_its_own_samples_and_objective():
    mine = TrainingData(windows([5, 6]))
    stages = [Stage(name="all", objective=Square(), config=config(epochs=1)),
              Stage(name="own", objective=Square(), config=config(epochs=1), data=mine)]
    first, second = train_in_stages(Tiny(), stages, small_data(), progress=False)
    assert first.facts["data"] != second.facts["data"] == {"train": mine.train.content_hash}
    assert second.best is None and second.history[0]["step"] == 2


def test_a_part_of_another_training_is_loaded(tmp_path):
    trained = train(folder=tmp_path, epochs=2).network
    network = nn.ModuleDict({"student": Tiny(seed=7), "line": nn.Conv1d(4, 1, 5)})
    load_part(network, "student.encoder", (tmp_path, "encoder"))
    assert same(bits(network["student"].encoder), bits(trained.encoder))
    load_part(network, "line", (tmp_path / "step-000006", "decoder"))
    assert same(bits(network["line"]), bits(trained.decoder))
    fresh = Tiny(seed=8)
    stage = Stage(name="on", objective=Square(), config=config(frozen=("encoder",)), load={"encoder": tmp_path})
    train_in_stages(fresh, [stage], small_data(), progress=False)
    assert same(bits(fresh.encoder), bits(trained.encoder))


def test_parts_that_do_not_fit_are_refused_in_words(tmp_path):
    train(folder=tmp_path, epochs=1)
    with pytest.raises(ValueError, match=r"weight \(1, 4, 5\) for \(1, 4, 3\)"):
        load_part(nn.ModuleDict({"decoder": nn.Conv1d(4, 1, 3)}), "decoder", tmp_path)
    with pytest.raises(ValueError, match=r"no part 'decodr'. Did you mean 'decoder'\? Its parts: encoder, decoder"):
        load_part(Tiny(), "decodr", tmp_path)
    with pytest.raises(ValueError, match="no part 'head'. Its parts: decoder, encoder"):
        load_part(Tiny(), "decoder", (tmp_path, "head"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load_part(Tiny(), "decoder", tmp_path / "elsewhere")


def test_stages_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="needs stages whose names differ, got a, a"):
        train_in_stages(Tiny(), [Stage(name="a", objective=Square(), config=config())] * 2, small_data())
    with pytest.raises(ValueError, match="stage a has no samples"):
        train_in_stages(Tiny(), [Stage(name="a", objective=Square(), config=config())])
    with pytest.raises(ValueError, match="must do as the name of a folder, got '../a'"):
        Stage(name="../a", objective=Square(), config=config())
