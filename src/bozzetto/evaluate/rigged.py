"""How near ``bozzetto rig`` finds the joints: ``python -m bozzetto.evaluate.rigged --figures 20``.

Random dressed figures stand in an A- or a T-pose, without a rig, turned about and in other units: all they are and wear
as one closed shell, or with ``--layered`` as our own GLB has it, clothes with linings over skin. The body is fitted to
it, and its joints are compared with the figure's own, in metres.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from bozzetto.adopt.mesh import ForeignMesh, read_mesh
from bozzetto.adopt.rigged import adopt
from bozzetto.body.bind import moved_joints, pose_transforms, skin
from bozzetto.body.poses import rotations
from bozzetto.evaluate.rigs import figure_shell
from bozzetto.export.glb import write_glb
from bozzetto.figure.build import Figure, build_figure, posture_named
from bozzetto.figure.people import random_spec
from bozzetto.types import UserError

MAIN = (
    "root", "spine03", "neck01", "head", *(
        f"{name}.{side}" for side in "LR"
        for name in ("upperarm01", "lowerarm01", "wrist", "upperleg01", "lowerleg01", "foot")
    ),
)  # fmt: skip
"""The joints that are compared."""
LOOKS = ("realistic", "realistic", "realistic", "toon")


@dataclass(frozen=True, eq=False)
class Stripped:
    """A figure without its rig."""

    mesh: ForeignMesh
    """Turned about, in other units."""
    joints: Float[ndarray, "j 3"]
    """The figure's own, metres, as it stood."""
    names: tuple[str, ...]
    turn: Float[ndarray, "3 3"]
    scale: float
    """File from metres: ``scale * turn @ point``."""


def stripped(seed: int, cell: float | None = 0.014) -> Stripped:
    """A random figure: realistic three times of four, in an A- or a T-pose by turns.

    Args:
        seed: Who it is.
        cell: Metres, of one closed shell; None for the layers as they are exported.
    """
    rng = np.random.default_rng([seed, 20])
    spec = replace(random_spec(seed), look=LOOKS[seed % len(LOOKS)])
    figure = build_figure(spec)
    pose = ("a-pose", "t-pose")[seed // 2 % 2]
    standing, joints = posed_figure(figure, pose)
    if cell is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figure.glb"
            write_glb(standing.avatar, path)
            # Which way it looks is to be found.
            mesh = replace(read_mesh(path), facing=None)
    else:
        shell = figure_shell(standing, cell)
        mesh = ForeignMesh(shell.vertices.double().numpy(), shell.faces.numpy(), None, None, shell.colours.numpy())
    tip = np.eye(3) if rng.random() < 0.5 else Rotation.from_euler("x", 90, degrees=True).as_matrix()
    turn = tip @ Rotation.from_euler("y", rng.uniform(0, 360), degrees=True).as_matrix()
    scale = float(rng.choice([1.0, 100.0, 39.37, 0.5]))
    mesh = replace(mesh, vertices=scale * mesh.vertices @ turn.T)
    return Stripped(mesh, joints, figure.avatar.skeleton.names, turn, scale)


def posed_figure(figure: Figure, pose: str) -> tuple[Figure, Float[ndarray, "j 3"]]:
    """The figure with its layers where the pose puts them, and its joints there."""
    avatar = figure.avatar
    moves = pose_transforms(avatar.skeleton, rotations(posture_named(pose)))
    layers = []
    for layer in avatar.layers:
        moved = skin(layer.mesh.vertices.numpy(), layer.skin_weights.numpy(), layer.skin_joints.numpy(), moves)
        layers.append(replace(layer, mesh=replace(layer.mesh, vertices=torch.from_numpy(moved))))
    body = figure.person.body
    naked = skin(figure.body_vertices, body.skin_weights, body.skin_joints, moves)
    standing = replace(figure, avatar=replace(avatar, layers=tuple(layers)))
    standing.__dict__["body_vertices"] = naked  # a cached property: what the shell closes over
    at = avatar.skeleton.positions.numpy()
    return standing, moved_joints(at, moves)


@dataclass(frozen=True)
class Found:
    """How near the joints of one figure were found."""

    seed: int
    mean_cm: float
    """Over ``MAIN``, in metres of the figure."""
    worst_cm: float
    worst: str
    seconds: float
    """CPU time of the fit."""
    refused: bool = False


def measure(seed: int, cell: float | None) -> Found:
    """Strips one figure, and fits the body to what is left."""
    figure = stripped(seed, cell)
    begun = time.process_time()
    try:
        found = adopt(figure.mesh).joints / figure.scale @ figure.turn
    except UserError:
        return Found(seed, 0.0, 0.0, "", time.process_time() - begun, True)
    seconds = time.process_time() - begun
    rows = [figure.names.index(name) for name in MAIN]
    away = 100 * np.linalg.norm(found - figure.joints, axis=1)[rows]
    return Found(seed, float(away.mean()), float(away.max()), MAIN[int(away.argmax())], seconds)


def table(scores: Sequence[Found]) -> str:
    """Markdown, one line a figure, and the mean."""
    lines = ["| figure | joints, mean cm | worst cm | which | CPU s |", "|---|---|---|---|---|"]
    for each in scores:
        said = "refused | | " if each.refused else f"{each.mean_cm:.2f} | {each.worst_cm:.1f} | {each.worst}"
        lines.append(f"| {each.seed} | {said} | {each.seconds:.1f} |")
    kept = [each.mean_cm for each in scores if not each.refused]
    mean, near = float(np.mean(kept)) if kept else float("nan"), sum(each <= 2.0 for each in kept)
    lines.append(f"\nMean {mean:.2f} cm over {len(kept)} of {len(scores)} figures; {near} within 2 cm.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=int, default=4)
    parser.add_argument("--first", type=int, default=200, help="the first seed")
    parser.add_argument("--cell", type=float, default=0.014, help="of the closed shells, metres")
    parser.add_argument("--layered", action="store_true", help="our own GLB's layers, instead of closed shells")
    arguments = parser.parse_args()
    scores = []
    for seed in range(arguments.first, arguments.first + arguments.figures):
        scores.append(measure(seed, None if arguments.layered else arguments.cell))
        print(table(scores[-1:]).splitlines()[2], flush=True)
    print(table(scores))


if __name__ == "__main__":
    main()
