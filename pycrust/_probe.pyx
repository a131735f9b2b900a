# Ask for the GIL at random moments, and time the wait.
#
# `ask` does so for `pycrust threadable`, `Watch` for `pycrust stalls`: see probe/watch.h. This module imports nothing
# but the standard library, so that a program can be watched without importing NumPy.

from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport NAN
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

import atexit
import faulthandler
import gc
import os
import sys


cdef extern from "Python.h":
    void *PyThreadState_Get()
    int PyGC_Disable()
    int PyGC_Enable()
    void PyErr_Clear()
    int Py_AddPendingCall(int (*function)(void *) noexcept, void *argument) nogil

cdef extern from "gil.h":
    void *pc_variable(void *frame, const char *name)

cdef extern from "watch.h" nogil:
    enum:
        PC_MAX_STALLS
        PC_NAMES
        PC_TEXT

    ctypedef struct pc_gil:
        const char **holder
        const int *locked
        const unsigned long *interval
        const int *collecting
        const int *asked
        size_t tid_in_state
        size_t ident_in_state

    ctypedef struct pc_name:
        unsigned long ident
        char thread[256]

    ctypedef struct pc_stall:
        pc_name names[PC_NAMES]
        int line
        int end_line
        int end_column
        char file[4096]
        char function[512]
        char task[256]
        char callee[256]

    ctypedef struct pc_watch:
        pass

    const char *pc_gil_find(pc_gil *gil)
    pc_watch *pc_watch_new(const pc_gil *gil, double over)
    void pc_watch_free(pc_watch *watch)
    int pc_watch_pipe(pc_watch *watch)
    int pc_signal_is_free(int signum)
    void pc_watch_keep_slot(pc_watch *watch, int slot, int begin)
    void pc_watch_signal(pc_watch *watch, int signum, int slot)
    void pc_watch_give_signal(pc_watch *watch)
    void pc_watch_dump_over(pc_watch *watch, double seconds, double abort_seconds)
    void pc_watch_leave_after(pc_watch *watch, double seconds, void (*leave)() noexcept nogil)
    int pc_watch_left(pc_watch *watch)
    void pc_watch_sink(pc_watch *watch, int file, const char *path)
    int pc_watch_start(pc_watch *watch, void *(*beat)(void *) noexcept, void *argument)
    void pc_watch_begun(pc_watch *watch)
    void pc_watch_stop(pc_watch *watch)
    void pc_watch_pause()
    void pc_watch_resume()
    void pc_watch_forget()
    int pc_watch_nap(pc_watch *watch, double mean)
    int pc_watch_ask(pc_watch *watch, int always)
    void pc_watch_ask_by(pc_watch *watch, double time)
    double pc_watch_got(pc_watch *watch)
    unsigned long pc_watch_holder(pc_watch *watch, int which)
    void pc_watch_judge(pc_watch *watch, pc_stall *stall)
    void pc_watch_keep(pc_watch *watch, const pc_stall *stall)
    void pc_watch_note(pc_watch *watch, const char *what, int reset)
    void pc_watch_fork(pc_watch *watch, double begin, double seconds, const char *thread, const char *stack)
    void pc_watch_loop(
        pc_watch *watch, double begin, double seconds, double missing, const char *thread, const char *task,
        const char *stacks
    )
    size_t pc_watch_log(pc_watch *watch, size_t start, char *log, size_t size)
    int pc_watch_await(pc_watch *watch, size_t start)
    double pc_watch_over(pc_watch *watch)
    void pc_forward_begin(uint64_t signums)
    void pc_forward_to(int pid)
    void pc_forward_end()
    void pc_last_words(const char *text)
    int pc_readable(const void *bytes)
    int pc_gettid()
    int pc_is_locked(const pc_gil *gil)
    int pc_sleeps_elsewhere(const pc_gil *gil, int tid)
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
    """Whether what was found behaves like the GIL, which this thread holds."""
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

cdef double STEP = 2e-5  # seconds that a thread runs on, at most, after it released the GIL


