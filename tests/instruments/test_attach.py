"""A watch that is brought into a running process, and leaves it. Before Python 3.14 the program runs the script by itself."""

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pycrust import _probe
from pycrust.bench import attach
from pycrust.bench.attach import Process, stalls_in, write_script
from pycrust.bench.stall import Log

linux = pytest.mark.skipif(sys.platform != "linux", reason="--pid needs Linux")
needs_watch = pytest.mark.skipif(bool(_probe.why_not()), reason=f"the GIL cannot be watched: {_probe.why_not()}")
pytestmark = [linux, pytest.mark.measures]

# It says what it looks like from outside before and after each script that it is told to run.
PROGRAM = """
    import ctypes, os, signal, sys, threading, time
    libc = ctypes.PyDLL(None)

    def guilty():
        while True:
            libc.usleep(60_000)
            time.sleep(0.03)

    def looks():
        handler = signal.getsignal(signal.SIGURG)
        return sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), handler == signal.SIG_DFL

    if "hold" in sys.argv:
        threading.Thread(target=guilty, daemon=True).start()
    before = looks()
    print("ready", flush=True)
    for line in sys.stdin:
        exec(open(line.strip()).read(), {})
        print("run", flush=True)
        while "hold" in sys.argv and looks() != before:
            time.sleep(0.01)
        print("left" if looks() == before else f"{looks()} instead of {before}", flush=True)
"""


