"""Eyeballs, teeth and tongue."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8, UInt16
from numpy import ndarray
from scipy import sparse

from bozzetto.body.landmarks import IRIS_RADIUS
from bozzetto.body.model import Body
from bozzetto.figure.piece import Person, Piece, mix_weights
from bozzetto.figure.skin import moves_between, skin_stop
from bozzetto.kept import kept
from bozzetto.types import Material

_EYE_SIZES = {"full": 512, "low": 64}


@dataclass(frozen=True, eq=False)
class _Eyeballs:
    """Both eyeballs of the mean person, refined ``levels`` times; everything a person's eyes need but their shape."""

    blend: sparse.csr_matrix
    """From the body's eye vertices to the refined ones."""
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"]
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    start: int
    """The first eye vertex of the body."""


def eye_pieces(person: Person) -> list[Piece]:
    """Both eyeballs, which follow the bones eye.L and eye.R."""
    balls = _eyeballs(person.body, 1 if person.detail == "full" else 0)
    count = balls.blend.shape[1]
    moves = {}
    for name, (indices, offsets) in moves_between(person, balls.start, balls.start + count).items():
        dense = np.zeros((count, 3), np.float32)
        dense[indices] = offsets
        refined = balls.blend @ dense
        moved = np.flatnonzero(np.abs(refined).max(1) > 1e-6)
        moves[name] = (moved, refined[moved].astype(np.float32))
    return [
        Piece(
            name="eyes",
            vertices=(balls.blend @ person.vertices[balls.start : balls.start + count]).astype(np.float32),
            faces=balls.faces,
            uvs=balls.uvs,
            skin_weights=balls.skin_weights,
            skin_joints=balls.skin_joints,
            material=Material(_paint_eye(person), roughness=0.8),  # smoother, the lamps hide the iris
            expressions=moves,
        )
    ]


def eye_spheres(body: Body) -> list[tuple[int, int, Float[ndarray, "3"], float]]:
    """For the left and the right eyeball of the mean person: first vertex, end, centre and radius (least squares)."""
    template = body.template.numpy().astype(np.float64)
    start, stop = _tongue_stop(body), body.parts["body"].stop
    half = (start + stop) // 2
    found = []
    for low, high in ((start, half), (half, stop)):
        points = template[low:high]
        system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
        solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
        centre = solution[:3]
        found.append((low, high, centre, float(np.sqrt(solution[3] + centre @ centre))))
    return found


def _tongue_stop(body: Body) -> int:
    tongue, _ = body.expressions["tongueOut"]
    return int(tongue.max()) + 1


