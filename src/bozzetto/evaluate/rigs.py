"""Whether a rig carried to a free-form mesh moves as the body's: ``python -m bozzetto.evaluate.rigs --out DIR``.

The meshes are closed shells around random dressed figures, or what NeuS and DMTet found from pictures of them (fitted
by ``evaluate.fits`` where ``--fits`` does not hold them). Each gets the rig of the figure's own body, and is posed: how
much edges stretch beside the body's, how far expressions are from the body's, and how wide mouth and eyes open. Beside
each case lies a picture of it in wide poses and close up. Finished cases are kept, so that the same command goes on
where it was stopped.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import igl
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image
from scipy import sparse
from scipy.spatial import cKDTree

from bozzetto.body.bind import pose_transforms, skin
from bozzetto.body.carry import Carried, Donor, carry_rig, carry_weights, donor, edge_stretch, report
from bozzetto.body.model import load_body
from bozzetto.body.poses import Posture, rotations
from bozzetto.evaluate.figures import standard_poses
from bozzetto.evaluate.fits import TRAINING, Shell, clay, compare
from bozzetto.figure.build import Figure
from bozzetto.figure.ground_truth import random
from bozzetto.files import atomic_path
from bozzetto.geometry import edges_of
from bozzetto.render.cameras import frame
from bozzetto.render.pictures import contact_sheet
from bozzetto.scene.distance import signed_distance
from bozzetto.scene.radiance import NeuS
from bozzetto.scene.surface import DMTet
from bozzetto.scene.tetrahedra import marching_tetrahedra, tet_grid
from bozzetto.types import ColouredMesh, Layer

KINDS = ("shell", "neus", "dmtet")
EXPRESSIONS = (
    "jawOpen eyeBlinkLeft eyeBlinkRight mouthSmileLeft mouthSmileRight mouthPucker mouthFunnel browInnerUp "
    "browDownLeft cheekPuff noseSneerLeft eyeWideRight"
).split()
WIDE = ("walk 1", "running", "kicking", "sitting", "arms up")
_INNER = ("eyes", "teeth", "tongue")


@dataclass(frozen=True)
class RigScore:
    """How well one mesh moves."""

    kind: str
    seed: int
    faces: int
    stretch: float
    """The 99.9th percentile over edges and standard poses of posed by resting length, over the body's own."""
    stretch_uncut: float
    """The same of the mesh as it came, with weights only."""
    torn: float
    """Edges that are more than four times as long in some pose, per thousand."""
    torn_uncut: float
    cut: Mapping[str, int]
    """Faces cut between limbs that had grown together."""
    expression_mm: Mapping[str, float]
    """From the body's, the 99th percentile over the face, by expression."""
    opened: Sequence[str]
    jaw_mm: float
    """Between the lips in the mouth's middle third under ``jawOpen``."""
    jaw_body_mm: float
    blink: float
    """What is left of the eyes' opening under ``eyeBlink``, the worse of two."""
    seconds: float
    """CPU time of carrying."""


def figure_donor(figure: Figure) -> Donor:
    """The body below a figure's clothes, with the figure's own eyes and teeth."""
    inner = tuple(layer for layer in figure.avatar.layers if layer.name in _INNER)
    return donor(load_body(), figure.person.vertices, figure.bind, figure.ground, inner)


