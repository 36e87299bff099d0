"""Regions of a face: names, shapes, exact means against masks made another way, and grids that tile."""

import numpy as np
import pytest

from rppg_lib.video.colours import LEAST_PIXELS, region_colours, shape_colour, sharpness
from rppg_lib.video.outlines import region_outlines
from rppg_lib.video.regions import (
    BROWS_TOP,
    LEFT_EYE,
    LIPS,
    REGIONS,
    RIGHT_EYE,
    Shape,
    check_region,
    each_region,
    patch_frame,
    region_mask,
    region_shape,
    shape_box,
)

from .pretend import Pretend

BOX = np.array([(40.0, 20.0), (140.0, 120.0)])
RIM = (10, *range(430, 465))
PICTURE = np.random.default_rng(0).integers(1, 255, (160, 200, 3), dtype=np.uint8)


def landmarks(turn_deg=0.0):
    """Return (478, 2) points that are a face in outline only: an oval, eyes, lips and brows where they belong."""
    def ring(numbers, x, y, wide, high):
        angle = np.linspace(0, 2 * np.pi, len(numbers), endpoint=False) - np.pi / 2
        points[list(numbers)] = np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], 1)

    points = np.tile([100.0, 80.0], (478, 1))
    ring(RIM, 100, 80, 50, 65)
    ring(RIGHT_EYE, 80, 70, 9, 4)
    ring(LEFT_EYE, 120, 70, 9, 4)
    ring(LIPS, 100, 115, 15, 6)
    points[list(BROWS_TOP)] = np.stack([np.linspace(130, 70, 7), np.full(7, 58.0)], 1)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points - 100) @ turn.T + 100


def inside(polygon, size):
    """Return (H, W) bool by crossings of a ray: another way than the library's."""
    y, x = np.mgrid[:size[0], :size[1]].astype(float)
    odd = np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        if y0 == y1:
            continue
        odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return odd


def test_a_rectangle_of_known_colour_gives_exactly_that_colour_and_area():
    picture = np.full((100, 120, 3), 7, np.uint8)
    picture[30:50, 40:80] = (200, 100, 50)
    colour = shape_colour(picture, Shape((np.array([(40, 30), (79, 30), (79, 49), (40, 49)], float),)))
    assert colour == ((200.0, 100.0, 50.0), 800, 0.0)


def test_a_hole_is_left_out():
    picture = np.full((100, 120, 3), 80, np.uint8)
    picture[40:60, 50:70] = 255
    square, hole = (np.array([(a, b), (c, b), (c, d), (a, d)], float)
                    for a, b, c, d in ((30, 20, 89, 79), (50, 40, 69, 59)))
    assert shape_colour(picture, Shape((square,), (hole,))) == ((80.0, 80.0, 80.0), 3600 - 400, 0.0)
    assert shape_colour(picture, Shape((square,))).clipped == pytest.approx(400 / 3600)


@pytest.mark.parametrize("turn_deg", [0, 13, -35])
@pytest.mark.parametrize("name", ["skin", "forehead", "face"])
def test_the_mean_is_that_of_a_mask_made_another_way(name, turn_deg):
    shape = region_shape(name, landmarks(turn_deg))
    mask = np.any([inside(p, PICTURE.shape[:2]) for p in shape.inside], 0)
    for polygon in shape.outside:
        mask &= ~inside(polygon, PICTURE.shape[:2])
    smooth = np.stack(np.broadcast_arrays(*np.ogrid[20:180, 10:210], 90), -1).astype(np.uint8)
    colour = shape_colour(smooth, shape)
    rims = sum(np.linalg.norm(p - np.roll(p, 1, 0), axis=1).sum() for p in (*shape.inside, *shape.outside))
    assert abs(colour.pixels - mask.sum()) < 0.6 * rims               # pixels on the rim belong to the library's mask
    np.testing.assert_allclose(colour.rgb, smooth[mask].mean(0), atol=1.0)
    own = region_mask(shape, PICTURE.shape[:2]) > 0
    assert (own ^ mask).sum() < 0.8 * rims
    got = region_colours(PICTURE, landmarks(turn_deg), [name])[name]
    np.testing.assert_allclose(got.rgb, PICTURE[own].mean(0), rtol=1e-12)
    assert got.pixels == own.sum()


def test_skin_leaves_out_eyes_and_mouth():
    points = landmarks()
    mask = region_mask(region_shape("skin", points), (160, 200))
    for numbers in (LEFT_EYE, RIGHT_EYE, LIPS):
        x, y = points[list(numbers)].mean(0).round().astype(int)
        assert mask[y, x] == 0
    assert mask[95, 80] == mask[95, 120] == mask[40, 100] == 255      # cheeks and forehead are in


@pytest.mark.parametrize("name", REGIONS)
def test_a_bare_box_has_every_region_and_each_lies_in_it(name):
    shape = region_shape(name, BOX)
    for polygon in shape.inside:
        assert (polygon >= BOX[0] - 5).all() and (polygon <= BOX[1] + 5).all()
    assert region_colours(PICTURE, BOX, [name])[name].pixels > 300


def test_left_is_the_side_of_the_person():
    left, right = (region_shape(f"{side} cheek", BOX).inside[0].mean(0) for side in ("left", "right"))
    assert left[0] > right[0]
    assert len(region_shape("cheeks", BOX).inside) == 2


