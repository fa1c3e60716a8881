"""Tops, outer wear, bottoms, dresses and the base layer, cut from the chart of ``shells.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal, TypeAlias, get_args

import numba
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse
from scipy.spatial.distance import cdist

from bozzetto.body.model import load_body
from bozzetto.figure.cloth import Make, Scale, Sheet, body_sheet, cloth, leg_sheet, pouch
from bozzetto.figure.grain import SIDE, Grain, Pin, nodes, pick, spread
from bozzetto.figure.piece import Detail, Person, Piece, top_four
from bozzetto.figure.shells import (
    ANKLE,
    BACK,
    CROTCH,
    FRONT,
    KNEE,
    LEG_LEFT,
    LEG_RIGHT,
    LOWER_ARM,
    SIDE_Z,
    SLEEVE,
    UPPER_ARM,
    Chart,
    Fit,
    Shell,
    bridge,
    chart,
    chart_normals,
    fit_chart,
    hang,
    make_patch,
    make_shell,
    on_front,
    panel_coordinates,
    raise_shell,
    relax,
    round_neck,
    smooth_step,
    steady_four,
)
from bozzetto.figure.spec import BottomKind, Colour, DressKind, FigureSpec, Garment, OuterKind, TopKind
from bozzetto.kept import kept

SLEEVE_END = UPPER_ARM + LOWER_ARM - 0.012
_MARGIN = 0.03
"""How far cloth reaches beyond what is left out under it, metres."""
GAP = 0.0028
"""Least distance between layers, metres."""
_SKIN_GAP = 0.003
TUCK = 0.105
"""Where a tucked top ends; lower, a bent hip would bring it through."""
VARIANTS = 3


@dataclass(frozen=True, eq=False)
class Trim:
    """A second thickness on a garment: a collar, a band, a pocket."""

    shell: Shell
    lift: Float[ndarray, "n"]
    """Metres above the garment, by chart vertex."""
    swatch: int | None = None
    """The plain patch it is coloured from instead of its place in the pattern."""
    rise: Float[ndarray, "v"] | None = None
    """Metres above the garment of each of its own vertices; ``lift`` where absent."""


@dataclass(frozen=True)
class Fall:
    """A skirt that hangs from a rim of the chart."""

    hem: float
    """Height on the mean person."""
    flare: float = 0.1
    """Metres wider a metre down, where nothing pushes it out."""
    folds: int = 9
    depth: float = 0.012
    """Of folds at the hem."""
    gap: float = 0.012
    """From the legs."""
    taper: float = 0.35
    """Metres narrower a metre down, before and behind, as far as the legs allow."""


@dataclass(frozen=True, eq=False)
class Design:
    """One garment, decided on the mean person."""

    shell: Shell
    sheet: Sheet
    make: Make
    trims: tuple[Trim, ...] = ()
    ease: Float[ndarray, "n"] | float = 0.0
    """How far it stands off what is below, metres."""
    slip: float | None = None
    """How the torso part hangs: see ``hang``; None clings."""
    leg_slip: float | None = None
    rounds: int = 8
    """Of smoothing: more bridges more."""
    folds: float = 0.0
    """Height of modelled folds, metres."""
    waist: float | None = None
    """Height on the mean person above which the waistband keeps to what it is worn over."""
    thickness: float = 0.003
    fall: Fall | None = None
    level: float | None = None
    """Height on the mean person of a hem that runs level on everyone."""
    buttons: tuple[tuple[float, float], ...] = ()
    """Across and up on the front, mean person."""
    button: tuple[float, int] = (0.0058, 1)
    """Radius and swatch."""


# --- fields of the mean person ---


def _front(here: Chart) -> Float[ndarray, "n"]:
    """1 in front of the neck's axis, 0 beside it, -1 behind."""
    x, _, z = here.rest.T
    return (z - 0.02) / (np.hypot(x, z - 0.02) + 1e-6)


def _neckline(here: Chart, back: float, drop: float = 0.0) -> Float[ndarray, "n"]:
    """Inside a neckline this far below the chin's rim behind, and lower by ``drop`` in front."""
    return here.neck - back - drop * smooth_step(0.5 + 0.75 * _front(here))


def _vee(here: Chart, bottom: float, slope: float, below: float = 0.0, flare: float = 0.0) -> Float[ndarray, "n"]:
    """Outside an opening in front: a V down to a height, and a slit under it."""
    x, y, z = here.rest.T
    width = np.maximum(slope * np.maximum(y - bottom, 0), below + flare * np.maximum(bottom - y, 0))
    return np.where(z > SIDE_Z, np.abs(x) - width - 1e-4, 1.0)


def _hem(here: Chart, height: float, tail: float = 0.0) -> Float[ndarray, "n"]:
    """Above a hem, lower in the middle by ``tail`` than at the sides."""
    x = np.abs(here.rest[:, 0])
    return here.height - height - tail * smooth_step((x - 0.03) / 0.12)


def _sleeve(here: Chart, end: float) -> Float[ndarray, "n"]:
    return end - here.arm


@kept(lambda detail, variant: f"waves-{detail}-{variant}")
def _waves(detail: Detail, variant: int) -> Float[ndarray, "n"]:
    """Modelled folds on the chart, 0 to 1: rings at the joints of limbs, slanting drags on the torso."""
    here = chart(detail)
    rng = np.random.default_rng([31, variant])
    p = here.rest
    total = np.zeros(len(p))
    weight = np.full(len(p), 1e-3)

    def add(where: ndarray, direction: tuple[float, float, float], wavelength: float, spread: float) -> None:
        for _ in range(5):
            d = np.array(direction) + rng.normal(0, spread, 3)
            d = d / np.linalg.norm(d) * 2 * np.pi / (wavelength * rng.uniform(0.75, 1.4))
            warp = 1.2 * np.sin(p @ rng.normal(0, 22, 3) + rng.uniform(0, 6.3))
            total[:] += where * np.cos(p @ d + warp + rng.uniform(0, 6.3))
        weight[:] += where * 2.0

    def near(value: ndarray, middle: float, width: float) -> ndarray:
        return np.exp(-0.5 * ((value - middle) / width) ** 2)

    side = np.sign(p[:, 0])
    on_arm = smooth_step(here.arm / 0.04)
    # Little at the elbow: the rest pose bends it, and straightened a fold there stands up as a ring.
    for s, (middle, width) in {0.25: (UPPER_ARM, 0.05), 0.9: (SLEEVE_END - 0.03, 0.04), 0.6: (0.07, 0.04)}.items():
        for sign in (1.0, -1.0):
            add(s * near(here.arm, middle, width) * on_arm * (side == sign), (0.67 * sign, -0.7, 0.2), 0.045, 0.25)
    legs = (1 - on_arm) * smooth_step((-0.05 - p[:, 1]) / 0.1)
    for s, (middle, width) in {0.6: (KNEE, 0.06), 1.2: (ANKLE + 0.06, 0.05)}.items():
        add(s * near(p[:, 1], middle, width) * legs, (0, 1, 0.1), 0.06, 0.3)
    body = 1 - smooth_step(here.arm / 0.03)
    add(0.7 * near(p[:, 1], 0.15, 0.07) * body, (0.15, 1, 0), 0.07, 0.35)
    add(0.5 * near(p[:, 1], 0.02, 0.08) * body, (1, 0.3, 0), 0.09, 0.4)
    add(0.35 * near(p[:, 1], 0.33, 0.1) * body, (1, 0.6, 0), 0.11, 0.5)
    strength = np.clip(weight / 2.0, 0, 1)
    return np.clip(0.5 + 0.32 * total, 0, 1) * np.minimum(strength, 1.0)


# --- designs ---


Wear: TypeAlias = Literal["", "tucked", "buttoned", "buttoned tucked"]


def _design_name(kind: str, variant: int, detail: Detail, wear: Wear = "") -> str:
    return f"design-{kind}-{variant}-{detail}-{wear}".replace(" ", "_")


@kept(_design_name)
def design(kind: str, variant: int, detail: Detail, wear: Wear = "") -> Design:
    """How a kind of garment is cut, in one of ``VARIANTS`` ways.

    Args:
        wear: How a top is worn: what is tucked in ends inside the waistband, what is buttoned closes at the neck.

    Raises:
        ValueError: Not a kind of top, outer, bottom, dress or underwear.
    """
    here = chart(detail)
    size = 1024 if detail == "full" else 256
    lining = 0.02 if detail == "full" else 0.0
    maker = _Maker(here, size, lining, variant, wear)
    if kind in get_args(TopKind):
        return _top(maker, kind)
    if kind in get_args(OuterKind):
        return _outer(maker, kind)
    if kind in get_args(BottomKind):
        return _bottom(maker, kind)
    if kind in get_args(DressKind):
        return _dress(maker, kind)
    if kind in ("briefs", "slip shorts", "undershirt"):
        return _underwear(maker, kind)
    raise ValueError(f"{kind!r} is no garment of this module.")


@dataclass(frozen=True, eq=False)
class _Maker:
    """What designs are made with."""

    here: Chart
    size: int
    lining: float
    variant: int
    wear: Wear

    def hem(self, loose: float) -> float:
        """Of a top: inside the waistband where it is tucked in."""
        return TUCK if self.wear.endswith("tucked") else loose

    def shell(
        self, *fields: ndarray, legs: bool = False, cut: float | None = None, lining: float | None = None
    ) -> Shell:
        return make_shell(self.here, fields, legs, self.lining if lining is None else lining, cut)

    def trim(self, *fields: ndarray, lift: float | ndarray = 0.0025, legs: bool = False) -> Trim:
        shell = make_shell(self.here, fields, legs, min(self.lining, 0.008))
        return Trim(shell, np.broadcast_to(lift, (len(self.here.rest),)).astype(np.float64))


