"""What every network promises, one function for each clause; :mod:`rppg_lib.models.contract` asks them of a class."""

from __future__ import annotations

import functools
import json
import tempfile
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import registry, simulate
from ..data.normalise import NORMALISERS, normalise
from ..types import Clip
from .candidate import Candidate, clause, must, must_be_finite, must_equal, refused, waves
from .codequery import QueryNetwork
from .estimator import NetworkEstimator
from .network import Network, Published, pulse_of
from .weights import load_network, save_network

LENGTHS = (64, 128, 160, 300)
"""Frames of the clips that are tried."""
BFLOAT16_WITHIN = 0.2
"""How far half precision may be from full, as a share of the largest value."""


def _smooth(network: Network, frames: Tensor) -> Tensor:
    """Return what a small change of weights or precision changes a little: the wave, or what a choice comes from."""
    return network.features(frames) if isinstance(network, QueryNetwork) else pulse_of(network(frames))


def _answers(output: Any) -> list[Tensor]:
    """Return the pulse, and whom the network takes this for, where it says so."""
    return [pulse_of(output), *([output.person] if getattr(output, "person", None) is not None else [])]


# what it says of itself

@clause("it says what it is")
def _says_what_it_is(candidate: Candidate) -> None:
    kind = candidate.kind
    must(kind.name and kind.cites, "a name and a citation: decorate the class with @register(name, cites=...)")
    doc = (kind.__doc__ or "").strip()
    must(doc.partition("\n")[0].endswith("."), "a docstring whose first line is a sentence", repr(doc[:40]))
    must(kind.cites in doc, f"a docstring that names what it cites, {kind.cites!r}")
    must(isinstance(getattr(kind, "published", None), Published), "published = Published(frames=..., size_px=...)")
    must(kind.target in ("wave", "change"), "target 'wave' or 'change'", repr(kind.target))
    must(isinstance(kind.normalise, tuple) and kind.normalise and set(kind.normalise) <= set(NORMALISERS),
          f"normalise as a tuple out of {', '.join(NORMALISERS)}", repr(kind.normalise))
    default = kind.Config()
    must(default.frames % kind.multiple_of == 0 and default.frames >= kind.min_frames,
          f"Config.frames of at least {kind.min_frames}, in multiples of {kind.multiple_of}", default.frames)
    must(type(kind.tiny()) is kind.Config and kind.tiny() != default, "tiny() that returns a smaller Config",
          repr(kind.tiny()))


@clause("a config is frozen and survives JSON")
def _config_is_plain(candidate: Candidate) -> None:
    kind, config = candidate.kind, candidate.kind.tiny()
    try:
        config.frames = config.frames
    except FrozenInstanceError:
        pass
    else:
        must(False, "a frozen Config: @dataclass(frozen=True, kw_only=True)", "one that can be changed")
    plain = json.loads(json.dumps(candidate.shared.settings))
    must(set(plain) == {each.name for each in fields(config)} >= {"frames", "size_px"},
          "settings that are the fields of Config, with frames and size_px", ", ".join(plain))
    again = kind(kind.Config(**plain)).state_dict()
    must({k: v.shape for k, v in again.items()} == {k: v.shape for k, v in candidate.shared.state_dict().items()},
          "the same weights from settings written as JSON and read again", "others")


@clause("a config of another network is refused")
def _other_config(candidate: Candidate) -> None:
    refused(lambda: candidate.kind({"size_px": 36}), TypeError, "needs a .*Config, got ", "a dict in place of Config")


# what it computes

@clause("a wave is as long as its clip and finite")
def _as_long_as_its_clip(candidate: Candidate) -> None:
    network = candidate.shared
    for length in LENGTHS:
        frames = candidate.fed(clips=1, length=length)
        if length % network.multiple_of or length < network.min_frames:
            refused(lambda f=frames: network(f), ValueError, f"{candidate.name}: needs at least", f"{length} frames")
            continue
        wave = waves(network, frames)
        must(wave.shape == (1, length), f"shape (1, {length}) for one clip of {length} frames", tuple(wave.shape))
        must(wave.dtype == torch.float32, "float32", wave.dtype)
        must_be_finite(wave, f"the wave of {length} frames")


@clause("a picture that never changes gives a finite wave")
def _still_picture(candidate: Candidate) -> None:
    size = candidate.shared.config.size_px
    still = normalise(torch.full((1, 64, size, size, 3), 130, dtype=torch.uint8), candidate.kind.normalise)
    must_be_finite(waves(candidate.shared, still), "the wave of a still picture")
    must_be_finite(waves(candidate.fresh().train(), still), "the same in train mode")


@clause("a wave depends on the pictures")
def _depends_on_pictures(candidate: Candidate) -> None:
    frames = candidate.fed()
    away = (waves(candidate.shared, frames) - waves(candidate.shared, frames.flip(2))).abs().max()
    must(away > 0, "another wave for a film that is played backwards", "the same")


