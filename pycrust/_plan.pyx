"""
A reduction: what is asked for, how the work is cut into chunks, and what a C status means to the caller.

Check, convert, release the GIL, call C once, raise.
"""

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport NAN
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport UINT64_MAX, uint64_t

from pycrust._args cimport (
    changed,
    check_shape,
    describe_data,
    type_of,
)
from pycrust._bigint cimport exact_int, exact_moment, shown, shown_int, write_exact
from pycrust._threads cimport MIN_RELEASE_GIL, run_chunks
from pycrust.csrc cimport (
    PC_AVERAGE,
    PC_DOT,
    PC_EMPTY,
    PC_FLOAT64,
    PC_IMAGINARY,
    PC_INCONCLUSIVE,
    PC_MEAN,
    PC_MIN_SUMS,
    PC_NORM,
    PC_NO_WEIGHT,
    PC_NUMBERS,
    PC_OK,
    PC_RMS,
    PC_SQUARES,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_TILE,
    PC_TOO_LARGE,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_clear_bounded,
    pc_accumulator_merge,
    pc_accumulator_nonfinite,
    pc_accumulator_round,
    pc_accumulator_scale,
    pc_add_numbers,
    pc_add_tile,
    pc_array_arrange,
    pc_array_boundable,
    pc_array_outputs,
    pc_array_reduction_length,
    pc_array_tile,
    pc_axis,
    pc_moment,
    pc_output_spec,
    pc_reduce,
    pc_reduce_contiguous,
    pc_statistic,
    pc_status,
    pc_tile_sum,
    pc_type,
    pc_write_tile,
)

import operator
import warnings
from numbers import Real

import numpy as np

from pycrust._ratios import no_average

cnp.import_array()
import_core()


cdef enum:
    # The cost of an output, in elements, in addition to that of its elements.
    OUTPUT_COST = 32
    # The fewest outputs of a chunk: these are summed together about as fast as a whole tile.
    MIN_CHUNK_OUTPUTS = 16
    # The most fractional bits of a ddof in C: 2**48 numbers can be counted in units of 2**-16.
    MAX_DDOF_BITS = 16


# ---- what is asked for ------------------------------------------------------

_NAMES = {PC_SUMSQ: "sumsq", PC_NORM: "norm", PC_RMS: "rms", PC_SUM: "sum", PC_MEAN: "mean", PC_VAR: "var",
          PC_STD: "std", PC_DOT: "dot", PC_AVERAGE: "average"}


cdef pc_output_spec default_spec(pc_statistic statistic) noexcept:
    cdef pc_output_spec spec
    spec.statistic = statistic
    spec.type = PC_FLOAT64
    spec.components = 1
    spec.ddof = 0
    spec.ddof_bits = 0
    return spec


cdef bint is_variance(pc_statistic statistic) noexcept:
    return statistic == PC_VAR or statistic == PC_STD


cdef int warn_empty(pc_statistic statistic, bint skip_nan) except -1:
    """Warn of too few elements; if NaN is left out, in NumPy's words."""
    cdef bint spread = is_variance(statistic)
    if skip_nan:
        text = "Degrees of freedom <= 0 for slice." if spread else "Mean of empty slice"
    else:
        what = "no more elements than ddof is NaN or Inf" if spread else "no elements is NaN"
        text = f"{_NAMES[statistic]} of {what}"
    warnings.warn(text, RuntimeWarning, stacklevel=1)


cdef class Statistic:
    """A statistic, the type of its results, its ddof (of any size: see is_for_c), and whether NaN is left out."""

    def __cinit__(self, int statistic, ddof=None, bint skip_nan=False):
        self.c = default_spec(<pc_statistic>statistic)
        self.skip_nan = skip_nan
        if ddof is None:
            self.ddof = (0, 0)
            return
        self.ddof = exact_ddof(ddof)
        self.c.ddof = min(self.ddof[0], UINT64_MAX)
        self.c.ddof_bits = min(self.ddof[1], MAX_DDOF_BITS)

    cdef int set_dtype(self, dtype) except -1:
        self.c.type = <pc_type>type_of(dtype.num, &self.c.components)

    cdef bint is_for_c(self, uint64_t count) except -1:
        """Whether C takes this ddof for this count."""
        bits = self.ddof[1]
        return bits == 0 or (bits <= MAX_DDOF_BITS and count >> (64 - MAX_DDOF_BITS) == 0)

    cdef pc_status write(self, const pc_accumulator *acc, char *out) except *:
        """pc_accumulator_round of an exact sum, whatever ddof is."""
        if self.is_for_c(acc.count):
            return pc_accumulator_round(acc, &self.c, out)
        sums = (exact_moment(acc, PC_SQUARES), exact_moment(acc, PC_NUMBERS), exact_moment(acc, PC_IMAGINARY))
        return write_exact(&self.c, self.ddof, acc.count, sums, pc_accumulator_nonfinite(acc), out)


