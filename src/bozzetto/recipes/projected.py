"""Many photos' own pixels on one figure: each photo is placed by itself, and restaged where the best one stands.

``Digitize`` walks around one photo. Here others join it: a photo in which the person stands otherwise is put onto the
texture in its own pose, and then seen again from where its camera would stand in the best photo's pose. Heads that were
photographed from nearer are laid over what was fused. Each photo's own light can be taken away first
(``evenly_lit``): on a texture it would be shade that no lamp moves, and two photos' lights would meet in a seam.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from PIL import Image
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from bozzetto.body.landmarks import FACE_MESH, dominant_joint, face_contours
from bozzetto.figure.build import Figure
from bozzetto.figure.ground_truth import Stance, stand
from bozzetto.prior.denoiser import Prior
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.person import Sitter, dressed, misplaced
from bozzetto.recipes.walk import LONGEST, Moment, Shot, photograph
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import Scene
from bozzetto.subject.fit import Fitted
from bozzetto.subject.looks import face_height
from bozzetto.subject.piles import Sorted
from bozzetto.texture.bake import Baked, Blend
from bozzetto.texture.canvas import Canvas, canvas_of_scene, is_painted, standing_still
from bozzetto.texture.delight import agreed, light_in, without_light
from bozzetto.texture.fuse import project_back, rising
from bozzetto.texture.views import Surface, View, look, pixels_per_metre, project, recut
from bozzetto.types import Avatar, Cameras, linear_to_srgb, srgb_to_linear

WELL = (5.0, 0.7)
"""Key points at most so many pixels away where a person is 512 tall, outlines overlapping at least so much: else a
photo's pixels are not used."""
FACING = 60.0
"""Degrees to either side up to which a face's features are drawn to the figure's."""
RING = 0.95
"""Heights of the face from its middle at which nothing moves."""
_FACE = 10_000
"""Of what a pixel shows: no layer's number."""
_COCO_OF = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""MediaPipe's landmarks that are COCO's key points."""


@dataclass(frozen=True)
class Mine:
    """What of the figure the photos may paint."""

    face: bool = True
    hair: bool = True
    rest: bool = True
    but: frozenset[str] = frozenset()
    """Layers that are no longer those of the photos."""

    @property
    def everything(self) -> bool:
        return self.face and self.hair and self.rest and not self.but


@dataclass(frozen=True, eq=False)
class Placed:
    """A photo as our figure stands in it."""

    one: Sorted
    fitted: Fitted
    stance: Stance
    camera: Cameras
    """Of the photo's size."""
    overlap: float
    """Of the dressed figure's outline with the person's, over both."""
    even: bool = False
    """Whether the light was taken from the photo."""

    @property
    def why_not(self) -> str | None:
        """Why its pixels are not used."""
        far, least = WELL
        if self.fitted.keypoint_error > far:
            return f"the figure's key points are {self.fitted.keypoint_error:.0f} pixels off"
        return f"outlines overlap by {100 * self.overlap:.0f} % only" if self.overlap < least else None


@dataclass(frozen=True, eq=False)
class Painted:
    """The figure with the photos' pixels."""

    avatar: Avatar
    still: Avatar
    """One mesh in the best photo's pose, without a rig."""
    known: Float32[ndarray, "s s"]
    """On the texture that the painted layers share: 1 where a photo shows the place well."""
    layers: tuple[str, ...]
    """Those that share it."""


def placed(one: Sorted, fitted: Fitted, figure: Figure) -> Placed:
    """Our figure where the photo saw its person."""
    stance = stand(figure, fitted.posture)
    camera = aligned(one, fitted, stance)
    seen = look(Surface(stance.scene.vertices, stance.scene.faces, stance.scene.coverage), camera)
    mask = one.photo.mask > 0.5
    return Placed(one, fitted, stance, camera, float((seen.hit & mask).sum() / max((seen.hit | mask).sum(), 1)))