@pytest.fixture
def program(tmp_path):
    """Starts it; `tell` has it run a script."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(PROGRAM))
    started = []

    def start(*arguments):
        command = [sys.executable, str(path), *arguments]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT
        )
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def tell(child, script):
    child.stdin.write(f"{script}\n")
    child.stdin.flush()


def prepare(folder, seconds, lock, over=0.02):
    """As `stalls_in` does: the script, and the log, which is locked or not."""
    folder.mkdir()
    file = os.open(folder / "log", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    if lock:
        fcntl.flock(file, fcntl.LOCK_EX)
    script = write_script(folder, (str(folder), over, 0.0, 0.0, int(signal.SIGURG), seconds, _probe.__file__))
    return script, file, Log(lambda start: os.pread(file, os.fstat(file).st_size - start, start), over)


def record(log):
    return next(iter(log.read().values()), None)


@needs_watch
def test_a_watch_is_brought_in_and_leaves(program, monkeypatch, tmp_path, until):
    monkeypatch.setattr(attach, "FIRST", (3, 11))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    child = program("hold")
    monkeypatch.setattr(attach, "send", lambda pid, script: tell(child, script))

    def look():
        found = stalls_in(child.pid, seconds=0.4)
        assert child.stdout.readline() == "run\n" and child.stdout.readline() == "left\n"
        assert found.watch is not None and found.read().left
        return found

    found = until(lambda found: any(line.place.function == "guilty" for line in found.lines), look)
    assert "program.py hold" in found.program
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


@needs_watch
def test_it_leaves_when_nobody_listens_any_more(program, tmp_path, until):
    child = program("hold")
    script, file, log = prepare(tmp_path / "folder", seconds=1e6, lock=True)
    tell(child, script)
    assert child.stdout.readline() == "run\n"
    until(lambda begun: begun, lambda: record(log))
    assert record(log).watch is None
    fcntl.flock(file, fcntl.LOCK_UN)  # as when the process that has it is killed
    assert child.stdout.readline() == "left\n"
    assert record(log).watch is not None and record(log).left
    os.close(file)


def test_it_does_not_begin_when_nobody_listens_any_more(program, tmp_path):
    child = program()
    script, file, log = prepare(tmp_path / "folder", seconds=1e6, lock=False)
    tell(child, script)
    assert child.stdout.readline() == "run\n" and child.stdout.readline() == "left\n"
    assert record(log) is None and not (tmp_path / "folder").exists()
    os.close(file)


@needs_watch
def test_why_a_process_refuses(program, tmp_path, monkeypatch):
    monkeypatch.setattr(attach, "FIRST", (3, 11))
    child = program()
    monkeypatch.setattr(attach, "send", lambda pid, script: tell(child, script))
    real = _probe.__file__
    monkeypatch.setattr(_probe, "__file__", str(tmp_path / "nothing.so"))
    with pytest.raises(RuntimeError, match=rf"process {child.pid} cannot be watched: .*nothing.so"):
        stalls_in(child.pid)
    assert child.stdout.readline() == "run\n" and child.stdout.readline() == "left\n"
    monkeypatch.setattr(_probe, "__file__", real)
    child.kill()  # and one that ends before it comes to it
    child.wait()
    monkeypatch.setattr(Process, "refusal", lambda self: None)
    monkeypatch.setattr(attach, "send", lambda pid, script: None)
    sleeper = subprocess.Popen(["sleep", "0.1"])
    with pytest.raises(RuntimeError, match="was not watched: its main thread ran no Python code"):
        stalls_in(sleeper.pid)
    sleeper.wait()


# ---- what is known before -------------------------------------------------------------------------


@pytest.fixture
def proc(tmp_path):
    """A /proc with one process, 7, that a watch can be brought into."""
    for name in "7", "self":
        (tmp_path / name / "ns").mkdir(parents=True)
        (tmp_path / name / "ns/mnt").symlink_to("mnt:[1]")
    (tmp_path / "7/exe").symlink_to("/usr/bin/python3.14")
    (tmp_path / "7/maps").write_text(
        "00400000-00401000 r--p 00000000 fe:00 1   /usr/bin/python3.14\n"
        "7f0000000000-7f0000001000 r--p 00000000 fe:00 2   /usr/lib/libc.so.6\n"
    )
    (tmp_path / "7/environ").write_bytes(b"HOME=/root\0PYTHON_DISABLE_REMOTE_DEBUG=\0")
    (tmp_path / "7/cmdline").write_bytes(b"python\0service.py\0")
    return tmp_path


def change(path, text):
    path.unlink()
    if text.startswith("->"):
        path.symlink_to(text[2:])
    else:
        path.write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("7/cmdline", "python\0service.py\0", None),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /usr/lib/libpython3.14.so.1.0 (deleted)\n", None),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /opt/x/math.cpython-314-x86_64-linux-gnu.so\n", None),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /usr/bin/perl\n", "process 7 is not Python: it runs python3.14"),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /usr/bin/python3.13\n", "runs Python 3.13, into which no watch can be brought"),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /usr/bin/python3.14t\n", "free-threaded Python 3.14t"),
        ("7/maps", "1-2 r-xp 0 fe:00 1   /usr/bin/python3.15\n", "run this with its Python, /usr/bin/python3.14 -m pycrust"),
        ("7/ns/mnt", "->mnt:[2]", "a file system of its own"),
        ("7/environ", "PYTHON_DISABLE_REMOTE_DEBUG=1\0", "started with remote debugging disabled"),
        ("7/cmdline", "python\0-X\0disable-remote-debug\0x.py\0", "started with remote debugging disabled"),
        ("7/cmdline", "python\0-Xdisable_remote_debug\0x.py\0", "started with remote debugging disabled"),
    ],
)  # fmt: skip
def test_what_refuses_a_watch_is_told_before(proc, monkeypatch, name, text, words):
    monkeypatch.setattr(attach, "HERE", "3.14")
    change(proc / name, text)
    refusal = Process(7, proc).refusal()
    assert refusal is None if words is None else words in refusal and "\n" not in refusal


@pytest.mark.parametrize(
    ("uid", "words"), [(12345, "belongs to user 12345: run this as user 12345, or as root"), (None, "run this as root")]
)
def test_a_process_of_another_user(proc, monkeypatch, uid, words):
    def forbidden(path):
        raise PermissionError

    monkeypatch.setattr(os, "readlink", forbidden)
    if uid is not None:
        monkeypatch.setattr(os, "getuid", lambda: -1)
        monkeypatch.setattr(Process, "owner", lambda self: f"user {uid}")
    assert words in Process(7, proc).refusal()


def test_no_such_process(proc):
    assert Process(8, proc).refusal() == "there is no process 8"
    assert Process(8, proc / "nothing").refusal() == "--pid needs Linux"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError("Cannot read memory"), "run this as root"),
        (RuntimeError("Remote debugging is not enabled in the remote process"), "remote debugging disabled"),
        (OSError("no such process"), "nothing can be brought into process 7: no such process"),
    ],
)
def test_what_python_says_when_asked(monkeypatch, error, words):
    def refuse(pid, script):
        raise error

    monkeypatch.setattr(sys, "remote_exec", refuse, raising=False)
    with pytest.raises(RuntimeError, match=words):
        attach.send(7, "script")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pid", "{pid}", "program.py"], "--pid takes no program"),
        (["--pid", "{pid}", "--follow"], "--follow cannot be used with --pid"),
        (["--for", "5s", "program.py"], "--for is for --pid"),
        (["--for", "5x", "--pid", "{pid}"], "'5x' is not a time"),
        (["--pid", "{pid}", "--signal", "INT"], "SIGINT cannot be used"),
        (["--pid", "{pid}"], "is not Python: it runs sleep"),
    ],
)
def test_the_command_says_no(capsys, options, words):
    from pycrust.bench.cli import main

    with subprocess.Popen(["sleep", "30"]) as sleeper:
        with pytest.raises(SystemExit) as stopped:
            main(["stalls", *(option.format(pid=sleeper.pid) for option in options)])
        sleeper.kill()
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "program", "process"),
    [([], 5.0, 0.0), (["--dump-over", "0"], 0.0, 0.0), (["--dump-over", "2.5"], 2.5, 2.5)],
)
def test_from_when_on_a_hold_is_told_while_it_lasts(monkeypatch, options, program, process):
    """A process that runs already is not written to, unless that is asked for."""
    from pycrust.bench import cli

    class Enough(Exception):
        pass

    def take(*args, dump_over, **kwargs):
        told.append(dump_over)
        raise Enough

    told = []
    for name, target in ("stalls_of", ["program.py"]), ("stalls_in", ["--pid", "7"]):
        monkeypatch.setattr(cli, name, take)
        with pytest.raises(Enough):
            cli.main(["stalls", *options, *target])
    assert told == [program, process]


# ---- as it is meant ------------------------------------------------------------------------------------

as_meant = pytest.mark.skipif(not hasattr(sys, "remote_exec") or bool(_probe.why_not()), reason="from Python 3.14 on")


def command(*options):
    return [sys.executable, "-m", "pycrust", "stalls", *options]


def calm(child):
    """How it looks from outside."""
    return len(os.listdir(f"/proc/{child.pid}/fd")), len(os.listdir(f"/proc/{child.pid}/task"))


SERVICE = """
    import ctypes, time
    libc = ctypes.PyDLL(None)

    def guilty():
        libc.usleep(100_000)

    print("ready", flush=True)
    while True:
        guilty()
        time.sleep(0.05)
"""


@pytest.fixture
def service(tmp_path):
    path = tmp_path / "service.py"
    path.write_text(textwrap.dedent(SERVICE))
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        yield child
        child.kill()


@as_meant
@pytest.mark.slow
def test_a_running_service_is_watched(service, until):
    before = calm(service)

    def look():
        done = subprocess.run(
            command("--pid", str(service.pid), "--for", "1s"), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    until(lambda report: "service.py:6 guilty" in report, look)
    until(lambda now: now == before, lambda: (time.sleep(0.2), calm(service))[1])
    assert service.poll() is None


@as_meant
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_who_watched_is_gone(service, number, until):
    before = calm(service)
    with subprocess.Popen(
        command("--pid", str(service.pid), "--for", "1h"), stderr=subprocess.PIPE, text=True
    ) as watcher:
        until(lambda now: now[1] == before[1] + 2, lambda: (time.sleep(1.0), calm(service))[1])
        watcher.send_signal(number)
        report = watcher.communicate()[1]
    until(lambda now: now == before, lambda: (time.sleep(0.5), calm(service))[1])
    assert ("Watched for" in report) == (number == signal.SIGINT)
    assert service.poll() is None
