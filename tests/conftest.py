"""What every test stands on."""

import functools
import importlib.util
import os
from types import FunctionType

import numba
import pytest

os.environ.setdefault("NUMBA_NUM_THREADS", "2")


def _see_through(compile):
    """Numba's decorator, applied to the function inside the shape checker's wrapper: kernels compile plain functions.

    Under ``--jaxtyping-packages`` every function of ours arrives wrapped, which Numba can neither compile nor cache.
    """

    def plain(function):
        while isinstance(function, FunctionType) and hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        return function

    @functools.wraps(compile)
    def decorate(*args, **options):
        if args and isinstance(args[0], FunctionType):
            return compile(plain(args[0]), *args[1:], **options)
        decorator = compile(*args, **options)
        return lambda function: decorator(plain(function))

    return decorate


for _name in ("jit", "njit", "vectorize", "guvectorize"):
    setattr(numba, _name, _see_through(getattr(numba, _name)))


@pytest.fixture
def figure_parts() -> None:
    """For a test that builds a real figure. While the builder is not written, and only then, it is left out."""
    for name in ("bozzetto.figure.build", "bozzetto.subject.words", "bozzetto.render.pictures"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not written yet")