def evenly_lit(photos: Sequence[Placed]) -> list[Placed]:
    """The photos as if light came from everywhere alike, by their figure's normals and colours.

    Each thing worn has one colour in all of them. The face's own is trusted; hands are seldom where the figure has
    them.
    """
    pictures = [srgb_to_linear(each.one.photo.picture.astype(np.float64)) for each in photos]
    facts = [_facts(each) for each in photos]
    lights = [light_in(picture, *fact) for picture, fact in zip(pictures, facts, strict=True)]
    known = iter(agreed([light for light in lights if light is not None], _FACE))
    made = []
    for each, picture, (_, normal, _, sure), light in zip(photos, pictures, facts, lights, strict=True):
        even = picture if light is None else without_light(picture, normal, sure, next(known))
        photo = replace(each.one.photo, picture=linear_to_srgb(np.clip(even, 0, 1)).astype(np.float32))
        made.append(replace(each, one=replace(each.one, photo=photo), even=light is not None))
    return made


def _facts(
    each: Placed,
) -> tuple[Float[ndarray, "h w 3"], Float[ndarray, "h w 3"], Int[ndarray, "h w"], Bool[ndarray, "h w"]]:
    """Of a photo's pixels, by its figure: colours, normals, layers (_FACE: the skin of a head), and which are sure."""
    scene, (low, high) = each.stance.scene, each.stance.head
    seen = look(Surface(scene.vertices, scene.faces, scene.coverage), each.camera)
    flat = render_mesh(scene, each.camera, None)
    albedo = flat.rgb[0].numpy() / np.maximum(flat.alpha[0].numpy(), 1e-6)
    part = np.where(seen.hit, scene.layer[np.maximum(seen.face, 0)], -1)
    skin = scene.names.index("skin") if "skin" in scene.names else -1
    part[(part == skin) & ((seen.place > low) & (seen.place < high)).all(-1)] = _FACE
    inside = ndimage.binary_erosion(seen.hit & (each.one.photo.mask > 0.5), iterations=3)
    inside &= ndimage.minimum_filter(part, 5) == ndimage.maximum_filter(part, 5)
    return albedo, seen.normal, part, inside


def on_its_face(each: Placed) -> Placed:
    """The photo with eyes, brows and lips drawn to where the figure has them: several photos then agree on the texture,
    and lids and lips move what they are painted with. A thin plate (Bookstein 1989) that is still around the face.
    """
    photo = each.one.photo
    if photo.face is None or abs(each.one.head_turn) > FACING:
        return each
    contours = face_contours(each.stance.body)
    there, _ = project(np.concatenate([contours[name] for name in FACE_MESH]), each.camera)
    here = np.concatenate([photo.face.points[list(points), :2] for points in FACE_MESH.values()])
    tall, middle = face_height(photo.face.points), there.mean(0)
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    still = middle + RING * tall * np.stack([np.cos(around), np.sin(around)], 1)
    shifts = np.concatenate([here - there, np.zeros_like(still)])
    plate = RBFInterpolator(np.concatenate([there, still]), shifts, kernel="thin_plate_spline", smoothing=0.5 * tall)
    height, width = photo.mask.shape
    (left, top), (right, bottom) = (
        np.clip((middle + sign * RING * tall).astype(int), 0, (width, height)) for sign in (-1, 1)
    )
    if right - left < 8 or bottom - top < 8:
        return each
    y, x = np.mgrid[top:bottom, left:right]
    coarse = np.stack(np.meshgrid(np.linspace(left, right, 40), np.linspace(top, bottom, 40)), -1)
    inside = np.linalg.norm(coarse - middle, axis=-1, keepdims=True) < RING * tall
    moved = np.where(inside, plate(coarse.reshape(-1, 2)).reshape(coarse.shape), 0.0)
    at = (y - top) * 39 / (bottom - top), (x - left) * 39 / (right - left)
    sample = [
        grid + ndimage.map_coordinates(moved[..., k], at, order=1, mode="nearest") for k, grid in ((1, y), (0, x))
    ]
    picture = photo.picture.copy()
    for k in range(3):
        picture[top:bottom, left:right, k] = ndimage.map_coordinates(
            photo.picture[..., k], sample, order=1, mode="nearest"
        )
    return replace(each, one=replace(each.one, photo=replace(photo, picture=picture)))


