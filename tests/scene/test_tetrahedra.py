"""Grids without gaps; surfaces that are closed, look outwards, lie where they should, and have gradients."""

import numpy as np
import pytest
import torch

from bozzetto.scene.tetrahedra import marching_tetrahedra, marching_tetrahedra_reference, tet_grid

LOW, HIGH = np.full(3, -1.0), np.full(3, 1.0)


def volumes(grid):
    a, b, c, d = grid.positions[grid.tetrahedra].double().unbind(1)
    return (torch.linalg.cross(b - a, c - a) * (d - a)).sum(1) / 6


def test_tetrahedra_are_of_one_size_and_shape():
    grid = tet_grid(LOW, HIGH, 0.25)
    volume = volumes(grid)
    torch.testing.assert_close(volume, torch.full_like(volume, 0.25**3 / 12))
    ends = grid.positions[grid.tetrahedra]
    longest = (ends[:, :, None] - ends[:, None]).norm(dim=-1).max().item()
    assert longest == pytest.approx(0.25)


def test_they_leave_no_gap_inside():
    """Every triangle inside belongs to two tetrahedra, so what one leaves out, another fills."""
    grid = tet_grid(LOW, HIGH, 0.5)
    sides = torch.cat([grid.tetrahedra[:, [k for k in range(4) if k != left]] for left in range(4)]).sort(1).values
    triangles, count = torch.unique(sides, dim=0, return_counts=True)
    assert count.max() == 2
    rim = grid.positions[triangles[count == 1]].abs().amax(2).amin(1)
    assert (rim >= 0.74).all()  # the open ones touch the outermost cubes' centres or the border


def sphere_mesh(cell=0.1, radius=0.61, **options):
    grid = tet_grid(LOW, HIGH, cell, **options)
    sdf = (grid.positions.norm(dim=1) - radius).requires_grad_()
    positions = grid.positions.clone().requires_grad_()
    return (*marching_tetrahedra(positions, sdf, grid.tetrahedra), sdf, positions)


def test_a_ball_is_closed_round_and_looks_outwards():
    points, faces, _, _ = sphere_mesh()
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, count = torch.unique(edges.sort(1).values, dim=0, return_counts=True)
    assert (count == 2).all()
    assert len(torch.unique(edges, dim=0)) == len(edges)  # each edge once in each direction: one orientation
    a, b, c = points.detach()[faces].unbind(1)
    volume = (torch.linalg.cross(b, c) * a).sum().item() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.61**3, rel=0.02)
    torch.testing.assert_close(points.detach().norm(dim=1), torch.full((len(points),), 0.61), atol=0.003, rtol=0)
    assert len(points) - len(edges) // 2 + len(faces) == 2  # Euler: a ball


def test_the_surface_follows_the_distances():
    """More distance everywhere makes the ball smaller by as much."""
    points, _, sdf, _ = sphere_mesh()
    points.norm(dim=1).mean().backward()
    assert sdf.grad is not None
    assert sdf.grad.sum().item() == pytest.approx(-1, rel=0.03)


def test_the_surface_follows_the_grid():
    points, _, _, positions = sphere_mesh()
    points[:, 0].mean().backward()
    assert positions.grad is not None
    assert positions.grad[:, 0].sum().item() == pytest.approx(1, rel=1e-4)


def test_a_shell_of_the_grid_gives_the_same_surface():
    whole, faces, _, _ = sphere_mesh()
    shell, kept, _, _ = sphere_mesh(keep=lambda at: abs(np.linalg.norm(at, axis=1) - 0.61) < 0.21)
    assert len(faces) == len(kept)
    order = [np.lexsort(each.detach().numpy().T) for each in (whole, shell)]
    np.testing.assert_allclose(whole.detach().numpy()[order[0]], shell.detach().numpy()[order[1]], atol=1e-6)


def test_no_surface_is_an_empty_mesh():
    grid = tet_grid(LOW, HIGH, 0.5)
    points, faces = marching_tetrahedra(grid.positions, torch.ones(len(grid.positions)), grid.tetrahedra)
    assert points.shape == (0, 3) and faces.shape == (0, 3)


def test_impossible_grids_are_refused():
    with pytest.raises(ValueError, match="cell above zero"):
        tet_grid(LOW, HIGH, 0.0)
    with pytest.raises(ValueError, match="Nothing"):
        tet_grid(LOW, HIGH, 0.5, keep=lambda at: at[:, 0] > 9)


def test_the_kernel_equals_its_reference():
    grid = tet_grid(LOW, HIGH, 0.2)
    distance = grid.positions.norm(dim=1) - 0.7 + 0.2 * torch.sin(9 * grid.positions).prod(1)
    found = []
    for march in (marching_tetrahedra, marching_tetrahedra_reference):
        sdf, positions = distance.clone().requires_grad_(), grid.positions.clone().requires_grad_()
        points, faces = march(positions, sdf, grid.tetrahedra)
        (points**3).sum().backward()
        corners = points.detach()[faces].reshape(len(faces), 9)
        found.append((corners[np.lexsort(corners.numpy().T)], sdf.grad, positions.grad))
    for fast, true in zip(*found, strict=True):
        torch.testing.assert_close(fast, true, atol=1e-5, rtol=1e-4)


def test_impossible_surfaces_are_refused():
    grid = tet_grid(LOW, HIGH, 0.5)
    sdf = torch.ones(len(grid.positions))
    with pytest.raises(ValueError, match="finite"):
        marching_tetrahedra(grid.positions, sdf * float("nan"), grid.tetrahedra)
    with pytest.raises(ValueError, match="corners"):
        marching_tetrahedra(grid.positions, sdf, grid.tetrahedra + len(sdf))
