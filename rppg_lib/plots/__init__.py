"""One function per figure. Each draws on the Axes it is given, returns it, and computes nothing.

Truth is black; a method has the same colour and marker in every figure. Colours are Okabe and Ito's, told apart by
colour-blind readers; markers differ for those who print in grey.
"""

from .comparisons import plot_differences, plot_groups, plot_ranks, plot_risk_coverage
from .copies import copy_figure
from .labels import audit_figure, plot_label, plot_lag
from .looks import (
    CHANNEL_COLOURS,
    METHOD_LOOKS,
    NETWORK_LOOKS,
    TRUTH,
    UNITS,
    VERDICT_LOOKS,
    method_look,
    use_style,
)
from .pictures import lent_like, plot_look, plot_map, plot_picture
from .scores import plot_bland_altman, plot_growth, plot_learning, plot_metric
from .waves import measurement_figure, plot_rate, plot_spectrum, plot_trace, plot_wave

__all__ = ["CHANNEL_COLOURS", "METHOD_LOOKS", "NETWORK_LOOKS", "TRUTH", "UNITS", "VERDICT_LOOKS", "audit_figure",
           "copy_figure", "lent_like", "measurement_figure", "method_look", "plot_bland_altman", "plot_differences",
           "plot_groups", "plot_growth", "plot_label", "plot_lag", "plot_learning", "plot_look", "plot_map",
           "plot_metric", "plot_picture", "plot_ranks", "plot_rate", "plot_risk_coverage", "plot_spectrum",
           "plot_trace", "plot_wave", "use_style"]
