"""The reductions of arrays: their arguments, signatures and docstrings; _plan.pyx does the work."""

from pycrust._args cimport axes_of, axis_of_ints, check_out, data_of, dtype_of, is_exact, is_integer, native_dtype
from pycrust._plan cimport (
    Contiguous,
    Statistic,
    ddof_or_correction,
    default_spec,
    is_contiguous,
    reduce_contiguous,
    reduce_into,
)
from pycrust._threads cimport count_workers
from pycrust.csrc cimport PC_MEAN, PC_NORM, PC_RMS, PC_STD, PC_SUM, PC_SUMSQ, PC_VAR, pc_statistic

import numpy as np


# ---- arguments --------------------------------------------------------------

cdef object reduction(a, axis, dtype, out, bint keepdims, where, workers, pc_statistic statistic,
                      ddof=None, correction=None, bint skip_nan=False):
    cdef Contiguous plain
    cdef Statistic spec = None
    cdef bint whole = axis is None and dtype is None and out is None and not keepdims

    if ddof is not None or correction is not None:
        spec = Statistic(statistic, ddof_or_correction(ddof, correction), skip_nan)
    if (whole and where is True and workers is 1 and is_contiguous(a, &plain)
            and (spec is None or spec.is_for_c(plain.count))):
        return reduce_contiguous(&plain, is_integer(a), default_spec(statistic) if spec is None else spec.c, skip_nan)

    if spec is None:
        spec = Statistic(statistic, None, skip_nan)
    cdef size_t threads = count_workers(workers)
    axis, dtype = axis_of_ints(axis), native_dtype(dtype)
    array, mask = data_of(a, where, skip_nan)
    if whole and is_exact(array, statistic):
        dtype = native_dtype(object)
    axes = axes_of(axis, array.ndim)
    kept = tuple([length for k, length in enumerate(array.shape) if k not in axes])
    shape = tuple([1 if k in axes else length for k, length in enumerate(array.shape)]) if keepdims else kept
    if out is not None:
        check_out(out, shape)
    values = np.empty(kept, dtype=dtype_of(dtype, out, array, statistic))
    reduce_into(values, array, mask, axes, threads, spec)
    if out is not None:
        np.copyto(out, values.reshape(shape))
        return out
    if axis is None and not keepdims:
        return values.item()            # a number of Python's, as without dtype=
    return values if kept and not keepdims else values.reshape(shape)[()]


# ---- functions --------------------------------------------------------------

def sumsq(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sum of the squares of the elements, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128, in
        any shape, strides, alignment and byte order: an array, which is not
        copied, nested lists, or a container of pandas, Arrow, polars or xarray.
        Lists and object arrays of Python ints may hold any of them, and are exact;
        a list with a float in it is one of floats.
    axis : int or tuple of int, optional
        The axes to sum over; all of them by default.
    dtype : {int64, uint64, float64, float32, float16, object}, optional
        The type of the results. Integers give int64 by default, and uint64
        if they are unsigned, or on request any of these; object holds Python
        ints. Other input gives float64, or on request float32 or float16.
    out : ndarray, optional
        Where to write the result; it must have its shape, and its dtype, one of
        the above, takes the place of `dtype`. It is written only when the result
        is complete: an exception leaves it unchanged.
    keepdims : bool, optional
        Keep the axes summed over in the result, with length one.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape of `a`. It must leave
        out whatever is masked or null in `a`.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    int, float or ndarray
        Without `axis`: a Python int, or a Python float for floats and a float
        `dtype`. With `axis` or `keepdims`: an array, or a NumPy scalar where no
        axis is left; `out`, if it was given. A float is the one of its type
        nearest to the sum of the exact squares (ties to even; float64 is Inf from
        2**1024 - 2**970 on), rounded once; for complex numbers the squares are
        those of abs(z). NaN if any element is NaN, else Inf if any is Inf. 0 for
        no elements.

    Raises
    ------
    TypeError
        %(type_error)s
    OverflowError
        If a sum does not fit the integer dtype: pass ``dtype=object``.
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    See Also
    --------
    norm, rms : The square root of it, and of its mean.
    Accumulator : The same for data that come in pieces.

    Notes
    -----
    The GIL is released for 4096 elements and more. `a` must not be written to
    meanwhile: the result may be that of neither the old nor the new data.

    Floats are first summed with a proven error bound. If that does not determine the
    rounded result, and for integers, the squares are summed without rounding, as
    fixed-point integers, in blocks of vector arithmetic [1]_ and a superaccumulator
    [2]_. So the result depends neither on the order of the elements nor on how the
    work is split.

    References
    ----------
    .. [1] J. Demmel, P. Ahrens, H. D. Nguyen, "Efficient reproducible floating
       point summation and BLAS", EECS-2016-121, UC Berkeley.
    .. [2] R. M. Neal, "Fast exact summation using small and large
       superaccumulators", arXiv:1505.05571 (2015).

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x = np.array([-32768, -32768], dtype=np.int16)
    >>> int(np.sum(x**2)), pycrust.sumsq(x)
    (0, 2147483648)
    >>> pycrust.sumsq([[3.0, 4.0], [5.0, 12.0]], axis=1)
    array([ 25., 169.])
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_SUMSQ)


