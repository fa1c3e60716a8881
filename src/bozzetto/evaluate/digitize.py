"""How near one photo comes to the whole person: ``python -m bozzetto.evaluate.digitize --out DIR``.

People no prior has seen stand in front of clutter and are photographed once; what the photo did not see is known too.
As with scans (AlBahar et al. 2023, section 4), light comes evenly from everywhere, so that the truth from behind is the
same person. The surface is a closed shell of the true figure, so that colours alone are measured, against renders from
all around; the recipe stands beside simpler answers and beside itself with one part taken away. The rows "from the
photo alone" are told nothing: the person is read and fitted as any other, then moved and scaled onto the truth, since a
photo shows neither size nor distance. Every row of every subject is kept in DIR as it is made, and the same command
goes on where it was stopped.
"""

import argparse
import io
import json
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from PIL import Image, ImageDraw
from scipy import linalg, ndimage
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree

from bozzetto.evaluate.fits import shell
from bozzetto.evaluate.judge import WEIGHTS, Judge, load_judge
from bozzetto.evaluate.pictures import outline
from bozzetto.figure.build import Figure, build_figure
from bozzetto.figure.captions import captions
from bozzetto.figure.ground_truth import Stance, random, stand
from bozzetto.figure.people import random_spec
from bozzetto.files import atomic_path
from bozzetto.prior.denoiser import Prior
from bozzetto.prior.load import load, load_shape
from bozzetto.recipes.followed import follow
from bozzetto.recipes.human_sgd import TURNS, HumanSGD, view_word
from bozzetto.recipes.person import Sitter, face_disc, face_of, parted, seated, sitter
from bozzetto.recipes.reconstructed import reconstruct, reposer
from bozzetto.recipes.walk import Reposer, Shot, Walk, mirrored, nothing, photograph, sheet_of
from bozzetto.render.cameras import frame
from bozzetto.render.light import Light, ambient, random_light
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.scene.scan import Outline, scan
from bozzetto.subject.fit import Fitted
from bozzetto.subject.person_from_photo import person_from_photo
from bozzetto.subject.photos import Photo
from bozzetto.subject.surface import asked
from bozzetto.texture.bake import texels_of
from bozzetto.texture.canvas import Canvas, canvas_of_mesh, codes
from bozzetto.texture.fuse import Fused, Fusion, fuse, texels_for
from bozzetto.texture.pad import pad
from bozzetto.texture.perceptual import EncoderDistance, perceptual_distance
from bozzetto.texture.views import Picture, around, look, pixels_per_metre
from bozzetto.types import Avatar, Cameras, Material, RenderOutput, UserError, linear_to_srgb

FIRST_SEED = 910_000
"""Of subjects; trainings take theirs from lower ones."""
POSES = ("standing", "a-pose", "standing", "hands on hips")
PHOTO = 640
_VIEW = 256
_GOLDEN_DEGREES = 137.50776405


@dataclass(frozen=True, eq=False)
class Known:
    """A subject: the photo, the scan, and what the photo does not show."""

    seed: int
    stance: Stance
    shot: Shot
    light: Light


@dataclass(frozen=True)
class Score:
    """How near the result came, over all views around."""

    row: str
    seed: int
    psnr: float
    """Decibels over the pixels where the truth or the result is, on white."""
    whole_psnr: float
    """PSNR of whole pictures, as the paper's tables have it: white is right nearly everywhere."""
    ssim: float
    """Mean over the same pixels as the first."""
    features: float
    """Distance in the features of the prior's encoder, mean over views."""
    back_psnr: float
    """PSNR of the views more than 90 degrees from the photo alone."""
    identity: float | None
    """Mean cosine of the judge's identity with the truth; None without a judge."""
    front: float
    """PSNR of the photo's own view, over what it saw."""
    seconds: float
    cpu_seconds: float
    peak_gb: float
    """Of the process so far."""


# ---------------------------------------------------------------------------------------------------- subjects


