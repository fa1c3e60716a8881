from dataclasses import replace
from functools import cache
from typing import get_args

import igl
import numpy as np
import pytest
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.build import build_figure
from bozzetto.figure.extras import extra_pieces
from bozzetto.figure.fitted import carrier, sheet, unit
from bozzetto.figure.glasses import beside_glasses
from bozzetto.figure.hats import hat_cover, under_hats
from bozzetto.figure.looks import stylised_body
from bozzetto.figure.piece import Person
from bozzetto.figure.spec import BodySpec, Colour, ExtraKind, FigureSpec, Garment, HairSpec
from bozzetto.figure.wear import ears
from bozzetto.render.cameras import frame
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import scene_from_layers

TOP, BOTTOM = Garment("t-shirt", Colour("red", "#c0302b")), Garment("jeans", Colour("blue", "#2f5597"))
TEAL = Colour("teal", "#2b7a78")
BODIES = {"woman": BodySpec("woman", 30, 1.66, identity=4), "man": BodySpec("man", 45, 1.9, 0.9, identity=8),
          "child": BodySpec("man", 5, 1.1, identity=2)}  # fmt: skip
HATS = ("cap", "beanie", "brimmed hat", "top hat", "helmet")


@cache
def shaped(who: str):
    return shape_person(load_body(), BODIES[who], FigureSpec().face)


def person(who: str, *kinds: ExtraKind, detail="low", **garment) -> Person:
    extras = tuple(Garment(kind, TEAL, **garment) for kind in kinds)
    return Person(FigureSpec(BODIES[who], top=TOP, bottom=BOTTOM, extras=extras), load_body(), shaped(who), detail)


def test_a_carrier_returns_rest_points_and_commutes_with_affine_maps():
    rng = np.random.default_rng(0)
    anchors, points = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
    carry = carrier(points, anchors, 0.3)
    np.testing.assert_allclose(carry @ anchors, points, atol=1e-5)
    turn, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    np.testing.assert_allclose(carry @ (anchors @ turn + shift), points @ turn + shift, atol=1e-4)


@pytest.mark.parametrize("kind", get_args(ExtraKind))
@pytest.mark.parametrize("who", BODIES)
def test_every_extra_is_a_sound_piece(kind, who):
    (piece,) = extra_pieces(person(who, kind))
    assert piece.name == kind
    assert np.isfinite(piece.vertices).all() and piece.faces.max() < len(piece.vertices)
    np.testing.assert_allclose(piece.skin_weights.sum(1), 1, atol=1e-5)
    assert piece.uvs.min() >= 0 and piece.uvs.max() <= 1
    assert len(piece.faces) < 7000


@pytest.mark.parametrize("kind", HATS)
@pytest.mark.parametrize("who", BODIES)
def test_hats_cover_the_crown_and_leave_ears_and_brows(kind, who):
    wearer = person(who, kind)
    (piece,) = extra_pieces(wearer)
    skin = wearer.vertices[: wearer.body.parts["body"].stop]
    crown = skin[skin[:, 1].argmax()]
    assert piece.vertices[:, 1].max() > crown[1] + 0.006
    assert piece.vertices[:, 1].min() > wearer.joint("eye.L")[1] - 0.05
    # No scalp shows through: the hat's nearest point above each high vertex is farther from the skull's middle.
    middle = crown * [1, 0, 1] + [0, wearer.joint("eye.L")[1] + 0.03, 0]
    high = skin[skin[:, 1] > crown[1] - 0.02]
    outward = piece.vertices - middle
    length = np.linalg.norm(outward, axis=1)
    _, near = cKDTree(outward / length[:, None]).query((high - middle) / np.linalg.norm(high - middle, axis=1)[:, None])
    assert (length[near] > np.linalg.norm(high - middle, axis=1)).all()


def test_hat_cover_is_the_lowest_rim():
    assert hat_cover(person("man", "glasses", "scarf").spec) is None
    cover = hat_cover(person("man", "cap", "beanie").spec)
    assert cover == hat_cover(person("man", "beanie").spec) and 0 < cover < 1


