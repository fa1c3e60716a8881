"""Poses for pictures and motions for files, said in the body's own words: degrees of flexion, bend and turn.

Every angle is relative to the T-pose. ``rotations`` turns the words into joint rotations, within ``LIMITS``.
The named poses live in ``data/poses.json``, made by ``python -m bozzetto.body.poses``: a hand-made pose for each name
below, and seeded variations of it, each kept only when no limb enters another part of three test bodies.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.types import Clip


@dataclass(frozen=True)
class Arm:
    """Degrees; zero is the T-pose's arm."""

    down: float = 0.0
    """Lowered to the side; 90 hangs, negative is raised."""
    swing: float = 0.0
    """Turned about the shoulders' axis: a hanging arm swings forward."""
    forward: float = 0.0
    """Brought forward in the horizontal plane."""
    twist: float = 0.0
    """Upper arm about its own length; positive turns the palm of a T-posed arm forward."""
    elbow: float = 0.0
    """Bent; 0 is straight."""
    roll: float = 0.0
    """Forearm about its own length; positive turns the palm forward."""
    wrist: float = 0.0
    """Flexed towards the palm."""
    curl: float = 12.0
    """Fingers; 0 as they hang, -12 flat, 75 a fist."""
    index: float = 0.0
    """How much more than the others the index finger curls; negative stretches it."""
    aside: float = 0.0
    """Hand bent towards the thumb."""


@dataclass(frozen=True)
class Leg:
    """Degrees; zero is the T-pose's leg."""

    flex: float = 0.0
    """Thigh forward."""
    out: float = 0.0
    """Thigh to its side."""
    turn: float = 0.0
    """Knee outward."""
    knee: float = 0.0
    """Bent."""
    foot: float = 0.0
    """Toes pointed down."""


@dataclass(frozen=True)
class Posture:
    """A whole pose."""

    left_arm: Arm = Arm()
    right_arm: Arm = Arm()
    left_leg: Leg = Leg()
    right_leg: Leg = Leg()
    bend: float = 0.0
    """Trunk forward."""
    lean: float = 0.0
    """Trunk to its left."""
    twist: float = 0.0
    """Trunk to its left."""
    nod: float = 0.0
    """Head down."""
    tilt: float = 0.0
    """Head to its left."""
    turn: float = 0.0
    """Head to its left."""
    pitch: float = 0.0
    """The whole body forward about the hips: 90 lies on the face, -90 on the back."""
    measured: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()
    """World-axis quaternions (wxyz) by joint that take the place of what the angles give it."""


LIMITS: Mapping[str, tuple[float, float]] = {
    "down": (-85, 90), "swing": (-60, 180), "forward": (-40, 130), "arm.twist": (-90, 90), "elbow": (0, 145),
    "roll": (-90, 90), "wrist": (-70, 80), "curl": (-15, 85), "index": (-85, 60), "aside": (-30, 25),
    "flex": (-35, 120), "out": (-12, 60), "leg.turn": (-40, 50), "knee": (0, 150), "foot": (-30, 72),
    "bend": (-30, 90), "lean": (-35, 35), "twist": (-45, 45), "nod": (-45, 50), "tilt": (-35, 35),
    "turn": (-75, 75), "pitch": (-180, 180),
}  # fmt: skip
"""Degrees. Trunk and head values are sums over their joints."""

_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = ("neck01", "neck02", "neck03", "head")


_Quaternion: TypeAlias = tuple[float, float, float, float]
"""wxyz. Plain tuples: a posture is a hundred tiny products, which cost 100 times more as library objects."""


def _turn(axis: str, degrees: float) -> _Quaternion:
    half = math.radians(degrees) / 2
    s = math.sin(half)
    return math.cos(half), s * (axis == "x"), s * (axis == "y"), s * (axis == "z")


def _then(*turns: _Quaternion) -> _Quaternion:
    """The product: the last turn acts first."""
    w, x, y, z = turns[0]
    for a, b, c, d in turns[1:]:
        w, x, y, z = (
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        )
    return w, x, y, z


