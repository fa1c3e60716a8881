"""The ruler: a network apart from every prior, that says what a picture shows, who it is, and whether a face looks out.

No recipe may use it. It is trained on people and pictures that no prior sees (``bozzetto train-prior --part judge``).
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from bozzetto.types import UserError

WEIGHTS = Path(__file__).parent / "judge"


class Block(nn.Module):
    """Two convolutions and a way around them; halves the picture where it widens."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        step = 1 if before == width else 2
        self.norm1, self.norm2 = nn.GroupNorm(8, before), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(before, width, 3, step, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.around = nn.Identity() if step == 1 else nn.Conv2d(before, width, 1, step)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d y x"]:
        inside = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return self.around(x) + inside


class Judge(nn.Module):
    """Probes over shared features; pictures of any size are looked at in 64 px."""

    size = 64

    def __init__(self, probes: Mapping[str, tuple[str, ...]], widths: tuple[int, ...] = (32, 64, 112, 176)) -> None:
        """
        Args:
            probes: By attribute: what it may be; the first answer is "none of them".
            widths: Channels, from half the size on.
        """
        super().__init__()
        self.probes, self.widths = dict(probes), widths
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 5, 2, 2)]
        for before, width in zip((widths[0], *widths), widths, strict=False):
            layers += [Block(before, width), Block(width, width)]
        self.body = nn.Sequential(*layers, nn.GroupNorm(8, widths[-1]), nn.SiLU())
        features = 2 * widths[-1]
        self.answers = nn.ModuleDict(
            {path.replace(".", "_"): nn.Linear(features, len(options)) for path, options in self.probes.items()}
        )
        self.who = nn.Linear(features, 64)
        self.face = nn.Linear(features, 1)

    def features(self, pictures: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """What all the probes read: means and maxima over the picture."""
        shown = 2 * pictures.movedim(-1, 1) - 1
        if shown.shape[-2:] != (self.size, self.size):
            shown = F.interpolate(shown, (self.size, self.size), mode="bilinear", antialias=True)
        seen = self.body(shown)
        return torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)

    def forward(self, pictures: Float[Tensor, "b h w 3"]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Logits of every probe [b n], identity of unit length [b 64], and the logit of a face being seen [b]."""
        seen = self.features(pictures)
        answers = {path: self.answers[path.replace(".", "_")](seen) for path in self.probes}
        return answers, F.normalize(self.who(seen), dim=-1), self.face(seen)[:, 0]

    @torch.no_grad()
    def says(self, pictures: Float[Tensor, "b h w 3"], path: str) -> list[str]:
        """What each picture shows, of one attribute."""
        logits = self.answers[path.replace(".", "_")](self.features(pictures))
        return [self.probes[path][int(index)] for index in logits.argmax(-1)]

    @torch.no_grad()
    def sees_face(self, pictures: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b"]:
        """How surely a face looks out of each picture of a head: from behind, it must not."""
        return torch.sigmoid(self.face(self.features(pictures))[:, 0])

    @torch.no_grad()
    def likeness(self, a: Float[Tensor, "b h w 3"], b: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b"]:
        """Cosine of the identities of each pair of pictures."""
        return F.cosine_similarity(self.who(self.features(a)), self.who(self.features(b)), dim=-1)


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
