"""Whether scenes find a person again whose shape is known: ``python -m bozzetto.evaluate.fits --out DIR``.

A random dressed figure is drawn from 24 sides in flat light. NeuS and DMTet start as the naked body, NeRF as the fog it
fills, and fit the pictures, knowing cameras and outlines. What comes out is held against the figure: the distance
between the surfaces as far as they can be seen from outside, normals, and 8 pictures from where no training camera
stood. Finished cases are kept in DIR, so that the same command goes on where it was stopped.
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import igl
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from bozzetto.figure.build import Figure
from bozzetto.figure.ground_truth import random
from bozzetto.files import atomic_path
from bozzetto.geometry import vertex_normals
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.raster import Coverage, rasterize
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.scene.fit import Pictures, fit_dmtet, fit_nerf, fit_neus
from bozzetto.scene.radiance import NeRF, NeuS
from bozzetto.scene.surface import DMTet
from bozzetto.types import Cameras, RenderOutput, linear_to_srgb

TRAINING, HELD_OUT = 24, 8
POINTS = 50_000
AnyScene: TypeAlias = NeuS | NeRF | DMTet

STEPS_PER_SECOND = {"neus": 14, "nerf": 20, "dmtet": 5}
"""What two idle cores of a laptop manage; by them ``--seconds`` becomes a number of steps, the same on any machine."""
_FOV_DEGREES = 30.0
_GOLDEN_DEGREES = 137.50776405


@dataclass(frozen=True, eq=False)
class Case:
    """A figure, and what is known of it."""

    seed: int
    body: tuple[Float[ndarray, "v 3"], Int[ndarray, "f 3"]]
    """Naked, in the figure's pose: metres and triangles."""
    figure: Scene
    training: Pictures
    held_out: Pictures


@dataclass(frozen=True)
class Score:
    """How near a fit came."""

    kind: str
    seed: int
    chamfer_mm: float
    """Mean of the two below."""
    to_fit_mm: float
    """From points of the figure that can be seen to the nearest face of the fit that can be seen, on average."""
    to_figure_mm: float
    """And back: high where the fit has what the figure has not."""
    start_mm: float
    """The same two-sided mean for the start, the naked body."""
    normal_degrees: float
    """Between the figure's normal and the fit's nearest, on average."""
    psnr: float
    """Decibels over the pixels where the figure or the fit is, on grey, in the pictures that were held out."""
    overlap: float
    """Intersection over union of the outlines in the pictures that were held out, on average."""
    start_overlap: float
    """Of the start rendered as a scene with the naked body rasterised, over the training cameras."""
    seconds: float
    """Wall time of the fit, from meshes and pictures to the last step."""
    cpu_seconds: float
    peak_gb: float
    """Of the process so far."""


def case(seed: int, size: int, views: int = TRAINING) -> Case:
    """A random figure in its T-pose and its pictures.

    Args:
        seed: Of the figure.
        size: Pixels of a side.
        views: To train from.
    """
    figure = random(seed, "full").figure
    scene = scene_from_layers(figure.avatar.layers)
    # One camera a step of the golden angle, so that no two look the same way; a third from below, the rest from above.
    steps = np.arange(views)
    around = frame(scene.vertices, steps * _GOLDEN_DEGREES, -20 + 70 * ((steps * 0.7548777) % 1), _FOV_DEGREES, size)
    others = np.arange(HELD_OUT)
    between = frame(scene.vertices, others * 45.0 + 20, np.where(others % 2 == 0, 5.0, 25.0), _FOV_DEGREES, size)
    return Case(seed, naked(figure), scene, pictures(scene, around), pictures(scene, between))


def naked(figure: Figure) -> tuple[Float[ndarray, "v 3"], Int[ndarray, "f 3"]]:
    """The body below the clothes, in the avatar's T-pose."""
    used, faces = np.unique(figure.person.body.parts["body"].faces, return_inverse=True)
    return np.asarray(figure.body_vertices[used], np.float64), faces.reshape(-1, 3)


