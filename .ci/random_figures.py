"""Writes GLB and VRM files of random people: python .ci/random_figures.py FOLDER COUNT"""

import sys
from pathlib import Path

from bozzetto.export.glb import write_glb
from bozzetto.export.vrm import write_vrm
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec

folder, count = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for seed in range(count):
    path = folder / f"random-{seed:03}.glb"
    avatar = build_figure(random_spec(seed)).avatar
    write_glb(avatar, path)
    write_vrm(avatar, path.with_suffix(".vrm"))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
