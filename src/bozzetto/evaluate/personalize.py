"""How near a few photos come to a person: ``python -m bozzetto.evaluate.personalize --out DIR``.

People no prior has seen are photographed, bodies and heads, each time in another light, pose and place. What
``bozzetto personalize`` makes of the files alone is compared with the true person, standing alike in even light, from
all around and around the head; beside it stand the figure that the intake makes of them, that figure with the photos'
pixels ("draft with pixels"), and the same on the build that the outlines of all photos say, before any network had a
say. Where words change the person, so they do the truth. A height that no photo shows is taken from the truth. Every
row is kept in DIR as it is made, and the same command goes on where it was stopped.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from PIL import Image

from bozzetto.evaluate.digitize import clutter, decibels, displayed, jpeg, seed_of
from bozzetto.evaluate.judge import WEIGHTS, Judge, load_judge
from bozzetto.figure.build import posed, posture_named
from bozzetto.figure.ground_truth import Crop, Stance, random, stand
from bozzetto.files import atomic_path
from bozzetto.prior.denoiser import Prior
from bozzetto.prior.load import load
from bozzetto.recipes.avatarbooth import AvatarBooth
from bozzetto.recipes.draft import figure_of
from bozzetto.recipes.personalize import Personalize
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.light import ambient, random_light
from bozzetto.render.mesh import render_mesh
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.subject.reworded import reword
from bozzetto.texture.canvas import codes
from bozzetto.texture.views import Surface, look
from bozzetto.types import Avatar, Cameras, Subject

SHOTS: tuple[tuple[Crop, float, str], ...] = (
    ("body", 0.0, "standing"), ("body", -30.0, "a-pose"), ("body", 165.0, "standing"), ("body", 70.0, "standing"),
    ("head", 0.0, "standing"), ("head", 40.0, "a-pose"), ("head", -50.0, "standing"), ("head", 20.0, "a-pose"),
)  # fmt: skip
"""What fills the picture, from where, and how they stand."""
CROPS: tuple[Crop, ...] = ("body", "head")
Shown: TypeAlias = tuple[Float32[ndarray, "v s s 3"], Float32[ndarray, "v s s"]]
"""Pictures and their coverage."""
_PIXELS = {"body": 640, "head": 448}
_SIZE = 192
BASELINE = "draft with pixels"

ROWS: Mapping[str, tuple[Personalize, str]] = {
    BASELINE: (Personalize(outlines=False, tuned=False), ""),
    "mode II": (Personalize(), ""),
    f"{BASELINE}, mode III": (Personalize(outlines=False, tuned=False), "in a red dress"),
    "mode III": (Personalize(), "in a red dress"),
    "mode III, body by words alone": (Personalize(body="text"), "in a red dress"),
    "one network": (Personalize(dual=False), ""),
    "no constraint": (Personalize(again_steps=0), ""),
    "untouched networks": (Personalize(tuned=False), ""),
    "one resolution": (Personalize(booth=AvatarBooth(steps=100, growing=False)), ""),
}


def rows_of(name: str) -> dict[str, str]:
    """What one run gives, by the stage of its step: the baselines beside the modes, one row otherwise."""
    if name.startswith(BASELINE):
        return {"pixels": name}
    after = {"mode II": "", "mode III": ", mode III"}.get(name)
    if after is None:
        return {"character": name}
    return {"figure": f"draft{after}", "pixels": f"build by outlines, with pixels{after}", "character": name}


@dataclass(frozen=True)
class Row:
    """How near one character came."""

    name: str
    seed: int
    body: float
    """PSNR over either person, eight views around; decibels."""
    unseen: float
    """The same of views that are more than 45 degrees from any body photo."""
    head: float
    """Of eight views around the head."""
    identity: float | None
    """Mean cosine of the judge's identity with the truth, over heads; None without a judge."""
    same: float
    """The prior's own identity encoder's, which the recipe knows; NaN without it."""
    seconds: float
    """CPU, up to this row."""


