"""A mesh around the body moves as the body does, opens its mouth, and closes its eyes."""

import numpy as np
import pytest
import torch

from bozzetto.body.bind import bind_t_pose
from bozzetto.body.carry import Donor, carry_rig, carry_weights, donor, report
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import poses
from bozzetto.figure.spec import BodySpec, FaceSpec
from bozzetto.geometry import vertex_normals
from bozzetto.scene.distance import distance_grid
from bozzetto.types import ColouredMesh, UserError

TWELVE = (
    "jawOpen eyeBlinkLeft eyeBlinkRight mouthSmileLeft mouthSmileRight mouthPucker mouthFunnel browInnerUp "
    "browDownLeft cheekPuff noseSneerLeft eyeWideRight"
).split()
POSTURES = ("t-pose", "standing", "arms up", "sitting", "crouching", "running", "kicking", "bowing")


@pytest.fixture(scope="module")
def person() -> Donor:
    body = load_body()
    shaped = shape_person(body, BodySpec("woman", 30, 1.7, 0.62), FaceSpec())
    return donor(body, shaped.vertices, bind_t_pose(body.joint_names, body.joint_parents, shaped.joints))


def coloured(vertices, faces):
    points = torch.from_numpy(np.asarray(vertices, np.float32))
    return ColouredMesh(points, torch.from_numpy(np.asarray(faces, np.int64)), (points * 0.3 + 0.4).clip(0, 1))


@pytest.fixture(scope="module")
def shell(person):
    """A closed surface 6 mm outside the body, thighs grown together: the level set of its distance on a grid."""
    from skimage.measure import marching_cubes

    lined = np.concatenate([person.faces, *person.linings.values()])
    grid = distance_grid(person.vertices.astype(float), lined, 0.01, 0.04)
    vertices, faces, _, _ = marching_cubes(grid.values.numpy(), 0.006)
    vertices = vertices * grid.cell + grid.low.numpy()
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    faces = faces if (a * np.cross(b, c)).sum() > 0 else faces[:, ::-1]
    return coloured(vertices, faces)


@pytest.fixture(scope="module")
def carried(person, shell):
    return carry_rig(person, shell)


def test_the_body_given_its_own_skin_keeps_its_weights(person):
    """Closest points are the vertices themselves: only the smoothing changes anything."""
    used, faces = np.unique(person.faces, return_inverse=True)
    got = carry_weights(person, person.vertices[used].astype(float), faces.reshape(-1, 3))
    own, other = np.zeros((2, len(used), len(person.skeleton.names)))
    np.put_along_axis(own, person.skin_joints[used], person.skin_weights[used], 1)
    np.put_along_axis(other, got.skin_joints, got.skin_weights, 1)
    assert np.abs(own - other)[got.confident].sum(1).mean() / 2 < 0.06
    assert got.confident.mean() > 0.7


def test_weights_sum_to_one(carried):
    np.testing.assert_allclose(carried.skin_weights.sum(1), 1.0, atol=1e-5)
    assert carried.skin_weights.min() >= 0


def test_it_stretches_and_moves_its_face_as_the_body_does(person, carried):
    known = poses()
    found = report(carried, person, [known[name] for name in POSTURES])
    assert found.confident > 0.6
    assert found.stretch < 1.5 * found.body_stretch
    assert set(found.opened) == {"mouth", "left_eye", "right_eye"}
    for name in TWELVE:
        assert found.expression_error[name] < 2.0, name


def moved(carried, name):
    vertices = carried.mesh.vertices.numpy().copy()
    shape = carried.expressions[name]
    vertices[shape.indices.numpy()] += shape.offsets.numpy()
    return vertices


def openings(carried, person, vertices, name):
    """Mean height of the gap between the two rims of an opening, in its middle third."""
    ring = next(ring for ring in person.openings if ring.name == name)
    rest = carried.mesh.vertices.numpy()
    ends = [person.vertices[ring.upper], person.vertices[ring.lower]]
    x0, x1 = ends[0][0, 0], ends[0][-1, 0]
    middle = (rest[:, 0] > x0 + (x1 - x0) / 3) & (rest[:, 0] < x1 - (x1 - x0) / 3)
    heights = []
    for line in ends:
        segment = np.stack([line[:-1], line[1:]], 1)
        along = segment[:, 1] - segment[:, 0]
        t = ((rest[:, None] - segment[:, 0]) * along).sum(2) / (along**2).sum(1)
        away = np.linalg.norm(rest[:, None] - segment[:, 0] - t.clip(0, 1)[..., None] * along, axis=2).min(1)
        heights.append(vertices[middle & (away < 1e-5), 1].mean())
    return heights[0] - heights[1]


