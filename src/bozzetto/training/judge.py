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

from bozzetto.evaluate.judge import Judge
from bozzetto.figure.colours import nearest_basic, srgb_to_lab
from bozzetto.figure.spec import FigureSpec
from bozzetto.files import atomic_path
from bozzetto.render.cameras import away_from_front
from bozzetto.training.data import CONTOUR_LENGTHS, Shard, smaller
from bozzetto.training.loop import Pace, Training, draws, train
from bozzetto.training.reading import CHOICES
from bozzetto.training.recolour import LOOKS, recoloured

NONE = "none of these"
PROBES: dict[str, tuple[str, ...]] = {
    path: (NONE, *CHOICES[path])
    for path in (
        "body.presentation", "face.expression", "hair.style", "look", "view", "crop", "top.kind", "outer.kind",
        "bottom.kind", "dress.kind", "shoes.kind", "hair.colour", "top.colour", "outer.colour", "bottom.colour",
        "dress.colour",
    )
}  # fmt: skip
LEAST = 60
"""Pixels of a layer, at 128 px, that make it seen."""
FACING, AWAY = 60.0, 125.0
"""Degrees of azimuth up to which a face is seen for certain, and from which on there is none."""


@dataclass(frozen=True)
class Judging:
    """The judge's recipe."""

    size: int = 64
    people: int = 24
    """In a batch, with ``each`` pictures of each."""
    each: int = 4
    fakes: int = 12
    """Backs of heads in a batch that get a face, and as many that stay as they are."""
    learning_rate: float = 1.5e-3
    warmup_steps: int = 50
    tire_samples: int = 60_000
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
        if "hair" in seen:
            put("hair.colour", nearest_basic(srgb_to_lab(np.array(spec.hair.colour.srgb))))
    for slot in ("top", "outer", "bottom", "dress", "shoes"):
        worn = getattr(spec, slot)
        if worn is None:
            if record["crop"] == "body":
                put(f"{slot}.kind", NONE)
        elif slot in seen and (record["crop"] == "body" or slot in ("top", "outer")):
            put(f"{slot}.kind", worn.kind)
            if slot != "shoes" and honest and worn.pattern == "plain":
                put(f"{slot}.colour", nearest_basic(srgb_to_lab(np.array(worn.colour.srgb))))
    return out


def two_faced(found: Album, back: int, rng: np.random.Generator) -> UInt8[ndarray, "h w 3"]:
    """A head from behind with its own face, mirrored, painted where the nose would be."""
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
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in oval + (to - nose)], fill=255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(size / 64)), np.float32)[..., None] / 255
    dx, dy = np.round(to - nose).astype(int)
    moved = np.roll(face, (dy, dx), (0, 1))
    return (picture * (1 - soft) + moved * soft + 0.5).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A batch: pictures, right answers, whose pictures they are (-1 for no one's), and whether a face is seen."""

    pictures: Float[Tensor, "b s s 3"]
    answers: dict[str, Int[Tensor, "b"]]
    who: Int[Tensor, "b"]
    face: Float[Tensor, "b"]
    """NaN where it is not asked."""


def lesson(found: Album, recipe: Judging, rng: np.random.Generator, changed: bool = True) -> Lesson:
    """People with some pictures each, partly in other colours, and backs of heads with and without a face."""
    pictures, answers, who, faces = [], [], [], []
    for number, person in enumerate(rng.permutation(len(found.people))[: recipe.people]):
        group = found.people[person]
        for index in map(int, rng.choice(group, min(recipe.each, len(group)), replace=False)):
            s, place = found.where[index]
            shard, record = found.shards[s], found.record(index)
            spec, layers = shard.specs[record["person"]], shard.people[record["person"]]["layers"]
            picture = shard.one("rgb", place)
            ids = shard.one("layer", place)
            if changed and rng.random() < 0.5 and (other := recoloured(shard, place, rng)) is not None:
                picture, _, spec = other
            right = truth(spec, layers, ids, record)
            turn = away_from_front(record["azimuth"])
            asked = _is_head(record) and (turn < FACING or turn > AWAY)
            pictures.append(picture)
            answers.append(right)
            who.append(number)
            faces.append(float(turn < FACING) if asked else np.nan)
    for number, back in enumerate(rng.choice(found.backs, 2 * recipe.fakes) if len(found.backs) else []):
        fake = number % 2 == 0
        s, place = found.where[back]
        pictures.append(two_faced(found, int(back), rng) if fake else found.shards[s].one("rgb", place))
        answers.append(dict.fromkeys(PROBES, -1))
        who.append(-1)
        faces.append(float(fake))
    small = smaller(np.stack(pictures), recipe.size)
    return Lesson(
        torch.from_numpy(small).float() / 255,
        {path: torch.tensor([each[path] for each in answers]) for path in PROBES},
        torch.tensor(who),
        torch.tensor(faces),
    )


def judging_loss(judge: Judge, given: Lesson, temperature: float) -> Tensor:
    """Cross entropies of what is asked, supervised contrast of identities, and the face."""
    answers, who, face = judge(given.pictures)
    loss = torch.stack([
        F.cross_entropy(answers[path], right, ignore_index=-1)
        for path, right in given.answers.items() if (right >= 0).any()
    ]).sum()  # fmt: skip
    asked = given.face.isfinite()
    if asked.any():
        loss = loss + 2 * F.binary_cross_entropy_with_logits(face[asked], given.face[asked])
    known = given.who >= 0
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
    recipe: Judging, shards: Sequence[Shard], held: Sequence[Shard], folder: Path, pace: Pace
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop; measures on people of neither the judge nor any prior."""
    torch.manual_seed(recipe.seed)
    judge = Judge(PROBES)
    optimizer = torch.optim.AdamW(judge.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.05)
    training = Training(folder, {"judge": judge}, optimizer, decay=0.995)
    training.load()
    own, strangers = album(shards), album(held)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup_steps)
        rate *= min(1.0, (recipe.tire_samples / max(training.samples, 1)) ** 0.5)
        for group in optimizer.param_groups:
            group["lr"] = rate
        given = lesson(own, recipe, draws(recipe.seed, step))
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
    same, other, recall, alarm = [], [], [], []
    for number in range(batches):
        given = lesson(strangers, recipe, draws(95, number), changed=False)
        answers, who, face = judge(given.pictures)
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
    return found


def export_judge(judge: Judge, folder: Path) -> None:
    """Half-precision weights with the probes' names."""
    facts = json.dumps({"probes": judge.probes, "widths": judge.widths})
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "model.safetensors") as path:
        save_file(
            {name: tensor.half().contiguous() for name, tensor in judge.state_dict().items()}, path, {"judge": facts}
        )
