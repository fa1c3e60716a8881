"""How true the silhouette's gradient is: ``python benchmarks/silhouette.py [--sizes 128 256 512]``.

The loss is the picture's coverage under a smooth weight. For several ways to move the body the derivative through
``antialias`` stands beside a central difference of the same loss, drawn at 4096 pixels. Also: how much of the error of
a picture's coverage is left once its outlines are blended.
"""

import argparse

import numpy as np
import torch

from bozzetto.body.model import load_body
from bozzetto.geometry import vertex_normals
from bozzetto.render.antialias import antialias
from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.types import Cameras

TRUTH = 4096


def camera(size: int, azimuth: float) -> Cameras:
    return orbit(azimuth, 5.0, 3.0, (0.0, 0.85, 0.0), 40.0, size, size)


def weight(size: int) -> torch.Tensor:
    """A smooth function of the place in the picture, the same at every size."""
    at = (torch.arange(size) + 0.5) / size
    x, y = at[None], at[:, None]
    return (1.3 + torch.sin(5 * x + 1) * torch.cos(4 * y)).float() / size**2


def coverage(vertices: np.ndarray, faces: np.ndarray, azimuth: float) -> torch.Tensor:
    return torch.from_numpy((rasterize(vertices, faces, camera(TRUTH, azimuth)).face[0] >= 0).astype(np.float32))


def motions(vertices: np.ndarray, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Metres that each vertex moves per unit."""
    middle = vertices.mean(0)
    bend = np.zeros_like(vertices)
    bend[:, 0] = np.clip(vertices[:, 1] - 1.0, 0, None) ** 2
    return {
        "along normals": vertex_normals(vertices, faces),
        "scale": vertices - middle,
        "to the side": np.tile(np.float32([1, 0, 0]), (len(vertices), 1)),
        "up": np.tile(np.float32([0, 1, 0]), (len(vertices), 1)),
        "bending": bend,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--azimuths", type=float, nargs="+", default=[0.0, 35.0, 90.0])
    arguments = parser.parse_args()
    body = load_body()
    part = body.parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    vertices = np.asarray(body.template[used], np.float32)
    vertices[:, 1] -= vertices[:, 1].min()
    moves = motions(vertices, faces)
    truth: dict[str, list[float]] = {name: [] for name in moves}
    step = 0.004
    for azimuth in arguments.azimuths:
        for name, move in moves.items():
            more, less = (coverage(vertices + sign * step * move, faces, azimuth) for sign in (1, -1))
            truth[name].append(float(((more - less) * weight(TRUTH)).sum() / (2 * step)))
    for size in arguments.sizes:
        found: dict[str, list[float]] = {name: [] for name in moves}
        left, before = 0.0, 0.0
        for azimuth in arguments.azimuths:
            leaf = torch.from_numpy(vertices).requires_grad_()
            here = camera(size, azimuth)
            fragments = rasterize(vertices, faces, here)
            seen, depth = torch.from_numpy(fragments.face), torch.from_numpy(fragments.depth)
            mask = (seen >= 0).float()[..., None]
            smooth = antialias(mask, leaf, torch.from_numpy(faces), here, seen, depth)
            (smooth[0, :, :, 0] * weight(size)).sum().backward()
            assert leaf.grad is not None
            for name, move in moves.items():
                found[name].append(float((leaf.grad * torch.from_numpy(move)).sum()))
            exact = coverage(vertices, faces, azimuth).reshape(size, TRUTH // size, size, TRUTH // size).mean((1, 3))
            left += float((smooth.detach()[0, :, :, 0] - exact).abs().sum())
            before += float((mask[0, :, :, 0] - exact).abs().sum())
        print(f"{size} px: error of the coverage left {left / before:.2f}")
        for name in moves:
            shares = [f"{100 * f / t:.0f} %" for f, t in zip(found[name], truth[name], strict=True)]
            scale = sum(map(abs, truth["along normals"])) / len(truth["along normals"])
            off = max(abs(f - t) for f, t in zip(found[name], truth[name], strict=True)) / scale
            print(f"  {name:14s} {' '.join(shares):24s} off by at most {100 * off:.1f} % of the gradient along normals")


if __name__ == "__main__":
    main()
