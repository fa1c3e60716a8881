"""Work side by side."""

import os
import threading

import numpy as np
import pytest
import torch

from bozzetto.threads import in_bands, side_by_side


def test_every_row_is_visited_once(threads):
    for count in (0, 1, 5, 97):
        rows = np.zeros(count, int)

        def visit(low, high, rows=rows):
            rows[low:high] += 1

        in_bands(visit, count)
        assert (rows == 1).all()


def test_work_is_shared_where_there_are_threads(threads):
    """Who does a job waits until all jobs have begun, which needs as many threads as jobs."""
    count = min(threads, os.cpu_count() or 1)
    begun = threading.Barrier(count, timeout=20)
    side_by_side(lambda _: begun.wait(), count)


def test_work_within_work_ends(threads):
    done = []
    side_by_side(lambda i: side_by_side(lambda j: done.append((i, j)), 5), 4)
    assert sorted(done) == [(i, j) for i in range(4) for j in range(5)]


def test_a_failure_is_raised_and_ends_the_rest(threads):
    done = []

    def work(job):
        if job == 0:
            raise OSError("full")
        done.append(job)

    with pytest.raises(OSError, match="full"):
        side_by_side(work, 1000)
    if threads == 1:
        assert not done
    side_by_side(done.append, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        side_by_side(lambda _: None, 4)
        child = os.fork()
        if child == 0:
            begun = threading.Barrier(min(2, os.cpu_count() or 1), timeout=5)
            try:
                side_by_side(lambda _: begun.wait(), min(2, os.cpu_count() or 1))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        torch.set_num_threads(before)
