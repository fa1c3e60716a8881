"""The embedded family's autoencoder: the principal components of 4x4 patches, and a small network for the rest.

On two CPU cores a convolutional autoencoder from scratch stays far below what principal components give at once. So
the straight path is linear and starts as exactly those; beside it convolutions work at the latents' resolution only,
and start by adding nothing. Same interface as diffusers' ``AutoencoderKL``.

Stable Diffusion's patches are of 8x8 pixels. Of 64 px pictures that leaves 8x8 places of 32 numbers each: a figure is
three places wide, its outline lies in the numbers, and a U-Net of this size paints blocks. With 16x16 places of 12
numbers it lies where it is.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

FACTOR = 4


class _Residual(nn.Module):
    """Two convolutions that start by changing nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """Images [b 3 h w] in [-1, 1] to latents [b c h/4 w/4] of about unit variance, and back.

    Args:
        latent_channels: Numbers a patch of 4x4 pixels is told in.
        width: Channels of the convolutions.
        encoder_depth: Residual blocks before the latents.
        decoder_depth: Residual blocks after them.
        noise: Standard deviation of what training added to the principal components; ``latent_dist`` has it too.
        scaling_factor: Always 1: the variance is taken out by the model itself.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 12,
        width: int = 96,
        encoder_depth: int = 1,
        decoder_depth: int = 4,
        noise: float = 0.05,
        scaling_factor: float = 1.0,
    ) -> None:
        super().__init__()
        patch = 3 * FACTOR**2
        self.analysis = nn.Conv2d(patch, latent_channels, 1)
        self.synthesis = nn.Conv2d(latent_channels, patch, 1)
        self.encoder = nn.Sequential(
            nn.Conv2d(patch, width, 3, padding=1),
            *(_Residual(width) for _ in range(encoder_depth)),
            nn.SiLU(),
            nn.Conv2d(width, latent_channels, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, width, 3, padding=1),
            *(_Residual(width) for _ in range(decoder_depth)),
            nn.SiLU(),
            nn.Conv2d(width, patch, 3, padding=1),
        )
        for last in (self.encoder[-1], self.decoder[-1]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_std", torch.ones(latent_channels))

    @torch.no_grad()
    def start_from_components(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """Makes the straight path the principal components of these images' patches."""
        patches = F.pixel_unshuffle(images, FACTOR).movedim(1, -1).flatten(0, -2).double()
        mean = patches.mean(0)
        centred = patches - mean
        basis = torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, : self.analysis.out_channels]
        # The sign of a component is arbitrary: its strongest entry is made positive.
        basis = basis * basis.gather(0, basis.abs().argmax(0, keepdim=True)).sign()
        basis, mean = basis.to(self.analysis.weight), mean.to(self.analysis.weight)
        self.analysis.weight.copy_(basis.T[:, :, None, None])
        self.analysis.bias.copy_(-basis.T @ mean)  # type: ignore[union-attr]
        self.synthesis.weight.copy_(basis[:, :, None, None])
        self.synthesis.bias.copy_(mean)  # type: ignore[union-attr]

    def components(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """The latents before their mean and variance are taken out."""
        patches = F.pixel_unshuffle(images, FACTOR)
        return self.analysis(patches) + self.encoder(patches)

    def pictures(self, components: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        """The inverse of ``components``, as far as there is one."""
        return F.pixel_shuffle(self.synthesis(components) + self.decoder(components), FACTOR)

    @torch.no_grad()
    def normalise(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """From here on, latents of pictures like these have mean 0 and, over all channels, mean variance 1.

        Channels keep the square root of their differences in size. So what matters most to the picture, its patches'
        colours, also stands out longest from noise and weighs most in the loss; whitened channels would all be equal,
        the finest texture and the colour of the coat.
        """
        std, mean = torch.std_mean(self.components(images), (0, 2, 3))
        self.latent_mean.copy_(mean)
        self.latent_std.copy_((std * std.mean()).sqrt())

    def encode(self, x: Float[Tensor, "b 3 h w"], return_dict: bool = True) -> AutoencoderKLOutput:
        """The distribution of latents; its mean is differentiable."""
        mean, std = (t.view(1, -1, 1, 1) for t in (self.latent_mean, self.latent_std))
        latents = (self.components(x) - mean) / std
        spread = (2 * torch.log(self.config.noise / std)).expand_as(latents)  # type: ignore[attr-defined]
        return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(torch.cat([latents, spread], 1)))

    def decode(self, z: Float[Tensor, "b c y x"], return_dict: bool = True) -> DecoderOutput:
        """Images of latents; may leave [-1, 1] a little."""
        mean, std = (t.view(1, -1, 1, 1) for t in (self.latent_mean, self.latent_std))
        return DecoderOutput(sample=self.pictures(z * std + mean))

    def forward(self, sample: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Images through the latents' means and back."""
        return self.decode(self.encode(sample).latent_dist.mean).sample
