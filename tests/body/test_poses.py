"""Poses stay within limits, are many, keep limbs out of each other, and motions loop."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import bind_t_pose, pose_transforms, skin
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import (
    STANDING,
    Arm,
    Posture,
    check,
    idle,
    limb_groups,
    mirrored,
    penetration,
    poses,
    posture_from_dict,
    posture_to_dict,
    rotations,
    walk,
)
from bozzetto.figure.spec import BodySpec, FaceSpec

BODY = load_body()
STOP = BODY.parts["body"].stop
WEIGHTS, JOINTS = BODY.skin_weights[:STOP], BODY.skin_joints[:STOP]


def stand(spec):
    shaped = shape_person(BODY, spec, FaceSpec())
    bind = bind_t_pose(BODY.joint_names, BODY.joint_parents, shaped.joints)
    return bind.place(shaped.vertices[:STOP], WEIGHTS, JOINTS), BODY.skeleton(bind.joints)


def test_at_least_two_hundred_poses_within_limits():
    assert len(poses()) >= 200
    for posture in poses().values():
        check(posture)
        assert posture_from_dict(posture_to_dict(posture)) == posture


@pytest.mark.parametrize("word", ["sit", "crouch", "run", "lying", "arms crossed", "wav", "kneel", "danc", "jump"])
def test_the_poses_people_ask_for_exist(word):
    assert any(word in name for name in poses())


def test_an_impossible_knee_is_refused():
    with pytest.raises(ValueError, match="elbow"):
        check(Posture(left_arm=Arm(elbow=170)))


def test_no_limb_enters_another_part():
    """On a body that the table was not made with; every sixth pose."""
    rest, skeleton = stand(BodySpec("man", 28, 1.74, 0.5, identity=11))
    groups = limb_groups(BODY.joint_names, WEIGHTS, JOINTS)
    depths = {}
    for name in list(poses())[::6]:
        moved = skin(rest, WEIGHTS, JOINTS, pose_transforms(skeleton, rotations(poses()[name])))
        depths[name] = penetration(moved, groups, BODY.parts["body"].faces)
    assert {name: depth for name, depth in depths.items() if depth > 0.02} == {}
    # And the ruler measures: an arm pushed through the chest is found.
    through = Posture(right_arm=Arm(down=88, twist=-90, elbow=118, swing=-6))
    moved = skin(rest, WEIGHTS, JOINTS, pose_transforms(skeleton, rotations(through)))
    assert penetration(moved, groups, BODY.parts["body"].faces) > 0.02


def bent(name, finger, side="R"):
    """Degrees between a finger's first and last bone."""
    _, skeleton = stand(BodySpec())
    transforms = pose_transforms(skeleton, rotations(poses()[name]))
    points = skeleton.positions.numpy()
    at = [
        transforms[skeleton.index(joint), :, :3] @ points[skeleton.index(joint)]
        + transforms[skeleton.index(joint), :, 3]
        for joint in (f"metacarpal{finger - 1}.{side}", *(f"finger{finger}-{part}.{side}" for part in (1, 2, 3)))
    ]
    first, last = at[1] - at[0], at[3] - at[2]
    return np.degrees(np.arccos(first @ last / np.linalg.norm(first) / np.linalg.norm(last)))


def test_who_points_stretches_the_index_finger_alone():
    assert bent("pointing", 2) < 32
    assert min(bent("pointing", finger) for finger in (3, 4, 5)) > 70


@pytest.mark.parametrize("name", [name for name in poses() if name.startswith("kneeling")])
def test_who_kneels_has_a_knee_on_the_floor(name):
    rest, skeleton = stand(BodySpec("man", 40, 1.8, 0.62))
    strongest = np.array(BODY.joint_names)[JOINTS[np.arange(len(JOINTS)), WEIGHTS.argmax(1)]]
    knees = np.array([joint.startswith(("upperleg02", "lowerleg01")) for joint in strongest])
    moved = skin(rest, WEIGHTS, JOINTS, pose_transforms(skeleton, rotations(poses()[name])))
    assert moved[knees, 1].min() - moved[:, 1].min() < 0.02


