"""Haircuts: which strands grow on the scalp, and where they go.

A style is a function of the head; every number is in metres of the template's, so a child's hair is a little shorter.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.figure.scalp import CROWN, NAPE, Head, scalp, step, unit
from bozzetto.figure.spec import FigureSpec
from bozzetto.figure.strands import Geometry, Strands, distances, grow, locks, ribbons, strands, tubes, wisps


@dataclass(frozen=True, eq=False)
class Cut:
    """What a style gives."""

    seeds: Strands
    points: int = 7
    """Along each strand."""
    thickness: tuple[float, float] = (0.004, 0.010)
    """Of the under-layer, least and most: hairs grow out of it, at once where it is thin."""
    puffs: float = 0.0
    """How much the under-layer's thickness varies from curl to curl, metres."""
    extra: tuple[Geometry, ...] = ()
    """Plaits and locks, in the template's measure."""
    locks: bool = False
    """Strands become round locks instead of ribbons."""
    more: tuple[tuple[Strands, int], ...] = ()
    """Further strands, each set with its number of points."""
    coily: bool = False
    """Every hair is tightly curled; without strands, curls lie all over the under-layer."""


def _fall(points: Float[ndarray, "n 3"], part: float, back: float = 0.0) -> Float[ndarray, "n 3"]:
    """Directions in which hair falls from a parting at x = ``part``, and round the crown behind it."""
    end = np.array([part * 0.5, 0.02])
    start = np.array([part, 0.165])
    along = end - start
    t = np.clip(((points[:, [0, 2]] - start) @ along) / (along @ along), 0, 1)
    away = points[:, [0, 2]] - (start + t[:, None] * along)
    size = np.linalg.norm(away, axis=1, keepdims=True)
    away = away / (size + 0.004)
    low = step(0.68, 0.60, points[:, 1])  # the nape's hair grows downwards
    out = 1 - 0.9 * low
    return unit(np.stack([away[:, 0] * out, -0.45 - 0.55 * low, (away[:, 1] - back) * out], 1))


def _leaders(points: Float[ndarray, "n 3"], count: int) -> Int[ndarray, "n"]:
    """For each strand the nearest of the first ``count``; roots are ordered, so those are evenly spread."""
    return cKDTree(points[: min(count, len(points))]).query(points)[1]


