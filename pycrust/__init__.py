"""pycrust: sums of squares you can thread, and trust."""

from pycrust._accumulator import Accumulator
from pycrust._range import (
    simd,
    sum_of_squares,
    sum_of_squares_batch,
    threadable_sum_of_squares,
)
from pycrust._reduce import norm, rms, sumsq

__version__ = "0.1.0"

__all__ = [
    "Accumulator",
    "norm",
    "rms",
    "simd",
    "sum_of_squares",
    "sum_of_squares_batch",
    "sumsq",
    "threadable_sum_of_squares",
]
