"""What tests ask any network."""

import torch


def on_paper(kind, **settings):
    """Return a network that has shapes but no values."""
    with torch.device("meta"):
        return kind(kind.Config(**settings)).eval()


def untouched_weights(network, clip):
    """Return the names of weights that get no gradient from a clip."""
    torch.manual_seed(0)
    wave = network(clip)
    (wave * torch.randn_like(wave)).sum().backward()
    return [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]


def frames_seen(network, clip, at):
    """Return the frames that the estimate of frame ``at`` of the first clip depends on."""
    clip = clip.clone().requires_grad_()
    network(clip)[0, at].backward()
    return set(clip.grad[0].abs().amax((0, 2, 3)).nonzero().flatten().tolist())
