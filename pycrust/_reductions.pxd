from pycrust.csrc cimport pc_statistic


cdef object reduction(a, axis, dtype, out, bint keepdims, where, workers, pc_statistic statistic, ddof=*, correction=*,
                      bint skip_nan=*)
