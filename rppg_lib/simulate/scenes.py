"""Named sets of disturbances, from a still face to no pulse at all."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from .chance import check_number
from .effects import Disturbance
from .light import Darkness, Flicker, Glimmer, LightDrift, LightSteps, NoPulse, ScreenLight, WalkingLight
from .motion import Blinks, FarFace, HeartMotion, Jumps, Nodding, Sway, Talking, Turning
from .transport import Compression, DroppedFrames

REST: tuple[Disturbance, ...] = (Sway(), Blinks(), HeartMotion())
"""What a living head does in every scene. A trace sees only the sway."""

SCENES: dict[str, tuple[Disturbance, ...]] = {
    "still": REST,
    "talking": (*REST, Talking()),
    "turning": (*REST, Turning()),
    "fast turning": (*REST, Turning(angle_deg=12, turn_hz=0.65), Jumps()),
    "exercise": (*REST, Nodding()),
    "light drift": (*REST, LightDrift(), LightSteps()),
    "walking light": (*REST, WalkingLight()),
    "flicker": (*REST, Flicker(), Glimmer()),
    "screen light": (*REST, ScreenLight()),
    "dark": (*REST, Darkness()),
    "far face": (*REST, FarFace()),
    "no pulse": (*REST, NoPulse()),
    "compressed": (*REST, Compression()),
    "low bitrate": (*REST, Compression(crf=28, preset="veryfast", tune=None)),
    "dropped frames": (*REST, DroppedFrames()),
}
"""What disturbs a face in each named scene. A still face sways a little, in every scene."""

TRACE_SCENES = tuple(name for name, parts in SCENES.items() if not any(hasattr(part, "pixels_only") for part in parts))
"""Scenes that a trace can have: all but those that only do something to pictures."""


def scene_parts(who: str, scene: str | Sequence[Disturbance], difficulty: float) -> tuple[str, tuple[Disturbance, ...]]:
    """Return the name of a scene and its disturbances, each scaled by ``difficulty``."""
    factor = check_number(who, "difficulty", difficulty, low=0)
    if isinstance(scene, str):
        if scene not in SCENES:
            near = difflib.get_close_matches(scene.lower(), SCENES, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{who}: there is no scene {scene!r}.{hint} Scenes: {', '.join(SCENES)}.")
        name, parts = scene, SCENES[scene]
    else:
        if not isinstance(scene, (Disturbance, Sequence)):
            raise TypeError(f"{who}: a scene is a name or disturbances, got {scene!r}. "
                            f"Pass one of {', '.join(SCENES)}, or a list such as [LightDrift()].")
        parts = (scene,) if isinstance(scene, Disturbance) and not isinstance(scene, type) else tuple(scene)
        for part in parts:
            if isinstance(part, type) or not isinstance(part, Disturbance):
                raise TypeError(f"{who}: a scene is a name or disturbances, got {part!r}. "
                                f"Pass one of {', '.join(SCENES)}, or objects such as LightDrift(strength=0.5).")
        name = " + ".join(part.name for part in parts if part.strength > 0) or "undisturbed"
    return name, tuple(part.scaled(factor) for part in parts)
