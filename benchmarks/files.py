"""How long a built figure's files take to write: ``python benchmarks/files.py [--figures 4] [--first-seed 0]``.

A GLB and a VRM of each random figure, CPU time of the process; the first figure is written once before, so that nothing
is compiled or loaded within the measure.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from bozzetto.export.glb import write_glb
from bozzetto.export.vrm import write_vrm
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec
from bozzetto.types import Avatar


def written(avatar: Avatar, folder: Path) -> tuple[float, float]:
    """CPU seconds of the GLB and of the VRM."""
    start = time.process_time()
    write_glb(avatar, folder / "avatar.glb")
    middle = time.process_time()
    write_vrm(avatar, folder / "avatar.vrm")
    return middle - start, time.process_time() - middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.figures)
    with tempfile.TemporaryDirectory() as name:
        written(build_figure(random_spec(arguments.first_seed)).avatar, Path(name))
        pairs = [written(build_figure(random_spec(seed)).avatar, Path(name)) for seed in seeds]
    for what, seconds in (
        ("GLB", [glb for glb, _ in pairs]),
        ("VRM", [vrm for _, vrm in pairs]),
        ("both", [sum(pair) for pair in pairs]),
    ):
        print(f"{what}: median {statistics.median(seconds):.2f} CPU s, {min(seconds):.2f} to {max(seconds):.2f}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
