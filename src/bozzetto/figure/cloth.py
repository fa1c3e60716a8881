"""Fabric: pattern sheets true to scale, folds, weave and sewing as textures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.spatial import cKDTree

from bozzetto.figure.grain import Grain
from bozzetto.figure.shells import (
    ANKLE,
    BACK,
    CROTCH,
    FRONT,
    KNEE,
    LEG_LEFT,
    LEG_RIGHT,
    LOWER_ARM,
    SLEEVE,
    UPPER_ARM,
    smooth_step,
)
from bozzetto.figure.spec import Garment
from bozzetto.kernels import fast_kernel
from bozzetto.types import Material

Weave: TypeAlias = Literal["jersey", "poplin", "denim", "twill", "knit", "wool", "leather", "smooth"]

_HALF = {FRONT: 0.262, BACK: 0.262, SLEEVE: 0.185, LEG_LEFT: 0.285, LEG_RIGHT: 0.285}
"""Half the width of each pattern piece on the mean person, with a margin."""
_ROUGHNESS: Mapping[str, float] = {
    "jersey": 0.92, "poplin": 0.86, "denim": 0.9, "twill": 0.88, "knit": 0.96, "wool": 0.96, "leather": 0.54,
    "smooth": 0.72,
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """Where a garment's pattern pieces lie in its texture. Hashable, so that drawings of it are kept."""

    size: int
    """Pixels a side."""
    metres: float
    """Cloth a side, on the mean person."""
    places: tuple[tuple[int, float, float, float, float], ...]
    """Of each panel: its number, left and top edge in the sheet, highest and lowest pattern height; metres."""

    def uv(self, coordinates: Float[ndarray, "f 3 2"], panels: Int[ndarray, "f"]) -> Float[ndarray, "f 3 2"]:
        """Texture coordinates of pattern coordinates."""
        out = np.zeros_like(coordinates)
        for panel, left, top, high, _ in self.places:
            chosen = panels == panel
            out[chosen, :, 0] = left + _HALF[panel] + coordinates[chosen, :, 0]
            out[chosen, :, 1] = top + high - coordinates[chosen, :, 1]
        return out / self.metres

    def swatch(self, index: int, faces: int) -> Float[ndarray, "f 3 2"]:
        """Texture coordinates inside one of four small plain patches: for buttons, cords and pulls."""
        return np.full((faces, 3, 2), [(index + 0.5) * 0.02, 0.99])

    def window(
        self, place: tuple[int, float, float, float, float]
    ) -> tuple[slice, slice, Float[ndarray, "w"], Float[ndarray, "h"]]:
        """The pixels of a place and their pattern coordinates across and up."""
        panel, left, top, high, low = place
        pixels = self.size / self.metres
        x0, x1 = int(left * pixels), int(min(np.ceil((left + 2 * _HALF[panel]) * pixels), self.size))
        y0, y1 = int(top * pixels), int(min(np.ceil((top + high - low) * pixels), self.size))
        u = (np.arange(x0, x1) + 0.5) / pixels - left - _HALF[panel]
        v = high + top - (np.arange(y0, y1) + 0.5) / pixels
        return slice(y0, y1), slice(x0, x1), u, v


def body_sheet(size: int, hem: float, sleeves: bool) -> Sheet:
    """Front and back side by side, the sleeve (both share it) below or beside them, whichever is larger in scale."""
    high, width = 0.58, 2 * _HALF[FRONT]
    tall = high - hem + 0.02
    places = [(FRONT, 0.0, 0.0, high, hem - 0.02), (BACK, width, 0.0, high, hem - 0.02)]
    if not sleeves:
        return Sheet(size, round(max(2 * width, tall) / 0.975, 4), tuple(places))
    length = UPPER_ARM + LOWER_ARM + 0.10
    below = max(2 * width, tall + length)
    beside = max(2 * width + 2 * _HALF[SLEEVE], tall)
    at = (0.0, tall) if below < beside else (2 * width, 0.0)
    return Sheet(size, round(min(below, beside) / 0.975, 4), (*places, (SLEEVE, *at, 0.08, 0.08 - length)))


def leg_sheet(size: int, hem: float) -> Sheet:
    """Left and right leg side by side, each from waist to hem."""
    width, high = 2 * _HALF[LEG_LEFT], 0.22
    tall = high - hem + 0.03
    places = ((LEG_LEFT, 0.0, 0.0, high, hem - 0.03), (LEG_RIGHT, width, 0.0, high, hem - 0.03))
    return Sheet(size, round(max(2 * width, tall) / 0.975, 4), places)


@dataclass(frozen=True)
class Make:
    """How a cloth is made up, apart from its colours. Hashable."""

    weave: Weave = "jersey"
    wrinkles: float = 1.0
    """Strength of folds; zero is taut."""
    hems: tuple[float, ...] = ()
    """Heights of stitched lines round body or legs, on the mean person."""
    cuffs: tuple[float, ...] = ()
    """Stitched lines round the sleeve, metres along the arm."""
    ribs: tuple[tuple[float, float], ...] = ()
    """Ribbed bands by height, lowest and highest."""
    sleeve_ribs: tuple[float, float] | None = None
    """Ribbed band along the sleeve."""
    jeans: bool = False
    """Fly, pockets and double seams."""
    lap: float | None = None
    """Across the front, where one side of a wrapped garment ends over the other."""
    pouch: float | None = None
    """Height from which a pocket for both hands lies on the front."""
    variant: int = 0


@dataclass(frozen=True, eq=False)
class Drawing:
    """What does not depend on colour."""

    shade: Float[ndarray, "h w"]
    """Multiplies the albedo; its mean over the cloth is one."""
    fade: Float[ndarray, "h w"] | None
    """How far worn denim has gone towards white."""
    normal: UInt8[ndarray, "h w 3"] | None
    thread: UInt8[ndarray, "h w"]
    """``THREAD`` where stitching shows, ``METAL``, ``PATCH`` of leather; ``RIB`` where ribs replace the weave."""


THREAD, METAL, PATCH, RIB = 1, 2, 3, 4


@cache
def draw(sheet: Sheet, make: Make, relief: bool) -> Drawing:
    """Folds, weave and stitching on a sheet. Folds are wide, so they are drawn at half the sheet's size."""
    size, half = sheet.size, sheet.size // 2
    coarse = Sheet(half, sheet.metres, sheet.places)
    folds = np.zeros((half, half), np.float32)
    lines, tone = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    thread = np.zeros((size, size), np.uint8)
    fade = np.zeros((size, size), np.float32) if make.weave == "denim" else None
    for place in sheet.places:
        rows, columns, u, v = coarse.window(place)
        folds[rows, columns] = _folds(place[0], place[4], u, v, make, sheet.metres / half)
        rows, columns, u, v = sheet.window(place)
        tailor = _Tailor(
            place[0], u, v, sheet.metres / size, lines[rows, columns], tone[rows, columns], thread[rows, columns]
        )
        if relief:
            _sew(tailor, make)
        if fade is not None and place[0] in (LEG_LEFT, LEG_RIGHT):
            fade[rows, columns] = _worn(u, v)
    tile = _weave(make.weave) if relief else np.zeros((1, 1, 3), np.float32)
    shade = np.empty((size, size), np.float32)
    normal = np.empty((size, size, 3) if relief else (0, 0, 3), np.uint8)
    high, across, down = np.zeros((3, len(folds)), np.float32)
    _finish(folds, lines, tone, thread, tile, np.float32(sheet.metres / size), high, across, down, shade, normal)
    if fade is not None:
        fade *= np.clip(1 + 4 * (shade - 1), 0.3, 1.8)
    for place in sheet.places:
        rows, columns, _, _ = sheet.window(place)
        shade[rows, columns] /= shade[rows, columns].mean()
    return Drawing(shade, fade, normal if relief else None, thread)


