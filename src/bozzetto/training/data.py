"""Pictures of people nobody asked for, with their words and their truth, in shards on disk.

A shard holds some people in several poses: pictures of 128 px with normals, coverage and layers as uint8, and a record
a picture with captions, camera and keypoints. A third of the people come twice, the second time with one attribute
changed, in the same poses, cameras and light: pairs for editing. Everything follows from the shard's number, each
shard is written whole or not at all, and making goes on where it was stopped.

The splits never share a person: ``train``; ``held`` for measuring; ``judge`` trains the ruler that measures.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from safetensors import safe_open
from safetensors.numpy import save_file

from bozzetto.figure.build import build_figure
from bozzetto.figure.captions import SYNONYMS, described
from bozzetto.figure.colours import colour, hair_colour
from bozzetto.figure.ground_truth import Crop, Stance, View, stand
from bozzetto.figure.people import ACCENTS, DYED_HAIR, EXTRAS, NATURAL_HAIR, SLOTS, random_spec
from bozzetto.figure.spec import Expression, FigureSpec, Garment, Look, from_json
from bozzetto.files import atomic_path
from bozzetto.kept import folder
from bozzetto.render.conditions import face_landmarks, pose_skeleton
from bozzetto.render.light import random_light

Split: TypeAlias = Literal["train", "held", "judge"]

FIRST_SEED: dict[Split, int] = {"train": 10_000_000, "held": 20_000_000, "judge": 30_000_000}
PEOPLE_PER_SHARD = 20
PICTURES_PER_PERSON = 8
SIZE = 128
TURN: tuple[Split, ...] = ("train", "train", "train", "train", "judge", "train", "train", "train", "train", "held")
"""Which split the next shard belongs to, around and around."""
CALM = ("a-pose", "standing", "t-pose", "relaxed", "hands on hips", "walking")
"""Poses in which nothing stands between the camera and the head; half of all bodies stand like this too."""
UNSEEN_IN_HEADS = ("bottom", "pose", "tall", "small")


@dataclass(frozen=True, eq=False)
class Shard:
    """Pictures of a few people, read from disk as they are asked for."""

    path: Path

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """One a picture: captions, instruction, source, person, azimuth, elevation, crop, view, flat, pose, …"""
        return json.loads(self._metadata["pictures"])

    @cached_property
    def people(self) -> list[dict[str, Any]]:
        """Spec, seed and layer names."""
        return json.loads(self._metadata["people"])

    @cached_property
    def _metadata(self) -> dict[str, str]:
        with safe_open(self.path, "numpy") as file:
            return file.metadata()

    def __getitem__(self, name: str) -> ndarray:
        """rgb, normal (n h w 3), alpha, layer (n h w), keypoints (n k 2), visible (n k), contours (n p 2), cameras."""
        with safe_open(self.path, "numpy") as file:
            return file.get_tensor(name)

    @cached_property
    def specs(self) -> list[FigureSpec]:
        """Of the people, in their order."""
        return [from_json(json.dumps(person["spec"])) for person in self.people]

    def one(self, name: str, index: int) -> ndarray:
        """The same as ``[name]`` of one picture, without reading the others."""
        with safe_open(self.path, "numpy") as file:
            return file.get_slice(name)[index : index + 1][0]

    def controls(self, index: int, names: Sequence[str], size: int) -> dict[str, UInt8[ndarray, "s s 3"]]:
        """Control pictures of one picture, by name: pose, landmarks, normal, silhouette."""
        found: dict[str, ndarray] = {}
        with safe_open(self.path, "numpy") as file:

            def one(name: str) -> ndarray:
                return file.get_slice(name)[index : index + 1]

            for name in names:
                match name:
                    case "pose":
                        found[name] = skeleton_picture(one("keypoints")[0], one("visible")[0], size)
                    case "landmarks":
                        found[name] = landmark_picture(one("contours")[0], size)
                    case "normal":
                        found[name] = smaller(one("normal"), size)[0]
                    case "silhouette":
                        found[name] = smaller(one("alpha"), size)[0][..., None].repeat(3, -1)
                    case _:
                        raise ValueError(f"There is no control picture {name!r}.")
        return found


def shards(data: Path, split: Split) -> list[Shard]:
    """Every finished shard of a split, in order."""
    return [Shard(path) for path in sorted(data.glob(f"{split}-*.safetensors"))]


def default_folder() -> Path:
    """Where pictures lie unless told otherwise: among bozzetto's caches."""
    return folder() / "training"