def _ankle(shin: _Quaternion, leg: Leg) -> float:
    """Degrees about the shin's forward axis that keep a sole on the floor from tilting sideways; none in the air."""
    w, x, y, z = shin
    across, upright = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z)  # heights of the shin's own x and y axes
    on_the_floor = min(max((65 - abs(leg.knee - leg.flex + leg.foot)) / 30, 0.0), 1.0) if upright > 0 else 0.0
    return min(max(math.degrees(math.atan2(-across, upright)), -25.0), 25.0) * on_the_floor


def rotations(posture: Posture) -> dict[str, _Quaternion]:
    """World-axis joint rotations (wxyz) relative to the T-pose, for ``bind.pose_transforms``.

    Raises:
        ValueError: An angle outside ``LIMITS``.
    """
    check(posture)
    out: dict[str, _Quaternion] = {}
    for side, sign, arm, leg in (
        ("L", 1.0, posture.left_arm, posture.left_leg),
        ("R", -1.0, posture.right_arm, posture.right_leg),
    ):
        out |= arm_rotations(arm, side)
        thigh = _then(_turn("x", -leg.flex), _turn("z", sign * leg.out), _turn("y", sign * leg.turn))
        out[f"upperleg01.{side}"] = thigh
        out[f"lowerleg01.{side}"] = _turn("x", leg.knee)
        out[f"foot.{side}"] = _then(_turn("z", _ankle(_then(thigh, _turn("x", leg.knee)), leg)), _turn("x", leg.foot))
    for bones, forward, aside, around in (
        (_SPINE, posture.bend, posture.lean, posture.twist),
        (_NECK, posture.nod, posture.tilt, posture.turn),
    ):
        share = 1 / len(bones)
        for bone in bones:
            out[bone] = _then(_turn("y", around * share), _turn("z", -aside * share), _turn("x", forward * share))
    if posture.pitch:
        out["root"] = _turn("x", posture.pitch)
    return out | dict(posture.measured)


def arm_rotations(arm: Arm, side: str) -> dict[str, _Quaternion]:
    """Those of one arm, "L" or "R"; within limits or not."""
    sign = 1.0 if side == "L" else -1.0
    # The collar bone takes a part of what raises the arm.
    lift = min(max(-arm.down * 0.3, 0.0), 22.0) - min(max(arm.down * 0.03, 0.0), 3.0)
    out = {
        f"clavicle.{side}": _turn("z", sign * lift),
        f"upperarm01.{side}": _then(
            _turn("z", -sign * lift),
            _turn("x", -arm.swing),
            _turn("y", -sign * arm.forward),
            _turn("z", -sign * arm.down),
            _turn("x", -arm.twist * 0.5),
        ),
        f"upperarm02.{side}": _turn("x", -arm.twist * 0.5),
        f"lowerarm01.{side}": _turn("y", -sign * arm.elbow),
        f"lowerarm02.{side}": _turn("x", -arm.roll * 0.6),
        f"wrist.{side}": _then(
            _turn("x", -arm.roll * 0.4), _turn("y", -sign * arm.aside), _turn("z", -sign * arm.wrist)
        ),
    }
    for finger in (2, 3, 4, 5):
        share = 0.85 + 0.08 * finger - 0.16
        curl = min(max(arm.curl + (arm.index if finger == 2 else 0.0), -15.0), 85.0)
        for bone, part in ((1, 0.9), (2, 1.1), (3, 0.8)):
            out[f"finger{finger}-{bone}.{side}"] = _turn("z", -sign * curl * part * share)
    # Half closed, the thumb faces the fingers; a fist has it folded across them.
    fist = min(max((arm.curl - 45) / 25, 0.0), 1.0)
    # The thumb of a flat hand lies beside the palm.
    flat = min(max(-arm.curl / 12, 0.0), 1.0)
    beside = _then(_turn("x", -33 * flat), _turn("z", sign * 19 * flat))
    for bone, part, (across, under) in ((1, 0.25, (37, -1)), (2, 0.35, (27, 5)), (3, 0.4, (4, -21))):
        open_ = max(arm.curl, 0.0) * part * (1 - fist)
        closed = _turn("y", sign * (open_ + across * fist)), _turn("z", -sign * (open_ * 0.5 + under * fist))
        out[f"finger1-{bone}.{side}"] = _then(beside, *closed) if bone == 1 else _then(*closed)
    return out


