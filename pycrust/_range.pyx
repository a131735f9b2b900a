"""1² + 2² + … + n²: check, convert, release the GIL, call C once, raise.

The two single-value functions differ in `with nogil` alone.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int64_t, uint64_t

from pycrust._args cimport array_of, check_out
from pycrust._bigint cimport int_from_u128, shown, shown_int
from pycrust._threads cimport TimeSlices, after_time_slice, time_slices_of
from pycrust.csrc cimport (
    PC_RANGE_MAX,
    import_core,
    pc_closed_form,
    pc_closed_form_many,
    pc_round_many,
    pc_sums_from_even,
    pc_u128,
    pc_walk,
    pc_walk_each,
    pc_walk_even,
    pc_walk_stops,
    pc_walk_to,
)

cimport numpy as cnp
import numpy as np

cnp.import_array()
import_core()


# ---- one n ------------------------------------------------------------------

cdef str LOOP = "loop", FORMULA = "formula"


cdef inline bint by_formula(method) except -1:
    if method is FORMULA:       # literals are interned: the common case is a comparison of pointers
        return True
    if method is LOOP:
        return False
    if isinstance(method, str) and method in (LOOP, FORMULA):
        return method == FORMULA
    raise ValueError(f"method must be 'loop' or 'formula', not {shown(method)}")


cdef object index_of(n):
    """n as an int; the error for an array names the functions for data."""
    try:
        return PyNumber_Index(n)
    except TypeError:
        if hasattr(type(n), "__len__") and not isinstance(n, (str, bytes)):
            raise TypeError(
                f"n must be one integer, not {type(n).__name__}: use pycrust.sumsq for the sum of the squares "
                "of data, and pycrust.sum_of_squares_batch for many n"
            ) from None
        raise


cdef object closed_form(n):
    """The formula on Python ints, for n of any size."""
    return n * (n + 1) * (2 * n + 1) // 6


cdef object formula(n):
    cdef pc_u128 total
    cdef int overflow
    cdef long long small
    n = index_of(n)
    small = PyLong_AsLongLongAndOverflow(n, &overflow)
    if overflow < 0 or (overflow == 0 and small <= 0):
        return 0
    if overflow > 0 or <uint64_t>small > PC_RANGE_MAX:
        return closed_form(n)
    pc_closed_form(<uint64_t>small, &total)
    return int_from_u128(total.lo, total.hi)


cdef uint64_t loop_end(n) except? 0:
    """The n where the walk ends; every error of the loop is raised here."""
    cdef int overflow
    cdef long long small
    n = index_of(n)
    small = PyLong_AsLongLongAndOverflow(n, &overflow)
    if overflow > 0 or (overflow == 0 and small > <long long>PC_RANGE_MAX):
        raise OverflowError(
            f"n = {shown_int(n)}: above n = {PC_RANGE_MAX} the sum does not fit a signed "
            "128-bit integer (nor would the loop end in your lifetime); "
            "use method='formula', which is exact for every n"
        )
    return <uint64_t>small if overflow == 0 and small > 0 else 0


def sum_of_squares(n, /, *, method="loop"):
    """
    Sum the squares 1² + 2² + … + n², holding the GIL throughout.

    Parameters
    ----------
    n : int
        The last number squared: anything with ``__index__``, NumPy integers
        too. The sum for n <= 0 is 0, as for
        ``sum(i * i for i in range(1, n + 1))``.
    method : {'loop', 'formula'}, optional
        ``'loop'`` computes every square and adds it, in time proportional to n.
        ``'formula'`` is n(n+1)(2n+1)/6, in constant time.

    Returns
    -------
    int
        The exact sum.

    Raises
    ------
    TypeError
        If n is not an integer.
    OverflowError
        If ``method='loop'`` and n > 7 991 780 883 560, above which the sum does
        not fit a signed 128-bit integer. The formula is exact for every n.
    ValueError
        If `method` is neither of the two.

    See Also
    --------
    threadable_sum_of_squares : The same, with the GIL released.
    sum_of_squares_batch : Many n at once.

    Notes
    -----
    No other Python thread runs during the call. On the main thread Ctrl-C ends
    it within 100 ms. On a free-threaded build there is no GIL to hold: other
    threads run on, but a garbage collection waits for the call.

    Examples
    --------
    >>> import pycrust
    >>> pycrust.sum_of_squares(4)
    30
    >>> pycrust.sum_of_squares(10**30, method='formula') % 10**9
    0
    """
    cdef pc_walk walk
    cdef TimeSlices slices
    cdef uint64_t end, stop
    if by_formula(method):
        return formula(n)
    end = loop_end(n)
    slices = time_slices_of(end)
    walk.i = walk.sum.lo = walk.sum.hi = 0
    while walk.i < end:
        stop = walk.i + min(slices.size, end - walk.i)
        pc_walk_to(&walk, stop)
        after_time_slice(&slices)
    return int_from_u128(walk.sum.lo, walk.sum.hi)


def threadable_sum_of_squares(n, /, *, method="loop"):
    """
    Sum the squares 1² + 2² + … + n², with the GIL released.

    The same as `sum_of_squares` in all but one thing: other Python threads run
    meanwhile, so on k cores k calls in k threads take the time of one.

    Parameters
    ----------
    n : int
        The last number squared; see `sum_of_squares`.
    method : {'loop', 'formula'}, optional
        See `sum_of_squares`. The formula keeps the GIL, since it takes less time than
        releasing it.

    Returns
    -------
    int
        The exact sum.

    Raises
    ------
    TypeError, OverflowError, ValueError
        As `sum_of_squares` does, all before the GIL is released.

    Notes
    -----
    On the main thread it takes the GIL back about every 20 ms to check for Ctrl-C;
    on any other thread, only at the end.

    Examples
    --------
    >>> import pycrust
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool:
    ...     list(pool.map(pycrust.threadable_sum_of_squares, [1, 2, 3, 4]))
    [1, 5, 14, 30]
    """
    cdef pc_walk walk
    cdef TimeSlices slices
    cdef uint64_t end, stop
    if by_formula(method):
        return formula(n)
    end = loop_end(n)
    slices = time_slices_of(end)
    walk.i = walk.sum.lo = walk.sum.hi = 0
    while walk.i < end:
        stop = walk.i + min(slices.size, end - walk.i)
        with nogil:
            pc_walk_to(&walk, stop)
        after_time_slice(&slices)
    return int_from_u128(walk.sum.lo, walk.sum.hi)


# ---- many n -----------------------------------------------------------------

# The largest n whose sum each dtype holds.
_LARGEST = {
    np.dtype(np.int64): 3_024_616,
    np.dtype(np.uint64): 3_810_777,
    np.dtype(np.float64): float("inf"),
    np.dtype(object): float("inf"),
}


def _integers(ns):
    """ns as an array of integers, in any layout; Python ints below 0 are made 0."""
    array = array_of(ns, "ns")
    if array.dtype.kind in "iu":
        return array
    if not isinstance(ns, np.ndarray):
        if array.size == 0:
            return array.astype(np.int64)      # [] has no dtype of its own
        if array.dtype.kind == "f":
            array = np.array(ns, dtype=object)     # NumPy makes floats of [-1, 2**63]
    if array.dtype.kind == "O":
        exact = np.empty(array.shape, dtype=object)
        for position in np.ndindex(array.shape):
            try:
                exact[position] = max(PyNumber_Index(array[position]), 0)     # may be below any int64
            except TypeError as error:
                raise TypeError(f"ns{_at(position)}: {error}") from None
        return exact
    raise TypeError(
        f"ns must hold integers, not {array.dtype}; "
        "convert it first, e.g. np.asarray(ns).astype(np.int64)"
    )


def _at(position):
    return f"[{', '.join(map(str, position))}]" if position else ""


def _refuse_above(ns, limit, reason):
    """Raise OverflowError for the first of ns above `limit`; `reason` makes the message of its value."""
    position = np.unravel_index(np.argmax(ns > limit), ns.shape)
    n = int(ns[position])
    raise OverflowError(f"ns{_at(position)} = {shown_int(n)}: {reason(n)}")


def _beyond_loop(n):
    return f"the loop ends at n = {PC_RANGE_MAX}; use method='formula'"


def _beyond_dtype(dtype):
    def reason(n):
        uint64 = np.dtype(np.uint64)
        wider = "dtype=np.uint64, " if dtype != uint64 and n <= _LARGEST[uint64] else ""
        return (
            f"the sum of squares does not fit {dtype}, which holds it up to n = {_LARGEST[dtype]}; "
            f"use {wider}dtype=object (exact) or dtype=np.float64 (rounded)"
        )

    return reason


def _rounded(values, shape):
    """Python ints as the float64 nearest to each."""
    result = np.empty(shape)
    for position in np.ndindex(shape):
        try:
            result[position] = float(values[position])
        except OverflowError:
            raise OverflowError(
                f"the sum of squares for ns{_at(position)} is above the largest float64; "
                "use dtype=object, which is exact"
            ) from None
    return result


# The sums are computed as pairs of words lo, hi. An integer dtype needs lo alone,
# since every sum that it holds is below 2⁶⁴: then hi is None, and NULL in C.

def _words(count, dtype):
    hi = None if dtype.kind in "iu" else np.empty(count, dtype=np.uint64)
    return np.empty(count, dtype=np.uint64), hi


cdef inline uint64_t *data(array):
    return NULL if array is None else <uint64_t *>cnp.PyArray_DATA(array)


# Ints made, or stops passed, between checks for signals: each takes up to 100 ns.
cdef enum:
    LOOK_AFTER = 1 << 18


cdef object from_words(low, high, dtype):
    """The numbers hi·2⁶⁴ + lo as an array of dtype."""
    cdef uint64_t *lo = data(low)
    cdef uint64_t *hi = data(high)
    cdef size_t step, done = 0, count = len(low)
    cdef TimeSlices slices
    cdef double *nearest
    if dtype == object:
        result = np.empty(count, dtype=object)
        for done in range(count):
            result[done] = int_from_u128(lo[done], hi[done])
            if done % LOOK_AFTER == 0:
                PyErr_CheckSignals()
        return result
    if dtype == np.float64:
        result = np.empty(count)
        nearest = <double *>cnp.PyArray_DATA(result)
        slices = time_slices_of(count)
        while done < count:
            step = min(<size_t>slices.size, count - done)
            with nogil:
                pc_round_many(lo + done, hi + done, step, nearest + done)
            done += step
            after_time_slice(&slices)
        return result
    return low.view(dtype)


cdef object walk_past(ascending, dtype):
    """The sums at ascending stops, from one walk."""
    cdef const uint64_t *stops = data(ascending)
    cdef size_t done = 0, count = len(ascending)
    cdef TimeSlices slices = time_slices_of(stops[count - 1])
    cdef size_t most = count if slices.started == 0.0 else LOOK_AFTER
    low, high = _words(count, dtype)
    cdef uint64_t *lo = data(low)
    cdef uint64_t *hi = data(high)
    cdef pc_walk walk
    walk.i = walk.sum.lo = walk.sum.hi = 0
    while done < count:
        with nogil:
            done += pc_walk_stops(&walk, stops + done, min(most, count - done), slices.size,
                                  lo + done, hi + done if hi else NULL)
        after_time_slice(&slices)
    return from_words(low, high, dtype)


cdef object walk_past_all(size_t last, dtype):
    """The sums at 0, 1, …, last, for a dtype that needs both words."""
    cdef size_t step, done = 1, count = last + 1
    cdef TimeSlices slices = time_slices_of(count)
    low, high = _words(count, dtype)
    cdef uint64_t *lo = data(low)
    cdef uint64_t *hi = data(high)
    cdef pc_walk walk
    walk.i = walk.sum.lo = walk.sum.hi = lo[0] = hi[0] = 0
    while done < count:
        step = min(<size_t>slices.size, count - done)
        with nogil:
            pc_walk_each(&walk, step, lo + done, hi + done)
        done += step
        after_time_slice(&slices)
    return from_words(low, high, dtype)


cdef object walk_and_gather(ns, size_t last, dtype):
    """The sums at ns, all <= last and below 2⁶⁴, from a table of every other sum."""
    cdef const int64_t *n = <const int64_t *>data(ns)
    cdef size_t step, done = 0, count = len(ns)
    cdef TimeSlices slices = time_slices_of(count)
    table = np.empty(last // 2 + 1, dtype=np.uint64)
    cdef uint64_t *even = data(table)
    cdef pc_walk walk
    walk.i = walk.sum.lo = walk.sum.hi = 0
    with nogil:     # some milliseconds: below 2⁶⁴ there are no more than four million sums
        pc_walk_even(&walk, last // 2 + 1, even)
    result = np.empty(count, dtype=np.uint64)
    cdef uint64_t *sums = data(result)
    while done < count:
        step = min(<size_t>slices.size, count - done)
        with nogil:
            pc_sums_from_even(even, last, n + done, step, sums + done)
        done += step
        after_time_slice(&slices)
    return result.view(dtype)


cdef object formula_of(ns, dtype):
    cdef const int64_t *n = <const int64_t *>data(ns)
    cdef size_t step, done = 0, count = len(ns)
    cdef TimeSlices slices = time_slices_of(count)
    low, high = _words(count, dtype)
    cdef uint64_t *lo = data(low)
    cdef uint64_t *hi = data(high)
    while done < count:
        step = min(<size_t>slices.size, count - done)
        with nogil:
            pc_closed_form_many(n + done, step, lo + done, hi + done if hi else NULL)
        done += step
        after_time_slice(&slices)
    return from_words(low, high, dtype)


def sum_of_squares_batch(ns, /, *, dtype=np.int64, out=None, method="loop"):
    """
    Sum the squares 1² + 2² + … + n² for every n of an array, with the GIL released.

    Parameters
    ----------
    ns : array_like of int
        Any shape, strides, byte order and integer dtype, or nested sequences of
        Python ints. The sum for n <= 0 is 0.
    dtype : {int64, uint64, float64, object}, optional
        The dtype of the result. float64 values are the nearest to the exact sums
        (ties to even), object values are exact Python ints.
    out : ndarray, optional
        Where to write the result: of the shape of `ns`, and of a numeric or
        object dtype to which `dtype` can be cast safely, so that nothing wraps.
    method : {'loop', 'formula'}, optional
        With ``'loop'`` one walk along the squares serves the whole batch: its
        time is proportional to ``max(ns)``, not to the sum of `ns`.

    Returns
    -------
    ndarray or scalar
        Of the shape of `ns`; `out`, if it was given; a scalar for a 0-d `ns`.

    Raises
    ------
    TypeError
        If `ns` does not hold integers, `dtype` is none of the four, or `out`
        does not hold it.
    OverflowError
        If a sum does not fit `dtype`, or ``method='loop'`` and an n is above
        7 991 780 883 560. The message names the position of the first such n
        and what would hold it. Nothing wraps, and `out` is left as it was.
    ValueError
        If `out` has another shape or is read-only, or `method` is unknown.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.sum_of_squares_batch([[1, 2], [3, 100]])
    array([[     1,      5],
           [    14, 338350]])
    >>> pycrust.sum_of_squares_batch([10**7], dtype=object)
    array([333333383333335000000], dtype=object)
    """
    cdef bint use_formula = by_formula(method)
    dtype = None if dtype is None else np.dtype(dtype)      # np.dtype(None) is float64
    if dtype not in _LARGEST:
        raise TypeError(f"dtype must be int64, uint64, float64 or object, not {dtype}")
    ns = _integers(ns)
    if out is not None:
        check_out(out, ns.shape)
        if out.dtype.kind not in "iufcO" or not np.can_cast(dtype, out.dtype, "safe"):
            raise TypeError(f"out of {out.dtype} does not hold every {dtype}; use out of {dtype}")
    highest = int(ns.max()) if ns.size else 0
    if highest > PC_RANGE_MAX and not use_formula:
        _refuse_above(ns, PC_RANGE_MAX, _beyond_loop)
    if highest > _LARGEST[dtype]:
        _refuse_above(ns, _LARGEST[dtype], _beyond_dtype(dtype))

    if highest > PC_RANGE_MAX:
        exact = np.empty(ns.shape, dtype=object)
        for position in np.ndindex(ns.shape):
            exact[position] = closed_form(max(int(ns[position]), 0))
        result = exact if dtype == object else _rounded(exact, ns.shape)
    else:
        flat = np.require(ns, np.int64, "CA").reshape(-1)
        if use_formula:
            result = formula_of(flat, dtype)
        elif highest < 4 * flat.size or not flat.size:   # a sum for every n up to the highest: no sorting
            if dtype.kind in "iu":
                result = walk_and_gather(flat, max(highest, 0), dtype)
            else:
                result = np.take(walk_past_all(max(highest, 0), dtype), flat, mode="clip")
        else:
            stops, which = np.unique(np.clip(flat, 0, highest), return_inverse=True)
            result = np.take(walk_past(stops.view(np.uint64), dtype), which)
        result = result.reshape(ns.shape)

    if out is not None:
        np.copyto(out, result, casting="safe")
        return out
    return result[()]
