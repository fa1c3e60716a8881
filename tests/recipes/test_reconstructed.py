"""Depths that follow normals, and a surface moved to where a network saw it."""

import igl
import numpy as np
import torch
import trimesh
from scipy.ndimage import gaussian_filter

from bozzetto.prior.shape import Sides
from bozzetto.recipes.reconstructed import movement, places_of, registered, stiffness_of
from bozzetto.render.cameras import orbit
from bozzetto.render.sides import sides
from bozzetto.subject.surface import Answer, apart, followed, square_around


def ball(radius, squash=(1.0, 1.0, 1.0)):
    mesh = trimesh.creation.icosphere(4, radius)
    return np.asarray(mesh.vertices * squash, np.float32), np.asarray(mesh.faces, np.int32)


def answer_of(vertices, faces, camera):
    """What a network without fault makes of a surface."""
    near, far = sides(vertices, faces, camera)
    normals = torch.from_numpy(np.concatenate([near.normal, far.normal], -1))[None]
    depths = np.stack([near.depth, far.depth], -1)
    return Answer(Sides(normals, torch.from_numpy(depths)[None], normals[..., :3]), camera, near.depth > 0, depths)


def test_depths_take_the_relief_of_the_normals():
    camera = orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 24.0, 96, 96)
    near, _ = sides(*ball(0.5), camera)
    inside = near.depth > 0
    blurred = gaussian_filter(np.where(inside, near.depth, near.depth[inside].mean()), 8).astype(np.float32)
    found = followed(blurred, near.normal, inside, camera, 1e-3)
    inner = inside & (near.normal[..., 2] < -0.4)

    def relief(depth):
        return depth[inner] - depth[inner].mean()

    before, after = (np.abs(relief(each) - relief(near.depth)).mean() for each in (blurred, found))
    assert after < 0.25 * before
    assert (found[~inside] == 0).all()


def test_sides_never_cross():
    inside = np.array([[True, True, False]])
    crossed = np.array([[[2.0, 2.3], [2.1, 2.098], [9.0, 1.0]]])
    found = apart(crossed, inside)[0]
    assert np.allclose(found[0], [2.0, 2.3]) and np.allclose(found[1], [2.0965, 2.1015]) and not found[2].any()


def test_a_ball_becomes_the_egg_that_was_seen():
    camera = orbit(0.0, 0.0, 4.0, (0.0, 0.0, 0.0), 24.0, 128, 128)
    egg = ball(0.5, (0.9, 1.1, 1.25))
    start, faces = ball(0.5)
    found = registered(answer_of(*egg, camera), start, faces)
    before, distance = (
        np.sqrt(igl.point_mesh_squared_distance(each.astype(np.float64), egg[0].astype(np.float64), egg[1])[0])
        for each in (start, found)
    )
    assert distance.mean() < 0.2 * before.mean()
    assert distance.max() < 0.03


def test_places_of_both_sides_lie_on_the_surface():
    camera = orbit(20.0, 5.0, 3.0, (0.0, 0.0, 0.0), 24.0, 64, 64)
    points, normals = places_of(answer_of(*ball(0.4), camera))
    assert np.abs(np.linalg.norm(points, axis=1) - 0.4).max() < 0.01
    assert ((points / 0.4) * normals).sum(1).min() > 0.98


def test_nothing_moves_that_nothing_pulls():
    vertices, faces = ball(0.3)
    bending = stiffness_of(vertices, faces)
    still = movement(
        np.zeros((len(vertices), 3)),
        vertices * 0 + [0, 0, 1.0],
        np.zeros(len(vertices)),
        np.ones(len(vertices), bool),
        bending,
        1.0,
    )
    assert np.abs(still).max() < 1e-9
    # What has moved as one stays; what is pulled goes, and takes its neighbours along.
    along, nothing = np.tile([0.0, 0.0, 1.0], (len(vertices), 1)), np.zeros(len(vertices), bool)
    shifted = movement(along * 0.02, along, np.zeros(len(vertices)), nothing, bending, 1.0)
    assert np.abs(shifted).max() < 1e-6
    one = np.arange(len(vertices)) == 7
    pulled = movement(along * 0, along, np.where(one, 0.03, 0.0), one, bending, 0.01)
    near = np.linalg.norm(vertices - vertices[7], axis=1)
    assert abs(pulled[7, 2] - 0.03) < 0.005 and np.abs(pulled[:, :2]).max() < 1e-6
    assert pulled[(near > 0) & (near < 0.05), 2].mean() > 0.004


def test_the_square_is_around_the_person():
    mask = np.zeros((60, 100))
    mask[10:50, 70:90] = 1
    camera = orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 24.0, 60, 100)
    square = square_around(mask, camera, 32)
    old, new = camera.intrinsics[0].numpy(), square.intrinsics[0].numpy()
    corners = np.array([[70.0, 10.0], [90.0, 50.0]])
    ray = (corners - old[:2, 2]) / old[[0, 1], [0, 1]]
    there = ray * new[[0, 1], [0, 1]] + new[:2, 2]
    assert np.allclose(there.mean(0), 16, atol=1e-3)
    assert np.isclose(np.ptp(there[:, 1]), 32 / 1.1)
