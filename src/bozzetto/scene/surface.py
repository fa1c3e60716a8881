"""Scenes of triangles: DMTet, whose surface may change its topology, and a mesh with a texture.

What they render is the colour as displayed (sRGB, no light), with outlines that carry gradients.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from bozzetto.render import gpu
from bozzetto.render.antialias import Edges, antialias, mesh_edges
from bozzetto.render.raster import rasterize
from bozzetto.render.surface import interpolate, sample_texture, shrunk, smooth_normals
from bozzetto.scene.distance import check_solid, signed_distance
from bozzetto.scene.field import Field, chunks
from bozzetto.scene.store import StoredScene
from bozzetto.scene.tetrahedra import marching_tetrahedra, tet_grid
from bozzetto.types import Cameras, ColouredMesh, Mesh, RenderOutput


def draw_surface(
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    colour: Any,
    background: Float[Tensor, "3"] | Float[Tensor, "b h w 3"] | float = 1.0,
    edges: Edges | None = None,
) -> RenderOutput:
    """Pictures of a surface, with gradients through what is seen and through outlines.

    Args:
        vertices: World space, metres.
        faces: Counter-clockwise seen from outside; both sides are drawn.
        cameras: Any number.
        colour: From the face of each pixel (-1 where none is) to its colour, (b, h, w) to (b, h, w, 3).
        background: A colour, a picture a view, or a grey; as displayed.
        edges: ``mesh_edges(faces)``, where the caller keeps them.
    """
    if gpu.installed(vertices):
        seen, depth = gpu.rasterize_cuda(vertices, faces, cameras)
    else:
        fragments = rasterize(vertices.detach().cpu().numpy(), faces.cpu().numpy(), cameras)
        seen, depth = (torch.from_numpy(each).to(vertices.device) for each in (fragments.face, fragments.depth))
    alpha = (seen >= 0).to(vertices)[..., None]
    looks = torch.cat([smooth_normals(vertices, faces), vertices], 1)
    across = interpolate(vertices, faces, cameras, seen, looks)
    normal = torch.nn.functional.normalize(across[..., :3], dim=-1)
    forward = cameras.world_to_camera.to(vertices)[:, None, None, 2]
    deep = ((across[..., 3:] * forward[..., :3]).sum(-1, keepdim=True) + forward[..., 3:]) * alpha
    over = colour(seen) * alpha + (1 - alpha) * background
    blended = antialias(torch.cat([over, alpha], -1), vertices, faces, cameras, seen, depth, edges)
    return RenderOutput(blended[..., :3], blended[..., 3:], deep, normal, seen.long().clamp(max=0))


class DMTet(StoredScene):
    """A surface in a tetrahedral grid, and a field of colours. Shen et al. 2021; HeadSculpt's fine stage.

    Departs from the paper: the grid is a shell of a body-centred lattice around the start instead of a whole box.
    """

    positions: Tensor
    tetrahedra: Tensor

    def __init__(self, positions: Tensor, tetrahedra: Tensor, cell: float, seed: int = 0) -> None:
        """
        Args:
            positions: Corners of the tetrahedra, metres.
            tetrahedra: As ``tet_grid`` orders them.
            cell: Side of the grid's cubes, metres.
            seed: Of the colours' first weights.
        """
        super().__init__()
        self.options = {"cell": cell, "seed": seed}
        self.cell = cell
        self.register_buffer("positions", positions)
        self.register_buffer("tetrahedra", tetrahedra)
        self.sdf = nn.Parameter(torch.ones(len(positions)))
        self.offsets = nn.Parameter(torch.zeros_like(positions))
        generator = torch.Generator().manual_seed(seed)
        self.colour = Field(positions.amin(0), positions.amax(0), 3, generator)

    @classmethod
    def from_mesh(
        cls,
        vertices: Float[ndarray, "v 3"],
        faces: Int[ndarray, "f 3"],
        cell: float = 0.015,
        reach: float = 0.06,
        seed: int = 0,
    ) -> "DMTet":
        """The scene whose surface is the mesh, grey, and may move within reach of it.

        Args:
            vertices: Metres.
            faces: They may leave holes.
            cell: Side of the grid's cubes, metres: details smaller than that are lost.
            reach: Metres on either side of the mesh that the grid covers.
            seed: Of the colours' first weights.
        """
        check_solid(vertices, faces)
        margin = reach + cell
        low, high = vertices.min(0) - margin, vertices.max(0) + margin
        coarse = 3 * cell

        def near(at: Float[ndarray, "n 3"]) -> ndarray:
            """Asks one distance for each block of three cubes a side, and each cube only within near blocks."""
            blocks, row = np.unique(np.floor((at - low) / coarse).astype(int), axis=0, return_inverse=True)
            far = np.abs(signed_distance(low + (blocks + 0.5) * coarse, vertices, faces)) > reach + 1.8 * cell * 1.5
            kept = ~far[row.reshape(-1)]
            kept[kept] = np.abs(signed_distance(at[kept], vertices, faces)) < reach
            return kept

        grid = tet_grid(low, high, cell, near)
        scene = cls(grid.positions, grid.tetrahedra, cell, seed)
        with torch.no_grad():
            found = signed_distance(grid.positions.double().numpy(), vertices, faces)
            scene.sdf.copy_(torch.from_numpy(found))
        return scene

    def again(self, cell: float, reach: float) -> "DMTet":
        """The same surface and colours in a grid of other cells around it, with true distances.

        Args:
            cell: Side of the new grid's cubes, metres.
            reach: Metres on either side of the surface that the new grid covers.
        """
        with torch.no_grad():
            points, faces = self.surface()
        scene = type(self).from_mesh(points.double().numpy(), faces.numpy(), cell, reach)
        scene.colour = self.colour
        return scene

    @classmethod
    def blank(cls, tensors: dict[str, Tensor], options: dict[str, Any]) -> "DMTet":
        return cls(tensors["positions"], tensors["tetrahedra"], **options)

    def surface(self) -> tuple[Float[Tensor, "p 3"], Int[Tensor, "f 3"]]:
        """Points and faces, with gradients to distances and offsets."""
        moved = self.positions + torch.tanh(self.offsets) * (self.cell / 4)  # less would leave tetrahedra no room
        return marching_tetrahedra(moved, self.sdf, self.tetrahedra)

    def render(
        self, cameras: Cameras, background: Float[Tensor, "3"] | Float[Tensor, "b h w 3"] | float = 1.0
    ) -> RenderOutput:
        """Pictures, as displayed.

        Args:
            cameras: Any number.
            background: A colour, a picture a view, or a grey; as displayed.
        """
        return self.draw(*self.surface(), cameras, background)

    def draw(
        self,
        points: Float[Tensor, "p 3"],
        faces: Int[Tensor, "f 3"],
        cameras: Cameras,
        background: Float[Tensor, "3"] | Float[Tensor, "b h w 3"] | float = 1.0,
    ) -> RenderOutput:
        """``render`` for who has the ``surface`` at hand."""

        def colour(seen: Tensor) -> Tensor:
            place = interpolate(points, faces, cameras, seen, points)
            out = place.new_zeros(place.shape)
            hit = seen >= 0
            out[hit] = torch.sigmoid(self.colour(place[hit]))
            return out

        return draw_surface(points, faces, cameras, colour, background)

    @torch.no_grad()
    def mesh(self) -> ColouredMesh:
        """The surface as triangles with a colour a vertex."""
        points, faces = self.surface()
        colours = [torch.sigmoid(self.colour(points[part])) for part in chunks(len(points), 1 << 17)]
        return ColouredMesh(points, faces, torch.cat([torch.zeros(0, 3), *colours]))

    def sign_changes(self) -> Float[Tensor, ""]:
        """Binary cross entropy between the ends of cut edges: small where neighbours agree on being inside.

        Source: Munkberg et al. 2022 (nvdiffrec), Eq. 2: it removes floaters and hollows.
        """
        ends = (
            self.tetrahedra[:, torch.tensor([0, 0, 0, 1, 1, 2])],
            self.tetrahedra[:, torch.tensor([1, 2, 3, 2, 3, 3])],
        )
        a, b = (self.sdf[each.reshape(-1)] / self.cell for each in ends)
        cut = (a < 0) != (b < 0)
        a, b = a[cut], b[cut]
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        return loss(a, (b > 0).to(a)) + loss(b, (a > 0).to(b)) if len(a) else self.sdf.sum() * 0

    def groups(self, rate: float = 1e-2) -> list[dict[str, object]]:
        """What an optimiser needs: distances in metres learn at a tenth of a cell."""
        return [
            {"params": [self.sdf], "lr": self.cell / 10},
            {"params": [self.offsets], "lr": rate},
            *self.colour.groups(rate),
        ]


class TexturedMesh(StoredScene):
    """A mesh whose vertices may move a little and whose texture is painted."""

    vertices: Tensor
    faces: Tensor
    uvs: Tensor

    def __init__(
        self, vertices: Tensor, faces: Tensor, uvs: Tensor, size: int = 512, grey: float = 0.5, reach: float = 0.02
    ) -> None:
        """
        Args:
            vertices: Metres.
            faces: Counter-clockwise seen from outside.
            uvs: Per corner, (f, 3, 2), within [0, 1].
            size: Texels of the texture's side.
            grey: The texture's first value, as displayed.
            reach: Metres a vertex may move each way.
        """
        super().__init__()
        self.options = {"size": size, "reach": reach}
        self.reach = reach
        self.register_buffer("vertices", vertices.float())
        self.register_buffer("faces", faces.long())
        self.register_buffer("uvs", uvs.float())
        self.moves = nn.Parameter(torch.zeros_like(self.vertices))
        value = torch.full((size, size, 3), grey)
        self.texture = nn.Parameter(torch.log(value / (1 - value)))
        self.edges = mesh_edges(self.faces)

    @classmethod
    def from_mesh(cls, mesh: Mesh, **options: Any) -> "TexturedMesh":
        """The mesh, grey."""
        return cls(mesh.vertices, mesh.faces, mesh.uvs, **options)

    @classmethod
    def blank(cls, tensors: dict[str, Tensor], options: dict[str, Any]) -> "TexturedMesh":
        return cls(tensors["vertices"], tensors["faces"], tensors["uvs"], **options)

    @property
    def moved(self) -> Float[Tensor, "v 3"]:
        """Where the vertices are, metres."""
        return self.vertices + torch.tanh(self.moves) * self.reach

    @property
    def albedo(self) -> Float[Tensor, "y x 3"]:
        """The texture, sRGB."""
        return torch.sigmoid(self.texture)

    def render(
        self, cameras: Cameras, background: Float[Tensor, "3"] | Float[Tensor, "b h w 3"] | float = 1.0
    ) -> RenderOutput:
        """Pictures, as displayed.

        Args:
            cameras: Any number.
            background: A colour, a picture a view, or a grey; as displayed.
        """
        points = self.moved
        rows = torch.arange(3 * len(self.faces)).reshape(-1, 3)
        texture = shrunk(self.albedo, self._texels_per_pixel(cameras))

        def colour(seen: Tensor) -> Tensor:
            at = interpolate(points, self.faces, cameras, seen, self.uvs.reshape(-1, 2), rows)
            return sample_texture(texture, at)

        return draw_surface(points, self.faces, cameras, colour, background, self.edges)

    @torch.no_grad()
    def _texels_per_pixel(self, cameras: Cameras) -> float:
        """Of the surface's middle, seen straight on by the nearest camera."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        metres = torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2
        (ua, va), (ub, vb), (uc, vc) = (self.uvs[:, k].unbind(1) for k in range(3))
        share = ((ub - ua) * (vc - va) - (uc - ua) * (vb - va)).abs().sum() / 2
        texels = (share / metres).sqrt() * len(self.texture)
        placed = self.vertices.mean(0) @ cameras.world_to_camera[:, 2, :3].T + cameras.world_to_camera[:, 2, 3]
        found = float((texels * placed.clamp_min(0.05) / cameras.intrinsics[:, 1, 1]).min())
        return found if np.isfinite(found) else 1.0  # of an empty mesh, or one that the rasteriser will refuse

    def bending(self) -> Float[Tensor, ""]:
        """How much the moves differ from their neighbours' mean, squared, in units of the reach: a Laplacian term."""
        a, b = self.edges.ends.unbind(1)
        move = torch.tanh(self.moves)
        total = torch.zeros_like(move).index_add(0, torch.cat([a, b]), torch.cat([move[b], move[a]]))
        count = torch.bincount(torch.cat([a, b]), minlength=len(move)).clamp_min(1)[:, None]
        return ((total / count - move) ** 2).sum(1).mean()

    def creases(self) -> Float[Tensor, ""]:
        """One minus the cosine between neighbouring faces, on average: a normal consistency term."""
        pairs = self.edges.sides[(self.edges.sides >= 0).all(1)]
        a, b, c = (self.moved[self.faces[:, k]] for k in range(3))
        normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
        return (1 - (normal[pairs[:, 0]] * normal[pairs[:, 1]]).sum(1)).mean()

    def mesh(self) -> Mesh:
        """The mesh where it is now."""
        return Mesh(self.moved.detach(), self.faces, self.uvs)

    def groups(self, rate: float = 1e-2) -> list[dict[str, object]]:
        """What an optimiser needs."""
        return [{"params": [self.moves], "lr": rate}, {"params": [self.texture], "lr": 5 * rate}]
