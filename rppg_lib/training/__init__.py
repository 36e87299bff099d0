"""Training: one loop for every network, in stages if need be, that can be killed at any moment and goes on.

=====================  ======================================================================
:func:`fit`            trains: ``fit(network, objective, data, config, folder=...)``
``TrainingData``       samples to train and to validate; ``FitConfig``: how; ``Fitted``: what came
``Objective``          what is minimised; ``WaveObjective``: losses by name
``training_folder``    a folder that no other training shares
``train_in_stages``    several trainings in a row, each a ``Stage``, of one network or of parts for it; ``load_part``
=====================  ======================================================================

>>> import numpy as np, torch
>>> from rppg_lib.data import Windows
>>> from rppg_lib.models import Network
>>> from rppg_lib.types import Clip
>>> class Mean(Network):                                             # a straight line from the mean colour
...     min_px = 1
...     def __init__(self):
...         super().__init__()
...         self.line = torch.nn.Linear(3, 1)
...     def forward(self, frames):
...         return self.line(frames.mean((-2, -1)).movedim(1, -1)).squeeze(-1)        # (B,3,T,H,W) -> (B,T)
>>> beat = np.sin(2 * np.pi * 1.2 * np.arange(256) / 30)
>>> frames = (120 - 9 * beat[:, None, None, None]).round().astype(np.uint8).repeat(3, -1)
>>> windows = Windows([Clip(frames=frames, label=beat, fs=30)], frames=64)
>>> config = FitConfig(epochs=20, lr=0.3, device="cpu")
>>> network = Mean()
>>> fitted = fit(network, WaveObjective({"mse": 1.0}), TrainingData(windows, windows), config, progress=False)
>>> fitted.best["validation_loss"] < fitted.history[0]["validation_loss"]
True
"""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)                     # its bars would be widgets; ours are plain text
    import accelerate  # noqa: F401

from .config import FitConfig, Fitted, TrainingData
from .fit import fit
from .objective import LOSSES, Objective, WaveObjective
from .stages import Stage, load_part, train_in_stages
from .state import training_folder

__all__ = ["FitConfig", "Fitted", "LOSSES", "Objective", "Stage", "TrainingData", "WaveObjective", "fit", "load_part",
           "train_in_stages", "training_folder"]