# --- folds ---

_STIFF: Mapping[str, tuple[float, float, float]] = {
    "jersey": (0.9, 1.0, 1.2), "poplin": (1.1, 0.95, 1.5), "denim": (1.1, 1.0, 1.3), "twill": (0.95, 1.1, 1.2),
    "knit": (0.9, 1.5, 0.9), "wool": (1.0, 1.5, 1.1), "leather": (1.2, 0.95, 1.6), "smooth": (1.0, 1.25, 1.1),
}  # fmt: skip
"""Of a weave: height of folds, distance between them, sharpness of their ridges."""


@dataclass(frozen=True, eq=False)
class _Crumple:
    """Wave packets that make up the folds of one pattern piece: where, along what, how far apart, how high."""

    rng: np.random.Generator
    apart: float
    packets: list[Float[ndarray, "n 7"]]
    """Across, up, direction of the ridge, wavelength, height, length of the packet over its width, phase."""

    def heap(
        self, count: int, u: float, v: float, ru: float, rv: float, angle: float, spread: float, wave: float,
        height: float, length: float = 1.6,
    ) -> None:  # fmt: skip
        """Cloth pushed together about a point: ridges side by side along a direction."""
        rng = self.rng
        at = rng.uniform(-1, 1, (count, 2)) * [ru, rv]
        waves = self.apart * wave * rng.uniform(0.8, 1.3, count)
        overlap = count * length * 0.4 * wave * wave / (4 * (ru + 0.4 * wave) * (rv + 0.4 * wave))
        heights = np.full(count, height / np.sqrt(max(overlap, 1.0))) * rng.uniform(0.5, 1.3, count)
        angles = angle + spread * rng.standard_normal(count)
        # One wave train, loosely: packets that agree make long folds, and where they do not, folds fork.
        turn = 2 * np.pi / (self.apart * wave) * (at[:, 1] * np.cos(angle) - at[:, 0] * np.sin(angle))
        phase = turn + rng.uniform(0, 2 * np.pi) + 0.7 * rng.standard_normal(count)
        self._add(u + at[:, 0], v + at[:, 1], angles, waves, heights, length, phase)

    def pull(
        self, count: int, u: float, v: float, reach: float, angles: tuple[float, float], wave: float, height: float
    ) -> None:
        """Cloth drawn taut from a point: ridges that run out from it and widen."""
        rng = self.rng
        angle = rng.uniform(*angles, count)
        far = reach * rng.uniform(0.12, 1.0, count)
        waves = self.apart * wave * (0.55 + 0.6 * far / reach)
        heights = height * rng.uniform(0.5, 1.2, count) * (1.15 - 0.75 * far / reach)
        phase = rng.uniform(0, 2 * np.pi, count)
        self._add(u + far * np.cos(angle), v + far * np.sin(angle), angle, waves, heights, 2.6, phase)

    def _add(self, *columns: Float[ndarray, "n"] | float) -> None:
        self.packets.append(np.stack(np.broadcast_arrays(*columns), 1).astype(np.float64))


def _folds(
    panel: int, low: float, u: Float[ndarray, "w"], v: Float[ndarray, "h"], make: Make, pixel: float
) -> Float[ndarray, "h w"]:
    """Height of the folds of one pattern piece, metres."""
    tall, apart, sharp = _STIFF[make.weave]
    out = np.zeros((len(v), len(u)), np.float32)
    if make.wrinkles == 0:
        return out
    for which, layer in enumerate((_broad, _fine)):
        # Front and back are one tube, so folds run on across the side seams.
        seed = panel if panel in (SLEEVE, LEG_LEFT, LEG_RIGHT) else 0
        crumple = _Crumple(np.random.default_rng([make.variant, seed, which]), apart, [])
        layer(crumple, panel, low, make)
        packets = np.concatenate(crumple.packets)
        packets[:, 4] *= tall * make.wrinkles
        turn = {SLEEVE: 0.11 * np.pi, LEG_LEFT: 0.17 * np.pi, LEG_RIGHT: 0.17 * np.pi}.get(panel, _ROUND)
        if panel == BACK:
            packets[:, 0], packets[:, 2], packets[:, 6] = (
                _ROUND / 2 - packets[:, 0],
                np.pi - packets[:, 2],
                -packets[:, 6],
            )
        packets[:, 0] = (packets[:, 0] + turn / 2) % turn - turn / 2
        field = np.zeros((len(v), len(u), 2), np.float32)
        for shift in (-turn, 0.0, turn):
            near = np.abs(packets[:, 0] + shift) < _HALF[panel] + 0.15
            _packets(field, float(u[0]), float(v[0]), pixel, packets[near] + [shift, 0, 0, 0, 0, 0, 0])
        _ridges(field, sharp if which else 1.0, out)
    return out


_ROUND = 0.31 * np.pi
"""Round the torso in pattern coordinates."""


def _broad(c: _Crumple, panel: int, low: float, make: Make) -> None:
    """The slack of a garment: wide, soft, slanting from where it hangs."""
    up = np.pi / 2
    if panel in (FRONT, BACK):
        for side in (1, -1):
            c.heap(5, 0.11 * side, 0.24, 0.05, 0.07, up + 0.55 * side, 0.25, 0.075, 0.0035, 2.2)
            c.heap(5, 0.37 * side, 0.26, 0.05, 0.08, up - 0.5 * side, 0.25, 0.075, 0.004, 2.2)
            c.heap(6, 0.24 * side, 0.16, 0.06, 0.08, -0.5 * side, 0.3, 0.065, 0.006, 1.8)
        c.heap(12, 0.0, 0.07, 0.487, 0.05, up, 0.45, 0.07, 0.004)
        if low < -0.1:  # what hangs below the waist falls in long folds
            c.heap(int(-low * 90), 0.0, low / 2, 0.487, 0.03 - low / 2, up, 0.05, 0.06, 0.012, 6.0)
    elif panel == SLEEVE:
        c.heap(10, 0.0, -0.13, 0.17, 0.09, 0.75, 0.35, 0.06, 0.005)
        c.heap(10, 0.0, -0.35, 0.17, 0.09, -0.6, 0.35, 0.055, 0.005)
    else:
        c.heap(9, 0.0, -0.2, 0.26, 0.10, up, 0.4, 0.075, 0.0042, 2.2)
        c.heap(8, 0.0, KNEE, 0.26, 0.08, 0.3, 0.5, 0.065, 0.005)
        c.heap(9, 0.0, -0.56, 0.26, 0.10, up - 0.5, 0.5, 0.065, 0.0045, 2.0)


