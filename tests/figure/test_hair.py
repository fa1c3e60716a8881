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
from bozzetto.figure.hair import _few_in_front, face_hair_pieces, hair_pieces, over_clothes
from bozzetto.figure.haircuts import STYLES
from bozzetto.figure.piece import Detail, Person, Piece
from bozzetto.figure.scalp import hairline, mask_at_vertices, scalp
from bozzetto.figure.spec import BodySpec, Colour, FaceSpec, FigureSpec, Garment, HairSpec, HairStyle
from bozzetto.figure.strands import Ears, grow, ribbons, strands, surface
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
    round_ = style == "curly" and detail == "full"  # its locks have all sides, of fewer points than strips
    assert 500 < len(piece.faces) <= (42_000 if round_ else most)
    assert len(piece.vertices) < 1.2 * most
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


@pytest.mark.parametrize("style", ["short", "side part", "slicked back", "pixie", "ponytail", "braids"])
@pytest.mark.parametrize("body", BODIES)
def test_hair_goes_around_the_ears(style: str, body: str):
    person = someone(style, body, seed=6)
    ear = person.vertices[np.flatnonzero(mask_at_vertices("ears"))]
    low, high = np.quantile(ear[:, 1:], (0.1, 0.9), axis=0)
    points = hair(person).vertices
    # What lies before the ear where it is widest, seen from the side.
    off = np.abs(points[:, 0]) > np.quantile(np.abs(ear[:, 0]), 0.3)
    on = off & (points[:, 1:] > low + 0.25 * (high - low)).all(1) & (points[:, 1:] < high - 0.25 * (high - low)).all(1)
    assert not on.any()


def test_strands_slide_along_the_ear_and_leave_it_alone():
    grid = np.stack(np.meshgrid(*[np.linspace(-0.3, 0.3, 31)] * 2), -1).reshape(-1, 2)
    wall = np.concatenate([np.full((len(grid), 1), 0.07), grid], 1)
    low, high = np.array([-0.1, -0.3, -0.3]), np.array([0.3, 0.3, 0.3])
    field = surface(wall, np.tile([1.0, 0.0, 0.0], (len(wall), 1)), low, high, 0.02)
    roots = np.stack([np.full(9, 0.07), np.linspace(0.008, 0.025, 9), np.full(9, 0.1)], 1)
    seeds = strands(
        roots, np.tile([1.0, 0, 0], (9, 1)), np.tile([0, 0, -1.0], (9, 1)), length=0.2, gravity=0.0
    )  # fmt: skip
    ears = Ears(np.zeros(2), np.diag([1 / 0.03, 1 / 0.02]), 0.05)
    through, around = grow(field, seeds, 20)[0], grow(field, seeds, 20, ears=ears)[0]
    assert ears.at(through).min() < 0.3
    assert ears.at(around).min() > 0.75
    assert (around[:, -1, 2] < -0.05).all()  # it goes on behind


def test_the_layer_under_the_hair_reaches_into_it():
    """Where hair is high, so that no light falls through it; under flat hair it stays flat."""

    def height(style: str) -> float:
        person, place = someone(style, "woman", seed=8), scalp()
        count = len(place.cap_points)
        away = hair(person).vertices[:count] - person.vertices[place.cap_ends].mean(1)
        return float(np.median(np.linalg.norm(away, axis=1)[place.cap_inside > 0.06]))

    assert height("slicked back") > 0.0058  # its least is 0.0045
    assert height("buzz") < 0.003


