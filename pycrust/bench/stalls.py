"""Which line held the GIL, for how long, how often? What a watch over a running program saw."""

import ast
import importlib.util
import json
import linecache
import math
import os
import re
import signal as signals
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pycrust import _probe
from pycrust.bench import plots
from pycrust.bench.machine import Machine
from pycrust.bench.report import Cell, Result, Table, count_in_words, now, seconds_in_words

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELD, CONTENTION, GC, NO_CORE, UNKNOWN = LABELS = "held", "contention", "gc", "no core", "unknown"

MEANING = {
    HELD: "one thread kept the GIL although it was asked to hand it over",
    CONTENTION: "several threads took turns: each held it for short spells",
    GC: "a garbage collection ran",
    NO_CORE: "the threads had no core to run on, or the process was suspended",
    UNKNOWN: "nothing of the above was seen",
}

OVER = 0.020  # seconds


class Seen(NamedTuple):
    """
    What the watch logs of a wait for the GIL; times in seconds.

    All but the first five is of the spell in it for which a holder ignored the request for longest, if any was seen.

    Attributes
    ----------
    switches : int
        Of the GIL, meanwhile.
    begin, seconds : float
    late, delay : float
        For how long the watcher was kept from looking, and the waiting thread had no core.
    before, watched : float
        For how long the holder had the GIL, before the first look at it and since.
    cpu, asleep, ignored : float
        For how long it ran, slept, and ran or slept although it had been asked for the GIL.
    looks, collecting : int
        Looks at it, and of them while the garbage collector was at work.
    thread : str
        Its name; empty for a thread that has ended, of which none is known.
    tracebacks : str
        What it wrote itself, by faulthandler.
    file, line, function : str, int, str
        Where it handed the GIL over, if that was the end of a call; else line 0.
    end_line, end_column : int
        Where this call ends in the file, as in `ast`; 0, -1 if that is not known.
    """

    switches: int
    begin: float
    seconds: float
    late: float
    delay: float
    before: float = 0.0
    watched: float = 0.0
    cpu: float = 0.0
    asleep: float = 0.0
    ignored: float = 0.0
    looks: int = 0
    collecting: int = 0
    thread: str = ""
    tracebacks: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    end_line: int = 0
    end_column: int = -1


class Place(NamedTuple):
    """A line of the program."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{short(self.file)}:{self.line}"


@dataclass(frozen=True)
class Stall:
    """
    A time for which a thread that asked for the GIL did not get it.

    Attributes
    ----------
    begin : float
        Seconds since the watch began.
    seconds : float
        How long; for *held* and *gc* how long the holder kept it, as far as it ran or slept meanwhile.
    label : str
        ``'held'``, ``'contention'``, ``'gc'``, ``'no core'`` or ``'unknown'``.
    thread : str
        The holder, if it was *held*: its name in `threading`, or ``'MainThread'``, or the name that the system has for
        it, or ``'thread 1234'``; ``'one that ended'`` if none was known in time.
    stack : tuple of Place
        Where the holder was, innermost first, if it was *held* and that is known.
    seen : str
        ``'during'`` the stall, by the holder itself; or just ``'after'`` it: the holder slept, and a signal would
        have woken it.
    call_ends : tuple of int
        Line and column, as in `ast`, at which the call ends that held it; empty if that is not known.
    """

    begin: float
    seconds: float
    label: str
    thread: str = ""
    stack: tuple[Place, ...] = ()
    seen: str = ""
    call_ends: tuple[int, int] | tuple[()] = ()

    @property
    def place(self) -> Place | None:
        return self.stack[0] if self.stack else None

    @classmethod
    def of(cls, seen: Seen, over: float, start: float = 0.0) -> "Stall":
        """Label what was seen."""
        # A holder that neither ran nor slept had no core, or was suspended.
        missing = max(0.0, seen.watched - seen.cpu - seen.asleep)
        kept = seen.before + seen.watched - missing
        # Python code gives the GIL away as soon as it sees the request: who goes on for so long holds it.
        if seen.looks and seen.ignored >= over / 4 and kept >= over:
            if seen.collecting > seen.looks / 2:
                return cls(seen.begin - start, kept, GC)
            stack, when = stack_of(seen)
            after = stack and stack[0][:2] == (seen.file, seen.line) and seen.end_line
            call_ends = (seen.end_line, seen.end_column) if after else ()
            return cls(seen.begin - start, kept, HELD, seen.thread or "one that ended", stack, when, call_ends)
        waited_for_cores = seen.delay + missing
        if max(seen.late, waited_for_cores) >= seen.seconds / 2 or seen.seconds - waited_for_cores < over:
            label = NO_CORE
        else:
            label = CONTENTION if seen.switches > 1 else UNKNOWN
        return cls(seen.begin - start, seen.seconds, label)


def stack_of(seen: Seen) -> tuple[tuple[Place, ...], str]:
    """The stack on whose line two looks agree, and when that was seen."""
    stacks = [
        tuple(Place(unescaped(file), int(line), name) for file, line, name in FRAME.findall(text))
        for text in seen.tracebacks.split("Stack (most recent call first):\n")
    ]
    # The import system and the like have no file to look at.
    stacks = [tuple(place for place in stack if not place.file.startswith("<frozen ")) for stack in stacks]
    counts = Counter(stack[0][:2] for stack in stacks if stack)
    after = Place(seen.file, seen.line, seen.function) if seen.line else None
    if counts:
        line, count = counts.most_common(1)[0]
        if count >= 2 or (after is not None and after[:2] == line):
            return next(stack for stack in stacks if stack and stack[0][:2] == line), "during"
    elif after is not None and seen.asleep > seen.cpu:
        return (after,), "after"
    return (), ""


FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
ESCAPE = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


def unescaped(path: str) -> str:
    """A path as faulthandler writes it, in ASCII, as it is."""
    plain = ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), path)
    return plain if plain != path and Path(plain).exists() else path


def short(path: str) -> str:
    """A path as short as tells it from others: from the current folder, or its last two parts."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return "/".join(Path(path).parts[-2:])