def _fine(c: _Crumple, panel: int, low: float, make: Make) -> None:
    """Where bodies bend cloth or pull at it. Torso: across from the middle of the front round to that of the back."""
    pi = np.pi
    if panel in (FRONT, BACK):
        for s in (1, -1):
            inward = (0.92 * pi, 1.36 * pi) if s > 0 else (-0.36 * pi, 0.08 * pi)
            outward = (-0.40 * pi, 0.05 * pi) if s > 0 else (0.95 * pi, 1.40 * pi)
            c.pull(12, 0.205 * s, 0.345, 0.15, inward, 0.026, 0.0042)
            c.pull(12, 0.290 * s, 0.345, 0.15, outward, 0.026, 0.0042)
            c.heap(12, 0.2435 * s, 0.15, 0.06, 0.045, -0.22 * s, 0.25, 0.028, 0.0042, 2.2)
            c.heap(8, 0.12 * s, 0.12, 0.06, 0.03, 0.30 * s, 0.25, 0.030, 0.0030, 2.2)
        c.heap(14, 0.487, 0.165, 0.10, 0.035, 0.0, 0.22, 0.030, 0.0042, 2.4)
        c.heap(10, 0.0, 0.07, 0.15, 0.03, 0.0, 0.35, 0.034, 0.0024)
        c.heap(16, 0.0, 0.03, 0.487, 0.03, pi / 2, 0.3, 0.045, 0.0030)
    elif panel == SLEEVE:
        end = -(UPPER_ARM + LOWER_ARM)
        c.pull(9, 0.150, -0.045, 0.11, (0.98 * pi, 1.40 * pi), 0.026, 0.0040)
        c.pull(9, -0.150, -0.045, 0.11, (-0.40 * pi, 0.02 * pi), 0.026, 0.0040)
        c.heap(12, 0.0, -0.15, 0.17, 0.05, 0.45, 0.3, 0.030, 0.0028)
        c.heap(22, 0.075, -UPPER_ARM, 0.07, 0.03, 0.0, 0.28, 0.023, 0.0055, 2.0)
        c.heap(12, -0.09, -UPPER_ARM - 0.01, 0.07, 0.05, 0.0, 0.5, 0.032, 0.0032, 2.0)
        c.heap(14, 0.0, (end - UPPER_ARM) / 2, 0.17, 0.05, -0.4, 0.3, 0.028, 0.0032)
        cuff = 0.085 if make.sleeve_ribs else 0.065
        c.heap(30, 0.0, end + cuff, 0.17, 0.030, 0.0, 0.22, 0.021, 0.0046, 2.0)
    else:
        # The front of either leg is at minus a quarter turn, its inner seam at half a turn.
        quarter = 0.0425 * pi
        c.pull(13, -0.195, CROTCH + 0.015, 0.15, (-0.1, 0.75), 0.022, 0.0046)
        c.pull(8, -0.215, CROTCH - 0.005, 0.13, (-1.0, -0.2), 0.030, 0.0034)
        c.pull(11, 0.205, CROTCH - 0.005, 0.16, (0.78 * pi, 1.13 * pi), 0.028, 0.0046)
        c.heap(9, 0.14, -0.125, 0.06, 0.025, pi - 0.22, 0.2, 0.032, 0.0034, 2.2)
        c.heap(24, quarter, KNEE, 0.08, 0.035, 0.0, 0.22, 0.024, 0.0055, 2.0)
        c.heap(14, -quarter, KNEE - 0.055, 0.09, 0.03, 0.0, 0.4, 0.032, 0.0034, 2.0)
        c.heap(8, -quarter, KNEE + 0.07, 0.09, 0.03, 0.0, 0.4, 0.036, 0.0024, 2.0)
        c.heap(44, 0.0, ANKLE + 0.055, 0.267, 0.040, 0.0, 0.22, 0.025, 0.0060, 2.2)


def _packets(
    field: Float[ndarray, "h w 2"], u0: float, v0: float, pixel: float, packets: Float[ndarray, "k 7"]
) -> None:
    """Adds plane waves under oriented Gaussians, complex, so that neighbours join or fork as folds do.

    Source: the sparse oscillations of phasor noise, Tricard et al. 2019.
    """
    x, y, angle, wave, height, length, phase = packets.T
    c, s = np.cos(angle), np.sin(angle)
    across, along = 0.55 * wave, 0.55 * wave * length
    a = 0.5 * (c * c / along**2 + s * s / across**2)
    b = 0.5 * c * s * (1 / along**2 - 1 / across**2)
    d = 0.5 * (s * s / along**2 + c * c / across**2)
    rx, ry = 3.0 * np.sqrt(np.stack([d, a]) / (a * d - b * b) / 2)
    places = np.stack([x - rx - u0, x + rx - u0, v0 - y - ry, v0 - y + ry]) / pixel
    boxes = np.maximum(places.astype(int) + np.array([0, 1, 0, 1])[:, None], 0)
    boxes = np.minimum(boxes, np.array([[field.shape[1]], [field.shape[0]]])[[0, 0, 1, 1]])
    kx, ky = -s * 2 * np.pi / wave, c * 2 * np.pi / wave
    waves = np.stack([u0 - x, v0 - y, a, b, d, kx, ky, phase, height, np.exp(-2 * a * pixel * pixel)])
    _add_waves(field, pixel, np.ascontiguousarray(boxes.T), np.ascontiguousarray(waves.T))


@fast_kernel
def _add_waves(field, pixel, boxes, waves):
    for n in range(len(boxes)):
        x, y, a, b, d = waves[n, 0], waves[n, 1], waves[n, 2], waves[n, 3], waves[n, 4]
        kx, ky, phase, height, second = waves[n, 5], waves[n, 6], waves[n, 7], waves[n, 8], waves[n, 9]
        if boxes[n, 0] >= boxes[n, 1]:
            continue
        dx = x + boxes[n, 0] * pixel
        tx, ty = np.cos(kx * pixel), np.sin(kx * pixel)
        for i in range(boxes[n, 2], boxes[n, 3]):
            dy = y - i * pixel
            size = height * np.exp(-(a * dx * dx + 2 * b * dx * dy + d * dy * dy))
            angle = kx * dx + ky * dy + phase
            re, im = size * np.cos(angle), size * np.sin(angle)
            ratio = np.exp(-(2 * a * dx * pixel + a * pixel * pixel + 2 * b * dy * pixel))
            tr, ti = ratio * tx, ratio * ty
            for j in range(boxes[n, 0], boxes[n, 1]):
                field[i, j, 0] += re
                field[i, j, 1] += im
                re, im = re * tr - im * ti, re * ti + im * tr
                tr *= second
                ti *= second


