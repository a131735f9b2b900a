"""Is this function threadable? Whether it lets other threads run, and what k threads of it gain."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pycrust.bench import plots
from pycrust.bench.heartbeat import BEAT, Pulse, pulse_during
from pycrust.bench.machine import Machine
from pycrust.bench.report import Cell, Progress, Result, Table, no_progress, now, seconds_in_words, three_digits
from pycrust.bench.timing import (
    Prepare,
    Task,
    Timing,
    calibrate,
    repeated,
    row_task,
    rows_of,
    take_turns,
    threads_task,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOLDS, RELEASES, PARTLY, TOO_SHORT = "holds", "releases", "partly", "too short"

RELEASES_UP_TO = 0.15  # of the time others had to wait: noise on a busy machine stays below
HOLDS_FROM = 0.8  # Python code, which takes turns with the heart, stays above
SHORTEST = 0.001  # seconds: a waiting thread takes some 50 µs to notice that the GIL is free
WINDOW = 0.1  # seconds: shorter calls are repeated for as long
LEAST_WINDOW = 10 * BEAT  # seconds: what is over before the heart has beaten so often says nothing
MOST_INPUTS = 100_000  # that are made ahead for one run: they are in memory together


@dataclass(repr=False)
class Threadable(Result):
    """
    The verdict of `threadable`, with its figures.

    Attributes
    ----------
    name : str
        Of the function.
    verdict : str
        ``'holds'``, ``'releases'``, ``'partly'`` or ``'too short'``.
    in_turns : bool
        Whether a call that holds the GIL hands it over now and then, as Python code
        does, rather than keeping it from its beginning to its end.
    seconds : float
        What one call takes.
    stalled : float
        The share of the time for which another Python thread had to wait.
    longest_stall : float
        The longest that it had to wait, in seconds.
    idle_stalled, idle_longest_stall : float
        The same while nothing ran: the noise floor.
    row, threads : dict
        For each k the `Timing` of k calls in a row, and in k threads, per call.
    """

    schema = "pycrust.bench.threadable"

    name: str
    seconds: float
    calls: int
    pulses: list[Pulse]
    idle: list[Pulse]
    row: dict[int, Timing]
    threads: dict[int, Timing]
    machine: Machine
    notes: list[str] = field(default_factory=list)
    created: str = field(default_factory=now)
    switch_interval: float = field(default_factory=sys.getswitchinterval)

    def __post_init__(self) -> None:
        self.pace = min(pulse.pace() for pulse in self.idle)
        self.pulse, self.idle_pulse = self._typical(self.pulses), self._typical(self.idle)
        self.stalled = self.pulse.stalled(self.pace)
        self.longest_stall = self.pulse.longest_stall(self.pace)
        self.idle_stalled = self.idle_pulse.stalled(self.pace)
        self.idle_longest_stall = self.idle_pulse.longest_stall(self.pace)

    def _typical(self, pulses: list[Pulse]) -> Pulse:
        """The pulse whose share of late beats is the median."""
        return sorted(pulses, key=lambda pulse: pulse.stalled(self.pace))[(len(pulses) - 1) // 2]

    @property
    def verdict(self) -> str:
        if self.seconds * self.calls < LEAST_WINDOW:
            return TOO_SHORT
        if self.stalled <= RELEASES_UP_TO:
            return RELEASES
        if self.seconds < SHORTEST:
            return TOO_SHORT
        return HOLDS if self.stalled >= HOLDS_FROM else PARTLY

    @property
    def in_turns(self) -> bool:
        longest_gap = max(gap.end - gap.begin for gap in self.pulse.gaps())
        return (
            self.verdict == HOLDS
            and self.seconds >= 4 * self.switch_interval  # in a shorter call nobody is asked to hand it over
            and longest_gap < self.seconds / 2
        )

    def speedup(self, k: int) -> float:
        """How many times as fast k threads are as k calls in a row."""
        return self.row[k].median / self.threads[k].median

    def efficiency(self, k: int) -> float:
        """The speed-up as a share of what the usable cores allow."""
        return self.speedup(k) / min(k, self.machine.cores)

    def headline(self) -> str:
        """The verdict in a few words."""
        if self.verdict == TOO_SHORT:
            return "is too short to tell"
        if not self.machine.gil_enabled:
            return {HOLDS: "stays attached", RELEASES: "detaches", PARTLY: "stays attached for part of its time"}[
                self.verdict
            ]
        if self.in_turns:
            return "holds the GIL, in turns"
        return {HOLDS: "holds the GIL", RELEASES: "releases the GIL", PARTLY: "releases the GIL for part of its time"}[
            self.verdict
        ]

    def details(self) -> list[str]:
        """What the verdict means for the caller."""
        if self.verdict == TOO_SHORT:
            enough = max(SHORTEST, LEAST_WINDOW / self.calls)
            return [
                f"A call takes {seconds_in_words(self.seconds)}. Give it {math.ceil(enough / self.seconds)} times the "
                f"work or more, so that it takes {seconds_in_words(enough)}."
            ]
        waited = f"waited {self.stalled:.0%} of the time, {seconds_in_words(self.longest_stall)} at most"
        if not self.machine.gil_enabled:
            return [
                f"A pause of all threads, as a garbage collection needs, {waited}.",
                *(["There is no GIL: other threads run on while it is attached."] if self.verdict != RELEASES else []),
            ]
        return [
            f"Other Python threads {waited}.",
            *{
                RELEASES: [],
                PARTLY: [
                    f"Threads of it gain ×{three_digits(min(1 / max(self.stalled, RELEASES_UP_TO), self.machine.cores))} "
                    "at most."
                ],
                HOLDS: [
                    "It runs Python code, or holds the GIL for short spells: others get their turn, but only one "
                    "thread runs at a time."
                ]
                * self.in_turns
                + ["Threads of it gain next to nothing."],
            }[self.verdict],
        ]

    def in_words(self) -> str:
        """The verdict in sentences."""
        return " ".join([f"{self.name} {self.headline()}.", *self.details()])

    def tables(self) -> list[Table]:
        heart = Table(
            title=f"{self.name} {self.headline()}",
            header=self.machine.lines(),
            columns=["other Python threads", "waited", "longest wait", "a call"],
            rows=[
                ["while it runs", *self._stall_cells(self.stalled, self.longest_stall), seconds_in_words(self.seconds)],
                ["while nothing runs", *self._stall_cells(self.idle_stalled, self.idle_longest_stall), "—"],
            ],
            notes=[*self.details(), *self.notes],
        )
        if not self.row:
            heart.warnings = self.warnings()
            return [heart]
        scaling = Table(
            title="k calls: time of all, divided by k",
            columns=["k", "in a row", "in k threads", "speed-up", "efficiency"],
            rows=[
                [
                    str(k),
                    *(
                        Cell(
                            seconds_in_words(timing.median)
                            + (f" ±{timing.spread / timing.median:.0%}" if timing.spread is not None else "")
                        )
                        for timing in (self.row[k], self.threads[k])
                    ),
                    Cell(f"×{self.speedup(k):.2f}", good=k > 1 and self.speedup(k) > 1.2),
                    f"{self.efficiency(k):.0%}",
                ]
                for k in self.row
            ],
            notes=["Efficiency: the speed-up as a share of k, or of the usable cores if they are fewer."],
            warnings=self.warnings(),
        )
        return [heart, scaling]

    @staticmethod
    def _stall_cells(share: float, longest: float) -> list[Cell | str]:
        return [f"{share:.1%} of the time", seconds_in_words(longest)]

    def warnings(self) -> list[str]:
        warnings = self.machine.warnings()
        if self.idle_stalled > RELEASES_UP_TO:
            warnings.append(
                "the machine is so busy that threads are late even while nothing runs: do not trust this verdict"
            )
        return warnings

    def figures(self) -> dict[str, Any]:
        return {
            "function": self.name,
            "verdict": self.verdict,
            "in_turns": self.in_turns,
            "in_words": self.in_words(),
            "unit": "seconds",
            "seconds_per_call": self.seconds,
            "calls_per_round": self.calls,
            "stalled": self.stalled,
            "longest_stall": self.longest_stall,
            "idle_stalled": self.idle_stalled,
            "idle_longest_stall": self.idle_longest_stall,
            "rounds": [
                {"stalled": pulse.stalled(self.pace), "longest_stall": pulse.longest_stall(self.pace)}
                for pulse in self.pulses
            ],
            "switch_interval": self.switch_interval,
            "notes": self.notes,
            "warnings": self.warnings(),
            "scaling": [
                {
                    "k": k,
                    "in_a_row": self.row[k].to_dict(),
                    "in_threads": self.threads[k].to_dict(),
                    "speedup": self.speedup(k),
                    "efficiency": self.efficiency(k),
                }
                for k in self.row
            ],
        }

    def draw(self, figure: "Figure") -> None:
        """On the left the heart's beats, and below them as they should be; on the right what threads gain."""
        if self.row:
            left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        else:
            left, right = figure.subplots(), None
        rows = [("while\nnothing runs", self.idle_pulse), ("while\nit runs", self.pulse)]
        length = min(self.pulse.seconds, self.idle_pulse.seconds)
        for height, (_, pulse) in enumerate(rows):
            gaps = [gap for gap in pulse.gaps() if gap.begin < length]
            left.vlines(
                [1e3 * gap.begin for gap in gaps if gap.begin > 0], height - 0.3, height + 0.3,
                color=plots.BLUE, linewidth=0.8, label="a beat",
            )  # fmt: skip
            waited = [gap for gap in gaps if gap.late(self.pace) > self.pace]
            no_core = [gap for gap in gaps if gap.delay > self.pace and gap not in waited]
            for found, colour, label in (
                (waited, plots.VERMILION, "it had to wait"),
                (no_core, plots.GREY, "it had no core"),
            ):
                left.broken_barh(
                    [(1e3 * gap.begin, 1e3 * (gap.end - gap.begin)) for gap in found],
                    (height - 0.3, 0.6), color=colour, alpha=0.35, linewidth=0, label=label,
                )  # fmt: skip
        left.set_yticks(range(len(rows)), [label for label, _ in rows])
        left.set_ylim(-0.6, len(rows) - 0.4)
        left.set_xlim(0, 1e3 * length)
        left.set_xlabel("time / ms")
        left.set_title("Beats of another Python thread", loc="left")
        plots.plain(left)
        left.grid(False)
        if right is not None:
            k = list(self.row)
            right.plot(
                k, [self.speedup(each) for each in k],
                color=plots.BLUE, marker="D", linewidth=2, markersize=7, label="k threads of it",
            )  # fmt: skip
            plots.threads_axes(right, k, self.machine.cores)
        plots.legend(figure)
        plots.caption(
            figure,
            f"{self.machine.python}, {self.machine.gil} · {self.machine.cores_in_words} · a call takes "
            f"{seconds_in_words(self.seconds)}",
        )
        plots.title(figure, f"{self.name} {self.headline()}")


