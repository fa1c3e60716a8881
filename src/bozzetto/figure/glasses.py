"""Glasses, made for each face: a front before the eyes, arms over the ears."""

from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial import cKDTree

from bozzetto.figure.atlas import skin_faces
from bozzetto.figure.fitted import Shape, join, mean_person, outside, sheet, tube, unit
from bozzetto.figure.piece import Person, Piece
from bozzetto.figure.wear import PLAIN, ball, ears, rounded
from bozzetto.geometry import vertex_normals


@cache
def _glasses_see() -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Body vertices that glasses go by: the face's front, both sides of the head without ears, eyes and lashes."""
    person = mean_person()
    body = person.body
    stop = body.parts["body"].stop
    v, normal = person.vertices, vertex_normals(person.vertices, body.parts["body"].faces)
    main = body.skin_joints[np.arange(len(v)), body.skin_weights.argmax(1)]
    eyes = np.isin(main, [body.joint_names.index(f"eye.{side}") for side in "LR"])
    skin = np.zeros(len(v), bool)
    skin[np.unique(body.parts["body"].faces[skin_faces(body)])] = True
    skin &= ~eyes
    front = skin & (v[:, 2] > 0.085) & (v[:, 1] > 1.672) & (v[:, 1] < 1.785) & (normal[:, 2] > 0.12)
    side = skin & (v[:, 2] > 0.0) & (v[:, 2] < 0.15) & (v[:, 1] > 1.69) & (v[:, 1] < 1.775) & (np.abs(v[:, 0]) > 0.045)
    side &= normal[:, 0] * np.sign(v[:, 0]) > 0.25
    side[ears()] = False
    lashes = np.concatenate([np.arange(p.start, p.stop) for name, p in body.parts.items() if "lashes" in name])
    inside = np.flatnonzero(eyes[:stop] & (v[:stop, 2] > 0.12))
    return np.flatnonzero(front), np.flatnonzero(side), inside, lashes


_EAR = np.array([[0.0782, 1.7272, 0.0510], [0.0795, 1.7205, 0.0375], [0.0772, 1.7060, 0.0290]])
"""Where a temple lies on the left ear's root and behind it, on the mean adult."""


@cache
def _ear_anchors() -> tuple[Int[ndarray, "2 3 k"], Float[ndarray, "2 3 3"]]:
    """Skin vertices about ``_EAR`` on both sides, and how far off their middle each place is."""
    person = mean_person()
    v = person.vertices[: person.body.parts["body"].stop]
    places = np.stack([_EAR, _EAR * [-1, 1, 1]])
    _, near = cKDTree(v).query(places, k=8)
    return near, places - v[near].mean(2)


