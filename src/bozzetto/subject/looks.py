"""What a photo's person wears and looks like: colours and kinds, from the pixels that the fitted body covers.

Each part of the body says which pixels to ask: a sleeve is a forearm that is not skin, a skirt is what fills the gap
between the thighs. The colour is the pixels' own, its name the nearest that people say. Nobody is ever left undressed:
where skin is seen on the trunk, or nothing at all, plain clothes are worn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from PIL import Image
from scipy.ndimage import binary_erosion

from bozzetto.body.landmarks import dominant_joint, regions
from bozzetto.body.model import load_body
from bozzetto.figure.colours import EYES, HAIR, SKIN, colour, delta_e_2000_lab, lab_to_srgb, nearest_name, srgb_to_lab
from bozzetto.figure.spec import (
    BodySpec,
    Colour,
    FaceSpec,
    FigureSpec,
    Garment,
    GarmentKind,
    HairSpec,
    PatternKind,
    Presentation,
)
from bozzetto.render.raster import rasterize
from bozzetto.subject.locks import CHIN, TOP, Head, pigtails
from bozzetto.subject.photos import Photo
from bozzetto.types import Cameras

_WORKING = 512
"""Pixels of the longer side on which colours are read."""

_SKIN_LIKE, _SAME, _OTHER = 6.5, 11.0, 16.0
"""How far apart in CIEDE2000 two colours may be to be one's skin, or one cloth; and must be, to be two."""
_SHADE = np.array([0.5, 1.0, 1.0])
"""Weights of CIELAB's axes where light and shade are not to count as much as hue."""


@dataclass(frozen=True)
class Looks:
    """A spec whose body was given, and what is guessed about the rest."""

    spec: FigureSpec
    guesses: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Map:
    """The photo at working size, in CIELAB, and where the parts of the body are in it."""

    lab: Float[ndarray, "h w 3"]
    mask: Bool[ndarray, "h w"]
    parts: Mapping[str, Bool[ndarray, "h w"]]
    scale: float
    """Pixels of the photo to pixels here."""
    unit: float
    """Pixels of one metre."""

    def colour_of(self, *parts: str, least: int = 12) -> Float[ndarray, "3"] | None:
        """The colour of parts of the body in good light; None where too little of them is seen."""
        where = np.any([self.parts[part] for part in parts], 0) & self.mask
        inner = binary_erosion(where, iterations=2)
        return lit_colour(self.lab[inner if inner.sum() >= least else where], least)


def lit_colour(lab: Float[ndarray, "n 3"], least: int = 12) -> Float[ndarray, "3"] | None:
    """The colour of most of the pixels in good light: of two kinds the commoner, its brighter half without highlights.

    None where there are fewer than ``least``.
    """
    if len(lab) < least:
        return None
    found = _two_kinds(lab)
    if found is not None and np.linalg.norm((found[1][0] - found[1][1]) * _SHADE) > 2 * _SAME:
        lab = lab[found[0]] if found[0].mean() >= 0.5 else lab[~found[0]]
    low, high = np.percentile(lab[:, 0], (50, 92))
    return np.median(lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)], 0)


_PARTS: Mapping[str, tuple[str, ...]] = {
    "neck": ("neck",), "chest": ("spine01", "spine02", "spine03"), "belly": ("spine04", "spine05"),
    "hips": ("root", "pelvis"), "upper arms": ("upperarm",), "forearms": ("lowerarm",),
    "hands": ("wrist", "finger", "metacarpal"), "thighs": ("upperleg01",), "knees": ("upperleg02",),
    "calves": ("lowerleg01",), "ankles": ("lowerleg02",), "feet": ("foot", "toe"), "toes": ("toe",),
    "head": ("head", "eye"),
}  # fmt: skip
"""Of the body, by the joints that move them most."""
_CHEEKS = (50, 101, 118, 205, 280, 330, 347, 425)
"""Of the face mesh: skin that no hair, brow or beard covers."""
_EARS = (323, 93)
"""The edges of the face beside the lobes of the ears: beyond them lies an ear, or hair that hangs over it."""
_CHIN = (199, 200, 175, 138, 367, 169, 394)
_UPPER_LIP = (164, 165, 391)


