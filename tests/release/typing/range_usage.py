"""Typical use of the range family, as `mypy --strict` must see it. Never run."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import pycrust

assert_type(pycrust.sum_of_squares(4), int)
assert_type(pycrust.threadable_sum_of_squares(np.int8(4), method="formula"), int)
pycrust.sum_of_squares(4.0)  # type: ignore[arg-type]
pycrust.sum_of_squares(4, method="magic")  # type: ignore[arg-type]
pycrust.sum_of_squares(n=4)  # type: ignore[call-arg]

with ThreadPoolExecutor() as pool:
    assert_type(list(pool.map(pycrust.threadable_sum_of_squares, [1, 2, 3])), list[int])

ns: npt.NDArray[np.int32] = np.arange(10, dtype=np.int32)
assert_type(pycrust.sum_of_squares_batch(ns), npt.NDArray[np.int64])
assert_type(pycrust.sum_of_squares_batch([1, 2, 3]), npt.NDArray[np.int64])
assert_type(pycrust.sum_of_squares_batch([[1, 2], [3, 4]]), npt.NDArray[np.int64])
assert_type(pycrust.sum_of_squares_batch(range(5), dtype=np.uint64), npt.NDArray[np.uint64])
assert_type(pycrust.sum_of_squares_batch(ns, dtype=np.dtype(np.float64)), npt.NDArray[np.float64])
assert_type(pycrust.sum_of_squares_batch(ns, dtype=object), npt.NDArray[np.object_])
assert_type(pycrust.sum_of_squares_batch(7), np.int64)
assert_type(pycrust.sum_of_squares_batch(np.uint8(7), dtype=np.float64), np.float64)
assert_type(pycrust.sum_of_squares_batch(7, dtype=object), int)
assert_type(pycrust.sum_of_squares_batch(ns, dtype="uint64"), Any)

out: npt.NDArray[np.float64] = np.empty(10)
assert_type(pycrust.sum_of_squares_batch(ns, out=out), npt.NDArray[np.float64])

pycrust.sum_of_squares_batch(out)  # type: ignore[arg-type]
pycrust.sum_of_squares_batch([Fraction(1, 2)])  # type: ignore[list-item]

level: str = pycrust.simd()