def angles(posture: Posture) -> dict[str, float]:
    """Degrees by name; a limb's have the limb before theirs, as "left_arm.elbow"."""
    out: dict[str, float] = {}
    for name, value in vars(posture).items():
        if name == "measured":
            continue
        limb = isinstance(value, Arm | Leg)
        out |= {f"{name}.{angle}": degrees for angle, degrees in vars(value).items()} if limb else {name: value}
    return out


def limits(name: str) -> tuple[float, float]:
    """The least and the most degrees of one of the ``angles``."""
    limb, _, angle = name.rpartition(".")
    return LIMITS.get(f"{limb[-3:]}.{angle}", LIMITS[angle])


def check(posture: Posture) -> None:
    """Raises ``ValueError`` naming the first angle outside ``LIMITS``."""
    for name, degrees in angles(posture).items():
        low, high = limits(name)
        if not low <= degrees <= high:
            raise ValueError(f"{name} is {degrees:g} degrees; a joint allows {low:g} to {high:g}.")


A_POSE = Posture(Arm(down=48, elbow=8), Arm(down=48, elbow=8), Leg(out=3), Leg(out=3))
HANG = Arm(down=74, elbow=14, swing=4, curl=22)
STAND = Posture(HANG, HANG, Leg(out=3), Leg(out=3))


def _both(arm: Arm, leg: Leg = Leg(out=3), **rest: float) -> Posture:
    return replace(Posture(arm, arm, leg, leg), **rest)