def see_looks(photo: Photo, body: Float[ndarray, "v 3"], cameras: Cameras, build: BodySpec) -> Looks:
    """Skin, hair, face and clothes of a photo's person.

    Args:
        body: The fitted body, as ``cameras`` sees it over the photo.
        build: What the fit found; grey hair makes it older.
    """
    seen = _mapped(photo, body, cameras)
    guesses: list[str] = []
    skin = _skin(photo, seen)
    if skin is None:
        guesses.append("The skin is not seen: medium.")
    face = _face(photo, seen, skin, build)
    hair, hat = _hair(photo, seen, skin, guesses)
    if hair is None:
        guesses.append("The hair is not seen: short and brown.")
        hair = HairSpec("long straight" if photo.from_behind else "short")
    if face.beard != "none":
        build = replace(build, presentation="man")
        if hair.style in ("bob", "shoulder") and not _over_ears(photo, seen, skin, hair.colour):
            hair = replace(hair, style="short")  # what hangs beside the jaw is the beard
    top, outer, torso = _above(seen, skin, guesses)
    legs = _legs(photo, seen)
    bottom, dress, outer = _below(seen, skin, torso, legs, outer, guesses)
    if dress is not None:
        top = None
    top = _patterned(seen, top, skin, ("chest",), ("belly",))
    outer = _patterned(seen, outer, skin, ("forearms",))
    if photo.part == "full body":
        bottom = _patterned(seen, bottom, skin, ("thighs",), ("knees",))
    dress = _patterned(seen, dress, skin, ("chest",), ("belly",), ("thighs",))
    shoes = _shoes(seen, skin, build.presentation, guesses)
    if hair.colour.name in ("grey", "silver", "white", "salt and pepper") and build.age >= 30 and hair.style != "bald":
        build = replace(build, age=64.0)
        guesses.append("Grey hair is taken for that of somebody of 64.")
    shades = _sunglasses(photo, seen, skin)
    extras = tuple(each for each in (hat, shades) if each is not None)
    spec = FigureSpec(build, face, hair, top, outer, bottom, dress, shoes, extras)
    return Looks(spec, tuple(guesses))


