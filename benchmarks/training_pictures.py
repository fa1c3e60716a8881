"""Training pictures a CPU-second: ``python benchmarks/training_pictures.py [--people 20] [--views 12] [--size 128]``.

Each person is drawn from scratch: spec, captions, figure of low detail, three poses, pictures with their exact truth.
One thread; kernels and kept things are warmed up on the same people first: the second pass is what a long run costs.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Iterable

import torch

from bozzetto.figure import build, ground_truth

STAGES = (
    (ground_truth, "random_spec"), (ground_truth, "captions"), (build, "shape_person"), (build, "stylised_body"),
    (build, "raise_heels"), (build, "garment_pieces"), (build, "shoe_pieces"), (build, "extra_pieces"),
    (build, "hair_pieces"), (build, "face_hair_pieces"), (build, "eye_pieces"), (build, "mouth_pieces"),
    (build, "skin_piece"), (build, "restyle"), (build, "bind_t_pose"), (build, "to_layer"), (ground_truth, "posed"),
    (ground_truth, "scene_from_layers"), (ground_truth, "reposed"), (ground_truth, "sky_visibility"),
    (ground_truth, "render_mesh"), (ground_truth, "tone_mapped"), (ground_truth, "face_contours"),
)  # fmt: skip


def draw(seeds: Iterable[int], views: int, size: int) -> float:
    """CPU seconds that these people's pictures take."""
    start = time.process_time()
    for seed in seeds:
        ground_truth.random(seed).views(views, size)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--profile", action="store_true", help="print the functions that take longest")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(arguments.people)
    first = draw(seeds, arguments.views, arguments.size)
    seconds = draw(seeds, arguments.views, arguments.size)
    pictures = arguments.people * arguments.views
    print(f"{pictures / seconds:.1f} pictures a CPU-second ({1000 * seconds / arguments.people:.0f} ms a person)")
    print(f"the first pass: {pictures / first:.1f}")
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    draw(seeds, arguments.views, arguments.size)
    profile.disable()
    stats = pstats.Stats(profile)
    spent = {(path, name): cumulative for (path, _, name), (_, _, _, cumulative, _) in stats.stats.items()}  # type: ignore[attr-defined]
    rows = []
    for module, name in STAGES:
        code = getattr(module, name).__code__
        rows.append((spent.get((code.co_filename, code.co_name), 0.0), name))
    print("milliseconds a person, profiled:")
    for cumulative, name in sorted(rows, reverse=True):
        print(f"  {name:<20} {1000 * cumulative / arguments.people:7.1f}")
    if arguments.profile:
        stats.sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