def _grid(
    m: _Maker, mix: sparse.csr_matrix, rise: Float[ndarray, "r c"], lift: float, sides: str, swatch: int | None = None
) -> Trim:
    """A trim that is a grid over the chart: its edges are as smooth as the curves it is made from."""
    shell, level = make_patch(m.here, mix, rise, m.lining > 0, sides)
    return Trim(shell, np.full(len(m.here.rest), lift), swatch, level)


def _collar(
    m: _Maker,
    neckline: tuple[float, float],
    opening: Float[ndarray, "n"],
    stand: float,
    over: float,
    point: tuple[float, float],
    lift: float = 0.0062,
) -> Trim:
    """A collar that stands up from the neckline and falls over it.

    Args:
        neckline: Where it starts, behind and how much lower in front: see ``_neckline``.
        opening: Positive outside the opening in front, where its ends lie.
        stand: How high it stands.
        over: How far it falls below the neckline behind.
        point: How much farther its corners lie outwards (turn) and down (metres).
        lift: Of the fall above the garment.
    """
    full = m.lining > 0

    def start(turn: ndarray) -> ndarray:
        return neckline[0] + neckline[1] * smooth_step(0.5 + 0.75 * np.cos(turn))

    search = np.linspace(0.015, 1.5, 300)
    outside = round_neck(m.here, search, start(search)) @ opening > 0
    first = float(search[outside.argmax()])
    turn = np.linspace(first, 2 * np.pi - first, 81 if full else 33)
    left = turn < np.pi
    from_end = np.where(left, turn - first, 2 * np.pi - first - turn)
    begin = start(turn)
    top = begin - stand
    end = begin + over + point[1] * np.exp(-from_end / 0.4)
    outward = np.where(left, 1, -1) * point[0] * np.exp(-from_end / 0.3)
    rows = [(begin, 0.0, 0.0006), (begin - 0.55 * stand, 0.0, 0.0016), (top, 0.0, 0.0030), (top, 0.0, lift - 0.0014)]
    if not full:
        rows = [rows[0], rows[3]]
    for v in (0.06, 0.2, 0.4, 0.6, 0.8, 1.0) if full else (0.4, 1.0):
        rows.append((top + (end - top) * v, v, lift * (1.0 + 0.15 * np.sin(np.pi * v)) - 0.0012 * v))
    down = np.stack([row for row, _, _ in rows])
    back = np.where(left, 0.07, -0.07) * np.exp(-from_end / 0.12)  # its upper corners are round
    around = np.stack([turn + outward * v + back * np.clip((begin - row) / stand, 0, 1) for row, v, _ in rows])
    rise = np.stack([np.full(len(turn), height) for _, _, height in rows])
    return _grid(m, round_neck(m.here, around, down), rise, lift + 0.001, "blr")


def _lapel(m: _Maker, bottom: float, slope: float, opening: float, top: float, wide: float, side: int) -> Trim:
    """The half of a front that is turned back along its opening, up to the gorge.

    Args:
        bottom, slope, opening: Where the V starts, how it widens, and its least half width: see ``_vee``.
        top: Height of the gorge.
        wide: From the fold to the lapel's point.
        side: 1 for the figure's left, -1 for its right.
    """
    t = np.linspace(1, 0, 28 if m.lining else 9)[:, None]
    across = np.linspace(0, 1, 7 if m.lining else 3)[None]
    fold = np.concatenate([np.maximum(slope * (top - bottom) * t, opening) + 0.0006, bottom + (top - bottom) * t], 1)
    tip = np.array([slope * (top - bottom) + wide, top - 0.036])
    belly = 0.016 * np.sin(np.pi * t) ** 1.0
    outline = np.concatenate(
        [
            opening + 0.004 + (tip[0] - opening - 0.004) * t + belly,
            bottom - 0.004 + (tip[1] - bottom + 0.004) * t - 0.3 * belly,
        ],
        1,
    )
    xy = fold[:, None] * (1 - across[..., None]) + outline[:, None] * across[..., None]
    rise = np.broadcast_to(0.0025 + 0.0042 * np.sin(0.8 * np.pi * across) + 0.0015 * across, xy.shape[:2]).copy()
    if side < 0:
        xy, rise = xy[:, ::-1] * [-1.0, 1.0], rise[:, ::-1]
    return _grid(m, on_front(m.here, xy[..., 0], xy[..., 1]), rise, 0.006, "tblr")


def _pockets(
    m: _Maker, middle: tuple[float, float], across: tuple[float, float], up: tuple[float, float]
) -> list[Trim]:
    """A flap on the left of the front and its mirror image: its middle and the way to its end and its upper edge."""
    u, v = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(1, -1, 5))
    xy = np.array(middle) + u[..., None] * np.array(across) + v[..., None] * np.array(up)
    rise = np.full(u.shape, 0.0032)
    return [
        _grid(m, on_front(m.here, one[..., 0], one[..., 1]), rise, 0.003, "tblr")
        for one in (xy, xy[:, ::-1] * [-1.0, 1.0])
    ]


def _lap(m: _Maker, high: float, low: float, lift: float = 0.003) -> Trim:
    """The edge of the left front, which lies over the right one."""
    y = np.linspace(high, low, max(int((high - low) / (0.009 if m.lining else 0.04)), 3))[:, None]
    ends = smooth_step((y - low) / 0.05)
    x = np.array([-0.016, -0.008, 0.002, 0.014, 0.030])[None] * (0.1 + 0.9 * ends)
    rise = np.array([1.0, 1.0, 0.95, 0.6, 0.12])[None] * (0.2 + 0.8 * ends) * lift
    return _grid(m, on_front(m.here, x, np.broadcast_to(y, x.shape)), rise, lift, "l")


def _top(m: _Maker, kind: str) -> Design:
    here, v = m.here, m.variant
    arm = here.arm
    if kind == "tank top":
        neck = _neckline(here, 0.070, 0.052)
        shell = m.shell(neck, here.armhole - 0.024, _hem(here, m.hem(0.032)))
        make = Make("jersey", 0.7, hems=(0.042,), variant=v)
        bands = (m.trim(neck + 5e-4, 0.012 - neck, here.armhole - 0.024, lift=0.0012),)
        return Design(shell, body_sheet(m.size, -0.02, False), make, bands, 0.001, 0.5, folds=0.002)
    if kind == "t-shirt":
        end = (0.125, 0.145, 0.165)[v]
        neck = _neckline(here, 0.053, 0.012 + 0.005 * v)
        hem = m.hem((0.034, 0.026, 0.030)[v])
        shell = m.shell(neck, _hem(here, hem), _sleeve(here, end))
        make = Make("jersey", 1.0, hems=(hem + 0.012,), cuffs=(end - 0.012,), variant=v)
        ease = 0.0015 + 0.010 * smooth_step((arm - 0.02) / 0.12)
        return Design(
            shell,
            body_sheet(m.size, -0.035, True),
            make,
            (m.trim(neck + 2e-4, 0.013 - neck, lift=0.0016),),
            ease,
            0.3,
            folds=0.006,
            level=None if m.wear.endswith("tucked") else hem,
        )
    if kind in ("shirt", "blouse"):
        soft = kind == "blouse"
        buttoned = m.wear.startswith("buttoned")
        open_to = 0.455 if buttoned else 0.412 - (0.006 if soft else 0.008 * v)
        line = (0.044, 0.0) if buttoned else (0.046, 0.008)
        neck = _neckline(here, *line)
        vee = np.ones(len(arm)) if buttoned else _vee(here, open_to, 0.42)
        tucked = m.wear.endswith("tucked")
        hem = m.hem(0.026)
        tail = 0.0 if tucked else 0.016
        shell = m.shell(neck, vee, _hem(here, hem, tail), _sleeve(here, SLEEVE_END))
        x, z = here.rest[:, 0], here.rest[:, 2]
        cuff = m.trim(arm - (SLEEVE_END - 0.052), _sleeve(here, SLEEVE_END + 2e-4), lift=0.002)
        placket = m.trim(
            np.where(z > SIDE_Z, 0.015 - np.abs(x), -1), vee + 2e-4, _hem(here, hem + 2e-3), neck - 0.002, lift=0.0016
        )
        collar = (
            _collar(m, line, vee, 0.020, 0.018, (0.22, 0.010))
            if soft
            else _collar(m, line, vee, 0.024, 0.012, (0.20, 0.024))
        )
        if soft:
            ease = 0.003 + 0.016 * smooth_step((arm - 0.04) / 0.2) * smooth_step((SLEEVE_END - 0.035 - arm) / 0.07)
            make = Make("smooth", 1.25, variant=v)
        else:
            ease = 0.0015 + 0.009 * smooth_step((arm - 0.02) / 0.12) * smooth_step((SLEEVE_END - 0.04 - arm) / 0.05)
            make = Make(
                "poplin",
                1.0,
                hems=(hem + 0.012,) if tucked else (),
                cuffs=(SLEEVE_END - 0.004, SLEEVE_END - 0.047),
                variant=v,
            )
        buttons = tuple((0.0, float(at)) for at in np.arange(open_to - 0.004, max(hem + 0.05, 0.0), -0.072))
        return Design(
            shell,
            body_sheet(m.size, -0.04, True),
            make,
            (collar, cuff, placket),
            ease,
            0.3,
            folds=0.006,
            level=None if tucked else hem,
            buttons=buttons,
        )
    hood = kind == "hoodie"
    turtle = kind == "turtleneck"
    hem, band = m.hem(0.030), 0.045 if not turtle else 0.03
    neck = here.neck - 0.004 if turtle else _neckline(here, 0.048 if not hood else 0.045, 0.012)
    shell = m.shell(neck, _hem(here, hem), _sleeve(here, SLEEVE_END))
    loose = 0.5 if turtle else 1.0
    blouse = smooth_step((here.height - hem - band) / 0.03)
    cuffed = smooth_step((SLEEVE_END - band - arm) / 0.03)
    ease = (0.004 + 0.004 * loose * blouse) * np.where(arm > 0.05, cuffed, 1.0)
    ease = ease + loose * 0.010 * smooth_step((arm - 0.02) / 0.12) * cuffed
    ribs = ((hem - 0.01, hem + band),)
    knit = "knit" if not hood else "jersey"
    make = Make(
        knit,
        0.8 if not hood else 1.1,
        ribs=ribs,
        sleeve_ribs=(SLEEVE_END - band, 1.0),
        hems=(hem + band,),
        cuffs=(SLEEVE_END - band,),
        pouch=hem + band if hood else None,
        variant=v,
    )
    trims: list[Trim] = []
    if turtle:
        trims.append(m.trim(neck + 2e-4, 0.042 - here.neck, lift=0.003 + 0.02 * np.clip(here.neck, 0, 0.05)))
    elif not hood:
        trims.append(m.trim(neck + 2e-4, 0.022 - neck, lift=0.0025))
    else:
        trims.append(_hood(m, 0.045))
        inside = pouch(*panel_coordinates(here.rest, FRONT).T)
        inside = np.where(here.rest[:, 2] > SIDE_Z, inside, -1.0)
        trims.append(m.trim(inside, here.height - (hem + band + 0.004), lift=0.007))
    return Design(
        shell,
        body_sheet(m.size, hem - 0.01, True),
        make,
        tuple(trims),
        ease,
        0.22,
        folds=0.007,
        rounds=12,
        thickness=0.004,
        level=None if m.wear.endswith("tucked") else hem,
    )


