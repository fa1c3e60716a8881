"""Which distillation paints best: ``python -m bozzetto.evaluate.distillation --out DIR``.

A prior paints the texture of a bare body whose shape stays as it is: nothing but the guidance is judged. Each method
paints the same prompts with the same seeds; measured is whether the named colours are there, in front and behind,
through the body's known regions; with ``--faces`` also whether MediaPipe (the extra ``photo``) sees a face in front,
and a second one behind. Finished runs are kept in DIR, so that the same command goes on where it was stopped.
"""

import argparse
import copy
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from bozzetto.evaluate.faces import shows_face
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import BASIC, colour, delta_e_2000_lab, hair_colour, srgb_to_lab
from bozzetto.figure.ground_truth import Crop, Stance, stand
from bozzetto.figure.spec import FigureSpec
from bozzetto.guidance import (
    SCHEDULES,
    Buckets,
    Kind,
    Objective,
    PicturePrior,
    Text,
    ViewText,
    add_noise,
    distillation_loss,
    embed_views,
    invert,
    invert_interval,
    sample_t,
    student_loss,
    target_latents,
)
from bozzetto.prior.denoiser import Conditions
from bozzetto.prior.load import load
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.detector import need_mediapipe
from bozzetto.training.data import closer
from bozzetto.types import Cameras, Layer, Material, Mesh, UserError

REGIONS: Mapping[str, tuple[str, ...]] = {
    "top": ("spine01", "spine02", "spine03", "spine04", "breast", "clavicle", "shoulder01", "upperarm01"),
    "bottom": ("upperleg", "lowerleg01"),
    "hair": ("head",),
}
"""By the joints that lead them; hair is looked for at the back of the head alone."""


@dataclass(frozen=True)
class Case:
    """A prompt and the colours that must be seen."""

    prompt: str
    top: str
    bottom: str
    hair: str = ""


def _case(who: str, hair: str, top: str, top_kind: str, bottom: str, bottom_kind: str) -> Case:
    a = "an" if top[0] in "aeiou" else "a"
    return Case(f"{who} with {hair} hair, wearing {a} {top} {top_kind} and {bottom} {bottom_kind}", top, bottom, hair)


CASES = (
    _case("a man", "black", "red", "t-shirt", "blue", "trousers"),
    _case("a woman", "blonde", "green", "sweater", "black", "trousers"),
    _case("an old man", "grey", "blue", "shirt", "brown", "trousers"),
    _case("a young woman", "brown", "yellow", "t-shirt", "purple", "leggings"),
    _case("a man", "brown", "white", "sweater", "red", "trousers"),
    _case("a woman", "black", "pink", "turtleneck", "grey", "trousers"),
    _case("a heavy man", "blonde", "orange", "t-shirt", "green", "trousers"),
    _case("a woman", "red", "black", "sweater", "white", "trousers"),
    _case("a tall man", "black", "purple", "shirt", "yellow", "trousers"),
    _case("an old woman", "white", "teal", "sweater", "pink", "trousers"),
    _case("a young man", "brown", "grey", "t-shirt", "orange", "trousers"),
    _case("a woman", "brown", "brown", "turtleneck", "teal", "leggings"),
)


@dataclass(frozen=True)
class Stage:
    """A stretch of a method."""

    objective: Objective
    share: float = 1.0
    """Of the steps."""
    schedule: str = "linear"
    """A name of `SCHEDULES`, over this stage's own progress."""
    noise: Literal["random", "sdi", "ism"] = "random"
    pictures: bool = False
    """Pictures are compared with decoded targets (L1), in place of residuals sent through the encoder."""
    perpendicular: bool = False
    """Blended view words and Perp-Neg, in place of buckets."""
    learning_rate: float = 0.05
    """Adam's, in logits of sRGB, at the start; it falls evenly to a tenth."""


def _latents(kind: Kind, scale: float, weight: str = "sds", **changes: Any) -> Stage:
    return Stage(Objective(kind, scale, weight), **changes)


def _pictures(kind: Kind, scale: float, **changes: Any) -> Stage:
    return Stage(Objective(kind, scale), pictures=True, **changes)


