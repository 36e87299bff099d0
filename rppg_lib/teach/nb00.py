"""The one exercise of notebook 00, Start here."""

from __future__ import annotations

import numpy as np

from .checks import exercise


@exercise("0.1", stars=1, minutes=5)
def heart_rate(case):
    """Beats per minute from the times of beats: ``heart_rate(beats_s)``."""
    for name, gap_s, count in (("a beat every second", 1.0, 11), ("a beat every 0.8 s", 0.8, 26),
                               ("only three beats", 0.5, 3)):
        beats = 2.0 + gap_s * np.arange(count)
        case(name, beats).gives(60 / gap_s, unit="bpm", traps=[
            (1 / gap_s, "That is beats per second."), (gap_s, "That is the time between beats, in seconds."),
            (60 * count / (beats[-1] - beats[0]), "Between n beats lie n - 1 intervals."),
            (60 * count / beats[-1], "The clock starts before the first beat.")])
    uneven = np.array([0.0, 0.6, 1.6, 2.4])
    case("intervals of 0.6, 1.0 and 0.8 s", uneven).gives(75.0, unit="bpm", traps=[
        (np.mean(60 / np.diff(uneven)), "Average the intervals, not their inverses: three beats took 2.4 s.")])