def test_strands_have_no_corners():
    person = someone("pigtails", seed=1)
    points = hair(person).vertices
    far = np.abs(points[:, 0]) > 0.11
    assert far.sum() > 100  # the tails
    seeds = strands(
        np.array([[0.0, 0.6, 0.2]]), np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 0.0, 1.0]]),
        length=0.3, lift=0.0, gravity=0.85, comb=0.8, fade=0.035, hug=0.0, turn=0.8,
    )  # fmt: skip
    ground = np.stack(np.meshgrid(np.linspace(-0.3, 0.3, 13), [-1.0], np.linspace(-0.3, 0.6, 19)), -1).reshape(-1, 3)
    field = surface(
        ground, np.tile([0.0, 1.0, 0.0], (len(ground), 1)), np.array([-0.3, -1, -0.3]), np.array([0.3, 0.9, 0.6]), 0.1
    )
    line = grow(field, seeds, 20)[0][0].astype(np.float64)
    along = np.diff(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    assert np.degrees(np.arccos(np.clip((along[1:] * along[:-1]).sum(1), -1, 1))).max() < 26


def test_locks_end_in_points():
    line = np.stack([np.zeros(8), -np.linspace(0, 0.2, 8), np.zeros(8)], 1)[None].astype(np.float32)
    away = np.tile(np.float32([0, 0, 1]), (1, 8, 1))
    one = np.ones(1)
    strip = ribbons(line, away, 0.01 * one, 0 * one, 0.8 * one, np.array([0])).vertices.reshape(8, 2, 3)
    wide = np.linalg.norm(strip[:, 0] - strip[:, 1], axis=1)
    assert wide[-2] > 0.008 and wide[-1] < 0.002


def test_hair_is_seen_from_outside_and_what_hangs_from_within_too_lit_as_its_outer_side():
    """No undersides stand dark behind the crown, and no inner side of a curtain is black."""

    def from_within(style: str) -> tuple[int, int]:
        """Faces seen from within, and those of them beside the eyes."""
        person = someone(style, seed=3)
        piece = hair(person)
        assert not piece.material.double_sided
        a, b, c = (piece.vertices[piece.faces[:, k]] for k in range(3))
        shading = vertex_normals(piece.vertices, piece.faces)[piece.faces].mean(1)
        within = (np.cross(b - a, c - a) * shading).sum(1) < 0
        outward = ((a + b + c) / 3 - person.joint("head")) * [1, 0, 1]
        assert ((shading * outward).sum(1)[within] > 0).mean() > 0.99
        eye = (person.joint("eye.L") + person.joint("eye.R")) / 2
        x, y, z = ((a + b + c) / 3 - eye).T
        beside = (abs(x) > 0.05) & (abs(y) < 0.03) & (z > -0.07) & (z < 0.01)
        return int(within.sum()), int((within & beside).sum())

    assert from_within("long straight")[0] > from_within("short")[0] + 800
    for style in ("bob", "shoulder", "long straight"):
        assert from_within(style)[1] > from_within("short")[1] + 15


@pytest.mark.parametrize("seed", [2, 5])
def test_no_curl_floats_beside_the_head(seed: int):
    from skimage.measure import label

    person = someone("curly", seed=seed)
    seen = layer(hair(person))
    for azimuth in (10, 55, 190):
        cameras = orbit([azimuth], [2.0], 1.6, person.joint("head"), 24, 256, 256)
        alpha = render_mesh(scene_from_layers([seen]), cameras, supersample=1).alpha[0, :, :, 0].numpy() > 0.5
        parts = np.bincount(np.asarray(label(alpha)).ravel())[1:]
        assert parts.max() > 3_000
        assert parts.sum() == parts.max()


def test_a_tail_has_no_gaps():
    from scipy.ndimage import binary_fill_holes

    person = someone("ponytail", "woman", seed=5)
    piece = hair(person)
    behind = (piece.vertices[:, 2] < person.joint("head")[2] - 0.12)[piece.faces].all(1)
    tail = replace(piece, faces=piece.faces[behind], uvs=piece.uvs[behind])
    middle = piece.vertices[piece.faces[behind]].mean((0, 1))
    for azimuth in (90, 135, 180):
        seen = render_mesh(
            scene_from_layers([layer(tail)]), orbit([azimuth], [0.0], 1.0, middle, 24, 192, 192), supersample=1
        ).alpha[0, :, :, 0].numpy() > 0.5  # fmt: skip
        assert seen.sum() > 300
        assert binary_fill_holes(seen).sum() < 1.02 * seen.sum()


@pytest.mark.parametrize("style", ["bob", "shoulder", "long straight", "long wavy", "dreadlocks", "ponytail"])
def test_long_hair_goes_into_hoods_and_scarves(style: str):
    def lowest_behind(**worn: Any) -> float:
        person = someone(style, seed=6)
        person = replace(person, spec=replace(person.spec, **worn))
        points, neck = hair(person).vertices, person.joint("neck01")
        return float(points[points[:, 2] < neck[2] - 0.02, 1].min() - neck[1])

    hoodie, scarf = (Garment(kind, Colour("red", "#c0302b")) for kind in ("hoodie", "scarf"))
    assert lowest_behind(top=hoodie) > -0.02
    assert lowest_behind(extras=(scarf,)) > -0.005
    if style.startswith("long") or style == "ponytail":
        assert lowest_behind() < -0.06


def test_a_lock_on_the_chest_has_enough_strands():
    line = np.stack([np.full(6, 0.06), np.linspace(0.7, 0.4, 6), np.full(6, 0.1)], 1)
    few, many = line * [-1, 1, 1] * np.ones((5, 1, 1)), line * np.ones((30, 1, 1))
    assert _few_in_front(np.concatenate([few, many]), 24).tolist() == [True] * 5 + [False] * 30


@pytest.mark.parametrize("body", BODIES)
def test_braids_begin_on_the_scalp(body: str):
    points, place = hair(someone("braids", body)).vertices, scalp()
    count = len(place.cap_points)
    under = points[:count][place.cap_inside > 0.002]
    assert np.linalg.norm(under - points[count], axis=1).min() < 0.02


def test_a_moustache_ends_in_points():
    heights = np.linspace(0.56, 0.61, 200)

    def high(x: float) -> float:
        return float((beard_region(np.stack([0 * heights + x, heights, 0 * heights + 0.12], 1), "moustache") > 0).sum())

    assert high(0.010) > 2.5 * high(0.0315) > 0
    assert high(0.034) == 0


def test_hair_on_cloth_moves_with_it():
    person = someone("long straight")
    piece = hair(person)
    arm = person.body.joint_names.index("upperarm01.L")
    behind = piece.vertices[(piece.vertices[:, 2] < -0.06) & (piece.vertices[:, 1] < 1.2)]
    low, high = behind.min(0) - 0.02, behind.max(0) + 0.02
    x, y = np.meshgrid(np.linspace(low[0], high[0], 30), np.linspace(low[1], high[1], 30), indexing="ij")
    sheet = np.stack([x, y, np.full_like(x, behind[:, 2].mean())], -1).reshape(-1, 3).astype(np.float32)
    number = np.arange(900).reshape(30, 30)
    a, b, c, d = (k.ravel() for k in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]))
    faces = np.concatenate([np.stack([c, b, a], 1), np.stack([d, c, a], 1)])
    weights, joints = np.tile(np.float32([1, 0, 0, 0]), (900, 1)), np.full((900, 4), arm)
    out = over_clothes(
        person, piece, [Piece("top", sheet, faces, np.zeros((len(faces), 3, 2)), weights, joints, piece.material)]
    )
    held = (out.skin_weights * (out.skin_joints == arm)).sum(1)
    on = np.abs(out.vertices[:, 2] - sheet[0, 2]) < 0.012
    on &= (out.vertices[:, :2] > low[:2] + 0.03).all(1) & (out.vertices[:, :2] < high[:2] - 0.03).all(1)
    assert on.sum() > 100 and held[on].min() > 0.9
    assert held[out.vertices[:, 1] > person.joint("neck01")[1]].max() < 1e-6


def test_grey_hairs_differ_little():
    albedo = hair(someone("ponytail", colour="#6c6b6a")).material.albedo.astype(float)
    strip = albedo[600, :, 1][albedo[600, :, 3] > 127] / 255
    assert 0.02 < strip.std() < 0.055


def test_brows_of_the_dyed_leave_no_tint_on_the_skin():
    from bozzetto.figure.skin import skin_material

    def picture(colour: str, brows: str = "full") -> np.ndarray:
        return skin_material(someone("bald", detail="low", colour=colour, brows=brows)).albedo.astype(int)

    under = np.abs(picture("#2f8443") - picture("#2f8443", "thin")).max(-1) > 4
    assert under.sum() > 20
    assert np.abs(picture("#2f8443") - picture("#2a5fd0"))[under].max() <= 4