def ask(stopped, double mean, worker=(), meet=None):
    """
    Ask for the GIL at random moments, until ``stopped()`` is true, and once more.

    Parameters
    ----------
    stopped : callable
    mean : float
        Mean time between two moments, in seconds: exponentially distributed, so that nothing regular keeps in step.
    worker : list, optional
        Holds the operating system's id of the observed thread, as soon as it is known.
    meet : callable, optional
        Called as soon as this thread has the GIL, as part of the wait; for an interpreter without a GIL.

    Returns
    -------
    list of tuple
        For each request: the times asked and got, on the clock of `time.perf_counter`; held, whether a thread had the
        GIL at that moment: 1.0 or 0.0, -1.0 where that cannot be read, or NaN if none had it because the worker, which
        released it to this thread the last time, has had no core since to take it back; and the seconds for which this
        thread was ready to run and had no core, before it asked and while it waited. The first tuple is the beginning.
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

cdef enum:
    LOOPS = 8


cdef struct loop_turn:  # what is known of an event loop, each time that the beat has the GIL
    unsigned long ident  # the thread's; 0: none
    double begin         # of the callbacks of this turn; 0.0: it waits for events
    double last          # when it was last seen
    double cpu           # for how long its thread had run by then
    double seen          # for how long it ran, or slept without the GIL, in this turn
    double delay         # for how long its thread had had no core when it was seen in this turn for the second time
    double missing       # and since
    bint found


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
        A file to write the log to, as it comes.
    path : bytes, optional
        The path that opens the sink if none is given, and reopens it if the program closes it.
    follow : bool, optional
        Whether forked children are watched, too, with a log in the same sink.
    """

    cdef pc_watch *watch
    cdef pc_stall stall
    cdef int signum
    cdef int slot  # while it has the signal
    cdef int pid   # of the process that began it
    cdef bint has_signal
    cdef bint always
    cdef tuple settings
    cdef double[2] dumps
    cdef loop_turn[LOOPS] turns
    cdef double next_look, next_search
    cdef list stacks, tasks  # by turn
    cdef list ended  # turns that are to be told: after the hold that may explain them

    def __cinit__(self, double over, int signum, int sink=-1, bytes path=b"", bint follow=False):
        reason = why_not()
        if reason:
            raise RuntimeError(f"the GIL cannot be watched here: {reason}")
        self.watch = pc_watch_new(&the_gil, over)
        if self.watch == NULL:
            raise MemoryError
        self.signum = signum
        if path:
            pc_watch_sink(self.watch, sink, path)
        self.settings = (over, signum, path) if follow else ()
        self.stacks, self.tasks, self.ended = [""] * LOOPS, [""] * LOOPS, []

    def __dealloc__(self):
        if self.watch != NULL:
            pc_watch_free(self.watch)

    @property
    def running(self):
        return the_watch is self

    def start(self, bint always=False):
        """Begin; with `always` ask for the GIL even when it is free."""
        global the_watch
        cdef int error
        forget_if_forked()
        if the_watch is not None:
            raise RuntimeError("this process is being watched already: one watch at a time")
        if not pc_signal_is_free(self.signum):
            raise RuntimeError(f"signal {self.signum} is in use in this process: give another")
        hook()
        self.always = always
        self.pid = os.getpid()
        the_watch = self
        self.take_signal()
        pc_watch_ask_by(self.watch, pc_now() + SEARCH)
        Py_INCREF(self)  # the beat's
        with nogil:
            error = pc_watch_start(self.watch, beat, <void *>self)
        if error:
            self.give_signal()
            the_watch = None
            Py_DECREF(self)
            raise RuntimeError(f"no thread can be started to watch the GIL: {os.strerror(error)}")
        with nogil:
            pc_watch_begun(self.watch)

    cdef take_signal(self):
        cdef int file = pc_watch_pipe(self.watch)
        self.slot = slot_beside(self.signum) if file >= 0 else 0
        if self.slot:
            pc_watch_keep_slot(self.watch, self.slot, True)
            faulthandler.register(self.slot, file=file, all_threads=False, chain=False)
            pc_watch_signal(self.watch, self.signum, self.slot)
            pc_watch_keep_slot(self.watch, self.slot, False)
            self.has_signal = True

    cdef give_signal(self):
        if self.has_signal:
            self.has_signal = False
            pc_watch_give_signal(self.watch)
            pc_watch_keep_slot(self.watch, self.slot, True)
            faulthandler.unregister(self.slot)
            pc_watch_keep_slot(self.watch, self.slot, False)

    def stop(self):
        """End; joins the threads of the watch."""
        global the_watch
        forget_if_forked()
        if the_watch is self:
            with nogil:
                pc_watch_stop(self.watch)
            if the_watch is self:  # and was not stopped by another thread meanwhile
                if "uvloop.loop" in sys.modules:
                    pc_watch_note(self.watch, "uvloop", False)
                if pc_watch_left(self.watch):  # it has said how it went
                    self.give_signal()
                    pc_watch_note(self.watch, "left", False)
                else:
                    pc_watch_note(self.watch, "end", False)
                self.forget()

    cdef forget(self):
        global the_watch
        self.give_signal()
        the_watch = None
        Py_DECREF(self)

    def log(self, size_t start=0):
        """The log from this byte on, a JSON record per line: see probe/watch.c. Empty if there is a sink."""
        cdef size_t size
        cdef bytearray log
        cdef char *bytes_
        with nogil:
            size = pc_watch_log(self.watch, start, NULL, 0)
        log = bytearray(size)
        bytes_ = log
        with nogil:
            pc_watch_log(self.watch, start, bytes_, size)
        return bytes(log)

    def more(self, size_t start):
        """Wait until the log is longer than `start` bytes; false if the watch ends before it is."""
        cdef int more
        with nogil:
            more = pc_watch_await(self.watch, start)
        return bool(more)

    def note(self, bytes what, bint reset=False):
        """Write how the watch went, since the start or the last reset, to the log."""
        cdef const char *name = what
        with nogil:
            pc_watch_note(self.watch, name, reset)

    cdef note_fork(self, double begin, double seconds):
        cdef pc_name name
        cdef bytes stack = stack_of_caller().encode("utf-8", "surrogateescape")
        cdef const char *text = stack
        name.ident = PyThread_get_thread_ident()
        name_thread(&name)
        with nogil:
            pc_watch_fork(self.watch, begin, seconds, name.thread, text)

    cdef again(self):
        """In a forked child: watch it, too, if `follow` was given."""
        if self.settings:
            over, signum, path = self.settings
            watch = Watch(over, signum, -1, path, True)
            watch.dumps = self.dumps
            pc_watch_dump_over(watch.watch, self.dumps[0], self.dumps[1])
            watch.start()
            watch.note(b"begin", True)

    def dump_over(self, double seconds, double abort_seconds):
        """Before `start`: report a hold while it lasts, after so many seconds, or abort the process; 0: never."""
        self.dumps[:] = [seconds, abort_seconds]
        pc_watch_dump_over(self.watch, seconds, abort_seconds)

    def leave_after(self, double seconds):
        """Before `start`: leave by itself after so long, or when nobody holds a lock on the sink any more."""
        pc_watch_leave_after(self.watch, seconds, leave)

    def ask_always(self, bint always):
        """Whether to ask for the GIL even when it is free."""
        self.always = always

    cdef void beats(self) noexcept:
        """
        The beat's thread, which has the GIL here.

        It allocates nothing that the garbage collector tracks, and runs no Python code: else finalizers of the
        program would run in it.
        """
        cdef double mean = BEAT
        cdef double wait = -1.0
        cdef bint counts = False
        cdef bint alive = True
        while alive:
            with nogil:  # once a round: to take the GIL is to wait for it, and only the wait after a request is timed
                if wait >= 0.0:
                    pc_watch_judge(self.watch, &self.stall if counts else NULL)
                if counts:
                    pc_watch_keep(self.watch, &self.stall)
                while True:
                    alive = pc_watch_nap(self.watch, mean)
                    mean = BEAT
                    if pc_watch_ask(self.watch, self.always or counts or not alive):
                        break
            wait = pc_watch_got(self.watch)
            look_at_loops(self, alive)
            counts = alive and wait >= pc_watch_over(self.watch)
            if counts:
                tell(self.watch, &self.stall)  # before the holder goes on
            # Python code releases the GIL a switch interval after a request, so frequent requests would slow it down.
            # But one stall may follow another at once.
            mean = 0.0 if counts else min(max(BEAT, 2.0 * wait), SLOWEST_BEAT)
        with nogil:
            pc_watch_judge(self.watch, NULL)


