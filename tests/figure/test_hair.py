"""Hair: covers the scalp, spares the face, follows skin, hats and colours."""

from dataclasses import replace
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
import torch

from bozzetto.body.landmarks import face_contours
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.face_hair import beard_region
from bozzetto.figure.hair import STYLES, face_hair_pieces, hair_pieces, hairline, over_clothes, scalp
from bozzetto.figure.piece import Detail, Person, Piece
from bozzetto.figure.spec import BodySpec, Colour, FaceSpec, FigureSpec, Garment, HairSpec, HairStyle
from bozzetto.geometry import vertex_normals
from bozzetto.render.cameras import orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers
from bozzetto.types import Layer, Material, Mesh, srgb_to_linear

BODIES = {
    "woman": BodySpec(presentation="woman", height=1.66, identity=3),
    "man": BodySpec(presentation="man", height=1.82, identity=8, weight=0.8),
    "child": BodySpec(age=6.0, height=1.16, identity=5),
}
DRESSED: dict[str, Any] = {
    "top": Garment("t-shirt", Colour("red", "#c0302b")),
    "bottom": Garment("jeans", Colour("blue", "#2f5597")),
}


@cache
def shaped(body: str):
    return shape_person(load_body(), BODIES[body], FaceSpec())


def someone(
    style: str, body: str = "woman", detail: Detail = "full", seed: int = 0, colour: str = "#5a3825", **face: Any
):
    hair = HairSpec(style, Colour("some", colour))  # type: ignore[arg-type]
    spec = FigureSpec(body=BODIES[body], face=FaceSpec(**face), hair=hair, seed=seed, **DRESSED)
    return Person(spec, load_body(), shaped(body), detail)


def hair(person: Person, covered: float | None = None) -> Piece:
    (piece,) = hair_pieces(person, covered)
    return piece


def layer(piece: Piece) -> Layer:
    return Layer(
        piece.name, Mesh(torch.from_numpy(piece.vertices), torch.from_numpy(piece.faces), torch.from_numpy(piece.uvs)),
        torch.from_numpy(piece.skin_weights), torch.from_numpy(piece.skin_joints), piece.material,
    )  # fmt: skip


def lab(srgb: np.ndarray) -> np.ndarray:
    from skimage.color import rgb2lab

    return rgb2lab(srgb.reshape(1, 1, 3)).ravel()


def test_every_style_is_made_and_the_bald_have_none():
    assert set(STYLES) | {"bald"} == set(get_args(HairStyle))
    assert hair_pieces(someone("bald")) == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("detail", "most"), [("full", 28_000), ("low", 4_000)])
def test_pieces_are_whole_and_within_their_budget(style: str, detail: Detail, most: int):
    piece = hair(someone(style, "man", detail))
    assert 500 < len(piece.faces) <= most
    assert np.isfinite(piece.vertices).all() and np.isfinite(piece.uvs).all()
    assert piece.faces.min() >= 0 and piece.faces.max() < len(piece.vertices)
    np.testing.assert_allclose(piece.skin_weights.sum(1), 1, atol=1e-5)
    assert (piece.material.normal is None) == (detail == "low")


@pytest.mark.parametrize(("number", "style"), list(enumerate(STYLES)))
def test_the_scalp_does_not_shine_through(number: int, style: str):
    person = someone(style, list(BODIES)[number % 3], seed=number)
    part = person.body.parts["body"]
    template = person.body.template.numpy()
    deep = np.zeros(part.stop, bool)
    deep[scalp().fit] = hairline(template[scalp().fit]) > 0.014
    bare = deep[part.faces].all(1)
    grey = Material(np.full((2, 2, 3), 200, np.uint8))
    skin = Piece(
        "body",
        person.vertices,
        part.faces[~bare],
        part.uvs[~bare],
        person.body.skin_weights,
        person.body.skin_joints,
        grey,
    )
    crown = replace(skin, name="scalp", faces=part.faces[bare], uvs=part.uvs[bare])
    cameras = orbit(
        [0, 45, 90, 135, 180, 225, 270, 315],
        [10.0] * 8,
        1.2,
        person.joint("head") + np.array([0, 0.07, 0]),
        25,
        128,
        128,
    )

    def seen(*pieces: Piece) -> int:
        scene = scene_from_layers([layer(piece) for piece in pieces])
        return int((render_mesh(scene, cameras, supersample=1).layer == 1).sum())

    assert seen(skin, crown, hair(person)) < 0.01 * seen(skin, crown)


@pytest.mark.parametrize(("number", "style"), list(enumerate(STYLES)))
def test_no_strand_hangs_before_the_eyes(number: int, style: str):
    person = someone(style, list(BODIES)[(number + 1) % 3], seed=4)
    contours = face_contours(person.vertices)
    points = hair(person).vertices
    for name in ("left_eye", "right_eye", "lips_outer"):
        low, high = contours[name].min(0), contours[name].max(0)
        inside = (points[:, :2] > low[:2]).all(1) & (points[:, :2] < high[:2]).all(1)
        assert not (inside & (points[:, 2] > low[2])).any()


