"""Seconds of each stage of AvatarBooth: ``python benchmarks/avatarbooth.py [--photos] [--threads 2] [OPTION…]``.

From words, or from photos of a person of ``bozzetto.evaluate.personalize``. Other options go to ``bozzetto generate``
or ``bozzetto personalize``. Wall time, so the machine's load is printed beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "a woman with long blonde hair in a red sweater and blue trousers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photos", type=int, nargs="?", const=5, metavar="INDEX", help="of whom; without it 5")
    arguments, options = parser.parse_known_args()
    threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        words = ["generate", PROMPT, "--recipe", "avatarbooth"]
        if arguments.photos is not None:
            from bozzetto.evaluate.personalize import photographed

            words = ["personalize", *map(str, photographed(arguments.photos, Path(folder) / "photos")), "--consent"]
        out, start = Path(folder) / "run", time.perf_counter()
        command = [sys.executable, "-m", "bozzetto", *words, "--out", str(out)]
        subprocess.run([*command, *options], check=True, env={**os.environ, **threads}, stdout=subprocess.DEVNULL)
        wall, record = time.perf_counter() - start, json.loads((out / "run.json").read_text())
    print("| stage | seconds |\n|---|---|")
    for stage, seconds in record["seconds"].items():
        print(f"| {stage} | {seconds:.1f} |")
    print(f"| all of it, from the command to the prompt | {wall:.1f} |")
    print(f"load {os.getloadavg()[0]:.1f}, {arguments.threads} threads, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
