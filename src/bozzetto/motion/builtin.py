"""The motions that come along: idle, walk, run, wave, sit and dance, made for each body anew.

Pelvis, trunk and arms follow curves in the body's own words (``body.poses``); feet are put where they belong and the
legs reach them, so a standing foot stays where it is whatever the proportions. Walk and run are on the spot: a
standing foot travels backwards at the one speed at which the figure would go forwards. Timing and ranges follow gait
analysis (Perry & Burnfield 2010, Gait Analysis: stance is 62 % of a walk's cycle, the pelvis drops, turns and sways
4 to 5 degrees and 2 cm), amplitudes were then set by looking.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial.transform import Rotation

from bozzetto.body.poses import Arm, Posture, rotations
from bozzetto.motion.feet import SIDES, Sole, hips, leg_length, soles, toes, with_leg
from bozzetto.motion.frames import Frames, about, rest_positions, to_clip
from bozzetto.types import Avatar, Clip, Skeleton

_X, _Y = np.eye(3)[:2]
_REACH = 0.997
"""Of a leg's length, how far a standing leg is stretched: its knee keeps 9 degrees."""


@dataclass(frozen=True, eq=False)
class Performer:
    """Who moves."""

    skeleton: Skeleton
    soles: Mapping[str, Sole]
    leg: float
    """From hip to ankle, metres."""

    def ankle(self, side: str) -> Float[ndarray, "3"]:
        return rest_positions(self.skeleton)[self.skeleton.index(f"foot.{side}")]


@dataclass(frozen=True, eq=False)
class Foot:
    """Where one foot is, and how it is held."""

    ankle: Float[ndarray, "k 3"]
    pitch: Float[ndarray, "k"]
    """Degrees, toes down."""
    yaw: Float[ndarray, "k"]
    """Degrees, toes to the figure's left."""
    toe: Float[ndarray, "k"]
    """Degrees, toes bent up."""
    stands: Bool[ndarray, "k"]
    """Whether it bears weight."""


@dataclass(frozen=True, eq=False)
class Pelvis:
    """Moved from rest, metres, and turned, degrees."""

    offset: Float[ndarray, "k 3"]
    forward: Float[ndarray, "k"]
    left_up: Float[ndarray, "k"]
    to_left: Float[ndarray, "k"]


def performer(avatar: Avatar) -> Performer:
    return Performer(avatar.skeleton, soles(avatar), leg_length(avatar.skeleton))


def built_in(name: str, avatar: Avatar, fps: float = 30.0) -> Clip:
    """A motion of ``MOTIONS`` for an avatar.

    Raises:
        KeyError: No such motion.
    """
    return to_clip(name, MOTIONS[name](performer(avatar), fps))


def moment(cycle: float, fps: float) -> Float[ndarray, "k"]:
    """Times of one cycle; the last is the first again."""
    return np.linspace(0.0, cycle, max(round(cycle * fps), 8) + 1)


def wave_of(phase: Float[ndarray, "k"], shift: float = 0.0) -> Float[ndarray, "k"]:
    """Cosine of a phase in turns."""
    return np.cos(2 * np.pi * (phase - shift))


def eased(keys: Sequence[tuple[float, float]], at: Float[ndarray, "k"]) -> Float[ndarray, "k"]:
    """Smooth and monotone between keys (time, value); still before the first and after the last."""
    times, values = zip(*keys, strict=True)
    return PchipInterpolator(times, values)(np.clip(at, times[0], times[-1]))


def round_about(keys: Sequence[tuple[float, float]], phase: Float[ndarray, "k"]) -> Float[ndarray, "k"]:
    """Smooth between keys (phase, value) of a cycle that repeats every turn."""
    around = [(p + turn, v) for turn in (-1, 0, 1) for p, v in keys]
    return eased(around, phase % 1.0)


