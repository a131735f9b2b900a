"""Two arrays: products of their elements, weighted means, covariances, correlations."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from pycrust._args cimport (
    array_and_missing,
    axes_of,
    axis_of_ints,
    check_out,
    describe_data,
    dtype_of,
    in_order,
    integer_of,
    is_integer,
    is_taken,
    mask_of,
    native_dtype,
    numbers_of,
    type_of,
)
from pycrust._bigint cimport exact_int, exact_moment, quotient, shown_int
from pycrust._plan cimport (
    CHUNK,
    Plan,
    MIN_CHUNK,
    Accumulators,
    Statistic,
    axis_of,
    clear_sum,
    default_spec,
    reduce_into,
    moments_of_ints,
)
from pycrust._reductions cimport reduction
from pycrust._threads cimport MIN_RELEASE_GIL, count_workers, run_chunks
from pycrust.csrc cimport (
    PC_AVERAGE,
    PC_DOT,
    PC_FLOAT16,
    PC_FLOAT64,
    PC_IMAGINARY,
    PC_MEAN,
    PC_NO_WEIGHT,
    PC_NUMBERS,
    PC_OK,
    PC_SQUARES,
    PC_SUM,
    PC_SUMSQ,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_merge,
    pc_accumulator_nonfinite,
    pc_add_tile,
    pc_add_vector_pairs,
    pc_array,
    pc_array_boundable,
    pc_moment,
    pc_output_spec,
    pc_reduce,
    pc_round_correlation,
    pc_round_covariance,
    pc_statistic,
    pc_status,
    pc_tile_sum,
    pc_type,
    pc_vector,
    pc_vector_pair,
)

cdef extern from "sums/accumulator.h":
    enum:
        PC_SUM_INCONCLUSIVE     # a flag of a bounded sum that only the exact one replaces

import operator
import warnings

import numpy as np
from numpy.exceptions import AxisError

from pycrust._ratios import (
    Ends,
    Moment,
    PairSums,
    correlation,
    covariance,
    covariance_ddof,
    no_average,
    scaled_difference,
    weighted_mean,
)

cnp.import_array()
import_core()

_FLOATS = tuple(map(np.dtype, (np.float64, np.float32, np.float16)))
_COMPLEXES = tuple(map(np.dtype, (np.complex128, np.complex64)))


# ---- arguments --------------------------------------------------------------

cdef tuple operand(a, str name):
    """An array of numbers, and a _containers.Missing if there is a mask or a null in it."""
    array, missing = array_and_missing(a, name)
    return numbers_of(array, name), missing


cdef int refuse_missing(missing, str name, mask) except -1:
    """Unless the mask leaves out what is missing."""
    if missing is not None and (mask is None or np.any(missing.at & mask)):
        raise missing.error(name)
    return 0


cdef tuple of_one_kind(x, str x_name, y, str y_name):
    """Two arrays that can be multiplied: if one is of Python ints, both are, or that one is converted to 64 bits."""
    if not cnp.PyArray_ISOBJECT(x) and not cnp.PyArray_ISOBJECT(y):
        return x, y
    if is_integer(x) and is_integer(y):
        return x.astype(object), y.astype(object)
    return machine_integers(x, x_name), machine_integers(y, y_name)


cdef object machine_integers(array, str name):
    """Python ints as integers of 64 bits, to be multiplied by floats."""
    if not cnp.PyArray_ISOBJECT(array):
        return array
    for wide in (np.int64, np.uint64):
        try:
            return array.astype(wide)
        except OverflowError:
            continue
    raise TypeError(f"{name} has integers that no dtype of 64 bits holds, which are multiplied by integers alone: "
                    f"pass np.asarray({name}, dtype=np.float64) if they may be rounded")


cdef object products_like(x, y):
    """An empty array of a dtype that stands for those of the products."""
    if x.dtype.kind == "c" or y.dtype.kind == "c":
        return np.empty(0, np.complex128)
    if not (is_integer(x) and is_integer(y)):
        return np.empty(0, np.float64)
    kinds = {x.dtype.kind, y.dtype.kind}
    return np.empty(0, object if "O" in kinds else np.uint64 if "u" in kinds and "i" not in kinds else np.int64)


cdef bint pays_bounded(size_t length) noexcept:
    """Whether sums of so many floats with an error bound are the faster way to begin."""
    cdef pc_array one
    one.type = PC_FLOAT64
    one.kept_axes = 0
    one.reduced_axes = 1
    one.other.data = NULL
    one.axis[0].length = length
    return pc_array_boundable(&one)


# ---- two short vectors --------------------------------------------------------

cdef bint is_vector_pair(a, b, pc_array *pair) except -1:
    """Whether both are plain arrays of one axis and one length, too short to be cut: then what C needs."""
    if not (cnp.PyArray_CheckExact(a) and cnp.PyArray_CheckExact(b)):
        return False
    if not (cnp.PyArray_NDIM(a) == 1 == cnp.PyArray_NDIM(b) and cnp.PyArray_DIM(a, 0) == cnp.PyArray_DIM(b, 0) < CHUNK):
        return False
    if not (is_taken(a) and is_taken(b)):
        return False
    describe_data(a, &pair.type, &pair.components, &pair.swapped, &pair.data)
    describe_data(b, &pair.other.type, &pair.other.components, &pair.other.swapped, &pair.other.data)
    pair.mask = NULL
    pair.skip_nan = pair.kept_axes = 0
    pair.reduced_axes = 1
    pair.repeat = 1
    pair.axis[0] = axis_of(a, None, b, 0)
    pair.other.conjugate = False
    return True


cdef pc_status reduce_vectors(const pc_array *pair, int statistic, int components, double *made) noexcept:
    cdef pc_output_spec spec = default_spec(<pc_statistic>statistic)
    cdef pc_tile_sum sum
    spec.components = components
    if pair.axis[0].length < MIN_RELEASE_GIL:
        return pc_reduce(pair, 0, 1, &spec, <char *>made, &sum)
    with nogil:
        return pc_reduce(pair, 0, 1, &spec, <char *>made, &sum)


cdef object dot_of_integers(const pc_array *pair):
    cdef pc_tile_sum sum
    pc_accumulator_clear(&sum.total, <pc_statistic>PC_DOT)
    if pair.axis[0].length < MIN_RELEASE_GIL:
        pc_add_tile(pair, 0, 1, 0, pair.axis[0].length, &sum)
    else:
        with nogil:
            pc_add_tile(pair, 0, 1, 0, pair.axis[0].length, &sum)
    return exact_int(&sum.total, PC_SQUARES)


# ---- dot, vecdot ----------------------------------------------------------------

cdef object contracted(x, y, tuple missing, int axis, dtype, out, where, size_t workers, bint conjugate, bint exact,
                       keepdims=False):
    """
    The sums of the products along the last axis of both, which have one shape.

    `where` has it at `axis`, and so has the result, with length one, if `keepdims`.
    """
    like = products_like(x, y)
    mask = mask_of(where, np.moveaxis(x, -1, axis)) if where is not True else None
    if mask is not None:
        mask = np.moveaxis(mask, axis, -1)
    for each, name in missing:
        refuse_missing(each, name, mask)
    kept = shape = x.shape[:x.ndim - 1]
    if keepdims:
        axis %= x.ndim
        shape = (*kept[:axis], 1, *kept[axis:])
    if out is not None:
        check_out(out, shape)
    if exact and dtype is None and out is None and is_integer(like):
        dtype = native_dtype(object)
    values = np.empty(kept, dtype_of(dtype, out, like, PC_SUM))
    if cnp.PyArray_ISOBJECT(like):
        reduce_into(values, x * y, mask, (x.ndim - 1,), workers, Statistic(PC_DOT))
    else:
        reduce_into(values, x, mask, (x.ndim - 1,), workers, Statistic(PC_DOT), y, conjugate)
    if keepdims:
        values = values.reshape(shape)
    if out is not None:
        np.copyto(out, values)
        return out
    return values.item() if exact else values[()]


def dot(a, b, *, dtype=None, out=None, where=True, workers=1):
    """
    Sum of the products of two vectors, exact or correctly rounded.

    Parameters
    ----------
    a, b : array_like
        Two vectors of one length, of bool, any integer dtype, float16/32/64 or
        complex64/128, each in any layout and byte order: arrays, which are not copied,
        lists, or what else `sum` takes. Lists of Python ints may hold any of them.
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        The type that the result is rounded to, or must fit.
    out : ndarray, optional
        An array of no axes to write the result to; its dtype takes the place of `dtype`.
    where : array_like of bool, optional
        The pairs to include.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    int, float or complex
        Of integers the exact int. Else the float nearest to the sum of the exact
        products (ties to even), or a complex number with both parts nearest: no vector is
        conjugated. 0 for no elements; NaN and Inf as IEEE arithmetic has them.

    Raises
    ------
    TypeError
        If `a` or `b` does not have one axis: `numpy.dot` multiplies matrices then, and
        so does `numpy.matmul`; `vecdot` takes stacks of vectors. Else as `sum` raises it.
    ValueError
        If the lengths differ, or `where` does not fit.
    OverflowError
        If a sum of integers does not fit the integer `dtype`.

    See Also
    --------
    vecdot : Along an axis, with broadcasting.

    Notes
    -----
    The GIL is released for 4096 elements and more. One pass gives a sum with a proven
    error bound; where it does not decide how the exact sum rounds, the products are
    summed exactly [1]_.

    References
    ----------
    .. [1] T. Ogita, S. M. Rump, S. Oishi, "Accurate sum and dot product", SIAM J. Sci.
       Comput. 26 (2005).

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.dot([1e20, 1.0, -1e20], [3.0, 0.1, 3.0])
    0.1
    >>> x = np.full(3, 100, dtype=np.int8)
    >>> int(np.dot(x, x)), pycrust.dot(x, x)
    (48, 30000)
    """
    cdef pc_array pair
    cdef double[2] made
    cdef int components
    if where is True and workers is 1 and dtype is None and out is None and is_vector_pair(a, b, &pair):
        if is_integer(a) and is_integer(b):
            return dot_of_integers(&pair)
        components = max(pair.components, pair.other.components)
        reduce_vectors(&pair, PC_DOT, components, made)
        return made[0] if components == 1 else complex(made[0], made[1])
    cdef size_t threads = count_workers(workers)
    dtype = native_dtype(dtype)
    x, missing_x = operand(a, "a")
    y, missing_y = operand(b, "b")
    if x.ndim != 1 or y.ndim != 1:
        raise TypeError(f"dot takes two vectors, but a has {x.ndim} axes and b {y.ndim}: for products along an axis "
                        "use pycrust.vecdot, for products of matrices np.matmul (which rounds)")
    if x.shape != y.shape:
        raise ValueError(f"a and b have lengths {x.shape[0]} and {y.shape[0]}: "
                         f"shapes {x.shape} and {y.shape} not aligned")
    x, y = of_one_kind(x, "a", y, "b")
    missing = (missing_x, "a"), (missing_y, "b")
    return contracted(x, y, missing, -1, dtype, out, where, threads, False, True)


cdef object with_axis_last(array, str name, int number, k):
    """A view with axis k, that of the products, at its end."""
    if array.ndim == 0:
        raise ValueError(f"vecdot: Input operand {number} does not have enough dimensions (has 0, "
                         f"gufunc core with signature (n),(n)->() requires 1): {name} is a number")
    if not -array.ndim <= k < array.ndim:
        raise AxisError(f"axis {shown_int(k)} is out of bounds for {name}, which has {array.ndim} dimensions")
    k %= array.ndim
    if k == array.ndim - 1:
        return array
    return array.transpose(*range(k), *range(k + 1, array.ndim), k)     # numpy.moveaxis takes longer


def vecdot(x1, x2, axis=-1, *, dtype=None, out=None, keepdims=False, where=True, workers=1):
    """
    Sums of the products of two arrays along an axis, exact or correctly rounded.

    Parameters
    ----------
    x1, x2 : array_like
        As for `dot`, in any shapes that broadcast, apart from the axis: `x1` is
        conjugated if it is complex.
    axis : int, optional
        The axis of both to sum over, the last by default.
    dtype : {int64, uint64, float64, float32, float16, object, complex128, complex64}, optional
        The type of the results. Integers give int64 by default, and uint64 if both are
        unsigned, or on request any of these but complex ones; object holds Python ints.
        Complex numbers give complex128, or complex64; other input gives float64, or
        float32 or float16.
    out : ndarray, optional
        Where to write the results, of their shape; its dtype takes the place of `dtype`.
    keepdims : bool, optional
        Keep the axis in the result, with length one.
    where : array_like of bool, optional
        The pairs to include; must broadcast to the shape that `x1` and `x2` have in
        common, with `axis` where it is in them.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    ndarray or NumPy scalar
        The exact integers, or the floats nearest to the exact sums.

    Raises
    ------
    ValueError, numpy.exceptions.AxisError
        If the shapes do not fit, as `numpy.vecdot` raises it.
    OverflowError
        If a sum does not fit the integer dtype; says where. Pass ``dtype=object``.
    TypeError
        As `sum` raises it.

    See Also
    --------
    dot : Of two vectors, as a number of Python's.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.vecdot([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
    array([12., 34.])
    >>> pycrust.vecdot(np.array([1j, 2]), np.array([1j, 3]))
    np.complex128(7+0j)
    """
    cdef size_t threads = count_workers(workers)
    axis, dtype = integer_of(axis, "axis"), native_dtype(dtype)
    x, missing_x = operand(x1, "x1")
    y, missing_y = operand(x2, "x2")
    shapes = x.shape, y.shape
    x, y = of_one_kind(x, "x1", y, "x2")
    x = with_axis_last(x, "x1", 0, axis)
    y = with_axis_last(y, "x2", 1, axis)
    *outer, length = x.shape
    *other_outer, other = y.shape
    if length != other:
        raise ValueError("vecdot: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
                         f"(n),(n)->() (size {other} "
                         f"is different from {length}): x1 has shape {shapes[0]}, x2 {shapes[1]}")
    try:
        loops = outer if outer == other_outer else np.broadcast_shapes(tuple(outer), tuple(other_outer))
    except ValueError:
        raise ValueError(f"operands could not be broadcast together with shapes {shapes[0]} {shapes[1]} "
                         f"apart from axis {axis}") from None
    missing = tuple([(each and each._replace(at=np.moveaxis(each.at, axis, -1)), name)
                     for each, name in ((missing_x, "x1"), (missing_y, "x2"))])
    shape = (*loops, length)
    x = x if x.shape == shape else np.broadcast_to(x, shape)
    y = y if y.shape == shape else np.broadcast_to(y, shape)
    return contracted(x, y, missing, axis, dtype, out, where, threads, True, False, keepdims)


# ---- average ------------------------------------------------------------------

cdef object weights_like(array, weights, axis):
    """The weights in the shape of the array, as numpy.average takes them."""
    if weights.shape == array.shape:
        return weights
    if axis is None:
        raise TypeError(f"weights have shape {weights.shape} and a {array.shape}: "
                        "axis must say along which axis they lie")
    axes_of(axis, array.ndim)           # refuses what is not one
    given = tuple([k % array.ndim for k in (axis if type(axis) is tuple else (axis,))])
    wanted = tuple([array.shape[k] for k in given])
    if weights.shape != wanted:
        raise ValueError(f"weights have shape {weights.shape}, but a has {wanted} along axis {axis}")
    weights = in_order(weights, axis, array.ndim)
    weights = weights.reshape([length if k in given else 1 for k, length in enumerate(array.shape)])
    return np.broadcast_to(weights, array.shape)


cdef object averages_of_ints(array, weights, mask, tuple axes):
    """Averages of Python ints."""
    _, totals, _ = moments_of_ints(array * weights, mask, axes)
    _, divisors, _ = moments_of_ints(weights, mask, axes)
    values = np.empty(totals.shape)
    for position in np.ndindex(values.shape):
        if divisors[position] == 0:
            raise no_average()
        values[position] = weighted_mean((totals[position], 0), (divisors[position], 0))
    return values


def average(a, axis=None, weights=None, returned=False, *, keepdims=False, where=True, workers=1):
    """
    Weighted mean, correctly rounded.

    Parameters
    ----------
    a : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128: an array in any
        layout, which is not copied, nested lists, or what else `sum` takes.
    axis : int or tuple of int, optional
        The axes to average over; all of them by default.
    weights : array_like, optional
        Real numbers in the shape of `a`, or in that of `axis`; ones by default. They may be
        negative.
    returned : bool, optional
        Return the sum of the weights, too.
    keepdims : bool, optional
        Keep the reduced axes in the result, with length one.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape of `a`.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    average : float, complex or ndarray
        The float nearest to the exact sum of ``weights * a`` divided by the exact sum of
        `weights`, rounded once; complex numbers have both parts nearest.
    sum_of_weights : float or ndarray
        Correctly rounded, in the same shape; with `returned` alone.

    Raises
    ------
    ZeroDivisionError
        If weights sum up to exactly zero.
    TypeError, ValueError, numpy.exceptions.AxisError
        If the shapes do not fit, as `numpy.average` raises it; as `mean` does.

    See Also
    --------
    mean : Without weights.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.average([1.0, 2.0, 4.0], weights=[1, 1, 2])
    2.75
    >>> pycrust.average(np.full(3, 0.1), weights=[0.1, 0.2, 0.3]), np.average(np.full(3, 0.1), weights=[0.1, 0.2, 0.3])
    (0.1, np.float64(0.09999999999999999))
    """
    cdef pc_array pair
    cdef double made
    cdef pc_status status
    axis = axis_of_ints(axis)
    if weights is None:
        mean = reduction(a, axis, None, None, keepdims, where, workers, PC_MEAN)
        if not returned:
            return mean
        weights = np.broadcast_to(np.uint8(1), np.shape(a))
        return mean, reduction(weights, axis, np.float64, None, keepdims, where, workers, PC_SUM)
    if (where is True and workers is 1 and axis is None and not returned and not keepdims
            and is_vector_pair(a, weights, &pair) and pair.components == 1 == pair.other.components):
        status = reduce_vectors(&pair, PC_AVERAGE, 1, &made)
        if status == PC_NO_WEIGHT:
            raise no_average()
        return made
    cdef size_t threads = count_workers(workers)
    array, missing = operand(a, "a")
    factors, missing_weights = operand(weights, "weights")
    if factors.dtype.kind == "c":
        raise TypeError("weights must be real numbers: for complex ones divide two sums that are correctly rounded, "
                        "pycrust.vecdot(weights.conj(), a) / pycrust.sum(weights, axis=-1)")
    mask = mask_of(where, array)
    factors = weights_like(array, factors, axis)
    refuse_missing(missing, "a", mask)
    if missing_weights is not None:
        refuse_missing(missing_weights._replace(at=weights_like(array, missing_weights.at, axis)), "weights", mask)
    array, factors = of_one_kind(array, "a", factors, "weights")
    axes = axes_of(axis, array.ndim)
    if cnp.PyArray_ISOBJECT(array):
        values = averages_of_ints(array, factors, mask, axes)
    else:
        kept = tuple([length for k, length in enumerate(array.shape) if k not in axes])
        parts = []
        for part in (array.real, array.imag) if array.dtype.kind == "c" else (array,):
            values = np.empty(kept)
            reduce_into(values, part, mask, axes, threads, Statistic(PC_AVERAGE), factors)
            parts.append(values)
        if len(parts) == 2:
            values = np.empty(kept, np.complex128)
            values.real, values.imag = parts
    if keepdims:
        values = values.reshape([1 if k in axes else length for k, length in enumerate(array.shape)])
    result = values.item() if axis is None and not keepdims else values[()]
    if not returned:
        return result
    return result, reduction(factors, axis, np.float64, None, keepdims, where, workers, PC_SUM)


# ---- covariances --------------------------------------------------------------

# What the threads of a covariance matrix see.
cdef struct CrossJob:
    const pc_vector_pair *pairs
    size_t count, vectors, length, step
    pc_tile_sum *sums           # of each worker `count`


cdef int add_cross_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const CrossJob *s = <const CrossJob *>job
    cdef size_t start = chunk * s.step
    pc_add_vector_pairs(s.pairs, s.count, s.vectors, start, min(start + s.step, s.length), s.sums + worker * s.count)
    return 0


cdef enum:
    # Sums of one pass, so that they take megabytes, not gigabytes.
    MAX_SUMS = 4096


cdef object moment_at(const pc_accumulator *acc, pc_moment moment, bint bounded):
    """The Moment of an accumulator."""
    cdef int exponent
    cdef uint64_t error = acc.windows[<int>moment].error_bound if bounded else 0
    integer, unit = exact_moment(acc, moment)
    if not error:
        return Moment(integer, 0, unit)
    exponent = min(unit, acc.windows[<int>moment].exponent)
    return Moment(integer << unit - exponent, int(error) << acc.windows[<int>moment].exponent - exponent, exponent)


cdef pc_status round_entry(const pc_accumulator *products, const pc_accumulator *x, const pc_accumulator *y,
                           uint64_t freedom, pc_type type, char *to) noexcept:
    """Write the covariance; with no degrees of freedom, the correlation."""
    if freedom:
        return pc_round_covariance(products, x, y, freedom, type, to)
    return pc_round_correlation(products, x, y, type, to)


cdef class CrossSums:
    """
    The sums that covariances of some vectors need: exact, or with error bounds.

    Of pair (i, j) those of products x_i conj(x_j); of pair (i, i) those of the numbers and squares of x_i.
    """
    cdef dict parts         # pair: (whether it is not finite, real part, imaginary part), Moments
    cdef dict numbers       # vector: (sum, sum of imaginary parts)
    cdef dict differences   # pair: what `difference` gave
    cdef object count
    cdef bint complexes
    cdef Accumulators own   # of each vector, the sums of (i, i) for C to round; or None
    cdef uint64_t freedom   # 0: correlations
    cdef object matrix
    cdef list inconclusive  # pairs whose rounding tests failed

    def __init__(self, vectors, bint complexes, pairs, size_t workers, bint bounded, matrix=None, freedom=0):
        """
        The sums of some pairs, of which (i, i) and (j, j) come before (i, j).

        With a matrix, C writes the results to it.
        """
        self.parts = {}
        self.numbers = {}
        self.differences = {}
        self.complexes = complexes
        self.count = len(vectors[0])
        self.inconclusive = []
        if matrix is not None:
            self.matrix = matrix
            self.freedom = freedom
            self.own = Accumulators(len(vectors)).clear(bounded, PC_VAR)
        for first in range(0, len(pairs), MAX_SUMS):
            if vectors[0].dtype == object:
                self.add_ints(vectors, pairs[first:first + MAX_SUMS])
            else:
                self.add(vectors, pairs[first:first + MAX_SUMS], workers, bounded)

    cdef int add(self, vectors, pairs, size_t workers, bint bounded) except -1:
        cdef CrossJob s
        cdef size_t k, j, chunks
        cdef Accumulators sums
        cdef pc_accumulator *acc
        imaginary = None
        rows = bytearray(len(vectors) * sizeof(pc_vector))
        table = bytearray(len(pairs) * sizeof(pc_vector_pair))
        cdef pc_vector *row = <pc_vector *><char *>rows
        cdef pc_vector_pair *entry = <pc_vector_pair *><char *>table
        for k, vector in enumerate(vectors):
            describe_data(vector, &row[k].type, &row[k].components, &row[k].swapped, &row[k].data)
            row[k].stride = cnp.PyArray_STRIDE(vector, 0)
        for k, (i, j) in enumerate(pairs):
            entry[k].x = &row[<size_t>i]
            entry[k].y = &row[j]
        s.pairs = entry
        s.count = len(pairs)
        s.vectors = len(vectors)
        s.length = self.count
        s.step = max(<size_t>1, CHUNK // s.count)
        if workers > 1:
            s.step = max(<size_t>1, min(s.step, max(<size_t>MIN_CHUNK // s.count, s.length // (4 * workers) + 1)))
        chunks = s.length // s.step + (s.length % s.step != 0)
        workers = min(workers, chunks) or <size_t>1
        sums = Accumulators(workers * s.count).clear(bounded, PC_VAR)
        for k in range(workers * s.count):
            i, j = pairs[k % s.count]
            if i != j:
                clear_sum(&sums.at[k].total, bounded, PC_DOT)
        s.sums = sums.at
        run_chunks(add_cross_chunk, &s, sizeof(s), chunks, workers, <double>s.length * s.count)
        for k in range(s.count):
            acc = &sums.at[k].total
            for j in range(1, workers):
                pc_accumulator_merge(acc, &sums.at[j * s.count + k].total)
            i, j = pairs[k]
            if self.own is not None:
                if i == j:
                    self.own.at[<size_t>i] = sums.at[k]
                self.write(i, j, acc)
                continue
            if bounded and acc.flags & PC_SUM_INCONCLUSIVE:
                continue
            nonfinite = pc_accumulator_nonfinite(acc) != 0
            if i == j:
                self.parts[i, j] = nonfinite, moment_at(acc, PC_SQUARES, bounded), None
                if self.complexes:
                    imaginary = moment_at(acc, PC_IMAGINARY, bounded)
                self.numbers[i] = moment_at(acc, PC_NUMBERS, bounded), imaginary
            else:
                if self.complexes:
                    imaginary = moment_at(acc, PC_NUMBERS, bounded)
                self.parts[i, j] = nonfinite, moment_at(acc, PC_SQUARES, bounded), imaginary
        return 0

    cdef int write(self, size_t i, size_t j, const pc_accumulator *products) except -1:
        """Write the result of a pair to the matrix, or note that it is inconclusive."""
        cdef int components
        cdef size_t size = cnp.PyArray_DIM(self.matrix, 0), item = cnp.PyArray_ITEMSIZE(self.matrix)
        cdef pc_type type = <pc_type>type_of(cnp.PyArray_TYPE(self.matrix), &components)
        cdef char *to = <char *>cnp.PyArray_DATA(self.matrix)
        cdef char *at = to + (i * size + j) * item
        cdef const pc_accumulator *x = &self.own.at[i].total
        cdef const pc_accumulator *y = &self.own.at[j].total
        if i == j:
            products = x
        if round_entry(products, x, y, self.freedom, type, at) == PC_OK:
            memcpy(to + (j * size + i) * item, at, item)
        else:
            self.inconclusive.append((i, j))
        return 0

    cdef int add_ints(self, vectors, pairs) except -1:
        for i, j in pairs:
            _, total, _ = moments_of_ints(vectors[i] * vectors[j], None, (0,))
            self.parts[i, j] = False, Moment(total.item()), None
            if i == j:
                _, total, _ = moments_of_ints(vectors[i], None, (0,))
                self.numbers[i] = Moment(total.item()), None
        return 0

    cdef object difference(self, i, j):
        """
        Ends of count**2 times the covariance of two vectors: a list of (low, high, exponent), one for each part.

        False if the sums are inconclusive, None if there is a NaN or an infinity.
        """
        if (i, j) not in self.differences:
            self.differences[i, j] = self.new_difference(i, j)
        return self.differences[i, j]

    cdef object new_difference(self, i, j):
        cross, own, other = map(self.parts.get, ((i, j), (i, i), (j, j)))
        if cross is None or own is None or other is None:
            return False
        if cross[0] or own[0] or other[0]:
            return None
        (x, ix), (y, iy) = self.numbers[i], self.numbers[j]
        _, real, imaginary = cross
        if not self.complexes:
            return [scaled_difference(self.count, real, [(1, x, y)])]
        return [scaled_difference(self.count, real, [(1, x, y), (1, ix, iy)]),
                scaled_difference(self.count, imaginary, [(1, ix, y), (-1, x, iy)]) if i != j else Ends(0, 0, 0)]


cdef tuple variables_of(m, y, rowvar, str first):
    """The variables, as a list of vectors; and whether they are complex. `first` is the name of the argument `m`."""
    arrays = []
    operands = [(*operand(each, name), name) for each, name in ((m, first), (y, "y")) if each is not None or name == first]
    for array, missing, name in operands:
        if missing is not None:
            raise missing.error("cov")
        if array.ndim > 2:
            raise ValueError(f"{name} has {array.ndim} dimensions, more than 2")
        flat = array.ndim < 2
        array = array.reshape(1, -1) if flat else array
        one_row = name == "y" and array.shape[0] == 1       # which numpy.cov takes for a variable, rowvar or not
        arrays.append(array if rowvar or flat or one_row else array.T)
    if len(arrays) == 2 and arrays[0].shape[1] != arrays[1].shape[1]:
        raise ValueError(f"{first} has {arrays[0].shape[1]} observations of each variable, and y {arrays[1].shape[1]}; "
                         f"rowvar={rowvar} takes each {'row' if rowvar else 'column'} for a variable")
    kinds = {array.dtype for array in arrays}
    if len(arrays) == 2 and np.dtype(object) in kinds:
        arrays = list(of_one_kind(arrays[0], first, arrays[1], "y"))
    return [row for array in arrays for row in array], any([array.dtype.kind == "c" for array in arrays])


cdef list own_first(pairs):
    """These pairs, and (i, i) and (j, j) of each, which come first."""
    return [(i, i) for i in sorted({i for pair in pairs for i in pair})] + [(i, j) for i, j in pairs if i != j]


cdef object covariance_matrix(list vectors, bint complexes, dtype, size_t workers, freedom, bint correlations):
    """The matrix of covariances, or of correlations."""
    cdef pc_type type
    cdef int components
    cdef CrossSums sums
    cdef size_t size = len(vectors)
    cdef bint bounded, in_c
    allowed = _COMPLEXES if complexes else _FLOATS
    dtype = allowed[0] if dtype is None else dtype
    if dtype not in allowed:
        what = "correlations" if correlations else "covariances"
        raise TypeError(f"dtype {dtype} does not hold {what} of these numbers: "
                        f"use {', '.join([each.name for each in allowed])}")
    if size == 0:
        return np.empty((0, 0), dtype)
    type = <pc_type>type_of(dtype.num, &components)
    bounded = pays_bounded(len(vectors[0])) and all([vector.dtype.kind in "fc" for vector in vectors])
    in_c = (not complexes and vectors[0].dtype != object and len(vectors[0]) > 0
            and (correlations or 0 < freedom < 1 << 63))
    values = np.empty((size, size), dtype if in_c else np.complex128)
    left = [(i, j) for i in range(size) for j in range(i, size)]
    while left:
        if in_c:
            sums = CrossSums(vectors, complexes, own_first(left), workers, bounded, values,
                             0 if correlations else freedom)
            inconclusive = sums.inconclusive
        else:
            sums = CrossSums(vectors, complexes, own_first(left), workers, bounded)
            inconclusive = []
            for i, j in left:
                cross = sums.difference(i, j)
                if correlations:
                    made = correlation(cross, sums.difference(i, i), sums.difference(j, j), i == j, <int>type)
                else:
                    made = covariance(cross, i == j, sums.count, freedom, <int>type)
                if made is None:
                    inconclusive.append((i, j))
                else:
                    values[i, j] = made
                    values[j, i] = complex(made.real, 0.0 - made.imag)      # never -0
        if inconclusive and not bounded:
            raise SystemError("pycrust: exact sums are inconclusive")
        left = inconclusive
        bounded = False
    return (values if complexes else values.real).astype(dtype, copy=False)


cdef object matrix_of_two(x, y, ddof):
    """The matrix of two short vectors (ddof None: of correlations); None if it is inconclusive or not for
    this function, or if a warning is due."""
    cdef pc_array pair
    cdef pc_vector[2] vectors
    cdef pc_vector_pair[3] pairs
    cdef pc_tile_sum[3] sums
    cdef double[3] made
    cdef pc_status status = PC_OK
    cdef uint64_t divisor       # 0: correlations
    cdef size_t length
    cdef int k, first, second
    cdef double *to
    cdef bint bounded
    if not is_vector_pair(x, y, &pair) or pair.components != 1 or pair.other.components != 1:
        return None
    length = pair.axis[0].length
    if length < 2 or not (ddof is None or 0 <= ddof < length):
        return None
    divisor = 0 if ddof is None else length - ddof
    vectors[0] = pc_vector(pair.type, 1, pair.swapped, pair.data, pair.axis[0].stride)
    vectors[1] = pc_vector(pair.other.type, 1, pair.other.swapped, pair.other.data, pair.axis[0].other_stride)
    bounded = pair.type >= PC_FLOAT16 and pair.other.type >= PC_FLOAT16 and pays_bounded(length)
    for k in range(3):
        first, second = k % 2, k > 0           # (0, 0), (1, 1), (0, 1)
        pairs[k].x = &vectors[first]
        pairs[k].y = &vectors[second]
        clear_sum(&sums[k].total, bounded, PC_VAR if k < 2 else PC_DOT)
    if length < MIN_RELEASE_GIL:
        pc_add_vector_pairs(pairs, 3, 2, 0, length, sums)
    else:
        with nogil:
            pc_add_vector_pairs(pairs, 3, 2, 0, length, sums)
    for k in range(3):
        first, second = k % 2, k > 0
        status = max(status, round_entry(&sums[k].total, &sums[first].total, &sums[second].total, divisor, PC_FLOAT64,
                                         <char *>&made[k]))
    if status != PC_OK or (not divisor and made[2] != made[2]):
        return None
    values = np.empty((2, 2))
    to = <double *>cnp.PyArray_DATA(values)
    to[0], to[1], to[2], to[3] = made[0], made[2], made[2], made[1]
    return values


def cov(m, y=None, rowvar=True, bias=False, ddof=None, *, dtype=None, workers=1):
    """
    Covariance matrix, correctly rounded.

    Parameters
    ----------
    m : array_like
        A variable (one axis), or variables and observations of them (two axes), of bool, any
        integer dtype, float16/32/64 or complex64/128, in any layout.
    y : array_like, optional
        More variables, with as many observations.
    rowvar : bool, optional
        Each row is a variable: True by default; else each column.
    bias : bool, optional
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Divide by the number of observations minus this; takes the place of `bias`.
    dtype : {float64, float32, float16, complex128, complex64}, optional
        The type of the result.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    ndarray
        Each entry is the float nearest to the exact covariance; so the matrix is
        symmetric (Hermitian), and its diagonal that of `var`. A number for one variable.
        NaN where there is a NaN or an infinity.

    Raises
    ------
    ValueError
        For more than two axes, different numbers of observations, a `ddof` that is not whole.
    TypeError
        As `var` does; for a `ddof` that is no number.

    Warns
    -----
    RuntimeWarning
        If there are no more observations than `ddof`: NaN or Inf.

    Notes
    -----
    (n Sxy - Sx Sy) / (n (n - ddof)), from sums that are exact, or whose error bounds leave no
    doubt about the rounding. Every pair of variables costs one pass over both; NumPy's BLAS is faster from
    some variables on.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.cov([1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    array([[2.33333333, 0.5       ],
           [0.5       , 1.        ]])
    """
    cdef size_t threads = count_workers(workers)
    ddof, rowvar, dtype = covariance_ddof(ddof, bias), bool(rowvar), native_dtype(dtype)
    if workers is 1 and dtype is None:
        made = matrix_of_two(m, y, ddof)
        if made is not None:
            return made
    vectors, complexes = variables_of(m, y, rowvar, "m")
    if not vectors:
        return covariance_matrix(vectors, complexes, dtype, threads, 0, False)
    freedom = len(vectors[0]) - ddof
    if freedom <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=1)
    return covariance_matrix(vectors, complexes, dtype, threads, freedom, False).squeeze()[()]


def corrcoef(x, y=None, rowvar=True, *, dtype=None, workers=1):
    """
    Pearson's correlation coefficients, correctly rounded.

    Parameters
    ----------
    x : array_like
        Variables, as for `cov`.
    y : array_like, optional
        More variables, with as many observations.
    rowvar : bool, optional
        Each row is a variable: True by default; else each column.
    dtype : {float64, float32, float16, complex128, complex64}, optional
        The type of the result.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    ndarray
        Each entry is the float nearest to the exact correlation: never above 1 in size, and
        exactly 1 or -1 for numbers on a line. The matrix is symmetric (Hermitian), with
        ones on its diagonal. A number for one variable. NaN exactly where a variance is zero
        or where there is a NaN or an infinity.

    Raises
    ------
    ValueError, TypeError
        As `cov` does.

    Warns
    -----
    RuntimeWarning
        If a variance is zero, as it is for one observation, or not finite.

    Notes
    -----
    Nxy / sqrt(Nxx Nyy) with Nxy = n Sxy - Sx Sy: the root of a quotient of integers, rounded
    once.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> x, y = [0.1, 0.2, 0.3], [1.0, 2.0, 3.5]
    >>> pycrust.corrcoef(x, y)[0, 1]
    np.float64(0.9933992677987828)
    >>> pycrust.corrcoef([1e9, 1e9 + 1, 1e9 + 2], [5.0, 3.0, 1.0])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    cdef size_t threads = count_workers(workers)
    rowvar, dtype = bool(rowvar), native_dtype(dtype)
    if workers is 1 and dtype is None:
        made = matrix_of_two(x, y, None)
        if made is not None:
            return made
    vectors, complexes = variables_of(x, y, rowvar, "x")
    if not vectors:
        return covariance_matrix(vectors, complexes, dtype, threads, 0, True)
    made = covariance_matrix(vectors, complexes, dtype, threads, 1, True)
    if len(vectors[0]) < 2:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=1)
    elif np.isnan(made.diagonal()).any():
        warnings.warn("invalid value encountered in divide: a variance is zero or not finite", RuntimeWarning,
                      stacklevel=1)
    return made.squeeze()[()]


# ---- squared errors -----------------------------------------------------------

cdef Accumulators summed(array, mask, int statistic, size_t workers, bint bounded, other=None, bint conjugate=True):
    """The sums of all elements, or of all products with `other`: of their conjugates if `conjugate`."""
    cdef Plan plan = Plan(array, mask, tuple(range(array.ndim)), None, Statistic(statistic), workers, other, conjugate)
    return plan.sums(0, bounded)


cdef tuple same_shape(a, str a_name, b, str b_name, where):
    """Both as arrays of one shape and of kinds that go together, with the mask."""
    x, missing_x = operand(a, a_name)
    y, missing_y = operand(b, b_name)
    try:
        x, y = np.broadcast_arrays(x, y)
    except ValueError:
        raise ValueError(f"operands could not be broadcast together with shapes {x.shape} {y.shape}: "
                         f"those of {a_name} and {b_name}") from None
    mask = mask_of(where, x)
    refuse_missing(missing_x, a_name, mask)
    refuse_missing(missing_y, b_name, mask)
    x, y = of_one_kind(x, a_name, y, b_name)
    return x, y, mask


cdef object squared_error(a, b, where, workers, bint mean):
    """The sum of abs(a - b)**2, or its mean."""
    cdef size_t threads = count_workers(workers)
    cdef Accumulators xx, yy, xy
    cdef int exponent
    cdef bint bounded
    x, y, mask = same_shape(a, "a", b, "b", where)
    integers = is_integer(x) and is_integer(y)
    if x.dtype == object:
        total, _, count = moments_of_ints(x - y, mask, tuple(range(x.ndim)))
        low = high = total.item()
        count = count.item()
        exponent = 0
    else:
        for bounded in (not integers and pays_bounded(x.size), False):
            xx = summed(x, mask, PC_SUMSQ, threads, bounded and not is_integer(x))
            yy = summed(y, mask, PC_SUMSQ, threads, bounded and not is_integer(y))
            xy = summed(x, mask, PC_DOT, threads, bounded, y)
            count = xx.at.total.count
            if (xx.at.total.flags | yy.at.total.flags | xy.at.total.flags) & PC_SUM_INCONCLUSIVE:
                continue
            if (pc_accumulator_nonfinite(&xx.at.total) or pc_accumulator_nonfinite(&yy.at.total)):
                kept = ... if mask is None else mask
                with np.errstate(all="ignore"):
                    apart = np.atleast_1d(x[kept].astype(np.complex128) - y[kept])
                    apart = apart[~np.isfinite(apart)]
                    return float(np.sum(apart.real**2 + apart.imag**2))     # NaN or Inf
            own = moment_at(&xx.at.total, PC_SQUARES, bounded and not is_integer(x))
            other = moment_at(&yy.at.total, PC_SQUARES, bounded and not is_integer(y))
            both = moment_at(&xy.at.total, PC_SQUARES, bounded)
            exponent = min(own.exponent, other.exponent, both.exponent)
            total = ((own.total << own.exponent - exponent) + (other.total << other.exponent - exponent)
                     - (both.total << both.exponent - exponent + 1))
            error = ((own.error << own.exponent - exponent) + (other.error << other.exponent - exponent)
                     + (both.error << both.exponent - exponent + 1))
            low, high = max(total - error, 0), total + error
            divisor = count if mean and count else 1
            if not error or (quotient(low, exponent, divisor)
                             == quotient(high, exponent, divisor)):
                break
    if mean and count == 0:
        warnings.warn("mse of no elements is NaN", RuntimeWarning, stacklevel=1)
        return float("nan")
    if integers and not mean:
        return low >> -exponent
    return quotient(low, exponent, count if mean else 1)


def sse(a, b, *, where=True, workers=1):
    """
    Sum of the squared differences of two arrays (sum of squared errors), exact or correctly rounded.

    Parameters
    ----------
    a, b : array_like
        Numbers of bool, any integer dtype, float16/32/64 or complex64/128, in shapes that
        broadcast. Neither is copied, and no array of differences is made.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape that they have in common.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    int or float
        Of integers the exact int: nothing wraps, as differences of uint8 do. Else the float
        nearest to the exact sum of ``abs(a - b)**2``.

    Raises
    ------
    ValueError, TypeError
        If the shapes do not fit; as `sum` raises them.

    See Also
    --------
    mse : Divided by the number of elements.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> dark, bright = np.array([1, 2], np.uint8), np.array([255, 254], np.uint8)
    >>> int(np.sum((dark - bright) ** 2)), pycrust.sse(dark, bright)
    (20, 128020)
    """
    return squared_error(a, b, where, workers, False)


def mse(a, b, *, where=True, workers=1):
    """
    Mean squared error: the mean of the squared differences of two arrays, correctly rounded.

    Parameters
    ----------
    a, b : array_like
        As for `sse`.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape that they have in common.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so
        on. It does not change a bit of the result.

    Returns
    -------
    float
        The float nearest to the exact mean of ``abs(a - b)**2``. NaN with a RuntimeWarning for
        no elements.

    Raises
    ------
    ValueError, TypeError
        If the shapes do not fit; as `sum` raises them.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> pycrust.mse(np.array([1, 2], np.uint8), np.array([255, 254], np.uint8))
    64010.0
    """
    return squared_error(a, b, where, workers, True)


# ---- pairs that come in pieces --------------------------------------------------

@cython.final
cdef class PairAccumulator:
    """PairAccumulator(x=None, y=None, /, *, where=True, workers=1)\n--\n
    The exact sums of two variables, of their squares and of their products, of data that come in pieces.

    Add arrays with `update`, and other accumulators with `merge` or ``+``: any cutting of the
    data, any order, and any tree of merges gives the same bits as `cov`, `corrcoef`, `mean`,
    `var` and `dot` of the whole. It pickles to few bytes, for files, processes and clusters.

    Parameters
    ----------
    x, y : array_like, optional
        What to `update` it with at once.
    where : array_like of bool, optional
        The pairs to include; must broadcast to the shape of `x` and `y`.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so on.

    Attributes
    ----------
    count : int
        How many pairs have been added.

    Notes
    -----
    Threads may share one: each `update` sums outside any lock, and adds its sums in one step.

    With complex numbers, each part of a result is correctly rounded. The covariance is that of x with the
    conjugate of y, as for `numpy.cov`; the products of `dot` have no conjugate.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> left = pycrust.PairAccumulator([1.0, 2.0], [2.5, 4.5])
    >>> total = left + pycrust.PairAccumulator([3.0, 4.0], [6.5, 8.5])
    >>> total.count, total.slope(), total.intercept()
    (4, 2.0, 0.5)
    >>> total.corr(), total.cov() == pycrust.cov([1, 2, 3, 4], [2.5, 4.5, 6.5, 8.5])[0, 1].item()
    (1.0, True)
    """
    cdef object sums        # a PairSums

    def __cinit__(self):
        self.sums = PairSums()

    def __init__(self, x=None, y=None, /, *, where=True, workers=1):
        if (x is None) != (y is None):
            raise TypeError("x and y come in pairs: pass both or none")
        if x is not None:
            self.update(x, y, where=where, workers=workers)

    def update(self, x, y, /, *, where=True, workers=1):
        """
        Add all pairs of two arrays.

        Parameters
        ----------
        x, y : array_like
            Numbers of any type that `sum` takes, in one shape.
        where : array_like of bool, optional
            The pairs to include; must broadcast to that shape.
        workers : int, optional
            Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so on.

        Raises
        ------
        TypeError, ValueError
            As `dot` does; the accumulator is left as it was.
        """
        cdef Accumulators of_x, of_y, of_xy, cross, each
        cdef uint64_t nonfinite, flags = 0
        cdef int k
        cdef size_t threads = count_workers(workers)
        if np.shape(x) != np.shape(y):
            raise ValueError(f"x and y come in pairs, but have shapes {np.shape(x)} and {np.shape(y)}")
        x, y, mask = same_shape(x, "x", y, "y", where)
        complexes = (x.dtype.kind == "c") | (y.dtype.kind == "c") << 1
        if x.dtype == object:
            axes = tuple(range(x.ndim))
            xx, total_x, count = moments_of_ints(x, mask, axes)
            yy, total_y, _ = moments_of_ints(y, mask, axes)
            _, xy, _ = moments_of_ints(x * y, mask, axes)
            added = int(count.item())
            sums = tuple([(int(total.item()), 0) for total in (total_x, total_y, xx, yy, xy)])
        else:
            of_x = summed(x, mask, PC_VAR, threads, False)
            of_y = summed(y, mask, PC_VAR, threads, False)
            of_xy = summed(x, mask, PC_DOT, threads, False, y, False)
            added = of_x.at.total.count
            sums = (
                exact_moment(&of_x.at.total, PC_NUMBERS), exact_moment(&of_y.at.total, PC_NUMBERS),
                exact_moment(&of_x.at.total, PC_SQUARES), exact_moment(&of_y.at.total, PC_SQUARES),
                exact_moment(&of_xy.at.total, PC_SQUARES))
            if complexes:
                cross = summed(y, mask, PC_DOT, threads, False, x)
                sums += (
                    exact_moment(&of_x.at.total, PC_IMAGINARY), exact_moment(&of_y.at.total, PC_IMAGINARY),
                    exact_moment(&cross.at.total, PC_SQUARES), exact_moment(&cross.at.total, PC_NUMBERS),
                    exact_moment(&of_xy.at.total, PC_NUMBERS))
            for k, each in enumerate((of_x, of_y, of_xy)):      # as FLAGGED has them
                nonfinite = pc_accumulator_nonfinite(&each.at.total)
                flags |= (nonfinite & 7) << 3 * k | nonfinite >> 3 << 3 * k + 9
        floats = not (is_integer(x) and is_integer(y)) and x.size > 0
        self.add(PairSums(added, flags, sums, floats or complexes > 0, complexes))

    def merge(self, other, /):
        """
        Add what another accumulator holds.

        Parameters
        ----------
        other : PairAccumulator
            It is left as it was.

        Raises
        ------
        TypeError
            For anything else: arrays are added by `update`.
        """
        if not isinstance(other, PairAccumulator):
            raise TypeError(f"merge takes a PairAccumulator, not {type(other).__name__}: arrays are added by update()")
        self.add((<PairAccumulator>other).current_sums())

    cdef object current_sums(self):
        """The sums as they are now."""
        with cython.critical_section(self):
            sums = self.sums
        return sums

    cdef int add(self, new) except -1:
        """Add other sums to those that are there, in one step: again if another thread was faster."""
        cdef bint done = False
        while not done:
            before = self.current_sums()
            total = before.merged(new)
            with cython.critical_section(self):
                done = self.sums is before
                if done:
                    self.sums = total
        return 0

    def __reduce__(self):
        return PairAccumulator, (), self.current_sums().as_state()

    def __setstate__(self, state):
        sums = PairSums.of_state(state)
        with cython.critical_section(self):
            self.sums = sums

    __array_ufunc__ = None      # NumPy leaves `array + accumulator` to __radd__

    cdef bint add_any(self, other) except -1:
        """Whether + knows what to do with it: add a PairAccumulator, or the 0 that sum() begins with."""
        if isinstance(other, PairAccumulator):
            self.merge(other)
            return True
        if isinstance(other, int) and other == 0:
            return True
        if hasattr(type(other), "__array__") or isinstance(other, (int, float, complex, list, tuple)):
            raise TypeError(f"+ adds PairAccumulators, not {type(other).__name__}: add numbers with update()")
        return False

    def __add__(self, other):
        cdef PairAccumulator made = PairAccumulator()
        made.merge(self)
        return made if made.add_any(other) else NotImplemented

    def __radd__(self, other):
        return self.__add__(other)

    def __iadd__(self, other):
        return self if self.add_any(other) else NotImplemented

    def __eq__(self, other):
        if not isinstance(other, PairAccumulator):
            return NotImplemented
        return self.__reduce__()[2] == other.__reduce__()[2]

    __hash__ = None

    def __repr__(self):
        return f"PairAccumulator(count={self.count})"

    @property
    def count(self):
        """int: How many pairs have been added."""
        return self.current_sums().count

    def dot(self):
        """
        Return the sum of the products.

        Returns
        -------
        int, float or complex
            The exact int as long as only integers were added, else the nearest float, or complex number if
            x or y is complex: no number is conjugated.
        """
        return self.current_sums().dot()

    def mean_x(self):
        """
        Return the mean of x.

        Returns
        -------
        float, or complex if x is
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        return self.current_sums().mean(0)

    def mean_y(self):
        """
        Return the mean of y.

        Returns
        -------
        float, or complex if y is
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        return self.current_sums().mean(1)

    def var_x(self, ddof=0):
        """
        Return the variance of x.

        Parameters
        ----------
        ddof : int, optional
            The divisor is the count minus this, 0 by default, as for `var`.

        Returns
        -------
        float
            Correctly rounded; NaN or an infinity with a RuntimeWarning if there are no more than `ddof` pairs.
        """
        return self.current_sums().covariance(0, 0, integer_of(ddof, "ddof"))

    def var_y(self, ddof=0):
        """
        Return the variance of y.

        Parameters
        ----------
        ddof : int, optional
            The divisor is the count minus this, 0 by default, as for `var`.

        Returns
        -------
        float
            Correctly rounded; NaN or an infinity with a RuntimeWarning if there are no more than `ddof` pairs.
        """
        return self.current_sums().covariance(1, 1, integer_of(ddof, "ddof"))

    def cov(self, ddof=1):
        """
        Return the covariance.

        Parameters
        ----------
        ddof : int, optional
            The divisor is the count minus this, 1 by default, as for `numpy.cov`.

        Returns
        -------
        float, or complex if x or y is
            Correctly rounded; NaN or an infinity with a RuntimeWarning if there are no more than `ddof` pairs.
        """
        return self.current_sums().covariance(0, 1, integer_of(ddof, "ddof"))

    def average(self):
        """
        Return the mean of x with the weights y.

        Returns
        -------
        float, or complex if x is
            The sum of the products divided by the sum of y, rounded once.

        Raises
        ------
        ZeroDivisionError
            If the sum of y is zero.
        TypeError
            If y is complex.
        """
        return self.current_sums().average()

    def corr(self):
        """
        Return Pearson's correlation coefficient.

        Returns
        -------
        float, or complex if x or y is
            Correctly rounded, from -1 to 1, as are both parts of a complex one; NaN with a RuntimeWarning if a
            variance is zero.
        """
        return self.current_sums().line("correlation")

    def slope(self):
        """
        Return the slope of the line of least squares, y = slope * x + intercept.

        Returns
        -------
        float, or complex if x or y is
            The covariance (of y with x) divided by the variance of x, rounded once; NaN with a RuntimeWarning if that
            is zero.
        """
        return self.current_sums().line("slope")

    def intercept(self):
        """
        Return the intercept of the line of least squares, y = slope * x + intercept.

        Returns
        -------
        float, or complex if x or y is
            From the exact slope, rounded once; NaN with a RuntimeWarning if the variance of x is zero.
        """
        return self.current_sums().line("intercept")


# Under which name it is pickled, for ever, and shown: not that of this module.
(<PyTypeObject *>PairAccumulator).tp_name = b"pycrust.PairAccumulator"
