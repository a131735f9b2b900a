"""The same bits for every number of workers, and calls that leave other threads alone."""

import contextlib
import gc
import inspect
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cases import all_pairs
from hard_arrays import DTYPES, FUNCTIONS, assert_same, floats, hard_arrays, layouts
from hypothesis import given
from hypothesis import strategies as st

import pycrust
from pycrust import reference
from pycrust._cpu_count import usable_cores

WORKERS = [1, 2, 3, 4, 7, 16, 100, -1]
unix = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")
alone = pytest.mark.thread_unsafe(reason="looks at all of a process: its threads, children or signals")


def wild(n, seed=0):
    return floats(np.random.default_rng(seed), n, highest=900, spread=1900)


# ---- the same bits ------------------------------------------------------------


@all_pairs(dtype=DTYPES, n=[0, 1, 2, 5, 1000, 300_001])
def test_every_number_of_workers(dtype, n):
    a = (np.random.default_rng(n).normal(size=n) * 100).astype(dtype)
    expected = reference.Accumulator()
    expected.update(a)
    for workers in WORKERS:
        for name in FUNCTIONS if n else ("sumsq", "norm", "sum"):
            assert_same(getattr(pycrust, name)(a, workers=workers), getattr(expected, name)())


@given(data=st.data())
def test_hard_arrays(data):
    dtype = data.draw(st.sampled_from(DTYPES))
    a = data.draw(hard_arrays(dtype))
    a = np.tile(a, data.draw(st.sampled_from([1, 3, 20])))
    workers = data.draw(st.sampled_from(WORKERS))
    expected = reference.Accumulator(a)
    total = pycrust.Accumulator()
    total.update(a, workers=workers)
    assert_same(total.count, a.size)
    for name in FUNCTIONS if a.size else ("sumsq", "sum"):
        assert_same(getattr(pycrust, name)(a, workers=workers), getattr(expected, name)())
        assert_same(getattr(total, name)(), getattr(expected, name)())


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(300, 300), (2, 45_000), (45_000, 2), (90_000, 1), (40, 50, 45)])
def test_every_axis_and_layout(shape):
    a = wild(math.prod(shape)).reshape(shape)
    mask = a > 0
    for axis in (None, 0, 1):
        # By one thread; of all of these the oracle would take a minute.
        expected, masked, spread = pycrust.sumsq(a, axis), pycrust.sumsq(a, axis, where=mask), pycrust.var(a, axis)
        if axis is None:
            assert_same(expected, reference.sumsq(a))
        for name, view in layouts(a):
            assert_same(pycrust.var(view, axis, workers=3), spread)
            assert_same(pycrust.sumsq(view, axis, workers=3), expected)
            assert_same(pycrust.sumsq(view, axis, where=mask, workers=2), masked)


def test_pieces_of_a_masked_array():
    a = np.arange(300_001)
    mask = np.random.default_rng(3).random(a.size) < 0.5
    assert pycrust.sumsq(a, where=mask, workers=2) == int(np.sum(a[mask] ** 2))


def test_pieces_of_few_long_rows():
    a = np.arange(300_000).reshape(3, -1)
    assert pycrust.sumsq(a, axis=1, workers=2).tolist() == np.sum(a**2, axis=1).tolist()


def test_more_pieces_than_any_axis_is_long():
    """Axes of length two that do not run on into each other."""
    base = np.arange(3**17 // 2 + 1, dtype=np.uint8)
    a = np.lib.stride_tricks.as_strided(base, (2,) * 17, [3**k for k in range(17)])
    assert pycrust.sumsq(a, workers=2) == int(np.sum(np.square(a, dtype=np.int64)))


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16])
def test_workers_may_be_any_integer(kind):
    assert pycrust.sumsq([1.0, 2.0], workers=kind(2)) == 5.0


CALLS = [*(getattr(pycrust, name) for name in FUNCTIONS), pycrust.Accumulator().update]


