"""The front of what hangs from a trunk lies on raised thighs."""

import numpy as np
import torch

from bozzetto.figure.lap import lap, on_lap
from bozzetto.types import Avatar, Layer, Material, Mesh, Skeleton

NAMES = ("root", "upperleg01.L", "lowerleg01.L", "upperleg01.R", "lowerleg01.R")
JOINTS = np.array([[0, 1, 0], [0.1, 0.9, 0], [0.1, 0.5, 0], [-0.1, 0.9, 0], [-0.1, 0.5, 0]], np.float32)


def cylinder(middle, top, bottom, radius):
    """Points of an upright tube."""
    turn, height = np.meshgrid(np.arange(48) / 48 * 2 * np.pi, np.linspace(bottom, top, 60))
    points = np.stack([radius * np.sin(turn), height, radius * np.cos(turn)], 2).reshape(-1, 3)
    return (points + np.array([middle, 0, 0])).astype(np.float32)


def layer(name, points, joints):
    mesh = Mesh(torch.from_numpy(points), torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3, 2))
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(len(points), 1)
    material = Material(np.zeros((2, 2, 3), np.uint8))
    return Layer(name, mesh, weights, torch.from_numpy(joints)[:, None].repeat(1, 4), material, {})


def seated(degrees):
    """A trunk with thighs turned forward, whole and leaning: the avatar, and its posed points."""
    parts = [(0, cylinder(0, 1.4, 0.95, 0.17)), (1, cylinder(0.1, 0.9, 0.5, 0.08)), (3, cylinder(-0.1, 0.9, 0.5, 0.08))]
    rest = np.concatenate([points for _, points in parts])
    joints = np.concatenate([np.full(len(points), joint) for joint, points in parts])
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    forward = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    hip = np.where(joints[:, None] == 1, JOINTS[1], JOINTS[3])
    posed = np.where(joints[:, None] == 0, rest, (rest - hip) @ forward.T + hip)
    avatar = Avatar((layer("skin", rest, joints),), Skeleton(NAMES, (-1, 0, 1, 0, 3), torch.from_numpy(JOINTS)))
    return avatar, posed.astype(np.float32)


def test_a_lap_is_known_by_its_thighs():
    sat, stood = seated(90), seated(20)
    here = lap(sat[0], [sat[1]])
    assert here is not None and here.share == (1, 1)
    np.testing.assert_allclose(here.turn, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(here.hip, [0, 0.9, 0], atol=1e-6)
    assert lap(stood[0], [stood[1]]) is None


def test_a_hem_in_the_thighs_comes_to_lie_on_them_and_the_back_stays():
    avatar, skin = seated(90)
    here = lap(avatar, [skin])
    assert here is not None
    cloth = cylinder(0, 1.3, 0.9, 0.18)
    out = on_lap(here, cloth, cloth, skin)
    sunk = (np.abs(np.abs(cloth[:, 0]) - 0.1) < 0.04) & (cloth[:, 2] > 0.1) & (cloth[:, 1] < 0.94)
    assert sunk.sum() > 20
    top = 0.9 + np.sqrt(0.08**2 - (np.abs(out[sunk, 0]) - 0.1) ** 2)
    assert (out[sunk, 1] > top - 0.002).all()
    assert (out[sunk, 1] < top + 0.05).all()
    assert out[sunk, 2].min() > 0.1
    away = (cloth[:, 2] < -0.05) | (cloth[:, 1] > 1.2)
    np.testing.assert_array_equal(out[away], cloth[away])


def test_cloth_is_laid_alike_whichever_way_a_figure_is_turned():
    avatar, skin = seated(90)
    cloth = cylinder(0, 1.3, 0.9, 0.18)
    c, s = np.cos(2.0), np.sin(2.0)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    away = np.array([3.0, -2.0, 1.0])
    laid = []
    for turned, moved in ((np.eye(3), np.zeros(3)), (turn, away)):
        below, hung = ((points @ turned.T + moved).astype(np.float32) for points in (skin, cloth))
        here = lap(avatar, [below])
        assert here is not None
        laid.append((on_lap(here, cloth, hung, below) - moved) @ turned)
    assert np.abs(laid[0] - cloth).max() > 0.02
    np.testing.assert_allclose(laid[1], laid[0], atol=2e-3)


def test_what_ends_above_the_thighs_or_covers_them_stays():
    avatar, skin = seated(90)
    here = lap(avatar, [skin])
    assert here is not None
    for low in (1.0, 0.5):
        cloth = cylinder(0, 1.3, low, 0.18)
        np.testing.assert_array_equal(on_lap(here, cloth, cloth, skin), cloth)
