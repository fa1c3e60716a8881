"""What hangs from a rim: skirts, and the tails of coats and robes."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from bozzetto.body.model import load_body
from bozzetto.figure.grain import SIDE
from bozzetto.figure.piece import Detail, Person
from bozzetto.figure.shells import (
    BACK,
    CROTCH,
    FRONT,
    KNEE,
    SIDE_Z,
    Chart,
    Fit,
    chart,
    leg_axis,
    loose_weights,
    panel_coordinates,
    smooth_step,
    steady_four,
)
from bozzetto.figure.tailoring import Design, Fall, design
from bozzetto.geometry import edges_of
from bozzetto.kept import kept


def _support(
    points: Float[ndarray, "n 3"], rows: int, first: float, step: float, cx: float, cz: float,
    cosines: Float[ndarray, "d"], sines: Float[ndarray, "d"],
) -> Float[ndarray, "r d"]:  # fmt: skip
    """Support of the points of each slab of height, by direction."""
    at = (first - points[:, 1]) / step
    low, high = np.floor(at - 0.25), np.ceil(at + 0.25)
    reach = np.outer(points[:, 0] - cx, sines) + np.outer(points[:, 2] - cz, cosines)
    return np.stack([reach[(low <= r) & (r <= high)].max(0, initial=-1e9) for r in range(rows)])


@cache
def fall_uvs(kind: str, variant: int, detail: Detail) -> Float[ndarray, "f 3 2"]:
    """Texture coordinates of a design's skirt."""
    _, uvs, panels, _ = fall_mesh(kind, variant, detail)
    return design(kind, variant, detail).sheet.uv(uvs, panels).astype(np.float32)


def fall_rows(fall: Fall, cut: float, detail: Detail) -> Float[ndarray, "r"]:
    """Heights of a skirt's rings on the mean person, the rim first."""
    count = max(int((cut - fall.hem) / (0.022 if detail == "full" else 0.05)), 4)
    return np.linspace(cut, fall.hem, count + 1)


def _hull(
    support: Float[ndarray, "r d"], angle: Float[ndarray, "k"], directions: Float[ndarray, "d"]
) -> Float[ndarray, "r k"]:
    """Distance of a convex outline from its middle, by angle, from its support by direction."""
    delta = np.cos(angle[:, None] - directions[None])
    inverse = np.where(delta > 0.15, 1 / np.maximum(delta, 0.15), 1e3)
    return (np.maximum(support, 1e-3)[:, None, :] * inverse[None]).min(2)


_BEND = 0.06
"""Over what length it bends from the way of the cloth above to its own; metres."""
_ROUNDED = 6.0
"""Of what hangs: half the curvature of its outline from above downwards, at most; a metre."""


def outline(
    points: Float[ndarray, "n 3"],
    heights: Float[ndarray, "r"],
    middle: tuple[float, float],
    angle: Float[ndarray, "k"],
    gap: float,
) -> Float[ndarray, "r k"]:
    """Distance from the middle, by height and angle, of cloth that spans every hollow of the points and no corner.

    Args:
        heights: Evenly spaced, from above downwards.
        middle: x and z.
        gap: Between the points and the cloth, metres.
    """
    directions = np.arange(64) / 64 * 2 * np.pi
    step = float(heights[0] - heights[-1]) / (len(heights) - 1)
    sides = np.cos(directions), np.sin(directions)
    reach = _support(points, len(heights), float(heights[0]), step, *middle, *sides)
    for r in np.flatnonzero(reach[1:, 0] < -1e8) + 1:
        reach[r] = reach[r - 1]
    hull = _hull(reach + gap, angle, directions)
    out = hull.copy()
    for k in range(1, min(len(hull), int(0.12 / step) + 1)):
        lower = hull - _ROUNDED * (k * step) ** 2
        out[k:] = np.maximum(out[k:], lower[:-k])
        out[:-k] = np.maximum(out[:-k], lower[k:])
    return out


def turns(rim: Float[ndarray, "k 3"], z: float, detail: Detail) -> Float[ndarray, "k"]:
    """The angles round x = 0 and a depth under which a skirt hangs from its rim.

    They go on evenly where the rim's corners crowd, and where it doubles back on itself.
    """
    angle = np.unwrap(np.arctan2(rim[:, 0], rim[:, 2] - z))
    forward = np.sign(angle[-1] - angle[0])
    angle = forward * np.maximum.accumulate(forward * angle)
    for _ in range(12 if detail == "full" else 1):
        angle[1:-1] = (angle[:-2] + 2 * angle[1:-1] + angle[2:]) / 4
    return angle


