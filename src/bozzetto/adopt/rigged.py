"""From a foreign mesh to a character: where its body is, how sure that is, and what the body lends it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import igl
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.adopt.fit import TALL, Fitted, Limbs, at_rest, fit_body, limbs_of, moves_of, outer, sampled
from bozzetto.adopt.mesh import ForeignMesh, refined
from bozzetto.body.bind import bind_t_pose, skin, unskin
from bozzetto.body.carry import Carried, carry_rig, carry_weights, connected, donor, report
from bozzetto.body.model import PHENOTYPES, ShapedBody, load_body
from bozzetto.body.poses import poses
from bozzetto.figure.build import to_layer
from bozzetto.figure.eyes import eye_pieces, mouth_pieces
from bozzetto.figure.piece import Person
from bozzetto.figure.spec import BLACK, WHITE, BodySpec, FigureSpec, Garment
from bozzetto.texture import pad, unwrap
from bozzetto.texture.bake import texels_of
from bozzetto.types import Avatar, ColouredMesh, Material, Mesh, SparseOffsets, UserError

SAMPLES = 2400
_STRETCHED = ("walking", "sitting", "arms up")
"""Postures that the report stretches it by."""
_HEIGHTS = (0.5, 2.5)
"""Metres that a person may be tall; files outside are in other units, or in units of nobody's."""
_UNITS = {"metres": 1.0, "inches": 0.0254, "centimetres": 0.01, "millimetres": 0.001}
_LEAST, _LEAST_HEAD, _LEAST_ALL, _MOST_BEYOND = 0.5, 0.25, 0.73, 0.55
"""Shares that a humanoid has: of trunk and arms each, of the head, which hair and hats hide, and of all limbs on
average; and at most of the shape that is no part of a body. Dressed figures have at least 0.73, 0.47, 0.8
and at most 0.4; a block's average is 0.58, and 0.68 of a chair is beyond."""
_LONG = 0.025
"""Metres at ``TALL`` that edges may measure; coarser meshes are cut finer before they are rigged."""
_DOUBT_MISFIT, _DOUBT_SHOWN = 0.057, 0.8
"""Metres at ``TALL``, and the mean share of the limbs that is shown, past which a fit is doubted. Of nine right fits
of layered figures the worst have 0.053 and 0.83; three back to front have 0.058 to 0.063, and 0.70 to 0.81."""
_EYE_SIZES, _EYE_AWAY = (0.012, 0.08), 0.06
"""Metres at ``TALL``: how wide eyeballs are, those of toons too, and how far the fitted ones may be from them."""
_IN_MOUTH = 30
"""Hidden triangles where the body's mouth is; more are teeth, or a mouth's inside."""
_UNSURE = 0.6
"""Below this share a limb's joints are guessed rather than seen."""


@dataclass(frozen=True, eq=False)
class Adopted:
    """A foreign mesh, and the body in it."""

    mesh: ForeignMesh
    fitted: Fitted
    metres: float
    """From the lowest to the highest point."""
    spec: FigureSpec
    """What is known of the person: the height, roughly the age."""
    seen: tuple[str, ...]
    guessed: tuple[str, ...]
    quality: Mapping[str, Any]
    doubts: tuple[str, ...] = ()
    """What is likely wrong."""

    @property
    def joints(self) -> Float[ndarray, "j 3"]:
        """Where the body's joints are in the file, in its units and axes."""
        return self.fitted.to_file(self.fitted.joints)


