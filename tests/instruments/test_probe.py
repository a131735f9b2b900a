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
import threading
import time
from ctypes import CFUNCTYPE, POINTER, c_char, c_double, c_int, c_size_t, c_ulong, c_void_p
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
        ("ident_in_state", c_size_t),
    ]  # fmt: skip


class Spell(ctypes.Structure):
    _fields_ = [
        ("switches", c_ulong), ("ident", c_ulong), ("tid", c_int), ("since", c_double), ("first", c_double),
        ("last", c_double), ("cpu", c_double), ("asleep", c_double), ("ignored", c_double), ("looks", c_int),
        ("collecting", c_int), ("signals", c_int), ("length", c_int), ("text", c_char * 16384),
    ]  # fmt: skip


class CStall(ctypes.Structure):
    _fields_ = [
        ("begin", c_double), ("end", c_double), ("switches", c_ulong), ("late", c_double), ("delay", c_double),
        ("direct", c_int), ("spell", Spell),
    ]  # fmt: skip


class CFigures(ctypes.Structure):
    _fields_ = [
        ("beats", c_ulong), ("waits", c_ulong), ("looks", c_ulong), ("waited", c_double), ("longest_wait", c_double),
        ("unseen", c_double), ("longest_late", c_double), ("started", c_double), ("signal_lost", c_int),
    ]  # fmt: skip


TYPES = {
    "pc_gil_find": (c_void_p, POINTER(Gil)),
    "pc_watch_new": (c_void_p, POINTER(Gil), c_double),
    "pc_watch_free": (None, c_void_p),
    "pc_watch_pipe": (c_int, c_void_p),
    "pc_signal_is_free": (c_int, c_int),
    "pc_watch_signal": (None, c_void_p, c_int),
    "pc_watch_keep_signal": (None, c_void_p, c_int),
    "pc_watch_start": (c_int, c_void_p, c_void_p, c_void_p),
    "pc_watch_begun": (None, c_void_p),
    "pc_watch_stop": (None, c_void_p),
    "pc_watch_nap": (c_int, c_void_p, c_double),
    "pc_watch_ask": (c_int, c_void_p, c_int),
    "pc_watch_got": (c_double, c_void_p),
    "pc_watch_holder": (c_ulong, c_void_p),
    "pc_watch_judge": (None, c_void_p, POINTER(CStall)),
    "pc_watch_over": (c_double, c_void_p),
    "pc_watch_figures": (None, c_void_p, POINTER(CFigures), c_int),
    "pc_readable": (c_int, c_void_p),
    "pc_gettid": (c_int,),
    "pc_is_locked": (c_int, POINTER(Gil)),
    "pc_delay_of": (c_double, c_int),
    "pc_cpu_of": (c_double, c_int),
}
# These take long, or take a lock for which others wait who have the GIL, or will.
WITHOUT_GIL = {
    "pc_watch_begun", "pc_watch_stop", "pc_watch_nap", "pc_watch_ask", "pc_watch_judge", "pc_watch_figures",
    "pc_is_locked",
}  # fmt: skip
ADDRESS = 4096  # of a watch: a name, nothing to follow
SIGNAL = signal.SIGUSR2 if sys.platform != "win32" else 0


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """Its functions are found before those that an extension module loaded later has itself."""
    path = tmp_path_factory.mktemp("c") / "by_hand.so"
    source = Path(__file__).parents[1] / "c" / "by_hand.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", source, "-o", path], check=True)
    library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    check = ctypes.cast(ctypes.pythonapi.PyGILState_Check, c_void_p)
    c_void_p.in_dll(library, "by_hand_check").value = check.value
    return library


def right_places():
    """What the real C half finds."""
    gil = Gil()
    ctypes.PyDLL(_probe.__file__).pc_gil_find(ctypes.byref(gil))
    return gil


