"""A VRM in three-vrm in headless Chromium, against our own reading of it: python tests/web/view_vrm.py FILE FOLDER

At rest and in a pose three-vrm draws our renderer's outline, and every vertex lies where our own skinning puts it, with
expressions too; a viseme changes the picture at the mouth, a blink at the eyes, and hardly elsewhere; a VRM animation
moves bones and jaw as we read it. FOLDER/beside.png shows ours above theirs. Exit status 1 where something is missing
or further apart than it may be.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from page import FURTHEST, LEAST, SIZE, overlap, shot, vertices_apart
from PIL import Image
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import pose_transforms, skin
from bozzetto.export.bones import VRM
from bozzetto.export.expressions import VRM_PRESETS
from bozzetto.export.read import read_glb
from bozzetto.figure.build import expressed
from bozzetto.motion.builtin import built_in
from bozzetto.motion.source import Source
from bozzetto.motion.vrma import read_vrma, write_vrma
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.light import studio
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.types import Avatar, Cameras, Clip

POSE = {
    "hips": (0, 10, 0), "spine": (5, 15, 0), "head": (5, -20, 15), "leftIndexProximal": (0, 0, -50),
    "leftUpperArm": (0, 20, -65), "rightUpperArm": (10, 0, 50), "rightLowerArm": (0, 60, 0),
    "leftUpperLeg": (-30, 0, 10), "leftLowerLeg": (40, 0, 0), "rightUpperLeg": (15, 0, -8),
}  # fmt: skip
"""Degrees about x, y and z, by VRM bone."""
TURNS = {bone: Rotation.from_euler("xyz", degrees, degrees=True).as_quat() for bone, degrees in POSE.items()}
STATES = {"rest": ({}, ()), "posed": (TURNS, ("aa", "blinkLeft")), "aa": ({}, ("aa",)), "blink": ({}, ("blink",))}
"""Bones' turns (xyzw) and preset expressions."""
CHANGED = 24
"""Levels of 255 by which a pixel has changed."""
ELSEWHERE = 0.01
"""Share of the pixels an expression changes that may lie outside what it moves."""


def posed(avatar: Avatar, state: str) -> Scene:
    """The avatar in one of the states, by our own skinning."""
    turns, presets = STATES[state]
    transforms = pose_transforms(
        avatar.skeleton, {joint: np.roll(turns[bone], 1) for joint, bone in VRM.items() if bone in turns}
    )
    weights = {name: weight for preset in presets for name, weight in VRM_PRESETS[preset].items()}
    points = [
        skin(expressed(layer, weights), layer.skin_weights.numpy(), layer.skin_joints.numpy(), transforms)
        for layer in avatar.layers
    ]
    return scene_from_layers(avatar.layers, points)


def where_moved(before: Scene, after: Scene, camera: Cameras) -> Bool[ndarray, "h w"]:
    """The box in a picture where vertices move by half a millimetre, and a little around it."""
    moved = np.linalg.norm(after.vertices - before.vertices, axis=1) > 5e-4
    points = np.concatenate([before.vertices[moved], after.vertices[moved]])
    world_to_camera = camera.world_to_camera[0].numpy()
    seen = (points @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]) @ camera.intrinsics[0].numpy().T
    pixels, around = seen[:, :2] / seen[:, 2:], 0.02 * SIZE
    left, top, right, bottom = *(pixels.min(0) - around), *(pixels.max(0) + around)
    x, y = np.arange(SIZE), np.arange(SIZE)[:, None]
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def changed(folder: Path, state: str) -> Bool[ndarray, "h w"]:
    """Pixels of theirs that an expression changes in the face."""
    before, after = (np.asarray(Image.open(folder / f"{each}-face.png"), int) for each in ("rest", state))
    return np.abs(after - before).max(2) > CHANGED


def talking_walk(avatar: Avatar) -> Clip:
    walk = built_in("walk", avatar)
    jaw = 0.5 - 0.5 * np.cos(np.linspace(0, 4 * np.pi, len(walk.times)))
    return Clip("walk", walk.times, walk.rotations_wxyz, walk.root_translation, {"jawOpen": jaw.astype(np.float32)})


def motion_apart(source: Source, frames: range, folder: Path) -> tuple[float, float]:
    """How far bones (millimetres) and the jaw's weight are from our own reading, at most."""
    points, bones, jaw = source.points(), 0.0, 0.0
    for number, moment in zip(frames, json.loads((folder / "moments.json").read_text()), strict=True):
        theirs = np.array([moment["bones"][name] for name in source.names])
        bones = max(bones, 1000 * np.linalg.norm(points[number] - theirs, axis=1).max())
        jaw = max(jaw, abs(moment["expressions"]["jawOpen"] - source.expressions["jawOpen"][number]))
    return round(bones, 4), round(jaw, 4)


