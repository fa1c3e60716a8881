"""Photos in several poses on one figure: each place takes the colour of the photo that shows it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bozzetto.body.landmarks import FACE_MESH, face_contours
from bozzetto.figure.build import build_figure, posture_named
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.recipes import projected
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.person import plain_colours
from bozzetto.recipes.projected import (
    Mine,
    Placed,
    aligned,
    allowed,
    combined,
    evenly_lit,
    matched,
    on_its_face,
    paint,
    placed,
    rigid,
    solid,
)
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Face, Keypoints, Photo
from bozzetto.subject.piles import Sorted, Square
from bozzetto.texture.bake import Baked
from bozzetto.texture.fuse import rising
from bozzetto.texture.views import Surface, look
from bozzetto.types import linear_to_srgb, srgb_to_linear

SPEC = FigureSpec(
    hair=HairSpec("bald"), top=Garment("t-shirt", colour("grey")), bottom=Garment("trousers", colour("navy")),
    pose="a-pose",
)  # fmt: skip
TRUTH = replace(SPEC, top=Garment("t-shirt", colour("green")))
WALK = HumanSGD(size=128, fusion_steps=0, texels=256)


@pytest.fixture(scope="module")
def figure():
    return build_figure(SPEC, "low")


@pytest.fixture(scope="module")
def photos(figure):
    """Somebody in green, from the front with arms out and from behind with arms down."""
    truth, found = build_figure(TRUTH, "low"), []
    for pose, turn in (("a-pose", 0.0), ("standing", 180.0)):
        stance = stand(truth, pose)
        camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 200)
        picture = plain_colours(stance.scene, camera)
        mask = render_mesh(stance.scene, camera, None).alpha[0, ..., 0].numpy()
        keys = Keypoints(np.full((33, 2), 100.0), np.ones(33), np.zeros((33, 3)))
        photo = Photo(Path(f"{pose}.png"), picture, mask, keys, None, "full body", (), pose)
        one = Sorted(photo, photo.path.name, Square(0, 0, 200), None, turn, turn, "")
        fitted = Fitted(SPEC, posture_named(pose), camera, stance.body, np.zeros((1, 3)), 0.0, 1.0, ())
        found.append((one, fitted))
    return found


@pytest.fixture(scope="module", autouse=True)
def same_ground():
    """Fitted bodies here stand where the figure does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fitted, "cameras_on", lambda self, body: self.cameras)
        yield


@pytest.fixture(scope="module")
def found(figure, photos):
    return [placed(one, fitted, figure) for one, fitted in photos]


def painted(figure, found, mine):
    steps = paint(figure, figure, found, "a person", mine, WALK)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def shirt(figure, avatar, turn):
    """The colour the shirt is seen in."""
    stance = stand(replace(figure, avatar=avatar), "a-pose")
    camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 128)
    layer = render_mesh(stance.scene, camera, None).layer[0].numpy()
    return np.median(plain_colours(stance.scene, camera)[layer == list(stance.scene.names).index("top")], 0)


def test_a_photo_in_another_pose_paints_the_back(figure, found):
    assert all(each.why_not is None and each.overlap > 0.95 for each in found)
    both = painted(figure, found, Mine())
    alone = painted(figure, found[:1], Mine())
    green = np.array(colour("green").srgb)
    for turn in (0.0, 180.0):
        assert np.abs(shirt(figure, both.avatar, turn) - green).max() < 0.1
    assert (both.known > 0.5).sum() > 1.5 * (alone.known > 0.5).sum()
    assert "top" in both.layers and both.known.shape == both.avatar.layer("top").material.albedo.shape[:2]


def test_what_the_words_changed_is_not_painted(figure, found):
    made = painted(figure, found, Mine(but=frozenset({"top"})))
    assert np.abs(shirt(figure, made.avatar, 0.0) - np.array(colour("grey").srgb)).max() < 0.1


def test_pixels_are_allowed_where_the_figure_wears_what_the_photo_shows(figure, found):
    may = allowed(
        found[0], build_figure(replace(SPEC, bottom=Garment("shorts", colour("navy"))), "low"), Mine(face=False)
    )
    low = found[0].stance.head[0, 1]
    everything = allowed(found[0], figure, Mine())
    assert everything.all()
    rows = np.flatnonzero(may.any(1))
    person = np.flatnonzero((found[0].one.photo.mask > 0.5).any(1))
    assert rows.min() > person.min() + 10, "no head"
    shins = slice(int(0.75 * person.max()), int(0.88 * person.max()))
    assert may[shins].sum() < 0.1 * (found[0].one.photo.mask[shins] > 0.5).sum() and low > 1


