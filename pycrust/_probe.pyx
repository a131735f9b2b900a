# Ask for the GIL at random moments, and time the wait.
#
# `ask` does so for `pycrust threadable`, `Watch` for `pycrust stalls`: see probe/watch.h. This module imports nothing
# but the standard library, so that a program may be watched without what pycrust needs.

from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport NAN
from libc.stdint cimport uint64_t

import atexit
import faulthandler
import gc
import os
import sys


cdef extern from "Python.h":
    void *PyThreadState_Get()

cdef extern from "watch.h" nogil:
    ctypedef struct pc_gil:
        const char **holder
        const int *locked
        const unsigned long *interval
        const int *collecting
        const int *asked
        size_t tid_in_state
        size_t ident_in_state

    ctypedef struct pc_spell:
        unsigned long switches
        unsigned long ident
        int tid
        double since
        double first
        double last
        double cpu
        double asleep
        double ignored
        int looks
        int collecting
        int length
        char *text

    ctypedef struct pc_stall:
        double begin
        double end
        unsigned long switches
        double late
        double delay
        int direct
        pc_spell spell

    ctypedef struct pc_figures:
        unsigned long beats
        unsigned long waits
        unsigned long looks
        double waited
        double longest_wait
        double unseen
        double longest_late
        double started
        int signal_lost

    ctypedef struct pc_watch:
        pass

    const char *pc_gil_find(pc_gil *gil)
    pc_watch *pc_watch_new(const pc_gil *gil, double over)
    void pc_watch_free(pc_watch *watch)
    int pc_watch_pipe(pc_watch *watch)
    int pc_signal_is_free(int signum)
    void pc_watch_signal(pc_watch *watch, int signum)
    int pc_watch_has_signal(pc_watch *watch)
    void pc_watch_keep_signal(pc_watch *watch, int begin)
    int pc_watch_start(pc_watch *watch, void *(*beat)(void *) noexcept, void *argument)
    void pc_watch_begun(pc_watch *watch)
    void pc_watch_stop(pc_watch *watch)
    int pc_watch_nap(pc_watch *watch, double mean)
    int pc_watch_ask(pc_watch *watch, int always)
    double pc_watch_got(pc_watch *watch)
    unsigned long pc_watch_holder(pc_watch *watch)
    void pc_watch_judge(pc_watch *watch, pc_stall *stall)
    double pc_watch_over(pc_watch *watch)
    void pc_watch_figures(pc_watch *watch, pc_figures *figures, int reset)
    int pc_readable(const void *bytes)
    int pc_gettid()
    int pc_is_locked(const pc_gil *gil)
    double pc_delay_of(int tid)
    double pc_cpu_of(int tid)

cdef extern from "clock.h" nogil:
    double pc_now()
    void pc_nap(double seconds)
    double pc_random_time(uint64_t *random, double mean)
    uint64_t pc_seed()


# ---- can this interpreter's GIL be read? --------------------------------------

cdef pc_gil the_gil
cdef object the_reason = None  # why not; "": it can


def why_not():
    """Why this interpreter's GIL cannot be watched; '' if it can."""
    global the_reason
    cdef const char *reason
    if the_reason is None:
        reason = pc_gil_find(&the_gil)
        if reason != NULL:
            the_reason = reason.decode()
        elif not gil_is_there():
            the_reason = (
                f"this CPython {sys.version.split()[0]} is laid out otherwise than the one that pycrust was built "
                "for: build pycrust on it"
            )
        else:
            the_reason = ""
    return the_reason


cdef bint gil_is_there():
    """Whether what was found behaves as the GIL that this thread has."""
    cdef const void *places[4]
    cdef const char *state = <const char *>PyThreadState_Get()
    places[:] = [the_gil.holder, the_gil.locked, the_gil.interval, the_gil.collecting]
    for place in places:
        if not pc_readable(place):
            return False
    if the_gil.asked != NULL and not pc_readable(the_gil.asked):
        return False
    if the_gil.holder[0] != state or the_gil.locked[0] != 1:
        return False
    if the_gil.interval[0] != <unsigned long>round(1e6 * sys.getswitchinterval()):
        return False
    if (<const unsigned long *>(state + the_gil.tid_in_state))[0] != <unsigned long>pc_gettid():
        return False
    if (<const unsigned long *>(state + the_gil.ident_in_state))[0] != PyThread_get_thread_ident():
        return False
    seen = []

    def look(phase, info):
        seen.append(the_gil.collecting[0])

    if the_gil.collecting[0] == 0:
        gc.callbacks.append(look)
        try:
            gc.collect(0)
        finally:
            gc.callbacks.remove(look)
        return the_gil.collecting[0] == 0 and 1 in seen
    return False


# ---- a thread that asks --------------------------------------------------------

cdef double STEP = 2e-5  # seconds: what a thread runs on, at most, after it gave the GIL away


