"""Unwrapping and baking, against xatlas and against torch's gathers in the same run: ``python benchmarks/textures.py``.

Baked from pictures without light: smooth paint on the mean body, and the skin of a random figure. A closed shell of the
mean body is unwrapped. Medians of process CPU time on one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from bozzetto.body.model import load_body
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh, to_srgb8
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import scene_from_layers
from bozzetto.scene.surface import DMTet
from bozzetto.texture import bake, bake_reference, pad, unwrap
from bozzetto.texture.bake import texels_of
from bozzetto.types import Cameras, Layer, Material, Mesh


def gathers(mesh: Mesh, pictures: torch.Tensor, cameras, size: int) -> np.ndarray:
    """The peer: texels by our rasteriser, then per view a projection, a depth test, a bilinear sample and a weight."""
    texels = texels_of(mesh, size)
    depth = torch.from_numpy(rasterize(mesh.vertices.numpy(), mesh.faces.numpy(), cameras).depth)
    position, normal = torch.from_numpy(texels.position), torch.from_numpy(texels.normal)
    total = torch.zeros(len(position), 4)
    for view in range(len(cameras)):
        matrix, lens = cameras.world_to_camera[view], cameras.intrinsics[view]
        p = position @ matrix[:3, :3].T + matrix[:3, 3]
        facing = -(p * (normal @ matrix[:3, :3].T)).sum(1) / p.norm(dim=1)
        at = p[:, :2] / p[:, 2:] * lens[0, 0] + lens[:2, 2]
        grid = (at / at.new_tensor([cameras.width, cameras.height]) * 2 - 1)[None, None]
        sample = torch.nn.functional.grid_sample
        front = sample(depth[view][None, None], grid, mode="nearest", align_corners=False)[0, 0, 0]
        colour = sample(pictures[view].permute(2, 0, 1)[None], grid, align_corners=False)[0, :, 0].T
        w = torch.where((p[:, 2] < front + 0.01) & (facing > 0.1), torch.exp(-3 * torch.arccos(facing)), 0.0)
        total += torch.cat([colour * w[:, None], w[:, None]], 1)
    out = np.zeros((size, size, 3), np.float32)
    out[texels.covered] = (total[:, :3] / total[:, 3:].clamp_min(1e-12)).numpy()
    return out


def recovered(name: str, layer: Layer, size: int) -> tuple[Cameras, np.ndarray]:
    """Draws a layer from 8 sides without light, bakes the pictures, and prints how much of its paint came back."""
    cameras = frame(layer.mesh.vertices.numpy(), np.arange(8) * 45.0, [5, -10] * 4, 30.0, 512)
    pictures = to_srgb8(render_mesh(scene_from_layers([layer]), cameras, None, 3), "plain") / np.float32(255)
    true = Image.fromarray(layer.material.albedo[..., :3]).resize((size, size), Image.Resampling.BOX)
    baked = bake(layer.mesh, pictures, cameras, size)
    seen = baked.confidence > 0
    error = ((baked.texture - np.asarray(true, np.float32) / 255)[seen] ** 2).mean()
    share = 100 * seen.sum() / baked.covered.sum()
    print(f"{name}, 8 views of 512 px: {share:.1f} % seen, PSNR {-10 * np.log10(error):.1f}", flush=True)
    return cameras, pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1, help="of the figure whose skin is baked")
    parser.add_argument("--xatlas", action="store_true", help="unwrap with xatlas too; half a minute or more")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    body = load_body()
    part = body.parts["body"]
    points = body.template[: part.stop]
    texels = Mesh(points, torch.from_numpy(part.faces), torch.from_numpy(part.uvs))
    covered = texels_of(texels, arguments.size)
    true = np.zeros((arguments.size, arguments.size, 3), np.float32)
    true[covered.covered] = 0.5 + 0.45 * np.sin(covered.position * [9.0, 17.0, 11.0])
    true = pad(true, covered.covered)
    material = Material((true * 255 + 0.5).astype(np.uint8))
    weights, joints = (torch.from_numpy(each[: part.stop]) for each in (body.skin_weights, body.skin_joints))
    cameras, pictures = recovered("smooth paint", Layer("skin", texels, weights, joints, material), arguments.size)
    worn = build_figure(random_spec(arguments.seed)).avatar.layers
    recovered("a real skin", next(layer for layer in worn if layer.name == "skin"), arguments.size)

    def timed(name: str, work: Callable[[], object], repeats: int = arguments.repeats) -> None:
        seconds = []
        work()
        for _ in range(repeats):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
        print(f"{name}: {statistics.median(seconds) * 1e3:.0f} ms", flush=True)

    baked = bake(texels, pictures, cameras, arguments.size)
    timed("bake", lambda: bake(texels, pictures, cameras, arguments.size))
    timed("the same by torch's gathers", lambda: gathers(texels, torch.from_numpy(pictures), cameras, arguments.size))
    timed("reference", lambda: bake_reference(texels, pictures, cameras, arguments.size), 1)
    timed("pad", lambda: pad(baked.texture, baked.covered))

    surface = DMTet.from_mesh(points.numpy(), part.faces, cell=0.02, reach=0.04).mesh()
    vertices, faces = surface.vertices.numpy(), surface.faces.numpy()
    print(f"a free-form surface of {len(faces)} faces")
    timed("unwrap", lambda: unwrap(vertices, faces, arguments.size), 3)
    if arguments.xatlas:
        import xatlas

        start = time.process_time()
        atlas = xatlas.Atlas()
        atlas.add_mesh(vertices, faces.astype(np.uint32))
        atlas.generate()
        print(f"xatlas: {time.process_time() - start:.1f} s, {atlas.chart_count} charts")


if __name__ == "__main__":
    main()
