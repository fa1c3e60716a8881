"""The rasteriser against its plain twin and closed forms."""

import numpy as np
import pytest
import torch

from bozzetto.render import perspective, rasterize, rasterize_reference
from bozzetto.render.raster import Fragments


def _camera(size=64, eye=(0.0, 0.0, 3.0)):
    return perspective(eye, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 50.0, size, size)


@pytest.mark.parametrize(("scale", "count"), [(1.5, 40), (0.15, 300)])
def test_kernels_equal_the_reference(scale, count):
    rng = np.random.default_rng(count)
    vertices = rng.uniform(-1.2, 1.2, (count, 1, 3)) + rng.uniform(-scale, scale, (count, 3, 3))
    vertices = vertices.reshape(-1, 3).astype(np.float32)  # some reach behind the camera
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    cameras = perspective([(0, 0, 3), (1.5, 1, 0.5)], (0, 0, 0), (0, 1, 0), 60.0, 61, 83)
    fast = rasterize(vertices, faces, cameras)
    slow = rasterize_reference(torch.from_numpy(vertices), torch.from_numpy(faces), cameras)
    assert (fast.face >= 0).mean() > 0.1
    np.testing.assert_array_equal(fast.face, slow.face)
    np.testing.assert_allclose(fast.barycentrics, slow.barycentrics, atol=1e-4)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-4)


def test_threads_do_not_change_the_picture(threads):
    rng = np.random.default_rng(1)
    vertices = rng.uniform(-1, 1, (90, 3)).astype(np.float32)
    faces = rng.integers(0, 90, (150, 3)).astype(np.int32)
    cameras = perspective([(0, 0, 3), (1, 0, 3), (2, 1, 2)], (0, 0, 0), (0, 1, 0), 50.0, 64, 64)
    together = rasterize(vertices, faces, cameras)
    several = [rasterize(vertices, faces, cameras[view : view + 1]) for view in range(3)]
    torch.set_num_threads(1)
    alone = rasterize(vertices, faces, cameras)
    for each in (together, Fragments(*(np.concatenate(parts) for parts in zip(*map(_parts, several), strict=True)))):
        for found, expected in zip(_parts(each), _parts(alone), strict=True):
            np.testing.assert_array_equal(found, expected)


def _parts(fragments):
    return fragments.face, fragments.barycentrics, fragments.depth


def test_shared_edges_leave_no_hole_and_no_double():
    """A fan of random triangles tiles a square: alone each pixel belongs to exactly one of them."""
    rng = np.random.default_rng(2)
    inner = rng.uniform(-0.4, 0.4, 2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 23))
    rim = np.stack([np.cos(angles), np.sin(angles)], 1)
    vertices = np.concatenate([[inner], rim])
    vertices = np.concatenate([vertices, np.zeros((24, 1))], 1).astype(np.float32)
    # Corners, and with them points of edges, lie exactly on pixel centres, where ties are decided: 32 pixels a unit.
    vertices[:, :2] = np.round(vertices[:, :2] * 16) / 16 + 1 / 64
    camera = perspective((0, 0, 2), (0, 0, 0), (0, 1, 0), np.degrees(2 * np.arctan(0.5)), 64, 64)
    faces = np.array([np.roll([0, 1 + i, 1 + (i + 1) % 23], i) for i in range(23)], np.int32)
    together = rasterize(vertices, faces, camera).face[0] >= 0
    alone = sum((rasterize(vertices, faces[i : i + 1], camera).face[0] >= 0).astype(int) for i in range(23))
    assert together.sum() > 1000
    assert alone.max() == 1
    np.testing.assert_array_equal(alone == 1, together)
    row = together[32]
    first, last = np.flatnonzero(row)[[0, -1]]
    assert row[first : last + 1].all()


def test_barycentrics_are_perspective_correct():
    """On a plane through y that leans back, world height is linear in depth, not on the screen."""
    vertices = np.array([[-2, -1, 1.0], [2, -1, 1.0], [0, 3, -7.0]], np.float32)  # z = -2 y - 1
    camera = _camera(65, (0.0, 0.0, 3.0))
    fragments = rasterize(vertices, np.array([[0, 1, 2]], np.int32), camera)
    seen = fragments.face[0] == 0
    points = fragments.barycentrics[0] @ vertices
    focal = float(camera.intrinsics[0, 1, 1])
    rows = (np.arange(65) + 0.5 - 32.5) / focal
    # The ray y = -r d, z = 3 - d meets z = -2 y - 1 where d = 4 / (1 + 2 r).
    expected = np.broadcast_to((4 / (1 + 2 * rows))[:, None], (65, 65))
    assert seen.sum() > 300
    np.testing.assert_allclose(fragments.depth[0][seen], expected[seen], rtol=2e-4)
    np.testing.assert_allclose(3 - points[..., 2][seen], expected[seen], rtol=2e-4)
    np.testing.assert_allclose(fragments.barycentrics[0][seen].sum(-1), 1, atol=1e-6)
    assert (fragments.barycentrics[0][seen] >= 0).all()


def test_a_triangle_through_the_near_plane_is_left_out():
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 5.0]], np.float32)
    fragments = rasterize(vertices, np.array([[0, 1, 2]], np.int32), _camera())
    assert (fragments.face == -1).all() and (fragments.depth == 0).all()


def test_nothing_gives_an_empty_picture_and_nonsense_is_refused():
    nothing = rasterize(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), _camera(8))
    assert nothing.face.shape == (1, 8, 8) and (nothing.face == -1).all()
    triangle, faces = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32)
    with pytest.raises(ValueError, match="finite"):
        rasterize(triangle * np.nan, faces, _camera())
    with pytest.raises(ValueError, match="name vertices"):
        rasterize(triangle, faces + 1, _camera())
