"""The shape of a head against what geometry says."""

import numpy as np

from rppg_lib.simulate.faces.course import resting
from rppg_lib.simulate.faces.head import head as build
from rppg_lib.simulate.faces.head import jaw_fall, normals
from rppg_lib.simulate.faces.looks import look
from rppg_lib.simulate.faces.project import grid_over, look_at, pose, solid

FLAT = np.zeros((640, 768), np.float32)


def test_normals_of_a_ball_point_away_from_its_middle():
    theta = np.linspace(-np.pi, np.pi, 400, endpoint=False)
    y = np.linspace(-0.6, 0.6, 240)
    radius = np.sqrt(1 - y[:, None] ** 2) * np.ones_like(theta)
    outward = np.stack([radius * np.sin(theta), y[:, None] * np.ones_like(theta), radius * np.cos(theta)], -1)
    found = normals(radius.astype(np.float32), theta, y)
    inner = (slice(8, -8), slice(8, -8))
    assert ((found * outward).sum(-1)[inner] > 0.999).all()


def test_a_nose_points_to_the_camera_and_stands_out():
    head = build(look(3), FLAT)
    normal = normals(head.radius, head.theta, head.y)
    row, column = int(head.row(0.2)), int(head.column(0))
    assert normal[row, column, 2] > 0.8
    assert head.point(0, look(3).nose_length)[2] > head.point(0.5, look(3).nose_length)[2] + 0.2


def test_rays_meet_the_surface_where_the_table_has_it():
    head = build(look(3, hair_style="bald"), FLAT)
    course = resting(np.zeros(1), yaw_deg=20.0, pitch_deg=-8.0)
    where = pose(course, 0, (150.0, 150.0), 80.0)
    grid = grid_over((60, 60, 240, 290), (300, 300), 2)
    shape = solid(head.radius)
    seen = look_at(where, shape, grid)
    deep = seen.inside > 0.1
    points = np.stack([seen.x, seen.y, seen.z], -1)
    pixels = where.to_picture(points)
    assert np.abs(pixels[..., 0] - grid.x_px[None]).max() < 0.01
    assert np.abs(pixels[..., 1] - grid.y_px[:, None]).max() < 0.01
    off = np.abs(shape.inside(seen.x, seen.y, seen.z))[deep]
    assert np.percentile(off, 98) < 0.01


def test_an_open_jaw_lowers_the_chin_but_not_the_eyes():
    y = np.array([0.0, 0.9, 1.5])
    fall = jaw_fall(y, 0.3, 0.94)
    assert fall[0] == fall[1] == 0
    assert 0.15 < fall[2] < 0.3
