"""Training the judge: on its own people, in its own clothes, by its own seed.

Three things at once from every batch: what a picture shows (of what can truly be seen in it), who it is (pictures of
one person attract each other, Khosla et al. 2020, arXiv:2004.11362), and, for heads, whether a face looks out. So that
the last is no mere view probe, faces are also laid on the backs of heads, mirrored, as a generator with two faces
would paint them.
"""

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from bozzetto.evaluate.judge import SLOTS, Judge
from bozzetto.figure.spec import FigureSpec
from bozzetto.files import atomic_path
from bozzetto.render.cameras import away_from_front
from bozzetto.training.data import CONTOUR_LENGTHS, Shard, smaller
from bozzetto.training.loop import Pace, Start, Training, draws, quick, train
from bozzetto.training.reading import CHOICES
from bozzetto.training.recolour import LOOKS, recoloured

NONE = "none of these"
PROBES: dict[str, tuple[str, ...]] = {
    path: (NONE, *CHOICES[path])
    for path in (
        "body.presentation", "face.expression", "hair.style", "look", "view", "crop", "top.kind", "outer.kind",
        "bottom.kind", "dress.kind", "shoes.kind",
    )
}  # fmt: skip
SKIN = ("skin", "body", "brows", "eyes", "lashes", "teeth", "tongue")
"""Layers of the bare person."""
LEAST = 60
"""Pixels of a layer, at 128 px, that make it seen."""
FACING, AWAY = 60.0, 125.0
"""Degrees of azimuth up to which a face is seen for certain, and from which on there is none."""


