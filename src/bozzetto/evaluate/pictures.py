"""Whether a prior paints what it is told: ``python -m bozzetto.evaluate.pictures --out DIR``.

Captions of people no training saw, drawn anew by the prior, with their normal map as control or from words alone. The
named colour of a garment is looked for where the garment truly is, in the picture's own pixels; so is the outline of
the figure, before its plain background. What pixels do not tell (garments, hair, look, view), the judge does: a network
that no prior has seen; its own share of right answers about true pictures stands beside. Finished batches are kept in
DIR, so that the same command goes on where it was stopped.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray
from safetensors.torch import load_file, save_file
from scipy import ndimage

from bozzetto.evaluate.judge import WEIGHTS, Judge, load_judge
from bozzetto.figure.captions import described
from bozzetto.figure.colours import apart_from_border, nearest_basic, passes_for, srgb_to_lab
from bozzetto.figure.spec import FigureSpec, attribute
from bozzetto.files import atomic_path
from bozzetto.prior.denoiser import Conditions, Prior
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.render.pictures import contact_sheet
from bozzetto.runs import sha256
from bozzetto.training.data import UNSEEN_IN_HEADS, Shard, default_folder, shards, smaller

SLOTS = ("top", "bottom")
PROBES = ("top.kind", "bottom.kind", "look")
HEAD_PROBES = ("hair.style", "look")
"""What is asked of heads; of a whole body at 64 px nobody knows the hair."""
ROUGHLY: dict[str, tuple[tuple[str, ...], ...]] = {
    "top.kind": (("shirt", "blouse", "sweater", "turtleneck", "hoodie"),),
    "hair.style": (
        ("short", "buzz", "side part", "slicked back", "spiky", "pixie"),
        ("long straight", "long wavy", "bob", "shoulder"),
    ),
}
"""Kinds that 64 pixels hardly tell apart, such as all tops with long sleeves."""
SEEN = 15
"""Pixels of a garment that make it seen."""
BATCH = 20


@dataclass(frozen=True, eq=False)
class Task:
    """A caption that names two colours, and where they belong."""

    caption: str
    spec: FigureSpec
    normal: Float[ndarray, "s s 3"]
    masks: dict[str, Bool[ndarray, "s s"]]
    """Of the garments whose colour is asked; none where the look changes colours."""
    figure: Bool[ndarray, "s s"] | None
    """Its outline; None of heads, which the frame cuts."""
    asked: dict[str, str]
    """What the judge must see, by probe."""
    picture: Float[ndarray, "s s 3"]
    """The true one."""


@dataclass(frozen=True)
class Row:
    """What became of one caption."""

    caption: str
    asked: dict[str, str]
    """By slot: the basic colour nearest to the named one; by probe: what the caption says."""
    seen: dict[str, str]
    """By slot: the basic colour that the painted one passes for; by probe: what the judge sees."""
    overlap: float
    """Intersection over union of the figure's outline with the true one; NaN of heads."""


