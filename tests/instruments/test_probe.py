"""
The Cython half of the probe, over a C half made by hand: each wait, and each answer of the system, is Python's.

tests/c/test_watch.c has the C half, test_stalls.py both together.
"""

import atexit
import ctypes
import faulthandler
import gc
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_double, c_int, c_size_t, c_uint64, c_ulong, c_void_p
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import pytest

from pycrust import _probe
from pycrust.bench.machine import gil_enabled

COMPILER = shutil.which("gcc") or shutil.which("cc")

pytestmark = [
    pytest.mark.thread_unsafe(reason="puts functions of its own in the place of others"),
]

needs_the_gil_by_hand = pytest.mark.skipif(
    bool(_probe.why_not()) or COMPILER is None, reason="the GIL cannot be watched, or there is no compiler"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it needs Linux")
@pytest.mark.skipif(sys.implementation.name != "cpython" or not gil_enabled(), reason="it needs the GIL of CPython")
@pytest.mark.skipif(not (3, 11) <= sys.version_info < (3, 15), reason="it needs a version that is known")
def test_it_is_found_where_it_can_be():
    assert _probe.why_not() == ""


# ---- C by hand -----------------------------------------------------------------


class Gil(ctypes.Structure):
    _fields_ = [
        ("holder", c_void_p), ("locked", c_void_p), ("switches", c_void_p), ("interval", c_void_p),
        ("collecting", c_void_p), ("asked", c_void_p), ("asked_in_state", c_size_t), ("tid_in_state", c_size_t),
        ("ident_in_state", c_size_t), ("begin", c_void_p), ("size", c_size_t),
    ]  # fmt: skip


class Spell(ctypes.Structure):
    _fields_ = [
        ("switches", c_ulong), ("ident", c_ulong), ("tid", c_int), ("since", c_double), ("first", c_double),
        ("last", c_double), ("cpu", c_double), ("asleep", c_double), ("ignored", c_double), ("looks", c_int),
        ("collecting", c_int), ("signals", c_int), ("length", c_int), ("comm", c_char * 17), ("text", c_char * 16384),
    ]  # fmt: skip


class Name(ctypes.Structure):
    _fields_ = [("ident", c_ulong), ("thread", c_char * 256)]


class CStall(ctypes.Structure):
    _fields_ = [
        ("begin", c_double), ("end", c_double), ("switches", c_ulong), ("late", c_double), ("delay", c_double),
        ("unmoved", c_int), ("spell", Spell), ("names", Name * 18), ("line", c_int), ("end_line", c_int),
        ("end_column", c_int), ("file", c_char * 4096), ("function", c_char * 512), ("task", c_char * 256),
        ("callee", c_char * 256),
    ]  # fmt: skip


TYPES = {
    "pc_gil_find": (c_void_p, POINTER(Gil)),
    "pc_watch_new": (c_void_p, POINTER(Gil), c_double),
    "pc_watch_free": (None, c_void_p),
    "pc_watch_pipe": (c_int, c_void_p),
    "pc_signal_is_free": (c_int, c_int),
    "pc_watch_keep_slot": (None, c_void_p, c_int, c_int),
    "pc_watch_signal": (None, c_void_p, c_int, c_int),
    "pc_watch_give_signal": (None, c_void_p),
    "pc_watch_dump_over": (None, c_void_p, c_double, c_double),
    "pc_watch_sink": (None, c_void_p, c_int, c_char_p),
    "pc_watch_start": (c_int, c_void_p, c_void_p, c_void_p),
    "pc_watch_begun": (None, c_void_p),
    "pc_watch_stop": (None, c_void_p),
    "pc_watch_pause": (None,),
    "pc_watch_resume": (None,),
    "pc_watch_forget": (None,),
    "pc_watch_nap": (c_int, c_void_p, c_double),
    "pc_watch_ask": (c_int, c_void_p, c_int),
    "pc_watch_ask_by": (None, c_void_p, c_double),
    "pc_watch_got": (c_double, c_void_p),
    "pc_watch_holder": (c_ulong, c_void_p, c_int),
    "pc_watch_judge": (None, c_void_p, POINTER(CStall)),
    "pc_watch_keep": (None, c_void_p, POINTER(CStall)),
    "pc_watch_note": (None, c_void_p, c_char_p, c_int),
    "pc_watch_fork": (None, c_void_p, c_double, c_double, c_char_p, c_char_p),
    "pc_watch_loop": (None, c_void_p, c_double, c_double, c_double, c_char_p, c_char_p, c_char_p),
    "pc_watch_leave_after": (None, c_void_p, c_double, c_void_p),
    "pc_watch_left": (c_int, c_void_p),
    "pc_watch_log": (c_size_t, c_void_p, c_size_t, c_void_p, c_size_t),
    "pc_watch_await": (c_int, c_void_p, c_size_t),
    "pc_watch_over": (c_double, c_void_p),
    "pc_forward_begin": (None, c_uint64),
    "pc_forward_to": (None, c_int),
    "pc_forward_end": (None,),
    "pc_last_words": (None, c_char_p),
    "pc_readable": (c_int, c_void_p),
    "pc_gettid": (c_int,),
    "pc_is_locked": (c_int, POINTER(Gil)),
    "pc_sleeps_elsewhere": (c_int, POINTER(Gil), c_int),
    "pc_delay_of": (c_double, c_int),
    "pc_cpu_of": (c_double, c_int),
}
# These take long, or take a lock for which others wait who have the GIL, or will.
WITHOUT_GIL = {
    "pc_watch_start", "pc_watch_begun", "pc_watch_stop", "pc_watch_pause", "pc_watch_resume", "pc_watch_nap",
    "pc_watch_ask", "pc_watch_judge", "pc_watch_keep", "pc_watch_loop", "pc_is_locked",
}  # fmt: skip
KEPT = []  # what C may call as long as a module lives, whose end nobody knows
ADDRESS = 4096  # of a watch: a name, nothing to follow
SIGNAL, SLOT = 12, 64


ROOT = Path(__file__).parents[2]


def compiled(folder, name, *sources):
    """A shared object of probe/ or the module over it."""
    path = folder / f"{name}.so"
    include = f"-I{sysconfig.get_paths()['include']}"
    command = [COMPILER, "-shared", "-fPIC", "-w", f"-I{ROOT / 'probe'}", include, *sources, "-o", path]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory):
    """The module, linked with functions of Python's in the place of probe/."""
    folder = tmp_path_factory.mktemp("c")
    source = folder / "_probe.c"
    command = [sys.executable, "-m", "cython", "-3", ROOT / "pycrust" / "_probe.pyx", "-o", source]
    subprocess.run(command, check=True)
    return compiled(folder, "_probe", source, ROOT / "tests" / "c" / "by_hand.c")


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """The part of the C half that knows how CPython is laid out."""
    return compiled(tmp_path_factory.mktemp("c"), "gil", ROOT / "probe" / "gil.c")


