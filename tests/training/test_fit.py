"""The training loop against loops and sums written out by hand."""

import math
import re
import sys

import numpy as np
import pytest
import torch
from torch import nn

from rppg_lib.data import Augment
from rppg_lib.data.normalise import normalise, target
from rppg_lib.losses import UncertaintyWeights
from rppg_lib.models.weights import WEIGHTS, checkpoint_folder, read_tensors
from rppg_lib.training import Objective, TrainingData, WaveObjective, fit
from rppg_lib.training.order import Order
from rppg_lib.training.watch import Watch

from .small import Square, Tiny, bits, config, same, small_data, train, windows


def bare_loop(network, data, order, *, lr):
    """The loop that everybody writes, without anything else."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.0)
    network.train()
    for share in order:
        batch = data.train.batch(share)
        estimate = network(normalise(batch.frames, network.normalise))
        loss = (estimate - target(batch.label, network.target)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_fit_does_what_a_loop_of_ten_lines_does():
    data = small_data(validation=0)
    order = Order(samples=len(data.train), batch=4, seed=3)
    shares = [share for epoch in range(2) for step in order.epoch(epoch) for share in step.shares]
    by_hand, fitted = Tiny(dropout=0), Tiny(dropout=0)
    bare_loop(by_hand, data, shares, lr=0.02)
    train(fitted, data=data, schedule="constant")
    for name, tensor in bits(by_hand).items():
        torch.testing.assert_close(bits(fitted)[name], tensor, rtol=1e-5, atol=1e-6)


def test_training_finds_the_pulse_of_people_it_has_not_seen():
    rows = train(epochs=15).history
    assert rows[-1]["validation_hr_error_bpm"] < 1 and rows[-1]["validation_wave_r"] > 0.9
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"] / 2


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not():
    augment = Augment()
    one, again, other = (train(seed=seed, augment=augment, epochs=2) for seed in (3, 3, 4))
    assert same(bits(one.network), bits(again.network)) and one.history == again.history
    assert not same(bits(one.network), bits(other.network))
    assert not same(bits(one.network), bits(train(seed=3, epochs=2).network))        # without augmentation


def test_augmentation_is_another_in_each_epoch_and_the_same_within_one():
    seeds = []

    def augment(batch, *, seed):
        seeds.append(seed)
        return batch

    train(augment=augment, epochs=2)
    assert len(seeds) == 6 and len(set(seeds[:3])) == len(set(seeds[3:])) == 1 and seeds[0] != seeds[3]


def test_the_global_random_numbers_are_left_as_they_were_and_do_not_matter():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = train(Tiny(seed=5), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(bits(one.network), bits(train(Tiny(seed=5), epochs=1).network))


@pytest.mark.parametrize("samples", [12, 11])
def test_accumulated_batches_are_one_large_batch(samples):
    data = TrainingData(windows(range(3)), None)
    data.train.starts = data.train.starts[:samples]                  # 11: the last step is smaller, and uneven
    large, small = (train(Tiny(norm=False, dropout=0), data=data, batch=batch, accumulate=times)
                    for batch, times in ((8, 1), (2, 4)))
    for name, tensor in bits(large.network).items():
        torch.testing.assert_close(bits(small.network)[name], tensor, rtol=1e-4, atol=1e-6)
    assert small.history[0]["loss"] == pytest.approx(large.history[0]["loss"], rel=1e-6)


def test_the_history_holds_means_over_samples_not_over_batches():
    class Number(Objective):
        def forward(self, output, truth, batch):
            return {"number": batch.index.float().mean() + 0 * output.mean()}

    data = TrainingData(windows(range(3)), windows([10], step=70))   # 12 and 3 samples, in batches of 5 and 5, 5, 2
    row = train(objective=Number(), data=data, batch=5, epochs=1).history[0]
    assert row["number"] == pytest.approx(np.arange(12).mean())
    assert row["validation_number"] == pytest.approx(np.arange(3).mean())


def test_frozen_parts_stay_as_they_are_with_statistics_and_dropout():
    seen = []

    class Watching(Square):
        def forward(self, output, truth, batch):
            seen.append({module.training for module in network.encoder})
            return super().forward(output, truth, batch)

    network = Tiny(dropout=0.5)
    before = bits(network)
    train(network, Watching(), frozen=("encoder",))
    after = bits(network)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("encoder."))
    assert not torch.equal(before["decoder.weight"], after["decoder.weight"])
    assert set().union(*seen) == {False}
    assert all(parameter.requires_grad for parameter in network.parameters())        # as it was given


def test_what_a_caller_froze_stays_frozen():
    network = Tiny()
    network.encoder.requires_grad_(False)
    before = bits(network)
    train(network)
    assert all(torch.equal(before[name], bits(network)[name]) for name in before if name.startswith("encoder."))
    assert not any(parameter.requires_grad for parameter in network.encoder.parameters())


def test_freezing_one_weight_does_not_stop_its_neighbours_statistics():
    network = Tiny()
    before = bits(network)
    train(network, frozen=("encoder.0",), weight_decay=0.1)
    after = bits(network)
    assert torch.equal(before["encoder.0.weight"], after["encoder.0.weight"])
    assert not torch.equal(before["encoder.1.running_mean"], after["encoder.1.running_mean"])


def test_a_part_that_is_not_there_cannot_be_frozen():
    with pytest.raises(ValueError, match=r"no part 'encodr' that could be frozen. Did you mean 'encoder'\?.*decoder"):
        train(frozen=("encodr",))
    with pytest.raises(ValueError, match="needs something to train"):
        train(frozen=("encoder", "decoder"))


def test_an_objective_may_learn_weights_of_its_own():
    class Balanced(Square):
        def __init__(self):
            super().__init__()
            self.weigh = UncertaintyWeights({"early": "regression", "late": "regression"})

        def forward(self, output, truth, batch):
            return self.weigh(super().forward(output, truth, batch))

    objective = Balanced()
    train(objective=objective, epochs=20, lr=0.1, weight_decay=0.5, schedule="constant")
    assert all(scale < 0.5 for scale in objective.weigh.scales().values())           # they began at 1


def test_a_watched_term_is_in_the_history_and_changes_neither_loss_nor_weights(tmp_path):
    class Watched(Square):
        def forward(self, output, truth, batch):
            return super().forward(output, truth, batch) | {"watched_size": 100 * output.square().mean()}

    plain, watched = (train(Tiny(), objective, epochs=2, folder=tmp_path / name)
                      for name, objective in (("plain", Square()), ("watched", Watched())))
    assert same(bits(plain.network), bits(watched.network))
    for one, other in zip(plain.history, watched.history):
        assert {name: other[name] for name in one} == one
        assert set(other) - set(one) == {"watched_size", "validation_watched_size"} and other["watched_size"] > 1


def test_a_teacher_inside_an_objective_is_neither_trained_nor_in_training_mode():
    class Imitate(Objective):
        def __init__(self, teacher):
            super().__init__()
            self.teacher = teacher.requires_grad_(False)

        def forward(self, output, truth, batch):
            assert not any(module.training for module in self.teacher.modules())
            taught = self.teacher(normalise(batch.frames, self.teacher.normalise))
            assert not taught.requires_grad
            return {"imitate": (output - taught).square().mean()}

    teacher = train(epochs=10).network
    before = bits(teacher)
    row = train(Tiny(seed=9), Imitate(teacher), epochs=15).history[-1]
    assert row["validation_hr_error_bpm"] < 1
    assert same(before, bits(teacher))


def test_an_objective_may_feed_labels_and_read_a_named_output():
    """As the first stage of a codebook of heartbeats: an autoencoder of labels."""
    class Output:
        def __init__(self, pulse, code):
            self.pulse, self.code = pulse, code

    class Autoencoder(nn.Module):
        target = "wave"

        def __init__(self):
            super().__init__()
            self.encode, self.decode = nn.Conv1d(1, 8, 4, stride=4), nn.ConvTranspose1d(8, 1, 4, stride=4)

        def forward(self, label):
            code = self.encode(label[:, None])
            return Output(self.decode(code)[:, 0], code)

    class Rebuild(Objective):
        def feed(self, network, batch):
            return target(batch.label, "wave")

        def forward(self, output, truth, batch):
            return {"rebuild": (output.pulse - truth).square().mean(), "small": 1e-4 * output.code.square().mean()}

    row = train(Autoencoder(), Rebuild(), epochs=40, lr=0.05).best
    assert row["validation_rebuild"] < 0.05 and row["validation_wave_r"] > 0.95


def test_a_network_that_estimates_the_change_is_given_the_change():
    class Steps(Square):
        def forward(self, output, truth, batch):
            steps = batch.label.diff(dim=-1)
            steps = steps / steps.std(dim=-1, correction=0, keepdim=True)
            torch.testing.assert_close(truth[:, :-1], steps)
            return super().forward(output, truth, batch)

    network = Tiny()
    network.target = "change"
    assert train(network, Steps(), epochs=15).history[-1]["validation_hr_error_bpm"] < 2


def test_begin_is_called_before_each_epoch():
    class Counting(Square):
        epochs = []

        def begin(self, epoch):
            self.epochs.append(epoch)

    train(objective=Counting(), epochs=3)
    assert Counting.epochs == [0, 1, 2]


class Worse(Square):
    """Judged better on the first two epochs, then worse."""

    def begin(self, epoch):
        self.epoch = epoch

    def forward(self, output, truth, batch):
        terms = super().forward(output, truth, batch)
        return terms if self.training else {"judged": torch.tensor([3.0, 1.0, 2.0, 2.0, 2.0, 2.0][self.epoch])}


def test_training_stops_when_validation_no_longer_gets_better_and_the_best_weights_stay():
    best, last = (train(Tiny(), Worse(), epochs=6, patience=2, keep=keep) for keep in ("best", "last"))
    assert [row["epoch"] for row in best.history] == [1, 2, 3, 4]
    assert best.best["epoch"] == 2 and best.best["validation_loss"] == 1.0
    assert not same(bits(best.network), bits(last.network))
    two = train(Tiny(), Worse(), epochs=6, patience=2, data=small_data(), keep="best")
    assert same(bits(two.network), bits(best.network))


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_folder_gives_the_weights_that_the_training_gave(keep, tmp_path):
    given = train(Tiny(), Worse(), epochs=4, keep=keep, folder=tmp_path)
    assert same(read_tensors(checkpoint_folder(tmp_path) / WEIGHTS), bits(given.network))
    again = train(Tiny(), Worse(), epochs=4, keep=keep, folder=tmp_path)       # finished: only read
    assert same(bits(again.network), bits(given.network))
    assert same(read_tensors(checkpoint_folder(tmp_path) / WEIGHTS), bits(given.network))


@pytest.mark.parametrize("schedule, expected", [
    ("constant", [0.02, 0.02, 0.02]),
    ("cosine", [0.02 * (1 + math.cos(math.pi * k / 3)) / 2 for k in (1, 2, 3)]),
])
def test_schedules_end_where_they_should(schedule, expected):
    rows = train(epochs=3, schedule=schedule).history
    assert [row["lr"] for row in rows] == pytest.approx(expected, abs=1e-9)


def test_onecycle_rises_to_its_largest_rate_and_falls_to_almost_nothing():
    rates = [row["lr"] for row in train(epochs=10).history]
    assert rates[0] < max(rates) and max(rates) == pytest.approx(0.02, rel=0.05) and rates[-1] < 0.02 / 50


def test_a_long_gradient_is_shortened():
    class Steep(Objective):
        def forward(self, output, truth, batch):
            return {"steep": 1e6 * (output - truth).square().mean()}

    network = Tiny(norm=False)
    before = bits(network)
    torch_sgd_like = train(network, Steep(), epochs=1, clip_norm=1e-9, lr=1e-3, weight_decay=0.0)
    moved = max(float((tensor - before[name]).abs().max()) for name, tensor in bits(torch_sgd_like.network).items())
    assert moved < 1e-3                                              # Adam's eps holds against a gradient below it


@pytest.mark.parametrize("bad, shown", [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(bad, shown):
    class Breaking(Square):
        def forward(self, output, truth, batch):
            terms = super().forward(output, truth, batch)
            if "person 2" in batch.subject:
                terms["late"] = terms["late"] * bad
            return terms

    with pytest.raises(ValueError, match=rf"the term 'late' is {shown} at step \d+ \(epoch 1\), samples .*person 2"):
        train(objective=Breaking())


def test_a_gradient_that_is_no_number_stops_the_training_before_it_spoils_the_weights():
    class Root(Objective):
        def forward(self, output, truth, batch):
            return {"root": (0 * output).square().sum().sqrt()}      # 0, with a slope of 0 / 0

    network = Tiny(norm=False)
    with pytest.raises(ValueError, match="the gradient is nan at step 1 "):
        train(network, Root())
    assert all(torch.isfinite(tensor).all() for tensor in bits(network).values())


def test_a_network_whose_output_has_another_length_is_refused():
    class Short(Tiny):
        def forward(self, frames):
            return super().forward(frames)[:, ::2]

    with pytest.raises(ValueError, match=r"one value per frame, labels are \(4, 64\), its pulse is \(4, 32\)"):
        train(Short())


def test_nothing_to_train_on_is_said():
    empty = windows([0])
    empty.starts = []
    with pytest.raises(ValueError, match="needs at least one sample to train, got none"):
        TrainingData(empty)


def test_different_frame_rates_are_refused():
    slow = windows([0])
    slow.fs = 25.0
    with pytest.raises(ValueError, match="one frame rate, got 30 fps to train and 25 fps for validation"):
        TrainingData(windows([1]), slow)


def test_fp16_without_a_gpu_is_refused():
    with pytest.raises(ValueError, match="fp16 needs a GPU. Use bf16"):
        train(precision="fp16")


def test_bfloat16_is_used_inside_the_network_and_nowhere_else():
    seen = {}

    class Seeing(Tiny):
        def forward(self, frames):
            features = self.encoder[0](frames.mean((-2, -1)))
            seen["inside"] = features.dtype
            return self.decoder(self.encoder[1:](features)).squeeze(1)

    class Exact(Square):
        def forward(self, output, truth, batch):
            seen["objective"] = (output @ output.T).dtype
            return super().forward(output, truth, batch)

    fitted = train(Seeing(), Exact(), precision="bf16", epochs=15)
    assert seen == {"inside": torch.bfloat16, "objective": torch.float32}
    assert all(tensor.dtype != torch.bfloat16 for tensor in bits(fitted.network).values())
    assert fitted.history[-1]["validation_hr_error_bpm"] < 1
    train(Seeing(), Exact())                                         # the next may differ from it
    assert seen["inside"] == torch.float32


def test_every_loss_by_name_teaches():
    for name in ("pearson", "mse", "spectral", "spectral_field", "label_distribution", "snr", "dilate"):
        rows = train(objective=WaveObjective({name: 1.0}), epochs=3, data=TrainingData(windows([0, 1]), None)).history
        assert math.isfinite(rows[-1][name]), name
        assert rows[-1]["loss"] < rows[0]["loss"], name


def test_flat_estimates_are_counted_and_give_no_rate():
    class Flat(Tiny):
        def forward(self, frames):
            return super().forward(frames) * 0

    row = train(Flat(), epochs=1).history[0]
    assert row["validation_unread"] == 4
    assert row["validation_hr_error_bpm"] is None and row["validation_wave_r"] is None


def test_validation_reads_rates_as_the_signal_part_does():
    """A network that gives a sine of 90 bpm for a person of 60 errs by 30."""
    class Fixed(Tiny):
        def forward(self, frames):
            t = torch.arange(frames.shape[2]) / 30
            return torch.sin(2 * torch.pi * 1.5 * t).repeat(len(frames), 1) + 0 * super().forward(frames)

    data = TrainingData(windows([0]), windows([8]))                  # people of 60 bpm
    assert train(Fixed(), data=data, epochs=1).history[0]["validation_hr_error_bpm"] == pytest.approx(30, abs=2)


def test_what_comes_says_what_made_it():
    fitted = train(epochs=1)
    data = small_data()
    assert fitted.facts["seed"] == 3
    assert fitted.facts["data"] == {"train": data.train.content_hash, "validation": data.validation.content_hash}
    assert {"torch", "accelerate", "revision"} <= set(fitted.facts["made"])


def test_the_bar_shows_losses_and_the_error_in_bpm(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(epochs=3, progress=True)
    shown = capsys.readouterr()
    assert "loss=" in shown.err and "error/bpm=" in shown.err and shown.out == ""
    train(epochs=1)
    assert capsys.readouterr().err == ""


def test_where_no_bar_can_be_drawn_each_epoch_writes_a_line_of_its_history(capsys):
    history = train(epochs=3, progress=True).history
    shown = capsys.readouterr()
    assert shown.out == "" and "\r" not in shown.err
    lines = shown.err.splitlines()
    assert len(lines) == 3
    for row, line in zip(history, lines):
        assert line.startswith(f"epoch {row['epoch']} of 3: loss {row['loss']:.4g}, ")
        assert all(f"{name} " in line for name in row if name not in ("epoch", "step", "lr"))
    assert all(re.search(r"; \d+\.\d s, about \d\d:\d\d to the last$", line) for line in lines[:2])
    assert re.search(r"; \d+\.\d s$", lines[2])


def test_the_time_left_counts_the_steps_of_this_process_alone(tmp_path, capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("rppg_lib.training.watch.time.monotonic", lambda: next(clock))
    watch = Watch(epochs=5, steps=50, done=30, folder=None, shown=True)
    with watch:
        watch.epoch({"epoch": 4, "step": 40, "lr": 0.1, "loss": 0.5, "validation_hr_error_bpm": None})
    assert capsys.readouterr().err == ("epoch 4 of 5: loss 0.5, validation_hr_error_bpm none; 10.0 s, "
                                       "about 00:10 to the last\n")


def test_curves_are_kept_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fitted = train(folder=tmp_path, epochs=3)
    found = EventAccumulator(str(tmp_path / "curves"))
    found.Reload()
    tags = found.Tags()["tensors"] + found.Tags()["scalars"]
    assert {"train/loss", "train/early", "lr", "validation/loss", "validation/hr_error_bpm"} <= set(tags)
    assert len(fitted.history) == 3


def test_what_a_network_itself_refuses_reaches_the_reader():
    network = Tiny()
    network.multiple_of = 10
    with pytest.raises(ValueError, match="needs at least 8 frames, in multiples of 10, got 64"):
        fit(network, Square(), TrainingData(windows([0])), config(), progress=False)