def figure_shell(figure: Figure, cell: float = 0.014, thick: float = 0.006) -> ColouredMesh:
    """One closed surface around everything that a figure wears and is, as a fit from pictures would find it at best.

    Args:
        figure: Any.
        cell: Side of the grid's cubes, metres; narrower gaps close.
        thick: Metres that cloth, a sheet without thickness, reaches to either side.
    """
    layers = [layer for layer in figure.avatar.layers if layer.name not in _INNER]
    points = np.concatenate([layer.mesh.vertices.double().numpy() for layer in layers])
    starts = np.cumsum([0, *(len(layer.mesh.vertices) for layer in layers)])
    faces = np.concatenate([layer.mesh.faces.numpy() + at for layer, at in zip(layers, starts[:-1], strict=True)])
    part = figure.person.body.parts["body"]
    used, naked = np.unique(part.faces, return_inverse=True)
    body = figure.body_vertices[used].astype(np.float64), naked.reshape(-1, 3)
    near = cKDTree(np.concatenate([points, points[faces].mean(1), body[0]]))
    reach = 3.5 * cell

    def close(at: Float[ndarray, "n 3"]) -> ndarray:
        return np.isfinite(near.query(at, distance_upper_bound=reach)[0])

    grid = tet_grid(points.min(0) - 2 * reach, points.max(0) + 2 * reach, cell, close)
    nodes = grid.positions.double().numpy()
    solid = np.asfortranarray(points), np.asfortranarray(faces)
    away = np.sqrt(igl.point_mesh_squared_distance(np.asfortranarray(nodes), *solid)[0]) - thick
    away = np.minimum(away, signed_distance(nodes, *body))
    corners = grid.tetrahedra.numpy()
    ends = np.concatenate([corners[:, [a, b]] for a in range(4) for b in range(a)])
    beside = sparse.coo_matrix((np.ones(len(ends)), ends.T), shape=(len(nodes),) * 2).tocsr()
    beside.data[:] = 1
    beside = beside.maximum(beside.T)
    # Hollows that nobody sees from outside are filled, and gaps that are narrower than two cubes, as under cloth.
    wide = away > cell
    pair = ends[wide[ends].all(1)]
    graph = sparse.coo_matrix((np.ones(len(pair)), pair.T), shape=(len(nodes),) * 2)
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    outside = wide & (piece == np.bincount(piece[wide]).argmax())
    outside |= beside @ outside > 0
    away = np.where((away > 0) & ~outside, -0.2 * cell, away)
    mean = sparse.diags(1 / np.asarray(beside.sum(1)).ravel()) @ beside
    away = 0.5 * away + 0.5 * (mean @ away)
    vertices, triangles = (
        each.numpy() for each in marching_tetrahedra(grid.positions, torch.from_numpy(away).float(), grid.tetrahedra)
    )
    vertices, triangles = largest(vertices, triangles)
    nearest = cKDTree(points).query(vertices)[1]
    return ColouredMesh(
        torch.from_numpy(vertices), torch.from_numpy(triangles), torch.from_numpy(_paint(layers)[nearest])
    )


def _paint(layers: Sequence[Layer]) -> Float[ndarray, "v 3"]:
    """The colour of every layer's vertices."""
    colours = []
    for layer in layers:
        texture = layer.material.albedo
        height, width = texture.shape[:2]
        uvs = np.zeros((len(layer.mesh.vertices), 2), np.float32)
        uvs[layer.mesh.faces.numpy().reshape(-1)] = layer.mesh.uvs.numpy().reshape(-1, 2)
        x, y = (uvs * [width, height]).astype(int).clip(0, [width - 1, height - 1]).T
        colours.append(texture[y, x, :3].astype(np.float32) / 255)
    return np.concatenate(colours)