class Line(NamedTuple):
    """The stalls of one line."""

    place: Place
    stalls: list[Stall]

    @property
    def total(self) -> float:
        return math.fsum(stall.seconds for stall in self.stalls)

    @property
    def longest(self) -> float:
        return max(stall.seconds for stall in self.stalls)

    @property
    def threads(self) -> list[str]:
        return sorted({stall.thread for stall in self.stalls})

    @property
    def caller(self) -> Place | None:
        """The innermost line outside of the standard library and of installed packages, if it is another."""
        for place in self.stalls[0].stack:
            if not LIBRARY.search(place.file) and not place.file.startswith("<"):
                return place if place != self.place else None
        return None

    def try_threadable(self) -> str | None:
        """The function whose call held the GIL, as MODULE:FUNCTION, if an import of this file gives it."""
        ends = Counter(stall.call_ends for stall in self.stalls if stall.call_ends).most_common(1)
        return called_function(self.place, ends[0][0] if ends else ())


LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]")


def called_function(place: Place, ends: tuple[int, int] | tuple[()] = ()) -> str | None:
    """
    What a line calls, as far as the imports of its file tell; nothing is imported for it.

    Of several calls, the one that ends there; if that is not known, none.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(place.file)))
    except (SyntaxError, ValueError):
        return None
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.lineno <= place.line <= (node.end_lineno or 0)
        and ends in ((), (node.end_lineno, node.end_col_offset))
    ]
    if len(calls) != 1:
        return None
    names: dict[str, tuple[str, list[str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    (alias.name if alias.asname else alias.name.partition(".")[0]), [],
                )  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, [alias.name])
    path: list[str] = []
    function: ast.expr = calls[0].func
    while isinstance(function, ast.Attribute):
        path.insert(0, function.attr)
        function = function.value
    if isinstance(function, ast.Name) and function.id in names:
        module, first = names[function.id]
        if [*first, *path] and is_importable(module):
            return f"{module}:{'.'.join([*first, *path])}"
    return None


def is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


class Figures(NamedTuple):
    """How the watch went, as it logs that itself; in seconds."""

    beats: int
    waits: int
    looks: int
    signal_lost: int
    waited: float
    longest_wait: float
    unseen: float
    longest_late: float
    seconds: float
    over: float
    started: float

    @property
    def coverage(self) -> float:
        """The share of the time for which the watch could look."""
        return max(0.0, 1.0 - self.unseen / self.seconds) if self.seconds else 0.0


@dataclass(repr=False)
class Stalls(Result):
    """
    What a watch saw: the stalls of a program's threads, and the lines that held the GIL.

    Attributes
    ----------
    stalls : list of Stall
        In the order in which they came.
    lines : list of Line
        The lines that held the GIL, the worst first.
    over : float
        The shortest wait that counts, in seconds.
    figures_of_watch, idle : Figures
        How the watch went, and how while nothing ran (None if that was not measured).
    """

    schema = "pycrust.bench.stalls"
    size = (11, 6.0)

    program: str = ""
    over: float = OVER
    stalls: list[Stall] = field(default_factory=list)
    watch: Figures | None = None
    idle: Figures | None = None
    machine: Machine = field(default_factory=Machine.this)
    created: str = field(default_factory=now)
    tests: list[tuple[float, str]] = field(default_factory=list)

    @property
    def held(self) -> list[Stall]:
        return [stall for stall in self.stalls if stall.label == HELD]

    @property
    def lines(self) -> list[Line]:
        found: dict[tuple[str, int], Line] = {}
        for stall in self.held:
            if stall.place is not None:
                found.setdefault(stall.place[:2], Line(stall.place, [])).stalls.append(stall)
        return sorted(found.values(), key=lambda line: -line.total)

    @property
    def without_line(self) -> list[Stall]:
        """What was held, nobody knows on which line."""
        return [stall for stall in self.held if stall.place is None]

    def headline(self) -> str:
        held = self.held
        if not held:
            return f"No line held the GIL while others waited for {seconds_in_words(self.over)}"
        count = len(self.lines)
        what = f"{count} line{'s' * (count != 1)}" if count else "Lines unknown"
        return f"{what} held the GIL while others waited for {seconds_in_words(self.over)} or more"

    def tables(self) -> list[Table]:
        rows: list[list[Cell | str]] = []
        for line in self.lines:
            small = [line.place.source, *([f"called from {line.caller}"] if line.caller else [])]
            small += [
                f"during {test}" for test in sorted({self.test_of(stall) or "" for stall in line.stalls})[:3] if test
            ]
            rows.append(
                [
                    Cell(f"{line.place} {line.place.function}", "\n".join(text for text in small if text)),
                    ", ".join(line.threads[:2]) + ", …" * (len(line.threads) > 2),
                    *figures_of(line.stalls),
                ]
            )
        if self.without_line:
            rows.append(["line unknown", "", *figures_of(self.without_line)])
        held = Table(
            title=self.headline(),
            header=self.machine.lines(),
            columns=["line", "thread", "times", "longest", "in all"],
            rows=rows,
            notes=self.notes(),
            left=(0, 1),
        )
        labels = [label for label in LABELS if any(stall.label == label for stall in self.stalls)]
        every = Table(
            title="Every wait for the GIL of "
            f"{seconds_in_words(self.watch.over if self.watch else self.over)} or more, by its cause",
            columns=["cause", "times", "longest", "in all"],
            rows=[[label, *figures_of([stall for stall in self.stalls if stall.label == label])] for label in labels]
            or [["none", "0", "—", "—"]],
            notes=[*(f"{label}: {MEANING[label]}." for label in labels), *self.coverage()],
            warnings=self.warnings(),
        )
        if rows:
            return [held, every]
        every.title, every.header = self.headline(), [*held.header, every.title]
        return [every]

    def notes(self) -> list[str]:
        notes = []
        for line in self.lines[:5]:
            target = line.try_threadable()
            if target:
                notes.append(f"{line.place}: try `pycrust threadable {target} --args …`")
        return notes

    def coverage(self) -> list[str]:
        """How far the watch can be trusted."""
        if self.watch is None:
            return ["The program ended without its exit handlers: how the watch went is not known."]
        unknown = sum(stall.label == UNKNOWN for stall in self.stalls)
        lines = [
            f"Watched for {seconds_in_words(self.watch.seconds)}: {count_in_words(self.watch.beats)} beats, "
            f"{count_in_words(self.watch.waits)} waits for the GIL, {self.watch.coverage:.1%} of the time covered.",
            f"Unknown: {unknown} of {len(self.stalls)} stalls.",
            "A thread that never takes the GIL was late by "
            f"{seconds_in_words(self.watch.longest_late)} at most: so far it is the machine.",
        ]
        if self.idle is not None:
            lines.append(
                f"While nothing ran: the GIL in {seconds_in_words(self.idle.longest_wait)} at most, late by "
                f"{seconds_in_words(self.idle.longest_late)} at most."
            )
        return lines

    def warnings(self) -> list[str]:
        warnings = []
        if self.watch is not None:
            if self.watch.signal_lost:
                warnings.append("the program took the signal, or closed the pipe: from then on lines are unknown")
            if self.watch.coverage < 0.9:
                warnings.append("the machine is so busy that much may have been missed")
            if self.watch.over > self.over:
                warnings.append(
                    f"the switch interval is {seconds_in_words(self.watch.over / 2)}: only waits of twice as much count"
                )
        if len(self.stalls) >= _probe.MOST_STALLS:
            warnings.append(f"only the first {count_in_words(_probe.MOST_STALLS)} stalls were kept")
        return warnings

    def test_of(self, stall: Stall) -> str | None:
        """The test during which it was, for pytest."""
        return next((name for begin, name in reversed(self.tests) if begin <= stall.begin), None)

    def figures(self) -> dict[str, Any]:
        return {
            "program": self.program,
            "unit": "seconds",
            "over": self.over,
            "watch": self.watch and {**self.watch._asdict(), "coverage": self.watch.coverage},
            "idle": self.idle and self.idle._asdict(),
            "labels": {
                label: {
                    "count": len(chosen),
                    "longest": max((stall.seconds for stall in chosen), default=0.0),
                    "total": math.fsum(stall.seconds for stall in chosen),
                }
                for label in LABELS
                for chosen in [[stall for stall in self.stalls if stall.label == label]]
            },
            "lines": [
                {
                    **line.place._asdict(),
                    "source": line.place.source,
                    "threads": line.threads,
                    "count": len(line.stalls),
                    "longest": line.longest,
                    "total": line.total,
                    "threadable": line.try_threadable(),
                }
                for line in self.lines
            ],
            "stalls": [
                {
                    "begin": stall.begin,
                    "seconds": stall.seconds,
                    "label": stall.label,
                    "thread": stall.thread or None,
                    "seen": stall.seen or None,
                    "stack": [place._asdict() for place in stall.stack],
                    **({"test": self.test_of(stall)} if self.tests else {}),
                }
                for stall in self.stalls
            ],
            "warnings": self.warnings(),
        }

    def draw(self, figure: "Figure") -> None:
        """Above how long each stall was, below which line it was, or which cause."""
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
        worst = self.lines[: len(LINE_COLOURS)]
        known = {id(stall) for line in worst for stall in line.stalls}
        lanes = [
            (f"{line.place}\n{line.place.function}", line.stalls, colour)
            for line, colour in zip(worst, LINE_COLOURS, strict=False)
        ]
        lanes += [("other lines", [stall for stall in self.held if id(stall) not in known], plots.BLACK)]
        lanes += [
            (label, [stall for stall in self.stalls if stall.label == label], colour)
            for label, colour in LABEL_COLOURS.items()
        ]
        lanes = [(name, chosen, colour) for name, chosen, colour in lanes if chosen]
        seconds = self.watch.seconds if self.watch else max((s.begin + s.seconds for s in self.stalls), default=1.0)
        for height, (_, chosen, colour) in enumerate(reversed(lanes)):
            spans = [(stall.begin, max(stall.seconds, seconds / 600)) for stall in chosen]
            below.broken_barh(spans, (height - 0.35, 0.7), color=colour)
            above.vlines(
                [stall.begin for stall in chosen], 0, [1e3 * stall.seconds for stall in chosen], color=colour,
                linewidth=1.5, alpha=0.8,
            )  # fmt: skip
            above.plot(
                [stall.begin for stall in chosen], [1e3 * stall.seconds for stall in chosen], color=colour,
                marker="o", markersize=5, linestyle="",
            )  # fmt: skip
        below.set_yticks(range(len(lanes)), [plots.words(name) for name, _, _ in reversed(lanes)])
        below.set_ylim(-0.6, max(len(lanes), 1) - 0.4)
        below.set_xlim(0, seconds)
        below.set_xlabel("seconds since the start")
        above.axhline(1e3 * self.over, color=plots.GREY, linestyle=":", linewidth=1.5)
        above.set_ylim(0, 1.1e3 * max((stall.seconds for stall in self.stalls), default=2 * self.over))
        above.set_ylabel("stall / ms")
        above.set_title("How long other threads waited for the GIL, and which line held it", loc="left")
        for axes in above, below:
            plots.plain(axes)
        below.grid(axis="y")
        below.tick_params(axis="y", labelsize=9)
        plots.caption(
            figure,
            f"{self.machine.python}, {self.machine.gil} · {self.machine.cores_in_words} · waits of "
            f"{seconds_in_words(self.over)} or more"
            + (f" · {self.watch.coverage:.1%} of the time covered" if self.watch else ""),
        )
        figure.suptitle(
            plots.words(self.headline() + f": {self.program}" * bool(self.program)), x=0.01, ha="left", fontsize=14
        )


LINE_COLOURS = (plots.VERMILION, plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.BROWN)
LABEL_COLOURS = {GC: plots.SKY, CONTENTION: "#999999", NO_CORE: "#bbbbbb", UNKNOWN: "#dddddd"}


def figures_of(stalls: Sequence[Stall]) -> list[str]:
    return [
        str(len(stalls)),
        seconds_in_words(max(stall.seconds for stall in stalls)),
        seconds_in_words(math.fsum(stall.seconds for stall in stalls)),
    ]


# ---- this process ---------------------------------------------------------------


def stalls(over: float = OVER, *, signal: int | None = None) -> "AbstractContextManager[Stalls]":
    """
    Watch this process: which lines hold the GIL, and so keep all other threads from running?

    For services and notebooks; a whole program is run by ``pycrust stalls SCRIPT``.

    Parameters
    ----------
    over : float, optional
        The shortest wait that counts, in seconds; at least twice ``sys.getswitchinterval()``.
    signal : int, optional
        The signal that makes a thread write its traceback: SIGURG, unless that is in use. Nothing else may send it.

    Returns
    -------
    context manager
        Its value is a `Stalls`, complete when the block ends: it shows itself as a table, `plot` draws it over time,
        `to_dict` is for JSON.

    Raises
    ------
    ValueError
        If `over` is less than twice the switch interval, or `signal` cannot be handled.
    RuntimeError
        If the signal is in use, if the process is being watched already, or if this interpreter's GIL cannot be
        watched: it takes CPython 3.11 to 3.14, with a GIL, on Linux.

    Notes
    -----
    A thread, the *beat*, asks for the GIL about every millisecond. While it waits for longer than it should, another
    one, which never takes the GIL, looks who has it. If that thread was asked to hand it over and goes on, it gets a
    signal whose handler calls faulthandler's: it writes its own traceback. A holder that sleeps in the system gets none,
    since that would wake it; then the line is the one on which it hands the GIL over.

    The watch pauses for a fork, and a child is not watched. What it costs is measured by ``tests/tools/cost_of_stalls.py``.

    Examples
    --------
    >>> import pycrust
    >>> from pycrust.bench import stalls
    >>> with stalls() as watch:
    ...     total = pycrust.sum_of_squares(10**6)
    >>> watch.lines
    []
    """
    check_over(over)
    signum = signals.SIGURG if signal is None else signal
    check_signal(signum)
    return watching(over, signum)


@contextmanager
def watching(over: float, signum: int) -> Iterator[Stalls]:
    watch = _probe.Watch(over, signum)
    result = Stalls(over=over)
    try:
        watch.start()
        yield result
    finally:
        watch.stop()
        read(watch.log(), result)


def check_over(over: float) -> None:
    least = 2 * sys.getswitchinterval()
    if not least <= over < math.inf:
        raise ValueError(
            f"over must be a time from {seconds_in_words(least)} on, twice the switch interval, not {over!r} s: "
            "Python code keeps the GIL for as long as that"
        )


def check_signal(signum: int) -> None:
    try:
        name = signals.Signals(signum).name
    except ValueError:
        raise ValueError(f"there is no signal {signum}") from None
    if signum in FORBIDDEN:
        raise ValueError(f"{name} cannot be used: it has a meaning of its own; SIGURG or SIGUSR1 can")


FORBIDDEN = {
    number
    for name in (
        "SIGKILL", "SIGSTOP", "SIGCONT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS",
        "SIGINT", "SIGCHLD", "SIGPIPE", "SIGTSTP", "SIGTTIN", "SIGTTOU",
    )
    for number in [getattr(signals, name, None)]
    if number is not None
}  # fmt: skip


# ---- a program ---------------------------------------------------------------------


def stalls_of(
    command: Sequence[str], over: float = OVER, *, signum: int = 0, dump_over: float = 0.0, abort_over: float = 0.0
) -> tuple[Stalls | None, int]:
    """
    Run a program with this interpreter, under a watch.

    Parameters
    ----------
    command : sequence of str
        What follows ``python``: a script, or ``-m`` and a module, or ``-c`` and code; and the program's arguments.
    over : float, optional
    signum : int, optional
        As for `stalls`.
    dump_over : float, optional
        Write who holds the GIL, and where, to stderr while a hold lasts: after so many seconds, and again after
        twice as many, and so on. 0: never.
    abort_over : float, optional
        Abort the program when a hold has lasted for so many seconds. 0: never.

    Returns
    -------
    Stalls or None
        None if the watch could not be started in the program, which said why, or if the program did not start.
    int
        The program's exit status; -N if signal N ended it.

    Raises
    ------
    ValueError, RuntimeError
        As for `stalls`, before the program is run.
    """
    signum = signum or signals.SIGURG
    check_over(over)
    check_signal(signum)
    reason = _probe.why_not()
    if reason:
        raise RuntimeError(f"the GIL cannot be watched here: {reason}")
    if sys.flags.no_site or sys.flags.ignore_environment:
        raise RuntimeError("the watch is brought in by PYTHONPATH and site: not with python -I, -E or -S")
    result = Stalls(program=" ".join(command), over=over)
    path = os.environ.get("PYTHONPATH")
    hook = str(Path(__file__).with_name("watched"))
    log = far_from_the_programs(os.memfd_create("pycrust-stalls"))
    settings = [
        repr(over), repr(dump_over), repr(abort_over), str(int(signum)), str(log), f"/proc/{os.getpid()}/fd/{log}", _probe.__file__,
        "" if path is None else f"={path}",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": hook if not path else os.pathsep.join([hook, path]),
        "PYCRUST_STALLS": "\n".join(settings),
    }
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    try:
        status = run([sys.executable, *flags, *command], environment)
        with open(log, "rb", closefd=False) as file:
            file.seek(0)
            return (result if read(file.read(), result) else None), status
    finally:
        os.close(log)


def far_from_the_programs(file: int) -> int:
    """The same file as a number that the program would not get for one of its own; inherited by it."""
    for least in 700, 100:
        with suppress(OSError):
            far = fcntl.fcntl(file, fcntl.F_DUPFD, least)
            os.close(file)
            return far
    os.set_inheritable(file, True)
    return file


def run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command as if it were this process: signals go to it."""
    forwarded = [signals.SIGTERM, signals.SIGHUP, signals.SIGINT, signals.SIGUSR1, signals.SIGUSR2, signals.SIGQUIT]
    _probe.forward_begin(forwarded)
    try:
        # It inherits what this process has inherited.
        with subprocess.Popen(command, env=environment, close_fds=False) as child:
            _probe.forward_to(child.pid)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            _probe.forward_to(0)  # before the number can be another's
            return child.wait()
    finally:
        _probe.forward_end()


def read(log: bytes, result: Stalls) -> bool:
    """Fill in what the watch logged; false if the program was not watched or did not start."""
    start = 0.0
    seen: dict[float, Seen] = {}  # by their begin: of one that lasts there is a record each time that it was told
    for line in log.splitlines():
        try:
            ((what, values),) = json.loads(line.decode("utf-8", "surrogateescape")).items()
        except ValueError:  # the program was killed meanwhile
            continue
        if what == "idle":
            result.idle = Figures(*values)
            start = result.idle.started + result.idle.seconds
        elif what == "end":
            result.watch = Figures(*values)
            start = result.watch.started
        elif what == "not started":
            return False
        else:
            seen[values[1]] = Seen(*values)
    result.stalls = [Stall.of(each, result.over, start) for each in seen.values()]
    return bool(log)
