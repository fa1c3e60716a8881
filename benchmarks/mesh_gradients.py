"""A textured body, forward and backward, against its peers in the same run: ``python benchmarks/mesh_gradients.py``.

Ours is kernels (rasteriser, normals, interpolation, texture, outlines). Beside it: the plain torch references, rays by
Embree (`pip install embreex`) with torch for the rest, and PyTorch3D's CPU rasteriser where it is installed. Peers have
no gradient at outlines. Medians of process CPU time on one thread; with --threads 2, of wall time on two.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from bozzetto.body.model import load_body
from bozzetto.render.antialias import antialias, mesh_edges
from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.surface import (
    interpolate,
    interpolate_reference,
    sample_texture,
    sample_texture_reference,
    smooth_normals,
    smooth_normals_reference,
)
from bozzetto.render.volume import camera_rays


def subject() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vertices, faces as triangles, and texture coordinates of the mean body."""
    part = load_body().parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    vertices = np.asarray(load_body().template[used], np.float32)
    vertices[:, 1] -= vertices[:, 1].min()
    return torch.from_numpy(vertices), torch.from_numpy(faces.reshape(-1, 3)), torch.from_numpy(np.asarray(part.uvs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    vertices, faces, uvs = subject()
    rows = torch.arange(3 * len(faces)).reshape(-1, 3)
    corners = uvs.reshape(-1, 2).float()
    cameras = orbit(20.0, 5.0, 2.6, (0.0, 0.85, 0.0), 40.0, arguments.size, arguments.size)
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(512, 512, 3, generator=generator)
    slope = torch.randn(1, arguments.size, arguments.size, 8, generator=generator)
    edges = mesh_edges(faces)

    def shade(seen: torch.Tensor, v: torch.Tensor, t: torch.Tensor, fast: bool) -> torch.Tensor:
        normals, across, sample = (
            (smooth_normals, interpolate, sample_texture)
            if fast
            else (smooth_normals_reference, interpolate_reference, sample_texture_reference)
        )
        looks = across(v, faces, cameras, seen, torch.cat([normals(v, faces), v], 1))
        at = across(v, faces, cameras, seen, corners, rows)
        mask = (seen >= 0).float()[..., None]
        return torch.cat([sample(t, at) * mask, looks[..., :4], mask], -1)

    def ours(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        fragments = rasterize(v.detach().numpy(), faces.numpy(), cameras)
        seen, depth = torch.from_numpy(fragments.face), torch.from_numpy(fragments.depth)
        return antialias(shade(seen, v, t, True), v, faces, cameras, seen, depth, edges)

    def references(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return shade(torch.from_numpy(rasterize(v.detach().numpy(), faces.numpy(), cameras).face), v, t, False)

    peers: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "ours": ours,
        "our rasteriser, torch for the rest, no outlines": references,
    }
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        rays = camera_rays(cameras)
        eyes, towards = rays.origins.numpy(), rays.directions.numpy()

        def embree(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            scene = EmbreeScene()
            TriangleMesh(scene, v.detach().numpy(), faces.numpy().astype(np.int32))
            seen = torch.from_numpy(
                scene.run(eyes, towards).reshape(1, arguments.size, arguments.size).astype(np.int32)
            )
            return shade(seen, v, t, False)

        peers["Embree, torch for the rest, no outlines"] = embree
    except ImportError:
        print("Embree is left out: pip install embreex")
    try:
        from pytorch3d.renderer import MeshRasterizer, RasterizationSettings  # type: ignore[import-not-found]
        from pytorch3d.structures import Meshes  # type: ignore[import-not-found]
        from pytorch3d.utils import cameras_from_opencv_projection  # type: ignore[import-not-found]

        matrix, lens = cameras.world_to_camera, cameras.intrinsics
        side = torch.tensor([[arguments.size, arguments.size]])
        view = cameras_from_opencv_projection(matrix[:, :3, :3], matrix[:, :3, 3], lens, side)
        settings = RasterizationSettings(image_size=arguments.size, faces_per_pixel=1, bin_size=0)
        rasteriser = MeshRasterizer(view, settings)

        def pytorch3d(v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            found = rasteriser(Meshes([v], [faces]))
            return shade(found.pix_to_face[..., 0].int(), v, t, False) + 0 * found.zbuf

        peers["PyTorch3D's rasteriser, torch for the rest, no outlines"] = pytorch3d
    except ImportError:
        print("PyTorch3D is left out: it has to be built from source.")

    times: dict[str, list[float]] = {name: [] for name in peers}
    for round_ in range(arguments.repeats + 1):
        for name, peer in peers.items():
            v, t = vertices.clone().requires_grad_(), texture.clone().requires_grad_()
            start = clock()
            (peer(v, t) * slope).sum().backward()
            if round_:
                times[name].append((clock() - start) * 1000)
    own = statistics.median(times["ours"])
    kind = "CPU" if arguments.threads == 1 else "wall"
    print(f"{len(faces)} faces, {arguments.size} px, forward and backward, median of {arguments.repeats}, {kind} ms")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"  {middle:8.1f}  {middle / own:6.1f} x  {name}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
