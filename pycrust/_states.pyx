"""
Many exact states: their memory, additions by label, results.

C allocates nothing: if it needs one more accumulator than the pool has, it stops, and goes on with a larger pool.
"""

cimport numpy as cnp
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t
from libc.string cimport memcpy

from pycrust._args cimport array_and_missing, changed, check_shape, describe_data, is_taken
from pycrust._bigint cimport centered_square_sum, exact_int, exact_moment, import_int, lowest_terms, shown_int
from pycrust._plan cimport (
    Accumulators,
    Plan,
    Statistic,
    is_variance,
    moment_of,
    raise_too_large,
    warn_empty,
)
from pycrust._threads cimport run_chunks
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_MAX_AXES,
    PC_NO_LABEL,
    PC_NO_ROOM,
    PC_OK,
    PC_STATE_BOTH,
    PC_STATE_COMPLEX,
    PC_STATE_NUMBERS,
    PC_TOO_LARGE,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_clear,
    pc_axis,
    pc_labelled,
    pc_merge_axes,
    pc_moment,
    pc_output_spec,
    pc_state,
    pc_states,
    pc_states_add,
    pc_states_add_labelled,
    pc_states_add_tile,
    pc_states_get,
    pc_states_merge,
    pc_states_normalize,
    pc_states_round,
    pc_status,
)

import math

import numpy as np

cnp.import_array()
import_core()

cdef enum:
    # Elements with labels in a chunk, and results in a chunk: a millisecond or more.
    LABEL_CHUNK = 1 << 18
    RESULT_CHUNK = 1 << 12
    # A result takes as long as so many elements.
    RESULT_COST = 256
    # The fewest elements per state and thread: with fewer, merging the threads' states takes longer than threads save.
    ELEMENTS_PER_STATE = 8
    # States between two checks for signals: some 50 ms, if no sum fits its words.
    STATES_PER_SIGNAL_CHECK = 1 << 12
    # The fewest elements in each sum for which the block kernels pay.
    MIN_BLOCK_SUM = 16


cdef size_t state_size(bint squares, bint complexes) noexcept:
    return PC_STATE_COMPLEX if complexes else PC_STATE_BOTH if squares else PC_STATE_NUMBERS


# ---- jobs -----------------------------------------------------------------------

# What the threads see. A chunk may stop before its end, and is then resumed by any thread.
cdef struct LabelJob:
    pc_labelled array
    pc_states *states       # one for each worker
    pc_status *statuses     # one for each worker
    size_t *done            # of each chunk: the element to go on with
    size_t step, total


cdef int add_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const LabelJob *s = <const LabelJob *>job
    cdef size_t stop = min((chunk + 1) * s.step, s.total)
    if s.done[chunk] < stop:
        s.statuses[worker] = pc_states_add_labelled(&s.states[worker], &s.array, &s.done[chunk], stop)
    return s.statuses[worker] != PC_OK


cdef struct RoundJob:
    const pc_states *states
    pc_output_spec spec
    char *out
    size_t size             # of a result, in bytes
    pc_status *statuses     # of each chunk
    size_t *done            # of each chunk


cdef int round_chunk(const void *job, size_t chunk, size_t worker) noexcept nogil:
    cdef const RoundJob *s = <const RoundJob *>job
    cdef size_t first = chunk * RESULT_CHUNK
    s.statuses[chunk] = pc_states_round(s.states, first, min(first + RESULT_CHUNK, s.states.count), &s.spec,
                                        s.out + first * s.size, &s.done[chunk])
    return s.statuses[chunk] == PC_TOO_LARGE


# ---- states ---------------------------------------------------------------------