METHODS: Mapping[str, tuple[Stage, ...]] = {
    "sds 7.5": (_latents("sds", 7.5),),
    "sds 30": (_latents("sds", 30),),
    "sds 100": (_latents("sds", 100, "fantasia3d"),),
    "sds 30 perp-neg": (_latents("sds", 30, perpendicular=True),),
    "csd 7.5": (_latents("csd", 7.5),),
    "nfsd 7.5": (_latents("nfsd", 7.5),),
    "sdi 7.5": (_latents("sds", 7.5, noise="sdi"),),
    "ism 7.5": (_latents("sds", 7.5, "uniform", noise="ism"),),
    "vsd 7.5": (_latents("vsd", 7.5),),
    "sds 30, csd 7.5": (_latents("sds", 30, share=0.3), _latents("csd", 7.5, share=0.7, schedule="fine")),
    "x0 4": (_pictures("sds", 4),),
    "x0 10": (_pictures("sds", 10),),
    "x0 4 perp-neg": (_pictures("sds", 4, perpendicular=True),),
    "csd 4 in pictures": (_pictures("csd", 4),),
    "nfsd 7.5 in pictures": (_pictures("nfsd", 7.5),),
    "sdi 7.5 in pictures": (_pictures("sds", 7.5, noise="sdi"),),
    "sds 30, x0 4": (_latents("sds", 30, share=0.5), _pictures("sds", 4, share=0.5, schedule="fine")),
    "csd 7.5, x0 4": (_latents("csd", 7.5, share=0.5), _pictures("sds", 4, share=0.5, schedule="fine")),
    "x0 10, x0 4": (_pictures("sds", 10, share=0.5), _pictures("sds", 4, share=0.5, schedule="fine")),
}
"""x0 is sds with its targets decoded."""

NEGATIVE = "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
"""NFSD's."""


# ---------------------------------------------------------------------------------------------------- the body


@dataclass(frozen=True, eq=False)
class Mannequin:
    """A bare body, standing."""

    stance: Stance
    """Its scene is the body alone."""
    region: Int[ndarray, "f"]
    """Index into `REGIONS`, or -1."""


@cache
def mannequin(pose: str = "a-pose") -> Mannequin:
    """The body under a figure, framed as the prior's training pictures are."""
    stance = stand(build_figure(FigureSpec(), "low"), pose)
    body = stance.figure.person.body
    part = body.parts["body"]
    vertices = torch.from_numpy(stance.body[: part.stop])
    weights, joints = body.skin_weights[: part.stop], body.skin_joints[: part.stop]
    layer = Layer(
        "skin",
        Mesh(vertices, torch.from_numpy(part.faces), torch.from_numpy(np.ascontiguousarray(part.uvs, np.float32))),
        torch.from_numpy(weights),
        torch.from_numpy(joints),
        Material(np.full((1, 1, 3), 128, np.uint8)),
    )
    names = [
        next((i for i, starts in enumerate(REGIONS.values()) if name.startswith(starts)), -1)
        for name in body.joint_names
    ]
    leading = joints[np.arange(len(joints)), weights.argmax(1)]
    return Mannequin(replace(stance, scene=scene_from_layers([layer])), np.array(names)[leading[part.faces[:, 0]]])


CONTROLS: Mapping[Crop, tuple[str, ...]] = {"body": ("normal",), "head": ("normal", "landmarks")}


@dataclass(frozen=True, eq=False)
class Shot:
    """One camera on the body: which texels each pixel shows, and how much of each."""

    azimuth: float
    elevation: float
    crop: Crop
    texels: Int[Tensor, "n"]
    shares: Float[Tensor, "n"]
    starts: Int[Tensor, "p"]
    """Where each pixel's texels begin."""
    alpha: Float[Tensor, "h w 1"]
    controls: Mapping[str, Float[Tensor, "h w 3"]]
    """Control pictures by name."""
    region: Int[ndarray, "h w"]
    """What is seen at each pixel; -1 where nothing is named."""