def glasses_shape(person: Person, kind: str, variant: int) -> Shape:
    """Two rims before the eyes, a bridge with pads on the nose, temples along the head to the ears and over them.

    The front keeps its form and takes its size from the eyes; dark lenses for sunglasses.
    """
    low = person.detail == "low"
    sun = kind == "sunglasses"
    mean = mean_person()
    front, side, inner, lashes = _glasses_see()
    v = person.vertices.astype(np.float64)
    eyes = np.stack([person.joint(f"eye.{each}") for each in "LR"]).astype(np.float64)
    middle = eyes.mean(0)
    apart = (eyes[0, 0] - eyes[1, 0]) / (mean.joint("eye.L")[0] - mean.joint("eye.R")[0])
    opening = np.ptp(v[lashes][v[lashes, 0] > middle[0], 0]) / np.ptp(
        mean.vertices[lashes][mean.vertices[lashes, 0] > 0, 0]
    )
    size = float(np.clip(0.9 * opening, apart, 1.3 * apart))
    wide, high, power = (0.0225, 0.0195, 2.1) if variant == 0 else (0.0238, 0.0170, 4.0)
    if sun:
        wide, high = wide * 1.06, high * 1.12
    wide, high = wide * size, high * size
    thick = (0.0014 if variant == 0 and not sun else 0.0023) * size
    centre = max(0.033 * apart, wide + 0.0065 * apart)
    count, sides = (16, 4) if low else (40, 8)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)

    def bowed(x: ndarray | float, y: ndarray | float) -> ndarray | float:
        """Depth of the front's gently bowed and tilted surface."""
        return -1.6 / size * x**2 + 0.10 * (y + 0.004 * size)

    def face(x: ndarray | float, y: ndarray | float) -> ndarray:
        """Points of the front, from places beside and above the middle of the eyes."""
        return np.stack([middle[0] + x, middle[1] + y, ahead + bowed(x, y)], -1)

    # As near as eyes, lashes, brows and cheeks let it: 13 mm before the eye, the rims free of the skin.
    local = v - middle
    sink = -0.0034 * size
    x, y = np.abs(local[front, 0]), local[front, 1] - sink
    below = (x > centre - wide - thick) & (x < centre + wide + thick) & (np.abs(y) < high + thick)
    skin = front[below]
    reach = [
        v[inner, 2] + 0.013 * size - bowed(local[inner, 0], local[inner, 1]),
        v[lashes, 2] + 0.0025 * size - bowed(local[lashes, 0], local[lashes, 1]),
        v[skin, 2] + thick + 0.0008 - bowed(local[skin, 0], local[skin, 1]),
    ]
    ahead = float(max(each.max() for each in reach if len(each)))
    nose = LinearNDInterpolator(v[front, :2] - middle[:2], v[front, 2])
    frame: list[Shape] = []
    c, s = np.cos(turn), np.sin(turn)
    rim_x, rim_y = np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)
    rim_x, rim_y = wide * rim_x, high * rim_y * (1 + 0.06 * rim_x)
    near, offset = _ear_anchors()
    places = v[near].mean(2) + offset * apart
    for k, sign in enumerate((1, -1)):
        path = face(sign * (centre + rim_x), sink + rim_y)[::sign]
        look = unit(np.stack([3.2 / size * (path[:, 0] - middle[0]), -0.1 + 0 * turn, 1 + 0 * turn], 1))
        frame.append(tube(path, thick, PLAIN, sides, closed=True, flat=1.2, up=look))
        if sun:
            shrink = np.linspace(1, 0, 5)[:, None]
            lens = face(sign * (centre + rim_x * shrink), sink + rim_y * shrink)
            lens[..., 2] += 0.003 * size * (1 - shrink**2)
            shape = sheet(lens, (0.27, 0.78, 0.48, 0.98), closed=True)
            look = vertex_normals(shape.vertices, shape.faces)[:, 2].mean()
            glass = shape if look > 0 else Shape(shape.vertices, shape.faces[:, ::-1], shape.uvs[:, ::-1])
            back = Shape(glass.vertices - [0, 0, 0.0008], glass.faces[:, ::-1], glass.uvs[:, ::-1])
            frame += [glass, back]
        # A pad on the nose's side, where it is some millimetres behind the rim.
        down = sink - 0.38 * high
        across = np.linspace(0.0055, 0.011, 24) * size
        depth = nose(sign * across, np.full(24, down))
        depth = np.where(np.isfinite(depth), depth, middle[2])
        inward = ahead + bowed(across, down) - depth
        at = int(np.abs(inward - 0.0045 * size).argmin())
        slope = np.gradient(depth, across)[at]
        out = unit(np.array([-sign * slope, 0, 1.0]))
        pad = np.array([middle[0] + sign * across[at], middle[1] + down, depth[at]]) + out * 0.0012 * size
        flat = ball(np.zeros(3), np.array([0.0014, 0.0042, 0.0027]) * size, PLAIN, 8)
        turned = np.stack([out, [0, 1, 0], np.cross(out, [0, 1, 0])])
        frame.append(outside(replace(flat, vertices=flat.vertices @ turned + pad)))
        edge = int(np.abs(np.stack([rim_x + wide, rim_y - (down - sink) * 0.5], 1)).sum(1).argmin())
        held = face(sign * (centre + rim_x[edge]), sink + rim_y[edge])
        bent = (held + pad) / 2 - [0, 0, 0.002 * size]
        arm = rounded(np.stack([held, bent, pad]), 6, 0.6)
        frame.append(tube(np.concatenate([held[None], arm, pad[None]]), 0.45 * thick + 0.0002, PLAIN, sides))
        hinge = face(np.array(sign * (centre + wide)), np.array(sink + 0.38 * high))
        frame.append(_temple(hinge, places[k], v[side[local[side, 0] * sign > 0]], sign, thick, low))
    arc = np.linspace(-1, 1, 9)
    up = sink + 0.30 * high + 0.16 * high * (1 - arc**2)
    bridge = face(arc * (centre - wide + 0.5 * thick), up)
    ridge = nose(bridge[:, 0] - middle[0], bridge[:, 1] - middle[1]) + 1.1 * thick
    behind = bridge[:, 2] - 0.005 * size * (1 - arc**2)
    bridge[:, 2] = np.fmax(behind, np.where(arc**2 < 0.9, ridge, -1))
    frame.append(tube(bridge, thick * 1.05, PLAIN, sides))
    return join(*frame)


