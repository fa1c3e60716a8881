"""The far side of a surface, in the raster of the near one."""

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.figure.ground_truth import random, stand
from bozzetto.render.cameras import orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.sides import inside_out, reversal, sides


def test_a_sphere_has_two_sides_where_its_equation_says():
    ball = trimesh.creation.icosphere(5, 0.5)
    vertices, faces = np.asarray(ball.vertices, np.float32), np.asarray(ball.faces, np.int32)
    camera = orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 30.0, 96, 96)
    near, far = sides(vertices, faces, camera)
    assert ((near.depth > 0) == (far.depth > 0)).all()
    lens = camera.intrinsics[0].numpy()
    row, column = np.nonzero(near.depth)
    ray = np.stack([(column + 0.5 - 48) / lens[0, 0], (row + 0.5 - 48) / lens[1, 1], np.ones(len(row))], 1)
    # |t ray - (0, 0, 3)| = 0.5
    square = (ray**2).sum(1)
    root = np.sqrt(np.maximum(9 - square * (9 - 0.25), 0))
    inner = root > 0.2
    for side, sign in ((near, -1), (far, 1)):
        wanted = (3 + sign * root) / square
        assert np.abs(side.depth[row, column] - wanted)[inner].max() < 0.005
        outward = (wanted[:, None] * ray - [0, 0, 3]) / 0.5
        assert (side.normal[row, column] * outward).sum(1)[inner].min() > 0.995


def test_the_reversal_undoes_itself_and_keeps_pixels():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.3, (50, 3))
    camera = orbit(30.0, 10.0, 4.0, (0.1, 0.0, 0.0), 30.0, 64, 64)
    turned = reversal(points, camera)
    moved = turned.points(points)
    assert np.abs(turned.points(moved) - points).max() < 1e-4
    matrix, lens = camera.world_to_camera[0].double().numpy(), camera.intrinsics[0].double().numpy()

    def pixels(each):
        seen = (each @ matrix[:3, :3].T + matrix[:3, 3]) @ lens.T
        return seen[:, :2] / seen[:, 2:], seen[:, 2]

    (before, depth), (after, reversed_depth) = pixels(points), pixels(moved)
    assert np.abs(before - after).max() < 1e-3
    assert (np.argsort(depth) == np.argsort(reversed_depth)[::-1]).all()


def test_a_surface_behind_the_camera_is_refused():
    with pytest.raises(ValueError, match="behind the camera"):
        reversal(np.array([[0.0, 0, 9]]), orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 30.0, 8, 8))


def test_the_far_side_of_a_figure_is_what_another_camera_sees_from_behind():
    stance = stand(random(3).figure, "a-pose")
    middle = stance.box.mean(0)
    front, behind = (orbit(turn, 0.0, 40.0, middle, 3.4, 96, 96) for turn in (0.0, 180.0))
    scene, turned = inside_out(stance.scene, front)
    far = render_mesh(scene, front, None, 2)
    wanted = render_mesh(stance.scene, behind, None, 2)
    mirrored = torch.flip(wanted.rgb, [2])
    inside = (far.alpha > 0.99) & torch.flip(wanted.alpha, [2]).gt(0.99)
    assert ((far.alpha > 0.5) == torch.flip(wanted.alpha, [2]).gt(0.5)).float().mean() > 0.99
    assert ((far.rgb - mirrored).abs().amax(-1, keepdim=True)[inside] < 0.05).float().mean() > 0.85
    depth = turned.depth(far.depth[0, ..., 0].numpy())
    other = np.where(wanted.depth[0, ..., 0].numpy() > 0, 80.0 - wanted.depth[0, ..., 0].numpy(), 0)[:, ::-1]
    assert np.median(np.abs(depth - other)[inside[0, ..., 0].numpy()]) < 0.01
