"""The nvdiffrast adapter against a stand-in that says what nvdiffrast's documentation says it does."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.render import gpu
from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.surface import interpolate_reference
from bozzetto.scene.surface import DMTet

CAMERAS = orbit([20.0, 130.0], [10.0, -30.0], 2.0, (0.0, 0.1, 0.0), 45.0, 40, 52)


def ball():
    sphere = trimesh.creation.icosphere(1, 0.6)
    return torch.tensor(sphere.vertices, dtype=torch.float32), torch.tensor(np.asarray(sphere.faces))


def rasterize_clip(_, clip, faces, resolution):
    """Every triangle against every pixel; the first row of memory is y = -1, z is nearer where smaller."""
    height, width = resolution
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height * 2 - 1, (torch.arange(width) + 0.5) / width * 2 - 1, indexing="ij"
    )
    pictures = []
    for view in clip:
        out, nearest = torch.zeros(height, width, 4), torch.full((height, width), 2.0)
        for number, face in enumerate(faces.long()):
            corners = view[face]
            # Homogeneous edge functions (Olano and Greer 1997) give perspective-correct shares.
            shares = torch.linalg.solve(corners[:, [0, 1, 3]].T, torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1))
            shares = (shares / shares.sum(0)).reshape(3, height, width)
            z = (shares * corners[:, 2, None, None]).sum(0) / (shares * corners[:, 3, None, None]).sum(0)
            hit = (shares >= 0).all(0) & (z < nearest)
            nearest = torch.where(hit, z, nearest)
            found = torch.stack([shares[0], shares[1], z, torch.full_like(z, number + 1)], -1)
            out = torch.where(hit[..., None], found, out)
        pictures.append(out)
    return torch.stack(pictures), None


def interpolate(attributes, raster, faces):
    u, v = raster[..., :1], raster[..., 1:2]
    a, b, c = attributes[faces.long()[(raster[..., 3].long() - 1).clamp_min(0)]].unbind(-2)
    return (u * a + v * b + (1 - u - v) * c) * (raster[..., 3:] > 0), None


@pytest.fixture
def stand_in(monkeypatch):
    module = SimpleNamespace(
        rasterize=rasterize_clip, interpolate=interpolate, RasterizeCudaContext=lambda device: device
    )
    monkeypatch.setattr(gpu, "_context", lambda device: (module, device))


def test_it_sees_what_the_kernels_see(stand_in):
    vertices, faces = ball()
    seen, depth = gpu.rasterize_cuda(vertices, faces, CAMERAS)
    truth = rasterize(vertices.numpy(), faces.numpy(), CAMERAS)
    same = seen.numpy() == truth.face
    assert (truth.face >= 0).mean() > 0.2 and same.mean() > 0.999
    np.testing.assert_allclose(depth.numpy()[same], truth.depth[same], atol=2e-3)


def test_it_interpolates_as_the_reference_in_value_and_gradient(stand_in):
    vertices, faces = ball()
    seen = gpu.rasterize_cuda(vertices, faces, CAMERAS)[0]
    colours = torch.rand(len(vertices), 2, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(*seen.shape, 2, generator=torch.Generator().manual_seed(1))
    results = []
    for how in (gpu.interpolate_cuda, interpolate_reference):
        leaves = [each.clone().requires_grad_() for each in (vertices, colours)]
        out = how(leaves[0], faces, CAMERAS, seen, leaves[1], faces)
        (out * weights).sum().backward()
        results.append([out.detach(), *(leaf.grad for leaf in leaves)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3 * float(other.abs().max()), rtol=1e-3)


def test_nothing_imports_it_and_the_cpu_never_asks_for_it():
    vertices, faces = ball()
    DMTet.from_mesh(vertices.double().numpy(), faces.numpy(), cell=0.2).render(CAMERAS)
    assert not gpu.installed(vertices)
    assert not any(name.startswith("nvdiffrast") for name in sys.modules)
