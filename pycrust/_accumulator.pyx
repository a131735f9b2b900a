"""The exact sum of squares of data that come in pieces."""

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyTypeObject
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from pycrust._arrays cimport as_array, is_integer, mask_of, type_of
from pycrust._reduce cimport (
    Job,
    Plain,
    Sums,
    add_all,
    add_plain,
    exact_int,
    import_int,
    is_plain,
    raise_too_large,
    sums_of_ints,
    value_of,
    warn_empty,
)
from pycrust._shared cimport int_from_words
from pycrust._workers cimport count_workers
from pycrust.csrc cimport (
    PC_LIMBS,
    PC_NORM,
    PC_OK,
    PC_RMS,
    PC_SUMSQ,
    PC_TOO_LARGE,
    pc_accumulator,
    pc_accumulator_bits,
    pc_accumulator_clear,
    pc_accumulator_export,
    pc_accumulator_make_special,
    pc_accumulator_merge,
    pc_accumulator_special,
    pc_result,
    pc_status,
    pc_type,
)

import numpy as np

cnp.import_array()

cdef enum:
    # Of integers with so many bits at most, the sum of 2**64 squares goes where those of doubles do.
    LARGEST_BITS = 1024
    # Below 2 to this power every sum fits there.
    HIGHEST_BITS = 2048


