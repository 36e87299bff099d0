"""Methods x clips -> one row per window -> tables with intervals.

>>> import numpy as np
>>> from rppg_lib.evaluation import evaluate, summarise
>>> from rppg_lib.types import Clip
>>> t = np.arange(900) / 30
>>> def clip(bpm):
...     beat = np.sin(2 * np.pi * bpm / 60 * t)
...     return Clip(id=f"{bpm}", subject=f"{bpm}", fs=30, label=beat,
...                 rgb=[120, 90, 70] * (1 - 0.01 * np.outer(beat, [0.33, 0.77, 0.53])))
>>> rows = evaluate(["pos", "chrom"], [clip(60), clip(72), clip(90)])
>>> len(rows)
6
>>> summarise(rows).mae.round(1).to_dict()
{'pos': 0.0, 'chrom': 0.0}
"""

from .agreement import BlandAltman, bland_altman
from .audit import LabelAudit, RecordingAudit, audit
from .compare import Ranks, compare, critical_difference, holm, rank_methods, sign_flip_p
from .efficiency import efficiency
from .groups import GroupErrors, errors_by_group
from .label_files import Labelled, Unread, read_labels
from .predictions import Prediction, read_predictions
from .probe import Probe, identity_probe
from .published import COSTS, Conditions, beside_published, published, read_published
from .readout import FIELD, FIELD_2023, FINE, ReadOut
from .risk import RiskCoverage, risk_coverage
from .run import evaluate, score_waves
from .score import ScoreReport, score_file
from .summary import METRICS, summarise

__all__ = ["COSTS", "FIELD", "FIELD_2023", "FINE", "METRICS", "BlandAltman", "Conditions", "GroupErrors",
           "LabelAudit", "Labelled", "Prediction", "Probe", "Ranks", "ReadOut", "RecordingAudit", "RiskCoverage",
           "ScoreReport", "Unread", "audit", "beside_published", "bland_altman", "compare", "critical_difference",
           "efficiency", "errors_by_group", "evaluate", "holm", "identity_probe", "published", "rank_methods",
           "read_labels", "read_predictions", "read_published", "risk_coverage", "score_file", "score_waves",
           "sign_flip_p", "summarise"]
