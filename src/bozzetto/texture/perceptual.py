"""How different two pictures look, to a network rather than to a ruler.

LPIPS (Zhang et al. 2018, arXiv:1801.03924) compares features of a classifier that may not be shipped. The same is done
here with the features of the prior's own autoencoder; whoever has LPIPS's weights passes its call instead, since a
perceptual distance is any function of two pictures. One thing differs: features are measured against the strength that
they have over the whole picture, not each place's own. An autoencoder's are near zero where nothing happens, and of
unit length they would be noise there, which a texture fitted to them takes over.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bozzetto.prior.autoencoder import FACTOR
from bozzetto.prior.denoiser import Prior


@dataclass(frozen=True, eq=False)
class EncoderDistance:
    """The distance in an autoencoder's features: those of the embedded family, or of diffusers' AutoencoderKL."""

    autoencoder: nn.Module
    depth: int = 2
    """Resolutions of features that count, the finest first."""

    def __call__(self, pictures: Float[Tensor, "b h w 3"], others: Float[Tensor, "b h w 3"]) -> Float[Tensor, ""]:
        """Squared differences of features over their mean square, averaged over places, summed over resolutions.

        Args:
            pictures: sRGB, [0, 1]; gradients flow.
            others: As large; sides are multiples of 8.

        Source: Zhang et al. 2018, Eq. 1, with one weight for all.
        """
        total = pictures.new_zeros(())
        with torch.no_grad():
            wanted = list(self.features(others))
        for one, other in zip(self.features(pictures), wanted, strict=True):
            total = total + (one - other).square().mean() / other.square().mean().clamp_min(1e-8)
        return total

    def features(self, pictures: Float[Tensor, "b h w 3"]) -> Iterator[Tensor]:
        """The activations of each resolution, [b c y x]."""
        x = 2 * pictures.movedim(-1, 1) - 1
        encoder = self.autoencoder.encoder
        if isinstance(encoder, nn.Sequential):  # the embedded family has one resolution: the pictures are made smaller
            layers = encoder[:-2]  # without those that make latents of features
            for _ in range(self.depth):
                yield layers(F.pixel_unshuffle(x, FACTOR))
                x = F.avg_pool2d(x, 2)
            return
        x = encoder.conv_in(x)  # type: ignore[operator,union-attr]
        for stage in list(encoder.down_blocks)[: self.depth]:  # type: ignore[arg-type,union-attr]
            x = stage(x)
            yield x


def perceptual_distance(prior: Prior) -> EncoderDistance:
    """The distance in the features of a prior's autoencoder."""
    return EncoderDistance(prior.autoencoder)
