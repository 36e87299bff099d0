"""Remote photoplethysmography: the pulse in face video, measured, learnt and judged.

=====================  =========================================================================
``rppg_lib.signal``    filters, heart rate, beats, quality; GREEN ICA CHROM PBV LGI POS OMIT
``rppg_lib.simulate``  people, light, motion and cameras with exactly known truth
``rppg_lib.registry``  everything that estimates a pulse, by name
``rppg_lib.video``     video in and out, faces in it, the colour of their skin
``rppg_lib.measure``   the pulse in anybody's video: ``measure("me.mp4")``
``rppg_lib.data``      clips on disk, training samples, splits by person
``rppg_lib.losses``    what a network is told to want
``rppg_lib.quantize``  vectors replaced by codes that learn
``rppg_lib.models``    networks, one file each
``rppg_lib.training``  one loop for all of them
``rppg_lib.evaluation``  methods x clips -> rows -> tables with intervals
``rppg_lib.plots``     one figure per function
``rppg_lib.results``   numbers with seed, profile, versions and machine
``rppg_lib.teach``     checks of exercises, sliders
=====================  =========================================================================

Parts are loaded when first used: ``import rppg_lib`` itself loads nothing heavy.

>>> import rppg_lib
>>> rppg_lib.signal.hr_from_spectrum.__name__
'hr_from_spectrum'
"""

import importlib

__version__ = "0.1.0"

_PARTS = ("data", "evaluation", "losses", "measurement", "models", "plots", "quantize", "registry", "results", "signal",
          "simulate", "teach", "training", "types", "video")
__all__ = [*_PARTS, "measure", "__version__"]


def __getattr__(name: str):
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "measure":
        return importlib.import_module(f"{__name__}.measurement").measure
    raise AttributeError(f"module 'rppg_lib' has no part {name!r}; it has {', '.join(_PARTS)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PARTS, "measure"])