def _mapped(photo: Photo, body: Float[ndarray, "v 3"], cameras: Cameras) -> _Map:
    """The photo and the body's parts in it, small."""
    height, width = photo.mask.shape
    scale = min(1.0, _WORKING / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    eight = Image.fromarray((photo.picture * 255 + 0.5).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    lab = srgb_to_lab(np.asarray(eight) / 255)
    mask = np.asarray(Image.fromarray(photo.mask.astype(np.float32)).resize(size, Image.Resampling.BOX)) > 0.6
    shrunk = torch.diag(torch.tensor([size[0] / width, size[1] / height, 1.0]))
    small = Cameras(cameras.world_to_camera, shrunk @ cameras.intrinsics, size[1], size[0])
    model = load_body()
    faces = model.parts["body"].faces
    face = rasterize(body, faces, small).face[0]
    names = np.array(model.joint_names)[dominant_joint(model)]
    middle = model.template.numpy()[:, 0]
    parts = {}
    for part, starts in _PARTS.items():
        moved = np.array([name.startswith(starts) for name in names])
        parts[part] = _where(face, moved[faces[:, 0]])
    trunk = np.array([name.startswith(_PARTS["chest"]) for name in names])
    parts["front"] = _where(face, (trunk & (np.abs(middle) < 0.03))[faces[:, 0]])
    parts["sides"] = _where(face, (trunk & (np.abs(middle) > 0.08) & (np.abs(middle) < 0.15))[faces[:, 0]])
    parts["face"] = _where(face, regions(model)["face"][faces[:, 0]])
    distance = float(np.linalg.norm(cameras.world_to_camera[0, :3, 3].numpy()))
    depth = body @ cameras.world_to_camera[0, 2, :3].numpy() + cameras.world_to_camera[0, 2, 3].item()
    unit = float(cameras.intrinsics[0, 0, 0]) * scale / max(float(np.median(depth)), 0.1 * distance)
    return _Map(lab, mask, parts, scale, unit)


def _where(face: Int[ndarray, "h w"], chosen: Bool[ndarray, "f"]) -> Bool[ndarray, "h w"]:
    return (face >= 0) & chosen[np.maximum(face, 0)]


def _apart(a: Float[ndarray, "*#n 3"] | None, b: Float[ndarray, "*#n 3"] | None) -> Any:
    """CIEDE2000 with half the weight on lightness, which shade changes; infinite where a colour is not known."""
    if a is None or b is None:
        return float("inf")
    level = np.array([25.0, 0.0, 0.0])
    return delta_e_2000_lab(a * _SHADE + level, b * _SHADE + level)


def _discs(seen: _Map, points: Float[ndarray, "n d"], radius: float) -> Float[ndarray, "m 3"]:
    """The pixels around points of the photo, of which the first two numbers count."""
    rows, columns = np.indices(seen.mask.shape) + 0.5
    near = np.zeros(seen.mask.shape, bool)
    for x, y in points[:, :2] * seen.scale:
        near |= (columns - x) ** 2 + (rows - y) ** 2 <= max(radius * seen.scale, 0.8) ** 2
    return seen.lab[near]


def _skin(photo: Photo, seen: _Map) -> Float[ndarray, "3"] | None:
    """CIELAB of the person's skin: the cheeks, else the face, else the hands."""
    if photo.face is not None:
        points = photo.face.points
        return lit_colour(_discs(seen, points[list(_CHEEKS)], 0.05 * face_height(points)), 3)
    if photo.from_behind or not photo.seen[:11].any():
        return seen.colour_of("hands")
    return seen.colour_of("face")


def face_height(points: Float[ndarray, "n 3"]) -> float:
    """From chin to hairline of a face mesh, in its unit."""
    return float(np.linalg.norm(points[TOP, :2] - points[CHIN, :2]))


def named(lab: Float[ndarray, "3"], table: Mapping[str, str] | None = None) -> Colour:
    """The colour itself, with the name in a table (of cloth when None) that looks most like it."""
    red, green, blue = (float(value) for value in lab_to_srgb(lab))
    code = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
    if table is None:
        return Colour(nearest_name((red, green, blue)), code)
    names = list(table)
    known = srgb_to_lab(np.array([Colour("", table[name]).srgb for name in names]))
    return Colour(names[int(delta_e_2000_lab(known, lab[None]).argmin())], code)


def _face(photo: Photo, seen: _Map, skin: Float[ndarray, "3"] | None, build: BodySpec) -> FaceSpec:
    face = FaceSpec()
    if skin is not None:
        tone = named(skin, SKIN)
        face = replace(face, skin=replace(tone, name=f"{tone.name} skin"))
    if photo.face is None:
        return face
    points = photo.face.points
    tall = face_height(points)
    if len(points) == 478:
        irises = []
        for centre, *rim in ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477)):
            radius = float(np.linalg.norm(points[rim, :2] - points[centre, :2], axis=1).mean())
            if radius >= 4:
                irises.append(_ring(photo, points[centre, :2], radius))
        if irises:
            face = replace(face, eyes=named(np.median(np.concatenate(irises), 0), EYES))
    wide = np.linalg.norm(points[61, :2] - points[291, :2]) / np.linalg.norm(points[33, :2] - points[263, :2])
    open_ = np.linalg.norm(points[13, :2] - points[14, :2]) / np.linalg.norm(points[61, :2] - points[291, :2])
    corners, middle = (points[61, 1] + points[291, 1]) / 2, (points[13, 1] + points[14, 1]) / 2
    lifted = (middle - corners) / tall
    if wide > 0.6 and lifted > 0.008:
        face = replace(face, expression="laughing" if open_ > 0.15 else "smiling")
    elif open_ > 0.25 and wide < 0.6:
        face = replace(face, expression="surprised")
    if build.presentation != "woman" and build.age >= 18 and skin is not None:
        chin = lit_colour(_discs(seen, points[list(_CHIN)], 0.03 * tall), 3)
        lip = lit_colour(_discs(seen, points[list(_UPPER_LIP)], 0.015 * tall), 2)
        dark_chin = chin is not None and skin[0] - chin[0] > 18
        dark_lip = lip is not None and skin[0] - lip[0] > 14
        if dark_chin or dark_lip:
            beard = "short" if dark_chin and dark_lip else "goatee" if dark_chin else "moustache"
            face = replace(face, beard=beard)
    return face


