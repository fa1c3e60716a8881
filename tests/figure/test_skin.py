from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from bozzetto.body.landmarks import face_contours
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.atlas import ISLANDS, skin_atlas, skin_faces, skin_uvs
from bozzetto.figure.eyes import eye_pieces, mouth_pieces
from bozzetto.figure.piece import Person
from bozzetto.figure.skin import resting_expression, skin_material, skin_piece
from bozzetto.figure.spec import BodySpec, Colour, FaceSpec, FigureSpec, Garment, HairSpec
from bozzetto.geometry import vertex_normals

CLOTHES = {"top": Garment("t-shirt", Colour("red", "#c0302b")), "bottom": Garment("jeans", Colour("blue", "#2f5597"))}
NOTHING_HIDDEN = np.zeros(len(load_body().parts["body"].faces), bool)


def person(face=FaceSpec(), hair=HairSpec(), detail="low", **body):  # noqa: B008
    spec = FigureSpec(BodySpec(**({"presentation": "woman"} | body)), face, hair, **CLOTHES)
    return Person(spec, load_body(), shape_person(load_body(), spec.body, spec.face), detail)


def texels(someone, where):
    """Albedo of the skin's texels chosen by a function of position and normal on the mean person."""
    albedo = skin_material(someone).albedo
    atlas = skin_atlas(someone.body, len(albedo))
    values = np.zeros((len(atlas.position), 3))
    values[atlas.lookup.ravel()] = albedo.reshape(-1, 3)
    return values[where(atlas.position, atlas.normal, atlas.island)]


def cheeks_and_forehead(position, normal, island):
    x, y = np.abs(position[:, 0]), position[:, 1]
    skin = ((y > 0.59) & (y < 0.635)) | ((y > 0.675) & (y < 0.7))
    return (island == ISLANDS.index("head")) & (normal[:, 2] > 0.3) & (x < 0.055) & skin


@pytest.mark.parametrize("colour", ["#f6dfd0", "#e0b494", "#c68f6e", "#8a5a3c", "#4e2f22", "#33201a"])
def test_the_face_has_the_colour_asked_for(colour):
    asked = Colour("asked", colour)
    mean = texels(person(FaceSpec(skin=asked)), cheeks_and_forehead).mean(0) / 255
    assert deltaE_ciede2000(rgb2lab(mean), rgb2lab(np.array(asked.srgb))) < 5


def test_no_two_places_of_the_skin_share_a_texel():
    body = load_body()
    corners = skin_uvs(body)[skin_faces(body)].astype(float)
    assert corners.min() > 0 and corners.max() < 1
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    covered = len(skin_atlas(body, 256).position) / 256**2
    assert abs(area - covered) < 0.02  # overlapping triangles would cover less than their area


def test_lips_take_the_lipstick():
    def lips(position, normal, island):
        middle = face_contours(load_body().template.numpy())["lips_outer"][15]
        return (np.linalg.norm(position - middle - (0, 0.004, 0.001), axis=1) < 0.004) & (normal[:, 2] > 0.3)

    plain = texels(person(), lips).mean(0)
    green = texels(person(FaceSpec(lipstick=Colour("green", "#108030"))), lips).mean(0)
    assert plain[0] > plain[1] and green[1] > green[0]


def test_dark_skin_has_lighter_palms():
    def palms(position, normal, island):
        return (island == ISLANDS.index("left_hand")) & (normal[:, 0] < -0.6) & (normal[:, 1] < 0)

    def backs(position, normal, island):
        return (island == ISLANDS.index("left_hand")) & (normal[:, 0] > 0.6)

    someone = person(FaceSpec(skin=Colour("dark", "#4e2f22")))
    assert texels(someone, palms).mean() > 1.25 * texels(someone, backs).mean()


def test_freckles_and_age_show():
    even = texels(person(detail="full"), cheeks_and_forehead).std(0).mean()
    freckled = texels(person(FaceSpec(freckles=1.0), detail="full"), cheeks_and_forehead).std(0).mean()
    assert freckled > 1.15 * even
    young, old = (skin_material(person(detail="full", age=age)).normal for age in (25.0, 80.0))
    assert old is not None and young is not None
    assert old[..., :2].astype(float).std() > 1.1 * young[..., :2].astype(float).std()


def test_hidden_faces_are_left_out():
    hidden = NOTHING_HIDDEN.copy()
    hidden[skin_faces(load_body())[:1000]] = True
    one = person()
    painted = skin_material(one)
    whole, part = skin_piece(one, NOTHING_HIDDEN, painted), skin_piece(one, hidden, painted)
    assert len(whole.faces) - len(part.faces) == 1000
    assert len(part.uvs) == len(part.faces)


