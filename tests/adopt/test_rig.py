"""A bare body without its rig gets it back; what is no person is refused."""

from dataclasses import replace

import igl
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bozzetto.adopt.fit import limbs_of, outer, sampled, upright, ways
from bozzetto.adopt.mesh import ForeignMesh
from bozzetto.adopt.rigged import _metres, _uvs, adopt, dress, has_mouth, own_eyes
from bozzetto.body.bind import bind_t_pose, pose_transforms, skin
from bozzetto.body.carry import donor
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import poses, rotations
from bozzetto.evaluate.rigged import MAIN, measure
from bozzetto.figure.spec import BodySpec, FaceSpec
from bozzetto.types import UserError

TURN = (Rotation.from_euler("x", 90, degrees=True) * Rotation.from_euler("y", 200, degrees=True)).as_matrix()
"""Into a file that is z-up and looks anywhere."""


@pytest.fixture(scope="module")
def man():
    """A coarse man in an A-pose, z-up, in centimetres; his joints in metres, upright."""
    body = load_body()
    shaped = shape_person(body, BodySpec("man", 45, 1.82, 0.6), FaceSpec())
    person = donor(body, shaped.vertices, bind_t_pose(body.joint_names, body.joint_parents, shaped.joints))
    moves = pose_transforms(person.skeleton, rotations(poses()["a-pose"]))
    standing = skin(person.vertices, person.skin_weights, person.skin_joints, moves)
    at = person.skeleton.positions.numpy()
    joints = np.einsum("jab,jb->ja", moves[:, :, :3], at) + moves[:, :, 3]
    used, faces = np.unique(person.faces, return_inverse=True)
    coarse = igl.qslim(standing[used].astype(np.float64), faces.reshape(-1, 3), 5000)
    vertices, faces = coarse[0], coarse[1].astype(np.int64)
    colours = np.full((len(vertices), 3), 0.6, np.float32)
    return ForeignMesh(100 * vertices @ TURN.T, faces, None, None, colours, ("colours of what is not there",)), joints


@pytest.fixture(scope="module")
def adopted(man):
    return adopt(man[0])


def test_joints_are_found_whatever_the_axes_and_units(man, adopted):
    rows = [load_body().joint_names.index(name) for name in MAIN]
    away = np.linalg.norm(adopted.joints / 100 @ TURN - man[1], axis=1)[rows]
    assert away.mean() < 0.02 and away.max() < 0.05
    assert abs(adopted.metres - 1.82) < 0.05 and "centimetres" in adopted.guessed[0]
    assert adopted.guessed[-1] == "colours of what is not there"
    assert not adopted.quality["unsure"] and 30 < adopted.quality["arms_degrees"] < 60


def test_linings_and_what_lies_within_are_not_seen():
    points, faces = igl.icosahedron()
    faces = faces.astype(np.int64)
    whole = np.concatenate([points, 0.98 * points, 0.9 * points, 0.5 * points])
    layers = np.concatenate([faces, faces[:, ::-1] + 12, faces + 24, faces + 36])
    assert (outer(30 * whole, layers) == (np.arange(80) < 20)).all()
    assert outer(points, faces[:, ::-1]).all()  # inside out: nothing is told apart


@pytest.mark.slow
def test_a_layered_figure_is_not_taken_back_to_front():
    found = measure(9501, None)
    assert not found.refused and found.mean_cm < 6


@pytest.mark.slow
def test_the_character_stands_in_the_t_pose_with_a_face(adopted):
    made = dress(adopted)
    avatar, layer = made.avatar, made.avatar.layers[0]
    names = avatar.skeleton.names
    assert np.allclose(layer.skin_weights.sum(1), 1, atol=1e-4)
    points = layer.mesh.vertices.numpy()
    assert points[:, 1].min() == pytest.approx(0, abs=1e-4)
    hand = avatar.skeleton.positions[names.index("wrist.L")].numpy()
    shoulder = avatar.skeleton.positions[names.index("upperarm01.L")].numpy()
    assert abs(hand[1] - shoulder[1]) < 0.02 < hand[0] - shoulder[0]
    farthest = points[points[:, 0].argmax()]
    assert abs(farthest[1] - hand[1]) < 0.1  # the mesh's arm is where the skeleton's is
    assert {"jawOpen", "eyeBlinkLeft"} <= set(layer.expressions) and "mouth" in made.quality["opened"]
    assert {"eyes", "teeth", "tongue"} <= {each.name for each in avatar.layers}
    assert made.quality["stretch"] < 1.5 * made.quality["stretch_of_the_body"]


