"""Recordings as other programs write them, made here: their names, order of channels, axes and units are facts."""

import numpy as np
from scipy.spatial.transform import Rotation

MIXAMO = {
    # name: parent, offset in centimetres (T-pose, y up, facing +z)
    "Hips": (None, (0, 98, 0)), "Spine": ("Hips", (0, 10, -1)), "Spine1": ("Spine", (0, 11.7, 0)),
    "Spine2": ("Spine1", (0, 13.4, 0)), "Neck": ("Spine2", (0, 15, 0.9)), "Head": ("Neck", (0, 10, 3)),
    "LeftShoulder": ("Spine2", (6, 9, 0)), "LeftArm": ("LeftShoulder", (13, 0, 0)),
    "LeftForeArm": ("LeftArm", (27, 0, 0)), "LeftHand": ("LeftForeArm", (28, 0, 0)),
    "LeftHandMiddle1": ("LeftHand", (12, 0, 0)), "RightShoulder": ("Spine2", (-6, 9, 0)),
    "RightArm": ("RightShoulder", (-13, 0, 0)), "RightForeArm": ("RightArm", (-27, 0, 0)),
    "RightHand": ("RightForeArm", (-28, 0, 0)), "RightHandMiddle1": ("RightHand", (-12, 0, 0)),
    "LeftUpLeg": ("Hips", (9, -6, 0)), "LeftLeg": ("LeftUpLeg", (0, -40, 0)), "LeftFoot": ("LeftLeg", (0, -42, 0)),
    "LeftToeBase": ("LeftFoot", (0, -7, 13)), "RightUpLeg": ("Hips", (-9, -6, 0)),
    "RightLeg": ("RightUpLeg", (0, -40, 0)), "RightFoot": ("RightLeg", (0, -42, 0)),
    "RightToeBase": ("RightFoot", (0, -7, 13)),
}  # fmt: skip
CMU = {
    # As converted by Bruce Hahne: inches over 0.45; hips with joints to the sides before the thighs.
    "Hips": (None, (0, 0, 0)), "LHipJoint": ("Hips", (0, 0, 0)), "LeftUpLeg": ("LHipJoint", (1.36, -1.79, 0.84)),
    "LeftLeg": ("LeftUpLeg", (2.45, -6.73, 0)), "LeftFoot": ("LeftLeg", (2.56, -7.04, 0)),
    "LeftToeBase": ("LeftFoot", (0.19, -0.53, 2.08)), "RHipJoint": ("Hips", (0, 0, 0)),
    "RightUpLeg": ("RHipJoint", (-1.36, -1.79, 0.84)), "RightLeg": ("RightUpLeg", (-2.45, -6.73, 0)),
    "RightFoot": ("RightLeg", (-2.56, -7.04, 0)), "RightToeBase": ("RightFoot", (-0.19, -0.53, 2.08)),
    "LowerBack": ("Hips", (0, 0, 0)), "Spine": ("LowerBack", (0.03, 2.02, -0.18)), "Spine1": ("Spine", (0, 2.03, 0.07)),
    "Neck": ("Spine1", (0, 0, 0)), "Neck1": ("Neck", (0, 1.6, 0.1)), "Head": ("Neck1", (0, 1.6, 0.1)),
    "LeftShoulder": ("Spine1", (0, 0, 0)), "LeftArm": ("LeftShoulder", (3.16, 1.6, 0)),
    "LeftForeArm": ("LeftArm", (5.0, 0, 0)), "LeftHand": ("LeftForeArm", (3.4, 0, 0)),
    "LeftFingerBase": ("LeftHand", (0, 0, 0)), "LeftHandIndex1": ("LeftFingerBase", (0.7, 0, 0)),
    "LThumb": ("LeftHand", (0, 0, 0)), "RightShoulder": ("Spine1", (0, 0, 0)),
    "RightArm": ("RightShoulder", (-3.16, 1.6, 0)), "RightForeArm": ("RightArm", (-5.0, 0, 0)),
    "RightHand": ("RightForeArm", (-3.4, 0, 0)), "RightFingerBase": ("RightHand", (0, 0, 0)),
    "RightHandIndex1": ("RightFingerBase", (-0.7, 0, 0)), "RThumb": ("RightHand", (0, 0, 0)),
}  # fmt: skip


def world_positions(bones):
    """Rest positions by name."""
    out = {}
    for name, (parent, offset) in bones.items():
        out[name] = np.array(offset, float) + (out[parent] if parent else 0.0)
    return out


def lowered_arms(bones, degrees):
    """The same skeleton whose rest has the arms that far below the horizontal: an A-pose."""
    out = dict(bones)
    for side, sign in (("Left", -1), ("Right", 1)):
        turn = Rotation.from_euler("z", sign * degrees, degrees=True)
        for bone in ("ForeArm", "Hand", "HandMiddle1", "FingerBase", "HandIndex1"):
            if f"{side}{bone}" in out:
                parent, offset = out[f"{side}{bone}"]
                out[f"{side}{bone}"] = parent, tuple(turn.apply(offset))
    return out