def defaults():
    """Of all that take `workers`."""
    for name in pycrust.__all__:
        with contextlib.suppress(TypeError, ValueError):  # no function, or no signature
            parameters = inspect.signature(getattr(pycrust, name)).parameters
            if "workers" in parameters:
                yield name, parameters["workers"].default


def test_one_by_default():
    assert inspect.signature(pycrust.Accumulator.update).parameters["workers"].default == 1
    found = dict(defaults())
    assert found == dict.fromkeys(found, 1)
    assert {"sumsq", "move_std", "cumsum", "group_sum"} <= set(found)


@pytest.mark.parametrize("call", CALLS)
def test_none_at_all_is_an_error(call):
    with pytest.raises(ValueError, match="workers = 0"):
        call(np.ones(3), workers=0)


def test_errors_from_workers():
    a = np.full((1000, 1000), 2**40)
    out = np.full(1000, 7, np.uint64)
    with pytest.raises(OverflowError, match="dtype=object"):
        pycrust.sumsq(a, axis=1, out=out, workers=4)
    assert (out == 7).all()
    with pytest.raises(TypeError):
        pycrust.sumsq(a.astype("M8[s]"), workers=4)


# ---- calls side by side -------------------------------------------------------


def test_concurrent_calls_on_one_array(level):
    a = wild(100_000)
    view = a.reshape(100, 1000)[::-1, ::2]
    whole, rows, some = reference.sumsq(a), reference.norm(a.reshape(100, 1000), axis=1), reference.sumsq(view, 0)

    def call(k):
        workers = 1 + k % 3
        assert_same(pycrust.sumsq(a, workers=workers), whole)
        assert_same(pycrust.norm(a.reshape(100, 1000), axis=1, workers=workers), rows)
        assert_same(pycrust.sumsq(view, 0, workers=workers), some)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(60)))


def test_calls_from_within_workers():
    """A pool that waits for itself would hang."""
    a = wild(200_000)
    expected = reference.sumsq(a)
    with ThreadPoolExecutor(2) as pool:
        outer = [
            pool.submit(lambda: list(ThreadPoolExecutor(2).map(lambda _: pycrust.sumsq(a, workers=4), range(4))))
            for _ in range(4)
        ]
        for future in outer:
            for result in future.result(timeout=60):
                assert_same(result, expected)


@alone
@unix  # elsewhere these clocks are coarse
@pytest.mark.parametrize("axis", [None, 0])
def test_all_workers_work(until, axis):
    """The caller's thread does some of the pieces, and a helper some, in a call that outlasts many time slices."""
    a = lasting(pycrust.sumsq, 0.2)
    until(lambda seconds: min(seconds) > 0.001, lambda: seconds_of(lambda: pycrust.sumsq(a, axis=axis, workers=2)))


@pytest.mark.slow
@alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_a_helper_works_to_the_end(until):
    """Not just for as long as the caller's thread does between two looks for signals, or any other time."""
    a = lasting(pycrust.sumsq, 1.5)

    def threads():
        return len(os.listdir("/proc/self/task"))

    def look():
        """For which part of a call there was a helper."""
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(time.monotonic)  # so that its thread is counted beforehand
            call.result()
            before, start = threads(), time.monotonic()
            call = pool.submit(pycrust.sumsq, a, workers=2)
            last = start
            while not call.done():
                last = time.monotonic() if threads() > before else last
                time.sleep(0.01)
            return (last - start) / (time.monotonic() - start)

    until(lambda part: part > 0.8, look, tries=4)


@alone
@unix
@pytest.mark.parametrize(
    "call", [pycrust.sumsq, pycrust.Accumulator, lambda a: pycrust.sumsq(a, workers=-usable_cores())]
)
def test_no_helper_works_unless_asked_for(until, call):
    a = windows(1000)
    until(lambda seconds: seconds[1] < 0.001, lambda: seconds_of(lambda: call(a)))


