from pycrust.csrc cimport pc_statistic, pc_type


cdef int type_of(int number, int *components) noexcept
cdef bint is_taken(array) noexcept
cdef object changed(str what)
cdef int check_shape(other, array) except -1
cdef int describe_data(array, pc_type *type, int *components, int *swapped, const char **data) except -1
cdef object array_of(a, str name)
cdef tuple array_and_missing(a, str name)
cdef object numbers_of(array, str name=*)
cdef tuple data_of(a, where, bint skip_missing, str name=*)
cdef bint is_integer(array)
cdef bint is_exact(array, pc_statistic statistic)
cdef object integer_of(number, str name, str kind=*)
cdef object axis_of_ints(axis)
cdef tuple axes_of(axis, int ndim)
cdef object in_order(array, axis, int ndim)
cdef object mask_of(where, array)
cdef object native_dtype(dtype)
cdef object dtype_of(dtype, out, array, pc_statistic statistic)
cdef int check_out(out, tuple shape) except -1
