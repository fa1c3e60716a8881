"""What AvatarBooth does in a step: look, render one of three ways, enlarge, ask the prior, move the field.

Source: Zeng et al. 2023, arXiv:2306.09864, sections 3.2 to 3.4, and the release; ``recipes.avatarbooth`` says which of
the two where they differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from bozzetto.figure.ground_truth import contour_lines
from bozzetto.guidance import Objective, PicturePrior, Text, add_noise, distillation_loss, sample_t, target_latents
from bozzetto.guidance.schedules import linear
from bozzetto.prior.denoiser import Conditions
from bozzetto.prior.load import EMBEDDED, load
from bozzetto.recipes.avatarbooth import AvatarBooth
from bozzetto.render.cameras import away_from_front
from bozzetto.render.conditions import face_landmarks, pose_skeleton
from bozzetto.render.samplers import Box, Crop, Shots, dual, full_body, head
from bozzetto.render.volume import camera_rays
from bozzetto.scene.radiance import NeuS, eikonal
from bozzetto.types import Cameras

Kind: TypeAlias = Literal["colour", "normal", "relief"]
Side: TypeAlias = Literal["front", "side", "back", "overhead"]

NEGATIVE = (
    "missing limbs, extra limbs, bad face, bad hands, bad teeth, bad eyes, dark, dull, painting, sketch, "
    "low resolution, skin blemishes, nsfw"
)
"""What the release's one negative list names."""
FACING = 78.0
"""Degrees from the front up to which a face has lines."""
_SIDE = {"body": 60.0, "head": 45.0}
"""Degrees from the front where the side begins; the back begins as far from the back."""


# ---------------------------------------------------------------------------------------------------- words


def template(prompt: str, crop: Crop, side: Side, style: str) -> str:
    """The prompt as it is asked for a view.

    Args:
        prompt: Who it is.
        crop: What fills the picture.
        side: From where.
        style: "plain": as captions of the embedded prior. "release": as the paper's release writes them.
    """
    if style == "plain":
        return f"{prompt}, {side} view, {'full body' if crop == 'body' else 'head portrait'}"
    if crop == "head":
        return f"face,{'' if side == 'front' else f'{side} view,'}{prompt},  RAW Photo"
    if side == "back":
        return f"backview,{prompt},full body,from_behind, RAW Photo"
    front = f"full body,{prompt}, front view,realistic,RAW Photo"
    return front if side == "front" else f"{side} view,full body,{prompt},realistic,RAW Photo"


def side_of(crop: Crop, azimuth: float, elevation: float) -> Side:
    """From where a view is called; degrees."""
    if elevation > 60:
        return "overhead"
    turn = away_from_front(azimuth)
    return "front" if turn <= _SIDE[crop] else "back" if turn >= 180 - _SIDE[crop] else "side"


@dataclass(frozen=True, eq=False)
class Words:
    """One region's words, embedded by that region's prior."""

    sides: Mapping[tuple[Side, bool], Float[Tensor, "n d"]]
    """By side, and whether the picture is lit by nothing."""
    unconditional: Float[Tensor, "n d"]

    def at(self, sides: list[Side], flat: list[bool]) -> Text:
        wanted = torch.stack([self.sides[each] for each in zip(sides, flat, strict=True)])
        return Text(wanted, self.unconditional.expand(len(sides), -1, -1))


def embedded(prior: PicturePrior, prompt: str, crop: Crop, style: str) -> Words:
    """The prompt from every side."""
    sides: list[tuple[Side, bool]] = [
        (side, flat) for side in ("front", "side", "back", "overhead") for flat in (True, False)
    ]
    lit = {True: ", flat light" if style == "plain" else "", False: ""}
    texts = [template(prompt, crop, side, style) + lit[flat] for side, flat in sides]
    with torch.no_grad():
        rows = prior.embed([*texts, "" if style == "plain" else NEGATIVE])
    return Words(dict(zip(sides, rows, strict=False)), rows[-1])


# ---------------------------------------------------------------------------------------------------- pictures


def target_side(progress: float, native: int, factor: int, growing: bool = True) -> int:
    """Pixels of a side that a render is enlarged to: 512, 640 and 768 for a prior of 512.

    Args:
        progress: Share of the steps that is done.
        native: The prior's own size.
        factor: Its pixels a latent, which divides every size.
        growing: Else always native.
    """
    share = 1.0 if not growing or progress < 0.25 else 1.25 if progress < 0.5 else 1.5
    return round(native * share / factor) * factor


def enlarged(pictures: Float[Tensor, "b h w c"], side: int) -> Float[Tensor, "b s s c"]:
    """Bilinear."""
    return F.interpolate(
        pictures.movedim(-1, 1), (side, side), mode="bilinear", antialias=side < pictures.shape[1]
    ).movedim(1, -1)


