from dataclasses import replace

import numpy as np
import pytest

from bozzetto.body.model import ShapedBody, load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.atlas import skin_atlas
from bozzetto.figure.extras import extra_pieces
from bozzetto.figure.fitted import mean_person, sheet
from bozzetto.figure.looks import _ball, _blob, _glowing, _parted, _places, _soft_colours, _thinned, nose_tip, restyle
from bozzetto.figure.piece import Person, Piece
from bozzetto.figure.skin import skin_material, skin_piece
from bozzetto.figure.spec import Colour, FigureSpec, Garment
from bozzetto.geometry import edges_of, vertex_normals
from bozzetto.types import Material

WHITE = Material(np.full((2, 2, 3), 255, np.uint8))


def piece_of(points, faces, name="top") -> Piece:
    count = len(points)
    weights, joints = np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)), np.zeros((count, 4), np.int64)
    uvs = np.zeros((len(faces), 3, 2), np.float32)
    return Piece(name, points.astype(np.float32), faces, uvs, weights, joints, WHITE)


def wearing(look, *extras) -> tuple[Person, list[Piece]]:
    """A low-detail person of a look, their skin and extras."""
    body = load_body()
    spec = FigureSpec(look=look, extras=tuple(Garment(kind, Colour("red", "#c0302b")) for kind in extras))
    wearer = Person(spec, body, shape_person(body, spec.body, spec.face), "low")
    hidden = np.zeros(len(body.parts["body"].faces), bool)
    return wearer, [skin_piece(wearer, hidden, skin_material(wearer)), *extra_pieces(wearer)]


def test_a_ball_is_closed_and_lit_without_a_seam():
    points, faces, _ = _ball(np.array([0.1, 0.2, 0.3]), 0.05)
    assert len(points) - len(edges_of(faces)) + len(faces) == 2  # Euler: a sphere, its seam and poles one
    outward = (points - [0.1, 0.2, 0.3]) / 0.05
    assert np.abs((vertex_normals(points, faces) * outward).sum(1)).min() > 0.99


@pytest.mark.parametrize("look", ["marble", "bronze", "wood"])
def test_a_statue_is_cut_from_one_block(look):
    """Texture coordinates are a smooth field in space: one at each vertex, and never far apart along an edge."""
    wearer, pieces = wearing(look, "cap")
    for piece in restyle(wearer, pieces):
        corners, where = piece.uvs.reshape(-1, 2), piece.faces.ravel()
        first = np.zeros((len(piece.vertices), 2), np.float32)
        first[where] = corners
        np.testing.assert_array_equal(first[where], corners)
        ends = edges_of(piece.faces)
        apart = np.abs(first[ends[:, 0]] - first[ends[:, 1]]).max(1)
        length = np.linalg.norm(piece.vertices[ends[:, 0]] - piece.vertices[ends[:, 1]], axis=1)
        assert (apart < 0.02 + 12 * length).all()


def test_the_tip_of_the_nose_leads_the_face():
    body = load_body()
    points = body.template.numpy()[: body.parts["body"].stop]
    tip = points[nose_tip(body)]
    assert abs(tip[0]) < 2e-3
    face = points[points[:, 1] > tip[1] - 0.05]
    assert tip[2] > face[:, 2].max() - 1e-6


def test_places_on_the_template_are_the_atlas_own():
    body = load_body()
    person = replace(mean_person(), shaped=ShapedBody(body.template.numpy(), mean_person().shaped.joints))
    atlas = skin_atlas(body, 128)
    np.testing.assert_allclose(_places(person, atlas), atlas.position, atol=2e-4)


def test_a_blob_is_round_where_the_face_turns_away():
    """On a ball, paint about a point at 50 degrees reaches about as far to all sides along the ball."""
    turn, rise = np.meshgrid(np.linspace(-1.5, 1.5, 301), np.linspace(-1, 1, 201))
    local = np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], -1)
    paint = _blob(local, (np.sin(0.87), 0.0), (0.2, 0.2), 0.1) > 0.5
    right = paint & (turn > 0)
    wide, tall = np.ptp(turn[right]), np.ptp(rise[right])
    assert 0.75 < wide / tall < 1.6
    assert wide < 0.75


def test_sheets_that_meet_along_an_edge_are_parted():
    """Three triangles about one edge: afterwards no edge has more than two."""
    faces = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    owner, parted = _parted(faces)
    np.testing.assert_array_equal(owner[parted], faces)
    _, times = np.unique(
        np.sort(np.concatenate([parted[:, :2], parted[:, 1:], parted[:, [0, 2]]]), 1), axis=0, return_counts=True
    )
    assert times.max() <= 2