def test_pieces_are_whole_and_share_the_expressions():
    someone = person(detail="full")
    pieces = [skin_piece(someone, NOTHING_HIDDEN, skin_material(someone)), *eye_pieces(someone), *mouth_pieces(someone)]
    assert [piece.name for piece in pieces] == ["skin", "eyes", "teeth", "tongue"]
    for piece in pieces:
        assert piece.faces.max() < len(piece.vertices) == len(piece.skin_weights)
        np.testing.assert_allclose(piece.skin_weights.sum(1), 1, atol=1e-3)
        for indices, offsets in piece.expressions.values():
            assert len(indices) == len(offsets) and indices.max() < len(piece.vertices)
    skin, _, teeth, tongue = pieces
    assert len(skin.expressions) >= 50
    # The lower teeth and the tongue drop with the jaw; the upper teeth stay.
    indices, offsets = teeth.expressions["jawOpen"]
    assert teeth.vertices[indices, 1].mean() < teeth.vertices[:, 1].mean() and offsets[:, 1].mean() < -0.01
    assert tongue.expressions["jawOpen"][1][:, 1].mean() < -0.003


def test_eyes_turn_with_their_bones_and_show_a_round_dark_pupil():
    someone = person(FaceSpec(eyes=Colour("blue", "#4a7fb5")), detail="full")
    (eyes,) = eye_pieces(someone)
    names = someone.body.joint_names
    for end, sign in (("L", 1), ("R", -1)):
        mine = eyes.vertices[:, 0] * sign > 0
        chief = eyes.skin_joints[mine, 0]
        assert (chief == names.index(f"eye.{end}")).all()
    picture = eyes.material.albedo.astype(int)
    middle = len(picture) // 2
    assert picture[middle, middle].max() < 30
    iris = picture[middle + int(0.75 * 0.169 * len(picture)), middle]
    assert iris[2] > iris[0]


@pytest.mark.parametrize("age", [6.0, 30.0, 75.0])
def test_eyes_are_neither_startled_nor_shut(age):
    height = float(np.interp(age, (4, 18), (1.05, 1.7)))
    for identity in range(4):
        someone = person(age=age, height=height, identity=identity)
        face = face_contours(someone.vertices)
        iris_top, iris_bottom = face["left_iris"][2, 1], face["left_iris"][4, 1]
        size = iris_top - iris_bottom
        lid = face["left_eye"][3:6, 1].max()
        assert 0.02 < (iris_top - lid) / size < 0.55
        assert face["left_eye"][11:14, 1].min() > iris_bottom - 0.2 * size


def test_people_differ_and_stand_as_tall_as_asked():
    first, second = (person(identity=identity, height=1.72) for identity in (1, 2))
    for someone in (first, second):
        y = someone.vertices[: someone.body.parts["body"].stop, 1]
        assert abs(np.ptp(y) - 1.72) < 2e-3 and abs(y.min()) < 1e-4
    faces = [np.concatenate(list(face_contours(someone.vertices).values())) for someone in (first, second)]
    faces = [points - points.mean(0) for points in faces]
    assert np.linalg.norm(faces[0] - faces[1], axis=1).mean() > 0.0015


def test_resting_expressions_name_shapes_of_the_body():
    known = load_body().expressions
    for expression in ("neutral", "smiling", "laughing", "sad", "angry", "surprised"):
        weights = resting_expression(replace(FaceSpec(), expression=expression))
        assert weights and all(name in known and 0 < weight <= 1 for name, weight in weights.items())


def test_fronts_of_teeth_are_lit_as_one():
    someone, body = person(), load_body()
    teeth = mouth_pieces(someone)[0]
    first, stop = body.parts["upper-teeth"].start, body.parts["lower-teeth"].stop
    normals = vertex_normals(teeth.vertices, teeth.faces)
    corners = teeth.vertices[teeth.faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    front = facing[:, 2] > 0.9
    assert front.sum() > 10
    agree = (normals[teeth.faces[front]] * facing[front, None]).sum(-1)
    assert agree.min() > 0.7  # no front is shaded by the edge below it
    assert len(teeth.vertices) < 2 * (stop - first)  # cut along edges, not into triangles


def test_eyes_do_not_glow_out_of_dark_faces():
    dark, pale = (
        np.quantile(eye_pieces(person(FaceSpec(skin=Colour("some", skin))))[0].material.albedo[..., 1], 0.8)
        for skin in ("#33211b", "#f0d2c1")
    )
    assert 0.6 * pale < dark < 0.9 * pale


def test_stubble_fades_in_upwards():
    """Down the cheek, from none to all of it, no step is more than a third of the whole."""
    heights = np.linspace(0.625, 0.565, 21)
    shades = []
    for high, low in pairwise(heights):

        def cheek(position, normal, island, high=high, low=low):
            x, y, z = np.abs(position[:, 0]), position[:, 1], position[:, 2]
            return (island == ISLANDS.index("head")) & (x > 0.05) & (z > 0.07) & (y < high) & (y > low)

        bare, rough = (
            texels(person(FaceSpec(beard=beard), presentation="man"), cheek).mean()
            for beard in ("moustache", "stubble")
        )
        shades.append(bare - rough)
    assert max(shades) > 15
    assert np.abs(np.diff(shades)).max() < 0.34 * max(shades)