def subject(index: int, photo_light: bool = False) -> Known:
    """A person, photographed.

    Args:
        index: Of the subject.
        photo_light: Light as photographs have it, instead of the same from everywhere.
    """
    seed = seed_of(index)
    rng = np.random.default_rng(seed)
    person = random(seed, "full")
    stance = stand(person.figure, POSES[index % len(POSES)])
    light = random_light(rng) if photo_light else ambient()
    view = stance.view(
        float(rng.uniform(-8, 8)), float(rng.uniform(0, 6)), PHOTO, light=light, background=(0.0, 0.0, 0.0),
        supersample=3, fov_degrees=24.0,
    )  # fmt: skip
    alpha = view.output.alpha[0, :, :, 0].numpy()
    picture = jpeg(displayed(view.output, clutter(PHOTO, rng)), rng)
    vertices, faces = scan(stance.scene.vertices, stance.scene.faces, stance.scene.coverage)
    nose, ears = view.keypoints[0], view.keypoints[3:5]
    shot = Shot(
        picture, alpha, view.cameras, canvas_of_mesh(vertices, faces),
        captions(person.spec, seed, 1)[0].rstrip("."), face_disc(nose, ears, picture.shape[:2]),
    )  # fmt: skip
    return Known(seed, stance, shot, light)


@cache
def seed_of(index: int) -> int:
    """The seed of a subject: people as they look, none from a cartoon."""
    seed = FIRST_SEED if index == 0 else seed_of(index - 1) + 1
    while random_spec(seed).look != "realistic":
        seed += 1
    return seed


def displayed(output: RenderOutput, behind: Float[ndarray, "h w 3"] | float, row: int = 0) -> Float[ndarray, "h w 3"]:
    """The picture of one camera drawn on black, before something else; sRGB."""
    alpha = output.alpha[row].numpy()
    colour = tone_mapped(output.rgb[row].numpy() / np.maximum(alpha, 1e-6), "film").astype(np.float32) / 255
    return colour * alpha + (1 - alpha) * behind


def clutter(size: int, rng: np.random.Generator) -> Float[ndarray, "s s 3"]:
    """A background nobody cleared: a wall, a floor, things."""
    picture = Image.new("RGB", (size, size), tuple(int(value) for value in rng.integers(60, 220, 3)))
    pen = ImageDraw.Draw(picture)
    pen.rectangle(
        (0, int(size * rng.uniform(0.7, 0.9)), size, size), fill=tuple(int(v) for v in rng.integers(40, 200, 3))
    )
    for _ in range(24):
        x, y = rng.uniform(0, size, 2)
        w, h = rng.uniform(0.03, 0.3, 2) * size
        shape = pen.ellipse if rng.random() < 0.3 else pen.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(value) for value in rng.integers(10, 245, 3)))
    soft = ndimage.gaussian_filter(np.asarray(picture, np.float64) / 255, (2, 2, 0))
    return np.clip(soft + rng.normal(0, 0.02, soft.shape), 0, 1)


def jpeg(picture: Float[ndarray, "h w 3"], rng: np.random.Generator) -> Float32[ndarray, "h w 3"]:
    """The picture with a sensor's noise, through a file of quality 90."""
    noisy = picture + rng.normal(0, 0.008, picture.shape)
    file = io.BytesIO()
    Image.fromarray(codes(noisy)).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file), np.float32) / 255


# ---------------------------------------------------------------------------------------------------- answers

Draw: TypeAlias = Callable[[Cameras], tuple[Picture, Float32[ndarray, "h w"]]]
"""The result on white, as a camera sees it, sRGB, and its coverage."""
Answer: TypeAlias = Callable[[Known, Prior], Draw]


