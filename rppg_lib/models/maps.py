"""What a network sees on the way: its maps, picked up while it runs as always, and which places the pulse hangs on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..registry import near_miss
from .network import Network, pulse_of


def with_maps(network: Network, frames: Tensor) -> tuple[Any, list[Tensor]]:
    """Return what a network gives, and its maps ``(B, C, T', H', W')``, one for each of its ``map_layers``.

    >>> import torch
    >>> from rppg_lib.models.physnet import PhysNet
    >>> wave, maps = with_maps(PhysNet(PhysNet.tiny()), torch.zeros(1, 3, 64, 32, 32))
    >>> [tuple(each.shape) for each in maps]
    [(1, 8, 32, 8, 8), (1, 8, 16, 4, 4)]
    """
    _check_named(network)
    with _collected(network, network.map_layers) as found:
        output = network(frames)
    return output, [_by_clip(found[name], clips=len(frames)) for name in network.map_layers]


def grad_cam(network: Network, frames: Tensor, *, layer: str | None = None) -> Tensor:
    """Return how much the pulse hangs on each place of the picture: ``(B, H', W')``, 0 or more.

    The slope of the pulse's variance along a layer's maps, times the maps, summed over channels and time. Grad-CAM
    averages slopes over the picture and over time before; a pulse swings, so its slopes would cancel out, and places
    that later layers leave out would count. What makes the pulse smaller is 0. A layer's picture is small: a face has a
    few of its cells.

    Args:
        network: runs in eval mode and is left as it was.
        frames: as it is fed.
        layer: name of the part whose output is looked at; default: the deepest of its ``map_layers``.

    Reference: Selvaraju et al. 2017 (``selvaraju2017gradcam``), Draelos and Carin 2020 (``draelos2020hirescam``).

    >>> import torch
    >>> from rppg_lib.models.physnet import PhysNet
    >>> grad_cam(PhysNet(PhysNet.tiny()), torch.rand(1, 3, 64, 32, 32)).shape
    torch.Size([1, 4, 4])
    """
    if layer is None:
        _check_named(network)
        layer = network.map_layers[-1]
    parts = dict(network.named_modules())
    if layer not in parts or not layer:
        raise ValueError(f"grad_cam: {_who(network)} has no part {layer!r}.{near_miss(layer, parts)} It names "
                         f"{', '.join(network.map_layers) or 'none'}.")
    was_training = network.training
    network.eval()
    try:
        with torch.enable_grad(), _collected(network, [layer]) as found:
            pulse = pulse_of(network(frames.detach().clone().requires_grad_()))
            strength = (pulse - pulse.mean(-1, keepdim=True)).square().sum()
            maps = found.get(layer)
            slope = torch.autograd.grad(strength, maps, allow_unused=True)[0] if maps is not None else None
    finally:
        network.train(was_training)
    if slope is None or maps.ndim < 4:
        why = "is no picture" if slope is not None else "is no part that the pulse goes through as a whole"
        raise ValueError(f"grad_cam: what comes out of {layer!r} of {_who(network)} {why}. Take one of "
                         f"{', '.join(network.map_layers) or 'its convolutions'}.")
    return _by_clip(slope * maps, clips=len(frames)).sum((1, 2)).relu().detach()     # (B,C,T',H',W') -> (B,H',W')


def _who(network: Network) -> str:
    return network.name or type(network).__name__


def _check_named(network: Network) -> None:
    if not network.map_layers:
        raise ValueError(f"{_who(network)}: names no layers whose maps could be looked at. "
                         f"Set map_layers in its class, shallow layers first.")


@contextmanager
def _collected(network: Network, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    found: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(layer: Any, given: Any, out: Tensor) -> None:
            found[name] = out
        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _by_clip(maps: Tensor, *, clips: int) -> Tensor:
    """Return maps clip by clip, where a layer took pictures one at a time: ``(B*T,C,H,W) -> (B,C,T,H,W)``."""
    return maps if maps.ndim == 5 else maps.unflatten(0, (clips, -1)).transpose(1, 2)