def photographed(index: int, folder: Path, shots: Sequence[tuple[Crop, float, str]] = SHOTS) -> tuple[Path, ...]:
    """Writes photos of a person; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{crop}{number}.jpg" for number, (crop, _, _) in enumerate(shots))
    if all(path.is_file() for path in paths):
        return paths
    person, rng = random(seed_of(index), "full"), np.random.default_rng([seed_of(index), 6])
    base: Scene | None = None
    for path, (crop, turn, pose) in zip(paths, shots, strict=True):
        stance = stand(person.figure, pose, base)
        base, size = stance.scene, _PIXELS[crop]
        view = stance.view(
            turn + float(rng.uniform(-5, 5)), float(rng.uniform(0, 8)), size, crop, random_light(rng), (0.0, 0.0, 0.0)
        )
        picture = jpeg(displayed(view.output, clutter(size, rng)), rng)
        with atomic_path(path) as unfinished:
            Image.fromarray(codes(picture)).save(unfinished, format="JPEG", quality=92)
    return paths


def standing(avatar: Avatar, height: float | None = None) -> Scene:
    """The character in an A-pose, as tall as another."""
    scene = scene_from_layers(avatar.layers, posed(avatar, posture_named("a-pose")))
    if height is None:
        return scene
    return replace(scene, vertices=scene.vertices * np.float32(height / np.ptp(scene.vertices[:, 1])))


def pictures(scene: Scene, cameras: Cameras) -> Shown:
    """On white in even light, sRGB; and the coverage."""
    output = render_mesh(scene, cameras, ambient(), 2, (0.0, 0.0, 0.0))
    shown = [displayed(output, 1.0, row) for row in range(len(cameras))]
    return np.stack(shown).astype(np.float32), output.alpha.numpy()[..., 0]


@dataclass(frozen=True, eq=False)
class Truth:
    """The true person, and the cameras everybody is seen by."""

    seed: int
    height: float
    body: Cameras
    head: Cameras
    shown: Mapping[Crop, Shown]


TURNS = np.arange(8) * 45.0


def truth(index: int, prompt: str = "") -> Truth:
    """The person of ``photographed``, as words for the body change it."""
    figure = random(seed_of(index), "full").figure
    if prompt:
        figure = figure_of(reword(figure.spec, prompt, face=False, body=True).spec)
    stance: Stance = stand(figure, "a-pose")
    scene = standing(stance.figure.avatar)
    body = frame(scene.vertices, TURNS, 3.0, 28.0, _SIZE)
    corners = np.stack(np.meshgrid(*stance.head.T), -1).reshape(-1, 3)
    head = frame(corners, TURNS, 3.0, 28.0, _SIZE)
    shown: dict[Crop, Shown] = {"body": pictures(scene, body), "head": pictures(scene, head)}
    return Truth(seed_of(index), float(np.ptp(scene.vertices[:, 1])), body, head, shown)


def measured(
    name: str, avatar: Avatar, known: Truth, prior: Prior, judge: Judge | None, seconds: float, out: Path
) -> Row:
    """How near a character is to the truth; writes a sheet, the truth above."""
    scene = standing(avatar, known.height)
    shown: dict[Crop, Shown] = {"body": pictures(scene, known.body), "head": pictures(scene, known.head)}
    errors: dict[str, Float[ndarray, "v"]] = {}
    for crop, (made, here) in shown.items():
        wanted, there = known.shown[crop]
        over = (here > 0) | (there > 0)
        errors[crop] = np.array([((made[v] - wanted[v])[over[v]] ** 2).mean() for v in range(len(made))])
    seen = np.array([turn for crop, turn, _ in SHOTS if crop == "body"])
    away = np.abs((TURNS[:, None] - seen + 180) % 360 - 180).min(1) > 45
    heads = [torch.from_numpy(each["head"][0]) for each in (shown, known.shown)]
    same = float("nan")
    if "identity" in prior.roles:
        with torch.no_grad():
            same = float((prior.identity(heads[0]) * prior.identity(heads[1])).sum(1).mean())
    alike = None if judge is None else float(judge.likeness(heads[0], heads[1]).mean())
    tiles = [codes(each[crop][0][view]) for each in (known.shown, shown) for crop in CROPS for view in (0, 1, 3, 4)]
    with atomic_path(out / f"{_file(name)}-{known.seed}.png") as unfinished:
        contact_sheet(tiles, 8).save(unfinished)
    unseen = errors["body"][away] if away.any() else errors["body"]
    return Row(
        name, known.seed, decibels(float(errors["body"].mean())), decibels(float(unseen.mean())),
        decibels(float(errors["head"].mean())), alike, same, seconds,
    )  # fmt: skip


def relief(avatar: Avatar) -> float:
    """How far the nose stands out from the cheeks, along the frontal axis; metres.

    Args:
        avatar: With eyes; in its T-pose.
    """
    scene = scene_from_layers(avatar.layers, [layer.mesh.vertices.numpy() for layer in avatar.layers])
    eyes = avatar.layer("eyes").mesh.vertices.double().numpy().mean(0)
    camera = orbit(0.0, 0.0, 2.0, eyes - [0, 0.045, 0], 4.0, 96, 96)
    seen = look(Surface(scene.vertices, scene.faces), camera)
    across, down = np.abs(seen.place[..., 0] - eyes[0]), eyes[1] - seen.place[..., 1]
    level = seen.hit & (down > 0.03) & (down < 0.06)
    nose, cheeks = level & (across < 0.012), level & (across > 0.03) & (across < 0.04)
    return float(seen.place[nose][:, 2].max() - seen.place[cheeks][:, 2].mean())


def compare_reliefs(subjects: Sequence[int], out: Path, changes: Mapping[str, int]) -> None:
    """The card's behaviour 9: from the bare body, heads alone, with the pose-consistent constraint and without."""
    for index in subjects:
        paths = photographed(index, out / f"photos-{seed_of(index)}")
        for name, again in (("with", 60), ("without", 0)):
            done = out / f"relief-{name}-{seed_of(index)}.json"
            if not done.is_file():
                booth = AvatarBooth(
                    init="body", painted=0, deliver="field", head_share=1.0, steps=changes.get("steps", 100)
                )
                recipe = Personalize(
                    body_steps=0, head_steps=changes.get("head_steps", 80),
                    again_steps=min(again, changes.get("again_steps", 60)), booth=booth,
                )  # fmt: skip
                found = {
                    step.stage: relief(step.avatar())
                    for step in recipe.fit(Subject("", paths)) if step.stage in ("start", "character")
                }  # fmt: skip
                with atomic_path(done) as unfinished:
                    unfinished.write_text(json.dumps(found, indent=1))
            found = json.loads(done.read_text())
            print(
                f"{seed_of(index)}, {name} the constraint: nose {1000 * found['character']:.1f} mm before the cheeks, "
                f"{1000 * found['start']:.1f} at the start", flush=True,
            )  # fmt: skip


