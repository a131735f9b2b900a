"""Verdicts on functions whose behaviour is known, and on waits made by hand."""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from cases import long

import pycrust
from pycrust import _probe
from pycrust.bench import assert_releases_gil, cli, threadable
from pycrust.bench.machine import Machine, gil_enabled
from pycrust.bench.timing import Control, Timing
from pycrust.bench.verdict import Threadable, name_of
from pycrust.bench.waits import Ask, Waits, waits_during

needs_gil = pytest.mark.skipif(not gil_enabled(), reason="there is no GIL to hold")

pytestmark = pytest.mark.measures
beside_others = pytest.mark.measures(False)


def loop(count):
    for _ in range(count):
        pass


def half(count):
    pycrust.sum_of_squares(count)
    pycrust.threadable_sum_of_squares(count)


def random_bytes(size):
    return np.random.default_rng(1).integers(0, 50, size, dtype=np.uint8).tobytes()


@functools.cache
def inputs():
    rng = np.random.default_rng(1)
    return {
        "64 MB": bytes(64 * 2**20),
        "compressible": random_bytes(2_000_000),
        "matrix": rng.random((1000, 1000)),  # without a GIL, 3.13 looks once a millisecond whether a thread is detached
        "vector": rng.random(1_000_000),
        "list": list(rng.random(300_000)),
        "text": "ab" * 2_000_000,
        "records": [{"number": k, "text": str(k)} for k in range(30_000)],
    }


# ---- the waits ----------------------------------------------------------------


def waits(start, end, *asks):
    """From asks as (asked, got, held, nap_delay, wait_delay), the last three of which may be missing."""
    return Waits(start, end, tuple(Ask(*ask) for ask in asks))


def test_the_share_is_that_of_the_waits_and_of_the_naps_that_ended_in_a_hold():
    """Of 10 s, 3 were spent waiting; two of four moments found the GIL held: half of the other 7, too, it was."""
    some = waits(
        0.0, 10.0, (0.0, 0.0), (1.0, 3.0, 1.0), (4.0, 4.0, 0.0), (6.0, 7.0, 1.0), (9.0, 9.0, 0.0), (12.0, 12.0)
    )
    assert some.stalled(0.1) == (3 + 0.5 * 7) / 10
    assert some.longest_stall() == 2.0


def test_where_the_lock_cannot_be_read_a_wait_tells():
    some = waits(0.0, 10.0, (0.0, 0.0), (1.0, 3.0), (4.0, 4.01), (6.0, 7.0), (9.0, 9.0), (12.0, 12.0))
    assert some.stalled(0.1) == pytest.approx((3 + 0.5 * 6.99) / 9.99, rel=1e-3)
    assert some.stalled(5.0) == 0.0


def test_only_what_lies_in_the_run_counts():
    """It waited from 1 to 5, and again from 6 to 12: of the run from 2 to 8 that is 5 of 6 s; the one moment found it held."""
    some = waits(2.0, 8.0, (0.0, 0.0), (1.0, 5.0, 1.0), (6.0, 12.0, 1.0), (13.0, 13.0, 0.0))
    assert some.stalled(0.1) == 1.0
    assert [(nap.length, wait.length) for _, nap, wait in some.spans()] == [(0.0, 3.0), (1.0, 2.0)]
    assert some.longest_stall() == 3.0


def test_waiting_for_a_core_is_not_waiting_for_the_gil():
    """Of the first 2 s in which it waited it had no core, so that they count for nothing; then it waited for 1 s."""
    some = waits(0.0, 10.0, (0.0, 0.0), (6.0, 8.0, 0.0, 5.0, 2.0), (9.0, 10.0, 1.0), (11.0, 11.0))
    assert some.longest_stall() == 1.0
    assert some.stalled(0.1) == (1.0 + 0.5 * (6.0 + 1.0)) / 8.0
    assert some.no_core() == 0.7