cdef void leave() noexcept nogil:
    """A watch has left: what the main thread does as soon as it runs Python code."""
    Py_AddPendingCall(stop_what_left, NULL)


cdef int stop_what_left(void *argument) noexcept:
    watch = the_watch
    if watch is not None and pc_watch_left((<Watch>watch).watch):
        (<Watch>watch).stop()
    return 0


MAX_STALLS = PC_MAX_STALLS

cdef double BEAT = 0.001  # seconds between two beats on average
cdef double SLOWEST_BEAT = 0.010


cdef int slot_beside(int signum):
    """A signal that nobody uses, under which faulthandler's handler is registered: ours calls that. 0: there is none."""
    cdef int slot
    for slot in range(64, 34, -1):  # those that have no meaning of their own
        if slot != signum and pc_signal_is_free(slot):
            return slot
    return 0


cdef void *beat(void *watch) noexcept with gil:
    (<Watch>watch).beats()
    return NULL


# ---- whose it was, and where -------------------------------------------------------

# By the C API, with the garbage collector disabled: it must not run in the thread of the watch.

cdef extern from "Python.h":
    ctypedef struct PyObject
    ctypedef struct PyTypeObject:
        const char *tp_name
    ctypedef struct PyThreadState
    ctypedef struct PyInterpreterState
    ctypedef struct PyFrameObject
    ctypedef struct PyCodeObject:
        PyObject *co_filename
        PyObject *co_qualname
    PyInterpreterState *PyInterpreterState_Main()
    PyThreadState *PyInterpreterState_ThreadHead(PyInterpreterState *interpreter)
    PyThreadState *PyThreadState_Next(PyThreadState *state)
    PyFrameObject *PyThreadState_GetFrame(PyThreadState *state)
    PyFrameObject *PyFrame_GetBack(PyFrameObject *frame)
    PyCodeObject *PyFrame_GetCode(PyFrameObject *frame)
    int PyFrame_GetLineNumber(PyFrameObject *frame)
    int PyFrame_GetLasti(PyFrameObject *frame)
    PyTypeObject *Py_TYPE(object value)
    PyObject *PyCode_GetCode(PyCodeObject *code)
    int PyCode_Addr2Location(PyCodeObject *code, int at, int *line, int *column, int *end_line, int *end_column)
    PyObject *PyImport_GetModuleDict()
    PyObject *PyModule_GetDict(PyObject *module)
    PyObject *PyObject_GenericGetDict(PyObject *object, void *context)
    PyObject *PyDict_GetItemString(PyObject *dict, const char *key)
    PyObject *PyDict_GetItem(PyObject *dict, PyObject *key)
    PyObject *PyLong_FromUnsignedLong(unsigned long value)
    PyObject *PyUnicode_AsEncodedString(PyObject *text, const char *encoding, const char *errors)
    int PyModule_Check(PyObject *object)
    int PyDict_Check(PyObject *object)
    int PyUnicode_CheckExact(PyObject *object)
    char *PyBytes_AS_STRING(PyObject *object)
    Py_ssize_t PyBytes_GET_SIZE(PyObject *object)
    void Py_XDECREF(PyObject *object)


