"""The order of samples, reading ahead, and settings that are refused."""

import threading

import pytest

from rppg_lib.training.order import Order, ahead

from .small import config


def test_batches_are_made_ahead_and_in_order():
    made, main = [], threading.get_ident()

    def make(number):
        made.append((number, threading.get_ident() != main))
        return number

    seen = []
    for number in ahead(make, range(6)):
        seen.append(number)
    assert seen == list(range(6)) and all(elsewhere for _, elsewhere in made)


def test_an_error_while_reading_reaches_the_caller():
    def make(number):
        if number == 2:
            raise OSError("the disk is gone")
        return number

    with pytest.raises(OSError, match="the disk is gone"):
        list(ahead(make, range(5)))


def test_every_sample_is_seen_once_per_epoch_in_an_order_of_its_own():
    order = Order(samples=10, batch=4, seed=1)
    epochs = [[i for step in order.epoch(n) for share in step.shares for i in share] for n in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] and order.epoch(1) == order.epoch(1)


@pytest.mark.parametrize("samples, batch, accumulate", [(10, 4, 1), (11, 4, 2), (9, 2, 3), (13, 5, 1)])
def test_processes_share_exactly_the_batches_that_one_would_see(samples, batch, accumulate):
    settings = {"samples": samples, "batch": batch, "accumulate": accumulate, "seed": 7}
    alone = Order(**settings).epoch(2)
    shared = zip(*[Order(**settings, rank=rank, world=2).epoch(2) for rank in range(2)])
    for one, parts in zip(alone, shared):
        assert all(part.samples in (one.samples, one.samples - 1) for part in parts)
        for i, (left, right) in enumerate(zip(*[part.shares for part in parts])):
            assert {*left, *right} == set(one.shares[i]) and 0 <= len(left) - len(right) <= 1


def test_a_batch_smaller_than_the_number_of_processes_is_refused():
    with pytest.raises(ValueError, match="at least one sample for each of 4 processes, got batch=2"):
        Order(samples=10, batch=2, seed=0, world=4)


@pytest.mark.parametrize("wrong, text", [
    ({"schedule": "cosin"}, r"schedule must be one of .*Did you mean 'cosine'\?"),
    ({"precision": "half"}, "precision must be one of no, bf16, fp16, got 'half'"),
    ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
    ({"batch": 2.5}, "batch must be a whole number"),
    ({"lr": 0}, "lr must be a number above 0, got 0"),
    ({"lr": float("nan")}, "lr must be a number above 0, got nan"),
    ({"seed": -1}, "seed must be a whole number of at least 0"),
])
def test_settings_that_cannot_be_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        config(**wrong)


def test_a_single_name_to_freeze_is_recognised():
    with pytest.raises(TypeError, match=r"Write \('encoder',\)"):
        config(frozen="encoder")