def beside(ours: list[Image.Image], theirs: list[Path], path: Path) -> None:
    """Ours above theirs, on grey."""
    half = SIZE // 2
    sheet = Image.new("RGB", (half * len(ours), SIZE), (150, 150, 150))
    for column, pair in enumerate(zip(ours, map(Image.open, theirs), strict=True)):
        for row, picture in enumerate(pair):
            small = picture.resize((half, half))
            sheet.paste(small, (column * half, row * half), small)
    sheet.save(path)


def cameras_of(avatar: Avatar, scenes: dict[str, Scene]) -> dict[tuple[str, str], Cameras]:
    """By state and view: the face at rest and with expressions, and the whole figure from two sides."""
    eyes = [avatar.skeleton.positions[avatar.skeleton.index(f"eye.{side}")].numpy() for side in "LR"]
    face = orbit(0.0, 0.0, 0.9, np.mean(eyes, axis=0) - [0, 0.03, 0], 20.0, SIZE, SIZE)
    whole = {
        (state, view): frame(scenes[state].vertices, azimuth, 5.0, 30.0, SIZE, 0.05)
        for state in ("rest", "posed")
        for view, azimuth in (("front", 0.0), ("side", 90.0))
    }
    return {(state, "face"): face for state in ("rest", "aa", "blink")} | whole


def ordered(cameras: dict[tuple[str, str], Cameras], times: list[float]) -> dict[str, object]:
    """What the page is to do, as JSON takes it."""
    states = {
        state: {
            "bones": {bone: turn.tolist() for bone, turn in turns.items()},
            "expressions": dict.fromkeys(presets, 1),
            "views": {view: shot(camera, 0) for (of, view), camera in cameras.items() if of == state},
        }
        for state, (turns, presets) in STATES.items()
    }
    return {"times": times, "states": states}


def outlines(scenes: dict[str, Scene], cameras: dict[tuple[str, str], Cameras], folder: Path) -> dict[str, float]:
    """The overlap of each view's outline with theirs; draws both."""
    overlaps, pictures, files = {}, [], []
    for (state, view), camera in cameras.items():
        seen = render_mesh(scenes[state], camera, studio())
        alpha = seen.alpha[0].numpy()
        colour = tone_mapped(seen.rgb[0].numpy() / np.maximum(alpha, 1e-3))
        pictures.append(Image.fromarray(np.concatenate([colour, np.uint8(255 * alpha)], 2)))
        files.append(folder / f"{state}-{view}.png")
        theirs = np.asarray(Image.open(files[-1]))[..., 3] > 127
        overlaps[f"{state} {view}"] = round(overlap(alpha[..., 0] > 0.5, theirs), 4)
    beside(pictures, files, folder / "beside.png")
    return overlaps


def main(file: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    avatar = read_glb(file)
    scenes = {state: posed(avatar, state) for state in STATES}
    cameras = cameras_of(avatar, scenes)
    write_vrma(talking_walk(avatar), avatar.skeleton, folder / "motion.vrma")
    source = read_vrma(folder / "motion.vrma")
    frames = range(0, len(source.times) - 1, 4)
    orders = ordered(cameras, [float(source.times[each]) for each in frames])
    (folder / "orders.json").write_text(json.dumps(orders))
    done = subprocess.run(["node", Path(__file__).with_suffix(".mjs"), file, folder / "three-vrm.png"])
    if done.returncode:
        return done.returncode

    overlaps = outlines(scenes, cameras, folder)
    vertices = {state: vertices_apart(scene, folder / f"{state}.points") for state, scene in scenes.items()}
    seen = {state: changed(folder, state) for state in ("aa", "blink")}
    face = cameras["rest", "face"]
    pixels = {state: int(each.sum()) for state, each in seen.items()}
    elsewhere = {
        state: int((each & ~where_moved(scenes["rest"], scenes[state], face)).sum()) for state, each in seen.items()
    }
    bones, jaw = motion_apart(source, frames, folder)
    good = {
        "the same outlines": min(overlaps.values()) >= LEAST,
        "the same vertices": max(vertices.values()) < FURTHEST,
        "expressions that are seen": min(pixels.values()) > 0.003 * SIZE**2,
        "expressions where they belong": all(elsewhere[state] < ELSEWHERE * pixels[state] for state in pixels),
        "an animation that moves the same bones": bones < FURTHEST,
        "an animation that moves the same jaw": jaw < 0.001,
    }
    missing = [name for name in good if not good[name]]
    found = {"iou": overlaps, "millimetres": vertices, "changed": pixels, "elsewhere": elsewhere}
    print(json.dumps(found | {"motion_millimetres": bones, "motion_jaw": jaw, "missing": missing}))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
