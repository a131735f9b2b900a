from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

# What a thread does with the chunk of that number. MORE: it is called again with the same chunk and worker, once
# signals have been checked for; any other result than 0 stops all threads. It touches no Python object, and does not
# write to the job itself, only to what the job points to.
cdef enum:
    MORE = -1
ctypedef int (*Task)(const void *job, size_t chunk, size_t worker) noexcept nogil

cdef enum:
    # Below this many elements a call takes so little time that releasing the
    # GIL and taking it back (some 40 ns) would cost more than it gives.
    MIN_RELEASE_GIL = 4096

cdef bint is_main_thread() except -1
cdef size_t count_workers(workers) except 0
cdef int run_chunks(Task task, const void *job, size_t size, size_t chunks, size_t workers, double work) except -1

# A long loop on the main thread, where Python runs signal handlers, is cut into slices of about 10 ms, with a check
# for signals after each; on any other thread it is one slice, so that a worker never takes the GIL back midway.
cdef struct TimeSlices:
    uint64_t size       # units of work in the next slice
    double started      # perf_counter() at its start; 0: there is one slice alone

cdef TimeSlices time_slices_of(uint64_t work) except *
cdef int after_time_slice(TimeSlices *slices) except -1
