"""Whether a prior paints what it is told: ``python -m bozzetto.evaluate.pictures --out DIR``.

Captions of people no training saw, drawn anew by the prior, with their normal map as control or from words alone. The
named colour of a garment is looked for where the garment truly is, in the picture's own pixels: no network judges
another. Finished batches are kept in DIR, so that the same command goes on where it was stopped.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from bozzetto.figure.captions import described
from bozzetto.figure.colours import nearest_basic, srgb_to_lab
from bozzetto.figure.spec import FigureSpec, from_json
from bozzetto.files import atomic_path
from bozzetto.prior.denoiser import Conditions, Prior
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.render.pictures import contact_sheet
from bozzetto.training.data import Shard, default_folder, shards, smaller

SLOTS = ("top", "bottom")
BATCH = 20


@dataclass(frozen=True, eq=False)
class Task:
    """A caption that names two colours, and where they belong."""

    caption: str
    spec: FigureSpec
    normal: Float[ndarray, "s s 3"]
    masks: dict[str, Bool[ndarray, "s s"]]


@dataclass(frozen=True)
class Row:
    """What became of one caption."""

    caption: str
    asked: dict[str, str]
    """By slot: the basic colour nearest to the named one."""
    seen: dict[str, str]


def tasks(found: Sequence[Shard], size: int, count: int) -> list[Task]:
    """Full-body pictures whose caption names a top's and a bottom's colour, both of them to be seen."""
    out: list[Task] = []
    for shard in found:
        taken = [0] * len(shard.people)
        layers, normals = shard["layer"], smaller(shard["normal"], size)
        step = layers.shape[1] // size
        for index, record in enumerate(shard.records):
            if record["crop"] != "body" or len(out) == count or taken[record["person"]] == 3:
                continue
            person = shard.people[record["person"]]
            spec = from_json(json.dumps(person["spec"]))
            layer = layers[index, step // 2 :: step, step // 2 :: step]
            masks = {
                slot: ndimage.binary_erosion(layer == person["layers"].index(slot) + 1)
                for slot in SLOTS
                if slot in person["layers"]
            }
            if len(masks) < 2 or min(mask.sum() for mask in masks.values()) < 12 or spec.look != "realistic":
                continue
            named = {"top.colour", "bottom.colour"}
            said = [each.text for each in described(spec, index, 24) if named <= set(each.mentioned)]
            if said and all(getattr(spec, slot).pattern == "plain" for slot in SLOTS):
                caption = f"{said[0].rstrip('.')}, {record['view']}, full body, flat light"
                taken[record["person"]] += 1
                out.append(Task(caption, spec, normals[index].astype(np.float32) / 255, masks))
    return out


def judge(task: Task, picture: Float[ndarray, "s s 3"]) -> Row:
    """The colours of a picture where the garments truly are."""
    asked, seen = {}, {}
    for slot, mask in task.masks.items():
        asked[slot] = nearest_basic(srgb_to_lab(np.array(getattr(task.spec, slot).colour.srgb)))
        seen[slot] = nearest_basic(srgb_to_lab(np.median(picture[mask], 0).astype(np.float64)))
    return Row(task.caption, asked, seen)


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, right / of
    middle, half = share + z * z / (2 * of), z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def measure(
    prior: Prior, work: Sequence[Task], out: Path, control: bool, scale: float, steps: int, seed: int
) -> list[Row]:
    """Paints and judges every task, a batch a file."""
    rows: list[Row] = []
    for first in range(0, len(work), BATCH):
        batch = work[first : first + BATCH]
        path = out / f"{'normal' if control else 'words'}-{first:04d}.json"
        if not path.exists():
            normals = torch.from_numpy(np.stack([task.normal for task in batch]))
            made = imagine(
                prior, [task.caption for task in batch], steps=steps, guidance=Guidance(scale),
                conditions=Conditions({"normal": normals}) if control else None,
                generator=torch.Generator().manual_seed(seed + first),
            ).clamp(0, 1).numpy()  # fmt: skip
            judged = [asdict(judge(task, picture)) for task, picture in zip(batch, made, strict=True)]
            tiles = [np.kron((picture * 255 + 0.5).astype(np.uint8), np.ones((2, 2, 1), np.uint8)) for picture in made]
            contact_sheet(tiles, 10).save(path.with_suffix(".png"))
            with atomic_path(path) as partial:
                partial.write_text(json.dumps(judged, indent=1))
        rows += [Row(**row) for row in json.loads(path.read_text())]
        say(rows, control)
    return rows


def say(rows: Sequence[Row], control: bool) -> None:
    parts = []
    for slot in SLOTS:
        right = sum(row.asked[slot] == row.seen[slot] for row in rows)
        low, high = interval(right, len(rows))
        parts.append(f"{slot} {100 * right / len(rows):.0f} % ({100 * low:.0f} to {100 * high:.0f})")
    print(f"{len(rows)} captions, {'normal control' if control else 'words alone'}: {', '.join(parts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--control", choices=["normal", "none"], default="normal")
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prior = load(arguments.prior)
    work = tasks(shards(arguments.data or default_folder(), "held"), prior.native_size, arguments.count)
    truth = [judge(task, _painted(task)) for task in work]
    print("What the measure says of plain paint:", end=" ")
    say(truth, arguments.control == "normal")
    control = arguments.control == "normal"
    measure(prior, work, arguments.out, control, arguments.guidance, arguments.steps, arguments.seed)


def _painted(task: Task) -> Float[ndarray, "s s 3"]:
    """The asked colours and nothing else: what the measure must find right."""
    picture = np.full(task.normal.shape, 0.5, np.float32)
    for slot, mask in task.masks.items():
        picture[mask] = getattr(task.spec, slot).colour.srgb
    return picture


if __name__ == "__main__":
    main()