@pytest.fixture(scope="session")
def right_places(real):
    """What it finds."""
    library = ctypes.PyDLL(real)

    def find():
        gil = Gil()
        library.pc_gil_find(ctypes.byref(gil))
        return gil

    return find


class ByHand:
    """The C half: its functions by name, what was called of them, and the module over it."""

    def __init__(self, path, gil):
        self.calls, self.errors = [], []
        self.idents = [threading.get_ident(), 0]  # of the last holder, and the one before
        self._library = ctypes.CDLL(path)
        check = ctypes.cast(ctypes.pythonapi.PyGILState_Check, c_void_p)
        c_void_p.in_dll(self._library, "by_hand_check").value = check.value
        self.gil = gil
        self.pipe = -1
        self.put(
            pc_gil_find=lambda gil: ctypes.memmove(gil, ctypes.byref(self.gil), ctypes.sizeof(Gil)) and None,
            pc_readable=lambda place: place not in (None, 8),
            pc_gettid=threading.get_native_id,
            pc_watch_new=self.logged("new", ADDRESS),
            pc_watch_free=self.logged("free"),
            pc_watch_pipe=lambda watch: self.pipe,
            pc_signal_is_free=self.logged("free?", 1),
            pc_watch_signal=lambda watch, *signals: self.calls.append(("signal", *signals, is_caught())),
            pc_watch_give_signal=self.logged("give"),
            pc_watch_keep_slot=lambda watch, slot, begin: self.calls.append(("keep", slot, begin, is_caught())),
            pc_watch_sink=lambda watch, file, path: self.calls.append(("sink", file, path)),
            pc_watch_note=lambda watch, what, reset: self.calls.append(("note", what, reset)),
            pc_watch_pause=lambda: self.calls.append(("pause",)),
            pc_watch_resume=lambda: self.calls.append(("resume",)),
            pc_watch_forget=lambda: self.calls.append(("forget",)),
            pc_watch_start=self.start,
            pc_watch_begun=self.logged("begun"),
            pc_watch_stop=self.logged("stop"),
            pc_watch_over=lambda watch: 0.25,
            pc_watch_ask_by=lambda watch, time: None,
            pc_watch_left=lambda watch: 0,
            pc_cpu_of=lambda tid: 0.0,
            pc_delay_of=lambda tid: 0.0,
            pc_sleeps_elsewhere=lambda gil, tid: 1,
        )
        spec = ModuleSpec("pycrust._probe", ExtensionFileLoader("pycrust._probe", path), origin=path)
        self.module = spec.loader.create_module(spec)
        spec.loader.exec_module(self.module)

    def put(self, **functions):
        for name, function in functions.items():
            kind = CFUNCTYPE(*TYPES[name])
            made = kind(self.guarded(name, function))
            KEPT.append(made)
            c_void_p.in_dll(self._library, f"by_hand_{name}").value = ctypes.cast(made, c_void_p).value

    def leave(self):
        """What is freed when the interpreter ends finds no Python any more."""
        does_nothing = ctypes.cast(ctypes.CDLL(None).abs, c_void_p)
        c_void_p.in_dll(self._library, "by_hand_pc_watch_free").value = does_nothing.value

    def guarded(self, name, function):
        """What it raises is raised by `check`: C cannot."""

        def call(*arguments):
            held = c_int.in_dll(self._library, "by_hand_held").value
            try:
                assert not (held and name in WITHOUT_GIL), name
                return function(*arguments)
            except BaseException as error:
                self.errors.append(error)
                return 0

        return call

    def check(self):
        for error in self.errors:
            raise error

    def logged(self, name, answer=None):
        def function(watch, *rest):
            self.calls.append((name, *(value for value in rest if isinstance(value, (int, float)))))
            return answer

        return function

    def start(self, watch, beat, argument):
        self.calls.append(("start",))
        self.beat = lambda: CFUNCTYPE(c_void_p, c_void_p)(beat)(argument)
        return 0

    def taken(self):
        calls, self.calls[:] = list(self.calls), []
        return calls