@kept(lambda body, levels: f"eyeballs-{levels}")
def _eyeballs(body: Body, levels: int) -> _Eyeballs:
    start, stop = _tongue_stop(body), body.parts["body"].stop
    count = stop - start
    faces = body.parts["body"].faces
    faces = faces[faces[:, 0] >= start] - start
    template = body.template.numpy()[start:stop].astype(np.float64)
    blend = sparse.identity(count, format="csr")
    owner = np.repeat([0, 1], count // 2)
    spheres = eye_spheres(body)
    for _ in range(levels):
        import igl

        step, faces = igl.loop_matrix(faces, blend.shape[0])
        blend = (step @ blend).tocsr()
        owner = (step @ owner > 0.5).astype(int)
    points = blend @ template
    uvs = np.empty((len(faces), 3, 2), np.float32)
    for eye, (_, _, centre, radius) in enumerate(spheres):
        mine = owner[faces[:, 0]] == eye
        # Planar, along the line of sight, so that circles of the picture are circles on the eye; nose to the left.
        offset = (points[faces[mine]] - centre) / (2 * radius)
        outward = 1.0 if eye == 0 else -1.0
        uvs[mine] = np.stack([0.5 + 0.49 * 2 * offset[..., 0] * outward, 0.5 - 0.49 * 2 * offset[..., 1]], -1)
    weights, joints = mix_dense(body, blend, start)
    return _Eyeballs(blend, faces.astype(np.int64), np.clip(uvs, 0, 1), weights, joints, start)


def mix_dense(body: Body, blend: sparse.csr_matrix, start: int) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Skin weights of mixtures of the body's vertices from ``start`` on."""
    widest = int(np.diff(blend.indptr).max())
    vertices = np.full((blend.shape[0], widest), start)
    shares = np.zeros((blend.shape[0], widest), np.float32)
    for row in range(blend.shape[0]):
        part = slice(blend.indptr[row], blend.indptr[row + 1])
        size = part.stop - part.start
        vertices[row, :size] = blend.indices[part] + start
        shares[row, :size] = blend.data[part]
    return mix_weights(body, vertices, shares)


@cache
def _eye_masks(body: Body, size: int) -> dict[str, Float[ndarray, "s s 1"]]:
    """What is where on an eye seen from the front; the nose is to the left."""
    return {name: mask[..., None] / np.float32(65535) for name, mask in _drawn_eye(body, size).items()}


@kept(lambda body, size: f"eye-{size}")
def _drawn_eye(body: Body, size: int) -> dict[str, UInt16[ndarray, "s s"]]:
    """The masks of ``_eye_masks``; 65535 is one."""
    radius = eye_spheres(body)[0][3]
    iris = 1.05 * 0.49 * IRIS_RADIUS / radius
    at = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(at, -at)
    r = np.hypot(x, y) / iris
    angle = np.arctan2(y, x)
    edge = 1.5 / (size * iris)
    rng = np.random.default_rng(7)

    def ring(frequency: int, sharp: float) -> Float[ndarray, "s s"]:
        """Smooth noise round the clock."""
        knots = rng.random(frequency)
        turn = (angle / (2 * np.pi) % 1) * frequency
        i = np.floor(turn).astype(int)
        t = turn - i
        t = t * t * (3 - 2 * t)
        return (knots[i % frequency] * (1 - t) + knots[(i + 1) % frequency] * t) ** sharp

    def ramp(values: ndarray, low: float, high: float) -> ndarray:
        t = np.clip((values - low) / (high - low), 0, 1)
        return t * t * (3 - 2 * t)

    collarette = 0.50 + 0.06 * (ring(24, 1.0) - 0.5)
    fibres = 0.55 * ring(130, 1.2) + 0.45 * ring(61, 1.0)
    veins = np.zeros_like(r)
    for _ in range(26):
        side = 0.0 if rng.random() < 0.5 else np.pi
        base = side + rng.normal() * 0.45
        reach = rng.uniform(1.25, 1.7)
        wave = base + 0.16 * np.sin(r * rng.uniform(3, 7) + rng.uniform(0, 6)) * (r - 1)
        away = np.abs(np.angle(np.exp(1j * (angle - wave)))) * r * iris * size
        veins = np.maximum(veins, np.exp(-((away / max(0.7, size / 420)) ** 2)) * ramp(r, reach, reach + 0.6))
    masks = {
        "corner": ramp(np.abs(x) / iris, 1.35, 2.4) + 0.3 * ramp(-x / iris, 1.2, 2.0),
        "veins": veins,
        "shade": 1 - (1 - 0.55 * ramp(y / iris, 0.25, 1.25)) * (1 - 0.3 * ramp(-y / iris, 0.55, 1.4)),
        "iris": 1 - ramp(r, 1 - 1.6 * edge - 0.02, 1 + edge + 0.02),
        "limbus": ramp(r, 0.72, 0.97),
        "limbus_out": (1 - ramp(r, 1.0, 1.16)) * ramp(r, 0.95, 1.0),
        "light_fibres": fibres * ramp(r, 0.38, 0.55) * (1 - ramp(r, 0.8, 0.95)),
        "dark_fibres": (1 - fibres) ** 2 * ramp(r, 0.4, 0.6),
        "collarette": np.exp(-(((r - collarette) / 0.1) ** 2)),
        "below": ramp(-y / iris, -0.3, 0.8) * ramp(r, 0.4, 0.6) * (1 - ramp(r, 0.8, 0.95)),
        "pupil": 1 - ramp(r, 0.36 - edge, 0.40 + edge),
        "glint": np.exp(-((((x / iris - 0.10) / 0.17) ** 2 + ((y / iris - 0.24) / 0.15) ** 2) ** 2)),
    }
    return {name: (np.clip(mask, 0, 1) * 65535 + 0.5).astype(np.uint16) for name, mask in masks.items()}


def _paint_eye(person: Person) -> UInt8[ndarray, "s s 3"]:
    masks = _eye_masks(person.body, _EYE_SIZES[person.detail])
    age = person.spec.body.age
    colour = 255 * np.array(person.spec.face.eyes.srgb, np.float32)
    colour = 0.88 * (colour + 0.15 * (colour.mean() - colour))
    old = float(np.interp(age, (20, 85), (0, 1)))
    white = np.array((226, 219, 211), np.float32) + old * np.array((-9, -14, -22), np.float32)
    if age < 14:
        white = np.array((234, 231, 228), np.float32)
    skin = float(np.mean(person.spec.face.skin.srgb))
    white = white * float(np.interp(skin, (0.15, 0.6), (0.80, 1.0)))  # none glows out of a dark face
    picture = np.broadcast_to(white, (*masks["iris"].shape[:2], 3)).astype(np.float32)

    def lay(mask: str, paint: ndarray | tuple[int, int, int], strength: float) -> None:
        nonlocal picture
        share = masks[mask] * np.float32(strength)
        picture = picture + share * (np.asarray(paint, np.float32) - picture)

    lay("corner", (206, 148, 136), 0.62)
    lay("veins", (186, 84, 76), 0.22 + 0.2 * old)
    iris = picture
    colour = colour * 0.84  # the sky's reflection comes on top
    colour = colour * max(1.0, 52 / float(colour.mean()))  # under a brow darker ones would be holes
    picture = np.broadcast_to(np.clip(colour, 0, 255), picture.shape).astype(np.float32)
    lay("light_fibres", np.clip(colour * 1.35 + 8, 0, 255), 0.6)
    lay("dark_fibres", colour * 0.5, 0.7)
    lay("collarette", np.clip(colour * (1.25, 1.08, 0.8) + (12, 7, 0), 0, 255), 0.4)
    lay("below", np.clip(colour * 1.4 + 8, 0, 255), 0.3)
    lay("limbus", colour * 0.28, 0.85)
    lay("pupil", (9, 8, 9), 1.0)
    picture = iris + masks["iris"] * (picture - iris)
    lay("limbus_out", (120, 108, 104), 0.35)
    lay("shade", (52, 32, 28), 0.85)
    lay("glint", (250, 250, 250), 0.85)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def mouth_pieces(person: Person) -> list[Piece]:
    """Both rows of teeth, and the tongue."""
    body = person.body
    upper, lower = body.parts["upper-teeth"], body.parts["lower-teeth"]
    start, stop = upper.start, lower.stop
    back = np.float32(0.0045 * np.ptp(person.vertices[upper.start : upper.stop, 0]) / 0.0657)
    vertices = person.vertices[start:stop] - np.array((0, 0, back), np.float32)
    # A narrower arch: MakeHuman's reaches through the corners of closed lips.
    vertices[:, 0] += -0.2 * (vertices[:, 0] - vertices[:, 0].mean())
    # MakeHuman's upper row ends high behind the lip: an open mouth would show teeth at its corners alone.
    aside = np.abs(vertices[:, 0] - vertices[:, 0].mean())
    front = 1 - np.clip(aside / aside.max() / 0.55 - 0.7, 0, 1) ** 2  # closed corners of the mouth stay closed
    vertices[: upper.stop - start, 1] -= (np.float32(1.4) * back * front)[: upper.stop - start]
    small = person.detail == "low"
    rows, faces = _cut_at_edges(body)
    moves = {}
    for name, (indices, offsets) in moves_between(person, start, stop).items():
        dense = np.zeros((stop - start, 3), np.float32)
        dense[indices] = offsets
        moved = np.flatnonzero(np.isin(rows, indices))
        moves[name] = (moved, dense[rows[moved]])
    teeth = Piece(
        name="teeth",
        vertices=vertices[rows],
        faces=faces,
        uvs=_teeth_uvs(body),
        skin_weights=body.skin_weights[start:stop][rows],
        skin_joints=body.skin_joints[start:stop][rows],
        material=Material(_teeth_picture(small, person.spec.body.age > 60), _teeth_bumps(small), roughness=0.25),
        expressions=moves,
    )
    low, high = skin_stop(body), _tongue_stop(body)
    faces = body.parts["body"].faces
    mine = (faces[:, 0] >= low) & (faces[:, 0] < high)
    tongue = Piece(
        name="tongue",
        vertices=person.vertices[low:high],
        faces=faces[mine] - low,
        uvs=_unit_box(body.parts["body"].uvs[mine]),
        skin_weights=body.skin_weights[low:high],
        skin_joints=body.skin_joints[low:high],
        material=Material(_tongue_picture(), roughness=0.35),
        expressions=moves_between(person, low, high),
    )
    return [teeth, tongue]


@kept(lambda body: "teeth-edges")
def _cut_at_edges(body: Body) -> tuple[Int[ndarray, "n"], Int[ndarray, "f 3"]]:
    """Both rows of teeth with their fronts apart from the rest, so that a front is lit as one to its very edge.

    Returns:
        Of each vertex the one of the body's teeth it comes from, and the faces among the new ones.
    """
    parts = (body.parts["upper-teeth"], body.parts["lower-teeth"])
    start = parts[0].start
    faces = np.concatenate([part.faces for part in parts])
    template = body.template.numpy()
    corners = template[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.linalg.norm(facing, axis=1, keepdims=True) + 1e-12
    middle = corners.mean(1)
    outward = middle - [0, 0, template[faces].reshape(-1, 3)[:, 2].min()]
    outward = outward * [1, 0, 1] / np.linalg.norm(outward * [1, 0, 1], axis=1, keepdims=True)
    front = (facing * outward).sum(1) > 0.6
    keys, new = np.unique(faces * 2 + front[:, None], return_inverse=True)
    return keys // 2 - start, new.reshape(-1, 3)


@kept(lambda body: "teeth-uvs")
def _teeth_uvs(body: Body) -> Float[ndarray, "f 3 2"]:
    """Across: along the arch from right to left; down: upper row, then lower, each from gum to edge."""
    template = body.template.numpy()
    out = []
    for row, name in enumerate(("upper-teeth", "lower-teeth")):
        part = body.parts[name]
        points = template[part.start : part.stop]
        centre_z = points[:, 2].min()
        wide = np.abs(points[:, 0]).max()
        corners = template[part.faces]
        along = np.arctan2(corners[..., 0] / wide, (corners[..., 2] - centre_z) / np.ptp(points[:, 2]))
        low, high = points[:, 1].min(), points[:, 1].max()
        rise = (corners[..., 1] - low) / (high - low)
        down = (1 - rise) if row == 0 else rise
        out.append(np.stack([0.5 + along / np.pi * 0.98, 0.01 + 0.48 * down + 0.5 * row], -1))
    return np.concatenate(out).astype(np.float32)


@kept(lambda small, old: f"teeth-{'small' if small else 'large'}-{'old' if old else 'young'}")
def _teeth_picture(small: bool, old: bool) -> UInt8[ndarray, "h w 3"]:
    down, angle, beside = _teeth_places(small)
    # Gums scallop between the teeth.
    scallop = 0.30 + 0.14 * beside**2
    gum = np.clip((scallop - down) / 0.05 + 0.5, 0, 1)[..., None]
    ivory = np.array((228, 212, 182) if old else (248, 242, 230), np.float32)
    # Warm between them, and darker towards the cheeks.
    gap = (0.45 * np.abs(beside) ** 12)[..., None] * np.array((0.7, 1.0, 1.15), np.float32)
    enamel = ivory * np.clip(1 - gap - 1.3 * np.clip(angle - 0.5, 0, 0.75)[..., None], 0.06, 1)
    enamel = enamel * (0.93 + 0.07 * np.clip(down, 0, 1)[..., None])
    gums = np.array((190, 98, 92), np.float32) * (1 - 0.9 * np.clip(angle - 0.4, 0, 0.9))[..., None]
    return np.clip(enamel * (1 - gum) + gums * gum, 0, 255).astype(np.uint8)


def _teeth_places(small: bool) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"], Float[ndarray, "h w"]]:
    """Of the teeth's texels: how far down from the gum, the angle along the arch, and from -1 to 1 across a tooth."""
    height, width = (32, 64) if small else (256, 512)
    v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    angle = np.abs(u - 0.5) / 0.98 * np.pi
    edges = np.array([0.0, 0.19, 0.35, 0.51, 0.68, 0.86, 1.15, 1.45, 1.6])
    tooth = np.clip(np.searchsorted(edges, angle) - 1, 0, 7)
    middle, half = (edges[tooth] + edges[tooth + 1]) / 2, (edges[tooth + 1] - edges[tooth]) / 2
    return (v - 0.01 - 0.5 * (v > 0.5)) / 0.48, angle, np.clip((angle - middle) / half, -1, 1) * np.sign(u - 0.5)


@cache
def _teeth_bumps(small: bool) -> UInt8[ndarray, "h w 3"]:
    """Each tooth rounded from side to side, so that a row of them is no slab."""
    _, _, beside = _teeth_places(small)
    bump = np.stack([0.5 * beside**3 + 0.15 * beside, np.zeros_like(beside), np.ones_like(beside)], -1)
    bump /= np.linalg.norm(bump, axis=-1, keepdims=True)
    return (bump * 127 + 128).astype(np.uint8)


@cache
def _tongue_picture() -> UInt8[ndarray, "h w 3"]:
    size = 32
    u = np.abs((np.arange(size) + 0.5) / size - 0.5)[None, :, None]
    rng = np.random.default_rng(3)
    base = np.array((192, 92, 90), np.float32) * (0.86 + 0.14 * np.clip(u / 0.1, 0, 1))
    return np.clip(base + rng.normal(0, 3, (size, size, 1)), 0, 255).astype(np.uint8)


def _unit_box(uvs: Float[ndarray, "f 3 2"]) -> Float[ndarray, "f 3 2"]:
    """Texture coordinates stretched to fill the picture."""
    low, high = uvs.min((0, 1)), uvs.max((0, 1))
    return ((uvs - low) / (high - low)).astype(np.float32)