def kind_of(side: Side, draw: float, normals: float, relief: float) -> Kind:
    """How a view is rendered. Fronts: normals, relief, colours by their shares; all else in colours.

    Args:
        side: From where.
        draw: Uniform in [0, 1).
        normals: Share of normals.
        relief: Share without texture.
    """
    if side != "front" or draw < 1 - normals - relief:
        return "colour"
    return "normal" if draw >= 1 - normals else "relief"


def background(kind: str, size: int, rng: np.random.Generator) -> Float[Tensor, "h w 3"]:
    """What stands behind: black, white, grey, noise N(0.5, 0.2), or a blurred checkerboard of 10 to 19 cells."""
    if kind == "noise":
        grey = rng.normal(0.5, 0.2, (size, size, 1)).clip(0, 1)
    elif kind == "checkerboard":
        cells = np.indices((size, size)) * rng.integers(10, 20) // size
        board = torch.from_numpy(np.where(cells.sum(0) % 2, 0.8, 0.2)).float()[None, None]
        grey = F.avg_pool2d(F.pad(board, (1, 1, 1, 1), mode="replicate"), 3, 1)[0, 0, ..., None].numpy()
    else:
        level = {"black": 0.0, "white": 1.0}.get(kind)
        grey = np.full((size, size, 1), rng.uniform(0, 1) if level is None else level)
    return torch.from_numpy(grey).float().expand(-1, -1, 3)


BACKGROUNDS = ("black", "white", "noise", "checkerboard")
PLAIN_BACKGROUNDS = ("black", "white", "grey", "grey")


@dataclass(frozen=True, eq=False)
class Sight:
    """What a field shows."""

    rgb: Float[Tensor, "b h w 3"]
    """As displayed, over what stands behind."""
    alpha: Float[Tensor, "b h w 1"]
    normal: Float[Tensor, "b h w 3"]
    """World space, unit length; zero where nothing is."""
    gradient: Float[Tensor, "n 3"]
    """Of the distance, at every sample."""


def seen(
    scene: NeuS, cameras: Cameras, behind: Float[Tensor, "b h w 3"], generator: torch.Generator | None = None
) -> Sight:
    """The field's pictures, with gradient."""
    found = scene.trace(camera_rays(cameras), generator)
    shape = (len(cameras), cameras.height, cameras.width, -1)
    rgb, alpha, normal = (each.reshape(shape) for each in (found.rgb, found.alpha, found.normal))
    unit = F.normalize(normal, dim=-1) * (alpha > 0.01)
    assert found.gradient is not None
    return Sight(rgb + (1 - alpha) * behind, alpha, unit, found.gradient)


def camera_normals(sight: Sight, cameras: Cameras, left: bool = False) -> Float[Tensor, "b h w 3"]:
    """Normals in the camera's space as colours, (n + 1) / 2: x to the right (or ``left``), y up, z to the viewer.

    Where nothing is: (0.5, 0.5, 1). With gradient.
    """
    turned = torch.einsum("bij,bhwj->bhwi", cameras.world_to_camera[:, :3, :3], sight.normal)
    signs = turned.new_tensor([-1.0 if left else 1.0, -1.0, -1.0])
    wall = turned.new_tensor([0.5, 0.5, 1.0])
    return (turned * signs + 1) / 2 * sight.alpha + wall * (1 - sight.alpha)


def lit(
    sight: Sight, cameras: Cameras, behind: Float[Tensor, "b h w 3"], rng: np.random.Generator
) -> Float[Tensor, "b h w 3"]:
    """The shape in white under one lamp within 45 degrees of the camera; ambient light up to 0.2."""
    pictures = []
    for view in range(len(cameras)):
        tilt = np.radians(rng.uniform(-45, 45, 2))
        local = np.array([np.sin(tilt[0]), -np.sin(tilt[1]), -np.cos(tilt[0]) * np.cos(tilt[1])])
        lamp = local @ cameras.world_to_camera[view, :3, :3].numpy() / np.linalg.norm(local)
        ambient = float(rng.uniform(0, 0.2))
        facing = (sight.normal[view] * torch.from_numpy(lamp).float()).sum(-1, keepdim=True).clamp_min(0)
        shade = ambient + (1 - ambient) * facing
        pictures.append(shade.expand(-1, -1, 3) * sight.alpha[view] + behind[view] * (1 - sight.alpha[view]))
    return torch.stack(pictures)


# ---------------------------------------------------------------------------------------------------- the booth


