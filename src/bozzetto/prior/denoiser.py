"""A text-to-image diffusion model behind one call: Stable Diffusion's parts, whatever their sizes.

Images are channels-last sRGB in [0, 1]; latents are channels-first and scaled to about unit variance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bozzetto.prior.schedule import Prediction, Schedule
from bozzetto.prior.text import TextEncoder
from bozzetto.types import UserError

CONTROLS = ("pose", "landmarks", "normal", "silhouette", "source")
"""Control pictures, in the order of the embedded family's one control network; ``source`` is a picture to edit."""


@dataclass(frozen=True, eq=False)
class Conditions:
    """Control pictures, any subset of them."""

    pictures: Mapping[str, Float[Tensor, "_ _ _ 3"]]
    """By the names of ``CONTROLS``, in [0, 1]. One picture serves a whole batch."""
    scale: float | Mapping[str, float] = 1.0
    """How strongly, for all or by name. At 0 a picture is left out, except that a native editing network is still
    the one that is asked, shown nothing."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.pictures if name not in CONTROLS]
        if unknown:
            raise ValueError(f"There is no control {unknown[0]!r}. Controls: {', '.join(CONTROLS)}.")

    def strength(self, name: str) -> float:
        return self.scale.get(name, 1.0) if isinstance(self.scale, Mapping) else self.scale


@dataclass(frozen=True, eq=False)
class Inpainting:
    """A picture of which a part is to be painted."""

    mask: Float[Tensor, "b h w 1"]
    """1 where to paint."""
    image: Float[Tensor, "b h w 3"]


@dataclass(frozen=True, eq=False)
class Network:
    """A U-Net and the noise levels it knows."""

    unet: nn.Module
    schedule: Schedule

    @property
    def channels(self) -> int:
        """What goes in: the latents' channels, twice that for editing, twice and one for inpainting."""
        return int(_config(self.unet).in_channels)


@dataclass(frozen=True, eq=False)
class Roles:
    """Networks beside the base, loaded when first asked for."""

    loaders: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """By role: "inpaint" and "edit" a Network, "control/NAME" a ControlNetModel, "vision" a Likeness, "identity" an
    IdentityEncoder."""
    remedy: Callable[[str], str] = lambda role: ""
    """Which command or download supplies a role that is missing."""


