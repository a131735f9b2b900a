"""
Run the chunks of one job on several threads.

Why any split is safe: a chunk reads its own part of the input and gives exact
sums, which are integers; adding them up gives the same bits in any order.

Why an exception is safe at any time: the helpers are threads of the operating system
that know nothing of Python. They take chunks until there are none or the caller stops
them, and the caller does not return or raise before they are done. The main thread
checks for signals between its chunks, and an exception can arise only there: no other
Python code runs here. The helpers live for one call, so that a process that forks has
no thread of ours.

Why the interpreter may exit meanwhile: a daemon thread that then takes the GIL back
ends there (Python 3.13 and older) or hangs, and its stack is not unwound. So helpers
read a copy of the job on the heap, freed by the last thread that needs it. The job
points only to memory of Python objects or of Python's allocators, never to the caller's
stack: as the caller's references are never dropped then, that memory stays alive.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_get_thread_ident,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from pycrust._bigint cimport shown

import time
from operator import index
from threading import main_thread

from pycrust._cpu_count import usable_cores

cdef extern from *:
    """
    #include <time.h>
    static double pc_seconds(void)
    {
        struct timespec now;
        return timespec_get(&now, TIME_UTC) ? now.tv_sec + 1e-9 * now.tv_nsec : 0.0;
    }
    #if defined(_WIN32)
    #define pc_process() 0
    #else
    #include <unistd.h>
    #define pc_process() ((long)getpid())
    #endif
    #if defined(__linux__)
    #include <sys/syscall.h>
    #define pc_is_initial_thread() (syscall(SYS_gettid) == getpid())
    #elif defined(__APPLE__)
    #include <pthread.h>
    #define pc_is_initial_thread() (pthread_main_np() != 0)
    #else
    #define pc_is_initial_thread() 0
    #endif
    #define pc_start_thread(function, argument) \\
        (PyThread_start_new_thread((function), (argument)) != PYTHREAD_INVALID_THREAD_ID)
    """
    double pc_seconds() noexcept nogil
    long pc_process() noexcept nogil             # where there is no fork, any number
    bint pc_is_initial_thread() noexcept nogil
    bint pc_start_thread(void (*function)(void *) noexcept nogil, void *argument) noexcept

cdef extern from "base/atomics.h" nogil:
    ctypedef struct pc_counter:
        pass
    uint64_t pc_counter_add(pc_counter *counter, uint64_t n) noexcept

cdef extern from "pythread.h" nogil:
    void PyThread_free_lock(PyThread_type_lock) noexcept     # Cython's own declarations ask for the GIL
    int PyThread_acquire_lock_timed(PyThread_type_lock, long long microseconds, int interruptible) noexcept

cdef enum:
    # The most threads that one call uses: more than any machine has cores for.
    MAX_WORKERS = 1024
    # How long the main thread computes between two checks for signals: each takes the GIL.
    SIGNAL_CHECK_MS = 20
    # A thread takes some 60 us to start, several times that on a busy machine: for less work it is not started.
    MIN_HELP_US = 200
    # So many elements take longer than that, whatever is done to them.
    MIN_HELPED_WORK = 1 << 20


cdef bint is_main_thread() except -1:
    """
    Whether this may be the thread on which Python runs signal handlers.

    Under gevent, `threading` has the identity of a greenlet for it: then the system's thread id counts.
    """
    return pc_is_initial_thread() or PyThread_get_thread_ident() == main_thread().ident


cdef size_t count_workers(workers) except 0:
    """How many threads ``workers=`` asks for; negative numbers count from all usable cores."""
    try:
        count = index(workers)
    except TypeError:
        raise TypeError("workers must be an integer, the number of threads, or -1 for all cores, -2 for all but one, "
                        f"not {shown(workers)}") from None
    if count < 0:
        cores = usable_cores()
        if count < -cores:
            raise ValueError(f"workers = {shown(count)} is no thread at all, counted from "
                             f"the {cores} usable cores: pass -1 for all of them, or k for k threads")
        count += cores + 1
    if count == 0:
        raise ValueError("workers = 0: pass 1 for none beside the caller's thread, k for k threads, -1 for all cores")
    return min(count, MAX_WORKERS)


cdef struct ThreadTeam:
    Task task
    const void *job             # the copy behind this struct, or the caller's own if no thread helps
    size_t chunks
    pc_counter taken            # chunks taken
    pc_counter stopped          # whether those that were are not to be gone on with
    pc_counter helpers          # helpers that have begun
    pc_counter working          # threads that may take chunks, including the caller
    pc_counter references       # threads that have yet to let go of this struct
    PyThread_type_lock finished     # held until no thread is working


cdef ThreadTeam *new_team(Task task, const void *job, size_t size, size_t chunks) noexcept:
    cdef ThreadTeam *team = <ThreadTeam *>PyMem_RawMalloc(sizeof(ThreadTeam) + size)
    if team == NULL:
        return NULL
    memset(team, 0, sizeof(ThreadTeam))
    team.task = task
    team.job = memcpy(team + 1, job, size)
    team.chunks = chunks
    pc_counter_add(&team.working, 1)
    pc_counter_add(&team.references, 1)
    team.finished = PyThread_allocate_lock()
    if team.finished == NULL:
        PyMem_RawFree(team)
        return NULL
    PyThread_acquire_lock(team.finished, 1)
    return team


cdef void release(ThreadTeam *team) noexcept nogil:
    """This thread does not touch the team any more; the last one frees it."""
    if pc_counter_add(&team.references, <uint64_t>-1) == 1:
        PyThread_free_lock(team.finished)
        PyMem_RawFree(team)


cdef void finish(ThreadTeam *team) noexcept nogil:
    """This thread takes no more chunks."""
    if pc_counter_add(&team.working, <uint64_t>-1) == 1:
        PyThread_release_lock(team.finished)


cdef void stop(ThreadTeam *team) noexcept nogil:
    """Let no more chunks be taken; those that were are finished, but for those that say MORE."""
    pc_counter_add(&team.stopped, 1)
    pc_counter_add(&team.taken, team.chunks)


cdef bint take_chunks(ThreadTeam *team, size_t worker, double max_seconds, uint64_t *unfinished) noexcept nogil:
    """
    Do chunks for this many seconds (0: until there are none); returns whether there may be more.

    *unfinished: 1 + the number of the chunk to go on with, or 0.
    """
    cdef uint64_t chunk
    cdef int status
    cdef double started = pc_seconds(), now
    while True:
        chunk = unfinished[0] - 1 if unfinished[0] else pc_counter_add(&team.taken, 1)
        if chunk >= team.chunks:
            return False
        status = team.task(team.job, chunk, worker)
        unfinished[0] = 1 + chunk if status == MORE and not pc_counter_add(&team.stopped, 0) else 0
        if status != MORE and status:
            stop(team)
        if max_seconds:
            now = pc_seconds()
            if not 0 <= now - started < max_seconds:      # a clock that was set back counts as well
                return True


cdef void helper_main(void *argument) noexcept nogil:
    cdef ThreadTeam *team = <ThreadTeam *>argument
    cdef uint64_t unfinished = 0
    take_chunks(team, 1 + pc_counter_add(&team.helpers, 1), 0, &unfinished)
    finish(team)
    release(team)


cdef bint start_helper(ThreadTeam *team) noexcept:
    """Start a helper; returns whether that was possible: if not, the others do the work."""
    pc_counter_add(&team.working, 1)
    pc_counter_add(&team.references, 1)
    if pc_start_thread(helper_main, team):
        return True
    pc_counter_add(&team.working, <uint64_t>-1)
    pc_counter_add(&team.references, <uint64_t>-1)
    return False


cdef size_t start_helpers(ThreadTeam *team, size_t wanted) noexcept:
    """Start this many, or as many as is possible."""
    cdef size_t helping = 0
    while helping < wanted and start_helper(team):
        helping += 1
    return helping


cdef bint is_worth_help(ThreadTeam *team, uint64_t unfinished, double seconds) noexcept:
    """Whether what is left takes long enough to start helpers, judged by how long the first chunks took."""
    cdef uint64_t taken = pc_counter_add(&team.taken, 0), done = taken - (unfinished != 0)
    return taken < team.chunks and (done == 0 or 1e6 * seconds * (team.chunks - done) > MIN_HELP_US * done)


cdef int run_chunks(Task task, const void *job, size_t size, size_t chunks, size_t workers, double work) except -1:
    """
    Do all chunks; each thread takes them in ascending order. Worker 0 is the caller's thread.

    `job` has `size` bytes, of which the threads read a copy: it must not point to the stack.

    `work`: about how many elements there are, a double, so that products do not overflow. Below MIN_RELEASE_GIL
    the caller does all, without releasing the GIL; below MIN_HELPED_WORK it does the first chunk, and starts helpers
    if the rest is worth it. The main thread checks for signals before this returns, in either case.
    """
    cdef ThreadTeam alone
    cdef ThreadTeam *team = &alone
    cdef size_t chunk, helping = 0, wanted = max(<size_t>1, min(workers, chunks)) - 1
    cdef uint64_t unfinished = 0
    cdef int status = 0
    cdef long process = 0
    if work < MIN_RELEASE_GIL:
        for chunk in range(chunks):
            status = MORE
            while status == MORE:
                status = task(job, chunk, 0)
            if status:
                break
        PyErr_CheckSignals()
        return 0
    cdef double max_seconds = 0.001 * SIGNAL_CHECK_MS, started
    cdef bint more = chunks > 0, waits = False, alone_at_first = wanted and work < MIN_HELPED_WORK
    memset(&alone, 0, sizeof(alone))
    alone.task = task
    alone.job = job
    alone.chunks = chunks
    if wanted:
        process = pc_process()
        team = new_team(task, job, size, chunks)
        if team == NULL:
            raise MemoryError
    if not alone_at_first:
        helping = start_helpers(team, wanted)
    try:
        while more or waits:
            with nogil:
                if more:
                    started = pc_seconds()
                    more = take_chunks(team, 0, 1e-9 if alone_at_first else max_seconds, &unfinished)
                    if not more and team != &alone:
                        finish(team)
                        waits = True
                else:
                    waits = not PyThread_acquire_lock_timed(team.finished, <long long>(1e6 * max_seconds) or -1, 0)
            if alone_at_first:
                alone_at_first = False
                if more and is_worth_help(team, unfinished, pc_seconds() - started):
                    helping = start_helpers(team, wanted)
            elif max_seconds:
                PyErr_CheckSignals()
                if (more or waits) and not is_main_thread():    # asked only where a call takes long: it takes 1 us
                    max_seconds = 0
            if max_seconds and helping and pc_process() != process:
                raise RuntimeError("a signal handler forked amid a call with several workers: "
                                   "it ends in the parent process alone")
    finally:
        # Not in the child, if a handler forked, whatever it raised there: it has no helpers to wait for.
        if team != &alone and not (helping and pc_process() != process):
            with nogil:
                if more or waits:       # an exception
                    stop(team)
                    if more:
                        finish(team)
                    PyThread_acquire_lock(team.finished, 1)
                release(team)
    return 0


# ---- loops without chunks -----------------------------------------------------

cdef enum:
    FIRST_TIME_SLICE = 1 << 22


cdef TimeSlices time_slices_of(uint64_t work) except *:
    cdef TimeSlices slices
    slices.size = work
    slices.started = 0.0
    if work > FIRST_TIME_SLICE and is_main_thread():
        slices.size = FIRST_TIME_SLICE
        slices.started = time.perf_counter()
    return slices


cdef int after_time_slice(TimeSlices *slices) except -1:
    """Raise KeyboardInterrupt (or what a handler raises); set the next slice's size."""
    cdef double now
    if slices.started == 0.0:
        return 0
    PyErr_CheckSignals()
    now = time.perf_counter()
    if now - slices.started < 0.010:
        slices.size *= 2
    elif now - slices.started > 0.030:
        slices.size = slices.size // 2 + 1
    slices.started = now
    return 0
