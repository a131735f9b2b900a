"""Stalls told as they end, or while they last; children; what other tools open."""

import ctypes
import json
import logging
import signal
import subprocess
import sys
import threading
import time

import pytest

import pycrust
from pycrust import _probe
from pycrust.bench import stalls
from pycrust.bench.on_stall import to_logging, to_opentelemetry, to_prometheus

pytestmark = [
    pytest.mark.measures,
    pytest.mark.skipif(bool(_probe.why_not()), reason=f"the GIL cannot be watched: {_probe.why_not()}"),
]


@pytest.fixture
def unwatched(pytestconfig):
    if pytestconfig.getoption("gil_stalls") is not None:
        pytest.skip("one watch at a time: this process has that of --gil-stalls")


def hold(seconds=0.2):
    ctypes.PyDLL(None).usleep(round(1e6 * seconds))


def run(path, *arguments, options=(), **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "pycrust", "stalls", *options, path, *arguments],
        capture_output=True, text=True, timeout=120, **kwargs,
    )  # fmt: skip


# ---- callbacks ----------------------------------------------------------------------------


@pytest.mark.usefixtures("unwatched")
def test_each_stall_is_told_and_can_be_read_while_the_watch_runs(until):
    def told():
        got, threads = [], set()

        def on_stall(stall):
            got.append(stall)
            threads.add(threading.current_thread().name)

        with stalls(on_stall=on_stall) as watch:
            hold()
            for _ in range(1000):
                if any(stall.label == "held" for stall in got):
                    break
                time.sleep(0.01)
            inside = list(got)
            assert watch.stalls[: len(inside)] == inside and watch.watch is None
            hold()
        assert got == watch.stalls and watch.watch is not None
        assert threads <= {"pycrust-stalls"}
        assert "pycrust-stalls" not in {thread.name for thread in threading.enumerate()}
        return inside

    inside = until(bool, told)
    assert {stall.place.function for stall in inside if stall.place} <= {"hold"}


@pytest.mark.usefixtures("unwatched")
def test_a_callback_that_raises_is_logged_once(until, caplog):
    def fail(stall):
        calls.append(stall)
        raise SystemExit("it fails")

    def look():
        calls.clear()
        caplog.clear()
        with stalls(on_stall=fail):
            hold()
            hold()
        return len(calls)

    calls = []
    until(lambda count: count >= 2, look)
    (record,) = [record for record in caplog.records if record.name == "pycrust"]
    assert "on_stall failed" in record.message and "it fails" in caplog.text


@pytest.mark.parametrize("values", [{"dump_over": -1}, {"abort_over": float("nan")}, {"dump_over": float("inf")}])
def test_times_that_are_none(values):
    with pytest.raises(ValueError, match="must be a time in seconds"):
        stalls(**values)


def test_a_callback_must_be_callable():
    with pytest.raises(TypeError, match="on_stall must be callable"):
        stalls(on_stall="print")


@pytest.mark.usefixtures("unwatched")
def test_logging(until, caplog):
    def look():
        caplog.clear()
        with stalls(on_stall=to_logging(level=logging.ERROR)):
            hold()
        return [record for record in caplog.records if record.name == "pycrust.stalls"]

    records = until(lambda records: any("held at" in record.message for record in records), look)
    assert all(record.levelno == logging.ERROR for record in records)
    told = [record.stall for record in records if record.stall["label"] == "held"]
    assert told[0]["stack"][0]["function"] == "hold" and json.dumps(told)


@pytest.fixture
def a_stall():
    from pycrust.bench.stall import HELD, Place, Stall

    return Stall(1.0, 0.25, HELD, "MainThread", (Place("/app.py", 7, "handler"),), "during")


def test_prometheus(a_stall):
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    observe = to_prometheus(registry)
    observe(a_stall)
    observe(a_stall)
    cause = {"cause": "held"}
    assert registry.get_sample_value("gil_stalls_total", cause) == 2
    assert registry.get_sample_value("gil_stall_seconds_sum", cause) == 0.5
    assert registry.get_sample_value("gil_stall_seconds_bucket", {**cause, "le": "0.2"}) == 0


def test_opentelemetry(a_stall):
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    to_opentelemetry(provider.get_tracer("test"))(a_stall)
    (span,) = spans.get_finished_spans()
    assert span.end_time - span.start_time == 250_000_000
    assert (span.attributes["gil.cause"], span.attributes["code.lineno"]) == ("held", 7)


