"""A run's ``avatar.glb`` in model-viewer in headless Chromium: python tests/web/model_viewer.py RUN OUT.png

Exit status 1 where it does not open, or the overlap (IoU) of its outline with our own renderer's is below 0.97.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from page import LEAST, SIZE, overlap
from PIL import Image

from bozzetto.export.read import read_glb
from bozzetto.figure.build import expressed
from bozzetto.render.cameras import orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers


def main(run: Path, out: Path) -> int:
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["node", Path(__file__).with_suffix(".mjs"), run / "avatar.glb", out])
    if done.returncode:
        return done.returncode
    avatar = read_glb(run / "avatar.glb")
    scene = scene_from_layers(avatar.layers, [expressed(layer, dict(avatar.expression)) for layer in avatar.layers])
    camera = orbit(0.0, 0.0, 4.0, (0.0, 0.9, 0.0), 30.0, SIZE, SIZE)
    ours = render_mesh(scene, camera, None).alpha[0, ..., 0].numpy() > 0.5
    red, green, blue = np.asarray(Image.open(out).convert("RGB")).transpose(2, 0, 1)
    found = overlap(ours, ~((red > 200) & (green < 90) & (blue > 200)))  # before magenta
    print(json.dumps({"iou": round(found, 4)}))
    return 0 if found >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