def seconds_of(call):
    """How long this thread, and how long others computed."""
    process, own = time.process_time(), time.thread_time()
    call()
    own = time.thread_time() - own
    return own, time.process_time() - process - own


@alone
def test_no_threads_are_left_behind_in_numbers():
    a = wild(300_000)
    pycrust.sumsq(a, workers=4)
    before = threading.active_count()
    for _ in range(50):
        pycrust.sumsq(a, workers=4)
    assert threading.active_count() <= before + 4


# ---- in a process of its own --------------------------------------------------


def run(code, timeout=60):
    """Run Python code in a fresh process; it must print 'right'."""
    head = "import math, os, sys, threading, time\nimport numpy as np\nimport pycrust\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "right"), done.stderr


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@alone
@needs_fork
def test_after_fork():
    run(
        """
        a = np.random.default_rng(0).normal(size=500_000)
        expected = pycrust.sumsq(a)
        assert pycrust.sumsq(a, workers=2) == expected      # threads exist before the fork
        for _ in range(3):
            child = os.fork()
            if child == 0:
                same = all(pycrust.sumsq(a, workers=k) == expected for k in (1, 2, 5, -1))
                total = pycrust.Accumulator()
                total.update(a, workers=2)
                os._exit(0 if same and total.sumsq() == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert pycrust.sumsq(a, workers=2) == expected
        print("right")
        """
    )


@alone
@needs_fork
def test_fork_in_the_middle_of_calls():
    run(
        """
        a = np.random.default_rng(0).normal(size=500_000)
        expected = pycrust.sumsq(a)
        total = pycrust.Accumulator()
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                pycrust.sumsq(a, workers=2)
                total.update(a)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0 if pycrust.sumsq(a, workers=2) == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print("right")
        """
    )