def test_eyes_and_mouth_that_a_mesh_has_are_found(adopted):
    assert not len(own_eyes(adopted)) and not has_mouth(adopted)
    fitted, names, mesh = adopted.fitted, load_body().joint_names, adopted.mesh
    ball, faces = igl.icosahedron()
    places = [fitted.joints[names.index(f"eye.{side}")] + [0, 0.02, 0] for side in "LR"]
    teeth = fitted.joints[[names.index(f"eye.{side}") for side in "LR"]].mean(0) - [0, 0.065, -0.005]

    def with_balls(radii, middles):
        points = [fitted.to_file(r * ball + middle) for r, middle in zip(radii, middles, strict=True)]
        more = [faces.astype(np.int64) + len(mesh.vertices) + 12 * k for k in range(len(points))]
        vertices, whole = np.concatenate([mesh.vertices, *points]), np.concatenate([mesh.faces, *more])
        return replace(adopted, mesh=ForeignMesh(vertices, whole, None, None, np.full(vertices.shape, 0.5, np.float32)))

    assert len(own_eyes(with_balls([0.012] * 2, places))) == 24
    assert not len(own_eyes(with_balls([0.012], places[:1]))) and not len(own_eyes(with_balls([0.1] * 2, places)))
    assert has_mouth(with_balls([0.008] * 2, [teeth, 1.001 * teeth]))


def test_where_front_and_back_fit_alike_a_file_that_says_where_it_looks_is_believed():
    front, back, z = np.eye(3), np.diag([-1.0, 1.0, -1.0]), np.array([0.0, 0.0, 1.0])
    assert ways(0.05, 0.051, front, back, z) == (True, False)
    assert ways(0.05, 0.051, front, back, -z) == (True, True)
    assert ways(0.05, 0.051, back, front, None) == (True, False)
    assert ways(0.05, 0.06, back, front, z) == (False, False)  # the shape says it
    assert ways(0.05, 0.051, front, np.diag([1.0, -1.0, -1.0]), -z) == (False, False)


def boxes(*each):
    """Axis-aligned boxes, each its size and its middle."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([f for a, b, c, d in sides for f in ((a, b, c), (a, c, d))])
    points = np.concatenate([corners * size + middle for size, middle in np.array(each, float)])
    whole = np.concatenate([faces + 8 * k for k in range(len(each))])
    return ForeignMesh(points, whole, None, None, np.full(points.shape, 0.5, np.float32))


LEGS = [((0.12, 0.6, 0.12), (x, 0.3, z)) for x in (-0.14, 0.14) for z in (-0.5, 0.5)]


@pytest.mark.parametrize(
    "thing",
    [
        boxes(((0.4, 1.7, 0.3), (0, 0.85, 0))),
        pytest.param(
            boxes(((0.4, 0.4, 1.2), (0, 0.8, 0)), ((0.3, 0.35, 0.4), (0, 1.1, 0.7)), *LEGS), marks=pytest.mark.slow
        ),
    ],
    ids=["block", "quadruped"],
)
def test_what_is_no_person_is_refused(thing):
    with pytest.raises(UserError, match="one person standing"):
        adopt(thing)


def test_a_sphere_shows_no_arms(adopted):
    points, faces = igl.icosahedron()
    ball = sampled(points, faces.astype(np.int64), 1500)
    _, scale, shift = upright(ball.points, np.eye(3))
    placed = ball.placed(np.eye(3), scale, shift)
    body = type(adopted.fitted)(adopted.fitted.guess, np.eye(3), 1.0, np.zeros(3), 0.0)
    shown = limbs_of(body, placed).shown
    assert np.mean(list(shown.values())) < 0.5


def test_units_are_guessed_from_the_height():
    assert _metres(1.1, None) == (1.1, "")
    assert _metres(172.0, None)[0] == pytest.approx(1.72)
    assert _metres(70.0, None)[0] == pytest.approx(1.778)
    assert _metres(1700.0, None)[0] == pytest.approx(1.7)
    metres, words = _metres(9000.0, None)
    assert metres == 1.7 and "nobody's height" in words
    assert _metres(9000.0, 1.5) == (1.5, "")


def test_texture_coordinates_go_along_into_parts_of_faces():
    placed = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], float)
    faces = np.array([[0, 1, 2], [1, 3, 2]])
    uvs = np.array([[[0, 0], [0.5, 0], [0, 0.5]], [[0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]], np.float32)
    there = np.concatenate([placed, [[0.5, 0.0, 0]]])
    parts = _uvs(there, np.array([[0, 4, 2], [4, 1, 2], [1, 3, 2]]), placed, faces, uvs)
    assert np.allclose(parts[0], [[0, 0], [0.25, 0], [0, 0.5]], atol=1e-6)
    assert np.allclose(parts[1], [[0.25, 0], [0.5, 0], [0, 0.5]], atol=1e-6)
    assert np.allclose(parts[2], uvs[1], atol=1e-6)


def test_a_height_that_nobody_has_is_refused(man):
    with pytest.raises(UserError, match="--height"):
        adopt(man[0], 12.0)