BASE: Mapping[str, Posture] = {
    "t-pose": Posture(Arm(curl=5), Arm(curl=5)),
    "a-pose": A_POSE,
    "standing": STAND,
    "relaxed": Posture(
        HANG,
        Arm(down=72, elbow=22, swing=8, curl=25),
        Leg(out=4),
        Leg(flex=8, out=6, knee=14, turn=12, foot=4),
        lean=-2,
        turn=6,
    ),
    "walking": Posture(
        Arm(down=72, swing=-22, elbow=14, curl=25),
        Arm(down=72, swing=24, elbow=24, curl=25),
        Leg(flex=24, knee=6, foot=-8),
        Leg(flex=-16, knee=14, foot=12),
        bend=3,
    ),
    "running": Posture(
        Arm(down=66, swing=-38, elbow=85, curl=60),
        Arm(down=66, swing=42, elbow=92, curl=60),
        Leg(flex=58, knee=72),
        Leg(flex=-22, knee=52, foot=22),
        bend=14,
        nod=-8,
    ),
    "sitting": _both(
        Arm(down=72, swing=-16, twist=-22, elbow=99, roll=-60, wrist=-26, curl=8, aside=-18),
        Leg(flex=88, out=8, knee=88),
        bend=4,
    ),
    "sitting on the ground": _both(
        Arm(down=62, swing=-28, elbow=4, wrist=-55, curl=4), Leg(flex=78, out=8, knee=14, foot=10), bend=-4
    ),
    "crouching": _both(
        Arm(down=78, swing=72, twist=-36, elbow=62, curl=25),
        Leg(flex=98, out=15, turn=-9, knee=126, foot=-28),
        bend=38,
        nod=-26,
    ),
    "kneeling": _both(Arm(down=74, swing=8, elbow=22, curl=18), Leg(flex=2, out=6, knee=94, foot=70)),
    "kneeling on one knee": Posture(
        Arm(down=74, swing=6, twist=-19, elbow=98, roll=-68, wrist=-8, curl=7, aside=-8),
        HANG,
        Leg(flex=103, out=8, knee=102),
        Leg(flex=-2, out=6, knee=113, foot=-20),
        bend=8,
    ),
    "lying on the back": _both(Arm(down=64, swing=-4, elbow=4, roll=40, curl=18), Leg(out=7, foot=28), pitch=-90),
    "lying on the front": Posture(
        Arm(down=-8, forward=-6, elbow=96, twist=88),
        Arm(down=-4, forward=-6, elbow=84, twist=88),
        Leg(out=8, foot=46),
        Leg(out=10, foot=46),
        pitch=90,
        turn=60,
    ),
    "arms up": _both(Arm(down=-34, forward=6, twist=80, elbow=42, curl=10)),
    "arms crossed": Posture(
        Arm(down=70, swing=54, twist=-79, elbow=102, roll=52, wrist=-12, curl=14),
        Arm(down=78, swing=57, twist=-90, elbow=109, roll=61, wrist=9, curl=14),
        Leg(out=4),
        Leg(out=4),
    ),
    "hands on hips": _both(
        Arm(down=49, swing=-26, forward=-26, twist=-63, elbow=103, roll=26, wrist=-26, curl=-2, aside=14), Leg(out=8)
    ),
    "waving": Posture(HANG, Arm(down=-32, forward=14, elbow=70, twist=78, curl=4), Leg(out=4), Leg(out=4), tilt=-5),
    "pointing": Posture(HANG, Arm(down=2, forward=78, elbow=4, curl=66, index=-71), Leg(out=4), Leg(out=6), turn=-10),
    "thinking": Posture(
        Arm(down=76, swing=36, twist=-86, elbow=97, roll=90, curl=24),
        Arm(down=72, swing=64, twist=-39, elbow=118, roll=28, wrist=25, curl=58, index=-30, aside=15),
        Leg(out=3),
        Leg(out=6, flex=6, knee=10),
        nod=9,
        tilt=-5,
    ),
    "praying": _both(Arm(down=74, swing=31, twist=-55, elbow=100, roll=-26, wrist=-64, curl=-4, aside=23), nod=16),
    "reading": _both(Arm(down=75, swing=3, twist=-25, elbow=91, roll=67, wrist=20, curl=28, aside=20), nod=26),
    "fighting": Posture(
        Arm(down=54, swing=56, elbow=104, curl=75),
        Arm(down=56, swing=48, elbow=112, curl=75),
        Leg(flex=26, out=10, knee=30),
        Leg(flex=-10, out=12, knee=20, turn=22, foot=6),
        bend=8,
        twist=-22,
        turn=18,
    ),
    "kicking": Posture(
        Arm(down=46, swing=44, elbow=78, curl=72),
        Arm(down=58, swing=-24, elbow=84, curl=72),
        Leg(flex=6, knee=12),
        Leg(flex=96, out=8, knee=12, foot=20),
        bend=-14,
    ),
    "jumping": _both(
        Arm(down=-14, forward=8, twist=78, elbow=60, curl=8), Leg(flex=34, out=12, knee=74, foot=34), nod=-10
    ),
    "star jump": _both(Arm(down=-40, elbow=4, curl=4), Leg(out=34, foot=20)),
    "dancing": Posture(
        Arm(down=-22, forward=8, twist=76, elbow=58, curl=16),
        Arm(down=14, forward=20, elbow=40, curl=16),
        Leg(flex=10, out=4, knee=18),
        Leg(flex=46, out=24, turn=40, knee=86, foot=38),
        lean=10,
        twist=12,
        tilt=8,
    ),
    "ballet": Posture(
        Arm(down=-58, elbow=28, curl=8),
        Arm(down=4, elbow=16, curl=8),
        Leg(turn=24, foot=0),
        Leg(flex=44, out=40, turn=44, knee=98, foot=44),
    ),
    "bowing": _both(HANG, bend=52, nod=12),
    "stretching": Posture(
        Arm(down=-42, forward=4, twist=84, elbow=72), Arm(down=62, elbow=24), Leg(out=12), Leg(out=12), lean=-20
    ),
    "leaning": Posture(
        HANG,
        Arm(down=68, swing=6, elbow=34, curl=25),
        Leg(flex=14, out=3, knee=6),
        Leg(flex=8, out=8, knee=20),
        lean=-12,
        bend=-6,
        tilt=8,
    ),
    "looking up": _both(HANG, nod=-32, bend=-6),
    "looking back": _both(HANG, twist=36, turn=52),
    "shrugging": _both(Arm(down=58, swing=10, elbow=86, roll=70, curl=10), tilt=8),
    "carrying": _both(Arm(down=66, swing=22, elbow=82, roll=40, curl=30), bend=-5),
    "pushing": Posture(
        Arm(down=30, forward=74, elbow=30, wrist=-50, curl=4),
        Arm(down=30, forward=74, elbow=30, wrist=-50, curl=4),
        Leg(flex=36, knee=42),
        Leg(flex=-20, knee=10, foot=14),
        bend=18,
    ),
    "throwing": Posture(
        Arm(down=12, forward=62, elbow=14),
        Arm(down=-24, forward=-24, elbow=92, twist=70, curl=40),
        Leg(flex=30, out=6, knee=12),
        Leg(flex=-12, out=8, knee=18, foot=10),
        bend=-8,
        twist=-26,
        turn=20,
    ),
    "climbing": Posture(
        Arm(down=-54, forward=34, elbow=40, curl=60),
        Arm(down=-8, forward=40, elbow=84, curl=60),
        Leg(flex=72, out=16, knee=84),
        Leg(flex=4, out=8, knee=12, foot=12),
        nod=-18,
    ),
    "lunging": Posture(
        Arm(down=52, elbow=30), Arm(down=52, elbow=30), Leg(flex=72, knee=78), Leg(flex=-26, knee=28, foot=-18)
    ),
    "saluting": Posture(
        HANG,
        Arm(down=-5, swing=18, forward=23, twist=59, elbow=117, roll=32, wrist=11, curl=0, aside=7),
        Leg(out=1),
        Leg(out=1),
    ),
    "presenting": Posture(HANG, Arm(down=34, forward=28, elbow=36, roll=78, curl=6), Leg(out=4), Leg(out=4), turn=-12),
    "tiptoe": _both(Arm(down=60, elbow=10, curl=8), Leg(foot=42, out=2)),
    "hero": _both(
        Arm(down=49, swing=-26, forward=-26, twist=-63, elbow=95, roll=26, wrist=-26, curl=72, aside=14),
        Leg(out=14),
        nod=-6,
        bend=-4,
    ),
    "sneaking": Posture(
        Arm(down=50, swing=30, elbow=72, curl=40),
        Arm(down=54, swing=12, elbow=64, curl=40),
        Leg(flex=48, knee=60),
        Leg(flex=14, knee=46, foot=-10),
        bend=24,
        nod=-18,
    ),
    "catching": _both(Arm(down=44, forward=66, elbow=44, roll=40, curl=24), Leg(flex=22, out=10, knee=34), bend=12),
    "balancing": Posture(Arm(down=4, curl=6), Arm(down=4, curl=6), Leg(), Leg(flex=52, out=4, knee=66, foot=30)),
}