@pytest.mark.slow
@alone
@needs_fork
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools(method, tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import multiprocessing
            import numpy as np
            import pycrust

            def part(a):
                total = pycrust.Accumulator()
                total.update(a, workers=2)
                return total

            if __name__ == "__main__":
                a = np.random.default_rng(0).normal(size=400_000)
                expected = pycrust.sumsq(a, workers=2)
                with multiprocessing.get_context("{method}").Pool(2) as pool:
                    total = sum(pool.map(part, np.array_split(a, 7)), pycrust.Accumulator())
                assert total.sumsq() == expected and total.count == a.size
                print("right")
            """
        )
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "right"), done.stderr


@alone
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux limits")
@pytest.mark.parametrize("limit", ["AS", "NPROC"])
def test_when_the_system_refuses_threads(limit):
    run(
        f"""
        import resource, tracemalloc
        a = np.random.default_rng(0).normal(size=2_000_000)
        expected = pycrust.sumsq(a)
        if {limit!r} == "AS":
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            threading.stack_size(512 * 2**20)
            resource.setrlimit(resource.RLIMIT_AS, (used + 128 * 2**20,) * 2)
        else:
            if os.geteuid() == 0:       # who is not bound by it
                os.setuid(65534)
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            threading.Thread(target=int).start()
        except RuntimeError:
            assert pycrust.sumsq(a, workers=4) == expected
            tracemalloc.start()
            for _ in range(10):
                before = tracemalloc.get_traced_memory()[0]
                for _ in range(50):
                    pycrust.sumsq(a, workers=4)
                if tracemalloc.get_traced_memory()[0] - before < 500:
                    print("right")      # and no lock is left
                    break
        """
    )


@alone
def test_at_exit():
    """No thread can be started any more when the interpreter ends."""
    run(
        """
        import atexit
        a = np.random.default_rng(0).normal(size=2_000_000)
        expected = pycrust.sumsq(a)
        @atexit.register
        def last():
            if pycrust.sumsq(a, workers=2) == expected:
                print("right")
        """
    )


@alone
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_all_cores_are_those_that_may_be_used():
    run(
        """
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        a = np.random.default_rng(0).normal(size=2_000_000)
        expected = pycrust.sumsq(a)
        from pycrust._cpu_count import usable_cores
        assert usable_cores() == 1
        assert pycrust.sumsq(a, workers=-1) == expected
        try:
            pycrust.sumsq(a, workers=-2)
        except ValueError as error:
            assert "from the 1 usable cores" in str(error)
            print("right")
        """
    )


# ---- the GIL ------------------------------------------------------------------


def windows(rows, row=1 << 18):
    """Much work in little memory: rows that overlap."""
    few = np.random.default_rng(0).normal(size=row + rows)
    return np.lib.stride_tricks.sliding_window_view(few, row)[:rows]


def lasting(call, seconds):
    """An array of rows for which `call` takes about so many seconds of processor time."""
    rows = 16
    while True:
        a = windows(rows)
        start = time.process_time()
        call(a)
        took = time.process_time() - start
        if took > seconds / 2:
            return windows(int(rows * seconds / took) + 1)
        rows *= 4


def share_stalled(call, a):
    """How long `call(a)` took, and for which part of that another thread stood still."""
    beats = []
    stop = threading.Event()

    def heart():
        while not stop.is_set():
            beats.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=heart)
    thread.start()
    time.sleep(0.02)
    start = time.perf_counter()
    call(a)
    end = time.perf_counter()
    stop.set()
    thread.join()
    inside = [start, *(beat for beat in beats if start < beat < end), end]
    stalled = sum(max(after - before - 0.001, 0.0) for before, after in zip(inside, inside[1:]))
    return end - start, stalled / (end - start)


CALLS = {
    "sumsq": pycrust.sumsq,
    "norm": pycrust.norm,
    "one small call after another": lambda a: [pycrust.sumsq(row) for row in a],
    "rows": lambda a: pycrust.sumsq(a, axis=1),
    "columns": lambda a: pycrust.sumsq(a, axis=0),
    "two workers": lambda a: pycrust.sumsq(a, workers=2),
    "update": lambda a: pycrust.Accumulator().update(a),
    "every second": lambda a: pycrust.sumsq(a[:, ::2]),
    "masked": lambda a: pycrust.sumsq(a, where=np.broadcast_to(np.arange(a.shape[1]) % 3 > 0, a.shape)),
}


@pytest.mark.slow
@pytest.mark.measures
@pytest.mark.parametrize(("name", "on_main_thread"), [(name, k % 2 == 0) for k, name in enumerate(CALLS)])
def test_the_gil_is_released(name, on_main_thread):
    """A call that held it would stall others for most of its time, if not for all: it
    comes in pieces. On a busy machine they may stall in any case, so one good look in
    several is enough."""
    call = CALLS[name]
    looks = []
    for _ in range(6):
        a = lasting(call, 0.3)
        if on_main_thread:
            looks.append(share_stalled(call, a))
        else:
            with ThreadPoolExecutor(1) as pool:
                looks.append(pool.submit(share_stalled, call, a).result())
        took, share = looks[-1]
        if took > 0.05 and share < 0.4:
            return
    raise AssertionError(f"seconds that calls took, and the share for which others stood still: {looks}")


# ---- Ctrl-C -------------------------------------------------------------------


@pytest.mark.slow
@unix
@pytest.mark.measures
@pytest.mark.parametrize("name", CALLS)
def test_ctrl_c(name):
    """It ends the call long before its time, with KeyboardInterrupt, and what was begun is not half done.

    Prints how long it took to see it (pytest -rP).
    """
    code = f"""
import time
import numpy as np, pycrust
from test_workers import CALLS, lasting, windows
a = lasting(CALLS[{name!r}], 0.5)
a = windows(a.shape[0] * 60)
total = pycrust.Accumulator()
total.update([1.0])
print("ready", flush=True)
start = time.process_time()
try:
    if {name!r} == "update":
        total.update(a)
    else:
        CALLS[{name!r}](a)
except KeyboardInterrupt:
    now, worked = time.monotonic(), time.process_time() - start
    assert (total.count, total.sumsq()) == (1, 1.0), "half an update was kept"
    assert pycrust.sumsq(a[:2]) == pycrust.sumsq(a[:2], workers=2)
    print(now, worked, flush=True)
else:
    print("not interrupted")
"""
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]),
        },
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=50)
    finally:
        process.kill()
    assert process.returncode == 0, err
    now, worked = map(float, out.split())
    print(f"{1000 * (now - sent):.0f} ms")
    assert worked < 10  # of thirty seconds of work


@alone
@unix
def test_signal_handlers_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    pycrust.sumsq(np.ones(3_000_000), workers=2)
    assert signal.getsignal(signal.SIGINT) is before


@alone
def test_a_replaced_getpid_is_not_called(monkeypatch):
    """If it failed at the end of a call, the helpers would go on in memory that the caller frees."""
    monkeypatch.setattr(os, "getpid", None)
    assert pycrust.sum(np.ones(1 << 21), workers=2) == 1 << 21


@alone
@unix
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_error_in_a_handler_ends_the_call(workers):
    """And its helpers, all of which there were: they would have hours to go."""
    seen, tasks = [], Path("/proc/self/task")

    def threads():
        return len(list(tasks.iterdir())) if tasks.exists() else 0  # elsewhere they are not seen

    def handler(number, frame):
        seen.append(threads())
        if seen[-1] == wanted or len(seen) > 100:
            raise ZeroDivisionError

    a = np.lib.stride_tricks.sliding_window_view(windows(200_000), 1000, axis=0)
    alone = threads()
    wanted = alone + workers - 1 if tasks.exists() else alone
    gc.disable()  # a look for signals may collect, and an error in Hypothesis's callback there is lost
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.05, 0.05)
    try:
        with pytest.raises(ZeroDivisionError):
            pycrust.sumsq(a, workers=workers)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        gc.enable()
    assert seen[-1] == wanted
    while threads() > alone:
        time.sleep(0.01)


# ---- the end of the interpreter ------------------------------------------------


CALLS_WITH_HELPERS = {
    "var": "pycrust.var(a, where=mask, workers=16)",
    "move_std": "pycrust.move_std(a[:50], 5, axis=1, workers=16)",
    "cov": "pycrust.cov(a[::50], workers=16)",
    "group_var": "pycrust.group_var(a[:200], labels, workers=16)",
}


@unix
@alone
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(call, id=name, marks=() if name == "var" else pytest.mark.slow)
        for name, call in CALLS_WITH_HELPERS.items()
    ],
)
def test_the_interpreter_ends_amid_a_call(python, call):
    """A daemon thread is ended as it takes the GIL back, or hangs there: its helpers outlive its stack."""
    script = """
import os, sys, threading, time
import numpy as np, pycrust

a = np.broadcast_to(np.arange(1000.0)[:, None], (1000, 100_000))[:, ::2]
mask = a[:1] > 5
labels = np.arange(50_000) % 10

def work():
    while True:
        CALL

for k in range(20):
    if os.fork() == 0:
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.02 + 0.002 * k)
        sys.exit()
    status = os.wait()[1]
    assert status == 0, os.waitstatus_to_exitcode(status)
