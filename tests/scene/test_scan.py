"""A scanner's closed surface, and an outline that cuts it."""

import numpy as np
import trimesh

from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.scene.scan import Outline, largest, scan


def ball(radius=0.3, at=(0.0, 0.0, 0.0)):
    mesh = trimesh.creation.icosphere(4, radius)
    return (np.asarray(mesh.vertices) + at).astype(np.float32), np.asarray(mesh.faces, np.int32)


def test_a_ball_is_scanned_as_a_closed_ball():
    vertices, faces = scan(*ball(), cell=0.02, views=30, size=160)
    made = trimesh.Trimesh(vertices, faces, process=False)
    assert made.is_watertight and made.volume > 0
    assert np.abs(np.linalg.norm(vertices, axis=1) - 0.3).max() < 0.01


def test_nothing_is_left_outside_an_outline():
    camera = orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 20.0, 200, 200)
    whole = rasterize(*ball(), camera).face[0] >= 0
    mask = whole & (np.arange(200)[None] < 110)
    outline = Outline(mask, camera)
    vertices, faces = scan(*ball(), cell=0.02, outline=outline, views=30, size=160)
    seen = rasterize(vertices, faces, camera).face[0] >= 0
    assert (seen & mask).sum() / (seen | mask).sum() > 0.95
    assert trimesh.Trimesh(vertices, faces, process=False).is_watertight
    metre = 3.0 / float(camera.intrinsics[0, 0, 0])
    edge = outline.distance(np.array([[10.0 * metre, 0, 0], [-20 * metre, 0, 0], [60.0 * metre, 0, 0]]))
    assert outline.distance(np.array([[101.0 * metre, 0, 0], [0, 101 * metre, 0]])).max() < -1, "beyond the picture"
    assert abs(edge[0]) < 1.5 * metre and edge[1] < -20 * metre and 40 * metre < edge[2] < 60 * metre


def test_small_parts_are_dropped():
    one, other = ball(), ball(0.05, (1.0, 0.0, 0.0))
    far = trimesh.creation.icosphere(1, 0.05)
    vertices = np.concatenate([one[0], other[0], np.asarray(far.vertices, np.float32) + 2])
    faces = np.concatenate([one[1], other[1] + len(one[0]), far.faces + len(one[0]) + len(other[0])]).astype(np.int32)
    kept, triangles = largest(vertices, faces)
    assert len(kept) == len(one[0]) + len(other[0]) and len(triangles) == len(one[1]) + len(other[1])