def _hood(m: _Maker, start: float) -> Trim:
    """A hood lying on the back."""
    here = m.here
    front = _front(here)
    behind = smooth_step((0.55 - front) / 1.2)
    inside = here.neck - start + 0.012 * behind
    x = np.abs(here.rest[:, 0])
    # In front both halves run together, a little lower in the middle, where one crosses the other.
    crossed = 0.013 * np.clip(1 - x / 0.032, 0, 1) * (here.rest[:, 2] > SIDE_Z)
    reach = 0.021 + crossed + 0.164 * smooth_step((-front + 0.15) / 1.1)
    t = np.clip(inside / reach, 0, 1)
    bump = smooth_step(t * 4) * smooth_step((1 - t) * 2.2)
    lift = 0.004 + np.minimum(0.012 + 0.032 * behind, 0.3 * reach) * bump
    for _ in range(4 if m.lining else 1):  # no steeper than the chart can show
        lift = 0.5 * lift + 0.5 * (here.mean @ lift)
    shell = make_shell(here, [inside, reach - inside], False, m.lining and 0.012)
    return Trim(shell, lift)


def _outer(m: _Maker, kind: str) -> Design:
    here, v = m.here, m.variant
    arm, y = here.arm, here.rest[:, 1]
    x, z = here.rest[:, 0], here.rest[:, 2]
    opening = (0.022, 0.034, 0.050)[v]
    roomy = 0.007 * smooth_step((arm - 0.02) / 0.12)
    front = z > SIDE_Z
    sheet = body_sheet(m.size, -0.03, kind != "vest")
    if kind == "vest":
        closed = v != 0
        vee = _vee(here, 0.255, 0.30, 0.0 if closed else 0.022, 0.0 if closed else 0.10)
        low = 0.055 - 0.03 * smooth_step(1 - np.abs(np.abs(x) - 0.035) / 0.05) * front
        shell = m.shell(_neckline(here, 0.066, 0.0), vee, here.height - low, here.armhole - 0.010)
        buttons = tuple((0.0 if closed else 0.032, float(a)) for a in np.arange(0.245, 0.06, -0.045))
        laps = (_lap(m, 0.259, 0.05, 0.0025),) if closed else ()
        return Design(shell, sheet, Make("twill", 0.6, variant=v), laps, 0.002, 0.6, folds=0.001, buttons=buttons)
    if kind == "cardigan":
        hem = 0.0
        vee = _vee(here, 0.27, 0.31, opening, 0.05)
        neck = _neckline(here, 0.066, 0.0)
        shell = m.shell(neck, vee, _hem(here, hem), _sleeve(here, SLEEVE_END))
        rim = np.minimum(vee, neck)
        band = m.trim(rim + 2e-4, 0.026 - rim, _hem(here, hem + 2e-4), lift=0.003)
        cuffed = smooth_step((SLEEVE_END - 0.05 - arm) / 0.03)
        make = Make(
            "knit",
            0.8,
            ribs=((hem - 0.01, hem + 0.05),),
            sleeve_ribs=(SLEEVE_END - 0.05, 1.0),
            hems=(hem + 0.05,),
            variant=v,
        )
        buttons = tuple((opening + 0.013 + 0.05 * (0.27 - float(a)), float(a)) for a in np.arange(0.25, 0.0, -0.06))
        return Design(
            shell,
            body_sheet(m.size, hem - 0.01, True),
            make,
            (band,),
            0.003 + roomy * cuffed,
            0.25,
            rounds=12,
            folds=0.007,
            thickness=0.004,
            level=hem,
            buttons=buttons,
        )
    if kind == "jacket":
        hem = 0.008
        leather = v == 1
        vee = _vee(here, 0.36 if v else 0.40, 0.35, opening if v else 0.0, 0.06 if v else 0.0)
        line = (0.052, 0.008)
        shell = m.shell(_neckline(here, *line), vee, _hem(here, hem), _sleeve(here, SLEEVE_END))
        collar = _collar(m, line, vee, 0.022, 0.022, (0.12, 0.018), 0.008)
        band = m.trim(_hem(here, hem - 2e-4), hem + 0.045 - here.height, vee + 2e-4, lift=0.003)
        cuff = m.trim(arm - (SLEEVE_END - 0.045), _sleeve(here, SLEEVE_END + 2e-4), lift=0.003)
        ends = _hem(here, hem + 2e-4), _neckline(here, line[0] + 0.002, line[1])
        zips = [m.trim(vee + (1e-4 if v else 2e-4), 0.010 - vee, *ends, lift=0.0022)]
        if v == 0:  # closed: teeth run over the middle of the band
            low = np.where(front & (y < 0.398), 0.0026 - np.abs(x), -1.0)
            zips.append(replace(m.trim(low, *ends, lift=0.0046), swatch=2))
        pockets = _pockets(m, (0.1015, 0.10), (0.0075, 0.0026), (-0.0193, 0.055))
        blouse = smooth_step((here.height - hem - 0.045) / 0.03)
        make = Make(
            "leather" if leather else "twill", 0.9, hems=(hem + 0.05, 0.385), cuffs=(SLEEVE_END - 0.05,), variant=v
        )
        ease = 0.004 + 0.005 * blouse + roomy * 1.2 * smooth_step((SLEEVE_END - 0.05 - arm) / 0.03)
        return Design(
            shell,
            sheet,
            make,
            (collar, band, cuff, *zips, *pockets),
            ease,
            0.2,
            rounds=12,
            folds=0.007,
            thickness=0.004,
            level=hem,
        )
    if kind in ("suit jacket", "coat"):
        suit = kind == "suit jacket"
        bottom = (0.165 if suit else 0.23) - 0.02 * (v == 2)
        slope = 0.20 if suit else 0.25
        closed = v != 1
        if closed:  # down to the second button, or all the way
            cutaway = 0.12 * np.maximum(bottom - 0.078 - y, 0) if suit else 0.0
            vee = np.where(front, np.abs(x) - np.maximum(slope * np.maximum(y - bottom, 0), cutaway) - 1e-4, 1.0)
        else:
            vee = _vee(here, bottom, slope, opening, 0.10 if suit else 0.03)
        line, top = (0.056, 0.0), 0.452
        neck = _neckline(here, *line)
        shell = m.shell(neck, vee, _sleeve(here, SLEEVE_END - 0.004), cut=0.045)
        least, wide = 0.0 if closed else opening, 0.052 if suit else 0.060
        lapels = tuple(_lapel(m, bottom, slope, least, top, wide, side) for side in (1, -1))
        fall = _collar(m, line, vee, 0.016, 0.026, (0.20, 0.004), 0.0085)
        laps = (_lap(m, bottom + 0.004, bottom - 0.078 if suit else 0.03),) if closed else ()
        pockets = _pockets(m, (0.097, 0.062), (0.038, -0.003), (0.0, 0.013))
        ease = (0.004 if suit else 0.007) + roomy * (0.8 if suit else 1.2)
        hang_ = (
            Fall(-0.075, -0.05, 3, 0.002, 0.011)
            if suit
            else Fall(KNEE + (0.05, 0.0, 0.03)[v], 0.03, 5, 0.007, 0.013, 0.2)
        )
        make = Make("wool", 0.55 if suit else 0.8, cuffs=(SLEEVE_END - 0.03,), variant=v)
        buttons = (
            (0.0 if v != 1 else opening + 0.016, bottom - 0.006),
            (0.0 if v != 1 else opening + 0.018, bottom - 0.07),
        )
        return Design(
            shell,
            body_sheet(m.size, hang_.hem - 0.02, True),
            make,
            (*lapels, fall, *laps, *pockets),
            ease,
            0.35 if suit else 0.2,
            rounds=14,
            folds=0.004,
            thickness=0.004,
            fall=hang_,
            buttons=buttons,
            button=(0.0085, 0),
        )
    hang_ = Fall((-0.60, -0.45, -0.68)[v], 0.04, 8, 0.011, 0.012, 0.12)
    tall = here.height
    wrap = np.where(y > 0.13, _vee(here, 0.13, 0.24), 1.0)  # closed below, where one side lies over the other
    neck = _neckline(here, 0.066, 0.0)
    end = SLEEVE_END - 0.02
    shell = m.shell(neck, wrap, _sleeve(here, end), cut=0.045)
    rim = np.minimum(_vee(here, 0.13, 0.24), neck)
    band = m.trim(rim + 2e-4, 0.036 - rim, tall - 0.14, lift=0.003)
    belt = m.trim(0.021 - np.abs(tall - 0.15), lift=0.006)
    knot = m.trim(np.where(front, 0.021 - np.hypot(x - 0.01, 0.8 * (y - 0.15)), -1), lift=0.013)
    ends = m.trim(
        np.where(front, 0.0125 - np.abs(np.abs(x - 0.012 - 0.12 * (0.15 - y)) - 0.017), -1),
        0.15 - tall,
        tall - np.where(x > 0.012, 0.052, 0.064),
        lift=0.008,
    )
    cuff = m.trim(arm - (end - 0.05), _sleeve(here, end + 2e-4), lift=0.003)
    cinched = 1 - 0.9 * np.exp(-(((tall - 0.15) / 0.035) ** 2))
    ease = 0.007 * cinched + 0.03 * smooth_step((arm - 0.03) / 0.3)
    make = Make("wool" if v == 1 else "jersey", 1.2, variant=v, lap=0.045)
    return Design(
        shell,
        body_sheet(m.size, hang_.hem - 0.02, True),
        make,
        (band, *(replace(each, swatch=3) for each in (belt, knot, ends)), cuff),
        ease,
        0.35,
        rounds=14,
        folds=0.007,
        thickness=0.004,
        fall=hang_,
    )


