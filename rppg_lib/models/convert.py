"""Published weights of LQ-rPPG under the names they have here.

Public code keeps six files for one training: the network, and five label quantisers of 1 to 5 bits. The network's file
lacks the codes that it hands its guesses on in; they are in those of the quantisers, in the order they were learned.
Here they travel with the network, ascending.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from ..quantize.labels import LabelLevels
from .learned_labels import LearnedLabels
from .lqrppg import LQrPPG

NETWORK = (
    ("Fusion_Stem.stem11", "stem.pictures", "what a picture looks like"),
    ("Fusion_Stem.stem12", "stem.differences", "the four differences around it"),
    ("Fusion_Stem.stem21", "stem.fused", "half of each"),
    ("Fusion_Stem.stem22", "stem.differences_again", "the differences alone"),
    ("stem3", "embed", "both, and three frames at a time"),
    ("position_embedding", "place", "the time in the clip"),
    ("mamba_N.0.x_norm", "stages.n.norm", "before the scans of a stage"),
    ("mamba_N.0.mamba", "stages.n.mamba", "the scans: see below"),
    ("mambaN_token_head", "stages.n.head", "the stage's guess"),
    ("mambaN_scalar_projection", "stages.n.back", "the guess handed on"),
    ("rppg_predictor.time_feature_extractor", "last", "the last guess, which is the pulse"),
    ("rppg_predictor.last_conv", "last.5", "its last layer"),
)
"""Published name, ours, and what it is. N counts stages from 1, n from 0; what a layer calls its own weights stays."""

QUANTISER = (
    ("encoder.dilated_conv_block", "encoder.convolutions", "what is added to the wave"),
    ("encoder.position_embedding", "encoder.place", "the time in the clip"),
    ("encoder.mamba_encoder.0.x_norm", "encoder.norm", "before the scans"),
    ("encoder.mamba_encoder.0.mamba", "encoder.mamba", "the scans: see below"),
    ("quantizer.embeddings.weight", "codes", "the codes, a column there"),
    ("quantizer.ema_w", "sums", "what codes are averages of"),
    ("quantizer.ema_cluster_size", "counts", "of how many"),
)
"""The same of a label quantiser."""

SCANS = (
    ("in_proj", "enter", "what is scanned, then its gate"),
    ("conv1d", "directions.0.convolution", "forwards: the last four frames"),
    ("x_proj", "directions.0.choose", "step, writing and reading, in this order"),
    ("dt_proj", "directions.0.step", "the step of each channel"),
    ("A_log", "directions.0.log_decay", "how fast the memory fades"),
    ("D", "directions.0.skip", "what goes past the memory"),
    ("conv1d_b", "directions.1.convolution", "the same backwards"),
    ("x_proj_b", "directions.1.choose", "backwards"),
    ("dt_proj_b", "directions.1.step", "backwards"),
    ("A_b_log", "directions.1.log_decay", "backwards"),
    ("D_b", "directions.1.skip", "backwards"),
    ("out_proj", "leave", "both directions, added"),
)
"""The same inside a block of scans."""

FS = 30.0
NOTE = "converted from published weights (MIT), not trained here"

_NETWORK_FILE = re.compile(r"(?P<training>.+)_rPPG(_[^/]*)?\.(pth|pt|safetensors)")
_CODES, _SUMS = "quantizer.embeddings.weight", "quantizer.ema_w"


def convert(checkpoint: str | Path, labels: Sequence[str | Path] = ()) -> LQrPPG:
    """Return a network with published weights, in eval mode, with ``facts`` that say where they are from.

    Files are opened as plain numbers; one that would have to run code is refused.

    Args:
        checkpoint: the network's file, ``..._rPPG_EpochE.pth``; ``.safetensors`` with the same names is fine.
        labels: the five files of its label quantisers, in any order; default: those beside it, by their names.
    """
    checkpoint, network = Path(checkpoint), LQrPPG()
    held = read_published(checkpoint)
    if _CODES in held:
        raise ValueError(f"convert: {checkpoint} is a label quantiser. Give the network's file, ..._rPPG_EpochE.pth, "
                         f"and this one with --labels.")
    tensors = _under_our_names(checkpoint, held, network, NETWORK)
    labels = [Path(path) for path in labels] or labels_beside(checkpoint, network.config.bits)
    levels = _levels(labels, network.config.bits)
    network.load_state_dict(tensors | {f"levels.{name}": tensor for name, tensor in levels.state_dict().items()})
    network.facts = {"fs": FS, "normalise": list(network.normalise), "note": NOTE,
                     "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                                for path in (checkpoint, *labels)}}
    return network.eval()


def convert_labels(path: str | Path) -> LearnedLabels:
    """Return a label quantiser with published weights, in eval mode, its codes ascending.

    Args:
        path: one of the files ``..._1th_LQ_EpochE.pth`` to ``5th``.
    """
    path = Path(path)
    held = read_published(path)
    codes = held.get(_CODES)
    if codes is None or codes.ndim != 2 or not 2 <= len(codes) <= 2 ** 8 or not codes.isfinite().all():
        wrong = "" if codes is None or codes.isfinite().all() else ", not all finite"
        came = "none" if codes is None else f"{tuple(codes.shape)}{wrong}"
        raise ValueError(f"convert: {path} must be a label quantiser, with finite codes {_CODES} (K, 1), got {came}.")
    quantiser = LearnedLabels((len(codes) - 1).bit_length())
    held |= {name: held[name].squeeze(-1) for name in (_CODES, _SUMS) if name in held}       # (K,1) -> (K,)
    quantiser.load_state_dict(_under_our_names(path, held, quantiser, QUANTISER))
    return quantiser.eval()


def published_names(module: nn.Module, table: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """Return the published name of each tensor of a module, and ours.

    >>> published_names(LQrPPG(), NETWORK)["mamba_1.0.mamba.D_b"]
    'stages.0.mamba.directions.1.skip'
    """
    parts = sorted(_parts(table), key=lambda pair: -len(pair[1]))    # last.5 before last
    found = {}
    for name in module.state_dict():
        for old, new in parts:
            if name == new or name.startswith(f"{new}."):
                found[old + name.removeprefix(new)] = name
                break
    return found


def read_published(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by their published names, without what wraps them or stands before all names."""
    if not path.is_file():
        raise FileNotFoundError(f"convert: there is no file {path}. Weights do not come with this library: fetch them "
                                f"from the authors' repository.")
    try:
        if path.suffix == ".safetensors":
            held = safetensors.torch.load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:                                       # whatever a foreign file makes a reader say
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"convert: {path} cannot be read as plain weights ({why:.200}). A file that has to run code "
                         f"is not opened: save its state_dict() alone.") from None
    while isinstance(held, dict) and len(held) == 1 and isinstance(inner := next(iter(held.values())), dict):
        held = inner                                                 # the network is kept as {"C2F_model": {...}}
    if not isinstance(held, dict) or not held or not all(isinstance(value, Tensor) for value in held.values()):
        raise ValueError(f"convert: {path} holds no tensors by name. Give a file with a state_dict() and nothing else.")
    wrapped = all(name.startswith("module.") for name in held)       # by DataParallel
    return {name.removeprefix("module.") if wrapped else name: tensor for name, tensor in held.items()}