def largest(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> tuple[ndarray, ndarray]:
    """The piece of a mesh with the most faces."""
    ends = edges_of(faces)
    graph = sparse.coo_matrix((np.ones(len(ends)), ends.T), shape=(len(vertices),) * 2)
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    kept = faces[piece[faces[:, 0]] == np.bincount(piece[faces[:, 0]]).argmax()]
    used, renumbered = np.unique(kept, return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3)


# ---------------------------------------------------------------------------------------------------- measuring


def mesh_of(kind: str, seed: int, figure: Figure, fits: Path, cell: float, seconds: float) -> ColouredMesh:
    """What is to be carried: a closed shell of the figure, or a scene that was fitted to pictures of it."""
    if kind == "shell":
        return figure_shell(figure, cell)
    path = fits / f"{kind}-{seed}.safetensors"
    if not path.exists():
        (fits / f"{kind}-{seed}.json").unlink(missing_ok=True)
        compare([kind], [seed], seconds, 256, TRAINING, fits)
    found = {"neus": NeuS, "dmtet": DMTet}[kind].load(path).mesh()
    vertices, faces = largest(found.vertices.numpy(), found.faces.numpy())
    nearest = cKDTree(found.vertices.numpy()).query(vertices)[1]
    return ColouredMesh(torch.from_numpy(vertices), torch.from_numpy(faces), found.colours[nearest])


def openness(carried: Carried, vertices: Float[ndarray, "v 3"], person: Donor, name: str) -> float:
    """Mean height of the gap between the two rims of an opening in its middle third, metres.

    Args:
        carried: The mesh with its rig.
        vertices: Of the same mesh, moved by an expression.
        person: The body it came from.
        name: "mouth", "left_eye" or "right_eye".
    """
    ring = next(ring for ring in person.openings if ring.name == name)
    rest = carried.mesh.vertices.numpy()
    lines = [person.vertices[ring.upper], person.vertices[ring.lower]]
    left, right = lines[0][0, 0], lines[0][-1, 0]
    middle = np.flatnonzero(
        (rest[:, 0] > left + (right - left) / 3)
        & (rest[:, 0] < right - (right - left) / 3)
        & (np.abs(rest[:, 1] - lines[0][:, 1].mean()) < 0.05)
    )
    heights = []
    for line in lines:
        segment = np.stack([line[:-1], line[1:]], 1)
        along = segment[:, 1] - segment[:, 0]
        t = ((rest[middle, None] - segment[:, 0]) * along).sum(2) / (along**2).sum(1)
        away = np.linalg.norm(rest[middle, None] - segment[:, 0] - t.clip(0, 1)[..., None] * along, axis=2).min(1)
        heights.append(vertices[middle[away < 1e-5], 1].mean())
    return float(heights[0] - heights[1])


def moved(carried: Carried, *names: str) -> Float[ndarray, "v 3"]:
    """The mesh's vertices under some expressions at full strength."""
    vertices = carried.mesh.vertices.numpy().copy()
    for name in names:
        if name in carried.expressions:
            shape = carried.expressions[name]
            vertices[shape.indices.numpy()] += shape.offsets.numpy()
    return vertices


def measure(kind: str, seed: int, figure: Figure, mesh: ColouredMesh, skirt: bool | None, out: Path) -> RigScore:
    """Carries the rig of one figure, writes ``KIND-SEED.png``, and says how well the mesh moves."""
    person, postures = figure_donor(figure), standard_poses()
    every = list(postures.values())
    begun = time.process_time()
    carried = carry_rig(person, mesh, skirt)
    seconds = time.process_time() - begun
    found = report(carried, person, every)
    vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()
    plain = carry_weights(person, vertices, faces)
    skeleton = person.skeleton
    uncut = edge_stretch(vertices, faces, plain.skin_weights, plain.skin_joints, skeleton, every)
    whole = carried.mesh.vertices.numpy(), carried.mesh.faces.numpy()
    cut = edge_stretch(*whole, carried.skin_weights, carried.skin_joints, skeleton, every)
    jaw = body_jaw = blink = 0.0
    if "mouth" in carried.opened:
        jaw = openness(carried, moved(carried, "jawOpen"), person, "mouth")
        ring = next(ring for ring in person.openings if ring.name == "mouth")
        opened = person.vertices + person.expressions["jawOpen"]
        thirds = (slice(len(line) // 3, -(len(line) // 3)) for line in (ring.upper, ring.lower))
        upper, lower = (
            opened[line[part], 1].mean() for line, part in zip((ring.upper, ring.lower), thirds, strict=True)
        )
        body_jaw = float(upper - lower)
    for side in ("left", "right"):
        if f"{side}_eye" in carried.opened:
            shut = openness(carried, moved(carried, f"eyeBlink{side.title()}"), person, f"{side}_eye")
            blink = max(blink, shut / openness(carried, whole[0], person, f"{side}_eye"))
    with atomic_path(out / f"{kind}-{seed}.png") as partial:
        picture(carried, person, (vertices, faces, plain.skin_weights, plain.skin_joints), postures).save(partial)
    return RigScore(
        kind, seed, len(faces), found.stretch / found.body_stretch,
        float(np.percentile(uncut, 99.9)) / found.body_stretch, _torn(cut), _torn(uncut), dict(carried.separated),
        {name: found.expression_error[name] for name in EXPRESSIONS}, carried.opened, 1e3 * jaw, 1e3 * body_jaw, blink,
        seconds,
    )  # fmt: skip


def _torn(ratios: Float[ndarray, "p e"]) -> float:
    return 1e3 * float((ratios.max(0) > 4).mean())


# ---------------------------------------------------------------------------------------------------- pictures


def picture(
    carried: Carried,
    person: Donor,
    uncut: tuple[ndarray, ndarray, ndarray, ndarray],
    postures: Mapping[str, Posture],
    size: int = 320,
) -> Image.Image:
    """Above the mesh in wide poses; below the same uncut, then the face at rest, with open jaw, and blinking."""
    skeleton = person.skeleton
    whole = carried.mesh.vertices.numpy(), carried.mesh.faces.numpy(), carried.skin_weights, carried.skin_joints
    rows = []
    for vertices, faces, weights, joints in (whole, uncut):
        row = []
        for name in WIDE:
            posed = skin(vertices, weights, joints, pose_transforms(skeleton, rotations(postures[name])))
            row.append(_drawn(posed, faces, None, posed, 25.0, size))
        rows.append(row)
    parts = [(layer.mesh.vertices.numpy(), layer.mesh.faces.numpy()) for layer in carried.inner]
    shades = [np.ones((len(whole[1]), 3))]
    shades += [_paint([layer])[faces[:, 0]] for layer, (_, faces) in zip(carried.inner, parts, strict=True)]
    head = np.concatenate([person.vertices[np.concatenate([ring.upper, ring.lower])] for ring in person.openings])
    faces_row = []
    for names in ((), ("jawOpen",), ("eyeBlinkLeft", "eyeBlinkRight"), ("mouthSmileLeft", "mouthSmileRight")):
        points = [moved(carried, *names)]
        for layer, (vertices, _) in zip(carried.inner, parts, strict=True):
            there = vertices.copy()
            for name in names:
                if name in layer.expressions:
                    shape = layer.expressions[name]
                    there[shape.indices.numpy()] += shape.offsets.numpy()
            points.append(there)
        starts = np.cumsum([0, *(len(each) for each in points)])[:-1]
        every = [whole[1], *(triangles for _, triangles in parts)]
        faces = np.concatenate([each + at for each, at in zip(every, starts, strict=True)])
        middle = head.mean(0)
        box = middle + 1.5 * np.abs(head - middle).max(0).max() * np.array([[-1.0, -1, -1], [1, 1, 1]])
        faces_row.append(_drawn(np.concatenate(points), faces, np.concatenate(shades), box, 0.0, size))
    rows.append([*faces_row, np.full((size, size, 3), 255, np.uint8)])
    return contact_sheet([tile for row in rows for tile in row], len(WIDE))


def _drawn(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    shades: Float[ndarray, "f 3"] | None,
    around: Float[ndarray, "n 3"],
    azimuth: float,
    size: int,
) -> UInt8[ndarray, "h w 3"]:
    surface = Shell(np.zeros((0, 3)), np.zeros((0, 3)), np.asarray(vertices, np.float64), faces)
    camera = frame(np.asarray(around, np.float64), [azimuth], [5.0], 25.0, 2 * size)
    lit = clay(surface, camera, shades)
    return (lit.reshape(size, 2, size, 2, 3).mean((1, 3)) * 255 + 0.5).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------- the command


def carry(
    kinds: Sequence[str], seeds: Sequence[int], out: Path, fits: Path, cell: float, seconds: float, skirt: bool | None
) -> None:
    """Carries every kind of every seed, one file a case, then prints the table."""
    out.mkdir(parents=True, exist_ok=True)
    scores = []
    for seed in seeds:
        figure = None
        for kind in kinds:
            path = out / f"{kind}-{seed}.json"
            if not path.exists():
                figure = figure or random(seed, "full").figure
                mesh = mesh_of(kind, seed, figure, fits, cell, seconds)
                score = measure(kind, seed, figure, mesh, skirt, out)
                with atomic_path(path) as partial:
                    partial.write_text(json.dumps(asdict(score), indent=1))
            scores.append(RigScore(**json.loads(path.read_text())))
    print(table(scores))


def table(scores: Sequence[RigScore]) -> str:
    """Markdown, one line a case."""
    lines = [
        "| mesh | faces | stretch over the body's (uncut) | torn edges, per thousand (uncut) | faces cut "
        "| expressions, worst mm | jaw opens mm (body) | blink leaves | CPU s |"
    ]
    lines.append("|---" * 9 + "|")
    for score in scores:
        cut = ", ".join(f"{name} {count}" for name, count in score.cut.items()) or "none"
        blink = f"{100 * score.blink:.0f} %" if "left_eye" in score.opened else "eyes stay shut"
        worst = max(score.expression_mm, key=lambda name: score.expression_mm[name])
        lines.append(
            f"| {score.kind} {score.seed} | {score.faces} | {score.stretch:.2f} ({score.stretch_uncut:.2f}) "
            f"| {score.torn:.2f} ({score.torn_uncut:.2f}) | {cut} | {score.expression_mm[worst]:.1f} {worst} "
            f"| {score.jaw_mm:.0f} ({score.jaw_body_mm:.0f}) | {blink} | {score.seconds:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=["shell"], choices=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14])
    parser.add_argument("--fits", type=Path, help="where evaluate.fits keeps its scenes; OUT without it")
    parser.add_argument("--cell", type=float, default=0.014, help="of the closed shells, metres")
    parser.add_argument("--seconds", type=float, default=90.0, help="how long a fit may take on two idle cores")
    parser.add_argument("--skirt", choices=["yes", "no"], help="say so instead of letting the shape decide")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    skirt = None if arguments.skirt is None else arguments.skirt == "yes"
    fits = arguments.fits or arguments.out
    carry(arguments.kinds, arguments.seeds, arguments.out, fits, arguments.cell, arguments.seconds, skirt)


if __name__ == "__main__":
    main()