def test_who_has_had_no_core_to_take_the_gil_back_did_not_release_it():
    """From 3 to 5 nobody has the GIL, but so long the thread that gave it away does not run: of 10 s these 2 say nothing."""
    asks = [(0.0, 0.0), (1.0, 3.0, 1.0), (4.0, 4.0, math.nan), (5.0, 5.0, math.nan), (6.0, 8.0, 1.0), (9.0, 9.0, 0.0)]
    some = waits(0.0, 10.0, *asks, (11.0, 11.0, 0.0))
    assert len(some.during()) == 3
    assert some.stalled(0.1) == pytest.approx((4 + 2 / 3 * 4) / 8)


def test_a_run_without_a_moment_is_one_wait_or_nothing():
    assert waits(2.0, 5.0, (0.0, 0.0), (1.9, 5.2, 1.0), (6.0, 6.0, 0.0)).stalled(0.1) == 1.0
    assert waits(2.0, 5.0, (0.0, 0.0), (1.0, 1.0, 0.0), (6.0, 6.0, 0.0)).stalled(0.1) == 0.0


def test_what_is_usual_passes_over_the_longest_waits():
    asks = [(float(k), k + (0.5 if k == 7 else 0.01)) for k in range(40)]
    assert waits(0.0, 40.0, (0.0, 0.0), *asks).usual() == pytest.approx(0.01)


def test_it_asks_at_random_moments_before_the_run_and_until_after_it(until):
    measured = until(lambda waits: len(waits.asks) > 4, lambda: waits_during(lambda: time.sleep(0.1)))
    assert measured.asks[0].got < measured.start < measured.end <= measured.asks[-1].got
    naps = [after.asked - before.got for before, after in zip(measured.asks, measured.asks[1:])]
    assert len(set(naps)) > len(naps) / 2
    assert all(ask.asked <= ask.got and ask.nap_delay >= 0 and ask.wait_delay >= 0 for ask in measured.asks)
    assert not any(thread.name == "pycrust-asks" for thread in threading.enumerate())


@pytest.mark.parametrize("where", ["__enter__", "__exit__"])
def test_an_interrupt_leaves_no_thread_that_asks(where):
    """Wherever the main thread is at that moment."""

    def interrupt(frame, event, argument):
        if frame.f_code.co_filename == waits_during.__code__.co_filename and frame.f_code.co_name == where:
            if event == "line" and any(thread.name == "pycrust-asks" for thread in threading.enumerate()):
                raise KeyboardInterrupt
            return interrupt
        return None

    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            waits_during(lambda: None)
    finally:
        sys.settrace(before)
    time.sleep(0.05)
    assert not any(thread.name == "pycrust-asks" for thread in threading.enumerate())


def test_without_a_gil_it_meets_the_others_each_time(monkeypatch):
    """There a stop of the world is what may have to wait: it is part of the wait, and nothing is read from a lock."""
    met = []
    asks = _probe.ask(
        functools.partial(next, iter([False] * 20 + [True])), 0.001, (), lambda: met.append(time.perf_counter())
    )
    assert len(met) == 21
    assert all(asked <= at <= got for at, (asked, got, *_) in zip(met, asks[1:]))
    monkeypatch.setattr("pycrust.bench.waits.gil_enabled", lambda: False)
    monkeypatch.setattr("sys._current_frames", lambda: met.append(1))
    waits_during(lambda: time.sleep(0.01))
    assert len(met) > 21


@pytest.mark.skipif(bool(_probe.why_not()), reason="the lock cannot be read")
def test_the_lock_is_read(until):
    """A thread that keeps the GIL is found to have it; while all others sleep nobody has it."""
    asks = _probe.ask(functools.partial(next, iter([False] * 20 + [True])), 0.001)
    assert {held for _, _, held, _, _ in asks} == {0.0}
    measured = until(lambda waits: waits.during(), lambda: waits_during(lambda: pycrust.sum_of_squares(10**9)))
    assert measured.during()[0].held == 1.0


# ---- verdicts ---------------------------------------------------------------


def verdict(func, *args):
    return threadable(func, *args, threads=())


