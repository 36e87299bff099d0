"""Recordings kept for training: made in parallel, stored once, cut into windows, split by person, augmented.

==========  ==================================================================================================
sources     :class:`SimulatedSource` :class:`ClipSource` :class:`LazySource`, :func:`simulated_sources`: one recording
            to be made
store       :func:`build_store` makes a :class:`ClipStore`: pictures as uint8, with traces, labels and a manifest
splits      :func:`split_subjects` gives a :class:`Split`, :func:`k_folds` several; :func:`check_exclusive` finds leaks
protocols   :func:`protocol` divides people as published, :func:`cross` tests on another store, :func:`fold_table`
readers     ``from rppg_lib.data.readers import read_dataset``: public data sets; :class:`RecordingSource` crops them
films       :func:`recorded_films` takes a store in place of a notebook's simulated people, and divides it
windows     :class:`Windows` cuts clips into samples of one length and gives a :class:`Batch` of them
pulses      :class:`SimulatedPulses`, :class:`LabelWindows`: samples without pictures, for what learns from waves alone
augment     :class:`Augment`: flips, speed, colour, crops
normalise   ``from rppg_lib.data.normalise import normalise, target``: what networks are fed, and shall answer
==========  ==================================================================================================

Windows, pulses, augment and normalise need PyTorch, and are loaded when first asked for.
"""

import importlib

_HOME = {"Source": "sources", "Playing": "sources", "Ending": "sources", "SimulatedSource": "sources",
         "ClipSource": "sources", "LazySource": "sources", "simulated_sources": "sources",
         "ClipStore": "store", "Record": "manifest", "build_store": "build",
         "Split": "splits", "split_subjects": "splits", "k_folds": "splits", "check_exclusive": "splits",
         "Protocol": "protocols", "Fold": "protocols", "protocol": "protocols", "cross": "protocols",
         "fold_table": "protocols", "RecordingSource": "recorded",
         "Films": "films", "recorded_films": "films", "find_store": "films",
         "Batch": "windows", "Windows": "windows", "Augment": "augment",
         "SimulatedPulses": "pulses", "LabelWindows": "pulses"}
"""Where a name lives. None is also the name of a module, which would take its place once that is loaded."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