def composed(
    who: Performer,
    times: Float[ndarray, "k"],
    postures: Sequence[Posture],
    pelvis: Pelvis,
    feet: Mapping[str, Foot],
    knees_out: float = 4.0,
) -> Frames:
    """Frames of trunk, arms and head as the postures say, and legs that stand where the feet are.

    Args:
        knees_out: Degrees that a knee points further outwards than the foot and pelvis between them.
    """
    skeleton, count = who.skeleton, len(times)
    local = np.tile(np.eye(3), (count, len(skeleton.names), 1, 1))
    turned = [rotations(posture) for posture in postures]
    for name in turned[0]:
        joint = skeleton.index(name)
        local[:, joint] = Rotation.from_quat(np.array([turn[name] for turn in turned])[:, [1, 2, 3, 0]]).as_matrix()
    root = skeleton.parents.index(-1)
    angles = np.stack([pelvis.to_left, pelvis.left_up, pelvis.forward], 1)
    local[:, root] = Rotation.from_euler("YZX", angles, degrees=True).as_matrix()
    frames = Frames(skeleton, times, local, rest_positions(skeleton)[root] + pelvis.offset)
    for side in SIDES:
        foot, sign = feet[side], 1.0 if side == "L" else -1.0
        turn = Rotation.from_euler("YX", np.stack([foot.yaw, foot.pitch], 1), degrees=True)
        heading = 0.5 * (foot.yaw + pelvis.to_left) + sign * knees_out
        hinge = about(_Y, np.radians(heading))[:, :, 0]
        frames = with_leg(frames, side, foot.ankle, turn.as_matrix(), hinge)
        for joint in toes(skeleton, side):
            frames.local[:, joint] = about(_X, -np.radians(foot.toe))
    return frames


def standing_foot(who: Performer, side: str, count: int, out: float = 7.0, apart: float = 0.0) -> Foot:
    """A foot flat on the floor.

    Args:
        out: Degrees that it points outwards.
        apart: Metres further from the middle than at rest.
    """
    sign = 1.0 if side == "L" else -1.0
    ankle = np.tile(who.ankle(side) + np.array([sign * apart, 0.0, 0.0]), (count, 1))
    zero = np.zeros(count)
    return Foot(ankle, zero, zero + sign * out, zero, np.ones(count, bool))


def lowest(who: Performer, pelvis: Pelvis, feet: Mapping[str, Foot], times: Float[ndarray, "k"]) -> float:
    """Metres, the same for all frames, that the pelvis must come down for no standing leg to be stretched."""
    local = np.tile(np.eye(3), (len(times), len(who.skeleton.names), 1, 1))
    root = who.skeleton.parents.index(-1)
    angles = np.stack([pelvis.to_left, pelvis.left_up, pelvis.forward], 1)
    local[:, root] = Rotation.from_euler("YZX", angles, degrees=True).as_matrix()
    frames = Frames(who.skeleton, times, local, rest_positions(who.skeleton)[root] + pelvis.offset)
    need = []
    for side, foot in feet.items():
        hip = hips(frames, side)
        aside = ((hip - foot.ankle)[:, [0, 2]] ** 2).sum(1)
        far = hip[:, 1] - foot.ankle[:, 1] - np.sqrt(np.maximum((_REACH * who.leg) ** 2 - aside, 0.0))
        need.append(far[foot.stands])
    return max(float(np.max(np.concatenate(need))), 0.0)


def down(pelvis: Pelvis, metres: float) -> Pelvis:
    return replace(pelvis, offset=pelvis.offset - [0.0, metres, 0.0])


@dataclass(frozen=True)
class Gait:
    """What walk and run differ in. Phases are in turns of the cycle, from the foot's landing."""

    seconds: float
    """Of a cycle, for a leg of 0.85 m; a pendulum's law scales it."""
    stride: float
    """Leg lengths from one landing of a foot to its next."""
    stance: float
    """Phase at which the foot leaves the floor."""
    under: float
    """Phase at which it is below the hip."""
    pitch: tuple[tuple[float, float], ...]
    """Degrees toes down, by phase. Standing, the foot rolls about its heel below zero, about its toes' joints above."""
    swing: tuple[tuple[float, float, float], ...]
    """Phase, and the ankle ahead of the hip and above the floor in leg lengths."""
    narrow: float
    """How far the feet come in, leg lengths."""


WALK = Gait(
    1.1, 1.36, 0.62, 0.28,
    ((0.0, -17.0), (0.09, 0.0), (0.36, 0.0), (0.5, 16.0), (0.62, 50.0), (0.67, 56.0), (0.8, 14.0), (0.91, -13.0)),
    ((0.80, -0.02, 0.135),), 0.045,
)  # fmt: skip
RUN = Gait(
    0.72, 2.35, 0.36, 0.14,
    ((0.0, -5.0), (0.05, 0.0), (0.16, 0.0), (0.28, 26.0), (0.36, 52.0), (0.44, 70.0), (0.6, 66.0), (0.78, 14.0),
     (0.92, -6.0)),
    ((0.50, -0.52, 0.50), (0.66, -0.02, 0.44), (0.82, 0.38, 0.26)), 0.07,
)  # fmt: skip


