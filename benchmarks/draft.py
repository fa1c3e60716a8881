"""Words to files in fresh processes: ``python benchmarks/draft.py [--runs 5] [--cold]``.

Prints the median wall seconds until ``avatar.glb`` is whole and until everything is, the seconds of each stage as the
run recorded them, and the peak memory. ``--cold`` first clears the kernels' cache of this checkout, as on a first run.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "an elderly woman with a grey bun in a dark green knitted sweater, a brown knee-length skirt and boots"


def run(folder: Path, environment: dict[str, str]) -> tuple[float, float, dict[str, float]]:
    """Seconds to the character, seconds to the end, and seconds by stage."""
    out = folder / "run"
    start, clock = time.time(), time.perf_counter()
    command = [sys.executable, "-m", "bozzetto", "generate", PROMPT, "--out", str(out)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - clock
    record = json.loads((out / "run.json").read_text())
    return (out / "avatar.glb").stat().st_mtime - start, whole, record["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="compile every kernel anew, once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if arguments.cold:
            environment["NUMBA_CACHE_DIR"] = str(Path(folder) / "kernels")
            first, whole, stages = run(Path(folder) / "cold", environment)
            print(f"cold: avatar.glb {first:.2f} s, everything {whole:.2f} s, stages {stages}")
        runs = [run(Path(folder) / str(number), environment) for number in range(arguments.runs)]
    print(f"avatar.glb: median {statistics.median(r[0] for r in runs):.2f} s of {[round(r[0], 2) for r in runs]}")
    print(f"everything: median {statistics.median(r[1] for r in runs):.2f} s of {[round(r[1], 2) for r in runs]}")
    for stage in runs[0][2]:
        print(f"  {stage}: {statistics.median(r[2].get(stage, 0.0) for r in runs):.2f} s")
    print(f"peak memory of a run: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.2f} GB")
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