@pytest.mark.parametrize("who", BODIES)
def test_glasses_sit_before_the_eyes_and_do_not_cut_them(who):
    wearer = person(who, "glasses")
    (piece,) = extra_pieces(wearer)
    front = piece.vertices[piece.vertices[:, 2] > wearer.joint("eye.L")[2]]
    lashes = wearer.body.parts["l-eyelashes-1"]
    rim = front[np.abs(front[:, 0]) < 0.9 * np.abs(front[:, 0]).max()]
    assert rim[:, 1].min() < wearer.joint("eye.L")[1] < rim[:, 1].max()
    assert np.median(rim[:, 2]) > wearer.vertices[lashes.start : lashes.stop, 2].mean()
    assert len(set(np.unique(piece.skin_joints[piece.skin_weights > 0]))) == 1


def test_gloves_hide_the_hands_alone():
    wearer = person("woman", "gloves")
    (piece,) = extra_pieces(wearer)
    gone = wearer.vertices[wearer.body.parts["body"].faces[piece.hides]].mean(1)
    reach = np.abs(wearer.joint("lowerarm02.L")[0])
    assert len(gone) > 3000 and np.abs(gone[:, 0]).min() > reach


@pytest.mark.parametrize(("kind", "least"), [("tie", 0.017), ("scarf", 0.024), ("belt", 0.009), ("apron", 0.021)])
def test_what_lies_on_clothes_stands_out_from_the_body(kind, least):
    wearer = person("man", kind)
    (piece,) = extra_pieces(wearer)
    suit = wearer.body.parts["tights"]
    distance, _ = cKDTree(wearer.vertices[suit.start : suit.stop]).query(piece.vertices)
    assert np.median(distance) > least


@pytest.mark.parametrize("kind", ("cap", "scarf", "gloves", "apron"))
def test_plain_cloth_has_the_colour_asked_for(kind):
    albedo = extra_pieces(person("woman", kind))[0].material.albedo
    cloth = albedo[: int(0.7 * len(albedo))].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(cloth, np.array(TEAL.srgb) * 255, atol=8)


def test_patterns_show_both_colours():
    white = Colour("white", "#ffffff")
    albedo = extra_pieces(person("woman", "scarf", pattern="plaid", second=white, detail="full"))[0].material.albedo
    cloth = albedo[: int(0.7 * len(albedo)), :, 0]
    assert 0.03 < (cloth > 200).mean() < 0.9 and (cloth < 90).mean() > 0.05


def test_a_belt_lies_on_the_clothes_it_is_given():
    wearer = person("woman", "belt")
    (bare,) = extra_pieces(wearer)
    cloth = replace(bare, name="bottom", vertices=bare.vertices * np.float32([1.3, 1, 1.3]))
    (over,) = extra_pieces(wearer, [cloth])
    assert np.ptp(over.vertices[:, 0]) > 1.15 * np.ptp(bare.vertices[:, 0])


def test_a_belt_stays_behind_a_jacket():
    wearer = person("woman", "belt")
    (bare,) = extra_pieces(wearer)
    turn, height = np.meshgrid(np.linspace(0.5, 2 * np.pi - 0.5, 90), np.linspace(-0.2, 0.2, 40))
    x, y, z = (bare.vertices.max(0) + bare.vertices.min(0)) / 2
    radius = 1.02 * np.hypot(*(bare.vertices - [x, y, z])[:, [0, 2]].T).mean()
    wall = sheet(np.stack([x + radius * np.sin(turn), y + height, z + radius * np.cos(turn)], 2), (0.0, 0.0, 1.0, 1.0))
    jacket = replace(
        bare, name="outer", vertices=wall.vertices.astype(np.float32), faces=wall.faces, uvs=wall.uvs,
        skin_weights=np.tile(bare.skin_weights[:1], (len(wall.vertices), 1)),
        skin_joints=np.tile(bare.skin_joints[:1], (len(wall.vertices), 1)),
    )  # fmt: skip
    (under,) = extra_pieces(wearer, [jacket])
    seen = under.vertices[np.unique(under.faces)] - [x, y, z]
    reach, ahead = np.hypot(seen[:, 0], seen[:, 2]), np.abs(np.arctan2(seen[:, 0], seen[:, 2]))
    assert (reach[(ahead > 0.6)] < radius).all(), "nothing comes through"
    assert 0.4 < ahead.max() < 1.2, "and what lies deep is left out"