def is_caught():
    """Whether the process has a handler for the slot."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> (SLOT - 1) & 1)


@pytest.fixture
def load(by_hand, right_places, tmp_path, monkeypatch):
    """A new module over a new C half, any number of times; what it does at exit and at a fork is kept from it."""
    made = []
    hooks = SimpleNamespace(exit=[], fork=[])
    monkeypatch.setattr(atexit, "register", hooks.exit.append)
    monkeypatch.setattr(os, "register_at_fork", lambda **functions: hooks.fork.append(functions))

    def load():
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(ByHand(shutil.copy(by_hand, folder), right_places()))
        made[-1].hooks = hooks
        return made[-1]

    yield load
    for hand in made:
        hand.leave()
    for hand in made:
        hand.check()


@pytest.fixture
def hand(load):
    return load()


# ---- is it the GIL? --------------------------------------------------------------


def state_now():
    ctypes.pythonapi.PyThreadState_Get.restype = c_void_p
    return ctypes.pythonapi.PyThreadState_Get()


def places(**changed):
    """A GIL by hand, right but for what is changed; beside each number is another."""
    held = SimpleNamespace(
        holder=(c_void_p * 2)(state_now(), 8),
        locked=(c_int * 2)(1, 7),
        interval=(c_ulong * 2)(round(1e6 * sys.getswitchinterval()), 7),
        collecting=(c_int * 2)(0, 7),
        asked=(c_int * 2)(0, 7),
    )
    for name, value in changed.items():
        if name in vars(held):
            getattr(held, name)[0] = value
    return held


@needs_the_gil_by_hand
@pytest.mark.parametrize(
    ("changed", "during"),
    [
        ({}, 1),
        ({"asked": None}, 1),
        ({"holder": 16}, 1),
        ({"locked": 0}, 1),
        ({"locked": 2}, 1),
        ({"interval": 4999}, 1),
        ({"tid_in_state": "ident_in_state"}, 1),
        ({"ident_in_state": "tid_in_state"}, 1),
        ({}, 0),
        ({}, 2),
        ({"collecting": 1}, 1),
        ({"after": 1}, 1),
        *(({f"no_{name}": 8}, 1) for name in ("holder", "locked", "interval", "collecting", "asked")),
    ],
    ids=str,
)
def test_what_is_laid_out_otherwise_is_refused(load, right_places, changed, during, monkeypatch):
    """A thread that holds it, whether it is locked, the switch interval, the collector at work: all must be seen there."""
    hand = load()
    held = places(**{name: value for name, value in changed.items() if value is not None})
    generations = []

    def collect(phase, info):
        generations.append(info["generation"])
        held.collecting[0] = during if phase == "start" else changed.get("after", changed.get("collecting", 0))

    for name, value in vars(held).items():
        setattr(hand.gil, name, changed.get(f"no_{name}", ctypes.addressof(value)))
    if "asked" in changed:
        hand.gil.asked = None
    for name in ("tid_in_state", "ident_in_state"):
        if name in changed:
            setattr(hand.gil, name, getattr(right_places(), changed[name]))
    gc.callbacks.append(collect)
    before = list(gc.callbacks)
    gc.disable()
    try:
        reason = hand.module.why_not()
        assert gc.callbacks == before
    finally:
        gc.enable()
        gc.callbacks.remove(collect)
    assert set(generations) <= {0}  # the least work
    if changed in ({}, {"asked": None}) and during == 1:
        assert reason == ""
    else:
        assert reason.startswith(f"this CPython {sys.version.split()[0]} is laid out otherwise")


@needs_the_gil_by_hand
def test_the_reason_is_that_of_c_and_is_asked_for_once(hand):
    reasons = [ctypes.addressof(reason := ctypes.create_string_buffer(b"there is none"))]
    hand.put(pc_gil_find=lambda gil: reasons.pop())
    assert [hand.module.why_not() for _ in range(2)] == [reason.value.decode()] * 2
    with pytest.raises(RuntimeError, match="cannot be watched here: there is none"):
        hand.module.Watch(0.25, SIGNAL)
    hand.put(pc_delay_of=lambda tid: 0.0, pc_cpu_of=lambda tid: -1.0)
    assert [held for _, _, held, _, _ in hand.module.ask(iter([True]).__next__, 1e-6)[1:]] == [-1.0]
    assert hand.taken() == []


@needs_the_gil_by_hand
def test_that_of_this_process_passes(hand):
    assert hand.module.why_not() == ""


# ---- the stack of another thread -----------------------------------------------------


@pytest.fixture
def stack_of(real):
    """Reads the stack of a thread by the address of its state, without the GIL."""
    function = ctypes.CDLL(real).pc_stack_of
    function.argtypes, function.restype = [c_void_p, c_void_p, c_int], c_int

    def read(state, size=16384):
        text = ctypes.create_string_buffer(b"x" * (size + 1))
        length = function(state, text, size)
        assert length < size or size == 0
        assert text.raw[size:] == b"x\0"  # nothing beyond
        return text.raw[:length].decode("ascii")

    return read


def asleep(call):
    """Another thread calls it with a function that sleeps; gives the address of that thread's state, and an end."""
    there, stay, states = threading.Event(), threading.Event(), []

    def sleep(*_):
        states.append(state_now())
        there.set()
        stay.wait()

    thread = threading.Thread(target=call, args=(sleep,))
    thread.start()
    there.wait()
    time.sleep(0.01)

    def end():
        stay.set()
        thread.join()

    return states[0], end