def ask(stopped, double mean, worker=(), meet=None):
    """
    Ask for the GIL at random moments, until ``stopped()`` is true, and once more.

    Parameters
    ----------
    stopped : callable
    mean : float
        Seconds from one moment to the next: exponential, so that nothing regular keeps in step.
    worker : list, optional
        As soon as it is known: the number of the thread that is observed, as the system has it.
    meet : callable, optional
        Called as soon as the GIL is there, as part of the wait; for an interpreter without a GIL.

    Returns
    -------
    list of tuple
        Each time: asked, got, on the clock of `time.perf_counter`; held: whether somebody had the GIL when it asked,
        1.0 or 0.0, or -1.0 where that cannot be read, or NaN if nobody had it because the worker, which gave it to this
        thread the last time, has had no core since to take it back; and the seconds for which this thread was ready
        and had no core, before it asked and while it waited. The first is the beginning.
    """
    cdef const pc_gil *gil = NULL if why_not() else &the_gil
    cdef uint64_t random = pc_seed()
    cdef int tid = pc_gettid()
    cdef double asked = pc_now(), got = asked, held
    cdef double at_ask = pc_delay_of(tid), at_nap, wait_delay
    cdef double given = -1.0  # the processor time of the worker when it had last given the GIL away
    cdef int worker_tid = 0
    cdef bint last = False
    figures = [asked, got, 0.0, 0.0]  # one list of floats: no work for the garbage collector
    while not last:
        last = stopped()
        with nogil:
            at_nap = pc_delay_of(tid)
            wait_delay = at_nap - at_ask
            pc_nap(pc_random_time(&random, mean))
            at_ask = pc_delay_of(tid)
            held = -1.0 if gil == NULL else pc_is_locked(gil)
            if held == 0.0 and given >= 0.0:
                if pc_cpu_of(worker_tid) - given < STEP:
                    held = NAN
                else:
                    given = -1.0
            asked = pc_now()
        if meet is not None:
            meet()
        got = pc_now()
        if held == 1.0:
            worker_tid = worker[0] if worker else 0
            given = pc_cpu_of(worker_tid)
        figures += (wait_delay, asked, got, held, at_ask - at_nap)
    figures.append(0.0)
    return list(zip(*[iter(figures)] * 5))


# ---- the watch ------------------------------------------------------------------

cdef Watch the_watch = None  # the one that runs, in this process
cdef bint hooked = False