def threadable(
    func: Callable[..., object],
    *args: Any,
    threads: Sequence[int] = (1, 2, 4),
    factory: Callable[[], tuple[Any, ...]] | None = None,
    rounds: int = 5,
    seconds: float = 2.0,
    name: str | None = None,
    progress: Progress = no_progress,
) -> Threadable:
    """
    Say whether a function lets other Python threads run, and what k threads of it gain.

    Two independent signs are measured. A *heartbeat*: a Python thread that wakes
    every half millisecond while the function runs in another thread, and again
    while nothing runs. It tells even on one core, and does not waver as speed-ups
    do; the verdict rests on it. And the *speed-up* of k calls in k threads over k
    calls in a row.

    Parameters
    ----------
    func : callable
        It is called many times, from threads other than the main one.
    *args
        Its arguments. For keyword arguments, pass ``functools.partial(func, key=value)``.
    threads : sequence of int, optional
        The numbers of threads to try; ``()`` for the heartbeat alone.
    factory : callable, optional
        Called without arguments, before the clock starts, for a tuple of arguments
        that follow `args`: once for each call, so that each has its own input, to read to its
        end or to change. Those of one run are in memory together.
    rounds : int, optional
        Rounds of each measurement, at most.
    seconds : float, optional
        A measurement is repeated only while its rounds take about this long together.
    name : str, optional
        The function's name in the report.
    progress : callable, optional
        Called with what is measured next and the seconds done and in all.

    Returns
    -------
    Threadable
        `verdict` is ``'holds'``, ``'releases'``, ``'partly'`` or ``'too short'``. It shows
        itself as a table, `plot` draws it, `to_dict` is for JSON.

    Raises
    ------
    Exception
        Whatever the function raises.

    See Also
    --------
    assert_releases_gil : For a test.

    Notes
    -----
    The verdict is about the share of the time for which the heart was late: up to 15 %
    is *releases*, from 80 % on *holds*; the median round counts. Time that the heart
    waited for a core is left out, where Linux tells it. The noise floor is in the
    report (`idle_stalled`): below 1 % of the time on an idle machine. With six busy
    processes beside it on two cores, functions that release the GIL stayed below 5 %
    and those that hold it above 85 %.

    A call of less than a millisecond that seems to hold the GIL may also release it too
    briefly for a waiting thread to notice: it is too short to tell.

    Python code holds the GIL, but the interpreter asks it to hand it over every
    ``sys.getswitchinterval()`` (5 ms): such a function holds the GIL *in turns*.

    On a free-threaded interpreter the heart stops the world for an instant at each
    beat; ``'holds'`` then means that the function stays attached, so that a garbage
    collection waits for it, and ``'releases'`` that it detaches.

    Examples
    --------
    >>> import time
    >>> from pycrust.bench import threadable
    >>> threadable(time.sleep, 0.01, threads=()).verdict
    'releases'
    """
    counts = sorted(set(threads))
    if counts and counts[0] < 1:
        raise ValueError(f"threads must be numbers from 1 up, not {list(threads)}")
    name = name or name_of(func)
    machine = Machine.this()
    if factory is None:
        prepare, most = repeated(partial(func, *args)), 10**9
    else:
        prepare, most = with_inputs(partial(func, *args), factory), MOST_INPUTS
    times, each = calibrate(prepare, at_least=WINDOW, most=most)
    window = times * each
    idle = min(max(window, WINDOW), 10 * WINDOW)
    tasks = [
        Task("idle", lambda: pulse_during(partial(time.sleep, idle)), idle, "heartbeat while nothing runs"),
        Task("beat", lambda: pulse_during(prepare(times)), window, f"heartbeat during {name}"),
    ]
    if counts:
        tasks.append(row_task("row", prepare, times, each, counts[-1], f"{name}, in a row"))
    for k in counts:
        tasks.append(threads_task(k, prepare, times, each, k, f"{name}, {k} threads"))
    measured = take_turns(tasks, rounds=rounds, seconds=seconds, progress=progress)
    pulses = measured["beat"]
    return Threadable(
        name=name,
        seconds=Timing(tuple(pulse.seconds / times for pulse in pulses)).median,
        calls=times,
        pulses=pulses,
        idle=measured["idle"],
        row={k: rows_of(measured["row"], k) for k in counts},
        threads={k: Timing(tuple(measured[k])) for k in counts},
        machine=machine,
    )