cdef void tell(pc_watch *watch, pc_stall *stall) noexcept:
    """Name the threads that had the GIL, and say where the last is."""
    cdef int was = PyGC_Disable()
    cdef int which
    for which in range(PC_NAMES):
        stall.names[which].ident = pc_watch_holder(watch, which)
        if stall.names[which].ident:
            name_thread(&stall.names[which])
    stall.line = stall.task[0] = stall.callee[0] = 0
    place_thread(stall, stall.names[0].ident)
    if stall.line:
        name_task(stall, stall.names[0].ident)
    if was:
        PyGC_Enable()


cdef bint copy(char *to, Py_ssize_t size, PyObject *text) noexcept:
    """Copy a str in UTF-8, with the surrogates that a file name may hold; false if it does not fit."""
    cdef PyObject *encoded
    cdef bint fits
    to[0] = 0
    if text == NULL or not PyUnicode_CheckExact(text):
        return False
    encoded = PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape")
    fits = encoded != NULL and PyBytes_GET_SIZE(encoded) < size
    if encoded == NULL:
        PyErr_Clear()
    if fits:
        memcpy(to, PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded) + 1)
    Py_XDECREF(encoded)
    return fits


cdef void name_thread(pc_name *name) noexcept:
    """The name in threading, read from its dict alone: a subclass of Thread may compute an attribute."""
    cdef PyObject *threading
    cdef PyObject *active
    cdef PyObject *ident
    cdef PyObject *thread
    cdef PyObject *attributes
    name.thread[0] = 0
    threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading")
    if threading == NULL or not PyModule_Check(threading):
        return
    active = PyDict_GetItemString(PyModule_GetDict(threading), "_active")
    if active == NULL or not PyDict_Check(active):
        return
    ident = PyLong_FromUnsignedLong(name.ident)
    thread = NULL if ident == NULL else PyDict_GetItem(active, ident)
    Py_XDECREF(ident)
    attributes = NULL if thread == NULL else PyObject_GenericGetDict(thread, NULL)
    if attributes == NULL:
        PyErr_Clear()
    else:
        copy(name.thread, sizeof(name.thread), PyDict_GetItemString(attributes, "_name"))
        Py_XDECREF(attributes)


