"""The body under a photo, from perfect evidence: what is put in must come out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bozzetto.body.model import load_body
from bozzetto.body.poses import STAND, Arm, Leg, Posture, poses
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour, delta_e_2000, hair_colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.people import HEADWEAR
from bozzetto.figure.piece import Detail
from bozzetto.figure.spec import BodySpec, Colour, FigureSpec, Garment, HairSpec
from bozzetto.prior.shape import ShapeNetwork, Sides, hips_depth
from bozzetto.render import to_srgb8
from bozzetto.render.cameras import orbit
from bozzetto.render.light import ambient
from bozzetto.render.raster import rasterize
from bozzetto.render.sides import sides
from bozzetto.subject.fit import fit_person, posed_body, shoulders_of
from bozzetto.subject.looks import lit_colour, see_looks
from bozzetto.subject.photos import Keypoints, Photo
from bozzetto.subject.surface import square_around
from bozzetto.types import Cameras, UserError

SKIN, CLOTH, DARK = (0.78, 0.58, 0.46), (0.10, 0.35, 0.65), (0.16, 0.15, 0.15)


def _camera(body: np.ndarray, azimuth: float = 0.0, size: int = 256) -> Cameras:
    skin = body[: load_body().parts["body"].stop]
    return orbit(azimuth, 4.0, 4.5, (skin.min(0) + skin.max(0)) / 2, 26.0, size, size)


def _photo(build: BodySpec, posture: Posture, azimuth: float = 0.0, size: int = 256, seen: float = 1.0) -> Photo:
    """A painted body and its exact landmarks, as a perfect detector would find them.

    Args:
        seen: The share of the picture, from above, that is not cut off.
    """
    model = load_body()
    body, _ = posed_body(build, posture)
    cameras = _camera(body, azimuth, size)
    face = rasterize(body, model.parts["body"].faces, cameras).face[0]
    colours = np.tile(np.array(CLOTH), (len(model.parts["body"].faces), 1))
    names = np.array(model.joint_names)[model.skin_joints[np.arange(len(body)), model.skin_weights.argmax(1)]]
    first = names[model.parts["body"].faces[:, 0]]
    colours[
        [name.startswith(("head", "neck", "eye", "wrist", "finger", "metacarpal", "lowerarm")) for name in first]
    ] = SKIN
    colours[[name.startswith(("upperleg", "lowerleg", "pelvis")) for name in first]] = DARK
    picture = np.where((face >= 0)[..., None], colours[np.maximum(face, 0)], 0.9).astype(np.float32)
    rows = int(size * seen)
    mask = (face[:rows] >= 0).astype(np.float32)
    return Photo(Path("painted.png"), picture[:rows], mask, _landmarks(body, cameras), None, "full body", (), "")


def _landmarks(body: np.ndarray, cameras: Cameras) -> Keypoints:
    view, lens = cameras.world_to_camera[0].numpy(), cameras.intrinsics[0].numpy()
    coco = load_body().keypoints(body)
    points = np.zeros((33, 3), np.float32)
    order = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
    points[list(order)] = coco[:17]
    points[[31, 32]] = (coco[[17, 18]] + coco[[19, 20]]) / 2
    points[[29, 30]] = coco[[21, 22]]
    points[[1, 3, 4, 6]], points[[9, 10]] = points[[2, 2, 5, 5]], points[0]
    points[17:23] = points[[15, 16] * 3]
    camera = points @ view[:3, :3].T + view[:3, 3]
    pixels = camera @ lens.T
    return Keypoints(pixels[:, :2] / pixels[:, 2:], np.ones(33), camera - camera[23:25].mean(0))


@pytest.fixture(scope="module")
def waving():
    posture = Posture(
        Arm(down=72, elbow=18), Arm(down=-30, forward=12, elbow=62, twist=70), Leg(out=5), Leg(flex=22, out=5, knee=34),
        lean=4, turn=12,
    )  # fmt: skip
    build = BodySpec("man", 30.0, 1.78)
    photo = _photo(build, posture, 18.0)
    return build, posture, photo, fit_person(photo)


def test_the_body_comes_to_stand_over_the_person(waving):
    _, _, photo, fitted = waving
    assert fitted.keypoint_error < 3.0 and fitted.silhouette_iou > 0.85
    assert (fitted.cameras.height, fitted.cameras.width) == photo.mask.shape
    model = load_body()
    outline = rasterize(fitted.body, model.parts["body"].faces, fitted.cameras).face[0] >= 0
    both, either = (outline & (photo.mask > 0.5)).sum(), (outline | (photo.mask > 0.5)).sum()
    assert abs(both / either - fitted.silhouette_iou) < 1e-6, "the figure of merit is what it says"


def test_shoulders_are_as_broad_as_key_points_say():
    told = {}
    for breadth in (0.2, 0.8):
        photo = _photo(BodySpec("man", 30.0, 1.78, shoulders=breadth), poses()["a-pose"])
        fitted = fit_person(photo)
        told[breadth] = fitted.shoulders
        assert fitted.spec.body.shoulders == shoulders_of([fitted.shoulders])
        again = fit_person(photo, replace(fitted.spec.body, shoulders=0.5))
        assert again.spec.body.shoulders == 0.5 and not any(again.shoulders), "a body that is known stays"
    (narrow, sure), (broad, _) = told[0.2], told[0.8]
    assert broad - narrow > 0.3 and sure > 10


def test_photos_that_are_sure_of_the_shoulders_decide_them():
    assert shoulders_of([]) == shoulders_of([(0.4, 0.0)]) == 0.5, "nothing is seen: average"
    assert shoulders_of([(0.1, 20.0)]) < shoulders_of([(0.1, 20.0), (0.1, 20.0)])
    assert shoulders_of([(0.1, 60.0), (-0.1, 5.0)]) > shoulders_of([(0.1, 5.0), (-0.1, 60.0)])
    assert 0 <= shoulders_of([(-9.0, 90.0)]) <= shoulders_of([(9.0, 90.0)]) <= 1


def test_joints_are_found_in_space(waving):
    build, posture, _, fitted = waving
    model = load_body()
    body, _ = posed_body(build, posture)
    tilt = orbit(18.0, 4.0, 1.0, (0, 0, 0), 20.0, 8, 8).world_to_camera[0, :3, :3].numpy()
    true = model.keypoints(body)[:17]
    found = model.keypoints(fitted.body)[:17]
    true = (true - true[11:13].mean(0)) @ tilt.T
    found = (found - found[11:13].mean(0)) @ fitted.cameras.world_to_camera[0, :3, :3].numpy().T
    apart = np.linalg.norm(true - found, axis=1)
    assert apart.mean() < 0.04 and apart.max() < 0.12


def test_every_found_angle_is_one_a_joint_allows(waving):
    from bozzetto.body.poses import check

    check(waving[3].posture)


def test_clothes_are_read_from_the_pixels(waving):
    spec = waving[3].spec
    assert spec.top is not None and spec.top.kind == "t-shirt" and spec.outer is None and spec.dress is None
    assert spec.bottom is not None and spec.bottom.kind == "trousers"
    for worn, painted in ((spec.top.colour, CLOTH), (spec.bottom.colour, DARK), (spec.face.skin, SKIN)):
        code = "#" + "".join(f"{round(255 * channel):02x}" for channel in painted)
        assert delta_e_2000(worn, Colour("", code)) < 6


def _read(spec: FigureSpec, pose: str = "standing", detail: Detail = "low", size: int = 384) -> FigureSpec:
    """What is seen of a figure whose body is known."""
    stance = stand(build_figure(spec, detail), pose)
    view = stance.view(4.0, 3.0, size, light=ambient())
    picture = to_srgb8(view.output, "plain")[0].astype(np.float32) / 255
    mask = view.output.alpha[0, :, :, 0].numpy()
    landmarks = _landmarks(stance.body, view.cameras)
    photo = Photo(Path("figure.png"), picture, mask, landmarks, None, "full body", (), "")
    return see_looks(photo, stance.body, view.cameras, spec.body).spec


@pytest.mark.parametrize(
    ("pattern", "pitch"), [("horizontal stripes", 0.045), ("vertical stripes", 0.05), ("plaid", 0.09), ("plain", None)]
)
def test_patterns_are_seen(pattern, pitch):
    top = Garment("sweater", colour("navy"), pattern, colour("white"), pitch)
    spec = FigureSpec(
        BodySpec("man", 30.0, 1.78), hair=HairSpec("short"), top=top, bottom=Garment("trousers", colour("grey"))
    )
    found = _read(spec, "a-pose", "full", 512)
    assert found.top is not None and found.top.pattern == pattern
    assert found.bottom is not None and found.bottom.pattern == "plain"
    if pattern != "plain":
        assert found.top.pitch == pytest.approx(pitch, rel=0.35)
        both = {delta_e_2000(each, colour("white")) < delta_e_2000(each, colour("navy"))
                for each in (found.top.colour, found.top.second)}  # fmt: skip
        assert both == {True, False}


@pytest.mark.parametrize(("worn", "shade"), [("emerald", "black"), (None, "black"), (None, "ginger")])
def test_short_hair_in_a_colour_that_no_hair_has_is_a_hat(worn, shade):
    hats = (Garment("beanie", colour(worn)),) if worn else ()
    spec = FigureSpec(
        BodySpec("man", 30.0, 1.78), hair=HairSpec("short", hair_colour(shade)), top=Garment("sweater", colour("navy")),
        bottom=Garment("trousers", colour("grey")), extras=hats,
    )  # fmt: skip
    found = _read(spec)
    assert [each.kind in HEADWEAR for each in found.extras] == [True] * len(hats)
    if worn:
        assert delta_e_2000(found.extras[0].colour, colour(worn)) < 10


def test_one_colour_with_long_sleeves_is_no_dress():
    grey = colour("grey")
    spec = FigureSpec(
        BodySpec("woman", 30.0, 1.68), top=Garment("sweater", grey), bottom=Garment("long skirt", grey),
        shoes=Garment("shoes", colour("black")),
    )  # fmt: skip
    found = _read(spec)
    assert found.dress is None and found.top is not None and found.top.kind == "sweater"
    assert found.bottom is not None and found.bottom.kind == "long skirt"


@pytest.mark.parametrize(
    ("bottom", "shoes", "weight", "pose"),
    [
        ("trousers", "heels", 0.75, "standing"),
        ("long skirt", "sneakers", 0.4, "standing"),
        ("knee skirt", None, 0.5, "standing"),
    ],
)
def test_trousers_that_fill_the_gap_between_the_legs_are_no_skirt(bottom, shoes, weight, pose):
    spec = FigureSpec(
        BodySpec("woman", 30.0, 1.68, weight=weight),
        top=Garment("t-shirt", colour("green")),
        bottom=Garment(bottom, colour("olive")),
        shoes=None if shoes is None else Garment(shoes, colour("black" if shoes == "heels" else "white")),
    )
    found = _read(spec, pose)
    assert found.bottom is not None and found.bottom.kind == bottom
    assert (found.shoes and found.shoes.kind) == shoes


@pytest.mark.parametrize(
    ("name", "azimuth"), [("arms up", -35.0), pytest.param("hands on hips", 25.0, marks=pytest.mark.slow),
                          pytest.param("running", 20.0, marks=pytest.mark.slow)],
)  # fmt: skip
def test_named_poses_are_found_from_either_side(name, azimuth):
    fitted = fit_person(_photo(BodySpec("woman", 30.0, 1.65), poses()[name], azimuth))
    assert fitted.keypoint_error < 4.0 and fitted.silhouette_iou > 0.8


def test_what_is_cut_off_stays_near_standing():
    whole = _photo(BodySpec("man", 30.0, 1.78), STAND)
    half = _photo(BodySpec("man", 30.0, 1.78), STAND, seen=0.5)
    assert half.mask.shape[0] < whole.mask.shape[0] and half.seen[11] and not half.seen[25]
    fitted = fit_person(replace(half, part="half body"))
    assert fitted.keypoint_error < 3.0
    for limb in (fitted.posture.left_leg, fitted.posture.right_leg):
        assert abs(limb.knee) < 15 and abs(limb.flex) < 15
    assert fitted.spec.bottom is not None and fitted.spec.shoes is not None, "nobody is left undressed"
    assert any("feet" in guess for guess in fitted.guesses)


def test_without_landmarks_there_is_nothing_to_fit():
    photo = _photo(BodySpec(), STAND)
    with pytest.raises(UserError, match="Too little"):
        fit_person(replace(photo, keypoints=None))


def test_cameras_follow_a_body_that_stands_elsewhere(waving):
    """A stance lifted by its soles is seen in the same pixels."""
    fitted = waving[3]

    lifted = fitted.body + np.array([0.0, 0.05, 0.0], np.float32)
    moved = fitted.cameras_on(lifted)
    before = fitted.body @ fitted.cameras.world_to_camera[0, :3, :3].numpy().T
    before = before + fitted.cameras.world_to_camera[0, :3, 3].numpy()
    after = lifted @ moved.world_to_camera[0, :3, :3].numpy().T + moved.world_to_camera[0, :3, 3].numpy()
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert torch.equal(moved.intrinsics, fitted.cameras.intrinsics)


def test_a_colour_is_that_of_the_greater_part_in_good_light():
    rng = np.random.default_rng(0)
    shade = rng.uniform(0.6, 1.0, (300, 1))
    blue, red = np.array([45.0, 10.0, -45.0]), np.array([50.0, 60.0, 40.0])
    found = lit_colour(np.concatenate([blue * shade, red * shade[:90]]))
    assert found is not None and np.linalg.norm(found - blue) < 9
    assert lit_colour(np.zeros((3, 3))) is None


class _Knowing(ShapeNetwork):
    """Answers the true sides of a body, whatever it is shown."""

    def __init__(self, body: np.ndarray, photo: Photo) -> None:
        super().__init__(64, (8,))
        camera = square_around(photo.mask, _camera(body), 64)
        near, far = sides(body, load_body().parts["body"].faces, camera)
        depths = np.stack([near.depth, far.depth], -1) - hips_depth(load_body(), body, camera)
        normals = torch.from_numpy(np.concatenate([near.normal, far.normal], -1))[None]
        self.answer = Sides(normals, torch.from_numpy(depths.astype(np.float32))[None], normals[..., :3])

    def forward(self, shown):
        return self.answer


def test_a_network_that_knows_depth_straightens_a_body_that_landmarks_bent():
    posture = Posture(Arm(down=60, forward=30), Arm(down=60, forward=-15), Leg(flex=35, out=5, knee=10), Leg(out=5))
    build = BodySpec("man", 30.0, 1.78)
    photo = _photo(build, posture)
    true, joints = posed_body(build, posture)
    flat = photo.keypoints.world * (1, 1, 0.2)
    misled = replace(photo, keypoints=replace(photo.keypoints, world=flat))

    def off(fitted) -> float:
        def seen(points, camera):
            turned = points @ camera.world_to_camera[0, :3, :3].double().numpy().T
            return turned - turned[0]

        away = seen(fitted.joints, fitted.cameras) - seen(joints, _camera(true))
        return float(np.linalg.norm(away, axis=1).mean())

    alone, helped = off(fit_person(misled)), off(fit_person(misled, network=_Knowing(true, photo)))
    assert helped < 0.6 * alone