def labels_beside(checkpoint: Path, bits: Sequence[int]) -> list[Path]:
    """Return the files of the label quantisers that were trained with a network: ``TRAINING_1th_LQ...`` and so on."""
    named = _NETWORK_FILE.fullmatch(checkpoint.name)
    training = named["training"] if named else "TRAINING"
    found = []
    for number in bits:
        pattern = f"{training}_{number}th_LQ*{checkpoint.suffix}"
        paths = sorted(checkpoint.parent.glob(pattern.replace("[", "[[]"))) if named else []
        if len(paths) != 1:
            came = f"there are {', '.join(path.name for path in paths)}" if paths else "there is none"
            raise ValueError(f"convert: needs the {len(bits)} label quantisers trained with {checkpoint.name}, for "
                             f"their codes. Looked beside it for {pattern}: {came}. Name all: --labels FILE FILE ...")
        found += paths
    return found


def _levels(labels: Sequence[Path], bits: Sequence[int]) -> LabelLevels:
    """Return the codes of all levels; which level a file is for, its number of codes says."""
    codes = [convert_labels(path).as_codes() for path in labels]
    if sorted(each.bits for each in codes) != list(bits):
        came = ", ".join(f"{len(each.codes)} in {path.name}" for path, each in zip(labels, codes))
        raise ValueError(f"convert: needs label quantisers of {', '.join(str(2 ** number) for number in bits)} codes, "
                         f"each once, got {came}.")
    return LabelLevels({each.bits: each for each in sorted(codes, key=lambda each: each.bits)})


def _parts(table: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the published names of all parts, and ours, for each stage and down to the parts of its scans."""
    for old, new, _ in table:
        numbered = [(old.replace("N", str(n + 1)), new.replace(".n.", f".{n}.")) for n in range(4)]
        for old_, new_ in numbered if "N" in old else [(old, new)]:
            if new_.endswith("mamba"):
                yield from ((f"{old_}.{inner}", f"{new_}.{ours}") for inner, ours, _ in SCANS)
            else:
                yield old_, new_


def _under_our_names(path: Path, held: dict[str, Tensor], module: nn.Module,
                     table: Sequence[tuple[str, str, str]]) -> dict[str, Tensor]:
    """Return tensors by our names, without levels, or say which are missing, too many or of another shape."""
    own, names = module.state_dict(), published_names(module, table)
    wrong = [f"no {name}" for name in names if name not in held]
    wrong += [f"{name} is not one of its tensors" for name in held if name not in names]
    wrong += [f"{name} is {tuple(held[name].shape)}, not {tuple(own[ours].shape)}" for name, ours in names.items()
              if name in held and held[name].shape != own[ours].shape]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(f"convert: {path} is not as published: {'; '.join(wrong[:5])}{more}. The mapping is in "
                         f"book/convert-weights.md.")
    return {ours: held[name] for name, ours in names.items()}
