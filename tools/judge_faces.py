"""Ask three face finders whether they see the simulated faces, and where they see eyes and mouth.

Prints one row per condition and per tone: share of pictures in which each finder found the face, and the error of eye
and mouth corners in percent of the face's width.
"""

from __future__ import annotations

import argparse
import zipfile
from functools import lru_cache
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from rppg_lib import results
from rppg_lib.simulate import person
from rppg_lib.simulate.faces import look, resting
from rppg_lib.simulate.faces.render import LANDMARKS, Renderer
from rppg_lib.simulate.people import TONE_MELANIN, TONES
from rppg_lib.video.model import face_model_path

# Sides are those of the person, MediaPipe's too.
INDEX = {"right eye outer": 33, "right eye inner": 133, "left eye inner": 362, "left eye outer": 263,
         "right mouth corner": 61, "left mouth corner": 291}
MORE = {"right iris": 468, "left iris": 473, "nose tip": 1, "chin": 152}
CONDITIONS = {
    "frontal": {}, "yaw -25": {"yaw_deg": -25.0}, "yaw +25": {"yaw_deg": 25.0}, "pitch -15": {"pitch_deg": -15.0},
    "pitch +15": {"pitch_deg": 15.0}, "roll -15": {"roll_deg": -15.0}, "roll +15": {"roll_deg": 15.0},
    "far": {"scale": 0.48}, "near": {"scale": 1.36}, "eyes shut": {"blink": 1.0}, "mouth open": {"jaw": 0.82},
    "crop 128": {"crop": 128}, "crop 72": {"crop": 72}}


class Judges:
    """FaceLandmarker, BlazeFace and Haar, each asked about one picture at a time."""

    def __init__(self) -> None:
        model = Path(face_model_path())
        with zipfile.ZipFile(model) as inside:
            short = inside.read("face_detector.tflite")
        self.marker = vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(model))))
        self.blaze = vision.FaceDetector.create_from_options(vision.FaceDetectorOptions(
            base_options=tasks.BaseOptions(model_asset_buffer=short)))
        self.haar = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def ask(self, picture: np.ndarray, truth: np.ndarray) -> dict:
        """Return hits of the three, and errors in pixels of INDEX and MORE, NaN where no face was found."""
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        nose = truth[LANDMARKS.index("nose tip")]
        found = self.marker.detect(image).face_landmarks
        names = {**INDEX, **MORE}
        errors = {name: float("nan") for name in names}
        if found:
            size = np.array(picture.shape[1::-1])
            for name, at in names.items():
                seen = np.array([found[0][at].x, found[0][at].y]) * size - 0.5
                errors[name] = float(np.linalg.norm(seen - truth[LANDMARKS.index(name)]))
        boxes = self.haar.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 1.1, 3, minSize=(20, 20))
        hit = any(x <= nose[0] <= x + w and y <= nose[1] <= y + h for x, y, w, h in boxes)
        return {"landmarker": bool(found), "blazeface": bool(self.blaze.detect(image).detections), "haar": bool(hit),
                "errors": errors}


@lru_cache(maxsize=3)
def face_of(seed: int, tone: int, family: str, crop: int | None) -> Renderer:
    """Return what renders one identity, in the middle of a room or in a crop."""
    size, face_px = ((crop, crop), 0.72 * crop) if crop else ((480, 400), 176.0)
    melanin = TONE_MELANIN[tone] * np.random.default_rng([seed, tone]).uniform(0.85, 1.15)
    return Renderer(person(seed, melanin=melanin), look(seed, family=family), size_px=size, face_px=face_px,
                    centre=(size[0] / 2, size[1] * 0.46))


def picture_of(seed: int, tone: int, condition: str, family: str = "A") -> tuple[np.ndarray, np.ndarray, float]:
    """Return a coded picture, the true landmarks and the width of the face in pixels."""
    setting = dict(CONDITIONS[condition])
    face = face_of(seed, tone, family, setting.pop("crop", None))
    rng = np.random.default_rng([seed, tone, list(CONDITIONS).index(condition)])
    lamp = [rng.uniform(-1.2, 1.2), rng.uniform(-1, -0.2), 1.0]
    course = resting(np.zeros(1), lamp=lamp, **setting)
    linear = face.linear(course, 0)
    level = 255 * np.sqrt(np.clip(linear, 0, 1)) + rng.normal(0, 1.4, linear.shape)
    picture = np.clip(np.round(level), 0, 255).astype(np.uint8)
    return picture, face.landmarks(course, 0), 2 * face.unit_px * setting.get("scale", 1)


def judge(identities: int, *, conditions: list[str] | None = None, family: str = "A", first: int = 0) -> list[dict]:
    """Return one row per picture; the tones take turns from identity to identity."""
    judges, rows = Judges(), []
    for number in range(first, first + identities):
        for condition in conditions or CONDITIONS:
            picture, truth, width = picture_of(number, number % 6, condition, family)
            said = judges.ask(picture, truth)
            errors = {name: 100 * error / width for name, error in said.pop("errors").items()}
            rows.append({"seed": number, "tone": TONES[number % 6], "condition": condition, **said, **errors})
    return rows


def summary(rows: list[dict], by: str) -> list[dict]:
    """Return hit rates and errors, one row for each value of ``by``, and one for all."""
    lines = []
    for value in [*dict.fromkeys(row[by] for row in rows), None]:
        some = [row for row in rows if value is None or row[by] == value]
        corners = np.array([[row[name] for name in INDEX] for row in some])
        eyes, mouth = np.nanmedian(corners[:, :4]), np.nanmedian(corners[:, 4:])
        mean = np.stack([corners[:, :4].mean(1), corners[:, 4:].mean(1)], 1)
        hits = {name: float(np.mean([row[name] for row in some])) for name in ("landmarker", "blazeface", "haar")}
        lines.append({by: value or "all", "n": len(some), **hits,
                      "eyes": float(eyes), "mouth": float(mouth), "worst": float(np.nanmax(corners)),
                      "within 5 %": float(np.mean(np.all(mean <= 5, axis=1))),
                      **{name: float(np.nanmedian([row[name] for row in some])) for name in MORE}})
    return lines


def keep(rows: list[dict], options: argparse.Namespace) -> None:
    """Write the tables into the results, with versions and machine."""
    config = {"identities": options.identities, "first": options.first, "family": options.family}
    tables = {by: summary(rows, by) for by in ("condition", "tone")}
    print(results.save("judge_faces", tables, profile="full", seed=options.first, config=config,
                       data=f"simulated, {options.identities} identities"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="seed of the first identity")
    parser.add_argument("--family", default="A", choices=("A", "B"))
    parser.add_argument("--conditions", nargs="*", choices=CONDITIONS, default=None)
    parser.add_argument("--save", action="store_true", help="keep both tables, stamped, as judge_faces.full.json")
    options = parser.parse_args()
    rows = judge(options.identities, conditions=options.conditions, family=options.family, first=options.first)
    for by in ("condition", "tone"):
        lines = summary(rows, by)
        print("  ".join(f"{name:>10.10}" for name in lines[0]))
        for line in lines:
            print("  ".join(f"{v:>10}" if isinstance(v, (str, int)) else f"{v:>10.3f}" for v in line.values()))
    if options.save:
        keep(rows, options)


if __name__ == "__main__":
    main()
