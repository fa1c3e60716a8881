"""Kernels do not check bounds; here they do: numba's debug mode, in a process and a cache of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
KERNELS = (
    "render/test_raster.py", "render/test_surface.py", "render/test_antialias.py", "render/test_volume.py",
    "scene/test_hashgrid.py", "scene/test_tetrahedra.py",
)  # fmt: skip
_BEYOND = """
import numpy as np
from bozzetto.render.volume import _through
_through(np.zeros(3, np.float32), np.array([0, 5]), np.zeros(3, np.float32))
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernels")
    return {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder), "NUMBA_NUM_THREADS": "1"}


def test_the_debug_mode_sees_an_index_beyond_the_end(checked):
    done = subprocess.run([sys.executable, "-c", _BEYOND], env=checked, capture_output=True, text=True)
    assert "IndexError" in done.stderr


@pytest.mark.slow
def test_no_kernel_reads_beyond_its_arrays(checked):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(TESTS / name) for name in KERNELS)]
    done = subprocess.run(command, env=checked, capture_output=True, text=True, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout[-3000:]
