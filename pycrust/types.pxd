# The types of include/pycrust_types.h, for capi.pxd and csrc.pxd.

from libc.stdint cimport uint64_t

cdef extern from "pycrust_types.h" nogil:
    ctypedef int pc_status
    enum:
        PC_OK
        PC_EMPTY
        PC_TOO_LARGE
        PC_INVALID
        PC_NO_ROOM
        PC_NO_LABEL

    ctypedef enum pc_type:
        PC_INT8
        PC_UINT8
        PC_INT16
        PC_UINT16
        PC_INT32
        PC_UINT32
        PC_INT64
        PC_UINT64
        PC_BOOL
        PC_FLOAT16
        PC_FLOAT32
        PC_FLOAT64
        PC_COMPLEX64
        PC_COMPLEX128

    ctypedef enum pc_statistic:
        PC_SUMSQ
        PC_NORM
        PC_RMS
        PC_SUM
        PC_MEAN
        PC_VAR
        PC_STD

    ctypedef struct pc_u128:
        uint64_t lo
        uint64_t hi
