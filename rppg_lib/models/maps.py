"""What a network sees on the way: its maps, picked up where it names them while it runs as always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from .network import Network


def with_maps(network: Network, frames: Tensor) -> tuple[Any, list[Tensor]]:
    """Return what a network gives, and its maps ``(B, C, T', H', W')``, one for each of its ``map_layers``.

    >>> import torch
    >>> from rppg_lib.models.physnet import PhysNet
    >>> wave, maps = with_maps(PhysNet(PhysNet.tiny()), torch.zeros(1, 3, 64, 32, 32))
    >>> [tuple(each.shape) for each in maps]
    [(1, 8, 32, 8, 8), (1, 8, 16, 4, 4)]
    """
    with _collected(network, clips=len(frames)) as found:
        output = network(frames)
    return output, [found[name] for name in network.map_layers]


@contextmanager
def _collected(network: Network, *, clips: int) -> Iterator[dict[str, Tensor]]:
    if not network.map_layers:
        raise ValueError(f"{network.name or type(network).__name__}: names no layers whose maps could be looked at. "
                         f"Set map_layers in its class, shallow layers first.")
    found: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(layer: Any, given: Any, out: Tensor) -> None:
            # pictures that a layer took one at a time: (B*T,C,H,W) -> (B,C,T,H,W)
            found[name] = out if out.ndim == 5 else out.unflatten(0, (clips, -1)).transpose(1, 2)
        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in network.map_layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