@pytest.mark.parametrize("style", STYLES)
def test_hats_press_the_hair_flat(style: str):
    person = someone(style, "woman", seed=2)
    points = hair(person, 0.45).vertices
    template = person.body.template.numpy()
    ceiling = 0.572 + 0.45 * (0.752 - 0.572)
    above = template[scalp().fit][:, 1] > ceiling + 0.02
    height = person.vertices[scalp().fit][above][:, 1].min() + 0.02
    from scipy.spatial import cKDTree

    part = person.body.parts["body"]
    corners = person.vertices[part.faces[(template[part.faces][..., 1] > 0.55).all(1)]]
    dense = np.concatenate([corners.mean(1), *corners.transpose(1, 0, 2)])
    far = cKDTree(dense).query(points[points[:, 1] > height])[0]
    assert len(far) > 50
    assert np.quantile(far, 0.99) < 0.015


@pytest.mark.parametrize(
    "colour", ["#14110f", "#5a3825", "#d8b271", "#8a8a8c", "#e9e6e0", "#a33b1e", "#2a5fd0", "#e86fb0"]
)
def test_the_texture_has_the_asked_colour(colour: str):
    from skimage.color import deltaE_ciede2000

    for detail in ("full", "low"):
        piece = hair(someone("short", detail=detail, colour=colour))
        albedo = piece.material.albedo
        mean = albedo[albedo[..., 3] > 127][:, :3].mean(0) / 255
        assert deltaE_ciede2000(lab(mean), lab(np.array(Colour("", colour).srgb))) < 6


def test_hair_hangs_from_the_head_and_lies_on_the_chest():
    person = someone("long straight", seed=3)
    piece = hair(person)
    head = person.body.joint_names.index("head")
    share = (piece.skin_weights * (piece.skin_joints == head)).sum(1)
    brow = face_contours(person.vertices)["left_brow"][:, 1].mean()
    assert (share[piece.vertices[:, 1] > brow] > 0.999).all()
    low = piece.vertices[:, 1] < person.joint("spine01")[1]
    assert low.sum() > 100 and (share[low] < 1e-6).all()


