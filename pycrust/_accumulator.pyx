"""The exact sum of squares of data that come in pieces."""

cimport cython
cimport numpy as cnp
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from pycrust._arrays cimport as_array, is_integer, mask_of
from pycrust._reduce cimport Job, Sums, add_all, add_quickly, value_of
from pycrust._shared cimport int_from_words
from pycrust.csrc cimport (
    PC_LIMBS,
    PC_NORM,
    PC_OK,
    PC_OUT_OF_RANGE,
    PC_RMS,
    PC_SUMSQ,
    PC_TOO_LARGE,
    pc_accumulator,
    pc_accumulator_clear,
    pc_accumulator_export,
    pc_accumulator_import,
    pc_accumulator_make_special,
    pc_accumulator_merge,
    pc_accumulator_special,
    pc_status,
)

import numpy as np

from pycrust._workers import count_workers

cnp.import_array()


@cython.final
cdef class Accumulator:
    """
    The exact sum of squares of data that come in pieces.

    Add arrays with `update`, and other accumulators with `merge` or ``+``. All of
    it is exact: any cutting of the data, any order, and any tree of merges gives
    the same bits as `sumsq`, `norm` and `rms` of the whole. It takes some 700
    bytes whatever it holds, and pickles to fewer, so it serves files larger than
    memory, processes and clusters.

    Attributes
    ----------
    count : int
        How many elements have been added (a complex number is one).

    Notes
    -----
    Threads may share one: each `update` sums outside any lock and adds its sum
    in one step.

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

    def __cinit__(self):
        pc_accumulator_clear(&self.acc)

    def __init__(self):
        pass        # and takes no arguments

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
        if where is True and workers is 1 and add_quickly(a, &acc):
            self.add(&acc, not is_integer(a))
            return
        array = as_array(a)
        sums = add_all(array, mask_of(where, array), count_workers(workers))
        self.add(&sums.at[0].total, not is_integer(array))

    def merge(self, Accumulator other not None, /):
        """
        Add what another accumulator holds.

        Parameters
        ----------
        other : Accumulator
            It is left as it was.
        """
        cdef Accumulator copy = other.copy()
        self.add(&copy.acc, copy.floats)

    cdef int add(self, const pc_accumulator *acc, bint floats) except -1:
        cdef pc_status status
        with cython.critical_section(self):
            status = pc_accumulator_merge(&self.acc, acc)
            if status == PC_OK:
                self.floats = self.floats or floats
        if status == PC_TOO_LARGE:
            raise OverflowError("an Accumulator counts at most 2**64 - 1 elements; this one is left as it was")

    cdef Accumulator copy(self):
        cdef Accumulator copy = Accumulator()
        with cython.critical_section(self):
            copy.acc = self.acc
            copy.floats = self.floats
        return copy

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
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, not copy.floats, PC_SUMSQ)

    def norm(self):
        """
        Return the square root of the sum of the squares.

        Returns
        -------
        float
            Correctly rounded; 0.0 if nothing was added.
        """
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, False, PC_NORM)

    def rms(self):
        """
        Return the square root of the mean of the squares.

        Returns
        -------
        float
            Correctly rounded; NaN with a RuntimeWarning if nothing was added.
        """
        cdef Accumulator copy = self.copy()
        return value_of(&copy.acc, False, PC_RMS)

    cdef tuple state(self):
        """(integer, exponent, count, special, floats): the sum is integer * 2**exponent."""
        cdef Accumulator copy = self.copy()
        cdef uint64_t words[PC_LIMBS]
        cdef int exponent
        cdef size_t count = pc_accumulator_export(&copy.acc, words, &exponent)
        integer = int_from_words(words, count)
        zeros = max(0, (integer & -integer).bit_length() - 1)
        return (integer >> zeros, exponent + zeros, copy.acc.count,
                pc_accumulator_special(&copy.acc), copy.floats)

    def __reduce__(self):
        return _accumulator, self.state()

    def __add__(self, other):
        if not isinstance(other, Accumulator):
            return NotImplemented
        cdef Accumulator total = (<Accumulator>self).copy()
        total.merge(other)
        return total

    def __radd__(self, other):
        if isinstance(other, int) and other == 0:     # where sum() starts
            return self.copy()
        return NotImplemented

    def __iadd__(self, other):
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


def _accumulators(array, tuple axes, where):
    """An Accumulator for each position that is left after summing over `axes`, for pycrust.dask."""
    array = as_array(array)
    made = np.empty([length for k, length in enumerate(array.shape) if k not in axes], dtype=object)
    cdef Job job = Job(array, mask_of(where, array), axes, made, PC_SUMSQ)
    cdef bint floats = not is_integer(array)
    cdef Accumulator one
    cdef Sums sums
    cdef size_t k, first = 0
    while first < job.positions:
        sums = job.sums(first, 1)
        first += sums.count
        for k in range(sums.count):
            one = Accumulator()
            one.acc = sums.at[k].total
            one.floats = floats
            job.objects[sums.at[k].offset // <ptrdiff_t>sizeof(void *)] = <object>one
    return made


def _accumulator(integer, exponent, count, special, floats):
    """An Accumulator from its state, for pickle."""
    cdef Accumulator made = Accumulator()
    words = np.frombuffer(integer.to_bytes(8 * -(-integer.bit_length() // 64), "little"), dtype="<u8").astype(np.uint64)
    cdef pc_status status = pc_accumulator_import(&made.acc, <const uint64_t *>cnp.PyArray_DATA(words),
                                                  <size_t>len(words), exponent)
    if status == PC_OUT_OF_RANGE:
        raise ValueError(f"{integer} * 2**{exponent} is not a sum of squares of doubles")
    pc_accumulator_make_special(&made.acc, special)
    made.acc.count = count
    made.floats = floats
    return made