@fast_kernel
def _ridges(field, sharp, out):
    """Adds the real heights of complex waves, in place: ridges narrower than valleys where sharp."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            re, im = field[i, j, 0], field[i, j, 1]
            size = np.sqrt(re * re + im * im)
            if sharp == 1:
                out[i, j] += 0.5 * re
            elif size > 1e-6:
                out[i, j] += size * ((0.5 + 0.5 * re / size) ** sharp - 0.45)


# --- sewing ---


@dataclass(frozen=True, eq=False)
class _Tailor:
    """One pattern piece under the needle: sewing changes its relief, tone and thread in place."""

    panel: int
    u: Float[ndarray, "w"]
    v: Float[ndarray, "h"]
    pixel: float
    relief: Float[ndarray, "h w"]
    tone: Float[ndarray, "h w"]
    thread: UInt8[ndarray, "h w"]

    def box(
        self, left: float, right: float, low: float, high: float
    ) -> tuple[tuple[slice, slice], Float[ndarray, "1 w"], Float[ndarray, "h 1"]]:
        """The pixels of a rectangle, and their coordinates."""
        columns = slice(*np.searchsorted(self.u, (left, right)))
        rows = slice(*np.searchsorted(-self.v, (-high, -low)))
        return (rows, columns), self.u[None, columns].astype(np.float32), self.v[rows, None].astype(np.float32)

    def groove(self, where: tuple[slice, slice], distance: ndarray, depth: float = 0.0008) -> None:
        """Cloth drawn in along a seam."""
        on = np.exp(-((distance / max(0.0013, 1.1 * self.pixel)) ** 2))
        self.relief[where] -= depth * on
        self.tone[where] -= 110 * depth * on

    def stitch(self, where: tuple[slice, slice], distance: ndarray, run: ndarray, limit: ndarray | bool = True) -> None:
        """A line of thread, sunk into the cloth."""
        near = np.abs(distance) < 0.004
        self.relief[where] -= np.where(near & limit, 0.0005 * np.exp(-((distance / 0.0018) ** 2)), 0)
        on = (np.abs(distance) < max(0.0006, 0.56 * self.pixel)) & ((run / max(0.0036, 3 * self.pixel)) % 1 < 0.67)
        self.thread[where][on & limit] = THREAD

    def step(self, where: tuple[slice, slice], inside: ndarray, amount: float = 0.0012) -> None:
        """A layer of cloth on top, where ``inside`` is positive: its edge stands up and casts a little shade."""
        edge = np.clip(inside / (1.5 * self.pixel) + 0.5, 0, 1) * np.exp(-np.maximum(inside, 0) / 0.012)
        self.relief[where] += amount * edge
        self.tone[where] -= 0.16 * np.exp(-((np.minimum(inside, 0) / 0.0022) ** 2)) * (inside < 0.0005)

    def rivet(self, x: float, y: float) -> None:
        """A metal disc."""
        where, column, row = self.box(x - 0.006, x + 0.006, y - 0.006, y + 0.006)
        r = np.hypot(column - x, row - y)
        self.relief[where] += 0.0012 * np.clip((0.0042 - r) / 0.0015, 0, 1)
        self.thread[where][r < 0.0040] = METAL


def _sew(t: _Tailor, make: Make) -> None:
    """Seams, hems, ribs and pockets of a pattern piece."""
    legs, whole = t.panel in (LEG_LEFT, LEG_RIGHT), (-0.3, 0.3)
    bands = [(-make.sleeve_ribs[1], -make.sleeve_ribs[0])] if t.panel == SLEEVE and make.sleeve_ribs else []
    for low, high in bands if t.panel == SLEEVE else make.ribs:
        where, column, row = t.box(*whole, low, high)
        wave = np.cos(2 * np.pi * column / max(0.0064, 4 * t.pixel)) + 0 * row
        t.relief[where] += 0.0010 * wave
        t.tone[where] += 0.06 * wave
        t.thread[where] = RIB
    if make.sleeve_ribs is None:
        for line in [-s for s in make.cuffs] if t.panel == SLEEVE else make.hems:
            where, column, row = t.box(*whole, line - 0.008, line + 0.006)
            t.groove(where, row - line - 0.0022 + 0 * column, 0.0005)
            for offset in (0.0, -0.0045):
                t.stitch(where, row - line - offset + 0 * column, column + 0 * row)
    else:
        for line in [-s for s in make.cuffs] if t.panel == SLEEVE else make.hems:
            where, column, row = t.box(*whole, line - 0.006, line + 0.006)
            t.groove(where, row - line + 0 * column, 0.0012)
    if t.panel in (FRONT, BACK):
        for side in (0.2435, -0.2435):
            where, column, row = t.box(side - 0.005, side + 0.005, -1.0, 0.34)
            t.groove(where, column - side + 0 * row)
    if t.panel == SLEEVE:
        for side in (0.055 * np.pi, -0.055 * np.pi):
            where, column, row = t.box(side - 0.005, side + 0.005, -1.0, 0.0)
            t.groove(where, column - side + 0 * row)
        where, column, row = t.box(*whole, -0.09, 0.03)
        at = np.interp(t.u, *_ARMHOLE).astype(np.float32)[None, :]
        t.groove(where, row - at, 0.0011)
        if make.weave in ("poplin", "denim", "twill", "leather"):
            t.stitch(where, row - at + 0.006, column + 0 * row)
    if make.pouch is not None and t.panel == FRONT:
        where, column, row = t.box(-0.14, 0.14, make.pouch, 0.16)
        inside = pouch(column, row)
        t.step(where, inside, 0.0016)
        t.stitch(where, inside - 0.005, column + row)
    if make.lap is not None and t.panel == FRONT:
        where, column, row = t.box(make.lap - 0.02, 0.27, -1.0, 0.13)
        t.step(where, make.lap + 0.10 * (0.13 - row) - column, 0.0016)
    if legs and make.weave in ("denim", "twill"):
        for offset in (0.0, 0.0055) if make.jeans else (0.0,):
            where, column, row = t.box(offset - 0.005, offset + 0.005, -1.0, 0.14)
            if offset == 0.0:
                t.groove(where, column + 0 * row, 0.0010)
            else:
                t.stitch(where, column - offset + 0 * row, row + 0 * column)
        (_jeans if make.jeans else _slacks)(t, make)


def pouch(u: Float[ndarray, "*#s"], v: Float[ndarray, "*#s"]) -> Float[ndarray, "*s"]:
    """Metres inside the outline of a pocket for both hands, at pattern coordinates of the front."""
    return np.minimum(0.122 - 0.06 * smooth_step((v - 0.06) / 0.08) - np.abs(u), 0.145 - v)


_ARMHOLE = (
    (-0.173, -0.152, -0.115, -0.104, -0.094, -0.053, 0.0, 0.053, 0.097, 0.115, 0.129, 0.149, 0.167, 0.173),
    (-0.066, -0.066, -0.035, -0.022, -0.014, 0.006, 0.007, 0.003, -0.005, -0.020, -0.035, -0.048, -0.057, -0.062),
)
"""The sleeve's top edge on the mean person: across, and up."""


def _middle(row: Float[ndarray, "h 1"], side: Literal["front", "back"]) -> Float[ndarray, "h 1"]:
    """Across to the middle of the front or the back of a leg's pattern piece."""
    if side == "front":
        return np.interp(row, (-0.062, -0.02, 0.03, 0.094), (-0.206, -0.190, -0.181, -0.177)).astype(np.float32)
    return np.interp(row, (-0.062, -0.03, 0.03, 0.123), (0.215, 0.200, 0.187, 0.199)).astype(np.float32)