cdef class Watch:
    """
    Watch the GIL of this process, from `start` to `stop`.

    Parameters
    ----------
    over : float
        The shortest wait that counts, in seconds.
    signum : int
        The signal that makes a thread write its traceback.
    sink : int, optional
        A file to write each stall to, as a line, as soon as it is over.

    Attributes
    ----------
    stalls : list of tuple
        Of each wait: begin, seconds, switches of the GIL, late, delay; of its longest spell: what of it was before the
        first look, seconds since then, cpu, asleep, ignored, looks, of them while collecting; ident and name of the
        thread, the tracebacks it wrote, and the place where it gave the GIL away after a call: (file, line,
        function) or None.
    """

    cdef pc_watch *watch
    cdef pc_stall stall
    cdef int signum
    cdef int always
    cdef object sink
    cdef object where  # the place where the last wait ended
    cdef readonly list stalls
    cdef readonly bint running

    def __cinit__(self, double over, int signum, sink=None):
        reason = why_not()
        if reason:
            raise RuntimeError(f"the GIL cannot be watched here: {reason}")
        self.watch = pc_watch_new(&the_gil, over)
        if self.watch == NULL:
            raise MemoryError
        self.signum = signum
        self.sink = sink
        self.stalls = []

    def __dealloc__(self):
        if self.watch != NULL:
            pc_watch_free(self.watch)

    def start(self, bint always=False):
        """Begin; with `always` ask for the GIL even when it is free."""
        global the_watch
        if the_watch is not None:
            raise RuntimeError("this process is being watched already: one watch at a time")
        if not pc_signal_is_free(self.signum):
            raise RuntimeError(f"signal {self.signum} is in use in this process: give another")
        hook()
        the_watch = self
        try:
            self.take_signal()
            self.always = always
            self.resume()
        except BaseException:
            self.give_signal()
            the_watch = None
            raise

    cdef take_signal(self):
        cdef int file = pc_watch_pipe(self.watch)
        if file >= 0:
            faulthandler.register(self.signum, file=file, all_threads=False, chain=False)
            pc_watch_signal(self.watch, self.signum)

    cdef give_signal(self):
        pc_watch_keep_signal(self.watch, True)
        faulthandler.unregister(self.signum)
        pc_watch_keep_signal(self.watch, False)

    cdef resume(self):
        cdef int error
        self.running = True
        Py_INCREF(self)  # the beat's
        error = pc_watch_start(self.watch, beat, <void *>self)
        if error:
            Py_DECREF(self)
            self.running = False
            raise RuntimeError(f"no thread can be started to watch the GIL: {os.strerror(error)}")
        with nogil:
            pc_watch_begun(self.watch)

    cdef pause(self):
        with nogil:
            pc_watch_stop(self.watch)
        if self.running:
            self.running = False
            Py_DECREF(self)

    def stop(self):
        """End; joins the threads of the watch."""
        global the_watch
        if the_watch is self:
            self.pause()
            self.give_signal()
            the_watch = None

    def figures(self, bint reset=False):
        """
        Beats, waits, seconds waited, longest wait; looks of the watcher, seconds for which it could not look, the
        latest look; seconds in all, the shortest wait that counts; whether the program took the signal; the start, or
        last reset, which all this is since.
        """
        cdef pc_figures figures
        cdef double seconds
        with nogil:
            pc_watch_figures(self.watch, &figures, reset)
        seconds = pc_now() - figures.started
        return (
            figures.beats, figures.waits, figures.waited, figures.longest_wait, figures.looks, figures.unseen,
            figures.longest_late, seconds, pc_watch_over(self.watch), bool(figures.signal_lost), figures.started,
        )

    def ask_always(self, bint always):
        """Whether to ask for the GIL even when it is free."""
        self.always = always

    cdef void beats(self) noexcept:
        """The beat's thread, which has the GIL here."""
        cdef double mean = BEAT
        cdef double wait
        cdef double over
        cdef bint long_wait = False
        cdef bint alive = True
        while alive:
            with nogil:
                if long_wait:
                    pc_watch_judge(self.watch, &self.stall)
                    pc_watch_ask(self.watch, True)
                else:
                    while True:
                        alive = pc_watch_nap(self.watch, mean)
                        mean = BEAT
                        if pc_watch_ask(self.watch, self.always or not alive):
                            break
            wait = pc_watch_got(self.watch)
            if long_wait:
                self.keep()
            # Python code, asked for the GIL, gives it after a switch interval. Being asked too often would slow it.
            mean = min(max(BEAT, 2.0 * wait), SLOWEST_BEAT)
            over = pc_watch_over(self.watch)
            long_wait = wait >= over and alive
            if long_wait:
                self.where = place_of(pc_watch_holder(self.watch))  # before the holder goes on
            else:
                with nogil:
                    pc_watch_judge(self.watch, NULL)

    cdef void keep(self) noexcept:
        """Add the last stall to the list."""
        cdef pc_stall *stall = &self.stall
        cdef pc_spell *spell = &stall.spell
        try:
            if len(self.stalls) >= MOST_STALLS:
                return
            name, place = name_of(spell.ident), None
            if self.where is not None and stall.direct:
                name, place = self.where
            text = spell.text[:spell.length].decode("ascii", "replace")
            if spell.ident == 0:
                event = (stall.begin, stall.end - stall.begin, stall.switches, stall.late, stall.delay,
                         0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, None, "", None)
            else:
                event = (stall.begin, stall.end - stall.begin, stall.switches, stall.late, stall.delay,
                         spell.first - spell.since, spell.last - spell.first, spell.cpu, spell.asleep, spell.ignored,
                         spell.looks, spell.collecting, spell.ident, name, text, place)
            self.stalls.append(event)
            if self.sink is not None:
                self.sink(event)
        except BaseException:
            pass


MOST_STALLS = 100_000

cdef double BEAT = 0.001  # seconds between two beats on average
cdef double SLOWEST_BEAT = 0.010


cdef void *beat(void *watch) noexcept with gil:
    (<Watch>watch).beats()
    return NULL


cdef object name_of(unsigned long ident):
    """The name of a thread; None if it is not known to threading."""
    threading = sys.modules.get("threading")
    thread = None if threading is None else threading._active.get(ident)
    return None if thread is None else thread._name


cdef object place_of(unsigned long ident):
    """The name of a thread, and where it is, if it just made a call: (file, line, function)."""
    try:
        name = name_of(ident)
        frame = sys._current_frames().get(ident)
        if frame is None:
            return name, None
        code = frame.f_code
        instructions = code.co_code
        at = frame.f_lasti
        while at >= 0 and instructions[at] == 0:  # the cache that follows an instruction
            at -= 2
        place = (code.co_filename, frame.f_lineno, code.co_qualname)
        return name, (place if at >= 0 and instructions[at] in CALLS else None)
    except BaseException:
        return None


def _calls():
    from opcode import opmap

    return frozenset(code for name, code in opmap.items() if name.startswith(("CALL", "PRECALL")))


cdef object CALLS = _calls()


# ---- fork and exit ----------------------------------------------------------------

cdef hook():
    global hooked
    if not hooked:
        hooked = True
        atexit.register(at_exit)
        os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=in_child)


def at_exit():
    if the_watch is not None:
        the_watch.stop()


# A process with threads must not fork (and Python 3.12 warns of it): the watch holds still meanwhile.

def before_fork():
    if the_watch is not None:
        the_watch.pause()


def after_fork():
    if the_watch is not None:
        try:
            the_watch.resume()
        except RuntimeError:
            pass


def in_child():
    global the_watch
    if the_watch is not None:
        the_watch.give_signal()
        the_watch = None
