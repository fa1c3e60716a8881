"""Recordings carried to our skeleton: the same directions whatever the source's rest, names, axes and units."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bozzetto.motion.builtin import built_in
from bozzetto.motion.bvh import read_bvh, write_bvh
from bozzetto.motion.feet import soles
from bozzetto.motion.frames import to_frames
from bozzetto.motion.retarget import retarget
from bozzetto.motion.vrma import read_vrma, write_vrma
from bozzetto.types import UserError
from export_people import person
from motion.recordings import CMU, MIXAMO, bvh_text, lowered_arms, walking, world_positions

LIMBS = {
    "upperarm01": ("lowerarm01", "Arm", "ForeArm"), "lowerarm01": ("wrist", "ForeArm", "Hand"),
    "upperleg01": ("lowerleg01", "UpLeg", "Leg"), "lowerleg01": ("foot", "Leg", "Foot"),
}  # fmt: skip


@pytest.fixture(scope="module")
def avatar():
    return person()


def carried(text, path, avatar):
    path.write_text(text)
    return retarget(read_bvh(path), avatar.skeleton, soles(avatar))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def saluting(bones, count=12):
    """World turns from a T-pose: the arms move, the trunk bends, one knee rises."""
    share = np.linspace(0, 1, count)[:, None]

    def turn(*degrees):
        return Rotation.from_euler("XYZ", share * np.array([degrees]), degrees=True).as_matrix()

    hips = turn(6, 25, 0)
    chest = hips @ turn(14, 10, -6)
    return {
        "Hips": hips, "Spine": hips @ turn(5, 3, -2), "Spine1": hips @ turn(10, 7, -4), "Spine2": chest,
        "LeftArm": chest @ turn(20, -40, -50), "LeftForeArm": chest @ turn(20, -120, -40),
        "LeftHand": chest @ turn(30, -110, -30), "RightArm": chest @ turn(0, 30, -60),
        "RightForeArm": chest @ turn(10, 90, -30), "LeftUpLeg": hips @ turn(-40, 5, 8),
        "LeftLeg": hips @ turn(30, 5, 8), "RightUpLeg": hips @ turn(4, 0, -6), "RightLeg": hips @ turn(16, 0, -6),
        "RightFoot": turn(0, 10, 0), "LeftFoot": turn(0, 10, 0),
    }  # fmt: skip


def directions(avatar, clip):
    points = to_frames(clip, avatar.skeleton).forward()[1]
    joint = avatar.skeleton.index
    return {
        f"{bone}.{side}": unit(points[:, joint(f"{child}.{side}")] - points[:, joint(f"{bone}.{side}")])
        for bone, (child, _, _) in LIMBS.items()
        for side in "LR"
    }


def wanted(turns, bones):
    """Directions of the limbs as recorded, by our names."""
    rest = world_positions(bones)
    count = len(turns["Hips"])
    out = {}
    for bone, (_, start, end) in LIMBS.items():
        for side, word in (("L", "Left"), ("R", "Right")):
            name = word + start
            turn = turns[name] if name in turns else np.tile(np.eye(3), (count, 1, 1))
            out[f"{bone}.{side}"] = unit(turn @ (rest[word + end] - rest[name]))
    return out


def a_posed(turns, degrees):
    """The turns that bring an A-posed skeleton into the same poses, its arms' rolls turned too."""
    out = dict(turns)
    for side, sign in (("Left", -1), ("Right", 1)):
        back = Rotation.from_euler("z", -sign * degrees, degrees=True).as_matrix()
        for bone in ("Arm", "ForeArm", "Hand"):
            if side + bone in out:
                out[side + bone] = out[side + bone] @ back
    return out


def far(found, want):
    """The largest angle between two directions, degrees, over all limbs."""
    return max(float(np.degrees(np.arccos(np.clip((found[k] * want[k]).sum(-1), -1, 1))).max()) for k in want)


def test_a_known_pose_gives_the_same_directions(avatar, tmp_path):
    turns = saluting(MIXAMO)
    roots = np.tile([0.0, 98, 0], (12, 1))
    text = bvh_text(MIXAMO, turns, roots, prefix="mixamorig:")
    found = directions(avatar, carried(text, tmp_path / "m.bvh", avatar).clip)
    want = wanted(turns, MIXAMO)
    arms = {name: each for name, each in want.items() if "arm" in name}
    assert far(found, arms) < 0.5
    assert far(found, want) < 6.0, "legs give way a little for the feet"