def by_faulthandler(file):
    """The frames of all threads."""
    with open(file, "w+") as written:
        faulthandler.dump_traceback(written)
        written.seek(0)
        stacks = written.read().split("\n\n")
    return [[line for line in stack.splitlines() if line.startswith("  File")] for stack in stacks]


def far_down(sleep):
    namespace = {"sleep": sleep}
    many = "\n" * 70_000 + "def f():\n" + "    x = 1\n" * 3000 + "    sleep()" + "\n" * 100 + "    ()\n" + "f()"
    exec(compile(many, "<many lines>", "exec"), namespace)


def through_everything(sleep):
    """By generators, coroutines, classes and functions of C, on lines of every kind."""

    def generator():
        yield sorted([2, 1], key=lambda number: (number == 1 and sleep()) or number)

    async def coroutine():
        class Body:
            attribute = tuple(
                [*generator()] for _ in range(1)
            )  # fmt: skip

    try:
        coroutine().send(None)
    except StopIteration:
        pass


def with_names(sleep):
    name = "\u00fc\u4e2d\U00020000"
    source = f"def {name}():\n    sleep()\n{name}()"
    exec(compile(source, '/stra\u00dfe \u20ac \U0001f40d "\\\udce9\x07' + "x" * 600, "exec"), {"sleep": sleep})


def deep_down(sleep, depth=150):
    return deep_down(sleep, depth - 1) if depth else sleep()


@needs_the_gil_by_hand
@pytest.mark.parametrize("call", [lambda sleep: sleep(), far_down, through_everything, with_names, deep_down])
def test_a_stack_is_read_as_faulthandler_writes_it(stack_of, tmp_path, call):
    state, end = asleep(call)
    try:
        read, written = stack_of(state), by_faulthandler(tmp_path / "written")
        assert [stack_of(state) for _ in range(100)] == 100 * [read]
    finally:
        end()
    lines = read.splitlines()
    assert lines[0] == "Stack (most recent call first):" and "in wait" in lines[1] and "in sleep" in lines[3]
    assert lines[1:] in written


@needs_the_gil_by_hand
def test_a_stack_that_does_not_fit_or_is_none(stack_of):
    state, end = asleep(through_everything)
    try:
        whole = stack_of(state)
        for size in range(1, len(whole) + 2):
            part = stack_of(state, size)
            ends = [k + 1 for k, byte in enumerate(whole) if byte == "\n" and k + 1 < size]
            assert part == (whole[: ends[-1]] if ends[1:] else "")  # one frame, or it is none
    finally:
        end()
    assert stack_of(8) == stack_of(None) == ""
    for address in ctypes.addressof(ctypes.create_string_buffer(4096)), id(stack_of), id(0):
        assert stack_of(address) == ""  # no state, but memory


# ---- ask ---------------------------------------------------------------------------


@needs_the_gil_by_hand
@pytest.mark.parametrize("worker", [[7], []], ids=["worker", "nobody known"])
def test_what_is_asked(hand, worker):
    """Delays grow by 1, 2, 3 … s; the lock, and the processor time of the worker, are as listed."""
    delays = iter([k * (k + 1) / 2 for k in range(17)])
    locks = iter([0, 1, 0, 0, 0, 1, 1, 0])
    ran = iter([0.0, 1.9e-5, 2e-5, 5.0, 6.0, 6.00001] if worker else [-1.0, -1.0, -1.0])

    def delay(tid):
        assert tid == threading.get_native_id()
        return next(delays)

    def cpu(tid):
        assert tid == (7 if worker else 0)
        return next(ran)

    hand.put(pc_delay_of=delay, pc_cpu_of=cpu, pc_is_locked=lambda gil: next(locks))
    begin, met = time.perf_counter(), []
    asks = hand.module.ask(iter([False] * 7 + [True]).__next__, 1e-6, worker, lambda: met.append(time.perf_counter()))
    hand.check()
    assert next(locks, None) is next(ran, None) is next(delays, None) is None
    none = "nan" if worker else "0.0"
    assert [str(ask[2]) for ask in asks] == ["0.0", "0.0", "1.0", none, "0.0", "0.0", "1.0", "1.0", none]
    assert [ask[3] for ask in asks] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]  # ready, before it asked
    assert [ask[4] for ask in asks] == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 0.0]  # and while it waited
    times = [begin, *(moment for ask, at in zip(asks[1:], met) for moment in (ask[0], at, ask[1]))]
    assert len(met) == 8 and times == sorted(times) and begin <= asks[0][0] == asks[0][1] <= asks[1][0]