def make_shards(data: Path, pictures: int) -> Iterator[tuple[Path, int]]:
    """Makes what is missing until ``data`` holds that many pictures; yields each new shard and the count so far."""
    data.mkdir(parents=True, exist_ok=True)
    numbers = dict.fromkeys(get_args(Split), 0)
    have, index = 0, 0
    while have < pictures:
        split = TURN[index % len(TURN)]
        path = data / f"{split}-{numbers[split]:05d}.safetensors"
        made = not path.exists()
        if made:
            make_shard(path, split, numbers[split])
        have += len(Shard(path).records)
        numbers[split] += 1
        index += 1
        if made:
            yield path, have


def make_shard(
    path: Path, split: Split, number: int, people: int = PEOPLE_PER_SHARD, each: int = PICTURES_PER_PERSON
) -> None:
    """Pictures of ``people`` people, written at once."""
    taken: list[tuple[View, dict[str, Any]]] = []
    known: list[dict[str, Any]] = []
    for seed in range(FIRST_SEED[split] + number * people, FIRST_SEED[split] + (number + 1) * people):
        taken += _portraits(seed, each, len(taken), known)
    views = [view for view, _ in taken]
    arrays = {
        "rgb": np.stack([view.rgb for view in views]),
        "normal": np.stack([view.conditions["normal"] for view in views]),
        "alpha": np.stack([view.conditions["silhouette"][..., 0] for view in views]),
        "layer": np.stack([(view.output.layer[0].numpy() + 1).astype(np.uint8) for view in views]),
        "keypoints": np.stack([view.keypoints for view in views]).astype(np.float32),
        "visible": np.stack([view.visible for view in views]),
        "contours": np.stack([_flat_contours(view) for view in views]),
        "world_to_camera": np.stack([view.cameras.world_to_camera[0].numpy() for view in views]),
        "intrinsics": np.stack([view.cameras.intrinsics[0].numpy() for view in views]),
    }
    metadata = {"pictures": json.dumps([record for _, record in taken]), "people": json.dumps(known)}
    with atomic_path(path) as partial:
        save_file(arrays, partial, metadata)


def balanced(spec: FigureSpec, rng: np.random.Generator) -> FigureSpec:
    """The same person in louder clothes: people mostly wear black trousers, words ask for red ones just as often."""
    changes: dict[str, Any] = {}
    for slot in ("top", "bottom", "outer", "dress", "shoes"):
        garment: Garment | None = getattr(spec, slot)
        if garment is not None and garment.kind not in ("jeans", "suit jacket") and rng.random() < 0.45:
            name = str(rng.choice([name for name in ACCENTS if name != garment.second.name]))
            changes[slot] = replace(garment, colour=colour(name))
    if rng.random() < 0.1:
        changes["hair"] = replace(spec.hair, colour=hair_colour(str(rng.choice(DYED_HAIR))))
    return replace(spec, **changes)


def person_spec(seed: int) -> FigureSpec:
    """The person of a seed, as training sees them."""
    return balanced(random_spec(seed), np.random.default_rng([seed, 3]))


@dataclass(frozen=True)
class _Shot:
    azimuth: float
    elevation: float
    crop: Crop
    flat: bool
    background: tuple[float, float, float]
    zoom: float
    light_seed: int