def aligned(one: Sorted, fitted: Fitted, stance: Stance) -> Cameras:
    """The photo's lens moved and zoomed until our figure's key points lie where those of the photo's own fit do: each
    photo is fitted with a build of its own."""
    body, camera = stance.figure.person.body, fitted.cameras_on(stance.body)
    seen = one.photo.seen[list(_COCO_OF)]
    matrix, lens = (each[0].double().numpy() for each in (fitted.cameras.world_to_camera, fitted.cameras.intrinsics))
    there = (body.keypoints(fitted.body)[:17] @ matrix[:3, :3].T + matrix[:3, 3]) @ lens.T
    wanted = (there[:, :2] / there[:, 2:])[seen]
    mine = camera.world_to_camera[0].double().numpy()
    points = (body.keypoints(stance.body)[:17] @ mine[:3, :3].T + mine[:3, 3])[seen]
    flat = points[:, :2] / points[:, 2:]
    if len(flat) < 3:
        return camera
    rows = np.zeros((2 * len(flat), 3))
    rows[::2, 0], rows[::2, 1], rows[1::2, 0], rows[1::2, 2] = flat[:, 0], 1, flat[:, 1], 1
    focal, x, y = np.linalg.lstsq(rows, wanted.ravel(), rcond=None)[0]
    moved = torch.tensor([[[focal, 0, x], [0, focal, y], [0, 0, 1]]], dtype=torch.float32)
    return replace(camera, intrinsics=moved)


def paint(
    figure: Figure,
    before: Figure,
    found: Sequence[Placed],
    caption: str,
    mine: Mine,
    walk: HumanSGD,
    prior: Prior | None = None,
) -> Generator[tuple[str, Moment | None], None, Painted]:
    """The figure with the pixels of all photos; yields what it does, and the moments of the walk.

    Args:
        figure: Who is painted.
        before: The same as the photos show it, before any words.
        found: The photos whose pixels are used, the best first.
        caption: What they show.
        mine: What they may paint.
        walk: Around the best one.
        prior: Who paints what no photo shows; the figure's colours go on without one.
    """
    first, *others = found
    may = allowed(first, before, mine)
    who = seat(figure, first, may, caption)
    canvas, size = who.shot.canvas, min(walk.texels, 2048)
    own = solid(
        project_back(canvas, [seen_in(first, canvas, may & (who.shot.mask > 0.5))], size, 2, Blend(feather=4.0))
    )
    extra, near, finest = [], [], pixels_per_metre(look(canvas.surface, first.camera))
    known = rising(own.confidence)
    for each in others:
        yield f"pixels of {each.one.name}", None
        there = on_pose(canvas, each.stance)
        view = seen_in(each, there, allowed(each, before, mine))
        if not (view.trusted & there.painted(view.seen)).any():
            continue
        baked = solid(project_back(there, [view], size, 2, Blend(feather=4.0)))
        texture = baked.texture
        if not each.even:
            texture = matched(texture, baked.confidence, own.texture, own.confidence)
        extra.append(restaged(each, first, canvas, view.seen.camera, texture, baked.confidence))
        known = np.maximum(known, rising(baked.confidence))
        if pixels_per_metre(view.seen) > 1.3 * finest:
            near.append((texture, baked.confidence))
    made = None
    for moment in walk.fit(who.shot, prior, extra=tuple(extra)):
        yield moment.stage if moment.painted is None else "walk around the person", moment
        made = moment.fused or made
    assert made is not None
    texture = made.texture
    for sharper, confidence in combined(near):
        small = len(texture)
        if small != size:
            sharper, confidence = (_resized(each, small) for each in (sharper, confidence))
        share = rising(confidence)[..., None]
        texture = (texture * (1 - share) + sharper * share).astype(np.float32)
    painted = who.painted(replace(made, texture=texture))
    layers = tuple(layer.name for layer in figure.avatar.layers if is_painted(layer))
    return Painted(painted, standing_still(canvas.mesh, texture), _resized(known, len(texture)), layers)


