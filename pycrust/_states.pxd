from libc.stddef cimport size_t

from pycrust._plan cimport Statistic
from pycrust.csrc cimport pc_accumulator, pc_states


cdef class States:
    cdef pc_states c
    cdef readonly tuple shape

    cdef States copy(self, size_t size)
    cdef bint is_empty(self) noexcept
    cdef States select(self, at)
    cdef int get(self, size_t index, pc_accumulator *acc) except -1
    cdef int add(self, size_t index, const pc_accumulator *acc) except -1
    cdef int add_along(self, array, mask, tuple axes, bint skip_nan, size_t workers) except -1
    cdef tuple dump(self)
    cdef int make_room(self, size_t more) except -1
    cdef int grow(self) except -1
    cdef int merge(self, States other) except -1
    cdef int add_labelled(self, array, mask, labels, tuple axes, size_t label_count, bint skip_nan, size_t workers,
                          bint labelled=*, bint grouped=*) except -1
    cdef object results(self, Statistic spec, dtype, bint integers, tuple label_axes, size_t workers)
    cdef object counts(self)


cdef object labels_of(labels)
cdef object too_many()
cdef size_t state_size(bint squares, bint complexes) noexcept
cdef tuple labelled_shape(tuple shape, tuple axes, labels, size_t label_count, str name=*)
cdef object shown_position(position, tuple label_axes)
cdef States load_states(tuple shape, bint complexes, bint integers, data, tuple rest)