def walked(recipe: HumanSGD, guide: Answer | None = None, keep: Path | None = None) -> Answer:
    """The recipe on the scan, with another answer as its first thought."""

    def answer(known: Known, prior: Prior) -> Draw:
        shot = known.shot
        if guide is not None:
            draw = guide(known, prior)
            shot = replace(shot, guide=lambda seen: draw(seen.camera)[0])
        return drawn(shot.canvas, texture_of(recipe, shot, prior, keep).texture)

    return answer


def reposed_by_network(recipe: HumanSGD) -> Answer:
    """The recipe on the scan, its first thought of the back from the network of surfaces over the true body."""

    def answer(known: Known, prior: Prior) -> Draw:
        shot = known.shot
        seen = asked(load_shape(), shot.picture, shot.mask, known.stance.body, shot.camera)
        return drawn(
            shot.canvas, texture_of(recipe, shot, prior, None, reposer(seen, shot.front_only, shot.camera)).texture
        )

    return answer


def dressed(recipe: HumanSGD, painter: bool = True) -> Answer:
    """The recipe on the true figure's layers, all grey: a character with its rig, as if the intake's fit were exact."""

    def answer(known: Known, prior: Prior) -> Draw:
        grey = tuple(replace(layer, material=greyed(layer.material)) for layer in known.stance.figure.avatar.layers)
        avatar = replace(known.stance.figure.avatar, layers=grey)
        scene = scene_from_layers(grey, parted(known.stance.scene, grey))
        shot = known.shot
        who = seated(avatar, scene, shot.picture, shot.mask, shot.camera, shot.caption, shot.front_only)
        made = who.painted(texture_of(recipe, who.shot, prior if painter else None, None))
        return layered(made, scene)

    return answer


def layered(avatar: Avatar, scene: Scene) -> Draw:
    """A character as it stands in a scene, in even light, three samples a pixel's side."""
    posed = scene_from_layers(avatar.layers, parted(scene, avatar.layers))

    def draw(camera: Cameras) -> tuple[Picture, Float32[ndarray, "h w"]]:
        output = render_mesh(posed, camera, None, 3)
        alpha = output.alpha[0].numpy()
        colour = linear_to_srgb(output.rgb[0].numpy() / np.maximum(alpha, 1e-6))
        return (colour * alpha + 1 - alpha).astype(np.float32), alpha[..., 0]

    return draw


def greyed(material: Material) -> Material:
    """The same cut out of grey."""
    albedo = material.albedo.copy()
    albedo[..., :3] = 128
    return replace(material, albedo=albedo, normal=None)


def texture_of(
    recipe: HumanSGD, shot: Shot, prior: Prior | None, keep: Path | None, back: Reposer | None = None
) -> Fused:
    """What the recipe fuses; every view on the way is written to ``keep``."""
    made, count = None, 0
    for moment in recipe.fit(shot, prior, back):
        made = moment.fused or made
        if moment.painted is not None and keep is not None:
            count += 1
            keep.mkdir(parents=True, exist_ok=True)
            contact_sheet(sheet_of(moment.painted), 5).save(keep / f"{count}_{moment.painted.turn:+.0f}.png")
    assert made is not None
    return made


def drawn(canvas: Canvas, texture: Float32[ndarray, "s s 3"]) -> Draw:
    """A textured surface, four samples a pixel."""

    def draw(camera: Cameras) -> tuple[Picture, Float32[ndarray, "h w"]]:
        lens = camera.intrinsics.clone()
        lens[:, :2] *= 2
        fine = Cameras(camera.world_to_camera, lens, 2 * camera.height, 2 * camera.width)
        seen = look(canvas.surface, fine)
        picture = np.where(seen.hit[..., None], canvas.picture(texture, seen), 1.0)
        halved = picture.reshape(camera.height, 2, camera.width, 2, 3).mean((1, 3)).astype(np.float32)
        return halved, seen.hit.reshape(camera.height, 2, camera.width, 2).mean((1, 3)).astype(np.float32)

    return draw


