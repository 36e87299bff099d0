"""Each check of notebook 06 on right answers, the untouched stub, and wrong answers a reader may well give."""

import numpy as np
import torch
from torch import nn

from rppg_lib.quantize import LabelCodes, LabelLevels
from rppg_lib.teach import nb06

from .answers import judged_by

ALL = [nb06.uniform, nb06.soft, nb06.visible]


def uniform(values, bits, limit):
    step = 2 * limit / 2**bits
    return (np.clip(np.floor((values + limit) / step), 0, 2**bits - 1) + 0.5) * step - limit


def library_uniform(values, bits, limit):
    level = LabelLevels.fit(torch.tensor([[0.0, 1.0]]), kind="uniform", bits=(bits,), limit=limit)[bits]
    return level(torch.as_tensor(values)).values.numpy()


def nearest(values, codes):
    return codes[np.abs(values[:, None] - codes).argmin(1)]


def middles(bits, limit):
    edges = np.linspace(-limit, limit, 2**bits + 1)
    return (edges[1:] + edges[:-1]) / 2


def mean(logits, codes):
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares @ codes / shares.sum(1)


def away(values, codes):
    return np.abs(values[:, None] - codes)


def library_soft(values, codes, temperature):
    return LabelCodes(codes).soft(torch.as_tensor(values), temperature=temperature).numpy()


def careless_soft(values, codes, temperature):
    shares = np.exp(-away(values, codes) / temperature)
    with np.errstate(invalid="ignore"):
        return shares @ codes / shares.sum(1)


def leaves(network):
    return [layer for layer in network.modules()
            if type(layer).__module__.startswith("torch.nn.") and not any(layer.children())]


def called(network, clip, layers):
    """Return the layers in order of their calls, one as often as it was called."""
    seen = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, given, out: seen.append(layer))
    with torch.no_grad():
        network(clip)
    return seen


def sizes(layers):
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


RIGHT = [
    (nb06.uniform, uniform), (nb06.uniform, library_uniform),
    (nb06.uniform, lambda values, bits, limit: nearest(values, middles(bits, limit))),
    (nb06.soft, library_soft), (nb06.soft, lambda x, c, t: mean(-away(x, c) / t, c)),
    (nb06.visible, lambda network, clip: sizes(set(called(network, clip, leaves(network))))),
    (nb06.visible, lambda network, clip: torch.tensor(sizes(set(called(network, clip, leaves(network)))))),
]

WRONG = [
    (nb06.uniform, lambda v, bits, limit: uniform(v, bits, limit) - limit / 2**bits, "should|lower end"),
    (nb06.uniform, lambda v, bits, limit: nearest(v, np.linspace(-limit, limit, 2**bits)), "should|begin and end"),
    (nb06.uniform, lambda v, bits, limit: (np.floor((v + limit) / (2 * limit / 2**bits)) + 0.5)
     * (2 * limit / 2**bits) - limit, "should"),
    (nb06.uniform, lambda v, bits, limit: nearest(v, middles(bits - 1, limit)), "should"),
    (nb06.uniform, lambda v, bits, limit: np.clip(np.round(v * 2**bits / (2 * limit)), 0, 2**bits), "should"),
    (nb06.soft, lambda x, c, t: mean(-away(x, c) ** 2 / t, c), "not its square"),
    (nb06.soft, lambda x, c, t: mean(away(x, c) / t, c), "nearest code must weigh most"),
    (nb06.soft, lambda x, c, t: mean(-away(x, c), c), "Divide the distances by the temperature"),
    (nb06.soft, lambda x, c, t: mean(-away(x, c) * t, c), "do not multiply"),
    (nb06.soft, lambda x, c, t: nearest(x, c), "nearest code alone|should"),
    (nb06.soft, lambda x, c, t: np.exp(-away(x, c) / t) @ c, "must add up to 1"),
    (nb06.soft, careless_soft, "take off the smallest distance"),
    (nb06.visible, lambda network, clip: sizes([network]), "all parameters"),
    (nb06.visible, lambda network, clip: sizes(leaves(network)), "all parameters"),
    (nb06.visible, lambda network, clip: sizes(called(network, clip, leaves(network))), "still one layer"),
    (nb06.visible, lambda network, clip: sizes(set(called(network, clip, network.modules()))), "should|all parameters"),
    (nb06.visible, lambda network, clip: len(set(called(network, clip, leaves(network)))), "should"),
]

test_right, test_wrong, test_stub = judged_by(RIGHT, WRONG, ALL)


def test_a_counter_that_takes_containers_for_layers_fails_at_the_latest_at_weights_that_are_not_called():
    verdict = nb06.visible(lambda network, clip: sizes([network]) if isinstance(network, nn.Sequential) else
                           sizes([layer for layer in leaves(network) if layer.in_features != 5]))
    assert verdict.status == "wrong" and "without calling" in verdict.message