@needs_the_gil_by_hand
def test_it_naps_between(hand):
    hand.put(pc_delay_of=lambda tid: 0.0, pc_is_locked=lambda gil: 0)
    asks = hand.module.ask(iter([False] * 19 + [True]).__next__, 0.005)
    assert asks[-1][0] - asks[0][0] > 0.01  # twenty times 5 ms on average


# ---- begin and end -------------------------------------------------------------------


BEGINS = [
    ("free?",), ("keep", SLOT, 1, False), ("signal", SIGNAL, SLOT, True), ("keep", SLOT, 0, True), ("start",), ("begun",),
]  # fmt: skip
ENDS = [("give",), ("keep", SLOT, 1, True), ("keep", SLOT, 0, False)]


@needs_the_gil_by_hand
def test_a_watch_begins_and_ends(hand):
    end, hand.pipe = os.pipe()
    watch = hand.module.Watch(0.25, SIGNAL)
    assert hand.taken() == [("new", 0.25)] and watch.running is False
    count = sys.getrefcount(watch)
    thread = threading.Thread(target=(stay := threading.Event()).wait)
    thread.start()
    try:
        watch.start()
        assert hand.taken() == [("free?",), *BEGINS] and watch.running is True
        assert sys.getrefcount(watch) == count + 2  # that of the beat, and as the one that runs
        # The traceback of this thread, and of no other.
        signal.raise_signal(SLOT)
        text = os.read(end, 10000).decode()
        assert text.count("Stack (most recent call first)") == 1 and "test_a_watch_begins_and_ends" in text
        with pytest.raises(RuntimeError, match="being watched already"):
            hand.module.Watch(0.25, SIGNAL).start()
        assert hand.taken() == [("new", 0.25), ("free",)]
        other = hand.module.Watch(0.25, SIGNAL)
        other.stop()  # it does not run
        assert hand.taken() == [("new", 0.25)] and watch.running is True
        watch.stop()
    finally:
        stay.set()
        thread.join()
        left = faulthandler.unregister(SLOT)
        os.close(end)
        os.close(hand.pipe)
    assert not left and hand.taken() == [("stop",), ("note", b"end", 0), *ENDS]
    assert watch.running is False and sys.getrefcount(watch) == count
    watch.stop()
    assert hand.taken() == []
    del watch, other
    assert hand.taken() == [("free",), ("free",)]


@needs_the_gil_by_hand
def test_without_a_pipe_there_is_no_signal(hand):
    watch = hand.module.Watch(0.25, SIGNAL)
    watch.start()
    assert hand.taken() == [("new", 0.25), ("free?",), ("start",), ("begun",)]
    watch.stop()
    assert hand.taken() == [("stop",), ("note", b"end", 0)]
    hand.pipe = 0  # a descriptor like others
    watch.start()
    assert hand.taken() == [("free?",), *BEGINS]
    watch.stop()
    # The slot is another than the signal.
    watch = hand.module.Watch(0.25, SLOT)
    watch.start()
    assert ("signal", SLOT, SLOT - 1, False) in hand.taken()
    watch.stop()
    # And none that the program uses.
    watch = hand.module.Watch(0.25, SIGNAL)
    hand.put(pc_signal_is_free=lambda signum: signum not in (SLOT, SLOT - 1))
    watch.start()
    assert ("signal", SIGNAL, SLOT - 2, False) in hand.taken()
    watch.stop()
    hand.put(pc_signal_is_free=lambda signum: signum < 35)
    hand.taken()
    watch.start()
    assert hand.taken() == [("start",), ("begun",)]
    watch.stop()


@needs_the_gil_by_hand
def test_the_log(hand):
    hand.module.Watch(0.25, SIGNAL)
    assert hand.taken() == [("new", 0.25), ("free",)]
    watch = hand.module.Watch(0.25, SIGNAL, 0, b"/the/sink")
    assert hand.taken() == [("new", 0.25), ("sink", 0, b"/the/sink")]
    watch.note(b"idle", True)
    assert hand.taken() == [("note", b"idle", 1)]

    def log(watch, start, to, size):
        ctypes.memmove(to, b"a line\n"[start:], size)
        return 7 - start

    hand.put(pc_watch_log=log, pc_watch_dump_over=lambda watch, *seconds: hand.calls.append(seconds))
    assert watch.log() == b"a line\n" and watch.log(2) == b"line\n"
    hand.put(pc_watch_await=lambda watch, start: start < 7)
    assert watch.more(6) is True and watch.more(7) is False
    watch.dump_over(5.0, 60.0)
    assert hand.taken() == [(5.0, 60.0)]


