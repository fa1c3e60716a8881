"""A photo's light, from what its person's colours are thought to be: so that pixels become colours of a texture.

What distant lamps do to a surface without shine is, to one part in a hundred, nine numbers: spherical harmonics of the
surface's normal up to the second order (Ramamoorthi & Hanrahan 2001, "An efficient representation for irradiance
environment maps", Eq. 10). Departures: all channels share them but for one tint; shadows that parts cast on each other
stay in the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

_ROUNDS = 6
_RIDGE = 0.02
"""How strongly the light is held to the same from everywhere; a share of the evidence."""
_GAIN = 0.7
"""By how much the colour of a part may be wrong, as a natural logarithm."""
_DARKEST, _BRIGHTEST = 0.35, 2.0
"""Of the light in the middle."""
_LEAST, _MOST = 500, 40_000
"""Pixels to learn a light from, and of how many at most."""
_MANY, _OFF = 1000, 0.1
"""Pixels of a part that say half of what any number of them would, which is within a tenth at best."""
_TRUST, _THOUGHT, _APART = 0.05, 1.0, 0.15
"""How far, as a natural logarithm: the trusted part's colour may be wrong; any other's; pictures may be apart."""
_MORE = 3.0
"""How many times more the trusted part counts than another."""


@dataclass(frozen=True, eq=False)
class Light:
    """What makes the colours of a picture's parts look as they are seen."""

    harmonics: Float[ndarray, "9 3"]
    """Of each of nine harmonics, by channel."""
    off: Mapping[int, Float[ndarray, "3"]]
    """By part: the natural logarithm of what is seen over what the part's colour would look like in this light."""
    weight: Mapping[int, float]
    """By part: one over the square of how far that may be wrong."""

    def brighter(self, by: Float[ndarray, "3"]) -> "Light":
        """The same from everywhere ``exp(by)`` times as strong."""
        off = {part: each - by for part, each in self.off.items()}
        return Light(self.harmonics * np.exp(by), off, self.weight)


def light_of(
    seen: Float[ndarray, "n 3"],
    albedo: Float[ndarray, "n 3"],
    normal: Float[ndarray, "n 3"],
    part: Int[ndarray, "n"],
) -> Light:
    """The light that makes colours look as they are seen, as strong as all parts together say.

    The colours may be wrong by a factor for each part: only what changes within parts tells where light comes from.

    Args:
        seen: Linear.
        albedo: What the colours are thought to be, linear.
        normal: Of unit length.
        part: Which pixels are of one material.
    """
    basis, (names, place) = harmonics(normal), np.unique(part, return_inverse=True)
    counts = np.bincount(place)
    gain, weight = np.ones((len(names), 3)), np.ones(len(seen))
    light, off, ratio = np.zeros((9, 3)), np.zeros((len(names), 3)), np.zeros_like(seen)
    for _ in range(_ROUNDS):
        known = albedo * gain[place]
        grey = known.mean(1)
        rows = basis * (grey * weight)[:, None]
        squares = rows.T @ (basis * grey[:, None])
        held = np.diag(np.r_[0.0, np.full(8, _RIDGE * squares[0, 0] + 1e-9)])
        shape = np.linalg.solve(squares + held, rows.T @ seen.mean(1))
        even = np.maximum(basis @ shape, 1e-3)[:, None] * known
        tint = (weight[:, None] * even * seen).sum(0) / ((weight[:, None] * even**2).sum(0) + 1e-12)
        light = shape[:, None] * tint
        shade = np.maximum(basis @ light, 1e-3)
        far = np.abs(seen - known * shade).mean(1)
        weight = 1 / (1 + (far / (2 * np.median(far) + 1e-6)) ** 2)
        ratio = np.log((seen + 0.01) / (albedo * shade + 0.01))
        off = np.stack([np.median(ratio[place == each], 0) for each in range(len(names))])
        gain = np.exp(np.clip(off - counts @ off / len(seen), -_GAIN, _GAIN))
    right = counts @ off / len(seen)
    spread = [np.median(np.abs(ratio[place == each] - off[each])) for each in range(len(names))]
    sure = counts / (counts + _MANY) / (_OFF**2 + (np.array(spread) / 2) ** 2)
    return Light(
        light, dict(zip(names.tolist(), off, strict=True)), dict(zip(names.tolist(), sure.tolist(), strict=True))
    ).brighter(right)


