"""What AvatarBooth makes of words, measured: ``python -m bozzetto.evaluate.avatarbooth --out DIR``.

Twelve prompts, written before any result was seen. Of each exported file, read back and drawn in flat light from the
front and the back: whether the named colours are where the draft wears the garment they belong to, how far outlines
agree with the draft's, how much the words help the prior to explain the pictures, and whether the head has a face in
front and none behind: by the probe of ``evaluate.faces``, which is measured there on people in every light, and needs
the extra ``photo``. The draft, and the field before its first step, stand beside it. Finished rows are kept in DIR, so
that the same command goes on where it was stopped.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage

from bozzetto.evaluate.faces import shows_face
from bozzetto.evaluate.figures import nearest_share
from bozzetto.export.glb import write_glb
from bozzetto.export.read import read_glb
from bozzetto.figure.build import build_figure, posed, posture_named
from bozzetto.figure.colours import colour
from bozzetto.files import atomic_path
from bozzetto.guidance import add_noise, predict
from bozzetto.prior.load import load
from bozzetto.recipes.avatarbooth import AvatarBooth
from bozzetto.recipes.booth import embedded, enlarged, side_of
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh, to_srgb8
from bozzetto.render.pictures import contact_sheet
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.detector import need_mediapipe
from bozzetto.subject.words import read_words
from bozzetto.types import Avatar, Cameras, Subject, UserError

SIZE = 256
BEHIND = (135.0, 157.5, 180.0, 202.5, 225.0)
"""Degrees from which a head may show no face."""
RIGHT = 15.0
"""CIEDE2000 up to which a colour counts as the one that was asked for."""


@dataclass(frozen=True)
class Case:
    """A prompt and the colours that must be seen, by the draft's layers."""

    prompt: str
    colours: Mapping[str, str]


CASES = (
    Case("a woman with short black hair in a red sweater and white trousers", {"top": "red", "bottom": "white"}),
    Case("a tall man in a green coat, a grey t-shirt and black jeans", {"outer": "green", "bottom": "black"}),
    Case("an old woman in a purple dress with brown boots", {"dress": "purple", "shoes": "brown"}),
    Case("a heavy bearded man in an orange t-shirt and blue shorts", {"top": "orange", "bottom": "blue"}),
    Case("a young woman with long blonde hair in a teal hoodie and pink leggings", {"top": "teal", "bottom": "pink"}),
    Case("a bald man in a white shirt and red trousers", {"top": "white", "bottom": "red"}),
    Case("a woman with a brown ponytail in a yellow blouse and a green skirt", {"top": "yellow", "bottom": "green"}),
    Case("a man with curly red hair in a black turtleneck and beige trousers", {"top": "black", "bottom": "beige"}),
    Case("a girl with braids in a pink t-shirt and a blue skirt", {"top": "pink", "bottom": "blue"}),
    Case("an elderly man with a white beard in a brown cardigan and grey trousers", {"bottom": "grey"}),
    Case("a muscular man in a blue tank top and yellow shorts", {"top": "blue", "bottom": "yellow"}),
    Case("a woman in a red raincoat and black boots", {"outer": "red", "shoes": "black"}),
)

ROWS: Mapping[str, AvatarBooth] = {
    "figure, layers": AvatarBooth(),
    "figure, field": AvatarBooth(deliver="field"),
    "body": AvatarBooth(init="body"),
    "body, polished": AvatarBooth(init="body", polished=24),
}


@dataclass(frozen=True)
class Row:
    """One exported file."""

    name: str
    prompt: str
    right: int
    """Colours within ``RIGHT`` of what was asked, front and back counted apart."""
    of: int
    difference: float
    """CIEDE2000, the median."""
    overlap: float
    """Intersection over union of outlines with the draft's, front and back."""
    fit: float
    """How much the words lower the prior's error, as a share of its error without words."""
    seconds: float
    """CPU, of all its steps and the character."""
    front: int = -1
    """Whether the head has a face, 0 or 1; -1 where it was not looked for."""
    behind: int = -1
    """From how many of ``BEHIND`` a second one is seen; -1 where it was not looked for."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A character in an A-pose from the front and the back."""

    pictures: Float[ndarray, "2 s s 3"]
    """sRGB on white."""
    layer: Int[ndarray, "2 s s"]
    whole: Bool[ndarray, "2 s s"]
    names: tuple[str, ...]


