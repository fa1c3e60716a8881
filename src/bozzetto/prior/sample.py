"""Pictures from words: DDIM in terms of a(t) and b(t), the same for every kind of network.

Song et al. 2020, arXiv:2010.02502, deterministic; Ho & Salimans 2022, arXiv:2207.12598, for the guidance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.prior.denoiser import Conditions, Inpainting, Prior
from bozzetto.prior.schedule import Prediction


@dataclass(frozen=True, eq=False)
class Start:
    """Sampling begins with a picture instead of noise (image to image)."""

    latents: Float[Tensor, "b c y x"]
    t: float
    """How much of it is drowned in noise, in (0, 1]: 0.3 keeps most, 1 keeps nothing."""


FAMILY_SCALES = MappingProxyType({"landmarks": 6.0, "source": 1.0})
FAMILY_SCALE = 3.0
"""How far the embedded family follows its controls, by kind and for others. Measured (``docs/measurements.md``):
outlines and faces are better for it; an edit that follows its source further is made less often."""


@dataclass(frozen=True)
class Guidance:
    """How far the words and the pictures are followed."""

    scale: float = 6.0
    """Of the words; 1 is the network's own opinion."""
    image_scale: float | None = None
    """The same of control pictures, or of the source picture of a native editing network (InstructPix2Pix). None: 1.5
    for such a network's, 6 for face landmarks and 3 for other pictures but a source where one network knows all kinds,
    as the embedded family's, which learned with and without each of them; 1 for others. A control that is followed
    further than 1 costs another pass."""
    rescale: float | None = None
    """0 to 1: how far the contrast that guidance adds is taken back (Lin et al. 2023, section 3.4, on the clean
    latents). None: their 0.7 for networks that were trained down to pure noise, as theirs and the embedded one, and
    nothing for others."""


@torch.no_grad()
def imagine(
    prior: Prior,
    prompts: Sequence[str],
    negative: str = "",
    steps: int = 25,
    guidance: Guidance | None = None,
    size: tuple[int, int] | int | None = None,
    conditions: Conditions | None = None,
    inpainting: Inpainting | None = None,
    start: Start | None = None,
    generator: torch.Generator | None = None,
    progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "b h w 3"]:
    """One picture for each prompt.

    Args:
        prior: Who imagines.
        prompts: What to show.
        negative: What not to show.
        steps: Calls of the network.
        guidance: How far the words are followed.
        size: Pixels: (height, width), one side of a square, or the prior's native size.
        conditions: Control pictures.
        inpainting: What is known already; it comes back untouched.
        start: Image to image.
        generator: On the CPU; the same seed gives the same pictures on one machine.
        progress: Told the share that is done.

    Raises:
        UserError: The prior has no network for what is asked.
        ValueError: A size the prior cannot make, or no steps.
    """
    if steps < 1:
        raise ValueError(f"imagine needs at least one step; got {steps}.")
    guidance = guidance or Guidance()
    generator = generator or torch.Generator().manual_seed(0)
    text, empty = prior.embed(list(prompts)), prior.embed([negative]).repeat(len(prompts), 1, 1)
    shape = (len(prompts), prior.latent_channels, *_latent_size(prior, size, start))
    noise = torch.randn(shape, generator=generator).to(prior.device)
    first = 1.0 if start is None else start.t
    noisy = noise
    if start is not None:
        noisy = prior.add_noise(
            start.latents.to(prior.device), noise, torch.full((len(noise),), first).to(prior.device)
        )
    elif inpainting is None:
        a, b = prior.signal(torch.ones(1, device=prior.device))
        noisy = b * noise  # a network that never saw pure noise expects b, a little under 1
    times = torch.linspace(first, 0.0, steps + 1, device=prior.device)
    clean = noisy
    for index in range(steps):
        t, after = times[index].expand(len(noisy)), times[index + 1].expand(len(noisy))
        seen = guided(prior, noisy, t, text, empty, guidance, conditions, inpainting)
        clean = seen.clean
        a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(after))
        noisy = a * seen.clean + b * seen.noise
        if progress:
            progress((index + 1) / steps)
    pictures = prior.decode(clean)
    if inpainting is not None:
        mask, image = (_as_large(each, pictures) for each in (inpainting.mask, inpainting.image))
        pictures = torch.where(mask > 0.5, pictures, image)
    return pictures


