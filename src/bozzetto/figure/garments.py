"""What a person wears of cloth, put on layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse

from bozzetto.body.bind import bind_t_pose
from bozzetto.figure.cloth import Scale, cloth
from bozzetto.figure.grain import SIDE, Grain, Pin, nodes, pick, spread
from bozzetto.figure.piece import Detail, Person, Piece, top_four
from bozzetto.figure.shells import (
    BACK,
    FRONT,
    LEG_LEFT,
    LEG_RIGHT,
    SIDE_Z,
    SLEEVE,
    UPPER_ARM,
    Chart,
    Fit,
    Shell,
    bridge,
    chart,
    fit_chart,
    hang,
    loose_weights,
    raise_shell,
    relax,
    smooth_step,
    steady_four,
)
from bozzetto.figure.skirts import (
    above_skirt,
    columns,
    cut_height,
    drape,
    fall_mesh,
    fall_rows,
    fall_uvs,
    fall_weights,
    fold_in,
    hanging_across,
    hanging_places,
    hip_room,
    legs_hidden_from,
    over_skirt,
    reach_beyond,
)
from bozzetto.figure.spec import Colour, FigureSpec, Garment
from bozzetto.figure.tailoring import VARIANTS, Design, Wear, design, waves
from bozzetto.kept import kept

_MARGIN, _SWING = 0.03, 0.055
"""How far cloth reaches beyond what is left out under it, and how much farther where it hangs; metres."""
_FACETS = 0.3
"""Share of both where facets cut corners."""
GAP = 0.0028
"""Least distance between layers, metres."""
_SKIN_GAP = 0.003
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
    hangs: list[Float[ndarray, "v 2"]] = field(default_factory=list)
    """Height and turn on the mean person, of the part that hangs."""

    def lay(self, vertices: ndarray, shell: Shell, uvs: ndarray) -> None:
        """Adds a cut of the chart; before anything that hangs."""
        self.lies.append(shell.mix)
        self.add(vertices, shell.faces, uvs, shell.weights, shell.joints)

    def buried(self, inside: Float[ndarray, "n"], beyond: Float[ndarray, "h"], margin: float) -> Bool[ndarray, "f"]:
        """Faces under cloth that reaches at least a margin beyond them.

        Args:
            inside: How far it reaches beyond the chart's vertices.
            beyond: And beyond those of the part that hangs.
        """
        covered = (inside > margin).astype(np.float64)
        deep = np.concatenate([*(lie @ covered > 0.999 for lie in self.lies), beyond > margin])
        return np.asarray(deep[np.concatenate(self.faces)].all(1))

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
    beyond: list[Float[ndarray, "h"]] = field(default_factory=list)
    """And beyond the vertices of its part that hangs."""

    def wear(self, name: str, kind: str, garment: Garment, how: Wear = "") -> Piece:
        person, fit, here = self.person, self.fit, self.fit.chart
        rng = person.rng(name)
        variant = int(rng.integers(VARIANTS))
        plan = design(kind, variant, person.detail, how)
        full = person.detail == "full"
        small = float(np.clip(fit.scale, 0.65, 1.1))
        least = self.outer + GAP
        for rings in self.hanging:
            least = np.maximum(least, over_skirt(fit, rings) + GAP)
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
            target = np.maximum(target, above_skirt(fit, target, cut_height(plan)))
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
            target = target + plan.folds * small * waves(person.detail, variant)
        rounds = plan.rounds if full else max(plan.rounds // 4, 1)
        heights = relax(fit, target, least, most, rounds, 0.5)
        if plan.folds and full:
            heights = np.minimum(
                heights + plan.folds * small * waves(person.detail, variant), np.maximum(most, heights)
            )
        if full and name == "outer":  # far off the elbow's tip the rest pose would crease it
            elbow = np.flatnonzero(np.abs(here.arm - UPPER_ARM) < 0.09)
            heights = relax(fit, heights, least, np.maximum(most, heights), 30, 0.8, elbow)
        room = np.maximum(heights - self.outer - 0.0006, 0.0008)
        dressed = _Dressed()
        shell = plan.shell
        thick = np.minimum(room, plan.thickness * small)
        # Round the neck and along openings the edge reaches down to what is worn below, so that no gap looks in, and
        # the lining slopes on into it.
        thick = np.maximum(thick, chest * (heights - self.outer + 0.0005 + 0.0075 * np.clip(edge / 0.014, 0, 1)))
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
            rings = drape(person, fit, (kind, variant), points, obstacles, float(rng.uniform(0, 6.3)))
            self.hanging.append(rings)
            self._add_fall(dressed, kind, variant, plan, rings, small)
        self.outer = outer
        inside = np.where((plan.fall is None) | (here.height > cut_height(plan)), shell.inside * fit.scale, -1.0)
        self.covered = [np.maximum(each, inside) for each in self.covered]
        self.covered.append(np.full(len(inside), -1.0))
        swing = _SWING * (_FACETS if person.spec.look == "low-poly" else 1.0)
        for i, below in enumerate(self.dressed):
            for places in below.hangs:
                self.beyond[i] = np.maximum(self.beyond[i], reach_beyond(plan, here, places, swing) * fit.scale)
        self.beyond.append(np.full(sum(map(len, dressed.hangs)), -1.0))
        self.dressed.append(dressed)
        grains = None
        if garment.pattern not in ("plain", "two-tone"):
            hanging = None if rings is None else (rings, columns(kind, variant, person.detail))
            grains = _grains(fit, person.detail, plan, _arms_out(person, here, outside + shift), hanging)
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
        out, margin = [], _MARGIN * (_FACETS if self.person.spec.look == "low-poly" else 1.0)
        for piece, dressed, inside, beyond in zip(worn, self.dressed, self.covered, self.beyond, strict=True):
            if inside.max() > margin:
                seen = ~dressed.buried(inside, beyond, margin)
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
                away = hip_room(self.fit, self.outer + GAP, self.hanging, outside[low] + out[low])
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
        faces, _, _, grid = fall_mesh(kind, variant, detail)
        k = rings.shape[1]
        weights, joints = fall_weights(self.fit, (kind, variant), detail, rings)
        weights = np.concatenate([shell.weights[shell.cut][None], weights.reshape(-1, k, 4)])
        joints = np.concatenate([shell.joints[shell.cut][None], joints.reshape(-1, k, 4)])
        places = hanging_places(kind, variant, detail)
        if detail == "full":
            rings = fold_in(rings, shell.closed, plan.thickness * small, 0.02 * small)
            order = np.concatenate([np.arange(len(weights)), [len(weights) - 1, len(weights) - 2]])
            across = np.arange(k) if shell.closed else np.concatenate([[0, 0], np.arange(k), [k - 1, k - 1]])
            weights, joints = weights[order][:, across], joints[order][:, across]
            places = places[order][:, across]
        # The rim belongs to the shell already: its faces point there, so that shading runs on.
        side = (grid.shape[1] - k) // 2
        start = sum(len(v) for v in dressed.vertices)
        number = grid.ravel() + start
        number[grid[0, side : side + k]] = shell.cut
        dressed.hangs.append(places.reshape(-1, 2))
        dressed.vertices.append(rings.reshape(-1, 3))
        dressed.faces.append(number[faces])
        dressed.uvs.append(fall_uvs(kind, variant, detail))
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


@kept(lambda detail: f"chart-weights-{detail}")
def _chart_weights(detail: Detail) -> tuple[Float[ndarray, "n 4"], Int[ndarray, "n 4"]]:
    """What each chart vertex of cloth follows."""
    return steady_four(loose_weights(chart(detail)))


def _arms_out(person: Person, here: Chart, outside: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """Where cloth lies when the arms are held out, half way between hanging and raised.

    There patterns are drawn true, so that an armpit, folded in when an arm hangs, stretches them less when it is up.
    """
    body = person.body
    bind = bind_t_pose(body.joint_names, body.joint_parents, person.shaped.joints)
    high = here.rest[:, 1] > 0.1
    weights, joints = _chart_weights(person.detail)
    out = outside.copy()
    out[high] = bind.place(outside[high], weights[high], joints[high])
    return out


def _grains(
    fit: Fit,
    detail: Detail,
    plan: Design,
    outside: Float[ndarray, "n 3"],
    hanging: tuple[Float[ndarray, "r k 3"], Float[ndarray, "r k"]] | None,
) -> dict[int, Grain]:
    """How each pattern piece of a worn garment lies flat.

    A torso's are straight down the middle, and meet at one height along the sides; a leg's begin at the seam in front.

    Args:
        outside: Where cloth lies at each chart vertex.
        hanging: Rings of what hangs from it, and the angles of their columns on the mean person.
    """
    out: dict[int, Grain] = {}
    for panel in {place[0] for place in plan.sheet.places}:
        grid = nodes(detail, panel)
        us, vs, sound = grid.us, grid.vs, grid.sound
        points = (grid.mix @ outside).reshape(*sound.shape, 3)
        if hanging is not None and panel in (FRONT, BACK):
            assert plan.fall is not None
            levels = fall_rows(plan.fall, cut_height(plan), detail)
            above = vs > levels[0] + 0.006
            fallen, seen = np.empty((len(levels), len(us), 3)), np.empty((len(levels), len(us)), bool)
            for r, (ring, u) in enumerate(zip(hanging[0], hanging_across(hanging[1], panel), strict=True)):
                mine = np.argsort(u)
                mine = mine[np.abs(u[mine]) < 1.2 * SIDE]
                fallen[r] = np.stack([np.interp(us, u[mine], way) for way in ring[mine].T], 1)
                seen[r] = (us > u[mine[0]] - 0.004) & (us < u[mine[-1]] + 0.004)
            vs = np.concatenate([vs[above], levels])
            points, sound = np.concatenate([points[above], fallen]), np.concatenate([sound[above], seen])
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
        under = (here.height < 0.2) & (here.height > legs_hidden_from(plan.fall.hem))
        cut = cut_height(plan)
        # What faces out and back does not show from below.
        outward = fit.normals[:, 0] * np.sign(here.rest[:, 0]) - 0.6 * fit.normals[:, 2] > 0.35
        under |= outward & (here.height < 0.2) & (here.height > plan.fall.hem + 0.11)
        inside = np.where(here.height < cut, under & closed_below, inside)
    body, where = here.below
    vertex = np.zeros(person.body.parts["body"].stop, bool)
    vertex[body] = inside[where]
    return np.asarray(vertex[person.body.parts["body"].faces].all(1))


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
