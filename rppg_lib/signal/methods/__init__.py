"""Seven ways from skin colour to pulse: ``(rgb (..., T, 3), *, fs, compatible=False) -> (..., T)``.

By default each returns its waveform unfiltered and with systole up. ``compatible=True`` gives what the public
toolboxes compute from the same trace, their filters, edge effects and sign included, so that numbers can be compared.
"""

from .chrom import chrom
from .green import green
from .ica import ica
from .lgi import lgi
from .omit import omit
from .pbv import pbv
from .pos import pos

__all__ = ["chrom", "green", "ica", "lgi", "omit", "pbv", "pos"]
