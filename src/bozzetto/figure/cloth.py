"""Fabric: pattern sheets true to scale, weave, wrinkles and stitching as textures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

import numba
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy import ndimage

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
    WAIST,
)
from bozzetto.figure.spec import Garment
from bozzetto.types import Material

Weave: TypeAlias = Literal["jersey", "poplin", "denim", "twill", "knit", "wool", "leather", "smooth"]

_HALF = {FRONT: 0.262, BACK: 0.262, SLEEVE: 0.185, LEG_LEFT: 0.285, LEG_RIGHT: 0.285}
"""Half the width of each pattern piece on the mean person, with a margin."""
_ROUGHNESS: Mapping[str, float] = {
    "jersey": 0.86, "poplin": 0.78, "denim": 0.84, "twill": 0.8, "knit": 0.92, "wool": 0.94, "leather": 0.48,
    "smooth": 0.7,
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
    variant: int = 0


@dataclass(frozen=True, eq=False)
class Drawing:
    """What does not depend on colour."""

    shade: Float[ndarray, "h w"]
    """Multiplies the albedo; about one."""
    normal: UInt8[ndarray, "h w 3"] | None
    stitches: Bool[ndarray, "h w"]
    """Where thread of another colour shows."""


@cache
def draw(sheet: Sheet, make: Make, relief: bool) -> Drawing:
    """Wrinkles, weave and stitching on a sheet."""
    height = np.zeros((sheet.size, sheet.size), np.float32)
    cavity = np.zeros_like(height)
    stitches = np.zeros(height.shape, bool)
    pixel = sheet.metres / sheet.size
    for place in sheet.places:
        rows, columns, u, v = sheet.window(place)
        piece = np.zeros((len(v), len(u)), np.float32)
        rng = np.random.default_rng([make.variant, place[0] // 4 * 4 + place[0] % 4])
        for stroke in _strokes(place[0], rng, place[4]):
            _press(piece, u, v, stroke, 1.7 * make.wrinkles)
        cavity[rows, columns] += -0.5 * np.minimum(piece / 0.0035, 0.5)
        lines, thread = _seams(place[0], u, v, make, pixel)
        piece -= 0.0009 * lines
        cavity[rows, columns] += 0.20 * lines
        stitches[rows, columns] |= thread
        ribs = _ribs(place[0], u, v, make)
        piece += 0.0016 * ribs
        cavity[rows, columns] += 0.10 * (0.5 - ribs) * (ribs != 0)
        height[rows, columns] = piece
    weave, tone = _weave(make.weave, sheet.size, pixel)
    height += weave
    shade = np.clip(1 + tone - 0.16 * np.clip(cavity, -1, 1.5), 0.6, 1.18).astype(np.float32)
    normal = None
    if relief:
        across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * pixel)
        down = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * pixel)
        vector = np.stack([-across, down, np.ones_like(across)], 2)
        vector /= np.linalg.norm(vector, axis=2, keepdims=True)
        normal = np.round(vector * 127 + 128).clip(0, 255).astype(np.uint8)
    return Drawing(shade, normal, stitches)


_Stroke: TypeAlias = tuple[float, float, float, float, float, float, float]
"""Middle across and up, direction, half length, half width, bend, height; metres and radians."""


def _strokes(panel: int, rng: np.random.Generator, low: float) -> list[_Stroke]:
    """The folds of one pattern piece, where bodies bend cloth."""
    out: list[_Stroke] = []

    def fan(
        count: int,
        u: float,
        v: float,
        spread: tuple[float, float],
        angles: tuple[float, float],
        length: tuple[float, float],
        amount: float,
        width: float = 0.008,
        reach: float = 0.5,
    ) -> None:
        for _ in range(count):
            angle = rng.uniform(*angles)
            half = rng.uniform(*length)
            x = u + rng.normal() * spread[0] + np.cos(angle) * half * reach
            y = v + rng.normal() * spread[1] + np.sin(angle) * half * reach
            sign = 1.0 if rng.random() < 0.65 else -0.8
            out.append(
                (
                    x,
                    y,
                    angle,
                    half,
                    width * rng.uniform(0.6, 1.5),
                    rng.normal() * 2.0,
                    sign * amount * rng.uniform(0.4, 1.0),
                )
            )

    pi = np.pi
    if panel in (FRONT, BACK):
        for side in (1, -1):
            toward = (pi * 1.05, pi * 1.45) if side > 0 else (-pi * 0.45, -pi * 0.05)
            fan(7, 0.185 * side, 0.36, (0.015, 0.03), toward, (0.05, 0.11), 0.0016, reach=0.8)
            inward = (pi * 0.9, pi * 1.12) if side > 0 else (-pi * 0.12, pi * 0.1)
            fan(8, 0.21 * side, WAIST + 0.01, (0.02, 0.045), inward, (0.04, 0.09), 0.0016, reach=0.8)
        fan(7, 0.0, 0.10, (0.1, 0.05), (-0.35, 0.35), (0.05, 0.12), 0.0011, reach=0)
        fan(7, 0.0, 0.03, (0.13, 0.03), (pi * 0.35, pi * 0.65), (0.03, 0.07), 0.0009, reach=0)
        fan(8, 0.0, 0.3, (0.1, 0.1), (0.0, pi), (0.04, 0.1), 0.0007, 0.012, reach=0)
        for v in np.arange(-0.1, low, -0.06):  # what hangs below the waist falls in long folds
            fan(4, 0.0, float(v), (0.15, 0.03), (pi * 0.44, pi * 0.56), (0.08, 0.18), 0.0012, 0.012, reach=0)
    elif panel == SLEEVE:
        elbow = -UPPER_ARM
        fan(16, 0.0, elbow, (0.09, 0.028), (-0.45, 0.45), (0.03, 0.07), 0.0019, 0.007, reach=0)
        fan(8, 0.12, -0.03, (0.04, 0.025), (0.3, 1.2), (0.03, 0.07), 0.0014, reach=0)
        fan(8, -0.12, -0.03, (0.04, 0.025), (-1.2, -0.3), (0.03, 0.07), 0.0014, reach=0)
        fan(12, 0.0, -0.10, (0.1, 0.03), (-0.6, 0.6), (0.03, 0.07), 0.0010, reach=0)
        fan(14, 0.0, -(UPPER_ARM + LOWER_ARM - 0.05), (0.1, 0.03), (-0.35, 0.35), (0.03, 0.07), 0.0014, 0.006, reach=0)
    else:
        # Half a turn is the inner seam; the front of the figure's left leg is at minus a quarter turn.
        front, quarter = (-1, 0.085 * pi / 2)
        fan(
            10,
            front * quarter * 1.75,
            CROTCH + 0.02,
            (0.012, 0.02),
            (-0.2, 0.9),
            (0.03, 0.08),
            0.0018,
            0.007,
            reach=0.9,
        )
        fan(
            8,
            -front * quarter * 1.6,
            CROTCH + 0.0,
            (0.02, 0.02),
            (pi * 0.75, pi * 1.15),
            (0.03, 0.08),
            0.0015,
            0.007,
            reach=0.8,
        )
        fan(12, front * quarter, 0.0, (0.06, 0.03), (-0.3, 0.3), (0.03, 0.07), 0.0010, reach=0)
        fan(16, 0.0, KNEE, (0.12, 0.035), (-0.5, 0.5), (0.03, 0.08), 0.0015, 0.007, reach=0)
        fan(9, quarter, KNEE - 0.01, (0.04, 0.02), (-0.25, 0.25), (0.04, 0.07), 0.0020, 0.007, reach=0)
        fan(20, 0.0, ANKLE + 0.06, (0.14, 0.035), (-0.35, 0.35), (0.03, 0.08), 0.0018, 0.007, reach=0)
        fan(9, 0.0, -0.2, (0.14, 0.06), (pi * 0.3, pi * 0.7), (0.04, 0.1), 0.0008, 0.012, reach=0)
    return out


def _press(
    piece: Float[ndarray, "h w"], u: Float[ndarray, "w"], v: Float[ndarray, "h"], stroke: _Stroke, strength: float
) -> None:
    """Adds one curved ridge, in place."""
    x, y, _, half, width, _, _ = stroke
    reach = half + 3 * width
    left, right = np.searchsorted(u, (x - reach, x + reach))
    top, bottom = np.searchsorted(-v, (-y - reach, reach - y))
    if right > left and bottom > top and strength != 0:
        _ridge(piece[top:bottom, left:right], u[left:right], v[top:bottom], stroke, strength)


@numba.njit(cache=True)
def _ridge(out, u, v, stroke, strength):
    x, y, angle, half, width, bend, amount = stroke
    c, s = np.cos(angle), np.sin(angle)
    for i in range(len(v)):
        for j in range(len(u)):
            dx, dy = u[j] - x, v[i] - y
            along = (dx * c + dy * s) / half
            if along * along < 1:
                across = (dy * c - dx * s + bend * half * half * along * along) / width
                if across * across < 25:
                    out[i, j] += strength * amount * np.exp(-0.5 * across * across) * (1 - along * along) ** 2


def _line(distance: Float[ndarray, "*n"], pixel: float, width: float = 0.0012) -> Float[ndarray, "*n"]:
    return np.exp(-((distance / max(width, 1.1 * pixel)) ** 2))


def _seams(
    panel: int, u: ndarray, v: ndarray, make: Make, pixel: float
) -> tuple[Float[ndarray, "h w"], Bool[ndarray, "h w"]]:
    """Grooves of seams, and the pixels where stitching thread lies."""
    grooves = np.zeros((len(v), len(u)), np.float32)
    thread = np.zeros(grooves.shape, bool)
    row, column = v[:, None], u[None, :]

    def stitched(distance: ndarray, run: ndarray, limit: ndarray | bool = True) -> None:
        nonlocal grooves, thread
        on = _line(distance, pixel) * limit
        grooves = np.maximum(grooves, on * 0.55)
        thread |= (on > 0.3) & ((run / 0.0034) % 1 < 0.68)

    lines = [-s for s in make.cuffs] if panel == SLEEVE else list(make.hems)
    for line in lines:
        stitched(row - line, column + 0 * row)
    if make.lap is not None and panel == FRONT:
        under = column - make.lap - 0.10 * (0.13 - row)
        grooves = np.maximum(grooves, np.clip(1 - under / 0.006, 0, 1) * (under > -0.5 * pixel) * (row < 0.13))
    if make.jeans and panel in (LEG_LEFT, LEG_RIGHT):
        for offset in (0.004, 0.010):  # the outer seam at no angle, the inner at half a turn
            stitched(column - offset + 0 * row, row + 0 * column)
        # At the top the piece ends at the centre, a little short of half a turn.
        middle = -0.085 * np.pi * 0.79
        fly = np.abs(column - (middle + 0.034 + np.clip((0.02 - row) / 0.06, 0, 1) ** 2 * -0.034))
        stitched(fly, row + 0 * column, (row < 0.125) & (row > -0.04))
        edge = -0.13 + 0.105 * np.sqrt(np.clip((row - 0.045) / 0.06, 0, 1))
        for offset in (0.0, 0.006):
            pocket = row - (0.055 + 0.055 * np.clip((-0.035 - column + offset) / 0.085, 0, 1) ** 0.6)
            stitched(pocket + 0 * edge, column + 0 * row, (column < -0.002) & (column > -0.12))
        x0, top, wide, deep = 0.135, 0.085, 0.055, 0.105  # back pocket
        inside_x, inside_y = np.abs(column - x0), top - row
        bottom = deep - 0.5 * np.clip(inside_x, 0, wide) * 0.5
        within = (inside_x < wide) & (inside_y > 0) & (inside_y < bottom)
        for inset in (0.0, 0.006):
            stitched(inside_x - wide + inset, row + 0 * column, (inside_y > 0) & (inside_y < bottom))
            stitched(inside_y - bottom + inset, column + 0 * row, inside_x < wide)
        stitched(inside_y - 0.012, column + 0 * row, within)
        stitched(inside_y - 0.055 - 0.012 * np.cos(inside_x / wide * np.pi * 2), column + 0 * row, within)
    return grooves, thread


def _ribs(panel: int, u: ndarray, v: ndarray, make: Make) -> Float[ndarray, "h w"]:
    """Upright ribs in bands: 0 to 1, zero outside."""
    wave = (0.5 + 0.5 * np.cos(2 * np.pi * u / 0.0062)).astype(np.float32)[None, :]
    band = np.zeros(len(v), bool)
    if panel == SLEEVE and make.sleeve_ribs is not None:
        band |= (-v > make.sleeve_ribs[0]) & (-v < make.sleeve_ribs[1])
    if panel != SLEEVE:
        for low, high in make.ribs:
            band |= (v > low) & (v < high)
    return np.where(band[:, None], wave + 1e-3, 0).astype(np.float32)


@cache
def _weave(weave: Weave, size: int, pixel: float) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"]]:
    """Relief and tone of a fabric, both about zero."""
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((size, size)).astype(np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(pixel)
    soft = ndimage.gaussian_filter(noise, 2.0, mode="wrap")
    soft /= soft.std()
    if weave == "knit":  # columns of interlocking v's
        pitch = 0.0068
        column = (x / pitch) % 1 - 0.5
        loop = np.cos(2 * np.pi * (y / 0.0055 + np.abs(column) * 0.9)) * (1 - (2 * np.abs(column)) ** 4)
        valley = np.exp(-((0.5 - np.abs(column)) ** 2) / 0.008)
        return 0.00045 * loop - 0.0007 * valley, 0.035 * loop - 0.06 * valley + 0.012 + 0.02 * soft
    if weave in ("denim", "twill"):
        pitch = 0.0034 if weave == "denim" else 0.0028
        diagonal = np.cos(2 * np.pi * (x + y) / pitch)
        grain = ndimage.gaussian_filter1d(noise, 3.0, axis=0, mode="wrap")
        strength = 1.0 if weave == "denim" else 0.35
        return strength * 0.00012 * diagonal + 0.00006 * noise, strength * (
            0.045 * diagonal + 0.07 * grain / grain.std() * 0.5
        )
    if weave == "leather":
        fine = ndimage.gaussian_filter(noise, 1.3, mode="wrap")
        fine /= fine.std()
        return 0.00018 * fine + 0.0004 * soft * 0.3, 0.025 * soft
    if weave == "wool":
        fuzz = ndimage.gaussian_filter(noise, 0.8, mode="wrap")
        return 0.00014 * fuzz / fuzz.std(), 0.018 * fuzz / fuzz.std() + 0.010 * soft
    amount = {"jersey": 1.0, "poplin": 0.6, "smooth": 0.2}[weave]
    threads = ndimage.gaussian_filter1d(noise, 2.5, axis=0, mode="wrap") + ndimage.gaussian_filter1d(
        noise, 2.5, axis=1, mode="wrap"
    )
    return amount * 0.00009 * threads / threads.std(), amount * 0.018 * threads / threads.std()


@dataclass(frozen=True)
class Scale:
    """Of a person to the mean person, for patterns true to size."""

    across: float
    sleeve: float
    up: float
    flare: Callable[[Float[ndarray, "h"]], Float[ndarray, "h"]] = np.ones_like
    """How much wider than at the waist the cloth is, by height on the mean person."""


def pattern_share(
    garment: Garment,
    panel: int,
    u: Float[ndarray, "w"],
    v: Float[ndarray, "h"],
    scale: Scale,
    seed: int,
    blocks: Literal["sleeves", "yoke", "hem"] = "sleeves",
) -> Float[ndarray, "#h #w"]:
    """How much of the second colour lies at each point of a pattern piece, 0 to 1.

    Args:
        blocks: Where a two-tone garment has its second colour.
    """
    rng = np.random.default_rng([seed, 77])
    across, up = (scale.sleeve if panel == SLEEVE else scale.across), scale.up
    size = float(np.clip(scale.up, 0.6, 1.1)) ** 0.5
    x, y = u * across, v * up
    soft = 0.0008

    def stripes(position: ndarray, pitch: float, width: float) -> ndarray:
        distance = np.abs((position / pitch + 0.5) % 1 - 0.5) * pitch
        return np.clip((width / 2 - distance) / soft * 0.5 + 0.5, 0, 1)

    kind = garment.pattern
    if kind == "horizontal stripes":
        pitch = rng.choice([0.03, 0.04, 0.06]) * size
        return stripes(y - 0.1, pitch, pitch * rng.choice([0.28, 0.36, 0.40]))[:, None]
    if kind == "vertical stripes":
        pitch = rng.choice([0.018, 0.03, 0.045]) * size
        turns = (
            2
            * (0.155 * np.pi if panel in (FRONT, BACK) else 0.055 * np.pi if panel == SLEEVE else 0.085 * np.pi)
            * across
        )
        pitch = turns / max(round(turns / pitch), 1)  # meets itself at the seams
        return stripes(x, pitch, pitch * rng.choice([0.2, 0.33, 0.4]))[None, :]
    if kind == "plaid":
        pitch = rng.choice([0.05, 0.075, 0.10]) * size
        wide = 0.32
        a = stripes(x, pitch, pitch * wide)[None, :] * 0.5
        b = stripes(y, pitch, pitch * wide)[:, None] * 0.5
        fine = (
            np.maximum(
                stripes(x - pitch / 2, pitch, pitch * 0.05)[None, :],
                stripes(y - pitch / 2, pitch, pitch * 0.05)[:, None],
            )
            * 0.7
        )
        return np.maximum(a + b, fine * (a + b < 0.3))
    if kind == "dots":
        pitch = rng.choice([0.028, 0.04, 0.055]) * size
        wide = x[None, :] * scale.flare(v)[:, None] if panel in (FRONT, BACK) else x[None, :]
        row = np.floor(y / pitch)[:, None]
        dx = (wide / pitch + 0.5 * (row % 2)) % 1 - 0.5
        dy = (y / pitch % 1 - 0.5)[:, None]
        return np.clip((0.27 - np.hypot(dx, dy)) * pitch / soft * 0.5 + 0.5, 0, 1)
    if kind == "two-tone":
        if panel in (LEG_LEFT, LEG_RIGHT):  # a stripe down the outer seam
            return np.clip((0.022 - np.abs(x - 0.004)) / soft, 0, 1)[None, :]
        if blocks == "sleeves":
            return np.full((1, 1), float(panel == SLEEVE))
        edge = 0.375 if blocks == "yoke" else v.min() + 0.28 * (min(v.max(), 0.45) - v.min())
        above = np.clip((v - edge) / soft + 0.5, 0, 1)[:, None]
        return np.zeros((1, 1)) if panel == SLEEVE else above if blocks == "yoke" else 1 - above
    if kind == "print":
        return _print(panel, x, y, scale, rng)
    return np.zeros((1, 1))


def _shape(kind: int, dx: ndarray, dy: ndarray) -> ndarray:
    """Signed reach of a motif of unit size: positive inside."""
    r, a = np.hypot(dx, dy), np.arctan2(dx, dy)
    if kind == 0:  # star
        lobe = np.abs((a / (2 * np.pi) * 5 + 0.5) % 1 - 0.5) * 2
        return 1 - r * (1 + 1.15 * lobe)
    if kind == 1:  # heart
        y = dy * 1.15 + 0.12
        return 1 - np.hypot(dx * 1.05, (y + 0.05) - 0.62 * np.sqrt(np.abs(dx) + 1e-9) * 0.95) / 0.95
    if kind == 2:  # flower
        return 0.62 + 0.36 * np.cos(5 * a) - r + 0.0 * r - 1.4 * (r < 0.2)
    if kind == 3:  # ring and disc
        return np.maximum(0.16 - np.abs(r - 0.82), 0.5 - r)
    if kind == 4:  # bolt
        shift = np.where(dy > 0, 0.28, -0.28)
        slant = dx - 0.35 * dy + np.where(dy > 0, 0.18, -0.18)
        return np.minimum(0.95 - np.abs(dy), 0.30 - 0.22 * np.abs(dy) - np.abs(slant) + 0.02 * shift)
    return np.minimum(0.85 - np.abs(dx + dy * 0.0), 0.22 - np.abs((dy * 2.2 + 0.5) % 1 - 0.5))  # bars


def _print(panel: int, x: ndarray, y: ndarray, scale: Scale, rng: np.random.Generator) -> Float[ndarray, "#h #w"]:
    """A motif on the chest, or one strewn all over."""
    motif, everywhere = int(rng.integers(6)), rng.random() < 0.45
    size = 0.085 * scale.up
    if not everywhere and panel in (FRONT, BACK, SLEEVE):
        if panel != FRONT:
            return np.zeros((1, 1))
        inside = _shape(motif, x[None, :] / size, ((y - 0.29 * scale.up) / size)[:, None])
        return np.clip(inside * size / 0.0016 + 0.5, 0, 1)
    pitch = rng.uniform(0.06, 0.085) * scale.up**0.5
    row = np.floor(y / pitch)[:, None]
    place = x[None, :] / pitch + 0.5 * (row % 2)
    dx, dy = (place % 1 - 0.5) / 0.30, ((y / pitch % 1 - 0.5) / 0.30)[:, None]
    turn = (np.floor(place) * 2.4 + row * 1.1) if motif not in (1,) else np.zeros(1)
    c, s = np.cos(turn), np.sin(turn)
    return np.clip(_shape(motif, dx * c - dy * s, dx * s + dy * c) * pitch * 0.3 / 0.0016 + 0.5, 0, 1)


def cloth(
    sheet: Sheet, garment: Garment, make: Make, scale: Scale, seed: int, relief: bool, double_sided: bool = False
) -> Material:
    """The material of a garment.

    Args:
        relief: Whether to give a normal map.
    """
    drawing = draw(sheet, make, relief)
    first = np.array(garment.colour.srgb, np.float32) * 255
    second = np.array(garment.second.srgb, np.float32) * 255
    albedo = np.empty((sheet.size, sheet.size, 3), np.float32)
    if garment.pattern == "plain":
        np.multiply(drawing.shade[:, :, None], first, out=albedo)
    else:
        albedo[:] = first
        sleeved = any(place[0] == SLEEVE for place in sheet.places)
        blocks = ("yoke" if seed % 2 else "sleeves") if sleeved else "hem"
        for place in sheet.places:
            rows, columns, u, v = sheet.window(place)
            share = pattern_share(garment, place[0], u, v, scale, seed, blocks).astype(np.float32)
            albedo[rows, columns] = first + share[:, :, None] * (second - first)
        albedo *= drawing.shade[:, :, None]
    if make.weave == "denim":
        for place in sheet.places:
            rows, columns, u, v = sheet.window(place)
            worn = _worn(u, v)
            albedo[rows, columns] += worn[:, :, None] * (235 - albedo[rows, columns])
        thread = (
            np.array([196, 142, 74], np.float32)
            if first.mean() > 45 or first[2] > first[0] * 1.15
            else first * 1.5 + 25
        )
    else:
        thread = first * 0.86 + (12 if first.mean() < 60 else 0)
    albedo[drawing.stitches] = thread
    patch = int(np.ceil(sheet.size * 0.02))
    bright = first.mean() / 255
    swatches = (
        np.array([46, 42, 40]) if bright > 0.35 else np.clip(first * 0.6 + 70, 0, 255),
        np.array([236, 232, 222]) if bright < 0.75 else np.clip(first * 0.8, 0, 255),
        np.array([150, 148, 144]),
        np.clip(first * 0.72 + 6, 0, 255),
    )
    for i, colour in enumerate(swatches):
        albedo[-patch:, i * patch : (i + 1) * patch] = colour
    normal = drawing.normal
    return Material(np.clip(albedo, 0, 255).astype(np.uint8), normal, _ROUGHNESS[make.weave], double_sided=double_sided)


def _worn(u: Float[ndarray, "w"], v: Float[ndarray, "h"]) -> Float[ndarray, "h w"]:
    """Where denim has faded: thighs, knees and seat."""
    quarter = 0.085 * np.pi / 2
    out = np.zeros((len(v), len(u)), np.float32)
    for x, y, wide, tall, amount in (
        (-quarter, -0.18, 0.045, 0.10, 0.10), (-quarter, KNEE, 0.05, 0.05, 0.07), (quarter, 0.0, 0.06, 0.06, 0.05),
    ):  # fmt: skip
        out += amount * np.exp(-0.5 * ((u - x) / wide) ** 2)[None, :] * np.exp(-0.5 * ((v - y) / tall) ** 2)[:, None]
    return out
