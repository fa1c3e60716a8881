"""Conventions of cameras: OpenCV axes, azimuth 0 in front of a figure that faces +z."""

import numpy as np
import pytest

from bozzetto.render import frame, orbit, perspective, view_words


def _pixel(cameras, point, view=0):
    """Column, row and depth of a world point."""
    camera = cameras.world_to_camera[view].double().numpy() @ np.append(point, 1.0)
    x, y, z = cameras.intrinsics[view].double().numpy() @ camera[:3]
    return x / z, y / z, z


def test_the_front_view_shows_plus_x_on_the_right_and_plus_y_above():
    cameras = orbit([0.0], [0.0], 3.0, (0.0, 1.0, 0.0), 40.0, 100, 200)
    assert _pixel(cameras, [0.0, 1.0, 0.0]) == pytest.approx((100, 50, 3.0), abs=1e-4)
    column, row, depth = _pixel(cameras, [0.5, 1.25, 1.0])
    assert column > 100 and row < 50 and depth == pytest.approx(2.0, abs=1e-5)


def test_the_field_of_view_is_the_full_vertical_angle():
    cameras = perspective((0, 0, 1), (0, 0, 0), (0, 1, 0), 90.0, 64, 128)
    assert _pixel(cameras, [0.0, 1.0, 0.0]) == pytest.approx((64, 0, 1.0), abs=1e-4)


def test_azimuth_90_stands_at_plus_x_and_rows_are_independent():
    cameras = orbit([0.0, 90.0, 180.0], 0.0, 2.0, (0.0, 0.0, 0.0), 40.0, 100, 100)
    assert len(cameras) == 3
    assert _pixel(cameras, [1.0, 0.0, 0.0], 1)[2] == pytest.approx(1.0, abs=1e-5)
    assert _pixel(cameras, [0.0, 0.0, 1.0], 1)[0] < 50, "seen from its left, a figure's front points to the left"
    assert _pixel(cameras, [1.0, 0.0, 0.0], 2)[0] < 50, "from behind, +x is on the left"


@pytest.mark.parametrize("elevation", [90.0, -90.0])
def test_straight_down_and_up_are_rotations(elevation):
    camera = orbit([0.0], [elevation], 2.0, (0.0, 0.0, 0.0), 40.0, 10, 10).world_to_camera[0, :3, :3].numpy()
    np.testing.assert_allclose(camera @ camera.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(camera) == pytest.approx(1.0, abs=1e-6)
    assert camera[0, 0] == pytest.approx(1.0, abs=1e-6), "+x stays on the right, as in the front view"


def test_a_frame_holds_every_point_and_one_touches_the_margin():
    points = np.random.default_rng(0).normal(size=(200, 3)) * [0.3, 0.9, 0.2]
    cameras = frame(points, [0.0, 60.0, 200.0], [0.0, 20.0, -10.0], 35.0, (100, 60), margin=0.1)
    pixels = np.array([[_pixel(cameras, point, view)[:2] for point in points] for view in range(3)])
    assert pixels[..., 0].min() >= 6 - 1e-3 and pixels[..., 0].max() <= 54 + 1e-3
    assert pixels[..., 1].min() >= 10 - 1e-3 and pixels[..., 1].max() <= 90 + 1e-3
    slack = np.minimum(np.abs(pixels - [6, 10]), np.abs(pixels - [54, 90]))
    assert slack.min() < 1e-2, "the distance is the smallest that works"


def test_view_words_follow_the_buckets():
    words = [
        view_words(a, e) for a, e in ((0, 0), (-44, 0), (320, 10), (90, 0), (-100, 0), (180, 0), (-170, 5), (0, 70))
    ]
    assert words == ["front view"] * 3 + ["side view"] * 2 + ["back view"] * 2 + ["overhead view"]


def test_impossible_cameras_are_refused():
    with pytest.raises(ValueError, match="pixel"):
        orbit([0.0], [0.0], 1.0, (0, 0, 0), 40.0, 0, 10)
    with pytest.raises(ValueError, match="differ"):
        perspective((0, 0, 0), (0, 0, 0), (0, 1, 0), 40.0, 10, 10)
    with pytest.raises(ValueError, match="finite"):
        frame(np.full((3, 3), np.nan), [0.0], [0.0], 40.0, 10)