def shoot(
    body: Mannequin, azimuth: float, elevation: float, crop: Crop, size: int, texture: int, fineness: int = 4
) -> Shot:
    """The shot from an orbit around the body or the head.

    Args:
        body: What stands there.
        azimuth: Degrees; 0 looks at the face.
        elevation: Degrees.
        crop: What fills the picture.
        size: Pixels of a side.
        texture: Texels of a side.
        fineness: Samples of a pixel each way; enough of them that no texel that is seen is skipped.
    """
    view = closer(body.stance, 1.0).view(azimuth, elevation, size, crop)
    lens = view.cameras.intrinsics.clone()
    lens[:, :2] *= fineness
    fine = Cameras(view.cameras.world_to_camera, lens, size * fineness, size * fineness)
    scene = body.stance.scene
    seen = rasterize(scene.vertices, scene.faces, fine, scene.coverage)
    face, corners = seen.face[0], seen.barycentrics[0]
    rows, columns = np.nonzero(face >= 0)
    pixel = rows // fineness * size + columns // fineness
    uv = np.einsum("nk,nkc->nc", corners[rows, columns], scene.uvs[face[rows, columns]])

    position = uv * texture - 0.5
    low = np.floor(position).astype(np.int64)
    part = position - low
    pixels, texels, shares = [], [], []
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = np.clip(low + np.array([x, y]), 0, texture - 1).T
        pixels.append(pixel)
        texels.append(row * texture + column)
        shares.append(np.abs(1 - x - part[:, 0]) * np.abs(1 - y - part[:, 1]))
    # The same texel often serves several samples of a pixel.
    key, place = np.unique(np.concatenate(pixels) * texture**2 + np.concatenate(texels), return_inverse=True)
    amount = np.bincount(place, np.concatenate(shares)) / fineness**2
    count = size * size
    centre = face[fineness // 2 :: fineness, fineness // 2 :: fineness]
    return Shot(
        azimuth,
        elevation,
        crop,
        torch.from_numpy(key % texture**2),
        torch.from_numpy(amount).float(),
        torch.from_numpy(np.searchsorted(key // texture**2, np.arange(count))),
        torch.from_numpy(np.bincount(pixel, minlength=count).reshape(size, size, 1) / fineness**2).float(),
        {name: torch.from_numpy(view.conditions[name] / np.float32(255)) for name in CONTROLS["head"]},
        np.where(centre >= 0, body.region[centre], -1),
    )


def look(
    shots: Sequence[Shot], texture: Float[Tensor, "t 3"], background: Float[Tensor, "b 3"] | None = None
) -> Float[Tensor, "b h w 3"]:
    """Pictures of the textured body in flat light, on white unless told otherwise; differentiable in the texture."""
    pictures = []
    for index, shot in enumerate(shots):
        painted = torch.nn.functional.embedding_bag(
            shot.texels, texture, shot.starts, mode="sum", per_sample_weights=shot.shares
        ).view(*shot.alpha.shape[:2], 3)
        behind = texture.new_ones(3) if background is None else background[index]
        pictures.append(painted + (1 - shot.alpha) * behind)
    return torch.stack(pictures)


def shots_around(body: Mannequin, size: int, painting: "Painting") -> tuple[list[Shot], list[Shot]]:
    """Cameras to draw from, of the body and of the head: by turns in front, to the left, behind, to the right."""
    rng = np.random.default_rng(0)

    def around(crop: Crop, count: int) -> list[Shot]:
        azimuths = (np.arange(count) * 90 + rng.uniform(-45, 45, count)) % 360
        return [shoot(body, float(a), float(rng.normal(3, 8)), crop, size, painting.texture) for a in azimuths]

    return around("body", painting.bodies), around("head", painting.heads)


# ---------------------------------------------------------------------------------------------------- painting


@dataclass(frozen=True)
class Painting:
    """How a texture is painted, whatever the method."""

    steps: int = 300
    batch: int = 4
    texture: int = 128
    """Texels of a side."""
    bodies: int = 40
    """Cameras that are drawn from; one in four steps looks at heads."""
    heads: int = 20
    control: bool = True
    """Show the prior the body's normals, and the lines of faces in heads, where it has a network for them."""
    body_words: str = ", full body, flat light"
    head_words: str = ", head portrait, flat light"


def paint(
    prior: PicturePrior,
    shots: tuple[Sequence[Shot], Sequence[Shot]],
    prompt: str,
    method: Sequence[Stage],
    painting: Painting,
    seed: int,
) -> Iterator[Float[Tensor, "t 3"]]:
    """The texture after each step, sRGB.

    Args:
        prior: Paints.
        shots: Of the body and of the head, at the prior's native size; every fourth picture is a head.
        prompt: Who is asked for.
        method: Stage after stage; each starts its optimiser anew.
        painting: Everything else.
        seed: Of cameras, noise and backgrounds.
    """
    generator = torch.Generator().manual_seed(seed)
    negative = NEGATIVE if any(stage.objective.kind == "nfsd" for stage in method) else None
    words = tuple(
        embed_views(prior, prompt, negative=negative, buckets=Buckets(of=of))
        for of in (painting.body_words, painting.head_words)
    )
    colours = torch.zeros(painting.texture**2, 3, requires_grad=True)
    roles = getattr(prior, "roles", ()) if painting.control else ()
    device = getattr(prior, "device", torch.device("cpu"))
    for stage in method:
        student = _Student(prior) if stage.objective.kind == "vsd" else None
        optimizer = torch.optim.Adam([colours], stage.learning_rate, betas=(0.9, 0.99))
        steps = max(1, round(painting.steps * stage.share))
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = stage.learning_rate * (1 - 0.9 * step / steps)
            optimizer.zero_grad()
            crop = int(step % 4 == 3)
            drawn = _one_of_each_side(shots[crop], painting.batch, generator)
            behind = torch.rand(len(drawn), 1, generator=generator).expand(-1, 3)
            pictures = look(drawn, torch.sigmoid(colours), behind).to(device)
            names = [name for name in CONTROLS[drawn[0].crop] if f"control/{name}" in roles]
            controls = {name: torch.stack([shot.controls[name] for shot in drawn]) for name in names}
            conditions = Conditions(controls) if controls else None
            t = sample_t(SCHEDULES[stage.schedule](step / steps), len(drawn), generator).to(device)
            text = _text(words[crop], drawn, stage)
            stage_loss(prior, pictures, text, t, stage, generator, conditions, student).backward()
            optimizer.step()
            yield torch.sigmoid(colours.detach())


def stage_loss(
    prior: PicturePrior,
    pictures: Float[Tensor, "b h w 3"],
    text: Text,
    t: Float[Tensor, "b"],
    stage: Stage,
    generator: torch.Generator,
    conditions: Any = None,
    student: "_Student | None" = None,
) -> Float[Tensor, ""]:
    """What a stage minimises over a batch of pictures; VSD's student learns from them first."""
    latents = prior.encode(pictures.detach() if stage.pictures else pictures)
    if student is not None:
        student.learn(latents, text, generator, conditions)
    scale = stage.objective.scale
    if stage.noise == "sdi":
        noisy = invert(prior, latents, t, text, -scale, generator=generator, conditions=conditions)
    elif stage.noise == "ism":
        noisy = invert_interval(prior, latents, t, text, conditions=conditions)
    else:
        noisy = add_noise(prior, latents, t, torch.randn(latents.shape, generator=generator).to(latents.device))
    known = None if student is None else student.prior
    if not stage.pictures:
        return distillation_loss(prior, latents, noisy, text, stage.objective, conditions, student=known)
    with torch.no_grad():
        goal = prior.decode(target_latents(prior, latents, noisy, text, stage.objective, conditions, student=known))
    return (pictures - goal).abs().mean()


class _Student:
    """A copy of the prior that is trained on the renders (VSD)."""

    def __init__(self, prior: PicturePrior, learning_rate: float = 1e-4) -> None:
        self.prior: Any = copy.copy(prior)
        self.prior.base = replace(self.prior.base, unet=copy.deepcopy(self.prior.base.unet))
        self._parameters = [each.requires_grad_() for each in self.prior.base.unet.parameters()]
        self._optimizer = torch.optim.AdamW(self._parameters, learning_rate)

    def learn(self, latents: Tensor, text: Text, generator: torch.Generator, conditions: Any) -> None:
        t = sample_t((0.02, 0.98), len(latents), generator).to(latents.device)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        self._optimizer.zero_grad()
        student_loss(self.prior, add_noise(self.prior, latents, t, noise), text, conditions).backward()
        self._optimizer.step()


def _text(words: ViewText, shots: Sequence[Shot], stage: Stage) -> Text:
    angles = [shot.azimuth for shot in shots], [shot.elevation for shot in shots]
    return words.blended(*angles) if stage.perpendicular else words.at(*angles)


def _one_of_each_side(shots: Sequence[Shot], count: int, generator: torch.Generator) -> list[Shot]:
    """Shots of a batch; their sides take turns, so that no side is painted less."""
    sides = [shots[side::4] for side in range(4)]
    picks = torch.rand(count, generator=generator)
    return [sides[i % 4][int(pick * len(sides[i % 4]))] for i, pick in enumerate(picks)]


# ---------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Seen:
    """One named colour from one side."""

    region: str
    side: Literal["front", "back"]
    asked: str
    difference: float
    """CIEDE2000 between the asked colour and the region's median."""
    right: bool
    """Whether the asked colour is the nearest of the basic ones."""


def named_colours(texture: Float[Tensor, "t 3"], sides: Mapping[str, Shot], case: Case) -> list[Seen]:
    """How the colours of a case came out.

    Args:
        texture: sRGB.
        sides: Shots of the body from the front and the back.
        case: What was asked.
    """
    out: list[Seen] = []
    for index, region in enumerate(REGIONS):
        asked = getattr(case, region)
        for side, shot in sides.items():
            if not asked or (region == "hair" and side == "front"):
                continue
            picture = look([shot], texture)[0].numpy()
            pixels = picture[(shot.region == index) & (shot.alpha[..., 0].numpy() > 0.99)]
            palette = {name: (hair_colour if region == "hair" else colour)(name).srgb for name in {*BASIC, asked}}
            median = srgb_to_lab(np.median(pixels, axis=0))
            far = {name: float(delta_e_2000_lab(srgb_to_lab(np.array(srgb)), median)) for name, srgb in palette.items()}
            out.append(Seen(region, side, asked, far[asked], min(far, key=far.__getitem__) == asked))  # type: ignore[arg-type]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--cases", type=int, default=len(CASES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--faces", action="store_true", help="count heads with a face, in front and behind")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.faces:
        need_mediapipe()
    torch.set_num_threads(arguments.threads)
    try:
        prior = load(arguments.prior)
    except UserError as error:
        parser.error(str(error))
    painting = Painting(arguments.steps, control=not arguments.no_control)
    compare(
        prior, [METHODS[name] for name in arguments.methods], arguments.methods, CASES[: arguments.cases],
        range(arguments.seeds), painting, arguments.out,
    )  # fmt: skip
    print(table(arguments.out, arguments.methods, arguments.faces))


def compare(
    prior: PicturePrior,
    methods: Sequence[Sequence[Stage]],
    names: Sequence[str],
    cases: Sequence[Case],
    seeds: Sequence[int],
    painting: Painting,
    out: Path,
) -> None:
    """Paints every case with every method and seed, one file a run, then draws a sheet a seed."""
    out.mkdir(parents=True, exist_ok=True)
    body = mannequin()
    shots = shots_around(body, prior.native_size, painting)
    sides = {
        side: shoot(body, azimuth, 3, "body", 128, painting.texture) for side, azimuth in (("front", 0), ("back", 180))
    }
    others = [shoot(body, *view, 128, painting.texture) for view in _OTHER_VIEWS]
    for seed in seeds:
        for case_index, case in enumerate(cases):
            for name, method in zip(names, methods, strict=True):
                stem = _stem(name, case_index, seed)
                if (out / f"{stem}.json").exists():
                    continue
                start, texture = time.monotonic(), torch.zeros(0, 3)
                for texture in paint(prior, shots, case.prompt, method, painting, seed):  # noqa: B007
                    pass
                seconds = time.monotonic() - start
                _row(texture, [*sides.values(), *others]).save(out / f"{stem}.png")
                _texture_image(texture, painting.texture).save(out / f"{stem}-texture.png")
                seen = named_colours(texture, sides, case)
                record = {"method": name, "prompt": case.prompt, "seed": seed, "seconds": seconds,
                          "seen": [asdict(each) for each in seen]}  # fmt: skip
                (out / f"{stem}.json").write_text(json.dumps(record, indent=1))
                right = sum(each.right for each in seen)
                print(f"{stem}: {right} of {len(seen)} colours right, {seconds:.0f} s", flush=True)
        _sheet(out, names, len(cases), seed).save(out / f"sheet-{seed}.png")


_OTHER_VIEWS: tuple[tuple[float, float, Crop], ...] = (
    (90, 3, "body"),
    (0, 3, "head"),
    (60, 3, "head"),
    (180, 3, "head"),
)


def _row(texture: Float[Tensor, "t 3"], shots: Sequence[Shot]) -> Image.Image:
    pictures = (look(shots, texture).clamp(0, 1).numpy() * 255 + 0.5).astype(np.uint8)
    return contact_sheet(list(pictures), len(shots))


def _texture_image(texture: Float[Tensor, "t 3"], size: int) -> Image.Image:
    """So that another ruler can measure the run later."""
    return Image.fromarray((texture.view(size, size, 3).numpy() * 255 + 0.5).astype(np.uint8))


def _stem(name: str, case: int, seed: int) -> str:
    return f"{name.replace(',', '').replace(' ', '_')}-{case:02d}-{seed}"


def _sheet(out: Path, names: Sequence[str], cases: int, seed: int) -> Image.Image:
    """Methods down, cases across; front and back of each."""
    stems = [_stem(name, case, seed) for name in names for case in range(cases)]
    rows = [Image.open(out / f"{stem}.png") for stem in stems]
    return contact_sheet([row.crop((0, 0, 2 * row.height, row.height)) for row in rows], cases, stems)


def table(out: Path, names: Sequence[str], faces: bool = False) -> str:
    """Markdown: the share of colours that are right by region and side, the median difference, and the seconds; and of
    how many heads a face is seen in front, and behind."""
    runs = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    columns = [("top", "front"), ("top", "back"), ("bottom", "front"), ("bottom", "back"), ("hair", "back")]
    titles = [*map(" ".join, columns), "median difference", "seconds", *(["faces in front, behind"] if faces else [])]
    lines = [f"| method | runs | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"]
    for name in names:
        mine = {stem: run for stem, run in runs.items() if run["method"] == name}
        seen = [each for run in mine.values() for each in run["seen"]]
        if not seen:
            continue
        shares = [[each["right"] for each in seen if (each["region"], each["side"]) == c] for c in columns]
        cells = [f"{100 * np.mean(share):.0f} %" if share else "" for share in shares]
        cells.append(f"{np.median([each['difference'] for each in seen]):.1f}")
        cells.append(f"{np.median([run['seconds'] for run in mine.values()]):.0f}")
        if faces:
            cells.append(", ".join(str(sum(both)) for both in zip(*map(_faces, _rows(out, mine)), strict=True)))
        lines.append(f"| {name} | {len(mine)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(out: Path, stems: Iterable[str]) -> Iterator[UInt8[ndarray, "h w 3"]]:
    for stem in stems:
        yield np.asarray(Image.open(out / f"{stem}.png").convert("RGB"))


def _faces(row: UInt8[ndarray, "h w 3"]) -> tuple[bool, bool]:
    """Whether the head has a face in front and behind."""
    size = len(row)
    front, back = (row[:, column * size : (column + 1) * size] for column in (3, 5))
    return shows_face(np.ascontiguousarray(front)), shows_face(np.ascontiguousarray(back))


if __name__ == "__main__":
    main()
