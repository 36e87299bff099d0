"""What ``rppg new-model`` does: a network or a method to begin with, one file, and its tests beside it."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import os
import re
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .files import written_whole

KINDS = ("network", "method")
LONGEST_NAME = 60

EPILOG = """\
Writes NAME.py, which works as it is, and test_NAME.py, its tests; never over what is there. NAME is a word in small
letters. RPPG_MODELS names files of your own, separated as in PATH: rppg loads them and knows what they register.

examples:
  rppg new-model mynet
  rppg new-model mymethod --kind method --out ideas
"""

NETWORK = '''\
"""Class: the mean colour of the picture, convolved over time. Say here what yours does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from rppg_lib.models import Network, Published
from rppg_lib.registry import register


@register("NAME", cites="verkruysse2008")
class Class(Network):
    """Convolve the mean colour of the picture over time.

    The mean over skin holds a pulse: Verkruysse et al. 2008 (``verkruysse2008``). Name here what yours is from.
    """

    normalise: ClassVar = ("diff",)              # fed: change from frame to frame; or standard, or raw
    target: ClassVar = "wave"                    # asked for: the wave; or its change from frame to frame
    min_frames: ClassVar = 16
    published: ClassVar = Published(frames=128, size_px=36, note="not published")

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 36
        frames: int = 128                        # length of a sample and of a window
        width: int = 16
        kernel: int = 9                          # two of them, the second spread out, see 1.4 s at 30 frames per second

    @classmethod
    def tiny(cls) -> Config:
        """Return the config that tests run: the same layers, smaller."""
        return cls.Config(size_px=16, frames=64, width=4)

    @classmethod
    def small(cls) -> Config:
        """Return the config that a CPU trains in a minute or two."""
        return cls.Config()

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        self.over_time = nn.Sequential(
            nn.Conv1d(3, c.width, c.kernel, padding="same"), nn.GELU(),
            nn.Conv1d(c.width, c.width, c.kernel, padding="same", dilation=4), nn.GELU())
        self.readout = nn.Conv1d(c.width, 1, 1)
        self.feature_channels = c.width

    def features(self, frames: Tensor) -> Tensor:
        """Return what is known of each frame, ``(B, width, T)``."""
        self.check(frames)                       # one clear error for a wrong input
        colour = frames.mean((-2, -1))           # (B,3,T,H,W) -> (B,3,T)
        return self.over_time(colour)            # (B,3,T) -> (B,width,T)

    def forward(self, frames: Tensor) -> Tensor:
        return self.readout(self.features(frames)).squeeze(1)        # (B,width,T) -> (B,T)
'''

TEST_NETWORK = '''\
"""Tests of NAME: what every network keeps to, and what must be true of this one."""

import sys
from pathlib import Path

import numpy as np
import torch

from rppg_lib.data import Windows
from rppg_lib.models.contract import check_contract
from rppg_lib.training import FitConfig, TrainingData, WaveObjective, fit
from rppg_lib.types import Clip

sys.path.insert(0, str(Path(__file__).parent))           # where NAME.py lies, from wherever tests are started

from NAME import Class


def film(number):
    """Ten seconds of small pictures that are all skin, with a pulse in noise."""
    rng, t = np.random.default_rng(number), np.arange(300) / 30
    beat = np.sin(2 * np.pi * (0.9 + 0.1 * number) * t)
    skin = 120 - beat[:, None, None, None] * [0.7, 1.6, 1.1]
    pictures = (skin + 2 * rng.normal(size=(300, 16, 16, 3))).round().astype(np.uint8)
    return Clip(frames=pictures, fs=30, label=beat, id=str(number), subject=str(number))


def test_it_keeps_the_contract_of_all_networks():
    report = check_contract(Class)
    assert report, str(report)


def test_it_learns_an_easy_pulse():
    torch.manual_seed(0)
    windows = Windows([film(number) for number in range(5)], frames=64)
    config = FitConfig(epochs=8, batch=4, lr=0.02, device="cpu")
    fitted = fit(Class(Class.tiny()), WaveObjective({"pearson": 1.0}), TrainingData(windows), config, progress=False)
    assert fitted.history[-1]["loss"] < 0.5 * fitted.history[0]["loss"]


