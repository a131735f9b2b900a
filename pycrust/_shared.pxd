# What both extension modules need around a C call: Python ints from machine
# words, checks of out=, Ctrl-C, and SIMD levels by name.

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint64_t

from pycrust._threads cimport is_main_thread

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


cdef inline object int_from_words(uint64_t *words, size_t count):
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


cdef inline object int_from_u128(uint64_t lo, uint64_t hi):
    cdef uint64_t words[2]
    words[0] = lo
    words[1] = hi
    return int_from_words(words, 2 if hi else 1)


# ---- out= -------------------------------------------------------------------

cdef inline int check_out(out, tuple shape) except -1:
    """Refuse an out= that results of this shape cannot be written to."""
    import numpy as np
    from numpy.ma import MaskedArray

    if not isinstance(out, np.ndarray) or isinstance(out, MaskedArray):
        raise TypeError(f"out must be a plain array, not {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, but the result has shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")


# ---- Ctrl-C -----------------------------------------------------------------
# Python runs signal handlers on the main thread only. There a long job is cut
# into slices of about 10 ms, with a look for signals after each; on any other
# thread it is one slice, so that a worker never takes the GIL back midway.

cdef struct Slices:
    uint64_t size     # units of work in the next slice
    double started    # perf_counter() at its start

cdef enum:
    FIRST_SLICE = 1 << 22


cdef inline Slices slices_of(uint64_t work):
    cdef Slices slices
    slices.size = work
    slices.started = 0.0
    if work > FIRST_SLICE:
        cut_slices(&slices)
    return slices


cdef inline int cut_slices(Slices *slices) except -1:
    from time import perf_counter

    if is_main_thread():
        slices.size = FIRST_SLICE
        slices.started = perf_counter()


cdef inline int after_slice(Slices *slices) except -1:
    """Raise KeyboardInterrupt (or what a handler raises); set the next slice's size."""
    if slices.started != 0.0:
        look_for_signals(slices)


cdef inline int look_for_signals(Slices *slices) except -1:
    from time import perf_counter

    cdef double now
    PyErr_CheckSignals()
    now = perf_counter()
    if now - slices.started < 0.010:
        slices.size *= 2
    elif now - slices.started > 0.030:
        slices.size = slices.size // 2 + 1
    slices.started = now
