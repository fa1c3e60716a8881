"""The ruler: a network apart from every prior, that says what a picture shows, who it is, and whether a face looks out.

For second faces ``evaluate.faces`` has a better one, which was not trained here.

No recipe may use it. It is trained on people and pictures that no prior sees (``bozzetto train-prior --part judge``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from bozzetto.figure.colours import nearest_basic, srgb_to_lab
from bozzetto.prior.identity import Block
from bozzetto.types import UserError

WEIGHTS = Path(__file__).parent / "judge"


SLOTS = ("background", "face", "skin", "hair", "top", "outer", "bottom", "dress", "shoes", "other")
"""What each part of a picture may be."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the judge makes of pictures before it is asked anything."""

    where: Float[Tensor, "b k 16 16"]
    """Logits of ``SLOTS``, by cell."""
    whole: Float[Tensor, "b d"]
    """Means and maxima over the picture."""
    parts: Float[Tensor, "b k e"]
    """Over the cells of each slot: mean feature and colour, and the share of the picture."""


class Judge(nn.Module):
    """Finds the parts of a person, then answers each question from its own part; looks at any picture in 64 px.

    That it is taught where things are, cell by cell, is what lets it learn from few people.
    """

    size = 64

    def __init__(self, probes: Mapping[str, tuple[str, ...]], widths: tuple[int, ...] = (24, 40, 72, 104)) -> None:
        """
        Args:
            probes: By attribute: what it may be; the first answer is "none of them".
            widths: Channels at a half, a quarter, an eighth and a sixteenth of the size.
        """
        super().__init__()
        self.probes, self.widths = dict(probes), widths
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 5, 2, 2), Block(widths[0], widths[0]))
        self.levels = nn.ModuleList(
            nn.Sequential(Block(before, width), Block(width, width)) for before, width in pairwise(widths)
        )
        inner = widths[2]
        self.across = nn.ModuleList(nn.Conv2d(width, inner, 1) for width in widths[1:])
        self.together = nn.Sequential(nn.GroupNorm(8, inner), nn.SiLU(), nn.Conv2d(inner, inner, 3, 1, 1), nn.SiLU())
        self.where = nn.Conv2d(inner, len(SLOTS), 1)
        part, whole = inner + 4, inner + widths[-1] + len(SLOTS)
        self.answers = nn.ModuleDict(
            {path.replace(".", "_"): _reader(whole + part, len(options)) for path, options in self.probes.items()}
        )
        self.who = _reader(whole + part * len(SLOTS), 64, 128)
        self.face = _reader(whole + part, 1)

    def look(self, pictures: Float[Tensor, "b h w 3"]) -> Seen:
        """Where the parts are, and what they are like."""
        shown = pictures.movedim(-1, 1)
        if shown.shape[-2:] != (self.size, self.size):
            shown = F.interpolate(shown, (self.size, self.size), mode="bilinear", antialias=True)
        seen, found = self.stem(2 * shown - 1), []
        for level, across in zip(self.levels, self.across, strict=True):
            seen = level(seen)
            found.append(across(seen))
        fine = found[0].shape[-2:]
        cells = found[0] + sum(F.interpolate(coarse, fine, mode="bilinear") for coarse in found[1:])
        cells = self.together(cells)
        where = self.where(cells)
        share = where.softmax(1).flatten(2)
        things = torch.cat([cells, F.interpolate(shown, fine, mode="area")], 1).flatten(2)
        mean = torch.einsum("bkn,bdn->bkd", share, things) / (share.sum(2, keepdim=True) + 1e-3)
        covered = share.mean(2)
        whole = torch.cat([cells.mean((2, 3)), seen.amax((2, 3)), covered], 1)
        return Seen(where, whole, torch.cat([mean, 10 * covered[..., None]], 2))

    def features(self, pictures: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """One vector a picture, of everything."""
        seen = self.look(pictures)
        return torch.cat([seen.whole, seen.parts.flatten(1)], 1)

    def forward(self, pictures: Float[Tensor, "b h w 3"]) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
        """Logits of every probe [b n], identity of unit length [b 64], logits of a face [b] and of where."""
        seen = self.look(pictures)
        answers = {path: self._answer(seen, path) for path in self.probes}
        return answers, self._identity(seen), self._face(seen), seen.where

    def _answer(self, seen: Seen, path: str) -> Tensor:
        slot = path.split(".")[0]
        part = seen.parts[:, SLOTS.index(slot if slot in SLOTS else "face")]
        return self.answers[path.replace(".", "_")](torch.cat([seen.whole, part], 1))

    def _identity(self, seen: Seen) -> Tensor:
        return F.normalize(self.who(torch.cat([seen.whole, seen.parts.flatten(1)], 1)), dim=-1)

    def _face(self, seen: Seen) -> Tensor:
        return self.face(torch.cat([seen.whole, seen.parts[:, SLOTS.index("face")]], 1))[:, 0]

    @torch.no_grad()
    def says(self, pictures: Float[Tensor, "b h w 3"], path: str) -> list[str]:
        """What each picture shows, of one attribute."""
        logits = self._answer(self.look(pictures), path)
        return [self.probes[path][int(index)] for index in logits.argmax(-1)]

    @torch.no_grad()
    def colours(self, pictures: Float[Tensor, "b h w 3"], slot: str) -> list[str | None]:
        """The basic colour of a part of each picture, by its pixels; None where the part is not seen."""
        size = (pictures.shape[1], pictures.shape[2])
        where = F.interpolate(self.look(pictures).where, size, mode="bilinear").argmax(1) == SLOTS.index(slot)
        return [
            nearest_basic(srgb_to_lab(picture[here].median(0).values.double().numpy())) if here.any() else None
            for picture, here in zip(pictures, where, strict=True)
        ]

    @torch.no_grad()
    def likeness(self, a: Float[Tensor, "b h w 3"], b: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b"]:
        """Cosine of the identities of each pair of pictures."""
        return (self._identity(self.look(a)) * self._identity(self.look(b))).sum(-1)


def _reader(wide: int, out: int, inner: int = 64) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(wide), nn.Linear(wide, inner), nn.SiLU(), nn.Linear(inner, out))


def load_judge(folder: Path = WEIGHTS) -> Judge:
    """The trained judge.

    Raises:
        UserError: There is none.
    """
    path = folder / "model.safetensors"
    if not path.is_file():
        raise UserError(f"There is no judge in {folder}. Train it with: bozzetto train-prior --part judge")
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["judge"])
    judge = Judge({name: tuple(options) for name, options in facts["probes"].items()}, tuple(facts["widths"]))
    judge.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return judge.eval().requires_grad_(False)