def _sunglasses(photo: Photo, seen: _Map, skin: Float[ndarray, "3"] | None) -> Garment | None:
    """What lies right below the eyes is far darker than the cheeks."""
    if photo.face is None or skin is None:
        return None
    points, below = photo.face.points, []
    down = (points[CHIN] - points[TOP]) / face_height(points)
    for outer, inner in ((33, 133), (263, 362)):
        wide = float(np.linalg.norm(points[outer, :2] - points[inner, :2]))
        place = (points[outer] + points[inner]) / 2 + 0.3 * wide * down
        below.append(_discs(seen, place[None], 0.2 * wide))
    if any(len(lab) == 0 or np.median(lab[:, 0]) > 0.5 * skin[0] for lab in below):
        return None
    return Garment("sunglasses", named(np.median(np.concatenate(below), 0)))


def _ring(photo: Photo, centre: Float[ndarray, "2"], radius: float) -> Float[ndarray, "n 3"]:
    """CIELAB of an iris below its middle, where neither pupil nor lid is."""
    low = np.maximum(np.floor(centre - radius).astype(int), 0)
    part = photo.picture[low[1] : low[1] + int(2 * radius) + 2, low[0] : low[0] + int(2 * radius) + 2]
    rows, columns = np.indices(part.shape[:2]) + 0.5
    x, y = columns + low[0] - centre[0], rows + low[1] - centre[1]
    away = np.hypot(x, y) / radius
    return srgb_to_lab(part[(away > 0.5) & (away < 0.85) & (y > -0.2 * radius)].astype(np.float64))


def _hair(
    photo: Photo, seen: _Map, skin: Float[ndarray, "3"] | None, guesses: list[str]
) -> tuple[HairSpec | None, Garment | None]:
    """Colour and length of what grows around the face, None where the head cannot be measured; and a hat."""
    if photo.keypoints is None or not photo.seen[:11].any():
        return None, None
    head = Head.of(photo.face, photo.keypoints)
    tall = head.tall * seen.scale
    if tall < 10:
        return None, None
    x, y = head.measured(seen.mask.shape, seen.scale)
    unlike = _apart(skin, seen.lab) if skin is not None else np.full(seen.mask.shape, 99.0)
    behind = photo.from_behind
    crown = seen.mask & (y > (0.3 if behind else 1.0)) & (y < 1.8) & (np.abs(x) < 1.0)
    darker = skin is not None and seen.lab[..., 0] < skin[0] - 8
    hairy = crown & (behind | (unlike > 8) | darker)
    amount = hairy.sum() / tall**2
    if amount < 0.04:
        return HairSpec("bald"), None
    low, high = np.percentile(seen.lab[hairy][:, 0], (35, 85))
    shine = (seen.lab[..., 0] >= low) & (seen.lab[..., 0] <= high)
    tone, hat = np.median(seen.lab[hairy & shine], 0), None
    side = seen.mask & (y > 0.35) & (y < 0.75) & (np.abs(x) > 0.38) & (np.abs(x) < 0.6) & (unlike > 8)

    def wide(level: float) -> float:
        return float((seen.mask & (np.abs(y - level) < 0.05) & (np.abs(x) < 1.5)).sum() / tall**2 / 0.1)

    if not behind and side.sum() / tall**2 > 0.02 and wide(1.4) > 0.55:
        below = np.median(seen.lab[side], 0)
        # Of another colour than beside the ears, and higher than a skull; but not if it is a hair's and theirs is not.
        if _apart(below, tone) > _OTHER - 0.5 and (_grows(below) or not _grows(tone)):
            hat, tone, amount = Garment(_hat_kind(wide), named(tone)), below, 0.3
    own = named(tone, HAIR) if _grows(tone) else named(tone)
    near, cloth = _apart(tone, seen.lab), seen.colour_of("chest", least=6)
    alike = seen.mask & (near < _OTHER) & (near < unlike)
    if cloth is not None:  # hair on cloth of its own colour cannot be followed
        alike &= near < _apart(cloth, seen.lab) if _apart(cloth, tone) > 6 else y > -0.1
    beside = (np.abs(x) > 0.36) & (np.abs(x) < 0.8)
    down = 0.0
    while down < 2.0 and (alike & beside & (y < 0.5 - down) & (y > 0.4 - down)).sum() / tall**2 > 0.012:
        down += 0.1
    length = down - 0.5
    """Below the chin, in heights of the face."""
    if length > 0.55:
        style = "long straight"
    elif length > 0.15:
        style = "shoulder"
    elif length > -0.15:
        style = "bob"
    else:
        style = "buzz" if amount < 0.07 else "short"
    if amount > 0.75:
        style = "afro" if amount > 1.0 and wide(1.2) > 1.5 else "curly"
    if hat is None and not behind and style in ("short", "buzz") and own.name not in HAIR:
        # Of people without hair below their ears fewer have it dyed than wear a hat.
        hat = Garment(_hat_kind(wide), own)
        guesses.append(f"What might be short hair in {own.name} is taken for a {hat.kind}.")
        return HairSpec("short"), hat
    hanging = pigtails(seen.mask, head, seen.scale)
    if hanging is not None and style in ("short", "bob", "shoulder", "long straight"):
        shade = lit_colour(seen.lab[hanging])
        if hat is not None and shade is not None and _apart(shade, skin) > _SAME:
            return HairSpec("pigtails", named(shade, HAIR if _grows(shade) else None)), hat
        if hat is None and _apart(shade, tone) < min(_SAME, _apart(shade, skin)):  # else these are hands
            return HairSpec("pigtails", own), hat
    return HairSpec(style, own), hat