@needs_the_gil_by_hand
def test_what_cannot_begin_leaves_nothing(hand):
    watch = hand.module.Watch(0.25, SIGNAL)
    count = sys.getrefcount(watch)
    hand.put(pc_watch_start=lambda *_: 11)
    hand.pipe = 0
    for _ in range(2):
        hand.taken()
        with pytest.raises(RuntimeError, match=f"no thread can be started to watch the GIL: {os.strerror(11)}"):
            watch.start()
        assert hand.taken() == [("free?",), *BEGINS[:4], *ENDS]
        assert watch.running is False and sys.getrefcount(watch) == count
    hand.put(pc_signal_is_free=lambda signum: signum != SIGNAL)
    with pytest.raises(RuntimeError, match=f"signal {int(SIGNAL)} is in use in this process: give another"):
        watch.start()
    assert hand.taken() == []
    hand.put(pc_watch_new=lambda *_: None)
    with pytest.raises(MemoryError):
        hand.module.Watch(0.25, SIGNAL)
    assert hand.taken() == []  # there is nothing to free


@needs_the_gil_by_hand
def test_other_processes_and_the_end(hand):
    watch = hand.module.Watch(0.25, SIGNAL)
    assert hand.hooks.exit == hand.hooks.fork == []
    hand.pipe = 0
    count = sys.getrefcount(watch)
    watch.start()
    (at_exit,), (fork,) = hand.hooks.exit, hand.hooks.fork
    assert set(fork) == {"before", "after_in_parent", "after_in_child"}
    hand.taken()
    fork["before"]()
    fork["after_in_parent"]()
    assert hand.taken() == [("pause",), ("resume",), ("begun",)] and watch.running is True
    fork["after_in_child"]()
    assert hand.taken() == [("forget",), *ENDS] and watch.running is False
    assert sys.getrefcount(watch) == count
    watch.stop()
    fork["after_in_child"]()
    at_exit()
    assert hand.taken() == [("forget",)]
    watch.start()
    hand.taken()
    at_exit()
    assert hand.taken() == [("stop",), ("note", b"end", 0), *ENDS] and watch.running is False
    assert (len(hand.hooks.exit), len(hand.hooks.fork)) == (1, 1)  # once in a process


@needs_the_gil_by_hand
def test_in_a_child_that_c_forked_it_is_forgotten(hand, monkeypatch):
    """There no function ran that was registered for a fork, and no thread is to be waited for."""
    watch, other = hand.module.Watch(0.25, SIGNAL), hand.module.Watch(0.25, SIGNAL)
    pids = iter(range(1, 100))
    monkeypatch.setattr(os, "getpid", lambda: pid)
    for forget in watch.stop, lambda: hand.hooks.fork[0]["before"](), other.start:
        pid = next(pids)
        watch.start()
        hand.taken()
        pid = next(pids)
        forget()
        assert hand.taken()[0] == ("forget",) and not watch.running
    assert other.running
    other.stop()
    assert ("stop",) in hand.taken()


@needs_the_gil_by_hand
def test_two_threads_stop_it_at_once(hand):
    """The second finds it stopped when the first has joined the threads of the watch."""
    watch = hand.module.Watch(0.25, SIGNAL)
    hand.pipe = 0
    watch.start()
    hand.taken()

    def stop(_):
        hand.calls.append(("stop",))
        if hand.calls.count(("stop",)) == 1:
            watch.stop()

    hand.put(pc_watch_stop=stop)
    watch.stop()
    assert hand.taken() == [("stop",), ("stop",), ("note", b"end", 0), *ENDS]


@needs_the_gil_by_hand
def test_signals_for_a_child(hand):
    for name in "begin", "to", "end":
        hand.put(**{f"pc_forward_{name}": lambda *number, name=name: hand.calls.append((name, *number))})
    hand.module.forward_begin([2, 15, 2])
    hand.module.forward_to(77)
    hand.module.forward_end()
    assert hand.taken() == [("begin", 1 << 1 | 1 << 14), ("to", 77), ("end",)]


# ---- the beat -------------------------------------------------------------------------


def script(hand, waits, free=(), over=0.25):
    """So many waits, then the end; `free`: the asks, by number, that find the GIL free. Everything is logged."""
    asks = iter(range(1000))  # with an end, in case that the beat has none
    waits = iter(waits)
    ended = []

    def end():
        ended.append(1)
        if len(ended) > 100:
            os._exit(3)
        return 0.0

    def nap(watch, mean):
        hand.calls.append(("nap", mean))
        return next(naps, 0)

    def ask(watch, always):
        hand.calls.append(("ask", always))
        return next(asks) not in free

    naps = iter([1] * hand.naps)
    hand.put(
        pc_watch_nap=nap,
        pc_watch_ask=ask,
        pc_watch_got=lambda watch: next(waits, None) or end(),
        pc_watch_holder=lambda watch, which: hand.idents[which] if which < 2 else 0,
        pc_watch_over=lambda watch: over,
    )


