"""The body: measures are met, symmetry holds, the T-pose is one, and moving obeys the laws of rigid parts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import bind_t_pose, joint_transforms, pose_transforms, skin
from bozzetto.body.landmarks import face_contours
from bozzetto.body.model import load_body
from bozzetto.body.person import local_changes, shape_person
from bozzetto.figure.spec import BodySpec, FaceSpec

BODY = load_body()
STOP = BODY.parts["body"].stop


def joint(joints, name):
    return joints[BODY.joint_names.index(name)]


def bound(spec=BodySpec()):  # noqa: B008
    shaped = shape_person(BODY, spec, FaceSpec())
    return shaped, bind_t_pose(BODY.joint_names, BODY.joint_parents, shaped.joints)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["woman", "man", "androgynous"]),
    st.floats(4, 90),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(-1, 1),
    st.integers(0, 2**31),
)
def test_height_is_met_and_soles_stand_on_zero(presentation, age, weight, muscle, offset, identity):
    height = float(np.interp(age, (4, 11, 18), (1.04, 1.44, 1.7))) + 0.08 * offset
    shaped = shape_person(BODY, BodySpec(presentation, age, height, weight, muscle, 0.5, identity), FaceSpec())
    body = shaped.vertices[:STOP, 1]
    assert body.min() == pytest.approx(0, abs=1e-5)
    assert body.max() == pytest.approx(height, abs=1e-4)
    assert np.isfinite(shaped.vertices).all()


def test_left_is_plus_x_and_the_face_looks_to_plus_z():
    shaped, _ = bound()
    assert joint(shaped.joints, "eye.L")[0] > 0.01
    nose = BODY.keypoints(shaped.vertices)[BODY.coco_names.index("nose")]
    assert nose[2] > joint(shaped.joints, "head")[2] + 0.05
    assert BODY.keypoints(shaped.vertices)[BODY.coco_names.index("left_wrist")][0] > 0.2


def test_mirror_pairs_vertices():
    vertices = BODY.template.numpy()[:STOP]
    opposite = vertices[BODY.mirror[:STOP]] * [-1, 1, 1]
    assert np.abs(opposite - vertices).max() < 0.004


def test_a_heavier_body_is_wider_and_a_child_has_a_bigger_head():
    def width(weight):
        vertices = bound(BodySpec("man", 40, 1.75, weight))[0].vertices[:STOP]
        middle = vertices[np.abs(vertices[:, 1] - 1.05) < 0.05]
        return np.ptp(middle[np.abs(middle[:, 0]) < 0.35][:, 2])

    assert width(0.95) > width(0.5) > width(0.1)

    def head(age, height):
        shaped = bound(BodySpec("woman", age, height))[0]
        return (shaped.vertices[:STOP, 1].max() - joint(shaped.joints, "neck02")[1]) / height

    assert head(6, 1.16) > 1.08 * head(30, 1.66)


def test_shoulders_and_hips_are_as_broad_as_asked():
    def breadths(**asked):
        person = shape_person(BODY, BodySpec(**asked), FaceSpec())
        across = np.ptp(joint(person.joints, "upperarm01.L") - joint(person.joints, "upperarm01.R"))
        points = person.vertices[:STOP]
        hips = points[(np.abs(points[:, 1] - 0.9) < 0.03) & (np.abs(points[:, 0]) < 0.3)]
        return across, np.ptp(hips[:, 0])

    shoulders, hips = breadths()
    assert breadths(shoulders=0.0)[0] < shoulders - 0.04 and breadths(shoulders=1.0)[0] > shoulders + 0.04
    assert breadths(hips=0.0)[1] < hips - 0.02 and breadths(hips=1.0)[1] > hips + 0.02
    assert abs(breadths(shoulders=1.0)[1] - hips) < 0.01


def test_nobody_in_particular_is_the_average_of_all():
    def shape(seed):
        return shape_person(BODY, BodySpec(identity=seed), FaceSpec()).vertices

    others = np.stack([shape(seed) for seed in range(1, 41)])
    away = [np.linalg.norm(each - others.mean(0), axis=1).mean() for each in (shape(0), *others)]
    assert away[0] < 0.5 * np.median(away[1:])


def test_a_child_has_large_eyes_a_short_jaw_and_a_small_nose():
    def face(age, height, identity):
        spec = BodySpec("man", age, height, identity=identity)
        vertices = shape_person(BODY, spec, FaceSpec()).vertices
        points = face_contours(vertices)
        long = points["oval"][0, 1] - points["oval"][18, 1]
        eye = np.linalg.norm(points["left_eye"][0] - points["left_eye"][8])
        jaw = points["lips_inner"][:, 1].mean() - points["oval"][18, 1]
        tip = vertices[:STOP, 2].max() - points["left_eye"][:, 2].max()
        return np.array([eye, jaw, tip]) / long

    boy, man = (np.mean([face(age, height, i) for i in range(4)], 0) for age, height in ((8, 1.28), (30, 1.76)))
    assert boy[0] > 1.05 * man[0]
    assert boy[1] < 0.95 * man[1]
    assert boy[2] < 0.95 * man[2]


def test_no_face_is_quite_even():
    changes = local_changes(BODY, BodySpec(identity=3), FaceSpec())
    pairs = [(strength, changes.get("r" + name[1:])) for name, strength in changes.items() if name.startswith("l-")]
    gaps = [abs(left - right) for left, right in pairs if right is not None]
    assert gaps and 0 < np.mean(gaps) < 0.15


def test_shape_is_differentiable_in_the_phenotypes():
    phenotypes = torch.tensor([0.3, 0.6, 0.4, 0.6, 0.45, 0.5], requires_grad=True)
    vertices, _ = BODY.shape(phenotypes)
    vertices[:, 1].max().backward()
    assert phenotypes.grad is not None
    step = torch.zeros(6)
    step[4] = 1e-2
    with torch.no_grad():
        difference = (
            BODY.shape(phenotypes + step)[0][:, 1].max() - BODY.shape(phenotypes - step)[0][:, 1].max()
        ) / 2e-2
    assert float(phenotypes.grad[4]) == pytest.approx(float(difference), rel=1e-2)


def test_weights_sum_to_one_with_four_joints():
    assert BODY.skin_weights.shape[1] == 4
    np.testing.assert_allclose(BODY.skin_weights.sum(1), 1, atol=1e-5)
    assert (BODY.skin_weights >= 0).all()


def test_there_are_52_expressions_and_the_jaw_opens_downwards():
    assert len(BODY.expressions) == 52
    indices, offsets = BODY.expressions["jawOpen"]
    assert offsets[:, 1].min() < -0.02
    names = np.array(BODY.joint_names)[BODY.skin_joints[indices, 0]]
    assert np.mean(names == "head") > 0.95


def test_t_pose_has_arms_along_x_and_palms_down():
    _, bind = bound(BodySpec("woman", 30, 1.66, identity=5))
    for side, sign in (("L", 1), ("R", -1)):
        shoulder, elbow, wrist = (joint(bind.joints, f"{n}.{side}") for n in ("upperarm01", "lowerarm01", "wrist"))
        assert elbow[0] * sign > shoulder[0] * sign + 0.2
        np.testing.assert_allclose([elbow[1], wrist[1]], shoulder[1], atol=2e-3)
        np.testing.assert_allclose([elbow[2], wrist[2]], shoulder[2], atol=2e-3)
        index, little = joint(bind.joints, f"finger2-1.{side}"), joint(bind.joints, f"finger5-1.{side}")
        assert index[2] > little[2] + 0.03  # palms down: the index finger is in front
        assert abs(index[1] - little[1]) < 0.012
        hip, ankle = joint(bind.joints, f"upperleg01.{side}"), joint(bind.joints, f"foot.{side}")
        np.testing.assert_allclose(ankle[[0, 2]], hip[[0, 2]], atol=2e-3)


def test_taking_the_rest_pose_again_restores_what_was_modelled():
    shaped, bind = bound(BodySpec("man", 50, 1.8, 0.8))
    placed = bind.place(shaped.vertices, BODY.skin_weights, BODY.skin_joints)
    transforms = joint_transforms(bind.joints.astype(np.float64), BODY.joint_parents, bind.rest_pose)
    back = skin(placed, BODY.skin_weights, BODY.skin_joints, transforms)
    np.testing.assert_allclose(back, shaped.vertices, atol=2e-5)


def test_identity_pose_moves_nothing_and_a_turned_root_turns_all():
    shaped, bind = bound()
    skeleton = BODY.skeleton(bind.joints)
    points = bind.place(shaped.vertices, BODY.skin_weights, BODY.skin_joints)
    same = skin(points, BODY.skin_weights, BODY.skin_joints, pose_transforms(skeleton, {}))
    np.testing.assert_allclose(same, points, atol=1e-5)
    quarter = Rotation.from_euler("y", 90, degrees=True)
    turned = skin(
        points, BODY.skin_weights, BODY.skin_joints, pose_transforms(skeleton, {"root": (0.5**0.5, 0.0, 0.5**0.5, 0.0)})
    )
    root = bind.joints[0]
    np.testing.assert_allclose(turned, quarter.apply(points - root) + root, atol=1e-4)


def test_an_unknown_joint_is_refused():
    _, bind = bound()
    with pytest.raises(ValueError):
        pose_transforms(BODY.skeleton(bind.joints), {"tail": (1.0, 0.0, 0.0, 0.0)})


@pytest.mark.weights
def test_equals_anny():
    """Against the package itself; its first build takes minutes. Run with ``-m weights`` and ``bozzetto[asset]``."""
    anny = pytest.importorskip("anny")
    model = anny.Anny(local_changes="default", facial_actions="all")
    phenotypes = torch.tensor([[0.2, 0.5, 0.7, 0.3, 0.6, 0.4]], dtype=torch.float64)
    zeros = torch.zeros(1, len(model.local_change_labels), dtype=torch.float64)
    coefficients = model._get_phenotype_blendshape_coefficients(phenotypes, zeros, torch.zeros(1, 52).double())
    theirs = model.get_rest_vertices(coefficients)[0].numpy()
    theirs = np.stack([theirs[:, 0], theirs[:, 2], -theirs[:, 1]], -1)
    ours = BODY.shape(phenotypes[0].float())[0][:STOP].numpy()
    assert np.abs(ours - theirs).max() < 1e-3


def test_raised_arms_leave_what_lies_between_shoulder_and_neck_alone():
    rest = BODY.template.numpy()
    dense = np.zeros((len(rest), len(BODY.joint_names)))
    np.add.at(dense, (np.arange(len(rest))[:, None], BODY.skin_joints), BODY.skin_weights)
    shoulder, elbow = (joint(BODY.joint_template.numpy(), name) for name in ("upperarm01.L", "lowerarm01.L"))
    arm = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    above = (rest[:, 0] > 0) & ((shoulder - rest) @ arm > 0.1)
    assert above.sum() > 500
    assert dense[above, BODY.joint_names.index("upperarm01.L")].max() < 0.03
