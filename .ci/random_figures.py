"""Writes GLB files of random people: python .ci/random_figures.py FOLDER COUNT"""

import sys
from pathlib import Path

from bozzetto.export.glb import write_glb
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec

folder, count = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for seed in range(count):
    path = folder / f"random-{seed:03}.glb"
    write_glb(build_figure(random_spec(seed)).avatar, path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