@needs_the_gil_by_hand
def test_a_beat_is_rarer_after_a_wait(hand):
    """Twice the wait, from 1 ms to 10; once. It asks when the GIL is held, and at the end in any case."""
    hand.put(pc_watch_judge=lambda watch, stall: hand.calls.append(("judge", bool(stall))))
    hand.naps = 5
    script(hand, [0.0001, 0.003, 0.2, 0.0001], free=(1,))
    watch = hand.module.Watch(0.25, SIGNAL)
    watch.start()
    hand.taken()
    hand.beat()
    hand.check()
    assert hand.taken() == [
        ("nap", 0.001), ("ask", 0), ("judge", False),
        ("nap", 0.001), ("ask", 0), ("nap", 0.001), ("ask", 0), ("judge", False),
        ("nap", 0.006), ("ask", 0), ("judge", False),
        ("nap", 0.010), ("ask", 0), ("judge", False),
        ("nap", 0.001), ("ask", 1), ("judge", False),
    ]  # fmt: skip
    hand.naps = 2
    script(hand, [0.003, 0.0001], free=(1,))
    hand.beat()
    assert [call[1] for call in hand.taken() if call[0] == "nap"] == [0.001, 0.006, 0.001]
    watch.ask_always(True)
    hand.naps = 1
    script(hand, [0.0001])
    hand.beat()
    assert [call[1] for call in hand.taken() if call[0] == "ask"] == [1, 1]
    watch.ask_always(False)
    script(hand, [0.0001])
    hand.beat()
    assert [call[1] for call in hand.taken() if call[0] == "ask"] == [0, 1]
    watch.stop()
    watch.start(True)
    script(hand, [0.0001])
    hand.taken()
    hand.beat()
    assert [call[1] for call in hand.taken() if call[0] == "ask"] == [1, 1]
    watch.stop()


def stalled(hand, waits=(0.25,), then=()):
    """What was told of each wait that counts."""
    told = []

    def keep(watch, stall):
        hand.calls.append(("keep", bool(stall)))
        told.append(CStall.from_buffer_copy(stall.contents))

    hand.put(pc_watch_judge=lambda watch, stall: hand.calls.append(("judge", bool(stall))), pc_watch_keep=keep)
    hand.naps = len(waits)
    script(hand, [*waits, 0.0001])
    hand.put(**dict(then))
    watch = hand.module.Watch(0.25, SIGNAL)
    watch.start()
    hand.taken()
    try:
        hand.beat()
    finally:
        watch.stop()
    hand.check()
    return told


def turns_told(hand, over, naps, nap):
    """What a watch tells of the loop of another thread, at which it looks after each of so many naps but the last."""
    told, left = [], iter(range(naps))
    hand.put(
        pc_watch_over=lambda watch: over,
        pc_watch_nap=lambda watch, mean: time.sleep(nap) or next(left) < naps - 1,
        pc_watch_ask=lambda watch, always: 1,
        pc_watch_got=lambda watch: 0.0,
        pc_watch_judge=lambda watch, stall: None,
        pc_watch_loop=lambda watch, *values: told.append(values),
    )
    watch = hand.module.Watch(over, SIGNAL)
    watch.start()
    try:
        hand.beat()
    finally:
        watch.stop()
    hand.check()
    return told


@needs_the_gil_by_hand
@pytest.mark.parametrize("how", ["asleep", "computing", "waiting for the GIL", "with a clock of its own"])
def test_turns_of_a_loop(hand, how):
    """Four looks at a loop whose callback goes on; of the time between them counts what its thread slept or ran for."""
    import asyncio

    entered, go_on = threading.Event(), threading.Event()

    def block():
        entered.set()
        go_on.wait()

    class Clock(asyncio.SelectorEventLoop):
        def time(self):
            return super().time()

    loop = Clock() if how.startswith("with") else asyncio.SelectorEventLoop()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(block),), name="looper")
    thread.start()
    entered.wait()
    cpu = iter(range(1000))
    hand.put(
        pc_sleeps_elsewhere=lambda gil, tid: how not in ("computing", "waiting for the GIL"),
        pc_cpu_of=lambda tid: 0.01 * next(cpu) if how == "computing" else 0.0,
        pc_delay_of=lambda tid: 0.0,
    )
    try:
        told = turns_told(hand, 0.02, naps=5, nap=0.011)
    finally:
        go_on.set()
        thread.join()
        loop.close()
    if how not in ("asleep", "computing"):
        assert told == []
        return
    ((begin, seconds, missing, name, task, stacks),) = told
    assert 0.0 < begin < time.monotonic() and seconds > 0.03 and missing == 0.0
    assert (name, task) == (b"looper", b"main")
    assert stacks.startswith(b"Stack (most recent call first):\n  File ") and b" in block\n" in stacks
    assert b"run_once" not in stacks and b"run_forever" not in stacks


async def main(function):
    function()


@needs_the_gil_by_hand
def test_the_variables_of_a_loop_that_is_traced_stay(hand):
    """Before Python 3.13 all of them are written back from frame.f_locals after each call of a trace function."""
    import asyncio

    entered, go_on, seen = threading.Event(), threading.Event(), []

    def profile(frame, event, argument):
        if frame.f_code.co_name == "_run_once" and event == "c_call" and "end_time" in frame.f_locals:
            sys.setprofile(None)
            variables = frame.f_locals
            variables["timeout"] = "changed"
            before = dict(variables)
            entered.set()
            go_on.wait()
            seen.append((before, dict(variables)))

    async def main():
        sys.setprofile(profile)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop = asyncio.SelectorEventLoop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()) or seen.append("ended"))
    thread.start()
    entered.wait()
    try:
        told = turns_told(hand, 0.001, naps=3, nap=0.006)
    finally:
        go_on.set()
        thread.join()
        loop.close()
    (before, after), ended = seen
    assert before == after and before["timeout"] == "changed" and ended == "ended"
    assert told  # it was looked at


