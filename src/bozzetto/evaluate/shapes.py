"""How near the surface behind a photo comes to the true one: ``python -m bozzetto.evaluate.shapes --out DIR``.

Random figures that nothing was trained on, photographed before clutter and read as any photo is. Four surfaces are
held against what of the true figure can be seen from around: the fitted body alone, the intake's dressed figure, that
figure bent to the photo, and the network's. A photo shows neither size nor distance, so each is first moved and scaled
onto the truth.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from PIL import Image
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.evaluate.digitize import Known, subject
from bozzetto.evaluate.fits import Shell, clay, distances, shell
from bozzetto.evaluate.intake import seen_from
from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.files import atomic_path
from bozzetto.prior.load import load_shape
from bozzetto.recipes.followed import followed
from bozzetto.recipes.reconstructed import CELL, LOWEST, reconstruct
from bozzetto.render.cameras import frame
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.raster import rasterize
from bozzetto.scene.scan import Outline, scan
from bozzetto.subject.person_from_photo import person_from_photo
from bozzetto.subject.surface import asked
from bozzetto.types import Cameras, UserError

ROWS = ("body", "figure", "figure, bent", "network")
TURNS = (0.0, 90.0, 180.0, 270.0)


@dataclass(frozen=True)
class Score:
    """One surface of one subject."""

    row: str
    seed: int
    chamfer_mm: float
    """Mean of both ways."""
    to_made_mm: float
    to_true_mm: float
    degrees: float
    """Between normals, from the truth to what was made."""
    overlap: float
    """Of the outlines in the photo."""


def aligned(
    points: Float[ndarray, "n 3"], wanted: Float[ndarray, "m 3"], steps: int = 20
) -> tuple[float, Float[ndarray, "3"]]:
    """Scale and shift that lay points on others, by nearest neighbours both ways."""
    there, scale, shift = cKDTree(wanted), 1.0, wanted.mean(0) - points.mean(0)
    for _ in range(steps):
        now = scale * points + shift
        ahead, back = there.query(now)[1], cKDTree(now).query(wanted)[1]
        a, b = np.concatenate([points, points[back]]), np.concatenate([wanted[ahead], wanted])
        am, bm = a.mean(0), b.mean(0)
        scale = float(((a - am) * (b - bm)).sum() / ((a - am) ** 2).sum())
        shift = bm - scale * am
    return scale, shift


def score(
    row: str, seed: int, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], true: Shell, overlap: float
) -> tuple[Score, Shell]:
    """A surface along the photo's axes against the truth along them."""
    made = shell(vertices, faces, count=20_000)
    scale, shift = aligned(made.points[::4], true.points[::4])
    made = Shell(scale * made.points + shift, made.normals, scale * made.vertices + shift, made.faces)
    to_made, angle = distances(true, made)
    to_true, _ = distances(made, true)
    ahead, back = 1000 * float(to_made.mean()), 1000 * float(to_true.mean())
    return Score(row, seed, (ahead + back) / 2, ahead, back, float(angle.mean()), overlap), made


def overlap_of(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], camera: Cameras, mask: Float[ndarray, "h w"]
) -> float:
    """Of an outline with the person's in the photo, over both."""
    seen, person = rasterize(vertices, faces, camera).face[0] >= 0, mask > 0.5
    return float((seen & person).sum() / (seen | person).sum())


def measure(known: Known, path: Path, out: Path) -> list[Score]:
    """All rows of one subject, and a picture of them.

    Raises:
        UserError: The intake refuses the photo.
    """
    photo, fitted = person_from_photo(path)
    figure = build_figure(fitted.spec)
    stance = stand(figure, fitted.posture)
    camera = fitted.cameras_on(stance.body)
    skin = load_body().parts["body"]
    used, naked = np.unique(skin.faces, return_inverse=True)
    begun = time.process_time()
    answer = asked(load_shape(), photo.picture, photo.mask, stance.body, camera)
    found = reconstruct(answer, stance.scene, stance.body, Outline(photo.mask > 0.5, camera))
    print(f"{known.seed}: network and registration {time.process_time() - begun:.0f} CPU-s", flush=True)
    begun = time.process_time()
    bent, after = followed(figure, fitted, answer)
    print(f"{known.seed}: bending {time.process_time() - begun:.0f} CPU-s", flush=True)
    standing = stand(bent, after.posture)
    moved = after.cameras_on(standing.body)
    worn = scan(standing.scene.vertices, standing.scene.faces, standing.scene.coverage, CELL, lowest=LOWEST)
    surfaces = {
        "body": (stance.body[used], naked.reshape(-1, 3)),
        "figure": found.start,
        "figure, bent": worn,
        "network": (found.vertices, found.faces),
    }
    scene = known.stance.scene
    true = shell(seen_from(scene.vertices, known.shot.camera), scene.faces, scene.coverage)
    scores, shells = [], [true]
    for row, (vertices, faces) in surfaces.items():
        seen = moved if row == "figure, bent" else camera
        overlap = overlap_of(vertices, faces, seen, known.shot.mask)
        one, made = score(row, known.seed, seen_from(vertices, seen), faces, true, overlap)
        scores.append(one)
        shells.append(made)
    picture(photo.picture, shells, out / f"shapes-{known.seed}.png")
    return scores


def picture(photo: Float[ndarray, "h w 3"], shells: Sequence[Shell], path: Path) -> None:
    """The photo, then truth, body, figure, bent figure and network from four sides, one below the other."""
    upright = np.array([1.0, -1.0, -1.0])
    cameras = [frame(shells[0].vertices * upright, [turn], 0.0, 20.0, 256) for turn in TURNS]
    small = Image.fromarray((photo * 255 + 0.5).astype(np.uint8)).resize((256, 256))
    tiles = []
    for number, one in enumerate(shells):
        tiles.append(np.asarray(small) if number == 0 else np.full((256, 256, 3), 255, np.uint8))
        for camera in cameras:
            stood = Shell(one.points * upright, one.normals * upright, one.vertices * upright, one.faces)
            drawn = clay(stood, camera)
            tiles.append((np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8) if drawn.dtype != np.uint8 else drawn)
    with atomic_path(path) as partial:
        contact_sheet(tiles, len(TURNS) + 1).save(partial)


def table(scores: Sequence[Score]) -> str:
    """Means by row, as Markdown."""
    lines = [
        "| surface | Chamfer, mm | true to made | made to true | normals, degrees | outline |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        mine = [one for one in scores if one.row == row]
        means = [np.mean([getattr(one, name) for one in mine]) for name in ("chamfer_mm", "to_made_mm", "to_true_mm")]
        lines.append(
            f"| {row} ({len(mine)}) | {' | '.join(f'{each:.1f}' for each in means)} | "
            f"{np.mean([one.degrees for one in mine]):.1f} | {np.mean([one.overlap for one in mine]):.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--first", type=int, default=4, help="index of the first; 0 to 3 were looked at while tuning")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.first, arguments.first + arguments.subjects):
            known, path = subject(index, photo_light=True), Path(folder) / f"{index}.png"
            Image.fromarray((known.shot.picture * 255 + 0.5).astype(np.uint8)).save(path)
            try:
                found = measure(known, path, arguments.out)
            except UserError as refusal:
                print(f"{known.seed}: refused. {refusal}", flush=True)
                continue
            scores += found
            for one in found:
                print(one, flush=True)
            with atomic_path(arguments.out / f"{known.seed}.json") as partial:
                partial.write_text(json.dumps([asdict(one) for one in found], indent=1))
    print(table(scores))


if __name__ == "__main__":
    main()
