"""A motion recorded on any person, carried to ours: directions kept, hips to scale, feet where they stand still.

Each joint turns in the world as its source does, from rest poses brought together first: a bone of a limb that points
elsewhere at rest (arms lowered, legs apart) is aligned by the smallest rotation, parent before child; trunk and head
are taken to be upright in both. Rolls of foreign bones do not matter, since rotations are compared in world axes.

Lengths differ, so legs alone would let the feet slide. While a foot of the source rests (its toes are low and slow),
ours moves exactly as the source's toes do, to scale, and in between the difference fades from one place to the next;
the legs reach by two-bone inverse kinematics, and the hips come down where a leg is too short. This is the clean-up of
Kovar, Schreiner and Gleicher 2002 (Footskate cleanup for motion capture editing), without their stretching of legs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import binary_closing, binary_opening, uniform_filter1d
from scipy.spatial.transform import Rotation, Slerp

from bozzetto.body.poses import Arm, Posture, rotations
from bozzetto.motion.feet import SIDES, Sole, leg_length, lowered, slides, sole_points, toes, with_leg
from bozzetto.motion.frames import Frames, about, between, matrices, rest_positions, shortest, to_clip, twist_about
from bozzetto.motion.names import REQUIRED, TOES, joints_by_name, joints_by_shape
from bozzetto.motion.source import Source, limit
from bozzetto.types import Clip, Skeleton, UserError

_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = ("neck01", "neck02", "neck03")
_LOW, _SLOW = 0.06, 0.4
"""How far above its lowest, and how fast, a foot that stands may be: metres and metres a second for a leg of 0.85 m."""
_NEAR = 0.25
"""Metres above the floor, for a leg of 0.85 m, where it stops to matter for a foot."""
_BRIEF = 0.08
"""Seconds: shorter stands, and shorter gaps between them, do not count."""


@dataclass(frozen=True, eq=False)
class Retargeted:
    """A clip, and how its feet fare."""

    clip: Clip
    contact: Mapping[str, Bool[ndarray, "k"]]
    """By side: whether the source's foot rests."""
    slide: float
    """Mean speed of resting feet, metres a second."""
    source_slide: float
    """The same of the source, to our scale."""


def retarget(
    source: Source, skeleton: Skeleton, soles: Mapping[str, Sole], name: str = "motion", fps: float = 30.0
) -> Retargeted:
    """The motion for our skeleton. It begins where the character stands, and heads as the source does.

    Args:
        source: On its own skeleton.
        skeleton: In the T-pose, soles at y = 0.
        soles: See `feet.soles`.
        name: Of the clip.
        fps: Frames a second; the source is resampled.

    Raises:
        UserError: The source is no person as far as names and shape tell, or too long at this rate.
    """
    source = at_rate(source, fps)
    limit("The motion", len(skeleton.names), len(source.times))
    source, joints = upright(source)
    aligned = _aligned(source, joints, skeleton)
    frames, target = _placed(source, joints, skeleton, aligned)
    return _planted(source, joints, frames, target, soles, name)


def at_rate(source: Source, fps: float) -> Source:
    """The source resampled; its first and last moments are kept."""
    length = float(source.times[-1])
    count = max(round(length * fps), 0) + 1
    limit("The motion", len(source.names), count)
    if len(source.times) < 2:
        return source
    times = np.linspace(0.0, length, max(count, 2))
    turns = np.stack([Slerp(source.times, Rotation.from_matrix(each))(times).as_matrix()
                      for each in source.turns.transpose(1, 0, 2, 3)], 1)  # fmt: skip
    root = np.stack([np.interp(times, source.times, source.root[:, axis]) for axis in range(3)], 1)
    faces = {name: np.interp(times, source.times, weights) for name, weights in source.expressions.items()}
    return replace(source, times=times, turns=turns, root=root, expressions=faces)