cdef object ddof_or_correction(ddof, correction):
    """ddof, whichever of its two names it was given by."""
    if correction is None:
        return ddof
    if ddof is not None:
        raise TypeError("ddof and correction are two names of one thing: pass one of them")
    return correction


cdef tuple exact_ddof(ddof):
    """(integer, bits): ddof is integer / 2**bits."""
    whole = hasattr(ddof, "__index__")
    try:
        number = operator.index(ddof) if whole else float(ddof) if isinstance(ddof, Real) else None
    except TypeError:                       # of an array that is not one integer
        number = None
    except OverflowError:                   # of a Fraction
        number = np.inf if ddof > 0 else -np.inf
    if number is None:
        raise TypeError(f"ddof must be one real number, not {type(ddof).__name__}")
    if not number >= 0:
        raise ValueError(f"ddof must not be negative or NaN, but is {shown(number if whole else ddof)}")
    if number == np.inf:
        return 2**64, 0                     # more than there can be elements
    if not whole and number != ddof:
        raise TypeError(f"ddof is a {type(ddof).__name__} that no float is equal to: pass float(ddof) if it may be rounded")
    integer, divisor = number.as_integer_ratio()
    return integer, divisor.bit_length() - 1


# ---- one job: an array, the axes to sum over, where the results go ----------

