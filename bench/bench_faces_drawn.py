"""Drawn faces whose pose, jaw, lids and pulse change in every frame, through the camera to 8 bits, on one core.

Wanted per second: 1,000 at 36 px, 400 at 72, 150 at 128, and 60 at 640x480 with a face of 176.
"""

from timing import seconds  # first: it sets one thread

# isort: split
import cv2
import numpy as np

from rppg_lib import simulate
from rppg_lib.simulate.faces import Renderer, look, resting
from rppg_lib.simulate.faces.film_camera import Developer, FilmCamera

CASES = (((36, 36), 20.9, 1000), ((72, 72), 41.8, 400), ((128, 128), 74.2, 150), ((640, 480), 176.0, 60))
FRAMES = 60


def lively(frames):
    """Return a course in which nothing stays as it was."""
    t = np.arange(frames) / 30
    wave = np.stack([np.sin(8 * (t - delay)) for delay in (0, 0.02, 0.04, 0.06)], axis=1)
    return resting(t, pulse=wave, delays_s=np.array([0, 0.02, 0.04, 0.06]), x=0.05 * np.sin(2 * t + 0.1),
                   y=0.03 * np.sin(3 * t + 0.2), yaw_deg=8 * np.sin(1.7 * t + 0.3), pitch_deg=4 * np.sin(2.3 * t + 1),
                   roll_deg=3 * np.sin(1.1 * t + 2), jaw=0.25 + 0.2 * np.sin(9 * t), blink=0.4 + 0.3 * np.sin(5 * t),
                   gaze=np.stack([0.3 * np.sin(2.2 * t), 0.2 * np.cos(1.9 * t)], axis=1))


def main():
    """Print the figures."""
    cv2.setNumThreads(1)
    course = lively(FRAMES)
    for style in ("short", "long"):
        for size_px, face_px, wanted in CASES:
            face = Renderer(simulate.person(3), look(3, hair_style=style), size_px=size_px, face_px=face_px)
            camera = Developer(FilmCamera(), size_px, gain=1.0, frames=FRAMES, rng=np.random.default_rng(0))

            def film(face=face, camera=camera):
                for number in range(FRAMES):
                    camera.develop(face.linear(course, number), number)

            rate = FRAMES / seconds(film, repeats=9)
            drawn = FRAMES / seconds(lambda face=face: [face.linear(course, number) for number in range(FRAMES)])
            print(f"{style:5s} hair  {size_px[0]:3d}x{size_px[1]:<3d} face {face_px:5.1f} px   {rate:5.0f} /s "
                  f"(wanted: {wanted})   without the camera {drawn:5.0f} /s")


if __name__ == "__main__":
    main()
