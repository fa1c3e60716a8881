"""Normals of triangles."""

import numpy as np

from bozzetto.geometry import vertex_normals


def test_a_tetrahedron_has_normals_along_its_corners():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    np.testing.assert_allclose(vertex_normals(corners, faces), corners / np.sqrt(3), atol=1e-6)


def test_larger_faces_weigh_more_and_lonely_vertices_have_none():
    points = np.array([[0, 0, 0], [3, 0, 0], [0, 0, -1], [0, 1, 0], [9, 9, 9]], float)
    normals = vertex_normals(points, np.array([[0, 1, 2], [0, 3, 2]]))
    np.testing.assert_allclose(normals[0], np.array([-1, 3, 0]) / np.sqrt(10), atol=1e-6)
    assert not normals[4].any()
