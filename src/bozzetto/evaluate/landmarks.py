"""A ruler of small faces: where the contours of a head's face are, found by a network that no prior has seen.

MediaPipe's mesh (``evaluate.faces``) was made for photographs. Of a head of 64 px whose pixels are but a little softer
than a rendered one's it says that the face moved, though nothing did (``docs/measurements.md``). This one learned such
pictures: the judge's people, softened, in other contrasts, and bent, so that eyes and lips lie where no face has them.
What it cannot tell is whether there is a face at all; MediaPipe can.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from bozzetto.evaluate.judge import WEIGHTS
from bozzetto.files import atomic_path
from bozzetto.prior.identity import Block
from bozzetto.types import UserError

FILE = "model.safetensors"
SCALE = ".scale"


class Landmarks(nn.Module):
    """Heat maps of contour points at a quarter of the size, and their centres (Sun et al. 2018, arXiv:1711.08229).

    Args:
        points: How many contour points.
        widths: Channels at a quarter, an eighth and a sixteenth of the size; each more than the one before.
    """

    size = 64

    def __init__(self, points: int = 128, widths: Sequence[int] = (32, 40, 48)) -> None:
        super().__init__()
        inner = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, inner, 3, 2, 1))
        self.levels = nn.ModuleList(
            nn.Sequential(Block(before, width), Block(width, width)) for before, width in pairwise((inner, *widths))
        )
        self.across = nn.ModuleList(nn.Conv2d(width, inner, 1) for width in widths)
        self.together = Block(inner, inner)
        self.out = nn.Sequential(nn.GroupNorm(8, inner), nn.SiLU(), nn.Conv2d(inner, points, 1))

    def forward(self, pictures: Float[Tensor, "b 64 64 3"]) -> Float[Tensor, "b p 2"]:
        """The points' places (x, y) in pixels of heads, which fill most of their pictures and face the camera."""
        level, found = self.stem(2 * pictures.movedim(-1, 1) - 1), []
        for deeper in self.levels:
            level = deeper(level)
            found.append(level)
        cells = self.across[-1](found[-1])
        for across, finer in zip(reversed(self.across[:-1]), reversed(found[:-1]), strict=True):
            cells = F.interpolate(cells, scale_factor=2.0, mode="bilinear") + across(finer)
        heat = self.out(self.together(cells)).float()
        side = heat.shape[-1]
        heat = heat.flatten(2).softmax(-1).unflatten(-1, (side, side))
        places = (torch.arange(side, device=heat.device) + 0.5) * (self.size / side)
        return torch.stack([(heat.sum(2) * places).sum(-1), (heat.sum(3) * places).sum(-1)], -1)


def export_landmarks(ruler: Landmarks, folder: Path) -> None:
    """Kernels as eight bits with a scale for each filter, which moves points by 0.03 px in the mean; the rest in half
    precision."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in ruler.state_dict().items():
        if tensor.ndim == 4:
            scale = (tensor.abs().amax((1, 2, 3), keepdim=True) / 127).clamp_min(1e-8)
            tensors[name], tensors[name + SCALE] = (tensor / scale).round().to(torch.int8), scale
        else:
            tensors[name] = tensor.half()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / FILE) as path:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        path.chmod(0o644)


def load_landmarks(folder: Path = WEIGHTS / "landmarks") -> Landmarks:
    """The trained ruler.

    Raises:
        UserError: There is none, or it does not fit.
    """
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"There is no ruler of faces in {folder}. Train it with: bozzetto train-prior --part landmarks")
    ruler = Landmarks()
    try:
        tensors = load_file(path)
        kernels = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
        ruler.load_state_dict({
            name: tensor.float() * tensors.get(name + SCALE, 1.0) for name, tensor in kernels.items()
        })  # fmt: skip
    except (SafetensorError, RuntimeError):
        raise UserError(
            f"{path} is damaged or of another architecture than this version's. Move it away and train it anew: "
            "bozzetto train-prior --part landmarks"
        ) from None
    return ruler.eval().requires_grad_(False)


def contour_error(found: Float[Tensor, "b p 2"], true: Float[Tensor, "b p 2"]) -> Float[Tensor, "b"]:
    """Mean distance of the points, in per cent of the true face's width."""
    width = true[..., 0].amax(1) - true[..., 0].amin(1)
    return 100 * (found - true).norm(dim=-1).mean(1) / width