def test_a_mirrored_film_gives_the_same_wave():              # true of a mean; write what must be true of yours
    torch.manual_seed(0)
    network, frames = Class(Class.tiny()).eval(), torch.randn(2, 3, 64, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(frames), network(frames.flip(-1)), atol=1e-5, rtol=1e-4)
'''

METHOD = '''\
"""NAME: green against red, so that brightness cancels. Say here what yours does."""

from __future__ import annotations

import numpy as np

from rppg_lib.registry import register
from rppg_lib.types import check_rgb


@register("NAME", cites="verkruysse2008")
def NAME(rgb: np.ndarray, *, fs: float, red: float = 1.0) -> np.ndarray:
    """Subtract green from red, each over its mean: brightness cancels.

    Args:
        rgb: ``(..., T, 3)`` mean skin colour per frame, R-G-B, above 0.
        fs: frames per second.
        red: how much red is set against green; 1 cancels brightness.

    Returns:
        ``(..., T)`` pulse waveform, systole up.

    Blood changes green most: Verkruysse et al. 2008 (``verkruysse2008``). Name here what yours is from.
    """
    colour = check_rgb("NAME", rgb, fs=fs)                       # one clear error for a wrong input
    share = colour / colour.mean(-2, keepdims=True)
    return red * share[..., 0] - share[..., 1]                   # (..., T, 3) -> (..., T)
'''

TEST_METHOD = '''\
"""Tests of NAME: truth comes from simulated people and from physics."""

import sys
from pathlib import Path

import numpy as np
import pytest

from rppg_lib import registry, simulate
from rppg_lib.signal import hr_from_spectrum

sys.path.insert(0, str(Path(__file__).parent))           # where NAME.py lies, from wherever tests are started

from NAME import NAME


def trace(bpm):
    return simulate.trace(simulate.person(4000, hr_bpm=bpm), scene="still", seconds=20)


@pytest.mark.parametrize("bpm", [50, 72, 110, 160])
def test_it_finds_the_pulse_of_somebody_at_rest(bpm):
    pulse = registry.build("NAME").predict(trace(bpm))
    assert pulse.wave.shape == (600,) and abs(hr_from_spectrum(pulse.wave, fs=pulse.fs) - bpm) < 3


def test_several_traces_at_once_give_what_each_gives_alone():
    both = np.stack([trace(60).rgb, trace(90).rgb])
    np.testing.assert_allclose(NAME(both, fs=30), [NAME(one, fs=30) for one in both])


def test_no_number_is_one_clear_error():
    rgb = trace(60).rgb.copy()
    rgb[100] = np.nan
    with pytest.raises(ValueError, match="NAME: "):
        NAME(rgb, fs=30)


def test_brightness_alone_leaves_no_trace():                 # true of this one; write what must be true of yours
    lamp = 1 + 0.02 * np.sin(np.arange(600) / 6)
    assert np.ptp(NAME([120, 90, 70] * lamp[:, None], fs=30)) < 1e-12
