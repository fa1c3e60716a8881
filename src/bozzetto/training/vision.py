"""Training a vision tower against the finished text encoder, so that pictures and words can be compared.

The tower and two projections learn; the words' features stay what the U-Net knows (Radford et al. 2021,
arXiv:2103.00020, from the other side). Captions of one person fit several pictures of a batch only if the person is in
it twice, so a batch draws people, then one picture of each.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from bozzetto.prior.score import CLIP_MEAN, CLIP_STD
from bozzetto.training.diffusion import Store, captions_of
from bozzetto.training.loop import Pace, Start, Training, draws, train
from bozzetto.training.text import at_end

PATCH = 8


@dataclass(frozen=True)
class Vision:
    """The vision tower's recipe."""

    width: int = 128
    layers: int = 4
    projection: int = 128
    batch: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    seed: int = 0


class Towers(nn.Module):
    """What is learned: the tower, the words' projection and the temperature."""

    def __init__(self, recipe: Vision, size: int, text_width: int) -> None:
        super().__init__()
        torch.manual_seed(recipe.seed + 3)
        self.vision = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=recipe.width,
                intermediate_size=4 * recipe.width,
                num_hidden_layers=recipe.layers,
                num_attention_heads=recipe.width // 32,
                image_size=size,
                patch_size=PATCH,
                projection_dim=recipe.projection,
            )
        )
        self.words = nn.Linear(text_width, recipe.projection, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def forward(self, pictures: Float[Tensor, "b 3 h w"], pooled: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
        """How well each picture (row) fits each text, times the temperature."""
        seen = F.normalize(self.vision(pixel_values=pictures).image_embeds, dim=-1)
        said = F.normalize(self.words(pooled), dim=-1)
        return self.log_scale.exp().clamp(max=100) * seen @ said.T


def pixels(data: Store, indices: Int[ndarray, "b"]) -> Float[Tensor, "b 3 h w"]:
    """Pictures as CLIP's towers expect them."""
    pictures = torch.from_numpy(data.pictures[indices]).movedim(-1, 1).float() / 255
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (pictures - mean) / std


@torch.no_grad()
def pooled(text: CLIPTextModel, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b d"]:
    """The features at each text's end."""
    return at_end(text, ids, text(ids).last_hidden_state)


def people_of(data: Store) -> list[Int[ndarray, "n"]]:
    """The pictures of each person."""
    groups: dict[tuple[str, int], list[int]] = {}
    for index, (shard, _) in enumerate(data.shards):
        groups.setdefault((shard.path.name, int(data.records[index].get("person", 0))), []).append(index)
    return [np.array(group) for group in groups.values()]


def train_vision(
    recipe: Vision,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    data: Store,
    held: Store,
    folder: Path,
    pace: Pace,
    device: str = "cpu",
    start: Start | None = None,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop."""
    nn.Module.to(text, device)
    text.eval().requires_grad_(False)
    towers = Towers(recipe, data.pictures.shape[1], text.config.hidden_size).to(device)
    optimizer = torch.optim.AdamW(towers.parameters(), recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    training = Training(folder, {"towers": towers}, optimizer, decay=0.995)
    training.load(start)
    people, strangers = people_of(data), people_of(held)

    def matches(
        towers: nn.Module, source: Store, groups: list[Int[ndarray, "_"]], rng: np.random.Generator
    ) -> Float[Tensor, "b b"]:
        chosen = rng.permutation(len(groups))[: recipe.batch]
        indices = np.array([rng.choice(groups[index]) for index in chosen])
        ids = captions_of([source.records[index] for index in indices], tokenizer, 0.0, rng).to(device)
        return towers(pixels(source, indices).to(device), pooled(text, ids))

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        training.set_rate(recipe.learning_rate, recipe.warmup_steps)
        scores = matches(towers, data, people, draws(recipe.seed, 23, training.samples))
        wanted = torch.arange(len(scores), device=device)
        loss = (F.cross_entropy(scores, wanted) + F.cross_entropy(scores.T, wanted)) / 2
        loss.backward()
        return len(scores), {"loss": float(loss.detach()), "right": float((scores.argmax(1) == wanted).float().mean())}

    def look() -> dict[str, float]:
        right, chance = [], []
        with torch.no_grad():
            for number in range(8):
                scores = matches(training.averages["towers"], held, strangers, draws(97, number))
                wanted = torch.arange(len(scores), device=device)
                right.append(float((scores.argmax(1) == wanted).float().mean()))
                chance.append(1 / len(scores))
        return {"held_right": float(np.mean(right)), "held_chance": float(np.mean(chance))}

    yield from train(training, one_step, pace, look)
    return training
