"""pycrust: sums of squares you can thread, and trust."""

from pycrust._range import (
    simd,
    sum_of_squares,
    sum_of_squares_batch,
    threadable_sum_of_squares,
)

__version__ = "0.1.0"

__all__ = [
    "simd",
    "sum_of_squares",
    "sum_of_squares_batch",
    "threadable_sum_of_squares",
]