RELEASES = {
    "sleep": lambda of: (time.sleep, 0.02),
    "sha256": lambda of: (hashlib.sha256, of["64 MB"]),
    "crc32": lambda of: (zlib.crc32, of["64 MB"]),
    "compress": lambda of: (zlib.compress, of["compressible"]),
    "dot": lambda of: (np.dot, of["matrix"], of["matrix"]),
    "sort": lambda of: (np.sort, of["vector"]),
    "threadable n=1e9": lambda of: (pycrust.threadable_sum_of_squares, 10**9),
    "threadable n=1e8": lambda of: (pycrust.threadable_sum_of_squares, 10**8),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", RELEASES.values(), ids=RELEASES)
def test_releases(case):
    result = verdict(*case(inputs()))
    assert result.verdict == "releases", result
    assert not result.in_turns


def eigh(of):
    """Of 200 × 200: LAPACK under the GIL, whose BLAS has threads of its own."""
    linalg = pytest.importorskip("scipy.linalg")
    symmetric = of["matrix"][:200, :200] + of["matrix"][:200, :200].T
    return linalg.eigh, symmetric


HOLDS = {
    "sorted": lambda of: (sorted, of["list"]),
    "re": lambda of: (re.compile("a*c").search, of["text"]),
    "dumps": lambda of: (json.dumps, of["records"]),
    "eigh": eigh,
    "sum_of_squares n=1e9": lambda of: (pycrust.sum_of_squares, 10**9),
    "sum_of_squares n=1e8": lambda of: (pycrust.sum_of_squares, 10**8),
    "sum_of_squares n=1e6": lambda of: (pycrust.sum_of_squares, 10**6),
}


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize("case", HOLDS.values(), ids=HOLDS)
def test_holds(case):
    result = verdict(*case(inputs()))
    assert result.verdict == "holds", result
    assert not result.in_turns


@pytest.mark.slow
@needs_gil
def test_python_code_holds_the_gil_in_turns():
    result = verdict(loop, 10_000_000)
    assert (result.verdict, result.in_turns) == ("holds", True), result
    assert "in turns" in str(result)


def short_spells():
    for _ in range(300):
        sum(range(20_000))
        time.sleep(0)


def small_products():
    small = inputs()["matrix"][:10, :10].copy()
    for _ in range(20_000):
        small.dot(small)


def unbuffered_print():
    with io.TextIOWrapper(open(os.devnull, "wb", buffering=0), write_through=True) as out:
        for _ in range(1000):
            print("a line of text", file=out)


def encrypt(size):
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    return functools.partial(aead.AESGCM(bytes(16)).encrypt, bytes(12), bytes(size), None)


reads_the_lock = pytest.mark.skipif(bool(_probe.why_not()), reason="the lock cannot be read: short spells pass unseen")


@pytest.mark.slow
@needs_gil
@reads_the_lock
@pytest.mark.parametrize("func", [short_spells, small_products, unbuffered_print])
def test_short_spells_are_not_overlooked(func):
    """It held the GIL for 0.78, 0.69 and 0.43 of the time, as a bystander saw that read the lock all the time."""
    result = verdict(func)
    assert result.verdict in ("partly", "holds"), result
    assert result.stalled > 0.25, result
    with pytest.raises(AssertionError, match="GIL"):
        assert_releases_gil(func)


@pytest.mark.slow
@needs_gil
def test_output_that_is_allocated_under_the_gil():
    """Of 50 MB each page is new: a bystander saw the GIL held for 0.82 of the time, and for 0.10 with 5 MB."""
    small, large = verdict(encrypt(5 * 10**6)), verdict(encrypt(50 * 10**6))
    assert small.verdict in ("releases", "partly"), small
    assert large.verdict in ("holds", "partly"), large
    assert small.stalled < large.stalled


@pytest.mark.slow
@needs_gil
def test_partly():
    result = verdict(half, 10**9)
    assert result.verdict == "partly", result


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize(
    ("func", "args"),
    [(hashlib.sha256, (bytes(1024),)), (len, ("",)), (pycrust.sum_of_squares, (10**4,))],
    ids=["sha256", "len", "sum_of_squares"],
)
def test_too_short(func, args):
    result = verdict(func, *args)
    assert result.verdict == "too short", result
    assert "times the work" in result.in_words()


@pytest.mark.slow
@needs_gil
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity")
@pytest.mark.parametrize("busy", [long(0), 4])
def test_one_core_is_enough(python, busy):
    """Also one that others want."""
    done = python(f"""
import os, subprocess, sys, zlib
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range({busy})]
try:
    import pycrust
    from pycrust.bench import threadable
    data = bytes(10**7)
    releases = threadable(zlib.crc32, data, rounds=3)
    holds = threadable(pycrust.sum_of_squares, 10**8, rounds=3)
    print(releases.verdict, holds.verdict, releases.control)
finally:
    for each in others:
        each.kill()
        each.wait()
""")
    assert done.stdout == "releases holds None\n", done.stdout + done.stderr


@pytest.mark.skipif(gil_enabled(), reason="the words of a free-threaded run")
def test_attached_and_detached():
    assert "attached" in verdict(pycrust.sum_of_squares, 10**9).headline()
    assert verdict(pycrust.threadable_sum_of_squares, 10**9).headline() == "detaches"


# ---- the result -------------------------------------------------------------


def test_scaling_figures():
    result = threadable(time.sleep, 0.002, threads=(2, 1), rounds=2, seconds=1.0)
    assert list(result.row) == list(result.threads) == [1, 2]
    for k in 1, 2:
        assert result.speedup(k) == result.row[k].median / result.threads[k].median
    assert result._repr_html_().count("<table>") == 2
    assert repr(result).startswith("sleep") or repr(result).startswith("time.sleep")
    written = json.loads(json.dumps(result.to_dict()))
    assert written == result.to_dict()
    assert (written["schema"], written["verdict"]) == ("pycrust.bench.threadable", "releases")
    assert [row["k"] for row in written["scaling"]] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [(), (1, 2)])