def guided(
    prior: Prior,
    noisy: Float[Tensor, "b c y x"],
    t: Float[Tensor, "b"],
    text: Float[Tensor, "b n d"],
    empty: Float[Tensor, "b n d"],
    guidance: Guidance,
    conditions: Conditions | None = None,
    inpainting: Inpainting | None = None,
) -> Prediction:
    """The prediction with classifier-free guidance; controls are given to the pass without words too.

    Where pictures are to be followed further than the network does by itself, it is asked with the words alone besides:
    what is added is ``image_scale - 1`` times what the pictures changed.

    Source: Ho & Salimans 2022, Eq. 6; with a native editing network Brooks et al. 2023, Eq. 3. Departure from the
    latter for controls: what the pictures change is read beside the words instead of without, which keeps the words'
    colours better.
    """
    if prior.edits_natively(conditions) and inpainting is None:
        assert conditions is not None
        names = conditions.pictures
        hidden = replace(conditions, scale={**{name: conditions.strength(name) for name in names}, "source": 0.0})
        both, image = _pair(prior, noisy, t, text, empty, conditions, None)
        nothing = prior.predict(noisy, t, empty, hidden)
        image_scale = 1.5 if guidance.image_scale is None else guidance.image_scale
        pulls = [(image_scale, image, nothing), (guidance.scale, both, image)]
        return _moved(nothing, pulls, noisy, t, prior, both, guidance)
    pulls: list[Pull] = []
    if guidance.scale == 1.0:
        told = base = prior.predict(noisy, t, text, conditions, inpainting)
    else:
        told, base = _pair(prior, noisy, t, text, empty, conditions, inpainting)
        pulls.append((guidance.scale, told, base))
    image_scale = _image_scale(prior, conditions, guidance)
    if image_scale != 1.0:
        pulls.append((image_scale - 1, told, prior.predict(noisy, t, text, _hidden(conditions), inpainting)))
    return _moved(base, pulls, noisy, t, prior, told, guidance) if pulls else told


def _image_scale(prior: Prior, conditions: Conditions | None, guidance: Guidance) -> float:
    """How far controls are followed."""
    if conditions is None or not conditions.pictures:
        return 1.0
    if guidance.image_scale is not None:
        return guidance.image_scale
    if not prior.one_control(conditions):
        return 1.0
    return max(FAMILY_SCALES.get(name, FAMILY_SCALE) for name in conditions.pictures)


def _hidden(conditions: Conditions | None) -> Conditions | None:
    """Nothing shown; where other pictures stand beside one to edit, that one."""
    if conditions is None or "source" not in conditions.pictures or len(conditions.pictures) == 1:
        return None
    return Conditions({"source": conditions.pictures["source"]}, conditions.strength("source"))


def _pair(
    prior: Prior,
    noisy: Tensor,
    t: Tensor,
    text: Tensor,
    empty: Tensor,
    conditions: Conditions | None,
    inpainting: Inpainting | None,
) -> tuple[Prediction, Prediction]:
    """With and without words, in one batch."""
    both = prior.predict(torch.cat([noisy, noisy]), torch.cat([t, t]), torch.cat([text, empty]), conditions, inpainting)
    (noise, other_noise), (clean, other_clean) = both.noise.chunk(2), both.clean.chunk(2)
    return Prediction(noise, clean), Prediction(other_noise, other_clean)


Pull = tuple[float, Prediction, Prediction]
"""So many times the way from the second prediction to the first."""


def _moved(
    base: Prediction,
    pulls: Sequence[Pull],
    noisy: Tensor,
    t: Tensor,
    prior: Prior,
    natural: Prediction,
    guidance: Guidance,
) -> Prediction:
    noise, clean = base.noise, base.clean
    for scale, towards, away in pulls:
        noise = noise + scale * (towards.noise - away.noise)
        clean = clean + scale * (towards.clean - away.clean)
    rescale = guidance.rescale
    if rescale is None:
        rescale = 0.7 if prior.signal(torch.ones(1, device=noisy.device))[0] < 1e-3 else 0.0
    if rescale > 0:
        dims = (1, 2, 3)
        ratio = natural.clean.std(dims, keepdim=True) / clean.std(dims, keepdim=True).clamp(min=1e-6)
        clean = clean * (1 + rescale * (ratio - 1))
        a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(t))
        noise = (noisy - a * clean) / b.clamp(min=1e-3)
    return Prediction(noise, clean)


def _latent_size(prior: Prior, size: tuple[int, int] | int | None, start: Start | None) -> tuple[int, int]:
    if size is None and start is not None:
        return start.latents.shape[-2], start.latents.shape[-1]
    size = size or prior.native_size
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or height % prior.factor or width % prior.factor:
        raise ValueError(
            f"The prior {prior.name} makes pictures with sides that are multiples of {prior.factor}; "
            f"got {height} x {width}."
        )
    return height // prior.factor, width // prior.factor


def _as_large(picture: Tensor, like: Tensor) -> Tensor:
    if picture.shape[1:3] != like.shape[1:3]:
        picture = torch.nn.functional.interpolate(
            picture.movedim(-1, 1), like.shape[1:3], mode="bilinear", antialias=True
        ).movedim(1, -1)
    return picture.to(like.device)
