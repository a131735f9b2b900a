# cython: language_level=3, freethreading_compatible=True
"""Every function of pycrust's C API, callable from a test; without the GIL."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy

from pycrust cimport capi

capi.import_pycrust()

OK, EMPTY, TOO_LARGE, INVALID = capi.PC_OK, capi.PC_EMPTY, capi.PC_TOO_LARGE, capi.PC_INVALID
NO_ROOM, NO_LABEL = capi.PC_NO_ROOM, capi.PC_NO_LABEL
TYPES = {
    "int8": capi.PC_INT8,
    "uint8": capi.PC_UINT8,
    "int16": capi.PC_INT16,
    "uint16": capi.PC_UINT16,
    "int32": capi.PC_INT32,
    "uint32": capi.PC_UINT32,
    "int64": capi.PC_INT64,
    "uint64": capi.PC_UINT64,
    "bool": capi.PC_BOOL,
    "float16": capi.PC_FLOAT16,
    "float32": capi.PC_FLOAT32,
    "float64": capi.PC_FLOAT64,
    "complex64": capi.PC_COMPLEX64,
    "complex128": capi.PC_COMPLEX128,
}
STATISTICS = {
    "sumsq": capi.PC_SUMSQ,
    "norm": capi.PC_NORM,
    "rms": capi.PC_RMS,
    "sum": capi.PC_SUM,
    "mean": capi.PC_MEAN,
    "var": capi.PC_VAR,
    "std": capi.PC_STD,
}


def simd():
    return capi.pycrust_simd().decode()


def reduce(int type, bytes data, size_t count, int statistic, uint64_t ddof, int out_type, bytearray out, Py_ssize_t skip=0):
    """The status; `data` and `out` begin after `skip` bytes."""
    cdef const char *at = <const char *>data + skip
    cdef char *to = <char *>out + skip
    cdef capi.pc_status status
    with nogil:
        status = capi.pycrust_reduce(
            <capi.pc_type>type, at, count, <capi.pc_statistic>statistic, ddof, <capi.pc_type>out_type, to
        )
    return status


def sum_of_squares(uint64_t n):
    cdef capi.pc_u128 sum
    cdef capi.pc_status status
    with nogil:
        status = capi.pycrust_sum_of_squares(n, &sum)
    return status, (<object>sum.hi << 64) + sum.lo if status == capi.PC_OK else None


cdef class Accumulator:
    cdef capi.pc_accumulator *acc

    def __cinit__(self):
        self.acc = <capi.pc_accumulator *>malloc(capi.pycrust_accumulator_size())
        if self.acc == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.acc)

    def init(self, int statistic):
        return capi.pycrust_accumulator_init(self.acc, <capi.pc_statistic>statistic)

    def copy(self):
        cdef Accumulator other = Accumulator()
        memcpy(other.acc, self.acc, capi.pycrust_accumulator_size())
        return other

    def add(self, int type, bytes data, size_t count):
        cdef const char *at = data
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_accumulator_add(self.acc, <capi.pc_type>type, at, count)
        return status

    def merge(self, Accumulator other):
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_accumulator_merge(self.acc, other.acc)
        return status

    def count(self):
        return capi.pycrust_accumulator_count(self.acc)

    def result(self, int statistic, uint64_t ddof, int out_type, bytearray out):
        cdef char *to = out
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_accumulator_result(
                self.acc, <capi.pc_statistic>statistic, ddof, <capi.pc_type>out_type, to
            )
        return status


def state_size(int statistic):
    return capi.pycrust_state_size(<capi.pc_statistic>statistic)


cdef class States:
    """Each method that takes `done` gives (status, done)."""

    cdef capi.pc_states c

    def __cinit__(self, size_t size, size_t count):
        self.c.at = <char *>calloc(count, size)
        self.c.size = size
        self.c.count = count
        if self.c.at == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.c.at)
        free(self.c.pool)

    def grow(self, size_t by):
        cdef void *pool = realloc(self.c.pool, (self.c.pool_size + by) * capi.pycrust_accumulator_size())
        if pool == NULL:
            raise MemoryError
        self.c.pool = <capi.pc_accumulator *>pool
        self.c.pool_size += by

    def pool(self):
        return self.c.pool_used, self.c.pool_size

    def claim(self, size_t size, size_t count, size_t pool_used, size_t pool_size):
        """Say what may not be so."""
        self.c.size, self.c.count, self.c.pool_used, self.c.pool_size = size, count, pool_used, pool_size

    def add(self, int type, bytes data, int label_type, bytes labels, size_t count, size_t done, Py_ssize_t skip=0):
        cdef const char *at = <const char *>data + skip
        cdef const char *label = <const char *>labels + skip
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_states_add(
                &self.c, <capi.pc_type>type, at, <capi.pc_type>label_type, label, count, &done
            )
        return status, done

    def merge(self, States other, size_t done):
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_states_merge(&self.c, &other.c, &done)
        return status, done

    def count(self, size_t index):
        return capi.pycrust_states_count(&self.c, index)

    def result(self, int statistic, uint64_t ddof, int out_type, bytearray out, size_t stop, size_t done, Py_ssize_t skip=0):
        cdef char *to = <char *>out + skip
        cdef capi.pc_status status
        with nogil:
            status = capi.pycrust_states_result(
                &self.c, <capi.pc_statistic>statistic, ddof, <capi.pc_type>out_type, to, stop, &done
            )
        return status, done