def test_a_collar_that_the_photo_has_on_the_neck_is_not_painted_there(figure, found):
    """The person's collar is higher than the figure's."""
    each = found[0]
    scene, photo = each.stance.scene, each.one.photo
    seen = look(Surface(scene.vertices, scene.faces, scene.coverage), each.camera)
    top = seen.hit & (scene.layer[seen.face] == list(scene.names).index("top"))
    skin = seen.hit & (scene.layer[seen.face] == list(scene.names).index("skin"))
    rows, columns = np.indices(top.shape)
    collar = rows[top & (abs(columns - columns[top].mean()) < 5)].min()
    band = skin & (rows >= collar - 2) & (rows < collar + 2)
    picture = np.where(band[..., None], photo.picture[top].mean(0), photo.picture).astype(np.float32)
    may = allowed(replace(each, one=replace(each.one, photo=replace(photo, picture=picture))), figure, Mine())
    assert band.sum() > 10 and may[band].mean() < 0.3 and may[~band].mean() > 0.99


def test_light_that_was_taken_out_is_not_matched(figure, found, monkeypatch):
    calls = []
    monkeypatch.setattr(projected, "matched", lambda *given: calls.append(given) or given[0])
    painted(figure, [replace(each, even=True) for each in found], Mine())
    assert not calls
    painted(figure, found, Mine())
    assert calls


def test_a_photo_fitted_with_another_build_is_zoomed_to_ours(figure, photos):
    one, fitted = photos[0]
    small = replace(fitted, body=fitted.body * 0.8)
    lens = fitted.cameras.intrinsics.clone()
    lens[:, :2, :2] /= 0.8  # a nearer lens saw the smaller body as large
    camera = aligned(one, replace(small, cameras=replace(fitted.cameras, intrinsics=lens)), stand(figure, "a-pose"))
    body = figure.person.body
    there = body.keypoints(stand(figure, "a-pose").body)[:17]

    def pixels(points, cameras):
        matrix, lens = cameras.world_to_camera[0].numpy(), cameras.intrinsics[0].numpy()
        at = (points @ matrix[:3, :3].T + matrix[:3, 3]) @ lens.T
        return at[:, :2] / at[:, 2:]

    wanted = pixels(body.keypoints(small.body)[:17], replace(fitted.cameras, intrinsics=lens))
    assert np.abs(pixels(there, camera) - wanted).max() < 4
    assert np.abs(pixels(there, fitted.cameras) - wanted).max() > 8


def test_light_is_matched_where_both_show_the_same():
    rng = np.random.default_rng(0)
    wanted = rng.uniform(0.2, 0.8, (40, 40, 3)).astype(np.float32)
    sure = np.ones((40, 40), np.float32)
    darker = matched(wanted, sure, np.clip(wanted * 0.7, 0, 1).astype(np.float32), sure)
    assert np.abs(darker - wanted * 0.7).mean() < 0.05
    np.testing.assert_array_equal(matched(wanted, sure * 0, wanted * 0.7, sure), wanted)


def test_straight_views_win_and_shares_rise():
    one, other = np.zeros((2, 2, 3), np.float32), np.ones((2, 2, 3), np.float32)
    high, low = (np.full((2, 2), level, np.float32) for level in (0.9, 0.3))
    ((texture, confidence),) = combined([(one, high), (other, low)])
    assert texture.max() < 0.05 and (confidence == np.float32(0.9)).all()
    assert combined([]) == []
    assert rising(np.array([[0.0, 0.03, 0.5]], np.float32)).tolist() == [[0.0, 0.5, 1.0]]


def test_a_turn_is_found_again():
    rng = np.random.default_rng(1)
    points, turn = rng.normal(size=(30, 3)), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn = turn * np.sign(np.linalg.det(turn))
    found, shift = rigid(points, points @ turn.T + [1, 2, 3])
    np.testing.assert_allclose(found, turn, atol=1e-9)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-9)


def test_lone_texels_go_and_borders_of_charts_stay():
    covered = np.zeros((24, 24), bool)
    covered[2:12, 2:22] = covered[14:, 2:22] = True
    confidence = np.where(covered, 0.5, 0.0).astype(np.float32)
    confidence[14:] *= np.indices((10, 24)).sum(0) % 2  # seen and unseen by turns
    found = solid(Baked(np.zeros((24, 24, 3), np.float32), confidence, covered)).confidence
    np.testing.assert_allclose(found[2:12, 2:22], 0.5, atol=0.05)
    assert found[16:, 4:20].max() < 0.01