def look_at(avatar: Avatar, cameras: Cameras | None = None) -> tuple[Seen, Cameras]:
    """Flat pictures, from given cameras or where all of it is seen."""
    scene = scene_from_layers(avatar.layers, posed(avatar, posture_named("a-pose")))
    cameras = cameras or frame(scene.vertices, [0.0, 180.0], 3.0, 28.0, SIZE)
    output = render_mesh(scene, cameras, None, background=(1.0, 1.0, 1.0))
    whole = output.alpha.numpy()[..., 0] > 0.5
    return Seen(to_srgb8(output, "plain") / 255, output.layer.numpy(), whole, scene.names), cameras


def faces(avatar: Avatar) -> tuple[int, int]:
    """Whether the head has a face, and from how many directions behind it has a second one."""
    try:
        need_mediapipe()
    except UserError:
        return -1, -1
    scene = scene_from_layers(avatar.layers, posed(avatar, posture_named("a-pose")))
    low, high = scene.vertices[:, 1].min(), scene.vertices[:, 1].max()
    head = scene.vertices[scene.vertices[:, 1] > high - 0.16 * (high - low)]
    cameras = frame(head, [0.0, *BEHIND], 3.0, 28.0, SIZE)
    front, *behind = to_srgb8(render_mesh(scene, cameras, None, background=(1.0, 1.0, 1.0)), "plain")
    return int(shows_face(front)), sum(shows_face(picture) for picture in behind)


def colours_right(seen: Seen, draft: Seen, case: Case) -> list[float]:
    """CIEDE2000 of each named colour where the draft wears it, front and back where enough of it shows."""
    out = []
    for name, asked in case.colours.items():
        if name not in draft.names:
            continue
        target = np.asarray(colour(asked).srgb, float)
        for view in (0, 1):
            there = ndimage.binary_erosion(draft.layer[view] == draft.names.index(name)) & seen.whole[view]
            if there.sum() >= 30:
                out.append(nearest_share(seen.pictures[view][there], target))
    return out


@torch.no_grad()
def words_help(prior: Any, seen: Seen, prompt: str, draws: int = 4) -> float:
    """How much the words lower the prior's error at noise that is the same for every character."""
    words = embedded(prior, prompt, "body", "plain")
    pictures = enlarged(torch.from_numpy(seen.pictures).float(), prior.native_size)
    latents = prior.encode(pictures)
    text = words.at([side_of("body", azimuth, 3.0) for azimuth in (0.0, 180.0)], [True, True])
    told = untold = 0.0
    for draw in range(draws):
        generator = torch.Generator().manual_seed(draw)
        t = torch.full((2,), 0.3 + 0.4 * draw / max(draws - 1, 1))
        noisy = add_noise(prior, latents, t, torch.randn(latents.shape, generator=generator))
        found = predict(prior, noisy, text)
        told += float((found.conditional - noisy.noise).square().mean())
        untold += float((found.unconditional - noisy.noise).square().mean())
    return (untold - told) / untold


def measured(name: str, avatar: Avatar, case: Case, draft: tuple[Seen, Cameras], prior: Any, folder: Path) -> Row:
    """Writes a character, reads it back, and says how it came out."""
    path = folder / "measured.glb"
    write_glb(avatar, path)
    again = read_glb(path)
    seen, _ = look_at(again, draft[1])
    path.unlink()
    found = colours_right(seen, draft[0], case)
    both, either = (seen.whole & draft[0].whole).sum(), (seen.whole | draft[0].whole).sum()
    return Row(
        name, case.prompt, sum(each <= RIGHT for each in found), len(found), float(np.median(found)),
        float(both / either), words_help(prior, seen, case.prompt), 0.0, *faces(again),
    )  # fmt: skip


