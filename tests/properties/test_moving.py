"""Moving windows of hard arrays, at every level and in every layout, against Fractions."""

import numpy as np
import pytest
from hard_arrays import FLOATS, INTEGERS, assert_same, hard_arrays, layouts, offset_arrays
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import reference

NAMES = ["move_sum", "move_mean", "move_var", "move_std"]
SIZES = st.integers(1, 20) | st.integers(60, 70) | st.integers(120, 200)

changes_level = pytest.mark.thread_unsafe(reason="changes what all threads share")


@changes_level
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
@given(data=st.data())
def test_windows_at_every_level(each_level, dtype, data):
    a = data.draw(hard_arrays(dtype, sizes=SIZES) | offset_arrays(dtype, sizes=SIZES))
    if a.dtype.kind == "f" and data.draw(st.booleans()):
        a = np.where(np.arange(a.size) % data.draw(st.integers(2, 40)) == 0, np.nan, a).astype(a.dtype)
    if data.draw(st.booleans()):
        a = np.repeat(a, data.draw(st.integers(2, 9)))[: a.size]
    window = data.draw(st.integers(1, a.size) | st.integers(1, min(12, a.size)))
    min_count = data.draw(st.none() | st.integers(1, window))
    ddof = data.draw(st.integers(0, 3))
    name = data.draw(st.sampled_from(NAMES))
    given = {"ddof": ddof} if name in ("move_var", "move_std") else {}
    expected = getattr(reference, name)(a, window, min_count, **given)
    sums = reference.cumsum(a, dtype=np.float64)
    rows = np.stack([a, a[::-1], a])
    for _ in each_level():
        assert_same(getattr(pycrust, name)(a, window, min_count, **given), expected)
        both = getattr(pycrust, name)(rows.T, window, min_count, axis=0, **given, workers=2)
        assert_same(both[:, 0], expected)
        assert_same(both[:, 2], expected)
        assert_same(pycrust.cumsum(a, dtype=np.float64), sums)


@given(data=st.data())
def test_windows_in_every_layout(data):
    dtype = data.draw(st.sampled_from(FLOATS + INTEGERS))
    a = data.draw(hard_arrays(dtype, sizes=st.just(60))).reshape(
        data.draw(st.sampled_from([(60,), (12, 5), (3, 4, 5)]))
    )
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    window = data.draw(st.integers(1, a.shape[axis]))
    name = data.draw(st.sampled_from(NAMES))
    expected = getattr(reference, name)(a, window, 1, axis)
    for layout, b in layouts(a):
        assert_same(getattr(pycrust, name)(b, window, 1, axis), expected)