def _grows(tone: Float[ndarray, "3"]) -> bool:
    """Whether hair has such a colour, undyed."""
    nearest = Colour("", HAIR[named(tone, HAIR).name])
    return bool(_apart(tone, srgb_to_lab(np.array(nearest.srgb))) <= _OTHER)


def _over_ears(photo: Photo, seen: _Map, skin: Float[ndarray, "3"] | None, shade: Colour) -> bool:
    """Whether hair hangs where an ear of a face would be, at the side that is turned to the lens or at either."""
    if photo.face is None or skin is None:
        return False
    points, tall = photo.face.points[:, :2], face_height(photo.face.points)
    tone = srgb_to_lab(np.array(shade.srgb))
    edges = points[list(_EARS)]
    out = (edges[0] - edges[1]) / (np.linalg.norm(edges[0] - edges[1]) + 1e-9)
    for edge, side in zip(edges, (1, -1), strict=True):
        lab = _discs(seen, (edge + side * 0.08 * tall * out)[None], 0.04 * tall)
        if len(lab) and (_apart(tone, lab) < _apart(skin, lab)).mean() > 0.8:
            return True
    return False


def _hat_kind(wide: Callable[[float], float]) -> GarmentKind:
    """By how far it stands out at the forehead over what lies above; ``wide`` measures the head at a height."""
    brim = wide(0.9) - wide(1.2)
    return "brimmed hat" if brim > 0.4 else "cap" if brim > 0.2 else "beanie"


def _above(
    seen: _Map, skin: Float[ndarray, "3"] | None, guesses: list[str]
) -> tuple[Garment, Garment | None, Float[ndarray, "3"] | None]:
    """What is worn on the trunk: the inner thing, an open outer one, and the trunk's colour."""
    front, sides = seen.colour_of("front"), seen.colour_of("sides")
    trunk = sides if sides is not None else seen.colour_of("chest", "belly")
    if trunk is None:
        trunk = seen.colour_of("chest", least=4)
    sleeve, forearm = seen.colour_of("upper arms"), seen.colour_of("forearms")
    if trunk is None:
        guesses.append("The clothes are not seen: a grey t-shirt.")
        return Garment("t-shirt", colour("grey")), None, None
    if _apart(trunk, skin) < _SKIN_LIKE and _apart(front, skin) < _SKIN_LIKE:
        guesses.append("What is worn on the trunk has the colour of skin: a t-shirt is assumed.")
    bare_arm, bare_forearm = _apart(sleeve, skin) < _SKIN_LIKE, _apart(forearm, skin) < _SKIN_LIKE
    if front is not None and sides is not None and _apart(front, sides) > _OTHER and not bare_forearm:
        return Garment("t-shirt", named(front)), Garment("jacket", named(sides)), trunk
    if forearm is None:
        guesses.append("The sleeves are not seen: long.")
    kind = "tank top" if bare_arm and bare_forearm else "t-shirt" if bare_forearm else "sweater"
    return Garment(kind, named(trunk)), None, trunk


@dataclass(frozen=True, eq=False)
class _Legs:
    """The gap between the legs, from hips (0) over knees (1) to ankles (2)."""

    closed_to: float | None
    """How far down cloth fills it; None where the legs are too close together to tell."""
    open_at: float | None
    """Where the background is first seen in it."""


