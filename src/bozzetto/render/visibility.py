"""How much of the sky and of the key lamp each vertex sees: depth maps from many directions, one look-up a vertex."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from bozzetto.kernels import kernel
from bozzetto.render.cameras import view_directions
from bozzetto.render.light import Lamp, Light
from bozzetto.render.raster import DOUBLE_SIDED, Coverage, draw, project
from bozzetto.render.scene import Scene
from bozzetto.threads import side_by_side

BIAS = 0.006
"""Metres a vertex is lifted along its normal before it is looked up: thin cloth must not shade itself."""


def with_shadows(scene: Scene, light: Light) -> Scene:
    """The scene with ambient occlusion (kept where it is known) and its shadow under the light's key lamp."""
    return replace(
        scene, sky=sky_visibility(scene) if scene.sky is None else scene.sky, key=lamp_visibility(scene, light.key)
    )


def sky_visibility(scene: Scene, directions: int = 48, size: int = 256) -> Float32[ndarray, "v"]:
    """The share of all directions above its tangent plane, cosine-weighted, in which each vertex meets nothing.

    Args:
        scene: Posed layers; cut-outs let light through.
        directions: Spread evenly over the whole sphere, in opposite pairs that share a depth map.
        size: Pixels of a depth map's side.
    """
    pairs = max(directions // 2, 1)
    turns = np.arange(pairs) + 0.5
    height, angle = turns / pairs, np.pi * (1 + 5**0.5) * turns
    level = np.sqrt(1 - height**2)
    towards = np.stack([level * np.cos(angle), height, level * np.sin(angle)], axis=1)
    # A vertex looks into one direction of each pair.
    cosines = np.abs(scene.normals @ towards.T.astype(np.float32))
    seen = _seen(scene, towards, size, pairs=True)
    open_sky = (cosines * seen).sum(1) / np.maximum(cosines.sum(1), 1e-6)
    return _smoothed(open_sky, scene, rounds=1)


def lamp_visibility(scene: Scene, lamp: Lamp, directions: int = 12, size: int = 512) -> Float32[ndarray, "v"]:
    """The share of the lamp's disc each vertex sees; one where its normal turns away, for shading darkens it there.

    Args:
        scene: Posed layers.
        lamp: Its size is the width of the penumbra.
        directions: Depth maps, spread over the disc.
        size: Pixels of a depth map's side.
    """
    centre = np.asarray(lamp.direction, np.float64)
    right, up, forward = _axes(centre / np.linalg.norm(centre))
    turns = np.arange(directions)
    radius = np.tan(np.radians(lamp.size_degrees)) * 0.6 * np.sqrt((turns + 0.5) / directions)
    angle = np.pi * (3 - 5**0.5) * turns
    towards = forward + radius[:, None] * (np.cos(angle)[:, None] * right + np.sin(angle)[:, None] * up)
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = scene.normals @ towards.T.astype(np.float32) > 0.0
    seen = np.where(facing, _seen(scene, towards, size), 1.0).mean(1)
    return _smoothed(seen, scene, rounds=2)


def turning_visibility(
    scene: Scene, lamp: Lamp, degrees: Float[ndarray, "n"], columns: int = 36, rows: int = 2, size: int = 384
) -> Float32[ndarray, "n v"]:
    """`lamp_visibility` for a lamp carried around the vertical by each of these angles, from one ring of depth maps.

    Args:
        scene: Posed layers.
        lamp: As it stands at an angle of zero.
        degrees: Of `Light.turned`.
        columns: Depth maps around the ring.
        rows: Depth maps across it.
        size: Pixels of a depth map's side.
    """
    x, y, z = lamp.direction
    reach = 0.6 * lamp.size_degrees
    level, rise = float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arctan2(y, np.hypot(x, z))))
    around = np.repeat(np.arange(columns) * 360.0 / columns, rows)
    above = np.tile(rise + reach * ((2 * np.arange(rows) + 1) / rows - 1), columns)
    towards = view_directions(around, above)
    # Each lamp is the mean of the maps within its disc, whose rim fades over the width of a column.
    centres = view_directions(level + np.asarray(degrees, np.float64), np.full(len(degrees), rise))
    away = np.degrees(np.arccos(np.clip(centres @ towards.T, -1, 1)))
    fade = 360.0 / columns * np.cos(np.radians(rise))
    shares = np.clip((reach - away) / fade + 0.5, 0.0, 1.0) + 1e-6 * np.exp(-away)
    shares /= shares.sum(1, keepdims=True)
    facing = scene.normals @ towards.T.astype(np.float32) > 0.0
    seen = shares.astype(np.float32) @ np.where(facing, _seen(scene, towards, size), np.float32(1)).T
    return np.stack([_smoothed(row, scene, rounds=2) for row in seen])


