"""The report on a copy of a data set, as text."""

from __future__ import annotations

import numpy as np

from .copy_check import CheckedRecording, CopyCheck

NAMED = 6


def copy_text(check: CopyCheck) -> str:
    """Return what a person reads: what is there, what is not, what is odd, and what the terms ask for."""
    listing, what = check.listing, check.what
    people = {row.subject for row in check.rows}
    parts = [f"{what.title}: {len(check.rows)} recordings of {len(people)} people in {listing.folder}",
             f"published: {what.recordings} recordings of {what.people} people" if what.recordings else "",
             *_several("missing", listing.missing),
             *_several("left out", [f"{each.what}: {each.why}" for each in listing.left_out]),
             *listing.notes, "", *_rates(check.rows), *_problems(check.rows),
             *(f"the same {kind} twice: {', '.join(ids)}: which of them it belongs to is not known; leave all but the "
               f"right one out" for kind, ids in (("label or video", ids) for ids in check.twice)),
             "", *_labels(check), "", *_terms(check)]
    return "\n".join(line for k, line in enumerate(parts) if line or (k and parts[k - 1])).strip()


def _several(what: str, names: list[str] | tuple[str, ...]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NAMED} more (--save and --json name all)" if len(names) > NAMED else ""
    if what == "missing":
        return [f"missing: {len(names)}: {', '.join(names[:NAMED])}{more}"]
    return [f"{what}: {len(names)}", *(f"  {name}" for name in names[:NAMED]), *([f"  {more.strip()}"] if more else [])]


def _rates(rows: tuple[CheckedRecording, ...]) -> list[str]:
    out = []
    for name, seconds, rate in (("videos", "video_s", "video_hz"), ("labels", "label_s", "label_hz")):
        lengths, rates = (np.array([getattr(row, each) for row in rows]) for each in (seconds, rate))
        known = np.isfinite(lengths)
        if known.any():
            out.append(f"{name}: {_range(lengths[known])} s at {_range(rates[np.isfinite(rates)])} Hz, "
                       f"{lengths[known].sum() / 60:.0f} min in all"
                       + (f"; of {(~known).sum()} not known" if not known.all() else ""))
    return out


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _problems(rows: tuple[CheckedRecording, ...]) -> list[str]:
    odd = [f"{row.id}: {'; '.join(row.problems)}" for row in rows if row.problems]
    said: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            said.setdefault(note, []).append(row.id)
    notes = [f"{note} ({len(ids)} recordings, {ids[0]} for one)" for note, ids in said.items()]
    return [*_several("to look at", odd), *_several("noted of labels", notes)]


def _labels(check: CopyCheck) -> list[str]:
    if check.labels is None:
        return ["no label could be read"]
    watched = sum(row.watched for row in check.rows)
    return [f"Labels (of {watched} recordings beside their pictures, of the others alone)", check.labels.to_text()]


def _terms(check: CopyCheck) -> list[str]:
    terms = check.what.terms
    faces = "may be shown" if terms.may_show_faces else "must not be shown"
    return [f"Terms: {terms.licence}. Faces {faces}" + (f"; {terms.note}" if terms.note else "") + ".",
            f"Cite: {terms.cites} (book/refs.bib)." if terms.cites else ""]