@pytest.mark.parametrize("degrees", [45, 80])
def test_another_rest_pose_gives_the_same_motion(avatar, tmp_path, degrees):
    turns = saluting(MIXAMO)
    roots = np.tile([0.0, 98, 0], (12, 1))
    plain = carried(bvh_text(MIXAMO, turns, roots), tmp_path / "t.bvh", avatar).clip
    bones = lowered_arms(MIXAMO, degrees)
    text = bvh_text(bones, a_posed(turns, degrees), roots, prefix="mixamorig4:", order="XZY")
    lowered = carried(text, tmp_path / "a.bvh", avatar).clip
    assert far(directions(avatar, lowered), directions(avatar, plain)) < 0.5
    # Not directions alone: hands turn alike, too.
    a, b = (to_frames(clip, avatar.skeleton).forward()[0] for clip in (plain, lowered))
    hand = avatar.skeleton.index("wrist.L")
    assert np.degrees(Rotation.from_matrix(a[:, hand].transpose(0, 2, 1) @ b[:, hand]).magnitude()).max() < 1.0


def test_axes_units_and_names_do_not_matter(avatar, tmp_path):
    turns = saluting(MIXAMO)
    roots = np.tile([0.0, 98, 0], (12, 1)) + np.linspace(0, 40, 12)[:, None] * [0, 0, 1]
    plain = carried(bvh_text(MIXAMO, turns, roots), tmp_path / "t.bvh", avatar).clip
    z_up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    rename = {name: f"b{index:02d}" for index, name in enumerate(MIXAMO)}
    backwards = np.diag([-1.0, 1.0, -1.0])
    unreal = {"Hips": "pelvis", "Spine": "spine_01", "Spine1": "spine_02", "Spine2": "spine_03", "Neck": "neck_01"}
    parts = {"Shoulder": "clavicle", "Arm": "upperarm", "ForeArm": "lowerarm", "Hand": "hand", "UpLeg": "thigh",
             "Leg": "calf", "Foot": "foot", "ToeBase": "ball", "HandMiddle1": "middle_01"}  # fmt: skip
    unreal |= {
        f"{word}{part}": f"{name}_{word[0].lower()}" for word in ("Left", "Right") for part, name in parts.items()
    }
    blender = {"Hips": "hips", "Spine": "spine", "Spine1": "chest"} | {
        f"{word}{part}": f"{name}.{word[0]}" for word in ("Left", "Right")
        for part, name in {"Arm": "upper_arm", "ForeArm": "forearm", "UpLeg": "thigh", "Leg": "shin", "Foot": "foot",
                           "ToeBase": "toe", "Hand": "hand", "Shoulder": "shoulder"}.items()
    }  # fmt: skip
    biped = {"Hips": "Bip01 Pelvis", "Spine": "Bip01 Spine", "Spine1": "Bip01 Spine1", "Spine2": "Bip01 Spine2"} | {
        f"{word}{part}": f"Bip01 {word[0]} {name}" for word in ("Left", "Right")
        for part, name in {"Arm": "UpperArm", "ForeArm": "Forearm", "UpLeg": "Thigh", "Leg": "Calf", "Foot": "Foot",
                           "ToeBase": "Toe0", "Hand": "Hand", "Shoulder": "Clavicle"}.items()
    }  # fmt: skip
    old = {f"{word}{part}": f"{word}{name}" for word in ("Left", "Right")
           for part, name in {"Shoulder": "Collar", "Arm": "Shoulder", "ForeArm": "Elbow", "Hand": "Wrist",
                              "UpLeg": "Hip", "Leg": "Knee", "Foot": "Ankle", "ToeBase": "Foot"}.items()}  # fmt: skip
    for label, options in {
        "inches": {"scale": 1 / 2.54}, "z up": {"axes": z_up}, "faces away": {"axes": backwards},
        "no names": {"rename": rename}, "Unreal": {"rename": unreal}, "Rigify": {"rename": blender},
        "Biped": {"rename": biped}, "positions": {"rename": old},
    }.items():  # fmt: skip
        other = carried(bvh_text(MIXAMO, turns, roots, **options), tmp_path / "o.bvh", avatar).clip
        a, b = (to_frames(clip, avatar.skeleton).forward()[1] for clip in (plain, other))
        assert np.abs(a - b).max() < (0.05 if label == "no names" else 0.003), label