def test_seeds_change_the_cut_and_nothing_else_does():
    one, again, other = (hair(someone("bob", seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.vertices, again.vertices)
    assert one.vertices.shape != other.vertices.shape or np.abs(one.vertices - other.vertices).max() > 0.005


def by_name(person: Person) -> dict[str, Piece]:
    return {piece.name: piece for piece in face_hair_pieces(person)}


def moved(piece: Piece, name: str) -> np.ndarray:
    out = np.zeros_like(piece.vertices)
    indices, offsets = piece.expressions[name]
    out[indices] = offsets
    return out


def test_faces_wear_brows_and_lashes_and_men_their_beards():
    assert set(by_name(someone("bald"))) == {"brows", "lashes"}
    assert set(by_name(someone("bald", "man", beard="stubble"))) == {"brows", "lashes"}
    for style in ("moustache", "goatee", "short", "full", "long"):
        for detail in ("full", "low"):
            beard = by_name(someone("bald", "man", detail, beard=style))["beard"]
            np.testing.assert_allclose(beard.skin_weights.sum(1), 1, atol=1e-5)
            assert np.isfinite(beard.vertices).all()


def test_brows_lie_on_the_brow_ridge():
    person = someone("bald", "child")
    piece = by_name(person)["brows"]
    ridge = face_contours(person.vertices)
    points = np.concatenate([ridge["left_brow"], ridge["right_brow"]])
    far = np.linalg.norm(piece.vertices[:, None] - points, axis=2).min(1)
    assert far.max() < 0.014
    assert abs(piece.vertices[:, 0].mean()) < 0.002


def test_a_raised_brow_carries_its_hairs():
    piece = by_name(someone("bald"))["brows"]
    left = piece.vertices[:, 0] > 0
    up = moved(piece, "browOuterUpLeft")
    assert up[left, 1].max() > 0.003
    assert np.abs(up[~left]).max() < 0.002


def test_an_opening_jaw_takes_the_chin_beard_and_leaves_the_moustache():
    person = someone("bald", "man", beard="full")
    piece = by_name(person)["beard"]
    down = -moved(piece, "jawOpen")[:, 1]
    lips = face_contours(person.vertices)["lips_outer"]
    centre = np.abs(piece.vertices[:, 0]) < 0.01
    under = lips[:, 1].min() - piece.vertices[:, 1]
    chin = centre & (under > 0.012) & (under < 0.025) & (piece.vertices[:, 2] > lips[:, 2].min())
    lip = centre & (piece.vertices[:, 1] > lips[:, 1].max() + 0.004)
    assert chin.sum() > 20 and lip.sum() > 20
    assert down[chin].min() > 0.005 and down[lip].max() < 0.25 * down[chin].max()


def test_a_blink_lowers_the_upper_lashes():
    person = someone("bald")
    piece = by_name(person)["lashes"]
    down = -moved(piece, "eyeBlinkLeft")[:, 1]
    eye = face_contours(person.vertices)["left_eye"]
    upper = (piece.vertices[:, 0] > 0) & (piece.vertices[:, 1] > eye[:, 1].mean() + 0.002)
    assert down[upper].mean() > 0.004
    assert np.abs(down[piece.vertices[:, 0] < 0]).max() < 1e-3


def test_lips_stay_free_of_beards():
    template = load_body().template.numpy()
    lips = face_contours(template)["lips_outer"]
    middle = lips.mean(0)
    for style in ("moustache", "goatee", "short", "full", "long"):
        assert (beard_region(middle + 0.9 * (lips - middle), style) < 0).all()  # type: ignore[arg-type]
    assert beard_region(np.array([[0.0, 0.545, 0.138]]), "goatee")[0] > 0
    assert beard_region(np.array([[0.0, 0.545, 0.138]]), "moustache")[0] < 0


def test_dyed_hair_leaves_the_brows_brown():
    albedo = by_name(someone("bald", colour="#2a5fd0"))["brows"].material.albedo
    red, _, blue = srgb_to_linear(albedo[..., :3].reshape(-1, 3).mean(0) / 255)
    assert red > blue


@pytest.mark.parametrize("style", ["shoulder", "long straight", "long wavy"])
@pytest.mark.parametrize("body", BODIES)
def test_long_hair_hangs_by_the_neck_and_not_beyond_the_shoulders(style: str, body: str):
    person = someone(style, body, seed=5)
    points = hair(person).vertices
    low = points[points[:, 1] < person.joint("neck01")[1]]
    width = np.ptp(face_contours(person.vertices)["oval"][:, 0])
    assert len(low) > 100
    assert np.quantile(np.abs(low[:, 0]), 0.99) < 1.0 * width


def test_the_layer_under_pale_hair_is_nearly_as_pale():
    from bozzetto.figure.strands import CAP_ROWS

    for colour, least in (("#e9e6e0", 0.80), ("#d8b271", 0.65)):
        albedo = hair(someone("bob", colour=colour)).material.albedo
        under = albedo[: int(len(albedo) * CAP_ROWS)]
        darkest = np.quantile(under[under[..., 3] > 127][:, 1], 0.05)
        assert darkest > least * Colour("", colour).srgb[1] * 255


def test_lashes_of_men_and_children_are_short():
    reach = {}
    for body in BODIES:
        person = someone("bald", body)
        eyes = face_contours(person.vertices)["left_eye"]
        lashes = by_name(person)["lashes"].vertices
        reach[body] = (lashes[:, 2].max() - eyes[:, 2].max()) / np.ptp(eyes[:, 0])
    assert max(reach["man"], reach["child"]) < 0.75 * reach["woman"]


def test_hair_falls_over_collars():
    person = someone("long straight")
    high = np.array([[x, y, z] for x in np.linspace(-0.2, 0.2, 60) for y in np.linspace(1.1, 1.5, 60) for z in (0.0,)])
    piece = hair(person)
    behind = piece.vertices[(piece.vertices[:, 2] < -0.06) & (piece.vertices[:, 1] < 1.3)]
    high[:, 2] = behind[:, 2].mean() - 0.005  # a wall that half of what hangs behind is in
    number = np.arange(3600).reshape(60, 60)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate([np.stack([k.ravel() for k in t], 1) for t in ((c, b, a), (d, c, a))])
    weights, joints = np.full((3600, 4), 0.25, np.float32), np.zeros((3600, 4), np.int64)
    uvs = np.zeros((len(faces), 3, 2), np.float32)
    wall = Piece("top", high.astype(np.float32), faces, uvs, weights, joints, piece.material)
    assert vertex_normals(wall.vertices, wall.faces)[:, 2].max() < -0.9
    out = over_clothes(person, piece, [wall])

    def within(vertices):
        inner = (np.abs(vertices[:, :2] - [0, 1.3]) < [0.17, 0.17]).all(1) & (vertices[:, 2] < -0.06)
        return int((inner & (vertices[:, 2] > high[0, 2] - 0.003) & (vertices[:, 2] < high[0, 2] + 0.025)).sum())

    assert within(piece.vertices) > 500
    assert within(out.vertices) < 0.02 * within(piece.vertices)
    np.testing.assert_array_equal(
        out.vertices[piece.vertices[:, 1] > 1.55], piece.vertices[piece.vertices[:, 1] > 1.55]
    )
