"""The weights of Human-SGD, on surfaces where the answer is known."""

import numpy as np
import pytest
import torch

from bozzetto.render.cameras import orbit
from bozzetto.texture.views import (
    Carried,
    Surface,
    View,
    Weighing,
    aggregate,
    around,
    between,
    carry,
    framed,
    look,
    weigh,
)
from bozzetto.types import Cameras
from render.shapes import ball, plain

AXIS = np.zeros(3)


def cylinder(sides=720):
    """Radius 0.3, two metres high, upright at the origin."""
    turn = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([0.3 * np.sin(turn), np.zeros(sides), 0.3 * np.cos(turn)], 1)
    up = np.array([0.0, 1.0, 0.0])
    vertices = np.concatenate([ring - up, ring + up]).astype(np.float32)
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = np.concatenate([np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1)])
    return Surface(vertices, faces.astype(np.int32))


def sphere():
    one = ball(plain(), radius=0.5)
    return Surface(one.mesh.vertices.numpy(), one.mesh.faces.numpy())


def parallel(size=96, half=0.6):
    """A camera without perspective, four metres before the origin."""
    camera = orbit(0, 0, 4.0, (0, 0, 0), 20.0, size, size)
    scale = size / (2 * half)
    lens = torch.tensor([[[scale, 0, size / 2], [0, scale, size / 2], [0, 0, 0.0]]])
    return Cameras(camera.world_to_camera, lens, size, size)


def pinhole(size=96):
    return orbit(0, 0, 4.0, (0, 0, 0), 18.0, size, size)


def pictured(surface, camera, colour=None):
    """A view whose colours are its places, so that carried colours can be told."""
    seen = look(surface, camera)
    picture = np.clip(seen.place * 0.5 + 0.5, 0, 1) if colour is None else np.full(seen.place.shape, colour)
    return View(seen, picture.astype(np.float32), seen.hit)


def random_carried(seed, shape=(12, 14)):
    rng = np.random.default_rng(seed)
    visible = rng.random(shape) < 0.6
    some = [rng.random(shape).astype(np.float32) * visible for _ in range(2)]
    return Carried(
        visible, (rng.random((*shape, 3)) * visible[..., None]).astype(np.float32), some[0] * 2, some[1] * 30
    )


def scaled(carried, factor):
    return Carried(carried.visible, carried.colour, carried.angle, carried.distance * np.float32(factor))


def test_weights_sum_to_one_where_known_and_to_zero_elsewhere():
    carried = [random_carried(seed) for seed in range(3)]
    blend = aggregate(carried)
    total = blend.weights.sum(0)
    np.testing.assert_allclose(total[blend.known], 1.0, atol=1e-4)
    assert not total[~blend.known].any()
    assert blend.known.any() and not blend.known.all()
    assert not blend.picture[~blend.known].any()


def test_the_unit_of_distance_cancels():
    carried = [random_carried(seed) for seed in range(3)]
    free = Weighing(border=0.0)
    apart = weigh([scaled(each, 7.0) for each in carried], free) - weigh(carried, free)
    assert np.abs(apart).max() < 1e-4


def test_weights_fall_with_the_angle_and_rise_with_the_distance():
    shape = (1, 5)
    ones, grow = np.ones(shape, np.float32), np.linspace(0.1, 1.5, 5, dtype=np.float32)[None]
    colour = np.zeros((*shape, 3), np.float32)
    steady = Carried(ones > 0, colour, ones * 0.5, ones * 9)
    by_angle = weigh([Carried(ones > 0, colour, grow, ones * 9), steady])[0, 0]
    by_distance = weigh([Carried(ones > 0, colour, ones * 0.5, grow * 10), steady])[0, 0]
    assert (np.diff(by_angle) < 0).all() and (np.diff(by_distance) > 0).all()
    # The ratio of two weights is the paper's expression.
    np.testing.assert_allclose(by_angle / (1 - by_angle), np.exp(-3 * (grow[0] - 0.5)), rtol=1e-4)
    np.testing.assert_allclose(by_distance / (1 - by_distance), (grow[0] * 10 / 9) ** 3, rtol=1e-4)


def test_without_angle_and_distance_the_blend_is_the_plain_mean():
    carried = [random_carried(seed) for seed in range(3)]
    blend = aggregate(carried, Weighing(alpha=0.0, beta=0.0, border=0.0))
    count = sum(each.visible.astype(float) for each in carried)
    mean = sum(each.colour.astype(float) for each in carried) / np.maximum(count, 1)[..., None]
    np.testing.assert_allclose(blend.picture, mean, atol=1e-6)
    np.testing.assert_array_equal(blend.known, count > 0)