cdef void place_thread(pc_stall *stall, unsigned long ident) noexcept:
    """Where a thread is, if it has just made a call."""
    cdef PyThreadState *state = PyInterpreterState_ThreadHead(PyInterpreterState_Main())
    cdef PyFrameObject *frame
    cdef PyCodeObject *code
    cdef PyObject *instructions
    cdef const unsigned char *bytes_
    cdef int at, line, column
    while state != NULL and (<const unsigned long *>(<const char *>state + the_gil.ident_in_state))[0] != ident:
        state = PyThreadState_Next(state)
    frame = NULL if state == NULL else PyThreadState_GetFrame(state)
    if frame == NULL:
        return
    code = PyFrame_GetCode(frame)
    instructions = PyCode_GetCode(code)
    if instructions != NULL:
        bytes_ = <const unsigned char *>PyBytes_AS_STRING(instructions)
        at = PyFrame_GetLasti(frame)
        while at >= 0 and bytes_[at] == 0:  # the cache that follows an instruction
            at -= 2
        if (
            at >= 0
            and IS_CALL[bytes_[at]]
            and copy(stall.file, sizeof(stall.file), code.co_filename)
            and copy(stall.function, sizeof(stall.function), code.co_qualname)
        ):
            stall.line = PyFrame_GetLineNumber(frame)
            if not PyCode_Addr2Location(code, at, &line, &column, &stall.end_line, &stall.end_column):
                stall.end_line = 0
            if bytes_[at] == CALL_WITH_ANY:
                name_callee(stall, frame)
        Py_XDECREF(instructions)
    Py_XDECREF(<PyObject *>code)
    Py_XDECREF(<PyObject *>frame)


cdef void copy_object(char *to, Py_ssize_t size, object text) noexcept:
    copy(to, size, <PyObject *>text)


# With Python's objects, but without running code of the program: only attributes that types define in C are read.
# No reference taken here is the last one to an object.

NAMED_IN_C = {
    "builtin_function_or_method", "function", "method", "method_descriptor", "cython_function_or_method",
    "_cython_3_0.cython_function_or_method", "numpy.ufunc", "type",
}  # fmt: skip


cdef object type_name(object value):
    return (<const char *>(<PyTypeObject *>Py_TYPE(value)).tp_name).decode("utf-8", "replace")


cdef object function_name(object function):
    """MODULE:FUNCTION, for a function whose name can be read without running code of the program; else None."""
    cdef int depth
    for depth in range(10):
        name = type_name(function)
        if name == "functools.partial":
            arguments = function.args
            function = function.func
            if arguments and function.__class__ is BUILTIN and type_name(function.__self__) in CONTEXTS:
                function = arguments[0]  # asyncio.to_thread: Context.run of it
        elif name == "method":
            function = function.__func__
        else:
            break
    if name in NAMED_IN_C or name.endswith(".cython_function_or_method"):
        module = None if name == "method_descriptor" else function.__module__
        shown = function.__name__ if name == "numpy.ufunc" else function.__qualname__
        return f"{module}:{shown}" if type(module) is str else shown
    return None


BUILTIN = type(len)
CONTEXTS = {"Context", "_contextvars.Context"}


cdef void name_callee(pc_stall *stall, PyFrameObject *frame) noexcept:
    """The function that a pool or a thread was given, if it is on the line that calls it, f(*args, **kwargs)."""
    cdef PyObject *attributes = NULL
    file = stall.file.decode("utf-8", "replace")
    where = (file.rpartition("/")[2], stall.function.decode("utf-8", "replace"))
    names = GIVEN.get(where)
    if names is None:
        return
    try:
        if names == ("fn",):
            called = variable(frame, "fn")
        else:
            itself = variable(frame, "self")
            attributes = PyObject_GenericGetDict(<PyObject *>itself, NULL)
            if attributes == NULL:
                PyErr_Clear()
                return
            called = (<object>attributes)[names[1]]
        name = function_name(called)
        if name is not None:
            copy_object(stall.callee, sizeof(stall.callee), name)
    except Exception:
        pass
    finally:
        Py_XDECREF(attributes)


