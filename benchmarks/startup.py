"""How long the command line takes to say something: ``python benchmarks/startup.py [REPEATS]``.

| date       | machine           | --version | --help | generate --help |
|------------|-------------------|-----------|--------|-----------------|
| 2026-11-21 | 2 cores, shared    | 0.15      | 0.43   | 0.42            |
Medians in seconds, each from a fresh process.
"""

import statistics
import subprocess
import sys
import time


def median_seconds(arguments: list[str], repeats: int) -> float:
    """Of a fresh process from start to end."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bozzetto", *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    for arguments in (["--version"], ["--help"], ["generate", "--help"]):
        print(f"bozzetto {' '.join(arguments):<20} {median_seconds(arguments, repeats):.3f} s")
