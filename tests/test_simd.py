"""PYCRUST_SIMD, in fresh interpreters."""

import os

import pytest

import pycrust

SCRIPT = "import pycrust; print(pycrust.simd(), pycrust.sum_of_squares(10**6))"
ANSWER = "333333833333500000"


def environment(name):
    return {**os.environ, "PYCRUST_SIMD": name}


def test_each_level(python, level):
    process = python(SCRIPT, env=environment(level))
    assert process.stdout.split() == [level, ANSWER]


@pytest.mark.parametrize("name", ["best", "AVX2", " avx2", "avx2\udcff"])
def test_unknown(python, name):
    process = python(SCRIPT, env=environment(name))
    assert process.returncode != 0
    assert "ImportError: PYCRUST_SIMD" in process.stderr
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


def test_empty_means_the_best(python):
    without = {key: value for key, value in os.environ.items() if key != "PYCRUST_SIMD"}
    best = python(SCRIPT, env=without).stdout.split()
    assert best[1] == ANSWER
    assert python(SCRIPT, env=environment("")).stdout.split() == best


def test_forcing_a_level_that_is_unknown_changes_nothing():
    before = pycrust.simd()
    with pytest.raises(ValueError, match="no SIMD level is called 'best'"):
        pycrust._range._use_simd("best")
    assert pycrust.simd() == before