def projected(back: bool) -> Answer:
    """The photo on the surface, with or without itself mirrored behind; the rest is the nearest known colour."""

    def answer(known: Known, prior: Prior) -> Draw:
        canvas = known.shot.canvas
        views = [photo := photograph(known.shot, 512)]
        if back:
            middle = (canvas.surface.vertices.min(0) + canvas.surface.vertices.max(0)) / 2
            behind = look(canvas.surface, around(photo.seen.camera, 180.0, middle))
            views.append(mirrored(photo, behind, None, known.shot.camera))
        size = texels_for(canvas.mesh, pixels_per_metre(photo.seen), 2048)
        return drawn(canvas, fuse(canvas, views, perceptual_distance(prior), size, Fusion(steps=0)).texture)

    return answer


def flat_colours(known: Known, prior: Prior) -> Draw:
    """The true figure, each layer in the one colour that the photo shows of it: what an intake gives at best."""
    canvas, scene = known.shot.canvas, known.stance.scene
    seen = rasterize(scene.vertices, scene.faces, known.shot.camera, scene.coverage).face[0]
    ids = np.where(seen >= 0, scene.layer[seen], -1)
    everything = np.median(known.shot.picture[ids >= 0], 0)
    colours = np.stack([
        np.median(known.shot.picture[ids == k], 0) if (ids == k).sum() > 20 else everything
        for k in range(len(scene.names))
    ])  # fmt: skip
    # The scan has no layers: each texel asks the nearest vertex of the figure that can be seen from around.
    cameras = frame(scene.vertices, np.arange(12) * 30.0, 0.0, 24.0, 384)
    named = np.unique(rasterize(scene.vertices, scene.faces, cameras, scene.coverage).face)
    named = named[named >= 0]
    layer_of = np.zeros(len(scene.vertices), int)
    layer_of[scene.faces[named].ravel()] = np.repeat(scene.layer[named], 3)
    visible = np.unique(scene.faces[named])
    texels = texels_of(canvas.mesh, 512)
    _, near = cKDTree(scene.vertices[visible]).query(texels.position)
    texture = np.zeros((512, 512, 3), np.float32)
    texture[texels.covered] = colours[layer_of[visible[near]]]
    return drawn(canvas, pad(texture, texels.covered))


@dataclass(frozen=True, eq=False)
class Read:
    """A subject as the intake takes its photo, and where that stands beside the truth."""

    photo: Photo
    figure: Avatar
    who: Sitter
    moved: Callable[[Cameras], Cameras]
    """A camera before the truth becomes the one that sees the fitted figure alike."""


@lru_cache(maxsize=2)
def read(known: Known, bent: bool) -> Read:
    """Only the photo is used, but to lay the figure onto the truth.

    Args:
        known: The subject.
        bent: Whether the figure follows the photo.

    Raises:
        UserError: The intake refuses the photo.
    """
    photo, fitted, figure = _fitted(known)
    if bent:
        figure, fitted, _ = follow(figure, fitted, photo)
    who = sitter(photo, fitted, figure)
    return Read(photo, figure.avatar, who, onto(known, who.scene, who.shot.camera))


