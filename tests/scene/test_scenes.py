"""Every scene starts as its mesh, learns pictures, and comes back from disk."""

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.volume import Rays, Samples
from bozzetto.scene.radiance import NeRF, NeuS, eikonal
from bozzetto.scene.surface import DMTet, TexturedMesh
from bozzetto.types import Cameras, Mesh, UserError

CAMERAS = orbit([0.0, 90.0, 200.0], [0.0, 20.0, -30.0], 2.0, (0.0, 0.0, 0.0), 40.0, 28, 28)


@pytest.fixture(scope="module")
def egg():
    sphere = trimesh.creation.icosphere(3, 0.4)
    return np.asarray(sphere.vertices) * [1.0, 1.2, 0.8], np.asarray(sphere.faces)


@pytest.fixture(scope="module")
def mask(egg):
    return torch.from_numpy(rasterize(egg[0].astype(np.float32), egg[1], CAMERAS).face >= 0)


def textured(egg, **options):
    vertices, faces = (torch.from_numpy(each) for each in egg)
    longitude = torch.atan2(vertices[:, 0], vertices[:, 2]) / (2 * torch.pi) + 0.5
    uvs = torch.stack([longitude, vertices[:, 1] + 0.5], 1)[faces]
    return TexturedMesh.from_mesh(Mesh(vertices.float(), faces, uvs.float()), size=32, **options)


def make(kind, egg):
    if kind is TexturedMesh:
        return textured(egg)
    if kind is DMTet:
        return DMTet.from_mesh(*egg, cell=0.06, reach=0.1)
    return kind.from_mesh(*egg, cell=0.04, section=0.02, reach=0.1)


def overlap(one, two):
    return float((one & two).sum() / (one | two).sum())


KINDS = [NeRF, NeuS, DMTet, TexturedMesh]


@pytest.mark.parametrize("kind", KINDS)
def test_step_zero_is_the_mesh_itself(kind, egg, mask):
    with torch.no_grad():
        seen = make(kind, egg).render(CAMERAS)
    least = 0.85 if kind is NeRF else 0.95  # fog has a soft rim
    assert overlap(seen.alpha[..., 0] > 0.5, mask) > least
    torch.testing.assert_close(seen.rgb[mask].mean(), torch.tensor(0.5), atol=0.05, rtol=0)
    middle = seen.depth[0, 14, 14, 0].item()
    assert middle == pytest.approx(2.0 - 0.32, abs=0.03)
    assert (seen.normal[0, 14, 14] @ torch.tensor([0.0, 0, 1])).item() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_every_scene_learns_a_colour_and_a_shape(kind, egg, mask):
    """Asked to be red and a bit larger, it becomes so."""
    scene = make(kind, egg)
    larger = torch.from_numpy(rasterize((egg[0] * 1.05).astype(np.float32), egg[1], CAMERAS).face >= 0)
    red = torch.tensor([0.8, 0.1, 0.1])
    target = torch.where(larger[..., None], red, torch.ones(3))
    optimiser = torch.optim.Adam(scene.groups(3e-2))
    before, first = None, overlap((scene.render(CAMERAS).alpha[..., 0] > 0.5), larger)
    for _ in range(30):
        seen = scene.render(CAMERAS)
        loss = ((seen.rgb - target) ** 2).mean()
        before = before if before is not None else loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    seen = scene.render(CAMERAS)
    assert ((seen.rgb - target) ** 2).mean().item() < 0.15 * before
    torch.testing.assert_close(seen.rgb[mask].mean(0), red, atol=0.2, rtol=0)
    assert overlap(seen.alpha[..., 0] > 0.5, larger) > first


@pytest.mark.parametrize("kind", [NeRF, NeuS, DMTet])
def test_the_surface_comes_out_as_a_mesh(kind, egg):
    found = make(kind, egg).mesh()
    distance = (found.vertices / torch.tensor([1.0, 1.2, 0.8])).norm(dim=1)
    assert len(found.faces) > 500 and len(found.colours) == len(found.vertices)
    assert distance.mean().item() == pytest.approx(0.4, abs=0.01)
    a, b, c = found.vertices[found.faces].unbind(1)
    volume = (torch.linalg.cross(b, c) * a).sum().item() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.4**3 * 1.2 * 0.8, rel=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_come_back_from_disk(kind, egg, tmp_path):
    scene = make(kind, egg)
    with torch.no_grad():
        for parameter in scene.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
        scene.save(tmp_path / "scene.safetensors")
        again = kind.load(tmp_path / "scene.safetensors")
        torch.testing.assert_close(again.render(CAMERAS).rgb, scene.render(CAMERAS).rgb)
    other = KINDS[KINDS.index(kind) - 1]
    with pytest.raises(UserError, match=f"not a {other.__name__}"):
        other.load(tmp_path / "scene.safetensors")


def test_damaged_and_missing_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no scene"):
        NeuS.load(tmp_path / "nothing.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0broken")
    with pytest.raises(UserError, match="damaged"):
        NeuS.load(tmp_path / "broken.safetensors")