def test_plot(threads):
    from matplotlib.figure import Figure

    result = threadable(time.sleep, 0.002, threads=threads, rounds=1)
    axes = result.plot(Figure())
    assert len(axes) == (2 if threads else 1)
    assert "ms" in axes[0].get_xlabel()


def test_each_call_has_its_own_input():
    """An iterator that each call reads to its end: a second reader of the same would find nothing."""
    seen = []

    def use(first, own):
        seen.append(sum(own))
        time.sleep(0.002)

    result = threadable(use, "first", factory=lambda: (iter([1, 2, 4]),), threads=(1, 3), rounds=1)
    assert result.calls > 1
    assert set(seen) == {7}


def test_inputs_are_made_for_one_run_at_a_time():
    made = []
    threadable(time.sleep, factory=lambda: made.append(1) or (0.02,), threads=(), rounds=1)
    assert len(made) <= 1 + 4 + 10  # to calibrate; the calls of the run


@beside_others
def test_few_calls_with_costly_inputs_are_too_short_to_tell():
    """What makes the inputs takes longer than is borne for many of them: a call of no time is no verdict."""
    result = threadable(len, factory=lambda: (time.sleep(0.5) or "",), threads=(), rounds=1)
    assert (result.calls, result.verdict) == (1, "too short")
    assert "so that it takes 5.00 ms" in result.in_words()


def made_up(stalled, seconds=0.1, calls=1, cores=2, gain=None, plain=2.0, alone=1.0, busy=(1.0, 2.0), gil=True):
    """A verdict on a function for this share of whose only run the GIL was held; two threads of it gain so much."""
    idle = waits(0.0, 1.0, *((k / 100, k / 100, 0.0) for k in range(101)))
    moments = 200  # of which one found the GIL held: that counts for as large a part of the time that was not waited
    held = seconds * max(stalled * moments - 1, 0) / (moments - 1)
    later = [held + (seconds - held) * k / moments for k in range(1, moments)]
    asks = [(-1.0, -1.0), (0.0, held, 1.0), *((at, at, 0.0) for at in [*later, seconds + 0.001])]
    machine = dataclasses.replace(Machine.this(), cores=cores, gil_enabled=gil, load=0.0)
    result = Threadable("f", seconds / calls, calls, [waits(0.0, seconds, *asks)], [idle], machine)
    if gain is not None:
        result.row, result.threads = {2: Timing((gain,) * 3)}, {2: Timing((1.0,) * 3)}
        result.row_cores, result.threads_cores = busy[0], {2: busy[1]}
        result.control = Control(2, plain, alone)
    return result