def test_the_jaw_opens_the_mouth_and_blinking_closes_the_eyes(carried, person):
    rest = carried.mesh.vertices.numpy()
    assert openings(carried, person, rest, "mouth") < 0.003
    assert openings(carried, person, moved(carried, "jawOpen"), "mouth") > 0.02
    for side in ("left", "right"):
        open_ = openings(carried, person, rest, f"{side}_eye")
        shut = openings(carried, person, moved(carried, f"eyeBlink{side.title()}"), f"{side}_eye")
        assert open_ > 0.004
        assert shut < 0.25 * open_


def test_lips_and_lids_are_the_only_new_borders(shell, carried):
    """The shell is closed; the carried mesh has three borders, around mouth and eyes, and no edge of three faces."""
    for mesh, loops in ((shell, 0), (carried.mesh, 3)):
        faces = mesh.faces.numpy()
        ends = np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, [2, 0]]]), 1)
        edges, count = np.unique(ends, axis=0, return_counts=True)
        assert count.max() == 2
        border = edges[count == 1]
        found = []
        while len(border):  # walk one loop after the other
            inside = {int(border[0, 0])}
            while True:
                touching = np.isin(border, list(inside)).any(1)
                grown = inside | set(border[touching].ravel().tolist())
                if len(grown) == len(inside):
                    break
                inside = grown
            border = border[~touching]
            found.append(len(inside))
        assert len(found) == loops, found


def test_colours_go_along(carried):
    away = (carried.mesh.vertices * 0.3 + 0.4).clip(0, 1) - carried.mesh.colours
    assert away.abs().median() < 1e-6
    assert away.abs().max() < 0.3 * 0.03  # what the face was moved by


def test_what_lies_behind_moves_along(carried):
    names = {layer.name for layer in carried.inner}
    assert names == {"mouth_lining", "left_eye_lining", "right_eye_lining"}
    mouth = next(layer for layer in carried.inner if layer.name == "mouth_lining")
    assert "jawOpen" in mouth.expressions


def test_fused_thighs_do_not_tear(person, shell, carried):
    """No two neighbours follow different legs: along an edge the share of the left leg changes slowly."""
    names = np.array(person.skeleton.names)
    left = np.array([name.startswith(("upperleg", "lowerleg")) and name.endswith(".L") for name in names])
    share = (carried.skin_weights * left[carried.skin_joints]).sum(1)
    faces, points = carried.mesh.faces.numpy(), carried.mesh.vertices.numpy()
    ends = np.concatenate([faces[:, :2], faces[:, 1:], faces[:, [2, 0]]])
    step = np.abs(share[ends[:, 0]] - share[ends[:, 1]])
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    assert step[length < 0.02].max() < 0.4


def test_without_a_face_nothing_is_cut(person, shell):
    """A coat without a head: a rig all the same."""
    vertices, faces = shell.vertices.numpy(), shell.faces.numpy()
    body = faces[(vertices[faces][:, :, 1] < 1.3).all(1)]
    assert carry_rig(person, coloured(vertices, body)).opened == ()


def test_bad_meshes_are_refused(person, shell):
    vertices, faces = shell.vertices.numpy(), shell.faces.numpy()
    with pytest.raises(UserError, match="surface"):
        carry_rig(person, coloured(np.zeros((0, 3)), np.zeros((0, 3), int)))
    with pytest.raises(UserError, match="surface"):
        carry_rig(person, coloured(np.zeros((9, 3)), np.arange(9).reshape(3, 3)))
    with pytest.raises(UserError, match="finite"):
        carry_rig(person, coloured(np.where(vertices > 1.5, np.nan, vertices), faces))
    with pytest.raises(UserError, match="name vertices"):
        carry_rig(person, coloured(vertices, faces + 5))
    with pytest.raises(UserError, match="Only 0 %"):
        carry_rig(person, coloured(vertices + 5.0, faces))
    with pytest.raises(UserError, match="turned outward"):
        carry_rig(person, coloured(vertices * [1.0, -1.0, 1.0] + [0, 1.7, 0], faces))


def test_normals_of_the_shell_point_outward(person, shell):
    """The fixture itself: the test above would pass on a mesh that is inside out."""
    points = shell.vertices.numpy()
    normals = vertex_normals(points, shell.faces.numpy())
    crown = points[:, 1].argmax()
    assert normals[crown, 1] > 0.5
