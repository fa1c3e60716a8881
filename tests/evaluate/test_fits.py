"""The measure of fits knows shapes whose distance is known; scenes start as their start; a fit comes nearer."""

import json

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.body.model import load_body
from bozzetto.evaluate import fits
from bozzetto.evaluate.fits import Score, distances, looked_at, overlap, psnr, shell, start, table
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.raster import rasterize
from bozzetto.scene.fit import Pictures, fit_dmtet, fit_nerf, fit_neus, hull, ray_pool
from bozzetto.scene.radiance import NeRF, NeuS
from bozzetto.scene.surface import DMTet
from bozzetto.types import RenderOutput


def ball(radius, inside=None):
    sphere = trimesh.creation.icosphere(4, radius)
    vertices, faces = np.asarray(sphere.vertices), np.asarray(sphere.faces)
    if inside is not None:
        faces = np.concatenate([faces, faces + len(vertices)])
        vertices = np.concatenate([vertices, vertices / radius * inside])
    return vertices, faces


def pictures_of(vertices, faces, colour, size=64):
    views = np.arange(8)
    cameras = orbit(views * 45.0, -30 + 60 * (views % 3) / 2, 2.2, (0.0, 0.0, 0.0), 62.0, size, size)
    there = torch.from_numpy(rasterize(vertices.astype(np.float32), faces, cameras).face >= 0).float()[..., None]
    return Pictures(cameras, there * torch.tensor(colour), there)


def test_distances_between_balls_are_their_radii_s_and_normals_agree():
    one, other = (shell(*ball(radius), count=5000, size=96, views=24) for radius in (0.5, 0.48))
    for a, b in ((one, other), (other, one)):
        far, turned = distances(a, b)
        assert far.mean() == pytest.approx(0.02, abs=5e-4)
        assert turned.mean() < 2.5  # facets


def test_only_what_can_be_seen_counts():
    seen = shell(*ball(0.5, inside=0.3), count=5000, size=96, views=24)
    assert np.linalg.norm(seen.points, axis=1).min() > 0.49
    assert np.linalg.norm(seen.vertices[seen.faces], axis=2).min() > 0.49


def test_points_spread_evenly():
    points = shell(*ball(0.5), count=20_000, size=128, views=40).points
    octants = np.bincount((points > 0) @ [1, 2, 4], minlength=8) / len(points)
    np.testing.assert_allclose(octants, 1 / 8, atol=0.01)
    heights = np.histogram(points[:, 1], 5, (-0.5, 0.5))[0] / len(points)
    np.testing.assert_allclose(heights, 1 / 5, atol=0.02)  # Archimedes


def test_psnr_and_overlap_have_their_closed_forms():
    truth = pictures_of(*ball(0.4), (0.5, 0.5, 0.5))
    there = truth.alpha > 0
    rgb = truth.rgb + torch.where(there, 0.1, 0.5)
    seen = RenderOutput(rgb, truth.alpha, truth.alpha, rgb, there[..., 0].long())
    assert psnr(seen, truth) == pytest.approx(20, abs=1e-3)
    assert overlap(truth.alpha, truth.alpha) == 1
    wider = torch.zeros_like(truth.alpha)
    assert overlap(truth.alpha, wider) == 0


@pytest.mark.parametrize("kind", ["neus", "dmtet"])
def test_step_zero_is_the_naked_body(kind):
    """Over the 24 training views; the bar is 0.95."""
    part = load_body().parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    body = load_body().template[used].double().numpy(), faces.reshape(-1, 3)
    steps = np.arange(fits.TRAINING)
    cameras = frame(body[0], steps * 137.5, -20 + 70 * ((steps * 0.755) % 1), 30.0, 80)
    bare = torch.from_numpy(rasterize(body[0].astype(np.float32), body[1], cameras).face >= 0).float()[..., None]
    assert overlap(looked_at(start(kind, *body), cameras).alpha, bare) >= 0.95


def test_the_hull_holds_the_ball_and_little_else():
    seen = pictures_of(*ball(0.4), (1.0, 0.0, 0.0), size=160)
    scene = NeuS.from_mesh(*ball(0.3), cell=0.04, reach=0.3)
    possible = hull(seen, scene.occupancy)
    size = torch.tensor(possible.shape)
    middles = scene.occupancy.low + (possible.nonzero() + 0.5) / size * (scene.occupancy.high - scene.occupancy.low)
    far = middles.norm(dim=1)
    assert far.max() < 0.58  # eight outlines, each a cell wider, leave corners
    assert len(middles) * 0.04**3 > 4 / 3 * np.pi * 0.4**3


def test_rays_are_sorted_by_what_they_meet():
    seen = pictures_of(*ball(0.4), (1.0, 0.0, 0.0))
    worth = ray_pool(seen)
    assert (worth.alpha[worth.through] == 1).all() and (worth.alpha[worth.past] == 0).all()
    assert 0 < worth.alpha[worth.along].mean() < 1
    assert len(worth.through) + len(worth.along) + len(worth.past) == len(worth.alpha) < seen.alpha.numel()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fit", "steps", "slack"),
    # Fog has a soft rim, and its surface lies where it is thick.
    [(NeuS, fit_neus, 150, 0.012), (NeRF, fit_nerf, 300, 0.04), (DMTet, fit_dmtet, 120, 0.012)],
)
def test_a_fit_finds_a_larger_ball_of_another_colour(kind, fit, steps, slack):
    seen = pictures_of(*ball(0.42), (0.8, 0.2, 0.1))
    options = {"cell": 0.05} if kind is DMTet else {"cell": 0.05, "reach": 0.2}
    less = {} if kind is DMTet else {"rays": 400}
    found = fit(kind.from_mesh(*ball(0.38), **options), seen, steps, **less).mesh()
    assert found.vertices.norm(dim=1).mean().item() == pytest.approx(0.42, abs=slack)
    torch.testing.assert_close(found.colours.mean(0), torch.tensor([0.8, 0.2, 0.1]), atol=0.08, rtol=0)


def test_finished_cases_are_not_fitted_again(tmp_path, monkeypatch, capsys):
    score = Score("neus", 3, 4.0, 5.0, 3.0, 20.0, 25.0, 28.0, 0.98, 0.97, 80.0, 120.0, 1.0)
    calls = []
    monkeypatch.setattr(fits, "case", lambda *_: "a case")
    monkeypatch.setattr(fits, "measure", lambda *given: calls.append(given) or score)
    for _ in range(2):
        fits.compare(["neus"], [3], 90.0, 64, 24, tmp_path)
    assert len(calls) == 1
    assert json.loads((tmp_path / "neus-3.json").read_text())["chamfer_mm"] == 4.0
    assert "| neus | 1 | 4.0 (4.0) |" in capsys.readouterr().out
    assert "28.0 (28.0)" in table([score])