def test_no_gain_above_the_cores_is_promised():
    assert made_up(0.2).verdict == "partly"
    assert "gain ×2.00 at most" in made_up(0.2).in_words()
    assert "gain ×5.00 at most" in made_up(0.2, cores=8).in_words()
    for share in 0.0, 0.1, 0.3, 0.6, 1.0:
        assert made_up(share, gain=1.0).at_most <= 2
        assert made_up(share, gain=1.0).to_dict()["gain_at_most"] <= 2


@pytest.mark.parametrize(
    ("share", "gain", "expected"),
    [
        (0.02, 1.98, "releases"),
        (0.02, 1.3, "releases"),  # memory may be slow
        (0.02, 1.1, "signs disagree"),
        (0.02, 0.9, "signs disagree"),
        (0.45, 1.6, "partly"),
        (0.45, 0.95, "signs disagree"),  # it may gain 2, and gains nothing
        (0.7, 0.95, "partly"),  # so little may it gain that nothing is no wonder
        (0.5, 2.0, "partly"),  # two halves fit beside each other
        (0.7, 1.95, "signs disagree"),  # more than 1 / 0.7
        (1.0, 1.0, "holds"),
        (1.0, 1.9, "signs disagree"),
    ],
)
def test_the_two_signs_check_each_other(share, gain, expected):
    result = made_up(share, gain=gain)
    assert result.verdict == expected
    assert result.to_dict()["verdict"] == expected
    assert result.by_share in ("releases", "partly", "holds")
    words = result.in_words()
    if expected == "signs disagree":
        assert words.startswith("f gives two signs that disagree.")
        assert f"waited {share:.0%} of the time" in words and f"gained ×{gain:.2f}" in words
        assert "The reason may be" in words
        assert "gain next to nothing" not in words


@pytest.mark.parametrize(
    ("busy", "reason"),
    [
        ((1.9, 1.9), "a call keeps 1.9 cores busy by itself"),
        ((1.0, 1.0), "kept only 1.0 cores busy: they wait for one another"),
        ((1.0, 2.0), "got no more done"),
    ],
)
def test_what_the_reason_may_be(busy, reason):
    assert reason in made_up(0.02, gain=1.0, busy=busy).in_words()


@pytest.mark.parametrize(
    ("share", "limit", "expected", "passes", "with_margin"),
    [
        (0.05, None, "releases", True, True),
        (0.16, 0.15, "releases", False, True),
        (0.11, 0.15, "releases", True, True),
        (0.21, None, "releases", False, False),
        (0.79, 0.8, "holds", False, True),
        (0.85, 0.8, "holds", True, True),
        (0.5, None, "holds", False, False),
    ],
)
def test_near_a_limit(share, limit, expected, passes, with_margin):
    result = made_up(share)
    assert result.near == limit and result.to_dict()["near_limit"] == limit
    assert (f"near the limit of {limit or 0:.0%}: {share:.0%} to {share:.0%} in" in result.in_words()) == (
        limit is not None
    )
    assert result.meets(expected) == passes and result.meets(expected, 0.05) == with_margin
    low, high = result.to_dict()["stalled_interval"]
    assert low <= result.stalled <= high


@pytest.mark.parametrize(
    ("share", "options", "calls", "status"),
    [
        (0.16, ["--expect", "releases"], 1 + cli.REPEATS, 1),
        (0.16, ["--expect", "releases", "--margin", "5"], 1, 0),
        (0.16, [], 1, 0),
        (0.5, ["--expect", "releases"], 1, 1),
        (0.11, ["--expect", "releases"], 1, 0),
    ],
)
def test_near_a_limit_it_is_measured_again(monkeypatch, capsys, share, options, calls, status):
    """Only where that may change whether it is as expected; and the verdict rests on all rounds."""
    measured = []

    def measure(*args, threads, **kwargs):
        measured.append(threads)
        return made_up(share)

    monkeypatch.setattr(cli, "threadable", measure)
    assert cli.main(["threadable", "time:sleep", "--args", "0.001", "--threads", "1", *options]) == status
    assert measured == [[1]] + (calls - 1) * [()]
    assert ("expected that it releases" in capsys.readouterr().err) == bool(status)