def norm(a, *, axis=None, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Euclidean norm: the square root of the sum of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
        Keyword-only, since the second argument of `numpy.linalg.norm` is `ord`. Over
        two axes or more it is the Frobenius norm.
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    float or ndarray
        The float nearest to the root of the *exact* sum: it neither overflows
        nor underflows unless the norm itself does. 0.0 for no elements.

    Raises
    ------
    TypeError
        %(type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    Notes
    -----
    The root is an integer square root of the leading 128 bits of the sum, with a
    sticky bit for the remainder and all bits below. Threads: see `sumsq`.

    Examples
    --------
    >>> import pycrust
    >>> pycrust.norm([3e160, 4e160])
    5e+160
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_NORM)


def rms(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Root mean square: the square root of the mean of the squares, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        Elements left out do not count in the mean.
    workers : int, optional
        %(workers)s

    Returns
    -------
    float or ndarray
        In the units of `a`: the float nearest to the root of the *exact* mean.
        NaN for no elements, with a RuntimeWarning, as `numpy.mean` gives.

    Raises
    ------
    TypeError
        %(type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    Notes
    -----
    As for `norm`; the exact sum is first divided by the count, in integers.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.rms(np.full(1000, -32768, dtype=np.int16))
    32768.0
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_RMS)


def sum(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sum of the elements, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        %(sum_dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    int, float, complex or ndarray
        Without `axis`: a Python int for integers, else a Python float or complex.
        With `axis` or `keepdims`: an array, or a NumPy scalar where no axis is left;
        `out`, if it was given. A float is the one nearest to the exact sum (ties to
        even, +0.0 for zero), whatever the order of the elements and the size of
        intermediate sums; of a complex sum, both parts are. NaN and Inf as from
        `numpy.sum`. 0 for no elements.

    Raises
    ------
    OverflowError
        If a sum does not fit the integer dtype: pass ``dtype=object``.
    TypeError
        %(type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    See Also
    --------
    mean : The sum divided by the number of elements.
    math.fsum : As exact, for an iterable of Python floats.

    Notes
    -----
    As for `sumsq`, for the elements themselves.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.sum([1e308, 1e308, -1e308]), pycrust.sum([1e100, 1.0, -1e100])
    (1e+308, 1.0)
    >>> pycrust.sum(np.full(100, 255, dtype=np.uint8))
    25500
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_SUM)


def mean(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Arithmetic mean, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, or {complex128, complex64} for complex `a`, optional
        %(mean_dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        Elements left out do not count in the mean.
    workers : int, optional
        %(workers)s

    Returns
    -------
    float, complex or ndarray
        In the units of `a`, float64 or complex128 by default, also for float32 and
        float16: the float nearest to the *exact* mean, which therefore lies between
        the least and the largest element. NaN for no elements, with a RuntimeWarning.

    Raises
    ------
    TypeError
        %(type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    Notes
    -----
    The exact sum is divided by the count in integers, and rounded once.

    Examples
    --------
    >>> import pycrust
    >>> pycrust.mean([1e308, 1.5e308]), pycrust.mean([0.1] * 10)
    (1.25e+308, 0.1)
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_MEAN)


def var(a, axis=None, *, dtype=None, out=None, ddof=None, keepdims=False, where=True, workers=1, correction=None):
    """
    Variance, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    ddof : int or float, optional
        The sum of the squared distances from the mean is divided by the number of
        elements minus this: 0 by default, 1 for the unbiased estimate from a sample.
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        Elements left out do not count.
    workers : int, optional
        %(workers)s
    correction : int or float, optional
        Another name for `ddof`, that of the array API.

    Returns
    -------
    float or ndarray
        In the square of the units of `a`: the float nearest to the *exact* variance
        of the numbers as stored; for complex ones, deviations are ``abs(a - mean)``.
        Never negative, and 0.0 if all are equal. NaN if any element is NaN or Inf. With
        no more elements than `ddof` it is NaN or Inf, as from `numpy.var`, with a
        RuntimeWarning.

    Raises
    ------
    TypeError
        %(type_error)s
        Also if both `ddof` and `correction` are given.
    ValueError, numpy.exceptions.AxisError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.

    See Also
    --------
    std : The square root of it.
    Accumulator.var : The same for data that come in pieces.

    Notes
    -----
    With n elements it is (n sum(x**2) - sum(x)**2) / (n (n - ddof)). Both sums come from
    one pass, and are exact or have a proven error bound; so has the difference, which is
    computed in integers, and rounded once. Therefore nothing is lost, however large the
    mean is compared with the spread, and any order, any way to cut the data, and any
    shift that is itself exact gives the same bits.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x = 1e9 + np.array([4.0, 7.0, 13.0, 16.0])
    >>> pycrust.var(x), pycrust.var(x, ddof=1)
    (22.5, 30.0)
    >>> x = np.full(100, 0.1)
    >>> float(np.var(x)) > 0, pycrust.var(x)
    (True, 0.0)
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_VAR, ddof, correction)


def std(a, axis=None, *, dtype=None, out=None, ddof=None, keepdims=False, where=True, workers=1, correction=None):
    """
    Standard deviation: the square root of the variance, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    ddof : int or float, optional
        %(ddof)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s
    correction : int or float, optional
        %(correction)s

    Returns
    -------
    float or ndarray
        In the units of `a`: the float nearest to the root of the *exact* variance,
        not of a rounded one. Otherwise as `var`.

    Raises
    ------
    TypeError
        %(type_error)s
        Also if both `ddof` and `correction` are given.
    ValueError, numpy.exceptions.AxisError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.

    Notes
    -----
    As for `var` and `norm`.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> seconds = 1.7e9 + np.arange(0, 1, 0.25)         # timestamps
    >>> pycrust.std(seconds)
    0.2795084971874737
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_STD, ddof, correction)


# ---- NaN left out -----------------------------------------------------------

def nansum(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sum of the elements that are not missing, exact or correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
        %(missing)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        %(sum_dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    int, float, complex or ndarray
        What `sum` gives for the elements that are left. 0 if none are.

    Raises
    ------
    OverflowError
        If a sum does not fit the integer dtype: pass ``dtype=object``.
    TypeError
        %(nan_type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    See Also
    --------
    sum : NaN if any element is; masked arrays and nulls are an error.
    numpy.nansum : The same, but rounded at every addition.

    Notes
    -----
    `a` is not copied, and no mask is made of its NaN. Integers have no NaN: the
    result is that of `sum`.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.nansum([1e100, np.nan, 1.0, -1e100])
    1.0
    >>> pycrust.nansum(np.ma.masked_greater([1, 2, 300], 99))
    3
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_SUM, None, None, True)


def nanmean(a, axis=None, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Arithmetic mean of the elements that are not missing, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
        %(missing)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, or {complex128, complex64} for complex `a`, optional
        %(mean_dtype)s
    out : ndarray, optional
        %(out)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s

    Returns
    -------
    float, complex or ndarray
        What `mean` gives for the elements that are left. NaN if none are, with a
        RuntimeWarning, that of `numpy.nanmean`.

    Raises
    ------
    TypeError
        %(nan_type_error)s
    ValueError, numpy.exceptions.AxisError
        %(value_error)s

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.nanmean([[0.1, np.nan], [0.1, 2.5], [0.1, np.nan]], axis=0)
    array([0.1, 2.5])
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_MEAN, None, None, True)


def nanvar(a, axis=None, *, dtype=None, out=None, ddof=None, keepdims=False, where=True, workers=1, correction=None):
    """
    Variance of the elements that are not missing, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
        %(missing)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    ddof : int or float, optional
        The sum of the squared distances from the mean is divided by the number of
        elements that are left, minus this: 0 by default.
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s
    correction : int or float, optional
        %(correction)s

    Returns
    -------
    float or ndarray
        What `var` gives for the elements that are left. NaN if there are no more
        than `ddof` (of integers: NaN or Inf, as `var`), with a RuntimeWarning, that
        of `numpy.nanvar`.

    Raises
    ------
    TypeError
        %(nan_type_error)s
        Also if both `ddof` and `correction` are given.
    ValueError, numpy.exceptions.AxisError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x = 1e9 + np.array([4.0, np.nan, 7.0, 13.0, 16.0])
    >>> pycrust.nanvar(x), pycrust.nanvar(x, ddof=1)
    (22.5, 30.0)
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_VAR, ddof, correction, True)


def nanstd(a, axis=None, *, dtype=None, out=None, ddof=None, keepdims=False, where=True, workers=1, correction=None):
    """
    Standard deviation of the elements that are not missing, correctly rounded.

    Parameters
    ----------
    a : array_like
        %(a)s
        %(missing)s
    axis : int or tuple of int, optional
        %(axis)s
    dtype : {float64, float32, float16}, optional
        %(dtype)s
    out : ndarray, optional
        %(out)s
    ddof : int or float, optional
        %(ddof)s
    keepdims : bool, optional
        %(keepdims)s
    where : array_like of bool, optional
        %(where)s
    workers : int, optional
        %(workers)s
    correction : int or float, optional
        %(correction)s

    Returns
    -------
    float or ndarray
        The float nearest to the root of the *exact* variance. Otherwise as `nanvar`.

    Raises
    ------
    TypeError
        %(nan_type_error)s
        Also if both `ddof` and `correction` are given.
    ValueError, numpy.exceptions.AxisError
        %(value_error)s
        Also for a `ddof` that is negative or NaN.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.nanstd([2.0, np.nan, 4.0])
    1.0
    """
    return reduction(a, axis, dtype, out, keepdims, where, workers, PC_STD, ddof, correction, True)


# ---- what the docstrings share ----------------------------------------------

_SHARED = {
    "a": "Numbers of bool, any integer dtype, float16/32/64 or complex64/128: an array in any\n"
         "        layout, which is not copied, or nested lists.",
    "missing": "These count as missing: NaN, complex numbers with a NaN in either part, masked\n"
               "        elements, and the nulls of pandas, Arrow and polars.",
    "axis": "The axes to reduce; all of them by default.",
    "dtype": "The type of the results: float64 by default.",
    "mean_dtype": "The type of the results: float64 by default, complex128 for complex means.",
    "sum_dtype": "The type of the results. Integers give int64 by default, and uint64 if they are\n"
                 "        unsigned, or on request any of these but complex ones; object holds Python\n"
                 "        ints. Complex numbers give complex128, or complex64; other input gives\n"
                 "        float64, or float32 or float16.",
    "out": "Where to write the results; it must have their shape, and its dtype takes the place\n"
           "        of `dtype`. It is written only when all results are complete: an exception leaves\n"
           "        it unchanged.",
    "ddof": "The sum of the squared distances from the mean is divided by the number of\n"
            "        elements minus this: 0 by default, 1 for the unbiased estimate from a sample.",
    "correction": "Another name for `ddof`, that of the array API.",
    "type_error": "For a dtype that is not taken (str, datetime, structured, longdouble, object\n"
                  "        of anything but ints), for what would lose digits, a mask, a null or a unit\n"
                  "        on the way in (pass ``where=~a.mask``, ``where=a.notna()``), for dask arrays\n"
                  "        (use pycrust.dask), for sets and generators.",
    "nan_type_error": "For a dtype that is not taken (str, datetime, structured, longdouble, object\n"
                      "        of anything but ints), for what would lose digits or a unit on the way in,\n"
                      "        for dask arrays (use pycrust.dask), for sets and generators.",
    "value_error": "For an `axis`, `out`, `where` or `workers` that does not fit `a`.",
    "keepdims": "Keep the reduced axes in the result, with length one.",
    "where": "The elements to include; must broadcast to the shape of `a`. The others do not count.",
    "workers": "Number of threads, 1 by default; -1 for all usable cores, -2 for all but one,\n"
               "        and so on. It does not change a bit of the result.",
}

for _function in (sumsq, norm, rms, sum, mean, var, std, nansum, nanmean, nanvar, nanstd):
    _function.__doc__ %= _SHARED
del _function
