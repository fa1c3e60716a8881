"""The skin: its picture, painted by mixing masks that were drawn once on the mean person, and the face at rest.

Every mask says where something is (flush, lips, a nail, a freckle); a person says in which colour and how strongly.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int, Int16, UInt8
from numpy import ndarray

from bozzetto.body.landmarks import face_contours
from bozzetto.body.model import Body
from bozzetto.figure.atlas import ISLANDS, Atlas, skin_atlas, skin_faces, skin_stop, skin_uvs
from bozzetto.figure.face_hair import brow_colour, is_natural
from bozzetto.figure.piece import MOVES, Person, Piece
from bozzetto.figure.spec import Expression, FaceSpec
from bozzetto.kept import kept
from bozzetto.kernels import fast_kernel, inner, kernel
from bozzetto.types import Material

SIZES = {"full": 1024, "low": 256}
_SLOPE = np.float32(32767)
"""Stands for a slope of one."""

_MASKS = (
    "mottle_red", "mottle_dark", "mottle_light", "upper_face", "lower_face", "flush", "lid", "bag", "palm", "cavity",
    "age_spots", "freckles_small", "freckles_large", "blush", "shadow_of_moustache", "shadow_of_chin",
    "shadow_of_jaw", "scalp", "brow", "eyeshadow", "lips", "lipstick", "lip_line", "waterline", "lash_line", "nail",
    "lunula", "wrinkle", "mouth",
)  # fmt: skip
"""In the order they are laid over the plain skin."""

_RESTING: dict[Expression, dict[str, float]] = {
    "neutral": {"mouthSmileLeft": 0.13, "mouthSmileRight": 0.13, "eyeBlinkLeft": 0.06, "eyeBlinkRight": 0.06},
    "smiling": {
        "mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "cheekSquintLeft": 0.35, "cheekSquintRight": 0.35,
        "eyeSquintLeft": 0.2, "eyeSquintRight": 0.2, "mouthDimpleLeft": 0.15, "mouthDimpleRight": 0.15,
        "eyeBlinkLeft": 0.05, "eyeBlinkRight": 0.05,
    },
    "laughing": {
        "mouthSmileLeft": 0.85, "mouthSmileRight": 0.85, "jawOpen": 0.32, "mouthUpperUpLeft": 0.25,
        "mouthUpperUpRight": 0.25, "cheekSquintLeft": 0.6, "cheekSquintRight": 0.6, "eyeSquintLeft": 0.35,
        "eyeSquintRight": 0.35,
    },
    "sad": {
        "mouthFrownLeft": 0.55, "mouthFrownRight": 0.55, "browInnerUp": 0.8, "mouthShrugLower": 0.25,
        "eyeBlinkLeft": 0.12, "eyeBlinkRight": 0.12,
    },
    "angry": {
        "browDownLeft": 0.85, "browDownRight": 0.85, "noseSneerLeft": 0.3, "noseSneerRight": 0.3,
        "mouthFrownLeft": 0.3, "mouthFrownRight": 0.3, "mouthPressLeft": 0.35, "mouthPressRight": 0.35,
        "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3,
    },
    "surprised": {
        "browInnerUp": 0.6, "browOuterUpLeft": 0.7, "browOuterUpRight": 0.7, "eyeWideLeft": 0.4, "eyeWideRight": 0.4,
        "jawOpen": 0.34,
    },
}  # fmt: skip


def resting_expression(face: FaceSpec) -> dict[str, float]:
    """ARKit weights of the face at rest."""
    return dict(_RESTING[face.expression])


def skin_piece(person: Person, hidden: Bool[ndarray, "f"], material: Material) -> Piece:
    """The skin without the faces that clothes hide; eyes, teeth and tongue are pieces of their own.

    Args:
        hidden: Of the faces of the part "body".
    """
    body = person.body
    faces = skin_faces(body)
    faces = faces[~hidden[faces]]
    stop = skin_stop(body)
    return Piece(
        name="skin",
        vertices=person.vertices[:stop],
        faces=body.parts["body"].faces[faces],
        uvs=skin_uvs(body)[faces],
        skin_weights=body.skin_weights[:stop],
        skin_joints=body.skin_joints[:stop],
        material=material,
        expressions=moves_between(person, 0, stop),
    )


def face_scale(person: Person) -> float:
    """How large the face is beside the mean person's, by the distance between the eyes."""
    joints = person.body.joint_template.numpy()
    left, right = (person.body.joint_names.index(name) for name in ("eye.L", "eye.R"))
    mean = np.linalg.norm(joints[left] - joints[right])
    return float(np.linalg.norm(person.shaped.joints[left] - person.shaped.joints[right]) / mean)


def moves_between(person: Person, start: int, stop: int) -> MOVES:
    """The expressions of the vertices from ``start`` to ``stop``, numbered from zero, fitted to the face's size."""
    scale = np.float32(face_scale(person))
    return {
        name: (indices, offsets * scale) for name, (indices, offsets) in _mean_moves(person.body, start, stop).items()
    }


@cache
def _mean_moves(body: Body, start: int, stop: int) -> MOVES:
    moves = {}
    for name, (indices, offsets) in body.expressions.items():
        kept = (indices >= start) & (indices < stop)
        if kept.any():
            moves[name] = (indices[kept] - start, offsets[kept])
    return moves