def with_inputs(func: Callable[..., object], factory: Callable[[], tuple[Any, ...]]) -> Prepare:
    """Calls of which each has arguments of its own; they live until all the calls are done."""

    def prepare(times: int) -> Callable[[], None]:
        inputs = [factory() for _ in range(times)]

        def calls() -> None:
            for each in inputs:
                func(*each)

        return calls

    return prepare


def assert_releases_gil(func: Callable[..., object], *args: Any, rounds: int = 5, seconds: float = 2.0) -> None:
    """
    Fail unless a function releases the GIL, for a test of an extension module.

    Parameters
    ----------
    func, *args
        The call, long enough to tell: a millisecond or more.
    rounds, seconds : optional
        As for `threadable`.

    Raises
    ------
    AssertionError
        If the function holds the GIL for more than 15 % of its time, or its calls are
        too short to tell. The message has the figures.

    Examples
    --------
    >>> import zlib
    >>> from pycrust.bench import assert_releases_gil
    >>> assert_releases_gil(zlib.crc32, bytes(10**7))
    """
    __tracebackhide__ = True  # pytest shows the test's own line
    result = threadable(func, *args, threads=(), rounds=rounds, seconds=seconds)
    if result.verdict != RELEASES:
        raise AssertionError(result.in_words())


def name_of(func: Callable[..., object]) -> str:
    """The name of a function as its caller would write it, as far as it can be known."""
    while isinstance(func, partial):
        func = func.func
    name = getattr(func, "__qualname__", None) or repr(func)
    module = getattr(func, "__module__", None) or ""
    packages = [package for package in module.split(".") if not package.startswith("_") and package != "builtins"]
    return ".".join([*packages, name])
