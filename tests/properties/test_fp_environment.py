"""The floating-point environment: whatever the caller has set, right bits; and it is left as it was."""

import platform
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"),
    reason="reads the registers as Linux on x86-64 lays them out",
)

# fegetenv gives the x87 registers, then MXCSR. Its status flags are compared in the C tests, since NumPy
# and Python raise some of their own.
SCRIPT = """
import ctypes

libm = ctypes.CDLL("libm.so.6")
buffer = (ctypes.c_uint32 * 8)()

def mxcsr():
    libm.fegetenv(buffer)
    return buffer[7]

def set_mxcsr(value):
    libm.fegetenv(buffer)
    buffer[7] = value
    libm.fesetenv(buffer)

import numpy as np

ROUNDING, FLUSH, ZEROS, FLAGS, ANY_FLAG = 0x2000, 0x8000, 0x0040, 0x003D, 0x003F
before = mxcsr()
import pycrust
from pycrust._core import _use_simd
assert mxcsr() == before, "import"

def arrays():
    rng = np.random.default_rng(1)
    for n in (1, 5, 19, 20, 100, 5000):
        x = rng.standard_normal(n)
        yield x
        yield x * 2.0**-1060
        yield x * 2.0**500
        yield np.ldexp(x, rng.integers(-900, 500, n))
        yield x.astype(np.float32)
        yield (x * 2.0**-140).astype(np.float32)
        yield x.astype(np.float16)
        yield (x * 2.0**-20).astype(np.float16)
        yield x.astype(complex)
        yield 1.7e9 + x
        yield np.full(n, 0.1)
        yield rng.integers(-2**40, 2**40, n)
        yield rng.integers(-128, 128, n).astype(np.int8)
        yield x.reshape(-1, 1) * np.ones(24)

ARRAYS = list(arrays())
NS = np.array([5, 10**6, 10**7, 12345])

def calls():
    for a in ARRAYS:
        for function in (pycrust.sumsq, pycrust.norm, pycrust.rms, pycrust.sum, pycrust.mean, pycrust.var, pycrust.std):
            yield function, (a,), {}
            yield function, (a[::-1],), {}
            yield function, (a,), {"workers": 2}
        if a.ndim == 2:
            yield pycrust.norm, (a,), {"axis": 0}
            yield pycrust.rms, (a,), {"axis": 0, "dtype": np.float32}
            yield pycrust.mean, (a,), {"axis": 0, "dtype": np.float32}
            yield pycrust.std, (a,), {"axis": 0, "ddof": 0.1}
    yield pycrust.sumsq, ([[2**70 + 1, 1], [3, 2**200]],), {"axis": 0, "dtype": np.float16}
    yield pycrust.sumsq, (NS.reshape(2, 2) * 10**9 + 1,), {"axis": 0, "out": np.empty(2)}     # made by us, not cast
    yield pycrust.sum_of_squares, (10**5,), {}
    yield pycrust.threadable_sum_of_squares, (10**5,), {}
    yield pycrust.sum_of_squares_batch, (NS,), {"dtype": np.float64}
    yield pycrust.sum_of_squares_batch, (NS,), {"dtype": np.float64, "method": "formula"}

CALLS = list(calls())
bits = lambda value: value.tobytes() if isinstance(value, np.ndarray) else repr(value)
EXPECTED = [bits(function(*args, **kwargs)) for function, args, kwargs in CALLS]

for level in ("portable", "avx2", "avx512", "avx512ifma"):
    try:
        _use_simd(level)
    except RuntimeError:
        continue
    for rounding in range(4):
        for flush in (0, FLUSH, ZEROS, FLUSH | ZEROS):
            for flags in (0, FLAGS):
                environment = before & ~(3 * ROUNDING | FLUSH | ZEROS | FLAGS) | rounding * ROUNDING | flush | flags
                for (function, args, kwargs), expected in zip(CALLS, EXPECTED):
                    set_mxcsr(environment)
                    value = function(*args, **kwargs)
                    after = mxcsr()
                    set_mxcsr(before)
                    what = (level, rounding, hex(flush), function.__name__, kwargs, args)
                    assert bits(value) == expected, what
                    if not kwargs.get("workers"):
                        assert after & ~ANY_FLAG == environment & ~ANY_FLAG, (hex(after), hex(environment), what)
    print(level)
"""


@pytest.mark.slow
def test_right_bits_and_left_as_it_was(python):
    process = python(SCRIPT)
    assert process.returncode == 0, process.stdout + process.stderr[-3000:]
    assert "portable" in process.stdout