def stepping(who: Performer, side: str, gait: Gait, phase: Float[ndarray, "k"]) -> Foot:
    """A foot of a gait on the spot, at phases of its own cycle."""
    phase = phase % 1.0
    sign = 1.0 if side == "L" else -1.0
    out = sign * 6.0
    pitch = round_about(gait.pitch, phase)
    sole, rest = who.soles[side], who.ankle(side)
    rest = rest - [sign * gait.narrow * who.leg, 0.0, 0.0]

    def standing(at: Float[ndarray, "n"]) -> Float[ndarray, "n 3"]:
        """The ankle while the sole rolls on the moving floor."""
        angle = round_about(gait.pitch, at)
        roll = Rotation.from_euler("YX", np.stack([np.full(len(at), out), angle], 1), degrees=True)
        flat = Rotation.from_euler("y", out, degrees=True)
        pivot = np.where((angle < 0)[:, None], sole.heel - who.ankle(side), sole.bend - who.ankle(side))
        floor = flat.apply(pivot) * [1.0, 0.0, 1.0] + pivot * [0.0, 1.0, 0.0]
        ankle = rest + floor - roll.apply(pivot)
        ankle[:, 2] += who.leg * gait.stride * (gait.under - at)
        return ankle

    step = 1e-3
    leaves, lands = gait.stance, 1.0
    ends = standing(np.array([leaves - step, leaves, 0.0, step]))
    slopes = (ends[1] - ends[0]) / step, (ends[3] - ends[2]) / step
    keys = [leaves, *(p for p, _, _ in gait.swing), lands]
    hip = rest_positions(who.skeleton)[who.skeleton.index(f"upperleg01.{side}")]
    through = [[rest[0], y * who.leg, hip[2] + z * who.leg] for _, z, y in gait.swing]
    path = CubicSpline(keys, np.array([ends[1], *through, ends[2]]), bc_type=((1, slopes[0]), (1, slopes[1])))
    swinging = phase > leaves
    ankle = standing(np.minimum(phase, leaves))
    ankle[swinging] = path(phase[swinging])
    bent = np.maximum(pitch, 0.0) * np.where(swinging, np.clip(1 - (phase - leaves) / 0.14, 0, 1), 1.0)
    zero = np.zeros(len(phase))
    foot = Foot(ankle, pitch, zero + out, np.minimum(bent, 55.0), ~swinging)
    air = np.sin(np.pi * np.clip((phase - leaves) / (lands - leaves), 0.0, 1.0))
    return cleared(who, side, foot, 0.02 * who.leg * air)


def cleared(who: Performer, side: str, foot: Foot, above: Float[ndarray, "k"]) -> Foot:
    """The foot lifted, while it swings, where its sole would come nearer to the floor than this, metres."""
    sole, rest = who.soles[side], who.ankle(side)
    turn = Rotation.from_euler("YX", np.stack([foot.yaw, foot.pitch], 1), degrees=True)
    curled = Rotation.from_euler("YX", np.stack([foot.yaw, foot.pitch - foot.toe], 1), degrees=True)
    low = [turn.apply(sole.heel - rest)[:, 1], turn.apply(sole.ball - rest)[:, 1]]
    low.append(turn.apply(sole.bend - rest)[:, 1] + curled.apply(sole.tip - sole.bend)[:, 1])
    lift = np.where(~foot.stands, np.maximum(above - (foot.ankle[:, 1] + np.min(low, 0)), 0.0), 0.0)
    return replace(foot, ankle=foot.ankle + lift[:, None] * [0.0, 1.0, 0.0])