@pytest.mark.parametrize("turn_deg", [0, 17])
@pytest.mark.parametrize("rows, columns", [(6, 6), (1, 1), (3, 5)])
def test_patches_tile_the_box_of_the_face(rows, columns, turn_deg):
    points = landmarks(turn_deg) * 0.9
    names = each_region(f"patches {rows}x{columns}")
    assert len(names) == rows * columns
    found = region_colours(PICTURE, points, names)
    frame = patch_frame(points)
    own = np.stack(np.meshgrid(np.arange(200), np.arange(160)), -1) @ frame.axes.T       # pixels in the box's axes
    share = (own - frame.low) / frame.size
    whole = ((share >= 0) & (share < 1)).all(-1)
    pixels = np.array([colour.pixels for colour in found.values()])
    assert pixels.sum() == pytest.approx(whole.sum(), abs=2)
    np.testing.assert_allclose(sum(np.array(c.rgb) * c.pixels for c in found.values()) / pixels.sum(),
                               PICTURE[whole].mean(0), rtol=1e-3)
    for name, colour in found.items():
        polygon = region_shape(name, points).inside[0]
        mask = inside(polygon, (160, 200))
        assert colour.pixels == pytest.approx(mask.sum(), rel=0.02, abs=12)
        alone = region_colours(PICTURE, points, [name])[name]
        assert alone == colour
    sides = [np.linalg.norm(np.diff(region_shape(name, points).inside[0], axis=0), axis=1) for name in names]
    np.testing.assert_allclose([side[0] * side[1] for side in sides], frame.size.prod() / len(names))


def test_patches_go_from_the_forehead_down_and_from_the_left_of_the_picture():
    slope = np.stack(np.broadcast_arrays(*np.ogrid[20:180, 10:210], 90), -1).astype(np.uint8)
    found = region_colours(slope, BOX, each_region("patches 2x3"))
    rows, columns = (np.array([c.rgb[k] for c in found.values()]).reshape(2, 3) for k in (0, 1))
    assert (np.diff(rows, axis=0) > 40).all() and (np.diff(columns, axis=1) > 30).all()
    assert abs(np.diff(rows, axis=1)).max() < 1e-9


def test_clipped_pixels_are_counted_and_left_out_on_request():
    picture = np.full((160, 200, 3), 100, np.uint8)
    picture[:, 90:] = 255
    for names in (["face"], ["patches 1x1"]):
        (name,) = each_region(names)
        plain = region_colours(picture, BOX, [name])[name]
        kept = region_colours(picture, BOX, [name], leave_clipped=True)[name]
        assert plain.clipped == kept.clipped == pytest.approx(0.5, abs=0.02)
        assert kept.rgb == (100.0, 100.0, 100.0) and kept.pixels == pytest.approx(plain.pixels / 2, rel=0.04)
        assert plain.rgb[0] == pytest.approx(177.5, abs=3)
    for level in ((255, 90, 90), (90, 90, 0)):                        # in one channel is enough
        blind_picture = np.full((160, 200, 3), level, np.uint8)
        for name in ("face", "patch 1,1 of 1x1"):
            blind = region_colours(blind_picture, BOX, [name], leave_clipped=True)[name]
            assert np.isnan(blind.rgb).all() and blind.clipped == 1


def test_a_face_at_the_rim_counts_what_is_in_the_picture_and_one_outside_has_no_colour():
    for name in ("skin", "patch 1,1 of 1x1"):
        half = region_colours(PICTURE, BOX - (90, 0), [name])[name]
        assert 0 < half.pixels < 0.6 * region_colours(PICTURE, BOX, [name])[name].pixels
        for gone in (BOX + 300, BOX - 300):
            nothing = region_colours(PICTURE, gone, [name])[name]
            assert nothing.pixels == 0 and np.isnan(nothing.rgb).all()
    assert shape_box(Shape((BOX + 300,)), (160, 200)) is None


def test_too_few_pixels_are_no_colour():
    tiny = np.array([(50.0, 50.0), (53.0, 52.0)])
    for name in ("face", "patch 1,1 of 2x2"):
        colour = region_colours(PICTURE, tiny, [name])[name]
        assert colour.pixels < LEAST_PIXELS and np.isnan(colour.rgb).all()


@pytest.mark.parametrize("name", ["nose", "patches 0x3", "patches 16x2", "patch 3,1 of 2x2", "patches 6", "", None])
def test_an_unknown_region_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="region: needs one of skin, forehead"):
        check_region(name)


def test_points_that_are_no_face_are_refused():
    with pytest.raises(ValueError, match=r"needs 478 landmarks or two corners of a box, got shape \(468, 2\)"):
        region_shape("skin", np.zeros((468, 2)))
    with pytest.raises(ValueError, match="frame_trace"):
        region_shape("frame", BOX)
    with pytest.raises(ValueError, match="at least one region"):
        each_region(())


def test_a_blurred_face_is_less_sharp_whatever_its_brightness():
    import cv2
    box = np.array([40.0, 20, 100, 100])
    sharp = sharpness(PICTURE, box)
    assert sharpness(cv2.GaussianBlur(PICTURE, (0, 0), 2), box) < 0.5 * sharp
    assert sharpness(PICTURE // 2, box) == pytest.approx(sharp, rel=0.1)
    for gone in (500.0, -60.0):
        assert np.isnan(sharpness(PICTURE, np.array([gone, 20, 50, 50])))


def test_outlines_are_those_of_the_largest_face_and_the_finder_stays_open():
    looker = Pretend(lambda t: [(5, 5, 20, 20), (40, 20, 100, 100)])
    found = region_outlines(PICTURE, ("face", "cheeks", "patches 1x2"), finder=looker)
    assert list(found) == ["face", "left cheek", "right cheek", "patch 1,1 of 1x2", "patch 1,2 of 1x2"]
    np.testing.assert_array_equal(found["left cheek"], region_shape("left cheek", BOX).inside[0])
    assert looker.closed == 0
    assert region_outlines(PICTURE, finder=Pretend(lambda t: [])) == {}
    with pytest.raises(ValueError, match="region: needs one of"):
        region_outlines(PICTURE, "nose", finder=looker)
