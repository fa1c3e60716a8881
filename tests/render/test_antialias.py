"""Outlines: coverage and its gradient have closed forms for simple shapes, and the kernel equals its reference."""

import numpy as np
import pytest
import torch

from bozzetto.render.antialias import antialias, mesh_edges
from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize


def icosphere(level, radius=0.5, bumps=0.0):
    import trimesh

    sphere = trimesh.creation.icosphere(level, radius)
    scale = 1 + bumps * np.random.default_rng(0).uniform(-1, 1, (len(sphere.vertices), 1))
    return torch.tensor(sphere.vertices * scale, dtype=torch.float32), torch.tensor(np.asarray(sphere.faces))


def drawn(vertices, faces, cameras):
    fragments = rasterize(vertices.detach().float().numpy(), faces.numpy(), cameras)
    return torch.from_numpy(fragments.face), torch.from_numpy(fragments.depth)


def test_every_edge_of_a_closed_mesh_has_two_faces_and_their_tips():
    _, faces = icosphere(1)
    edges = mesh_edges(faces)
    assert len(edges.ends) == len(faces) * 3 // 2
    assert (edges.sides >= 0).all()
    for k in range(2):
        together = torch.cat([edges.ends, edges.tips[:, k : k + 1]], 1).sort(1).values
        torch.testing.assert_close(together, faces[edges.sides[:, k]].sort(1).values)


def test_an_open_sheet_has_a_rim():
    edges = mesh_edges(torch.tensor([[0, 1, 2], [0, 2, 3]]))
    assert ((edges.sides < 0).sum(1) == 1).sum() == 4


def test_a_third_face_at_an_edge_is_left_out():
    edges = mesh_edges(torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    shared = (edges.ends == torch.tensor([0, 1])).all(1)
    assert shared.sum() == 1
    assert edges.sides[shared].tolist() == [[0, 1]] and edges.tips[shared].tolist() == [[2, 3]]
    assert mesh_edges(torch.zeros((0, 3), dtype=torch.int64)).ends.shape == (0, 2)


def test_the_kernel_equals_its_reference():
    vertices, faces = icosphere(2, bumps=0.15)
    cameras = orbit([10.0, 200.0], [20.0, -40.0], 2.0, (0.0, 0.0, 0.0), 40.0, 33, 40)
    seen, depth = drawn(vertices, faces, cameras)
    colour = torch.rand(*seen.shape, 3, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(*seen.shape, 3, generator=torch.Generator().manual_seed(1))
    results = []
    for kind in (torch.float32, torch.float64):
        leaves = [each.detach().to(kind).requires_grad_() for each in (colour, vertices)]
        out = antialias(leaves[0], leaves[1], faces, cameras, seen, depth.to(kind))
        (out * weights.to(kind)).sum().backward()
        results.append([out.detach().double(), *(leaf.grad.double() for leaf in leaves)])
    assert (results[0][0] - colour).abs().max() > 0.1  # something was blended
    for fast, true in zip(*results, strict=True):
        torch.testing.assert_close(fast, true, atol=2e-4 * float(true.abs().max()), rtol=1e-3)


@pytest.mark.parametrize("level", [1, 4])
def test_a_growing_ball_covers_what_geometry_says(level):
    """Coverage of a ball far away is pi r^2, its derivative 2 pi r; for faces larger and much smaller than pixels."""
    vertices, faces = icosphere(level)
    cameras = orbit(0.0, 0.0, 40.0, (0.0, 0.0, 0.0), 2.0, 48, 48)
    pixel = 2 * 40 * np.tan(np.radians(1.0)) / 48
    leaf = vertices.clone().requires_grad_()
    seen, depth = drawn(vertices, faces, cameras)
    mask = (seen >= 0).float()[..., None]
    covered = antialias(mask, leaf, faces, cameras, seen, depth).sum()
    covered.backward()
    hull = covered.item() * pixel**2
    growth = float((leaf.grad * vertices / 0.5).sum()) * pixel**2
    exact = np.pi * 0.25 if level == 4 else hull
    assert hull == pytest.approx(exact, rel=0.01)
    assert growth == pytest.approx(2 * exact / 0.5, rel=0.05)


def test_what_is_hidden_behind_another_surface_moves_nothing():
    ball, faces = icosphere(2, 0.2)
    wall = torch.tensor([[-3.0, -3, 1], [3, -3, 1], [3, 3, 1], [-3, 3, 1]])
    vertices = torch.cat([ball, wall])
    every = torch.cat([faces, torch.tensor([[0, 1, 2], [0, 2, 3]]) + len(ball)])
    cameras = orbit(0.0, 0.0, 4.0, (0.0, 0.0, 0.0), 30.0, 32, 32)
    leaf = vertices.clone().requires_grad_()
    seen, depth = drawn(vertices, every, cameras)
    colour = torch.rand(1, 32, 32, 1)
    out = antialias(colour, leaf, every, cameras, seen, depth)
    out.sum().backward()
    torch.testing.assert_close(out.detach(), colour)
    assert not leaf.grad.any()


def test_an_outline_against_another_surface_is_blended_too():
    ball, faces = icosphere(3, 0.4)
    wall = torch.tensor([[-3.0, -3, -1], [3, -3, -1], [3, 3, -1], [-3, 3, -1]])
    vertices, every = torch.cat([ball, wall]), torch.cat([faces, torch.tensor([[0, 1, 2], [0, 2, 3]]) + len(ball)])
    cameras = orbit(0.0, 0.0, 4.0, (0.0, 0.0, 0.0), 30.0, 32, 32)
    leaf = vertices.clone().requires_grad_()
    seen, depth = drawn(vertices, every, cameras)
    colour = (seen < len(faces)).float()[..., None]
    antialias(colour, leaf, every, cameras, seen, depth).sum().backward()
    outward = float((leaf.grad[: len(ball)] * ball / 0.4).sum())
    pixel = 2 * 4 * np.tan(np.radians(15.0)) / 32
    assert outward * pixel**2 == pytest.approx(2 * np.pi * 0.4, rel=0.07)


def test_an_empty_mesh_leaves_the_picture_alone():
    cameras = orbit(0.0, 0.0, 4.0, (0.0, 0.0, 0.0), 30.0, 4, 4)
    colour = torch.rand(1, 4, 4, 3)
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    seen, depth = torch.full((1, 4, 4), -1), torch.zeros(1, 4, 4)
    torch.testing.assert_close(antialias(colour, torch.zeros(0, 3), nothing, cameras, seen, depth), colour)