def skin_material(person: Person) -> Material:
    """The skin's picture, relief and gloss, in the layout of ``atlas.py``."""
    size = SIZES[person.detail]
    masks = _skin_masks(person.body, size)
    albedo = _paint(person, masks)[masks.lookup]
    if person.detail == "low":
        return Material(albedo, roughness=0.55)
    return Material(albedo, normal=_normal_map(person, masks), roughness=masks.roughness)


# Colours


def _paint(person: Person, masks: "_SkinMasks") -> UInt8[ndarray, "n 3"]:
    """sRGB of every texel; the plain skin is chosen so that the face's mean is the spec's colour."""
    wanted = 255 * np.array(person.spec.face.skin.srgb, np.float32)
    plain = wanted.copy()
    for _ in range(2):
        colours, strengths = _layers(person, plain)
        sample = _mix(masks.face_sample, plain, colours, strengths)
        plain = np.clip(plain + wanted - sample.mean(0, dtype=np.float32), 4, 252)
    colours, strengths = _layers(person, plain)
    return _mix(masks.layers, plain, colours, strengths)


def _layers(person: Person, plain: Float[ndarray, "3"]) -> tuple[Float[ndarray, "k 3"], Float[ndarray, "k"]]:
    """The colour and strength of every mask on one person."""
    spec, face = person.spec, person.spec.face
    rng = person.rng("skin")
    age = spec.body.age
    hair = 255 * np.array(spec.hair.colour.srgb, np.float32)
    light = float(plain @ (0.299, 0.587, 0.114) / 255)
    pale = float(np.interp(light, (0.25, 0.75), (0, 1)))
    """0 dark, 1 pale."""
    man = spec.body.presentation == "man" and age >= 16
    old = float(np.interp(age, (35, 55, 80), (0, 0.35, 1)))

    def tint(red: float, green: float, blue: float) -> Float[ndarray, "3"]:
        return np.clip(plain * np.array((red, green, blue), np.float32), 0, 255)

    def between(dark: Float[ndarray, "3"], bright: Float[ndarray, "3"]) -> Float[ndarray, "3"]:
        return dark + (bright - dark) * pale

    lips = between(tint(1.0, 0.74, 0.76), tint(0.88, 0.60, 0.61))
    lip_strength = {"man": 0.42, "androgynous": 0.5, "woman": 0.6}[spec.body.presentation] + 0.08 * rng.random()
    lip_strength = float(np.interp(age, (9, 16, 50, 80), (0.45, lip_strength, lip_strength, 0.7 * lip_strength)))
    lipstick = lips if face.lipstick is None else 255 * np.array(face.lipstick.srgb)
    beard = {"none": 0.12 if man else 0.0, "stubble": 0.55}.get(face.beard, 0.5)
    if age < 15:
        beard = 0.0
    moustache = beard if face.beard in ("none", "stubble", "moustache", "goatee", "short", "full", "long") else 0.0
    chin = beard * (face.beard != "moustache")
    jaw = beard * (face.beard not in ("moustache", "goatee"))
    brow = 255 * brow_colour(person)  # not what the head's is dyed
    natural = np.where(is_natural(hair / 255), hair, brow)
    bristle = np.clip(natural * 0.55 + plain * 0.22, 0, 255)
    scalp = {"bald": 0.1, "buzz": 0.62, "mohawk": 0.42}.get(spec.hair.style, 0.72)
    if spec.hair.style == "bald" and age > 60:
        scalp = 0.05
    paints: dict[str, tuple[Float[ndarray, "3"], float]] = {
        "mottle_red": (between(tint(1.05, 0.91, 0.89), tint(1.0, 0.90, 0.88)), 0.4 + 0.25 * rng.random()),
        "mottle_dark": (tint(0.93, 0.90, 0.87), 0.4 + 0.3 * rng.random()),
        "mottle_light": (np.clip(plain * 1.05 + 4, 0, 255), 0.5),
        "upper_face": (tint(1.02, 1.01, 0.95), 0.5),
        "lower_face": (tint(0.96, 0.97, 0.98), 0.7 if man else 0.2 * (age > 15)),
        "flush": (between(tint(1.08, 0.84, 0.80), tint(1.02, 0.76, 0.72)), 0.42 + 0.2 * rng.random()),
        "lid": (between(tint(0.84, 0.80, 0.80), tint(0.90, 0.79, 0.76)), 0.55),
        "bag": (tint(0.86, 0.78, 0.80), float(np.interp(age, (10, 25, 50, 80), (0.08, 0.22, 0.35, 0.6)))),
        "palm": (between(np.array((196.0, 148.0, 120.0)), tint(1.02, 0.93, 0.91)), 0.62),
        "cavity": (between(tint(0.55, 0.42, 0.40), tint(0.66, 0.42, 0.36)), 0.75),
        "age_spots": (tint(0.74, 0.64, 0.56), 0.85 * old),
        "freckles_small": (tint(0.80, 0.64, 0.52), 0.75 * min(1.0, 1.6 * face.freckles)),
        "freckles_large": (tint(0.78, 0.61, 0.50), 0.7 * max(0.0, 1.6 * face.freckles - 0.6)),
        "blush": (between(tint(1.12, 0.66, 0.66), tint(1.0, 0.64, 0.65)), 0.55 * face.blush),
        "shadow_of_moustache": (bristle, moustache),
        "shadow_of_chin": (bristle, chin),
        "shadow_of_jaw": (bristle, jaw),
        "scalp": (hair * 0.7 + plain * 0.12, scalp),
        "brow": (np.clip(brow * 0.85, 0, 255), {"thin": 0.34, "medium": 0.44, "full": 0.52}[face.brows]),
        "eyeshadow": (255 * np.array(face.eyeshadow.srgb) if face.eyeshadow else plain, 0.7 if face.eyeshadow else 0.0),
        "lips": (lips, lip_strength),
        "lipstick": (lipstick, 0.0 if face.lipstick is None else 0.88),
        "lip_line": (lipstick * np.array((0.55, 0.42, 0.42)), 0.8),
        "waterline": (between(tint(1.25, 0.95, 0.92) + 12, tint(1.05, 0.80, 0.77)), 0.8),
        "lash_line": (np.clip(hair * 0.22 + (18, 12, 10), 0, 62), 0.8 if spec.body.presentation == "woman" else 0.62),
        "nail": (between(tint(1.3, 1.1, 1.08) + 22, tint(1.06, 0.95, 0.93) + 4), 0.75),
        "lunula": (between(tint(1.5, 1.35, 1.3) + 25, tint(1.1, 1.05, 1.05) + 10), 0.5),
        "wrinkle": (between(tint(0.74, 0.66, 0.64), tint(0.78, 0.64, 0.60)), 0.5 * old),
        "mouth": (np.array((96.0, 32.0, 32.0)), 1.0),
    }
    colours = np.array([np.clip(paints[name][0], 0, 255) for name in _MASKS], np.float32)
    return colours, np.array([paints[name][1] for name in _MASKS], np.float32)