def _bottom(m: _Maker, kind: str) -> Design:
    here, v = m.here, m.variant
    tall = here.height
    x, y = here.rest[:, 0], here.rest[:, 1]
    if kind.endswith("skirt"):
        top = 0.145
        hem = {"mini skirt": -0.17, "knee skirt": KNEE + 0.015, "long skirt": -0.68}[kind]
        full = (-0.28, 0.04, 0.14)[v] if kind != "long skirt" else (0.0, 0.08, 0.16)[v]
        folds = (0.002, 0.010, 0.015)[v]
        shell = m.shell(top - tall, cut=0.062)
        band = m.trim(top - tall + 2e-4, tall - (top - 0.03), lift=0.0022)
        make = Make("twill" if v == 0 else "smooth", 0.7, hems=(hem + 0.02,), variant=v)
        return Design(
            shell,
            body_sheet(m.size, hem, False),
            make,
            (band,),
            0.001,
            0.7,
            rounds=12,
            fall=Fall(hem, full, 9 + 2 * v, folds, taper=0.12 if kind == "long skirt" else 0.35),
            waist=top - 0.02,
        )
    top = 0.135 if kind != "leggings" else 0.150
    hem = {
        "trousers": ANKLE - 0.016,
        "jeans": ANKLE - 0.014,
        "shorts": (-0.26, -0.20, -0.30)[v],
        "leggings": ANKLE + 0.03,
    }[kind]
    sheet = leg_sheet(m.size, hem)
    if kind == "leggings":
        shell = m.shell(top - tall, tall - hem, legs=True)
        return Design(
            shell,
            sheet,
            Make("smooth", 0.25, hems=(hem + 0.01,), variant=v),
            (m.trim(top - tall + 2e-4, tall - (top - 0.04), legs=True, lift=0.001),),
            0.0,
            rounds=4,
            thickness=0.002,
        )
    rise = 0.0 if kind == "shorts" else 0.022 * smooth_step((here.rest[:, 2] + 0.02) / 0.09)  # over the instep
    shell = m.shell(top - tall, tall - hem - rise, legs=True, lining=1.5 * m.lining)
    band = m.trim(top - tall + 2e-4, tall - (top - 0.034), legs=True, lift=0.0018)
    jeans = kind == "jeans" or (kind == "shorts" and v == 1)
    stitch = hem + 0.02
    make = Make("denim" if jeans else "twill", 1.0, hems=(stitch,) if kind == "shorts" else (), jeans=jeans, variant=v)
    slip = {"jeans": (0.30, 0.20, 0.42)[v], "trousers": (0.12, 0.18, 0.06)[v], "shorts": 0.2}[kind]
    ease = 0.0015 + 0.003 * smooth_step((CROTCH - 0.05 - y) / 0.1)
    trims = [band]
    for at in (0.05, 0.115):  # belt loops
        loop = np.where(np.abs(x) > 0, 0.0055 - np.abs(np.abs(x) - at), -1)
        trims.append(m.trim(loop, top - 0.002 - tall, tall - (top - 0.038), legs=True, lift=0.0042))
    return Design(
        shell,
        sheet,
        make,
        tuple(trims),
        ease,
        None,
        slip,
        10,
        folds=0.006,
        level=hem,
        buttons=((0.0, top - 0.017),),
        button=(0.0075, 2),
        waist=top - 0.03,
    )


def _dress(m: _Maker, kind: str) -> Design:
    here, v = m.here, m.variant
    arm = here.arm
    hem = {"mini dress": -0.165, "knee dress": KNEE + 0.01, "long dress": -0.70}[kind]
    end = (None, 0.13, SLEEVE_END)[v]
    neck = _neckline(here, 0.072, 0.042) if v == 0 else _neckline(here, 0.066, 0.03)
    fields = [neck, here.armhole - 0.010 if end is None else _sleeve(here, end)]
    shell = m.shell(*fields, cut=0.145)
    band = m.trim(0.016 - np.abs(here.height - 0.165), lift=0.0022)
    rim = m.trim(neck + 2e-4, 0.010 - neck, *fields[1:], lift=0.0012)
    full = (0.14, 0.06, -0.10)[v]
    ease = 0.001 + (0.009 * smooth_step((arm - 0.02) / 0.12) if end else 0.0)
    make = Make("smooth", 0.8, hems=(hem + 0.02,), cuffs=(end - 0.012,) if end else (), variant=v)
    return Design(
        shell,
        body_sheet(m.size, hem, end is not None),
        make,
        (band, rim),
        ease,
        0.9,
        rounds=10,
        folds=0.0015,
        fall=Fall(hem, full, 11, (0.014, 0.010, 0.005)[v], taper=0.12 if kind == "long dress" else 0.35),
    )


def _underwear(m: _Maker, kind: str) -> Design:
    here = m.here
    if kind in ("briefs", "slip shorts"):
        low = -0.125 if kind == "briefs" else -0.150
        fields = [0.085 - here.height, here.height - low]
        if kind == "slip shorts":  # only what shows from below
            n = chart_normals(here)
            fields.append(0.03 * (0.25 - n[:, 0] * np.sign(here.rest[:, 0]) + 0.6 * n[:, 2]))
        shell = m.shell(*fields, legs=True)
        band = m.trim(0.085 - here.height + 2e-4, here.height - 0.06, legs=True, lift=0.001)
        return Design(
            shell,
            leg_sheet(m.size, low),
            Make("jersey", 0.2, hems=(low + 0.01,)),
            (band,),
            0.0,
            rounds=4,
            thickness=0.0018,
        )
    shell = m.shell(_neckline(here, 0.074, 0.055), here.armhole - 0.020, here.height - 0.14)
    return Design(
        shell,
        body_sheet(m.size, 0.12, False),
        Make("jersey", 0.2, hems=(0.15,)),
        (),
        0.0,
        None,
        rounds=8,
        thickness=0.0018,
    )


# --- on a person ---


_SHOES: Mapping[str, tuple[float, ...]] = {
    "sneakers": (0.018, 0.017, 0.016, 0.009, -0.02, -0.02, -0.02),
    "boots": (0.020, 0.015, 0.014, 0.013, 0.011, 0.010, 0.009),
    "shoes": (0.016, 0.014, 0.014, 0.008, -0.02, -0.02, -0.02),
    "heels": (0.018, 0.017, 0.016, 0.012, 0.006, -0.02, -0.02),
    "sandals": (0.009, 0.009, 0.007, 0.003, -0.02, -0.02, -0.02),
}
"""How far shoes stand out of the chart, with room for cloth, at seven heights from the ankle up; metres."""


