"""Training the text encoder on words alone: to know what a caption says before any picture is seen.

Captions of figures come with what they mention, so what a sentence means can be taught directly, at a hundredth of the
price of learning it through noise: each attribute is read from the features by an attention query of its own, as the
U-Net will read them, and once more from the feature at the caption's end, as whoever compares pictures with words will.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTokenizer

from bozzetto.figure import spec as names
from bozzetto.figure.captions import described
from bozzetto.figure.colours import BASIC, nearest_basic, srgb_to_lab
from bozzetto.figure.people import SLOTS as KINDS
from bozzetto.figure.spec import Colour, FigureSpec, attribute
from bozzetto.training.data import CROP_WORDS, FLAT_WORDS, person_spec, phrase
from bozzetto.training.loop import Pace, Training, draws, train
from bozzetto.training.text import at_end, new_text, tokens

SLOTS = ("top", "outer", "bottom", "dress", "shoes")
PATTERNED = ("top", "outer", "bottom", "dress")
VIEWS = ("front view", "side view", "back view", "overhead view")
CHOICES: dict[str, tuple[str, ...]] = {
    "body.presentation": get_args(names.Presentation),
    "face.shape": get_args(names.FaceShape),
    "face.beard": get_args(names.BeardStyle),
    "face.expression": get_args(names.Expression),
    "hair.style": get_args(names.HairStyle),
    "look": get_args(names.Look),
    "view": VIEWS,
    "crop": tuple(CROP_WORDS),
    "flat": ("True",),
    **{f"{slot}.kind": KINDS[slot] for slot in SLOTS},
    **{f"{slot}.pattern": get_args(names.PatternKind) for slot in PATTERNED},
    **{f"extras.{kind}.kind": (kind,) for kind in get_args(names.ExtraKind)},
}
"""What a caption may say, by dotted path, in so many ways; beside them each can be left unsaid."""
COLOURS = (
    "hair.colour", "face.skin", "face.eyes", "face.lipstick",
    *(f"{slot}.colour" for slot in SLOTS), *(f"{slot}.second" for slot in PATTERNED),
)  # fmt: skip
NUMBERS = ("body.age",)
CHOICES |= {path: BASIC for path in COLOURS}
"""Of colours also the nearest basic one: names of one kind first, then what sets them apart."""


@dataclass(frozen=True)
class Reading:
    """The recipe of the text encoder."""

    width: int = 192
    layers: int = 4
    people: int = 4000
    batch: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    tire_samples: int = 30_000
    """From here on the learning rate falls with the square root of the captions seen."""
    seed: int = 0


@dataclass(frozen=True)
class Said:
    """A caption and what it says: of each choice which (0 for unsaid), and of colours and numbers how much."""

    text: str
    choices: Int[ndarray, "c"]
    values: Float[ndarray, "v"]
    """Lab over 100 of each colour, then years over 100; NaN where unsaid."""


def said(spec: FigureSpec, rng: np.random.Generator) -> Said:
    """A new caption of a person; one in twenty says nothing."""
    caption = described(spec, int(rng.integers(2**62)), 1)[0]
    record = {
        "captions": [caption.text], "view": str(rng.choice(VIEWS)), "crop": str(rng.choice(list(CROP_WORDS))),
        "flat": bool(rng.random() < 0.3),
    }  # fmt: skip
    choices = np.zeros(len(CHOICES), np.int64)
    values = np.full(3 * len(COLOURS) + len(NUMBERS), np.nan, np.float32)
    if rng.random() < 0.05:
        return Said("", choices, values)
    text = phrase(record, rng)
    mentioned = {*caption.mentioned, *_shown(record, text)}
    for place, (path, options) in enumerate(CHOICES.items()):
        if path in mentioned:
            value = options[0] if path.startswith("extras.") else str(record.get(path) or attribute(spec, path))
            value = _basic(attribute(spec, path)) if path in COLOURS else value
            choices[place] = 1 + options.index(value)
    for place, path in enumerate(COLOURS):
        if path in mentioned:
            values[3 * place : 3 * place + 3] = srgb_to_lab(np.array(attribute(spec, path).srgb)) / 100
    for place, path in enumerate(NUMBERS):
        if path in mentioned:
            values[3 * len(COLOURS) + place] = attribute(spec, path) / 100
    return Said(text, choices, values)


def _shown(record: dict[str, Any], text: str) -> set[str]:
    """Which of view, crop and light a phrase names."""
    low = text.lower()
    found = {"view"} if record["view"] in low else set()
    if any(word in low for word in CROP_WORDS[record["crop"]]):
        found.add("crop")
    return found | ({"flat"} if record["flat"] and any(word in low for word in FLAT_WORDS) else set())


class Reader(nn.Module):
    """A text encoder, and what reads attributes from its features while it is trained."""

    def __init__(self, recipe: Reading, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text_encoder = new_text(tokenizer, recipe.width, recipe.layers, recipe.seed)
        sizes = [1 + len(options) for options in CHOICES.values()]
        outputs = [*sizes, 3 * len(COLOURS) + len(NUMBERS)]
        self.sizes = outputs
        self.queries = nn.Parameter(torch.randn(len(outputs), recipe.width))
        self.look = nn.MultiheadAttention(recipe.width, recipe.width // 48, batch_first=True)
        self.answers = nn.ModuleList(nn.Linear(recipe.width, size) for size in outputs)
        self.end = nn.Linear(recipe.width, sum(outputs))

    def forward(self, ids: Int[Tensor, "b n"]) -> tuple[list[Tensor], list[Tensor]]:
        """What the queries read, and what the caption's end says: a tensor a choice, and one of all values."""
        features = self.text_encoder(ids).last_hidden_state
        read, _ = self.look(self.queries.expand(len(ids), -1, -1), features, features, need_weights=False)
        answers = [answer(read[:, place]) for place, answer in enumerate(self.answers)]
        return answers, list(self.end(at_end(self.text_encoder, ids, features)).split(self.sizes, -1))


