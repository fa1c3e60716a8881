"""Work side by side on as many threads as torch may use. Kernels release the GIL, so that they run at once."""

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch


def side_by_side(work: Callable[[int], object], count: int, parallel: bool = True) -> None:
    """Calls ``work(0)`` to ``work(count - 1)``: whoever is free takes the next, the calling thread among them."""
    jobs = deque(range(count))

    def take() -> None:
        while jobs:
            try:
                job = jobs.popleft()
            except IndexError:  # another was quicker
                return
            work(job)

    helpers = min(torch.get_num_threads(), count) - 1 if parallel else 0
    waiting = [_threads().submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        jobs.clear()
        # Who has not begun will find nothing to do; to wait for him would be for ever if all threads wait here.
        for each in waiting:
            if not each.cancel():
                each.result()


def in_bands(work: Callable[[int, int], object], rows: int, parallel: bool = True) -> None:
    """Calls ``work(first row, end row)`` over all rows, in several bands a thread."""
    bands = 4 * torch.get_num_threads() if parallel and torch.get_num_threads() > 1 else 1
    if rows < bands:
        bands = 1
    edges = np.linspace(0, rows, bands + 1).astype(int).tolist()
    side_by_side(lambda band: work(edges[band], edges[band + 1]), bands)


_kept: list[ThreadPoolExecutor] = []


def _threads() -> ThreadPoolExecutor:
    """They stay for the next call: to start them takes as long as many a kernel."""
    if not _kept:
        _kept.append(ThreadPoolExecutor(max((os.cpu_count() or 1) - 1, 1), "bozzetto"))
    return _kept[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_kept.clear)  # a child has none of its parent's threads
