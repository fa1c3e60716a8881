"""A photo's light, from what its person's colours are thought to be: so that pixels become colours of a texture.

What distant lamps do to a surface without shine is, to one part in a hundred, nine numbers: spherical harmonics of the
surface's normal up to the second order (Ramamoorthi & Hanrahan 2001, "An efficient representation for irradiance
environment maps", Eq. 10). Departures: all channels share them but for one tint; shadows that parts cast on each other
stay in the picture.
"""

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


def light_of(
    seen: Float[ndarray, "n 3"],
    albedo: Float[ndarray, "n 3"],
    normal: Float[ndarray, "n 3"],
    part: Int[ndarray, "n"],
    trusted: int | None = None,
) -> Float[ndarray, "9 3"]:
    """The light that makes colours look as they are seen: of each of nine harmonics, by channel.

    The colours may be wrong by a factor for each part: only what changes within parts tells where light comes from, and
    all parts together how strong it is.

    Args:
        seen: Linear.
        albedo: What the colours are thought to be, linear.
        normal: Of unit length.
        part: Which pixels are of one material.
        trusted: The part whose colour is right; without it, or where there is too little of it, all together are.
    """
    basis, (names, place) = harmonics(normal), np.unique(part, return_inverse=True)
    counts = np.bincount(place)
    gain, weight = np.ones((len(names), 3)), np.ones(len(seen))
    light = np.zeros((9, 3))
    surest, right = counts / counts.sum(), np.zeros(3)
    if trusted is not None and counts[names == trusted].sum() >= _LEAST // 2:
        surest = (names == trusted).astype(float)
    for _ in range(_ROUNDS):
        known = albedo * gain[place]
        grey = known.mean(1)
        rows = basis * (grey * weight)[:, None]
        squares = rows.T @ (basis * grey[:, None])
        held = np.diag(np.r_[0.0, np.full(8, _RIDGE * squares[0, 0] + 1e-9)])
        shape = np.linalg.solve(squares + held, rows.T @ seen.mean(1))
        even = np.maximum(basis @ shape, 1e-3)[:, None] * known
        tint = (weight[:, None] * even * seen).sum(0) / (weight[:, None] * even**2).sum(0)
        light = shape[:, None] * tint
        shade = np.maximum(basis @ light, 1e-3)
        off = np.abs(seen - known * shade).mean(1)
        weight = 1 / (1 + (off / (2 * np.median(off) + 1e-6)) ** 2)
        ratio = np.log((seen + 0.01) / (albedo * shade + 0.01))
        gain = np.stack([np.median(ratio[place == each], 0) for each in range(len(names))])
        right = surest @ gain
        gain = np.exp(np.clip(gain - right, -_GAIN, _GAIN))
    return light * np.exp(right)


def harmonics(normal: Float[ndarray, "n 3"]) -> Float[ndarray, "n 9"]:
    """Spherical harmonics up to the second order, without their constant factors."""
    x, y, z = normal.T
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, z * x, 3 * z * z - 1, x * x - y * y], 1)


def without_light(
    picture: Float[ndarray, "h w 3"],
    albedo: Float[ndarray, "h w 3"],
    normal: Float[ndarray, "h w 3"],
    part: Int[ndarray, "h w"],
    sure: Bool[ndarray, "h w"],
    trusted: int | None = None,
) -> Float[ndarray, "h w 3"]:
    """The picture divided by its light, linear; as it is where too little is sure.

    Args:
        picture: Linear.
        albedo: What the colours are thought to be, linear.
        normal: Of unit length; zero where nothing is.
        part: Which pixels are of one material.
        sure: Where picture and model show the same place.
        trusted: See ``light_of``.
    """
    rows = np.flatnonzero(sure)
    if len(rows) < _LEAST:
        return picture
    rows = rows[:: -(-len(rows) // _MOST)]
    seen, known, facing = (each.reshape(-1, 3)[rows].astype(np.float64) for each in (picture, albedo, normal))
    light = light_of(seen, known, facing, part.ravel()[rows], trusted)
    middle = np.maximum(np.median(harmonics(facing) @ light, 0), 1e-3)
    shade = (harmonics(normal.reshape(-1, 3).astype(np.float64)) @ light).reshape(picture.shape)
    there = np.abs(normal).sum(-1, keepdims=True) > 0
    return picture / np.where(there, np.clip(shade, _DARKEST * middle, _BRIGHTEST * middle), middle)