def upright(source: Source) -> tuple[Source, dict[str, int]]:
    """The source with +y up and facing +z at rest, in a rest pose that stands; and its joints by our names.

    Raises:
        UserError: It is no person as far as can be told.
    """
    joints = joints_by_name(source)
    if not all(name in joints for name in REQUIRED):
        spans = np.ptp(np.concatenate([source.rest, *(end[None] for end in source.ends.values())]), 0)
        joints = joints_by_shape(source, np.array([0.0, 1.0, 0.0] if spans[1] >= spans[2] else [0.0, 0.0, 1.0]))
    missing = [name for name in REQUIRED if name not in joints]
    if missing or len({joints[name] for name in REQUIRED}) < len(REQUIRED):
        named = ", ".join(source.names[:6])
        raise UserError(
            f"This motion is no person's that bozzetto can read: neither the names of its joints ({named[:120]} …) nor "
            "their shape show two arms and two legs. Use a skeleton named as CMU's, Mixamo's, Unreal's or VRM's are."
        )
    points, rest = source.points(), source.rest
    if not _stands(rest, joints):
        # Some exporters keep each bone's own axes: at rest the bones lie in a row, and only the motion shows a person.
        steps = np.unique(np.linspace(0, len(points) - 1, 50).astype(int))
        standing = [frame for frame in steps if _stands(points[frame], joints)]
        if not standing:
            raise UserError("This motion's person never stands upright, so its rest pose cannot be told. Begin it in "
                            "a T-pose or standing.")  # fmt: skip
        first = standing[0]
        ends = {j: points[first, j] + source.turns[first, j] @ (end - rest[j]) for j, end in source.ends.items()}
        turns = source.turns @ source.turns[first].transpose(0, 2, 1)
        source = replace(source, rest=points[first], turns=turns, ends=ends)
        rest = source.rest
    up = _upwards(rest, joints)
    axis = np.zeros(3)
    axis[np.abs(up).argmax()] = np.sign(up[np.abs(up).argmax()])
    left = sum(rest[joints[f"{bone}.L"]] - rest[joints[f"{bone}.R"]] for bone in ("upperleg01", "upperarm01"))
    left = left - axis * (left @ axis)
    left = left / max(np.linalg.norm(left), 1e-12)
    axes = np.stack([left, axis, np.cross(left, axis)])
    moved = {joint: axes @ end for joint, end in source.ends.items()}
    turns = axes @ source.turns @ axes.T
    return replace(source, rest=rest @ axes.T, turns=turns, root=source.root @ axes.T, ends=moved), joints


def _upwards(points: Float[ndarray, "j 3"], joints: Mapping[str, int]) -> Float[ndarray, "3"]:
    """From the ankles to the shoulders."""
    high = np.mean([points[joints[f"upperarm01.{side}"]] for side in SIDES], 0)
    way = high - np.mean([points[joints[f"foot.{side}"]] for side in SIDES], 0)
    return way / max(np.linalg.norm(way), 1e-12)


def _stands(points: Float[ndarray, "j 3"], joints: Mapping[str, int]) -> bool:
    """Whether a pose is a person's who stands: legs straight below, arms and legs on their two sides."""
    up = _upwards(points, joints)
    hips = [points[joints[f"upperleg01.{side}"]] for side in SIDES]
    across = hips[0] - hips[1]
    shoulders = points[joints["upperarm01.L"]] - points[joints["upperarm01.R"]]
    size = float(np.linalg.norm(np.mean(hips, 0) - points[joints["foot.L"]]))
    trunk = np.mean([points[joints[f"upperarm01.{side}"]] for side in SIDES], 0) - np.mean(hips, 0)
    if (
        size < 1e-9
        or trunk @ up < 0.2 * size
        or np.linalg.norm(across) < 0.02 * size
        or across @ shoulders <= 0
        or np.abs(up).max() < 0.85
    ):
        return False
    for side, hip in zip(SIDES, hips, strict=True):
        knee, ankle = points[joints[f"lowerleg01.{side}"]], points[joints[f"foot.{side}"]]
        for bone in (hip - knee, knee - ankle):
            if bone @ up < 0.8 * np.linalg.norm(bone):
                return False
    return True


