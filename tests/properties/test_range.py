"""sum_of_squares and threadable_sum_of_squares against plain Python ints."""

import operator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pycrust import reference, sum_of_squares, threadable_sum_of_squares

MAX = 7_991_780_883_560  # the largest n whose sum fits a signed 128-bit integer
UNDIVIDED = 5_541_191_377_756  # above it n(n+1)(2n+1) passes 2**128

# Where a kernel changes its step: lanes (2 to 8) times chains (4), times rounds
# (1024), and the bound of the narrow squares at 2**27.
STEPS = (0, 8, 16, 32, 8 * 1024, 16 * 1024, 32 * 1024, 2**27)


def test_the_limits_are_what_they_say():
    assert reference.sum_of_squares(MAX, method="formula") < 2**127
    assert reference.sum_of_squares(MAX + 1, method="formula") >= 2**127
    assert UNDIVIDED * (UNDIVIDED + 1) * (2 * UNDIVIDED + 1) < 2**128
    assert (UNDIVIDED + 1) * (UNDIVIDED + 2) * (2 * UNDIVIDED + 3) >= 2**128


@given(n=st.integers(-5, 3000))
def test_the_oracle_agrees_with_itself(n):
    assert reference.sum_of_squares(n) == reference.sum_of_squares(n, method="formula")


@given(n=st.integers(-5, 2000) | st.integers(0, 10**6))
def test_loop(single, level, n):
    assert single(n) == reference.sum_of_squares(n, method="formula")


@pytest.mark.parametrize("step", STEPS)
def test_loop_around_each_step(single, level, step):
    for n in range(max(step - 9, -3), step + 10):
        assert single(n) == reference.sum_of_squares(n, method="formula")


def test_every_short_loop(single, level):
    total = 0
    for n in range(1, 5000):
        total += n * n
        assert single(n) == total


@pytest.mark.slow
@pytest.mark.parametrize("n", [10**9, 3 * 10**9 + 7])
def test_long_loop(level, n):
    assert threadable_sum_of_squares(n) == reference.sum_of_squares(n, method="formula")


@given(n=st.integers(-(2**70), 2**70) | st.integers(0, MAX + 5) | st.integers())
@example(MAX - 1)
@example(MAX)
@example(MAX + 1)
@example(UNDIVIDED)
@example(UNDIVIDED + 1)
@example(2**63 - 1)
@example(2**63)
@example(2**64)
@example(-(2**63))
@example(-(2**63) - 1)
@example(10**100)
@example(-(10**100))
def test_formula(single, n):
    assert single(n, method="formula") == reference.sum_of_squares(n, method="formula")


@pytest.mark.parametrize("n", [MAX + 1, 2**63 - 1, 2**63, 10**100, pytest.param(10**5000, id="10**5000")])
def test_loop_above_the_limit_is_refused_at_once(single, n):
    with pytest.raises(OverflowError, match="method='formula'"):
        single(n)


def test_the_refused_n_is_named(single):
    with pytest.raises(OverflowError, match=str(MAX + 1)):
        single(MAX + 1)


@pytest.mark.parametrize(
    "n, shown", [(2**128, str(2**128)), (10**5000, "an integer of 16610 bits")], ids=["short", "long"]
)
def test_so_much_of_it(single, n, shown):
    with pytest.raises(OverflowError, match=f"n = {shown}:"):
        single(n)


@pytest.mark.parametrize("method", ["loop", "formula"])
@pytest.mark.parametrize("n", [0, -1, -(2**62), -(10**100)])
def test_nothing_to_add(single, n, method):
    assert single(n, method=method) == 0


@pytest.mark.parametrize("method", ["loop", "formula"])
@pytest.mark.parametrize(
    "n", [True, *(dtype(100) for dtype in (np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64)), np.array(100)]
)
def test_anything_with_index(single, n, method):
    total = single(n, method=method)
    assert type(total) is int
    assert total == reference.sum_of_squares(operator.index(n))


def test_anything_with_index_of_any_size(single):
    n = np.uint64(2**64 - 1)
    total = single(n, method="formula")
    assert type(total) is int
    assert total == reference.sum_of_squares(2**64 - 1, method="formula")
    with pytest.raises(OverflowError, match=f"n = {2**64 - 1}:"):
        single(n)


@pytest.mark.parametrize("method", ["loop", "formula"])
def test_int_subclass(single, method):
    class Odd(int):
        def __add__(self, other):
            raise AssertionError("a subclass's arithmetic must not be used")

        __mul__ = __rmul__ = __radd__ = __lt__ = __gt__ = __add__

    assert single(Odd(1000), method=method) == reference.sum_of_squares(1000)


@pytest.mark.parametrize("method", ["loop", "formula"])
@pytest.mark.parametrize("n", [2.0, "2", None, [2], 2j, np.float64(2), np.array([2, 3]), object()])
def test_not_an_integer(single, n, method):
    with pytest.raises(TypeError):
        single(n, method=method)


@pytest.mark.parametrize("method", ["loop", "formula"])
def test_an_index_that_raises_is_heard(single, method):
    class Unready:
        def __index__(self):
            raise LookupError("not yet")

    with pytest.raises(LookupError, match="not yet"):
        single(Unready(), method=method)


@pytest.mark.parametrize("method", ["", "Loop", None, 1, ["loop"], b"loop"])
def test_unknown_method(single, method):
    with pytest.raises(ValueError, match="'loop' or 'formula'"):
        single(3, method=method)


def test_method_need_not_be_interned(single):
    formula, loop = "".join(["form", "ula"]), "".join(["lo", "op"])
    assert single(4, method=formula) == single(4, method=loop) == 30
    assert single(MAX + 1, method=formula) >= 2**127
    with pytest.raises(OverflowError):
        single(MAX + 1, method=loop)


def test_signature(single):
    with pytest.raises(TypeError):
        single()
    with pytest.raises(TypeError):
        single(n=3)
    with pytest.raises(TypeError):
        single(3, "loop")


def test_the_two_differ_in_one_line():
    """They cannot drift apart unnoticed: the bodies are the same but for the GIL."""
    from pathlib import Path

    import pycrust

    source = Path(pycrust.__file__).with_name("_range.pyx").read_text(encoding="utf-8")

    def body(name):
        text = source.split(f"\ndef {name}(")[1].split('"""')[2].split("\n\n")[0]
        return [line.strip() for line in text.splitlines() if line.strip() != "with nogil:"]

    assert body(sum_of_squares.__name__) == body(threadable_sum_of_squares.__name__)


@pytest.mark.parametrize("function", [sum_of_squares, threadable_sum_of_squares])
@pytest.mark.parametrize("numbers", [[1, 2, 3], (1, 2), np.arange(3)])
def test_numbers_in_place_of_one_are_pointed_elsewhere(function, numbers):
    with pytest.raises(TypeError, match=r"sumsq.*sum_of_squares_batch"):
        function(numbers)