def _shoe_room(kind: str, height: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Least height of trousers over shoes; very low where there is no shoe."""
    levels = (-0.80, -0.775, -0.75, -0.725, -0.70, -0.65, -0.60)
    stands = _SHOES.get(kind, (-0.02,) * 7)
    room = np.interp(height, levels, stands)
    widest = np.max([stand - 0.09 * (height - level) for level, stand in zip(levels, stands, strict=True)], 0)
    return np.where(height < levels[-1] + 0.005, np.maximum(room, np.where(height > levels[1], widest, room)), -0.02)


@numba.njit(cache=True, nogil=True)
def _support(points, rows, first, step, cx, cz, cosines, sines):
    """Support of the points of each slab of height, by direction."""
    out = np.full((rows, len(cosines)), -1e9)
    for p in range(len(points)):
        at = (first - points[p, 1]) / step
        low, high = int(np.floor(at - 0.25)), int(np.ceil(at + 0.25))
        x, z = points[p, 0] - cx, points[p, 2] - cz
        for r in range(max(low, 0), min(high, rows - 1) + 1):
            for j in range(len(cosines)):
                s = x * sines[j] + z * cosines[j]
                if s > out[r, j]:
                    out[r, j] = s
    return out


@dataclass(frozen=True, eq=False)
class _Dressed:
    """One garment on a person, before it becomes a piece."""

    vertices: list[Float[ndarray, "v 3"]] = field(default_factory=list)
    faces: list[Int[ndarray, "f 3"]] = field(default_factory=list)
    uvs: list[Float[ndarray, "f 3 2"]] = field(default_factory=list)
    weights: list[Float[ndarray, "v 4"]] = field(default_factory=list)
    joints: list[Int[ndarray, "v 4"]] = field(default_factory=list)
    lies: list[sparse.csr_matrix] = field(default_factory=list)
    """Where on the chart, of the first parts; what hangs lies nowhere."""

    def lay(self, vertices: ndarray, shell: Shell, uvs: ndarray) -> None:
        """Adds a cut of the chart; before anything that hangs."""
        self.lies.append(shell.mix)
        self.add(vertices, shell.faces, uvs, shell.weights, shell.joints)

    def buried(self, inside: Float[ndarray, "n"]) -> Bool[ndarray, "f"]:
        """Faces under cloth that reaches at least ``_MARGIN`` beyond them, given how far it reaches on the chart."""
        covered = (inside > _MARGIN).astype(np.float64)
        deep = [lie @ covered > 0.999 for lie in self.lies]
        deep += [np.zeros(len(v), bool) for v in self.vertices[len(deep) :]]
        return np.asarray(np.concatenate(deep)[np.concatenate(self.faces)].all(1))

    def add(self, vertices: ndarray, faces: ndarray, uvs: ndarray, weights: ndarray, joints: ndarray) -> None:
        start = sum(len(v) for v in self.vertices)
        self.vertices.append(vertices)
        self.faces.append(faces + start)
        self.uvs.append(uvs)
        self.weights.append(weights)
        self.joints.append(joints)


@cache
def _placed(plan: Design) -> tuple[Float[ndarray, "f 3 2"], ...]:
    """Texture coordinates of a design's shell and trims."""
    shells = ((plan.shell, None), *((trim.shell, trim.swatch) for trim in plan.trims))
    return tuple(
        (
            plan.sheet.uv(shell.uvs, shell.panels) if swatch is None else plan.sheet.swatch(swatch, len(shell.faces))
        ).astype(np.float32)
        for shell, swatch in shells
    )


@cache
def _fall_uvs(kind: str, variant: int, detail: Detail) -> Float[ndarray, "f 3 2"]:
    """Texture coordinates of a design's skirt."""
    _, uvs, panels, _ = _fall_mesh(kind, variant, detail)
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


_ROUNDED = 6.0
"""Of what hangs: half the curvature of its outline from above downwards, at most; a metre."""


def _outline(
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


def _turns(rim: Float[ndarray, "k 3"], z: float, detail: Detail) -> Float[ndarray, "k"]:
    """The angles round x = 0 and a depth under which a skirt hangs from its rim.

    They go on evenly where the rim's corners crowd, and where it doubles back on itself.
    """
    angle = np.unwrap(np.arctan2(rim[:, 0], rim[:, 2] - z))
    forward = np.sign(angle[-1] - angle[0])
    angle = forward * np.maximum.accumulate(forward * angle)
    for _ in range(12 if detail == "full" else 1):
        angle[1:-1] = (angle[:-2] + 2 * angle[1:-1] + angle[2:]) / 4
    return angle


def _fallen(
    fall: Fall, rim: Float[ndarray, "k"], hull: Float[ndarray, "r k"], angle: Float[ndarray, "k"], step: float
) -> Float[ndarray, "r k"]:
    """Distances from the middle of a skirt without folds: outside the hull, never narrower than gravity asks.

    Args:
        rim: Distances at the rim.
        step: From ring to ring, metres.
    """
    out = np.empty_like(hull)
    out[0] = rim
    # It flares at the sides alone: before and behind it falls back to the legs, so that a lap is no bell.
    slope = fall.flare - fall.taper * np.cos(angle) ** 2
    for r in range(1, len(hull)):
        near = hull[r] if r > 2 else np.maximum(hull[r] - (3 - r) * 0.002, 0)
        out[r] = np.maximum(out[r - 1] + slope * step * min(r / 3, 1.0), near)
    return out


def _drape(
    person: Person, fit: Fit, plan: Design, rim: Float[ndarray, "k 3"], obstacles: Float[ndarray, "n 3"], phase: float
) -> Float[ndarray, "r k 3"]:
    """Rings of a skirt from its rim down: outside the obstacles' hull, never narrower than gravity asks, in folds."""
    fall, shell = plan.fall, plan.shell
    assert fall is not None
    cut = float(shell.rest[shell.cut, 1].mean())
    canonical = fall_rows(fall, cut, person.detail)
    heights = fit.height_of(canonical, person)
    heights = heights + (rim[:, 1].mean() - heights[0]) * np.linspace(1, 0, len(heights)) ** 2
    cx, cz = 0.0, float((rim[:, 2].max() + rim[:, 2].min()) / 2)
    angle = _turns(rim, cz, person.detail)
    radius = np.hypot(rim[:, 0] - cx, rim[:, 2] - cz)
    step = float(heights[0] - heights[-1]) / (len(heights) - 1)
    hull = _outline(obstacles, heights, (cx, cz), angle, fall.gap * fit.scale)
    rings = np.empty((len(heights), len(rim), 3))
    rings[0] = rim
    out = _fallen(fall, radius, hull, angle, step)
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
    rings[1:, :, 0] = cx + out[1:] * np.sin(angle)
    rings[1:, :, 1] = heights[1:, None] + (rim[:, 1] - rim[:, 1].mean())[None] * (1 - down[1:]) ** 3
    rings[1:, :, 2] = cz + out[1:] * np.cos(angle)
    return rings


def _room(
    fit: Fit, outer: Float[ndarray, "n"], hanging: Sequence[Float[ndarray, "_ _ 3"]], points: Float[ndarray, "k 3"]
) -> Float[ndarray, "k 3"]:
    """The way out of what is worn round the hips, skirts included, for points that lie in it; zero elsewhere."""
    near = np.flatnonzero((fit.chart.height < 0.25) & (fit.chart.height > -0.2))
    below = fit.points[near] + (outer[near] + GAP)[:, None] * fit.normals[near]
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


def _over_skirt(fit: Fit, rings: Float[ndarray, "r k 3"]) -> Float[ndarray, "n"]:
    """Heights that bring the chart outside a skirt, near the skirt's rim; zero elsewhere."""
    top, bottom = rings[0, :, 1].min(), rings[0, :, 1].mean() - 0.16 * fit.scale
    near = np.flatnonzero((fit.chart.height < 0.3) & (fit.points[:, 1] < top) & (fit.points[:, 1] > bottom))
    return _out_to(fit, rings, near)


def _above_skirt(fit: Fit, target: Float[ndarray, "n"], cut: float) -> Float[ndarray, "n"]:
    """Heights that bring the chart out to where a skirt below it will hang, towards the skirt's rim; zero elsewhere."""
    y = fit.chart.height
    near = np.flatnonzero((y < cut + 0.08) & (y > cut - 0.1))
    raised = fit.points[near] + target[near, None] * fit.normals[near]
    heights = np.arange(raised[:, 1].max(), raised[:, 1].min() - 0.02, -0.02)
    middle = float((raised[:, 2].max() + raised[:, 2].min()) / 2)
    angle = np.arange(96) / 96 * 2 * np.pi - np.pi
    radius = _outline(raised, heights, (0.0, middle), angle, 0.0)
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


@kept(lambda kind, variant, detail: f"fall-weights-{kind}-{variant}-{detail}".replace(" ", "_"))
def _fall_weights(kind: str, variant: int, detail: Detail) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Skin weights of a skirt's rings, rim excluded: those of the body underneath, front and back alike.

    Across the middle both legs share it, over a width that grows towards the hem, so that a stride does not tear it.
    """
    plan, here = design(kind, variant, detail), chart(detail)
    assert plan.fall is not None
    shell = plan.shell
    dense_rim = np.zeros((len(shell.cut), len(_joint_names())))
    np.put_along_axis(dense_rim, shell.joints[shell.cut], shell.weights[shell.cut], 1)
    rim = shell.rest[shell.cut]
    levels = fall_rows(plan.fall, float(rim[:, 1].mean()), detail)
    near = np.flatnonzero((here.arm == 0) & (here.height < 0.3))
    under = here.rest[near]
    step = float(levels[0] - levels[-1]) / (len(levels) - 1)
    angle = _turns(rim, SIDE_Z, detail)
    turn = np.arange(64) / 64 * 2 * np.pi
    reach = _support(under, len(levels), float(levels[0]), step, 0.0, SIDE_Z, np.cos(turn), np.sin(turn))
    reach = _hull(reach, angle, turn)
    wide = _fallen(plan.fall, np.hypot(rim[:, 0], rim[:, 2] - SIDE_Z), reach + plan.fall.gap, angle, step)
    weights = _hanging_weights(detail)[near]
    names, mirrored = _joint_names(), _mirrored_joints()
    root = names.index("root")
    limbs = [(names.index(f"upperleg01.{side}"), names.index(f"lowerleg01.{side}")) for side in "LR"]
    soft = 0.009 + 0.035 * smooth_step((-0.08 - levels) / 0.25)
    # Before, where thighs rise, the web between the legs starts at their insides; behind it may be wider.
    heights, wides = (-0.75, -0.36, -0.17, -0.04), ((0.28, 0.13, 0.065, 0.06), (0.34, 0.16, 0.105, 0.09))
    before, behind = (np.interp(levels, heights, each) for each in wides)
    begin = smooth_step((levels[0] - levels) / 0.02)
    deep = 0.24 * smooth_step((-0.06 - levels) / 0.12) * smooth_step((levels + 0.42) / 0.12)
    # A front that opens goes with either leg.
    around = (angle + np.pi) % (2 * np.pi) - np.pi
    opened = 0.0 if shell.closed else smooth_step((1.5 - np.abs(around)) / 0.6)
    apart = (smooth_step((levels[0] - levels) / 0.18)[:, None] * opened)[..., None]
    rows = []
    for r in range(1, len(levels)):
        at = np.stack([reach[r] * np.sin(angle), np.full(len(angle), levels[r]), SIDE_Z + reach[r] * np.cos(angle)], 1)
        level = np.flatnonzero(np.abs(under[:, 1] - levels[r]) < 0.12)
        away = cdist(at, under[level], "sqeuclidean")
        share = np.exp(-(away - away.min(1, keepdims=True)) / (2 * soft[r] ** 2))
        own = (share / share.sum(1, keepdims=True)) @ weights[level]
        both = own + own[:, mirrored]
        across = np.where(at[:, 2] > SIDE_Z, before[r], behind[r])
        left = np.clip(0.5 + wide[r] * np.sin(angle) / across, 0, 1)[:, None]
        left += apart[r] * (np.where(around > 0, 1.0, 0.0)[:, None] - left)
        mine = np.where(_sides()[None] > 0, left, np.where(_sides()[None] < 0, 1 - left, 0.5))
        own = both * mine
        # In front between the thighs it sags when they rise.
        sag = deep[r] * (1 - smooth_step(np.abs(at[:, 0]) / 0.06)) * (at[:, 2] > SIDE_Z)
        own = own * (1 - sag[:, None])
        own[:, root] += sag
        for thigh, shin in limbs:  # which keeps it to few joints there
            bent = own[:, shin] * np.minimum(sag / 0.1, 1)
            own[:, thigh] += bent
            own[:, shin] -= bent
        rows.append(dense_rim * (1 - begin[r]) + own * begin[r])
    return steady_four(np.concatenate(rows).astype(np.float32))


@cache
def _sides() -> Int[ndarray, "j"]:
    """1 for joints of the left, -1 for those of the right, 0 in the middle."""
    return np.array([1 if name.endswith(".L") else -1 if name.endswith(".R") else 0 for name in _joint_names()])


def _hanging_across(angle: Float[ndarray, "k"], panel: int) -> Float[ndarray, "k"]:
    """Pattern coordinates across, by the angle round the torso: zero in front, growing to the figure's left."""
    turn = angle if panel == FRONT else np.pi - angle
    return ((turn + np.pi) % (2 * np.pi) - np.pi) * 2 * SIDE / np.pi


@cache
def _fall_mesh(
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
    angle = _turns(where, SIDE_Z, detail)
    panel = np.where(np.cos(angle[at[j]]) + np.cos(angle[at[jn]]) < 0, BACK, FRONT)
    y = np.concatenate([rows, rows[-1:], rows[-1:] + 0.03][: 1 + 2 * (folded > 0)])
    # Below the rim, pattern coordinates are as even as the turns: where its corners crowd, cloth would smear.
    u = {p: np.stack([panel_coordinates(where, p)[:, 0], _hanging_across(angle, p)]) for p in (FRONT, BACK)}
    across_u = np.stack(
        [
            np.where(panel == FRONT, u[FRONT][np.minimum(r, 1), at[c]], u[BACK][np.minimum(r, 1), at[c]])
            for r, c in ((i, j), (i + 1, j), (i + 1, jn), (i, jn))
        ],
        1,
    )
    corners = np.stack([across_u, np.stack([y[i], y[i + 1], y[i + 1], y[i]], 1)], 2)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    uvs = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    return faces, uvs, np.concatenate([panel, panel]), grid


def _fold_in(rings: Float[ndarray, "r k 3"], closed: bool, thickness: float, width: float) -> Float[ndarray, "s l 3"]:
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


@dataclass(eq=False)
class _Wardrobe:
    """What is already on: grows from the skin outwards."""

    person: Person
    fit: Fit
    outer: Float[ndarray, "n"]
    """Height of the outermost cloth on the chart."""
    hanging: list[Float[ndarray, "r k 3"]]
    """Rings of skirts already on."""
    dressed: list[_Dressed] = field(default_factory=list)
    """What is on, in order."""
    covered: list[Float[ndarray, "n"]] = field(default_factory=list)
    """How far what is worn over each of them reaches beyond the chart's vertices, metres; negative outside."""

    def wear(self, name: str, kind: str, garment: Garment, how: Wear = "") -> Piece:
        person, fit, here = self.person, self.fit, self.fit.chart
        rng = person.rng(name)
        variant = int(rng.integers(VARIANTS))
        plan = design(kind, variant, person.detail, how)
        full = person.detail == "full"
        small = float(np.clip(fit.scale, 0.65, 1.1))
        least = self.outer + GAP
        for rings in self.hanging:
            least = np.maximum(least, _over_skirt(fit, rings) + GAP)
        if kind in ("trousers", "jeans") and person.spec.shoes is not None:
            least = np.maximum(least, _shoe_room(person.spec.shoes.kind, here.height) * fit.scale)
        if name == "outer":  # round the neck it goes gently over the edges of collars and hoods
            for _ in range(6 if full else 2):
                least = np.where(here.neck < 0.22, np.maximum(least, here.mean @ least), least)
        chest = smooth_step((here.rest[:, 1] - 0.24) / 0.08) * (here.arm < 0.02)
        # Towards the neck and openings of the chest everything lies closer.
        edge = np.clip(plan.shell.inside * fit.scale, 0, None)
        ease = np.broadcast_to(plan.ease, least.shape) * small * (1 - 0.8 * chest * (1 - smooth_step(edge / 0.04)))
        target = least + ease
        if plan.slip is not None:
            target = np.maximum(target, 0.9 * hang(fit, 0, plan.slip) + 0.5 * GAP + ease)
            target = np.maximum(target, bridge(fit) + 0.5 * GAP + ease)
        if plan.fall is not None:
            target = np.maximum(target, _above_skirt(fit, target, _cut_height(plan)))
        # Cloth rests on the shoulders: it does not span the hollow between them and the neck.
        slack = 0.003 - 0.002 * chest * (1 - smooth_step(edge / 0.03))
        most = np.where(here.arm > 0.02, 0.2, least + ease + slack + 0.25 * np.maximum(here.neck - 0.13, 0))
        if plan.leg_slip is not None:
            for leg in (1, 2):
                target = np.maximum(target, hang(fit, leg, plan.leg_slip) + ease)
            inner = -fit.normals[:, 0] * np.sign(fit.points[:, 0])
            room = (np.abs(fit.points[:, 0]) - 0.003) / np.maximum(inner, 0.3)
            most = np.where((inner > 0.3) & (here.height < 0.0), np.maximum(room, least), most)
        if plan.waist is not None:
            hug = least + 0.0003 + 0.06 * np.maximum(plan.waist - here.height, 0) / 0.1
            most = np.where(here.height > plan.waist - 0.1, np.minimum(most, hug), most)
        if how.endswith("tucked"):  # drawn in at the waistband, it blouses over it
            most = np.where(
                here.height < 0.3,
                np.minimum(most, least + 0.0006 + np.clip(0.22 * (here.height - 0.135), 0, 0.1)),
                most,
            )
        if plan.folds:
            target = target + plan.folds * small * _waves(person.detail, variant)
        rounds = plan.rounds if full else max(plan.rounds // 4, 1)
        heights = relax(fit, target, least, most, rounds, 0.5)
        if plan.folds and full:
            heights = np.minimum(
                heights + plan.folds * small * _waves(person.detail, variant), np.maximum(most, heights)
            )
        room = np.maximum(heights - self.outer - 0.0006, 0.0008)
        dressed = _Dressed()
        shell = plan.shell
        thick = np.minimum(room, plan.thickness * small)
        # Round the neck and along openings the lining slopes down to what is worn below, so that no gap looks in.
        slope = np.clip(edge / 0.014, 0, 1) * chest
        thick = np.maximum(thick, slope * (heights - self.outer + 0.008))
        points = raise_shell(fit, shell, heights, thick)
        outside = fit.points + heights[:, None] * fit.normals
        shift = np.zeros_like(outside)
        if plan.level is not None and (name != "top" or person.spec.outer is None):
            shift = self._level(outside, plan)
            points += shell.mix @ shift
        dressed.lay(points, shell, _placed(plan)[0])
        outer = self.outer.copy()
        outer[shell.covered] = np.maximum(outer, heights)[shell.covered]
        for trim, uvs in zip(plan.trims, _placed(plan)[1:], strict=True):
            lifted = heights + trim.lift * small
            if trim.rise is None:
                cover = raise_shell(fit, trim.shell, lifted, np.minimum(trim.lift * small - 0.0004, 0.003))
            else:
                cover = raise_shell(fit, trim.shell, heights, np.full(len(heights), 0.0022), trim.rise * small)
            cover += trim.shell.mix @ shift
            dressed.lay(cover, trim.shell, uvs)
            outer[trim.shell.covered] = np.maximum(outer, lifted)[trim.shell.covered]
        if full and plan.buttons:
            self._add_buttons(dressed, plan, fit.points + outer[:, None] * fit.normals + shift, small)
        rings = None
        if plan.fall is not None:
            legs = np.flatnonzero((here.height < 0.2) & (here.height > plan.fall.hem - 0.1))
            below = fit.points[legs] + self.outer[legs, None] * fit.normals[legs]
            obstacles = np.concatenate([below, *(rings[1:].reshape(-1, 3) for rings in self.hanging)])
            rings = _drape(person, fit, plan, points[shell.cut], obstacles, float(rng.uniform(0, 6.3)))
            self.hanging.append(rings)
            self._add_fall(dressed, kind, variant, plan, rings, small)
        self.outer = outer
        inside = np.where((plan.fall is None) | (here.height > _cut_height(plan)), shell.inside * fit.scale, -1.0)
        self.covered = [np.maximum(each, inside) for each in self.covered]
        self.covered.append(np.full(len(inside), -1.0))
        self.dressed.append(dressed)
        grains = None
        if garment.pattern not in ("plain", "two-tone"):
            grains = _grains(fit, person.detail, plan, outside + shift, rings)
        material = cloth(
            plan.sheet, garment, plan.make, self._scale(), person.spec.seed, full, double_sided=True, grains=grains
        )
        return Piece(
            name,
            np.concatenate(dressed.vertices).astype(np.float32),
            np.concatenate(dressed.faces),
            np.concatenate(dressed.uvs).astype(np.float32),
            np.concatenate(dressed.weights),
            np.concatenate(dressed.joints),
            material,
            hides=self._hides(plan),
        )

    def shown(self, worn: Sequence[Piece]) -> list[Piece]:
        """The pieces without what lies deep under others, where a bend could only bring it through."""
        out = []
        for piece, dressed, inside in zip(worn, self.dressed, self.covered, strict=True):
            if inside.max() > _MARGIN:
                seen = ~dressed.buried(inside)
                piece = replace(piece, faces=piece.faces[seen], uvs=piece.uvs[seen])
            out.append(piece)
        return out

    def _level(self, outside: Float[ndarray, "n 3"], plan: Design) -> Float[ndarray, "n 3"]:
        """The way that brings the lowest part to the heights it was drawn at, whatever the body inside is like.

        Args:
            outside: Where cloth lies at each chart vertex.

        Returns:
            By chart vertex, so that a hem's inside and what is sewn on go the same way.
        """
        here, hem = self.fit.chart, plan.level
        assert hem is not None
        share, side = smooth_step((hem + 0.12 - here.height) / 0.09) * plan.shell.covered, here.rest[:, 0]
        legs = bool((plan.shell.panels == LEG_LEFT).any())
        out = np.zeros_like(outside)
        for part in ((side > 0), (side <= 0)) if legs else (np.ones(len(side), bool),):
            low = np.flatnonzero(part & (share > 0))
            off = outside[low, 1] - self.fit.height_of(here.rest[low, 1], self.person)
            out[low, 1] = share[low] * (np.average(off, weights=share[low] ** 4) - off)
            if not legs:
                away = _room(self.fit, self.outer, self.hanging, outside[low] + out[low])
                out[low] += away * np.clip(np.abs(out[low, 1]) / 0.008, 0, 1)[:, None]
        # Cloth raised far out of the cleft from both of its sides would cross itself there.
        behind = np.flatnonzero((share > 0) & (here.rest[:, 2] < SIDE_Z - 0.03) & (np.abs(side) < 0.06))
        near, rate = here.mean[behind], share[behind] * smooth_step((0.06 - np.abs(side[behind])) / 0.03)
        x = outside[:, 0] + out[:, 0]
        for _ in range(0 if legs else 24 if self.person.detail == "full" else 6):
            x[behind] += rate * (near @ x - x[behind])
        out[behind, 0] = x[behind] - outside[behind, 0]
        return out

    def _add_fall(self, dressed: _Dressed, kind: str, variant: int, plan: Design, rings: ndarray, small: float) -> None:
        detail, shell = self.person.detail, plan.shell
        faces, _, _, grid = _fall_mesh(kind, variant, detail)
        k = rings.shape[1]
        weights, joints = _fall_weights(kind, variant, detail)
        weights = np.concatenate([shell.weights[shell.cut][None], weights.reshape(-1, k, 4)])
        joints = np.concatenate([shell.joints[shell.cut][None], joints.reshape(-1, k, 4)])
        if detail == "full":
            rings = _fold_in(rings, shell.closed, plan.thickness * small, 0.02 * small)
            order = np.concatenate([np.arange(len(weights)), [len(weights) - 1, len(weights) - 2]])
            across = np.arange(k) if shell.closed else np.concatenate([[0, 0], np.arange(k), [k - 1, k - 1]])
            weights, joints = weights[order][:, across], joints[order][:, across]
        # The rim belongs to the shell already: its faces point there, so that shading runs on.
        side = (grid.shape[1] - k) // 2
        start = sum(len(v) for v in dressed.vertices)
        number = grid.ravel() + start
        number[grid[0, side : side + k]] = shell.cut
        dressed.vertices.append(rings.reshape(-1, 3))
        dressed.faces.append(number[faces])
        dressed.uvs.append(_fall_uvs(kind, variant, detail))
        dressed.weights.append(weights.reshape(-1, 4))
        dressed.joints.append(joints.reshape(-1, 4))

    def _add_buttons(self, dressed: _Dressed, plan: Design, outside: Float[ndarray, "n 3"], small: float) -> None:
        fit, here = self.fit, self.fit.chart
        front = np.flatnonzero((here.rest[:, 2] > 0.03) & (here.arm == 0))
        radius, swatch = plan.button
        for x, y in plan.buttons:
            v = int(front[np.argmin(np.hypot(here.rest[front, 0] - x, here.rest[front, 1] - y))])
            ring = here.mean[v].indices
            around = outside[ring] - outside[ring].mean(0)
            out = np.linalg.svd(around)[2][2]  # it lies on the cloth, which may lean away from the body
            out = out * np.sign(out @ fit.normals[v])
            rise = max(float(((outside[ring] - outside[v]) @ out).mean()), 0.0)
            button, faces = _button(outside[v] + rise * out, out, radius * small)
            weights, joints = top_four(np.repeat(here.weights[v : v + 1], len(button), 0))
            at = np.arange(len(button)), np.full(len(button), v)
            dressed.lies.append(sparse.csr_matrix((np.ones(len(button)), at), (len(button), len(here.rest))))
            dressed.add(button, faces, plan.sheet.swatch(swatch, len(faces)), weights, joints)

    def _scale(self) -> Scale:
        fit, grid = self.fit, self.fit.chart.grids[0]
        members = grid.members
        here = np.hypot(fit.points[members, 0], fit.points[members, 2] - fit.points[members, 2].mean()).mean()
        mean = np.hypot(
            fit.chart.rest[members, 0], fit.chart.rest[members, 2] - fit.chart.rest[members, 2].mean()
        ).mean()
        return Scale(float(here / mean), fit.scale, fit.scale)

    def _hides(self, plan: Design) -> Bool[ndarray, "b"]:
        return _hidden(self.person, self.fit, plan)


def _grains(
    fit: Fit, detail: Detail, plan: Design, outside: Float[ndarray, "n 3"], rings: Float[ndarray, "r k 3"] | None
) -> dict[int, Grain]:
    """How each pattern piece of a worn garment lies flat.

    A torso's are straight down the middle, and meet at one height along the sides; a leg's begin at the seam in front.

    Args:
        outside: Where cloth lies at each chart vertex.
        rings: Of what hangs from it.
    """
    out: dict[int, Grain] = {}
    for panel in {place[0] for place in plan.sheet.places}:
        grid = nodes(detail, panel)
        us, vs, sound = grid.us, grid.vs, grid.sound
        points = (grid.mix @ outside).reshape(*sound.shape, 3)
        if rings is not None and panel in (FRONT, BACK):
            assert plan.fall is not None
            rim = plan.shell.rest[plan.shell.cut]
            levels = fall_rows(plan.fall, float(rim[:, 1].mean()), detail)
            above = vs > levels[0] + 0.006
            u = _hanging_across(_turns(rim, SIDE_Z, detail), panel)
            mine = np.argsort(u)
            mine = mine[np.abs(u[mine]) < 1.2 * SIDE]
            u = u[mine]
            place = np.interp(us, u, np.arange(len(u)))
            low = np.minimum(place.astype(int), len(u) - 2)
            share = (place - low)[None, :, None]
            hanging = rings[:, mine[low]] * (1 - share) + rings[:, mine[low + 1]] * share
            seen = np.broadcast_to((us > u[0] - 0.004) & (us < u[-1] + 0.004), hanging.shape[:2])
            vs = np.concatenate([vs[above], levels])
            points, sound = np.concatenate([points[above], hanging]), np.concatenate([sound[above], seen])
        step = float(us[1] - us[0]) * fit.scale, float(vs[0] - vs[1]) * fit.scale
        flat = spread(points, sound, step, _pins(panel, us, vs, points, sound, fit.scale))
        if panel == LEG_RIGHT:  # a mirror image, so that its pattern goes on from the left one's
            flat = flat * [-1.0, 1.0]
        out[panel] = Grain(us, vs, flat, panel not in (FRONT, BACK))
    return out


def _pins(
    panel: int,
    us: Float[ndarray, "u"],
    vs: Float[ndarray, "v"],
    points: Float[ndarray, "v u 3"],
    sound: Bool[ndarray, "v u"],
    scale: float,
) -> list[Pin]:
    """What holds a pattern piece while it is spread flat."""
    shape, rows, middle = sound.shape, np.arange(len(vs)), len(us) // 2

    def column(at: float | ndarray, chosen: ndarray) -> sparse.csr_matrix:
        return pick(shape, chosen, np.broadcast_to((at - us[0]) / (us[1] - us[0]), chosen.shape))

    def along(at: int) -> Float[ndarray, "v"]:
        """Metres up along a column from the level of zero; even steps where it is not sound."""
        steps = np.linalg.norm(np.diff(points[:, at], axis=0), axis=1)
        steps = np.where(sound[1:, at] & sound[:-1, at], steps, -np.diff(vs) * scale)
        up = -np.concatenate([[0.0], np.cumsum(steps)])
        return up - np.interp(0.0, vs[::-1], up[::-1])

    zero = np.zeros(len(vs))
    if panel == SLEEVE:
        ends = column(us[0], rows) - column(us[-1], rows)
        return [(column(0.0, rows), 0, zero, 1.0), (ends, 1, zero, 1.0), (column(0.0, rows), 1, along(middle), 0.05)]
    if panel in (FRONT, BACK):
        sides = round(SIDE / (us[1] - us[0]))
        up = (along(middle - sides) + along(middle + sides)) / 2
        held = rows[(vs < 0.335) & sound[:, middle - sides] & sound[:, middle + sides]]
        seams = [(column(at, held), 1, up[held], 1.0) for at in (-SIDE, SIDE)]
        return [(column(0.0, rows), 0, zero, 3.0), *seams]
    front = rows[(vs < 0.125) & (vs > -0.05)]
    at = np.interp(vs[front], (-0.062, -0.02, 0.03, 0.094), (-0.206, -0.190, -0.181, -0.177))
    return [(column(at, front), 0, zero[front], 2.0), (column(0.0, rows), 1, along(middle), 1.0)]


def _hidden(person: Person, fit: Fit, plan: Design) -> Bool[ndarray, "b"]:
    """Body faces well inside a garment."""
    here = fit.chart
    # Round the neck the lining lies on the skin: nothing looks in, and a raised shoulder brings the skin through.
    chest = (here.rest[:, 1] > 0.3) & (here.arm < 0.02)
    inside = plan.shell.inside * fit.scale >= np.where(chest, 0.016, 0.025)
    if plan.fall is not None:
        closed_below = plan.shell.closed
        # A seated figure shows its thighs below a short skirt.
        under = (here.height < 0.2) & (here.height > max(min(plan.fall.hem + 0.25, CROTCH - 0.04), CROTCH - 0.35))
        cut = _cut_height(plan)
        # What faces out and back does not show from below.
        outward = fit.normals[:, 0] * np.sign(here.rest[:, 0]) - 0.6 * fit.normals[:, 2] > 0.35
        under |= outward & (here.height < 0.2) & (here.height > plan.fall.hem + 0.11)
        inside = np.where(here.height < cut, under & closed_below, inside)
    body, where = here.below
    vertex = np.zeros(person.body.parts["body"].stop, bool)
    vertex[body] = inside[where]
    return np.asarray(vertex[person.body.parts["body"].faces].all(1))


def _cut_height(plan: Design) -> float:
    """Of the rim that a skirt hangs from, on the mean person."""
    return float(plan.shell.rest[plan.shell.cut, 1].mean()) if plan.fall is not None else -np.inf


def _button(middle: ndarray, normal: ndarray, radius: float) -> tuple[Float[ndarray, "v 3"], Int[ndarray, "f 3"]]:
    """A small domed disc."""
    up = np.array([0.0, 1.0, 0.0])
    side = np.cross(up, normal)
    side /= np.linalg.norm(side)
    up = np.cross(normal, side)
    turn = np.arange(10) / 10 * 2 * np.pi
    circle = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up
    rings = [(1.0, 0.0), (1.0, 0.22), (0.86, 0.34), (0.7, 0.22)]
    points = np.concatenate(
        [middle + radius * (r * circle + h * normal) for r, h in rings] + [(middle + radius * 0.2 * normal)[None]]
    )
    i = np.arange(10)
    j = (i + 1) % 10
    faces = []
    for k in range(len(rings) - 1):
        faces += [np.stack([i, j, j + 10], 1) + 10 * k, np.stack([i, j + 10, i + 10], 1) + 10 * k]
    last = 10 * (len(rings) - 1)
    faces.append(np.stack([i + last, j + last, np.full(10, last + 10)], 1))
    return points, np.concatenate(faces)


_BASE_COLOURS = (Colour("white", "#eeeeec"), Colour("grey", "#8d9096"), Colour("black", "#232326"))


def garment_pieces(person: Person) -> list[Piece]:
    """Everything cut from cloth that a person wears, from the skin outwards; underwear where nothing else covers."""
    spec = person.spec
    fit = fit_chart(person)
    on = _Wardrobe(person, fit, fit.skin + _SKIN_GAP - GAP, [])
    plain = Garment("t-shirt", _BASE_COLOURS[int(person.rng("underwear").integers(3))])
    skirt = spec.bottom is not None and spec.bottom.kind.endswith("skirt")
    under: list[Piece] = []
    if spec.dress is not None or spec.bottom is None or skirt:
        outside = spec.dress if spec.dress is not None else spec.bottom if skirt else None
        if outside is None:
            under.append(on.wear("underwear", "briefs", plain))
        else:  # what shows under a skirt is its own shade
            under.append(on.wear("underwear", "slip shorts", Garment("shorts", _darkened(outside.colour))))
    if spec.dress is None and spec.top is None:
        under.append(on.wear("underwear", "undershirt", plain))
    tucked = spec.top is not None and (skirt or is_tucked(person))
    layers = [("top", spec.top), ("bottom", spec.bottom)] if tucked else [("bottom", spec.bottom), ("top", spec.top)]
    worn = list(under)
    for name, garment in (*layers, ("dress", spec.dress), ("outer", spec.outer)):
        if garment is not None:
            how = _wear(spec, tucked) if name == "top" else ""
            worn.append(on.wear(name, garment.kind, garment, how))
    shown = on.shown(worn)
    return [*([_join(shown[: len(under)])] if under else []), *shown[len(under) :]]


def _wear(spec: FigureSpec, tucked: bool) -> Wear:
    """How the top is worn."""
    tied = any(extra.kind in ("tie", "bow tie") for extra in spec.extras)
    if tied and spec.top is not None and spec.top.kind in ("shirt", "blouse"):
        return "buttoned tucked" if tucked else "buttoned"
    return "tucked" if tucked else ""


def _darkened(colour: Colour) -> Colour:
    return Colour(f"dark {colour.name}", "#" + "".join(f"{round(255 * 0.42 * c):02x}" for c in colour.srgb))


def is_tucked(person: Person) -> bool:
    """Whether the top goes into the bottom."""
    spec = person.spec
    if spec.top is None or spec.bottom is None:
        return False
    if spec.bottom.kind.endswith("skirt"):
        return True
    if any(extra.kind == "belt" for extra in spec.extras):
        return True
    if spec.bottom.kind == "leggings" or spec.top.kind in ("sweater", "hoodie", "turtleneck"):
        return False
    if spec.outer is not None and spec.outer.kind in ("suit jacket", "vest"):
        return True
    chance = {"shirt": 0.5, "blouse": 0.6, "tank top": 0.3, "t-shirt": 0.15}[spec.top.kind]
    return bool(person.rng("tuck").random() < chance)


def _join(pieces: list[Piece]) -> Piece:
    """Pieces of one colour as one piece; the larger sheet of the two serves both, so uv places must agree."""
    if len(pieces) == 1:
        return pieces[0]
    a, b = pieces
    tall = np.concatenate([a.material.albedo, b.material.albedo], 0)
    normal = None
    if a.material.normal is not None and b.material.normal is not None:
        normal = np.concatenate([a.material.normal, b.material.normal], 0)
    material = replace(a.material, albedo=tall, normal=normal)
    uvs = np.concatenate([a.uvs * [1.0, 0.5], b.uvs * [1.0, 0.5] + [0.0, 0.5]]).astype(np.float32)
    hides = a.hides | b.hides if a.hides is not None and b.hides is not None else None
    return replace(
        a,
        vertices=np.concatenate([a.vertices, b.vertices]),
        faces=np.concatenate([a.faces, b.faces + len(a.vertices)]),
        uvs=uvs,
        skin_weights=np.concatenate([a.skin_weights, b.skin_weights]),
        skin_joints=np.concatenate([a.skin_joints, b.skin_joints]),
        material=material,
        hides=hides,
    )
