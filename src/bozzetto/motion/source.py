"""A motion on the skeleton it was recorded on, whatever program wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.types import UserError

MOST_JOINTS = 1024
MOST_FRAMES = 120_000
"""Over an hour at 30 a second."""
MOST_VALUES = 24_000_000
"""Rotations of all joints in all frames; 200 MB as doubles."""
MOST_BYTES = 1 << 26
"""Of a file."""
TOO_LARGE = "Cut it, or resample it."


@dataclass(frozen=True, eq=False)
class Source:
    """A skeleton and how its joints turn. Any axes, any unit: `retarget` finds out."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """Parents come before children; a root's is -1."""
    rest: Float[ndarray, "j 3"]
    """World positions in the pose that all rotations are relative to."""
    times: Float[ndarray, "k"]
    """Seconds, from zero, rising."""
    turns: Float[ndarray, "k j 3 3"]
    """World rotation of each joint, relative to ``rest``."""
    root: Float[ndarray, "k 3"]
    """World position of the first joint."""
    ends: Mapping[int, Float[ndarray, "3"]] = field(default_factory=dict)
    """Where bones without children end at rest, by joint."""
    expressions: Mapping[str, Float[ndarray, "k"]] = field(default_factory=dict)
    """ARKit weights."""

    def points(self) -> Float[ndarray, "k j 3"]:
        """World positions of the joints over time."""
        out = np.empty((len(self.times), len(self.names), 3))
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                out[:, joint] = self.root + (self.rest[joint] - self.rest[0])
            else:
                out[:, joint] = out[:, parent] + self.turns[:, parent] @ (self.rest[joint] - self.rest[parent])
        return out


def checked(source: Source, name: str) -> Source:
    """The source, if it can be used.

    Raises:
        UserError: It has no frames or joints, is too large, or holds what is no number.
    """
    joints, frames = len(source.names), len(source.times)
    if not joints or not frames:
        raise UserError(f"{name} holds no motion: {joints} joints and {frames} frames. Choose another file.")
    limit(name, joints, frames)
    numbers = (source.rest, source.times, source.turns, source.root, *source.ends.values())
    numbers += tuple(source.expressions.values())
    if not all(np.isfinite(values).all() for values in numbers):
        raise UserError(f"{name} is damaged: it holds values that are not finite numbers. Export the motion again.")
    if max(np.abs(source.rest).max(), np.abs(source.root).max()) > 1e9:
        raise UserError(f"{name} is damaged: a joint lies {np.abs(source.root).max():.0e} units away.")
    return source


def limit(name: str, joints: int, frames: int) -> None:
    """Refuses what would not fit.

    Raises:
        UserError: Too many joints or frames.
    """
    if joints > MOST_JOINTS or frames > MOST_FRAMES or joints * frames * 9 > MOST_VALUES:
        raise UserError(
            f"{name} is too long: {frames} frames of {joints} joints. bozzetto takes up to {MOST_FRAMES} frames, and "
            f"{MOST_VALUES // 9} rotations in all. Cut it, or resample it to 30 frames a second."
        )