def reading_loss(answers: Sequence[Tensor], choices: Int[Tensor, "b c"], values: Float[Tensor, "b v"]) -> Tensor:
    """Cross entropy of the choices and absolute error of the values that were said."""
    entropy = torch.stack([F.cross_entropy(answers[place], choices[:, place]) for place in range(choices.shape[1])])
    known = values.isfinite()
    apart = (answers[-1] - values.nan_to_num()).abs()[known]
    return entropy.sum() + 40 * apart.mean()


@cache
def _basic(named: Colour) -> str:
    return nearest_basic(srgb_to_lab(np.array(named.srgb)))


@cache
def _person(seed: int) -> FigureSpec:
    return person_spec(seed)


def train_text(
    recipe: Reading,
    tokenizer: CLIPTokenizer,
    folder: Path,
    pace: Pace,
    device: str = "cpu",
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop. People are those of the seeds 10,000,000 and up, whom nobody draws."""
    reader = Reader(recipe, tokenizer).to(device)
    optimizer = torch.optim.AdamW(reader.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    training = Training(folder, {"reader": reader}, optimizer, decay=0.995)
    training.load()

    def batch(count: int, first: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        found = [said(_person(first + int(rng.integers(recipe.people))), rng) for _ in range(count)]
        ids = tokens(tokenizer, [each.text for each in found])
        choices, values = (np.stack([getattr(each, name) for each in found]) for name in ("choices", "values"))
        return torch.from_numpy(ids).to(device), torch.from_numpy(choices).to(device), torch.from_numpy(values)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        ids, choices, values = batch(recipe.batch, 10_000_000, draws(recipe.seed, 31, step))
        read, end = reader(ids)
        loss = reading_loss(read, choices, values.to(device)) + reading_loss(end, choices, values.to(device))
        loss.backward()
        return recipe.batch, {"loss": float(loss.detach()), "rate": rate}

    @torch.no_grad()
    def look() -> dict[str, float]:
        ids, choices, values = batch(512, 20_000_000, draws(96))
        return measured(training.averages["reader"](ids)[0], choices.cpu(), values)

    yield from train(training, one_step, pace, look)
    return training


def measured(answers: Sequence[Tensor], choices: Int[Tensor, "b c"], values: Float[Tensor, "b v"]) -> dict[str, float]:
    """How often what is said is read, how often silence is, and how far off in Lab the colours of clothes are."""
    picked = torch.stack([answer.argmax(-1).cpu() for answer in answers[:-1]], 1)
    spoken = choices > 0
    apart = 100 * (answers[-1].cpu() - values)[:, : 3 * len(COLOURS)].unflatten(1, (-1, 3)).norm(dim=-1)
    kinds, hues = (torch.tensor([path.endswith(end) for path in CHOICES]) & spoken for end in (".kind", ".colour"))
    return {
        "held_said": float((picked == choices)[spoken].float().mean()),
        "held_unsaid": float((picked == choices)[~spoken].float().mean()),
        "held_clothes": float((picked == choices)[kinds].float().mean()),
        "held_colours": float((picked == choices)[hues].float().mean()),
        **{
            f"held_{path.replace('.', '_')}": float(np.nanmedian(apart[:, COLOURS.index(path)].numpy()))
            for path in ("top.colour", "bottom.colour", "hair.colour")
        },
    }