def adopt(mesh: ForeignMesh, height: float | None = None) -> Adopted:
    """The body fitted to a mesh.

    Args:
        height: Metres from the lowest to the highest point; without it the units are guessed.

    Raises:
        UserError: No humanoid in an A- or a T-pose, or a height that nobody has.
    """
    low, high = _HEIGHTS
    if height is not None and not low <= height <= high:
        raise UserError(f"--height is in metres, from {low} to {high}; got {height:g}.")
    shape = sampled(mesh.vertices, mesh.faces[outer(mesh.vertices, mesh.faces)], SAMPLES)
    fitted = fit_body(shape, None if mesh.facing is None else np.array(mesh.facing))
    shown = limbs_of(fitted, shape)
    _refuse(shown)
    tall = TALL / fitted.scale
    metres, units = _metres(tall, height)
    unsure = [name for name, share in shown.shown.items() if share < _UNSURE]
    seen = [
        f"{len(mesh.faces):,} triangles, {'textured' if mesh.albedo is not None else 'coloured by vertex'}",
        f"{metres:.2f} m tall",
        f"arms {shown.arms:.0f} degrees below level",
        f"body fitted to {1000 * shown.gap * metres / TALL:.0f} mm",
    ]
    guessed = [*([units] if units else []), *mesh.notes]
    if fitted.even:
        guessed.append("which way it faces, since it fits about as well the other way round")
    doubts = []
    if fitted.misfit > _DOUBT_MISFIT or np.mean(list(shown.shown.values())) < _DOUBT_SHOWN:
        doubts.append("the body explains little of this shape, so joints may be wrong or front and back exchanged")
    if unsure:
        guessed.append(f"the joints of {' and '.join(unsure)}, which the shape hides")
    years = float(
        np.interp(fitted.guess.phenotypes[PHENOTYPES.index("age")], (0.1, 1 / 3, 0.5, 2 / 3), (4, 11, 16, 30))
    )
    # What it wears nobody reads; a spec of a child wants to know.
    worn = (Garment("t-shirt", WHITE), Garment("trousers", BLACK)) if years < 18 else (None, None)
    spec = FigureSpec(BodySpec(age=years, height=round(metres, 3)), top=worn[0], bottom=worn[1], pose="standing")
    quality = {
        "facing_guessed": fitted.even,
        "misfit_mm": round(1000 * fitted.misfit, 1),
        "fit_mm": round(1000 * shown.gap * metres / TALL, 1),
        "shown": {name: round(share, 2) for name, share in shown.shown.items()},
        "unsure": unsure,
        "arms_degrees": round(shown.arms),
        "metres_per_unit": metres / tall,
    }
    found = Adopted(mesh, fitted, metres, spec, tuple(seen), tuple(guessed), quality, tuple(doubts))
    kept = [*(["eyes"] if len(own_eyes(found)) else []), *(["mouth"] if has_mouth(found) else [])]
    return replace(found, seen=(*seen, f"its own {' and '.join(kept)} kept as they are")) if kept else found


def _metres(tall: float, height: float | None) -> tuple[float, str]:
    """How tall something of ``tall`` units is, and what of that is a guess."""
    if height is not None:
        return height, ""
    for name, metres in _UNITS.items():
        if (_HEIGHTS[0] if name == "metres" else 1.0) <= tall * metres <= _HEIGHTS[1]:
            return tall * metres, "" if name == "metres" else f"the file counts in {name}"
    return TALL, f"{TALL} m tall, since {tall:.3g} units is nobody's height (--height says otherwise)"


def _refuse(shown: Limbs) -> None:
    """
    Raises:
        UserError: It does not look like a body with arms held away from it.
    """
    least = {"head": _LEAST_HEAD, "trunk": _LEAST, "left arm": _LEAST, "right arm": _LEAST}
    missing = [name for name, share in least.items() if shown.shown[name] < share]
    if not missing and shown.beyond < _MOST_BEYOND and np.mean(list(shown.shown.values())) > _LEAST_ALL:
        return
    what = f"no {' and no '.join(missing)} of a person" if missing else "too little of a person, or too much besides"
    raise UserError(
        f"This does not look like one person standing in an A- or a T-pose: the body that fits best finds {what}. "
        "Give a mesh of a whole figure with both arms held away from the sides and both feet down; cut away floors, "
        "stands and things held, and turn faces outward."
    )


@dataclass(frozen=True, eq=False)
class Dressed:
    """The character, and how well it moves."""

    avatar: Avatar
    quality: Mapping[str, Any]
    doubts: tuple[str, ...] = ()
    """What is likely wrong."""


