from libc.stddef cimport size_t

# What a thread does with the piece of that number; any but 0 stops all. It touches no Python object.
ctypedef int (*Task)(void *job, size_t piece, size_t worker) noexcept nogil

cdef bint is_main_thread() except -1
cdef size_t count_workers(workers) except 0
cdef int run_pieces(Task task, void *job, size_t pieces, size_t workers, bint quick) except -1
