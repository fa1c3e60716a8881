"""Two capsules that stand close grow together in a shell; they are cut apart, and a skirt around them is not."""

from functools import cache

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.body.limbs import Fork, clipped, separate
from bozzetto.geometry import edges_of
from bozzetto.scene.tetrahedra import marching_tetrahedra, tet_grid

RADIUS, CELL = 0.07, 0.024


def capsule(points, x):
    """Distance to an upright capsule from the ground up to the hip."""
    y = points[:, 1] - points[:, 1].clip(-0.6, 0.1)
    return np.sqrt((points[:, 0] - x) ** 2 + y**2 + points[:, 2] ** 2) - RADIUS


def level_set(distance):
    """The surface where a function of points is zero."""
    low, high = np.array([-0.35, -0.75, -0.3]), np.array([0.35, 0.35, 0.3])
    grid = tet_grid(low, high, CELL, lambda at: np.abs(distance(at)) < 4 * CELL)
    values = torch.from_numpy(distance(grid.positions.double().numpy())).float()
    vertices, faces = marching_tetrahedra(grid.positions, values, grid.tetrahedra)
    return vertices.double().numpy(), faces.numpy()


@cache
def body(apart):
    """Two legs that part 5 cm below the origin's height; the first stands at positive x."""
    parts, faces = [], []
    for x in (apart, -apart):
        leg = trimesh.creation.capsule(0.7, RADIUS, count=(24, 24)).subdivide_to_size(0.03)
        points = np.asarray(leg.vertices)[:, [1, 2, 0]]
        parts.append(points - [0, points[:, 1].min() + 0.6 + RADIUS, 0] + [x, 0, 0])
        faces.append(np.asarray(leg.faces) + (len(points) if x < 0 else 0))
    axes = np.array([[-1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]])
    return np.concatenate(parts), Fork("legs", faces[0], faces[1], np.array([0.0, -0.05, 0.0]), axes)


def dressed(points, apart, cloth=0.02):
    """A thick skin around both legs and a trunk above."""
    legs = np.minimum(capsule(points, apart), capsule(points, -apart)) - cloth
    trunk = np.linalg.norm((points - [0, 0.12, 0]) / [0.2, 0.16, 0.13], axis=1) - 1
    return np.minimum(legs, 0.13 * trunk)


def skirt(points):
    """A hollow cone from the hips to the knees."""
    y = points[:, 1]
    around = np.hypot(points[:, 0] / 1.7, points[:, 2])
    wall = np.abs(around - (0.13 - 0.12 * (y - 0.1))) - 0.014
    return np.maximum(wall, np.maximum(y - 0.1, -0.35 - y))


def cut(vertices, faces, apart=0.08, **how):
    points, fork = body(apart)
    return separate(points, [fork], vertices, faces, vertices.copy(), **how)


def pieces(vertices, faces, below):
    """How many pieces there are of what lies wholly below a height."""
    low = faces[(vertices[faces][:, :, 1] < below).all(1)]
    return len(trimesh.Trimesh(vertices, low, process=False).split(only_watertight=False))


def closed(faces):
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    return (np.unique(ends, axis=0, return_counts=True)[1] == 2).all()


@pytest.fixture(scope="module")
def fused():
    return level_set(lambda at: dressed(at, 0.08))


def test_legs_that_grew_together_come_apart(fused):
    vertices, faces = fused
    assert pieces(vertices, faces, -0.08) == 1
    got = cut(vertices, faces)
    assert got.cut["legs"] > 50
    assert pieces(got.vertices, got.faces, -0.08) == 2
    assert closed(faces) and closed(got.faces)


def test_what_is_outside_stays_and_walls_face_each_other(fused):
    """The volume stays, since walls only come nearer to their legs than the middle; all faces still look outward."""
    vertices, faces = fused
    got = cut(vertices, faces)
    before, after = (trimesh.Trimesh(*each, process=False) for each in ((vertices, faces), (got.vertices, got.faces)))
    assert after.is_winding_consistent
    assert 0.97 * before.volume < after.volume < before.volume + 1e-6
    np.testing.assert_array_equal(got.vertices[: len(vertices)], vertices)
    np.testing.assert_allclose(got.colours, got.vertices, atol=0.02)  # what goes along is the position here


def test_each_side_of_a_cut_knows_its_limb(fused):
    got = cut(*fused)
    assert set(np.unique(got.limb)) == {0, 1, 2}
    for limb, sign in ((1, 1), (2, -1)):
        assert (sign * got.vertices[got.limb == limb, 0] > -0.002).all()
    ends = edges_of(got.faces)
    assert not ((got.limb[ends] == 1).any(1) & (got.limb[ends] == 2).any(1)).any()


def test_a_skirt_stays_whole_and_legs_below_it_part():
    vertices, faces = level_set(lambda at: np.minimum(dressed(at, 0.08), skirt(at)))
    got = cut(vertices, faces)
    assert "legs" in got.cut
    ring = (np.abs(vertices[:, 2]) > 0.14) & (vertices[:, 1] < -0.1)
    still = np.isin(got.faces, np.flatnonzero(ring)).all(1).sum()
    assert still == np.isin(faces, np.flatnonzero(ring)).all(1).sum() > 100
    assert closed(got.faces)


def test_a_skirt_without_legs_in_sight_is_not_cut():
    """Filled, as pictures leave it; only being told that it is none has it cut."""

    def filled(at):
        cone = np.maximum(np.hypot(at[:, 0] / 1.7, at[:, 2]) - (0.13 - 0.12 * (at[:, 1] - 0.1)), -0.35 - at[:, 1])
        return np.minimum(dressed(at, 0.08), np.maximum(cone, at[:, 1] - 0.1))

    vertices, faces = level_set(filled)
    got = cut(vertices, faces)
    assert pieces(got.vertices, got.faces, -0.3) == pieces(vertices, faces, -0.3)
    assert cut(vertices, faces, skirt=False).cut["legs"] > got.cut.get("legs", 0)


def test_nothing_is_cut_where_legs_stand_apart_or_a_skirt_is_said_to_hang(fused):
    apart = level_set(lambda at: dressed(at, 0.13))
    for (vertices, faces), how in ((apart, {"apart": 0.13}), (fused, {"skirt": True})):
        got = cut(vertices, faces, **how)
        assert got.cut == {}
        np.testing.assert_array_equal(got.vertices, vertices)
        np.testing.assert_array_equal(got.faces, faces)


def test_open_legs_are_cut_too(fused):
    vertices, faces = fused
    faces = faces[(vertices[faces][:, :, 1] > -0.4).all(1)]
    got = cut(vertices, faces)
    assert pieces(got.vertices, got.faces, -0.08) == 2


def test_a_flat_outline_is_filled_by_triangles_of_its_corners():
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    star = (1 + 0.5 * np.cos(5 * turn))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    for outline in (star, star[::-1]):
        faces = clipped(outline)
        a, b, c = (outline[faces[:, k]] for k in range(3))
        u, v = b - a, c - a
        areas = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
        x, y = outline.T
        assert len(faces) == 38 and (areas > 0).all()
        assert areas.sum() == pytest.approx(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)
        ends, times = np.unique(
            np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), 1), axis=0, return_counts=True
        )
        rim = np.sort(np.stack([np.arange(40), np.roll(np.arange(40), -1)], 1), 1)
        assert {tuple(each) for each in ends[times == 1]} == {tuple(each) for each in rim}
