"""A run's ``index.html`` in headless Chromium: python tests/web/page.py RUN FOLDER

Runs ``page.mjs`` and compares the browser's silhouettes of the character at rest with those of our own renderer. Exit
status 1 where a page lacks something or the silhouettes' overlap (IoU) is below 0.97.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from PIL import Image

from bozzetto.export.read import read_glb
from bozzetto.figure.build import expressed
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers
from bozzetto.types import Cameras

SIZE = 640
LEAST = 0.97


def shot(cameras: Cameras, view: int) -> dict[str, object]:
    """One of our cameras (OpenCV) as the page wants it: OpenGL's axes, columns first."""
    intrinsics = cameras.intrinsics[view].double().numpy()
    width, height, near, far = cameras.width, cameras.height, 0.05, 50.0
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ cameras.world_to_camera[view].double().numpy()
    projection = np.zeros((4, 4))
    projection[0, [0, 2]] = 2 * intrinsics[0, 0] / width, 1 - 2 * intrinsics[0, 2] / width
    projection[1, [1, 2]] = 2 * intrinsics[1, 1] / height, 2 * intrinsics[1, 2] / height - 1
    projection[2, [2, 3]] = -(far + near) / (far - near), -2 * far * near / (far - near)
    projection[3, 2] = -1
    columns = {"view": world_to_camera.T.ravel().tolist(), "projection": projection.T.ravel().tolist()}
    return {"width": width, "height": height, **columns}


def overlap(ours: Bool[ndarray, "h w"], theirs: Bool[ndarray, "h w"]) -> float:
    """Intersection over union."""
    return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


def main(run: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    avatar = read_glb(run / "avatar.glb")
    scene = scene_from_layers(avatar.layers, [expressed(layer, dict(avatar.expression)) for layer in avatar.layers])
    cameras = frame(scene.vertices, np.array([0.0, 40.0, 90.0, 180.0]), 5.0, 30.0, SIZE, 0.05)
    seen = render_mesh(scene, cameras, None).alpha[..., 0].numpy() > 0.5
    shots = folder / "shots.json"
    shots.write_text(json.dumps([shot(cameras, view) for view in range(len(cameras))]))
    script = Path(__file__).with_name("page.mjs")
    done = subprocess.run(["node", script, run / "index.html", shots, folder])
    if done.returncode:
        return done.returncode
    pictures = [np.array(Image.open(folder / f"coverage-{view}.png"))[..., 3] > 127 for view in range(len(cameras))]
    overlaps = [overlap(*pair) for pair in zip(seen, pictures, strict=True)]
    print(json.dumps({"iou": [round(each, 4) for each in overlaps]}))
    return 0 if min(overlaps) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