@fast_kernel
def _mix_layers(layers, plain, colours, strengths, out):
    for n in range(len(layers)):
        r, g, b = plain[0], plain[1], plain[2]
        for k in range(layers.shape[1]):
            mask = layers[n, k]
            if mask > 0:
                share = mask * strengths[k]
                r += share * (colours[k, 0] - r)
                g += share * (colours[k, 1] - g)
                b += share * (colours[k, 2] - b)
        out[n, 0], out[n, 1], out[n, 2] = r + np.float32(0.5), g + np.float32(0.5), b + np.float32(0.5)


def _mix(
    layers: UInt8[ndarray, "n k"],
    plain: Float[ndarray, "3"],
    colours: Float[ndarray, "k 3"],
    strengths: Float[ndarray, "k"],
) -> UInt8[ndarray, "n 3"]:
    """The plain skin with every layer mixed over it, in order."""
    out = np.empty((len(layers), 3), np.uint8)
    _mix_layers(layers, plain.astype(np.float32), colours, strengths / np.float32(255), out)
    return out


# Masks


@dataclass(frozen=True, eq=False)
class _SkinMasks:
    """What is drawn once for every size of picture."""

    lookup: Int[ndarray, "s s"]
    """``Atlas.lookup``: for each pixel its texel."""
    layers: UInt8[ndarray, "n k"]
    """In the order of ``_MASKS``."""
    face_sample: UInt8[ndarray, "m k"]
    """The layers of texels spread evenly over the visible skin of the face."""
    roughness: UInt8[ndarray, "s s"]
    pores: Int16[ndarray, "_ _ 2"]
    """Slope of the skin's grain: rise over run to the right and down the picture, in parts of ``_SLOPE``."""
    wrinkles: Int16[ndarray, "_ _ 2"]


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the mean person's features are, in front view; metres."""

    eye: Float[ndarray, "2"]
    upper_lid: Float[ndarray, "_ 2"]
    lower_lid: Float[ndarray, "_ 2"]
    brow: Float[ndarray, "_ 2"]
    lips: Float[ndarray, "_ 2"]
    mouth_line: Float[ndarray, "_ 2"]
    nose: Float[ndarray, "3"]
    mouth: Float[ndarray, "2"]
    chin: float
    hairline: float


@cache
def _places(body: Body) -> _Places:
    template = body.template.numpy()
    contours = face_contours(template)
    eye, lips = contours["left_eye"][:, :2], contours["lips_outer"][:, :2]
    front = template[: skin_stop(body)]
    line = contours["lips_inner"][:, :2]
    return _Places(
        eye=contours["left_iris"][0, :2],
        upper_lid=_spline(eye[:9]),
        lower_lid=_spline(np.concatenate([eye[8:], eye[:1]])),
        brow=_spline(contours["left_brow"][:, :2], closed=True),
        lips=np.concatenate([_spline(lips[:11])[:-1], _lower_lip(lips)]),
        mouth_line=_spline((line[:11] + np.concatenate([line[:1], line[:9:-1]])) / 2),
        nose=front[front[:, 2].argmax()],
        mouth=lips.mean(0),
        chin=float(contours["oval"][18, 1]),
        hairline=float(contours["oval"][0, 1]),
    )


def _lower_lip(rim: Float[ndarray, "n 2"]) -> Float[ndarray, "m 2"]:
    """The lower lip's border, from the left corner to the right: a bow, where the faces of the mask make a box."""
    middle, corner = rim[10:].mean(0) * (0, 1) + (0, rim[10:, 1].min() - rim[10:, 1].mean() - 0.0007), rim[10]
    along = np.linspace(1, -1, 49)[:-1]
    height = middle[1] + (corner[1] - middle[1]) * np.abs(along) ** 2.3
    return np.stack([along * corner[0], height], 1)