def pictures(scene: Scene, cameras: Cameras) -> Pictures:
    """The scene's own colours as displayed, times its coverage."""
    seen = render_mesh(scene, cameras, None, supersample=3)
    alpha = seen.alpha.numpy()
    displayed = linear_to_srgb(np.clip(seen.rgb.numpy() / np.maximum(alpha, 1e-6), 0, 1)) * alpha
    return Pictures(cameras, torch.from_numpy(displayed.astype(np.float32)), seen.alpha)


# ---------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, eq=False)
class Shell:
    """What of a surface can be seen from outside."""

    points: Float[ndarray, "n 3"]
    """Spread evenly over it, metres."""
    normals: Float[ndarray, "n 3"]
    """Towards whoever sees them."""
    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    """Those of which at least one pixel saw something."""


def shell(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    coverage: Coverage | None = None,
    count: int = POINTS,
    size: int = 384,
    views: int = 60,
) -> Shell:
    """Points of a surface that are seen from somewhere, and the faces that are.

    Every pixel of many pictures from all around gives a point. Places that many cameras see would have more of them,
    so of all points in a cube of 3 mm one stays.

    Args:
        vertices: Metres.
        faces: Triangles.
        coverage: Back-face and cut-out rules of the figure; without it both sides are drawn.
        count: Of points, at most.
        size: Pixels of a side.
        views: Cameras, evenly over the sphere.
    """
    spread = np.arange(views) + 0.5
    elevations = np.degrees(np.arcsin(1 - 2 * spread / views))
    cameras = frame(np.stack([vertices.min(0), vertices.max(0)]), spread * _GOLDEN_DEGREES, elevations, 25.0, size)
    every, facing, named = [], [], np.zeros(len(faces), bool)
    corners = np.asarray(vertices, np.float64)[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    for one in cameras:
        seen = rasterize(vertices, faces, one, coverage)
        hit = seen.face[0] >= 0
        face, share = seen.face[0][hit], seen.barycentrics[0][hit]
        named[face] = True
        matrix = one.world_to_camera[0].double().numpy()
        eye = -matrix[:3, :3].T @ matrix[:3, 3]
        points = np.einsum("nk,nkd->nd", share, corners[face])
        away = np.einsum("nd,nd->n", normal[face], points - eye) > 0
        every.append(points.astype(np.float32))
        facing.append(np.where(away[:, None], -normal[face], normal[face]).astype(np.float32))
    points, normals = np.concatenate(every), np.concatenate(facing)
    mixed = np.random.default_rng(0).permutation(len(points))
    cube = np.floor((points[mixed] - points.min(0)) / 0.003).astype(np.int64)
    wide = cube.max(0) + 1
    _, first = np.unique((cube[:, 0] * wide[1] + cube[:, 1]) * wide[2] + cube[:, 2], return_index=True)
    kept = np.random.default_rng(1).permutation(mixed[first])[:count]
    return Shell(points[kept].astype(np.float64), normals[kept], np.asarray(vertices, np.float64), faces[named])


def distances(one: Shell, other: Shell) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """From each point of one to the other's seen faces: metres, and degrees between the normals there."""
    squared, face, at = igl.point_mesh_squared_distance(
        np.asfortranarray(one.points), np.asfortranarray(other.vertices), np.asfortranarray(other.faces, np.int64)
    )
    corners = other.vertices[other.faces[face]]
    a, b, c = (np.ascontiguousarray(corners[:, k]) for k in range(3))
    share = igl.barycentric_coordinates(np.ascontiguousarray(at), a, b, c)
    smooth = vertex_normals(other.vertices.astype(np.float32), other.faces)
    normal = np.einsum("nk,nkd->nd", share, smooth[other.faces[face]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    cosine = np.clip((normal * one.normals).sum(1), -1, 1)
    return np.sqrt(squared), np.degrees(np.arccos(cosine))


def psnr(seen: RenderOutput, truth: Pictures, grey: float = 0.5) -> float:
    """Decibels over the pixels where either is, on grey, as one number for all pictures."""
    there = ((truth.alpha > 0) | (seen.alpha > 0.5))[..., 0]
    wanted = truth.rgb + (1 - truth.alpha) * grey
    return float(-10 * ((seen.rgb.clamp(0, 1) - wanted)[there] ** 2).mean().log10())


def overlap(one: Float[torch.Tensor, "b h w 1"], other: Float[torch.Tensor, "b h w 1"]) -> float:
    """Intersection over union of two outlines, the mean over pictures."""
    a, b = one > 0.5, other > 0.5
    both, either = ((a & b).sum((1, 2, 3)), (a | b).sum((1, 2, 3)))
    return float((both / either.clamp_min(1)).mean())


@torch.no_grad()
def looked_at(scene: AnyScene, cameras: Cameras, grey: float = 0.5) -> RenderOutput:
    """A scene's pictures, one view at a time."""
    views = [scene.render(cameras[k], grey) for k in range(len(cameras))]
    return RenderOutput(*(torch.cat([getattr(view, name) for view in views]) for name in _FIELDS))


_FIELDS = ("rgb", "alpha", "depth", "normal", "layer")


def start(kind: str, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> AnyScene:
    """A scene of this kind that is the mesh; volumes may grow 30 cm away from it, since hair and skirts do."""
    if kind == "dmtet":
        return DMTet.from_mesh(vertices, faces)
    return {"neus": NeuS, "nerf": NeRF}[kind].from_mesh(vertices, faces, reach=0.3)


def fitted(scene: AnyScene, seen: Pictures, steps: int, seed: int) -> AnyScene:
    """The scene after its fit."""
    if isinstance(scene, DMTet):
        return fit_dmtet(scene, seen, steps, seed)
    return fit_neus(scene, seen, steps, seed) if isinstance(scene, NeuS) else fit_nerf(scene, seen, steps, seed)


def measure(kind: str, known: Case, seconds: float, out: Path) -> Score:
    """Fits one case, writes ``KIND-SEED.png`` and the scene beside it, and says how near the fit came."""
    begun, spent = time.monotonic(), time.process_time()
    scene = start(kind, *known.body)
    wall, cpu = time.monotonic() - begun, time.process_time() - spent
    first = looked_at(scene, known.training.cameras).alpha
    begun, spent = time.monotonic() - wall, time.process_time() - cpu
    scene = fitted(scene, known.training, round(seconds * STEPS_PER_SECOND[kind]), known.seed)
    wall, cpu = time.monotonic() - begun, time.process_time() - spent
    scene.save(out / f"{kind}-{known.seed}.safetensors")
    found = scene.mesh()
    figure = shell(known.figure.vertices, known.figure.faces, known.figure.coverage)
    made = shell(found.vertices.numpy(), found.faces.numpy())
    body = shell(*known.body)
    forth, turned = distances(figure, made)
    back, _ = distances(made, figure)
    before = (distances(figure, body)[0].mean() + distances(body, figure)[0].mean()) / 2
    seen = looked_at(scene, known.held_out.cameras)
    bare = torch.from_numpy(rasterize(*known.body, known.training.cameras).face >= 0).float()[..., None]
    with atomic_path(out / f"{kind}-{known.seed}.png") as partial:
        picture(seen, known, made, figure).save(partial)
    return Score(
        kind, known.seed, 1000 * float(forth.mean() + back.mean()) / 2, 1000 * float(forth.mean()),
        1000 * float(back.mean()), 1000 * float(before), float(turned.mean()), psnr(seen, known.held_out),
        overlap(seen.alpha, known.held_out.alpha), overlap(first, bare), wall, cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    )  # fmt: skip


def picture(seen: RenderOutput, known: Case, made: Shell, figure: Shell) -> Image.Image:
    """Above the figure, below the fit: colours from four sides, then the bare shape."""
    shown = [0, 2, 4, 6]
    sides = [known.held_out.cameras[view] for view in (0, 4)]
    truth = (known.held_out.rgb + (1 - known.held_out.alpha) * 0.5)[shown]
    rows = [[_bytes(each) for each in pictures] for pictures in (truth, seen.rgb[shown])]
    for row, surface in zip(rows, (figure, made), strict=True):
        row += [_bytes(torch.from_numpy(clay(surface, side))) for side in sides]
    return contact_sheet([tile for row in rows for tile in row], len(rows[0]))


def clay(surface: Shell, camera: Cameras, colours: Float[ndarray, "f 3"] | None = None) -> Float[ndarray, "h w 3"]:
    """The bare shape, lit from the camera; each face has one shade, so that no bump hides.

    Args:
        surface: What is drawn.
        camera: One.
        colours: Of its faces; white without them.
    """
    seen = rasterize(surface.vertices, surface.faces, camera)
    corners = surface.vertices[surface.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    forward = camera.world_to_camera[0, 2, :3].double().numpy()
    side = camera.world_to_camera[0, 0, :3].double().numpy()
    shade = 0.15 + 0.65 * np.abs(normal @ forward) + 0.2 * np.clip(normal @ side, 0, 1)
    lit = shade[:, None] * (np.ones((1, 3)) if colours is None else colours)
    return np.where(seen.face[0][..., None] >= 0, lit[np.maximum(seen.face[0], 0)], 1.0).astype(np.float32)


def _bytes(picture: Float[torch.Tensor, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    return (picture.clamp(0, 1).numpy() * 255 + 0.5).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------- the command


def compare(kinds: Sequence[str], seeds: Sequence[int], seconds: float, size: int, views: int, out: Path) -> None:
    """Fits every kind to every seed, one file a case, then prints the table."""
    out.mkdir(parents=True, exist_ok=True)
    scores = []
    for seed in seeds:
        known = None
        for kind in kinds:
            path = out / f"{kind}-{seed}.json"
            if not path.exists():
                known = known or case(seed, size, views)
                score = measure(kind, known, seconds, out)
                with atomic_path(path) as partial:
                    partial.write_text(json.dumps(asdict(score), indent=1))
            scores.append(Score(**json.loads(path.read_text())))
            print(said(scores[-1]), flush=True)
    print(table(scores))


def said(score: Score) -> str:
    return (
        f"{score.kind} {score.seed}: {score.chamfer_mm:.1f} mm (the body: {score.start_mm:.1f}), {score.psnr:.1f} dB, "
        f"overlap {score.overlap:.3f}, {score.seconds:.0f} s wall, {score.cpu_seconds:.0f} s CPU"
    )


def table(scores: Sequence[Score]) -> str:
    """Markdown: the mean over seeds, and the worst."""
    lines = [
        "| scene | cases | Chamfer mm (worst) | to fit | to figure | body | normals | PSNR (worst) | overlap | start | "
        "wall s | CPU s | peak GB |"
    ]
    lines.append("|---" * 13 + "|")
    for kind in dict.fromkeys(score.kind for score in scores):
        mine = [score for score in scores if score.kind == kind]

        def mean(name: str, mine: list[Score] = mine) -> float:
            return float(np.mean([getattr(score, name) for score in mine]))

        worst = max(score.chamfer_mm for score in mine), min(score.psnr for score in mine)
        lines.append(
            f"| {kind} | {len(mine)} | {mean('chamfer_mm'):.1f} ({worst[0]:.1f}) | {mean('to_fit_mm'):.1f} "
            f"| {mean('to_figure_mm'):.1f} | {mean('start_mm'):.1f} | {mean('normal_degrees'):.0f}° "
            f"| {mean('psnr'):.1f} ({worst[1]:.1f}) | {mean('overlap'):.3f} | {mean('start_overlap'):.3f} "
            f"| {mean('seconds'):.0f} | {mean('cpu_seconds'):.0f} | {max(score.peak_gb for score in mine):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=list(STEPS_PER_SECOND), choices=list(STEPS_PER_SECOND))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--seconds", type=float, default=90.0, help="how long a fit may take on two idle cores")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", type=int, default=TRAINING)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    compare(arguments.kinds, arguments.seeds, arguments.seconds, arguments.size, arguments.views, arguments.out)


if __name__ == "__main__":
    main()