def load_priors(settings: AvatarBooth) -> dict[Crop, Any]:
    """Who judges bodies, and who judges heads."""
    body = load(settings.prior, settings.device)
    return {"body": body, "head": body if settings.head_prior is None else load(settings.head_prior, settings.device)}


def weight_files(priors: Mapping[Crop, Any]) -> dict[str, Path]:
    """The files of weights that have a say, by what they hold: all of a folder's, else those of the base.

    Where bodies and heads have different priors, by "body/" and "head/" before that.
    """
    found: dict[str, Path] = {}
    several = len({prior.name for prior in priors.values()}) > 1
    for crop, prior in priors.items():
        folder, files = EMBEDDED if prior.name == "embedded" else Path(prior.name), prior.weights
        if folder.is_dir():
            files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.safetensors"))}
        found |= {f"{crop}/{name}" if several else name: path for name, path in files.items()}
    return found


def look(settings: AvatarBooth, crop: Crop, body: Box, face: Box, rng: np.random.Generator) -> Shots:
    """A step's cameras, all on the head or all on the body."""
    if settings.cameras == "dual":
        return dual(settings.views, settings.render, body, face, rng, head_share=float(crop == "head"))
    return (head if crop == "head" else full_body)(
        settings.views, settings.render, face if crop == "head" else body, rng
    )


class Booth:
    """A field, its cameras, those who judge it, and its optimiser."""

    def __init__(
        self,
        settings: AvatarBooth,
        scene: NeuS,
        body: Box,
        face: Box,
        priors: Mapping[Crop, Any],
        prompt: str | Mapping[Crop, str],
        joints: Float[ndarray, "17 3"] | None = None,
        contours: Mapping[str, Float[ndarray, "_ 3"]] | None = None,
    ) -> None:
        """
        Args:
            settings: How.
            scene: It learns in place.
            body: Corners of the whole person.
            face: Corners of the head.
            priors: One for bodies, one for heads; they may be the same.
            prompt: Who it is; or who each region is.
            joints: Where the person's are, in COCO's order; for pose control and painted pictures.
            contours: Of the person's face, by the names of ``body.landmarks``; for painted pictures.
        """
        self.settings, self.scene, self.body, self.face, self.priors = settings, scene, body, face, priors
        self.joints, self.contours, self.prompt = joints, contours, prompt
        said = {crop: prompt if isinstance(prompt, str) else prompt[crop] for crop in priors}
        self.words = {crop: embedded(each, said[crop], crop, settings.templates) for crop, each in priors.items()}
        self.done, self.painted, self.polished = 0, False, False
        groups = [*scene.shape.groups(settings.learning_rate / 3), *scene.colour.groups(settings.learning_rate)]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self._rates = [group["lr"] for group in self.optimiser.param_groups]

    def step(self, index: int) -> float:
        """One step of the optimiser; returns the loss. What is random depends on seed and index alone."""
        settings, scene = self.settings, self.scene
        rng = np.random.default_rng([settings.seed, index])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        crop: Crop = "head" if rng.random() < settings.head_share else "body"
        shots = look(settings, crop, self.body, self.face, rng)
        progress = index / settings.steps
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_share(index, settings.steps)
        if index % 50 == 0:
            scene.refresh()
        self.optimiser.zero_grad()
        loss = step_loss(
            scene, shots, settings, self.priors[crop], self.words[crop], progress, rng, generator, self.joints
        )
        loss.backward()
        self.optimiser.step()
        self.done = index + 1
        return loss.item()

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on from here."""
        out = {f"scene/{name}": value for name, value in self.scene.state_dict().items()}
        for row, each in self.optimiser.state_dict()["state"].items():
            out |= {f"adam/{row}/{name}": value for name, value in each.items()}
        out |= {name: torch.tensor(getattr(self, name)) for name in ("done", "painted", "polished")}
        return {name: value.detach().clone() for name, value in out.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a state."""
        self.scene.load_state_dict({key[6:]: value for key, value in state.items() if key.startswith("scene/")})
        rows: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith("adam/"):
                _, row, name = key.split("/")
                rows.setdefault(int(row), {})[name] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": rows})
        self.done, self.painted = int(state["done"]), bool(state["painted"])
        self.polished = bool(state.get("polished", False))


