"""Which line held the GIL: right lines, no wrong ones, and a program that notices nothing of being watched."""

import ctypes
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cases import slow

import pycrust
from pycrust import _probe
from pycrust.bench import cli, stalls
from pycrust.bench.stall import Log, Place, Seen, Stall, called_function, stack_of
from pycrust.bench.stalls import Line

pytestmark = pytest.mark.measures
beside_others = pytest.mark.measures(False)

needs_watch = pytest.mark.skipif(bool(_probe.why_not()), reason=f"the GIL cannot be watched: {_probe.why_not()}")

HERE = Path(__file__)


@pytest.fixture
def unwatched(pytestconfig):
    if pytestconfig.getoption("gil_stalls") is not None:
        pytest.skip("one watch at a time: this process has that of --gil-stalls")


def watches_this_process(test):
    return needs_watch(pytest.mark.usefixtures("unwatched")(test))


# ---- the labels, on figures made by hand ---------------------------------------


def seen(**changed):
    """A thread that kept the GIL for 100 ms, asked for it after 5, and ran all the time."""
    frame = (
        'Stack (most recent call first):\n  File "/app.py", line 7 in handler\n  File "/app.py", line 2 in <module>\n'
    )
    usual = Seen(
        switches=1, begin=10.0, seconds=0.1, late=0.0, delay=0.0, before=0.002, watched=0.098, cpu=0.098, asleep=0.0,
        ignored=0.09, looks=40, collecting=0, thread="MainThread", tracebacks=2 * frame,
    )  # fmt: skip
    return usual._replace(**changed)


def test_who_goes_on_though_asked_holds_the_gil():
    stall = Stall.of(seen(), 0.02, start=4.0)
    assert (stall.begin, stall.label, stall.thread, stall.seen) == (6.0, "held", "MainThread", "during")
    assert stall.seconds == pytest.approx(0.1)
    assert stall.stack == (Place("/app.py", 7, "handler"), Place("/app.py", 2, "<module>"))


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({"ignored": 0.001}, "unknown"),  # it gave the GIL away when asked
        ({"ignored": 0.001, "switches": 5}, "contention"),
        ({"switches": 5}, "held"),  # the last of several held it
        ({"seconds": 0.021, "watched": 0.019, "cpu": 0.019}, "held"),
        ({"seconds": 0.025, "watched": 0.018, "cpu": 0.012}, "no core"),  # with a core it would not have counted
        ({"switches": 2, "seconds": 0.03, "watched": 0.013, "cpu": 0.013}, "contention"),
        ({"collecting": 40}, "gc"),
        ({"collecting": 3}, "held"),
        ({"cpu": 0.008, "ignored": 0.001}, "no core"),  # the holder did not run
        ({"cpu": 0.008, "ignored": 0.006}, "no core"),  # it did a little, too little to count
        ({"cpu": 0.0, "asleep": 0.095}, "held"),  # it slept with the GIL
        ({"ignored": 0.001, "delay": 0.08}, "no core"),
        ({"ignored": 0.001, "late": 0.08, "switches": 5}, "no core"),
        ({"looks": 0, "ignored": 0.0, "watched": 0.0, "cpu": 0.0, "before": 0.0, "late": 0.1}, "no core"),
    ],
)
def test_labels(changed, label):
    assert Stall.of(seen(**changed), 0.02).label == label


def test_a_hold_is_as_long_as_the_holder_ran():
    """Of 300 ms it had a core for 100."""
    stall = Stall.of(seen(seconds=0.3, watched=0.298), 0.02)
    assert (stall.label, stall.seconds) == ("held", pytest.approx(0.1))


def test_two_looks_that_agree_make_a_line():
    def frames(*lines):
        return "".join(f'Stack (most recent call first):\n  File "/a.py", line {line} in f\n' for line in lines)

    assert stack_of(seen(tracebacks=frames(1)))[0] == ()
    assert stack_of(seen(tracebacks=frames(1, 2)))[0] == ()
    assert stack_of(seen(tracebacks=frames(1, 2, 2)))[0][0].line == 2
    assert stack_of(seen(tracebacks=""))[0] == ()
    # One look during the stall, one after it.
    assert stack_of(seen(tracebacks=frames(3), file="/a.py", line=3, function="f"))[0][0].line == 3
    assert stack_of(seen(tracebacks=frames(3), file="/a.py", line=4, function="f"))[0] == ()
    # Only a sleeper's line is taken from where it was after the stall: it is not signalled.
    after = seen(tracebacks="", file="/a.py", line=4, function="f")
    assert stack_of(after)[0] == ()
    assert stack_of(after._replace(cpu=0.0, asleep=0.09)) == ((Place("/a.py", 4, "f"),), "after")


def test_the_import_system_is_not_a_place():
    frame = 'Stack (most recent call first):\n  File "<frozen importlib._bootstrap>", line 2 in f\n  File "/a.py", line 5 in g\n'
    assert stack_of(seen(tracebacks=2 * frame))[0][0] == Place("/a.py", 5, "g")


def test_paths_are_read_as_faulthandler_writes_them(tmp_path):
    path = tmp_path / "straße.py"
    path.write_text("")
    written = str(path).replace("ß", "\\xdf")
    frame = f'Stack (most recent call first):\n  File "{written}", line 1 in f\n'
    assert stack_of(seen(tracebacks=2 * frame))[0][0].file == str(path)