@clause("a wave does not depend on its neighbours in the batch")
def _alone_in_the_batch(candidate: Candidate) -> None:
    network, frames = candidate.shared, candidate.fed()
    alone, together = waves(network, frames[:1]), waves(network, frames)[:1]
    away = (alone - together).abs().max() / alone.abs().max()
    must(away <= 1e-5, "the same wave for a clip alone and beside another", f"waves {away:.1%} of their height apart")
    broken = frames.clone()
    broken[1] = float("nan")
    must_be_finite(waves(network, broken)[0], "the wave of a clip beside one that is not a number")


@clause("in eval mode the same clip gives the same wave and stays as it was")
def _the_same_again(candidate: Candidate) -> None:
    network, frames = candidate.shared, candidate.fed()
    before = frames.clone()
    first = waves(network, frames)
    for _ in range(4):                               # of few numbers, dropout may by chance drop the same twice
        must_equal(waves(network, frames), first, "the same wave each time")
    must_equal(frames, before, "pictures that the network leaves as they are")


@clause("features come in the channels it announces")
def _features(candidate: Candidate) -> None:
    with torch.no_grad():
        found = candidate.shared.features(candidate.fed())
    wide = candidate.shared.feature_channels
    must(found.shape[:2] == (2, wide) and 64 % found.shape[2] == 0,
          f"features (2, {wide}, T) for two clips, where T divides 64", tuple(found.shape))
    must_be_finite(found, "features")


@clause("another size passes where size is free, and is refused where not")
def _another_size(candidate: Candidate) -> None:
    network, px = candidate.shared, candidate.shared.config.size_px
    other = candidate.fed(clips=1, size=(px + 8, px + 16))
    if network.size_is_free:
        must(waves(network, other).shape == (1, 64), f"a wave (1, 64) for pictures of {px + 16}x{px + 8}")
    else:
        refused(lambda: network(other), ValueError, f"needs pictures of {px}x{px}, its config.size_px, got ",
                 "pictures of another size")


# learning

@clause("every weight gets a gradient")
def _gradients(candidate: Candidate) -> None:
    torch.manual_seed(1)
    network = candidate.fresh().train()
    sum((wave * torch.randn_like(wave)).sum() for wave in _answers(network(candidate.fed()))).backward()
    for label, weight in network.named_parameters():
        if label.startswith(tuple(f"{part}." for part in network.frozen)):
            must(weight.grad is None and not weight.requires_grad, f"no gradient for {label}, which is frozen")
            continue
        must(weight.grad is not None, f"a gradient for {label}", "none: is it used?")
        must_be_finite(weight.grad, f"the gradient of {label}")
        must((weight.grad != 0).any(), f"a gradient for {label}", "zeros: does the wave depend on it?")


@clause("a step against the gradient fits better")
def _learns(candidate: Candidate) -> None:
    torch.manual_seed(1)
    network, frames = candidate.fresh(), candidate.fed()             # eval mode: no dropout, the same function twice
    wanted = torch.sin(torch.arange(_smooth(network, frames).shape[-1]) / 4)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    losses = []
    for _ in range(3):
        loss = (_smooth(network, frames) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    must(losses[-1] < losses[0], "a loss that falls over two steps", f"{losses[0]:.6g}, then {losses[-1]:.6g}")


@clause("the same seed gives the same weights")
def _seeded(candidate: Candidate) -> None:
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        network = candidate.kind(candidate.kind.tiny())
        found.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    must_equal(found[0], found[1], "the same weights from the same seed")
    must(not torch.equal(found[0], found[2]), "other weights from another seed", "the same")


@clause("training and evaluating switch every part")
def _switches(candidate: Candidate) -> None:
    network = candidate.fresh().train()
    frozen = {part for named in network.frozen for part in network.get_submodule(named).modules()}
    stuck = [type(part).__name__ for part in network.modules() if part.training == (part in frozen)]
    must(not stuck, "all parts but frozen ones in train mode after train()", ", ".join(stuck))
    on = [type(part).__name__ for part in network.eval().modules() if part.training]
    must(not on, "all parts in eval mode after eval()", ", ".join(on))


# precision, files, compilers

@clause("bfloat16 gives a finite wave near that of float32")
def _bfloat16(candidate: Candidate) -> None:
    network, frames = candidate.shared, candidate.fed()
    with torch.no_grad():
        exact, pulse = _smooth(network, frames), waves(network, frames)
        with torch.autocast("cpu", torch.bfloat16):
            mixed, mixed_pulse = _smooth(network, frames), waves(network, frames)
    half = waves(candidate.fresh().to(torch.bfloat16), frames.bfloat16())
    for wave in (mixed_pulse, half):
        must(wave.shape == pulse.shape, f"shape {tuple(pulse.shape)}", tuple(wave.shape))
        must_be_finite(wave, "the wave")
    must(half.dtype == torch.bfloat16, "a wave in bfloat16 where weights and pictures are", half.dtype)
    away = ((mixed.float() - exact).abs().max() / exact.abs().max()).item()
    must(away <= BFLOAT16_WITHIN, f"values within {BFLOAT16_WITHIN:.0%} of the largest", f"{away:.0%}")


@clause("gradients under autocast are finite")
def _autocast(candidate: Candidate) -> None:
    network = candidate.fresh().train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(answer.float().square().mean() for answer in _answers(network(candidate.fed())))
    loss.backward()
    for label, weight in network.named_parameters():
        if weight.requires_grad:
            must_be_finite(weight.grad, f"the gradient of {label}")


@clause("weights written and read give the same wave")
def _files(candidate: Candidate) -> None:
    network, frames = candidate.shared, candidate.fed()
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_network(save_network(network, folder, facts={"fs": 30.0}))
    must(type(loaded) is candidate.kind, f"{candidate.kind.__name__} under the name {candidate.name!r}",
          f"{type(loaded).__name__}, which was registered later")
    must(loaded.config == network.config, f"config {network.config}", loaded.config)
    must_equal(waves(loaded, frames), waves(network, frames), "the same wave from weights written and read")
    torch.manual_seed(9)
    other = candidate.kind(network.config).eval()
    other.load_state_dict(network.state_dict())
    must_equal(waves(other, frames), waves(network, frames), "the same wave from the same state_dict")


@clause("it compiles in one piece or says why not", slow=True)
def _compiles(candidate: Candidate) -> None:
    network, frames = candidate.fresh(), candidate.fed()
    if network.no_compile:
        must(network.no_compile.endswith("."), "a sentence in no_compile", repr(network.no_compile))
        return
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="eager", fullgraph=True)  # what comes after the graph is PyTorch's affair
    found, wanted = waves(compiled, frames), waves(network, frames)
    away = (found - wanted).abs().max()
    must(torch.allclose(found, wanted, atol=1e-4, rtol=1e-4), "the same wave when compiled", f"up to {away:.2g} apart")
    without, told = candidate.fresh(), []
    for asked, call in ((without, without), (network, compiled)):
        pulse_of(call(frames)).square().sum().backward()
        told.append([part for part, values in asked.named_parameters() if values.grad is not None])
    must(told[0] and told[0] == told[1], "gradients when compiled for what has one otherwise",
         f"them for {len(told[1])} tensors, not {len(told[0])}")


