"""Which joint of a foreign skeleton is which of ours: by name, and where names say nothing, by geometry.

Names are read as words: a side, and a part. The parts are those of CMU's converted motions, Mixamo, Unreal's mannequin,
Unity and VRM, Blender's Rigify, 3ds Max's Biped, SMPL-X, the older position names (collar, shoulder, elbow) and ours.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.export.bones import TABLES
from bozzetto.motion.source import Source

TOES = "toes"
"""Our name for all toes of a foot together."""
REQUIRED = tuple(
    f"{bone}.{side}" for bone in ("upperleg01", "lowerleg01", "foot", "upperarm01", "lowerarm01") for side in "LR"
)
"""Without these no motion is carried over."""

_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("clavicle", "collar", "clav", "shoulder", "collarbone"), "clavicle"),
    **dict.fromkeys(("arm", "upperarm", "uparm", "shldr", "bicep"), "upperarm01"),
    **dict.fromkeys(("forearm", "lowerarm", "loarm", "elbow"), "lowerarm01"),
    **dict.fromkeys(("hand", "wrist"), "wrist"),
    **dict.fromkeys(("upleg", "upperleg", "thigh", "hip"), "upperleg01"),
    **dict.fromkeys(("leg", "lowerleg", "lowleg", "calf", "shin", "knee"), "lowerleg01"),
    **dict.fromkeys(("foot", "ankle"), "foot"),
    **dict.fromkeys(("toe", "toes", "toebase", "ball", "toe0"), TOES),
    **dict.fromkeys(("eye", "eyeball"), "eye"),
}
_FINGERS = {"thumb": 1, "index": 2, "middle": 3, "mid": 3, "ring": 4, "pinky": 5, "little": 5}
_MIDDLE = {"hips": "root", "hip": "root", "pelvis": "root", "head": "head"}
_SPINE = re.compile(r"(spine|lowerback|chest|upperchest|abdomen|torso)(\d*)$")
_NECK = re.compile(r"neck(\d*)$")


def joints_by_name(source: Source) -> dict[str, int]:
    """Source joints by our names; chains are counted upwards, as ``spine/0`` and ``neck/0``, where they have theirs."""
    own = {name: i for i, name in enumerate(source.names)}
    found = _by_words(source)
    for table in ({name: name for name in source.names}, *TABLES.values()):
        restored = {ours: own[theirs] for ours, theirs in table.items() if theirs in own}
        if all(name in restored for name in REQUIRED):
            for side in "LR":
                if f"toe3-1.{side}" in restored:
                    restored[f"{TOES}.{side}"] = restored[f"toe3-1.{side}"]
            return found | restored
    return found


def _by_words(source: Source) -> dict[str, int]:
    """The same from the sides and parts that names are made of."""
    found: dict[str, int] = {}
    spine: list[int] = []
    neck: list[int] = []
    words = [_words(name) for name in source.names]
    parts = {part for _, part in words}
    for joint, (side, part) in enumerate(words):
        ours = None
        if side:
            ours = _sided(part, parts)
            ours = ours and f"{ours}.{side}"
        elif part in _MIDDLE:
            ours = _MIDDLE[part]
        elif _SPINE.match(part):
            spine.append(joint)
        elif _NECK.match(part):
            neck.append(joint)
        if ours is not None:
            found.setdefault(ours, joint)
    for chain, joints in (("spine", spine), ("neck", neck)):
        found |= {f"{chain}/{i}": joint for i, joint in enumerate(joints)}  # parents first, hence upwards
    if "root" not in found and all(f"upperleg01.{side}" in found for side in "LR"):
        found["root"] = _common(source.parents, found["upperleg01.L"], found["upperleg01.R"])
    return found


def _words(name: str) -> tuple[str, str]:
    """The side ("L", "R" or none) and the part, in small letters."""
    name = name.rsplit(":", 1)[-1].rsplit("|", 1)[-1]
    name = re.sub(r"^(mixamorig\d*|bip\d*|def|org|valvebiped)[ _\-.]?(?=.)", "", name, flags=re.IGNORECASE)
    name = re.sub(r"^bip\d*[ _\-.]?(?=.)", "", name, flags=re.IGNORECASE)
    patterns = (
        (r"^(left|right)[ _\-.]?(?=.)", 1), (r"[ _\-.](left|right)$", 1), (r"[ _\-.](l|r)$", 1), (r"^(l|r)[ _\-.]", 1),
        (r"^(L|R|l|r)(?=[A-Z])", 0),
    )  # fmt: skip
    side = ""
    for pattern, ignore_case in patterns:
        match = re.search(pattern, name, re.IGNORECASE if ignore_case else 0)
        if match:
            side = match[1][0].upper()
            name = name[: match.start()] + name[match.end() :]
            break
    return side, re.sub(r"[ _\-.]", "", name).lower()


def _sided(part: str, parts: set[str]) -> str | None:
    """Our joint for a part that has a side."""
    if part == "shoulder" and parts & {"collar", "clavicle"}:
        return "upperarm01"  # joints named by what they are in: collar, shoulder, elbow
    if part == "shoulder" and "elbow" in parts:
        return "upperarm01"
    if part == "foot" and "ankle" in parts:
        return TOES
    if part == "leg" and "shin" in parts:
        return "upperleg01"
    if part in _PARTS:
        return _PARTS[part]
    match = re.fullmatch(r"(?:hand|f)?(thumb|index|middle|mid|ring|pinky|little)(?:finger)?(\D*)(\d*)", part)
    if match is None:
        return None
    words = {"metacarpal": 1, "proximal": 1, "intermediate": 2, "distal": 3}
    number = words.get(match[2], int(match[3]) if match[3] else 0)
    if match[1] == "thumb" and match[2] == "proximal" and "thumbmetacarpal" in parts:
        number = 2
    if number not in (1, 2, 3) or (match[2] and match[2] not in words):
        return None
    return f"finger{_FINGERS[match[1]]}-{number}"


def _common(parents: Sequence[int], first: int, second: int) -> int:
    """The nearest joint above two others."""
    above = set()
    while first >= 0:
        above.add(first)
        first = parents[first]
    while second not in above:
        second = parents[second]
    return second


def joints_by_shape(source: Source, up: Float[ndarray, "3"]) -> dict[str, int]:
    """The same for a skeleton whose names say nothing: a person who stands, as a tree of bones.

    The hips are where the two longest ways down part; what goes up from there is the spine, which parts into arms and
    neck. Of each limb the two longest bones in a row are its upper and its lower one. Left and right follow from where
    the feet point.

    Args:
        up: Of the rest pose.
    """
    rest, parents = source.rest, source.parents
    children: list[list[int]] = [[] for _ in parents]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(joint)
    tips = [joint for joint, below in enumerate(children) if not below]
    ends = {tip: source.ends.get(tip, rest[tip]) for tip in tips}
    size = float(np.ptp(rest @ up)) or 1.0

    def chain(tip: int) -> list[int]:
        joints = [tip]
        while parents[joints[-1]] >= 0:
            joints.append(parents[joints[-1]])
        return joints[::-1]

    low = sorted(tips, key=lambda tip: float(ends[tip] @ up))
    if len(low) < 4:
        return {}
    first = low[0]
    for other in low[1:]:
        hips = _common(parents, first, other)
        if (
            float((rest[hips] - ends[first]) @ up) > 0.25 * size
            and float((ends[other] - ends[first]) @ up) < 0.2 * size
        ):
            break
    else:
        return {}
    legs = [chain(tip)[chain(tip).index(hips) + 1 :] for tip in (first, other)]
    limbs = [limb for leg in legs if (limb := _limb(source, leg)) is not None]
    high = max(tips, key=lambda tip: float(ends[tip] @ up))
    trunk = chain(high)
    if hips not in trunk or len(limbs) < 2:
        return {}
    trunk = trunk[trunk.index(hips) + 1 :]
    sides = []
    for index, joint in enumerate(trunk):
        for child in children[joint]:
            if child not in trunk:
                below = [tip for tip in tips if child in chain(tip)]
                far = max(below, key=lambda tip: float(np.linalg.norm(ends[tip] - rest[joint])))
                arm = chain(far)[chain(far).index(child) :]
                limb = _limb(source, arm)
                if limb is not None:
                    sides.append((float(np.linalg.norm(ends[far] - rest[joint])), index, arm, limb))
    sides = sorted(sides, key=lambda each: -each[0])[:2]
    if len(sides) < 2:
        return {}
    across = rest[limbs[0][0]] - rest[limbs[1][0]]
    toes = sum(ends[tip] - rest[limb[2]] for tip, limb in zip((first, other), limbs, strict=True))
    toes = toes - up * (toes @ up)
    forward = toes if np.linalg.norm(toes) > 0.02 * size else np.array([0.0, 0.0, 1.0])
    left = np.cross(up, forward)
    found = {"root": hips}
    order = (0, 1) if across @ left > 0 else (1, 0)
    for side, index in zip("LR", order, strict=True):
        leg = legs[index]
        found |= {
            f"{bone}.{side}": j for bone, j in zip(("upperleg01", "lowerleg01", "foot"), limbs[index], strict=True)
        }
        after = leg[leg.index(limbs[index][2]) + 1 :]
        if after:
            found[f"{TOES}.{side}"] = after[0]
    arms = sorted(sides, key=lambda each: -float((rest[each[3][1]] - rest[hips]) @ left))
    for side, (_, _, arm, limb) in zip("LR", arms, strict=True):
        found |= {f"{bone}.{side}": j for bone, j in zip(("upperarm01", "lowerarm01", "wrist"), limb, strict=True)}
        before = arm[: arm.index(limb[0])]
        if before:
            found[f"clavicle.{side}"] = before[0]
    parting = max(index for _, index, _, _ in sides)
    found |= {f"spine/{i}": joint for i, joint in enumerate(trunk[: parting + 1])}
    above = trunk[parting + 1 :]
    if above:
        found["head"] = above[-1]
        found |= {f"neck/{i}": joint for i, joint in enumerate(above[:-1])}
    return found


def _limb(source: Source, joints: list[int]) -> tuple[int, int, int] | None:
    """Of a chain, the joints at both ends and in the middle of its two longest neighbouring bones."""
    points = source.rest[joints]
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if len(lengths) < 2:
        return None
    best = int(np.argmax(np.minimum(lengths[:-1], lengths[1:])))
    if min(lengths[best : best + 2]) <= 1e-9:
        return None
    return joints[best], joints[best + 1], joints[best + 2]