def test_a_headband_presses_the_hair_below_it():
    wearer = person("woman", "headband")
    (band,) = extra_pieces(wearer)
    hair = replace(band, name="hair", vertices=band.vertices + 0.03 * unit(band.vertices - wearer.joint("head")))
    pressed = under_hats(wearer, hair, [band])
    middle = wearer.joint("eye.L") * [0, 1, 1] - [0, 0, 0.08]
    before, after = (np.linalg.norm(piece.vertices - middle, axis=1) for piece in (hair, pressed))
    assert (after < before - 0.01).mean() > 0.9
    assert np.median(np.linalg.norm(pressed.vertices - band.vertices, axis=1)) < 0.012
    far = replace(hair, vertices=hair.vertices - np.float32([0, 0.3, 0]))
    np.testing.assert_allclose(under_hats(wearer, far, [band]).vertices, far.vertices, atol=1e-6)


@pytest.mark.parametrize("style", ["short", "bob", "long wavy", "afro", "braids"])
def test_no_strand_comes_through_a_hat(style):
    """Seen from behind and above, the crown of a beanie shows no hair."""
    spec = FigureSpec(
        hair=HairSpec(style, Colour("white", "#ffffff")), extras=(Garment("beanie", Colour("black", "#000000")),)
    )
    figure = build_figure(spec, "low")
    layers = [layer for layer in figure.avatar.layers if layer.name in ("hair", "beanie")]
    scene = scene_from_layers(layers)
    beanie = layers[[layer.name for layer in layers].index("beanie")].mesh.vertices.numpy()
    cameras = frame(beanie, [90.0, 180.0, 270.0], 25.0, 24.0, 96)
    fragments = rasterize(scene.vertices, scene.faces, cameras, scene.coverage)
    points = scene.vertices[scene.faces[np.maximum(fragments.face, 0)][..., 0]]
    hair = scene.layer[np.maximum(fragments.face, 0)] == [layer.name for layer in layers].index("hair")
    above = points[..., 1] > beanie[:, 1].min() + 0.55 * np.ptp(beanie[:, 1])
    assert ((fragments.face >= 0) & hair & above).sum() <= 4


@pytest.mark.parametrize("detail", ["low", "full"])
@pytest.mark.parametrize("kind", ["beanie", "cap", "helmet"])
def test_no_skull_comes_through_a_hat(kind, detail):
    """The upper back of a bald head, seen from behind."""
    spec = FigureSpec(hair=HairSpec("bald"), extras=(Garment(kind, Colour("black", "#000000")),))
    layers = [layer for layer in build_figure(spec, detail).avatar.layers if layer.name in ("skin", kind)]
    scene = scene_from_layers(layers)
    hat = layers[1].mesh.vertices.numpy()
    fragments = rasterize(
        scene.vertices, scene.faces, frame(hat, [130.0, 160.0, 200.0, 230.0], 10.0, 24.0, 160), scene.coverage
    )
    face = np.maximum(fragments.face, 0)
    above = scene.vertices[scene.faces[face]][..., 1].mean(-1) > hat[:, 1].min() + 0.4 * np.ptp(hat[:, 1])
    assert ((fragments.face >= 0) & (scene.layer[face] == 0) & above).sum() == 0


@pytest.mark.parametrize("look", ["realistic", "chibi", "anime", "snouted", "robot"])
@pytest.mark.parametrize("kind", ["glasses", "sunglasses"])
def test_glasses_touch_nose_and_ears_and_nothing_else(kind, look):
    """On every look: within 2 mm of the nose, on both ears' roots, along the head, clear of eyes and lids."""
    spec = replace(person("woman", kind).spec, look=look)
    wearer = stylised_body(Person(spec, load_body(), shaped("woman"), "full"))
    (piece,) = extra_pieces(wearer)
    body = wearer.body.parts["body"]
    points = piece.vertices.astype(np.float64)
    square, _, close = igl.point_mesh_squared_distance(points, wearer.vertices.astype(np.float64), body.faces)
    away = np.sqrt(square)
    middle = (wearer.joint("eye.L") + wearer.joint("eye.R")) / 2
    size = (wearer.joint("eye.L")[0] - wearer.joint("eye.R")[0]) / 0.0626
    on_nose = (np.abs(points[:, 0] - middle[0]) < 0.014 * size) & (points[:, 2] > middle[2])
    assert away[on_nose].min() < 0.002
    for sign in (1, -1):
        temple = (points[:, 0] * sign > 0.045 * size) & (points[:, 2] < middle[2])
        assert away[temple].max() < 0.016 * size, "along the head"
        behind = temple & (points[:, 2] < points[temple, 2].min() + 0.02 * size)
        assert away[behind].max() < 0.006 * size, "and on the ear"
        near = close[behind]
        assert np.isin(cKDTree(wearer.vertices[: body.stop]).query(near, k=8)[1], ears()).any()
    lashes = [v for name, part in wearer.body.parts.items() if "lashes" in name for v in range(part.start, part.stop)]
    eyes = wearer.vertices[lashes]
    front = (points[:, 2] > middle[2] + 0.01 * size) & (np.abs(points[:, 0] - middle[0]) > 0.016 * size)
    assert cKDTree(points[front]).query(eyes)[0].min() > 0.001