def agreed(lights: Sequence[Light], trusted: int | None = None) -> list[Light]:
    """Lights as strong as lets all parts of a person have one colour in all pictures, which is near to what is thought.

    Least squares over the logarithms of lights and colours, where what does not agree with the others counts less
    (Cauchy), the trusted part aside.

    Args:
        lights: Of pictures of one person whose parts have the same names.
        trusted: The part whose colour is right.
    """
    if not lights:
        return []
    parts = sorted({part for light in lights for part in light.off})
    pairs = [(row, parts.index(part), part) for row, light in enumerate(lights) for part in light.off]
    matrix = np.zeros((len(pairs) + len(parts), len(lights) + len(parts)))
    for row, (picture, column, _) in enumerate(pairs):
        matrix[row, [picture, len(lights) + column]] = 1
    matrix[len(pairs) :, len(lights) :] = np.eye(len(parts))
    said = np.zeros((len(matrix), 3))
    said[: len(pairs)] = [lights[picture].off[part] for picture, _, part in pairs]
    sure = np.array([part == trusted for _, _, part in pairs])
    own = np.array([lights[picture].weight[part] for picture, _, part in pairs]) * np.where(sure, _MORE, 1.0)
    near = np.array([_TRUST if part == trusted else _THOUGHT for part in parts]) ** -2.0
    found, weight = np.zeros((matrix.shape[1], 3)), own
    for _ in range(4 * _ROUNDS):
        root = np.sqrt(np.r_[weight, near])[:, None]
        found = np.linalg.lstsq(matrix * root, said * root, rcond=None)[0]
        apart = np.abs(said - matrix @ found)[: len(pairs)].max(1)
        weight = np.where(sure, own, own / (1 + (apart / _APART) ** 2))
    return [light.brighter(by) for light, by in zip(lights, found[: len(lights)], strict=True)]


def harmonics(normal: Float[ndarray, "n 3"]) -> Float[ndarray, "n 9"]:
    """Spherical harmonics up to the second order, without their constant factors."""
    x, y, z = normal.T
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, z * x, 3 * z * z - 1, x * x - y * y], 1)


def light_in(
    picture: Float[ndarray, "h w 3"],
    albedo: Float[ndarray, "h w 3"],
    normal: Float[ndarray, "h w 3"],
    part: Int[ndarray, "h w"],
    sure: Bool[ndarray, "h w"],
) -> Light | None:
    """``light_of`` a picture; None where too little is sure.

    Args:
        picture: Linear.
        albedo: What the colours are thought to be, linear.
        normal: Of unit length; zero where nothing is.
        part: Which pixels are of one material.
        sure: Where picture and model show the same place.
    """
    rows = np.flatnonzero(sure)
    if len(rows) < _LEAST:
        return None
    rows = rows[:: -(-len(rows) // _MOST)]
    seen, known, facing = (each.reshape(-1, 3)[rows].astype(np.float64) for each in (picture, albedo, normal))
    return light_of(seen, known, facing, part.ravel()[rows])


def without_light(
    picture: Float[ndarray, "h w 3"], normal: Float[ndarray, "h w 3"], sure: Bool[ndarray, "h w"], light: Light
) -> Float[ndarray, "h w 3"]:
    """A linear picture divided by its light: see ``light_in``."""
    facing = harmonics(normal.reshape(-1, 3).astype(np.float64))
    shade = (facing @ light.harmonics).reshape(picture.shape)
    middle = np.maximum(np.median(shade[sure], 0), 1e-3)
    there = np.abs(normal).sum(-1, keepdims=True) > 0
    return picture / np.where(there, np.clip(shade, _DARKEST * middle, _BRIGHTEST * middle), middle)