class ByHand:
    """The C half: its functions by name, what was called of them, and the module over it."""

    def __init__(self, library, folder):
        self.calls, self.errors = [], []
        self._library, self._kept = library, []
        self.gil = right_places()
        self.pipe = -1
        self.put(
            pc_gil_find=lambda gil: ctypes.memmove(gil, ctypes.byref(self.gil), ctypes.sizeof(Gil)) and None,
            pc_readable=lambda place: place not in (None, 8),
            pc_gettid=threading.get_native_id,
            pc_watch_new=self.logged("new", ADDRESS),
            pc_watch_free=self.logged("free"),
            pc_watch_pipe=lambda watch: self.pipe,
            pc_signal_is_free=self.logged("free?", 1),
            pc_watch_signal=self.logged("signal"),
            pc_watch_keep_signal=lambda watch, begin: self.calls.append(("keep", begin, is_caught())),
            pc_watch_start=self.start,
            pc_watch_begun=self.logged("begun"),
            pc_watch_stop=self.logged("stop"),
            pc_watch_over=lambda watch: 0.25,
        )
        path = shutil.copy(_probe.__file__, folder)
        spec = ModuleSpec("pycrust._probe", ExtensionFileLoader("pycrust._probe", path), origin=path)
        self.module = spec.loader.create_module(spec)
        spec.loader.exec_module(self.module)

    def put(self, **functions):
        for name, function in functions.items():
            kind = CFUNCTYPE(*TYPES[name])
            made = kind(self.guarded(name, function))
            self._kept.append(made)
            c_void_p.in_dll(self._library, f"by_hand_{name}").value = ctypes.cast(made, c_void_p).value

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
    """Whether the process has a handler for the signal."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> (SIGNAL - 1) & 1)


@pytest.fixture
def load(library, tmp_path, monkeypatch):
    """A new module over a new C half, any number of times; what it does at exit and at a fork is kept from it."""
    made = []
    hooks = SimpleNamespace(exit=[], fork=[])
    monkeypatch.setattr(atexit, "register", hooks.exit.append)
    monkeypatch.setattr(os, "register_at_fork", lambda **functions: hooks.fork.append(functions))

    def load():
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(ByHand(library, folder))
        made[-1].hooks = hooks
        return made[-1]

    yield load
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
def test_what_is_laid_out_otherwise_is_refused(load, changed, during, monkeypatch):
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


@needs_the_gil_by_hand
def test_a_watch_begins_and_ends(hand):
    end, hand.pipe = os.pipe()
    watch = hand.module.Watch(0.25, SIGNAL)
    assert hand.taken() == [("new", 0.25)] and watch.running is False and watch.stalls == []
    count = sys.getrefcount(watch)
    chained = []
    before = signal.signal(SIGNAL, lambda *_: chained.append(1))
    thread = threading.Thread(target=(stay := threading.Event()).wait)
    thread.start()
    try:
        watch.start()
        assert hand.taken() == [("free?",), ("signal", SIGNAL), ("start",), ("begun",)] and watch.running is True
        assert sys.getrefcount(watch) == count + 2  # that of the beat, and as the one that runs
        # The traceback of this thread, and of no other; and the program's handler is not called.
        signal.raise_signal(SIGNAL)
        text = os.read(end, 10000).decode()
        assert text.count("Stack (most recent call first)") == 1 and "test_a_watch_begins_and_ends" in text
        assert not chained
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
        left = faulthandler.unregister(SIGNAL)
        signal.signal(SIGNAL, before)
        os.close(end)
        os.close(hand.pipe)
    assert not left and hand.taken() == [("stop",), ("keep", 1, True), ("keep", 0, True)]
    assert watch.running is False and sys.getrefcount(watch) == count
    watch.stop()
    assert hand.taken() == []
    del watch, other
    assert hand.taken() == [("free",), ("free",)]


@needs_the_gil_by_hand
def test_ours_is_gone_before_the_programs_is_put_back(hand):
    watch = hand.module.Watch(0.25, SIGNAL)
    watch.start()
    assert ("signal", SIGNAL) not in hand.taken() and not is_caught()  # there is no pipe
    watch.stop()
    assert hand.taken() == [("stop",), ("keep", 1, False), ("keep", 0, False)]
    hand.pipe = 0  # a descriptor like others
    watch.start()
    assert ("signal", SIGNAL) in hand.taken() and is_caught()
    watch.stop()
    assert hand.taken() == [("stop",), ("keep", 1, True), ("keep", 0, False)]


@needs_the_gil_by_hand
def test_what_cannot_begin_leaves_nothing(hand):
    watch = hand.module.Watch(0.25, SIGNAL)
    count = sys.getrefcount(watch)
    hand.put(pc_watch_start=lambda *_: 11)
    for _ in range(2):
        hand.taken()
        with pytest.raises(RuntimeError, match=f"no thread can be started to watch the GIL: {os.strerror(11)}"):
            watch.start()
        assert hand.taken() == [("free?",), ("keep", 1, False), ("keep", 0, False)]
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
    watch.start()
    (at_exit,), (fork,) = hand.hooks.exit, hand.hooks.fork
    assert set(fork) == {"before", "after_in_parent", "after_in_child"}
    count = sys.getrefcount(watch)
    hand.taken()
    for _ in range(2):
        fork["before"]()
        assert hand.taken() == [("stop",)] and watch.running is False
        fork["after_in_parent"]()
        assert hand.taken() == [("start",), ("begun",)] and watch.running is True
    assert sys.getrefcount(watch) == count
    fork["before"]()
    hand.put(pc_watch_start=lambda *_: 11)  # no thread to be had any more
    fork["after_in_parent"]()
    fork["before"]()
    assert watch.running is False and sys.getrefcount(watch) == count - 1
    hand.put(pc_watch_start=hand.start)
    hand.taken()
    fork["after_in_child"]()
    assert hand.taken() == [("keep", 1, False), ("keep", 0, False)]
    watch.stop()
    for function in fork.values():  # there is none in the child
        function()
    at_exit()
    assert hand.taken() == []
    watch.start()
    hand.taken()
    at_exit()
    assert hand.taken() == [("stop",), ("keep", 1, False), ("keep", 0, False)] and watch.running is False
    assert (len(hand.hooks.exit), len(hand.hooks.fork)) == (1, 1)  # once in a process


@needs_the_gil_by_hand
def test_figures(hand):
    resets = []

    def figures(watch, to, reset):
        resets.append(reset)
        to[0] = CFigures(1, 2, 3, 4.0, 5.0, 6.0, 7.0, began, 1)

    hand.put(pc_watch_figures=figures)
    watch = hand.module.Watch(0.25, SIGNAL)
    began = time.perf_counter()
    seen = watch.figures()
    assert 0.0 <= seen[7] <= time.perf_counter() - began
    assert seen == (1, 2, 4.0, 5.0, 3, 6.0, 7.0, seen[7], 0.25, True, began)
    began -= 1000.0
    assert watch.figures(True)[7] >= 1000.0
    assert resets == [0, 1]


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
        pc_watch_holder=lambda watch: threading.get_ident(),
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


def stalled(hand, stall, waits=(0.25,), **options):
    """What a watch keeps of a wait that counts, or several."""

    def judge(watch, to):
        hand.calls.append(("judge", bool(to)))
        if to:
            ctypes.memmove(to, ctypes.byref(stall), ctypes.sizeof(stall))

    hand.put(pc_watch_judge=judge)
    hand.naps = 1
    script(hand, [*waits, 0.0001])
    watch = hand.module.Watch(0.25, SIGNAL, **options)
    watch.start()
    hand.taken()
    try:
        hand.beat()
    finally:
        watch.stop()
    hand.check()
    return watch.stalls


def a_stall(**changed):
    spell = Spell(
        switches=7, ident=threading.get_ident(), tid=1, since=1.0, first=2.0, last=4.0, cpu=5.0, asleep=6.0,
        ignored=7.0, looks=8, collecting=9, length=4, text=b"li\xe9es",
    )  # fmt: skip
    stall = CStall(begin=1.0, end=3.5, switches=2, late=0.5, delay=0.75, direct=0, spell=spell)
    for name, value in changed.items():
        setattr(stall if hasattr(stall, name) else stall.spell, name, value)
    return stall


@needs_the_gil_by_hand
def test_a_stall_is_kept(hand):
    me, name = threading.get_ident(), threading.current_thread().name
    usual = (1.0, 2.5, 2, 0.5, 0.75, 1.0, 2.0, 5.0, 6.0, 7.0, 8, 9, me, name, "li\ufffde", None)
    assert stalled(hand, a_stall()) == [usual]
    # It is looked at whose it was before that one goes on; then the beat asks again, whether or not somebody has the GIL.
    assert [call for call in hand.taken() if call[0] in ("nap", "ask", "judge")] == [
        ("nap", 0.001), ("ask", 0), ("judge", True), ("ask", 1), ("judge", False), ("nap", 0.001), ("ask", 1),
        ("judge", False),
    ]  # fmt: skip
    assert stalled(hand, a_stall(), waits=[0.24999]) == []
    assert stalled(hand, a_stall(), waits=[0.3, 0.25]) == [usual] * 2
    # Nobody was seen.
    nobody = (1.0, 2.5, 2, 0.5, 0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, None, "", None)
    assert stalled(hand, a_stall(ident=0)) == [nobody]
    assert stalled(hand, a_stall(looks=1)) == [(*usual[:10], 1, *usual[11:])]
    # Whoever gave the GIL to the beat was at the end of a call.
    (found,) = stalled(hand, a_stall(direct=1))
    assert found[:-1] == usual[:-1]
    file, line, function = found[-1]
    assert (Path(file), function) == (Path(__file__), "ByHand.start.<locals>.<lambda>") and line > 0


@needs_the_gil_by_hand
def test_whose_it_was(hand, monkeypatch):
    me = threading.get_ident()
    # Another's, which threading does not know: no name; and the name is that of the time after the wait.
    assert stalled(hand, a_stall(ident=me + 1))[0][12:14] == (me + 1, None)
    assert stalled(hand, a_stall(ident=me + 1, direct=1))[0][12:14] == (me + 1, threading.current_thread().name)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "_current_frames", lambda: 1 // 0)
        assert stalled(hand, a_stall(direct=1))[0][13:16:2] == (threading.current_thread().name, None)
        patch.setattr(sys, "_current_frames", dict)
        assert stalled(hand, a_stall(direct=1))[0][13:16:2] == (threading.current_thread().name, None)
    # A program that does not use threads.
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "threading")
        assert stalled(hand, a_stall())[0][13] is None


CALL = next(code for name, code in __import__("opcode").opmap.items() if name.startswith("CALL"))


@needs_the_gil_by_hand
@pytest.mark.parametrize(
    ("at", "found"), [(0, True), (2, True), (4, True), (6, False), (8, True), (-2, False), (10, False)]
)
def test_a_place_is_at_a_call(hand, monkeypatch, at, found):
    """Caches, which are zeros, follow an instruction."""
    code = SimpleNamespace(
        co_code=bytes([CALL, 1, 0, 0, 0, 0, 1, 0, CALL, 1, 1, 0]), co_filename="a.py", co_qualname="f"
    )
    frame = SimpleNamespace(f_code=code, f_lasti=at, f_lineno=7)
    monkeypatch.setattr(sys, "_current_frames", lambda: {threading.get_ident(): frame})
    (stall,) = stalled(hand, a_stall(direct=1, ident=1))
    assert stall[13:] == (threading.current_thread().name, "li\ufffde", ("a.py", 7, "f") if found else None)
    code.co_code = bytes(12)  # nothing but caches: there is no such code
    (stall,) = stalled(hand, a_stall(direct=1, ident=1))
    assert stall[13::2] == (threading.current_thread().name, None)


@needs_the_gil_by_hand
def test_a_sink_gets_each_and_its_errors_are_its_own(hand):
    got = []
    assert stalled(hand, a_stall(), sink=got.append) == got != []

    def fails(event):
        raise SystemExit

    assert len(stalled(hand, a_stall(), waits=[0.3, 0.3], sink=fails)) == 2
    hand.module.MOST_STALLS = 2
    got.clear()
    assert len(stalled(hand, a_stall(), waits=[0.3] * 4, sink=got.append)) == len(got) == 2
