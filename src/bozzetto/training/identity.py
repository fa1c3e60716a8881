"""Training the identity encoder: pictures of one person together, those of others apart."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bozzetto.prior.identity import IdentityEncoder
from bozzetto.training.data import Shard, smaller
from bozzetto.training.judge import Album, album, contrast
from bozzetto.training.loop import Pace, Start, Training, draws, train
from bozzetto.training.recolour import recoloured


@dataclass(frozen=True)
class Identity:
    """The identity encoder's recipe."""

    size: int = 64
    people: int = 32
    """In a batch, with ``each`` pictures of each."""
    each: int = 3
    heads: float = 0.7
    """Share of people whose head is shown, where there are such pictures; of the others the whole body."""
    other_colours: float = 0.5
    """Share of pictures whose clothes and hair take other colours: they are not who someone is."""
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    tire_samples: int = 30_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    temperature: float = 0.1
    seed: int = 500


def gathering(
    found: Album, recipe: Identity, rng: np.random.Generator
) -> tuple[Float[Tensor, "b s s 3"], Int[Tensor, "b"]]:
    """Pictures of some people, and whose they are."""
    pictures, who = [], []
    for number, person in enumerate(rng.permutation(len(found.people))[: recipe.people]):
        crop = "head" if rng.random() < recipe.heads else "body"
        group = [i for i in found.people[person] if found.record(i)["crop"] == crop] or found.people[person]
        for index in map(int, rng.choice(group, min(recipe.each, len(group)), replace=False)):
            s, place = found.where[index]
            changed = recoloured(found.shards[s], place, rng) if rng.random() < recipe.other_colours else None
            pictures.append(changed[0] if changed else found.shards[s].one("rgb", place))
            who.append(number)
    return torch.from_numpy(smaller(np.stack(pictures), recipe.size)).float() / 255, torch.tensor(who)


def train_identity(
    recipe: Identity,
    shards: Sequence[Shard],
    held: Sequence[Shard],
    folder: Path,
    pace: Pace,
    start: Start | None = None,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop."""
    torch.manual_seed(recipe.seed)
    encoder = IdentityEncoder(recipe.size)
    optimizer = torch.optim.AdamW(encoder.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.05)
    training = Training(folder, {"identity": encoder}, optimizer, decay=0.995)
    training.load(start)
    own, strangers = album(shards), album(held)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        pictures, who = gathering(own, recipe, draws(recipe.seed, training.samples))
        loss = contrast(encoder(pictures), who, recipe.temperature)
        loss.backward()
        return len(who), {"loss": float(loss.detach()), "rate": rate}

    def look() -> dict[str, float]:
        return {"held_apart": apart(training.averages["identity"], strangers, recipe)}

    yield from train(training, one_step, pace, look)
    return training


@torch.no_grad()
def apart(encoder: torch.nn.Module, strangers: Album, recipe: Identity, batches: int = 8) -> float:
    """How often two pictures of one person are more alike than two of different people."""
    same, other = [], []
    for number in range(batches):
        pictures, who = gathering(strangers, recipe, draws(94, number))
        seen = encoder(pictures)
        pairs, above = who[:, None] == who[None], torch.ones(len(who), len(who)).triu(1).bool()
        alike = seen @ seen.T
        same.append(alike[pairs & above])
        other.append(alike[~pairs & above])
    twins, two = torch.cat(same), torch.cat(other)
    return float((twins[:2000, None] > two[None, :2000]).float().mean())