@kept(lambda kind, variant, detail: f"columns-{kind}-{variant}-{detail}".replace(" ", "_"))
def columns(kind: str, variant: int, detail: Detail) -> Float[ndarray, "r k"]:
    """The angles of a skirt's columns, ring by ring: those of the rim's corners first, soon as far apart as each other.

    It is draped on legs that stand apart, but rests in the T-pose: even is what is even there. Where corners crowd and
    legs come together, the cloth between them would be all thin triangles. A front that opens is left alone.
    """
    plan, here = design(kind, variant, detail), chart(detail)
    assert plan.fall is not None
    rim = plan.shell.rest[plan.shell.cut]
    levels = fall_rows(plan.fall, float(rim[:, 1].mean()), detail)
    angle = turns(rim, SIDE_Z, detail)
    legs = here.rest[(here.arm == 0) & (here.height < 0.3)]
    fine = np.linspace(0, np.pi, 129)
    reach = outline(legs, levels, (0.0, SIDE_Z), fine, plan.fall.gap)
    across, deep = reach * np.sin(fine), reach * np.cos(fine)
    apart = (leg_axis(levels)[0] - leg_axis(np.full(1, CROTCH))[0]).clip(0)[:, None]
    mean = Fit(here, here.rest, np.zeros_like(here.rest), np.zeros(len(here.rest)), 1.0)
    half = between_legs(mean, levels)[:, None]
    across = across - apart * np.clip(across / np.maximum(half, 0.03), 0, 1)
    length = np.cumsum(np.hypot(np.diff(across, axis=1, prepend=0), np.diff(deep, axis=1, prepend=deep[:, :1])), 1)
    turn = (angle + np.pi) % (2 * np.pi) - np.pi
    aside = np.abs(turn)
    even = np.tile(aside, (len(levels), 1))
    for first, last in ((0, 64), (64, 128)) if plan.shell.closed else ((64, 128),):
        mine = (aside >= fine[first]) & (aside <= fine[last])
        ordered = np.sort(aside[mine])
        pairs = ordered[: len(ordered) // 2 * 2].reshape(-1, 2).mean(1)  # left and right alike
        known = np.concatenate([fine[[first]], pairs, fine[[last]]])
        rank = np.concatenate([[0], (np.arange(len(pairs)) + 0.5) / len(pairs), [1]])
        rank = np.interp(aside[mine], known, rank)
        for row, way in zip(even, length, strict=True):
            row[mine] = np.interp(way[first] + rank * (way[last] - way[first]), way, fine)
    share = smooth_step((levels[0] - levels) / 0.25)[:, None]
    return angle + np.sign(turn) * share * (even - aside)


@cache
def _above_rim(kind: str, variant: int, detail: Detail) -> tuple[Int[ndarray, "e"], Int[ndarray, "e"]]:
    """Which place of a skirt's rim and which vertex of the shell above it, edge by edge."""
    shell = design(kind, variant, detail).shell
    place = np.full(len(shell.rest), -1)
    place[shell.cut] = np.arange(len(shell.cut))
    edges = edges_of(shell.faces)
    edges = np.concatenate([edges, edges[:, ::-1]])
    edges = edges[(place[edges[:, 0]] >= 0) & (place[edges[:, 1]] < 0) & (shell.inner[edges[:, 1]] == 0)]
    return place[edges[:, 0]], edges[:, 1]


def _rim_slope(
    points: Float[ndarray, "v 3"], rim: Float[ndarray, "k 3"], above: tuple[ndarray, ndarray], closed: bool, z: float
) -> Float[ndarray, "k"]:
    """How much wider a shell grows for each metre down where a skirt begins, along its rim."""
    at, upper = above
    wider = np.hypot(rim[at, 0], rim[at, 2] - z) - np.hypot(points[upper, 0], points[upper, 2] - z)
    lower = points[upper, 1] - rim[at, 1]
    sums = np.stack([np.bincount(at, each, len(rim)) for each in (wider, np.maximum(lower, 0))])
    sums = ndimage.gaussian_filter1d(sums, 3.0, axis=1, mode="wrap" if closed else "nearest")
    return np.clip(sums[0] / np.maximum(sums[1], 1e-6), -0.2, 0.6)


def _fallen(
    fall: Fall,
    rim: Float[ndarray, "k"],
    hull: Float[ndarray, "r k"],
    angle: Float[ndarray, "k"],
    step: float,
    slope: Float[ndarray, "k"] | float = 0.0,
) -> Float[ndarray, "r k"]:
    """Distances from the middle of a skirt without folds: outside the hull, never narrower than gravity asks.

    Args:
        rim: Distances at the rim.
        step: From ring to ring, metres.
        slope: How much wider the cloth above grows for each metre down, at the rim.
    """
    out = np.empty_like(hull)
    out[0] = rim
    # It flares at the sides alone: before and behind it falls back to the legs, so that a lap is no bell.
    flare = fall.flare - fall.taper * np.cos(angle) ** 2
    for r in range(1, len(hull)):
        near = hull[r] if r > 2 else np.maximum(hull[r] - (3 - r) * 0.002, 0)
        bent = np.exp(-(((r - 0.5) * step / _BEND) ** 2))
        out[r] = np.maximum(out[r - 1] + (slope * bent + flare * (1 - bent)) * step, near)
    return out


def drape(
    person: Person,
    fit: Fit,
    cut_as: tuple[str, int],
    points: Float[ndarray, "v 3"],
    obstacles: Float[ndarray, "n 3"],
    phase: float,
) -> Float[ndarray, "r k 3"]:
    """Rings of a skirt from its rim down: outside the obstacles' hull, never narrower than gravity asks, in folds.

    Args:
        cut_as: Kind and variant of the design.
        points: Of its shell, which the skirt hangs from.
    """
    plan = design(*cut_as, person.detail)
    fall, shell, rim = plan.fall, plan.shell, points[plan.shell.cut]
    assert fall is not None
    cut = float(shell.rest[shell.cut, 1].mean())
    canonical = fall_rows(fall, cut, person.detail)
    heights = fit.height_of(canonical, person)
    heights = heights + (rim[:, 1].mean() - heights[0]) * np.linspace(1, 0, len(heights)) ** 2
    cx, cz = 0.0, float((rim[:, 2].max() + rim[:, 2].min()) / 2)
    angle = turns(rim, cz, person.detail)
    radius = np.hypot(rim[:, 0] - cx, rim[:, 2] - cz)
    step = float(heights[0] - heights[-1]) / (len(heights) - 1)
    hull = outline(obstacles, heights, (cx, cz), angle, fall.gap * fit.scale)
    rings = np.empty((len(heights), len(rim), 3))
    rings[0] = rim
    slope = _rim_slope(points, rim, _above_rim(*cut_as, person.detail), shell.closed, cz)
    out = _fallen(fall, radius, hull, angle, step, slope)
    smooth = out.copy()
    pad = (
        (lambda a: np.concatenate([a[:, -1:], a, a[:, :1]], 1))
        if shell.closed
        else (lambda a: np.concatenate([a[:, :1], a, a[:, -1:]], 1))
    )
    for _ in range(3):
        smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
        wide = pad(smooth)
        smooth[1:] = ((wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4)[1:]
    smooth[0] = radius
    out = np.maximum(smooth, np.where(np.arange(len(heights))[:, None] > 1, hull - 0.002, 0))
    down = np.linspace(0, 1, len(heights))[:, None]
    n = fall.folds
    wobble = 0.5 * np.sin(2 * angle + phase)[None] + 0.25 * np.sin(3 * angle + 2.1 * phase)[None] * down
    wave = np.cos(n * angle[None] + phase + wobble) * 0.65 + 0.35 * np.cos(
        (n * 2 - 3) * angle[None] - 1.7 * phase + wobble
    )
    out = out + fall.depth * fit.scale * smooth_step(down * 1.25) * (wave * 0.5 + 0.5) * (
        0.75 + 0.25 * np.sin(angle + phase)[None]
    )
    out[0] = radius
    fan = columns(*cut_as, person.detail)
    out = np.stack([np.interp(to, angle, row, period=2 * np.pi) for to, row in zip(fan, out, strict=True)])
    rings[1:, :, 0] = cx + out[1:] * np.sin(fan[1:])
    rings[1:, :, 1] = heights[1:, None] + (rim[:, 1] - rim[:, 1].mean())[None] * (1 - down[1:]) ** 3
    rings[1:, :, 2] = cz + out[1:] * np.cos(fan[1:])
    return rings


def hip_room(
    fit: Fit, outer: Float[ndarray, "n"], hanging: Sequence[Float[ndarray, "_ _ 3"]], points: Float[ndarray, "k 3"]
) -> Float[ndarray, "k 3"]:
    """The way out of what is worn round the hips, skirts included, for points that lie in it; zero elsewhere."""
    near = np.flatnonzero((fit.chart.height < 0.25) & (fit.chart.height > -0.2))
    below = fit.points[near] + outer[near, None] * fit.normals[near]
    lowest = below[:, 1].min()
    below = np.concatenate([below, *(rings[rings[..., 1] > lowest] for rings in hanging)])
    middle = (below[:, 2].max() + below[:, 2].min()) / 2
    turns, step, top = 60, 0.012, float(below[:, 1].max())

    def cell(p: ndarray) -> tuple[ndarray, ndarray]:
        turn = np.arctan2(p[:, 0], p[:, 2] - middle) / (2 * np.pi) * turns
        return np.round(turn).astype(int) % turns, np.clip(((top - p[:, 1]) / step).astype(int) + 1, 0, rows - 1)

    rows = int((top - float(below[:, 1].min())) / step) + 3
    reach = np.zeros((turns, rows))
    np.maximum.at(reach, cell(below), np.hypot(below[:, 0], below[:, 2] - middle))
    for axis in (0, 1):
        reach = np.maximum(reach, np.maximum(np.roll(reach, 1, axis), np.roll(reach, -1, axis)))
    radius = np.hypot(points[:, 0], points[:, 2] - middle)
    gain = np.maximum(reach[cell(points)] / np.maximum(radius, 1e-3) - 1, 0)
    return np.stack([points[:, 0] * gain, 0 * gain, (points[:, 2] - middle) * gain], 1)


def over_skirt(fit: Fit, rings: Float[ndarray, "r k 3"]) -> Float[ndarray, "n"]:
    """Heights that bring the chart outside a skirt, near the skirt's rim; zero elsewhere."""
    top, bottom = rings[0, :, 1].min(), rings[0, :, 1].mean() - 0.16 * fit.scale
    near = np.flatnonzero((fit.chart.height < 0.3) & (fit.points[:, 1] < top) & (fit.points[:, 1] > bottom))
    return _out_to(fit, rings, near)


def above_skirt(fit: Fit, target: Float[ndarray, "n"], cut: float) -> Float[ndarray, "n"]:
    """Heights that bring the chart out to where a skirt below it will hang, towards the skirt's rim; zero elsewhere."""
    y = fit.chart.height
    near = np.flatnonzero((y < cut + 0.08) & (y > cut - 0.1))
    raised = fit.points[near] + target[near, None] * fit.normals[near]
    heights = np.arange(raised[:, 1].max(), raised[:, 1].min() - 0.02, -0.02)
    middle = float((raised[:, 2].max() + raised[:, 2].min()) / 2)
    angle = np.arange(96) / 96 * 2 * np.pi - np.pi
    radius = outline(raised, heights, (0.0, middle), angle, 0.0)
    rings = np.stack(
        [
            radius * np.sin(angle),
            np.broadcast_to(heights[:, None], radius.shape),
            middle + radius * np.cos(angle),
        ],
        2,
    )
    return _out_to(fit, rings, near) * smooth_step((cut + 0.06 - y) / 0.06)


def _out_to(fit: Fit, rings: Float[ndarray, "r k 3"], near: Int[ndarray, "m"]) -> Float[ndarray, "n"]:
    """Heights that bring some of the chart's points out to rings; zero elsewhere."""
    p = fit.points[near]
    middle = (rings[0, :, 2].max() + rings[0, :, 2].min()) / 2
    angle, radius = np.arctan2(p[:, 0], p[:, 2] - middle), np.hypot(p[:, 0], p[:, 2] - middle)
    wide = np.hypot(rings[..., 0], rings[..., 2] - middle)
    around = np.arctan2(rings[0, :, 0], rings[0, :, 2] - middle)
    order = np.argsort(around)
    levels = rings[..., 1].mean(1)
    column = np.interp(angle, around[order], np.arange(len(order)), period=2 * np.pi).astype(int)
    row = np.clip(np.interp(-p[:, 1], -levels, np.arange(len(levels))), 0, len(levels) - 1.001)
    i, share = row.astype(int), row % 1
    neighbours = [order[(column + k) % len(order)] for k in (-1, 0, 1, 2)]
    out_to = np.max([wide[i, c] * (1 - share) + wide[i + 1, c] * share for c in neighbours], 0)
    n = fit.normals[near]
    outward = np.maximum(n[:, 0] * np.sin(angle) + n[:, 2] * np.cos(angle), 0.4)
    heights = np.zeros(len(fit.points))
    heights[near] = np.maximum(out_to - radius, 0) / outward
    return heights


def _joint_names() -> tuple[str, ...]:
    return load_body().joint_names


@cache
def _mirrored_joints() -> Int[ndarray, "j"]:
    names = _joint_names()
    swap = {".L": ".R", ".R": ".L"}
    return np.array([names.index(name[:-2] + swap.get(name[-2:], name[-2:])) for name in names])


@kept(lambda detail: f"hanging-weights-{detail}")
def _hanging_weights(detail: Detail) -> Float[ndarray, "n j"]:
    """The chart's skin weights for what hangs over it: thigh and shin whole, without feet, few joints."""
    here = chart(detail)
    names = _joint_names()
    into = np.arange(len(names))
    for i, name in enumerate(names):
        side = name[-2:]
        if name.startswith("pelvis"):
            into[i] = names.index("root")
        elif name.startswith("upperleg"):
            into[i] = names.index("upperleg01" + side)
        elif name.startswith(("lowerleg", "foot", "toe")):
            into[i] = names.index("lowerleg01" + side)
    out = np.zeros(here.weights.shape)
    np.add.at(out.T, into, here.weights.T)
    return out


class Limbs(NamedTuple):
    """What a skirt's rings follow of the body underneath, whichever leg's it is."""

    joints: Int[ndarray, "j"]
    rim: Float[ndarray, "k j"]
    below: Float[ndarray, "r k j"]
    """The rim excluded; what is one leg's counts for both."""


@kept(lambda kind, variant, detail: f"limbs-{kind}-{variant}-{detail}".replace(" ", "_"))
def _limbs(kind: str, variant: int, detail: Detail) -> Limbs:
    """On the mean person, front and back alike."""
    plan, here = design(kind, variant, detail), chart(detail)
    assert plan.fall is not None
    shell = plan.shell
    rim_weights = np.zeros((len(shell.cut), len(_joint_names())))
    np.put_along_axis(rim_weights, shell.joints[shell.cut], shell.weights[shell.cut], 1)
    rim = shell.rest[shell.cut]
    levels = fall_rows(plan.fall, float(rim[:, 1].mean()), detail)
    near = np.flatnonzero((here.arm == 0) & (here.height < 0.3))
    under = here.rest[near]
    step = float(levels[0] - levels[-1]) / (len(levels) - 1)
    angle = columns(kind, variant, detail)
    turn = np.arange(64) / 64 * 2 * np.pi
    reach = _support(under, len(levels), float(levels[0]), step, 0.0, SIDE_Z, np.cos(turn), np.sin(turn))
    weights, spanning = _hanging_weights(detail)[near], loose_weights(here)[near]
    soft = 0.009 + 0.035 * smooth_step((-0.08 - levels) / 0.25)
    high = smooth_step((levels + 0.06) / 0.08)  # round the hips it goes with whatever is worn over it
    rows = []
    for r in range(1, len(levels)):
        out = _hull(reach[r : r + 1], angle[r], turn)[0]
        at = np.stack([out * np.sin(angle[r]), np.full(len(out), levels[r]), SIDE_Z + out * np.cos(angle[r])], 1)
        level = np.flatnonzero(np.abs(under[:, 1] - levels[r]) < 0.12)
        away = cdist(at, under[level], "sqeuclidean")
        share = np.exp(-(away - away.min(1, keepdims=True)) / (2 * soft[r] ** 2))
        own = (share / share.sum(1, keepdims=True)) @ (weights[level] * (1 - high[r]) + spanning[level] * high[r])
        rows.append(own + own[:, _mirrored_joints()])
    below = np.stack(rows)
    used = np.asarray(rim_weights.any(0) | below.any((0, 1)))
    used[[_joint_names().index(name) for name in ("root", *_LEGS)]] = True
    joints = np.flatnonzero(used)
    return Limbs(joints, rim_weights[:, joints], below[..., joints])


def between_legs(fit: Fit, levels: Float[ndarray, "r"]) -> Float[ndarray, "r"]:
    """Half the width of the gap between somebody's legs, by height on the mean person; zero above them."""
    here = fit.chart
    legs = np.flatnonzero((here.arm == 0) & (here.height < CROTCH + 0.02))
    far = np.abs(here.height[legs][:, None] - levels) / 0.02
    inner = (np.abs(fit.points[legs, 0])[:, None] + 0.5 * np.maximum(far - 1, 0)).min(0)
    return ndimage.gaussian_filter1d(np.where(levels > CROTCH, 0, inner), 1.5, mode="nearest")


def _spared(
    fit: Fit, levels: Float[ndarray, "r"], rings: Float[ndarray, "r k 3"], before: Bool[ndarray, "r k"]
) -> Float[ndarray, "r k"]:
    """Half the width that the web may have below the knees; zero above them.

    A stride draws it out farthest there, and over a leg cloth may stay behind as far as it stands off.
    """
    half = np.zeros(before.shape)
    legs = np.flatnonzero((fit.chart.arm == 0) & (fit.chart.height < KNEE))
    for r in np.flatnonzero(levels < KNEE - 0.02):
        leg = fit.points[legs[np.abs(fit.chart.height[legs] - levels[r]) < 0.02]]
        inner, middle = (float(each) for each in np.quantile(np.abs(leg[:, 0]), (0.1, 0.5)))
        over = np.abs(np.abs(rings[r, :, 0]) - middle) < 0.03
        for mine, way in ((before[r], 1), (~before[r], -1)):
            room = (way * rings[r, mine & over, 2]).min(initial=1.0) - (way * leg[:, 2]).max()
            behind = np.clip(room / (_STRIDE * fit.scale) - 0.06, 0, 0.25)
            half[r, mine] = inner / (1 - 2 * behind)
    return half * smooth_step((KNEE - 0.05 - levels) / 0.2)[:, None]


def fall_weights(
    fit: Fit, cut_as: tuple[str, int], detail: Detail, rings: Float[ndarray, "r k 3"]
) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Skin weights of a skirt's rings, rim excluded: those of the body underneath.

    Across the middle both legs share it, over little more than the gap between this person's legs: a narrower web
    tears in a stride, and out of a wider one comes the leg.
    """
    plan, limbs = design(*cut_as, detail), _limbs(*cut_as, detail)
    assert plan.fall is not None
    shell = plan.shell
    rim = shell.rest[shell.cut]
    levels = fall_rows(plan.fall, float(rim[:, 1].mean()), detail)
    angle = columns(*cut_as, detail)
    around = (angle + np.pi) % (2 * np.pi) - np.pi
    before = np.abs(around) < np.pi / 2
    # The longer the way from the hip, the less of it cloth may stay behind its leg.
    gap = between_legs(fit, levels) / np.clip(1 - 2 * _LAG / np.maximum(_HIP - levels, 0.02), 0.74, 1)
    # Legs that are left out below it do not come through.
    gap *= 1 + 0.6 * shell.closed * smooth_step((levels - legs_hidden_from(plan.fall.hem)) / 0.1)
    half = np.maximum(gap[:, None], np.where(before, 0.03, 0.055) * fit.scale)
    half = np.maximum(half, _spared(fit, levels, rings, before))
    across = rings[..., 0] / half
    beside = np.minimum(np.abs(across), 1.15)
    own_side = np.where(beside < 0.85, beside, 1 - (1.15 - beside) ** 2 / 0.6)  # it bends where the web ends
    left = 0.5 + 0.5 * np.sign(across) * own_side
    # A front that opens goes with either leg.
    opened = smooth_step((1.5 - np.abs(around)) / 0.6) * (not shell.closed)
    apart = smooth_step((levels[0] - levels) / 0.18)[:, None] * opened
    left = (left + apart * (np.where(around > 0, 1.0, 0.0) - left))[..., None]
    side = _sides()[limbs.joints]
    own = limbs.below * np.where(side > 0, left, np.where(side < 0, 1 - left, 0.5))[1:]
    root, *legs = np.searchsorted(limbs.joints, [_joint_names().index(name) for name in ("root", *_LEGS)])
    # Before, between the thighs, it sags when they rise, with the thighs alone: which keeps it to few joints there.
    deep = 0.18 * smooth_step((-0.06 - levels) / 0.12) * smooth_step((levels + 0.42) / 0.12)
    sag = (deep[:, None] * (1 - smooth_step(np.abs(across))) * before)[1:]
    own *= 1 - sag[..., None]
    own[..., root] += sag
    # Behind, at the knee, it goes partly with a shin that folds up against it.
    folded = 0.3 * np.exp(-(((levels[1:, None] - KNEE) / 0.1) ** 2)) * smooth_step((0.3 - np.cos(angle[1:])) / 0.6)
    for thigh, shin in (legs[:2], legs[2:]):
        bent = own[..., thigh] * folded - own[..., shin] * np.minimum(sag / 0.1, 1)
        own[..., thigh] -= bent
        own[..., shin] += bent
    begin = smooth_step((levels[0] - levels) / 0.02)[1:, None, None]
    dense = np.concatenate([limbs.rim[None], limbs.rim * (1 - begin) + own * begin])
    # In the middle of the front it passes over what belly and thighs have each of their own: edges run down straight.
    middle = smooth_step((0.75 - np.abs(around)) / 0.4)
    for _ in range(16 if detail == "full" else 4):
        even = (dense[:-2] + 2 * dense[1:-1] + dense[2:]) / 4
        dense[1:-1] += middle[1:-1, :, None] * (even - dense[1:-1])
    weights, joints = steady_four(np.concatenate(dense[1:]).astype(np.float32))
    return weights, limbs.joints[joints]


_LEGS = ("upperleg01.L", "lowerleg01.L", "upperleg01.R", "lowerleg01.R")
_HIP = -0.03
"""Height of the mean person's hip joints."""
_LAG = 0.04
"""How far a skirt may stay behind a leg that is raised; metres."""
_STRIDE = 0.5
"""How far apart shins get that part before a skirt's hem; metres."""


@cache
def _sides() -> Int[ndarray, "j"]:
    """1 for joints of the left, -1 for those of the right, 0 in the middle."""
    return np.array([1 if name.endswith(".L") else -1 if name.endswith(".R") else 0 for name in _joint_names()])


def hanging_across(angle: Float[ndarray, "*k"], panel: int) -> Float[ndarray, "*k"]:
    """Pattern coordinates across, by the angle round the torso: zero in front, growing to the figure's left."""
    turn = angle if panel == FRONT else np.pi - angle
    return ((turn + np.pi) % (2 * np.pi) - np.pi) * 2 * SIDE / np.pi


@cache
def fall_mesh(
    kind: str, variant: int, detail: Detail
) -> tuple[Int[ndarray, "f 3"], Float[ndarray, "f 3 2"], Int[ndarray, "f"], Int[ndarray, "r k"]]:
    """Faces of a skirt over a grid of vertex numbers, pattern coordinates, panels, and the grid itself.

    Numbers: 0 to k-1 are the rim, then ring by ring. Two folded-in rings close the hem; two folded-in columns each
    front edge.
    """
    plan = design(kind, variant, detail)
    shell, fall = plan.shell, plan.fall
    assert fall is not None
    rows = fall_rows(fall, float(shell.rest[shell.cut, 1].mean()), detail)
    k, folded = len(shell.cut), 2 if detail == "full" else 0
    side = 0 if shell.closed else folded
    grid = np.arange((len(rows) + folded) * (k + 2 * side)).reshape(len(rows) + folded, k + 2 * side)
    at = np.concatenate([np.full(side, 0), np.arange(k), np.full(side, k - 1)])
    across = np.arange(len(at) - (0 if shell.closed else 1))
    after = (across + 1) % len(at)
    i, j = np.meshgrid(np.arange(len(grid) - 1), across, indexing="ij")
    i, j, jn = i.ravel(), j.ravel(), after[j.ravel()]
    quads = np.stack([grid[i, j], grid[i + 1, j], grid[i + 1, jn], grid[i, jn]], 1)
    where = shell.rest[shell.cut]
    angle = columns(kind, variant, detail)
    panel = np.where(np.cos(angle[0, at[j]]) + np.cos(angle[0, at[jn]]) < 0, BACK, FRONT)
    y = np.concatenate([rows, rows[-1:], rows[-1:] + 0.03][: 1 + 2 * (folded > 0)])
    angle = np.concatenate([angle, angle[-1:], angle[-2:-1]])
    # Below the rim, pattern coordinates are as even as the turns: where its corners crowd, cloth would smear.
    u = {p: hanging_across(angle, p) for p in (FRONT, BACK)}
    for p in u:
        u[p][0] = panel_coordinates(where, p)[:, 0]
    across_u = np.stack(
        [
            np.where(panel == FRONT, u[FRONT][r, at[c]], u[BACK][r, at[c]])
            for r, c in ((i, j), (i + 1, j), (i + 1, jn), (i, jn))
        ],
        1,
    )
    corners = np.stack([across_u, np.stack([y[i], y[i + 1], y[i + 1], y[i]], 1)], 2)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    uvs = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    return faces, uvs, np.concatenate([panel, panel]), grid


def fold_in(rings: Float[ndarray, "r k 3"], closed: bool, thickness: float, width: float) -> Float[ndarray, "s l 3"]:
    """Rings with the hem's and the front edges' insides."""
    out = rings
    middle = rings[0].mean(0)
    inward = np.stack([middle[0] - rings[..., 0], np.zeros(rings.shape[:2]), middle[2] - rings[..., 2]], 2)
    inward /= np.linalg.norm(inward, axis=2, keepdims=True) + 1e-9
    hem = rings[-1] + thickness * inward[-1]
    above = rings[-2] + thickness * inward[-2]
    out = np.concatenate([out, hem[None], above[None]])
    if closed:
        return out
    turn = np.concatenate([inward, inward[-1:], inward[-2:-1]])
    left, right = out[:, :1] + thickness * turn[:, :1], out[:, -1:] + thickness * turn[:, -1:]

    def toward(a: ndarray, b: ndarray) -> ndarray:
        d = b - a
        return d / (np.linalg.norm(d, axis=2, keepdims=True) + 1e-9) * width

    reach = min(4, out.shape[1] - 1)
    left2 = left + toward(out[:, :1], out[:, reach : reach + 1])
    right2 = right + toward(out[:, -1:], out[:, -1 - reach : -reach])
    return np.concatenate([left2, left, out, right, right2], 1)


def hanging_places(kind: str, variant: int, detail: Detail) -> Float[ndarray, "r k 2"]:
    """Height and turn on the mean person of every vertex of a skirt's rings."""
    plan, angle = design(kind, variant, detail), columns(kind, variant, detail)
    assert plan.fall is not None
    levels = fall_rows(plan.fall, float(plan.shell.rest[plan.shell.cut, 1].mean()), detail)
    return np.stack([np.broadcast_to(levels[:, None], angle.shape), angle], 2)


def reach_beyond(plan: Design, here: Chart, places: Float[ndarray, "v 2"], swing: float) -> Float[ndarray, "v"]:
    """How far a garment reaches beyond places of a skirt under it, metres; negative outside.

    Args:
        places: Height and turn on the mean person.
        swing: How much less what hangs itself covers, since a step shows what lies near its hem and its edges.
    """
    height, turn = places.T
    hips = np.flatnonzero((here.arm == 0) & (here.height < 0.3) & (here.height > CROTCH - 0.03))
    around = np.arctan2(here.rest[hips, 0], here.rest[hips, 2] - SIDE_Z)
    tree = cKDTree(np.stack([0.15 * np.sin(around), 0.15 * np.cos(around), here.rest[hips, 1]], 1))
    away, nearest = tree.query(np.stack([0.15 * np.sin(turn), 0.15 * np.cos(turn), height], 1))
    out = np.where(away < 0.03, plan.shell.inside[hips[nearest]] - 0.02, -1.0)
    if plan.fall is None:
        return out
    edge = np.inf
    if not plan.shell.closed:
        rim = plan.shell.rest[plan.shell.cut[0]]
        open_to = abs(np.arctan2(rim[0], rim[2] - SIDE_Z))
        edge = 0.15 * (np.abs((turn + np.pi) % (2 * np.pi) - np.pi) - open_to)
    return np.where(height > cut_height(plan), out, np.minimum(height - plan.fall.hem, edge - 1.5 * swing) - swing)


def legs_hidden_from(hem: float) -> float:
    """Height on the mean person from which a closed skirt hides the legs; a seated figure shows its thighs below a
    short one."""
    return max(min(hem + 0.25, CROTCH - 0.04), CROTCH - 0.35)


def cut_height(plan: Design) -> float:
    """Of the rim that a skirt hangs from, on the mean person."""
    return float(plan.shell.rest[plan.shell.cut, 1].mean()) if plan.fall is not None else -np.inf
