"""Seconds of each stage of AvatarBooth from words: ``python benchmarks/avatarbooth.py [--threads 2] [OPTION…]``.

Other options go to ``bozzetto generate``. Wall time, so the machine's load is printed beside it.
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
    arguments, options = parser.parse_known_args()
    threads = {name: str(arguments.threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        out, start = Path(folder) / "run", time.perf_counter()
        command = [sys.executable, "-m", "bozzetto", "generate", PROMPT, "--recipe", "avatarbooth", "--out", str(out)]
        subprocess.run([*command, *options], check=True, env={**os.environ, **threads}, stdout=subprocess.DEVNULL)
        wall, record = time.perf_counter() - start, json.loads((out / "run.json").read_text())
    print("| stage | seconds |\n|---|---|")
    for stage, seconds in record["seconds"].items():
        print(f"| {stage} | {seconds:.1f} |")
    print(f"| all of it, from the command to the prompt | {wall:.1f} |")
    print(f"load {os.getloadavg()[0]:.1f}, {arguments.threads} threads, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
