"""How numba compiles loops: kept on disk, without the GIL, and with no more around them than their callers need.

What compiles slowly inside a kernel: a whole row or array at once, `np.empty` and its like (pass buffers), a literal
argument to another kernel (compiled once for each value), and mixtures of types (compiled once for each).
"""

import numba

_KERNEL = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_INNER = {**_KERNEL, "no_cpython_wrapper": True}
_NEAR = {"contract", "arcp", "nsz"}

kernel = numba.njit(cache=True, **_KERNEL)
"""Arithmetic as written."""
inner = numba.njit(**_INNER)
"""Only kernels call it."""
near_kernel = numba.njit(cache=True, fastmath=_NEAR, **_KERNEL)
"""The last bit may differ, infinities count."""
near_inner = numba.njit(fastmath=_NEAR, **_INNER)
fast_kernel = numba.njit(cache=True, fastmath=True, **_KERNEL)
"""The last bits do not matter, and nothing is infinite."""
fast_inner = numba.njit(fastmath=True, **_INNER)