def _slacks(t: _Tailor, make: Make) -> None:
    """Pressed creases, slanting side pockets, welts behind, a fly."""
    quarter = 0.0425 * np.pi
    if not make.hems:
        for at in (-quarter, quarter):
            where, column, row = t.box(at - 0.012, at + 0.012, -1.0, -0.02)
            ridge = np.exp(-np.abs(column - at) / 0.0035) * np.clip((-0.03 - row) / 0.08, 0, 1)
            t.relief[where] += 0.0022 * ridge
            t.tone[where] += 0.02 * ridge
    where, column, row = t.box(-0.11, 0.0, -0.03, 0.105)
    slant = (column + 0.020 + 0.42 * (row + 0.02)) * 0.92
    t.step(where, np.where(row > -0.022, -slant, -1), 0.0010)
    t.stitch(where, slant + 0.006, row + 0 * column, row > -0.022)
    where, column, row = t.box(0.06, 0.17, 0.03, 0.07)
    edge = np.maximum(np.abs(column - 0.112) - 0.042, np.abs(row - 0.052) - 0.004)
    t.step(where, -edge, 0.0008)
    t.groove(where, np.where(np.abs(column - 0.112) < 0.040, row - 0.052, 1.0), 0.0009)
    if t.panel == LEG_LEFT:
        _fly(t)


def _fly(t: _Tailor, lines: tuple[float, ...] = (0.030,)) -> None:
    """The stitching that runs down beside the middle and curves into it."""
    where, column, row = t.box(-0.24, -0.11, -0.045, 0.10)
    out = column - _middle(row, "front")
    for width in lines:
        run = np.clip((0.012 - row) / 0.045, 0, 1)
        bow = width * np.sqrt(np.clip(1 - run * run, 0, 1))
        t.stitch(where, np.where(run > 0.8, np.hypot(out - bow, 0) * 0.5, out - bow), row + 0.7 * out, row > -0.034)
    t.groove(where, out - 0.001, 0.0014)


def _jeans(t: _Tailor, make: Make) -> None:
    """Topstitched seams, scoop and patch pockets, yoke, fly, rivets and a patch."""
    for side in (-0.2625, 0.2625):
        where, column, row = t.box(side - 0.005, side + 0.005, -1.0, -0.06)
        t.stitch(where, column - side + 0 * row, row + 0 * column)
    for band in (0.0965, 0.1045, 0.1305):
        where, column, row = t.box(-0.25, 0.25, band - 0.005, band + 0.005)
        t.stitch(where, row - band + 0 * column, column + 0 * row)
    # The scoop: a quarter of an ellipse about where waistband and side seam meet.
    where, column, row = t.box(-0.125, -0.0005, -0.010, 0.100)
    reach = np.sqrt((column / 0.100) ** 2 + ((row - 0.100) / 0.095) ** 2)
    distance = (reach - 1) * 0.095
    t.step(where, distance, 0.0014)
    for offset in (0.003, 0.010):
        t.stitch(where, distance - offset, (column - row) * 0.75)
    for x, y in ((-0.108, 0.092), (-0.007, -0.001)):
        t.rivet(x, y)
    where, column, row = t.box(0.0, 0.20, 0.04, 0.10)  # the yoke
    yoke = row - 0.083 + 0.16 * column
    t.groove(where, yoke, 0.0010)
    for offset in (0.003, 0.010):
        t.stitch(where, yoke + offset, column + 0 * row)
    middle, top, wide, deep = 0.108, 0.050, 0.058, 0.120
    where, column, row = t.box(middle - 0.08, middle + 0.08, top - deep - 0.03, top + 0.01)
    x, down = np.abs(column - middle), top - row
    narrow = wide - 0.06 * down
    inside = np.minimum(np.minimum(narrow - x, down), (deep - 0.42 * x - down) * 0.92)
    t.step(where, inside, 0.0014)
    for inset in (0.003, 0.010):
        t.stitch(where, np.where(down > 0.014, inside - inset, 1), row + 0.8 * x, inside > 0)
    t.stitch(where, down - 0.012 + 0 * column, column + 0 * row, inside > 0)
    for offset in (0.0, 0.007):  # the bow across it
        bow = down - 0.048 - offset - 0.016 * np.abs(np.sin(x / wide * np.pi)) - 0.10 * (wide - x)
        t.stitch(where, bow, column + 0.5 * row, inside > 0.010)
    for side in (1, -1):
        t.rivet(middle + side * (wide - 0.006), top - 0.006)
    where, column, row = t.box(-0.215, -0.170, -0.06, 0.10)
    t.groove(where, column - _middle(row, "front"), 0.0012)
    where, column, row = t.box(0.165, 0.222, -0.06, 0.10)
    t.groove(where, column - _middle(row, "back"), 0.0012)
    for offset in (0.004, 0.010):
        t.stitch(where, column - _middle(row, "back") + offset, row + 0 * column)
    if t.panel == LEG_LEFT:
        _fly(t, (0.030, 0.037))
    else:
        where, column, row = t.box(0.085, 0.150, 0.103, 0.137)
        patch = np.maximum(np.abs(column - 0.118) - 0.027, np.abs(row - 0.1195) - 0.0135)
        t.thread[where][patch < 0] = PATCH
        t.step(where, -patch, 0.0010)


# --- weave ---


@cache
def _weave(weave: Weave) -> Float[ndarray, "t t 3"]:
    """A tile of a fabric, a pixel about a millimetre: slope across, slope down, tone."""
    size = 240
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)

    def noise(sigma: float | tuple[float, float]) -> Float[ndarray, "t t"]:
        out = ndimage.gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), sigma, mode="wrap")
        return out / out.std()

    height = np.zeros((size, size), np.float32)  # pixels
    if weave == "knit":  # columns of interlocking v's
        column = np.abs(x / 6 % 1 - 0.5)
        loop = np.cos(2 * np.pi * (y / 6 + column)) * np.cos(np.pi * column)
        valley = 0.5 - 0.5 * np.cos(2 * np.pi * column)
        height = 0.16 * loop - 0.38 * valley + 0.06 * noise(0.8)
        tone = 0.016 * loop - 0.045 * valley + 0.008 * noise(4.0)
    elif weave in ("denim", "twill"):
        strong = 1.0 if weave == "denim" else 0.5
        diagonal = np.cos(2 * np.pi * (x + y) / (4 if weave == "denim" else 3))
        height = strong * (0.04 * diagonal + 0.03 * noise(0.6))
        tone = strong * (0.018 * diagonal + 0.022 * noise((5.0, 0.5)) + 0.010 * noise((0.5, 3.0)) + 0.010 * noise(6.0))
    elif weave == "leather":  # pebbles with creases between
        points = rng.uniform(0, size, (3600, 2))
        near, _ = cKDTree(points, boxsize=size).query(np.stack([y, x], 2).reshape(-1, 2) % size, 2)
        crease = np.clip((near[:, 1] - near[:, 0]).reshape(size, size) / 1.8, 0, 1).astype(np.float32)
        height = 0.26 * crease + 0.10 * noise(2.0)
        tone = 0.04 * (crease - 0.8) + 0.012 * noise(5.0)
    elif weave == "wool":
        height = 0.06 * noise(0.7) + 0.03 * np.cos(2 * np.pi * (x + y) / 4)
        tone = 0.016 * noise(0.6) + 0.012 * noise((0.6, 2.0)) + 0.008 * noise(5.0)
    elif weave == "jersey":
        height = 0.035 * np.cos(2 * np.pi * x / 3) + 0.03 * noise((1.2, 0.4))
        tone = 0.008 * np.cos(2 * np.pi * x / 3) + 0.006 * noise((1.5, 0.5)) + 0.004 * noise(4.0)
    else:
        strong = 1.0 if weave == "poplin" else 0.4
        threads = noise((0.3, 1.5)) + noise((1.5, 0.3))
        height, tone = 0.025 * strong * threads, 0.005 * strong * threads
    across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2
    down = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / 2
    return np.stack([across, down, tone - tone.mean()], 2).astype(np.float32)