def compare(names: Sequence[str], cases: Sequence[int], out: Path, steps: int | None, seed: int = 1) -> None:
    """Makes every row of every case that is not there yet; prints the table."""
    out.mkdir(parents=True, exist_ok=True)
    prior = load("embedded")
    rows = []
    for number in cases:
        case = CASES[number]

        @cache
        def first(case: Case = case) -> tuple[Avatar, tuple[Seen, Cameras]]:
            avatar = build_figure(read_words(case.prompt, seed).spec).avatar
            return avatar, look_at(avatar)

        for name in ("draft", *names):
            path = out / f"{name.replace(', ', '-')}-{number:02d}.json"
            zero = out / f"zero-{path.name}"
            if not path.exists():
                if name == "draft":
                    made = {path: measured("draft", first()[0], case, first()[1], prior, out)}
                else:
                    recipe = replace(ROWS[name], seed=seed, **({} if steps is None else {"steps": steps}))
                    made = _two(name, recipe, case, first()[1], prior, path, zero)
                for place, row in made.items():
                    with atomic_path(place) as partial:
                        partial.write_text(json.dumps(asdict(row), indent=1))
            for place in (zero, path):
                if place.exists():
                    rows.append(Row(**json.loads(place.read_text())))
                    print(said(rows[-1]), flush=True)
    print(table(rows))


def _two(
    name: str, recipe: AvatarBooth, case: Case, draft: tuple[Seen, Cameras], prior: Any, path: Path, zero: Path
) -> dict[Path, Row]:
    """The row before the first step, where it is not the draft's, and that after the last; a sheet beside the draft."""
    start = time.process_time()
    made, seen = {}, [draft[0]]
    for step in recipe.fit(Subject(case.prompt)):
        if step.stage != "character" and not (step.stage == "start" and recipe.deliver == "field"):
            continue  # layers before the first step are the draft's
        avatar = step.avatar()
        spent = time.process_time() - start
        place = zero if step.stage == "start" else path
        row = measured(f"{name}, zero steps" if place == zero else name, avatar, case, draft, prior, path.parent)
        made[place] = replace(row, seconds=spent)
        seen.append(look_at(avatar, draft[1])[0])
        start += time.process_time() - start - spent
    sheet = [(picture * 255).astype(np.uint8) for each in seen for picture in each.pictures]
    with atomic_path(path.with_suffix(".png")) as partial:
        contact_sheet(sheet, len(sheet)).save(partial)
    return made


def said(row: Row) -> str:
    return (
        f"{row.name}: {row.right} of {row.of} colours, {row.difference:.1f}, outline {row.overlap:.3f}, words help "
        f"{100 * row.fit:.2f} %, face in front {row.front}, behind {row.behind}, {row.seconds:.0f} s: {row.prompt}"
    )


def _shares(found: Sequence[int]) -> str:
    """How many of those that were looked at have any."""
    looked = [each for each in found if each >= 0]
    return f"{sum(each > 0 for each in looked)} of {len(looked)}" if looked else "not looked for"


def table(rows: Sequence[Row]) -> str:
    """Markdown: one line a kind of row."""
    lines = [
        "| what | prompts | colours right | difference | outline | words help | faces in front | second ones | CPU s |",
        "|---" * 9 + "|",
    ]
    for name in dict.fromkeys(row.name for row in rows):
        mine = [row for row in rows if row.name == name]
        mean = {key: float(np.mean([getattr(row, key) for row in mine])) for key in ("overlap", "fit", "seconds")}
        lines.append(
            f"| {name} | {len(mine)} | {sum(row.right for row in mine)} of {sum(row.of for row in mine)} "
            f"| {np.median([row.difference for row in mine]):.1f} | {mean['overlap']:.3f} | {100 * mean['fit']:.2f} % "
            f"| {_shares([row.front for row in mine])} | {_shares([row.behind for row in mine])} "
            f"| {mean['seconds']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW")
    parser.add_argument("--cases", nargs="+", type=int, default=list(range(len(CASES))))
    parser.add_argument("--steps", type=int, help="in place of each row's own")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    compare(arguments.rows, arguments.cases, arguments.out, arguments.steps)


if __name__ == "__main__":
    main()
