"""What a simulated face looks like: its shape, hair, glasses, light and room."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from ..chance import check_number, check_seed, stream

if TYPE_CHECKING:
    from .photo import Photo

FAMILIES = ("A", "B")
HAIR_STYLES = ("short", "bald", "long", "fringe")
WORDS = {"family": FAMILIES, "hair_style": HAIR_STYLES, "room": ("blocks", "window")}


@dataclass(frozen=True, kw_only=True)
class Look:
    """Appearance of one face. Draw with :func:`look`. Lengths are in half face widths, y down, 0 between the eyes.

    What depends on the tone of the skin (hair colour, whites of the eyes) is settled when a person wears the look.
    """

    seed: int
    family: str = "A"
    # head
    squareness: float = 2.25             # exponent of the horizontal section: 2 is round
    width: float = 1.0
    length: float = 1.0                  # stretches everything below the eyes
    jaw: float = 0.0                     # wider or narrower, relative
    chin: float = 0.0
    cheek: float = 0.0
    ears: float = 0.13                   # how far they stand out
    # eyes and brows
    eye_at: float = 0.45
    eye_width: float = 0.215             # half
    eye_height: float = 1.0
    eye_tilt: float = 0.0
    eye_colour: float = 0.5              # 0 dark brown to 1 blue; dark skin has dark eyes
    brow_at: float = -0.275
    brow_thickness: float = 0.045
    brow_density: float = 0.8
    # nose and mouth
    nose_width: float = 1.0
    nose_height: float = 1.0
    nose_length: float = 0.61
    mouth_at: float = 0.94
    mouth_width: float = 0.37            # half
    lips: float = 1.0
    # hair
    hairline: float = -0.92
    hair_style: str = "short"
    hair_shade: float = 0.5              # draws the colour from those usual at the tone
    hair_thickness: float = 0.12
    beard: float = 0.0                   # density
    glasses: float = 0.0                 # 0 none, else the darkness of the rims
    # skin
    freckles: float = 0.0
    wrinkles: float = 0.3
    gloss: float = 1.0                   # highlights, relative
    # light and room
    key: float = 0.72
    ambient: float = 0.35
    warmth: float = 0.06                 # 0 white light; above, less blue
    room: str = "blocks"
    clothes: float = 0.5
    distance: float = 1.0                # of the camera, relative: a film may make the face smaller by it
    photo: Photo | None = None           # colours of a photographed face; made by look_from_photo

    def __post_init__(self) -> None:
        who = f"Look {self.seed}"
        check_seed(who, self.seed)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in WORDS:
                if value not in WORDS[field.name]:
                    raise ValueError(f"{who}: {field.name} must be one of {', '.join(WORDS[field.name])}, "
                                     f"got {value!r}.")
            elif field.name not in ("seed", "photo"):
                check_number(who, field.name, value, low=-2, high=4)


def look(seed: int, *, family: str = "A", **changes: float | str) -> Look:
    """Draw the appearance of a face. The same seed and family are always the same face.

    Two families serve to train on one and test on the other. B differs from A in: longer and squarer heads, narrower
    noses, eyes closer together, more long hair and beards, a bright window behind the head instead of plain shapes,
    cooler and flatter light, and a camera half as far away again.

    Args:
        seed: which face, from 0 on.
        family: "A" or "B".
        **changes: fields of :class:`Look`, such as ``glasses=0.9`` or ``hair_style="bald"``.

    >>> look(4) == look(4), look(4, family="B").room
    (True, 'window')
    """
    rng = stream(check_seed("look", seed), "look", str(family))
    known = [field.name for field in fields(Look) if field.name not in ("seed", "family", "photo")]
    for name in changes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"look: has no field {name!r}.{hint} Fields: {', '.join(known)}.")
    if family not in FAMILIES:
        raise ValueError(f"look: family must be one of {', '.join(FAMILIES)}, got {family!r}.")
    drawn = _face(rng) | _hair(rng, family)
    if family == "B":
        drawn |= _second_family(rng, drawn)
    return Look(seed=seed, family=family, **{**drawn, **changes})


def _face(rng: np.random.Generator) -> dict:
    ranges = {"width": (0.93, 1.06), "length": (0.97, 1.04), "jaw": (-0.1, 0.1), "chin": (-0.12, 0.12),
              "cheek": (-0.05, 0.05), "ears": (0.08, 0.16), "eye_at": (0.43, 0.49), "eye_width": (0.195, 0.235),
              "eye_height": (0.85, 1.2), "eye_tilt": (-0.07, 0.07), "eye_colour": (0, 1), "brow_at": (-0.31, -0.24),
              "brow_thickness": (0.034, 0.062), "brow_density": (0.6, 0.95), "nose_width": (0.85, 1.3),
              "nose_height": (0.75, 1.15), "nose_length": (0.56, 0.66), "mouth_at": (0.9, 0.98),
              "mouth_width": (0.33, 0.41), "lips": (0.6, 1.3), "gloss": (0.5, 1.3), "key": (0.55, 0.9),
              "ambient": (0.25, 0.45), "warmth": (0, 0.18), "clothes": (0, 1), "distance": (0.9, 1.1)}
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}
    drawn["freckles"] = float(rng.uniform(0.2, 1)) if rng.random() < 0.2 else 0.0
    drawn["wrinkles"] = float(rng.beta(1.2, 2.5))
    return drawn


def _hair(rng: np.random.Generator, family: str) -> dict:
    share = (0.45, 0.12, 0.25, 0.18) if family == "A" else (0.3, 0.15, 0.4, 0.15)
    style = str(rng.choice(HAIR_STYLES, p=share))
    bearded = 0.0 if style in ("long", "fringe") else 0.3 if family == "A" else 0.6
    beard = float(rng.choice([0.35, 0.9])) if rng.random() < bearded else 0.0
    return {"hair_style": style, "hairline": float(rng.uniform(-1.05, -0.82)), "hair_shade": float(rng.random()),
            "hair_thickness": float(rng.uniform(0.07, 0.18)), "beard": beard,
            "glasses": float(rng.uniform(0.6, 1)) if rng.random() < 0.25 else 0.0}


def _second_family(rng: np.random.Generator, first: dict) -> dict:
    return {"squareness": 2.6, "width": 0.97 * first["width"], "length": 1.06 * first["length"],
            "jaw": first["jaw"] + 0.06, "eye_at": first["eye_at"] - 0.02, "nose_width": 0.88 * first["nose_width"],
            "brow_at": first["brow_at"] - 0.015, "key": 0.75 * first["key"], "ambient": first["ambient"] + 0.12,
            "warmth": float(rng.uniform(-0.12, 0.02)), "room": "window", "distance": 1.5 * first["distance"]}