def _aligned(source: Source, joints: Mapping[str, int], skeleton: Skeleton) -> dict[str, Float[ndarray, "3 3"]]:
    """For each limb's joint, the rotation from our rest to the source's."""
    ours = rest_positions(skeleton)

    def toward(joint: str, *after: str) -> Float[ndarray, "3"] | None:
        for other in after:
            if other in joints:
                return source.rest[joints[other]] - source.rest[joints[joint]]
        end = source.ends.get(joints[joint]) if joint in joints else None
        return None if end is None else end - source.rest[joints[joint]]

    def at(joint: str) -> Float[ndarray, "3"]:
        return ours[skeleton.index(joint)]

    out: dict[str, Float[ndarray, "3 3"]] = {}
    for side in SIDES:
        for chain in (
            (("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("wrist", "finger3-1")),
            (("upperleg01", "lowerleg01"), ("lowerleg01", "foot")),
        ):
            turn = np.eye(3)
            for bone, child in chain:
                name, after = f"{bone}.{side}", f"{child}.{side}"
                others = (f"finger2-1.{side}",) if bone == "wrist" else ()
                theirs = toward(name, after, *others) if name in joints else None
                if theirs is not None and np.linalg.norm(theirs) > 1e-9:
                    here = after if bone != "wrist" or after in joints or not others else others[0]
                    here = here if here in joints or bone != "wrist" else after
                    turn = shortest(turn @ (at(here) - at(name)), theirs) @ turn
                out[name] = turn
        foot = f"foot.{side}"
        theirs = toward(foot, f"{TOES}.{side}")
        bends = ours[toes(skeleton, side)].mean(0) - at(foot)
        turn = np.eye(3)
        if theirs is not None and np.hypot(theirs[0], theirs[2]) > 0.3 * np.linalg.norm(theirs):
            turn = shortest(bends * [1, 0, 1], theirs * [1, 0, 1])
        out[foot] = out[f"{TOES}.{side}"] = turn
    return out


def _placed(
    source: Source, joints: Mapping[str, int], skeleton: Skeleton, aligned: Mapping[str, Float[ndarray, "3 3"]]
) -> tuple[Frames, dict[str, Float[ndarray, "k 3"]]]:
    """Our frames turned as the source is, the hips to scale; and the source's points that matter, to our scale."""
    count = len(source.times)
    world = _world(source, joints, skeleton, aligned)
    local = np.tile(np.eye(3), (count, len(skeleton.names), 1, 1))
    turns = np.empty_like(local)
    relaxed = rotations(Posture(Arm(curl=20), Arm(curl=20)))
    for joint, parent in enumerate(skeleton.parents):
        name = skeleton.names[joint]
        above = turns[:, parent] if parent >= 0 else np.tile(np.eye(3), (count, 1, 1))
        if name in world:
            local[:, joint] = above.transpose(0, 2, 1) @ world[name]
        elif name.startswith("finger") and f"finger3-1.{name[-1]}" not in world and name in relaxed:
            local[:, joint] = matrices(np.array([relaxed[name]]))
        turns[:, joint] = above @ local[:, joint]
    for side in SIDES:
        _share_twist(local, skeleton, side, world)
    rest = rest_positions(skeleton)
    root = skeleton.parents.index(-1)
    hip_rest = np.mean([rest[skeleton.index(f"upperleg01.{side}")] for side in SIDES], 0)
    points = source.points()
    named = {f"{bone}.{side}": points[:, joints[f"{bone}.{side}"]] for bone in ("upperleg01", "foot") for side in SIDES}
    named |= {f"{TOES}.{s}": points[:, joints[f"{TOES}.{s}"]] for s in SIDES if f"{TOES}.{s}" in joints}
    scale = leg_length(skeleton) / _leg(source, joints)
    floor = float(np.percentile(np.minimum(named["foot.L"][:, 1], named["foot.R"][:, 1]), 2))
    ankle = float(np.mean([rest[skeleton.index(f"foot.{side}")][1] for side in SIDES]))
    middle = (named["upperleg01.L"][0] + named["upperleg01.R"][0]) / 2
    begin = np.array([middle[0] * scale - hip_rest[0], floor * scale - ankle, middle[2] * scale - hip_rest[2]])
    named = {name: scale * values - begin for name, values in named.items()}
    hip = (named["upperleg01.L"] + named["upperleg01.R"]) / 2
    path = hip - local[:, root] @ (hip_rest - rest[root])
    return Frames(skeleton, source.times, local, path), named


def _leg(source: Source, joints: Mapping[str, int]) -> float:
    """From hip to ankle, in the source's units."""
    lengths = []
    for side in SIDES:
        hip, knee, ankle = (source.rest[joints[f"{bone}.{side}"]] for bone in ("upperleg01", "lowerleg01", "foot"))
        lengths.append(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))
    return float(np.mean(lengths))


def _world(
    source: Source, joints: Mapping[str, int], skeleton: Skeleton, aligned: Mapping[str, Float[ndarray, "3 3"]]
) -> dict[str, Float[ndarray, "k 3 3"]]:
    """World rotations that the source asks of our joints; joints not named follow their parent."""

    def of(name: str) -> Float[ndarray, "k 3 3"]:
        return source.turns[:, joints[name]]

    out: dict[str, Float[ndarray, "k 3 3"]] = {}
    upper = of("root") if "root" in joints else source.turns[:, 0]
    out["root"] = upper
    spine = _anchors(_SPINE, _chain(joints, _SPINE, "spine"), -1)
    out |= _spread(_SPINE, {i: source.turns[:, j] for i, j in spine.items()}, upper)
    chest = out[_SPINE[-1]]
    neck = _anchors(_NECK, _chain(joints, _NECK, "neck"), 0)
    head = of("head") if "head" in joints else source.turns[:, max(neck.items())[1]] if neck else chest
    ends = {i: source.turns[:, j] for i, j in neck.items()} | {len(_NECK): head}
    out |= _spread((*_NECK, "head"), ends, chest)
    for side in SIDES:
        name = f"clavicle.{side}"
        out[name] = of(name) if name in joints else chest
        for bone in ("upperarm", "lowerarm", "upperleg", "lowerleg"):
            for half in ("01", "02"):
                name = f"{bone}{half}.{side}"
                if name in joints:
                    out[name] = of(name) @ aligned[f"{bone}01.{side}"]
        for bone in ("wrist", "foot"):
            if f"{bone}.{side}" in joints:
                out[f"{bone}.{side}"] = of(f"{bone}.{side}") @ aligned[f"{bone}.{side}"]
        if f"{TOES}.{side}" in joints:
            for toe in toes(skeleton, side):
                out[skeleton.names[toe]] = of(f"{TOES}.{side}") @ aligned[f"{TOES}.{side}"]
        if f"wrist.{side}" in joints:
            for finger in (f"finger{n}-{part}.{side}" for n in range(1, 6) for part in (1, 2, 3)):
                if finger in joints:
                    out[finger] = of(finger) @ aligned[f"wrist.{side}"]
        for name in (f"eye.{side}", f"shoulder01.{side}"):
            if name in joints:
                out[name] = of(name)
    return {name: turns for name, turns in out.items() if name in skeleton.names}


def _chain(joints: Mapping[str, int], ours: tuple[str, ...], name: str) -> dict[int, int] | list[int]:
    """Source joints of a chain: by our own places where it has our names, else upwards."""
    own = {i: joints[joint] for i, joint in enumerate(ours) if joint in joints}
    if own:
        return own
    return [joints[f"{name}/{i}"] for i in range(len(joints)) if f"{name}/{i}" in joints]


def _anchors(ours: tuple[str, ...], theirs: dict[int, int] | list[int], alone: int) -> dict[int, int]:
    """Which of our chain's joints turns as which of theirs; a chain of one goes to the place ``alone``."""
    if isinstance(theirs, dict):
        return theirs
    if len(theirs) < 2:
        return {alone % len(ours): each for each in theirs}
    first = 1 if len(theirs) == 2 and alone < 0 else 0
    last = len(ours) - 1
    return {round(place): each for place, each in zip(np.linspace(first, last, len(theirs)), theirs, strict=True)}


def _spread(
    ours: tuple[str, ...], ends: Mapping[int, Float[ndarray, "k 3 3"]], below: Float[ndarray, "k 3 3"]
) -> dict[str, Float[ndarray, "k 3 3"]]:
    """A chain's world rotations: given at some of its joints, evenly between; above the last as the last."""
    out, place, turn = {}, -1, below
    for end, last in sorted(ends.items()):
        for joint in range(place + 1, end + 1):
            out[ours[joint]] = between(turn, last, (joint - place) / (end - place)) if joint < end else last
        place, turn = end, last
    return out | {name: turn for name in ours[place + 1 :]}


def _share_twist(
    local: Float[ndarray, "k j 3 3"], skeleton: Skeleton, side: str, given: Mapping[str, Float[ndarray, "k 3 3"]]
) -> None:
    """What an arm's bones turn about their length goes, in part, to the second bone of each: skin follows smoothly."""
    rest = rest_positions(skeleton)
    upper, upper2, lower, lower2, hand = (
        skeleton.index(f"{bone}.{side}") for bone in ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
    )
    if f"upperarm02.{side}" in given or f"lowerarm02.{side}" in given:
        return
    axis = rest[lower] - rest[upper]
    twist = twist_about(local[:, upper], axis)
    local[:, upper] = local[:, upper] @ about(axis, -twist / 2)
    local[:, upper2] = about(axis, twist / 2)
    axis = rest[hand] - rest[lower]
    twist = twist_about(local[:, lower], axis)
    share = 0.6 * twist_about(local[:, hand], axis)
    local[:, lower] = local[:, lower] @ about(axis, -twist)
    local[:, lower2] = about(axis, twist + share)
    local[:, hand] = about(axis, -share) @ local[:, hand]


def contacts(points: Float[ndarray, "k 3"], times: Float[ndarray, "k"], size: float) -> Bool[ndarray, "k"]:
    """Whether a foot rests on the floor: low, slow, and for more than a moment.

    Args:
        points: Of its toes, or its ankle; +y up, metres.
        size: The leg's length over 0.85 m.
    """
    if len(times) < 3:
        return np.ones(len(times), bool)
    step = float(np.diff(times).mean())
    speed = np.linalg.norm(np.gradient(points, step, axis=0), axis=1)
    speed = uniform_filter1d(speed, 3, mode="nearest")
    low = points[:, 1] - np.percentile(points[:, 1], 2) < _LOW * size
    brief = np.ones(max(round(_BRIEF / step), 1), bool)
    rests = np.pad(low & (speed < _SLOW * size), len(brief), mode="edge")
    return binary_opening(binary_closing(rests, brief), brief)[len(brief) : -len(brief)]


def _planted(
    source: Source,
    joints: Mapping[str, int],
    frames: Frames,
    theirs: Mapping[str, Float[ndarray, "k 3"]],
    soles: Mapping[str, Sole],
    name: str,
) -> Retargeted:
    """The frames with feet that rest where the source's do."""
    skeleton, rest = frames.skeleton, rest_positions(frames.skeleton)
    size = leg_length(skeleton) / 0.85
    turns, points = frames.forward()
    ankles, feet, hinges, contact, locks = {}, {}, {}, {}, {}
    for side in SIDES:
        foot = skeleton.index(f"foot.{side}")
        thigh, knee = skeleton.index(f"upperleg01.{side}"), skeleton.index(f"lowerleg01.{side}")
        feet[side] = turns[:, foot]
        bend = np.cross(points[:, knee] - points[:, thigh], points[:, foot] - points[:, knee])
        legs = np.linalg.norm(rest[knee] - rest[thigh]) * np.linalg.norm(rest[foot] - rest[knee])
        hinges[side] = bend / legs + 0.1 * turns[:, thigh, :, 0]
        # What is held still: the ball where the source has toes, else the ankle.
        key = f"{TOES}.{side}" if f"{TOES}.{side}" in theirs else f"foot.{side}"
        arm = rest[toes(skeleton, side)].mean(0) - rest[foot] if key.startswith(TOES) else np.zeros(3)
        held, path = feet[side] @ arm, theirs[key]
        contact[side] = contacts(path, frames.times, size)
        # Near the floor a foot is as high above it as the source's; high in the air the leg's directions matter more.
        free, high = points[:, foot].copy(), theirs[f"foot.{side}"][:, 1]
        near = np.clip(1 - (high - rest[foot][1]) / (_NEAR * size), 0.0, 1.0)
        free[:, 1] += near * (high - free[:, 1])
        ankles[side] = free + _correction(free + held, path, contact[side], frames.times)
        locks[side] = (path, held)
    lower = frames
    for _ in range(2):  # the second time the soles are above the floor, and the hips may have to follow
        lower = lowered(frames, ankles)
        for side in SIDES:
            lower = with_leg(lower, side, ankles[side], feet[side], hinges[side])
            if f"{TOES}.{side}" not in theirs:
                lower = _with_flat_toes(lower, side, soles[side])
        under = {side: sole_points(lower, side, soles[side])[:, :, 1].min(1) for side in SIDES}
        if all((deep > -1e-4).all() for deep in under.values()):
            break
        ankles = {s: a + np.maximum(-under[s], 0.0)[:, None] * [0.0, 1.0, 0.0] for s, a in ankles.items()}
    points = lower.forward()[1]
    ours, source_slides = [], []
    for side, (path, held) in locks.items():
        ours.append(slides(points[:, skeleton.index(f"foot.{side}")] + held, contact[side], frames.times))
        source_slides.append(slides(path, contact[side], frames.times))
    clip = replace(to_clip(name, lower), expressions=dict(source.expressions))
    ours, source_slides = np.concatenate(ours), np.concatenate(source_slides)
    mean, source_mean = (float(each.mean()) if len(each) else 0.0 for each in (ours, source_slides))
    return Retargeted(clip, contact, mean, source_mean)


def _with_flat_toes(frames: Frames, side: str, sole: Sole) -> Frames:
    """Toes that bend where the heel rises from the floor, for a source that has none."""
    ball = sole_points(frames, side, sole)[:, 1, 1]
    foot = frames.forward()[0][:, frames.skeleton.index(f"foot.{side}")]
    down = np.arcsin(np.clip(-foot[:, 1, 2], -1.0, 1.0)) * np.clip(1.5 - ball / 0.04, 0.0, 1.0)
    local = frames.local.copy()
    for joint in toes(frames.skeleton, side):
        local[:, joint] = about(np.array([1.0, 0.0, 0.0]), -np.clip(down, 0.0, np.radians(55)))
    return replace(frames, local=local)


def _correction(
    free: Float[ndarray, "k 3"], path: Float[ndarray, "k 3"], contact: Bool[ndarray, "k"], times: Float[ndarray, "k"]
) -> Float[ndarray, "k 3"]:
    """What to add to a free foot so that, wherever the source's rests, it moves as that does."""
    out = np.zeros_like(free)
    if not contact.any():
        return out
    edges = np.flatnonzero(np.diff(np.concatenate([[False], contact, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        moved = path[start:stop]
        level = free[start:stop] - moved
        # To the sides the foot keeps its own place; up and down it stands as high as the source's.
        out[start:stop] = level.mean(0) + moved - free[start:stop]
    for axis in range(3):
        out[:, axis] = np.interp(times, times[contact], out[contact, axis])
    return out
