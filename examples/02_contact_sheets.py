"""The README's contact sheets: ``python examples/02_contact_sheets.py people|prompts|looks|motion FILE.jpg``."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.people import random_spec
from bozzetto.figure.reshape import reshaped
from bozzetto.figure.spec import FigureSpec, Look
from bozzetto.motion.builtin import built_in
from bozzetto.motion.film import Stage, seat
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


MOVING = "a young woman with a ponytail in a yellow t-shirt, blue jeans and white sneakers"
MOMENTS = (
    ("walk", 0.0),
    ("walk", 0.3),
    ("run", 0.2),
    ("run", 0.55),
    ("wave", 0.5),
    ("sit", 1.0),
    ("dance", 0.3),
    ("dance", 0.62),
)
"""Motions and the share of each that has passed."""
CHANGES: tuple[dict[str, float], ...] = (
    {"age": 7, "height": 1.22}, {"age": 13, "height": 1.52}, {}, {"age": 75}, {"weight": 0.1}, {"weight": 0.95},
    {"muscle": 0.95, "weight": 0.6}, {"height": 1.9},
)  # fmt: skip


def moving(spec: FigureSpec, size: int) -> list[object]:
    """One person in motion, then the same with other measures, all seen by one camera."""
    figure = build_figure(spec)
    pictures: list[object] = []
    for name, share in MOMENTS:
        clip = built_in(name, figure.avatar)
        props = (seat(figure.avatar, clip),) if name == "sit" else ()
        stage = Stage(figure.avatar, clip, props, size)
        pictures.append(stage.picture(round(share * (len(stage) - 1))))
    light, box = studio().turned(25.0), np.array([[-0.6, 0.0, -0.3], [0.6, 1.93, 0.3]])
    for change in CHANGES:
        stance = stand(build_figure(reshaped(spec, change)[0]), "relaxed")
        camera = frame(box, 25.0, 4.0, 24.0, size, 0.04)
        pictures.append(studio_picture(stance.scene, camera, light, contact_shadow(stance.scene)))
    return pictures


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
    parser.add_argument("what", choices=["people", "prompts", "looks", "motion"])
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
    elif arguments.what == "motion":
        pictures = moving(read_words(MOVING, seed=3).spec, arguments.size)
        columns = 8
    else:
        for number, look in enumerate(get_args(Look)):
            spec = replace(random_spec(arguments.first_seed + number % 3), look=look, pose="relaxed")
            pictures += strip(spec, arguments.size, (0.0, 35.0, 180.0))
        columns = 8
    contact_sheet(pictures, columns).save(arguments.file, quality=88)  # type: ignore[arg-type]
    print(arguments.file)


if __name__ == "__main__":
    main()