def _portraits(seed: int, each: int, first: int, known: list[dict[str, Any]]) -> list[tuple[View, dict[str, Any]]]:
    """Pictures of one person, and for a third of the people the same pictures after an edit."""
    spec = person_spec(seed)
    rng = np.random.default_rng([seed, 5])
    calm = CALM[rng.choice(len(CALM), p=(0.4, 0.25, 0.15, 0.1, 0.05, 0.05))]
    plan = [(pose, [_shot(rng, heads) for _ in range(count)]) for pose, heads, count in (
        (calm, 0.6, each - each // 3), (spec.pose if spec.pose not in CALM else "standing", 0.0, each // 3),
    )]  # fmt: skip
    change = edit(spec, rng) if rng.random() < 0.34 else None
    taken = _pictures(spec, seed, plan, len(known))
    known.append({"seed": seed, "spec": asdict(spec), "layers": taken[0][0].layer_names})
    if change is not None:
        edited, there, back = change
        fewer = [(pose, shots[::2]) for pose, shots in plan]
        before = [first + i for i in _every_other([len(shots) for _, shots in plan])]
        after = _pictures(edited, seed, fewer, len(known))
        known.append({"seed": seed, "spec": asdict(edited), "layers": after[0][0].layer_names})
        for i, (_, record) in enumerate(after):
            record |= {"source": before[i], "instructions": there}
            taken[before[i] - first][1].update({"source": first + len(taken) + i, "instructions": back})
        taken += after
    return taken


def _every_other(lengths: Sequence[int]) -> list[int]:
    """The places of ``each[::2]`` in the joined lists."""
    starts = np.cumsum([0, *lengths[:-1]])
    return [int(start + i) for start, length in zip(starts, lengths, strict=True) for i in range(0, length, 2)]


def _shot(rng: np.random.Generator, heads: float) -> _Shot:
    crop: Crop = "head" if rng.random() < heads else "body"
    front = rng.random() < (0.5 if crop == "head" else 0.35)
    azimuth = float(rng.normal(0, 18) if front else rng.uniform(-180, 180))
    overhead = crop == "body" and rng.random() < 0.05
    elevation = float(rng.uniform(62, 80) if overhead else rng.normal(3, 8))
    level, tint = rng.beta(1.2, 0.9), rng.normal(0, 0.06, 3) * (rng.random() < 0.7)
    background = tuple(float(value) for value in np.clip(level + tint, 0, 1))
    zoom = float(rng.uniform(0.98, 1.12)) if crop == "body" else float(rng.uniform(0.9, 1.1))
    return _Shot(azimuth, elevation, crop, bool(rng.random() < 0.3), background, zoom, int(rng.integers(2**31)))  # type: ignore[arg-type]


def _pictures(
    spec: FigureSpec, seed: int, plan: Sequence[tuple[str, Sequence[_Shot]]], person: int
) -> list[tuple[View, dict[str, Any]]]:
    figure = build_figure(spec, "low")
    taken, base = [], None
    for pose, shots in plan:
        stance = stand(figure, pose, base)
        base = stance.scene
        posed = replace(spec, pose=pose)
        said: dict[Crop, list[str]] = {"body": spoken(posed, seed, "body", 6), "head": spoken(posed, seed, "head", 4)}
        for shot in shots:
            light = None if shot.flat else random_light(np.random.default_rng(shot.light_seed))
            framed = closer(stance, shot.zoom)
            view = framed.view(shot.azimuth, shot.elevation, SIZE, shot.crop, light, shot.background)
            record = {
                "person": person, "captions": said[shot.crop], "view": view.words, "crop": shot.crop,
                "flat": shot.flat, "pose": pose, "azimuth": round(shot.azimuth, 1),
                "elevation": round(shot.elevation, 1), "background": shot.background,
                "light_seed": shot.light_seed, "zoom": round(shot.zoom, 3),
            }  # fmt: skip
            taken.append((view, record))
    return taken


def spoken(spec: FigureSpec, seed: int, crop: Crop, count: int) -> list[str]:
    """Captions for pictures of the body, or for pictures of the head alone, which say little of what is not seen."""
    if crop == "body":
        return [each.text for each in described(spec, seed, count)]
    extras = tuple(extra for extra in spec.extras if extra.kind not in ("belt", "gloves", "apron"))
    above = replace(spec, shoes=None, bottom=None if spec.body.age >= 18 else spec.bottom, extras=extras)
    sentences = described(above, seed, 4 * count)

    def unseen(index: int) -> tuple[int, int]:
        mentioned = sentences[index].mentioned
        return sum(name.startswith(UNSEEN_IN_HEADS) for name in mentioned), -len(mentioned)

    return [sentences[i].text for i in sorted(range(len(sentences)), key=unseen)[:count]]


def closer(stance: Stance, zoom: float) -> Stance:
    """The same stance, framed: the head, hair included, fills three quarters of the picture's height; hats may not."""
    oval = stance.figure.person.body.keypoints(stance.body)
    ears = (oval[3] + oval[4]) / 2
    high = stance.head[1]
    # From the ears, hanging hair and wide hats left out.
    reach = min(float(high[1] - ears[1]) * 1.12, 0.21 * float(stance.box[1, 1] - stance.box[0, 1]))
    middle = ears + np.array([0.0, 0.06 * reach, 0.0])
    half = np.full(3, reach / np.sqrt(3)) / zoom
    body_middle, body_half = stance.box.mean(0), (stance.box[1] - stance.box[0]) / 2 / zoom
    return replace(
        stance,
        head=np.stack([middle - half, middle + half]),
        box=np.stack([body_middle - body_half, body_middle + body_half]) if zoom < 1 else stance.box,
    )


CONTOUR_NAMES = ("oval", "left_eye", "right_eye", "left_brow", "right_brow", "lips_outer", "lips_inner")
CONTOUR_LENGTHS = (36, 16, 16, 10, 10, 20, 20)
_CONTROL = {
    "oval": "face_oval", "left_eye": "left_eye", "right_eye": "right_eye", "left_brow": "left_eyebrow",
    "right_brow": "right_eyebrow", "lips_outer": "lips", "lips_inner": "lips",
}  # fmt: skip


def _flat_contours(view: View) -> Float[ndarray, "p 2"]:
    if not view.contours:
        return np.full((sum(CONTOUR_LENGTHS), 2), np.nan, np.float32)
    return np.concatenate([view.contours[name] for name in CONTOUR_NAMES]).astype(np.float32)


def skeleton_picture(
    keypoints: Float[ndarray, "k 2"], visible: ndarray, size: int, drawn: int = SIZE
) -> UInt8[ndarray, "h w 3"]:
    """The pose control of a picture of ``drawn`` px, drawn at ``size``."""
    shown = np.all((keypoints[:17] >= 0) & (keypoints[:17] < drawn), axis=1, keepdims=True)[:, 0]
    shown[:3] &= visible[:3]
    return pose_skeleton(keypoints[:17] * (size / drawn), shown, size)


def landmark_picture(contours: Float[ndarray, "p 2"], size: int, drawn: int = SIZE) -> UInt8[ndarray, "h w 3"]:
    """The face landmark control of a picture of ``drawn`` px, drawn at ``size``; black where the face looks away."""
    lines: dict[str, list[ndarray]] = {}
    ends = np.cumsum(CONTOUR_LENGTHS)
    for name, points in zip(CONTOUR_NAMES, np.split(contours * (size / drawn), ends[:-1]), strict=True):
        if np.isfinite(points).all():
            closed = points if "brow" in name else np.concatenate([points, points[:1]])
            lines.setdefault(_CONTROL[name], []).append(closed)
    return face_landmarks(lines, size)


def smaller(pictures: UInt8[ndarray, "n h w *c"], size: int) -> UInt8[ndarray, "n s s *c"]:
    """Averages over whole blocks of pixels."""
    n, height = pictures.shape[:2]
    if height == size:
        return pictures
    if height % size:
        raise ValueError(f"Pictures of {height} px do not divide into {size}.")
    step = height // size
    total = np.zeros((n, size, size, *pictures.shape[3:]), np.uint32)
    for row in range(step):
        for column in range(step):
            total += pictures[:, row::step, column::step]
    return ((total + step * step // 2) // (step * step)).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------- words

VIEW_SHAPES = ("{text}, {view}", "{text}, {view}", "{view} of {text}", "{text} {view}", "{view}, {text}")
CROP_WORDS: dict[str, tuple[str, ...]] = {
    "head": ("head portrait", "head portrait", "close-up of the head", "face portrait", "headshot"),
    "body": ("full body", "full body", "full-length", "whole body"),
}
FLAT_WORDS = ("flat light", "flat light", "flat lighting", "albedo, no shading")


def phrase(record: dict[str, Any], rng: np.random.Generator) -> str:
    """One caption of a picture with its view, crop and light in words, each of which is sometimes left out.

    A caption twice as long, which says more, is twice as likely.
    """
    lengths = np.array([len(text) for text in record["captions"]])
    text = str(rng.choice(record["captions"], p=lengths / lengths.sum())).rstrip(".")
    if rng.random() < 0.8:
        shape = VIEW_SHAPES[rng.integers(len(VIEW_SHAPES))]
        view = record["view"]
        if shape.endswith("of {text}"):
            text = text[0].lower() + text[1:] if text[:2] in ("A ", "An") else text
            view = view[0].upper() + view[1:] if rng.random() < 0.5 else view
        text = shape.format(text=text, view=view)
    words = CROP_WORDS[record["crop"]]
    if rng.random() < 0.75:
        word = words[rng.integers(len(words))]
        text = f"{word}, {text}" if rng.random() < 0.3 else f"{text}, {word}"
    if record["flat"] and rng.random() < 0.9:
        text += f", {FLAT_WORDS[rng.integers(len(FLAT_WORDS))]}"
    return text


# ---------------------------------------------------------------------------------------------------- edits


def edit(spec: FigureSpec, rng: np.random.Generator) -> tuple[FigureSpec, list[str], list[str]] | None:
    """A spec with one attribute changed, the instructions that ask for it, and those that take it back."""
    kinds = ("colour", "colour", "colour", "kind", "hair colour", "hair style", "extra", "expression", "look")
    kind = kinds[rng.integers(len(kinds))]
    slots = [slot for slot in ("top", "bottom", "outer", "dress", "shoes") if getattr(spec, slot) is not None]
    if kind in ("colour", "kind") and slots:
        slot = str(rng.choice(slots))
        garment: Garment = getattr(spec, slot)
        noun = _nouns(garment.kind, rng)
        if kind == "colour":
            name = str(rng.choice([name for name in ACCENTS if name not in (garment.colour.name, garment.second.name)]))
            changed = replace(garment, colour=colour(name))
            there = [shape.format(noun=noun, new=name) for shape in _RECOLOUR]
            back = [shape.format(noun=noun, new=garment.colour.name) for shape in _RECOLOUR]
        else:
            options = [k for k in SLOTS[slot] if k != garment.kind and k not in ("suit jacket", "robe")]
            changed = replace(garment, kind=str(rng.choice(options)))  # type: ignore[arg-type]
            new = _nouns(changed.kind, rng)
            there = [shape.format(old=noun, new=new) for shape in _EXCHANGE]
            back = [shape.format(old=new, new=noun) for shape in _EXCHANGE]
        return replace(spec, **{slot: changed}), there, back
    if kind == "hair colour" and spec.hair.style != "bald":
        name = str(rng.choice([n for n in (*NATURAL_HAIR, *DYED_HAIR) if n != spec.hair.colour.name]))
        edited = replace(spec, hair=replace(spec.hair, colour=hair_colour(name)))
        shapes = ("make the hair {new}", "dye the hair {new}", "{new} hair", "give them {new} hair")
        return edited, [s.format(new=name) for s in shapes], [s.format(new=spec.hair.colour.name) for s in shapes]
    if kind == "hair style" and spec.hair.style != "bald" and spec.body.age >= 12:
        styles = ("short", "long straight", "long wavy", "curly", "afro", "ponytail", "bun", "bob", "mohawk", "buzz")
        style = str(rng.choice([s for s in styles if s != spec.hair.style]))
        shapes = ("change the hairstyle to {new}", "{new} hair", "give them {new} hair")
        edited = replace(spec, hair=replace(spec.hair, style=style))  # type: ignore[arg-type]
        return edited, [s.format(new=style) for s in shapes], [s.format(new=spec.hair.style) for s in shapes]
    if kind == "extra" and not spec.extras:
        extra = str(rng.choice([k for k in EXTRAS if k not in ("belt", "tie", "bow tie", "top hat")]))
        name = str(rng.choice(ACCENTS))
        edited = replace(spec, extras=(Garment(extra, colour(name)),))  # type: ignore[arg-type]
        noun = _nouns(extra, rng)
        add = ("add {c} {n}", "wearing {c} {n}", "put on {c} {n}", "give them {c} {n}")
        remove = ("remove the {n}", "take off the {n}", "without the {n}")
        return edited, [s.format(c=name, n=noun) for s in add], [s.format(n=noun) for s in remove]
    if kind == "look":
        look = str(rng.choice([name for name in get_args(Look) if name != spec.look]))
        shapes = ("make it {new}", "in {new} style", "turn the person {new}")
        edited = replace(spec, look=look)  # type: ignore[arg-type]
        return edited, [s.format(new=look) for s in shapes], [s.format(new=spec.look) for s in shapes]
    mood = str(rng.choice([name for name in get_args(Expression) if name != spec.face.expression]))
    shapes = ("make them look {new}", "{new} face", "{new}")
    edited = replace(spec, face=replace(spec.face, expression=mood))  # type: ignore[arg-type]
    return edited, [s.format(new=mood) for s in shapes], [s.format(new=spec.face.expression) for s in shapes]


_RECOLOUR = (
    "make the {noun} {new}", "change the {noun} to {new}", "turn the {noun} {new}", "{new} {noun}",
    "the {noun} should be {new}",
)  # fmt: skip
_EXCHANGE = (
    "replace the {old} with {new}", "change the {old} to {new}", "wearing {new} instead of {old}",
    "swap {old} for {new}",
)  # fmt: skip


def _nouns(kind: str, rng: np.random.Generator) -> str:
    return str(rng.choice(SYNONYMS[kind]))


def make(data: Path, pictures: int) -> None:
    """``make_shards`` with a line a shard."""
    start = time.monotonic()
    for path, have in make_shards(data, pictures):
        print(f"{path.name}: {have} of {pictures} pictures, {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    import sys

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    make(Path(sys.argv[1]), int(sys.argv[2]))