def _seen(scene: Scene, towards: Float[ndarray, "d 3"], size: int, pairs: bool = False) -> Float32[ndarray, "v d"]:
    """Whether each vertex sees each direction: 0, 1, or between at a shadow's edge; 1 where it looks away.

    Args:
        pairs: A vertex that looks away from a direction is asked for the opposite one.
    """
    seen = np.ones((len(towards), len(scene.vertices)), np.float32)
    if len(scene.faces) == 0 or len(towards) == 0:
        return np.ascontiguousarray(seen.T)
    low, high = scene.vertices.min(0).astype(np.float64), scene.vertices.max(0).astype(np.float64)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + 2 * BIAS
    texel = 2 * radius / (size - 4)
    lens = np.array([[1 / texel, 0, size / 2], [0, 1 / texel, size / 2], [0, 0, 0.0]])
    lifted = scene.vertices + np.float32(BIAS) * scene.normals
    # Light stops at back faces too: a single-sided body must not let it through.
    surfaces = scene.coverage
    coverage = Coverage(surfaces.layer, surfaces.flags | DOUBLE_SIDED, surfaces.uvs, surfaces.texels, surfaces.textures)

    def look(index: int) -> None:
        forward = -towards[index]
        right, down, _ = _axes(forward)
        rotation = np.stack([right, down, forward])
        view = np.concatenate([rotation, -(rotation @ centre)[:, None]], axis=1)
        nearest, face = np.empty((size, size), np.float32), np.empty((size, size), np.int32)
        farthest = np.empty((size, size) if pairs else (0, 0), np.float32)
        draw(project(scene.vertices, view, lens), scene.faces, coverage, face, nearest, False, farthest)
        _look_up(lifted, scene.normals, view, lens, nearest, farthest, texel, seen[index])

    side_by_side(look, len(towards))
    return np.ascontiguousarray(seen.T)


def _axes(forward: Float[ndarray, "3"]) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Three orthogonal unit vectors, the last of them `forward`."""
    x, y, z = (float(value) for value in forward)
    least = min(abs(x), abs(y), abs(z))
    right = (0.0, -z, y) if abs(x) == least else (z, 0.0, -x) if abs(y) == least else (-y, x, 0.0)
    length = (right[0] ** 2 + right[1] ** 2 + right[2] ** 2) ** 0.5
    a, b, c = (value / length for value in right)
    return np.array([a, b, c]), np.array([y * c - z * b, z * a - x * c, x * b - y * a]), forward


def _smoothed(values: Float[ndarray, "v"], scene: Scene, rounds: int) -> Float32[ndarray, "v"]:
    smooth, corners = np.ascontiguousarray(values, np.float32), scene.faces.ravel()
    count = np.bincount(corners, minlength=len(smooth))
    for _ in range(rounds):
        of = smooth[scene.faces]
        total = np.bincount(corners, ((of.sum(1, keepdims=True) - of) / 2).ravel(), len(smooth))
        smooth = ((smooth + total) / (1 + count)).astype(np.float32)
    return smooth


@kernel
def _look_up(points, normals, view, lens, nearest, farthest, texel, seen):
    size = nearest.shape[0]
    pairs = len(farthest) > 0
    for v in range(len(points)):
        px, py, pz = points[v, 0], points[v, 1], points[v, 2]
        facing = -(normals[v, 0] * view[2, 0] + normals[v, 1] * view[2, 1] + normals[v, 2] * view[2, 2])
        if facing <= 0.0 and not pairs:
            continue
        away = facing <= 0.0
        x = view[0, 0] * px + view[0, 1] * py + view[0, 2] * pz + view[0, 3]
        y = view[1, 0] * px + view[1, 1] * py + view[1, 2] * pz + view[1, 3]
        z = view[2, 0] * px + view[2, 1] * py + view[2, 2] * pz + view[2, 3]
        u = min(max(lens[0, 0] * x + lens[0, 2] - 0.5, 0.0), size - 1.001)
        t = min(max(lens[1, 1] * y + lens[1, 2] - 0.5, 0.0), size - 1.001)
        column, row = np.int64(u), np.int64(t)
        fx, fy = u - column, t - row
        # A surface seen at a slant changes by this much within a texel.
        facing = abs(facing)
        slack = texel * (0.5 + min(np.sqrt(max(1 - facing * facing, 0.0)) / max(facing, 1e-3), 3.0))
        shade = 0.0
        for i in range(2):
            for j in range(2):
                if away:
                    hidden = -farthest[row + i, column + j] > slack + z
                else:
                    hidden = nearest[row + i, column + j] > slack - z
                if hidden:
                    shade += (fy if i else 1 - fy) * (fx if j else 1 - fx)
        seen[v] = 1.0 - shade
