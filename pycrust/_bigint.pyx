"""Python ints: exact sums out of C and into it, and results of sums too large for it."""

cimport numpy as cnp
from libc.stdint cimport uint32_t, uint64_t

from pycrust.csrc cimport (
    PC_EMPTY,
    PC_FLOAT32,
    PC_FLOAT64,
    PC_LIMBS,
    PC_MEAN,
    PC_NAN,
    PC_NONFINITE_BITS,
    PC_NORM,
    PC_NUMBERS,
    PC_OK,
    PC_PLUS_INF,
    PC_RMS,
    PC_SQUARES,
    PC_STD,
    PC_SUM,
    PC_VAR,
    import_core,
    pc_accumulator,
    pc_accumulator_add_nonfinite,
    pc_accumulator_clear,
    pc_accumulator_export,
    pc_accumulator_import,
    pc_accumulator_round,
    pc_moment,
    pc_output_spec,
    pc_round_words,
    pc_status,
    pc_type,
)

import numpy as np

cnp.import_array()
import_core()

cdef extern from *:
    """
    /* The non-negative int of `count` 64-bit words in the machine's byte order. */
    static CYTHON_INLINE PyObject *pc_int_from_words(const uint64_t *words, size_t count)
    {
    #if PY_VERSION_HEX >= 0x030D0000
        return PyLong_FromUnsignedNativeBytes(words, count * sizeof *words,
                                              Py_ASNATIVEBYTES_NATIVE_ENDIAN);
    #else
        return _PyLong_FromByteArray((const unsigned char *)words, count * sizeof *words,
                                     PY_LITTLE_ENDIAN, 0);
    #endif
    }
    """
    object pc_int_from_words(const uint64_t *words, size_t count)
    bint PY_LITTLE_ENDIAN


cdef enum:
    BEYOND = 1 << 20        # an exponent beyond that of any float, and so is half of it


