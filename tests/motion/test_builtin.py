"""Built-in motions: loops close, soles stay on the floor and where they stand, joints stay within what joints allow."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import bind_t_pose, joint_transforms, skin
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import limb_groups, penetration
from bozzetto.figure.spec import BodySpec, FaceSpec
from bozzetto.motion.builtin import MOTIONS, RUN, WALK, built_in, performer
from bozzetto.motion.command import BUILT_IN
from bozzetto.motion.feet import SIDES, sole_points
from bozzetto.motion.frames import rest_positions, to_frames
from bozzetto.types import Avatar
from export_people import person


@pytest.fixture(scope="module")
def avatar():
    return person()


@cache
def frames_of(avatar, name):
    return to_frames(built_in(name, avatar), avatar.skeleton)


def test_the_command_offers_what_there_is():
    assert set(BUILT_IN) == set(MOTIONS)


@pytest.mark.parametrize("name", sorted(set(MOTIONS) - {"sit"}))
def test_ends_as_it_begins(avatar, name):
    frames = frames_of(avatar, name)
    assert np.abs(frames.local[0] - frames.local[-1]).max() < 1e-5
    assert np.abs(frames.root[0] - frames.root[-1]).max() < 1e-5
    speed = np.abs(np.diff(frames.root, axis=0)).max()
    assert speed < 0.06, "no jump between frames"


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_soles_stay_above_the_floor_and_someone_stands(avatar, name):
    frames, who = frames_of(avatar, name), performer(avatar)
    low = np.min([sole_points(frames, side, who.soles[side])[:, :, 1].min(1) for side in SIDES], axis=0)
    assert low.min() > -0.002
    in_the_air = (low > 0.005).mean()
    assert in_the_air < (0.4 if name == "run" else 0.01)


@pytest.mark.parametrize("name", ["idle", "wave", "sit"])
def test_feet_that_stand_do_not_slide(avatar, name):
    frames, who = frames_of(avatar, name), performer(avatar)
    for side in SIDES:
        points = sole_points(frames, side, who.soles[side])
        assert np.abs(points - points[0]).max() < 1e-5


@pytest.mark.parametrize("name, gait", [("walk", WALK), ("run", RUN)])
def test_a_standing_foot_travels_at_the_one_speed_of_the_gait(avatar, name, gait):
    frames, who = frames_of(avatar, name), performer(avatar)
    speed = gait.stride * who.leg / frames.times[-1]
    for side in SIDES:
        points = sole_points(frames, side, who.soles[side])
        low = points[:, :, 1] < 1e-4
        steps = np.diff(points[:, :, [0, 2]], axis=0) / np.diff(frames.times)[:, None, None]
        both = low[1:] & low[:-1]
        assert both.sum() > 6
        assert np.abs(steps[both] - [0.0, -speed]).max() < 0.04 * speed


def test_dance_stands_on_one_foot_while_the_other_goes(avatar):
    frames, who = frames_of(avatar, "dance"), performer(avatar)
    ways = []
    for side in SIDES:
        points = sole_points(frames, side, who.soles[side])[:, 1]
        ways.append(np.linalg.norm(np.diff(points[:, [0, 2]], axis=0), axis=1))
    assert np.minimum(*ways).max() < 1e-4
    assert np.maximum(*ways).max() > 0.01


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_knees_and_elbows_bend_as_they_can(avatar, name):
    frames = frames_of(avatar, name)
    skeleton = avatar.skeleton
    for side in SIDES:
        knee = Rotation.from_matrix(frames.local[:, skeleton.index(f"lowerleg01.{side}")]).as_rotvec(degrees=True)
        assert np.abs(knee[:, 1:]).max() < 1e-6
        assert knee[:, 0].min() > 2
        assert knee[:, 0].max() < 135
        elbow = Rotation.from_matrix(frames.local[:, skeleton.index(f"lowerarm01.{side}")]).magnitude()
        assert np.degrees(elbow).max() < 145
        foot = Rotation.from_matrix(frames.local[:, skeleton.index(f"foot.{side}")]).as_euler("YZX", degrees=True)
        assert foot[:, 2].min() > -35
        assert foot[:, 2].max() < 60


def test_sit_ends_on_a_seat_with_hands_on_the_thighs(avatar):
    frames = frames_of(avatar, "sit")
    points = frames.forward()[1]
    joint = avatar.skeleton.index
    hip, knee, ankle = (points[-1, joint(f"{bone}.L")] for bone in ("upperleg01", "lowerleg01", "foot"))
    assert abs(hip[1] - knee[1]) < 0.08
    assert abs(knee[2] - ankle[2]) < 0.12
    assert np.abs(np.diff(points[-10:], axis=0)).max() < 0.004
    hand = points[-1, joint("wrist.L")]
    assert hip[2] < hand[2] < knee[2]
    assert hand[1] > hip[1]
    assert points[0, joint("head")][1] > points[-1, joint("head")][1] + 0.25


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(sorted(MOTIONS)), st.sampled_from([5, 12, 24, 60]))
def test_every_rate_gives_a_clip_that_a_file_takes(name, fps):
    clip = built_in(name, person(), fps)
    assert (np.diff(clip.times) > 0).all()
    for wxyz in clip.rotations_wxyz.values():
        assert np.isfinite(wxyz).all()
        assert np.abs(np.linalg.norm(wxyz, axis=1) - 1).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [BodySpec("woman", 30, 1.66, 0.45), BodySpec("man", 40, 1.8, 0.75)], ids=["woman", "man"]
)
@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_no_limb_enters_the_body(name, spec):
    body = load_body()
    stop = body.parts["body"].stop
    weights, joints = body.skin_weights[:stop], body.skin_joints[:stop]
    shaped = shape_person(body, spec, FaceSpec())
    bind = bind_t_pose(body.joint_names, body.joint_parents, shaped.joints)
    rest = bind.place(shaped.vertices[:stop], weights, joints)
    skeleton = body.skeleton(bind.joints - [0.0, rest[:, 1].min(), 0.0])
    rest = rest - np.array([0.0, rest[:, 1].min(), 0.0], np.float32)
    frames = to_frames(built_in(name, Avatar((), skeleton), 12), skeleton)
    groups = limb_groups(body.joint_names, weights, joints)
    home = rest_positions(skeleton)
    for index in range(0, len(frames.times), 2):
        moved = joint_transforms(home, skeleton.parents, frames.local[index], frames.root[index] - home[0])
        posed = skin(rest, weights, joints, moved)
        assert penetration(posed, groups, body.parts["body"].faces) < 0.012