def test_what_only_begins_is_refused_with_what_to_pass():
    async def coroutine(x): ...

    def generator(x):
        yield x

    async def asynchronous_generator(x):
        yield x

    class Asynchronous:
        async def __call__(self, x): ...

    for func in coroutine, functools.partial(coroutine, 1), Asynchronous():
        with pytest.raises(TypeError, match=r"only makes a coroutine; pass .*lambda: asyncio.run\("):
            threadable(func, 1)
    with pytest.raises(TypeError, match=r"only makes a generator; pass .*lambda: list\("):
        threadable(generator, 1)
    with pytest.raises(TypeError, match="only makes an asynchronous generator"):
        threadable(asynchronous_generator, 1)


def test_the_advice_for_a_coroutine_works(tmp_path):
    (tmp_path / "mine.py").write_text("import asyncio\nasync def wait(s): await asyncio.sleep(s)\n")
    done = run("mine:wait", "--args", "0.01", cwd=tmp_path)
    assert done.returncode == 2
    command = re.search(r"pycrust threadable (\S+) --setup '(.*?)' --args '(.*?)'", done.stderr)
    target, setup, argument = command.groups()
    done = run(target, "--setup", setup, "--args", argument.replace("…", "0.01"), "--threads", "1", cwd=tmp_path)
    assert done.returncode == 0 and "asyncio.run releases the GIL" in done.stdout, done.stderr


CRASHES = """
import ctypes, os, threading
def anywhere(): ctypes.string_at(0)
def in_threads():
    if threading.current_thread() is not threading.main_thread(): os.abort()
def later(calls=[]):
    if calls[1:]: os.abort() if threading.current_thread() is not threading.main_thread() else os._exit(0)
    calls.append(1)
"""


@beside_others
@pytest.mark.skipif(sys.platform != "linux", reason="the process's last words are told on Linux alone")
@pytest.mark.parametrize(
    ("name", "threads", "words"),
    [
        ("in_threads", "2", "mine:in_threads died in threads: it may not be safe there; try --threads 1"),
        ("in_threads", "1", "mine:in_threads died in a thread other than the main one: it may not be safe there\n"),
        ("anywhere", "2", None),
        ("later", "2", "mine:later died in threads"),
    ],
)
def test_a_function_that_dies_in_threads(name, threads, words, tmp_path):
    (tmp_path / "mine.py").write_text(CRASHES)
    done = run(f"mine:{name}", "--threads", threads, cwd=tmp_path)
    assert done.returncode == (-11 if name == "anywhere" else -6)
    assert (words in done.stderr) if words else ("died in" not in done.stderr)


@pytest.mark.parametrize("machine", [{"plain": 1.1}, {"alone": 0.6}, {"gil": False}])
def test_on_a_busy_machine_speed_ups_are_not_heard(machine):
    """Where plain C gains nothing in threads either, or without a GIL, the share alone decides."""
    for share, expected in (0.02, "releases"), (1.0, "holds"):
        for gain in 0.9, 1.0, 2.0:
            result = made_up(share, gain=gain, **machine)
            assert result.verdict == expected
            assert any("speed-ups here mean nothing" in each for each in result.warnings()) == ("gil" not in machine)


@pytest.mark.slow
@needs_gil
def test_another_lock_makes_the_signs_disagree():
    """It sleeps without the GIL, and lets nobody else sleep: that needs no core, and is seen wherever plain C gains."""
    lock = threading.Lock()

    def one_at_a_time():
        with lock:
            time.sleep(0.01)

    result = threadable(one_at_a_time, threads=(1, 2))
    heard = result.control is not None and result.control.tells
    assert result.verdict == ("signs disagree" if heard else "releases"), result
    assert not heard or "they wait for one another" in result.in_words()
    assert_releases_gil(one_at_a_time, rounds=3)  # which is about the GIL alone