def walk(who: Performer, fps: float) -> Frames:
    """A walk on the spot."""
    cycle = WALK.seconds * float(np.sqrt(who.leg / 0.85))
    times = moment(cycle, fps)
    p = times / cycle
    size = who.leg
    feet = {"L": stepping(who, "L", WALK, p), "R": stepping(who, "R", WALK, p + 0.5)}
    side, bob = wave_of(p, 0.28), -wave_of(2 * p, 0.12)
    turn, roll = -5.0 * wave_of(p, 0.02), 3.4 * wave_of(p, 0.22)
    zero = np.zeros(len(p))
    pelvis = Pelvis(np.stack([0.026 * size * side, 0.028 * size * bob, zero], 1), zero + 3.0, roll, turn)
    postures = [
        Posture(
            Arm(down=77, swing=1 - 21 * a, elbow=22 - 11 * a, roll=-12, wrist=5 - 4 * a, curl=26),
            Arm(down=77, swing=1 + 21 * a, elbow=22 + 11 * a, roll=-12, wrist=5 + 4 * a, curl=26),
            bend=-1.0 - 0.8 * b,
            lean=1.15 * r,
            twist=-t + 4.0 * c,
            nod=-1.0 + 1.0 * b,
            tilt=-0.3 * r,
            turn=-4.0 * c,
        )
        for a, b, c, r, t in zip(wave_of(p, 0.03), bob, wave_of(p, 0.05), roll, turn, strict=True)
    ]
    return composed(who, times, postures, down(pelvis, lowest(who, pelvis, feet, times)), feet, knees_out=1.0)


def run(who: Performer, fps: float) -> Frames:
    """A jog on the spot."""
    cycle = RUN.seconds * float(np.sqrt(who.leg / 0.85))
    times = moment(cycle, fps)
    p = times / cycle
    size = who.leg
    feet = {"L": stepping(who, "L", RUN, p), "R": stepping(who, "R", RUN, p + 0.5)}
    bob = -wave_of(2 * p, 0.33)
    turn, roll = -7.0 * wave_of(p, 0.95), 3.0 * wave_of(p, 0.16)
    zero = np.zeros(len(p))
    offset = np.stack([0.012 * size * wave_of(p, 0.16), 0.04 * size * bob, zero], 1)
    pelvis = Pelvis(offset, zero + 9.0, roll, turn)
    postures = [
        Posture(
            Arm(down=69, swing=-4 - 34 * a, forward=6, twist=-6, elbow=88 - 14 * a, roll=-10, curl=52),
            Arm(down=69, swing=-4 + 34 * a, forward=6, twist=-6, elbow=88 + 14 * a, roll=-10, curl=52),
            bend=3.0 + 1.5 * b,
            lean=1.1 * r,
            twist=-t + 8.0 * c,
            nod=-9.0 - 1.0 * b,
            turn=-8.0 * c,
        )
        for a, b, c, r, t in zip(wave_of(p, 0.95), bob, wave_of(p, 0.97), roll, turn, strict=True)
    ]
    return composed(who, times, postures, down(pelvis, lowest(who, pelvis, feet, times)), feet, knees_out=1.0)


def at_ease(breath: float, sway: float, glance: float = 0.0) -> Posture:
    """Standing, waiting. Each value goes from -1 to 1; a positive sway is weight on the left leg."""
    return Posture(
        Arm(down=77 - 0.8 * breath, swing=2 + sway, elbow=17 + 1.5 * breath, roll=-14, curl=24),
        Arm(down=77 - 0.8 * breath, swing=3 - sway, elbow=20 + 1.5 * breath, roll=-14, curl=26),
        bend=-1.5 - 0.9 * breath,
        lean=5.6 * sway,
        twist=1.5 * sway + 1.0 * glance,
        nod=1.0 + 0.6 * breath,
        tilt=-2.0 * sway,
        turn=9.0 * glance,
    )


def resting_on(who: Performer, sway: Float[ndarray, "k"]) -> Pelvis:
    """The pelvis over one leg or the other; the free hip drops."""
    zero = np.zeros(len(sway))
    offset = np.stack([0.05 * who.leg * sway, -0.006 * who.leg * sway**2, zero], 1)
    return Pelvis(offset, zero + 1.0, 4.2 * sway, -2.5 * sway)


def idle(who: Performer, fps: float) -> Frames:
    """Breathing, the weight going from one leg to the other, a look aside; eight seconds."""
    times = moment(8.0, fps)
    p = times / 8.0
    sway = round_about(((0.0, 0.8), (0.3, 0.9), (0.46, -0.75), (0.82, -0.85), (0.97, 0.8)), p)
    glance = round_about(((0.1, 0.0), (0.22, 1.0), (0.36, 0.9), (0.5, 0.0), (0.66, -0.7), (0.76, -0.6), (0.9, 0.0)), p)
    feet = {side: standing_foot(who, side, len(p)) for side in SIDES}
    pelvis = resting_on(who, sway)
    postures = [at_ease(b, s, g) for b, s, g in zip(-wave_of(2 * p), sway, glance, strict=True)]
    return composed(who, times, postures, down(pelvis, lowest(who, pelvis, feet, times)), feet)


