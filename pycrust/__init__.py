"""pycrust: sums of squares you can thread, and trust."""

from pycrust._data import Accumulator, norm, rms, sumsq
from pycrust._range import (
    simd,
    sum_of_squares,
    sum_of_squares_batch,
    threadable_sum_of_squares,
)

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