@needs_the_gil_by_hand
def test_a_stall_is_kept(hand):
    (stall,) = stalled(hand)
    # It is looked at whose it was before that one goes on. Then the beat asks again at once.
    assert [call for call in hand.taken() if call[0] in ("nap", "ask", "judge", "keep")] == [
        ("nap", 0.001), ("ask", 0), ("judge", True), ("keep", True), ("nap", 0.0), ("ask", 1), ("judge", False),
    ]  # fmt: skip
    assert [name.ident for name in stall.names] == hand.idents + 16 * [0]
    assert stall.names[0].thread.decode() == threading.current_thread().name
    assert stall.names[1].thread == b""
    # Whoever had the GIL was at the end of a call.
    assert Path(stall.file.decode()) == Path(__file__) and stall.line > 0
    source = Path(__file__).read_text().splitlines()
    assert stall.end_line == stall.line and stall.end_column == source[stall.line - 1].rindex(")") + 1
    assert stall.function == b"ByHand.start.<locals>.<lambda>"
    assert stalled(hand, [0.24999]) == []
    assert len(stalled(hand, [0.3, 0.25])) == 2
    # Even if nobody has the GIL at that moment: who is about to take it may keep it.
    hand.taken()
    stalled(hand, [0.25, 0.0001])
    assert [call[1] for call in hand.taken() if call[0] == "ask"] == [0, 1, 1]


@needs_the_gil_by_hand
@pytest.mark.parametrize("enabled", [True, False])
def test_nothing_of_the_program_runs_for_it(hand, enabled):
    """No attribute that is computed; and the garbage collector, which runs finalizers, is off meanwhile."""
    ran, states = [], []

    class Computed(threading.Thread):
        def __getattribute__(self, name):
            ran.append(name)
            return super().__getattribute__(name)

    def holder(watch, which):
        if which < 2:
            states.append(gc.isenabled())
            ran.clear()
        return ident if which < 2 else 0

    def kept(watch, stall):
        states.append((gc.isenabled(), list(ran), stall.contents.names[1].thread))

    thread = Computed(target=(stay := threading.Event()).wait, name="computed")
    thread.start()
    ident, was = thread.ident, gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        stalled(hand, then={"pc_watch_holder": holder, "pc_watch_keep": kept})
    finally:
        (gc.enable if was else gc.disable)()
        stay.set()
        thread.join()
    assert states == [False, False, (enabled, [], b"computed")]


@needs_the_gil_by_hand
@pytest.mark.parametrize("name", ["w\u00f6rker", "undecodable \udce9", "x" * 255, "x" * 256, "\ud800", 7])
def test_names(hand, monkeypatch, name):
    """In UTF-8; what cannot be written so, or does not fit, is unknown."""
    monkeypatch.setattr(threading.current_thread(), "_name", name)
    (stall,) = stalled(hand)
    expected = name.encode("utf-8", "surrogateescape") if name not in ("x" * 256, "\ud800", 7) else b""
    assert stall.names[0].thread == expected
    assert stall.line > 0  # all the same


@needs_the_gil_by_hand
def test_threads_that_are_not_known(hand, monkeypatch):
    hand.idents[0] += 1
    (stall,) = stalled(hand)
    assert (stall.names[0].thread, stall.line, stall.names[1].thread) == (b"", 0, b"")
    hand.idents[:] = [0, hand.idents[0] - 1]
    (stall,) = stalled(hand)
    assert stall.names[1].thread.decode() == threading.current_thread().name
    hand.idents[:] = [hand.idents[1], 0]
    # A program that does not use threads, or has another module of this name.
    for module in (None, 7, SimpleNamespace(_active={})):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "threading", module)
            assert stalled(hand)[0].names[0].thread == b""
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "threading")
        (stall,) = stalled(hand)
        assert stall.names[0].thread == b"" and stall.line > 0
    for active in (None, {}, {hand.idents[0]: 7}):
        with monkeypatch.context() as patch:
            patch.setattr(threading, "_active", active)
            (stall,) = stalled(hand)
        assert stall.names[0].thread == b"" and stall.line > 0


@needs_the_gil_by_hand
def test_a_place_is_at_a_call(hand):
    """It is where the thread is, in the middle of a call or else."""
    inside, outside = threading.Event(), []

    def call():
        inside.set()
        stay.wait()

    def loop():
        inside.set()
        while not outside:
            pass

    for work, known in ((call, True), (loop, False)):
        inside.clear()
        stay = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait()
        hand.idents[0] = thread.ident
        stalls = [stalled(hand)[0] for _ in range(3)]
        stay.set()
        outside.append(1)
        thread.join()
        if known:
            assert {(stall.line > 0, Path(stall.file.decode()).name) for stall in stalls} == {(True, "threading.py")}
        else:
            assert {stall.line for stall in stalls} == {0}
        outside.clear()
