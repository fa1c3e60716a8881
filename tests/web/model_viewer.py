"""GLB files in model-viewer in headless Chromium: python tests/web/model_viewer.py FOLDER FILE.glb…

At rest and at two moments of the walk. Exit status 1 where one does not open, or the overlap (IoU) of its outline with
our own renderer's is below 0.97.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from page import LEAST, SIZE, overlap
from PIL import Image

from bozzetto.body.bind import pose_transforms, skin
from bozzetto.export.read import read_glb
from bozzetto.figure.build import expressed
from bozzetto.render.cameras import orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.types import Avatar, Clip


def frozen(avatar: Avatar, clip: Clip, key: int) -> Scene:
    """The avatar at one of the clip's keys, by our own skinning."""
    lift = None if clip.root_translation is None else clip.root_translation[key]
    turns = {joint: tuple(map(float, quaternions[key])) for joint, quaternions in clip.rotations_wxyz.items()}
    transforms = pose_transforms(avatar.skeleton, turns, lift)
    points = [
        skin(
            expressed(layer, dict(avatar.expression)), layer.skin_weights.numpy(), layer.skin_joints.numpy(), transforms
        )
        for layer in avatar.layers
    ]
    return scene_from_layers(avatar.layers, points)


def overlaps(file: Path, folder: Path) -> dict[str, float]:
    """Of the outlines, by picture; none where it does not open."""
    folder.mkdir(parents=True, exist_ok=True)
    avatar = read_glb(file)
    walk = next(clip for clip in avatar.clips if clip.name == "walk")
    times = {float(walk.times[key]): key for key in (len(walk.times) // 6, len(walk.times) // 2)}
    (folder / "times.json").write_text(json.dumps(list(times)))
    done = subprocess.run(["node", Path(__file__).with_suffix(".mjs"), file, folder / "last.png"])
    if done.returncode:
        return {}
    rest = scene_from_layers(avatar.layers, [expressed(layer, dict(avatar.expression)) for layer in avatar.layers])
    camera = orbit(0.0, 0.0, 4.0, (0.0, 0.9, 0.0), 30.0, SIZE, SIZE)
    scenes = {"rest": rest} | {f"walk-{time}": frozen(avatar, walk, key) for time, key in times.items()}
    found = {}
    for name, scene in scenes.items():
        ours = render_mesh(scene, camera, None).alpha[0, ..., 0].numpy() > 0.5
        found[name] = round(overlap(ours, np.asarray(Image.open(folder / f"{name}.png"))[..., 3] > 127), 4)
    return found


def main(folder: Path, files: list[Path]) -> int:
    found = {str(file): overlaps(file, folder / f"{number}") for number, file in enumerate(files)}
    print(json.dumps({"iou": found}))
    return 0 if all(each and min(each.values()) >= LEAST for each in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
