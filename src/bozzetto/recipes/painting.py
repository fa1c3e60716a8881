"""Pictures of a person that a prior paints from all around, each on its own, for a field to take what they agree on.

A bare body gives single predictions nothing to hold on to: they stay as blurred as the mean of all that words allow.
Painted from noise around the body's skeleton, pictures are sharp and wear clothes. Source: Haque et al. 2023
(Instruct-NeRF2NeRF, arXiv:2303.12789), who fit a field to pictures that a diffusion model paints; theirs begin as the
field's own.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage
from torch import Tensor

from bozzetto.figure.colours import apart_from_border
from bozzetto.prior.denoiser import Conditions, Inpainting
from bozzetto.prior.sample import Guidance, Start, imagine
from bozzetto.recipes.booth import (
    FACING,
    NEGATIVE,
    Booth,
    camera_normals,
    enlarged,
    face_lines,
    look,
    seen,
    side_of,
    skeletons,
    template,
)
from bozzetto.render.cameras import away_from_front
from bozzetto.render.samplers import Crop
from bozzetto.scene.fit import Pictures, fit_sketches
from bozzetto.types import Cameras

STEPS = 16
"""Of the prior, for a picture."""
BATCH = 6
"""Pictures at once."""
FITTING = 500
"""Steps of the field, before the recipe's own."""
OVER, OVER_FITTING = 0.4, 300
"""The share of noise that the field's own pictures are drowned in, and the field's steps, after the recipe's own."""
GREY = 0.62
"""What stands behind: few people wear it."""
_ROOM = 0.1
"""How far from the body may be painted; of a picture's side."""
_APART = 20.0
"""CIEDE2000 from which on a pixel is not the background."""


def paint_first(booth: Booth) -> None:
    """Fits the booth's field to what its priors paint."""
    fit_sketches(booth.scene, painted(booth, booth.settings.pictures_first), FITTING, booth.settings.seed)
    booth.painted = True


def paint_over(booth: Booth) -> None:
    """Fits the booth's field to what its priors make of its own pictures, image to image."""
    fit_sketches(booth.scene, painted(booth, booth.settings.polished, OVER), OVER_FITTING, booth.settings.seed)
    booth.polished = True


def painted(booth: Booth, count: int, noise: float = 1.0) -> Pictures:
    """Three quarters whole bodies, a quarter heads.

    From noise alone they are painted around the skeleton and the lines of the face; else over the field's own pictures,
    whose normals hold the shape. Whatever is painted, the field as it is lies inside.

    Args:
        booth: Field and priors.
        count: Of pictures.
        noise: How much of the field's pictures is drowned before they are painted over, in (0, 1]; 1 for all.

    Raises:
        ValueError: The booth does not know the person's joints and face.
    """
    if booth.joints is None or booth.contours is None:
        raise ValueError("Pictures are painted around the person's joints and face.")
    settings, prompt = booth.settings, booth.prompt
    rng = np.random.default_rng([settings.seed, 2303])
    heads = count // 4
    counts: dict[Crop, int] = {"body": count - heads, "head": heads}
    found = []
    for crop, count in counts.items():
        if not count:
            continue
        prior, said = booth.priors[crop], prompt if isinstance(prompt, str) else prompt[crop]
        views = count if crop == "body" else 12 * count
        shots = look(replace(settings, views=views), crop, booth.body, booth.face, rng)
        if crop == "head":  # bodies show it from behind: a head without lines to look at may get a face there
            away = [away_from_front(turn) >= FACING for turn in shots.azimuths.tolist()]
            shots = shots.some(sorted(range(len(away)), key=away.__getitem__)[:count])
        behind = torch.full((count, settings.render, settings.render, 3), GREY)
        with torch.no_grad():
            each = [seen(booth.scene, shots.cameras[view : view + 1], behind[view : view + 1]) for view in range(count)]
        alpha = torch.cat([sight.alpha for sight in each])
        if noise < 1:
            control = "normal"
            cameras = [shots.cameras[view : view + 1] for view in range(count)]
            normals = [camera_normals(sight, camera, left=True) for sight, camera in zip(each, cameras, strict=True)]
            shown = enlarged(torch.cat(normals), prior.native_size)
        elif crop == "body":
            control, shown = "pose", skeletons(booth.joints, shots, prior.native_size)
        else:
            control, shown = "landmarks", face_lines(booth.contours, shots, prior.native_size)
        plain = settings.templates == "plain"
        angles = zip(shots.azimuths.tolist(), shots.elevations.tolist(), strict=True)
        words = [template(said, crop, side_of(crop, *angle), settings.templates) for angle in angles]
        mask, known = _around(alpha, prior.native_size)
        generator = torch.Generator().manual_seed(settings.seed + count)
        pictures = []
        for first in range(0, count, BATCH):
            some = slice(first, first + BATCH)
            held = Conditions({control: shown[some].to(prior.device)})
            room = Inpainting(mask[some].to(prior.device), known[some].to(prior.device))
            own = None
            if noise < 1:
                before = enlarged(torch.cat([sight.rgb for sight in each[some]]), prior.native_size)
                own = Start(prior.encode(before.clamp(0, 1).to(prior.device)), noise)
            made = imagine(
                prior,
                [each + (", flat light" if plain else "") for each in words[some]],
                "" if plain else NEGATIVE,
                STEPS,
                Guidance(settings.guidance),
                conditions=held if f"control/{control}" in prior.roles else None,
                inpainting=room if "inpaint" in prior.roles else None,
                start=own,
                generator=generator,
            )
            pictures.append(enlarged(made.clamp(0, 1).float().cpu(), settings.render))
        rgb = torch.cat(pictures)
        outlines = np.stack([figure(picture) for picture in rgb.numpy()])
        inside = torch.from_numpy(outlines)[..., None] | (alpha > 0.5)
        found.append((shots.cameras, rgb, inside.float()))
    cameras = Cameras(
        torch.cat([each.world_to_camera for each, _, _ in found]),
        torch.cat([each.intrinsics for each, _, _ in found]),
        settings.render,
        settings.render,
    )
    alpha = torch.cat([each for _, _, each in found])
    return Pictures(cameras, torch.cat([each for _, each, _ in found]) * alpha, alpha)


def _around(alpha: Float[Tensor, "b h w 1"], size: int) -> tuple[Float[Tensor, "b s s 1"], Float[Tensor, "b s s 3"]]:
    """Where to paint, and what is known: grey, but for the body with room for clothes and hair."""
    reach = round(_ROOM * alpha.shape[1])
    near = F.max_pool2d(alpha.movedim(-1, 1), 2 * reach + 1, 1, reach).movedim(1, -1)
    mask = (enlarged(near, size) > 0.1).float()
    return mask, torch.full((*mask.shape[:3], 3), GREY)


def figure(picture: Float[ndarray, "h w 3"]) -> Bool[ndarray, "h w"]:
    """What is not background, its holes filled, without its soft edge."""
    found = ndimage.binary_opening(apart_from_border(picture) > _APART, np.ones((2, 2)))
    return ndimage.binary_erosion(ndimage.binary_fill_holes(found))
