"""Who a picture shows: a small embedding, so that recipes can leave out pictures of someone else.

It knows procedural people (``bozzetto train-prior --part identity``); of photographs it sees hair, skin and colours
more than features. Not the ruler of ``evaluate``: that is another network, of other people, which recipes never see.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


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


class IdentityEncoder(ModelMixin, ConfigMixin):
    """Pictures to points on a sphere: the same person's lie close, whatever the view.

    Args:
        size: Pixels of a side that pictures are looked at in.
        widths: Channels at a half, a quarter, an eighth and a sixteenth of that.
        features: Numbers a person is told in.
    """

    @register_to_config
    def __init__(self, size: int = 64, widths: Sequence[int] = (24, 48, 96, 128), features: int = 64) -> None:
        super().__init__()
        self.size = size
        self.body = nn.Sequential(
            nn.Conv2d(3, widths[0], 5, 2, 2),
            *(Block(before, width) for before, width in pairwise((widths[0], *widths))),
            nn.GroupNorm(8, widths[-1]),
            nn.SiLU(),
        )
        self.who = nn.Linear(2 * widths[-1], features)

    def forward(self, pictures: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """Of unit length; the dot product of two is their likeness. Pictures in [0, 1], of any size."""
        shown = pictures.movedim(-1, 1)
        if shown.shape[-2:] != (self.size, self.size):
            shown = F.interpolate(shown, (self.size, self.size), mode="bilinear", antialias=True)
        seen = self.body(2 * shown - 1)
        return F.normalize(self.who(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)), dim=-1)