def test_few_facets_keep_hems_and_form():
    """An open tube of 0.1 m: a tenth of the faces, both hems level within 2 mm, no point 5 mm off the tube."""
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 120, endpoint=False), np.linspace(0, 0.6, 80), indexing="xy")
    tube = sheet(np.stack([0.1 * np.sin(turn), height, 0.1 * np.cos(turn)], 2), (0.0, 0.0, 1.0, 1.0), closed=True)
    piece = piece_of(tube.vertices, tube.faces)
    thin, faces, uvs = _thinned(piece)
    assert len(uvs) == len(faces) < len(tube.faces) / 10
    points = thin.vertices[np.unique(faces)]
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 2]), 0.1, atol=5e-3)
    ends = np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, [0, 2]]]), 1)
    edge, times = np.unique(ends, axis=0, return_counts=True)
    hem = thin.vertices[np.unique(edge[times == 1]), 1]
    assert (np.minimum(np.abs(hem), np.abs(hem - 0.6)) < 2e-3).all()
    whole, same, _ = _thinned(replace(piece, name="sunglasses"))
    assert whole.name == "sunglasses" and len(same) == len(tube.faces)


@pytest.mark.parametrize("extras", [(), ("cap",)])
def test_animal_ears_grow_out_of_the_head(extras):
    """No ear ends in the air: its open rim lies inside the head."""
    wearer, pieces = wearing("snouted", *extras)
    ears = restyle(wearer, pieces)[-1]
    assert ears.name == "ears"
    ends = np.sort(np.concatenate([ears.faces[:, :2], ears.faces[:, 1:], ears.faces[:, [0, 2]]]), 1)
    edge, times = np.unique(ends, axis=0, return_counts=True)
    rim = ears.vertices[np.unique(edge[times == 1])]
    skin = wearer.vertices[: wearer.body.parts["body"].stop]
    crown = skin[:, 1].max()
    side = np.abs(skin[skin[:, 1] > wearer.joint("eye.L")[1]][:, 0]).max()
    assert len(rim) and rim[:, 1].max() < crown - 0.01 and np.abs(rim[:, 0]).max() < side


def test_soft_colours_keep_the_edges_of_a_pattern():
    """Dots stay dots: nine tenths of their texels keep their colour. Grain alone becomes one colour."""
    y, x = np.mgrid[:1024, :1024] // 24 % 2
    dots = np.where((x & y)[..., None] == 1, [220, 40, 40], [240, 230, 200]).astype(np.uint8)
    soft = _soft_colours(dots)
    assert (np.abs(soft.astype(int) - dots).max(2) < 40).mean() > 0.9
    grain = np.clip(120 + np.random.default_rng(0).normal(0, 6, (1024, 1024, 3)), 0, 255).astype(np.uint8)
    assert _soft_colours(grain).shape == (2, 2, 3)


def test_hair_of_a_statue_has_its_metal():
    wearer, (skin, *_) = wearing("bronze")
    body, hair = restyle(wearer, [skin, piece_of(skin.vertices, skin.faces, "hair")])
    column, row = (body.uvs.reshape(-1, 2) % 1 * 255).astype(int).T
    metal = body.material.albedo[row % len(body.material.albedo), column].mean(0)
    strands = hair.material.albedo[..., :3].mean((0, 1))
    np.testing.assert_allclose(strands / strands.sum(), metal / metal.sum(), atol=0.04)
    assert hair.material.metallic == body.material.metallic


def test_a_robot_with_a_hat_has_no_antennae_through_its_brim():
    tall, short = (restyle(*wearing("robot", *extras))[-1] for extras in ((), ("brimmed hat",)))
    assert tall.name == short.name == "antennae"
    assert short.vertices[:, 1].max() < tall.vertices[:, 1].max() - 0.05


def test_a_glint_makes_no_hole_in_a_glowing_eye():
    y, x = np.mgrid[:256, :256] - 127.5
    eye = np.where((np.hypot(x, y) < 60)[..., None], 30, 225) * np.ones(3)
    eye[np.hypot(x, y + 30) < 10] = 255
    lit = _glowing(Material(eye.astype(np.uint8)), np.array([0.2, 1.0, 0.2])).albedo
    assert (lit[np.hypot(x, y) < 56, 1] > 200).all() and (lit[np.hypot(x, y) > 70, 1] < 60).all()


@pytest.mark.parametrize("look", ["clay", "toon"])
@pytest.mark.parametrize("plain", [True, False])
def test_soft_looks_keep_the_folds_of_what_is_worn(look, plain):
    """Plain or printed, cloth shows the folds it had, a wave of 256 texels, and not its weave, one of 4."""
    wearer, (skin, *_) = wearing(look)
    x = np.arange(1024) * 2 * np.pi
    slope = 0.3 * np.cos(x / 256) + 0.3 * np.cos(x / 4)
    vectors = np.stack([-slope, 0 * slope, np.ones(1024)], 1)
    normal = np.tile(vectors / np.linalg.norm(vectors, axis=1)[:, None] * 127 + 128.5, (1024, 1, 1)).astype(np.uint8)
    albedo = np.full((1024, 1024, 3), 120, np.uint8)
    albedo[::2, :512] = albedo[::2, :512] if plain else 250
    top = replace(piece_of(skin.vertices, skin.faces, "top"), material=Material(albedo, normal))
    relief = next(piece for piece in restyle(wearer, [skin, top]) if piece.name == "top").material.normal
    assert relief is not None
    drawn = relief[len(relief) // 2].astype(float) - 128
    wanted = -0.3 * np.cos(np.linspace(0, 2 * np.pi * 4, len(drawn), endpoint=False))
    assert np.abs(drawn[:, 0] / drawn[:, 2] - wanted).max() < 0.06
