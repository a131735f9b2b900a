"""Which line held the GIL, for how long, how often? What a watch over a running program saw."""

import json
import logging
import math
import os
import select
import signal as signals
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pycrust import _probe
from pycrust.bench import plots
from pycrust.bench.machine import Machine
from pycrust.bench.report import Cell, Result, Table, count_in_words, now, seconds_in_words
from pycrust.bench.stall import (
    CONTENTION,
    FORK,
    GC,
    HELD,
    LABELS,
    LOOP,
    MEANING,
    NO_CORE,
    OVER,
    UNKNOWN,
    Figures,
    Log,
    Place,
    Record,
    Stall,
    called_function,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Line(NamedTuple):
    """The stalls of one line, called from one line of the user's own."""

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
    def tasks(self) -> list[str]:
        return sorted({stall.task for stall in self.stalls if stall.task})

    @property
    def callee(self) -> str:
        """What a pool or a thread called there, as MODULE:FUNCTION, if the line is theirs."""
        return self.stalls[0].callee

    @property
    def caller(self) -> Place | None:
        """The innermost line outside of the standard library and of installed packages, if it is another."""
        caller = self.stalls[0].caller
        return caller if caller != self.place else None

    def title(self) -> str:
        """What is to be changed: the user's own line, if one is known."""
        if self.callee and not self.caller:
            return f"{self.callee.replace(':', '.')}, run by a thread"
        place = self.caller or self.place
        return f"{place} {place.function}"

    def small(self) -> list[str]:
        """What stands below it."""
        small = []
        if self.caller:
            small += [self.caller.source, f"in {self.place} {self.place.function}"]
        elif self.callee:
            small += [f"at {self.place} {self.place.function}"]
        small.append(self.place.source)
        if self.tasks:
            small.append(f"in task{'s' * (len(self.tasks) > 1)} {shown(self.tasks)}")
        missing = math.fsum(stall.missing for stall in self.stalls)
        if missing >= 0.1 * self.total:
            small.append(f"and {seconds_in_words(missing)} without a core")
        collecting = math.fsum(stall.collecting for stall in self.stalls)
        if collecting > 0.1 * self.total and self.stalls[0].label == HELD:
            small.append(f"{seconds_in_words(collecting)} of it by garbage collections within")
        return [textwrap.shorten(text, WIDTH, placeholder=" …") for text in small if text]

    def row(self, more: Sequence[str] = ()) -> list[Cell | str]:
        """Of a table; `more` stands below it, too."""
        return [Cell(self.title(), "\n".join([*self.small(), *more])), self.who(), *figures_of(self.stalls)]

    def who(self) -> str:
        """Its threads, as far as there is room."""
        return shown(self.threads)

    def try_threadable(self) -> str | None:
        """The function whose call held the GIL, as MODULE:FUNCTION, if an import of this file gives it."""
        ends = Counter(stall.call_ends for stall in self.stalls if stall.call_ends).most_common(1)
        found = self.callee or (
            called_function(self.caller) if self.caller else called_function(self.place, ends[0][0] if ends else ())
        )
        return found if found != "time:sleep" else None  # it releases the GIL

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.place._asdict(),
            "source": self.place.source,
            "caller": self.caller and {**self.caller._asdict(), "source": self.caller.source},
            "threads": self.threads,
            "tasks": self.tasks,
            "callee": self.callee or None,
            "count": len(self.stalls),
            "longest": self.longest,
            "total": self.total,
            "threadable": self.try_threadable(),
        }


WIDTH = 62  # of what stands below a line: a table is to fit 100 columns


