"""Typical use of the data family, as `mypy --strict` must see it. Never run."""

import pickle
from typing import Any, Literal, assert_type

import numpy as np
import numpy.typing as npt

import pycrust
from pycrust import Accumulator, mean, norm, rms, std, sumsq, var

samples: npt.NDArray[np.int16] = np.zeros((4, 100), dtype=np.int16)
field: npt.NDArray[np.float32] = np.zeros((4, 100), dtype=np.float32)
waves: npt.NDArray[np.complex128] = np.zeros((4, 100), dtype=np.complex128)
mask: npt.NDArray[np.bool_] = samples > 0

# One number: an int for integers, a float for floats.
assert_type(sumsq(samples), int)
assert_type(sumsq(mask), int)
assert_type(sumsq([1, 2, 3]), int)
assert_type(sumsq([[1, 2], [3, 4]]), int)
assert_type(sumsq(np.int8(3)), int)
assert_type(sumsq(3), int)
assert_type(sumsq(field), float)
assert_type(sumsq(waves), float)
assert_type(sumsq([1.0, 2]), float)
assert_type(sumsq([1j, 2]), float)
assert_type(sumsq(field, where=mask, workers=-1), float)
assert_type(sumsq(samples, dtype=np.float64), float)
assert_type(sumsq(samples, dtype=np.int64), int)
assert_type(norm(samples, dtype=np.float32), float)
assert_type(sumsq(a=samples), int)
assert_type(sumsq(samples, dtype=object), int)
assert_type(norm(samples), float)
assert_type(rms(field), float)

# An axis, or keepdims: an array.
assert_type(sumsq(samples, 0), npt.NDArray[np.int64])
assert_type(sumsq(samples, axis=(0, 1)), npt.NDArray[np.int64])
assert_type(sumsq(samples, keepdims=True), npt.NDArray[np.int64])
assert_type(sumsq(samples, axis=-1, dtype=np.float64), npt.NDArray[np.float64])
assert_type(sumsq(samples, axis=-1, dtype=object), npt.NDArray[np.object_])
assert_type(sumsq(samples, axis=-1, dtype="uint64"), Any)
bytes_: npt.NDArray[np.uint8] = np.zeros((4, 100), dtype=np.uint8)
assert_type(sumsq(bytes_, 0), npt.NDArray[np.uint64])
assert_type(sumsq(bytes_), int)
assert_type(sumsq(field, axis=0), npt.NDArray[np.float64])
assert_type(sumsq(field, axis=0, dtype=np.float16), npt.NDArray[np.float16])
assert_type(rms(field, axis=0, dtype=np.float32), npt.NDArray[np.float32])
assert_type(norm(waves, axis=0), npt.NDArray[np.float64])
assert_type(rms(samples, axis=0, keepdims=True), npt.NDArray[np.float64])

# What leaves out NaN has the types of what does not.
assert_type(pycrust.nansum(samples), int)
assert_type(pycrust.nansum(waves), complex)
assert_type(pycrust.nansum(field, 0), npt.NDArray[np.float64])
assert_type(pycrust.nanmean(field, where=mask, workers=2), float)
assert_type(pycrust.nanmean(field, axis=0, dtype=np.float32), npt.NDArray[np.float32])
assert_type(pycrust.nanvar(field, ddof=1), float)
assert_type(pycrust.nanstd(waves, axis=0, keepdims=True), npt.NDArray[np.float64])
pycrust.nanmean(field, True, 3)  # type: ignore[call-overload]

# Sums and means of complex numbers are complex; variances are not.
assert_type(pycrust.sum(samples), int)
assert_type(pycrust.sum(field), float)
assert_type(pycrust.sum(waves), complex)
assert_type(pycrust.sum([1j, 2]), complex)
assert_type(pycrust.sum(waves, dtype=np.complex64), complex)
assert_type(pycrust.sum(samples, 0), npt.NDArray[np.int64])
assert_type(pycrust.sum(bytes_, 0), npt.NDArray[np.uint64])
assert_type(pycrust.sum(samples, 0, dtype=object), npt.NDArray[np.object_])
assert_type(pycrust.sum(waves, 0), npt.NDArray[np.complex128])
assert_type(pycrust.sum(waves, 0, dtype=np.complex64), npt.NDArray[np.complex64])
assert_type(mean(samples), float)
assert_type(mean(field, where=mask), float)
assert_type(mean(waves), complex)
assert_type(mean(samples, 0), npt.NDArray[np.float64])
assert_type(mean(waves, 0, keepdims=True), npt.NDArray[np.complex128])
assert_type(mean(field, 0, dtype=np.float32), npt.NDArray[np.float32])
assert_type(var(samples, ddof=1), float)
assert_type(var(waves), float)
assert_type(std(field, correction=np.int64(1), workers=-1), float)
assert_type(std(field, axis=0, ddof=0.5), npt.NDArray[np.float64])
assert_type(std(field, axis=0, dtype=np.float32), npt.NDArray[np.float32])
std(field, None, 1)  # type: ignore[call-overload]
var(field, ddof="1")  # type: ignore[call-overload]
mean(field, ddof=1)  # type: ignore[call-overload]

