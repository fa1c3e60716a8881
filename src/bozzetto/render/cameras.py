"""Where pictures are taken from. Cameras are OpenCV; a figure faces +z, so azimuth 0 looks at its face."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from bozzetto.types import Cameras

# Tests check types at run time, where an int is no float.
Angles = float | int | Sequence[float | int] | ndarray
Points = Sequence[float | int] | Sequence[Sequence[float | int]] | ndarray | Tensor

_OVERHEAD_DEGREES = 60.0
_HALF_WIDTH_DEGREES = 45.0


def perspective(
    eye: Points,
    target: Points,
    up: Points,
    fov_y_degrees: float | int,
    height: int,
    width: int,
) -> Cameras:
    """Cameras standing at `eye` that look at `target`.

    Args:
        eye: World position, (3,) for one camera or (b, 3).
        target: World position seen at the picture's centre, (3,) or (b, 3).
        up: World direction that appears upwards; where it lies along the view, +z or -z stands in.
        fov_y_degrees: Full vertical angle of view.
        height: Pixels.
        width: Pixels; they are square.

    Raises:
        ValueError: An empty picture, an impossible angle, or an eye on its target.
    """
    if height < 1 or width < 1:
        raise ValueError(f"A camera needs at least one pixel each way; got {height} x {width}.")
    if not 0.0 < fov_y_degrees < 180.0:
        raise ValueError(f"fov_y_degrees must lie between 0 and 180; got {fov_y_degrees}.")
    eyes, targets = np.broadcast_arrays(np.atleast_2d(_array(eye)), np.atleast_2d(_array(target)))
    forward = targets - eyes
    distance = np.linalg.norm(forward, axis=1, keepdims=True)
    if not (np.isfinite(distance).all() and (distance > 1e-9).all()):
        raise ValueError("perspective needs finite eyes that differ from their targets.")
    forward = forward / distance
    upwards = np.broadcast_to(_array(up), forward.shape)
    right = _cross(forward, upwards)
    parallel = np.linalg.norm(right, axis=1, keepdims=True) < 1e-6
    stand_in = np.array([0.0, 0.0, 1.0]) * np.where(forward[:, 1:2] > 0, 1.0, -1.0)
    right = np.where(parallel, _cross(forward, stand_in), right)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    down = _cross(forward, right)

    rotation = np.stack([right, down, forward], axis=1)
    world_to_camera = np.tile(np.eye(4), (len(eyes), 1, 1))
    world_to_camera[:, :3, :3] = rotation
    world_to_camera[:, :3, 3] = -np.einsum("bij,bj->bi", rotation, eyes)
    focal = 0.5 * height / np.tan(np.radians(fov_y_degrees) / 2)
    intrinsics = np.tile(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]), (len(eyes), 1, 1))
    return Cameras(torch.tensor(world_to_camera).float(), torch.tensor(intrinsics).float(), height, width)


def orbit(
    azimuths: Angles,
    elevations: Angles,
    distance: float | int,
    target: Points,
    fov_y_degrees: float | int,
    height: int,
    width: int,
) -> Cameras:
    """Cameras on a sphere around `target`.

    Args:
        azimuths: Degrees, one a view; 0 is in front of a figure (at +z), 90 at its left hand (+x).
        elevations: Degrees above the horizon, one a view or one for all.
        distance: Metres from `target`.
        target: World position all views look at.
        fov_y_degrees: Full vertical angle of view.
        height: Pixels.
        width: Pixels.
    """
    eyes = _array(target) + distance * view_directions(azimuths, elevations)
    return perspective(eyes, target, (0.0, 1.0, 0.0), fov_y_degrees, height, width)


def frame(
    vertices: ndarray | Tensor,
    azimuths: Angles,
    elevations: Angles,
    fov_y_degrees: float | int,
    size: int | tuple[int, int],
    margin: float = 0.05,
) -> Cameras:
    """Orbit cameras at one common, smallest distance from which every view holds all of `vertices`.

    Args:
        vertices: Points that must be seen, (n, 3) in metres; two corners of a box will do.
        azimuths: Degrees, one a view.
        elevations: Degrees, one a view or one for all.
        fov_y_degrees: Full vertical angle of view.
        size: Pixels: one side of a square picture, or (height, width).
        margin: Empty border on each side, as a fraction of the picture.

    Raises:
        ValueError: There are no points, or they are not finite.
    """
    points = np.asarray(vertices, np.float64).reshape(-1, 3)
    if len(points) == 0 or not np.isfinite(points).all():
        raise ValueError(f"frame needs finite points to look at; got {len(points)}.")
    if not 0.0 <= margin < 0.5:
        raise ValueError(f"margin must lie in [0, 0.5); got {margin}.")
    height, width = (size, size) if isinstance(size, int) else size
    low, high = points.min(0), points.max(0)
    target = (low + high) / 2
    if len(points) == 2:
        points = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])

    reach = np.tan(np.radians(fov_y_degrees) / 2) * (1 - 2 * margin)
    distance = 1e-3
    for direction in view_directions(azimuths, elevations):
        rotation = perspective(direction, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), fov_y_degrees, height, width)
        x, y, z = rotation.world_to_camera[0, :3, :3].double().numpy() @ (points - target).T
        # A point is inside when |y| <= reach (distance + z), and likewise across.
        needed = np.maximum(np.abs(y) / reach, np.abs(x) / (reach * width / height)) - z
        distance = max(distance, float(needed.max()))
    return orbit(azimuths, elevations, distance, target, fov_y_degrees, height, width)


def view_directions(azimuths: Angles, elevations: Angles) -> Float[ndarray, "b 3"]:
    """Unit vectors from the target to each camera; degrees."""
    azimuth, elevation = np.broadcast_arrays(np.radians(np.atleast_1d(azimuths)), np.radians(np.atleast_1d(elevations)))
    level = np.cos(elevation)
    return np.stack([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)], axis=-1)


def away_from_front(azimuth: float | int) -> float:
    """How far a camera is turned from the face, to either side: degrees, 0 to 180."""
    return abs((azimuth + 180.0) % 360.0 - 180.0)


def view_words(azimuth: float | int, elevation: float | int) -> str:
    """What a prompt calls the view: "front view", "side view", "back view" or "overhead view"; degrees.

    Source: threestudio's buckets: front and back reach 45 degrees to each side, overhead starts above 60.
    """
    if elevation > _OVERHEAD_DEGREES:
        return "overhead view"
    turn = away_from_front(azimuth)
    if turn <= _HALF_WIDTH_DEGREES:
        return "front view"
    return "back view" if turn >= 180.0 - _HALF_WIDTH_DEGREES else "side view"


def _cross(a: Float[ndarray, "b 3"], b: Float[ndarray, "b 3"]) -> Float[ndarray, "b 3"]:
    """np.cross, which takes ten times as long for a few vectors."""
    return a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]


def _array(values: Points) -> Float[ndarray, "*b 3"]:
    return np.asarray(values, dtype=np.float64)