TOUCHING = frozenset({
    "sitting", "kneeling on one knee", "arms crossed", "hands on hips", "hero", "pointing", "thinking", "praying",
    "reading", "saluting",
})  # fmt: skip
"""Poses in which the hands are somewhere for a reason: their variations keep the arms and move the rest less."""


STANDING = frozenset({
    "standing", "relaxed", "walking", "arms up", "arms crossed", "hands on hips", "waving", "pointing", "thinking",
    "praying", "reading", "fighting", "bowing", "stretching", "leaning", "looking up", "looking back", "shrugging",
    "carrying", "pushing", "throwing", "lunging", "saluting", "presenting", "tiptoe", "hero", "sneaking", "catching",
})  # fmt: skip
"""Poses with both feet on the floor, upright."""


LOW = frozenset({"sitting", "crouching", "kneeling", "kneeling on one knee"})
"""Poses with both feet or knees on the floor, not upright: their variations keep the legs."""


def posture_to_dict(posture: Posture) -> dict[str, Any]:
    """Plain numbers, zero and default values left out."""
    out: dict[str, Any] = {}
    for field in fields(posture):
        value = getattr(posture, field.name)
        if isinstance(value, Arm | Leg):
            plain = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
            if plain:
                out[field.name] = plain
        elif value:
            out[field.name] = value
    return out


def posture_from_dict(data: Mapping[str, Any]) -> Posture:
    kinds: dict[str, Any] = {"left_arm": Arm, "right_arm": Arm, "left_leg": Leg, "right_leg": Leg}
    return Posture(**{name: kinds[name](**value) if name in kinds else value for name, value in data.items()})


@cache
def poses() -> Mapping[str, Posture]:
    """Every named pose: the names of ``BASE``, and variations called "sitting 2", "sitting 3" and so on."""
    text = (Path(__file__).parent / "data" / "poses.json").read_text()
    return {name: posture_from_dict(data) for name, data in json.loads(text).items()}