class Prior:
    """A text-to-image diffusion model. Guidance needs ``encode``, ``embed``, ``signal`` and ``predict_noise``."""

    def __init__(
        self,
        name: str,
        autoencoder: nn.Module,
        base: Network,
        text: TextEncoder,
        roles: Roles | None = None,
        weights: Mapping[str, Path] | None = None,
    ) -> None:
        """
        Args:
            name: As it is given to ``load``.
            autoencoder: AutoencoderKL or one with its interface, in float32.
            base: The text-to-image network; its latents may be followed by inpainting or editing channels.
            text: Of the same family.
            roles: What else there is.
            weights: The files in use, by what they hold: for the record of a run.
        """
        self.name = name
        self.autoencoder = autoencoder
        self.base = base
        self.text = text
        self.weights = dict(weights or {})
        self._roles = roles or Roles()
        self._loaded: dict[str, Any] = {}
        self._kept: WeakKeyDictionary[Any, dict[Any, Tensor]] = WeakKeyDictionary()
        self._grey: dict[tuple[int, int], Tensor] = {}
        config = _config(autoencoder)
        self.latent_channels = int(config.latent_channels)
        self.factor = _factor(autoencoder)
        """Pixels per latent."""
        size = _config(base.unet).sample_size
        self.native_size = int(size if isinstance(size, int) else size[0]) * self.factor
        """Pixels of a side that the networks were trained on."""
        self._check_channels(base, "base")

    # What there is

    @property
    def device(self) -> torch.device:
        return next(self.base.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the networks; latents are float32 always."""
        return next(self.base.unet.parameters()).dtype

    @property
    def roles(self) -> tuple[str, ...]:
        """What this prior can do: "base", "control/normal", "inpaint", "edit", "back", "vision", …"""
        found = ["base", *self._roles.loaders]
        if self.base.channels == 2 * self.latent_channels + 1:
            found.append("inpaint")
        if self.base.channels == 2 * self.latent_channels:
            found.append("edit")
        if self.back_token:
            found.append("back")
        return tuple(dict.fromkeys(found))

    def need(self, *roles: str) -> None:
        """Loads what will be used.

        Raises:
            UserError: A role is missing; it says what supplies it.
        """
        for role in roles:
            if role not in self.roles:
                remedy, have = self._roles.remedy(role), ", ".join(self.roles)
                raise UserError(f"The prior {self.name} has nothing for the role {role!r}. {remedy} It has: {have}.")
            if role in self._roles.loaders:
                self._network(role)

    @property
    def back_token(self) -> str | None:
        """The learned word for a head or person seen from behind."""
        return next((token for token in self.text.learned if token.startswith("<back")), None)

    # Pictures and words

    def encode(
        self, images: Float[Tensor, "b h w 3"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b c y x"]:
        """Latents; differentiable.

        Args:
            images: Sides must be multiples of ``factor``.
            generator: Draws from the autoencoder's posterior; without it, its mean.
        """
        return self._scaled(self._posterior(images, generator))

    def decode(self, latents: Float[Tensor, "b c y x"]) -> Float[Tensor, "b h w 3"]:
        """Pictures of latents; differentiable where they are not clipped."""
        mean, scale = self._scaling()
        pictures = self.autoencoder.decode(latents.float() / scale + mean).sample  # type: ignore[operator]
        return (pictures / 2 + 0.5).clamp(0, 1).movedim(1, -1)

    def embed(self, prompts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Text features. To the rest of bozzetto they are opaque: they can be stacked and indexed by prompt."""
        return self.text(prompts).float()

    def unknown_words(self, prompt: str) -> list[str]:
        """Words that a prior with a closed vocabulary has never seen."""
        return self.text.unknown_words(prompt)

    def score(self, images: Float[Tensor, "b h w 3"], prompts: Sequence[str]) -> Float[Tensor, "b"]:
        """Cosine similarity of each picture and its prompt; differentiable.

        Raises:
            UserError: The prior has no vision tower.
        """
        self.need("vision")
        return self._network("vision")(images, prompts)

    def identity(self, images: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """Who each picture shows, as a unit vector: the dot product of two is their likeness.

        Raises:
            UserError: The prior has no identity encoder.
        """
        self.need("identity")
        return self._network("identity")(images)

    # Noise

    def signal(self, t: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """The factors a and b of ``z_t = a z + b noise``."""
        return self.base.schedule.signal(t)

    def add_noise(
        self, latents: Float[Tensor, "b c y x"], noise: Float[Tensor, "b c y x"], t: Float[Tensor, "b"]
    ) -> Float[Tensor, "b c y x"]:
        a, b = (factor.view(-1, 1, 1, 1) for factor in self.signal(t))
        return a * latents + b * noise

    def predict_noise(
        self,
        noisy: Float[Tensor, "b c y x"],
        t: Float[Tensor, "b"],
        text: Float[Tensor, "b n d"],
        conditions: Conditions | None = None,
        inpainting: Inpainting | None = None,
    ) -> Float[Tensor, "b c y x"]:
        """The noise in ``noisy``, whatever the network itself predicts."""
        return self.predict(noisy, t, text, conditions, inpainting).noise

    def predict(
        self,
        noisy: Float[Tensor, "b c y x"],
        t: Float[Tensor, "b"],
        text: Float[Tensor, "b n d"],
        conditions: Conditions | None = None,
        inpainting: Inpainting | None = None,
    ) -> Prediction:
        """Noise and clean latents.

        Args:
            noisy: From ``add_noise``.
            t: In [0, 1].
            text: From ``embed``.
            conditions: For unconditional passes too, so that guidance amplifies the text only.
            inpainting: None paints everything.

        Raises:
            UserError: A control, inpainting or editing network is asked for that this prior has not got.
        """
        network = self.network(conditions, inpainting)
        output = self.output(network, noisy, t, text, conditions, inpainting)
        return network.schedule.read(output, noisy.float(), t)

    def network(self, conditions: Conditions | None = None, inpainting: Inpainting | None = None) -> Network:
        """Which U-Net answers: the base, unless inpainting or editing has one of its own."""
        if inpainting is not None and self.base.channels != 2 * self.latent_channels + 1:
            self.need("inpaint")
            return self._network("inpaint")
        if inpainting is None and self.edits_natively(conditions):
            return self._network("edit") if "edit" in self._roles.loaders else self.base
        return self.base

    def one_control(self, conditions: Conditions) -> bool:
        """Whether what is shown goes to one network that knows all kinds of pictures, as the embedded family's does."""
        shown = tuple(name for name in conditions.pictures if f"control/{name}" in self.roles)
        return any(int(_config(each).conditioning_channels) == 3 * len(CONTROLS) for each, _ in self._controls(shown))

    def edits_natively(self, conditions: Conditions | None) -> bool:
        """Whether a source picture goes to an InstructPix2Pix network, whose guidance has two scales."""
        return conditions is not None and "source" in conditions.pictures and "edit" in self.roles

    def output(
        self,
        network: Network,
        noisy: Float[Tensor, "b c y x"],
        t: Float[Tensor, "b"],
        text: Float[Tensor, "b n d"],
        conditions: Conditions | None = None,
        inpainting: Inpainting | None = None,
    ) -> Float[Tensor, "b c y x"]:
        """What the network itself puts out, in float32: training compares it with ``network.schedule.target``."""
        clock = network.schedule.clock(t)
        features, added = self._split(network, text, noisy)
        sample = self._inputs(network, noisy, conditions, inpainting)
        extra: dict[str, Any] = {}
        residuals = self._residuals(network, sample, noisy, clock, features, added, conditions)
        if residuals is not None:
            extra = {"down_block_additional_residuals": residuals[0], "mid_block_additional_residual": residuals[1]}
        result = network.unet(sample, clock, features, added_cond_kwargs=added, return_dict=False, **extra)[0]
        return result.float()

    # Inside

    def _inputs(
        self, network: Network, noisy: Tensor, conditions: Conditions | None, inpainting: Inpainting | None
    ) -> Tensor:
        """The noisy latents with the channels that this network expects behind them."""
        if network.channels == self.latent_channels:
            return noisy.to(self.dtype)
        if network.channels == 2 * self.latent_channels:
            known = torch.zeros_like(noisy)
            if conditions is not None and "source" in conditions.pictures and conditions.strength("source"):
                known = self._source(conditions, noisy)
            return torch.cat([noisy, known.to(noisy.dtype)], 1).to(self.dtype)
        mask, known = self._nothing_known(noisy) if inpainting is None else self._known(inpainting, noisy)
        return torch.cat([noisy, _batch(mask, noisy), _batch(known, noisy)], 1).to(self.dtype)

    def _nothing_known(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """A mask of ones and the latents of a mid-grey picture, which is what is behind a mask."""
        size = noisy.shape[-2], noisy.shape[-1]
        if size not in self._grey:
            height, width = (side * self.factor for side in size)
            with torch.no_grad():
                self._grey[size] = self.encode(torch.full((1, height, width, 3), 0.5, device=noisy.device))
        return torch.ones_like(noisy[:1, :1]), self._grey[size]

    def _known(self, inpainting: Inpainting, noisy: Tensor) -> tuple[Tensor, Tensor]:
        size = noisy.shape[-2], noisy.shape[-1]
        kept = self._keep(inpainting)
        if size not in kept:
            mask, image = (_sized(picture, size, self.factor) for picture in (inpainting.mask, inpainting.image))
            mask = (mask > 0.5).float()
            with torch.no_grad():
                known = self.encode(torch.where(mask > 0.5, 0.5, image).movedim(1, -1))
            small = F.interpolate(mask, size, mode="nearest")
            kept[size] = torch.cat([_batch(small, known), known], 1)
        return kept[size][:, :1], kept[size][:, 1:]

    def _source(self, conditions: Conditions, noisy: Tensor) -> Tensor:
        """Unscaled latents, as InstructPix2Pix was trained."""
        size = noisy.shape[-2], noisy.shape[-1]
        kept = self._keep(conditions)
        if size not in kept:
            picture = _sized(conditions.pictures["source"], size, self.factor)
            with torch.no_grad():
                kept[size] = self._posterior(picture.movedim(1, -1), None)
        return _batch(kept[size], noisy) * conditions.strength("source")

    def _keep(self, owner: object) -> dict[Any, Tensor]:
        """Latents of a picture that stays the same while it is sampled or distilled."""
        return self._kept.setdefault(owner, {})

    def _residuals(
        self,
        network: Network,
        sample: Tensor,
        noisy: Tensor,
        clock: Tensor,
        features: Tensor,
        added: dict[str, Tensor] | None,
        conditions: Conditions | None,
    ) -> tuple[list[Tensor], Tensor] | None:
        """The sum of what the control networks say, each times its scale."""
        shown = {
            name: picture
            for name, picture in (conditions.pictures if conditions else {}).items()
            if conditions is not None
            and conditions.strength(name) != 0
            and not (name == "source" and network.channels == 2 * self.latent_channels)
        }
        total: tuple[list[Tensor], Tensor] | None = None
        for control, names in self._controls(tuple(shown)):
            pictures = {name: _batch(_sized(shown[name], noisy.shape[-2:], self.factor), noisy) for name in names}
            channels = int(_config(control).conditioning_channels)
            if channels == 3 * len(CONTROLS):
                blank = torch.zeros_like(next(iter(pictures.values())))
                picture = torch.cat([pictures.get(name, blank) for name in CONTROLS], 1)
            else:
                picture = pictures[names[0]]
            assert conditions is not None
            down, middle = control(
                noisy.to(self.dtype) if int(_config(control).in_channels) == self.latent_channels else sample,
                clock,
                features,
                controlnet_cond=picture.to(self.dtype),
                conditioning_scale=max(conditions.strength(name) for name in names),
                added_cond_kwargs=added,
                return_dict=False,
            )
            if total is None:
                total = list(down), middle
            else:
                total = [one + two for one, two in zip(total[0], down, strict=True)], total[1] + middle
        return total

    def _controls(self, names: tuple[str, ...]) -> list[tuple[nn.Module, list[str]]]:
        """Each control network once, with the pictures it is shown."""
        grouped: list[tuple[nn.Module, list[str]]] = []
        for name in names:
            self.need(f"control/{name}")
            network = self._network(f"control/{name}")
            for known, its in grouped:
                if known is network:
                    its.append(name)
                    break
            else:
                grouped.append((network, [name]))
        return grouped

    def _split(self, network: Network, text: Tensor, noisy: Tensor) -> tuple[Tensor, dict[str, Tensor] | None]:
        """The features a network attends to, and what SDXL is told besides: the pooled text and the sizes."""
        config = _config(network.unet)
        if getattr(config, "addition_embed_type", None) != "text_time":
            return text.to(self.dtype), None
        pooled = int(config.projection_class_embeddings_input_dim) - 6 * int(config.addition_time_embed_dim)
        height, width = (side * self.factor for side in noisy.shape[-2:])
        sizes = torch.tensor([[height, width, 0, 0, height, width]], device=text.device, dtype=self.dtype)
        text = text.to(self.dtype)
        return text[:, :-1], {"text_embeds": text[:, -1, :pooled], "time_ids": sizes.repeat(len(text), 1)}

    def _posterior(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        height, width = images.shape[1:3]
        if height % self.factor or width % self.factor or not height or not width:
            raise ValueError(
                f"Pictures for the prior {self.name} need sides that are multiples of {self.factor}; "
                f"got {height} x {width}."
            )
        posterior = self.autoencoder.encode(images.float().movedim(-1, 1) * 2 - 1).latent_dist  # type: ignore[operator]
        return posterior.mean if generator is None else posterior.sample(generator)

    def _scaled(self, latents: Tensor) -> Tensor:
        mean, scale = self._scaling()
        return (latents - mean) * scale

    def _scaling(self) -> tuple[float, float]:
        config = _config(self.autoencoder)
        return float(getattr(config, "shift_factor", None) or 0.0), float(config.scaling_factor)

    def _network(self, role: str) -> Any:
        if role not in self._loaded:
            found = self._roles.loaders[role]()
            if isinstance(found, Network):
                self._check_channels(found, role)
            self._loaded[role] = found
        return self._loaded[role]

    def _check_channels(self, network: Network, role: str) -> None:
        count = self.latent_channels
        allowed = {"inpaint": (2 * count + 1,), "edit": (2 * count,)}.get(role, (count, 2 * count, 2 * count + 1))
        if network.channels not in allowed:
            raise UserError(
                f"The U-Net for the role {role!r} takes {network.channels} channels; with an autoencoder of {count} "
                f"it must be {' or '.join(map(str, allowed))}. Give a network of the same family as the base."
            )


def _config(model: nn.Module) -> Any:
    return model.config


def _factor(autoencoder: nn.Module) -> int:
    """Pixels per latent, measured: not every autoencoder's config says."""
    parameter = next(autoencoder.parameters())
    with torch.no_grad():
        probe = torch.zeros(1, 3, 64, 64, device=parameter.device, dtype=parameter.dtype)
        return 64 // autoencoder.encode(probe).latent_dist.mean.shape[-1]  # type: ignore[operator]


def _sized(picture: Tensor, size: Sequence[int], factor: int) -> Tensor:
    """Channels-first and as large as the latents' picture."""
    picture = picture.float().movedim(-1, 1)
    goal = size[0] * factor, size[1] * factor
    if picture.shape[-2:] != goal:
        picture = F.interpolate(picture, goal, mode="bilinear", antialias=True).clamp(0, 1)
    return picture


def _batch(tensor: Tensor, like: Tensor) -> Tensor:
    """Repeated until there is one for each of a batch, on its device."""
    if len(like) % len(tensor):
        raise ValueError(f"{len(tensor)} pictures cannot serve a batch of {len(like)}.")
    return tensor.to(like.device).repeat(len(like) // len(tensor), *[1] * (tensor.ndim - 1)).to(like.dtype)