cdef class States:
    """Exact states, empty at first, for each position of a shape."""

    def __cinit__(self, tuple shape, size_t size):
        count = 1
        for length in shape:
            count *= length
        if count >= 2**48:
            raise MemoryError(f"{shown_int(count)} states of {size} bytes each")
        self.shape = shape
        self.c.size = size
        self.c.count = count
        self.c.at = <char *>PyMem_RawCalloc(self.c.count + 1, size)     # one more: C may prefetch it
        if self.c.at == NULL:
            raise MemoryError(f"{shown_int(count)} states of {size} bytes each")

    def __dealloc__(self):
        PyMem_RawFree(self.c.at)
        PyMem_RawFree(self.c.pool)

    cdef int make_room(self, size_t more) except -1:
        """Enlarge the pool for `more` accumulators beyond those in use."""
        cdef size_t size = self.c.pool_used + more
        if size <= self.c.pool_size:
            return 0
        if size > UINT32_MAX:
            raise MemoryError(f"{size} accumulators of {sizeof(pc_accumulator)} bytes each")
        cdef void *pool = PyMem_RawRealloc(self.c.pool, size * sizeof(pc_accumulator))
        if pool == NULL:
            raise MemoryError(f"{size} accumulators of {sizeof(pc_accumulator)} bytes each")
        self.c.pool = <pc_accumulator *>pool
        self.c.pool_size = size

    cdef States copy(self, size_t size):
        """A copy, with at least `size` bytes for each state."""
        cdef States copy = States(self.shape, max(size, self.c.size))
        cdef size_t k
        if copy.c.size == self.c.size:
            memcpy(copy.c.at, self.c.at, self.c.count * self.c.size)
        else:
            for k in range(self.c.count):
                memcpy(copy.c.at + k * copy.c.size, self.c.at + k * self.c.size, self.c.size)
        copy.make_room(self.c.pool_used)
        if self.c.pool_used:
            memcpy(copy.c.pool, self.c.pool, self.c.pool_used * sizeof(pc_accumulator))
        copy.c.pool_used = self.c.pool_used
        return copy

    cdef bint is_empty(self) noexcept:
        """Whether nothing has been added."""
        cdef size_t k
        for k in range(self.c.count):
            if (<pc_state *>(self.c.at + k * self.c.size)).count:
                return False
        return True

    cdef States select(self, at):
        """The states at an array of indexes."""
        cdef States some = States(at.shape, self.c.size)
        cdef pc_state *state
        cdef size_t k
        for k, index in enumerate(at.reshape(-1).tolist()):
            state = <pc_state *>(some.c.at + k * some.c.size)
            memcpy(state, self.c.at + <size_t>index * self.c.size, self.c.size)
            if state.pool:
                if some.c.pool_used == some.c.pool_size:
                    some.grow()
                some.c.pool[some.c.pool_used] = self.c.pool[state.pool - 1]
                some.c.pool_used += 1
                state.pool = <uint32_t>some.c.pool_used
        return some

    cdef int get(self, size_t index, pc_accumulator *acc) except -1:
        pc_states_get(&self.c, index, acc)

    cdef int add(self, size_t index, const pc_accumulator *acc) except -1:
        cdef pc_status status = pc_states_add(&self.c, index, acc)
        if status == PC_NO_ROOM:
            self.grow()
            status = pc_states_add(&self.c, index, acc)
        if status == PC_TOO_LARGE:
            raise too_many()

    cdef int grow(self) except -1:
        self.make_room(min(self.c.count, self.c.pool_size // 2 + 16))

    cdef int merge(self, States other) except -1:
        """Add the states of the same shape; half done after an exception."""
        cdef size_t done = 0, count = self.c.count
        cdef pc_status status
        while done < count:
            self.c.count = min(done + STATES_PER_SIGNAL_CHECK, count)
            with nogil:
                status = pc_states_merge(&self.c, &other.c, &done)
            self.c.count = count
            if status == PC_TOO_LARGE:
                raise too_many()
            if status == PC_NO_ROOM:
                self.grow()
            PyErr_CheckSignals()

    cdef int add_along(self, array, mask, tuple axes, bint skip_nan, size_t workers) except -1:
        """Add numbers along `axes`; the other axes are those of the states. Half done after an exception."""
        cdef Plan plan
        cdef Accumulators sums
        cdef size_t first = 0, done
        cdef pc_status status
        length = 1
        for k in axes:
            length *= array.shape[k]
        if length < MIN_BLOCK_SUM:
            labels = np.broadcast_to(np.int8(0), [array.shape[k] for k in axes])
            self.add_labelled(array, mask, labels, axes, 1, skip_nan, workers, False)
            return 0
        # The output array is never written to: with itemsize 1, its strides make each offset the index of a state.
        plan = Plan(array, mask, axes, np.empty(self.shape, np.uint8), Statistic(PC_VAR, None, skip_nan), workers)
        while first < plan.job.outputs:
            sums = plan.sums(first, False)
            first += sums.count
            done = 0
            status = PC_NO_ROOM
            while status == PC_NO_ROOM:
                with nogil:
                    status = pc_states_add_tile(&self.c, sums.at, sums.count, &done)
                if status == PC_TOO_LARGE:
                    raise too_many()
                if status == PC_NO_ROOM:
                    self.grow()

    cdef tuple dump(self):
        """The states as bytes, and the sums in the pool: the same for all states that are equal."""
        cdef States copy = self.copy(0)
        cdef pc_state *state
        cdef size_t k
        with nogil:
            pc_states_normalize(&copy.c)
        rest = []
        for k in range(copy.c.count):
            if k % STATES_PER_SIGNAL_CHECK == 0:
                PyErr_CheckSignals()
            state = <pc_state *>(copy.c.at + k * copy.c.size)
            if state.pool:
                rest.append(tuple([lowest_terms(exact_moment(&copy.c.pool[state.pool - 1], <pc_moment>moment))
                                   for moment in range(3)]))
                state.pool = 1
        data = np.frombuffer(PyBytes_FromStringAndSize(copy.c.at, copy.c.count * copy.c.size), layout(copy.c.size, "="))
        return data.astype(layout(copy.c.size, "<")).tobytes(), tuple(rest)

    cdef int add_labelled(self, array, mask, labels, tuple axes, size_t label_count, bint skip_nan,
                          size_t workers, bint labelled=True, bint grouped=False) except -1:
        """
        Add numbers by the labels along `axes`; half done after an exception.

        If `labelled`, the shape of the states has an axis of labels in the place of the first of `axes`; if
        `grouped`, the caller knows its length as num_labels.
        """
        cdef LabelJob job
        cdef int components
        cdef size_t chunks, worker
        cdef bint again = True
        cdef States own
        describe_data(array, &job.array.type, &job.array.components, &job.array.swapped, &job.array.data)
        job.array.skip_nan = skip_nan
        job.array.mask = NULL
        if mask is not None:
            job.array.mask = <const char *>cnp.PyArray_DATA(mask)
        describe_data(labels, &job.array.label_type, &components, &job.array.labels_swapped, &job.array.labels)
        job.array.label_count = label_count
        job.total = cnp.PyArray_SIZE(array)
        if job.total == 0:
            return 0
        describe_axes(&job.array, array, mask, labels, axes, self.shape, labelled)
        job.step = LABEL_CHUNK
        if workers > 1:
            job.step = min(job.step, max(<size_t>1 << 14, job.total // (4 * workers)))
        chunks = job.total // job.step + (job.total % job.step != 0)
        workers = min(workers, chunks, 1 + job.total // (ELEMENTS_PER_STATE * (self.c.count + 1)))
        others = [States(self.shape, self.c.size) for worker in range(1, workers)]
        each = [self, *others]
        if job.array.components == 2:
            for own in each:
                own.make_room(1)
        states = bytearray(workers * sizeof(pc_states))
        statuses = bytearray(workers * sizeof(pc_status))
        done = np.arange(chunks, dtype=np.uintp) * job.step
        job.states = <pc_states *>PyByteArray_AS_STRING(states)
        job.statuses = <pc_status *>PyByteArray_AS_STRING(statuses)
        job.done = <size_t *>cnp.PyArray_DATA(done)
        while again:
            again = False
            for worker in range(workers):
                job.states[worker] = (<States>each[worker]).c
                job.statuses[worker] = PC_OK
            run_chunks(add_chunk, &job, sizeof(job), chunks, workers, job.total)
            for worker in range(workers):
                own = each[worker]
                own.c = job.states[worker]
                if job.statuses[worker] == PC_NO_LABEL:
                    limit = (f"num_labels is {label_count}" if grouped else
                             f"axis {axes[0]} of this Accumulator has length {label_count}")
                    raise no_label(array, mask, skip_nan, labels, axes, label_count, limit)
                if job.statuses[worker] == PC_TOO_LARGE:
                    raise too_many()
                if job.statuses[worker] == PC_NO_ROOM:
                    own.grow()
                    again = True
        for own in others:
            self.merge(own)

    cdef object results(self, Statistic spec, dtype, bint integers, tuple label_axes, size_t workers):
        """
        The results of all states, each rounded once, as an array of this dtype.

        `integers`: the sums are of integers alone. `label_axes` is (axis,), if positions along it are labels, or ().
        """
        cdef RoundJob job
        cdef pc_accumulator acc
        cdef pc_status status = PC_OK
        cdef size_t chunk, chunks, k
        cdef uint64_t most = 0
        values = np.empty(self.shape, dtype=dtype)
        if values.dtype == object:
            flat = values.reshape(-1)
            for k in range(self.c.count):
                pc_states_get(&self.c, k, &acc)
                flat[k] = exact_int(&acc, moment_of(spec.c.statistic))
            return values
        spec.set_dtype(values.dtype)
        for k in range(self.c.count):
            most = max(most, (<pc_state *>(self.c.at + k * self.c.size)).count)
        if not spec.is_for_c(most):
            for k in range(self.c.count):
                pc_states_get(&self.c, k, &acc)
                if spec.write(&acc, <char *>cnp.PyArray_DATA(values) + k * <size_t>values.itemsize) == PC_EMPTY:
                    status = PC_EMPTY
        else:
            chunks = self.c.count // RESULT_CHUNK + (self.c.count % RESULT_CHUNK != 0)
            statuses = np.zeros(chunks, dtype=np.intc)
            done = np.zeros(chunks, dtype=np.uintp)
            job.states = &self.c
            job.spec = spec.c
            job.out = <char *>cnp.PyArray_DATA(values)
            job.size = values.itemsize
            job.statuses = <pc_status *>cnp.PyArray_DATA(statuses)
            job.done = <size_t *>cnp.PyArray_DATA(done)
            run_chunks(round_chunk, &job, sizeof(job), chunks, min(workers, chunks) or <size_t>1,
                       <double>self.c.count * RESULT_COST)
            for chunk in range(chunks):
                if job.statuses[chunk] == PC_TOO_LARGE:
                    pc_states_get(&self.c, job.done[chunk], &acc)
                    raise_too_large(shown_position(np.unravel_index(job.done[chunk], self.shape), label_axes),
                                    exact_int(&acc, moment_of(spec.c.statistic)), values.dtype, spec.c.statistic)
                if job.statuses[chunk] == PC_EMPTY:
                    status = PC_EMPTY
        if status == PC_EMPTY:
            warn_empty(spec.c.statistic, spec.skip_nan)
            if spec.skip_nan and not integers and is_variance(spec.c.statistic) and np.isinf(values).any():
                integer, bits = spec.ddof
                values[(self.counts().astype(object) << bits) <= integer] = np.nan
        return values

    cdef object counts(self):
        """As int64; as uint64 if one is beyond that."""
        cdef size_t k
        counts = np.empty(self.shape, dtype=np.int64)
        for k in range(self.c.count):
            (<uint64_t *>cnp.PyArray_DATA(counts))[k] = (<pc_state *>(self.c.at + k * self.c.size)).count
        return counts.view(np.uint64) if (counts < 0).any() else counts


cdef object too_many():
    return OverflowError("an Accumulator counts at most 2**64 - 1 elements; this one is left as it was")


cdef object layout(size_t size, str order):
    """A pc_state as a dtype."""
    return _LAYOUTS[order][size == PC_STATE_COMPLEX]


_FIELDS = [("count", "u8"), ("exponent", "i2"), ("flags", "u2"), ("pool", "u4"), ("numbers", "u8", 3),
           ("squares", "u8", 4), ("imaginary", "u8", 3)]

# Without and with imaginary sums. Made beforehand: where NumPy finds no memory for a dtype, it may say that the fields are wrong.
_LAYOUTS = {order: [np.dtype([(name, order + type, *more) for name, type, *more in fields])
                    for fields in (_FIELDS[:6], _FIELDS)] for order in "<="}


cdef States load_states(tuple shape, bint complexes, bint integers, data, tuple rest):
    """States from what dump() gave, which may be damaged or forged: then a ValueError."""
    cdef pc_accumulator acc
    cdef pc_state *state
    cdef size_t k, moment, size = state_size(True, complexes)
    if type(data) is not bytes or len(data) != math.prod(shape) * size:
        raise ValueError(f"there are not {size} bytes for each of {math.prod(shape)} states")
    cdef States made = States(shape, size)
    some = np.frombuffer(data, layout(made.c.size, "<"))
    if ((some["exponent"] < -1074) | (some["exponent"] > 909) | (some["flags"] >= (64 if complexes else 8))
            | (some["pool"] > 1) | (some["squares"][:, 3] >> np.uint64(63) != 0)).any():
        raise ValueError("a number is out of range")
    if integers and ((some["exponent"] < 0) | (some["flags"] != 0)).any():
        raise ValueError("the sums are not those of integers")
    sums = [name for name in ("numbers", "squares", "imaginary") if name in some.dtype.names]
    if any([some[name][some["count"] == 0].any() for name in (*sums, "flags", "pool")]):
        raise ValueError("there are sums of no elements")
    if np.count_nonzero(some["pool"]) != len(rest):
        raise ValueError(f"there are sums beside {len(rest)} states, not {np.count_nonzero(some['pool'])}")
    # By the Cauchy-Schwarz inequality, up to the roundings here; and every float is below 2**1024.
    squares, numbers = value_of(some["squares"]), np.hypot(*[
        value_of(some[name]) if name in sums else 0.0 for name in ("numbers", "imaginary")])
    counts, exponents = some["count"].astype(float), some["exponent"].astype(float)
    bits, more = np.log2(np.maximum(squares, 1)) / 2, np.log2(np.maximum(counts, 1)) / 2
    if ((numbers * (1 - 1e-9) > np.sqrt(counts) * np.sqrt(squares))
            | (bits + exponents > 1024 + more + 0.5 * complexes + 1e-9)).any():
        raise ValueError("no numbers have these sums")
    memcpy(made.c.at, cnp.PyArray_DATA(some.astype(layout(made.c.size, "="))), made.c.count * made.c.size)
    made.make_room(len(rest))
    for k in range(made.c.count):
        if k % STATES_PER_SIGNAL_CHECK == 0:
            PyErr_CheckSignals()
        state = <pc_state *>(made.c.at + k * made.c.size)
        if state.pool:
            pc_accumulator_clear(&made.c.pool[made.c.pool_used], PC_VAR)
            for moment, (integer, exponent) in enumerate(rest[made.c.pool_used]):
                if (integers and exponent < 0) or import_int(&made.c.pool[made.c.pool_used], <pc_moment>moment, integer,
                                                             exponent) != PC_OK:
                    raise ValueError(f"{shown_int(integer)} * 2**{exponent} is not a sum of such numbers, nor of their "
                                     "squares")
            made.c.pool_used += 1
            state.pool = <uint32_t>made.c.pool_used
            pc_states_get(&made.c, k, &acc)
            sums = tuple([exact_moment(&acc, <pc_moment>moment) for moment in range(3)])
            if sums[0][0] < 0 or centered_square_sum(acc.count, sums)[0] < 0 or (sums[2][0] and not complexes):
                raise ValueError("no numbers have these sums")
    return made


cdef object value_of(words):
    """The approximate absolute values of integers in two's complement."""
    negative = words[:, -1] >> np.uint64(63) != 0
    value = np.zeros(len(words))
    for k in range(words.shape[1] - 1, -1, -1):
        value = value * 2.0**64 + np.where(negative, ~words[:, k], words[:, k]).astype(float)
    return value + negative


cdef object shown_position(position, tuple label_axes):
    if not label_axes:
        return position
    (axis,) = label_axes
    label = int(position[axis])
    if len(position) == 1:
        return f"of label {label} "
    return f"at {tuple([int(k) for k in position])}, where axis {axis} has the labels, "


# ---- labels -----------------------------------------------------------------------

cdef object labels_of(labels):
    """labels= as an array of integers, with -1 for missing ones."""
    array, missing = array_and_missing(labels, "labels")
    if array.size == 0 and array.dtype == np.float64 and isinstance(labels, (list, tuple)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or not is_taken(array):
        ways = {
            "b": "pass np.asarray(labels).astype(np.int8) for the groups 0 and 1",
            "f": "pass np.asarray(labels).astype(np.int64), with -1 in the place of NaN",
            "O": "pass labels, names = pandas.factorize(labels)" if array.ndim else "pass one for each element",
        }
        raise TypeError(f"labels must be integers from 0 on, not {array.dtype}: "
                        + ways.get(array.dtype.kind, "pass names, labels = np.unique(labels, return_inverse=True)"))
    if missing is not None:
        array = np.where(missing.at, np.int64(-1), np.minimum(array, np.iinfo(np.int64).max).astype(np.int64))
    return array


cdef tuple labelled_shape(tuple shape, tuple axes, labels, size_t label_count, str name="values"):
    """The shape of the results, with the labels in the place of the first of `axes`, and the number of that axis."""
    if labels.shape != tuple([shape[k] for k in axes]):
        hint = "; for one label an element pass axis=None" if labels.shape == shape else ""
        raise ValueError(f"labels has shape {labels.shape}, but {name} has shape {shape}, "
                         f"{tuple([shape[k] for k in axes])} along the axes of the labels{hint}")
    if not axes:
        raise ValueError(f"{name} has no axis along which there could be labels")
    return (tuple([label_count if k == axes[0] else length for k, length in enumerate(shape)
                   if k == axes[0] or k not in axes]), axes[0])


cdef int describe_axes(pc_labelled *a, array, mask, labels, tuple axes, tuple results, bint labelled) except -1:
    """Describe the axes of `array` to C, the longest stride first, merged where that is possible."""
    cdef pc_axis axis
    cdef int k, position = 0
    cdef size_t step = 1, part
    steps = []
    for length in results[::-1]:
        steps.insert(0, step)
        step *= <size_t>length
    described = []
    a.label_step = 0
    check_shape(mask, array)
    for k, length in enumerate(array.shape):
        stride, mask_stride = array.strides[k], 0 if mask is None else mask.strides[k]
        if k in axes:
            along = axes.index(k)
            expected = labels.shape[along]
            described.append((length, stride, mask_stride, labels.strides[along], 0))
            if labelled and k == axes[0]:
                a.label_step = steps[position]
                position += 1
        else:
            expected = results[position]
            described.append((length, stride, mask_stride, 0, steps[position]))
            position += 1
        if length != expected:
            raise changed(f"axis {k} of shape {array.shape} should have the length {expected}")
    described.sort(key=stride_size, reverse=True)
    for k, (axis.length, axis.stride, axis.mask_stride, axis.other_stride, axis.out_stride) in enumerate(described):
        a.axis[k] = axis
    a.axes = pc_merge_axes(a.axis, <int>len(described))
    # Many adjacent states that get several numbers each: part by part, so that the states of a part stay in the cache.
    if not 1 < a.axes < PC_MAX_AXES or a.axis[a.axes - 1].out_stride == 0:
        return 0
    axis = a.axis[a.axes - 1]
    part = largest_divisor(axis.length)
    if part and any([step == 0 for _, _, _, _, step in described]):
        a.axis[a.axes - 1].length = part
        for k in range(a.axes, 0, -1):
            a.axis[k] = a.axis[k - 1]
        a.axis[0].length = axis.length // part
        a.axis[0].stride = axis.stride * <ptrdiff_t>part
        a.axis[0].mask_stride = axis.mask_stride * <ptrdiff_t>part
        a.axis[0].other_stride = 0
        a.axis[0].out_stride = axis.out_stride * <ptrdiff_t>part
        a.axes += 1


def stride_size(axis):
    return abs(axis[1])


cdef size_t largest_divisor(size_t length) noexcept:
    """The largest divisor from 64 to 256 of a length of 512 or more; 0 if there is none, or the length is less."""
    cdef size_t k
    if length >= 512:
        for k in range(256, 63, -1):
            if length % k == 0:
                return k
    return 0


cdef object no_label(array, mask, bint skip_nan, labels, tuple axes, size_t label_count, str limit):
    """The error for the first label that is too large, and of any element that is not left out."""
    included = np.broadcast_to(True if mask is None else mask, array.shape)
    if skip_nan and array.dtype.kind in "fc":
        included = included & ~np.isnan(array)
    at = (labels >= label_count) & included.any(axis=tuple([k for k in range(array.ndim) if k not in axes]))
    if not at.any():
        return RuntimeError("labels were written to by another thread meanwhile")
    position = np.unravel_index(int(np.argmax(at)), at.shape)
    shown = ", ".join([str(int(k)) for k in position])
    return IndexError(f"labels[{shown}] is {int(labels[position])}, but {limit}: labels must be less, or "
                      "negative to leave out an element")
