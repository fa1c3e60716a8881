"""The README's contact sheets: ``python examples/02_contact_sheets.py people|prompts|looks FILE.jpg [--size 256]``."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.people import random_spec
from bozzetto.figure.spec import FigureSpec, Look
from bozzetto.render.cameras import frame
from bozzetto.render.light import studio
from bozzetto.render.pictures import contact_shadow, contact_sheet, studio_picture
from bozzetto.subject.words import read_words

PROMPTS = (
    "an elderly woman with a grey bun in a dark green knitted sweater and a brown knee skirt",
    "a businessman in a navy suit jacket, white shirt, red tie and black shoes",
    "a firefighter",
    "a teenage girl with pink pigtails, a yellow hoodie, denim shorts and white sneakers",
    "a bald muscular man with a full black beard in a white tank top and camouflage-green trousers, arms crossed",
    "a bride with long wavy blonde hair in a long white dress",
    "a boy of eight in a blue and white striped t-shirt, red shorts and sneakers, waving",
    "a dark-skinned woman with an afro, an orange dress and gold heels",
    "a pirate with dreadlocks and a brown long coat",
    "a runner in black leggings and a teal tank top, running",
    "an old man with a long white beard in a purple robe and a brimmed hat, made of wood",
    "a robot in a red scarf",
)


def strip(spec: FigureSpec, size: int, azimuths: Iterable[float], close: bool = True) -> list[object]:
    """One person from several sides, and the face."""
    stance = stand(build_figure(spec), spec.pose)
    light, floor = studio(), contact_shadow(stance.scene)
    views = [
        studio_picture(stance.scene, frame(stance.box, a, 4.0, 24.0, size, 0.04), light.turned(a), floor)
        for a in azimuths
    ]
    if close:
        head = frame(stance.head, 20.0, 2.0, 24.0, size, 0.05)
        views.append(studio_picture(stance.scene, head, light.turned(20.0), None))
    return list(views)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["people", "prompts", "looks"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--count", type=int, default=24)
    arguments = parser.parse_args()
    pictures: list[object] = []
    if arguments.what == "people":
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.count):
            spec = replace(random_spec(seed), look="realistic", pose="relaxed")
            pictures += strip(spec, arguments.size, (25.0,))
        columns = 8
    elif arguments.what == "prompts":
        for number, prompt in enumerate(PROMPTS):
            pictures += strip(read_words(prompt, seed=number).spec, arguments.size, (25.0, 180.0))
        columns = 6
    else:
        for number, look in enumerate(get_args(Look)):
            spec = replace(random_spec(arguments.first_seed + number % 3), look=look, pose="relaxed")
            pictures += strip(spec, arguments.size, (0.0, 35.0, 180.0))
        columns = 8
    contact_sheet(pictures, columns).save(arguments.file, quality=88)  # type: ignore[arg-type]
    print(arguments.file)


if __name__ == "__main__":
    main()
