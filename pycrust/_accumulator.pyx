"""The exact sums of data that come in pieces."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from libc.stddef cimport ptrdiff_t

from pycrust._args cimport array_and_missing, axes_of, axis_of_ints, data_of, in_order, is_integer, mask_of
from pycrust._bigint cimport (
    centered_square_sum,
    exact_int,
    exact_moment,
    import_int,
    lowest_terms,
    shown,
    shown_int,
    write_exact,
)
from pycrust._plan cimport (
    Accumulators,
    Contiguous,
    Plan,
    Statistic,
    add_all,
    add_contiguous,
    checked_int,
    is_contiguous,
    is_variance,
    moment_of,
    ddof_or_correction,
    moments_of_ints,
    warn_empty,
)
from pycrust._states cimport States, labelled_shape, labels_of, load_states, state_size, too_many
from pycrust._threads cimport count_workers
from pycrust.csrc cimport (
    PC_EMPTY,
    PC_FLOAT64,
    PC_MAX_AXES,
    PC_MEAN,
    PC_NONFINITE_BITS,
    PC_NORM,
    PC_NUMBERS,
    PC_OK,
    PC_RMS,
    PC_SQUARES,
    PC_STD,
    PC_SUM,
    PC_SUMSQ,
    PC_TOO_LARGE,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_add_nonfinite,
    pc_accumulator_clear,
    pc_accumulator_merge,
    pc_accumulator_nonfinite,
    pc_moment,
    pc_statistic,
    pc_status,
)

from operator import index
from reprlib import repr as short_repr

import numpy as np

from pycrust._plan import _NAMES

cnp.import_array()
import_core()

cdef enum:
    # Integers of so many bits, 2**64 of them, and their squares fit the limbs of an accumulator, as doubles do.
    MAX_INT_BITS = 1024

cdef enum Kind:
    INTEGERS
    FLOATS
    COMPLEX

_KINDS = ("int", "float", "complex")


cdef Kind kind_of(array):
    return INTEGERS if is_integer(array) else COMPLEX if cnp.PyArray_ISCOMPLEX(array) else FLOATS


cdef tuple sum_of(tuple x, tuple y):
    """The sums of two triples of integers; None stands for zeros."""
    if x is None or y is None:
        return x or y
    return x[0] + y[0], x[1] + y[1], x[2] + y[2]


cdef object reshaped(tuple before, States now):
    """The error if an Accumulator no longer has the shape that something was summed for."""
    return RuntimeError(f"other code gave this Accumulator, of shape {before}, the shape "
                        f"{() if now is None else now.shape} during the call: nothing was added to it")


@cython.final
cdef class Accumulator:
    """Accumulator(a=None, /, *, shape=(), where=True, workers=1)\n--\n
    Exact sums of data that come in pieces, and of their squares; with `shape`, those of each position of an array.

    Add arrays with `update`, and other accumulators with `merge` or ``+``. This is
    exact: any way to cut the data, any order, and any tree of merges gives the same
    bits as `sum`, `mean`, `var`, `std`, `sumsq`, `norm` and `rms` of the
    whole. It takes some 1300 bytes whatever it holds, and its pickle is smaller, so it
    serves files larger than memory, processes and clusters. With `shape` it holds
    the sums of each position (feature, grid point, group) in some 72 bytes, and
    all results are arrays of that shape: float64, complex128, or for `sum` and `sumsq` of
    integers Python ints of any size, in an array of dtype object.

    Parameters
    ----------
    a : array_like, optional
        What to `update` it with at once.
    shape : int or tuple of int, optional
        One state for each position of this shape; () by default, for a single state.
    where : array_like of bool, optional
        The elements to include; must broadcast to the shape of `a`.
    workers : int, optional
        Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so on.

    Attributes
    ----------
    count : int or ndarray
        How many elements have been added (a complex number is one).
    shape : tuple of int
        The shape it was made with.

    Notes
    -----
    Threads may share an accumulator: each `update` sums outside any lock, and adds its
    sums in one step.

    A pickle holds the name of this class and a dict: version 1, the count, the sums
    as integers times powers of two, whether they are of integers alone, of floats
    or of complex numbers, and which of Inf and NaN there were; with a shape: version 2,
    the shape, and the states as bytes. A damaged or forged one raises ValueError. Only
    lists of ints above 2**1024 make it larger.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> left, right = pycrust.Accumulator(), pycrust.Accumulator()
    >>> left.update(np.arange(500))
    >>> right.update(np.arange(500, 1000))
    >>> total = left + right
    >>> total.count, total.sumsq()
    (1000, 332833500)
    >>> total.rms() == pycrust.rms(np.arange(1000)), total.mean(), total.var()
    (True, 499.5, 83333.25)

    A state for each feature:

    >>> each = pycrust.Accumulator(shape=(3,))
    >>> each.update([[1.0, 5.0, 0.1], [3.0, 5.0, 0.2]], axis=0)
    >>> each.update([2.0, 8.0, 0.3])
    >>> each.mean(), each.count
    (array([2. , 6. , 0.2]), array([3, 3, 3]))
    >>> each[1].var()
    2.0
    """
    cdef pc_accumulator acc
    cdef Kind kind          # the widest of what was added
    cdef tuple excess       # what of the three sums does not fit acc: integers; or None
    cdef States many        # with a shape, in the place of acc: never changed, but replaced; else None

    def __cinit__(self):
        pc_accumulator_clear(&self.acc, PC_VAR)

    def __init__(self, a=None, /, *, shape=(), where=True, workers=1):
        shape = shape_of(shape)
        if shape:
            many = States(shape, state_size(True, False))
            with cython.critical_section(self):
                self.many = many
        if a is not None:
            self.update(a, where=where, workers=workers)

    def update(self, a, /, *, axis=None, labels=None, where=True, workers=1, skipna=False):
        """
        Add all elements of an array.

        With a shape: add those along `axis`, each to the state of its position along the
        other axes; or with `labels` each to the state that its label names.

        Parameters
        ----------
        a : array_like
            Numbers of bool, any integer dtype, float16/32/64 or complex64/128: an array in any layout, which is
            not copied, or nested lists.
        axis : int or tuple of int, optional
            With a shape: the axes summed over; the others must have this shape. By default the first axes of `a`,
            so many that the others are as many as in the shape. With `labels`: the axes that they lie along, by
            default the last.
        labels : array_like of int, optional
            With a shape: for each element along `axis`, its position along the axis of the shape that takes the
            place of `axis`. A negative label leaves the element out.
        where : array_like of bool, optional
            The elements to include; must broadcast to the shape of `a`.
        workers : int, optional
            Number of threads, 1 by default; -1 for all usable cores, -2 for all but one, and so on.
        skipna : bool, optional
            Leave out what is missing: NaN, nulls and masked elements, as `nansum` does. False by default: NaN is
            a value, and nulls and masked elements are a TypeError.

        Raises
        ------
        TypeError, ValueError
            As `sumsq` does, and for what does not fit the shape; the accumulator is unchanged.
        IndexError
            For a label that is too large, with its position.
        OverflowError
            For more than 2**64 - 1 elements in all, in one state, and with a shape for integers from 2**1024 on; the
            accumulator is unchanged.
        RuntimeError
            If other code gives the accumulator another shape during the call; nothing is added.
        """
        cdef States many = self.current_states()
        cdef pc_accumulator acc
        cdef Accumulators sums
        cdef Kind kind
        cdef Contiguous plain
        if many is not None:
            self.update_many(many, a, axis, labels, where, workers, skipna)
            return
        if axis is not None or labels is not None:
            raise TypeError("axis and labels are for Accumulators with a shape: pycrust.Accumulator(shape=...)")
        if where is True and workers is 1 and not skipna and is_contiguous(a, &plain):
            add_contiguous(&plain, &acc, PC_VAR)
            self.add(&acc, kind_of(a), None)
            return
        if isinstance(a, Accumulator):
            raise TypeError("update takes an array: another Accumulator is added by merge() or +, and copied by "
                            "copy.copy()")
        threads = count_workers(workers)
        array, mask = data_of(a, where, skipna)
        kind = INTEGERS if array.size == 0 and isinstance(a, (list, tuple)) else kind_of(array)
        if not cnp.PyArray_ISOBJECT(array):
            sums = add_all(array, mask, threads, skipna)
            self.add(&sums.at[0].total, kind, None)
            return
        squares, numbers, count = [int(each) for each in moments_of_ints(array, mask, tuple(range(array.ndim)))]
        pc_accumulator_clear(&acc, PC_VAR)
        acc.count = count
        if max(map(int.bit_length, array.reshape(-1)), default=0) <= MAX_INT_BITS:
            import_int(&acc, PC_SQUARES, squares, 0)
            import_int(&acc, PC_NUMBERS, numbers, 0)
            self.add(&acc, kind, None)
        else:
            self.add(&acc, kind, (squares, numbers, 0))

    def merge(self, other, /):
        """
        Add what another accumulator holds.

        Parameters
        ----------
        other : Accumulator
            It is not changed.

        Raises
        ------
        TypeError
            For anything else: arrays are added by `update`.
        ValueError
            For an accumulator of another shape.
        OverflowError
            For more than 2**64 - 1 elements in all, in one state; this accumulator is unchanged.
        RuntimeError
            If another thread gives it another shape during the call; nothing is added.
        """
        cdef Accumulator copy
        if not isinstance(other, Accumulator):
            raise TypeError(f"merge takes an Accumulator, not {type(other).__name__}: pass several one by one, or add "
                            "them with sum(); arrays are added by update()")
        copy = (<Accumulator>other).copy()
        self.check_shape(copy)
        if copy.many is not None:
            self.add_many(copy.many, copy.kind)
        else:
            self.add(&copy.acc, copy.kind, copy.excess)

    cdef States current_states(self):
        """The many states, which another thread may replace at any time."""
        cdef States many
        with cython.critical_section(self):
            many = self.many
        return many

    cdef tuple shape_of_all(self):
        cdef States many = self.current_states()
        return () if many is None else many.shape

    cdef int check_shape(self, Accumulator other) except -1:
        """Refuse to merge one of another shape."""
        if self.shape_of_all() != other.shape_of_all():
            raise ValueError(f"an Accumulator of shape {other.shape_of_all()} cannot be merged into one of shape "
                             f"{self.shape_of_all()}")

    cdef int update_many(self, States before, a, axis, labels, where, workers, bint skipna) except -1:
        cdef States total
        cdef size_t threads = count_workers(workers), count
        axis = axis_of_ints(axis)
        array, mask = data_of(a, where, skipna)
        cdef Kind kind = INTEGERS if array.size == 0 and isinstance(a, (list, tuple)) else kind_of(array)
        if labels is not None:
            labels = labels_of(labels)
            if axis is None:
                axis = None if labels.ndim == array.ndim else -1
            axes = axes_of(axis, array.ndim)
            labels = in_order(labels, axis, array.ndim)
            count = before.shape[axes[0]] if axes and axes[0] < len(before.shape) else 0
            left, _ = labelled_shape(array.shape, axes, labels, count, "a")
        else:
            axes = tuple(range(array.ndim - len(before.shape))) if axis is None else axes_of(axis, array.ndim)
            left = tuple([length for k, length in enumerate(array.shape) if k not in axes])
        if left != before.shape:
            how = "without the axes" if labels is None else "with labels along"
            raise ValueError(f"a has shape {array.shape}, which is {left} {how} {axes}; this Accumulator has shape "
                             f"{before.shape}")
        cdef size_t size = max(before.c.size, state_size(True, kind == COMPLEX))
        cdef bint empty = before.is_empty()
        if empty or array.size < 4 * before.c.count:    # what is made replaces the states, if no thread was faster
            total = States(before.shape, size) if empty else before.copy(size)
            add_to_states(total, array, mask, labels, axes, skipna, threads)
            with cython.critical_section(self):
                if self.many is before:
                    self.many = total
                    self.kind = max(self.kind, kind)
                    return 0
        if not empty:
            total = States(before.shape, size)
            add_to_states(total, array, mask, labels, axes, skipna, threads)
        self.add_many(total, kind)

    cdef int add_many(self, States other, Kind kind) except -1:
        cdef States before, total
        cdef bint done = False
        while not done:
            before = self.current_states()
            if before is None or before.shape != other.shape:
                raise reshaped(other.shape, before)
            total = before.copy(other.c.size)
            total.merge(other)
            with cython.critical_section(self):
                if self.many is before:
                    self.many = total
                    self.kind = max(self.kind, kind)
                    done = True

    cdef int add(self, const pc_accumulator *acc, Kind kind, tuple excess) except -1:
        cdef pc_status status = PC_OK
        cdef States many
        with cython.critical_section(self):
            many = self.many
            if many is None:
                total = sum_of(self.excess, excess)
                status = pc_accumulator_merge(&self.acc, acc)
                if status == PC_OK:
                    self.kind = max(self.kind, kind)
                    self.excess = total
        if many is not None:
            raise reshaped((), many)
        if status == PC_TOO_LARGE:
            raise too_many()

    cdef Accumulator copy(self):
        cdef Accumulator copy = Accumulator()
        with cython.critical_section(self):
            copy.acc = self.acc
            copy.kind = self.kind
            copy.excess = self.excess
            copy.many = self.many
        return copy

    cdef tuple sums(self):
        """The three exact sums, each as (integer, exponent <= 0): integer * 2**exponent."""
        cdef int moment
        sums = []
        for moment in range(3):
            integer, exponent = exact_moment(&self.acc, <pc_moment>moment)
            sums.append((integer + (self.excess[moment] << -exponent if self.excess else 0), exponent))
        return tuple(sums)

    cdef object integer(self, pc_moment moment):
        """One of these sums, where all are of integers."""
        return exact_int(&self.acc, moment) + (self.excess[<int>moment] if self.excess else 0)

    cdef pc_status write(self, Statistic spec, char *out) except *:
        """Write the result, as `spec` says; called on a copy that no other thread has."""
        cdef pc_status status
        if self.excess is None:
            return spec.write(&self.acc, out)
        squares, real, imaginary = self.sums()
        nonfinite = pc_accumulator_nonfinite(&self.acc)
        status = write_exact(&spec.c, spec.ddof, self.acc.count, (squares, real, imaginary), nonfinite, out)
        if spec.c.components == 2:
            write_exact(&spec.c, spec.ddof, self.acc.count, (squares, imaginary, real), nonfinite >> PC_NONFINITE_BITS,
                        out + (8 if spec.c.type == PC_FLOAT64 else 4))
        return status

    cdef object read(self, pc_statistic statistic, ddof=None):
        cdef Accumulator copy = self.copy()
        cdef Statistic spec = Statistic(statistic, ddof)
        cdef double[2] made
        if copy.many is not None:
            exact = (statistic == PC_SUMSQ or statistic == PC_SUM) and copy.kind == INTEGERS
            return copy.many.results(spec, object if exact else complex if copy.kind == COMPLEX and
                                     moment_of(statistic) == PC_NUMBERS else float, copy.kind == INTEGERS, (), 1)
        if (statistic == PC_SUMSQ or statistic == PC_SUM) and copy.kind == INTEGERS:
            return copy.integer(moment_of(statistic))
        if copy.kind == COMPLEX and moment_of(statistic) == PC_NUMBERS:
            spec.c.components = 2
        if copy.write(spec, <char *>made) == PC_EMPTY:
            warn_empty(statistic, False)
        return made[0] if spec.c.components == 1 else complex(made[0], made[1])

    @property
    def count(self):
        """int or ndarray: How many elements have been added, as int64, or uint64 if need be; a complex number is one."""
        cdef Accumulator copy = self.copy()
        return copy.acc.count if copy.many is None else copy.many.counts()

    @property
    def shape(self):
        """tuple of int: The shape it was made with; () for a single state."""
        return self.copy().shape_of_all()

    def __getitem__(self, key):
        cdef Accumulator some = self.copy()
        cdef States many = some.many
        if many is None:
            raise TypeError("an Accumulator has items if it has a shape: pycrust.Accumulator(shape=...)")
        at = np.arange(many.c.count).reshape(many.shape)[key]
        some.many = None
        if at.ndim:
            some.many = many.select(at)
        else:
            many.get(at, &some.acc)
        return some

    def __sizeof__(self):
        cdef Accumulator copy = self.copy()
        cdef size_t size = type(self).__basicsize__
        if copy.many is not None:
            size += copy.many.c.count * copy.many.c.size + copy.many.c.pool_size * sizeof(pc_accumulator)
        return size

    def sumsq(self):
        """
        Return the sum of the squares.

        Returns
        -------
        int or float
            The exact int as long as only integers were added, else the nearest float.
        """
        return self.read(PC_SUMSQ)

    def norm(self):
        """
        Return the square root of the sum of the squares.

        Returns
        -------
        float
            Correctly rounded; 0.0 if nothing was added.
        """
        return self.read(PC_NORM)

    def rms(self):
        """
        Return the square root of the mean of the squares.

        Returns
        -------
        float
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        return self.read(PC_RMS)

    def sum(self):
        """
        Return the sum.

        Returns
        -------
        int, float or complex
            The exact int as long as only integers were added, else the nearest float, or
            complex with both parts nearest if anything complex was added.
        """
        return self.read(PC_SUM)

    def mean(self):
        """
        Return the arithmetic mean.

        Returns
        -------
        float or complex
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        return self.read(PC_MEAN)

    def var(self, ddof=None, *, correction=None):
        """
        Return the variance.

        Parameters
        ----------
        ddof : int or float, optional
            The divisor is the count minus this, 0 by default.
        correction : int or float, optional
            Another name for `ddof`, that of the array API.

        Returns
        -------
        float
            Correctly rounded; NaN or Inf with a RuntimeWarning if no more than `ddof` elements were added.
        """
        return self.read(PC_VAR, ddof_or_correction(ddof, correction))

    def std(self, ddof=None, *, correction=None):
        """
        Return the standard deviation: the square root of the variance.

        Parameters
        ----------
        ddof : int or float, optional
            The divisor is the count minus this, 0 by default.
        correction : int or float, optional
            Another name for `ddof`, that of the array API.

        Returns
        -------
        float
            Correctly rounded; NaN or Inf with a RuntimeWarning if no more than `ddof` elements were added.
        """
        return self.read(PC_STD, ddof_or_correction(ddof, correction))

    cdef dict dump(self):
        """The contents, the same for equal accumulators; each sum is integer * 2**exponent, in lowest terms."""
        cdef Accumulator copy = self.copy()
        if copy.many is not None:
            states, rest = copy.many.dump()
            return {"version": 2, "shape": copy.many.shape, "kind": _KINDS[copy.kind], "states": states, "rest": rest}
        nonfinite = pc_accumulator_nonfinite(&copy.acc)
        squares, real, imaginary = copy.sums()
        return {
            "version": 1,
            "count": copy.acc.count,
            "kind": _KINDS[copy.kind],
            "special": tuple([name for k, name in enumerate(_SPECIAL) if nonfinite >> k & 1]),
            "sumsq": lowest_terms(squares),
            "sum": lowest_terms(real),
            "sumj": lowest_terms(imaginary),
        }

    def __reduce__(self):
        return Accumulator, (), self.dump()

    def __setstate__(self, state):
        cdef Accumulator made = load_accumulator(state)
        with cython.critical_section(self):
            self.acc = made.acc
            self.kind = made.kind
            self.excess = made.excess
            self.many = made.many

    # So that NumPy leaves `array + accumulator` to __radd__, and does not add element by element.
    __array_ufunc__ = None

    def __add__(self, other):
        cdef Accumulator total = (<Accumulator>self).copy()
        return total if total.add_any(other) else NotImplemented

    def __radd__(self, other):
        return self.__add__(other)

    def __iadd__(self, other):
        return self if self.add_any(other) else NotImplemented

    cdef bint add_any(self, other) except -1:
        """Add an Accumulator, or the 0 that sum() begins with; false for objects that + may leave to their __radd__."""
        if isinstance(other, Accumulator):
            self.merge(other)
            return True
        if isinstance(other, int) and other == 0:
            return True
        if hasattr(type(other), "__array__") or isinstance(other, (int, float, complex, list, tuple)):
            raise TypeError(f"+ adds Accumulators, not {type(other).__name__}: add numbers with update()")
        return False

    def __eq__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        return self.dump() == (<Accumulator>other).dump()

    __hash__ = None

    def __repr__(self):
        cdef Accumulator copy = self.copy()         # a consistent snapshot
        if copy.many is not None:
            return f"Accumulator(shape={copy.many.shape}, count={copy.many.counts().sum(dtype=object)})"
        if copy.acc.count == 0:
            return "Accumulator(count=0)"
        return f"Accumulator(count={copy.count}, mean={copy.mean()!r}, std={copy.std()!r})"


def _merged(accumulators):
    """The sum of Accumulators: if they have a shape, in a single copy of the states; for pycrust.dask."""
    cdef Accumulator total, one
    copies = [(<Accumulator?>each).copy() for each in accumulators]
    total = copies[0]
    for one in copies:
        total.check_shape(one)
    if total.many is None:
        return sum(copies)
    total.many = total.many.copy(max([(<Accumulator>each).many.c.size for each in copies]))
    for one in copies[1:]:
        total.many.merge(one.many)
        total.kind = max(total.kind, one.kind)
    return total


def _results(accumulators, str name, dtype, ddof):
    """
    The result of an Accumulator, or of each of an array of these, as an array of that dtype; for pycrust.dask.
    """
    cdef Statistic spec = Statistic(_RESULTS[name.removeprefix("nan")], ddof, name.startswith("nan"))
    cdef Accumulator one
    cdef bint empty = False
    cdef size_t k
    if isinstance(accumulators, Accumulator):
        one = (<Accumulator>accumulators).copy()
        if one.many is not None:
            return one.many.results(spec, np.dtype(dtype), one.kind == INTEGERS, (), 1)
        accumulators = np.empty((), dtype=object)
        accumulators[()] = one
    values = np.empty(accumulators.shape, dtype=dtype)
    cdef bint floats = values.dtype.kind in "fc"
    if floats:
        spec.set_dtype(values.dtype)
    for k, position in enumerate(np.ndindex(values.shape)):
        state = accumulators[position]
        if not isinstance(state, Accumulator):       # a worker may return anything
            raise TypeError(f"the sums of a chunk came back as {type(state).__name__}, not as an Accumulator: "
                            "the worker that made them is at fault")
        one = (<Accumulator>state).copy()
        if not floats:
            total = one.integer(moment_of(spec.c.statistic))
            values[position] = checked_int(total, values.dtype, position, spec.c.statistic)
        elif one.write(spec, <char *>cnp.PyArray_DATA(values) + k * <size_t>values.itemsize) == PC_EMPTY:
            empty = True
            if spec.skip_nan and one.kind != INTEGERS and is_variance(spec.c.statistic):
                values[position] = np.nan
    if empty:
        warn_empty(spec.c.statistic, spec.skip_nan)
    return values


# The name under which it is shown, and pickled, for ever: not that of this module.
(<PyTypeObject *>Accumulator).tp_name = b"pycrust.Accumulator"

# In the order of the bits of pc_accumulator_nonfinite.
_SPECIAL = ("inf", "-inf", "nan", "infj", "-infj", "nanj")

_RESULTS = {name: result for result, name in _NAMES.items()}


cdef tuple shape_of(shape):
    """shape= as a tuple."""
    try:
        lengths = tuple([index(length) for length in (shape if isinstance(shape, (tuple, list)) else (shape,))])
    except TypeError:
        raise TypeError(f"shape must be an integer or a tuple of integers, not {shown(shape)}") from None
    if min(lengths, default=0) < 0:
        raise ValueError(f"shape must not be negative, but is {shown(shape)}")
    if len(lengths) > PC_MAX_AXES:
        raise ValueError(f"shape has {len(lengths)} axes: NumPy knows {PC_MAX_AXES}")
    return lengths


cdef int add_to_states(States states, array, mask, labels, tuple axes, bint skipna, size_t workers) except -1:
    """Add an array to states, along axes or by labels; half done after an exception."""
    cdef pc_accumulator acc
    cdef size_t k
    if not cnp.PyArray_ISOBJECT(array):
        if labels is None:
            states.add_along(array, mask, axes, skipna, workers)
        else:
            states.add_labelled(array, mask, labels, axes, states.shape[axes[0]], skipna, workers)
        return 0
    if labels is not None:
        raise TypeError("labels are for numbers of NumPy's dtypes, not for Python ints beyond 64 bits")
    if max(map(int.bit_length, array.reshape(-1) if mask is None else array[mask]), default=0) > MAX_INT_BITS:
        raise OverflowError(f"an Accumulator with a shape takes integers up to 2**{MAX_INT_BITS}; without one, any")
    sums = [np.reshape(each, -1) for each in moments_of_ints(array, mask, axes)]
    for k, (squares, numbers, count) in enumerate(zip(*sums)):
        pc_accumulator_clear(&acc, PC_VAR)
        acc.count = int(count)
        import_int(&acc, PC_SQUARES, int(squares), 0)
        import_int(&acc, PC_NUMBERS, int(numbers), 0)
        states.add(k, &acc)


cdef Accumulator load_many(state):
    """An Accumulator with a shape from its state."""
    cdef Accumulator made = Accumulator()
    shape, kind, data, rest = state["shape"], state["kind"], state["states"], state["rest"]
    if not (type(shape) is tuple and 0 < len(shape) <= PC_MAX_AXES
            and all([type(length) is int and 0 <= length < 2**48 for length in shape])):
        raise ValueError("its shape is not a tuple of lengths")
    if not (type(kind) is str and kind in _KINDS):
        raise ValueError(f"numbers cannot be {short_repr(kind)}")
    if type(rest) is not tuple or not all([type(sums) is tuple and len(sums) == 3 for sums in rest]):
        raise ValueError("its sums are not three for each state")
    rest = tuple([tuple([pair_of(each) for each in sums]) for sums in rest])
    made.many = load_states(shape, kind == "complex", kind == "int", data, rest)
    made.kind = <Kind><int>_KINDS.index(kind)
    return made


cdef tuple pair_of(number):
    """A sum of a state, (integer, exponent), if it is one."""
    if type(number) not in (tuple, list) or len(number) != 2 or not all([type(each) is int for each in number]):
        raise ValueError("its sums are not pairs of integers")
    return tuple(number)


cdef Accumulator load_accumulator(state):
    """
    An Accumulator from its state, which may be damaged or forged.

    No part of it is iterated over, hashed or shown before its type is known: hash() of deeply nested tuples
    overflows the stack, and an iterator may have no end.
    """
    cdef Accumulator made = Accumulator()
    cdef pc_moment moment
    try:
        if type(state["version"]) is not int or state["version"] not in (1, 2):
            raise ValueError(f"it is of version {short_repr(state['version'])}: this pycrust knows versions 1 and 2")
        if state["version"] == 2:
            return load_many(state)
        count, kind, nonfinite = state["count"], state["kind"], state["special"]
        sums = tuple([pair_of(state[key]) for key in ("sumsq", "sum", "sumj")])
        (squares, exponent), _, (imaginary, _) = sums
        if type(count) is not int:
            raise ValueError("its count is not an integer")
        if not (0 <= count < 2**64 and squares >= 0 and -2148 <= exponent <= 0
                and all([-1074 <= exponent <= 0 for _, exponent in sums[1:]])):
            raise ValueError("a number is out of range")
        if not (type(kind) is str and kind in _KINDS and type(nonfinite) is tuple
                and all([type(name) is str and name in _SPECIAL for name in nonfinite])):
            raise ValueError(f"numbers cannot be {short_repr(kind)} with {short_repr(nonfinite)}")
        if kind == "int" and (nonfinite or any([exponent < 0 for _, exponent in sums])):
            raise ValueError("the sums are not those of integers")
        if kind != "complex" and (imaginary or any([name.endswith("j") for name in nonfinite])):
            raise ValueError("only complex numbers have imaginary parts")
        if count == 0 and (nonfinite or any([integer for integer, _ in sums])):
            raise ValueError("there are sums of no elements")
        if centered_square_sum(count, sums)[0] < 0:
            raise ValueError("no numbers have these sums")
        excess = []
        for moment, (integer, exponent) in enumerate(sums):
            # More bits than this come from Python ints alone, or from very many numbers.
            bits = (2 * MAX_INT_BITS if moment == PC_SQUARES else MAX_INT_BITS) - exponent
            size = abs(integer)
            excess.append((size >> bits << bits + exponent) * (-1 if integer < 0 else 1))
            rest = size & (1 << bits) - 1
            if import_int(&made.acc, moment, -rest if integer < 0 else rest, exponent) != PC_OK:
                raise ValueError(f"{shown_int(integer)} * 2**{exponent} is not a sum of doubles, nor of their squares")
    except (TypeError, LookupError, ValueError, OverflowError) as error:
        raise ValueError(f"not the state of an Accumulator: {error}") from error
    for name in nonfinite:
        pc_accumulator_add_nonfinite(&made.acc, 1 << _SPECIAL.index(name))
    made.acc.count = count
    made.kind = <Kind><int>_KINDS.index(kind)
    made.excess = tuple(excess) if any(excess) else None
    return made


def _array(a, str name):
    """What `a` holds, as an ndarray, and what of it is missing, for pycrust.dask."""
    return array_and_missing(a, name)


def _mask(where, array):
    """where= as an array of bool in the shape of `array`, for pycrust.dask."""
    return mask_of(where, array)


def _accumulators(array, tuple axes, where, bint skipna=False):
    """An Accumulator for each position that is left after summing over `axes`; for pycrust.dask."""
    array, mask = data_of(array, where, skipna)
    axes = axes_of(axes, array.ndim)
    made = np.empty([length for k, length in enumerate(array.shape) if k not in axes], dtype=object)
    if cnp.PyArray_ISOBJECT(array):         # Python ints
        last = range(-len(axes), 0)
        rows = np.moveaxis(array, axes, last)
        kept = None if mask is None else np.moveaxis(mask, axes, last)
        for position in np.ndindex(made.shape):
            made[position] = Accumulator(rows[position], where=True if kept is None else kept[position])
        return made
    cdef Plan plan = Plan(array, mask, axes, made, Statistic(PC_VAR, None, skipna), 1)
    cdef Kind kind = kind_of(array)
    cdef Accumulator one
    cdef Accumulators sums
    cdef size_t k, first = 0
    while first < plan.job.outputs:
        sums = plan.sums(first, False)
        first += sums.count
        for k in range(sums.count):
            one = Accumulator()
            one.acc = sums.at[k].total
            one.kind = kind
            plan.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = <object>one
    return made