@cython.final
cdef class Accumulator:
    """Accumulator(a=None, /, *, where=True, workers=1)\n--\n
    The exact sum of squares of data that come in pieces.

    Add arrays with `update`, and other accumulators with `merge` or ``+``. All of
    it is exact: any cutting of the data, any order, and any tree of merges gives
    the same bits as `sumsq`, `norm` and `rms` of the whole. It takes some 700
    bytes whatever it holds, and pickles to fewer, so it serves files larger than
    memory, processes and clusters.

    Parameters
    ----------
    a : array_like, optional
        What to `update` it with at once.
    where : array_like of bool, optional
    workers : int, optional
        All as in `sumsq`.

    Attributes
    ----------
    count : int
        How many elements have been added (a complex number is one).

    Notes
    -----
    Threads may share one: each `update` sums outside any lock and adds its sum
    in one step.

    A pickle holds the name of this class and a dict: version 1, count, the sum
    as an integer times a power of two, whether it is of integers alone, and
    whether there was Inf or NaN. What is damaged or forged is a ValueError.
    Only lists of ints above 2**1024 make it larger.

    Examples
    --------
    >>> import numpy as np, pycrust
    >>> left, right = pycrust.Accumulator(), pycrust.Accumulator()
    >>> left.update(np.arange(500))
    >>> right.update(np.arange(500, 1000))
    >>> total = left + right
    >>> total.count, total.sumsq()
    (1000, 332833500)
    >>> total.rms() == pycrust.rms(np.arange(1000))
    True
    """
    cdef pc_accumulator acc
    cdef bint floats        # something other than integers was added
    cdef object beyond      # the sum of what was in lists with an integer too large for the other sum

    def __cinit__(self):
        pc_accumulator_clear(&self.acc)
        self.beyond = 0

    def __init__(self, a=None, /, *, where=True, workers=1):
        if a is not None:
            self.update(a, where=where, workers=workers)

    def update(self, a, /, *, where=True, workers=1):
        """
        Add the squares of all elements of an array.

        Parameters
        ----------
        a : array_like
        where : array_like of bool, optional
        workers : int, optional
            All as in `sumsq`.

        Raises
        ------
        TypeError, ValueError
            As `sumsq` does; the accumulator is left as it was.
        """
        cdef pc_accumulator acc
        cdef Sums sums
        cdef bint floats
        cdef Plain plain
        if where is True and workers is 1 and is_plain(a, &plain):
            add_plain(&plain, &acc)
            self.add(&acc, not is_integer(a), 0)
            return
        threads = count_workers(workers)
        array = as_array(a)
        floats = not is_integer(array) and not (array.size == 0 and isinstance(a, (list, tuple)))
        mask = mask_of(where, array)
        if array.dtype != object:
            sums = add_all(array, mask, threads)
            self.add(&sums.at[0].total, floats, 0)
            return
        total, count = sums_of_ints(array, mask, tuple(range(array.ndim)))
        pc_accumulator_clear(&acc)
        acc.count = count
        if max(map(int.bit_length, array.flat)) <= LARGEST_BITS:
            import_int(&acc, total, 0)
            total = 0
        self.add(&acc, False, total)

    def merge(self, Accumulator other not None, /):
        """
        Add what another accumulator holds.

        Parameters
        ----------
        other : Accumulator
            It is left as it was.
        """
        cdef Accumulator copy = other.copy()
        self.add(&copy.acc, copy.floats, copy.beyond)

    cdef int add(self, const pc_accumulator *acc, bint floats, beyond) except -1:
        cdef pc_status status
        with cython.critical_section(self):
            total = self.beyond + beyond if beyond else self.beyond
            status = pc_accumulator_merge(&self.acc, acc)
            if status == PC_OK:
                self.floats = self.floats or floats
                self.beyond = total
        if status == PC_TOO_LARGE:
            raise OverflowError("an Accumulator counts at most 2**64 - 1 elements; this one is left as it was")

    cdef Accumulator copy(self):
        cdef Accumulator copy = Accumulator()
        with cython.critical_section(self):
            copy.acc = self.acc
            copy.floats = self.floats
            copy.beyond = self.beyond
        return copy

    cdef Accumulator together(self):
        """A copy with all in one sum; or Inf for what is above any float, as are its root and that of its mean."""
        cdef Accumulator copy = self.copy()
        if copy.beyond and import_int(&copy.acc, copy.beyond, 0) != PC_OK:      # 2**2112 or more
            pc_accumulator_make_special(&copy.acc, 1)
        return copy

    cdef object read(self, pc_result result):
        cdef Accumulator copy = self.copy()
        if result == PC_SUMSQ and not copy.floats:
            return exact_int(&copy.acc) + copy.beyond
        copy = copy.together()
        return value_of(&copy.acc, False, result)

    @property
    def count(self):
        """int: How many elements have been added; a complex number is one."""
        return self.copy().acc.count

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

    cdef dict state(self):
        """What it holds, the same for all that are equal; the sum is integer * 2**exponent, exponent <= 0."""
        cdef Accumulator copy = self.copy()
        cdef uint64_t words[PC_LIMBS]
        cdef int exponent
        cdef size_t count = pc_accumulator_export(&copy.acc, words, &exponent)
        integer = int_from_words(words, count)
        if exponent > 0:
            integer <<= exponent
            exponent = 0
        integer += copy.beyond << -exponent
        zeros = min(-exponent, (integer & -integer).bit_length() - 1) if integer else -exponent
        return {
            "version": 1,
            "count": copy.acc.count,
            "integers": not copy.floats,
            "special": _SPECIAL[pc_accumulator_special(&copy.acc)],
            "sumsq": (integer >> zeros, exponent + zeros),
        }

    def __reduce__(self):
        return Accumulator, (), self.state()

    def __setstate__(self, state):
        cdef Accumulator made = accumulator_of(state)
        with cython.critical_section(self):
            self.acc = made.acc
            self.floats = made.floats
            self.beyond = made.beyond

    def __add__(self, other):
        cdef Accumulator total
        if isinstance(other, int) and other == 0:     # where sum() starts
            return (<Accumulator>self).copy()
        if not isinstance(other, Accumulator):
            return NotImplemented
        total = (<Accumulator>self).copy()
        total.merge(other)
        return total

    def __radd__(self, other):
        return self + other if isinstance(other, int) else NotImplemented

    def __iadd__(self, other):
        if isinstance(other, int) and other == 0:
            return self
        if not isinstance(other, Accumulator):
            return NotImplemented
        self.merge(other)
        return self

    def __eq__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        return self.state() == (<Accumulator>other).state()

    __hash__ = None

    def __repr__(self):
        cdef Accumulator copy = self.copy()         # count and sum of one moment
        return f"Accumulator(count={copy.count}, sumsq={copy.sumsq()!r})"