GIVEN = {
    ("thread.py", "_WorkItem.run"): ("self", "fn"),
    ("thread.py", "WorkerContext.run"): ("fn",),  # from Python 3.14 on
    ("threading.py", "Thread.run"): ("self", "_target"),
}


cdef void name_task(pc_stall *stall, unsigned long ident) noexcept:
    """The task of asyncio that this thread runs."""
    try:
        tasks = sys.modules.get("asyncio.tasks")
        if tasks is None:
            return
        running = dict(tasks.__dict__.get("_current_tasks", ()))
        if not running:  # from Python 3.14 on the thread has it
            task = task_of_thread(ident)
            if task is not None:
                copy_task(stall, task)
        for loop, task in running.items():
            if type_name(task) == "_asyncio.Task" and loop.__dict__.get("_thread_id") == ident:
                copy_task(stall, task)
    except Exception:
        pass


cdef copy_task(pc_stall *stall, task):
    name = task.get_name()
    coroutine = task.get_coro()
    if name.startswith("Task-") and type_name(coroutine) == "coroutine":  # nobody gave it a name
        name = coroutine.__qualname__
    copy_object(stall.task, sizeof(stall.task), name)


cdef object task_of_thread(unsigned long ident):
    """Whose step the loop of this thread runs."""
    cdef PyThreadState *state = PyInterpreterState_ThreadHead(PyInterpreterState_Main())
    cdef PyFrameObject *frame
    if run_once == NULL:
        find_run_once()
    while state != NULL and (<const unsigned long *>(<const char *>state + the_gil.ident_in_state))[0] != ident:
        state = PyThreadState_Next(state)
    frame = NULL if state == NULL else frame_of_loop(state)
    if frame == NULL:
        return None
    handle = variable(frame, "handle")
    Py_XDECREF(<PyObject *>frame)
    if type_name(handle) not in ("Handle", "TimerHandle"):
        return None
    callback = handle._callback
    if type_name(callback) not in ("builtin_function_or_method", "_asyncio.TaskStepMethWrapper", "TaskStepMethWrapper"):
        return None
    task = callback.__self__
    return task if type_name(task) == "_asyncio.Task" else None


cdef bint[256] IS_CALL
cdef int CALL_WITH_ANY  # f(*args, **kwargs)


def _find_calls():
    global CALL_WITH_ANY
    from opcode import opmap

    CALL_WITH_ANY = opmap["CALL_FUNCTION_EX"]
    for name, code in opmap.items():
        if code < 256 and name.startswith(("CALL", "PRECALL")):
            IS_CALL[code] = True


_find_calls()
del _find_calls


# ---- event loops -----------------------------------------------------------------------

# A callback that sleeps, or computes in Python, keeps the loop of asyncio from its next turn though others may have the
# GIL. When this turn's callbacks began stands in a variable of the frame that runs them.

cdef PyCodeObject *run_once = NULL  # of asyncio, once that is imported; never freed
cdef double SEARCH = 0.1  # seconds, between two looks for loops


cdef void find_run_once() noexcept:
    global run_once
    try:
        module = sys.modules.get("asyncio.base_events")
        if module is not None:
            code = module.__dict__["BaseEventLoop"].__dict__["_run_once"].__code__
            if "end_time" in code.co_varnames:
                Py_INCREF(code)
                run_once = <PyCodeObject *>code
    except Exception:
        pass


cdef void look_at_loops(Watch watch, bint alive) noexcept:
    """With the GIL. How long has each been in this turn?"""
    cdef double now = pc_now()
    cdef double pace = min(max(0.25 * pc_watch_over(watch.watch), 0.005), 0.05)
    cdef bint search = now >= watch.next_search
    cdef bint known = False
    cdef int was, k
    cdef unsigned long ident
    cdef PyThreadState *state
    tell_turns(watch)
    if alive and now < watch.next_look:
        return
    for k in range(LOOPS):
        known = known or watch.turns[k].ident != 0
    if search:
        watch.next_search = now + SEARCH
        if run_once == NULL:
            find_run_once()
    if run_once != NULL and (search or known):
        was = PyGC_Disable()
        known = False
        for k in range(LOOPS):
            watch.turns[k].found = False
        state = PyInterpreterState_ThreadHead(PyInterpreterState_Main()) if alive else NULL
        while state != NULL:
            ident = (<const unsigned long *>(<const char *>state + the_gil.ident_in_state))[0]
            k = turn_of(watch, ident)
            if k < LOOPS and (search or watch.turns[k].ident == ident):
                look_at_thread(watch, k, state, ident, now, 3.0 * pace)
            state = PyThreadState_Next(state)
        for k in range(LOOPS):
            known = known or watch.turns[k].found
            if watch.turns[k].ident and not watch.turns[k].found:
                end_turn(watch, k)
                watch.turns[k].ident = 0
        if was:
            PyGC_Enable()
    if not alive:
        tell_turns(watch)
    watch.next_look = now + (pace if known else SEARCH)
    pc_watch_ask_by(watch.watch, watch.next_look)