def test_what_to_try_comes_from_the_imports(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(
        "import json as j\nfrom zlib import crc32\nimport nowhere_at_all\nj.dumps(1)\ncrc32(b'')\nnowhere_at_all.f()\nj\n"
    )
    assert [called_function(Place(str(path), line, "f")) for line in (4, 5, 6, 7)] == [
        "json:dumps", "zlib:crc32", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("deep", ["1" + "+1" * 30_000, "-" * 200_000 + "1"], ids=["long", "deep"])
def test_what_is_nested_too_deeply_has_nothing_to_try(tmp_path, deep):
    path = tmp_path / "app.py"
    path.write_text(f"import json\njson.dumps(1)\nx = {deep}\n")
    assert called_function(Place(str(path), 2, "f")) in (None, "json:dumps")


def test_what_releases_the_gil_is_not_suggested(tmp_path):
    """Nor by the row of a library, below which the user's own call stands."""
    path = tmp_path / "app.py"
    path.write_text("import time\nfrom time import sleep\ntime.sleep(1)\nsleep(1)\ntime.localtime()\n")
    library = Place("/usr/lib/python3.11/site-packages/library.py", 1, "g")
    for stack in (), (library,):
        places = [(*stack, Place(str(path), line, "f")) for line in (3, 4, 5)]
        lines = [Line(place[0], [Stall(1.0, 0.5, "held", stack=place)]) for place in places]
        assert [line.try_threadable() for line in lines] == [None, None, "time:localtime"]


def test_of_several_calls_the_guilty_one_is_named(tmp_path):
    path = tmp_path / "app.py"
    path.write_text("import json, zlib\nname = 'ü'; print(zlib.crc32(json.dumps(name)\n    .encode()))\n")
    place = Place(str(path), 2, "f")
    line = path.read_bytes().splitlines()[1]
    assert called_function(place, (2, line.index(b"dumps(name)") + len(b"dumps(name)"))) == "json:dumps"
    assert called_function(place, (3, len("    .encode())"))) == "zlib:crc32"
    assert called_function(place, (3, len("    .encode()))"))) is None  # of print
    assert called_function(place, (3, len("    .encode()"))) is None
    assert called_function(place) is None  # which of them is not known


@watches_this_process
def test_the_call_that_held(until, tmp_path):
    path = tmp_path / "app.py"
    path.write_text("import math, pycrust\ndef f(): return math.sqrt(pycrust.sum_of_squares(3 * 10**9)) + abs(-1)\n")
    names = {}
    exec(compile(path.read_text(), path, "exec"), names)

    def look():
        return [line.try_threadable() for line in watched(names["f"]).lines if line.place.file == str(path)]

    assert until(bool, look) == ["pycrust:sum_of_squares"]


# ---- lines that hold the GIL ------------------------------------------------------


@pytest.fixture(scope="module")
def big():
    return list(range(12_000_000))


class Objects:
    """Many objects, to be freed at once."""

    def __init__(self):
        self.many = [object() for _ in range(6_000_000)]


def hold_by_search(big):
    assert -1 not in big


def hold_by_concatenation(big):
    len(big + big)


def hold_by_unpacking(big):
    len([*range(9_000_000)])


def hold_by_deletion(big):
    objects = Objects()
    del objects


def hold_by_a_call(big):
    pycrust.sum_of_squares(3 * 10**9)


def hold_asleep(big):
    ctypes.PyDLL(None).usleep(200_000)


HOLDS = [hold_by_search, hold_by_concatenation, hold_by_unpacking, hold_by_deletion, hold_asleep]


def watched(function, *args, where="main", over=0.02):
    """What a watch over a call says."""
    with stalls(over) as watch:
        if where == "main":
            function(*args)
        else:
            # It lives on for a moment: the name of a thread that has ended is not known.
            thread = threading.Thread(target=lambda: (function(*args), time.sleep(0.1)), name="the worker")
            thread.start()
            thread.join()
    return watch


@watches_this_process
@pytest.mark.parametrize("where", ["main", slow("worker")])
@pytest.mark.parametrize("hold", [hold_by_a_call, *map(slow, HOLDS)], ids=lambda hold: hold.__name__)
def test_the_line_that_held(hold, where, big, until):
    expected = hold.__code__.co_firstlineno + (2 if hold is hold_by_deletion else 1)

    def mine(watch):
        mine = [line for line in watch.lines if line.place.file == str(HERE) and line.place.function.startswith("hold")]
        assert {line.place.line for line in mine} <= {expected, *({expected - 1} if hold is hold_by_deletion else ())}
        return [line for line in mine if line.place.line == expected]

    threads = ["MainThread" if where == "main" else "the worker"]  # on a busy machine a name may not be learnt in time
    watch = until(
        lambda watch: [line for line in mine(watch) if line.threads == threads],
        lambda: watched(hold, big, where=where),
    )
    (line,) = mine(watch)
    assert str(line.place) in str(watch)
    assert line.place.source in str(watch)


@watches_this_process
def test_a_sleep_with_the_gil_is_not_cut_short():
    slept = []

    def sleep():
        start = time.perf_counter()
        slept.append(ctypes.PyDLL(None).usleep(300_000))
        slept.append(time.perf_counter() - start)

    watched(sleep)
    assert slept[0] == 0 and slept[1] >= 0.3


# ---- and those that do not -----------------------------------------------------------


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def four_threads():
    threads = [threading.Thread(target=spin, args=(1.0,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hogged():
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    try:
        time.sleep(0.3)
        spin(1.5)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def suspended():
    script = f"for i in 1 2 3; do sleep 0.1; kill -STOP {os.getpid()}; sleep 0.2; kill -CONT {os.getpid()}; done"
    with subprocess.Popen(["sh", "-c", script]) as other:
        while other.poll() is None:
            spin(0.01)


@watches_this_process
@pytest.mark.parametrize(
    "work",
    [
        lambda: time.sleep(0.3), lambda: pycrust.threadable_sum_of_squares(3 * 10**9),
        slow(four_threads), slow(hogged), slow(suspended),
    ],
    ids=["sleep", "released", "threads", "no core", "suspended"],
)  # fmt: skip
def test_no_false_line(work):
    watch = watched(work)
    assert watch.held == [], watch


@pytest.mark.slow
@watches_this_process
def test_a_collection_is_labelled_so(until):
    def collect():
        watch = watched(gc.collect)
        assert watch.held == [], watch
        return watch

    gc.disable()
    try:
        keep = [[number] for number in range(2_000_000)]
        until(lambda watch: "gc" in {stall.label for stall in watch.stalls}, collect)
    finally:
        gc.enable()
    assert len(keep) == 2_000_000


# ---- the watch -----------------------------------------------------------------------


@watches_this_process
def test_one_watch_at_a_time():
    with stalls(), pytest.raises(RuntimeError, match="watched already"), stalls():
        pass
    with stalls():
        pass


@needs_watch
def test_no_trace_is_left(python):
    """In a process of its own: here the threads of other tests may still be ending."""
    paths = os.pathsep.join([str(HERE.parent), str(HERE.parents[1])])
    done = python("import test_stalls; test_stalls.leaves_no_trace()", env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr


def leaves_no_trace():
    before = (signal.getsignal(signal.SIGURG), threading.enumerate(), list(gc.callbacks), sys.getswitchinterval())
    tasks = sorted(os.listdir("/proc/self/task"))
    files = sorted(os.listdir("/proc/self/fd"))
    with stalls():
        assert threading.enumerate() == before[1]
        assert len(sys._current_frames()) == len(before[1])
        assert len(os.listdir("/proc/self/task")) == len(tasks) + 2
    assert (
        signal.getsignal(signal.SIGURG),
        threading.enumerate(),
        list(gc.callbacks),
        sys.getswitchinterval(),
    ) == before
    assert sorted(os.listdir("/proc/self/task")) == tasks
    assert sorted(os.listdir("/proc/self/fd")) == files
    assert _probe.Watch(0.02, signal.SIGURG).running is False


@watches_this_process
def test_errors_come_through():
    with pytest.raises(ZeroDivisionError), stalls():
        divmod(1, 0)
    with stalls():
        pass


@watches_this_process
def test_a_signal_that_is_in_use():
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        with pytest.raises(RuntimeError, match="in use"), stalls(signal=signal.SIGUSR2):
            pass
    finally:
        signal.signal(signal.SIGUSR2, before)
    with stalls(signal=signal.SIGUSR2) as watch:
        pass
    assert not watch.watch.signal_lost


@watches_this_process
def test_a_signal_that_the_program_takes_is_the_programs(big, until):
    got = []

    def take():
        with stalls() as watch:
            signal.signal(signal.SIGURG, lambda *_: got.append(1))
            hold_by_a_call(big)
        assert got == []
        signal.raise_signal(signal.SIGURG)
        assert got.pop() == 1
        signal.signal(signal.SIGURG, before)
        return watch

    before = signal.getsignal(signal.SIGURG)
    try:
        watch = until(lambda watch: watch.watch.signal_lost, take)
        assert "the program took the signal" in str(watch)
    finally:
        signal.signal(signal.SIGURG, before)


@needs_watch
@pytest.mark.parametrize("over", [0.0, -1.0, 0.001, float("nan"), float("inf")])
def test_over_is_twice_the_switch_interval_or_more(over):
    with pytest.raises(ValueError, match="switch interval"):
        stalls(over)


@watches_this_process
def test_over_may_be_longer_than_any_wait():
    with stalls(1e300) as watch:
        pass
    assert watch.watch.over == 9e9  # as it is written
    assert watch.stalls == []


@beside_others
@needs_watch
def test_a_signal_that_is_still_pending_does_not_end_the_program(python):
    """SIGUSR1, whose default is to end the process, is under way to a thread that blocks it when the watch ends."""
    done = python("""
import signal, pycrust
from pycrust.bench import stalls

usr1 = {signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, usr1)
for _ in range(20):
    with stalls(signal=signal.SIGUSR1):
        pycrust.sum_of_squares(3 * 10**9)
        pending = signal.sigpending() & usr1
    if pending:
        break
signal.pthread_sigmask(signal.SIG_UNBLOCK, usr1)
print("pending" if pending else "never sent", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
""")
    assert (done.stdout, done.returncode) == ("pending True\n", 0), done.stderr


@needs_watch
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGTERM, 0, 1000])
def test_signals_that_cannot_be_used(number):
    with pytest.raises(ValueError, match=r"signal|SIG"):
        stalls(signal=number)


@pytest.mark.skipif(not _probe.why_not(), reason="here it can be watched")
def test_elsewhere_it_is_refused():
    with pytest.raises(RuntimeError, match="cannot be watched here"), stalls():
        pass


@watches_this_process
def test_a_result_is_a_table_a_plot_and_json(big):
    Figure = pytest.importorskip("matplotlib.figure").Figure
    watch = watched(hold_by_a_call, big)
    written = json.loads(json.dumps(watch.to_dict()))
    assert written == watch.to_dict()
    assert (written["schema"], written["schema_version"]) == ("pycrust.bench.stalls", 1)
    assert set(written["labels"]) == {"held", "contention", "gc", "fork", "loop", "no core", "unknown"}
    assert written["watch"]["coverage"] == watch.watch.coverage
    above, below = watch.plot(Figure())
    assert "seconds" in below.get_xlabel()
    assert "ms" in above.get_ylabel()
    assert "<table>" in watch._repr_html_()
    assert len(watched(time.sleep, 0.01).plot(Figure())) == 2


# ---- the command -------------------------------------------------------------------------


def run(*command, options=(), flags=(), **kwargs):
    return subprocess.run(
        [sys.executable, *flags, "-m", "pycrust", "stalls", *options, *command],
        capture_output=True, text=True, **{"timeout": 120, **kwargs},
    )  # fmt: skip


HOLDER = """
    import sys, time, pycrust

    def handler():
        return pycrust.sum_of_squares(3 * 10**9)

    for _ in range(3):
        handler()
    print(sys.argv, __name__)
"""


@needs_watch
def test_command_end_to_end(script, tmp_path, until):
    path = script(HOLDER)
    options = ["--json", "out.json", "--plot", "out.png", "--over", "25"]
    arguments = ["-x", "--json", "its own", "--", "-m"]

    def watched_run():
        done = run(path, *arguments, options=options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{[path, *arguments]} __main__\n"
        return done

    done = until(lambda done: "program.py:5 handler" in done.stderr, watched_run)
    assert "try `pycrust threadable pycrust:sum_of_squares" in done.stderr
    assert "of the time covered" in done.stderr and "While nothing ran" in done.stderr
    written = json.loads((tmp_path / "out.json").read_text())
    (line,) = [line for line in written["lines"] if line["file"] == path]
    assert (line["line"], line["function"]) == (5, "handler")
    assert 1 <= line["count"] <= 3  # on a busy machine one may pass unseen
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@needs_watch
def test_fail_over(script, until):
    path = script(HOLDER)
    until(lambda done: done.returncode == 1, lambda: run(path, options=["--fail-over", "50"]))
    assert run(path, options=["--fail-over", "60000"]).returncode == 0
    failing = script("import sys; sys.exit(7)", "failing.py")
    assert run(failing, options=["--fail-over", "50"]).returncode == 7


def same(done, plain):
    """The same status and output, but for the report below."""
    return done.returncode == plain.returncode and done.stdout == plain.stdout and done.stderr.startswith(plain.stderr)


@beside_others
@needs_watch
@pytest.mark.parametrize(
    "text",
    [
        "print('fine')",
        "import sys; sys.exit(3)",
        slow("import sys; sys.exit('a message')"),
        "def f(): 1 / 0\nf()",
        slow("def f(:"),
        slow("import os; print('before', flush=True); os._exit(5)"),
        slow("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"),
        slow("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        slow("raise KeyboardInterrupt"),
        slow("import threading; threading.Thread(target=lambda: 1 / 0).start()"),
        slow("import atexit; atexit.register(lambda: print('bye')); print(input())"),
        """
        import os, sys, threading
        PROBE = {"pycrust._probe", "atexit", "faulthandler", "gc", "opcode", "_opcode", "_opcode_metadata", "cython_runtime"}
            PROBE.add("zlib")       # Cython 3.2 compresses the strings of modules
        PROBE |= {name for name in sys.modules if name.startswith("_cython_")}
        print(sys.argv, sys.path, sys.flags, __file__, __name__, __spec__)
        print(sorted(os.environ), sorted(set(sys.modules) - PROBE))
        print([thread.name for thread in threading.enumerate()], threading.active_count(), len(sys._current_frames()))
        """,
    ],
)
def test_a_program_does_not_notice(script, text, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    path = script(text)
    plain = subprocess.run([sys.executable, path, "x"], capture_output=True, text=True, input="line\n")
    done = run(path, "x", input="line\n")
    assert same(done, plain), (done, plain)


@beside_others
@needs_watch
@pytest.mark.parametrize(
    "command",
    [
        ["no_such_script.py"],
        ["-m", "no_such_module"],
        ["-m", "json.tool", "--help"],
        ["-m", "json.tool", "no_such_file"],
    ],
    ids=" ".join,
)
def test_python_itself_answers(command):
    plain = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    done = run(*command)
    assert same(done, plain), (done, plain)
    assert "Traceback" not in done.stderr.removeprefix(plain.stderr)


@beside_others
@needs_watch
@pytest.mark.parametrize(
    "code", ["import sys; print(sys.argv)", "def f(:", slow("1 / 0"), slow("import sys; sys.exit(3)")]
)
def test_code_on_the_command_line(code):
    command = ["-c", code, "-c", "--json", "-m", "x", "--", "--over", "--"]
    plain = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    done = run(*command)
    assert same(done, plain), (done, plain)
    assert ("of the time covered" in done.stderr) == (code != "def f(:")


@beside_others
@needs_watch
@pytest.mark.parametrize(
    "head",
    ["#!{}", "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''", "#!/bin/sh", ""],
    ids=["short", "long", "sh", "none"],
)
def test_a_command_that_is_a_script_is_found(tmp_path, head):
    """On PATH, if there is no script of that name; what is not for Python is none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "the-tool"
    tool.write_text(head.format(sys.executable) + "\nimport sys; print('tool', *sys.argv)\n")
    tool.chmod(0o755)
    env = {**os.environ, "PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
    done = run("the-tool", "-x", cwd=tmp_path, env=env)
    if sys.executable in tool.read_text():
        assert (done.returncode, done.stdout) == (0, f"tool {tool} -x\n"), done.stderr
    else:
        plain = subprocess.run([sys.executable, "the-tool"], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, "", plain.stderr)
    (tmp_path / "the-tool").write_text("print('here')")
    assert run("the-tool", cwd=tmp_path, env=env).stdout == "here\n"


def test_a_command_that_cannot_be_read_is_left_to_python(monkeypatch, tmp_path):
    monkeypatch.setattr(
        cli.shutil, "which", lambda *args, **kwargs: str(tmp_path)
    )  # of a folder nothing can be read, even by root
    assert cli.script_called("the-tool") == "the-tool"


@beside_others
@needs_watch
def test_ended_children_that_are_ignored():
    """As by a parent that wants to know of none of its own: the status is the program's, and it ignores them, too."""
    code = "import signal, sys; sys.exit(3 if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN else 4)"
    done = run("-c", code, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 3 and "held the GIL" in done.stderr, done.stderr


@beside_others
@needs_watch
@pytest.mark.parametrize("status", [0, 3])
def test_a_report_that_cannot_be_written(tmp_path, status):
    """The exit status is the program's all the same; and the files are written."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no full disk here")
    command = f"{sys.executable} -m pycrust stalls --json {tmp_path / 'out.json'} -c 'raise SystemExit({status})'"
    assert subprocess.run(["sh", "-c", f"exec {command} 2> /dev/full"]).returncode == status
    assert json.loads((tmp_path / "out.json").read_text())["schema"] == "pycrust.bench.stalls"
    end, other = os.pipe()
    os.close(end)
    assert subprocess.run(["sh", "-c", f"exec {command}"], stderr=other).returncode == status
    os.close(other)


@beside_others
@needs_watch
@pytest.mark.parametrize("status", [0, 3])
def test_figures_that_cannot_be_written(status, tmp_path):
    """The report is there all the same, and so are the other files and the exit status of the program, unless that is 0."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no full disk here")
    trace = tmp_path / "trace.json"
    done = run("-c", f"raise SystemExit({status})", options=["--json", "/dev/full", "--trace", trace])
    assert (done.returncode, "Traceback" in done.stderr) == (status or 2, False)
    assert "pycrust: /dev/full could not be written: No space left" in done.stderr
    assert "held the GIL" in done.stderr and f"trace:   {trace}" in done.stderr
    command = f"{sys.executable} -m pycrust stalls --json - -c 'raise SystemExit({status})' > /dev/full"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (status or 2, False)
    assert "- could not be written: No space left" in done.stderr and "held the GIL" in done.stderr


@beside_others
@needs_watch
def test_fail_over_fails_where_nothing_was_watched(tmp_path, capfd, monkeypatch):
    """As where a handler of the program's own has the signal before the watch could take it."""
    monkeypatch.setattr(cli, "stalls_of", lambda *args, **kwargs: (None, statuses.pop()))
    statuses = [0, 7, 0]
    given = ["--fail-over", "5"]
    assert [cli.main(["stalls", *options, "x.py"]) for options in ([], given, given)] == [0, 7, 2]
    assert capfd.readouterr().err.count("was not watched") == 2


@beside_others
@needs_watch
def test_the_programs_own_sitecustomize_runs(script, tmp_path):
    script("import sys; print('customized', 'numpy' in sys.modules)", "sitecustomize.py")
    path = script("import sitecustomize; print(sitecustomize.__file__)")
    done = run(path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    customized = "customized False\n"  # in the process of the command, and in the program
    assert done.stdout == f"{2 * customized}{tmp_path / 'sitecustomize.py'}\n", done.stderr


@beside_others
@needs_watch
def test_flags_of_python_reach_the_program(script):
    done = run(script("import sys; print(sys.warnoptions, sys.flags.optimize)"), flags=["-O", "-W", "error"])
    assert done.stdout == "['error'] 1\n", done.stderr


@needs_watch
def test_ctrl_c_is_the_programs(script):
    path = script(
        """
        import time
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("the program's own end", flush=True)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pycrust", "stalls", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "the program's own end\n"), err
    assert "of the time covered" in err


@beside_others
@needs_watch
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "needs a program"),
        (["-m"], "needs a program"),
        (["-c"], "needs a program"),
        (["--over", "nothing", "x.py"], "not a time in milliseconds"),
        (["--over", "1", "x.py"], "twice the switch interval"),
        (["--signal", "SIGNOTHING", "x.py"], "there is no signal 'SIGNOTHING'"),
        (["--signal", "KILL", "x.py"], "SIGKILL cannot be used"),
        (["--json", "/no/such/folder/x", "x.py"], "there is no folder"),
    ],
)
def test_bad_options_get_a_sentence(options, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["stalls", *options])
    assert ended.value.code == 2 and complaint in capsys.readouterr().err


@beside_others
@needs_watch
def test_isolated_python_is_refused(script):
    done = run("x.py", flags=["-E"])
    assert done.returncode == 2 and "site" in done.stderr


# ---- forks, files, many threads ----------------------------------------------------------


@pytest.mark.slow
@needs_watch
def test_forks_are_not_watched_and_not_warned_of(script, until):
    path = script(
        """
        import os, sys, threading
        for _ in range(20):
            child = os.fork()
            if child == 0:
                tasks = len(os.listdir("/proc/self/task"))
                sys.exit(40 + tasks)  # by way of its exit handlers
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 41
        assert len(os.listdir("/proc/self/task")) == 3  # the watch goes on
        import pycrust
        pycrust.sum_of_squares(3 * 10**9)
        """
    )

    def watched_run():
        done = run(path, flags=["-W", "error"])
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        assert done.stderr.count("of the time covered") == 1
        return done

    until(lambda done: "program.py:11" in done.stderr, watched_run)


@needs_watch
@pytest.mark.slow
def test_a_program_that_closes_all_files_keeps_its_own(script, tmp_path, until):
    """Descriptors that it opens later may have our numbers: nothing is written to them, nor are they closed."""
    path = script(
        f"""
        import os, pycrust
        os.closerange(3, 5000)
        files = []
        while not files or files[-1].fileno() < 720:
            files.append(open({str(tmp_path / "own")!r}, "w+"))
        for _ in range(2):
            pycrust.sum_of_squares(3 * 10**9)
        import atexit
        @atexit.register
        def last():
            for file in files:
                file.seek(0)
                assert file.read() == ""
                file.close()
        """
    )

    def watched_run():
        done = run(path)
        assert done.returncode == 0, done.stderr
        assert "Error" not in done.stderr
        return done

    until(lambda done: "or closed the pipe" in done.stderr, watched_run)


@needs_watch
@pytest.mark.slow
def test_threads_that_come_and_go(python):
    """Watches that start and stop while threads come, go, collect, and hold the GIL."""
    done = python(
        """if True:
        import gc, threading, time, pycrust
        from pycrust.bench import stalls
        end = time.perf_counter() + 4
        def churn():
            while time.perf_counter() < end:
                thread = threading.Thread(target=lambda: sorted(range(200_000), key=lambda x: -x))
                thread.start()
                thread.join()
                gc.collect()
        def hold():
            while time.perf_counter() < end:
                pycrust.sum_of_squares(4 * 10**8)
                time.sleep(0.001)
        threads = [threading.Thread(target=work) for work in (churn, churn, hold)]
        for thread in threads: thread.start()
        count = 0
        while time.perf_counter() < end:
            with stalls(0.010) as watch:
                time.sleep(0.05)
            count += 1
            assert all(stall.place is None or "string" in stall.place.file or "lib" in stall.place.file
                       or stall.place.file.startswith("/") for stall in watch.held)
        for thread in threads: thread.join()
        print("fine" if count else "no watch")
        """
    )
    assert done.stdout == "fine\n", done.stderr


@needs_watch
def test_a_watch_that_is_never_stopped_ends_with_the_interpreter(python):
    done = python(
        """if True:
        import threading, time
        from pycrust.bench import stalls
        stalls().__enter__()
        def run():
            with_statement = stalls()
            while True: time.sleep(0.001)
        threading.Thread(target=run, daemon=True).start()
        print("end")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_what_was_logged_is_read():
    """Also when the program was killed: then how the watch went is not known."""
    from pycrust.bench import Stalls

    def record(what, *values):
        return json.dumps({what: values, "pid": 7}, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"

    figures = (1, 2, 3, 0, 0.1, 0.2, 0.0, 0.1, 0.5, 0.02, 8.5)
    path = "/caf\udce9.py"  # whose name is not UTF-8
    sleeper = seen(begin=11.0, cpu=0.0, asleep=0.095, tracebacks="", file=path, line=4, function="für")
    told = record("lasting", *seen(seconds=0.05)) + record("lasting", *seen(seconds=0.07))  # while it lasted
    killed = record("idle", *figures) + told + record("stall", *seen()) + record("lasting", *sleeper)
    log = killed + b'{"stall": [1, 2'
    result = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
    assert [(stall.begin, round(stall.seconds, 6)) for stall in result.stalls] == [(1.0, 0.1), (2.0, 0.097)]
    assert result.stalls[1].stack == (Place(path, 4, "für"),)
    assert result.watch is None and "without its exit handlers" in str(result)
    log = killed + record("end", *figures)  # it is read on as it grows
    assert result.watch.started == 8.5 and len(result.stalls) == 2
    log += record("stall", *seen(begin=20.0))
    assert len(result.stalls) == 2  # and that one is none that lasts any more


def test_holds_of_a_wait_that_never_ends_are_told_once():
    """Two, each told while it lasted; of the first more was told when it had ended."""
    from pycrust.bench import Stalls

    def record(what, **changed):
        return json.dumps({what: seen(before=0.0, **changed), "pid": 7}).encode() + b"\n"

    first = record("lasting", begin=10.0, seconds=0.5, watched=0.5, cpu=0.5, ident=3)
    second = record("lasting", begin=10.0, seconds=1.5, offset=0.75, watched=0.5, cpu=0.5, ident=4)
    more = record("lasting", begin=10.0, seconds=2.0, offset=0.75, watched=1.0, cpu=1.0, ident=4)
    ended = record("also", begin=10.0, seconds=0.7, watched=0.7, cpu=0.7, ident=3)
    log = first + second

    def told():
        result = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
        return [(stall.begin, stall.seconds) for stall in result.stalls]

    assert told() == [(10.0, 0.5), (10.75, 0.5)]
    log += more
    assert told() == [(10.0, 0.5), (10.75, 1.0)]
    log += ended
    assert told() == [(10.0, 0.7), (10.75, 1.0)]
    log += record("stall", begin=10.0, seconds=2.5, offset=0.75, watched=1.5, cpu=1.5, ident=4)
    assert told() == [(10.0, 0.7), (10.75, 1.5)]


def test_what_was_waited_is_attributed_once():
    """A wait of 4 s: two held it, one of them without a core for a while; then the one that waited had none."""
    from pycrust.bench import Stalls

    def record(what, seen):
        return json.dumps({what: seen, "pid": 7}).encode() + b"\n"

    first = seen(begin=10.0, seconds=1.0, before=0.0, watched=1.0, cpu=1.0, ident=3, thread="", late=0.0)
    last = seen(begin=10.0, seconds=4.0, offset=1.0, before=0.0, watched=2.0, cpu=1.5, delay=3.0, switches=3)
    names = json.dumps({"names": [0, "", 3, "first"], "pid": 7}).encode() + b"\n"
    log = record("also", first) + names + record("stall", last)
    result = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
    assert [(stall.begin, stall.seconds, stall.thread, stall.missing, stall.waited) for stall in result.stalls] == [
        (10.0, 1.0, "first", 0.0, 4.0), (11.0, 1.5, "MainThread", 0.5, 4.0),
    ]  # fmt: skip
    # Of the 3 s for which it had no core, those count that nobody else held the GIL.
    assert result.waited == {"in_all": 4.0, "held": 2.5, "others": 1.5, "rest": 0.0}
    assert "4.00 s in all: 2.50 s a known line or a collection, 1.50 s contention" in str(result)
    log += record("stall", last._replace(begin=20.0, delay=0.0, tracebacks=""))  # nobody knows on which line
    assert result.waited == {"in_all": 8.0, "held": 2.5, "others": 2.0, "rest": 3.5}


def test_a_blocked_loop_is_told_without_the_time_for_which_the_gil_was_held():
    from pycrust.bench import Stalls

    def record(what, values):
        return json.dumps({what: values, "pid": 7}).encode() + b"\n"

    def blocked(begin, seconds, missing=0.0, stacks=""):
        return record("loop", [1, begin, seconds, missing, "MainThread", "the task", stacks])

    def stack(line, function, own="/home/me/service.py"):
        lib = '  File "/usr/lib/python3.11/json/decoder.py", line 3 in decode\n'
        return f'Stack (most recent call first):\n{lib}  File "{own}", line {line} in {function}\n'

    held = seen(begin=10.0, seconds=0.1, before=0.0, watched=0.1, cpu=0.1, late=0.0)  # for 0.1 s
    log = record("stall", held)
    log += blocked(10.0, 0.11)  # that hold, and hardly more
    log += blocked(10.05, 0.1, stacks=stack(7, "first") + stack(8, "most") + stack(8, "most"))  # half of it
    log += blocked(11.0, 0.5, 0.25)
    result = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
    told = [stall for stall in result.stalls if stall.label == "loop"]
    assert [(stall.begin, round(stall.seconds, 6), stall.missing) for stall in told] == [
        (10.05, 0.05, 0.0), (11.0, 0.5, 0.25),
    ]  # fmt: skip
    assert told[0].caller == Place("/home/me/service.py", 8, "most") and told[0].place.line == 3
    assert told[0].task == "the task" and told[1].stack == ()
    (line,) = result.loops
    assert line.title().endswith("service.py:8 most") and result.to_dict()["loops"][0]["line"] == 3
    assert result.waited == {"in_all": 0.1, "held": 0.1, "others": 0.0, "rest": 0.0}  # nobody waited for the GIL
    assert "1 line held the GIL" in result.headline()
    log = blocked(11.0, 0.5, stacks=stack(7, "first"))
    alone = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
    assert alone.headline() == "1 line blocked an event loop for 20.0 ms or more, without holding the GIL"
    assert "asyncio.to_thread" in str(alone) and "service.py:7 first" in str(alone)


@needs_watch
@pytest.mark.parametrize("module", ["uvloop.loop", "another.loop"])
def test_loops_that_are_not_looked_at_are_told(script, module):
    done = run(script(f"import sys, types\nsys.modules[{module!r}] = types.ModuleType('loop')\n"))
    assert ("loops of uvloop are not looked at" in done.stderr) == (module == "uvloop.loop"), done.stderr


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"collecting": 8}, "20.0 ms of it by garbage collections within"),
        ({"collecting": 3}, ""),
        ({"watched": 0.298, "cpu": 0.198}, "and 100 ms without a core"),
        ({"watched": 0.1, "cpu": 0.098}, ""),
        ({"task": "the task", "file": "/app.py", "line": 7}, "in task the task"),
    ],
)
def test_a_row_says_what_else_there_was(changed, words):
    from pycrust.bench import Stalls

    log = json.dumps({"stall": seen(**changed), "pid": 7}).encode() + b"\n"
    result = Stalls(over=0.02, log=Log(lambda start: log[start:], 0.02))
    (line,) = result.lines
    assert line.small() == ([words] if words else [])
    (written,) = result.to_dict()["stalls"]
    assert written["collecting"] == pytest.approx(0.0025 * changed.get("collecting", 0))
    assert written["missing"] == pytest.approx(changed.get("watched", 0.098) - changed.get("cpu", 0.098))


def test_a_table_fits_100_columns(tmp_path):
    from pycrust.bench import Stalls

    path = tmp_path / "service.py"
    path.write_text("value = " + " + ".join(map(str, range(100))))
    text = f'Stack (most recent call first):\n  File "{path}", line 1 in handler\n'
    told = seen(tracebacks=2 * text, seconds=123.456, watched=123.456, cpu=123.456, thread="MainThread", late=0.0)
    log = json.dumps({"stall": told, "pid": 7}) + "\n"
    log += json.dumps({"loop": [1, 500.0, 123.456, 0.0, "a thread", "a task with a name " * 9, text], "pid": 7}) + "\n"
    result = Stalls(over=0.02, log=Log(lambda start: log.encode()[start:], 0.02))
    first, second, *_ = result.tables()
    assert "value = 0 + 1" in first.plain() and "in task a task with a name" in second.plain()
    assert max(len(line) for table in (first, second) for line in table.plain().splitlines()) <= 100


# ---- what a program would notice of being watched, if it were done otherwise -----------------


@needs_watch
def test_threads_that_fork_at_the_same_time(script):
    """Each pauses the watch; the last resumes it."""
    path = script(
        """
        import os, threading
        def fork():
            for _ in range(60):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
        threads = [threading.Thread(target=fork) for _ in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        while len(os.listdir("/proc/self/task")) > 3:  # the kernel lists a thread for a moment after it was joined
            pass
        print(len(os.listdir("/proc/self/task")))
        """
    )
    done = run(path, timeout=60)
    assert done.stdout == "3\n", done.stderr  # the watch goes on


@needs_watch
def test_finalizers_run_in_the_threads_of_the_program(script):
    """Garbage in cycles is there all the time, and so are stalls."""
    path = script(
        """
        import gc, threading, pycrust
        where = []
        class Node:
            def __init__(self):
                self.me = self
            def __del__(self):
                where.append(threading.get_ident())
        gc.collect()
        gc.set_threshold(8, 1, 1)
        for _ in range(30):
            gc.collect()
            Node(), Node()
            pycrust.sum_of_squares(2 * 10**8)
        print(len(where) > 0, set(where) == {threading.get_ident()})
        """
    )
    assert run(path, options=["--over", "10"]).stdout == "True True\n"


@needs_watch
@pytest.mark.slow
def test_a_program_whose_open_is_another(script, until):
    """The log is opened once, before the program, under a high number."""
    path = script(
        """
        import builtins, os, pycrust
        opened, builtins.open = [], lambda *args, **kwargs: opened.append(args)
        os.open = None
        first = os.dup(2)
        for _ in range(3):
            pycrust.sum_of_squares(3 * 10**9)
        print(opened, first)
        """
    )
    plain = subprocess.run([sys.executable, path], capture_output=True, text=True)

    def watched_run():
        done = run(path)
        assert done.stdout == plain.stdout
        assert "Traceback" not in done.stderr
        return done

    until(lambda done: "program.py:7" in done.stderr, watched_run)


@needs_watch
@pytest.mark.slow
def test_stalls_of_a_program_that_closed_all_files(script, until):
    path = script("import os, pycrust\nos.closerange(3, 5000)\nfor _ in range(3): pycrust.sum_of_squares(3 * 10**9)\n")
    until(lambda done: re.search(r"\nheld +[1-3] ", done.stderr), lambda: run(path))


@needs_watch
@pytest.mark.slow
def test_the_locale_of_the_program_is_not_that_of_the_log(script, until):
    names = ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8")
    path = script(
        f"""
        import locale, pycrust
        for name in {names}:
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
        for _ in range(3): pycrust.sum_of_squares(3 * 10**9)
        """
    )
    until(lambda done: "program.py:8" in done.stderr, lambda: run(path))


@beside_others
@watches_this_process
def test_a_signal_that_the_program_registers_with_faulthandler(big, tmp_path, until):
    """It is the program's, who finds no traceback that it did not ask for."""
    import faulthandler

    def take():
        with open(tmp_path / "own", "w+") as file, stalls() as watch:
            faulthandler.register(signal.SIGURG, file=file)
            try:
                hold_by_a_call(big)
                assert (tmp_path / "own").read_text() == ""
                signal.raise_signal(signal.SIGURG)
                assert "Current thread" in (tmp_path / "own").read_text()
            finally:
                faulthandler.unregister(signal.SIGURG)
        assert _probe.Watch(0.02, signal.SIGURG).start is not None
        return watch

    until(lambda watch: watch.watch.signal_lost, take)


@needs_watch
def test_subinterpreters_say_nothing(script):
    names = ("_interpreters", "_xxsubinterpreters")
    path = script(
        f"""
        import importlib
        for name in {names}:
            try:
                interpreters = importlib.import_module(name)
                break
            except ImportError:
                pass
        for _ in range(2):
            interpreters.run_string(interpreters.create(), "import sys; print([p for p in sys.path if 'watched' in p])")
        """
    )
    done = run(path)
    assert done.stdout == "[]\n[]\n" and "not watched" not in done.stderr, done.stderr


@needs_watch
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hold(); hold(); hold()", "MainThread"),
        ("import _thread; _thread.start_new_thread(lambda: (hold(), hold(), hold(), sleep(0.3)), ()); sleep(0.1); sleep(0.5)", r"thread \d+"),
        slow(
            "import ctypes, _thread\n"
            "def run():\n"
            "    ctypes.CDLL(None).prctl(15, b'the pool', 0, 0, 0)\n"
            "    hold(); hold(); hold(); sleep(0.3)\n"
            "_thread.start_new_thread(run, ()); sleep(0.1); sleep(0.5)",
            "the pool",
        ),
        ("import threading as t; x = t.Thread(target=lambda: (hold(), hold(), hold(), sleep(0.3)), name='wörker \"1\"'); x.start(); x.join()", 'wörker "1"'),
    ],
    ids=["main", "_thread", "named by the system", "threading"],
)  # fmt: skip
def test_threads_have_names(script, until, text, name):
    """Without threading, too."""
    path = script(
        f"import sys\nfrom time import sleep\nhold = lambda big=range(2_500_000): -1.5 in big\n{text}\n"
        "assert 'import threading' in open(__file__).read() or 'threading' not in sys.modules\n"
    )

    def watched_run():
        done = run(path, options=["--json", "-"])
        assert done.returncode == 0, done.stderr
        return {
            line["file"] == path and thread for line in json.loads(done.stdout)["lines"] for thread in line["threads"]
        }

    found = until(lambda names: names - {False}, watched_run)
    assert all(re.fullmatch(name, thread) for thread in found - {False}), found


@beside_others
@needs_watch
@pytest.mark.parametrize(
    "command", [["no_such_script.py"], ["-m", "no_such_module"], ["broken.py"], ["-m", "broken"], ["."]], ids=" ".join
)
def test_a_program_that_did_not_start_has_no_report(script, tmp_path, command):
    script("def f(:", "broken.py")
    plain = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=tmp_path)
    done = run(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert plain.returncode != 0


@beside_others
@needs_watch
def test_kill_int_ends_the_program(script):
    """Not by Ctrl-C, which the program gets itself, but by its process number."""
    path = script("import time\nprint('ready', flush=True)\ntime.sleep(60)")
    command = [sys.executable, "-m", "pycrust", "stalls", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in err and "of the time covered" in err


@needs_watch
@pytest.mark.slow
def test_a_command_that_is_killed_leaves_nothing_behind(script, tmp_path, until):
    """The program goes on, and ends as always; then there is no process and no file."""
    path = script("import pycrust\nprint('ready', flush=True)\ninput()\npycrust.sum_of_squares(10**9)\nprint('end')\n")
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pycrust", "stalls", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.kill()
    out, err = process.communicate("x\n", timeout=60)
    assert (process.returncode, out, err) == (-signal.SIGKILL, "end\n", "")

    def is_there():
        time.sleep(0.1)  # it has closed its output, and ends now
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    until(lambda there: not there, is_there, tries=100)
    assert [*folder.iterdir()] == []


@beside_others
@needs_watch
@pytest.mark.parametrize("name", ["SIGINT", slow("SIGTERM"), slow("SIGUSR1")])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
def test_the_program_gets_each_signal_once(script, name, send):
    """Whether it is sent to the command alone, or to all processes of its group."""
    path = script(
        f"""
        import os, select, signal, time
        signal.signal(signal.{name}, lambda *_: None)
        ends = os.pipe()
        for end in ends:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(ends[1])  # gets a byte each time
        print("ready", flush=True)
        for _ in range(10):
            got = []
            while select.select(ends[:1], [], [], 0.1 if got else 60)[0]:
                got += os.read(ends[0], 10)
            print(len(got), flush=True)
        """
    )
    command = [sys.executable, "-m", "pycrust", "stalls", path]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    for _ in range(10):
        send(process.pid, getattr(signal, name))
        assert process.stdout.readline() == "1\n"
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (0, ""), err


@beside_others
@needs_watch
def test_the_descriptors_of_the_program_are_its_own(script, until):
    """While the watch looks into /proc, no number is taken; and what the program closes is closed."""
    CLOSE_RANGE = 436
    if ctypes.CDLL(None).syscall(CLOSE_RANGE, 9999, 9999, 0) != 0:
        pytest.skip("a thread cannot have a table of its own: that needs Linux 5.9")
    path = script(
        """
        import os, time, pycrust
        ends = os.pipe()
        os.set_blocking(ends[0], False)
        print("ready", flush=True)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            pycrust.sum_of_squares(10**9)
        os.close(ends[1])
        end_of_file = os.read(ends[0], 1)
        print(end_of_file)
        """
    )
    command = [sys.executable, "-m", "pycrust", "stalls", path]

    def look():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        (pid,) = [
            child for task in os.listdir(f"/proc/{process.pid}/task")
            for child in Path(f"/proc/{process.pid}/task/{task}/children").read_text().split()
            if path in Path(f"/proc/{child}/cmdline").read_text().split("\0")
            and "pycrust" not in Path(f"/proc/{child}/cmdline").read_text().split("\0")
        ]  # fmt: skip
        seen = set()
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            seen.add(frozenset(os.listdir(f"/proc/{pid}/fd")))
        out, err = process.communicate(timeout=60)
        assert out == "b''\n" and len(seen) == 1, (out, seen)
        return err

    until(lambda err: "program.py:8" in err, look)


@needs_watch
def test_a_signal_before_the_program_has_started(python):
    """It reaches the program as soon as it is there."""
    done = python(
        """if True:
        import os, signal, subprocess, sys
        from pycrust.bench.stalls import run
        class Late(subprocess.Popen):
            def __init__(self, *args, **kwargs):
                os.kill(os.getpid(), signal.SIGTERM)
                super().__init__(*args, **kwargs)
        subprocess.Popen = Late
        print(run([sys.executable, "-c", "import time; time.sleep(30)"], dict(os.environ))[1])
        """
    )
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr


@beside_others
@needs_watch
def test_the_program_inherits_files(script):
    path = script("import os; os.write(9, b'inherited')")
    done = subprocess.run(["sh", "-c", f"exec {sys.executable} -m pycrust stalls {path} 9>&1"], capture_output=True)
    assert done.stdout == b"inherited", done.stderr


@beside_others
@needs_watch
@pytest.mark.parametrize("closed", [1, 2])
def test_closed_outputs(script, tmp_path, closed):
    path = script(
        f"import os\nfiles = [number for number in range(3) if os.path.exists(f'/proc/self/fd/{{number}}')]\n"
        f"print(files, file=open({str(tmp_path / 'files')!r}, 'w'))"
    )
    command = f"exec {sys.executable} -m pycrust stalls {path} {closed}>&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (tmp_path / "files").read_text() == f"{[number for number in range(3) if number != closed]}\n"
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr


@beside_others
@needs_watch
def test_the_core_file_is_the_programs(script, tmp_path):
    resource = pytest.importorskip("resource")
    path = script("import os; os.abort()")

    def dumped(command):
        def allow():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, preexec_fn=allow)
        status = os.waitpid(process.pid, 0)[1]
        process.returncode = 0
        assert os.WTERMSIG(status) == signal.SIGABRT
        return os.WCOREDUMP(status)

    if not dumped([sys.executable, path]):
        pytest.skip("programs leave no core files here")
    assert not dumped([sys.executable, "-m", "pycrust", "stalls", path])


@needs_watch
@pytest.mark.slow
@pytest.mark.measures
def test_a_stall_right_after_another_is_not_lost(script, until):
    """Here each begins as soon as the one before has ended. (That nothing takes the GIL in between: test_probe.)"""
    path = script("import pycrust\nfor _ in range(8): pycrust.sum_of_squares(4 * 10**8)\n")

    def count(done):
        return sum(stall["label"] == "held" for stall in json.loads(done.stdout)["stalls"])

    until(lambda done: count(done) >= 8, lambda: run(path, options=["--json", "-"]))


@needs_watch
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("hold", ["libc.usleep(400_000)", "pycrust.sum_of_squares(n)"], ids=["asleep", "running"])
def test_none_of_many_stalls_is_lost(script, tmp_path, hold, at_length):
    """What they come to is known from a thread of the program whose heart stands still meanwhile, and from the holder."""
    count = 50 if at_length else 12
    path = script(
        f"""
        import ctypes, json, threading, time, pycrust
        libc = ctypes.PyDLL(None)

        def ran(n):
            start = time.thread_time()
            pycrust.threadable_sum_of_squares(n)
            return time.thread_time() - start
        n = int(0.4 / ran(2 * 10**8) * 2 * 10**8)

        gaps, ended = [], []
        def heart():
            before = time.perf_counter()
            while not ended:
                time.sleep(0.001)
                now = time.perf_counter()
                if now - before > 0.3:
                    gaps.append((before, now))
                before = now
        thread = threading.Thread(target=heart)
        thread.start()
        holds = []
        for k in range({count}):
            time.sleep(0.02 * (k % 4))
            start = (time.perf_counter(), time.thread_time())
            {hold}
            holds.append((*start, time.perf_counter(), time.thread_time()))
        time.sleep(0.05)
        ended.append(True)
        thread.join()
        stood_still = [any(a < end and b > start for a, b in gaps) for start, _, end, _ in holds]
        print(json.dumps([sum(stood_still), sum(after - before for _, before, _, after in holds)]))
        """
    )
    done = run(path, options=["--json", "out.json"], cwd=tmp_path, timeout=500)
    stood_still, ran = json.loads(done.stdout)
    assert stood_still == count
    written = json.loads((tmp_path / "out.json").read_text())
    if written["watch"]["coverage"] < 0.9:  # the report says so itself
        pytest.skip("the machine is so busy that some of them cannot be told from a lack of cores")
    held = [stall for stall in written["stalls"] if stall["label"] == "held" and stall["seconds"] > 0.1]
    assert len(held) == count, done.stderr
    expected = next(k for k, line in enumerate(Path(path).read_text().splitlines(), 1) if line.strip() == hold)
    lines = {(stall["stack"][0]["file"], stall["stack"][0]["line"]) for stall in held if stall["stack"]}
    assert lines == {(path, expected)}, done.stderr
    truth = ran if "sum" in hold else count * 0.4
    assert sum(stall["seconds"] for stall in held) >= 0.8 * truth * written["watch"]["coverage"], done.stderr


# ---- a hold that lasts -------------------------------------------------------------------


DEADLOCK = """
    import ctypes, threading
    # A hold that has no end: with the GIL this thread waits for a lock of C's that only it could release.
    libc = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(64)
    def handler():
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)
    handler()
"""


@needs_watch
@pytest.mark.parametrize("end", [slow("killed"), "aborted", slow("by default")])
def test_a_hold_that_never_ends_is_told_while_it_lasts(script, end):
    path = script(DEADLOCK)
    options = {"killed": ["--dump-over", "0.5"], "aborted": ["--dump-over", "0.5", "--abort-over", "1"]}.get(end, [])
    command = [sys.executable, "-m", "pycrust", "stalls", *options, path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    told = []
    while "in handler" not in "".join(told):
        told.append(process.stderr.readline())
        assert told[-1], told
    assert re.search(r"pycrust: MainThread has held the GIL for [0-9.]+ s", "".join(told))
    if end != "aborted":
        process.send_signal(signal.SIGQUIT)  # of which Python has no handler
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == -(signal.SIGABRT if end == "aborted" else signal.SIGQUIT)
    assert ("as --abort-over asks" in rest) == (end == "aborted")
    assert "program.py:8 handler" in rest and "1 line held the GIL" in rest, rest


@beside_others
@needs_watch
@pytest.mark.parametrize("hold", [slow("libc.usleep(60_000_000)"), "pycrust.sum_of_squares(7 * 10**12)"])
def test_a_hold_amid_which_the_process_is_killed(script, until, hold):
    """As by a health check, which knows how long it lasted: nearly all of that is in the report."""
    path = script(
        f"""
        import ctypes, os, pycrust, time
        libc = ctypes.PyDLL(None)
        start = time.perf_counter()
        if os.fork() == 0:
            time.sleep(2.0)
            print(time.perf_counter() - start, flush=True)
            os.kill(os.getppid(), 9)
            os._exit(0)
        def handler():
            {hold}
        handler()
        """
    )

    def look():
        done = run(path, options=["--json", "-"])
        assert done.returncode == -signal.SIGKILL
        lasted, written = done.stdout.split("\n", 1)
        lines = json.loads(written)["lines"]
        assert {(line["file"], line["line"], line["function"]) for line in lines} <= {(path, 11, "handler")}
        told = sum(stall["seconds"] + stall["missing"] for stall in json.loads(written)["stalls"] if stall["stack"])
        return told / float(lasted)

    until(lambda part: part >= 0.75, look)
