"""The words of a label audit: a table, the worst first, and what to do about each fault."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .segments import BROKEN, DOUBTFUL, GOOD

if TYPE_CHECKING:
    from .audit import LabelAudit, RecordingAudit

SHOWN = 30
"""Recordings in the table, and recordings that could not be read; JSON has them all."""
NAMED = 4
LONGEST_NAME = 28
ONE_LAG_S = 0.1
"""Certain lags further apart than this are not one."""

ADVICE = {
    "too short": "Less than a beat: there is nothing to judge.",
    "missing": "Values that are no numbers. signal.resample fills gaps of up to half a second; cut at longer ones.",
    "flat": "One value for seconds: the sensor had lost contact. Cut these seconds out, of the label and of the video.",
    "no pulse": "Nothing repeats itself as a pulse does. Leave these segments out.",
    "spikes": "The hand moved. Cut them out: a band-pass does not remove a spike, it makes it longer.",
    "noisy": "More power beside the pulse than in it. Band-pass the label, and audit it again.",
    "odd beats": "Beats unlike the recording's others: an irregular heart, beats found twice, or noise. Look at the "
                 "figure that --save writes.",
    "clipped": "The sensor's range was too small: rates and beats are right, heights and shapes are not. Use no loss "
               "that compares waveforms.",
    "wanders": "What is slower than the pulse is larger. Band-pass the label before you train on it.",
    "few steps": "The label came in 32 different values or fewer. A band-pass rounds such steps off and does not bring "
                 "back what lay between: look for a finer recording.",
    "upside down": "Multiply the label by -1: systole points up everywhere else.",
    "late or early": "Shift the label by this: where it comes n frames after the face, drop its first n values and the "
                     "last n frames.",
}


def report_text(report: LabelAudit) -> str:
    """Return the report as text."""
    parts = [_headline(report)]
    if report.recordings:
        parts += [_table(report), *_advice(report), *_common_lag(report), *_steps(report)]
    return "\n".join([*parts, *_unread(report)])


def _headline(report: LabelAudit) -> str:
    counts = [sum(each.count(verdict) for each in report.recordings) for verdict in (GOOD, DOUBTFUL, BROKEN)]
    people = len({each.subject for each in report.recordings})
    seconds = sum(each.seconds for each in report.recordings)
    length = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    lost = f"; {len(report.unread)} not read" if report.unread else ""
    return (f"{report.source}: {_count(len(report.recordings), 'recording')} of "
            f"{_count(people, 'person', 'people')}, {length}{lost}\n"
            f"{_count(sum(counts), 'segment')} of about {report.segment_s:g} s: {counts[0]} good, "
            f"{counts[1]} doubtful, {counts[2]} broken")


def _table(report: LabelAudit) -> str:
    rows = report.worst_first()
    width = min(max(9, *(len(each.name) for each in rows)), LONGEST_NAME)
    out = ["", f"{'recording':{width}} {'good':>5}{'doubt.':>7}{'broken':>7}{'bpm':>6}{'alike':>7}{'SNR':>7}  found"]
    for each in rows[:SHOWN]:
        counts = "".join(f"{each.count(verdict):>{size}}" for verdict, size in ((GOOD, 5), (DOUBTFUL, 7), (BROKEN, 7)))
        figures = (_figure(_middle(each, name), size, digits)
                   for name, size, digits in (("hr_bpm", 6, 0), ("alike", 7, 2), ("snr_db", 7, 1)))
        out.append(f"{_cut(each.name, width):{width}} {counts}{''.join(figures)}  {_found(each)}".rstrip())
    if len(rows) > SHOWN:
        out.append(f"and {len(rows) - SHOWN} more, none of them worse; --json and --save name them all")
    return "\n".join([*out, "alike: correlation of beats with the recording's usual beat, below 0.86 odd. SNR: in dB, "
                            "about the own rate. Medians over segments."])


def _found(each: RecordingAudit) -> str:
    """Return what was found in a recording, in a line."""
    parts = []
    for reason in dict.fromkeys(reason for segment in each.segments for reason in segment.reasons):
        where = [segment for segment in each.segments if reason in segment.reasons]
        parts.append(f"{reason}{_amount(each, reason, where)} at {_times(where)}")
    if each.coarse:
        parts.append(f"in only {_count(each.distinct, 'step')}")
    if each.upside_down and not (each.lag and each.lag.known):
        parts.append("upside down?")
    if each.lag:
        parts.append(each.lag.to_text())
    return "; ".join(parts)


def _amount(each: RecordingAudit, reason: str, segments: list) -> str:
    """Return how much of a recording has a fault, where that is counted."""
    seconds = sum(getattr(segment, f"{reason}_s", 0.0) for segment in segments)
    if reason == "missing":                                          # one alone is far less than a tenth of a second
        return f" {_count(round(seconds * each.fs), 'value')}"
    return f" {seconds:.1f} s" if seconds else ""


def _times(segments: list) -> str:
    named = ", ".join(f"{segment.start_s:.0f}" for segment in segments[:NAMED])
    return f"{named} s" if len(segments) <= NAMED else f"{named} ... s"


def _advice(report: LabelAudit) -> list[str]:
    """Return what to do about each fault that was found."""
    where: dict[str, list[str]] = {}
    for each in report.worst_first():
        for reason in dict.fromkeys(reason for segment in each.segments for reason in segment.reasons):
            where.setdefault(reason, []).append(each.name)
        if each.coarse:
            where.setdefault("few steps", []).append(each.name)
        if each.upside_down:
            where.setdefault("upside down", []).append(each.name)
        if each.lag and each.lag.certain and abs(each.lag.seconds) * each.fs >= 1:
            where.setdefault("late or early", []).append(each.name)
    if not where:
        return ["", "Nothing to mend was found."]
    out = ["", "What to do"]
    for reason, advice in ADVICE.items():
        if names := where.get(reason):
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            out.append(f"  {reason} ({', '.join(names[:NAMED])}{more}): {advice}")
    return out


def _common_lag(report: LabelAudit) -> list[str]:
    sure = [round(each.lag.seconds, 2) + 0.0 for each in report.recordings if each.lag and each.lag.certain]
    if sure and max(sure) - min(sure) > ONE_LAG_S:
        return ["", f"Lags differ from recording to recording, from {min(sure):+.2f} to {max(sure):+.2f} s: no single "
                    f"shift is right for all."]
    lag = report.lag
    if lag is None or not lag.certain:
        return []
    frames = {round(lag.seconds * each.fs) for each in report.recordings}
    shift = f", {_count(abs(frames.pop()), 'frame')}" if len(frames) == 1 and frames != {0} else ""
    return ["", f"If the same sensor and camera made all of this: {lag.to_text()}{shift} (fits {lag.pieces} of "
                f"{sum(bool(each.lag and each.lag.known) for each in report.recordings)} recordings)."]


def _steps(report: LabelAudit) -> list[str]:
    if not report.steps:
        return []
    out = ["", "As quantised labels (Lloyd's codes for what is not broken, 0.75 to 2.5 Hz, spread 1 in each recording)",
           f"{'bits':>6}{'codes in use':>15}{'as good as':>12}{'SQNR (dB)':>11}   fewest in a recording"]
    for step in report.steps:
        least = min(((each.codes_in_use[step.bits], each.name) for each in report.recordings
                     if step.bits in each.codes_in_use), default=(math.nan, "-"))
        used = f"{step.in_use} of {2**step.bits}"
        out.append(f"{step.bits:>6}{used:>15}{step.perplexity:>12.1f}{step.sqnr_db:>11.1f}   {least[0]} ({least[1]})")
    return [*out, "In use: stands for more than 0.05 % of the samples. As good as: so many codes used equally often."]


def _unread(report: LabelAudit) -> list[str]:
    if not report.unread:
        return []
    more = [f"  and {len(report.unread) - SHOWN} more; --json names them all"] if len(report.unread) > SHOWN else []
    return ["", f"{_count(len(report.unread), 'recording')} could not be read and count in nothing above:",
            *(f"  {each.name}: {each.why}" for each in report.unread[:SHOWN]), *more]


def _middle(each: RecordingAudit, name: str) -> float:
    values = sorted(value for segment in each.segments if math.isfinite(value := getattr(segment, name)))
    return values[len(values) // 2] if values else math.nan


def _figure(value: float, size: int, digits: int) -> str:
    return f"{value:{size}.{digits}f}" if math.isfinite(value) else f"{'-':>{size}}"


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[:width - 3] + "..."


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