def _spline(points: Float[ndarray, "n 2"], closed: bool = False) -> Float[ndarray, "m 2"]:
    """A smooth curve through points, four times as many."""
    from scipy.interpolate import CubicSpline

    points = np.concatenate([points, points[:1]]) if closed else points
    curve = CubicSpline(np.arange(len(points)), points, bc_type="periodic" if closed else "not-a-knot")
    return curve(np.linspace(0, len(points) - 1, 4 * len(points))).astype(np.float64)


@kept(lambda body, size: f"skin-{size}")
def _skin_masks(body: Body, size: int) -> _SkinMasks:
    atlas = skin_atlas(body, size)
    masks = _draw(body, atlas)
    layers = np.stack([np.clip(255 * masks[name] + 0.5, 0, 255).astype(np.uint8) for name in _MASKS], 1)
    place = _places(body)
    p, looks = atlas.position, atlas.normal
    head = atlas.island == ISLANDS.index("head")
    features = (
        masks["lips"] + masks["brow"] + masks["scalp"] + masks["cavity"] + masks["waterline"] + masks["lash_line"]
    )
    face = head & (features < 0.15) & (p[:, 1] > place.chin) & (p[:, 1] < place.hairline) & (looks[:, 2] > 0.3)
    chosen = np.flatnonzero(face & (np.abs(p[:, 0]) < 0.055))
    chosen = chosen[:: max(1, len(chosen) // 900)]
    rough = 0.56 + 0.10 * (_noise(p, 400.0, 5) - 0.5) - 0.10 * masks["t_zone"]
    rough += (0.40 - rough) * masks["lipstick"] + (0.30 - rough) * masks["nail"] * (1 - masks["lipstick"])
    rough += (0.25 - rough) * masks["waterline"]
    rough += (0.75 - rough) * np.maximum(masks["mouth"], masks["lip_line"])
    empty = np.zeros((1, 1, 2), np.int16)
    return _SkinMasks(
        lookup=atlas.lookup,
        layers=layers,
        face_sample=np.ascontiguousarray(layers[chosen]),
        roughness=atlas.picture(np.clip(255 * rough, 0, 255).astype(np.uint8)),
        pores=_slope(atlas, masks["grain"]) if size >= 512 else empty,
        wrinkles=_slope(atlas, masks["furrow"]) if size >= 512 else empty,
    )


def _draw(body: Body, atlas: Atlas) -> dict[str, Float[ndarray, "n"]]:
    """Every mask, and the heights (metres) of the skin's grain and of wrinkles."""
    place = _places(body)
    p, looks = atlas.position, atlas.normal
    count = len(p)
    island = {name: atlas.island == i for i, name in enumerate(ISLANDS)}
    mirrored = np.stack([np.abs(p[:, 0]), p[:, 1]], 1)
    masks = {name: np.zeros(count, np.float32) for name in (*_MASKS, "t_zone", "grain", "furrow")}

    coarse, middle, fine = _noise(p, 28.0, 1), _noise(p, 75.0, 2), _noise(p, 240.0, 3)
    masks["mottle_red"] = _ramp(0.6 * coarse + 0.4 * middle, 0.42, 0.75)
    masks["mottle_dark"] = _ramp(0.35 * _noise(p, 36.0, 4) + 0.4 * middle + 0.25 * fine, 0.45, 0.8)
    masks["mottle_light"] = _ramp(0.5 * fine + 0.5 * _noise(p, 120.0, 6), 0.5, 0.85)
    hand = island["left_hand"] | island["right_hand"]
    foot = island["left_foot"] | island["right_foot"]
    trunk = island["trunk"]
    masks["mottle_red"][trunk] *= 0.6
    masks["mottle_dark"][trunk] *= 0.6
    inner = island["mouth"]
    socket = island["left_socket"] | island["right_socket"]
    masks["mouth"][inner] = 1.0
    masks["waterline"][socket] = 1.0
    for mask, where in (("fingernails", hand), ("toenails", foot)):
        nail = _face_mask(body, mask)[atlas.face] & where
        masks["nail"] = np.maximum(masks["nail"], nail.astype(np.float32))
    masks["nail"] = _soften(atlas, masks["nail"], atlas.size / 1400)

    _draw_limbs(body, atlas, masks, hand, foot)
    front = np.flatnonzero(island["head"])
    _draw_head(place, p[front], looks[front], mirrored[front], front, masks)
    if atlas.size >= 512:
        masks["grain"] = _grain(p, hand | foot)
        lips = masks["lipstick"]
        masks["grain"] += lips * (0.7e-4 * _ramp(_noise(p * (1.0, 0.12, 0.3), 1200.0, 12), 0.3, 0.7) - masks["grain"])
    return masks


def _draw_limbs(
    body: Body,
    atlas: Atlas,
    masks: dict[str, Float[ndarray, "n"]],
    hand: Bool[ndarray, "n"],
    foot: Bool[ndarray, "n"],
) -> None:
    """Palms and soles, and the redder knuckles, knees and elbows."""
    p, looks = atlas.position, atlas.normal
    joints = body.joint_template.numpy()

    def joint(name: str) -> Float[ndarray, "3"]:
        return joints[body.joint_names.index(name)]

    flush = masks["flush"]
    for side, sign in (("L", 1.0), ("R", -1.0)):
        mine = np.flatnonzero(hand & (p[:, 0] * sign > 0))
        along = joint(f"finger3-1.{side}") - joint(f"wrist.{side}")
        across = joint(f"finger2-1.{side}") - joint(f"finger5-1.{side}")
        back = sign * np.cross(across, along)
        back /= np.linalg.norm(back)
        down = -(looks[mine] @ back)
        reach = (p[mine] - joint(f"wrist.{side}")) @ along / (along @ along)
        palm = _ramp(down + 0.25 * (_noise(p[mine], 90.0, 7) - 0.5), -0.15, 0.45)
        masks["palm"][mine] = palm * _ramp(reach, 0.02, 0.4)
        for finger in range(1, 6):
            for part, size in ((1, 0.009), (2, 0.007), (3, 0.006)):
                near = _blob(p[mine], joint(f"finger{finger}-{part}.{side}") + 0.004 * back, size)
                flush[mine] = np.maximum(flush[mine], 0.8 * near * _ramp(-down, -0.2, 0.4))
            tip = 1.6 * joint(f"finger{finger}-3.{side}") - 0.6 * joint(f"finger{finger}-2.{side}")
            flush[mine] = np.maximum(flush[mine], 0.6 * _blob(p[mine], tip, 0.011))
        sole = np.flatnonzero(foot & (p[:, 0] * sign > 0))
        masks["palm"][sole] = _ramp(-looks[sole, 1] + 0.2 * (_noise(p[sole], 60.0, 8) - 0.5), 0.25, 0.75)
        flush[sole] = np.maximum(flush[sole], 0.5 * _ramp(p[sole, 2], 0.10, 0.16))
        trunk = np.flatnonzero((atlas.island == ISLANDS.index("trunk")) & (p[:, 0] * sign > 0))
        knee = joint(f"lowerleg01.{side}") + np.array((0, 0, 0.05))
        elbow = joint(f"lowerarm01.{side}") + np.array((0, 0, -0.04))
        spots = 0.7 * _blob(p[trunk], knee, 0.045) + 0.9 * _blob(p[trunk], elbow, 0.035)
        flush[trunk] = np.maximum(flush[trunk], spots)


def _draw_head(
    place: _Places,
    p: Float[ndarray, "m 3"],
    looks: Float[ndarray, "m 3"],
    mirrored: Float[ndarray, "m 2"],
    rows: Int[ndarray, "m"],
    masks: dict[str, Float[ndarray, "n"]],
) -> None:
    """The masks of the head's texels, numbered ``rows`` in the atlas. Both sides are drawn as one."""
    x, y, z = mirrored[:, 0], p[:, 1], p[:, 2]
    forward = _ramp(looks[:, 2], -0.1, 0.35) * _ramp(z, 0.045, 0.075)
    eye_x, eye_y = place.eye
    nose = place.nose

    def put(name: str, values: Float[ndarray, "m"]) -> None:
        masks[name][rows] = np.clip(values, 0, 1)

    wobble = _noise(p, 60.0, 9)
    speckle = _noise(p, 1300.0, 10)
    face = forward * _ramp(y, place.chin - 0.004, place.chin + 0.012) * _ramp(-x, -0.066, -0.054)
    put("upper_face", face * _ramp(y, 0.655, 0.675))
    put("lower_face", face * _ramp(-y, -0.592, -0.575))
    cheek = np.exp(-(((x - 0.038) / 0.017) ** 2) - ((y - 0.611) / 0.015) ** 2)
    tip = _blob(p, nose - (0, 0, 0.004), 0.013)
    wing = np.exp(-(((x - 0.017) / 0.007) ** 2) - ((y - nose[1] + 0.006) / 0.009) ** 2) * forward
    chin = np.exp(-((x / 0.014) ** 2) - ((y - place.chin - 0.013) / 0.011) ** 2) * forward
    ear = _ramp(x, 0.069, 0.074) * _ramp(y, 0.585, 0.6) * _ramp(-y, -0.67, -0.655)
    masks["flush"][rows] = np.clip(
        (0.65 + 0.6 * wobble) * (0.85 * cheek * forward + 0.9 * tip + 0.5 * wing + 0.35 * chin) + 0.75 * ear, 0, 1
    )
    put("blush", np.exp(-(((x - 0.042) / 0.018) ** 2) - ((y - 0.615 - 0.35 * (x - 0.042)) / 0.012) ** 2) * forward)
    lobe = _ramp(x, 0.067, 0.07)
    ear_hollow = lobe * np.exp(-(((y - 0.63) / 0.016) ** 2) - ((z - 0.048) / 0.009) ** 2)
    nostril = _ramp(-looks[:, 1], 0.55, 0.95) * np.exp(
        -(((x - 0.0085) / 0.0055) ** 2) - ((z - nose[2] + 0.013) / 0.008) ** 2 - ((y - nose[1] + 0.008) / 0.009) ** 2
    )
    put("cavity", 1.2 * nostril + 0.55 * ear_hollow)

    eye_near = np.hypot((x - eye_x) / 1.35, y - eye_y)
    to_upper, to_lower = _to_curve(mirrored, place.upper_lid, 0.03), _to_curve(mirrored, place.lower_lid, 0.03)
    in_eye = _inside(mirrored, np.concatenate([place.upper_lid, place.lower_lid]))
    above = y > np.interp(x, *_graph(place.upper_lid)) - 5e-4
    around = forward * (eye_near < 0.03)
    fold = np.exp(-((to_upper / 0.0065) ** 2)) * above
    put("lid", around * np.maximum(0.75 * fold, 0.6 * np.exp(-((eye_near / 0.0125) ** 2))))
    bag = np.exp(-((to_lower - 0.0075) ** 2) / 0.004**2) * ~above * ~in_eye * (y < eye_y)
    put("bag", around * bag)
    wing_of_shadow = np.exp(-((to_upper / 0.0075) ** 2)) * above + 0.3 * np.exp(-((to_lower / 0.003) ** 2)) * ~above
    put("eyeshadow", around * wing_of_shadow * _ramp(x, 0.017, 0.022))
    thick = 0.0004 + 0.0006 * _ramp(x, 0.021, 0.038)
    lash = (1 - _ramp(to_upper - thick, 0.0, 0.0006)) * _ramp(x, 0.019, 0.023) * around
    lower_lash = 0.3 * (1 - _ramp(to_lower - 0.0003, 0.0, 0.0008)) * _ramp(x, 0.024, 0.036) * around
    put("lash_line", np.maximum(lash, lower_lash))
    put("waterline", around * in_eye)

    inside_brow = _inside(mirrored, place.brow)
    brow_edge = _to_curve(mirrored, place.brow, 0.02)
    signed = np.where(inside_brow, brow_edge, -brow_edge)
    hairs = _noise(np.stack([x * 0.5 + 0.8 * y, y - 0.4 * x, z], 1), 900.0, 11)
    put("brow", forward * _ramp(signed, -0.0016, 0.0018) * (0.55 + 0.6 * hairs) * _ramp(x, 0.006, 0.014))

    inside_lips = _inside(p[:, :2], place.lips)
    near_mouth = (np.hypot(x, y - place.mouth[1]) < 0.04) & (z > 0.11)
    lip_edge = _to_curve(p[:, :2], place.lips, 0.02)
    signed = np.where(inside_lips, lip_edge, -lip_edge)
    lips = near_mouth * _ramp(signed, -0.0007, 0.0007)
    put("lipstick", lips)
    put(
        "lips",
        near_mouth * _ramp(signed + 0.0008 * (wobble - 0.5), -0.0012, 0.0022) * (0.8 + 0.4 * _noise(p, 420.0, 15)),
    )
    line = np.exp(-((_to_curve(p[:, :2], place.mouth_line, 0.02) / 0.0008) ** 2))
    inward = 1 - _ramp(looks[:, 2], 0.0, 0.3)
    put("lip_line", near_mouth * np.maximum(0.85 * line, lips * inward * (np.abs(y - place.mouth[1]) < 0.008)))

    grain = _ramp(speckle, 0.2, 0.8) * 0.4 + 0.6
    clear = (1 - lips) * _ramp(np.hypot(x / 1.05, y - place.mouth[1]) - 0.0, 0.0, 0.01)
    moustache = np.exp(-(((y - 0.5912) / 0.0062) ** 2)) * _ramp(-x, -0.031, -0.019) * clear * _ramp(-y, -0.6, -0.596)
    put("shadow_of_moustache", forward * moustache * grain)
    below = _ramp(-y, -0.572, -0.562) * clear
    chin_area = below * _ramp(-x, -0.029, -0.02) * _ramp(y, place.chin - 0.012, place.chin + 0.002)
    put("shadow_of_chin", chin_area * grain * _ramp(z, 0.07, 0.09))
    border = 0.601 - 0.55 * np.clip(0.062 - x, 0, 0.05) + 0.004 * (wobble - 0.5)
    jaw = _ramp(border - y, -0.009, 0.016) * _ramp(x, 0.02, 0.03) * _ramp(z, 0.040, 0.068)
    side = _ramp(x, 0.050, 0.066) * _ramp(-y, -0.632, -0.602) * _ramp(z, 0.050, 0.068) * (x < 0.069)
    under = _ramp(place.chin + 0.004 - y, -0.008, 0.0) * 0.6
    bottom = _ramp(y, place.chin - 0.03, place.chin - 0.012)
    put("shadow_of_jaw", np.maximum(np.maximum(jaw, side), under) * bottom * _ramp(z, 0.03, 0.055) * grain * clear)

    turn = np.degrees(np.arctan2(x, z - 0.04))
    angles = (0, 24, 34, 46, 55, 66, 78, 86, 96, 112, 122, 140, 180)
    heights = (0.712, 0.7075, 0.700, 0.686, 0.670, 0.648, 0.640, 0.655, 0.669, 0.667, 0.625, 0.585, 0.568)
    start = np.interp(turn, angles, heights) + 0.006 * (wobble - 0.5)
    put("scalp", _ramp(y - start, -0.003, 0.012) * (0.7 + 0.3 * grain) * (1 - lobe * _ramp(-y, -0.672, -0.66)))

    spots_small, spots_large = _spots(p, 0.0027, 0.0008, 21), _spots(p, 0.0055, 0.0013, 22)
    sunny = (
        np.maximum(np.exp(-((x / 0.045) ** 2) - ((y - 0.618) / 0.026) ** 2), 0.35 * _ramp(y, 0.65, 0.68))
        * forward
        * (1 - lips)
    )
    put("freckles_small", spots_small * _ramp(sunny + 0.5 * wobble - 0.35, 0.0, 0.5))
    put("freckles_large", spots_large * _ramp(sunny + 0.4 * wobble - 0.3, 0.0, 0.5))
    put("age_spots", _spots(p, 0.02, 0.0034, 23) * _ramp(wobble + 0.3 * speckle, 0.5, 0.75) * (1 - lips))
    put(
        "t_zone",
        forward
        * np.maximum(
            np.exp(-((x / 0.012) ** 2)) * _ramp(y, 0.59, 0.61), np.exp(-((x / 0.035) ** 2) - ((y - 0.682) / 0.016) ** 2)
        ),
    )
    furrow = _furrows(place, x, y, wobble) * forward * (1 - lips)
    masks["furrow"][rows] = -furrow
    put("wrinkle", furrow / 5e-4)


def _furrows(
    place: _Places, x: Float[ndarray, "m"], y: Float[ndarray, "m"], wobble: Float[ndarray, "m"]
) -> Float[ndarray, "m"]:
    """Depth of an old face's wrinkles; metres."""
    depth = np.zeros_like(x)

    def line(points: tuple[tuple[float, float], ...], deep: float, wide: float) -> None:
        nonlocal depth
        curve = _spline(np.array(points)) if len(points) > 2 else np.array(points)
        away = _to_curve(np.stack([x, y + 0.0025 * (wobble - 0.5)], 1), curve, 4 * wide)
        depth = np.maximum(depth, deep * np.exp(-((away / wide) ** 2)))

    for height, deep in ((0.674, 2.6e-4), (0.6825, 3.2e-4), (0.691, 2.4e-4)):
        line(
            ((0.0, height - 0.001), (0.018, height + 0.001), (0.036, height - 0.001), (0.045, height - 0.004)),
            deep,
            9e-4,
        )
    line(((0.0055, 0.652), (0.0065, 0.660), (0.005, 0.667)), 2.6e-4, 8e-4)
    corner_x, corner_y = place.upper_lid[0]
    for angle, reach in ((38, 0.013), (14, 0.017), (-10, 0.016), (-34, 0.012)):
        turn = np.radians(angle)
        near, far = (
            np.array((corner_x, corner_y)) + r * np.array((np.cos(turn), np.sin(turn))) for r in (0.004, reach)
        )
        line((tuple(near), tuple((near + far) / 2 + (0, -0.0006)), tuple(far)), 2.2e-4, 6e-4)
    line(((0.0185, 0.6045), (0.025, 0.596), (0.030, 0.586), (0.032, 0.5765)), 5e-4, 1.5e-3)
    line(((0.0245, 0.5725), (0.0275, 0.566), (0.0285, 0.558)), 3.2e-4, 1.2e-3)
    for drop, deep in ((0.0055, 1.8e-4), (0.0095, 2.6e-4)):
        line(
            ((0.019, 0.637 - drop), (0.027, 0.6335 - drop), (0.036, 0.6355 - drop), (0.0425, 0.639 - drop)), deep, 9e-4
        )
    return depth * _ramp(wobble, 0.1, 0.75)


def _normal_map(person: Person, masks: _SkinMasks) -> UInt8[ndarray, "s s 3"]:
    """The skin's grain, and wrinkles as the years bring them."""
    age = person.spec.body.age
    old = np.float32(np.interp(age, (28, 45, 65, 85), (0.0, 0.2, 0.7, 1.3)))
    grain = np.float32(np.interp(age, (12, 20, 50, 85), (0.15, 0.6, 0.9, 1.7)))
    if person.spec.body.presentation == "woman":
        grain *= np.float32(0.7)
    return _encoded(np.float32(grain / _SLOPE) * masks.pores + np.float32(old / _SLOPE) * masks.wrinkles)


def _encoded(slope: Float[ndarray, "s s 2"]) -> UInt8[ndarray, "s s 3"]:
    """Slopes to the right and down as a tangent-space normal map, +y up."""
    scale = np.float32(127) / np.sqrt(np.float32(1) + np.einsum("ijk,ijk->ij", slope, slope))
    out = np.empty((*slope.shape[:2], 3), np.uint8)
    out[..., 0] = np.float32(128) - slope[..., 0] * scale
    out[..., 1] = np.float32(128) + slope[..., 1] * scale
    out[..., 2] = np.float32(128) + scale
    return out


def _slope(atlas: Atlas, height: Float[ndarray, "n"]) -> Int16[ndarray, "s s 2"]:
    """Rise over run of a height field in metres, to the right and down the picture, in parts of ``_SLOPE``."""
    picture = atlas.picture(height.astype(np.float32))
    place = atlas.picture(atlas.position)
    run_right = np.linalg.norm(np.gradient(place, axis=1), axis=2)
    run_down = np.linalg.norm(np.gradient(place, axis=0), axis=2)
    right = np.gradient(picture, axis=1) / np.maximum(run_right, 1e-4)
    down = np.gradient(picture, axis=0) / np.maximum(run_down, 1e-4)
    return (np.clip(np.stack([right, down], 2), -1, 1) * _SLOPE).round().astype(np.int16)


def _grain(p: Float[ndarray, "n 3"], coarse: Bool[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Height of pores and fine lines; metres."""
    pores = _ramp(_noise(p, 1000.0, 13), 0.35, 0.6)
    lines = 1 - np.abs(2 * _noise(p, 520.0, 14) - 1)
    return (4.5e-5 * pores - 5e-5 * lines**4 * (1 + coarse)).astype(np.float32)


def _face_mask(body: Body, name: str) -> Bool[ndarray, "f"]:
    """Whether a mask of the body's own layout covers each face of the part "body"."""
    mask = body.masks[name]
    centre = body.parts["body"].uvs.mean(1) * mask.shape[0]
    column, row = np.clip(centre.astype(int), 0, mask.shape[0] - 1).T
    return mask[row, column] > 127


def _soften(atlas: Atlas, values: Float[ndarray, "n"], sigma: float) -> Float[ndarray, "n"]:
    """Values blurred by ``sigma`` pixels of the picture."""
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(atlas.picture(values), sigma)
    out = np.empty_like(values)
    # Border pixels come last to first so that a texel keeps its own pixel's value or a neighbour's copy of it.
    out[atlas.lookup.ravel()] = blurred.ravel()
    return out


def _ramp(values: ndarray, low: float, high: float) -> Float[ndarray, "n"]:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _blob(p: Float[ndarray, "n 3"], centre: ndarray, size: float) -> Float[ndarray, "n"]:
    return np.exp(-((p - centre) ** 2).sum(1) / size**2).astype(np.float32)


def _graph(curve: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """A curve as increasing abscissae and their ordinates."""
    order = np.argsort(curve[:, 0])
    return curve[order, 0], curve[order, 1]


@kernel
def _curve_distance(points, curve, low, high, limit, out):
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        if x < low[0] or x > high[0] or y < low[1] or y > high[1]:
            out[i] = limit
            continue
        best = limit * limit
        for k in range(len(curve) - 1):
            ax, ay = curve[k, 0], curve[k, 1]
            dx, dy = curve[k + 1, 0] - ax, curve[k + 1, 1] - ay
            t = ((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-14)
            t = min(max(t, 0.0), 1.0)
            away = (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2
            best = min(best, away)
        out[i] = np.sqrt(best)


def _to_curve(points: Float[ndarray, "m 2"], curve: Float[ndarray, "n 2"], limit: float) -> Float[ndarray, "m"]:
    """Distance to a curve, or ``limit`` where it is farther."""
    out = np.empty(len(points), np.float32)
    low, high = curve.min(0) - limit, curve.max(0) + limit
    _curve_distance(np.ascontiguousarray(points, np.float64), curve, low, high, limit, out)
    return out


@kernel
def _crossings(points, polygon, low, high, out):
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        if x < low[0] or x > high[0] or y < low[1] or y > high[1]:
            continue
        inside = False
        j = len(polygon) - 1
        for k in range(len(polygon)):
            if (polygon[k, 1] > y) != (polygon[j, 1] > y):
                share = (y - polygon[k, 1]) / (polygon[j, 1] - polygon[k, 1])
                if x < polygon[k, 0] + share * (polygon[j, 0] - polygon[k, 0]):
                    inside = not inside
            j = k
        out[i] = inside


def _inside(points: Float[ndarray, "m 2"], polygon: Float[ndarray, "n 2"]) -> Bool[ndarray, "m"]:
    """Whether points lie inside a closed polygon."""
    out = np.zeros(len(points), np.bool_)
    _crossings(np.ascontiguousarray(points, np.float64), polygon, polygon.min(0), polygon.max(0), out)
    return out


@inner
def _hash(x, y, z, seed):
    """A number in [0, 1) for each lattice point."""
    h = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 974711) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@kernel
def _value_noise(points, frequency, seed, out):
    for i in range(len(points)):
        x, y, z = points[i, 0] * frequency, points[i, 1] * frequency, points[i, 2] * frequency
        a, b, c = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        u, v, w = x - a, y - b, z - c
        u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
        total = 0.0
        for di in range(2):
            for dj in range(2):
                for dk in range(2):
                    share = (u if di else 1 - u) * (v if dj else 1 - v) * (w if dk else 1 - w)
                    total += share * _hash(a + di, b + dj, c + dk, seed)
        out[i] = total


def _noise(points: Float[ndarray, "n 3"], frequency: float, seed: int) -> Float[ndarray, "n"]:
    """Smooth noise in [0, 1] with ``frequency`` lattice points a metre."""
    out = np.empty(len(points), np.float32)
    _value_noise(np.ascontiguousarray(points, np.float64), frequency, seed, out)
    return out


@kernel
def _spot_field(points, spacing, radius, seed, out):
    for i in range(len(points)):
        x, y, z = points[i, 0] / spacing, points[i, 1] / spacing, points[i, 2] / spacing
        a, b, c = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
        for da in range(-1, 2):
            for db in range(-1, 2):
                for dc in range(-1, 2):
                    size = _hash(a + da, b + db, c + dc, seed)
                    if size < 0.35:
                        continue
                    dx = x - a - da - _hash(a + da, b + db, c + dc, seed + 1)
                    dy = y - b - db - _hash(a + da, b + db, c + dc, seed + 2)
                    dz = z - c - dc - _hash(a + da, b + db, c + dc, seed + 3)
                    away = np.sqrt(dx * dx + dy * dy + dz * dz) * spacing / (radius * (0.5 + size))
                    if away < 1:
                        out[i] = max(out[i], (1 - away * away) * (0.4 + 0.6 * size))


def _spots(points: Float[ndarray, "n 3"], spacing: float, radius: float, seed: int) -> Float[ndarray, "n"]:
    """Scattered soft spots, about one in a cube of ``spacing`` metres."""
    out = np.zeros(len(points), np.float32)
    _spot_field(np.ascontiguousarray(points, np.float64), spacing, radius, seed, out)
    return out
