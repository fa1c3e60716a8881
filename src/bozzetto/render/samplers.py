"""Where a method looks from as it optimises: random cameras with the statistics that its paper gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from bozzetto.render.cameras import perspective, view_words
from bozzetto.types import Cameras

Crop: TypeAlias = Literal["body", "head"]
Box: TypeAlias = Float[ndarray, "2 3"]
"""Lowest and highest corner, metres."""


@dataclass(frozen=True, eq=False)
class Shots:
    """Cameras, and what a prompt should know of each."""

    cameras: Cameras
    azimuths: Float[ndarray, "b"]
    """Degrees; 0 looks at the face, 90 at the left side."""
    elevations: Float[ndarray, "b"]
    """Degrees above the horizon."""
    crops: tuple[Crop, ...]

    def some(self, rows: Sequence[int]) -> "Shots":
        """These alone."""
        at, crops = np.asarray(rows), tuple[Crop, ...](self.crops[row] for row in rows)
        return Shots(self.cameras[torch.from_numpy(at)], self.azimuths[at], self.elevations[at], crops)

    @property
    def words(self) -> tuple[str, ...]:
        """ "front view", "side view", "back view" or "overhead view", by where each camera truly stands."""
        return tuple(view_words(a, e) for a, e in zip(self.azimuths.tolist(), self.elevations.tolist(), strict=True))


def full_body(count: int, size: int, box: Box, rng: np.random.Generator) -> Shots:
    """Cameras all around a person, most at about eye level, that hold all of it."""
    shots = [_framed("body", box, rng.uniform(-180, 180), rng.normal(5, 12), 28.0, size, rng) for _ in range(count)]
    return _together(shots)


def head(count: int, size: int, box: Box, rng: np.random.Generator) -> Shots:
    """Cameras all around a head, that hold all of it."""
    shots = [_framed("head", box, rng.uniform(-180, 180), rng.normal(3, 10), 24.0, size, rng) for _ in range(count)]
    return _together(shots)


def dual(count: int, size: int, body: Box, head: Box, rng: np.random.Generator, head_share: float = 0.25) -> Shots:
    """AvatarBooth's: a quarter looks at the head from in front, the rest at the body from all around.

    The polar angle is drawn from the frontal axis (head: sigma 30 degrees, never behind; body: sigma 60, a seventh
    behind) and the turn about that axis uniformly. Distances are the release's for a person of 1.7 m, and grow with
    the person; 60 degrees of view.

    Source: Zeng et al. 2023 (AvatarBooth), section 3.2, and its release. Departs from it: the head is looked at where
    it is instead of at a constant place, and words follow the true azimuth and elevation.
    """
    unit = float(body[1, 1] - body[0, 1]) / 1.7
    shots = []
    for _ in range(count):
        near = rng.random() < head_share
        turn = rng.uniform(0, 2 * np.pi)
        if near:
            polar = float(np.clip(rng.normal(0, np.pi / 6), -np.pi / 2, np.pi / 2))
            target, distance = head.mean(0), 0.4 * unit
        else:
            polar = rng.normal(0, np.pi / 3)
            target = body.mean(0) + unit * np.clip(rng.normal(0, 0.1, 3), -0.3, 0.3)
            distance = unit * rng.uniform(1, 2)
        direction = np.array([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)])
        shots.append(_aimed("head" if near else "body", target, direction, distance, 60.0, size))
    return _together(shots)


def bucketed(count: int, size: int, head: Box, rng: np.random.Generator) -> Shots:
    """HeadSculpt's: front, back, left and right equally often, whatever angle each spans.

    Front and back reach 35 degrees to either side; elevation -20 to 70 degrees, field of view 30 to 50, the distance 1
    to 1.5 in a frame where half the head's height is 0.4.

    Source: Han et al. 2023 (HeadSculpt) and its release: its sampler for batches of four, used for every count.
    """
    unit = float(head[1, 1] - head[0, 1]) / 2 / 0.4
    spans = ((-35.0, 35.0), (145.0, 215.0), (35.0, 145.0), (215.0, 325.0))
    shots = []
    for number in range(count):
        span = spans[number % 4] if count % 4 == 0 else spans[rng.integers(4)]
        azimuth, elevation = rng.uniform(*span), rng.uniform(-20, 70)
        distance = unit * rng.uniform(1.0, 1.5)
        shots.append(_aimed("head", head.mean(0), _direction(azimuth, elevation), distance, rng.uniform(30, 50), size))
    return _together(shots)


_Shot: TypeAlias = tuple[Cameras, Float[ndarray, "3"], Crop]


def _framed(
    crop: Crop, box: Box, azimuth: float, elevation: float, fov: float, size: int, rng: np.random.Generator
) -> _Shot:
    half = (box[1] - box[0]) / 2
    reach = max(half[1], float(np.hypot(half[0], half[2]))) * rng.uniform(1.05, 1.25)
    distance = reach / np.tan(np.radians(fov / 2)) + half[2]
    return _aimed(crop, box.mean(0), _direction(azimuth, float(np.clip(elevation, -60, 85))), distance, fov, size)


def _direction(azimuth: float, elevation: float) -> Float[ndarray, "3"]:
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def _aimed(
    crop: Crop, target: Float[ndarray, "3"], direction: Float[ndarray, "3"], distance: float, fov: float, size: int
) -> _Shot:
    eye = target + distance * direction
    return perspective(eye, target, (0.0, 1.0, 0.0), float(fov), size, size), direction, crop


def _together(shots: Sequence[_Shot]) -> Shots:
    cameras = [shot[0] for shot in shots]
    towards = np.array([shot[1] for shot in shots])
    joined = Cameras(
        torch.cat([each.world_to_camera for each in cameras]),
        torch.cat([each.intrinsics for each in cameras]),
        cameras[0].height,
        cameras[0].width,
    )
    azimuths = np.degrees(np.arctan2(towards[:, 0], towards[:, 2]))
    elevations = np.degrees(np.arcsin(np.clip(towards[:, 1], -1, 1)))
    return Shots(joined, azimuths, elevations, tuple(shot[2] for shot in shots))