def test_a_thread_that_never_got_to_ask_says_nothing():
    """Of three runs two say nothing: the third counts. If none says anything, there is no verdict."""
    silent = waits(0.0, 1.0, (-1.0, -1.0), (2.0, 2.0, 0.0))
    result = dataclasses.replace(made_up(1.0), runs=[silent, made_up(1.0).run, silent])
    assert result.verdict == "holds"
    result = dataclasses.replace(result, runs=[silent, silent])
    assert result.verdict == "too short"
    assert "had no core" in result.in_words()


def test_words_for_a_function_that_nobody_waited_for():
    result = verdict(time.sleep, 0.002)
    result.stalled = 0.0
    assert "waited 0% of the time" in result.in_words()


def test_errors_of_the_function_come_through():
    with pytest.raises(ZeroDivisionError):
        threadable(lambda: 1 / 0)
    with pytest.raises(ValueError, match="threads"):
        threadable(time.sleep, 0.01, threads=(0,))


@beside_others
def test_keywords_are_those_of_the_function():
    """But for the options of `threadable`; what would be both is refused, and the advice works."""
    calls = set()

    def call(*args, **kwargs):
        calls.add((args, *sorted(kwargs.items())))
        time.sleep(0.002)

    def sleep(seconds, rounds=1):
        calls.add((seconds, rounds))
        time.sleep(seconds)

    threadable(call, 1, kind="stable", threads=(), rounds=1)
    threadable(call, 1, factory=lambda: (2,), kind="stable", threads=(), rounds=1)
    assert_releases_gil(call, 3, kind="stable", rounds=1)
    assert calls == {((x), ("kind", "stable")) for x in ((1,), (1, 2), (3,))}
    calls.clear()
    for refuses in functools.partial(threadable, threads=()), assert_releases_gil:
        for rounds in 2, 5:  # the default is as good as any
            with pytest.raises(
                TypeError, match=r"'rounds' is an option of threadable and a parameter of .*sleep.*partial"
            ):
                refuses(sleep, 0.002, rounds=rounds)
    with pytest.raises(TypeError, match="'progress' is an option"):
        threadable(lambda progress: None, progress=print)
    assert not calls
    assert_releases_gil(sleep, 0.002)
    assert_releases_gil(lambda name, threads: time.sleep(0.002), name=1, threads=2, rounds=1)
    threadable(lambda seconds, /: time.sleep(seconds), 0.002, seconds=0.1, threads=np.array([], int))
    assert calls == {(0.002, 1)}
    calls.clear()
    threadable(functools.partial(sleep, rounds=2), 0.002, rounds=3, threads=())
    assert calls == {(0.002, 2)}


def test_names():
    assert name_of(sorted) == "sorted"
    assert name_of(json.dumps) == "json.dumps"
    assert name_of(functools.partial(functools.partial(json.dumps), indent=1)) == "json.dumps"
    assert name_of(hashlib.sha256) == "openssl_sha256"
    assert name_of(pycrust.sum_of_squares) == "pycrust.sum_of_squares"
    assert name_of(np.add) == "numpy.add"


# ---- assert_releases_gil ----------------------------------------------------


def test_assert_releases_gil_passes():
    assert_releases_gil(pycrust.threadable_sum_of_squares, 10**8)


@needs_gil
@pytest.mark.slow
def test_assert_releases_gil_fails_on_a_function_that_holds_it():
    with pytest.raises(AssertionError, match="holds the GIL"):
        assert_releases_gil(pycrust.sum_of_squares, 10**9)


@needs_gil
def test_assert_releases_gil_fails_on_what_it_cannot_tell():
    with pytest.raises(AssertionError, match="too short to tell"):
        assert_releases_gil(len, "")


# ---- the command ------------------------------------------------------------


