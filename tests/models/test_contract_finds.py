"""Each clause of the contract finds a network that breaks it, and lets through one that does not."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from rppg_lib import registry
from rppg_lib.models import Network, Published
from rppg_lib.models.candidate import CLAUSES
from rppg_lib.models.contract import check_contract


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    registry.available()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


class Good(Network):
    """Mean colour, then a convolution over time (none2000)."""

    normalise: ClassVar = ("standard",)
    published: ClassVar = Published(frames=64, size_px=8)

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 16
        frames: int = 128
        width: int = 4

    @classmethod
    def tiny(cls):
        return cls.Config(size_px=8, frames=64)

    def __init__(self, config=None):
        super().__init__(config)
        self.over_time = nn.Sequential(nn.Conv1d(3, self.config.width, 5, padding=2), nn.GELU())
        self.readout = nn.Conv1d(self.config.width, 1, 5, padding=2)
        self.feature_channels = self.config.width

    def features(self, frames):
        self.check(frames)
        return self.over_time(frames.mean((-2, -1)))

    def forward(self, frames):
        return self.readout(self.features(frames)).squeeze(1)


def registered(kind, name="mine"):
    return registry.register(name, cites="none2000")(kind)


def test_a_network_that_does_as_it_should_keeps_all_clauses_slow_ones_too():
    report = check_contract(registered(Good), slow=True)
    assert report and report.broken == report.not_asked == () and len(report.lines) == len(CLAUSES), report


def varied(**parts):
    """A class that differs from the good one in these attributes and methods."""
    return type("Varied", (Good,), {"__doc__": Good.__doc__, "__module__": __name__, **parts})


def forward(change):
    return varied(forward=lambda self, frames: change(self, Good.forward(self, frames), frames))


def init(more):
    def __init__(self, config=None):
        Good.__init__(self, config)
        more(self)

    return varied(__init__=__init__)


class Loose(Good.Config):
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


class Forgetful(Good):
    """Has a number that is in no file (none2000)."""

    def __init__(self, config=None):
        super().__init__(config)
        self.kept = torch.randn(1)

    def forward(self, frames):
        return super().forward(frames) + self.kept.to(frames)


def seeded(self, config=None):
    torch.manual_seed(0)
    Good.__init__(self, config)


def unseeded(self):
    nn.init.constant_(self.readout.bias, float(np.random.default_rng().normal()))


def compiled_in_two(self, wave, frames):
    torch._dynamo.graph_break()
    return wave


def spoilt(self, wave, frames):
    frames[0, 0, 0, 0, 0] += 1.0
    return wave


def too_coarse(self, wave, frames):
    return wave if wave.dtype == torch.float32 else 3 * wave


BREAKS = [
    ("it says what it is", varied(__doc__="no sentence"), "first line is a sentence"),
    ("it says what it is", varied(__doc__="A sentence."), "names what it cites, 'none2000'"),
    ("it says what it is", varied(published=None), "needed published = Published"),
    ("it says what it is", varied(target="pulse"), "got 'pulse'"),
    ("it says what it is", varied(min_frames=100, tiny=classmethod(lambda cls: cls.Config())), "smaller Config"),
    ("it says what it is", varied(multiple_of=3), "in multiples of 3, got 128"),
    ("a config is frozen", varied(Config=Loose, tiny=classmethod(lambda cls: Loose(size_px=8))), "frozen Config"),
    ("a config of another", varied(__init__=lambda self, config=None: Good.__init__(
        self, None if isinstance(config, dict) else config)), "for a dict in place of Config, got an answer"),
    ("a wave is as long", forward(lambda self, wave, frames: wave[:, 1:]), r"needed shape \(1, 64\).*got \(1, 63\)"),
    ("a wave is as long", forward(lambda self, wave, frames: wave.double()), "needed float32, got torch.float64"),
    ("a wave is as long", forward(lambda self, wave, frames: wave / 0), "64 of 64 that are not"),
    ("a wave is as long", varied(multiple_of=64, check=lambda self, frames: None), "for 160 frames, got an answer as"),
    ("a picture that never changes", forward(
        lambda self, wave, frames: wave / frames.std()), "finite numbers in the wave of a still picture"),
    ("a wave depends", forward(lambda self, wave, frames: 0 * wave + 1), "played backwards, got the same"),
    ("a wave does not depend on its", forward(lambda self, wave, frames: wave / wave.std()), "of their height apart"),
    ("a wave does not depend on its", forward(lambda self, wave, frames: wave + 0 * frames.flip(0).mean()),
     "beside one that is not a number"),
    ("in eval mode", forward(lambda self, wave, frames: nn.functional.dropout(wave, 0.5)), "the same wave each time"),
    ("in eval mode", forward(spoilt), "the same wave each time|leaves as they are"),
    ("features come", init(lambda self: setattr(self, "feature_channels", 7)), r"features \(2, 7, T\)"),
    ("features come", varied(features=Network.features), "NotImplementedError"),
    ("another size", forward(lambda self, wave, frames: wave[:, :, None] + frames[0, 0, 0, :8, :8].mean()),
     r"a wave \(1, 64\)"),
    ("another size", varied(size_is_free=False, check=lambda self, frames: None), "pictures of another size, got an"),
    ("every weight", init(lambda self: setattr(self, "left_over", nn.Linear(2, 2))), "left_over.weight, got none"),
    ("every weight", forward(lambda self, wave, frames: 0 * wave), "got zeros"),
    ("every weight", forward(lambda self, wave, frames: wave.detach().requires_grad_()), "a gradient for over_time"),
    ("a step against", forward(lambda self, wave, frames: (100 * wave).round() + 0 * wave), "a loss that falls"),
    ("the same seed", varied(__init__=seeded), "other weights from another seed, got the same"),
    ("the same seed", init(unseeded), "the same weights from the same seed"),
    ("training and evaluating", varied(train=lambda self, mode=True: self), "in eval mode after eval"),
    ("bfloat16", forward(lambda self, wave, frames: wave.float()), "in bfloat16 where weights and pictures are"),
    ("bfloat16", forward(too_coarse), "of the largest, got"),
    ("gradients under autocast", forward(lambda self, wave, frames: wave if wave.dtype == torch.float32
                                         else wave / (wave - wave.detach())), "the gradient of"),
    ("weights written", Forgetful, "the same wave from weights written and read, got values up to"),
    ("it compiles", forward(compiled_in_two), "stops with"),
    ("it compiles", varied(no_compile="because"), "a sentence in no_compile, got 'because'"),
    ("a wrong input", varied(check=lambda self, frames: None), "for a clip without batch"),
    ("a length between", varied(multiple_of=4, check=lambda self, frames: None), "in multiples of 4, got 63"),
    ("its estimator", forward(lambda self, wave, frames: 0 * wave), "not flat"),
    ("without weights", varied(estimator=classmethod(lambda cls, *, name, cites: object())), "its name alone, got an"),
]


@pytest.mark.parametrize("beginning, kind, words", BREAKS)
def test_a_network_that_breaks_a_clause_is_found_by_it_and_told_how(beginning, kind, words):
    (line,) = check_contract(registered(kind), only=[beginning]).lines
    assert not line.kept and re.search(words, line.why), line


def test_every_clause_has_a_network_that_breaks_it():
    assert [clause.text for clause in CLAUSES if not any(clause.text.startswith(each[0]) for each in BREAKS)] == []


def test_what_is_found_does_not_depend_on_the_chance_of_the_caller():
    """Dropout of a single number keeps it, or drops it: two calls are often alike."""
    rare = registered(forward(lambda self, wave, frames: wave * (torch.rand(()) < 0.5)), "rare")
    found = []
    for seed in range(6):
        torch.manual_seed(seed)
        found.append(check_contract(rare).broken)
    assert len(set(found)) == 1 and any(clause.startswith("in eval mode") for clause in found[0])