_STEEP = 0.5
"""The slope that folds come near to but not beyond."""


@fast_kernel
def _finish(folds, lines, tone, thread, tile, pixel, high, across, down, shade, normal):
    """Shade, and a normal map where there is room for one, of folds at half size, sewing and weave."""
    size, half, period = shade.shape[0], folds.shape[0], tile.shape[0]
    relief = normal.shape[0] > 0
    # Heights and slopes at the coarse pixels, then mixed: smooth, where slopes of mixed heights would show facets.
    per_coarse, per_fine = np.float32(0.25) / pixel, np.float32(0.5) / pixel
    for i in range(size):
        a = min(max((i - 1) // 2, 1), half - 3)
        f = np.float32(0.25) if i % 2 else np.float32(0.75)
        g = np.float32(1) - f
        for b in range(1, half - 1):
            high[b] = folds[a, b] * g + folds[a + 1, b] * f
            if relief:
                above = folds[a, b + 1] - folds[a, b - 1]
                below = folds[a + 1, b + 1] - folds[a + 1, b - 1]
                across[b] = (above * g + below * f) * per_coarse
                above, below = folds[a + 1, b] - folds[a - 1, b], folds[a + 2, b] - folds[a, b]
                down[b] = (above * g + below * f) * per_coarse
                # Where many folds happen to add up, none gets steep: it would look like a stain or a scratch.
                steep = (across[b] * across[b] + down[b] * down[b]) / np.float32(_STEEP * _STEEP)
                ease = np.float32(1) / np.sqrt(np.sqrt(np.float32(1) + steep * steep))
                across[b] *= ease
                down[b] *= ease
        up, low, row = max(i - 1, 0), min(i + 1, size - 1), i % period
        for j in range(size):
            b = max((j - 1) // 2, 0)
            f = np.float32(0.25) if j % 2 else np.float32(0.75)
            c = min(b + 1, half - 1)
            lift = (high[b] + (high[c] - high[b]) * f) * np.float32(200)
            depth = min(max(-lift, np.float32(0)), np.float32(1.2)) * np.float32(0.075)
            crest = min(max(lift, np.float32(0)), np.float32(1.2)) * np.float32(0.03)
            column = j % period
            woven = np.float32(0) if thread[i, j] == RIB else np.float32(1)
            value = np.float32(1) - depth + crest + tone[i, j] + woven * tile[row, column, 2]
            shade[i, j] = min(max(value, np.float32(0.55)), np.float32(1.3))
            if relief:
                left, right = max(j - 1, 0), min(j + 1, size - 1)
                gx = across[b] + (across[c] - across[b]) * f + woven * tile[row, column, 0]
                gy = down[b] + (down[c] - down[b]) * f + woven * tile[row, column, 1]
                gx += (lines[i, right] - lines[i, left]) * per_fine
                gy += (lines[low, j] - lines[up, j]) * per_fine
                scale = np.float32(127) / np.sqrt(gx * gx + gy * gy + np.float32(1))
                normal[i, j, 0] = np.uint8(np.float32(128.5) - gx * scale)
                normal[i, j, 1] = np.uint8(np.float32(128.5) + gy * scale)
                normal[i, j, 2] = np.uint8(np.float32(128.5) + scale)


@dataclass(frozen=True)
class Scale:
    """Of a person to the mean person, for patterns true to size."""

    across: float
    sleeve: float
    up: float


def pattern_share(
    garment: Garment,
    panel: int,
    u: Float[ndarray, "w"],
    v: Float[ndarray, "h"],
    scale: Scale,
    seed: int,
    blocks: Literal["sleeves", "yoke", "hem"] = "sleeves",
    laid: tuple[Float[ndarray, "h w"], Float[ndarray, "h w"]] | None = None,
) -> Float[ndarray, "#h #w"]:
    """How much of the second colour lies at each point of a pattern piece, 0 to 1.

    Args:
        blocks: Where a two-tone garment has its second colour.
        laid: Metres of cloth across and up at each point; those of flat cloth when None.
    """
    rng = np.random.default_rng([seed, 77])
    size = float(np.clip(scale.up, 0.6, 1.1)) ** 0.5
    x, y = (u[None, :].astype(np.float32), (v * scale.up)[:, None].astype(np.float32)) if laid is None else laid
    soft = 0.0008

    def stripes(position: ndarray, pitch: float, width: float) -> ndarray:
        distance = np.abs((position / np.float32(pitch) + np.float32(0.5)) % 1 - np.float32(0.5))
        return np.clip((width / 2 / pitch - distance) * np.float32(pitch / soft * 0.5) + np.float32(0.5), 0, 1)

    kind = garment.pattern
    if kind == "horizontal stripes":
        pitch = _pitch(garment, rng.choice([0.03, 0.04, 0.06]) * size)
        return stripes(y - np.float32(0.1), pitch, pitch * rng.choice([0.28, 0.36, 0.40]))
    if kind == "vertical stripes":
        pitch = _pitch(garment, rng.choice([0.018, 0.03, 0.045]) * size)
        return stripes(x, pitch, pitch * rng.choice([0.2, 0.33, 0.4]))
    if kind == "plaid":
        pitch = _pitch(garment, rng.choice([0.05, 0.075, 0.10]) * size)
        half = np.float32(pitch / 2)
        both = (stripes(x, pitch, pitch * 0.32) + stripes(y, pitch, pitch * 0.32)) * np.float32(0.5)
        fine = np.maximum(stripes(x - half, pitch, pitch * 0.05), stripes(y - half, pitch, pitch * 0.05))
        return np.maximum(both, fine * np.float32(0.7) * (both < 0.3))
    if kind == "dots":
        pitch = np.float32(_pitch(garment, rng.choice([0.028, 0.04, 0.055]) * size))
        row = np.floor(y / pitch)
        dx = (x / pitch + np.float32(0.5) * (row % 2)) % 1 - np.float32(0.5)
        dy = y / pitch - row - np.float32(0.5)
        return np.clip((np.float32(0.27) - np.sqrt(dx * dx + dy * dy)) * pitch / np.float32(2 * soft) + 0.5, 0, 1)
    if kind == "two-tone":
        if panel in (LEG_LEFT, LEG_RIGHT):  # a stripe down the outer seam
            return np.clip((0.022 - np.abs(u - 0.004)) / soft, 0, 1)[None, :]
        if blocks == "sleeves":
            return np.full((1, 1), float(panel == SLEEVE))
        edge = 0.375 if blocks == "yoke" else v.min() + 0.28 * (min(v.max(), 0.45) - v.min())
        above = np.clip((v - edge) / soft + 0.5, 0, 1)[:, None]
        return np.zeros((1, 1)) if panel == SLEEVE else above if blocks == "yoke" else 1 - above
    if kind == "print":
        chest = float(y[np.abs(v - 0.27).argmin(), 0 if laid is None else np.abs(u).argmin()])
        return _print(garment.kind, panel, x, y, chest, scale, rng)
    return np.zeros((1, 1))


def _pitch(garment: Garment, own: float) -> float:
    return own if garment.pitch is None else garment.pitch


_GRAPHIC = ("t-shirt", "tank top", "sweater", "hoodie")
"""What may bear one large picture on the chest; anything else is printed all over."""
_WORDS = ("NORTH", "STUDIO", "ATLAS", "WILD", "07", "84", "23")


def _print(
    kind: str,
    panel: int,
    x: Float[ndarray, "#h w"],
    y: Float[ndarray, "h #w"],
    middle: float,
    scale: Scale,
    rng: np.random.Generator,
) -> Float[ndarray, "#h #w"]:
    """A picture on the chest, or a small figure all over in rows, each shifted by half."""
    motif, chest, word = int(rng.integers(6)), rng.random() < 0.6, int(rng.integers(len(_WORDS)))
    if kind in _GRAPHIC and chest:
        if panel != FRONT:
            return np.zeros((1, 1))
        size = 0.115 * scale.up  # half a side
        return _stamp(_graphic(motif, _WORDS[word]), x / size, (y - middle) / size)
    pitch = float(rng.choice([0.048, 0.060, 0.075])) * scale.up**0.5
    row = np.floor(y / (0.87 * pitch))
    place = x / pitch + 0.5 * (row % 2)
    dx, dy = (place % 1 - 0.5) / 0.34, (y / (0.87 * pitch) - row - 0.5) * (0.87 / 0.34)
    if motif in (2, 3):  # flowers and leaves are strewn at an angle
        turn = (np.floor(place) * 2 + row * 3) * 0.9
        c, s = np.cos(turn), np.sin(turn)
        dx, dy = dx * c - dy * s, dx * s + dy * c
    return _stamp(_figure(motif), dx, dy)


def _stamp(image: Float[ndarray, "n n"], x: ndarray, y: ndarray) -> Float[ndarray, "h w"]:
    """The picture at points of the square from -1 to 1, y up; zero outside."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    out = np.zeros(shape, np.float32)
    _look_up(image, np.array(np.broadcast_to(x, shape)), np.array(np.broadcast_to(y, shape)), out)
    return out


@fast_kernel
def _look_up(image, x, y, out):
    n = image.shape[0]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            column, row = (x[i, j] + 1) * (n / 2) - 0.5, (1 - y[i, j]) * (n / 2) - 0.5
            if 0 <= column < n - 1 and 0 <= row < n - 1:
                a, b = int(row), int(column)
                fy, fx = row - a, column - b
                top = image[a, b] * (1 - fx) + image[a, b + 1] * fx
                low = image[a + 1, b] * (1 - fx) + image[a + 1, b + 1] * fx
                out[i, j] = top * (1 - fy) + low * fy


def _star(points: int, inner: float, radius: float, x: float = 0.0, y: float = 0.0) -> list[tuple[float, float]]:
    corners = np.arange(2 * points) / points * np.pi
    reach = np.where(np.arange(2 * points) % 2, inner, 1.0) * radius
    return list(zip((x + reach * np.sin(corners)).tolist(), (y + reach * np.cos(corners)).tolist(), strict=True))


def _heart(radius: float) -> list[tuple[float, float]]:
    t = np.linspace(0, 2 * np.pi, 60)
    x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return list(zip((x * radius / 16).tolist(), ((y + 2.5) * radius / 16).tolist(), strict=True))


class _Ink:
    """Draws on the square from -1 to 1, y up."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.image = Image.new("L", (pixels, pixels))
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, corners: list[tuple[float, float]], on: bool = True) -> None:
        half = self.pixels / 2
        self.pen.polygon([((1 + x) * half, (1 - y) * half) for x, y in corners], fill=255 * on)

    def disc(self, x: float, y: float, radius: float, on: bool = True) -> None:
        half = self.pixels / 2
        box = ((1 + x - radius) * half, (1 - y - radius) * half, (1 + x + radius) * half, (1 - y + radius) * half)
        self.pen.ellipse(box, fill=255 * on)

    def bar(self, left: float, right: float, low: float, high: float, on: bool = True) -> None:
        self.polygon([(left, low), (right, low), (right, high), (left, high)], on)

    def coverage(self, pixels: int) -> Float[ndarray, "n n"]:
        small = self.image.resize((pixels, pixels), Image.Resampling.BOX)
        return np.asarray(small, np.float32) / 255


@cache
def _graphic(motif: int, word: str) -> Float[ndarray, "n n"]:
    """A picture for a chest: badge, sunset, star, heart, waves or lettering."""
    ink = _Ink(768)
    if motif == 0:  # mountains in a ring
        ink.disc(0, 0, 0.92)
        ink.disc(0, 0, 0.83, False)
        ink.disc(0.30, 0.36, 0.15)
        ink.polygon([(-0.72, -0.34), (-0.22, 0.36), (0.28, -0.34)])
        ink.polygon([(-0.12, -0.34), (0.28, 0.12), (0.70, -0.34)])
        ink.polygon([(-0.36, 0.16), (-0.22, 0.36), (-0.08, 0.16), (-0.16, 0.21), (-0.22, 0.12), (-0.29, 0.21)], False)
        ink.bar(-0.60, 0.60, -0.50, -0.44)
        ink.bar(-0.42, 0.42, -0.64, -0.58)
    elif motif == 1:  # a setting sun
        ink.disc(0, 0.1, 0.80)
        for k in range(5):
            ink.bar(-1, 1, -0.10 - 0.145 * k - 0.022 * (k + 1), -0.10 - 0.145 * k + 0.012 * (k + 1), False)
        ink.bar(-0.92, 0.92, -0.94, -0.86)
    elif motif == 2:  # a star on a disc
        ink.disc(0, 0, 0.92)
        ink.disc(0, 0, 0.82, False)
        ink.disc(0, 0, 0.74)
        ink.polygon(_star(5, 0.40, 0.66, 0, -0.03), False)
    elif motif == 3:
        ink.polygon(_heart(0.80))
    elif motif == 4:  # three waves
        x = np.linspace(-0.92, 0.92, 80)
        wide = 0.13 * np.sqrt(np.clip(1 - (x / 0.95) ** 6, 0, 1))
        for level in (0.42, 0.0, -0.42):
            crest = level + 0.13 * np.sin(x * 2.5 * np.pi)
            ink.polygon(
                list(
                    zip(
                        np.append(x, x[::-1]).tolist(),
                        np.append(crest + wide, (crest - wide)[::-1]).tolist(),
                        strict=True,
                    )
                )
            )
    else:  # lettering between two rules
        tall = 200 if len(word) > 3 else 420
        font = ImageFont.load_default(tall)
        left, top, right, bottom = ink.pen.textbbox((0, 0), word, font=font, stroke_width=tall // 22)
        shrink = min(1.0, 1.84 * 384 / (right - left))
        font = ImageFont.load_default(tall * shrink)
        ink.pen.text((384, 384), word, 255, font, anchor="mm", stroke_width=int(tall * shrink / 22))
        half = (bottom - top) * shrink / 768 + 0.10
        for level in (half, -half - 0.07):
            ink.bar(-0.92, 0.92, level, level + 0.07)
    return ink.coverage(256)


@cache
def _figure(motif: int) -> Float[ndarray, "n n"]:
    """A small figure for a print all over: star, heart, flower, leaf, ring, diamond."""
    ink = _Ink(384)
    if motif == 0:
        ink.polygon(_star(5, 0.45, 0.98, 0, -0.06))
    elif motif == 1:
        ink.polygon(_heart(0.82))
    elif motif == 2:
        for x, y in _star(5, 0.0, 0.56)[::2]:
            ink.disc(x, y, 0.37)
        ink.disc(0, 0, 0.25, False)
        ink.disc(0, 0, 0.16)
    elif motif == 3:
        t = np.linspace(-1, 1, 40)
        wide = 0.46 * (1 - t * t) * (1.1 - 0.35 * t)
        ink.polygon(list(zip(np.append(wide, -wide[::-1]).tolist(), np.append(t, t[::-1]).tolist(), strict=True)))
        ink.polygon([(-0.035, -1.0), (0.035, -1.0), (0.01, 0.7), (-0.01, 0.7)], False)
        for k in range(4):
            y = -0.55 + 0.33 * k
            for s in (1, -1):
                ink.polygon([(0, y), (s * 0.40, y + 0.30), (s * 0.40, y + 0.36), (0, y + 0.09)], False)
    elif motif == 4:
        ink.disc(0, 0, 0.80)
        ink.disc(0, 0, 0.54, False)
        ink.disc(0, 0, 0.26)
    else:
        ink.polygon([(0, 0.95), (0.58, 0), (0, -0.95), (-0.58, 0)])
        ink.polygon([(0, 0.52), (0.32, 0), (0, -0.52), (-0.32, 0)], False)
    return ink.coverage(40)


def cloth(
    sheet: Sheet,
    garment: Garment,
    make: Make,
    scale: Scale,
    seed: int,
    relief: bool,
    double_sided: bool = False,
    grains: Mapping[int, Grain] | None = None,
) -> Material:
    """The material of a garment.

    Args:
        relief: Whether to give a normal map.
        grains: How each pattern piece lies flat, for its pattern; as the sheet has it when None.
    """
    drawing = draw(sheet, make, relief)
    first = np.array(garment.colour.srgb, np.float32) * 255
    second = np.array(garment.second.srgb, np.float32) * 255
    none = np.zeros((1, 1), np.float32)
    share = none
    if garment.pattern != "plain":
        share = np.zeros((sheet.size, sheet.size), np.float32)
        sleeved = any(place[0] == SLEEVE for place in sheet.places)
        blocks = ("yoke" if seed % 2 else "sleeves") if sleeved else "hem"
        for place in sheet.places:
            rows, columns, u, v = sheet.window(place)
            laid = None if grains is None else grains[place[0]].at(u, v)
            share[rows, columns] = pattern_share(garment, place[0], u, v, scale, seed, blocks, laid)
    thread = first * 0.86 + (12 if first.mean() < 60 else 0)
    ground, fade = first, drawing.fade
    if make.weave == "denim":
        golden = first.mean() > 45 or first[2] > first[0] * 1.15
        thread = np.array([196, 142, 74], np.float32) if golden else first * 1.5 + 25
        if fade is not None and garment.pattern == "plain":  # what fades elsewhere starts out darker
            mean = float(np.mean([fade[sheet.window(place)[:2]].mean() for place in sheet.places]))
            ground = np.clip((first - 235 * mean) / (1 - mean), 0.75 * first, first)
    inks = np.stack([thread, [172, 128, 92], [140, 96, 60]]).astype(np.float32)
    albedo = np.empty((sheet.size, sheet.size, 3), np.uint8)
    _dye(ground, second, share, drawing.shade, none if fade is None else fade, drawing.thread, inks, albedo)
    patch = int(np.ceil(sheet.size * 0.02))
    bright = first.mean() / 255
    swatches = (
        np.array([46, 42, 40]) if bright > 0.35 else np.clip(first * 0.6 + 70, 0, 255),
        np.array([236, 232, 222]) if bright < 0.75 else np.clip(first * 0.8, 0, 255),
        np.array([150, 148, 144]),
        np.clip(first * 0.72 + 6, 0, 255),
    )
    for i, colour in enumerate(swatches):
        albedo[-patch:, i * patch : (i + 1) * patch] = colour.astype(np.uint8)
    return Material(albedo, drawing.normal, _ROUGHNESS[make.weave], double_sided=double_sided)


@fast_kernel
def _dye(first, second, share, shade, fade, thread, inks, out):
    """The albedo: two colours mixed, shaded, faded towards white, and sewn."""
    mixed, worn = share.shape[0] > 1, fade.shape[0] > 1
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            s = share[i, j] if mixed else np.float32(0)
            f = fade[i, j] if worn else np.float32(0)
            k, t = shade[i, j], thread[i, j]
            for c in range(3):
                value = (first[c] + s * (second[c] - first[c])) * k
                if 0 < t < RIB:
                    value = inks[t - 1, c] * (np.float32(0.4) + np.float32(0.6) * k)
                else:
                    value += f * (np.float32(235) - value)
                out[i, j, c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))


def _worn(u: Float[ndarray, "w"], v: Float[ndarray, "h"]) -> Float[ndarray, "h w"]:
    """Where denim has faded: thighs, knees, seat and hems."""
    quarter = 0.0425 * np.pi
    out = np.zeros((len(v), len(u)), np.float32)
    for x, y, wide, tall, amount in (
        (-quarter, -0.17, 0.045, 0.10, 0.16), (-quarter, KNEE, 0.05, 0.06, 0.11), (quarter, -0.02, 0.06, 0.06, 0.10),
        (quarter, -0.25, 0.05, 0.10, 0.05), (-0.17, CROTCH + 0.02, 0.06, 0.03, 0.08),
    ):  # fmt: skip
        across = (amount * np.exp(-0.5 * ((u - x) / wide) ** 2)).astype(np.float32)
        out += across[None, :] * np.exp(-0.5 * ((v - y) / tall) ** 2).astype(np.float32)[:, None]
    return out
