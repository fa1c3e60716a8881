"""Rays, sections and what they let through: closed forms, and kernels equal to references."""

import numpy as np
import pytest
import torch

from bozzetto.render.cameras import orbit
from bozzetto.render.volume import (
    Occupancy,
    Rays,
    accumulate,
    camera_rays,
    march,
    neus_alpha,
    weights,
    weights_reference,
)

BOX = torch.tensor([-1.0, -1, -1]), torch.tensor([1.0, 1, 1])


def filled(size=8):
    return Occupancy(torch.ones(size, size, size, dtype=torch.uint8), *BOX)


def along_z(*places):
    origins = torch.tensor([[x, y, -3.0] for x, y in places])
    return Rays(origins, torch.tensor([[0.0, 0, 1]]).expand(len(origins), 3).contiguous())


def test_a_camera_s_rays_meet_its_pixels():
    cameras = orbit([0.0, 77.0], [10.0, -20.0], 3.0, (0.1, 0.2, 0.3), 40.0, 5, 7)
    rays = camera_rays(cameras)
    points = (rays.origins + 2.5 * rays.directions).reshape(2, 35, 3)
    placed = points @ cameras.world_to_camera[:, :3, :3].transpose(1, 2) + cameras.world_to_camera[:, None, :3, 3]
    pixels = placed @ cameras.intrinsics.transpose(1, 2)
    pixels = pixels[..., :2] / pixels[..., 2:]
    row, column = torch.meshgrid(torch.arange(5), torch.arange(7), indexing="ij")
    centres = torch.stack([column, row], -1).reshape(35, 2) + 0.5
    torch.testing.assert_close(pixels, centres.expand(2, 35, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(rays.directions.norm(dim=1), torch.ones(70))


def test_sections_fill_the_box_and_nothing_else():
    samples = march(along_z((0.0, 0.0), (5.0, 0.0)), filled(), 0.1)
    assert samples.starts.tolist() == [0, 20, 20]
    torch.testing.assert_close(samples.distance, 2.05 + 0.1 * torch.arange(20))


def test_only_occupied_cells_are_asked():
    cells = torch.zeros(8, 8, 8, dtype=torch.uint8)
    cells[4, 4, 2] = 1  # z from -0.5 to -0.25
    samples = march(along_z((0.1, 0.1), (-0.1, 0.1)), Occupancy(cells, *BOX), 0.05)
    points = samples.points(along_z((0.1, 0.1), (-0.1, 0.1)))
    assert samples.ray.unique().tolist() == [0]
    assert len(points) == 5 and (points[:, 2] > -0.5).all() and (points[:, 2] < -0.25).all()


def test_rays_end_where_it_is_solid():
    cells = torch.ones(8, 8, 8, dtype=torch.uint8)
    cells[:, :, 3] = 2  # z from -0.25 to 0
    samples = march(along_z((0.0, 0.0)), Occupancy(cells, *BOX), 0.05)
    assert samples.distance.max().item() == pytest.approx(2.725)


def test_an_eye_inside_the_box_sees_only_what_is_before_it():
    rays = Rays(torch.zeros(1, 3), torch.tensor([[0.0, 0, 1]]))
    samples = march(rays, filled(), 0.1)
    assert len(samples.distance) == 10 and (samples.distance > 0).all()


def test_the_kernel_equals_its_reference():
    generator = torch.Generator().manual_seed(0)
    starts = torch.tensor([0, 7, 7, 30, 64])
    alpha = torch.rand(64, generator=generator) * 0.9
    slope = torch.randn(64, generator=generator)
    fast, true = alpha.clone().requires_grad_(), alpha.double().requires_grad_()
    out, expected = weights(fast, starts), weights_reference(true, starts)
    (out * slope).sum().backward()
    (expected * slope.double()).sum().backward()
    torch.testing.assert_close(out.double(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(fast.grad.double(), true.grad, atol=1e-5, rtol=1e-4)


def test_fog_dims_light_by_the_exponential_of_its_depth():
    """Density 1.7 over two metres: 1 - exp(-3.4) of the light is stopped, at 1/1.7 m on average."""
    samples = march(along_z((0.0, 0.0)), filled(), 0.001)
    alpha = 1 - torch.exp(torch.full((len(samples.distance),), -1.7) * samples.length)
    weight = weights(alpha, samples.starts)
    total = accumulate(weight, torch.ones(len(weight), 1), samples)
    assert total.item() == pytest.approx(1 - np.exp(-3.4), rel=1e-3)
    depth = accumulate(weight, samples.distance[:, None] - 2, samples) / total
    exact = (1 / 1.7 - np.exp(-3.4) * (2 + 1 / 1.7)) / (1 - np.exp(-3.4))
    assert depth.item() == pytest.approx(exact, rel=2e-3)


def test_a_signed_distance_is_seen_at_its_zero_and_from_outside_only():
    samples = march(along_z((0.0, 0.0)), filled(), 0.01)
    z = samples.points(along_z((0.0, 0.0)))[:, 2]
    entering = neus_alpha(-(z - 0.2), -torch.ones_like(z), samples.length, torch.tensor(400.0))
    weight = weights(entering, samples.starts)
    assert weight.sum().item() == pytest.approx(1, abs=0.01)
    assert (weight * z).sum().item() == pytest.approx(0.2, abs=0.003)
    leaving = neus_alpha(z - 0.2, torch.ones_like(z), samples.length, torch.tensor(400.0))
    assert weights(leaving, samples.starts).sum().item() < 0.02


def test_nonsense_lengths_are_refused():
    with pytest.raises(ValueError, match="above zero"):
        march(along_z((0.0, 0.0)), filled(), 0.0)


def test_rays_that_go_nowhere_see_nothing():
    still = Rays(torch.zeros(2, 3), torch.tensor([[0.0, 0, 0], [float("nan"), 0, 1]]))
    assert march(still, filled(), 0.1).starts.tolist() == [0, 0, 0]