def _results(parts, str figure, dtype):
    """What each of an array of Accumulators comes to, as an array of that dtype, rounded once; for pycrust.dask."""
    cdef pc_result result = {"sumsq": PC_SUMSQ, "norm": PC_NORM, "rms": PC_RMS}[figure]
    cdef Accumulator one
    cdef int nothing
    values = np.empty(parts.shape, dtype=dtype)
    kind = values.dtype.kind
    bits = values.view(f"u{values.itemsize}") if kind == "f" else values
    for position in np.ndindex(parts.shape):
        one = parts[position]
        if kind == "f":
            one = one.together()
            if result == PC_RMS and one.acc.count == 0:
                warn_empty()
            bits[position] = pc_accumulator_bits(&one.acc, result, <pc_type>type_of(values.dtype.num, &nothing))
            continue
        total = one.read(result)
        if kind in "iu" and total > np.iinfo(values.dtype).max:
            raise_too_large(position, total, values.dtype)
        values[position] = total
    return values


# Under which name it is pickled, for ever, and shown: not that of this module.
(<PyTypeObject *>Accumulator).tp_name = b"pycrust.Accumulator"

_SPECIAL = (None, "inf", "nan")


cdef Accumulator accumulator_of(state):
    """An Accumulator from its state, which may be damaged or forged."""
    cdef Accumulator made = Accumulator()
    try:
        if state["version"] != 1:
            raise ValueError(f"it is of version {state['version']}, and this pycrust knows version 1 alone")
        count, integers, special, (integer, exponent) = (
            state[key] for key in ("count", "integers", "special", "sumsq")
        )
        if not (type(count) is type(integer) is type(exponent) is int and type(integers) is bool):
            raise ValueError("its numbers are not integers")
        if not (0 <= count < 2**64 and integer >= 0 and -2148 <= exponent <= 0):
            raise ValueError("a number is out of range")
        if special not in _SPECIAL:
            raise ValueError(f"the sum cannot be {special!r}")
        if integers and (special is not None or exponent < 0):
            raise ValueError("the sum is not one of integers")
        if count == 0 and (integer or special is not None):
            raise ValueError("there is a sum of no elements")
        if integer.bit_length() + exponent > HIGHEST_BITS:
            # All but the lowest bits are from integers.
            made.beyond = integer >> (HIGHEST_BITS - exponent) << HIGHEST_BITS
            integer -= made.beyond << -exponent
        if import_int(&made.acc, integer, exponent) != PC_OK:
            raise ValueError(f"{integer} * 2**{exponent} is not a sum of squares of doubles")
    except (TypeError, LookupError, ValueError, OverflowError) as error:
        raise ValueError(f"not the state of an Accumulator: {error}") from error
    pc_accumulator_make_special(&made.acc, _SPECIAL.index(special))
    made.acc.count = count
    made.floats = not integers
    return made


def _accumulators(array, tuple axes, where):
    """An Accumulator for each position that is left after summing over `axes`, for pycrust.dask."""
    array = as_array(array)
    made = np.empty([length for k, length in enumerate(array.shape) if k not in axes], dtype=object)
    cdef Job job = Job(array, mask_of(where, array), axes, made, PC_SUMSQ, 1)
    cdef bint floats = not is_integer(array)
    cdef Accumulator one
    cdef Sums sums
    cdef size_t k, first = 0
    while first < job.shares.positions:
        sums = job.sums(first, False)
        first += sums.count
        for k in range(sums.count):
            one = Accumulator()
            one.acc = sums.at[k].total
            one.floats = floats
            job.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = <object>one
        PyErr_CheckSignals()
    return made