@dataclass(frozen=True)
class Judging:
    """The judge's recipe."""

    size: int = 64
    people: int = 16
    """In a batch, with ``each`` pictures of each."""
    each: int = 2
    fakes: int = 4
    """Backs of heads in a batch that get a face, and as many that stay as they are."""
    blurred: float = 0.3
    """The share of pictures that are softened."""
    learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    tire_samples: int = 30_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    temperature: float = 0.1
    seed: int = 1_000


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures with what is true of them."""

    shards: Sequence[Shard]
    where: list[tuple[int, int]]
    """Shard and place of each picture."""
    people: list[list[int]]
    """The pictures of each person."""
    backs: Int[ndarray, "k"]
    """Pictures of heads from behind whose person has one from the front."""

    def record(self, index: int) -> dict[str, Any]:
        shard, place = self.where[index]
        return self.shards[shard].records[place]


def album(shards: Sequence[Shard]) -> Album:
    """Everything in these shards, by person."""
    where = [(s, place) for s, shard in enumerate(shards) for place in range(len(shard.records))]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, (s, place) in enumerate(where):
        groups.setdefault((s, int(shards[s].records[place]["person"])), []).append(index)
    found = Album(shards, where, list(groups.values()), np.zeros(0, np.int64))
    backs = [
        index
        for group in groups.values()
        for index in group
        if _is_back(found.record(index)) and len(_fronts(found, group))
    ]
    return Album(found.shards, found.where, found.people, np.array(backs, np.int64))


def _is_back(record: dict[str, Any]) -> bool:
    return _is_head(record) and away_from_front(record["azimuth"]) >= AWAY


def _is_head(record: dict[str, Any]) -> bool:
    return record["crop"] == "head" and record["elevation"] < 45


def _fronts(found: Album, group: Iterable[int]) -> list[int]:
    return [i for i in group if _is_head(found.record(i)) and away_from_front(found.record(i)["azimuth"]) < 40]


def truth(
    spec: FigureSpec, layers: Sequence[str], ids: UInt8[ndarray, "h w"], record: dict[str, Any]
) -> dict[str, int]:
    """The right answer of every probe that this picture can be asked; -1 where it shows too little."""
    pixels = np.bincount(ids.ravel(), minlength=len(layers) + 1)
    seen = {name for number, name in enumerate(layers, 1) if pixels[number] >= LEAST}
    honest = spec.look in LOOKS
    out = dict.fromkeys(PROBES, -1)

    def put(path: str, value: str) -> None:
        out[path] = PROBES[path].index(value)

    put("look", spec.look)
    put("view", record["view"])
    put("crop", record["crop"])
    if honest:
        put("body.presentation", spec.body.presentation)
        if record["crop"] == "head" and away_from_front(record["azimuth"]) < FACING:
            put("face.expression", spec.face.expression)
        if "hair" in seen or spec.hair.style == "bald":
            put("hair.style", spec.hair.style)
    for slot in ("top", "outer", "bottom", "dress", "shoes"):
        worn = getattr(spec, slot)
        if worn is None:
            if record["crop"] == "body":
                put(f"{slot}.kind", NONE)
        elif slot in seen and (record["crop"] == "body" or slot in ("top", "outer")):
            put(f"{slot}.kind", worn.kind)
    return out


def slots(layers: Sequence[str], ids: UInt8[ndarray, "h w"], oval: Float[ndarray, "p 2"]) -> UInt8[ndarray, "h w"]:
    """Which of ``SLOTS`` each pixel is; a face is what lies in its oval, where there is one."""
    named = [SLOTS.index(name if name in SLOTS else "skin" if name in SKIN else "other") for name in layers]
    found = np.array([SLOTS.index("background"), *named], np.uint8)[ids]
    if np.isfinite(oval).all():
        found[_inside(oval, len(ids)) & (found != SLOTS.index("background"))] = SLOTS.index("face")
    return found


def _inside(oval: Float[ndarray, "p 2"], size: int) -> Bool[ndarray, "h w"]:
    mask = Image.new("1", (size, size))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in oval], fill=1)
    return np.asarray(mask)


def cells(found: UInt8[ndarray, "h w"]) -> Float[ndarray, "k 16 16"]:
    """The share of each of ``SLOTS`` in each cell."""
    size = len(found)
    rows = np.arange(size) * 16 // size
    places = (rows[:, None] * 16 + rows[None]) * len(SLOTS) + found
    counts = np.bincount(places.ravel(), minlength=16 * 16 * len(SLOTS)).reshape(16, 16, -1)
    return np.moveaxis(counts * np.float32((16 / size) ** 2), -1, 0).astype(np.float32)


def two_faced(
    found: Album, back: int, rng: np.random.Generator
) -> tuple[UInt8[ndarray, "h w 3"], Float[ndarray, "p 2"]]:
    """A head from behind with its own face, mirrored, painted where the nose would be; and the face's oval."""
    group = next(group for group in found.people if back in group)
    front = int(rng.choice(_fronts(found, group)))
    (s, place), (t, other) = found.where[back], found.where[front]
    picture, face = found.shards[s].one("rgb", place), found.shards[t].one("rgb", other)[:, ::-1]
    size = picture.shape[0]
    oval = found.shards[t].one("contours", other)[: CONTOUR_LENGTHS[0]] * [-1, 1] + [size, 0]
    nose = found.shards[t].one("keypoints", other)[0] * [-1, 1] + [size, 0]
    to = found.shards[s].one("keypoints", place)[0] + rng.normal(0, 2, 2)
    if not np.isfinite(oval).all():
        oval = nose + np.stack([np.cos(a := np.linspace(0, 6.28, 24)), 1.3 * np.sin(a)], 1) * 0.2 * size
    there = oval + (to - nose)
    mask = Image.fromarray(_inside(there, size).astype(np.uint8) * 255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(size / 64)), np.float32)[..., None] / 255
    dx, dy = np.round(to - nose).astype(int)
    moved = np.roll(face, (dy, dx), (0, 1))
    return (picture * (1 - soft) + moved * soft + 0.5).astype(np.uint8), there


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch: pictures, right answers, whose pictures they are (-1 for no one's), and whether a face is seen."""

    pictures: Float[Tensor, "b s s 3"]
    answers: dict[str, Int[Tensor, "b"]]
    who: Int[Tensor, "b"]
    face: Float[Tensor, "b"]
    """NaN where it is not asked."""
    where: Float[Tensor, "b k 16 16"]
    """Shares of ``SLOTS``."""


def lesson(found: Album, recipe: Judging, rng: np.random.Generator, changed: bool = True) -> Lesson:
    """People with some pictures each, partly in other colours, and backs of heads with and without a face."""
    pictures, answers, who, faces, where = [], [], [], [], []
    for number, person in enumerate(rng.permutation(len(found.people))[: recipe.people]):
        group = found.people[person]
        for index in map(int, rng.choice(group, min(recipe.each, len(group)), replace=False)):
            s, place = found.where[index]
            shard, record = found.shards[s], found.record(index)
            spec, layers = shard.specs[record["person"]], shard.people[record["person"]]["layers"]
            picture = shard.one("rgb", place)
            ids = shard.one("layer", place)
            oval = _oval(shard, place)
            if changed and rng.random() < 0.5 and (other := recoloured(shard, place, rng)) is not None:
                picture, _, spec = other
            if changed:
                picture, ids, oval = framed(picture, ids, oval, rng)
            right = truth(spec, layers, ids, record)
            turn = away_from_front(record["azimuth"])
            asked = _is_head(record) and (turn < FACING or turn > AWAY)
            pictures.append(picture)
            where.append(cells(slots(layers, ids, oval)))
            answers.append(right)
            who.append(number)
            faces.append(float(turn < FACING) if asked else np.nan)
    for number, back in enumerate(rng.choice(found.backs, 2 * recipe.fakes) if len(found.backs) else []):
        fake = number % 2 == 0
        s, place = found.where[back]
        shard = found.shards[s]
        picture, oval = two_faced(found, int(back), rng) if fake else (shard.one("rgb", place), np.full((1, 2), np.nan))
        layers = shard.people[found.record(int(back))["person"]]["layers"]
        pictures.append(picture)
        where.append(cells(slots(layers, shard.one("layer", place), oval)))
        answers.append(dict.fromkeys(PROBES, -1))
        who.append(-1)
        faces.append(float(fake))
    small = torch.from_numpy(smaller(np.stack(pictures), recipe.size)).float() / 255
    return Lesson(
        blurred(small, recipe.blurred if changed else 0.0, rng),
        {path: torch.tensor([each[path] for each in answers]) for path in PROBES},
        torch.tensor(who),
        torch.tensor(faces),
        torch.from_numpy(np.stack(where)),
    )


def framed(
    picture: UInt8[ndarray, "h w 3"], ids: UInt8[ndarray, "h w"], oval: Float[ndarray, "p 2"], rng: np.random.Generator
) -> tuple[UInt8[ndarray, "h w 3"], UInt8[ndarray, "h w"], Float[ndarray, "p 2"]]:
    """The same picture nearer, and for half of them in a mirror: so that few people are many."""
    size = len(picture)
    if rng.random() < 0.5:
        picture, ids, oval = picture[:, ::-1], ids[:, ::-1], oval * [-1, 1] + [size, 0]
    side = int(size * rng.uniform(0.8, 1.0))
    x, y = rng.integers(0, size - side + 1, 2)
    box = (int(x), int(y), int(x) + side, int(y) + side)

    def cut(array: ndarray, how: Image.Resampling) -> ndarray:
        return np.asarray(Image.fromarray(np.ascontiguousarray(array)).resize((size, size), how, box))

    near = (oval - [x, y]) * (size / side)
    return cut(picture, Image.Resampling.BILINEAR), cut(ids, Image.Resampling.NEAREST), near


def _oval(shard: Shard, place: int) -> Float[ndarray, "p 2"]:
    return shard.one("contours", place)[: CONTOUR_LENGTHS[0]]


def blurred(pictures: Float[Tensor, "b s s 3"], share: float, rng: np.random.Generator) -> Float[Tensor, "b s s 3"]:
    """The same, some as soft as what a young prior paints."""
    chosen = torch.from_numpy(rng.random(len(pictures)) < share)
    soft = F.interpolate(pictures[chosen].movedim(-1, 1), scale_factor=0.5, mode="area")
    soft = F.interpolate(soft, scale_factor=2.0, mode="bilinear").movedim(1, -1)
    return pictures.index_put((chosen,), soft)


def judging_loss(judge: Judge, given: Lesson, temperature: float) -> Tensor:
    """Cross entropies of what is asked and of what is where, supervised contrast of identities, and the face."""
    answers, who, face, where = judge(given.pictures)
    loss = torch.stack([
        F.cross_entropy(answers[path], right, ignore_index=-1)
        for path, right in given.answers.items() if (right >= 0).any()
    ]).sum()  # fmt: skip
    asked = given.face.isfinite()
    if asked.any():
        loss = loss + 2 * F.binary_cross_entropy_with_logits(face[asked], given.face[asked])
    known = given.who >= 0
    loss = loss + 16 * F.cross_entropy(where, given.where)
    return loss + 2 * contrast(who[known], given.who[known], temperature)


def contrast(embedded: Float[Tensor, "b d"], who: Int[Tensor, "b"], temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, Eq. 2)."""
    scores = embedded @ embedded.T / temperature
    itself = torch.eye(len(who), dtype=torch.bool, device=who.device)
    logs = F.log_softmax(scores.masked_fill(itself, -torch.inf), dim=1)
    same = (who[:, None] == who[None]) & ~itself
    counted = same.any(1)
    return -(logs.masked_fill(~same, 0.0).sum(1)[counted] / same.sum(1)[counted]).mean()


def train_judge(
    recipe: Judging,
    shards: Sequence[Shard],
    held: Sequence[Shard],
    folder: Path,
    pace: Pace,
    start: Start | None = None,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop; measures on people of neither the judge nor any prior."""
    torch.manual_seed(recipe.seed)
    judge = Judge(PROBES)
    optimizer = torch.optim.AdamW(judge.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.05)
    training = Training(folder, {"judge": judge}, optimizer, decay=0.995)
    training.load(start)
    own, strangers = album(shards), album(held)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        given = lesson(own, recipe, draws(recipe.seed, training.samples))
        with quick("cpu"):
            loss = judging_loss(judge, given, recipe.temperature)
        loss.backward()
        return len(given.pictures), {"loss": float(loss.detach()), "rate": rate}

    def look() -> dict[str, float]:
        network = training.averages["judge"]
        assert isinstance(network, Judge)
        return measured(network, strangers, recipe)

    yield from train(training, one_step, pace, look)
    return training


@torch.no_grad()
def measured(judge: Judge, strangers: Album, recipe: Judging, batches: int = 12) -> dict[str, float]:
    """Shares of right answers, the face probe's recall on fakes and false alarms on backs, and who is told apart."""
    right: dict[str, list[Bool[Tensor, "n"]]] = {path: [] for path in PROBES}
    same, other, recall, alarm, place = [], [], [], [], []
    for number in range(batches):
        given = lesson(strangers, recipe, draws(95, number), changed=False)
        answers, who, face, where = judge(given.pictures)
        place.append((where.argmax(1) == given.where.argmax(1)).float().mean())
        for path, truths in given.answers.items():
            right[path].append((answers[path].argmax(-1) == truths)[truths >= 0])
        known = given.who >= 0
        alike = who[known] @ who[known].T
        pairs = given.who[known][:, None] == given.who[known][None]
        above = torch.ones_like(pairs).triu(1)
        same.append(alike[pairs & above])
        other.append(alike[~pairs & above])
        recall.append(face[(given.who < 0) & (given.face == 1)] > 0)
        alarm.append(face[(given.who < 0) & (given.face == 0)] > 0)
    found = {f"held_{path}": float(torch.cat(parts).float().mean()) for path, parts in right.items() if len(parts)}
    stranger, twin = torch.cat(other), torch.cat(same)
    found["held_identity"] = float((twin[:2000, None] > stranger[None, :2000]).float().mean())
    found["held_second_face_recall"] = float(torch.cat(recall).float().mean())
    found["held_second_face_alarms"] = float(torch.cat(alarm).float().mean())
    found["held_where"] = float(torch.stack(place).mean())
    return found


def export_judge(judge: Judge, folder: Path) -> None:
    """Half-precision weights with the probes' names."""
    facts = json.dumps({"probes": judge.probes, "widths": judge.widths})
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "model.safetensors") as path:
        save_file(
            {name: tensor.half().contiguous() for name, tensor in judge.state_dict().items()}, path, {"judge": facts}
        )