def run(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "pycrust", "threadable", *args],
        capture_output=True, encoding="utf-8", timeout=120, env={**os.environ, "PYTHONUTF8": "1"}, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_command_end_to_end(tmp_path):
    (tmp_path / "mine.py").write_text("import time\nclass Job:\n    def run(seconds): time.sleep(seconds)\n")
    done = run(
        "mine:Job.run", "--setup", "s = 0.01", "--args", "s / 2", "--threads", "1", "2", "--expect", "releases",
        "--json", "out.json", "--plot", "out.png", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine.Job.run ")
    assert json.loads((tmp_path / "out.json").read_text())["function"] == "mine.Job.run"
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_arguments_are_fresh_for_each_call():
    """Each call reads its own stream: of one that was read before, `load` would make an error."""
    done = run(
        "json:load", "--setup", "import io; text = '[' + '1,' * 10_000 + '1]'", "--args", "io.StringIO(text)",
        "--threads", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("json.load ")


def test_keyword_arguments_and_a_target_at_the_end(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import time\ndef f(*args, **kwargs):\n"
        "    assert (args, kwargs) == ((1, 2), {'a': 3, 'b': 4}), (args, kwargs)\n    time.sleep(0.01)\n"
    )
    done = run("--threads", "1", "--args", "1", "*[2]", "a=3", "**{'b': 4}", "mine:f", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("mine.f releases", "mine.f detaches"))


@beside_others
def test_json_to_standard_output(tmp_path):
    """Nothing else is there, whatever the function prints, or writes as a process would; and no file is made of that name."""
    (tmp_path / "mine.py").write_text(
        "import os, time\ndef f(): print('I am here'); os.write(1, b'so am I\\n'); time.sleep(0.01)\n"
    )
    done = run("mine:f", "--setup", "print(1)", "--threads", "1", "--json", "-", "--plot", "p.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["function"] == "mine.f"
    assert "\nmine.f " in done.stderr and "plot:    p.png" in done.stderr
    assert {path.name for path in tmp_path.glob("*.*")} == {"mine.py", "p.png"}


@pytest.mark.slow
@needs_gil
@pytest.mark.parametrize(("expected", "status"), [("holds", 0), ("releases", 1)])
def test_expect(expected, status):
    done = run("pycrust:sum_of_squares", "--args", "10**9", "--threads", "1", "--expect", expected)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("expected that it releases the GIL, but it holds the GIL" in done.stderr) == bool(status)


@beside_others
@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["zlib"], "not of the form MODULE:FUNCTION"),
        (["no_such_module:f"], "cannot import no_such_module"),
        (["zlib:no_such_function"], "no attribute 'no_such_function'"),
        (["zlib:ZLIB_VERSION"], "not callable"),
        (["zlib:compress", "--args", "1"], "zlib:compress(1) fails with TypeError"),
        (["zlib:compress", "--args", "nothing"], "fails with NameError"),
        (["zlib:compress", "--args", "1 +"], "fails with SyntaxError"),
        (["zlib:compress", "--args", "level=1", "b''"], "positional argument follows keyword"),
        (["sys:exit", "--args", "3"], "sys:exit(3) ends the program with SystemExit(3)"),
        (["mine:second"], "mine:second() ends the program with SystemExit('bye')"),
        (["zlib:compress", "--setup", "exit()"], "ends the program"),
        (["leaves:f"], "cannot import leaves: SystemExit: 1"),
        (["broken:f"], "cannot import broken: SyntaxError"),
        (["lazy:f"], "cannot get lazy:f: ImportError: f is not installed"),
        ([], "MODULE:FUNCTION is missing"),
        (["--args", "1"], "MODULE:FUNCTION is missing"),
    ],
)
def test_bad_targets_get_a_sentence(args, complaint, tmp_path, monkeypatch, capsys):
    (tmp_path / "leaves.py").write_text("raise SystemExit(1)")
    (tmp_path / "broken.py").write_text("1 +")
    (tmp_path / "lazy.py").write_text("def __getattr__(name): raise ImportError(f'{name} is not installed')")
    (tmp_path / "mine.py").write_text(
        "def second(calls=[]):\n    calls.append(1)\n    if calls[1:]: raise SystemExit('bye')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in "mine", "lazy":  # of an earlier case
        sys.modules.pop(name, None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["threadable", *args])
    assert ended.value.code == 2 and complaint in capsys.readouterr().err