cdef int turn_of(Watch watch, unsigned long ident) noexcept:
    """Its place, or one that is free; LOOPS: there is none."""
    cdef int k, free = LOOPS
    for k in range(LOOPS):
        if watch.turns[k].ident == ident:
            return k
        if watch.turns[k].ident == 0 and free == LOOPS:
            free = k
    return free


cdef void look_at_thread(
    Watch watch, int k, PyThreadState *state, unsigned long ident, double now, double most
) noexcept:
    cdef loop_turn *turn = &watch.turns[k]
    cdef PyFrameObject *frame = frame_of_loop(state)
    cdef double begin, delay, cpu
    cdef int tid = <int>(<const unsigned long *>(<const char *>state + the_gil.tid_in_state))[0]
    if frame == NULL:
        return
    begin = begin_of_turn(frame)
    Py_XDECREF(<PyObject *>frame)
    turn.found = True
    cpu = pc_cpu_of(tid)
    if turn.ident != ident or turn.begin != begin:
        if turn.ident == ident:
            end_turn(watch, k)
        turn.ident, turn.begin, turn.seen = ident, begin, min(max(now - begin, 0.0), most / 3.0)
        turn.delay, turn.missing = -1.0, 0.0
    elif begin > 0.0:
        delay = pc_delay_of(tid)
        turn.delay = delay if turn.delay < 0.0 else turn.delay
        turn.missing = delay - turn.delay
        # Whoever waits for the GIL now, or for a core, is kept by others.
        turn.seen += min(now - turn.last, most if pc_sleeps_elsewhere(&the_gil, tid) else cpu - turn.cpu)
    turn.last, turn.cpu = now, cpu
    if begin == 0.0 or begin > now:
        return
    if now - begin >= 0.5 * pc_watch_over(watch.watch):
        add_stack(watch, k, state, ident)


cdef PyFrameObject *frame_of_loop(PyThreadState *state) noexcept:
    """A new reference to the frame that runs the callbacks of a loop; NULL: none, or far up a deep recursion."""
    cdef PyFrameObject *frame = PyThreadState_GetFrame(state)
    cdef PyFrameObject *back
    cdef PyCodeObject *code
    cdef int depth = 0
    while frame != NULL:
        code = PyFrame_GetCode(frame)
        Py_XDECREF(<PyObject *>code)
        if code == run_once:
            break
        depth += 1
        back = PyFrame_GetBack(frame) if depth < 200 else NULL
        Py_XDECREF(<PyObject *>frame)
        frame = back
    return frame


cdef object variable(PyFrameObject *frame, const char *name):
    """Its value; None if it has none."""
    cdef PyObject *value = <PyObject *>pc_variable(frame, name)
    if value == NULL:
        return None
    found = <object>value
    Py_XDECREF(value)
    return found


cdef double begin_of_turn(PyFrameObject *frame) noexcept:
    """0.0 while the loop waits for events, or if its clock is its own."""
    try:
        end_time, loop = variable(frame, "end_time"), variable(frame, "self")
        clock = next(kind.__dict__["time"] for kind in type(loop).__mro__ if "time" in kind.__dict__)
        if type(end_time) is float and clock.__code__.co_filename == <object>run_once.co_filename:
            return <double>end_time - loop.__dict__["_clock_resolution"]
    except Exception:
        pass
    return 0.0