def mirrored(posture: Posture) -> Posture:
    """Left and right exchanged."""
    return Posture(
        posture.right_arm, posture.left_arm, posture.right_leg, posture.left_leg,
        posture.bend, -posture.lean, -posture.twist, posture.nod, -posture.tilt, -posture.turn, posture.pitch,
    )  # fmt: skip


def varied(
    posture: Posture, rng: np.random.Generator, degrees: float = 7.0, arms: bool = True, legs: bool = True
) -> Posture:
    """A seeded variation of a pose, within limits; half of them mirrored.

    Args:
        arms: Whether they vary too.
        legs: Whether they vary too.
    """

    def jitter(name: str, value: float, kind: str = "") -> float:
        low, high = limits(f"{kind}.{name}")
        spread = degrees * (0.5 if name in ("out", "foot", "lean", "tilt", "bend") else 1.0)
        return (
            0.0 if name == "pitch" and not value else float(np.clip(round(value + rng.normal() * spread, 1), low, high))
        )

    values: dict[str, Any] = {}
    for field in fields(posture):
        value = getattr(posture, field.name)
        if (isinstance(value, Arm) and not arms) or (isinstance(value, Leg) and not legs):
            values[field.name] = value
        elif isinstance(value, Arm | Leg):
            kind = "arm" if isinstance(value, Arm) else "leg"
            values[field.name] = type(value)(
                **{f.name: jitter(f.name, getattr(value, f.name), kind) for f in fields(value)}
            )
        elif field.name == "pitch":
            values[field.name] = value
        else:
            values[field.name] = jitter(field.name, value)
    out = Posture(**values)
    return mirrored(out) if rng.random() < 0.5 else out


def clip(name: str, postures: list[Posture], times: list[float], bob: Float[ndarray, "k 3"] | None = None) -> Clip:
    """A motion through key postures."""
    frames = [rotations(posture) for posture in postures]
    joints = sorted({joint for frame in frames for joint in frame})
    turned = {}
    for joint in joints:
        quaternions = np.array([frame.get(joint, (1.0, 0.0, 0.0, 0.0)) for frame in frames], np.float32)
        for i in range(1, len(quaternions)):  # the short way round
            if quaternions[i] @ quaternions[i - 1] < 0:
                quaternions[i] *= -1
        if np.abs(quaternions - [1, 0, 0, 0]).max() > 1e-5:
            turned[joint] = quaternions
    return Clip(name, np.asarray(times, np.float32), turned, None if bob is None else bob.astype(np.float32))


def walk(height: float, keys: int = 24, seconds: float = 1.1) -> Clip:
    """A walk on the spot, one whole cycle.

    Args:
        height: Metres; the hips rise and fall with it.
    """
    phases = np.linspace(0, 2 * np.pi, keys + 1)
    postures = []
    for phase in phases:
        legs, arms = [], []
        for side in (0.0, np.pi):
            p = phase + side
            flex = 4 + 24 * np.cos(p)
            # The knee folds while the leg swings forward, and gives a little when it takes the weight.
            knee = 6 + 48 * np.clip(np.sin(-p + 0.35), 0, 1) ** 2 + 8 * np.clip(np.sin(p + 0.1), 0, 1) ** 2
            foot = -8 * np.clip(np.cos(p), 0, 1) + 20 * np.clip(np.sin(-p - 0.9), 0, 1) ** 2
            legs.append(Leg(flex=flex, out=1.5, knee=knee, foot=foot))
            arms.append(Arm(down=74, swing=4 - 22 * np.cos(p), elbow=18 - 8 * np.cos(p), curl=28))
        postures.append(
            Posture(
                arms[0],
                arms[1],
                legs[0],
                legs[1],
                bend=3,
                twist=-5 * np.cos(phase),
                turn=5 * np.cos(phase),
                lean=1.5 * np.sin(phase),
            )
        )
    bob = np.zeros((keys + 1, 3))
    bob[:, 1] = -0.012 * height - 0.009 * height * np.cos(2 * phases)
    bob[:, 0] = 0.008 * height * np.sin(phases)
    return clip("walk", postures, list(np.linspace(0, seconds, keys + 1)), bob)


