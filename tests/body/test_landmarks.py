import numpy as np
import pytest

from bozzetto.body.landmarks import CONTOURS, IRIS_RADIUS, contour_vertices, face_contours, regions
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.eyes import eye_spheres
from bozzetto.figure.spec import BodySpec, FaceSpec

COUNTS = {"oval": 36, "eye": 16, "brow": 10, "outer": 20, "inner": 20, "iris": 5}


@pytest.fixture(scope="module")
def body():
    return load_body()


def test_every_contour_has_mediapipes_number_of_points(body):
    contours = face_contours(body.template.numpy())
    assert tuple(contours) == CONTOURS
    for name, points in contours.items():
        assert points.shape == (COUNTS[name.split("_")[-1]], 3), name


def test_points_are_mixtures():
    for _, weights in contour_vertices().values():
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-4)
        assert (weights >= -1e-6).all()


def test_left_is_plus_x_and_the_right_side_mirrors_it(body):
    contours = face_contours(body.template.numpy())
    for name in ("eye", "brow"):
        left, right = contours[f"left_{name}"], contours[f"right_{name}"]
        assert (left[:, 0] > 0).all()
        np.testing.assert_allclose(right * (-1, 1, 1), left, atol=1e-3)


def test_features_stand_where_a_face_has_them(body):
    for spec in (BodySpec("woman", 30), BodySpec("man", 70, 1.8), BodySpec("woman", 5, 1.1)):
        face = face_contours(shape_person(body, spec, FaceSpec()).vertices)
        height = {name: points[:, 1].mean() for name, points in face.items()}
        assert height["left_brow"] > height["left_eye"] > height["lips_outer"] > face["oval"][18, 1]
        assert face["left_eye"][0, 0] > face["left_eye"][8, 0]  # outer corner first
        assert face["left_eye"][4, 1] > face["left_eye"][12, 1]  # over the upper lid
        assert face["lips_outer"][0, 0] < face["lips_outer"][10, 0]  # from the right corner
        assert np.ptp(face["lips_outer"][:, 0]) > np.ptp(face["lips_inner"][:, 0])


def test_the_iris_lies_on_the_eyeball_round_its_axis(body):
    _, _, centre, radius = eye_spheres(body)[0]
    iris = face_contours(body.template.numpy())["left_iris"]
    np.testing.assert_allclose(iris[0, :2], centre[:2], atol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(iris - centre, axis=1), radius, atol=8e-4)
    np.testing.assert_allclose(np.linalg.norm(iris[1:, :2] - iris[0, :2], axis=1), IRIS_RADIUS, atol=2e-4)


def test_regions_cover_the_skin_once(body):
    found = regions(body)
    limbs = [f"{side}_{limb}" for side in ("left", "right") for limb in ("arm", "hand", "leg", "foot")]
    total = np.sum([found[name] for name in ("head", "neck", "torso", *limbs)], 0)
    assert (total == 1).all()
    assert (found["head"] | ~found["face"]).all() and not (found["face"] & found["scalp"]).any()
    assert body.template.numpy()[found["left_hand"], 0].min() > 0