def test_who_stands_has_both_feet_on_the_floor():
    rest, skeleton = stand(BodySpec("woman", 33, 1.68, 0.5, identity=4))
    strongest = np.array(BODY.joint_names)[JOINTS[np.arange(len(JOINTS)), WEIGHTS.argmax(1)]]
    feet = [
        np.array([joint.startswith(("foot", "toe")) and joint.endswith(side) for joint in strongest]) for side in "LR"
    ]

    def apart(posture):
        transforms = pose_transforms(skeleton, rotations(posture))
        left, right = (skin(rest[foot], WEIGHTS[foot], JOINTS[foot], transforms)[:, 1].min() for foot in feet)
        return abs(left - right)

    standing = {name: apart(posture) for name, posture in poses().items() if name.rstrip(" 0123456789") in STANDING}
    assert len(standing) > 100 and max(standing.values()) < 0.03 and np.mean(list(standing.values())) < 0.01
    assert apart(poses()["balancing"]) > 0.04


@pytest.mark.parametrize("name", ["crouching", "sitting", "standing", "hands on hips", "stretching"])
def test_soles_on_the_floor_do_not_roll_sideways(name):
    _, skeleton = stand(BodySpec())
    transforms = pose_transforms(skeleton, rotations(poses()[name]))
    across = [transforms[skeleton.index(f"foot.{side}"), 1, 0] for side in "LR"]
    assert np.degrees(np.arcsin(np.abs(across))).max() < 3


def hand_to(name, part, bodies):
    """Least distances in metres between the left hand and a part of ``limb_groups``."""
    groups = limb_groups(BODY.joint_names, WEIGHTS, JOINTS)
    found = []
    for spec in bodies:
        rest, skeleton = stand(spec)
        moved = skin(rest, WEIGHTS, JOINTS, pose_transforms(skeleton, rotations(poses()[name])))
        found.append(cKDTree(moved[groups[part]]).query(moved[groups["hand.L"]])[0].min())
    return max(found)


@pytest.mark.parametrize(
    ("name", "part"),
    [("sitting", "thigh.L"), ("praying", "hand.R"), ("hands on hips", "trunk"), ("arms crossed", "upperarm.R")],
)
def test_hands_are_where_the_pose_says(name, part):
    adults = BodySpec("woman", 33, 1.68, 0.5, identity=4), BodySpec("man", 45, 1.79, 0.55, identity=9)
    assert hand_to(name, part, adults) < 0.035
    assert hand_to("t-pose", part, adults) > 0.1


def test_variations_of_a_touching_pose_keep_its_arms():
    names = [name for name in poses() if name.startswith("praying ")]
    assert names and all(poses()[name].left_arm == poses()["praying"].left_arm for name in names)


def test_mirroring_a_pose_mirrors_the_body():
    rest, skeleton = stand(BodySpec())
    points = (rest + rest[BODY.mirror[:STOP]] * [-1, 1, 1]) / 2
    weights, joints = WEIGHTS, JOINTS
    posture = poses()["throwing"]
    moved = skin(points, weights, joints, pose_transforms(skeleton, rotations(posture)))
    other = skin(points, weights, joints, pose_transforms(skeleton, rotations(mirrored(posture))))
    gap = np.linalg.norm(other[BODY.mirror[:STOP]] * [-1, 1, 1] - moved, axis=1)
    assert np.median(gap) < 0.006


@pytest.mark.parametrize("clip", [walk(1.7), idle()])
def test_motions_loop_with_unit_quaternions(clip):
    assert np.all(np.diff(clip.times) > 0)
    for name, quaternions in clip.rotations_wxyz.items():
        assert name in BODY.joint_names
        np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-5)
        first, last = (Rotation.from_quat(quaternions[i][[1, 2, 3, 0]]) for i in (0, -1))
        assert (first.inv() * last).magnitude() < 1e-4


def test_a_walking_leg_swings_forward_and_back():
    clip = walk(1.7)
    turns = [
        Rotation.from_quat(q[[1, 2, 3, 0]]).as_euler("xyz", degrees=True)[0]
        for q in clip.rotations_wxyz["upperleg01.L"]
    ]
    assert min(turns) < -20 and max(turns) > 12