'''

TEMPLATES = {"network": (NETWORK, TEST_NETWORK), "method": (METHOD, TEST_METHOD)}


def add_options(command: ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("name", metavar="NAME", help="a new word in small letters, such as mynet or my_net")
    command.add_argument("--kind", choices=KINDS, default="network", help="network: from pictures, learns; method: a "
                         "function of the mean colour of skin (default: network)")
    command.add_argument("--out", type=Path, metavar="DIR", default=Path(), help="where to (default: this folder)")


def run(args: Namespace, say: Callable[[str], Any]) -> bool:
    """Write both files and say what to do next."""
    from .registry import OWN_FILES

    own, test = write(args.name, kind=args.kind, folder=args.out)
    known = os.pathsep.join(filter(None, [os.environ.get(OWN_FILES), str(own.resolve())]))
    word = "set" if os.name == "nt" else "export"
    train = [f"  rppg train {args.name}"] if args.kind == "network" else []
    weights = f" --checkpoint build/training/{args.name}-quick" if args.kind == "network" else ""
    say("\n".join([f"{own}: a {args.kind} that works. Change what it computes.",
                   f"{test}: its tests. Write down what must be true of yours.", "", "next:",
                   f"  pytest {shlex.quote(str(test))}",
                   f"  {word} {OWN_FILES}={shlex.quote(known)}", "  rppg models", *train,
                   f"  rppg measure me.mp4 --method {args.name}{weights}", "",
                   "'cites' names a publication; how to bring yours into the library: book/add-a-model."]))
    return True


def write(name: str, *, kind: str, folder: Path) -> tuple[Path, Path]:
    """Write a template and its tests into a folder, under a name that is free; return both paths.

    >>> import tempfile; place = tempfile.TemporaryDirectory()
    >>> [path.name for path in write("mynet", kind="network", folder=Path(place.name))]
    ['mynet.py', 'test_mynet.py']
    """
    class_name = _checked(name, kind)
    _check_words(name, class_name, kind)
    texts = [text.replace("NAME", name).replace("Class", class_name).replace(f"{class_name}Var", "ClassVar")
             for text in TEMPLATES[kind]]
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"new-model: needs a folder to write into, got the file {folder}. Name another with --out.")
    if folder.resolve().is_relative_to(Path(__file__).resolve().parent):
        raise ValueError(f"new-model: {folder.resolve()} lies in the library, which would load the tests as a model. "
                         f"Write it elsewhere with --out, and move {name}.py alone when it is done.")
    paths = folder / f"{name}.py", folder / f"test_{name}.py"
    if there := [str(path) for path in paths if os.path.lexists(path)]:
        raise ValueError(f"new-model: there is {' and '.join(there)} already, and nothing is written over. Choose "
                         f"another name, or another folder with --out.")
    _check_free(name)
    for path, text in zip(paths, texts):
        with written_whole(path) as file:
            file.write(text)
    return paths


def _checked(name: str, kind: str) -> str:
    """Return the name of the class, or refuse a name that names no file of Python."""
    if kind not in KINDS:
        raise ValueError(f"new-model: kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name) or keyword.iskeyword(name):
        like = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_0123456789")
        like = f"my_{like}" if keyword.iskeyword(like) else like[:LONGEST_NAME]
        meant = f" Did you mean {like!r}?" if like and like != name else ""
        raise ValueError(f"new-model: needs a name for a file of Python: at most {LONGEST_NAME} small letters, digits "
                         f"and _, a letter first, and no word of the language; got {name[:80]!r}.{meant}")
    return "".join(part.capitalize() for part in name.split("_"))


def _check_words(name: str, class_name: str, kind: str) -> None:
    """Refuse a name that already means something in the file that is to be written, or to those who load it."""
    defined = name if kind == "method" else class_name
    imported = {alias.asname or alias.name for node in ast.walk(ast.parse(TEMPLATES[kind][0])) if isinstance(
        node, ast.Import | ast.ImportFrom) for alias in node.names}
    taken = defined in imported | {"Config"} or hasattr(builtins, defined) or keyword.iskeyword(defined)
    if taken or name == "conftest" or name.startswith("test_"):
        why = f"{defined!r} means something else in a file of Python" if taken else "pytest takes it for its own"
        raise ValueError(f"new-model: {name!r} cannot be used: {why}. Did you mean {f'my_{name}'!r}?")


def _check_free(name: str) -> None:
    """Refuse a name that rppg or Python knows already."""
    from .registry import available

    if (entry := available().get(name)) is not None:
        raise ValueError(f"new-model: {name!r} is taken by a {entry.kind}: {entry.summary} Did you mean "
                         f"{f'my_{name}'!r}?")
    if importlib.util.find_spec(name) is not None:
        raise ValueError(f"new-model: {name!r} is the name of a module of Python here, which {name}.py would hide. Did "
                         f"you mean {f'my_{name}'!r}?")