def _legs(photo: Photo, seen: _Map) -> _Legs:
    if photo.keypoints is None or not photo.seen[23:27].all():
        return _Legs(None, None)
    points = photo.keypoints.pixels[23:29] * seen.scale  # hips, knees, ankles; left, right
    closed, told = 0.0, False
    for level in np.arange(0.35, 1.75, 0.05):
        i, share = (0, level) if level < 1 else (2, level - 1)
        left, right = (1 - share) * points[i : i + 2] + share * points[i + 2 : i + 4]
        gap = float(np.linalg.norm(left - right))
        # A leg is this wide here; between two of them there must be something to see.
        leg = (0.15 if level < 1 else 0.11) * seen.unit
        if gap < leg + 0.05 * seen.unit:
            if told:
                break
            continue
        told = True
        along = np.linspace(0.5 - 0.4 * (1 - leg / gap), 0.5 + 0.4 * (1 - leg / gap), 9)[:, None]
        columns, rows = np.floor((1 - along) * left + along * right).astype(int).T
        inside = (rows >= 0) & (columns >= 0) & (rows < seen.mask.shape[0]) & (columns < seen.mask.shape[1])
        if not inside.any() or seen.mask[rows[inside], columns[inside]].mean() < 0.6:
            return _Legs(closed, float(level))
        closed = float(level)
    return _Legs(closed if told else None, None)


def _below(
    seen: _Map,
    skin: Float[ndarray, "3"] | None,
    trunk: Float[ndarray, "3"] | None,
    legs: _Legs,
    outer: Garment | None,
    guesses: list[str],
) -> tuple[Garment | None, Garment | None, Garment | None]:
    """Bottom, dress, and the outer garment, which a long skirt makes a coat. No dress of ours has long sleeves: with
    them, one colour is a skirt's and a top's."""
    sleeved = _apart(seen.colour_of("forearms"), skin) >= _SKIN_LIKE and seen.colour_of("forearms") is not None
    thigh, knee, calf = (seen.colour_of(part) for part in ("thighs", "knees", "calves"))
    hips = seen.colour_of("hips", "thighs")
    if thigh is None and knee is None:
        guesses.append("The legs are not seen: dark blue jeans.")
        return Garment("jeans", colour("navy")), None, outer
    cloth = hips if hips is not None else knee
    assert cloth is not None
    # Legs are rarely quite of the cheeks' colour: where they are clearly not of the cloth's, less will do.
    bare_knee, bare_calf = (
        _apart(part, skin) < _SKIN_LIKE * (1.6 if _apart(cloth, part) > _OTHER else 1) for part in (knee, calf)
    )
    filled = legs.closed_to is not None and legs.closed_to > 0.55
    # Wide trousers fill the gap too, and go on below it.
    goes_on = (
        filled
        and (legs.closed_to or 0.0) < 1.35
        and not bare_calf
        and all(_apart(cloth, seen.colour_of(part)) < _SAME for part in ("calves", "ankles"))
    )
    if filled and not goes_on:
        length = legs.closed_to or 0.0
        size = "mini" if length < 0.8 else "knee" if length < 1.35 else "long"
        same = _apart(cloth, trunk) < _SAME
        if same and outer is not None:
            below = calf if calf is not None and not bare_calf else None
            bottom = Garment("trousers", named(below)) if below is not None else Garment("shorts", colour("navy"))
            return bottom, None, replace(outer, kind="coat")
        if same and outer is None and not sleeved:
            return None, Garment(f"{size} dress", named(cloth)), outer  # type: ignore[arg-type]
        return Garment(f"{size} skirt", named(cloth)), None, outer  # type: ignore[arg-type]
    if bare_calf or bare_knee:
        open_high = legs.closed_to is not None and legs.open_at is not None and legs.open_at < 0.7
        if not open_high and outer is None and not sleeved and _apart(cloth, trunk) < _SAME:
            guesses.append("One colour from the shoulders to bare legs: a dress.")
            return None, Garment("mini dress" if bare_knee else "knee dress", named(cloth)), outer
        if not open_high:
            guesses.append("Whether the bare legs end in shorts or a skirt is not seen: shorts.")
        return Garment("shorts", named(cloth)), None, outer
    lower = knee if knee is not None else cloth
    level, hue = lower[0], np.degrees(np.arctan2(lower[2], lower[1])) % 360
    denim = 20 < level < 62 and 230 < hue < 300 and 8 < np.hypot(lower[1], lower[2]) < 38
    return Garment("jeans" if denim else "trousers", named(lower)), None, outer


