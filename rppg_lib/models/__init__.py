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
    importlib.import_module(f"{__name__}.{_module.name}")