def beside_glasses(hair: Piece, glasses: Piece) -> Piece:
    """The hair pressed in under the arms of glasses where it is short there; long hair falls over them."""
    points, strands = glasses.vertices, hair.vertices
    front = points[:, 2].max()
    head = np.ptp(points[:, 0]) / 2
    arm = points[(points[:, 2] < front - 0.2 * head) & (np.abs(points[:, 0]) > 0.7 * head)]
    vertices = strands.copy()
    for sign in (1, -1):
        line = arm[arm[:, 0] * sign > 0]
        if not len(line):
            continue
        line = line[line[:, 2] > line[:, 2].min() + 0.3 * head]  # not what lies behind the ear
        near = np.flatnonzero((strands[:, 0] * sign > 0.5 * head) & (strands[:, 2] > line[:, 2].min()))
        away, at = cKDTree(line[:, 1:]).query(strands[near, 1:], k=4)
        near, at = near[away[:, 0] < 0.006], at[away[:, 0] < 0.006]
        outer, inner = (line[at, 0] * sign).max(1), (line[at, 0] * sign).min(1)
        beyond = strands[near, 0] * sign - outer
        if not len(near):
            continue
        place = ((front - strands[near, 2]) / 0.006).astype(int)
        tall = np.zeros(place.max() + 3)
        np.maximum.at(tall, place + 1, beyond)
        over = maximum_filter1d(tall, 3)[place + 1] > 0.007
        moved = np.where(over, np.maximum(beyond, 0.0015) + outer, np.minimum(beyond + outer, inner - 0.0004))
        vertices[near, 0] = np.where(beyond > -0.004, sign * moved, strands[near, 0])
    return replace(hair, vertices=vertices)


def _temple(
    hinge: Float[ndarray, "3"],
    ear: Float[ndarray, "3 3"],
    head: Float[ndarray, "n 3"],
    sign: int,
    thick: float,
    low: bool,
) -> Shape:
    """From the front along the side of the head, taut, to the root of the ear and down behind it.

    Args:
        hinge: Where it leaves the front.
        ear: On top of the ear's root, and two places behind.
        head: Points of the head's side.
        sign: +1 on the left.
    """
    share = np.linspace(0, 1, 24)
    line = hinge + (ear[0] - hinge) * share[:, None]
    width = LinearNDInterpolator(head[:, [2, 1]], head[:, 0] * sign)(line[:, [2, 1]])
    free = np.where(np.isfinite(width), width + thick + 0.0008, -1.0)
    free[0], free[-1] = hinge[0] * sign, ear[0, 0] * sign
    hull = [0]
    for i in range(1, len(share)):  # a taut string round what stands out
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (free[b] - free[a]) * (i - a) > (free[i] - free[a]) * (b - a):
                break
            hull.pop()
        hull.append(i)
    line[:, 0] = sign * np.interp(np.arange(len(share)), hull, free[hull])
    line[:, 0] = np.where(
        (share > 0.05) & (share < 0.95), gaussian_filter1d(line[:, 0], 1.0, mode="nearest"), line[:, 0]
    )
    over = rounded(np.concatenate([line[-2:], ear[1:]]), 10, 0.9)[1:]
    path = np.concatenate([line[:-1], over])
    path = path[::4] if low else path
    return tube(path, thick * 0.95, PLAIN, 4 if low else 8, flat=1.5, up=np.tile([0, 1.0, 0], (len(path), 1)))
