"""Distances to a ball are known."""

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.scene.distance import distance_grid, signed_distance


@pytest.fixture(scope="module")
def ball():
    sphere = trimesh.creation.icosphere(4, 0.5)
    return np.asarray(sphere.vertices), np.asarray(sphere.faces)


@pytest.fixture(scope="module")
def grid(ball):
    return distance_grid(*ball, cell=0.03, margin=0.2)


def test_inside_is_negative_and_holes_do_not_matter(ball):
    vertices, faces = ball
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (500, 3))
    exact = np.linalg.norm(points, axis=1) - 0.5
    np.testing.assert_allclose(signed_distance(points, vertices, faces), exact, atol=2e-3)
    far = np.abs(exact) > 0.1
    torn = signed_distance(points[far], vertices, faces[: len(faces) * 19 // 20])
    assert (np.sign(torn) == np.sign(exact[far])).mean() > 0.95


def test_the_grid_is_exact_near_the_surface_and_about_right_elsewhere(grid):
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0)) * 1.3 - 0.65
    exact = points.norm(dim=1) - 0.5
    found = grid.at(points)
    near = exact.abs() < 0.08
    torch.testing.assert_close(found[near], exact[near], atol=3e-3, rtol=0)
    torch.testing.assert_close(found, exact, atol=0.05, rtol=0)


def test_its_slope_points_outwards(grid):
    points = torch.nn.functional.normalize(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), dim=1) * 0.5
    leaf = points.clone().requires_grad_()
    grid.at(leaf).sum().backward()
    assert ((leaf.grad * points).sum(1) / 0.5).mean().item() == pytest.approx(1, abs=0.03)


def test_beyond_the_grid_distances_go_on_growing(grid):
    assert grid.at(torch.tensor([[3.0, 0, 0]])).item() == pytest.approx(2.5, abs=0.1)


def test_the_shell_holds_the_surface_and_the_solid_the_middle(grid):
    shell, solid = grid.occupancy(0.05, inside=False), grid.occupancy(0.05)
    cells = torch.tensor(shell.cells.shape)

    def holds(occupancy, point):
        index = ((torch.tensor(point) - occupancy.low) / (occupancy.high - occupancy.low) * cells).long()
        return int(occupancy.cells[tuple(index)])

    places = ((0.5, 0.0, 0.0), (0.0, 0.0, 0.0), (0.69, 0.0, 0.0))
    assert [holds(shell, place) for place in places] == [1, 2, 0]
    assert [holds(solid, place) for place in places] == [1, 1, 0]


def test_no_mesh_is_refused():
    with pytest.raises(ValueError, match="faces"):
        signed_distance(np.zeros((1, 3)), np.zeros((0, 3)), np.zeros((0, 3), int))
