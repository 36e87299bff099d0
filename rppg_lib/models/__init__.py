"""Networks that estimate a pulse: one file and one ``Config`` each. Every file in this folder is found by itself.

=====================  =========================================================================
``Network``            what a network is; derive from it and register
``NetworkEstimator``   a network as something with ``predict(clip) -> Pulse``
``load_network``       a trained network from its folder; ``save_network`` writes one
=====================  =========================================================================

>>> from rppg_lib.registry import available
>>> "physnet" in available("network")
True
"""

import importlib
import pkgutil

from .estimator import NetworkEstimator
from .network import Network, Published, pulse_of
from .weights import load_network, save_network

__all__ = ["Network", "NetworkEstimator", "Published", "load_network", "pulse_of", "save_network"]

for _module in pkgutil.iter_modules(__path__):
    try:
        importlib.import_module(f"{__name__}.{_module.name}")
    except Exception as error:
        raise ImportError(f"models: {_module.name}.py cannot be loaded ({type(error).__name__}: {error}). Mend it, or "
                          f"move it out of {__path__[0]}; methods work without it.") from error