def blended(first: Arm, last: Arm, share: float) -> Arm:
    """An arm between two."""
    values = {name: (1 - share) * value + share * getattr(last, name) for name, value in vars(first).items()}
    return Arm(**values)


def wave(who: Performer, fps: float) -> Frames:
    """The right hand goes up, waves and comes down; it ends as it began."""
    times = moment(3.6, fps)
    up = eased(((0.0, 0.0), (0.2, 0.03), (0.85, 1.0), (2.75, 1.0), (3.45, 0.02), (3.6, 0.0)), times)
    beat = np.sin(2 * np.pi * (times - 0.8) / 0.62) * eased(((0.75, 0.0), (1.0, 1.0), (2.55, 1.0), (2.9, 0.0)), times)
    sway = 0.5 + 0.35 * up
    breath = -wave_of(times / 3.6)
    feet = {side: standing_foot(who, side, len(times)) for side in SIDES}
    pelvis = resting_on(who, sway)
    postures = []
    for u, b, s, q in zip(up, beat, sway, breath, strict=True):
        stand = at_ease(q, s)
        hello = Arm(
            down=-4, swing=0, forward=24, twist=80, elbow=92 + 17 * b, roll=8 + 6 * b, wrist=-6, aside=8 * b, curl=4
        )
        postures.append(
            replace(
                stand, right_arm=blended(stand.right_arm, hello, u), tilt=stand.tilt - 5 * u, turn=-3 * u, nod=1 - 4 * u
            )
        )
    return composed(who, times, postures, down(pelvis, lowest(who, pelvis, feet, times)), feet)


def sit(who: Performer, fps: float) -> Frames:
    """Down onto a seat as high as the knees, hands on the thighs, and staying there; it does not come back."""
    times = moment(3.4, fps)
    seated = eased(((0.0, 0.0), (0.25, 0.02), (1.5, 0.985), (1.75, 1.0)), times)
    leaning = eased(((0.1, 0.0), (0.85, 1.0), (1.25, 0.9), (2.1, 0.0)), times)
    breath = -wave_of(times / 1.7) * eased(((1.9, 0.0), (2.4, 1.0)), times)
    feet = {side: standing_foot(who, side, len(times), out=8.0) for side in SIDES}
    rest = rest_positions(who.skeleton)
    hip, knee, ankle = (rest[who.skeleton.index(f"{bone}.L")] for bone in ("upperleg01", "lowerleg01", "foot"))
    thigh = float(np.linalg.norm(knee - hip))
    # Shins a little forward at the knee; the hip as high as the knee and a thigh's flesh above it.
    down_by = float(hip[1] - knee[1]) - 0.035 * who.leg
    back_by = 0.9 * thigh + float(hip[2] - ankle[2])
    along = eased(((0.0, 0.0), (0.35, 0.48), (1.0, 1.0)), seated)
    zero = np.zeros(len(times))
    pelvis = Pelvis(np.stack([zero, -down_by * seated, -back_by * along], 1), 20 * leaning - 6 * seated, zero, zero)
    stand = at_ease(0.0, 0.0)
    # The hands of "sitting" among the named poses.
    lap = Arm(down=72, swing=-10, twist=-22, elbow=87, roll=-60, wrist=-24, curl=12, aside=-14)
    reach = Arm(down=70, swing=52, twist=-6, elbow=62, roll=-30, curl=16)
    hands = eased(((0.2, 0.0), (0.95, 1.0)), times), eased(((1.45, 0.0), (2.2, 1.0)), times)
    postures = []
    for s, l, b, h, k in zip(seated, leaning, breath, *hands, strict=True):
        arm = blended(blended(stand.left_arm, reach, h), lap, k)
        postures.append(
            Posture(arm, arm, bend=20 * l + 5 * s - 1.5 * (1 - s) - 0.8 * b, nod=-16 * l + 1 + 2 * s, turn=0.0)
        )
    first = Pelvis(pelvis.offset[:1], pelvis.forward[:1], pelvis.left_up[:1], pelvis.to_left[:1])
    start = {side: standing_foot(who, side, 1, out=8.0) for side in SIDES}
    need = lowest(who, first, start, times[:1])
    pelvis = replace(pelvis, offset=pelvis.offset - np.outer(need * (1 - seated), [0.0, 1.0, 0.0]))
    return composed(who, times, postures, pelvis, feet, knees_out=3.0)


