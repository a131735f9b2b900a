"""Every SIMD level gives the bits of the oracle; PYCRUST_SIMD, in fresh interpreters."""

import os
import platform
import shutil

import numpy as np
import pytest
from hard_arrays import DTYPES, EXACT, FUNCTIONS, assert_same, exactly, hard_arrays, offset_arrays, state_of
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import _core, reference

SCRIPT = "import pycrust; print(pycrust.simd(), pycrust.sum_of_squares(10**6))"
ANSWER = "333333833333500000"


def environment(name):
    return {**os.environ, "PYCRUST_SIMD": name}


def test_each_level(python, level):
    process = python(SCRIPT, env=environment(level))
    assert process.stdout.split() == [level, ANSWER]


@pytest.mark.parametrize("name", ["best", "AVX2", " avx2", "avx2\udcff", "\x1b]0;title\x07\n", "%s%n", "x" * 30_000])
def test_unknown(python, name):
    process = python(SCRIPT, env=environment(name))
    assert process.returncode != 0
    assert "ImportError: PYCRUST_SIMD" in process.stderr
    assert "\x1b" not in process.stderr and len(process.stderr) < 2000  # nothing that a terminal obeys, no long copies
    if name.isascii():
        assert "portable, avx2, avx512, avx512ifma" in process.stderr


def test_absent(python):
    for level in ("avx2", "avx512", "avx512ifma"):
        process = python(SCRIPT, env=environment(level))
        if process.returncode:
            assert f"ImportError: PYCRUST_SIMD={level}: this CPU" in process.stderr
            assert "it can run portable" in process.stderr
        else:
            assert process.stdout.split() == [level, ANSWER]


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not shutil.which("qemu-x86_64"), reason="needs qemu-x86_64 (qemu-user)"
)
def test_absent_from_an_older_processor(python):
    haswell = ("qemu-x86_64", "-cpu", "Haswell")
    for level in ("", "portable", "avx2"):
        process = python(SCRIPT, haswell, env=environment(level))
        assert process.stdout.split() == [level or "avx2", ANSWER]
    for level in ("avx512", "avx512ifma"):
        process = python(SCRIPT, haswell, env=environment(level))
        assert f"ImportError: PYCRUST_SIMD={level}: this CPU" in process.stderr
        assert process.stderr.endswith("it can run portable, avx2\n")


def test_empty_means_the_best(python):
    without = {key: value for key, value in os.environ.items() if key != "PYCRUST_SIMD"}
    best = python(SCRIPT, env=without).stdout.split()
    assert best[1] == ANSWER
    assert python(SCRIPT, env=environment("")).stdout.split() == best


# The kernels against the oracle, level by level: contiguous, strided, along rows, along columns, and accumulated.
changes_level = pytest.mark.thread_unsafe(reason="changes what all threads share")


@changes_level
@pytest.mark.filterwarnings("ignore:(rms|mean|var|std) :RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_arrays_at_every_level(each_level, dtype, data):
    a = data.draw(hard_arrays(dtype) | offset_arrays(dtype))
    rows = np.stack([a] * 9)
    total = reference.Accumulator(a)
    expected = {name: getattr(total, name)() for name in FUNCTIONS}
    kinds = {name: exactly(a) if name in EXACT else None for name in FUNCTIONS}
    for _ in each_level():
        assert pycrust.Accumulator(a).__reduce__()[2] == state_of(total)
        for name, value in expected.items():
            function = getattr(pycrust, name)
            assert_same(function(a), value)
            assert_same(function(a[::-1]), value)
            for array, axis in ((rows, 1), (rows.T.copy(), 0)):
                assert_same(function(array, axis=axis, dtype=kinds[name])[4:5], np.array([value], kinds[name]))


@changes_level
@given(st.integers(0, 2000) | st.integers(0, 10**6) | st.integers(2**27 - 50, 2**27 + 50))
def test_ranges_at_every_level(each_level, n):
    expected = reference.sum_of_squares(n, method="formula")
    batch = [n, n // 2, max(n - 3, 0)]
    several = reference.sum_of_squares_batch(batch, method="formula")
    for _ in each_level():
        assert pycrust.sum_of_squares(n) == pycrust.threadable_sum_of_squares(n) == expected
        assert pycrust.sum_of_squares_batch(batch, dtype=object).tolist() == several


@changes_level
def test_levels_by_name(level):
    best = _core._use_simd("portable")
    assert best == level
    with pytest.raises(ValueError, match="no SIMD level is called 'best'"):
        _core._use_simd("best")
    assert _core._use_simd(best) == "portable"
