"""Clothes of a posed figure stay outside of what they are worn over."""

import numpy as np
import torch

from bozzetto.figure.settle import settled
from bozzetto.types import Avatar, Layer, Material, Mesh, Skeleton


def tube(name, radius, bump=0.0):
    """A tube of cloth or skin, its rest points, and its points when its front swells."""
    turn, height = np.meshgrid(np.arange(40) / 40 * 2 * np.pi, np.linspace(0, 0.4, 41))
    swell = bump * np.exp(-((height - 0.2) ** 2) / 0.004) * np.maximum(np.cos(turn), 0) ** 4

    def points(radii):
        return np.stack([radii * np.sin(turn), height, radii * np.cos(turn)], 2).reshape(-1, 3).astype(np.float32)

    grid = np.arange(turn.size).reshape(turn.shape)
    a, b = grid[:-1].ravel(), np.roll(grid, -1, 1)[:-1].ravel()
    c, d = grid[1:].ravel(), np.roll(grid, -1, 1)[1:].ravel()
    faces = torch.from_numpy(np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]))
    count = turn.size
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1)
    mesh = Mesh(torch.from_numpy(points(radius + 0 * turn)), faces, torch.zeros(len(faces), 3, 2))
    material = Material(np.zeros((2, 2, 3), np.uint8))
    layer = Layer(name, mesh, weights, torch.zeros(count, 4, dtype=torch.int64), material, {})
    return layer, points(radius + swell)


def worn(*tubes, joint="spine01"):
    skeleton = Skeleton((joint,), (-1,), torch.zeros(1, 3))
    return Avatar(tuple(layer for layer, _ in tubes), skeleton), [points for _, points in tubes]


def test_cloth_goes_out_of_a_limb_that_comes_through_and_nowhere_else():
    tubes = tube("skin", 0.1, bump=0.03), tube("top", 0.108)
    avatar, points = worn(*tubes)
    skin, top = settled(avatar, points)
    radius, before = (np.linalg.norm(each[:, [0, 2]], axis=1) for each in (top, points[1]))
    below = np.linalg.norm(skin[:, [0, 2]], axis=1)
    assert (np.linalg.norm(points[0][:, [0, 2]], axis=1) > before).sum() > 20
    assert (radius > below).all()
    assert radius.max() < below.max() + 0.01
    far = np.abs(top[:, 1] - 0.2) > 0.17
    np.testing.assert_allclose(top[far], points[1][far], atol=1e-4)
    np.testing.assert_array_equal(skin, points[0])


def test_what_is_clear_or_was_inside_at_rest_or_touches_an_arm_stays():
    for tubes, joint in (
        ((tube("skin", 0.1), tube("top", 0.104)), "spine01"),
        ((tube("skin", 0.1), tube("top", 0.095)), "spine01"),
        ((tube("skin", 0.1, bump=0.03), tube("top", 0.104)), "lowerarm01.L"),
    ):
        avatar, points = worn(*tubes, joint=joint)
        for after, before in zip(settled(avatar, points), points, strict=True):
            np.testing.assert_array_equal(after, before)


def test_each_garment_keeps_outside_of_the_settled_ones_below():
    avatar, points = worn(tube("skin", 0.1, bump=0.02), tube("bottom", 0.104), tube("outer", 0.108))
    skin, bottom, outer = (np.linalg.norm(each[:, [0, 2]], axis=1) for each in settled(avatar, points))
    assert (bottom > skin).all() and (outer > bottom).all()


def test_cloth_that_a_fold_has_swallowed_stays_inside():
    avatar, points = worn(tube("skin", 0.1, bump=0.1), tube("top", 0.104))
    before, after = points[1], settled(avatar, points)[1]
    assert np.linalg.norm(after - before, axis=1).max() < 0.04
    middle = np.linalg.norm(before - [0, 0.2, 0.104], axis=1).argmin()
    assert np.linalg.norm(after[middle] - before[middle]) < 0.02


def test_a_sleeve_that_meets_a_thigh_keeps_its_place():
    avatar, points = worn(tube("skin", 0.1, bump=0.02), tube("top", 0.104))
    skeleton = Skeleton(("spine01", "lowerarm01.L"), (-1, 0), torch.zeros(2, 3))
    skin, top = avatar.layers
    sleeve = Layer(top.name, top.mesh, top.skin_weights, torch.ones_like(top.skin_joints), top.material, {})
    np.testing.assert_array_equal(settled(Avatar((skin, sleeve), skeleton), points)[1], points[1])