def bvh_text(bones, turns, roots, *, prefix="", seconds=1 / 30, order="ZYX", rename=None, axes=None, scale=1.0):
    """A BVH of world rotations by bone, relative to rest.

    Args:
        turns: For each bone its world rotations (k 3 3); bones left out follow their parent.
        roots: Where the first bone is (k 3), in the bones' units.
        order: Of the rotation channels, outermost first.
        rename: Other names.
        axes: World axes of the file, as rows.
        scale: Units of the file for one of the bones'.
    """
    axes = np.eye(3) if axes is None else axes
    names = {name: prefix + (rename or {}).get(name, name) for name in bones}
    children = {name: [each for each, (parent, _) in bones.items() if parent == name] for name in bones}
    lines, written = ["HIERARCHY"], []

    def write(name, depth):
        pad, parent = "\t" * depth, bones[name][0]
        written.append(name)
        offset = " ".join(f"{x:.6f}" for x in scale * axes @ np.array(bones[name][1], float))
        places = "" if parent else "Xposition Yposition Zposition "
        channels = places + " ".join(f"{axis}rotation" for axis in order)
        lines.extend((f"{pad}{'JOINT' if parent else 'ROOT'} {names[name]}", f"{pad}{{", f"{pad}\tOFFSET {offset}"))
        lines.append(f"{pad}\tCHANNELS {len(channels.split())} {channels}")
        for child in children[name]:
            write(child, depth + 1)
        if not children[name]:
            end = scale * axes @ (0.5 * np.array(bones[name][1], float))
            lines.extend((f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {end[0]:.6f} {end[1]:.6f} {end[2]:.6f}"))
            lines.append(f"{pad}\t}}")
        lines.append(f"{pad}}}")

    write(next(iter(bones)), 0)
    count = len(roots)
    world, columns = {}, []
    for name in written:
        parent = bones[name][0]
        above = world[parent] if parent else np.tile(np.eye(3), (count, 1, 1))
        world[name] = turns.get(name, above)
        local = axes @ (above.transpose(0, 2, 1) @ world[name]) @ axes.T
        if not parent:
            columns.append(scale * roots @ axes.T)
        columns.append(Rotation.from_matrix(local).as_euler(order, degrees=True))
    lines += ["MOTION", f"Frames: {count}", f"Frame Time: {seconds:.6f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in np.concatenate(columns, 1)]
    return "\n".join(lines) + "\n"


def walking(bones, steps=4, frames_a_step=18):
    """World turns and root path of somebody who walks forward: each foot stands still while the other goes.

    Made by two-bone inverse kinematics on the recorded skeleton itself, so what stands, stands exactly.
    """
    rest = world_positions(bones)
    count = steps * frames_a_step
    leg = np.linalg.norm(rest["LeftLeg"] - rest["LeftUpLeg"]) + np.linalg.norm(rest["LeftFoot"] - rest["LeftLeg"])
    stride = 0.5 * leg
    time = np.arange(count) / frames_a_step
    forward = stride * time / 2
    root = np.tile(rest["Hips"], (count, 1)) + np.stack([0 * time, 0 * time - 0.06 * leg, forward], 1)
    turns = {"Hips": np.tile(np.eye(3), (count, 1, 1))}
    for side, late in (("Left", 0), ("Right", 1)):
        u = np.clip((time + late) / 2 % 1.0 * 2 - 1, 0, 1)  # stands for a step, then swings for one
        swing = u**2 * (3 - 2 * u)
        landed = np.floor((time + late) / 2) + swing - late / 2
        ankle = np.tile(rest[f"{side}Foot"], (count, 1))
        ankle[:, 2] += stride * (landed + 0.25)
        ankle[:, 1] += 0.12 * leg * np.sin(np.pi * u)
        hip = root + rest[f"{side}UpLeg"] - rest["Hips"]
        thigh = rest[f"{side}Leg"] - rest[f"{side}UpLeg"]
        shin = rest[f"{side}Foot"] - rest[f"{side}Leg"]
        a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
        reach = ankle - hip
        far = np.minimum(np.linalg.norm(reach, axis=1), 0.9999 * (a + b))
        along = reach / np.linalg.norm(reach, axis=1, keepdims=True)
        axis = np.array([1.0, 0.0, 0.0])
        bend = np.arccos((a**2 + far**2 - b**2) / (2 * a * far))
        upper = Rotation.from_rotvec(-bend[:, None] * axis).apply(along)
        lower = (hip + along * far[:, None] - hip - a * upper) / b
        turns[f"{side}UpLeg"] = np.stack([pointed(thigh, each) for each in upper])
        turns[f"{side}Leg"] = np.stack([pointed(shin, each) for each in lower])
        turns[f"{side}Foot"] = np.tile(np.eye(3), (count, 1, 1))
    return turns, root


def pointed(rest, there):
    """The smallest rotation of one direction to another."""
    return Rotation.align_vectors([there, np.cross(there, [1.0, 0, 0])], [rest, np.cross(rest, [1.0, 0, 0])], [1e6, 1])[
        0
    ].as_matrix()