"""
    assert python(script.replace("CALL", call)).returncode == 0


# ---- small stacks ----------------------------------------------------------------


@unix
def test_threads_of_32_kib(python):
    """The least that `threading.stack_size` takes; NumPy works there."""
    script = """
import os, pickle, threading, warnings
import numpy as np, pycrust
from pycrust import _core

warnings.simplefilter("error")
warnings.filterwarnings("ignore", "(mean|std) of no")
rng = np.random.default_rng(0)
exponents = rng.integers(-12, 13, (600, 600))
cases = []
for dtype in "?bhilBHILefdFD":
    with np.errstate(over="ignore", invalid="ignore"):
        tame = (rng.normal(size=(600, 600)) * 50).clip(0 if dtype in "BHIL" else None).astype(dtype)
        wild = np.ldexp(rng.normal(size=(600, 600)), exponents * (80 if dtype == "d" else 10 if dtype == "f" else 0)
                        ).astype(dtype if dtype in "fd" else "d")
    for a in (tame, wild):
        cases += [a, a[:, ::2], a.T, a[::-1], a.byteswap().view(a.dtype.newbyteorder()), np.asfortranarray(a)]

def work():
    for a in cases:
        for axis in (None, 0, 1):
            for call in (pycrust.var, pycrust.sumsq, pycrust.mean):
                call(a, axis)
            pycrust.var(a, axis, where=np.broadcast_to(a[:1] != 0, a.shape), workers=3)
            pycrust.var(a, axis, ddof=0.1)
        pycrust.Accumulator(a).std()
        for labels in (np.arange(600) % 7, np.arange(600) // 100, -np.ones(600, "b")):
            pycrust.group_sum(a, labels, dtype=None if a.dtype.kind in "fc" else float)
            pycrust.group_std(a, labels, axis=0, workers=2)
        features = pycrust.Accumulator(a, shape=600)
        features.update(a[:3])
        (features + features).std()
        features == pickle.loads(pickle.dumps(features))
        for few in (a[:, :3], a[:3], a[:, :200], a[:200], a[:60, ::7], a[:, :3].T.copy()):      # in lanes
            for axis in (0, 1):
                pycrust.var(few, axis, where=few != 0)
                pycrust.std(few, axis, workers=2)
                pycrust.sum(few, axis)
                pycrust.vecdot(few, few[::-1], axis, dtype=object if few.dtype.kind in "biu" else None)
        for axis in (0, 1):
            pycrust.vecdot(a, a[::-1], axis, where=a != 0, dtype=object if a.dtype.kind in "biu" else None)
            if a.dtype.kind != "c":
                pycrust.average(a, axis, np.arange(1.0, 1 + a.shape[axis]))
        pycrust.cov(a[:3], a[:2, ::-1])

threading.stack_size(32768)
for level in ("portable", pycrust.simd()):
    _core._use_simd(level)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print("done")
"""
    process = python(script)
    assert process.stdout == "done\n", (process.returncode, process.stderr)


@unix
@alone
def test_a_handler_that_forks_and_raises_amid_a_call(python):
    """The child has none of the helpers: it must not wait for them."""
    script = """
import os, signal, time
import numpy as np, pycrust

class Left(Exception):
    pass

def handler(number, frame):
    global child
    child = os.fork()
    if child == 0:
        raise Left

a = np.broadcast_to(np.arange(1000.0)[:, None], (1000, 100_000))[:, ::2]
mask, child = a[:1] > 5, None
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    while child is None:
        pycrust.var(a, where=mask, workers=2)
except Left:
    os._exit(7)
for _ in range(1000):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.01)
else:
    os.kill(child, signal.SIGKILL)
assert done and os.waitstatus_to_exitcode(status) == 7
"""
    assert python(script).returncode == 0


@pytest.mark.parametrize("shape", [(3, 20_000), (2, 32_768), (1, 32_000), (300, 3000), (2, 3, 17_000)])
def test_few_results_of_many_elements_each(shape):
    """Of fewer elements than there are for one chunk of a result each, and of more."""
    x = np.random.default_rng(1).normal(size=shape)
    for axis in range(x.ndim):
        for name in ("sum", "var"):
            one = getattr(pycrust, name)(x, axis=axis)
            for workers in (2, 3, 16, 1000):
                assert getattr(pycrust, name)(x, axis=axis, workers=workers).tobytes() == one.tobytes()