@pytest.mark.parametrize(
    ("make", "package"), [(to_prometheus, "prometheus_client"), (to_opentelemetry, "opentelemetry")]
)
def test_a_package_that_is_not_there(make, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=package):
        make()


def test_a_fork_beside_callbacks(python):
    """In the child there is no thread to call back, and nothing waits for one."""
    done = python("""
import os
from pycrust.bench import stalls

with stalls(on_stall=lambda stall: None):
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            break
        assert os.waitpid(pid, 0)[1] == 0
print("child" if pid == 0 else "parent", flush=True)
""")
    assert done.stdout.split() == ["child"] * 5 + ["parent"] and done.returncode == 0, done.stderr


# ---- a hold that lasts --------------------------------------------------------------------


@pytest.mark.usefixtures("unwatched")
def test_a_hold_is_told_while_it_lasts(until, capfd):
    def look():
        with stalls(dump_over=0.1):
            pycrust.sum_of_squares(4 * 10**9)
        return capfd.readouterr().err

    told = until(lambda text: "in look" in text, look)
    assert "pycrust: MainThread has held the GIL for 0." in told


def test_a_process_is_aborted(python):
    done = python("""
import ctypes
from pycrust.bench import stalls

libc = ctypes.PyDLL(None)
mutex = ctypes.create_string_buffer(64)
with stalls(abort_over=0.5):
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)
""")
    assert done.returncode == -signal.SIGABRT
    assert "pycrust: aborted" in done.stderr and "MainThread has held the GIL for" in done.stderr


# ---- children -------------------------------------------------------------------------------

FAMILY = """
    import multiprocessing, os, subprocess, sys, time
    import pycrust

    def child():
        for _ in range(3):
            pycrust.sum_of_squares(2 * 10**9)

    if __name__ == "__main__":
        if sys.argv[1:] == ["exec"]:
            child()
            sys.exit()
        subprocess.run([sys.executable, __file__, "exec"], check=True)
        if os.fork() == 0:
            child()
            os._exit(0)
        assert os.wait()[1] == 0
        for way in "fork", "spawn":
            process = multiprocessing.get_context(way).Process(target=child)
            process.start()
            process.join()
            assert process.exitcode == 0
"""


@pytest.mark.slow
def test_children_are_followed(script, until):
    path = script(FAMILY)

    def look():
        done = run(path, options=["--follow", "--json", "-"])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    def guilty(process):
        return [line for line in process["lines"] if line["function"] == "child"]

    written, report = until(lambda found: sum(map(bool, map(guilty, found[0]["processes"]))) == 4, look)
    assert not guilty(written) and written["unwatched"] == 0
    for process in written["processes"]:
        assert {(line["file"], line["line"]) for line in guilty(process)} <= {(path, 7)}
        assert f"process {process['pid']}" in report or not process["stalls"]


def test_children_that_are_not_watched_are_counted(script):
    path = script("""
        import subprocess, sys
        children = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
        subprocess.run(["sleep", "1"])  # no Python
        for child in children:
            child.communicate(b"x")
    """)
    assert "2 Python processes that the program started were not watched: try --follow" in run(path).stderr
    assert "not watched" not in run(script("print()")).stderr


def test_a_child_that_is_followed_ends_as_always(script):
    path = script("""
        import subprocess, sys
        print(subprocess.run([sys.executable, "-c", "import os, sys; print(len(os.listdir('/proc/self/fd'))); sys.exit(7)"]).returncode)
    """)
    plain = subprocess.run([sys.executable, path], capture_output=True, text=True)
    done = run(path, options=["--follow"])
    assert (done.stdout.split()[-1], done.returncode) == ("7", 0), done.stderr
    assert plain.stdout.split()[-1] == "7"


# ---- other tools ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_trace_has_the_shape_that_perfetto_opens(script, tmp_path, until):
    path = script("import pycrust\ndef handler(): pycrust.sum_of_squares(3 * 10**9)\nfor _ in range(3): handler()\n")

    def look():
        done = run(path, options=["--trace", "trace.json"], cwd=tmp_path)
        assert done.returncode == 0 and "trace:" in done.stderr, done.stderr
        return json.loads((tmp_path / "trace.json").read_text())

    trace = until(lambda trace: "program.py:2" in {event["name"] for event in trace["traceEvents"]}, look)
    named = {(event["pid"], event["tid"]) for event in trace["traceEvents"] if event["name"] == "thread_name"}
    for event in trace["traceEvents"]:
        assert event["ph"] in ("X", "M") and isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] > 0 and (event["pid"], event["tid"]) in named
        else:
            assert isinstance(event["args"]["name"], str)
