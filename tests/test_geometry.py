"""Normals of triangles, and finer triangles."""

import numpy as np
import trimesh

from bozzetto.geometry import halved, vertex_normals


def test_a_tetrahedron_has_normals_along_its_corners():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    np.testing.assert_allclose(vertex_normals(corners, faces), corners / np.sqrt(3), atol=1e-6)


def test_larger_faces_weigh_more_and_lonely_vertices_have_none():
    points = np.array([[0, 0, 0], [3, 0, 0], [0, 0, -1], [0, 1, 0], [9, 9, 9]], float)
    normals = vertex_normals(points, np.array([[0, 1, 2], [0, 3, 2]]))
    np.testing.assert_allclose(normals[0], np.array([-1, 3, 0]) / np.sqrt(10), atol=1e-6)
    assert not normals[4].any()


def test_edges_between_chosen_vertices_are_halved_and_nothing_tears():
    ball = trimesh.creation.icosphere(2)
    chosen = ball.vertices[:, 1] > 0.3
    vertices, faces = halved(ball.vertices, ball.faces, chosen)
    edges = ball.edges_unique
    cut = edges[chosen[edges].all(1)]
    assert 0 < len(cut) < len(edges) and len(vertices) == len(ball.vertices) + len(cut)
    finer = trimesh.Trimesh(vertices, faces, process=False)
    assert finer.is_watertight and finer.is_winding_consistent
    np.testing.assert_array_equal(vertices[: len(ball.vertices)], ball.vertices)
    np.testing.assert_allclose([finer.volume, finer.area], [ball.volume, ball.area])
    length = np.linalg.norm(vertices[finer.edges[:, 0]] - vertices[finer.edges[:, 1]], axis=1)
    high = vertices[finer.edges][..., 1].min(1) > 0.5
    assert length[high].max() < 0.6 * ball.edges_unique_length.max()
