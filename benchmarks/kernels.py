"""How long kernels compile from nothing, and what a second thread brings: ``python benchmarks/kernels.py``.

Compilation is CPU time inside numba's compiler, in a fresh process with an empty cache: of the draft (words to a
character and its file; the same with its pictures), of one step of every scene, of what textures and levels of detail
need, and of all of them, each once. Threads are wall time of kernels alone, so they mean something on a quiet machine
only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_DRAFT = """
from bozzetto.cli import main
import sys
sys.argv = ["bozzetto", "generate", "an old woman in a green knitted sweater and a skirt", "--out", {out!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
_FILE = """
from pathlib import Path
from bozzetto.export.glb import write_glb
from bozzetto.figure.build import build_figure
from bozzetto.subject.words import read_words
spec = read_words("an old woman in a green knitted sweater and a skirt").spec
write_glb(build_figure(spec).avatar, Path({out!r} + ".glb"))
"""
_SCENES = """
import numpy as np
import torch
from bozzetto.body.model import load_body
from bozzetto.render.cameras import orbit
from bozzetto.scene.radiance import NeRF, NeuS
from bozzetto.scene.surface import DMTet, TexturedMesh
from bozzetto.types import Mesh
part = load_body().parts["body"]
used, faces = np.unique(part.faces, return_inverse=True)
vertices, faces = load_body().template[used].double().numpy(), faces.reshape(-1, 3)
mesh = Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(faces), torch.from_numpy(np.asarray(part.uvs)).float())
made = [kind.from_mesh(vertices, faces, cell=0.04) for kind in (NeRF, NeuS, DMTet)] + [TexturedMesh.from_mesh(mesh)]
for scene in made:
    scene.render(orbit(0.0, 0.0, 3.0, (0.0, 0.0, 0.0), 40.0, 32, 32)).rgb.sum().backward()
"""
_TOOLS = """
import numpy as np
from bozzetto.export.simplify import at_level
from bozzetto.figure.build import build_figure
from bozzetto.render.cameras import frame
from bozzetto.subject.words import read_words
from bozzetto.texture import bake, unwrap
avatar = build_figure(read_words("an old woman in a green knitted sweater and a skirt").spec).avatar
at_level(avatar, 2)
mesh = avatar.layers[0].mesh
vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()
bake(mesh, np.zeros((2, 64, 64, 3), np.float32), frame(vertices, [0.0, 180.0], 3.0, 28.0, 64), 256)
unwrap(vertices, faces, 256)
"""
_PROGRAMS = {
    "words to avatar.glb": _FILE,
    "the draft, with pictures and film": _DRAFT,
    "scenes": _SCENES,
    "texture, levels of detail": _TOOLS,
}
_LISTEN = """
import time
from numba.core import event

class Clock(event.Listener):
    open, each = [], {{}}
    def on_start(self, began):
        self.open.append([time.process_time(), 0.0])
    def on_end(self, ended):
        kernel = ended.data["dispatcher"].py_func
        began, within = self.open.pop()
        spent = time.process_time() - began
        if self.open:
            self.open[-1][1] += spent
        name = kernel.__module__ + "." + kernel.__name__
        times, seconds = self.each.get(name, (0, 0.0))
        self.each[name] = times + 1, seconds + spent - within

clock = Clock()
event.register("numba:compile", clock)
"""
_SAY = 'import json; print("COMPILED" + json.dumps(clock.each))\n'


def compiled(code: str) -> dict[str, tuple[int, float]]:
    """How often each kernel, and what numba brings itself, is compiled from nothing, and the CPU seconds of it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
        program = (_LISTEN + code + _SAY).format(out=str(Path(folder) / "run"))
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        )
    return json.loads(done.stdout.strip().splitlines()[-1].removeprefix("COMPILED"))


def threads(repeats: int) -> None:
    import numpy as np
    import torch

    from bozzetto.body.model import load_body
    from bozzetto.render.cameras import orbit
    from bozzetto.render.raster import rasterize
    from bozzetto.render.surface import interpolate
    from bozzetto.scene.hashgrid import HashGrid

    part = load_body().parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    vertices, faces = load_body().template[used].float(), torch.from_numpy(faces.reshape(-1, 3))
    cameras = orbit([0.0, 90.0, 180.0, 270.0], 0.0, 2.6, (0.0, 0.0, 0.0), 40.0, 512, 512)
    seen = torch.from_numpy(rasterize(vertices.numpy(), faces.numpy(), cameras).face)
    grid = HashGrid()
    points = torch.rand(100_000, 3, generator=torch.Generator().manual_seed(0))
    moved, turn, slope = vertices.clone().requires_grad_(), torch.ones(4, 512, 512, 3), torch.ones(100_000, grid.width)

    kernels: dict[str, Callable[[], object]] = {
        "rasteriser, 4 views of 512 px": lambda: rasterize(vertices.numpy(), faces.numpy(), cameras),
        "interpolation, forward and backward": lambda: torch.autograd.grad(
            interpolate(moved, faces, cameras, seen, moved), moved, turn
        ),
        "hash grid, 100,000 points, forward and backward": lambda: torch.autograd.grad(grid(points), grid.table, slope),
    }
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats + 1):
        for name, run in kernels.items():
            for count in (1, 2):
                torch.set_num_threads(count)
                start = time.perf_counter()
                run()
                times.setdefault((name, count), []).append((time.perf_counter() - start) * 1000)
    for name in kernels:
        one, two = (statistics.median(times[name, count][1:]) for count in (1, 2))
        print(f"  {one:7.1f} ms on one thread, {two:7.1f} on two, {one / two:.2f} x  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=["compile", "threads"])
    parser.add_argument("--show", type=int, default=12, help="this many of the most expensive")
    arguments = parser.parse_args()
    if arguments.only != "threads":
        made = {name: compiled(code) for name, code in _PROGRAMS.items()}
        made["all, each once"] = {name: cost for kernels in made.values() for name, cost in kernels.items()}
        for name, kernels in made.items():
            total = sum(seconds for _, seconds in kernels.values())
            print(f"{name}: {sum(times for times, _ in kernels.values())} functions compiled in {total:.1f} CPU s")
            for kernel, (times, seconds) in sorted(kernels.items(), key=lambda each: -each[1][1])[: arguments.show]:
                print(f"  {seconds:5.2f} s, {times} times  {kernel}")
    if arguments.only != "compile":
        threads(arguments.repeats)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