def shown(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", …" * (len(names) > 3)


def lines_of(stalls: Iterable[Stall]) -> list[Line]:
    """By line and caller, the worst first."""
    found: dict[tuple[object, ...], Line] = {}
    for stall in stalls:
        if stall.place is not None:
            key = (*stall.place[:2], stall.caller and stall.caller[:2], stall.callee)
            found.setdefault(key, Line(stall.place, [])).stalls.append(stall)
    return sorted(found.values(), key=lambda line: -line.total)


@dataclass(repr=False)
class Stalls(Result):
    """
    What a watch saw: the stalls of a program's threads, and the lines that held the GIL.

    Attributes
    ----------
    stalls : list of Stall
        In the order in which they came.
        Also while the watch runs: those that have ended so far.
    lines : list of Line
        The lines that held the GIL, the worst first; the same line called from two places counts as two.
    loops : list of Line
        The lines that blocked an event loop of asyncio without holding the GIL, likewise.
    over : float
        The shortest wait that counts, in seconds.
    watch, idle : Figures
        How the watch went (None until it has ended), and how while nothing ran (None if that was not measured).
    processes : list of Stalls
        Of the other processes that were watched, with ``--follow``.
    unwatched : set of int
        Processes that the program started, with a Python of their own, that were not watched.
    """

    schema = "pycrust.bench.stalls"
    size = (11, 6.0)

    program: str = ""
    over: float = OVER
    record: Record = field(default_factory=Record)
    log: Log | None = None
    pid: int = 0
    unwatched: set[int] = field(default_factory=set)
    machine: Machine = field(default_factory=Machine.this)
    created: str = field(default_factory=now)
    tests: list[tuple[float, str]] = field(default_factory=list)

    def read(self) -> Record:
        """What is known by now."""
        if self.log is not None:
            records = self.log.read()
            self.record = records.get(self.pid or next(iter(records), 0), self.record)
        return self.record

    @property
    def stalls(self) -> list[Stall]:
        return self.read().all()

    @property
    def watch(self) -> Figures | None:
        return self.read().watch

    @property
    def idle(self) -> Figures | None:
        return self.read().idle

    @property
    def number(self) -> int:
        """The process as the system has it; 0 if nothing was logged."""
        return self.pid or next(iter(self.log.read() if self.log else ()), 0)

    @property
    def processes(self) -> "list[Stalls]":
        if self.log is None or self.pid:
            return []
        return [
            Stalls(program=f"process {pid}", over=self.over, log=self.log, pid=pid, machine=self.machine)
            for pid in [*self.log.read()][1:]
        ]

    @property
    def held(self) -> list[Stall]:
        return [stall for stall in self.stalls if stall.label == HELD]

    @property
    def lines(self) -> list[Line]:
        return lines_of(self.held)

    @property
    def loops(self) -> list[Line]:
        """Lines that blocked an event loop without holding the GIL, the worst first."""
        return lines_of(stall for stall in self.stalls if stall.label == LOOP)

    @property
    def without_line(self) -> list[Stall]:
        """What was held, nobody knows on which line."""
        return [stall for stall in self.held if stall.place is None]

    def headline(self) -> str:
        held = self.held
        loops = len(self.loops)
        if not held and loops:
            return (
                f"{loops} line{'s' * (loops != 1)} blocked an event loop for {seconds_in_words(self.over)} or more, "
                "without holding the GIL"
            )
        if not held:
            return f"No line held the GIL while others waited for {seconds_in_words(self.over)}"
        count = len(self.lines)
        what = f"{count} line{'s' * (count != 1)}" if count else "Lines unknown"
        return f"{what} held the GIL while others waited for {seconds_in_words(self.over)} or more"

    def tables(self) -> list[Table]:
        stalls = self.stalls
        rows: list[list[Cell | str]] = []
        for line in self.lines:
            tests = sorted({self.test_of(stall) or "" for stall in line.stalls})[:3]
            rows.append(line.row([f"during {test}" for test in tests if test]))
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
        labels = [label for label in LABELS if label != LOOP and any(stall.label == label for stall in stalls)]
        every = Table(
            title="Every wait for the GIL of "
            f"{seconds_in_words(self.watch.over if self.watch else self.over)} or more, by its cause",
            columns=["cause", "times", "longest", "in all"],
            rows=[[label, *figures_of([stall for stall in stalls if stall.label == label])] for label in labels]
            or [["none", "0", "—", "—"]],
            notes=[*(f"{label}: {MEANING[label]}." for label in labels), *self.coverage()],
            warnings=self.warnings(),
        )
        set_off = Table(
            title="Where garbage collections and forks were set off that stopped all threads",
            columns=held.columns,
            rows=[
                line.row()
                for label in (GC, FORK)
                for line in lines_of(stall for stall in stalls if stall.label == label)
            ],
            left=(0, 1),
        )
        loop = Table(
            title="Lines that blocked an event loop while other threads could run",
            columns=held.columns,
            rows=[line.row() for line in self.loops],
            notes=["Other tasks of that loop waited: move it to a thread, with `await asyncio.to_thread(…)`."],
            left=(0, 1),
        )
        tables = [table for table in (held, loop, set_off, every) if table.rows]
        first = tables[0]
        if first is not held:
            first.title, first.header = self.headline(), [*held.header, first.title]
        quiet = []
        for process in self.processes:
            if process.stalls:
                first, *more = process.tables()
                first.title, first.header = f"{process.program}: {first.title}", first.header[2:]
                tables += [first, *more]
            else:
                quiet.append(str(process.pid))
        if quiet:
            tables[-1].notes.append(f"Watched, too, without a stall: {', '.join(quiet)}.")
        return tables

    def notes(self) -> list[str]:
        notes: dict[str, None] = {}  # each once
        for line in self.lines[:5]:
            target = line.try_threadable()
            if target:
                notes[f"{line.caller or line.place}: try `pycrust threadable {target} --args …`"] = None
        return [*notes]

    def coverage(self) -> list[str]:
        """How far the watch can be trusted."""
        if self.watch is None:
            return [
                self.attributed(),
                "The program ended without its exit handlers, or is still watched: how the watch went is not known.",
            ]
        unknown = sum(stall.label == UNKNOWN for stall in self.stalls)
        lines = [
            self.attributed(),
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

    @property
    def waited(self) -> dict[str, float]:
        """Seconds: of all waits that count, of those of which a cause is known, and the rest."""

        def total(stalls: Iterable[Stall]) -> float:
            return math.fsum(stall.seconds for stall in stalls)

        record, stalls = self.read(), self.stalls
        held = total(stall for stall in stalls if stall.label in (HELD, GC) and (stall.stack or stall.label == GC))
        missing = math.fsum(stall.missing for stall in stalls if stall.label != LOOP) + record.delayed
        others = total(stall for stall in stalls if stall.label in (CONTENTION, NO_CORE)) + missing
        rest = max(0.0, record.waited - held - others)
        return {"in_all": record.waited, "held": held, "others": others, "rest": rest}

    def attributed(self) -> str:
        """How much of the time that was waited has a cause, and how much has none."""
        in_all, held, others, rest = (f"{seconds:.2f} s" for seconds in self.waited.values())
        return (
            f"These waits took {in_all} in all: {held} a known line or a collection, {others} contention or missing cores, "
            f"{rest} not attributed."
        )

    def warnings(self) -> list[str]:
        warnings = []
        if self.unwatched:
            count = len(self.unwatched)
            warnings.append(
                f"{count} Python process{'es' * (count > 1)} that the program started "
                f"{'were' if count > 1 else 'was'} not watched: try --follow"
            )
        if self.read().uvloop:
            warnings.append("loops of uvloop are not looked at: what blocks one without holding the GIL is not told")
        if self.watch is not None:
            if self.watch.signal_lost:
                warnings.append("the program took the signal, or closed the pipe: from then on lines are unknown")
            if self.watch.coverage < 0.9:
                warnings.append("the machine is so busy that much may have been missed")
            if self.watch.over > self.over:
                warnings.append(
                    f"the switch interval is {seconds_in_words(self.watch.over / 2)}: only waits of twice as much count"
                )
        if len(self.stalls) >= _probe.MAX_STALLS:
            warnings.append(f"only the first {count_in_words(_probe.MAX_STALLS)} stalls were kept")
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
            "waited": self.waited,
            "lines": [line.to_dict() for line in self.lines],
            "loops": [line.to_dict() for line in self.loops],
            "stalls": [
                {**stall.to_dict(), **({"test": self.test_of(stall)} if self.tests else {})} for stall in self.stalls
            ],
            "processes": [
                {
                    "pid": process.pid,
                    **{key: figures[key] for key in ("watch", "labels", "waited", "lines", "loops", "stalls")},
                }
                for process in self.processes
                for figures in [process.figures()]
            ],
            "unwatched": len(self.unwatched),
            "warnings": self.warnings(),
        }

    def to_trace(self) -> dict[str, Any]:
        """
        The stalls over time in the format of Chrome's traces, which Perfetto, ``chrome://tracing`` and speedscope open.

        Returns
        -------
        dict
            For JSON: an event for each stall, by process and thread, in microseconds since the program's watch began.
        """
        events: list[dict[str, Any]] = []
        zero = self.read().start
        for process in [self, *self.processes]:
            pid = process.number
            named = {"name": "process_name", "ph": "M", "pid": pid, "tid": 0, "args": {"name": process.program}}
            threads: dict[str, int] = {}
            events.append(named)
            for stall in process.stalls:
                lane = stall.thread or stall.label
                events.append(
                    {
                        "name": str(stall.caller or stall.place or stall.label),
                        "cat": stall.label,
                        "ph": "X",
                        "ts": 1e6 * (stall.begin + process.read().start - zero),
                        "dur": 1e6 * stall.seconds,
                        "pid": pid,
                        "tid": threads.setdefault(lane, len(threads) + 1),
                        "args": {
                            **({"task": stall.task} if stall.task else {}),
                            **({"callee": stall.callee} if stall.callee else {}),
                            "stack": [f"{place} {place.function}" for place in stall.stack],
                        },
                    }
                )
            events += [
                {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}
                for name, tid in threads.items()
            ]
        return {"traceEvents": events, "displayTimeUnit": "ms"}

    def save_trace(self, path: str | Path) -> None:
        """Write `to_trace` to a file."""
        Path(path).write_text(json.dumps(self.to_trace()), encoding="utf-8")

    def draw(self, figure: "Figure") -> None:
        """Above how long each stall was, below which line it was, or which cause."""
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
        worst = self.lines[: len(LINE_COLOURS)]
        known = {id(stall) for line in worst for stall in line.stalls}
        lanes = [
            (line.title().replace(" ", "\n", 1), line.stalls, colour)
            for line, colour in zip(worst, LINE_COLOURS, strict=False)
        ]
        lanes += [("other lines", [stall for stall in self.held if id(stall) not in known], plots.BLACK)]
        lanes += [
            (f"loop: {line.title()}".replace(" ", "\n", 2).replace("\n", " ", 1), line.stalls, colour)
            for line, colour in zip(self.loops, LOOP_COLOURS, strict=False)
        ]
        known |= {id(stall) for _, chosen, _ in lanes for stall in chosen}
        lanes += [
            (label, [stall for stall in self.stalls if stall.label == label and id(stall) not in known], colour)
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
        above.set_title(
            "How long other threads waited for the GIL, and which line held it"
            + " or blocked an event loop" * bool(self.loops),
            loc="left",
        )
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
        title = textwrap.shorten(self.headline() + f": {self.program}" * bool(self.program), 90, placeholder=" …")
        figure.suptitle(plots.words(title), x=0.01, ha="left", fontsize=14)


LINE_COLOURS = (plots.VERMILION, plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE, plots.BROWN)
LOOP_COLOURS = ("#6a51c8", "#9d8be0", "#c0b4f0")
LABEL_COLOURS = {
    GC: plots.SKY,
    LOOP: "#d8d0f4",
    FORK: "#777777",
    CONTENTION: "#999999",
    NO_CORE: "#bbbbbb",
    UNKNOWN: "#dddddd",
}


def figures_of(stalls: Sequence[Stall]) -> list[str]:
    return [
        str(len(stalls)),
        seconds_in_words(max(stall.seconds for stall in stalls)),
        seconds_in_words(math.fsum(stall.seconds for stall in stalls)),
    ]


# ---- this process ---------------------------------------------------------------


def stalls(
    over: float = OVER,
    *,
    signal: int | None = None,
    on_stall: Callable[[Stall], object] | None = None,
    dump_over: float = 0.0,
    abort_over: float = 0.0,
) -> "AbstractContextManager[Stalls]":
    """
    Watch this process: which lines hold the GIL, and so keep all other threads from running?

    For services and notebooks; a whole program is run by ``pycrust stalls SCRIPT``.

    Parameters
    ----------
    over : float, optional
        The shortest wait that counts, in seconds; at least twice ``sys.getswitchinterval()``.
    signal : int, optional
        The signal that makes a thread write its traceback: SIGURG, unless that is in use. Nothing else may send it.
    on_stall : callable, optional
        Called with each `Stall` as it ends, in a thread of its own. The first exception that it raises is logged, to the
        logger ``pycrust``; none reaches the program. `pycrust.bench.on_stall` has some for logging, Prometheus and
        OpenTelemetry.
    dump_over : float, optional
        Write who holds the GIL, and where, to stderr while a hold lasts: after so many seconds, and again after
        twice as many, and so on. 0: never.
    abort_over : float, optional
        Write that, and abort the process, when a hold has lasted for so many seconds. 0: never.

    Returns
    -------
    context manager
        Its value is a `Stalls`, which can be read while the block runs, and is complete when it ends: it shows itself as
        a table, `plot` draws it over time, `to_dict` is for JSON.

    Raises
    ------
    ValueError
        If `over` is less than twice the switch interval, `signal` cannot be handled, or a time is negative or not finite.
    TypeError
        If `on_stall` cannot be called.
    RuntimeError
        If the signal is in use, if the process is being watched already, or if this interpreter's GIL cannot be
        watched: it takes CPython 3.11 to 3.14, with a GIL, on Linux.

    Notes
    -----
    A thread, the *beat*, asks for the GIL about every millisecond. While it waits for longer than it should, another
    one, which never takes the GIL, looks who has it. If that thread was asked to hand it over and goes on, it gets a
    signal whose handler calls faulthandler's: it writes its own traceback. A holder that sleeps in the system gets none,
    since that would wake it; its frames are read from outside, or, where that is forbidden, the line is the one on which it
    hands the GIL over.

    Lines that block an event loop of asyncio without holding the GIL are found, too: the beat looks a few times in each turn
    of a loop when its callbacks began.

    The watch pauses for a fork, and a child is not watched. Python 3.12 and later warn of a fork while there is the thread of
    `on_stall`, as of any other. What it costs is measured by ``tests/tools/cost_of_stalls.py``.

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
    if on_stall is not None and not callable(on_stall):
        raise TypeError(f"on_stall must be callable with a stall, not {on_stall!r}")
    for name, value in ("dump_over", dump_over), ("abort_over", abort_over):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a time in seconds, or 0 for never, not {value!r}")
    return watching(over, signum, on_stall, (dump_over, abort_over))


@contextmanager
def watching(
    over: float, signum: int, on_stall: Callable[[Stall], object] | None, dumps: tuple[float, float]
) -> Iterator[Stalls]:
    watch = _probe.Watch(over, signum)
    watch.dump_over(*dumps)
    result = Stalls(over=over, log=Log(watch.log, over))
    teller = None
    try:
        watch.start()
        watch.note(b"begin", True)
        if on_stall is not None:
            teller = threading.Thread(
                target=tell, args=(watch, Log(watch.log, over), on_stall), name="pycrust-stalls", daemon=True
            )
            teller.start()
        yield result
    finally:
        watch.stop()
        result.read()
        if teller is not None and teller.ident is not None:
            teller.join(LAST_CALLS)


LAST_CALLS = 5.0  # seconds, for callbacks still to run when the watch has ended


def tell(watch: _probe.Watch, log: Log, on_stall: Callable[[Stall], object]) -> None:
    """Call back for each stall, until the watch has ended."""
    told, failed = 0, False
    while watch.more(log.size):
        stalls = [stall for record in log.read().values() for stall in record.stalls]
        for stall in stalls[told:]:
            try:
                on_stall(stall)
            except BaseException:
                if not failed:
                    failed = True
                    logging.getLogger("pycrust").exception("on_stall failed, and is not logged again")
        told = len(stalls)


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
        "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGPIPE", "SIGTSTP", "SIGTTIN", "SIGTTOU",
    )
    for number in [getattr(signals, name, None)]
    if number is not None
}  # fmt: skip


# ---- a program ---------------------------------------------------------------------


def stalls_of(
    command: Sequence[str],
    over: float = OVER,
    *,
    signum: int = 0,
    dump_over: float = 0.0,
    abort_over: float = 0.0,
    follow: bool = False,
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
    follow : bool, optional
        Watch the Python processes that it starts, too.

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
    path = os.environ.get("PYTHONPATH")
    hook = str(Path(__file__).with_name("watched"))
    file = far_from_the_programs(os.memfd_create("pycrust-stalls"))
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
    log = Log(lambda start: os.pread(file, os.fstat(file).st_size - start, start), over)
    settings = [
        repr(over), repr(dump_over), repr(abort_over), str(int(signum)), str(int(follow)), str(file),
        f"/proc/{os.getpid()}/fd/{file}", _probe.__file__, "" if path is None else f"={path}",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": hook if not path else os.pathsep.join([hook, path]),
        "PYCRUST_STALLS": "\n".join(settings),
    }
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    try:
        children, status = run([sys.executable, *flags, *command], environment)
        records = log.read()
    finally:
        os.close(file)
    log.source = lambda start: b""
    first = next(iter(records.values()), None)
    if first is None or not first.started:
        return None, status
    return Stalls(program=" ".join(command), over=over, log=log, unwatched=children - {*records}), status


def far_from_the_programs(file: int) -> int:
    """The same file as a number that the program would not get for one of its own; inherited by it."""
    for least in 700, 100:
        with suppress(OSError):
            far = fcntl.fcntl(file, fcntl.F_DUPFD, least)
            os.close(file)
            return far
    os.set_inheritable(file, True)
    return file


def run(command: Sequence[str], environment: dict[str, str]) -> tuple[set[int], int]:
    """Run a command as if it were this process: signals go to it. Gives the Pythons that it started, and its status."""
    forwarded = [signals.SIGTERM, signals.SIGHUP, signals.SIGINT, signals.SIGUSR1, signals.SIGUSR2, signals.SIGQUIT]
    ignore = None
    if signals.getsignal(signals.SIGCHLD) == signals.SIG_IGN:  # so nobody would learn the status
        signals.signal(signals.SIGCHLD, signals.SIG_DFL)
        ignore = partial(signals.signal, signals.SIGCHLD, signals.SIG_IGN)
    _probe.forward_begin(forwarded)
    try:
        # It inherits what this process has inherited.
        with subprocess.Popen(command, env=environment, close_fds=False, preexec_fn=ignore) as child:
            _probe.forward_to(child.pid)
            children = pythons_below(child.pid)
            _probe.forward_to(0)  # before the number can be another's
            return children, child.wait()
    finally:
        _probe.forward_end()
        if ignore:
            ignore()


def pythons_below(pid: int) -> set[int]:
    """Wait until a process has ended, and see which others it starts, and those start, that run this Python."""
    found: set[int] = set()
    before: set[int] = set()
    ended = select.poll()
    with suppress(OSError, AttributeError):  # before Linux 5.3 there is none
        process = os.pidfd_open(pid)
        ended.register(process, select.POLLIN)
        try:
            while not ended.poll(SAMPLE):
                now = {each for each in below(pid) if is_this_python(each)}
                found |= now & before  # seen once it may be a fork that is about to become another program
                before = now
        finally:
            os.close(process)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return found


SAMPLE = 50  # milliseconds


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have; without those that have ended."""
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                children += map(int, (task / "children").read_text().split())
    return [each for child in children for each in (child, *below(child))]


def is_this_python(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/exe").samefile(sys.executable)
    except OSError:
        return False