def tasks(found: Sequence[Shard], size: int, count: int) -> list[Task]:
    """Pictures of people to paint anew: half of them bodies whose top and bottom have named colours, both to be seen, a
    quarter bodies in other looks, a quarter heads.

    All in flat light, as the captions say: what a true picture shows is then the named colour itself.
    """
    rooms = {"colours": count - 2 * (count // 4), "looks": count // 4, "heads": count // 4}
    chosen: dict[str, list[Task]] = {kind: [] for kind in rooms}
    for shard in found:
        taken: Counter[tuple[str, int]] = Counter()
        layers, normals, pictures = (shard[name] for name in ("layer", "normal", "rgb"))
        normals, pictures = smaller(normals, size), smaller(pictures, size)
        step = layers.shape[1] // size
        for index, record in enumerate(shard.records):
            number, spec = record["person"], shard.specs[record["person"]]
            head = record["crop"] == "head"
            kind = "heads" if head else "colours" if spec.look == "realistic" else "looks"
            named = {"colours": {f"{slot}.colour" for slot in SLOTS}, "looks": {"look"}, "heads": {"hair.style"}}[kind]
            if not record["flat"] or taken[kind, number] == 3 or len(chosen[kind]) == rooms[kind]:
                continue
            if head and (spec.look != "realistic" or record["elevation"] > 45):
                continue
            layer = layers[index]
            masks = {}
            if kind == "colours":
                masks = _plain(spec, layer, shard.people[number]["layers"], size)
                if len(masks) < len(SLOTS):
                    continue
            fitting = [each for each in described(spec, index, 24) if named <= set(each.mentioned)]
            said = min(fitting, key=lambda each: head and _unseen(each.mentioned), default=None)
            if said is None:
                continue
            taken[kind, number] += 1
            crop = "head portrait" if head else "full body"
            caption = f"{said.text.rstrip('.')}, {record['view']}, {crop}, flat light"
            worn = dict(enumerate(shard.people[number]["layers"], 1))
            areas = np.bincount(layer.ravel()) / step**2
            shown = {worn[i] for i, pixels in enumerate(areas) if i and pixels >= SEEN} | {"look"}
            probes = [path for path in (HEAD_PROBES if head else PROBES) if path in said.mentioned]
            asked = {path: attribute(spec, path) for path in probes if path.split(".")[0] in shown}
            normal, picture = (each[index].astype(np.float32) / 255 for each in (normals, pictures))
            figure = None if head else mostly(layer > 0, size)
            chosen[kind].append(Task(caption, spec, normal, masks, figure, asked | {"view": record["view"]}, picture))
    return [task for each in chosen.values() for task in each]


def _unseen(mentioned: Iterable[str]) -> int:
    return sum(path.startswith(UNSEEN_IN_HEADS) for path in mentioned)


def mostly(mask: Bool[ndarray, "h w"], size: int) -> Bool[ndarray, "s s"]:
    """The same in fewer pixels: those that it fills to a half."""
    step = len(mask) // size
    return mask.reshape(size, step, size, step).mean((1, 3)) >= 0.5


def _plain(
    spec: FigureSpec, layer: UInt8[ndarray, "h w"], names: Sequence[str], size: int
) -> dict[str, Bool[ndarray, "s s"]]:
    """Where garments of one colour are, well inside; only those that can be seen."""
    masks = {
        slot: ndimage.binary_erosion(mostly(layer == names.index(slot) + 1, size))
        for slot in SLOTS
        if slot in names and getattr(spec, slot).pattern == "plain"
    }
    return {slot: mask for slot, mask in masks.items() if mask.sum() >= 12}


def outline(picture: Float[ndarray, "s s 3"]) -> Bool[ndarray, "s s"]:
    """Where a picture is not its background: what differs from the border's median by more than 8 in CIEDE2000."""
    return ndimage.binary_opening(apart_from_border(picture) > 8, np.ones((2, 2)))


def look_at(tasks: Sequence[Task], pictures: Float[ndarray, "n s s 3"], judge: Judge | None) -> list[Row]:
    """Colours of pictures where the garments truly are, outlines, and what the judge, if there is one, sees in them."""
    shown = torch.from_numpy(np.ascontiguousarray(pictures)).float()
    answers = {path: judge.says(shown, path) for path in (*PROBES, "hair.style", "view")} if judge else {}
    rows = []
    for number, (task, picture) in enumerate(zip(tasks, pictures, strict=True)):
        named = {slot: srgb_to_lab(np.array(getattr(task.spec, slot).colour.srgb)) for slot in task.masks}
        asked = {slot: nearest_basic(lab) for slot, lab in named.items()}
        seen = {
            slot: passes_for(srgb_to_lab(np.median(picture[mask], 0).astype(np.float64)), named[slot])
            for slot, mask in task.masks.items()
        }
        found, overlap = outline(picture), np.nan
        if task.figure is not None:
            overlap = (found & task.figure).sum() / max((found | task.figure).sum(), 1)
        judged = {path: said for path, said in task.asked.items() if path in answers}
        seen |= {path: answers[path][number] for path in judged}
        rows.append(Row(task.caption, asked | judged, seen, float(overlap)))
    return rows


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, right / of
    middle, half = share + z * z / (2 * of), z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def measure(
    prior: Prior,
    judge: Judge | None,
    work: Sequence[Task],
    out: Path,
    control: bool,
    guidance: Guidance,
    steps: int,
    seed: int,
) -> tuple[list[Row], Float[ndarray, "n s s 3"]]:
    """Paints and judges every task, a batch a file; the rows and the pictures."""
    rows: list[Row] = []
    made = []
    shown = ("normal", np.stack([task.normal for task in work])) if control else None
    for codes in painted(prior, [task.caption for task in work], shown, out, guidance, steps, seed):
        pictures = codes.astype(np.float32) / 255
        rows += look_at(work[len(rows) : len(rows) + len(pictures)], pictures, judge)
        made.append(pictures)
        print(f"{len(rows)} captions, {'normal control' if control else 'words alone'}: {told(rows)}", flush=True)
    return rows, np.concatenate(made)


def painted(
    prior: Prior,
    captions: Sequence[str],
    shown: tuple[str, Float[ndarray, "n s s 3"]] | None,
    out: Path,
    guidance: Guidance,
    steps: int,
    seed: int,
) -> Iterator[UInt8[ndarray, "b s s 3"]]:
    """The prior's pictures of the captions, a batch a file with a sheet beside it; finished ones are read back.

    Args:
        prior: Paints.
        captions: One a picture.
        shown: A control by name, and its pictures.
        out: Folder of the files; which weights and settings made them of what is in their names.
        guidance: How far the words are followed.
        steps: Of sampling.
        seed: Of the noise.
    """
    kind = "words" if shown is None else shown[0]
    hashes = "".join(sha256(path) for _, path in sorted(prior.weights.items()))
    weights = hashlib.sha256(hashes.encode()).hexdigest()[:8]
    for first in range(0, len(captions), BATCH):
        batch = list(captions[first : first + BATCH])
        extras = (("i", guidance.image_scale), ("r", guidance.rescale))
        following = f"{guidance.scale:g}" + "".join(f"{name}{value:g}" for name, value in extras if value is not None)
        controls = None if shown is None else np.ascontiguousarray(shown[1][first : first + BATCH])
        asked = hashlib.sha256("\n".join(batch).encode() + (b"" if controls is None else controls.tobytes()))
        stem = f"{kind}-{weights}-{following}-{steps}-{seed}-{first:04d}-{asked.hexdigest()[:8]}"
        path = out / f"{stem}.safetensors"
        if not path.exists():
            made = imagine(
                prior, batch, steps=steps, guidance=guidance,
                conditions=None if controls is None else Conditions({kind: torch.from_numpy(controls)}),
                generator=torch.Generator().manual_seed(seed + first),
            ).clamp(0, 1)  # fmt: skip
            codes = (made * 255 + 0.5).byte().cpu().contiguous()
            tiles = [np.kron(picture, np.ones((2, 2, 1), np.uint8)) for picture in codes.numpy()]
            contact_sheet(tiles, 10).save(path.with_suffix(".png"))
            with atomic_path(path) as partial:
                save_file({"pictures": codes}, partial)
        yield load_file(path)["pictures"].numpy()


def through(prior: Prior, pictures: Float32[ndarray, "n s s 3"]) -> Float32[ndarray, "n s s 3"]:
    """What the prior's autoencoder leaves of pictures; what it paints has passed through the same decoder."""
    with torch.no_grad():
        batches = torch.from_numpy(pictures).to(prior.device).split(BATCH)
        made = [prior.decode(prior.encode(batch)).float().cpu() for batch in batches]
    return torch.cat(made).numpy()


def told(rows: Sequence[Row]) -> str:
    """Shares of right answers with their 95 % intervals, and the mean overlap of outlines."""
    parts = []
    for path in (*SLOTS, *PROBES, "hair.style", "view"):
        pairs = [(row.asked[path], row.seen[path]) for row in rows if path in row.asked]
        if pairs:
            right = sum(one == two for one, two in pairs)
            low, high = interval(right, len(pairs))
            part = f"{path} {100 * right / len(pairs):.0f} % of {len(pairs)} ({100 * low:.0f} to {100 * high:.0f})"
            if path in ROUGHLY:
                near = sum(one == two or any({one, two} <= {*alike} for alike in ROUGHLY[path]) for one, two in pairs)
                part += f", roughly {100 * near / len(pairs):.0f} %"
            parts.append(part)
    return ", ".join([*parts, f"outline {np.nanmean([row.overlap for row in rows]):.3f}"])


def of_the_readable(rows: Sequence[Row], true: Sequence[Row]) -> str:
    """The judge's shares of right answers where it is right about the true picture: what is left of its own errors."""
    parts = []
    for path in (*PROBES, "hair.style", "view"):
        sure = [row for row, real in zip(rows, true, strict=True) if real.seen.get(path, "") == real.asked.get(path)]
        if sure:
            right = sum(row.seen[path] == row.asked[path] for row in sure)
            parts.append(f"{path} {100 * right / len(sure):.0f} % of {len(sure)}")
    return ", ".join(parts)


def kernel_distance(
    a: Float[ndarray, "n d"], b: Float[ndarray, "m d"], rng: np.random.Generator, draws: int = 200
) -> tuple[float, float, float]:
    """KID (Binkowski et al. 2018, arXiv:1801.01401, Eq. 4) of two sets of features, with a 95 % bootstrap interval."""

    def once(a: ndarray, b: ndarray) -> float:
        kernel = [(x @ y.T / x.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))]
        within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernel[:2]]
        return float(sum(within) - 2 * kernel[2].mean())

    half = max(2, min(len(a), len(b)) // 2)
    found = [once(*(x[rng.choice(len(x), half, replace=False)] for x in (a, b))) for _ in range(draws)]
    low, high = np.quantile(found, (0.025, 0.975))
    return once(a, b), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--control", choices=["normal", "none"], default="normal")
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--rescale", type=float, default=None, help="as in bozzetto imagine")
    parser.add_argument("--image-guidance", type=float, default=None, help="as in bozzetto imagine")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prior = load(arguments.prior)
    judge = load_judge() if (WEIGHTS / "model.safetensors").is_file() else None
    if judge is None:
        print("There is no judge yet (bozzetto train-prior --part judge): colours and outlines only.")
    work = tasks(shards(arguments.data or default_folder(), "held"), prior.native_size, arguments.count)
    true = np.stack([task.picture for task in work])
    known = look_at(work, true, judge)
    print(f"What the measure says of the true pictures: {told(known)}", flush=True)
    copied = look_at(work, through(prior, true), judge)
    print(f"And of the same once encoded and decoded: {told(copied)}", flush=True)
    control, guidance = (
        arguments.control == "normal",
        Guidance(arguments.guidance, arguments.image_guidance, arguments.rescale),
    )
    rows, made = measure(prior, judge, work, arguments.out, control, guidance, arguments.steps, arguments.seed)
    if judge is not None:
        print(f"Where the judge reads the true picture right: {of_the_readable(rows, known)}", flush=True)
        with torch.no_grad():
            real, fake = (judge.features(torch.from_numpy(each).float()).numpy() for each in (true, made))
        rng = np.random.default_rng(0)
        order = rng.permutation(len(real))
        for name, a, b in (("painted", real, fake), ("true", real[order[::2]], real[order[1::2]])):
            value, low, high = kernel_distance(a, b, rng)
            print(f"KID of {name} against true pictures: {value:.4f} ({low:.4f} to {high:.4f} by halves)", flush=True)


if __name__ == "__main__":
    main()
