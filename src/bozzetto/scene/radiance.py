"""Scenes of light in a volume: NeRF, of densities, and NeuS, of signed distances. Both start from a mesh.

What they render is the colour as displayed (sRGB, no light), which is what diffusion models and photos show.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import Tensor, nn

from bozzetto.render.raster import check_size
from bozzetto.render.volume import Occupancy, Rays, Samples, accumulate, camera_rays, march, neus_alpha, weights
from bozzetto.scene.distance import DistanceGrid, distance_grid
from bozzetto.scene.field import Field, chunks
from bozzetto.scene.store import StoredScene
from bozzetto.scene.tetrahedra import marching_tetrahedra, tet_grid
from bozzetto.types import Cameras, ColouredMesh, RenderOutput

_RAYS_AT_ONCE = 1 << 15

V = TypeVar("V", bound="Volume")


@dataclass(frozen=True, eq=False)
class Shine:
    """What a volume answers along rays."""

    rgb: Float[Tensor, "r 3"]
    """As displayed; not yet over a background."""
    alpha: Float[Tensor, "r 1"]
    distance: Float[Tensor, "r 1"]
    """Metres along the ray, times alpha."""
    normal: Float[Tensor, "r 3"]
    """Times alpha."""
    gradient: Float[Tensor, "n 3"] | None = None
    """Of the signed distance, at every sample: what the eikonal term is made of."""


class Volume(StoredScene):
    """What NeRF and NeuS share: a box, a distance grid to start from, rays through what is occupied, a surface."""

    start_values: Tensor
    start_low: Tensor
    cells: Tensor
    possible: Tensor

    def __init__(self, start: DistanceGrid, reach: float, section: float, seed: int) -> None:
        """
        Args:
            start: Around the mesh to begin with.
            reach: Metres on either side of the start's surface where the scene may be.
            section: Metres between samples along a ray.
            seed: Of the first weights.
        """
        super().__init__()
        self.cell, self.reach, self.section = start.cell, reach, section
        self.options = {"cell": start.cell, "reach": reach, "section": section, "seed": seed}
        self.register_buffer("start_values", start.values)
        self.register_buffer("start_low", start.low)
        self.register_buffer("cells", start.occupancy(reach, inside=False).cells)
        self.register_buffer("possible", torch.ones_like(self.cells))

    @classmethod
    def from_mesh(
        cls: type[V],
        vertices: Float[ndarray, "v 3"],
        faces: Int[ndarray, "f 3"],
        cell: float = 0.02,
        seed: int = 0,
        **options: Any,
    ) -> V:
        """The scene that looks like the mesh, grey, and may grow around it.

        Args:
            vertices: Metres.
            faces: They may leave holes.
            cell: Metres between the nodes of the distance grid.
            seed: Of the first weights.
            options: Of the scene itself.
        """
        return cls(distance_grid(vertices, faces, cell, options.get("reach", 0.08) + 2 * cell), seed=seed, **options)

    @property
    def start(self) -> DistanceGrid:
        return DistanceGrid(self.start_values, self.start_low, self.cell)

    @property
    def occupancy(self) -> Occupancy:
        """The cells that rays ask: all within reach, or since ``refresh`` those that hold something."""
        return Occupancy(self.cells, self.start.low, self.start.high)

    @torch.no_grad()
    def refresh(self) -> None:
        """Looks again which cells within reach hold something, so that rays ask no others. Call it now and then."""
        cells = self.start.occupancy(self.reach, inside=False).cells * self.possible
        index = (cells == 1).nonzero()
        middles = self.start.low + (index + 0.5) * self.cell
        kinds = torch.cat([self.holds(middles[part]) for part in chunks(len(middles), 1 << 16)])
        found = torch.zeros_like(cells)
        found[tuple(index.unbind(1))] = kinds
        beside = torch.nn.functional.max_pool3d((found == 1)[None, None].float(), 3, 1, 1)[0, 0] > 0
        self.cells.copy_(torch.where(cells == 1, torch.where(beside, 1, found), cells).to(torch.uint8))

    def carve(self, possible: Bool[Tensor, "x y z"]) -> None:
        """From now on nothing is where these cells say no, whatever was learned there."""
        self.possible.copy_(possible)
        self.refresh()

    @abstractmethod
    def holds(self, points: Float[Tensor, "n 3"]) -> UInt8[Tensor, "n"]:
        """What a cell with this middle is: 0 empty, 1 to be asked, as will those beside it, 2 solid."""

    @abstractmethod
    def shine(self, rays: Rays, samples: Samples) -> Shine:
        """What the field answers at samples, summed along the rays."""

    @abstractmethod
    def groups(self, rate: float = 1e-2) -> list[dict[str, object]]:
        """What an optimiser needs."""

    def trace(self, rays: Rays, generator: torch.Generator | None = None) -> Shine:
        """What is seen along rays.

        Args:
            rays: World space.
            generator: Of the jitter along each ray; without it samples lie at the middles of sections.
        """
        jitter = None if generator is None else torch.rand(len(rays.origins), generator=generator)
        return self.shine(rays, march(rays, self.occupancy, self.section, jitter))

    def render(
        self,
        cameras: Cameras,
        background: Float[Tensor, "3"] | Float[Tensor, "b h w 3"] | float = 1.0,
        generator: torch.Generator | None = None,
    ) -> RenderOutput:
        """Pictures, as displayed.

        Args:
            cameras: Any number.
            background: A colour, a picture a view, or a grey; as displayed.
            generator: Of the jitter along rays.

        Raises:
            ValueError: A picture without pixels.
        """
        check_size(cameras)
        rays = camera_rays(cameras)
        size = len(rays.origins) if torch.is_grad_enabled() else _RAYS_AT_ONCE
        parts = [
            self.trace(Rays(rays.origins[part], rays.directions[part]), generator)
            for part in chunks(len(rays.origins), size)
        ]
        shape = (len(cameras), cameras.height, cameras.width)
        rgb, alpha, distance, normal = (
            torch.cat([getattr(part, name) for part in parts]).reshape(*shape, -1)
            for name in ("rgb", "alpha", "distance", "normal")
        )
        towards = rays.directions.reshape(*shape, 3)
        forward = cameras.world_to_camera[:, None, None, 2, :3]
        deep = distance / alpha.clamp_min(1e-6) * (towards * forward).sum(-1, keepdim=True)
        unit = torch.nn.functional.normalize(normal, dim=-1) * (alpha > 0.01)
        seen = (alpha[..., 0] > 0.5).long() - 1
        return RenderOutput(rgb + (1 - alpha) * background, alpha, deep * (alpha > 0.01), unit, seen)

    @abstractmethod
    def surface(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        """At points: a distance that is negative inside (its zero is the surface), and the colour."""

    @torch.no_grad()
    def mesh(self, cell: float | None = None) -> ColouredMesh:
        """The surface as triangles with a colour a vertex.

        Args:
            cell: Metres; the distance grid's without it.
        """
        start, size = self.start, cell or self.cell
        middle = self.reach + size

        def near(at: Float[ndarray, "n 3"]) -> ndarray:
            found = start.at(torch.from_numpy(at).float())
            return (found.abs() < middle + start.cell).numpy()

        grid = tet_grid(start.low.double().numpy(), start.high.double().numpy(), size, near)
        distance = torch.cat([self.surface(grid.positions[part])[0] for part in chunks(len(grid.positions), 1 << 17)])
        where = ((grid.positions - start.low) / self.cell).long()
        where = torch.minimum(where.clamp_min(0), torch.tensor(self.possible.shape) - 1)
        distance = torch.where(self.possible[tuple(where.unbind(1))] > 0, distance, distance.clamp_min(size / 4))
        points, faces = marching_tetrahedra(grid.positions, distance, grid.tetrahedra)
        colours = [self.surface(points[part])[1] for part in chunks(len(points), 1 << 17)]
        return ColouredMesh(points, faces, torch.cat([torch.zeros(0, 3), *colours]))

    @classmethod
    def blank(cls: type[V], tensors: dict[str, Tensor], options: dict[str, Any]) -> V:
        start = DistanceGrid(tensors["start_values"], tensors["start_low"], options.pop("cell"))
        return cls(start, **options)


class NeRF(Volume):
    """Densities and colours. Mildenhall et al. 2020, with hashed features (Mueller et al. 2022).

    The density is 100 softplus(g(x) - d(x) / width), d the start's signed distance and g what is learned: the start is
    fog as thick as a body where the mesh was, and learning may move it anywhere within reach.
    """

    def __init__(
        self, start: DistanceGrid, reach: float = 0.08, section: float = 0.01, width: float = 0.01, seed: int = 0
    ) -> None:
        super().__init__(start, reach, section, seed)
        self.width = width
        self.options["width"] = width
        generator = torch.Generator().manual_seed(seed)
        self.field = Field(start.low, start.high, 4, generator)
        self.refresh()

    def holds(self, points: Float[Tensor, "n 3"]) -> UInt8[Tensor, "n"]:
        return (self.density(points)[0] > 1.0).to(torch.uint8)

    def density(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        """Per metre, and the colour as displayed."""
        raw = self.field(points)
        lean = (-self.start.at(points) / self.width).clamp(-6, 3)
        return 100 * torch.nn.functional.softplus(raw[:, 0] + lean), torch.sigmoid(raw[:, 1:])

    def shine(self, rays: Rays, samples: Samples) -> Shine:
        points = samples.points(rays)
        density, colour = self.density(points)
        weight = weights(1 - torch.exp(-density * samples.length), samples.starts)
        alpha = accumulate(weight, torch.ones_like(weight)[:, None], samples)
        distance = accumulate(weight, samples.distance[:, None], samples)
        with torch.no_grad():
            normal = torch.zeros_like(points)
            shown = (weight > 1e-3).nonzero()[:, 0]
            apart, towards = self.start.steep(points[shown])
            leans = ((apart > -3 * self.width) & (apart < 6 * self.width))[:, None]  # where ``density`` clamps nothing
            slope = self.field.steep(points[shown])[1] - towards / self.width * leans
            normal[shown] = torch.nn.functional.normalize(-slope, dim=1)
            normal = accumulate(weight, normal, samples)
        return Shine(accumulate(weight, colour, samples), alpha, distance, normal)

    def surface(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        density, colour = self.density(points)
        return 1 - density / 50, colour  # half of the light is stopped within 14 mm

    def groups(self, rate: float = 1e-2) -> list[dict[str, object]]:
        """What an optimiser needs."""
        return self.field.groups(rate)


class NeuS(Volume):
    """Signed distances and colours. Wang et al. 2021, arXiv:2106.10689, around a body or a figure (AvatarBooth).

    The distance is the start's plus what is learned, so step zero is the start itself. Departs from the paper: hashed
    features in place of frequencies, whose gradient is a kernel with a gradient of its own; no view directions.
    """

    freedom: Tensor

    def __init__(
        self,
        start: DistanceGrid,
        reach: float = 0.08,
        section: float = 0.008,
        sharpness: float = 150.0,
        seed: int = 0,
    ) -> None:
        """
        Args:
            start: Around the mesh to begin with.
            reach: Metres beyond its surface where the scene may grow or shrink.
            section: Metres between samples along a ray.
            sharpness: At first, 1 / metres: how suddenly the surface begins. It is learned.
            seed: Of the first weights.
        """
        super().__init__(start, reach, section, seed)
        self.options["sharpness"] = sharpness
        generator = torch.Generator().manual_seed(seed)
        self.shape = Field(start.low, start.high, 1, generator)
        self.colour = Field(start.low, start.high, 3, generator)
        self.log_sharpness = nn.Parameter(torch.tensor(sharpness).log())
        self.register_buffer("freedom", torch.ones_like(start.values))
        self.refresh()

    def hold(self, share: Float[Tensor, "x y z"]) -> None:
        """From now on the shape is the start's, as far as the nodes of its grid say: 1 is wholly. Colours are free."""
        self.freedom.copy_(1 - share)
        self.refresh()

    @property
    def holding(self) -> bool:
        """Whether any of the shape is held."""
        return bool((self.freedom < 1).any())

    def held(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """How far the shape at points is the start's."""
        return 1 - self._free.at(points).clamp(0, 1)

    @property
    def _free(self) -> DistanceGrid:
        return DistanceGrid(self.freedom, self.start_low, self.cell)

    def holds(self, points: Float[Tensor, "n 3"]) -> UInt8[Tensor, "n"]:
        distance, fog = self.distance(points), 2 / self.log_sharpness.exp()
        return torch.where(distance.abs() < fog.clamp_min(0.6 * self.cell), 1, torch.where(distance < 0, 2, 0)).to(
            torch.uint8
        )

    def distance(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """Metres, negative inside."""
        learned = 0.1 * self.shape(points)[:, 0]
        if self.holding:
            learned = learned * (1 - self.held(points))
        return self.start.at(points) + learned

    def shine(self, rays: Rays, samples: Samples) -> Shine:
        points = samples.points(rays)
        (known, towards), (learned, turn) = self.start.steep(points), self.shape.steep(points)
        if self.holding:
            free, change = self._free.steep(points)
            learned, turn = learned * free[:, None], turn * free[:, None] + learned * change
        distance, gradient = known + 0.1 * learned[:, 0], towards + 0.1 * turn
        slope = (gradient * rays.directions[samples.ray]).sum(1)
        alpha = neus_alpha(distance, slope, samples.length, self.log_sharpness.exp())
        weight = weights(alpha, samples.starts)
        colour = torch.sigmoid(self.colour(points))
        return Shine(
            accumulate(weight, colour, samples),
            accumulate(weight, torch.ones_like(weight)[:, None], samples),
            accumulate(weight, samples.distance[:, None], samples),
            accumulate(weight, torch.nn.functional.normalize(gradient, dim=1), samples),
            gradient,
        )

    def surface(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        return self.distance(points), torch.sigmoid(self.colour(points))

    def groups(self, rate: float = 1e-2) -> list[dict[str, object]]:
        """What an optimiser needs."""
        sharp = {"params": [self.log_sharpness], "lr": rate}
        return [*self.shape.groups(rate / 3), *self.colour.groups(rate), sharp]


def eikonal(gradient: Float[Tensor, "n 3"]) -> Float[Tensor, ""]:
    """How far a distance field is from growing by one metre a metre: E[(|g| - 1)^2]. Gropp et al. 2020."""
    return ((gradient.norm(dim=1) - 1) ** 2).mean() if len(gradient) else gradient.sum()
