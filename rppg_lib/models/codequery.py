"""A pulse as a question to a codebook: any network's features are looked up among pieces of clean pulse waves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from ..quantize import Codebook, Quantised
from ..registry import find, near_miss, register
from .heartbeats import STEP, ChannelNorm, Heartbeats, SignalDecoder, check_tokens
from .network import Network, Published


@dataclass(frozen=True)
class Queried:
    """The pulse that a codebook answered with, and what it was asked."""

    pulse: Tensor                        # (B, T)
    features: Tensor                     # (B, M, D) before they are looked up
    quantised: Quantised
    maps: Tensor | None = None           # (B, D, T, H', W') of CodePhys, after attention
    attention: Tensor | None = None      # (B, 1, H', W') between 0 and 1


class QueryNetwork(Network):
    """What networks with a codebook share: a query, and a decoder that has only ever built clean waves.

    Codebook and decoder are those of a trained :class:`~rppg_lib.models.heartbeats.Heartbeats` and stay as they are.
    ``config.without`` leaves out parts, each by one word, to see what it is good for.
    """

    can_be_without: ClassVar[tuple[str, ...]] = ("query", "stage_one")
    multiple_of: ClassVar = STEP

    @dataclass(frozen=True, kw_only=True)
    class Config(Network.Config):
        size_px: int = 128
        frames: int = 160
        dim: int = 64                                # of a code
        codes: int = 64
        embedding: str = "wide"                      # kind of embedding layers, as in stage I
        layers: int = 3                              # how many on either side in stage I
        without: tuple[str, ...] = ()                # parts left out; also as "query" or "query,prior"

        def __post_init__(self) -> None:
            words = self.without.split(",") if isinstance(self.without, str) else self.without
            object.__setattr__(self, "without", tuple(word.strip() for word in words if word.strip()))

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        c = self.config
        check_tokens(self._who, c)
        for word in c.without:
            if word not in self.can_be_without:
                raise ValueError(f"{self._who}: cannot be without {word!r}.{near_miss(word, self.can_be_without)} "
                                 f"Words: {', '.join(self.can_be_without)}.")
        # Without stage I the codes begin anywhere and learn from the first step on.
        self.codebook = Codebook(Codebook.Config(codes=c.codes, dim=c.dim, start="normal", warmup_steps=0))
        self.decoder = SignalDecoder(self.heartbeats())
        if self.has("stage_one"):
            self.freeze("codebook", "decoder")

    def has(self, part: str) -> bool:
        """Say whether a part was not left out."""
        return part not in self.config.without

    def heartbeats(self) -> Heartbeats.Config:
        """Return the config of the stage I that fits."""
        c = self.config
        return Heartbeats.Config(dim=c.dim, codes=c.codes, embedding=c.embedding, layers=c.layers)

    def answer(self, features: Tensor, **seen: Tensor | None) -> Queried:
        """Look up features ``(B, M, D)`` and decode what was found."""
        quantised = self.codebook(features)
        pulse = self.decoder(quantised.values if self.has("query") else features)
        return Queried(pulse, features, quantised, **seen)


@register("codequery", cites="chu2025codephys")
class CodeQuery(QueryNetwork):
    """Any network's features as questions to the codebook: what CodePhys offers to others.

    The backbone's own read-out is left away. A dense layer brings its features to the width of a code, and four frames
    are gathered into a token, unless the backbone has done that already.

    Reference: Chu et al. 2025 (``chu2025codephys``), section IV-G.

    >>> import torch
    >>> network = CodeQuery(backbone="efficientphys", size_px=36, frames=64, embedding="plain")
    >>> network.normalise, network(torch.zeros(2, 3, 64, 36, 36)).pulse.shape
    (('standard',), torch.Size([2, 64]))
    """

    published: ClassVar = Published(frames=160, size_px=128, source="chu2025codephys",
                                    note="here on PhysNet; the paper: DeepPhys, EfficientPhys, PhysFormer")
    size_is_free: ClassVar = True
    min_px: ClassVar = 16

    @dataclass(frozen=True, kw_only=True)
    class Config(QueryNetwork.Config):
        backbone: str = "physnet"
        backbone_is: str = "published"               # size of the backbone: published, small or tiny

    @classmethod
    def tiny(cls) -> Config:
        return cls.Config(size_px=32, frames=64, dim=8, codes=8, embedding="plain", layers=1, backbone_is="tiny")

    @classmethod
    def small(cls) -> Config:
        return cls.Config(size_px=36, frames=128, dim=32, embedding="plain", backbone_is="small")

    def __init__(self, config: Config | None = None, **settings: object) -> None:
        if settings:
            config = replace(type(self).Config() if config is None else config, **settings)
        super().__init__(config)
        self.backbone = _without_readout(self._who, self.config)
        for name in ("normalise", "size_is_free", "min_px", "no_compile"):
            setattr(self, name, getattr(self.backbone, name))
        self.map_layers = tuple(f"backbone.{layer}" for layer in self.backbone.map_layers)
        self.min_frames = max(2 * STEP, self.backbone.min_frames)
        self.multiple_of = max(STEP, self.backbone.multiple_of)
        self.adapt = nn.Sequential(nn.Conv1d(self.backbone.feature_channels, self.config.dim, 1),
                                   ChannelNorm(self.config.dim), nn.GELU())
        self.gather = nn.Conv1d(self.config.dim, self.config.dim, 5, padding=2)
        self.feature_channels = self.config.dim

    def features(self, frames: Tensor) -> Tensor:
        """Return the tokens before they are looked up, ``(B, D, M)``."""
        self.check(frames)
        found = self.adapt(self.backbone.features(frames))           # (B,D,T'), T' a divisor of T
        step = STEP * found.shape[-1] // frames.shape[2]
        return functional.conv1d(found, self.gather.weight, self.gather.bias, stride=step, padding=2)

    def forward(self, frames: Tensor) -> Queried:
        return self.answer(self.features(frames).transpose(1, 2))    # (B,D,M) -> (B,M,D)


def _without_readout(who: str, config: CodeQuery.Config) -> Network:
    """Return the backbone; of its last layers, which nobody calls, nothing is left."""
    entry = find(config.backbone)
    if entry.kind != "network" or issubclass(entry.made_of, QueryNetwork):
        raise ValueError(f"{who}: backbone must be a network without a codebook of its own, got {config.backbone!r}. "
                         f"See 'rppg models'.")
    kind, sizes = entry.made_of, ("published", "small", "tiny")
    if config.backbone_is not in sizes:
        raise ValueError(f"{who}: backbone_is must be one of {', '.join(sizes)}, got {config.backbone_is!r}.")
    own = kind.Config() if config.backbone_is == "published" else getattr(kind, config.backbone_is)()
    backbone = kind(replace(own, size_px=config.size_px, frames=config.frames))
    for part in kind.after_features:
        setattr(backbone, part, nn.Identity())
    return backbone
