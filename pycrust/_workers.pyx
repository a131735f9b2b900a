"""
Threads: run the pieces of one job on several.

Why any split is safe: a piece reads its own part of the input and gives exact
sums, which are integers; adding them up gives the same bits in any order.

Why an exception may strike at any time: the helpers are threads of the operating
system that know nothing of Python. They take pieces until there are none or the
caller says stop, and the caller does not return or raise before they are done.
Between its pieces the main thread looks for signals, and there alone an exception
can arise: no Python code runs here that could be struck elsewhere. The helpers
live for one call, so that no thread of ours is there when a process forks.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_get_thread_ident,
    PyThread_release_lock,
    PyThread_type_lock,
)

import os
from operator import index
from threading import main_thread

from pycrust._cores import usable_cores

cdef extern from *:
    """
    #include <time.h>
    static double pc_seconds(void)
    {
        struct timespec now;
        return timespec_get(&now, TIME_UTC) ? now.tv_sec + 1e-9 * now.tv_nsec : 0.0;
    }
    #define pc_start_thread(function, argument) \\
        (PyThread_start_new_thread((function), (argument)) != PYTHREAD_INVALID_THREAD_ID)
    """
    double pc_seconds() noexcept nogil
    bint pc_start_thread(void (*function)(void *) noexcept nogil, void *argument) noexcept

cdef enum:
    # More threads than any machine has use for, and all that one call starts.
    MOST_WORKERS = 1024
    # For so long the main thread does not look for signals: each look takes the GIL.
    LOOK_AFTER_MS = 20


cdef size_t count_workers(workers) except 0:
    """How many threads ``workers=`` asks for; negative numbers count from all usable cores."""
    try:
        count = index(workers)
    except TypeError:
        raise TypeError(f"workers must be an integer, the number of threads or -1 for all cores, not {workers!r}") from None
    if count < 0:
        cores = usable_cores()
        if count < -cores:
            raise ValueError(f"workers = {count if count > -2**63 else 'less than -2**63'}: this process may use {cores} cores; pass 1 to {cores}, or -1 for all")
        count += cores + 1
    if count == 0:
        raise ValueError("workers = 0: pass 1 for none beside the caller's thread, k for k threads, -1 for all cores")
    return min(count, MOST_WORKERS)


cdef struct Crew:
    Task task
    void *job
    size_t next, pieces             # under the lock, as all that threads write here
    PyThread_type_lock lock


cdef struct Helper:
    Crew *crew
    size_t number
    PyThread_type_lock working      # released when done


cdef bint take_pieces(Crew *crew, size_t worker, double until) noexcept nogil:
    """Do pieces for so many seconds (0: to the end); whether there may be more."""
    cdef size_t piece
    cdef double started = pc_seconds(), now
    while True:
        PyThread_acquire_lock(crew.lock, 1)
        piece = crew.next
        if piece < crew.pieces:
            crew.next += 1
        PyThread_release_lock(crew.lock)
        if piece >= crew.pieces:
            return False
        if crew.task(crew.job, piece, worker):
            stop(crew)
        if until:
            now = pc_seconds()
            if not 0 <= now - started < until:      # a clock that was set back counts as well
                return True


cdef void stop(Crew *crew) noexcept nogil:
    """No piece is taken any more; those that were are done to their ends."""
    PyThread_acquire_lock(crew.lock, 1)
    crew.next = crew.pieces
    PyThread_release_lock(crew.lock)


cdef void help(void *argument) noexcept nogil:
    cdef Helper *me = <Helper *>argument
    take_pieces(me.crew, me.number, 0)
    PyThread_release_lock(me.working)       # and touches nothing after that


cdef int run_pieces(Task task, void *job, size_t pieces, size_t workers, bint quick) except -1:
    """
    Do all pieces, in order as far as one thread sees them; worker 0 is the caller's thread.

    A quick job is done at once, without releasing the GIL.
    """
    cdef Crew crew
    cdef Helper *helpers = NULL
    cdef size_t piece, helping = 0, wanted = min(workers, pieces)
    if quick:
        for piece in range(pieces):
            if task(job, piece, 0):
                break
        return 0
    cdef double until = 0.001 * LOOK_AFTER_MS if PyThread_get_thread_ident() == main_thread().ident else 0
    cdef bint more = pieces > 0, forked = False
    process = os.getpid()
    crew.task = task
    crew.job = job
    crew.next = 0
    crew.pieces = pieces
    crew.lock = PyThread_allocate_lock()
    if crew.lock == NULL:
        raise MemoryError
    if wanted > 1:
        helpers = <Helper *>PyMem_Malloc((wanted - 1) * sizeof(Helper))
    if helpers != NULL:
        while helping < wanted - 1 and start(&helpers[helping], &crew, helping + 1):
            helping += 1
    try:
        while more:
            with nogil:
                more = take_pieces(&crew, 0, until)
            if until:
                PyErr_CheckSignals()
            if until and helping and os.getpid() != process:
                forked = True
                raise RuntimeError("a signal handler forked amid a call with several workers: "
                                   "it ends in the parent process alone")
    finally:
        if not forked:      # the child has neither the helpers nor any use for their locks
            with nogil:
                stop(&crew)
                for piece in range(helping):
                    PyThread_acquire_lock(helpers[piece].working, 1)
            for piece in range(helping):
                PyThread_release_lock(helpers[piece].working)
                PyThread_free_lock(helpers[piece].working)
            PyMem_Free(helpers)
            PyThread_free_lock(crew.lock)
    return 0


cdef bint start(Helper *helper, Crew *crew, size_t number) noexcept:
    """Whether a thread could be had; without one the others do the work."""
    helper.crew = crew
    helper.number = number
    helper.working = PyThread_allocate_lock()
    if helper.working == NULL:
        return False
    PyThread_acquire_lock(helper.working, 1)
    if not pc_start_thread(help, helper):
        PyThread_release_lock(helper.working)
        PyThread_free_lock(helper.working)
        return False
    return True
