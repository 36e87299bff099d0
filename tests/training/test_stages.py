"""Stages: what one learns the next begins with; killed anywhere, they go on."""

import json
import os

import pytest
import torch
from torch import nn

from rppg_lib.data.normalise import target
from rppg_lib.models.weights import checkpoint_folder
from rppg_lib.training import Objective, Stage, TrainingData, load_part, train_in_stages

from .small import Square, Tiny, bits, config, same, small_data, train, windows
from .test_real_processes import in_process


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


class Waves(nn.Module):
    """Rebuilds waves, nothing else: what a first stage may train beside the network."""

    normalise, target = (), "wave"

    def __init__(self, seed=1, width=4):
        super().__init__()
        torch.manual_seed(seed)
        self.width = width
        self.front, self.decoder = nn.Conv1d(1, width, 5, padding=2), nn.Conv1d(width, 1, 5, padding=2)

    @property
    def settings(self):
        return {"width": self.width, "kind": "waves"}

    def forward(self, wave):
        return self.decoder(self.front(wave[:, None]).tanh()).squeeze(1)


class Imitate(Square):
    """Learns from what another has become by the time this is made; has a layer of its own."""

    def __init__(self, teacher):
        super().__init__()
        self._taught = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
        self.own = nn.Linear(1, 1)
        self._began = bits(self.own)

    def forward(self, output, truth, batch):
        return super().forward(output, truth, batch) | {"own": self.own(truth.mean().reshape(1)).square().mean()}