def dress(found: Adopted, skirt: bool | None = None, face: bool = True) -> Dressed:
    """The mesh in the T-pose with the body's rig, expressions, eyes and teeth, and its own colours.

    Args:
        found: The mesh and the body in it.
        skirt: Whether one hangs around both legs; without it the shape decides.
        face: Whether mouth and lids are cut open, and eyes and teeth put behind them, where the mesh has none.
    """
    body = load_body()
    found = replace(found, mesh=refined(found.mesh, _LONG / found.fitted.scale))
    eyes, mouth = own_eyes(found), has_mouth(found)
    fitted = found.fitted.grown(found.metres / TALL)
    rest, joints = (np.asarray(each, np.float32) for each in at_rest(fitted.guess))
    bind = bind_t_pose(body.joint_names, body.joint_parents, joints)
    naked = donor(body, rest, bind)
    placed = fitted.from_file(found.mesh.vertices)
    to_stand = moves_of(fitted.guess)
    to_rest = np.concatenate([bind.to_rest, np.tile(np.array([[[0, 0, 0, 1]]], np.float32), (len(joints), 1, 1))], 1)
    moves = (to_stand.astype(np.float64) @ to_rest).astype(np.float32)
    standing = replace(naked, vertices=skin(naked.vertices, naked.skin_weights, naked.skin_joints, moves))
    weighted = carry_weights(standing, placed, found.mesh.faces)
    level = unskin(placed, weighted.skin_weights, weighted.skin_joints, moves)
    lift = -float(level[:, 1].min())
    up = np.array([0, lift, 0], np.float32)
    person = Person(found.spec, body, ShapedBody(rest, joints))
    pieces = [to_layer(piece, bind) for piece in (*eye_pieces(person), *mouth_pieces(person))]
    inner = tuple(
        replace(each, mesh=replace(each.mesh, vertices=each.mesh.vertices + torch.from_numpy(up))) for each in pieces
    )
    lender = donor(body, rest, bind, lift, inner)
    # Where each vertex stood in the file's pose goes along where colours do.
    mesh = ColouredMesh(
        torch.from_numpy(level + up), torch.from_numpy(found.mesh.faces), torch.from_numpy(placed.astype(np.float32))
    )
    left = {"mouth"} if mouth or not face else set()
    left |= {"left_eye", "right_eye"} if len(eyes) or not face else set()
    carried = carry_rig(lender, mesh, skirt, left)
    carried = replace(carried, inner=tuple(each for each in carried.inner if _behind(each.name) in carried.opened))
    carried = _stiff(carried, fitted.from_file(eyes), lender.skeleton.names.index("head"))
    flat, albedo = _painted(carried.mesh, placed, found.mesh)
    layer = carried.layer("figure", flat, Material(albedo, roughness=0.85, double_sided=True))
    moved = report(carried, lender, [poses()[name] for name in _STRETCHED])
    worst = max(moved.expression_error, key=lambda name: moved.expression_error[name])
    quality = {
        "stretch": round(moved.stretch, 2),
        "stretch_of_the_body": round(moved.body_stretch, 2),
        "weights_of_the_body": round(moved.confident, 3),
        "expressions_worst_mm": round(moved.expression_error[worst], 1),
        "opened": list(moved.opened),
        "kept": [*(["eyes"] if len(eyes) else []), *(["mouth"] if mouth else [])],
        "cut_apart": {name: count for name, count in carried.separated.items() if count},
    }
    doubts = [] if left >= {"mouth"} or "mouth" in moved.opened else ["the mouth did not open"]
    if "left_eye" not in left and "left_eye" not in moved.opened:
        doubts.append("the eyes did not open")
    return Dressed(Avatar((layer, *carried.inner), lender.skeleton), quality, tuple(doubts))


def _behind(layer: str) -> str:
    """The opening that a layer of the body's lies behind."""
    return {"eyes": "left_eye", "teeth": "mouth", "tongue": "mouth"}.get(layer, layer.removesuffix("_lining"))


def own_eyes(found: Adopted) -> Float[ndarray, "n 3"]:
    """The vertices of the mesh's own eyeballs, in the file's space: pieces about as deep as wide on both sides of the
    head, near the body's eyes. None where there is but one."""
    mesh, names = found.mesh, load_body().joint_names
    piece = connected(mesh.faces, len(mesh.vertices))
    points = found.fitted.from_file(mesh.vertices)
    eyes = found.fitted.joints[[names.index("eye.L"), names.index("eye.R")]]
    near = np.linalg.norm(points[:, None] - eyes, axis=2) < _EYE_AWAY
    balls: list[list[ndarray]] = [[], []]
    for each in np.unique(piece[near.any(1)]):
        rows = np.flatnonzero(piece == each)
        size, middle = np.ptp(points[rows], axis=0), (points[rows].min(0) + points[rows].max(0)) / 2
        away = np.linalg.norm(middle - eyes, axis=1)
        if _EYE_SIZES[0] < size.max() < _EYE_SIZES[1] and size.min() > 0.4 * size.max() and away.min() < _EYE_AWAY:
            balls[int(away.argmin())].append(rows)
    if not all(balls):
        return np.zeros((0, 3))
    return mesh.vertices[np.concatenate(balls[0] + balls[1])]