cdef size_t chunk_size(size_t total, size_t workers) noexcept:
    """How many of all elements a chunk has: with four chunks per worker, fast workers take more of them."""
    if workers == 1:
        return CHUNK
    return min(<size_t>CHUNK, max(<size_t>MIN_CHUNK, total // (4 * workers)))


cdef void clear_sum(pc_accumulator *acc, bint bounded, int statistic) noexcept:
    """Make it empty, exact or bounded."""
    if bounded:
        pc_accumulator_clear_bounded(acc, <pc_statistic>statistic)
    else:
        pc_accumulator_clear(acc, <pc_statistic>statistic)


cdef class Accumulators:
    """Accumulators, or working memory until they are cleared; C sets the outputs that they belong to."""

    def __cinit__(self, size_t count):
        self.at = <pc_tile_sum *>PyMem_Malloc(count * sizeof(pc_tile_sum))
        if self.at == NULL:
            raise MemoryError
        self.count = count

    cdef Accumulators clear(self, bint bounded, pc_statistic statistic):
        """Make all of them empty, exact or bounded."""
        cdef size_t k
        for k in range(self.count):
            clear_sum(&self.at[k].total, bounded, statistic)
        return self

    def __dealloc__(self):
        PyMem_Free(self.at)


cdef int reduce_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    """Write the results of `step` outputs; this worker's sums are working memory."""
    cdef const PlanJob *s = <const PlanJob *>job
    cdef WorkerStatus *worker_status = &s.statuses[worker]
    cdef size_t first = chunk * s.step
    cdef pc_status status = pc_reduce(&s.array, first, min(first + s.step, s.outputs), &s.spec, s.out,
                                      s.sums + worker * s.count)
    if status != PC_OK:
        worker_status.status = status
        worker_status.chunk = chunk
    return status == PC_TOO_LARGE


cdef int add_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    """Add `step` elements of each output of a tile to this worker's sums."""
    cdef const PlanJob *s = <const PlanJob *>job
    cdef size_t start = chunk * s.step
    pc_add_tile(&s.array, s.first, s.count, start, min(start + s.step, s.length), s.sums + worker * s.count)
    return 0


cdef pc_axis axis_of(array, mask, other, int k) noexcept:
    """What C must know of axis k; `mask` and `other` are None or of the same shape."""
    cdef pc_axis axis
    axis.length = <size_t>cnp.PyArray_DIM(array, k)
    axis.stride = cnp.PyArray_STRIDE(array, k)
    axis.mask_stride = 0 if mask is None else cnp.PyArray_STRIDE(mask, k)
    axis.other_stride = 0 if other is None else cnp.PyArray_STRIDE(other, k)
    axis.out_stride = 0
    return axis


cdef class Plan:
    """
    A reduction of an array, or of the products of two, cut into chunks that any thread may take.

    Many outputs: each chunk is a range of them, and C writes the results (`reduce`).
    Few outputs of many elements: tile by tile, each chunk is a range of the elements along
    the reduced axes, and gives sums that are merged (`sums`).
    """

    def __init__(self, array, mask, tuple axes, out, Statistic spec not None, size_t workers, other=None,
                 bint conjugate=False):
        """Sum over `axes`; `out` is contiguous, with the shape of the others; `mask` and `other` have that of `array`."""
        cdef int k, ndim = cnp.PyArray_NDIM(array), least = 0, at
        cdef uint64_t reduced = 0               # bit k: axis k is
        cdef int[2] position = [0, ndim - <int>len(axes)]       # of the next axis that is not, and that is
        cdef bint fits          # the shape of `out`
        cdef PlanJob *s = &self.job
        for k in axes:
            if not least <= k < ndim:
                raise ValueError(f"axes {axes} are not ascending ones of {ndim}")
            least = k + 1
            reduced |= <uint64_t>1 << k
        self.keepalive = (array, mask, out, other)
        self.spec = spec
        self.workers = workers
        describe_data(array, &s.array.type, &s.array.components, &s.array.swapped, &s.array.data)
        s.array.skip_nan = spec.skip_nan
        check_shape(mask, array)
        check_shape(other, array)
        if mask is not None:
            s.array.mask = <const char *>cnp.PyArray_DATA(mask)
        if other is not None:
            describe_data(other, &s.array.other.type, &s.array.other.components, &s.array.other.swapped,
                          &s.array.other.data)
            s.array.other.conjugate = conjugate
        s.array.kept_axes = position[1]
        s.array.reduced_axes = ndim - s.array.kept_axes
        s.array.repeat = 1
        fits = s.array.kept_axes == (0 if out is None else cnp.PyArray_NDIM(out))
        for k in range(ndim):
            at = position[reduced >> k & 1]
            s.array.axis[at] = axis_of(array, mask, other, k)
            if at < s.array.kept_axes and fits:
                fits = <size_t>cnp.PyArray_DIM(out, at) == s.array.axis[at].length
                s.array.axis[at].out_stride = cnp.PyArray_STRIDE(out, at)
            position[reduced >> k & 1] += 1
        if not fits:
            raise changed(f"results of shape {out.shape} are not those of shape {array.shape} without the axes {axes}")
        pc_array_arrange(&s.array)
        s.outputs = pc_array_outputs(&s.array)
        s.length = pc_array_reduction_length(&s.array)
        if out is not None and not cnp.PyArray_ISOBJECT(out):
            spec.set_dtype(out.dtype)
            s.out = <char *>cnp.PyArray_DATA(out)
        elif out is not None:
            self.objects = out.reshape(-1)
        s.spec = spec.c

    cdef double work(self, size_t outputs) noexcept:
        return <double>outputs * (self.job.length + 8)

    cdef bint is_of_columns(self) noexcept:
        """Whether the outputs, not the elements of each, lie side by side, in the order of memory."""
        cdef const pc_array *a = &self.job.array
        return (a.kept_axes and a.reduced_axes
                and abs(a.axis[a.kept_axes - 1].stride) < abs(a.axis[a.kept_axes + a.reduced_axes - 1].stride))

    cdef Accumulators sums(self, size_t first, bint bounded):
        """The sums of the tile at `first`."""
        cdef PlanJob *s = &self.job
        cdef size_t k, worker, chunks, workers
        s.first = first
        s.count = pc_array_tile(&s.array, first, s.outputs)
        s.step = chunk_size(s.count * s.length, self.workers) // s.count
        chunks = s.length // s.step + (s.length % s.step != 0)
        workers = min(self.workers, chunks) or <size_t>1
        cdef Accumulators sums = Accumulators(workers * s.count).clear(bounded, s.spec.statistic)
        s.sums = sums.at
        run_chunks(add_chunk, s, sizeof(s[0]), chunks, workers, self.work(s.count))
        pc_add_tile(&s.array, first, s.count, 0, 0, sums.at)       # sets the offsets, even if there were no chunks
        for k in range(s.count):
            for worker in range(1, workers):
                pc_accumulator_merge(&sums.at[k].total, &sums.at[worker * s.count + k].total)
            if s.array.repeat != 1:
                pc_accumulator_scale(&sums.at[k].total, s.array.repeat)
        sums.count = s.count
        return sums

    cdef pc_status run(self) except *:
        """Do all of the reduction. Returns a C status that is not PC_OK, if there is one."""
        cdef PlanJob *s = &self.job
        cdef pc_status status = PC_OK, done
        cdef Accumulators sums
        cdef size_t first = 0
        cdef bint for_c = s.out != NULL and self.spec.is_for_c(cnp.PyArray_SIZE(self.keepalive[0]))
        cdef bint bounded = for_c and pc_array_boundable(&s.array)
        if for_c and s.length <= <size_t>CHUNK // MIN_CHUNK_OUTPUTS:
            return self.reduce()
        while first < s.outputs:
            sums = self.sums(first, bounded)
            if for_c:
                done = pc_write_tile(sums.at, sums.count, &s.spec, s.out)
                if done == PC_INCONCLUSIVE:         # as in csrc/array/reduce.c, with workers within the tile
                    sums = self.sums(first, False)
                    done = pc_write_tile(sums.at, sums.count, &s.spec, s.out)
                if done == PC_TOO_LARGE:
                    self.too_large = first_too_large(sums.at, &s.spec)
                    return done
            else:
                done = self.write(sums)
            status = status if done == PC_OK else done
            first += sums.count
        return status

    cdef pc_status write(self, Accumulators sums) except *:
        """The results of a tile as Python ints, or of a ddof that C does not take."""
        cdef pc_status status = PC_OK, done
        cdef size_t k
        for k in range(sums.count):
            if self.job.out == NULL:
                self.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = exact_int(
                    &sums.at[k].total, moment_of(self.job.spec.statistic))
            else:
                done = self.spec.write(&sums.at[k].total, self.job.out + sums.at[k].offset)
                status = status if done == PC_OK else done
        return status

    cdef pc_status reduce(self) except *:
        """The same for many outputs: a chunk is a range of them."""
        cdef PlanJob *s = &self.job
        cdef pc_status status = PC_OK
        cdef size_t worker, chunks, workers, worst = 0
        s.step = chunk_size(s.outputs * s.length, self.workers) // (s.length + OUTPUT_COST) or <size_t>1
        if self.is_of_columns():        # narrow strips take up to three times as long to read from memory
            s.step = max(s.step, min(<size_t>PC_TILE, s.outputs // (2 * self.workers)))
        if s.step > 8:
            s.step -= s.step % 8        # columns are summed in eights
        chunks = s.outputs // s.step + (s.outputs % s.step != 0)
        workers = min(self.workers, chunks)
        s.count = max(<size_t>PC_MIN_SUMS, min(<size_t>PC_TILE, s.step, s.outputs))
        cdef Accumulators sums = Accumulators(workers * s.count)
        statuses = bytearray(workers * sizeof(WorkerStatus))
        s.sums = sums.at
        s.statuses = <WorkerStatus *>PyByteArray_AS_STRING(statuses)
        run_chunks(reduce_chunk, s, sizeof(s[0]), chunks, workers, self.work(s.outputs))
        for worker in range(workers):
            if s.statuses[worker].status == PC_OK:
                continue
            if status != PC_TOO_LARGE or (s.statuses[worker].status == PC_TOO_LARGE
                                          and s.statuses[worker].chunk < s.statuses[worst].chunk):
                status = s.statuses[worker].status
                worst = worker
        if status == PC_TOO_LARGE:      # the first of such chunks, for any number of workers
            self.too_large = first_too_large(sums.at + worst * s.count, &s.spec)
        return status


cdef pc_moment moment_of(pc_statistic statistic) noexcept:
    return PC_NUMBERS if statistic == PC_SUM or statistic == PC_MEAN else PC_SQUARES


cdef tuple first_too_large(const pc_tile_sum *sums, const pc_output_spec *spec):
    """The offset of the first of these sums that the type does not hold, and the sum itself."""
    cdef char word[8]
    while pc_accumulator_round(&sums.total, spec, word) == PC_OK:
        sums += 1
    return sums.offset, exact_int(&sums.total, moment_of(spec.statistic))


# ---- lists of Python ints beyond 64 bits ------------------------------------

cdef tuple moments_of_ints(array, mask, tuple axes):
    """
    The sums of the squares of Python ints along axes, the sums of the ints, and their counts: as Python adds.

    NumPy does not check for signals, so large arrays are split in halves.
    """
    cdef int axis
    array = np.asarray(array, dtype=object)     # the product of two arrays without axes is an int
    if array.size > 1 << 16:
        axis = max(range(array.ndim), key=array.shape.__getitem__)
        half = array.shape[axis] // 2
        halves = []
        for half_slice in (slice(half), slice(half, None)):
            half_slice = (slice(None),) * axis + (half_slice,)
            halves.append(moments_of_ints(array[half_slice], None if mask is None else mask[half_slice], axes))
        if axis in axes:
            return tuple([np.asarray(one + other, dtype=object) for one, other in zip(*halves)])
        axis -= len([each for each in axes if each < axis])
        return tuple([np.concatenate(pair, axis=axis) for pair in zip(*halves)])
    PyErr_CheckSignals()
    counted = np.ones(array.shape, dtype=object) if mask is None else mask.astype(object) + 0
    return tuple([
        # NumPy turns a result without axes into an int, which asarray would make an array of int64.
        np.asarray(np.sum(np.asarray(each * counted, dtype=object), axis=axes), dtype=object)
        for each in (array * array, array, 1)
    ])


# ---- all of an array --------------------------------------------------------

cdef bint is_contiguous(a, Contiguous *plain) noexcept:
    """Whether an array is contiguous, native, and too small to be cut into chunks; if so, sets *plain for C."""
    cdef int type
    if not cnp.PyArray_CheckExact(a):
        return False
    type = type_of(cnp.PyArray_TYPE(a), &plain.components)
    plain.type = <pc_type>type
    plain.size = cnp.PyArray_ITEMSIZE(a)
    plain.count = <size_t>cnp.PyArray_SIZE(a)
    plain.data = <const char *>cnp.PyArray_DATA(a)
    return (type >= 0 and plain.count < CHUNK and not cnp.PyArray_ISBYTESWAPPED(a)
            and (cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_IS_F_CONTIGUOUS(a)))


cdef void add_contiguous(const Contiguous *plain, pc_accumulator *acc, pc_statistic statistic) noexcept:
    """Set *acc to the exact sums that this statistic needs."""
    pc_accumulator_clear(acc, statistic)
    if plain.count < MIN_RELEASE_GIL:
        pc_add_numbers(acc, plain.type, plain.components, plain.data, plain.count)
    else:
        with nogil:
            pc_add_numbers(acc, plain.type, plain.components, plain.data, plain.count)


cdef object reduce_contiguous(const Contiguous *plain, bint integers, pc_output_spec spec, bint skip_nan):
    """The result for all of the numbers, or for those that are not NaN."""
    cdef pc_tile_sum sum
    cdef pc_status status
    cdef double[2] made
    cdef pc_statistic statistic = spec.statistic
    if integers and (statistic == PC_SUMSQ or statistic == PC_SUM):
        add_contiguous(plain, &sum.total, statistic)
        return exact_int(&sum.total, moment_of(statistic))
    if statistic == PC_SUM or statistic == PC_MEAN:
        spec.components = plain.components
    if plain.count < MIN_RELEASE_GIL:
        status = pc_reduce_contiguous(plain.type, plain.components, plain.data, plain.count, skip_nan, &spec, &sum,
                                      <char *>made)
    else:
        with nogil:
            status = pc_reduce_contiguous(plain.type, plain.components, plain.data, plain.count, skip_nan, &spec, &sum,
                                          <char *>made)
    if status == PC_EMPTY:
        warn_empty(statistic, skip_nan)
        if skip_nan and not integers and is_variance(statistic):      # as NumPy has it
            return NAN
    return made[0] if spec.components == 1 else complex(made[0], made[1])


cdef Accumulators add_all(array, mask, size_t workers, bint skip_nan):
    """Sum any array over all its axes, for any statistic."""
    cdef Plan plan = Plan(array, mask, tuple(range(array.ndim)), None, Statistic(PC_VAR, None, skip_nan), workers)
    return plan.sums(0, False)


# ---- along axes -------------------------------------------------------------

cdef int reduce_into(values, array, mask, tuple axes, size_t workers, Statistic spec, other=None,
                     bint conjugate=False) except -1:
    """Write the results to `values`; here a C status becomes an exception."""
    cdef Plan plan
    cdef pc_status status
    if cnp.PyArray_ISOBJECT(array):
        status = reduce_ints_into(values, array, mask, axes, spec)      # of two arrays: `array` is their product
    else:
        plan = Plan(array, mask, axes, values, spec, workers, other, conjugate)
        status = plan.run()
    if status == PC_EMPTY:
        warn_empty(spec.c.statistic, spec.skip_nan)
        if spec.skip_nan and is_variance(spec.c.statistic) and array.dtype.kind in "fc":
            put_nan(values, array, mask, axes, spec)
    elif status == PC_TOO_LARGE:
        offset, total = plan.too_large
        position = np.unravel_index(offset // values.itemsize, values.shape)
        raise_too_large(position, total, values.dtype, spec.c.statistic)
    elif status == PC_NO_WEIGHT:
        raise no_average()
    elif status != PC_OK:
        raise SystemError(f"pycrust: unknown C status {<int>status}")


cdef int put_nan(values, array, mask, tuple axes, Statistic spec) except -1:
    """Put NaN in the place of Inf where there are no more numbers than ddof, as NumPy's nanvar does; rare."""
    if not np.isinf(values).any():
        return 0
    counts = np.sum(~np.isnan(array), axis=axes, where=True if mask is None else mask)
    integer, bits = spec.ddof
    values[(counts.astype(object) << bits) <= integer] = np.nan


cdef pc_status reduce_ints_into(values, array, mask, tuple axes, Statistic spec) except *:
    """The same for Python ints."""
    cdef pc_status status = PC_OK, done
    cdef bint floats = values.dtype.kind == "f"
    cdef size_t k
    if floats:
        spec.set_dtype(values.dtype)
    squares, numbers, counts = moments_of_ints(array, mask, axes)
    totals = squares if spec.c.statistic == PC_SUMSQ else numbers
    for k, position in enumerate(np.ndindex(values.shape)):
        if floats:
            done = write_exact(&spec.c, spec.ddof, counts[position],
                               ((totals[position] if <int>spec.c.statistic == PC_DOT else squares[position], 0),
                                (numbers[position], 0), (0, 0)), 0,
                               <char *>cnp.PyArray_DATA(values) + k * <size_t>values.itemsize)
            status = status if done == PC_OK else done
        else:
            values[position] = checked_int(totals[position], values.dtype, position, spec.c.statistic)
    return status


cdef bint holds(dtype, total) except -1:
    """Whether an integer dtype, or object, holds a sum."""
    return dtype == object or np.iinfo(dtype).min <= total <= np.iinfo(dtype).max


cdef object checked_int(total, dtype, position, pc_statistic statistic):
    """An exact sum, if the dtype holds it."""
    if not holds(dtype, total):
        raise_too_large(position, total, dtype, statistic)
    return total


cdef int raise_too_large(position, total, dtype, pc_statistic statistic) except -1:
    """`position`: indexes along the axes kept, or a phrase."""
    if type(position) is not str:
        position = tuple([int(k) for k in position])
        position = f"at {position} along the axes kept " if position else ""
    wider = "" if dtype != np.int64 or not 0 <= total < 2**64 else (
        "dtype=np.uint64, " if statistic == PC_SUMSQ else "dtype=np.uint64 (if no sum is negative), ")
    raise OverflowError(
        f"the sum {'of squares ' if statistic == PC_SUMSQ else 'of products ' if <int>statistic == PC_DOT else ''}"
        f"{position}is {shown_int(total)}, which does not fit {dtype}; "
        f"use {wider}dtype=object (exact) or dtype=np.float64 (rounded)"
    )