def dance(who: Performer, fps: float) -> Frames:
    """Step and touch to the left and to the right, the second time with raised arms; eight beats, 108 a minute."""
    beat = 60 / 108
    times = moment(8 * beat, fps)
    b = times / beat
    size, wide = who.leg, 0.27 * who.leg
    four = b % 4.0
    feet = {
        "L": danced(who, "L", wide, ((0.0, 0.3), (0.35, 0.3), (1.0, 1.0), (3.3, 1.0), (4.0, 0.3)), (0.68, 3.66), four),
        "R": danced(who, "R", wide, ((0.0, 0.0), (1.3, 0.0), (2.0, 0.7), (2.35, 0.7), (3.0, 0.0)), (2.68, 1.66), four),
    }
    weight = np.cos(2 * np.pi * (b - 1.6) / 4)  # 1 over the left foot, -1 over the right
    pulse, turn = np.cos(2 * np.pi * b), np.sin(2 * np.pi * (b - 1.6) / 4)
    zero = np.zeros(len(b))
    offset = np.stack([(wide / 2 + 0.02 * size) * weight, -0.022 * size * (1 + pulse), zero], 1)
    pelvis = Pelvis(offset, 3.0 + 2.0 * pulse, 5.0 * weight, 7.0 * turn)
    raised = eased(((4.2, 0.0), (4.9, 1.0), (7.2, 1.0), (7.9, 0.0)), b)
    swing = np.cos(np.pi * (b - 0.9))
    postures = []
    for w, p, t, s, u in zip(weight, pulse, turn, swing, raised, strict=True):
        arms = []
        for sign in (1.0, -1.0):
            low = Arm(down=60, swing=23 + 23 * sign * s, twist=-14, elbow=80 + 10 * p, roll=-8, curl=50, wrist=4)
            high = Arm(down=10 - 9 * sign * w + 5 * p, forward=30, twist=76, elbow=92 + 9 * p, roll=4, curl=26)
            arms.append(blended(low, high, u))
        postures.append(
            Posture(
                *arms,
                bend=2 - 2 * p,
                lean=4 * w + 3 * w * (1 - u),
                twist=-11 * t,
                nod=2 + 4 * p,
                tilt=-4 * w,
                turn=5 * t,
            )
        )
    return composed(who, times, postures, down(pelvis, lowest(who, pelvis, feet, times)), feet, knees_out=6.0)


def danced(
    who: Performer,
    side: str,
    wide: float,
    places: Sequence[tuple[float, float]],
    airborne: tuple[float, float],
    beats: Float[ndarray, "k"],
) -> Foot:
    """One foot of the dance.

    Args:
        wide: Metres of a whole step.
        places: Beat, and how far left the foot is, in steps.
        airborne: The beats at the middle of its two flights: of its step, and of its touch, which ends on the ball.
        beats: Of four.
    """
    sole, rest, sign = who.soles[side], who.ankle(side), 1.0 if side == "L" else -1.0

    def hill(middle: float, half: float) -> Float[ndarray, "k"]:
        away = np.abs((beats - middle + 2) % 4 - 2) / half
        return np.where(away < 1, np.cos(np.pi / 2 * np.minimum(away, 1)) ** 2, 0.0)

    step, touch = (hill(middle, 0.33) for middle in airborne)
    resting = airborne[1] + 0.45
    pitch = 24.0 * hill(resting % 4, 0.62) + 8.0 * step
    out = sign * 10.0
    turn = Rotation.from_euler("YX", np.stack([np.full(len(beats), out), pitch], 1), degrees=True)
    flat = Rotation.from_euler("y", out, degrees=True)
    pivot = sole.bend - rest
    ankle = rest + flat.apply(pivot * [1, 0, 1]) + pivot * [0, 1, 0] - turn.apply(np.tile(pivot, (len(beats), 1)))
    ankle[:, 0] += wide * (eased(places, beats) - 0.5)
    ankle[:, 1] += 0.07 * who.leg * (step + 0.8 * touch)
    zero = np.zeros(len(beats))
    return Foot(ankle, pitch, zero + out, np.minimum(pitch, 24.0), (step + touch) < 1e-3)


MOTIONS: Mapping[str, Callable[[Performer, float], Frames]] = {
    "idle": idle,
    "walk": walk,
    "run": run,
    "wave": wave,
    "sit": sit,
    "dance": dance,
}