def idle(keys: int = 16, seconds: float = 4.0) -> Clip:
    """Breathing and a slow shift of weight."""
    phases = np.linspace(0, 2 * np.pi, keys + 1)
    postures = []
    for phase in phases:
        breath, sway = np.sin(2 * phase), np.sin(phase)
        arm = Arm(down=73 + breath, swing=3, elbow=16 + 2 * breath, curl=24)
        postures.append(
            Posture(
                arm,
                arm,
                Leg(out=3),
                Leg(out=3),
                bend=-1 + 1.2 * breath,
                lean=1.2 * sway,
                turn=4 * sway,
                nod=-0.8 * breath,
            )
        )
    return clip("idle", postures, list(np.linspace(0, seconds, keys + 1)))


def planted(posture: Posture, soles: Callable[[Posture], tuple[float, float]]) -> Posture:
    """The posture with both feet on the floor: soles that are nearly level are made so, and the leg that reaches lower
    bends its knee.

    Args:
        soles: The lowest points of the left and the right foot, metres.
    """

    def level(leg: Leg) -> Leg:
        pitch = leg.knee - leg.flex + leg.foot
        return replace(leg, foot=max(leg.foot - pitch, LIMITS["foot"][0])) if abs(pitch) < 20 else leg

    posture = replace(posture, left_leg=level(posture.left_leg), right_leg=level(posture.right_leg))
    left, right = soles(posture)
    name = "left_leg" if left < right else "right_leg"
    leg: Leg = getattr(posture, name)

    def bent(angle: float) -> Posture:
        angle = min(angle, LIMITS["flex"][1] - leg.flex, (LIMITS["knee"][1] - leg.knee) / 2)
        foot = max(leg.foot - angle, LIMITS["foot"][0])
        shorter = replace(leg, flex=leg.flex + angle, knee=leg.knee + 2 * angle, foot=foot)
        return replace(posture, **{name: shorter})

    low, high = 0.0, 60.0
    for _ in range(20):
        middle = (low + high) / 2
        left, right = soles(bent(middle))
        low, high = (middle, high) if (left < right) == (name == "left_leg") else (low, middle)
    done = bent(high)
    legs = (
        replace(each, **{f.name: round(getattr(each, f.name), 1) for f in fields(each)})
        for each in (done.left_leg, done.right_leg)
    )
    return replace(done, left_leg=next(legs), right_leg=next(legs))


def penetration(vertices: Float[ndarray, "v 3"], groups: Mapping[str, ndarray], faces: ndarray) -> float:
    """The deepest that a hand, forearm, shin or foot lies inside another part of the body, in metres.

    Args:
        vertices: Posed body.
        groups: Vertex masks by name, see ``limb_groups``.
        faces: Of the whole body.
    """
    import igl

    worst = 0.0
    pairs = [
        (f"{limb}.{side}", other) for limb in ("hand", "shin") for side in "LR" for other in ("trunk", f"thigh.{side}")
    ]
    pairs += [(f"{limb}.L", f"{limb}.R") for limb in ("hand", "shin", "thigh")]
    pairs += [
        (f"hand.{a}", f"{limb}.{b}")
        for a in "LR"
        for b in "LR"
        for limb in ("shin", "thigh")
        if (limb, a) != ("thigh", b)
    ]
    pairs += [(f"upperarm.{side}", "head") for side in "LR"] + [("hand.L", "upperarm.R"), ("hand.R", "upperarm.L")]
    for moving, still in pairs:
        points = np.ascontiguousarray(vertices[groups[moving]], np.float64)
        inside = groups[still]
        part = faces[inside[faces].all(1)]
        low, high = vertices[inside].min(0), vertices[inside].max(0)
        near = ((points > low) & (points < high)).all(1)
        if not near.any():
            continue
        points = points[near]
        surface = np.ascontiguousarray(vertices, np.float64)
        winding = igl.fast_winding_number(surface, part, points)
        points = points[np.abs(winding) > 0.6]
        if len(points):
            squared = igl.point_mesh_squared_distance(points, surface, part)[0]
            # A folded knee presses calf and thigh together: that is flesh, not a fault.
            allowance = 0.03 if moving[:4] == "shin" and still[:5] == "thigh" else 0.0
            worst = max(worst, float(np.sqrt(squared.max())) - allowance)
    return worst