@lru_cache(maxsize=1)
def _fitted(known: Known) -> tuple[Photo, Fitted, Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        Image.fromarray(codes(known.shot.picture)).save(path)
        photo, fitted = person_from_photo(path)
    return photo, fitted, build_figure(fitted.spec)


def onto(known: Known, scene: Scene, camera: Cameras) -> Callable[[Cameras], Cameras]:
    """Lays what a photo's camera saw onto the true person: over the same pixels, at the depth where both are nearest.

    Both lenses are long, so that one scale and one shift do at every depth of a person.
    """
    true, own = (each.world_to_camera[0].double().numpy() for each in (known.shot.camera, camera))
    lens, own_lens = (each.intrinsics[0].double().numpy() for each in (known.shot.camera, camera))
    wanted, found = (
        shell(each.vertices @ view[:3, :3].T + view[:3, 3], each.faces, each.coverage, 5_000).points
        for each, view in ((known.stance.scene, true), (scene, own))
    )
    depth, own_depth = float(np.median(wanted[:, 2])), float(np.median(found[:, 2]))
    scale = depth / lens[0, 0] * own_lens[0, 0] / own_depth
    middle = np.append((own_lens[:2, 2] - lens[:2, 2]) * depth / lens[0, 0], depth - scale * own_depth)
    there = cKDTree(wanted)

    def apart(by: float) -> float:
        points = scale * found + middle + np.array([0.0, 0.0, by])
        return float(there.query(points)[0].mean() + cKDTree(points).query(wanted)[0].mean())

    shift = middle + np.array([0.0, 0.0, minimize_scalar(apart, bounds=(-0.2, 0.2), method="bounded").x])

    def moved(seen: Cameras) -> Cameras:
        # x_true = Rt'(s (R x + t) + d - tt); scaled as a whole, what a camera sees does not change.
        view = seen.world_to_camera[0].double().numpy()
        turn = view[:3, :3] @ true[:3, :3].T
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ own[:3, :3]
        matrix[:3, 3] = turn @ (scale * own[:3, 3] + shift - true[:3, 3]) + view[:3, 3]
        matrix[:3, 3] /= scale
        return replace(seen, world_to_camera=torch.from_numpy(matrix).to(seen.world_to_camera)[None])

    return moved


def unaided(make: Callable[[Read, Prior], Draw], bent: bool = False) -> Answer:
    """What comes of the photo alone, seen where the true person stands."""

    def answer(known: Known, prior: Prior) -> Draw:
        found = read(known, bent)
        draw = make(found, prior)
        return lambda camera: draw(found.moved(camera))

    return answer


def intake_alone(found: Read, prior: Prior) -> Draw:
    """The intake's figure in its own colours."""
    return layered(found.figure, found.who.scene)


def intake_painted(recipe: HumanSGD, painter: bool) -> Callable[[Read, Prior], Draw]:
    """What ``bozzetto digitize`` makes."""

    def make(found: Read, prior: Prior) -> Draw:
        fused = texture_of(recipe, found.who.shot, prior if painter else None, None)
        return layered(found.who.painted(fused), found.who.scene)

    return make


def surface_painted(recipe: HumanSGD) -> Callable[[Read, Prior], Draw]:
    """The paper's own result: the surface that a network sees, with its thought of the back, painted."""

    def make(found: Read, prior: Prior) -> Draw:
        photo, who = found.photo, found.who
        assert who.body is not None
        seen = asked(load_shape(), photo.picture, photo.mask, who.body, who.shot.camera)
        shape = reconstruct(seen, who.scene, who.body, Outline(photo.mask > 0.5, who.shot.camera))
        canvas, face = canvas_of_mesh(shape.vertices, shape.faces), face_of(photo)
        shot = Shot(photo.picture, photo.mask, who.shot.camera, canvas, who.shot.caption, face)
        return drawn(canvas, texture_of(recipe, shot, prior, None, reposer(seen, face, who.shot.camera)).texture)

    return make


def answers(recipe: HumanSGD, ablations: bool, keep: Path | None = None) -> dict[str, Answer]:
    """The rows of the table."""
    rows: dict[str, Answer] = {
        "human-sgd": walked(recipe, None, keep),
        "guided by figure colours": walked(recipe, flat_colours),
        "on the figure's layers": dressed(recipe),
        "on the figure's layers, no painter": dressed(recipe, painter=False),
        "figure colours": flat_colours,
        "photo, nearest colours": projected(back=False),
        "photo, mirrored back": projected(back=True),
        "plain averaging": walked(replace(recipe, uniform=True, fusion_steps=0)),
        "from the photo alone, the intake's figure": unaided(intake_alone),
        "from the photo alone, --no-follow": unaided(intake_painted(recipe, painter=False)),
        "from the photo alone, the command": unaided(intake_painted(recipe, painter=False), bent=True),
        "from the photo alone, painted": unaided(intake_painted(recipe, painter=True), bent=True),
        "from the photo alone, the network's surface": unaided(surface_painted(recipe)),
    }
    if ablations:
        rows |= {
            "uniform weights": walked(replace(recipe, uniform=True)),
            "back by the network": reposed_by_network(recipe),
            "no back": walked(replace(recipe, back="none")),
            "no normals": walked(replace(recipe, normal=False)),
            "no silhouette": walked(replace(recipe, silhouette=False)),
            "back by ControlNet": walked(replace(recipe, back="control")),
            "no painter": walked(replace(recipe, steps=1, start=0.01)),
        }
    return rows


# ---------------------------------------------------------------------------------------------------- measuring


def truth(known: Known, camera: Cameras) -> tuple[Float32[ndarray, "h w 3"], Float32[ndarray, "h w"]]:
    """The true person on white, sRGB, and the coverage."""
    output = render_mesh(known.stance.scene, camera, known.light, 3, (0.0, 0.0, 0.0))
    return displayed(output, 1.0).astype(np.float32), output.alpha[0, :, :, 0].numpy()


@dataclass(frozen=True, eq=False)
class Truths:
    """The true person from all around."""

    turns: Float[ndarray, "v"]
    cameras: tuple[Cameras, ...]
    shown: tuple[tuple[Float32[ndarray, "h w 3"], Float32[ndarray, "h w"]], ...]
    features: Float32[ndarray, "v d"] | None
    """The judge's."""


def truths(known: Known, views: int, judge: Judge | None) -> Truths:
    """Views at equal steps, the first from the person's front."""
    low, high = known.stance.box
    turns = np.arange(views) * 360.0 / views
    cameras = tuple(frame(np.stack([low, high]), float(turn), 0.0, 24.0, _VIEW) for turn in turns)
    shown = tuple(truth(known, camera) for camera in cameras)
    return Truths(turns, cameras, shown, features_of(judge, [picture for picture, _ in shown]))


def features_of(judge: Judge | None, pictures: Sequence[Float32[ndarray, "h w 3"]]) -> Float32[ndarray, "v d"] | None:
    """What the judge makes of each picture."""
    if judge is None:
        return None
    with torch.no_grad():
        return np.concatenate([judge.features(torch.from_numpy(each)[None]).numpy() for each in pictures])


def frechet(one: Float[ndarray, "n d"], other: Float[ndarray, "m d"]) -> float:
    """Between Gaussians of two sets of features. Heusel et al. 2017, Eq. 6, here in the judge's features.

    Features are first divided by their spread over the second set, so that none counts by its unit alone.
    """
    spread = other.std(0) + 1e-3
    a, b = one / spread, other / spread
    both = [np.cov(each, rowvar=False) for each in (a, b)]
    root = linalg.sqrtm(both[0] @ both[1] + 1e-6 * np.eye(a.shape[1]))
    apart = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return float(apart + np.trace(both[0]) + np.trace(both[1]) - 2 * np.trace(root.real)) / a.shape[1]


def ssim_map(one: Float[ndarray, "h w 3"], other: Float[ndarray, "h w 3"]) -> Float[ndarray, "h w"]:
    """Structural similarity at each pixel, mean over channels. Wang et al. 2004, Eq. 13, a Gaussian of 1.5 pixels."""

    def blur(x: ndarray) -> ndarray:
        return ndimage.gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)

    a, b = one.astype(np.float64), other.astype(np.float64)
    ma, mb = blur(a), blur(b)
    va, vb, both = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * ma * mb + c1) * (2 * both + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return found.mean(-1)


def decibels(squared: float) -> float:
    """PSNR of a mean squared error."""
    return float(-10 * np.log10(max(squared, 1e-10)))


def measure(
    row: str, answer: Answer, known: Known, around: Truths, prior: Prior, judge: Judge | None, out: Path
) -> Score:
    """Makes one answer, writes its sheet and features, and says how near it came."""
    begun, spent = time.monotonic(), time.process_time()
    draw = answer(known, prior)
    wall, cpu = time.monotonic() - begun, time.process_time() - spent
    distance: EncoderDistance = perceptual_distance(prior)
    squares, wholes, similar, features, same, tiles, pictures = [], [], [], [], [], [], []
    for turn, camera, (wanted, there) in zip(around.turns, around.cameras, around.shown, strict=True):
        made, here = draw(camera)
        pictures.append(made)
        over = (there > 0) | (here > 0)
        squares.append(((made - wanted)[over] ** 2).mean())
        wholes.append(((made - wanted) ** 2).mean())
        similar.append(ssim_map(made, wanted)[over].mean())
        pair = [torch.from_numpy(each)[None] for each in (made, wanted)]
        with torch.no_grad():
            features.append(float(distance(pair[0], pair[1])))
            if judge is not None:
                same.append(float(judge.likeness(pair[0], pair[1])))
        if turn % 45 == 0:
            tiles.append((codes(wanted), codes(made)))
    photo = photograph(known.shot, 512)
    front = decibels(float(((draw(photo.seen.camera)[0] - photo.picture)[photo.trusted] ** 2).mean()))
    sheet = [codes(np.asarray(Image.fromarray(codes(known.shot.picture)).resize((_VIEW, _VIEW)), np.float32) / 255)]
    sheet += [one for one, _ in tiles] + [np.full((_VIEW, _VIEW, 3), 236, np.uint8)] + [two for _, two in tiles]
    with atomic_path(out / f"{_name(row)}-{known.seed}.png") as partial:
        contact_sheet(sheet, len(tiles) + 1).save(partial)
    if judge is not None:
        for name, found in ((row, features_of(judge, pictures)), ("truth", around.features)):
            with atomic_path(out / f"{_name(name)}-{known.seed}.npy") as partial:
                partial.write_bytes(_bytes(found))
    behind = np.abs((around.turns + 180) % 360 - 180) > 90
    errors = np.array(squares)
    return Score(
        row, known.seed, decibels(float(errors.mean())), decibels(float(np.mean(wholes))), float(np.mean(similar)),
        float(np.mean(features)), decibels(float(errors[behind].mean())), float(np.mean(same)) if same else None, front,
        wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    )  # fmt: skip


def _bytes(array: ndarray | None) -> bytes:
    assert array is not None
    file = io.BytesIO()
    np.save(file, array.astype(np.float32), allow_pickle=False)
    return file.getvalue()


def obedience(known: Known, prior: Prior, recipe: HumanSGD) -> dict[str, tuple[float, float]]:
    """What a painter who knows nothing but words and controls makes of the shape, mean over the seven views.

    Returns:
        By the controls it was shown: overlap of the painted outline with the surface's, and the cosine between the
        slopes of the picture's and of the normal map's brightness, which is higher where folds and limbs are obeyed.
    """
    found = {}
    free = replace(recipe, start=1.0, detail=False, background=False, size=prior.native_size)
    walk = Walk(known.shot, prior.native_size, TURNS)
    for name, controls in (
        ("both", ("normal", "silhouette")),
        ("normal", ("normal",)),
        ("silhouette", ("silhouette",)),
        ("none", ()),
    ):
        overlaps, slopes = [], []
        for index, turn in enumerate(TURNS):
            target = walk.look(turn)
            prompt = free.prompt.format(caption=known.shot.caption, view=view_word(turn, free.sides))
            grey = np.full_like(target.place, 0.5)
            painted = walk.imagined(free, prior, controls, nothing(target), target, prompt, grey, index)
            seen = outline(painted)
            overlaps.append((seen & target.hit).sum() / max((seen | target.hit).sum(), 1))
            inner = ndimage.binary_erosion(target.hit, iterations=2)
            one, other = (np.stack(np.gradient(each.mean(-1)))[:, inner].ravel() for each in (painted, target.normal))
            slopes.append(abs(np.corrcoef(np.abs(one), np.abs(other))[0, 1]))
        found[name] = (float(np.mean(overlaps)), float(np.nanmean(slopes)))
    return found


def table(scores: Sequence[Score], out: Path) -> str:
    """Means by row, as Markdown; the Fréchet distance is between all views of all subjects together."""
    lines = [
        "| row | PSNR | behind | whole pictures | SSIM | encoder distance | Fréchet | identity | front | CPU-s |",
        "|---" * 10 + "|",
    ]
    for row in dict.fromkeys(score.row for score in scores):
        mine = [score for score in scores if score.row == row]

        def mean(name: str, mine: list[Score] = mine) -> float:
            return float(np.mean([getattr(score, name) for score in mine]))

        identity = f"{mean('identity'):.3f}" if all(score.identity is not None for score in mine) else "-"
        found, wanted = (_features(out, name, mine) for name in (row, "truth"))
        apart = f"{frechet(found, wanted):.3f}" if found is not None and wanted is not None else "-"
        lines.append(
            f"| {row} ({len(mine)}) | {mean('psnr'):.2f} | {mean('back_psnr'):.2f} | {mean('whole_psnr'):.2f} | "
            f"{mean('ssim'):.4f} | {mean('features'):.4f} | {apart} | {identity} | {mean('front'):.1f} | "
            f"{mean('cpu_seconds'):.0f} |"
        )
    return "\n".join(lines)


def _features(out: Path, row: str, scores: Sequence[Score]) -> Float32[ndarray, "n d"] | None:
    paths = [out / f"{_name(row)}-{score.seed}.npy" for score in scores]
    if not all(path.is_file() for path in paths):
        return None
    return np.concatenate([np.load(path, allow_pickle=False) for path in paths])


def _name(row: str) -> str:
    return "".join("_" if letter == " " else letter for letter in row if letter.isalnum() or letter in " -")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--first", type=int, default=0, help="index of the first subject")
    parser.add_argument("--views", type=int, default=90, help="around the person, evenly")
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--rows", nargs="*", default=None, help="only these")
    parser.add_argument("--photo-light", action="store_true", help="light as photographs have it, for looking at")
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--keep-views", action="store_true")
    parser.add_argument("--outlines", action="store_true", help="only whether the painter obeys the shape")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prior = load(arguments.prior)
    judge = load_judge() if (WEIGHTS / "model.safetensors").is_file() else None
    if arguments.outlines:
        for index in range(arguments.subjects):
            for controls, (overlap, slope) in obedience(subject(index), prior, HumanSGD()).items():
                print(f"{seed_of(index)}, shown {controls}: outline {overlap:.3f}, slopes {slope:.3f}", flush=True)
        return
    scores = []
    for index in range(arguments.first, arguments.first + arguments.subjects):
        known, around = None, None
        keep = arguments.out / f"views-{seed_of(index)}" if arguments.keep_views else None
        for row, answer in answers(HumanSGD(), arguments.ablations, keep).items():
            if arguments.rows and row not in arguments.rows:
                continue
            path = arguments.out / f"{_name(row)}-{seed_of(index)}.json"
            if not path.exists():
                known = known or subject(index, arguments.photo_light)
                around = around or truths(known, arguments.views, judge)
                try:
                    score = measure(row, answer, known, around, prior, judge, arguments.out)
                except UserError as refusal:
                    print(f"{known.seed}, {row}: refused. {refusal}", flush=True)
                    continue
                with atomic_path(path) as partial:
                    partial.write_text(json.dumps(asdict(score), indent=1))
            scores.append(Score(**json.loads(path.read_text())))
            print(scores[-1], flush=True)
    print(table(scores, arguments.out))


if __name__ == "__main__":
    main()