cdef object int_from_words(uint64_t *words, size_t count):
    """The int of `count` words, least significant first; may reverse them."""
    cdef size_t k
    if count == 0:
        return 0
    if count == 1:
        return words[0]
    if not PY_LITTLE_ENDIAN:
        for k in range(count // 2):
            words[k], words[count - 1 - k] = words[count - 1 - k], words[k]
    return pc_int_from_words(words, count)


cdef object int_from_u128(uint64_t lo, uint64_t hi):
    cdef uint64_t words[2]
    words[0] = lo
    words[1] = hi
    return int_from_words(words, 2 if hi else 1)


cdef tuple exact_moment(const pc_accumulator *acc, pc_moment moment):
    """(integer, exponent <= 0): the sum is integer * 2**exponent."""
    cdef uint64_t words[PC_LIMBS]
    cdef int exponent, negative
    cdef size_t count = pc_accumulator_export(acc, moment, words, &exponent, &negative)
    integer = int_from_words(words, count)
    if negative:
        integer = -integer
    return integer << max(exponent, 0), min(exponent, 0)


cdef object exact_int(const pc_accumulator *acc, pc_moment moment):
    """The sum of integers, or of their squares."""
    cdef uint64_t words[PC_LIMBS]
    cdef int exponent, negative
    cdef size_t count = pc_accumulator_export(acc, moment, words, &exponent, &negative)
    integer = int_from_words(words, count)
    if exponent:
        integer = integer << exponent if exponent > 0 else integer >> -exponent
    return -integer if negative else integer


cdef object words_of(integer):
    """The absolute value, in words in native byte order."""
    size = abs(integer)
    return np.frombuffer(size.to_bytes(8 * -(-size.bit_length() // 64), "little"), dtype="<u8").astype(np.uint64)


cdef pc_status import_int(pc_accumulator *acc, pc_moment moment, integer, int exponent) except *:
    """acc += integer * 2**exponent, unless PC_OUT_OF_RANGE."""
    words = words_of(integer)
    return pc_accumulator_import(acc, moment, <const uint64_t *>cnp.PyArray_DATA(words), <size_t>len(words), exponent,
                                 integer < 0)


cpdef tuple lowest_terms(tuple number):
    """integer * 2**exponent with an odd integer, or exponent 0."""
    integer, exponent = number
    zeros = min(-exponent, (integer & -integer).bit_length() - 1) if integer else -exponent
    return integer >> zeros, exponent + zeros


cdef str shown_int(integer):
    """For messages: Python refuses to write more digits than sys.set_int_max_str_digits allows."""
    try:
        return str(integer)
    except ValueError:
        return f"{'-' if integer < 0 else ''}an integer of {integer.bit_length()} bits"


cpdef str shown(argument):
    """repr of what a caller passed, for messages; where that fails for the digits, what it is."""
    if isinstance(argument, tuple):
        return f"({', '.join([shown(each) for each in argument])}{',' if len(argument) == 1 else ''})"
    try:
        return repr(argument)
    except ValueError:
        return shown_int(argument) if isinstance(argument, int) else f"a {type(argument).__name__}"


# ---- results ----------------------------------------------------------------

cdef tuple centered_square_sum(count, tuple sums):
    """count * squares - numbers**2 - imaginary**2, as (integer, exponent), as the three sums are."""
    (squares, exponent), *numbers = sums
    unit = exponent
    for _, other in numbers:
        unit = min(unit, 2 * other)
    spread = count * squares << exponent - unit
    for number, exponent in numbers:
        spread -= number**2 << 2 * exponent - unit
    return spread, unit


cdef pc_status write_exact(const pc_output_spec *spec, tuple ddof, count, tuple sums, uint32_t nonfinite,
                           char *out) except *:
    """
    pc_accumulator_round of sums of any size, each (integer, exponent), and any ddof = integer / 2**bits.

    The sums are in the order of pc_moment. Of a complex result only the real part is written.
    """
    cdef pc_accumulator nothing
    cdef pc_output_spec one = spec[0]
    cdef bint root = spec.statistic == PC_NORM or spec.statistic == PC_RMS or spec.statistic == PC_STD
    one.components = 1
    divisor = 1
    if spec.statistic == PC_SUM or spec.statistic == PC_MEAN:
        integer, exponent = sums[<int>PC_NUMBERS]
        nonfinite &= (1 << PC_NONFINITE_BITS) - 1
    elif spec.statistic == PC_VAR or spec.statistic == PC_STD:
        integer, exponent = centered_square_sum(count, sums)
        divisor = count * max(0, (count << ddof[1]) - ddof[0])
        exponent += ddof[1]
    else:
        integer, exponent = sums[<int>PC_SQUARES]
    if spec.statistic == PC_MEAN or spec.statistic == PC_RMS:
        divisor = count
    if divisor == 0:
        nonfinite = PC_NAN if nonfinite or integer == 0 else PC_PLUS_INF
        one.statistic = PC_SUM
    if nonfinite:             # NaN or Inf, as C makes it of such numbers
        pc_accumulator_clear(&nothing, one.statistic)
        pc_accumulator_add_nonfinite(&nothing, nonfinite)
        nothing.count = 1
        pc_accumulator_round(&nothing, &one, out)
        return PC_EMPTY if divisor == 0 else PC_OK
    write_quotient(integer, exponent, divisor, root, spec.type, out)
    return PC_OK


cdef int write_quotient(integer, exponent, divisor, bint root, pc_type type, char *out) except -1:
    """The float nearest to integer * 2**exponent / divisor, or to its root; divisor > 0."""
    # More bits than any float has, and a sticky bit for the remainder.
    size = abs(integer)
    shift = 132 + divisor.bit_length() - size.bit_length()
    if shift >= 0:
        quotient, rest = divmod(size << shift, divisor)
    else:
        quotient, rest = divmod(size >> -shift, divisor)
        rest = rest or size & (1 << -shift) - 1
    words = words_of(quotient << 1 | (rest != 0))
    pc_round_words(<const uint64_t *>cnp.PyArray_DATA(words), <size_t>len(words), min(exponent - shift - 1, BEYOND),
                   integer < 0, root, type, out)
    return 0


FLOAT64 = PC_FLOAT64


cpdef double quotient(integer, int exponent, divisor, bint root=False, int type=PC_FLOAT64) except? -1:
    """The float of a pc_type that is nearest to integer * 2**exponent / divisor, or to the root of that; divisor > 0."""
    cdef double made = 0.0
    if type == PC_FLOAT64 and not root:
        try:
            return (integer << exponent) / divisor if exponent >= 0 else integer / (divisor << -exponent)
        except OverflowError:
            return np.inf if integer > 0 else -np.inf
    if type == PC_FLOAT64:
        write_quotient(integer, exponent, divisor, root, PC_FLOAT64, <char *>&made)
        return made
    value = np.empty((), np.float32 if type == PC_FLOAT32 else np.float16)
    write_quotient(integer, exponent, divisor, root, <pc_type>type, <char *>cnp.PyArray_DATA(value))
    return value.item()