# An out: itself.
out: npt.NDArray[np.float64] = np.empty(100)
assert_type(norm(samples, axis=0, out=out), npt.NDArray[np.float64])
assert_type(std(samples, axis=0, out=out), npt.NDArray[np.float64])

# Something unknown: no promise.
unknown: npt.NDArray[Any] = np.zeros(3)
assert_type(sumsq(unknown), Any)

assert_type(mean(unknown, axis=0), Any)


class Column:
    """As pandas, polars and xarray declare it."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        raise NotImplementedError


assert_type(pycrust.sum(Column()), Any)
assert_type(pycrust.sum(Column(), axis=0), Any)
assert_type(mean(Column(), where=Column()), Any)
assert_type(pycrust.sum(Column(), out=out), npt.NDArray[np.float64])
assert_type(var(Column()), float)
assert_type(norm(Column(), axis=0), npt.NDArray[np.float64])
exact: npt.NDArray[np.object_] = sumsq(samples, axis=0, dtype=object)
assert_type(pycrust.sum(exact), int)

words: npt.NDArray[np.str_] = np.array(["a"])
days: npt.NDArray[np.datetime64] = np.array(["2026-01-01"], dtype="datetime64[D]")
sumsq(words)  # type: ignore[arg-type]
rms(days)  # type: ignore[arg-type]
sumsq(samples, axis=0.5)  # type: ignore[call-overload]
norm(field, 1)  # type: ignore[call-overload]
sumsq(field, workers="all")  # type: ignore[call-overload]

total = Accumulator()
total.update(samples)
total.update(field, where=mask, workers=2)
total.update(field, skipna=True)
total.merge(Accumulator())
total += Accumulator()
assert_type(total + total, Accumulator)
assert_type(sum([total, total]), Accumulator | Literal[0])
assert_type(sum([total, total], start=Accumulator()), Accumulator)
# Numbers, or with a shape arrays: no promise.
assert_type(total.sumsq(), Any)
assert_type(total.rms(), Any)
assert_type(total.sum(), Any)
assert_type(total.mean(), Any)
assert_type(total.std(ddof=1), Any)
assert_type(total.var(correction=1), Any)
assert_type(total.count, Any)
features = Accumulator(shape=100)
features.update(field, axis=0)
features.update(field, labels=samples)
assert_type(features.shape, tuple[int, ...])
assert_type(features[3], Accumulator)
same: bool = pickle.loads(pickle.dumps(total)) == total
total.count = 3  # type: ignore[misc]
total.merge(3)  # type: ignore[arg-type]
pycrust.Accumulator([3, 4], where=[True, False])
pycrust.Accumulator(object())  # type: ignore[arg-type]
assert_type(total + 0, Accumulator)

# Two arrays.
assert_type(pycrust.dot(samples, [1, 2]), int)
assert_type(pycrust.dot(field, samples), float)
assert_type(pycrust.average(field, weights=samples), float)
assert_type(pycrust.average(waves, weights=field), complex)
assert_type(pycrust.average(field, None, samples, True), tuple[Any, Any])
assert_type(pycrust.sse(samples, samples), int)
assert_type(pycrust.mse(field, samples), float)
pycrust.vecdot(field, field, axis=0, keepdims=True, where=mask, workers=-1)
pycrust.cov(field, rowvar=False)
pycrust.corrcoef(field, samples)
pycrust.average(field, weights=[1j])  # type: ignore[arg-type]
pairs = pycrust.PairAccumulator(field, samples)
pairs += pycrust.PairAccumulator()
assert_type(pairs + pairs, pycrust.PairAccumulator)
pairs.update(waves, samples)
assert_type(pairs.slope(), Any)
assert_type(pairs.var_x(ddof=1), float)

# Groups.
labels: npt.NDArray[np.intp] = np.zeros(100, dtype=np.intp)
assert_type(pycrust.group_sum(samples, labels), npt.NDArray[Any])
assert_type(pycrust.group_sum(field, labels, axis=1), npt.NDArray[np.float64])
assert_type(pycrust.group_mean(samples, labels, num_labels=3), npt.NDArray[np.float64])
assert_type(pycrust.group_var(field, labels, ddof=1, dtype=np.float32), npt.NDArray[np.float32])
assert_type(pycrust.group_count(field, labels, skipna=True), npt.NDArray[np.int64])
pycrust.group_mean(field, labels, ddof=1)  # type: ignore[call-overload]

# Windows.
assert_type(pycrust.move_mean(samples, 5), npt.NDArray[np.float64])
assert_type(pycrust.move_std(field, 5, 2, axis=0, ddof=1, workers=-1), npt.NDArray[np.float64])
assert_type(pycrust.move_sum(Column(), 5), npt.NDArray[np.float64])
assert_type(pycrust.move_var(samples, ([0, 1], labels)), npt.NDArray[np.float64])
assert_type(pycrust.cumsum(field, dtype=np.float32), npt.NDArray[np.float32])
assert_type(pycrust.cumsum(field, 0), npt.NDArray[Any])
assert_type(pycrust.cumsum(samples, out=out), npt.NDArray[np.float64])
pycrust.move_mean(field, 5, ddof=1)  # type: ignore[call-arg]
pycrust.move_mean(field, 5.0)  # type: ignore[arg-type]
