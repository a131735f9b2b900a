"""Bring a watch into a Python process that runs already, and take it away again."""

import math
import os
import re
import select
import shutil
import signal as signals
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pycrust import _probe
from pycrust.bench.stall import OVER, Log
from pycrust.bench.stalls import Stalls, check_over, check_signal

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FIRST = (3, 14)  # the first Python that runs what another process asks it to: PEP 768
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
INSTEAD = (
    "start the program with `pycrust stalls`, or put `with pycrust.bench.stalls(on_stall=…)` into it; "
    "`py-spy dump --pid {pid}` shows where it is now"
)
PATIENCE = 3.0  # seconds, for the main thread to begin, until something is said
FAREWELL = 2.0  # seconds, for the main thread to take the rest away


@dataclass(frozen=True)
class Process:
    """A running process, as /proc tells of it."""

    pid: int
    proc: Path = field(default=Path("/proc"))

    @property
    def folder(self) -> Path:
        return self.proc / str(self.pid)

    def command(self) -> str:
        with suppress(OSError):
            words = (self.folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            return " ".join(words).strip()
        return ""

    def python(self) -> str | None:
        """The version of its Python, by the names of the files that it runs: 3.14, or 3.14t; None without one."""
        maps = (self.folder / "maps").read_bytes().decode("utf-8", "replace")
        found = re.search(r"/(?:lib)?python(3\.\d+[a-z]*)(?:\.so[.\d]*)?( \(deleted\))?$", maps, re.MULTILINE)
        if found:
            return found[1]
        found = re.search(r"\.cpython-3(\d+)([a-z]*)-", maps)
        return f"3.{found[1]}{found[2]}" if found else None

    def forbids(self) -> bool:
        """Whether it was started with remote debugging disabled, as far as that can be seen."""
        with suppress(OSError):
            for setting in (self.folder / "environ").read_bytes().split(b"\0"):
                if re.match(rb"PYTHON_DISABLE_REMOTE_DEBUG=.", setting):
                    return True
        return re.search(r"-X ?disable[-_]remote[-_]debug", self.command()) is not None

    def owner(self) -> str:
        import pwd

        uid = self.folder.stat().st_uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"user {uid}"

    def refusal(self) -> str | None:
        """Why no watch can be brought in, with the way out; None if nothing is known against it."""
        pid = self.pid
        if not self.folder.is_dir():
            return f"there is no process {pid}" if self.proc.is_dir() else "--pid needs Linux"
        try:
            version = self.python()
            elsewhere = (self.folder / "ns/mnt").readlink() != (self.proc / "self/ns/mnt").readlink()
            program = (self.folder / "exe").readlink()
        except PermissionError:
            owner = self.owner()
            if self.folder.stat().st_uid == os.getuid():
                return f"process {pid} does not let others look into it: run this as root"
            return f"process {pid} belongs to {owner}: run this as {owner}" + ", or as root" * (owner != "root")
        except OSError:  # one of the kernel's, or one that has just ended
            return f"process {pid} is not Python"
        if version is None:
            return f"process {pid} is not Python: it runs {program.name}"
        if version_of(version) < FIRST:
            return (
                f"process {pid} runs Python {version}, into which no watch can be brought (3.14 is the first): "
                + INSTEAD.format(pid=pid)
            )
        if "t" in version:
            return f"process {pid} runs a free-threaded Python {version}, which has no GIL to wait for"
        if elsewhere:
            return (
                f"process {pid} has a file system of its own, as in a container: run this there, "
                f"as with `nsenter --target {pid} --mount pycrust stalls --pid {pid}`"
            )
        if version != HERE:
            return (
                f"process {pid} runs Python {version}, and this is {HERE}: run this with its Python, "
                f"{program} -m pycrust stalls --pid {pid}, where pycrust is installed for it "
                "(PYTHONPATH tells where)"
            )
        if self.forbids():
            return disabled(pid)
        return None


def version_of(version: str) -> tuple[int, int]:
    first, second = re.findall(r"\d+", version)[:2]
    return int(first), int(second)


def disabled(pid: int) -> str:
    return (
        f"process {pid} was started with remote debugging disabled: start it without PYTHON_DISABLE_REMOTE_DEBUG and "
        "-X disable-remote-debug, or with `pycrust stalls`"
    )


def stalls_in(
    pid: int,
    over: float = OVER,
    *,
    seconds: float = 30.0,
    signum: int = 0,
    dump_over: float = 0.0,
    abort_over: float = 0.0,
    say: Callable[[str], object] = lambda text: None,
) -> Stalls:
    """
    Watch a process that runs already, and leave it.

    Parameters
    ----------
    pid : int
        The process: of CPython 3.14 or later, of the same minor version as this one.
    over : float, optional
    seconds : float, optional
        For how long. Ctrl-C ends it before.
    signum, dump_over, abort_over : optional
        As for `stalls`; what a hold that lasts is told of goes to the standard error of that process.
    say : callable, optional
        Called with a sentence, if the process does not begin to watch.

    Returns
    -------
    Stalls

    Raises
    ------
    ValueError, RuntimeError
        As for `stalls`; RuntimeError with the reason if no watch can be brought into that process.
    """
    signum = signum or signals.SIGURG
    check_over(over)
    check_signal(signum)
    process = Process(pid)
    reason = process.refusal()
    if reason or fcntl is None:
        raise RuntimeError(reason)
    folder = Path(tempfile.mkdtemp(prefix="pycrust-"))
    path = folder / "log"
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    log = Log(lambda start: os.pread(file, os.fstat(file).st_size - start, start), over)
    waits = False
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # as long as it is held the process goes on
        script = write_script(folder, (str(folder), over, dump_over, abort_over, int(signum), seconds, _probe.__file__))
        owner = process.folder.stat()
        for each in folder, script, path:
            with suppress(PermissionError):
                os.chown(each, owner.st_uid, owner.st_gid)
        send(pid, script)
        waits = follow(process, file, log, seconds, say)
    finally:
        os.close(file)
        if not waits:  # else the process does so when it comes to it, and does nothing else
            shutil.rmtree(folder, ignore_errors=True)
    log.source = lambda start: b""
    record = next(iter(log.read().values()), None)
    if record is None:
        raise RuntimeError(f"process {pid} was not watched: its main thread ran no Python code")
    if record.refused:
        raise RuntimeError(f"process {pid} cannot be watched: {record.refused}")
    return Stalls(program=process.command() or f"process {pid}", over=over, log=log)


def write_script(folder: Path, settings: tuple[object, ...]) -> Path:
    text = Path(__file__).with_name("watched").joinpath("attached.py").read_text(encoding="utf-8")
    script = folder / "watch.py"
    script.write_text(f"settings = {settings!r}\n{text}", encoding="utf-8")
    return script


def send(pid: int, script: Path) -> None:
    """Have the process run this script."""
    try:
        sys.remote_exec(pid, str(script))  # type: ignore[attr-defined, unused-ignore]
    except PermissionError as error:
        raise RuntimeError(
            f"this system does not let a process read the memory of process {pid}, even of the same user: run this as root "
            "(in a container it needs the capability SYS_PTRACE)"
        ) from error
    except (RuntimeError, OSError) as error:
        if "not enabled" in str(error) or "disabled" in str(error):
            raise RuntimeError(disabled(pid)) from error
        raise RuntimeError(f"nothing can be brought into process {pid}: {error}") from error


def follow(process: Process, file: int, log: Log, seconds: float, say: Callable[[str], object]) -> bool:
    """Until the watch has left, the process has ended, or Ctrl-C; true: it has yet to begin."""
    record, told = None, False
    until, start = math.inf, time.monotonic()
    ended = os.pidfd_open(process.pid)
    try:
        while time.monotonic() < until:
            try:
                over = bool(select.select([ended], [], [], 0.05)[0])
                record = next(iter(log.read().values()), None)
                if over or (record and (record.refused or record.left)):
                    return False
                now = time.monotonic()
                if record is None and now - start > PATIENCE and not told:
                    told = True
                    say(
                        f"process {process.pid} has not begun to watch: its main thread runs no Python code at this moment "
                        "(a service that waits for a request begins with the next). Ctrl-C gives up"
                    )
                if record and until == math.inf:
                    until = now + seconds + FAREWELL
            except KeyboardInterrupt:
                fcntl.flock(file, fcntl.LOCK_UN)  # so the watch leaves
                if record is None:
                    return True
                until = time.monotonic() + FAREWELL
        return record is None
    finally:
        os.close(ended)