def test_the_eikonal_term_is_zero_for_a_distance_and_one_for_nothing(egg):
    scene = make(NeuS, egg)
    from bozzetto.render.volume import camera_rays

    shine = scene.trace(camera_rays(CAMERAS))
    assert eikonal(shine.gradient).item() < 0.01
    assert eikonal(torch.zeros(5, 3)).item() == 1
    assert eikonal(torch.zeros(0, 3)).item() == 0


def test_a_shape_that_is_held_stays_and_its_gradient_is_its_own(egg):
    scene = make(NeuS, egg)
    nodes = torch.arange(scene.start_values.shape[1]) * scene.cell + scene.start_low[1]
    share = (nodes / 0.2).clamp(0, 1)[None, :, None].expand_as(scene.start_values)  # the upper half, and softly
    scene.hold(share)
    with torch.no_grad():
        scene.shape.network[-1].bias += 0.5
        above, below = torch.tensor([[0.0, 0.44, 0.0]]), torch.tensor([[0.0, -0.44, 0.0]])
        assert scene.held(above).item() == 1 and scene.held(below).item() == 0
        assert scene.distance(above).item() == scene.start.at(above).item()
        assert scene.distance(below).item() > scene.start.at(below).item() + 0.03
    points = torch.tensor([[0.05, 0.11, 0.33], [0.37, 0.07, 0.02], [0.1, -0.3, 0.2]])
    points = scene.start_low + (((points - scene.start_low) / scene.cell).floor() + 0.5) * scene.cell
    rays = Rays(points - torch.tensor([0.0, 0.0, 0.01]), torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3))
    samples = Samples(torch.arange(3), torch.full((3,), 0.01), 0.02, torch.arange(4))
    found, ways = scene.shine(rays, samples).gradient, 1e-3 * torch.eye(3)
    with torch.no_grad():
        rise = [scene.distance(points + way) - scene.distance(points - way) for way in ways]
    wanted = torch.stack(rise, 1) / 2e-3
    torch.testing.assert_close(found.detach(), wanted, atol=0.02, rtol=0.02)


def test_a_jittered_render_is_reproducible(egg):
    scene = make(NeuS, egg)
    one, two = (scene.render(CAMERAS, generator=torch.Generator().manual_seed(5)).rgb for _ in range(2))
    torch.testing.assert_close(one, two)


def test_regularisers_know_a_smooth_mesh_from_a_rough_one(egg):
    scene = textured(egg)
    smooth = scene.bending().item(), scene.creases().item()
    with torch.no_grad():
        scene.moves.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    assert smooth[0] == 0
    assert scene.bending().item() > 0.05 and scene.creases().item() > 2 * smooth[1]


def test_agreeing_neighbours_cost_less(egg):
    scene = make(DMTet, egg)
    calm = scene.sign_changes().item()
    with torch.no_grad():
        scene.sdf[torch.randperm(len(scene.sdf))[: len(scene.sdf) // 20]] *= -20
    assert scene.sign_changes().item() > calm


def test_a_camera_inside_the_body_gives_an_honest_picture(egg):
    inside = orbit(0.0, 0.0, 0.1, (0.0, 0.0, 0.0), 40.0, 8, 8)
    for kind in KINDS:
        with torch.no_grad():
            seen = make(kind, egg).render(inside)
        assert torch.isfinite(seen.rgb).all() and torch.isfinite(seen.depth).all()


@pytest.mark.parametrize("kind", [NeRF, NeuS, DMTet])
def test_a_mesh_that_cannot_be_is_refused(kind, egg):
    vertices, faces = egg
    with pytest.raises(ValueError, match="0 faces"):
        kind.from_mesh(np.zeros((0, 3)), np.zeros((0, 3), int))
    with pytest.raises(ValueError, match="3 of its 642 vertices are not finite"):
        kind.from_mesh(np.where(np.arange(642)[:, None] < 3, np.nan, vertices), faces)
    with pytest.raises(ValueError, match="the mesh has 600"):
        kind.from_mesh(vertices[:600], faces)


@pytest.mark.parametrize("kind", [NeuS, DMTet])
def test_a_mesh_without_a_volume_is_an_empty_picture(kind):
    flat = np.array([[0.0, 0, 0], [0.4, 0, 0], [0, 0.4, 0]]), np.array([[0, 1, 2], [0, 0, 0]])
    with torch.no_grad():
        seen = kind.from_mesh(*flat, cell=0.1).render(CAMERAS)
    assert torch.isfinite(seen.rgb).all() and (seen.alpha < 0.5).all()


def test_broken_textured_meshes(egg):
    broken = textured(egg)
    broken.vertices[5] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        broken.render(CAMERAS)
    nothing = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3, 2))
    seen = TexturedMesh.from_mesh(nothing, size=8).render(CAMERAS)
    assert (seen.alpha == 0).all() and (seen.rgb == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_pixels_is_refused(kind, egg):
    none = Cameras(CAMERAS.world_to_camera, CAMERAS.intrinsics, 0, 28)
    with pytest.raises(ValueError, match="at least one pixel"):
        make(kind, egg).render(none)