def learning_share(index: int, steps: int) -> float:
    """Warmed up over the first sixteenth, then by a cosine to a tenth: the release's 500 of 8000 steps."""
    warm = max(steps // 16, 1)
    if index < warm:
        return (index + 1) / warm
    share = (index - warm) / max(steps - warm, 1)
    return 0.1 + 0.9 * (1 + np.cos(np.pi * share)) / 2


def step_loss(
    scene: NeuS,
    shots: Shots,
    settings: AvatarBooth,
    prior: Any,
    words: Words,
    progress: float,
    rng: np.random.Generator,
    generator: torch.Generator,
    joints: Float[ndarray, "17 3"] | None = None,
) -> Float[Tensor, ""]:
    """What a step minimises: the distillation and 0.1 of the eikonal term, nothing else."""
    cameras, crop = shots.cameras, shots.crops[0]
    angles = zip(shots.azimuths.tolist(), shots.elevations.tolist(), strict=True)
    sides: list[Side] = [side_of(crop, *each) for each in angles]
    kinds = [kind_of(side, rng.random(), settings.normals, settings.relief) for side in sides]
    choices = PLAIN_BACKGROUNDS if settings.plain_backgrounds else BACKGROUNDS
    behind = torch.stack([background(str(rng.choice(choices)), settings.render, rng) for _ in sides])
    sight = seen(scene, cameras, behind, generator)
    relief = lit(sight, cameras, behind, rng)
    by_kind = {"colour": sight.rgb, "normal": camera_normals(sight, cameras), "relief": relief}
    pictures = torch.stack([by_kind[kind][view] for view, kind in enumerate(kinds)])
    side = target_side(progress, prior.native_size, prior.factor, settings.growing)
    conditions = None
    if f"control/{settings.control}" in prior.roles:
        shown = camera_normals(sight, cameras, left=True).detach()
        if settings.control == "pose" and joints is not None:
            shown = skeletons(joints, shots, side)
        conditions = Conditions({settings.control: enlarged(shown, side).to(prior.device)})
    text = words.at(sides, [kind == "colour" for kind in kinds])
    loss = guided(prior, enlarged(pictures, side), text, settings, progress, generator, conditions)
    return loss + settings.eikonal * eikonal(sight.gradient)


def skeletons(joints: Float[ndarray, "17 3"], shots: Shots, size: int) -> Float[Tensor, "b s s 3"]:
    """The person's skeleton as OpenPose draws it; no face from behind."""
    drawn = []
    for view, azimuth in enumerate(shots.azimuths.tolist()):
        at, ahead = _pixels(joints, shots.cameras, view, size)
        there = ahead & (at >= 0).all(1) & (at < size).all(1)
        there[:3] &= away_from_front(azimuth) < 100
        drawn.append(torch.from_numpy(pose_skeleton(at, there, size)).float() / 255)
    return torch.stack(drawn)


def face_lines(contours: Mapping[str, Float[ndarray, "_ 3"]], shots: Shots, size: int) -> Float[Tensor, "b s s 3"]:
    """The person's face as MediaPipe's picture draws it; nothing where it looks away."""
    drawn = []
    for view, azimuth in enumerate(shots.azimuths.tolist()):
        at = {name: _pixels(points, shots.cameras, view, size)[0] for name, points in contours.items()}
        lines = contour_lines(at) if away_from_front(azimuth) < FACING else {}
        drawn.append(torch.from_numpy(face_landmarks(lines, size)).float() / 255)
    return torch.stack(drawn)


def _pixels(
    points: Float[ndarray, "n 3"], cameras: Cameras, view: int, size: int
) -> tuple[Float[ndarray, "n 2"], Bool[ndarray, "n"]]:
    """Where points are seen in a picture of that size, and which lie before the camera."""
    matrix, lens = cameras.world_to_camera[view].numpy(), cameras.intrinsics[view].numpy()
    placed = (points @ matrix[:3, :3].T + matrix[:3, 3]) @ lens.T
    return placed[:, :2] / np.maximum(placed[:, 2:], 1e-6) * (size / cameras.width), placed[:, 2] > 0


def guided(
    prior: Any,
    pictures: Float[Tensor, "b h w 3"],
    text: Text,
    settings: AvatarBooth,
    progress: float,
    generator: torch.Generator,
    conditions: Conditions | None = None,
) -> Float[Tensor, ""]:
    """What the prior has against the pictures."""
    device = text.conditional.device
    pictures = pictures.to(device)
    low, high, end = settings.levels
    t = sample_t(linear(progress, low, high, end), len(pictures), generator).to(device)
    objective = Objective(settings.residual, settings.guidance)
    latents = prior.encode(pictures.detach()) if settings.pictures else prior.encode(pictures, generator)
    noisy = add_noise(prior, latents, t, torch.randn(latents.shape, generator=generator).to(device))
    if not settings.pictures:
        return distillation_loss(prior, latents, noisy, text, objective, conditions).cpu()
    with torch.no_grad():
        goal = prior.decode(target_latents(prior, latents, noisy, text, objective, conditions))
    return (pictures - goal).abs().mean().cpu()
