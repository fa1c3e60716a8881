"""Scenes from pictures: a shape to begin with, pictures with outlines and cameras, and out comes the scene they show.

The two volumes share a loop, and what each does as time goes on is a small function; a surface has a loop of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor

from bozzetto.render.volume import Occupancy, Rays, camera_rays
from bozzetto.scene.radiance import NeRF, NeuS, Volume, eikonal
from bozzetto.scene.surface import DMTet
from bozzetto.types import Cameras

V = TypeVar("V", bound=Volume)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a scene is fitted to."""

    cameras: Cameras
    rgb: Float[Tensor, "b h w 3"]
    """As displayed, times alpha."""
    alpha: Float[Tensor, "b h w 1"]

    def __len__(self) -> int:
        return len(self.rgb)

    def some(self, views: Int[Tensor, "k"]) -> "Pictures":
        """These views alone."""
        return Pictures(self.cameras[views], self.rgb[views], self.alpha[views])

    def halved(self) -> "Pictures":
        """At half the size; an odd row or column at the end is dropped."""
        lens = self.cameras.intrinsics.clone()
        lens[:, :2] /= 2
        rgb, alpha = (
            torch.nn.functional.avg_pool2d(each.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            for each in (self.rgb, self.alpha)
        )
        return Pictures(Cameras(self.cameras.world_to_camera, lens, rgb.shape[1], rgb.shape[2]), rgb, alpha)


# ---------------------------------------------------------------------------------------------------- volumes


def fit_neus(scene: NeuS, pictures: Pictures, steps: int, seed: int = 0, rays: int = 1024) -> NeuS:
    """The scene, fitted in place: colours, outlines, and distances that grow by a metre a metre.

    The surface is soft at first, so that it can travel, and sharpens by a schedule until seven tenths of the way; a
    sharpness that is learned, as the paper's, has no time to. Fine levels of the shape open one after the other.

    Args:
        scene: As it starts.
        pictures: Of it as it should be.
        steps: Of the optimiser.
        seed: Of the rays that are drawn.
        rays: A step.
    """

    def at(share: float) -> None:
        _sharpen(scene, share)
        scene.section = 0.02 if share < 0.25 else 0.01
        scene.shape.grid.opened = min(4 + int(10 * share), 8)

    return _fit_volume(scene, pictures, steps, seed, rays, at)


def fit_sketches(scene: NeuS, pictures: Pictures, steps: int, seed: int = 0, rays: int = 1024) -> NeuS:
    """The scene, fitted in place to pictures that do not agree with each other. Arguments as ``fit_neus``.

    Nothing is carved that one outline leaves out, and only what is coarse learns, at a third of the rate.
    """
    grids = scene.shape.grid, scene.colour.grid
    every = [grid.opened for grid in grids]

    def at(share: float) -> None:
        _sharpen(scene, share)
        scene.section = 0.01
        grids[0].opened, grids[1].opened = min(3 + int(10 * share), 5), 5

    _fit_volume(scene, pictures, steps, seed, rays, at, rate=1e-2, carved=False)
    for grid, opened in zip(grids, every, strict=True):
        grid.opened = opened
    return scene


def _sharpen(scene: NeuS, share: float) -> None:
    with torch.no_grad():
        scene.log_sharpness.copy_(torch.tensor(50 * 10 ** min(share / 0.7, 1.0)).log())


def fit_nerf(scene: NeRF, pictures: Pictures, steps: int, seed: int = 0, rays: int = 1024) -> NeRF:
    """The scene, fitted in place: colours and outlines. Arguments as ``fit_neus``."""

    def at(share: float) -> None:
        scene.section = 0.02 if share < 0.25 else 0.01

    return _fit_volume(scene, pictures, steps, seed, rays, at)


def _fit_volume(
    scene: V,
    pictures: Pictures,
    steps: int,
    seed: int,
    rays: int,
    at: Callable[[float], None],
    rate: float = 3e-2,
    carved: bool = True,
) -> V:
    generator = torch.Generator().manual_seed(seed)
    at(0.0)
    if carved:
        scene.carve(hull(pictures, scene.occupancy))
    worth = ray_pool(pictures)
    optimiser = torch.optim.Adam(scene.groups(rate), betas=(0.9, 0.99), fused=True)
    rates = [group["lr"] for group in optimiser.param_groups]
    for step in range(steps):
        at(step / steps)
        if step % 100 == 0 or step in (25, 50):
            scene.refresh()
        for group, first in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = first * 0.05 ** (step / steps)
        rows = worth.draw(rays, generator)
        grey = torch.rand(len(rows), 1, generator=generator)
        seen = scene.trace(Rays(worth.rays.origins[rows], worth.rays.directions[rows]), generator)
        rgb, alpha = worth.rgb[rows], worth.alpha[rows]
        loss = (seen.rgb + (1 - seen.alpha) * grey - rgb - (1 - alpha) * grey).abs().mean()
        outline = torch.nn.functional.binary_cross_entropy(seen.alpha.clamp(1e-3, 1 - 1e-3), alpha)
        loss = loss + 0.1 * outline
        if seen.gradient is not None:
            loss = loss + 0.05 * eikonal(seen.gradient)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    at(1.0)
    scene.refresh()
    return scene


def hull(pictures: Pictures, occupancy: Occupancy) -> Bool[Tensor, "x y z"]:
    """The cells that no outline rules out; beyond a picture's edge everything is possible."""
    shape = occupancy.cells.shape
    cell = (occupancy.high - occupancy.low) / torch.tensor(shape)
    middles = occupancy.low + (torch.ones(shape).nonzero() + 0.5) * cell
    possible = torch.ones(len(middles), dtype=torch.bool)
    cameras = pictures.cameras
    for view in range(len(pictures)):
        rows = possible.nonzero()[:, 0]
        matrix, lens = cameras.world_to_camera[view], cameras.intrinsics[view]
        placed = middles[rows] @ matrix[:3, :3].T + matrix[:3, 3]
        deep = placed[:, 2].clamp_min(0.01)
        column, row = ((placed @ lens.T)[:, :2] / deep[:, None]).floor().long().unbind(1)
        pixels = int((cell.norm() / 2 * lens[1, 1] / deep.min()).clamp(max=64).ceil()) + 1
        there = grown(pictures.alpha[view][None], pixels)[0, ..., 0] > 0.02
        inside = (column >= 0) & (row >= 0) & (column < cameras.width) & (row < cameras.height) & (placed[:, 2] > 0.01)
        seen = there[row.clamp(0, cameras.height - 1), column.clamp(0, cameras.width - 1)]
        possible[rows[inside & ~seen]] = False
    return possible.reshape(shape)


def grown(what: Float[Tensor, "b h w 1"], pixels: int) -> Float[Tensor, "b h w 1"]:
    """The highest value within a square that reaches so many pixels to each side."""
    out = what.permute(0, 3, 1, 2)
    for size in ((2 * pixels + 1, 1), (1, 2 * pixels + 1)):
        out = torch.nn.functional.max_pool2d(out, size, 1, (size[0] // 2, size[1] // 2))
    return out.permute(0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class RayPool:
    """The rays of all pictures that are worth a look, and what they should see."""

    rays: Rays
    rgb: Float[Tensor, "n 3"]
    alpha: Float[Tensor, "n 1"]
    through: Int[Tensor, "_"]
    """Rows of the rays that meet the figure for certain."""
    along: Int[Tensor, "_"]
    """Of those beside its outline."""
    past: Int[Tensor, "_"]

    def draw(self, count: int, generator: torch.Generator) -> Int[Tensor, "n"]:
        """Rows: half of them through the figure, a third along its outline, the rest past it."""
        picks = []
        for rows, share in ((self.through, 0.5), (self.along, 0.35), (self.past, 0.15)):
            number = round(count * share) if len(rows) else 0
            picks.append(rows[torch.randint(max(len(rows), 1), (number,), generator=generator)])
        return torch.cat(picks)


def ray_pool(pictures: Pictures, rim: int = 2, far: int = 10) -> RayPool:
    """Every pixel's ray but those far from the figure, where the hull leaves nothing to see.

    Args:
        pictures: To draw from.
        rim: Pixels to either side of the outline that count as the outline.
        far: Pixels beyond it where the last rays go.
    """
    kept = (grown(pictures.alpha, far) > 0.02).reshape(-1).nonzero()[:, 0]
    through = (grown(1 - pictures.alpha, rim) < 0.02).reshape(-1)[kept]
    past = (grown(pictures.alpha, rim) < 0.02).reshape(-1)[kept]
    every = camera_rays(pictures.cameras)
    rows = ((each).nonzero()[:, 0] for each in (through, ~through & ~past, past))
    rays = Rays(every.origins[kept], every.directions[kept])
    return RayPool(rays, pictures.rgb.reshape(-1, 3)[kept], pictures.alpha.reshape(-1, 1)[kept], *rows)


# ---------------------------------------------------------------------------------------------------- surfaces


@dataclass(frozen=True)
class Stage:
    """A stretch of ``fit_dmtet`` in one grid."""

    share: float
    """Of all steps."""
    cell: float
    """Side of the grid's cubes, metres."""
    reach: float
    """Metres that the surface may travel each way."""
    spread: int
    """How often a node's gradient is averaged with its neighbours'."""
    half: bool
    """Look at pictures of half the size."""
    colours: bool
    """Colours move the surface too; as long as they are wrong they tell nothing of it."""


STAGES = (
    Stage(0.15, 0.035, 0.12, 24, half=True, colours=False),
    Stage(0.15, 0.035, 0.12, 12, half=True, colours=False),
    Stage(0.70, 0.018, 0.04, 4, half=False, colours=True),
)


def fit_dmtet(scene: DMTet, pictures: Pictures, steps: int, seed: int = 0, views: int = 4) -> DMTet:
    """A scene fitted to the pictures: colours, outlines, and points near the mean of their neighbours.

    Coarse grids come first, and each begins with true distances to the surface of the one before. A node's gradient is
    spread over its neighbours, else the nodes at the outlines would run away from the rest.

    Args:
        scene: As it starts; it stays as it is, but for its colours.
        pictures: Of it as it should be.
        steps: Of the optimiser.
        seed: Of the views that are drawn.
        views: Pictures a step.
    """
    generator = torch.Generator().manual_seed(seed)
    smaller = pictures.halved()
    paint = torch.optim.Adam(scene.colour.groups(3e-2), betas=(0.9, 0.99), fused=True)
    rates = [group["lr"] for group in paint.param_groups]
    done = 0
    for stage in STAGES:
        scene = scene.again(stage.cell, stage.reach)
        spread = spreading(scene.tetrahedra, len(scene.positions), stage.spread)
        form = torch.optim.Adam([scene.sdf, scene.offsets], betas=(0.9, 0.99))
        count = round(steps * stage.share)
        for step in range(count):
            for group, rate in zip(paint.param_groups, rates, strict=True):
                group["lr"] = rate * 0.1 ** (done / steps)
            targets = smaller if stage.half else pictures
            wanted = targets.some(torch.randperm(len(targets), generator=generator)[:views])
            grey = torch.rand(3, generator=generator)
            points, faces = scene.surface()
            seen = scene.draw(points, faces, wanted.cameras, grey)
            colour = (seen.rgb - wanted.rgb - (1 - wanted.alpha) * grey).abs().mean()
            shape = 2 * ((seen.alpha - wanted.alpha) ** 2).mean() + 0.05 * bumps(points, faces, stage.cell)
            form.zero_grad()
            paint.zero_grad()
            if stage.colours:
                (shape + colour).backward()
            else:
                shape.backward(inputs=[scene.sdf, scene.offsets], retain_graph=True)
                colour.backward(inputs=list(scene.colour.parameters()))
            size = spread(scene.sdf)
            # An epsilon near the size of a usual gradient: a node that hears only noise stays where it is.
            form.param_groups[0] |= {"lr": stage.cell / 6 * 0.03 ** (step / count), "eps": 0.5 * size}
            form.step()
            paint.step()
            done += 1
    return scene


Spread: TypeAlias = Callable[[Tensor], float]


def spreading(tetrahedra: Int[Tensor, "t 4"], nodes: int, times: int) -> Spread:
    """A function that gives each node of a grid the mean gradient of its neighbours, several times over.

    It changes the gradient of the tensor it is given, and returns the root mean square of what is not zero.

    Source: Nicolet et al. 2021, Large Steps in Inverse Rendering of Geometry: gradients behind a diffusion. Departs
        from it: a few averages take the place of the inverse.
    """
    corners = tetrahedra.numpy()
    a, b = corners[:, [0, 0, 0, 1, 1, 2]].ravel(), corners[:, [1, 2, 3, 2, 3, 3]].ravel()
    ends = np.concatenate([a, b, np.arange(nodes)]), np.concatenate([b, a, np.arange(nodes)])
    beside = sparse.coo_array((np.ones(len(ends[0]), np.float32), ends), (nodes, nodes)).tocsr()
    beside.data[:] = 1
    mean = sparse.diags_array((1 / beside.sum(1)).astype(np.float32)) @ beside

    def spread(values: Tensor) -> float:
        if values.grad is None:
            return 1.0
        found = values.grad.numpy()
        for _ in range(times):
            found = mean @ found
        values.grad.copy_(torch.from_numpy(found))
        return float(np.sqrt(np.square(found).sum() / max(np.count_nonzero(found), 1)) + 1e-20)

    return spread


def bumps(points: Float[Tensor, "p 3"], faces: Int[Tensor, "f 3"], cell: float) -> Float[Tensor, ""]:
    """How far points lie from the mean of their neighbours, squared, in cells, on average: a Laplacian term."""
    if not len(points):
        return points.sum()
    ends = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    total = torch.zeros_like(points).index_add(0, ends[:, 0], points.index_select(0, ends[:, 1]))
    count = torch.bincount(ends[:, 0], minlength=len(points)).clamp_min(1)[:, None]
    return (((total / count - points) / cell) ** 2).sum(1).mean()
