"""Whether a prior edits what it is told and nothing else: ``python -m bozzetto.evaluate.edits --out DIR``.

Pairs of pictures of people no training saw, equal but for one attribute, with the instruction between them. An edit
counts as made when, where the two true pictures differ, the prior's picture is nearer to the second than to the first;
what should stay is compared with the first, beside what the autoencoder alone loses. Finished batches are kept in DIR,
so that the same command goes on where it was stopped.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from bozzetto.evaluate.pictures import interval, painted
from bozzetto.figure.colours import delta_e_2000_lab, srgb_to_lab
from bozzetto.prior.denoiser import Prior
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance
from bozzetto.render.pictures import contact_sheet
from bozzetto.training.data import Shard, default_folder, shards, smaller

LEAST, SEEN = 12.0, 0.01
"""In CIEDE2000: what counts as different; and the share of the picture that must be, for the change to be seen."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture, an instruction, and the picture that should come of it."""

    instruction: str
    before: Float[ndarray, "s s 3"]
    after: Float[ndarray, "s s 3"]

    @property
    def differs(self) -> Bool[ndarray, "s s"]:
        """Where the instruction asks for something."""
        apart = delta_e_2000_lab(*(srgb_to_lab(each.astype(np.float64)) for each in (self.before, self.after)))
        return apart > LEAST


def pairs(found: Sequence[Shard], size: int, count: int) -> list[Pair]:
    """Edits that can be seen, at most two of a person."""
    out: list[Pair] = []
    for shard in found:
        taken = [0] * len(shard.people)
        for index, record in enumerate(shard.records):
            if "source" not in record or taken[record["person"]] == 2 or len(out) == count:
                continue
            before, after = (
                smaller(shard.one("rgb", place)[None], size)[0].astype(np.float32) / 255
                for place in (record["source"], index)
            )
            instruction = record["instructions"][index % len(record["instructions"])]
            pair = Pair(instruction, before, after)
            if pair.differs.mean() >= SEEN:
                taken[record["person"]] += 1
                out.append(pair)
    return out


def nearer(pair: Pair, made: Float[ndarray, "s s 3"]) -> bool:
    """Whether, where something is asked, a picture is more like what should come than like what was."""
    here = pair.differs
    colours = (srgb_to_lab(each[here].astype(np.float64)) for each in (made, pair.before, pair.after))
    mine, before, after = colours
    return bool(delta_e_2000_lab(mine, after).mean() < delta_e_2000_lab(mine, before).mean())


def kept(pair: Pair, made: Float[ndarray, "s s 3"]) -> float:
    """PSNR against the first picture, away from what was asked: dB."""
    rest = ~ndimage.binary_dilation(pair.differs, iterations=2)
    return float(-10 * np.log10(np.square(made[rest] - pair.before[rest]).mean() + 1e-9))


def edited(
    prior: Prior, work: Sequence[Pair], out: Path, guidance: Guidance, steps: int, seed: int
) -> Float[ndarray, "n s s 3"]:
    """What the prior makes of every pair; of each batch also a sheet: before, painted, and what should come."""
    instructions, source = [pair.instruction for pair in work], np.stack([pair.before for pair in work])
    made: list[Float[ndarray, "s s 3"]] = []
    for codes in painted(prior, instructions, ("source", source), out, guidance, steps, seed):
        first = len(made)
        made += list(codes.astype(np.float32) / 255)
        batch = work[first : len(made)]
        shown = [*(p.before for p in batch), *made[first:], *(p.after for p in batch)]
        tiles = [np.kron((each * 255 + 0.5).astype(np.uint8), np.ones((2, 2, 1), np.uint8)) for each in shown]
        contact_sheet(tiles, len(batch)).save(out / f"edits-{first:04d}.png")
    return np.stack(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--image-guidance", type=float, default=None, help="as in bozzetto imagine")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    prior = load(arguments.prior, needs=("control/source",))
    work = pairs(shards(arguments.data or default_folder(), "held"), prior.native_size, arguments.count)
    guidance = Guidance(arguments.guidance, arguments.image_guidance)
    made = edited(prior, work, arguments.out, guidance, arguments.steps, arguments.seed)
    with torch.no_grad():
        before = torch.from_numpy(np.stack([pair.before for pair in work]))
        through = prior.decode(prior.encode(before)).clamp(0, 1).numpy()
    right = sum(nearer(pair, picture) for pair, picture in zip(work, made, strict=True))
    low, high = interval(right, len(work))
    rest, best = (
        np.mean([kept(p, picture) for p, picture in zip(work, those, strict=True)]) for those in (made, through)
    )
    print(
        f"{100 * right / len(work):.0f} % of {len(work)} edits made ({100 * low:.0f} to {100 * high:.0f}); the rest "
        f"stays to {rest:.1f} dB (through the autoencoder alone {best:.1f})"
    )


if __name__ == "__main__":
    main()