@pytest.mark.parametrize("camera", [parallel(), pinhole()], ids=["parallel", "pinhole"])
def test_the_angle_on_a_cylinder_is_the_yaw_between_the_cameras(camera):
    surface = cylinder()
    source = pictured(surface, camera)
    for turn in (45.0, -45.0):
        carried = carry(source, look(surface, around(camera, turn, AXIS)))
        assert carried.visible.sum() > 1000
        np.testing.assert_allclose(np.degrees(carried.angle[carried.visible]), 45.0, atol=0.5)
    same = carry(source, source.seen)
    assert np.degrees(same.angle[same.visible]).max() < 0.1
    up = np.array([[0.0, 1.0, 0.0]])
    assert np.degrees(between(up, camera, around(camera, 45.0, AXIS)))[0] < 0.1


def test_places_are_carried_to_where_they_are_seen():
    """A picture whose colours are world places says so itself."""
    surface, camera = sphere(), pinhole(128)
    source = pictured(surface, camera)
    target = look(surface, around(camera, 45.0, AXIS))
    carried = carry(source, target)
    assert 0.3 < carried.visible.sum() / target.hit.sum() < 0.8
    inside = carried.visible & (carried.distance > 4)
    wrong = np.abs(carried.colour - (target.place * 0.5 + 0.5)).max(-1)[inside]
    assert wrong.max() < 0.02
    # Nothing that only the target sees is called visible: the source looks from +z.
    assert target.place[..., 2][carried.visible].min() > 0


def test_what_stands_in_front_hides():
    """A small square before a large one: from aside, the large one shows what the source never saw."""

    def square(half, z):
        return np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)

    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    surface = Surface(np.concatenate([square(0.5, 0.0), square(0.1, 0.2)]), np.concatenate([faces, faces + 4]))
    camera = pinhole(128)
    carried = carry(pictured(surface, camera), target := look(surface, around(camera, 30.0, AXIS)))
    behind = target.hit & (target.place[..., 2] < 0.1) & (np.abs(target.place[..., :2]).max(-1) < 0.085)
    assert behind.sum() > 50 and not carried.visible[behind].any()
    assert carried.visible[target.hit & (target.place[..., 2] > 0.1)].mean() > 0.8


def test_the_border_zone_is_lost_where_one_view_sees_alone_and_kept_where_two_do():
    shape = (1, 8)
    distance = np.arange(1, 9, dtype=np.float32)[None]
    everywhere, colour = np.ones(shape, bool), np.ones((*shape, 3), np.float32)
    one = Carried(everywhere, colour, np.zeros(shape, np.float32), distance)
    other = Carried(np.arange(8)[None] < 2, colour, np.zeros(shape, np.float32), distance)
    alone = aggregate([one], Weighing(border=5.0)).known[0]
    np.testing.assert_array_equal(alone, distance[0] >= 5)
    both = aggregate([one, other], Weighing(border=5.0)).known[0]
    np.testing.assert_array_equal(both, (distance[0] >= 5) | (np.arange(8) < 2))


@pytest.mark.parametrize("camera", [parallel(128), pinhole(128)], ids=["parallel", "pinhole"])
def test_the_same_view_comes_back(camera):
    source = pictured(sphere(), camera)
    blend = aggregate([carry(source, source.seen)])
    np.testing.assert_allclose(blend.picture[blend.known], source.picture[blend.known], atol=1e-4)
    from scipy.ndimage import binary_erosion

    solid = binary_erosion(source.seen.hit, iterations=6)
    assert blend.known[solid].mean() > 0.995


def test_pictures_of_other_sizes_are_told_in_the_targets_pixels():
    surface = sphere()
    target = look(surface, around(pinhole(96), 30.0, AXIS))
    small, large = (carry(pictured(surface, pinhole(size)), target) for size in (96, 192))
    both = small.visible & large.visible & (small.distance > 6)
    assert np.abs(small.distance - large.distance)[both].mean() < 1.0


def test_framed_pictures_hold_the_surface_from_every_turn():
    surface, camera = cylinder(60), pinhole(64)
    wide = Surface(surface.vertices * np.array([3, 1, 1], np.float32), surface.faces)
    turns = (0.0, 45.0, 90.0)
    middle = (wide.vertices.min(0) + wide.vertices.max(0)) / 2
    for turn in turns:
        near = framed(orbit(0, 0, 8.0, (0, 0, 0), 5.0, 64, 64), wide.vertices, 100, 0.05, turns)
        seen = look(wide, around(near, turn, middle))
        assert seen.hit.any() and not (seen.hit[:4].any() or seen.hit[-4:].any() or seen.hit[:, :4].any())
    with pytest.raises(ValueError, match="too near"):
        framed(orbit(0, 0, 0.5, (0, 0, 0), 5.0, 64, 64), wide.vertices, 100, 0.05, turns)
    assert camera.height == 64