class Frozen(Tiny):
    """Tiny, whose decoder never learns."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.freeze("decoder")


def beside(waves=None, *, made=None, epochs=1):
    """Two stages: waves alone, then pictures with what decodes waves."""
    waves = Waves() if waves is None else waves
    made = [] if made is None else made
    return [Stage(name="waves", objective=Rebuild(), config=config(epochs=3), network=waves),
            Stage(name="pictures", config=config(epochs=epochs), load={"decoder": "waves"},
                  objective=lambda: made.append(Imitate(waves)) or made[-1])]


@pytest.mark.parametrize("kept", [True, False])
def test_a_stage_may_train_another_network_whose_part_the_next_begins_with(tmp_path, kept):
    waves, network, made = Waves(), Frozen(), []
    before = bits(waves), bits(network)
    first, second = train_in_stages(network, beside(waves, made=made), small_data(), progress=False,
                                    folder=tmp_path if kept else None)
    assert first.network is waves and second.network is network
    assert not torch.equal(before[0]["decoder.weight"], bits(waves)["decoder.weight"])
    assert same(bits(network.decoder), bits(waves.decoder))          # loaded, and frozen since
    assert not torch.equal(before[1]["encoder.0.weight"], bits(network)["encoder.0.weight"])
    assert len(made) == 1 and same(made[0]._taught, bits(waves))     # made of what the first stage has learned


def test_what_an_objective_begins_with_is_the_same_whenever_it_is_made():
    made = []
    for seed in (0, 1):
        network, stages = Frozen(), beside(made=made)
        torch.manual_seed(seed)
        train_in_stages(network, stages, small_data(), progress=False)
    assert same(made[0]._began, made[1]._began)


def test_a_later_stage_takes_what_the_earlier_one_ended_with_not_what_became_of_it():
    seen = []

    class Looking(Square):
        def begin(self, epoch):
            seen.append(bits(one.encoder))

    one = Tiny()
    keep = {"epochs": 1, "schedule": "constant"}
    stages = [Stage(name="first", objective=Square(), config=config(**keep)),
              Stage(name="second", objective=Square(), config=config(**keep)),
              Stage(name="third", objective=Looking(), config=config(**keep), load={"encoder": "first"})]
    train_in_stages(one, stages, small_data(), progress=False)
    alone = Tiny()
    train_in_stages(alone, stages[:1], small_data(), progress=False)
    assert same(seen[0], bits(alone.encoder))


def test_a_folder_with_the_name_of_a_stage_can_be_told_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = train(folder="waves", epochs=1).network
    network = Frozen(seed=4)
    stages = beside()
    there = Stage(name="pictures", objective=Square(), config=config(epochs=1), load={"decoder": "./waves"})
    train_in_stages(network, [stages[0], there], small_data(), progress=False)
    assert same(bits(network.decoder), bits(trained.decoder))


def test_a_single_stage_lies_in_the_folder_itself(tmp_path):
    network = Tiny()
    stages = [Stage(name="alone", objective=Square(), config=config())]
    train_in_stages(network, stages, small_data(), folder=tmp_path, progress=False)
    assert checkpoint_folder(tmp_path).parent == tmp_path
    stored = Tiny(seed=9)
    load_part(stored, "", tmp_path)
    assert same(bits(stored), bits(network))


def test_the_last_stage_is_what_a_training_has_come_to(tmp_path):
    stages = beside()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        checkpoint_folder(tmp_path / "run")

    def crash():
        raise Crash

    broken = [stages[0], Stage(name="pictures", objective=crash, config=config(), load={"decoder": "waves"})]
    with pytest.raises(Crash):
        train_in_stages(Frozen(), broken, small_data(), folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"2 stages; only stage 1 \(waves\) is there. Go on with the 'rppg train'"):
        checkpoint_folder(tmp_path)
    assert checkpoint_folder(tmp_path / "1-waves").parent.name == "1-waves"
    network = Frozen()
    train_in_stages(network, stages, small_data(), folder=tmp_path, progress=False)
    assert checkpoint_folder(tmp_path).parent == tmp_path / "2-pictures"
    stored = Frozen(seed=8)
    load_part(stored, "", tmp_path)
    assert same(bits(stored), bits(network))
    (tmp_path / "2-pictures" / "best").unlink()
    (tmp_path / "1-waves" / "best").unlink()
    with pytest.raises(ValueError, match="none has a checkpoint yet"):
        checkpoint_folder(tmp_path)
    (tmp_path / "stages").write_text("../elsewhere\n")
    with pytest.raises(ValueError, match="must name folders beside it"):
        checkpoint_folder(tmp_path)


def test_stages_do_not_mix_with_those_of_another_training(tmp_path):
    def trained(names, *, folder, **options):
        stages = [Stage(name=name, objective=Square(), config=config(epochs=1)) for name in names]
        network = Tiny()
        train_in_stages(network, stages, small_data(), folder=tmp_path / folder, progress=False, **options)
        return network

    trained("ab", folder="two")
    trained("a", folder="one")
    for names, folder, text in (("a", "two", "1-a, 2-b there, a single one here"),
                                ("ac", "two", "1-a, 2-b there, 1-a, 2-c here"),
                                ("ab", "one", "a single one there|holds a training in other stages")):
        with pytest.raises(ValueError, match=text):
            trained(names, folder=folder)
    trained("abc", folder="two")                                     # one more stage is no other training
    assert checkpoint_folder(tmp_path / "two").parent.name == "3-c"
    trained("a", folder="two", resume=False)
    assert checkpoint_folder(tmp_path / "two").parent.name == "two"
    assert not list((tmp_path / "two").glob("?-?/step-*"))
    last = trained("ab", folder="one", resume=False)
    stored = Tiny(seed=6)
    load_part(stored, "", tmp_path / "one")
    assert same(bits(stored), bits(last)) and not list((tmp_path / "one").glob("step-*"))


def test_to_begin_anew_empties_the_stages_to_come_first(tmp_path):
    train_in_stages(Frozen(), beside(), small_data(), folder=tmp_path, progress=False)

    def crash():
        raise Crash

    stages = beside()
    broken = [stages[0], Stage(name="pictures", objective=crash, config=config())]
    with pytest.raises(Crash):
        train_in_stages(Frozen(), broken, small_data(), folder=tmp_path, resume=False, progress=False)
    assert not list((tmp_path / "2-pictures").glob("step-*"))


def test_a_checkpoint_of_another_size_is_refused_with_the_settings_that_differ(tmp_path):
    folder = tmp_path / "wide"
    Waves.name = "waves"
    try:
        train_in_stages(Waves(width=6), [Stage(name="a", objective=Rebuild(), config=config(epochs=1))], small_data(),
                        folder=folder, progress=False)
        with pytest.raises(ValueError) as told:
            load_part(Waves(), "decoder", folder)
    finally:
        del Waves.name
    words = str(told.value)
    assert f"decoder in {folder}" in words and "weight (1, 6, 5) for (1, 4, 5)" in words
    assert words.endswith("Give both the same settings: width is 6 there, 4 here.")


def test_where_no_bar_can_be_drawn_each_line_says_its_stage(capsys):
    train_in_stages(Frozen(), beside(), small_data(), progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(("stage 1 of 2: waves", "stage waves, epoch ", "stage 2 of 2: pictures",
                                "stage pictures, epoch ")) for line in lines)
    assert sum("epoch" in line for line in lines) == sum(stage.config.epochs for stage in beside())


def test_each_stage_says_which_it_is(capsys):
    train_in_stages(Frozen(), beside(), small_data(), progress=True)
    said = capsys.readouterr().err
    assert said.index("stage 1 of 2: waves") < said.index("epoch") < said.index("stage 2 of 2: pictures")
    train_in_stages(Tiny(), [Stage(name="alone", objective=Square(), config=config())], small_data(), progress=True)
    assert "stage" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_command_killed_in_both_stages_goes_on_to_the_bits_of_an_unbroken_one(tmp_path):
    told = json.loads(in_process(["tests.training.killed_stages", str(tmp_path)]).stdout)
    assert all(killed for killed, _ in told["lives"]), told
    assert {letters[-1] for _, letters in told["lives"]} == {"h", "q"}, told
    assert told["same"] and told["same tables"]