def seat(figure: Figure, first: Placed, may: Bool[ndarray, "h w"], caption: str) -> Sitter:
    """``person.seated``, of the photo that may be used."""
    photo, scene, avatar = first.one.photo, first.stance.scene, figure.avatar
    canvas = canvas_of_scene(scene, avatar.layers)
    bare = Shot(photo.picture, (photo.mask * may).astype(np.float32), first.camera, canvas, caption)
    view = photograph(bare, 512)
    return dressed(bare, avatar, scene, view, view.seen.hit & (view.seen.place[..., 1] > first.stance.head[0, 1]))


def elsewhere(shot: Shot, scene: Scene, chin: float) -> Bool[ndarray, "h w"]:
    """Pixels of a photo that show what the figure has a little farther on: see ``person.misplaced``.

    Args:
        chin: Metres above the ground.
    """
    view = photograph(shot, 512)
    found = misplaced(scene, view, view.seen.hit & (view.seen.place[..., 1] > chin))
    return recut(found[..., None].astype(np.float32), view.seen.camera, shot.camera)[..., 0] > 0.5


def solid(baked: Baked) -> Baked:
    """Without lone texels: where a surface grazes the view, every other one is seen. Borders of charts stay."""
    least = ndimage.minimum_filter(np.where(baked.covered, baked.confidence, 1.0).astype(np.float32), 3)
    return replace(baked, confidence=np.minimum(ndimage.gaussian_filter(least, 1.0), baked.confidence))


def combined(
    near: Sequence[tuple[Float32[ndarray, "s s 3"], Float32[ndarray, "s s"]]],
) -> list[tuple[Float32[ndarray, "s s 3"], Float32[ndarray, "s s"]]]:
    """Several textures as one: what is seen straight on counts most."""
    if not near:
        return []
    weights = np.stack([confidence.astype(np.float64) ** 4 for _, confidence in near]) + 1e-12
    shares = weights / weights.sum(0)
    texture = sum(share[..., None] * each for share, (each, _) in zip(shares, near, strict=True))
    return [(np.asarray(texture, np.float32), np.max([confidence for _, confidence in near], 0))]


def seen_in(each: Placed, canvas: Canvas, may: Bool[ndarray, "h w"]) -> View:
    """The photo around its person, as a picture of the canvas."""
    photo = each.one.photo
    left, top, right, bottom = photo.box
    scale = min(1.0, LONGEST / max(right - left, bottom - top))
    size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)

    def cut(picture: ndarray) -> ndarray:
        piece = np.ascontiguousarray(picture[top:bottom, left:right], np.float32)
        return np.asarray(Image.fromarray(piece).resize(size, Image.Resampling.BOX))

    lens = each.camera.intrinsics.clone()
    lens[0, 0, 2] -= left
    lens[0, 1, 2] -= top
    lens[0, 0] *= size[0] / (right - left)
    lens[0, 1] *= size[1] / (bottom - top)
    seen = look(canvas.surface, Cameras(each.camera.world_to_camera, lens, size[1], size[0]))
    picture = np.stack([cut(photo.picture[..., k]) for k in range(3)], -1)
    trusted = (cut(photo.mask) > 0.5) & (cut(may.astype(np.float32)) > 0.99) & seen.hit
    return View(seen, picture.astype(np.float32), ndimage.binary_erosion(trusted, iterations=2))