def test_a_lamp_from_the_side_is_taken_out_of_a_photo(found):
    """Somebody dressed as the figure thinks, half in shade."""
    each = found[0]
    scene = each.stance.scene
    normal = look(Surface(scene.vertices, scene.faces, scene.coverage), each.camera).normal
    plain = plain_colours(scene, each.camera)
    shaded = linear_to_srgb(srgb_to_linear(plain.astype(np.float64)) * (0.6 + 0.35 * normal[..., :1])).astype(
        np.float32
    )
    photo = replace(each.one.photo, picture=shaded)
    (lit,) = evenly_lit([replace(each, one=replace(each.one, photo=photo))])
    even = lit.one.photo.picture
    inside = ndimage.binary_erosion(photo.mask > 0.5, iterations=4)
    before, after = (np.abs(picture - plain)[inside].mean() for picture in (shaded, even))
    assert after < 0.35 * before


def test_clothes_have_one_colour_in_all_photos_whatever_hands_say(found):
    """The same person twice, darker and bluer the second time, with hands that are red."""
    each = found[0]
    plain = plain_colours(each.stance.scene, each.camera).astype(np.float64)
    scene, (low, _) = each.stance.scene, each.stance.head
    seen = look(Surface(scene.vertices, scene.faces, scene.coverage), each.camera)
    skin = seen.hit & (scene.layer[np.maximum(seen.face, 0)] == scene.names.index("skin"))
    dark = srgb_to_linear(plain) * [0.5, 0.55, 0.7]
    dark[skin & (seen.place[..., 1] < low[1])] = [0.4, 0.02, 0.02]
    both = [
        replace(each, one=replace(each.one, photo=replace(each.one.photo, picture=picture.astype(np.float32))))
        for picture in (plain, linear_to_srgb(dark))
    ]
    one, other = (lit.one.photo.picture for lit in evenly_lit(both))
    worn = ndimage.binary_erosion((each.one.photo.mask > 0.5) & ~skin, iterations=3)
    assert np.abs(one - plain)[worn].mean() < 0.02
    assert np.abs(other - plain)[worn].mean() < 0.02


@pytest.fixture(scope="module")
def head(figure):
    """A head whose photo shows all features six pixels too low, and the picture as it should be."""
    stance = stand(figure, "a-pose")
    camera = frame(np.stack(np.meshgrid(*stance.head.T), -1).reshape(-1, 3), np.zeros(1), 0.0, 20.0, 240)
    right = plain_colours(stance.scene, camera)
    view, lens = camera.world_to_camera[0].double().numpy(), camera.intrinsics[0].double().numpy()
    contours, points = face_contours(stance.body), np.zeros((478, 3))
    points[[10, 152], 1] = 60.0, 160.0
    for name, indices in FACE_MESH.items():
        seen = (contours[name] @ view[:3, :3].T + view[:3, 3]) @ lens.T
        points[list(indices), :2] = seen[:, :2] / seen[:, 2:] + [0, 6]
    keys = Keypoints(np.full((33, 2), 100.0), np.ones(33), np.zeros((33, 3)))
    photo = Photo(
        Path("head.png"), np.roll(right, 6, 0), np.ones((240, 240)), keys, Face(points), "portrait", (), "head"
    )
    one = Sorted(photo, "head.png", None, Square(0, 0, 240), 0.0, 0.0, "")
    fitted = Fitted(SPEC, posture_named("a-pose"), camera, stance.body, np.zeros((1, 3)), 0.0, 1.0, ())
    return Placed(one, fitted, stance, camera, 1.0), right


def test_features_are_drawn_to_where_the_figure_has_them(head):
    each, right = head
    before, after = each.one.photo, on_its_face(each).one.photo
    eyes = before.face.points[list(FACE_MESH["left_eye"] + FACE_MESH["right_eye"] + FACE_MESH["lips_outer"]), :2]
    columns, rows = np.round(eyes - [0, 6]).astype(int).T
    apart = [np.abs(photo.picture[rows, columns] - right[rows, columns]).mean() for photo in (before, after)]
    assert apart[1] < 0.4 * apart[0]
    assert np.array_equal(after.picture[:20], before.picture[:20]), "around the face nothing moves"
    assert after.mask is before.mask


def test_faces_turned_away_stay(head):
    each, _ = head
    away = replace(each, one=replace(each.one, head_turn=80.0))
    assert on_its_face(away) is away
    none = replace(each, one=replace(each.one, photo=replace(each.one.photo, face=None)))
    assert on_its_face(none) is none
