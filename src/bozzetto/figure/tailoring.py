"""How tops, outer wear, bottoms, dresses and the base layer are cut from the chart of ``shells.py``."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import sparse

from bozzetto.figure.cloth import Make, Sheet, body_sheet, leg_sheet, pouch
from bozzetto.figure.piece import Detail
from bozzetto.figure.shells import (
    ANKLE,
    CROTCH,
    FRONT,
    KNEE,
    LOWER_ARM,
    SIDE_Z,
    UPPER_ARM,
    Chart,
    Shell,
    chart,
    chart_normals,
    make_patch,
    make_shell,
    on_front,
    panel_coordinates,
    round_neck,
    smooth_step,
)
from bozzetto.figure.spec import BottomKind, DressKind, OuterKind, TopKind
from bozzetto.kept import kept

SLEEVE_END = UPPER_ARM + LOWER_ARM - 0.012
TUCK = 0.105
"""Where a tucked top ends; lower, a bent hip would bring it through."""
VARIANTS = 3
"""Of every kind."""


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
def waves(detail: Detail, variant: int) -> Float[ndarray, "n"]:
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

    def neckband(self, *fields: ndarray, lift: float | ndarray = 0.0025) -> Trim:
        """A trim round the neck, cut as one strip, from below pictures on the chest: no seam breaks its pattern."""
        trim = self.trim(*fields, lift=lift)
        shell = trim.shell
        across = 0.07 * np.arctan2(shell.rest[:, 0], shell.rest[:, 2] - 0.02)[shell.faces]
        period = 0.07 * 2 * np.pi
        across += period * np.round((across[:, :1] - across) / period)
        uvs = np.stack([across, 0.19 - (shell.mix @ self.here.neck)[shell.faces]], 2)
        return replace(trim, shell=replace(shell, uvs=uvs, panels=np.full(len(uvs), FRONT)))


def _grid(
    m: _Maker,
    mix: sparse.csr_matrix,
    rise: Float[ndarray, "r c"],
    lift: float,
    sides: str,
    flat: Float[ndarray, "r c 2"] | None = None,
) -> Trim:
    """A trim that is a grid over the chart: its edges are as smooth as the curves it is made from."""
    shell, level = make_patch(m.here, mix, rise, m.lining > 0, sides, flat)
    return Trim(shell, np.full(len(m.here.rest), lift), rise=level)


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
    # One piece of cloth, cut as if from the middle of the chest: a pattern runs round it and does not break at seams.
    flat = np.stack([np.broadcast_to(0.07 * (turn - np.pi), down.shape), 0.28 - (down - top)], 2)
    return _grid(m, round_neck(m.here, around, down), rise, lift + 0.001, "blr", flat)


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


def _tie_end(m: _Maker, side: int, high: float, low: float) -> Trim:
    """An end of a knotted belt, hanging aslant from the knot.

    Args:
        side: 1 for the figure's left, -1 for its right.
        high, low: Heights of the knot and of its end.
    """
    y = np.linspace(high, low, 12 if m.lining else 4)[:, None]
    across = np.linspace(-0.0125, 0.0125, 5 if m.lining else 2)[None]
    x = 0.012 + 0.12 * (high - y) + side * (0.017 + 0.05 * (high - y)) + across
    rise = np.full(x.shape, 0.008 if side > 0 else 0.0065)
    return _grid(m, on_front(m.here, x, np.broadcast_to(y, x.shape)), rise, 0.008, "tblr")


def _top(m: _Maker, kind: str) -> Design:
    here, v = m.here, m.variant
    arm = here.arm
    if kind == "tank top":
        neck = _neckline(here, 0.070, 0.052)
        shell = m.shell(neck, here.armhole - 0.024, _hem(here, m.hem(0.032)))
        make = Make("jersey", 0.7, hems=(0.042,), variant=v)
        bands = (m.neckband(neck + 5e-4, 0.012 - neck, here.armhole - 0.024, lift=0.0012),)
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
            (m.neckband(neck + 2e-4, 0.013 - neck, lift=0.0016),),
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
        trims.append(m.neckband(neck + 2e-4, 0.042 - here.neck, lift=0.003 + 0.02 * np.clip(here.neck, 0, 0.05)))
    elif not hood:
        trims.append(m.neckband(neck + 2e-4, 0.022 - neck, lift=0.0025))
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
    ends = [_tie_end(m, side, 0.15, low) for side, low in ((1, 0.052), (-1, 0.064))]
    cuff = m.trim(arm - (end - 0.05), _sleeve(here, end + 2e-4), lift=0.003)
    cinched = 1 - 0.9 * np.exp(-(((tall - 0.15) / 0.035) ** 2))
    # Wide below the elbow alone: round its tip the rest pose would crease what stands far off.
    ease = 0.007 * cinched + 0.012 * smooth_step((arm - 0.03) / 0.2) + 0.018 * smooth_step((arm - 0.28) / 0.12)
    make = Make("wool" if v == 1 else "jersey", 1.2, variant=v, lap=0.045)
    return Design(
        shell,
        body_sheet(m.size, hang_.hem - 0.02, True),
        make,
        (band, *(replace(each, swatch=3) for each in (belt, knot, *ends)), cuff),
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
        full = (-0.28, 0.04, 0.14)[v] if kind != "long skirt" else (0.14, 0.2, 0.26)[v]
        folds = (0.002, 0.010, 0.015)[v] if kind != "long skirt" else (0.008, 0.014, 0.018)[v]
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
            fall=Fall(hem, full, 9 + 2 * v, folds, taper=0.0 if kind == "long skirt" else 0.35),
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
    rise = 0.0 if kind == "shorts" else 0.014 * smooth_step((here.rest[:, 2] + 0.05) / 0.14)  # over the instep
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
    rim = m.neckband(neck + 2e-4, 0.010 - neck, *fields[1:], lift=0.0012)
    full = (0.14, 0.06, -0.10)[v] if kind != "long dress" else (0.2, 0.14, 0.1)[v]
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
        fall=Fall(hem, full, 11, (0.014, 0.010, 0.008)[v], taper=0.0 if kind == "long dress" else 0.35),
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