def compare(names: Sequence[str], subjects: Sequence[int], out: Path, changes: Mapping[str, int]) -> None:
    """Makes every row that is not there yet; prints the table."""
    prior, rows = load("embedded"), []
    judge = load_judge() if (WEIGHTS / "model.safetensors").is_file() else None
    for index in subjects:
        paths = photographed(index, out / f"photos-{seed_of(index)}")
        known = cache(partial(truth, index))
        for name in names:
            recipe, prompt = ROWS[name]
            own = {key: value for key, value in changes.items() if key != "steps"}
            recipe = replace(recipe, **{key: min(value, getattr(recipe, key)) for key, value in own.items()})
            if "steps" in changes:
                recipe = replace(recipe, booth=replace(recipe.booth, steps=changes["steps"]))
            done = out / f"{_file(name)}-{seed_of(index)}.json"
            if not done.is_file():
                wanted, made = rows_of(name), list[Row]()
                against = known(prompt)
                start, spent = time.process_time(), 0.0
                for step in recipe.fit(Subject(prompt, paths)):
                    if step.stage not in wanted:
                        continue
                    pause = time.process_time()
                    called, took = wanted[step.stage], pause - start - spent
                    made.append(measured(called, step.avatar(), against, prior, judge, took, out))
                    print(made[-1], flush=True)
                    spent += time.process_time() - pause
                    if len(made) == len(wanted):
                        break
                missing = [row for row in wanted.values() if row not in {each.name for each in made}]
                if missing:
                    print(f"{seed_of(index)}: no photo could be placed, so there is no row {', '.join(missing)}")
                with atomic_path(done) as unfinished:
                    unfinished.write_text(json.dumps([asdict(row) for row in made], indent=1))
            rows += [Row(**row) for row in json.loads(done.read_text())]
    print(table(rows))


def table(rows: Sequence[Row]) -> str:
    """Means by row, as Markdown."""
    lines = ["| row | body, dB | unseen, dB | head, dB | identity (judge, encoder) | CPU-s |", "|---" * 6 + "|"]
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name]
        body, unseen, head, same, seconds = (
            float(np.mean([getattr(row, key) for row in mine])) for key in ("body", "unseen", "head", "same", "seconds")
        )
        judged = [row.identity for row in mine if row.identity is not None]
        who = f"{np.mean(judged):.3f}" if judged else "-"
        lines.append(
            f"| {name} ({len(mine)}) | {body:.2f} | {unseen:.2f} | {head:.2f} | {who}, {same:.3f} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def _file(name: str) -> str:
    return "".join("_" if letter in " ," else letter for letter in name if letter.isalnum() or letter in " ,")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=[BASELINE, "mode II"], choices=list(ROWS), metavar="ROW")
    parser.add_argument("--subjects", nargs="+", type=int, default=[5, 8, 9, 11])
    parser.add_argument("--short", action="store_true", help="a quarter of the steps")
    parser.add_argument("--relief", action="store_true", help="only how far noses stand out")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    short = {"body_steps": 20, "head_steps": 20, "again_steps": 15, "steps": 25}
    changes = short if arguments.short else {}
    if arguments.relief:
        compare_reliefs(arguments.subjects, arguments.out, changes)
    else:
        compare(arguments.rows, arguments.subjects, arguments.out, changes)


if __name__ == "__main__":
    main()
