"""Interpolation, textures and normals: kernels equal their references, in value and in gradient."""

import numpy as np
import pytest
import torch

from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.surface import (
    interpolate,
    interpolate_reference,
    sample_texture,
    sample_texture_reference,
    shrunk,
    smooth_normals,
    smooth_normals_reference,
)


@pytest.fixture
def ball():
    """A bumpy ball of 320 faces, and two views of it."""
    import trimesh

    sphere = trimesh.creation.icosphere(2, 0.5)
    rng = np.random.default_rng(0)
    vertices = torch.tensor(sphere.vertices * rng.uniform(0.85, 1.15, (len(sphere.vertices), 1)), dtype=torch.float32)
    cameras = orbit([20.0, 140.0], [5.0, -30.0], 2.0, (0.0, 0.0, 0.0), 40.0, 40, 36)
    faces = torch.tensor(np.asarray(sphere.faces), dtype=torch.int64)
    seen = torch.from_numpy(rasterize(vertices.numpy(), faces.numpy(), cameras).face)
    return vertices, faces, cameras, seen


def gradients(function, inputs, weights):
    leaves = [each.clone().requires_grad_() for each in inputs]
    out = function(*leaves)
    (out * weights.to(out)).sum().backward()
    return out.detach(), [leaf.grad for leaf in leaves]


def assert_twins(fast, reference, inputs, shape):
    weights = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    value, slopes = gradients(fast, inputs, weights)
    expected, truth = gradients(reference, [each.double() for each in inputs], weights)
    torch.testing.assert_close(value.double(), expected, atol=2e-5, rtol=2e-4)
    for slope, true in zip(slopes, truth, strict=True):
        torch.testing.assert_close(slope.double(), true, atol=2e-4 * float(true.abs().max()), rtol=1e-3)


def test_interpolation_equals_its_reference(ball, threads):
    vertices, faces, cameras, seen = ball
    attributes = torch.randn(len(vertices), 4, generator=torch.Generator().manual_seed(0))
    assert_twins(
        lambda v, a: interpolate(v, faces, cameras, seen, a),
        lambda v, a: interpolate_reference(v, faces, cameras, seen, a),
        (vertices, attributes),
        (*seen.shape, 4),
    )


def test_attributes_may_have_seams(ball):
    vertices, faces, cameras, seen = ball
    rows = torch.arange(faces.numel()).reshape(-1, 3)
    per_corner = torch.randn(len(vertices), 2)[faces].reshape(-1, 2)
    at_corners = torch.stack([per_corner[rows[:, k]] for k in range(3)], 1)
    assert at_corners.shape == (len(faces), 3, 2)
    assert_twins(
        lambda v, a: interpolate(v, faces, cameras, seen, a, rows),
        lambda v, a: interpolate_reference(v, faces, cameras, seen, a, rows),
        (vertices, per_corner),
        (*seen.shape, 2),
    )


def test_positions_across_the_surface_lie_on_the_pixels_rays(ball):
    vertices, faces, cameras, seen = ball
    points = interpolate(vertices, faces, cameras, seen, vertices)
    view, row, column = (seen >= 0).nonzero(as_tuple=True)
    placed = points[view, row, column] @ cameras.world_to_camera[0, :3, :3].T
    for number in range(2):
        one = view == number
        matrix, lens = cameras.world_to_camera[number], cameras.intrinsics[number]
        placed = points[view[one], row[one], column[one]] @ matrix[:3, :3].T + matrix[:3, 3]
        pixels = placed @ lens.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        centres = torch.stack([column[one], row[one]], 1) + 0.5
        torch.testing.assert_close(pixels, centres, atol=2e-3, rtol=0)


def test_moving_a_textured_plane_slides_its_picture():
    """Known answer: a plane facing the camera, whose attribute is x; moved by d, each pixel sees x - d."""
    vertices = torch.tensor([[-9.0, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    cameras = orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 40.0, 8, 8)
    seen = torch.from_numpy(rasterize(vertices.detach().numpy(), faces.numpy(), cameras).face)
    x = vertices.detach()[:, :1].clone()
    interpolate(vertices, faces, cameras, seen, x).sum().backward()
    assert vertices.grad is not None
    assert vertices.grad[:, 0].sum().item() == pytest.approx(-64, rel=1e-4)
    assert vertices.grad[:, 1].sum().item() == pytest.approx(0, abs=1e-3)


def test_textures_equal_their_reference(threads):
    texture = torch.rand(7, 5, 3)
    uvs = torch.rand(2, 16, 16, 2) * 3 - 1
    assert_twins(sample_texture, sample_texture_reference, (texture, uvs), (2, 16, 16, 3))


def test_texel_centres_return_the_texel():
    texture = torch.rand(4, 6, 2)
    y, x = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    uvs = torch.stack([(x + 0.5) / 6, (y + 0.5) / 4], -1)[None].float()
    torch.testing.assert_close(sample_texture(texture, uvs)[0], texture)


def test_a_shrunk_texture_keeps_its_mean():
    texture = torch.rand(64, 64, 3)
    small = shrunk(texture, 4.2)
    assert small.shape == (16, 16, 3)
    torch.testing.assert_close(small.mean((0, 1)), texture.mean((0, 1)))
    assert shrunk(texture, 0.5) is texture


def test_normals_equal_their_reference(ball):
    vertices, faces, _, _ = ball
    assert_twins(
        lambda v: smooth_normals(v, faces),
        lambda v: smooth_normals_reference(v, faces),
        (vertices,),
        tuple(vertices.shape),
    )


def test_nothing_seen_gives_zeros_and_no_gradient(ball):
    vertices, faces, cameras, seen = ball
    leaf = vertices.clone().requires_grad_()
    out = interpolate(leaf, faces, cameras, torch.full_like(seen, -1), vertices)
    out.sum().backward()
    assert not out.any()
    assert leaf.grad is not None and not leaf.grad.any()
