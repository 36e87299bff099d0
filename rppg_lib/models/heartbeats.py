"""A signal autoencoder with a codebook between its halves: a contact wave in, codes, the same wave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from ..losses import standardise
from ..quantize import Codebook, FiniteScalar, Quantised, ResidualCodebook
from ..registry import near_miss
from .weights import WEIGHTS, checkpoint_folder, config_of, described, load_tensors, read_tensors

STEP = 4
"""Frames per token: at 30 fps a token is made of 0.13 s, and an embedding layer lets it see its neighbours."""

QUANTISERS = ("codebook", "residual", "finite")
GRIDS = {4: (4,), 16: (4, 4), 64: (4, 4, 4), 256: (4, 4, 4, 4)}
"""Codes of a finite quantiser -> levels of each of its numbers."""


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of ``(B, C, ...)``, at each time and place on its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def _wide(width: int) -> nn.Module:
    return nn.Sequential(ChannelNorm(width), nn.Conv1d(width, 4 * width, 5, padding=2), nn.GELU(),
                         nn.Conv1d(4 * width, width, 3, padding=1))


def _plain(width: int) -> nn.Module:
    return nn.Sequential(ChannelNorm(width), nn.Conv1d(width, width, 5, padding=2), nn.GELU())


class _Attention(nn.Module):
    """Self-attention and a feed-forward layer: each time sees the whole clip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=4 * width, dropout=0.0,
                                                activation="gelu", batch_first=True, norm_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.transpose(1, 2)                                   # (B,K,T) -> (B,T,K)
        return (self.layer(tokens) - tokens).transpose(1, 2)


EMBEDDINGS: dict[str, Callable[[int], nn.Module]] = {"wide": _wide, "plain": _plain, "attention": _Attention}
"""Kinds of embedding layers. With ``wide`` CodePhys has the size its paper reports; ``plain`` is for small machines."""