# what it refuses, and how it serves

@clause("a wrong input is one clear error")
def _wrong_input(candidate: Candidate) -> None:
    network, frames, name = candidate.shared, candidate.fed(), candidate.name
    channels = frames.shape[1]
    needed = rf"{name}: needs pictures \(B, {channels}, T, H, W\), normalised .*got "
    for what, spoil, error, words in (
            ("a clip without batch", lambda x: x[0], ValueError, needed),
            ("one channel", lambda x: x[:, :1], ValueError, needed + r"\(2, 1, 64, "),
            ("bytes", lambda x: x.to(torch.uint8), TypeError, f"{name}: needs normalised pictures as floats, got"),
            ("one frame", lambda x: x[:, :, :1], ValueError, f"{name}: needs at least .* frames.*, got 1"),
            ("pictures of 4x4", lambda x: x[..., :4, :4], ValueError, f"{name}: needs pictures of .*got 4x4")):
        refused(lambda s=spoil: network(s(frames)), error, words, what)


@clause("a length between multiples is refused with the multiple")
def _between_multiples(candidate: Candidate) -> None:
    network, frames, step = candidate.shared, candidate.fed(), candidate.shared.multiple_of
    if step == 1:
        length = waves(network, frames[:, :, :61]).shape
        must(length == (2, 61), "a wave (2, 61) for two clips of 61 frames", tuple(length))
    else:
        refused(lambda: network(frames[:, :, :63]), ValueError, f"in multiples of {step}, got 63", "63 frames")


@functools.cache
def filmed() -> Clip:
    """Return ten seconds of a face that is one colour, with its trace."""
    clip = simulate.trace(1, scene="still", seconds=10, seed=0)
    rng = np.random.default_rng(0)
    frames = clip.rgb[:, None, None, :] + rng.normal(0, 2, (len(clip), 40, 40, 3))
    return Clip(id="one", fs=clip.fs, rgb=clip.rgb, frames=np.clip(frames, 0, 255).astype(np.uint8), label=clip.label)


@clause("its estimator gives a finite wave for each frame of any clip")
def _estimates(candidate: Candidate) -> None:
    estimator = NetworkEstimator(candidate.fresh())
    must(isinstance(estimator, registry.Estimator), "an estimator: name, cites and predict(clip)")
    must((estimator.name, estimator.cites) == (candidate.name, candidate.kind.cites), f"the name {candidate.name!r}")
    pulse = estimator.predict(filmed())
    must(pulse.wave.shape == (300,) and pulse.fs == 30, "300 values at 30 fps", f"{pulse.wave.shape} at {pulse.fs:g}")
    must(np.isfinite(pulse.wave).all() and pulse.wave.std() > 0, "a finite wave that is not flat")


@clause("without weights it is not built by its name")
def _needs_weights(candidate: Candidate) -> None:
    refused(lambda: registry.build(candidate.name), ValueError,
             f"{candidate.name}: needs trained weights, checkpoint=FOLDER", "its name alone")