def has_mouth(found: Adopted) -> bool:
    """Whether the mesh has teeth, or a mouth's inside: triangles that nobody sees from outside, behind the lips."""
    mesh, body = found.mesh, load_body()
    rest, joints = (np.asarray(each, np.float32) for each in at_rest(found.fitted.guess))
    lined = donor(body, rest, bind_t_pose(body.joint_names, body.joint_parents, joints)).linings["mouth"]
    points = skin(rest, body.skin_weights, body.skin_joints, moves_of(found.fitted.guess))[np.unique(lined)]
    hidden = mesh.faces[~outer(mesh.vertices, mesh.faces)]
    middle = found.fitted.from_file(mesh.vertices[hidden].mean(1))
    return int(((middle > points.min(0)) & (middle < points.max(0))).all(1).sum()) > _IN_MOUTH


def _stiff(carried: Carried, places: Float[ndarray, "n 3"], joint: int) -> Carried:
    """The carried mesh with what stood at these places moving with one joint alone."""
    if not len(places):
        return carried
    mine = cKDTree(places).query(carried.mesh.colours.numpy())[0] < 1e-5
    weights, joints = carried.skin_weights.copy(), carried.skin_joints.copy()
    weights[mine], joints[mine] = (1, 0, 0, 0), joint
    expressions = {}
    for name, moved in carried.expressions.items():
        kept = torch.from_numpy(~mine)[moved.indices]
        expressions[name] = SparseOffsets(moved.indices[kept], moved.offsets[kept])
    return replace(carried, skin_weights=weights, skin_joints=joints, expressions=expressions)


def _painted(
    carried: ColouredMesh, placed: Float[ndarray, "v 3"], mesh: ForeignMesh
) -> tuple[Mesh, UInt8[ndarray, "h w 3"]]:
    """The carried mesh with the file's own texture, or with one painted from the colours of its vertices.

    Args:
        carried: In the T-pose; its colours are places in the file's pose.
        placed: The file's vertices in that pose.
    """
    there = carried.colours.numpy().astype(np.float64)
    faces = carried.faces.numpy()
    if mesh.albedo is not None and mesh.uvs is not None:
        uvs = _uvs(there, faces, placed, mesh.faces, mesh.uvs)
        return Mesh(carried.vertices, carried.faces, torch.from_numpy(uvs)), mesh.albedo
    size = 2048 if len(faces) > 20_000 else 1024
    flat = unwrap(carried.vertices.numpy(), faces, size)
    texels = texels_of(replace(flat, vertices=carried.colours), size)
    assert mesh.colours is not None
    away, near = cKDTree(placed).query(texels.position, 3)
    share = 1 / np.maximum(away, 1e-5)
    colours = np.einsum("nk,nkc->nc", share / share.sum(1, keepdims=True), mesh.colours[near])
    texture = np.zeros((size, size, 3), np.float32)
    texture[texels.covered] = colours
    return flat, (pad(texture, texels.covered) * 255).round().clip(0, 255).astype(np.uint8)


def _uvs(
    there: Float[ndarray, "w 3"],
    faces: Int[ndarray, "g 3"],
    placed: Float[ndarray, "v 3"],
    old_faces: Int[ndarray, "f 3"],
    old_uvs: Float[ndarray, "f 3 2"],
) -> Float[ndarray, "g 3 2"]:
    """Texture coordinates of faces that are the old ones or parts of them: affine over each old face."""
    middle = np.asfortranarray(there[faces].mean(1))
    old = igl.point_mesh_squared_distance(middle, np.asfortranarray(placed), np.asfortranarray(old_faces))[1]
    a, b, c = placed[old_faces[old]].transpose(1, 0, 2)
    u, v = b - a, c - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    room = np.maximum(uu * vv - uv * uv, 1e-30)
    out = np.empty((len(faces), 3, 2))
    for corner in range(3):
        w = there[faces[:, corner]] - a
        wu, wv = (w * u).sum(1), (w * v).sum(1)
        s, t = (vv * wu - uv * wv) / room, (uu * wv - uv * wu) / room
        share = np.stack([1 - s - t, s, t], 1).clip(-0.5, 1.5)
        out[:, corner] = np.einsum("fk,fkd->fd", share, old_uvs[old])
    return out.astype(np.float32)