@pytest.mark.parametrize("kind", ["cap", "beanie", "helmet", "headband"])
@pytest.mark.parametrize("look", ["realistic", "chibi", "clay"])
def test_rims_lie_close_to_the_head(kind, look):
    """At every turn the lowest part of the rim, but for a peak, is within 6.5 mm of the head, on any head."""
    for who in ("man", "child"):
        spec = replace(person(who, kind).spec, look=look)
        wearer = stylised_body(Person(spec, load_body(), shaped(who), "full"))
        (piece,) = extra_pieces(wearer)
        faces = wearer.body.parts["body"].faces
        points = piece.vertices.astype(np.float64)
        away = np.sqrt(igl.point_mesh_squared_distance(points, wearer.vertices.astype(np.float64), faces)[0])
        x, z = (points - points.mean(0))[:, [0, 2]].T
        turn = np.arctan2(x, z)
        for low in np.linspace(np.pi / 2, 3 * np.pi / 2, 9)[:-1]:
            mine = (turn % (2 * np.pi) >= low) & (turn % (2 * np.pi) < low + np.pi / 8)
            rim = mine & (points[:, 1] < points[mine, 1].min() + 0.012)
            assert away[rim].min() < 0.0065, (who, low)


def test_a_belt_is_drawn_tight_and_keeps_its_buckle():
    """Round an ellipse of cloth, the strap's inner side is 1 mm off it everywhere and no part of the belt is inside."""
    wearer = person("woman", "belt", detail="full")
    (bare,) = extra_pieces(wearer)
    x, y, z = (bare.vertices.max(0) + bare.vertices.min(0)) / 2
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 200), np.linspace(-0.1, 0.1, 60))
    wall = sheet(np.stack([x + 0.15 * np.sin(turn), y + height, z + 0.11 * np.cos(turn)], 2), (0.0, 0.0, 1.0, 1.0))
    cloth = replace(
        bare, name="bottom", vertices=wall.vertices.astype(np.float32), faces=wall.faces, uvs=wall.uvs,
        skin_weights=np.tile(bare.skin_weights[:1], (len(wall.vertices), 1)),
        skin_joints=np.tile(bare.skin_joints[:1], (len(wall.vertices), 1)),
    )  # fmt: skip
    (belt,) = extra_pieces(wearer, [cloth])
    reach = np.hypot((belt.vertices[:, 0] - x) / 0.15, (belt.vertices[:, 2] - z) / 0.11) - 1
    assert reach.min() > -0.005
    side = np.abs(belt.vertices[:, 2] - z) < 0.03
    assert np.abs(belt.vertices[side, 0] - x).max() < 0.15 + 0.012
    assert reach.max() * 0.11 > 0.006, "the buckle is before the strap"


def test_a_tie_begins_at_the_collar():
    """Its knot's top is at the upper edge of the shirt in front, wherever the shirt ends."""
    wearer = person("man", "tie")
    (bare,) = extra_pieces(wearer)
    top = bare.vertices[bare.vertices[:, 1].argmax()]
    for drop in (0.0, 0.03):
        turn, height = np.meshgrid(np.linspace(-1.2, 1.2, 40), np.linspace(-0.4, 0.0, 60))
        wall = sheet(
            np.stack([0.16 * np.sin(turn), top[1] - drop + height, top[2] - 0.17 + 0.16 * np.cos(turn)], 2),
            (0.0, 0.0, 1.0, 1.0),
        )
        shirt = replace(
            bare, name="top", vertices=wall.vertices.astype(np.float32), faces=wall.faces, uvs=wall.uvs,
            skin_weights=np.tile(bare.skin_weights[:1], (len(wall.vertices), 1)),
            skin_joints=np.tile(bare.skin_joints[:1], (len(wall.vertices), 1)),
        )  # fmt: skip
        (tie,) = extra_pieces(wearer, [shirt])
        assert abs(tie.vertices[:, 1].max() - (top[1] - drop)) < 0.01