def _loose(head: Head, chosen: Int[ndarray, "n"], combs: Float[ndarray, "n 3"], guides: int, **how) -> Strands:
    """Strands at roots, with what all styles share: columns, leaning, small disorder."""
    rng, count = head.rng, len(chosen)
    combs = unit(combs + rng.normal(size=(count, 3)) * how.pop("mess", 0.06))
    leader = how.pop("leader", None)
    if leader is None:
        leader = _leaders(head.roots[chosen], guides if head.full else max(guides // 6, 8))
    x = head.roots[chosen][:, 0]
    near = x * x[leader] > 0
    how["clump"] = np.where(near, how.get("clump", 0.35), 0.0)
    how["length"] = how["length"] * np.exp(rng.normal(size=count) * 0.06)
    width = how.get("width", 0.006) * (1.0 if head.full else 2.4)
    how.setdefault("blunt", 0.45)
    # Thin, uneven hairs at the hairline.
    edge = step(0.012, 0.0, scalp().inside[chosen] + rng.normal(size=count) * 0.003)
    slim = 0.34 * how["length"] if head.full else np.inf  # short and broad are scales
    how["width"] = np.minimum(width * (1 - edge * rng.uniform(0.25, 0.75, count)), slim)
    how["length"] = how["length"] * (1 - 0.35 * edge * rng.uniform(0, 1, count))
    combs = unit(combs + rng.normal(size=(count, 3)) * (0.22 * edge)[:, None])
    column = locks(rng, count)
    fine = (edge > rng.uniform(0, 1.3, count)) & (how["length"] < 0.1)  # long ones would be wires
    if head.full:
        column[fine] = wisps(rng, int(fine.sum()))
    return strands(
        head.roots[chosen], head.normals[chosen], combs,
        **{
            "leader": leader, "column": column, "tilt": rng.normal(size=count) * 0.10,
            "phase": rng.uniform(0, 6.28, count), "ceiling": head.ceiling, **how,
        },
    )  # fmt: skip


def _stubble(head: Head, chosen: Int[ndarray, "n"]) -> Strands:
    """Clippered hair: a nap of short fine hairs."""
    length = head.rng.uniform(0.009, 0.012)
    seeds = _loose(
        head, chosen, _fall(head.roots[chosen], 0.0), 100, length=length, lift=0.04, height=0.0028, width=0.0058,
        gravity=0.2, clump=0.0, blunt=0.8,
    )  # fmt: skip
    if head.full:
        seeds.get("column")[:] = wisps(head.rng, len(chosen))
    return seeds


def _buzz(head: Head) -> Cut:
    return Cut(_stubble(head, head.some(1900, 200)), 3, (0.0013, 0.00325), coily=True)


def _nape(x: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
    """1 in the nape, where cropped hair is shortest and follows the neck inwards; 0 elsewhere."""
    return step(0.63, 0.60, x[:, 1]) * step(0.05, 0.02, x[:, 2])


def _short(head: Head) -> Cut:
    """A crop: longer on top, brushed forward or aside, sides and nape tapered."""
    rng = head.rng
    chosen = head.some(1600, 200)
    x = scalp().roots[chosen]
    top = step(0.655, 0.735, x[:, 1])
    length = 0.027 - 0.010 * _nape(x) + top * rng.uniform(0.016, 0.032)
    side = rng.choice((-1.0, 1.0)) * rng.uniform(0.2, 0.9)
    forward = rng.uniform(0.1, 0.9)
    combs = _fall(x, 0.0)
    combs = unit(combs * (1 - 0.8 * top)[:, None] + top[:, None] * np.array([side, 0.0, forward]))
    back = (1 - top) * step(0.10, 0.0, x[:, 2])
    combs[:, 2] -= 0.35 * back
    seeds = _loose(
        head, chosen, combs, 260, length=length, lift=0.04 + 0.24 * top, height=0.0034 + 0.0116 * top, gravity=0.15,
        hug=0.5 + 1.5 * _nape(x), turn=1 + _nape(x), clump=0.08 + 0.22 * top, width=0.0068, mess=0.10, fade=0.05,
    )  # fmt: skip
    return Cut(seeds, 7, (0.0045, 0.01125))


def _side_part(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 195)
    x = scalp().roots[chosen]
    part = rng.choice((-1.0, 1.0)) * rng.uniform(0.024, 0.032)
    top = step(0.665, 0.725, x[:, 1])
    across = step(0.0, 0.012, (part - x[:, 0]) * np.sign(part))
    combs = _fall(x, part, 0.0)
    swept = np.array([-np.sign(part) * 1.0, 0.0, -0.45])
    combs = unit(combs * (1 - 0.7 * top * across)[:, None] + (top * across)[:, None] * swept)
    combs[:, 2] -= 0.4 * (1 - top)
    length = 0.030 - 0.012 * _nape(x) + top * (0.02 + 0.045 * across * rng.uniform(0.7, 1.1))
    seeds = _loose(
        head, chosen, combs, 170, length=length, lift=0.04 + 0.34 * top * across,
        height=0.0034 + top * (0.003 + 0.012 * across), gravity=0.2, hug=0.6 + 1.5 * _nape(x),
        turn=1 + _nape(x), clump=0.10 + 0.2 * top, width=0.0068, mess=0.05,
    )  # fmt: skip
    return Cut(seeds, 8, (0.0045, 0.01125))


def _slicked(head: Head) -> Cut:
    chosen = head.some(1250, 180)
    x = scalp().roots[chosen]
    top = step(0.66, 0.72, x[:, 1])
    front = top * step(0.06, 0.11, x[:, 2])
    combs = np.tile(np.array([0.0, -0.15, -1.0]), (len(x), 1)) - np.array([0.0, 0.5, 0.0]) * (1 - top)[:, None]
    combs = unit(combs + _fall(x, 0.0) * (0.8 * (1 - top))[:, None])
    length = (0.045 - 0.030 * step(0.64, 0.59, x[:, 1]) + 0.055 * top) * head.rng.uniform(0.85, 1.15)
    seeds = _loose(
        head, chosen, combs, 150, length=length, lift=0.03 + 0.18 * front, height=0.004 + 0.007 * top + 0.003 * front,
        gravity=0.12, hug=1.0, clump=0.3, width=0.008, mess=0.03,
    )  # fmt: skip
    return Cut(seeds, 10, (0.0045, 0.01125))


def _spiky(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 200)
    x = scalp().roots[chosen]
    top = step(0.670, 0.715, x[:, 1])
    combs = unit(_fall(x, 0.0) + top[:, None] * np.array([0.0, 1.6, 0.5]))
    guides = 120
    leader = _leaders(head.roots[chosen], guides if head.full else 45)
    each = rng.uniform(0.75, 1.25, guides)[leader % guides]
    length = (0.016 + top * rng.uniform(0.024, 0.036)) * (1 + (each - 1) * top)
    seeds = _loose(
        head, chosen, combs, guides, length=length, lift=0.04 + 0.81 * top, height=0.0036 + 0.052 * top, gravity=0.0,
        hug=0.0, clump=0.05 + 0.5 * top, leader=leader, width=0.0062, mess=0.18, comb=0.25, blunt=0.3,
    )  # fmt: skip
    return Cut(seeds, 6, (0.004, 0.01))


def _pixie(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 195)
    x = scalp().roots[chosen]
    side = rng.choice((-1.0, 1.0))
    top = step(0.650, 0.735, x[:, 1])
    front = top * step(0.05, 0.10, x[:, 2])
    combs = _fall(x, -side * 0.03)
    combs = unit(combs + (0.9 * front)[:, None] * np.array([side, -0.1, 0.55]))
    length = 0.034 + 0.036 * top + 0.020 * front - 0.014 * step(0.64, 0.59, x[:, 1])
    cut = np.where(front > 0.2, 0.674 + rng.uniform(0, 0.012, len(x)), -9.0)
    seeds = _loose(
        head, chosen, combs, 200, length=length * rng.uniform(0.9, 1.1), lift=0.05 + 0.30 * top,
        height=0.005 + 0.011 * top, gravity=0.3, hug=0.7, clump=0.12 + 0.22 * top, width=0.0072, mess=0.09, cut=cut,
    )  # fmt: skip
    return Cut(seeds, 8, (0.0045, 0.01125))


def takes_hair_in(spec: FigureSpec) -> bool:
    """Whether a hood or a scarf lies round the nape: long hair goes into it."""
    return any(garment.kind in ("hoodie", "scarf") for garment in spec.garments)


def _tucked(head: Head, behind: Bool[ndarray, "n"]) -> Float[ndarray, "n"]:
    """The height at which each strand goes into a hood, which leaves those before the shoulders out, or a scarf.

    Args:
        behind: Which strands fall on the back.
    """
    spec, neck = head.person.spec, float(head.joint("neck01")[1])
    if any(garment.kind == "scarf" for garment in spec.extras):
        return np.full(len(behind), neck + 0.030)
    return np.where(behind, neck + 0.015 if takes_hair_in(spec) else -9.0, -9.0)


def _curtain(
    head: Head,
    end: float,
    layers: float,
    fringe: bool,
    part: float,
    count: int,
    bow: float = 0.25,
    **how,
) -> Strands:
    """Hair that falls from a parting to the height ``end``.

    Args:
        layers: How much higher some strands end.
        bow: How much higher, per metre to the side, hair ends there.
    """
    rng = head.rng
    chosen = head.some(count, 165)
    x = scalp().roots[chosen]
    combs = _fall(x, part, 0.30)
    top = step(0.68, 0.725, x[:, 1])
    before = rng.choice((0.055, 0.075, 0.2))  # from where hair lies before the shoulders
    fringe &= head.ceiling > 1  # under a rim its tufts would hang from nothing
    bangs = fringe & (np.abs(x[:, 0]) < 0.052) & (scalp().inside[chosen] < 0.030) & (x[:, 2] > 0.075)
    combs[bangs] = unit(np.array([0.0, -0.3, 1.0]) + x[bangs] * np.array([5.0, 0, 0]))
    inner = rng.uniform(0, 1, len(x))
    cut = end + layers * inner**3 + rng.normal(size=len(x)) * 0.006 + bow * np.abs(x[:, 0])
    cut = np.where(bangs, 0.668 + rng.normal(size=len(x)) * 0.0025, cut)
    drift = np.where(x[:, 2] + rng.normal(size=len(x)) * 0.012 > before, 0.6, -0.6)
    cut = np.maximum(cut, _tucked(head, drift < 0))
    reach = 0.20 + CROWN - end
    length = np.where(bangs, 0.12, (x[:, 1] - end) * 1.15 + 0.10)
    values = {
        "length": np.clip(length, 0.03, reach), "cut": cut, "lift": 0.06 + 0.12 * top,
        "height": np.where(bangs, 0.008, 0.0055 + 0.004 * inner),
        "gravity": np.where(bangs, 0.5, 0.55), "fade": np.where(bangs, 0.05, 0.09), "hug": 0.55, "clump": 0.28,
        "drift": drift, "veil": np.where(bangs, 0.0, 1.0), "width": 0.0095,
        "blunt": 0.5, "mess": 0.05,
    }  # fmt: skip
    values.update(how)
    seeds = _loose(head, chosen, combs, 130, **values)
    leader = seeds.get("leader").astype(int)
    seeds.get("clump")[bangs != bangs[leader]] = 0.0
    return seeds


_SLEEK = (0.002, 0.0035)
"""Metres of under-layer from which combed hair comes out right at its roots."""


def _bob(head: Head) -> Cut:
    rng = head.rng
    end = rng.uniform(0.530, 0.562)
    part = rng.choice((0.0, -0.025, 0.025))
    return Cut(_curtain(head, end, 0.03, bool(rng.random() < 0.45), part, 820, -0.15, blunt=0.8), 12, _SLEEK)


def _shoulder(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) + rng.uniform(-0.01, 0.03)
    part = rng.choice((0.0, -0.028, 0.028))
    wave = rng.uniform(0.0, 0.005)
    seeds = _curtain(head, end, 0.05, bool(rng.random() < 0.35), part, 700, curl=wave, pitch=0.10, width=0.0105)
    return Cut(seeds, 14, _SLEEK)


def _long_straight(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) - rng.uniform(0.09, 0.24)
    part = rng.choice((0.0, 0.0, -0.025, 0.025))
    seeds = _curtain(head, end, 0.10, bool(rng.random() < 0.25), part, 700, width=0.0115)
    return Cut(seeds, 15, _SLEEK)


def _long_wavy(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) - rng.uniform(0.06, 0.20)
    part = rng.choice((0.0, -0.028, 0.028))
    seeds = _curtain(
        head, end, 0.14, False, part, 580, width=0.0105, curl=rng.uniform(0.008, 0.012), pitch=rng.uniform(0.12, 0.16),
        height=0.008, clump=0.55,
    )  # fmt: skip
    phase = seeds.get("phase")[seeds.get("leader").astype(int)]
    seeds.get("phase")[:] = phase + rng.normal(size=len(phase)) * 0.25
    return Cut(seeds, 18, _SLEEK)


def _curly(head: Head) -> Cut:
    """Round locks, each closed, that curl down from a thick under-layer."""
    rng = head.rng
    covered = head.ceiling < 1
    flat = 0.5 if covered else 1.0  # a rim would crush what stands higher
    chosen = head.some(480 if covered else 330, 90)
    x = scalp().roots[chosen]
    top = step(0.66, 0.72, x[:, 1])
    front = (np.abs(x[:, 0]) < 0.06) & (x[:, 2] > 0.07) & (scalp().inside[chosen] < 0.03)
    forward = np.array([0.0, 0.0, 1.3]) * front[:, None]
    reach = rng.uniform(0.075, 0.17)
    end = NAPE + 0.03 - reach * 0.55
    cut = np.where(front, 0.690, end) + rng.normal(size=len(x)) * 0.012
    combs = _fall(x, rng.uniform(-0.03, 0.03), 0.25) + forward
    every_way = (rng.random(len(x)) < 0.55 * top) & ~front
    combs[every_way] = rng.normal(size=(every_way.sum(), 3))
    seeds = _loose(
        head, chosen, unit(combs), 200,
        length=(0.06 + reach * (0.5 + 0.5 * top) * np.where(every_way, 0.4, 1.0)) * np.where(front, 0.55, 1.0),
        cut=cut, lift=0.35, height=flat * (0.032 + 0.006 * top), gravity=0.34, hug=0.7, fade=0.05,
        curl=rng.uniform(0.006, 0.009), pitch=rng.uniform(0.042, 0.056), clump=0.25,
        width=0.017 * flat**0.4, mess=0.3, veil=1.0, drift=-0.2,
    )  # fmt: skip
    leader = seeds.get("leader").astype(int)
    seeds.get("phase")[:] = seeds.get("phase")[leader] + rng.normal(size=len(leader)) * 0.4
    return Cut(seeds, 16, (0.014 * flat, 0.035 * flat), 0.006 * flat, coily=True, locks=True)


def _afro(head: Head) -> Cut:
    """A rounded mass: short curls all over a thick under-layer."""
    size, none = head.rng.uniform(0.040, 0.075), np.zeros((0, 3))
    return Cut(strands(none, none, none), thickness=(0.92 * size, 1.2 * size), puffs=0.10 * size, coily=True)


def _mohawk(head: Head) -> Cut:
    rng = head.rng
    place = scalp()
    band = 0.016 + 0.004 * step(0.05, -0.03, place.roots[:, 2])
    crest = np.flatnonzero((np.abs(place.roots[:, 0]) < band) & (place.roots[:, 1] > 0.59))
    crest = np.repeat(crest, 4 if head.full else 1)
    x = place.roots[crest]
    tall = rng.uniform(0.06, 0.095)
    length = tall * (0.35 + 0.65 * step(0.60, 0.73, x[:, 1])) * rng.uniform(0.85, 1.1, len(x))
    combs = unit(x * np.array([0, 1, 1]) - np.array([0.0, 0.66, 0.04]) + np.array([0.0, 0.0, -0.02]))
    ridge = _loose(
        head, crest, combs, 60, length=length, lift=0.05, height=0.2, hug=0.0, gravity=0.0, comb=0.5, clump=0.0,
        width=0.009, mess=0.10, blunt=0.15,
    )  # fmt: skip
    ridge.combs[:, 0] *= 0.5
    sides = head.some(1900, 60)
    sides = sides[np.abs(place.roots[sides, 0]) > 0.018]
    return Cut(ridge, 6, (0.0012, 0.003), more=((_stubble(head, sides), 3),))


def _to_tie(head: Head, chosen: Int[ndarray, "n"], tie: Float[ndarray, "*n 3"], height: float = 0.0045) -> Strands:
    """Hair combed tight to a tie point, or each to its own."""
    count = len(chosen)
    goal = np.broadcast_to(tie, (count, 3)) + head.rng.normal(size=(count, 3)) * 0.003
    return strands(
        head.roots[chosen], head.normals[chosen], goal,
        length=0.36, lift=0.05, height=height * (0.4 + 0.6 * head.rng.uniform(0, 1, count)), hug=1.3, gravity=0.0,
        aimed=1.0, turn=1.4, blunt=0.8, width=0.0105 if head.full else 0.022,
        column=locks(head.rng, count), ceiling=head.ceiling,
    )  # fmt: skip


def _baby_hairs(head: Head, goals: Float[ndarray, "*n 3"]) -> Strands:
    """Fine hairs along the hairline, combed the same way as the rest.

    Args:
        goals: Where the hair is tied: one point, or one for each of the scalp's roots.
    """
    chosen = np.flatnonzero(scalp().inside < 0.020) if head.full else np.zeros(0, np.int64)
    goals = np.broadcast_to(goals, (len(head.roots), 3))[chosen]
    count = len(chosen)
    combs = unit(goals - head.roots[chosen]) + 0.35 * _fall(scalp().roots[chosen], 0.0)
    combs = unit(combs + head.rng.normal(size=(count, 3)) * 0.12)
    return strands(
        head.roots[chosen], head.normals[chosen], combs, length=head.rng.uniform(0.025, 0.06, count), lift=0.02,
        height=0.003, hug=1.0, gravity=0.0, blunt=0.7, width=0.0075, column=wisps(head.rng, count),
        ceiling=head.ceiling,
    )  # fmt: skip


def _tail(
    head: Head,
    tie: Float[ndarray, "3"],
    out: Float[ndarray, "3"],
    length: float,
    count: int,
    radius: float = 0.021,
    curl: float = 0.0,
) -> tuple[Geometry, ...]:
    """A bundle that leaves a tie in the direction ``out``, and falls: strands round a middle that hides what is behind.

    Args:
        radius: Of the bundle where it is thickest.
        curl: Of the bundle's locks; 0 is straight.
    """
    rng = head.rng
    count, points = (count, 20) if head.full else (max(count // 8, 12), 7)
    seed = strands(
        tie[None], out[None], out[None], length=length, lift=0.0, gravity=0.85, comb=0.8, fade=0.035, hug=0.25,
        height=radius + 0.004, turn=0.4, drift=-0.1,
    )  # fmt: skip
    middle = grow(head.field, seed, 40)[0][0]
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))]) / length
    along = unit(np.gradient(middle, axis=0))
    side = np.cross(out, np.array([0.0, 1.0, 0.0])) + np.array([1e-6, 0.0, 0.0])
    side = unit(side - along * (along @ side)[:, None])
    up = np.cross(side, along)

    def at(t: Float[ndarray, "*n"], values: Float[ndarray, "k 3"]) -> Float[ndarray, "*n 3"]:
        return np.stack([np.interp(t * arc[-1], arc, values[:, axis]) for axis in range(3)], -1)

    def swollen(t: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        return radius * (0.38 + 0.62 * step(0.0, 0.30, t)) * (1 - 0.55 * step(0.45, 1.05, t))

    steps = np.linspace(0, 1, points)
    t = steps * rng.uniform(0.78, 1.0, count)[:, None]
    turn = rng.uniform(0, 2 * np.pi, count)[:, None] + 0.25 * np.sin(5 * t + rng.uniform(0, 6.28, count)[:, None])
    away = np.cos(turn)[..., None] * at(t, side) + np.sin(turn)[..., None] * at(t, up)
    deep = np.sqrt(rng.uniform(0.55, 1, count))[:, None] + 0.05 * np.sin(9 * t + rng.uniform(0, 6.28, count)[:, None])
    lines = at(t, middle) + (swollen(t) * deep)[..., None] * away
    wave = 2 * np.pi * t * length / 0.09 + np.round(turn[:, :1] * 1.6) * 1.9
    wave_size = curl * np.minimum(1, t / 0.3)
    lines += (wave_size * np.cos(wave))[..., None] * at(t, side) + (wave_size * np.sin(wave))[..., None] * at(t, up)
    width = np.full(count, 0.0105 if head.full else 0.024)
    outer = ribbons(
        lines.astype(np.float32), away.astype(np.float32), width, rng.normal(size=count) * 0.15, np.full(count, 0.2),
        locks(rng, count),
    )  # fmt: skip
    core = (0.82 * swollen(steps * 0.86) * np.minimum(1, 7 * (1.01 - steps)))[None]
    return outer, tubes(at(steps * 0.86, middle)[None], core, 9 if head.full else 5, np.array([2]), repeat=2)


def _band(tie: Float[ndarray, "3"], out: Float[ndarray, "3"], radius: float, head: Head) -> Geometry:
    """Hair wound round a tie."""
    side = np.cross(out, np.array([0.0, 1.0, 0.1]))
    side /= np.linalg.norm(side)
    up = np.cross(side, out)
    turn = np.linspace(0, 2 * np.pi, 20 if head.full else 8)
    line = tie + radius * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up)
    return tubes(line[None], np.full((1, len(turn)), 0.0065), 6 if head.full else 3, np.array([3]), repeat=2)


def _on_head(
    head: Head, point: tuple[float, float, float], away: float
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """A point held off the head's surface, and the direction away from it."""
    at = np.array([point], np.float32)
    out = at
    for _ in range(3):
        far, out = distances(head.field, at)
        at = at + out * (away - far)[:, None]
    return at[0], out[0]


def _ponytail(head: Head) -> Cut:
    rng = head.rng
    high = rng.uniform(0, 1)
    covered = head.ceiling < 1.0
    y = min(0.655 + 0.075 * high, head.ceiling - 0.02 if covered else 9.0)
    tie, out = _on_head(head, (0.0, y, -0.06), 0.014)
    out = unit((out + np.array([0.0, 0.20 * high, 0.0]))[None])[0]
    swept = _to_tie(head, head.some(760, 140), tie)
    length = rng.uniform(0.22, 0.40)
    if takes_hair_in(head.person.spec):
        # Too short to bend on a hood or a scarf.
        length = min(length, max(float(tie[1] - head.joint("neck01")[1]) - 0.01, 0.09))
    tail = _tail(head, tie + out * 0.004, out, length, 150, curl=rng.choice((0.0, 0.005)))
    band = _band(tie + out * 0.004, out, 0.011, head)
    return Cut(swept, 11, (0.002, 0.005), extra=(band, *tail), more=((_baby_hairs(head, tie), 4),))


def _bun(head: Head) -> Cut:
    rng = head.rng
    y = rng.choice((0.60, 0.66, 0.735))
    y = min(float(y), head.ceiling - 0.025 if head.ceiling < 1.0 else 9.0)
    tie, out = _on_head(head, (0.0, y, -0.06 if y < 0.72 else -0.02), 0.010)
    swept = _to_tie(head, head.some(760, 140), tie)
    # Strands wound round a ball, each on a circle of its own.
    size = rng.uniform(0.028, 0.036)
    count, points = (90, 16) if head.full else (20, 6)
    axis = unit(out + rng.normal(size=(count, 3)) * 0.42)
    side = unit(np.cross(axis, np.array([0.0, 1.0, 0.1])))
    up = np.cross(side, axis)
    height = rng.uniform(-0.75, 0.9, count)
    turn = rng.uniform(0, 2 * np.pi, count)[:, None] + np.linspace(0, 1, points) * rng.uniform(2.2, 3.6, count)[:, None]
    ring = np.cos(turn)[..., None] * side[:, None] + np.sin(turn)[..., None] * up[:, None]
    away = np.sqrt(1 - height**2)[:, None, None] * ring + (height[:, None] * axis)[:, None]
    middle = tie + 0.55 * size * out
    lines = middle + size * rng.uniform(0.97, 1.08, count)[:, None, None] * away
    width = np.full(count, 0.010 if head.full else 0.022)
    wound = ribbons(
        lines.astype(np.float32), away.astype(np.float32), width, rng.normal(size=count) * 0.1, np.full(count, 0.7),
        locks(rng, count),
    )  # fmt: skip
    along = np.linspace(0, np.pi, 11 if head.full else 5)
    core = middle - 0.96 * size * np.cos(along)[:, None] * out
    ball = tubes(core[None], 0.96 * size * np.sin(along)[None] + 0.0005, 14 if head.full else 6, np.array([2]))
    return Cut(swept, 11, (0.002, 0.005), extra=(ball, wound), more=((_baby_hairs(head, tie), 4),))


def _plait(head: Head, line: Float[ndarray, "k 3"], away: Float[ndarray, "k 3"], width: float) -> tuple[Geometry, ...]:
    """Three strands crossing over each other along a line, and a loose end."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    arc = np.concatenate([[0], np.cumsum(steps)])
    points = int(np.clip(arc[-1] / (0.0055 if head.full else 0.02), 6, 90))
    at = np.linspace(0, arc[-1], points)
    centre = np.stack([np.interp(at, arc, line[:, axis]) for axis in range(3)], 1)
    along = unit(np.gradient(centre, axis=0))
    out = unit(np.stack([np.interp(at, arc, away[:, axis]) for axis in range(3)], 1))
    side = unit(np.cross(along, out))
    out = np.cross(side, along)
    t = at / arc[-1]
    swell = width * np.clip(1.1 - 0.45 * t, 0.3, 1.0) * (0.45 + 0.55 * step(0.0, 0.03, at))
    turn = 2 * np.pi * at / (width * 3.3)
    strands_of_three = []
    for k in range(3):
        phase = turn + k * 2 * np.pi / 3
        strand = (
            centre
            + (0.52 * swell * np.sin(phase))[:, None] * side
            + (0.27 * swell * np.sin(2 * phase) + 0.3 * swell)[:, None] * out
        )
        strands_of_three.append(strand)
    lines = np.stack(strands_of_three)
    radius = np.tile(0.44 * swell, (3, 1)) * np.minimum(1, 6 * (1.02 - t))
    return (tubes(lines, radius, 7 if head.full else 4, np.array([1, 3, 5]), repeat=arc[-1] / 0.06),)


def _two_ties(head: Head, y: float, z: float) -> tuple[Int[ndarray, "n"], Float[ndarray, "r 3"], list, list]:
    """Roots parted in the middle, the tie each of the scalp's goes to, and the ties with their outward directions."""
    chosen = head.some(660, 150)
    ties, outs = [], []
    for sign in (1.0, -1.0):
        tie, out = _on_head(head, (sign * 0.075, min(y, head.ceiling - 0.02 if head.ceiling < 1 else 9.0), z), 0.012)
        ties.append(tie)
        outs.append(out)
    sides = np.where(scalp().roots[:, :1] > 0, ties[0], ties[1])
    return chosen, sides, ties, outs


def _braids(head: Head) -> Cut:
    rng = head.rng
    chosen, sides, ties, outs = _two_ties(head, 0.616, -0.012)
    swept = _to_tie(head, chosen, sides[chosen])
    length = rng.uniform(0.24, 0.40)
    forward = rng.random() < 0.6
    extra = []
    for tie, out in zip(ties, outs, strict=True):
        way = unit((out * 0.7 + np.array([0.0, -0.8, 0.35 if forward else -0.35]))[None])
        seed = strands(
            tie[None], way, way, length=length, lift=0.0, gravity=0.5, comb=0.7, fade=0.03, hug=0.15, height=0.014,
            drift=0.35 if forward else -0.3, turn=0.7,
        )  # fmt: skip
        line, away = grow(head.field, seed, 40)
        extra += [*_plait(head, line[0], away[0], 0.022), _band(tie, way[0], 0.006, head)]
        end = line[0, -1] - line[0, -2]
        extra += _tail(head, line[0, -1], unit(end[None])[0], 0.05, 26, radius=0.009)
    return Cut(swept, 11, (0.002, 0.005), extra=tuple(extra), more=((_baby_hairs(head, sides), 4),))


def _pigtails(head: Head) -> Cut:
    rng = head.rng
    chosen, sides, ties, outs = _two_ties(head, rng.uniform(0.655, 0.70), 0.005)
    swept = _to_tie(head, chosen, sides[chosen])
    length = rng.uniform(0.12, 0.24)
    curl = rng.choice((0.0, 0.006))
    extra = []
    for tie, out in zip(ties, outs, strict=True):
        way = unit((out + np.array([0.0, 0.25, -0.1]))[None])[0]
        extra += _tail(head, tie + way * 0.004, way, length, 100, curl=curl)
        extra.append(_band(tie + way * 0.004, way, 0.010, head))
    return Cut(swept, 11, (0.002, 0.005), extra=tuple(extra), more=((_baby_hairs(head, sides), 4),))


def _dreadlocks(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(175, 60)
    x = scalp().roots[chosen]
    end = rng.choice((0.545, 0.47, 0.38)) + rng.normal(size=len(x)) * 0.02
    end = np.maximum(end, _tucked(head, x[:, 2] <= 0.07))
    front = (x[:, 2] > 0.07) & (np.abs(x[:, 0]) < 0.05)
    combs = _fall(x, rng.uniform(-0.02, 0.02), 0.35)
    combs[front] += np.array([0.0, 0.3, -1.5])
    seeds = _loose(
        head, chosen, combs, len(chosen), length=(x[:, 1] - end) * 1.1 + 0.09, cut=end, lift=0.3,
        height=0.012 + 0.012 * rng.uniform(0, 1, len(x)), gravity=0.42, fade=0.09, hug=0.6, clump=0.0, width=0.012,
        curl=0.002, pitch=0.05, mess=0.10, veil=1.0, comb=1 + 1.2 * front, drift=np.where(x[:, 2] > 0.07, 0.3, -0.3),
    )  # fmt: skip
    if not head.full:
        seeds.get("width")[:] = 0.018
    return Cut(seeds, 13, (0.004, 0.006), locks=True)


STYLES: dict[str, Callable[[Head], Cut]] = {
    "buzz": _buzz,
    "short": _short,
    "side part": _side_part,
    "slicked back": _slicked,
    "spiky": _spiky,
    "pixie": _pixie,
    "bob": _bob,
    "shoulder": _shoulder,
    "long straight": _long_straight,
    "long wavy": _long_wavy,
    "curly": _curly,
    "afro": _afro,
    "ponytail": _ponytail,
    "bun": _bun,
    "braids": _braids,
    "pigtails": _pigtails,
    "dreadlocks": _dreadlocks,
    "mohawk": _mohawk,
}
SHORT = {"buzz", "short", "side part", "slicked back", "spiky", "pixie", "mohawk", "afro"}
"""Styles that leave the ears free and do not reach the shoulders."""
TIED = {"ponytail", "bun", "braids", "pigtails"}