def _patterned(
    seen: _Map, garment: Garment | None, skin: Float[ndarray, "3"] | None, *regions: tuple[str, ...]
) -> Garment | None:
    """The same with the pattern of the first region that shows one; what else is worn may hide it in others."""
    found = (garment and _pattern_of(seen, garment, skin, *parts) for parts in regions)
    return next((each for each in found if each is not None), garment)


def _pattern_of(seen: _Map, garment: Garment, skin: Float[ndarray, "3"] | None, *parts: str) -> Garment | None:
    """The same with the stripes, checks or dots that are seen on parts of the body.

    Two colours that change often belong to one cloth, and how often they do along and across says how; two that change
    once are two garments.
    """
    where = np.any([seen.parts[part] for part in parts], 0) & seen.mask
    where &= _apart(skin, seen.lab) > _SKIN_LIKE if skin is not None else True
    where = binary_erosion(where, iterations=1)
    near = where & (_apart(srgb_to_lab(np.array(garment.colour.srgb)), seen.lab) < 1.5 * _OTHER)
    kinds = _two_kinds(seen.lab[where])
    if where.sum() < 150 or near.sum() < 0.2 * where.sum() or kinds is None:
        return None
    first, (one, other) = np.zeros(where.shape, bool), kinds[1]
    first[where] = kinds[0]
    share = float(kinds[0].mean())
    apart = float(np.linalg.norm((one - other) * _SHADE))
    across = _changes(first[:, 1:] != first[:, :-1], where[:, 1:] & where[:, :-1]) * seen.unit
    down = _changes(first[1:] != first[:-1], where[1:] & where[:-1]) * seen.unit
    kind: PatternKind
    pitch = None
    if apart > 1.15 * _OTHER and down > 22 and down > 4 * across and 0.2 < share < 0.8:
        kind, pitch = "horizontal stripes", 2 / down
    elif apart > 1.15 * _OTHER and across > 22 and across > 4 * down and 0.2 < share < 0.8:
        kind, pitch = "vertical stripes", 2 / across
    elif apart > 0.7 * _OTHER and min(across, down) > 22 and 0.25 < share < 0.75:
        kind, pitch = "plaid", 5 / (across + down)
    elif apart > 1.2 * _OTHER and min(across, down) > 15 and min(share, 1 - share) > 0.1:
        kind = "dots"
    else:
        return None
    more, less = (one, other) if share >= 0.5 else (other, one)
    return replace(garment, colour=named(more), second=named(less), pattern=kind, pitch=pitch)


def _two_kinds(lab: Float[ndarray, "n 3"]) -> tuple[Bool[ndarray, "n"], Float[ndarray, "2 3"]] | None:
    """Which pixels are of the first of two colours, and both; None where there is but one."""
    if len(lab) < 2:
        return None
    kinds = lab[np.argsort(lab @ (0.5, 1.0, 1.0))[[len(lab) // 10, -1 - len(lab) // 10]]]
    first = np.ones(len(lab), bool)
    for _ in range(8):  # two means
        away = [np.linalg.norm((lab - kind) * _SHADE, axis=1) for kind in kinds]
        first = away[0] < away[1]
        if first.all() or not first.any():
            return None
        kinds = np.stack([lab[first].mean(0), lab[~first].mean(0)])
    return first, kinds


def _changes(change: Bool[ndarray, "h w"], counted: Bool[ndarray, "h w"]) -> float:
    return float(change[counted].mean()) if counted.any() else 0.0


def _shoes(
    seen: _Map, skin: Float[ndarray, "3"] | None, presentation: Presentation, guesses: list[str]
) -> Garment | None:
    foot, toes, ankle, calf = (seen.colour_of(part) for part in ("feet", "toes", "ankles", "calves"))
    if foot is None:
        guesses.append("The feet are not seen: white sneakers.")
        return Garment("sneakers", colour("white"))
    bare = _apart(foot, skin) < _SKIN_LIKE
    if bare if toes is None else _apart(toes, skin) < _SKIN_LIKE:
        return None
    if bare and toes is not None:  # but for the toes
        return Garment("heels" if presentation == "woman" else "shoes", named(toes))
    if _apart(foot, ankle) < _SAME and _apart(ankle, calf) > _OTHER:
        return Garment("boots", named(foot))
    bright = foot[0] > 60 or np.hypot(foot[1], foot[2]) > 35
    return Garment("sneakers" if bright else "shoes", named(foot))