def worn(name: str, shape, joint: int = 0):
    """A sheet as a garment that follows one joint."""
    (some,) = extra_pieces(person("woman", "belt"))
    count = len(shape.vertices)
    weights = np.tile(np.float32([1, 0, 0, 0]), (count, 1))
    joints = np.full((count, 4), joint, np.int64)
    vertices = shape.vertices.astype(np.float32)
    return replace(
        some, name=name, vertices=vertices, faces=shape.faces, uvs=shape.uvs, skin_weights=weights, skin_joints=joints
    )


def test_a_belt_lies_flat_on_a_slope_under_no_loop_and_moves_with_the_trousers():
    """Round a cone with three belt loops 5 mm thick: all of the strap within 7.5 mm, and on one joint."""
    wearer = person("woman", "belt", detail="full")
    (bare,) = extra_pieces(wearer)
    x, y, z = (bare.vertices.max(0) + bare.vertices.min(0)) / 2
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 240), np.linspace(-0.1, 0.1, 80))
    loops = 0.005 * (np.abs((turn + 1.0) % (2 * np.pi / 3) - 1.0) < 0.03)
    radius = 0.14 - 0.2 * height + loops
    grid = np.stack([x + radius * np.sin(turn), y + height, z + radius * np.cos(turn)], 2)
    cone = worn("bottom", sheet(grid, (0.0, 0.0, 1.0, 1.0)), 7)
    (belt,) = extra_pieces(wearer, [cone])
    off = np.hypot(belt.vertices[:, 0] - x, belt.vertices[:, 2] - z) - 0.14 + 0.2 * (belt.vertices[:, 1] - y)
    behind = belt.vertices[:, 2] < z
    assert off.min() > -0.005 and off[behind].max() < 0.0075
    np.testing.assert_allclose((belt.skin_weights * (belt.skin_joints == 7)).sum(1), 1, atol=1e-5)


def test_a_bow_tie_touches_the_collar():
    wearer = person("man", "bow tie")
    (bare,) = extra_pieces(wearer)
    top = bare.vertices[bare.vertices[:, 1].argmax()]
    for ahead in (-0.02, 0.03):
        turn, height = np.meshgrid(np.linspace(-1.2, 1.2, 60), np.linspace(-0.4, 0.0, 90))
        grid = np.stack([0.06 * np.sin(turn), top[1] + height, top[2] + ahead - 0.06 + 0.06 * np.cos(turn)], 2)
        (bow,) = extra_pieces(wearer, [worn("top", sheet(grid, (0.0, 0.0, 1.0, 1.0)))])
        knot = bow.vertices[np.abs(bow.vertices[:, 0]) < 0.004]
        assert abs(knot[:, 2].min() - (top[2] + ahead)) < 0.004


def test_a_felt_crown_has_one_height_at_its_middle():
    """A dent that depended on the direction would tear the top."""
    (piece,) = extra_pieces(person("man", "brimmed hat", detail="full"))
    points = piece.vertices[np.unique(piece.faces)]
    crown = points[points[:, 1] > points[:, 1].max() - 0.04]
    middle = (crown.max(0) + crown.min(0)) / 2
    top = crown[np.hypot(*(crown - middle)[:, [0, 2]].T) < 0.002]
    outer = top[top[:, 1] > (top[:, 1].max() + top[:, 1].min()) / 2]
    assert len(outer) >= 64 and np.ptp(outer[:, 1]) < 0.0005


def test_short_hair_lies_under_the_arms_of_glasses_and_long_hair_over_them():
    wearer = person("woman", "glasses", detail="full")
    (glasses,) = extra_pieces(wearer)
    front, half = glasses.vertices[:, 2].max(), np.ptp(glasses.vertices[:, 0]) / 2
    arm = glasses.vertices[(glasses.vertices[:, 0] > 0.9 * half) & (glasses.vertices[:, 2] < front - 0.5 * half)]
    at = arm[arm[:, 2] > front - 1.2 * half]
    for out, under in ((0.004, True), (0.020, False)):
        grid = at + np.linspace(-0.002, out, 9)[:, None, None] * np.float32([1, 0, 0])
        hair = worn("hair", sheet(grid, (0.0, 0.0, 1.0, 1.0)))
        moved = beside_glasses(hair, glasses).vertices
        beyond = moved[:, 0] - arm[cKDTree(arm[:, 1:]).query(moved[:, 1:])[1], 0]
        assert (beyond.max() < 0.0035) if under else (beyond.max() > 0.015 and beyond.min() > -0.004)
