"""What every test stands on."""

import functools
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


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    """How many torch, and so bozzetto, may use."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