def test_bones_with_axes_of_their_own_are_read_by_the_pose_they_begin_in(avatar, tmp_path):
    """A file whose rest is a row of bones along y: only the first frame shows the T-pose."""
    turns = saluting(MIXAMO)
    rest = world_positions(MIXAMO)
    bones, own = {}, {}
    for name, (parent, offset) in MIXAMO.items():
        length = float(np.linalg.norm(offset))
        bones[name] = (parent, (0.0, length, 0.0) if parent else tuple(offset))
        children = [each for each, (above, _) in MIXAMO.items() if above == name]
        ahead = rest[children[0]] - rest[name] if len(children) == 1 else np.array([0.0, 1, 0])
        own[name] = Rotation.align_vectors([unit(ahead)], [[0.0, 1, 0]])[0].as_matrix() if parent else np.eye(3)
    # Only chains can lie in a row; where bones part, the offsets keep their place.
    for name, (parent, offset) in MIXAMO.items():
        if parent and sum(above == parent for above, _ in MIXAMO.values()) > 1:
            bones[name] = (parent, tuple(own[parent].T @ np.array(offset, float)))
    count = 12
    still = {name: np.tile(np.eye(3), (count, 1, 1)) for name in MIXAMO}
    for name, (parent, _) in MIXAMO.items():
        still[name] = turns.get(name, still[parent] if parent else still[name])
    world = {name: still[name] @ own[name] for name in MIXAMO}
    text = bvh_text(bones, world, np.tile([0.0, 98, 0], (count, 1)))
    found = directions(avatar, carried(text, tmp_path / "o.bvh", avatar).clip)
    want = {name: each for name, each in wanted(turns, MIXAMO).items() if "arm" in name}
    assert far(found, want) < 1.0


@pytest.mark.parametrize("bones, scale, order", [(MIXAMO, 1.0, "ZXY"), (CMU, 1.0, "ZYX")], ids=["Mixamo", "CMU"])
def test_resting_feet_slide_no_more_than_the_recordings(avatar, tmp_path, bones, scale, order):
    turns, roots = walking(bones)
    result = carried(bvh_text(bones, turns, roots, order=order), tmp_path / "walk.bvh", avatar)
    assert result.contact["L"].mean() > 0.3
    assert result.contact["R"].mean() > 0.3
    assert result.slide < result.source_slide + 0.002
    frames = to_frames(result.clip, avatar.skeleton)
    way = frames.root[-1] - frames.root[0]
    assert way[2] > 0.8
    assert abs(way[0]) < 0.05
    low = min(frames.forward()[1][:, avatar.skeleton.index(f"foot.{side}"), 1].min() for side in "LR")
    rest = float(avatar.skeleton.positions[avatar.skeleton.index("foot.L"), 1])
    assert abs(low - rest) < 0.02


def test_feet_that_skate_in_the_recording_skate_no_more(avatar, tmp_path):
    turns, roots = walking(MIXAMO)
    roots = roots + np.linspace(0, 12, len(roots))[:, None] * [1.0, 0, 0]
    result = carried(bvh_text(MIXAMO, turns, roots), tmp_path / "walk.bvh", avatar)
    assert result.source_slide > 0.02
    assert result.slide < 1.02 * result.source_slide + 0.002


@pytest.mark.parametrize("name", ["walk", "run", "sit", "dance"])
def test_our_own_clips_come_back(avatar, tmp_path, name):
    clip = built_in(name, avatar)
    write_bvh(clip, avatar.skeleton, tmp_path / "own.bvh")
    write_vrma(clip, avatar.skeleton, tmp_path / "own.vrma")
    before = to_frames(clip, avatar.skeleton).forward()[1]
    toes = np.array([joint.startswith("toe") for joint in avatar.skeleton.names])
    for source, most in ((read_bvh(tmp_path / "own.bvh"), 0.004), (read_vrma(tmp_path / "own.vrma"), 0.012)):
        back = retarget(source, avatar.skeleton, soles(avatar))
        after = to_frames(back.clip, avatar.skeleton).forward()[1]
        assert len(after) == len(before)
        # It begins where the character stands: the way sideways and ahead is kept, not the place.
        shift = (after - before).mean((0, 1)) * [1.0, 0.0, 1.0]
        apart = np.linalg.norm(after - shift - before, axis=2)[:, ~toes]
        assert apart.max() < most


def test_what_is_no_person_is_refused(avatar, tmp_path):
    chain = {"root": (None, (0, 0, 0)), "tail1": ("root", (0, 0, 10)), "tail2": ("tail1", (0, 0, 10))}
    with pytest.raises(UserError, match="no person"):
        carried(bvh_text(chain, {"root": np.tile(np.eye(3), (4, 1, 1))}, np.zeros((4, 3))), tmp_path / "x.bvh", avatar)