class Embedding(nn.Module):
    """A layer that lets the features of each time take in those of its neighbours: ``(B, K, T) -> (B, K, T)``."""

    def __init__(self, width: int, *, kind: str) -> None:
        super().__init__()
        if kind not in EMBEDDINGS:
            raise ValueError(f"Embedding: there is no kind {kind!r}.{near_miss(kind, EMBEDDINGS)} "
                             f"Kinds: {', '.join(EMBEDDINGS)}.")
        self.layers = EMBEDDINGS[kind](width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


@dataclass(frozen=True)
class Heard:
    """What the autoencoder makes of a wave."""

    pulse: Tensor                        # (B, T) the wave, rebuilt from codes
    features: Tensor                     # (B, M, D) what was looked up in the codebook
    quantised: Quantised


class SignalEncoder(nn.Module):
    """A wave as tokens, one for every four frames: ``(B, T) -> (B, T / 4, D)``. Scale and offset do not matter."""

    def __init__(self, config: Heartbeats.Config) -> None:
        super().__init__()
        self.widen = nn.Conv1d(1, 2 * config.dim, 1)
        self.embed = nn.Sequential(*(Embedding(2 * config.dim, kind=config.embedding) for _ in range(config.layers)))
        self.gather = nn.Conv1d(2 * config.dim, config.dim, 5, stride=STEP, padding=2)

    def features(self, wave: Tensor) -> Tensor:
        """Return what is known of each frame, before frames are gathered: ``(B, T) -> (B, 2 D, T)``."""
        wave = standardise(wave).to(self.widen.weight.dtype)
        return self.embed(self.widen(wave[:, None]))

    def forward(self, wave: Tensor) -> Tensor:
        return self.gather(self.features(wave)).transpose(1, 2)      # (B,2D,T) -> (B,M,D)


class SignalDecoder(nn.Module):
    """The encoder backwards: ``(B, M, D) -> (B, 4 M)``."""

    def __init__(self, config: Heartbeats.Config) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose1d(config.dim, 2 * config.dim, 5, stride=STEP, padding=2, output_padding=3)
        self.embed = nn.Sequential(*(Embedding(2 * config.dim, kind=config.embedding) for _ in range(config.layers)))
        self.narrow = nn.Conv1d(2 * config.dim, 1, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.narrow(self.embed(self.spread(tokens.transpose(1, 2)))).squeeze(1)


class Heartbeats(nn.Module):
    """Learns which pieces clean pulse waves are made of, and how to build a wave from them (stage I of CodePhys).

    What a code has no word for cannot pass: that is what the second stage uses it for.

    Reference: Chu et al. 2025 (``chu2025codephys``), section III-A. The paper leaves the embedding layers open.

    >>> import torch
    >>> heard = Heartbeats(Heartbeats.small())(torch.randn(2, 160))
    >>> heard.pulse.shape, heard.features.shape, heard.quantised.indices.shape
    (torch.Size([2, 160]), torch.Size([2, 40, 64]), torch.Size([2, 40]))
    """

    name: ClassVar[str] = "heartbeats"
    normalise: ClassVar[tuple[str, ...]] = ()
    target: ClassVar[str] = "wave"
    multiple_of: ClassVar[int] = STEP

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Sizes and recipe; the defaults are the paper's sizes with the recipe that keeps all codes in use.

        Attributes:
            dim: of a code; layers between have twice as many channels.
            codes: how many.
            embedding, layers: kind and number of embedding layers on either side.
            quantiser: ``codebook``; or, to compare with, ``residual`` (two codebooks of ``codes`` each, the second for
                what the first leaves over) or ``finite`` (a fixed grid of ``codes`` points: 4, 16, 64 or 256).
            update, start, warmup_steps, revive_after: see :class:`rppg_lib.quantize.Codebook`.
        """

        dim: int = 64
        codes: int = 64
        embedding: str = "wide"
        layers: int = 3
        quantiser: str = "codebook"
        update: str = "ema"
        start: str = "kmeans"
        warmup_steps: int = 100
        revive_after: int | None = 100

    @classmethod
    def small(cls) -> Config:
        """Return the config of one that a CPU trains in half a minute: 0.58 M parameters."""
        return cls.Config(embedding="plain")

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = Heartbeats.Config() if config is None else config
        if not isinstance(c, Heartbeats.Config):
            raise TypeError(f"Heartbeats: needs a Heartbeats.Config, got {type(c).__name__}.")
        check_tokens("Heartbeats", c)
        self.encoder = SignalEncoder(c)
        self.codebook = _quantiser(c)
        self.decoder = SignalDecoder(c)

    @property
    def settings(self) -> dict[str, Any]:
        """The config as plain values, for files."""
        return asdict(self.config)

    def encode(self, wave: Tensor) -> Tensor:
        """Return the tokens of waves, before they are looked up: ``(B, T) -> (B, M, D)``."""
        if wave.ndim != 2 or not wave.is_floating_point() or wave.shape[-1] < 2 * STEP or wave.shape[-1] % STEP:
            raise ValueError(f"Heartbeats: needs waves (B, T) of floats, T a multiple of {STEP} and at least "
                             f"{2 * STEP}, got {tuple(wave.shape)} of {wave.dtype}. Cut the waves.")
        return self.encoder(wave)

    def forward(self, wave: Tensor) -> Heard:
        features = self.encode(wave)
        quantised = self.codebook(features)
        return Heard(self.decoder(quantised.values), features, quantised)


def load_heartbeats(folder: str | Path) -> Heartbeats:
    """Return what stage I learned, in eval mode.

    Args:
        folder: that training wrote, of stage I: ``1-heartbeats`` in the folder of a whole training.
    """
    folder = checkpoint_folder(folder)
    told = described(folder)
    if told["name"] != Heartbeats.name:
        raise ValueError(f"load_heartbeats: {folder} holds a trained {told['name']}, no stage I. "
                         f"In the folder of a training of codephys it is '1-heartbeats'.")
    heartbeats = Heartbeats(config_of(Heartbeats.Config, told["config"], folder))
    load_tensors(heartbeats, read_tensors(folder / WEIGHTS), who=str(folder / WEIGHTS))
    return heartbeats.eval()


def _quantiser(config: Heartbeats.Config) -> Codebook | ResidualCodebook | FiniteScalar:
    c = config
    book = Codebook.Config(codes=c.codes, dim=c.dim, update=c.update, start=c.start, warmup_steps=c.warmup_steps,
                           revive_after=c.revive_after)
    if c.quantiser == "codebook":
        return Codebook(book)
    if c.quantiser == "residual":
        return ResidualCodebook(2, book)
    if c.quantiser == "finite" and c.codes in GRIDS:
        return FiniteScalar(c.dim, GRIDS[c.codes])
    if c.quantiser == "finite":
        raise ValueError(f"Heartbeats: a finite quantiser has {', '.join(map(str, GRIDS))} codes, got {c.codes}.")
    raise ValueError(f"Heartbeats: there is no quantiser {c.quantiser!r}.{near_miss(c.quantiser, QUANTISERS)} "
                     f"Quantisers: {', '.join(QUANTISERS)}.")


def check_tokens(who: str, config: Any) -> None:
    """Refuse sizes that no layer can have."""
    for name, least in (("dim", 2), ("layers", 0)):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{who}: {name} must be a whole number of at least {least}, got {value!r}.")
    if config.embedding == "attention" and config.dim % 2:
        raise ValueError(f"{who}: dim must be even for the four heads of embedding 'attention', got {config.dim}.")