def allowed(each: Placed, before: Figure, mine: Mine) -> Bool[ndarray, "h w"]:
    """Pixels of the photo that may be used: those where the figure wears what the photo shows, and not what it has a
    little farther on."""
    photo, scene = each.one.photo, each.stance.scene
    low, high = each.stance.head
    old = stand(before, each.fitted.posture).scene
    shot = Shot(photo.picture, photo.mask, each.camera, canvas_of_scene(old, before.avatar.layers))
    own = ~elsewhere(shot, old, float(low[1]))
    if mine.everything:
        return own
    now = look(Surface(scene.vertices, scene.faces, scene.coverage), each.camera)
    then = look(Surface(old.vertices, old.faces, old.coverage), each.camera)
    both = now.hit & then.hit
    names, were = np.full(own.shape, "", object), np.full(own.shape, "", object)
    names[both] = np.array(scene.names, object)[scene.layer[now.face[both]]]
    were[both] = np.array(old.names, object)[old.layer[then.face[both]]]
    inside = ((now.place >= low - 0.01) & (now.place <= high + 0.01)).all(-1)
    hair = np.char.startswith(names.astype(str), "hair")
    part = np.where(hair, mine.hair, np.where(inside, mine.face, mine.rest))
    return both & (names == were) & part & ~np.isin(names.astype(str), sorted(mine.but)) & own


def on_pose(canvas: Canvas, stance: Stance) -> Canvas:
    """The same texture on the figure as it stands elsewhere."""
    scene = stance.scene
    mesh = replace(canvas.mesh, vertices=torch.from_numpy(scene.vertices.copy()))
    return Canvas(Surface(scene.vertices, scene.faces, scene.coverage), mesh, canvas.row)


def matched(
    texture: Float32[ndarray, "s s 3"], confidence: Float32[ndarray, "s s"],
    wanted: Float32[ndarray, "s s 3"], sure: Float32[ndarray, "s s"],
) -> Float32[ndarray, "s s 3"]:  # fmt: skip
    """The texture in the light of another, by what both show; as it is where that is little."""
    both = (confidence > 0.02) & (sure > 0.02)
    if both.sum() < 500:
        return texture
    have, want = (np.median(srgb_to_linear(each[both].astype(np.float64)), 0) for each in (texture, wanted))
    gain = np.clip((want + 0.01) / (have + 0.01), 0.5, 2.0)
    return linear_to_srgb(np.clip(srgb_to_linear(texture.astype(np.float64)) * gain, 0, 1)).astype(np.float32)


def restaged(
    each: Placed, first: Placed, canvas: Canvas, camera: Cameras,
    texture: Float32[ndarray, "s s 3"], confidence: Float32[ndarray, "s s"],
) -> View:  # fmt: skip
    """What a photo shows, seen where its camera would stand in the best photo's pose."""
    model = first.stance.figure.person.body
    count = model.parts["body"].stop
    rows = np.arange(count)
    if each.one.photo.part == "portrait":
        names = np.array(model.joint_names)[dominant_joint(model)[:count]]
        rows = rows[np.array([name.startswith(("head", "neck", "eye", "jaw")) for name in names])]
    turn, shift = rigid(each.stance.body[rows], first.stance.body[rows])
    there = camera.world_to_camera.double().numpy().copy()
    there[0, :3, :3] = there[0, :3, :3] @ turn.T
    there[0, :3, 3] -= there[0, :3, :3] @ shift
    moved = replace(camera, world_to_camera=torch.from_numpy(there).float())
    seen = look(canvas.surface, moved)
    sure = canvas.picture(np.repeat(rising(confidence)[..., None], 3, -1), seen)[..., 0] > 0.5
    return View(seen, canvas.picture(texture, seen), sure)


def rigid(
    points: Float[ndarray, "n 3"], wanted: Float[ndarray, "n 3"]
) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"]]:
    """The turn and shift that bring points nearest to others. Kabsch 1976."""
    a, b = points.mean(0), wanted.mean(0)
    u, _, v = np.linalg.svd((points - a).T.astype(np.float64) @ (wanted - b))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(v.T @ u.T))])
    turn = v.T @ flip @ u.T
    return turn, b - turn @ a


def _resized(picture: ndarray, size: int) -> ndarray:
    """A square texture at a smaller size."""
    if len(picture) == size:
        return picture
    planes = picture if picture.ndim == 3 else picture[..., None]
    small = [
        np.asarray(Image.fromarray(np.ascontiguousarray(planes[..., k])).resize((size, size), Image.Resampling.BOX))
        for k in range(planes.shape[2])
    ]
    return np.stack(small, -1) if picture.ndim == 3 else small[0]