def limb_groups(joint_names: tuple[str, ...], skin_weights: ndarray, skin_joints: ndarray) -> dict[str, ndarray]:
    """Vertex masks of the parts that ``penetration`` compares, by each vertex's strongest joint."""
    strongest = np.array(joint_names)[skin_joints[np.arange(len(skin_joints)), skin_weights.argmax(1)]]
    kinds = {
        "hand": ("lowerarm02", "wrist", "finger", "metacarpal"), "upperarm": ("upperarm", "lowerarm01"),
        "shin": ("lowerleg02", "foot", "toe"), "thigh": ("upperleg02", "lowerleg01"),
    }  # fmt: skip
    groups = {
        f"{name}.{side}": np.array([joint.startswith(starts) and joint.endswith(side) for joint in strongest])
        for name, starts in kinds.items()
        for side in "LR"
    }
    groups["head"] = np.array([joint.startswith(("head", "neck")) for joint in strongest])
    groups["trunk"] = groups["head"] | np.array(
        [joint.startswith(("spine", "root", "pelvis", "breast")) for joint in strongest]
    )
    return groups


def make(total: int = 240, tolerance: float = 0.012) -> dict[str, Posture]:
    """The named poses: every base pose, then variations in turn up to ``total``; each checked on three bodies."""
    from bozzetto.body.bind import bind_t_pose, pose_transforms, skin
    from bozzetto.body.model import load_body
    from bozzetto.body.person import shape_person
    from bozzetto.figure.spec import BodySpec, FaceSpec

    body = load_body()
    stop = body.parts["body"].stop
    weights, joints = body.skin_weights[:stop], body.skin_joints[:stop]
    groups = limb_groups(body.joint_names, weights, joints)
    bodies = []
    for spec in (
        BodySpec("woman", 30, 1.66, 0.45),
        BodySpec("man", 40, 1.8, 0.62),
        BodySpec("androgynous", 9, 1.34, 0.5),
    ):
        shaped = shape_person(body, spec, FaceSpec())
        bind = bind_t_pose(body.joint_names, body.joint_parents, shaped.joints)
        bodies.append((bind.place(shaped.vertices[:stop], weights, joints), body.skeleton(bind.joints)))

    def depth(posture: Posture) -> float:
        return max(
            penetration(
                skin(rest, weights, joints, pose_transforms(skeleton, rotations(posture))),
                groups,
                body.parts["body"].faces,
            )
            for rest, skeleton in bodies
        )

    rest, skeleton = bodies[1]
    feet = [groups[f"shin.{side}"] & (rest[:, 1] < 0.06) for side in "LR"]

    def soles(posture: Posture) -> tuple[float, float]:
        transforms = pose_transforms(skeleton, rotations(posture))
        low = [float(skin(rest[foot], weights[foot], joints[foot], transforms)[:, 1].min()) for foot in feet]
        return low[0], low[1]

    kept = {}
    for name, posture in BASE.items():
        posture = planted(posture, soles) if name in STANDING else posture
        found = depth(posture)
        print(f"{name}: {found * 1e3:.1f} mm{'  REFUSED' if found > tolerance else ''}")
        if found <= tolerance:
            kept[name] = posture
    rng = np.random.default_rng(0)
    bases = [name for name in kept if name not in ("t-pose", "a-pose")]
    counts = dict.fromkeys(bases, 1)
    tries = 0
    while len(kept) < total:
        name = bases[tries % len(bases)]
        tries += 1
        still = name in TOUCHING
        posture = varied(BASE[name], rng, 3.0 if still else 7.0, not still, name not in LOW)
        posture = planted(posture, soles) if name in STANDING else posture
        if depth(posture) <= tolerance:
            counts[name] += 1
            kept[f"{name} {counts[name]}"] = posture
    print(f"{len(kept)} poses, {tries} variations tried")
    return kept


if __name__ == "__main__":
    table = {name: posture_to_dict(posture) for name, posture in make().items()}
    (Path(__file__).parent / "data" / "poses.json").write_text(json.dumps(table, indent=1) + "\n")
