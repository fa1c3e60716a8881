"""The person's surface behind a photo's pixels: normals and depth of the near and the far side, and the far side's
colours, by a small network that is shown the photo and the body fitted to it.

It takes the places of PIFuHD and of Pose-with-Style in Human-SGD (AlBahar et al. 2023, arXiv:2311.09221): ours is
trained on procedural people (``bozzetto train-prior --part shape``), and answers in the photo's own raster, as the
sandwich of ECON (Xiu et al. 2023, arXiv:2212.07422) does. Colours behind are a mean of what may be there, so they are
right in the large and blurred.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F

from bozzetto.body.landmarks import dominant_joint
from bozzetto.body.model import Body
from bozzetto.render.raster import camera_matrices
from bozzetto.types import Cameras

SHOWN = 13
"""Numbers a pixel that the network is shown: colour, coverage, the body's two normals, its two depths, where it is."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A photo's person, and the body below them, in one raster."""

    picture: Float[Tensor, "b h w 3"]
    """sRGB."""
    mask: Float[Tensor, "b h w 1"]
    normals: Float[Tensor, "b h w 6"]
    """Of the body's near and far side, along the camera's axes; zero where it is not."""
    depths: Float[Tensor, "b h w 2"]
    """Of the same, metres from the hips, away from the camera; nan where it is not."""


@dataclass(frozen=True, eq=False)
class Sides:
    """What the network makes of it."""

    normals: Float[Tensor, "b h w 6"]
    """Of unit length each."""
    depths: Float[Tensor, "b h w 2"]
    """Metres from the body's hips."""
    back: Float[Tensor, "b h w 3"]
    """Colours of the far side, sRGB, not mirrored, without light."""


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, before), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(before, width, 3, 1, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.around = nn.Identity() if before == width else nn.Conv2d(before, width, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        return self.around(x) + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class ShapeNetwork(ModelMixin, ConfigMixin):
    """A U-Net without noise; normals and depths are answered as changes to the body's.

    Args:
        size: Pixels of a side.
        widths: Channels at a half of that, a quarter and so on.
    """

    @register_to_config
    def __init__(self, size: int = 128, widths: Sequence[int] = (24, 64, 96, 128)) -> None:
        super().__init__()
        self.size = size
        self.enter = nn.Conv2d(4 * SHOWN, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False))
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            Block(a + b, b) for a, b in zip(reversed((*widths[1:], widths[-1])), reversed(widths), strict=True)
        )
        self.leave = nn.Sequential(nn.Conv2d(widths[0] + 4 * SHOWN, 64, 1), nn.SiLU(), nn.Conv2d(64, 4 * 12, 1))

    def forward(self, shown: Shown) -> Sides:
        """Every pixel's surface; it means something where the mask is."""
        depths = filled(shown.depths)
        x = torch.cat(
            [(2 * shown.picture - 1) * shown.mask, shown.mask, shown.normals, 4 * depths,
             torch.isfinite(shown.depths[..., :1]).float()], -1,
        ).movedim(-1, 1)  # fmt: skip
        fine = F.pixel_unshuffle(x, 2)
        seen = self.enter(fine)
        kept = []
        for index, block in enumerate(self.down):
            seen = block(F.avg_pool2d(seen, 2) if index else seen)
            kept.append(seen)
        seen = self.middle(seen)
        for index, block in enumerate(self.up):
            seen = F.interpolate(seen, scale_factor=2.0) if index else seen
            seen = block(torch.cat([seen, kept[-1 - index]], 1))
        out = F.pixel_shuffle(self.leave(torch.cat([F.silu(seen), fine], 1)), 2).movedim(1, -1)
        normals = shown.normals + out[..., :6]
        near, far = F.normalize(normals[..., :3], dim=-1), F.normalize(normals[..., 3:], dim=-1)
        # Mostly the back has the colour before it.
        same = torch.sigmoid(out[..., 11:])
        back = same * shown.picture + (1 - same) * torch.sigmoid(2 * out[..., 8:11])
        return Sides(torch.cat([near, far], -1), depths + 0.1 * out[..., 6:8], back)


def filled(depths: Float[Tensor, "b h w 2"]) -> Float[Tensor, "b h w 2"]:
    """The body's depths, and around the body those of ever coarser neighbourhoods."""
    known = torch.isfinite(depths[..., :1]).float().movedim(-1, 1)
    value = torch.nan_to_num(depths).movedim(-1, 1) * known
    levels = [(value, known)]
    while min(levels[-1][0].shape[-2:]) > 1:
        sums, counts = (F.avg_pool2d(each, 2, ceil_mode=True) for each in levels[-1])
        levels.append((sums, counts))
    sums, counts = levels[-1]
    found = sums / counts.clamp_min(1e-9)
    for sums, counts in reversed(levels[:-1]):
        found = F.interpolate(found, sums.shape[-2:], mode="bilinear")
        found = torch.where(counts > 0, sums / counts.clamp_min(1e-9), found)
    return found.movedim(1, -1)


def hips_depth(body: Body, posed: Float[ndarray, "v 3"], camera: Cameras) -> float:
    """How far the posed body's hips are from a camera, along its axis; metres."""
    hips = posed[dominant_joint(body) == body.joint_names.index("root")]
    matrix, _ = camera_matrices(camera, 0)
    return float(np.mean(hips @ matrix[2, :3] + matrix[2, 3]))