cdef void add_stack(Watch watch, int k, PyThreadState *state, unsigned long ident) noexcept:
    """As faulthandler writes it, up to the loop."""
    cdef PyFrameObject *frame = PyThreadState_GetFrame(state)
    cdef PyFrameObject *back
    cdef PyCodeObject *code
    cdef int depth = 0
    try:
        if len(watch.stacks[k]) < PC_TEXT // 2:
            lines = ["Stack (most recent call first):"]
            while frame != NULL:
                code = PyFrame_GetCode(frame)
                if code != run_once and depth < 50:
                    name, file = (<object>code).co_name, <object>code.co_filename
                    lines.append(f'  File "{file}", line {PyFrame_GetLineNumber(frame)} in {name}')
                back = NULL if code == run_once else PyFrame_GetBack(frame)
                Py_XDECREF(<PyObject *>code)
                Py_XDECREF(<PyObject *>frame)
                frame = back
                depth += 1
            watch.stacks[k] += "\n".join([*lines, ""])
        watch.stall.task[0] = 0
        name_task(&watch.stall, ident)
        if watch.stall.task[0]:
            watch.tasks[k] = (<bytes>watch.stall.task).decode("utf-8", "surrogateescape")
    except Exception:
        pass
    Py_XDECREF(<PyObject *>frame)


cdef void end_turn(Watch watch, int k) noexcept:
    """It is told if it took so long, while others could run."""
    cdef loop_turn *turn = &watch.turns[k]
    cdef double over = pc_watch_over(watch.watch)
    cdef double seconds = turn.last - turn.begin - turn.missing
    cdef pc_name name
    try:
        if turn.begin > 0.0 and turn.seen >= over and seconds >= over:
            name.ident = turn.ident
            name_thread(&name)
            texts = [text.encode("utf-8", "surrogateescape") for text in (watch.tasks[k], watch.stacks[k])]
            watch.ended.append((turn.begin, seconds, turn.missing, <bytes>name.thread, *texts))
        watch.stacks[k], watch.tasks[k] = "", ""
    except Exception:
        pass


cdef void tell_turns(Watch watch) noexcept:
    cdef double begin, seconds, missing
    cdef const char *thread
    cdef const char *task
    cdef const char *stacks
    while watch.ended:
        turn = watch.ended.pop()
        begin, seconds, missing, thread, task, stacks = turn
        with nogil:
            pc_watch_loop(watch.watch, begin, seconds, missing, thread, task, stacks)


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


# A process with threads should not fork (Python 3.12 warns of it): the watch has no threads meanwhile.

began = {}  # when, by thread: several may fork at once


def before_fork():
    forget_if_forked()
    with nogil:
        pc_watch_pause()
    if the_watch is not None:
        began[PyThread_get_thread_ident()] = pc_now()


def after_fork():
    cdef double end = pc_now()
    begin = began.pop(PyThread_get_thread_ident(), end)
    cdef pc_watch *begins
    watch = the_watch
    if watch is not None and end - begin > 0.005:
        (<Watch>watch).note_fork(begin, end - begin)
    with nogil:
        pc_watch_resume()
    if watch is not None:
        begins = (<Watch>watch).watch
        with nogil:  # else a hold that comes next is not seen: the beat would wait for the GIL before it has begun
            pc_watch_begun(begins)


cdef forget_watch():
    """In a forked child, which has none of the threads of the watch."""
    pc_watch_forget()
    if the_watch is not None:
        (<Watch>the_watch).forget()


cdef forget_if_forked():
    """A child that C code forks runs none of these functions."""
    if the_watch is not None and (<Watch>the_watch).pid != os.getpid():
        forget_watch()


def in_child():
    began.clear()
    watch = the_watch
    forget_watch()
    if watch is not None:
        try:
            (<Watch>watch).again()
        except RuntimeError as error:
            os.write(2, f"pycrust: this process is not watched: {error}\n".encode())


cdef stack_of_caller():
    """The stack of the caller, in the format of faulthandler."""
    cdef int depth = 0
    lines = ["Stack (most recent call first):"]
    frame = sys._getframe()
    while frame is not None and depth < 50:
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
        frame = frame.f_back
        depth += 1
    return "\n".join([*lines, ""])


# ---- signals for a child ------------------------------------------------------------

def forward_begin(signums):
    """From now on pass these signals on to a child that is about to start, except those that reach it anyway."""
    pc_forward_begin(sum({1 << (signum - 1) for signum in signums}))


def forward_to(int pid):
    """The child's process id; 0: it has ended."""
    pc_forward_to(pid)


def forward_end():
    """From now on these signals are for this process again."""
    pc_forward_end()


# ---- a crash --------------------------------------------------------------------------

cdef bytes the_last_words = b""  # kept alive: C has a pointer to it


def last_words(bytes text=b""):
    """Set what to write to stderr if the process dies of a fault; b"": nothing."""
    global the_last_words
    pc_last_words(NULL)
    the_last_words = text
    if text:
        pc_last_words(the_last_words)
